/* What comes from other servers may be late, doubled or missing: it is taken as it comes, and puts
 * right what is known of the person it is about. */
#include "base/hmem.h"
#include "base/hstr.h"
#include "hall.h"

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

/* Whether the name is free for a person of that server from now on. */
static bool settle_name(hall_t *hall, person_t *holder, const char *server)
{
    char name[NAME_SIZE];

    if (holder->server[0] != '\0' || strcmp(server, hall->options.server) >= 0)
        return false;
    hall__guest_name(hall, name);
    hall_tell(hall, holder, "* somebody at another server was called %s before\n", holder->name);
    hall__set_name(hall, holder, name);
    return true;
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

/* The person of this name, made if he is new, in this room. */
static person_t *place(hall_t *hall, const event_t *event, const char *name, room_t *room)
{
    person_t *person = hall_find(hall, name);
    room_t *before;

    if (person && strcmp(person->server, event->server) != 0) {
        if (!settle_name(hall, person, event->server))
            return NULL;
        person = NULL;
    }
    if (!person)
        person = make(hall, event->server, name);
    if (person)
        person->doubted = false;
    if (!person || person->room == room)
        return person;
    before = person->room;
    room_remove(person);
    room_add(room, person);
    if (before)
        hall__room_left(hall, before);
    return person;
}

static void take_leave(hall_t *hall, const event_t *event, room_t *room)
{
    person_t *person = find(hall, event);

    if (!person || person->room != room)
        return;
    room_event(hall, room, event, NULL);
    forget(hall, person);
}

static void take_nick(hall_t *hall, const event_t *event, room_t *room)
{
    person_t *person = find(hall, event);

    if (!person) {
        place(hall, event, event->other, room);
        return;
    }
    if (hall_find(hall, event->other) && hall_find(hall, event->other) != person &&
        !settle_name(hall, hall_find(hall, event->other), event->server)) {
        forget(hall, person);
        return;
    }
    person->doubted = false;
    hlist_remove(&person->name_link);
    hstr_copy(person->name, sizeof(person->name), event->other);
    hall__add_name(hall, person);
    room_event(hall, room, event, NULL);
}

static void take_join(hall_t *hall, const event_t *event, room_t *room)
{
    const person_t *known = find(hall, event);
    bool is_new = !known || known->room != room;

    if (place(hall, event, event->name, room) && is_new)
        room_event(hall, room, event, NULL);
}

static void take_in_room(hall_t *hall, const event_t *event, room_t *room)
{
    switch (event->kind) {
    case EVENT_JOIN:
        take_join(hall, event, room);
        break;
    case EVENT_LEAVE:
        take_leave(hall, event, room);
        break;
    case EVENT_NICK:
        take_nick(hall, event, room);
        break;
    case EVENT_HERE:
        place(hall, event, event->name, room);
        break;
    default:
        if (event->kind == EVENT_TOPIC)
            room_set_topic(room, event->text, event->text_len);
        place(hall, event, event->name, room);
        room_event(hall, room, event, NULL);
        break;
    }
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
            event_t event = {.kind = EVENT_LEAVE,
                             .time_ms = hall->ops.now_ms(hall->ops.userdata),
                             .text = why,
                             .text_len = strlen(why)};

            if (strcmp(person->server, server) != 0 || (doubted && !person->doubted))
                continue;
            hstr_copy(event.server, sizeof(event.server), server);
            hstr_copy(event.name, sizeof(event.name), person->name);
            if (person->room)
                hstr_copy(event.room, sizeof(event.room), person->room->name);
            take_leave(hall, &event, person->room);
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

void hall_tell_who_is_here(hall_t *hall)
{
    for (size_t i = 0; i < HALL_BUCKETS; i++) {
        hlist_t *bucket = &hall->buckets[i];

        for (hlist_t *node = bucket->next; node != bucket; node = node->next) {
            const person_t *person = HLIST_ENTRY(node, person_t, name_link);
            event_t event = {
                .kind = EVENT_HERE, .time_ms = hall->ops.now_ms(hall->ops.userdata), .text = ""};

            if (person->server[0] != '\0' || !person->room)
                continue;
            hstr_copy(event.name, sizeof(event.name), person->name);
            hstr_copy(event.room, sizeof(event.room), person->room->name);
            hall->ops.happened(&event, true, hall->ops.userdata);
        }
    }
}
