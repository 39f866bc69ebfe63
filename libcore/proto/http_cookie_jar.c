/* A cookie is stored by its domain, oldest first in both lists. A request looks into the buckets of
 * its host and of the domains above it.
 *
 * A file of heads may have a cookie without a domain. It is an orphan, with the domain "", until a
 * request tells which host is meant: the first one that asks. One without a path is for all, and
 * comes behind those with one. */
#include "http_cookie_jar.h"

#include "../base/herr.h"
#include "../base/hfile.h"
#include "../base/hmem.h"
#include "../codec/http_cookie_file.h"
#include "http_public_suffix.h"
#include "http_store_int.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_LEN (sizeof("Cookie: ") - 1)

typedef struct cookie_s {
    http_store_entry_t place;
    http_cookie_t c; /* its spans point to text */
    uint64_t created;
    bool live; /* came with a response, not out of a file */
    char text[];
} cookie_t;

struct http_cookie_jar_s {
    http_store_table_t table;
    size_t secure, orphans;
    uint64_t created;
    char orphan_host[HTTP_COOKIE_DOMAIN_SIZE]; /* "": nobody has asked yet */
};

/* Adding one: what is to be known of it and of those that are there. */
typedef struct adding_s {
    const http_cookie_t *c;
    bool live;
    int64_t now_s;
    cookie_t *same;   /* the one that it replaces */
    cookie_t *oldest; /* of its domain */
    size_t domain_count;
} adding_t;

static bool same_span(http_span_t a, http_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool has_tab(http_span_t text)
{
    return text.len > 0 && memchr(text.data, '\t', text.len);
}

static bool expired(const http_cookie_t *c, int64_t now_s)
{
    return c->persistent && c->expires_s <= now_s;
}

/* ---- the store ------------------------------------------------------------------------------- */

int http_cookie_jar_new(http_cookie_jar_t **jar)
{
    *jar = hmem_zalloc(sizeof(**jar));
    if (!*jar)
        return -ENOMEM;
    http_store__init(&(*jar)->table);
    return 0;
}

static void drop(http_cookie_jar_t *jar, cookie_t *cookie)
{
    jar->secure -= cookie->c.secure;
    jar->orphans -= !cookie->c.domain[0];
    http_store__remove(&jar->table, &cookie->place);
    hmem_free(cookie);
}

void http_cookie_jar_free(http_cookie_jar_t *jar)
{
    if (!jar)
        return;
    while (!hlist_empty(&jar->table.order))
        drop(jar, HLIST_ENTRY(jar->table.order.next, cookie_t, place.order));
    hmem_free(jar);
}

size_t http_cookie_jar_count(const http_cookie_jar_t *jar)
{
    return jar->table.count;
}

uint64_t http_cookie_jar_changes(const http_cookie_jar_t *jar)
{
    return jar->table.changes;
}

static http_span_t copy_span(char **text, http_span_t span)
{
    http_span_t copy = {*text, span.len};

    if (span.len > 0)
        memcpy(*text, span.data, span.len);
    *text += span.len;
    return copy;
}

static cookie_t *copy_cookie(const http_cookie_t *c)
{
    cookie_t *cookie = hmem_zalloc(sizeof(*cookie) + c->name.len + c->value.len + c->path.len +
                                   c->domain_said.len);
    char *text;

    if (!cookie)
        return NULL;
    text = cookie->text;
    cookie->c = *c;
    cookie->c.name = copy_span(&text, c->name);
    cookie->c.value = copy_span(&text, c->value);
    cookie->c.path = copy_span(&text, c->path);
    cookie->c.domain_said = copy_span(&text, c->domain_said);
    return cookie;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void look_around(http_cookie_jar_t *jar, adding_t *adding)
{
    hlist_t *bucket = http_store__bucket(&jar->table, adding->c->domain), *pos, *tmp;

    HLIST_FOREACH (pos, tmp, bucket) {
        cookie_t *old = HLIST_ENTRY(pos, cookie_t, place.node);

        if (strcmp(old->c.domain, adding->c->domain) != 0)
            continue;
        if (adding->domain_count++ == 0)
            adding->oldest = old;
        if (old->c.host_only == adding->c->host_only && same_span(old->c.name, adding->c->name) &&
            same_span(old->c.path, adding->c->path))
            adding->same = old;
    }
}

/* In the place of the old one, which its age depends on. */
static void replace(http_cookie_jar_t *jar, cookie_t *cookie, cookie_t *old)
{
    cookie->created = old->created;
    http_store__add_before(&jar->table, &old->place, &cookie->place);
    drop(jar, old);
}

static void append(http_cookie_jar_t *jar, cookie_t *cookie, const adding_t *adding)
{
    if (adding->domain_count >= HTTP_COOKIE_JAR_DOMAIN_MAX)
        drop(jar, adding->oldest);
    else if (jar->table.count >= HTTP_COOKIE_JAR_MAX)
        drop(jar, HLIST_ENTRY(jar->table.order.next, cookie_t, place.order));
    cookie->created = ++jar->created;
    http_store__add(&jar->table, cookie->c.domain, &cookie->place);
}

/* 1: replaced, 0: new or gone, -EEXIST: what came with a response is not replaced, -ENOMEM. */
static int add(http_cookie_jar_t *jar, const http_cookie_t *c, bool live, int64_t now_s)
{
    adding_t adding = {.c = c, .live = live, .now_s = now_s};
    cookie_t *cookie;

    look_around(jar, &adding);
    if (adding.same && adding.same->live && !live)
        return -EEXIST;
    if (expired(c, now_s)) {
        if (adding.same)
            drop(jar, adding.same);
        return 0;
    }
    cookie = copy_cookie(c);
    if (!cookie)
        return -ENOMEM;
    cookie->live = live;
    if (adding.same)
        replace(jar, cookie, adding.same);
    else
        append(jar, cookie, &adding);
    jar->secure += c->secure;
    jar->orphans += !c->domain[0];
    return adding.same != NULL;
}

/* ---- responses ------------------------------------------------------------------------------- */

/* The name says that these are this very machine. */
static http_cookie_site_t trusted(const http_cookie_site_t *site)
{
    http_cookie_site_t copy = *site;

    copy.secure |= strcmp(site->host, "localhost") == 0 || strcmp(site->host, "127.0.0.1") == 0 ||
                   strcmp(site->host, "::1") == 0;
    return copy;
}

/* The first step of a path: "/a" of "/a/b". */
static http_span_t first_step(http_span_t path)
{
    const char *slash = path.len > 1 ? memchr(path.data + 1, '/', path.len - 1) : NULL;

    return slash ? (http_span_t){path.data, (size_t)(slash - path.data)} : path;
}

/* Whether one that did not come over https would take the place, or stand in front, of one that did
 * (section 5.7.3, step 16). */
static bool hides_secure(const http_cookie_jar_t *jar, const http_cookie_t *c)
{
    const hlist_t *pos;

    for (pos = jar->table.order.next; jar->secure > 0 && pos != &jar->table.order;
         pos = pos->next) {
        const http_cookie_t *old = &HLIST_ENTRY(pos, cookie_t, place.order)->c;

        if (old->secure && same_span(old->name, c->name) &&
            (http_cookie_domain_match(c->domain, false, old->domain) ||
             http_cookie_domain_match(old->domain, false, c->domain)) &&
            http_cookie_path_match(c->path, first_step(old->path)))
            return true;
    }
    return false;
}

/* What a codec lets through and a file of lines cannot have. */
static bool is_storable(const http_cookie_t *c)
{
    return c->name.len > 0 && !has_tab(c->name) && !has_tab(c->value) && !has_tab(c->path) &&
           !has_tab(http_span(c->domain));
}

static int parse(http_span_t value, int64_t now_s, http_cookie_t *c)
{
    int err;

    if (value.len > HTTP_COOKIE_JAR_LINE_MAX)
        return HERR_FRAME_SIZE;
    err = http_set_cookie_parse(value, now_s, c);
    if (err < 0)
        return err;
    /* To the minute, as curl does it. */
    if (c->persistent && c->expires_s >= now_s + HTTP_COOKIE_AGE_MAX_S)
        c->expires_s = (c->expires_s + 30) / 60 * 60;
    return is_storable(c) ? 0 : HERR_SYNTAX;
}

int http_cookie_jar_set(http_cookie_jar_t *jar, http_span_t value, const http_cookie_site_t *site,
                        int64_t now_s)
{
    http_cookie_site_t from = trusted(site);
    http_cookie_t c;
    int err = parse(value, now_s, &c);

    if (err < 0)
        return err;
    if (http_cookie_accept(&c, &from, http_public_suffix, NULL) < 0)
        return -EACCES;
    c.host_only |= site->host_is_address;
    c.path = http_cookie_plain_path(c.path);
    if (!c.secure && !from.secure && hides_secure(jar, &c))
        return -EACCES;
    return add(jar, &c, true, now_s);
}

int http_cookie_jar_take(http_cookie_jar_t *jar, const http_field_t *fields, size_t count,
                         const http_cookie_site_t *site, int64_t now_s)
{
    size_t taken = 0;

    for (size_t i = 0; i < count && taken < HTTP_COOKIE_JAR_SET_MAX; i++) {
        int result;

        if (!http_span_ieq(fields[i].name, "Set-Cookie"))
            continue;
        result = http_cookie_jar_set(jar, fields[i].value, site, now_s);
        if (result == -ENOMEM)
            return result;
        taken += result >= 0;
    }
    return 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

typedef struct found_s {
    const cookie_t *cookies[HTTP_COOKIE_JAR_SEND_MAX];
    size_t count;
} found_t;

static bool matches(const http_cookie_t *c, const http_cookie_site_t *site, int64_t now_s)
{
    http_cookie_t child;

    if (c->domain[0] && c->path.len > 0)
        return http_cookie_matches(c, site, now_s);
    child = *c;
    if (child.path.len == 0)
        child.path = HTTP_SPAN("/");
    if (!child.domain[0]) {
        child.host_only = true;
        memcpy(child.domain, site->host, strlen(site->host) + 1);
    }
    return http_cookie_matches(&child, site, now_s);
}

static void collect(http_cookie_jar_t *jar, const char *domain, const http_cookie_site_t *site,
                    int64_t now_s, found_t *found)
{
    hlist_t *bucket = http_store__bucket(&jar->table, domain), *pos, *tmp;

    HLIST_FOREACH (pos, tmp, bucket) {
        cookie_t *cookie = HLIST_ENTRY(pos, cookie_t, place.node);

        if (found->count == HTTP_COOKIE_JAR_SEND_MAX)
            return;
        if (strcmp(cookie->c.domain, domain) != 0)
            continue;
        if (expired(&cookie->c, now_s))
            drop(jar, cookie);
        else if (matches(&cookie->c, site, now_s))
            found->cookies[found->count++] = cookie;
    }
}

static void collect_orphans(http_cookie_jar_t *jar, const http_cookie_site_t *site, int64_t now_s,
                            found_t *found)
{
    size_t len = strlen(site->host);

    if (jar->orphans == 0 || len >= sizeof(jar->orphan_host))
        return;
    if (!jar->orphan_host[0])
        memcpy(jar->orphan_host, site->host, len + 1);
    if (strcmp(jar->orphan_host, site->host) == 0)
        collect(jar, "", site, now_s, found);
}

static int compare_sizes(size_t a, size_t b)
{
    return a == b ? 0 : a > b ? -1 : 1;
}

static int compare(const void *left, const void *right)
{
    const cookie_t *a = *(const cookie_t *const *)left, *b = *(const cookie_t *const *)right;
    int order = compare_sizes(a->c.path.len, b->c.path.len);

    order = order ? order : compare_sizes(strlen(a->c.domain), strlen(b->c.domain));
    order = order ? order : compare_sizes(a->c.name.len, b->c.name.len);
    return order ? order : a->created > b->created ? -1 : 1;
}

/* How many of them go into a header, and the length of their value. */
static size_t fit(const found_t *found, size_t *len)
{
    size_t line = FIELD_LEN;

    for (size_t i = 0; i < found->count; i++) {
        const http_cookie_t *c = &found->cookies[i]->c;
        size_t pair = c->name.len + 1 + c->value.len;

        if (line + pair >= HTTP_COOKIE_JAR_HEADER_MAX)
            return i;
        line += pair + (i > 0 ? 2 : 0);
        *len = line - FIELD_LEN;
    }
    return found->count;
}

static void append_span(hbytes_t *value, http_span_t span)
{
    (void)hbytes_append(value, span.data, span.len); /* its room is reserved */
}

int http_cookie_jar_get(http_cookie_jar_t *jar, const http_cookie_site_t *site, int64_t now_s,
                        hbytes_t *value)
{
    http_cookie_site_t to = trusted(site);
    found_t found = {.count = 0};
    size_t n, len = 0;
    int err;

    if (jar->table.count == 0)
        return 0;
    for (const char *d = site->host; d; d = site->host_is_address ? NULL : http_store__parent(d)) {
        if (*d)
            collect(jar, d, &to, now_s, &found);
    }
    collect_orphans(jar, &to, now_s, &found);
    if (found.count == 0)
        return 0;
    qsort(found.cookies, found.count, sizeof(found.cookies[0]), compare);
    n = fit(&found, &len);
    err = hbytes_reserve(value, len);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n; i++) {
        append_span(value, i > 0 ? HTTP_SPAN("; ") : HTTP_SPAN(""));
        append_span(value, found.cookies[i]->c.name);
        append_span(value, HTTP_SPAN("="));
        append_span(value, found.cookies[i]->c.value);
    }
    return n < found.count;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A line of a file is as good as what a site that is secure has said for its own domain. */
static int accept_line(http_cookie_t *c)
{
    http_cookie_site_t site = {.secure = true, .path = HTTP_SPAN("/")};
    http_span_t path = c->path;
    char host[HTTP_COOKIE_DOMAIN_SIZE];
    int err;

    memcpy(host, c->domain, sizeof(host));
    site.host = host;
    site.host_is_address = http_store__is_address(host);
    if (c->host_only || site.host_is_address)
        c->domain[0] = '\0';
    err = http_cookie_accept(c, &site, http_public_suffix, NULL);
    c->path = path.len > 0 ? http_cookie_plain_path(path) : path;
    return err;
}

static int parse_line(http_span_t line, int64_t now_s, http_cookie_t *c)
{
    static const char head[] = "Set-Cookie:";
    const size_t len = sizeof(head) - 1;

    if (line.len > HTTP_COOKIE_JAR_LINE_MAX)
        return HERR_FRAME_SIZE;
    if (line.len >= len && http_span_ieq((http_span_t){line.data, len}, head))
        return parse((http_span_t){line.data + len, line.len - len}, now_s, c);
    return http_cookie_line_parse(line, c);
}

ssize_t http_cookie_jar_read(http_cookie_jar_t *jar, http_span_t text, unsigned flags,
                             int64_t now_s)
{
    ssize_t taken = 0;
    http_span_t line;

    while (http_store__line(&text, &line)) {
        http_cookie_t c;
        int result;

        if (parse_line(line, now_s, &c) < 0 ||
            (!c.persistent && (flags & HTTP_COOKIE_JAR_NO_SESSION)) || accept_line(&c) < 0)
            continue;
        result = add(jar, &c, false, now_s);
        if (result == -ENOMEM)
            return result;
        taken += result >= 0;
    }
    return taken;
}

static void drop_expired(http_cookie_jar_t *jar, int64_t now_s)
{
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &jar->table.order) {
        cookie_t *cookie = HLIST_ENTRY(pos, cookie_t, place.order);

        if (expired(&cookie->c, now_s))
            drop(jar, cookie);
    }
}

int http_cookie_jar_write(http_cookie_jar_t *jar, int64_t now_s, hbytes_t *text)
{
    static const char head[] = "# Netscape HTTP Cookie File\n"
                               "# One cookie a line: domain, hosts below it too, path, https only, "
                               "end, name, value.\n"
                               "# Programs replace this file, and what was edited meanwhile.\n\n";
    char line[HTTP_COOKIE_JAR_LINE_MAX + HTTP_COOKIE_DOMAIN_SIZE + 128];
    int err = hbytes_append_str(text, head);

    drop_expired(jar, now_s);
    for (hlist_t *pos = jar->table.order.prev; err == 0 && pos != &jar->table.order;
         pos = pos->prev) {
        const http_cookie_t *c = &HLIST_ENTRY(pos, cookie_t, place.order)->c;
        ssize_t len = http_cookie_line_write(c, line, sizeof(line) - 1);

        if (len < 0)
            continue; /* an orphan */
        line[len++] = '\n';
        err = hbytes_append(text, line, (size_t)len);
    }
    return err;
}

ssize_t http_cookie_jar_load(http_cookie_jar_t *jar, const char *path, unsigned flags,
                             int64_t now_s)
{
    hbytes_t text = {0};
    ssize_t taken = hfile_read_named(path, HTTP_COOKIE_JAR_FILE_MAX, &text);

    if (taken == 0)
        taken = http_cookie_jar_read(jar, (http_span_t){text.data, text.len}, flags, now_s);
    hbytes_deinit(&text);
    return taken;
}

int http_cookie_jar_save(http_cookie_jar_t *jar, const char *path, int64_t now_s)
{
    hbytes_t text = {0};
    int err = http_cookie_jar_write(jar, now_s, &text);

    if (err == 0)
        err = hfile_replace(path, text.data, text.len);
    hbytes_deinit(&text);
    return err;
}
