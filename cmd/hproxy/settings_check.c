/* settings_check: what only the whole can tell: contradictions, what is missing, and values that
 * are read by the part that uses them. */
#include "settings.h"

#include "app/hlisteners.h"
#include "base/hstr.h"
#include "net/haccess.h"
#include "net/hdestination.h"
#include "net/hdns.h"
#include "net/hproxy.h"
#include "net/htargets.h"
#include "net/husers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ---- words ----------------------------------------------------------------------------------- */

typedef struct check_s {
    const settings_t *settings;
    const service_settings_t *service;
    hbytes_t *errors;
    int err; /* the first one */
} check_t;

/* value: the one that is wrong, or NULL: the service as such. */
__attribute__((format(printf, 3, 4))) static void complain(check_t *check, const char *value,
                                                           const char *fmt, ...)
{
    const settings_t *s = check->settings;
    const service_settings_t *service = check->service;
    const char *place = hconf_line(s->base.conf, value) > 0 ? value : service->name;
    va_list ap;

    if (hconf_line(s->base.conf, place) > 0)
        settings_where(s, place, check->errors);
    if (service != &s->command)
        hbytes_printf(check->errors, "[listen %s]: ", service->name);
    va_start(ap, fmt);
    hbytes_vprintf(check->errors, fmt, ap);
    va_end(ap);
    hbytes_append_char(check->errors, '\n');
    check->err = HERR_SYNTAX;
}

/* ---- end points ------------------------------------------------------------------------------ */

static bool is_forward(const service_settings_t *s)
{
    return s->forward.socks || s->forward.http;
}

static bool is_datagram(const service_settings_t *s)
{
    return hendpoint_socktype(&s->listens->endpoint) == SOCK_DGRAM;
}

/* The first target that takes datagrams; NULL: none does. */
static const target_settings_t *datagram_target(const service_settings_t *s)
{
    const target_settings_t *t = s->targets;

    while (t && hendpoint_socktype(&t->endpoint) != SOCK_DGRAM)
        t = t->next;
    return t;
}

static void check_ports(check_t *check)
{
    for (const target_settings_t *t = check->service->targets; t; t = t->next) {
        if (!t->srv && !hendpoint_is_unix(&t->endpoint) && t->endpoint.port == 0)
            complain(check, t->text, "'%s': nobody can be reached at port 0", t->text);
    }
}

static void check_ways(check_t *check)
{
    const service_settings_t *s = check->service;

    if (!s->listens) {
        complain(check, NULL, "it listens nowhere: listen = PORT");
        return;
    }
    if (is_forward(s) && s->targets)
        complain(check, s->targets->text,
                 "'%s': clients of a forward proxy (socks, http) say themselves where they want to "
                 "go",
                 s->targets->text);
    if (!is_forward(s) && !s->targets)
        complain(check, s->listens->text, "'%s' leads nowhere: it needs a target, or socks or http",
                 s->listens->text);
    for (const listen_settings_t *l = s->listens; l; l = l->next) {
        if ((hendpoint_socktype(&l->endpoint) == SOCK_DGRAM) != is_datagram(s))
            complain(check, l->text, "'%s' and '%s': connections and datagrams are two services",
                     s->listens->text, l->text);
    }
    if (is_datagram(s) && is_forward(s))
        complain(check, s->listens->text, "'%s': a forward proxy takes connections",
                 s->listens->text);
    if (s->flows_max && !is_datagram(s))
        complain(check, NULL, "max-flows is about clients of datagrams: udp:// or unixgram:");
    check_ports(check);
}

static bool same_endpoint(const hendpoint_t *a, const hendpoint_t *b)
{
    return hendpoint_socktype(a) == hendpoint_socktype(b) &&
           hendpoint_is_unix(a) == hendpoint_is_unix(b) && a->port == b->port &&
           strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0 &&
           (hendpoint_is_unix(a) || a->port > 0);
}

/* Whether another one, in front of it, listens there already. */
static bool is_taken(const settings_t *s, const listen_settings_t *listen)
{
    for (const service_settings_t *service = s->services; service; service = service->next) {
        for (const listen_settings_t *l = service->listens; l; l = l->next) {
            if (l == listen)
                return false;
            if (same_endpoint(&l->endpoint, &listen->endpoint))
                return true;
        }
    }
    return false;
}

/* Whether this one is just past what can be opened, the status listener with them. */
static bool is_one_too_many(const settings_t *s, const listen_settings_t *listen)
{
    size_t n = s->status ? 1 : 0;

    for (const service_settings_t *service = s->services; service; service = service->next) {
        for (const listen_settings_t *l = service->listens; l; l = l->next, n++) {
            if (l == listen)
                return n == HLISTENERS_MAX;
        }
    }
    return false;
}

static void check_listens(check_t *check)
{
    const settings_t *s = check->settings;

    for (const listen_settings_t *l = check->service->listens; l; l = l->next) {
        if (is_taken(s, l))
            complain(check, l->text, "'%s' is listened on twice", l->text);
        else if (s->status && same_endpoint(&s->status_endpoint, &l->endpoint))
            complain(check, l->text, "'%s' is the status listener's", l->text);
        if (is_one_too_many(s, l))
            complain(check, l->text, "more than %d end points to listen on", HLISTENERS_MAX);
    }
}

static void check_rights(check_t *check)
{
    const listen_settings_t *l = check->service->listens;

    while (l && l->endpoint.scheme != HENDPOINT_UNIX && l->endpoint.scheme != HENDPOINT_UNIXGRAM)
        l = l->next;
    if (!l && check->service->unix_rights)
        complain(check, check->service->unix_rights, "unix-mode: no end point is a UNIX socket");
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static const char *any(const char *a, const char *b, const char *c)
{
    return a ? a : b ? b : c;
}

static void check_tls(check_t *check)
{
    const tls_settings_t *tls = &check->service->tls;
    const listen_settings_t *l = check->service->listens;
    const char *given = any(tls->cert, tls->key, any(tls->ca, tls->alpn, NULL));

    while (l && l->endpoint.scheme != HENDPOINT_TLS)
        l = l->next;
    if (!l && (given || tls->self_signed))
        complain(check, given, "%s: no end point speaks TLS: listen on tls://PORT",
                 tls->self_signed ? "tls-self-signed" : "tls-cert, tls-key, tls-ca, tls-alpn");
    else if (l && !tls->cert && !tls->self_signed)
        complain(check, l->text, "'%s' needs a certificate: tls-cert or tls-self-signed", l->text);
    if (tls->cert && tls->self_signed)
        complain(check, tls->cert, "tls-cert and tls-self-signed: choose one");
    if (tls->key && !tls->cert)
        complain(check, tls->key, "tls-key: a key without a certificate (tls-cert)");
}

static void check_target_tls(check_t *check)
{
    const tls_settings_t *tls = &check->service->target_tls;
    const target_settings_t *t = check->service->targets;
    const char *given = any(tls->cert, tls->key, any(tls->ca, tls->name, tls->alpn));

    while (t && t->endpoint.scheme != HENDPOINT_TLS)
        t = t->next;
    if (!t && check->service->check.kind != HCHECK_TLS && (given || tls->insecure))
        complain(check, given, "%s: no target speaks TLS: tls://HOST:PORT",
                 tls->insecure ? "target-insecure"
                               : "target-cert, target-key, target-ca, target-name, target-alpn");
    if (tls->insecure && (tls->ca || tls->name))
        complain(check, any(tls->ca, tls->name, NULL),
                 "target-insecure takes any certificate: target-ca and target-name contradict it");
    if (tls->key && !tls->cert)
        complain(check, tls->key, "target-key: a key without a certificate (target-cert)");
}

/* ---- what goes only with something else ------------------------------------------------------ */

static void check_forward(check_t *check)
{
    const service_settings_t *s = check->service;
    const forward_settings_t *f = &s->forward;
    const hopt_list_t *lists[] = {&f->users, &f->destinations, &f->via};
    static const char *const names[] = {"auth", "destination", "via"};

    if (is_forward(s)) {
        if (s->balance != 0 || s->retries != UINT32_MAX || s->eject_failures || s->eject_ms)
            complain(check, NULL,
                     "balance, retries, eject-failures and eject-time: there are no targets");
        return;
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (lists[i]->count > 0)
            complain(check, lists[i]->items[0], "%s goes with a forward proxy: socks or http",
                     names[i]);
    }
    if (f->users_file)
        complain(check, f->users_file, "auth-file goes with a forward proxy: socks or http");
}

static void check_proxy_protocol(check_t *check)
{
    const service_settings_t *s = check->service;
    const target_settings_t *datagrams = datagram_target(s);

    if (s->trusted && !s->accept_proxy)
        complain(check, s->trusted, "accept-proxy-from goes with accept-proxy");
    if (s->listens && is_datagram(s) && s->accept_proxy)
        complain(check, NULL,
                 "accept-proxy: a PROXY header comes with connections, not with "
                 "datagrams");
    if (datagrams && s->send_proxy)
        complain(check, datagrams->text,
                 "'%s': send-proxy: a PROXY header goes with connections, not with datagrams",
                 datagrams->text);
    if (is_forward(s) && s->send_proxy)
        complain(check, NULL, "send-proxy: a forward proxy tells nobody who its clients are");
}

/* Each on its own, as the one that is wrong is told. */
static void check_request(check_t *check)
{
    const hcheck_options_t *c = &check->service->check;
    const hcheck_options_t path = {.kind = HCHECK_HTTP, .http_path = c->http_path};
    const hcheck_options_t host = {.kind = HCHECK_HTTP, .http_host = c->http_host};

    if (c->http_path && !hcheck_is_valid(&path))
        complain(check, c->http_path, "check-path: it takes a path that can be asked for: /health");
    if (c->http_host && !hcheck_is_valid(&host))
        complain(check, c->http_host, "check-host: it takes a name, and a port if need be");
}

static void check_health(check_t *check)
{
    const hcheck_options_t *c = &check->service->check;
    const target_settings_t *datagrams = datagram_target(check->service);
    bool http = c->http_path || c->http_host || c->http_first;

    check_request(check);
    if (c->kind == HCHECK_TALK && !c->send && !c->expect)
        complain(check, NULL, "check = talk needs check-send, check-expect or both");
    if (http && c->kind != HCHECK_HTTP)
        complain(check, any(c->http_path, c->http_host, NULL),
                 "check-path, check-host and check-status go with check = http");
    if ((c->send || c->expect) && c->kind != HCHECK_TALK)
        complain(check, NULL, "check-send and check-expect go with check = talk");
    if (c->kind == HCHECK_NONE &&
        (c->interval_ms || c->timeout_ms || c->rise || c->fall || c->port))
        complain(check, NULL,
                 "check-interval, check-timeout, check-rise, check-fall and check-port go with "
                 "check");
    if (c->kind != HCHECK_NONE && !check->service->targets)
        complain(check, NULL, "check: there are no targets");
    if (datagrams && (c->kind == HCHECK_HTTP || c->kind == HCHECK_TLS))
        complain(check, datagrams->text, "'%s': check = %s asks by a connection, not by datagrams",
                 datagrams->text, c->kind == HCHECK_HTTP ? "http" : "tls");
}

/* ---- values that their users read ------------------------------------------------------------ */

static void check_access(check_t *check, const hopt_list_t *list, haccess_verdict_e verdict,
                         bool files)
{
    char error[HACCESS_ERROR_SIZE];
    haccess_t *scratch;

    for (size_t i = 0; i < list->count; i++) {
        if (haccess_new(&scratch) < 0) {
            check->err = -ENOMEM;
            return;
        }
        if ((files ? haccess_add_file(scratch, verdict, list->items[i], error, sizeof(error))
                   : haccess_add(scratch, verdict, list->items[i], error, sizeof(error))) < 0)
            complain(check, list->items[i], "%s", error);
        haccess_free(scratch);
    }
}

/* Whoever opens a pipe waits for what writes to it, and a device has no end: the master would stand
 * still at a reload. A folder can be opened, and no more. What a shell has put at /dev/fd has its
 * writer. */
static bool has_an_end(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 ||
           !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) || S_ISDIR(st.st_mode)) ||
           hstr_starts(path, "/dev/fd/") || strcmp(path, "/dev/null") == 0;
}

static bool check_file(check_t *check, const char *path)
{
    if (!path || has_an_end(path))
        return true;
    complain(check, path, "'%s': not a plain file", path);
    return false;
}

/* False: one must not be read. */
static bool check_files(check_t *check)
{
    const service_settings_t *s = check->service;
    const tls_settings_t *const tls[] = {&s->tls, &s->target_tls};
    const hopt_list_t *const lists[] = {&s->allow_files, &s->deny_files};
    const char *files[6];
    size_t n = 0;
    bool good = true;

    for (size_t i = 0; i < 2; i++) {
        files[n++] = tls[i]->cert;
        files[n++] = tls[i]->key;
        files[n++] = tls[i]->ca;
        for (size_t k = 0; k < lists[i]->count; k++)
            good = check_file(check, lists[i]->items[k]) && good;
    }
    for (size_t i = 0; i < n; i++)
        good = check_file(check, files[i]) && good;
    return good;
}

static void check_trusted(check_t *check)
{
    const char *items[] = {check->service->trusted};
    const hopt_list_t list = {.items = items, .count = items[0] ? 1 : 0};

    check_access(check, &list, HACCESS_ALLOW, false);
}

static void check_destinations(check_t *check)
{
    const hopt_list_t *list = &check->service->forward.destinations;
    char error[HDESTINATION_ERROR_SIZE];
    hdestination_t *scratch;

    if (list->count == 0)
        return;
    if (hdestination_new(&scratch) < 0) {
        check->err = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (hdestination_add(scratch, list->items[i], error, sizeof(error)) < 0)
            complain(check, list->items[i], "destination: %s", error);
    }
    hdestination_free(scratch);
}

static void check_via(check_t *check)
{
    const hopt_list_t *list = &check->service->forward.via;
    char error[512];
    hproxy_t proxy;

    if (list->count > HPROXY_CHAIN_MAX)
        complain(check, list->items[HPROXY_CHAIN_MAX], "more than %d proxies on the way",
                 HPROXY_CHAIN_MAX);
    for (size_t i = 0; i < list->count; i++) {
        if (hproxy_parse(&proxy, list->items[i], HPROXY_HTTP, error, sizeof(error)) < 0)
            complain(check, list->items[i], "via: %s", error);
    }
}

static void check_users(check_t *check)
{
    const forward_settings_t *f = &check->service->forward;
    hbytes_t why = {0};
    husers_t *scratch;

    if (husers_new(&scratch) < 0) {
        check->err = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < f->users.count; i++) {
        if (!strchr(f->users.items[i], ':'))
            complain(check, f->users.items[i], "auth: it takes NAME:PASSWORD");
        else if (f->users.items[i][0] == ':')
            complain(check, f->users.items[i], "auth: a user without a name");
        else if (i == HUSERS_MAX)
            complain(check, f->users.items[i], "auth: more than %d users", HUSERS_MAX);
    }
    if (f->users_file && husers_add_file(scratch, f->users_file, &why) < 0)
        complain(check, f->users_file, "%s", why.len > 0 ? why.data : herr_str(-ENOMEM));
    hbytes_deinit(&why);
    husers_free(scratch);
}

static void check_values(check_t *check)
{
    const service_settings_t *s = check->service;
    haddr_t addr;

    if (s->source && haddr_parse(&addr, s->source, 0) < 0)
        complain(check, s->source, "source: '%s' is no address", s->source);
    check_access(check, &s->allow, HACCESS_ALLOW, false);
    check_access(check, &s->deny, HACCESS_DENY, false);
    if (check_files(check)) {
        check_access(check, &s->allow_files, HACCESS_ALLOW, true);
        check_access(check, &s->deny_files, HACCESS_DENY, true);
    }
    check_trusted(check);
    check_destinations(check);
    check_via(check);
    check_users(check);
}

/* ---- of the process -------------------------------------------------------------------------- */

static int refuse(const settings_t *s, const char *value, const char *words, hbytes_t *errors)
{
    settings_where(s, value, errors);
    hbytes_append_str(errors, words);
    return HERR_SYNTAX;
}

static int check_dns(const settings_t *s, hbytes_t *errors)
{
    size_t len;
    const char *wrong = s->dns ? hdns_wrong_server(s->dns, &len) : NULL;

    if (!wrong)
        return 0;
    settings_where(s, s->dns, errors);
    hbytes_printf(errors, "dns: '%.*s' is no address of a server\n", (int)len, wrong);
    return HERR_SYNTAX;
}

static int check_process(const settings_t *s, hbytes_t *errors)
{
    uint32_t min_ms = s->dns_min_ms ? s->dns_min_ms : HTARGETS_DNS_MIN_MS;
    uint32_t max_ms = s->dns_max_ms ? s->dns_max_ms : HTARGETS_DNS_MAX_MS;
    int err = check_dns(s, errors);

    if (min_ms > max_ms)
        err = refuse(s, NULL, "dns-min is more than dns-max (5m if it is not given)\n", errors);
    if (s->access_json && !s->base.logs.access && s->verbose == 0)
        err = refuse(s, NULL, "log-format = json goes with access-log\n", errors);
    if ((s->base.logs.messages.size_max > 0 || s->base.logs.messages.keep_days > 0) &&
        !hlogs_have_path(&s->base.logs))
        err = refuse(s, NULL, "log-filesize and log-remain-days go with log-file or access-log\n",
                     errors);
    if (s->test && s->base.main.action != HMAIN_NONE)
        err = refuse(s, "", "-t and -s: choose one\n", errors);
    return err;
}

/* ---- all ------------------------------------------------------------------------------------- */

static void check_service(check_t *check)
{
    check_ways(check);
    check_listens(check);
    check_rights(check);
    check_tls(check);
    check_target_tls(check);
    check_forward(check);
    check_proxy_protocol(check);
    check_health(check);
    check_values(check);
}

int settings_check(settings_t *settings, hbytes_t *errors)
{
    check_t check = {.settings = settings, .errors = errors};
    int err = check_process(settings, errors);

    if (!settings->services) {
        settings_where(settings, NULL, errors);
        hbytes_append_str(errors, "nothing to do: hproxy LISTEN TARGET, or a section [listen NAME] "
                                  "in a file (-c)\n");
        return HERR_SYNTAX;
    }
    for (const service_settings_t *s = settings->services; s; s = s->next) {
        check.service = s;
        check_service(&check);
    }
    return check.err ? check.err : err;
}
