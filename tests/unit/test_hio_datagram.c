/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"

#define CLIENTS 20
#define LARGEST 65507 /* of UDP over IPv4 */

static hloop_t *loop;
static seen_t seen;
static hio_t *io;
static struct sockaddr_in addr; /* of the server */

/* What came, each with its length and its sender's port. */
static struct {
    int len;
    in_port_t port;
} got[4096];
static int got_n;

static void on_note(hio_t *self, void *buf, int len)
{
    const struct sockaddr_in *sender = (struct sockaddr_in *)hio_peeraddr(self);

    seen_on_read(self, buf, len);
    seen.got = 0; /* each datagram begins the pattern anew */
    assert_int_equal(sender->sin_family, AF_INET);
    assert_int_equal(hio_peeraddr_len(self), sizeof(*sender));
    got[got_n].len = len;
    got[got_n++ % 4095].port = sender->sin_port;
}

static void on_echo(hio_t *self, void *buf, int len)
{
    on_note(self, buf, len);
    assert_int_equal(hio_write(self, buf, (size_t)len), len);
}

static int setup(void **state)
{
    loop_test_setup(state);
    loop = new_loop();
    io = observe(hio_get(loop, bound_socket(SOCK_DGRAM, &addr)), &seen);
    hio_setcb_read(io, on_note);
    hio_read(io);
    got_n = 0;
    return 0;
}

static int new_client(in_port_t *port)
{
    struct sockaddr_in own;
    int fd = bound_socket(SOCK_DGRAM, &own);

    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    *port = own.sin_port;
    return fd;
}

static void each_datagram_comes_with_its_sender(void **state)
{
    int fds[CLIENTS];
    in_port_t ports[CLIENTS];

    (void)state;
    assert_int_equal(hio_type(io), HIO_TYPE_UDP);
    for (int i = 0; i < CLIENTS; i++) {
        char text[CLIENTS];

        fds[i] = new_client(&ports[i]);
        for (int j = 0; j < i; j++)
            text[j] = pattern((size_t)j);
        assert_int_equal(send(fds[i], text, (size_t)i, 0), i); /* an empty one too */
    }
    RUN_UNTIL(loop, got_n == CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(got[i].len, i);
        assert_int_equal(got[i].port, ports[i]);
        close(fds[i]);
    }
    assert_false(seen.mangled);
    assert_int_equal(seen.closes, 0);
    hloop_free(&loop);
}

static void udp_is_not_truncated_to_8_kib(void **state)
{
    static const int sizes[] = {0, 1, 8191, 8192, 8193, 60000, LARGEST};
    char *data = new_pattern(LARGEST), *back = malloc(LARGEST + 1);
    in_port_t port;
    int fd = new_client(&port);

    (void)state;
    hio_setcb_read(io, on_echo);
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        assert_int_equal(send(fd, data, (size_t)sizes[i], 0), sizes[i]);
        RUN_UNTIL(loop, got_n == (int)i + 1);
        assert_int_equal(got[i].len, sizes[i]);
        assert_int_equal(recv(fd, back, LARGEST + 1, 0), sizes[i]);
        assert_memory_equal(back, data, sizes[i]);
    }
    assert_false(seen.mangled);
    hloop_free(&loop);
    close(fd);
    free(data);
    free(back);
}

/* Many are waiting when the loop looks; each answer goes to the one
 * that asked, though they leave together. */
static void udp_clients_are_not_mixed_up(void **state)
{
    int fds[CLIENTS];
    in_port_t port;

    (void)state;
    hio_setcb_read(io, on_echo);
    assert_int_equal(hio_set_datagram_batch(io, 64), 0);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = new_client(&port);
    for (int round = 0; round < 20; round++) {
        int before = got_n;

        for (int i = 0; i < CLIENTS; i++) {
            uint32_t name = (uint32_t)(round * 100 + i);

            assert_int_equal(send(fds[i], &name, 4, 0), 4);
        }
        RUN_UNTIL(loop, got_n == before + CLIENTS);
        for (int i = 0; i < CLIENTS; i++) {
            uint32_t name;

            assert_int_equal(recv(fds[i], &name, 4, 0), 4);
            assert_int_equal(name, round * 100 + i);
            assert_int_equal(recv(fds[i], &name, 4, MSG_DONTWAIT), -1); /* and no other */
        }
    }
    hloop_free(&loop);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
}

static void batches_of_64_lose_nothing(void **state)
{
    in_port_t port;
    int fd = new_client(&port);
    hloop_stats_t before, after;

    (void)state;
    assert_int_equal(hio_set_datagram_batch(io, 0), -EINVAL);
    assert_int_equal(hio_set_datagram_batch(io, 65), -EINVAL);
    assert_int_equal(hio_set_datagram_batch(io, 64), 0);
    for (int i = 0; i < 64; i++)
        assert_int_equal(send(fd, "x", 1, 0), 1);
    hloop_stats(loop, &before);
    RUN_UNTIL(loop, got_n == 64);
    hloop_stats(loop, &after);
    assert_true(after.iterations - before.iterations <= 3);
    assert_int_equal(after.read_bytes - before.read_bytes, 64);
    hloop_free(&loop);
    close(fd);
}

static void on_stop_reading(hio_t *self, void *buf, int len)
{
    on_note(self, buf, len);
    if (got_n == 3)
        hio_read_stop(self);
}

/* What the kernel has given up is delivered, then it is quiet, then it goes on. */
static void reading_stopped_within_a_batch_can_start_again(void **state)
{
    in_port_t port;
    int fd = new_client(&port);

    (void)state;
    hio_setcb_read(io, on_stop_reading);
    for (int i = 0; i < 10; i++)
        assert_int_equal(send(fd, "x", 1, 0), 1);
    RUN_UNTIL(loop, got_n >= 3);
    assert_int_equal(got_n, 10);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    settle(loop);
    assert_int_equal(got_n, 10);
    hio_read(io);
    RUN_UNTIL(loop, got_n == 11);
    hloop_free(&loop);
    close(fd);
}

static void read_once_takes_one_datagram(void **state)
{
    in_port_t port;
    int fd = new_client(&port);

    (void)state;
    hio_read_stop(io);
    hio_read_once(io);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send(fd, "x", 1, 0), 1);
    RUN_UNTIL(loop, got_n == 1);
    settle(loop);
    assert_int_equal(got_n, 1);
    hio_read_once(io);
    RUN_UNTIL(loop, got_n == 2);
    hloop_free(&loop);
    close(fd);
}

static void on_read_close(hio_t *self, void *buf, int len)
{
    on_note(self, buf, len);
    hio_close(self);
}

static void closing_within_a_batch_ends_it(void **state)
{
    in_port_t port;
    int fd = new_client(&port);

    (void)state;
    hio_setcb_read(io, on_read_close);
    for (int i = 0; i < 10; i++)
        assert_int_equal(send(fd, "x", 1, 0), 1);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(got_n, 1);
    hloop_free(&loop);
    close(fd);
}

static void a_datagram_that_is_too_long_is_refused_alone(void **state)
{
    char *data = new_pattern(LARGEST + 1);
    struct sockaddr_in other;
    int fd = bound_socket(SOCK_DGRAM, &other);
    char byte;

    (void)state;
    assert_int_equal(hio_sendto(io, data, LARGEST + 1, (struct sockaddr *)&other, sizeof(other)),
                     -EMSGSIZE);
    assert_int_equal(hio_sendto(io, data, 1 << 20, (struct sockaddr *)&other, sizeof(other)),
                     -EMSGSIZE);
    assert_int_equal(hio_sendto(io, data, 1, (struct sockaddr *)&other, 1000), -EINVAL);
    assert_int_equal(hio_sendto(io, data, 1, (struct sockaddr *)&other, sizeof(other)), 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    hloop_free(&loop);
    close(fd);
    free(data);
}

static void without_an_address_there_is_nowhere_to_send(void **state)
{
    (void)state;
    assert_int_equal(hio_write(io, "x", 1), -EDESTADDRREQ);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(hio_sendto(io, "x", 1, (struct sockaddr *)&addr, sizeof(addr)), HERR_CLOSED);
    hloop_free(&loop);
}

static int frees;

static void on_free(void *buf, void *arg)
{
    (void)buf;
    assert_null(arg);
    frees++;
}

static void a_connected_client_talks_to_its_peer(void **state)
{
    seen_t client;
    char *data = new_pattern(100);
    hio_t *sender = observe(hio_get(loop, socket(AF_INET, SOCK_DGRAM, 0)), &client);

    (void)state;
    hio_setcb_read(io, on_echo);
    assert_int_equal(hio_set_peeraddr(sender, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(hio_connect(sender), 0);
    hio_read(sender);
    assert_int_equal(client.connects, 0);
    assert_int_equal(hio_write(sender, data, 100), 100);
    RUN_UNTIL(loop, client.got == 100);
    assert_int_equal(client.connects, 1);
    assert_int_equal(client.wrote, 100);
    frees = 0;
    assert_int_equal(hio_write_nocopy(sender, data, 100, on_free, NULL), 100);
    assert_int_equal(frees, 1);
    RUN_UNTIL(loop, client.got == 200);
    hloop_free(&loop);
    free(data);
}

static void a_connected_client_hears_a_refusal(void **state)
{
    struct sockaddr_in nowhere;
    seen_t client;
    hio_t *sender = observe(hio_get(loop, socket(AF_INET, SOCK_DGRAM, 0)), &client);

    (void)state;
    close(bound_socket(SOCK_DGRAM, &nowhere));
    hio_set_peeraddr(sender, (struct sockaddr *)&nowhere, sizeof(nowhere));
    assert_int_equal(hio_connect(sender), 0);
    hio_read(sender);
    assert_int_equal(hio_write(sender, "x", 1), 1);
    RUN_UNTIL(loop, client.closes == 1);
    assert_int_equal(client.error, -ECONNREFUSED);
    hloop_free(&loop);
}

/* A server that answers one who has gone goes on serving the others. */
static void a_refusal_does_not_close_a_server(void **state)
{
    struct sockaddr_in nowhere;
    in_port_t port;
    int fd = new_client(&port);

    (void)state;
    close(bound_socket(SOCK_DGRAM, &nowhere));
    for (int i = 0; i < 3; i++)
        hio_sendto(io, "x", 1, (struct sockaddr *)&nowhere, sizeof(nowhere));
    settle(loop);
    assert_int_equal(seen.closes, 0);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    RUN_UNTIL(loop, got_n == 1);
    hloop_free(&loop);
    close(fd);
}

static void corked_datagrams_stay_datagrams(void **state)
{
    struct sockaddr_in other;
    int fd = bound_socket(SOCK_DGRAM, &other);
    char buf[16];

    (void)state;
    hio_set_peeraddr(io, (struct sockaddr *)&other, sizeof(other));
    hio_cork(io);
    assert_int_equal(hio_write(io, "one", 3), 3);
    assert_int_equal(hio_write(io, "", 0), 0);
    assert_int_equal(hio_write(io, "three", 5), 5);
    assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), -1);
    hio_uncork(io);
    assert_int_equal(recv(fd, buf, sizeof(buf), 0), 3);
    assert_int_equal(recv(fd, buf, sizeof(buf), 0), 0);
    assert_int_equal(recv(fd, buf, sizeof(buf), 0), 5);
    assert_true(hio_write_is_complete(io));
    hloop_free(&loop);
    close(fd);
}

static void empty_datagrams_do_not_pile_up(void **state)
{
    struct sockaddr_in other;
    int fd = bound_socket(SOCK_DGRAM, &other);

    (void)state;
    hio_set_peeraddr(io, (struct sockaddr *)&other, sizeof(other));
    hio_cork(io);
    for (int i = 0; i < 16384; i++)
        assert_int_equal(hio_write(io, "", 0), 0);
    assert_int_equal(hio_write(io, "", 0), HERR_QUEUE_FULL);
    assert_int_equal(hio_write(io, "x", 1), HERR_QUEUE_FULL);
    assert_int_equal(hloop_run(loop), 0); /* uncorks */
    assert_int_equal(hio_write(io, "", 0), 0);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    hloop_free(&loop);
    close(fd);
}

static void unix_datagrams_work_alike(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(a);
    int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
    char buf[8], *data = new_pattern(8);
    seen_t local;
    hio_t *self;

    (void)state;
    assert_int_equal(bind(server, (struct sockaddr *)&a, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&a, &len), 0);
    self = observe(hio_get(loop, server), &local);
    assert_int_equal(hio_type(self), HIO_TYPE_UNIX_DGRAM);
    hio_read(self);
    assert_int_equal(sendto(client, data, 8, 0, (struct sockaddr *)&a, len), 8); /* nameless */
    RUN_UNTIL(loop, local.got == 8);
    assert_int_equal(hio_peeraddr_len(self), 0);
    assert_true(hio_write(self, "x", 1) < 0);
    assert_int_equal(
        bind(client, (struct sockaddr *)&(struct sockaddr_un){AF_UNIX, ""}, sizeof(sa_family_t)),
        0);
    assert_int_equal(sendto(client, "x", 1, 0, (struct sockaddr *)&a, len), 1);
    RUN_UNTIL(loop, local.reads == 2);
    assert_int_equal(hio_write(self, "answer", 6), 6);
    assert_int_equal(recv(client, buf, sizeof(buf), 0), 6);
    assert_int_equal(local.closes, 0);
    hloop_free(&loop);
    close(client);
    free(data);
}

/* A server on every address; sock is its socket, of this family. */
static void serve_every_address(int family, int *sock)
{
    struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
    socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int no = 0;

    *sock = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*sock < 0)
        skip(); /* no IPv6 here */
    if (family == AF_INET6)
        assert_int_equal(setsockopt(*sock, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)), 0);
    assert_int_equal(bind(*sock, (struct sockaddr *)&any, len), 0);
    assert_int_equal(getsockname(*sock, (struct sockaddr *)&any, &len), 0);
    addr.sin_port = family == AF_INET ? ((struct sockaddr_in *)&any)->sin_port
                                      : ((struct sockaddr_in6 *)&any)->sin6_port;
}

static void on_reply(hio_t *self, void *buf, int len)
{
    got_n++;
    assert_int_equal(hio_write(self, buf, (size_t)len), len);
}

/* Who has asked, and where: for answers that are sent later. */
static struct {
    struct sockaddr_storage from;
    socklen_t from_len;
    hio_source_t source;
} asked[4];

static void on_question(hio_t *self, void *buf, int len)
{
    (void)buf;
    assert_int_equal(len, 1);
    asked[got_n].from_len = hio_peeraddr_len(self);
    memcpy(&asked[got_n].from, hio_peeraddr(self), asked[got_n].from_len);
    hio_source(self, &asked[got_n++].source);
}

/* Half of them leave at once, half from the queue. */
static void answer_those_who_asked(hio_t *every)
{
    hio_source_t none;

    hio_source(every, &none);
    assert_int_equal(none.len, 0);
    assert_int_equal(asked[0].source.len, asked[3].source.len);
    assert_memory_equal(asked[0].source.control, asked[3].source.control, asked[0].source.len);
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        if (i == ARRAY_LENGTH(asked) / 2)
            hio_cork(every);
        assert_int_equal(hio_answer(every, "y", 1, (struct sockaddr *)&asked[i].from,
                                    asked[i].from_len, &asked[i].source),
                         1);
    }
    RUN_UNTIL(loop, hio_write_bufsize(every) == 0);
}

/* Clients take no answer from an address that they have not asked. All are in one batch. */
static void answers_come_from_the_address_that_was_asked(int family, bool later)
{
    in_addr_t own[] = {0x7f000001, 0x7f000002, 0x7f010203, 0x7f000001};
    int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), sock;
    struct sockaddr_in to, from;
    hio_t *every;

    serve_every_address(family, &sock);
    every = hio_get(loop, sock);
    hio_setcb_read(every, later ? on_question : on_reply);
    assert_int_equal(hio_read(every), 0);
    to = addr;
    for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
        to.sin_addr.s_addr = htonl(own[i]);
        assert_int_equal(sendto(client, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
    }
    RUN_UNTIL(loop, got_n == (int)ARRAY_LENGTH(own));
    if (later)
        answer_those_who_asked(every);
    for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
        socklen_t len = sizeof(from);
        char c;

        assert_int_equal(recvfrom(client, &c, 1, 0, (struct sockaddr *)&from, &len), 1);
        assert_int_equal(ntohl(from.sin_addr.s_addr), own[i]);
        assert_int_equal(from.sin_port, addr.sin_port);
    }
    close(client);
    hloop_free(&loop);
}

/* What was asked is no address to answer from: the kernel chooses one. */
static void a_broadcast_is_answered(void **state)
{
    static const int families[] = {AF_INET, AF_INET6};
    const struct timeval limit = {20, 0};
    int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), yes = 1, sock;

    (void)state;
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes)), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        struct sockaddr_in to, from;
        socklen_t len = sizeof(from);
        hio_t *every;
        char c;

        serve_every_address(families[i], &sock);
        every = hio_get(loop, sock);
        hio_setcb_read(every, on_reply);
        assert_int_equal(hio_read(every), 0);
        to = addr;
        to.sin_addr.s_addr = htonl(0x7fffffff);
        assert_int_equal(sendto(client, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
        RUN_UNTIL(loop, got_n == (int)i + 1);
        RUN_UNTIL(loop, hio_write_bufsize(every) == 0);
        assert_int_equal(recvfrom(client, &c, 1, 0, (struct sockaddr *)&from, &len), 1);
        assert_int_equal(from.sin_port, to.sin_port);
    }
    close(client);
    hloop_free(&loop);
}

static void on_every_ipv4_address_answers_come_from_the_one_asked(void **state)
{
    (void)state;
    answers_come_from_the_address_that_was_asked(AF_INET, false);
}

static void on_every_address_answers_come_from_the_one_asked(void **state)
{
    (void)state;
    answers_come_from_the_address_that_was_asked(AF_INET6, false);
}

static void so_do_answers_that_are_sent_later(void **state)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        if (i > 0)
            setup(state);
        answers_come_from_the_address_that_was_asked(families[i], true);
    }
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_datagram_comes_with_its_sender),
        TEST(udp_is_not_truncated_to_8_kib),
        TEST(udp_clients_are_not_mixed_up),
        TEST(batches_of_64_lose_nothing),
        TEST(reading_stopped_within_a_batch_can_start_again),
        TEST(read_once_takes_one_datagram),
        TEST(closing_within_a_batch_ends_it),
        TEST(a_datagram_that_is_too_long_is_refused_alone),
        TEST(without_an_address_there_is_nowhere_to_send),
        TEST(a_connected_client_talks_to_its_peer),
        TEST(a_connected_client_hears_a_refusal),
        TEST(a_refusal_does_not_close_a_server),
        TEST(corked_datagrams_stay_datagrams),
        TEST(empty_datagrams_do_not_pile_up),
        TEST(unix_datagrams_work_alike),
        TEST(on_every_ipv4_address_answers_come_from_the_one_asked),
        TEST(on_every_address_answers_come_from_the_one_asked),
        TEST(so_do_answers_that_are_sent_later),
        TEST(a_broadcast_is_answered),
    };

    return run_on_each_poller("hio with datagrams", tests, ARRAY_LENGTH(tests));
}
