#include "room.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <string.h>

room_t *room_new(const char *name, const room_ops_t *ops)
{
    room_t *room = hmem_zalloc(sizeof(*room));

    if (!room)
        return NULL;
    room->ops = ops;
    hlist_init(&room->locals);
    hlist_init(&room->remotes);
    history_init(&room->history);
    hstr_copy(room->name, sizeof(room->name), name);
    return room;
}

void room_free(room_t *room)
{
    if (!room)
        return;
    hlist_remove(&room->link);
    hlist_remove(&room->due_link);
    history_deinit(&room->history);
    chunk_unref(room->batch);
    hbytes_deinit(&room->crowd.line);
    hmem_free(room->topic);
    hmem_free(room);
}

size_t room_count(const room_t *room)
{
    return room->locals_n + room->remotes_n;
}

static bool is_local(const person_t *person)
{
    return person->server[0] == '\0';
}

static void settle_crowd(room_t *room);

void room_add(room_t *room, person_t *person)
{
    if (is_local(person))
        settle_crowd(room);
    hlist_push_back(is_local(person) ? &room->locals : &room->remotes, &person->room_link);
    if (is_local(person))
        room->locals_n++;
    else
        room->remotes_n++;
    person->room = room;
    person->seen = room->batch ? room->batch->len : 0;
}

void room_remove(person_t *person)
{
    room_t *room = person->room;

    if (!room)
        return;
    room_sync(person);
    if (is_local(person))
        room->locals_n--;
    else
        room->remotes_n--;
    hlist_remove(&person->room_link);
    person->room = NULL;
}

void room_sync(person_t *person)
{
    room_t *room = person->room;
    size_t from;

    if (!room || !is_local(person))
        return;
    settle_crowd(room);
    from = person->seen;
    if (!room->batch || from >= room->batch->len)
        return;
    person->seen = room->batch->len;
    room->ops->tell(person, room->batch->data + from, room->batch->len - from);
}

static bool make_space(room_t *room, size_t len)
{
    if (room->batch && room->batch->cap - room->batch->len >= len)
        return true;
    if (room->batch)
        room_flush(room, room->flushed_us);
    room->batch = chunk_new(len > ROOM_BATCH_SIZE ? len : ROOM_BATCH_SIZE);
    return room->batch != NULL;
}

bool room_put(room_t *room, const char *line, size_t len, person_t *by)
{
    if (room->locals_n == 0)
        return true;
    settle_crowd(room);
    if (!make_space(room, len))
        return false;
    if (by && by->room == room)
        room_sync(by);
    memcpy(room->batch->data + room->batch->len, line, len);
    room->batch->len += len;
    if (by && by->room == room)
        by->seen = room->batch->len;
    return true;
}

/* Without memory the line is lost. */
static void settle_crowd(room_t *room)
{
    crowd_t crowd = room->crowd;
    int err = 0;

    room->crowd = (crowd_t){0};
    if (crowd.count > ROOM_NAMES_SHOWN)
        err = hbytes_printf(&crowd.line, " and %zu more", crowd.count - ROOM_NAMES_SHOWN);
    if (crowd.count > 0 && !err)
        err = hbytes_printf(&crowd.line, " %s %s %s%s%s%s\n", crowd.count > 1 ? "have" : "has",
                            crowd.verb, room->name, *crowd.why ? " (" : "", crowd.why,
                            *crowd.why ? ")" : "");
    if (crowd.count > 0 && !err)
        room_put(room, crowd.line.data, crowd.line.len, NULL);
    hbytes_deinit(&crowd.line);
}

bool room_put_crowd(room_t *room, const char *stamp, const char *name, const char *verb,
                    const char *why)
{
    crowd_t *crowd = &room->crowd;
    int err = 0;

    if (room->locals_n == 0)
        return true;
    if (crowd->count > 0 && (strcmp(crowd->verb, verb) != 0 || strcmp(crowd->why, why) != 0))
        settle_crowd(room);
    if (crowd->count == 0)
        err = hbytes_printf(&crowd->line, "%s* %s", stamp, name);
    else if (crowd->count < ROOM_NAMES_SHOWN)
        err = hbytes_printf(&crowd->line, ", %s", name);
    if (err)
        return false;
    crowd->verb = verb;
    crowd->why = why;
    crowd->count++;
    return true;
}

bool room_has_news(const room_t *room)
{
    return room->batch || room->crowd.count > 0;
}

void room_flush(room_t *room, uint64_t now_us)
{
    hlist_t *node, *next;
    chunk_t *batch;

    settle_crowd(room);
    batch = room->batch;
    room->batch = NULL;
    hlist_remove(&room->due_link);
    if (!batch)
        return;
    room->flushed_us = now_us;
    batch = chunk_fit(batch);
    HLIST_FOREACH (node, next, &room->locals) {
        person_t *person = HLIST_ENTRY(node, person_t, room_link);
        size_t from = person->seen;

        person->seen = 0;
        if (from < batch->len)
            room->ops->give(person, batch, from);
    }
    chunk_unref(batch);
}

uint64_t room_wait_us(const room_t *room, uint64_t now_us)
{
    uint64_t pause_us = (uint64_t)room->locals_n * ROOM_PAUSE_PER_PERSON_US;

    if (pause_us > ROOM_PAUSE_MAX_US)
        pause_us = ROOM_PAUSE_MAX_US;
    if (now_us - room->flushed_us >= pause_us)
        return 0;
    return pause_us - (now_us - room->flushed_us);
}

void room_set_topic(room_t *room, const char *text, size_t len, uint64_t time_ms)
{
    room->topic_ms = time_ms;
    hmem_free(room->topic);
    room->topic = len > 0 && len <= ROOM_TOPIC_MAX ? hmem_strndup(text, len) : NULL;
}
