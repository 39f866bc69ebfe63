/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hproxy_fixture.h"
#include "oom.h"

#include <unistd.h>

#define HEAD 10 /* of a datagram with an IPv4 address */

/* A client with an association, and somebody to talk to. */
typedef struct udp_s {
    lab_t lab;
    int client, other, stranger;
    struct sockaddr_in proxy, to;
    char heard[70000];
} udp_t;

static int on_any_policy(hproxy_session_t *session, void *arg)
{
    (void)session;
    (void)arg;
    return 0;
}

static void on_association(const hproxy_session_t *session, hio_t *upstream, int err,
                           const char *text, void *arg)
{
    lab_t *lab = arg;

    assert_null(upstream);
    lab->ends++;
    lab->err = err;
    lab->stage = session->stage;
    snprintf(lab->text, sizeof(lab->text), "%s %u %u", text, (unsigned)session->udp_sent_bytes,
             (unsigned)session->udp_received_bytes);
}

static void udp_open(udp_t *u, hproxy_server_options_t options)
{
    struct sockaddr_in ignored;
    lab_t *lab = &u->lab;

    memset(lab, 0, sizeof(*lab));
    lab->upstream = lab->listener = -1;
    lab->loop = new_loop();
    if (options.serve == 0)
        options.serve = HPROXY_SERVE_SOCKS5 | HPROXY_SERVE_UDP;
    options.policy = on_any_policy;
    options.session = on_association;
    options.arg = lab;
    assert_int_equal(hproxy_server_new(lab->loop, &options, &lab->server), 0);
    connect_client(lab);
    u->client = bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, &ignored);
    u->stranger = bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, &ignored);
    u->other = bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, &u->to);
}

static void associate(udp_t *u)
{
    lab_t *lab = &u->lab;

    say(lab, "\5\1\0\5\3\0\1\0\0\0\0\0\0", 13);
    hear(lab, 12);
    assert_memory_equal(lab->heard, "\5\0\5\0\0\1\x7f\0\0\1", 10);
    u->proxy = u->to;
    memcpy(&u->proxy.sin_addr, lab->heard + 6, 4);
    memcpy(&u->proxy.sin_port, lab->heard + 10, 2);
}

static void udp_close(udp_t *u)
{
    close(u->client);
    close(u->other);
    close(u->stranger);
    lab_close(&u->lab);
}

static size_t head_to(const struct sockaddr_in *to, char *head)
{
    memcpy(head, "\0\0\0\1", 4);
    memcpy(head + 4, &to->sin_addr, 4);
    memcpy(head + 8, &to->sin_port, 2);
    return HEAD;
}

static void send_from(udp_t *u, int fd, const void *data, size_t len)
{
    assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&u->proxy, sizeof(u->proxy)), len);
}

static void turn(udp_t *u)
{
    hloop_wakeup(u->lab.loop);
    assert_int_equal(hloop_run(u->lab.loop), 0);
}

/* The next datagram there; from may be NULL. */
static size_t hear_at(udp_t *u, int fd, struct sockaddr_in *from)
{
    socklen_t len = sizeof(*from);
    ssize_t n;

    while ((n = recvfrom(fd, u->heard, sizeof(u->heard), MSG_DONTWAIT, (struct sockaddr *)from,
                         from ? &len : NULL)) < 0)
        turn(u);
    return (size_t)n;
}

static void is_quiet(udp_t *u, int fd)
{
    for (int i = 0; i < 20; i++)
        turn(u);
    assert_int_equal(recv(fd, u->heard, sizeof(u->heard), MSG_DONTWAIT), -1);
}

/* A datagram there and one back; the proxy's port towards the other is in from. */
static void talk(udp_t *u, const char *text, struct sockaddr_in *from)
{
    char data[100], back[HEAD];
    size_t len = head_to(&u->to, data), text_len = strlen(text);

    memcpy(data + len, text, text_len);
    send_from(u, u->client, data, len + text_len);
    assert_int_equal(hear_at(u, u->other, from), text_len);
    assert_memory_equal(u->heard, text, text_len);
    assert_int_equal(sendto(u->other, "back", 4, 0, (struct sockaddr *)from, sizeof(*from)), 4);
    assert_int_equal(hear_at(u, u->client, NULL), HEAD + 4);
    head_to(&u->to, back);
    assert_memory_equal(u->heard, back, HEAD);
    assert_memory_equal(u->heard + HEAD, "back", 4);
}

static void datagrams_go_both_ways(void **state)
{
    struct sockaddr_in from;
    udp_t u;

    (void)state;
    udp_open(&u, (hproxy_server_options_t){0});
    associate(&u);
    for (int i = 0; i < 3; i++)
        talk(&u, "there", &from);
    say(&u.lab, "nothing to say", 14);
    talk(&u, "there", &from);
    assert_int_equal(hproxy_server_pending(u.lab.server), 1);
    shutdown(u.lab.client, SHUT_WR);
    RUN_UNTIL(u.lab.loop, u.lab.ends > 0);
    assert_int_equal(u.lab.err, 0);
    assert_int_equal(u.lab.stage, HPROXY_STAGE_RELAY);
    assert_non_null(strstr(u.lab.text, "socks5 UDP ASSOCIATE from 127.0.0.1:"));
    assert_non_null(strstr(u.lab.text, ": done 20 16"));
    assert_int_equal(hproxy_server_pending(u.lab.server), 0);
    udp_close(&u);
}

static void large_ones_stay_whole(void **state)
{
    static char data[HEAD + 60000];
    struct sockaddr_in from;
    udp_t u;

    (void)state;
    udp_open(&u, (hproxy_server_options_t){0});
    associate(&u);
    memset(data, 'x', sizeof(data));
    head_to(&u.to, data);
    send_from(&u, u.client, data, sizeof(data));
    assert_int_equal(hear_at(&u, u.other, &from), 60000);
    assert_memory_equal(u.heard, data + HEAD, 60000);
    assert_int_equal(sendto(u.other, data + HEAD, 60000, 0, (struct sockaddr *)&from, sizeof(from)),
                     60000);
    assert_int_equal(hear_at(&u, u.client, NULL), sizeof(data));
    assert_memory_equal(u.heard, data, sizeof(data));
    send_from(&u, u.client, data, HEAD); /* and an empty one */
    assert_int_equal(hear_at(&u, u.other, &from), 0);
    udp_close(&u);
}

static void names_are_resolved(void **state)
{
    char data[64] = "\0\0\0\3\11localhostPPname";
    struct sockaddr_in from;
    udp_t u;

    (void)state;
    udp_open(&u, (hproxy_server_options_t){.dial.family = AF_INET});
    associate(&u);
    memcpy(data + 14, &u.to.sin_port, 2);
    for (int i = 0; i < 2 * HPROXY_UDP_NAMES_MAX; i++) {
        send_from(&u, u.client, data, 20);
        assert_int_equal(hear_at(&u, u.other, &from), 4);
        assert_memory_equal(u.heard, "name", 4);
    }
    assert_int_equal(sendto(u.other, "x", 1, 0, (struct sockaddr *)&from, sizeof(from)), 1);
    assert_int_equal(hear_at(&u, u.client, NULL), HEAD + 1);
    assert_memory_equal(u.heard, "\0\0\0\1\x7f\0\0\1", 8);
    udp_close(&u);
}

static void strangers_are_not_heard(void **state)
{
    struct sockaddr_in from;
    char data[HEAD + 1];
    udp_t u;

    (void)state;
    udp_open(&u, (hproxy_server_options_t){0});
    associate(&u);
    talk(&u, "there", &from);
    /* To the client's side, from another port; and to the other side, from one who was not
     * asked. */
    head_to(&u.to, data);
    send_from(&u, u.stranger, data, sizeof(data));
    is_quiet(&u, u.other);
    assert_int_equal(sendto(u.stranger, "spam", 4, 0, (struct sockaddr *)&from, sizeof(from)), 4);
    is_quiet(&u, u.client);
    talk(&u, "still", &from);
    udp_close(&u);
}

static void the_port_that_a_client_tells_is_its_own(void **state)
{
    struct sockaddr_in from, own;
    socklen_t len = sizeof(own);
    char said[13] = "\5\1\0\5\3\0\1\x7f\0\0\1";
    char data[HEAD + 1];
    udp_t u;

    (void)state;
    udp_open(&u, (hproxy_server_options_t){0});
    assert_int_equal(getsockname(u.client, (struct sockaddr *)&own, &len), 0);
    memcpy(said + 11, &own.sin_port, 2);
    say(&u.lab, said, sizeof(said));
    hear(&u.lab, 12);
    u.proxy = u.to;
    memcpy(&u.proxy.sin_port, u.lab.heard + 10, 2);
    head_to(&u.to, data);
    send_from(&u, u.stranger, data, sizeof(data)); /* first, but not the client */
    is_quiet(&u, u.other);
    talk(&u, "there", &from);
    udp_close(&u);
}

static void fragments_and_nonsense_are_dropped(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } cases[] = {
        {"\0\0\1\1\x7f\0\0\1PPx", 11},   {"\1\0\0\1\x7f\0\0\1PPx", 11},
        {"\0\0\0\2\x7f\0\0\1PPx", 11},   {"\0\0\0\1\x7f\0\0\1P", 9},
        {"\0\0\0\3\1 PPx", 9},           {"", 0},
        {"\0\0\0\1\x7f\0\0\1\0\0x", 11},
    };
    struct sockaddr_in from;
    udp_t u;

    (void)state;
    udp_open(&u, (hproxy_server_options_t){0});
    associate(&u);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char data[16], *port;

        memcpy(data, cases[i].data, cases[i].len);
        port = memchr(data, 'P', cases[i].len);
        if (port && port + 2 <= data + cases[i].len)
            memcpy(port, &u.to.sin_port, 2);
        send_from(&u, u.client, data, cases[i].len);
    }
    is_quiet(&u, u.other);
    talk(&u, "there", &from);
    udp_close(&u);
}

static void rules_are_for_every_datagram(void **state)
{
    char data[64] = "\0\0\0\3\11localhostPPname";
    hdestination_t *list;
    char numbers[HEAD + 1];
    udp_t u;

    (void)state;
    assert_int_equal(hdestination_new(&list), 0);
    assert_int_equal(hdestination_add(list, "deny 127.0.0.0/8", NULL, 0), 0);
    udp_open(&u, (hproxy_server_options_t){.destinations = list, .dial.family = AF_INET});
    associate(&u);
    memcpy(data + 14, &u.to.sin_port, 2);
    send_from(&u, u.client, data, 20);
    head_to(&u.to, numbers);
    send_from(&u, u.client, numbers, sizeof(numbers));
    is_quiet(&u, u.other);
    udp_close(&u);
    hdestination_free(list);
}

static void an_idle_association_ends(void **state)
{
    udp_t u;

    (void)state;
    udp_open(&u, (hproxy_server_options_t){.udp_idle_ms = 50});
    associate(&u);
    hears_the_end(&u.lab);
    close(u.lab.client);
    u.lab.client = -1;
    RUN_UNTIL(u.lab.loop, u.lab.ends > 0);
    assert_int_equal(u.lab.err, -ETIMEDOUT);
    assert_int_equal(u.lab.stage, HPROXY_STAGE_RELAY);
    udp_close(&u);
}

static void it_has_to_be_served(void **state)
{
    hproxy_t via = {.type = HPROXY_SOCKS5, .port = 1, .host = "127.0.0.1"};
    udp_t u;

    (void)state;
    udp_open(&u, (hproxy_server_options_t){.serve = HPROXY_SERVE_SOCKS5});
    say(&u.lab, "\5\1\0\5\3\0\1\0\0\0\0\0\0", 13);
    hears_the_end(&u.lab);
    assert_memory_equal(u.lab.heard, "\5\0\5\7", 4);
    udp_close(&u);
    /* Behind another proxy nothing goes past it. */
    udp_open(&u, (hproxy_server_options_t){.dial.proxies = &via, .dial.proxy_count = 1});
    say(&u.lab, "\5\1\0\5\3\0\1\0\0\0\0\0\0", 13);
    hears_the_end(&u.lab);
    assert_memory_equal(u.lab.heard, "\5\0\5\7", 4);
    udp_close(&u);
}

static void peers_are_bounded(void **state)
{
    struct sockaddr_in from, first;
    char data[HEAD + 1];
    udp_t u;

    (void)state;
    udp_open(&u, (hproxy_server_options_t){0});
    associate(&u);
    talk(&u, "there", &from);
    first = from;
    for (int i = 1; i <= HPROXY_UDP_PEERS_MAX; i++) {
        struct sockaddr_in to = u.to;

        to.sin_addr.s_addr = htonl(0x7f010000u + (unsigned)i); /* nobody is there */
        head_to(&to, data);
        send_from(&u, u.client, data, sizeof(data));
        turn(&u);
    }
    is_quiet(&u, u.client);
    assert_int_equal(sendto(u.other, "late", 4, 0, (struct sockaddr *)&first, sizeof(first)), 4);
    is_quiet(&u, u.client);
    talk(&u, "again", &from);
    udp_close(&u);
}

static int scenario(void *arg)
{
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hproxy_server_options_t options = {.serve = HPROXY_SERVE_SOCKS5 | HPROXY_SERVE_UDP,
                                       .session = on_association};
    hloop_t *loop = hloop_new_with(&loop_options);
    hproxy_server_t *server = NULL;
    lab_t lab = {0};
    int fds[2], err;
    hio_t *io;

    (void)arg;
    if (!loop)
        return -ENOMEM;
    tcp_pair(fds);
    options.arg = &lab;
    assert_int_equal(send(fds[1], "\5\1\0\5\3\0\1\0\0\0\0\0\0", 13, MSG_NOSIGNAL), 13);
    shutdown(fds[1], SHUT_WR);
    err = hproxy_server_new(loop, &options, &server);
    io = err == 0 ? hio_get(loop, fds[0]) : NULL;
    if (!io)
        close(fds[0]);
    err = io ? hproxy_server_accept(server, io) : -ENOMEM;
    while (err == 0 && lab.ends == 0)
        err = hloop_run(loop);
    hproxy_server_free(server);
    hloop_free(&loop);
    close(fds[1]);
    return err == 0 && lab.err == 0 && lab.stage == HPROXY_STAGE_RELAY ? 0 : -ENOMEM;
}

static void memory_may_end_at_any_time(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_go_both_ways),
        cmocka_unit_test(large_ones_stay_whole),
        cmocka_unit_test(names_are_resolved),
        cmocka_unit_test(strangers_are_not_heard),
        cmocka_unit_test(the_port_that_a_client_tells_is_its_own),
        cmocka_unit_test(fragments_and_nonsense_are_dropped),
        cmocka_unit_test(rules_are_for_every_datagram),
        cmocka_unit_test(an_idle_association_ends),
        cmocka_unit_test(it_has_to_be_served),
        cmocka_unit_test(peers_are_bounded),
        cmocka_unit_test(memory_may_end_at_any_time),
    };

    return run_on_each_poller("hproxy_server_udp", tests, ARRAY_LENGTH(tests));
}
