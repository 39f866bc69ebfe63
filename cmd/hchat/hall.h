/* hall: all the rooms, and all the people by name; at other servers, too (remote people). All that
 * happens in rooms goes through room_event: it is told to who is there, kept for who comes, and
 * handed on to the other servers.
 *
 * Names are unique among all servers as far as the servers know of each other. When two turn out to
 * have given the same name, the server whose own name comes first keeps it for its person, and the
 * other renames his: both come to the same end without asking. */
#ifndef HNET_HCHAT_HALL_H
#define HNET_HCHAT_HALL_H

#include "room.h"

#define HALL_BUCKETS 1024
#define HALL_ROOMS_MAX 4096
#define HALL_EMPTY_MAX 100 /* rooms that only a history is left of */
#define HALL_REMOTES_MAX 100000
#define HALL_ROOMS_SHOWN 100

typedef struct hall_ops_s {
    room_ops_t room;
    /* A batch has begun: hall_flush is to be called soon. Not from inside. */
    void (*wake)(void *userdata);
    /* Something has happened; `here` at this server, and then it is for the others, too. */
    void (*happened)(const event_t *event, bool here, void *userdata);
    uint64_t (*now_ms)(void *userdata); /* since the epoch */
    void *userdata;
} hall_ops_t;

typedef struct hall_options_s {
    const char *first_room;
    const char *server; /* our name among servers; "": there are no others */
    uint32_t history_lines;
    bool timestamps;
} hall_options_t;

typedef struct hall_s {
    hall_options_t options;
    hall_ops_t ops;
    hlist_t buckets[HALL_BUCKETS];
    hlist_t rooms;
    hlist_t due; /* rooms with a batch */
    size_t rooms_n, locals_n, remotes_n;
    uint64_t guests; /* so many have been named */
    uint64_t lines;  /* said here */
    uint64_t lost;   /* lines, for want of memory */
    hbytes_t line;   /* what room_event renders */
    hbytes_t answer; /* what one person is told */
} hall_t;

/* options' strings are borrowed. */
void hall_init(hall_t *hall, const hall_options_t *options, const hall_ops_t *ops);

/* All local people have left. */
void hall_deinit(hall_t *hall);

person_t *hall_find(const hall_t *hall, const char *name); /* NULL: nobody */

/* Somebody else than `but` (NULL: anybody) whose name could be taken for this one. NULL: nobody. */
person_t *hall_find_like(const hall_t *hall, const char *name, const person_t *but);

room_t *hall_find_room(const hall_t *hall, const char *name);

/* ---- local people. Texts are harmless already (text.h) --------------------------------------- */

/* A new one gets a name and is in the first room. */
void hall_welcome(hall_t *hall, person_t *person);

/* Out of his room and out of the hall, and why (may be empty). Legal for one who is not there. */
void hall_leave(hall_t *hall, person_t *person, const char *why, size_t len);

/* Into another room. NULL, or why not: a sentence without a full stop. */
const char *hall_enter(hall_t *hall, person_t *person, const char *room);
const char *hall_rename(hall_t *hall, person_t *person, const char *name);

/* EVENT_SAY, EVENT_ME or EVENT_TOPIC, in his room. */
void hall_say(hall_t *hall, person_t *person, event_kind_e kind, const char *text, size_t len);

/* To one person, wherever he is. */
const char *hall_private(hall_t *hall, person_t *person, const char *to, const char *text,
                         size_t len);

/* A line to one person, behind what he was sent before. */
void hall_tell(hall_t *hall, person_t *person, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells him who is in a room (NULL: in his), and which rooms there are. */
const char *hall_who(hall_t *hall, person_t *person, const char *room);
void hall_rooms(hall_t *hall, person_t *person);

/* A line from the server to everybody who is here. */
void hall_announce(hall_t *hall, const char *line);

/* Sends all batches whose time has come. The time until the next one, us; 0: there is none. */
uint64_t hall_flush(hall_t *hall, uint64_t now_us);

/* ---- other servers (hall_remote.c) ----------------------------------------------------------- */

/* What happened at one of them. */
void hall_remote(hall_t *hall, const event_t *event);

/* It is gone, and its people with it. */
void hall_server_gone(hall_t *hall, const char *server);

/* It tells anew who is there, and who was not known joins; it has done so: who was not told has
 * left. */
void hall_server_again(hall_t *hall, const char *server);
void hall_server_told(hall_t *hall, const char *server);

/* EVENT_HERE for everybody who is here, and EVENT_ABOUT for their rooms. */
void hall_tell_who_is_here(hall_t *hall);

/* ---- between hall.c and hall_remote.c -------------------------------------------------------- */

/* Everything that happens in a room. `by` is not told what he has done; NULL: everybody is. */
void room_event(hall_t *hall, room_t *room, const event_t *event, person_t *by);

/* As room_event, of EVENT_JOIN or EVENT_LEAVE with a static text: many of them are told as one. */
void hall__crowd_event(hall_t *hall, room_t *room, const event_t *event);

/* Of this kind, about a person who is in his room now; without a text. */
event_t hall__event(const hall_t *hall, event_kind_e kind, const person_t *person);

/* The room of this name, made if there is none. NULL: there are too many, or no memory. */
room_t *hall__room(hall_t *hall, const char *name);

/* A line from the server to who is in this room here. */
void hall__announce(hall_t *hall, room_t *room, const char *line);

/* A private line, to one who is here. 0 or -ENOMEM. */
int hall__deliver(hall_t *hall, const event_t *event, person_t *to);

/* After somebody went: an empty room goes, too, unless its history is worth keeping. */
void hall__room_left(hall_t *hall, room_t *room);

void hall__add_name(hall_t *hall, person_t *person);

/* "guest7", which nobody has. */
void hall__guest_name(hall_t *hall, char name[NAME_SIZE]);

/* He has the name from now on, and his room is told. */
void hall__set_name(hall_t *hall, person_t *person, const char *name);

#endif
