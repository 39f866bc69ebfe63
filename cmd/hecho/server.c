#include "client.h"
#include "datagram.h"
#include "event/htimer.h"
#include "net/hlisten.h"
#include "service.h"

#include <string.h>

#define STOP_TICK_MS 100
#define STOP_TICKS_MAX 50

uint64_t server_open_count(const server_t *server)
{
    uint64_t open = 0;

    for (size_t i = 0; i < server->all_n; i++)
        open += count_get(&server->all[i].open);
    return open;
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void stop_if_empty(const server_t *server)
{
    if (server->alive == 0)
        hloop_stop(server->loop);
}

void server_release(server_t *server)
{
    server->alive--;
    stop_if_empty(server);
}

static void on_stop_tick(htimer_t *timer)
{
    service_t *service = hevent_userdata(timer);

    service->stop_ticks++;
    client_close_all(&service->server, service->stop_ticks >= STOP_TICKS_MAX);
}

/* For a datagram socket: what is queued is sent first. */
static void stop_listener(const listener_t *listener)
{
    hio_t *io = hio_from_handle(listener->handle);

    if (!io)
        return; /* it has failed before */
    hio_set_close_timeout(io, STOP_TICK_MS * STOP_TICKS_MAX);
    hio_close(io);
}

void server_stop(service_t *service)
{
    server_t *server = &service->server;
    htimer_t *timer = htimer_add(service->loop, on_stop_tick, STOP_TICK_MS, INFINITE);

    server->stopping = true;
    if (timer)
        hevent_set_userdata(timer, service);
    for (size_t i = 0; i < service->listeners_n; i++)
        stop_listener(&service->listeners[i]);
    client_stop_all(server);
    if (!timer)
        client_close_all(server, true);
    stop_if_empty(server);
}

/* ---- serving on a loop ----------------------------------------------------------------------- */

static void on_listener_close(hio_t *io)
{
    server_t *server = hloop_userdata(hevent_loop(io));

    if (!server->stopping) {
        server->error = hio_error(io);
        hreport_note(server->report, "error", "a socket failed: %s", herr_str(server->error));
    }
    server_release(server);
}

static int serve_listener(server_t *server, listener_t *listener)
{
    hio_t *io = NULL;
    int err = hlisten_attach(server->loop, listener->fd, client_accept, &io);

    listener->fd = -1;
    if (err)
        return err;
    listener->handle = hio_handle(io);
    hio_setcb_close(io, on_listener_close);
    server->alive++;
    return hio_type(io) & HIO_TYPE_SOCK_DGRAM ? datagram_start(io) : 0;
}

int server_start(service_t *service, int index)
{
    const hecho_options_t *options = service->options;
    server_t *server = &service->server;
    int err = 0;

    *server = (server_t){.options = options,
                         .report = &service->report,
                         .loop = service->loop,
                         .counts = &service->counts[index],
                         .all = service->counts,
                         .all_n = service->counts_n,
                         .prefix_len = options->prefix ? strlen(options->prefix) : 0,
                         .chargen = service->chargen};
    service->step = "serve its sockets";
    client_init_all(server);
    hloop_set_userdata(service->loop, server);
    for (size_t i = 0; i < service->listeners_n && err == 0; i++)
        err = serve_listener(server, &service->listeners[i]);
    return err;
}

int server_run(service_t *service)
{
    int err;

    service->step = "go on";
    err = hloop_run(service->loop);
    return err ? err : service->server.error;
}

void server_end(service_t *service)
{
    if (service->server.counts)
        client_deinit_all(&service->server);
}
