/* view: what a user sees of a scan while it runs: a line of progress on a terminal, the status at a
 * key or every so often, and with -v what happens. */
#ifndef HNMAP_VIEW_H
#define HNMAP_VIEW_H

#include "event/hloop.h"
#include "options.h"
#include "result.h"

#include <stdbool.h>
#include <stdint.h>

/* How far a scan is. */
typedef struct progress_s {
    uint64_t elapsed_us;
    const char *stage;              /* "SYN scan" */
    double share;                   /* done, 0..1 */
    double rate;                    /* probes a second */
    uint64_t hosts, hosts_done, up; /* all that there are; those that are over; of them up */
    uint64_t active;                /* being scanned */
    uint64_t open;                  /* ports found so far */
    char note[64];                  /* nothing is scanned now, but what it says; empty: as above */
} progress_t;

typedef void (*view_progress_cb)(void *context, progress_t *progress);

typedef struct view_s view_t;

typedef struct view_options_s {
    const output_options_t *output;
    run_t *run;      /* its verbose and debug are what keys change */
    bool has_report; /* the normal report goes to standard output, and so may messages */
    view_progress_cb progress;
    void *context;
} view_options_t;

/* The terminal is taken over (no echo) if standard input is one and keys are wanted. 0 or
 * -ENOMEM. options are copied, what they point to is not. */
int view_new(hloop_t *loop, const view_options_t *options, view_t **view);
void view_free(view_t *view); /* the terminal is as it was before; NULL is legal */

/* A line for -v, without its newline; nothing without -v, or where the report goes elsewhere. */
void view_say(view_t *view, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Before anything else is written to the terminal. */
void view_clear(view_t *view);

/* "Stats: 0:00:05 elapsed; ..." and how much is done, two lines with their newlines; for tests. 0
 * or -ENOMEM. */
int view_status_write(hbytes_t *out, const progress_t *progress);
/* "SYN scan 45%  1,200/s  3 up  12 open  0:05 left", at most width columns. Returns buf. */
const char *view_line_write(char *buf, size_t size, const progress_t *progress, size_t width);

#endif
