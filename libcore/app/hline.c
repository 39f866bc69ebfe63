#include "hline_int.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/hmem.h"
#include "htty.h"

/* ---- the terminal ---------------------------------------------------------------------------- */

bool hline_is_useful(int input, int output)
{
    const char *term = getenv("TERM");

    return term && term[0] != '\0' && strcmp(term, "dumb") != 0 && isatty(input) && isatty(output);
}

void hline_set_locale(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    bool is_set = false;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);

        is_set |= value && value[0] != '\0';
    }
    setlocale(LC_CTYPE, is_set ? "" : "C.UTF-8");
}

/* ---- output ---------------------------------------------------------------------------------- */

static void emit(hline_t *line, const void *data, size_t len)
{
    if (len > 0)
        hio_write(line->options.output, data, len);
}

void hline_write(hline_t *line, const void *data, size_t len)
{
    hbytes_t out = {0};

    if (!line->active) {
        emit(line, data, len);
        return;
    }
    hio_cork(line->options.output);
    hline__edit_hide(line);
    if (hline__tail_feed(&line->tail, data, len, &out) < 0) { /* better out of place than lost */
        hline__tail_clear(&line->tail);
        emit(line, data, len);
    } else {
        emit(line, out.data, out.len);
    }
    hbytes_deinit(&out);
    line->stale = true;
    hline__edit_show(line);
    hio_uncork(line->options.output);
}

void hline_message(hline_t *line, const void *text, size_t len)
{
    hio_cork(line->options.output);
    hline__edit_hide(line);
    emit(line, text, len);
    hline__edit_show(line);
    hio_uncork(line->options.output);
}

/* ---- input ----------------------------------------------------------------------------------- */

void hline_secret(hline_t *line, bool secret)
{
    if (line->secret == secret || line->ended)
        return;
    line->secret = secret;
    if (line->edited) {
        hline__edit_drop(line);
        return;
    }
    hbytes_clear(&line->keys.bytes);
    if (secret)
        htty_hide(line->options.input);
    else
        htty_leave();
}

static void end_secret(hline_t *line)
{
    if (line->secret && !line->edited)
        htty_leave();
    line->secret = false;
}

void hline__deliver(hline_t *line, const char *text, size_t len)
{
    end_secret(line);
    if (!line->closed)
        line->options.line_cb(line, text, len, line->options.arg);
}

void hline__end(hline_t *line)
{
    if (line->ended)
        return;
    line->ended = true;
    hline__edit_end(line);
    end_secret(line);
    if (line->input)
        hio_read_stop(line->input);
    if (!line->closed && line->options.eof_cb)
        line->options.eof_cb(line, line->options.arg);
}

static void destroy(hline_t *line)
{
    hline__edit_free(line);
    hline__tail_deinit(&line->tail);
    hline__keys_deinit(&line->keys);
    hhistory_deinit(&line->history);
    hmem_free(line->history_path);
    hmem_free(line);
}

void hline__update_reading(hline_t *line)
{
    if (!line->input)
        return;
    if (line->paused || line->ended || line->background)
        hio_read_stop(line->input);
    else
        hio_read(line->input);
}

/* Without readline: lines as the terminal gives them. */
static void take_lines(hline_t *line)
{
    hbytes_t *bytes = &line->keys.bytes;
    char *lf;

    while (bytes->len > 0 && !line->paused && !line->closed) {
        size_t len;

        lf = memchr(bytes->data, '\n', bytes->len);
        if (!lf && bytes->len < HLINE_LINE_MAX && !line->ended)
            return;
        len = lf ? (size_t)(lf - bytes->data) : bytes->len;
        hline__deliver(line, bytes->data, len);
        hbytes_consume(bytes, lf ? len + 1 : len);
    }
}

static void take_input(hline_t *line)
{
    if (line->edited)
        hline__edit_keys(line);
    else
        take_lines(line);
}

static void leave_callback(hline_t *line)
{
    line->busy = false;
    if (line->closed)
        destroy(line);
}

static void on_input(hio_t *io, void *buf, int len)
{
    hline_t *line = hevent_userdata(io);
    int err;

    if (line->ended)
        return;
    line->busy = true;
    if (line->edited)
        err = hline__keys_add(&line->keys, buf, (size_t)len);
    else
        err = hbytes_append(&line->keys.bytes, buf, (size_t)len);
    if (err < 0)
        hio_abort(io, err);
    else
        take_input(line);
    leave_callback(line);
}

static void on_input_closed(hio_t *io)
{
    hline_t *line = hevent_userdata(io);

    if (!line)
        return;
    line->input = NULL;
    line->busy = true;
    if (!line->edited && !line->ended) {
        line->ended = true; /* what does not end in a line feed is a line, too */
        take_lines(line);
        line->ended = false;
    }
    hline__end(line);
    leave_callback(line);
}

void hline_pause(hline_t *line, bool pause)
{
    if (line->paused == pause)
        return;
    line->paused = pause;
    hline__update_reading(line);
    if (!pause && !line->busy && !line->ended) {
        line->busy = true;
        take_input(line);
        leave_callback(line);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static int load_history(hline_t *line)
{
    hhistory_init(&line->history, line->options.history_max);
    if (!line->options.history_path)
        return 0;
    line->history_path = hmem_strdup(line->options.history_path);
    if (!line->history_path)
        return -ENOMEM;
    line->history_error = hhistory_load(&line->history, line->history_path);
    return line->history_error == -ENOMEM ? -ENOMEM : 0;
}

static int open_input(hline_t *line)
{
    line->input = hio_get(line->loop, line->options.input);
    if (!line->input)
        return -ENOMEM;
    hevent_set_userdata(line->input, line);
    hio_setcb_read(line->input, on_input);
    hio_setcb_close(line->input, on_input_closed);
    return 0;
}

static int begin(hline_t *line)
{
    int err = load_history(line);

    if (err == 0)
        err = open_input(line);
    if (err == 0 && !line->options.plain)
        err = hline__edit_begin(line);
    if (err == HERR_UNSUPPORTED)
        err = 0;
    if (err == 0)
        hline__update_reading(line);
    return err;
}

int hline_open(hline_t **out, const hline_options_t *options)
{
    hline_t *line;
    int err;

    *out = NULL;
    if (!isatty(options->input) || !isatty(hio_fd(options->output)))
        return -ENOTTY;
    line = hmem_zalloc(sizeof(*line));
    if (!line)
        return -ENOMEM;
    line->options = *options;
    line->loop = hevent_loop(options->output);
    hline__tail_init(&line->tail);
    hline__keys_init(&line->keys);
    err = begin(line);
    if (err < 0) {
        hline_close(line);
        return err;
    }
    *out = line;
    return 0;
}

bool hline_is_edited(const hline_t *line)
{
    return line->edited;
}

int hline_history_error(const hline_t *line)
{
    return line->history_error;
}

int hline_close(hline_t *line)
{
    int err = 0;

    if (!line || line->closed)
        return 0;
    line->closed = true;
    line->ended = true;
    hline__edit_end(line);
    end_secret(line);
    if (line->history_path && line->history_error == 0)
        err = hhistory_save(&line->history, line->history_path);
    if (line->input) {
        hevent_set_userdata(line->input, NULL);
        hio_setcb_read(line->input, NULL);
        hio_abort(line->input, -ECANCELED);
        line->input = NULL;
    }
    if (!line->busy)
        destroy(line);
    return err;
}
