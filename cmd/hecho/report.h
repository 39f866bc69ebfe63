/* report: the events that hecho tells. */
#ifndef HNET_HECHO_REPORT_H
#define HNET_HECHO_REPORT_H

#include "app/hreport.h"

typedef enum { REPORT_TEXT = 0, REPORT_JSON } report_format_e;

typedef struct report_closed_s {
    const char *peer;
    const char *cause;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t duration_us;
} report_closed_t;

typedef struct report_totals_s {
    uint64_t connections;
    uint64_t open;
    uint64_t refused; /* for --max-conns */
    uint64_t shed;    /* for want of descriptors */
    uint64_t datagrams;
    uint64_t dropped; /* datagrams without an answer, though there should be one */
    uint64_t bytes_in;
    uint64_t bytes_out;
} report_totals_t;

void report_listening(const hreport_t *report, const char *address);
void report_connect(const hreport_t *report, const char *peer, const char *local);
void report_refused(const hreport_t *report, const char *peer, uint64_t open);
void report_closed(const hreport_t *report, const report_closed_t *closed);
void report_datagram(const hreport_t *report, const char *peer, uint64_t in, uint64_t out);
void report_summary(const hreport_t *report, const report_totals_t *totals);

#endif
