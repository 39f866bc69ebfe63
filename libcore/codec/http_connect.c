#include "http_connect.h"

#include "../base/herr.h"
#include "http1_write.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PORT_DIGITS_MAX 5
#define HTTP_PORT 80
#define STATUS_AT 9 /* in a status line */

/* The length that snprintf tells, if it was all written. */
static ssize_t written(int n, size_t size)
{
    return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}

ssize_t http_authority(const char *host, uint16_t port, char *buf, size_t size)
{
    bool v6 = strchr(host, ':') != NULL;

    return written(snprintf(buf, size, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port),
                   size);
}

/* A byte that may stand in a name; brackets and colons are dealt with before. */
static bool is_host_byte(unsigned char c)
{
    return c > ' ' && c != 0x7f && !strchr("/?#@[]:\\\"<>", c);
}

static bool is_host_text(const char *host)
{
    uint8_t ip[sizeof(struct in6_addr)];
    size_t len = strlen(host);

    if (inet_pton(AF_INET6, host, ip) == 1)
        return true;
    for (size_t i = 0; i < len; i++) {
        if (!is_host_byte((unsigned char)host[i]))
            return false;
    }
    return len > 0 && len < HTTP_HOST_SIZE;
}

/* ---- client ---------------------------------------------------------------------------------- */

/* Whether the program has a field of this name, or wants none. */
static bool is_replaced(const http_connect_t *request, const char *name)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (http_span_ieq(http_span(request->fields[i].name), name))
            return true;
    }
    return false;
}

static void put_own(http1_writer_t *w, const http_connect_t *request, const char *name,
                    const char *value)
{
    if (value && *value && !is_replaced(request, name))
        http1_write_field(w, http_span(name), http_span(value));
}

ssize_t http_connect_compose(const http_connect_t *request, char *buf, size_t size)
{
    char authority[HTTP_AUTHORITY_SIZE];
    http1_writer_t w;
    ssize_t len;

    if (!is_host_text(request->host) ||
        http_authority(request->host, request->port, authority, sizeof(authority)) < 0)
        return -EINVAL;
    http1_write_begin(&w, buf, size);
    http1_write_request(&w, request->http10 ? 0 : 1, HTTP_SPAN("CONNECT"), http_span(authority));
    put_own(&w, request, "Host", authority);
    put_own(&w, request, "Proxy-Authorization", request->authorization);
    put_own(&w, request, "User-Agent", request->user_agent);
    put_own(&w, request, "Proxy-Connection", request->keep_alive ? "Keep-Alive" : NULL);
    for (size_t i = 0; i < request->field_count; i++) {
        const http_extra_t *field = &request->fields[i];

        if (field->value)
            http1_write_field(&w, http_span(field->name), http_span(field->value));
    }
    len = http1_write_end(&w);
    if (len < 0 || (size_t)len >= size)
        return len < 0 ? len : -ENOBUFS;
    buf[len] = '\0';
    return len;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool keeps_alive(http_span_t fields, int minor)
{
    if (http_field_has(fields, "Connection", "close") ||
        http_field_has(fields, "Proxy-Connection", "close"))
        return false;
    return minor > 0 || http_field_has(fields, "Connection", "keep-alive") ||
           http_field_has(fields, "Proxy-Connection", "keep-alive");
}

int http_answer_parse(http_answer_t *answer, const void *head, size_t len)
{
    http_span_t rest = {head, len}, line, name, value, reason;
    bool chunked;
    int err, minor;

    *answer = (http_answer_t){.body_length = -1};
    if (!http_line_next(&rest, &line))
        return HERR_PROTOCOL;
    err = http_status_line(line, &minor, &answer->status, &reason);
    if (err == 0)
        answer->line = (http_span_t){line.data + STATUS_AT, line.len - STATUS_AT};
    answer->fields = rest;
    while (err == 0 && (err = http_field_next(&rest, &name, &value)) > 0)
        err = 0;
    if (err < 0)
        return err;
    if (answer->status / 100 == 1 || answer->status == 204 || answer->status == 304)
        answer->body_length = 0;
    else if (http_body_length(answer->fields, &chunked, &answer->body_length) < 0)
        answer->body_length = -1;
    answer->keep_alive = answer->body_length >= 0 && keeps_alive(answer->fields, minor);
    return 0;
}

/* ---- server ---------------------------------------------------------------------------------- */

static bool parse_port(http_span_t text, uint16_t *port)
{
    uint32_t n = 0;

    if (text.len == 0 || text.len > PORT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return false;
        n = n * 10 + (uint32_t)(text.data[i] - '0');
    }
    *port = (uint16_t)n;
    return n > 0 && n <= UINT16_MAX;
}

/* "host:port", "[v6]:port"; without a port it stays as it is. */
static bool parse_authority(http_request_t *request, http_span_t text)
{
    bool bracket = text.len > 0 && text.data[0] == '[';
    const char *begin = text.data + bracket;
    const char *end = text.len ? memchr(text.data, bracket ? ']' : ':', text.len) : NULL;
    http_span_t behind = {"", 0};
    size_t len;

    if (bracket && !end)
        return false;
    len = end ? (size_t)(end - begin) : text.len;
    if (len >= sizeof(request->host))
        return false;
    memcpy(request->host, begin, len);
    request->host[len] = '\0';
    if (end)
        behind = (http_span_t){end + bracket, (size_t)(text.data + text.len - end) - bracket};
    if (behind.len > 0 &&
        (behind.data[0] != ':' ||
         !parse_port((http_span_t){behind.data + 1, behind.len - 1}, &request->port)))
        return false;
    return is_host_text(request->host) && bracket == (strchr(request->host, ':') != NULL);
}

static bool has_scheme(http_span_t target)
{
    return isalpha((unsigned char)target.data[0]) && memchr(target.data, ':', target.len);
}

/* The target of all but CONNECT: "http://host[:port][/path][?query]". */
static int parse_url(http_request_t *request)
{
    static const char scheme[] = "http://";
    http_span_t rest = request->target;
    size_t authority = 0;

    if (rest.len < sizeof(scheme) - 1 ||
        !http_span_ieq((http_span_t){rest.data, sizeof(scheme) - 1}, scheme))
        return has_scheme(rest) ? 501 : 400;
    rest.data += sizeof(scheme) - 1;
    rest.len -= sizeof(scheme) - 1;
    while (authority < rest.len && !strchr("/?", rest.data[authority]))
        authority++;
    request->port = HTTP_PORT;
    if (memchr(rest.data, '#', rest.len) ||
        !parse_authority(request, (http_span_t){rest.data, authority}))
        return 400;
    request->path = (http_span_t){rest.data + authority, rest.len - authority};
    if (request->path.len == 0)
        request->path = http_span_ieq(request->method, "OPTIONS") ? HTTP_SPAN("*") : HTTP_SPAN("/");
    return 0;
}

/* Those that every recipient has to see: without them the body would be another's request. */
static bool hides_framing(http_span_t fields)
{
    return http_field_has(fields, "Connection", "Content-Length") ||
           http_field_has(fields, "Connection", "Transfer-Encoding");
}

/* HTTP/1.1 has exactly one Host (RFC 9112 section 3.2), and HTTP/1.0 no chunks (section 6.1). */
static int check_fields(http_request_t *request)
{
    http_span_t rest = request->fields, name, value;
    int err, hosts = 0;

    while ((err = http_field_next(&rest, &name, &value)) > 0)
        hosts += http_span_ieq(name, "Host");
    if (err < 0 || hosts > 1 || (hosts == 0 && request->minor > 0))
        return 400;
    err = http_body_length(request->fields, &request->chunked, &request->body_length);
    if (err < 0)
        return err == HERR_UNSUPPORTED ? 501 : 400;
    if (request->body_length < 0)
        request->body_length = 0;
    if ((request->chunked && request->minor == 0) || hides_framing(request->fields))
        return 400;
    return request->connect && (request->chunked || request->body_length > 0) ? 400 : 0;
}

static int forwards_left(const http_request_t *request)
{
    http_span_t value;

    if ((!http_span_ieq(request->method, "OPTIONS") && !http_span_ieq(request->method, "TRACE")) ||
        !http_field_find(request->fields, "Max-Forwards", &value))
        return -1;
    return http_max_forwards(value);
}

int http_request_parse(http_request_t *request, const void *head, size_t len)
{
    http_span_t rest = {head, len}, line;
    int status;

    *request = (http_request_t){.method = {"", 0}, .target = {"", 0}, .path = {"", 0}};
    if (!http_line_next(&rest, &line) || line.len == 0)
        return 400;
    request->fields = rest;
    status = http_request_line(line, &http_not_any_target, http_find_best(), &request->method,
                               &request->target, &request->minor);
    if (status != 0)
        return status;
    request->connect = request->method.len == 7 && memcmp(request->method.data, "CONNECT", 7) == 0;
    if (!request->connect)
        status = parse_url(request);
    else if (!parse_authority(request, request->target) || request->port == 0)
        status = 400;
    request->forwards = forwards_left(request);
    return status != 0 ? status : check_fields(request);
}

/* Fields that are between the client and this proxy alone (RFC 9110 section 7.6.1). The transfer
 * coding is not among them: the body is passed on as it is. */
static bool ends_here(const http_request_t *request, http_span_t name)
{
    static const char *const names[] = {"Host",
                                        "Connection",
                                        "Proxy-Connection",
                                        "Keep-Alive",
                                        "Proxy-Authorization",
                                        "Proxy-Authenticate",
                                        "TE",
                                        "Upgrade",
                                        NULL};
    http_span_t rest = request->fields, found, value;

    for (size_t i = 0; names[i]; i++) {
        if (http_span_ieq(name, names[i]))
            return true;
    }
    while (http_field_next(&rest, &found, &value) > 0) {
        char token[64];

        if (!http_span_ieq(found, "Connection") || name.len >= sizeof(token))
            continue;
        memcpy(token, name.data, name.len);
        token[name.len] = '\0';
        if (http_field_has((http_span_t){found.data, (size_t)(rest.data - found.data)},
                           "Connection", token))
            return true;
    }
    return false;
}

static void put_number(http1_writer_t *w, const char *name, int64_t value)
{
    char number[24];

    snprintf(number, sizeof(number), "%" PRId64, value);
    http1_write_field(w, http_span(name), http_span(number));
}

/* Its fields but for those that are written once, whatever was there. A server could read "3, 3" as
 * another length (RFC 9110 section 8.6). */
static void put_fields(http1_writer_t *w, const http_request_t *request)
{
    http_span_t rest = request->fields, name, value;
    bool has_length = false;

    while (http_field_next(&rest, &name, &value) > 0) {
        if (http_span_ieq(name, "Content-Length"))
            has_length = true;
        else if (!ends_here(request, name) &&
                 (request->forwards < 0 || !http_span_ieq(name, "Max-Forwards")))
            http1_write_field(w, name, value);
    }
    if (has_length)
        put_number(w, "Content-Length", request->body_length);
    if (request->forwards > 0)
        put_number(w, "Max-Forwards", request->forwards - 1);
}

ssize_t http_request_forward(const http_request_t *request, char *buf, size_t size)
{
    char authority[HTTP_AUTHORITY_SIZE];
    http1_writer_t w;
    ssize_t len = http_authority(request->host, request->port, authority, sizeof(authority));

    if (len < 0)
        return len;
    if (request->port == HTTP_PORT)
        *strrchr(authority, ':') = '\0';
    http1_write_begin(&w, buf, size);
    http1_write_raw(&w, request->method);
    http1_write_raw(&w, request->path.data[0] == '?' ? HTTP_SPAN(" /") : HTTP_SPAN(" "));
    http1_write_raw(&w, request->path);
    http1_write_raw(&w, request->minor ? HTTP_SPAN(" HTTP/1.1\r\n") : HTTP_SPAN(" HTTP/1.0\r\n"));
    http1_write_field(&w, HTTP_SPAN("Host"), http_span(authority));
    put_fields(&w, request);
    http1_write_field(&w, HTTP_SPAN("Via"),
                      request->minor ? HTTP_SPAN("1.1 hnet") : HTTP_SPAN("1.0 hnet"));
    http1_write_field(&w, HTTP_SPAN("Connection"), HTTP_SPAN("close"));
    len = http1_write_end(&w);
    return len == -EINVAL ? HERR_PROTOCOL : len;
}

ssize_t http_answer_compose(int status, bool keep, const char *extra, const char *text, char *buf,
                            size_t size)
{
    if (status / 100 == 2)
        return written(snprintf(buf, size, "HTTP/1.1 %d Connection established\r\n%s\r\n", status,
                                extra ? extra : ""),
                       size);
    return written(snprintf(buf, size,
                            "HTTP/1.1 %d %s\r\n"
                            "%s"
                            "Content-Type: text/plain\r\n"
                            "Content-Length: %zu\r\n"
                            "%s"
                            "\r\n"
                            "%s\n",
                            status, http_status_text(status), extra ? extra : "", strlen(text) + 1,
                            keep ? "" : "Connection: close\r\n", text),
                   size);
}
