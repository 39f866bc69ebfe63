/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "loop_test.h"

#include "net/haddr.h"
#include "net/hproxy_header.h"

#define HEADER "PROXY TCP4 192.0.2.7 192.0.2.1 4567 80\r\n"

typedef struct told_s {
    int calls;
    int err;
    bool whole;
    char why[128];
    char source[HADDR_FORMAT_SIZE];
} told_t;

static void on_header(hio_t *io, const proxy_header_t *header, const char *why, void *arg)
{
    told_t *told = arg;

    told->calls++;
    told->err = hio_error(io);
    told->whole = header != NULL;
    if (header)
        haddr_format((const struct sockaddr *)&header->source, 0, told->source,
                     sizeof(told->source));
    else
        snprintf(told->why, sizeof(told->why), "%s", why);
}

/* The end that reads the header; *peer is the plain other one. */
static hio_t *open_pair_for(hloop_t *loop, int *peer, told_t *told, uint32_t timeout_ms)
{
    int fds[2];
    hio_t *io;

    memset(told, 0, sizeof(*told));
    tcp_pair(fds);
    *peer = fds[1];
    io = hio_get(loop, fds[0]);
    assert_non_null(io);
    assert_int_equal(hproxy_header_read(io, timeout_ms, on_header, told), 0);
    return io;
}

static hio_t *open_pair(hloop_t *loop, int *peer, told_t *told)
{
    return open_pair_for(loop, peer, told, 0);
}

static void what_follows_is_left_for_others(void **state)
{
    static const char text[] = HEADER "next";
    hloop_t *loop = new_loop();
    char rest[16];
    told_t told;
    hio_t *io;
    int peer;

    (void)state;
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        io = open_pair(loop, &peer, &told);
        assert_int_equal(send(peer, text, cut, 0), (ssize_t)cut);
        settle(loop);
        assert_int_equal(send(peer, text + cut, sizeof(text) - 1 - cut, 0),
                         (ssize_t)(sizeof(text) - 1 - cut));
        RUN_UNTIL(loop, told.calls > 0);
        assert_true(told.whole);
        assert_string_equal(told.source, "192.0.2.7:4567");
        assert_int_equal(recv(hio_fd(io), rest, 4, MSG_WAITALL), 4);
        assert_memory_equal(rest, "next", 4);
        hio_abort(io, 0);
        close(peer);
    }
    hloop_free(&loop);
}

static void what_is_none_is_refused_with_the_reason(void **state)
{
    hloop_t *loop = new_loop();
    told_t told;
    int peer;

    (void)state;
    open_pair(loop, &peer, &told);
    assert_int_equal(send(peer, "GET / HTTP/1.1\r\n", 16, 0), 16);
    RUN_UNTIL(loop, told.calls > 0);
    assert_false(told.whole);
    assert_true(told.why[0] != '\0');
    close(peer);

    open_pair(loop, &peer, &told);
    assert_int_equal(send(peer, HEADER, 10, 0), 10);
    shutdown(peer, SHUT_WR);
    RUN_UNTIL(loop, told.calls > 0);
    assert_string_equal(told.why, "the connection ended before it was whole");
    close(peer);

    open_pair(loop, &peer, &told);
    plain_reset(peer);
    RUN_UNTIL(loop, told.calls > 0);
    assert_string_equal(told.why, "Connection reset by peer");
    hloop_free(&loop);
}

static void one_that_says_nothing_is_given_up(void **state)
{
    hloop_t *loop = new_loop();
    told_t told;
    int peer;

    (void)state;
    open_pair_for(loop, &peer, &told, 20);
    assert_int_equal(send(peer, HEADER, 10, 0), 10);
    RUN_UNTIL(loop, told.calls > 0);
    assert_false(told.whole);
    assert_int_equal(told.err, -ETIMEDOUT);
    assert_string_equal(told.why, "it did not come in time");
    close(peer);
    hloop_free(&loop);
}

static void giving_up_does_not_call_back(void **state)
{
    hloop_t *loop = new_loop();
    char byte;
    told_t told;
    hio_t *io;
    int peer;

    (void)state;
    io = open_pair(loop, &peer, &told);
    hproxy_header_cancel(io);
    settle(loop);
    assert_int_equal(told.calls, 0);
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
    close(peer);
    open_pair(loop, &peer, &told);
    hloop_free(&loop); /* in the middle of it */
    assert_int_equal(told.calls, 1);
    assert_false(told.whole);
    close(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_is_left_for_others),
        cmocka_unit_test(what_is_none_is_refused_with_the_reason),
        cmocka_unit_test(one_that_says_nothing_is_given_up),
        cmocka_unit_test(giving_up_does_not_call_back),
    };

    return run_on_each_poller("hproxy_header", tests, ARRAY_LENGTH(tests));
}
