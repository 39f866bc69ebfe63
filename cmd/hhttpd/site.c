#include "site.h"

#include "app/hqr.h"
#include "app/hstart.h"
#include "app/hterm.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "base/hversion.h"
#include "demo.h"
#include "live.h"
#include "net/hlisten.h"
#include "proto/http_listing.h"
#include "proto/http_mime.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KIB 1024

/* In the order in which they see a request. */
static const struct {
    const char *name;
    int (*install)(site_host_t *host);
} features[] = {
    {"cors", cors_install},       {"auth", auth_install},       {"redirect", redirect_install},
    {"proxy", proxy_install},     {"rewrite", rewrite_install}, {"upload", upload_install},
    {"metrics", metrics_install}, {"live", live_install},       {"demo", demo_install},
};

/* ---- what belongs to a site ------------------------------------------------------------------ */

struct site_owned_s {
    struct site_owned_s *next;
    void (*free_cb)(void *object);
    void *object;
};

int site_on_free(site_t *site, void (*free_cb)(void *object), void *object)
{
    struct site_owned_s *owned = hmem_alloc(sizeof(*owned));

    if (!owned) {
        free_cb(object);
        return -ENOMEM;
    }
    *owned = (struct site_owned_s){site->owned, free_cb, object};
    site->owned = owned;
    return 0;
}

int site_on_drain(site_t *site, void (*drain_cb)(void *object), void *object)
{
    struct site_owned_s *draining = site_keep(site, sizeof(*draining));

    if (!draining)
        return -ENOMEM;
    *draining = (struct site_owned_s){site->draining, drain_cb, object};
    site->draining = draining;
    return 0;
}

void *site_keep(site_t *site, size_t size)
{
    void *memory = hmem_zalloc(size);

    return memory && site_on_free(site, hmem_free, memory) == 0 ? memory : NULL;
}

int site_fail(site_t *site, int err, const char *value, const char *fmt, ...)
{
    va_list ap;

    site->why_value = value;
    va_start(ap, fmt);
    vsnprintf(site->why, sizeof(site->why), fmt, ap);
    va_end(ap);
    return err;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

/* "example.com:8080", "[::1]:8080": without the port. */
static http_span_t host_name(http_span_t authority)
{
    size_t len = authority.len;

    while (len > 0 && authority.data[len - 1] >= '0' && authority.data[len - 1] <= '9')
        len--;
    if (len > 0 && authority.data[len - 1] == ':')
        authority.len = len - 1;
    if (authority.len > 0 && authority.data[authority.len - 1] == '.')
        authority.len--;
    return authority;
}

/* Whether the pattern is this name; "*.example.com" is for all names below. */
static bool name_fits(const char *pattern, http_span_t name)
{
    size_t len;

    if (pattern[0] != '*')
        return http_span_ieq(name, pattern);
    pattern++;
    len = strlen(pattern);
    return name.len > len && http_span_ieq((http_span_t){name.data + name.len - len, len}, pattern);
}

static size_t best_fit(const site_settings_t *settings, http_span_t name)
{
    size_t best = 0;

    for (size_t i = 0; settings->names[i]; i++) {
        const char *pattern = settings->names[i];
        /* An exact name is better than any pattern, a longer pattern better than a shorter. */
        size_t fit = pattern[0] == '*' ? strlen(pattern) : HENDPOINT_HOST_SIZE * 8;

        if (fit > best && name_fits(pattern, name))
            best = fit;
    }
    return best;
}

static site_host_t *find_host(const site_t *site, http_stream_t *stream)
{
    site_host_t *found = site->hosts;
    size_t best = 0;
    http_span_t name;

    if (!site->hosts->next)
        return found;
    name = host_name(http_stream_request(stream)->authority);
    for (site_host_t *host = site->hosts->next; host; host = host->next) {
        size_t fit = best_fit(host->settings, name);

        if (fit > best) {
            found = host;
            best = fit;
        }
    }
    return found;
}

site_host_t *site_host_of(http_stream_t *stream)
{
    return find_host(http_server_userdata(http_stream_server(stream)), stream);
}

static void on_request(http_stream_t *stream, void *userdata)
{
    const site_t *site = userdata;

    if (site->access) /* kept for the log: who has hung up has no address any more */
        http_stream_peer(stream);
    http_router_handle(stream, find_host(userdata, stream)->router);
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* base_url and the pattern in one; "/" alone is the base without a slash for middleware. */
static char *below_base(const site_host_t *host, const char *path)
{
    const char *base = host->settings->base_url;
    size_t size = host->base_len + strlen(path) + 1;
    char *text = hmem_alloc(size);

    if (text)
        snprintf(text, size, "%s%s", base ? base : "", path);
    return text;
}

int site_route(site_host_t *host, const char *method, const char *pattern, http_handler_cb handler,
               void *userdata)
{
    char *text = below_base(host, pattern);
    int err = text ? http_router_add(host->router, method, text, handler, userdata) : -ENOMEM;

    hmem_free(text);
    return err;
}

int site_use(site_host_t *host, const char *prefix, http_middleware_cb middleware, void *userdata)
{
    bool whole = strcmp(prefix, "/") == 0 && host->base_len > 0;
    char *text = below_base(host, whole ? "" : prefix);
    int err = text ? http_router_use(host->router, text, middleware, userdata) : -ENOMEM;

    hmem_free(text);
    return err;
}

http_span_t site_path(const site_host_t *host, const http_stream_t *stream)
{
    http_span_t path = http_stream_request(stream)->path;
    size_t len = host->base_len;

    if (len == 0)
        return path;
    if (path.len <= len || memcmp(path.data, host->settings->base_url, len) != 0 ||
        path.data[len] != '/')
        return (http_span_t){0};
    return (http_span_t){path.data + len, path.len - len};
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool is_below(http_span_t path, const char *folder)
{
    size_t len = strlen(folder);

    while (len > 0 && folder[len - 1] == '/')
        len--;
    return path.len > len && memcmp(path.data, folder, len) == 0 && path.data[len] == '/';
}

void site_serve_path(site_host_t *host, http_stream_t *stream, http_span_t path)
{
    const char *index_of = host->settings->index_of;
    bool listed = !host->unlisted || (index_of && is_below(path, index_of));

    http_files_serve(listed ? host->files : host->unlisted, stream, path);
}

static void on_files(http_stream_t *stream, void *userdata)
{
    site_host_t *host = userdata;
    http_span_t path = site_path(host, stream);
    char to[1024];

    if (path.data) {
        site_serve_path(host, stream, path);
        return;
    }
    path = http_stream_request(stream)->path;
    if (path.len == 1 || (path.len == host->base_len &&
                          memcmp(path.data, host->settings->base_url, path.len) == 0)) {
        snprintf(to, sizeof(to), "%s/", host->settings->base_url);
        http_response_redirect(stream, 302, http_span(to));
        return;
    }
    http_response_error(stream, 404, NULL);
}

static unsigned listing_flags(const site_settings_t *s)
{
    if (!s->upload)
        return 0;
    return HTTP_LISTING_UPLOAD | HTTP_LISTING_MKDIR | (s->upload_delete ? HTTP_LISTING_DELETE : 0);
}

static int make_files(site_host_t *host)
{
    const site_settings_t *s = host->settings;
    site_t *site = host->site;
    bool partly = s->index_of && strcmp(s->index_of, "/") != 0;
    http_files_options_t options = {
        .root = site->env.outside ? s->root_shown : s->root_path,
        .index = s->home_page,
        .spa = s->spa,
        .cache_control = s->cache_control,
        .mime = site->mime,
        .links = (http_links_e)s->links,
        .hidden = s->hidden,
        .listing = s->index_of != NULL,
        .precompressed = !s->no_precompressed,
        .compress = !s->no_compress,
        .archives = s->archive,
        .listing_flags = listing_flags(s),
        .events_url = live_url(host),
        .recheck_ms = s->live_reload ? LIVE_RECHECK_MS : 0,
        .flags_at = s->upload,
        .server = HHTTPD_SERVER,
    };
    int err;

    err = http_files_new(site->loop, &options, &host->files);
    if (!err && partly) {
        options.listing = false;
        err = http_files_new(site->loop, &options, &host->unlisted);
    }
    if (err)
        site_fail(site, err, s->root, "%s: %s", options.root, herr_str(err));
    return err;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int add_host(site_t *site, const site_settings_t *settings)
{
    site_host_t *host = site_keep(site, sizeof(*host)), **end = &site->hosts;
    int err;

    if (!host)
        return -ENOMEM;
    *host = (site_host_t){.site = site,
                          .settings = settings,
                          .base_len = settings->base_url ? strlen(settings->base_url) : 0};
    while (*end)
        end = &(*end)->next;
    *end = host;
    host->router = http_router_new();
    err = host->router ? make_files(host) : -ENOMEM;
    if (err)
        return err;
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        err = features[i].install(host);
        if (err && !site->why[0])
            site_fail(site, err, NULL, "%s: %s", features[i].name, herr_str(err));
        if (err)
            return err;
    }
    http_router_fallback(host->router, on_files, host);
    return 0;
}

static void on_done(http_stream_t *stream, int err, void *userdata)
{
    const site_t *site = userdata;

    (void)err;
    if (site->access)
        access_log_add(site->access, stream);
    metrics_count(site->metrics, stream);
}

static int make_server(site_t *site)
{
    const settings_t *s = site->settings;
    http_server_options_t options = {
        .handler = on_request,
        .on_error = error_page_send,
        .on_done = on_done,
        .userdata = site,
        .name = HHTTPD_SERVER,
        .proxy_protocol = s->proxy_protocol,
        .head_ms = s->head_ms,
        .keepalive_ms = s->keepalive_ms,
        .keepalive_requests = s->keepalive_requests,
        .body_ms = s->body_ms,
        .send_ms = s->send_ms,
        .conns_max = s->worker_connections,
        .limit_rate = s->limit_rate_kib > 0 ? (uint64_t)s->limit_rate_kib * KIB : 0,
    };

    if (s->body_max > 0)
        options.limits.body_max = s->body_max;
    return http_server_new(site->loop, &options, &site->server);
}

static int make_all(site_t *site)
{
    int err;

    site->mime = http_mime_new(HTTP_MIME_SYSTEM);
    err = site->mime ? access_log_new(site, &site->access) : -ENOMEM;
    if (!err)
        err = add_host(site, &site->settings->site);
    for (const site_settings_t *s = site->settings->hosts; !err && s; s = s->next)
        err = add_host(site, s);
    return err ? err : make_server(site);
}

int site_new(hloop_t *loop, const site_env_t *env, site_t **out, hbytes_t *why)
{
    site_t *site = hmem_zalloc(sizeof(*site));
    int err = -ENOMEM;

    *out = NULL;
    if (site) {
        site->loop = loop;
        site->env = *env;
        site->settings = env->settings;
        err = make_all(site);
    }
    if (err) {
        if (site && site->why[0])
            settings_where(env->settings, site->why_value, why);
        hbytes_append_str(why, site && site->why[0] ? site->why : herr_str(err));
        site_free(site);
        return err;
    }
    *out = site;
    return 0;
}

static void close_listeners(site_t *site)
{
    for (size_t i = 0; i < site->listener_count; i++)
        hio_close(site->listeners[i]);
    site->listener_count = 0;
}

void site_free(site_t *site)
{
    if (!site)
        return;
    close_listeners(site);
    metrics_publish(site->metrics);
    http_server_free(site->server);
    access_log_free(site->access);
    for (site_host_t *host = site->hosts; host; host = host->next) {
        http_router_free(host->router);
        http_files_free(host->unlisted);
        http_files_free(host->files);
    }
    while (site->owned) {
        struct site_owned_s *owned = site->owned;

        site->owned = owned->next;
        owned->free_cb(owned->object);
        hmem_free(owned);
    }
    http_mime_free(site->mime);
    htls_ctx_free(site->tls);
    hmem_free(site);
}

/* ---- serving --------------------------------------------------------------------------------- */

static void on_accept(hio_t *io)
{
    site_t *site = hevent_userdata(io);

    http_server_accept(site->server, io, NULL, NULL);
    metrics_wake(site->metrics);
}

static void on_accept_tls(hio_t *io)
{
    site_t *site = hevent_userdata(io);

    http_server_accept(site->server, io, site->tls, NULL);
    metrics_wake(site->metrics);
}

static int listen_at(site_t *site, const hlisteners_item_t *item, int socket)
{
    bool tls = listen_is_tls(item);
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    hio_t *io;
    int err;

    if (fd < 0)
        return -errno;
    if (site->listener_count == SITE_LISTENERS_MAX) {
        close(fd);
        return -ENOBUFS;
    }
    err = hlisten_attach(site->loop, fd, tls ? on_accept_tls : on_accept, &io);
    if (err)
        return err;
    hevent_set_userdata(io, site);
    site->listener_items[site->listener_count] = item;
    site->listeners[site->listener_count++] = io;
    return 0;
}

int site_listen(site_t *site, const hlisteners_set_t *set, htls_ctx_t *tls)
{
    int err = 0;

    site->tls = tls ? htls_ctx_ref(tls) : NULL;
    for (size_t i = 0; i < set->count; i++) {
        const hlisteners_item_t *item = &set->items[i];

        for (int n = 0; !err && n < item->fd_count; n++) {
            if (hlisteners_is_for(item, n, site->env.lane, site->env.lane_count))
                err = listen_at(site, item, item->fds[n]);
        }
    }
    return err;
}

typedef struct draining_s {
    void (*done)(void *arg);
    void *arg;
} draining_t;

static void on_drained(http_server_t *server, void *arg)
{
    draining_t *draining = arg;

    (void)server;
    draining->done(draining->arg);
}

void site_drain(site_t *site, uint32_t timeout_ms, void (*done)(void *arg), void *arg)
{
    draining_t *draining = site_keep(site, sizeof(*draining));

    for (size_t i = 0; i < site->listener_count; i++) {
        if (hlisteners_is_gone(site->listener_items[i]))
            hio_accept_waiting(site->listeners[i]);
    }
    close_listeners(site);
    if (!draining) {
        done(arg);
        return;
    }
    *draining = (draining_t){done, arg};
    for (const struct site_owned_s *d = site->draining; d; d = d->next)
        d->free_cb(d->object);
    http_server_drain(site->server, timeout_ms, on_drained, draining);
}

int site_test(const settings_t *settings, bool outside, hbytes_t *errors)
{
    const hlogfile_t silent = HLOGFILE_NONE;
    site_env_t env = {.settings = settings, .log = &silent, .access_fd = -1, .outside = outside};
    char why[HSTART_WHY_SIZE];
    hloop_t *loop = hstart_loop(NULL, why, sizeof(why));
    size_t len = errors->len;
    site_t *site;
    int err;

    if (!loop) {
        hbytes_printf(errors, "cannot open the event loop: %s\n", why);
        return -ENOMEM;
    }
    err = site_new(loop, &env, &site, errors);
    if (errors->len > len)
        hbytes_append_char(errors, '\n');
    site_free(site);
    hloop_free(&loop);
    return err;
}

void site_show_qr(const char *text)
{
    hbytes_t code = {0};
    int err = hqr_write(&code, text, isatty(STDERR_FILENO), 0);

    if (err == 0)
        hlogfile_write(STDERR_FILENO, code.data, code.len);
    else
        fprintf(stderr, "hhttpd: no QR code: %s\n",
                err == HERR_UNSUPPORTED ? hqr_missing() : herr_str(err));
    hbytes_deinit(&code);
}
