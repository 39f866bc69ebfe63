/* report: what hecho tells, one line an event, as text or as JSON. A line is one write, so that the
 * lines of several processes do not mix. */
#ifndef HNET_HECHO_REPORT_H
#define HNET_HECHO_REPORT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum { REPORT_TEXT = 0, REPORT_JSON } report_format_e;

typedef struct report_s {
    const char *path; /* NULL: stderr */
    report_format_e format;
    int fd;
} report_t;

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

/* Opens the file to append to (NULL: stderr); path is borrowed. 0 or -errno. */
int report_open(report_t *report, const char *path, report_format_e format);

/* Opens the file anew, which may have been moved away: 0, or -errno and the old one stays. */
int report_reopen(report_t *report);
void report_close(report_t *report);

void report_listening(const report_t *report, const char *address);
void report_connect(const report_t *report, const char *peer, const char *local);
void report_refused(const report_t *report, const char *peer, uint64_t open);
void report_closed(const report_t *report, const report_closed_t *closed);
void report_datagram(const report_t *report, const char *peer, uint64_t in, uint64_t out);
void report_summary(const report_t *report, const report_totals_t *totals);

/* Before there is a report: a sentence to stderr, as text. */
void report_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Anything else: a word for what happened and a sentence. */
void report_note(const report_t *report, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
