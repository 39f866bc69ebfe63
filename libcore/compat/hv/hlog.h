/* libhv's logger. The default one writes nowhere until it is given a handler or a file. */
#ifndef HV_HLOG_H
#define HV_HLOG_H

#include "../../base/hlog.h"
#include "hexport.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    LOG_LEVEL_VERBOSE = HLOG_VERBOSE,
    LOG_LEVEL_DEBUG = HLOG_DEBUG,
    LOG_LEVEL_INFO = HLOG_INFO,
    LOG_LEVEL_WARN = HLOG_WARN,
    LOG_LEVEL_ERROR = HLOG_ERROR,
    LOG_LEVEL_FATAL = HLOG_FATAL,
    LOG_LEVEL_SILENT = HLOG_SILENT
} log_level_e;

/* %y year, %m %d %H %M %S, %z milliseconds, %Z microseconds, %l and %L the level's letter and name,
 * %s the message, %% a percent sign. */
#define DEFAULT_LOG_FORMAT "%y-%m-%d %H:%M:%S.%z %L %s"

typedef struct logger_s logger_t;

/* buf: one line of len bytes, ending with a newline; valid during the call. */
typedef void (*logger_handler)(int loglevel, const char *buf, int len);

/* Ready handlers. file_logger writes to the file of the default logger, if it was given one. */
void stdout_logger(int loglevel, const char *buf, int len);
void stderr_logger(int loglevel, const char *buf, int len);
void file_logger(int loglevel, const char *buf, int len);

/* NULL when out of memory. Destroying the default logger only makes it new again. */
logger_t *logger_create(void);
void logger_destroy(logger_t *logger);

void logger_set_handler(logger_t *logger, logger_handler fn);
void logger_set_level(logger_t *logger, int level);
void logger_set_level_by_str(logger_t *logger, const char *level);
void logger_set_format(logger_t *logger, const char *format);
void logger_enable_color(logger_t *logger, int on);

/* Appends to this file from now on, if there is no handler. */
void logger_set_file(logger_t *logger, const char *filepath);
void logger_fsync(logger_t *logger);

/* The length of the line; 0 when it was not wanted. Thread-safe. */
int logger_print(logger_t *logger, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

logger_t *hv_default_logger(void);
void hv_destroy_default_logger(void);

#define hlog hv_default_logger()
#define hlog_destory() hv_destroy_default_logger()
#define hlog_disable() logger_set_level(hlog, LOG_LEVEL_SILENT)
#define hlog_set_file(filepath) logger_set_file(hlog, filepath)
#define hlog_set_level(level) logger_set_level(hlog, level)
#define hlog_set_level_by_str(level) logger_set_level_by_str(hlog, level)
#define hlog_set_handler(fn) logger_set_handler(hlog, fn)
#define hlog_set_format(format) logger_set_format(hlog, format)
#define hlog_fsync() logger_fsync(hlog)

#define HV_LOG(level, fmt, ...)                                                                    \
    logger_print(hlog, level, fmt " [%s:%d:%s]", ##__VA_ARGS__, hv_log_file(__FILE__), __LINE__,   \
                 __func__)

static inline const char *hv_log_file(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

#define hlogd(fmt, ...) HV_LOG(LOG_LEVEL_DEBUG, fmt, ##__VA_ARGS__)
#define hlogi(fmt, ...) HV_LOG(LOG_LEVEL_INFO, fmt, ##__VA_ARGS__)
#define hlogw(fmt, ...) HV_LOG(LOG_LEVEL_WARN, fmt, ##__VA_ARGS__)
#define hloge(fmt, ...) HV_LOG(LOG_LEVEL_ERROR, fmt, ##__VA_ARGS__)
#define hlogf(fmt, ...) HV_LOG(LOG_LEVEL_FATAL, fmt, ##__VA_ARGS__)

#define LOGD hlogd
#define LOGI hlogi
#define LOGW hlogw
#define LOGE hloge
#define LOGF hlogf

#ifdef __cplusplus
}
#endif

#endif
