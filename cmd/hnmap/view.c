#include "view.h"

#include "app/hterm.h"
#include "app/htty.h"
#include "base/hmem.h"
#include "event/hio.h"
#include "event/htimer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DRAW_MS 100
#define LINE_SIZE 256
#define ETA_AFTER_US 2000000 /* earlier ones are guesses */
#define ETA_SHARE 0.01

struct view_s {
    hloop_t *loop;
    view_options_t options;
    htimer_t *draw, *stats;
    hio_t *keys;
    bool has_keys;
    size_t drawn; /* columns of the line that stands on the terminal */
};

/* ---- texts ----------------------------------------------------------------------------------- */

/* "1:02:03", or "2:03" below an hour if it may be short. */
static void write_time(char *buf, size_t size, uint64_t us, bool is_short)
{
    uint64_t s = us / 1000000;

    if (is_short && s < 3600)
        snprintf(buf, size, "%" PRIu64 ":%02" PRIu64, s / 60, s % 60);
    else
        snprintf(buf, size, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60, s % 60);
}

/* Time that is left, or false while nobody can know. */
static bool remaining(const progress_t *p, uint64_t *us)
{
    if (p->elapsed_us < ETA_AFTER_US || p->share < ETA_SHARE || p->share > 1)
        return false;
    *us = (uint64_t)((double)p->elapsed_us * (1 - p->share) / p->share);
    return true;
}

int view_status_write(hbytes_t *out, const progress_t *p)
{
    char elapsed[32], left[32], when[16] = "";
    uint64_t left_us;
    int status;

    write_time(elapsed, sizeof(elapsed), p->elapsed_us, false);
    status = hbytes_printf(out,
                           "Stats: %s elapsed; %" PRIu64 " hosts completed (%" PRIu64
                           " up), %" PRIu64 " undergoing %s\n",
                           elapsed, p->hosts_done, p->up, p->active, p->stage);
    if (status == 0)
        status = hbytes_printf(out, "%s Timing: About %.2f%% done", p->stage, p->share * 100);
    if (status == 0 && remaining(p, &left_us)) {
        time_t end = time(NULL) + (time_t)(left_us / 1000000);
        struct tm parts;

        if (localtime_r(&end, &parts))
            strftime(when, sizeof(when), "%H:%M", &parts);
        write_time(left, sizeof(left), left_us, false);
        status = hbytes_printf(out, "; ETC: %s (%s remaining)", when, left);
    }
    return status < 0 ? status : hbytes_append_char(out, '\n');
}

const char *view_line_write(char *buf, size_t size, const progress_t *p, size_t width)
{
    char left[32] = "";
    uint64_t left_us;
    int n;

    n = snprintf(buf, size, "%s %.0f%%  %.0f/s  %" PRIu64 " up  %" PRIu64 " open", p->stage,
                 p->share * 100, p->rate, p->up, p->open);
    if (n > 0 && (size_t)n < size && remaining(p, &left_us)) {
        write_time(left, sizeof(left), left_us, true);
        snprintf(buf + n, size - (size_t)n, "  %s left", left);
    }
    if (width < size && strlen(buf) > width)
        buf[width] = '\0';
    return buf;
}

/* ---- the terminal ---------------------------------------------------------------------------- */

static void write_text(int fd, const char *text, size_t len)
{
    ssize_t n = write(fd, text, len);

    (void)n; /* a terminal that has gone is told by the report */
}

void view_clear(view_t *v)
{
    char text[HTERM_WIDTH_MAX + 4];
    int n;

    if (v == NULL || v->drawn == 0)
        return;
    n = snprintf(text, sizeof(text), "\r%*s\r", (int)v->drawn, "");
    v->drawn = 0;
    write_text(STDERR_FILENO, text, (size_t)n);
}

static void on_draw(htimer_t *timer)
{
    view_t *v = hevent_userdata(timer);
    char line[LINE_SIZE], text[LINE_SIZE + HTERM_WIDTH_MAX];
    progress_t progress = {0};
    size_t len, width = hterm_width(STDERR_FILENO);
    int n;

    if (!htty_is_foreground(STDERR_FILENO))
        return;
    v->options.progress(v->options.context, &progress);
    view_line_write(line, sizeof(line), &progress, width - 1);
    len = strlen(line);
    n = snprintf(text, sizeof(text), "\r%s%*s", line, v->drawn > len ? (int)(v->drawn - len) : 0,
                 "");
    v->drawn = len;
    write_text(STDERR_FILENO, text, (size_t)n);
}

static void tell_status(view_t *v)
{
    progress_t progress = {0};
    hbytes_t text = {0};

    v->options.progress(v->options.context, &progress);
    view_clear(v);
    if (view_status_write(&text, &progress) == 0)
        write_text(v->options.has_report ? STDOUT_FILENO : STDERR_FILENO, text.data, text.len);
    hbytes_deinit(&text);
}

static void on_stats(htimer_t *timer)
{
    tell_status(hevent_userdata(timer));
}

static void tell(view_t *v, const char *text)
{
    view_clear(v);
    write_text(v->options.has_report ? STDOUT_FILENO : STDERR_FILENO, text, strlen(text));
}

static void change_level(view_t *v, int *level, int step, const char *what)
{
    char text[64];

    *level += step;
    if (*level < 0)
        *level = 0;
    snprintf(text, sizeof(text), "%s %s to %d.\n", what, step > 0 ? "increased" : "decreased",
             *level);
    tell(v, text);
}

static void on_key(hio_t *io, void *buf, int len)
{
    view_t *v = hevent_userdata(io);
    const char *keys = buf;

    for (int i = 0; i < len; i++)
        switch (keys[i]) {
        case 'v':
        case 'V':
            change_level(v, &v->options.run->verbose, keys[i] == 'v' ? 1 : -1, "Verbosity");
            break;
        case 'd':
        case 'D':
            change_level(v, &v->options.run->debug, keys[i] == 'd' ? 1 : -1, "Debugging");
            break;
        case '?':
            tell(v, "Keys: v/V more/less verbose, d/D more/less debugging, any other key the "
                    "status\n");
            break;
        default:
            tell_status(v);
        }
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Keys are a comfort: without them the scan goes on. The descriptor is a copy, for a loop closes
 * what it was given. */
static void take_keys(view_t *v)
{
    int fd;

    if (!hterm_is_tty(STDIN_FILENO) || htty_enter(STDIN_FILENO, NULL, NULL) < 0)
        return;
    v->has_keys = true;
    fd = dup(STDIN_FILENO);
    v->keys = fd < 0 ? NULL : hio_get(v->loop, fd);
    if (v->keys == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    hevent_set_userdata(v->keys, v);
    hio_setcb_read(v->keys, on_key);
    hio_read(v->keys);
}

int view_new(hloop_t *loop, const view_options_t *options, view_t **view)
{
    const output_options_t *output = options->output;
    view_t *v = hmem_zalloc(sizeof(*v));

    if (v == NULL)
        return -ENOMEM;
    *v = (view_t){.loop = loop, .options = *options};
    if (hterm_is_tty(STDERR_FILENO) && !output->noninteractive)
        v->draw = htimer_add(loop, on_draw, DRAW_MS, INFINITE);
    if (output->stats_every_ms > 0)
        v->stats = htimer_add(loop, on_stats, output->stats_every_ms, INFINITE);
    if (v->draw)
        hevent_set_userdata(v->draw, v);
    if (v->stats)
        hevent_set_userdata(v->stats, v);
    if (!output->noninteractive)
        take_keys(v);
    *view = v;
    return 0;
}

void view_free(view_t *v)
{
    if (v == NULL)
        return;
    view_clear(v);
    if (v->keys)
        hio_abort(v->keys, 0);
    if (v->has_keys)
        htty_leave();
    htimer_del(v->draw);
    htimer_del(v->stats);
    hmem_free(v);
}

void view_say(view_t *v, const char *format, ...)
{
    hbytes_t text = {0};
    va_list args;
    int err;

    if (v->options.run->verbose == 0 || !v->options.has_report)
        return;
    va_start(args, format);
    err = hbytes_vprintf(&text, format, args);
    va_end(args);
    view_clear(v);
    if (err == 0 && hbytes_append_char(&text, '\n') == 0)
        write_text(STDOUT_FILENO, text.data, text.len);
    hbytes_deinit(&text);
}
