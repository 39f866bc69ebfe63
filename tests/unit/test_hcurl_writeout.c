/* One thread. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hcurl/report.h"
#include "../../cmd/hcurl/writeout.h"
#include "loop_test.h"
#include "oom.h"

#include <fcntl.h>
#include <sys/mman.h>

/* What is said on stderr begins with it; message.c would bring half the command along. */
const char *report_name(void)
{
    return "hcurl";
}

static const http_transfer_info_t info = {
    .url = "https://u:p@[::1]:8443/a/b?q#f",
    .method = "GET",
    .scheme = "https",
    .redirect_url = "",
    .content_type = "text/plain",
    .status = 200,
    .version = 11,
    .downloaded = 1000,
    .total_us = 2500000,
    .tls_us = 1,
    .remote_port = 8443,
    .remote_ip = "::1",
    .through_proxy = true,
    .connect_status = 7,
};

static const http_field_t fields[] = {
    {{"Server", 6}, {"lab", 3}, 0}, {{"X-A", 3}, {"1", 1}, 0}, {{"X-A", 3}, {"2", 1}, 0}};

typedef struct scene_s {
    hloop_t *loop;
    outlet_t *out;
    int fd;
    headers_t headers;
    writeout_facts_t facts;
} scene_t;

static int open_scene(scene_t *scene)
{
    int err;

    memset(scene, 0, sizeof(*scene));
    scene->fd = memfd_create("out", MFD_CLOEXEC);
    scene->loop = hloop_new(0);
    if (!scene->loop)
        return -ENOMEM;
    err = outlet_new(scene->loop, scene->fd, &scene->out);
    err = err ? err : headers_add(&scene->headers, HTTP_HOP_FINAL, fields, ARRAY_LENGTH(fields));
    scene->facts = (writeout_facts_t){
        .info = &info,
        .headers = &scene->headers,
        .url = "HTTP://Host/./x",
        .status = 0,
        .version = "hcurl/0",
        .written = 900,
    };
    return err;
}

static void close_scene(scene_t *scene)
{
    outlet_free(scene->out);
    headers_deinit(&scene->headers);
    if (scene->loop)
        hloop_free(&scene->loop);
    close(scene->fd);
}

static void prints(scene_t *scene, const char *format, const char *expected)
{
    char text[8192];
    ssize_t n;

    assert_int_equal(ftruncate(scene->fd, 0), 0);
    assert_int_equal(lseek(scene->fd, 0, SEEK_SET), 0);
    assert_int_equal(writeout(format, &scene->facts, scene->out), 0);
    n = pread(scene->fd, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void variables_become_what_they_stand_for(void **state)
{
    static const struct {
        const char *format, *expected;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"%%|%|%x|%", "%|%|%x|%"},
        {"\\n\\t\\r\\x\\", "\n\t\r\\x\\"},
        {"%{http_code} %{http_connect} %{http_version}", "200 007 1.1"},
        {"%{http_code", "%{http_code"},
        {"%{time_total} %{time_appconnect} %{time_queue}", "2.500000 0.000001 0.000000"},
        {"%{speed_download} %{size_download} %{size_delivered}", "400 1000 900"},
        {"%{remote_ip}:%{remote_port} %{proxy_used}", "::1:8443 1"},
        {"%{content_type}|%{redirect_url}|%{referer}|%{ftp_entry_path}|", "text/plain||||"},
        {"%{url} %{url.scheme} %{url.host} %{url.path} %{url.port}|%{url.query}|",
         "HTTP://Host/./x http Host /x 80||"},
        {"%{urle.host} %{urle.port} %{urle.user} %{urle.password} %{urle.query} %{urle.fragment}",
         "[::1] 8443 u p q f"},
        {"%header{server}|%header{X-a}|%header{none}|", "lab|1||"},
        {"%header{x-a:all:\\}}|%header{x-a:all:}|%header{x-a:all}", "1}2|12|"},
        {"%header{x", "%header{x"},
        {"%time{}%time{a%%b}%time{%Y", "a%b%time{%Y"},
        {"%output{", "%output{"},
        {"a%output{/none/x}b", "ab"},
        {"a%{onerror}b", "a"},
        {"%{num_headers} %{errormsg}|%{filename_effective}|", "3 ||"},
        {"%{header_json}", "{\"server\":[\"lab\"],\n\"x-a\":[\"1\",\"2\"]\n}"},
    };
    scene_t scene;

    (void)state;
    assert_int_equal(open_scene(&scene), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        prints(&scene, cases[i].format, cases[i].expected);
    close_scene(&scene);
}

static void an_error_is_told(void **state)
{
    scene_t scene;

    (void)state;
    assert_int_equal(open_scene(&scene), 0);
    scene.facts.status = 7;
    scene.facts.error = "no way";
    prints(&scene, "%{exitcode}%{onerror} %{errormsg}", "7 no way");
    scene.facts.info = NULL;
    scene.facts.headers = NULL;
    prints(&scene, "%{http_code}%{local_ip}%header{a}%{header_json}%{url_effective}",
           "000{\n}HTTP://Host/./x");
    prints(&scene, "%{conn_id} %{xfer_id} %{method} %{http_version}", "-1 -1 GET 0");
    close_scene(&scene);
}

static void what_cannot_be_written_is_an_error(void **state)
{
    scene_t scene;
    outlet_t *full;
    int fd = open("/dev/full", O_WRONLY);

    (void)state;
    assert_int_equal(open_scene(&scene), 0);
    assert_int_equal(outlet_new(scene.loop, fd, &full), 0);
    assert_int_equal(writeout("x", &scene.facts, full), -ENOSPC);
    outlet_free(full);
    close(fd);
    close_scene(&scene);
}

static int scenario(void *arg)
{
    scene_t scene;
    int err = open_scene(&scene);

    (void)arg;
    if (err == 0)
        err = writeout("%{json}%{header_json}%header{x-a:all:,}%time{%s}%{urle.host}", &scene.facts,
                       scene.out);
    close_scene(&scene);
    return err;
}

static void memory_may_end(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_become_what_they_stand_for),
        cmocka_unit_test(an_error_is_told),
        cmocka_unit_test(what_cannot_be_written_is_an_error),
        cmocka_unit_test(memory_may_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
