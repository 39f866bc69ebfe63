/* hproxy_fixture: a proxy server on a loop, one client of it, and a listener that is to be reached.
 * Include it after cmocka.h. */
#ifndef HNET_TESTS_HPROXY_FIXTURE_H
#define HNET_TESTS_HPROXY_FIXTURE_H

#include "loop_test.h"

#include "net/hproxy_server.h"

#define BYTES(literal) literal, sizeof(literal) - 1
#define TEXT_SIZE 8192
#define ESTABLISHED "HTTP/1.1 200 Connection established\r\n\r\n"

typedef struct lab_s {
    hloop_t *loop;
    hproxy_server_t *server;
    int client, listener, upstream;
    struct sockaddr_in addr;
    int ends, err, verdict;
    hproxy_stage_e stage;
    char text[HPROXY_SERVER_ERROR_SIZE];
    char user[HPROXY_SERVER_USER_SIZE];
    char heard[TEXT_SIZE];
    size_t heard_len;
} lab_t;

static inline void on_session(const hproxy_session_t *session, hio_t *upstream, int err,
                              const char *text, void *arg)
{
    lab_t *lab = arg;

    assert_int_equal(err == 0, upstream != NULL);
    lab->ends++;
    lab->err = err;
    lab->stage = session->stage;
    snprintf(lab->text, sizeof(lab->text), "%s", text);
    snprintf(lab->user, sizeof(lab->user), "%s", session->user);
}

static inline int on_policy(hproxy_session_t *session, void *arg)
{
    const lab_t *lab = arg;

    assert_int_equal(session->to.port, ntohs(lab->addr.sin_port));
    return lab->verdict;
}

static inline void connect_client(lab_t *lab)
{
    int fds[2];
    hio_t *io;

    tcp_pair(fds);
    lab->client = fds[1];
    io = hio_get(lab->loop, fds[0]);
    assert_non_null(io);
    assert_int_equal(hproxy_server_accept(lab->server, io), 0);
}

static inline void lab_open_with(lab_t *lab, hproxy_server_options_t options)
{
    memset(lab, 0, sizeof(*lab));
    lab->upstream = -1;
    lab->loop = new_loop();
    lab->listener = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &lab->addr);
    options.session = on_session;
    options.policy = on_policy;
    options.arg = lab;
    assert_int_equal(hproxy_server_new(lab->loop, &options, &lab->server), 0);
    connect_client(lab);
}

static inline void lab_open(lab_t *lab)
{
    lab_open_with(lab, (hproxy_server_options_t){.serve = 0});
}

static inline void lab_close(lab_t *lab)
{
    if (lab->upstream >= 0)
        close(lab->upstream);
    close(lab->client);
    if (lab->listener >= 0)
        close(lab->listener);
    hproxy_server_free(lab->server);
    hloop_free(&lab->loop);
}

static inline void say(lab_t *lab, const void *data, size_t len)
{
    assert_int_equal(send(lab->client, data, len, MSG_NOSIGNAL), len);
}

/* The text with a P in it for the two bytes of the port and an A for those of 127.0.0.1. */
static inline void say_socks(lab_t *lab, const char *data, size_t len)
{
    char said[256];
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        const void *field = data[i] == 'P'   ? (void *)&lab->addr.sin_port
                            : data[i] == 'A' ? (void *)&lab->addr.sin_addr
                                             : (const void *)(data + i);
        size_t size = data[i] == 'P' ? 2 : data[i] == 'A' ? 4 : 1;

        memcpy(said + n, field, size);
        n += size;
    }
    say(lab, said, n);
}

/* The text with the port for each @. */
static inline void say_http(lab_t *lab, const char *text)
{
    char said[TEXT_SIZE];
    size_t n = 0;

    for (; *text; text++) {
        if (*text == '@')
            n += (size_t)snprintf(said + n, sizeof(said) - n, "%u", ntohs(lab->addr.sin_port));
        else
            said[n++] = *text;
    }
    say(lab, said, n);
}

/* Runs until the client has heard so many bytes, or the end: then true. */
static inline bool hear(lab_t *lab, size_t len)
{
    bool eof = false;

    while (lab->heard_len < len && !eof) {
        ssize_t n;

        hloop_wakeup(lab->loop); /* it may be there already */
        assert_int_equal(hloop_run(lab->loop), 0);
        n = plain_drain(lab->client, lab->heard + lab->heard_len,
                        sizeof(lab->heard) - 1 - lab->heard_len, &eof);
        assert_true(n >= 0);
        lab->heard_len += (size_t)n;
    }
    lab->heard[lab->heard_len] = '\0';
    return eof;
}

static inline void hears(lab_t *lab, const char *data, size_t len)
{
    hear(lab, len);
    assert_int_equal(lab->heard_len, len);
    assert_memory_equal(lab->heard, data, len);
    lab->heard_len = 0;
}

static inline void hears_the_end(lab_t *lab)
{
    assert_true(hear(lab, TEXT_SIZE - 1));
}

/* The other side accepts and gets exactly this. */
static inline void upstream_gets(lab_t *lab, const char *data, size_t len)
{
    char got[TEXT_SIZE];
    size_t got_len = 0;
    bool eof = false;

    while (lab->upstream < 0) {
        hloop_wakeup(lab->loop);
        assert_int_equal(hloop_run(lab->loop), 0);
        lab->upstream = accept4(lab->listener, NULL, NULL, SOCK_CLOEXEC);
    }
    while (got_len < len && !eof) {
        ssize_t n = plain_drain(lab->upstream, got + got_len, sizeof(got) - got_len, &eof);

        assert_true(n >= 0);
        got_len += (size_t)n;
        hloop_wakeup(lab->loop);
        assert_int_equal(hloop_run(lab->loop), 0);
    }
    assert_int_equal(got_len, len);
    assert_memory_equal(got, data, len);
}

/* What is behind the request gets there, and both ways are open. */
static inline void tunnel_stands(lab_t *lab)
{
    upstream_gets(lab, "early", 5);
    assert_int_equal(lab->ends, 1);
    assert_int_equal(lab->err, 0);
    assert_int_equal(hproxy_server_pending(lab->server), 0);
    assert_int_equal(send(lab->upstream, "hello", 5, MSG_NOSIGNAL), 5);
    hears(lab, "hello", 5);
    say(lab, "late", 4);
    upstream_gets(lab, "late", 4);
    /* Half-close: the reply still comes. */
    shutdown(lab->client, SHUT_WR);
    while (recv(lab->upstream, lab->text, 1, MSG_DONTWAIT) != 0) {
        hloop_wakeup(lab->loop);
        assert_int_equal(hloop_run(lab->loop), 0);
    }
    assert_int_equal(send(lab->upstream, "bye", 3, MSG_NOSIGNAL), 3);
    close(lab->upstream);
    lab->upstream = -1;
    hears_the_end(lab);
    assert_string_equal(lab->heard, "bye");
}

#endif
