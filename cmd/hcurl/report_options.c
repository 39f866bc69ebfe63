/* What the options of report.h do that is more than to set a member. */
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "report.h"

#define TRACE_FILE_STDERR "%"

/* The last option that says where a trace goes wins, and tells. */
static int set_trace(report_options_t *o, int trace, const char *file, hbytes_t *why)
{
    int before = o->trace;

    o->trace = trace;
    o->trace_file = file;
    if (before == REPORT_TRACE_NONE || before == trace)
        return 0;
    return hbytes_append_str(why, "it overrides an earlier trace option");
}

static int call_trace(const hopt_t *row, const char *file, void *opts, hbytes_t *why)
{
    if (file[0] == '\0') {
        hbytes_append_str(why, "the name of a file is missing");
        return HERR_SYNTAX;
    }
    return set_trace(opts, (int)row->min, file, why);
}

/* Each further v of the same argument tells more: when and of what, then the data itself. */
static int call_verbose(const hopt_t *row, const char *arg, void *opts, hbytes_t *why)
{
    report_options_t *o = opts;

    (void)row;
    (void)arg;
    if (!o->verbose_again) {
        if (o->verbose >= 2 && !o->configured) /* that was said by -vv */
            o->trace_time = o->trace_ids = false;
        o->verbose = 0;
    }
    o->verbose_again = true;
    o->verbose++;
    if (o->verbose == 1)
        return set_trace(o, REPORT_TRACE_LINES, TRACE_FILE_STDERR, why);
    if (o->verbose == 2)
        o->trace_time = o->trace_ids = true;
    if (o->verbose == 3)
        o->trace = REPORT_TRACE_ASCII;
    return 0;
}

static int call_no_verbose(const hopt_t *row, const char *arg, void *opts, hbytes_t *why)
{
    report_options_t *o = opts;

    (void)row;
    (void)arg;
    (void)why;
    o->verbose = 0;
    o->trace = REPORT_TRACE_NONE;
    o->trace_time = o->trace_ids = false;
    return 0;
}

/* One word of --trace-config. The others name parts of another program, and say nothing here. */
static void configure(report_options_t *o, const char *word, size_t len)
{
    bool on = word[0] != '-';
    bool all;

    if (len > 0 && (word[0] == '-' || word[0] == '+')) {
        word++;
        len--;
    }
    all = len == 3 && strncasecmp(word, "all", len) == 0;
    if (all || (len == 3 && strncasecmp(word, "ids", len) == 0))
        o->trace_ids = on;
    if (all || (len == 4 && strncasecmp(word, "time", len) == 0))
        o->trace_time = on;
}

static int call_trace_config(const hopt_t *row, const char *text, void *opts, hbytes_t *why)
{
    report_options_t *o = opts;

    (void)row;
    (void)why;
    o->configured = true;
    while (*text != '\0') {
        size_t len = strcspn(text, ", ");

        configure(o, text, len);
        text += len;
        text += strspn(text, ", ");
    }
    return 0;
}

/* At once, so that what is wrong with the rest of the command line goes there, too. */
static int call_stderr(const hopt_t *row, const char *file, void *opts, hbytes_t *why)
{
    int fd = STDOUT_FILENO;

    (void)row;
    (void)opts;
    if (strcmp(file, "-") != 0)
        fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
        hbytes_printf(why, "%s: %s", file, herr_str(-errno));
    if (fd > STDERR_FILENO)
        close(fd);
    return 0;
}

void report_next_argument(report_options_t *options)
{
    options->verbose_again = false;
}

const hopt_t report_rows[] = {
    HOPT_GROUP("What is said"),
    HOPT_CALL('v', "verbose", call_verbose,
              "show heads, and what happens on the way; -vv when, -vvv the data, too"),
    HOPT_CALL(0, "no-verbose", call_no_verbose, "undo --verbose", .hidden = true),
    HOPT_FLAG('s', "silent", report_options_t, silent, "no progress, warnings or errors",
              .negatable = true),
    HOPT_FLAG('S', "show-error", report_options_t, show_error, "errors in spite of --silent",
              .negatable = true),
    HOPT_FLAG('#', "progress-bar", report_options_t, progress_bar,
              "progress as a bar, not as a table", .negatable = true),
    HOPT_FLAG(0, "progress-meter", report_options_t, progress_meter,
              "progress on stderr, unless the data goes to a terminal", .negatable = true),
    HOPT_CALL(0, "stderr", call_stderr, "write all that would go to stderr to FILE; - is stdout",
              .arg_name = "FILE"),
    HOPT_CALL(0, "trace", call_trace, "write all that goes over the wire to FILE, in hex",
              .arg_name = "FILE", .min = REPORT_TRACE_HEX),
    HOPT_CALL(0, "trace-ascii", call_trace, "the same without the hex; - is stdout, % stderr",
              .arg_name = "FILE", .min = REPORT_TRACE_ASCII),
    HOPT_FLAG(0, "trace-time", report_options_t, trace_time, "the time in front of a trace's lines",
              .negatable = true),
    HOPT_FLAG(0, "trace-ids", report_options_t, trace_ids,
              "the numbers of transfer and connection in front of a trace's lines",
              .negatable = true),
    HOPT_CALL(0, "trace-config", call_trace_config,
              "a list of parts to trace: ids, time or all, others are ignored", .arg_name = "LIST"),
    HOPT_FLAG(0, "styled-output", report_options_t, styled, "names of fields in bold on a terminal",
              .negatable = true),
    HOPT_SET(0, "pretty", report_options_t, pretty, REPORT_PRETTY_ALWAYS,
             "indent JSON on stdout, and colour it and heads there on a terminal; on a terminal "
             "that is the default"),
    HOPT_SET(0, "no-pretty", report_options_t, pretty, REPORT_PRETTY_NEVER,
             "leave bodies and heads as they come on a terminal, too"),
    HOPT_FLAG(0, "waterfall", report_options_t, waterfall,
              "show at the end where the time went, for each request", .negatable = true),
    HOPT_END,
};
