/* hpermute: the numbers of [0, n) in an order that looks random, each exactly once, in constant
 * memory. The order follows from n and a seed alone, so that it can be taken up again at any place,
 * and on another machine.
 *
 * A Feistel network over the smallest power of two that holds n; what falls outside [0, n)
 * is sent through again, which happens less than once per number on average. It is meant to
 * scatter, not to keep a secret: whoever sees enough of the order may find the seed. */
#ifndef HNET_BASE_HPERMUTE_H
#define HNET_BASE_HPERMUTE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HPERMUTE_ROUNDS 8

/* A value: it may be copied, and owns nothing. */
typedef struct hpermute_s {
    uint64_t n;
    uint64_t left_mask; /* of the upper half, as it stands in a word of its own */
    uint64_t right_mask;
    unsigned right_bits;
    uint64_t keys[HPERMUTE_ROUNDS];
} hpermute_t;

/* The order of [0, n) that belongs to a seed. Any n goes, up to UINT64_MAX. */
void hpermute_init(hpermute_t *permute, uint64_t n, uint64_t seed);

/* The number in position i, 0 <= i < n; distinct for distinct i. */
uint64_t hpermute_at(const hpermute_t *permute, uint64_t i);

#ifdef __cplusplus
}
#endif

#endif
