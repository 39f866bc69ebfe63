/* hdns_fixture: a resolver that asks dns_fixture's name server, and what came of its queries.
 * Include it after cmocka.h. */
#ifndef HNET_TESTS_HDNS_FIXTURE_H
#define HNET_TESTS_HDNS_FIXTURE_H

#include "dns_fixture.h"
#include "loop_test.h"
#include "net/hdns.h"

#include <stdio.h>
#include <string.h>

#define TEXTS_MAX 4

typedef struct world_s {
    hloop_t *loop;
    dns_server_t server;
    hdns_t *dns;
    hdns_options_t options;
    char hosts[64], conf[64];
} world_t;

/* What came of one query. */
typedef struct result_s {
    int calls, err;
    uint32_t ttl_s;
    size_t count;
    char addrs[70][HADDR_FORMAT_SIZE];
    char texts[TEXTS_MAX][64];
    hdns_record_t records[TEXTS_MAX];
    char error[200];
    hdns_query_t *query;
} result_t;

static inline void write_file(char path[64], const char *text)
{
    int fd;

    snprintf(path, 64, "/tmp/hnet-dns-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static inline void begin_with(world_t *w, const char *hosts, const char *conf)
{
    memset(w, 0, sizeof(*w));
    w->loop = new_loop();
    assert_true(dns_start(&w->server, w->loop));
    write_file(w->hosts, hosts);
    write_file(w->conf, conf);
    w->options = (hdns_options_t){.servers = w->server.servers,
                                  .hosts_file = w->hosts,
                                  .resolv_conf = w->conf,
                                  .timeout_ms = 5000};
}

static inline void begin(world_t *w)
{
    begin_with(w, "192.0.2.9 in.hosts alias\n", "nameserver 127.0.0.1\n");
}

static inline void use(world_t *w)
{
    assert_int_equal(hdns_new(w->loop, &w->options, &w->dns), 0);
}

static inline void end(world_t *w)
{
    hdns_free(w->dns);
    hloop_free(&w->loop);
    unlink(w->hosts);
    unlink(w->conf);
}

static inline void on_addrs(hdns_query_t *query, int err, const haddr_t *addrs, size_t count,
                            void *arg)
{
    result_t *r = arg;

    r->calls++;
    r->err = err;
    r->ttl_s = hdns_ttl_s(query);
    r->count = count;
    assert_true((err == 0) == (count > 0));
    for (size_t i = 0; i < count; i++)
        haddr_format(&addrs[i].u.sa, addrs[i].len, r->addrs[i], sizeof(r->addrs[i]));
    snprintf(r->error, sizeof(r->error), "%s", hdns_error(query));
}

static inline void on_records(hdns_query_t *query, int err, const hdns_record_t *records,
                              size_t count, void *arg)
{
    result_t *r = arg;

    r->calls++;
    r->err = err;
    r->ttl_s = hdns_ttl_s(query);
    r->count = count;
    for (size_t i = 0; i < count && i < TEXTS_MAX; i++) {
        r->records[i] = records[i];
        assert_int_equal(strlen(records[i].text), records[i].len);
        snprintf(r->texts[i], sizeof(r->texts[i]), "%s", records[i].text);
    }
    snprintf(r->error, sizeof(r->error), "%s", hdns_error(query));
}

static inline void on_name(hdns_query_t *query, int err, const char *name, void *arg)
{
    result_t *r = arg;

    r->calls++;
    r->err = err;
    r->ttl_s = hdns_ttl_s(query);
    snprintf(r->texts[0], sizeof(r->texts[0]), "%s", name ? name : "");
    snprintf(r->error, sizeof(r->error), "%s", hdns_error(query));
}

static inline void ask(world_t *w, const char *name, int family, result_t *r)
{
    memset(r, 0, sizeof(*r));
    assert_int_equal(hdns_resolve(w->dns, name, family, on_addrs, r, &r->query), 0);
    assert_int_equal(r->calls, 0); /* never from inside */
    RUN_UNTIL(w->loop, r->calls > 0);
    settle(w->loop);
    assert_int_equal(r->calls, 1);
}

static inline void look_up(world_t *w, const char *name, hdns_type_e type, result_t *r)
{
    memset(r, 0, sizeof(*r));
    assert_int_equal(hdns_lookup(w->dns, name, type, on_records, r, NULL), 0);
    RUN_UNTIL(w->loop, r->calls > 0);
}

static inline void reverse(world_t *w, const char *ip, result_t *r)
{
    haddr_t addr;

    memset(r, 0, sizeof(*r));
    assert_int_equal(haddr_parse(&addr, ip, 0), 0);
    assert_int_equal(hdns_reverse(w->dns, &addr.u.sa, on_name, r, NULL), 0);
    RUN_UNTIL(w->loop, r->calls > 0);
}

#endif
