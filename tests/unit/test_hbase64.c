/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hbase64.h"
#include "base/herr.h"

static void encodes_to(hbase64_alphabet_e alphabet, const char *data, size_t len, const char *text)
{
    char buf[64];
    uint8_t back[64];

    assert_int_equal(hbase64_encode(alphabet, data, len, buf, sizeof(buf)), strlen(text));
    assert_string_equal(buf, text);
    assert_int_equal(hbase64_decode(alphabet, text, strlen(text), back, sizeof(back)), len);
    assert_memory_equal(back, data, len);
}

static void the_vectors_of_the_rfc_hold(void **state)
{
    (void)state;
    encodes_to(HBASE64_STANDARD, "", 0, "");
    encodes_to(HBASE64_STANDARD, "f", 1, "Zg==");
    encodes_to(HBASE64_STANDARD, "fo", 2, "Zm8=");
    encodes_to(HBASE64_STANDARD, "foo", 3, "Zm9v");
    encodes_to(HBASE64_STANDARD, "foob", 4, "Zm9vYg==");
    encodes_to(HBASE64_STANDARD, "fooba", 5, "Zm9vYmE=");
    encodes_to(HBASE64_STANDARD, "foobar", 6, "Zm9vYmFy");
}

static void the_alphabets_differ_in_two_characters_and_the_padding(void **state)
{
    (void)state;
    encodes_to(HBASE64_STANDARD, "\xfb\xff\xfe\x00", 4, "+//+AA==");
    encodes_to(HBASE64_URL, "\xfb\xff\xfe\x00", 4, "-__-AA");
    encodes_to(HBASE64_URL, "fooba", 5, "Zm9vYmE");
}

static void what_was_encoded_is_decoded_at_every_length(void **state)
{
    uint8_t data[100], back[100];
    char text[HBASE64_ENCODED_SIZE(sizeof(data))];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 91 + 7);
    for (size_t len = 0; len <= sizeof(data); len++) {
        for (int alphabet = 0; alphabet < 2; alphabet++) {
            ssize_t n = hbase64_encode(alphabet, data, len, text, sizeof(text));

            assert_true(n >= 0 && (size_t)n < HBASE64_ENCODED_SIZE(len));
            assert_int_equal(strlen(text), n);
            assert_true(len <= HBASE64_DECODED_SIZE((size_t)n));
            assert_int_equal(hbase64_decode(alphabet, text, (size_t)n, back, len), len);
            assert_memory_equal(back, data, len);
        }
    }
}

static void text_that_is_not_exactly_base64_is_refused(void **state)
{
    static const char *const standard[] = {
        "Z",    "Zg",     "Zg=",   "Zg===",      "=",        "====",     "Z===",
        "Zh==", "Zm9=",   "Zm9 ",  " Zm9v",      "Zm9v\n",   "Zm9vYg\n", "Zm=v",
        "-__-", "Zg==Zg", "Zg==A", "\xc3\xa4Zg", "Zm9vZ===", "Zg==Zg==",
    };
    static const char *const url[] = {"Z", "Zg==", "Zh", "Zm9", "+//+", "Zm9vZ"};
    uint8_t data[64];

    (void)state;
    for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]); i++)
        assert_int_equal(
            hbase64_decode(HBASE64_STANDARD, standard[i], strlen(standard[i]), data, sizeof(data)),
            HERR_SYNTAX);
    for (size_t i = 0; i < sizeof(url) / sizeof(url[0]); i++)
        assert_int_equal(hbase64_decode(HBASE64_URL, url[i], strlen(url[i]), data, sizeof(data)),
                         HERR_SYNTAX);
    assert_int_equal(hbase64_decode(HBASE64_STANDARD, "Zm\0v", 4, data, sizeof(data)), HERR_SYNTAX);
}

static void nothing_is_written_behind_the_buffer(void **state)
{
    char text[9] = "........";
    uint8_t data[6] = {0};

    (void)state;
    assert_int_equal(hbase64_encode(HBASE64_STANDARD, "foobar", 6, text, 8), -ENOBUFS);
    assert_string_equal(text, "........");
    assert_int_equal(hbase64_encode(HBASE64_STANDARD, "foobar", 6, text, 9), 8);
    assert_int_equal(hbase64_decode(HBASE64_STANDARD, "Zm9vYmFy", 8, data, 5), -ENOBUFS);
    assert_int_equal(data[5], 0);
    assert_int_equal(hbase64_encode(HBASE64_URL, "", 0, text, 0), -ENOBUFS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_hold),
        cmocka_unit_test(the_alphabets_differ_in_two_characters_and_the_padding),
        cmocka_unit_test(what_was_encoded_is_decoded_at_every_length),
        cmocka_unit_test(text_that_is_not_exactly_base64_is_refused),
        cmocka_unit_test(nothing_is_written_behind_the_buffer),
    };

    return cmocka_run_group_tests_name("hbase64", tests, NULL, NULL);
}
