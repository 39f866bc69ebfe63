/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/multipart.h"
#include "oom.h"

#define BOUNDARY HTTP_SPAN("b")

/* What the callbacks saw: "{fields|data}" for each part. */
typedef struct seen_s {
    char text[4096];
    size_t len;
    int refuse; /* what data answers */
} seen_t;

static void note(seen_t *seen, const char *data, size_t len)
{
    assert_true(seen->len + len < sizeof(seen->text));
    memcpy(seen->text + seen->len, data, len);
    seen->len += len;
    seen->text[seen->len] = '\0';
}

static int on_part(http_span_t fields, void *arg)
{
    http_span_t value = {0};

    note(arg, "{", 1);
    if (http_field_find(fields, "a", &value))
        note(arg, value.data, value.len);
    note(arg, "|", 1);
    return 0;
}

static int on_data(const char *data, size_t len, void *arg)
{
    seen_t *seen = arg;

    assert_true(len > 0);
    note(seen, data, len);
    return seen->refuse;
}

static int on_end(void *arg)
{
    note(arg, "}", 1);
    return 0;
}

static const multipart_callbacks_t callbacks = {on_part, on_data, on_end};

/* In pieces of so many bytes, each of them a copy that is no byte longer. */
static int feed(multipart_t *m, const char *text, size_t len, size_t piece)
{
    int err = 0;

    for (size_t at = 0, n; err == 0 && at < len; at += n) {
        char *copy;

        n = len - at < piece ? len - at : piece;
        copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, text + at, n);
        err = multipart_feed(m, copy, n);
        free(copy);
    }
    return err;
}

/* Cut into two at every byte, and into single bytes. */
static void gives(const char *text, int expected_err, const char *expected)
{
    size_t len = strlen(text);

    for (size_t cut = 0; cut <= len; cut++) {
        seen_t seen = {.len = 0};
        multipart_t m;
        int err;

        assert_int_equal(multipart_init(&m, BOUNDARY, &callbacks, &seen), 0);
        err = feed(&m, text, cut, cut == len ? 1 : len);
        if (err == 0)
            err = feed(&m, text + cut, len - cut, len);
        if (err == 0)
            err = multipart_finish(&m);
        assert_int_equal(err, expected_err);
        assert_int_equal(multipart_finish(&m), err);
        assert_string_equal(seen.text, expected);
        multipart_deinit(&m);
    }
}

static void parts_come_one_after_another(void **state)
{
    (void)state;
    gives("--b\r\na: 1\r\n\r\nx\r\n--b\r\nA: 2\r\n\r\nyz\r\n--b--\r\n", 0, "{1|x}{2|yz}");
    gives("--b\r\n\r\nx\r\n--b--", 0, "{|x}");
    gives("--b\r\n\r\n\r\n--b--", 0, "{|}");
    gives("--b\r\n\r\n--b--", 0, "{|}");
    gives("pre\r\namble\r\n--b \t\r\n\r\nx\r\n--b--epilogue\r\n--b\r\n", 0, "{|x}");
    gives("\r\n--b\r\n\r\nx\r\n--b--", 0, "{|x}");
    gives("--b--", 0, "");
}

static void what_looks_like_a_boundary_is_data(void **state)
{
    (void)state;
    gives("--b\r\n\r\n\r\n--a\r\n-\r\r\n\r\n--\r\n--b--", 0, "{|\r\n--a\r\n-\r\r\n\r\n--}");
    gives("--b\r\n\r\n--b x--b\n--b\r--b\r\n--b--", HERR_PROTOCOL, "{|}");
    gives("--b\r\n\r\nx--b\n--b\r--b\r\n--b--", 0, "{|x--b\n--b\r--b}");
}

static void other_bytes_are_errors(void **state)
{
    (void)state;
    gives("--bx\r\n\r\n", HERR_PROTOCOL, "");
    gives("--b\n\r\nx", HERR_PROTOCOL, "");
    gives("--b-\r\n", HERR_PROTOCOL, "");
    gives("--b\r\nno field\r\n\r\nx\r\n--b--", HERR_PROTOCOL, "");
    gives("--b\r\na: 1\r\n folded\r\n\r\nx\r\n--b--", HERR_PROTOCOL, "");
    gives("--b\r\na : 1\r\n\r\nx\r\n--b--", HERR_PROTOCOL, "");
}

static void an_end_that_is_missing_is_told(void **state)
{
    static const char text[] = "--b\r\na: 1\r\n\r\nx\r\n--b--";

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        seen_t seen = {.len = 0};
        multipart_t m;

        assert_int_equal(multipart_init(&m, BOUNDARY, &callbacks, &seen), 0);
        assert_int_equal(feed(&m, text, len, len), 0);
        assert_int_equal(multipart_finish(&m), HERR_TRUNCATED);
        multipart_deinit(&m);
    }
}

static void everything_has_a_maximum(void **state)
{
    static char preamble[MULTIPART_PREAMBLE_MAX + 2];
    char fields[8 * (MULTIPART_FIELDS_MAX + 2)] = "--b\r\n";
    multipart_callbacks_t none = {0};
    multipart_t m;

    (void)state;
    memset(preamble, 'x', sizeof(preamble));
    assert_int_equal(multipart_init(&m, BOUNDARY, &none, NULL), 0);
    assert_int_equal(multipart_feed(&m, preamble, sizeof(preamble)), HERR_FRAME_SIZE);
    multipart_deinit(&m);

    assert_int_equal(multipart_init(&m, BOUNDARY, &none, NULL), 0);
    m.parts_max = 2;
    assert_int_equal(multipart_feed(&m, "--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b\r", 22), 0);
    assert_int_equal(multipart_feed(&m, "\n", 1), HERR_FRAME_SIZE);
    assert_int_equal(multipart_feed(&m, "x", 1), HERR_FRAME_SIZE);
    multipart_deinit(&m);

    assert_int_equal(multipart_init(&m, BOUNDARY, &none, NULL), 0);
    m.head_max = 8;
    assert_int_equal(multipart_feed(&m, "--b\r\na: 1\r\n\r\n", 13), 0);
    assert_int_equal(multipart_feed(&m, "\r\n--b\r\na: 12\r\n\r\n", 16), HERR_FRAME_SIZE);
    multipart_deinit(&m);

    for (size_t i = 0; i <= MULTIPART_FIELDS_MAX; i++)
        memcpy(fields + 5 + 6 * i, "a: 1\r\n", 6);
    memcpy(fields + 5 + 6 * (MULTIPART_FIELDS_MAX + 1), "\r\n", 2);
    assert_int_equal(multipart_init(&m, BOUNDARY, &none, NULL), 0);
    assert_int_equal(multipart_feed(&m, fields, 7 + 6 * (MULTIPART_FIELDS_MAX + 1)),
                     HERR_FRAME_SIZE);
    multipart_deinit(&m);
}

static void a_callback_may_end_it(void **state)
{
    seen_t seen = {.refuse = -ENOSPC};
    multipart_t m;

    (void)state;
    assert_int_equal(multipart_init(&m, BOUNDARY, &callbacks, &seen), 0);
    assert_int_equal(multipart_feed(&m, "--b\r\n\r\nx\r\n--b--", 16), -ENOSPC);
    assert_int_equal(multipart_finish(&m), -ENOSPC);
    assert_string_equal(seen.text, "{|x");
    multipart_deinit(&m);
}

static int boundary(const char *type, const char *expected)
{
    http_span_t found = {0};
    int err = multipart_boundary(http_span(type), &found);

    if (err == 0) {
        assert_int_equal(found.len, strlen(expected));
        assert_memory_equal(found.data, expected, found.len);
    }
    return err;
}

static void boundaries_of_content_types(void **state)
{
    char longest[] = "multipart/x; boundary="
                     "0123456789012345678901234567890123456789012345678901234567890123456789x";

    (void)state;
    assert_int_equal(boundary("multipart/form-data; boundary=----WebKit", "----WebKit"), 0);
    assert_int_equal(boundary("Multipart/Mixed;x=y; BOUNDARY=\"a b:c\"; z=1", "a b:c"), 0);
    assert_int_equal(boundary("multipart/form-data", ""), HERR_SYNTAX);
    assert_int_equal(boundary("multipart/form-data; boundary=", ""), HERR_SYNTAX);
    assert_int_equal(boundary("multipart/form-data; boundary=\"a ", ""), HERR_SYNTAX);
    assert_int_equal(boundary("multipart/form-data; boundary=\"a \"", ""), HERR_SYNTAX);
    assert_int_equal(boundary("multipart/form-data; boundary=\"\"", ""), HERR_SYNTAX);
    assert_int_equal(boundary("text/plain; boundary=a", ""), HERR_UNSUPPORTED);
    assert_int_equal(boundary("multipart", ""), HERR_UNSUPPORTED);
    assert_int_equal(boundary("", ""), HERR_UNSUPPORTED);
    assert_int_equal(boundary(longest, ""), HERR_SYNTAX);
    longest[sizeof(longest) - 2] = '\0';
    assert_int_equal(boundary(longest, longest + 22), 0);
}

static void what_is_written_is_parsed(void **state)
{
    char text[256], small[64];
    size_t len;

    (void)state;
    len = (size_t)multipart_write_head(BOUNDARY, true, HTTP_SPAN("a: 1\r\n"), text, sizeof(text));
    text[len++] = 'x';
    len += (size_t)multipart_write_head(BOUNDARY, false, HTTP_SPAN("a: 2\r\n"), text + len,
                                        sizeof(text) - len);
    len += (size_t)multipart_write_end(BOUNDARY, text + len, sizeof(text) - len);
    assert_int_equal(len, strlen(text));
    gives(text, 0, "{1|x}{2|}");
    for (size_t size = 0; size < 10; size++)
        assert_int_equal(multipart_write_end(BOUNDARY, small, size), -ENOBUFS);
    assert_int_equal(multipart_write_end(BOUNDARY, small, 10), 9);
    assert_int_equal(multipart_write_end(HTTP_SPAN("a\r"), small, 64), -EINVAL);
    assert_int_equal(multipart_write_head(HTTP_SPAN(""), true, HTTP_SPAN(""), small, 64), -EINVAL);
}

static int parse_one(void *arg)
{
    static const char text[] = "--b\r\na: 1\r\n\r\nx\r\n--b--";
    multipart_callbacks_t none = {0};
    multipart_t m;
    int err = multipart_init(&m, BOUNDARY, &none, NULL);

    (void)arg;
    if (err == 0)
        err = multipart_feed(&m, text, sizeof(text) - 1);
    multipart_deinit(&m);
    return err;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(parse_one, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_come_one_after_another),
        cmocka_unit_test(what_looks_like_a_boundary_is_data),
        cmocka_unit_test(other_bytes_are_errors),
        cmocka_unit_test(an_end_that_is_missing_is_told),
        cmocka_unit_test(everything_has_a_maximum),
        cmocka_unit_test(a_callback_may_end_it),
        cmocka_unit_test(boundaries_of_content_types),
        cmocka_unit_test(what_is_written_is_parsed),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
