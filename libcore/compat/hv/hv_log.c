/* libhv's logger. The default one is a static object that needs no memory: it has no handler and no
 * file until the program gives it one, and then nothing is written anywhere. */
#include "hlog.h"

#include "../../base/hmem.h"
#include "../../base/hstr.h"
#include "../../base/htime.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define LINE_MAX_SIZE (HLOG_LINE_MAX + 256)
#define FORMAT_SIZE 128

struct logger_s {
    pthread_mutex_t lock;
    logger_handler handler;
    FILE *file;
    int level;
    bool color;
    char format[FORMAT_SIZE];
};

/* A setting of the program, not of the library: nothing else in libcore writes to it. */
static logger_t default_logger = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_LEVEL_INFO, .format = DEFAULT_LOG_FORMAT};

/* ---- a line ---------------------------------------------------------------------------------- */

typedef struct line_s {
    char text[LINE_MAX_SIZE];
    size_t len;
} line_t;

static void put(line_t *line, const char *text)
{
    size_t room = sizeof(line->text) - line->len;
    size_t len = hstr_copy(line->text + line->len, room, text);

    line->len += len < room ? len : room - 1;
}

static void put_number(line_t *line, int width, unsigned value)
{
    char number[16];

    snprintf(number, sizeof(number), "%0*u", width, value);
    put(line, number);
}

/* False: not a field of the clock. */
static bool put_clock(line_t *line, char field, const struct tm *tm, unsigned us)
{
    switch (field) {
    case 'y':
        put_number(line, 4, (unsigned)tm->tm_year + 1900);
        return true;
    case 'm':
        put_number(line, 2, (unsigned)tm->tm_mon + 1);
        return true;
    case 'd':
        put_number(line, 2, (unsigned)tm->tm_mday);
        return true;
    case 'H':
        put_number(line, 2, (unsigned)tm->tm_hour);
        return true;
    case 'M':
        put_number(line, 2, (unsigned)tm->tm_min);
        return true;
    case 'S':
        put_number(line, 2, (unsigned)tm->tm_sec);
        return true;
    case 'z':
        put_number(line, 3, us / 1000);
        return true;
    case 'Z':
        put_number(line, 6, us);
        return true;
    default:
        return false;
    }
}

static void put_field(line_t *line, char field, int level, const char *message)
{
    const char *name = hlog_level_name((hlog_level_e)level);
    char other[3] = {'%', field, '\0'};

    if (field == 's') {
        put(line, message);
    } else if (field == 'L') {
        put(line, name);
    } else if (field == 'l') {
        other[0] = name[0];
        other[1] = '\0';
        put(line, other);
    } else {
        put(line, field == '%' ? "%" : other);
    }
}

static const char *color_of(int level)
{
    static const char *const colors[] = {"", "\033[32m", "", "\033[33m", "\033[31m", "\033[1;31m"};

    return level >= 0 && level < LOG_LEVEL_SILENT ? colors[level] : "";
}

static void format_line(const logger_t *logger, line_t *line, int level, const char *message)
{
    uint64_t now_ns = htime_real_ns();
    unsigned us = (unsigned)(now_ns % HTIME_NS_PER_S / 1000);
    time_t seconds = (time_t)(now_ns / HTIME_NS_PER_S);
    struct tm tm = {0};

    localtime_r(&seconds, &tm);
    line->len = 0;
    if (logger->color)
        put(line, color_of(level));
    for (const char *p = logger->format; *p; p++) {
        char plain[2] = {*p, '\0'};

        if (*p != '%' || p[1] == '\0')
            put(line, plain);
        else if (!put_clock(line, *++p, &tm, us))
            put_field(line, *p, level, message);
    }
    if (logger->color)
        put(line, "\033[0m");
    if (line->len == sizeof(line->text) - 1)
        line->len--;
    line->text[line->len++] = '\n';
    line->text[line->len] = '\0';
}

static void write_file(const logger_t *logger, const char *buf, int len)
{
    if (logger->file) {
        fwrite(buf, 1, (size_t)len, logger->file);
        fflush(logger->file);
    }
}

int logger_print(logger_t *logger, int level, const char *fmt, ...)
{
    char message[HLOG_LINE_MAX];
    line_t line;
    va_list ap;
    int len = 0;

    pthread_mutex_lock(&logger->lock);
    if (level >= logger->level && level < LOG_LEVEL_SILENT && (logger->handler || logger->file)) {
        va_start(ap, fmt);
        vsnprintf(message, sizeof(message), fmt, ap);
        va_end(ap);
        format_line(logger, &line, level, message);
        len = (int)line.len;
        if (logger->handler)
            logger->handler(level, line.text, len);
        else
            write_file(logger, line.text, len);
    }
    pthread_mutex_unlock(&logger->lock);
    return len;
}

/* ---- handlers -------------------------------------------------------------------------------- */

void stdout_logger(int loglevel, const char *buf, int len)
{
    (void)loglevel;
    fwrite(buf, 1, (size_t)len, stdout);
}

void stderr_logger(int loglevel, const char *buf, int len)
{
    (void)loglevel;
    fwrite(buf, 1, (size_t)len, stderr);
}

/* Called by the default logger with its lock held. */
void file_logger(int loglevel, const char *buf, int len)
{
    (void)loglevel;
    write_file(&default_logger, buf, len);
}

/* ---- settings -------------------------------------------------------------------------------- */

logger_t *logger_create(void)
{
    logger_t *logger = hmem_zalloc(sizeof(*logger));

    if (!logger)
        return NULL;
    pthread_mutex_init(&logger->lock, NULL);
    logger->level = LOG_LEVEL_INFO;
    hstr_copy(logger->format, sizeof(logger->format), DEFAULT_LOG_FORMAT);
    return logger;
}

static void make_new(logger_t *logger)
{
    pthread_mutex_lock(&logger->lock);
    if (logger->file)
        fclose(logger->file);
    logger->file = NULL;
    logger->handler = NULL;
    logger->level = LOG_LEVEL_INFO;
    logger->color = false;
    hstr_copy(logger->format, sizeof(logger->format), DEFAULT_LOG_FORMAT);
    pthread_mutex_unlock(&logger->lock);
}

void logger_destroy(logger_t *logger)
{
    if (!logger)
        return;
    make_new(logger);
    if (logger == &default_logger)
        return;
    pthread_mutex_destroy(&logger->lock);
    hmem_free(logger);
}

logger_t *hv_default_logger(void)
{
    return &default_logger;
}

void hv_destroy_default_logger(void)
{
    make_new(&default_logger);
}

void logger_set_handler(logger_t *logger, logger_handler fn)
{
    pthread_mutex_lock(&logger->lock);
    logger->handler = fn;
    pthread_mutex_unlock(&logger->lock);
}

void logger_set_level(logger_t *logger, int level)
{
    pthread_mutex_lock(&logger->lock);
    logger->level = level;
    pthread_mutex_unlock(&logger->lock);
}

void logger_set_level_by_str(logger_t *logger, const char *level)
{
    hlog_level_e parsed;

    if (hlog_level_parse(level, &parsed) == 0)
        logger_set_level(logger, (int)parsed);
}

void logger_set_format(logger_t *logger, const char *format)
{
    pthread_mutex_lock(&logger->lock);
    hstr_copy(logger->format, sizeof(logger->format), format ? format : DEFAULT_LOG_FORMAT);
    pthread_mutex_unlock(&logger->lock);
}

void logger_enable_color(logger_t *logger, int on)
{
    pthread_mutex_lock(&logger->lock);
    logger->color = on != 0;
    pthread_mutex_unlock(&logger->lock);
}

void logger_set_file(logger_t *logger, const char *filepath)
{
    FILE *file = filepath ? fopen(filepath, "ae") : NULL;

    pthread_mutex_lock(&logger->lock);
    if (logger->file)
        fclose(logger->file);
    logger->file = file;
    pthread_mutex_unlock(&logger->lock);
}

void logger_fsync(logger_t *logger)
{
    pthread_mutex_lock(&logger->lock);
    if (logger->file)
        fflush(logger->file);
    pthread_mutex_unlock(&logger->lock);
}
