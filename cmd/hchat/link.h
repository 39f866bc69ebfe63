/* link: --broker: what happens in our rooms goes to the other servers through a message broker, and
 * what happens in theirs comes to us.
 *
 * All servers publish to one channel of Redis and listen to it. One that comes says hello, and each
 * of the others tells then who is at it. A server says every LINK_SILENT_MS / 3 that it is there;
 * one that was not heard of for LINK_SILENT_MS is gone, and its people with it: while the broker is
 * away, too, but not while it is stuck and nobody is heard. */
#ifndef HNET_HCHAT_LINK_H
#define HNET_HCHAT_LINK_H

#include "app/hopt.h"
#include "event.h"
#include "event/hloop.h"

#define LINK_SILENT_MS 15000 /* unless --broker-timeout says otherwise */
#define LINK_SILENT_MIN_MS 300
#define LINK_SILENT_MAX_MS 3600000
#define LINK_SERVERS_MAX 64      /* others that are known at a time */
#define LINK_EVENTS_PER_S 20000  /* that are listened to */
#define LINK_EVENTS_BURST 100000 /* somebody with many people tells who they are */
#define LINK_QUEUE_MAX 100000    /* events that wait to be published */
#define LINK_QUEUE_BYTES_MAX ((size_t)16 << 20)

typedef struct link_options_s {
    const char *broker;          /* redis://...; NULL: this server is alone */
    const char *broker_prefix;   /* the channel; NULL: "hchat" */
    const char *broker_password; /* where it is kept, "file:PATH" or "env:NAME"; NULL: in broker */
    const char *broker_ca;       /* for rediss://: trust these certificates; NULL: the system's */
    bool broker_insecure;
    uint32_t broker_timeout_ms; /* 0: LINK_SILENT_MS */
    const char *server;         /* its name among them begins so; NULL: with the host's name */
} link_options_t;

/* Rows for HOPT_INCLUDE(link_rows, hchat_options_t, link, link_options_t). */
extern const hopt_t link_rows[];

typedef struct link_s link_t;

/* Any of them but on_event may be NULL. They may publish, and may not close the link. */
typedef struct link_callbacks_s {
    /* Something happened at another server; never one of our own, nor of those that only servers
     * tell each other, but for EVENT_HERE and EVENT_ABOUT. Valid during the call. */
    void (*on_event)(const event_t *event, void *userdata);
    /* Another server asks who is here: EVENT_HERE is published for everybody. */
    void (*on_asked)(void *userdata);
    /* This server is gone, or has not been heard of for too long: its people are, too. */
    void (*on_server_gone)(const char *server, void *userdata);
    /* A server that is known tells anew who is at it (EVENT_HERE): those who were not told by
     * on_server_told have left without our hearing of it. */
    void (*on_server_again)(const char *server, void *userdata);
    void (*on_server_told)(const char *server, void *userdata);
    /* For our people, once each time: the other servers cannot be reached, or can be again. */
    void (*on_reach)(bool reachable, void *userdata);
    /* For the log: the broker is there, is lost and why. One line. */
    void (*on_note)(const char *text, void *userdata);
    void *userdata;
} link_callbacks_t;

/* What the option table cannot know. 0, or a negative error and why is one line. */
int link_check(const link_options_t *options, char *why, size_t why_size);

/* Begins to connect to the broker, and goes on trying while it is not there. callbacks are copied,
 * options (which were checked) borrowed during the call. 0; *link is NULL without options->broker.
 * Or a negative error, and why is one line. */
int link_open(hloop_t *loop, const link_options_t *options, const link_callbacks_t *callbacks,
              link_t **link, char *why, size_t why_size);

/* The name of this server; "" for NULL. */
const char *link_server(const link_t *link);

/* Whether other servers could hear us now; true for NULL, where there are none. */
bool link_is_reachable(const link_t *link);

/* Tells the other servers; event->server is filled in here. While the broker is not there it waits
 * for the broker's timeout and a third more: by then the others take us for gone, and are told
 * anew. NULL is legal. */
void link_publish(link_t *link, const event_t *event);

/* Says good-bye. Before hloop_free. NULL is legal. */
void link_close(link_t *link);

#endif
