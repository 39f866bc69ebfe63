/* One thread. */
/* A relay of which one side is TLS: the same bytes and the same ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "htls_fixture.h"
#include "net/hrelay.h"

#define SIZE ((size_t)5 << 20)

/* The plain side of the relay, and its peer. */
static seen_t plain;
static int peer;
static char *received;
static size_t received_n, sent_n;
static bool ended;

static int setup(void **state)
{
    loop_test_setup(state);
    received = malloc(SIZE + 1);
    received_n = sent_n = 0;
    ended = false;
    return 0;
}

static hio_t *plain_side(void)
{
    hio_t *io = observed_tcp(tls.loop, &plain, &peer);

    fcntl(peer, F_SETFL, O_RDWR | O_NONBLOCK);
    return io;
}

/* What is known of the ends when bytes are missing. */
static void fail_of_ends(const char *what)
{
    fail_msg("%s after %zu bytes; errors: plain %d, client %d (%s), server %d (%s)", what,
             received_n, plain.error, tls.client.seen.error, tls.client.error,
             tls.server.seen.error, tls.server.error);
}

/* One iteration, and what the peer sends of the pattern and receives. */
static void go_on(const char *data, size_t size)
{
    ssize_t n = sent_n < size ? send(peer, data + sent_n, size - sent_n, MSG_NOSIGNAL) : 0;

    if (n > 0)
        sent_n += (size_t)n;
    n = ended ? 0 : plain_drain(peer, received + received_n, SIZE + 1 - received_n, &ended);
    if (n < 0)
        fail_of_ends(strerror(errno));
    received_n += (size_t)n;
    hloop_wakeup(tls.loop);
    assert_int_equal(hloop_run(tls.loop), 0);
}

static void assert_received_all(void)
{
    if (received_n != SIZE)
        fail_of_ends("an end");
    for (size_t i = 0; i < SIZE; i++) {
        if (received[i] != pattern(i))
            fail_msg("byte %zu differs", i);
    }
}

static void finish(void)
{
    tls_end();
    close(peer);
    free(received);
}

static void an_upstream_with_tls_answers_after_the_end(void **state)
{
    char *data = new_pattern(SIZE);

    (void)state;
    tls_open(server_ctx("good"), client_ctx()); /* it echoes */
    assert_int_equal(hio_relay(plain_side(), tls_connect()), 0);
    while (sent_n < SIZE)
        go_on(data, SIZE);
    shutdown(peer, SHUT_WR);
    while (!ended)
        go_on(NULL, 0);
    assert_received_all();
    RUN_UNTIL(tls.loop, plain.closes && tls.client.seen.closes && tls.server.seen.closes);
    assert_int_equal(plain.error, 0);
    assert_int_equal(tls.client.seen.error, 0);
    assert_int_equal(tls.server.seen.error, 0);
    assert_int_equal(tls.client.seen.reads, 0); /* none of it came past the relay */
    free(data);
    finish();
}

static hio_t *to_plain;

static void accept_and_relay(hio_t *io)
{
    observe_end(io, &tls.server);
    assert_int_equal(htls_server(io, tls.server_ctx), 0);
    assert_int_equal(hio_relay(io, to_plain), 0);
}

static void a_client_with_tls_gets_the_whole_reply_after_its_end(void **state)
{
    char *data = new_pattern(SIZE);
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    hio_setcb_accept(tls.listener, accept_and_relay);
    to_plain = plain_side();
    io = tls_connect();
    assert_int_equal(hio_setcb_eof(io, seen_on_eof), 0);
    assert_int_equal(hio_write(io, data, SIZE), SIZE);
    assert_int_equal(hio_shutdown(io), 0);
    while (!ended)
        go_on(NULL, 0);
    assert_received_all();
    while (sent_n < SIZE)
        go_on(data, SIZE);
    shutdown(peer, SHUT_WR);
    RUN_UNTIL(tls.loop, tls.client.seen.eofs);
    assert_int_equal(tls.client.seen.got, SIZE);
    assert_false(tls.client.seen.mangled);
    hio_close(io);
    RUN_UNTIL(tls.loop, plain.closes && tls.client.seen.closes && tls.server.seen.closes);
    assert_int_equal(plain.error, 0);
    assert_int_equal(tls.server.seen.error, 0);
    free(data);
    finish();
}

static void a_reset_of_the_tls_side_resets_the_plain_one(void **state)
{
    char byte;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    assert_int_equal(hio_relay(plain_side(), tls_connect()), 0);
    RUN_UNTIL(tls.loop, tls.client.seen.connects && tls.server.seen.connects);
    hio_reset(tls.server.seen.io);
    RUN_UNTIL(tls.loop, plain.closes && tls.client.seen.closes);
    assert_int_equal(tls.client.seen.error, -ECONNRESET);
    assert_int_equal(plain.error, -ECONNRESET);
    assert_int_equal(recv(peer, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, ECONNRESET);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_upstream_with_tls_answers_after_the_end, setup),
        cmocka_unit_test_setup(a_client_with_tls_gets_the_whole_reply_after_its_end, setup),
        cmocka_unit_test_setup(a_reset_of_the_tls_side_resets_the_plain_one, setup),
    };

    return run_with_certificates("hrelay_tls", tests, ARRAY_LENGTH(tests));
}
