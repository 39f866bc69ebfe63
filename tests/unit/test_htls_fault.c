/* What goes wrong around TLS: no memory, bytes damaged on the way, many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "htls_fixture.h"
#include "oom.h"

/* ---- no memory ------------------------------------------------------------------------------- */

static void accept_or_close(hio_t *io)
{
    observe_end(io, &tls.server);
    if (htls_server(io, tls.server_ctx) < 0 || hio_read(io) < 0)
        hio_close(io);
}

static void echo_or_close(hio_t *io, void *buf, int len)
{
    if (hio_write(io, buf, (size_t)len) < 0)
        hio_close(io);
}

static int start_client(const char *data, size_t len)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;
    hio_t *io = hio_get(tls.loop, fd);

    if (!io) {
        close(fd);
        return -ENOMEM;
    }
    observe_end(io, &tls.client);
    rc = hio_set_peeraddr(io, (struct sockaddr *)&tls.addr, sizeof(tls.addr));
    if (rc == 0)
        rc = htls_client(io, tls.client_ctx, "a.test");
    if (rc == 0)
        rc = hio_connect(io);
    if (rc == 0)
        rc = hio_read(io);
    if (rc == 0)
        rc = hio_write(io, data, len);
    return rc < 0 ? rc : 0;
}

static int listen_here(void)
{
    int fd = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &tls.addr);
    hio_t *io;

    tls.loop = hloop_new_with(&(hloop_options_t){HLOOP_FLAG_RUN_ONCE, test_poller, 0, NULL});
    io = tls.loop ? hio_get(tls.loop, fd) : NULL;
    if (!io) {
        close(fd);
        return -ENOMEM;
    }
    hio_setcb_accept(io, accept_or_close);
    return hio_accept(io);
}

static int make_contexts(void)
{
    const htls_options_t server = {.server = true,
                                   .alpn = "x",
                                   .cert_file = fixture_path("good.pem"),
                                   .key_file = fixture_path("good.key")};
    const htls_options_t client = {.alpn = "x", .ca_file = fixture_path("ca.pem")};
    int rc = htls_ctx_new(&server, &tls.server_ctx, NULL, 0);

    if (rc == 0)
        rc = htls_ctx_add_cert(tls.server_ctx, fixture_path("other.pem"), fixture_path("other.key"),
                               NULL, 0);
    if (rc == 0)
        rc = htls_ctx_new(&client, &tls.client_ctx, NULL, 0);
    return rc;
}

/* Everything from the files to an echo. */
static int everything(void *arg)
{
    static char data[100000];
    int rc;

    (void)arg;
    memset(&tls, 0, sizeof(tls));
    rc = listen_here();
    if (rc == 0)
        rc = make_contexts();
    if (rc == 0)
        rc = start_client(data, sizeof(data));
    for (int i = 0; rc == 0 && i < 20000 && !tls.client.seen.closes; i++) {
        hloop_wakeup(tls.loop);
        rc = hloop_run(tls.loop);
        if (tls.server.seen.io)
            hio_setcb_read(tls.server.seen.io, echo_or_close);
        if (tls.client.seen.io && tls.client.seen.got == sizeof(data))
            hio_close(tls.client.seen.io);
    }
    if (rc == 0 && tls.client.seen.got < sizeof(data))
        rc = -ENOMEM;
    tls_end();
    return rc;
}

static void out_of_memory_anywhere_is_an_error_and_no_leak(void **state)
{
    (void)state;
    oom_run(everything, NULL);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* Between the two ends: what comes from one goes to the other, but for one bit. */
typedef struct damage_s {
    int to_client, to_server; /* sockets of the middle */
    size_t at;                /* byte from the client that is flipped */
    size_t passed;
} damage_t;

static bool carry(int from, int to, damage_t *damage)
{
    char buf[4096];
    ssize_t n = recv(from, buf, sizeof(buf), MSG_DONTWAIT);

    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    if (damage && damage->at >= damage->passed && damage->at - damage->passed < (size_t)n)
        buf[damage->at - damage->passed] ^= 1;
    if (damage)
        damage->passed += (size_t)n;
    return send(to, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

static int client[2], server[2]; /* the hio's end, and the middle's */

static hio_t *open_around_the_middle(void)
{
    hio_t *io;

    memset(&tls, 0, sizeof(tls));
    tls.loop = new_loop();
    tls.server_ctx = server_ctx("good");
    tls.client_ctx = client_ctx();
    tcp_pair(client);
    tcp_pair(server);
    tls_on_accept(hio_get(tls.loop, server[0]));
    io = hio_get(tls.loop, client[0]);
    observe_end(io, &tls.client);
    assert_int_equal(htls_client(io, tls.client_ctx, "a.test"), 0);
    assert_int_equal(hio_read(io), 0);
    return io;
}

static void run_with_damage(damage_t *damage)
{
    hio_t *io = open_around_the_middle();

    assert_int_equal(hio_write(io, fixture_script, 1000), 1000);
    while (!tls.server.seen.closes && tls.server.seen.got < 1000) {
        hloop_wakeup(tls.loop);
        assert_int_equal(hloop_run(tls.loop), 0);
        carry(client[1], server[1], damage);
        carry(server[1], client[1], NULL);
    }
    close(client[1]);
    close(server[1]);
    tls_end();
}

/* A bit that flips anywhere, in the handshake or the data, ends the connection with an error that
 * is not the one of a plain socket. */
/* One bit of all that is sent is flipped, each time another. */
static void tls_errors_are_not_reported_as_0(void **state)
{
    damage_t damage = {.at = SIZE_MAX};
    size_t total;

    (void)state;
    run_with_damage(&damage);
    assert_int_equal(tls.server.seen.got, 1000);
    total = damage.passed;
    assert_true(total > 1000);
    for (size_t at = 5; at < total; at += 37) {
        damage = (damage_t){.at = at};
        run_with_damage(&damage);
        assert_int_equal(tls.server.seen.got, 0);
        assert_true(tls.server.seen.error < 0);
        assert_string_not_equal(tls.server.error, "");
    }
    damage = (damage_t){.at = total - 20};
    run_with_damage(&damage);
    assert_int_equal(tls.server.seen.error, HERR_TLS);
    assert_non_null(strstr(tls.server.error, "damaged on the way (bad record MAC)"));
}

/* The socket stays open behind it: nothing but the record tells the end. */
static void an_end_that_comes_with_the_last_data_is_told(void **state)
{
    hio_t *io = open_around_the_middle();

    (void)state;
    while (!tls.client.seen.connects || !tls.server.seen.connects) {
        hloop_wakeup(tls.loop);
        assert_int_equal(hloop_run(tls.loop), 0);
        carry(client[1], server[1], NULL);
        carry(server[1], client[1], NULL);
    }
    settle(tls.loop);
    assert_int_equal(hio_write(io, fixture_script, 1000), 1000);
    assert_int_equal(hio_shutdown(io), 0);
    settle(tls.loop);
    assert_true(carry(client[1], server[1], NULL));
    TLS_UNTIL(tls.server.seen.closes);
    assert_int_equal(tls.server.seen.got, 1000);
    assert_int_equal(tls.server.seen.error, 0);
    close(client[1]);
    close(server[1]);
    tls_end();
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 3, TALKS = 12 };

typedef struct talker_s {
    pthread_t thread;
    hloop_t *loop;
    htls_ctx_t *ctx;
    struct sockaddr_in addr;
    int done, errors;
} talker_t;

static void talker_next(talker_t *talker);

static void talker_on_read(hio_t *io, void *buf, int len)
{
    (void)buf;
    (void)len;
    hio_close(io);
}

static void talker_on_close(hio_t *io)
{
    talker_t *talker = hevent_userdata(io);

    talker->errors += hio_error(io) != 0;
    if (++talker->done < TALKS)
        talker_next(talker);
    else
        hloop_stop(talker->loop);
}

static void talker_next(talker_t *talker)
{
    hio_t *io = hio_get(talker->loop, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

    hevent_set_userdata(io, talker);
    hio_setcb_read(io, talker_on_read);
    hio_setcb_close(io, talker_on_close);
    hio_set_peeraddr(io, (struct sockaddr *)&talker->addr, sizeof(talker->addr));
    if (htls_client(io, talker->ctx, "a.test") < 0 || hio_connect(io) < 0 || hio_read(io) < 0 ||
        hio_write(io, "hello", 5) < 0)
        hio_abort(io, -ENOMEM);
}

static void *talk(void *arg)
{
    talker_t *talker = arg;

    talker_next(talker);
    hloop_run(talker->loop);
    hloop_free(&talker->loop);
    return NULL;
}

static void echo(hio_t *io, void *buf, int len)
{
    hio_write(io, buf, (size_t)len);
}

static void accept_to_echo(hio_t *io)
{
    hio_setcb_read(io, echo);
    if (htls_server(io, tls.server_ctx) < 0 || hio_read(io) < 0)
        hio_close(io);
}

/* Clients in threads of their own share one context, which is loaded again all the time, as is the
 * server's. */
static void threads_share_a_context_that_is_reloaded(void **state)
{
    talker_t talkers[THREADS] = {0};
    int done = 0;

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    hio_setcb_accept(tls.listener, accept_to_echo);
    for (int i = 0; i < THREADS; i++) {
        talkers[i].loop = new_loop_with(0);
        talkers[i].ctx = tls.client_ctx;
        talkers[i].addr = tls.addr;
        assert_int_equal(pthread_create(&talkers[i].thread, NULL, talk, &talkers[i]), 0);
    }
    while (done < THREADS) {
        hloop_wakeup(tls.loop);
        assert_int_equal(hloop_run(tls.loop), 0);
        assert_int_equal(htls_ctx_reload(tls.server_ctx, NULL, 0), 0);
        assert_int_equal(htls_ctx_reload(tls.client_ctx, NULL, 0), 0);
        while (done < THREADS && pthread_tryjoin_np(talkers[done].thread, NULL) == 0)
            done++;
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(talkers[i].done, TALKS);
        assert_int_equal(talkers[i].errors, 0);
    }
    tls_end();
}

/* ---- reload ---------------------------------------------------------------------------------- */

enum { CONNECTIONS = 250, AT_ONCE = 10 }; /* four pollers: 1,000 */

static int started, finished, broken, subjects[2];

static void crowd_next(void);

static void crowd_on_connect(hio_t *io)
{
    htls_cert_t cert;

    assert_int_equal(htls_peer_cert(io, 0, &cert), 0);
    subjects[strcmp(cert.subject, "CN=other") == 0]++;
}

static void crowd_on_read(hio_t *io, void *buf, int len)
{
    (void)buf;
    (void)len;
    hio_close(io);
}

static void crowd_on_close(hio_t *io)
{
    broken += hio_error(io) != 0;
    finished++;
    if (started < CONNECTIONS)
        crowd_next();
}

static void crowd_next(void)
{
    hio_t *io = hio_get(tls.loop, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

    started++;
    hio_setcb_connect(io, crowd_on_connect);
    hio_setcb_read(io, crowd_on_read);
    hio_setcb_close(io, crowd_on_close);
    hio_set_peeraddr(io, (struct sockaddr *)&tls.addr, sizeof(tls.addr));
    assert_int_equal(htls_client(io, tls.client_ctx, NULL), 0);
    assert_int_equal(hio_connect(io), 0);
    hio_read(io);
    hio_write(io, "hello", 5);
}

static void install_cert(const char *name)
{
    char cert[32], key[32];

    snprintf(cert, sizeof(cert), "%s.pem", name);
    snprintf(key, sizeof(key), "%s.key", name);
    assert_int_equal(rename(fixture_path(cert), fixture_path("live.pem")), 0);
    assert_int_equal(rename(fixture_path(key), fixture_path("live.key")), 0);
}

static void copy_certs(void)
{
    static const char copy[] = "cd \"$1\"; cp good.pem 0.pem; cp good.key 0.key;"
                               " cp other.pem 1.pem; cp other.key 1.key";

    assert_int_equal(run_command((const char *[]){"sh", "-c", copy, "sh", fixture_dir, NULL}), 0);
}

/* A new certificate every few iterations; each connection sees the old or the new one, whole. */
static void no_connection_fails_while_certificates_are_replaced(void **state)
{
    int turn = 0;

    (void)state;
    started = finished = broken = subjects[0] = subjects[1] = 0;
    copy_certs();
    install_cert("0");
    tls_open(server_ctx("live"), client_ctx());
    hio_setcb_accept(tls.listener, accept_to_echo);
    for (int i = 0; i < AT_ONCE; i++)
        crowd_next();
    while (finished < CONNECTIONS) {
        assert_int_equal(hloop_run(tls.loop), 0);
        if (finished / 25 > turn) {
            copy_certs();
            install_cert(++turn % 2 ? "1" : "0");
            assert_int_equal(htls_ctx_reload(tls.server_ctx, NULL, 0), 0);
        }
    }
    assert_int_equal(broken, 0);
    assert_int_equal(subjects[0] + subjects[1], CONNECTIONS);
    assert_true(subjects[0] > 50 && subjects[1] > 50);
    tls_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory_anywhere_is_an_error_and_no_leak),
        cmocka_unit_test(tls_errors_are_not_reported_as_0),
        cmocka_unit_test(an_end_that_comes_with_the_last_data_is_told),
        cmocka_unit_test(no_connection_fails_while_certificates_are_replaced),
        cmocka_unit_test(threads_share_a_context_that_is_reloaded),
    };

    return run_with_certificates("htls, faults", tests, ARRAY_LENGTH(tests));
}
