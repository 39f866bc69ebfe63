#include "probe.h"

#include "base/hmem.h"

#define PROBE_MS 3000
#define PERIOD_MS 1000

struct probe_s {
    hio_t *io;
    htimer_t *timer;
    unsigned left;
    bool open;
    probe_cb cb;
    void *arg;
};

uint32_t probe_time_ms(const options_t *o)
{
    if (o->wait_ms == HNC_NO_TIME)
        return PROBE_MS;
    return o->wait_ms > 0 ? o->wait_ms : 1;
}

static void on_closed(hio_t *io)
{
    probe_t *probe = hevent_userdata(io);
    probe_cb cb = probe->cb;
    void *arg = probe->arg;
    int err = probe->open ? 0 : hio_error(io);

    htimer_del(probe->timer);
    hmem_free(probe);
    if (err != -ECANCELED)
        cb(err, arg);
}

static void succeed(probe_t *probe)
{
    probe->open = true;
    hio_close(probe->io);
}

static void on_answer(hio_t *io, void *buf, int len)
{
    (void)buf;
    (void)len;
    succeed(hevent_userdata(io));
}

static bool send_one(probe_t *probe)
{
    int rc = hio_write(probe->io, "X", 1);

    if (rc < 0)
        hio_abort(probe->io, rc);
    return rc >= 0;
}

static void on_timer(htimer_t *timer)
{
    probe_t *probe = hevent_userdata(timer);

    if (send_one(probe) && --probe->left == 0)
        succeed(probe);
}

int probe_start(hnc_t *hnc, hio_t *io, probe_cb cb, void *arg)
{
    uint32_t wait_ms = probe_time_ms(&hnc->options);
    uint32_t period_ms = wait_ms < PERIOD_MS ? wait_ms : PERIOD_MS;
    probe_t *probe = hmem_zalloc(sizeof(*probe));

    if (probe)
        probe->timer = htimer_add(hnc->loop, on_timer, period_ms, INFINITE);
    if (!probe || !probe->timer) {
        hmem_free(probe);
        hio_abort(io, -ENOMEM);
        return -ENOMEM;
    }
    probe->io = io;
    probe->left = wait_ms / period_ms;
    probe->cb = cb;
    probe->arg = arg;
    hevent_set_userdata(probe->timer, probe);
    hevent_set_userdata(io, probe);
    hio_setcb_read(io, on_answer);
    hio_setcb_close(io, on_closed);
    hio_read(io);
    if (send_one(probe))
        send_one(probe);
    return 0;
}
