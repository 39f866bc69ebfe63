/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include <cmocka.h>

#include "base/herr.h"
#include "hnmap_targets.h"

static void stands_for(const char *words, uint64_t count, const char *expected)
{
    are(targets_of(AF_INET, words), count, expected);
}

static void stands_for_ipv6(const char *words, uint64_t count, const char *expected)
{
    are(targets_of(AF_INET6, words), count, expected);
}

/* ---- words ---- */

static void octets_are_lists_and_ranges(void **state)
{
    (void)state;
    stands_for("10.0.0.1", 1, "10.0.0.1");
    stands_for("010.0.00.001", 1, "10.0.0.1");
    stands_for("10.0.0.1-3,2", 3, "10.0.0.1 10.0.0.2 10.0.0.3");
    stands_for("10.0.0.9,1", 2, "10.0.0.1 10.0.0.9");
    stands_for("10.0.3-4,7.1-2", 6, "10.0.3.1 10.0.3.2 10.0.4.1 10.0.4.2 10.0.7.1 10.0.7.2");
    stands_for("10.0.0.254-", 2, "10.0.0.254 10.0.0.255");
    stands_for("10.0.0.-1", 2, "10.0.0.0 10.0.0.1");
    stands_for("-1.2.3.4", 2, "0.2.3.4 1.2.3.4");
    stands_for("10.0.0.-", 256, "10.0.0.0 10.0.0.1 10.0.0.2 +");
    stands_for("10.0.0.*", 256, "10.0.0.0 10.0.0.1 10.0.0.2 +");
    stands_for("10.0.*.1", 256, "10.0.0.1 10.0.1.1 10.0.2.1 +");
    stands_for("*.*.*.*", UINT64_C(1) << 32, "0.0.0.0 0.0.0.1 +");
    stands_for("-.-.-.1-255", (UINT64_C(1) << 24) * 255, "0.0.0.1 0.0.0.2 +");
    stands_for("10.0.0.1 10.0.0.1", 2, "10.0.0.1 10.0.0.1");
    stands_for("10.0.0.1 10.0.0.2 10.0.0.4 10.0.0.3", 4, "10.0.0.1 10.0.0.2 10.0.0.4 10.0.0.3");
    stands_for("255.255.255.255 0.0.0.0", 2, "255.255.255.255 0.0.0.0");
    stands_for("", 0, "");
}

static void bits_widen_what_is_in_front(void **state)
{
    (void)state;
    stands_for("10.0.0.1/30", 4, "10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3");
    stands_for("10.0.0.5/31", 2, "10.0.0.4 10.0.0.5");
    stands_for("10.0.0.5/32", 1, "10.0.0.5");
    stands_for("10.0.0.1/024", 256, "10.0.0.0 10.0.0.1 +");
    stands_for("10.1.2.3/8", UINT64_C(1) << 24, "10.0.0.0 10.0.0.1 +");
    stands_for("1.2.3.4/0", UINT64_C(1) << 32, "0.0.0.0 0.0.0.1 +");
    stands_for("10.0.0-1.0/31", 4, "10.0.0.0 10.0.0.1 10.0.1.0 10.0.1.1");
    stands_for("10.0.0.5-7/30", 4, "10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7");
    stands_for("10.0.0.1,9/31", 4, "10.0.0.0 10.0.0.1 10.0.0.8 10.0.0.9");
    stands_for("10.0.1,9.9/15", 131072, "10.0.0.0 +");
}

static void numbers_of_inet_aton_are_names(void **state)
{
    (void)state;
    stands_for("127.1", 1, "127.0.0.1=127.1");
    stands_for("10", 1, "0.0.0.10=10");
    stands_for("0x7f.1 10.0.0.0x1", 2, "127.0.0.1=0x7f.1 10.0.0.1=10.0.0.0x1");
    stands_for("127.1/31", 2, "127.0.0.0 127.0.0.1=127.1");
}

static void ipv6_has_networks_and_zones(void **state)
{
    (void)state;
    stands_for_ipv6("::1", 1, "::1");
    stands_for_ipv6("::1 ::1", 2, "::1 ::1");
    stands_for_ipv6("2001:db8::5/126", 4, "2001:db8::4 2001:db8::5 2001:db8::6 2001:db8::7");
    stands_for_ipv6("2001:db8::/64", UINT64_MAX, "2001:db8:: 2001:db8::1 +");
    stands_for_ipv6("::ffff:1.2.3.4", 1, "::ffff:1.2.3.4");
    stands_for_ipv6("fe80::1%lo/127", 2, "fe80::%lo fe80::1%lo");
    stands_for_ipv6("::ffff:ffff:ffff:ffff/127", 2, "::ffff:ffff:ffff:fffe ::ffff:ffff:ffff:ffff");
}

/* ---- mistakes ---- */

static void refused_by(int family, const char *word, int expected, const char *text)
{
    targets_t *targets = targets_new(family);
    int err = targets_add(targets, word);

    if (err != expected || strstr(targets_error(targets), text) == NULL)
        print_error("%s: %d, %s\n", word, err, targets_error(targets));
    assert_int_equal(err, expected);
    assert_non_null(strstr(targets_error(targets), text));
    assert_int_equal(targets_ready(targets), 0);
    assert_true(targets_count(targets) == 0);
    targets_free(targets);
}

static void refused(const char *word, const char *text)
{
    refused_by(AF_INET, word, HERR_SYNTAX, text);
}

static void too_much(const char *word, const char *text)
{
    refused_by(AF_INET, word, HERR_RANGE, text);
}

static void mistakes_are_told_with_their_part(void **state)
{
    (void)state;
    refused("", "\"\": neither an address nor a host name");
    refused("/24", "\"/24\": neither an address nor a host name");
    too_much("10.0.0.256", "\"10.0.0.256\": \"256\" in octet 4 is more than 255");
    too_much("10.0.1-300.1", "\"1-300\" in octet 3 is more than 255");
    too_much("10.0.0.3-1", "\"3-1\" in octet 4 is upside down: 1-3 is meant?");
    refused("10.0.0.1,", "octet 4 lacks a number behind its comma");
    refused("10.0.0.,1", "octet 4 lacks a number");
    refused("10.0.0.1,,2", "octet 4 lacks a number behind its comma");
    refused("10.0.0.", "octet 4 lacks a number");
    refused("10..0.1", "octet 2 lacks a number");
    refused(".10.0.1", "octet 1 lacks a number");
    refused("10.0.0.1-2-3", "\"1-2-3\" in octet 4 is no number, range");
    refused("10.0.0.1--3", "\"1--3\" in octet 4 is no number, range");
    refused("10.0.0.1*", "\"1*\" in octet 4 is no number");
    refused("10.0.0.*,1", "\"*\" in octet 4 is no number");
    refused("10.0.0.1.5", "5 octets, but an IPv4 address has 4");
    refused("10.0.1-5", "3 octets, but an IPv4 address has 4");
    refused("1-5", "1 octet, but an IPv4 address has 4");
    too_much("10.0.0.1/33", "\"/33\" is more than /32");
    too_much("10.0.0.1/99999999999", "\"/99999999\" is more than /32");
    refused("10.0.0.1/", "\"/\" is no number of bits, /0 to /32");
    refused("10.0.0.1/x", "\"/x\" is no number of bits, /0 to /32");
    refused("10.0.0.1/-1", "\"/-1\" is no number of bits");
    refused("10.0.0.1/30/3", "more than one /");
    refused("http://localhost/", "a URL is no target");
    refused("http://localhost", "a URL is no target");
    refused("localhost:80", "a port is no part of a target");
    refused("10.0.0.1:80", "a port is no part of a target");
    refused("foo bar", "\" \" stands in no host name");
    refused("foo\x1b", "\"foo\\x1b\": \"\\x1b\" stands in no host name");
    refused("a..b", "nothing stands in front of a dot");
    refused("-sS", "a host name does not begin with \"-\"");
    refused("eth0%1", "an interface follows an IPv6 address only");
}

static void mistakes_of_ipv6_are_told(void **state)
{
    (void)state;
    refused("::1", "\"::1\": an IPv6 address; -6 scans these");
    refused_by(AF_INET6, "10.0.0.1", HERR_SYNTAX, "an IPv4 address, and -6 scans IPv6");
    refused_by(AF_INET6, "127.1", HERR_SYNTAX, "an IPv4 address, and -6 scans IPv6");
    refused_by(AF_INET6, "[::1]", HERR_SYNTAX, "without brackets");
    refused_by(AF_INET6, "2001:db8::1-5", HERR_SYNTAX, "no lists, ranges or *");
    refused_by(AF_INET6, "2001:db8::*", HERR_SYNTAX, "no lists, ranges or *");
    refused_by(AF_INET6, "2001:db8:::", HERR_SYNTAX, "\"2001:db8:::\" is no IPv6 address");
    refused_by(AF_INET6, "::/129", HERR_RANGE, "\"/129\" is more than /128");
    refused_by(AF_INET6, "2001:db8::/63", HERR_RANGE, "is scanned from /64 on");
    refused_by(AF_INET6, "::/0", HERR_RANGE, "is scanned from /64 on");
    refused_by(AF_INET6, "example.com/32", HERR_RANGE, "is scanned from /64 on");
    refused_by(AF_INET6, "::1%", HERR_SYNTAX, "an interface is missing");
    refused_by(AF_INET6, "fe80::1%nosuch", -ENODEV, "there is no interface");
}

static void long_words_are_refused(void **state)
{
    char word[TARGETS_WORD_MAX + 2];

    (void)state;
    memset(word, 'a', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    refused(word, "aaa...\": more than 4095 bytes");
    word[TARGETS_WORD_MAX] = '\0';
    refused(word, "a part of a host name has at most 63 bytes");
    for (size_t i = 40; i < sizeof(word); i += 40)
        word[i] = '.';
    word[TARGETS_NAME_MAX + 1] = '\0';
    refused(word, "a host name has at most 253 bytes");
}

static void more_than_a_number_holds_is_refused(void **state)
{
    targets_t *targets = targets_of(AF_INET6, "2001:db8::/64");

    (void)state;
    assert_int_equal(targets_add(targets, "::1"), HERR_RANGE);
    assert_non_null(strstr(targets_error(targets), "\"::1\": with it there are 2^64"));
    are(targets, UINT64_MAX, "2001:db8:: 2001:db8::1 +");
}

/* ---- files ---- */

static void words_of_a_file_are_targets(void **state)
{
    static const char text[] = "10.0.0.1#c 10.0.0.2\n# 10.0.0.3\n10.0.0.4\t10.0.0.5 # x\n"
                               "  10.0.0.6,7\r\n\n10.0.0.9";
    targets_t *targets = targets_new(AF_INET);

    assert_int_equal(targets_add_file(targets, file_of(*state, text, strlen(text))), 0);
    are(targets, 6, "10.0.0.1 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.9");
    targets = targets_new(AF_INET);
    assert_int_equal(targets_add_file(targets, file_of(*state, "", 0)), 0);
    are(targets, 0, "");
}

static void file_fails(const char *path, int expected, const char *text)
{
    targets_t *targets = targets_new(AF_INET);
    int err = targets_add_file(targets, path);

    if (err != expected || strstr(targets_error(targets), text) == NULL)
        print_error("%d, %s\n", err, targets_error(targets));
    assert_int_equal(err, expected);
    assert_non_null(strstr(targets_error(targets), text));
    targets_free(targets);
}

static void mistakes_in_a_file_have_a_line(void **state)
{
    static const char bad[] = "10.0.0.1\n# x\n10.0.0.2 10.0.0.300\n10.0.0.3";
    static const char nul[] = "10.0.0.1\n10.0\0.0.2\n";
    static char long_word[TARGETS_WORD_MAX + 2] = "\n";

    file_fails(file_of(*state, bad, strlen(bad)), HERR_RANGE,
               "/list:3: \"10.0.0.300\": \"300\" in octet 4");
    file_fails(file_of(*state, nul, sizeof(nul) - 1), HERR_SYNTAX,
               "/list:2: \"10.0\": a NUL byte follows");
    memset(long_word + 1, '1', sizeof(long_word) - 1);
    file_fails(file_of(*state, long_word, sizeof(long_word)), HERR_SYNTAX,
               "11...\": more than 4095 bytes without a blank");
    file_fails("/nonexistent/list", -ENOENT, "/nonexistent/list: No such file or directory");
    file_fails("/", -EISDIR, "/: Is a directory");
}

/* A file is read in pieces: a word, a comment, a line end may lie across two of them. */
static void a_file_is_read_in_pieces(void **state)
{
    hbytes_t text = {0};

    for (size_t shift = 0; shift < 40; shift++) {
        targets_t *targets = targets_new(AF_INET);

        hbytes_clear(&text);
        for (size_t i = 0; i < shift; i++)
            hbytes_append_char(&text, ' ');
        for (unsigned i = 0; i < 4000; i++)
            hbytes_printf(&text, "10.0.%u.%u # 1\n", i / 256, i % 256);
        assert_int_equal(targets_add_file(targets, file_of(*state, text.data, text.len)), 0);
        are(targets, 4000, "10.0.0.0 10.0.0.1 10.0.0.2 +");
    }
    hbytes_deinit(&text);
}

/* ---- what is left out ---- */

static void leaves(const char *words, const char *excluded, uint64_t count, const char *expected)
{
    targets_t *targets = targets_of(AF_INET, words);

    assert_int_equal(targets_exclude(targets, excluded), 0);
    are(targets, count, expected);
}

static void excluded_addresses_are_not_met(void **state)
{
    (void)state;
    leaves("10.0.0.0/29", "10.0.0.1-3,10.0.0.5", 4, "10.0.0.0 10.0.0.4 10.0.0.6 10.0.0.7");
    leaves("10.0.0.0/30", "", 4, "10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3");
    leaves("10.0.0.0/30", "10.0.0.1,,10.0.0.2,", 2, "10.0.0.0 10.0.0.3");
    leaves("10.0.0.0/30", "10.0.0.0/8", 0, "");
    leaves("10.0.0.0/30", "::1", 4, "10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3");
    leaves("10.0.0.2 10.0.0.1 10.0.0.2", "10.0.0.1", 2, "10.0.0.2 10.0.0.2");
}

static void excluded_ends_of_the_space(void **state)
{
    (void)state;
    leaves("0.0.0.0/0", "0.0.0.0/1,128.0.0.0/2,192-254.*.*.*,255.0-254.*.*,255.255.0-254.*", 256,
           "255.255.255.0 255.255.255.1 +");
    leaves("255.255.255.254-", "255.255.255.255", 1, "255.255.255.254");
    leaves("0.0.0.0-1", "0.0.0.0,255.255.255.255", 1, "0.0.0.1");
    /* ranges that touch, overlap and lie within one another */
    leaves("10.0.0.0/28", "10.0.0.4-6,10.0.0.0/30,10.0.0.5,10.0.0.6-9,10.0.0.12", 5,
           "10.0.0.10 10.0.0.11 10.0.0.13 10.0.0.14 10.0.0.15");
    leaves("10.0.0.0/29", "10.0.0.1-6,10.0.0.2", 2, "10.0.0.0 10.0.0.7");
}

static void lists_of_octets_meet_what_is_left_out(void **state)
{
    (void)state;
    /* those that are scanned: counted, and passed over */
    leaves("10.0.1,3.1", "10.0.3.0/24", 2, "10.0.1.1");
    /* those that are left out: few ranges, and a list that would become too many */
    leaves("10.0.0-1.0/30", "10.0.*.1-2", 8, "10.0.0.0 10.0.0.3 10.0.1.0 10.0.1.3");
    leaves("10.0.0.0/30", "10.0.*.1-2", 2, "10.0.0.0 10.0.0.3");
    leaves("10.0.0-1.0/30 10.1.0.1", "*.*.*.1-2", 9, "10.0.0.0 10.0.0.3 10.0.1.0 10.0.1.3");
}

static void excluded_ipv6_addresses(void **state)
{
    targets_t *targets = targets_of(AF_INET6, "2001:db8::/126 fe80::1%lo");

    (void)state;
    assert_int_equal(targets_exclude(targets, "2001:db8::1,fe80::/10,10.0.0.1"), 0);
    are(targets, 3, "2001:db8:: 2001:db8::2 2001:db8::3");
    targets = targets_of(AF_INET6, "2001:db8::/64");
    assert_int_equal(targets_exclude(targets, "2001:db8::/65,2001:db8::8000:0:0:0/66"), 0);
    are(targets, (UINT64_C(1) << 62) - 1, "2001:db8:0:0:c000:: 2001:db8::c000:0:0:1 +");
    targets = targets_of(AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127");
    assert_int_equal(targets_exclude(targets, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,::"), 0);
    are(targets, 1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
    targets = targets_of(AF_INET6, "ffff::2/127 1::1");
    assert_int_equal(targets_exclude(targets, "8000::/1,ffff::1"), 0);
    are(targets, 1, "1::1");
}

static void an_address_is_asked_for(void **state)
{
    static const char *const out[] = {"10.0.0.1", "10.0.0.255", "10.9.8.7", "192.168.1.1"};
    static const char *const in[] = {"10.0.1.0", "9.255.255.255", "10.9.8.6", "::1"};
    targets_t *targets = targets_new(AF_INET);
    haddr_t address;

    (void)state;
    assert_int_equal(targets_exclude(targets, "10.0.0.0/24,*.9.*.7,192.168.1.1"), 0);
    assert_int_equal(targets_ready(targets), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(haddr_parse(&address, out[i], 0), 0);
        assert_true(targets_excluded(targets, &address.u.sa));
        assert_int_equal(haddr_parse(&address, in[i], 0), 0);
        assert_false(targets_excluded(targets, &address.u.sa));
    }
    targets_free(targets);
}

static void exclusion_fails(const char *words, const char *text)
{
    targets_t *targets = targets_new(AF_INET);

    assert_true(targets_exclude(targets, words) < 0);
    if (strstr(targets_error(targets), text) == NULL)
        print_error("%s\n", targets_error(targets));
    assert_non_null(strstr(targets_error(targets), text));
    targets_free(targets);
}

static void a_list_that_would_leave_in_what_is_meant_to_be_out_is_refused(void **state)
{
    (void)state;
    exclusion_fails("10.0.0.1,2", "\"2\": what is left out is written with four octets");
    exclusion_fails("10.0.0.1,2-3", "\"2-3\": 1 octet, but an IPv4 address has 4");
    exclusion_fails("127.1", "\"127.1\": what is left out is written with four octets");
    exclusion_fails("10.0.0.1 10.0.0.2", "\" \" stands in no host name");
    exclusion_fails("10.0.0.1,10.0.0.999", "\"10.0.0.999\": \"999\" in octet 4");
}

static void too_many_lists_that_are_left_out_are_refused(void **state)
{
    targets_t *targets = targets_new(AF_INET);
    int err = 0;
    unsigned i = 0;

    (void)state;
    for (; i < 300 && err == 0; i++)
        err = targets_exclude(targets, "*.*.*.1");
    assert_int_equal(err, HERR_RANGE);
    assert_int_equal(i, 257);
    assert_non_null(strstr(targets_error(targets), "more is left out than can be kept"));
    targets_free(targets);
}

static void a_file_of_excluded_addresses(void **state)
{
    static const char text[] = "10.0.0.1 # gateway\n10.0.0.3-4\n";
    targets_t *targets = targets_of(AF_INET, "10.0.0.0/29");

    assert_int_equal(targets_exclude_file(targets, file_of(*state, text, strlen(text))), 0);
    are(targets, 5, "10.0.0.0 10.0.0.2 10.0.0.5 10.0.0.6 10.0.0.7");
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_are_lists_and_ranges),
        cmocka_unit_test(bits_widen_what_is_in_front),
        cmocka_unit_test(numbers_of_inet_aton_are_names),
        cmocka_unit_test(ipv6_has_networks_and_zones),
        cmocka_unit_test(mistakes_are_told_with_their_part),
        cmocka_unit_test(mistakes_of_ipv6_are_told),
        cmocka_unit_test(long_words_are_refused),
        cmocka_unit_test(more_than_a_number_holds_is_refused),
        with_folder(words_of_a_file_are_targets),
        with_folder(mistakes_in_a_file_have_a_line),
        with_folder(a_file_is_read_in_pieces),
        cmocka_unit_test(excluded_addresses_are_not_met),
        cmocka_unit_test(excluded_ends_of_the_space),
        cmocka_unit_test(lists_of_octets_meet_what_is_left_out),
        cmocka_unit_test(excluded_ipv6_addresses),
        cmocka_unit_test(an_address_is_asked_for),
        cmocka_unit_test(a_list_that_would_leave_in_what_is_meant_to_be_out_is_refused),
        cmocka_unit_test(too_many_lists_that_are_left_out_are_refused),
        with_folder(a_file_of_excluded_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
