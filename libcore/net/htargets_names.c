/* Sources. A number has its target at once. A name is asked for when it comes, and again when its
 * answer's time is over (by its timer, which exists as long as it does and is only re-armed): an
 * answer is compared with what is there, a failure changes nothing. A service (SRV) does the same
 * with sources. */
#include "htargets_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"

#include <stdio.h>
#include <string.h>

#define REST_MS (INFINITE - 1)
#define US_PER_MS 1000U
#define MS_PER_S 1000U

static int ask(htarget_source_t *source);

/* ---- sources --------------------------------------------------------------------------------- */

static htarget_source_t *source_at(const hlist_t *node)
{
    return HLIST_ENTRY(node, htarget_source_t, link);
}

static void clear_targets(htarget_source_t *source)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &source->targets)
        htarget__remove(HLIST_ENTRY(node, htarget_t, link));
}

static void free_source(htarget_source_t *source)
{
    if (source->query)
        hdns_cancel(source->query);
    clear_targets(source);
    htimer_del(source->timer);
    hlist_remove(&source->link);
    hmem_free(source);
}

/* The sources of a service are those behind it. NULL: none more. */
static htarget_source_t *next_child(const htarget_source_t *service, const htarget_source_t *at)
{
    const hlist_t *next = at->link.next;

    if (next == &service->group->sources || source_at(next)->service != service)
        return NULL;
    return source_at(next);
}

void htargets__free_sources(htargets_t *group)
{
    while (!hlist_empty(&group->sources))
        free_source(source_at(group->sources.next));
}

bool htargets__is_pending(const htargets_t *group)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &group->sources) {
        if (source_at(node)->err == -EAGAIN)
            return true;
    }
    return false;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static const char *name_of(const htarget_source_t *source, char *buf, size_t size)
{
    if (source->srv)
        hstr_copy(buf, size, source->endpoint.host);
    else
        hendpoint_format(&source->endpoint, buf, size);
    return buf;
}

/* A name begins to fail, or does so no more: told by one process. */
static void set_result(htarget_source_t *source, int err, const char *why)
{
    char name[HTARGET_NAME_SIZE];
    bool failed = source->err != 0 && source->err != -EAGAIN;
    htargets_change_t change = {.event = err ? HTARGETS_NAME_FAILED : HTARGETS_NAME_BACK,
                                .name = name_of(source, name, sizeof(name)),
                                .address = ""};

    source->err = err;
    hstr_copy(source->why, sizeof(source->why), why);
    change.why = source->why;
    if (failed != (err != 0) && source->group->options.runs_checks)
        htargets__tell(source->group, &change);
}

/* ---- when it is asked again ------------------------------------------------------------------ */

static void on_timer(htimer_t *timer)
{
    htarget_source_t *source = hevent_userdata(timer);
    int err;

    htimer_reset(timer, REST_MS);
    err = ask(source);
    if (err) {
        set_result(source, err, herr_str(err));
        htimer_reset(timer, source->group->options.dns_min_ms);
    }
}

static void schedule(htarget_source_t *source, uint32_t ttl_s)
{
    const htargets_options_t *o = &source->group->options;
    uint64_t ms = (uint64_t)ttl_s * MS_PER_S;
    uint64_t max_ms = o->dns_max_ms;

    if (source->err && max_ms > HTARGETS_DNS_RETRY_MS)
        max_ms = HTARGETS_DNS_RETRY_MS;
    if (ms > max_ms || (source->err && ms == 0))
        ms = max_ms;
    if (ms < o->dns_min_ms)
        ms = o->dns_min_ms;
    source->next_us = hloop_now_hrtime(source->group->loop) + ms * US_PER_MS;
    htimer_reset(source->timer, (uint32_t)ms);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static htarget_t *find_target(htarget_source_t *source, const haddr_t *addr)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &source->targets) {
        htarget_t *target = HLIST_ENTRY(node, htarget_t, link);

        if (haddr_equal(&target->addr.u.sa, &addr->u.sa))
            return target;
    }
    return NULL;
}

/* What cannot be added for want of memory or room is tried again with the next answer. */
static int keep_address(htarget_source_t *source, haddr_t addr)
{
    htarget_t *target;
    int err = 0;

    haddr_set_port(&addr.u.sa, source->endpoint.port);
    target = find_target(source, &addr);
    if (!target)
        err = htarget__add(source, &addr, &target);
    if (target)
        target->seen = true;
    return err;
}

/* After an answer: what it had is known, what it had not is gone. */
static void settle(htarget_source_t *source)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &source->targets) {
        htarget_t *target = HLIST_ENTRY(node, htarget_t, link);

        if (target->seen)
            htarget__set_known(target, true);
        else
            htarget__remove(target);
    }
}

static void on_addrs(hdns_query_t *query, int err, const haddr_t *addrs, size_t count, void *arg)
{
    htarget_source_t *source = arg;
    hlist_t *node, *next;

    source->query = NULL;
    if (!err) {
        HLIST_FOREACH (node, next, &source->targets)
            HLIST_ENTRY(node, htarget_t, link)->seen = false;
        for (size_t i = 0; i < count; i++)
            err = keep_address(source, addrs[i]) == -ENOMEM ? -ENOMEM : err;
    }
    if (!err)
        settle(source);
    set_result(source, err, err == -ENOMEM ? herr_str(err) : hdns_error(query));
    schedule(source, hdns_ttl_s(query));
    htargets__wake(source->group);
}

/* ---- services -------------------------------------------------------------------------------- */

static htarget_source_t *new_source(htargets_t *group, hlist_t *before)
{
    htarget_source_t *source = hmem_zalloc(sizeof(*source));

    if (!source)
        return NULL;
    source->group = group;
    hlist_init(&source->targets);
    hlist_push_back(before, &source->link);
    return source;
}

/* A name that is followed: its timer, which only an answer sets, and the first question. */
static int follow(htarget_source_t *source)
{
    source->named = true;
    source->err = -EAGAIN;
    source->timer = htimer_add(source->group->loop, on_timer, REST_MS, INFINITE);
    if (!source->timer)
        return -ENOMEM;
    hevent_set_userdata(source->timer, source);
    return ask(source);
}

static htarget_source_t *find_child(const htarget_source_t *service, const char *host,
                                    uint16_t port)
{
    htarget_source_t *child = next_child(service, service);

    while (child && (child->endpoint.port != port || !hstr_ieq(child->endpoint.host, host)))
        child = next_child(service, child);
    return child;
}

static void set_order(htarget_source_t *source, uint16_t weight, uint16_t priority)
{
    hlist_t *node, *next;

    if (source->weight == weight && source->priority == priority)
        return;
    source->weight = weight;
    source->priority = priority;
    HLIST_FOREACH (node, next, &source->targets)
        htarget__set_order(HLIST_ENTRY(node, htarget_t, link), weight, priority);
}

/* A source of a service, behind the others of it. NULL: out of memory, or the name is none. */
static htarget_source_t *add_child(htarget_source_t *service, const char *host, uint16_t port)
{
    htarget_source_t *last = service, *child;

    while ((child = next_child(service, last)) != NULL)
        last = child;
    child = new_source(service->group, last->link.next);
    if (!child)
        return NULL;
    child->service = service;
    child->backup = service->backup;
    child->weight = 1;
    if (hendpoint_set(&child->endpoint, service->endpoint.scheme, host, port) == 0 &&
        follow(child) == 0)
        return child;
    free_source(child);
    return NULL;
}

/* A weight of 0 is "hardly ever" to RFC 2782: as little as there is. */
static int keep_record(htarget_source_t *service, const hdns_record_t *record, uint16_t best)
{
    uint16_t weight = record->weight ? record->weight : 1;
    htarget_source_t *child = find_child(service, record->text, record->port);

    if (!child)
        child = add_child(service, record->text, record->port);
    if (!child)
        return -ENOMEM;
    child->seen = true;
    set_order(child, weight, (uint16_t)(record->priority - best));
    return 0;
}

static void free_unseen(htarget_source_t *service)
{
    htarget_source_t *child = next_child(service, service), *last = service;

    while (child) {
        if (child->seen)
            last = child;
        else
            free_source(child);
        child = next_child(service, last);
    }
}

static int keep_records(htarget_source_t *service, const hdns_record_t *records, size_t count)
{
    uint16_t best = UINT16_MAX;
    int err = 0;

    for (size_t i = 0; i < count; i++)
        best = records[i].priority < best ? records[i].priority : best;
    for (htarget_source_t *c = next_child(service, service); c; c = next_child(service, c))
        c->seen = false;
    for (size_t i = 0; i < count; i++) {
        if (records[i].len > 0 && keep_record(service, &records[i], best) != 0)
            err = -ENOMEM;
    }
    return err;
}

/* One record whose target is "." says that the service is not there (RFC 2782). */
static void on_records(hdns_query_t *query, int err, const hdns_record_t *records, size_t count,
                       void *arg)
{
    htarget_source_t *service = arg;
    const char *why = hdns_error(query);

    service->query = NULL;
    if (!err) {
        err = keep_records(service, records, count);
        if (err) {
            why = herr_str(err);
        } else {
            free_unseen(service);
            if (!next_child(service, service)) {
                err = HERR_RESOLVE;
                why = "the service is not offered there";
            }
        }
    }
    set_result(service, err, why);
    schedule(service, hdns_ttl_s(query));
    htargets__wake(service->group);
}

static int ask(htarget_source_t *source)
{
    const htargets_options_t *o = &source->group->options;

    if (source->srv)
        return hdns_lookup(o->dns, source->endpoint.host, HDNS_SRV, on_records, source,
                           &source->query);
    return hdns_resolve(o->dns, source->endpoint.host, o->family, on_addrs, source, &source->query);
}

/* ---- what is known already ------------------------------------------------------------------- */

/* The source of a name that is known; of a service: the one of this record. NULL: none. */
static htarget_source_t *source_of(htarget_source_t *source, const htarget_slot_t *known)
{
    htarget_source_t *child;
    hendpoint_t endpoint;
    uint32_t order = known->order;

    if (!source->srv)
        return source;
    if (hendpoint_parse(&endpoint, known->name, NULL, 0) != 0)
        return NULL;
    child = find_child(source, endpoint.host, endpoint.port);
    if (!child)
        child = add_child(source, endpoint.host, endpoint.port);
    if (child)
        set_order(child, (uint16_t)(order >> 16), (uint16_t)order);
    return child;
}

/* What other processes know, or the configuration before did: nobody has to wait for the first
 * answer, and without name servers it goes on. */
static int begin_with_known(htarget_source_t *source)
{
    htargets_t *group = source->group;
    uint64_t now_ms = hloop_now_ms(group->loop);
    htarget_slot_t like = {0}, known;
    size_t at = 0;

    if (!group->options.share)
        return 0;
    hstr_copy(like.group, sizeof(like.group), group->name);
    if (source->srv)
        hstr_copy(like.service, sizeof(like.service), source->endpoint.host);
    else
        name_of(source, like.name, sizeof(like.name));
    while (
        htarget__next_known(group->options.share, &like, now_ms - HTARGETS_KNOWN_MS, &at, &known)) {
        htarget_source_t *owner = source_of(source, &known);

        if (!owner || keep_address(owner, known.addr) == -ENOMEM)
            return -ENOMEM;
        owner->err = 0;
        source->err = 0;
    }
    return 0;
}

/* ---- specs ----------------------------------------------------------------------------------- */

/* What needs no name server. False: it does. */
static bool get_number(const hendpoint_t *endpoint, haddr_t *addr)
{
    if (hendpoint_is_unix(endpoint))
        return haddr_unix(addr, endpoint->path) == 0;
    if (endpoint->host[0] == '\0') {
        haddr_loopback(addr, AF_INET, endpoint->port);
        return true;
    }
    return haddr_parse(addr, endpoint->host, endpoint->port) == 0;
}

int htargets__add_source(htargets_t *group, const htarget_spec_t *spec)
{
    htarget_source_t *source = new_source(group, &group->sources);
    htarget_t *target;
    haddr_t addr;
    int err;

    if (!source)
        return -ENOMEM;
    source->endpoint = spec->endpoint;
    source->srv = spec->srv;
    source->backup = spec->backup;
    source->weight = spec->weight ? spec->weight : 1;
    if (!spec->srv && get_number(&spec->endpoint, &addr))
        return htarget__add(source, &addr, &target);
    if (!group->options.dns || hendpoint_is_unix(&spec->endpoint))
        return -EINVAL;
    err = follow(source);
    return err ? err : begin_with_known(source);
}

void htargets_each_name(const htargets_t *group, htargets_each_name_cb cb, void *arg)
{
    uint64_t now_us = hloop_now_hrtime(group->loop);
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &group->sources) {
        const htarget_source_t *source = source_at(node);
        char name[HTARGET_NAME_SIZE];
        htargets_name_info_t info = {.srv = source->srv, .err = source->err, .why = source->why};
        const hlist_t *at;

        if (!source->named)
            continue;
        info.name = name_of(source, name, sizeof(name));
        for (at = source->targets.next; at != &source->targets; at = at->next)
            info.addresses++;
        for (const htarget_source_t *c = source->srv ? next_child(source, source) : NULL; c;
             c = next_child(source, c))
            info.addresses++;
        if (!source->query && source->next_us > now_us)
            info.next_ms = (source->next_us - now_us) / US_PER_MS;
        cb(&info, arg);
    }
}
