/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hflow_fixture.h"

#define LARGE 60000
#define MANY 1000

/* ---- who gets what --------------------------------------------------------------------------- */

static void each_client_has_an_upstream_of_its_own(void **state)
{
    struct sockaddr_in from[3];
    int client[3];
    char text[16];
    world_t w;

    (void)state;
    begin(&w);
    for (int i = 0; i < 3; i++) {
        client[i] = new_client(&w);
        snprintf(text, sizeof(text), "ask %d", i);
        say(client[i], text);
        expect(&w, w.target, text, &from[i]);
        assert_ptr_equal(hflow_upstream(w.flow), w.upstream);
        assert_ptr_equal(hio_get_upstream(w.upstream), w.server);
        assert_ptr_equal(hflow_flows(w.flow), w.flows);
    }
    assert_true(from[0].sin_port != from[1].sin_port && from[1].sin_port != from[2].sin_port);
    for (int i = 2; i >= 0; i--) {
        snprintf(text, sizeof(text), "say %d", i);
        reply(&w, text, &from[i]);
        expect(&w, client[i], text, NULL);
        close(client[i]);
    }
    assert_int_equal(w.opened, 3);
    assert_int_equal(w.answered, 3);
    assert_int_equal(flows_of(&w), 3);
    end(&w);
    assert_int_equal(w.end, HFLOW_SOCKET);
    assert_int_equal(w.stats.sent, 1);
    assert_int_equal(w.stats.sent_bytes, 5);
    assert_int_equal(w.stats.received_bytes, 5);
}

static void a_thousand_clients_are_never_mixed_up(void **state)
{
    int n = MANY, *client;
    hloop_stats_t stats;
    world_t w;

    (void)state;
    begin(&w);
    hloop_stats(w.loop, &stats);
    if (strcmp(stats.poller, "select") == 0)
        n = 200; /* it knows 1,024 descriptors */
    client = calloc((size_t)n, sizeof(*client));
    assert_non_null(client);
    for (int i = 0; i < n; i++)
        client[i] = new_client(&w);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < n; i++) {
            char text[32];

            snprintf(text, sizeof(text), "%d of client %d", round, i);
            say(client[i], text);
            if (i % 50 != 49)
                continue;
            settle(w.loop); /* sockets hold some hundred small datagrams */
            echo(&w);
        }
        settle(w.loop);
        echo(&w);
        for (int i = 0; i < n; i++) {
            char text[32];

            snprintf(text, sizeof(text), "%d of client %d", round, i);
            expect(&w, client[i], text, NULL);
            assert_int_equal(peek(client[i]), -1);
        }
    }
    assert_int_equal(w.opened, n);
    assert_int_equal(w.answered, n); /* once each */
    for (int i = 0; i < n; i++)
        close(client[i]);
    free(client);
    end(&w);
}

static void large_and_empty_datagrams_stay_whole(void **state)
{
    static char got[65536];
    static const size_t lengths[] = {LARGE, 0, HFLOW_DATAGRAM_MAX, 1};
    char *data = new_pattern(HFLOW_DATAGRAM_MAX);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    int client;
    world_t w;

    (void)state;
    begin(&w);
    client = new_client(&w);
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        ssize_t n = (ssize_t)lengths[i];

        assert_int_equal(send(client, data, lengths[i], 0), n);
        RUN_UNTIL(w.loop, peek(w.target) >= 0);
        assert_int_equal(recvfrom(w.target, got, sizeof(got), 0, (struct sockaddr *)&from, &len),
                         n);
        assert_memory_equal(got, data, lengths[i]);
        assert_int_equal(sendto(w.target, got, lengths[i], 0, (struct sockaddr *)&from, len), n);
        memset(got, 0, sizeof(got));
        RUN_UNTIL(w.loop, peek(client) >= 0);
        assert_int_equal(recv(client, got, sizeof(got), 0), n);
        assert_memory_equal(got, data, lengths[i]);
    }
    close(client);
    free(data);
    end(&w);
}

/* A client that asks two addresses of ours gets each answer from the one that it asked. */
static void answers_come_from_the_address_that_was_asked(void **state)
{
    struct sockaddr_in to, from[2], by;
    socklen_t len = sizeof(by);
    struct sockaddr_in any = {.sin_family = AF_INET};
    int client = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), fd;
    hflows_options_t options;
    char buf[8];
    world_t w;

    (void)state;
    begin(&w);
    hflows_free(w.flows);
    assert_int_equal(w.freed, 1);
    w.freed = 0;
    hio_close(w.server);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    w.server = hio_get(w.loop, fd);
    options = options_of(&w);
    assert_int_equal(hflows_new(w.server, &options, &w.flows), 0);
    to = any;
    for (uint32_t i = 0; i < 2; i++) {
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
        assert_int_equal(sendto(client, "ask", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
        expect(&w, w.target, "ask", &from[i]);
    }
    assert_true(from[0].sin_port != from[1].sin_port);
    for (uint32_t i = 2; i-- > 0;) {
        reply(&w, "say", &from[i]);
        RUN_UNTIL(w.loop, peek(client) >= 0);
        assert_int_equal(recvfrom(client, buf, sizeof(buf), 0, (struct sockaddr *)&by, &len), 3);
        assert_int_equal(ntohl(by.sin_addr.s_addr), INADDR_LOOPBACK + i);
    }
    close(client);
    end(&w);
}

/* ---- late upstreams -------------------------------------------------------------------------- */

static void what_comes_before_the_upstream_waits_in_order(void **state)
{
    hflows_options_t options;
    hflows_stats_t stats;
    char text[16];
    int client;
    world_t w;

    (void)state;
    memset(&w, 0, sizeof(w));
    w.late = true;
    options = options_of(&w);
    options.waiting = 10;
    begin_with(&w, &options);
    client = new_client(&w);
    for (int i = 0; i < 12; i++) {
        snprintf(text, sizeof(text), "number %d", i);
        say(client, text);
    }
    settle(w.loop);
    assert_int_equal(w.opened, 1); /* asked once */
    assert_null(hflow_upstream(w.flow));
    assert_int_equal(dial(&w, w.flow), 0);
    assert_int_equal(hflow_join(w.flow, w.server), -EINVAL);
    say(client, "behind");
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof(text), "number %d", i);
        expect(&w, w.target, text, NULL);
    }
    expect(&w, w.target, "behind", NULL);
    hflows_stats(w.flows, &stats);
    assert_int_equal(stats.all.dropped, 2);
    assert_int_equal(stats.all.sent, 11);
    close(client);
    end(&w);
}

static void bytes_that_wait_are_bounded_too(void **state)
{
    static char data[LARGE];
    hflows_options_t options;
    hflows_stats_t stats;
    int client;
    world_t w;

    (void)state;
    memset(&w, 0, sizeof(w));
    w.late = true;
    options = options_of(&w);
    options.queue_max = (size_t)2 * LARGE;
    begin_with(&w, &options);
    client = new_client(&w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(client, data, LARGE, 0), LARGE);
        settle(w.loop);
    }
    hflows_stats(w.flows, &stats);
    assert_int_equal(stats.all.dropped, 1);
    hflow_close(w.flow, 0);
    assert_int_equal(w.closed, 1);
    assert_int_equal(w.end, HFLOW_CLOSED);
    assert_int_equal(w.stats.dropped, 3);
    close(client);
    end(&w);
}

/* ---- other kinds of sockets ------------------------------------------------------------------ */

/* Two sockets; the datagrams of one leave no room for those of the other, until they are gone. */
static void bytes_that_wait_are_bounded_for_all_together(void **state)
{
    size_t waiting_bytes = 0;
    char data[LARGE] = "";
    world_t w[2];
    int clients[3];

    (void)state;
    for (int i = 0; i < 2; i++) {
        hflows_options_t options = options_of(&w[i]);

        options.waiting_max = (size_t)3 * LARGE;
        options.waiting_bytes = &waiting_bytes;
        memset(&w[i], 0, sizeof(w[i]));
        w[i].late = true;
        begin_with(&w[i], &options);
    }
    for (int i = 0; i < 3; i++) {
        clients[i] = new_client(&w[i / 2]);
        assert_int_equal(send(clients[i], data, LARGE, 0), LARGE);
        RUN_UNTIL(w[i / 2].loop, w[i / 2].opened == i % 2 + 1);
        settle(w[i / 2].loop);
    }
    assert_true(waiting_bytes > (size_t)2 * LARGE && waiting_bytes <= (size_t)3 * LARGE);
    hflow_close(w[0].flow, 0);
    assert_int_equal(w[0].stats.dropped, 1);
    assert_int_equal(send(clients[2], data, LARGE, 0), LARGE);
    settle(w[1].loop);
    assert_int_equal(dial(&w[1], w[1].flow), 0);
    assert_int_equal(waiting_bytes > LARGE && waiting_bytes < (size_t)2 * LARGE, true);
    for (int i = 0; i < 2; i++) {
        hflow_stats_t stats;

        if (i == 1) {
            hflow_stats(w[1].flow, &stats);
            assert_int_equal(stats.dropped, 1);
            assert_int_equal(stats.sent, 1);
        }
        end(&w[i]);
    }
    assert_int_equal(waiting_bytes, 0);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
}

static void a_stream_carries_the_bytes_of_datagrams(void **state)
{
    static char got[2 * 65536];
    char *data = new_pattern(2 * (size_t)HFLOW_DATAGRAM_MAX);
    size_t total = 0;
    int client, fds[2], most = 0;
    ssize_t n;
    world_t w;

    (void)state;
    begin(&w);
    w.late = true;
    client = new_client(&w);
    say(client, "one ");
    RUN_UNTIL(w.loop, w.flow);
    tcp_pair(fds);
    assert_int_equal(hflow_join(w.flow, hio_get(w.loop, fds[0])), 0);
    say(client, "two");
    settle(w.loop);
    RUN_UNTIL(w.loop, recv(fds[1], got, 7, MSG_PEEK | MSG_DONTWAIT) == 7);
    assert_int_equal(recv(fds[1], got, 7, 0), 7);
    assert_memory_equal(got, "one two", 7);
    assert_int_equal(send(fds[1], data, 2 * (size_t)HFLOW_DATAGRAM_MAX, 0), 2 * HFLOW_DATAGRAM_MAX);
    while (total < 2 * (size_t)HFLOW_DATAGRAM_MAX) {
        RUN_UNTIL(w.loop, peek(client) >= 0);
        n = recv(client, got + total, sizeof(got) - total, 0);
        assert_true(n > 0 && n <= HFLOW_DATAGRAM_MAX);
        total += (size_t)n;
        most++;
    }
    assert_memory_equal(got, data, total);
    assert_true(most > 1);
    close(fds[1]);
    RUN_UNTIL(w.loop, w.closed == 1);
    assert_int_equal(w.end, HFLOW_UPSTREAM);
    assert_int_equal(w.err, 0);
    free(data);
    close(client);
    end(&w);
}

/* A stream whose peer reads nothing: what it cannot take is dropped, and memory is bounded. */
static void a_full_stream_drops_datagrams(void **state)
{
    static char data[LARGE];
    hflows_stats_t stats;
    int client, fds[2];
    hio_t *upstream;
    world_t w;

    (void)state;
    begin(&w);
    w.late = true;
    client = new_client(&w);
    assert_int_equal(send(client, data, 1, 0), 1);
    RUN_UNTIL(w.loop, w.flow);
    tcp_pair(fds);
    small_buffers(fds[0]);
    small_buffers(fds[1]);
    upstream = hio_get(w.loop, fds[0]);
    assert_int_equal(hflow_join(w.flow, upstream), 0);
    do {
        assert_int_equal(send(client, data, LARGE, 0), LARGE);
        assert_int_equal(hloop_run(w.loop), 0);
        assert_true(hio_write_bufsize(upstream) <= HFLOW_QUEUE_MAX);
        hflows_stats(w.flows, &stats);
    } while (stats.all.dropped < 5);
    close(fds[1]);
    close(client);
    end(&w);
}

static int unix_socket(const char *name)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    haddr_t addr;

    assert_int_equal(haddr_unix(&addr, name), 0);
    assert_int_equal(bind(fd, &addr.u.sa, addr.len), 0);
    return fd;
}

static void unix_clients_are_answered_if_they_have_a_name(void **state)
{
    struct sockaddr_in from[2];
    hflows_options_t options;
    char name[64], other[64];
    int client, nameless;
    haddr_t addr;
    world_t w;

    (void)state;
    begin(&w);
    hio_close(w.server);
    RUN_UNTIL(w.loop, w.freed == 1);
    w.freed = 0;
    snprintf(name, sizeof(name), "@hflow-%ld", (long)getpid());
    snprintf(other, sizeof(other), "@hflow-client-%ld", (long)getpid());
    w.server = hio_get(w.loop, unix_socket(name));
    options = options_of(&w);
    assert_int_equal(hflows_new(w.server, &options, &w.flows), 0);
    client = unix_socket(other);
    nameless = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(haddr_unix(&addr, name), 0);
    assert_int_equal(connect(client, &addr.u.sa, addr.len), 0);
    assert_int_equal(connect(nameless, &addr.u.sa, addr.len), 0);
    say(client, "ask");
    expect(&w, w.target, "ask", &from[0]);
    assert_int_equal(hflow_client(w.flow)->u.sa.sa_family, AF_UNIX);
    say(nameless, "tell");
    expect(&w, w.target, "tell", &from[1]);
    assert_int_equal(hflow_client(w.flow)->len, 0);
    reply(&w, "nobody", &from[1]);
    reply(&w, "you", &from[0]);
    expect(&w, client, "you", NULL);
    assert_int_equal(peek(nameless), -1);
    close(client);
    close(nameless);
    end(&w);
}

static void what_is_no_datagram_socket_is_refused(void **state)
{
    hflows_options_t options;
    hio_t *io;
    int fds[2];
    world_t w;

    (void)state;
    begin(&w);
    tcp_pair(fds);
    options = options_of(&w);
    io = hio_get(w.loop, fds[0]);
    assert_int_equal(hflows_new(io, &options, NULL), -EINVAL);
    options.open = NULL;
    assert_int_equal(hflows_new(w.server, &options, NULL), -EINVAL);
    close(fds[1]);
    hflows_free(NULL);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_has_an_upstream_of_its_own),
        cmocka_unit_test(a_thousand_clients_are_never_mixed_up),
        cmocka_unit_test(large_and_empty_datagrams_stay_whole),
        cmocka_unit_test(answers_come_from_the_address_that_was_asked),
        cmocka_unit_test(what_comes_before_the_upstream_waits_in_order),
        cmocka_unit_test(bytes_that_wait_are_bounded_too),
        cmocka_unit_test(bytes_that_wait_are_bounded_for_all_together),
        cmocka_unit_test(a_stream_carries_the_bytes_of_datagrams),
        cmocka_unit_test(a_full_stream_drops_datagrams),
        cmocka_unit_test(unix_clients_are_answered_if_they_have_a_name),
        cmocka_unit_test(what_is_no_datagram_socket_is_refused),
    };

    return run_on_each_poller("hflow", tests, ARRAY_LENGTH(tests));
}
