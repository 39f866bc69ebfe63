/* One thread. What servers of hchat tell each other, with a broker of the test between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../cmd/hchat/link.h"
#include "loop_test.h"
#include "oom.h"
#include "redis_fixture.h"

#if HNET_WITH_HIREDIS && HNET_WITH_JANSSON

typedef struct world_s {
    hloop_t *loop;
    redis_fake_t server;
    link_options_t options;
    link_t *link;
    char url[64];
    char told[4096]; /* what the callbacks were told: "say bob hello\n", "gone s1\n" ... */
    char notes[4096];
    int asked;
} world_t;

static void add(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add(char *to, size_t size, const char *fmt, ...)
{
    size_t len = strlen(to);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(to + len, size - len, fmt, ap);
    va_end(ap);
}

static void on_event(const event_t *event, void *userdata)
{
    world_t *w = userdata;

    add(w->told, sizeof(w->told), "%s %s %s %.*s\n", event_kind_name(event->kind), event->server,
        event->name, (int)event->text_len, event->text);
}

static void on_asked(void *userdata)
{
    const event_t here = {.kind = EVENT_HERE, .room = "lobby", .name = "ann", .text = ""};
    world_t *w = userdata;

    w->asked++;
    link_publish(w->link, &here);
}

static void on_gone(const char *server, void *userdata)
{
    world_t *w = userdata;

    add(w->told, sizeof(w->told), "gone %s\n", server);
}

static void on_again(const char *server, void *userdata)
{
    world_t *w = userdata;

    add(w->told, sizeof(w->told), "again %s\n", server);
}

static void on_told(const char *server, void *userdata)
{
    world_t *w = userdata;

    add(w->told, sizeof(w->told), "told %s\n", server);
}

static void on_reach(bool reachable, void *userdata)
{
    world_t *w = userdata;

    add(w->told, sizeof(w->told), "%s\n", reachable ? "reachable" : "unreachable");
}

static void on_note(const char *text, void *userdata)
{
    world_t *w = userdata;

    add(w->notes, sizeof(w->notes), "%s\n", text);
}

static int begin(world_t *w)
{
    const link_callbacks_t callbacks = {.on_event = on_event,
                                        .on_asked = on_asked,
                                        .on_server_gone = on_gone,
                                        .on_server_again = on_again,
                                        .on_server_told = on_told,
                                        .on_reach = on_reach,
                                        .on_note = on_note,
                                        .userdata = w};
    link_options_t options = w->options;
    char why[256];
    int err;

    memset(w, 0, sizeof(*w));
    w->loop = hloop_new_with(&(hloop_options_t){.flags = HLOOP_FLAG_RUN_ONCE});
    if (!w->loop)
        return -ENOMEM;
    w->server.loop = w->loop;
    err = redis_fake_open(&w->server);
    snprintf(w->url, sizeof(w->url), "redis://127.0.0.1:%u", w->server.port);
    options.broker = w->url;
    options.server = "me";
    return err < 0 ? err : link_open(w->loop, &options, &callbacks, &w->link, why, sizeof(why));
}

static void begin_linked(world_t *w)
{
    assert_int_equal(begin(w), 0);
    RUN_UNTIL(w->loop, strstr(w->server.commands, "\"kind\":\"told\""));
}

static void end(world_t *w)
{
    link_close(w->link);
    hloop_free(&w->loop);
    w->options = (link_options_t){0};
}

/* Somebody else publishes this. */
static void shout(world_t *w, const char *message)
{
    const redis_reply_t channel = {.type = REDIS_STRING, .text = "hchat", .len = 5};
    const redis_reply_t text = {.type = REDIS_STRING, .text = message, .len = strlen(message)};

    redis_fake_publish(&w->server, &channel, &text);
}

static void shout_kind(world_t *w, const char *kind, const char *server)
{
    char text[256];

    snprintf(text, sizeof(text), "{\"kind\":\"%s\",\"server\":\"%s\",\"time\":1}", kind, server);
    shout(w, text);
}

static void shout_say(world_t *w, const char *server, const char *words)
{
    char text[256];

    snprintf(text, sizeof(text),
             "{\"kind\":\"say\",\"server\":\"%s\",\"time\":1,\"room\":\"lobby\",\"name\":\"bob\","
             "\"text\":\"%s\"}",
             server, words);
    shout(w, text);
}

static int count(const char *text, const char *part)
{
    int n = 0;

    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void it_says_hello_and_who_is_here(void **state)
{
    static world_t w;
    const char *hello, *here, *told;

    (void)state;
    begin_linked(&w);
    hello = strstr(w.server.commands, "\"kind\":\"hello\"");
    here = strstr(w.server.commands, "\"kind\":\"here\"");
    told = strstr(w.server.commands, "\"kind\":\"told\"");
    assert_true(hello && here && told && hello < here && here < told);
    assert_true(strncmp(link_server(w.link), "me-", 3) == 0);
    assert_non_null(strstr(here, link_server(w.link)));
    assert_string_equal(w.told, ""); /* its own words are nothing to itself */
    link_close(w.link);
    w.link = NULL;
    RUN_UNTIL(w.loop, strstr(w.server.commands, "\"kind\":\"bye\""));
    end(&w);
}

static void who_says_hello_is_answered_once_for_many(void **state)
{
    static world_t w;

    (void)state;
    begin_linked(&w);
    assert_int_equal(w.asked, 1);
    for (int i = 0; i < 5; i++)
        shout_kind(&w, "hello", (const char *[]){"s1", "s2", "s3", "s4", "s5"}[i]);
    RUN_UNTIL(w.loop, w.asked == 2);
    settle(w.loop);
    assert_int_equal(w.asked, 2);
    assert_int_equal(count(w.notes, "has come"), 5);
    end(&w);
}

static void what_happens_elsewhere_is_handed_on(void **state)
{
    static world_t w;

    (void)state;
    begin_linked(&w);
    shout_kind(&w, "hello", "s1");
    shout_say(&w, "s1", "good \\u001b[2J morning");
    shout_say(&w, link_server(w.link), "I am you");
    shout(&w, "rubbish");
    shout_kind(&w, "hello", "s1");
    shout_kind(&w, "told", "s1");
    shout_kind(&w, "alive", "s1");
    shout_kind(&w, "bye", "s1");
    shout_kind(&w, "bye", "never-heard-of");
    RUN_UNTIL(w.loop, strstr(w.told, "gone"));
    assert_string_equal(w.told, "say s1 bob good \\x1b[2J morning\nagain s1\ntold s1\ngone s1\n");
    end(&w);
}

/* Its hello was missed. */
static void a_server_that_is_new_is_asked(void **state)
{
    static world_t w;
    int hellos;

    (void)state;
    w.options.broker_timeout_ms = LINK_SILENT_MIN_MS;
    begin_linked(&w);
    hellos = count(w.server.commands, "\"kind\":\"hello\"");
    while (count(w.server.commands, "\"kind\":\"hello\"") == hellos) {
        shout_kind(&w, "alive", "s1");
        assert_int_equal(hloop_run(w.loop), 0);
        shout_kind(&w, "bye", "s1");
        assert_int_equal(hloop_run(w.loop), 0);
    }
    end(&w);
}

static void who_is_silent_is_gone(void **state)
{
    static world_t w;

    (void)state;
    w.options.broker_timeout_ms = LINK_SILENT_MIN_MS;
    begin_linked(&w);
    shout_say(&w, "s1", "hello");
    RUN_UNTIL(w.loop, strstr(w.told, "gone s1"));
    RUN_UNTIL(w.loop, strstr(w.server.commands, "\"kind\":\"alive\"")); /* and so would we be */
    assert_non_null(strstr(w.notes, "server s1 is silent: it is gone"));
    end(&w);
}

static void servers_are_bounded(void **state)
{
    static world_t w;
    char name[16];

    (void)state;
    begin_linked(&w);
    for (int i = 0; i < LINK_SERVERS_MAX + 10; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        shout_kind(&w, "here", name); /* no event: it lacks a name */
        shout_kind(&w, "alive", name);
    }
    RUN_UNTIL(w.loop, strstr(w.notes, "messages that are no events, or too many"));
    assert_int_equal(count(w.notes, "has come"), LINK_SERVERS_MAX);
    end(&w);
}

static void the_broker_is_lost_and_found(void **state)
{
    static world_t w;

    (void)state;
    begin_linked(&w);
    shout_kind(&w, "hello", "s1");
    RUN_UNTIL(w.loop, strstr(w.notes, "server s1 has come"));
    redis_fake_close(&w.server);
    RUN_UNTIL(w.loop, strstr(w.told, "unreachable\n"));
    assert_int_equal(redis_fake_open(&w.server), 0);
    w.asked = 0;
    RUN_UNTIL(w.loop, strstr(w.told, "again s1\n") && strstr(w.told, "\nreachable\n"));
    assert_true(w.asked > 0);
    assert_int_equal(count(w.told, "unreachable"), 1);
    end(&w);
}

static int scenario(void *arg)
{
    world_t *w = arg;
    uint64_t limit_ms = now_ms() + (uint64_t)oom_limit_ms(50);
    int err = begin(w);

    while (err == 0 && !strstr(w->told, "gone s1")) {
        hloop_wakeup(w->loop);
        hloop_run(w->loop);
        if (strstr(w->server.commands, "\"kind\":\"told\"")) {
            shout_say(w, "s1", "hello");
            shout_kind(w, "bye", "s1");
        }
        if (strstr(w->told, "unreachable") || now_ms() > limit_ms)
            err = -ENOMEM;
    }
    link_close(w->link);
    if (w->loop)
        hloop_free(&w->loop);
    w->link = NULL;
    return err;
}

static void out_of_memory_ends_in_order(void **state)
{
    static world_t w;

    (void)state;
    event_read(&(event_t){0}, "{}", 2, &(hbytes_t){0}); /* jansson is loaded */
    oom_run(scenario, &w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_hello_and_who_is_here),
        cmocka_unit_test(who_says_hello_is_answered_once_for_many),
        cmocka_unit_test(what_happens_elsewhere_is_handed_on),
        cmocka_unit_test(a_server_that_is_new_is_asked),
        cmocka_unit_test(who_is_silent_is_gone),
        cmocka_unit_test(servers_are_bounded),
        cmocka_unit_test(the_broker_is_lost_and_found),
        cmocka_unit_test(out_of_memory_ends_in_order),
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(TEST_LIMIT_S);
    return cmocka_run_group_tests_name("hchat_link", tests, NULL, NULL);
}

#else

static void without_its_libraries_it_says_so(void **state)
{
    const link_options_t options = {.broker = "redis://127.0.0.1"};
    const link_callbacks_t callbacks = {0};
    link_t *link;
    char why[256];

    (void)state;
    assert_int_equal(link_open(NULL, &options, &callbacks, &link, why, sizeof(why)),
                     HERR_UNSUPPORTED);
    assert_null(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_its_libraries_it_says_so)};

    return cmocka_run_group_tests_name("hchat_link", tests, NULL, NULL);
}

#endif
