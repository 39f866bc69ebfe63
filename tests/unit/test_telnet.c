/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/telnet.h"

#define STREAM_MAX 256

typedef struct result_s {
    uint8_t data[STREAM_MAX], answers[STREAM_MAX];
    size_t len, answers_len;
} result_t;

static void feed(telnet_t *telnet, result_t *r, const uint8_t *bytes, size_t len)
{
    uint8_t *piece = malloc(len ? len : 1);
    uint8_t *answers = malloc(TELNET_ANSWERS_SIZE(len));
    size_t kept, answered;

    memcpy(piece, bytes, len);
    kept = telnet_receive(telnet, piece, len, answers, &answered);
    assert_true(kept <= len && answered <= TELNET_ANSWERS_SIZE(len));
    memcpy(r->data + r->len, piece, kept);
    memcpy(r->answers + r->answers_len, answers, answered);
    r->len += kept;
    r->answers_len += answered;
    free(piece);
    free(answers);
}

/* Cut everywhere, the result is the same. */
static void gives(const char *bytes, size_t len, const char *data, const char *answers)
{
    for (size_t cut = 0; cut <= len; cut++) {
        telnet_t telnet = {0};
        result_t r = {.len = 0};

        feed(&telnet, &r, (const uint8_t *)bytes, cut);
        feed(&telnet, &r, (const uint8_t *)bytes + cut, len - cut);
        assert_int_equal(r.len, strlen(data));
        assert_memory_equal(r.data, data, r.len);
        assert_int_equal(r.answers_len, strlen(answers));
        assert_memory_equal(r.answers, answers, r.answers_len);
    }
}

#define GIVES(bytes, data, answers) gives(bytes, sizeof(bytes) - 1, data, answers)

static void plain_data_passes(void **state)
{
    (void)state;
    GIVES("hello\r\n", "hello\r\n", "");
    GIVES("", "", "");
}

static void every_option_is_refused(void **state)
{
    (void)state;
    GIVES("a\xff\xfd\x01z", "az", "\xff\xfc\x01");                       /* DO -> WONT */
    GIVES("\xff\xfb\x03login: ", "login: ", "\xff\xfe\x03");             /* WILL -> DONT */
    GIVES("\xff\xfc\x01\xff\xfe\x01x", "x", "");                         /* WONT, DONT: nothing */
    GIVES("\xff\xfd\xff\xff\xfb\x18x", "x", "\xff\xfc\xff\xff\xfe\x18"); /* option 255 */
}

static void commands_and_subnegotiations_vanish(void **state)
{
    (void)state;
    GIVES("a\xff\xf1\xff\xf9"
          "b",
          "ab", "");
    GIVES("a\xff\xfa\x18\x01xx\xff\xffyy\xff\xf0"
          "b",
          "ab", "");
    GIVES("a\xff\xf0"
          "b",
          "ab", ""); /* an SE that ends nothing */
}

static void a_doubled_255_is_data(void **state)
{
    (void)state;
    GIVES("a\xff\xff"
          "b\xff\xff\xff\xff",
          "a\xff"
          "b\xff\xff",
          "");
}

static void as_many_answers_as_fit_are_made_from_one_byte_at_a_time(void **state)
{
    telnet_t telnet = {0};
    result_t r = {.len = 0};

    (void)state;
    for (int i = 0; i < 30; i++)
        feed(&telnet, &r, (const uint8_t *)"\xff\xfd\x01" + i % 3, 1);
    assert_int_equal(r.answers_len, 30);
    memset(&telnet, 0, sizeof(telnet));
    feed(&telnet, &r, (const uint8_t *)"\xff\xfd", 2);
    feed(&telnet, &r, (const uint8_t *)"\x01\xff\xfd\x01", 4);
    assert_int_equal(r.answers_len, 36);
}

static void sent_255_is_doubled_and_comes_back_as_it_was(void **state)
{
    uint8_t data[512], out[TELNET_ESCAPED_SIZE(sizeof(data))], answers[sizeof(out) + 3];
    telnet_t telnet = {0};
    size_t n, answered;

    (void)state;
    assert_int_equal(telnet_escape("a\xff", 2, out), 3);
    assert_memory_equal(out, "a\xff\xff", 3);
    assert_int_equal(telnet_escape("", 0, out), 0);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i % 3 ? i : 255);
    n = telnet_escape(data, sizeof(data), out);
    assert_true(n > sizeof(data) && n <= sizeof(out));
    assert_int_equal(telnet_receive(&telnet, out, n, answers, &answered), sizeof(data));
    assert_int_equal(answered, 0);
    assert_memory_equal(out, data, sizeof(data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_data_passes),
        cmocka_unit_test(every_option_is_refused),
        cmocka_unit_test(commands_and_subnegotiations_vanish),
        cmocka_unit_test(a_doubled_255_is_data),
        cmocka_unit_test(as_many_answers_as_fit_are_made_from_one_byte_at_a_time),
        cmocka_unit_test(sent_255_is_doubled_and_comes_back_as_it_was),
    };

    return cmocka_run_group_tests_name("telnet", tests, NULL, NULL);
}
