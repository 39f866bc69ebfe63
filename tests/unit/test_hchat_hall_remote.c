/* One thread. */
/* What reaches a hall from other servers, and what it hands on to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hchat_hall_fixture.h"

static void begin_with_one(scene_t *s)
{
    begin(s, "m", 20);
    hall_welcome(&s->hall, &s->a.person);
}

/* Who is at server z. */
static void begin_beside_alice(scene_t *s)
{
    begin_with_one(s);
    happens(s, EVENT_JOIN, "z", "alice", "");
    forget_all(s);
}

static void happens_in(scene_t *s, const char *room, event_t *event)
{
    hstr_copy(event->room, sizeof(event->room), room);
    hall_remote(&s->hall, event);
}

static void what_happens_here_is_published(void **state)
{
    scene_t s;

    (void)state;
    begin_with_one(&s);
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
    begin_with_one(&s);
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
    begin_beside_alice(&s);
    happens_in(&s, "kitchen", &event); /* her way there was not heard of */
    expect(&s, &s.a, "* alice has left lobby\n");
    assert_string_equal(hall_find(&s.hall, "alice")->room->name, "kitchen");
    event.kind = EVENT_LEAVE;
    happens_in(&s, "lobby", &event); /* late */
    assert_non_null(hall_find(&s.hall, "alice"));
    happens_in(&s, "cellar", &event);
    assert_null(hall_find_room(&s.hall, "cellar"));
    end(&s);
}

static void nobody_speaks_for_another_servers_people(void **state)
{
    scene_t s;

    (void)state;
    begin_beside_alice(&s);
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
    begin_with_one(&s);
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

static void many_who_come_or_go_at_once_are_one_line(void **state)
{
    char name[16];
    scene_t s;

    (void)state;
    begin_with_one(&s);
    forget_all(&s);
    happens(&s, EVENT_HERE, "z", "ann", "");
    happens(&s, EVENT_HERE, "z", "bob", "");
    happens(&s, EVENT_SAY, "z", "bob", "");
    happens(&s, EVENT_HERE, "z", "carl", "");
    assert_int_equal(s.wakes, 1);
    expect(&s, &s.a, "* ann, bob have joined lobby\n<bob> hi\n* carl has joined lobby\n");
    for (int i = 0; i < ROOM_NAMES_SHOWN; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        happens(&s, EVENT_HERE, "z", name, "");
    }
    flush(&s);
    assert_non_null(strstr(s.a.heard, "* p0, p1, p2"));
    assert_non_null(strstr(s.a.heard, ", p99 have joined lobby\n"));
    forget_all(&s);
    hall_server_again(&s.hall, "z");
    happens(&s, EVENT_HERE, "z", "ann", "");
    hall_server_told(&s.hall, "z");
    flush(&s);
    assert_string_equal(strstr(s.a.heard, " and "), " and 2 more have left lobby\n");
    hall_server_gone(&s.hall, "z");
    flush(&s);
    assert_non_null(strstr(s.a.heard, "\n* ann has left lobby (the server is gone)\n"));
    assert_int_equal(s.hall.remotes_n, 0);
    end(&s);
}

static void who_comes_behind_a_crowd_is_not_told_of_it(void **state)
{
    scene_t s;

    (void)state;
    begin_with_one(&s);
    forget_all(&s);
    happens(&s, EVENT_HERE, "z", "ann", "");
    hall_welcome(&s.hall, &s.b.person);
    hall_server_gone(&s.hall, "z");
    assert_null(hall_who(&s.hall, &s.a.person, NULL));
    expect(&s, &s.a,
           "* ann has joined lobby\n* guest2 has joined lobby\n"
           "* ann has left lobby (the server is gone)\n* in lobby (2): guest1, guest2\n");
    expect(&s, &s.b,
           "* you are guest2 in lobby, with guest1, ann\n"
           "* ann has left lobby (the server is gone)\n");
    happens(&s, EVENT_HERE, "z", "ann", "");
    end(&s); /* before it is told */
}

/* They settle it between themselves, and who looks on comes to the same end. */
static void of_two_names_elsewhere_the_first_server_keeps_its_own(void **state)
{
    scene_t s;

    (void)state;
    begin_with_one(&s);
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
    begin_with_one(&s);
    happens(&s, EVENT_JOIN, "y", "alice", "");
    leave_rooms_behind(&s);
    happens_in(&s, "den", &event);
    event.kind = EVENT_NICK;
    hstr_copy(event.other, sizeof(event.other), "alice"); /* who is another server's */
    happens_in(&s, "room1", &event);                      /* where he is not */
    assert_null(hall_find(&s.hall, "bob"));
    assert_non_null(hall_find_room(&s.hall, "den"));
    assert_null(hall_find_room(&s.hall, "room1"));
    end(&s);
}

static void the_last_topic_counts(void **state)
{
    event_t about = {.kind = EVENT_ABOUT, .room = "lobby", .text = "dogs", .text_len = 4};
    scene_t s;

    (void)state;
    begin_with_one(&s);
    hall_say(&s.hall, &s.a.person, EVENT_TOPIC, "cats", 4);
    forget_all(&s);
    hall_tell_who_is_here(&s.hall);
    assert_string_equal(s.published, "here lobby guest1 ;about lobby  ;");
    hstr_copy(about.server, sizeof(about.server), "z");
    about.time_ms = 1795330000122;
    hall_remote(&s.hall, &about);
    expect(&s, &s.a, "");
    about.time_ms = 1795330000124;
    hall_remote(&s.hall, &about);
    hall_remote(&s.hall, &about);
    expect(&s, &s.a, "* the topic: dogs\n");
    about.time_ms++;
    about.text_len = 0;
    hall_remote(&s.hall, &about);
    expect(&s, &s.a, "* there is no topic\n");
    assert_null(hall_find_room(&s.hall, "lobby")->topic);
    about.time_ms++;
    hall_remote(&s.hall, &about); /* nothing new */
    expect(&s, &s.a, "");
    end(&s);
}

static void who_is_here_is_told_on_request(void **state)
{
    scene_t s;

    (void)state;
    begin_beside_alice(&s);
    hall_tell_who_is_here(&s.hall);
    assert_string_equal(s.published, "here lobby guest1 ;");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_happens_here_is_published),
        cmocka_unit_test(people_of_other_servers_are_there_too),
        cmocka_unit_test(a_line_from_afar_is_heard_where_it_was_said),
        cmocka_unit_test(nobody_speaks_for_another_servers_people),
        cmocka_unit_test(of_two_names_the_first_server_keeps_its_own),
        cmocka_unit_test(many_who_come_or_go_at_once_are_one_line),
        cmocka_unit_test(who_comes_behind_a_crowd_is_not_told_of_it),
        cmocka_unit_test(of_two_names_elsewhere_the_first_server_keeps_its_own),
        cmocka_unit_test(who_is_forgotten_may_take_the_room_he_was_told_of_along),
        cmocka_unit_test(the_last_topic_counts),
        cmocka_unit_test(who_is_here_is_told_on_request),
    };

    return cmocka_run_group_tests(tests, set_zone, NULL);
}
