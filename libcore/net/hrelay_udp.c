/* A datagram relay: the socket that clients send to, and for each client (source address) a
 * connected socket of its own to the target, so that a reply on it is for exactly this client.
 *
 * clients is a hash of the sessions; recent has them by their last datagram, oldest first. The
 * spare session was made with the relay and waits for the first client. The relay is freed when its
 * server and all its sessions are gone. */
#include "../base/hlist.h"
#include "../base/hmem.h"
#include "haddr.h"
#include "hlisten.h"
#include "hrelay_int.h"
#include "hresolve.h"

#include <string.h>

#define BUCKETS 1024

typedef struct udp_relay_s udp_relay_t;

typedef struct session_s {
    hrelay_side_t side; /* first: a session_t is found from it */
    udp_relay_t *relay;
    hlist_t bucket; /* not linked: the spare one, or evicted */
    hlist_t recent;
    haddr_t client;
} session_t;

struct udp_relay_s {
    hrelay_side_t side; /* the server's; first */
    haddr_t target;
    session_t *spare;
    hlist_t recent;
    uint32_t sessions; /* alive, evicted ones too */
    hrelay_stats_t stats;
    hlist_t buckets[BUCKETS];
};

static const hrelay_kind_t server_kind, session_kind;

/* ---- sessions -------------------------------------------------------------------------------- */

static hlist_t *bucket_of(udp_relay_t *relay, const haddr_t *client)
{
    const unsigned char *bytes = (const unsigned char *)&client->u;
    uint32_t hash = 2166136261u;

    for (socklen_t i = 0; i < client->len; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return &relay->buckets[(hash ^ hash >> 16) % BUCKETS];
}

static session_t *find_session(udp_relay_t *relay, const haddr_t *client)
{
    hlist_t *head = bucket_of(relay, client), *pos, *tmp;

    HLIST_FOREACH (pos, tmp, head) {
        session_t *session = HLIST_ENTRY(pos, session_t, bucket);

        if (session->client.len == client->len &&
            memcmp(&session->client.u, &client->u, client->len) == 0)
            return session;
    }
    return NULL;
}

static void free_if_unused(udp_relay_t *relay)
{
    if (!relay->side.io && relay->sessions == 0)
        hmem_free(relay);
}

/* Out of the tables: a new datagram of this client gets a new session. */
static void forget(session_t *session)
{
    udp_relay_t *relay = session->relay;

    if (relay->spare == session)
        relay->spare = NULL;
    if (!hlist_linked(&session->bucket))
        return;
    hlist_remove(&session->bucket);
    hlist_remove(&session->recent);
    relay->stats.clients--;
}

static void session_gone(hrelay_side_t *side)
{
    session_t *session = (session_t *)side;
    udp_relay_t *relay = session->relay;

    forget(session);
    hmem_free(session);
    relay->sessions--;
    free_if_unused(relay);
}

static hio_t *session_upstream(const hrelay_side_t *side)
{
    return ((const session_t *)side)->relay->side.io;
}

/* A reply of the target. */
static void session_write(hrelay_side_t *side, const void *buf, size_t len)
{
    session_t *session = (session_t *)side;
    udp_relay_t *relay = session->relay;
    int n = HERR_CLOSED;

    if (relay->side.io && session->client.len > 0)
        n = hio_sendto(relay->side.io, buf, len, &session->client.u.sa, session->client.len);
    if (n < 0)
        relay->stats.dropped++;
    else
        relay->stats.received_bytes += len;
}

static void session_stats(const hrelay_side_t *side, hrelay_stats_t *stats)
{
    const udp_relay_t *relay = ((const session_t *)side)->relay;

    *stats = (hrelay_stats_t){.sent_bytes = relay->stats.received_bytes,
                              .received_bytes = relay->stats.sent_bytes,
                              .dropped = relay->stats.dropped,
                              .clients = relay->stats.clients};
}

static int start_session(session_t *session, hio_t *io)
{
    int err = hrelay__attach(io, &session->side);

    if (err != 0)
        return err;
    session->relay->sessions++;
    hio_setcb_read(io, hio_write_upstream);
    err = hio_connect(io);
    if (err == 0)
        err = hio_read(io);
    if (err != 0) {
        hrelay__detach(io);
        session->relay->sessions--;
    }
    return err;
}

static int new_session(udp_relay_t *relay, session_t **out)
{
    session_t *session = hmem_zalloc(sizeof(*session));
    hio_t *io;
    int err;

    if (!session)
        return -ENOMEM;
    session->side.kind = &session_kind;
    session->relay = relay;
    err = hlisten_client(hevent_loop(relay->side.io), &relay->target, SOCK_DGRAM, NULL, &io);
    if (err == 0) {
        err = start_session(session, io);
        if (err != 0)
            hio_abort(io, err);
    }
    if (err != 0) {
        hmem_free(session);
        return err;
    }
    *out = session;
    return 0;
}

static void evict_oldest(udp_relay_t *relay)
{
    session_t *session = HLIST_ENTRY(relay->recent.next, session_t, recent);

    forget(session);
    hio_close(session->side.io);
}

static session_t *session_for(udp_relay_t *relay, const haddr_t *client)
{
    session_t *session = find_session(relay, client);

    if (session) {
        hlist_remove(&session->recent);
        hlist_push_back(&relay->recent, &session->recent);
        return session;
    }
    if (relay->stats.clients >= HRELAY_UDP_CLIENTS_MAX)
        evict_oldest(relay);
    session = relay->spare;
    if (!session && new_session(relay, &session) != 0) {
        if (relay->stats.clients > 0)
            evict_oldest(relay); /* no descriptor, no memory: room for the next try */
        return NULL;
    }
    relay->spare = NULL;
    session->client = *client;
    hio_set_keepalive_timeout(session->side.io, HRELAY_UDP_IDLE_MS);
    hlist_push_back(bucket_of(relay, client), &session->bucket);
    hlist_push_back(&relay->recent, &session->recent);
    relay->stats.clients++;
    return session;
}

/* ---- the server ------------------------------------------------------------------------------ */

/* Who sent the datagram that is being read. Only the bytes that name him: padding would tell two
 * equal addresses apart. */
static bool get_client(hio_t *io, haddr_t *client)
{
    const struct sockaddr *sa = hio_peeraddr(io);
    socklen_t len = hio_peeraddr_len(io);

    memset(client, 0, sizeof(*client));
    return sa && sa->sa_family != AF_UNSPEC && len > sizeof(sa->sa_family) &&
           haddr_set(client, sa, len) == 0;
}

static hio_t *server_upstream(const hrelay_side_t *side)
{
    udp_relay_t *relay = (udp_relay_t *)side;
    session_t *session = relay->spare;
    haddr_t client;

    if (get_client(side->io, &client)) {
        session_t *found = find_session(relay, &client);

        session = found ? found : session;
    }
    return session ? session->side.io : NULL;
}

static void server_write(hrelay_side_t *side, const void *buf, size_t len)
{
    udp_relay_t *relay = (udp_relay_t *)side;
    session_t *session = NULL;
    haddr_t client;

    if (get_client(side->io, &client))
        session = session_for(relay, &client);
    if (!session || hio_write(session->side.io, buf, len) < 0)
        relay->stats.dropped++;
    else
        relay->stats.sent_bytes += len;
}

static void server_gone(hrelay_side_t *side)
{
    udp_relay_t *relay = (udp_relay_t *)side;
    hlist_t *pos, *tmp;

    side->io = NULL;
    if (relay->spare)
        hio_close(relay->spare->side.io);
    HLIST_FOREACH (pos, tmp, &relay->recent) {
        hio_close(HLIST_ENTRY(pos, session_t, recent)->side.io);
    }
    free_if_unused(relay);
}

static void server_stats(const hrelay_side_t *side, hrelay_stats_t *stats)
{
    *stats = ((const udp_relay_t *)side)->stats;
}

static const hrelay_kind_t server_kind = {server_upstream, server_write, server_gone, server_stats};
static const hrelay_kind_t session_kind = {session_upstream, session_write, session_gone,
                                           session_stats};

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

static int start_relay(hio_t *io, udp_relay_t *relay, const char *host, int port)
{
    int err = resolve_target(host, port, &relay->target);

    if (err == 0)
        err = hrelay__attach(io, &relay->side);
    if (err != 0)
        return err;
    err = new_session(relay, &relay->spare);
    if (err == 0)
        err = hio_read(io);
    if (err != 0)
        hrelay__detach(io);
    return err;
}

hio_t *hio_setup_udp_upstream(hio_t *io, const char *host, int port)
{
    udp_relay_t *relay;
    int err;

    if (!(hio_type(io) & HIO_TYPE_SOCK_DGRAM)) {
        errno = EINVAL;
        return NULL;
    }
    relay = hmem_zalloc(sizeof(*relay));
    if (!relay) {
        errno = ENOMEM;
        return NULL;
    }
    relay->side.kind = &server_kind;
    hlist_init(&relay->recent);
    for (int i = 0; i < BUCKETS; i++)
        hlist_init(&relay->buckets[i]);
    err = start_relay(io, relay, host, port);
    if (err != 0) {
        if (relay->spare)
            hio_close(relay->spare->side.io);
        free_if_unused(relay);
        errno = err == HERR_RESOLVE ? EADDRNOTAVAIL : err > HERR_CLOSED ? -err : EBADF;
        return NULL;
    }
    hio_setcb_read(io, hio_write_upstream);
    return relay->spare->side.io;
}
