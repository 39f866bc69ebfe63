#include "http_override.h"

#include "../base/herr.h"
#include "../base/hmem.h"
#include "../base/hstr.h"

#include <string.h>
#include <strings.h>

typedef struct resolved_s {
    char *host; /* "*": all others */
    uint16_t port;
    haddr_t *addrs;
    size_t count;
} resolved_t;

typedef struct redirect_s {
    char *from, *to;             /* "": any, and the request's own */
    uint16_t from_port, to_port; /* 0: likewise */
} redirect_t;

struct http_override_s {
    resolved_t *resolved;
    size_t resolved_count, resolved_cap;
    redirect_t *redirects;
    size_t redirect_count, redirect_cap;
};

/* ---- the table ------------------------------------------------------------------------------- */

int http_override_new(http_override_t **overrides)
{
    *overrides = hmem_zalloc(sizeof(**overrides));
    return *overrides ? 0 : -ENOMEM;
}

static void resolved_deinit(resolved_t *entry)
{
    hmem_free(entry->host);
    hmem_free(entry->addrs);
}

static void redirect_deinit(redirect_t *entry)
{
    hmem_free(entry->from);
    hmem_free(entry->to);
}

void http_override_free(http_override_t *overrides)
{
    if (!overrides)
        return;
    for (size_t i = 0; i < overrides->resolved_count; i++)
        resolved_deinit(&overrides->resolved[i]);
    for (size_t i = 0; i < overrides->redirect_count; i++)
        redirect_deinit(&overrides->redirects[i]);
    hmem_free(overrides->resolved);
    hmem_free(overrides->redirects);
    hmem_free(overrides);
}

/* Room for one more of size bytes. */
static int grow(void **items, size_t count, size_t *cap, size_t size)
{
    size_t more = *cap ? 2 * *cap : 4;
    void *grown;

    if (count >= HTTP_OVERRIDE_MAX)
        return -ENOBUFS;
    if (count < *cap)
        return 0;
    grown = hmem_realloc(*items, more * size);
    if (!grown)
        return -ENOMEM;
    *items = grown;
    *cap = more;
    return 0;
}

/* The index of the entry for exactly this host and port; the count: there is none. */
static size_t find(const http_override_t *o, const char *host, uint16_t port)
{
    size_t i = 0;

    while (i < o->resolved_count &&
           (o->resolved[i].port != port || strcasecmp(o->resolved[i].host, host) != 0))
        i++;
    return i;
}

static void take_away(http_override_t *o, const char *host, uint16_t port)
{
    size_t i = find(o, host, port);

    if (i == o->resolved_count)
        return;
    resolved_deinit(&o->resolved[i]);
    o->resolved_count--;
    memmove(&o->resolved[i], &o->resolved[i + 1], (o->resolved_count - i) * sizeof(o->resolved[0]));
}

/* ---- the text -------------------------------------------------------------------------------- */

static int complain(hbytes_t *why, int err, const char *text, const char *what)
{
    char safe[256];

    if (why) {
        hstr_escape(safe, sizeof(safe), text, strlen(text));
        hbytes_printf(why, "'%s': %s", safe, what);
    }
    return err;
}

static int copy(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return HERR_SYNTAX;
    memcpy(to, from, len);
    to[len] = '\0';
    return 0;
}

/* A host up to a colon or the end, brackets off; *text is moved behind it. */
static int read_host(const char **text, char *host, size_t size)
{
    const char *p = *text;
    size_t len;

    if (*p == '[') {
        len = strcspn(++p, "]");
        if (p[len] != ']' || len == 0 || (p[len + 1] != ':' && p[len + 1] != '\0'))
            return HERR_SYNTAX;
        *text = p + len + 1;
    } else {
        len = strcspn(p, ":");
        *text = p + len;
    }
    return copy(host, size, p, len);
}

/* A port up to a colon or the end; none is 0 where that may be. */
static int read_port(const char **text, bool may_be_empty, uint16_t *port)
{
    size_t len = strcspn(*text, ":");
    char digits[8];
    uint64_t value = 0;
    int err;

    *port = 0;
    if (len == 0)
        return may_be_empty ? 0 : HERR_SYNTAX;
    err = copy(digits, sizeof(digits), *text, len);
    if (!err)
        err = hstr_parse_u64(digits, 1, UINT16_MAX, &value);
    *text += len;
    *port = (uint16_t)value;
    return err;
}

static bool skip_colon(const char **text)
{
    bool is = **text == ':';

    *text += is;
    return is;
}

/* ---- --resolve ------------------------------------------------------------------------------- */

/* "192.0.2.1,[2001:db8::1]". How many, or an error. */
static int read_addrs(const char *text, uint16_t port, haddr_t *addrs)
{
    char ip[INET6_ADDRSTRLEN + 32];
    int count = 0;

    while (*text) {
        size_t len = strcspn(text, ",");
        bool bracket = len > 1 && text[0] == '[' && text[len - 1] == ']';

        if (count == HTTP_OVERRIDE_ADDRS_MAX)
            return -ENOBUFS;
        if (copy(ip, sizeof(ip), text + bracket, len - 2 * bracket) != 0 ||
            haddr_parse(&addrs[count], ip, port) != 0)
            return HERR_SYNTAX;
        count++;
        text += len + (text[len] == ',');
    }
    return count ? count : HERR_SYNTAX;
}

static int put(http_override_t *o, const char *host, uint16_t port, const haddr_t *addrs,
               size_t count)
{
    resolved_t entry = {.port = port, .count = count};
    int err;

    take_away(o, host, port);
    err = grow((void **)&o->resolved, o->resolved_count, &o->resolved_cap, sizeof(entry));
    if (err)
        return err;
    entry.host = hmem_strdup(host);
    entry.addrs = hmem_array(count, sizeof(*addrs));
    if (!entry.host || !entry.addrs) {
        resolved_deinit(&entry);
        return -ENOMEM;
    }
    memcpy(entry.addrs, addrs, count * sizeof(*addrs));
    o->resolved[o->resolved_count++] = entry;
    return 0;
}

int http_override_resolve(http_override_t *overrides, const char *text, hbytes_t *why)
{
    char host[HTTP_OVERRIDE_HOST_SIZE];
    haddr_t addrs[HTTP_OVERRIDE_ADDRS_MAX];
    bool minus = text[0] == '-';
    const char *p = text + (minus || text[0] == '+');
    uint16_t port;
    int err = read_host(&p, host, sizeof(host));
    int count = 0;

    if (err || host[0] == '\0' || !skip_colon(&p))
        return complain(why, HERR_SYNTAX, text, "not HOST:PORT:ADDRESS");
    err = read_port(&p, false, &port);
    if (err)
        return complain(why, err, text, "the port is none");
    if (minus && *p == '\0') {
        take_away(overrides, host, port);
        return 0;
    }
    if (minus || !skip_colon(&p))
        return complain(why, HERR_SYNTAX, text, "not HOST:PORT:ADDRESS");
    count = read_addrs(p, port, addrs);
    if (count < 0)
        return complain(why, count, text,
                        count == -ENOBUFS ? "too many addresses" : "the address is none");
    err = put(overrides, host, port, addrs, (size_t)count);
    return err ? complain(why, err, text, herr_str(err)) : 0;
}

size_t http_override_addrs(const http_override_t *overrides, const char *host, uint16_t port,
                           const haddr_t **addrs)
{
    size_t i;

    if (!overrides)
        return 0;
    i = find(overrides, host, port);
    if (i == overrides->resolved_count)
        i = find(overrides, "*", port);
    if (i == overrides->resolved_count)
        return 0;
    *addrs = overrides->resolved[i].addrs;
    return overrides->resolved[i].count;
}

/* ---- --connect-to ---------------------------------------------------------------------------- */

typedef struct redirect_text_s {
    char from[HTTP_OVERRIDE_HOST_SIZE], to[HTTP_OVERRIDE_HOST_SIZE];
    uint16_t from_port, to_port;
} redirect_text_t;

/* What is left out at the end is empty. */
static int read_redirect(const char *p, redirect_text_t *r)
{
    int err = read_host(&p, r->from, sizeof(r->from));

    if (!err && !skip_colon(&p))
        err = HERR_SYNTAX;
    if (!err)
        err = read_port(&p, true, &r->from_port);
    if (!err && !skip_colon(&p))
        err = HERR_SYNTAX;
    if (!err)
        err = read_host(&p, r->to, sizeof(r->to));
    if (!err && skip_colon(&p))
        err = read_port(&p, true, &r->to_port);
    return !err && *p ? HERR_SYNTAX : err;
}

int http_override_connect(http_override_t *overrides, const char *text, hbytes_t *why)
{
    redirect_text_t r = {.to_port = 0};
    redirect_t entry;
    int err = read_redirect(text, &r);

    if (err)
        return complain(why, err, text,
                        err == HERR_RANGE ? "a port is none" : "not HOST1:PORT1:HOST2:PORT2");
    err = grow((void **)&overrides->redirects, overrides->redirect_count, &overrides->redirect_cap,
               sizeof(entry));
    if (err)
        return complain(why, err, text, herr_str(err));
    entry = (redirect_t){hmem_strdup(r.from), hmem_strdup(r.to), r.from_port, r.to_port};
    if (!entry.from || !entry.to) {
        redirect_deinit(&entry);
        return complain(why, -ENOMEM, text, herr_str(-ENOMEM));
    }
    overrides->redirects[overrides->redirect_count++] = entry;
    return 0;
}

static bool fits(const redirect_t *entry, const char *host, uint16_t port)
{
    return (!entry->from[0] || strcasecmp(entry->from, host) == 0) &&
           (!entry->from_port || entry->from_port == port);
}

int http_override_target(const http_override_t *overrides, const char *host, uint16_t port,
                         char *to_host, uint16_t *to_port)
{
    for (size_t i = 0; overrides && i < overrides->redirect_count; i++) {
        const redirect_t *entry = &overrides->redirects[i];

        if (!fits(entry, host, port) || (!entry->to[0] && !entry->to_port))
            continue;
        hstr_copy(to_host, HTTP_OVERRIDE_HOST_SIZE, entry->to[0] ? entry->to : host);
        *to_port = entry->to_port ? entry->to_port : port;
        return 1;
    }
    return 0;
}
