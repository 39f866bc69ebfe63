#include "demo.h"

#include "base/hurl.h"
#include "codec/http_path.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define TEXT_TYPE HTTP_SPAN("text/plain; charset=utf-8")

static void send_text(http_stream_t *stream, http_span_t type, const void *text, size_t len)
{
    http_response_set(stream, HTTP_SPAN("Content-Type"), type);
    http_response_set(stream, HTTP_SPAN("X-Content-Type-Options"), HTTP_SPAN("nosniff"));
    http_response_send(stream, text, len);
}

static void on_ping(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    send_text(stream, TEXT_TYPE, "pong", 4);
}

static void on_data(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    send_text(stream, HTTP_SPAN("application/octet-stream"), "0123456789", 10);
}

static void on_wildcard(http_stream_t *stream, void *userdata)
{
    http_span_t path = http_stream_request(stream)->path;
    hbytes_t text = {0};

    (void)userdata;
    if (hbytes_append(&text, path.data, path.len) != 0 ||
        hbytes_append_str(&text, " matches /wildcard*\n") != 0)
        http_response_error(stream, 503, NULL);
    else
        send_text(stream, TEXT_TYPE, text.data, text.len);
    hbytes_deinit(&text);
}

/* ---- about the server ------------------------------------------------------------------------ */

typedef struct path_list_s {
    hjson_t *json;
    const char *seen[DEMO_PAIRS_MAX];
    size_t count;
} path_list_t;

static void add_path(const char *method, const char *pattern, void *arg)
{
    path_list_t *list = arg;

    (void)method;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->seen[i], pattern) == 0)
            return;
    }
    if (list->count == DEMO_PAIRS_MAX)
        return;
    list->seen[list->count++] = pattern;
    hjson_string(list->json, pattern);
}

static void on_paths(http_stream_t *stream, void *userdata)
{
    const site_host_t *host = userdata;
    hbytes_t body = {0};
    hjson_t json;
    path_list_t list = {.json = &json};

    hjson_init(&json, &body);
    hjson_open_array(&json);
    http_router_each(host->router, add_path, &list);
    hjson_close(&json);
    if (hjson_finish(&json) != 0 || hbytes_append_char(&body, '\n') != 0)
        http_response_error(stream, 503, NULL);
    else
        send_text(stream, HTTP_SPAN("application/json"), body.data, body.len);
    hbytes_deinit(&body);
}

static void on_service(http_stream_t *stream, void *userdata)
{
    const site_host_t *host = userdata;
    const site_settings_t *s = host->settings;
    const struct {
        const char *key, *value;
    } rows[] = {
        {"base_url", s->base_url ? s->base_url : "/"},
        {"document_root", s->root ? s->root : "."},
        {"home_page", s->home_page[0]},
        {"error_page", s->error_page},
        {"index_of", s->index_of},
        {"server", HHTTPD_SERVER},
    };
    demo_reply_t reply;

    demo_reply_begin(&reply);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hjson_key(&reply.json, rows[i].key);
        hjson_string(&reply.json, rows[i].value);
    }
    demo_reply_send(&reply, stream, 200);
}

/* ---- about the request ----------------------------------------------------------------------- */

static int add_fields(demo_pairs_t *pairs, const http_request_t *request)
{
    int err = 0;

    for (size_t i = 0; i < request->field_count && !err; i++)
        err = demo_pairs_add(pairs, request->fields[i].name, request->fields[i].value, NULL);
    return err;
}

static int write_url(hbytes_t *url, const http_request_t *request)
{
    int err = 0;

    if (request->target.len > 0 && request->target.data[0] == '/' && request->authority.len > 0) {
        err = hbytes_printf(url, "http%s://", request->secure ? "s" : "");
        if (!err)
            err = hbytes_append(url, request->authority.data, request->authority.len);
    }
    return err ? err : hbytes_append(url, request->target.data, request->target.len);
}

/* "127.0.0.1" without the port. */
static const char *write_origin(const haddr_t *peer, char *text, size_t size)
{
    const void *ip = peer->u.sa.sa_family == AF_INET6 ? (const void *)&peer->u.sin6.sin6_addr
                                                      : (const void *)&peer->u.sin.sin_addr;

    if (peer->len == 0 || (peer->u.sa.sa_family != AF_INET && peer->u.sa.sa_family != AF_INET6) ||
        !inet_ntop(peer->u.sa.sa_family, ip, text, (socklen_t)size))
        snprintf(text, size, "local");
    return text;
}

static void write_request(http_stream_t *stream, hjson_t *json, const hbytes_t *url)
{
    const http_request_t *request = http_stream_request(stream);
    const haddr_t *peer = http_stream_peer(stream);
    char text[HADDR_FORMAT_SIZE];

    hjson_key(json, "method");
    hjson_bytes(json, request->method_name.data, request->method_name.len);
    hjson_key(json, "url");
    hjson_bytes(json, url->data, url->len);
    hjson_key(json, "version");
    hjson_fixed(json, request->version, 1);
    hjson_add_string(json, "client", haddr_format(&peer->u.sa, peer->len, text, sizeof(text)));
    hjson_add_string(json, "origin", write_origin(peer, text, sizeof(text)));
}

static void on_get(http_stream_t *stream, void *userdata)
{
    const http_request_t *request = http_stream_request(stream);
    demo_pairs_t fields = {0}, args = {0};
    demo_reply_t reply;
    hbytes_t url = {0};
    int err = add_fields(&fields, request);

    (void)userdata;
    if (!err)
        err = demo_pairs_add_urlencoded(&args, request->query);
    if (!err)
        err = write_url(&url, request);
    if (err) {
        demo_refuse(stream, err, "The query cannot be decoded.");
    } else {
        demo_reply_begin(&reply);
        write_request(stream, &reply.json, &url);
        hjson_key(&reply.json, "args");
        demo_pairs_write(&args, &reply.json);
        hjson_key(&reply.json, "headers");
        demo_pairs_write(&fields, &reply.json);
        demo_reply_send(&reply, stream, 200);
    }
    hbytes_deinit(&url);
    demo_pairs_free(&fields);
    demo_pairs_free(&args);
}

static void on_query(http_stream_t *stream, void *userdata)
{
    demo_pairs_t args = {0};
    int err = demo_pairs_add_urlencoded(&args, http_stream_request(stream)->query);
    hbytes_t body = {0};
    hjson_t json;

    (void)userdata;
    hjson_init(&json, &body);
    demo_pairs_write(&args, &json);
    if (!err)
        err = hjson_finish(&json);
    if (!err)
        err = hbytes_append_char(&body, '\n');
    if (err)
        demo_refuse(stream, err, "The query cannot be decoded.");
    else
        send_text(stream, HTTP_SPAN("application/json"), body.data, body.len);
    hbytes_deinit(&body);
    demo_pairs_free(&args);
}

static void on_delete_user(http_stream_t *stream, void *userdata)
{
    static const char *const names[] = {"group_name", "user_id"};
    demo_reply_t reply;

    (void)userdata;
    demo_reply_begin(&reply);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        http_span_t value = http_request_param(stream, names[i]);

        hjson_key(&reply.json, names[i]);
        hjson_bytes(&reply.json, value.data ? value.data : "", value.len);
    }
    demo_reply_code(&reply, 0, "OK");
    demo_reply_send(&reply, stream, 200);
}

/* libhv's example fetches "/www.example.com/x" itself. That makes a server ask others whatever
 * strangers want: the client is told where to go instead. */
static void on_www(http_stream_t *stream, void *userdata)
{
    static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789.-";
    const site_host_t *host = userdata;
    http_span_t path = site_path(host, stream), query = http_stream_request(stream)->query;
    size_t name_len = path.len > 0 ? strspn(path.data + 1, name_chars) : 0;
    char rest[HTTP1_LINE_MAX * 3];
    hbytes_t to = {0};
    ssize_t len = 0;

    if (name_len < sizeof("www.x") - 1 ||
        (path.data[1 + name_len] != '\0' && path.data[1 + name_len] != '/')) {
        http_response_error(stream, 400, "That is not the name of a host.");
        return;
    }
    if (path.len > 1 + name_len)
        len = http_path_encode(rest, sizeof(rest),
                               (http_span_t){path.data + 1 + name_len, path.len - 1 - name_len});
    if (len < 0 ||
        hbytes_printf(&to, "http://%.*s%.*s%s", (int)name_len, path.data + 1, (int)len, rest,
                      query.data ? "?" : "") != 0 ||
        (query.data && hbytes_append(&to, query.data, query.len) != 0))
        http_response_error(stream, 503, NULL);
    else
        http_response_redirect(stream, 307, (http_span_t){to.data, to.len});
    hbytes_deinit(&to);
}

/* ---- the feature ----------------------------------------------------------------------------- */

static const struct {
    const char *method, *pattern;
    http_handler_cb handler;
} routes[] = {
    {"GET", "/ping", on_ping},
    {"GET", "/data", on_data},
    {"GET", "/paths", on_paths},
    {"GET", "/service", on_service},
    {"GET", "/get", on_get},
    {"GET", "/query", on_query},
    {"GET", "/wildcard*", on_wildcard},
    {"GET", "/www.*", on_www},
    {"DELETE", "/group/:group_name/user/:user_id", on_delete_user},
};

int demo_install(site_host_t *host)
{
    int err = 0;

    if (!host->settings->demo)
        return 0;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && !err; i++)
        err = site_route(host, routes[i].method, routes[i].pattern, routes[i].handler, host);
    if (!err)
        err = demo_time_install(host);
    if (!err)
        err = demo_body_install(host);
    if (!err)
        err = demo_upload_install(host);
    if (err == -EEXIST)
        site_fail(host->site, err, NULL, "demo: another feature has a path of the demo");
    return err;
}
