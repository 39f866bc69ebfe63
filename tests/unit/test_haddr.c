/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/haddr.h"

static const char *printed(const haddr_t *addr)
{
    static char buf[HADDR_FORMAT_SIZE];

    return haddr_format(&addr->u.sa, addr->len, buf, sizeof(buf));
}

static void assert_parses_to(const char *ip, int port, const char *expected)
{
    haddr_t addr;

    assert_int_equal(haddr_parse(&addr, ip, port), 0);
    assert_string_equal(printed(&addr), expected);
    assert_int_equal(addr.len, haddr_len(&addr.u.sa));
}

static void numbers_are_parsed_and_printed(void **state)
{
    (void)state;
    assert_parses_to("127.0.0.1", 80, "127.0.0.1:80");
    assert_parses_to("0.0.0.0", 0, "0.0.0.0:0");
    assert_parses_to("::1", 65535, "[::1]:65535");
    assert_parses_to("2001:DB8::0:1", 1, "[2001:db8::1]:1");
    assert_parses_to("::ffff:10.0.0.1", 1, "[::ffff:10.0.0.1]:1");
}

static void a_zone_is_an_interface_or_a_number(void **state)
{
    haddr_t addr;

    (void)state;
    assert_parses_to("fe80::1%lo", 80, "[fe80::1%lo]:80");
    assert_parses_to("fe80::1%1", 80, "[fe80::1%lo]:80");
    assert_parses_to("fe80::1%4000000", 80, "[fe80::1%4000000]:80");
    assert_int_equal(haddr_parse(&addr, "fe80::1%none-such", 80), -ENODEV);
    assert_int_equal(haddr_parse(&addr, "fe80::1%", 80), HERR_SYNTAX);
    assert_int_equal(haddr_parse(&addr, "127.0.0.1%lo", 80), HERR_SYNTAX);
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        " ",
                                        "localhost",
                                        "127.1",
                                        "1.2.3.4.5",
                                        "256.0.0.1",
                                        "[::1]",
                                        ":::",
                                        "1.2.3.4 ",
                                        "::1%lo%lo",
                                        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"};
    haddr_t addr;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(haddr_parse(&addr, wrong[i], 80) < 0);
        assert_int_equal(addr.len, 0);
        assert_string_equal(printed(&addr), "-");
    }
    assert_int_equal(haddr_parse(&addr, "::1", -1), HERR_RANGE);
    assert_int_equal(haddr_parse(&addr, "::1", 65536), HERR_RANGE);
}

static void unix_names_keep_their_exact_length(void **state)
{
    const socklen_t offset = offsetof(struct sockaddr_un, sun_path);
    char longest[109];
    haddr_t addr;

    (void)state;
    assert_int_equal(haddr_unix(&addr, "/run/x"), 0);
    assert_int_equal(addr.len, offset + 7);
    assert_string_equal(printed(&addr), "unix:/run/x");
    assert_int_equal(haddr_len(&addr.u.sa), addr.len);

    assert_int_equal(haddr_unix(&addr, "@name"), 0);
    assert_int_equal(addr.len, offset + 5);
    assert_int_equal(addr.u.sun.sun_path[0], '\0');
    assert_string_equal(printed(&addr), "unix:@name");
    assert_int_equal(haddr_len(&addr.u.sa), addr.len);

    memset(longest, 'p', sizeof(longest));
    longest[108] = '\0';
    assert_int_equal(haddr_unix(&addr, longest), -ENAMETOOLONG);
    longest[107] = '\0';
    assert_int_equal(haddr_unix(&addr, longest), 0);
    assert_int_equal(haddr_len(&addr.u.sa), addr.len);
    assert_int_equal(strlen(printed(&addr)), 5 + 107);
    assert_int_equal(haddr_unix(&addr, ""), -EINVAL);
    assert_int_equal(haddr_unix(&addr, "@"), -EINVAL);
}

static void a_socket_without_a_name_and_odd_bytes_are_printable(void **state)
{
    haddr_t addr = {.u.sun.sun_family = AF_UNIX, .len = sizeof(sa_family_t)};
    char small[6];

    (void)state;
    assert_string_equal(printed(&addr), "unix:");
    assert_int_equal(haddr_unix(&addr, "/a\033[2J\n"), 0);
    assert_string_equal(printed(&addr), "unix:/a?[2J?");
    memcpy(addr.u.sun.sun_path, "\0a\0b", 4);
    addr.len = offsetof(struct sockaddr_un, sun_path) + 4;
    assert_string_equal(printed(&addr), "unix:@a@b");
    assert_string_equal(haddr_format(&addr.u.sa, addr.len, small, sizeof(small)), "unix:");
    assert_string_equal(haddr_format(NULL, 0, small, sizeof(small)), "-");
}

static void a_path_that_fills_the_field_needs_no_nul(void **state)
{
    haddr_t addr = {.u.sun.sun_family = AF_UNIX, .len = sizeof(struct sockaddr_un)};

    (void)state;
    memset(addr.u.sun.sun_path, 'p', sizeof(addr.u.sun.sun_path));
    assert_int_equal(strlen(printed(&addr)), 5 + 108);
    assert_int_equal(haddr_len(&addr.u.sa), sizeof(struct sockaddr_un));
}

static void the_host_and_the_port_can_be_had_apart(void **state)
{
    char buf[HADDR_FORMAT_SIZE];
    haddr_t addr, copy;

    (void)state;
    assert_int_equal(haddr_parse(&addr, "::1", 80), 0);
    assert_string_equal(haddr_ip(&addr.u.sa, buf, sizeof(buf)), "::1");
    assert_int_equal(haddr_port(&addr.u.sa), 80);
    haddr_set_port(&addr.u.sa, 443);
    assert_int_equal(haddr_port(&addr.u.sa), 443);
    assert_int_equal(haddr_set(&copy, &addr.u.sa, addr.len), 0);
    assert_true(haddr_equal(&copy.u.sa, &addr.u.sa));
    assert_int_equal(haddr_set(&copy, &addr.u.sa, sizeof(addr.u) + 1), -EINVAL);
    assert_int_equal(haddr_unix(&addr, "@x"), 0);
    assert_int_equal(haddr_port(&addr.u.sa), 0);
    haddr_set_port(&addr.u.sa, 1);
    assert_string_equal(haddr_ip(&addr.u.sa, buf, sizeof(buf)), "@x");
}

static int compared(const char *a, int port_a, const char *b, int port_b)
{
    haddr_t x, y;
    int diff;

    assert_int_equal(haddr_parse(&x, a, port_a), 0);
    assert_int_equal(haddr_parse(&y, b, port_b), 0);
    diff = haddr_compare(&x.u.sa, &y.u.sa);
    assert_int_equal(diff > 0, haddr_compare(&y.u.sa, &x.u.sa) < 0);
    return diff;
}

static void addresses_are_ordered_by_host_then_port(void **state)
{
    haddr_t a, b;

    (void)state;
    assert_true(compared("9.0.0.1", 80, "10.0.0.1", 80) < 0);
    assert_true(compared("10.0.0.1", 255, "10.0.0.1", 256) < 0);
    assert_true(compared("10.0.0.1", 80, "10.0.0.1", 80) == 0);
    assert_true(compared("::1", 80, "::2", 1) < 0);
    assert_true(compared("::1", 80, "::1", 81) < 0);
    assert_true(compared("fe80::1%1", 80, "fe80::1%2", 80) < 0);
    assert_true(compared("255.0.0.1", 80, "::1", 80) < 0);
    assert_int_equal(haddr_unix(&a, "/a"), 0);
    assert_int_equal(haddr_unix(&b, "/ab"), 0);
    assert_true(haddr_compare(&a.u.sa, &b.u.sa) < 0);
    assert_false(haddr_equal(&a.u.sa, &b.u.sa));
    assert_int_equal(haddr_unix(&b, "@a"), 0);
    assert_false(haddr_equal(&a.u.sa, &b.u.sa));
}

static void a_mapped_address_becomes_ipv4(void **state)
{
    static const char *const cases[][2] = {{"::ffff:192.0.2.1", "192.0.2.1:7"},
                                           {"::ffff:0:0", "0.0.0.0:7"},
                                           {"192.0.2.1", "192.0.2.1:7"},
                                           {"::192.0.2.1", "[::192.0.2.1]:7"},
                                           {"2001:db8::1", "[2001:db8::1]:7"}};
    haddr_t addr;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(haddr_parse(&addr, cases[i][0], 7), 0);
        haddr_unmap(&addr);
        assert_string_equal(printed(&addr), cases[i][1]);
        assert_int_equal(addr.len, haddr_len(&addr.u.sa));
    }
    assert_int_equal(haddr_unix(&addr, "/x"), 0);
    haddr_unmap(&addr);
    assert_int_equal(addr.u.sa.sa_family, AF_UNIX);
}

static void loopback_and_every_address_are_told(void **state)
{
    haddr_t addr;

    (void)state;
    haddr_loopback(&addr, AF_INET, 7);
    assert_string_equal(printed(&addr), "127.0.0.1:7");
    assert_false(haddr_is_any(&addr.u.sa));
    assert_true(haddr_is_loopback(&addr.u.sa));
    haddr_loopback(&addr, AF_INET6, 7);
    assert_string_equal(printed(&addr), "[::1]:7");
    assert_false(haddr_is_any(&addr.u.sa));
    assert_true(haddr_is_loopback(&addr.u.sa));
    haddr_any(&addr, AF_INET, 7);
    assert_string_equal(printed(&addr), "0.0.0.0:7");
    assert_true(haddr_is_any(&addr.u.sa));
    haddr_any(&addr, AF_INET6, 7);
    assert_string_equal(printed(&addr), "[::]:7");
    assert_true(haddr_is_any(&addr.u.sa));
    assert_false(haddr_is_loopback(&addr.u.sa));
    assert_int_equal(haddr_parse(&addr, "127.255.0.9", 0), 0);
    assert_true(haddr_is_loopback(&addr.u.sa));
    assert_int_equal(haddr_parse(&addr, "128.0.0.1", 0), 0);
    assert_false(haddr_is_loopback(&addr.u.sa));
    assert_int_equal(haddr_unix(&addr, "/x"), 0);
    assert_false(haddr_is_any(&addr.u.sa));
    assert_false(haddr_is_loopback(&addr.u.sa));
}

static void assert_ports(const char *text, const char *proto, uint16_t first, uint16_t last)
{
    uint16_t low = 1, high = 1;

    assert_int_equal(haddr_port_parse(text, proto, &low, &high, NULL, 0), 0);
    assert_int_equal(low, first);
    assert_int_equal(high, last);
}

static void ports_are_numbers_ranges_or_services(void **state)
{
    (void)state;
    assert_ports("0", NULL, 0, 0);
    assert_ports("80", "tcp", 80, 80);
    assert_ports("00080", "tcp", 80, 80);
    assert_ports("80-90", "tcp", 80, 90);
    assert_ports("80-80", "tcp", 80, 80);
    assert_ports("0-65535", "tcp", 0, 65535);
    assert_ports("http", "tcp", 80, 80);
    assert_ports("domain", "udp", 53, 53);
    assert_ports("ftp-data", "tcp", 20, 20);
    assert_ports("ssh", NULL, 22, 22);
}

static void assert_port_error(const char *text, int err, const char *message)
{
    uint16_t low = 0, high = 0;
    char error[128];

    assert_int_equal(haddr_port_parse(text, "tcp", &low, &high, error, sizeof(error)), err);
    assert_string_equal(error, message);
    assert_int_equal(haddr_port_parse(text, "tcp", &low, &high, NULL, 0), err);
}

static void a_bad_port_is_named(void **state)
{
    (void)state;
    assert_port_error("", HERR_SYNTAX, "empty port: \"\"");
    assert_port_error("65536", HERR_RANGE, "port out of range: \"65536\"");
    assert_port_error("99999999999999999999", HERR_RANGE,
                      "port out of range: \"99999999999999999999\"");
    assert_port_error("1-65536", HERR_RANGE, "port out of range: \"1-65536\"");
    assert_port_error("90-80", HERR_RANGE, "port range upside down: \"90-80\"");
    assert_port_error("-80", HERR_SYNTAX, "no such port or service: \"-80\"");
    assert_port_error("80-", HERR_SYNTAX, "no such port or service: \"80-\"");
    assert_port_error("+80", HERR_SYNTAX, "no such port or service: \"+80\"");
    assert_port_error("8 0", HERR_SYNTAX, "no such port or service: \"8 0\"");
    assert_port_error("no-such-service", HERR_SYNTAX,
                      "no such port or service: \"no-such-service\"");
    assert_port_error("a\nb", HERR_SYNTAX, "no such port or service: \"a\\nb\"");
}

static void virtual_machines_are_numbers(void **state)
{
    haddr_t a, b;
    char text[HADDR_FORMAT_SIZE];

    (void)state;
    haddr_vsock(&a, 2, 80);
    assert_int_equal(a.len, haddr_len(&a.u.sa));
    assert_string_equal(haddr_format(&a.u.sa, a.len, text, sizeof(text)), "vsock:2:80");
    assert_string_equal(haddr_ip(&a.u.sa, text, sizeof(text)), "2");
    assert_int_equal(haddr_port(&a.u.sa), 80);
    haddr_set_port(&a.u.sa, 81);
    assert_int_equal(haddr_port(&a.u.sa), 81);
    haddr_vsock(&b, 2, 80);
    assert_true(haddr_compare(&a.u.sa, &b.u.sa) > 0);
    haddr_vsock(&b, 3, 80);
    assert_true(haddr_compare(&a.u.sa, &b.u.sa) < 0);
    haddr_vsock(&a, HADDR_VSOCK_ANY, 80);
    assert_string_equal(haddr_format(&a.u.sa, 0, text, sizeof(text)), "vsock:*:80");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_parsed_and_printed),
        cmocka_unit_test(a_zone_is_an_interface_or_a_number),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(unix_names_keep_their_exact_length),
        cmocka_unit_test(a_socket_without_a_name_and_odd_bytes_are_printable),
        cmocka_unit_test(a_path_that_fills_the_field_needs_no_nul),
        cmocka_unit_test(the_host_and_the_port_can_be_had_apart),
        cmocka_unit_test(addresses_are_ordered_by_host_then_port),
        cmocka_unit_test(a_mapped_address_becomes_ipv4),
        cmocka_unit_test(loopback_and_every_address_are_told),
        cmocka_unit_test(virtual_machines_are_numbers),
        cmocka_unit_test(ports_are_numbers_ranges_or_services),
        cmocka_unit_test(a_bad_port_is_named),
    };

    return cmocka_run_group_tests_name("haddr", tests, NULL, NULL);
}
