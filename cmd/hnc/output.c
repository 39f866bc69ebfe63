#include "output.h"

#include "app/hline.h"
#include "app/hterm.h"
#include "base/htime.h"

#include <string.h>
#include <unistd.h>

static void on_drained(hio_t *io)
{
    output_t *output = hevent_userdata(io);

    output->full = false;
    output->drained_cb(output);
}

/* A reader that has gone away (EPIPE) is no fault. */
static void on_closed(hio_t *io)
{
    output_t *output = hevent_userdata(io);
    int err = hio_error(io);

    output->io = NULL;
    if (err == -ECANCELED)
        return;
    if (err != 0 && err != -EPIPE) {
        hnc_say("stdout: %s", herr_str(err));
        output->hnc->status = 1;
    }
    output->closed_cb(output);
}

static void choose_view(view_t *view, const options_t *o)
{
    view->style = o->json ? VIEW_JSON : o->hex ? VIEW_HEX : VIEW_RAW;
    view->timestamps = o->timestamps;
    view->datagrams = o->udp;
    view->color = hterm_use_color(STDOUT_FILENO, HTERM_COLOR_AUTO);
}

int output_open(output_t *output, hnc_t *hnc)
{
    output->hnc = hnc;
    choose_view(&output->view, &hnc->options);
    output->io = hio_get(hnc->loop, STDOUT_FILENO);
    if (!output->io || hio_setcb_drained(output->io, on_drained) < 0) {
        hnc_say("stdout: %s", strerror(errno));
        return 1;
    }
    (void)hnc_widen_pipe(STDOUT_FILENO);
    hevent_set_userdata(output->io, output);
    hio_setcb_close(output->io, on_closed);
    hio_set_close_timeout(output->io, 0);
    return 0;
}

void output_deinit(output_t *output)
{
    hbytes_deinit(&output->text);
}

bool output_is_plain(const output_t *output)
{
    return output->view.style == VIEW_RAW && !output->view.timestamps && !output->hnc->line;
}

static bool write_text(output_t *output, const void *data, size_t len)
{
    if (output->hnc->line)
        hline_write(output->hnc->line, data, len);
    else
        hio_write(output->io, data, len);
    if (output->full || !hio_write_above_high(output->io))
        return false;
    output->full = true;
    return true;
}

static bool write_view(output_t *output, dump_direction_e direction, const void *data, size_t len)
{
    const hbuf_t chunk = {(char *)data, len};

    hbytes_clear(&output->text);
    if (view_format(&output->view, direction, &chunk, htime_real_ms(), &output->text) < 0) {
        hio_abort(output->io, -ENOMEM);
        return false;
    }
    return write_text(output, output->text.data, output->text.len);
}

bool output_received(output_t *output, const void *data, size_t len)
{
    if (output->view.style == VIEW_RAW && !output->view.timestamps)
        return write_text(output, data, len);
    return write_view(output, DUMP_RECEIVED, data, len);
}

bool output_shows_sent(const output_t *output)
{
    return output->view.style != VIEW_RAW;
}

bool output_sent(output_t *output, const void *data, size_t len)
{
    if (!output_shows_sent(output) || !output->io)
        return false;
    return write_view(output, DUMP_SENT, data, len);
}

bool output_close(output_t *output)
{
    if (output->io)
        hio_close(output->io);
    return output->io != NULL;
}
