/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/herr.h"
#include "oom.h"
#include "proto/http_mime_int.h"

static char path[] = "/tmp/test_http_mime.XXXXXX";

static void write_table(const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* On a copy that is no byte longer. */
static const char *find(http_mime_t *mime, const char *name)
{
    size_t len = strlen(name);
    char *copy = malloc(len ? len : 1);
    const char *type;

    assert_non_null(copy);
    memcpy(copy, name, len);
    type = http_mime_find(mime, (http_span_t){copy, len});
    free(copy);
    return type;
}

static void test_common_files_are_known(void **state)
{
    static const char *const rows[][2] = {
        {"index.html", "text/html; charset=utf-8"},
        {"/a/b.c/STYLE.CSS", "text/css; charset=utf-8"},
        {"app.min.js", "text/javascript; charset=utf-8"},
        {"app.mjs", "text/javascript; charset=utf-8"},
        {"a.json", "application/json; charset=utf-8"},
        {"x.geojson", "application/geo+json; charset=utf-8"},
        {"site.webmanifest", "application/manifest+json; charset=utf-8"},
        {"README.md", "text/markdown; charset=utf-8"},
        {"feed.xml", "application/xml"},
        {"a.svg", "image/svg+xml"},
        {"a.avif", "image/avif"},
        {"a.png", "image/png"},
        {"a.wasm", "application/wasm"},
        {"a.woff2", "font/woff2"},
        {"a.mp4", "video/mp4"},
        {"a.tar.gz", "application/gzip"},
        {"a.7z", "application/x-7z-compressed"},
        {"a.zst", "application/zstd"},
        {"a.unknown", HTTP_MIME_UNKNOWN},
        {"html", HTTP_MIME_UNKNOWN},
        {".html", HTTP_MIME_UNKNOWN},
        {"a/.html", HTTP_MIME_UNKNOWN},
        {"a.html/b", HTTP_MIME_UNKNOWN},
        {"a.", HTTP_MIME_UNKNOWN},
        {".", HTTP_MIME_UNKNOWN},
        {"", HTTP_MIME_UNKNOWN},
        {"a.htm l", HTTP_MIME_UNKNOWN},
        {"a.an_extension_that_nobody_would_ever_write", HTTP_MIME_UNKNOWN},
    };
    http_mime_t *mime = http_mime_new(NULL);

    (void)state;
    assert_int_equal(http_mime_load(mime), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(find(mime, rows[i][0]), rows[i][1]);
    http_mime_free(mime);
}

/* A row that is out of order would not be found. */
static void test_each_row_of_the_table_is_found(void **state)
{
    http_mime_t *mime = http_mime_new(NULL);

    (void)state;
    assert_true(http_mime__type_count > 100);
    for (size_t i = 0; i < http_mime__type_count; i++) {
        const http_mime_row_t *row = &http_mime__types[i];
        char name[HTTP_MIME_EXTENSION_MAX + 8];

        snprintf(name, sizeof(name), "a.%s", row->extension);
        assert_ptr_equal(find(mime, name), row->type);
        /* It has its charset as if it had been added. */
        assert_int_equal(http_mime_add(mime, row->extension, row->type), 0);
        assert_string_equal(find(mime, name), row->type);
    }
    http_mime_free(mime);
}

static void test_the_systems_table_comes_first(void **state)
{
    static const char text[] = "# a comment\n"
                               "\n"
                               "text/x-own\t\tOWN own2\n"
                               "application/x-html  html # not.this\n"
                               "no_type bad1\n"
                               "text/ bad2\n"
                               "/x bad3\n"
                               "te xt/x bad4\r\n"
                               "image/x-cr cr\r\n"
                               "image/x-last twice\n"
                               "image/x-later twice a.b c/d \x01x\n"
                               "application/vnd.x+json j";
    http_mime_t *mime = http_mime_new(path);

    (void)state;
    write_table(text, sizeof(text) - 1);
    assert_string_equal(find(mime, "a.own"), "text/x-own; charset=utf-8");
    assert_string_equal(find(mime, "a.Own2"), "text/x-own; charset=utf-8");
    assert_string_equal(find(mime, "a.html"), "application/x-html");
    assert_string_equal(find(mime, "a.css"), "text/css; charset=utf-8");
    assert_string_equal(find(mime, "a.cr"), "image/x-cr");
    assert_string_equal(find(mime, "a.twice"), "image/x-later");
    assert_string_equal(find(mime, "a.j"), "application/vnd.x+json; charset=utf-8");
    for (int i = 1; i <= 4; i++) {
        char name[24];

        snprintf(name, sizeof(name), "a.bad%d", i);
        assert_string_equal(find(mime, name), HTTP_MIME_UNKNOWN);
    }
    assert_string_equal(find(mime, "a.b"), HTTP_MIME_UNKNOWN);
    assert_string_equal(find(mime, "a.#"), HTTP_MIME_UNKNOWN);
    assert_string_equal(find(mime, "a.this"), HTTP_MIME_UNKNOWN);
    http_mime_free(mime);
}

static void test_what_was_added_stays(void **state)
{
    static const char text[] = "image/x-table own html\n";
    http_mime_t *mime = http_mime_new(path);

    (void)state;
    write_table(text, sizeof(text) - 1);
    assert_int_equal(http_mime_add(mime, "Own", "text/x-added"), 0);
    assert_string_equal(find(mime, "a.own"), "text/x-added; charset=utf-8");
    assert_string_equal(find(mime, "a.html"), "image/x-table");
    assert_int_equal(http_mime_add(mime, "own", "text/x-again; charset=latin1"), 0);
    assert_int_equal(http_mime_add(mime, "html", "text/html;charset=latin1"), 0);
    assert_string_equal(find(mime, "a.own"), "text/x-again; charset=latin1");
    assert_string_equal(find(mime, "a.html"), "text/html;charset=latin1");

    assert_int_equal(http_mime_add(mime, "", "text/x"), HERR_SYNTAX);
    assert_int_equal(http_mime_add(mime, ".x", "text/x"), HERR_SYNTAX);
    assert_int_equal(http_mime_add(mime, "x", "text"), HERR_SYNTAX);
    assert_int_equal(http_mime_add(mime, "x", "text/x\r\nSet-Cookie: a=b"), HERR_SYNTAX);
    assert_int_equal(http_mime_add(mime, "x", "text/x;a\r\nSet-Cookie: a=b"), HERR_SYNTAX);
    assert_int_equal(http_mime_add(mime, "an_extension_that_is_much_too_long", "a/b"), HERR_RANGE);
    http_mime_free(mime);
}

static void test_a_table_that_cannot_be_read_does_no_harm(void **state)
{
    static char large[HTTP_MIME_FILE_MAX + 1];
    http_mime_t *mime = http_mime_new("/nonexistent");

    (void)state;
    assert_int_equal(http_mime_load(mime), -ENOENT);
    assert_string_equal(find(mime, "a.html"), "text/html; charset=utf-8");
    http_mime_free(mime);

    mime = http_mime_new("/dev/null");
    assert_int_equal(http_mime_load(mime), -EINVAL);
    http_mime_free(mime);

    memset(large, '\n', sizeof(large));
    write_table(large, sizeof(large));
    mime = http_mime_new(path);
    assert_int_equal(http_mime_load(mime), -EFBIG);
    assert_string_equal(find(mime, "a.html"), "text/html; charset=utf-8");
    http_mime_free(mime);
    http_mime_free(NULL);
}

/* As many as fit; the rest is left out, and what is there is found. */
static void test_many_types(void **state)
{
    const size_t size = 900000;
    char *text = malloc(size), name[32];
    size_t len = 0;
    http_mime_t *mime = http_mime_new(path);
    int err;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < 40000; i++)
        len += (size_t)snprintf(text + len, size - len, "image/x%d e%d\n", i, i);
    assert_true(len < size);
    write_table(text, len);
    err = http_mime_load(mime);
    assert_int_equal(err, HERR_RANGE);
    for (int i = 0; i < HTTP_MIME_ENTRIES_MAX; i += 97) {
        snprintf(name, sizeof(name), "a.e%d", i);
        snprintf(text, size, "image/x%d", i);
        assert_string_equal(find(mime, name), text);
    }
    assert_string_equal(find(mime, "a.e39999"), HTTP_MIME_UNKNOWN);
    assert_int_equal(http_mime_add(mime, "more", "a/b"), HERR_RANGE);
    http_mime_free(mime);
    free(text);
}

/* One who adds again and again runs into a bound. */
static void test_adding_ends_somewhere(void **state)
{
    http_mime_t *mime = http_mime_new(NULL);
    int err = 0;

    (void)state;
    for (int i = 0; i < 1000000 && err == 0; i++)
        err = http_mime_add(mime, "x", "text/x-something");
    assert_int_equal(err, HERR_RANGE);
    assert_string_equal(find(mime, "a.x"), "text/x-something; charset=utf-8");
    http_mime_free(mime);
}

static void test_what_is_worth_compressing(void **state)
{
    static const char *const yes[] = {
        "text/html; charset=utf-8", "TEXT/plain",    "application/json",
        "application/ld+json; a=b", "image/svg+xml", "application/xml ; charset=x",
        "application/wasm",         "font/ttf"};
    static const char *const no[] = {
        "image/png",  "video/mp4",
        "font/woff2", "application/zip",
        "",           "application/vnd.openxmlformats-officedocument.wordprocessingml.document"};

    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(http_mime_is_compressible(http_span(yes[i])));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(http_mime_is_compressible(http_span(no[i])));
}

static int scenario(void *arg)
{
    http_mime_t *mime = http_mime_new(path);
    int err = mime ? http_mime_add(mime, "x", "text/x") : -ENOMEM;

    (void)arg;
    if (err == 0)
        err = http_mime_load(mime);
    if (err == 0 && strcmp(http_mime_find(mime, HTTP_SPAN("a.own")), "image/x-table") != 0)
        err = -EINVAL;
    /* Whatever failed, an answer is there. */
    if (mime && strcmp(http_mime_find(mime, HTTP_SPAN("a.png")), "image/png") != 0)
        err = -EINVAL;
    http_mime_free(mime);
    return err;
}

static void test_out_of_memory(void **state)
{
    static char text[10000];
    size_t len = 0;

    (void)state;
    for (int i = 0; i < 300; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "image/x-table own e%d\n", i);
    write_table(text, len);
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_common_files_are_known),
        cmocka_unit_test(test_each_row_of_the_table_is_found),
        cmocka_unit_test(test_the_systems_table_comes_first),
        cmocka_unit_test(test_what_was_added_stays),
        cmocka_unit_test(test_a_table_that_cannot_be_read_does_no_harm),
        cmocka_unit_test(test_many_types),
        cmocka_unit_test(test_adding_ends_somewhere),
        cmocka_unit_test(test_what_is_worth_compressing),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
