/* link: --broker: what happens in our rooms goes to the other servers through a message broker, and
 * what happens in theirs comes to us. */
#ifndef HNET_HCHAT_LINK_H
#define HNET_HCHAT_LINK_H

#include "app/hopt.h"
#include "event.h"
#include "event/hloop.h"

typedef struct link_options_s {
    const char *broker; /* redis://...; NULL: this server is alone */
    const char *server; /* its name among them; NULL: made up */
} link_options_t;

/* Rows for HOPT_INCLUDE(link_rows, hchat_options_t, link, link_options_t). */
extern const hopt_t link_rows[];

typedef struct link_s link_t;

typedef struct link_callbacks_s {
    /* Something happened at another server; never one of our own. Valid during the call. */
    void (*on_event)(const event_t *event, void *userdata);
    /* Another server asks who is here: EVENT_HERE is published for everybody. */
    void (*on_asked)(void *userdata);
    /* This server is gone, or has not been heard of for too long: its people are, too. */
    void (*on_server_gone)(const char *server, void *userdata);
    /* For the log: the broker is there, is lost and why. One line. */
    void (*on_note)(const char *text, void *userdata);
    void *userdata;
} link_callbacks_t;

/* Begins to connect to the broker, and goes on trying while it is not there. callbacks are copied.
 * 0; *link is NULL without options->broker. Or a negative error, and why is one line. */
int link_open(hloop_t *loop, const link_options_t *options, const link_callbacks_t *callbacks,
              link_t **link, char *why, size_t why_size);

/* The name of this server; "" for NULL. */
const char *link_server(const link_t *link);

/* Tells the other servers; event->server is filled in here. While the broker is not there, what is
 * published is lost. NULL is legal. */
void link_publish(link_t *link, const event_t *event);

/* Before hloop_free. NULL is legal. */
void link_close(link_t *link);

#endif
