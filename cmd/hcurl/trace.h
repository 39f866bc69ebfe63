/* trace: what goes over the wire, as lines (-v) or dumps (--trace, --trace-ascii). Pure: text comes
 * out, who writes it is report.c. */
#ifndef HCURL_TRACE_H
#define HCURL_TRACE_H

#include "report.h"

/* All members but the first two are private. One for everything that goes to one file. */
typedef struct trace_s {
    int style;      /* report_trace_e */
    bool hide_data; /* -v: the data is seen anyway */
    bool line_open; /* what came last did not end its line */
    bool data_told; /* further data is not announced */
} trace_t;

/* Appends a piece, with prefix ("12:00:01.000123 [0-0] ") in front of its lines. 0, or the errors
 * of hbytes_append. */
int trace_format(trace_t *trace, const char *prefix, http_trace_e kind, http_span_t data,
                 hbytes_t *out);

#endif
