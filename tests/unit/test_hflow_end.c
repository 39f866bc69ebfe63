/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hflow_fixture.h"
#include "oom.h"

/* ---- ends ------------------------------------------------------------------------------------ */

static void an_idle_flow_ends_and_its_client_gets_a_new_one(void **state)
{
    struct sockaddr_in from[2];
    hflows_options_t options;
    uint64_t start;
    int client;
    world_t w;

    (void)state;
    memset(&w, 0, sizeof(w));
    options = options_of(&w);
    options.idle_ms = 30;
    begin_with(&w, &options);
    client = new_client(&w);
    start = now_ms();
    say(client, "ask");
    expect(&w, w.target, "ask", &from[0]);
    RUN_UNTIL(w.loop, w.closed == 1);
    assert_true(now_ms() - start >= 30);
    assert_int_equal(w.end, HFLOW_IDLE);
    assert_int_equal(w.err, 0);
    settle(w.loop);
    assert_int_equal(hloop_nios(w.loop), 1);
    say(client, "again");
    expect(&w, w.target, "again", &from[1]);
    close(client);
    end(&w);
}

static void the_time_of_idle_flows_may_become_shorter(void **state)
{
    int client;
    world_t w;

    (void)state;
    begin(&w);
    hflows_set_idle(w.flows, 0);
    client = new_client(&w);
    say(client, "ask");
    expect(&w, w.target, "ask", NULL);
    hflows_set_idle(w.flows, 20); /* of a minute */
    RUN_UNTIL(w.loop, w.closed == 1);
    assert_int_equal(w.end, HFLOW_IDLE);
    close(client);
    end(&w);
}

/* Whichever side something comes from. */
static void a_flow_that_moves_is_not_idle(void **state)
{
    struct sockaddr_in from;
    hflows_options_t options;
    uint64_t start;
    int client;
    world_t w;

    (void)state;
    if (strcmp(test_poller, "epoll") != 0)
        skip(); /* it takes long, and the poller has no part in it */
    memset(&w, 0, sizeof(w));
    options = options_of(&w);
    options.idle_ms = 2000;
    begin_with(&w, &options);
    client = new_client(&w);
    say(client, "ask");
    expect(&w, w.target, "ask", &from);
    for (start = now_ms(); now_ms() - start < 2500;) {
        reply(&w, "x", &from);
        RUN_UNTIL(w.loop, w.closed || peek(client) >= 0);
        assert_int_equal(w.closed, 0);
        expect(&w, client, "x", NULL);
        hloop_run(w.loop);
    }
    close(client);
    end(&w);
}

static void past_the_maximum_the_one_that_was_silent_longest_goes(void **state)
{
    struct sockaddr_in from[3];
    hflows_options_t options;
    hflows_stats_t stats;
    int client[3];
    world_t w;

    (void)state;
    memset(&w, 0, sizeof(w));
    options = options_of(&w);
    options.flows_max = 2;
    begin_with(&w, &options);
    for (int i = 0; i < 3; i++)
        client[i] = new_client(&w);
    for (int i = 0; i < 2; i++) {
        say(client[i], "ask");
        expect(&w, w.target, "ask", &from[i]);
    }
    reply(&w, "moves", &from[0]);
    expect(&w, client[0], "moves", NULL);
    say(client[2], "ask");
    expect(&w, w.target, "ask", &from[2]);
    assert_int_equal(w.closed, 1);
    assert_int_equal(w.end, HFLOW_EVICTED);
    hflows_stats(w.flows, &stats);
    assert_int_equal(stats.flows, 2);
    assert_int_equal(stats.evicted, 1);
    assert_int_equal(stats.opened, 3);
    settle(w.loop);
    reply(&w, "gone", &from[1]);
    reply(&w, "there", &from[0]);
    expect(&w, client[0], "there", NULL);
    assert_int_equal(peek(client[1]), -1);
    for (int i = 0; i < 3; i++)
        close(client[i]);
    end(&w);
}

static void a_target_that_refuses_is_told_with_its_cause(void **state)
{
    struct sockaddr_in from;
    int client;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    close(w.target);
    while (w.closed == 0) {
        say(client, "ask");
        assert_int_equal(hloop_run(w.loop), 0);
    }
    assert_int_equal(w.end, HFLOW_UPSTREAM);
    assert_int_equal(w.err, -ECONNREFUSED);
    assert_int_equal(w.answered, 0);
    settle(w.loop);
    w.target = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w.target, (struct sockaddr *)&w.target_addr, sizeof(w.target_addr)), 0);
    say(client, "again");
    expect(&w, w.target, "again", &from);
    reply(&w, "here", &from);
    expect(&w, client, "here", NULL);
    close(client);
    end(&w);
}

/* Each word gets through though the upstream before it is closing already. */
static void an_upstream_that_the_program_closed_makes_way_for_a_new_one(void **state)
{
    int client;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    say(client, "one");
    expect(&w, w.target, "one", NULL);
    hio_close(w.upstream);
    say(client, "two");
    expect(&w, w.target, "two", NULL);
    assert_int_equal(w.opened, 2);
    assert_int_equal(w.closed, 1);
    assert_int_equal(w.end, HFLOW_UPSTREAM);
    assert_int_equal(w.err, 0);
    close(client);
    end(&w);
}

static int close_inside(hflow_t *flow, void *arg)
{
    world_t *w = arg;

    w->opened++;
    if (!w->late)
        assert_int_equal(dial(w, flow), 0);
    hflow_close(flow, -EPROTO);
    hflow_close(flow, 0);
    return 0;
}

static void a_flow_may_be_closed_while_it_opens(void **state)
{
    hflows_options_t options;
    int client;
    world_t w;

    (void)state;
    for (int late = 0; late < 2; late++) {
        memset(&w, 0, sizeof(w));
        w.late = late;
        options = options_of(&w);
        options.open = close_inside;
        begin_with(&w, &options);
        client = new_client(&w);
        say(client, "x");
        say(client, "y");
        RUN_UNTIL(w.loop, w.closed == 2);
        settle(w.loop);
        assert_int_equal(w.err, -EPROTO);
        assert_int_equal(flows_of(&w), 0);
        assert_int_equal(hloop_nios(w.loop), 1);
        close(client);
        end(&w);
    }
}

static int free_inside(hflow_t *flow, void *arg)
{
    world_t *w = arg;

    w->opened++;
    hflows_free(hflow_flows(flow));
    return 0;
}

static void all_may_be_freed_while_one_opens(void **state)
{
    hflows_options_t options;
    int client;
    world_t w;

    (void)state;
    memset(&w, 0, sizeof(w));
    options = options_of(&w);
    options.open = free_inside;
    begin_with(&w, &options);
    client = new_client(&w);
    say(client, "x");
    RUN_UNTIL(w.loop, w.freed == 1);
    assert_true(hio_is_opened(w.server)); /* it is the program's */
    close(client);
    end(&w);
}

static void a_refused_client_asks_again(void **state)
{
    hflows_stats_t stats;
    int client;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    w.refuse = -EACCES;
    say(client, "no");
    settle(w.loop);
    hflows_stats(w.flows, &stats);
    assert_int_equal(stats.flows, 0);
    assert_int_equal(stats.opened, 0);
    assert_int_equal(stats.all.dropped, 1);
    w.refuse = 0;
    say(client, "yes");
    expect(&w, w.target, "yes", NULL);
    close(client);
    end(&w);
}

static void without_descriptors_the_oldest_makes_room(void **state)
{
    int client[2];
    world_t w;

    (void)state;
    begin(&w);
    for (int i = 0; i < 2; i++)
        client[i] = new_client(&w);
    say(client[0], "ask");
    expect(&w, w.target, "ask", NULL);
    w.refuse = -EMFILE;
    say(client[1], "lost");
    RUN_UNTIL(w.loop, w.closed == 1);
    assert_int_equal(w.end, HFLOW_EVICTED);
    close(client[0]);
    close(client[1]);
    end(&w);
}

/* It is found out when the program dials, not in open. */
static void room_is_made_later_too(void **state)
{
    int client[3];
    world_t w;

    (void)state;
    begin(&w);
    for (int i = 0; i < 3; i++) {
        client[i] = new_client(&w);
        w.late = i != 1;
        say(client[i], "ask");
        RUN_UNTIL(w.loop, w.opened == i + 1);
    }
    assert_true(hflow_make_room(w.flow)); /* the second: the first has nothing to give */
    assert_int_equal(w.closed, 1);
    assert_int_equal(w.end, HFLOW_EVICTED);
    assert_int_equal(w.stats.sent, 1);
    assert_false(hflow_make_room(w.flow));
    assert_int_equal(dial(&w, w.flow), 0);
    assert_false(hflow_make_room(w.flow));
    for (int i = 0; i < 3; i++)
        close(client[i]);
    end(&w);
}

static void who_stops_listening_keeps_the_flows_that_are(void **state)
{
    struct sockaddr_in from;
    int client[2];
    world_t w;

    (void)state;
    begin(&w);
    for (int i = 0; i < 2; i++)
        client[i] = new_client(&w);
    say(client[0], "ask");
    expect(&w, w.target, "ask", &from);
    hflows_stop_listening(w.flows);
    say(client[1], "no");
    say(client[0], "more");
    expect(&w, w.target, "more", &from);
    reply(&w, "here", &from);
    expect(&w, client[0], "here", NULL);
    assert_int_equal(w.opened, 1);
    hio_read_stop(w.server); /* another process reads: answers still leave */
    reply(&w, "late", &from);
    expect(&w, client[0], "late", NULL);
    close(client[0]);
    close(client[1]);
    end(&w);
}

static void who_frees_them_keeps_the_socket(void **state)
{
    hflows_options_t options;
    int client;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    say(client, "ask");
    expect(&w, w.target, "ask", NULL);
    hflows_free(w.flows);
    assert_int_equal(w.closed, 1);
    settle(w.loop);
    assert_int_equal(w.freed, 1);
    assert_int_equal(hloop_nios(w.loop), 1);
    w.freed = 0;
    options = options_of(&w);
    assert_int_equal(hflows_new(w.server, &options, &w.flows), 0);
    assert_int_equal(hflows_new(w.server, &options, NULL), -EINVAL);
    say(client, "again");
    expect(&w, w.target, "again", NULL);
    close(client);
    end(&w);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int oom_drive(world_t *w, int client)
{
    hflows_options_t options = options_of(w);
    int err = hflows_new(w->server, &options, &w->flows);
    char buf[8];

    if (err) {
        w->freed = 1; /* there is nothing to free */
        return err;
    }
    for (int i = 0; i < 40 && err == 0; i++) {
        send(client, "ask", 3, 0);
        hloop_wakeup(w->loop);
        err = hloop_run(w->loop);
        if (w->late && w->flow && !hflow_upstream(w->flow))
            dial(w, w->flow);
        echo(w);
        if (recv(client, buf, sizeof(buf), MSG_DONTWAIT) == 3)
            return 0;
    }
    return err ? err : -ENOMEM;
}

static int oom_scenario(void *arg)
{
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    int fd, client, err = -ENOMEM;
    world_t w = {.late = *(bool *)arg};

    w.loop = hloop_new_with(&loop_options);
    if (!w.loop)
        return -ENOMEM;
    w.target = bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, &w.target_addr);
    fd = bound_socket(SOCK_DGRAM, &w.server_addr);
    client = new_client(&w);
    w.server = hio_get(w.loop, fd);
    if (w.server) {
        err = oom_drive(&w, client);
    } else {
        w.freed = 1;
        close(fd);
    }
    end(&w);
    close(client);
    return err;
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++)
        oom_run(oom_scenario, &(bool){late});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_flow_ends_and_its_client_gets_a_new_one),
        cmocka_unit_test(the_time_of_idle_flows_may_become_shorter),
        cmocka_unit_test(a_flow_that_moves_is_not_idle),
        cmocka_unit_test(past_the_maximum_the_one_that_was_silent_longest_goes),
        cmocka_unit_test(a_target_that_refuses_is_told_with_its_cause),
        cmocka_unit_test(an_upstream_that_the_program_closed_makes_way_for_a_new_one),
        cmocka_unit_test(a_flow_may_be_closed_while_it_opens),
        cmocka_unit_test(all_may_be_freed_while_one_opens),
        cmocka_unit_test(a_refused_client_asks_again),
        cmocka_unit_test(without_descriptors_the_oldest_makes_room),
        cmocka_unit_test(room_is_made_later_too),
        cmocka_unit_test(who_stops_listening_keeps_the_flows_that_are),
        cmocka_unit_test(who_frees_them_keeps_the_socket),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
    };

    return run_on_each_poller("ends of hflow", tests, ARRAY_LENGTH(tests));
}
