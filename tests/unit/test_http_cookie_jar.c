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
#include "proto/http_cookie_jar.h"

#define NOW 1700000000

static http_cookie_jar_t *jar;

static int setup(void **state)
{
    (void)state;
    return http_cookie_jar_new(&jar);
}

static int teardown(void **state)
{
    (void)state;
    http_cookie_jar_free(jar);
    return 0;
}

static http_cookie_site_t site(const char *host, bool secure, const char *path)
{
    bool address = host[0] == ':' || (host[0] >= '0' && host[0] <= '9');

    return (http_cookie_site_t){host, address, secure, http_span(path)};
}

static int set(const char *host, const char *path, const char *value)
{
    http_cookie_site_t from = site(host, false, path);

    return http_cookie_jar_set(jar, http_span(value), &from, NOW);
}

static int set_secure(const char *host, const char *path, const char *value)
{
    http_cookie_site_t from = site(host, true, path);

    return http_cookie_jar_set(jar, http_span(value), &from, NOW);
}

static void sends_at(const http_cookie_site_t *to, int64_t now_s, const char *expected)
{
    hbytes_t value = {0};

    assert_int_equal(http_cookie_jar_get(jar, to, now_s, &value), 0);
    assert_string_equal(value.data ? value.data : "", expected);
    hbytes_deinit(&value);
}

static void sends(const char *host, const char *path, const char *expected)
{
    http_cookie_site_t to = site(host, false, path);

    sends_at(&to, NOW, expected);
}

static void sends_secure(const char *host, const char *path, const char *expected)
{
    http_cookie_site_t to = site(host, true, path);

    sends_at(&to, NOW, expected);
}

static ssize_t read_text(const char *text, unsigned flags)
{
    return http_cookie_jar_read(jar, http_span(text), flags, NOW);
}

/* What the file has behind its comments. */
static void keeps(const char *expected)
{
    hbytes_t text = {0};
    const char *lines;

    assert_int_equal(http_cookie_jar_write(jar, NOW, &text), 0);
    assert_int_equal(strncmp(text.data, "# Netscape HTTP Cookie File\n", 28), 0);
    lines = strstr(text.data, "\n\n");
    assert_non_null(lines);
    assert_string_equal(lines + 2, expected);
    hbytes_deinit(&text);
}

/* ---- responses and requests ------------------------------------------------------------------ */

static void a_cookie_goes_back_to_its_site(void **state)
{
    (void)state;
    assert_int_equal(set("www.ex.org", "/a/b", "n=v"), 0);
    sends("www.ex.org", "/a/c", "n=v");
    sends("www.ex.org", "/a", "n=v");
    sends("www.ex.org", "/ab", "");
    sends("www.ex.org", "/", "");
    sends("ex.org", "/a", "");
    sends("x.www.ex.org", "/a", "");
    assert_int_equal(set("www.ex.org", "/", "d=1; domain=.ex.org"), 0);
    sends("ex.org", "/", "d=1");
    sends("x.y.ex.org", "/", "d=1");
    sends("notex.org", "/", "");
    sends("org", "/", "");
}

static void the_order_is_that_of_curl(void **state)
{
    (void)state;
    assert_int_equal(set("a.ex.org", "/", "x=1; path=/"), 0);
    assert_int_equal(set("a.ex.org", "/", "y=2; path=/"), 0);
    assert_int_equal(set("a.ex.org", "/", "longer=3; path=/"), 0);
    assert_int_equal(set("a.ex.org", "/", "p=4; path=/path"), 0);
    assert_int_equal(set("a.ex.org", "/", "longest=5; domain=ex.org; path=/"), 0);
    sends("a.ex.org", "/path", "p=4; longer=3; y=2; x=1; longest=5");
    /* One that is replaced keeps its age. */
    assert_int_equal(set("a.ex.org", "/", "x=6; path=/"), 1);
    sends("a.ex.org", "/path", "p=4; longer=3; y=2; x=6; longest=5");
}

static void others_are_ignored(void **state)
{
    (void)state;
    assert_int_equal(set("a.ex.org", "/", "n=v; domain=b.ex.org"), -EACCES);
    assert_int_equal(set("a.ex.org", "/", "n=v; domain=org"), -EACCES);
    assert_int_equal(set("a.ex.org", "/", "n=v; domain=.org."), -EACCES);
    assert_int_equal(set("a.ex.org", "/", "n=v; secure"), -EACCES);
    assert_int_equal(set("a.ex.org", "/", "novalue"), HERR_SYNTAX);
    assert_int_equal(set("a.ex.org", "/", "=v"), HERR_SYNTAX);
    assert_int_equal(set("a.ex.org", "/", ""), HERR_SYNTAX);
    assert_int_equal(set("a.ex.org", "/", "n=a\tb"), HERR_SYNTAX);
    assert_int_equal(set("a.ex.org", "/", "n\tx=a"), HERR_SYNTAX);
    assert_int_equal(set("a.ex.org", "/", "n=v; path=/a\tb"), HERR_SYNTAX);
    assert_int_equal(set("a.ex.org", "/", "n=\x01"), HERR_SYNTAX);
    assert_int_equal(set("a.ex.org", "/", "n=v\t"), 0);
    assert_int_equal(http_cookie_jar_count(jar), 1);
    assert_int_equal(set("127.0.0.1", "/", "n=v; domain=.0.0.1"), -EACCES);
    assert_int_equal(set_secure("a.ex.org", "/", "__Secure-a=v"), -EACCES);
    assert_int_equal(set_secure("a.ex.org", "/", "__Host-a=v; secure; path=/; domain=ex.org"),
                     -EACCES);
    assert_int_equal(set_secure("a.ex.org", "/", "__Host-a=v; secure; path=/"), 0);
}

static void lengths_have_an_end(void **state)
{
    char text[HTTP_COOKIE_JAR_LINE_MAX + 2];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[10] = '=';
    text[HTTP_COOKIE_PAIR_MAX + 1] = '\0';
    assert_int_equal(set("ex.org", "/", text), 0);
    text[HTTP_COOKIE_PAIR_MAX + 1] = 'x';
    text[HTTP_COOKIE_PAIR_MAX + 2] = '\0';
    assert_int_equal(set("ex.org", "/", text), HERR_FRAME_SIZE);
    memset(text, ' ', sizeof(text));
    memcpy(text, "n=v", 3);
    text[sizeof(text) - 2] = '\0';
    assert_int_equal(set("ex.org", "/", text), 0);
    text[sizeof(text) - 2] = ' ';
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(set("ex.org", "/", text), HERR_FRAME_SIZE);
}

static void this_machine_is_secure(void **state)
{
    (void)state;
    assert_int_equal(set("localhost", "/", "n=v; secure; domain=localhost"), 0);
    assert_int_equal(set("127.0.0.1", "/", "n=v; secure"), 0);
    assert_int_equal(set("::1", "/", "n=v; secure"), 0);
    assert_int_equal(set("127.0.0.2", "/", "n=v; secure"), -EACCES);
    sends("localhost", "/", "n=v");
    sends("a.localhost", "/", "");
    sends_secure("a.localhost", "/", "n=v");
    sends("127.0.0.1", "/", "n=v");
    sends("::1", "/", "n=v");
}

static void what_is_secure_is_not_hidden(void **state)
{
    (void)state;
    assert_int_equal(set_secure("a.ex.org", "/login", "s=1; secure; path=/login"), 0);
    sends("a.ex.org", "/login", "");
    sends_secure("a.ex.org", "/login", "s=1");
    assert_int_equal(set("a.ex.org", "/login", "s=2; path=/login"), -EACCES);
    assert_int_equal(set("a.ex.org", "/login", "s=2; path=/login/en"), -EACCES);
    assert_int_equal(set("a.ex.org", "/login", "s=2; path=/login; domain=ex.org"), -EACCES);
    assert_int_equal(set("b.a.ex.org", "/login", "s=2; path=/login"), -EACCES);
    assert_int_equal(set("a.ex.org", "/login", "s=2; path=/loginhelper"), 0);
    assert_int_equal(set("a.ex.org", "/login", "s=2; path=/"), 0);
    assert_int_equal(set("a.ex.org", "/login", "t=2; path=/login"), 0);
    assert_int_equal(set_secure("a.ex.org", "/login", "s=3; path=/login"), 1);
    sends_secure("a.ex.org", "/login", "t=2; s=3; s=2");
}

static void cookies_end(void **state)
{
    http_cookie_site_t to = site("ex.org", false, "/");

    (void)state;
    assert_int_equal(set("ex.org", "/", "a=1; max-age=10"), 0);
    assert_int_equal(set("ex.org", "/", "b=1"), 0);
    sends("ex.org", "/", "b=1; a=1");
    sends_at(&to, NOW + 10, "b=1");
    assert_int_equal(http_cookie_jar_count(jar), 1);
    assert_int_equal(set("ex.org", "/", "b=; max-age=0"), 0);
    assert_int_equal(http_cookie_jar_count(jar), 0);
    assert_int_equal(set("ex.org", "/", "c=1; expires=Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(http_cookie_jar_count(jar), 0);
}

static void an_end_far_away_is_nearer(void **state)
{
    (void)state;
    assert_int_equal(set("ex.org", "/", "a=1; expires=Fri Feb 13 11:56:27 GMT 2525"), 0);
    assert_int_equal(set("ex.org", "/", "b=1; max-age=999999999999"), 0);
    assert_int_equal(set("ex.org", "/", "c=1; max-age=1000"), 0);
    keeps("ex.org\tFALSE\t/\tFALSE\t1700001000\tc\t1\n"
          "ex.org\tFALSE\t/\tFALSE\t1734559980\tb\t1\n" /* (NOW + 400 days + 30) / 60 * 60 */
          "ex.org\tFALSE\t/\tFALSE\t1734559980\ta\t1\n");
}

static void a_response_sets_so_many(void **state)
{
    static char text[HTTP_COOKIE_JAR_SET_MAX + 10][16];
    http_field_t fields[HTTP_COOKIE_JAR_SET_MAX + 12] = {0};
    http_cookie_site_t from = site("ex.org", false, "/");
    size_t n = 0;

    (void)state;
    fields[n++] = (http_field_t){.name = HTTP_SPAN("Content-Type"), .value = HTTP_SPAN("a=b")};
    fields[n++] = (http_field_t){.name = HTTP_SPAN("Set-Cookie"), .value = HTTP_SPAN("bad")};
    for (size_t i = 0; i < HTTP_COOKIE_JAR_SET_MAX + 10; i++, n++) {
        snprintf(text[i], sizeof(text[i]), "c%zu=v", i);
        fields[n] = (http_field_t){.name = HTTP_SPAN("set-cookie"), .value = http_span(text[i])};
    }
    assert_int_equal(http_cookie_jar_take(jar, fields, n, &from, NOW), 0);
    assert_int_equal(http_cookie_jar_count(jar), HTTP_COOKIE_JAR_SET_MAX);
}

static void a_request_gets_so_many(void **state)
{
    hbytes_t value = {0};
    http_cookie_site_t to = site("ex.org", false, "/");
    size_t n = 1;

    (void)state;
    for (int i = 1; i <= HTTP_COOKIE_JAR_SEND_MAX + 1; i++) {
        char text[16];

        snprintf(text, sizeof(text), "c%03d=v", i);
        assert_int_equal(set("ex.org", "/", text), 0);
    }
    assert_int_equal(http_cookie_jar_get(jar, &to, NOW, &value), 0);
    assert_int_equal(strncmp(value.data, "c150=v; c149=v; ", 16), 0);
    for (const char *p = value.data; (p = strchr(p, ';')) != NULL; p++)
        n++;
    assert_int_equal(n, HTTP_COOKIE_JAR_SEND_MAX);
    hbytes_deinit(&value);
}

static void a_header_has_an_end(void **state)
{
    hbytes_t value = {0};
    http_cookie_site_t to = site("ex.org", false, "/");
    char text[1024];

    (void)state;
    for (int i = 0; i < 20; i++) {
        memset(text, 'a', 510);
        text[510] = '\0';
        memcpy(text, "huge-00=", 8);
        text[5] = (char)('0' + i / 10);
        text[6] = (char)('0' + i % 10);
        assert_int_equal(set("ex.org", "/", text), 0);
    }
    assert_int_equal(http_cookie_jar_get(jar, &to, NOW, &value), 1);
    assert_true(value.len < HTTP_COOKIE_JAR_HEADER_MAX);
    assert_true(value.len > HTTP_COOKIE_JAR_HEADER_MAX - 600);
    assert_int_equal(strncmp(value.data, "huge-19=", 8), 0);
    hbytes_deinit(&value);
}

static void the_oldest_make_room(void **state)
{
    char text[32], host[32];

    (void)state;
    for (int i = 0; i <= HTTP_COOKIE_JAR_DOMAIN_MAX; i++) {
        snprintf(text, sizeof(text), "c=v; path=/%d", i);
        assert_int_equal(set("one.org", "/", text), 0);
    }
    assert_int_equal(http_cookie_jar_count(jar), HTTP_COOKIE_JAR_DOMAIN_MAX);
    sends("one.org", "/0", "");
    sends("one.org", "/1", "c=v");
    for (int i = 0; i < HTTP_COOKIE_JAR_MAX; i++) {
        snprintf(host, sizeof(host), "h%d.org", i);
        assert_int_equal(set(host, "/", "c=v"), 0);
    }
    assert_int_equal(http_cookie_jar_count(jar), HTTP_COOKIE_JAR_MAX);
    sends("one.org", "/1024", "");
    sends("h0.org", "/", "c=v");
    assert_int_equal(set("last.org", "/", "c=v"), 0);
    sends("h0.org", "/", "");
    sends("h1.org", "/", "c=v");
}

/* ---- files ----------------------------------------------------------------------------------- */

static void files_are_read_and_written(void **state)
{
    (void)state;
    assert_int_equal(read_text("# Netscape HTTP Cookie File\n\nrubbish\n"
                               "#HttpOnly_.Ex.org\tTRUE\t/a/\tTRUE\t1800000000\ta\t1\r\n"
                               "www.ex.org\tFALSE\t/\tFALSE\t0\tb\t2\n"
                               "old.ex.org\tFALSE\t/\tFALSE\t100\tc\t3\n"
                               ".127.0.0.1\tTRUE\t/\tFALSE\t0\td\t4\n"
                               ".localhost\tTRUE\t/\tFALSE\t0\te\t5\n"
                               ".com\tTRUE\t/\tFALSE\t0\tf\t6\n"
                               "last.org\tFALSE\t/\tFALSE\t0\tg",
                               0),
                     7); /* the one that is over is read, too */
    sends_secure("www.ex.org", "/a", "a=1; b=2");
    sends("127.0.0.1", "/", "d=4");
    sends("x.com", "/", "");
    keeps("last.org\tFALSE\t/\tFALSE\t0\tg\t\n"
          "com\tFALSE\t/\tFALSE\t0\tf\t6\n"
          ".localhost\tTRUE\t/\tFALSE\t0\te\t5\n"
          "127.0.0.1\tFALSE\t/\tFALSE\t0\td\t4\n"
          "www.ex.org\tFALSE\t/\tFALSE\t0\tb\t2\n"
          "#HttpOnly_.Ex.org\tTRUE\t/a\tTRUE\t1800000000\ta\t1\n");
}

static void cookies_of_a_session_stay_out(void **state)
{
    (void)state;
    assert_int_equal(read_text("ex.org\tFALSE\t/\tFALSE\t1800000000\ta\t1\n"
                               "ex.org\tFALSE\t/\tFALSE\t0\tb\t2\n",
                               HTTP_COOKIE_JAR_NO_SESSION),
                     1);
    sends("ex.org", "/", "a=1");
}

static void a_file_does_not_replace_what_came(void **state)
{
    (void)state;
    assert_int_equal(set("ex.org", "/", "a=live"), 0);
    assert_int_equal(read_text("ex.org\tFALSE\t/\tFALSE\t0\ta\tfile\n", 0), 0);
    sends("ex.org", "/", "a=live");
    assert_int_equal(read_text("ex.org\tFALSE\t/\tFALSE\t0\tb\tone\n", 0), 1);
    assert_int_equal(read_text("ex.org\tFALSE\t/\tFALSE\t0\tb\ttwo\n", 0), 1);
    sends("ex.org", "/", "b=two; a=live");
}

static void heads_are_read(void **state)
{
    (void)state;
    assert_int_equal(read_text("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                               "Set-Cookie: a=1; domain=ex.org; path=\"/silly/\"\r\n"
                               "set-cookie:b=2; domain=ex.org; secure; max-age=10\r\n"
                               "Set-Cookie: lost=1; path=/we\r\n"
                               "Set-Cookie: lost=2; path=/we/want\r\n"
                               "Set-Cookie: lost-again=3\r\n"
                               "Set-Cookie: junk=\x01\r\n\r\n",
                               0),
                     5);
    sends_secure("www.ex.org", "/silly", "a=1; b=2; lost-again=3");
    /* Those without a domain belong to the first host that asked. */
    sends("www.ex.org", "/we/want/it", "lost=2; lost=1; lost-again=3");
    sends("www.ex.com", "/we/want/it", "");
    keeps(".ex.org\tTRUE\t/\tTRUE\t1700000010\tb\t2\n.ex.org\tTRUE\t/silly\tFALSE\t0\ta\t1\n");
}

static void lines_that_are_too_long_are_left_out(void **state)
{
    char *text = malloc(3 * HTTP_COOKIE_JAR_LINE_MAX);
    size_t n;

    (void)state;
    assert_non_null(text);
    n = (size_t)snprintf(text, 3 * HTTP_COOKIE_JAR_LINE_MAX, "%s",
                         "ex.org\tFALSE\t/\tFALSE\t0\ta\t1\nex.org\tFALSE\t/\tFALSE\t0\tb\t");
    memset(text + n, 'b', HTTP_COOKIE_JAR_LINE_MAX);
    n += HTTP_COOKIE_JAR_LINE_MAX;
    n += (size_t)snprintf(text + n, 100, "%s", "\nex.org\tFALSE\t/\tFALSE\t0\tc\t3");
    assert_int_equal(http_cookie_jar_read(jar, (http_span_t){text, n}, 0, NOW), 2);
    sends("ex.org", "/", "c=3; a=1");
    free(text);
}

static void a_jar_is_loaded_and_saved(void **state)
{
    char dir[] = "/tmp/test_cookie_jar.XXXXXX", path[64];
    http_cookie_jar_t *first = jar;
    uint64_t changes = http_cookie_jar_changes(jar);

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/jar", dir);
    assert_int_equal(http_cookie_jar_load(jar, path, 0, NOW), -ENOENT);
    assert_int_equal(http_cookie_jar_load(jar, dir, 0, NOW), -EISDIR);
    assert_int_equal(http_cookie_jar_changes(jar), changes);
    assert_int_equal(set("ex.org", "/", "a=1"), 0);
    assert_int_equal(set_secure("ex.org", "/", "b=2; domain=ex.org; secure; httponly; max-age=9"),
                     0);
    assert_true(http_cookie_jar_changes(jar) > changes);
    assert_int_equal(http_cookie_jar_save(jar, path, NOW), 0);
    assert_int_equal(http_cookie_jar_new(&jar), 0);
    assert_int_equal(http_cookie_jar_load(jar, path, 0, NOW), 2);
    sends_secure("ex.org", "/", "a=1; b=2");
    keeps("ex.org\tFALSE\t/\tFALSE\t0\ta\t1\n"
          "#HttpOnly_.ex.org\tTRUE\t/\tTRUE\t1700000009\tb\t2\n");
    assert_int_equal(http_cookie_jar_save(jar, "/nowhere/at/all", NOW), -ENOENT);
    http_cookie_jar_free(first);
    unlink(path);
    rmdir(dir);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int fill(http_cookie_jar_t *filled, hbytes_t *text)
{
    http_cookie_site_t ex = site("www.ex.org", true, "/");
    int err = http_cookie_jar_set(filled, HTTP_SPAN("a=b; domain=ex.org"), &ex, NOW);

    if (err < 0)
        return err;
    err = http_cookie_jar_set(filled, HTTP_SPAN("a=c; domain=ex.org"), &ex, NOW);
    if (err < 0)
        return err;
    err = (int)http_cookie_jar_read(filled, HTTP_SPAN("x.org\tFALSE\t/\tFALSE\t0\ta\t1\n"), 0, NOW);
    if (err < 0)
        return err;
    err = http_cookie_jar_get(filled, &ex, NOW, text);
    return err < 0 ? err : http_cookie_jar_write(filled, NOW, text);
}

static int scenario(void *arg)
{
    http_cookie_jar_t *filled;
    hbytes_t text = {0};
    int err = http_cookie_jar_new(&filled);

    (void)arg;
    if (err < 0)
        return err;
    err = fill(filled, &text);
    http_cookie_jar_free(filled);
    hbytes_deinit(&text);
    return err;
}

static void out_of_memory(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

#define IN_A_JAR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_JAR(a_cookie_goes_back_to_its_site),
        IN_A_JAR(the_order_is_that_of_curl),
        IN_A_JAR(others_are_ignored),
        IN_A_JAR(lengths_have_an_end),
        IN_A_JAR(this_machine_is_secure),
        IN_A_JAR(what_is_secure_is_not_hidden),
        IN_A_JAR(cookies_end),
        IN_A_JAR(an_end_far_away_is_nearer),
        IN_A_JAR(a_response_sets_so_many),
        IN_A_JAR(a_request_gets_so_many),
        IN_A_JAR(a_header_has_an_end),
        IN_A_JAR(the_oldest_make_room),
        IN_A_JAR(files_are_read_and_written),
        IN_A_JAR(cookies_of_a_session_stay_out),
        IN_A_JAR(a_file_does_not_replace_what_came),
        IN_A_JAR(heads_are_read),
        IN_A_JAR(lines_that_are_too_long_are_left_out),
        IN_A_JAR(a_jar_is_loaded_and_saved),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
