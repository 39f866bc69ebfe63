#include "hlog.h"

#include "herr.h"
#include "hmem.h"
#include "hstr.h"
#include "htime.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define HEAD_MAX 64 /* time and level in front of a line */

struct hlog_s {
    atomic_int min_level;
    hlog_sink_cb sink;
    void *userdata;
    pthread_mutex_t lock; /* one call of the sink at a time */
};

static const char *const level_names[] = {"VERBOSE", "DEBUG", "INFO",  "WARN",
                                          "ERROR",   "FATAL", "SILENT"};

/* Where to cut text at max bytes without leaving half a character. */
static size_t cut(const char *text, size_t max)
{
    size_t n = max;

    for (int back = 0; back < 3 && n > 0 && (text[n] & 0xc0) == 0x80; back++)
        n--;
    return hstr_utf8_len(text + n, 4) > 1 ? n : max;
}

/* One message is one line. */
static size_t flatten(char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    text[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
    }
    return len;
}

hlog_t *hlog_new(hlog_level_e min_level, hlog_sink_cb sink, void *userdata)
{
    hlog_t *log = hmem_zalloc(sizeof(*log));

    if (!log)
        return NULL;
    if (pthread_mutex_init(&log->lock, NULL) != 0) {
        hmem_free(log);
        return NULL;
    }
    atomic_init(&log->min_level, min_level);
    log->sink = sink;
    log->userdata = userdata;
    return log;
}

void hlog_free(hlog_t *log)
{
    if (!log)
        return;
    pthread_mutex_destroy(&log->lock);
    hmem_free(log);
}

void hlog_set_level(hlog_t *log, hlog_level_e min_level)
{
    if (log)
        atomic_store_explicit(&log->min_level, (int)min_level, memory_order_relaxed);
}

bool hlog_wants(const hlog_t *log, hlog_level_e level)
{
    return log && level < HLOG_SILENT &&
           (int)level >= atomic_load_explicit(&log->min_level, memory_order_relaxed);
}

void hlog_write(hlog_t *log, hlog_level_e level, const char *fmt, ...)
{
    char text[HLOG_LINE_MAX + 4]; /* room to see the whole of a character that is cut */
    int saved = errno;
    va_list ap;
    int n;

    if (!hlog_wants(log, level))
        return;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n >= 0) {
        size_t len = (size_t)n > HLOG_LINE_MAX ? cut(text, HLOG_LINE_MAX) : (size_t)n;

        len = flatten(text, len);
        pthread_mutex_lock(&log->lock);
        log->sink(level, text, len, log->userdata);
        pthread_mutex_unlock(&log->lock);
    }
    errno = saved;
}

const char *hlog_level_name(hlog_level_e level)
{
    return (unsigned)level <= HLOG_SILENT ? level_names[level] : "UNKNOWN";
}

int hlog_level_parse(const char *text, hlog_level_e *level)
{
    for (int i = HLOG_VERBOSE; i <= HLOG_SILENT; i++) {
        if (hstr_ieq(text, level_names[i])) {
            *level = (hlog_level_e)i;
            return 0;
        }
    }
    return HERR_SYNTAX;
}

/* Composes the line first: a stream without a buffer (stderr) then gets it in one write. */
void hlog_sink_stream(hlog_level_e level, const char *text, size_t len, void *userdata)
{
    char line[HEAD_MAX + HLOG_LINE_MAX + 1];
    char when[HTIME_ISO_SIZE];
    int head;

    if (len > HLOG_LINE_MAX)
        len = HLOG_LINE_MAX;
    head = snprintf(line, HEAD_MAX, "%s %s ", htime_iso_local(htime_real_ms(), when, sizeof(when)),
                    hlog_level_name(level));
    memcpy(line + head, text, len);
    line[(size_t)head + len] = '\n';
    fwrite(line, 1, (size_t)head + len + 1, userdata);
    fflush(userdata);
}
