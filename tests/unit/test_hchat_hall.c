/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hchat_hall_fixture.h"
#include "oom.h"

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
        cmocka_unit_test(lack_of_memory_loses_lines_alone),
    };

    return cmocka_run_group_tests(tests, set_zone, NULL);
}
