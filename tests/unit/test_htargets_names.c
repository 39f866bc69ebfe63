/* One thread. Groups whose targets are names and services: how they follow the name server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "htargets_fixture.h"
#include "oom.h"

#define ONE "127.0.0.1:80"
#define TWO "127.0.0.2:80"
#define THREE "127.0.0.3:80"

static void set_addresses(world_t *w, unsigned first, unsigned second)
{
    memset(w->zone.last, 0, sizeof(w->zone.last));
    w->zone.last[0] = first;
    w->zone.last[1] = second;
}

/* A group that follows www.test, which has these addresses. */
static void follow(world_t *w, unsigned first, unsigned second)
{
    begin_with(w, "www.test:80", NULL, NULL);
    set_addresses(w, first, second);
    use(w);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void the_first_answer_is_waited_for(void **state)
{
    char why[HTARGETS_WHY_SIZE];
    htarget_t *target;
    world_t w;

    (void)state;
    follow(&w, 1, 2);
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), -EAGAIN);
    assert_string_equal(htargets_why(w.group, why, sizeof(why)), "names are being resolved");
    assert_string_equal(pick(&w), ONE);
    assert_string_equal(pick(&w), TWO);
    assert_string_equal(pick(&w), ONE);
    assert_int_equal(w.waits, 1);
    assert_string_equal(w.events, "added " ONE " left 1, added " TWO " left 2, ");
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), 0);
    assert_string_equal(htarget_name(target), "www.test:80");
    assert_string_equal(htarget_tls_name(target), "www.test");
    htarget_release(target, 0, 0);
    end(&w);
}

static void a_changed_answer_is_followed(void **state)
{
    htarget_t *held;
    world_t w;

    (void)state;
    follow(&w, 1, 2);
    assert_int_equal(pick_waiting(&w, NULL, &held), 0);
    assert_string_equal(htarget_address(held), ONE);
    set_addresses(&w, 2, 3);
    RUN_UNTIL(w.loop, has_event(&w, "removed " ONE " left 2, "));
    assert_true(has_event(&w, "added " THREE " left 3, "));
    for (int i = 0; i < 6; i++)
        assert_string_not_equal(pick(&w), ONE);
    assert_int_equal(info_of(w.group, ONE).state, HTARGET_DRAINING);
    assert_int_equal(info_of(w.group, ONE).active, 1);
    assert_int_equal(count_targets(w.group), 3);
    htarget_count(held, 5, 5);
    htarget_failed(held, -EPIPE);
    htarget_release(held, 0, 0);
    assert_int_equal(count_targets(w.group), 2); /* it went with its last connection */
    end(&w);
}

static void a_draining_address_may_come_back(void **state)
{
    htarget_t *held, *again;
    world_t w;

    (void)state;
    follow(&w, 1, 0);
    assert_int_equal(pick_waiting(&w, NULL, &held), 0);
    set_addresses(&w, 2, 0);
    RUN_UNTIL(w.loop, has_event(&w, "removed " ONE));
    set_addresses(&w, 1, 0);
    RUN_UNTIL(w.loop, has_event(&w, "removed " TWO));
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &again), 0);
    assert_ptr_equal(again, held);
    assert_int_equal(info_of(w.group, ONE).active, 2);
    htarget_release(again, 0, 0);
    htarget_release(held, 0, 0);
    assert_int_equal(info_of(w.group, ONE).state, HTARGET_UP);
    end(&w);
}

static void a_failure_leaves_what_there_was(void **state)
{
    world_t w;

    (void)state;
    begin_with(&w, "www.test:80", NULL, NULL);
    set_addresses(&w, 1, 0);
    w.options.dns_max_ms = 20;
    use(&w);
    assert_string_equal(pick(&w), ONE);
    w.zone.rcode = 3;
    RUN_UNTIL(w.loop, has_event(&w, "name failed www.test:80 (no such name) left 1, "));
    assert_string_equal(pick(&w), ONE);
    w.zone.rcode = 2;
    wait_ms(&w, 50);
    assert_string_equal(pick(&w), ONE);
    w.zone.rcode = 0;
    set_addresses(&w, 2, 0);
    hdns_reload(w.dns); /* "no such name" may be kept for long */
    RUN_UNTIL(w.loop, has_event(&w, "name back www.test:80 left "));
    assert_string_equal(pick(&w), TWO);
    end(&w);
}

static void a_name_without_an_address_is_told(void **state)
{
    char why[HTARGETS_WHY_SIZE];
    htarget_t *target;
    world_t w;

    (void)state;
    begin_with(&w, "www.test:80", NULL, NULL);
    w.zone.rcode = 3;
    use(&w);
    assert_int_equal(pick_waiting(&w, NULL, &target), HERR_RESOLVE);
    assert_string_equal(htargets_why(w.group, why, sizeof(why)), "www.test: no such name");
    assert_string_equal(w.events, "name failed www.test:80 (no such name) left 0, ");
    end(&w);
}

static void a_name_is_asked_for_when_its_time_is_over(void **state)
{
    uint64_t begun;
    int asked;
    world_t w;

    (void)state;
    if (strcmp(test_poller, "epoll") != 0)
        skip(); /* it takes a second */
    begin_with(&w, "www.test:80", NULL, NULL);
    set_addresses(&w, 1, 0);
    w.zone.ttl = 1;
    use(&w);
    begun = now_ms();
    assert_string_equal(pick(&w), ONE);
    asked = w.server.asked;
    RUN_UNTIL(w.loop, w.server.asked > asked);
    assert_true(now_ms() - begun >= 900);
    end(&w);
}

static void check_name(const htargets_name_info_t *info, void *arg)
{
    htargets_name_info_t *seen = arg;

    assert_string_equal(info->name, "www.test:80");
    assert_false(info->srv);
    *seen = *info;
}

static void names_tell_of_themselves(void **state)
{
    htargets_name_info_t seen = {0};
    world_t w;

    (void)state;
    begin_with(&w, "www.test:80", ONE, NULL);
    set_addresses(&w, 1, 2);
    w.zone.ttl = 1000;
    use(&w);
    htargets_each_name(w.group, check_name, &seen);
    assert_int_equal(seen.err, -EAGAIN);
    RUN_UNTIL(w.loop, w.events[0] != '\0');
    htargets_each_name(w.group, check_name, &seen);
    assert_int_equal(seen.err, 0);
    assert_int_equal(seen.addresses, 2);
    assert_in_range(seen.next_ms, 1, 60000);
    end(&w);
}

static void numbers_wait_for_nobody(void **state)
{
    htarget_tried_t tried = {0};
    htarget_t *target;
    world_t w;

    (void)state;
    begin_with(&w, "www.test:80", "192.0.2.1:80", NULL);
    w.server.dead = true;
    use(&w);
    assert_int_equal(htargets_pick(w.group, NULL, &tried, &target), 0);
    assert_string_equal(htarget_address(target), "192.0.2.1:80");
    htarget_release(target, 0, 0);
    assert_int_equal(htargets_pick(w.group, NULL, &tried, &target), -EAGAIN);
    end(&w);
}

static void only_one_process_speaks_of_names(void **state)
{
    world_t w;

    (void)state;
    begin_with(&w, "www.test:80", NULL, NULL);
    set_addresses(&w, 1, 0);
    w.options.runs_checks = false;
    use(&w);
    assert_string_equal(pick(&w), ONE);
    w.zone.rcode = 3;
    wait_ms(&w, 30);
    assert_string_equal(w.events, "");
    end(&w);
}

static void a_check_ends_with_its_address(void **state)
{
    uint64_t checks;
    htarget_t *held;
    world_t w;

    (void)state;
    begin_with(&w, "www.test:1", NULL, NULL);
    set_addresses(&w, 1, 0);
    w.check = (hcheck_options_t){.kind = HCHECK_CONNECT, .interval_ms = 5, .fall = 1000};
    w.options.check = &w.check;
    use(&w);
    assert_int_equal(pick_waiting(&w, NULL, &held), 0);
    RUN_UNTIL(w.loop, info_of(w.group, "127.0.0.1:1").checks > 0);
    set_addresses(&w, 2, 0);
    RUN_UNTIL(w.loop, has_event(&w, "removed"));
    checks = info_of(w.group, "127.0.0.1:1").checks;
    wait_ms(&w, 30);
    assert_int_equal(info_of(w.group, "127.0.0.1:1").checks, checks);
    htarget_release(held, 0, 0);
    end(&w);
}

/* ---- services -------------------------------------------------------------------------------- */

static void set_record(world_t *w, int i, unsigned host, unsigned priority, unsigned weight)
{
    w->zone.srv[i].host = host;
    w->zone.srv[i].priority = priority;
    w->zone.srv[i].weight = weight;
    w->zone.srv[i].port = 80;
}

static void count_picks(world_t *w, int n, int counts[4])
{
    memset(counts, 0, 4 * sizeof(counts[0]));
    for (int i = 0; i < n; i++) {
        const char *address = pick(w);

        assert_true(strncmp(address, "127.0.0.", 8) == 0);
        counts[address[8] - '0']++;
    }
}

static void a_service_has_weights_and_an_order(void **state)
{
    htarget_tried_t tried = {0};
    htarget_t *target;
    int counts[4];
    world_t w;

    (void)state;
    begin_with(&w, "_web._tcp.test", NULL, NULL);
    set_record(&w, 0, 1, 10, 3);
    set_record(&w, 1, 2, 10, 1);
    set_record(&w, 2, 3, 20, 0);
    use(&w);
    assert_string_equal(pick(&w), pick(&w)); /* the names come one by one */
    RUN_UNTIL(w.loop, count_targets(w.group) == 3);
    count_picks(&w, 40, counts);
    assert_int_equal(counts[1], 30);
    assert_int_equal(counts[2], 10);
    assert_int_equal(info_of(w.group, ONE).weight, 3);
    assert_int_equal(info_of(w.group, THREE).order, 10);
    assert_int_equal(info_of(w.group, THREE).weight, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(htargets_pick(w.group, NULL, &tried, &target), 0);
        htarget_release(target, 0, 0);
    }
    assert_string_equal(htarget_name(target), "h3.test:80");
    assert_string_equal(htarget_tls_name(target), "h3.test");
    end(&w);
}

static void a_changed_service_is_followed(void **state)
{
    char why[HTARGETS_WHY_SIZE];
    htarget_t *target;
    int counts[4];
    world_t w;

    (void)state;
    begin_with(&w, "_web._tcp.test", NULL, NULL);
    set_record(&w, 0, 1, 10, 1);
    set_record(&w, 1, 2, 20, 1);
    w.options.dns_max_ms = 20;
    use(&w);
    RUN_UNTIL(w.loop, count_targets(w.group) == 2);
    assert_string_equal(pick(&w), ONE);
    set_record(&w, 0, 1, 30, 1); /* now the second one is first */
    RUN_UNTIL(w.loop, info_of(w.group, ONE).order == 10);
    assert_string_equal(pick(&w), TWO);
    set_record(&w, 0, 1, 20, 3); /* the same order, and more */
    RUN_UNTIL(w.loop, info_of(w.group, ONE).order == 0);
    count_picks(&w, 40, counts);
    assert_int_equal(counts[1], 30);
    set_record(&w, 1, 3, 20, 1);
    RUN_UNTIL(w.loop, has_event(&w, "removed " TWO) && has_event(&w, "added " THREE));
    w.zone.rcode = 3;
    RUN_UNTIL(w.loop, has_event(&w, "name failed _web._tcp.test (no such name) left 2, "));
    w.zone.rcode = 0;
    set_record(&w, 0, 99, 0, 0); /* "." */
    set_record(&w, 1, 0, 0, 0);
    hdns_reload(w.dns);
    RUN_UNTIL(w.loop, count_targets(w.group) == 0);
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), HERR_RESOLVE);
    htargets_why(w.group, why, sizeof(why));
    assert_string_equal(why, "_web._tcp.test: the service is not offered there");
    end(&w);
}

static void a_backup_service_comes_last(void **state)
{
    int counts[4];
    world_t w;

    (void)state;
    begin_with(&w, "_web._tcp.test,backup", "127.0.0.9:80", NULL);
    set_record(&w, 0, 1, 10, 1);
    w.options.eject_failures = 1;
    use(&w);
    RUN_UNTIL(w.loop, count_targets(w.group) == 2);
    for (int i = 0; i < 4; i++) {
        htarget_t *target;

        assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), 0);
        assert_string_equal(htarget_address(target), i < 3 ? "127.0.0.9:80" : ONE);
        if (i == 2)
            htarget_failed(target, -ECONNREFUSED);
        htarget_release(target, 0, 0);
    }
    count_picks(&w, 4, counts);
    assert_int_equal(counts[1], 4);
    end(&w);
}

/* ---- a new configuration --------------------------------------------------------------------- */

static void what_was_known_is_known_at_once(void **state)
{
    htarget_share_t *share;
    htarget_t *target;
    world_t w;

    (void)state;
    begin_with(&w, "www.test:80", "_web._tcp.test,backup", NULL);
    assert_int_equal(htarget_share_new(2, &share), 0);
    w.options.share = share;
    set_addresses(&w, 1, 3);
    set_record(&w, 0, 2, 10, 7);
    use(&w);
    RUN_UNTIL(w.loop, count_targets(w.group) == 3);
    set_addresses(&w, 1, 0);
    RUN_UNTIL(w.loop, count_targets(w.group) == 2);
    htarget_share_forget(share, 0); /* a worker that was killed */
    w.server.dead = true;
    w.options.worker = 1;
    w.events[0] = '\0';
    htargets_free(w.group);
    use(&w);
    assert_string_equal(w.events, "");
    assert_int_equal(count_targets(w.group), 2);
    assert_int_equal(htargets_pick(w.group, NULL, NULL, &target), 0);
    assert_string_equal(htarget_address(target), ONE);
    htarget_release(target, 0, 0);
    assert_int_equal(info_of(w.group, TWO).weight, 7);
    assert_true(info_of(w.group, TWO).backup);
    assert_string_equal(info_of(w.group, TWO).name, "h2.test:80");
    end(&w);
    htarget_share_free(share);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void who_waits_may_give_up(void **state)
{
    htargets_wait_t never = {0};
    world_t w;

    (void)state;
    follow(&w, 1, 0);
    htargets_wait_cancel(&never);
    htargets_wait(w.group, &w.wait, on_wait, &w);
    htargets_wait_cancel(&w.wait);
    htargets_wait_cancel(&w.wait);
    RUN_UNTIL(w.loop, has_event(&w, "added"));
    settle(w.loop);
    assert_int_equal(w.waits, 0);
    end(&w);
}

static void who_waits_is_told_of_the_end(void **state)
{
    world_t w;

    (void)state;
    follow(&w, 1, 0);
    htargets_wait(w.group, &w.wait, on_wait, &w);
    htargets_free(w.group);
    w.group = NULL;
    assert_int_equal(w.waits, 1);
    assert_int_equal(w.wait_err, -ECANCELED);
    end(&w);
}

static void on_wait_free(htargets_wait_t *wait, int err, void *arg)
{
    world_t *w = arg;

    (void)wait;
    assert_int_equal(err, 0);
    htargets_free(w->group);
    w->group = NULL;
}

static void a_group_may_go_while_it_calls(void **state)
{
    htargets_wait_t first;
    world_t w;

    (void)state;
    follow(&w, 1, 0);
    htargets_wait(w.group, &first, on_wait_free, &w);
    htargets_wait(w.group, &w.wait, on_wait, &w);
    RUN_UNTIL(w.loop, w.waits > 0);
    assert_null(w.group);
    assert_int_equal(w.wait_err, -ECANCELED);
    end(&w);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* What is not known for want of memory is asked for again. */
static int names_scenario(void *arg)
{
    htarget_t *target = NULL;
    world_t w;
    int err = -ENOMEM;

    (void)arg;
    if (begin_dns(&w)) {
        add_spec(&w, "www.test:80");
        add_spec(&w, "_web._tcp.test");
        set_addresses(&w, 1, 2);
        set_record(&w, 0, 3, 1, 1);
        w.options.dns_max_ms = 20;
        err = htargets_new(w.loop, &w.options, &w.group);
    }
    for (int i = 0; !err && i < 120 && count_targets(w.group) < 3; i++) {
        hloop_wakeup(w.loop);
        err = hloop_run(w.loop);
        poll(NULL, 0, 1);
    }
    if (!err)
        err = count_targets(w.group) == 3 ? 0 : -ENOMEM;
    if (!err)
        err = htargets_pick(w.group, NULL, NULL, &target);
    if (target)
        htarget_release(target, 0, 0);
    end(&w);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    if (strcmp(test_poller, "epoll") != 0)
        skip();
    assert_true(oom_run_pass(names_scenario, NULL, false) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_answer_is_waited_for),
        cmocka_unit_test(a_changed_answer_is_followed),
        cmocka_unit_test(a_draining_address_may_come_back),
        cmocka_unit_test(a_failure_leaves_what_there_was),
        cmocka_unit_test(a_name_without_an_address_is_told),
        cmocka_unit_test(a_name_is_asked_for_when_its_time_is_over),
        cmocka_unit_test(names_tell_of_themselves),
        cmocka_unit_test(numbers_wait_for_nobody),
        cmocka_unit_test(only_one_process_speaks_of_names),
        cmocka_unit_test(a_check_ends_with_its_address),
        cmocka_unit_test(a_service_has_weights_and_an_order),
        cmocka_unit_test(a_changed_service_is_followed),
        cmocka_unit_test(a_backup_service_comes_last),
        cmocka_unit_test(what_was_known_is_known_at_once),
        cmocka_unit_test(who_waits_may_give_up),
        cmocka_unit_test(who_waits_is_told_of_the_end),
        cmocka_unit_test(a_group_may_go_while_it_calls),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return run_on_each_poller("htargets_names", tests, ARRAY_LENGTH(tests));
}
