#include "output.h"

#include "base/hfile.h"
#include "base/hmem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SINKS_MAX 10
#define KEPT_MAX ((size_t)1 << 28) /* bytes of a report that is kept until its round is over */

/* A format and where its text goes. */
typedef struct sink_s {
    const output_format_t *format;
    char *path;     /* NULL: standard output */
    int fd;         /* -1: the report is kept, and replaces the file when the round is over */
    int error;      /* the first one of this round; it gets nothing more of it */
    bool is_told;   /* the error; not again before it is over */
    bool has_head;  /* the file that is appended to has it */
    bool has_round; /* the file is the report of a round that was whole */
    hbytes_t kept;
} sink_t;

struct output_s {
    sink_t sinks[SINKS_MAX];
    size_t count;
    bool failed; /* some sink did, some time */
    totals_t totals;
};

static void say(const char *what, const char *path, int error)
{
    fprintf(stderr, "hnmap: %s '%s': %s\n", what, path ? path : "standard output", herr_str(error));
}

/* The path that a name stands for, as the original: %D is the day, %T the time, and so on; what
 * else follows a % stands for itself. *path is the caller's. */
static int expand_path(const char *name, char **path)
{
    static const struct {
        char letter;
        unsigned at, len; /* of now */
    } parts[] = {{'H', 0, 2}, {'M', 2, 2}, {'S', 4, 2},  {'T', 0, 6}, {'R', 0, 4},
                 {'m', 6, 2}, {'d', 8, 2}, {'y', 10, 2}, {'D', 6, 6}, {'Y', 12, 4}};
    char now[96] = "";
    hbytes_t out = {0};
    struct tm tm;
    time_t seconds = time(NULL);
    int status = 0;

    if (localtime_r(&seconds, &tm))
        snprintf(now, sizeof(now), "%02d%02d%02d%02d%02d%02d%04d", tm.tm_hour, tm.tm_min, tm.tm_sec,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_year % 100, tm.tm_year + 1900);
    for (; *name && status == 0; name++) {
        const char *text = name;
        size_t len = 1;

        if (*name == '%' && name[1]) {
            text = ++name;
            for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (parts[i].letter == *name) {
                    text = now + parts[i].at;
                    len = parts[i].len;
                }
        }
        status = hbytes_append(&out, text, len);
    }
    *path = status == 0 ? hmem_strdup(out.data ? out.data : "") : NULL;
    hbytes_deinit(&out);
    return *path ? 0 : -ENOMEM;
}

static int add_sink(output_t *output, const output_format_t *format, const char *path)
{
    sink_t *sink = &output->sinks[output->count];
    bool to_stdout = path == NULL || strcmp(path, "-") == 0;
    int status = 0;

    *sink = (sink_t){.format = format, .fd = STDOUT_FILENO};
    if (!to_stdout)
        status = expand_path(path, &sink->path);
    output->count += status == 0;
    return status;
}

/* -oA BASE: the three formats that tools read, each under its own ending. */
static int add_all(output_t *output, const char *base)
{
    static const output_format_t *const formats[] = {&output_normal, &output_grepable, &output_xml};
    int status = 0;

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]) && status == 0; i++) {
        hbytes_t path = {0};

        status = hbytes_printf(&path, "%s%s", base, formats[i]->extension);
        if (status == 0)
            status = add_sink(output, formats[i], path.data);
        hbytes_deinit(&path);
    }
    return status;
}

static int add_sinks(output_t *output, const output_options_t *options)
{
    const struct {
        const output_format_t *format;
        const char *path;
    } asked[] = {
        {&output_normal, options->normal},     {&output_xml, options->xml},
        {&output_grepable, options->grepable}, {&output_json, options->json},
        {&output_csv, options->csv},           {&output_html, options->html},
    };
    bool has_stdout = false;
    int status = options->all ? add_all(output, options->all) : 0;

    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]) && status == 0; i++) {
        if (asked[i].path == NULL)
            continue;
        has_stdout = has_stdout || strcmp(asked[i].path, "-") == 0;
        status = add_sink(output, asked[i].format, asked[i].path);
    }
    if (status == 0 && !has_stdout)
        status = add_sink(output, &output_terminal, NULL);
    return status;
}

/* A device or a pipe may take several. */
static bool is_one_file(const char *a, const char *b)
{
    struct stat about;

    return strcmp(a, b) == 0 && (stat(a, &about) < 0 || S_ISREG(about.st_mode));
}

/* Two reports in one file would be none. 0, or -EINVAL after a message. */
static int check_apart(const output_t *output)
{
    for (size_t i = 1; i < output->count; i++)
        for (size_t j = 0; j < i; j++) {
            const char *a = output->sinks[j].path, *b = output->sinks[i].path;

            if (a && b && is_one_file(a, b)) {
                fprintf(stderr, "hnmap: two reports go to '%s': give each a file of its own\n", a);
                return -EINVAL;
            }
        }
    return 0;
}

/* Whether a file can be written later; nothing is made of it yet. 0 or -errno. */
static int check_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";

    if (access(path, F_OK) == 0)
        return access(path, W_OK) < 0 ? -errno : 0;
    if (slash && (size_t)(slash - path) + 1 >= sizeof(folder))
        return -ENAMETOOLONG;
    if (slash) {
        memcpy(folder, path, (size_t)(slash - path) + 1);
        folder[slash - path + 1] = '\0';
    }
    return access(folder, W_OK | X_OK) < 0 ? -errno : 0;
}

static int check_files(output_t *output)
{
    for (size_t i = 0; i < output->count; i++) {
        sink_t *sink = &output->sinks[i];
        int error;

        if (sink->path == NULL)
            continue;
        sink->fd = -1;
        hbytes_init(&sink->kept, KEPT_MAX);
        error = check_file(sink->path);
        if (error < 0) {
            say("cannot write", sink->path, error);
            return error;
        }
    }
    return 0;
}

/* Two passes: what is there already is overwritten only once every file could be opened. */
static int open_files(output_t *output, bool append)
{
    for (size_t i = 0; i < output->count; i++) {
        sink_t *sink = &output->sinks[i];

        if (sink->path == NULL)
            continue;
        if (append && sink->format->append == OUTPUT_APPEND_NEVER) {
            fprintf(stderr, "hnmap: cannot append to '%s': a report as %s is whole\n", sink->path,
                    sink->format->name);
            return -EINVAL;
        }
        sink->fd = open(sink->path,
                        O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (append ? O_APPEND : 0), 0666);
        if (sink->fd < 0) {
            int error = -errno;

            say("cannot write", sink->path, error);
            return error;
        }
        sink->has_head = append && sink->format->append == OUTPUT_APPEND_NO_HEAD &&
                         lseek(sink->fd, 0, SEEK_END) > 0;
    }
    for (size_t i = 0; i < output->count && !append; i++)
        if (output->sinks[i].path && ftruncate(output->sinks[i].fd, 0) < 0 && errno != EINVAL) {
            int error = -errno;

            say("cannot overwrite", output->sinks[i].path, error);
            return error;
        }
    return 0;
}

int output_open(const output_options_t *options, output_t **output)
{
    output_t *o = hmem_zalloc(sizeof(*o));
    int status = o == NULL ? -ENOMEM : add_sinks(o, options);

    if (status == -ENOMEM)
        fprintf(stderr, "hnmap: %s\n", herr_str(status));
    if (status == 0)
        status = check_apart(o);
    if (status == 0)
        status = options->watch_ms > 0 ? check_files(o) : open_files(o, options->append);
    if (status < 0) {
        output_free(o);
        return 1;
    }
    *output = o;
    return 0;
}

int output_goes_to(const output_options_t *options,
                   bool (*is_it)(const void *context, const char *path), const void *context)
{
    output_t *o = hmem_zalloc(sizeof(*o));
    int status = o == NULL ? -ENOMEM : add_sinks(o, options);

    for (size_t i = 0; status == 0 && i < o->count; i++) {
        o->sinks[i].fd = -1; /* nothing was opened */
        status = o->sinks[i].path && is_it(context, o->sinks[i].path);
    }
    output_free(o);
    return status;
}

void output_free(output_t *output)
{
    if (output == NULL)
        return;
    for (size_t i = 0; i < output->count; i++) {
        if (output->sinks[i].path && output->sinks[i].fd >= 0)
            close(output->sinks[i].fd);
        hmem_free(output->sinks[i].path);
        hbytes_deinit(&output->sinks[i].kept);
    }
    hmem_free(output);
}

bool output_is_interactive(const output_t *output)
{
    return output->count > 0 && output->sinks[output->count - 1].format == &output_terminal;
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef enum step_e { STEP_BEGIN, STEP_HOST, STEP_CHANGE, STEP_LINE, STEP_END } step_e;

/* What a step is about, of those that it needs. */
typedef struct about_s {
    const run_t *run;
    const host_result_t *host;
    const change_t *change;
    const char *line;
} about_t;

static int format_step(const output_t *output, const sink_t *sink, step_e step,
                       const about_t *about, hbytes_t *text)
{
    const output_format_t *format = sink->format;

    switch (step) {
    case STEP_BEGIN:
        return format->begin && !sink->has_head ? format->begin(text, about->run) : 0;
    case STEP_HOST:
        return format->host ? format->host(text, about->run, about->host) : 0;
    case STEP_CHANGE:
        return format->change ? format->change(text, about->change) : 0;
    case STEP_LINE:
        return format->line ? format->line(text, about->line) : 0;
    default:
        return format->end ? format->end(text, about->run, &output->totals) : 0;
    }
}

/* Later rounds are told by their changes on standard output, and as a whole in files. */
static bool is_for(const sink_t *sink, step_e step, const run_t *run)
{
    if (step == STEP_CHANGE)
        return sink->path == NULL;
    return sink->path != NULL || run->round <= 1;
}

/* A round that was cut off does not replace one that is whole. */
static int replace_file(sink_t *sink, const run_t *run)
{
    int error = 0;

    if (run->error == NULL || !sink->has_round)
        error = hfile_replace(sink->path, sink->kept.data ? sink->kept.data : "", sink->kept.len);
    if (error == 0) {
        sink->is_told = false;
        sink->has_round = sink->has_round || run->error == NULL;
    }
    return error;
}

static int take_text(sink_t *sink, step_e step, const about_t *about, const hbytes_t *text)
{
    int error;

    if (sink->fd >= 0)
        return hfile_write_all(sink->fd, text->data, text->len);
    error = text->len > 0 ? hbytes_append(&sink->kept, text->data, text->len) : 0;
    return error == 0 && step == STEP_END ? replace_file(sink, about->run) : error;
}

static void tell_error(output_t *output, sink_t *sink)
{
    output->failed = true;
    if (!sink->is_told)
        say("cannot write", sink->path, sink->error);
    sink->is_told = true;
}

/* A sink that fails is told once and gets nothing more; the others go on. With --watch a file has
 * another chance in the next round. */
static int run_step(output_t *output, step_e step, const about_t *about)
{
    hbytes_t text = {0};
    size_t failed = 0;
    int first = 0;

    for (size_t i = 0; i < output->count; i++) {
        sink_t *sink = &output->sinks[i];

        if (step == STEP_BEGIN && sink->fd < 0) {
            sink->error = 0;
            hbytes_clear(&sink->kept);
        }
        if (sink->error == 0 && is_for(sink, step, about->run)) {
            hbytes_clear(&text);
            sink->error = format_step(output, sink, step, about, &text);
            if (sink->error == 0)
                sink->error = take_text(sink, step, about, &text);
            if (sink->error < 0)
                tell_error(output, sink);
        }
        failed += sink->error < 0;
        first = first == 0 ? sink->error : first;
    }
    hbytes_deinit(&text);
    return failed == output->count ? first : 0;
}

int output_begin(output_t *output, const run_t *run)
{
    output->totals = (totals_t){0};
    return run_step(output, STEP_BEGIN, &(about_t){.run = run});
}

bool output_is_told(const run_t *run, const host_result_t *host)
{
    if (host->state == HOST_DOWN && run->verbose == 0)
        return false;
    return !run->open_only || !host->has_ports || host->port_count > 0;
}

int output_host(output_t *output, const run_t *run, const host_result_t *host)
{
    if (!output_is_told(run, host))
        return 0;
    totals_add(&output->totals, host);
    return run_step(output, STEP_HOST, &(about_t){.run = run, .host = host});
}

int output_change(output_t *output, const run_t *run, const change_t *change)
{
    return run_step(output, STEP_CHANGE, &(about_t){.run = run, .change = change});
}

int output_line(output_t *output, const run_t *run, const char *line)
{
    return run_step(output, STEP_LINE, &(about_t){.run = run, .line = line});
}

int output_end(output_t *output, const run_t *run)
{
    return run_step(output, STEP_END, &(about_t){.run = run});
}

bool output_has_failed(const output_t *output)
{
    return output->failed;
}
