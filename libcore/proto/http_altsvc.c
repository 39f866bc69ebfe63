/* An alternative is stored by its origin's host. Those of one origin stand in both lists in the
 * order of its preference. */
#include "http_altsvc.h"

#include "../base/herr.h"
#include "../base/hfile.h"
#include "../base/hmem.h"
#include "http_store_int.h"

#include <string.h>

typedef struct entry_s {
    http_store_entry_t place;
    http_alternative_t alternative;
} entry_t;

struct http_altsvc_s {
    http_store_table_t table;
};

int http_altsvc_new(http_altsvc_t **altsvc)
{
    *altsvc = hmem_zalloc(sizeof(**altsvc));
    if (!*altsvc)
        return -ENOMEM;
    http_store__init(&(*altsvc)->table);
    return 0;
}

static void drop(http_altsvc_t *altsvc, entry_t *entry)
{
    http_store__remove(&altsvc->table, &entry->place);
    hmem_free(entry);
}

void http_altsvc_free(http_altsvc_t *altsvc)
{
    if (!altsvc)
        return;
    while (!hlist_empty(&altsvc->table.order))
        drop(altsvc, HLIST_ENTRY(altsvc->table.order.next, entry_t, place.order));
    hmem_free(altsvc);
}

size_t http_altsvc_count(const http_altsvc_t *altsvc)
{
    return altsvc->table.count;
}

uint64_t http_altsvc_changes(const http_altsvc_t *altsvc)
{
    return altsvc->table.changes;
}

static bool same_place(const http_place_t *a, const http_place_t *b)
{
    return a->alpn == b->alpn && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static void forget(http_altsvc_t *altsvc, const http_place_t *origin)
{
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, http_store__bucket(&altsvc->table, origin->host)) {
        entry_t *entry = HLIST_ENTRY(pos, entry_t, place.node);

        if (same_place(&entry->alternative.from, origin))
            drop(altsvc, entry);
    }
}

static int add(http_altsvc_t *altsvc, const http_alternative_t *alternative)
{
    entry_t *entry = hmem_zalloc(sizeof(*entry));

    if (!entry)
        return -ENOMEM;
    if (altsvc->table.count >= HTTP_ALTSVC_MAX)
        drop(altsvc, HLIST_ENTRY(altsvc->table.order.next, entry_t, place.order));
    entry->alternative = *alternative;
    http_store__add(&altsvc->table, alternative->from.host, &entry->place);
    return 0;
}

static int make_origin(http_alpn_e alpn, const char *host, uint16_t port, http_place_t *origin)
{
    *origin = (http_place_t){.alpn = alpn, .port = port};
    return alpn == HTTP_ALPN_NONE ? -EINVAL : http_alternative_host(http_span(host), origin->host);
}

int http_altsvc_set(http_altsvc_t *altsvc, http_alpn_e alpn, const char *host, uint16_t port,
                    http_span_t value, int64_t now_s)
{
    http_alternative_t alternative;
    http_place_t origin;
    int taken = 0;

    if (make_origin(alpn, host, port, &origin) < 0)
        return -EINVAL;
    if (http_alternative_is_clear(value)) {
        forget(altsvc, &origin);
        return 0;
    }
    while (http_alternative_next(&value, now_s, &alternative) > 0) {
        int err;

        if (alternative.to.alpn == HTTP_ALPN_NONE)
            continue;
        if (taken++ == 0)
            forget(altsvc, &origin);
        alternative.from = origin;
        if (!alternative.to.host[0])
            memcpy(alternative.to.host, origin.host, sizeof(origin.host));
        err = add(altsvc, &alternative);
        if (err < 0)
            return err;
    }
    return taken;
}

const http_alternative_t *http_altsvc_find(http_altsvc_t *altsvc, http_alpn_e alpn,
                                           const char *host, uint16_t port, unsigned protocols,
                                           int64_t now_s)
{
    http_place_t origin;
    hlist_t *pos, *tmp;

    if (make_origin(alpn, host, port, &origin) < 0)
        return NULL;
    HLIST_FOREACH (pos, tmp, http_store__bucket(&altsvc->table, origin.host)) {
        const http_alternative_t *found = &HLIST_ENTRY(pos, entry_t, place.node)->alternative;

        if (same_place(&found->from, &origin) && found->expires_s > now_s &&
            (protocols & 1U << found->to.alpn))
            return found;
    }
    return NULL;
}

/* ---- files ----------------------------------------------------------------------------------- */

ssize_t http_altsvc_read(http_altsvc_t *altsvc, http_span_t text, int64_t now_s)
{
    ssize_t taken = 0;
    http_span_t line;

    while (http_store__line(&text, &line)) {
        http_alternative_t alternative;
        int err;

        if (line.len > HTTP_ALTSVC_LINE_MAX ||
            http_alternative_line_parse(line, &alternative) < 0 || alternative.expires_s <= now_s)
            continue;
        err = add(altsvc, &alternative);
        if (err < 0)
            return err;
        taken++;
    }
    return taken;
}

int http_altsvc_write(const http_altsvc_t *altsvc, int64_t now_s, hbytes_t *text)
{
    static const char head[] =
        "# Where else servers can be reached (Alt-Svc): protocol, host, port; "
        "the same\n# of the alternative; until when; persist, priority.\n";
    char line[HTTP_ALTERNATIVE_LINE_SIZE];
    int err = hbytes_append_str(text, head);

    for (const hlist_t *pos = altsvc->table.order.next; err == 0 && pos != &altsvc->table.order;
         pos = pos->next) {
        const http_alternative_t *alternative =
            &HLIST_ENTRY(pos, entry_t, place.order)->alternative;

        if (alternative->expires_s <= now_s ||
            http_alternative_line_write(alternative, line, sizeof(line)) < 0)
            continue;
        err = hbytes_printf(text, "%s\n", line);
    }
    return err;
}

ssize_t http_altsvc_load(http_altsvc_t *altsvc, const char *path, int64_t now_s)
{
    hbytes_t text = {0};
    ssize_t taken = hfile_read_named(path, HTTP_ALTSVC_FILE_MAX, &text);

    if (taken == 0)
        taken = http_altsvc_read(altsvc, (http_span_t){text.data, text.len}, now_s);
    hbytes_deinit(&text);
    return taken;
}

int http_altsvc_save(const http_altsvc_t *altsvc, const char *path, int64_t now_s)
{
    hbytes_t text = {0};
    int err = http_altsvc_write(altsvc, now_s, &text);

    if (err == 0)
        err = hfile_replace(path, text.data, text.len);
    hbytes_deinit(&text);
    return err;
}
