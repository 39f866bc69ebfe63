/* client_input: what the user says, as lines: typed at a terminal and edited, or out of a pipe or a
 * file. */
#ifndef HNET_HCHAT_CLIENT_INPUT_H
#define HNET_HCHAT_CLIENT_INPUT_H

#include "app/hline.h"
#include "client_words.h"
#include "event/htimer.h"
#include "flood.h"
#include "line.h"

typedef struct input_s input_t;

/* A line, without its end. */
typedef void (*input_line_cb)(input_t *input, const char *text, size_t len);
typedef void (*input_event_cb)(input_t *input);

/* Embedded by value; the callbacks, rate and burst are set before it is opened. */
struct input_s {
    input_line_cb line_cb;
    input_event_cb ended_cb; /* once: there are no more lines */
    input_event_cb long_cb;  /* a line past CLIENT_LINE_MAX was left out */
    words_t *words;          /* for the Tab key */
    hline_t *line;           /* a terminal; NULL: none */
    hio_t *io;               /* something else; NULL: none, or it has ended */
    line_t cut;
    hloop_t *loop;
    uint32_t rate, burst; /* what the server takes; rate 0: everything at once */
    flood_t said;
    htimer_t *turn; /* until then the next line waits; NULL: it need not */
    hbuf_t rest;    /* was read, and is no line yet */
    hbytes_t kept;  /* the memory of it, while lines wait */
    bool held;
    bool closed; /* nothing more will be read */
    bool secret;
    bool ended;
};

/* Begins to read stdin: edited if it and stdout (output) are terminals, and else at the pace of a
 * server that takes `burst` lines at once and `rate` a second. A history file that cannot be read
 * is told in *why ("": nothing is wrong). 0 or a negative error, and *why says more. */
int input_open(input_t *input, hloop_t *loop, hio_t *output, bool history, char *why, size_t size);

/* Lines wait. At a terminal they do not: there the user is told. */
void input_hold(input_t *input, bool hold);

/* What is typed next is a secret, see hline_secret; nothing happens if it is not typed. */
void input_secret(input_t *input, bool secret);

/* The terminal is as it was. Before the loop is freed. Legal if it was never opened. Why the
 * history could not be saved, or 0. */
int input_close(input_t *input);

#endif
