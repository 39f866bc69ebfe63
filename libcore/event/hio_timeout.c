/* Time limits of an hio. Activity only stores a new deadline in the timer; whether the limit
 * applies at all (reading? something queued?) is looked at when it expires. */
#include "hio_int.h"

static void on_connect_timeout(hio_t *io)
{
    if (io->state == HIO_STATE_CONNECTING || io->state == HIO_STATE_HANDSHAKE)
        hio__finish(io, -ETIMEDOUT);
}

static void on_close_timeout(hio_t *io)
{
    if (io->state == HIO_STATE_CLOSING)
        hio__close_late(io);
    else if (io->state == HIO_STATE_LINGER)
        hio__finish(io, 0);
    else if (hio__is(io, HIO_FLAG_WRITE_BROKEN) && io->paused)
        hio__finish(io, io->error);
}

static void on_read_timeout(hio_t *io)
{
    if (hio_is_reading(io) && !hio__is(io, HIO_FLAG_READ_GATED))
        hio__finish(io, -ETIMEDOUT);
}

static void on_write_timeout(hio_t *io)
{
    if ((io->queued > 0 || io->awaits_writable) && !hio__is(io, HIO_FLAG_WRITE_GATED))
        hio__finish(io, -ETIMEDOUT);
}

static void on_keepalive_timeout(hio_t *io)
{
    hio__finish(io, -ETIMEDOUT);
}

#define HEARTBEATS_MISSED_MAX 3

static void on_heartbeat(hio_t *io)
{
    if (io->ext->heartbeat_missed++ >= HEARTBEATS_MISSED_MAX)
        hio__finish(io, HERR_HEARTBEAT);
    else if (io->ext->heartbeat_fn)
        io->ext->heartbeat_fn(io);
}

static void on_accept_pause(hio_t *io)
{
    if (io->state == HIO_STATE_OPEN && hio__is(io, HIO_FLAG_READING))
        hio__want(io, HV_READ, 0);
}

/* once: ends with its first expiry. at_once: starts to run when it is set. */
static const struct {
    void (*expired)(hio_t *io);
    bool once;
    bool at_once;
} limits[HIO_TIMEOUT_COUNT] = {
    [HIO_TIMEOUT_CONNECT] = {on_connect_timeout, true, false},
    [HIO_TIMEOUT_CONNECT_RETRY] = {hio__connect_retry, true, false},
    [HIO_TIMEOUT_CLOSE] = {on_close_timeout, true, false},
    [HIO_TIMEOUT_READ] = {on_read_timeout, false, true},
    [HIO_TIMEOUT_WRITE] = {on_write_timeout, false, true},
    [HIO_TIMEOUT_KEEPALIVE] = {on_keepalive_timeout, false, true},
    [HIO_TIMEOUT_HEARTBEAT] = {on_heartbeat, false, true},
    [HIO_TIMEOUT_ACCEPT_PAUSE] = {on_accept_pause, true, false},
    [HIO_TIMEOUT_GATHER] = {hio__gather_over, true, false},
    [HIO_TIMEOUT_LINGER] = {hio__linger_tick, false, false},
};

static void on_timer(htimer_t *timer)
{
    hio_t *io = hevent_userdata(timer);
    hio_ext_t *ext = io->ext;

    for (int i = 0; i < HIO_TIMEOUT_COUNT; i++) {
        if (ext->timeouts[i].timer != timer)
            continue;
        if (limits[i].once)
            ext->timeouts[i].timer = NULL; /* it is freed after this call */
        limits[i].expired(io);
        return;
    }
}

int hio__timeout_try(hio_t *io, hio_timeout_e which)
{
    hio_timeout_t *limit = &io->ext->timeouts[which];

    if (limit->timeout_ms <= 0)
        return 0;
    if (limit->timer) {
        htimer_reset(limit->timer, (uint32_t)limit->timeout_ms);
        return 0;
    }
    limit->timer = htimer_add(io->loop, on_timer, (uint32_t)limit->timeout_ms,
                              limits[which].once ? 1 : INFINITE);
    if (!limit->timer)
        return -ENOMEM;
    hevent_set_userdata(limit->timer, io);
    return 0;
}

/* Rather no connection than one without its limit. */
void hio__timeout_start(hio_t *io, hio_timeout_e which)
{
    if (hio__timeout_try(io, which) < 0)
        hio__finish(io, -ENOMEM);
}

void hio__timeout_stop(hio_t *io, hio_timeout_e which)
{
    if (!io->ext || !io->ext->timeouts[which].timer)
        return;
    htimer_del(io->ext->timeouts[which].timer);
    io->ext->timeouts[which].timer = NULL;
}

void hio__timeouts_stop(hio_t *io)
{
    for (int i = 0; io->ext && i < HIO_TIMEOUT_COUNT; i++)
        hio__timeout_stop(io, (hio_timeout_e)i);
}

void hio__timeouts_start(hio_t *io)
{
    for (int i = 0; io->ext && i < HIO_TIMEOUT_COUNT; i++) {
        if (limits[i].at_once)
            hio__timeout_start(io, (hio_timeout_e)i);
    }
}

int hio__timeout_set(hio_t *io, hio_timeout_e which, int timeout_ms)
{
    hio_ext_t *ext;

    if (io->state >= HIO_STATE_CLOSED && io->state != HIO_STATE_DETACHED)
        return HERR_CLOSED;
    ext = hio__ext(io);
    if (!ext)
        return -ENOMEM;
    ext->timeouts[which].timeout_ms = timeout_ms;
    if (timeout_ms <= 0)
        hio__timeout_stop(io, which);
    else if (limits[which].at_once && io->state != HIO_STATE_DETACHED)
        hio__timeout_start(io, which);
    return 0;
}

static void rearm(const hio_t *io, const hio_timeout_t *limit)
{
    htimer__rearm_at(limit->timer,
                     hloop__now(io->loop) + (uint64_t)limit->timeout_ms * HTIME_NS_PER_MS);
}

/* Most have none of the limits: that is found out in place. */
static inline void touch(const hio_t *io, hio_timeout_e which)
{
    const hio_timeout_t *limit = &io->ext->timeouts[which];

    if (limit->timer)
        rearm(io, limit);
}

void hio__timeout_restart(hio_t *io, hio_timeout_e which)
{
    if (io->ext && io->state <= HIO_STATE_CLOSING)
        touch(io, which);
}

void hio__touch_slow(hio_t *io, hio_timeout_e which)
{
    if (io->state > HIO_STATE_CLOSING)
        return;
    touch(io, which);
    touch(io, HIO_TIMEOUT_KEEPALIVE);
    if (which == HIO_TIMEOUT_READ)
        io->ext->heartbeat_missed = 0;
}

void hio_set_connect_timeout(hio_t *io, int timeout_ms)
{
    hio__timeout_set(io, HIO_TIMEOUT_CONNECT, timeout_ms);
}

void hio_set_close_timeout(hio_t *io, int timeout_ms)
{
    hio__timeout_set(io, HIO_TIMEOUT_CLOSE, timeout_ms);
}

void hio_set_read_timeout(hio_t *io, int timeout_ms)
{
    hio__timeout_set(io, HIO_TIMEOUT_READ, timeout_ms);
}

void hio_set_write_timeout(hio_t *io, int timeout_ms)
{
    hio__timeout_set(io, HIO_TIMEOUT_WRITE, timeout_ms);
}

void hio_set_keepalive_timeout(hio_t *io, int timeout_ms)
{
    hio__timeout_set(io, HIO_TIMEOUT_KEEPALIVE, timeout_ms);
}

void hio_set_heartbeat(hio_t *io, int interval_ms, hio_send_heartbeat_fn fn)
{
    if (!hio__ext(io))
        return;
    io->ext->heartbeat_fn = fn;
    io->ext->heartbeat_missed = 0;
    hio__timeout_set(io, HIO_TIMEOUT_HEARTBEAT, interval_ms);
}
