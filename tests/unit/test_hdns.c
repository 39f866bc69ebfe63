#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns_fixture.h"
#include "loop_test.h"
#include "net/hdns.h"
#include "oom.h"

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
    size_t count;
    char addrs[70][HADDR_FORMAT_SIZE];
    char texts[TEXTS_MAX][64];
    hdns_record_t records[TEXTS_MAX];
    char error[200];
    hdns_query_t *query;
} result_t;

static void write_file(char path[64], const char *text)
{
    int fd;

    snprintf(path, 64, "/tmp/hnet-dns-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void begin_with(world_t *w, const char *hosts, const char *conf)
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

static void begin(world_t *w)
{
    begin_with(w, "192.0.2.9 in.hosts alias\n", "nameserver 127.0.0.1\n");
}

static void use(world_t *w)
{
    assert_int_equal(hdns_new(w->loop, &w->options, &w->dns), 0);
}

static void end(world_t *w)
{
    hdns_free(w->dns);
    hloop_free(&w->loop);
    unlink(w->hosts);
    unlink(w->conf);
}

static void on_addrs(hdns_query_t *query, int err, const haddr_t *addrs, size_t count, void *arg)
{
    result_t *r = arg;

    r->calls++;
    r->err = err;
    r->count = count;
    assert_true((err == 0) == (count > 0));
    for (size_t i = 0; i < count; i++)
        haddr_format(&addrs[i].u.sa, addrs[i].len, r->addrs[i], sizeof(r->addrs[i]));
    snprintf(r->error, sizeof(r->error), "%s", hdns_error(query));
}

static void on_records(hdns_query_t *query, int err, const hdns_record_t *records, size_t count,
                       void *arg)
{
    result_t *r = arg;

    r->calls++;
    r->err = err;
    r->count = count;
    for (size_t i = 0; i < count && i < TEXTS_MAX; i++) {
        r->records[i] = records[i];
        assert_int_equal(strlen(records[i].text), records[i].len);
        snprintf(r->texts[i], sizeof(r->texts[i]), "%s", records[i].text);
    }
    snprintf(r->error, sizeof(r->error), "%s", hdns_error(query));
}

static void on_name(hdns_query_t *query, int err, const char *name, void *arg)
{
    result_t *r = arg;

    r->calls++;
    r->err = err;
    snprintf(r->texts[0], sizeof(r->texts[0]), "%s", name ? name : "");
    snprintf(r->error, sizeof(r->error), "%s", hdns_error(query));
}

static void ask(world_t *w, const char *name, int family, result_t *r)
{
    memset(r, 0, sizeof(*r));
    assert_int_equal(hdns_resolve(w->dns, name, 80, family, on_addrs, r, &r->query), 0);
    assert_int_equal(r->calls, 0); /* never from inside */
    RUN_UNTIL(w->loop, r->calls > 0);
    settle(w->loop);
    assert_int_equal(r->calls, 1);
}

static void look_up(world_t *w, const char *name, hdns_type_e type, result_t *r)
{
    memset(r, 0, sizeof(*r));
    assert_int_equal(hdns_lookup(w->dns, name, type, on_records, r, NULL), 0);
    RUN_UNTIL(w->loop, r->calls > 0);
}

static void reverse(world_t *w, const char *ip, result_t *r)
{
    haddr_t addr;

    memset(r, 0, sizeof(*r));
    assert_int_equal(haddr_parse(&addr, ip, 0), 0);
    assert_int_equal(hdns_reverse(w->dns, &addr.u.sa, on_name, r, NULL), 0);
    RUN_UNTIL(w->loop, r->calls > 0);
}

/* ---- without a server ------------------------------------------------------------------------ */

static void numbers_and_localhost_need_no_server(void **state)
{
    static const struct {
        const char *host;
        int family;
        int err;
        const char *first;
    } rows[] = {
        {"192.0.2.1", 0, 0, "192.0.2.1:80"},
        {"2001:db8::1", 0, 0, "[2001:db8::1]:80"},
        {"fe80::1%lo", AF_INET6, 0, "[fe80::1%lo]:80"},
        {"127.1", 0, 0, "127.0.0.1:80"},
        {"192.0.2.1", AF_INET6, HERR_RESOLVE, ""},
        {"::1", AF_INET, HERR_RESOLVE, ""},
        {"localhost", 0, 0, "[::1]:80"},
        {"LocalHost.", AF_INET, 0, "127.0.0.1:80"},
        {"a.localhost", AF_INET6, 0, "[::1]:80"},
        {"alias", 0, 0, "192.0.2.9:80"},
        {"IN.hosts", AF_INET, 0, "192.0.2.9:80"},
        {"in.hosts", AF_INET6, HERR_RESOLVE, ""},
    };
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        ask(&w, rows[i].host, rows[i].family, &r);
        assert_int_equal(r.err, rows[i].err);
        assert_string_equal(r.addrs[0], rows[i].first);
    }
    assert_int_equal(w.server.asked, 0);
    end(&w);
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {
        "", ".", "a..b", ".a", "a b", "a/b", "\x01", "::1::", "1:2", "ex\xc3\xa4mple", "-\x7f"};
    char longest[400];
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ask(&w, bad[i], 0, &r);
        assert_int_equal(r.err, HERR_SYNTAX);
        assert_string_equal(r.error, "no such name is possible");
    }
    memset(longest, 'a', sizeof(longest));
    longest[64] = '\0';
    ask(&w, longest, 0, &r);
    assert_int_equal(r.err, HERR_SYNTAX);
    longest[64] = 'a';
    longest[399] = '\0';
    ask(&w, longest, 0, &r);
    assert_int_equal(r.err, HERR_SYNTAX);
    assert_int_equal(w.server.asked, 0);
    end(&w);
}

static void the_hosts_file_is_read_as_people_write_it(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin_with(&w,
               "# comment\n\n  10.0.0.2\tTwo two.alias # rest two.not\r\n"
               "10.0.0.1 one\n10.0.0.3 one\n10.0.0.1 one\n::5 one\nnonsense one\n"
               "fe80::1%lo zone\n10.0.0.9",
               "");
    use(&w);
    ask(&w, "two", AF_INET, &r);
    assert_string_equal(r.addrs[0], "10.0.0.2:80");
    ask(&w, "one", 0, &r);
    assert_int_equal(r.count, 3);
    assert_string_equal(r.addrs[0], "[::5]:80");
    assert_string_equal(r.addrs[1], "10.0.0.1:80");
    assert_string_equal(r.addrs[2], "10.0.0.3:80");
    assert_int_equal(w.server.asked, 0);
    ask(&w, "two.not.nx.", 0, &r);
    assert_true(w.server.asked > 0);
    reverse(&w, "10.0.0.2", &r);
    assert_string_equal(r.texts[0], "Two");
    end(&w);
}

static void a_hosts_file_that_has_changed_is_read_again(void **state)
{
    world_t w;
    result_t r;
    FILE *f;

    (void)state;
    begin(&w);
    use(&w);
    ask(&w, "in.hosts", AF_INET, &r);
    assert_string_equal(r.addrs[0], "192.0.2.9:80");
    f = fopen(w.hosts, "w");
    fputs("192.0.2.77 in.hosts\n", f);
    fclose(f);
    hdns_reload(w.dns);
    ask(&w, "in.hosts", AF_INET, &r);
    assert_string_equal(r.addrs[0], "192.0.2.77:80");
    end(&w);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void both_families_are_asked_at_the_same_time(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    ask(&w, "both.test", 0, &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.count, 2);
    assert_string_equal(r.addrs[0], "[::1]:80");
    assert_string_equal(r.addrs[1], "127.0.0.1:80");
    assert_int_equal(w.server.asked, 2);
    ask(&w, "v4.test", 0, &r);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.addrs[0], "127.0.0.1:80");
    ask(&w, "v6.test", AF_INET6, &r);
    assert_int_equal(r.count, 1);
    end(&w);
}

static void each_failure_has_its_words(void **state)
{
    static const struct {
        const char *name, *words;
    } rows[] = {
        {"nx.test", "no such name"},
        {"nodata.test", "the name has no address"},
        {"servfail.test", "the name servers failed or cannot be reached"},
        {"refused.test", "the name servers failed or cannot be reached"},
        {"mangled.test", "the name server's answer is broken"},
        {"loop.test", "the name server's answer is broken"},
    };
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        ask(&w, rows[i].name, 0, &r);
        assert_int_equal(r.err, HERR_RESOLVE);
        assert_string_equal(r.error, rows[i].words);
    }
    end(&w);
}

static void a_silent_server_costs_its_time_limit_and_delays_nobody(void **state)
{
    static const char *const silent[] = {"silent.test", "garbage.test", "wrongid.test"};
    result_t slow[ARRAY_LENGTH(silent)], r;
    world_t w;

    (void)state;
    begin(&w);
    w.options.timeout_ms = 60;
    use(&w);
    memset(slow, 0, sizeof(slow));
    for (size_t i = 0; i < ARRAY_LENGTH(silent); i++)
        assert_int_equal(hdns_resolve(w.dns, silent[i], 80, 0, on_addrs, &slow[i], NULL), 0);
    ask(&w, "both.test", 0, &r);
    assert_int_equal(r.err, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(silent); i++) {
        RUN_UNTIL(w.loop, slow[i].calls > 0);
        assert_int_equal(slow[i].err, -ETIMEDOUT);
        assert_string_equal(slow[i].error, "no name server answered");
    }
    end(&w);
}

static void the_total_time_limit_takes_the_family_that_is_there(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.total_timeout_ms = 50;
    use(&w);
    ask(&w, "slow6.test", 0, &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.addrs[0], "127.0.0.1:80");
    ask(&w, "silent.test", 0, &r);
    assert_int_equal(r.err, -ETIMEDOUT);
    assert_string_equal(r.error, "no name server answered within 0.05 s");
    end(&w);
}

static void a_server_that_is_not_there_is_told_at_once(void **state)
{
    struct sockaddr_in addr;
    char text[128];
    world_t w;
    result_t r;

    (void)state;
    close(bound_socket(SOCK_DGRAM, &addr)); /* a port that nobody has */
    begin(&w);
    snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(addr.sin_port));
    w.options.servers = text;
    use(&w);
    ask(&w, "both.test", 0, &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    hdns_free(w.dns);
    snprintf(text, sizeof(text), "127.0.0.1:%u,%s", ntohs(addr.sin_port), w.server.servers);
    use(&w);
    ask(&w, "both.test", 0, &r);
    assert_int_equal(r.err, 0);
    hdns_free(w.dns);
    w.options.servers = "nonsense";
    use(&w);
    ask(&w, "both.test", 0, &r);
    assert_int_equal(r.err, -EINVAL);
    assert_string_equal(r.error, "the list of name servers is wrong");
    end(&w);
}

static void long_answers_come_by_tcp(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    ask(&w, "trunc.test", AF_INET, &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.count, 1);
    assert_int_equal(w.server.asked_tcp, 1);
    ask(&w, "many.test", AF_INET6, &r);
    assert_int_equal(r.count, HDNS_ADDRS_MAX);
    assert_string_equal(r.addrs[63], "[::40]:80");
    ask(&w, "many.test", 0, &r);
    assert_int_equal(r.count, HDNS_ADDRS_MAX);
    assert_string_equal(r.addrs[31], "[::20]:80");
    assert_string_equal(r.addrs[32], "127.0.0.1:80");
    end(&w);
}

static void aliases_are_followed(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    ask(&w, "cname.test", AF_INET, &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addrs[0], "127.0.0.1:80");
    end(&w);
}

static void other_records_come_in_their_order(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    look_up(&w, "srv.test", HDNS_SRV, &r);
    assert_int_equal(r.count, 3);
    assert_int_equal(r.records[0].priority, 10);
    assert_int_equal(r.records[1].priority, 10);
    assert_string_equal(r.texts[2], "last");
    assert_int_equal(r.records[2].port, 5060);
    look_up(&w, "txt.test", HDNS_TXT, &r);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.texts[0], "hello world");
    assert_int_equal(r.records[0].ttl_s, 40);
    look_up(&w, "mx.test", HDNS_MX, &r);
    assert_string_equal(r.texts[0], "first.mail");
    assert_string_equal(r.texts[1], "second.mail");
    look_up(&w, "nodata.test", HDNS_MX, &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    assert_string_equal(r.error, "the name has no record of this type");
    look_up(&w, "a..b", HDNS_MX, &r);
    assert_int_equal(r.err, HERR_SYNTAX);
    reverse(&w, "127.0.0.9", &r);
    assert_string_equal(r.texts[0], "host.example");
    reverse(&w, "2001:db8::1", &r);
    assert_string_equal(r.texts[0], "host.example");
    reverse(&w, "192.0.2.9", &r);
    assert_string_equal(r.texts[0], "in.hosts");
    end(&w);
}

static void the_search_list_is_tried_in_order(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin_with(&w, "", "search x.dead y.live\nnameserver 127.0.0.1\noptions ndots:2\n");
    use(&w);
    ask(&w, "v4", AF_INET, &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(w.server.asked, 2); /* v4.x.dead, v4.y.live */
    ask(&w, "v4.one", AF_INET, &r);
    assert_int_equal(w.server.asked, 4);
    ask(&w, "v4.one.two", AF_INET, &r);
    assert_int_equal(w.server.asked, 5);
    ask(&w, "nx.one.two", AF_INET, &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    assert_int_equal(w.server.asked, 8);
    ask(&w, "nx.", AF_INET, &r);
    assert_int_equal(w.server.asked, 9);
    hdns_free(w.dns);
    w.options.no_search = true;
    use(&w);
    ask(&w, "v4", AF_INET, &r);
    assert_int_equal(w.server.asked, 10);
    end(&w);
}

/* ---- the cache ------------------------------------------------------------------------------- */

static void answers_are_kept_as_long_as_they_say(void **state)
{
    world_t w;
    result_t r;
    hdns_stats_t stats;
    uint64_t until;

    (void)state;
    begin(&w);
    use(&w);
    for (int i = 0; i < 3; i++)
        ask(&w, i == 1 ? "BOTH.Test" : "both.test.", AF_INET, &r);
    assert_int_equal(w.server.asked, 1);
    hdns_stats(w.dns, &stats);
    assert_int_equal(stats.cache_hits, 2);
    assert_int_equal(stats.cached, 1);
    assert_int_equal(stats.open, 0);
    for (int i = 0; i < 3; i++)
        ask(&w, "nx.test", AF_INET, &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    assert_int_equal(w.server.asked, 2);
    for (int i = 0; i < 3; i++)
        ask(&w, "nosoa.test", AF_INET, &r);
    assert_int_equal(w.server.asked, 5);
    for (int i = 0; i < 3; i++)
        ask(&w, "ttl0.test", AF_INET, &r);
    assert_int_equal(w.server.asked, 8);
    ask(&w, "ttl1.test", AF_INET, &r);
    ask(&w, "ttl1.test", AF_INET, &r);
    assert_int_equal(w.server.asked, 9);
    for (until = now_ms() + 1100; now_ms() < until;)
        settle(w.loop);
    ask(&w, "ttl1.test", AF_INET, &r);
    assert_int_equal(w.server.asked, 10);
    hdns_reload(w.dns);
    ask(&w, "both.test", AF_INET, &r);
    assert_int_equal(w.server.asked, 11);
    end(&w);
}

static void the_least_recently_used_is_forgotten(void **state)
{
    world_t w;
    result_t r;
    hdns_stats_t stats;

    (void)state;
    begin(&w);
    w.options.cache_max = 2;
    use(&w);
    ask(&w, "v4.a", AF_INET, &r);
    ask(&w, "v4.b", AF_INET, &r);
    ask(&w, "v4.a", AF_INET, &r);
    ask(&w, "v4.c", AF_INET, &r);
    assert_int_equal(w.server.asked, 3);
    hdns_stats(w.dns, &stats);
    assert_int_equal(stats.cached, 2);
    ask(&w, "v4.a", AF_INET, &r);
    assert_int_equal(w.server.asked, 3);
    ask(&w, "v4.b", AF_INET, &r);
    assert_int_equal(w.server.asked, 4);
    hdns_free(w.dns);
    w.options.no_cache = true;
    use(&w);
    ask(&w, "v4.a", AF_INET, &r);
    ask(&w, "v4.a", AF_INET, &r);
    assert_int_equal(w.server.asked, 6);
    end(&w);
}

static void the_same_question_is_sent_once(void **state)
{
    result_t r[5];
    world_t w;

    (void)state;
    begin(&w);
    use(&w);
    memset(r, 0, sizeof(r));
    for (int i = 0; i < 5; i++)
        assert_int_equal(hdns_resolve(w.dns, "v4.test", 80, AF_INET, on_addrs, &r[i], NULL), 0);
    for (int i = 0; i < 5; i++) {
        RUN_UNTIL(w.loop, r[i].calls > 0);
        assert_int_equal(r[i].err, 0);
    }
    assert_int_equal(w.server.asked, 1);
    end(&w);
}

/* ---- many, and the end ----------------------------------------------------------------------- */

#define CROWD 6000

static void more_than_the_wire_takes_wait_in_line(void **state)
{
    static result_t total;
    world_t w;
    char name[64];
    hdns_stats_t stats;

    (void)state;
    begin(&w);
    w.options.total_timeout_ms = 25000;
    w.options.timeout_ms = 1000;
    w.options.cache_max = CROWD;
    use(&w);
    memset(&total, 0, sizeof(total));
    for (int i = 0; i < CROWD; i++) {
        snprintf(name, sizeof(name), "v4.%d.test", i);
        assert_int_equal(hdns_resolve(w.dns, name, 80, AF_INET, on_addrs, &total, NULL), 0);
    }
    hdns_stats(w.dns, &stats);
    assert_int_equal(stats.open, CROWD);
    assert_int_equal(stats.sent, HDNS_QUERIES_MAX);
    RUN_UNTIL(w.loop, total.calls == CROWD);
    hdns_stats(w.dns, &stats);
    assert_int_equal(stats.cached, CROWD);
    end(&w);
}

static void a_cancelled_query_is_silent_in_every_state(void **state)
{
    static const char *const names[] = {"127.0.0.1", "both.test",  "silent.test",
                                        "in.hosts",  "trunc.test", "a..b"};
    world_t w;
    result_t r, other;

    (void)state;
    begin(&w);
    w.options.timeout_ms = 50;
    use(&w);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        for (int steps = 0; steps < 6; steps++) {
            memset(&r, 0, sizeof(r));
            assert_int_equal(hdns_resolve(w.dns, names[i], 1, 0, on_addrs, &r, &r.query), 0);
            for (int k = 0; k < steps && r.calls == 0; k++) {
                hloop_wakeup(w.loop);
                hloop_run(w.loop);
            }
            if (r.calls == 0) {
                hdns_cancel(r.query);
                settle(w.loop);
                assert_int_equal(r.calls, 0);
            }
            hdns_reload(w.dns);
        }
    }
    ask(&w, "both.test", 0, &other); /* what a cancelled one had asked was kept or not: it works */
    assert_int_equal(other.err, 0);
    end(&w);
}

static void freed_with_questions_open(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    memset(&r, 0, sizeof(r));
    hdns_resolve(w.dns, "silent.test", 1, 0, on_addrs, &r, NULL);
    hdns_resolve(w.dns, "trunc.test", 1, 0, on_addrs, &r, NULL);
    hdns_resolve(w.dns, "127.0.0.1", 1, 0, on_addrs, &r, NULL);
    hdns_free(w.dns);
    w.dns = NULL;
    settle(w.loop);
    assert_int_equal(r.calls, 0);
    end(&w);
}

static void on_addrs_free(hdns_query_t *query, int err, const haddr_t *addrs, size_t count,
                          void *arg)
{
    world_t *w = arg;

    (void)query;
    (void)addrs;
    (void)count;
    assert_int_equal(err, 0);
    hdns_free(w->dns);
    w->dns = NULL;
}

static void freed_in_its_own_callback(void **state)
{
    world_t w;
    result_t r = {0};

    (void)state;
    begin(&w);
    use(&w);
    hdns_resolve(w.dns, "silent.test", 1, 0, on_addrs, &r, NULL);
    hdns_resolve(w.dns, "both.test", 1, 0, on_addrs_free, &w, NULL);
    hdns_resolve(w.dns, "both.test", 1, 0, on_addrs, &r, NULL);
    RUN_UNTIL(w.loop, !w.dns);
    settle(w.loop);
    assert_int_equal(r.calls, 0);
    end(&w);
}

static void a_reload_leaves_open_questions_alone(void **state)
{
    world_t w;
    result_t r = {0}, after;

    (void)state;
    begin(&w);
    use(&w);
    hdns_resolve(w.dns, "both.test", 1, 0, on_addrs, &r, NULL);
    hdns_reload(w.dns);
    ask(&w, "v4.test", AF_INET, &after);
    assert_int_equal(after.err, 0);
    RUN_UNTIL(w.loop, r.calls > 0);
    assert_int_equal(r.err, 0);
    end(&w);
}

static void nothing_is_left_on_the_loop(void **state)
{
    hloop_stats_t before, after;
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    hloop_stats(w.loop, &before);
    ask(&w, "both.test", 0, &r);
    settle(w.loop);
    hloop_stats(w.loop, &after);
    assert_int_equal(after.ios, before.ios);
    assert_int_equal(after.timers, before.timers);
    end(&w);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int oom_scenario(void *arg)
{
    world_t *files = arg;
    hdns_options_t options = {.hosts_file = files->hosts,
                              .resolv_conf = files->conf,
                              .timeout_ms = 20,
                              .tries = 1,
                              .total_timeout_ms = 200};
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hloop_t *loop = hloop_new_with(&loop_options);
    static const char *const names[] = {"both.test", "in.hosts", "trunc.test", "127.0.0.1"};
    dns_server_t server;
    hdns_t *dns = NULL;
    int err = loop ? 0 : -ENOMEM;

    if (!err && !dns_start(&server, loop))
        err = -ENOMEM;
    if (!err) {
        options.servers = server.servers;
        err = hdns_new(loop, &options, &dns);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names) && !err; i++) {
        result_t r = {0};

        err = hdns_resolve(dns, names[i], 80, AF_INET, on_addrs, &r, NULL);
        while (!err && r.calls == 0)
            hloop_run(loop);
        if (!err && r.err)
            err = -ENOMEM; /* a datagram that had no room is lost, too */
    }
    hdns_free(dns);
    if (loop)
        hloop_free(&loop);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    world_t files;

    (void)state;
    if (strcmp(test_poller, "epoll") != 0)
        skip();
    write_file(files.hosts, "192.0.2.9 in.hosts\n");
    write_file(files.conf, "nameserver 127.0.0.1\n");
    alarm(120);
    oom_run(oom_scenario, &files);
    unlink(files.hosts);
    unlink(files.conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_localhost_need_no_server),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(the_hosts_file_is_read_as_people_write_it),
        cmocka_unit_test(a_hosts_file_that_has_changed_is_read_again),
        cmocka_unit_test(both_families_are_asked_at_the_same_time),
        cmocka_unit_test(each_failure_has_its_words),
        cmocka_unit_test(a_silent_server_costs_its_time_limit_and_delays_nobody),
        cmocka_unit_test(the_total_time_limit_takes_the_family_that_is_there),
        cmocka_unit_test(a_server_that_is_not_there_is_told_at_once),
        cmocka_unit_test(long_answers_come_by_tcp),
        cmocka_unit_test(aliases_are_followed),
        cmocka_unit_test(other_records_come_in_their_order),
        cmocka_unit_test(the_search_list_is_tried_in_order),
        cmocka_unit_test(answers_are_kept_as_long_as_they_say),
        cmocka_unit_test(the_least_recently_used_is_forgotten),
        cmocka_unit_test(the_same_question_is_sent_once),
        cmocka_unit_test(more_than_the_wire_takes_wait_in_line),
        cmocka_unit_test(a_cancelled_query_is_silent_in_every_state),
        cmocka_unit_test(freed_with_questions_open),
        cmocka_unit_test(freed_in_its_own_callback),
        cmocka_unit_test(a_reload_leaves_open_questions_alone),
        cmocka_unit_test(nothing_is_left_on_the_loop),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return run_on_each_poller("hdns", tests, ARRAY_LENGTH(tests));
}
