/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"
#include "oom.h"

#define WAITING_MAX 16

/* A UNIX listener whose backlog is full. */
static struct sockaddr_un addr;
static socklen_t addr_len;
static int listener;
static int waiting[WAITING_MAX];
static int waiting_n;

static hloop_t *loop;
static seen_t seen;
static hio_t *io;

static void fill_backlog(void)
{
    int rc;

    waiting_n = 0;
    do {
        assert_true(waiting_n < WAITING_MAX);
        waiting[waiting_n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(waiting[waiting_n] >= 0);
        rc = connect(waiting[waiting_n++], (struct sockaddr *)&addr, addr_len);
    } while (rc == 0);
    assert_int_equal(errno, EAGAIN);
}

static void listen_full(void)
{
    addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    addr_len = sizeof(addr);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &addr_len), 0);
    fill_backlog();
}

static void close_all(void)
{
    for (int i = 0; i < waiting_n; i++)
        close(waiting[i]);
    if (listener >= 0)
        close(listener);
}

static int setup(void **state)
{
    loop_test_setup(state);
    listen_full();
    loop = new_loop();
    io = observed_client(loop, &seen, &addr, addr_len);
    return 0;
}

static void finish(void)
{
    hloop_free(&loop);
    close_all();
}

static void a_full_backlog_is_waited_for(void **state)
{
    int fd, accepted;
    char buf[8];

    (void)state;
    assert_int_equal(hio_connect(io), 0);
    assert_int_equal(hio_write(io, "hello", 5), 5);
    hio_read(io);
    for (int i = 0; i < 5; i++)
        assert_int_equal(hloop_run(loop), 0); /* each waits for the next attempt */
    assert_int_equal(seen.connects + seen.closes, 0);
    while (seen.connects == 0) {
        accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (accepted >= 0)
            close(accepted);
        assert_int_equal(hloop_run(loop), 0);
    }
    RUN_UNTIL(loop, hio_write_is_complete(io));
    for (int i = 1; i < waiting_n; i++)
        close(waiting[i]);
    waiting_n = 1;
    do {
        fd = accept(listener, NULL, NULL);
        assert_true(fd >= 0);
        accepted = (int)recv(fd, buf, sizeof(buf), 0);
        close(fd);
    } while (accepted <= 0);
    assert_int_equal(accepted, 5);
    assert_memory_equal(buf, "hello", 5);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(hloop_ntimers(loop), 0);
    finish();
}

static void a_backlog_that_stays_full_is_a_timeout(void **state)
{
    uint64_t start = now_ms();

    (void)state;
    hio_set_connect_timeout(io, 40);
    assert_int_equal(hio_connect(io), 0);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ETIMEDOUT);
    assert_true(now_ms() - start >= 39);
    assert_int_equal(seen.connects, 0);
    assert_int_equal(hloop_ntimers(loop), 0);
    finish();
}

static void a_listener_that_goes_meanwhile_refuses(void **state)
{
    (void)state;
    assert_int_equal(hio_connect(io), 0);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    close(listener);
    listener = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ECONNREFUSED);
    finish();
}

static void closing_ends_the_attempts(void **state)
{
    (void)state;
    assert_int_equal(hio_connect(io), 0);
    settle(loop);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    assert_int_equal(hloop_ntimers(loop), 0);
    finish();
}

static void the_waiting_costs_next_to_nothing(void **state)
{
    uint64_t start = now_ms();
    int n = 0;

    (void)state;
    assert_int_equal(hio_connect(io), 0);
    while (now_ms() - start < 200) {
        assert_int_equal(hloop_run(loop), 0);
        n++;
    }
    assert_true(n < 30);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    finish();
}

static int connect_to_the_full(void *arg)
{
    hloop_options_t options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hloop_t *own = hloop_new_with(&options);
    hio_t *own_io = NULL;
    seen_t own_seen;
    int fd, rc = -ENOMEM;

    (void)arg;
    if (!own)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    own_io = hio_get(own, fd);
    if (own_io) {
        observe(own_io, &own_seen);
        rc = hio_set_peeraddr(own_io, (struct sockaddr *)&addr, (int)addr_len);
    } else {
        close(fd);
    }
    if (rc == 0)
        rc = hio_connect(own_io);
    for (int i = 0; rc == 0 && i < 3; i++) {
        rc = hloop_run(own);
        if (rc == 0 && own_seen.closes)
            rc = own_seen.error;
    }
    hloop_free(&own);
    return rc;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run(connect_to_the_full, NULL);
    finish();
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_backlog_is_waited_for),           TEST(a_backlog_that_stays_full_is_a_timeout),
        TEST(a_listener_that_goes_meanwhile_refuses), TEST(closing_ends_the_attempts),
        TEST(the_waiting_costs_next_to_nothing),      TEST(out_of_memory_is_an_error),
    };

    return run_on_each_poller("hio connecting", tests, ARRAY_LENGTH(tests));
}
