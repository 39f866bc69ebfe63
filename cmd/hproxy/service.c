#include "service.h"

#include "kinds.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "net/hlisten.h"

#include <string.h>
#include <unistd.h>

/* A socket that the service accepts from; user data of its hio. */
typedef struct listener_s {
    hlist_t link;
    service_t *service;
    hio_t *io; /* NULL: accepts no more */
    bool tls;
} listener_t;

/* ---- listeners ------------------------------------------------------------------------------- */

static void on_accept(hio_t *io)
{
    const listener_t *listener = hevent_userdata(io);

    hevent_set_userdata(io, NULL);
    stream_accept(listener->service, io, listener->tls);
}

static void on_listener_close(hio_t *io)
{
    listener_t *listener = hevent_userdata(io);
    const service_t *service = listener->service;

    listener->io = NULL;
    if (hio_error(io))
        hlogfile_say(service->lane->env->log, HLOG_ERROR, "%s: listening failed: %s",
                     service->settings->name, herr_str(hio_error(io)));
}

static int listen_streams(service_t *service, bool tls, int fd)
{
    listener_t *listener = hmem_zalloc(sizeof(*listener));
    int err;

    if (!listener) {
        close(fd);
        return -ENOMEM;
    }
    err = hlisten_attach(service->lane->loop, fd, on_accept, &listener->io);
    if (err) {
        hmem_free(listener);
        return err;
    }
    listener->service = service;
    listener->tls = tls;
    hevent_set_userdata(listener->io, listener);
    hio_setcb_close(listener->io, on_listener_close);
    hlist_push_back(&service->listeners, &listener->link);
    return 0;
}

static int listen_datagrams(service_t *service, int fd)
{
    hio_t *io = hio_get(service->lane->loop, fd);

    if (io)
        return datagrams_listen(service, io);
    close(fd);
    return -ENOMEM;
}

int service_listen(service_t *service, const listen_settings_t *listen, int fd)
{
    if (hendpoint_socktype(&listen->endpoint) == SOCK_DGRAM)
        return listen_datagrams(service, fd);
    return listen_streams(service, listen->endpoint.scheme == HENDPOINT_TLS, fd);
}

static void stop_listening(service_t *service)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &service->listeners) {
        listener_t *listener = HLIST_ENTRY(node, listener_t, link);

        if (listener->io)
            hio_abort(listener->io, 0);
    }
}

void service_stop(service_t *service)
{
    stop_listening(service);
    datagrams_stop(service->datagrams);
    if (service->targets)
        htargets_stop_checks(service->targets); /* those who come after it check */
}

/* ---- what it is made of ---------------------------------------------------------------------- */

static int new_access(haccess_t **access)
{
    return *access ? 0 : haccess_new(access);
}

/* As one text: the list is sorted at the end of each. */
static int add_texts(haccess_t *access, haccess_verdict_e verdict, const hopt_list_t *rules,
                     char *error)
{
    hbytes_t text = {0};
    int err = 0;

    for (size_t i = 0; !err && i < rules->count; i++)
        err = hbytes_printf(&text, "%s\n", rules->items[i]);
    if (!err && text.len > 0)
        err = haccess_add(access, verdict, text.data, error, HACCESS_ERROR_SIZE);
    hbytes_deinit(&text);
    return err;
}

static int add_rules(haccess_t **access, haccess_verdict_e verdict, const hopt_list_t *rules,
                     const hopt_list_t *files, char *error)
{
    int err = rules->count + files->count > 0 ? new_access(access) : 0;

    if (!err)
        err = add_texts(*access, verdict, rules, error);
    for (size_t i = 0; !err && i < files->count; i++)
        err = haccess_add_file(*access, verdict, files->items[i], error, HACCESS_ERROR_SIZE);
    return err;
}

static int make_lists(service_t *service, hbytes_t *why)
{
    const service_settings_t *s = service->settings;
    char error[HACCESS_ERROR_SIZE] = "";
    int err = add_rules(&service->access, HACCESS_ALLOW, &s->allow, &s->allow_files, error);

    if (!err)
        err = add_rules(&service->access, HACCESS_DENY, &s->deny, &s->deny_files, error);
    if (!err && s->trusted) {
        err = haccess_new(&service->trusted);
        if (!err)
            err = haccess_add(service->trusted, HACCESS_ALLOW, s->trusted, error, sizeof(error));
    }
    if (err)
        hbytes_printf(why, "%s: %s\n", s->name, error[0] ? error : herr_str(err));
    return err;
}

/* A worker's part of what all of them may have together. */
static uint64_t share_of(const service_t *service, uint64_t all)
{
    unsigned workers = service->lane->env->worker_count;

    return workers > 1 ? (all + workers - 1) / workers : all;
}

static int make_limits(service_t *service)
{
    const service_settings_t *s = service->settings;
    hlimit_options_t limits = {
        .connections = (uint32_t)share_of(service, s->connections_max),
        .connections_per_client = s->connections_per_client_max,
        .rate = (uint32_t)share_of(service, s->rate_new),
        .rate_per_client = s->rate_per_client,
    };
    uint64_t rate = share_of(service, s->limit_rate_total);
    int err = 0;

    if (limits.connections || limits.connections_per_client || limits.rate ||
        limits.rate_per_client)
        err = hlimit_new(&limits, &service->limit);
    if (err || rate == 0)
        return err;
    service->rate_in = hrate_new(service->lane->loop, rate, 0);
    service->rate_out = hrate_new(service->lane->loop, rate, 0);
    return service->rate_in && service->rate_out ? 0 : -errno;
}

/* ---- targets --------------------------------------------------------------------------------- */

static void on_change(const htargets_change_t *change, void *arg)
{
    static const char *const words[] = {
        [HTARGETS_UP] = "is up",
        [HTARGETS_DOWN] = "is down",
        [HTARGETS_EJECTED] = "failed too often",
        [HTARGETS_RETURNED] = "is back",
        [HTARGETS_ADDED] = "was added",
        [HTARGETS_REMOVED] = "was removed",
        [HTARGETS_NAME_FAILED] = "cannot be resolved",
        [HTARGETS_NAME_BACK] = "can be resolved again",
    };
    const service_t *service = arg;
    bool bad = change->event == HTARGETS_DOWN || change->event == HTARGETS_EJECTED ||
               change->event == HTARGETS_NAME_FAILED;
    bool at = change->address[0] && strcmp(change->address, change->name) != 0;

    hlogfile_say(service->lane->env->log, bad ? HLOG_WARN : HLOG_INFO,
                 "%s: target %s%s%s %s%s%s (%zu left)", service->settings->name, change->name,
                 at ? " at " : "", at ? change->address : "", words[change->event],
                 change->why[0] ? ": " : "", change->why, change->left);
}

static size_t target_specs(const service_settings_t *s, htarget_spec_t *specs)
{
    size_t n = 0;

    for (const target_settings_t *t = s->targets; t; t = t->next, n++) {
        if (specs)
            specs[n] = (htarget_spec_t){.endpoint = t->endpoint,
                                        .srv = t->srv,
                                        .backup = t->backup,
                                        .weight = (uint16_t)t->weight};
    }
    return n;
}

static int make_targets(service_t *service, hbytes_t *why)
{
    const service_settings_t *s = service->settings;
    const env_t *env = service->lane->env;
    hcheck_options_t check = s->check;
    char name[HTARGETS_NAME_SIZE];
    size_t count = target_specs(s, NULL);
    htarget_spec_t *specs = hmem_array(count ? count : 1, sizeof(*specs));
    htargets_options_t options = {.name = name,
                                  .specs = specs,
                                  .spec_count = count,
                                  .method = (hbalance_e)s->balance,
                                  .dns = service->lane->dns,
                                  .dns_min_ms = env->settings->dns_min_ms,
                                  .dns_max_ms = env->settings->dns_max_ms,
                                  .eject_ms = s->eject_ms,
                                  .check = &check,
                                  .runs_checks = env->index == 0,
                                  .share = env->targets,
                                  .worker = env->slot,
                                  .on_change = on_change,
                                  .arg = service};
    int err;

    if (!specs)
        return -ENOMEM;
    hstr_copy(name, sizeof(name), s->name); /* the command line's is that of a path, perhaps */
    target_specs(s, specs);
    check.tls = service->target_tls;
    if (s->target_tls.name)
        check.tls_name = s->target_tls.name;
    check.proxy_protocol = s->send_proxy;
    options.eject_failures =
        s->eject_failures == UINT32_MAX ? -1 : (int)(s->eject_failures & INT32_MAX);
    err = htargets_new(service->lane->loop, &options, &service->targets);
    hmem_free(specs);
    if (err)
        hbytes_printf(why, "%s: targets: %s\n", s->name, herr_str(err));
    return err;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int fill(service_t *service, hbytes_t *why)
{
    const service_settings_t *s = service->settings;
    const env_t *env = service->lane->env;
    int err;

    if (env->stats) /* a trial counts nothing */
        service->stats = stats_open(env->stats, s->name, env->slot);
    err = service->stats || !env->stats ? make_limits(service) : -ENOMEM;
    if (err) {
        hbytes_printf(why, "%s: %s\n", s->name, herr_str(err));
        return err;
    }
    err = make_lists(service, why);
    if (!err && s->source)
        err = haddr_parse(&service->source, s->source, 0);
    if (err)
        return err;
    service->tls = s->tls_ctx;
    service->target_tls = s->target_tls_ctx;
    if (s->forward.socks || s->forward.http)
        return forward_new(service, &service->forward, why);
    return make_targets(service, why);
}

int service_new(lane_t *lane, const service_settings_t *settings, service_t **out, hbytes_t *why)
{
    service_t *service = hmem_zalloc(sizeof(*service));
    int err;

    if (!service)
        return -ENOMEM;
    service->lane = lane;
    service->settings = settings;
    hlist_init(&service->listeners);
    hlist_init(&service->sessions);
    hlist_init(&service->streams);
    hlist_init(&service->unwatched);
    err = fill(service, why);
    if (err) {
        service_free(service);
        return err;
    }
    *out = service;
    return 0;
}

static void free_listeners(service_t *service)
{
    hlist_t *node;

    while ((node = hlist_pop_front(&service->listeners)) != NULL) {
        listener_t *listener = HLIST_ENTRY(node, listener_t, link);

        if (listener->io) {
            hio_setcb_close(listener->io, NULL);
            hio_abort(listener->io, 0);
        }
        hmem_free(listener);
    }
}

void service_free(service_t *service)
{
    if (!service)
        return;
    free_listeners(service);
    stream_end_all(service);
    htimer_del(service->watcher);
    datagrams_free(service->datagrams);
    session_tell_unanswered(service);
    if (service->forward)
        forward_free(service->forward);
    htargets_free(service->targets);
    hrate_free(service->rate_in);
    hrate_free(service->rate_out);
    hlimit_free(service->limit);
    haccess_free(service->access);
    haccess_free(service->trusted);
    if (service->stats)
        stats_close(service->stats);
    hmem_free(service);
}
