/* output: stdout, as the end of what comes from the network. */
#ifndef HNC_OUTPUT_H
#define HNC_OUTPUT_H

#include "hnc.h"

typedef struct output_s output_t;
typedef void (*output_event_cb)(output_t *output);

struct output_s {
    hnc_t *hnc;
    hio_t *io; /* NULL: closed */
    bool full; /* no more, please, until drained_cb */
    output_event_cb drained_cb;
    output_event_cb closed_cb; /* broken, or all is written after output_close */
};

/* The callbacks are set before. 0, or 1 once a message is printed. */
int output_open(output_t *output, hnc_t *hnc);

/* Writes a copy. True when it has become full just now. */
bool output_write(output_t *output, const void *data, size_t len);

/* Writes what is left; closed_cb follows. False: it was closed already. */
bool output_close(output_t *output);

#endif
