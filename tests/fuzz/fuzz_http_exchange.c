/* A client survives any server: each exchange ends once, and no connection is lost count of. The
 * first byte says how the response is cut, the second what is asked:
 *
 *     1..2  GET, HEAD, POST, CONNECT     4  Expect            8  pauses
 *       16  the server ends its half    32  a second exchange waits for the first one's connection
 *       64  given up on the way        128  an Upgrade */
#include "event/hio.h"
#include "proto/http_exchange.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS 10

typedef struct asked_s {
    http_exchange_t *exchange; /* NULL: over */
    int closes, heads, ends;
    bool pauses;
} asked_t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void on_head(http_exchange_t *exchange, const http_exchange_response_t *response,
                    void *userdata)
{
    asked_t *asked = userdata;

    check(response->status >= 100 && asked->heads++ == 0);
    if (asked->pauses)
        http_exchange_pause(exchange);
}

static void on_body(http_exchange_t *exchange, http_span_t data, void *userdata)
{
    asked_t *asked = userdata;

    check(asked->heads == 1 && asked->ends == 0 && data.len > 0);
    if (asked->pauses)
        http_exchange_pause(exchange);
    if (data.data[0] == '?')
        http_exchange_abort(exchange, -EPROTO);
    else if (data.data[0] == '!')
        http_exchange_end(exchange);
}

static void on_body_end(http_exchange_t *exchange, void *userdata)
{
    (void)exchange;
    check(((asked_t *)userdata)->ends++ == 0);
}

static void on_drained(http_exchange_t *exchange, void *userdata)
{
    (void)userdata;
    http_exchange_write(exchange, "abc", 3);
    http_exchange_end(exchange);
}

static void on_close(http_exchange_t *exchange, int err, void *userdata)
{
    asked_t *asked = userdata;

    check(asked->closes++ == 0 && asked->exchange == exchange);
    check(err <= 0 && (err != 0 || asked->ends == 1));
    asked->exchange = NULL;
}

static const http_exchange_callbacks_t callbacks = {.on_interim = NULL,
                                                    .on_head = on_head,
                                                    .on_body = on_body,
                                                    .on_body_end = on_body_end,
                                                    .on_drained = on_drained,
                                                    .on_close = on_close};

static int listen_at(char *to, size_t to_size)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int len = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "fuzz-%d", (int)getpid());

    snprintf(to, to_size, "unix:@%s", addr.sun_path + 1);
    check(fd >= 0 &&
          bind(fd, (struct sockaddr *)&addr,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0);
    check(listen(fd, 16) == 0);
    return fd;
}

static void start(http_peer_t *peer, asked_t *asked, int flags)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "CONNECT"};
    static const http_field_t fields[] = {
        {HTTP_SPAN("Host"), HTTP_SPAN("a"), HTTP_FIELD_HOST},
        {HTTP_SPAN("Upgrade"), HTTP_SPAN("x"), HTTP_FIELD_UPGRADE}};
    http_exchange_request_t request = {.method = http_span(methods[flags & 3]),
                                       .target = HTTP_SPAN("/x"),
                                       .fields = fields,
                                       .field_count = flags & 128 ? 2 : 1,
                                       .upgrade = flags & 128,
                                       .expects_continue = flags & 4,
                                       .body_length = HTTP_BODY_NONE};

    if ((flags & 3) == 2)
        request.body_length = flags & 64 ? 3 : HTTP_BODY_UNKNOWN;
    asked->pauses = flags & 8;
    check(http_exchange_start(peer, &request, &callbacks, asked, &asked->exchange) == 0);
}

static void turn(hloop_t *loop, asked_t *asked, int listener, int *fd)
{
    char buf[4096];

    hloop_wakeup(loop);
    hloop_run(loop);
    if (*fd < 0)
        *fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (*fd >= 0 && recv(*fd, buf, sizeof(buf), MSG_DONTWAIT) == 0) {
        close(*fd);
        *fd = -1;
    }
    for (int i = 0; i < 2; i++) {
        if (asked[i].exchange)
            http_exchange_resume(asked[i].exchange);
    }
}

static void talk(hloop_t *loop, asked_t *asked, int listener, const uint8_t *data, size_t size)
{
    size_t piece = data[0] > 0 ? data[0] : size;
    int fd = -1;

    turn(loop, asked, listener, &fd);
    turn(loop, asked, listener, &fd);
    for (size_t at = 2; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;

        turn(loop, asked, listener, &fd);
        if (fd >= 0)
            (void)!send(fd, data + at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (fd >= 0 && data[1] & 16)
        shutdown(fd, SHUT_WR);
    for (int i = 0; i < TURNS; i++)
        turn(loop, asked, listener, &fd);
    if (data[1] & 64 && asked[0].exchange)
        http_exchange_abort(asked[0].exchange, -ECANCELED);
    for (int i = 0; i < TURNS; i++)
        turn(loop, asked, listener, &fd);
    if (fd >= 0)
        close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE};
    http_peer_options_t options = {.conns_max = 1, .limits.http09 = true};
    asked_t asked[2] = {{0}, {0}};
    http_peer_t *peer;
    hloop_t *loop;
    char to[64];
    int listener;

    if (size < 3)
        return 0;
    signal(SIGPIPE, SIG_IGN);
    listener = listen_at(to, sizeof(to));
    loop = hloop_new_with(&loop_options);
    check(loop && hendpoint_parse(&options.to, to, NULL, 0) == 0);
    check(http_peer_new(loop, &options, &peer) == 0);
    start(peer, &asked[0], data[1]);
    if (data[1] & 32)
        start(peer, &asked[1], data[1] ^ 1);
    talk(loop, asked, listener, data, size);
    check(http_peer_open(peer) <= 1);
    check(http_peer_active(peer) == (asked[0].exchange != NULL) + (asked[1].exchange != NULL));
    http_peer_free(peer);
    check(asked[0].closes == 1 && asked[1].closes == (data[1] & 32 ? 1 : 0));
    hloop_free(&loop);
    close(listener);
    return 0;
}
