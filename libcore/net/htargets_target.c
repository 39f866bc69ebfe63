/* One target. What is known of it lies in its slot, which other processes may change at any time:
 * states of a word are exchanged there, by compare-and-swap around the pure functions of
 * hbalance. */
#include "htargets_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"

#include <stdio.h>
#include <string.h>

#define US_PER_MS 1000U

static uint64_t now_ms(const htargets_t *group)
{
    return hloop_now_hrtime(group->loop) / US_PER_MS;
}

/* ---- states of a word ------------------------------------------------------------------------ */

typedef bool (*eject_change_cb)(heject_t *state, const heject_options_t *options, uint64_t ms);

static bool succeeded(heject_t *state, const heject_options_t *options, uint64_t ms)
{
    (void)options;
    (void)ms;
    return heject_succeeded(state);
}

static heject_t to_eject(uint64_t word)
{
    heject_t state;

    memcpy(&state, &word, sizeof(state));
    return state;
}

/* Whether the change itself says true; not so when another process was quicker. */
static bool change_eject(htarget_t *target, eject_change_cb change)
{
    uint64_t before = atomic_load(&target->slot->ejection), after;
    heject_t state;
    bool result;

    do {
        state = to_eject(before);
        result = change(&state, &target->group->eject, now_ms(target->group));
        memcpy(&after, &state, sizeof(after));
    } while (after != before &&
             !atomic_compare_exchange_weak(&target->slot->ejection, &before, after));
    return result;
}

static hhealth_t to_health(uint32_t word)
{
    hhealth_t health;

    memcpy(&health, &word, sizeof(health));
    return health;
}

static hhealth_t health_of(const htarget_t *target)
{
    return to_health(atomic_load_explicit(&target->slot->health, memory_order_relaxed));
}

static bool change_health(htarget_t *target, bool ok)
{
    const hcheck_options_t *o = &target->group->check;
    uint32_t before = atomic_load(&target->slot->health), after;
    hhealth_t health;
    bool result;

    do {
        health = to_health(before);
        result = hhealth_result(&health, ok, o->rise, o->fall);
        memcpy(&after, &health, sizeof(after));
    } while (after != before &&
             !atomic_compare_exchange_weak(&target->slot->health, &before, after));
    return result;
}

static bool is_ejectable(const htarget_t *target)
{
    return target->group && target->group->eject.failures > 0;
}

hbalance_state_e htarget__balance_state(const htarget_t *target, uint64_t ms)
{
    heject_t ejection;

    if (target->group->check.kind && health_of(target).state == HHEALTH_DOWN)
        return HBALANCE_OUT;
    if (!is_ejectable(target))
        return HBALANCE_IN;
    ejection = to_eject(atomic_load_explicit(&target->slot->ejection, memory_order_relaxed));
    return heject_is_open(&ejection, ms) ? HBALANCE_IN : HBALANCE_EJECTED;
}

static htarget_state_e state_of(const htarget_t *target)
{
    if (!target->source)
        return HTARGET_DRAINING;
    if (target->group->check.kind && health_of(target).state == HHEALTH_DOWN)
        return HTARGET_DOWN;
    if (is_ejectable(target) && to_eject(atomic_load(&target->slot->ejection)).times > 0)
        return HTARGET_EJECTED;
    return HTARGET_UP;
}

/* ---- what is told ---------------------------------------------------------------------------- */

const char *htarget__why(const htarget_t *target, char *buf, size_t size)
{
    int err = atomic_load(&target->slot->error), status = atomic_load(&target->slot->status);

    if (err == 0)
        hstr_copy(buf, size, "");
    else if (status)
        snprintf(buf, size, "HTTP status %d", status);
    else
        hstr_copy(buf, size, herr_str(err));
    return buf;
}

static void tell(htarget_t *target, htargets_event_e event, const char *why)
{
    htargets_change_t change = {.event = event,
                                .target = target,
                                .name = target->slot->name,
                                .address = target->slot->address,
                                .why = why};

    htargets__tell(target->group, &change);
}

static void tell_state(htarget_t *target, htargets_event_e event, const char *why)
{
    atomic_store(&target->slot->changed_ms, hloop_now_ms(target->group->loop));
    tell(target, event, why);
}

/* Of names every process learns by itself: one of them speaks; not of what was known before. */
static void tell_membership(htarget_t *target, htargets_event_e event)
{
    if (target->group->options.runs_checks && target->source->named && !target->group->beginning)
        tell(target, event, "");
}

/* ---- checks ---------------------------------------------------------------------------------- */

static void on_check(hcheck_t *check, const hcheck_result_t *result, void *arg)
{
    htarget_t *target = arg;
    htarget_slot_t *slot = target->slot;

    (void)check;
    atomic_fetch_add(&slot->checks, 1);
    if (result->err) {
        atomic_fetch_add(&slot->check_failures, 1);
        atomic_store(&slot->status, result->status);
        atomic_store(&slot->error, result->err);
    }
    if (change_health(target, result->err == 0))
        tell_state(target, result->err ? HTARGETS_DOWN : HTARGETS_UP, result->why);
}

/* One set of options serves targets of all schemes. */
hcheck_options_t htarget__check_options(const hcheck_options_t *check, const hendpoint_t *endpoint)
{
    hcheck_options_t options = *check;

    options.datagram = hendpoint_socktype(endpoint) == SOCK_DGRAM;
    if (options.kind != HCHECK_TLS && endpoint->scheme != HENDPOINT_TLS)
        options.tls = NULL;
    if (options.datagram)
        options.proxy_protocol = 0;
    return options;
}

static int start_check(htarget_t *target)
{
    hcheck_options_t options = htarget__check_options(&target->group->check, &target->endpoint);
    hendpoint_t plain = target->endpoint;
    const char *host = target->endpoint.host;
    char text[HENDPOINT_FORMAT_SIZE];

    if (!options.kind || !target->group->options.runs_checks)
        return 0;
    if (!options.tls_name)
        options.tls_name = host;
    if (options.port)
        plain.port = options.port;
    plain.scheme = HENDPOINT_TCP;
    if (!options.http_host && host[0])
        options.http_host = hendpoint_format(&plain, text, sizeof(text));
    return hcheck_new(target->group->loop, &target->addr, &options, on_check, target,
                      &target->check);
}

/* ---- coming and going ------------------------------------------------------------------------ */

uint32_t htarget__order(const htarget_t *target)
{
    return target->priority + (target->backup ? HTARGET_BACKUP_ORDER : 0);
}

static void publish_order(htarget_t *target)
{
    atomic_store(&target->slot->order, (uint32_t)target->weight << 16 | target->priority);
}

void htarget__set_order(htarget_t *target, uint16_t weight, uint16_t priority)
{
    target->weight = weight;
    target->priority = priority;
    publish_order(target);
    htargets__update(target->group, target);
}

void htarget__set_known(htarget_t *target, bool known)
{
    atomic_store(&target->slot->known_ms, known ? hloop_now_ms(target->group->loop) : 0);
}

static void free_target(htarget_t *target)
{
    hcheck_free(target->check);
    hlist_remove(&target->link);
    if (target->slot)
        htarget__unhold(target->share, target->worker, target->slot);
    hmem_free(target);
}

/* Its names, as the slot keeps them: the scheme is said of an end point that is no TCP. */
static void get_names(const htarget_source_t *source, const haddr_t *addr, htarget_slot_t *like)
{
    memset((void *)like, 0, sizeof(*like));
    like->addr = *addr;
    hstr_copy(like->group, sizeof(like->group), source->group->name);
    if (source->service)
        hstr_copy(like->service, sizeof(like->service), source->service->endpoint.host);
    hendpoint_format(&source->endpoint, like->name, sizeof(like->name));
    haddr_format(&addr->u.sa, addr->len, like->address, sizeof(like->address));
}

static bool is_same(const htarget_slot_t *a, const htarget_slot_t *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->address, b->address) == 0;
}

static htarget_t *find_draining(const htargets_t *group, const htarget_slot_t *like)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &group->draining) {
        htarget_t *target = HLIST_ENTRY(node, htarget_t, link);

        if (is_same(target->slot, like))
            return target;
    }
    return NULL;
}

static bool is_listed(const htargets_t *group, const htarget_slot_t *like)
{
    for (size_t i = 0; i < group->count; i++) {
        if (is_same(group->targets[i]->slot, like))
            return true;
    }
    return false;
}

static htarget_t *new_target(htarget_source_t *source, const haddr_t *addr,
                             const htarget_slot_t *like)
{
    htargets_t *group = source->group;
    htarget_t *target = hmem_zalloc(sizeof(*target));

    if (!target)
        return NULL;
    target->group = group;
    target->share = group->options.share;
    target->worker = group->options.worker;
    target->addr = *addr;
    target->endpoint = source->endpoint;
    target->slot = htarget__hold(target->share, target->worker, like, hloop_now_ms(group->loop));
    if (!target->slot) {
        free_target(target);
        return NULL;
    }
    target->cell = htarget__cell(target->share, target->slot, target->worker);
    return target;
}

int htarget__add(htarget_source_t *source, const haddr_t *addr, htarget_t **out)
{
    htargets_t *group = source->group;
    htarget_slot_t like;
    htarget_t *target;
    int err;

    get_names(source, addr, &like);
    *out = NULL;
    if (is_listed(group, &like))
        return 0; /* of a spec that was given twice */
    target = find_draining(group, &like);
    if (!target)
        target = new_target(source, addr, &like);
    if (!target)
        return -ENOMEM;
    hlist_remove(&target->link);
    target->source = source;
    target->backup = source->backup;
    target->weight = source->weight;
    target->priority = source->priority;
    publish_order(target);
    err = htargets__enlist(group, target);
    if (!err) {
        hlist_push_back(&source->targets, &target->link);
        err = start_check(target);
        if (!err) {
            tell_membership(target, HTARGETS_ADDED);
            *out = target;
            return 0;
        }
        htargets__delist(group, target);
        hlist_remove(&target->link);
    }
    target->source = NULL;
    if (target->refs > 0)
        hlist_push_back(&group->draining, &target->link);
    else
        free_target(target);
    return err;
}

void htarget__remove(htarget_t *target)
{
    htargets_t *group = target->group;

    htargets__delist(group, target);
    hcheck_free(target->check);
    target->check = NULL;
    if (!group->closed) {
        htarget__set_known(target, false);
        tell_membership(target, HTARGETS_REMOVED);
    }
    target->source = NULL;
    hlist_remove(&target->link);
    if (target->refs > 0)
        hlist_push_back(&group->draining, &target->link);
    else
        free_target(target);
}

void htarget__orphan(htarget_t *target)
{
    hlist_remove(&target->link);
    target->group = NULL;
}

/* ---- connections ----------------------------------------------------------------------------- */

bool htarget__take(htarget_t *target, uint64_t ms)
{
    heject_t ejection = to_eject(atomic_load(&target->slot->ejection));
    _Atomic uint32_t *active = &target->cell->n.active;

    if (is_ejectable(target) && ejection.times > 0 && heject_is_open(&ejection, ms) &&
        !change_eject(target, heject_try))
        return false;
    target->refs++;
    atomic_store_explicit(active, atomic_load_explicit(active, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    htarget__add_to(&target->cell->n.connections, 1);
    return true;
}

void htarget_connected(htarget_t *target)
{
    if (!is_ejectable(target) ||
        atomic_load_explicit(&target->slot->ejection, memory_order_relaxed) == 0)
        return;
    if (change_eject(target, succeeded))
        tell_state(target, HTARGETS_RETURNED, "");
}

void htarget_failed(htarget_t *target, int err)
{
    char why[HTARGETS_WHY_SIZE];

    htarget__add_to(&target->cell->n.failures, 1);
    atomic_store(&target->slot->status, 0);
    atomic_store(&target->slot->error, err);
    if (!is_ejectable(target) || !change_eject(target, heject_failed))
        return;
    atomic_fetch_add(&target->slot->ejections, 1);
    snprintf(why, sizeof(why), "%s", herr_str(err));
    tell_state(target, HTARGETS_EJECTED, why);
}

void htarget_count(htarget_t *target, uint64_t to_bytes, uint64_t from_bytes)
{
    htarget__add_to(&target->cell->n.to_bytes, to_bytes);
    htarget__add_to(&target->cell->n.from_bytes, from_bytes);
}

void htarget_release(htarget_t *target, uint64_t to_bytes, uint64_t from_bytes)
{
    _Atomic uint32_t *active = &target->cell->n.active;

    htarget_count(target, to_bytes, from_bytes);
    atomic_store_explicit(active, atomic_load_explicit(active, memory_order_relaxed) - 1,
                          memory_order_relaxed);
    target->refs--;
    if (target->refs == 0 && !target->source)
        free_target(target);
}

/* ---- asking ---------------------------------------------------------------------------------- */

const haddr_t *htarget_addr(const htarget_t *target)
{
    return &target->addr;
}

const hendpoint_t *htarget_endpoint(const htarget_t *target)
{
    return &target->endpoint;
}

const char *htarget_tls_name(const htarget_t *target)
{
    return target->endpoint.host[0] ? target->endpoint.host : NULL;
}

const char *htarget_name(const htarget_t *target)
{
    return target->slot->name;
}

const char *htarget_address(const htarget_t *target)
{
    return target->slot->address;
}

const char *htarget_state_name(htarget_state_e state)
{
    static const char *const names[] = {"up", "down", "ejected", "draining"};

    return names[state];
}

uint32_t htarget__active(const htarget_t *target)
{
    size_t count;
    const htarget_cell_t *cells = htarget__cells(target->share, target->slot, &count);
    uint32_t active = 0;

    for (size_t i = 0; i < count; i++)
        active += atomic_load_explicit(&cells[i].n.active, memory_order_relaxed);
    return active;
}

static void sum_up(const htarget_t *target, htarget_info_t *info)
{
    size_t count;
    const htarget_cell_t *cells = htarget__cells(target->share, target->slot, &count);

    for (size_t i = 0; i < count; i++) {
        info->active += atomic_load_explicit(&cells[i].n.active, memory_order_relaxed);
        info->connections += atomic_load_explicit(&cells[i].n.connections, memory_order_relaxed);
        info->failures += atomic_load_explicit(&cells[i].n.failures, memory_order_relaxed);
        info->to_bytes += atomic_load_explicit(&cells[i].n.to_bytes, memory_order_relaxed);
        info->from_bytes += atomic_load_explicit(&cells[i].n.from_bytes, memory_order_relaxed);
    }
}

void htarget_info(const htarget_t *target, htarget_info_t *info)
{
    htarget_slot_t *slot = target->slot;

    *info = (htarget_info_t){.name = slot->name,
                             .address = slot->address,
                             .weight = target->weight,
                             .backup = target->backup,
                             .order = target->priority,
                             .state = state_of(target),
                             .checked = health_of(target).state != HHEALTH_UNKNOWN,
                             .since_ms = atomic_load(&slot->changed_ms),
                             .ejections = atomic_load(&slot->ejections),
                             .checks = atomic_load(&slot->checks),
                             .check_failures = atomic_load(&slot->check_failures),
                             .error = atomic_load(&slot->error)};
    htarget__why(target, info->why, sizeof(info->why));
    sum_up(target, info);
}
