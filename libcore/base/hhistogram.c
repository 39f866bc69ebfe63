/* A slot's number is the exponent of its numbers and the PART_BITS bits behind their first one:
 * what floating point does. */
#include "hhistogram.h"

#define PARTS ((uint64_t)1 << HHISTOGRAM_PART_BITS)

static size_t slot_of(uint64_t value)
{
    unsigned shift;

    if (value > HHISTOGRAM_VALUE_MAX)
        value = HHISTOGRAM_VALUE_MAX;
    if (value < 2 * PARTS)
        return (size_t)value;
    shift = 63U - (unsigned)__builtin_clzll(value) - HHISTOGRAM_PART_BITS;
    return (size_t)(shift * PARTS + (value >> shift));
}

/* The smallest number of a slot; that of the slot behind the last one, too. */
static uint64_t first_of(size_t slot)
{
    uint64_t shift = slot / PARTS;

    if (shift < 2)
        return slot;
    return (slot - (shift - 1) * PARTS) << (shift - 1);
}

void hhistogram_add(hhistogram_t *h, uint64_t value)
{
    if (h->count == 0 || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->count++;
    h->sum += value;
    h->slots[slot_of(value)]++;
}

void hhistogram_merge(hhistogram_t *h, const hhistogram_t *other)
{
    if (other->count == 0)
        return;
    if (h->count == 0 || other->min < h->min)
        h->min = other->min;
    if (other->max > h->max)
        h->max = other->max;
    h->count += other->count;
    h->sum += other->sum;
    for (size_t i = 0; i < HHISTOGRAM_SLOTS; i++)
        h->slots[i] += other->slots[i];
}

/* How many numbers are `percent` of them all, rounded up; at least one. */
static uint64_t rank_of(const hhistogram_t *h, double percent)
{
    double exact = (double)h->count * percent / 100;
    uint64_t rank = exact >= (double)h->count ? h->count : (uint64_t)exact;

    if (rank < h->count && (double)rank < exact)
        rank++;
    return rank > 0 ? rank : 1;
}

uint64_t hhistogram_percentile(const hhistogram_t *h, double percent)
{
    uint64_t seen = 0, rank = rank_of(h, percent), last;
    size_t i = 0;

    while (i < HHISTOGRAM_SLOTS - 1 && (seen += h->slots[i]) < rank)
        i++;
    last = i < HHISTOGRAM_SLOTS - 1 ? first_of(i + 1) - 1 : h->max;
    return last < h->max ? last : h->max;
}

uint64_t hhistogram_up_to(const hhistogram_t *h, uint64_t value)
{
    uint64_t seen = 0;

    for (size_t i = 0; i <= slot_of(value); i++)
        seen += h->slots[i];
    return seen;
}

double hhistogram_mean(const hhistogram_t *h)
{
    return h->count ? (double)h->sum / (double)h->count : 0;
}
