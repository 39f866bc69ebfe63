#include "http_hsts.h"

#include "../base/herr.h"
#include "../base/hfile.h"
#include "../base/hmem.h"
#include "http_store_int.h"

#include <string.h>

typedef struct entry_s {
    http_store_entry_t place;
    http_sts_host_t host;
} entry_t;

struct http_hsts_s {
    http_store_table_t table;
};

int http_hsts_new(http_hsts_t **hsts)
{
    *hsts = hmem_zalloc(sizeof(**hsts));
    if (!*hsts)
        return -ENOMEM;
    http_store__init(&(*hsts)->table);
    return 0;
}

static void drop(http_hsts_t *hsts, entry_t *entry)
{
    http_store__remove(&hsts->table, &entry->place);
    hmem_free(entry);
}

void http_hsts_free(http_hsts_t *hsts)
{
    if (!hsts)
        return;
    while (!hlist_empty(&hsts->table.order))
        drop(hsts, HLIST_ENTRY(hsts->table.order.next, entry_t, place.order));
    hmem_free(hsts);
}

size_t http_hsts_count(const http_hsts_t *hsts)
{
    return hsts->table.count;
}

uint64_t http_hsts_changes(const http_hsts_t *hsts)
{
    return hsts->table.changes;
}

/* The entry of this very name; one that is over is gone then. */
static entry_t *find(http_hsts_t *hsts, const char *name, int64_t now_s)
{
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, http_store__bucket(&hsts->table, name)) {
        entry_t *entry = HLIST_ENTRY(pos, entry_t, place.node);

        if (strcmp(entry->host.name, name) != 0)
            continue;
        if (entry->host.expires_s > now_s)
            return entry;
        drop(hsts, entry);
        return NULL;
    }
    return NULL;
}

static int add(http_hsts_t *hsts, const http_sts_host_t *host)
{
    entry_t *entry = hmem_zalloc(sizeof(*entry));

    if (!entry)
        return -ENOMEM;
    if (hsts->table.count >= HTTP_HSTS_MAX)
        drop(hsts, HLIST_ENTRY(hsts->table.order.next, entry_t, place.order));
    entry->host = *host;
    http_store__add(&hsts->table, host->name, &entry->place);
    return 0;
}

int http_hsts_set(http_hsts_t *hsts, const char *host, http_span_t value, int64_t now_s)
{
    http_sts_policy_t policy;
    http_sts_host_t said;
    entry_t *entry;

    if (http_store__is_address(host) || http_sts_name(http_span(host), said.name) < 0)
        return -EINVAL;
    if (http_sts_parse(value, &policy) < 0)
        return HERR_SYNTAX;
    entry = find(hsts, said.name, now_s);
    if (policy.max_age_s == 0) {
        if (entry)
            drop(hsts, entry);
        return 0;
    }
    said.subdomains = policy.subdomains;
    said.expires_s = policy.max_age_s < HTTP_STS_UNLIMITED - now_s ? now_s + policy.max_age_s
                                                                   : HTTP_STS_UNLIMITED;
    if (!entry)
        return add(hsts, &said);
    entry->host = said;
    hsts->table.changes++;
    return 0;
}

bool http_hsts_match(http_hsts_t *hsts, const char *host, int64_t now_s)
{
    char name[HTTP_STS_HOST_SIZE];

    if (hsts->table.count == 0 || http_store__is_address(host) ||
        http_sts_name(http_span(host), name) < 0)
        return false;
    if (find(hsts, name, now_s))
        return true;
    for (const char *above = http_store__parent(name); above; above = http_store__parent(above)) {
        const entry_t *entry = find(hsts, above, now_s);

        if (entry && entry->host.subdomains)
            return true;
    }
    return false;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A host may be in several files: it is kept for as long, and for as many hosts, as any of them
 * says. */
static int merge(http_hsts_t *hsts, const http_sts_host_t *host, int64_t now_s)
{
    entry_t *entry = find(hsts, host->name, now_s);

    if (!entry)
        return add(hsts, host);
    if (host->expires_s > entry->host.expires_s)
        entry->host.expires_s = host->expires_s;
    entry->host.subdomains |= host->subdomains;
    hsts->table.changes++;
    return 0;
}

ssize_t http_hsts_read(http_hsts_t *hsts, http_span_t text, int64_t now_s)
{
    ssize_t taken = 0;
    http_span_t line;

    while (http_store__line(&text, &line)) {
        http_sts_host_t host;
        int err;

        if (line.len > HTTP_HSTS_LINE_MAX || http_sts_line_parse(line, &host) < 0 ||
            host.expires_s <= now_s)
            continue;
        err = merge(hsts, &host, now_s);
        if (err < 0)
            return err;
        taken++;
    }
    return taken;
}

int http_hsts_write(const http_hsts_t *hsts, int64_t now_s, hbytes_t *text)
{
    static const char head[] =
        "# Hosts that are asked over https only (HSTS), and until when; a dot "
        "in front:\n# the hosts below them, too.\n";
    char line[HTTP_STS_LINE_SIZE];
    int err = hbytes_append_str(text, head);

    for (const hlist_t *pos = hsts->table.order.next; err == 0 && pos != &hsts->table.order;
         pos = pos->next) {
        const http_sts_host_t *host = &HLIST_ENTRY(pos, entry_t, place.order)->host;

        if (host->expires_s <= now_s || http_sts_line_write(host, line, sizeof(line)) < 0)
            continue;
        err = hbytes_printf(text, "%s\n", line);
    }
    return err;
}

ssize_t http_hsts_load(http_hsts_t *hsts, const char *path, int64_t now_s)
{
    hbytes_t text = {0};
    ssize_t taken = hfile_read_named(path, HTTP_HSTS_FILE_MAX, &text);

    if (taken == 0)
        taken = http_hsts_read(hsts, (http_span_t){text.data, text.len}, now_s);
    hbytes_deinit(&text);
    return taken;
}

int http_hsts_save(const http_hsts_t *hsts, const char *path, int64_t now_s)
{
    hbytes_t text = {0};
    int err = http_hsts_write(hsts, now_s, &text);

    if (err == 0)
        err = hfile_replace(path, text.data, text.len);
    hbytes_deinit(&text);
    return err;
}
