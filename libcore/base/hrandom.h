/* hrandom: numbers that look random: to spread what would else come at once, or hash values over
 * all their bits. They guard nothing. */
#ifndef HNET_BASE_HRANDOM_H
#define HNET_BASE_HRANDOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A start that no other process has. */
uint64_t hrandom_seed(void);

/* The last step of splitmix64: each bit of z changes about half of the result's; 0 stays 0. */
static inline uint64_t hrandom_mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/* The next number; *state is a seed at first. */
static inline uint64_t hrandom_next(uint64_t *state)
{
    return hrandom_mix(*state += 0x9e3779b97f4a7c15ULL);
}

#ifdef __cplusplus
}
#endif

#endif
