/* One thread. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hbase64.h"
#include "net/hdigest.h"
#include "oom.h"
#include "proto/http_page.h"

#define REPLACED "\xef\xbf\xbd"

static const char *text_of(const char *text, size_t len)
{
    static char copy[256];
    hbytes_t out = {0};

    assert_int_equal(http_page_text(&out, text, len), 0);
    assert_true(out.len < sizeof(copy));
    memcpy(copy, out.len ? out.data : "", out.len + 1);
    hbytes_deinit(&out);
    return copy;
}

#define TEXT(literal) text_of(literal, sizeof(literal) - 1)

static void text_is_escaped(void **state)
{
    (void)state;
    assert_string_equal(TEXT(""), "");
    assert_string_equal(TEXT("plain name.txt"), "plain name.txt");
    assert_string_equal(TEXT("<a href=\"x\">'&'</a>"),
                        "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    assert_string_equal(TEXT("gr\xc3\xbc\xc3\x9f e \xe6\x97\xa5 \xf0\x9f\x98\x80"),
                        "gr\xc3\xbc\xc3\x9f e \xe6\x97\xa5 \xf0\x9f\x98\x80");
}

static void what_cannot_be_seen_is_shown(void **state)
{
    (void)state;
    assert_string_equal(TEXT("a\nb\0c\x1b[m\x7f"), "a\xe2\x90\x8a"
                                                   "b\xe2\x90\x80"
                                                   "c\xe2\x90\x9b[m\xe2\x90\xa1");
    assert_string_equal(TEXT("\xc2\x9b"
                             "31m"),
                        REPLACED "31m");
    assert_string_equal(TEXT("photo\xe2\x80\xaegpj.exe"), "photo" REPLACED "gpj.exe");
    assert_string_equal(TEXT("\xe2\x81\xa6x\xe2\x81\xa9"), REPLACED "x" REPLACED);
    assert_string_equal(TEXT("\xe2\x80\x8f"), "\xe2\x80\x8f"); /* a mark is no override */
}

static void what_is_no_utf8_is_replaced(void **state)
{
    (void)state;
    assert_string_equal(TEXT("\xff"), REPLACED);
    assert_string_equal(TEXT("a\xc3"), "a" REPLACED);
    assert_string_equal(TEXT("\xc0\xaf"), REPLACED REPLACED);
    assert_string_equal(TEXT("\xed\xa0\x80"), REPLACED REPLACED REPLACED);
    assert_string_equal(TEXT("\xc3<"), REPLACED "&lt;");
}

static void nothing_is_written_past_the_maximum(void **state)
{
    hbytes_t out;

    (void)state;
    hbytes_init(&out, 10);
    assert_int_equal(http_page_text(&out, "<<<", 3), -ENOBUFS);
    assert_true(out.len <= 10);
    hbytes_deinit(&out);
}

/* ---- the policy ------------------------------------------------------------------------------ */

static void assert_allowed(const char *policy, const char *field, const char *text, size_t len)
{
    char base64[HBASE64_ENCODED_SIZE(32)], source[80];
    http_span_t part = {text, len};
    const char *list = strstr(policy, field), *found;
    uint8_t digest[32];

    assert_int_equal(hdigest_hash(HTTP_AUTH_SHA256, &part, 1, digest, NULL), 0);
    assert_true(hbase64_encode(HBASE64_STANDARD, digest, 32, base64, sizeof(base64)) > 0);
    snprintf(source, sizeof(source), "'sha256-%s'", base64);
    assert_non_null(list);
    found = strstr(list, source);
    if (!found || found > list + strcspn(list, ";"))
        fail_msg("the policy's %s lacks %s", field, source);
}

/* The text of each element of this kind. */
static void assert_elements_allowed(const char *page, const char *tag, const char *field,
                                    const char *policy)
{
    char open[16], close[16];

    snprintf(open, sizeof(open), "<%s", tag);
    snprintf(close, sizeof(close), "</%s>", tag);
    for (const char *p = page; (p = strstr(p, open)) != NULL;) {
        const char *text = strchr(p, '>') + 1;
        const char *end = strstr(text, close);

        assert_non_null(end);
        assert_allowed(policy, field, text, (size_t)(end - text));
        p = end;
    }
}

static void the_policy_names_style_and_scripts(void **state)
{
    (void)state;
    for (unsigned scripts = 0; scripts < 4; scripts++) {
        const char *policy = http_page_csp(scripts);
        hbytes_t out = {0};

        assert_int_equal(http_page_begin(&out, "x"), 0);
        if (scripts & HTTP_PAGE_UPLOAD_SCRIPT)
            assert_int_equal(http_page_upload_script(&out), 0);
        if (scripts & HTTP_PAGE_RELOAD_SCRIPT)
            assert_int_equal(http_page_reload_script(&out, "/events"), 0);
        assert_int_equal(http_page_end(&out, NULL), 0);
        assert_non_null(strstr(out.data, "<style>"));
        assert_elements_allowed(out.data, "style", "style-src", policy);
        assert_elements_allowed(out.data, "script", "script-src", policy);
        assert_int_equal(strstr(policy, "script-src") != NULL, scripts != 0);
        assert_non_null(strstr(policy, "default-src 'none'"));
        hbytes_deinit(&out);
    }
}

static void the_events_url_is_an_attribute(void **state)
{
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(http_page_reload_script(&out, "/\"><b>"), 0);
    assert_non_null(strstr(out.data, "data-events=\"/&quot;&gt;&lt;b&gt;\""));
    hbytes_deinit(&out);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static http_page_type_e chosen(const char *accept)
{
    return http_page_choose(http_span(accept));
}

static void the_client_chooses_the_type(void **state)
{
    (void)state;
    assert_int_equal(http_page_choose((http_span_t){NULL, 0}), HTTP_PAGE_HTML);
    assert_int_equal(chosen("*/*"), HTTP_PAGE_HTML);
    assert_int_equal(chosen("text/html,application/xhtml+xml,*/*;q=0.8"), HTTP_PAGE_HTML);
    assert_int_equal(chosen("application/json"), HTTP_PAGE_JSON);
    assert_int_equal(chosen("application/json, text/plain, */*;q=0.5"), HTTP_PAGE_JSON);
    assert_int_equal(chosen("text/plain"), HTTP_PAGE_TEXT);
    assert_int_equal(chosen("image/png"), HTTP_PAGE_HTML);
    assert_string_equal(http_page_content_type(HTTP_PAGE_HTML), "text/html; charset=utf-8");
    assert_string_equal(http_page_content_type(HTTP_PAGE_JSON), "application/json");
    assert_string_equal(http_page_content_type(HTTP_PAGE_TEXT), "text/plain; charset=utf-8");
}

static void errors_as_json_and_text(void **state)
{
    http_page_error_t error = {404, "Not Found", "No \"<x>\"\x1b here.", "hhttpd"};
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(http_page_error(HTTP_PAGE_JSON, &error, &out), 0);
    assert_string_equal(out.data, "{\"status\":404,\"error\":\"Not Found\","
                                  "\"detail\":\"No \\\"<x>\\\"\\u001b here.\"}\n");
    hbytes_clear(&out);
    assert_int_equal(http_page_error(HTTP_PAGE_TEXT, &error, &out), 0);
    assert_string_equal(out.data, "404 Not Found\nNo \"<x>\"\\x1b here.\n");
    hbytes_clear(&out);
    error.detail = NULL;
    assert_int_equal(http_page_error(HTTP_PAGE_JSON, &error, &out), 0);
    assert_string_equal(out.data, "{\"status\":404,\"error\":\"Not Found\"}\n");
    hbytes_clear(&out);
    assert_int_equal(http_page_error(HTTP_PAGE_TEXT, &error, &out), 0);
    assert_string_equal(out.data, "404 Not Found\n");
    hbytes_deinit(&out);
}

static void errors_as_a_page(void **state)
{
    const http_page_error_t error = {500, "Internal Server Error", "<x> & y", "a<b"};
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(http_page_error(HTTP_PAGE_HTML, &error, &out), 0);
    assert_int_equal(strncmp(out.data, "<!DOCTYPE html>\n", 16), 0);
    assert_non_null(strstr(out.data, "<title>500 Internal Server Error</title>"));
    assert_non_null(strstr(out.data, "<p>&lt;x&gt; &amp; y</p>"));
    assert_non_null(strstr(out.data, "<footer>a&lt;b</footer>"));
    assert_null(strstr(out.data, "<script"));
    assert_string_equal(out.data + out.len - 16, "</body>\n</html>\n");
    hbytes_deinit(&out);
}

static int write_errors(void *arg)
{
    const http_page_error_t error = {404, "Not Found", "nothing", "hhttpd"};
    hbytes_t out = {0};
    int err = 0;

    (void)arg;
    for (int type = HTTP_PAGE_HTML; type <= HTTP_PAGE_TEXT && !err; type++)
        err = http_page_error((http_page_type_e)type, &error, &out);
    hbytes_deinit(&out);
    return err;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(write_errors, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(what_cannot_be_seen_is_shown),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(nothing_is_written_past_the_maximum),
        cmocka_unit_test(the_policy_names_style_and_scripts),
        cmocka_unit_test(the_events_url_is_an_attribute),
        cmocka_unit_test(the_client_chooses_the_type),
        cmocka_unit_test(errors_as_json_and_text),
        cmocka_unit_test(errors_as_a_page),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests_name("http_page", tests, NULL, NULL);
}
