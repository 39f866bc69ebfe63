/* dns_fixture: a name server on the test's own loop, over UDP and TCP. What it answers is in the
 * name that is asked: its first label names the behaviour.
 *
 *     both v4 v6 slow6 cname many ttl0 ttl1 txt srv mx      records
 *     nx nosoa nodata servfail refused silent               none of them
 *     trunc garbage mangled wrongid loop                    trouble
 *
 * Names that end in ".dead" are known to nobody but the search list. Include it after cmocka.h. */
#ifndef HNET_TESTS_DNS_FIXTURE_H
#define HNET_TESTS_DNS_FIXTURE_H

#include "event/hio.h"
#include "net/hdns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DNS_MESSAGE_MAX 8192

struct dns_message_s;
struct dns_server_s;

/* The test's own records: true if it has answered. */
typedef bool (*dns_records_cb)(struct dns_server_s *server, struct dns_message_s *m,
                               const char *name, unsigned type);

typedef struct dns_server_s {
    hloop_t *loop;
    hio_t *udp, *tcp;
    char servers[64]; /* for hdns_options_t */
    int asked, asked_tcp;
    int asked_a, asked_aaaa;
    bool dead;              /* answers nothing at all */
    dns_records_cb records; /* asked first; NULL: none */
    void *arg;              /* for it */
} dns_server_t;

typedef struct dns_message_s {
    unsigned char data[DNS_MESSAGE_MAX];
    size_t len;
    unsigned answers;
} dns_message_t;

static inline void dns_put(dns_message_t *m, const void *data, size_t len)
{
    assert_true(m->len + len <= sizeof(m->data));
    memcpy(m->data + m->len, data, len);
    m->len += len;
}

static inline void dns_put16(dns_message_t *m, unsigned value)
{
    const unsigned char bytes[2] = {(unsigned char)(value >> 8), (unsigned char)value};

    dns_put(m, bytes, 2);
}

/* "a.b" as labels. */
static inline void dns_put_name(dns_message_t *m, const char *name)
{
    while (*name) {
        unsigned char len = (unsigned char)strcspn(name, ".");

        dns_put(m, &len, 1);
        dns_put(m, name, len);
        name += len;
        name += *name == '.';
    }
    dns_put(m, "", 1);
}

/* A record of the name at this offset, its length still open: returns where its data begins. */
static inline size_t dns_begin(dns_message_t *m, unsigned owner, unsigned type, unsigned ttl)
{
    dns_put16(m, 0xc000 | owner);
    dns_put16(m, type);
    dns_put16(m, 1);
    dns_put16(m, ttl >> 16);
    dns_put16(m, ttl);
    dns_put16(m, 0);
    m->answers++;
    return m->len;
}

static inline void dns_end(dns_message_t *m, size_t start)
{
    m->data[start - 2] = (unsigned char)((m->len - start) >> 8);
    m->data[start - 1] = (unsigned char)(m->len - start);
}

static inline void dns_address(dns_message_t *m, unsigned owner, unsigned type, unsigned ttl,
                               unsigned last)
{
    unsigned char v4[4] = {127, 0, 0, (unsigned char)last};
    unsigned char v6[16] = {[15] = (unsigned char)last};
    size_t start = dns_begin(m, owner, type, ttl);

    if (last > 1) { /* mapped: there is only one IPv6 address that does not leave this host */
        memset(v6 + 10, 0xff, 2);
        memcpy(v6 + 12, v4, 4);
    }
    dns_put(m, type == 1 ? v4 : v6, type == 1 ? 4 : 16);
    dns_end(m, start);
}

static inline void dns_soa(dns_message_t *m)
{
    size_t start = dns_begin(m, 12, 6, 60);
    const unsigned char numbers[20] = {[19] = 30};

    m->answers--;
    m->data[9] = 1; /* one authority record */
    dns_put_name(m, "ns");
    dns_put_name(m, "admin");
    dns_put(m, numbers, sizeof(numbers));
    dns_end(m, start);
}

static inline void dns_cname(dns_message_t *m, unsigned type)
{
    size_t first = dns_begin(m, 12, 5, 50), second;

    dns_put_name(m, "middle");
    dns_end(m, first);
    second = dns_begin(m, (unsigned)first, 5, 50);
    dns_put_name(m, "last");
    dns_end(m, second);
    dns_address(m, (unsigned)second, type, 50, 1);
}

static inline void dns_srv(dns_message_t *m, unsigned priority, unsigned weight, const char *target)
{
    size_t start = dns_begin(m, 12, 33, 40);

    dns_put16(m, priority);
    dns_put16(m, weight);
    dns_put16(m, 5060);
    dns_put_name(m, target);
    dns_end(m, start);
}

static inline void dns_texts(dns_message_t *m, unsigned type)
{
    size_t start;

    if (type == 16) {
        start = dns_begin(m, 12, 16, 40);
        dns_put(m, "\5hello\0\6 world", 14);
        dns_end(m, start);
    } else if (type == 15) {
        start = dns_begin(m, 12, 15, 40);
        dns_put16(m, 20);
        dns_put_name(m, "second.mail");
        dns_end(m, start);
        start = dns_begin(m, 12, 15, 40);
        dns_put16(m, 10);
        dns_put_name(m, "first.mail");
        dns_end(m, start);
    } else if (type == 12) {
        start = dns_begin(m, 12, 12, 40);
        dns_put_name(m, "host.example");
        dns_end(m, start);
    } else {
        dns_srv(m, 20, 0, "last");
        dns_srv(m, 10, 0, "light");
        dns_srv(m, 10, 65535, "heavy");
    }
}

static inline bool dns_is(const char *name, const char *label)
{
    size_t len = strlen(label);

    return strncasecmp(name, label, len) == 0 && (name[len] == '.' || name[len] == '\0');
}

static inline unsigned dns_rcode(const char *name)
{
    size_t len = strlen(name);

    if (len > 5 && strcmp(name + len - 5, ".dead") == 0)
        return 3;
    return dns_is(name, "nx") || dns_is(name, "nosoa") ? 3
           : dns_is(name, "servfail")                  ? 2
           : dns_is(name, "refused")                   ? 5
                                                       : 0;
}

static inline void dns_records(dns_message_t *m, const char *name, unsigned type)
{
    bool is_address = type == 1 || type == 28;
    unsigned ttl = dns_is(name, "ttl0") ? 0 : dns_is(name, "ttl1") ? 1 : 100;

    if (dns_rcode(name) != 0 || dns_is(name, "nodata") || (dns_is(name, "v4") && type == 28) ||
        (dns_is(name, "v6") && type == 1)) {
        if (!dns_is(name, "nosoa"))
            dns_soa(m);
    } else if (dns_is(name, "cname")) {
        dns_cname(m, type);
    } else if (dns_is(name, "many") && is_address) {
        for (unsigned i = 1; i <= 70; i++)
            dns_address(m, 12, type, ttl, i);
    } else if (is_address) {
        dns_address(m, 12, type, ttl, 1);
        if (dns_is(name, "mangled"))
            m->data[m->len - (type == 1 ? 5 : 17)] = 99; /* longer than the message */
        if (dns_is(name, "loop"))
            m->data[m->len - (type == 1 ? 15 : 27)] =
                (unsigned char)(m->len - 16 - (type == 1 ? 0 : 12));
    } else {
        dns_texts(m, type);
    }
}

/* The name of the question, with dots, and its type. */
static inline unsigned dns_question(const unsigned char *data, size_t len, char name[300],
                                    size_t *end)
{
    size_t pos = 12, n = 0;

    while (pos < len && data[pos]) {
        memcpy(name + n, data + pos + 1, data[pos]);
        n += data[pos];
        name[n++] = '.';
        pos += 1u + data[pos];
    }
    name[n > 0 ? n - 1 : 0] = '\0';
    *end = pos + 5;
    return (unsigned)data[pos + 1] << 8 | data[pos + 2];
}

/* The answer to a question; false: none. */
static inline bool dns_answer(dns_server_t *server, const unsigned char *data, size_t len, bool tcp,
                              dns_message_t *m)
{
    char name[300];
    size_t end;
    unsigned type = dns_question(data, len, name, &end);

    server->asked++;
    server->asked_tcp += tcp;
    server->asked_a += type == 1;
    server->asked_aaaa += type == 28;
    memset(m, 0, sizeof(*m));
    if (server->dead || dns_is(name, "silent") || (dns_is(name, "slow6") && type == 28))
        return false;
    dns_put(m, data, end);
    m->data[2] = 0x81;
    m->data[3] = (unsigned char)(0x80 | dns_rcode(name));
    memset(m->data + 6, 0, 6);
    if (dns_is(name, "garbage"))
        memset(m->data, 0xff, 40);
    if (dns_is(name, "wrongid"))
        m->data[1] ^= 1;
    if (!server->records || !server->records(server, m, name, type))
        dns_records(m, name, type);
    m->data[7] = (unsigned char)m->answers;
    if (!tcp && (dns_is(name, "trunc") || m->len > 1232)) {
        m->len = end;
        m->data[2] |= 2;
        m->data[7] = 0;
    }
    return true;
}

static inline void dns_on_datagram(hio_t *io, void *buf, int len)
{
    dns_message_t m;

    if (dns_answer(hevent_userdata(io), buf, (size_t)len, false, &m))
        hio_write(io, m.data, m.len);
}

/* Answers in pieces, so that the length is split too. */
static inline void dns_on_stream(hio_t *io, void *buf, int len)
{
    unsigned char *data = buf;
    dns_message_t m;

    while (len > 2) {
        int part = data[0] << 8 | data[1];

        assert_true(part + 2 <= len);
        if (dns_answer(hevent_userdata(io), data + 2, (size_t)part, true, &m)) {
            const unsigned char head[2] = {(unsigned char)(m.len >> 8), (unsigned char)m.len};

            hio_write(io, head, 1);
            hio_write(io, head + 1, 1);
            hio_write(io, m.data, m.len / 2);
            hio_write(io, m.data + m.len / 2, m.len - m.len / 2);
        }
        data += part + 2;
        len -= part + 2;
    }
}

static inline void dns_on_accept(hio_t *io)
{
    hio_setcb_read(io, dns_on_stream);
    hio_read(io);
}

/* NULL loop parts are out of memory: false. */
static inline bool dns_start(dns_server_t *server, hloop_t *loop)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int tcp,
        size = 4 * 1024 * 1024; /* for HDNS_QUERIES_MAX at once: what is lost waits for a retry */

    memset(server, 0, sizeof(*server));
    server->loop = loop;
    for (;;) { /* a port that is free for both */
        addr.sin_port = 0;
        tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(tcp, (struct sockaddr *)&addr, len), 0);
        assert_int_equal(getsockname(tcp, (struct sockaddr *)&addr, &len), 0);
        if (bind(udp, (struct sockaddr *)&addr, len) == 0)
            break;
        close(tcp);
    }
    assert_int_equal(listen(tcp, 16), 0);
    setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    snprintf(server->servers, sizeof(server->servers), "127.0.0.1:%u", ntohs(addr.sin_port));
    server->udp = hio_get(loop, udp);
    server->tcp = hio_get(loop, tcp);
    if (!server->udp)
        close(udp);
    if (!server->tcp)
        close(tcp);
    if (!server->udp || !server->tcp)
        return false;
    hevent_set_userdata(server->udp, server);
    hevent_set_userdata(server->tcp, server);
    hio_setcb_read(server->udp, dns_on_datagram);
    hio_setcb_accept(server->tcp, dns_on_accept);
    return hio_read(server->udp) == 0 && hio_accept(server->tcp) == 0;
}

#endif
