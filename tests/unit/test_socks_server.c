/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/socks.h"

#define BOTH (SOCKS_SERVER_ALLOW_4 | SOCKS_SERVER_ALLOW_5)
#define BYTES(literal) literal, sizeof(literal) - 1

/* What a client says, and what it hears when the program accepts user:secret and gives `reply`. */
typedef struct talk_s {
    int allowed;
    bool login;
    const char *said;
    size_t said_len;
    const char *heard;
    size_t heard_len;
    const char *host; /* NULL: there is no request */
    uint16_t port;
    socks_reply_e reply;
    int result; /* of the feed that failed */
} talk_t;

static void hear(socks_server_t *server, const talk_t *t, size_t *heard)
{
    const void *data;
    size_t n = socks_server_output(server, &data);

    assert_true(*heard + n <= t->heard_len);
    assert_memory_equal(data, t->heard + *heard, n);
    *heard += n;
}

static void answer(socks_server_t *server, const talk_t *t)
{
    if (server->state == SOCKS_SERVER_LOGIN) {
        bool five = server->version == SOCKS_VERSION_5;

        assert_true(t->login);
        socks_server_login(server, strcmp(server->user, "user") == 0 &&
                                       (!five || strcmp(server->password, "secret") == 0));
    }
    if (server->state == SOCKS_SERVER_REQUEST) {
        assert_non_null(t->host);
        assert_string_equal(server->host, t->host);
        assert_int_equal(server->port, t->port);
        socks_server_reply(server, t->reply, "192.0.2.1", 258);
    }
}

/* Feeds said[from..to) as far as it is taken. */
static int feed_piece(socks_server_t *server, const talk_t *t, size_t *from, size_t to,
                      size_t *heard)
{
    while (*from < to && socks_server_need(server) > 0) {
        char *copy = malloc(to - *from);
        ssize_t taken;

        assert_non_null(copy);
        memcpy(copy, t->said + *from, to - *from);
        taken = socks_server_feed(server, copy, to - *from);
        free(copy);
        if (taken < 0) {
            hear(server, t, heard);
            return (int)taken;
        }
        *from += (size_t)taken;
        answer(server, t);
        hear(server, t, heard);
    }
    return 0;
}

static void talk_cut(const talk_t *t, size_t cut)
{
    size_t from = 0, heard = 0;
    socks_server_t server;
    int err;

    socks_server_init(&server, t->allowed, t->login);
    err = feed_piece(&server, t, &from, cut, &heard);
    if (err == 0)
        err = feed_piece(&server, t, &from, t->said_len, &heard);
    assert_int_equal(err, t->result);
    assert_int_equal(heard, t->heard_len);
    assert_int_equal(socks_server_need(&server), 0);
    if (t->host)
        assert_int_equal(from, t->said_len);
    if (t->host && t->reply == SOCKS_REPLY_GRANTED) {
        assert_int_equal(server.state, SOCKS_SERVER_DONE);
        assert_int_equal(socks_server_feed(&server, "tunnel", 6), 0);
    } else {
        assert_int_equal(server.state, SOCKS_SERVER_FAILED);
        assert_true(strlen(socks_server_error(&server)) > 0);
        assert_true(socks_server_feed(&server, "more", 4) < 0);
    }
}

static void talk(const talk_t *t)
{
    for (size_t cut = 0; cut <= t->said_len; cut++)
        talk_cut(t, cut);
}

/* A message that is cut off leaves a machine that waits, and knows for how much at least. */
static void waits_when_truncated(const talk_t *t)
{
    for (size_t len = 0; len < t->said_len; len++) {
        size_t from = 0, heard = 0;
        socks_server_t server;

        socks_server_init(&server, t->allowed, t->login);
        assert_int_equal(feed_piece(&server, t, &from, len, &heard), 0);
        assert_true(socks_server_need(&server) > 0);
        assert_true(socks_server_need(&server) <= t->said_len - len);
    }
}

static void good(const talk_t *t)
{
    talk(t);
    waits_when_truncated(t);
}

#define GRANTED4 "\0\x5a\1\2\xc0\0\2\1"
#define REFUSED4 "\0\x5b\0\0\0\0\0\0"
#define GRANTED5 "\5\0\0\1\xc0\0\2\1\1\2"

static void socks4_requests_are_understood(void **state)
{
    (void)state;
    good(&(talk_t){BOTH, false, BYTES("\4\1\0\x50\x7f\0\0\1\0"), BYTES(GRANTED4), "127.0.0.1", 80,
                   SOCKS_REPLY_GRANTED, 0});
    good(&(talk_t){BOTH, false, BYTES("\4\1\1\xbb\0\0\0\7me\0example.com\0"), BYTES(GRANTED4),
                   "example.com", 443, SOCKS_REPLY_GRANTED, 0});
    /* 0.0.0.0 is an address, not the mark of a name. */
    good(&(talk_t){BOTH, false, BYTES("\4\1\0\x50\0\0\0\0\0"), BYTES(GRANTED4), "0.0.0.0", 80,
                   SOCKS_REPLY_GRANTED, 0});
    talk(&(talk_t){BOTH, false, BYTES("\4\1\0\x50\x7f\0\0\1\0"), BYTES("\0\x5b\1\2\xc0\0\2\1"),
                   "127.0.0.1", 80, SOCKS_REPLY_REFUSED, 0});
}

static void socks5_requests_are_understood(void **state)
{
    (void)state;
    good(&(talk_t){BOTH, false, BYTES("\5\1\0\5\1\0\1\x7f\0\0\1\0\x50"), BYTES("\5\0" GRANTED5),
                   "127.0.0.1", 80, SOCKS_REPLY_GRANTED, 0});
    good(&(talk_t){BOTH, false,
                   BYTES("\5\3\1\2\0\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\0\x50"),
                   BYTES("\5\0" GRANTED5), "2001:db8::9", 80, SOCKS_REPLY_GRANTED, 0});
    good(&(talk_t){BOTH, false, BYTES("\5\1\0\5\1\0\3\1h\0\x50"), BYTES("\5\0" GRANTED5), "h", 80,
                   SOCKS_REPLY_GRANTED, 0});
    talk(&(talk_t){BOTH, false, BYTES("\5\1\0\5\1\0\3\1h\0\x50"),
                   BYTES("\5\0\5\4\0\1\xc0\0\2\1\1\2"), "h", 80, SOCKS_REPLY_HOST_UNREACHABLE, 0});
}

static void socks5_users_log_in(void **state)
{
    (void)state;
    good(&(talk_t){BOTH, true, BYTES("\5\2\0\2\1\4user\6secret\5\1\0\3\1h\0\x50"),
                   BYTES("\5\2\1\0" GRANTED5), "h", 80, SOCKS_REPLY_GRANTED, 0});
    talk(
        &(talk_t){BOTH, true, BYTES("\5\2\0\2\1\4user\6wrong!"), BYTES("\5\2\1\1"), NULL, 0, 0, 0});
    talk(&(talk_t){BOTH, true, BYTES("\5\2\0\2\1\0\0"), BYTES("\5\2\1\1"), NULL, 0, 0, 0});
    /* What the NUL cuts off must not count for nothing. */
    talk(&(talk_t){BOTH, true, BYTES("\5\1\2\1\4user\7secret\0"), BYTES("\5\2\1\1"), NULL, 0, 0,
                   HERR_PROTOCOL});
    talk(&(talk_t){BOTH, true, BYTES("\5\1\0"), BYTES("\5\xff"), NULL, 0, 0, HERR_UNSUPPORTED});
    talk(&(talk_t){BOTH, false, BYTES("\5\1\2"), BYTES("\5\xff"), NULL, 0, 0, HERR_UNSUPPORTED});
    talk(&(talk_t){BOTH, false, BYTES("\5\0"), BYTES("\5\xff"), NULL, 0, 0, HERR_UNSUPPORTED});
    talk(&(talk_t){BOTH, true, BYTES("\5\1\2\2"), BYTES("\5\2"), NULL, 0, 0, HERR_PROTOCOL});
}

static void socks4_users_are_told_by_name(void **state)
{
    (void)state;
    good(&(talk_t){BOTH, true, BYTES("\4\1\0\x50\x7f\0\0\1user\0"), BYTES(GRANTED4), "127.0.0.1",
                   80, SOCKS_REPLY_GRANTED, 0});
    talk(&(talk_t){BOTH, true, BYTES("\4\1\0\x50\x7f\0\0\1me\0"), BYTES("\0\x5d\0\0\0\0\0\0"), NULL,
                   0, 0, 0});
}

static void bind_and_udp_are_refused_properly(void **state)
{
    (void)state;
    talk(&(talk_t){BOTH, false, BYTES("\5\1\0\5\2\0\1\x7f\0\0\1\0\x50"),
                   BYTES("\5\0\5\7\0\1\0\0\0\0\0\0"), NULL, 0, 0, HERR_UNSUPPORTED});
    talk(&(talk_t){BOTH, false, BYTES("\5\1\0\5\3\0\1\0\0\0\0\0\0"),
                   BYTES("\5\0\5\7\0\1\0\0\0\0\0\0"), NULL, 0, 0, HERR_UNSUPPORTED});
    talk(&(talk_t){BOTH, false, BYTES("\4\2\0\x50\x7f\0\0\1\0"), BYTES(REFUSED4), NULL, 0, 0,
                   HERR_UNSUPPORTED});
}

static void broken_requests_are_refused_properly(void **state)
{
    (void)state;
    talk(&(talk_t){BOTH, false, BYTES("\5\1\0\5\1\0\2\0"), BYTES("\5\0\5\x08\0\1\0\0\0\0\0\0"),
                   NULL, 0, 0, HERR_UNSUPPORTED});
    talk(&(talk_t){BOTH, false, BYTES("\5\1\0\5\1\0\3\0\0\0"), BYTES("\5\0\5\1\0\1\0\0\0\0\0\0"),
                   NULL, 0, 0, HERR_PROTOCOL});
    talk(&(talk_t){BOTH, false, BYTES("\5\1\0\5\1\0\3\3a\0b\0\1"),
                   BYTES("\5\0\5\1\0\1\0\0\0\0\0\0"), NULL, 0, 0, HERR_PROTOCOL});
    talk(&(talk_t){BOTH, false, BYTES("\5\1\0\5\1\0\3\3a b\0\1"), BYTES("\5\0\5\1\0\1\0\0\0\0\0\0"),
                   NULL, 0, 0, HERR_PROTOCOL});
    talk(&(talk_t){BOTH, false, BYTES("\5\1\0\4"), BYTES("\5\0"), NULL, 0, 0, HERR_PROTOCOL});
    talk(&(talk_t){BOTH, false, BYTES("\4\1\0\x50\0\0\0\1\0\0"), BYTES(REFUSED4), NULL, 0, 0,
                   HERR_PROTOCOL});
    talk(&(talk_t){BOTH, false, BYTES("\4\1\0\x50\0\0\0\1\0a\nb\0"), BYTES(REFUSED4), NULL, 0, 0,
                   HERR_PROTOCOL});
}

static void texts_without_an_end_are_refused(void **state)
{
    char said[600] = "\4\1\0\x50\0\0\0\1";
    socks_server_t server;

    (void)state;
    memset(said + 8, 'u', sizeof(said) - 8);
    socks_server_init(&server, BOTH, false);
    assert_int_equal(socks_server_feed(&server, said, 8 + 255), 8 + 255);
    assert_int_equal(socks_server_feed(&server, said, 1), HERR_PROTOCOL);
    said[8 + 255] = '\0';
    socks_server_init(&server, BOTH, false);
    assert_int_equal(socks_server_feed(&server, said, 8 + 256 + 255), 8 + 256 + 255);
    assert_int_equal(socks_server_feed(&server, said + 10, 1), HERR_PROTOCOL);
}

static void only_what_is_served_is_spoken(void **state)
{
    (void)state;
    talk(&(talk_t){SOCKS_SERVER_ALLOW_5, false, BYTES("\4"), "", 0, NULL, 0, 0, HERR_UNSUPPORTED});
    talk(&(talk_t){SOCKS_SERVER_ALLOW_4, false, BYTES("\5"), "", 0, NULL, 0, 0, HERR_UNSUPPORTED});
    talk(&(talk_t){BOTH, false, BYTES("G"), "", 0, NULL, 0, 0, HERR_PROTOCOL});
}

static void what_is_behind_the_request_is_not_taken(void **state)
{
    socks_server_t server;

    (void)state;
    socks_server_init(&server, BOTH, false);
    assert_int_equal(socks_server_feed(&server, "\5\1\0\5\1\0\3\1h\0\x50tunnel", 17), 11);
    assert_int_equal(server.state, SOCKS_SERVER_REQUEST);
    socks_server_init(&server, BOTH, false);
    assert_int_equal(socks_server_feed(&server, "\4\1\0\x50\0\0\0\1\0h\0tunnel", 17), 11);
    assert_int_equal(server.state, SOCKS_SERVER_REQUEST);
    assert_int_equal(server.version, SOCKS_VERSION_4A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(socks4_requests_are_understood),
        cmocka_unit_test(socks5_requests_are_understood),
        cmocka_unit_test(socks5_users_log_in),
        cmocka_unit_test(socks4_users_are_told_by_name),
        cmocka_unit_test(bind_and_udp_are_refused_properly),
        cmocka_unit_test(broken_requests_are_refused_properly),
        cmocka_unit_test(texts_without_an_end_are_refused),
        cmocka_unit_test(only_what_is_served_is_spoken),
        cmocka_unit_test(what_is_behind_the_request_is_not_taken),
    };

    return cmocka_run_group_tests_name("socks_server", tests, NULL, NULL);
}
