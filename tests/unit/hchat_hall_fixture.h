/* hchat_hall_fixture: a hall of three people, who remember what they were sent. Include it after
 * cmocka.h. */
#ifndef HNET_TESTS_HCHAT_HALL_FIXTURE_H
#define HNET_TESTS_HCHAT_HALL_FIXTURE_H

#include "../../cmd/hchat/hall.h"
#include "base/hstr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static inline void hear(person_t *person, const char *data, size_t len)
{
    guy_t *guy = HLIST_ENTRY(person, guy_t, person);
    size_t at = strlen(guy->heard);

    snprintf(guy->heard + at, sizeof(guy->heard) - at, "%.*s", (int)len, data);
}

static inline void give(person_t *person, chunk_t *chunk, size_t from)
{
    scene->gives++;
    hear(person, chunk->data + from, chunk->len - from);
}

static inline void on_wake(void *userdata)
{
    ((scene_t *)userdata)->wakes++;
}

static inline void on_happened(const event_t *event, bool here, void *userdata)
{
    scene_t *s = userdata;
    size_t at = strlen(s->published);

    if (here)
        snprintf(s->published + at, sizeof(s->published) - at, "%s %s %s %s;",
                 event_kind_name(event->kind), event->room, event->name, event->other);
}

static inline uint64_t on_now(void *userdata)
{
    (void)userdata;
    return 1795330000123;
}

static inline void begin(scene_t *s, const char *server, uint32_t history)
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

static inline void end(scene_t *s)
{
    hall_leave(&s->hall, &s->a.person, "", 0);
    hall_leave(&s->hall, &s->b.person, "", 0);
    hall_leave(&s->hall, &s->c.person, "", 0);
    hall_deinit(&s->hall);
}

/* All that waits is sent: time goes on. */
static inline void flush(scene_t *s)
{
    s->now_us += 1000000;
    hall_flush(&s->hall, s->now_us);
}

static inline void expect(scene_t *s, guy_t *guy, const char *heard)
{
    flush(s);
    assert_string_equal(guy->heard, heard);
    guy->heard[0] = '\0';
}

static inline void forget_all(scene_t *s)
{
    flush(s);
    s->a.heard[0] = s->b.heard[0] = s->c.heard[0] = '\0';
    s->published[0] = '\0';
    s->gives = s->wakes = 0;
}

static inline void say(scene_t *s, guy_t *guy, const char *text)
{
    hall_say(&s->hall, &guy->person, EVENT_SAY, text, strlen(text));
}

static inline event_t afar(event_kind_e kind, const char *server, const char *name,
                           const char *other)
{
    event_t event = {.kind = kind, .room = "lobby", .time_ms = 1795330000123, .text = "hi"};

    event.text_len = 2;
    hstr_copy(event.server, sizeof(event.server), server);
    hstr_copy(event.name, sizeof(event.name), name);
    hstr_copy(event.other, sizeof(event.other), other);
    return event;
}

static inline void happens(scene_t *s, event_kind_e kind, const char *server, const char *name,
                           const char *other)
{
    event_t event = afar(kind, server, name, other);

    hall_remote(&s->hall, &event);
}

/* As many rooms as there may be that only their history is left of; room1 was left first. He is in
 * the lobby then, where something was said, too. */
static inline void leave_rooms_behind(scene_t *s)
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

static inline int set_zone(void **state)
{
    (void)state;
    return setenv("TZ", "UTC0", 1);
}

#endif
