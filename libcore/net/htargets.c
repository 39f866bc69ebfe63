/* The group. Its candidates lie in one array, the targets in another beside it, in the same order:
 * picking brings the candidates up to date and leaves the choice to hbalance. */
#include "htargets_int.h"

#include "../base/hbuf.h"
#include "../base/hmem.h"
#include "../base/hstr.h"

#include <stdio.h>
#include <string.h>

#define US_PER_MS 1000U
#define CAP_MIN 8

static uint64_t now_ms(const htargets_t *group)
{
    return hloop_now_hrtime(group->loop) / US_PER_MS;
}

/* ---- candidates ------------------------------------------------------------------------------ */

static int grow(htargets_t *group)
{
    size_t cap = group->cap ? group->cap * 2 : CAP_MIN;
    hbalance_candidate_t *candidates = hmem_realloc(group->candidates, cap * sizeof(*candidates));
    htarget_t **targets;

    if (!candidates)
        return -ENOMEM;
    group->candidates = candidates;
    targets = hmem_realloc((void *)group->targets, cap * sizeof(*targets));
    if (!targets)
        return -ENOMEM;
    group->targets = targets;
    group->cap = cap;
    return 0;
}

static uint64_t hash_of(const htarget_t *target)
{
    uint64_t parts[] = {hbalance_hash(target->slot->name, strlen(target->slot->name)),
                        hbalance_hash(target->slot->address, strlen(target->slot->address))};

    return hbalance_hash(parts, sizeof(parts));
}

static uint16_t next_id(htargets_t *group)
{
    group->last_id = group->last_id < UINT16_MAX ? (uint16_t)(group->last_id + 1) : 1;
    return group->last_id;
}

int htargets__enlist(htargets_t *group, htarget_t *target)
{
    int err = 0;

    if (group->count == HTARGETS_MAX)
        return -ENOBUFS;
    if (group->count == group->cap)
        err = grow(group);
    if (err)
        return err;
    if (target->id == 0)
        target->id = next_id(group);
    group->targets[group->count] = target;
    group->candidates[group->count] = (hbalance_candidate_t){
        .weight = target->weight, .level = htarget__order(target), .hash = hash_of(target)};
    group->count++;
    return 0;
}

static size_t index_of(const htargets_t *group, const htarget_t *target)
{
    size_t i = 0;

    while (group->targets[i] != target)
        i++;
    return i;
}

void htargets__delist(htargets_t *group, const htarget_t *target)
{
    size_t i = index_of(group, target), behind = --group->count - i;

    memmove((void *)&group->targets[i], (void *)&group->targets[i + 1],
            behind * sizeof(group->targets[0]));
    memmove(&group->candidates[i], &group->candidates[i + 1],
            behind * sizeof(group->candidates[0]));
}

void htargets__update(htargets_t *group, const htarget_t *target)
{
    hbalance_candidate_t *candidate = &group->candidates[index_of(group, target)];

    candidate->weight = target->weight;
    candidate->level = htarget__order(target);
}

/* ---- picking --------------------------------------------------------------------------------- */

static bool was_tried(const htarget_tried_t *tried, uint16_t id)
{
    for (uint16_t i = 0; tried && i < tried->count; i++) {
        if (tried->ids[i] == id)
            return true;
    }
    return false;
}

static void refresh(htargets_t *group, const htarget_tried_t *tried, uint64_t ms)
{
    for (size_t i = 0; i < group->count; i++) {
        hbalance_candidate_t *candidate = &group->candidates[i];

        candidate->state = htarget__balance_state(group->targets[i], ms);
        candidate->tried = was_tried(tried, group->targets[i]->id);
        if (group->options.method == HBALANCE_LEAST_CONNECTIONS)
            candidate->active = htarget__active(group->targets[i]);
    }
}

/* Without the port: a client's connections go the same way. 0: it has no address. */
static uint64_t source_hash(const haddr_t *client)
{
    haddr_t addr;

    if (!client)
        return 0;
    addr = *client;
    haddr_unmap(&addr);
    if (addr.u.sa.sa_family == AF_INET)
        return hbalance_hash(&addr.u.sin.sin_addr, sizeof(addr.u.sin.sin_addr));
    if (addr.u.sa.sa_family == AF_INET6)
        return hbalance_hash(&addr.u.sin6.sin6_addr, sizeof(addr.u.sin6.sin6_addr));
    return 0;
}

static int why_none(const htargets_t *group)
{
    if (htargets__is_pending(group))
        return -EAGAIN;
    return group->count == 0 ? HERR_RESOLVE : -EHOSTUNREACH;
}

int htargets_pick(htargets_t *group, const haddr_t *client, htarget_tried_t *tried,
                  htarget_t **target)
{
    bool by_source = group->options.method == HBALANCE_SOURCE_HASH;
    uint64_t source = by_source ? source_hash(client) : 0, ms = now_ms(group);

    if (tried && tried->count >= HTARGETS_TRIES_MAX)
        return -EHOSTUNREACH;
    refresh(group, tried, ms);
    for (size_t i = 0; i <= group->count; i++) {
        int n = hbalance_pick(group->options.method, source, group->candidates, group->count);

        if (n < 0)
            break;
        if (htarget__take(group->targets[n], ms)) {
            *target = group->targets[n];
            if (tried)
                tried->ids[tried->count++] = (*target)->id;
            return 0;
        }
        group->candidates[n].state = HBALANCE_EJECTED; /* another process makes its trial */
    }
    return why_none(group);
}

static size_t count_up_to(const htargets_t *group, hbalance_state_e worst)
{
    size_t count = 0;

    for (size_t i = 0; i < group->count; i++)
        count += htarget__balance_state(group->targets[i], now_ms(group)) <= worst;
    return count;
}

size_t htargets_usable(const htargets_t *group)
{
    return count_up_to(group, HBALANCE_EJECTED);
}

/* ---- waiting --------------------------------------------------------------------------------- */

void htargets_wait(htargets_t *group, htargets_wait_t *wait, htargets_wait_cb cb, void *arg)
{
    wait->cb = cb;
    wait->arg = arg;
    hlist_push_back(&group->waiters, &wait->link);
}

void htargets_wait_cancel(htargets_wait_t *wait)
{
    hlist_remove(&wait->link);
}

static void call_waiter(hlist_t *node, int err)
{
    htargets_wait_t *wait = HLIST_ENTRY(node, htargets_wait_t, link);

    wait->cb(wait, err, wait->arg);
}

static void free_memory(htargets_t *group)
{
    hmem_free(group->candidates);
    hmem_free((void *)group->targets);
    hmem_free(group);
}

static void ignore(htargets_wait_t *wait, int err, void *arg)
{
    (void)wait;
    (void)err;
    (void)arg;
}

/* Those who wait again within their callback are behind the mark. */
void htargets__wake(htargets_t *group)
{
    htargets_wait_t mark = {.cb = ignore};
    hlist_t *node;

    if (hlist_empty(&group->waiters) || (group->count == 0 && htargets__is_pending(group)))
        return;
    hlist_push_back(&group->waiters, &mark.link);
    group->busy++;
    while ((node = hlist_pop_front(&group->waiters)) != NULL && node != &mark.link)
        call_waiter(node, 0);
    if (--group->busy == 0 && group->closed)
        free_memory(group);
}

/* ---- telling --------------------------------------------------------------------------------- */

void htargets__tell(htargets_t *group, const htargets_change_t *change)
{
    htargets_change_t told = *change;

    if (!group->options.on_change)
        return;
    told.group = group;
    told.left = count_up_to(group, HBALANCE_IN);
    group->options.on_change(&told, group->options.arg);
}

static void say_names(const htargets_t *group, hbytes_t *text)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &group->sources) {
        const htarget_source_t *source = HLIST_ENTRY(node, htarget_source_t, link);

        if (source->err != 0 && source->err != -EAGAIN)
            hbytes_printf(text, "%s%s: %s", text->len ? ", " : "", source->endpoint.host,
                          source->why);
    }
    if (text->len == 0)
        hbytes_append_str(text, "no name has an address");
}

static void say_targets(const htargets_t *group, hbytes_t *text)
{
    uint64_t ms = now_ms(group);

    hbytes_printf(text, "no target is left of %zu: ", group->count);
    for (size_t i = 0; i < group->count; i++) {
        const htarget_t *target = group->targets[i];
        bool down = htarget__balance_state(target, ms) == HBALANCE_OUT;
        char why[HTARGET_WHY_SIZE];

        htarget__why(target, why, sizeof(why));
        hbytes_printf(text, "%s%s %s%s%s%s", i ? ", " : "", target->slot->address,
                      down ? "is down" : "was tried", why[0] ? " (" : "", why, why[0] ? ")" : "");
    }
}

const char *htargets_why(const htargets_t *group, char *buf, size_t size)
{
    hbytes_t text;

    hbytes_init(&text, HTARGETS_WHY_SIZE); /* what does not fit is left out */
    if (group->count > 0)
        say_targets(group, &text);
    else if (htargets__is_pending(group))
        hbytes_append_str(&text, "names are being resolved");
    else
        say_names(group, &text);
    hstr_copy(buf, size, text.len ? text.data : "no target is left");
    hbytes_deinit(&text);
    return buf;
}

static void each_of(const hlist_t *list, htargets_each_cb cb, void *arg)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, list) {
        htarget_info_t info;

        htarget_info(HLIST_ENTRY(node, htarget_t, link), &info);
        cb(&info, arg);
    }
}

void htargets_each(const htargets_t *group, htargets_each_cb cb, void *arg)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &group->sources)
        each_of(&HLIST_ENTRY(node, htarget_source_t, link)->targets, cb, arg);
    each_of(&group->draining, cb, arg);
}

const char *htargets_name(const htargets_t *group)
{
    return group->name;
}

/* ---- the group ------------------------------------------------------------------------------- */

static void set_options(htargets_t *group, const htargets_options_t *options)
{
    htargets_options_t *o = &group->options;

    *o = *options;
    o->dns_min_ms = o->dns_min_ms ?: HTARGETS_DNS_MIN_MS;
    o->dns_max_ms = o->dns_max_ms ?: HTARGETS_DNS_MAX_MS;
    if (o->eject_failures >= 0)
        group->eject.failures = (uint32_t)o->eject_failures ?: HTARGETS_EJECT_FAILURES;
    group->eject.out_ms = o->eject_ms ?: HTARGETS_EJECT_MS;
    group->eject.out_max_ms = o->eject_max_ms ?: HTARGETS_EJECT_MAX_MS;
    if (!o->check)
        return;
    group->check = *o->check;
    group->check.rise = group->check.rise ?: HCHECK_RISE;
    group->check.fall = group->check.fall ?: HCHECK_FALL;
    if (group->check.tls)
        htls_ctx_ref(group->check.tls);
}

static bool is_valid_spec(const htarget_spec_t *spec, const hcheck_options_t *check)
{
    hcheck_options_t options;

    if (spec->srv && hendpoint_is_unix(&spec->endpoint))
        return false;
    if (!check || !check->kind)
        return true;
    options = htarget__check_options(check, &spec->endpoint);
    return hcheck_is_valid(&options);
}

static int validate(const htargets_options_t *o)
{
    if (!o->name || !o->specs || o->spec_count == 0 || o->spec_count > HTARGETS_SPECS_MAX)
        return -EINVAL;
    if (strlen(o->name) >= HTARGETS_NAME_SIZE)
        return -ENAMETOOLONG;
    if (o->eject_failures > HEJECT_FAILURES_MAX || o->method > HBALANCE_SOURCE_HASH)
        return -EINVAL;
    if (o->dns_min_ms > INT32_MAX || o->dns_max_ms > INT32_MAX ||
        (o->dns_min_ms ?: HTARGETS_DNS_MIN_MS) > (o->dns_max_ms ?: HTARGETS_DNS_MAX_MS))
        return -EINVAL;
    if (o->share && !htarget__is_worker(o->share, o->worker))
        return -EINVAL;
    for (size_t i = 0; i < o->spec_count; i++) {
        if (!is_valid_spec(&o->specs[i], o->check))
            return -EINVAL;
    }
    return 0;
}

int htargets_new(hloop_t *loop, const htargets_options_t *options, htargets_t **out)
{
    htargets_t *group;
    int err = validate(options);

    if (err)
        return err;
    group = hmem_zalloc(sizeof(*group));
    if (!group)
        return -ENOMEM;
    group->loop = loop;
    hstr_copy(group->name, sizeof(group->name), options->name);
    hlist_init(&group->sources);
    hlist_init(&group->draining);
    hlist_init(&group->waiters);
    set_options(group, options);
    group->beginning = true;
    for (size_t i = 0; i < options->spec_count && !err; i++)
        err = htargets__add_source(group, &options->specs[i]);
    group->beginning = false;
    if (err) {
        htargets_free(group);
        return err;
    }
    *out = group;
    return 0;
}

void htargets_stop_checks(htargets_t *group)
{
    group->options.runs_checks = false;
    for (size_t i = 0; i < group->count; i++) {
        hcheck_free(group->targets[i]->check);
        group->targets[i]->check = NULL;
    }
}

void htargets_free(htargets_t *group)
{
    hlist_t *node;

    if (!group)
        return;
    group->closed = true;
    htargets__free_sources(group);
    while (!hlist_empty(&group->draining))
        htarget__orphan(HLIST_ENTRY(group->draining.next, htarget_t, link));
    htls_ctx_free(group->check.tls);
    while ((node = hlist_pop_front(&group->waiters)) != NULL)
        call_waiter(node, -ECANCELED);
    if (group->busy == 0)
        free_memory(group);
}
