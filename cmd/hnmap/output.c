#include "output.h"

#include "base/hmem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SINKS_MAX 10

/* A format and where its text goes. */
typedef struct sink_s {
    const output_format_t *format;
    char *path; /* NULL: standard output */
    int fd;
    int error;     /* the first one; it gets nothing more */
    bool has_head; /* the file that is appended to has it */
} sink_t;

struct output_s {
    sink_t sinks[SINKS_MAX];
    size_t count;
    totals_t totals;
};

static void say(const char *what, const char *path, int error)
{
    fprintf(stderr, "hnmap: %s '%s': %s\n", what, path ? path : "standard output", herr_str(error));
}

static int add_sink(output_t *output, const output_format_t *format, const char *path)
{
    sink_t *sink = &output->sinks[output->count];
    bool to_stdout = path == NULL || strcmp(path, "-") == 0;

    *sink = (sink_t){.format = format, .fd = STDOUT_FILENO};
    if (!to_stdout) {
        sink->path = hmem_strdup(path);
        if (sink->path == NULL)
            return -ENOMEM;
    }
    output->count++;
    return 0;
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
    else
        status = open_files(o, options->append);
    if (status < 0) {
        output_free(o);
        return 1;
    }
    *output = o;
    return 0;
}

void output_free(output_t *output)
{
    if (output == NULL)
        return;
    for (size_t i = 0; i < output->count; i++) {
        if (output->sinks[i].path && output->sinks[i].fd >= 0)
            close(output->sinks[i].fd);
        hmem_free(output->sinks[i].path);
    }
    hmem_free(output);
}

bool output_is_interactive(const output_t *output)
{
    return output->count > 0 && output->sinks[output->count - 1].format == &output_terminal;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int write_all(int fd, const hbytes_t *text)
{
    size_t done = 0;

    while (done < text->len) {
        ssize_t n = write(fd, text->data + done, text->len - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

typedef enum step_e { STEP_BEGIN, STEP_HOST, STEP_END } step_e;

static int format_step(const output_t *output, const sink_t *sink, step_e step, const run_t *run,
                       const host_result_t *host, hbytes_t *text)
{
    const output_format_t *format = sink->format;

    if (step == STEP_BEGIN)
        return format->begin && !sink->has_head ? format->begin(text, run) : 0;
    if (step == STEP_HOST)
        return format->host ? format->host(text, run, host) : 0;
    return format->end ? format->end(text, run, &output->totals) : 0;
}

/* A sink that fails is told once and gets nothing more; the others go on. */
static int run_step(output_t *output, step_e step, const run_t *run, const host_result_t *host)
{
    hbytes_t text = {0};
    int first = 0;

    for (size_t i = 0; i < output->count; i++) {
        sink_t *sink = &output->sinks[i];

        if (sink->error == 0) {
            hbytes_clear(&text);
            sink->error = format_step(output, sink, step, run, host, &text);
            if (sink->error == 0)
                sink->error = write_all(sink->fd, &text);
            if (sink->error < 0)
                say("cannot write", sink->path, sink->error);
        }
        if (first == 0)
            first = sink->error;
    }
    hbytes_deinit(&text);
    return first;
}

int output_begin(output_t *output, const run_t *run)
{
    return run_step(output, STEP_BEGIN, run, NULL);
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
    return run_step(output, STEP_HOST, run, host);
}

int output_end(output_t *output, const run_t *run)
{
    return run_step(output, STEP_END, run, NULL);
}
