#include "client_input.h"

#include "app/hhistory.h"
#include "app/htty.h"
#include "base/hstr.h"
#include "client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void end(input_t *input)
{
    if (input->ended)
        return;
    input->ended = true;
    input->ended_cb(input);
}

/* ---- a terminal ------------------------------------------------------------------------------ */

/* A paste may hold many. */
static void on_line(hline_t *line, const char *text, size_t len, void *arg)
{
    input_t *input = arg;
    const char *lf;

    (void)line;
    for (; (lf = memchr(text, '\n', len)); text = lf + 1) {
        input->line_cb(input, text, (size_t)(lf - text));
        len -= (size_t)(lf - text) + 1;
    }
    if (len > 0)
        input->line_cb(input, text, len);
}

static void on_line_eof(hline_t *line, void *arg)
{
    (void)line;
    end(arg);
}

static const char *on_tab(hline_t *line, const char *text, size_t n, void *arg)
{
    const input_t *input = arg;

    (void)line;
    return words_find(input->words, text, n);
}

static int open_terminal(input_t *input, hio_t *output, bool history, char *why, size_t size)
{
    hbytes_t path = {0};
    hline_options_t options = {.name = "hchat",
                               .input = STDIN_FILENO,
                               .output = output,
                               .line_cb = on_line,
                               .eof_cb = on_line_eof,
                               .complete_cb = on_tab,
                               .arg = input};
    int err = history ? hhistory_path(&path, "hchat") : 0;

    if (err < 0 && err != -ENOENT)
        snprintf(why, size, "history: %s", herr_str(err));
    options.history_path = err == 0 ? path.data : NULL;
    hline_set_locale();
    err = hline_open(&input->line, &options);
    if (err < 0)
        snprintf(why, size, "terminal: %s", herr_str(err));
    else if (hline_history_error(input->line) != 0)
        snprintf(why, size, "history is off: %s: %s", path.data,
                 herr_str(hline_history_error(input->line)));
    hbytes_deinit(&path);
    return err;
}

/* ---- something else -------------------------------------------------------------------------- */

static bool waits(const input_t *input)
{
    return input->held || input->turn;
}

static void on_turn(htimer_t *timer);

/* Half a burst is kept for lines that meet on their way, and for those that nobody typed. */
static void wait_turn(input_t *input)
{
    uint32_t burst = (input->burst + 1) / 2;
    uint64_t now_us, wait_us;

    if (!input->loop) /* that line was the end */
        return;
    now_us = hloop_now_hrtime(input->loop);
    flood_take(&input->said, now_us, input->rate, burst);
    wait_us = flood_wait_us(&input->said, now_us, input->rate, burst);
    if (wait_us > 0)
        input->turn = htimer_add(input->loop, on_turn, (uint32_t)(wait_us / 1000) + 1, 1);
    if (!input->turn)
        return;
    hevent_set_userdata(input->turn, input);
    if (input->io)
        hio_read_stop(input->io);
}

/* Endless, or no memory. */
static void fail(input_t *input, int err)
{
    input->rest = (hbuf_t){0};
    if (input->io)
        hio_abort(input->io, err);
}

/* All that is there, until lines are to wait. A line that is endless stays so. */
static void give(input_t *input)
{
    hbuf_t text;

    while (!waits(input)) {
        int what = line_next(&input->cut, CLIENT_LINE_MAX, &input->rest, &text);

        if (what == LINE_NONE)
            return;
        if (what < 0 || what == LINE_ENDLESS) {
            fail(input, what < 0 ? what : -EMSGSIZE);
            return;
        }
        input_secret(input, false);
        if (what == LINE_LONG)
            input->long_cb(input);
        else if (text.len > 0) {
            input->line_cb(input, text.base, text.len);
            wait_turn(input);
        }
    }
}

/* The last line may lack its end. */
static void give_last(input_t *input)
{
    static char lf[] = "\n";

    if (input->cut.unended > 0 && !input->cut.skipping) {
        input->rest = (hbuf_t){lf, 1};
        give(input);
    }
    if (!waits(input))
        end(input);
}

static void go_on(input_t *input)
{
    give(input);
    if (!waits(input) && input->closed)
        give_last(input);
    if (!waits(input) && input->io)
        hio_read(input->io);
}

static void on_turn(htimer_t *timer)
{
    input_t *input = hevent_userdata(timer);

    input->turn = NULL;
    go_on(input);
}

static void on_read(hio_t *io, void *buf, int len)
{
    input_t *input = hevent_userdata(io);
    int err = 0;

    input->rest = (hbuf_t){buf, (size_t)len};
    give(input);
    hbytes_clear(&input->kept);
    if (input->rest.len > 0)
        err = hbytes_append(&input->kept, input->rest.base, input->rest.len);
    input->rest = (hbuf_t){input->kept.data, input->kept.len};
    if (err < 0)
        fail(input, err);
}

static void on_close(hio_t *io)
{
    input_t *input = hevent_userdata(io);

    input->io = NULL;
    if (hio_error(io) == -ECANCELED)
        return;
    input->closed = true;
    go_on(input);
}

static int open_other(input_t *input, hloop_t *loop, char *why, size_t size)
{
    input->io = hio_get(loop, STDIN_FILENO);
    if (!input->io) {
        snprintf(why, size, "stdin: %s", strerror(errno));
        return -errno;
    }
    hevent_set_userdata(input->io, input);
    hio_setcb_read(input->io, on_read);
    hio_setcb_close(input->io, on_close);
    return hio_read(input->io);
}

/* ---- both ------------------------------------------------------------------------------------ */

int input_open(input_t *input, hloop_t *loop, hio_t *output, bool history, char *why, size_t size)
{
    why[0] = '\0';
    input->loop = loop;
    if (hline_is_useful(STDIN_FILENO, STDOUT_FILENO))
        return open_terminal(input, output, history, why, size);
    return open_other(input, loop, why, size);
}

void input_hold(input_t *input, bool hold)
{
    if (input->line)
        return;
    input->held = hold;
    if (!hold)
        go_on(input);
    else if (input->io)
        hio_read_stop(input->io);
}

void input_secret(input_t *input, bool secret)
{
    if (input->line) {
        hline_secret(input->line, secret);
        return;
    }
    if (input->secret == secret)
        return;
    input->secret = secret;
    if (!secret)
        htty_leave();
    else if (isatty(STDIN_FILENO))
        htty_hide(STDIN_FILENO);
}

int input_close(input_t *input)
{
    int err = input->line ? hline_close(input->line) : 0;

    if (!input->line)
        input_secret(input, false);
    input->line = NULL;
    if (input->io)
        hio_abort(input->io, -ECANCELED);
    input->io = NULL;
    htimer_del(input->turn);
    input->turn = NULL;
    input->loop = NULL;
    input->rest = (hbuf_t){0};
    hbytes_deinit(&input->kept);
    line_deinit(&input->cut);
    return err;
}
