/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "event/hio_ops.h"
#include "htls_fixture.h"

/* ---- data ------------------------------------------------------------------------------------ */

static void echo_of_every_size_is_whole(void **state)
{
    static const size_t sizes[] = {0,     1,     2,     100,   16383,  16384,
                                   16385, 32768, 65535, 65536, 200000, 1 << 20};
    char *data = new_pattern(1 << 20);

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        hio_t *io = tls_connect();

        TLS_UNTIL(tls.client.seen.connects == 1);
        assert_int_equal(hio_write(io, data, sizes[i]), sizes[i]);
        assert_int_equal(hio_shutdown(io), 0);
        TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
        assert_int_equal(tls.client.seen.got, sizes[i]);
        assert_int_equal(tls.client.seen.wrote, sizes[i]);
        assert_false(tls.client.seen.mangled);
        assert_int_equal(tls.client.seen.error, 0);
        assert_int_equal(tls.server.seen.error, 0);
        assert_string_equal(tls.client.error, "");
    }
    tls_end();
    free(data);
}

static void what_was_agreed_on_is_told(void **state)
{
    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    tls_connect();
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    assert_true(tls.client.secure && tls.server.secure);
    assert_string_equal(tls.client.version, "TLSv1.3");
    assert_true(tls.client.info.verified);
    assert_false(tls.client.info.resumed);
    assert_false(tls.server.info.verified);
    assert_string_equal(tls.server.server_name, "a.test");
    assert_string_equal(tls.client.alpn, "");
    assert_string_not_equal(tls.client.group, "");
    tls_end();
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* The server keeps what it reads, and answers once the client has ended. */
static char *reply;
static size_t reply_len;

static void answer_at_the_end(hio_t *io)
{
    seen_on_eof(io);
    assert_int_equal(hio_write(io, reply, reply_len), reply_len);
    hio_close(io);
}

static void accept_and_answer(hio_t *io)
{
    tls_on_accept(io);
    hio_setcb_eof(io, answer_at_the_end);
}

static void the_reply_comes_whole_after_the_client_has_ended(void **state)
{
    char *data = new_pattern(1 << 20);
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    tls.server.echo = false;
    reply = data;
    reply_len = 1 << 20;
    hio_setcb_accept(tls.listener, accept_and_answer);
    io = tls_connect();
    assert_int_equal(hio_setcb_eof(io, seen_on_eof), 0);
    assert_int_equal(hio_write(io, data, 100000), 100000); /* goes after the handshake */
    assert_int_equal(hio_shutdown(io), 0);
    TLS_UNTIL(tls.client.seen.eofs && tls.server.seen.closes);
    assert_int_equal(tls.server.seen.got, 100000);
    assert_int_equal(tls.server.seen.eofs, 1);
    assert_int_equal(tls.client.seen.got, reply_len);
    assert_false(tls.client.seen.mangled || tls.server.seen.mangled);
    assert_int_equal(tls.client.seen.closes, 0);
    hio_close(io);
    TLS_UNTIL(tls.client.seen.closes);
    assert_int_equal(tls.client.seen.error, 0);
    tls_end();
    free(data);
}

static void say_and_end(hio_t *io)
{
    end_on_connect(io);
    assert_int_equal(hio_write(io, reply, reply_len), reply_len);
    assert_int_equal(hio_shutdown(io), 0);
}

static void accept_and_say(hio_t *io)
{
    tls_on_accept(io);
    hio_setcb_connect(io, say_and_end);
}

static void the_client_goes_on_after_the_server_has_ended(void **state)
{
    char *data = new_pattern(1 << 20);
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    tls.server.echo = false;
    reply = data;
    reply_len = 5;
    hio_setcb_accept(tls.listener, accept_and_say);
    io = tls_connect();
    assert_int_equal(hio_setcb_eof(io, seen_on_eof), 0);
    TLS_UNTIL(tls.client.seen.eofs);
    assert_int_equal(tls.client.seen.got, 5);
    assert_int_equal(hio_write(io, data, 1 << 20), 1 << 20);
    hio_close(io);
    TLS_UNTIL(tls.server.seen.closes && tls.client.seen.closes);
    assert_int_equal(tls.server.seen.got, 1 << 20);
    assert_false(tls.server.seen.mangled);
    assert_int_equal(tls.server.seen.error, 0);
    assert_int_equal(tls.client.seen.error, 0);
    tls_end();
    free(data);
}

/* Whoever closes, and whatever is still to be sent: the peer can tell the end from a cut. */
static void every_close_sends_close_notify(void **state)
{
    enum { CLOSE, CLOSE_BEHIND_DATA, SHUTDOWN, WAYS };
    char *data = new_pattern(1 << 20);

    (void)state;
    for (int i = 0; i < 2 * WAYS; i++) {
        tls_end_t *closer = i < WAYS ? &tls.client : &tls.server;
        tls_end_t *other = i < WAYS ? &tls.server : &tls.client;
        hio_t *io;

        tls_open(server_ctx("good"), client_ctx());
        tls.server.echo = false;
        tls_connect();
        TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
        io = closer->seen.io;
        if (i % WAYS == CLOSE_BEHIND_DATA)
            assert_int_equal(hio_write(io, data, 1 << 20), 1 << 20);
        if (i % WAYS == SHUTDOWN)
            assert_int_equal(hio_shutdown(io), 0);
        else
            hio_close(io);
        TLS_UNTIL(other->seen.closes);
        assert_int_equal(other->seen.error, 0);
        assert_int_equal(other->seen.got, i % WAYS == CLOSE_BEHIND_DATA ? 1 << 20 : 0);
        tls_end();
    }
    free(data);
}

/* The socket ends without TLS's own end: somebody may have cut it off. */
static void an_end_without_close_notify_is_a_truncation(void **state)
{
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    io = tls_connect();
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    assert_int_equal(hio_write(io, "hello", 5), 5);
    TLS_UNTIL(tls.client.seen.got == 5);
    shutdown(hio_fd(io), SHUT_WR);
    TLS_UNTIL(tls.server.seen.closes);
    assert_int_equal(tls.server.seen.error, HERR_TRUNCATED);
    assert_non_null(strstr(tls.server.error, "without the end of TLS"));
    assert_int_equal(tls.client.seen.error, 0);
    tls_end();
}

/* As ncat does it: the reply is wanted all the same. */
static void a_truncated_peer_still_gets_its_reply(void **state)
{
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    tls.server.echo = false;
    reply = new_pattern(1 << 20);
    reply_len = 1 << 20;
    hio_setcb_accept(tls.listener, accept_and_answer);
    io = tls_connect();
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    shutdown(hio_fd(io), SHUT_WR);
    TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
    assert_int_equal(tls.client.seen.got, 1 << 20);
    assert_int_equal(tls.client.seen.error, 0);
    assert_int_equal(tls.server.seen.error, HERR_TRUNCATED);
    tls_end();
    free(reply);
}

static void a_reset_is_told_as_one(void **state)
{
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    io = tls_connect();
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    hio_reset(io);
    TLS_UNTIL(tls.server.seen.closes);
    assert_int_equal(tls.server.seen.error, -ECONNRESET);
    tls_end();
}

/* Neither a write nor the close_notify after the peer has gone may kill the program. */
static void a_broken_connection_raises_no_signal(void **state)
{
    char *data = new_pattern(200000);
    hio_t *io;

    (void)state;
    signal(SIGPIPE, SIG_DFL);
    tls_open(server_ctx("good"), client_ctx());
    io = tls_connect();
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    assert_int_equal(hio_read_stop(io), 0);
    shutdown(hio_fd(tls.server.seen.io), SHUT_RDWR);
    hio_reset(tls.server.seen.io);
    TLS_UNTIL(tls.server.seen.closes);
    for (int i = 0; i < 3 && !hio_is_closed(io); i++)
        hio_write(io, data, 200000);
    hio_close(io);
    TLS_UNTIL(tls.client.seen.closes);
    tls_end();
    signal(SIGPIPE, SIG_IGN);
    free(data);
}

/* ---- the way of the bytes -------------------------------------------------------------------- */

static void writes_that_the_socket_splits_arrive_in_order(void **state)
{
    enum { TOTAL = 1 << 20 };
    char *data = new_pattern(TOTAL);
    size_t sent = 0;
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    io = tls_connect();
    small_buffers(hio_fd(io));
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    hio_read_stop(tls.server.seen.io);
    for (size_t n = 1; sent < TOTAL; n = n * 3 % 50021 + 1) {
        size_t len = n < TOTAL - sent ? n : TOTAL - sent;
        hbuf_t parts[3] = {{data + sent, len / 3},
                           {data + sent + len / 3, len / 2},
                           {data + sent + len / 3 + len / 2, len - len / 3 - len / 2}};

        assert_int_equal(hio_writev(io, parts, 3), len);
        sent += len;
    }
    assert_true(hio_write_bufsize(io) > 0);
    hio_read(tls.server.seen.io);
    TLS_UNTIL(tls.client.seen.got == TOTAL);
    assert_false(tls.client.seen.mangled || tls.server.seen.mangled);
    assert_int_equal(tls.client.seen.wrote, TOTAL);
    tls_end();
    free(data);
}

static void read_one_byte_more(hio_t *io, void *buf, int len)
{
    seen_on_read(io, buf, len);
    assert_int_equal(len, 1);
    hio_read_once(io);
}

/* All of it is in OpenSSL after the first byte, where no poller sees it. */
static void what_the_transport_holds_is_read_without_the_socket(void **state)
{
    static char one[2];
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    io = tls_connect();
    hio_setcb_read(io, read_one_byte_more);
    assert_int_equal(hio_set_readbuf(io, one, 1), 0);
    hio_read_stop(io);
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    hio_read_once(io);
    reply = new_pattern(300);
    assert_int_equal(hio_write(tls.server.seen.io, reply, 300), 300);
    hio_close(tls.server.seen.io);
    TLS_UNTIL(tls.client.seen.got == 300);
    assert_false(tls.client.seen.mangled);
    assert_int_equal(tls.client.seen.reads, 300);
    TLS_UNTIL(tls.client.seen.closes);
    assert_int_equal(tls.client.seen.error, 0);
    tls_end();
    free(reply);
}

/* A limit that lets this much through at a time, and is opened by hand. */
static size_t allowance;

static size_t allow(hio_t *io, void *ctx, size_t want)
{
    (void)io;
    (void)ctx;
    return want < allowance ? want : allowance;
}

static void passed(hio_t *io, void *ctx, size_t n)
{
    (void)io;
    (void)ctx;
    allowance -= n < allowance ? n : allowance;
}

static void a_rate_limit_cuts_no_record_in_two(void **state)
{
    static const hio_gate_t gate = {allow, passed, NULL};
    enum { TOTAL = 400000 };
    char *data = new_pattern(TOTAL);
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    io = tls_connect();
    small_buffers(hio_fd(io));
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    tls.server.echo = false;
    hio_read_stop(tls.server.seen.io);
    allowance = TOTAL;
    assert_int_equal(hio_set_gate(io, HV_WRITE, &gate, NULL), 0);
    assert_int_equal(hio_write(io, data, TOTAL), TOTAL); /* the socket fills up within a record */
    hio_read(tls.server.seen.io);
    assert_int_equal(hio_set_gate(tls.server.seen.io, HV_READ, &gate, NULL), 0);
    while (tls.server.seen.got < TOTAL) {
        allowance = 777;
        hio_gate_open(io, HV_WRITE);
        allowance = 777;
        hio_gate_open(tls.server.seen.io, HV_READ);
        hloop_wakeup(tls.loop);
        assert_int_equal(hloop_run(tls.loop), 0);
    }
    assert_false(tls.server.seen.mangled);
    tls_end();
    free(data);
}

/* A small record waits for the socket, a larger piece is tried in vain, then less may pass. */
static void a_record_that_waits_is_as_long_as_when_it_was_begun(void **state)
{
    static const hio_gate_t gate = {allow, passed, NULL};
    enum { TOTAL = 4000000, SMALL = 500 };
    char *data = new_pattern(TOTAL);
    size_t sent = 0, end;
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    io = tls_connect();
    small_buffers(hio_fd(io));
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    tls.server.echo = false;
    hio_read_stop(tls.server.seen.io);
    for (; hio_write_bufsize(io) == 0 && sent < TOTAL / 2; sent += SMALL)
        assert_int_equal(hio_write(io, data + sent, SMALL), SMALL);
    assert_int_equal(hio_write_bufsize(io), SMALL);
    end = sent + 100000;
    assert_int_equal(hio_write(io, data + sent, end - sent), end - sent);
    hio_cork(io);
    hio_uncork(io);
    allowance = SMALL + 1;
    assert_int_equal(hio_set_gate(io, HV_WRITE, &gate, NULL), 0);
    hio_read(tls.server.seen.io);
    while (tls.server.seen.got < end && !tls.server.seen.mangled) {
        allowance = SMALL + 1;
        hio_gate_open(io, HV_WRITE);
        hloop_wakeup(tls.loop);
        assert_int_equal(hloop_run(tls.loop), 0);
    }
    assert_false(tls.server.seen.mangled);
    assert_int_equal(hio_write_bufsize(io), 0);
    tls_end();
    free(data);
}

static void a_plain_connection_can_become_tls(void **state)
{
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    io = observed_client(tls.loop, &tls.client.seen, &tls.addr, sizeof(tls.addr));
    observe_end(io, &tls.client);
    assert_int_equal(hio_connect(io), 0);
    TLS_UNTIL(tls.client.seen.connects == 1);
    assert_false(tls.client.secure || htls_is_tls(io));
    assert_int_equal(htls_client(io, tls.client_ctx, "a.test"), 0);
    assert_int_equal(hio_write(io, reply = new_pattern(5), 5), 5);
    assert_int_equal(hio_read(io), 0);
    TLS_UNTIL(tls.client.seen.got == 5);
    assert_int_equal(tls.client.seen.connects, 2);
    assert_true(tls.client.secure && htls_is_tls(io));
    tls_end();
    free(reply);
}

static htls_ctx_t *inner_server, *inner_client;

static void begin_inner(hio_t *io)
{
    tls_end_t *end = end_of(io);

    end_on_connect(io);
    if (end->seen.connects > 1)
        return;
    if (end == &tls.server)
        assert_int_equal(htls_server(io, inner_server), 0);
    else
        assert_int_equal(htls_client(io, inner_client, "b.test"), 0);
}

static void accept_outer(hio_t *io)
{
    tls_on_accept(io);
    hio_setcb_connect(io, begin_inner);
}

static hio_t *connect_through(const char *name)
{
    hio_t *io;

    tls.name = name;
    io = tls_connect();
    hio_setcb_connect(io, begin_inner);
    return io;
}

/* As behind a proxy that is talked to in TLS itself. */
static void tls_goes_through_tls(void **state)
{
    char *data = new_pattern(1 << 20);
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    inner_server = server_ctx("other");
    inner_client = client_ctx();
    hio_setcb_accept(tls.listener, accept_outer);
    io = connect_through("a.test");
    TLS_UNTIL(tls.client.seen.connects == 2 && tls.server.seen.connects == 2);
    assert_string_equal(tls.server.server_name, "b.test");
    assert_int_equal(hio_write(io, data, 1 << 20), 1 << 20);
    assert_int_equal(hio_shutdown(io), 0);
    TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
    assert_int_equal(tls.client.seen.got, 1 << 20);
    assert_false(tls.client.seen.mangled);
    assert_int_equal(tls.client.seen.error, 0);
    assert_int_equal(tls.server.seen.error, 0);
    htls_ctx_free(inner_server);
    inner_server = server_ctx("good");
    connect_through("a.test");
    TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
    assert_int_equal(tls.client.seen.error, HERR_CERTIFICATE);
    assert_non_null(strstr(tls.client.error, "certificate is not for b.test but for a.test"));
    assert_non_null(strstr(tls.server.error, "the peer's alert: bad certificate"));
    htls_ctx_free(inner_server);
    htls_ctx_free(inner_client);
    tls_end();
    free(data);
}

static void a_connection_moves_to_another_loop(void **state)
{
    char *data = new_pattern(200000);
    hloop_t *other = new_loop();
    hio_t *io;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    io = tls_connect();
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    assert_int_equal(hio_detach(io), 0);
    assert_int_equal(hio_attach(other, io), 0);
    assert_int_equal(hio_write(io, data, 200000), 200000);
    while (tls.client.seen.got < 200000) {
        hloop_wakeup(other);
        assert_int_equal(hloop_run(other), 0);
        hloop_wakeup(tls.loop);
        assert_int_equal(hloop_run(tls.loop), 0);
    }
    assert_false(tls.client.seen.mangled);
    assert_int_equal(hio_detach(io), 0);
    assert_int_equal(hio_close(io), 0); /* freed at once, without a callback */
    TLS_UNTIL(tls.server.seen.closes);
    hloop_free(&other);
    tls_end();
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_of_every_size_is_whole),
        cmocka_unit_test(what_was_agreed_on_is_told),
        cmocka_unit_test(the_reply_comes_whole_after_the_client_has_ended),
        cmocka_unit_test(the_client_goes_on_after_the_server_has_ended),
        cmocka_unit_test(every_close_sends_close_notify),
        cmocka_unit_test(an_end_without_close_notify_is_a_truncation),
        cmocka_unit_test(a_truncated_peer_still_gets_its_reply),
        cmocka_unit_test(a_reset_is_told_as_one),
        cmocka_unit_test(a_broken_connection_raises_no_signal),
        cmocka_unit_test(writes_that_the_socket_splits_arrive_in_order),
        cmocka_unit_test(what_the_transport_holds_is_read_without_the_socket),
        cmocka_unit_test(a_rate_limit_cuts_no_record_in_two),
        cmocka_unit_test(a_record_that_waits_is_as_long_as_when_it_was_begun),
        cmocka_unit_test(a_plain_connection_can_become_tls),
        cmocka_unit_test(tls_goes_through_tls),
        cmocka_unit_test(a_connection_moves_to_another_loop),
    };

    return run_with_certificates("htls", tests, ARRAY_LENGTH(tests));
}
