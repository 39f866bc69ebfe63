/* Each address once: the space of addresses is cut where a range begins or ends, and each piece
 * belongs to the first range that has it. Lists of octets are asked one by one. */
#include "targets_int.h"

#include "base/hmem.h"

#include <stdlib.h>

#define NOBODY UINT64_MAX

/* Addresses that follow one another, and the index of the first. */
typedef struct span_s {
    place_t first;
    ip_t last;
    uint64_t start;
} span_t;

static int compare(const place_t *a, const place_t *b)
{
    if (a->zone != b->zone)
        return a->zone < b->zone ? -1 : 1;
    return ip_compare(a->ip, b->ip);
}

static int by_place(const void *a, const void *b)
{
    return compare(&((const first_t *)a)->from, &((const first_t *)b)->from);
}

/* ---- what there is --------------------------------------------------------------------------- */

static int add_span(list_t *spans, const place_t *first, uint64_t count, uint64_t start)
{
    const span_t span = {*first, ip_add(first->ip, count - 1), start};

    return targets__append(spans, &span, sizeof(span), UINT32_MAX);
}

/* A name has a span for each of its addresses. */
static int add_name(list_t *spans, const targets_t *targets, const name_t *name, uint64_t start,
                    uint64_t count)
{
    const place_t *places = targets->places.items;
    uint64_t each = name->count > 0 ? count / name->count : 0;
    int err = 0;

    for (uint32_t i = 0; i < name->count && err == 0; i++) {
        place_t first = places[name->first + i];
        ip_t last;

        targets__network(first.ip, name->bits, targets->family_bits, &first.ip, &last);
        err = add_span(spans, &first, each, start + i * each);
    }
    return err;
}

static int add_word(list_t *spans, targets_t *targets, uint32_t number)
{
    const word_t *word = &((const word_t *)targets->words.items)[number];
    bool is_last = number + 1 == targets->words.count;
    uint64_t count = (is_last ? targets->count : word[1].start) - word->start;
    place_t place = {.ip = {0, word->value}};

    if (count == 0)
        return 0;
    if (word->kind == WORD_SETS)
        return targets__append(&targets->set_starts, &word->start, sizeof(word->start),
                               TARGETS_SETS_MAX);
    if (word->kind == WORD_NAME)
        return add_name(spans, targets, &((const name_t *)targets->names.items)[word->value],
                        word->start, count);
    if (targets->family == AF_INET6)
        place = ((const place_t *)targets->places.items)[word->value];
    return add_span(spans, &place, count, word->start);
}

/* ---- whose it is ----------------------------------------------------------------------------- */

static int add_first(list_t *firsts, place_t place)
{
    const first_t first = {place, NOBODY};

    return targets__append(firsts, &first, sizeof(first), UINT32_MAX);
}

/* Where each span begins, and behind each: in order, each place once. */
static int cut(list_t *firsts, const list_t *spans)
{
    first_t *all;
    uint32_t kept = 0;
    int err = 0;

    for (uint32_t i = 0; i < spans->count && err == 0; i++) {
        const span_t *span = &((const span_t *)spans->items)[i];
        const place_t behind = {ip_add(span->last, 1), span->first.zone};

        err = add_first(firsts, span->first);
        if (err == 0 && ip_compare(behind.ip, span->last) > 0)
            err = add_first(firsts, behind);
    }
    if (err < 0 || firsts->count == 0)
        return err;
    all = firsts->items;
    qsort(all, firsts->count, sizeof(*all), by_place);
    for (uint32_t i = 1; i < firsts->count; i++)
        if (by_place(&all[kept], &all[i]) != 0)
            all[++kept] = all[i];
    firsts->count = kept + 1;
    return 0;
}

/* The piece that a place is in; false: it is in front of all. */
static bool find(const list_t *firsts, const place_t *place, uint32_t *at)
{
    const first_t *all = firsts->items;
    uint32_t low = 0, high = firsts->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (compare(&all[middle].from, place) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low - 1;
    return low > 0;
}

/* The next piece from `at` on that is nobody's: next leads on over those that are somebody's, and
 * is made shorter on the way. */
static uint32_t next_free(uint32_t *next, uint32_t at)
{
    while (next[at] != at) {
        next[at] = next[next[at]];
        at = next[at];
    }
    return at;
}

static int share_out(list_t *firsts, const list_t *spans)
{
    first_t *all = firsts->items;
    uint32_t *next = hmem_array((size_t)firsts->count + 1, sizeof(*next));

    if (next == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i <= firsts->count; i++)
        next[i] = i;
    for (uint32_t i = 0; i < spans->count; i++) {
        const span_t *span = &((const span_t *)spans->items)[i];
        const place_t last = {span->last, span->first.zone};
        uint32_t at;

        if (!find(firsts, &span->first, &at))
            continue;
        for (at = next_free(next, at); at < firsts->count && compare(&all[at].from, &last) <= 0;
             at = next_free(next, at)) {
            all[at].start = span->start;
            next[at] = at + 1;
        }
    }
    hmem_free(next);
    return 0;
}

int targets_unique(targets_t *targets)
{
    list_t spans = {0};
    int err = 0;

    for (uint32_t i = 0; i < targets->words.count && err == 0; i++)
        err = add_word(&spans, targets, i);
    if (err == 0)
        err = cut(&targets->firsts, &spans);
    if (err == 0 && targets->firsts.count > 0)
        err = share_out(&targets->firsts, &spans);
    hmem_free(spans.items);
    targets->is_unique = err == 0;
    return err == 0 ? 0 : -ENOMEM;
}

bool targets__was_before(const targets_t *targets, const place_t *place, uint64_t start)
{
    const first_t *all = targets->firsts.items;
    const uint64_t *set_starts = targets->set_starts.items;
    const octets_t *sets = targets->sets.items;
    uint32_t at;

    if (find(&targets->firsts, place, &at) && all[at].from.zone == place->zone &&
        all[at].start < start)
        return true;
    for (uint32_t i = 0; i < targets->set_starts.count && set_starts[i] < start; i++)
        if (octets_have(&sets[i], place->ip))
            return true;
    return false;
}
