/* hdial_fixture: listeners of one port on both loopback addresses, a name server, and what came of
 * a dial. Include it after cmocka.h. */
#ifndef HNET_TESTS_HDIAL_FIXTURE_H
#define HNET_TESTS_HDIAL_FIXTURE_H

#include "dns_fixture.h"
#include "loop_test.h"
#include "net/hdial.h"

#include <stdio.h>
#include <string.h>

typedef struct world_s {
    hloop_t *loop;
    dns_server_t server;
    hdns_t *dns;
    hdial_options_t options;
    int v4, v6; /* listeners of one port */
    uint16_t port;
    int full[64]; /* connections that fill a backlog */
    size_t full_count;
    char text[64];
} world_t;

typedef struct result_s {
    int calls, err, tried, attempts;
    int families[8]; /* of those that failed first */
    hdial_step_e step;
    hio_t *io;
    char error[HDIAL_ERROR_SIZE];
    char addr[HADDR_FORMAT_SIZE];
    hdial_times_t times;
} result_t;

static inline void on_dial(hdial_t *dial, hio_t *io, int err, void *arg)
{
    result_t *r = arg;

    r->calls++;
    r->err = err;
    r->io = io;
    r->step = hdial_step(dial);
    snprintf(r->error, sizeof(r->error), "%s", hdial_error(dial));
    haddr_format(&hdial_addr(dial)->u.sa, hdial_addr(dial)->len, r->addr, sizeof(r->addr));
    hdial_times(dial, &r->times);
    assert_true((err == 0) == (io != NULL));
    assert_true((r->step == HDIAL_STEP_DONE) == (err == 0));
}

static inline void on_trying(hdial_t *dial, const haddr_t *addr, int err, void *arg)
{
    result_t *r = arg;

    (void)dial;
    assert_true(addr->len > 0);
    assert_int_equal(err, 0);
    r->tried++;
}

static inline void on_attempt(hdial_t *dial, const haddr_t *addr, int err, void *arg)
{
    result_t *r = arg;

    (void)dial;
    assert_true(addr->len > 0);
    assert_true(err < 0);
    assert_true(r->attempts < r->tried);
    if ((size_t)r->attempts < ARRAY_LENGTH(r->families))
        r->families[r->attempts] = addr->u.sa.sa_family;
    r->attempts++;
}

/* ---- listeners ------------------------------------------------------------------------------- */

static inline int bind_to(int family, uint16_t port)
{
    haddr_t addr;
    int one = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    haddr_loopback(&addr, family, port);
    assert_true(fd >= 0);
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, &addr.u.sa, addr.len) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline uint16_t port_of(int fd)
{
    sockaddr_u u;
    socklen_t len = sizeof(u);

    assert_int_equal(getsockname(fd, &u.sa, &len), 0);
    return (uint16_t)haddr_port(&u.sa);
}

/* One port on both loopback addresses, listening on neither yet. */
static inline void bind_both(world_t *w)
{
    do {
        w->v4 = bind_to(AF_INET, 0);
        w->port = port_of(w->v4);
        w->v6 = bind_to(AF_INET6, w->port);
        if (w->v6 < 0)
            close(w->v4);
    } while (w->v6 < 0);
}

/* Takes no connection and refuses none. */
static inline void make_silent(world_t *w, int fd)
{
    sockaddr_u u;
    socklen_t len = sizeof(u);

    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, &u.sa, &len), 0);
    for (int i = 0; i < 4; i++) {
        int filler = socket(u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        connect(filler, &u.sa, len);
        w->full[w->full_count++] = filler;
    }
}

static inline void begin(world_t *w)
{
    hdns_options_t options = {.hosts_file = "", .timeout_ms = 5000};

    memset(w, 0, sizeof(*w));
    w->loop = new_loop();
    assert_true(dns_start(&w->server, w->loop));
    options.servers = w->server.servers;
    options.no_search = true;
    assert_int_equal(hdns_new(w->loop, &options, &w->dns), 0);
    w->options.dns = w->dns;
    w->options.attempt_cb = on_attempt;
    w->options.trying_cb = on_trying;
    bind_both(w);
}

static inline void end(world_t *w)
{
    hdns_free(w->dns);
    hloop_free(&w->loop);
    close(w->v4);
    close(w->v6);
    for (size_t i = 0; i < w->full_count; i++)
        close(w->full[i]);
}

static inline void start(world_t *w, const char *host, result_t *r, hdial_t **dial)
{
    hendpoint_t to;

    memset(r, 0, sizeof(*r));
    assert_int_equal(hendpoint_set(&to, HENDPOINT_TCP, host, w->port), 0);
    assert_int_equal(hdial_start(w->loop, &to, &w->options, on_dial, r, dial), 0);
    assert_int_equal(r->calls, 0);
}

static inline void dial_to(world_t *w, const char *host, result_t *r)
{
    start(w, host, r, NULL);
    RUN_UNTIL(w->loop, r->calls > 0);
    if (r->io)
        hio_close(r->io);
    settle(w->loop);
    assert_int_equal(r->calls, 1);
}

static inline void dial_text(world_t *w, const char *text, result_t *r)
{
    hendpoint_t to;

    memset(r, 0, sizeof(*r));
    assert_int_equal(hendpoint_parse(&to, text, NULL, 0), 0);
    assert_int_equal(hdial_start(w->loop, &to, &w->options, on_dial, r, NULL), 0);
    RUN_UNTIL(w->loop, r->calls > 0);
    if (r->io)
        hio_close(r->io);
    settle(w->loop);
}

static inline const char *with_port(world_t *w, const char *ip)
{
    snprintf(w->text, sizeof(w->text), "%s:%u", ip, (unsigned)w->port);
    return w->text;
}

#endif
