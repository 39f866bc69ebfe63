/* hreport: what the operator of a server is told, one line an event, as text or as JSON. A line is
 * one write, so that the lines of several processes do not mix; one that cannot be written, or
 * that who reads them has left no room for, is lost: serving goes on. How many were, the next one
 * tells. */
#ifndef HNET_APP_HREPORT_H
#define HNET_APP_HREPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hreport_s {
    const char *name; /* in front of lines on stderr: "hchat" */
    const char *path; /* NULL: stderr */
    bool json;
    int fd;
    size_t *lost; /* lines that nobody has been told of; NULL: they are not counted */
} hreport_t;

/* A member of a JSON line; text is NULL for a number. */
typedef struct hreport_field_s {
    const char *key;
    const char *text;
    uint64_t number;
    unsigned decimals;
} hreport_field_t;

/* Opens the file to append to (NULL: stderr); the strings are borrowed. 0 or -errno. */
int hreport_open(hreport_t *report, const char *name, const char *path, bool json);

/* Opens the file anew, which may have been moved away: 0, or -errno and the old one stays. */
int hreport_reopen(hreport_t *report);
void hreport_close(hreport_t *report);

/* An event: as JSON its word and fields (the last one has no key; NULL: none), as text the
 * sentence, whose control characters are escaped. */
void hreport_event(const hreport_t *report, const char *event, const hreport_field_t *fields,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* An event that has nothing but a sentence. */
void hreport_note(const hreport_t *report, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Before there is a report: a sentence to stderr, as text. */
void hreport_say(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
