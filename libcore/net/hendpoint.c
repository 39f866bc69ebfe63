#include "hendpoint.h"

#include "../base/hstr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LOOPBACK "127.0.0.1"
#define QUOTED_SIZE 80

/* Where parse errors go. */
typedef struct parse_s {
    hendpoint_t *ep;
    char *error;
    size_t error_size;
} parse_t;

static int fail(const parse_t *parse, int err, const char *what, const char *text, size_t len)
{
    char quoted[QUOTED_SIZE];

    hstr_escape(quoted, sizeof(quoted), text, len);
    if (parse->error && parse->error_size > 0)
        snprintf(parse->error, parse->error_size, "%s: \"%s\"", what, quoted);
    return err;
}

static const char *scheme_name(hendpoint_scheme_e scheme)
{
    static const char *const names[] = {"tcp", "udp", "tls", "unix", "unixgram"};

    return (unsigned)scheme < sizeof(names) / sizeof(names[0]) ? names[scheme] : "unknown";
}

bool hendpoint_is_unix(const hendpoint_t *ep)
{
    return ep->scheme == HENDPOINT_UNIX || ep->scheme == HENDPOINT_UNIXGRAM;
}

int hendpoint_socktype(const hendpoint_t *ep)
{
    bool datagram = ep->scheme == HENDPOINT_UDP || ep->scheme == HENDPOINT_UNIXGRAM;

    return datagram ? SOCK_DGRAM : SOCK_STREAM;
}

/* ---- parsing --------------------------------------------------------------------------------- */

static int parse_path(const parse_t *parse, hendpoint_scheme_e scheme, const char *path)
{
    size_t len = strlen(path);

    if (len == 0 || (path[0] == '@' && len == 1))
        return fail(parse, HERR_SYNTAX, "UNIX socket without a name", path, len);
    if (len >= sizeof(parse->ep->path))
        return fail(parse, -ENAMETOOLONG, "name of a UNIX socket is longer than 107 bytes", path,
                    len);
    parse->ep->scheme = scheme;
    memcpy(parse->ep->path, path, len + 1);
    return 0;
}

static int parse_port(const parse_t *parse, const char *text)
{
    const char *proto = parse->ep->scheme == HENDPOINT_UDP ? "udp" : "tcp";
    uint16_t last = 0;
    int err;

    err = haddr_port_parse(text, proto, &parse->ep->port, &last, parse->error, parse->error_size);
    if (!err && last != parse->ep->port)
        return fail(parse, HERR_SYNTAX, "one port is needed, not a range", text, strlen(text));
    return err;
}

static int copy_host(const parse_t *parse, const char *host, size_t len)
{
    if (len >= sizeof(parse->ep->host))
        return fail(parse, -ENAMETOOLONG, "host name is too long", host, len);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];

        if (c <= ' ' || c == 0x7f || strchr("/[]\"\\", c))
            return fail(parse, HERR_SYNTAX, "no such host name is possible", host, len);
    }
    memcpy(parse->ep->host, host, len);
    parse->ep->host[len] = '\0';
    return 0;
}

/* The zone is not looked up: whether the interface exists may be another machine's matter. */
static bool is_v6(const char *host)
{
    char text[HENDPOINT_HOST_SIZE];
    struct in6_addr ignored;
    char *zone;

    hstr_copy(text, sizeof(text), host);
    zone = strchr(text, '%');
    if (zone && zone[1] == '\0')
        return false;
    if (zone)
        *zone = '\0';
    return inet_pton(AF_INET6, text, &ignored) == 1;
}

static int parse_bracketed(const parse_t *parse, const char *text)
{
    const char *end = strchr(text, ']');
    int err;

    if (!end)
        return fail(parse, HERR_SYNTAX, "no closing bracket", text, strlen(text));
    err = copy_host(parse, text + 1, (size_t)(end - text - 1));
    if (err)
        return err;
    if (!is_v6(parse->ep->host))
        return fail(parse, HERR_SYNTAX, "not an IPv6 address", text, (size_t)(end - text + 1));
    if (end[1] != ':')
        return fail(parse, HERR_SYNTAX, "no port", text, strlen(text));
    return parse_port(parse, end + 2);
}

static int parse_host_port(const parse_t *parse, const char *text)
{
    size_t len = strlen(text);
    const char *colon = strchr(text, ':');
    int err;

    if (len == 0)
        return fail(parse, HERR_SYNTAX, "empty end point", text, len);
    if (text[0] == '[')
        return parse_bracketed(parse, text);
    if (strspn(text, "0123456789") == len) {
        hstr_copy(parse->ep->host, sizeof(parse->ep->host), LOOPBACK);
        return parse_port(parse, text);
    }
    if (!colon)
        return fail(parse, HERR_SYNTAX, "no port", text, len);
    if (strchr(colon + 1, ':'))
        return fail(parse, HERR_SYNTAX, "an IPv6 address needs brackets, [ADDRESS]:PORT", text,
                    len);
    if (colon - text == 1 && text[0] == '*')
        return parse_port(parse, colon + 1);
    err = copy_host(parse, text, (size_t)(colon - text));
    return err ? err : parse_port(parse, colon + 1);
}

/* The path of "unix:PATH" or "unixgram:PATH" where a host and a port belong, or NULL. A host may be
 * called so too, but no port looks like a path. */
static const char *misplaced_path(const char *text)
{
    bool is_unix = strncasecmp(text, "unix:", 5) == 0 || strncasecmp(text, "unixgram:", 9) == 0;
    const char *path = is_unix ? strchr(text, ':') + 1 : NULL;

    return path && strpbrk(path, "/@") ? path : NULL;
}

static int parse_behind_scheme(const parse_t *parse, const char *text)
{
    const char *path = misplaced_path(text);
    bool datagram = parse->ep->scheme == HENDPOINT_UDP || strncasecmp(text, "unixgram:", 9) == 0;
    char right[QUOTED_SIZE];

    if (!path)
        return parse_host_port(parse, text);
    snprintf(right, sizeof(right), "%s:%s", datagram ? "unixgram" : "unix", path);
    return fail(parse, HERR_SYNTAX, "a UNIX socket has no scheme in front of it, say", right,
                strlen(right));
}

static int parse_text(const parse_t *parse, const char *text)
{
    const char *mark = strstr(text, "://");

    if (strncasecmp(text, "unix:", 5) == 0)
        return parse_path(parse, HENDPOINT_UNIX, text + 5);
    if (strncasecmp(text, "unixgram:", 9) == 0)
        return parse_path(parse, HENDPOINT_UNIXGRAM, text + 9);
    if (!mark)
        return parse_host_port(parse, text);
    for (hendpoint_scheme_e s = HENDPOINT_TCP; s <= HENDPOINT_TLS; s++) {
        if (mark - text == 3 && strncasecmp(text, scheme_name(s), 3) == 0) {
            parse->ep->scheme = s;
            return parse_behind_scheme(parse, mark + 3);
        }
    }
    return fail(parse, HERR_SYNTAX, "unknown scheme", text, (size_t)(mark - text));
}

int hendpoint_parse(hendpoint_t *ep, const char *text, char *error, size_t error_size)
{
    parse_t parse = {.ep = ep, .error = error, .error_size = error_size};
    int err;

    memset(ep, 0, sizeof(*ep));
    if (error && error_size > 0)
        error[0] = '\0';
    err = parse_text(&parse, text);
    if (err)
        memset(ep, 0, sizeof(*ep));
    return err;
}

/* ---- from parts and back --------------------------------------------------------------------- */

int hendpoint_set(hendpoint_t *ep, hendpoint_scheme_e scheme, const char *host, int port)
{
    size_t len = host ? strlen(host) : 0;
    bool is_unix = scheme == HENDPOINT_UNIX || scheme == HENDPOINT_UNIXGRAM;

    memset(ep, 0, sizeof(*ep));
    if (is_unix && len == 0)
        return -EINVAL;
    if (!is_unix && (port < 0 || port > 65535))
        return HERR_RANGE;
    if (len >= (is_unix ? sizeof(ep->path) : sizeof(ep->host)))
        return -ENAMETOOLONG;
    ep->scheme = scheme;
    if (len > 0)
        memcpy(is_unix ? ep->path : ep->host, host, len);
    if (!is_unix)
        ep->port = (uint16_t)port;
    return 0;
}

const char *hendpoint_format(const hendpoint_t *ep, char *buf, size_t size)
{
    const char *scheme = scheme_name(ep->scheme);
    bool v6 = strchr(ep->host, ':') != NULL;

    if (hendpoint_is_unix(ep))
        snprintf(buf, size, "%s:%s", scheme, ep->path);
    else
        snprintf(buf, size, "%s%s%s%s%s:%u", ep->scheme == HENDPOINT_TCP ? "" : scheme,
                 ep->scheme == HENDPOINT_TCP ? "" : "://", v6 ? "[" : "", ep->host, v6 ? "]" : "",
                 (unsigned)ep->port);
    return buf;
}
