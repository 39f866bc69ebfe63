#include "hpermute.h"

/* Spreads every bit of x over all of the result (two rounds of multiply and shift; the constants
 * are odd numbers without a pattern). */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 29;
    x *= UINT64_C(0xa0761d6478bd642f);
    return x ^ x >> 32;
}

static uint64_t mask(unsigned bits)
{
    return bits == 0 ? 0 : UINT64_MAX >> (64 - bits);
}

void hpermute_init(hpermute_t *permute, uint64_t n, uint64_t seed)
{
    unsigned bits = n < 2 ? 0 : 64 - (unsigned)__builtin_clzll(n - 1);

    permute->n = n;
    permute->right_bits = bits - bits / 2;
    permute->left_mask = mask(bits / 2);
    permute->right_mask = mask(permute->right_bits);
    for (unsigned i = 0; i < HPERMUTE_ROUNDS; i++)
        permute->keys[i] = seed = mix(seed + UINT64_C(0x9e3779b97f4a7c15));
}

/* Either half is changed by a function of the other one and a key, in turn. Such a step can be
 * undone: no two numbers become the same, whatever the widths of the halves. */
static uint64_t scatter(const hpermute_t *permute, uint64_t x)
{
    uint64_t left = x >> permute->right_bits, right = x & permute->right_mask;

    for (unsigned i = 0; i < HPERMUTE_ROUNDS; i += 2) {
        left ^= mix(right + permute->keys[i]) & permute->left_mask;
        right ^= mix(left + permute->keys[i + 1]) & permute->right_mask;
    }
    return left << permute->right_bits | right;
}

uint64_t hpermute_at(const hpermute_t *permute, uint64_t i)
{
    if (permute->n < 2)
        return 0;
    /* On the cycle that i lies on there is a number below n: i itself. */
    do
        i = scatter(permute, i);
    while (i >= permute->n);
    return i;
}
