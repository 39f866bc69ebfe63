/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/http_rest.h"

#define BEHIND "GET / HTTP/1.1\r\n"

/* However it is cut, this much of text is the body. */
static void ends_at(http_rest_t begin, const char *text, size_t end)
{
    size_t len = strlen(text);

    for (size_t cut = 0; cut <= len; cut++) {
        http_rest_t rest = begin;
        ssize_t first = http_rest_take(&rest, text, cut);
        ssize_t second = http_rest_take(&rest, text + cut, len - cut);

        assert_true(first >= 0 && second >= 0);
        assert_int_equal(first, cut < end ? cut : end);
        assert_int_equal(first + second, end);
        assert_true(rest == 0);
    }
    for (size_t cut = 0; cut < end; cut++) {
        http_rest_t rest = begin;

        assert_int_equal(http_rest_take(&rest, text, cut), cut);
        assert_true(rest != 0);
    }
}

static void a_length_is_counted_down(void **state)
{
    http_rest_t rest = http_rest_length(HTTP_REST_LENGTH_MAX);

    (void)state;
    ends_at(http_rest_length(5), "01234" BEHIND, 5);
    ends_at(http_rest_length(0), BEHIND, 0);
    assert_int_equal(http_rest_take(&rest, "abc", 3), 3);
    assert_true(rest == http_rest_length(HTTP_REST_LENGTH_MAX - 3));
}

static void chunks_end_with_the_last_one(void **state)
{
    static const char *const bodies[] = {
        "0\r\n\r\n",
        "5\r\n01234\r\n0\r\n\r\n",
        "005;a=b\r\n01234\r\n1 \r\nx\r\n000\r\n\r\n",
        "A\r\n0\r\n0\r\n\r\n56\r\na;x=\"y\"\r\n0123456789\r\n0;e\r\nX-A: b\r\nY: \r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text), "%s%s", bodies[i], BEHIND);
        ends_at(http_rest_chunks(), text, strlen(bodies[i]));
    }
}

static void what_is_no_chunk_is_refused(void **state)
{
    static const char *const wrong[] = {
        "\r\n",          "g\r\n",     "-1\r\n",     " 5\r\n",
        "5\n",           "5\rx",      "5;a\nb",     "1\r\nxy",
        "1\r\nx\n",      "1\r\nx\rz", "0\r\nX\n\n", "0\r\n\n",
        "0\r\nX\r\nY\n", "0\r\n\rx",  "0x5\r\n",    "ffffffffffffffffffff\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        http_rest_t rest = http_rest_chunks();

        if (http_rest_take(&rest, wrong[i], strlen(wrong[i])) != HERR_PROTOCOL)
            fail_msg("taken: %s", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_length_is_counted_down),
        cmocka_unit_test(chunks_end_with_the_last_one),
        cmocka_unit_test(what_is_no_chunk_is_refused),
    };

    return cmocka_run_group_tests_name("http_rest", tests, NULL, NULL);
}
