/* The life of an hio: made, registered with a loop, dispatched, freed. Reading, writing, closing,
 * connecting and accepting have files of their own. */
#include "hio_int.h"

#include "../base/hmem.h"

#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_CAP_MIN 64
#define SLOTS_CAP_MIN 64
#define NO_SLOT UINT32_MAX

/* ---- tables of the loop: by descriptor, and slots for handles -------------------------------- */

static int reserve_fd(hloop_t *loop, int fd)
{
    size_t cap = loop->fds_cap ? loop->fds_cap : FDS_CAP_MIN;
    hio_t **fds;

    if (fd < 0 || fd >= HLOOP_FDS_MAX)
        return -EBADF;
    if ((size_t)fd < loop->fds_cap)
        return 0;
    while (cap <= (size_t)fd)
        cap *= 2;
    fds = hmem_realloc(loop->fds, cap * sizeof(hio_t *));
    if (!fds)
        return -ENOMEM;
    memset(fds + loop->fds_cap, 0, (cap - loop->fds_cap) * sizeof(hio_t *));
    loop->fds = fds;
    loop->fds_cap = cap;
    return 0;
}

static int reserve_slot(hloop_t *loop)
{
    uint32_t cap = loop->slots_cap ? loop->slots_cap * 2 : SLOTS_CAP_MIN;
    hslot_t *slots;

    if (loop->slots_free != NO_SLOT)
        return 0;
    slots = hmem_realloc(loop->slots, cap * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = loop->slots_cap; i < cap; i++)
        slots[i] = (hslot_t){.next_free = i + 1 < cap ? i + 1 : NO_SLOT};
    loop->slots_free = loop->slots_cap;
    loop->slots = slots;
    loop->slots_cap = cap;
    return 0;
}

int hio__register(hloop_t *loop, hio_t *io)
{
    hslot_t *slot;
    uint32_t index;
    int rc = reserve_fd(loop, io->fd);

    if (rc == 0)
        rc = reserve_slot(loop);
    if (rc < 0)
        return rc;
    index = loop->slots_free;
    slot = &loop->slots[index];
    loop->slots_free = slot->next_free;
    slot->io = io;
    io->event_id = (uint64_t)++slot->generation << 32 | index;
    io->loop = loop;
    loop->fds[io->fd] = io;
    __atomic_store_n(&loop->stats.ios, loop->stats.ios + 1, __ATOMIC_RELAXED);
    return 0;
}

void hio__unregister(hio_t *io)
{
    hloop_t *loop = io->loop;
    uint32_t index = (uint32_t)io->event_id;

    loop->slots[index].io = NULL;
    loop->slots[index].next_free = loop->slots_free;
    loop->slots_free = index;
    if (loop->fds[io->fd] == io)
        loop->fds[io->fd] = NULL;
    __atomic_store_n(&loop->stats.ios, loop->stats.ios - 1, __ATOMIC_RELAXED);
}

/* ---- interest -------------------------------------------------------------------------------- */

static void make_always_ready(hio_t *io)
{
    hio_ext_t *ext = hio__ext(io);

    if (!ext) {
        hio__finish(io, -ENOMEM);
        return;
    }
    io->flags |= HIO_FLAG_ALWAYS;
    io->flags &= (uint16_t)~HIO_FLAG_BLOCKING; /* no readiness is told: small steps gain nothing */
    hlist_push_back(&io->loop->always, &ext->always_link);
    if (io->want)
        io->loop->always_n++;
}

void hio__want(hio_t *io, int on, int off)
{
    uint8_t old = io->want;

    io->want = (uint8_t)((old | on) & ~off);
    if (io->want == old)
        return;
    if (hio__is(io, HIO_FLAG_ALWAYS))
        io->loop->always_n += (io->want ? 1u : 0u) - (old ? 1u : 0u);
    else if (io->want != io->polled)
        hloop__add_work(io->loop, io, HIO_WORK_INTEREST);
}

static void update_interest(hio_t *io)
{
    int rc;

    if (io->want == io->polled || hio__is(io, HIO_FLAG_ALWAYS))
        return;
    rc = io->loop->poller->update(io->loop, io, io->polled, io->want);
    if (rc == 0)
        io->polled = io->want;
    else if (rc == -EPERM)
        make_always_ready(io);
    else
        hio__finish(io, rc);
}

/* ---- dispatch -------------------------------------------------------------------------------- */

/* What the transport waited for has come: all that it gave up is tried again, and after it only
 * what the program wants is waited for. */
static void retry_transport(hio_t *io)
{
    bool reads = hio_is_reading(io) && !hio__is(io, HIO_FLAG_READ_GATED);

    io->transport_want = 0;
    hio__want(io, reads ? HV_READ : 0, reads ? 0 : HV_READ);
    hio__flush(io);
    if (reads && hio_is_reading(io))
        hio__read_ready(io);
}

static void on_ready_open(hio_t *io, int events)
{
    if (io->transport_want) {
        retry_transport(io);
        return;
    }
    if ((io->want & HIO_WANT_HANGUP) && hio__hung_up(io, events))
        return;
    if ((events & HV_WRITE) && (io->want & HV_WRITE))
        hio__flush(io);
    if ((events & HV_READ) && (io->want & HV_READ) && io->state == HIO_STATE_OPEN) {
        if (hio__is(io, HIO_FLAG_LISTEN))
            hio__accept_ready(io);
        else
            hio__read_ready(io);
    }
}

void hio__on_ready(hio_t *io, int events)
{
    hloop_t *loop = io->loop;

    loop->current = io;
    switch ((hio_state_e)io->state) {
    case HIO_STATE_OPEN:
    case HIO_STATE_CLOSING:
        on_ready_open(io, events);
        break;
    case HIO_STATE_LINGER:
        hio__linger_ready(io);
        break;
    case HIO_STATE_CONNECTING:
        hio__connect_ready(io, events);
        break;
    case HIO_STATE_HANDSHAKE:
        hio__handshake(io);
        break;
    case HIO_STATE_CLOSED:
    case HIO_STATE_DETACHED:
    case HIO_STATE_FREE:
        break; /* closed by a callback that ran before it in this iteration */
    }
    loop->current = NULL;
}

/* The order matters: what lets data flow first, callbacks then, the close last. */
void hio__do_work(hio_t *io)
{
    hloop_t *loop = io->loop;
    unsigned work = io->work;

    loop->current = io;
    io->work = 0;
    if ((work & HIO_WORK_UNCORK) && hio__is_alive(io))
        hio_uncork(io);
    if ((work & HIO_WORK_READ) && io->state == HIO_STATE_HANDSHAKE) {
        hio__handshake(io);
        work &= ~(unsigned)HIO_WORK_READ;
    }
    if ((work & HIO_WORK_CONNECTED) && io->state == HIO_STATE_CONNECTING) {
        hio__handshake(io); /* it stood already when it was begun */
        io->work &= (uint16_t)~HIO_WORK_CONNECTED;
    }
    if ((work & HIO_WORK_CONNECTED) && io->state == HIO_STATE_OPEN)
        hio__do_connected(io);
    if ((work & HIO_WORK_RESUME) && io->state == HIO_STATE_OPEN)
        hio__resume(io);
    if ((work & HIO_WORK_READ) && io->state == HIO_STATE_OPEN && (io->want & HV_READ))
        hio__read_ready(io);
    if ((work & HIO_WORK_WRITTEN) && io->state <= HIO_STATE_CLOSED)
        hio__do_written(io); /* what the kernel has taken is told also when it was closed since */
    if ((work & HIO_WORK_DRAINED) && io->state == HIO_STATE_OPEN)
        hio__do_drained(io);
    if ((work & HIO_WORK_DEFERRED) && hio__is_alive(io))
        hio__do_deferred(io);
    if ((work & HIO_WORK_INTEREST) && hio__is_alive(io))
        update_interest(io);
    if (io->state == HIO_STATE_CLOSED && (work & HIO_WORK_CLOSE))
        hio__do_close(io);
    loop->current = NULL;
}

/* ---- making and freeing ---------------------------------------------------------------------- */

hio_ext_t *hio__ext(hio_t *io)
{
    if (io->ext || io->state == HIO_STATE_FREE)
        return io->ext;
    io->ext = hmem_zalloc(sizeof(*io->ext));
    if (!io->ext)
        return NULL;
    io->ext->io = io;
    io->ext->write_low = HIO_WRITE_LOW;
    io->ext->write_high = HIO_WRITE_HIGH;
    io->ext->write_max = HIO_WRITE_MAX;
    io->ext->timeouts[HIO_TIMEOUT_CONNECT].timeout_ms = HIO_CONNECT_TIMEOUT_MS;
    io->ext->timeouts[HIO_TIMEOUT_CLOSE].timeout_ms = HIO_CLOSE_TIMEOUT_MS;
    io->ext->timeouts[HIO_TIMEOUT_LINGER].timeout_ms = HIO_LINGER_TICK_MS;
    return io->ext;
}

/* Memory is reused oldest first: a stale pointer meets a closed hio for as long as possible. */
static hio_t *alloc_io(hloop_t *loop)
{
    hlist_t *node = hlist_pop_front(&loop->free_ios);

    return node ? HLIST_ENTRY(node, hio_t, link) : hmem_alloc(sizeof(hio_t));
}

hio_t *hio__new(hloop_t *loop, int fd, hio_type_e type)
{
    hio_t *io;

    if (loop->closing_down)
        return NULL;
    io = alloc_io(loop);
    if (!io)
        return NULL;
    memset(io, 0, sizeof(*io));
    io->event_type = HEVENT_TYPE_IO;
    io->fd = fd;
    io->type = type;
    if (hio__register(loop, io) < 0) {
        io->state = HIO_STATE_FREE;
        hlist_push_front(&loop->free_ios, &io->link);
        return NULL;
    }
    if (type == HIO_TYPE_FILE) {
        make_always_ready(io);
        if (io->state == HIO_STATE_CLOSED) { /* out of memory: it never was */
            hlist_remove(&io->link);
            hio__unregister(io);
            io->state = HIO_STATE_FREE;
            hlist_push_front(&loop->free_ios, &io->link);
            return NULL;
        }
    }
    return io;
}

void hio__loop_deinit(hloop_t *loop)
{
    hlist_t *node;

    while ((node = hlist_pop_front(&loop->free_ios)) != NULL)
        hmem_free(HLIST_ENTRY(node, hio_t, link));
    hio__datagram_loop_deinit(loop);
    hmem_free(loop->fds);
    hmem_free(loop->slots);
}

hio_t *hio_get(hloop_t *loop, int fd)
{
    hio_type_e type;
    hio_t *io;

    if (fd >= 0 && (size_t)fd < loop->fds_cap && loop->fds[fd])
        return loop->fds[fd];
    type = hio__detect_type(fd);
    if (type == HIO_TYPE_UNKNOWN)
        return NULL;
    io = hio__new(loop, fd, type);
    if (io && !hio__make_nonblocking(fd, type))
        io->flags |= HIO_FLAG_BLOCKING;
    return io;
}

hio_t *hio_of_socket(hloop_t *loop, int fd, hio_type_e type)
{
    hio_t *io = hio__new(loop, fd, type);

    if (io)
        io->fresh = true;
    return io;
}

void hio_set_unshared(hio_t *io)
{
    io->unshared = io->fresh;
}

/* ---- asking ---------------------------------------------------------------------------------- */

int hio_fd(const hio_t *io)
{
    return io->fd;
}

hio_type_e hio_type(const hio_t *io)
{
    return io->type;
}

bool hio_is_opened(const hio_t *io)
{
    return io && io->state <= HIO_STATE_HANDSHAKE;
}

bool hio_is_closed(const hio_t *io)
{
    return !io || (io->state >= HIO_STATE_CLOSING && io->state != HIO_STATE_DETACHED);
}

int hio_error(const hio_t *io)
{
    return io->error;
}

static struct sockaddr *get_addr(hio_t *io, struct sockaddr_storage **addr, socklen_t *len,
                                 int (*get)(int, struct sockaddr *, socklen_t *))
{
    if (*addr)
        return (struct sockaddr *)*addr;
    *addr = hmem_zalloc(sizeof(**addr));
    if (!*addr)
        return NULL;
    *len = sizeof(**addr);
    if (!(io->type & HIO_TYPE_SOCKET) || get(io->fd, (struct sockaddr *)*addr, len) < 0) {
        memset(*addr, 0, sizeof(**addr));
        *len = sizeof(sa_family_t);
    }
    return (struct sockaddr *)*addr;
}

struct sockaddr *hio_localaddr(hio_t *io)
{
    hio_ext_t *ext = hio__ext(io);
    socklen_t len;

    return ext ? get_addr(io, &ext->local, &len, getsockname) : NULL;
}

struct sockaddr *hio_peeraddr(hio_t *io)
{
    hio_ext_t *ext = hio__ext(io);

    if (!ext)
        return NULL;
    if (!ext->peer && io->loop && io->loop->accepted == io)
        hio_set_peeraddr(io, (struct sockaddr *)&io->loop->accepted_from,
                         (int)io->loop->accepted_from_len);
    return get_addr(io, &ext->peer, &ext->peer_len, getpeername);
}

socklen_t hio_peeraddr_len(hio_t *io)
{
    return hio_peeraddr(io) ? io->ext->peer_len : 0;
}

int hio_set_peeraddr(hio_t *io, const struct sockaddr *addr, int len)
{
    hio_ext_t *ext = hio__ext(io);

    if (len < 0 || (size_t)len > sizeof(struct sockaddr_storage))
        return -EINVAL;
    if (!ext)
        return -ENOMEM;
    if (!ext->peer)
        ext->peer = hmem_alloc(sizeof(*ext->peer));
    if (!ext->peer)
        return -ENOMEM;
    memset(ext->peer, 0, sizeof(*ext->peer));
    memcpy(ext->peer, addr, (size_t)len);
    ext->peer_len = (socklen_t)len;
    ext->source.len = 0;
    return 0;
}

void *hio_context(hio_t *io)
{
    return io->ext ? io->ext->context : NULL;
}

int hio_set_context(hio_t *io, void *context)
{
    if (!hio__ext(io))
        return -ENOMEM;
    io->ext->context = context;
    return 0;
}

/* ---- callbacks ------------------------------------------------------------------------------- */

void hio_setcb_accept(hio_t *io, haccept_cb cb)
{
    if (hio__ext(io))
        io->ext->accept_cb = cb;
}

void hio_setcb_connect(hio_t *io, hconnect_cb cb)
{
    if (hio__ext(io))
        io->ext->connect_cb = cb;
}

void hio_setcb_read(hio_t *io, hread_cb cb)
{
    io->read_cb = cb;
}

hread_cb hio_getcb_read(const hio_t *io)
{
    return io->read_cb;
}

void hio_setcb_write(hio_t *io, hwrite_cb cb)
{
    io->write_cb = cb;
}

void hio_setcb_close(hio_t *io, hclose_cb cb)
{
    io->close_cb = cb;
}

int hio_setcb_eof(hio_t *io, hio_event_cb cb)
{
    if (!hio__ext(io))
        return -ENOMEM;
    io->ext->eof_cb = cb;
    return 0;
}

int hio_setcb_drained(hio_t *io, hio_event_cb cb)
{
    if (!hio__ext(io))
        return -ENOMEM;
    io->ext->drained_cb = cb;
    return 0;
}

/* ---- libhv's shorthands ---------------------------------------------------------------------- */

hio_t *hread(hloop_t *loop, int fd, void *buf, size_t len, hread_cb cb)
{
    hio_t *io = hio_get(loop, fd);

    if (!io)
        return NULL;
    if (buf && len && hio_set_readbuf(io, buf, len) < 0)
        return NULL;
    if (cb)
        hio_setcb_read(io, cb);
    hio_read(io);
    return io;
}

hio_t *hwrite(hloop_t *loop, int fd, const void *buf, size_t len, hwrite_cb cb)
{
    hio_t *io = hio_get(loop, fd);

    if (!io)
        return NULL;
    if (cb)
        hio_setcb_write(io, cb);
    hio_write(io, buf, len);
    return io;
}

hio_t *hclose(hloop_t *loop, int fd, hclose_cb cb)
{
    hio_t *io = hio_get(loop, fd);

    if (!io)
        return NULL;
    if (cb)
        hio_setcb_close(io, cb);
    hio_close(io);
    return io;
}

hio_t *haccept(hloop_t *loop, int listenfd, haccept_cb cb)
{
    hio_t *io = hio_get(loop, listenfd);

    if (!io)
        return NULL;
    if (cb)
        hio_setcb_accept(io, cb);
    return hio_accept(io) < 0 ? NULL : io;
}

hio_t *hconnect(hloop_t *loop, int connfd, hconnect_cb cb)
{
    hio_t *io = hio_get(loop, connfd);

    if (!io)
        return NULL;
    if (cb)
        hio_setcb_connect(io, cb);
    return hio_connect(io) < 0 ? NULL : io;
}
