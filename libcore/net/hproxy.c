#include "hproxy.h"

#include "../base/hstr.h"
#include "hendpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_PORT_SIZE (HPROXY_HOST_SIZE + 16)
#define VARIABLE_SIZE 32
#define ITEM_SIZE 300 /* of a NO_PROXY list: a name, a prefix length, a port */

typedef struct type_s {
    const char *name;
    hproxy_type_e type;
    uint16_t port;
} type_t;

static const type_t types[] = {
    {"http", HPROXY_HTTP, 3128},     {"https", HPROXY_HTTPS, 443},
    {"socks4", HPROXY_SOCKS4, 1080}, {"socks4a", HPROXY_SOCKS4A, 1080},
    {"socks5", HPROXY_SOCKS5, 1080}, {"socks5h", HPROXY_SOCKS5H, 1080},
    {"socks", HPROXY_SOCKS4, 1080}, /* last: never printed */
};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

/* Where parse errors go. */
typedef struct parse_s {
    hproxy_t *proxy;
    char *error;
    size_t error_size;
} parse_t;

static int fail(const parse_t *parse, int err, const char *what)
{
    if (parse->error && parse->error_size > 0)
        snprintf(parse->error, parse->error_size, "%s", what);
    return err;
}

static const type_t *type_of(hproxy_type_e type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (types[i].type == type)
            return &types[i];
    }
    return &types[0];
}

/* ---- parsing --------------------------------------------------------------------------------- */

/* Percent escapes. 0, HERR_SYNTAX (half an escape, a NUL) or HERR_RANGE (too long). */
static int decode(char *dst, const char *src, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = src[i];

        if (c == '%') {
            int high = i + 2 < len ? hstr_hex_digit(src[i + 1]) : -1;
            int low = i + 2 < len ? hstr_hex_digit(src[i + 2]) : -1;

            if (high < 0 || low < 0)
                return HERR_SYNTAX;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0')
            return HERR_SYNTAX;
        if (n + 1 >= HPROXY_SECRET_SIZE)
            return HERR_RANGE;
        dst[n++] = c;
    }
    dst[n] = '\0';
    return 0;
}

static int parse_secrets(const parse_t *parse, const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t user_len = colon ? (size_t)(colon - text) : len;
    int err = decode(parse->proxy->user, text, user_len);

    if (!err && colon)
        err = decode(parse->proxy->password, colon + 1, len - user_len - 1);
    if (err == HERR_RANGE)
        return fail(parse, err, "name or password for the proxy is longer than 2047 bytes");
    return err ? fail(parse, err, "bad % escape in the name or password for the proxy") : 0;
}

/* "http" in front of "://": 0 and *rest behind it. */
static int parse_type(const parse_t *parse, const char *text, hproxy_type_e fallback,
                      const char **rest)
{
    const char *mark = strstr(text, "://");
    char quoted[64], line[128];

    parse->proxy->type = fallback;
    *rest = text;
    if (!mark)
        return 0;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (strlen(types[i].name) == (size_t)(mark - text) &&
            strncasecmp(types[i].name, text, (size_t)(mark - text)) == 0) {
            parse->proxy->type = types[i].type;
            *rest = mark + 3;
            return 0;
        }
    }
    if (strcspn(text, ":@") != (size_t)(mark - text))
        return fail(parse, HERR_SYNTAX, "unknown type of proxy"); /* it may hold the password */
    hstr_escape(quoted, sizeof(quoted), text, (size_t)(mark - text));
    snprintf(line, sizeof(line), "unknown type of proxy: \"%s\"", quoted);
    return fail(parse, HERR_UNSUPPORTED, line);
}

static bool has_port(const char *text)
{
    const char *behind = text[0] == '[' ? strchr(text, ']') : text;

    return !behind || strchr(behind, ':') != NULL;
}

/* HOST[:PORT], as an end point has it, and a slash at the end as URLs have it. */
static int parse_host(const parse_t *parse, const char *text)
{
    bool is_unix = strncasecmp(text, "unix:", 5) == 0;
    size_t len = strlen(text);
    char host_port[HOST_PORT_SIZE];
    hendpoint_t ep;
    int err;

    if (!is_unix && len > 0 && text[len - 1] == '/')
        len--;
    if (len == 0 || text[0] == ':' || text[0] == '*')
        return fail(parse, HERR_SYNTAX, "the proxy has no host");
    if (len >= HPROXY_HOST_SIZE)
        return fail(parse, HERR_RANGE, "the proxy's host name is too long");
    snprintf(host_port, sizeof(host_port), "%.*s", (int)len, text);
    parse->proxy->any_port = !is_unix && !has_port(host_port);
    if (parse->proxy->any_port)
        snprintf(host_port + len, sizeof(host_port) - len, ":%u",
                 (unsigned)type_of(parse->proxy->type)->port);
    err = hendpoint_parse(&ep, host_port, parse->error, parse->error_size);
    if (err)
        return err == -ENAMETOOLONG ? HERR_RANGE : err;
    if (is_unix) {
        snprintf(parse->proxy->host, sizeof(parse->proxy->host), "unix:%s", ep.path);
        return 0;
    }
    if (ep.port == 0)
        return fail(parse, HERR_RANGE, "the proxy's port is 0");
    hstr_copy(parse->proxy->host, sizeof(parse->proxy->host), ep.host);
    parse->proxy->port = ep.port;
    return 0;
}

static int parse_text(const parse_t *parse, const char *text, hproxy_type_e fallback)
{
    const char *rest, *at;
    int err = parse_type(parse, text, fallback, &rest);

    if (err)
        return err;
    at = strncasecmp(rest, "unix:", 5) == 0 ? NULL : strrchr(rest, '@');
    if (at)
        err = parse_secrets(parse, rest, (size_t)(at - rest));
    return err ? err : parse_host(parse, at ? at + 1 : rest);
}

int hproxy_parse(hproxy_t *proxy, const char *text, hproxy_type_e fallback, char *error,
                 size_t error_size)
{
    parse_t parse = {.proxy = proxy, .error = error, .error_size = error_size};
    int err;

    memset(proxy, 0, sizeof(*proxy));
    if (error && error_size > 0)
        error[0] = '\0';
    err = parse_text(&parse, text, fallback);
    if (err)
        memset(proxy, 0, sizeof(*proxy));
    return err;
}

const char *hproxy_format(const hproxy_t *proxy, char *buf, size_t size)
{
    const char *name = type_of(proxy->type)->name;
    bool v6 = strchr(proxy->host, ':') != NULL;

    if (strncmp(proxy->host, "unix:", 5) == 0)
        snprintf(buf, size, "%s://%s", name, proxy->host);
    else
        snprintf(buf, size, "%s://%s%s%s:%u", name, v6 ? "[" : "", proxy->host, v6 ? "]" : "",
                 (unsigned)proxy->port);
    return buf;
}

/* ---- exceptions ------------------------------------------------------------------------------ */

/* The bytes of an IP address and their number, 0 if text is none; zones do not count. */
static size_t address_bytes(const char *text, unsigned char bytes[16])
{
    char number[HPROXY_HOST_SIZE];
    haddr_t addr;

    hstr_copy(number, sizeof(number), text);
    number[strcspn(number, "%")] = '\0';
    if (haddr_parse(&addr, number, 0) != 0)
        return 0;
    if (addr.u.sa.sa_family == AF_INET) {
        memcpy(bytes, &addr.u.sin.sin_addr, 4);
        return 4;
    }
    memcpy(bytes, &addr.u.sin6.sin6_addr, 16);
    return 16;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, size_t bits)
{
    unsigned rest = bits % 8;

    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* item: an address, or ADDRESS/BITS. */
static bool covers_address(char *item, const unsigned char *host, size_t host_len)
{
    char *slash = strchr(item, '/');
    unsigned char block[16];
    uint64_t bits;
    size_t len;

    if (slash)
        *slash = '\0';
    len = address_bytes(item, block);
    if (len == 0 || len != host_len)
        return false;
    bits = len * 8;
    if (slash && hstr_parse_u64(slash + 1, 0, len * 8, &bits) != 0)
        return false;
    return same_bits(block, host, (size_t)bits);
}

/* item: a name that covers itself and what ends in it; ".name" and "*.name" mean the same. */
static bool covers_name(const char *item, const char *host, size_t host_len)
{
    size_t len;

    if (item[0] == '*')
        item++;
    if (item[0] == '.')
        item++;
    len = strlen(item);
    if (len > 0 && item[len - 1] == '.')
        len--;
    if (len == 0 || len > host_len || strncasecmp(host + host_len - len, item, len) != 0)
        return false;
    return len == host_len || host[host_len - len - 1] == '.';
}

/* Cuts ":PORT" and brackets off the item. False: it is for another port. */
static bool cut_port(char **item, uint16_t port)
{
    char *colon = strrchr(*item, ':');
    char *close = strchr(*item, ']');
    uint64_t number;

    if (colon && (close ? colon > close : strchr(*item, ':') == colon)) {
        *colon = '\0';
        if (hstr_parse_u64(colon + 1, 0, 65535, &number) != 0 || number != port)
            return false;
    }
    if ((*item)[0] == '[' && close) {
        memmove(close, close + 1, strlen(close + 1) + 1); /* "[v6]/BITS" */
        (*item)++;
    }
    return true;
}

static bool item_covers(char *item, const char *host, uint16_t port)
{
    unsigned char bytes[16];
    size_t bytes_len, len = strlen(host);

    if (!cut_port(&item, port))
        return false;
    if (strcmp(item, "*") == 0)
        return true;
    bytes_len = address_bytes(host, bytes);
    if (bytes_len > 0)
        return covers_address(item, bytes, bytes_len);
    if (len > 0 && host[len - 1] == '.')
        len--;
    return covers_name(item, host, len);
}

bool hproxy_is_excluded(const char *list, const char *host, uint16_t port)
{
    static const char separators[] = ", \t";
    char item[ITEM_SIZE];

    while (list && *list) {
        size_t len = strcspn(list, separators);

        if (len > 0 && len < sizeof(item)) {
            memcpy(item, list, len);
            item[len] = '\0';
            if (item_covers(item, host, port))
                return true;
        }
        list += len;
        list += strspn(list, separators);
    }
    return false;
}

/* ---- the environment ------------------------------------------------------------------------- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

/* SCHEME_proxy. HTTP_PROXY does not count: a web server sets it from a request's "Proxy:" field
 * for the programs that it runs. */
static const char *scheme_variable(const char *scheme)
{
    char name[VARIABLE_SIZE];
    const char *value;
    int n = snprintf(name, sizeof(name), "%s_proxy", scheme);

    if (scheme[0] == '\0' || n < 0 || (size_t)n >= sizeof(name))
        return NULL;
    for (char *c = name; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    value = variable(name);
    if (value || strcmp(name, "http_proxy") == 0)
        return value;
    for (char *c = name; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    return variable(name);
}

int hproxy_from_env(hproxy_t *proxy, const char *scheme, const char *host, uint16_t port,
                    char *error, size_t error_size)
{
    const char *text = scheme_variable(scheme ? scheme : "");
    const char *except = variable("NO_PROXY");
    int err;

    memset(proxy, 0, sizeof(*proxy));
    if (!text)
        text = variable("ALL_PROXY");
    if (!text)
        text = variable("all_proxy");
    if (!except)
        except = variable("no_proxy");
    if (!text || (host && hproxy_is_excluded(except, host, port)))
        return 0;
    err = hproxy_parse(proxy, text, HPROXY_HTTP, error, error_size);
    return err ? err : 1;
}
