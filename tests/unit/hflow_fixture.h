/* hflow_fixture: flows from a socket to a target that the test answers from. Include it after
 * cmocka.h. */
#ifndef HNET_TESTS_HFLOW_FIXTURE_H
#define HNET_TESTS_HFLOW_FIXTURE_H

#include "loop_test.h"
#include "net/hflow.h"
#include "net/hlisten.h"
#include "net/hrelay.h"

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

static inline int dial(world_t *w, hflow_t *flow)
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

static inline int on_open(hflow_t *flow, void *arg)
{
    world_t *w = arg;
    int err = w->refuse;

    w->flow = flow;
    if (!err && !w->late)
        err = dial(w, flow);
    w->opened += err == 0;
    return err;
}

static inline void on_answered(hflow_t *flow, void *arg)
{
    assert_non_null(hflow_upstream(flow));
    ((world_t *)arg)->answered++;
}

static inline void on_closed(hflow_t *flow, hflow_end_e end, int err, void *arg)
{
    world_t *w = arg;

    w->closed++;
    w->end = end;
    w->err = err;
    hflow_stats(flow, &w->stats);
    if (w->flow == flow)
        w->flow = NULL;
}

static inline void on_freed(void *arg)
{
    ((world_t *)arg)->freed++;
}

static inline void on_tick(htimer_t *timer)
{
    (void)timer;
}

static inline hflows_options_t options_of(world_t *w)
{
    return (hflows_options_t){
        .open = on_open, .answered = on_answered, .closed = on_closed, .freed = on_freed, .arg = w};
}

static inline void begin_with(world_t *w, const hflows_options_t *options)
{
    w->loop = new_loop();
    assert_non_null(htimer_add(w->loop, on_tick, 5, INFINITE));
    w->target = bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, &w->target_addr);
    w->server = hio_get(w->loop, bound_socket(SOCK_DGRAM, &w->server_addr));
    assert_int_equal(hflows_new(w->server, options, &w->flows), 0);
}

static inline void begin(world_t *w)
{
    hflows_options_t options = options_of(w);

    memset(w, 0, sizeof(*w));
    begin_with(w, &options);
}

static inline void end(world_t *w)
{
    hloop_free(&w->loop);
    assert_int_equal(w->freed, 1);
    assert_int_equal(w->closed, w->opened);
    close(w->target);
}

static inline int new_client(const world_t *w)
{
    struct sockaddr_in own;
    int fd = bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, &own);

    assert_int_equal(connect(fd, (const struct sockaddr *)&w->server_addr, sizeof(own)), 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

static inline ssize_t peek(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);
}

/* The next datagram at fd is this text; who sent it (from may be NULL). */
static inline void expect(world_t *w, int fd, const char *text, struct sockaddr_in *from)
{
    socklen_t len = sizeof(*from);
    char buf[128];

    RUN_UNTIL(w->loop, peek(fd) >= 0);
    assert_int_equal(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)from, from ? &len : NULL),
                     strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static inline void reply(world_t *w, const char *text, const struct sockaddr_in *to)
{
    assert_int_equal(
        sendto(w->target, text, strlen(text), 0, (const struct sockaddr *)to, sizeof(*to)),
        strlen(text));
}

static inline uint32_t flows_of(const world_t *w)
{
    hflows_stats_t stats;

    hflows_stats(w->flows, &stats);
    return stats.flows;
}

/* The target answers each datagram with itself. */
static inline void echo(const world_t *w)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    char buf[128];
    ssize_t n;

    while ((n = recvfrom(w->target, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len)) >= 0)
        assert_int_equal(sendto(w->target, buf, (size_t)n, 0, (struct sockaddr *)&from, len), n);
}

#endif
