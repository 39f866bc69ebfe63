/* What of a message goes on to the other side, and what is added (RFC 9110 section 7.6). */
#include "http_proxy_int.h"

#include "../codec/http_path.h"

#include <stdio.h>
#include <string.h>

#define MAX_FORWARDS "Max-Forwards"

/* ---- fields of one connection ---------------------------------------------------------------- */

static bool is_named(http_span_t list, http_span_t name)
{
    http_span_t element;

    while (http_list_next(&list, &element)) {
        if (element.len == name.len && strncasecmp(element.data, name.data, name.len) == 0)
            return true;
    }
    return false;
}

static bool is_named_by_connection(const http_field_t *fields, size_t count, http_span_t name)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].id == HTTP_FIELD_CONNECTION && is_named(fields[i].value, name))
            return true;
    }
    return false;
}

static bool is_of_one_hop(const http_field_t *field)
{
    switch (field->id) {
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_KEEP_ALIVE:
    case HTTP_FIELD_TE:
    case HTTP_FIELD_TRAILER:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_CONTENT_LENGTH: /* the framing is made anew */
    case HTTP_FIELD_UPGRADE:
    case HTTP_FIELD_PROXY_AUTHORIZATION:
    case HTTP_FIELD_PROXY_AUTHENTICATE:
        return true;
    default:
        return http_span_ieq(field->name, "Proxy-Connection");
    }
}

static bool goes_on(const http_field_t *field, const http_field_t *fields, size_t count)
{
    return !is_of_one_hop(field) && !is_named_by_connection(fields, count, field->name);
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool is_about_forwarding(const http_field_t *field)
{
    static const char *const names[] = {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
                                        "X-Forwarded-Port", "X-Real-IP"};

    if (field->id == HTTP_FIELD_FORWARDED)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (http_span_ieq(field->name, names[i]))
            return true;
    }
    return false;
}

/* Text of the head; data NULL when there is no more room. */
static http_span_t keep(http_proxy_head_t *head, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static http_span_t keep(http_proxy_head_t *head, const char *format, ...)
{
    char *at = head->text + head->text_len;
    size_t room = sizeof(head->text) - head->text_len;
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(at, room, format, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= room)
        return (http_span_t){NULL, 0};
    head->text_len += (size_t)len + 1;
    return (http_span_t){at, (size_t)len};
}

static bool add(http_proxy_head_t *head, const char *name, http_span_t value)
{
    http_exchange_request_t *request = &head->request;

    if (!value.data || request->field_count >= head->fields_max)
        return false;
    head->fields[request->field_count++] =
        (http_field_t){http_span(name), value, http_field_of(http_span(name))};
    return true;
}

/* A list and one more element. All fields of the name are that list (RFC 9110 section 5.3). */
static bool add_to_list(http_proxy_head_t *head, const http_request_t *request, const char *name,
                        bool keeps_list, const char *element)
{
    http_span_t list = HTTP_SPAN("");

    for (size_t i = 0; keeps_list && i < request->field_count; i++) {
        http_span_t value = request->fields[i].value;

        if (value.len == 0 || !http_span_ieq(request->fields[i].name, name))
            continue;
        list = keep(head, "%.*s%.*s, ", (int)list.len, list.data, (int)value.len, value.data);
        if (!list.data)
            return false;
    }
    return add(head, name, keep(head, "%.*s%s", (int)list.len, list.data, element));
}

static bool is_trusted(const http_proxy_t *proxy, http_stream_t *stream)
{
    return proxy->trusted && haccess_check(proxy->trusted, &http_stream_peer(stream)->u.sa);
}

static bool add_forwarding(const http_proxy_t *proxy, http_stream_t *stream,
                           http_proxy_head_t *head)
{
    const http_request_t *request = http_stream_request(stream);
    bool trusted = is_trusted(proxy, stream), ok;
    http_span_t proto = {NULL, 0}, host = {NULL, 0};
    char ip[HADDR_FORMAT_SIZE];

    haddr_ip(&http_stream_peer(stream)->u.sa, ip, sizeof(ip));
    if (ip[0] == '\0' || ip[0] == '/')
        snprintf(ip, sizeof(ip), "unix:"); /* a client at a UNIX socket has no address */
    if (trusted) {
        proto = http_request_find(stream, "X-Forwarded-Proto");
        host = http_request_find(stream, "X-Forwarded-Host");
    }
    ok = add_to_list(head, request, "X-Forwarded-For", trusted, ip);
    ok = ok && add(head, "X-Forwarded-Proto",
                   proto.data ? proto : http_span(request->secure ? "https" : "http"));
    host = host.data ? host : request->authority;
    return ok && (host.len == 0 || add(head, "X-Forwarded-Host", host));
}

static bool add_via(const http_proxy_t *proxy, http_stream_t *stream, http_proxy_head_t *head)
{
    const http_request_t *request = http_stream_request(stream);
    http_span_t own =
        keep(head, "%d.%d %s", request->version / 10, request->version % 10, proxy->via);

    return own.data && add_to_list(head, request, "Via", true, own.data);
}

int http_proxy__forwards_left(const http_stream_t *stream)
{
    const http_request_t *request = http_stream_request(stream);

    if (request->method != HTTP_METHOD_OPTIONS)
        return -1;
    return http_max_forwards(http_request_find(stream, MAX_FORWARDS));
}

static bool add_forwards_left(http_stream_t *stream, http_proxy_head_t *head)
{
    int left = http_proxy__forwards_left(stream);

    return left <= 0 || add(head, MAX_FORWARDS, keep(head, "%d", left - 1));
}

static bool copy_fields(http_stream_t *stream, http_proxy_head_t *head)
{
    const http_request_t *request = http_stream_request(stream);
    bool counts = http_proxy__forwards_left(stream) >= 0;

    for (size_t i = 0; i < request->field_count; i++) {
        const http_field_t *field = &request->fields[i];

        if (counts && http_span_ieq(field->name, MAX_FORWARDS))
            continue;
        if (field->id == HTTP_FIELD_HOST || field->id == HTTP_FIELD_VIA ||
            field->id == HTTP_FIELD_EXPECT || is_about_forwarding(field) ||
            !goes_on(field, request->fields, request->field_count))
            continue;
        if (head->request.field_count >= head->fields_max)
            return false;
        head->fields[head->request.field_count++] = *field;
    }
    return true;
}

/* The path and query of the target form that came; "*" stays. */
static http_span_t origin_form(const http_request_t *request, http_proxy_head_t *head)
{
    http_span_t target = request->target;
    const char *end = target.data + target.len, *path;

    if (target.len == 0 || target.data[0] == '/' || target.data[0] == '*')
        return target;
    path = memmem(target.data, target.len, "://", 3);
    path = path ? path + 3 : end;
    while (path < end && *path != '/' && *path != '?')
        path++;
    if (path == end) /* RFC 9112 section 3.2.4 */
        return request->method == HTTP_METHOD_OPTIONS ? HTTP_SPAN("*") : HTTP_SPAN("/");
    if (*path == '?') /* a slash in it begins no path */
        return keep(head, "/%.*s", (int)(end - path), path);
    return (http_span_t){path, (size_t)(end - path)};
}

/* The target's path in the place of the prefix. */
static http_span_t map_path(const http_proxy_t *proxy, const http_request_t *request,
                            http_proxy_head_t *head)
{
    size_t prefix = proxy->prefix ? strlen(proxy->prefix) : 0;
    http_span_t rest = request->path;
    char encoded[HTTP_PROXY_TEXT_SIZE / 2];

    if (prefix > 0 && rest.len >= prefix && memcmp(rest.data, proxy->prefix, prefix) == 0)
        rest = (http_span_t){rest.data + prefix, rest.len - prefix};
    if (rest.len > 0 && rest.data[0] == '/' && proxy->path[strlen(proxy->path) - 1] == '/')
        rest = (http_span_t){rest.data + 1, rest.len - 1};
    if (http_path_encode(encoded, sizeof(encoded), rest) < 0)
        return (http_span_t){NULL, 0};
    return keep(head, "%s%s%s%.*s", proxy->path, encoded, request->query.data ? "?" : "",
                (int)request->query.len, request->query.data ? request->query.data : "");
}

static int64_t body_length(http_stream_t *stream)
{
    const http_request_t *request = http_stream_request(stream);

    if (request->content_length != 0)
        return request->content_length;
    return http_request_field(stream, HTTP_FIELD_CONTENT_LENGTH).data ? 0 : HTTP_BODY_NONE;
}

/* Another protocol may follow, WebSocket say; but not HTTP in a tunnel, whose requests would not be
 * checked here (h2c; RFC 9113 section 3.1 has given it up). */
static bool may_upgrade(http_stream_t *stream)
{
    http_span_t list = http_request_field(stream, HTTP_FIELD_UPGRADE), element;

    if (!http_stream_request(stream)->wants_upgrade)
        return false;
    while (http_list_next(&list, &element)) {
        if (http_span_ieq(element, "h2c") ||
            (element.len >= 4 && strncasecmp(element.data, "HTTP", 4) == 0))
            return false;
    }
    return true;
}

int http_proxy__request(const http_proxy_t *proxy, const http_proxy_target_t *target,
                        http_stream_t *stream, http_proxy_head_t *head)
{
    const http_request_t *request = http_stream_request(stream);
    http_exchange_request_t *out = &head->request;
    bool keep_host = proxy->keep_host && request->authority.len > 0;
    bool ok;

    head->text_len = 0;
    *out = (http_exchange_request_t){.method = request->method_name,
                                     .fields = head->fields,
                                     .body_length = body_length(stream),
                                     .upgrade = may_upgrade(stream)};
    out->target = proxy->path ? map_path(proxy, request, head) : origin_form(request, head);
    if (!out->target.data)
        return 414;
    ok = add(head, "Host", keep_host ? request->authority : http_span(target->host));
    ok = ok && copy_fields(stream, head) && add_forwards_left(stream, head) &&
         (proxy->anonymous || add_forwarding(proxy, stream, head)) && add_via(proxy, stream, head);
    if (ok && out->upgrade)
        ok = add(head, "Upgrade", http_request_field(stream, HTTP_FIELD_UPGRADE));
    return ok ? 0 : 431;
}

/* ---- responses ------------------------------------------------------------------------------- */

static void take_back(http_stream_t *stream, const http_exchange_response_t *response)
{
    for (size_t i = 0; i < response->field_count; i++)
        http_response_remove(stream, response->fields[i].name);
    http_response_status(stream, 200);
}

static bool starts(http_span_t text, const char *start, size_t len)
{
    return text.len >= len && strncasecmp(text.data, start, len) == 0;
}

/* What is behind "http://host:port" of the target; data NULL: it is another server's. */
static http_span_t behind_target(const http_proxy_target_t *target, http_span_t url)
{
    const char *scheme = target->secure ? "https://" : "http://";
    size_t scheme_len = strlen(scheme), len = scheme_len + strlen(target->host);

    if (!starts(url, scheme, scheme_len) || url.len < len ||
        strncasecmp(url.data + scheme_len, target->host, len - scheme_len) != 0 ||
        (url.len > len && !strchr("/?#", url.data[len])))
        return (http_span_t){NULL, 0};
    return (http_span_t){url.data + len, url.len - len};
}

/* What is behind the path of the target in such a URL; data NULL: it is not below that. */
static http_span_t behind_path(const char *path, http_span_t rest)
{
    size_t len = strlen(path);

    if (rest.len == 0 || rest.data[0] != '/') /* then it is that of "/" */
        return strcmp(path, "/") == 0 ? rest : (http_span_t){NULL, 0};
    if (rest.len < len || memcmp(rest.data, path, len) != 0 ||
        (path[len - 1] != '/' && rest.len > len && !strchr("/?#", rest.data[len])))
        return (http_span_t){NULL, 0};
    return (http_span_t){rest.data + len, rest.len - len};
}

/* map_path the other way round. The address of the target is nothing to a client, who may not even
 * reach it. */
static http_span_t map_back(const http_proxy_t *proxy, const http_proxy_target_t *target,
                            http_span_t url, char *buf, size_t size)
{
    http_span_t rest = behind_target(target, url);
    const char *prefix = rest.len > 0 && rest.data[0] == '/' ? "" : "/";
    int len;

    if (rest.data && proxy->path) {
        rest = behind_path(proxy->path, rest);
        prefix = proxy->prefix ? proxy->prefix : "/";
    }
    if (!rest.data || proxy->anonymous)
        return url;
    len = snprintf(buf, size, "%s%.*s", prefix, (int)rest.len, rest.data);
    if (len <= 0 || (size_t)len >= size || (len > 1 && strchr("/\\", buf[1])))
        return url; /* two slashes would lead to another host */
    return (http_span_t){buf, (size_t)len};
}

int http_proxy__response(const http_proxy_t *proxy, const http_proxy_target_t *target,
                         http_stream_t *stream, const http_exchange_response_t *response)
{
    char location[HTTP_PROXY_TEXT_SIZE / 2];
    int err = 0;

    http_response_status(stream, response->status);
    for (size_t i = 0; i < response->field_count && err == 0; i++) {
        const http_field_t *field = &response->fields[i];
        bool upgraded = field->id == HTTP_FIELD_UPGRADE && response->status == 101;
        http_span_t value = field->value;

        if (http_span_ieq(field->name, "Location"))
            value = map_back(proxy, target, value, location, sizeof(location));
        if (upgraded || goes_on(field, response->fields, response->field_count))
            err = http_response_add(stream, field->name, value);
    }
    if (err < 0)
        take_back(stream, response);
    return err;
}

void http_proxy__interim(const http_proxy_t *proxy, const http_proxy_target_t *target,
                         http_stream_t *stream, const http_exchange_response_t *response)
{
    if (response->status == 100) /* ours to send: the body is asked for here */
        return;
    if (http_proxy__response(proxy, target, stream, response) < 0)
        return;
    http_response_interim(stream, response->status);
    take_back(stream, response);
}
