/* An association: a socket that the client sends to, on the address that it has connected to, and
 * one for each family towards the others. peers are those that the client has sent to, the last
 * one first: what comes from anybody else is not for it. A datagram for a name waits until that is
 * resolved; each one is judged by the rules of destinations. Nobody is told what was dropped: that
 * is how datagrams are lost. */
#include "hproxy_server_int.h"

#include "../base/hmem.h"
#include "hhost.h"
#include "hlisten.h"

#include <string.h>

#define REPLY_SIZE (SOCKS_DATAGRAM_HEAD_MAX + 65536)

enum { IPV4, IPV6, FAMILIES };

typedef struct peer_s {
    hlist_t link;
    haddr_t addr;
} peer_t;

/* A datagram for a name. */
typedef struct waiting_s {
    hlist_t link;
    hproxy__udp_t *udp;
    hdns_query_t *query;
    uint16_t port;
    char host[HHOST_SIZE];
    size_t len;
    char data[];
} waiting_t;

struct hproxy__udp_s {
    hproxy__session_t *s;
    hio_t *inside;
    hio_t *outside[FAMILIES]; /* NULL: not needed yet */
    haddr_t client;           /* its port 0: not known yet */
    hlist_t peers, waiting;
    size_t peer_count, waiting_count;
    htimer_t *idle; /* NULL: no limit */
};

static void touch(hproxy__udp_t *udp)
{
    if (udp->idle)
        htimer_reset(udp->idle, (uint32_t)udp->s->pub.server->options.udp_idle_ms);
}

static void on_idle(htimer_t *timer)
{
    hproxy__udp_t *udp = hevent_userdata(timer);

    udp->idle = NULL;
    hproxy__end(udp->s, -ETIMEDOUT, "idle");
}

/* ---- peers ----------------------------------------------------------------------------------- */

static peer_t *find_peer(hproxy__udp_t *udp, const struct sockaddr *sa)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &udp->peers) {
        peer_t *peer = HLIST_ENTRY(node, peer_t, link);

        if (haddr_equal(&peer->addr.u.sa, sa))
            return peer;
    }
    return NULL;
}

/* It is the one that was sent to last. False: there is no memory. */
static bool add_peer(hproxy__udp_t *udp, const haddr_t *addr)
{
    peer_t *peer = find_peer(udp, &addr->u.sa);

    if (!peer && udp->peer_count >= HPROXY_UDP_PEERS_MAX)
        peer = HLIST_ENTRY(udp->peers.prev, peer_t, link);
    if (peer) {
        hlist_remove(&peer->link);
    } else {
        peer = hmem_alloc(sizeof(*peer));
        if (!peer)
            return false;
        udp->peer_count++;
    }
    peer->addr = *addr;
    hlist_push_front(&udp->peers, &peer->link);
    return true;
}

/* ---- from the others ------------------------------------------------------------------------- */

static void on_outside(hio_t *io, void *buf, int len)
{
    hproxy__udp_t *udp = hevent_userdata(io);
    const struct sockaddr *from = hio_peeraddr(io);
    char ip[HADDR_FORMAT_SIZE], reply[REPLY_SIZE];
    size_t head;

    if (!from || haddr_port(&udp->client.u.sa) == 0 || !find_peer(udp, from))
        return;
    head = socks_datagram_compose(haddr_ip(from, ip, sizeof(ip)), (uint16_t)haddr_port(from),
                                  (uint8_t *)reply);
    memcpy(reply + head, buf, (size_t)len);
    if (hio_sendto(udp->inside, reply, head + (size_t)len, &udp->client.u.sa, udp->client.len) < 0)
        return;
    udp->s->pub.udp_received_bytes += (uint64_t)len;
    touch(udp);
}

/* The client cannot be served without the one inside; another one can be opened outside. */
static void on_close(hio_t *io)
{
    hproxy__udp_t *udp = hevent_userdata(io);

    for (int i = 0; i < FAMILIES; i++) {
        if (udp->outside[i] == io)
            udp->outside[i] = NULL;
    }
    if (udp->inside != io)
        return;
    udp->inside = NULL;
    hproxy__end(udp->s, hio_error(io), herr_str(hio_error(io)));
}

static void drop_socket(hio_t *io)
{
    if (!io)
        return;
    hio_setcb_read(io, NULL);
    hio_setcb_close(io, NULL);
    hio_abort(io, 0);
}

static int open_socket(hproxy__udp_t *udp, const haddr_t *addr, hread_cb cb, hio_t **io)
{
    hlisten_options_t options = {.addr = addr};
    int err;

    options.endpoint.scheme = HENDPOINT_UDP;
    options.socket.no_reuse_addr = true;
    options.socket.interface = udp->s->pub.server->options.dial.socket.interface;
    err = hlisten_open(udp->s->pub.server->loop, &options, NULL, io);
    if (err < 0)
        return err;
    hevent_set_userdata(*io, udp);
    hio_setcb_read(*io, cb);
    err = hio_read(*io);
    if (err < 0) {
        drop_socket(*io);
        *io = NULL;
    } else {
        hio_setcb_close(*io, on_close);
    }
    return err;
}

/* The socket for a family; NULL: there is none. */
static hio_t *outside_of(hproxy__udp_t *udp, int family)
{
    const haddr_t *source = udp->s->pub.server->options.dial.socket.source;
    hio_t **io = &udp->outside[family == AF_INET ? IPV4 : IPV6];
    int wanted = udp->s->pub.server->options.dial.family;
    haddr_t addr;

    if (*io || (wanted != 0 && wanted != family))
        return *io;
    haddr_any(&addr, family, 0);
    if (source && source->u.sa.sa_family != family)
        return NULL;
    if (source) {
        addr = *source;
        haddr_set_port(&addr.u.sa, 0);
    }
    return open_socket(udp, &addr, on_outside, io) == 0 ? *io : NULL;
}

/* ---- from the client ------------------------------------------------------------------------- */

/* host: as the rules know it; NULL: as its address. */
static void send_to(hproxy__udp_t *udp, const char *host, const haddr_t *addr, const void *data,
                    size_t len)
{
    hio_t *io;

    if (!hproxy__may_go(udp->s, host, addr) || haddr_port(&addr->u.sa) == 0)
        return;
    io = outside_of(udp, addr->u.sa.sa_family);
    if (!io || !add_peer(udp, addr) || hio_sendto(io, data, len, &addr->u.sa, addr->len) < 0)
        return;
    udp->s->pub.udp_sent_bytes += len;
}

static void free_waiting(waiting_t *waiting)
{
    hlist_remove(&waiting->link);
    waiting->udp->waiting_count--;
    hmem_free(waiting);
}

/* To the first that the rules do not object to, and that there is a socket for. */
static void on_addrs(hdns_query_t *query, int err, const haddr_t *addrs, size_t count, void *arg)
{
    waiting_t *waiting = arg;
    hproxy__udp_t *udp = waiting->udp;

    (void)query;
    for (size_t i = 0; err == 0 && i < count; i++) {
        haddr_t addr = addrs[i];

        haddr_set_port(&addr.u.sa, waiting->port);
        if (!hproxy__may_go(udp->s, waiting->host, &addr) || !outside_of(udp, addr.u.sa.sa_family))
            continue;
        send_to(udp, waiting->host, &addr, waiting->data, waiting->len);
        break;
    }
    free_waiting(waiting);
}

static void wait_for_name(hproxy__udp_t *udp, const char *host, uint16_t port, const void *data,
                          size_t len)
{
    const hproxy_server_options_t *o = &udp->s->pub.server->options;
    waiting_t *waiting;
    hdns_t *dns;

    if (udp->waiting_count >= HPROXY_UDP_NAMES_MAX ||
        hdestination_check_host(o->destinations, host, port) == HDESTINATION_DENIED ||
        hproxy__need_dns(udp->s->pub.server, &dns) < 0)
        return;
    waiting = hmem_zalloc(sizeof(*waiting) + len);
    if (!waiting)
        return;
    waiting->udp = udp;
    waiting->port = port;
    waiting->len = len;
    memcpy(waiting->data, data, len);
    memcpy(waiting->host, host, strlen(host) + 1);
    hlist_push_back(&udp->waiting, &waiting->link);
    udp->waiting_count++;
    if (hdns_resolve(dns, host, o->dial.family, on_addrs, waiting, &waiting->query) < 0)
        free_waiting(waiting);
}

/* Whether it is the client: the first datagram tells which port it has. */
static bool is_client(hproxy__udp_t *udp, const struct sockaddr *sa)
{
    haddr_t from;

    if (!sa || haddr_set(&from, sa, haddr_len(sa)) != 0)
        return false;
    if (haddr_port(&udp->client.u.sa) == 0) {
        haddr_t own = udp->client;

        haddr_set_port(&own.u.sa, (uint16_t)haddr_port(sa));
        if (haddr_equal(&own.u.sa, sa))
            udp->client = own;
    }
    return haddr_equal(&udp->client.u.sa, sa);
}

static void on_inside(hio_t *io, void *buf, int len)
{
    hproxy__udp_t *udp = hevent_userdata(io);
    socks_datagram_t head;
    char host[HHOST_SIZE];
    haddr_t addr;
    ssize_t at;

    if (!is_client(udp, hio_peeraddr(io)))
        return;
    at = socks_datagram_parse(&head, buf, (size_t)len);
    if (at < 0 || head.fragment != 0 || hhost_plain(head.host, host) != 0)
        return;
    touch(udp);
    if (haddr_parse(&addr, host, head.port) == 0)
        send_to(udp, NULL, &addr, (char *)buf + at, (size_t)(len - at));
    else
        wait_for_name(udp, host, head.port, (char *)buf + at, (size_t)(len - at));
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static bool is_ip(const struct sockaddr *sa)
{
    return sa && (sa->sa_family == AF_INET || sa->sa_family == AF_INET6);
}

/* The client may know it; but behind a NAT, as its address shows, it does not. */
static void set_client_port(hproxy__udp_t *udp)
{
    const hendpoint_t *said = &udp->s->pub.to;
    haddr_t addr = {.len = 0};

    if (haddr_parse(&addr, said->host, 0) == 0 && haddr_equal(&addr.u.sa, &udp->client.u.sa))
        haddr_set_port(&udp->client.u.sa, said->port);
}

/* On the address that the client has found; whoever came by a UNIX socket is on this machine. */
static int open_inside(hproxy__udp_t *udp, haddr_t *bound)
{
    const struct sockaddr *local = hio_localaddr(udp->s->pub.io);
    const haddr_t *client = &udp->s->pub.client;
    int family = client->len > 0 ? client->u.sa.sa_family : AF_INET, err;
    haddr_t addr;

    haddr_loopback(&addr, family, 0);
    udp->client = addr;
    if (is_ip(local) && haddr_set(&addr, local, haddr_len(local)) == 0)
        haddr_unmap(&addr);
    if (client->len > 0)
        udp->client = *client;
    if (addr.u.sa.sa_family != udp->client.u.sa.sa_family)
        haddr_any(&addr, udp->client.u.sa.sa_family, 0); /* somebody else has accepted it */
    haddr_set_port(&addr.u.sa, 0);
    haddr_set_port(&udp->client.u.sa, 0);
    set_client_port(udp);
    err = open_socket(udp, &addr, on_inside, &udp->inside);
    return err < 0 ? err : hsocket_local(hio_fd(udp->inside), bound);
}

int hproxy__udp_start(hproxy__session_t *s, haddr_t *bound)
{
    int idle_ms = s->pub.server->options.udp_idle_ms;
    hproxy__udp_t *udp = hmem_zalloc(sizeof(*udp));

    if (!udp)
        return -ENOMEM;
    s->udp = udp;
    udp->s = s;
    hlist_init(&udp->peers);
    hlist_init(&udp->waiting);
    if (idle_ms > 0) {
        udp->idle = htimer_add(s->pub.server->loop, on_idle, (uint32_t)idle_ms, 1);
        if (!udp->idle)
            return -ENOMEM;
        hevent_set_userdata(udp->idle, udp);
    }
    return open_inside(udp, bound);
}

void hproxy__udp_free(hproxy__udp_t *udp)
{
    if (!udp)
        return;
    htimer_del(udp->idle);
    while (!hlist_empty(&udp->waiting)) {
        waiting_t *waiting = HLIST_ENTRY(udp->waiting.next, waiting_t, link);

        hdns_cancel(waiting->query);
        free_waiting(waiting);
    }
    while (!hlist_empty(&udp->peers)) {
        peer_t *peer = HLIST_ENTRY(udp->peers.next, peer_t, link);

        hlist_remove(&peer->link);
        hmem_free(peer);
    }
    drop_socket(udp->inside);
    for (int i = 0; i < FAMILIES; i++)
        drop_socket(udp->outside[i]);
    hmem_free(udp);
}
