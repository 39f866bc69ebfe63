#include "view.h"

#include "app/hterm.h"
#include "app/htty.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "event/hio.h"
#include "event/hsignal.h"
#include "event/htimer.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 100
#define LINE_SIZE 256
#define ETA_AFTER_US 2000000 /* earlier ones are guesses */
#define ETA_SHARE 0.01

struct view_s {
    hloop_t *loop;
    view_options_t options;
    htimer_t *tick, *stats;
    hsignal_t *stop;
    hio_t *keys;
    bool draws, wants_keys, has_keys;
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
    if (status == 0 && p->note[0])
        return hbytes_printf(out, "%s\n", p->note);
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

    if (p->note[0]) {
        hstr_copy(buf, width < size ? width + 1 : size, p->note);
        return buf;
    }
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
    if (!htty_is_foreground(STDERR_FILENO)) { /* somebody else's line stands there by now */
        v->drawn = 0;
        return;
    }
    n = snprintf(text, sizeof(text), "\r%*s\r", (int)v->drawn, "");
    v->drawn = 0;
    write_text(STDERR_FILENO, text, (size_t)n);
}

static void draw(view_t *v)
{
    char line[LINE_SIZE], text[LINE_SIZE + HTERM_WIDTH_MAX];
    progress_t progress = {0};
    size_t len, width = hterm_width(STDERR_FILENO);
    int n;

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

static void on_keys_end(hio_t *io)
{
    view_t *v = hevent_userdata(io);

    if (v->keys == io)
        v->keys = NULL;
}

/* Keys are a comfort: without them the scan goes on. In the background there are none. The
 * descriptor is a copy, for a loop closes what it was given. */
static void take_keys(view_t *v)
{
    int fd;

    if (v->has_keys || htty_enter(STDIN_FILENO, NULL, NULL) < 0)
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
    hio_setcb_close(v->keys, on_keys_end);
    hio_read(v->keys);
}

static void release_keys(view_t *v)
{
    hio_t *keys = v->keys;

    v->keys = NULL;
    if (keys) {
        hio_setcb_close(keys, NULL);
        hio_abort(keys, 0);
    }
    if (v->has_keys)
        htty_leave();
    v->has_keys = false;
}

/* ---- stopped, and in the background ---------------------------------------------------------- */

/* Ctrl-Z: the terminal is the shell's as it was, until we are in the foreground again. */
static void on_stop(hsignal_t *sig)
{
    view_t *v = hevent_userdata(sig);

    view_clear(v);
    release_keys(v);
    raise(SIGSTOP);
}

static void watch_stop(view_t *v)
{
    struct sigaction before;

    if (sigaction(SIGTSTP, NULL, &before) == 0 && before.sa_handler == SIG_IGN)
        return;
    v->stop = hsignal_add(v->loop, on_stop, SIGTSTP);
    if (v->stop)
        hevent_set_userdata(v->stop, v);
}

/* No signal tells that a shell took us to the foreground, or away from it. */
static void on_tick(htimer_t *timer)
{
    view_t *v = hevent_userdata(timer);

    if (v->wants_keys && htty_is_foreground(STDIN_FILENO))
        take_keys(v);
    else
        release_keys(v);
    if (v->draws && htty_is_foreground(STDERR_FILENO))
        draw(v);
    else
        v->drawn = 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

int view_new(hloop_t *loop, const view_options_t *options, view_t **view)
{
    const output_options_t *output = options->output;
    view_t *v = hmem_zalloc(sizeof(*v));

    if (v == NULL)
        return -ENOMEM;
    *v = (view_t){.loop = loop, .options = *options};
    v->draws = hterm_is_tty(STDERR_FILENO) && !output->noninteractive;
    v->wants_keys = hterm_is_tty(STDIN_FILENO) && !output->noninteractive;
    if (v->draws || v->wants_keys)
        v->tick = htimer_add(loop, on_tick, TICK_MS, INFINITE);
    if (output->stats_every_ms > 0)
        v->stats = htimer_add(loop, on_stats, output->stats_every_ms, INFINITE);
    if (v->tick)
        hevent_set_userdata(v->tick, v);
    if (v->stats)
        hevent_set_userdata(v->stats, v);
    if (v->wants_keys) {
        watch_stop(v);
        take_keys(v);
    }
    *view = v;
    return 0;
}

void view_free(view_t *v)
{
    if (v == NULL)
        return;
    view_clear(v);
    release_keys(v);
    hsignal_del(v->stop);
    htimer_del(v->tick);
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
