/* The tunnel of a CONNECT: a stream on one side, an hio on the other, and back-pressure both ways.
 * It lives until both are gone. */
#include "http_forward_int.h"

#include "../base/hmem.h"

typedef struct tunnel_s {
    hlist_t link; /* forward->tunnels */
    http_forward_t *forward;
    http_stream_t *stream; /* NULL: gone */
    hdial_t *dial;         /* NULL: done */
    hio_t *io;             /* NULL: not yet, or gone */
} tunnel_t;

static void release(tunnel_t *tunnel)
{
    if (tunnel->stream || tunnel->io || tunnel->dial)
        return;
    hlist_remove(&tunnel->link);
    hmem_free(tunnel);
}

/* ---- the other server ------------------------------------------------------------------------ */

static void on_read(hio_t *io, void *buf, int len)
{
    tunnel_t *tunnel = hevent_userdata(io);

    http_response_write(tunnel->stream, buf, (size_t)len);
    if (http_response_is_full(tunnel->stream))
        hio_read_stop(io);
}

static void on_eof(hio_t *io)
{
    tunnel_t *tunnel = hevent_userdata(io);

    if (tunnel->stream)
        http_response_end(tunnel->stream);
}

static void on_io_drained(hio_t *io)
{
    tunnel_t *tunnel = hevent_userdata(io);

    if (tunnel->stream)
        http_stream_resume(tunnel->stream);
}

static void on_io_close(hio_t *io)
{
    tunnel_t *tunnel = hevent_userdata(io);
    int err = hio_error(io);

    tunnel->io = NULL;
    if (tunnel->stream && err != 0) {
        http_stream_abort(tunnel->stream, err);
    } else if (tunnel->stream) {
        http_response_end(tunnel->stream);
        http_response_last(tunnel->stream); /* nobody hears the client any more */
    }
    release(tunnel);
}

static int watch(tunnel_t *tunnel, hio_t *io)
{
    int err = hio_setcb_eof(io, on_eof);

    if (err == 0)
        err = hio_setcb_drained(io, on_io_drained);
    if (err < 0)
        return err;
    hio_set_keepalive_timeout(io, (int)tunnel->forward->options.tunnel_ms);
    hevent_set_userdata(io, tunnel);
    hio_setcb_read(io, on_read);
    hio_setcb_close(io, on_io_close);
    return 0;
}

static void fail(tunnel_t *tunnel, int err, const char *why)
{
    const http_forward_options_t *o = &tunnel->forward->options;

    if (o->on_failure)
        o->on_failure(tunnel->stream, why, o->arg);
    http_response_error(tunnel->stream, err == -ETIMEDOUT ? 504 : 502,
                        "the other server could not be reached");
}

static void on_dialled(hdial_t *dial, hio_t *io, int err, void *arg)
{
    tunnel_t *tunnel = arg;

    tunnel->dial = NULL;
    if (!io) {
        fail(tunnel, err, hdial_error(dial));
        return;
    }
    err = watch(tunnel, io);
    if (err < 0) {
        hio_abort(io, err);
        fail(tunnel, err, herr_str(err));
        return;
    }
    tunnel->io = io;
    http_response_start(tunnel->stream, -1);
    http_stream_resume(tunnel->stream);
    hio_read(io);
}

/* ---- the client ------------------------------------------------------------------------------ */

static void on_body(http_stream_t *stream, http_span_t data, void *userdata)
{
    tunnel_t *tunnel = userdata;
    int err;

    if (!tunnel->io)
        return;
    err = hio_write(tunnel->io, data.data, data.len);
    if (err < 0)
        http_stream_abort(stream, err); /* nothing may be missing in the middle */
    else if (hio_write_above_high(tunnel->io))
        http_stream_pause(stream);
}

static void on_body_end(http_stream_t *stream, void *userdata)
{
    tunnel_t *tunnel = userdata;

    (void)stream;
    if (tunnel->io)
        hio_shutdown(tunnel->io);
}

static void on_room(http_stream_t *stream, void *userdata)
{
    tunnel_t *tunnel = userdata;

    (void)stream;
    if (tunnel->io)
        hio_read(tunnel->io);
}

static void on_stream_close(http_stream_t *stream, int err, void *userdata)
{
    tunnel_t *tunnel = userdata;

    (void)stream;
    tunnel->stream = NULL;
    if (tunnel->dial) {
        hdial_cancel(tunnel->dial);
        tunnel->dial = NULL;
    }
    if (tunnel->io) {
        hio_setcb_read(tunnel->io, NULL);
        if (err != 0)
            hio_abort(tunnel->io, -ECANCELED);
        else
            hio_close(tunnel->io);
    }
    release(tunnel);
}

void http_tunnel__start(http_forward_t *forward, http_stream_t *stream, const hendpoint_t *to)
{
    static const http_stream_callbacks_t callbacks = {.on_body = on_body,
                                                      .on_body_end = on_body_end,
                                                      .on_drained = on_room,
                                                      .on_close = on_stream_close};
    hdial_options_t options = {.dns = forward->options.dns,
                               .timeout_ms = (int)forward->options.connect_ms};
    tunnel_t *tunnel = hmem_zalloc(sizeof(*tunnel));
    int err = tunnel ? hdial_start(forward->loop, to, &options, on_dialled, tunnel, &tunnel->dial)
                     : -ENOMEM;

    if (err < 0) {
        hmem_free(tunnel);
        http_response_error(stream, 503, NULL);
        return;
    }
    tunnel->forward = forward;
    tunnel->stream = stream;
    hlist_push_back(&forward->tunnels, &tunnel->link);
    http_stream_set_callbacks(stream, &callbacks, tunnel);
    http_stream_pause(stream);
}

void http_tunnel__free_all(http_forward_t *forward)
{
    while (!hlist_empty(&forward->tunnels)) {
        tunnel_t *tunnel = HLIST_ENTRY(forward->tunnels.next, tunnel_t, link);

        hdial_cancel(tunnel->dial);
        if (tunnel->io) {
            hio_setcb_read(tunnel->io, NULL);
            hio_setcb_eof(tunnel->io, NULL);
            hio_setcb_drained(tunnel->io, NULL);
            hio_setcb_close(tunnel->io, NULL);
            hio_abort(tunnel->io, -ECANCELED);
        }
        hlist_remove(&tunnel->link);
        hmem_free(tunnel);
    }
}
