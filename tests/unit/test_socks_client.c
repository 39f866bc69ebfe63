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

#define TEXT_255                                                                                   \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                             \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                             \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                             \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

/* One negotiation: what the client is to send in all, and what the server says. */
typedef struct talk_s {
    socks_version_e version;
    const char *host;
    uint16_t port;
    const char *user, *password;
    const char *sent;
    size_t sent_len;
    const char *answer;
    size_t answer_len;
    int result; /* 0: done */
    const char *error;
} talk_t;

#define BYTES(literal) literal, sizeof(literal) - 1

static socks_client_t begin(const talk_t *t)
{
    socks_client_t client;

    assert_int_equal(socks_client_init(&client, t->version, t->host, t->port, t->user, t->password),
                     0);
    return client;
}

/* Feeds a copy that is no byte longer. */
static ssize_t feed_copy(socks_client_t *client, const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1);
    ssize_t taken;

    assert_non_null(copy);
    memcpy(copy, data, len);
    taken = socks_client_feed(client, copy, len);
    free(copy);
    return taken;
}

static void collect(socks_client_t *client, char *sent, size_t *len)
{
    const void *data;
    size_t n = socks_client_output(client, &data);

    assert_true(*len + n <= 1024);
    memcpy(sent + *len, data, n);
    *len += n;
    assert_int_equal(socks_client_output(client, &data), 0);
}

/* The answer in two pieces, then bytes of the tunnel. */
static void talk_cut(const talk_t *t, size_t cut)
{
    socks_client_t client = begin(t);
    char sent[1024];
    size_t sent_len = 0, done = 0;
    ssize_t taken = 0;

    collect(&client, sent, &sent_len);
    if (cut > 0)
        taken = feed_copy(&client, t->answer, cut);
    collect(&client, sent, &sent_len);
    if (taken >= 0) {
        assert_int_equal(taken, cut);
        assert_true(t->result < 0 || cut == t->answer_len || socks_client_need(&client) > 0);
        assert_true(t->result < 0 || socks_client_need(&client) <= t->answer_len - cut);
        done = (size_t)taken;
    }
    while (taken >= 0 && done < t->answer_len) {
        taken = feed_copy(&client, t->answer + done, t->answer_len - done);
        collect(&client, sent, &sent_len);
        if (taken > 0)
            done += (size_t)taken;
    }
    assert_int_equal(sent_len, t->sent_len);
    assert_memory_equal(sent, t->sent, sent_len);
    assert_string_equal(socks_client_error(&client), t->error);
    assert_int_equal(socks_client_need(&client), 0);
    assert_int_equal(socks_client_is_done(&client), t->result == 0);
    if (t->result < 0)
        assert_int_equal(taken, t->result);
    else
        assert_int_equal(feed_copy(&client, "tunnel", 6), 0);
}

/* Reads never more than is needed: what is behind the answer stays where it was. */
static void talk_exact(const talk_t *t)
{
    socks_client_t client = begin(t);
    const void *data;
    size_t done = 0;

    socks_client_output(&client, &data);
    while (socks_client_need(&client) > 0) {
        size_t need = socks_client_need(&client);

        assert_true(need <= t->answer_len - done);
        if (feed_copy(&client, t->answer + done, need) < 0)
            break;
        socks_client_output(&client, &data);
        done += need;
    }
    assert_int_equal(socks_client_is_done(&client), t->result == 0);
    assert_true(t->result < 0 || done == t->answer_len);
}

static void talk(const talk_t *t)
{
    for (size_t cut = 0; cut <= t->answer_len; cut++)
        talk_cut(t, cut);
    if (t->result == 0)
        talk_exact(t);
}

static void socks4_asks_for_a_number(void **state)
{
    (void)state;
    talk(&(talk_t){SOCKS_VERSION_4, "192.0.2.7", 80, NULL, NULL, BYTES("\4\1\0\x50\xc0\0\2\7\0"),
                   BYTES("\0\x5a\x1f\x90\x7f\0\0\1"), 0, ""});
    talk(&(talk_t){SOCKS_VERSION_4A, "192.0.2.7", 443, "me", "ignored",
                   BYTES("\4\1\1\xbb\xc0\0\2\7me\0"), BYTES("\4\x5a\0\0\0\0\0\0"), 0, ""});
}

static void socks4a_asks_for_a_name(void **state)
{
    (void)state;
    talk(&(talk_t){SOCKS_VERSION_4A, "example.com", 80, "u", NULL,
                   BYTES("\4\1\0\x50\0\0\0\1u\0example.com\0"), BYTES("\0\x5a\0\0\0\0\0\0"), 0,
                   ""});
    talk(&(talk_t){SOCKS_VERSION_4A, TEXT_255, 80, TEXT_255, NULL,
                   BYTES("\4\1\0\x50\0\0\0\1" TEXT_255 "\0" TEXT_255 "\0"),
                   BYTES("\0\x5a\0\0\0\0\0\0"), 0, ""});
}

static void socks5_asks_for_numbers_and_names(void **state)
{
    (void)state;
    talk(&(talk_t){SOCKS_VERSION_5, "192.0.2.7", 80, NULL, NULL,
                   BYTES("\5\1\0\5\1\0\1\xc0\0\2\7\0\x50"), BYTES("\5\0\5\0\0\1\x7f\0\0\1\x1f\x90"),
                   0, ""});
    talk(&(talk_t){SOCKS_VERSION_5, "2001:db8::9", 80, NULL, NULL,
                   BYTES("\5\1\0\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\0\x50"),
                   BYTES("\5\0\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x1f\x90"), 0, ""});
    talk(&(talk_t){SOCKS_VERSION_5, "example.com", 80, NULL, NULL,
                   BYTES("\5\1\0\5\1\0\3\x0b"
                         "example.com\0\x50"),
                   BYTES("\5\0\5\0\0\3\4here\x1f\x90"), 0, ""});
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, NULL, NULL, BYTES("\5\1\0\5\1\0\3\1h\0\1"),
                   BYTES("\5\0\5\0\0\3\0\0\0"), 0, ""});
}

static void socks5_logs_in(void **state)
{
    (void)state;
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, "user", "secret",
                   BYTES("\5\2\0\2\1\4user\6secret\5\1\0\3\1h\0\1"),
                   BYTES("\5\2\1\0\5\0\0\1\0\0\0\0\0\0"), 0, ""});
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, TEXT_255, TEXT_255,
                   BYTES("\5\2\0\2\1\xff" TEXT_255 "\xff" TEXT_255 "\5\1\0\3\1h\0\1"),
                   BYTES("\5\2\5\0\5\0\0\1\0\0\0\0\0\0"), 0, ""});
    /* Not asked for, not told. */
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, "user", "secret", BYTES("\5\2\0\2\5\1\0\3\1h\0\1"),
                   BYTES("\5\0\5\0\0\1\0\0\0\0\0\0"), 0, ""});
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, "user", NULL, BYTES("\5\2\0\2\1\4user\0"),
                   BYTES("\5\2\1\1"), HERR_PROXY, "user or password not accepted"});
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, NULL, NULL, BYTES("\5\1\0"), BYTES("\5\xff"),
                   HERR_PROXY, "the proxy wants a user and a password"});
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, "u", "p", BYTES("\5\2\0\2"), BYTES("\5\xff"),
                   HERR_PROXY, "the proxy wants another way to log in"});
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, NULL, NULL, BYTES("\5\1\0"), BYTES("\5\2"),
                   HERR_PROTOCOL, "the proxy chose a log-in that was not offered"});
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, "u", "p", BYTES("\5\2\0\2\1\1u\1p"), BYTES("\5\2\7\0"),
                   HERR_PROTOCOL, "the answer to the log-in is none"});
}

static void each_refusal_has_its_words(void **state)
{
    static const char *const texts[] = {"general failure",       "not allowed by the proxy's rules",
                                        "network unreachable",   "host unreachable",
                                        "connection refused",    "TTL expired",
                                        "command not supported", "address type not supported",
                                        "unknown reply 9"};
    char answer[] = "\5\0\5\0\0\1\0\0\0\0\0\0";

    (void)state;
    for (int i = 0; i < 9; i++) {
        answer[3] = (char)(i + 1);
        talk(&(talk_t){SOCKS_VERSION_5, "h", 1, NULL, NULL, BYTES("\5\1\0\5\1\0\3\1h\0\1"), answer,
                       4, HERR_PROXY, texts[i]});
    }
    talk(&(talk_t){SOCKS_VERSION_4, "127.0.0.1", 1, NULL, NULL, BYTES("\4\1\0\1\x7f\0\0\1\0"),
                   BYTES("\0\x5b"), HERR_PROXY, "request refused or failed"});
    talk(&(talk_t){SOCKS_VERSION_4, "127.0.0.1", 1, NULL, NULL, BYTES("\4\1\0\1\x7f\0\0\1\0"),
                   BYTES("\0\x5c"), HERR_PROXY, "the proxy cannot reach identd on this host"});
    talk(&(talk_t){SOCKS_VERSION_4, "127.0.0.1", 1, NULL, NULL, BYTES("\4\1\0\1\x7f\0\0\1\0"),
                   BYTES("\0\x01"), HERR_PROXY, "unknown reply 1"});
}

static void who_does_not_speak_socks_is_found_out_at_the_first_byte(void **state)
{
    (void)state;
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, NULL, NULL, BYTES("\5\1\0"), BYTES("H"), HERR_PROTOCOL,
                   "not a SOCKS5 server"});
    talk(&(talk_t){SOCKS_VERSION_4, "127.0.0.1", 1, NULL, NULL, BYTES("\4\1\0\1\x7f\0\0\1\0"),
                   BYTES("H"), HERR_PROTOCOL, "not a SOCKS4 server"});
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, NULL, NULL, BYTES("\5\1\0\5\1\0\3\1h\0\1"),
                   BYTES("\5\0\4"), HERR_PROTOCOL, "the reply is not SOCKS5"});
    talk(&(talk_t){SOCKS_VERSION_5, "h", 1, NULL, NULL, BYTES("\5\1\0\5\1\0\3\1h\0\1"),
                   BYTES("\5\0\5\0\0\2\0"), HERR_PROTOCOL,
                   "the reply has an unknown type of address"});
}

static void the_bound_address_is_told(void **state)
{
    talk_t t = {SOCKS_VERSION_5, "h", 1, NULL, NULL, NULL, 0, NULL, 0, 0, ""};
    socks_client_t client = begin(&t);

    (void)state;
    assert_int_equal(socks_client_feed(&client, "\5\0", 2), 2);
    assert_int_equal(socks_client_feed(&client, "\5\0\0\1\x7f\0\0\1\x1f\x90xyz", 13), 10);
    assert_string_equal(client.bound, "127.0.0.1");
    assert_int_equal(client.bound_port, 8080);
    assert_int_equal(client.reply, SOCKS_REPLY_GRANTED);
}

static void an_answer_that_comes_before_its_question_is_no_overrun(void **state)
{
    talk_t t = {SOCKS_VERSION_5, TEXT_255, 1, TEXT_255, TEXT_255, NULL, 0, NULL, 0, 0, ""};
    socks_client_t client = begin(&t);
    const void *data;

    (void)state;
    assert_int_equal(socks_client_feed(&client, "\5\2\1\0\5\0\0\1\0\0\0\0\0\0", 14), 14);
    assert_true(socks_client_is_done(&client));
    assert_int_equal(socks_client_output(&client, &data), 4 + 513 + 262);
}

static void refuses(socks_version_e version, const char *host, uint16_t port, const char *user,
                    const char *password, int err)
{
    socks_client_t client;
    const void *data;

    assert_int_equal(socks_client_init(&client, version, host, port, user, password), err);
    assert_true(strlen(socks_client_error(&client)) > 0);
    assert_int_equal(socks_client_output(&client, &data), 0);
    assert_int_equal(socks_client_need(&client), 0);
    assert_true(socks_client_feed(&client, "\5", 1) < 0);
}

static void what_cannot_be_asked_for_is_refused_at_once(void **state)
{
    (void)state;
    refuses(SOCKS_VERSION_4, "example.com", 80, NULL, NULL, HERR_UNSUPPORTED);
    refuses(SOCKS_VERSION_4, "::1", 80, NULL, NULL, HERR_UNSUPPORTED);
    refuses(SOCKS_VERSION_4A, "::1", 80, NULL, NULL, HERR_UNSUPPORTED);
    refuses(SOCKS_VERSION_5, "", 80, NULL, NULL, -EINVAL);
    refuses(SOCKS_VERSION_5, "h", 0, NULL, NULL, -EINVAL);
    refuses(SOCKS_VERSION_5, TEXT_255 "x", 80, NULL, NULL, HERR_RANGE);
    refuses(SOCKS_VERSION_5, "h", 80, TEXT_255 "x", NULL, HERR_RANGE);
    refuses(SOCKS_VERSION_5, "h", 80, "u", TEXT_255 "x", HERR_RANGE);
    refuses(SOCKS_VERSION_4A, "h", 80, TEXT_255 "x", NULL, HERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(socks4_asks_for_a_number),
        cmocka_unit_test(socks4a_asks_for_a_name),
        cmocka_unit_test(socks5_asks_for_numbers_and_names),
        cmocka_unit_test(socks5_logs_in),
        cmocka_unit_test(each_refusal_has_its_words),
        cmocka_unit_test(who_does_not_speak_socks_is_found_out_at_the_first_byte),
        cmocka_unit_test(the_bound_address_is_told),
        cmocka_unit_test(an_answer_that_comes_before_its_question_is_no_overrun),
        cmocka_unit_test(what_cannot_be_asked_for_is_refused_at_once),
    };

    return cmocka_run_group_tests_name("socks_client", tests, NULL, NULL);
}
