/* One thread. */
/* What datagrams tell, cut off anywhere; the way to TLS, byte by byte; silent ports that are folded
 * into a group again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/service_match.h"
#include "../../cmd/hnmap/service_starttls.h"
#include "base/hmem.h"
#include "oom.h"

#include <netinet/in.h>

#define BYTES(text) (text), sizeof(text) - 1

/* ---- datagrams ------------------------------------------------------------------------------- */

typedef struct row_s {
    probe_e probe;
    const char *data;
    size_t len;
    const char *name, *product, *version, *extra, *hostname;
} row_t;

#define NAMES                                                                                      \
    "hn\x84\0\0\0\0\1\0\0\0\0\x20"                                                                 \
    "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0\x21\0\1\0\0\0\0\0\x37\2"

static const row_t rows[] = {
    {PROBE_UDP_DNS,
     BYTES("hn\x85\0\0\1\0\1\0\0\0\0\7version\4bind\0\0\x10\0\3\xc0\x0c\0\x10\0\3\0\0\0\0\0\7\6"
           "9.18.1"),
     "domain", "ISC BIND", "9.18.1", "", ""},
    {PROBE_UDP_MDNS,
     BYTES("\0\0\x84\0\0\0\0\2\0\0\0\0\x09_services\7_dns-sd\4_udp\5local\0\0\x0c\0\1"
           "\xc0\x0c\0\x0c\0\1\0\0\0\x0a\0\x0c\5_http\4_tcp\xc0\x23"
           "\xc0\x0c\0\x0c\0\1\0\0\0\x0a\0\x0b\4_ssh\4_tcp\xc0\x23"),
     "mdns", "DNS-based service discovery", "", "_http, _ssh", ""},
    {PROBE_UDP_NTP,
     BYTES("\x1c\1\0\0\0\0\0\0\0\0\0\0GPS\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
           "\0\0\0\0\0"),
     "ntp", "NTP", "v3", "primary server", ""},
    {PROBE_UDP_SNMP,
     BYTES("\x30\x2b\2\1\0\4\6public\xa2\x1e\2\1\1\2\1\0\2\1\0\x30\x13\x30\x11\6\x08\x2b\6\1\2\1\1"
           "\1\0\4\5Cisco"),
     "snmp", "SNMPv1 server", "", "Cisco", ""},
    {PROBE_UDP_NETBIOS, BYTES(NAMES "BOX            \0\4\0BOX            \x20\4\0"), "netbios-ns",
     "", "", "", "BOX"},
    {PROBE_UDP_SSDP, BYTES("HTTP/1.1 200 OK\r\nServer: x UPnP/1.0 Thing/3\r\n\r\n"), "upnp",
     "Thing", "3", "x UPnP/1.0 Thing/3", ""},
    {PROBE_UDP_RPC, BYTES("hn\0\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "rpcbind", "", "", "",
     ""},
    {PROBE_UDP_TFTP, BYTES("\0\5\0\1No such file\0"), "tftp", "", "", "No such file", ""},
    {PROBE_UDP_SIP, BYTES("SIP/2.0 404 No\r\nUser-Agent: FreeSWITCH 1.10\r\n\r\n"), "sip",
     "FreeSWITCH", "1.10", "", ""},
    {PROBE_UDP_MEMCACHED, BYTES("hn\0\0\0\1\0\0VERSION 1.6.9\r\n"), "memcached", "Memcached",
     "1.6.9", "", ""},
    {PROBE_UDP_STUN,
     BYTES("\1\1\0\x18\x21\x12\xa4\x42hnmap-asks-u\0\x20\0\x08\0\1\x11\x11\1\2\3\4"
           "\x80\x22\0\5Pion\0\0\0\0"),
     "stun", "Pion", "", "", ""},
    {PROBE_UDP_COAP, BYTES("\x60\x45hn\xc1\x28\xff</light>"), "coap", "", "", "</light>", ""},
    {PROBE_UDP_RMCP,
     BYTES("\6\0\xff\6\0\0\x11\xbe\x40\0\0\x10\0\0\x11\xbe\0\0\0\0\x81\0\0\0\0\0\0\0"), "asf-rmcp",
     "", "", "IPMI", ""},
    {PROBE_UDP_LDAP, BYTES("\x30\x0c\2\1\1\x65\7\x0a\1\0\4\0\4\0"), "ldap", "", "", "", ""},
    {PROBE_UDP_XDMCP, BYTES("\0\1\0\5\0\x0e\0\0\0\3box\0\5ready"), "xdmcp", "", "", "ready", "box"},
    {PROBE_UDP_IKE, BYTES("hnmapaskyourname\0\x10\x05\0\0\0\0\0\0\0\0\x1c"), "isakmp", "", "",
     "IKEv1.0", ""},
    {PROBE_UDP_OPENVPN, BYTES("\x40serverid\1\0\0\0\0hnmapask\0\0\0\0"), "openvpn", "OpenVPN", "",
     "", ""},
    {PROBE_UDP_QUIC,
     BYTES("\x80\0\0\0\0\x08hnmapask\4abcd\0\0\0\1\x6b\x33\x43\xcf\x0a\x0a\x0a\x0a\1\2\3\4"),
     "quic", "", "", "v1, v2, 0x01020304", ""},
    {PROBE_UDP_A2S, BYTES("\xff\xff\xff\xffI\x11My server\0map\0"), "steam", "Valve server queries",
     "", "My server", ""},
    {PROBE_UDP_BACNET, BYTES("\x81\x0a\0\x10\1\0\x10\0\xc4\2\0\0\1\x22\1\0"), "bacnet", "", "", "",
     ""},
    {PROBE_UDP_ECHO, BYTES("hnmap\r\n"), "echo", "", "", "", ""},
};

static void test_datagrams(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const row_t *row = &rows[i];
        const reply_t reply = {(const uint8_t *)row->data, row->len, row->probe, true};
        match_t m;

        assert_true(service_match(&reply, &m));
        assert_string_equal(m.name, row->name);
        assert_string_equal(m.product, row->product);
        assert_string_equal(m.version, row->version);
        assert_string_equal(m.extra, row->extra);
        assert_string_equal(m.hostname, row->hostname);
    }
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), PROBES - PROBE_UDP_DNS);
}

/* The block ends where the answer does: a sanitizer sees what is read behind it. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t len = 0; len < rows[i].len; len++) {
            uint8_t *copy = malloc(len ? len : 1);
            const reply_t reply = {copy, len, rows[i].probe, true};
            match_t m;

            assert_non_null(copy);
            memcpy(copy, rows[i].data, len);
            service_match(&reply, &m);
            assert_true(m.level == MATCH_NONE || strcmp(m.name, rows[i].name) == 0 ||
                        rows[i].probe == PROBE_UDP_RPC);
            free(copy);
        }
}

/* What answers one question is not taken for the answer to another. */
static void test_other_questions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (probe_e p = PROBE_UDP_DNS; p < PROBES; p++) {
            const reply_t reply = {(const uint8_t *)rows[i].data, rows[i].len, p, true};
            match_t m;

            service_match(&reply, &m);
            assert_true(p == rows[i].probe || m.level == MATCH_NONE || rows[i].len >= 48 ||
                        p == PROBE_UDP_TFTP || p == PROBE_UDP_COAP);
        }
}

/* ---- the way to TLS -------------------------------------------------------------------------- */

static void test_probes_of_ports(void **state)
{
    probe_e order[PROBES];
    hbytes_t words = {0};
    size_t likely;

    (void)state;
    assert_true(service_probes_for(IPPROTO_UDP, 161, 0, false, order, &likely) == 1);
    assert_true(order[0] == PROBE_UDP_SNMP && likely == 1);
    assert_int_equal(service_probes_for(IPPROTO_UDP, 12345, 9, false, order, &likely),
                     PROBES - PROBE_UDP_DNS);
    for (probe_e p = PROBE_UDP_DNS; p < PROBES; p++) {
        assert_int_equal(service_probe_write(&words, p, "host"), 0);
        assert_true(words.len > 0 && service_probe_name(p));
        hbytes_deinit(&words);
    }
}

typedef struct dialogue_s {
    const char *name;
    struct {
        const char *answer;
        size_t len;
        starttls_do_e then;
    } steps[3];
} dialogue_t;

#define GREETING                                                                                   \
    "\x50\0\0\0\x0a"                                                                               \
    "8.0\0\1\0\0\0saltsalt\0\xff"

/* Every prefix of an answer waits, and the whole of it decides. */
static void test_starttls(void **state)
{
    static const dialogue_t dialogues[] = {
        {"smtp",
         {{BYTES("220-a\r\n220 b\r\n"), STARTTLS_SAY},
          {BYTES("250-a\r\n250 B\r\n"), STARTTLS_SAY},
          {BYTES("220 go\r\n"), STARTTLS_BEGIN}}},
        {"smtp", {{BYTES("554 no\r\n"), STARTTLS_REFUSED}}},
        {"ftp", {{BYTES("220\r\n"), STARTTLS_SAY}, {BYTES("234 a\r\n"), STARTTLS_BEGIN}}},
        {"ftp", {{BYTES("220 a\r\n"), STARTTLS_SAY}, {BYTES("502 a\r\n"), STARTTLS_REFUSED}}},
        {"pop3", {{BYTES("+OK\r\n"), STARTTLS_SAY}, {BYTES("+OK a\r\n"), STARTTLS_BEGIN}}},
        {"pop3", {{BYTES("+OK\r\n"), STARTTLS_SAY}, {BYTES("-ERR\r\n"), STARTTLS_REFUSED}}},
        {"imap", {{BYTES("* OK a\r\n"), STARTTLS_SAY}, {BYTES("* X\r\na OK\r\n"), STARTTLS_BEGIN}}},
        {"imap", {{BYTES("* OK a\r\n"), STARTTLS_SAY}, {BYTES("a BAD\r\n"), STARTTLS_REFUSED}}},
        {"imap", {{BYTES("* BYE a\r\n"), STARTTLS_REFUSED}}},
        {"postgresql", {{BYTES(""), STARTTLS_SAY}, {BYTES("S"), STARTTLS_BEGIN}}},
        {"postgresql", {{BYTES(""), STARTTLS_SAY}, {BYTES("N"), STARTTLS_REFUSED}}},
        {"ldap",
         {{BYTES(""), STARTTLS_SAY},
          {BYTES("\x30\x0c\2\1\1\x78\7\x0a\1\0\4\0\4\0"), STARTTLS_BEGIN}}},
        {"ldap",
         {{BYTES(""), STARTTLS_SAY},
          {BYTES("\x30\x0c\2\1\1\x78\7\x0a\1\2\4\0\4\0"), STARTTLS_REFUSED}}},
        {"mysql", {{BYTES(GREETING "\xff"), STARTTLS_SAY}, {BYTES(""), STARTTLS_BEGIN}}},
        {"mysql", {{BYTES(GREETING "\xf7"), STARTTLS_REFUSED}}},
        {"xmpp",
         {{BYTES(""), STARTTLS_SAY},
          {BYTES("<stream:features><starttls"), STARTTLS_SAY},
          {BYTES("<proceed"), STARTTLS_BEGIN}}},
        {"xmpp",
         {{BYTES(""), STARTTLS_SAY},
          {BYTES("<stream:features><mechanisms/></stream:features>"), STARTTLS_REFUSED}}},
    };
    const char *words;
    size_t words_len;

    (void)state;
    assert_false(service_has_starttls("http"));
    assert_int_equal(service_starttls("http", 0, NULL, 0, &words, &words_len), STARTTLS_REFUSED);
    assert_int_equal(service_starttls("smtp", 9, NULL, 0, &words, &words_len), STARTTLS_REFUSED);
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
        const dialogue_t *d = &dialogues[i];

        assert_true(service_has_starttls(d->name));
        for (unsigned step = 0; step < 3 && d->steps[step].answer; step++) {
            const uint8_t *answer = (const uint8_t *)d->steps[step].answer;
            size_t len = d->steps[step].len;

            for (size_t part = 0; part < len; part++)
                assert_int_equal(service_starttls(d->name, step, answer, part, &words, &words_len),
                                 STARTTLS_WAIT);
            assert_int_equal(service_starttls(d->name, step, answer, len, &words, &words_len),
                             d->steps[step].then);
            if (d->steps[step].then == STARTTLS_SAY)
                assert_true(words_len > 0);
        }
    }
}

/* ---- ports that were kept -------------------------------------------------------------------- */

#define PORTS 40

static int fold(void *arg)
{
    host_result_t host = {0};
    port_result_t ports[PORTS];
    int err;

    (void)arg;
    for (uint16_t i = 0; i < PORTS; i++)
        ports[i] = (port_result_t){.number = (uint16_t)(i + 1),
                                   .protocol = IPPROTO_UDP,
                                   .state = i < 5 ? PORT_CLOSED : PORT_OPEN_FILTERED,
                                   .reason = i < 5 ? REASON_PORT_UNREACH : REASON_NO_RESPONSE,
                                   .is_kept = i >= 5};
    err = host_result_divide(&host, ports, PORTS, 2, false);
    if (err == 0) {
        assert_int_equal(host.port_count, PORTS - 5);
        host.ports[7].state = PORT_OPEN; /* 13 has answered */
        err = host_result_fold(&host, 2);
    }
    if (err == 0) {
        assert_int_equal(host.port_count, 1);
        assert_int_equal(host.ports[0].number, 13);
        assert_int_equal(host.group_count, 2);
        assert_string_equal(host.groups[0].ports, "6-12,14-40");
        assert_int_equal(host.groups[0].count, PORTS - 6);
        assert_string_equal(host.groups[1].ports, "1-5");
    }
    host_result_deinit(&host);
    return err;
}

static void test_fold(void **state)
{
    host_result_t host = {0};
    port_result_t port = {
        .number = 9, .protocol = IPPROTO_UDP, .state = PORT_OPEN_FILTERED, .is_kept = true};

    (void)state;
    oom_run(fold, NULL);
    assert_int_equal(host_result_divide(&host, &port, 1, 0, false), 0);
    assert_int_equal(host_result_fold(&host, 1), 0); /* few are shown one by one */
    assert_true(host.port_count == 1 && host.group_count == 0);
    host_result_deinit(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagrams),       cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_other_questions), cmocka_unit_test(test_probes_of_ports),
        cmocka_unit_test(test_starttls),        cmocka_unit_test(test_fold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
