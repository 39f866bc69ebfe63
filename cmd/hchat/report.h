/* report: what the operator is told, one line an event, as text or as JSON; a line is one write. */
#ifndef HNET_HCHAT_REPORT_H
#define HNET_HCHAT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct report_s {
    const char *path; /* NULL: stderr */
    bool json;
    int fd;
} report_t;

/* A member of a JSON line; text is NULL for a number. */
typedef struct report_field_s {
    const char *key;
    const char *text;
    uint64_t number;
    unsigned decimals;
} report_field_t;

/* Opens the file to append to (NULL: stderr); path is borrowed. 0 or -errno. */
int report_open(report_t *report, const char *path, bool json);

/* Opens the file anew, which may have been moved away: 0, or -errno and the old one stays. */
int report_reopen(report_t *report);
void report_close(report_t *report);

/* An event: as JSON its word and fields (the last one has no key; NULL: none), as text the
 * sentence, whose control characters are escaped. */
void report_event(const report_t *report, const char *event, const report_field_t *fields,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* An event that has nothing but a sentence. */
void report_note(const report_t *report, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Before there is a report: a sentence to stderr, as text. */
void report_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
