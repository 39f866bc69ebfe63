/* A server survives any client: what it was asked is answered or ended, once each, and all that it
 * borrowed is given back. The first byte says how the bytes are cut, the second what else happens:
 *
 *     1  the client ends its half     2  it reads nothing      4  the server drains
 *     8  HTTP/0.9 is spoken          16  PROXY headers        32  the client goes away at once */
#include "event/hio.h"
#include "proto/http_server.h"
#include "proto/http_stream_int.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_MAX 64
#define FILE_LEN 200000
#define TURNS 12

typedef struct world_s {
    http_stream_t *kept[KEPT_MAX]; /* to be gone on with from outside */
    size_t kept_count;
    int handled, done, lent;
} world_t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static world_t *world_of(http_stream_t *stream)
{
    return http_server_userdata(http_stream_server(stream));
}

/* ---- the program ----------------------------------------------------------------------------- */

static void forget(world_t *world, const http_stream_t *stream)
{
    for (size_t i = 0; i < world->kept_count; i++) {
        if (world->kept[i] == stream)
            world->kept[i--] = world->kept[--world->kept_count];
    }
}

static void on_done(http_stream_t *stream, int err, void *userdata)
{
    (void)err;
    ((world_t *)userdata)->done++;
    forget(userdata, stream);
}

static void give_back(void *buf, void *arg)
{
    (void)buf;
    ((world_t *)arg)->lent--;
}

static void release(void *arg)
{
    ((world_t *)arg)->lent--;
}

static void on_body(http_stream_t *stream, http_span_t data, void *userdata)
{
    (void)userdata;
    if (!http_response_started(stream))
        http_response_start(stream, -1);
    http_response_write(stream, data.data, data.len);
    if (data.len > 3 && data.data[0] == '!')
        http_stream_pause(stream);
    if (data.len > 3 && data.data[0] == '?')
        http_stream_abort(stream, -EPROTO);
}

static void on_body_end(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    if (!http_response_started(stream))
        http_response_start(stream, -1);
    http_response_end(stream);
}

static void on_drained(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    http_response_end(stream);
}

static const http_stream_callbacks_t callbacks = {
    .on_body = on_body, .on_body_end = on_body_end, .on_drained = on_drained};
static const http_stream_callbacks_t filling = {.on_drained = on_drained};

static void keep(http_stream_t *stream)
{
    world_t *world = world_of(stream);

    if (world->kept_count < KEPT_MAX)
        world->kept[world->kept_count++] = stream;
    else
        http_response_send(stream, "full", 4);
}

static void echo(http_stream_t *stream, http_span_t body, void *userdata)
{
    (void)userdata;
    http_response_send(stream, body.data, body.len);
}

static void set_coder(http_stream_t *stream, void *arg)
{
    http_coding_t *coding;

    (void)arg;
    if (http_encoder_new(HTTP_CODING_GZIP, 1, 0, &coding) == 0)
        http_response__set_coding(stream, coding);
}

static http_file_part_t file_of(world_t *world)
{
    static int fd = -1;

    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        check(fd >= 0 && ftruncate(fd, FILE_LEN) == 0);
    }
    world->lent++;
    return (http_file_part_t){.fd = fd, .len = FILE_LEN, .release = release, .arg = world};
}

static void send_lent(http_stream_t *stream)
{
    static char bytes[40000];

    world_of(stream)->lent++;
    http_response_send_nocopy(stream, bytes, sizeof(bytes), give_back, world_of(stream));
}

static void send_file(http_stream_t *stream)
{
    http_file_part_t part = file_of(world_of(stream));

    http_response_send_file(stream, &part);
}

static void send_pieces(http_stream_t *stream)
{
    http_file_part_t part = file_of(world_of(stream));
    const http_request_t *request = http_stream_request(stream);

    http_stream_set_callbacks(stream, &filling, NULL);
    http_response_interim(stream, 103);
    http_response_start(stream, request->query.len > 0 ? FILE_LEN : -1);
    http_response_write_file(stream, &part);
    if (!http_response_is_full(stream))
        http_response_end(stream);
}

static void handler(http_stream_t *stream, void *userdata)
{
    const http_request_t *request = http_stream_request(stream);
    char kind = request->path.len > 1 ? request->path.data[1] : ' ';
    bool tunnel = request->method == HTTP_METHOD_CONNECT || kind == 'u';

    ((world_t *)userdata)->handled++;
    http_response_set(stream, HTTP_SPAN("X-Query"), request->query);
    if (request->path.len > 2 && request->path.data[2] == 'z')
        http_stream_add_hook(stream, set_coder, NULL);
    if (tunnel || kind == 'b' || kind == 'p')
        http_stream_set_callbacks(stream, &callbacks, NULL);
    if (tunnel) {
        http_response_status(stream, kind == 'u' ? 101 : 200);
        http_response_start(stream, -1);
    } else if (kind == 'a' || kind == 'p') {
        http_stream_pause(stream);
        keep(stream);
    } else if (kind == 'c') {
        http_stream_collect(stream, 1000, echo, NULL);
    } else if (kind == 'l') {
        send_lent(stream);
    } else if (kind == 'f') {
        send_file(stream);
    } else if (kind == 'w') {
        send_pieces(stream);
    } else if (kind == 'r') {
        http_response_redirect(stream, 302, request->query);
    } else if (kind == 'x') {
        http_stream_abort(stream, -ECANCELED);
    } else if (kind != 'b') {
        http_response_send(stream, "hello", 5);
    }
}

/* ---- the client ------------------------------------------------------------------------------ */

static void hear(int fd)
{
    char buf[65536];

    while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
        ;
}

static void turn(hloop_t *loop, int fd, int flags)
{
    hloop_wakeup(loop);
    hloop_run(loop);
    if (!(flags & 2) && fd >= 0)
        hear(fd);
}

/* What the program does later: the first one is answered, or goes on. */
static void go_on(world_t *world)
{
    http_stream_t *stream = world->kept_count > 0 ? world->kept[0] : NULL;

    if (!stream)
        return;
    forget(world, stream);
    http_stream_resume(stream);
    if (http_stream_request(stream)->path.data[1] == 'a')
        send_lent(stream);
}

static void talk(hloop_t *loop, world_t *world, int fd, const uint8_t *data, size_t size)
{
    size_t piece = data[0] > 0 ? data[0] : size;
    int flags = data[1];

    for (size_t at = 2; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;

        if (send(fd, data + at, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn(loop, fd, flags);
        go_on(world);
    }
    if (flags & 1)
        shutdown(fd, SHUT_WR);
    for (int i = 0; i < TURNS && !(flags & 32); i++) {
        turn(loop, fd, i < TURNS / 2 ? flags : 0);
        go_on(world);
    }
}

static void on_server_drained(http_server_t *server, void *arg)
{
    (void)server;
    *(bool *)arg = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE};
    http_server_options_t options = {.handler = handler, .on_done = on_done, .name = "fuzz"};
    world_t world = {0};
    http_server_stats_t stats;
    http_server_t *server;
    bool drained = false;
    hloop_t *loop;
    int fds[2];

    if (size < 3)
        return 0;
    signal(SIGPIPE, SIG_IGN);
    options.userdata = &world;
    options.limits.http09 = data[1] & 8;
    options.proxy_protocol = data[1] & 16;
    loop = hloop_new_with(&loop_options);
    check(loop && http_server_new(loop, &options, &server) == 0);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    http_server_accept(server, hio_get(loop, fds[0]), NULL, NULL);
    if (data[1] & 4)
        http_server_drain(server, 0, on_server_drained, &drained);
    talk(loop, &world, fds[1], data, size);
    close(fds[1]);
    for (int i = 0; i < TURNS; i++)
        turn(loop, -1, 0);
    http_server_stats(server, &stats);
    check(stats.requests == (uint64_t)world.handled);
    http_server_free(server);
    hloop_free(&loop);
    check(world.done >= world.handled && world.lent == 0 && world.kept_count == 0);
    return 0;
}
