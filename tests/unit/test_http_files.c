/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_files_fixture.h"

/* ---- plain files ----------------------------------------------------------------------------- */

static void files_are_sent_with_what_is_known_of_them(void **state)
{
    (void)state;
    begin((http_files_options_t){.cache_control = "max-age=60"});
    for (int i = 0; i < 3; i++) {
        get_text("/a.txt", "0123456789");
        assert_string_equal(field("Content-Type"), "text/plain; charset=utf-8");
        assert_string_equal(field("Content-Length"), "10");
        assert_string_equal(field("Last-Modified"), "Sun, 09 Sep 2001 01:46:40 GMT");
        assert_string_equal(field("Accept-Ranges"), "bytes");
        assert_string_equal(field("Cache-Control"), "max-age=60");
        assert_true(field("ETag")[0] == '"');
        get("/sub/b%20b.json", 200);
        assert_string_equal(field("Content-Type"), "application/json; charset=utf-8");
    }
    request("HEAD", "/a.txt", NULL);
    assert_int_equal(status(), 200);
    assert_string_equal(field("Content-Length"), "10");
    assert_int_equal(body_len(), 0);
    finish();
}

static void large_files_come_whole(void **state)
{
    (void)state;
    begin((http_files_options_t){0});
    for (int i = 0; i < 3; i++) {
        get("/large.bin", 200);
        assert_int_equal(body_len(), LARGE);
        for (size_t n = 0; n < LARGE; n++)
            assert_int_equal(body()[n], pattern(n));
    }
    request("HEAD", "/large.bin", NULL);
    assert_string_equal(field("Content-Length"), "300000");
    assert_int_equal(body_len(), 0);
    finish();
}

static void other_methods_are_refused(void **state)
{
    (void)state;
    begin((http_files_options_t){0});
    request("POST", "/a.txt", "Content-Length: 0\r\n");
    assert_int_equal(status(), 405);
    assert_string_equal(field("Allow"), "GET, HEAD, OPTIONS");
    request("DELETE", "/none", NULL);
    assert_int_equal(status(), 405);
    request("OPTIONS", "/a.txt", NULL);
    assert_int_equal(status(), 204);
    assert_string_equal(field("Allow"), "GET, HEAD, OPTIONS");
    finish();
}

static void a_file_that_changes_is_seen(void **state)
{
    char tag[128];

    (void)state;
    begin((http_files_options_t){.recheck_ms = 1});
    get_text("/a.txt", "0123456789");
    snprintf(tag, sizeof(tag), "%s", field("ETag"));
    do { /* again, where that second is over before it is looked at */
        write_at("a.txt", "9876543210", 10, 0); /* of the same size, now */
        do
            get("/a.txt", 200);
        while (strcmp(body(), "9876543210") != 0);
    } while (memcmp(field("ETag"), "W/\"", 3) != 0); /* it might change again in this second */
    write_at("a.txt", "short", 5, PAST);
    while (body_len() != 5)
        get("/a.txt", 200);
    assert_string_not_equal(field("ETag"), tag);
    unlink(path_of("a.txt"));
    do
        request("GET", "/a.txt", NULL);
    while (status() == 200);
    assert_int_equal(status(), 404);
    put("a.txt", "again");
    get_text("/a.txt", "again");
    finish();
}

/* What is sent from the descriptor is as long as its head says. */
static void a_large_file_that_changes_is_seen_at_once(void **state)
{
    (void)state;
    begin((http_files_options_t){.recheck_ms = 3600000});
    get("/large.bin", 200);
    assert_int_equal(body_len(), LARGE);
    assert_int_equal(truncate(path_of("large.bin"), 100000), 0);
    get("/large.bin", 200);
    assert_string_equal(field("Content-Length"), "100000");
    assert_int_equal(body_len(), 100000);
    put("large.bin", "short");
    get_text("/large.bin", "short");
    finish();
}

/* ---- the folder itself ----------------------------------------------------------------------- */

/* For as long as the old state is told. */
static void get_until(const char *target, int expected)
{
    do
        request("GET", target, NULL);
    while (status() != expected);
}

/* By hand or by a build that begins with "rm -r". */
static void a_folder_that_is_made_again_is_found(void **state)
{
    (void)state;
    begin((http_files_options_t){.recheck_ms = 1, .listing = true});
    get_text("/", "<p>home");
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    get_until("/", 404); /* an empty listing would be a lie */
    get("/index.html", 404);
    assert_int_equal(mkdir(root, 0755), 0);
    put("index.html", "<p>again");
    get_until("/", 200);
    assert_string_equal(body(), "<p>again");
    get_text("/index.html", "<p>again");
    finish();
}

/* A link that leads to the present state, as many have it. */
static void a_folder_that_is_replaced_is_left(void **state)
{
    char link[sizeof(root)], text[256];
    http_files_options_t options = {.root = link, .recheck_ms = 1};

    (void)state;
    snprintf(link, sizeof(link), "%s", path_of("now"));
    folder("old");
    folder("new");
    put("old/a.txt", "old");
    put("new/a.txt", "new");
    snprintf(text, sizeof(text), "%s", path_of("new/a.txt"));
    assert_int_equal(symlink(text, path_of("new/absolute")), 0);
    assert_int_equal(symlink("old", link), 0);
    assert_int_equal(http_files_new(NULL, &options, &files), 0);
    web_open(&web, (http_server_options_t){.handler = serve});
    get_text("/a.txt", "old");
    assert_int_equal(symlink("new", path_of("next")), 0);
    assert_int_equal(rename(path_of("next"), link), 0);
    while (strcmp(body(), "new") != 0)
        get("/a.txt", 200);
    get_text("/absolute", "new");
    unlink(link); /* but what it led to is there still */
    get_text("/absolute", "new");
    finish();
}

/* What cannot be opened is not there for now; another time it may be. */
static void a_folder_that_cannot_be_opened_is_unavailable(void **state)
{
    (void)state;
    begin((http_files_options_t){.recheck_ms = 1});
    get_text("/a.txt", "0123456789");
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    close(open(root, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    get_until("/a.txt", 503);
    unlink(root);
    get_until("/a.txt", 404);
    assert_int_equal(mkdir(root, 0755), 0);
    put("a.txt", "again");
    get_until("/a.txt", 200);
    assert_string_equal(body(), "again");
    finish();
}

/* ---- what is not served ---------------------------------------------------------------------- */

static void what_is_not_there_or_not_served(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path_of("fifo"), 0644), 0);
    folder(".well-known");
    put(".well-known/acme", "token");
    put(".well-known/.x", "no");
    begin((http_files_options_t){0});
    get("/none", 404);
    get("/a.txt/", 404);
    get("/a.txt/x", 404);
    get("/sub/none", 404);
    get("/.hidden", 404);
    get("/sub/../.hidden", 404);
    get("/%2ehidden", 404);
    get("/fifo", 404);
    get("/.well-known/.x", 404);
    get_text("/.well-known/acme", "token");
    get("//etc/hostname", 404);
    get("/..%2f..%2fetc/hostname", 400);
    get("/a%00.txt", 400);
    finish();
}

static void long_names_are_not_there(void **state)
{
    static char name[8000];

    (void)state;
    begin((http_files_options_t){0});
    memset(name, 'a', sizeof(name) - 1);
    name[0] = '/';
    get(name, 404);
    name[300] = '\0';
    get(name, 404);
    for (size_t i = 0; i < 300; i += 2)
        name[i] = '/';
    get(name, 404);
    finish();
}

static void hidden_files_are_served_on_request(void **state)
{
    (void)state;
    begin((http_files_options_t){.hidden = true});
    get_text("/.hidden", "secret");
    finish();
}

static void what_may_not_be_read_is_forbidden(void **state)
{
    (void)state;
    begin((http_files_options_t){0});
    chmod(path_of("a.txt"), 0);
    if (geteuid() != 0)
        get("/a.txt", 403);
    get("/empty/", 403); /* no index, no listing */
    finish();
}

/* ---- links ----------------------------------------------------------------------------------- */

static void links_are_followed_inside(void **state)
{
    (void)state;
    make_links();
    begin((http_files_options_t){0});
    get_text("/inside", "0123456789");
    get_text("/sub/up", "0123456789");
    get_text("/absolute", "0123456789");
    get_text("/folder/b%20b.json", "{}");
    get("/out", 404);
    get("/climb", 404);
    get("/etc/hostname", 404);
    get("/magic/hostname", 404);
    get("/loop", 404);
    finish();
}

static void links_are_followed_anywhere(void **state)
{
    (void)state;
    make_links();
    begin((http_files_options_t){.links = HTTP_LINKS_ALL});
    get_text("/inside", "0123456789");
    get("/out", 200);
    get("/etc/hostname", 200);
    get("/loop", 404);
    finish();
}

static void links_are_not_followed(void **state)
{
    (void)state;
    make_links();
    begin((http_files_options_t){.links = HTTP_LINKS_NONE});
    get("/inside", 404);
    get("/folder/b%20b.json", 404);
    get("/absolute", 404);
    get("/out", 404);
    get_text("/a.txt", "0123456789");
    finish();
}

/* ---- conditions and ranges ------------------------------------------------------------------- */

static void unchanged_files_are_not_sent_again(void **state)
{
    char line[512];

    (void)state;
    begin((http_files_options_t){.cache_control = "no-cache"});
    get("/a.txt", 200);
    snprintf(line, sizeof(line), "If-None-Match: %s\r\n", field("ETag"));
    get_with("/a.txt", line, 304);
    assert_int_equal(body_len(), 0);
    assert_non_null(field("ETag"));
    assert_non_null(field("Cache-Control"));
    assert_null(field("Content-Length"));
    assert_null(field("Content-Type"));
    get_with("/a.txt", "If-None-Match: \"x\"\r\n", 200);
    get_with("/a.txt", "If-None-Match: *\r\n", 304);
    get_with("/a.txt", "If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 304);
    get_with("/a.txt", "If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT\r\n", 200);
    get_with("/a.txt", "If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT\r\n", 412);
    get_with("/a.txt", "If-Match: \"x\"\r\n", 412);
    get_with("/none", "If-Match: \"x\"\r\n", 404);
    finish();
}

static void a_part_is_sent_alone(void **state)
{
    (void)state;
    begin((http_files_options_t){0});
    get_with("/a.txt", "Range: bytes=2-4\r\n", 206);
    assert_string_equal(body(), "234");
    assert_string_equal(field("Content-Range"), "bytes 2-4/10");
    assert_string_equal(field("Content-Length"), "3");
    get_with("/a.txt", "Range: bytes=-3\r\n", 206);
    assert_string_equal(body(), "789");
    get_with("/a.txt", "Range: bytes=0-\r\n", 200);
    get_with("/a.txt", "Range: bytes=10-\r\n", 416);
    assert_string_equal(field("Content-Range"), "bytes */10");
    assert_null(field("ETag"));
    get_with("/a.txt", "Range: lines=1-2\r\n", 200);
    get_with("/a.txt", "Range: bytes=4-2\r\n", 200);
    get_with("/large.bin", "Range: bytes=100000-200000\r\n", 206);
    assert_int_equal(body_len(), 100001);
    for (size_t i = 0; i < 100001; i++)
        assert_int_equal(body()[i], pattern(100000 + i));
    request("HEAD", "/a.txt", "Range: bytes=2-4\r\n");
    assert_int_equal(status(), 200);
    finish();
}

static void a_stale_if_range_gets_the_whole(void **state)
{
    char line[512];

    (void)state;
    begin((http_files_options_t){0});
    get("/a.txt", 200);
    snprintf(line, sizeof(line), "Range: bytes=0-1\r\nIf-Range: %s\r\n", field("ETag"));
    get_with("/a.txt", line, 206);
    get_with("/a.txt", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n", 200);
    get_with("/a.txt", "Range: bytes=0-1\r\nIf-Range: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 206);
    get_with("/a.txt", "Range: bytes=0-1\r\nIf-Range: Sun, 09 Sep 2001 01:46:39 GMT\r\n", 200);
    get_with("/a.txt", "Range: bytes=0-1\r\nIf-Range: Sun, 09 Sep 2001 01:46:41 GMT\r\n", 200);
    assert_int_equal(body_len(), 10);
    finish();
}

static void expect_parts(const char *target, const char *type)
{
    char expected[3000], boundary[64];
    const char *at;
    int len;

    get_with(target, "Range: bytes=0-9, 1000-1009, -5\r\n", 206);
    at = strstr(field("Content-Type"), "multipart/byteranges; boundary=");
    assert_non_null(at);
    snprintf(boundary, sizeof(boundary), "%s", at + strlen("multipart/byteranges; boundary="));
    len = snprintf(expected, sizeof(expected),
                   "--%s\r\nContent-Type: %s\r\nContent-Range: bytes 0-9/%zu\r\n\r\n", boundary,
                   type, LARGE);
    assert_memory_equal(body(), expected, (size_t)len);
    assert_int_equal(body()[len], pattern(0));
    at = body() + len + 10;
    len = snprintf(expected, sizeof(expected),
                   "\r\n--%s\r\nContent-Type: %s\r\nContent-Range: bytes 1000-1009/%zu\r\n\r\n",
                   boundary, type, LARGE);
    assert_memory_equal(at, expected, (size_t)len);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(at[(size_t)len + i], pattern(1000 + i));
    snprintf(expected, sizeof(expected), "\r\n--%s--\r\n", boundary);
    assert_string_equal(web.heard + web.heard_len - strlen(expected), expected);
    assert_int_equal(strtol(field("Content-Length"), NULL, 10), body_len());
}

static void several_parts_are_multipart(void **state)
{
    char *text = new_pattern(2000);

    (void)state;
    write_at("small.txt", text, 2000, PAST);
    free(text);
    begin((http_files_options_t){0});
    expect_parts("/large.bin", "application/octet-stream");
    get_with("/small.txt", "Range: bytes=0-9, 1000-1009, -5\r\n", 206);
    assert_int_equal(web_count(&web, "Content-Range: bytes 1000-1009/2000\r\n"), 1);
    assert_int_equal(web_count(&web, "Content-Type: text/plain; charset=utf-8\r\n"), 3);
    assert_int_equal(strtol(field("Content-Length"), NULL, 10), body_len());
    get_with("/large.bin", "Range: bytes=0-9, 10-20\r\n", 206);
    assert_string_equal(field("Content-Range"), "bytes 0-20/300000");
    finish();
}

/* ---- the cache ------------------------------------------------------------------------------- */

static void the_cache_is_bounded(void **state)
{
    char name[64], target[64], *text = new_pattern(70000);

    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "empty/f%d", i);
        write_at(name, text + i, i % 2 ? 69000 : 1000, PAST);
    }
    begin((http_files_options_t){.open_max = 3, .memory_max = 10000});
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 60; i++) {
            snprintf(target, sizeof(target), "/empty/f%d", i);
            get(target, 200);
            assert_int_equal(body_len(), i % 2 ? 69000 : 1000);
            assert_memory_equal(body(), text + i, body_len());
        }
    }
    free(text);
    finish();
}

/* The files are freed while they are sent. */
static void files_outlive_their_folder(void **state)
{
    int fd;

    (void)state;
    begin((http_files_options_t){0});
    fd = web_client(&web);
    small_buffers(fd);
    web_say_text(fd, "GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    settle(web.loop);
    http_files_free(files);
    files = NULL;
    web_until_end(&web, fd);
    assert_int_equal(body_len(), LARGE);
    close(fd);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(files_are_sent_with_what_is_known_of_them),
        FILES_TEST(large_files_come_whole),
        FILES_TEST(other_methods_are_refused),
        FILES_TEST(a_file_that_changes_is_seen),
        FILES_TEST(a_large_file_that_changes_is_seen_at_once),
        FILES_TEST(a_folder_that_is_made_again_is_found),
        FILES_TEST(a_folder_that_is_replaced_is_left),
        FILES_TEST(a_folder_that_cannot_be_opened_is_unavailable),
        FILES_TEST(what_is_not_there_or_not_served),
        FILES_TEST(long_names_are_not_there),
        FILES_TEST(hidden_files_are_served_on_request),
        FILES_TEST(what_may_not_be_read_is_forbidden),
        FILES_TEST(links_are_followed_inside),
        FILES_TEST(links_are_followed_anywhere),
        FILES_TEST(links_are_not_followed),
        FILES_TEST(unchanged_files_are_not_sent_again),
        FILES_TEST(a_part_is_sent_alone),
        FILES_TEST(a_stale_if_range_gets_the_whole),
        FILES_TEST(several_parts_are_multipart),
        FILES_TEST(the_cache_is_bounded),
        FILES_TEST(files_outlive_their_folder),
    };

    return run_on_each_poller("http_files", tests, ARRAY_LENGTH(tests));
}
