/* proxy_fixture: a proxy that follows a script, and what came of a dial through it. Include it
 * after cmocka.h. */
#ifndef HNET_TESTS_PROXY_FIXTURE_H
#define HNET_TESTS_PROXY_FIXTURE_H

#include "dns_fixture.h"
#include "loop_test.h"
#include "net/hdial.h"

#include <stdio.h>
#include <string.h>

#define STEPS_MAX 6
#define REQUEST_MAX 4096

/* What the proxy waits for (text in what has come, or a number of bytes), and what it says then. */
typedef struct step_s {
    const char *until;
    size_t bytes;
    const void *reply;
    size_t reply_len;
    bool close;
    bool tls; /* from here on the target speaks, and it speaks TLS */
} step_t;

/* Text behind which the target's first bytes come at once. */
#define SAY(text) .reply = (text), .reply_len = sizeof(text) - 1

typedef struct world_s {
    hloop_t *loop;
    hio_t *listener;
    htls_ctx_t *server_tls, *client_tls;
    uint16_t port;
    hproxy_t proxies[3];
    hdial_options_t options;
    dns_server_t server;
    hdns_t *dns;
    const step_t *steps;
    size_t step, step_count;
    char got[REQUEST_MAX];
    size_t len;
    char all[4 * REQUEST_MAX]; /* every request, one after another */
    size_t all_len;
    int connections;
} world_t;

typedef struct result_s {
    int calls, err;
    hdial_step_e step;
    hio_t *io;
    char error[HDIAL_ERROR_SIZE];
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
    hdial_times(dial, &r->times);
    assert_true((err == 0) == (io != NULL));
}

/* ---- the proxy ------------------------------------------------------------------------------- */

static inline void proxy_on_read(hio_t *io, void *buf, int len)
{
    world_t *w = hevent_userdata(io);

    assert_true(w->len + (size_t)len < sizeof(w->got));
    memcpy(w->got + w->len, buf, (size_t)len);
    w->len += (size_t)len;
    w->got[w->len] = '\0';
    while (w->step < w->step_count) {
        const step_t *step = &w->steps[w->step];

        if (step->until ? !strstr(w->got, step->until) : w->len < step->bytes)
            return;
        memcpy(w->all + w->all_len, w->got, w->len);
        w->all_len += w->len;
        w->len = 0;
        w->got[0] = '\0';
        w->step++;
        hio_write(io, step->reply, step->reply_len);
        if (step->tls)
            assert_int_equal(htls_server(io, w->server_tls), 0);
        if (step->close)
            hio_close(io);
        if (step->close)
            return;
    }
}

static inline void proxy_on_accept(hio_t *io)
{
    world_t *w = hevent_userdata(io);

    w->connections++;
    w->len = 0;
    if (w->server_tls)
        htls_server(io, w->server_tls);
    hio_setcb_read(io, proxy_on_read);
    hio_read(io);
}

static inline void begin(world_t *w, const char *proxy)
{
    hdns_options_t options = {.hosts_file = "", .no_search = true};
    struct sockaddr_in addr;
    char text[300];

    memset(w, 0, sizeof(*w));
    w->loop = new_loop();
    assert_true(dns_start(&w->server, w->loop));
    options.servers = w->server.servers;
    assert_int_equal(hdns_new(w->loop, &options, &w->dns), 0);
    w->listener = hio_get(w->loop, bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr));
    w->port = ntohs(addr.sin_port);
    hevent_set_userdata(w->listener, w);
    hio_setcb_accept(w->listener, proxy_on_accept);
    assert_int_equal(hio_accept(w->listener), 0);
    snprintf(text, sizeof(text), "%s127.0.0.1:%u", proxy, w->port);
    assert_int_equal(hproxy_parse(&w->proxies[0], text, HPROXY_HTTP, NULL, 0), 0);
    w->options.dns = w->dns;
    w->options.proxies = w->proxies;
    w->options.proxy_count = 1;
}

static inline void end(world_t *w)
{
    hdns_free(w->dns);
    hloop_free(&w->loop);
    htls_ctx_free(w->server_tls);
    htls_ctx_free(w->client_tls);
}

static inline void dial_to(world_t *w, const char *host, const step_t *steps, size_t count,
                           result_t *r)
{
    hendpoint_t to;

    memset(r, 0, sizeof(*r));
    w->steps = steps;
    w->step_count = count;
    w->step = 0;
    w->all_len = 0;
    w->connections = 0;
    memset(w->all, 0, sizeof(w->all));
    assert_int_equal(hendpoint_set(&to, HENDPOINT_TCP, host, 25), 0);
    assert_int_equal(hdial_start(w->loop, &to, &w->options, on_dial, r, NULL), 0);
    RUN_UNTIL(w->loop, r->calls > 0);
}

/* The dial must succeed, and "hello" is what the target said first. */
static inline void expect_hello(world_t *w, result_t *r)
{
    seen_t seen;

    if (r->err)
        fail_msg("%s", r->error);
    assert_int_equal(r->step, HDIAL_STEP_DONE);
    assert_true(r->times.proxied_us > 0);
    observe(r->io, &seen);
    settle(w->loop); /* nothing is read before it is asked for */
    assert_int_equal(seen.got, 0);
    hio_read(r->io);
    RUN_UNTIL(w->loop, seen.got >= 5);
    assert_string_equal(seen.first, "hello");
    hio_close(r->io);
    RUN_UNTIL(w->loop, seen.closes == 1);
}

static inline void expect_failure(world_t *w, result_t *r, int err, const char *words)
{
    char line[600];

    snprintf(line, sizeof(line), "proxy 127.0.0.1:%u: %s", w->port, words);
    assert_string_equal(r->error, line);
    assert_int_equal(r->err, err);
    assert_int_equal(r->step, HDIAL_STEP_PROXY);
    settle(w->loop);
    assert_int_equal(r->calls, 1);
}

#endif
