#include "hheap.h"

#include "hmem.h"

#include <errno.h>
#include <string.h>

#define CAP_MIN 16
#define RADIX_BITS 11
#define RADIX_SIZE (1u << RADIX_BITS)

void hheap_deinit(hheap_t *heap)
{
    hmem_free(heap->entries);
    memset(heap, 0, sizeof(*heap));
}

int hheap_reserve(hheap_t *heap, size_t n)
{
    size_t cap = heap->cap ? heap->cap : CAP_MIN;
    hheap_entry_t *entries;

    if (heap->cap - heap->n >= n)
        return 0;
    while (cap - heap->n < n)
        cap *= 2;
    entries = hmem_realloc(heap->entries, cap * sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    heap->entries = entries;
    heap->cap = cap;
    return 0;
}

static size_t first_of_children(const hheap_t *heap, size_t child)
{
    size_t end = child + 4 < heap->n ? child + 4 : heap->n;
    size_t best = child;

    for (size_t c = child + 1; c < end; c++) {
        if (hheap_before(&heap->entries[c], &heap->entries[best]))
            best = c;
    }
    return best;
}

static void sift_down(hheap_t *heap, size_t i, hheap_entry_t entry)
{
    for (size_t child = 4 * i + 1; child < heap->n; child = 4 * i + 1) {
        size_t best = first_of_children(heap, child);

        if (!hheap_before(&heap->entries[best], &entry))
            break;
        heap->entries[i] = heap->entries[best];
        i = best;
    }
    heap->entries[i] = entry;
}

hheap_entry_t hheap_pop(hheap_t *heap)
{
    hheap_entry_t top = heap->entries[0];
    hheap_entry_t last = heap->entries[--heap->n];

    if (heap->n > 0)
        sift_down(heap, 0, last);
    return top;
}

void hheap_rebuild(hheap_t *heap)
{
    if (heap->n < 2)
        return;
    for (size_t i = (heap->n - 2) / 4 + 1; i-- > 0;)
        sift_down(heap, i, heap->entries[i]);
}

/* One stable pass of a radix sort over 11 bits of key (or of order). */
static void radix_pass(const hheap_entry_t *from, hheap_entry_t *to, size_t n, uint64_t key_base,
                       uint32_t order_base, int shift)
{
    size_t start[RADIX_SIZE] = {0};
    size_t sum = 0;

    for (int phase = 0; phase < 2; phase++) {
        for (size_t i = 0; i < n; i++) {
            uint64_t value = shift < 0 ? (uint64_t)(from[i].order - order_base) >> (-shift - 1)
                                       : (from[i].key - key_base) >> shift;
            size_t digit = value & (RADIX_SIZE - 1);

            if (phase == 0)
                start[digit]++;
            else
                to[start[digit]++] = from[i];
        }
        for (size_t d = 0; phase == 0 && d < RADIX_SIZE; d++) {
            size_t count = start[d];

            start[d] = sum;
            sum += count;
        }
    }
}

static void insertion_sort(hheap_entry_t *entries, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        hheap_entry_t entry = entries[i];
        size_t j = i;

        for (; j > 0 && hheap_before(&entry, &entries[j - 1]); j--)
            entries[j] = entries[j - 1];
        entries[j] = entry;
    }
}

typedef struct range_s {
    uint64_t key_min, key_max;
    uint32_t order_min, order_max;
    bool sorted;
    bool in_order; /* whatever the keys are */
} range_t;

/* Orders count from base here, so that one that wrapped around is still the greater. */
static range_t range_of(const hheap_entry_t *entries, size_t n, uint32_t base)
{
    range_t range = {UINT64_MAX, 0, UINT32_MAX, 0, true, true};

    for (size_t i = 0; i < n; i++) {
        uint64_t key = entries[i].key;
        uint32_t order = entries[i].order - base;

        range.sorted &= i == 0 || !hheap_before(&entries[i], &entries[i - 1]);
        range.in_order &= order >= range.order_max;
        range.key_min = key < range.key_min ? key : range.key_min;
        range.key_max = key > range.key_max ? key : range.key_max;
        range.order_min = order < range.order_min ? order : range.order_min;
        range.order_max = order > range.order_max ? order : range.order_max;
    }
    return range;
}

void hheap_sort(hheap_entry_t *entries, hheap_entry_t *scratch, size_t n)
{
    uint32_t base = n ? entries[0].order - (1u << 31) : 0, span;
    hheap_entry_t *from = entries, *to = scratch, *swap;
    range_t range;

    if (n < 64) {
        insertion_sort(entries, n);
        return;
    }
    range = range_of(entries, n, base);
    if (range.sorted)
        return;
    /* Least significant digits first: the order, then the key. Constant digits cost nothing. */
    span = range.in_order ? 0 : range.order_max - range.order_min;
    for (int shift = 0; shift < 32 && span >> shift; shift += RADIX_BITS) {
        radix_pass(from, to, n, range.key_min, base + range.order_min, -shift - 1);
        swap = from, from = to, to = swap;
    }
    for (int shift = 0; shift < 64 && (range.key_max - range.key_min) >> shift;
         shift += RADIX_BITS) {
        radix_pass(from, to, n, range.key_min, base + range.order_min, shift);
        swap = from, from = to, to = swap;
    }
    if (from != entries)
        memcpy(entries, from, n * sizeof(*entries));
}
