/* A folder of files, a server of it, and its client. Include it after cmocka.h; a test that begins
 * with files_setup calls begin, and ends with finish. */
#ifndef HNET_TESTS_HTTP_FILES_FIXTURE_H
#define HNET_TESTS_HTTP_FILES_FIXTURE_H

#include "http_fixture.h"

#include "proto/http_files.h"

#include <ftw.h>
#include <sys/stat.h>

#define PAST 1000000000 /* Sun, 09 Sep 2001 01:46:40 GMT */
#define LARGE ((size_t)300000)

static web_t web;
static http_files_t *files;
static char root[64];

static inline const char *path_of(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static inline void write_at(const char *name, const char *data, size_t len, time_t mtime)
{
    struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    if (mtime)
        assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static inline void put(const char *name, const char *text)
{
    write_at(name, text, strlen(text), PAST);
}

static inline void folder(const char *name)
{
    assert_int_equal(mkdir(path_of(name), 0755), 0);
}

static inline int files_setup(void **state)
{
    char *large = new_pattern(LARGE);

    loop_test_setup(state);
    snprintf(root, sizeof(root), "/tmp/http-files-XXXXXX");
    assert_non_null(mkdtemp(root));
    folder("sub");
    folder("empty");
    put("index.html", "<p>home");
    put("a.txt", "0123456789");
    put("sub/b b.json", "{}");
    put(".hidden", "secret");
    write_at("large.bin", large, LARGE, PAST);
    free(large);
    files = NULL;
    return 0;
}

static inline void serve(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    http_files_handle(stream, files);
}

static inline void begin(http_files_options_t options)
{
    options.root = root;
    assert_int_equal(http_files_new(NULL, &options, &files), 0);
    web_open(&web, (http_server_options_t){.handler = serve});
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void finish(void)
{
    web_close(&web);
    http_files_free(files);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* fields: lines with their ends. */
static inline void request(const char *method, const char *target, const char *fields)
{
    char text[9000];

    snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", method,
             target, fields ? fields : "");
    web_ask(&web, text);
}

static inline int status(void)
{
    int value = 0;

    sscanf(web.heard, "HTTP/1.1 %d ", &value);
    return value;
}

static inline const char *body(void)
{
    const char *end = strstr(web.heard, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static inline size_t body_len(void)
{
    return web.heard_len - (size_t)(body() - web.heard);
}

/* The value of a field of the response; NULL: there is none. */
static inline const char *field(const char *name)
{
    static char values[4][512];
    static unsigned next;
    char *value = values[next++ % 4], start[64];
    const char *at;

    snprintf(start, sizeof(start), "\r\n%s: ", name);
    at = strstr(web.heard, start);
    if (!at || at > body())
        return NULL;
    at += strlen(start);
    snprintf(value, sizeof(values[0]), "%.*s", (int)(strstr(at, "\r\n") - at), at);
    return value;
}

static inline void get(const char *target, int expected)
{
    request("GET", target, NULL);
    if (status() != expected)
        print_error("GET %s: %.60s\n", target, web.heard);
    assert_int_equal(status(), expected);
}

static inline void get_with(const char *target, const char *fields, int expected)
{
    request("GET", target, fields);
    if (status() != expected)
        print_error("GET %s %s: %.60s\n", target, fields, web.heard);
    assert_int_equal(status(), expected);
}

static inline void get_text(const char *target, const char *text)
{
    get(target, 200);
    assert_int_equal(body_len(), strlen(text));
    assert_memory_equal(body(), text, strlen(text));
}

static inline void make_links(void)
{
    char absolute[128];

    snprintf(absolute, sizeof(absolute), "%s/a.txt", root);
    assert_int_equal(symlink("a.txt", path_of("inside")), 0);
    assert_int_equal(symlink("../a.txt", path_of("sub/up")), 0);
    assert_int_equal(symlink(absolute, path_of("absolute")), 0);
    assert_int_equal(symlink("/etc/hostname", path_of("out")), 0);
    assert_int_equal(symlink("../../../../../../etc/hostname", path_of("climb")), 0);
    assert_int_equal(symlink("/etc", path_of("etc")), 0);
    assert_int_equal(symlink("loop", path_of("loop")), 0);
    assert_int_equal(symlink("sub", path_of("folder")), 0);
    assert_int_equal(symlink("/proc/self/root/etc", path_of("magic")), 0);
}

#define FILES_TEST(f) cmocka_unit_test_setup(f, files_setup)

#endif
