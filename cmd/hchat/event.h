/* event: something that happens in a room, or between servers that share their rooms; and its JSON,
 * one object, in which it goes from server to server:
 *
 *     {"kind":"say","server":"a1","time":1795330000123,"room":"lobby","name":"bob","text":"hello"}
 *
 * Members that a kind does not have are left out. Pure. */
#ifndef HNET_HCHAT_EVENT_H
#define HNET_HCHAT_EVENT_H

#include "base/hbuf.h"
#include "name.h"

typedef enum event_kind_e {
    /*                   room   name             other       text */
    EVENT_SAY,     /*    where  who                          what */
    EVENT_ME,      /*    where  who                          what he does */
    EVENT_PRIVATE, /*           who              to whom     what */
    EVENT_JOIN,    /*    where  who */
    EVENT_LEAVE,   /*    where  who                          why, may be empty */
    EVENT_NICK,    /*    where  his old name     new name */
    EVENT_TOPIC,   /*    where  who                          the topic, may be empty */
    /* Between servers; nobody is told of them as such. */
    EVENT_HELLO, /* a server has come: the others tell who is at theirs */
    EVENT_HERE,  /*      where  who is there: told as a join if it was not known */
    EVENT_ABOUT, /*      where                               its topic since that time, or "" */
    EVENT_TOLD,  /* all who are at this server have been told with EVENT_HERE since a hello */
    EVENT_ALIVE, /* a server is still there */
    EVENT_BYE    /* a server goes, and all its people with it */
} event_kind_e;

#define EVENT_KINDS (EVENT_BYE + 1)
#define EVENT_SERVER_SIZE 33
#define EVENT_TEXT_MAX ((size_t)64 * 1024)
/* Text at its longest, every byte escaped, and the rest. */
#define EVENT_JSON_MAX (6 * EVENT_TEXT_MAX + 4096)

typedef struct event_s {
    event_kind_e kind;
    char
        server[EVENT_SERVER_SIZE]; /* where it happened: letters, digits, "-", "_", "."; "": here */
    char room[NAME_SIZE];
    char name[NAME_SIZE];
    char other[NAME_SIZE];
    uint64_t time_ms; /* since the epoch */
    const char *text; /* harmless (text.h), of one line; borrowed */
    size_t text_len;
} event_t;

/* Appends its JSON. 0, -ENOMEM, -ENOBUFS. */
int event_write(const event_t *event, hbytes_t *json);

/* Reads one back, strictly: exactly the members of its kind, names that may be names, text that is
 * UTF-8 and of EVENT_TEXT_MAX at most. event->text lies in `text`, which is replaced, and which is
 * harmless again whatever came. 0; HERR_SYNTAX; -EMSGSIZE (more than EVENT_JSON_MAX);
 * HERR_UNSUPPORTED (no jansson); -ENOMEM. */
int event_read(event_t *event, const char *json, size_t len, hbytes_t *text);

/* "say", as in JSON. */
const char *event_kind_name(event_kind_e kind);

/* Whether a server may be called so. */
bool event_server_is_valid(const char *server);

#endif
