/* One thread. */
/* What the loop promises a transport (hio_ops.h), with one that only passes bytes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hio_ops.h"
#include "loop_test.h"

typedef struct middle_s {
    int handshakes;      /* calls */
    int handshakes_left; /* -EAGAIN before it is done */
    int handshake_want;  /* readiness that it asks for; 0: the usual */
    int handshake_error;
    int writes, write_wants; /* calls; the readiness that the next one asks for */
    int reads, read_wants;
    bool truncated; /* an end of data is one of these */
    int freed;
} middle_t;

static int on_handshake(hio_t *io, void *ctx)
{
    middle_t *middle = ctx;

    middle->handshakes++;
    if (middle->handshakes_left-- > 0) {
        if (middle->handshake_want)
            hio_transport_want(io, middle->handshake_want);
        return -EAGAIN;
    }
    return middle->handshake_error;
}

static ssize_t on_read(hio_t *io, void *ctx, void *buf, size_t size)
{
    middle_t *middle = ctx;
    ssize_t n;

    middle->reads++;
    if (middle->read_wants) {
        hio_transport_want(io, middle->read_wants);
        return -EAGAIN;
    }
    n = recv(hio_fd(io), buf, size, MSG_DONTWAIT);
    if (n == 0 && middle->truncated)
        return HERR_TRUNCATED;
    return n < 0 ? -errno : n;
}

static ssize_t on_write(hio_t *io, void *ctx, const struct iovec *iov, int n)
{
    middle_t *middle = ctx;
    ssize_t rc;

    middle->writes++;
    if (middle->write_wants) {
        hio_transport_want(io, middle->write_wants);
        return -EAGAIN;
    }
    rc = writev(hio_fd(io), iov, n);
    return rc < 0 ? -errno : rc;
}

static void on_free(hio_t *io, void *ctx)
{
    assert_true(((seen_t *)hevent_userdata(io))->closes == 1); /* its callback has run */
    ((middle_t *)ctx)->freed++;
}

static const hio_transport_t transport = {.name = "middle",
                                          .handshake = on_handshake,
                                          .read = on_read,
                                          .write = on_write,
                                          .free = on_free};

static hloop_t *loop;
static seen_t seen;
static int peer;

static hio_t *open_with(middle_t *middle)
{
    hio_t *io;

    loop = new_loop();
    io = observed_tcp(loop, &seen, &peer);
    assert_int_equal(hio_set_transport(io, &transport, middle), 0);
    assert_ptr_equal(hio_transport(io), &transport);
    return io;
}

static void end(middle_t *middle)
{
    close(peer);
    hloop_free(&loop);
    assert_int_equal(middle->freed, 1);
}

static void say(const char *text)
{
    assert_int_equal(send(peer, text, strlen(text), 0), strlen(text));
}

static void a_handshake_that_is_done_at_once_loses_nothing(void **state)
{
    middle_t middle = {0};
    hio_t *io = open_with(&middle);

    (void)state;
    say("early");
    assert_int_equal(hio_write(io, "mine", 4), 4);
    assert_int_equal(middle.handshakes + middle.writes, 0); /* not from inside */
    RUN_UNTIL(loop, seen.connects == 1);
    assert_int_equal(seen.reads, 0);
    hio_read(io);
    RUN_UNTIL(loop, seen.got == 5 && seen.wrote == 4);
    assert_int_equal(middle.handshakes, 1);
    assert_int_equal(seen.connects, 1);
    end(&middle);
}

/* What a handshake waits for is not what the program wants. The first call is for readiness that
 * was waited for before, the second, which ends it, is the loop's own. */
static void data_behind_a_handshake_waits_for_the_connect_callback(void **state)
{
    (void)state;
    for (int reading = 0; reading < 2; reading++) {
        middle_t middle = {.handshakes_left = 1};
        hio_t *io;

        loop = new_loop();
        io = observed_tcp(loop, &seen, &peer);
        hio_read(io);
        settle(loop);
        if (!reading)
            hio_read_stop(io); /* the poller hears of it at the end of an iteration */
        assert_int_equal(hio_set_transport(io, &transport, &middle), 0);
        say("early");
        RUN_UNTIL(loop, middle.handshakes == 2);
        RUN_UNTIL(loop, seen.connects == 1 || middle.reads > 0);
        assert_int_equal(middle.reads, 0);
        hio_read(io);
        RUN_UNTIL(loop, seen.got == 5);
        end(&middle);
    }
}

static void a_handshake_is_called_for_the_readiness_that_it_wants(void **state)
{
    middle_t middle = {.handshakes_left = 1};
    hio_t *io = open_with(&middle);

    (void)state;
    hio_read(io);
    settle(loop);
    assert_int_equal(middle.handshakes, 1); /* it waits for input */
    say("x");
    RUN_UNTIL(loop, seen.got == 1);
    assert_int_equal(middle.handshakes, 2);
    end(&middle);
    middle = (middle_t){.handshakes_left = 3, .handshake_want = HV_WRITE};
    open_with(&middle);
    RUN_UNTIL(loop, seen.connects == 1);
    assert_int_equal(middle.handshakes, 4);
    end(&middle);
}

static void a_handshake_has_the_connect_timeout(void **state)
{
    middle_t middle = {.handshakes_left = 1};
    hio_t *io;

    (void)state;
    loop = new_loop();
    io = observed_tcp(loop, &seen, &peer);
    hio_set_connect_timeout(io, 10);
    assert_int_equal(hio_set_transport(io, &transport, &middle), 0);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ETIMEDOUT);
    assert_int_equal(seen.connects, 0);
    end(&middle);
}

static void a_handshake_that_fails_is_the_cause_of_the_close(void **state)
{
    middle_t middle = {.handshake_error = HERR_CERTIFICATE};
    hio_t *io = open_with(&middle);

    (void)state;
    hio_write(io, "never", 5);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, HERR_CERTIFICATE);
    assert_int_equal(middle.writes + seen.connects, 0);
    end(&middle);
}

/* A write that waits for input does not read for a program that has stopped reading. */
static void a_write_may_wait_for_input(void **state)
{
    middle_t middle = {.write_wants = HV_READ};
    hio_t *io = open_with(&middle);
    char got[8];

    (void)state;
    RUN_UNTIL(loop, seen.connects == 1);
    assert_int_equal(hio_write(io, "mine", 4), 4);
    hio_read_stop(io);
    settle(loop);
    assert_int_equal(middle.writes, 1); /* that it is writable is no reason to try */
    middle.write_wants = 0;
    say("x");
    RUN_UNTIL(loop, seen.wrote == 4);
    assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), 4);
    settle(loop);
    assert_int_equal(middle.reads, 0);
    hio_read(io);
    RUN_UNTIL(loop, seen.got == 1);
    end(&middle);
}

/* Until the peer's kernel takes no more either. */
static void fill_up(int fd)
{
    static const char zeros[65536];
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    while (poll(&room, 1, 50) > 0) {
        while (send(fd, zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
            continue;
    }
}

static void a_read_may_wait_for_room(void **state)
{
    middle_t middle = {0};
    hio_t *io = open_with(&middle);
    static char rest[1 << 20];

    (void)state;
    small_buffers(hio_fd(io));
    hio_read(io);
    RUN_UNTIL(loop, seen.connects == 1);
    fill_up(hio_fd(io));
    middle.read_wants = HV_WRITE;
    say("x");
    RUN_UNTIL(loop, middle.reads == 1);
    settle(loop);
    assert_int_equal(middle.reads, 1); /* that there is input is no reason to try */
    middle.read_wants = 0;
    while (seen.got == 0) {
        bool eof;

        plain_drain(peer, rest, sizeof(rest), &eof);
        hloop_wakeup(loop);
        assert_int_equal(hloop_run(loop), 0);
    }
    end(&middle);
}

static int eof_error;

static void keep_error(hio_t *io)
{
    seen_on_eof(io);
    eof_error = hio_error(io);
}

static void an_end_that_is_none_leaves_the_sending_side(void **state)
{
    middle_t middle = {.truncated = true};
    hio_t *io = open_with(&middle);
    char got[8];

    (void)state;
    hio_setcb_eof(io, keep_error);
    hio_read(io);
    shutdown(peer, SHUT_WR);
    RUN_UNTIL(loop, seen.eofs == 1);
    assert_int_equal(eof_error, HERR_TRUNCATED);
    assert_int_equal(hio_write(io, "reply", 5), 5);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, HERR_TRUNCATED);
    assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), 5);
    end(&middle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_that_is_done_at_once_loses_nothing),
        cmocka_unit_test(data_behind_a_handshake_waits_for_the_connect_callback),
        cmocka_unit_test(a_handshake_is_called_for_the_readiness_that_it_wants),
        cmocka_unit_test(a_handshake_has_the_connect_timeout),
        cmocka_unit_test(a_handshake_that_fails_is_the_cause_of_the_close),
        cmocka_unit_test(a_write_may_wait_for_input),
        cmocka_unit_test(a_read_may_wait_for_room),
        cmocka_unit_test(an_end_that_is_none_leaves_the_sending_side),
    };

    return run_on_each_poller("hio transport", tests, ARRAY_LENGTH(tests));
}
