#include "hproxy_header.h"

#include "../base/hmem.h"
#include "../event/htimer.h"

typedef struct reader_s {
    hproxy_header_cb cb;
    void *arg;
    htimer_t *timer;
    const char *why; /* NULL: as hio_error says */
    size_t len;
    char error[PROXY_ERROR_SIZE];
    char bytes[PROXY_HEADER_MAX];
} reader_t;

static void let_go(hio_t *io)
{
    hio_setcb_read(io, NULL);
    hio_setcb_eof(io, NULL);
    hio_setcb_close(io, NULL);
    hio_set_readbuf(io, NULL, 0);
    hevent_set_userdata(io, NULL);
}

static void free_reader(reader_t *reader)
{
    htimer_del(reader->timer);
    hmem_free(reader);
}

static void refuse(hio_t *io, int err, const char *why)
{
    reader_t *reader = hevent_userdata(io);

    reader->why = why;
    hio_abort(io, err);
}

static void on_timer(htimer_t *timer)
{
    hio_t *io = hevent_userdata(timer);

    ((reader_t *)hevent_userdata(io))->timer = NULL;
    refuse(io, -ETIMEDOUT, "it did not come in time");
}

static void on_eof(hio_t *io)
{
    refuse(io, HERR_PROTOCOL, "the connection ended before it was whole");
}

static void on_close(hio_t *io)
{
    reader_t *reader = hevent_userdata(io);
    int err = hio_error(io);

    if (err == -ECANCELED)
        reader->timer = NULL; /* the loop's end has freed it */
    let_go(io);
    reader->cb(io, NULL, reader->why ? reader->why : herr_str(err), reader->arg);
    free_reader(reader);
}

static void take(hio_t *io, const proxy_header_t *header)
{
    reader_t *reader = hevent_userdata(io);

    hio_read_stop(io);
    let_go(io);
    reader->cb(io, header, NULL, reader->arg);
    free_reader(reader);
}

static void on_read(hio_t *io, void *buf, int len)
{
    reader_t *reader = hevent_userdata(io);
    proxy_header_t header;
    ssize_t rc;

    (void)buf;
    reader->len += (size_t)len;
    rc = proxy_parse(&header, reader->bytes, reader->len, reader->error, sizeof(reader->error));
    if (rc > 0)
        take(io, &header);
    else if (rc < 0)
        refuse(io, HERR_PROTOCOL, reader->error);
    else
        hio_set_readbuf(io, reader->bytes + reader->len, proxy_need(reader->bytes, reader->len));
}

int hproxy_header_read(hio_t *io, uint32_t timeout_ms, hproxy_header_cb cb, void *arg)
{
    reader_t *reader = hmem_zalloc(sizeof(*reader));
    int err = reader ? hio_setcb_eof(io, on_eof) : -ENOMEM;

    if (err == 0)
        err = hio_set_readbuf(io, reader->bytes, proxy_need(reader->bytes, 0));
    if (timeout_ms == 0)
        timeout_ms = HPROXY_HEADER_TIMEOUT_MS;
    if (err == 0) {
        reader->timer = htimer_add(hevent_loop(io), on_timer, timeout_ms, 1);
        err = reader->timer ? 0 : -ENOMEM;
    }
    if (err < 0) {
        hio_setcb_eof(io, NULL);
        hio_set_readbuf(io, NULL, 0);
        hmem_free(reader);
        return err;
    }
    reader->cb = cb;
    reader->arg = arg;
    hevent_set_userdata(reader->timer, io);
    hevent_set_userdata(io, reader);
    hio_setcb_read(io, on_read);
    hio_setcb_close(io, on_close);
    hio_read(io);
    return 0;
}

void hproxy_header_cancel(hio_t *io)
{
    reader_t *reader = hevent_userdata(io);

    let_go(io);
    free_reader(reader);
    hio_abort(io, -ECANCELED);
}
