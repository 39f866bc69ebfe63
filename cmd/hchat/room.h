/* room: the people in one room, and what they are told. Lines are put into a batch, which all of
 * them are sent together: a line costs its rendering once, and many lines cost one call a person.
 *
 * A person has `seen` bytes of the batch: his own lines are not sent to him, so what was before
 * them is sent first, as a copy. What all the others get is the batch itself. */
#ifndef HNET_HCHAT_ROOM_H
#define HNET_HCHAT_ROOM_H

#include "base/hlist.h"
#include "chunk.h"
#include "event.h"
#include "history.h"

#include <stdbool.h>

#define ROOM_BATCH_SIZE ((size_t)16 * 1024)

/* A large room is sent its lines at most once in this time, which is nothing to its people, and
 * leaves the processor something else to do. */
#define ROOM_PAUSE_PER_PERSON_US 20
#define ROOM_PAUSE_MAX_US 50000

#define ROOM_NAMES_SHOWN 100 /* of many people in one line; the others are counted */

typedef struct room_s room_t;

/* Zeroed before he is in the hall. */
typedef struct person_s {
    hlist_t name_link; /* in the hall, among names of the same hash */
    hlist_t room_link;
    room_t *room; /* NULL: in none */
    size_t seen;
    char name[NAME_SIZE];
    char server[EVENT_SERVER_SIZE]; /* "": he is here */
    bool doubted;                   /* his server tells anew who is there, and not him so far */
} person_t;

/* How people are reached; the hall's owner brings it. */
typedef struct room_ops_s {
    /* Sends these bytes, copied if need be. Must not take anybody out of a room. */
    void (*tell)(person_t *person, const char *data, size_t len);
    /* Sends the chunk from an offset on; takes a reference if it keeps it. As tell. */
    void (*give)(person_t *person, chunk_t *chunk, size_t from);
} room_ops_t;

/* People who come or go together, for one line. */
typedef struct crowd_s {
    hbytes_t line; /* their names, so far */
    size_t count;
    const char *verb, *why;
} crowd_t;

struct room_s {
    const room_ops_t *ops;
    hlist_t link;     /* in the hall */
    hlist_t due_link; /* in the hall, while there is a batch */
    hlist_t locals, remotes;
    size_t locals_n, remotes_n;
    history_t history;
    chunk_t *batch;
    crowd_t crowd; /* will be the next line of the batch */
    uint64_t flushed_us;
    char *topic;       /* NULL: none */
    uint64_t topic_ms; /* since when; 0: there was none */
    char name[NAME_SIZE];
};

/* NULL: out of memory. */
room_t *room_new(const char *name, const room_ops_t *ops);
void room_free(room_t *room); /* nobody is in it; NULL is legal */

size_t room_count(const room_t *room);

/* In or out; nobody is told. Who goes out has been sent what was said before. */
void room_add(room_t *room, person_t *person);
void room_remove(person_t *person);

/* A line for all who are here but for `by` (NULL: all). Without memory it is lost: false. */
bool room_put(room_t *room, const char *line, size_t len, person_t *by);

/* "* name has joined room (why)", of which many, one behind the other, are one line. The verb and
 * why (may be empty) are static. False: as room_put. */
bool room_put_crowd(room_t *room, const char *stamp, const char *name, const char *verb,
                    const char *why);

/* Whether there is something to be flushed. */
bool room_has_news(const room_t *room);

/* Sends a person what he has not been sent yet, before something else is. */
void room_sync(person_t *person);

/* Sends the batch to all. */
void room_flush(room_t *room, uint64_t now_us);

/* The time until the batch may be sent, us; 0: now. */
uint64_t room_wait_us(const room_t *room, uint64_t now_us);

/* So many bytes may a topic have: /rooms tells them all. */
#define ROOM_TOPIC_MAX ((size_t)256)

/* The topic since then; len 0 takes it off. Without memory, or too long, there is none. */
void room_set_topic(room_t *room, const char *text, size_t len, uint64_t time_ms);

#endif
