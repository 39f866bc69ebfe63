/* One thread. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "oom.h"
#include "proto/http_listing.h"
#include "proto/http_page.h"

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define SOME_TIME 1700000000 /* 2023-11-14T22:13:20Z */

static http_listing_entry_t file(const char *name, uint64_t size, int64_t mtime_s)
{
    return (http_listing_entry_t){.name = name, .size = size, .mtime_s = mtime_s};
}

static http_listing_entry_t folder(const char *name, int64_t mtime_s)
{
    return (http_listing_entry_t){.name = name, .mtime_s = mtime_s, .is_dir = true};
}

/* ---- order ----------------------------------------------------------------------------------- */

static void names_are_in_the_order_of_people(void **state)
{
    static const char *const names[] = {
        "",         "0",    "00",    "01",     "1",       "2",
        "10",       "A",    "a",     "a01",    "a1",      "a1b",
        "a2",       "a9",   "a9b",   "a10",    "ab",      "B",
        "b 1",      "b2.1", "b2.10", "x99999", "x100000", "x99999999999999999999999999",
        "\xc3\xa4",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        for (size_t k = 0; k < ARRAY_LENGTH(names); k++) {
            int order = http_listing_compare(names[i], names[k]);
            bool right = i < k ? order < 0 : i > k ? order > 0 : order == 0;

            if (!right)
                fail_msg("\"%s\" and \"%s\": %d", names[i], names[k], order);
        }
    }
}

/* The names of a sorted listing, with spaces between them. */
static const char *sorted(const char *query)
{
    static char text[128];
    http_listing_entry_t entries[] = {file("b", 10, 30),  folder("z", 5),     file("C", 20, 20),
                                      folder("y", 6),     file("a10", 5, 10), file("a9", 10, 40),
                                      file("A9", 10, 40), folder("X", 5)};
    http_listing_t listing = {.entries = entries, .count = ARRAY_LENGTH(entries)};
    size_t len = 0;

    http_listing_sort(&listing, http_listing_order(query, query ? strlen(query) : 0));
    for (size_t i = 0; i < listing.count; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "", entries[i].name);
    return text;
}

static void folders_come_first_in_any_order(void **state)
{
    (void)state;
    assert_string_equal(sorted(NULL), "X y z A9 a9 a10 b C");
    assert_string_equal(sorted("sort=name&order=desc"), "z y X C b a10 a9 A9");
    assert_string_equal(sorted("sort=size"), "X y z C A9 a9 b a10");
    assert_string_equal(sorted("sort=size&order=asc"), "X y z a10 A9 a9 b C");
    assert_string_equal(sorted("sort=time"), "y X z A9 a9 b C a10");
    assert_string_equal(sorted("order=asc&sort=time"), "X z y a10 C b A9 a9");
}

static void check_order(const char *query, http_listing_key_e key, bool descending)
{
    http_listing_order_t order = http_listing_order(query, strlen(query));

    assert_int_equal(order.key, key);
    assert_int_equal(order.descending, descending);
}

static void the_query_tells_the_order(void **state)
{
    (void)state;
    check_order("", HTTP_LISTING_NAME, false);
    check_order("sort=name", HTTP_LISTING_NAME, false);
    check_order("order=desc", HTTP_LISTING_NAME, true);
    check_order("sort=size", HTTP_LISTING_SIZE, true);
    check_order("sort=time&order=asc", HTTP_LISTING_TIME, false);
    check_order("x=y&sort=time&z", HTTP_LISTING_TIME, true);
    check_order("sort=weight&order=up", HTTP_LISTING_NAME, false);
    check_order("sort&order&sort=", HTTP_LISTING_NAME, false);
    check_order("sort=sizes&sort=siz", HTTP_LISTING_NAME, false);
    check_order("sort=size&sort=name", HTTP_LISTING_NAME, false);
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef int (*write_cb)(const http_listing_page_t *page, size_t *next, hbytes_t *out);

static char *written(write_cb write, const http_listing_page_t *page)
{
    hbytes_t out = {0};
    size_t next = 0;
    int err;

    while ((err = write(page, &next, &out)) > 0)
        ;
    assert_int_equal(err, 0);
    return hbytes_take(&out, NULL);
}

static char *page_of(http_listing_entry_t *entries, size_t count, unsigned flags)
{
    const http_listing_t listing = {.entries = entries, .count = count};
    const http_listing_page_t page = {.listing = &listing, .path = "/a/<b>/", .flags = flags};

    return written(http_listing_html, &page);
}

static void assert_has(const char *page, const char *text)
{
    if (!strstr(page, text))
        fail_msg("the page lacks %s", text);
}

static void assert_lacks(const char *page, const char *text)
{
    if (strstr(page, text))
        fail_msg("the page has %s", text);
}

static void an_entry_is_a_row(void **state)
{
    http_listing_entry_t entries[] = {folder("sub dir", SOME_TIME),
                                      file("a.txt", 1234567, SOME_TIME), file("b", 1, SOME_TIME)};
    char *page;

    (void)state;
    entries[2].is_link = true;
    page = page_of(entries, 3, 0);
    assert_has(page, "<a href=\"./sub%20dir/\">");
    assert_has(page, "<bdi>sub dir</bdi><i>/</i>");
    assert_has(page, "<a href=\"./a.txt\">");
    assert_has(page, "title=\"1,234,567 bytes\">1.2 MiB<");
    assert_has(page, "title=\"1 byte\">1 B<");
    assert_has(page,
               "<time datetime=\"2023-11-14T22:13:20Z\">2023-11-14<span> 22:13</span></time>");
    assert_has(page, "<bdi>b</bdi><span class=\"tag\">link</span>");
    assert_has(page, "1 folder, 2 files, 1.2 MiB");
    assert_has(page, "<title>Index of /a/&lt;b&gt;/</title>");
    assert_has(page, "<a href=\"../\">");
    hmem_free(page);
}

/* Each name as text, and as a reference that leads to it and nowhere else. */
static void names_of_any_bytes_are_harmless(void **state)
{
    static const struct {
        const char *name, *text, *reference;
    } names[] = {
        {"<script>alert(1)</script>", "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>",
         "\"./%3Cscript%3Ealert%281%29%3C%2Fscript%3E\""},
        {"\"q\" 'a' & b", "<bdi>&quot;q&quot; &#39;a&#39; &amp; b</bdi>",
         "\"./%22q%22%20%27a%27%20%26%20b\""},
        {"new\nline", "<bdi>new\xe2\x90\x8aline</bdi>", "\"./new%0Aline\""},
        {"bad\xff", "<bdi>bad\xef\xbf\xbd</bdi>", "\"./bad%FF\""},
        {"javascript:x", "<bdi>javascript:x</bdi>", "\"./javascript%3Ax\""},
        {":a", "<bdi>:a</bdi>", "\"./%3Aa\""},
        {"50%41?x#y", "<bdi>50%41?x#y</bdi>", "\"./50%2541%3Fx%23y\""},
        {"\\\\host\\x", "<bdi>\\\\host\\x</bdi>", "\"./%5C%5Chost%5Cx\""},
        {"...", "<bdi>...</bdi>", "\"./...\""},
        {"gr\xc3\xbc\xc3\x9f", "<bdi>gr\xc3\xbc\xc3\x9f</bdi>", "\"./gr%C3%BC%C3%9F\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        http_listing_entry_t entry = file(names[i].name, 0, SOME_TIME);
        char *page = page_of(&entry, 1, HTTP_LISTING_DELETE);

        assert_has(page, names[i].text);
        assert_has(page, names[i].reference);
        assert_lacks(page, "<script");
        hmem_free(page);
    }
}

static void the_path_is_a_way_back(void **state)
{
    http_listing_entry_t entry = file("x", 1, SOME_TIME);
    const http_listing_t listing = {.entries = &entry, .count = 1};
    http_listing_page_t page = {.listing = &listing, .path = "//one/t<o//three"};
    char *html = written(http_listing_html, &page);

    (void)state;
    assert_has(html, "<ol><li><a href=\"../../../\"><bdi>Home</bdi></a></li>"
                     "<li><a href=\"../../\"><bdi>one</bdi></a></li>"
                     "<li><a href=\"../\"><bdi>t&lt;o</bdi></a></li>"
                     "<li aria-current=\"page\"><bdi>three</bdi></li></ol>");
    hmem_free(html);
    page.path = "/";
    page.root = "my files";
    page.title = "All of it";
    html = written(http_listing_html, &page);
    assert_has(html, "<ol><li aria-current=\"page\"><bdi>my files</bdi></li></ol>");
    assert_has(html, "<title>All of it</title>");
    assert_lacks(html, "href=\"../");
    hmem_free(html);
}

static void a_deep_path_costs_little(void **state)
{
    http_listing_entry_t entry = file("x", 1, SOME_TIME);
    const http_listing_t listing = {.entries = &entry, .count = 1};
    http_listing_page_t page = {.listing = &listing};
    char path[8192], *html;

    (void)state;
    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 2 ? 'a' : '/';
    path[sizeof(path) - 1] = '\0';
    page.path = path;
    html = written(http_listing_html, &page);
    assert_true(strlen(html) < 65536);
    assert_has(html, "<li>\xe2\x80\xa6</li><li><a href=\"../");
    assert_has(html, "<li aria-current=\"page\"><bdi>a</bdi>");
    hmem_free(html);
}

static char *head_of_order(const char *query)
{
    http_listing_entry_t entry = file("x", 1, SOME_TIME);
    const http_listing_t listing = {.entries = &entry, .count = 1};
    const http_listing_page_t page = {
        .listing = &listing, .path = "/", .order = http_listing_order(query, strlen(query))};

    return written(http_listing_html, &page);
}

static void columns_are_sorted_by_links(void **state)
{
    char *page = head_of_order("");

    (void)state;
    assert_has(page,
               "class=\"name\" aria-sort=\"ascending\"><a href=\"./?sort=name&amp;order=desc\"");
    assert_has(page, "class=\"size\"><a href=\"./?sort=size&amp;order=desc\"");
    assert_has(page, "class=\"time\"><a href=\"./?sort=time&amp;order=desc\"");
    hmem_free(page);
    page = head_of_order("sort=size");
    assert_has(page, "class=\"name\"><a href=\"./?sort=name&amp;order=asc\"");
    assert_has(page,
               "class=\"size\" aria-sort=\"descending\"><a href=\"./?sort=size&amp;order=asc\"");
    hmem_free(page);
}

static void only_what_is_allowed_is_offered(void **state)
{
    http_listing_entry_t entries[] = {folder("d", SOME_TIME), file("x y", 1, SOME_TIME)};
    char *page = page_of(entries, 2, 0);

    (void)state;
    assert_lacks(page, "<form");
    assert_lacks(page, "<script");
    assert_lacks(page, "archive");
    hmem_free(page);
    page = page_of(entries, 2, HTTP_LISTING_UPLOAD);
    assert_has(page, "method=\"post\" action=\"./?upload\" enctype=\"multipart/form-data\"");
    assert_has(page, "<input type=\"file\" name=\"file\" multiple");
    assert_has(page, "<script>");
    assert_lacks(page, "?mkdir");
    hmem_free(page);
    page = page_of(entries, 2, HTTP_LISTING_MKDIR | HTTP_LISTING_ARCHIVE);
    assert_has(page, "method=\"post\" action=\"./?mkdir\"");
    assert_has(page, "href=\"./?archive=tar\"");
    assert_lacks(page, "?delete");
    hmem_free(page);
    page = page_of(entries, 2, HTTP_LISTING_DELETE);
    assert_has(page, "method=\"post\" action=\"./d/?delete\"");
    assert_has(page, "method=\"post\" action=\"./x%20y?delete\"");
    hmem_free(page);
}

static void the_policy_follows_the_scripts(void **state)
{
    http_listing_page_t page = {.flags = HTTP_LISTING_MKDIR | HTTP_LISTING_DELETE};

    (void)state;
    assert_int_equal(http_listing_scripts(&page), 0);
    page.flags |= HTTP_LISTING_UPLOAD;
    assert_int_equal(http_listing_scripts(&page), HTTP_PAGE_UPLOAD_SCRIPT);
    page.events_url = "/events";
    assert_int_equal(http_listing_scripts(&page),
                     HTTP_PAGE_UPLOAD_SCRIPT | HTTP_PAGE_RELOAD_SCRIPT);
}

static void an_empty_folder_says_so(void **state)
{
    char *page = page_of(NULL, 0, HTTP_LISTING_ARCHIVE);

    (void)state;
    assert_has(page, "This folder is empty.");
    assert_lacks(page, "<table");
    assert_lacks(page, "archive");
    hmem_free(page);
}

static void strange_times_are_left_out(void **state)
{
    http_listing_entry_t entries[] = {file("a", 1, INT64_MAX), file("b", 1, INT64_MIN)};
    char *page = page_of(entries, 2, 0);

    (void)state;
    assert_has(page, "<time datetime=\"\"></time>");
    hmem_free(page);
}

static void json_tells_the_same(void **state)
{
    http_listing_entry_t entries[] = {folder("sub", SOME_TIME), file("a\"\xff.txt", 7, SOME_TIME)};
    http_listing_t listing = {.entries = entries, .count = 2};
    const http_listing_page_t page = {.listing = &listing, .path = "/x\ny/"};
    char *json;

    (void)state;
    entries[1].is_link = true;
    json = written(http_listing_json, &page);
    assert_string_equal(json, "{\"path\":\"/x\\ny/\",\"entries\":["
                              "{\"name\":\"sub\",\"type\":\"directory\","
                              "\"modified\":\"2023-11-14T22:13:20Z\",\"href\":\"./sub/\"},"
                              "{\"name\":\"a\\\"\\ufffd.txt\",\"type\":\"file\",\"size\":7,"
                              "\"modified\":\"2023-11-14T22:13:20Z\",\"href\":\"./a%22%FF.txt\","
                              "\"link\":true}]}\n");
    hmem_free(json);
    listing.count = 0;
    listing.truncated = true;
    json = written(http_listing_json, &page);
    assert_string_equal(json, "{\"path\":\"/x\\ny/\",\"truncated\":true,\"entries\":[]}\n");
    hmem_free(json);
}

/* ---- parts ----------------------------------------------------------------------------------- */

#define MANY 2000

static size_t count_of(const char *text, const char *part)
{
    size_t n = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        n++;
    return n;
}

static void a_large_folder_comes_in_parts(void **state)
{
    static const write_cb writers[] = {http_listing_html, http_listing_json};
    http_listing_entry_t *entries = calloc(MANY, sizeof(*entries));
    const http_listing_t listing = {.entries = entries, .count = MANY, .truncated = true};
    const http_listing_page_t page = {.listing = &listing, .path = "/"};

    (void)state;
    assert_non_null(entries);
    for (size_t i = 0; i < MANY; i++)
        entries[i] = file("a file with a name", i, SOME_TIME);
    for (size_t i = 0; i < ARRAY_LENGTH(writers); i++) {
        char *whole = written(writers[i], &page);
        hbytes_t part = {0}, all = {0};
        size_t next = 0, parts = 0;
        int err;

        do {
            hbytes_clear(&part);
            err = writers[i](&page, &next, &part);
            assert_true(part.len < 2 * HTTP_LISTING_PART);
            assert_int_equal(hbytes_append(&all, part.data, part.len), 0);
            parts++;
        } while (err > 0);
        assert_int_equal(err, 0);
        assert_true(parts > 2);
        assert_string_equal(all.data, whole);
        assert_int_equal(count_of(whole, "./a%20file%20with%20a%20name"), MANY);
        hbytes_deinit(&part);
        hbytes_deinit(&all);
        hmem_free(whole);
    }
    free(entries);
}

static void a_full_buffer_is_told(void **state)
{
    http_listing_entry_t entry = file("x", 1, SOME_TIME);
    const http_listing_t listing = {.entries = &entry, .count = 1};
    const http_listing_page_t page = {.listing = &listing, .path = "/"};

    (void)state;
    for (size_t max = 1; max < 2000; max += 37) {
        size_t next_html = 0, next_json = 0;
        hbytes_t out;

        hbytes_init(&out, max);
        assert_int_equal(http_listing_html(&page, &next_html, &out), -ENOBUFS);
        hbytes_deinit(&out);
        if (max < 100)
            assert_int_equal(http_listing_json(&page, &next_json, &out), -ENOBUFS);
        hbytes_deinit(&out);
    }
}

static int write_both(void *arg)
{
    http_listing_entry_t entries[] = {folder("d", SOME_TIME), file("<f>", 1, SOME_TIME)};
    const http_listing_t listing = {.entries = entries, .count = 2};
    const http_listing_page_t page = {
        .listing = &listing, .path = "/a/b/", .flags = 15, .server = "s", .events_url = "/e"};
    size_t next_html = 0, next_json = 0;
    hbytes_t out = {0};
    int err = http_listing_html(&page, &next_html, &out);

    (void)arg;
    if (!err)
        err = http_listing_json(&page, &next_json, &out);
    hbytes_deinit(&out);
    return err;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(write_both, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_in_the_order_of_people),
        cmocka_unit_test(folders_come_first_in_any_order),
        cmocka_unit_test(the_query_tells_the_order),
        cmocka_unit_test(an_entry_is_a_row),
        cmocka_unit_test(names_of_any_bytes_are_harmless),
        cmocka_unit_test(the_path_is_a_way_back),
        cmocka_unit_test(a_deep_path_costs_little),
        cmocka_unit_test(columns_are_sorted_by_links),
        cmocka_unit_test(only_what_is_allowed_is_offered),
        cmocka_unit_test(the_policy_follows_the_scripts),
        cmocka_unit_test(an_empty_folder_says_so),
        cmocka_unit_test(strange_times_are_left_out),
        cmocka_unit_test(json_tells_the_same),
        cmocka_unit_test(a_large_folder_comes_in_parts),
        cmocka_unit_test(a_full_buffer_is_told),
        cmocka_unit_test(memory_may_run_out),
    };

    if (setenv("TZ", "UTC", 1) != 0)
        return 1;
    tzset();
    return cmocka_run_group_tests_name("http_listing", tests, NULL, NULL);
}
