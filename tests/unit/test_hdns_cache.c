#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hdns_fixture.h"
#include "oom.h"

/* ---- the cache ------------------------------------------------------------------------------- */

static void answers_are_kept_as_long_as_they_say(void **state)
{
    world_t w;
    result_t r;
    hdns_stats_t stats;
    uint64_t until;
    int asked;

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
    do { /* until this machine is quick enough */
        asked = w.server.asked;
        until = now_ms() + 1100;
        ask(&w, "ttl1.test", AF_INET, &r);
        ask(&w, "ttl1.test", AF_INET, &r);
    } while (w.server.asked != asked + 1);
    while (now_ms() < until)
        settle(w.loop);
    ask(&w, "both.test", AF_INET, &r);
    assert_in_range(r.ttl_s, 1, 99); /* what is left of 100 */
    ask(&w, "ttl1.test", AF_INET, &r);
    assert_int_equal(w.server.asked, asked + 2);
    hdns_reload(w.dns);
    ask(&w, "both.test", AF_INET, &r);
    assert_int_equal(w.server.asked, asked + 3);
    end(&w);
}

static void each_answer_tells_how_long_it_counts(void **state)
{
    static const struct {
        const char *name;
        int family;
        uint32_t ttl_s;
    } rows[] = {
        {"both.test", 0, 100},
        {"v4.test", 0, 100},
        {"v4.test", AF_INET6, 30},
        {"cname.test", AF_INET, 50},
        {"ttl0.test", 0, 0},
        {"ttl1.test", 0, 1},
        {"nx.test", 0, 30},
        {"nosoa.test", 0, 0},
        {"servfail.test", 0, 0},
        {"a..b", 0, 0},
        {"in.hosts", AF_INET, HDNS_TTL_LOCAL_S},
        {"192.0.2.1", 0, HDNS_TTL_LOCAL_S},
    };
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    use(&w);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint64_t before = now_ms();

        ask(&w, rows[i].name, rows[i].family, &r);
        if (now_ms() - before < 900) /* this machine was quick enough */
            assert_int_equal(r.ttl_s, rows[i].ttl_s);
    }
    look_up(&w, "srv.test", HDNS_SRV, &r);
    assert_in_range(r.ttl_s, 30, 40);
    hdns_free(w.dns);
    w.options.ttl_max_s = 5;
    use(&w);
    ask(&w, "both.test", 0, &r);
    assert_in_range(r.ttl_s, 1, 5);
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
        assert_int_equal(hdns_resolve(w.dns, "v4.test", AF_INET, on_addrs, &r[i], NULL), 0);
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
    w.options.total_timeout_ms = (TEST_LIMIT_S - 10) * 1000;
    w.options.timeout_ms = 3000;
    w.options.cache_max = CROWD;
    use(&w);
    memset(&total, 0, sizeof(total));
    for (int i = 0; i < CROWD; i++) {
        snprintf(name, sizeof(name), "v4.%d.test", i);
        assert_int_equal(hdns_resolve(w.dns, name, AF_INET, on_addrs, &total, NULL), 0);
    }
    hdns_stats(w.dns, &stats);
    assert_int_equal(stats.open, CROWD);
    assert_int_equal(stats.sent, HDNS_QUERIES_MAX);
    RUN_UNTIL(w.loop, total.calls == CROWD);
    hdns_stats(w.dns, &stats);
    assert_int_equal(stats.cached, CROWD);
    end(&w);
}

static void what_waits_in_line_can_be_cancelled(void **state)
{
    hdns_query_t *queries[20];
    world_t w;
    result_t r = {0};
    hdns_stats_t stats;
    char name[64];

    (void)state;
    begin(&w);
    w.server.dead = true;
    use(&w);
    for (int i = 0; i < HDNS_QUERIES_MAX; i++) {
        snprintf(name, sizeof(name), "v4.%d.test", i);
        assert_int_equal(hdns_resolve(w.dns, name, AF_INET, on_addrs, &r, NULL), 0);
    }
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "v4.line%d.test", i / 2);
        assert_int_equal(hdns_resolve(w.dns, name, AF_INET, on_addrs, &r, &queries[i]), 0);
    }
    for (int i = 0; i < 15; i++)
        hdns_cancel(queries[i]);
    hdns_stats(w.dns, &stats);
    assert_int_equal(stats.open, HDNS_QUERIES_MAX + 5);
    assert_int_equal(stats.sent, HDNS_QUERIES_MAX);
    settle(w.loop);
    assert_int_equal(r.calls, 0);
    end(&w); /* with the rest still waiting */
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
            assert_int_equal(hdns_resolve(w.dns, names[i], 0, on_addrs, &r, &r.query), 0);
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
    hdns_resolve(w.dns, "silent.test", 0, on_addrs, &r, NULL);
    hdns_resolve(w.dns, "trunc.test", 0, on_addrs, &r, NULL);
    hdns_resolve(w.dns, "127.0.0.1", 0, on_addrs, &r, NULL);
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
    hdns_resolve(w.dns, "silent.test", 0, on_addrs, &r, NULL);
    hdns_resolve(w.dns, "both.test", 0, on_addrs_free, &w, NULL);
    hdns_resolve(w.dns, "both.test", 0, on_addrs, &r, NULL);
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
    hdns_resolve(w.dns, "both.test", 0, on_addrs, &r, NULL);
    hdns_reload(w.dns);
    ask(&w, "v4.test", AF_INET, &after);
    assert_int_equal(after.err, 0);
    RUN_UNTIL(w.loop, r.calls > 0);
    assert_int_equal(r.err, 0);
    end(&w);
}

static void a_reload_leaves_the_search_list_alone(void **state)
{
    world_t w;
    result_t r = {0};

    (void)state;
    begin_with(&w, "", "search x.dead y.live\nnameserver 127.0.0.1\n");
    use(&w);
    hdns_resolve(w.dns, "v4", AF_INET, on_addrs, &r, NULL);
    hdns_reload(w.dns);
    RUN_UNTIL(w.loop, r.calls > 0);
    assert_int_equal(r.err, 0);
    assert_int_equal(w.server.asked, 2);
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
                              .timeout_ms = oom_limit_ms(20),
                              .tries = 1,
                              .total_timeout_ms = oom_limit_ms(200)};
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

        err = hdns_resolve(dns, names[i], AF_INET, on_addrs, &r, NULL);
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
    alarm(300);
    oom_run(oom_scenario, &files);
    unlink(files.hosts);
    unlink(files.conf);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *resolve_in_thread(void *arg)
{
    result_t *r = arg;
    world_t w;

    begin(&w);
    use(&w);
    ask(&w, "both.test", 0, r);
    ask(&w, "trunc.test", AF_INET, r);
    end(&w);
    return NULL;
}

static void each_thread_has_a_resolver_of_its_own(void **state)
{
    static result_t results[4];
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, resolve_in_thread, &results[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(results[i].err, 0);
        assert_int_equal(results[i].count, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_kept_as_long_as_they_say),
        cmocka_unit_test(each_answer_tells_how_long_it_counts),
        cmocka_unit_test(the_least_recently_used_is_forgotten),
        cmocka_unit_test(the_same_question_is_sent_once),
        cmocka_unit_test(more_than_the_wire_takes_wait_in_line),
        cmocka_unit_test(what_waits_in_line_can_be_cancelled),
        cmocka_unit_test(a_cancelled_query_is_silent_in_every_state),
        cmocka_unit_test(freed_with_questions_open),
        cmocka_unit_test(freed_in_its_own_callback),
        cmocka_unit_test(a_reload_leaves_open_questions_alone),
        cmocka_unit_test(a_reload_leaves_the_search_list_alone),
        cmocka_unit_test(nothing_is_left_on_the_loop),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(each_thread_has_a_resolver_of_its_own),
    };

    return run_on_each_poller("hdns_cache", tests, ARRAY_LENGTH(tests));
}
