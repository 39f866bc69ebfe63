/* accept: who may come in. With --accept-proxy a connection says first whose it is; until it has
 * it is nobody's, and counts as a client. */
#include "base/hstr.h"
#include "member.h"
#include "net/hproxy_header.h"

#include <string.h>

static void refuse(const listener_t *listener, hio_t *io, const haddr_t *from, const char *cause,
                   const char *word)
{
    server_t *server = listener->server;
    char peer[HADDR_FORMAT_SIZE];
    const hreport_field_t fields[] = {
        {.key = "peer", .text = haddr_format(&from->u.sa, from->len, peer, sizeof(peer))},
        {.key = "cause", .text = cause},
        {0}};

    server->counts.refused++;
    if (server->options->verbose > 0)
        hreport_event(&server->report, "refused", fields, "%s refused: %s", peer, cause);
    if (word && listener->endpoint.scheme != HENDPOINT_TLS)
        hio_write(io, word, strlen(word));
    hio_set_close_timeout(io, MEMBER_FAREWELL_MS);
    hio_close(io);
}

/* Without the port: what is counted together. */
static const char *address_of(const haddr_t *from, char *buf, size_t size)
{
    sa_family_t family = from->u.sa.sa_family;

    if (family == AF_UNIX || family == AF_UNSPEC)
        hstr_copy(buf, size, "local");
    else
        haddr_ip(&from->u.sa, buf, size);
    return buf;
}

static uint32_t count_address(const server_t *server, const char *address)
{
    uint32_t count = 0;

    for (hlist_t *node = server->members.next; node != &server->members; node = node->next)
        count += strcmp(HLIST_ENTRY(node, member_t, link)->address, address) == 0;
    return count;
}

/* Whether he may come in; he is closed otherwise. */
static bool admit(const listener_t *listener, hio_t *io, const haddr_t *from)
{
    server_t *server = listener->server;
    const hchat_options_t *o = server->options;
    char address[MEMBER_ADDRESS_SIZE];

    address_of(from, address, sizeof(address));
    if (!haccess_check(server->access, &from->u.sa))
        refuse(listener, io, from, "not allowed", NULL);
    else if (server->members_n + server->nameless_n >= o->max_clients)
        refuse(listener, io, from, "the server is full", "* the server is full: try again later\n");
    else if (o->max_per_address > 0 && count_address(server, address) >= o->max_per_address)
        refuse(listener, io, from, "too many from this address",
               "* there are too many connections from your address\n");
    else
        return true;
    return false;
}

static void report_start(const member_t *m)
{
    char local[HADDR_FORMAT_SIZE];
    const hreport_field_t fields[] = {
        {.key = "peer", .text = m->peer}, {.key = "local", .text = local}, {0}};
    const struct sockaddr *sa = hio_localaddr(m->io);
    haddr_t own = {0};

    if (sa)
        haddr_set(&own, sa, haddr_len(sa));
    haddr_unmap(&own);
    haddr_format(&own.u.sa, own.len, local, sizeof(local));
    hreport_event(&m->server->report, "connect", fields, "%s connected to %s", m->peer, local);
}

static void come_in(const listener_t *listener, hio_t *io, const haddr_t *from)
{
    server_t *server = listener->server;
    member_t *m;

    if (!admit(listener, io, from))
        return;
    m = member_new(listener, io);
    if (!m) {
        server->counts.refused++;
        hio_abort(io, -ENOMEM);
        return;
    }
    address_of(from, m->address, sizeof(m->address));
    haddr_format(&from->u.sa, from->len, m->peer, sizeof(m->peer));
    if (server->options->verbose > 0)
        report_start(m);
    member_begin(m);
}

static void on_header(hio_t *io, const proxy_header_t *header, const char *why, void *arg)
{
    const listener_t *listener = arg;
    haddr_t from = {0};

    listener->server->nameless_n--;
    if (listener->server->stopping)
        return;
    if (!header || header->local || header->source.ss_family == AF_UNSPEC)
        haddr_set(&from, hio_peeraddr(io), hio_peeraddr_len(io));
    else
        haddr_set(&from, (const struct sockaddr *)&header->source,
                  haddr_len((const struct sockaddr *)&header->source));
    haddr_unmap(&from);
    if (header)
        come_in(listener, io, &from);
    else
        refuse(listener, io, &from, why, NULL);
}

void member_accept(hio_t *io)
{
    listener_t *listener = hevent_userdata(io);
    server_t *server = listener->server;
    haddr_t from = {0};

    haddr_set(&from, hio_peeraddr(io), hio_peeraddr_len(io));
    haddr_unmap(&from);
    if (!server->options->accept_proxy || !haccess_check(server->trusted, &from.u.sa)) {
        come_in(listener, io, &from);
        return;
    }
    if (server->members_n + server->nameless_n >= server->options->max_clients) {
        refuse(listener, io, &from, "the server is full", NULL);
        return;
    }
    server->nameless_n++;
    if (hproxy_header_read(io, 0, on_header, listener) < 0) {
        server->nameless_n--;
        hio_abort(io, -ENOMEM);
    }
}
