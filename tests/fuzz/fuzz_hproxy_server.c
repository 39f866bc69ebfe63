/* A proxy survives any client: each session is told of once, what is under way ends with the
 * server, and what is relayed of a request that has a body is never more than its head and that
 * body. The first byte says how the bytes are cut, the second what else happens:
 *
 *     1  the client ends its half     2  users have to log in     4  the policy says no
 *     8  rules, and datagrams        16  the other side answers  32  the client goes at once
 *    64  the server goes before it
 *
 * Wherever a client wants to go it gets to a socket of the test's; datagrams go nowhere. */
#include "base/herr.h"
#include "event/hio.h"
#include "net/hproxy_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS 8

typedef struct world_s {
    hloop_t *loop;
    hproxy_server_t *server;
    int told, flags;
    int listener, upstream, udp;
    char name[64]; /* of the listener */
    socklen_t addr_len;
} world_t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static int on_policy(hproxy_session_t *session, void *arg)
{
    const world_t *world = arg;

    check(session->method[0] && strlen(session->to.host) < HENDPOINT_HOST_SIZE);
    if (world->flags & 4)
        return -EACCES;
    if (world->flags & 8)
        return 0;
    return hendpoint_set(&session->to, HENDPOINT_UNIX, world->name, 0);
}

static void on_session(const hproxy_session_t *session, hio_t *upstream, int err, const char *text,
                       void *arg)
{
    world_t *world = arg;

    world->told++;
    check(text[0] && session->why >= text && session->why <= text + strlen(text));
    check(!(err < 0 && upstream));
    check(!(err == 0 && world->flags & 2) || strcmp(session->user, "user") == 0);
    check(!(err == 0 && world->flags & 4));
}

static void open_listener(world_t *world)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    check(world->listener >= 0 &&
          bind(world->listener, (struct sockaddr *)&addr, sizeof(sa_family_t)) == 0 &&
          listen(world->listener, 8) == 0);
    world->addr_len = sizeof(addr);
    check(getsockname(world->listener, (struct sockaddr *)&addr, &world->addr_len) == 0);
    snprintf(world->name, sizeof(world->name), "@%.60s", addr.sun_path + 1);
}

static void turn(world_t *world, int fd)
{
    char buf[65536];

    hloop_wakeup(world->loop);
    hloop_run(world->loop);
    while (fd >= 0 && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
        ;
    if (world->upstream < 0)
        world->upstream = accept4(world->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (world->upstream >= 0 && world->flags & 16)
        (void)send(world->upstream, "HTTP/1.1 200 OK\r\n\r\nx", 20, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (world->upstream >= 0 && recv(world->upstream, buf, sizeof(buf), MSG_DONTWAIT) > 0)
        ;
}

/* To every socket of datagrams of this process but its own: that is where an association is. */
static void send_datagram(world_t *world, const uint8_t *data, size_t len)
{
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_in addr;
        socklen_t addr_len = sizeof(addr);
        int type = 0;
        socklen_t type_len = sizeof(type);

        if (fd == world->udp || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0 ||
            type != SOCK_DGRAM || getsockname(fd, (struct sockaddr *)&addr, &addr_len) != 0 ||
            addr.sin_family != AF_INET || ntohl(addr.sin_addr.s_addr) != INADDR_LOOPBACK)
            continue;
        (void)sendto(world->udp, data, len, MSG_DONTWAIT, (struct sockaddr *)&addr, addr_len);
    }
}

static void talk(world_t *world, int fd, const uint8_t *data, size_t size)
{
    size_t piece = data[0] > 0 ? data[0] : size;

    for (size_t at = 2; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;

        if (world->flags & 8)
            send_datagram(world, data + at, len);
        if (send(fd, data + at, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn(world, fd);
    }
    if (world->flags & 1)
        shutdown(fd, SHUT_WR);
    for (int i = 0; i < TURNS && !(world->flags & 32); i++)
        turn(world, fd);
}

static void run(world_t *world, const hproxy_server_options_t *options, const uint8_t *data,
                size_t size)
{
    int fds[2], told;

    check(hproxy_server_new(world->loop, options, &world->server) == 0);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    check(hproxy_server_accept(world->server, hio_get(world->loop, fds[0])) == 0);
    talk(world, fds[1], data, size);
    if (!(world->flags & 64)) {
        close(fds[1]);
        /* Only a dial that still goes on keeps a session from its end. */
        for (int i = 0; i < TURNS; i++)
            turn(world, -1);
    }
    check((size_t)world->told + hproxy_server_pending(world->server) == 1);
    told = world->told;
    hproxy_server_free(world->server);
    for (int i = 0; i < 2; i++)
        turn(world, -1);
    check(world->told == told);
    if (world->flags & 64)
        close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE};
    hdns_options_t dns_options = {.servers = "127.0.0.1:9", .hosts_file = "", .tries = 1};
    hproxy_server_options_t options = {
        .serve = HPROXY_SERVE_ALL | HPROXY_SERVE_UDP, .policy = on_policy, .session = on_session};
    world_t world = {.upstream = -1};
    hdestination_t *list = NULL;

    if (size < 3)
        return 0;
    signal(SIGPIPE, SIG_IGN);
    world.flags = data[1];
    world.loop = hloop_new_with(&loop_options);
    open_listener(&world);
    world.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    options.arg = &world;
    check(world.loop && hdns_new(world.loop, &dns_options, &options.dial.dns) == 0);
    check(hdestination_new(&list) == 0 &&
          hdestination_add(list, "allow 127.0.0.0/8:9 deny.example", NULL, 0) == 0);
    if (world.flags & 2)
        options.user = "user", options.password = "secret";
    if (world.flags & 8)
        options.destinations = list;
    run(&world, &options, data, size);
    hdns_free(options.dial.dns);
    hloop_free(&world.loop);
    hdestination_free(list);
    close(world.listener);
    close(world.udp);
    if (world.upstream >= 0)
        close(world.upstream);
    return 0;
}
