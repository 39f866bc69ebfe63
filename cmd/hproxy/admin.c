#include "admin.h"

#include "admin_int.h"
#include "service.h"

#include "base/hmem.h"
#include "codec/http_accept.h"
#include "proto/http_page.h"
#include "proto/http_router.h"

#define CONNECTIONS_MAX 64 /* at once, in each worker */
#define REQUEST_MS 5000
#define PAGE_MAX ((size_t)64 * 1024 * 1024)
/* The style of the page itself, which is its own. */
#define PAGE_CSP "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "

struct admin_s {
    lane_t *lane;
    http_server_t *server;
    http_router_t *router;
};

/* ---- answers --------------------------------------------------------------------------------- */

static void set(http_stream_t *stream, const char *name, const char *value)
{
    http_response_set(stream, http_span(name), http_span(value));
}

/* What was written, or that it could not be: a part of it would be wrong. */
static void answer(http_stream_t *stream, const char *type, int err, hbytes_t *out)
{
    if (err) {
        http_response_error(stream, 503, NULL);
    } else {
        set(stream, "Content-Type", type);
        set(stream, "Cache-Control", "no-store");
        set(stream, "X-Content-Type-Options", "nosniff");
        http_response_send(stream, out->data, out->len);
    }
    hbytes_deinit(out);
}

static void on_metrics(http_stream_t *stream, void *userdata)
{
    const admin_t *admin = userdata;
    hbytes_t out = {.size_max = PAGE_MAX};

    answer(stream, PROMETHEUS_TEXT_CONTENT_TYPE, metrics_write(admin->lane, &out), &out);
}

static void on_status(http_stream_t *stream, void *userdata)
{
    static const char *const offers[] = {"application/json", "text/html"};
    http_span_t accept = http_request_field(stream, HTTP_FIELD_ACCEPT);
    const admin_t *admin = userdata;
    hbytes_t out = {.size_max = PAGE_MAX};

    set(stream, "Vary", "Accept");
    if (http_accept_choose(HTTP_ACCEPT_TYPE, accept, offers, 2) != 1) {
        answer(stream, offers[0], status_write_json(admin->lane, &out), &out);
        return;
    }
    set(stream, "Content-Security-Policy", PAGE_CSP "frame-ancestors 'none'");
    answer(stream, http_page_content_type(HTTP_PAGE_HTML), status_write_html(admin->lane, &out),
           &out);
}

/* Well is who could serve a client of each service now: for what stands in front of the proxy. */
static void on_health(http_stream_t *stream, void *userdata)
{
    const admin_t *admin = userdata;
    hbytes_t out = {.size_max = PAGE_MAX};
    int err = 0;

    for (const service_t *s = admin->lane->services; s && !err; s = s->next) {
        if (s->targets && htargets_usable(s->targets) == 0)
            err = hbytes_printf(&out, "%s: no target\n", s->settings->name);
    }
    if (!err && out.len > 0)
        http_response_status(stream, 503);
    else if (!err)
        err = hbytes_append_str(&out, "ok\n");
    answer(stream, "text/plain; charset=utf-8", err, &out);
}

static void on_root(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    http_response_redirect(stream, 302, HTTP_SPAN("/status"));
}

/* ---- life ------------------------------------------------------------------------------------ */

static int make_router(admin_t *admin)
{
    static const struct {
        const char *path;
        http_handler_cb handler;
    } routes[] = {
        {"/", on_root}, {"/metrics", on_metrics}, {"/status", on_status}, {"/healthz", on_health}};
    int err = 0;

    admin->router = http_router_new();
    if (!admin->router)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && !err; i++)
        err = http_router_add(admin->router, "GET", routes[i].path, routes[i].handler, admin);
    return err;
}

static int make_server(admin_t *admin)
{
    const http_server_options_t options = {
        .handler = http_router_handle,
        .userdata = admin->router,
        .name = HPROXY_NAME,
        .head_ms = REQUEST_MS,
        .send_ms = REQUEST_MS,
        .conns_max = CONNECTIONS_MAX,
    };

    return http_server_new(admin->lane->loop, &options, &admin->server);
}

int admin_new(lane_t *lane, admin_t **out, hbytes_t *why)
{
    admin_t *admin = hmem_zalloc(sizeof(*admin));
    int err;

    if (!admin)
        return -ENOMEM;
    admin->lane = lane;
    err = make_router(admin);
    if (!err)
        err = make_server(admin);
    if (err) {
        hbytes_printf(why, "status: %s\n", herr_str(err));
        admin_free(admin);
        return err;
    }
    *out = admin;
    return 0;
}

int admin_listen(admin_t *admin, int fd)
{
    return http_server_attach(admin->server, fd, NULL);
}

void admin_stop(admin_t *admin)
{
    http_server_drain(admin->server, REQUEST_MS, NULL, NULL);
}

void admin_free(admin_t *admin)
{
    if (!admin)
        return;
    http_server_free(admin->server);
    http_router_free(admin->router);
    hmem_free(admin);
}
