/* One thread. */
/* Whatever allocation fails: the server, a client and the proxies answer or close, and leave
 * nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "loop_test.h"
#include "oom.h"

#include "proto/http_forward.h"
#include "proto/http_stream_int.h"

#include <sys/mman.h>

#define GET_LAST(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define TURNS_MAX 3000
#define FILE_LEN 100000

/* One connection to a server, and another one to whom it may ask. */
typedef struct world_s {
    const char *says; /* the client */
    const char *wants;
    bool forwards, ends_half;
    hloop_t *loop;
    http_server_t *server;
    http_proxy_t *proxy;
    http_forward_t *forward;
    http_stream_t *later;
    int client, listener, behind;
    char heard[1 << 18], asked[4096];
    size_t heard_len, asked_len;
    bool answered;
    int lent, closes, err;
} world_t;

/* ---- the program ----------------------------------------------------------------------------- */

static void release(void *arg)
{
    world_t *world = arg;

    world->lent--;
}

static void give_back(void *buf, void *arg)
{
    (void)buf;
    release(arg);
}

static void on_close(http_stream_t *stream, int err, void *userdata)
{
    (void)stream;
    (void)err;
    ((world_t *)userdata)->later = NULL;
}

static void on_drained(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    http_response_end(stream);
}

static void refuse(http_stream_t *stream)
{
    http_stream_abort(stream, -ENOMEM);
}

static void echo(http_stream_t *stream, http_span_t body, void *userdata)
{
    (void)userdata;
    http_response_send(stream, body.data, body.len);
}

static void send_pieces(http_stream_t *stream, world_t *world)
{
    static const http_stream_callbacks_t callbacks = {.on_drained = on_drained};
    static char bytes[40000];

    http_stream_set_callbacks(stream, &callbacks, world);
    if (http_response_set(stream, HTTP_SPAN("X-A"), HTTP_SPAN("1")) < 0) {
        refuse(stream);
        return;
    }
    http_response_start(stream, -1);
    http_response_write(stream, "one", 3);
    world->lent++;
    http_response_write_nocopy(stream, bytes, sizeof(bytes), give_back, world);
    if (!http_response_is_full(stream))
        http_response_end(stream);
}

static void set_coder(http_stream_t *stream, void *arg)
{
    http_coding_t *coding;

    (void)arg;
    if (http_encoder_new(HTTP_CODING_GZIP, 1, 0, &coding) == 0)
        http_response__set_coding(stream, coding);
}

static void send_file(http_stream_t *stream, world_t *world, bool coded)
{
    static int fd = -1;
    http_file_part_t part = {.len = FILE_LEN, .release = release, .arg = world};

    if (fd < 0) {
        fd = (int)memfd_create("oom", MFD_CLOEXEC);
        assert_int_equal(ftruncate(fd, FILE_LEN), 0);
    }
    part.fd = fd;
    world->lent++;
    if (coded)
        http_stream_add_hook(stream, set_coder, NULL);
    http_response_send_file(stream, &part);
}

static void handler(http_stream_t *stream, void *userdata)
{
    static const http_stream_callbacks_t watching = {.on_close = on_close};
    world_t *world = userdata;
    const char *path = http_stream_request(stream)->path.data;

    if (world->forward)
        http_forward_handle(stream, world->forward);
    else if (world->proxy)
        http_proxy_handle(stream, world->proxy);
    else if (strcmp(path, "/later") == 0) {
        http_stream_set_callbacks(stream, &watching, world);
        world->later = stream;
    } else if (strcmp(path, "/echo") == 0) {
        if (http_stream_collect(stream, 0, echo, NULL) < 0)
            refuse(stream);
    } else if (strcmp(path, "/pieces") == 0)
        send_pieces(stream, world);
    else if (strcmp(path, "/file") == 0 || strcmp(path, "/coded") == 0)
        send_file(stream, world, path[1] == 'c');
    else {
        if (strcmp(path, "/drain") == 0)
            http_server_drain(world->server, 0, NULL, NULL);
        http_response_send(stream, "hello", 5);
    }
}

/* ---- the plain ends -------------------------------------------------------------------------- */

/* Whoever is behind answers once, and ends. */
static void be_behind(world_t *world)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    ssize_t n;

    if (world->behind < 0)
        world->behind = accept4(world->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (world->behind < 0)
        return;
    n = recv(world->behind, world->asked + world->asked_len,
             sizeof(world->asked) - 1 - world->asked_len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        close(world->behind);
        world->behind = -1;
        world->asked_len = 0;
        return;
    }
    world->asked_len += n > 0 ? (size_t)n : 0;
    world->asked[world->asked_len] = '\0';
    if (world->asked_len == 0 || !strstr(world->asked, "\r\n\r\n") ||
        (strstr(world->asked, "POST") && !strstr(world->asked, "abc")))
        return;
    (void)!send(world->behind, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
    shutdown(world->behind, SHUT_WR);
    world->asked_len = 0;
}

/* True at the end of the connection. */
static bool turn(world_t *world)
{
    bool eof = false;
    ssize_t n;

    hloop_wakeup(world->loop);
    hloop_run(world->loop);
    be_behind(world);
    if (world->later) {
        http_response_send(world->later, "hello", 5);
        world->later = NULL;
    }
    if (world->client < 0)
        return false;
    n = plain_drain(world->client, world->heard + world->heard_len,
                    sizeof(world->heard) - 1 - world->heard_len, &eof);
    world->heard_len += n > 0 ? (size_t)n : 0;
    return eof || n < 0;
}

static void open_world(world_t *world, struct sockaddr_in *addr)
{
    world->heard_len = world->asked_len = 0;
    world->lent = world->closes = world->err = 0;
    world->client = world->behind = -1;
    world->listener = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, addr);
}

static void close_world(world_t *world)
{
    hloop_free(&world->loop);
    if (world->client >= 0)
        close(world->client);
    if (world->behind >= 0)
        close(world->behind);
    close(world->listener);
    assert_int_equal(world->lent, 0);
}

/* ---- a server -------------------------------------------------------------------------------- */

static int make_proxies(world_t *world, const struct sockaddr_in *addr, bool proxied)
{
    http_forward_options_t forward_options = {0};
    char url[64];
    const char *target = url;
    http_proxy_options_t options = {.targets = &target, .target_count = 1};

    snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(addr->sin_port));
    if (world->forwards)
        return http_forward_new(world->loop, &forward_options, &world->forward);
    return proxied ? http_proxy_new(world->loop, &options, &world->proxy, NULL, 0) : 0;
}

/* The client's words, with the port of whoever is behind in the place of "PORT". */
static void say(world_t *world, const struct sockaddr_in *addr)
{
    char text[1024], *at;

    snprintf(text, sizeof(text), "%s", world->says);
    while ((at = strstr(text, "PORT"))) {
        char rest[1024], port[8];

        snprintf(rest, sizeof(rest), "%s", at + 4);
        snprintf(port, sizeof(port), "%d", ntohs(addr->sin_port));
        snprintf(at, sizeof(text) - (size_t)(at - text), "%s%s", port, rest);
    }
    assert_int_equal(send(world->client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    if (world->ends_half)
        shutdown(world->client, SHUT_WR);
}

static int ask_server(world_t *world, const struct sockaddr_in *addr)
{
    int fds[2], turns = 0;
    hio_t *io;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    world->client = fds[1];
    say(world, addr);
    io = hio_get(world->loop, fds[0]);
    if (!io) {
        close(fds[0]);
        return -ENOMEM;
    }
    http_server_accept(world->server, io, NULL, NULL);
    while (!turn(world)) {
        if (++turns > TURNS_MAX)
            return -ETIMEDOUT; /* it hangs */
    }
    world->heard[world->heard_len] = '\0';
    return memmem(world->heard, world->heard_len, world->wants, strlen(world->wants)) ? 0 : -ENOMEM;
}

static int serve(void *arg, bool proxied)
{
    world_t *world = arg;
    http_server_options_t options = {.handler = handler, .userdata = world};
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    struct sockaddr_in addr;
    int err = -ENOMEM;

    open_world(world, &addr);
    world->loop = hloop_new_with(&loop_options);
    if (world->loop)
        err = http_server_new(world->loop, &options, &world->server);
    if (err == 0)
        err = make_proxies(world, &addr, proxied);
    if (err == 0)
        err = ask_server(world, &addr);
    http_server_free(world->server);
    http_proxy_free(world->proxy);
    http_forward_free(world->forward);
    world->server = NULL;
    world->proxy = NULL;
    world->forward = NULL;
    world->later = NULL;
    close_world(world);
    return err;
}

static int server_scenario(void *arg)
{
    return serve(arg, false);
}

static int proxy_scenario(void *arg)
{
    return serve(arg, true);
}

static void run(oom_scenario_cb scenario, world_t model)
{
    world_t *world = malloc(sizeof(*world));

    assert_non_null(world);
    *world = model;
    oom_run(scenario, world);
    free(world);
}

static void a_server_does_without_memory(void **state)
{
    static const char *const says[] = {
        GET_LAST("/hello"),
        GET_LAST("/later"),
        GET_LAST("/drain"),
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" GET_LAST("/later"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(says); i++)
        run(server_scenario, (world_t){.says = says[i], .wants = "\r\n\r\nhello"});
}

static void bodies_do_without_memory(void **state)
{
    (void)state;
    run(server_scenario, (world_t){.says = GET_LAST("/pieces"), .wants = "\r\n0\r\n\r\n"});
    run(server_scenario, (world_t){.says = GET_LAST("/file"), .wants = "Content-Length: 100000"});
    run(server_scenario, (world_t){.says = GET_LAST("/coded"), .wants = "\r\n0\r\n\r\n"});
}

static void a_proxy_does_without_memory(void **state)
{
    (void)state;
    run(proxy_scenario, (world_t){.says = GET_LAST("/"), .wants = "\r\n\r\nhello"});
    run(proxy_scenario, (world_t){.says = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                                          "Connection: close\r\n\r\nabc",
                                  .wants = "\r\n\r\nhello"});
}

static void a_forward_proxy_does_without_memory(void **state)
{
    (void)state;
    run(proxy_scenario, (world_t){.forwards = true,
                                  .says = GET_LAST("http://127.0.0.1:PORT/"),
                                  .wants = "\r\n\r\nhello"});
    run(proxy_scenario, (world_t){.forwards = true,
                                  .ends_half = true,
                                  .says = "CONNECT 127.0.0.1:PORT HTTP/1.1\r\n"
                                          "Host: 127.0.0.1:PORT\r\n\r\nping\r\n\r\n",
                                  .wants = "\r\n\r\nhello"});
}

/* ---- a client -------------------------------------------------------------------------------- */

static void on_exchange_close(http_exchange_t *exchange, int err, void *userdata)
{
    world_t *world = userdata;

    (void)exchange;
    world->closes++;
    world->err = err;
}

static int exchange(world_t *world, http_peer_t *peer)
{
    static const http_exchange_callbacks_t callbacks = {.on_close = on_exchange_close};
    static const http_field_t host = {HTTP_SPAN("Host"), HTTP_SPAN("a"), HTTP_FIELD_HOST};
    http_exchange_request_t request = {.method = HTTP_SPAN("POST"),
                                       .target = HTTP_SPAN("/"),
                                       .fields = &host,
                                       .field_count = 1,
                                       .body_length = 3};
    http_exchange_t *e;
    int turns = 0, err = http_exchange_start(peer, &request, &callbacks, world, &e);

    if (err < 0)
        return err;
    err = http_exchange_write(e, "abc", 3);
    if (err == 0)
        err = http_exchange_end(e);
    if (err < 0)
        http_exchange_abort(e, err);
    /* Without memory for a timer it ends with its peer. */
    while (world->closes == 0 && turns < TURNS_MAX && (err == 0 || turns < 20)) {
        turns++;
        turn(world);
    }
    if (world->closes == 0 && err == 0)
        return -ETIMEDOUT;
    return world->err != 0 ? -ENOMEM : err;
}

static int exchange_scenario(void *arg)
{
    world_t *world = arg;
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    http_peer_options_t options = {0};
    http_peer_t *peer = NULL;
    struct sockaddr_in addr;
    char to[64];
    int err = -ENOMEM;

    open_world(world, &addr);
    snprintf(to, sizeof(to), "127.0.0.1:%d", ntohs(addr.sin_port));
    world->loop = hloop_new_with(&loop_options);
    if (world->loop)
        err = hendpoint_parse(&options.to, to, NULL, 0);
    if (err == 0)
        err = http_peer_new(world->loop, &options, &peer);
    if (err == 0)
        err = exchange(world, peer);
    http_peer_free(peer);
    close_world(world);
    return err;
}

static void a_client_does_without_memory(void **state)
{
    (void)state;
    run(exchange_scenario, (world_t){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_does_without_memory),
        cmocka_unit_test(bodies_do_without_memory),
        cmocka_unit_test(a_proxy_does_without_memory),
        cmocka_unit_test(a_forward_proxy_does_without_memory),
        cmocka_unit_test(a_client_does_without_memory),
    };

    return run_on_each_poller("http_oom", tests, ARRAY_LENGTH(tests));
}
