/* forward: clients that say themselves where they want to go: net/hproxy_server hears them, lets
 * them in, dials and answers; a session becomes a stream once it is joined to its target. */
#include "kinds.h"

#include "base/hmem.h"
#include "net/hproxy_server.h"

#include <string.h>

/* A client that is not joined yet, or has an association. */
typedef struct client_s {
    hlist_t link;
    session_t *session;
} client_t;

struct forward_s {
    service_t *service;
    hproxy_server_t *server;
    husers_t *users; /* NULL: nobody needs to log in */
    hdestination_t *destinations;
    hproxy_t *via;
    hlist_t clients;
};

/* ---- ends ------------------------------------------------------------------------------------ */

static bool is_ours(int err)
{
    return err == -ENOMEM || err == -EMFILE || err == -ENFILE;
}

static session_end_e end_of_dial(int err)
{
    if (is_ours(err))
        return SESSION_NO_RESOURCES;
    return err == HERR_RESOLVE ? SESSION_NO_TARGET : SESSION_CONNECT_FAILED;
}

static session_end_e end_of_association(int err)
{
    if (is_ours(err))
        return SESSION_NO_RESOURCES;
    if (err == 0)
        return SESSION_DONE;
    return err == -ETIMEDOUT ? SESSION_IDLE : SESSION_CLIENT_ERROR;
}

static session_end_e end_of(const hproxy_session_t *proxied, int err)
{
    switch (proxied->stage) {
    case HPROXY_STAGE_LOGIN:
        if (err == -EACCES || proxied->has_left)
            return SESSION_UNAUTHORIZED;
        return session_end_of_request(err);
    case HPROXY_STAGE_RULES:
        return err == -EACCES ? SESSION_DENIED : SESSION_NO_RESOURCES;
    case HPROXY_STAGE_DIAL:
        return proxied->has_left ? SESSION_CLIENT_ERROR : end_of_dial(err);
    case HPROXY_STAGE_RELAY:
        return end_of_association(err);
    case HPROXY_STAGE_REQUEST:
        break;
    }
    return session_end_of_request(err);
}

/* What of it goes into the log; it does without where there is no memory. */
static void describe(session_t *session, const hproxy_session_t *proxied, bool associated)
{
    char to[HENDPOINT_FORMAT_SIZE];

    if (proxied->protocol[0])
        session->protocol = proxied->protocol;
    if (proxied->user[0])
        session->user = hmem_strdup(proxied->user);
    if (associated)
        session->destination = hmem_strdup("udp"); /* where to each datagram says */
    else if (proxied->method[0])
        session->destination = hmem_strdup(hendpoint_format(&proxied->to, to, sizeof(to)));
}

static void on_session(const hproxy_session_t *proxied, hio_t *upstream, int err, const char *text,
                       void *arg)
{
    client_t *client = hevent_userdata(proxied->io);
    session_t *session = client->session;

    (void)text;
    (void)arg;
    hlist_remove(&client->link);
    hmem_free(client);
    describe(session, proxied, proxied->stage == HPROXY_STAGE_RELAY && !upstream);
    if (upstream) {
        stream_joined(session, proxied->io, upstream);
        return;
    }
    session->sent_bytes = proxied->udp_sent_bytes;
    session->received_bytes = proxied->udp_received_bytes;
    stream_end(session, end_of(proxied, err), err ? proxied->why : "");
}

void forward_accept(struct forward_s *forward, session_t *session, hio_t *io)
{
    client_t *client = hmem_zalloc(sizeof(*client));
    int err = client ? 0 : -ENOMEM;

    if (!err) {
        client->session = session;
        hevent_set_userdata(io, client);
        err = hproxy_server_accept_from(forward->server, io, &session->client);
    }
    if (!err) {
        hlist_push_back(&forward->clients, &client->link);
        return;
    }
    hmem_free(client);
    hevent_set_userdata(io, NULL);
    hio_abort(io, err);
    stream_end(session, SESSION_NO_RESOURCES, herr_str(err));
}

/* ---- making ---------------------------------------------------------------------------------- */

static int read_users(struct forward_s *forward, hbytes_t *why)
{
    const forward_settings_t *f = &forward->service->settings->forward;
    int err = 0;

    if (f->users.count == 0 && !f->users_file)
        return 0;
    err = husers_new(&forward->users);
    for (size_t i = 0; !err && i < f->users.count; i++)
        err = husers_add_text(forward->users, f->users.items[i], why);
    if (!err && f->users_file)
        err = husers_add_file(forward->users, f->users_file, why);
    return err;
}

/* Without rules, too: it is they that keep this machine's own services from strangers. */
static int read_destinations(struct forward_s *forward, hbytes_t *why)
{
    const hopt_list_t *list = &forward->service->settings->forward.destinations;
    char error[HDESTINATION_ERROR_SIZE] = "";
    int err = hdestination_new(&forward->destinations);

    for (size_t i = 0; !err && i < list->count; i++)
        err = hdestination_add(forward->destinations, list->items[i], error, sizeof(error));
    if (error[0])
        hbytes_append_str(why, error);
    return err;
}

static int read_via(struct forward_s *forward, hdial_options_t *dial, hbytes_t *why)
{
    const hopt_list_t *list = &forward->service->settings->forward.via;
    char error[512] = "";
    int err = 0;

    if (list->count == 0)
        return 0;
    forward->via = hmem_array(list->count, sizeof(*forward->via));
    if (!forward->via)
        return -ENOMEM;
    for (size_t i = 0; !err && i < list->count; i++)
        err = hproxy_parse(&forward->via[i], list->items[i], HPROXY_HTTP, error, sizeof(error));
    if (err)
        hbytes_append_str(why, error);
    dial->proxies = forward->via;
    dial->proxy_count = list->count;
    return err;
}

static int make_server(struct forward_s *forward, hbytes_t *why)
{
    const service_t *service = forward->service;
    const service_settings_t *s = service->settings;
    hproxy_server_options_t options = {
        .realm = HPROXY_NAME,
        .users = forward->users,
        .destinations = forward->destinations,
        .timeout_ms = s->handshake_ms ?: SETTINGS_HANDSHAKE_MS,
        .udp_idle_ms = s->idle_ms ?: SETTINGS_DATAGRAM_IDLE_MS,
        .session = on_session,
        .arg = forward,
    };
    int err = read_via(forward, &options.dial, why);

    if (s->forward.socks)
        options.serve |= HPROXY_SERVE_SOCKS4 | HPROXY_SERVE_SOCKS5 | HPROXY_SERVE_UDP;
    if (s->forward.http)
        options.serve |= HPROXY_SERVE_HTTP;
    options.dial.dns = service->lane->dns;
    options.dial.address_timeout_ms = s->connect_ms ?: SETTINGS_CONNECT_MS;
    if (service->source.len > 0)
        options.dial.socket.source = &service->source;
    return err ? err : hproxy_server_new(service->lane->loop, &options, &forward->server);
}

int forward_new(service_t *service, struct forward_s **out, hbytes_t *why)
{
    struct forward_s *forward = hmem_zalloc(sizeof(*forward));
    hbytes_t words = {0};
    int err;

    if (!forward)
        return -ENOMEM;
    forward->service = service;
    hlist_init(&forward->clients);
    err = read_users(forward, &words);
    if (!err)
        err = read_destinations(forward, &words);
    if (!err)
        err = make_server(forward, &words);
    if (err) {
        hbytes_printf(why, "%s: %s\n", service->settings->name,
                      words.len > 0 ? words.data : herr_str(err));
        forward_free(forward);
        forward = NULL;
    }
    hbytes_deinit(&words);
    *out = forward;
    return err;
}

void forward_free(struct forward_s *forward)
{
    if (!forward)
        return;
    hproxy_server_free(forward->server); /* calls nobody back */
    while (!hlist_empty(&forward->clients)) {
        client_t *client = HLIST_ENTRY(forward->clients.next, client_t, link);

        hlist_remove(&client->link);
        stream_end(client->session, SESSION_STOPPED, "");
        hmem_free(client);
    }
    husers_free(forward->users);
    hdestination_free(forward->destinations);
    hmem_free(forward->via);
    hmem_free(forward);
}
