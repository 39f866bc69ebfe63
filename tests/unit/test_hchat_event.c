/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hchat/event.h"
#include "../../cmd/hchat/render.h"
#include "base/herr.h"
#include "base/hstr.h"
#include "oom.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#if HNET_WITH_JANSSON
static event_t make(event_kind_e kind)
{
    event_t event = {.kind = kind, .time_ms = 1795330000123, .text = "hel\"lo \xC3\xA9"};

    event.text_len = strlen(event.text);
    hstr_copy(event.server, sizeof(event.server), "a1.x");
    hstr_copy(event.room, sizeof(event.room), "lobby");
    hstr_copy(event.name, sizeof(event.name), "Zo\xC3\xAB");
    hstr_copy(event.other, sizeof(event.other), "bob");
    return event;
}

static void each_kind_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        event_t event = make((event_kind_e)kind), back;
        hbytes_t json = {0}, text = {0}, again = {0};

        assert_int_equal(event_write(&event, &json), 0);
        assert_int_equal(event_read(&back, json.data, json.len, &text), 0);
        assert_int_equal(back.kind, kind);
        assert_string_equal(back.server, "a1.x");
        assert_true(back.time_ms == event.time_ms);
        assert_int_equal(event_write(&back, &again), 0);
        assert_string_equal(again.data, json.data);
        hbytes_deinit(&json);
        hbytes_deinit(&text);
        hbytes_deinit(&again);
    }
}

static void an_event_is_one_line_of_json(void **state)
{
    event_t event = make(EVENT_SAY);
    hbytes_t json = {0};

    (void)state;
    event.text = "hi";
    event.text_len = 2;
    assert_int_equal(event_write(&event, &json), 0);
    assert_string_equal(json.data, "{\"kind\":\"say\",\"server\":\"a1.x\",\"time\":1795330000123,"
                                   "\"room\":\"lobby\",\"name\":\"Zo\xC3\xAB\",\"text\":\"hi\"}");
    hbytes_deinit(&json);
}

static int read_text(const char *json, event_t *event, hbytes_t *text)
{
    return event_read(event, json, strlen(json), text);
}

static void what_is_no_event_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"kind\":\"alive\",\"server\":\"a\",\"time\":1}x",
        "{\"kind\":\"alive\",\"server\":\"a\",\"time\":-1}",
        "{\"kind\":\"alive\",\"server\":\"a\",\"time\":1.5}",
        "{\"kind\":\"alive\",\"server\":\"a\",\"time\":\"1\"}",
        "{\"kind\":\"alive\",\"server\":\"\",\"time\":1}",
        "{\"kind\":\"alive\",\"server\":\"a b\",\"time\":1}",
        "{\"kind\":\"alive\",\"server\":\"123456789012345678901234567890123\",\"time\":1}",
        "{\"kind\":\"alive\",\"server\":\"a\",\"time\":1,\"time\":1}",
        "{\"kind\":\"alive\",\"server\":\"a\",\"time\":1,\"room\":\"lobby\"}",
        "{\"kind\":\"shout\",\"server\":\"a\",\"time\":1}",
        "{\"kind\":\"here\",\"server\":\"a\",\"time\":1,\"room\":\"lobby\"}",
        "{\"kind\":\"here\",\"server\":\"a\",\"time\":1,\"room\":\"lobby\",\"name\":\"a b\"}",
        "{\"kind\":\"here\",\"server\":\"a\",\"time\":1,\"room\":\"*\",\"name\":\"b\"}",
        "{\"kind\":\"here\",\"server\":\"a\",\"time\":1,\"room\":\"lobby\",\"other\":\"b\"}",
        "{\"kind\":\"say\",\"server\":\"a\",\"time\":1,\"room\":\"lobby\",\"name\":\"b\",\"text\":"
        "7}",
        "{\"kind\":\"say\",\"server\":\"a\",\"time\":1,\"room\":\"lobby\",\"name\":\"b\","
        "\"text\":\"\\u0000\"}",
    };
    hbytes_t text = {0};
    event_t event;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(read_text(bad[i], &event, &text), HERR_SYNTAX);
    hbytes_deinit(&text);
}

static void every_truncation_is_refused(void **state)
{
    event_t event = make(EVENT_PRIVATE), back;
    hbytes_t json = {0}, text = {0};

    (void)state;
    assert_int_equal(event_write(&event, &json), 0);
    for (size_t len = 0; len < json.len; len++)
        assert_int_equal(event_read(&back, json.data, len, &text), HERR_SYNTAX);
    hbytes_deinit(&json);
    hbytes_deinit(&text);
}

static void text_from_afar_is_made_harmless(void **state)
{
    hbytes_t text = {0};
    event_t event;

    (void)state;
    assert_int_equal(read_text("{\"kind\":\"say\",\"server\":\"a\",\"time\":1,\"room\":\"lobby\","
                               "\"name\":\"b\",\"text\":\"a\\u001b\\n\\u202e\"}",
                               &event, &text),
                     0);
    assert_string_equal(event.text, "a\\x1b\\n\\xe2\\x80\\xae");
    hbytes_deinit(&text);
}

static void lengths_are_bounded(void **state)
{
    event_t event = make(EVENT_SAY), back;
    char *long_text = test_malloc(EVENT_TEXT_MAX + 1);
    hbytes_t json = {0}, text = {0};

    (void)state;
    memset(long_text, 'x', EVENT_TEXT_MAX + 1);
    event.text = long_text;
    event.text_len = EVENT_TEXT_MAX;
    assert_int_equal(event_write(&event, &json), 0);
    assert_int_equal(event_read(&back, json.data, json.len, &text), 0);
    assert_int_equal(back.text_len, EVENT_TEXT_MAX);
    event.text_len++;
    hbytes_clear(&json);
    assert_int_equal(event_write(&event, &json), 0);
    assert_int_equal(event_read(&back, json.data, json.len, &text), HERR_SYNTAX);
    assert_int_equal(event_read(&back, json.data, EVENT_JSON_MAX + 1, &text), -EMSGSIZE);
    test_free(long_text);
    hbytes_deinit(&json);
    hbytes_deinit(&text);
}

static int round_trip(void *arg)
{
    event_t event = make(EVENT_SAY), back;
    hbytes_t json = {0}, text = {0}, line = {0};
    int err = event_write(&event, &json);

    (void)arg;
    if (!err)
        err = event_read(&back, json.data, json.len, &text);
    if (!err)
        err = render_event(&back, &line);
    hbytes_deinit(&json);
    hbytes_deinit(&text);
    hbytes_deinit(&line);
    return err;
}

static void lack_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run(round_trip, NULL);
}
#endif

static void servers_have_plain_names(void **state)
{
    (void)state;
    assert_true(event_server_is_valid("chat-1.example.org"));
    assert_true(event_server_is_valid("12345678901234567890123456789012"));
    assert_false(event_server_is_valid("123456789012345678901234567890123"));
    assert_false(event_server_is_valid(""));
    assert_false(event_server_is_valid("a b"));
    assert_false(event_server_is_valid("\xC3\xA9"));
}

static void people_see_lines(void **state)
{
    static const struct {
        event_kind_e kind;
        const char *text, *line;
    } rows[] = {
        {EVENT_SAY, "hello", "<bob> hello\n"},
        {EVENT_ME, "waves", "<bob> *waves*\n"},
        {EVENT_PRIVATE, "psst", "<bob -> alice> psst\n"},
        {EVENT_JOIN, "", "* bob has joined lobby\n"},
        {EVENT_LEAVE, "", "* bob has left lobby\n"},
        {EVENT_LEAVE, "good night", "* bob has left lobby (good night)\n"},
        {EVENT_NICK, "", "* bob is now alice\n"},
        {EVENT_TOPIC, "cats", "* bob sets the topic: cats\n"},
        {EVENT_TOPIC, "", "* bob takes the topic off\n"},
        {EVENT_HELLO, "", ""},
        {EVENT_HERE, "", ""},
    };
    hbytes_t out = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        event_t event = {.kind = rows[i].kind, .room = "lobby", .name = "bob", .other = "alice"};

        event.text = rows[i].text;
        event.text_len = strlen(rows[i].text);
        hbytes_clear(&out);
        assert_int_equal(render_event(&event, &out), 0);
        assert_string_equal(out.data ? out.data : "", rows[i].line);
    }
    hbytes_deinit(&out);
}

static void a_stamp_is_hours_and_minutes(void **state)
{
    char buf[RENDER_STAMP_SIZE];

    (void)state;
    setenv("TZ", "UTC0", 1);
    assert_string_equal(render_stamp(1795330000123, buf), "[06:46] ");
    assert_string_equal(render_stamp(UINT64_MAX, buf), buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if HNET_WITH_JANSSON
        cmocka_unit_test(each_kind_comes_back_as_it_was),
        cmocka_unit_test(an_event_is_one_line_of_json),
        cmocka_unit_test(what_is_no_event_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(text_from_afar_is_made_harmless),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(lack_of_memory_is_an_error),
#endif
        cmocka_unit_test(servers_have_plain_names),
        cmocka_unit_test(people_see_lines),
        cmocka_unit_test(a_stamp_is_hours_and_minutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
