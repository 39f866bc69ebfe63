/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hdns_fixture.h"

/* ---- without a server ------------------------------------------------------------------------ */

static void numbers_and_localhost_need_no_server(void **state)
{
    static const struct {
        const char *host;
        int family;
        int err;
        const char *first;
    } rows[] = {
        {"192.0.2.1", 0, 0, "192.0.2.1:0"},
        {"2001:db8::1", 0, 0, "[2001:db8::1]:0"},
        {"fe80::1%lo", AF_INET6, 0, "[fe80::1%lo]:0"},
        {"127.1", 0, 0, "127.0.0.1:0"},
        {"192.0.2.1", AF_INET6, HERR_RESOLVE, ""},
        {"::1", AF_INET, HERR_RESOLVE, ""},
        {"localhost", 0, 0, "[::1]:0"},
        {"LocalHost.", AF_INET, 0, "127.0.0.1:0"},
        {"a.localhost", AF_INET6, 0, "[::1]:0"},
        {"alias", 0, 0, "192.0.2.9:0"},
        {"IN.hosts", AF_INET, 0, "192.0.2.9:0"},
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
        "",      ".",   "a..b",           ".a",   "a b", "192.0.2.1 x", "a/b", "\x01",
        "::1::", "1:2", "ex\xc3\xa4mple", "-\x7f"};
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
    assert_string_equal(r.addrs[0], "10.0.0.2:0");
    ask(&w, "one", 0, &r);
    assert_int_equal(r.count, 3);
    assert_string_equal(r.addrs[0], "[::5]:0");
    assert_string_equal(r.addrs[1], "10.0.0.1:0");
    assert_string_equal(r.addrs[2], "10.0.0.3:0");
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
    assert_string_equal(r.addrs[0], "192.0.2.9:0");
    f = fopen(w.hosts, "w");
    fputs("192.0.2.77 in.hosts\n", f);
    fclose(f);
    hdns_reload(w.dns);
    ask(&w, "in.hosts", AF_INET, &r);
    assert_string_equal(r.addrs[0], "192.0.2.77:0");
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
    assert_string_equal(r.addrs[0], "[::1]:0");
    assert_string_equal(r.addrs[1], "127.0.0.1:0");
    assert_int_equal(w.server.asked, 2);
    ask(&w, "v4.test", 0, &r);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.addrs[0], "127.0.0.1:0");
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
    w.options.timeout_ms = 100;
    use(&w);
    memset(slow, 0, sizeof(slow));
    for (size_t i = 0; i < ARRAY_LENGTH(silent); i++)
        assert_int_equal(hdns_resolve(w.dns, silent[i], 0, on_addrs, &slow[i], NULL), 0);
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
    w.options.total_timeout_ms = 400;
    use(&w);
    ask(&w, "slow6.test", 0, &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.addrs[0], "127.0.0.1:0");
    ask(&w, "silent.test", 0, &r);
    assert_int_equal(r.err, -ETIMEDOUT);
    assert_string_equal(r.error, "no name server answered within 0.4 s");
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
    /* c-ares tells one of two questions at most that the port is dead; the other one waits. */
    w.options.timeout_ms = 200;
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

static void behind_a_dead_server_the_next_one_is_asked(void **state)
{
    struct sockaddr_in addr;
    int dead = bound_socket(SOCK_DGRAM, &addr);
    char text[128], got[16];
    world_t w;
    result_t r, cached;

    (void)state;
    begin(&w);
    snprintf(text, sizeof(text), "127.0.0.1:%u,%s", ntohs(addr.sin_port), w.server.servers);
    w.options.servers = text;
    w.options.timeout_ms = 50;
    use(&w);
    ask(&w, "v4.test", AF_INET, &cached);
    memset(&r, 0, sizeof(r));
    hdns_resolve(w.dns, "both.test", 0, on_addrs, &r, NULL);
    ask(&w, "v4.test", AF_INET, &cached);
    assert_int_equal(cached.err, 0);
    RUN_UNTIL(w.loop, r.calls > 0);
    assert_int_equal(r.count, 2);
    assert_true(recv(dead, got, sizeof(got), MSG_DONTWAIT) > 0);
    close(dead);
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
    assert_string_equal(r.addrs[0], "[::1]:0");
    ask(&w, "many.test", 0, &r);
    assert_int_equal(r.count, HDNS_ADDRS_MAX);
    assert_int_equal(r.addrs[31][0], '[');
    assert_string_equal(r.addrs[32], "127.0.0.1:0");
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
    assert_string_equal(r.addrs[0], "127.0.0.1:0");
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

static void a_wrong_server_of_a_list_is_found(void **state)
{
    static const char *const wrong[] = {
        "",     "a",   "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536",
        "[::1", "::x", "[::1]x:1",   "1.2.3"};
    char list[64];
    size_t len;

    (void)state;
    assert_null(hdns_wrong_server("192.0.2.1", &len));
    assert_null(hdns_wrong_server("192.0.2.1:5353,::1,[::1],[2001:db8::1]:53", &len));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(list, sizeof(list), "::1,%s,192.0.2.1", wrong[i]);
        assert_ptr_equal(hdns_wrong_server(list, &len), list + 4);
        assert_int_equal(len, strlen(wrong[i]));
    }
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
        cmocka_unit_test(behind_a_dead_server_the_next_one_is_asked),
        cmocka_unit_test(long_answers_come_by_tcp),
        cmocka_unit_test(aliases_are_followed),
        cmocka_unit_test(other_records_come_in_their_order),
        cmocka_unit_test(the_search_list_is_tried_in_order),
        cmocka_unit_test(a_wrong_server_of_a_list_is_found),
    };

    return run_on_each_poller("hdns", tests, ARRAY_LENGTH(tests));
}
