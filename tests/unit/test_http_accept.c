/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/http_accept.h"

/* On a copy that is no byte longer. */
static int quality(http_accept_e what, const char *field, const char *offer)
{
    size_t len = strlen(field);
    char *copy = malloc(len ? len : 1);
    int q;

    assert_non_null(copy);
    memcpy(copy, field, len);
    q = http_accept_quality(what, (http_span_t){copy, len}, offer);
    free(copy);
    return q;
}

static int type(const char *field, const char *offer)
{
    return quality(HTTP_ACCEPT_TYPE, field, offer);
}

static int coding(const char *field, const char *offer)
{
    return quality(HTTP_ACCEPT_CODING, field, offer);
}

static int language(const char *field, const char *offer)
{
    return quality(HTTP_ACCEPT_LANGUAGE, field, offer);
}

/* The table of RFC 9110 section 12.5.1. */
static void types_as_in_the_rfc(void **state)
{
    static const char field[] = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, "
                                "text/plain;format=fixed;q=0.4, */*;q=0.5";

    (void)state;
    assert_int_equal(type(field, "text/plain;format=flowed"), 1000);
    assert_int_equal(type(field, "text/plain"), 700);
    assert_int_equal(type(field, "text/html"), 300);
    assert_int_equal(type(field, "image/jpeg"), 500);
    assert_int_equal(type(field, "text/plain;format=fixed"), 400);
    assert_int_equal(type(field, "text/html;level=3"), 300);
}

static void types_of_browsers(void **state)
{
    static const char field[] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    (void)state;
    assert_int_equal(type(field, "text/html"), 1000);
    assert_int_equal(type(field, "application/json"), 800);
    assert_int_equal(type("application/json", "text/html"), 0);
    assert_int_equal(type("", "text/html"), 0);
    assert_int_equal(type("TEXT/HTML", "text/html"), 1000);
    assert_int_equal(type("text/html;q=0", "text/html"), 0);
    assert_int_equal(type("text/x;a=\"1,2;q=0\" , text/html;q=0.1", "text/html"), 100);
    assert_int_equal(type("text/html ; q=0.2 ; ext=1", "text/html"), 200);
    assert_int_equal(http_accept_quality(HTTP_ACCEPT_TYPE, (http_span_t){0}, "text/html"), 1000);
}

static void malformed_elements_are_absent(void **state)
{
    static const char *const bad[] = {
        "gzip;q=2",  "gzip;q=1.001", "gzip;q=0.1234", "gzip;q=", "gzip;q=a",
        "gzip;q=.5", "gzip;q",       "gzip;q=-1",     ";q=1",    ";",
        "gzip x",    "gzip;q=0,5",   "gzip;\"q\"=1"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(coding(bad[i], "gzip"), 0);
    assert_int_equal(coding("gzip;q=2, br;q=0.5", "br"), 500);
}

static void codings_and_identity(void **state)
{
    (void)state;
    assert_int_equal(coding("gzip, br", "br"), 1000);
    assert_int_equal(coding("x-gzip", "gzip"), 1000);
    assert_int_equal(coding("gzip;q=1.000;", "gzip"), 1000);
    assert_int_equal(coding("gzip;q=0.", "gzip"), 0);
    assert_int_equal(coding("*;q=0.2, br", "gzip"), 200);
    assert_int_equal(coding("gzip;q=0.001", "identity"), 1);
    assert_int_equal(coding("", "identity"), 1);
    assert_int_equal(coding("", "gzip"), 0);
    assert_int_equal(coding("*;q=0", "identity"), 0);
    assert_int_equal(coding("identity;q=0", "identity"), 0);
    assert_int_equal(coding("*;q=0, identity;q=0.3", "identity"), 300);
    assert_int_equal(http_accept_quality(HTTP_ACCEPT_CODING, (http_span_t){0}, "identity"), 1000);
    assert_int_equal(http_accept_quality(HTTP_ACCEPT_CODING, (http_span_t){0}, "gzip"), 0);
}

static void languages_and_their_regions(void **state)
{
    (void)state;
    assert_int_equal(language("da, en-GB;q=0.8, en;q=0.7", "en-GB"), 800);
    assert_int_equal(language("da, en-GB;q=0.8, en;q=0.7", "en-US"), 700);
    assert_int_equal(language("da, en-GB;q=0.8, en;q=0.7", "en"), 700);
    assert_int_equal(language("en-US;q=0.9", "en"), 900);
    assert_int_equal(language("de", "den"), 0);
    assert_int_equal(language("den", "de"), 0);
    assert_int_equal(language("*;q=0.1, de", "fr"), 100);
    assert_int_equal(language("de-*", "fr"), 0);
}

static void the_best_offer_is_chosen(void **state)
{
    static const char *const offers[] = {"br", "gzip", "identity"};

    (void)state;
#define CHOOSE(field) http_accept_choose(HTTP_ACCEPT_CODING, field, offers, 3)
    assert_int_equal(CHOOSE(HTTP_SPAN("gzip, deflate, br")), 0);
    assert_int_equal(CHOOSE(HTTP_SPAN("gzip;q=0.9, br;q=0.8")), 1);
    assert_int_equal(CHOOSE(HTTP_SPAN("deflate")), 2);
    assert_int_equal(CHOOSE(HTTP_SPAN("")), 2);
    assert_int_equal(CHOOSE(((http_span_t){0})), 2);
    assert_int_equal(CHOOSE(HTTP_SPAN("identity;q=0")), -ENOENT);
}

static void elements_have_a_maximum(void **state)
{
    char field[HTTP_ACCEPT_ELEMENTS_MAX * 2 + 3];

    (void)state;
    for (size_t i = 0; i < sizeof(field); i++)
        field[i] = i % 2 ? ',' : 'x';
    memcpy(field + sizeof(field) - 3, "br", 3);
    assert_int_equal(coding(field, "br"), 0);
    assert_int_equal(coding(field + 2, "br"), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_as_in_the_rfc),           cmocka_unit_test(types_of_browsers),
        cmocka_unit_test(malformed_elements_are_absent), cmocka_unit_test(codings_and_identity),
        cmocka_unit_test(languages_and_their_regions),   cmocka_unit_test(the_best_offer_is_chosen),
        cmocka_unit_test(elements_have_a_maximum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
