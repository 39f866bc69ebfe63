/* hheap: a 4-ary min-heap whose keys lie in the array itself: four children share a cache line,
 * and moving an entry touches nothing but the array. Entries name their object by a slot number;
 * the heap never looks at objects, so a caller may leave stale entries in and drop them when
 * they surface. */
#ifndef HNET_BASE_HHEAP_H
#define HNET_BASE_HHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ordered by key, then by order (which may wrap around). */
typedef struct hheap_entry_s {
    uint64_t key;
    uint32_t order;
    uint32_t slot;
} hheap_entry_t;

typedef struct hheap_s {
    hheap_entry_t *entries;
    size_t n;
    size_t cap;
} hheap_t;

void hheap_deinit(hheap_t *heap);

/* Room for n more entries without failure. 0 or -ENOMEM. */
int hheap_reserve(hheap_t *heap, size_t n);

/* The smallest entry; the heap must not be empty. */
static inline const hheap_entry_t *hheap_top(const hheap_t *heap)
{
    return &heap->entries[0];
}

static inline bool hheap_before(const hheap_entry_t *a, const hheap_entry_t *b)
{
    return a->key != b->key ? a->key < b->key : (int32_t)(a->order - b->order) < 0;
}

/* Adds an entry; there must be room (hheap_reserve). */
static inline void hheap_push(hheap_t *heap, hheap_entry_t entry)
{
    size_t i = heap->n++;

    while (i > 0) {
        size_t parent = (i - 1) / 4;

        if (!hheap_before(&entry, &heap->entries[parent]))
            break;
        heap->entries[i] = heap->entries[parent];
        i = parent;
    }
    heap->entries[i] = entry;
}

/* Removes and returns the smallest entry; the heap must not be empty. */
hheap_entry_t hheap_pop(hheap_t *heap);

/* Makes a heap of n entries in any order, in linear time. */
void hheap_rebuild(hheap_t *heap);

/* Sorts entries as the heap would give them out; scratch has room for n. Linear time. */
void hheap_sort(hheap_entry_t *entries, hheap_entry_t *scratch, size_t n);

#ifdef __cplusplus
}
#endif

#endif
