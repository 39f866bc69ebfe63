/* One thread. A server of the test answers as Redis does, or as it should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "loop_test.h"
#include "oom.h"
#include "proto/redis_pubsub.h"
#include "redis_fixture.h"

#if HNET_WITH_HIREDIS

typedef struct world_s {
    hloop_t *loop;
    redis_fake_t server;
    /* The client. */
    redis_pubsub_options_t options;
    redis_pubsub_t *ps;
    char messages[8192]; /* "channel message\n" */
    bool counting;       /* messages are counted, and not kept */
    int heard;
    int connected, lost;
    char why[REDIS_PUBSUB_WHY_SIZE];
} world_t;

/* ---- the client ------------------------------------------------------------------------------ */

static void on_message(redis_pubsub_t *ps, hbuf_t channel, hbuf_t message, void *arg)
{
    world_t *w = arg;
    size_t len = strlen(w->messages);

    (void)ps;
    if (w->counting) {
        assert_int_equal((int)strtol(message.base, NULL, 10), w->heard);
        w->heard++;
        return;
    }
    snprintf(w->messages + len, sizeof(w->messages) - len, "%.*s %.*s\n", (int)channel.len,
             channel.base, (int)message.len, message.base);
}

static void on_state(redis_pubsub_t *ps, redis_pubsub_state_e state, const char *why, void *arg)
{
    world_t *w = arg;

    (void)ps;
    assert_true((state == REDIS_PUBSUB_CONNECTED) == (why[0] == '\0'));
    assert_null(strstr(why, "topsecret"));
    snprintf(w->why, sizeof(w->why), "%s", why);
    if (state == REDIS_PUBSUB_CONNECTED)
        w->connected++;
    else
        w->lost++;
}

static int begin(world_t *w)
{
    memset(w, 0, sizeof(*w));
    w->loop = hloop_new_with(&(hloop_options_t){.flags = HLOOP_FLAG_RUN_ONCE});
    if (!w->loop)
        return -ENOMEM;
    w->options = (redis_pubsub_options_t){.delay_min_ms = 1,
                                          .delay_max_ms = 10,
                                          .ping_ms = 1000,
                                          .message_cb = on_message,
                                          .state_cb = on_state,
                                          .arg = w};
    w->server.loop = w->loop;
    return redis_fake_open(&w->server);
}

static int start(world_t *w, const char *secret)
{
    char text[128], error[HTLS_ERROR_SIZE];
    redis_url_t url;
    int err;

    snprintf(text, sizeof(text), "redis://%s127.0.0.1:%u/3", secret, w->server.port);
    err = redis_url_parse(&url, text, error, sizeof(error));
    if (err < 0)
        return err;
    w->options.url = &url;
    return redis_pubsub_new(w->loop, &w->options, &w->ps, error, sizeof(error));
}

static void begin_started(world_t *w, const char *secret)
{
    assert_int_equal(begin(w), 0);
    assert_int_equal(start(w, secret), 0);
    assert_int_equal(redis_pubsub_subscribe(w->ps, "chat"), 0);
}

static void end(world_t *w)
{
    redis_pubsub_free(w->ps);
    hloop_free(&w->loop);
}

/* How often this line was said to the server. */
static int count(const world_t *w, const char *line)
{
    int n = 0;

    for (const char *at = w->server.commands; (at = strstr(at, line)); at++)
        n++;
    return n;
}

static int publish_text(world_t *w, const char *text)
{
    return redis_pubsub_publish(w->ps, "chat", text, strlen(text));
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void messages_go_to_the_channel_and_come_back(void **state)
{
    world_t w;

    (void)state;
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        begin_started(&w, "");
        w.server.bytewise = bytewise;
        assert_int_equal(redis_pubsub_psubscribe(w.ps, "x.*"), 0);
        assert_int_equal(redis_pubsub_subscribe(w.ps, "chat"), 0); /* twice */
        assert_int_equal(publish_text(&w, "early"), 0);
        RUN_UNTIL(w.loop, w.connected == 1);
        assert_true(redis_pubsub_is_connected(w.ps));
        assert_int_equal(publish_text(&w, "a\r\nb"), 0);
        RUN_UNTIL(w.loop, strstr(w.messages, "a\r\nb"));
        assert_string_equal(w.messages, "chat early\nchat a\r\nb\n");
        assert_int_equal(count(&w, "SUBSCRIBE chat\n"), 1);
        assert_int_equal(count(&w, "PSUBSCRIBE x.*\n"), 1);
        assert_int_equal(count(&w, "SELECT 3\n"), 2);
        assert_int_equal(count(&w, "AUTH"), 0);
        assert_int_equal(redis_pubsub_lost(w.ps), 0);
        assert_int_equal(w.lost, 0);
        end(&w);
    }
}

static void a_pattern_has_the_channel_of_the_message(void **state)
{
    world_t w;

    (void)state;
    begin_started(&w, "");
    RUN_UNTIL(w.loop, w.connected == 1);
    for (size_t i = 0; i < w.server.accepted; i++) {
        if (w.server.clients[i].subscribed)
            redis_fake_say_text(&w.server.clients[i],
                                "*4\r\n$8\r\npmessage\r\n$3\r\nx.*\r\n$3\r\nx.1\r\n$2\r\nhi\r\n"
                                "*3\r\n$7\r\nmessage\r\n:1\r\n$-1\r\n*0\r\n*1\r\n$1\r\nx\r\n"
                                "+strange\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\n?\r\n:1\r\n");
    }
    RUN_UNTIL(w.loop, w.messages[0]);
    settle(w.loop);
    assert_string_equal(w.messages, "x.1 hi\n");
    assert_int_equal(w.lost, 0);
    end(&w);
}

static void the_password_is_sent_and_never_told(void **state)
{
    world_t w;

    (void)state;
    begin_started(&w, "chat:topsecret@");
    w.server.password = "topsecret";
    RUN_UNTIL(w.loop, w.connected == 1);
    assert_int_equal(count(&w, "AUTH chat topsecret\n"), 2);
    end(&w);

    begin_started(&w, "topsecret@");
    w.server.password = "another";
    RUN_UNTIL(w.loop, w.lost == 1);
    assert_non_null(strstr(w.why, ": the user or the password is wrong (WRONGPASS)"));
    assert_true(count(&w, "AUTH topsecret\n") > 0);
    w.server.password = NULL;
    RUN_UNTIL(w.loop, w.lost == 2); /* for another reason */
    assert_non_null(strstr(w.why, ": the password was refused, the server may have none (ERR)"));
    w.server.password = "topsecret";
    RUN_UNTIL(w.loop, w.connected == 1);
    end(&w);
}

static void what_the_server_refuses_is_told_in_words(void **state)
{
    static const struct {
        const char *said, *told;
    } cases[] = {
        {"-NOAUTH Authentication required.\r\n", ": a password is needed (NOAUTH)"},
        {"-DENIED Redis is running in protected mode\r\n", ": the server is protected"},
        {"-LOADING Redis is loading\r\n", ": the server still loads its data (LOADING)"},
        {"-ERR max number \033[2J\r\n", ": ERR max number \\x1b[2J"},
        {"-\r\n", ": "},
        {"+HELLO\r\n", ": what answers is no Redis server"},
        {"HTTP/1.1 400 Bad Request\r\n", ": Protocol error"},
        {"*1000000\r\n", ": a reply of too many elements"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        world_t w;

        begin_started(&w, "");
        w.server.on_connect = cases[i].said;
        RUN_UNTIL(w.loop, w.lost == 1);
        if (!strstr(w.why, cases[i].told))
            fail_msg("%s: %s", cases[i].said, w.why);
        settle(w.loop);
        assert_int_equal(w.lost, 1); /* the same reason is told once */
        w.server.on_connect = NULL;
        RUN_UNTIL(w.loop, w.connected == 1);
        end(&w);
    }
}

static void it_comes_back_and_listens_again(void **state)
{
    world_t w;

    (void)state;
    begin_started(&w, "");
    RUN_UNTIL(w.loop, w.connected == 1);
    redis_fake_close(&w.server);
    RUN_UNTIL(w.loop, w.lost == 1);
    assert_false(redis_pubsub_is_connected(w.ps));
    assert_int_equal(publish_text(&w, "meanwhile"), 0);
    RUN_UNTIL(w.loop, strstr(w.why, "Connection refused"));
    assert_int_equal(redis_fake_open(&w.server), 0);
    RUN_UNTIL(w.loop, w.connected == 2);
    RUN_UNTIL(w.loop, w.messages[0]);
    assert_string_equal(w.messages, "chat meanwhile\n");
    assert_true(count(&w, "SUBSCRIBE chat\n") >= 2);
    assert_int_equal(redis_pubsub_lost(w.ps), 0);
    end(&w);
}

static void one_connection_of_the_two_is_enough_to_be_lost(void **state)
{
    world_t w;

    (void)state;
    for (int subscriber = 0; subscriber < 2; subscriber++) {
        begin_started(&w, "");
        RUN_UNTIL(w.loop, w.connected == 1);
        for (size_t i = 0; i < w.server.accepted; i++) {
            if (w.server.clients[i].subscribed == subscriber)
                hio_close(w.server.clients[i].io);
        }
        RUN_UNTIL(w.loop, w.lost == 1);
        RUN_UNTIL(w.loop, w.connected == 2);
        assert_int_equal(publish_text(&w, "again"), 0);
        RUN_UNTIL(w.loop, w.messages[0]);
        assert_string_equal(w.messages, "chat again\n");
        end(&w);
    }
}

static void the_queue_is_bounded_and_the_oldest_are_lost(void **state)
{
    const int more = 5;
    world_t w;
    char text[16];

    (void)state;
    begin_started(&w, "");
    for (int i = 0; i < REDIS_PUBSUB_QUEUE_MAX + more; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(publish_text(&w, text), 0);
    }
    assert_int_equal(redis_pubsub_lost(w.ps), more);
    w.server.on_publish = ":0\r\n";
    RUN_UNTIL(w.loop, count(&w, "PUBLISH") == REDIS_PUBSUB_QUEUE_MAX);
    assert_non_null(strstr(w.server.commands, "PUBLISH chat 5\n"));
    assert_null(strstr(w.server.commands, "PUBLISH chat 4\n"));
    end(&w);
}

/* More than the connection takes at once waits for its turn. */
static void a_flood_goes_through_in_order(void **state)
{
    const int many = 10000;
    char text[1024];
    world_t w;

    (void)state;
    assert_int_equal(begin(&w), 0);
    w.options.queue_max = (size_t)many;
    w.options.queue_bytes_max = (size_t)16 << 20;
    w.counting = w.server.forgetful = true;
    assert_int_equal(start(&w, ""), 0);
    assert_int_equal(redis_pubsub_subscribe(w.ps, "chat"), 0);
    RUN_UNTIL(w.loop, w.connected == 1);
    for (int i = 0; i < many; i++) {
        snprintf(text, sizeof(text), "%-1000d", i);
        assert_int_equal(publish_text(&w, text), 0);
    }
    RUN_UNTIL(w.loop, w.heard == many);
    assert_int_equal(redis_pubsub_lost(w.ps), 0);
    end(&w);
}

static void what_is_too_large_or_too_old_is_lost(void **state)
{
    char *large = calloc(1, REDIS_PUBSUB_MESSAGE_MAX + 1);
    world_t w;

    (void)state;
    assert_int_equal(begin(&w), 0);
    w.options.keep_ms = 1;
    assert_int_equal(start(&w, ""), 0);
    assert_int_equal(redis_pubsub_publish(w.ps, "chat", large, REDIS_PUBSUB_MESSAGE_MAX + 1),
                     -EMSGSIZE);
    assert_int_equal(redis_pubsub_publish(w.ps, "", "x", 1), -EINVAL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(redis_pubsub_publish(w.ps, "chat", large, REDIS_PUBSUB_MESSAGE_MAX), 0);
    assert_true(redis_pubsub_lost(w.ps) >= 2); /* 1 MiB is kept */
    assert_int_equal(poll(NULL, 0, 3), 0);
    assert_int_equal(publish_text(&w, "new"), 0);
    assert_int_equal(redis_pubsub_lost(w.ps), 4);
    end(&w);
    free(large);
}

static void what_was_under_way_counts_as_lost(void **state)
{
    world_t w;

    (void)state;
    begin_started(&w, "");
    RUN_UNTIL(w.loop, w.connected == 1);
    w.server.on_publish = "-NOPERM this user has no permissions\r\n";
    assert_int_equal(publish_text(&w, "one"), 0);
    RUN_UNTIL(w.loop, w.lost == 1);
    assert_non_null(strstr(w.why, ": this user may not do that (NOPERM)"));
    assert_int_equal(redis_pubsub_lost(w.ps), 1);
    end(&w);
}

static void a_silent_server_is_given_up(void **state)
{
    world_t w;

    (void)state;
    assert_int_equal(begin(&w), 0);
    w.server.silent = true;
    w.options.timeout_ms = 20;
    w.options.ping_ms = 20;
    assert_int_equal(start(&w, ""), 0);
    RUN_UNTIL(w.loop, w.lost == 1);
    assert_non_null(strstr(w.why, ": the server does not answer"));
    w.server.silent = false;
    RUN_UNTIL(w.loop, w.connected == 1);
    RUN_UNTIL(w.loop, w.server.pings >= 8); /* it is asked, and the answers count */
    w.server.silent = true;
    w.lost = 0;
    RUN_UNTIL(w.loop, w.lost > 0);
    end(&w);
}

static void bad_options_are_refused(void **state)
{
    world_t w;
    char name[REDIS_PUBSUB_CHANNEL_MAX + 2];
    char error[HTLS_ERROR_SIZE];

    (void)state;
    begin_started(&w, "");
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(redis_pubsub_subscribe(w.ps, name), -EINVAL);
    assert_int_equal(redis_pubsub_subscribe(w.ps, ""), -EINVAL);
    name[sizeof(name) - 2] = '\0';
    assert_int_equal(redis_pubsub_subscribe(w.ps, name), 0);
    for (int i = 2; i < REDIS_PUBSUB_CHANNELS_MAX; i++) {
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(redis_pubsub_psubscribe(w.ps, name), 0);
    }
    assert_int_equal(redis_pubsub_subscribe(w.ps, "one more"), -ENOBUFS);
    end(&w);
    w.options.url = NULL;
    assert_int_equal(redis_pubsub_new(w.loop, &w.options, &w.ps, error, sizeof(error)), -EINVAL);
    assert_true(error[0] != '\0');
}

/* The server needs memory, too: what it could not get ends a connection, which comes again. */
static int scenario(void *arg)
{
    world_t *w = arg;
    int err = begin(w);
    uint64_t limit_ms = now_ms() + (uint64_t)oom_limit_ms(50);

    if (err == 0)
        err = start(w, "topsecret@");
    w->server.password = "topsecret";
    if (err == 0)
        err = redis_pubsub_subscribe(w->ps, "chat");
    if (err == 0)
        err = publish_text(w, "hello");
    while (err == 0 && !w->messages[0]) {
        hloop_run(w->loop);
        if (now_ms() > limit_ms)
            err = -ENOMEM;
        hloop_wakeup(w->loop);
    }
    redis_pubsub_free(w->ps);
    if (w->loop)
        hloop_free(&w->loop);
    return err;
}

static void out_of_memory_ends_in_order(void **state)
{
    static world_t w;

    (void)state;
    oom_run(scenario, &w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_to_the_channel_and_come_back),
        cmocka_unit_test(a_pattern_has_the_channel_of_the_message),
        cmocka_unit_test(the_password_is_sent_and_never_told),
        cmocka_unit_test(what_the_server_refuses_is_told_in_words),
        cmocka_unit_test(it_comes_back_and_listens_again),
        cmocka_unit_test(one_connection_of_the_two_is_enough_to_be_lost),
        cmocka_unit_test(the_queue_is_bounded_and_the_oldest_are_lost),
        cmocka_unit_test(a_flood_goes_through_in_order),
        cmocka_unit_test(what_is_too_large_or_too_old_is_lost),
        cmocka_unit_test(what_was_under_way_counts_as_lost),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(out_of_memory_ends_in_order),
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(TEST_LIMIT_S);
    return cmocka_run_group_tests_name("redis_pubsub", tests, NULL, NULL);
}

#else

static void it_says_what_is_missing(void **state)
{
    redis_url_t url = {0};
    redis_pubsub_t *ps;
    char error[HTLS_ERROR_SIZE];

    (void)state;
    assert_int_equal(
        redis_pubsub_new(NULL, &(redis_pubsub_options_t){.url = &url}, &ps, error, sizeof(error)),
        HERR_UNSUPPORTED);
    assert_string_equal(error, "hiredis: built without hiredis");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_says_what_is_missing)};

    return cmocka_run_group_tests_name("redis_pubsub", tests, NULL, NULL);
}

#endif
