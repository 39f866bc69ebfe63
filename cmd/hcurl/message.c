/* Errors, warnings and notes. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/hterm.h"
#include "base/hfile.h"
#include "base/hstr.h"
#include "report_int.h"

#define TEXT_SIZE 4096
#define COLUMNS_DEFAULT 79
#define COLUMNS_MIN 21
#define COLUMNS_MAX 10000

size_t report__columns(void)
{
    const char *said = getenv("COLUMNS");
    uint64_t columns;

    if (said != NULL && hstr_parse_u64(said, COLUMNS_MIN, COLUMNS_MAX, &columns) == 0)
        return (size_t)columns;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (hterm_is_tty(fd))
            return hterm_width(fd);
    }
    return COLUMNS_DEFAULT;
}

const char *report_name(void)
{
    return strcmp(program_invocation_short_name, "curl") == 0 ? "curl" : "hcurl";
}

/* The piece that fits, with the blank at which it is cut. */
static size_t cut_at_blank(const char *text, size_t len, size_t width)
{
    size_t cut = width;

    if (len <= width)
        return len;
    while (cut > 1 && text[cut - 1] != ' ' && text[cut - 1] != '\t')
        cut--;
    return cut > 1 ? cut : width;
}

/* Each line has the prefix. */
static void put_wrapped(const char *prefix, const char *text)
{
    size_t columns = report__columns(), used = strlen(prefix), len = strlen(text);
    size_t width = columns > used + 1 ? columns - used : columns;
    hbytes_t out = {0};
    int status = 0;

    do {
        size_t n = cut_at_blank(text, len, width);

        status = hbytes_printf(&out, "%s%.*s\n", prefix, (int)n, text);
        text += n;
        len -= n;
    } while (len > 0 && status == 0);
    hfile_write_all(STDERR_FILENO, out.data, out.len);
    hbytes_deinit(&out);
}

/* Texts may hold what a server has sent. */
static void put_safely(const char *prefix, const char *text)
{
    char safe[TEXT_SIZE];

    hstr_escape(safe, sizeof(safe), text, strlen(text));
    put_wrapped(prefix, safe);
}

static bool has_errors(const report_options_t *options)
{
    return !options->silent || options->show_error;
}

void report_error(const report_options_t *options, int status, const char *text)
{
    char safe[TEXT_SIZE], line[TEXT_SIZE + 32];
    int n;

    if (!has_errors(options))
        return;
    if (status == 0) {
        snprintf(line, sizeof(line), "%s: ", report_name());
        put_safely(line, text);
        return;
    }
    hstr_escape(safe, sizeof(safe), text, strlen(text));
    n = snprintf(line, sizeof(line), "%s: (%d) %s\n", report_name(), status, safe);
    hfile_write_all(STDERR_FILENO, line, (size_t)n);
}

void report_error_lines(const report_options_t *options, int status, const char *text)
{
    size_t len = strcspn(text, "\n");
    char first[TEXT_SIZE];

    snprintf(first, sizeof(first), "%.*s", (int)len, text);
    report_error(options, status, first);
    while (text[len] == '\n' && has_errors(options)) {
        char safe[TEXT_SIZE], line[TEXT_SIZE + 1];
        size_t n;

        text += len + 1;
        len = strcspn(text, "\n");
        n = hstr_escape(safe, sizeof(safe), text, len);
        hfile_write_all(STDERR_FILENO, line,
                        (size_t)snprintf(line, sizeof(line), "%.*s\n", (int)n, safe));
    }
}

/* Not wrapped: who looks for an option's name in it finds it. */
static void put_line(const char *text)
{
    char safe[TEXT_SIZE], line[TEXT_SIZE + 32];
    int n;

    hstr_escape(safe, sizeof(safe), text, strlen(text));
    n = snprintf(line, sizeof(line), "%s: %s\n", report_name(), safe);
    hfile_write_all(STDERR_FILENO, line, (size_t)n);
}

void report_usage(const char *text)
{
    const char *name = report_name();
    char line[TEXT_SIZE];
    int n =
        snprintf(line, sizeof(line), "%s: try '%s --help' or '%s --manual' for more information\n",
                 name, name, name);

    if (text != NULL)
        put_line(text);
    hfile_write_all(STDERR_FILENO, line, (size_t)n);
}

void report_warning(const report_options_t *options, const char *fmt, ...)
{
    char text[TEXT_SIZE];
    va_list ap;

    if (options->silent)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put_safely("Warning: ", text);
}

void report_note(const report_options_t *options, const char *fmt, ...)
{
    char text[TEXT_SIZE];
    va_list ap;

    if (options->silent || !report_traces(options))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put_safely("Note: ", text);
}
