#include "clients.h"

#include "base/hmem.h"
#include "status.h"

#include <string.h>

#define LINE_MAX_SIZE ((size_t)100 << 10) /* of a head: as servers in the wild send */
#define HEAD_MAX_SIZE ((size_t)300 << 10)

typedef struct entry_s {
    const operation_t *operation; /* the first one that asked for it */
    connect_t connect;
    tls_t tls;
    http_client_options_t options;
    http_client_t *client;
} entry_t;

struct clients_s {
    hloop_t *loop;
    uint32_t conns_max;
    entry_t *items[CLIENTS_MAX];
    size_t count;
};

/* ---- what makes a difference ----------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_list(const hopt_list_t *a, const hopt_list_t *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_text(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool same_fields(const request_fields_t *a, const request_fields_t *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_text(a->items[i].name, b->items[i].name) ||
            !same_text(a->items[i].value, b->items[i].value))
            return false;
    return true;
}

static bool same_proxies(const connect_options_t *a, const connect_options_t *b)
{
    return same_text(a->proxy, b->proxy) && a->proxy_type == b->proxy_type &&
           a->proxy_http10 == b->proxy_http10 && same_text(a->pre_proxy, b->pre_proxy) &&
           a->tunnel == b->tunnel && same_text(a->no_proxy, b->no_proxy) &&
           same_fields(&a->fields, &b->fields); /* a tunnel may have been opened with them */
}

static bool same_sockets(const connect_options_t *a, const connect_options_t *b)
{
    return same_text(a->interface, b->interface) && a->port_first == b->port_first &&
           a->port_last == b->port_last && a->family == b->family &&
           a->no_keepalive == b->no_keepalive && a->keepalive_s == b->keepalive_s &&
           a->keepalive_count == b->keepalive_count && a->delay == b->delay &&
           a->fast_open == b->fast_open && a->eyeballs_ms == b->eyeballs_ms && a->tos == b->tos;
}

static bool same_targets(const connect_options_t *a, const connect_options_t *b)
{
    return same_list(&a->resolve, &b->resolve) && same_list(&a->connect_to, &b->connect_to) &&
           same_text(a->unix_path, b->unix_path) && a->unix_abstract == b->unix_abstract &&
           a->haproxy == b->haproxy && same_text(a->haproxy_ip, b->haproxy_ip) &&
           same_text(a->dns_servers, b->dns_servers);
}

static bool same_side(const tls_side_options_t *a, const tls_side_options_t *b)
{
    return a->insecure == b->insecure && same_text(a->ca_file, b->ca_file) &&
           same_text(a->ca_dir, b->ca_dir) && same_text(a->crl_file, b->crl_file) &&
           same_text(a->cert, b->cert) && same_text(a->password, b->password) &&
           same_text(a->key, b->key) && same_text(a->cert_type, b->cert_type) &&
           same_text(a->key_type, b->key_type) && same_text(a->pinned, b->pinned) &&
           same_text(a->ciphers, b->ciphers) && same_text(a->ciphers_13, b->ciphers_13) &&
           a->version_min == b->version_min && a->version_max == b->version_max;
}

static bool same_tls(const tls_options_t *a, const tls_options_t *b)
{
    return same_side(&a->server, &b->server) && same_side(&a->proxy, &b->proxy) &&
           same_text(a->curves, b->curves) && a->no_alpn == b->no_alpn &&
           a->no_sessions == b->no_sessions;
}

/* 0: the usual time. */
static uint32_t connect_ms_of(const operation_t *operation)
{
    if (operation->connect.connect_ms == 0 && operation->retry.robust)
        return RETRY_ROBUST_CONNECT_MS;
    return operation->connect.connect_ms;
}

static bool same(const operation_t *a, const operation_t *b)
{
    return a == b ||
           (connect_ms_of(a) == connect_ms_of(b) && a->request.http09 == b->request.http09 &&
            a->request.ignore_length == b->request.ignore_length &&
            same_proxies(&a->connect, &b->connect) && same_sockets(&a->connect, &b->connect) &&
            same_targets(&a->connect, &b->connect) &&
            same_text(a->login.proxy_user.text, b->login.proxy_user.text) &&
            same_tls(&a->tls, &b->tls));
}

/* ---- one of them ----------------------------------------------------------------------------- */

static void entry_free(entry_t *entry)
{
    http_client_free(entry->client);
    connect_free(&entry->connect);
    tls_free(&entry->tls);
    hmem_free(entry);
}

static int entry_new(const clients_t *clients, const operation_t *operation, entry_t **made,
                     hbytes_t *error)
{
    entry_t *entry = hmem_zalloc(sizeof(*entry));
    http_client_options_t *options;
    int status;

    if (entry == NULL)
        return STATUS_MEMORY;
    entry->operation = operation;
    options = &entry->options;
    options->conns_max = clients->conns_max;
    options->limits.line_max = LINE_MAX_SIZE;
    options->limits.head_max = HEAD_MAX_SIZE;
    options->limits.lenient = true;
    options->limits.http09 = operation->request.http09;
    options->limits.ignore_length = operation->request.ignore_length;
    status = connect_apply(&operation->connect, &operation->login.proxy_user, clients->loop,
                           &entry->connect, options, error);
    if (status == 0)
        status = tls_apply(&operation->tls, &entry->tls, options, error);
    if (status == 0 && operation->retry.robust && operation->connect.connect_ms == 0)
        options->dial.timeout_ms = RETRY_ROBUST_CONNECT_MS;
    if (status == 0 && http_client_new(clients->loop, options, &entry->client))
        status = STATUS_MEMORY;
    if (status)
        entry_free(entry);
    else
        *made = entry;
    return status;
}

/* ---- for the others -------------------------------------------------------------------------- */

int clients_new(hloop_t *loop, uint32_t conns_max, clients_t **clients)
{
    clients_t *made = hmem_zalloc(sizeof(*made));

    if (made == NULL)
        return -ENOMEM;
    made->loop = loop;
    made->conns_max = conns_max;
    *clients = made;
    return 0;
}

void clients_free(clients_t *clients)
{
    if (clients == NULL)
        return;
    for (size_t i = 0; i < clients->count; i++)
        entry_free(clients->items[i]);
    hmem_free(clients);
}

int clients_get(clients_t *clients, const operation_t *operation, http_client_t **client,
                const http_client_options_t **options, hbytes_t *error)
{
    entry_t *entry = NULL;

    for (size_t i = 0; i < clients->count && entry == NULL; i++)
        if (same(clients->items[i]->operation, operation))
            entry = clients->items[i];
    if (entry == NULL) {
        int status;

        if (clients->count == CLIENTS_MAX) {
            hbytes_append_str(error, "too many different ways to connect");
            return STATUS_USAGE;
        }
        status = entry_new(clients, operation, &entry, error);
        if (status)
            return status;
        clients->items[clients->count++] = entry;
    }
    *client = entry->client;
    if (options != NULL)
        *options = &entry->options;
    return 0;
}
