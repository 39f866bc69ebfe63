/* output: reports. A format turns results into text; the sinks write it to standard output or to
 * files, each opened before the scan begins. */
#ifndef HNMAP_OUTPUT_H
#define HNMAP_OUTPUT_H

#include "change.h"
#include "options.h"
#include "result.h"
#include "totals.h"

/* What --append-output does to a file that has a report already. */
typedef enum output_append_e {
    OUTPUT_APPEND = 0,     /* another report follows */
    OUTPUT_APPEND_NO_HEAD, /* without a second begin */
    OUTPUT_APPEND_NEVER    /* refused: two reports make no file of this format */
} output_append_e;

/* One format. Every call appends to out; 0 or -ENOMEM. Any call may be NULL. */
typedef struct output_format_s {
    const char *name, *extension;
    int (*begin)(hbytes_t *out, const run_t *run);
    int (*host)(hbytes_t *out, const run_t *run, const host_result_t *host);
    int (*end)(hbytes_t *out, const run_t *run, const totals_t *totals); /* of the hosts told */
    int (*change)(hbytes_t *out, const change_t *change); /* a line of its own, with --watch */
    int (*line)(hbytes_t *out, const char *line);         /* of output_line */
    output_append_e append;
} output_format_t;

extern const output_format_t output_terminal, output_normal, output_grepable, output_xml;
extern const output_format_t output_json, output_csv, output_html;

typedef struct output_s output_t;

/* Opens what the options ask for; the normal format goes to standard output unless another one
 * does. With --watch each round replaces the files when it is over, and standard output gets the
 * first one alone, then changes. 0 and *output, or the exit status after a message: nothing was
 * overwritten then. */
int output_open(const output_options_t *options, output_t **output);
/* Whether one of the files that would be opened is the one: is_it is asked of each path, as it is
 * with its ending and the date. 1, 0, -ENOMEM. */
int output_goes_to(const output_options_t *options,
                   bool (*is_it)(const void *context, const char *path), const void *context);
/* Each to all of them, at once. 0; or -errno: none of them takes anything any more (a disk is full,
 * a reader is gone). One that fails is told once, and the others go on. */
int output_begin(output_t *output, const run_t *run);
/* A line with its newline, of what happens while the scan runs; for people. */
int output_line(output_t *output, const run_t *run, const char *line);
/* Hosts that output_is_told leaves out are passed over. */
int output_host(output_t *output, const run_t *run, const host_result_t *host);
int output_change(output_t *output, const run_t *run, const change_t *change);
int output_end(output_t *output, const run_t *run);

/* Some of what was to be written was not. */
bool output_has_failed(const output_t *output);

/* As the original: a host that is down is told with -v alone, one without an open port not with
 * --open. */
bool output_is_told(const run_t *run, const host_result_t *host);

void output_free(output_t *output);

/* Whether the normal report goes to standard output: then messages of progress may, too. */
bool output_is_interactive(const output_t *output);

#endif
