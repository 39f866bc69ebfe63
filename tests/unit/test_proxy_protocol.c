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
#include "codec/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(literal) literal, sizeof(literal) - 1

/* On a copy that is no byte longer. */
static ssize_t parse_copy(proxy_header_t *header, const void *data, size_t len)
{
    static char *copy; /* TLVs point into it until the next call */
    char error[PROXY_ERROR_SIZE] = "";
    ssize_t got;

    free(copy);
    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    got = proxy_parse(header, copy, len, error, sizeof(error));
    assert_int_equal(got < 0, error[0] != '\0');
    if (got == 0)
        assert_true(proxy_need(copy, len) >= 1);
    return got;
}

/* Every truncation waits, or knows the error already; bytes behind it change nothing; and one who
 * reads what is needed stops at the end. */
static ssize_t parses_to(proxy_header_t *header, const void *data, size_t len, ssize_t expected)
{
    ssize_t got = 0;
    size_t have = 0;

    for (size_t cut = 0; cut < len; cut++) {
        got = parse_copy(header, data, cut);
        assert_true(got == 0 || got == expected);
        assert_true(got <= 0 || (size_t)got <= cut);
    }
    while (expected > 0 && parse_copy(header, data, have) == 0)
        have += proxy_need(data, have);
    if (expected > 0)
        assert_int_equal(have, expected);
    got = parse_copy(header, data, len);
    assert_int_equal(got, expected);
    return got;
}

static void address_is(const struct sockaddr_storage *addr, const char *ip, int port)
{
    const struct sockaddr_in *sin = (const struct sockaddr_in *)addr;
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)addr;
    char text[INET6_ADDRSTRLEN];

    inet_ntop(addr->ss_family,
              addr->ss_family == AF_INET ? (const void *)&sin->sin_addr
                                         : (const void *)&sin6->sin6_addr,
              text, sizeof(text));
    assert_string_equal(text, ip);
    assert_int_equal(ntohs(sin->sin_port), port);
}

static struct sockaddr_storage address(int family, const char *ip, int port)
{
    struct sockaddr_storage addr = {.ss_family = (sa_family_t)family};
    struct sockaddr_in *sin = (struct sockaddr_in *)&addr;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&addr;

    assert_int_equal(
        inet_pton(family, ip,
                  family == AF_INET ? (void *)&sin->sin_addr : (void *)&sin6->sin6_addr),
        1);
    sin->sin_port = htons((uint16_t)port);
    return addr;
}

static void detection_takes_the_bytes_that_it_needs(void **state)
{
    (void)state;
    assert_int_equal(proxy_detect("", 0), 0);
    assert_int_equal(proxy_detect("PROXY", 5), 0);
    assert_int_equal(proxy_detect("PROXY T", 7), 1);
    assert_int_equal(proxy_detect("PRO ", 4), HERR_PROTOCOL);
    assert_int_equal(proxy_detect(SIGNATURE, 11), 0);
    assert_int_equal(proxy_detect(SIGNATURE "\x21", 13), 2);
    assert_int_equal(proxy_detect("\r\n\r\nG", 5), HERR_PROTOCOL);
    assert_int_equal(proxy_detect("GET /", 5), HERR_PROTOCOL);
}

static void lines_of_version_1_are_parsed(void **state)
{
    static const char longest[] = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                                  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65534\r\n";
    proxy_header_t h;

    (void)state;
    parses_to(&h, BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET"), 45);
    assert_int_equal(h.version, 1);
    assert_false(h.local);
    address_is(&h.source, "192.0.2.1", 56324);
    address_is(&h.destination, "198.51.100.2", 443);
    parses_to(&h, BYTES("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n"), 36);
    address_is(&h.source, "2001:db8::1", 0);
    address_is(&h.destination, "::1", 65535);
    parses_to(&h, BYTES(longest), sizeof(longest) - 1);
    parses_to(&h, BYTES("PROXY UNKNOWN\r\n"), 15);
    assert_int_equal(h.source.ss_family, AF_UNSPEC);
    parses_to(&h, BYTES("PROXY UNKNOWN whatever it is\r\n\r\n"), 30);
}

static void broken_lines_of_version_1_are_refused(void **state)
{
    static const char *const lines[] = {
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 1\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 0443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.2 56324 443\r\n",
        "PROXY TCP4 ::1 ::1 56324 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 56324 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 56324 443\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r \n",
        "PROXY TCP4 0123456789012345678901234567890123456789 1.1.1.1 1 1\r\n",
        "NO PROXY\r\n",
    };
    char endless[200];
    proxy_header_t h;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        parses_to(&h, lines[i], strlen(lines[i]), HERR_PROTOCOL);
    memset(endless, 'x', sizeof(endless));
    memcpy(endless, "PROXY UNKNOWN ", 14);
    parses_to(&h, endless, sizeof(endless), HERR_FRAME_SIZE);
    memcpy(endless + PROXY_V1_MAX - 2, "\r\n", 2);
    parses_to(&h, endless, sizeof(endless), PROXY_V1_MAX);
}

static void headers_of_version_2_are_parsed(void **state)
{
    proxy_header_t h;
    proxy_tlv_t tlv;

    (void)state;
    parses_to(&h, BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\1\xbbGET"), 28);
    assert_int_equal(h.version, 2);
    address_is(&h.source, "192.0.2.1", 56324);
    address_is(&h.destination, "198.51.100.2", 443);
    parses_to(&h, BYTES(SIGNATURE "\x21\x12\0\x13\xc0\0\2\1\xc6\x33\x64\2\xdc\4\1\xbb\1\0\4http"),
              35);
    assert_true(h.datagram);
    assert_true(proxy_tlv_find(&h, PROXY_TLV_ALPN, &tlv));
    assert_int_equal(tlv.len, 4);
    assert_memory_equal(tlv.value, "http", 4);
    assert_false(proxy_tlv_find(&h, PROXY_TLV_NOOP, &tlv));
    /* LOCAL, and families of the future: whatever is in it has no meaning. */
    parses_to(&h, BYTES(SIGNATURE "\x20\x11\0\4\1\2\3\4more"), 20);
    assert_true(h.local);
    parses_to(&h, BYTES(SIGNATURE "\x21\x41\0\4\1\2\3\4"), 20);
    assert_false(h.local);
    assert_int_equal(h.source.ss_family, AF_UNSPEC);
    parses_to(&h, BYTES(SIGNATURE "\x21\0\0\0"), 16);
}

static void headers_that_lie_are_refused(void **state)
{
    proxy_header_t h;

    (void)state;
    parses_to(&h, BYTES(SIGNATURE "\x11\x11\0\x0c"), HERR_PROTOCOL);
    parses_to(&h, BYTES(SIGNATURE "\x22\x11\0\x0c"), HERR_PROTOCOL);
    /* Too short for the addresses. */
    parses_to(&h, BYTES(SIGNATURE "\x21\x11\0\x0b\xc0\0\2\1\xc6\x33\x64\2\xdc\4\1"), HERR_PROTOCOL);
    /* TLVs that reach behind the end, or end in the middle. */
    parses_to(&h, BYTES(SIGNATURE "\x21\x11\0\x10\xc0\0\2\1\xc6\x33\x64\2\xdc\4\1\xbb\1\0\2x"),
              HERR_PROTOCOL);
    parses_to(&h, BYTES(SIGNATURE "\x21\x11\0\x0e\xc0\0\2\1\xc6\x33\x64\2\xdc\4\1\xbb\4\0"),
              HERR_PROTOCOL);
    parses_to(&h, BYTES(SIGNATURE "\x21\x11\xff\xff\xc0\0\2\1"), HERR_FRAME_SIZE);
}

static proxy_header_t tcp6_header(void)
{
    return (proxy_header_t){.version = 2,
                            .source = address(AF_INET6, "2001:db8::1", 1),
                            .destination = address(AF_INET6, "2001:db8::2", 65535)};
}

static void what_was_composed_is_parsed(void **state)
{
    uint8_t buf[PROXY_HEADER_MAX], tlvs[64];
    proxy_header_t h = tcp6_header(), back;
    size_t tlvs_len = 0;
    proxy_tlv_t tlv;
    ssize_t len;

    (void)state;
    assert_int_equal(proxy_tlv_append(tlvs, sizeof(tlvs), &tlvs_len, PROXY_TLV_AUTHORITY, "h", 1),
                     0);
    assert_int_equal(proxy_tlv_append(tlvs, sizeof(tlvs), &tlvs_len, PROXY_TLV_NOOP, NULL, 0), 0);
    h.tlvs = tlvs;
    h.tlvs_len = tlvs_len;
    len = proxy_compose(&h, true, buf, sizeof(buf));
    assert_int_equal(len, 16 + 36 + 4 + 3 + 7);
    parses_to(&back, buf, (size_t)len, len);
    assert_memory_equal(&back.source, &h.source, sizeof(h.source));
    assert_memory_equal(&back.destination, &h.destination, sizeof(h.destination));
    assert_true(proxy_tlv_find(&back, PROXY_TLV_AUTHORITY, &tlv));
    assert_true(proxy_tlv_find(&back, PROXY_TLV_NOOP, &tlv));
    assert_int_equal(tlv.len, 0);
    for (size_t size = 0; size < (size_t)len; size++)
        assert_int_equal(proxy_compose(&h, true, buf, size), -ENOBUFS);
    /* Each byte counts, but for the one that says that there is a checksum. */
    for (size_t i = 16; i < (size_t)len; i++) {
        if (i == (size_t)len - 7)
            continue;
        proxy_compose(&h, true, buf, sizeof(buf));
        buf[i] ^= 0x10;
        assert_true(parse_copy(&back, buf, (size_t)len) < 0);
    }
}

/* The check value of CRC-32C is the one of the specification, not only our own. */
static void the_checksum_is_crc32c(void **state)
{
    static const char head[] = SIGNATURE "\x21\x00\x00\x07\x03\x00\x04"
                                         "\x3e\xc9\x89\x4e";
    proxy_header_t h = {.version = 2}, back;
    uint8_t buf[64];

    (void)state;
    assert_int_equal(proxy_compose(&h, true, buf, sizeof(buf)), sizeof(head) - 1);
    assert_memory_equal(buf, head, sizeof(head) - 1);
    parses_to(&back, head, sizeof(head) - 1, sizeof(head) - 1);
}

static void unix_addresses_travel_in_version_2(void **state)
{
    proxy_header_t h = {.version = 2, .datagram = true}, back;
    struct sockaddr_un *source = (struct sockaddr_un *)&h.source;
    struct sockaddr_un *destination = (struct sockaddr_un *)&h.destination;
    char buf[PROXY_HEADER_MAX];

    (void)state;
    source->sun_family = destination->sun_family = AF_UNIX;
    memset(source->sun_path, 'p', sizeof(source->sun_path));
    memcpy(destination->sun_path, "\0name", 5);
    assert_int_equal(proxy_compose(&h, false, buf, sizeof(buf)), 16 + PROXY_V2_UNIX_LEN);
    parses_to(&back, buf, 16 + PROXY_V2_UNIX_LEN, 16 + PROXY_V2_UNIX_LEN);
    assert_true(back.datagram);
    assert_memory_equal(&back.source, &h.source, sizeof(h.source));
    assert_memory_equal(&back.destination, &h.destination, sizeof(h.destination));
    h.version = 1;
    assert_int_equal(proxy_compose(&h, false, buf, sizeof(buf)), 15);
    assert_memory_equal(buf, "PROXY UNKNOWN\r\n", 15);
}

static void version_1_is_composed(void **state)
{
    proxy_header_t h = {.version = 1,
                        .source = address(AF_INET, "192.0.2.1", 56324),
                        .destination = address(AF_INET, "198.51.100.2", 443)};
    char buf[PROXY_V1_MAX];

    (void)state;
    assert_int_equal(proxy_compose(&h, true, buf, sizeof(buf)), 45);
    assert_memory_equal(buf, "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", 45);
    assert_int_equal(proxy_compose(&h, true, buf, 44), -ENOBUFS);
    h = tcp6_header();
    h.version = 1;
    assert_int_equal(proxy_compose(&h, false, buf, sizeof(buf)), 44);
    assert_memory_equal(buf, "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", 44);
    h.local = true;
    assert_int_equal(proxy_compose(&h, false, buf, sizeof(buf)), 15);
    h.version = 3;
    assert_int_equal(proxy_compose(&h, false, buf, sizeof(buf)), -EINVAL);
    h.version = 2;
    assert_int_equal(proxy_compose(&h, false, buf, sizeof(buf)), 16);
    assert_int_equal(buf[12], 0x20);
    h.destination.ss_family = AF_INET;
    assert_int_equal(proxy_compose(&h, false, buf, sizeof(buf)), -EINVAL);
}

static void tlvs_have_a_maximum(void **state)
{
    uint8_t buf[PROXY_HEADER_MAX + 64];
    static uint8_t tlvs[2 * PROXY_TLVS_MAX], value[PROXY_TLVS_MAX];
    proxy_header_t h = tcp6_header(), back;
    size_t len = 0;

    (void)state;
    assert_int_equal(
        proxy_tlv_append(tlvs, sizeof(tlvs), &len, PROXY_TLV_NOOP, value, PROXY_TLVS_MAX - 2),
        HERR_FRAME_SIZE);
    assert_int_equal(proxy_tlv_append(tlvs, 100, &len, PROXY_TLV_NOOP, value, 98), -ENOBUFS);
    assert_int_equal(len, 0);
    assert_int_equal(
        proxy_tlv_append(tlvs, sizeof(tlvs), &len, PROXY_TLV_NOOP, value, PROXY_TLVS_MAX - 3), 0);
    assert_int_equal(proxy_tlv_append(tlvs, sizeof(tlvs), &len, PROXY_TLV_NOOP, NULL, 0),
                     HERR_FRAME_SIZE);
    h.tlvs = tlvs;
    h.tlvs_len = len;
    assert_int_equal(proxy_compose(&h, true, buf, sizeof(buf)), HERR_FRAME_SIZE);
    assert_int_equal(proxy_compose(&h, false, buf, sizeof(buf)), 16 + 36 + PROXY_TLVS_MAX);
    assert_int_equal(parse_copy(&back, buf, 16 + 36 + PROXY_TLVS_MAX), 16 + 36 + PROXY_TLVS_MAX);
    buf[15]++;
    assert_int_equal(parse_copy(&back, buf, 16 + 36 + PROXY_TLVS_MAX + 1), HERR_FRAME_SIZE);
}

static void a_unique_id_has_a_maximum(void **state)
{
    uint8_t tlvs[256] = {0}, buf[512], id[PROXY_UNIQUE_ID_MAX + 1] = {0};
    proxy_header_t h = tcp6_header(), back;
    size_t len = 0;
    ssize_t n;

    (void)state;
    proxy_tlv_append(tlvs, sizeof(tlvs), &len, PROXY_TLV_UNIQUE_ID, id, PROXY_UNIQUE_ID_MAX);
    h.tlvs = tlvs;
    h.tlvs_len = len;
    n = proxy_compose(&h, false, buf, sizeof(buf));
    assert_int_equal(parse_copy(&back, buf, (size_t)n), n);
    h.tlvs_len = 0;
    proxy_tlv_append(tlvs, sizeof(tlvs), &h.tlvs_len, PROXY_TLV_UNIQUE_ID, id, sizeof(id));
    n = proxy_compose(&h, false, buf, sizeof(buf));
    assert_int_equal(parse_copy(&back, buf, (size_t)n), HERR_PROTOCOL);
}

static void the_tls_of_the_client_is_told(void **state)
{
    static const char value[] = "\5\0\0\0\1\x21\0\7TLSv1.3\x22\0\1x";
    proxy_tlv_t tlv = {PROXY_TLV_SSL, value, sizeof(value) - 1}, inner;
    proxy_ssl_t ssl;
    size_t at = 0;

    (void)state;
    assert_int_equal(proxy_ssl_parse(&tlv, &ssl), 0);
    assert_int_equal(ssl.client, PROXY_SSL_CLIENT | PROXY_SSL_CERT_SESS);
    assert_int_equal(ssl.verify, 1);
    assert_true(proxy_tlv_next(ssl.tlvs, ssl.tlvs_len, &at, &inner));
    assert_int_equal(inner.type, PROXY_TLV_SSL_VERSION);
    assert_memory_equal(inner.value, "TLSv1.3", 7);
    assert_true(proxy_tlv_next(ssl.tlvs, ssl.tlvs_len, &at, &inner));
    assert_false(proxy_tlv_next(ssl.tlvs, ssl.tlvs_len, &at, &inner));
    for (tlv.len = 0; tlv.len < sizeof(value) - 1; tlv.len++)
        assert_int_equal(proxy_ssl_parse(&tlv, &ssl),
                         tlv.len == 5 || tlv.len == 15 ? 0 : HERR_PROTOCOL);
    tlv.type = PROXY_TLV_NOOP;
    assert_int_equal(proxy_ssl_parse(&tlv, &ssl), HERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detection_takes_the_bytes_that_it_needs),
        cmocka_unit_test(lines_of_version_1_are_parsed),
        cmocka_unit_test(broken_lines_of_version_1_are_refused),
        cmocka_unit_test(headers_of_version_2_are_parsed),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(what_was_composed_is_parsed),
        cmocka_unit_test(the_checksum_is_crc32c),
        cmocka_unit_test(unix_addresses_travel_in_version_2),
        cmocka_unit_test(version_1_is_composed),
        cmocka_unit_test(tlvs_have_a_maximum),
        cmocka_unit_test(a_unique_id_has_a_maximum),
        cmocka_unit_test(the_tls_of_the_client_is_told),
    };

    return cmocka_run_group_tests_name("proxy_protocol", tests, NULL, NULL);
}
