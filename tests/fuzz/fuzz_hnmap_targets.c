/* The first byte tells the family and how the walk is cut and shuffled; then come lines: the words
 * of a target list, and words that are left out behind an "!". Names get addresses made of their
 * text. The addresses of the parts are those of the whole; none of them is one that is left out. */
#include "../../cmd/hnmap/targets.h"
#include "base/herr.h"

#include <stdlib.h>
#include <string.h>

#define VISITS_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void add_lines(targets_t *targets, char *text)
{
    char *line;

    while ((line = strsep(&text, "\n")) != NULL) {
        int err = *line == '!' ? targets_exclude(targets, line + 1) : targets_add(targets, line);

        check(err == 0 || err == HERR_SYNTAX || err == HERR_RANGE || err == -ENODEV);
        check(err == 0 || targets_error(targets)[0] == '"');
    }
}

static void resolve_names(targets_t *targets)
{
    for (size_t name = 0; targets_unresolved(targets, &name); name++) {
        const char *text = targets_name(targets, name);
        haddr_t addresses[3];
        int count;

        haddr_loopback(&addresses[0], AF_INET, 0);
        addresses[0].u.sin.sin_addr.s_addr ^= (uint32_t)text[0] << 24;
        haddr_loopback(&addresses[1], AF_INET6, 0);
        addresses[1].u.sin6.sin6_addr.s6_addr[15] ^= (uint8_t)text[0];
        haddr_loopback(&addresses[2], AF_INET, 0);
        count = targets_resolved(targets, name, addresses, 3);
        check((count >= 1 && count <= 2) || count == HERR_RANGE);
    }
}

static void check_target(const targets_t *targets, const target_t *target, uint32_t *sum)
{
    const sockaddr_u *u = &target->address.u;

    check(!targets_excluded(targets, &u->sa));
    *sum += u->sa.sa_family == AF_INET ? u->sin.sin_addr.s_addr : u->sin6.sin6_addr.s6_addr32[3];
}

/* How many addresses a walk over a part meets, and their sum. */
static uint64_t visit(const targets_t *targets, uint64_t part, uint64_t parts, const uint64_t *seed,
                      uint32_t *sum)
{
    targets_cursor_t cursor;
    target_t target;
    uint64_t count = 0;

    targets_walk(&cursor, targets, part, parts, seed);
    for (; targets_next(&cursor, &target); count++)
        check_target(targets, &target, sum);
    return count;
}

static void check_walks(const targets_t *targets, uint8_t choice)
{
    uint64_t seed = choice, parts = choice % 5 + 2, count = 0, all;
    uint32_t sum = 0, whole = 0;

    all = visit(targets, 0, 1, NULL, &whole);
    for (uint64_t part = 0; part < parts; part++)
        count += visit(targets, part, parts, choice & 64 ? &seed : NULL, &sum);
    check(all == count && sum == whole && count <= targets_count(targets));
}

/* None twice; and none is lost, for each address is the first of its kind somewhere. */
static void check_unique(targets_t *targets)
{
    enum { SEEN_MAX = 256 };
    haddr_t seen[SEEN_MAX];
    targets_cursor_t cursor;
    target_t target;
    size_t count = 0;
    uint32_t sum = 0;
    uint64_t before = visit(targets, 0, 1, NULL, &sum);

    check(targets_unique(targets) == 0);
    check(visit(targets, 0, 1, NULL, &sum) <= before);
    targets_walk(&cursor, targets, 0, 1, NULL);
    check(targets_next(&cursor, &target) == (before > 0));
    for (bool has_one = before > 0; has_one && count < SEEN_MAX;
         has_one = targets_next(&cursor, &target)) {
        for (size_t i = 0; i < count; i++)
            check(!haddr_equal(&seen[i].u.sa, &target.address.u.sa));
        seen[count++] = target.address;
    }
}

/* Of many: some, and the last one. */
static void check_some(const targets_t *targets)
{
    uint64_t count = targets_count(targets), step = count / VISITS_MAX;
    uint32_t sum = 0;
    target_t target;

    for (uint64_t i = 0; i < VISITS_MAX; i++)
        if (targets_at(targets, count - 1 - i * step, &target))
            check_target(targets, &target, &sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    targets_t *targets;
    char *text;

    if (size == 0)
        return 0;
    targets = targets_new(data[0] & 128 ? AF_INET6 : AF_INET);
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    add_lines(targets, text);
    resolve_names(targets);
    check(targets_ready(targets) == 0);
    if (targets_count(targets) < VISITS_MAX * 5)
        check_walks(targets, data[0]);
    else
        check_some(targets);
    if (targets_count(targets) < VISITS_MAX * 5)
        check_unique(targets);
    targets_free(targets);
    free(text);
    return 0;
}
