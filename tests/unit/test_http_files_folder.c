/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_files_fixture.h"

#include "proto/http_coding.h"
#include "proto/http_listing.h"

/* ---- codings --------------------------------------------------------------------------------- */

static void precompressed_siblings_are_chosen(void **state)
{
    char tag[128], line[256];

    (void)state;
    put("s.css", "body{}");
    put("s.css.gz", "gzip");
    put("s.css.br", "brotli");
    write_at("a.txt.gz", "old", 3, PAST - 10);
    begin((http_files_options_t){.precompressed = true});
    get("/s.css", 200);
    assert_string_equal(body(), "body{}");
    assert_string_equal(field("Vary"), "Accept-Encoding");
    assert_null(field("Content-Encoding"));
    snprintf(tag, sizeof(tag), "%s", field("ETag"));
    get_with("/s.css", "Accept-Encoding: gzip, br\r\n", 200);
    assert_string_equal(body(), "brotli");
    assert_string_equal(field("Content-Encoding"), "br");
    assert_string_equal(field("Content-Type"), "text/css; charset=utf-8");
    assert_string_equal(field("Vary"), "Accept-Encoding");
    assert_string_not_equal(field("ETag"), tag);
    snprintf(line, sizeof(line), "Accept-Encoding: br\r\nIf-None-Match: %s\r\n", field("ETag"));
    get_with("/s.css", line, 304);
    assert_string_equal(field("Vary"), "Accept-Encoding");
    get_with("/s.css", "Accept-Encoding: gzip, br;q=0.5\r\n", 200);
    assert_string_equal(body(), "gzip");
    get_with("/s.css", "Accept-Encoding: zstd\r\n", 200);
    assert_string_equal(body(), "body{}");
    get_with("/s.css", "Accept-Encoding: br\r\nRange: bytes=1-2\r\n", 206);
    assert_string_equal(body(), "ro");
    assert_string_equal(field("Content-Encoding"), "br");
    get_with("/a.txt", "Accept-Encoding: gzip\r\n", 200); /* the sibling is older */
    assert_null(field("Content-Encoding"));
    finish();
}

/* The body, which is coded as a whole. */
static void expect_decoded(const char *coding, char of, size_t len)
{
    char *plain = malloc(len + 1);
    http_coding_t *decoder = NULL;
    http_span_t in = {body(), body_len()};
    hbuf_t out = {plain, len + 1};

    assert_string_equal(field("Content-Encoding"), coding);
    assert_int_equal(http_decoder_new(http_span(coding), &decoder), 0);
    assert_int_equal(http_coding_step(decoder, &in, &out, HTTP_CODING_FINISH), HTTP_CODING_END);
    assert_int_equal(out.len, 1);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(plain[i], of);
    http_coding_free(decoder);
    free(plain);
}

static void what_is_coded_is_kept_until_it_changes(void **state)
{
    static const char *const codings[] = {"gzip", "br", "zstd"};
    char text[5001], line[64];

    (void)state;
    memset(text, 'x', 5000);
    text[5000] = '\0';
    put("x.txt", text);
    begin((http_files_options_t){.compress = true, .recheck_ms = 1});
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(codings); i++) {
        const char *coding = codings[i % ARRAY_LENGTH(codings)];

        snprintf(line, sizeof(line), "Accept-Encoding: %s\r\n", coding);
        get_with("/x.txt", line, 200);
        expect_decoded(coding, 'x', 5000);
    }
    memset(text, 'y', 5000);
    write_at("x.txt", text, 5000, PAST + 1);
    do
        get("/x.txt", 200);
    while (body()[0] == 'x');
    get_with("/x.txt", "Accept-Encoding: gzip\r\n", 200);
    expect_decoded("gzip", 'y', 5000);
    for (size_t i = 0; i < 5000; i++)
        text[i] = (char)(rand() >> 7); /* gets no shorter */
    write_at("x.txt", text, 5000, PAST + 2);
    do
        get_with("/x.txt", "Accept-Encoding: gzip\r\n", 200);
    while (field("Content-Encoding"));
    assert_int_equal(body_len(), 5000);
    assert_string_equal(field("Vary"), "Accept-Encoding");
    finish();
}

static void text_is_compressed_on_the_fly(void **state)
{
    char *text = malloc(100001), line[256];

    (void)state;
    memset(text, 'x', 100000);
    text[100000] = '\0';
    put("big.txt", text);
    text[5000] = '\0';
    put("small.txt", text);
    put("text.bin", text);
    free(text);
    begin((http_files_options_t){.compress = true});
    for (int i = 0; i < 2; i++) {
        const char *target = i ? "/big.txt" : "/small.txt";

        get_with(target, "Accept-Encoding: gzip\r\n", 200);
        assert_string_equal(field("Content-Encoding"), "gzip");
        assert_string_equal(field("Vary"), "Accept-Encoding");
        assert_memory_equal(field("ETag"), "W/\"", 3);
        assert_null(field("Accept-Ranges"));
        assert_int_equal(field("Content-Length") != NULL, i == 0); /* it is coded as a whole */
        assert_true(body_len() < 1000);
        snprintf(line, sizeof(line), "Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n",
                 field("ETag"));
        get_with(target, line, 304);
        get(target, 200);
        assert_null(field("Content-Encoding"));
        assert_string_equal(field("Vary"), "Accept-Encoding");
        assert_int_equal(body_len(), i ? 100000 : 5000);
        get_with(target, "Accept-Encoding: gzip\r\nRange: bytes=0-1\r\n", 206);
        assert_null(field("Content-Encoding"));
        request("HEAD", target, "Accept-Encoding: gzip\r\n");
        assert_string_equal(field("Content-Encoding"), "gzip");
        assert_int_equal(body_len(), 0);
    }
    get_with("/text.bin", "Accept-Encoding: gzip\r\n", 200);
    assert_null(field("Content-Encoding"));
    get_with("/a.txt", "Accept-Encoding: gzip\r\n", 200); /* too short */
    assert_null(field("Content-Encoding"));
    finish();
}

/* ---- folders --------------------------------------------------------------------------------- */

static void folders_have_their_index(void **state)
{
    static const char *const index[] = {"none.html", "a.txt", NULL}, *const none[] = {NULL};

    (void)state;
    begin((http_files_options_t){0});
    get_text("/", "<p>home");
    get("/sub", 301);
    assert_string_equal(field("Location"), "/sub/");
    get("/sub?a=b&c", 301);
    assert_string_equal(field("Location"), "/sub/?a=b&c");
    get("//sub", 301);
    assert_string_equal(field("Location"), "/sub/");
    get("/sub/", 403);
    web_close(&web);
    http_files_free(files);
    begin((http_files_options_t){.index = index});
    get_text("/", "0123456789");
    web_close(&web);
    http_files_free(files);
    begin((http_files_options_t){.index = none});
    get("/", 403);
    finish();
}

static void a_single_page_application_answers_for_what_is_not_there(void **state)
{
    (void)state;
    begin((http_files_options_t){.spa = "index.html"});
    get_with("/some/where", "Accept: text/html,*/*;q=0.8\r\n", 200);
    assert_string_equal(body(), "<p>home");
    get_with("/some/where.x", "Accept: text/html\r\n", 200);
    get("/some/where", 200);
    get("/some/where.js", 404);
    get_with("/some/where", "Accept: image/png\r\n", 404);
    get_text("/a.txt", "0123456789");
    get("/empty/", 200);
    finish();
}

static void folders_are_listed(void **state)
{
    (void)state;
    make_links();
    begin((http_files_options_t){.listing = true, .archives = true, .server = "test 1"});
    get("/sub/", 200);
    assert_string_equal(field("Content-Type"), "text/html; charset=utf-8");
    assert_non_null(field("Content-Security-Policy"));
    assert_non_null(strstr(body(), "b%20b.json"));
    assert_non_null(strstr(body(), "test 1"));
    get_with("/sub/", "Accept: application/json\r\n", 200);
    assert_non_null(strstr(body(), "\"b b.json\""));
    assert_non_null(strstr(body(), "\"up\""));
    get("/empty/", 200);
    get("/none/", 404);
    unlink(path_of("index.html"));
    web_close(&web);
    http_files_free(files);
    begin((http_files_options_t){.listing = true});
    get_with("/", "Accept: application/json\r\n", 200);
    assert_null(strstr(body(), ".hidden"));
    assert_null(strstr(body(), "\"out\""));
    assert_non_null(strstr(body(), "\"absolute\""));
    request("HEAD", "/", NULL);
    assert_int_equal(status(), 200);
    assert_int_equal(body_len(), 0);
    finish();
}

static void a_long_listing_comes_in_parts(void **state)
{
    char name[64];

    (void)state;
    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof(name), "empty/a-rather-long-name-of-a-file-%d.txt", i);
        put(name, "");
    }
    begin((http_files_options_t){.listing = true, .compress = true});
    get("/empty/", 200);
    assert_true(body_len() > HTTP_LISTING_PART);
    assert_non_null(strstr(body(), "file-1499.txt"));
    assert_non_null(strstr(body(), "</html>"));
    get_with("/empty/", "Accept-Encoding: gzip\r\n", 200);
    assert_string_equal(field("Content-Encoding"), "gzip");
    request("HEAD", "/empty/", NULL);
    assert_int_equal(status(), 200);
    finish();
}

static void a_page_gets_a_script_for_live_reload(void **state)
{
    (void)state;
    begin((http_files_options_t){.events_url = "/events", .listing = true});
    get("/", 200);
    assert_memory_equal(body(), "<p>home<script", 14);
    assert_non_null(strstr(body(), "/events"));
    assert_int_equal(strtol(field("Content-Length"), NULL, 10), body_len());
    get_with("/", "Range: bytes=0-2\r\n", 206);
    assert_string_equal(body(), "<p>");
    get_text("/a.txt", "0123456789");
    get("/sub/", 200);
    assert_non_null(strstr(body(), "/events"));
    finish();
}

static void a_folder_is_sent_as_an_archive(void **state)
{
    static char dechunked[1 << 20];
    size_t len = 0;
    const char *at;

    (void)state;
    make_links();
    begin((http_files_options_t){.archives = true});
    get("/?archive=tar", 200);
    assert_string_equal(field("Content-Type"), "application/x-tar");
    assert_non_null(strstr(field("Content-Disposition"), "files.tar"));
    for (at = body();;) {
        char *end;
        size_t size = strtoul(at, &end, 16);

        memcpy(dechunked + len, end + 2, size);
        len += size;
        at = end + 2 + size + 2;
        if (size == 0)
            break;
    }
    assert_int_equal(len % 512, 0);
    assert_true(len > LARGE + 512 * 8 && len < LARGE + 512 * 40);
    assert_non_null(memmem(dechunked, len, "sub/b b.json", 12));
    assert_non_null(memmem(dechunked, len, "0123456789", 10));
    assert_null(memmem(dechunked, len, "secret", 6));
    assert_null(memmem(dechunked, len, "inside", 6));
    get("/sub/?archive=tar", 200);
    assert_non_null(strstr(field("Content-Disposition"), "sub.tar"));
    request("HEAD", "/?archive=tar", NULL);
    assert_int_equal(status(), 200);
    get("/?archive=zip", 200);
    assert_string_equal(body(), "<p>home");
    finish();
}

/* ---- other ways in --------------------------------------------------------------------------- */

static void serve_other(http_stream_t *stream, void *userdata)
{
    const http_request_t *r = http_stream_request(stream);

    (void)userdata;
    http_response_set(stream, HTTP_SPAN("Cache-Control"), HTTP_SPAN("private"));
    if (http_files_send(files, stream, HTTP_SPAN("/none"), 404) == -ENOENT &&
        http_files_send(files, stream, HTTP_SPAN("/sub"), 404) == -EISDIR && r->path.len == 1)
        http_files_send(files, stream, HTTP_SPAN("/a.txt"), 404);
    else
        http_files_serve(files, stream, HTTP_SPAN("/sub"));
}

static void a_file_is_sent_for_another_path(void **state)
{
    (void)state;
    begin((http_files_options_t){.cache_control = "public"});
    web_close(&web);
    web_open(&web, (http_server_options_t){.handler = serve_other});
    get_with("/", "Range: bytes=0-1\r\nIf-None-Match: *\r\n", 404);
    assert_string_equal(body(), "0123456789");
    assert_string_equal(field("Cache-Control"), "private"); /* what was set before stays */
    assert_int_equal(web_count(&web, "Cache-Control"), 1);
    get("/x", 301);
    assert_string_equal(field("Location"), "/x/");
    finish();
}

static void a_folder_is_opened_for_uploads(void **state)
{
    int fd;

    (void)state;
    make_links();
    begin((http_files_options_t){0});
    fd = http_files_open_folder(files, HTTP_SPAN("/sub/"));
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(http_files_open_folder(files, HTTP_SPAN("/none")), -ENOENT);
    assert_int_equal(http_files_open_folder(files, HTTP_SPAN("/a.txt")), -ENOTDIR);
    assert_true(http_files_open_folder(files, HTTP_SPAN("/etc")) < 0);
    assert_true(http_files_open_folder(files, HTTP_SPAN("/.x")) < 0);
    finish();
}

static void a_listing_offers_things_where_it_may(void **state)
{
    static const struct {
        const char *at;
        bool top, empty;
    } cases[] = {
        {NULL, true, true},       {"/", true, true},      {"/empty", false, true},
        {"/empty/", false, true}, {"/emp", false, false}, {"/empty/x", false, false},
    };

    (void)state;
    assert_int_equal(unlink(path_of("index.html")), 0);
    begin((http_files_options_t){.listing = true});
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        http_files_options_t options = {.root = root,
                                        .listing = true,
                                        .listing_flags = HTTP_LISTING_UPLOAD,
                                        .flags_at = cases[i].at};

        http_files_free(files);
        assert_int_equal(http_files_new(NULL, &options, &files), 0);
        get("/", 200);
        assert_int_equal(strstr(body(), "?upload") != NULL, cases[i].top);
        get("/empty/", 200);
        assert_int_equal(strstr(body(), "?upload") != NULL, cases[i].empty);
    }
    finish();
}

static void a_file_that_was_changed_is_forgotten(void **state)
{
    (void)state;
    begin((http_files_options_t){.recheck_ms = 3600000});
    get_text("/a.txt", "0123456789");
    put("a.txt", "new");
    get_text("/a.txt", "0123456789");
    http_files_forget(files, HTTP_SPAN("/b.txt"));
    http_files_forget(files, HTTP_SPAN("/a.txt"));
    get_text("/a.txt", "new");
    finish();
}

/* Says what the conditions of the request come to. */
static void tell_precondition(http_stream_t *stream, void *userdata)
{
    int result = http_files_precondition(files, stream, http_stream_request(stream)->path);

    (void)userdata;
    http_response_status(stream, result ? result : 200);
    http_response_send(stream, NULL, 0);
}

static void a_change_has_its_conditions(void **state)
{
    char tag[512], fields[600];

    (void)state;
    begin((http_files_options_t){.recheck_ms = 3600000});
    get("/a.txt", 200);
    snprintf(tag, sizeof(tag), "%s", field("ETag"));
    web_close(&web);
    web_open(&web, (http_server_options_t){.handler = tell_precondition});
    get_with("/a.txt", "", 200);
    get_with("/a.txt", "If-Match: *\r\n", 200);
    get_with("/none", "If-Match: *\r\n", 412);
    get_with("/a.txt", "If-None-Match: *\r\n", 412);
    get_with("/none", "If-None-Match: *\r\n", 200);
    get_with("/a.txt", "If-Match: \"other\"\r\n", 412);
    snprintf(fields, sizeof(fields), "If-Match: %s\r\n", tag);
    get_with("/a.txt", fields, 200);
    write_at("a.txt", "new", 3, PAST + 1); /* whatever is remembered of it */
    get_with("/a.txt", fields, 412);
    get_with("/a.txt", "If-Unmodified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 412);
    get_with("/a.txt", "If-Unmodified-Since: Sun, 09 Sep 2001 01:46:41 GMT\r\n", 200);
    finish();
}

static void a_root_that_is_none_is_refused(void **state)
{
    http_files_t *none = NULL;

    (void)state;
    begin((http_files_options_t){0});
    assert_int_equal(http_files_new(NULL, &(http_files_options_t){0}, &none), -EINVAL);
    assert_int_equal(http_files_new(NULL, &(http_files_options_t){.root = "/none"}, &none),
                     -ENOENT);
    assert_int_equal(http_files_new(NULL, &(http_files_options_t){.root = path_of("a.txt")}, &none),
                     -ENOTDIR);
    assert_null(none);
    http_files_free(NULL);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(precompressed_siblings_are_chosen),
        FILES_TEST(what_is_coded_is_kept_until_it_changes),
        FILES_TEST(text_is_compressed_on_the_fly),
        FILES_TEST(folders_have_their_index),
        FILES_TEST(a_single_page_application_answers_for_what_is_not_there),
        FILES_TEST(folders_are_listed),
        FILES_TEST(a_long_listing_comes_in_parts),
        FILES_TEST(a_page_gets_a_script_for_live_reload),
        FILES_TEST(a_folder_is_sent_as_an_archive),
        FILES_TEST(a_file_is_sent_for_another_path),
        FILES_TEST(a_folder_is_opened_for_uploads),
        FILES_TEST(a_listing_offers_things_where_it_may),
        FILES_TEST(a_file_that_was_changed_is_forgotten),
        FILES_TEST(a_change_has_its_conditions),
        FILES_TEST(a_root_that_is_none_is_refused),
    };

    return run_on_each_poller("http_files_folder", tests, ARRAY_LENGTH(tests));
}
