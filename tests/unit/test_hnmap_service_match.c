/* One thread. */
/* What servers say, as Debian's do, and what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/service_match.h"
#include "base/hmem.h"
#include "oom.h"

#define BYTES(text) (text), sizeof(text) - 1

typedef struct sample_s {
    probe_e probe;
    const char *data;
    size_t len;
    const char *expected; /* name|product|version|extra|host|os|first CPE */
} sample_t;

#define HTTP_OK "HTTP/1.1 200 OK\r\nServer: "
#define JSON "Content-Type: application/json\r\n\r\n"

static const sample_t samples[] = {
    {PROBE_BANNER, BYTES("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"),
     "ssh|OpenSSH|9.2p1 Debian 2+deb12u10|protocol 2.0||Linux|cpe:/a:openbsd:openssh:9.2p1"},
    {PROBE_BANNER, BYTES("SSH-2.0-OpenSSH_9.6\r\n"),
     "ssh|OpenSSH|9.6|protocol 2.0|||cpe:/a:openbsd:openssh:9.6"},
    {PROBE_HTTP, BYTES("SSH-2.0-dropbear_2022.83\r\n\x00\x01"),
     "ssh|Dropbear sshd|2022.83|protocol 2.0||Linux|"
     "cpe:/a:matt_johnston:dropbear_ssh_server:2022.83"},
    {PROBE_BANNER, BYTES("SSH-1.99-Mystery\n"), "ssh|Mystery||protocol 1.99|||"},
    {PROBE_HTTP, BYTES(HTTP_OK "nginx/1.22.1\r\n\r\n"),
     "http|nginx|1.22.1||||cpe:/a:igor_sysoev:nginx:1.22.1"},
    {PROBE_HTTP, BYTES(HTTP_OK "Apache/2.4.57 (Debian)\r\nX-Powered-By: PHP/8.2.7\r\n\r\n"),
     "http|Apache httpd|2.4.57|Debian; PHP/8.2.7||Linux|cpe:/a:apache:http_server:2.4.57"},
    {PROBE_HTTP, BYTES(HTTP_OK "SimpleHTTP/0.6 Python/3.11.2\r\n\r\n<html>"),
     "http|SimpleHTTPServer|0.6|Python 3.11.2|||cpe:/a:python:simplehttpserver:0.6"},
    {PROBE_HTTP, BYTES(HTTP_OK "Mystery/7.1-rc2\r\n\r\n"), "http|Mystery|7.1-rc2||||"},
    {PROBE_HTTP, BYTES("HTTP/1.0 404 Not Found\r\n\r\n"), "http||||||"},
    {PROBE_HTTP, BYTES("HTTP/1.1 200 OK\r\nX-Jenkins: 2.426.1\r\nServer: Jetty(10.0.17)\r\n\r\n"),
     "http|Jenkins httpd|2.426.1|10.0.17|||cpe:/a:eclipse:jetty:10.0.17"},
    {PROBE_HTTP,
     BYTES("HTTP/1.1 200 OK\r\n" JSON "{\n \"version\" : {\n  \"number\" : \"8.11.3\",\n"
           "  \"lucene_version\" : \"9.8.0\"\n }\n}"),
     "http|Elasticsearch REST API|8.11.3||||cpe:/a:elastic:elasticsearch:8.11.3"},
    {PROBE_HTTP_VERSION,
     BYTES("HTTP/1.1 200 OK\r\n" JSON "{\"etcdserver\":\"3.5.9\",\"etcdcluster\":\"3.5.0\"}"),
     "http|etcd|3.5.9||||cpe:/a:etcd:etcd:3.5.9"},
    {PROBE_HTTP_VERSION,
     BYTES("HTTP/1.1 200 OK\r\n" JSON "{\n  \"gitVersion\": \"v1.28.4\",\n"
           "  \"goVersion\": \"go1.20.11\"}"),
     "http|Kubernetes API|1.28.4||||cpe:/a:kubernetes:kubernetes:1.28.4"},
    {PROBE_SIP, BYTES("SIP/2.0 200 OK\r\nServer: Asterisk PBX 18.10.0\r\n\r\n"),
     "sip|Asterisk PBX|18.10.0||||cpe:/a:digium:asterisk:18.10.0"},
    {PROBE_BANNER, BYTES("220 mx.example.org ESMTP Postfix (Debian/GNU)\r\n"),
     "smtp|Postfix smtpd|||mx.example.org||cpe:/a:postfix:postfix"},
    {PROBE_BANNER, BYTES("220 h.example ESMTP Exim 4.96 Sun, 22 Nov 2026 00:00:00 +0000\r\n"),
     "smtp|Exim smtpd|4.96||h.example||cpe:/a:exim:exim:4.96"},
    {PROBE_BANNER, BYTES("220 (vsFTPd 3.0.3)\r\n"),
     "ftp|vsftpd|3.0.3|||Unix|cpe:/a:vsftpd:vsftpd:3.0.3"},
    {PROBE_BANNER, BYTES("220-Welcome\r\n220-to this\r\n220 FTP server ready\r\n"), "ftp||||||"},
    {PROBE_BANNER, BYTES("500 OOPS: vsftpd: refusing to run with writable root\r\n"),
     "ftp|vsftpd||broken: refusing to run with writable root||Unix|cpe:/a:vsftpd:vsftpd"},
    {PROBE_BANNER, BYTES("+OK Dovecot (Debian) ready.\r\n"),
     "pop3|Dovecot pop3d|||||cpe:/a:dovecot:dovecot"},
    {PROBE_BANNER, BYTES("* OK [CAPABILITY IMAP4rev1 STARTTLS] Dovecot (Debian) ready.\r\n"),
     "imap|Dovecot imapd|||||cpe:/a:dovecot:dovecot"},
    {PROBE_BANNER, BYTES("200 news.example InterNetNews NNRP server INN 2.7.1 ready\r\n"),
     "nntp|InterNetNews (INN)|||||cpe:/a:isc:inn"},
    {PROBE_BANNER,
     BYTES("\x5b\x00\x00\x00\x0a"
           "5.5.5-10.11.6-MariaDB-0+deb12u1\0abcdefghijklmnopqrst"),
     "mysql|MariaDB|10.11.6-MariaDB-0+deb12u1||||cpe:/a:mariadb:mariadb:10.11.6"},
    {PROBE_BANNER,
     BYTES("\x4a\x00\x00\x00\x0a"
           "8.0.35\0abcdefghijklmnopqrst"),
     "mysql|MySQL|8.0.35||||cpe:/a:mysql:mysql:8.0.35"},
    {PROBE_BANNER,
     BYTES("\x45\x00\x00\x00\xff\x6a\x04Host '10.0.0.2' is not allowed to connect to this MariaDB "
           "server"),
     "mysql|MariaDB||unauthorized|||"},
    {PROBE_POSTGRES, BYTES("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
     "postgresql|PostgreSQL DB|||||cpe:/a:postgresql:postgresql"},
    {PROBE_POSTGRES,
     BYTES("R\0\0\0\x08\0\0\0\0S\0\0\0\x18server_version\0"
           "15.8\0"),
     "postgresql|PostgreSQL DB|15.8||||cpe:/a:postgresql:postgresql:15.8"},
    {PROBE_POSTGRES, BYTES("E\0\0\0\x60SFATAL\0VFATAL\0C28000\0Mno entry\0\0"),
     "postgresql|PostgreSQL DB|||||cpe:/a:postgresql:postgresql"},
    {PROBE_REDIS, BYTES("$60\r\n# Server\r\nredis_version:7.0.15\r\nos:Linux 6.1 x86_64\r\n"),
     "redis|Redis key-value store|7.0.15|||Linux|cpe:/a:redislabs:redis:7.0.15"},
    {PROBE_REDIS, BYTES("$60\r\n# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n"),
     "redis|Valkey key-value store|8.0.1||||cpe:/a:lfprojects:valkey:8.0.1"},
    {PROBE_REDIS, BYTES("-NOAUTH Authentication required.\r\n"),
     "redis|Redis key-value store||authentication required|||"},
    {PROBE_MEMCACHED, BYTES("VERSION 1.6.18\r\n"),
     "memcached|Memcached|1.6.18||||cpe:/a:memcached:memcached:1.6.18"},
    {PROBE_MQTT,
     BYTES(" \x02\0\0\x90\x03\0\x01\0\x31-\0\x13$SYS/broker/versionmosquitto version 2.0.11"),
     "mqtt|Mosquitto|2.0.11||||cpe:/a:eclipse:mosquitto:2.0.11"},
    {PROBE_MQTT, BYTES(" \x02\0\x05"), "mqtt|||not authorized|||"},
    {PROBE_AMQP,
     BYTES("\x01\0\0\0\0\0\x36\0\x0a\0\x0a\0\x09\0\0\0\x28\x07productS\0\0\0\x08RabbitMQ"
           "\x07versionS\0\0\0\x06"
           "3.12.1\0\0\0\0\0\xce"),
     "amqp|RabbitMQ|3.12.1||||cpe:/a:vmware:rabbitmq:3.12.1"},
    {PROBE_AMQP, BYTES("AMQP\x00\x01\x00\x00"), "amqp|||AMQP 1.0|||"},
    {PROBE_MONGODB,
     BYTES("\x2f\0\0\0\x05\0\0\0\x01\0\0\0\xdd\x07\0\0\0\0\0\0\0\x1a\0\0\0\x02version\0"
           "\x07\0\0\0"
           "6.0.11\0\0"),
     "mongodb|MongoDB|6.0.11||||cpe:/a:mongodb:mongodb:6.0.11"},
    {PROBE_LDAP,
     BYTES("\x30\x32\x02\x01\x01\x64\x2d\x04\x00\x30\x29\x30\x27\x04\x0bobjectClass\x31\x18"
           "\x04\x03top\x04\x0fOpenLDAProotDSE\x04\x00"),
     "ldap|OpenLDAP|||||cpe:/a:openldap:openldap"},
    {PROBE_RDP, BYTES("\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x0f\x08\0\x02\0\0\0"),
     "ms-wbt-server|||CredSSP|||"},
    {PROBE_BANNER, BYTES("RFB 003.008\n"), "vnc|VNC||protocol 3.8|||"},
    {PROBE_BANNER, BYTES("@RSYNCD: 31.0 sha512\n"), "rsync|||protocol version 31.0|||"},
    {PROBE_BANNER, BYTES("@RSYNCD: \n"), "rsync||||||"},
    {PROBE_BANNER, BYTES("\xff\xfd\x18\xff\xfd\x20"), "telnet||||||"},
    {PROBE_DNS,
     BYTES("\0\x3fhn\x85\0\0\x01\0\x01\0\0\0\0\x07version\x04"
           "bind\0\0\x10\0\x03"
           "\xc0\x0c\0\x10\0\x03\0\0\0\0\0\x10\x0f"
           "9.18.24-1-Debia"),
     "domain|ISC BIND|9.18.24-1-Debia||||cpe:/a:isc:bind:9.18.24-1-debia"},
    {PROBE_DNS,
     BYTES("\0\x3ahn\x85\0\0\x01\0\x01\0\0\0\0\x07version\x04"
           "bind\0\0\x10\0\x03"
           "\xc0\x0c\0\x10\0\x03\0\0\0\0\0\x0d\x0c"
           "dnsmasq-2.89"),
     "domain|dnsmasq|2.89||||cpe:/a:thekelleys:dnsmasq:2.89"},
    {PROBE_X11, BYTES("\x00\x16\x0b\x00\x00\x00\x06\x00No auth specified"),
     "X11|||access denied|||"},
    {PROBE_SOCKS5, BYTES("\x05\x00"), "socks5|||no authentication|||"},
    {PROBE_GIT, BYTES("0030ERR access denied or repository not exported: /"), "git||||||"},
    {PROBE_ZOOKEEPER, BYTES("Zookeeper version: 3.8.0-${mvngit.commit.id}, built on 2022\n"),
     "zookeeper|Zookeeper|3.8.0||||cpe:/a:apache:zookeeper:3.8.0"},
    {PROBE_CASSANDRA,
     BYTES("\x84\0\0\0\x06\0\0\0\x1c\0\x01\0\x0b"
           "CQL_VERSION\0\x01\0\x05"
           "3.4.6"),
     "cassandra|Apache Cassandra||CQL 3.4.6|||cpe:/a:apache:cassandra"},
    {PROBE_KAFKA, BYTES("\0\0\0\x0ahnmp\0\0\0\0\0\0"), "kafka|Apache Kafka|||||"},
    {PROBE_MSSQL,
     BYTES("\x04\x01\0\x2b\0\0\x01\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x0f\0\x07\xd0\0\0\x02"),
     "ms-sql-s|Microsoft SQL Server|15.00.2000||||cpe:/a:microsoft:sql_server"},
    {PROBE_RPC, BYTES("\x80\0\0\x18hnmp\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
     "rpcbind||||||"},
    {PROBE_AJP, BYTES("AB\0\x01\x09"), "ajp13|Apache Jserv|||||"},
    {PROBE_BANNER, BYTES("INFO {\"server_id\":\"N\",\"version\":\"2.9.1\"}\r\n"),
     "nats|NATS server|2.9.1||||cpe:/a:nats:nats_server:2.9.1"},
    {PROBE_BANNER, BYTES(":irc.example NOTICE * :*** Looking up your hostname\r\n"),
     "irc||||irc.example||"},
    {PROBE_HTTP, BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "echo||||||"},
};

/* What no service says. */
static const sample_t strangers[] = {
    {PROBE_BANNER, BYTES("hello\r\n"), ""},
    {PROBE_BANNER, BYTES("\r\n"), ""},
    {PROBE_BANNER, BYTES("\0\0\0\0\0\0\0\0\0\0\0\0"), ""},
    {PROBE_HTTP, BYTES("-1\r\n"), ""},
    {PROBE_HTTP, BYTES("ERROR\r\n"), ""},
    {PROBE_MQTT, BYTES(" \x02"), ""},
    {PROBE_BANNER, BYTES("\x05\x00"), ""},
    {PROBE_REDIS, BYTES("$5\r\nhello\r\n"), ""},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool run(const sample_t *s, size_t len, bool is_whole, match_t *m, char *text, size_t size)
{
    uint8_t *copy = malloc(len ? len : 1); /* so that a sanitizer sees a read behind it */
    const reply_t reply = {copy, len, s->probe, is_whole};
    bool is_done;

    memcpy(copy, s->data, len);
    is_done = service_match(&reply, m);
    snprintf(text, size, "%s|%s|%s|%s|%s|%s|%s", m->name ? m->name : "", m->product, m->version,
             m->extra, m->hostname, m->os, m->cpe[0]);
    free(copy);
    return is_done;
}

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        char text[1024];
        match_t m;

        run(&samples[i], samples[i].len, true, &m, text, sizeof(text));
        assert_string_equal(text, samples[i].expected);
        assert_true(m.level != MATCH_NONE);
    }
}

static void test_strangers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strangers); i++) {
        char text[1024];
        match_t m;

        run(&strangers[i], strangers[i].len, true, &m, text, sizeof(text));
        assert_int_equal(m.level, MATCH_NONE);
        assert_null(m.name);
    }
}

/* What is said to be the end before all has come tells the same as all. */
static void test_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++)
        for (size_t len = 0; len <= samples[i].len; len++) {
            char text[1024], whole[1024];
            match_t m;

            run(&samples[i], len, true, &m, whole, sizeof(whole));
            if (run(&samples[i], len, false, &m, text, sizeof(text)) && len > 0)
                assert_string_equal(text, whole);
            assert_true(m.level == MATCH_NONE || m.name != NULL);
        }
}

static void test_lines_are_waited_for(void **state)
{
    static const sample_t cut = {PROBE_BANNER, BYTES("SSH-2.0-OpenSSH_9."), ""};
    static const sample_t more = {PROBE_BANNER, BYTES("220-mx.example\r\n220-ESMTP\r\n"), ""};
    static const sample_t head = {PROBE_HTTP, BYTES("HTTP/1.1 200 OK\r\nSer"), ""};
    const sample_t *all[] = {&cut, &more, &head};
    char text[1024];
    match_t m;

    (void)state;
    for (size_t i = 0; i < COUNT(all); i++)
        assert_false(run(all[i], all[i]->len, false, &m, text, sizeof(text)));
}

static void test_hints(void **state)
{
    static const sample_t plain = {
        PROBE_HTTP,
        BYTES("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\nThe plain HTTP request was sent to "
              "HTTPS port"),
        ""};
    static const sample_t redis = {
        PROBE_HTTP, BYTES("-ERR wrong number of arguments for 'get' command\r\n"), ""};
    static const sample_t memcached = {PROBE_LINE, BYTES("ERROR\r\n"), ""};
    static const sample_t bare = {PROBE_HTTP, BYTES("HTTP/1.1 200 OK\r\n\r\n"), ""};
    static const sample_t alert = {PROBE_HTTP, BYTES("\x15\x03\x01\x00\x02\x02\x46"), ""};
    char text[1024];
    match_t m;

    (void)state;
    run(&plain, plain.len, true, &m, text, sizeof(text));
    assert_true(m.wants_tls);
    run(&redis, redis.len, true, &m, text, sizeof(text));
    assert_int_equal(m.next, PROBE_REDIS);
    run(&memcached, memcached.len, true, &m, text, sizeof(text));
    assert_int_equal(m.next, PROBE_MEMCACHED);
    run(&bare, bare.len, true, &m, text, sizeof(text));
    assert_int_equal(m.next, PROBE_HTTP_VERSION);
    run(&alert, alert.len, true, &m, text, sizeof(text));
    assert_true(m.wants_tls);
}

static void test_texts_are_harmless(void **state)
{
    static const sample_t hostile = {PROBE_HTTP,
                                     BYTES(HTTP_OK "\x1b[2J\x1b]0;x\x07"
                                                   "evil\x80/1\x1b[0m.2\r\n\r\n"),
                                     ""};
    char text[1024];
    match_t m;

    (void)state;
    run(&hostile, hostile.len, true, &m, text, sizeof(text));
    for (const char *c = text; *c; c++)
        assert_true(*c >= 0x20 && *c < 0x7f);
}

/* ---- probes ---------------------------------------------------------------------------------- */

static const uint8_t *probe_bytes(hbytes_t *b, probe_e probe)
{
    hbytes_clear(b);
    assert_int_equal(service_probe_write(b, probe, "host.example"), 0);
    return (const uint8_t *)b->data;
}

/* The lengths that the protocols have at the front are true. */
static void test_lengths(void **state)
{
    hbytes_t b = {0};
    const uint8_t *p;

    (void)state;
    p = probe_bytes(&b, PROBE_POSTGRES);
    assert_int_equal(p[3], b.len);
    p = probe_bytes(&b, PROBE_MONGODB);
    assert_int_equal(p[0], b.len);
    assert_int_equal(p[21], b.len - 21);
    p = probe_bytes(&b, PROBE_LDAP);
    assert_int_equal(p[1], b.len - 2);
    p = probe_bytes(&b, PROBE_RDP);
    assert_int_equal(p[3], b.len);
    p = probe_bytes(&b, PROBE_SMB);
    assert_int_equal(p[3], b.len - 4);
    p = probe_bytes(&b, PROBE_DNS);
    assert_int_equal(p[1], b.len - 2);
    p = probe_bytes(&b, PROBE_MSSQL);
    assert_int_equal(p[3], b.len);
    p = probe_bytes(&b, PROBE_RPC);
    assert_int_equal(p[3], b.len - 4);
    p = probe_bytes(&b, PROBE_KAFKA);
    assert_int_equal(p[3], b.len - 4);
    p = probe_bytes(&b, PROBE_MQTT);
    assert_int_equal(p[1] + 2 + p[p[1] + 3] + 2, b.len);
    p = probe_bytes(&b, PROBE_GIT);
    assert_int_equal(strtol((char[]){(char)p[0], (char)p[1], (char)p[2], (char)p[3], 0}, NULL, 16),
                     b.len);
    p = probe_bytes(&b, PROBE_X11);
    assert_int_equal(b.len, 12);
    hbytes_deinit(&b);
}

static void test_http_host(void **state)
{
    hbytes_t b = {0};

    (void)state;
    assert_int_equal(service_probe_write(&b, PROBE_HTTP, "fe80::1"), 0);
    assert_non_null(strstr(b.data, "\r\nHost: [fe80::1]\r\n"));
    hbytes_deinit(&b);
}

static void test_order(void **state)
{
    probe_e order[PROBES];
    size_t likely,
        count = service_probes_for(IPPROTO_TCP, 6379, SERVICE_INTENSITY, false, order, &likely);

    (void)state;
    assert_int_equal(order[0], PROBE_REDIS);
    assert_int_equal(likely, 3); /* with TLS and HTTP */
    assert_true(count > 15);
    assert_int_equal(service_probes_for(IPPROTO_TCP, 6379, 0, false, order, &likely), 1);
    assert_int_equal(service_probes_for(IPPROTO_TCP, 12345, 0, false, order, &likely), 0);
    count = service_probes_for(IPPROTO_TCP, 12345, SERVICE_INTENSITY_MAX, true, order, &likely);
    for (size_t i = 0; i < count; i++)
        assert_true(order[i] != PROBE_TLS && order[i] != PROBE_BANNER);
    assert_true(service_speaks_first(22) && !service_speaks_first(80));
    assert_true(service_is_printer(9100) && !service_is_printer(9099));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int make_service(void *arg)
{
    service_t *service;
    char text[1024];
    match_t m;

    run(arg, ((const sample_t *)arg)->len, true, &m, text, sizeof(text));
    service = service_of(&m);
    if (service == NULL)
        return -ENOMEM;
    assert_string_equal(service->version, "9.2p1 Debian 2+deb12u10");
    assert_string_equal(service->cpe[1], "cpe:/o:linux:linux_kernel");
    assert_int_equal(service->confidence, 10);
    service_free(service);
    return 0;
}

static void test_oom(void **state)
{
    sample_t first = samples[0];

    (void)state;
    oom_run(make_service, &first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples), cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_pieces),  cmocka_unit_test(test_lines_are_waited_for),
        cmocka_unit_test(test_hints),   cmocka_unit_test(test_texts_are_harmless),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_http_host),
        cmocka_unit_test(test_order),   cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
