#include "lane.h"

#include "admin.h"
#include "kinds.h"
#include "session.h"

#include "base/hmem.h"
#include "event/htimer.h"

#include <unistd.h>

/* ---- draining -------------------------------------------------------------------------------- */

static void drained(lane_t *lane)
{
    void (*done)(void *arg) = lane->drained;

    lane->drained = NULL;
    htimer_del(lane->drain_timer);
    htimer_del(lane->idle_timer);
    lane->drain_timer = lane->idle_timer = NULL;
    if (done)
        done(lane->drained_arg);
}

static void on_idle(htimer_t *timer)
{
    lane_t *lane = hevent_userdata(timer);

    lane->idle_timer = NULL; /* frees itself */
    if (lane->active == 0)
        drained(lane);
}

static void on_drain_time(htimer_t *timer)
{
    lane_t *lane = hevent_userdata(timer);

    lane->drain_timer = NULL;
    for (service_t *service = lane->services; service; service = service->next)
        stream_end_all(service);
    drained(lane);
}

/* The last one may be gone: told from the loop, not from where it ended. */
static void check_idle(lane_t *lane)
{
    if (!lane->drained || lane->active > 0 || lane->idle_timer)
        return;
    lane->idle_timer = htimer_add(lane->loop, on_idle, 0, 1);
    if (lane->idle_timer)
        hevent_set_userdata(lane->idle_timer, lane);
}

/* ---- counting -------------------------------------------------------------------------------- */

void lane_publish(lane_t *lane)
{
    for (service_t *service = lane->services; service; service = service->next)
        session_publish(service);
}

static void start_publishing(lane_t *lane);

static void on_publish(htimer_t *timer)
{
    lane_t *lane = hevent_userdata(timer);

    lane->publish_timer = NULL; /* frees itself */
    lane_publish(lane);
    start_publishing(lane);
}

/* A worker that is alone answers for itself. */
static void start_publishing(lane_t *lane)
{
    bool alone = lane->env->worker_count <= 1 && !lane->draining;

    if (!lane->env->settings->status || alone || lane->active == 0 || lane->publish_timer)
        return;
    lane->publish_timer = htimer_add(lane->loop, on_publish, LANE_PUBLISH_MS, 1);
    if (lane->publish_timer)
        hevent_set_userdata(lane->publish_timer, lane);
}

void lane_count(lane_t *lane, int change)
{
    if (change > 0)
        lane->active++;
    else
        lane->active--;
    start_publishing(lane);
    check_idle(lane);
}

static void set_drain_timer(lane_t *lane, uint32_t timeout_ms)
{
    htimer_del(lane->drain_timer);
    lane->drain_timer = NULL;
    if (timeout_ms == 0)
        return;
    lane->drain_timer = htimer_add(lane->loop, on_drain_time, timeout_ms, 1);
    if (lane->drain_timer)
        hevent_set_userdata(lane->drain_timer, lane);
}

void lane_drain(lane_t *lane, uint32_t timeout_ms, void (*done)(void *arg), void *arg)
{
    if (lane->draining && !lane->drained)
        return;
    if (!lane->draining) {
        for (service_t *service = lane->services; service; service = service->next)
            service_stop(service);
        if (lane->admin)
            admin_stop(lane->admin);
    }
    lane->draining = true;
    lane->drained = done;
    lane->drained_arg = arg;
    set_drain_timer(lane, timeout_ms);
    for (service_t *service = lane->services; timeout_ms > 0 && service; service = service->next)
        datagrams_hurry(service->datagrams, timeout_ms);
    start_publishing(lane);
    check_idle(lane);
}

size_t lane_active(const lane_t *lane)
{
    return lane->active;
}

/* ---- sockets --------------------------------------------------------------------------------- */

int lane_listen(lane_t *lane, const service_settings_t *settings, const listen_settings_t *listen,
                int fd)
{
    for (service_t *service = lane->services; service; service = service->next) {
        if (service->settings == settings)
            return service_listen(service, listen, fd);
    }
    close(fd);
    return -EINVAL;
}

int lane_listen_status(lane_t *lane, int fd)
{
    if (lane->admin)
        return admin_listen(lane->admin, fd);
    close(fd);
    return -EINVAL;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int make_services(lane_t *lane, hbytes_t *why)
{
    service_t **last = &lane->services;

    for (const service_settings_t *s = lane->env->settings->services; s; s = s->next) {
        int err = service_new(lane, s, last, why);

        if (err)
            return err;
        last = &(*last)->next;
    }
    return 0;
}

int lane_new(hloop_t *loop, const env_t *env, lane_t **out, hbytes_t *why)
{
    uint32_t dns_max_ms = env->settings->dns_max_ms;
    hdns_options_t dns = {.servers = env->settings->dns,
                          .ttl_max_s = (dns_max_ms ? dns_max_ms : HTARGETS_DNS_MAX_MS) / 1000 + 1};
    lane_t *lane = hmem_zalloc(sizeof(*lane));
    int err;

    if (!lane)
        return -ENOMEM;
    lane->loop = loop;
    lane->env = env;
    lane->access = (hloglines_t){.fd = env->access_fd, .report = env->log};
    err = hdns_new(loop, &dns, &lane->dns);
    if (!err)
        err = make_services(lane, why);
    if (!err && env->settings->status)
        err = admin_new(lane, &lane->admin, why);
    if (err) {
        lane_free(lane);
        return err;
    }
    *out = lane;
    return 0;
}

void lane_free(lane_t *lane)
{
    service_t *service;

    if (!lane)
        return;
    lane->drained = NULL; /* nobody is told any more */
    admin_free(lane->admin);
    while ((service = lane->services) != NULL) {
        lane->services = service->next;
        service_free(service);
    }
    hloglines_finish(&lane->access);
    hdns_free(lane->dns);
    htimer_del(lane->drain_timer);
    htimer_del(lane->idle_timer);
    htimer_del(lane->publish_timer);
    hmem_free(lane);
}
