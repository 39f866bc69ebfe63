/* hhistogram: how numbers are spread, in constant memory: latencies of millions of requests, say.
 *
 * Numbers below 256 are counted one by one; above, each power of two is cut into 128 parts, so that
 * what is told is never more than 1/128 too high, and never too low. */
#ifndef HNET_BASE_HHISTOGRAM_H
#define HNET_BASE_HHISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HHISTOGRAM_BITS 36 /* larger numbers are counted as the largest of so many bits */
#define HHISTOGRAM_VALUE_MAX (((uint64_t)1 << HHISTOGRAM_BITS) - 1)
#define HHISTOGRAM_PART_BITS 7
#define HHISTOGRAM_SLOTS                                                                           \
    ((size_t)(HHISTOGRAM_BITS - HHISTOGRAM_PART_BITS + 1) << HHISTOGRAM_PART_BITS)

/* About 30 KiB; zeroed is empty. Its members are to be read only. */
typedef struct hhistogram_s {
    uint64_t count;
    uint64_t min, max; /* as they came; 0 without any */
    uint64_t sum;
    uint64_t slots[HHISTOGRAM_SLOTS];
} hhistogram_t;

void hhistogram_add(hhistogram_t *h, uint64_t value);

/* Adds what another one has counted. */
void hhistogram_merge(hhistogram_t *h, const hhistogram_t *other);

/* What `percent` (0 to 100) of all that came are not above; 0 without any. */
uint64_t hhistogram_percentile(const hhistogram_t *h, double percent);

/* How many were at most value, to the exactness of a slot. */
uint64_t hhistogram_up_to(const hhistogram_t *h, uint64_t value);

double hhistogram_mean(const hhistogram_t *h);

#ifdef __cplusplus
}
#endif

#endif
