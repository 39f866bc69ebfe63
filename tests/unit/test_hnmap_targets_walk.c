/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include <cmocka.h>

#include "base/herr.h"
#include "hnmap_targets.h"
#include "oom.h"

/* ---- names ---- */

static int resolve(targets_t *targets, size_t name, const char *first, const char *second)
{
    haddr_t addresses[2];

    assert_int_equal(haddr_parse(&addresses[0], first, 80), 0);
    assert_int_equal(haddr_parse(&addresses[1], second != NULL ? second : first, 80), 0);
    return targets_resolved(targets, name, addresses, second != NULL ? 2 : 1);
}

static void names_get_their_addresses(void **state)
{
    targets_t *targets = targets_of(AF_INET, "a.example 127.1 10.0.0.9 b.example/30 no.example. c");
    size_t name = 0;

    (void)state;
    assert_true(targets_unresolved(targets, &name));
    assert_string_equal(targets_name(targets, name), "a.example");
    assert_false(targets_name_is_excluded(targets, name));
    assert_int_equal(resolve(targets, name, "10.0.0.1", NULL), 1);
    assert_int_equal(resolve(targets, name, "10.0.0.77", NULL), 1); /* it has one already */
    name = 0;
    assert_true(targets_unresolved(targets, &name));
    assert_string_equal(targets_name(targets, name), "b.example");
    assert_int_equal(resolve(targets, name, "10.0.1.2", "10.0.2.2"), 2);
    name++;
    assert_true(targets_unresolved(targets, &name));
    assert_string_equal(targets_name(targets, name), "no.example.");
    name++;
    assert_true(targets_unresolved(targets, &name));
    assert_string_equal(targets_name(targets, name), "c");
    assert_int_equal(resolve(targets, name, "::1", "10.0.0.3"), 1);
    name++;
    assert_false(targets_unresolved(targets, &name));
    are(targets, 12,
        "10.0.0.1=a.example 127.0.0.1=127.1 10.0.0.9 10.0.1.0 10.0.1.1 10.0.1.2=b.example 10.0.1.3 "
        "10.0.2.0 10.0.2.1 10.0.2.2=b.example 10.0.2.3 10.0.0.3=c");
}

static void names_of_ipv6(void **state)
{
    targets_t *targets = targets_of(AF_INET6, "a/127 b ::5");
    size_t name = 0;

    (void)state;
    assert_true(targets_unresolved(targets, &name));
    assert_int_equal(resolve(targets, name, "10.0.0.1", "::3"), 1);
    name = 0;
    assert_true(targets_unresolved(targets, &name));
    assert_int_equal(resolve(targets, name, "10.0.0.1", NULL), 0);
    assert_int_equal(targets_exclude(targets, "::2"), 0);
    are(targets, 3, "::3=a ::5");
}

static void a_name_is_left_out_with_all_its_addresses(void **state)
{
    targets_t *targets = targets_of(AF_INET, "10.0.0.0/29 10.0.0.9/31");
    size_t name = 0;

    (void)state;
    assert_int_equal(targets_exclude(targets, "a.example,b.example/31"), 0);
    assert_true(targets_unresolved(targets, &name));
    assert_true(targets_name_is_excluded(targets, name));
    assert_int_equal(resolve(targets, name, "10.0.0.0", "10.0.0.7"), 2);
    assert_true(targets_unresolved(targets, &name));
    assert_int_equal(resolve(targets, name, "10.0.0.3", NULL), 1);
    are(targets, 6, "10.0.0.1 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.8 10.0.0.9");
}

/* ---- walks ---- */

#define SPACE 10001

static unsigned index_of(const target_t *target)
{
    return ntohl(target->address.u.sin.sin_addr.s_addr) & 0xffff;
}

/* 10.0.0.0 and on, in words of several kinds, without two holes. */
static targets_t *space(void)
{
    targets_t *targets =
        targets_of(AF_INET, "10.0.0-9.0-127 10.0.0-9.128- 10.0.10-38.* 10.0.39.0/28 a");
    size_t name = 0;

    assert_true(targets_unresolved(targets, &name));
    assert_int_equal(resolve(targets, name, "10.0.39.16", NULL), 1);
    assert_int_equal(targets_exclude(targets, "10.0.3.100-200,10.0.20.0/24"), 0);
    assert_int_equal(targets_ready(targets), 0);
    return targets;
}

/* What a walk meets, in its order, each address once. */
static size_t walk_once(const targets_t *targets, haddr_t *met, size_t max)
{
    targets_cursor_t cursor;
    target_t target;
    size_t count = 0;

    targets_walk(&cursor, targets, 0, 1, NULL);
    while (targets_next(&cursor, &target)) {
        size_t i = 0;

        while (i < count && !haddr_equal(&met[i].u.sa, &target.address.u.sa))
            i++;
        assert_in_range(i, 0, max - 1);
        met[i] = target.address;
        count += i == count;
    }
    return count;
}

/* The walk of unique targets meets just those, without meeting one again. */
static void is_unique(targets_t *targets)
{
    enum { MET_MAX = 600 };
    haddr_t met[MET_MAX];
    size_t count = walk_once(targets, met, MET_MAX), i = 0;
    targets_cursor_t cursor;
    target_t target;

    assert_int_equal(targets_unique(targets), 0);
    targets_walk(&cursor, targets, 0, 1, NULL);
    for (; targets_next(&cursor, &target); i++) {
        assert_in_range(i, 0, count - 1);
        assert_true(haddr_equal(&met[i].u.sa, &target.address.u.sa));
    }
    assert_int_equal(i, count);
}

static void each_address_is_met_once(void **state)
{
    static const char *const words[] = {
        "10.0.0.0/25",     "10.0.0.64/26", "10.0.0.3", "10.0.0.100-200", "10.0.0.1,3,5,200",
        "10.0.0-1.3,7",    "10.0.0.2-90",  "10.0.1.7", "10.0.0.0/24",    "255.255.255.254-255",
        "255.255.255.255", "0.0.0.0-2",    "127.1",    "127.0.0.1",      "10.0.1.0/25",
    };
    const size_t n = sizeof(words) / sizeof(words[0]);

    (void)state;
    srand(6);
    for (int round = 0; round < 200; round++) {
        targets_t *targets = targets_new(AF_INET);

        for (int i = rand() % 6; i >= 0; i--)
            assert_int_equal(targets_add(targets, words[(size_t)rand() % n]), 0);
        if (round % 3 == 0)
            assert_int_equal(targets_exclude(targets, "10.0.0.65-110,10.0.1.7"), 0);
        assert_int_equal(targets_ready(targets), 0);
        is_unique(targets);
        targets_free(targets);
    }
}

/* Two of its addresses lie in one network; a zone makes another address. */
static void addresses_of_names_and_zones_are_met_once(void **state)
{
    targets_t *targets = targets_of(AF_INET, "10.0.0.9 name/30 10.0.0.8/31");
    haddr_t addresses[2];
    size_t name = 0;

    (void)state;
    assert_int_equal(haddr_parse(&addresses[0], "10.0.0.9", 0), 0);
    assert_int_equal(haddr_parse(&addresses[1], "10.0.0.10", 0), 0);
    assert_true(targets_unresolved(targets, &name));
    assert_int_equal(targets_resolved(targets, name, addresses, 2), 2);
    assert_int_equal(targets_ready(targets), 0);
    is_unique(targets);
    targets_free(targets);
    targets = targets_of(AF_INET6, "fe80::1%lo fe80::1 fe80::1%lo fe80::%lo/126 fe80::/127 "
                                   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127");
    assert_int_equal(targets_ready(targets), 0);
    is_unique(targets);
    targets_free(targets);
}

static void the_parts_of_a_walk_meet_each_address_once(void **state)
{
    static const uint64_t parts[] = {1, 2, 3, 7, 100, 20000};
    targets_t *targets = space();

    (void)state;
    for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
        unsigned char seen[SPACE] = {0};
        unsigned met = 0;

        for (uint64_t part = 0; part < parts[p]; part++) {
            const uint64_t seed = part * 77; /* each machine has its own */
            targets_cursor_t cursor;
            target_t target;

            targets_walk(&cursor, targets, part, parts[p], part % 3 == 0 ? NULL : &seed);
            while (targets_next(&cursor, &target)) {
                assert_in_range(index_of(&target), 0, SPACE - 1);
                assert_int_equal(seen[index_of(&target)]++, 0);
                met++;
            }
        }
        assert_int_equal(met, SPACE - 101 - 256);
        for (unsigned i = 0; i < SPACE; i++)
            assert_true(seen[i] == !((i >= 868 && i <= 968) || i / 256 == 20));
    }
    targets_free(targets);
}

static void a_walk_is_shuffled_and_taken_up_again(void **state)
{
    targets_t *targets = targets_of(AF_INET, "10.0.0.0/16");
    const uint64_t seed = 9;
    targets_cursor_t whole, again;
    unsigned ascending = 0, before = 0;
    target_t a, b;

    (void)state;
    assert_int_equal(targets_ready(targets), 0);
    targets_walk(&whole, targets, 0, 1, &seed);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(targets_next(&whole, &a));
        ascending += index_of(&a) > before;
        before = index_of(&a);
    }
    assert_in_range(ascending, 400, 600);
    targets_walk(&again, targets, 0, 1, &seed);
    again.position = whole.position;
    while (targets_next(&whole, &a)) {
        assert_true(targets_next(&again, &b));
        assert_int_equal(index_of(&a), index_of(&b));
    }
    assert_false(targets_next(&again, &b));
    targets_free(targets);
}

static void many_words_are_found_by_their_index(void **state)
{
    targets_t *targets = targets_new(AF_INET);
    target_t target;
    char word[32];

    (void)state;
    for (unsigned i = 0; i < 50000; i++) { /* descending: none joins the one before */
        unsigned number = 50000 - i;

        snprintf(word, sizeof(word), "10.%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
        assert_int_equal(targets_add(targets, word), 0);
    }
    assert_int_equal(targets_ready(targets), 0);
    assert_true(targets_count(targets) == 50000);
    for (unsigned i = 0; i < 50000; i += 7) {
        assert_true(targets_at(targets, i, &target));
        assert_int_equal(index_of(&target), (50000 - i) & 0xffff);
    }
    targets_free(targets);
}

/* ---- memory ---- */

static int all_of_it(void *arg)
{
    targets_t *targets = targets_new(AF_INET);
    haddr_t address;
    size_t name = 0;
    int err = targets == NULL ? -ENOMEM : 0;

    haddr_parse(&address, "10.0.5.1", 0);
    if (err == 0)
        err = targets_add_file(targets, arg);
    if (err == 0)
        err = targets_exclude(targets, "10.0.2.5,b.example,*.*.*.7");
    while (err == 0 && targets_unresolved(targets, &name)) {
        err = targets_resolved(targets, name++, &address, 1);
        err = err > 0 ? 0 : err;
    }
    if (err == 0)
        err = targets_ready(targets);
    targets_free(targets);
    return err;
}

static void memory_that_lacks_is_told(void **state)
{
    static const char text[] = "10.0.2.0/24 a.example 10.1,3.1.1 127.1 10.0.0.9 10.0.0.8 10.0.0.7";

    oom_run(all_of_it, (void *)file_of(*state, text, strlen(text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_get_their_addresses),
        cmocka_unit_test(names_of_ipv6),
        cmocka_unit_test(a_name_is_left_out_with_all_its_addresses),
        cmocka_unit_test(each_address_is_met_once),
        cmocka_unit_test(addresses_of_names_and_zones_are_met_once),
        cmocka_unit_test(the_parts_of_a_walk_meet_each_address_once),
        cmocka_unit_test(a_walk_is_shuffled_and_taken_up_again),
        cmocka_unit_test(many_words_are_found_by_their_index),
        cmocka_unit_test_setup_teardown(memory_that_lacks_is_told, folder_make, folder_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
