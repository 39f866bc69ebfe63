/* http_fixture: a server of HTTP on a loop, and plain sockets as its clients. Include it after
 * cmocka.h. */
#ifndef HNET_TESTS_HTTP_FIXTURE_H
#define HNET_TESTS_HTTP_FIXTURE_H

#include "loop_test.h"

#include "proto/http_server.h"

#include <stdio.h>

#define HEARD_SIZE ((size_t)1 << 20)

/* What has happened to the streams of the server. */
typedef struct web_s {
    hloop_t *loop;
    http_server_t *server;
    struct sockaddr_in addr;
    int handled, done, closed;
    int done_error, close_error;
    char done_target[256];
    int done_status;
    int64_t done_bytes;
    http_stream_t *stream; /* the last one that a handler has kept */
    size_t body_len;
    int body_ends;
    char *heard; /* by the client, with a NUL */
    size_t heard_len;
    bool ended; /* the server has closed */
    bool reset;
} web_t;

static inline void web_on_done(http_stream_t *stream, int err, void *userdata)
{
    const http_request_t *request = http_stream_request(stream);
    web_t *web = userdata;
    http_stream_stats_t stats;

    http_stream_stats(stream, &stats);
    web->done++;
    web->done_error = err;
    web->done_status = stats.status;
    web->done_bytes = stats.bytes_sent;
    snprintf(web->done_target, sizeof(web->done_target), "%.*s", (int)request->target.len,
             request->target.data);
}

/* A server with these options on a port of loopback. */
static inline void web_open(web_t *web, http_server_options_t options)
{
    struct sockaddr_in addr;
    int fd = bound_socket(SOCK_STREAM, &addr);

    memset(web, 0, sizeof(*web));
    web->loop = new_loop();
    web->addr = addr;
    web->heard = malloc(HEARD_SIZE + 1);
    assert_non_null(web->heard);
    web->heard[0] = '\0';
    options.userdata = web;
    options.on_done = web_on_done;
    assert_int_equal(http_server_new(web->loop, &options, &web->server), 0);
    assert_int_equal(http_server_attach(web->server, fd, NULL), 0);
}

static inline void web_close(web_t *web)
{
    http_server_free(web->server);
    hloop_free(&web->loop);
    free(web->heard);
}

static inline int web_client(const web_t *web)
{
    return plain_connect(&web->addr);
}

static inline void web_say(int fd, const void *text, size_t len)
{
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

static inline void web_say_text(int fd, const char *text)
{
    web_say(fd, text, strlen(text));
}

/* Takes what has come for the client. */
static inline void web_hear(web_t *web, int fd)
{
    bool eof = false;
    ssize_t n = plain_drain(fd, web->heard + web->heard_len, HEARD_SIZE - web->heard_len, &eof);

    if (n > 0)
        web->heard_len += (size_t)n;
    web->heard[web->heard_len] = '\0';
    web->reset |= n < 0;
    web->ended |= eof || n < 0;
}

static inline void web_turn(web_t *web, int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    hloop_wakeup(web->loop);
    assert_int_equal(hloop_run(web->loop), 0);
    if (poll(&poll_fd, 1, 1) > 0)
        web_hear(web, fd);
}

#define WEB_UNTIL(web, fd, condition)                                                              \
    do {                                                                                           \
        while (!(condition))                                                                       \
            web_turn((web), (fd));                                                                 \
    } while (0)

static inline void web_until_end(web_t *web, int fd)
{
    WEB_UNTIL(web, fd, web->ended);
}

/* How often the text has come. */
static inline int web_count(const web_t *web, const char *text)
{
    const char *at = web->heard;
    int n = 0;

    while ((at = memmem(at, (size_t)(web->heard + web->heard_len - at), text, strlen(text)))) {
        at += strlen(text);
        n++;
    }
    return n;
}

static inline void web_forget(web_t *web)
{
    web->heard_len = 0;
    web->heard[0] = '\0';
    web->ended = false;
    web->reset = false;
}

/* Sends a request that closes, and waits for all of the response. */
static inline void web_ask(web_t *web, const char *text)
{
    int fd = web_client(web);

    web_forget(web);
    web_say_text(fd, text);
    web_until_end(web, fd);
    close(fd);
}

#endif
