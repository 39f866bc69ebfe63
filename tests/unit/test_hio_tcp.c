/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"

#define BIG (8u << 20)

/* ---- an echo server -------------------------------------------------------------------------- */

static int accepted_n, server_closes, server_error;

static void on_echo(hio_t *io, void *buf, int len)
{
    assert_int_equal(hio_write(io, buf, (size_t)len), len);
}

static void on_server_close(hio_t *io)
{
    server_closes++;
    server_error = hio_error(io);
}

static void on_accept(hio_t *io)
{
    accepted_n++;
    hio_setcb_read(io, on_echo);
    hio_setcb_close(io, on_server_close);
    hio_read(io);
}

static int setup(void **state)
{
    accepted_n = server_closes = 0;
    server_error = 1;
    return loop_test_setup(state);
}

static hio_t *listen_on(hloop_t *loop, struct sockaddr_in *addr)
{
    hio_t *io = haccept(loop, bound_socket(SOCK_STREAM | SOCK_NONBLOCK, addr), on_accept);

    assert_non_null(io);
    return io;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void an_echo_comes_back(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr, *local;
    char *data = new_pattern(BIG);
    seen_t seen;
    hio_t *io;

    (void)state;
    listen_on(loop, &addr);
    io = observed_client(loop, &seen, &addr, sizeof(addr));
    assert_int_equal(hio_connect(io), 0);
    assert_int_equal(hio_read(io), 0);
    assert_int_equal(seen.connects, 0); /* never from inside */
    RUN_UNTIL(loop, seen.connects == 1);
    assert_int_equal(hloop_ntimers(loop), 0);
    assert_int_equal(hio_write(io, data, BIG), BIG);
    RUN_UNTIL(loop, seen.got == BIG);
    assert_false(seen.mangled);
    assert_int_equal(seen.wrote, BIG);
    local = (struct sockaddr_in *)hio_localaddr(io);
    assert_int_equal(local->sin_family, AF_INET);
    assert_int_equal(((struct sockaddr_in *)hio_peeraddr(io))->sin_port, addr.sin_port);
    hio_close(io);
    RUN_UNTIL(loop, server_closes == 1);
    assert_int_equal(server_error, 0);
    assert_int_equal(seen.closes, 1);
    hloop_free(&loop);
    free(data);
}

static void writes_before_the_connect_are_sent_in_order(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    char *data = new_pattern(100000);
    seen_t seen;
    hio_t *io;

    (void)state;
    listen_on(loop, &addr);
    io = observed_client(loop, &seen, &addr, sizeof(addr));
    assert_int_equal(hio_connect(io), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(hio_write(io, data + i * 1000, 1000), 1000);
    assert_int_equal(hio_write_bufsize(io), 100000);
    hio_read(io);
    RUN_UNTIL(loop, seen.got == 100000);
    assert_int_equal(seen.connects, 1);
    assert_false(seen.mangled);
    hloop_free(&loop);
    free(data);
}

static void a_refused_connection_is_refused_not_enotconn(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    seen_t seen;
    hio_t *io;

    (void)state;
    close(bound_socket(SOCK_STREAM, &addr));
    io = observed_client(loop, &seen, &addr, sizeof(addr));
    assert_int_equal(hio_connect(io), 0);
    assert_int_equal(hio_write(io, "hello", 5), 5);
    hio_read(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ECONNREFUSED);
    assert_int_equal(seen.connects + seen.reads + seen.writes, 0);
    hloop_free(&loop);
}

static void a_connect_that_fails_at_once_leaves_the_hio_as_it_was(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    seen_t seen;
    hio_t *io;

    (void)state;
    io = observed_client(loop, &seen, &nowhere, sizeof(nowhere));
    assert_int_equal(hio_connect(io), -ENOENT);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    assert_int_equal(hloop_ntimers(loop), 0);
    assert_true(hio_is_opened(io));
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    hloop_free(&loop);
}

static void connecting_without_an_address_is_refused(void **state)
{
    hloop_t *loop = new_loop();
    hio_t *io = hio_get(loop, socket(AF_INET, SOCK_STREAM, 0));

    (void)state;
    assert_int_equal(hio_connect(io), -EINVAL);
    assert_int_equal(hio_set_peeraddr(io, NULL, 1000), -EINVAL);
    hloop_free(&loop);
}

static void on_connect_timer(htimer_t *timer)
{
    (*(int *)hevent_userdata(timer))++;
}

/* A listener whose backlog is full answers no more. */
static int full_listener(struct sockaddr_in *addr, int *waiting, int n)
{
    int listener = bound_socket(SOCK_STREAM, addr);

    assert_int_equal(listen(listener, 0), 0);
    for (int i = 0; i < n; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(waiting[i], (struct sockaddr *)addr, sizeof(*addr));
    }
    return listener;
}

static void a_connect_that_gets_no_answer_times_out(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    int waiting[3], listener = full_listener(&addr, waiting, 3), ticks = 0;
    uint64_t start = now_ms();
    seen_t seen;
    hio_t *io;

    (void)state;
    io = observed_client(loop, &seen, &addr, sizeof(addr));
    hio_set_connect_timeout(io, 50);
    assert_int_equal(hio_connect(io), 0);
    hevent_set_userdata(htimer_add(loop, on_connect_timer, 5, INFINITE), &ticks);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_true(now_ms() - start >= 49);
    assert_int_equal(seen.error, -ETIMEDOUT);
    assert_int_equal(seen.connects, 0);
    assert_true(ticks > 0); /* the loop was not held up */
    hloop_free(&loop);
    for (int i = 0; i < 3; i++)
        close(waiting[i]);
    close(listener);
}

static void on_timer_abort(htimer_t *timer)
{
    hio_abort(hevent_userdata(timer), 0);
}

/* The kernel gives the number of a socket that was watched to one that connects: what it still says
 * of the old one must not look like an answer. */
static void a_new_socket_hears_nothing_of_the_old_ones_watch(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    int waiting[3], listener = full_listener(&addr, waiting, 3), peer;
    seen_t seen;
    hio_t *io = observed_tcp(loop, &seen, &peer);
    int number = hio_fd(io), fd;

    (void)state;
    hio_read(io);
    settle(loop);
    hevent_set_userdata(htimer_add(loop, on_timer_abort, 0, 1), io);
    RUN_UNTIL(loop, seen.closes == 1);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd != number) {
        assert_int_equal(dup2(fd, number), number);
        close(fd);
    }
    io = observe(hio_get(loop, number), &seen);
    assert_int_equal(hio_set_peeraddr(io, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(hio_connect(io), 0);
    settle(loop);
    assert_int_equal(seen.connects + seen.closes, 0);
    hloop_free(&loop);
    for (int i = 0; i < 3; i++)
        close(waiting[i]);
    close(listener);
    close(peer);
}

static void on_read_close(hio_t *io, void *buf, int len)
{
    seen_on_read(io, buf, len);
    hio_close(io);
}

static void a_blocking_socket_does_not_block_the_loop(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    int listener = bound_socket(SOCK_STREAM, &addr), fd = socket(AF_INET, SOCK_STREAM, 0);
    seen_t seen;
    hio_t *io;

    (void)state;
    assert_non_null(haccept(loop, listener, on_accept));
    io = observe(hio_get(loop, fd), &seen);
    assert_int_equal(hio_set_peeraddr(io, (struct sockaddr *)&addr, sizeof(addr)), 0);
    hio_setcb_read(io, on_read_close);
    assert_int_equal(hio_connect(io), 0);
    hio_read(io);
    assert_int_equal(hio_write(io, "x", 1), 1);
    RUN_UNTIL(loop, seen.closes == 1); /* one accept after the other must not wait for a third */
    RUN_UNTIL(loop, server_closes == 1);
    hloop_free(&loop);
}

static void unix_streams_work_alike(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof(addr);
    char *data = new_pattern(BIG);
    seen_t seen;
    hio_t *io;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(hio_type(haccept(loop, listener, on_accept)), HIO_TYPE_UNIX_STREAM);
    io = observed_client(loop, &seen, &addr, len);
    assert_int_equal(hio_connect(io), 0);
    hio_read(io);
    assert_int_equal(hio_write(io, data, BIG), BIG);
    RUN_UNTIL(loop, seen.got == BIG);
    assert_false(seen.mangled);
    assert_int_equal(seen.connects, 1);
    hio_close(io);
    RUN_UNTIL(loop, server_closes == 1 && seen.closes == 1);
    hloop_free(&loop);
    free(data);
}

/* ---- accepting ------------------------------------------------------------------------------- */

static void a_thousand_connections_come_and_go(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    seen_t seen[50];

    (void)state;
    listen_on(loop, &addr);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++) {
            hio_t *io = observed_client(loop, &seen[i], &addr, sizeof(addr));

            hio_setcb_read(io, on_read_close);
            assert_int_equal(hio_connect(io), 0);
            hio_read(io);
            hio_write(io, &(char){pattern(0)}, 1);
        }
        for (int i = 0; i < 50; i++) {
            RUN_UNTIL(loop, seen[i].closes == 1);
            assert_int_equal(seen[i].error, 0);
            assert_int_equal(seen[i].got, 1);
        }
    }
    RUN_UNTIL(loop, server_closes == 1000);
    assert_int_equal(accepted_n, 1000);
    assert_int_equal(hloop_nios(loop), 1);
    hloop_free(&loop);
}

static struct sockaddr_in seen_peer;

static void on_accept_look(hio_t *io)
{
    accepted_n++;
    memcpy(&seen_peer, hio_peeraddr(io), sizeof(seen_peer));
    hio_close(io);
}

/* An access line must name who it was, also if nothing but the accept tells. */
static void a_peer_that_is_gone_already_still_has_its_address(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr, own;
    socklen_t len = sizeof(own);
    int fd;

    (void)state;
    hio_setcb_accept(listen_on(loop, &addr), on_accept_look);
    fd = plain_connect(&addr);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    plain_reset(fd);
    RUN_UNTIL(loop, accepted_n == 1);
    assert_int_equal(seen_peer.sin_family, AF_INET);
    assert_int_equal(seen_peer.sin_port, own.sin_port);
    hloop_free(&loop);
}

static void libhvs_shorthands_work(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    hio_t *io = hio_get(loop, fd);
    seen_t seen;

    (void)state;
    listen_on(loop, &addr);
    observe(io, &seen);
    assert_ptr_equal(hio_get(loop, fd), io);
    hio_set_peeraddr(io, (struct sockaddr *)&addr, sizeof(addr));
    assert_ptr_equal(hconnect(loop, fd, seen_on_connect), io);
    assert_ptr_equal(hread(loop, fd, NULL, 0, seen_on_read), io);
    assert_ptr_equal(hwrite(loop, fd, "abc", 3, seen_on_write), io);
    RUN_UNTIL(loop, seen.got == 3);
    assert_int_equal(hio_del(io, HV_READ), 0);
    assert_int_equal(hio_add(io, NULL, HV_READ), 0);
    assert_ptr_equal(hclose(loop, fd, seen_on_close), io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_null(hio_get(loop, -1));
    assert_null(hio_get(loop, 999999));
    hloop_free(&loop);
}

static void accessors_tell_what_was_set(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer, context = 0;
    hio_t *io = observed_tcp(loop, &seen, &peer);

    (void)state;
    assert_int_equal(hio_type(io), HIO_TYPE_TCP);
    assert_true(hio_is_opened(io));
    assert_false(hio_is_closed(io));
    assert_false(hio_is_opened(NULL));
    assert_true(hio_is_closed(NULL));
    assert_null(hio_context(io));
    assert_int_equal(hio_set_context(io, &context), 0);
    assert_ptr_equal(hio_context(io), &context);
    assert_int_equal(hio_peeraddr_len(io), sizeof(struct sockaddr_in));
    assert_int_equal(hevent_type(io), HEVENT_TYPE_IO);
    hloop_free(&loop);
    close(peer);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_echo_comes_back),
        TEST(writes_before_the_connect_are_sent_in_order),
        TEST(a_refused_connection_is_refused_not_enotconn),
        TEST(a_connect_that_fails_at_once_leaves_the_hio_as_it_was),
        TEST(connecting_without_an_address_is_refused),
        TEST(a_connect_that_gets_no_answer_times_out),
        TEST(a_new_socket_hears_nothing_of_the_old_ones_watch),
        TEST(a_blocking_socket_does_not_block_the_loop),
        TEST(unix_streams_work_alike),
        TEST(a_thousand_connections_come_and_go),
        TEST(a_peer_that_is_gone_already_still_has_its_address),
        TEST(libhvs_shorthands_work),
        TEST(accessors_tell_what_was_set),
    };

    return run_on_each_poller("hio over TCP", tests, ARRAY_LENGTH(tests));
}
