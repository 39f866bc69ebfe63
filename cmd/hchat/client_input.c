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

static void give(input_t *input, hbuf_t data)
{
    line_result_e result;
    hbuf_t text;
    int rc;

    while ((rc = line_next(&input->cut, CLIENT_LINE_MAX, &data, &text)) > 0) {
        result = (line_result_e)rc;
        input_secret(input, false);
        if (result == LINE_WHOLE)
            input->line_cb(input, text.base, text.len);
        else if (result == LINE_LONG)
            input->long_cb(input);
        else
            break;
    }
    if (rc != 0) /* endless, or no memory */
        hio_abort(input->io, rc < 0 ? rc : -EMSGSIZE);
}

static void on_read(hio_t *io, void *buf, int len)
{
    give(hevent_userdata(io), (hbuf_t){buf, (size_t)len});
}

/* The last line may lack its end. */
static void on_close(hio_t *io)
{
    static char lf[] = "\n";
    input_t *input = hevent_userdata(io);

    input->io = NULL;
    if (hio_error(io) == -ECANCELED)
        return;
    if (input->cut.unended > 0 && !input->cut.skipping) {
        hbuf_t data = {lf, 1}, text;

        if (line_next(&input->cut, CLIENT_LINE_MAX, &data, &text) == LINE_WHOLE)
            input->line_cb(input, text.base, text.len);
    }
    end(input);
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
    if (hline_is_useful(STDIN_FILENO, STDOUT_FILENO))
        return open_terminal(input, output, history, why, size);
    return open_other(input, loop, why, size);
}

void input_hold(input_t *input, bool hold)
{
    if (!input->io)
        return;
    if (hold)
        hio_read_stop(input->io);
    else
        hio_read(input->io);
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
    line_deinit(&input->cut);
    return err;
}
