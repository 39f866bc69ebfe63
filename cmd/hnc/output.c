#include "output.h"

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

int output_open(output_t *output, hnc_t *hnc)
{
    output->hnc = hnc;
    output->io = hio_get(hnc->loop, STDOUT_FILENO);
    if (!output->io || hio_setcb_drained(output->io, on_drained) < 0) {
        hnc_say("stdout: %s", strerror(errno));
        return 1;
    }
    hnc_widen_pipe(STDOUT_FILENO);
    hevent_set_userdata(output->io, output);
    hio_setcb_close(output->io, on_closed);
    hio_set_close_timeout(output->io, 0);
    return 0;
}

bool output_write(output_t *output, const void *data, size_t len)
{
    hio_write(output->io, data, len);
    if (output->full || !hio_write_above_high(output->io))
        return false;
    output->full = true;
    return true;
}

bool output_close(output_t *output)
{
    if (output->io)
        hio_close(output->io);
    return output->io != NULL;
}
