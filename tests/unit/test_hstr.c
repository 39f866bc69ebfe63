/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "base/hstr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void copy_cuts_terminates_and_tells(void **state)
{
    char buf[4] = "zzz";

    (void)state;
    assert_int_equal(hstr_copy(buf, sizeof(buf), "abc"), 3);
    assert_string_equal(buf, "abc");
    assert_int_equal(hstr_copy(buf, sizeof(buf), "defgh"), 5);
    assert_string_equal(buf, "def");
    assert_int_equal(hstr_copy(buf, 1, "x"), 1);
    assert_string_equal(buf, "");
    assert_int_equal(hstr_copy(NULL, 0, "x"), 1);
}

static void numbers_are_read_up_to_their_limits(void **state)
{
    uint64_t u;
    int64_t i;

    (void)state;
    assert_int_equal(hstr_parse_u64("0", 0, UINT64_MAX, &u), 0);
    assert_true(u == 0);
    assert_int_equal(hstr_parse_u64("18446744073709551615", 0, UINT64_MAX, &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(hstr_parse_u64("0000000000000000000000065535", 1, 65535, &u), 0);
    assert_true(u == 65535);
    assert_int_equal(hstr_parse_i64("9223372036854775807", INT64_MIN, INT64_MAX, &i), 0);
    assert_true(i == INT64_MAX);
    assert_int_equal(hstr_parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(hstr_parse_i64("-0", 0, 0, &i), 0);
    assert_true(i == 0);
}

static void numbers_out_of_range_are_told_from_no_numbers(void **state)
{
    const char *none[] = {"",
                          "-",
                          "+1",
                          " 1",
                          "1 ",
                          "1x",
                          "x1",
                          "0x1",
                          "1.0",
                          "--1",
                          "1-",
                          "\xd9\xa1",
                          "99999999999999999999999x"};
    uint64_t u = 7;
    int64_t i = 7;

    (void)state;
    for (size_t n = 0; n < COUNT(none); n++) {
        assert_int_equal(hstr_parse_u64(none[n], 0, UINT64_MAX, &u), HERR_SYNTAX);
        assert_int_equal(hstr_parse_i64(none[n], INT64_MIN, INT64_MAX, &i), HERR_SYNTAX);
    }
    assert_int_equal(hstr_parse_u64("-1", 0, UINT64_MAX, &u), HERR_SYNTAX);
    assert_int_equal(hstr_parse_u64("18446744073709551616", 0, UINT64_MAX, &u), HERR_RANGE);
    assert_int_equal(hstr_parse_u64("18446744073709551620", 0, UINT64_MAX, &u), HERR_RANGE);
    assert_int_equal(hstr_parse_u64("184467440737095516150", 0, UINT64_MAX, &u), HERR_RANGE);
    assert_int_equal(hstr_parse_u64("65536", 0, 65535, &u), HERR_RANGE);
    assert_int_equal(hstr_parse_u64("0", 1, 65535, &u), HERR_RANGE);
    assert_int_equal(hstr_parse_i64("9223372036854775808", INT64_MIN, INT64_MAX, &i), HERR_RANGE);
    assert_int_equal(hstr_parse_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &i), HERR_RANGE);
    assert_int_equal(hstr_parse_i64("-6", -5, 5, &i), HERR_RANGE);
    assert_int_equal(hstr_parse_i64("6", -5, 5, &i), HERR_RANGE);
    assert_true(u == 7 && i == 7);
}

static void a_decimal_ends_where_its_unit_begins(void **state)
{
    static const struct {
        const char *text, *unit;
        uint64_t whole;
        uint32_t billionths;
    } decimals[] = {{"12.0345xyz", "xyz", 12, 34500000},
                    {"7", "", 7, 0},
                    {"0.99999999999999s", "s", 0, 999999999},
                    {"18446744073709551615..", NULL, 0, 0},
                    {"18446744073709551615 ", " ", UINT64_MAX, 0},
                    {"", NULL, 0, 0},
                    {".5", NULL, 0, 0},
                    {"x", NULL, 0, 0},
                    {"-1", NULL, 0, 0},
                    {"1.", NULL, 0, 0},
                    {"1.x", NULL, 0, 0}};
    const char *text = "18446744073709551616.5k";
    uint64_t whole;
    uint32_t billionths;

    (void)state;
    assert_int_equal(hstr_read_decimal(&text, &whole, &billionths), HERR_RANGE);
    assert_string_equal(text, "k");
    for (size_t i = 0; i < COUNT(decimals); i++) {
        text = decimals[i].text;
        if (!decimals[i].unit) {
            assert_int_equal(hstr_read_decimal(&text, &whole, &billionths), HERR_SYNTAX);
            continue;
        }
        assert_int_equal(hstr_read_decimal(&text, &whole, &billionths), 0);
        assert_string_equal(text, decimals[i].unit);
        assert_true(whole == decimals[i].whole && billionths == decimals[i].billionths);
    }
}

static void sizes_are_powers_of_1024(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } sizes[] = {{"0", 0},
                 {"4096", 4096},
                 {"17B", 17},
                 {"64k", 65536},
                 {"64K", 65536},
                 {"1KiB", 1024},
                 {"1kb", 1024},
                 {"3Ki", 3072},
                 {"1M", 1048576},
                 {"1.5M", 1572864},
                 {"0.1k", 102},
                 {"2G", 2147483648},
                 {"1T", 1ULL << 40},
                 {"1PiB", 1ULL << 50},
                 {"15E", 15ULL << 60},
                 {"15.5EiB", (15ULL << 60) + (1ULL << 59)},
                 {"18446744073709551615", UINT64_MAX}};
    uint64_t size;

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_int_equal(hstr_parse_size(sizes[i].text, UINT64_MAX, &size), 0);
        assert_true(size == sizes[i].size);
    }
}

static void a_size_that_is_none_is_refused(void **state)
{
    const char *none[] = {"",    "k",  "-1",    "1.5", "1.5B", "1 k",
                          "1kk", "1x", "1KiBs", "1iB", "1.M",  "1BB"};
    const char *large[] = {"16E", "18446744073709551616", "99999999999999999999999k",
                           "17179869184G"};
    uint64_t size = 7;

    (void)state;
    for (size_t i = 0; i < COUNT(none); i++)
        assert_int_equal(hstr_parse_size(none[i], UINT64_MAX, &size), HERR_SYNTAX);
    for (size_t i = 0; i < COUNT(large); i++)
        assert_int_equal(hstr_parse_size(large[i], UINT64_MAX, &size), HERR_RANGE);
    assert_int_equal(hstr_parse_size("1025", 1024, &size), HERR_RANGE);
    assert_true(size == 7);
    assert_int_equal(hstr_parse_size("1k", 1024, &size), 0);
}

static void booleans_have_four_spellings_each(void **state)
{
    const char *yes[] = {"yes", "YES", "on", "On", "true", "True", "1"};
    const char *no[] = {"no", "No", "off", "OFF", "false", "FALSE", "0"};
    const char *none[] = {"", "y", "n", "2", "01", "yess", "tru", " yes", "enable"};
    bool value;

    (void)state;
    for (size_t i = 0; i < COUNT(yes); i++) {
        value = false;
        assert_int_equal(hstr_parse_bool(yes[i], &value), 0);
        assert_true(value);
        assert_int_equal(hstr_parse_bool(no[i], &value), 0);
        assert_false(value);
    }
    for (size_t i = 0; i < COUNT(none); i++)
        assert_int_equal(hstr_parse_bool(none[i], &value), HERR_SYNTAX);
}

static void sizes_for_people_are_rounded_to_a_tenth(void **state)
{
    static const struct {
        uint64_t size;
        const char *text;
    } sizes[] = {{0, "0 B"},
                 {17, "17 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {1229, "1.2 KiB"},
                 {1075, "1.0 KiB"},
                 {1076, "1.1 KiB"},
                 {1048524, "1023.9 KiB"},
                 {1048525, "1.0 MiB"},
                 {1048575, "1.0 MiB"},
                 {1048576, "1.0 MiB"},
                 {3650722202, "3.4 GiB"},
                 {UINT64_MAX, "16.0 EiB"}};
    char buf[HSTR_SIZE_MAX], tiny[4];

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++)
        assert_string_equal(hstr_format_size(sizes[i].size, buf, sizeof(buf)), sizes[i].text);
    assert_string_equal(hstr_format_size(123456, tiny, sizeof(tiny)), "120");
}

static void comparison_ignores_ascii_case_only(void **state)
{
    (void)state;
    assert_true(hstr_ieq("", ""));
    assert_true(hstr_ieq("Content-Length", "content-LENGTH"));
    assert_false(hstr_ieq("abc", "abcd"));
    assert_false(hstr_ieq("abcd", "abc"));
    assert_false(hstr_ieq("[", "{"));
    assert_false(hstr_ieq("@", "`"));
    assert_false(hstr_ieq("\xc3\x84", "\xc3\xa4"));
    assert_true(hstr_starts("unix:/tmp", "unix:"));
    assert_true(hstr_starts("x", ""));
    assert_false(hstr_starts("uni", "unix:"));
    assert_false(hstr_starts("UNIX:", "unix:"));
}

/* Encodes by the plain rule, and expects every code point but surrogates to be taken. */
static void every_utf8_character_is_known(void **state)
{
    (void)state;
    for (uint32_t c = 1; c <= 0x110000; c++) {
        unsigned char s[4];
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

        for (size_t i = n - 1; i > 0; i--)
            s[i] = (unsigned char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
        s[0] = (unsigned char)(n == 1 ? c : (0xf00 >> n & 0xff) | c >> (6 * (n - 1)));
        if (hstr_utf8_len(s, n) != (valid ? n : 0))
            fail_msg("U+%04X", c);
        if (n > 1 && hstr_utf8_len(s, n - 1) != 0)
            fail_msg("U+%04X cut", c);
    }
}

static void malformed_utf8_is_refused(void **state)
{
    const char *wrong[] = {"\x80",
                           "\xc0\x80",
                           "\xc1\xbf",
                           "\xe0\x9f\xbf",
                           "\xed\xa0\x80",
                           "\xf0\x8f\xbf\xbf",
                           "\xf4\x90\x80\x80",
                           "\xf5\x80\x80\x80",
                           "\xff",
                           "\xc3(",
                           "\xe2\x82(",
                           "\xf0\x9f\x98("};

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(hstr_utf8_len(wrong[i], strlen(wrong[i])), 0);
        assert_false(hstr_is_utf8(wrong[i], strlen(wrong[i])));
    }
    assert_int_equal(hstr_utf8_len("", 0), 0);
    assert_true(hstr_is_utf8("", 0));
    assert_true(hstr_is_utf8("a\0\xc3\xa4", 4));
    assert_false(hstr_is_utf8("a\0\xc3\xa4", 3));
}

static void assert_escaped(const char *text, size_t len, const char *expected)
{
    char buf[200];

    assert_int_equal(hstr_escape(buf, sizeof(buf), text, len), strlen(expected));
    assert_string_equal(buf, expected);
}

static void untrusted_bytes_cannot_command_a_terminal(void **state)
{
    (void)state;
    assert_escaped("", 0, "");
    assert_escaped(NULL, 0, "");
    assert_escaped("plain ~!\\", 9, "plain ~!\\");
    assert_escaped("a\nb\r\tc\0d\x7f", 9, "a\\nb\\r\\tc\\x00d\\x7f");
    assert_escaped("\x1b[31m\a", 6, "\\x1b[31m\\x07");
    assert_escaped("gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x98\x80", 15,
                   "gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x98\x80");
    assert_escaped("\xff\xc3", 2, "\\xff\\xc3");
    assert_escaped("\xc2\x9b[2J", 5, "\\xc2\\x9b[2J");                         /* U+009B, CSI */
    assert_escaped("\xc2\xa0", 2, "\xc2\xa0");                                 /* U+00A0 */
    assert_escaped("\xe2\x80\xae", 3, "\\xe2\\x80\\xae");                      /* U+202E */
    assert_escaped("\xe2\x81\xa6", 3, "\\xe2\\x81\\xa6");                      /* U+2066 */
    assert_escaped("\xe2\x80\xaf\xe2\x80\xa7", 6, "\xe2\x80\xaf\xe2\x80\xa7"); /* beside them */
}

static void an_escape_is_never_cut(void **state)
{
    const char *text = "a\x01\xe4\xb8\xad\n", *whole = "a\\x01\xe4\xb8\xad\\n";
    const size_t ends[] = {0, 1, 5, 8, 10};
    char buf[12];

    (void)state;
    for (size_t size = 1; size <= sizeof(buf); size++) {
        size_t n, expected = 0;

        for (size_t i = 0; i < COUNT(ends) && ends[i] < size; i++)
            expected = ends[i];
        memset(buf, 'z', sizeof(buf));
        n = hstr_escape(buf, size, text, strlen(text));
        assert_int_equal(n, expected);
        assert_memory_equal(buf, whole, n);
        assert_int_equal(buf[n], '\0');
        for (size_t i = size; i < sizeof(buf); i++)
            assert_int_equal(buf[i], 'z');
    }
    assert_int_equal(hstr_escape(NULL, 0, "x", 1), 0);
}

static void escapes_that_a_person_typed_become_bytes(void **state)
{
    char buf[16];

    (void)state;
    assert_int_equal(hstr_unescape(buf, sizeof(buf), "a\\n\\r\\t\\\\\\x00\\xfF\\0"), 8);
    assert_memory_equal(buf, "a\n\r\t\\\0\xff\0", 8);
    assert_int_equal(hstr_unescape(buf, sizeof(buf), ""), 0);
    assert_int_equal(hstr_unescape(buf, 2, "ab"), 2);
    assert_int_equal(hstr_unescape(buf, 2, "abc"), HERR_RANGE);
}

static void a_backslash_before_nothing_known_is_refused(void **state)
{
    static const char *const wrong[] = {"\\", "a\\q", "\\x", "\\x1", "\\x1g", "\\xg1"};
    char buf[16];

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(hstr_unescape(buf, sizeof(buf), wrong[i]), HERR_SYNTAX);
}

static void each_hexadecimal_digit_has_a_value_and_nothing_else_has(void **state)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

    (void)state;
    for (int c = 0; c < 256; c++) {
        const char *found = c ? strchr(lower, c) : NULL;
        int value = found ? (int)(found - lower) : -1;

        found = c ? strchr(upper, c) : NULL;
        assert_int_equal(hstr_hex_digit((char)c), found ? (int)(found - upper) : value);
    }
}

static void a_secret_is_the_same_only_as_a_whole(void **state)
{
    static const char *const others[] = {"", "s", "secre", "secret!", "Secret", "secreT", "xecret"};

    (void)state;
    assert_true(hstr_same_secret("secret", "secret"));
    assert_true(hstr_same_secret("", ""));
    assert_false(hstr_same_secret("x", ""));
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(hstr_same_secret(others[i], "secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_cuts_terminates_and_tells),
        cmocka_unit_test(numbers_are_read_up_to_their_limits),
        cmocka_unit_test(numbers_out_of_range_are_told_from_no_numbers),
        cmocka_unit_test(a_decimal_ends_where_its_unit_begins),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(a_size_that_is_none_is_refused),
        cmocka_unit_test(booleans_have_four_spellings_each),
        cmocka_unit_test(sizes_for_people_are_rounded_to_a_tenth),
        cmocka_unit_test(comparison_ignores_ascii_case_only),
        cmocka_unit_test(every_utf8_character_is_known),
        cmocka_unit_test(malformed_utf8_is_refused),
        cmocka_unit_test(untrusted_bytes_cannot_command_a_terminal),
        cmocka_unit_test(an_escape_is_never_cut),
        cmocka_unit_test(escapes_that_a_person_typed_become_bytes),
        cmocka_unit_test(a_backslash_before_nothing_known_is_refused),
        cmocka_unit_test(each_hexadecimal_digit_has_a_value_and_nothing_else_has),
        cmocka_unit_test(a_secret_is_the_same_only_as_a_whole),
    };

    return cmocka_run_group_tests_name("hstr", tests, NULL, NULL);
}
