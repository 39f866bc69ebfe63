/* What is left out: ranges of addresses in order, and the few lists of octets that would become too
 * many ranges (10.*.*.1). */
#include "targets_int.h"

#include "base/hmem.h"

#include <stdlib.h>
#include <string.h>

static int add_range(targets_t *targets, ip_t first, ip_t last)
{
    const range_t range = {first, last};

    return targets__append(&targets->excluded, &range, sizeof(range), TARGETS_EXCLUDED_MAX);
}

/* ---- lists of octets ---- */

/* Whether all octets behind this one may be anything. */
static bool is_last(const octets_t *octets, unsigned octet)
{
    for (unsigned i = octet + 1; i < 4; i++)
        if (octets_count(octets, i) != 256)
            return false;
    return true;
}

static uint64_t runs(const octets_t *octets, unsigned octet)
{
    unsigned count = octets_count(octets, octet), found = 1;

    for (unsigned i = 1; i < count; i++)
        found += octets_at(octets, octet, i) != octets_at(octets, octet, i - 1) + 1;
    return found;
}

/* The values of the octets in front of one, by their index. */
static uint64_t prefix_at(const octets_t *octets, unsigned octet, uint64_t index)
{
    uint64_t prefix = 0;

    while (octet-- > 0) {
        unsigned count = octets_count(octets, octet);

        prefix |= (uint64_t)octets_at(octets, octet, (unsigned)(index % count)) << (24 - 8 * octet);
        index /= count;
    }
    return prefix;
}

/* The runs of the last octet that counts, behind the octets that are in prefix. */
static int add_runs(targets_t *targets, const octets_t *octets, unsigned octet, uint64_t prefix)
{
    unsigned count = octets_count(octets, octet), shift = 24 - 8 * octet;
    int err = 0;

    for (unsigned i = 0; i < count && err == 0; i++) {
        uint64_t first = octets_at(octets, octet, i), last = first;

        for (; i + 1 < count && octets_at(octets, octet, i + 1) == last + 1; i++)
            last++;
        err = add_range(targets, (ip_t){0, prefix | first << shift},
                        (ip_t){0, prefix | last << shift | ((UINT64_C(1) << shift) - 1)});
    }
    return err;
}

static int add_octets(targets_t *targets, const octets_t *octets)
{
    uint64_t prefixes = 1;
    unsigned octet = 0;
    int err = 0;

    for (; !is_last(octets, octet); octet++)
        prefixes *= octets_count(octets, octet);
    if (prefixes * runs(octets, octet) > TARGETS_EXPAND_MAX)
        return targets__append(&targets->excluded_sets, octets, sizeof(*octets),
                               TARGETS_EXCLUDED_SETS_MAX);
    for (uint64_t i = 0; i < prefixes && err == 0; i++)
        err = add_runs(targets, octets, octet, prefix_at(octets, octet, i));
    return err;
}

/* ---- words ---- */

/* Between commas "10.0.0.1,2" would be 10.0.0.1 and 0.0.0.2, and leave 10.0.0.2 to be scanned. */
static int refuse_number(targets_t *targets, const char *word, size_t len)
{
    return targets__fail(targets, HERR_SYNTAX, word, len,
                         "what is left out is written with four octets, each address by itself");
}

int targets__exclude(targets_t *targets, const char *word, size_t len)
{
    uint32_t before = targets->excluded.count;
    parsed_t parsed;
    int err = targets__parse(targets, word, len, &parsed);

    if (err != 0)
        return err;
    if (parsed.kind == WORD_NAME && parsed.name_is_known)
        return refuse_number(targets, word, len);
    if (parsed.kind == WORD_NAME)
        err = targets__add_name(targets, word, &parsed, true);
    else if (parsed.family != targets->family)
        err = 0;
    else if (parsed.kind == WORD_SETS)
        err = add_octets(targets, &parsed.octets);
    else
        err = add_range(targets, parsed.first.ip, parsed.last);
    if (err != 0)
        targets->excluded.count = before;
    if (err == HERR_RANGE)
        targets__fail(targets, err, word, len, "more is left out than can be kept");
    return err;
}

int targets_exclude(targets_t *targets, const char *words)
{
    int err = 0;

    targets->error[0] = '\0';
    while (err == 0 && *words != '\0') {
        size_t len = strcspn(words, ",");

        if (len > 0)
            err = targets__exclude(targets, words, len);
        words += len + (words[len] == ',');
    }
    return err;
}

int targets__exclude_place(targets_t *targets, const place_t *place, unsigned bits)
{
    ip_t first, last;

    targets__network(place->ip, bits, targets->family_bits, &first, &last);
    return add_range(targets, first, last);
}

/* ---- in order ---- */

static int by_first(const void *a, const void *b)
{
    return ip_compare(((const range_t *)a)->first, ((const range_t *)b)->first);
}

void targets__sort_excluded(targets_t *targets)
{
    range_t *ranges = targets->excluded.items;
    uint32_t kept = 0;

    if (targets->excluded.count == 0)
        return;
    qsort(ranges, targets->excluded.count, sizeof(*ranges), by_first);
    for (uint32_t i = 1; i < targets->excluded.count; i++) {
        ip_t behind = ip_add(ranges[kept].last, 1);
        bool to_the_end = ip_compare(behind, ranges[kept].last) < 0;

        if (!to_the_end && ip_compare(ranges[i].first, behind) > 0)
            ranges[++kept] = ranges[i];
        else if (ip_compare(ranges[i].last, ranges[kept].last) > 0)
            ranges[kept].last = ranges[i].last;
    }
    targets->excluded.count = kept + 1;
}

uint32_t targets__excluded_from(const targets_t *targets, ip_t ip)
{
    const range_t *ranges = targets->excluded.items;
    uint32_t low = 0, high = targets->excluded.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (ip_compare(ranges[middle].last, ip) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool targets__is_excluded(const targets_t *targets, ip_t ip)
{
    const range_t *ranges = targets->excluded.items;
    const octets_t *sets = targets->excluded_sets.items;
    uint32_t at = targets__excluded_from(targets, ip);

    if (at < targets->excluded.count && ip_compare(ranges[at].first, ip) <= 0)
        return true;
    for (uint32_t i = 0; i < targets->excluded_sets.count; i++)
        if (octets_have(&sets[i], ip))
            return true;
    return false;
}

bool targets_excluded(const targets_t *targets, const struct sockaddr *address)
{
    place_t place;

    return targets__place(targets->family, address, &place) &&
           targets__is_excluded(targets, place.ip);
}
