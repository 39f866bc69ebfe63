/* hlog: a logger object with levels and a sink. No logger exists by default and a NULL logger is
 * silent, so the library writes nowhere unless told to. */
#ifndef HNET_BASE_HLOG_H
#define HNET_BASE_HLOG_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hlog_level_e {
    HLOG_VERBOSE = 0,
    HLOG_DEBUG = 1,
    HLOG_INFO = 2,
    HLOG_WARN = 3,
    HLOG_ERROR = 4,
    HLOG_FATAL = 5,
    HLOG_SILENT = 6
} hlog_level_e;

/* Gets one message: text is NUL-terminated, without a newline, valid during the call only. Called
 * in the thread that logs, one call at a time per logger; it must not log to the same logger. */
typedef void (*hlog_sink_cb)(hlog_level_e level, const char *text, size_t len, void *userdata);

typedef struct hlog_s hlog_t;

/* A logger that hands messages of at least min_level to the sink. NULL when out of memory. */
hlog_t *hlog_new(hlog_level_e min_level, hlog_sink_cb sink, void *userdata);
void hlog_free(hlog_t *log);
void hlog_set_level(hlog_t *log, hlog_level_e min_level);

/* Whether a message of this level would be written; false for NULL. */
bool hlog_wants(const hlog_t *log, hlog_level_e level);

/* Formats (at most HLOG_LINE_MAX bytes, then cut) and hands to the sink; nothing if not wanted. A
 * newline at the end is dropped, others become spaces: one message is one line. errno is kept.
 * Thread-safe. */
#define HLOG_LINE_MAX 4096
void hlog_write(hlog_t *log, hlog_level_e level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "ERROR", "INFO" ...; and back: "debug" in any case, 0 or HERR_SYNTAX. */
const char *hlog_level_name(hlog_level_e level);
int hlog_level_parse(const char *text, hlog_level_e *level);

/* A ready sink, to a stdio stream (userdata is a FILE *): "2026-11-20T17:45:01.123+0100 INFO text".
 * Each line is written and flushed at once. */
void hlog_sink_stream(hlog_level_e level, const char *text, size_t len, void *userdata);

#ifdef __cplusplus
}
#endif

#endif
