/* server: what the members know of the server that they are at. One process, one loop. */
#ifndef HNET_HCHAT_SERVER_H
#define HNET_HCHAT_SERVER_H

#include "app/hreport.h"
#include "deadline.h"
#include "event/hloop.h"
#include "hall.h"
#include "hchat.h"
#include "net/haccess.h"
#include "net/hendpoint.h"
#include "net/htls.h"

#define SERVER_MOTD_MAX ((size_t)16 * 1024)
#define SERVER_PASSWORD_SIZE 256
#define SERVER_LOGIN_MS 30000 /* to give the password */
#define SERVER_STOP_MS 3000   /* for what is queued when the server stops */

/* The kernel holds so much for one who does not read (it doubles this), beside his queue. */
#define SERVER_SEND_BUFFER (64 * 1024)

typedef struct server_s server_t;

typedef struct listener_s {
    server_t *server;
    hendpoint_t endpoint;
    hio_t *io; /* NULL: closed */
} listener_t;

typedef struct counts_s {
    uint64_t connections, refused, dropped;
} counts_t;

struct server_s {
    const hchat_options_t *options;
    hmain_t *app;
    hloop_t *loop;
    hreport_t report;
    hall_t hall;
    struct link_s *link; /* NULL: there are no other servers */
    listener_t *listeners;
    size_t listeners_n;

    htls_ctx_t *tls;
    haccess_t *access;                   /* NULL: everybody may come */
    haccess_t *trusted;                  /* NULL: every PROXY header counts */
    hbytes_t motd;                       /* harmless, whole lines */
    char password[SERVER_PASSWORD_SIZE]; /* "": none is asked for */

    hlist_t members;
    size_t members_n;
    size_t nameless_n; /* connections whose PROXY header has not come yet */
    hlist_t gone;      /* members that are dropped, and still in the hall */
    deadlines_t idle, slow, login;
    htimer_t *flush_timer; /* runs while a batch waits for its time */
    bool woken;            /* server_tend is posted */
    hbytes_t text;         /* of a line that is looked at */

    counts_t counts;
    const char *step; /* what is being done: it follows "cannot" when it fails */
    char why[HTLS_ERROR_SIZE];
    bool announced; /* from then on what happens is told in the log */
    bool stopping;
    uint64_t noted_ns; /* the loop's last line in the log */
};

/* Soon, but not from inside: members that are gone leave the hall, and batches are sent. */
void server_wake(server_t *server);

/* A member is freed: the last one ends a server that stops. */
void server_release(server_t *server);

/* server_open.c: the end points; and what the options name: access, certificates, password, files.
 * 0, or the exit status after a message. */
int server_parse(server_t *server, const hopt_list_t *endpoints);
int server_prepare(server_t *server);

/* The message of the day, again: 0, or an error and the old one stays. */
int server_read_motd(server_t *server);

#endif
