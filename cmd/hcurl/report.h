/* report: all that is said beside the data: errors, warnings, traces, progress, and where the time
 * went. It goes to the stderr of the process, which --stderr has led elsewhere by then. */
#ifndef HCURL_REPORT_H
#define HCURL_REPORT_H

#include "app/hopt.h"
#include "outlet.h"
#include "proto/http_client.h"

/* The name in front of messages: "hcurl", or "curl" where the program is called by that: scripts
 * that look at messages find what they know. */
const char *report_name(void);

typedef enum report_trace_e {
    REPORT_TRACE_NONE,
    REPORT_TRACE_LINES, /* -v */
    REPORT_TRACE_ASCII, /* --trace-ascii */
    REPORT_TRACE_HEX    /* --trace */
} report_trace_e;

typedef enum report_pretty_e {
    REPORT_PRETTY_AUTO, /* on a terminal */
    REPORT_PRETTY_NEVER,
    REPORT_PRETTY_ALWAYS
} report_pretty_e;

typedef struct report_options_s {
    int verbose;            /* how many v */
    int trace;              /* report_trace_e */
    const char *trace_file; /* "-": stdout, "%": stderr */
    bool trace_time, trace_ids;
    bool silent, show_error;
    bool progress_bar, progress_meter;
    bool styled;
    int pretty; /* report_pretty_e */
    bool waterfall;
    bool verbose_again; /* private: of an argument like -vv, the first letter came before */
    bool configured;    /* private: --trace-config was given */
} report_options_t;

#define REPORT_OPTIONS_DEFAULT                                                                     \
    {                                                                                              \
        .progress_meter = true, .styled = true                                                     \
    }

extern const hopt_t report_rows[];

/* A -v of another argument begins anew, -vv are two: to be called in front of each argument. */
void report_next_argument(report_options_t *options);

/* ---- messages -------------------------------------------------------------------------------- */

/* "hcurl: (7) text", or "hcurl: text" for status 0; not with -s unless there is -S. */
void report_error(const report_options_t *options, int status, const char *text);

/* The same for a text of several lines, which has nothing of a server's in it. */
void report_error_lines(const report_options_t *options, int status, const char *text);

/* A mistake on the command line, also with -s: "hcurl: text" (none for NULL) and where the help
 * is. */
void report_usage(const char *text);

/* "Warning: ...", wrapped to the terminal's width; not with -s. */
void report_warning(const report_options_t *options, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The same as "Note: ...", and only with a trace. */
void report_note(const report_options_t *options, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- transfers ------------------------------------------------------------------------------- */

typedef struct report_s report_t;                   /* the run */
typedef struct report_transfer_s report_transfer_t; /* one try of one transfer */

/* Opens the trace file; one that cannot be opened is a warning. A trace that goes to stdout goes
 * through `out`. With parallel there is one line of progress for all. All is borrowed until
 * report_free. 0, -ENOMEM. */
int report_new(const report_options_t *options, hloop_t *loop, outlet_t *out, bool parallel,
               report_t **report);

/* All transfers have ended: the last line of a parallel run. Before hloop_free. NULL is legal. */
void report_free(report_t *report);

/* Whether on_trace is worth having. */
bool report_traces(const report_options_t *options);

typedef struct report_begin_s {
    int64_t resumed;  /* bytes of the file that are there */
    bool to_terminal; /* the body goes there: no progress, and no "[5 bytes data]" */
    bool again;       /* another try: the heading is there already */
} report_begin_t;

/* A transfer is about to be started, which may trace at once: progress is shown from now on, once a
 * second. NULL without memory, which is legal below. */
report_transfer_t *report_begin(report_t *report, const report_begin_t *how);

/* It was started. */
void report_follow(report_transfer_t *report, http_transfer_t *transfer);

/* What on_trace gets. */
void report_trace(report_transfer_t *report, http_transfer_t *transfer, http_trace_e kind,
                  http_span_t data);

/* In on_close, or when it could not be started: the last drawing, and the waterfall. Frees it. */
void report_end(report_transfer_t *report);

/* Ends a line of progress that stands on the terminal, before anything else is written there. What
 * is said between report_end and report_begin needs it only in a parallel run. */
void report_break(report_t *report);

#endif
