/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hchat/hall.h"
#include "base/hstr.h"
#include "oom.h"

/* A person, and what he has been sent. */
typedef struct guy_s {
    person_t person;
    char heard[4096];
} guy_t;

/* A hall of three; what it hands on to other servers. */
typedef struct scene_s {
    hall_t hall;
    guy_t a, b, c;
    char published[2048];
    int wakes, gives;
    uint64_t now_us;
} scene_t;

static scene_t *scene; /* the callbacks' own */

static void hear(person_t *person, const char *data, size_t len)
{
    guy_t *guy = HLIST_ENTRY(person, guy_t, person);
    size_t at = strlen(guy->heard);

    snprintf(guy->heard + at, sizeof(guy->heard) - at, "%.*s", (int)len, data);
}

static void give(person_t *person, chunk_t *chunk, size_t from)
{
    scene->gives++;
    hear(person, chunk->data + from, chunk->len - from);
}

static void on_wake(void *userdata)
{
    ((scene_t *)userdata)->wakes++;
}

static void on_happened(const event_t *event, bool here, void *userdata)
{
    scene_t *s = userdata;
    size_t at = strlen(s->published);

    if (here)
        snprintf(s->published + at, sizeof(s->published) - at, "%s %s %s %s;",
                 event_kind_name(event->kind), event->room, event->name, event->other);
}

static uint64_t on_now(void *userdata)
{
    (void)userdata;
    return 1795330000123;
}

static void begin(scene_t *s, const char *server, uint32_t history)
{
    const hall_options_t options = {
        .first_room = "lobby", .server = server, .history_lines = history};
    const hall_ops_t ops = {.room = {.tell = hear, .give = give},
                            .wake = on_wake,
                            .happened = on_happened,
                            .now_ms = on_now,
                            .userdata = s};

    memset(s, 0, sizeof(*s));
    scene = s;
    hall_init(&s->hall, &options, &ops);
}

static void end(scene_t *s)
{
    hall_leave(&s->hall, &s->a.person, "", 0);
    hall_leave(&s->hall, &s->b.person, "", 0);
    hall_leave(&s->hall, &s->c.person, "", 0);
    hall_deinit(&s->hall);
}

/* All that waits is sent: time goes on. */
static void flush(scene_t *s)
{
    s->now_us += 1000000;
    hall_flush(&s->hall, s->now_us);
}

static void expect(scene_t *s, guy_t *guy, const char *heard)
{
    flush(s);
    assert_string_equal(guy->heard, heard);
    guy->heard[0] = '\0';
}

static void forget_all(scene_t *s)
{
    flush(s);
    s->a.heard[0] = s->b.heard[0] = s->c.heard[0] = '\0';
    s->published[0] = '\0';
    s->gives = s->wakes = 0;
}

static void say(scene_t *s, guy_t *guy, const char *text)
{
    hall_say(&s->hall, &guy->person, EVENT_SAY, text, strlen(text));
}

static event_t afar(event_kind_e kind, const char *server, const char *name, const char *other)
{
    event_t event = {.kind = kind, .room = "lobby", .time_ms = 1795330000123, .text = "hi"};

    event.text_len = 2;
    hstr_copy(event.server, sizeof(event.server), server);
    hstr_copy(event.name, sizeof(event.name), name);
    hstr_copy(event.other, sizeof(event.other), other);
    return event;
}

static void happens(scene_t *s, event_kind_e kind, const char *server, const char *name,
                    const char *other)
{
    event_t event = afar(kind, server, name, other);

    hall_remote(&s->hall, &event);
}

/* ---- at one server --------------------------------------------------------------------------- */

static void who_comes_is_told_who_is_there_and_the_others_that_he_comes(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 20);
    hall_welcome(&s.hall, &s.a.person);
    hall_welcome(&s.hall, &s.b.person);
    expect(&s, &s.a, "* you are guest1 in lobby, alone\n* guest2 has joined lobby\n");
    expect(&s, &s.b, "* you are guest2 in lobby, with guest1\n");
    hall_leave(&s.hall, &s.b.person, "good night", 10);
    expect(&s, &s.a, "* guest2 has left lobby (good night)\n");
    end(&s);
}

static void what_is_said_is_heard_by_the_others_in_order(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 0);
    hall_welcome(&s.hall, &s.a.person);
    hall_welcome(&s.hall, &s.b.person);
    hall_welcome(&s.hall, &s.c.person);
    forget_all(&s);
    say(&s, &s.a, "one");
    say(&s, &s.b, "two");
    hall_tell(&s.hall, &s.c.person, "aside\n");
    say(&s, &s.a, "three");
    expect(&s, &s.a, "<guest2> two\n");
    expect(&s, &s.b, "<guest1> one\n<guest1> three\n");
    expect(&s, &s.c, "<guest1> one\n<guest2> two\naside\n<guest1> three\n");
    end(&s);
}

static void many_lines_are_one_call_a_person(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 0);
    hall_welcome(&s.hall, &s.a.person);
    hall_welcome(&s.hall, &s.b.person);
    hall_welcome(&s.hall, &s.c.person);
    forget_all(&s);
    for (int i = 0; i < 50; i++)
        say(&s, &s.a, "x");
    assert_int_equal(s.wakes, 1);
    flush(&s);
    assert_int_equal(s.gives, 2);
    end(&s);
}

static void a_large_room_is_sent_its_lines_with_pauses(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 0);
    hall_welcome(&s.hall, &s.a.person);
    hall_welcome(&s.hall, &s.b.person);
    forget_all(&s);
    say(&s, &s.a, "x");
    assert_int_equal(hall_flush(&s.hall, s.now_us + 1), 2 * ROOM_PAUSE_PER_PERSON_US - 1);
    assert_int_equal(s.gives, 0);
    assert_int_equal(hall_flush(&s.hall, s.now_us + 2 * ROOM_PAUSE_PER_PERSON_US), 0);
    assert_int_equal(s.gives, 1);
    end(&s);
}

static void a_full_batch_is_sent_at_once(void **state)
{
    char text[ROOM_BATCH_SIZE / 2];
    scene_t s;

    (void)state;
    memset(text, 'x', sizeof(text));
    begin(&s, "", 0);
    hall_welcome(&s.hall, &s.a.person);
    hall_welcome(&s.hall, &s.b.person);
    forget_all(&s);
    hall_say(&s.hall, &s.a.person, EVENT_SAY, text, sizeof(text));
    assert_int_equal(s.gives, 0);
    hall_say(&s.hall, &s.a.person, EVENT_SAY, text, sizeof(text));
    assert_int_equal(s.gives, 1);
    flush(&s);
    assert_int_equal(s.gives, 2);
    end(&s);
}

static void the_last_lines_are_shown_to_who_comes(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 2);
    hall_welcome(&s.hall, &s.a.person);
    say(&s, &s.a, "one");
    say(&s, &s.a, "two");
    hall_say(&s.hall, &s.a.person, EVENT_ME, "waves", 5);
    hall_say(&s.hall, &s.a.person, EVENT_TOPIC, "cats", 4);
    hall_welcome(&s.hall, &s.b.person);
    expect(&s, &s.b,
           "[06:46] <guest1> two\n[06:46] <guest1> *waves*\n"
           "* you are guest2 in lobby, with guest1\n* the topic: cats\n");
    end(&s);
}

static void history_is_bounded_in_bytes(void **state)
{
    char text[HISTORY_BYTES_MAX / 4];
    scene_t s;

    (void)state;
    memset(text, 'x', sizeof(text));
    begin(&s, "", 1000);
    hall_welcome(&s.hall, &s.a.person);
    for (int i = 0; i < 10; i++)
        hall_say(&s.hall, &s.a.person, EVENT_SAY, text, sizeof(text));
    assert_int_equal(s.a.person.room->history.count, 3);
    assert_true(s.a.person.room->history.bytes <= HISTORY_BYTES_MAX);
    end(&s);
}

static void names_are_unique(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 0);
    hall_welcome(&s.hall, &s.a.person);
    hall_welcome(&s.hall, &s.b.person);
    forget_all(&s);
    assert_null(hall_rename(&s.hall, &s.a.person, "Bob"));
    assert_non_null(hall_rename(&s.hall, &s.b.person, "bOB"));
    assert_null(hall_rename(&s.hall, &s.a.person, "bob"));
    assert_non_null(hall_rename(&s.hall, &s.a.person, "bob"));
    expect(&s, &s.b, "* guest1 is now Bob\n* Bob is now bob\n");
    hall_leave(&s.hall, &s.a.person, "", 0);
    assert_null(hall_rename(&s.hall, &s.b.person, "bOB"));
    end(&s);
}

static void a_guest_gets_a_name_that_nobody_has(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 0);
    hall_welcome(&s.hall, &s.a.person);
    assert_null(hall_rename(&s.hall, &s.a.person, "Guest2"));
    hall_welcome(&s.hall, &s.b.person);
    assert_string_equal(s.b.person.name, "guest3");
    end(&s);
}

static void rooms_come_and_go(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 20);
    hall_welcome(&s.hall, &s.a.person);
    hall_welcome(&s.hall, &s.b.person);
    forget_all(&s);
    assert_null(hall_enter(&s.hall, &s.b.person, "Kitchen"));
    assert_non_null(hall_enter(&s.hall, &s.b.person, "kitchen"));
    expect(&s, &s.a, "* guest2 has left lobby\n");
    say(&s, &s.a, "hello?");
    expect(&s, &s.b, "* you are guest2 in Kitchen, alone\n");
    hall_rooms(&s.hall, &s.a.person);
    expect(&s, &s.a, "* lobby: 1\n* Kitchen: 1\n");
    assert_null(hall_who(&s.hall, &s.a.person, "KITCHEN"));
    expect(&s, &s.a, "* in Kitchen (1): guest2\n");
    assert_non_null(hall_who(&s.hall, &s.a.person, "cellar"));
    assert_null(hall_enter(&s.hall, &s.b.person, "lobby"));
    assert_null(hall_find_room(&s.hall, "kitchen")); /* nothing was said there */
    end(&s);
}

static void rooms_are_bounded(void **state)
{
    char name[NAME_SIZE];
    scene_t s;

    (void)state;
    begin(&s, "", 20);
    hall_welcome(&s.hall, &s.a.person);
    for (int i = 0; i < 2 * HALL_EMPTY_MAX; i++) {
        snprintf(name, sizeof(name), "room%d", i);
        assert_null(hall_enter(&s.hall, &s.a.person, name));
        say(&s, &s.a, "x");
    }
    assert_true(s.hall.rooms_n <= HALL_EMPTY_MAX + 1);
    assert_null(hall_find_room(&s.hall, "room0"));
    assert_non_null(hall_find_room(&s.hall, "room150"));
    end(&s);
}

/* As many rooms as there may be that only their history is left of; room1 was left first. He is in
 * the lobby then, where something was said, too. */
static void leave_rooms_behind(scene_t *s)
{
    char name[NAME_SIZE];

    hall_welcome(&s->hall, &s->b.person);
    say(s, &s->b, "x");
    for (int i = 0; i <= HALL_EMPTY_MAX; i++) {
        snprintf(name, sizeof(name), "room%d", i);
        assert_null(hall_enter(&s->hall, &s->a.person, name));
        say(s, &s->a, "x");
    }
    assert_null(hall_enter(&s->hall, &s->a.person, "lobby"));
    assert_null(hall_find_room(&s->hall, "room0"));
    assert_non_null(hall_find_room(&s->hall, "room1"));
    assert_int_equal(s->hall.rooms_n, HALL_EMPTY_MAX + 1);
    hall_leave(&s->hall, &s->b.person, "", 0);
    forget_all(s);
}

static void who_goes_on_finds_the_room_that_was_left_first(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 20);
    hall_welcome(&s.hall, &s.a.person);
    leave_rooms_behind(&s);
    assert_null(hall_enter(&s.hall, &s.a.person, "room1"));
    assert_non_null(strstr(s.a.heard, "<guest1> x\n* you are guest1 in room1, alone"));
    assert_true(hall_find_room(&s.hall, "room1") == s.a.person.room);
    assert_non_null(hall_find_room(&s.hall, "lobby"));
    assert_non_null(hall_find_room(&s.hall, "room2")); /* there are no more than there may be */
    end(&s);
}

static void a_message_is_for_one_person(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "", 20);
    hall_welcome(&s.hall, &s.a.person);
    hall_welcome(&s.hall, &s.b.person);
    hall_welcome(&s.hall, &s.c.person);
    forget_all(&s);
    assert_null(hall_private(&s.hall, &s.a.person, "GUEST2", "psst", 4));
    assert_non_null(hall_private(&s.hall, &s.a.person, "nobody", "psst", 4));
    expect(&s, &s.a, "");
    expect(&s, &s.b, "<guest1 -> guest2> psst\n");
    expect(&s, &s.c, "");
    assert_string_equal(s.published, "");
    end(&s);
}

/* ---- with other servers ---------------------------------------------------------------------- */

static void what_happens_here_is_published(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "m", 20);
    hall_welcome(&s.hall, &s.a.person);
    say(&s, &s.a, "x");
    assert_null(hall_rename(&s.hall, &s.a.person, "bob"));
    hall_leave(&s.hall, &s.a.person, "", 0);
    assert_string_equal(s.published, "join lobby guest1 ;say lobby guest1 ;"
                                     "nick lobby guest1 bob;leave lobby bob ;");
    end(&s);
}

static void people_of_other_servers_are_there_too(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "m", 20);
    hall_welcome(&s.hall, &s.a.person);
    forget_all(&s);
    happens(&s, EVENT_JOIN, "z", "alice", "");
    happens(&s, EVENT_JOIN, "z", "alice", "");
    happens(&s, EVENT_SAY, "z", "alice", "");
    happens(&s, EVENT_NICK, "z", "alice", "eve");
    happens(&s, EVENT_HERE, "y", "carol", "");
    happens(&s, EVENT_PRIVATE, "y", "carol", "guest1");
    expect(&s, &s.a,
           "* alice has joined lobby\n<alice> hi\n* alice is now eve\n"
           "* carol has joined lobby\n<carol -> guest1> hi\n");
    assert_null(hall_who(&s.hall, &s.a.person, NULL));
    expect(&s, &s.a, "* in lobby (3): guest1, eve, carol\n");
    assert_non_null(hall_rename(&s.hall, &s.a.person, "Eve"));
    assert_null(hall_private(&s.hall, &s.a.person, "eve", "x", 1));
    assert_string_equal(s.published, "private  guest1 eve;");
    happens(&s, EVENT_LEAVE, "y", "carol", "");
    hall_server_gone(&s.hall, "z");
    expect(&s, &s.a, "* carol has left lobby (hi)\n* eve has left lobby (the server is gone)\n");
    assert_int_equal(s.hall.remotes_n, 0);
    end(&s);
}

static void a_line_from_afar_is_heard_where_it_was_said(void **state)
{
    event_t event = afar(EVENT_SAY, "z", "alice", "");
    scene_t s;

    (void)state;
    begin(&s, "m", 20);
    hall_welcome(&s.hall, &s.a.person);
    happens(&s, EVENT_JOIN, "z", "alice", "");
    forget_all(&s);
    hstr_copy(event.room, sizeof(event.room), "kitchen"); /* her way there was not heard of */
    hall_remote(&s.hall, &event);
    expect(&s, &s.a, "* alice has left lobby\n");
    assert_string_equal(hall_find(&s.hall, "alice")->room->name, "kitchen");
    hstr_copy(event.room, sizeof(event.room), "lobby");
    event.kind = EVENT_LEAVE; /* late */
    hall_remote(&s.hall, &event);
    assert_non_null(hall_find(&s.hall, "alice"));
    hstr_copy(event.room, sizeof(event.room), "cellar");
    hall_remote(&s.hall, &event);
    assert_null(hall_find_room(&s.hall, "cellar"));
    end(&s);
}

static void nobody_speaks_for_another_servers_people(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "m", 20);
    hall_welcome(&s.hall, &s.a.person);
    happens(&s, EVENT_JOIN, "z", "alice", "");
    forget_all(&s);
    happens(&s, EVENT_LEAVE, "y", "alice", "");
    happens(&s, EVENT_LEAVE, "y", "guest1", "");
    happens(&s, EVENT_JOIN, "zz", "alice", "");
    expect(&s, &s.a, "");
    assert_string_equal(hall_find(&s.hall, "alice")->server, "z");
    end(&s);
}

static void of_two_names_the_first_server_keeps_its_own(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "m", 20);
    hall_welcome(&s.hall, &s.a.person);
    assert_null(hall_rename(&s.hall, &s.a.person, "bob"));
    forget_all(&s);
    happens(&s, EVENT_JOIN, "z", "Bob", "");
    expect(&s, &s.a, "");
    happens(&s, EVENT_JOIN, "a", "Bob", "");
    expect(&s, &s.a,
           "* somebody at another server was called bob before\n"
           "* bob is now guest2\n* Bob has joined lobby\n");
    assert_string_equal(s.published, "nick lobby bob guest2;");
    happens(&s, EVENT_NICK, "z", "Bob", "guest9"); /* z has renamed its own */
    assert_string_equal(hall_find(&s.hall, "guest9")->server, "z");
    end(&s);
}

/* They settle it between themselves, and who looks on comes to the same end. */
static void of_two_names_elsewhere_the_first_server_keeps_its_own(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "m", 20);
    hall_welcome(&s.hall, &s.a.person);
    forget_all(&s);
    happens(&s, EVENT_HERE, "z", "bob", "");
    happens(&s, EVENT_HERE, "y", "bob", "");
    happens(&s, EVENT_NICK, "z", "bob", "guest9");
    expect(&s, &s.a, "* bob has joined lobby\n* guest9 has joined lobby\n");
    assert_string_equal(hall_find(&s.hall, "bob")->server, "y");
    assert_string_equal(hall_find(&s.hall, "guest9")->server, "z");
    happens(&s, EVENT_NICK, "z", "guest9", "bob");
    expect(&s, &s.a, "* guest9 has left lobby\n");
    assert_string_equal(hall_find(&s.hall, "bob")->server, "y");
    happens(&s, EVENT_HERE, "x", "carol", "");
    happens(&s, EVENT_NICK, "x", "carol", "bob");
    expect(&s, &s.a, "* carol has joined lobby\n* carol has left lobby\n");
    assert_string_equal(hall_find(&s.hall, "bob")->server, "x");
    assert_int_equal(s.hall.remotes_n, 1);
    end(&s);
}

static void who_is_forgotten_may_take_the_room_he_was_told_of_along(void **state)
{
    event_t event = afar(EVENT_SAY, "z", "bob", "");
    scene_t s;

    (void)state;
    begin(&s, "m", 20);
    hall_welcome(&s.hall, &s.a.person);
    happens(&s, EVENT_JOIN, "y", "alice", "");
    leave_rooms_behind(&s);
    hstr_copy(event.room, sizeof(event.room), "den");
    hall_remote(&s.hall, &event);
    event.kind = EVENT_NICK;
    hstr_copy(event.other, sizeof(event.other), "alice"); /* who is another server's */
    hstr_copy(event.room, sizeof(event.room), "room1");   /* where he is not */
    hall_remote(&s.hall, &event);
    assert_null(hall_find(&s.hall, "bob"));
    assert_non_null(hall_find_room(&s.hall, "den"));
    assert_null(hall_find_room(&s.hall, "room1"));
    end(&s);
}

static void who_is_here_is_told_on_request(void **state)
{
    scene_t s;

    (void)state;
    begin(&s, "m", 20);
    hall_welcome(&s.hall, &s.a.person);
    happens(&s, EVENT_JOIN, "z", "alice", "");
    forget_all(&s);
    hall_tell_who_is_here(&s.hall);
    assert_string_equal(s.published, "here lobby guest1 ;");
    end(&s);
}

/* ---- without memory -------------------------------------------------------------------------- */

static int talk(void *arg)
{
    scene_t *s = arg;

    begin(s, "m", 2);
    hall_welcome(&s->hall, &s->a.person);
    hall_welcome(&s->hall, &s->b.person);
    say(s, &s->a, "one");
    happens(s, EVENT_JOIN, "z", "alice", "");
    hall_enter(&s->hall, &s->b.person, "kitchen");
    hall_say(&s->hall, &s->b.person, EVENT_TOPIC, "cats", 4);
    say(s, &s->b, "two");
    hall_private(&s->hall, &s->b.person, "guest1", "psst", 4);
    flush(s);
    end(s);
    return 0;
}

/* Lines are lost then; nothing else. */
static void lack_of_memory_loses_lines_alone(void **state)
{
    scene_t s;

    (void)state;
    oom_run(talk, &s);
}

static int set_zone(void **state)
{
    (void)state;
    return setenv("TZ", "UTC0", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_is_told_who_is_there_and_the_others_that_he_comes),
        cmocka_unit_test(what_is_said_is_heard_by_the_others_in_order),
        cmocka_unit_test(many_lines_are_one_call_a_person),
        cmocka_unit_test(a_large_room_is_sent_its_lines_with_pauses),
        cmocka_unit_test(a_full_batch_is_sent_at_once),
        cmocka_unit_test(the_last_lines_are_shown_to_who_comes),
        cmocka_unit_test(history_is_bounded_in_bytes),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(a_guest_gets_a_name_that_nobody_has),
        cmocka_unit_test(rooms_come_and_go),
        cmocka_unit_test(rooms_are_bounded),
        cmocka_unit_test(who_goes_on_finds_the_room_that_was_left_first),
        cmocka_unit_test(a_message_is_for_one_person),
        cmocka_unit_test(what_happens_here_is_published),
        cmocka_unit_test(people_of_other_servers_are_there_too),
        cmocka_unit_test(a_line_from_afar_is_heard_where_it_was_said),
        cmocka_unit_test(nobody_speaks_for_another_servers_people),
        cmocka_unit_test(of_two_names_the_first_server_keeps_its_own),
        cmocka_unit_test(of_two_names_elsewhere_the_first_server_keeps_its_own),
        cmocka_unit_test(who_is_forgotten_may_take_the_room_he_was_told_of_along),
        cmocka_unit_test(who_is_here_is_told_on_request),
        cmocka_unit_test(lack_of_memory_loses_lines_alone),
    };

    return cmocka_run_group_tests(tests, set_zone, NULL);
}
