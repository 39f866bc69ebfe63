/* What other threads may do: every write or close from outside is a message to the loop that names
 * the connection by its handle. And how an hio moves from one loop to another. */
#include "hio_int.h"

#include "../base/hmem.h"

#include <limits.h>
#include <string.h>

typedef struct hio_message_s {
    hio_handle_t handle;
    hio_done_cb done;
    void *arg;
    bool close;
    size_t len;
    char data[];
} hio_message_t;

hio_handle_t hio_handle(const hio_t *io)
{
    return (hio_handle_t){io->loop, io->event_id};
}

hio_t *hio_from_handle(hio_handle_t handle)
{
    uint32_t index = (uint32_t)handle.id;
    hslot_t *slot;

    if (!handle.loop || index >= handle.loop->slots_cap)
        return NULL;
    slot = &handle.loop->slots[index];
    return slot->io && slot->generation == handle.id >> 32 ? slot->io : NULL;
}

static int carry_out(hio_message_t *message)
{
    hio_t *io = hio_from_handle(message->handle);
    int rc;

    if (!io || io->state >= HIO_STATE_CLOSED) {
        message->handle.loop->stats.posts_dropped++;
        return HERR_STALE;
    }
    if (message->close)
        return hio_close(io);
    rc = hio_write(io, message->data, message->len);
    return rc < 0 ? rc : 0;
}

static void on_message(hevent_t *ev)
{
    hio_message_t *message = ev->userdata;
    int rc = carry_out(message);

    if (message->done)
        message->done(ev->loop, rc, message->arg);
    hmem_free(message);
}

void hio__post_dropped(hloop_t *loop, hevent_cb cb, void *userdata)
{
    hio_message_t *message = userdata;

    if (cb != on_message)
        return;
    if (message->done)
        message->done(loop, HERR_STALE, message->arg);
    hmem_free(message);
}

static int post_message(hio_message_t *message)
{
    hevent_t ev = {.event_type = HEVENT_TYPE_CUSTOM, .cb = on_message, .userdata = message};
    int rc = hloop_post_event(message->handle.loop, &ev);

    if (rc < 0)
        hmem_free(message);
    return rc;
}

static hio_message_t *new_message(hio_handle_t handle, size_t len, hio_done_cb done, void *arg)
{
    hio_message_t *message = hmem_alloc(sizeof(*message) + len);

    if (!message)
        return NULL;
    *message = (hio_message_t){.handle = handle, .done = done, .arg = arg, .len = len};
    return message;
}

int hio_handle_write(hio_handle_t handle, const void *buf, size_t len, hio_done_cb done, void *arg)
{
    hio_message_t *message;

    if (!handle.loop)
        return HERR_STALE;
    if (len > INT_MAX)
        return -EMSGSIZE;
    message = new_message(handle, len, done, arg);
    if (!message)
        return -ENOMEM;
    if (len)
        memcpy(message->data, buf, len);
    return post_message(message);
}

int hio_handle_close(hio_handle_t handle, hio_done_cb done, void *arg)
{
    hio_message_t *message;

    if (!handle.loop)
        return HERR_STALE;
    message = new_message(handle, 0, done, arg);
    if (!message)
        return -ENOMEM;
    message->close = true;
    return post_message(message);
}

int hio__post_write(hio_t *io, const struct iovec *iov, int n)
{
    hio_message_t *message;
    size_t total = 0;
    int rc;

    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    if (total > INT_MAX)
        return -EMSGSIZE;
    message = new_message(hio_handle(io), total, NULL, NULL);
    if (!message)
        return -ENOMEM;
    total = 0;
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len > 0)
            memcpy(message->data + total, iov[i].iov_base, iov[i].iov_len);
        total += iov[i].iov_len;
    }
    rc = post_message(message);
    return rc < 0 ? rc : (int)total;
}

int hio__post_close(hio_t *io)
{
    return hio_handle_close(hio_handle(io), NULL, NULL);
}

/* ---- moving ---------------------------------------------------------------------------------- */

int hio_detach(hio_t *io)
{
    hloop_t *loop = io->loop;

    if (io->state != HIO_STATE_OPEN)
        return HERR_CLOSED;
    if (loop->current == io)
        return -EBUSY;
    if (io->polled)
        loop->poller->update(loop, io, io->polled, 0);
    if (hio__is(io, HIO_FLAG_ALWAYS)) {
        loop->always_n -= io->want ? 1 : 0;
        hlist_remove(&io->ext->always_link);
    }
    hio__gather_detach(io);
    hio__timeouts_stop(io);
    for (size_t i = 0; i < loop->ready_n; i++) {
        if (loop->ready[i].io == io)
            loop->ready[i].io = NULL; /* another thread's from now on */
    }
    hlist_remove(&io->link);
    hio__unregister(io);
    io->flags &= (uint16_t)~HIO_FLAG_BATCHING;
    io->want = 0;
    io->polled = 0;
    io->loop = NULL;
    io->state = HIO_STATE_DETACHED;
    return 0;
}

int hio_attach(hloop_t *loop, hio_t *io)
{
    int rc;

    if (io->state != HIO_STATE_DETACHED)
        return -EINVAL;
    rc = hio__register(loop, io);
    if (rc < 0)
        return rc;
    io->state = HIO_STATE_OPEN;
    if (hio__is(io, HIO_FLAG_ALWAYS))
        hlist_push_back(&loop->always, &io->ext->always_link);
    hio__timeouts_start(io);
    if (io->state != HIO_STATE_OPEN)
        return 0; /* no memory for its time limits: the close callback says so */
    if (hio__is(io, HIO_FLAG_READING) && !hio__is(io, HIO_FLAG_READ_GATED)) {
        hio__want(io, HV_READ, 0);
        hio__read_pending(io);
    }
    if ((io->queue_head || io->awaits_writable) && !hio__is(io, HIO_FLAG_WRITE_GATED))
        hio__want(io, HV_WRITE, 0);
    if (io->work)
        hloop__add_work(loop, io, io->work); /* callbacks that were due when it was detached */
    return 0;
}
