/* member: a connection, and the person who sits behind it: reads lines, sends what he is to hear,
 * and knows when he is to go. He may be dropped at any moment: his person leaves the hall a moment
 * later (server->gone), so that nobody disappears from a list that is being walked. */
#ifndef HNET_HCHAT_MEMBER_H
#define HNET_HCHAT_MEMBER_H

#include "codec/telnet.h"
#include "flood.h"
#include "line.h"
#include "net/haddr.h"
#include "server.h"

#define MEMBER_ADDRESS_SIZE 64 /* of an IPv6 address with its zone */
#define MEMBER_PASSWORD_TRIES 3
/* For what is queued for who is dropped, and the last word behind it; within SERVER_STOP_MS. */
#define MEMBER_FAREWELL_MS 2800
#define MEMBER_QUEUE_HIGH ((size_t)64 * 1024)

typedef enum member_state_e {
    MEMBER_HANDSHAKE = 0, /* of TLS */
    MEMBER_PASSWORD,      /* is asked for */
    MEMBER_PRESENT,
    MEMBER_GONE /* nothing that he says counts any more */
} member_state_e;

typedef struct member_s {
    person_t person;
    hlist_t link;      /* of all at this server */
    hlist_t gone_link; /* while he is still in the hall */
    deadline_t idle;   /* or, before he is present, the login's */
    deadline_t slow;
    server_t *server;
    hio_t *io;
    line_t line;
    telnet_t telnet;
    flood_t flood;
    uint64_t since_us;
    uint64_t lines, bytes_in;
    const char *cause; /* why he was dropped; NULL: the connection tells */
    uint8_t state;     /* member_state_e */
    uint8_t tries;
    char address[MEMBER_ADDRESS_SIZE]; /* without the port */
    char peer[HADDR_FORMAT_SIZE];      /* with it */
} member_t;

/* accept.c: the accept callback; the user data of the listener is a listener_t. */
void member_accept(hio_t *io);

/* A connection that may come in, with its callbacks. NULL: out of memory; it is to be aborted. */
member_t *member_new(const listener_t *listener, hio_t *io);

/* He is greeted, once it is known who he is; behind TLS when its handshake is done. */
void member_begin(member_t *member);

/* The hall's ways to reach a person. */
void member_tell(person_t *person, const char *data, size_t len);
void member_give(person_t *person, chunk_t *chunk, size_t from);

/* Sends the line `word` (NULL: none) and closes; cause (static) is what the others and the log are
 * told. Legal twice. */
void member_drop(member_t *member, const char *word, const char *cause);

/* Takes those who were dropped out of the hall. */
void member_bury_all(server_t *server);

/* The server stops: a word to those who are not in the hall yet, and everybody is closed. */
void member_close_all(server_t *server, bool force);

void member_on_idle(deadline_t *deadline);
void member_on_login(deadline_t *deadline);
void member_on_slow(deadline_t *deadline);

/* talk.c: carries out a line that somebody present has sent. */
void talk_take(member_t *member, hbuf_t line);

#endif
