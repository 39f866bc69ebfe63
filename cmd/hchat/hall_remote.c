/* What comes from other servers may be late, doubled or missing: it is taken as it comes, and puts
 * right what is known of the person it is about. */
#include "base/hmem.h"
#include "base/hstr.h"
#include "hall.h"

#include <stdio.h>
#include <string.h>

static void forget(hall_t *hall, person_t *person)
{
    room_t *room = person->room;

    room_remove(person);
    hlist_remove(&person->name_link);
    hmem_free(person);
    hall->remotes_n--;
    if (room)
        hall__room_left(hall, room);
}

/* Out of his room, which is told why (may be empty), and forgotten; many: of more who go at once,
 * and why is static. */
static void leave(hall_t *hall, person_t *person, const char *why, size_t len, bool many)
{
    event_t event = hall__event(hall, EVENT_LEAVE, person);

    event.text = why;
    event.text_len = len;
    if (person->room && many)
        hall__crowd_event(hall, person->room, &event);
    else if (person->room)
        room_event(hall, person->room, &event, NULL);
    forget(hall, person);
}

/* Into another room; both are told, and that is how they know of what was missed; many: of more who
 * come at once. */
static void move(hall_t *hall, person_t *person, room_t *room, bool many)
{
    room_t *before = person->room;
    event_t event = hall__event(hall, EVENT_LEAVE, person);

    room_remove(person);
    if (before)
        room_event(hall, before, &event, NULL);
    room_add(room, person);
    event = hall__event(hall, EVENT_JOIN, person);
    if (many)
        hall__crowd_event(hall, room, &event);
    else
        room_event(hall, room, &event, NULL);
    if (before)
        hall__room_left(hall, before);
}

/* Whether the name of this person is given to one of that server. */
static bool yields(const hall_t *hall, const person_t *person, const char *server)
{
    const char *his = person->server[0] ? person->server : hall->options.server;

    return strcmp(server, his) < 0;
}

static void rename_ours(hall_t *hall, person_t *person)
{
    char name[NAME_SIZE];

    hall__guest_name(hall, name);
    hall_tell(hall, person, "* somebody at another server was called %s before\n", person->name);
    hall__set_name(hall, person, name);
}

/* NULL: he cannot be known here. */
static person_t *make(hall_t *hall, const char *server, const char *name)
{
    person_t *person = NULL;

    if (hall->remotes_n < HALL_REMOTES_MAX)
        person = hmem_zalloc(sizeof(*person));
    if (!person)
        return NULL;
    hstr_copy(person->name, sizeof(person->name), name);
    hstr_copy(person->server, sizeof(person->server), server);
    hall__add_name(hall, person);
    hall->remotes_n++;
    return person;
}

static person_t *find(const hall_t *hall, const event_t *event)
{
    person_t *person = hall_find(hall, event->name);

    return person && strcmp(person->server, event->server) == 0 ? person : NULL;
}

/* The person of this name, made if he is new, is in this room, unless another one keeps the name. A
 * third server's person who has to give it up will be new here when that server has renamed him. */
static void place(hall_t *hall, const event_t *event, const char *name, room_t *room)
{
    person_t *person = hall_find(hall, name);

    if (person && strcmp(person->server, event->server) != 0) {
        if (!yields(hall, person, event->server))
            return;
        if (person->server[0] != '\0') {
            hstr_copy(person->server, sizeof(person->server), event->server);
        } else {
            rename_ours(hall, person);
            person = NULL;
        }
    }
    if (!person)
        person = make(hall, event->server, name);
    if (!person)
        return;
    person->doubted = false;
    if (person->room != room)
        move(hall, person, room, event->kind == EVENT_HERE);
}

static void take_leave(hall_t *hall, const event_t *event, const room_t *room)
{
    person_t *person = find(hall, event);

    if (person && person->room == room)
        leave(hall, person, event->text, event->text_len, false);
}

/* Who takes a name that somebody has is as good as new. */
static void take_nick(hall_t *hall, const event_t *event, room_t *room)
{
    person_t *person = find(hall, event);
    const person_t *holder = hall_find(hall, event->other);

    if (person && holder && holder != person) {
        leave(hall, person, "", 0, false);
        person = NULL;
        room = hall__room(hall, event->room);
    }
    if (!person) {
        if (room)
            place(hall, event, event->other, room);
        return;
    }
    person->doubted = false;
    hlist_remove(&person->name_link);
    hstr_copy(person->name, sizeof(person->name), event->other);
    hall__add_name(hall, person);
    room_event(hall, room, event, NULL);
}

static void take_in_room(hall_t *hall, const event_t *event, room_t *room)
{
    switch (event->kind) {
    case EVENT_JOIN:
    case EVENT_HERE:
        place(hall, event, event->name, room);
        break;
    case EVENT_LEAVE:
        take_leave(hall, event, room);
        break;
    case EVENT_NICK:
        take_nick(hall, event, room);
        break;
    default:
        if (event->kind == EVENT_TOPIC)
            room_set_topic(room, event->text, event->text_len, event->time_ms);
        place(hall, event, event->name, room);
        room_event(hall, room, event, NULL);
        break;
    }
}

/* What was missed of the topic; the last one counts. */
static void take_about(hall_t *hall, const event_t *event)
{
    room_t *room = hall_find_room(hall, event->room);
    bool had_topic;
    int err;

    if (!room || room->topic_ms >= event->time_ms)
        return;
    had_topic = room->topic != NULL;
    room_set_topic(room, event->text, event->text_len, event->time_ms);
    if (!had_topic && !room->topic)
        return;
    hbytes_clear(&hall->line);
    err = room->topic ? hbytes_printf(&hall->line, "* the topic: %s\n", room->topic)
                      : hbytes_append_str(&hall->line, "* there is no topic\n");
    if (!err)
        hall__announce(hall, room, hall->line.data);
}

static void take_private(hall_t *hall, const event_t *event)
{
    person_t *to = hall_find(hall, event->other);

    if (to && to->server[0] == '\0')
        hall__deliver(hall, event, to);
}

/* Where it happened: mostly where its person is known to be. */
static room_t *room_of(hall_t *hall, const event_t *event)
{
    const person_t *person = find(hall, event);

    if (person && person->room && name_same(person->room->name, event->room))
        return person->room;
    return hall__room(hall, event->room);
}

void hall_remote(hall_t *hall, const event_t *event)
{
    room_t *room;
    bool was_empty;

    if (event->kind == EVENT_ABOUT)
        take_about(hall, event);
    if (event->kind >= EVENT_HELLO && event->kind != EVENT_HERE)
        return;
    if (event->kind == EVENT_PRIVATE) {
        take_private(hall, event);
        return;
    }
    room = room_of(hall, event);
    if (!room)
        return;
    was_empty = room_count(room) == 0;
    take_in_room(hall, event, room);
    if (was_empty) /* as the oldest it may be gone by now */
        room = hall_find_room(hall, event->room);
    if (was_empty && room)
        hall__room_left(hall, room);
}

/* All its people, or those that are doubted, leave. */
static void leave_all(hall_t *hall, const char *server, bool doubted, const char *why)
{
    for (size_t i = 0; i < HALL_BUCKETS; i++) {
        hlist_t *node, *next;

        HLIST_FOREACH (node, next, &hall->buckets[i]) {
            person_t *person = HLIST_ENTRY(node, person_t, name_link);

            if (strcmp(person->server, server) == 0 && (person->doubted || !doubted))
                leave(hall, person, why, strlen(why), true);
        }
    }
}

void hall_server_gone(hall_t *hall, const char *server)
{
    leave_all(hall, server, false, "the server is gone");
}

void hall_server_again(hall_t *hall, const char *server)
{
    for (size_t i = 0; i < HALL_BUCKETS; i++) {
        hlist_t *bucket = &hall->buckets[i];

        for (hlist_t *node = bucket->next; node != bucket; node = node->next) {
            person_t *person = HLIST_ENTRY(node, person_t, name_link);

            if (strcmp(person->server, server) == 0)
                person->doubted = true;
        }
    }
}

void hall_server_told(hall_t *hall, const char *server)
{
    leave_all(hall, server, true, "");
}

static void tell_topic(hall_t *hall, const room_t *room)
{
    event_t event = {.kind = EVENT_ABOUT, .time_ms = room->topic_ms, .text = ""};

    if (room->topic_ms == 0 || room->locals_n == 0)
        return;
    hstr_copy(event.room, sizeof(event.room), room->name);
    if (room->topic) {
        event.text = room->topic;
        event.text_len = strlen(room->topic);
    }
    hall->ops.happened(&event, true, hall->ops.userdata);
}

void hall_tell_who_is_here(hall_t *hall)
{
    for (size_t i = 0; i < HALL_BUCKETS; i++) {
        hlist_t *bucket = &hall->buckets[i];

        for (hlist_t *node = bucket->next; node != bucket; node = node->next) {
            const person_t *person = HLIST_ENTRY(node, person_t, name_link);
            event_t event = hall__event(hall, EVENT_HERE, person);

            if (person->server[0] == '\0' && person->room)
                hall->ops.happened(&event, true, hall->ops.userdata);
        }
    }
    for (hlist_t *node = hall->rooms.next; node != &hall->rooms; node = node->next)
        tell_topic(hall, HLIST_ENTRY(node, room_t, link));
}
