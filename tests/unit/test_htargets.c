/* One thread. Groups of targets whose addresses are given: picking, failures, checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "htargets_fixture.h"
#include "oom.h"

#define A "192.0.2.1:80"
#define B "192.0.2.2:80"
#define C "192.0.2.3:80"

/* ---- specs ----------------------------------------------------------------------------------- */

static void specs_are_text(void **state)
{
    static const struct {
        const char *text, *formatted;
        int srv, backup, weight;
    } rows[] = {
        {"example.com:80", "example.com:80", 0, 0, 0},
        {"tls://[::1]:443,weight=5", "tls://[::1]:443,weight=5", 0, 0, 5},
        {"udp://10.0.0.1:53,backup", "udp://10.0.0.1:53,backup", 0, 1, 0},
        {"8080,backup,weight=65535", "127.0.0.1:8080,weight=65535,backup", 0, 1, 65535},
        {"unix:/run/x.sock", "unix:/run/x.sock", 0, 0, 0},
        {"_http._tcp.example.com", "_http._tcp.example.com", 1, 0, 0},
        {"tls://_https._tcp.example.com,backup", "tls://_https._tcp.example.com,backup", 1, 1, 0},
        {"udp://_dns._udp.x.y", "udp://_dns._udp.x.y", 1, 0, 0},
        {"_a._b.c:80", "_a._b.c:80", 0, 0, 0}, /* a name with a port is a host */
    };
    static const struct {
        const char *text;
        int err;
        const char *error;
    } bad[] = {
        {"", HERR_SYNTAX, ""},
        {"example.com", HERR_SYNTAX, "example.com"},
        {"a:80,weight=0", HERR_RANGE, "from 1 to 65535: \"weight=0\""},
        {"a:80,weight=65536", HERR_RANGE, "65535"},
        {"a:80,weight=x", HERR_SYNTAX, "weight=x"},
        {"a:80,", HERR_SYNTAX, "neither"},
        {"a:80,spare", HERR_SYNTAX, "neither \"backup\" nor \"weight=N\": \"spare\""},
        {"_a._tcp.b,weight=2", HERR_SYNTAX, "records"},
        {"a:99999", HERR_RANGE, "99999"},
    };
    char text[HTARGET_NAME_SIZE + 32], error[200];
    htarget_spec_t spec;
    char longest[1000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(htarget_spec_parse(&spec, rows[i].text, error, sizeof(error)), 0);
        assert_int_equal(spec.srv, rows[i].srv);
        assert_int_equal(spec.backup, rows[i].backup);
        assert_int_equal(spec.weight, rows[i].weight);
        assert_string_equal(htarget_spec_format(&spec, text, sizeof(text)), rows[i].formatted);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(htarget_spec_parse(&spec, bad[i].text, NULL, 0), bad[i].err);
        assert_int_equal(htarget_spec_parse(&spec, bad[i].text, error, sizeof(error)), bad[i].err);
        assert_non_null(strstr(error, bad[i].error));
    }
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(htarget_spec_parse(&spec, longest, error, sizeof(error)), -ENAMETOOLONG);
}

static void what_cannot_be_is_refused(void **state)
{
    static const hcheck_options_t http = {.kind = HCHECK_HTTP};
    htargets_t *group;
    char name[HTARGETS_NAME_SIZE + 1];
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(htargets_new(w.loop, &w.options, &group), -EINVAL); /* no specs */
    add_spec(&w, A);
    w.options.dns_min_ms = w.options.dns_max_ms + 1;
    assert_int_equal(htargets_new(w.loop, &w.options, &group), -EINVAL);
    w.options.dns_min_ms = 0;
    w.options.eject_failures = HEJECT_FAILURES_MAX + 1;
    assert_int_equal(htargets_new(w.loop, &w.options, &group), -EINVAL);
    w.options.eject_failures = 0;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    w.options.name = name;
    assert_int_equal(htargets_new(w.loop, &w.options, &group), -ENAMETOOLONG);
    w.options.name = "web";
    add_spec(&w, "udp://192.0.2.1:53");
    w.options.check = &http;
    assert_int_equal(htargets_new(w.loop, &w.options, &group), -EINVAL);
    w.check = (hcheck_options_t){.kind = HCHECK_CONNECT, .proxy_protocol = 2};
    w.options.check = &w.check; /* the header is for those that are connected to */
    assert_int_equal(htargets_new(w.loop, &w.options, &group), 0);
    htargets_free(group);
    w.options.check = NULL;
    add_spec(&w, "www.test:80");
    w.options.dns = NULL;
    assert_int_equal(htargets_new(w.loop, &w.options, &group), -EINVAL);
    end(&w);
}

/* ---- picking --------------------------------------------------------------------------------- */

static void turns_go_by_weight(void **state)
{
    world_t w;

    (void)state;
    begin_with(&w, A ",weight=2", B, NULL);
    use(&w);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(pick(&w), A);
        assert_string_equal(pick(&w), B);
        assert_string_equal(pick(&w), A);
    }
    assert_int_equal(info_of(w.group, A).connections, 6);
    assert_int_equal(info_of(w.group, A).weight, 2);
    assert_int_equal(info_of(w.group, B).connections, 3);
    assert_int_equal(info_of(w.group, B).active, 0);
    end(&w);
}

static void each_target_is_tried_once(void **state)
{
    htarget_tried_t tried = {0};
    char why[HTARGETS_WHY_SIZE];
    htarget_t *target;
    world_t w;

    (void)state;
    begin_with(&w, A, B, C ",backup");
    use(&w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(htargets_pick(w.group, NULL, &tried, &target), 0);
        assert_string_equal(htarget_address(target), i == 0 ? A : i == 1 ? B : C);
        htarget_failed(target, -ECONNREFUSED);
        htarget_release(target, 0, 0);
    }
    assert_int_equal(htargets_pick(w.group, NULL, &tried, &target), -EHOSTUNREACH);
    htargets_why(w.group, why, sizeof(why));
    assert_string_equal(why,
                        "no target is left of 3: " A " was tried (Connection refused), " B
                        " was tried (Connection refused), " C " was tried (Connection refused)");
    assert_true(info_of(w.group, C).backup);
    assert_int_equal(info_of(w.group, C).failures, 1);
    assert_int_equal(info_of(w.group, C).error, -ECONNREFUSED);
    assert_string_equal(info_of(w.group, C).why, "Connection refused");
    assert_string_not_equal(pick(&w), C); /* another connection begins anew */
    end(&w);
}

static void one_connection_tries_so_many(void **state)
{
    htarget_spec_t specs[HTARGETS_TRIES_MAX + 1];
    htarget_tried_t tried = {0};
    htarget_t *target;
    world_t w;

    (void)state;
    begin(&w);
    for (int i = 0; i <= HTARGETS_TRIES_MAX; i++) {
        char text[32];

        snprintf(text, sizeof(text), "192.0.2.%d:80", i + 1);
        assert_int_equal(htarget_spec_parse(&specs[i], text, NULL, 0), 0);
    }
    w.options.specs = specs;
    w.options.spec_count = HTARGETS_TRIES_MAX + 1;
    use(&w);
    for (int i = 0; i < HTARGETS_TRIES_MAX; i++) {
        assert_int_equal(htargets_pick(w.group, NULL, &tried, &target), 0);
        htarget_release(target, 0, 0);
    }
    assert_int_equal(htargets_pick(w.group, NULL, &tried, &target), -EHOSTUNREACH);
    end(&w);
}

static void the_least_busy_is_picked(void **state)
{
    htarget_t *held[3], *target;
    world_t w;

    (void)state;
    begin_with(&w, A, B, C);
    w.options.method = HBALANCE_LEAST_CONNECTIONS;
    use(&w);
    for (int i = 0; i < 3; i++)
        assert_int_equal(htargets_pick(w.group, NULL, NULL, &held[i]), 0);
    assert_int_equal(info_of(w.group, B).active, 1);
    htarget_release(held[1], 10, 20);
    for (int i = 0; i < 3; i++)
        assert_string_equal(pick(&w), B);
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), 0);
    assert_string_equal(htarget_address(target), B);
    htarget_count(target, 1, 2);
    htarget_release(target, 4, 5);
    htarget_release(held[0], 0, 0);
    htarget_release(held[2], 0, 0);
    assert_int_equal(info_of(w.group, B).active, 0);
    assert_int_equal(info_of(w.group, B).to_bytes, 15);
    assert_int_equal(info_of(w.group, B).from_bytes, 27);
    end(&w);
}

static htarget_t *pick_for(world_t *w, const char *ip, int port)
{
    htarget_t *target;
    haddr_t client;

    assert_int_equal(haddr_parse(&client, ip, port), 0);
    assert_int_equal(htargets_pick(w->group, &client, NULL, &target), 0);
    htarget_release(target, 0, 0);
    return target;
}

static void a_client_stays_with_its_target(void **state)
{
    htarget_t *first, *last;
    haddr_t local;
    int seen = 0;
    world_t w;

    (void)state;
    begin_with(&w, A, B, C);
    w.options.method = HBALANCE_SOURCE_HASH;
    use(&w);
    first = pick_for(&w, "10.1.2.3", 1000);
    for (int port = 1; port < 50; port++) {
        assert_ptr_equal(pick_for(&w, "10.1.2.3", port), first);
        assert_ptr_equal(pick_for(&w, "::ffff:10.1.2.3", port), first);
    }
    for (int i = 0; i < 50; i++) { /* not all clients, though */
        char ip[32];

        snprintf(ip, sizeof(ip), "2001:db8::%d", i);
        last = pick_for(&w, ip, 1);
        seen |= last == first ? 1 : 2;
    }
    assert_int_equal(seen, 3);
    assert_int_equal(haddr_unix(&local, "@x"), 0); /* all of these are one: in turn, then */
    assert_int_equal(htargets_pick(w.group, &local, NULL, &first), 0);
    assert_int_equal(htargets_pick(w.group, &local, NULL, &last), 0);
    assert_ptr_not_equal(first, last);
    htarget_release(first, 0, 0);
    htarget_release(last, 0, 0);
    end(&w);
}

static void a_target_tells_how_to_reach_it(void **state)
{
    htarget_t *target;
    char text[HENDPOINT_FORMAT_SIZE];
    world_t w;

    (void)state;
    begin_with(&w, "tls://[2001:db8::1]:443", "unix:/run/x.sock", ":99");
    use(&w);
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), 0);
    assert_string_equal(htarget_name(target), "tls://[2001:db8::1]:443");
    assert_string_equal(htarget_address(target), "[2001:db8::1]:443");
    assert_string_equal(htarget_tls_name(target), "2001:db8::1");
    assert_int_equal(haddr_port(&htarget_addr(target)->u.sa), 443);
    hendpoint_format(htarget_endpoint(target), text, sizeof(text));
    assert_string_equal(text, "tls://[2001:db8::1]:443");
    htarget_release(target, 0, 0);
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), 0);
    assert_string_equal(htarget_address(target), "unix:/run/x.sock");
    assert_null(htarget_tls_name(target));
    htarget_release(target, 0, 0);
    assert_string_equal(pick(&w), "127.0.0.1:99");
    end(&w);
}

static void the_same_spec_twice_is_one_target(void **state)
{
    world_t w;

    (void)state;
    begin_with(&w, A, A, B);
    use(&w);
    assert_int_equal(count_targets(w.group), 2);
    end(&w);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void fail_at(world_t *w, const char *address, int times)
{
    while (times > 0) {
        htarget_tried_t tried = {0};
        htarget_t *target;

        while (times > 0 && htargets_pick(w->group, NULL, &tried, &target) == 0) {
            if (strcmp(htarget_address(target), address) == 0 && times-- > 0)
                htarget_failed(target, -ECONNRESET);
            htarget_release(target, 0, 0);
        }
    }
}

static void failures_in_a_row_eject_for_a_time(void **state)
{
    htarget_t *trial;
    uint64_t begun;
    world_t w;

    (void)state;
    begin_with(&w, A, B, NULL);
    w.options.eject_ms = 300;
    use(&w);
    fail_at(&w, A, 2);
    assert_int_equal(info_of(w.group, A).state, HTARGET_UP);
    begun = now_ms();
    fail_at(&w, A, 1);
    assert_string_equal(w.events, "ejected " A " (Connection reset by peer) left 1, ");
    assert_int_equal(info_of(w.group, A).state, HTARGET_EJECTED);
    assert_int_equal(info_of(w.group, A).ejections, 1);
    for (int i = 0; i < 6 && now_ms() - begun < 200; i++)
        assert_string_equal(pick(&w), B);
    wait_ms(&w, 310);
    do /* one connection is the trial */
        assert_int_equal(htargets_pick(w.group, NULL, NULL, &trial), 0);
    while (strcmp(htarget_address(trial), A) != 0 && (htarget_release(trial, 0, 0), true));
    assert_string_equal(pick(&w), B);
    assert_string_equal(pick(&w), B);
    htarget_connected(trial);
    assert_true(has_event(&w, "returned " A " left 2, "));
    assert_int_equal(info_of(w.group, A).state, HTARGET_UP);
    htarget_release(trial, 0, 0);
    fail_at(&w, A, 2); /* and the count begins anew */
    assert_int_equal(info_of(w.group, A).state, HTARGET_UP);
    end(&w);
}

static void a_success_forgets_failures(void **state)
{
    world_t w;

    (void)state;
    begin_with(&w, A, NULL, NULL);
    use(&w);
    for (int i = 0; i < 5; i++) {
        fail_at(&w, A, 2);
        assert_string_equal(pick(&w), A);
    }
    assert_string_equal(w.events, "");
    end(&w);
}

static void when_all_are_ejected_all_are_tried(void **state)
{
    world_t w;

    (void)state;
    begin_with(&w, A, B, C ",backup");
    use(&w);
    fail_at(&w, A, 3);
    fail_at(&w, B, 3);
    assert_string_equal(pick(&w), C);
    fail_at(&w, C, 3);
    assert_int_equal(htargets_usable(w.group), 3);
    assert_true(has_event(&w, "ejected " C));
    assert_string_equal(pick(&w), B); /* which proves that it is well */
    assert_string_equal(pick(&w), B);
    assert_true(has_event(&w, "returned " B));
    end(&w);
}

static void ejection_may_be_off(void **state)
{
    world_t w;

    (void)state;
    begin_with(&w, A, B, NULL);
    w.options.eject_failures = -1;
    use(&w);
    fail_at(&w, A, 20);
    assert_string_equal(w.events, "");
    assert_int_equal(info_of(w.group, A).failures, 20);
    end(&w);
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* A port of loopback that refuses, until it is listened to. */
static int bound_port(char text[32])
{
    struct sockaddr_in addr;
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    loopback(&addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    snprintf(text, 32, "127.0.0.1:%u", ntohs(addr.sin_port));
    return fd;
}

static void checks_take_targets_out_and_back(void **state)
{
    char first[32], second[32], down[100], up[100], why[HTARGETS_WHY_SIZE];
    int fds[2];
    htarget_t *target;
    world_t w;

    (void)state;
    begin(&w);
    fds[0] = bound_port(first);
    fds[1] = bound_port(second);
    listen(fds[0], 16);
    add_spec(&w, first);
    add_spec(&w, second);
    w.check = (hcheck_options_t){.kind = HCHECK_CONNECT, .interval_ms = 10, .rise = 1, .fall = 2};
    w.options.check = &w.check;
    use(&w);
    assert_string_equal(pick(&w), first); /* not checked yet: as if it were up */
    assert_string_equal(pick(&w), second);
    snprintf(down, sizeof(down), "down %s (connect to 127.0.0.1", second);
    RUN_UNTIL(w.loop, has_event(&w, down));
    assert_true(has_event(&w, "Connection refused (127.0.0.1)) left 1, ") ||
                has_event(&w, "Connection refused) left 1, "));
    assert_int_equal(info_of(w.group, second).state, HTARGET_DOWN);
    assert_true(info_of(w.group, second).checked);
    assert_true(info_of(w.group, second).check_failures > 0);
    assert_string_equal(info_of(w.group, second).why, "Connection refused");
    for (int i = 0; i < 4; i++)
        assert_string_equal(pick(&w), first);
    listen(fds[1], 16);
    snprintf(up, sizeof(up), "up %s left 2", second);
    RUN_UNTIL(w.loop, has_event(&w, up));
    assert_true(strcmp(pick(&w), second) == 0 || strcmp(pick(&w), second) == 0);
    close(fds[0]);
    close(fds[1]);
    RUN_UNTIL(w.loop, htargets_usable(w.group) == 0);
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), -EHOSTUNREACH);
    htargets_why(w.group, why, sizeof(why));
    assert_non_null(strstr(why, "no target is left of 2: 127.0.0.1:"));
    assert_non_null(strstr(why, " is down (Connection refused), "));
    end(&w);
}

static void a_process_may_stop_to_check(void **state)
{
    uint64_t checks;
    world_t w;

    (void)state;
    begin_with(&w, "127.0.0.1:1", NULL, NULL);
    w.check = (hcheck_options_t){.kind = HCHECK_CONNECT, .interval_ms = 1};
    w.options.check = &w.check;
    use(&w);
    RUN_UNTIL(w.loop, info_of(w.group, "127.0.0.1:1").checks > 1);
    htargets_stop_checks(w.group);
    checks = info_of(w.group, "127.0.0.1:1").checks;
    wait_ms(&w, 30);
    assert_int_equal(info_of(w.group, "127.0.0.1:1").checks, checks);
    assert_int_equal(info_of(w.group, "127.0.0.1:1").state, HTARGET_DOWN);
    end(&w);
}

static void only_one_process_checks(void **state)
{
    world_t w;

    (void)state;
    begin_with(&w, "127.0.0.1:1", NULL, NULL);
    w.check = (hcheck_options_t){.kind = HCHECK_CONNECT, .interval_ms = 1};
    w.options.check = &w.check;
    w.options.runs_checks = false;
    use(&w);
    wait_ms(&w, 30);
    assert_int_equal(info_of(w.group, "127.0.0.1:1").checks, 0);
    end(&w);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void connections_outlive_their_group(void **state)
{
    htarget_t *target;
    htarget_info_t info;
    world_t w;

    (void)state;
    begin_with(&w, A, NULL, NULL);
    use(&w);
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), 0);
    htargets_free(w.group);
    w.group = NULL;
    assert_string_equal(htarget_address(target), A);
    htarget_connected(target);
    htarget_failed(target, -EPIPE);
    htarget_count(target, 1, 1);
    htarget_info(target, &info);
    assert_int_equal(info.state, HTARGET_DRAINING);
    assert_string_equal(htarget_state_name(info.state), "draining");
    assert_int_equal(info.active, 1);
    htarget_release(target, 1, 1);
    end(&w);
}

static int group_scenario(void *arg)
{
    htarget_t *target = NULL;
    world_t w;
    int err = -ENOMEM;

    (void)arg;
    if (begin_dns(&w)) {
        add_spec(&w, A);
        add_spec(&w, B);
        w.check = (hcheck_options_t){.kind = HCHECK_HTTP};
        w.options.check = &w.check;
        err = htargets_new(w.loop, &w.options, &w.group);
    }
    if (!err)
        err = htargets_pick(w.group, NULL, NULL, &target);
    htargets_free(w.group);
    if (target)
        htarget_release(target, 0, 0);
    hdns_free(w.dns);
    hloop_free(&w.loop);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    if (strcmp(test_poller, "epoll") != 0)
        skip();
    oom_run(group_scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs_are_text),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(turns_go_by_weight),
        cmocka_unit_test(each_target_is_tried_once),
        cmocka_unit_test(one_connection_tries_so_many),
        cmocka_unit_test(the_least_busy_is_picked),
        cmocka_unit_test(a_client_stays_with_its_target),
        cmocka_unit_test(a_target_tells_how_to_reach_it),
        cmocka_unit_test(the_same_spec_twice_is_one_target),
        cmocka_unit_test(failures_in_a_row_eject_for_a_time),
        cmocka_unit_test(a_success_forgets_failures),
        cmocka_unit_test(when_all_are_ejected_all_are_tried),
        cmocka_unit_test(ejection_may_be_off),
        cmocka_unit_test(checks_take_targets_out_and_back),
        cmocka_unit_test(only_one_process_checks),
        cmocka_unit_test(a_process_may_stop_to_check),
        cmocka_unit_test(connections_outlive_their_group),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return run_on_each_poller("htargets", tests, ARRAY_LENGTH(tests));
}
