/* The run and its transfers: traces are formatted and written, progress is drawn from a timer that
 * runs while there is something to draw. A line of progress stays open until something else has to
 * be said. */
#include "report.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/hterm.h"
#include "base/hfile.h"
#include "base/hlist.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "event/htimer.h"
#include "meter.h"
#include "report_int.h"
#include "trace.h"
#include "trace_tls.h"
#include "waterfall.h"

#define TABLE_MS 1000
#define BAR_MS 100
#define ALL_MS 500
#define PREFIX_SIZE 96
#define URL_SIZE 512 /* of it is shown */
#define TEXT_KEPT_MAX ((size_t)64 << 10)

struct report_s {
    const report_options_t *options;
    hloop_t *loop;
    outlet_t *out;
    bool parallel;
    bool line_open; /* a line of progress stands on stderr */
    int trace_fd;   /* -1: none */
    trace_t trace;
    hbytes_t text; /* that is being made */
    hlist_t live;
    unsigned begun, running;
    meter_figures_t ended; /* sums of the transfers that are over */
    meter_t all;
    bool all_shown;
    htimer_t *timer;
};

struct report_transfer_s {
    hlist_t node;
    report_t *report;
    http_transfer_t *transfer; /* NULL: not yet */
    uint64_t number;
    bool to_terminal;
    uint32_t connects; /* that were told about */
    meter_t meter;
};

/* ---- writing --------------------------------------------------------------------------------- */

static int write_text(report_t *report, int fd)
{
    int err = 0;

    if (fd == STDOUT_FILENO)
        (void)outlet_write(report->out, report->text.data, report->text.len);
    else
        err = hfile_write_all(fd, report->text.data, report->text.len);
    if (report->text.cap > TEXT_KEPT_MAX)
        hbytes_deinit(&report->text);
    hbytes_clear(&report->text);
    return err;
}

void report_break(report_t *report)
{
    if (report == NULL || !report->line_open)
        return;
    report->line_open = false;
    hfile_write_all(STDERR_FILENO, "\n", 1);
}

/* ---- traces ---------------------------------------------------------------------------------- */

bool report_traces(const report_options_t *options)
{
    return options->trace != REPORT_TRACE_NONE;
}

static void open_trace(report_t *report)
{
    const report_options_t *o = report->options;

    report->trace.style = o->trace;
    report->trace_fd = -1;
    if (!report_traces(o))
        return;
    if (strcmp(o->trace_file, "-") == 0)
        report->trace_fd = STDOUT_FILENO;
    else if (strcmp(o->trace_file, "%") == 0)
        report->trace_fd = STDERR_FILENO;
    else
        report->trace_fd = open(o->trace_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (report->trace_fd < 0)
        report_warning(o, "the trace's file %s: %s", o->trace_file, herr_str(-errno));
}

static size_t put_time(char *prefix)
{
    uint64_t now_us = htime_real_ns() / 1000;
    time_t now_s = (time_t)(now_us / 1000000);
    struct tm local;

    if (localtime_r(&now_s, &local) == NULL)
        memset(&local, 0, sizeof(local));
    return (size_t)snprintf(prefix, PREFIX_SIZE, "%02d:%02d:%02d.%06u ", local.tm_hour,
                            local.tm_min, local.tm_sec, (unsigned)(now_us % 1000000));
}

/* The numbers of the transfer and of its connection, which may not be there yet. */
static void put_ids(const report_transfer_t *t, char *prefix, size_t size)
{
    http_transfer_info_t info;

    http_transfer_info(t->transfer, &info);
    if (info.requests == 0 && info.connects == 0)
        snprintf(prefix, size, "[%llu-x] ", (unsigned long long)t->number);
    else
        snprintf(prefix, size, "[%llu-%llu] ", (unsigned long long)t->number,
                 (unsigned long long)info.connection_id);
}

static void write_trace(report_t *report)
{
    int err = write_text(report, report->trace_fd);

    if (err == 0 || report->trace_fd <= STDERR_FILENO)
        return;
    report_warning(report->options, "the trace's file %s: %s", report->options->trace_file,
                   herr_str(err));
    close(report->trace_fd);
    report->trace_fd = -1;
}

static void put_trace(report_transfer_t *t, http_trace_e kind, http_span_t data)
{
    report_t *report = t->report;
    /* Where the data may go, too. */
    bool beside = report->trace_fd == STDOUT_FILENO || report->trace_fd == STDERR_FILENO;
    char prefix[PREFIX_SIZE] = "";
    size_t len = 0;

    if (report->options->trace_time)
        len = put_time(prefix);
    if (report->options->trace_ids)
        put_ids(t, prefix + len, PREFIX_SIZE - len);
    report->trace.hide_data = t->to_terminal && beside;
    if (trace_format(&report->trace, prefix, kind, data, &report->text) == 0 &&
        report->text.len > 0 && beside)
        report_break(report);
    write_trace(report);
}

/* A connection that is new tells whom it leads to, before anything is sent. */
static void trace_peer(report_transfer_t *t)
{
    hbytes_t lines = {0};
    http_transfer_info_t info;
    const char *at, *end;

    http_transfer_info(t->transfer, &info);
    if (info.connects == t->connects)
        return;
    t->connects = info.connects;
    if (trace_tls(http_transfer_io(t->transfer), &lines) == 0 && lines.len > 0) {
        for (at = lines.data; (end = strchr(at, '\n')) != NULL; at = end + 1)
            put_trace(t, HTTP_TRACE_INFO, (http_span_t){at, (size_t)(end - at)});
    }
    hbytes_deinit(&lines);
}

void report_trace(report_transfer_t *t, http_transfer_t *transfer, http_trace_e kind,
                  http_span_t data)
{
    if (t == NULL || t->report->trace_fd < 0)
        return;
    t->transfer = transfer;
    if (kind == HTTP_TRACE_HEAD_OUT)
        trace_peer(t);
    put_trace(t, kind, data);
}

/* With -s there is no other message that tells. */
static void trace_fault(report_transfer_t *t)
{
    const char *text = t->transfer != NULL ? http_transfer_error(t->transfer) : "";

    if (t->report->trace_fd >= 0 && text[0] != '\0')
        put_trace(t, HTTP_TRACE_INFO, (http_span_t){text, strlen(text)});
}

/* ---- progress -------------------------------------------------------------------------------- */

static meter_figures_t figures_of(const report_transfer_t *t)
{
    http_transfer_info_t info = {.download_total = -1, .upload_total = -1};

    if (t->transfer != NULL)
        http_transfer_info(t->transfer, &info);
    return (meter_figures_t){.down = (int64_t)info.downloaded,
                             .down_total = info.download_total,
                             .up = (int64_t)info.uploaded,
                             .up_total = info.upload_total};
}

static bool is_shown(const report_transfer_t *t)
{
    const report_options_t *o = t->report->options;

    return o->progress_meter && !o->silent && !t->to_terminal;
}

static void write_progress(report_t *report, bool end)
{
    bool drawn = report->text.len > 0;

    if (end && (drawn || report->line_open))
        hbytes_append_char(&report->text, '\n');
    report->line_open = !end && (drawn || report->line_open);
    write_text(report, STDERR_FILENO);
}

static void draw_one(report_transfer_t *t, bool end)
{
    report_t *report = t->report;
    meter_figures_t figures = figures_of(t);

    if (report->options->progress_bar)
        meter_bar(&t->meter, &figures, report__columns(), &report->text);
    else
        meter_table(&t->meter, &figures, htime_monotonic_us(), &report->text);
    write_progress(report, end);
}

/* One whose size is not known makes the sum unknown. */
static void add(meter_figures_t *sums, const meter_figures_t *figures)
{
    sums->down += figures->down;
    sums->up += figures->up;
    sums->down_total = sums->down_total < 0 || figures->down_total <= 0
                           ? -1
                           : sums->down_total + figures->down_total;
    sums->up_total =
        sums->up_total < 0 || figures->up_total <= 0 ? -1 : sums->up_total + figures->up_total;
}

static void draw_all(report_t *report, bool end)
{
    meter_figures_t sums = report->ended;
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &report->live) {
        meter_figures_t figures = figures_of(HLIST_ENTRY(node, report_transfer_t, node));

        add(&sums, &figures);
    }
    meter_all(&report->all, &sums, report->begun, report->running, htime_monotonic_us(),
              &report->text);
    write_progress(report, end);
}

static void on_timer(htimer_t *timer)
{
    report_t *report = hevent_userdata(timer);
    hlist_t *node, *next;

    if (report->parallel) {
        draw_all(report, false);
        return;
    }
    HLIST_FOREACH (node, next, &report->live) {
        draw_one(HLIST_ENTRY(node, report_transfer_t, node), false);
    }
}

/* Without a timer progress is seen at the end only. */
static void start_timer(report_t *report)
{
    uint32_t ms = report->options->progress_bar ? BAR_MS : TABLE_MS;

    if (report->timer != NULL)
        return;
    report->timer = htimer_add(report->loop, on_timer, report->parallel ? ALL_MS : ms, INFINITE);
    if (report->timer != NULL)
        hevent_set_userdata(report->timer, report);
}

static void begin_progress(report_transfer_t *t, const report_begin_t *how)
{
    report_t *report = t->report;

    if (!is_shown(t))
        return;
    start_timer(report);
    if (report->parallel) {
        report->all_shown = true; /* from the timer on: others begin right behind it */
        return;
    }
    t->meter.begun = how->again && !report->options->progress_bar;
    draw_one(t, false);
}

static void end_progress(report_transfer_t *t)
{
    report_t *report = t->report;

    if (is_shown(t) && !report->parallel)
        draw_one(t, true);
    if (hlist_empty(&report->live)) {
        htimer_del(report->timer);
        report->timer = NULL;
    }
}

static void show_waterfall(report_transfer_t *t)
{
    const http_hop_times_t *hops;
    http_transfer_info_t info;
    char url[URL_SIZE];
    size_t count;

    if (t->transfer == NULL)
        return;
    http_transfer_info(t->transfer, &info);
    hstr_escape(url, sizeof(url), info.url, strlen(info.url));
    count = http_transfer_hops(t->transfer, &hops);
    report_break(t->report);
    hbytes_printf(&t->report->text, "%s\n", url);
    waterfall_format(hops, count, report__columns(),
                     hterm_use_color(STDERR_FILENO, HTERM_COLOR_AUTO), &t->report->text);
    write_text(t->report, STDERR_FILENO);
}

/* ---- public ---------------------------------------------------------------------------------- */

int report_new(const report_options_t *options, hloop_t *loop, outlet_t *out, bool parallel,
               report_t **result)
{
    report_t *report = hmem_zalloc(sizeof(*report));

    if (report == NULL)
        return -ENOMEM;
    report->options = options;
    report->loop = loop;
    report->out = out;
    report->parallel = parallel;
    hlist_init(&report->live);
    meter_init(&report->all, 0, htime_monotonic_us());
    open_trace(report);
    *result = report;
    return 0;
}

void report_free(report_t *report)
{
    if (report == NULL)
        return;
    if (report->all_shown)
        draw_all(report, true);
    htimer_del(report->timer);
    if (report->trace_fd > STDERR_FILENO)
        close(report->trace_fd);
    hbytes_deinit(&report->text);
    hmem_free(report);
}

report_transfer_t *report_begin(report_t *report, const report_begin_t *how)
{
    report_transfer_t *t = report != NULL ? hmem_zalloc(sizeof(*t)) : NULL;

    if (t == NULL)
        return NULL;
    t->report = report;
    t->number = report->begun++;
    t->to_terminal = how->to_terminal;
    report->running++;
    hlist_push_back(&report->live, &t->node);
    meter_init(&t->meter, how->resumed, htime_monotonic_us());
    begin_progress(t, how);
    return t;
}

void report_follow(report_transfer_t *t, http_transfer_t *transfer)
{
    if (t != NULL)
        t->transfer = transfer;
}

void report_end(report_transfer_t *t)
{
    report_t *report = t != NULL ? t->report : NULL;
    meter_figures_t figures;

    if (t == NULL)
        return;
    figures = figures_of(t);
    report->running--;
    hlist_remove(&t->node);
    trace_fault(t);
    end_progress(t);
    report->ended.down += figures.down;
    report->ended.up += figures.up;
    report->ended.down_total += figures.down; /* that was all of it */
    report->ended.up_total += figures.up;
    if (report->options->waterfall)
        show_waterfall(t);
    hmem_free(t);
}
