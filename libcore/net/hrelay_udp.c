/* A datagram relay: flows (hflow.h) that all lead to one address. The first one's socket is made
 * with the relay. */
#include "../base/hmem.h"
#include "hflow_int.h"
#include "hlisten.h"
#include "hresolve.h"

_Static_assert(HRELAY_UDP_IDLE_MS == HFLOW_IDLE_MS && HRELAY_UDP_CLIENTS_MAX == HFLOW_FLOWS_MAX,
               "what hrelay.h says is what flows do by themselves");

static int resolve_target(const char *host, int port, haddr_t *target)
{
    const hresolve_hints_t hints = {.socktype = SOCK_DGRAM};
    hresolve_t result = {0};
    int err;

    if (port < 0)
        return haddr_unix(target, host);
    if (port > UINT16_MAX)
        return -EINVAL;
    err = hresolve(host, (uint16_t)port, &hints, &result);
    if (err == 0)
        *target = result.addrs[0];
    hresolve_free(&result);
    return err;
}

/* A socket to the target; join makes it one of the flows'. */
static int connect_target(hloop_t *loop, const haddr_t *target, hio_t **out)
{
    int err = hlisten_client(loop, target, SOCK_DGRAM, NULL, out);

    if (err == 0 && (err = hio_connect(*out)) != 0)
        hio_abort(*out, err);
    return err;
}

static int on_open(hflow_t *flow, void *arg)
{
    hio_t *io;
    int err = connect_target(hflow_flows(flow)->loop, arg, &io);

    if (err == 0 && (err = hflow_join(flow, io)) != 0)
        hio_abort(io, err);
    return err;
}

static int prepare_first(hflows_t *flows, hloop_t *loop, const haddr_t *target, hio_t **first)
{
    int err = connect_target(loop, target, first);

    if (err == 0 && (err = hflows__prepare(flows, *first)) != 0)
        hio_abort(*first, err);
    return err;
}

/* target is freed with the flows, or here. */
static int start_relay(hio_t *io, haddr_t *target, hio_t **first)
{
    const hflows_options_t options = {.open = on_open, .freed = hmem_free, .arg = target};
    hflows_t *flows;
    int err = hflows_new(io, &options, &flows);

    if (err) {
        hmem_free(target);
        return err;
    }
    err = prepare_first(flows, hevent_loop(io), target, first);
    if (err)
        hflows_free(flows);
    return err;
}

static hio_t *fail(int err)
{
    errno = err == HERR_RESOLVE ? EADDRNOTAVAIL : err > HERR_CLOSED ? -err : EBADF;
    return NULL;
}

hio_t *hio_setup_udp_upstream(hio_t *io, const char *host, int port)
{
    hio_t *first = NULL;
    haddr_t *target = hmem_zalloc(sizeof(*target));
    int err;

    if (!target)
        return fail(-ENOMEM);
    err = resolve_target(host, port, target);
    if (err)
        hmem_free(target);
    else
        err = start_relay(io, target, &first);
    return err ? fail(err) : first;
}
