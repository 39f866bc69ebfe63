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

void room_add(room_t *room, person_t *person)
{
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
    const room_t *room = person->room;
    size_t from = person->seen;

    if (!room || !room->batch || !is_local(person) || from >= room->batch->len)
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

void room_flush(room_t *room, uint64_t now_us)
{
    chunk_t *batch = room->batch;
    hlist_t *node, *next;

    if (!batch)
        return;
    room->batch = NULL;
    room->flushed_us = now_us;
    hlist_remove(&room->due_link);
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
