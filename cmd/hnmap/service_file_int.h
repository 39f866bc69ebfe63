/* service_file_int: what the files of service_file share. service_file.c: lines and probes;
 * service_file_match.c: patterns, and what they tell. */
#ifndef HNMAP_SERVICE_FILE_INT_H
#define HNMAP_SERVICE_FILE_INT_H

#include "service_file.h"

typedef enum file_field_e {
    FIELD_PRODUCT,
    FIELD_VERSION,
    FIELD_INFO,
    FIELD_HOST,
    FIELD_OS,
    FIELD_DEVICE,
    FIELD_CPE,
    FILE_FIELDS = FIELD_CPE + MATCH_CPES
} file_field_e;

/* A line with a pattern. Strings lie in the file's text. */
typedef struct file_match_s {
    const char *name;
    const char *fields[FILE_FIELDS]; /* templates; NULL: not told */
    pattern_t *pattern;
    bool is_soft, is_tls;
} file_match_t;

typedef struct file_range_s {
    uint16_t first, last;
    uint8_t protocol;
} file_range_t;

typedef struct file_span_s {
    size_t at, count;
} file_span_t;

/* A probe, and what is known of it beside. */
typedef struct file_entry_s {
    file_probe_t probe;
    unsigned line;
    unsigned told;     /* directives that were there: bits */
    file_span_t ports; /* in ranges: of ports and sslports */
    file_span_t matches;
    char *fallback_names; /* NULL: none */
    uint16_t fallbacks[SERVICE_FILE_FALLBACKS_MAX];
    size_t fallback_count;
} file_entry_t;

struct service_file_s {
    char *text; /* what strings point into */
    patterns_t *patterns;
    file_entry_t *entries;
    file_match_t *matches;
    file_range_t *ranges;
    size_t entry_count, match_count, range_count;
    file_span_t excluded;
    bool has_excluded;
    size_t listener; /* an entry; SERVICE_FILE_LISTENER: none */
};

/* A line that is read. */
typedef struct file_reader_s {
    service_file_t *file;
    const char *name;
    unsigned line;
    char *error;
    size_t error_size;
} file_reader_t;

/* "NAME:LINE: what"; returns err. */
int service_file__fail(const file_reader_t *r, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The next word of a line, NUL behind it; "" at its end. *at is behind it and its blanks. */
char *service_file__word(char **at);
/* What stands between two characters that are the same, the first of them at *at. NULL: there is no
 * end. *at is behind it. */
char *service_file__quoted(char **at);
/* "match" and "softmatch", behind the word. */
int service_file__read_match(file_reader_t *r, char *at, bool is_soft);
/* Room for one more; NULL and *err: HERR_RANGE, -ENOMEM. */
void *service_file__add(void *items, size_t *count, size_t max, size_t size, int *err);

#endif
