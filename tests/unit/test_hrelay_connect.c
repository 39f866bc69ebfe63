/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hrelay_fixture.h"
#include "oom.h"

/* ---- connecting ------------------------------------------------------------------------------ */

static bool has_upstream_peer(void *arg)
{
    int *listener_and_peer = arg;

    listener_and_peer[1] = accept4(listener_and_peer[0], NULL, NULL, SOCK_NONBLOCK);
    return listener_and_peer[1] >= 0;
}

static void begin_client(world_t *w)
{
    int fds[2];

    begin_loop(w);
    fixture_tcp_pair(fds);
    take(w, 0, hio_get(w->loop, fds[0]));
    w->peer[0] = fds[1];
}

static void a_tcp_upstream_is_connected_and_relayed(void **state)
{
    pump_t none = {.fd = -1}, in = {.size = 1, .at_once = 10};
    struct sockaddr_in addr;
    int accepted[2];
    world_t w;

    (void)state;
    begin_client(&w);
    accepted[0] = fixture_listen(&addr);
    fcntl(accepted[0], F_SETFL, O_NONBLOCK);
    take(&w, 1, hio_setup_tcp_upstream(w.io[0], "127.0.0.1", ntohs(addr.sin_port), 0));
    fixture_send(w.peer[0], "\0", 1); /* before it is connected: byte_at(0) */
    fixture_run(w.loop, has_upstream_peer, accepted);
    w.peer[1] = accepted[1];
    close(accepted[0]);
    assert_int_equal(recv(w.peer[0], accepted, 1, MSG_DONTWAIT), -1);
    in.fd = w.peer[1];
    run_pumps(&w, &none, &in);
    assert_int_equal(in.done, 1);
    send_through(&w, 1, 3000000, true);
    shutdown(w.peer[0], SHUT_WR);
    fixture_run(w.loop, both_closed, &w);
    assert_int_equal(w.error[0], 0);
    assert_int_equal(w.error[1], 0);
    end(&w);
}

static void a_refused_upstream_aborts_the_client(void **state)
{
    struct sockaddr_in addr;
    world_t w;

    (void)state;
    begin_client(&w);
    close(fixture_listen(&addr));
    take(&w, 1, hio_setup_tcp_upstream(w.io[0], "127.0.0.1", ntohs(addr.sin_port), 0));
    fixture_run(w.loop, both_closed, &w);
    assert_int_equal(w.error[1], -ECONNREFUSED);
    assert_int_equal(w.error[0], -ECONNREFUSED);
    assert_true(is_reset(w.peer[0]));
    end(&w);
}

static void an_upstream_that_cannot_be_gives_null_and_leaves_the_client(void **state)
{
    world_t w;

    (void)state;
    begin_client(&w);
    assert_null(hio_setup_tcp_upstream(w.io[0], "127.0.0.1", 1, 1));
    assert_int_equal(errno, ENOTSUP);
    assert_null(hio_setup_tcp_upstream(w.io[0], "127.0.0.1", 70000, 0));
    assert_null(hio_get_upstream(w.io[0]));
    fixture_settle(w.loop);
    assert_int_equal(w.closes[0], 0);
    hio_setcb_close(w.io[0], NULL);
    w.io[0] = NULL;
    end(&w);
}

/* ---- out of memory --------------------------------------------------------------------------- */

typedef struct oom_world_s {
    int error;
    unsigned closes;
} oom_world_t;

static void oom_on_close(hio_t *io)
{
    oom_world_t *o = hevent_userdata(io);

    o->closes++;
    if (o->error == 0)
        o->error = hio_error(io);
}

static int oom_drive(hloop_t *loop, hio_t *io, int client, int listener, oom_world_t *o)
{
    static const char data[300000];
    struct sockaddr_in addr;
    socklen_t len = sizeof(addr);
    hio_t *upstream;
    char buf[4096];
    int server, err = 0;

    getsockname(listener, (struct sockaddr *)&addr, &len);
    upstream = hio_setup_tcp_upstream(io, "127.0.0.1", ntohs(addr.sin_port), 0);
    if (!upstream)
        return errno ? -errno : -EPROTO;
    hevent_set_userdata(upstream, o);
    hio_setcb_close(upstream, oom_on_close);
    send(client, data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(client, SHUT_WR);
    for (int i = 0; i < 20 && err == 0 && o->closes < 2; i++)
        err = hloop_run(loop);
    server = accept(listener, NULL, NULL);
    if (server >= 0) {
        shutdown(server, SHUT_WR);
        for (int i = 0; i < 300 && err == 0 && o->closes < 2; i++) {
            while (recv(server, buf, sizeof(buf), MSG_DONTWAIT) > 0)
                continue;
            err = hloop_run(loop);
        }
        close(server);
    }
    if (o->error == -ECANCELED || (err == 0 && o->closes < 2))
        return -ENOMEM; /* a loop without memory for what is ready does not get on */
    return o->error ? o->error : err;
}

static int oom_scenario(void *arg)
{
    hloop_t *loop = fixture_loop();
    struct sockaddr_in addr;
    oom_world_t o = {0};
    int fds[2], listener, err = -ENOMEM;
    hio_t *io;

    (void)arg;
    if (!loop)
        return -ENOMEM;
    fixture_tcp_pair(fds);
    listener = fixture_listen(&addr);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    io = hio_get(loop, fds[0]);
    if (io) {
        hevent_set_userdata(io, &o);
        hio_setcb_close(io, oom_on_close);
        err = oom_drive(loop, io, fds[1], listener, &o);
    } else {
        close(fds[0]);
    }
    hloop_free(&loop);
    close(fds[1]);
    close(listener);
    return err;
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    oom_run(oom_scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tcp_upstream_is_connected_and_relayed),
        cmocka_unit_test(a_refused_upstream_aborts_the_client),
        cmocka_unit_test(an_upstream_that_cannot_be_gives_null_and_leaves_the_client),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests_name("hrelay_connect", tests, NULL, NULL);
}
