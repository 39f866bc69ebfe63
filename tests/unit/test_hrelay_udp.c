/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/hlisten.h"
#include "net/hrelay.h"
#include "net_fixture.h"
#include "oom.h"

#include <sys/resource.h>

/* Clients send to server, which relays to target: a plain socket that the test answers from. */
typedef struct world_s {
    hloop_t *loop;
    hio_t *server;
    hio_t *first; /* what hio_setup_udp_upstream gave */
    struct sockaddr_in server_addr;
    struct sockaddr_in target_addr;
    int target;
} world_t;

static int udp_socket(struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof(*addr);

    memset(addr, 0, sizeof(*addr));
    addr->sin_family = AF_INET;
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
    return fd;
}

static void begin(world_t *w)
{
    memset(w, 0, sizeof(*w));
    w->loop = fixture_loop();
    assert_non_null(w->loop);
    w->target = udp_socket(&w->target_addr);
    w->server = hio_get(w->loop, udp_socket(&w->server_addr));
    assert_non_null(w->server);
    w->first = hio_setup_udp_upstream(w->server, "127.0.0.1", ntohs(w->target_addr.sin_port));
    assert_non_null(w->first);
}

static void end(world_t *w)
{
    hloop_free(&w->loop);
    if (w->target >= 0)
        close(w->target);
}

static int new_client(const world_t *w)
{
    struct sockaddr_in addr;
    int fd = udp_socket(&addr);

    assert_int_equal(connect(fd, (const struct sockaddr *)&w->server_addr, sizeof(addr)), 0);
    return fd;
}

static bool is_readable(void *arg)
{
    char byte;

    return recv(*(int *)arg, &byte, 1, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC) >= 0;
}

/* Waits for a datagram at fd and checks its text; from may be NULL. */
static void expect(world_t *w, int fd, const char *text, struct sockaddr_in *from)
{
    socklen_t len = sizeof(*from);
    char buf[64];
    ssize_t n;

    fixture_run(w->loop, is_readable, &fd);
    n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)from, from ? &len : NULL);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static void reply(world_t *w, const char *text, const struct sockaddr_in *to)
{
    assert_int_equal(
        sendto(w->target, text, strlen(text), 0, (const struct sockaddr *)to, sizeof(*to)),
        strlen(text));
}

static hrelay_stats_t stats_of(const hio_t *io)
{
    hrelay_stats_t stats;

    assert_int_equal(hrelay_stats(io, &stats), 0);
    return stats;
}

static void clients_of_the_udp_proxy_are_not_mixed_up(void **state)
{
    struct sockaddr_in from[3];
    int client[3];
    char text[8];
    world_t w;

    (void)state;
    begin(&w);
    assert_ptr_equal(hio_get_upstream(w.server), w.first);
    assert_ptr_equal(hio_get_upstream(w.first), w.server);
    for (int i = 0; i < 3; i++) {
        client[i] = new_client(&w);
        snprintf(text, sizeof(text), "ask %d", i);
        fixture_send(client[i], text, 5);
        expect(&w, w.target, text, &from[i]);
    }
    assert_true(from[0].sin_port != from[1].sin_port && from[1].sin_port != from[2].sin_port);
    for (int i = 2; i >= 0; i--) { /* the last to ask is not the first to be answered */
        snprintf(text, sizeof(text), "say %d", i);
        reply(&w, text, &from[(i + 1) % 3]);
        expect(&w, client[(i + 1) % 3], text, NULL);
    }
    fixture_settle(w.loop);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(recv(client[i], text, sizeof(text), MSG_DONTWAIT), -1);
        fixture_send(client[i], "again", 5);
        expect(&w, w.target, "again", &from[i]);
    }
    assert_int_equal(stats_of(w.server).clients, 3);
    assert_int_equal(stats_of(w.server).sent_bytes, 30);
    assert_int_equal(stats_of(w.server).received_bytes, 15);
    assert_int_equal(stats_of(w.first).sent_bytes, 15);
    assert_int_equal(hloop_nios(w.loop), 4);
    for (int i = 0; i < 3; i++)
        close(client[i]);
    end(&w);
}

static void large_and_empty_datagrams_stay_whole(void **state)
{
    static char big[60000], got[65536];
    struct sockaddr_in from;
    int client;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    fixture_send(client, big, sizeof(big));
    fixture_run(w.loop, is_readable, &w.target);
    assert_int_equal(recv(w.target, got, sizeof(got), 0), sizeof(big));
    fixture_send(client, "", 0);
    expect(&w, w.target, "", &from);
    reply(&w, "", &from);
    expect(&w, client, "", NULL);
    close(client);
    end(&w);
}

static int fd_limit_soft; /* as it was */

static void limit_fds(rlim_t n)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (fd_limit_soft == 0)
        fd_limit_soft = (int)limit.rlim_cur;
    limit.rlim_cur = n;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        skip();
}

/* A client of its own, by its address: 127.0.0.2, 127.0.0.3 ... */
static int numbered_client(const world_t *w, int i)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET};

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)i);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&w->server_addr, sizeof(addr)), 0);
    return fd;
}

static void past_the_maximum_the_one_that_was_silent_longest_goes(void **state)
{
    const int extra = 40;
    struct sockaddr_in from;
    hloop_stats_t stats;
    int client = -1;
    world_t w;

    (void)state;
    begin(&w);
    hloop_stats(w.loop, &stats);
    if (strcmp(stats.poller, "select") == 0) { /* it knows 1024 descriptors */
        end(&w);
        skip();
    }
    limit_fds(HRELAY_UDP_CLIENTS_MAX + 100);
    for (int i = 0; i < HRELAY_UDP_CLIENTS_MAX + extra; i++) {
        if (client >= 0)
            close(client);
        client = numbered_client(&w, i);
        fixture_send(client, "x", 1);
        expect(&w, w.target, "x", &from);
    }
    assert_int_equal(stats_of(w.server).clients, HRELAY_UDP_CLIENTS_MAX);
    fixture_settle(w.loop);
    assert_int_equal(hloop_nios(w.loop), HRELAY_UDP_CLIENTS_MAX + 1);
    reply(&w, "last", &from);
    expect(&w, client, "last", NULL);
    close(client);
    end(&w);
    limit_fds((rlim_t)fd_limit_soft);
}

static void without_descriptors_the_one_that_was_silent_longest_makes_room(void **state)
{
    struct sockaddr_in from;
    int client[3], next;
    char byte;
    world_t w;

    (void)state;
    begin(&w);
    for (int i = 0; i < 3; i++)
        client[i] = numbered_client(&w, i);
    for (int i = 0; i < 2; i++) {
        fixture_send(client[i], "x", 1);
        expect(&w, w.target, "x", &from);
    }
    next = dup(w.target);
    close(next);
    limit_fds((rlim_t)next); /* nothing more can be opened */
    fixture_send(client[2], "lost", 4);
    fixture_settle(w.loop);
    assert_int_equal(recv(w.target, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(stats_of(w.server).dropped, 1);
    assert_int_equal(stats_of(w.server).clients, 1);
    limit_fds((rlim_t)fd_limit_soft);
    fixture_send(client[2], "here", 4);
    expect(&w, w.target, "here", &from);
    reply(&w, "you", &from);
    expect(&w, client[2], "you", NULL);
    for (int i = 0; i < 3; i++)
        close(client[i]);
    end(&w);
}

static void only_the_target_is_heard(void **state)
{
    struct sockaddr_in from, addr;
    int client, stranger;
    char byte;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    stranger = udp_socket(&addr);
    fixture_send(client, "ask", 3);
    expect(&w, w.target, "ask", &from);
    sendto(stranger, "lie", 3, 0, (struct sockaddr *)&from, sizeof(from));
    fixture_settle(w.loop);
    assert_int_equal(recv(client, &byte, 1, MSG_DONTWAIT), -1);
    reply(&w, "truth", &from);
    expect(&w, client, "truth", NULL);
    close(stranger);
    close(client);
    end(&w);
}

static bool has_no_clients(void *arg)
{
    return stats_of(((world_t *)arg)->server).clients == 0;
}

static void a_target_that_is_gone_ends_no_more_than_the_session(void **state)
{
    struct sockaddr_in from;
    int client;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    close(w.target);
    fixture_send(client, "ask", 3);
    for (int i = 0; i < 4; i++)
        hloop_run(w.loop);
    fixture_run(w.loop, has_no_clients, &w);
    w.target = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w.target, (struct sockaddr *)&w.target_addr, sizeof(w.target_addr)), 0);
    fixture_send(client, "again", 5);
    expect(&w, w.target, "again", &from);
    reply(&w, "here", &from);
    expect(&w, client, "here", NULL);
    close(client);
    end(&w);
}

static void a_session_that_was_idle_ends_and_its_client_gets_a_new_one(void **state)
{
    struct sockaddr_in from[2];
    int client;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    fixture_send(client, "ask", 3);
    expect(&w, w.target, "ask", &from[0]);
    hio_set_keepalive_timeout(w.first, 10); /* as HRELAY_UDP_IDLE_MS, but sooner */
    fixture_run(w.loop, has_no_clients, &w);
    assert_int_equal(hloop_nios(w.loop), 1);
    fixture_send(client, "again", 5);
    expect(&w, w.target, "again", &from[1]);
    reply(&w, "here", &from[1]);
    expect(&w, client, "here", NULL);
    close(client);
    end(&w);
}

static void closing_the_server_ends_its_sessions(void **state)
{
    int client[2];
    world_t w;

    (void)state;
    for (int way = 0; way < 3; way++) {
        begin(&w);
        for (int i = 0; i < 2; i++) {
            client[i] = new_client(&w);
            fixture_send(client[i], "x", 1);
            if (way > 0)
                expect(&w, w.target, "x", NULL);
        }
        if (way == 2)
            hio_abort(w.server, -EPROTO);
        else
            hio_close(w.server);
        fixture_settle(w.loop);
        assert_int_equal(hloop_nios(w.loop), 0);
        close(client[0]);
        close(client[1]);
        end(&w);
    }
}

static void close_server(hio_t *io, void *buf, int len)
{
    hio_write_upstream(io, buf, len);
    hio_close_upstream(io);
    hio_close(io);
    hio_write_upstream(io, buf, len);
}

static void callbacks_may_close_either_side(void **state)
{
    int client;
    world_t w;

    (void)state;
    for (int at_server = 0; at_server < 2; at_server++) {
        begin(&w);
        hio_setcb_read(at_server ? w.server : w.first, close_server);
        client = new_client(&w);
        fixture_send(client, "x", 1);
        fixture_send(client, "y", 1);
        if (!at_server) {
            struct sockaddr_in from;

            expect(&w, w.target, "x", &from);
            reply(&w, "z", &from);
            expect(&w, client, "z", NULL);
        }
        for (int i = 0; i < 4; i++)
            fixture_settle(w.loop);
        assert_int_equal(hloop_nios(w.loop), 0);
        close(client);
        end(&w);
    }
}

static void bad_arguments_give_null_and_leave_the_server(void **state)
{
    struct sockaddr_in addr;
    hio_t *io;
    int fds[2];
    world_t w;

    (void)state;
    begin(&w);
    errno = 0;
    assert_null(hio_setup_udp_upstream(w.server, "127.0.0.1", 9)); /* it has one */
    assert_int_equal(errno, EINVAL);
    assert_ptr_equal(hio_get_upstream(w.server), w.first);
    io = hio_get(w.loop, udp_socket(&addr));
    assert_null(hio_setup_udp_upstream(io, "127.0.0.1", 70000));
    assert_null(hio_get_upstream(io));
    fixture_tcp_pair(fds);
    assert_null(hio_setup_udp_upstream(hio_get(w.loop, fds[0]), "127.0.0.1", 9));
    close(fds[1]);
    end(&w);
}

static void a_server_at_a_unix_path_keeps_it_while_it_relays(void **state)
{
    char path[64];
    hio_t *io;
    world_t w;

    (void)state;
    begin(&w);
    snprintf(path, sizeof(path), "/tmp/hrelay-%ld.sock", (long)getpid());
    unlink(path);
    io = hio_create_socket(w.loop, path, -1, HIO_TYPE_UNIX_DGRAM, HIO_SERVER_SIDE);
    assert_non_null(io);
    assert_non_null(hio_setup_udp_upstream(io, "127.0.0.1", ntohs(w.target_addr.sin_port)));
    assert_int_equal(access(path, F_OK), 0);
    hio_close(io);
    fixture_settle(w.loop);
    assert_int_equal(access(path, F_OK), -1);
    end(&w);
}

static void a_target_at_a_unix_path_can_answer(void **state)
{
    struct sockaddr_un from;
    socklen_t len = sizeof(from);
    char path[64], buf[8];
    int client, target;
    haddr_t addr;
    world_t w;

    (void)state;
    begin(&w);
    snprintf(path, sizeof(path), "@hrelay-%ld", (long)getpid());
    assert_int_equal(haddr_unix(&addr, path), 0);
    target = hsocket_listen(&addr, SOCK_DGRAM, NULL);
    assert_true(target >= 0);
    hio_close(w.server);
    w.server = hio_get(w.loop, udp_socket(&w.server_addr));
    assert_non_null(hio_setup_udp_upstream(w.server, path, -1));
    client = new_client(&w);
    fixture_send(client, "ask", 3);
    fixture_run(w.loop, is_readable, &target);
    assert_int_equal(recvfrom(target, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 3);
    assert_int_equal(sendto(target, "say", 3, 0, (struct sockaddr *)&from, len), 3);
    expect(&w, client, "say", NULL);
    close(client);
    close(target);
    end(&w);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int oom_drive(world_t *w, int client)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    int err = 0;
    char buf[8];

    w->first = hio_setup_udp_upstream(w->server, "127.0.0.1", ntohs(w->target_addr.sin_port));
    if (!w->first)
        return errno ? -errno : -EPROTO;
    for (int i = 0; i < 40 && err == 0; i++) {
        send(client, "ask", 3, 0);
        err = hloop_run(w->loop);
        if (recvfrom(w->target, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len) == 3)
            sendto(w->target, "say", 3, 0, (struct sockaddr *)&from, len);
        if (recv(client, buf, sizeof(buf), MSG_DONTWAIT) == 3)
            return 0;
    }
    return err ? err : -ENOMEM; /* a loop without memory for what is ready does not get on */
}

static int oom_scenario(void *arg)
{
    world_t w = {.target = -1};
    int fd, client, err = -ENOMEM;

    (void)arg;
    w.loop = fixture_loop();
    if (!w.loop)
        return -ENOMEM;
    w.target = udp_socket(&w.target_addr);
    fd = udp_socket(&w.server_addr);
    client = new_client(&w);
    w.server = hio_get(w.loop, fd);
    if (w.server)
        err = oom_drive(&w, client);
    else
        close(fd);
    end(&w);
    close(client);
    return err;
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    oom_run(oom_scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_of_the_udp_proxy_are_not_mixed_up),
        cmocka_unit_test(large_and_empty_datagrams_stay_whole),
        cmocka_unit_test(past_the_maximum_the_one_that_was_silent_longest_goes),
        cmocka_unit_test(without_descriptors_the_one_that_was_silent_longest_makes_room),
        cmocka_unit_test(only_the_target_is_heard),
        cmocka_unit_test(a_target_that_is_gone_ends_no_more_than_the_session),
        cmocka_unit_test(a_session_that_was_idle_ends_and_its_client_gets_a_new_one),
        cmocka_unit_test(closing_the_server_ends_its_sessions),
        cmocka_unit_test(callbacks_may_close_either_side),
        cmocka_unit_test(bad_arguments_give_null_and_leave_the_server),
        cmocka_unit_test(a_server_at_a_unix_path_keeps_it_while_it_relays),
        cmocka_unit_test(a_target_at_a_unix_path_can_answer),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests_name("hrelay_udp", tests, NULL, NULL);
}
