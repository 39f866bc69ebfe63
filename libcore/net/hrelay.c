/* A pair of joined streams. Each side remembers whether it is paused (not read, because the other's
 * queue is full) and whether its peer has ended its data:
 *   both open -> one has ended: the other is shut down -> both have ended: both are closed.
 * The pair is freed when both hio are gone. */
#include "hrelay.h"

#include "../base/hmem.h"
#include "hcarry.h"
#include "hflow.h"
#include "hframe.h"
#include "hlisten.h"
#include "hrelay_int.h"

typedef struct pair_side_s {
    hrelay_side_t side; /* first: a pair_side_t is found from it */
    struct pair_side_s *other;
    bool paused;
    bool ended;
    bool refused; /* the other's connection broke: what this one sends is not read any more */
    uint64_t sent_bytes;
    uint64_t dropped;
} pair_side_t;

typedef struct pair_s {
    pair_side_t sides[2];
} pair_t;

static pair_side_t *pair_side(const hio_t *io);

/* ---- sides ----------------------------------------------------------------------------------- */

hrelay_side_t *hrelay__side(const hio_t *io)
{
    hfilter_t *filter = hfilter__find(io);

    return filter ? filter->relay : NULL;
}

int hrelay__attach(hio_t *io, hrelay_side_t *side)
{
    hfilter_t *filter;

    if (!hio_is_opened(io))
        return HERR_CLOSED;
    filter = hfilter__of(io);
    if (!filter)
        return -ENOMEM;
    if (filter->relay)
        return -EINVAL;
    filter->relay = side;
    side->io = io;
    return 0;
}

void hrelay__detach(hio_t *io)
{
    hfilter_t *filter = hfilter__find(io);

    if (!filter || !filter->relay)
        return;
    filter->relay->io = NULL;
    filter->relay = NULL;
    hfilter__trim(io);
}

void hrelay__gone(hio_t *io, hrelay_side_t *side)
{
    (void)io;
    side->kind->gone(side);
}

/* ---- pairs ----------------------------------------------------------------------------------- */

/* The other end must not take what it got for the whole: close with a reset. */
static void abort_with_reset(hio_t *io, int err)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (hio_type(io) == HIO_TYPE_TCP)
        setsockopt(hio_fd(io), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    hio_abort(io, err);
}

static pair_t *pair_of(pair_side_t *side)
{
    return (pair_t *)(side < side->other ? side : side->other);
}

static hio_t *pair_upstream(const hrelay_side_t *side)
{
    return ((const pair_side_t *)side)->other->side.io;
}

static bool is_datagram(const hio_t *io)
{
    return (hio_type(io) & HIO_TYPE_SOCK_DGRAM) != 0;
}

/* A connection that broke closes by itself, after what its peer had sent is read, and that closes
 * this side; where both broke nobody would read. What it merely refuses is lost: then there is no
 * stream any more. */
static void write_failed(pair_side_t *from, hio_t *to, ssize_t err)
{
    hio_t *io = from->side.io;

    if (is_datagram(io) || is_datagram(to)) {
        from->dropped++;
        return;
    }
    from->refused = true;
    if (err == HERR_QUEUE_FULL || err == -EMSGSIZE || err == -ENOMEM || from->other->refused)
        hio_abort(io, (int)err);
    else
        hio_read_stop(io);
}

/* After n bytes were written to the other side, or an error. */
static void written(pair_side_t *from, hio_t *to, ssize_t n)
{
    hio_t *io = from->side.io;

    if (n < 0) {
        write_failed(from, to, n);
        return;
    }
    from->sent_bytes += (uint64_t)n;
    if (hio_write_above_high(to) && hio_is_reading(io)) {
        from->paused = true;
        hio_read_stop(io);
    }
}

/* Bytes of a stream go as datagrams that are not too long to be sent. */
static void pair_write(hrelay_side_t *side, const void *buf, size_t len)
{
    pair_side_t *from = (pair_side_t *)side;
    hio_t *to = pair_upstream(side);
    bool cut = to && is_datagram(to) && !is_datagram(side->io);
    const char *bytes = buf;
    size_t n;

    do {
        n = cut && len > HFLOW_DATAGRAM_MAX ? HFLOW_DATAGRAM_MAX : len;
        if (to)
            written(from, to, hio_write(to, bytes, n));
        else
            from->dropped++;
        bytes += n;
        len -= n;
    } while (len > 0);
}

static void on_carried(hio_t *io, hio_t *to, ssize_t n)
{
    pair_side_t *from = pair_side(io);

    if (from)
        written(from, to, n);
}

static void on_drained(hio_t *io)
{
    pair_side_t *to = pair_side(io);
    pair_side_t *from = to ? to->other : NULL;

    if (!from || !from->side.io || !from->paused)
        return;
    from->paused = false;
    if (!from->ended)
        hio_read(from->side.io);
}

static void on_eof(hio_t *io)
{
    pair_side_t *side = pair_side(io);
    hio_t *other = side ? side->other->side.io : NULL;

    if (!other) {
        hio_close(io);
        return;
    }
    side->ended = true;
    if (!side->other->ended) {
        hio_shutdown(other);
        return;
    }
    hio_close(io);
    hio_close(other);
}

/* Whether what a side has sent was all of it. EPIPE says that its peer takes no more, but what it
 * sent was read to the end, unless the side was paused. An end without TLS's close_notify was
 * handed on as an end of data. */
static bool is_whole(const pair_side_t *side, int err)
{
    return err == 0 || (err == -EPIPE && !side->paused) || (err == HERR_TRUNCATED && side->ended);
}

/* One hio is gone. If it was closed so is the other; another layer's filter only ends the relay. */
static void pair_gone(hrelay_side_t *side)
{
    pair_side_t *gone = (pair_side_t *)side;
    pair_side_t *left = gone->other;
    hio_t *io = side->io, *other = left->side.io;

    side->io = NULL;
    if (!other) {
        hmem_free(pair_of(gone));
        return;
    }
    if (!hio_is_closed(io))
        return;
    if (is_whole(gone, hio_error(io)))
        hio_close(other);
    else
        abort_with_reset(other, hio_error(io));
}

static void pair_stats(const hrelay_side_t *side, hrelay_stats_t *stats)
{
    const pair_side_t *pair = (const pair_side_t *)side;

    *stats = (hrelay_stats_t){.sent_bytes = pair->sent_bytes,
                              .received_bytes = pair->other->sent_bytes,
                              .dropped = pair->dropped + pair->other->dropped};
}

static const hrelay_kind_t pair_kind = {pair_upstream, pair_write, pair_gone, pair_stats};

static pair_side_t *pair_side(const hio_t *io)
{
    hrelay_side_t *side = hrelay__side(io);

    return side && side->kind == &pair_kind ? (pair_side_t *)side : NULL;
}

/* Takes apart again what was not joined yet; both live on. */
static void pair_undo(pair_t *pair)
{
    for (int i = 0; i < 2; i++) {
        if (pair->sides[i].side.io)
            hrelay__detach(pair->sides[i].side.io);
    }
    hmem_free(pair);
}

int hio_setup_upstream(hio_t *io1, hio_t *io2)
{
    hio_t *ios[2] = {io1, io2};
    pair_t *pair;
    int err = 0;

    if (io1 == io2 || hevent_loop(io1) != hevent_loop(io2))
        return -EINVAL;
    pair = hmem_zalloc(sizeof(*pair));
    if (!pair)
        return -ENOMEM;
    for (int i = 0; i < 2 && err == 0; i++) {
        pair->sides[i].side.kind = &pair_kind;
        pair->sides[i].other = &pair->sides[1 - i];
        err = hrelay__attach(ios[i], &pair->sides[i].side);
    }
    if (err != 0) {
        pair_undo(pair);
        return err;
    }
    for (int i = 0; i < 2; i++) {
        hio_setcb_eof(ios[i], on_eof); /* cannot fail: the filter has made room for them */
        hio_setcb_drained(ios[i], on_drained);
    }
    return 0;
}

/* The read callback takes what is not carried: datagrams, or all of it when memory is short. */
static void carry_both_ways(hio_t *io1, hio_t *io2)
{
    hio_setcb_read(io1, hio_write_upstream);
    hio_setcb_read(io2, hio_write_upstream);
    (void)hcarry_start(io1, io2, on_carried);
    (void)hcarry_start(io2, io1, on_carried);
}

int hio_relay(hio_t *io1, hio_t *io2)
{
    int err = hio_setup_upstream(io1, io2);

    if (err != 0)
        return err;
    carry_both_ways(io1, io2);
    hio_unset_unpack(io1);
    hio_unset_unpack(io2);
    hio_expect_bytes(io1);
    hio_read_upstream(io1);
    return 0;
}

/* ---- either kind ----------------------------------------------------------------------------- */

hio_t *hio_get_upstream(hio_t *io)
{
    hrelay_side_t *side = hrelay__side(io);

    return side ? side->kind->upstream(side) : NULL;
}

void hio_read_upstream(hio_t *io)
{
    hio_t *upstream = hio_get_upstream(io);

    if (!upstream)
        return;
    hio_read(io);
    hio_read(upstream);
}

void hio_write_upstream(hio_t *io, void *buf, int bytes)
{
    hrelay_side_t *side = hrelay__side(io);

    if (side && bytes >= 0)
        side->kind->write(side, buf, (size_t)bytes);
}

void hio_close_upstream(hio_t *io)
{
    hio_t *upstream = hio_get_upstream(io);

    if (upstream)
        hio_close(upstream);
}

int hrelay_stats(const hio_t *io, hrelay_stats_t *stats)
{
    const hrelay_side_t *side = hrelay__side(io);

    if (!side) {
        *stats = (hrelay_stats_t){0};
        return -ENOENT;
    }
    side->kind->stats(side, stats);
    return 0;
}

static int connect_upstream(hio_t *io, hio_t *upstream)
{
    int err = hio_connect(upstream);

    if (err == 0)
        err = hio_setup_upstream(io, upstream); /* last: it cannot be undone */
    if (err != 0)
        return err;
    hio_setcb_connect(upstream, hio_read_upstream);
    hio_read_stop(io);
    carry_both_ways(io, upstream);
    return 0;
}

hio_t *hio_setup_tcp_upstream(hio_t *io, const char *host, int port, int ssl)
{
    hio_t *upstream;
    int err;

    if (ssl) {
        errno = ENOTSUP;
        return NULL;
    }
    upstream = hio_create_socket(hevent_loop(io), host, port, HIO_TYPE_TCP, HIO_CLIENT_SIDE);
    if (!upstream)
        return NULL;
    err = connect_upstream(io, upstream);
    if (err == 0)
        return upstream;
    hio_abort(upstream, err);
    errno = err > HERR_CLOSED ? -err : EBADF;
    return NULL;
}
