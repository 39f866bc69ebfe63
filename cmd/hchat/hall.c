#include "hall.h"

#include "base/herr.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "render.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- finding --------------------------------------------------------------------------------- */

static hlist_t *bucket_of(const hall_t *hall, const char *name)
{
    return (hlist_t *)&hall->buckets[name_hash(name) % HALL_BUCKETS];
}

person_t *hall_find(const hall_t *hall, const char *name)
{
    hlist_t *bucket = bucket_of(hall, name);

    for (hlist_t *node = bucket->next; node != bucket; node = node->next) {
        person_t *person = HLIST_ENTRY(node, person_t, name_link);

        if (name_same(person->name, name))
            return person;
    }
    return NULL;
}

person_t *hall_find_like(const hall_t *hall, const char *name, const person_t *but)
{
    hlist_t *bucket = bucket_of(hall, name);

    for (hlist_t *node = bucket->next; node != bucket; node = node->next) {
        person_t *person = HLIST_ENTRY(node, person_t, name_link);

        if (person != but && name_looks_same(person->name, name))
            return person;
    }
    return NULL;
}

void hall__add_name(hall_t *hall, person_t *person)
{
    hlist_push_back(bucket_of(hall, person->name), &person->name_link);
}

room_t *hall_find_room(const hall_t *hall, const char *name)
{
    for (hlist_t *node = hall->rooms.next; node != &hall->rooms; node = node->next) {
        room_t *room = HLIST_ENTRY(node, room_t, link);

        if (name_same(room->name, name))
            return room;
    }
    return NULL;
}

room_t *hall__room(hall_t *hall, const char *name)
{
    room_t *room = hall_find_room(hall, name);

    if (room || hall->rooms_n >= HALL_ROOMS_MAX)
        return room;
    room = room_new(name, &hall->ops.room);
    if (!room)
        return NULL;
    hlist_push_back(&hall->rooms, &room->link);
    hall->rooms_n++;
    return room;
}

static void drop_room(hall_t *hall, room_t *room)
{
    hall->rooms_n--;
    room_free(room);
}

/* Of those that are empty the one that was left first goes. */
static void drop_surplus(hall_t *hall)
{
    room_t *oldest = NULL;
    size_t empty = 0;

    for (hlist_t *node = hall->rooms.next; node != &hall->rooms; node = node->next) {
        room_t *room = HLIST_ENTRY(node, room_t, link);

        if (room_count(room) > 0)
            continue;
        if (!oldest)
            oldest = room;
        empty++;
    }
    if (empty > HALL_EMPTY_MAX)
        drop_room(hall, oldest);
}

void hall__room_left(hall_t *hall, room_t *room)
{
    if (room_count(room) > 0)
        return;
    if (room->history.count == 0) {
        drop_room(hall, room);
        return;
    }
    room_set_topic(room, NULL, 0, 0);
    hlist_remove(&room->link);
    hlist_push_back(&hall->rooms, &room->link);
    drop_surplus(hall);
}

/* ---- telling --------------------------------------------------------------------------------- */

/* Sends what is in hall->answer, and empties it. */
static void send_answer(hall_t *hall, person_t *person)
{
    room_sync(person);
    if (hall->answer.len > 0)
        hall->ops.room.tell(person, hall->answer.data, hall->answer.len);
    hbytes_clear(&hall->answer);
}

void hall_tell(hall_t *hall, person_t *person, const char *fmt, ...)
{
    va_list ap;

    hbytes_clear(&hall->answer);
    va_start(ap, fmt);
    if (hbytes_vprintf(&hall->answer, fmt, ap) == 0)
        send_answer(hall, person);
    va_end(ap);
}

/* Renders it with a time stamp; *stamp is the length of that. */
static int render(hall_t *hall, const event_t *event, size_t *stamp)
{
    char text[RENDER_STAMP_SIZE];
    int err;

    hbytes_clear(&hall->line);
    err = hbytes_append_str(&hall->line, render_stamp(event->time_ms, text));
    *stamp = hall->line.len;
    return err ? err : render_event(event, &hall->line);
}

/* Something was put into the room, which had not or had news before. */
static void make_due(hall_t *hall, room_t *room, bool was_due)
{
    if (!room_has_news(room))
        return;
    if (!hlist_linked(&room->due_link))
        hlist_push_back(&hall->due, &room->due_link);
    if (!was_due)
        hall->ops.wake(hall->ops.userdata);
}

void room_event(hall_t *hall, room_t *room, const event_t *event, person_t *by)
{
    size_t stamp, skip;
    bool was_due = hlist_linked(&room->due_link);

    if (render(hall, event, &stamp) != 0) {
        hall->lost++;
        return;
    }
    skip = hall->options.timestamps ? 0 : stamp;
    if (!room_put(room, hall->line.data + skip, hall->line.len - skip, by))
        hall->lost++;
    if (event->kind == EVENT_SAY || event->kind == EVENT_ME)
        history_add(&room->history, hall->options.history_lines, hall->line.data, hall->line.len);
    make_due(hall, room, was_due);
    hall->ops.happened(event, event->server[0] == '\0', hall->ops.userdata);
}

void hall__crowd_event(hall_t *hall, room_t *room, const event_t *event)
{
    bool was_due = hlist_linked(&room->due_link);
    char stamp[RENDER_STAMP_SIZE] = "";

    if (hall->options.timestamps)
        render_stamp(event->time_ms, stamp);
    if (!room_put_crowd(room, stamp, event->name, event->kind == EVENT_JOIN ? "joined" : "left",
                        event->text))
        hall->lost++;
    make_due(hall, room, was_due);
    hall->ops.happened(event, event->server[0] == '\0', hall->ops.userdata);
}

event_t hall__event(const hall_t *hall, event_kind_e kind, const person_t *person)
{
    event_t event = {.kind = kind, .time_ms = hall->ops.now_ms(hall->ops.userdata), .text = ""};

    hstr_copy(event.server, sizeof(event.server), person->server);
    hstr_copy(event.name, sizeof(event.name), person->name);
    if (person->room)
        hstr_copy(event.room, sizeof(event.room), person->room->name);
    return event;
}

void hall__announce(hall_t *hall, room_t *room, const char *line)
{
    bool was_due = hlist_linked(&room->due_link);

    if (room_put(room, line, strlen(line), NULL))
        make_due(hall, room, was_due);
}

void hall_announce(hall_t *hall, const char *line)
{
    for (hlist_t *node = hall->rooms.next; node != &hall->rooms; node = node->next)
        hall__announce(hall, HLIST_ENTRY(node, room_t, link), line);
}

uint64_t hall_flush(hall_t *hall, uint64_t now_us)
{
    hlist_t *node, *next;
    uint64_t wait_us = 0;

    HLIST_FOREACH (node, next, &hall->due) {
        room_t *room = HLIST_ENTRY(node, room_t, due_link);
        uint64_t room_us = room_wait_us(room, now_us);

        if (room_us == 0)
            room_flush(room, now_us);
        else if (wait_us == 0 || room_us < wait_us)
            wait_us = room_us;
    }
    return wait_us;
}

/* ---- who is there ---------------------------------------------------------------------------- */

/* Names of a list, all but one person's, as long as `left` of them may be shown. */
static int put_names(hbytes_t *out, const hlist_t *list, const person_t *but, size_t *left)
{
    int err = 0;

    for (const hlist_t *node = list->next; node != list && *left > 0 && !err; node = node->next) {
        const person_t *person = HLIST_ENTRY(node, person_t, room_link);

        if (person == but)
            continue;
        err = hbytes_printf(out, "%s%s", *left < ROOM_NAMES_SHOWN ? ", " : "", person->name);
        (*left)--;
    }
    return err;
}

/* "alice, bob and 3 more" */
static int put_people(hbytes_t *out, const room_t *room, const person_t *but)
{
    size_t left = ROOM_NAMES_SHOWN;
    size_t count = room_count(room) - (but ? 1 : 0);
    int err = put_names(out, &room->locals, but, &left);

    if (!err)
        err = put_names(out, &room->remotes, but, &left);
    if (!err && count > ROOM_NAMES_SHOWN)
        err = hbytes_printf(out, " and %zu more", count - ROOM_NAMES_SHOWN);
    return err;
}

const char *hall_who(hall_t *hall, person_t *person, const char *name)
{
    const room_t *room = name ? hall_find_room(hall, name) : person->room;
    int err;

    if (!room || room_count(room) == 0)
        return "nobody is there";
    hbytes_clear(&hall->answer);
    err = hbytes_printf(&hall->answer, "* in %s (%zu): ", room->name, room_count(room));
    if (!err)
        err = put_people(&hall->answer, room, NULL);
    if (!err)
        err = hbytes_append_char(&hall->answer, '\n');
    if (!err)
        send_answer(hall, person);
    return err ? herr_str(err) : NULL;
}

void hall_rooms(hall_t *hall, person_t *person)
{
    size_t shown = 0, more = 0;

    hbytes_clear(&hall->answer);
    for (hlist_t *node = hall->rooms.next; node != &hall->rooms; node = node->next) {
        const room_t *room = HLIST_ENTRY(node, room_t, link);

        if (room_count(room) == 0)
            continue;
        if (shown++ >= HALL_ROOMS_SHOWN)
            more++;
        else
            hbytes_printf(&hall->answer, "* %s: %zu%s%s\n", room->name, room_count(room),
                          room->topic ? ", " : "", room->topic ? room->topic : "");
    }
    if (more > 0)
        hbytes_printf(&hall->answer, "* and %zu more\n", more);
    send_answer(hall, person);
}

/* ---- coming and going ------------------------------------------------------------------------ */

/* What somebody is shown who has come into a room: what was said, and who is there. */
static void show_room(hall_t *hall, person_t *person)
{
    const room_t *room = person->room;
    size_t others = room_count(room) - 1;
    int err;

    hbytes_clear(&hall->answer);
    err = history_write(&room->history, &hall->answer);
    if (!err)
        err = hbytes_printf(&hall->answer, "* you are %s in %s%s", person->name, room->name,
                            others > 0 ? ", with " : ", alone");
    if (!err)
        err = put_people(&hall->answer, room, person);
    if (!err)
        err = hbytes_append_char(&hall->answer, '\n');
    if (!err && room->topic)
        err = hbytes_printf(&hall->answer, "* the topic: %s\n", room->topic);
    if (err)
        hall->lost++;
    send_answer(hall, person);
}

/* Out of his room, which is told, and returned: hall__room_left is for it. NULL: he is in none. */
static room_t *step_out(hall_t *hall, person_t *person, const char *why, size_t len)
{
    room_t *room = person->room;
    event_t event = hall__event(hall, EVENT_LEAVE, person);

    if (!room)
        return NULL;
    event.text = why;
    event.text_len = len;
    room_remove(person);
    room_event(hall, room, &event, NULL);
    return room;
}

const char *hall_enter(hall_t *hall, person_t *person, const char *name)
{
    room_t *room = hall__room(hall, name), *before;
    event_t event;

    if (!room)
        return "there are too many rooms";
    if (room == person->room)
        return "you are there";
    before = step_out(hall, person, "", 0);
    room_add(room, person);
    if (before) /* not sooner: as long as the new one is empty it might go for being the oldest */
        hall__room_left(hall, before);
    show_room(hall, person);
    event = hall__event(hall, EVENT_JOIN, person);
    room_event(hall, room, &event, person);
    return NULL;
}

void hall__guest_name(hall_t *hall, char name[NAME_SIZE])
{
    do
        snprintf(name, NAME_SIZE, "guest%" PRIu64, ++hall->guests);
    while (hall_find_like(hall, name, NULL));
}

void hall_welcome(hall_t *hall, person_t *person)
{
    const char *why;

    hall__guest_name(hall, person->name);
    hall__add_name(hall, person);
    hall->locals_n++;
    why = hall_enter(hall, person, hall->options.first_room);
    if (why)
        hall_tell(hall, person, "* you are %s, but in no room: %s\n", person->name, why);
}

void hall_leave(hall_t *hall, person_t *person, const char *why, size_t len)
{
    room_t *room;

    if (!hlist_linked(&person->name_link))
        return;
    room = step_out(hall, person, why, len);
    if (room)
        hall__room_left(hall, room);
    hlist_remove(&person->name_link);
    hall->locals_n--;
}

void hall__set_name(hall_t *hall, person_t *person, const char *name)
{
    event_t event = hall__event(hall, EVENT_NICK, person);

    hstr_copy(event.other, sizeof(event.other), name);
    hlist_remove(&person->name_link);
    hstr_copy(person->name, sizeof(person->name), name);
    hall__add_name(hall, person);
    if (person->room)
        room_event(hall, person->room, &event, NULL);
}

const char *hall_rename(hall_t *hall, person_t *person, const char *name)
{
    const person_t *other = hall_find_like(hall, name, person);

    if (other)
        return name_same(other->name, name) ? "somebody else is called so"
                                            : "somebody else has a name that looks like that";
    if (strcmp(person->name, name) == 0)
        return "you are called so";
    hall__set_name(hall, person, name);
    return NULL;
}

/* ---- talking --------------------------------------------------------------------------------- */

void hall_say(hall_t *hall, person_t *person, event_kind_e kind, const char *text, size_t len)
{
    event_t event = hall__event(hall, kind, person);

    if (!person->room) {
        hall_tell(hall, person, "* you are in no room: /join ROOM\n");
        return;
    }
    event.text = text;
    event.text_len = len;
    if (kind == EVENT_TOPIC)
        room_set_topic(person->room, text, len, event.time_ms);
    else
        hall->lines++;
    /* His own words are on his screen already; what else he does he sees as the others do. */
    room_event(hall, person->room, &event, kind == EVENT_SAY ? person : NULL);
}

int hall__deliver(hall_t *hall, const event_t *event, person_t *to)
{
    size_t stamp;

    if (render(hall, event, &stamp) != 0) {
        hall->lost++;
        return -ENOMEM;
    }
    hall_tell(hall, to, "%s", hall->line.data + (hall->options.timestamps ? 0 : stamp));
    return 0;
}

const char *hall_private(hall_t *hall, person_t *person, const char *to, const char *text,
                         size_t len)
{
    person_t *other = hall_find(hall, to);
    event_t event = hall__event(hall, EVENT_PRIVATE, person);

    if (!other)
        return "nobody is called so";
    event.room[0] = '\0';
    event.text = text;
    event.text_len = len;
    hstr_copy(event.other, sizeof(event.other), other->name);
    hall->lines++;
    if (other->server[0] == '\0')
        return hall__deliver(hall, &event, other) == 0 ? NULL : herr_str(-ENOMEM);
    hall->ops.happened(&event, true, hall->ops.userdata);
    return NULL;
}

/* ---- all of it ------------------------------------------------------------------------------- */

void hall_init(hall_t *hall, const hall_options_t *options, const hall_ops_t *ops)
{
    *hall = (hall_t){.options = *options, .ops = *ops};
    for (size_t i = 0; i < HALL_BUCKETS; i++)
        hlist_init(&hall->buckets[i]);
    hlist_init(&hall->rooms);
    hlist_init(&hall->due);
}

static void drop_remotes(hall_t *hall)
{
    for (size_t i = 0; i < HALL_BUCKETS; i++) {
        hlist_t *node, *next;

        HLIST_FOREACH (node, next, &hall->buckets[i]) {
            person_t *person = HLIST_ENTRY(node, person_t, name_link);

            room_remove(person);
            hmem_free(person);
        }
    }
}

void hall_deinit(hall_t *hall)
{
    hlist_t *node, *next;

    if (!hall->rooms.next)
        return;
    drop_remotes(hall);
    HLIST_FOREACH (node, next, &hall->rooms)
        drop_room(hall, HLIST_ENTRY(node, room_t, link));
    hbytes_deinit(&hall->line);
    hbytes_deinit(&hall->answer);
}
