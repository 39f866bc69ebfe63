/* A transfer survives any server: it ends once, and its body comes from the last response alone.
 * The first byte says how what the server sends is cut, the second what is asked:
 *
 *     1..2  GET, HEAD, POST, PUT      4  redirects are followed     8  credentials
 *       16  the server ends its half  32  the body is decoded      64  given up on the way
 *      128  a small limit for the body
 *
 * A byte 0 begins what is sent to the next connection. */
#include "event/hio.h"
#include "proto/http_client.h"
#include "proto/http_cookie_jar.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS 12
#define BODY_MAX 4096

typedef struct asked_s {
    http_transfer_t *transfer; /* NULL: over */
    int closes;
    bool final;
} asked_t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void on_head(http_transfer_t *transfer, http_hop_e hop,
                    const http_exchange_response_t *response, void *userdata)
{
    asked_t *asked = userdata;

    (void)transfer;
    check(response->status >= 100 && !asked->final);
    asked->final = hop == HTTP_HOP_FINAL;
}

static int on_body(http_transfer_t *transfer, http_span_t data, void *userdata)
{
    (void)transfer;
    check(((asked_t *)userdata)->final && data.len > 0);
    return data.data[0] == '?' ? -ENOSPC : 0;
}

static void on_close(http_transfer_t *transfer, http_fault_e fault, void *userdata)
{
    asked_t *asked = userdata;
    http_transfer_info_t info;

    http_transfer_info(transfer, &info);
    check(asked->closes++ == 0 && info.url && info.redirects <= 3);
    check((fault == HTTP_FAULT_NONE) == (http_transfer_error(transfer)[0] == '\0'));
    check(fault != HTTP_FAULT_NONE || asked->final);
    asked->transfer = NULL;
}

static const http_transfer_callbacks_t callbacks = {
    .on_head = on_head, .on_body = on_body, .on_close = on_close};

static int listen_at(char *path, size_t size)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int len = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "fuzzc-%d", (int)getpid());

    snprintf(path, size, "@%s", addr.sun_path + 1);
    check(fd >= 0 &&
          bind(fd, (struct sockaddr *)&addr,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0);
    check(listen(fd, 16) == 0);
    return fd;
}

static void turn(hloop_t *loop, int listener, int *fd)
{
    char buf[8192];
    int next;

    hloop_wakeup(loop);
    hloop_run(loop);
    next = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (next >= 0) {
        if (*fd >= 0)
            close(*fd);
        *fd = next;
    }
    if (*fd >= 0 && recv(*fd, buf, sizeof(buf), MSG_DONTWAIT) == 0) {
        close(*fd);
        *fd = -1;
    }
}

/* What is sent on one connection. */
static void say(hloop_t *loop, int listener, int *fd, const uint8_t *data, size_t size,
                size_t piece)
{
    for (size_t at = 0; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;

        turn(loop, listener, fd);
        if (*fd >= 0)
            (void)!send(*fd, data + at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    for (int i = 0; i < 3; i++)
        turn(loop, listener, fd);
}

static void talk(hloop_t *loop, asked_t *asked, int listener, const uint8_t *data, size_t size)
{
    size_t piece = data[0] > 0 ? data[0] : size, at = 2;
    int fd = -1;

    for (int i = 0; i < 3; i++)
        turn(loop, listener, &fd);
    while (at < size) {
        const uint8_t *end = memchr(data + at, 0, size - at);
        size_t len = end ? (size_t)(end - data) - at : size - at;

        say(loop, listener, &fd, data + at, len, piece);
        if (fd >= 0 && end) {
            close(fd);
            fd = -1;
        }
        at += len + 1;
    }
    if (fd >= 0 && data[1] & 16)
        shutdown(fd, SHUT_WR);
    for (int i = 0; i < TURNS; i++)
        turn(loop, listener, &fd);
    if (data[1] & 64 && asked->transfer)
        http_transfer_abort(asked->transfer, HTTP_FAULT_CANCELLED, NULL);
    for (int i = 0; i < TURNS; i++)
        turn(loop, listener, &fd);
    if (fd >= 0)
        close(fd);
}

static http_transfer_options_t options_of(int flags, const hurl_t *url, http_source_t *body,
                                          http_cookie_jar_t *jar)
{
    http_transfer_options_t options = {
        .url = url,
        .no_body = (flags & 3) == 1,
        .put = (flags & 3) == 3,
        .body = (flags & 3) >= 2 ? body : NULL,
        .follow = flags & 4,
        .redirects_max = 3,
        .auto_referer = true,
        .transfer_encoding = flags & 32,
        .accept_encoding = flags & 32 ? "" : NULL,
        .size_max = flags & 128 ? BODY_MAX : 0,
        .jar = jar,
    };

    if (flags & 8)
        options.login = (http_login_t){.user = "u", .password = "p", .schemes = HTTP_LOGIN_ANY};
    return options;
}

static void ask(hloop_t *loop, http_client_t *client, int listener, const uint8_t *data,
                size_t size)
{
    static const char url_text[] = "http://a.example/b/c?d";
    http_transfer_options_t options;
    http_cookie_jar_t *jar;
    http_source_t *body;
    asked_t asked = {0};
    hurl_t url;

    check(hurl_parse(&url, url_text, sizeof(url_text) - 1, NULL, HURL_AS_GIVEN) == 0);
    check(http_source_memory("abc", 3, &body) == 0 && http_cookie_jar_new(&jar) == 0);
    options = options_of(data[1], &url, body, jar);
    check(http_transfer_start(client, &options, &callbacks, &asked, &asked.transfer) == 0);
    talk(loop, &asked, listener, data, size);
    http_client_free(client);
    check(asked.closes == 1);
    http_source_free(body);
    http_cookie_jar_free(jar);
    hurl_deinit(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE};
    http_client_options_t options = {.limits.lenient = true};
    http_client_t *client;
    hloop_t *loop;
    char path[64];
    int listener;

    if (size < 3)
        return 0;
    signal(SIGPIPE, SIG_IGN);
    listener = listen_at(path, sizeof(path));
    loop = hloop_new_with(&loop_options);
    options.unix_path = path;
    check(loop && http_client_new(loop, &options, &client) == 0);
    ask(loop, client, listener, data, size);
    hloop_free(&loop);
    close(listener);
    return 0;
}
