/* output: stdout, as the end of what comes from the network: as it is, or in one of the forms of
 * view.h; where lines are edited, above the line being typed. */
#ifndef HNC_OUTPUT_H
#define HNC_OUTPUT_H

#include "hnc.h"
#include "view.h"

typedef struct output_s output_t;
typedef void (*output_event_cb)(output_t *output);

struct output_s {
    hnc_t *hnc;
    hio_t *io; /* NULL: closed */
    bool full; /* no more, please, until drained_cb */
    view_t view;
    hbytes_t text; /* of one chunk */
    output_event_cb drained_cb;
    output_event_cb closed_cb; /* broken, or all is written after output_close */
};

/* The callbacks are set before. 0, or 1 once a message is printed. */
int output_open(output_t *output, hnc_t *hnc);
void output_deinit(output_t *output);

/* Whether received data may go to output->io as they are, past output_received. */
bool output_is_plain(const output_t *output);

/* Writes a copy of what has come from a peer. True when it has become full just now. */
bool output_received(output_t *output, const void *data, size_t len);

/* Whether what is being sent is shown, too (--hex, --json). */
bool output_shows_sent(const output_t *output);

/* Then as output_received, else nothing. */
bool output_sent(output_t *output, const void *data, size_t len);

/* Writes what is left; closed_cb follows. False: it was closed already. */
bool output_close(output_t *output);

#endif
