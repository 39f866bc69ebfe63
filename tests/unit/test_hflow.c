/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "loop_test.h"
#include "net/hflow.h"
#include "net/hlisten.h"
#include "net/hrelay.h"
#include "oom.h"

#define LARGE 60000
#define MANY 1000

/* Clients send to server; each flow gets a socket of its own to target, which the test answers
 * from. */
typedef struct world_s {
    hloop_t *loop;
    hio_t *server;
    hflows_t *flows;
    struct sockaddr_in server_addr, target_addr;
    int target;
    bool late;       /* open joins nothing */
    int refuse;      /* what open says; 0: yes */
    hflow_t *flow;   /* the one that was opened last */
    hio_t *upstream; /* its own */
    int opened, answered, closed, freed;
    hflow_end_e end;
    int err;
    hflow_stats_t stats; /* of the one that was closed last */
} world_t;

static int dial(world_t *w, hflow_t *flow)
{
    haddr_t target;
    int err;

    haddr_set(&target, (struct sockaddr *)&w->target_addr, sizeof(w->target_addr));
    err = hlisten_client(w->loop, &target, SOCK_DGRAM, NULL, &w->upstream);
    if (err)
        return err;
    err = hio_connect(w->upstream);
    if (!err)
        err = hflow_join(flow, w->upstream);
    if (err)
        hio_abort(w->upstream, err);
    return err;
}

static int on_open(hflow_t *flow, void *arg)
{
    world_t *w = arg;
    int err = w->refuse;

    w->flow = flow;
    if (!err && !w->late)
        err = dial(w, flow);
    w->opened += err == 0;
    return err;
}

static void on_answered(hflow_t *flow, void *arg)
{
    assert_non_null(hflow_upstream(flow));
    ((world_t *)arg)->answered++;
}

static void on_closed(hflow_t *flow, hflow_end_e end, int err, void *arg)
{
    world_t *w = arg;

    w->closed++;
    w->end = end;
    w->err = err;
    hflow_stats(flow, &w->stats);
    if (w->flow == flow)
        w->flow = NULL;
}

static void on_freed(void *arg)
{
    ((world_t *)arg)->freed++;
}

static void on_tick(htimer_t *timer)
{
    (void)timer;
}

static hflows_options_t options_of(world_t *w)
{
    return (hflows_options_t){
        .open = on_open, .answered = on_answered, .closed = on_closed, .freed = on_freed, .arg = w};
}

static void begin_with(world_t *w, const hflows_options_t *options)
{
    w->loop = new_loop();
    assert_non_null(htimer_add(w->loop, on_tick, 5, INFINITE));
    w->target = bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, &w->target_addr);
    w->server = hio_get(w->loop, bound_socket(SOCK_DGRAM, &w->server_addr));
    assert_int_equal(hflows_new(w->server, options, &w->flows), 0);
}

static void begin(world_t *w)
{
    hflows_options_t options = options_of(w);

    memset(w, 0, sizeof(*w));
    begin_with(w, &options);
}

static void end(world_t *w)
{
    hloop_free(&w->loop);
    assert_int_equal(w->freed, 1);
    assert_int_equal(w->closed, w->opened);
    close(w->target);
}

static int new_client(const world_t *w)
{
    struct sockaddr_in own;
    int fd = bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, &own);

    assert_int_equal(connect(fd, (const struct sockaddr *)&w->server_addr, sizeof(own)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

static ssize_t peek(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);
}

/* The next datagram at fd is this text; who sent it (from may be NULL). */
static void expect(world_t *w, int fd, const char *text, struct sockaddr_in *from)
{
    socklen_t len = sizeof(*from);
    char buf[128];

    RUN_UNTIL(w->loop, peek(fd) >= 0);
    assert_int_equal(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)from, from ? &len : NULL),
                     strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static void reply(world_t *w, const char *text, const struct sockaddr_in *to)
{
    assert_int_equal(
        sendto(w->target, text, strlen(text), 0, (const struct sockaddr *)to, sizeof(*to)),
        strlen(text));
}

static uint32_t flows_of(const world_t *w)
{
    hflows_stats_t stats;

    hflows_stats(w->flows, &stats);
    return stats.flows;
}

/* ---- who gets what --------------------------------------------------------------------------- */

static void each_client_has_an_upstream_of_its_own(void **state)
{
    struct sockaddr_in from[3];
    int client[3];
    char text[16];
    world_t w;

    (void)state;
    begin(&w);
    for (int i = 0; i < 3; i++) {
        client[i] = new_client(&w);
        snprintf(text, sizeof(text), "ask %d", i);
        say(client[i], text);
        expect(&w, w.target, text, &from[i]);
        assert_ptr_equal(hflow_upstream(w.flow), w.upstream);
        assert_ptr_equal(hio_get_upstream(w.upstream), w.server);
        assert_ptr_equal(hflow_flows(w.flow), w.flows);
    }
    assert_true(from[0].sin_port != from[1].sin_port && from[1].sin_port != from[2].sin_port);
    for (int i = 2; i >= 0; i--) {
        snprintf(text, sizeof(text), "say %d", i);
        reply(&w, text, &from[i]);
        expect(&w, client[i], text, NULL);
        close(client[i]);
    }
    assert_int_equal(w.opened, 3);
    assert_int_equal(w.answered, 3);
    assert_int_equal(flows_of(&w), 3);
    end(&w);
    assert_int_equal(w.end, HFLOW_SOCKET);
    assert_int_equal(w.stats.sent, 1);
    assert_int_equal(w.stats.sent_bytes, 5);
    assert_int_equal(w.stats.received_bytes, 5);
}

/* The target answers each datagram with itself. */
static void echo(const world_t *w)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    char buf[128];
    ssize_t n;

    while ((n = recvfrom(w->target, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len)) >= 0)
        assert_int_equal(sendto(w->target, buf, (size_t)n, 0, (struct sockaddr *)&from, len), n);
}

static void a_thousand_clients_are_never_mixed_up(void **state)
{
    int n = MANY, *client;
    hloop_stats_t stats;
    world_t w;

    (void)state;
    begin(&w);
    hloop_stats(w.loop, &stats);
    if (strcmp(stats.poller, "select") == 0)
        n = 200; /* it knows 1,024 descriptors */
    client = calloc((size_t)n, sizeof(*client));
    assert_non_null(client);
    for (int i = 0; i < n; i++)
        client[i] = new_client(&w);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < n; i++) {
            char text[32];

            snprintf(text, sizeof(text), "%d of client %d", round, i);
            say(client[i], text);
            if (i % 50 != 49)
                continue;
            settle(w.loop); /* sockets hold some hundred small datagrams */
            echo(&w);
        }
        settle(w.loop);
        echo(&w);
        for (int i = 0; i < n; i++) {
            char text[32];

            snprintf(text, sizeof(text), "%d of client %d", round, i);
            expect(&w, client[i], text, NULL);
            assert_int_equal(peek(client[i]), -1);
        }
    }
    assert_int_equal(w.opened, n);
    assert_int_equal(w.answered, n); /* once each */
    for (int i = 0; i < n; i++)
        close(client[i]);
    free(client);
    end(&w);
}

static void large_and_empty_datagrams_stay_whole(void **state)
{
    static char got[65536];
    static const size_t lengths[] = {LARGE, 0, HFLOW_DATAGRAM_MAX, 1};
    char *data = new_pattern(HFLOW_DATAGRAM_MAX);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    int client;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        ssize_t n = (ssize_t)lengths[i];

        assert_int_equal(send(client, data, lengths[i], 0), n);
        RUN_UNTIL(w.loop, peek(w.target) >= 0);
        assert_int_equal(recvfrom(w.target, got, sizeof(got), 0, (struct sockaddr *)&from, &len),
                         n);
        assert_memory_equal(got, data, lengths[i]);
        assert_int_equal(sendto(w.target, got, lengths[i], 0, (struct sockaddr *)&from, len), n);
        memset(got, 0, sizeof(got));
        RUN_UNTIL(w.loop, peek(client) >= 0);
        assert_int_equal(recv(client, got, sizeof(got), 0), n);
        assert_memory_equal(got, data, lengths[i]);
    }
    close(client);
    free(data);
    end(&w);
}

/* A client that asks two addresses of ours gets each answer from the one that it asked. */
static void answers_come_from_the_address_that_was_asked(void **state)
{
    struct sockaddr_in to, from[2], by;
    socklen_t len = sizeof(by);
    struct sockaddr_in any = {.sin_family = AF_INET};
    int client = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), fd;
    hflows_options_t options;
    char buf[8];
    world_t w;

    (void)state;
    begin(&w);
    hflows_free(w.flows);
    assert_int_equal(w.freed, 1);
    w.freed = 0;
    hio_close(w.server);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    w.server = hio_get(w.loop, fd);
    options = options_of(&w);
    assert_int_equal(hflows_new(w.server, &options, &w.flows), 0);
    to = any;
    for (uint32_t i = 0; i < 2; i++) {
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
        assert_int_equal(sendto(client, "ask", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
        expect(&w, w.target, "ask", &from[i]);
    }
    assert_true(from[0].sin_port != from[1].sin_port);
    for (uint32_t i = 2; i-- > 0;) {
        reply(&w, "say", &from[i]);
        RUN_UNTIL(w.loop, peek(client) >= 0);
        assert_int_equal(recvfrom(client, buf, sizeof(buf), 0, (struct sockaddr *)&by, &len), 3);
        assert_int_equal(ntohl(by.sin_addr.s_addr), INADDR_LOOPBACK + i);
    }
    close(client);
    end(&w);
}

/* ---- late upstreams -------------------------------------------------------------------------- */

static void what_comes_before_the_upstream_waits_in_order(void **state)
{
    hflows_options_t options;
    hflows_stats_t stats;
    char text[16];
    int client;
    world_t w;

    (void)state;
    memset(&w, 0, sizeof(w));
    w.late = true;
    options = options_of(&w);
    options.waiting = 10;
    begin_with(&w, &options);
    client = new_client(&w);
    for (int i = 0; i < 12; i++) {
        snprintf(text, sizeof(text), "number %d", i);
        say(client, text);
    }
    settle(w.loop);
    assert_int_equal(w.opened, 1); /* asked once */
    assert_null(hflow_upstream(w.flow));
    assert_int_equal(dial(&w, w.flow), 0);
    assert_int_equal(hflow_join(w.flow, w.server), -EINVAL);
    say(client, "behind");
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof(text), "number %d", i);
        expect(&w, w.target, text, NULL);
    }
    expect(&w, w.target, "behind", NULL);
    hflows_stats(w.flows, &stats);
    assert_int_equal(stats.all.dropped, 2);
    assert_int_equal(stats.all.sent, 11);
    close(client);
    end(&w);
}

static void bytes_that_wait_are_bounded_too(void **state)
{
    static char data[LARGE];
    hflows_options_t options;
    hflows_stats_t stats;
    int client;
    world_t w;

    (void)state;
    memset(&w, 0, sizeof(w));
    w.late = true;
    options = options_of(&w);
    options.queue_max = (size_t)2 * LARGE;
    begin_with(&w, &options);
    client = new_client(&w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(client, data, LARGE, 0), LARGE);
        settle(w.loop);
    }
    hflows_stats(w.flows, &stats);
    assert_int_equal(stats.all.dropped, 1);
    hflow_close(w.flow, 0);
    assert_int_equal(w.closed, 1);
    assert_int_equal(w.end, HFLOW_CLOSED);
    assert_int_equal(w.stats.dropped, 3);
    close(client);
    end(&w);
}

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

/* ---- other kinds of sockets ------------------------------------------------------------------ */

static void a_stream_carries_the_bytes_of_datagrams(void **state)
{
    static char got[2 * 65536];
    char *data = new_pattern(2 * (size_t)HFLOW_DATAGRAM_MAX);
    size_t total = 0;
    int client, fds[2], most = 0;
    ssize_t n;
    world_t w;

    (void)state;
    begin(&w);
    w.late = true;
    client = new_client(&w);
    say(client, "one ");
    RUN_UNTIL(w.loop, w.flow);
    tcp_pair(fds);
    assert_int_equal(hflow_join(w.flow, hio_get(w.loop, fds[0])), 0);
    say(client, "two");
    settle(w.loop);
    RUN_UNTIL(w.loop, recv(fds[1], got, 7, MSG_PEEK | MSG_DONTWAIT) == 7);
    assert_int_equal(recv(fds[1], got, 7, 0), 7);
    assert_memory_equal(got, "one two", 7);
    assert_int_equal(send(fds[1], data, 2 * (size_t)HFLOW_DATAGRAM_MAX, 0), 2 * HFLOW_DATAGRAM_MAX);
    while (total < 2 * (size_t)HFLOW_DATAGRAM_MAX) {
        RUN_UNTIL(w.loop, peek(client) >= 0);
        n = recv(client, got + total, sizeof(got) - total, 0);
        assert_true(n > 0 && n <= HFLOW_DATAGRAM_MAX);
        total += (size_t)n;
        most++;
    }
    assert_memory_equal(got, data, total);
    assert_true(most > 1);
    close(fds[1]);
    RUN_UNTIL(w.loop, w.closed == 1);
    assert_int_equal(w.end, HFLOW_UPSTREAM);
    assert_int_equal(w.err, 0);
    free(data);
    close(client);
    end(&w);
}

/* A stream whose peer reads nothing: what it cannot take is dropped, and memory is bounded. */
static void a_full_stream_drops_datagrams(void **state)
{
    static char data[LARGE];
    hflows_stats_t stats;
    int client, fds[2];
    hio_t *upstream;
    world_t w;

    (void)state;
    begin(&w);
    w.late = true;
    client = new_client(&w);
    assert_int_equal(send(client, data, 1, 0), 1);
    RUN_UNTIL(w.loop, w.flow);
    tcp_pair(fds);
    small_buffers(fds[0]);
    small_buffers(fds[1]);
    upstream = hio_get(w.loop, fds[0]);
    assert_int_equal(hflow_join(w.flow, upstream), 0);
    do {
        assert_int_equal(send(client, data, LARGE, 0), LARGE);
        assert_int_equal(hloop_run(w.loop), 0);
        assert_true(hio_write_bufsize(upstream) <= HFLOW_QUEUE_MAX);
        hflows_stats(w.flows, &stats);
    } while (stats.all.dropped < 5);
    close(fds[1]);
    close(client);
    end(&w);
}

static int unix_socket(const char *name)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    haddr_t addr;

    assert_int_equal(haddr_unix(&addr, name), 0);
    assert_int_equal(bind(fd, &addr.u.sa, addr.len), 0);
    return fd;
}

static void unix_clients_are_answered_if_they_have_a_name(void **state)
{
    struct sockaddr_in from[2];
    hflows_options_t options;
    char name[64], other[64];
    int client, nameless;
    haddr_t addr;
    world_t w;

    (void)state;
    begin(&w);
    hio_close(w.server);
    RUN_UNTIL(w.loop, w.freed == 1);
    w.freed = 0;
    snprintf(name, sizeof(name), "@hflow-%ld", (long)getpid());
    snprintf(other, sizeof(other), "@hflow-client-%ld", (long)getpid());
    w.server = hio_get(w.loop, unix_socket(name));
    options = options_of(&w);
    assert_int_equal(hflows_new(w.server, &options, &w.flows), 0);
    client = unix_socket(other);
    nameless = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(haddr_unix(&addr, name), 0);
    assert_int_equal(connect(client, &addr.u.sa, addr.len), 0);
    assert_int_equal(connect(nameless, &addr.u.sa, addr.len), 0);
    say(client, "ask");
    expect(&w, w.target, "ask", &from[0]);
    assert_int_equal(hflow_client(w.flow)->u.sa.sa_family, AF_UNIX);
    say(nameless, "tell");
    expect(&w, w.target, "tell", &from[1]);
    assert_int_equal(hflow_client(w.flow)->len, 0);
    reply(&w, "nobody", &from[1]);
    reply(&w, "you", &from[0]);
    expect(&w, client, "you", NULL);
    assert_int_equal(peek(nameless), -1);
    close(client);
    close(nameless);
    end(&w);
}

static void what_is_no_datagram_socket_is_refused(void **state)
{
    hflows_options_t options;
    hio_t *io;
    int fds[2];
    world_t w;

    (void)state;
    begin(&w);
    tcp_pair(fds);
    options = options_of(&w);
    io = hio_get(w.loop, fds[0]);
    assert_int_equal(hflows_new(io, &options, NULL), -EINVAL);
    options.open = NULL;
    assert_int_equal(hflows_new(w.server, &options, NULL), -EINVAL);
    close(fds[1]);
    hflows_free(NULL);
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
        cmocka_unit_test(each_client_has_an_upstream_of_its_own),
        cmocka_unit_test(a_thousand_clients_are_never_mixed_up),
        cmocka_unit_test(large_and_empty_datagrams_stay_whole),
        cmocka_unit_test(answers_come_from_the_address_that_was_asked),
        cmocka_unit_test(what_comes_before_the_upstream_waits_in_order),
        cmocka_unit_test(bytes_that_wait_are_bounded_too),
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
        cmocka_unit_test(who_stops_listening_keeps_the_flows_that_are),
        cmocka_unit_test(who_frees_them_keeps_the_socket),
        cmocka_unit_test(a_stream_carries_the_bytes_of_datagrams),
        cmocka_unit_test(a_full_stream_drops_datagrams),
        cmocka_unit_test(unix_clients_are_answered_if_they_have_a_name),
        cmocka_unit_test(what_is_no_datagram_socket_is_refused),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
    };

    return run_on_each_poller("hflow", tests, ARRAY_LENGTH(tests));
}
