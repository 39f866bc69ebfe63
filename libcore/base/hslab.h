/* hslab: fixed-size objects, addressed by pointer or by a 32-bit index. Free slots are found by a
 * bitmap of chunks over a bitmap of words over a bitmap of slots, lowest first: O(1), and
 * neighbours in time are neighbours in memory. Memory is type-stable: it goes back only with
 * hslab_deinit, so an index that was ever handed out can be looked up for as long as the slab
 * lives. A chunk costs real memory only where its objects were touched, and an object's address
 * alone tells its chunk and slot, without a look at the object's own memory. Not thread-safe.
 *
 * Invariant: chunks[first_partial] has a free slot and no chunk below it has one; first_partial is
 * chunk_count when all slots are taken. */
#ifndef HNET_BASE_HSLAB_H
#define HNET_BASE_HSLAB_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define HSLAB_CHUNK_BITS 12
#define HSLAB_CHUNK_SLOTS (1u << HSLAB_CHUNK_BITS) /* 64 words of 64 bits under one summary word */
#define HSLAB_SLOTS_MAX (1u << 30)

/* Stands in front of its objects, in one allocation. Here only for the inline functions. */
typedef struct hslab_chunk_s {
    uint64_t summary; /* bit w: free_slots[w] is not 0 */
    struct hslab_s *slab;
    void *memory; /* the allocation, before alignment */
    uint32_t number;
    uint32_t unused[9]; /* to a cache line */
    uint64_t free_slots[64];
    uint32_t tags[HSLAB_CHUNK_SLOTS];
} hslab_chunk_t;

/* Not to be moved once it has objects. */
typedef struct hslab_s {
    struct hslab_chunk_s **chunks; /* chunk_cap pointers, then a bitmap of the chunks with room */
    uint32_t chunk_count;
    uint32_t chunk_cap;
    uint32_t first_partial; /* no chunk below this one has a free slot */
    uint32_t used;          /* objects alive */
    size_t object_size;     /* rounded up to a power of two, at least 64 */
} hslab_t;

void hslab_init(hslab_t *slab, size_t object_size);

/* Frees all memory, alive objects too. */
void hslab_deinit(hslab_t *slab);

/* The rare ways, for the inline functions only: adds a chunk and makes it first_partial, 0 or
 * -ENOMEM; the chunk is now full; it has room again. */
int hslab__grow(hslab_t *slab);
void hslab__chunk_full(hslab_t *slab, uint32_t chunk);
void hslab__chunk_partial(hslab_t *slab, uint32_t chunk);

/* The object of an index that was handed out once; it may be free by now. */
static inline void *hslab_get(const hslab_t *slab, uint32_t index)
{
    char *objects = (char *)(slab->chunks[index >> HSLAB_CHUNK_BITS] + 1);

    return objects + (index & (HSLAB_CHUNK_SLOTS - 1)) * slab->object_size;
}

/* The chunk of an object and its slot there; object_size as in the slab, rounded up. */
static inline hslab_chunk_t *hslab_chunk_of(const void *object, size_t object_size)
{
    uintptr_t mask = (uintptr_t)object_size * HSLAB_CHUNK_SLOTS - 1;

    return (hslab_chunk_t *)((uintptr_t)object & ~mask) - 1;
}

static inline uint32_t hslab_slot_of(const void *object, size_t object_size)
{
    return (uint32_t)((uintptr_t)object / object_size) & (HSLAB_CHUNK_SLOTS - 1);
}

/* A number beside each object that is the caller's to use: it is found without touching the
 * object, and neighbours share cache lines. hslab_alloc does not set it. */
static inline uint32_t *hslab_tag(const hslab_t *slab, uint32_t index)
{
    return &slab->chunks[index >> HSLAB_CHUNK_BITS]->tags[index & (HSLAB_CHUNK_SLOTS - 1)];
}

/* An object, not zeroed, 64-byte aligned, and its index; NULL when out of memory. */
static inline void *hslab_alloc(hslab_t *slab, uint32_t *index)
{
    hslab_chunk_t *chunk;
    uint32_t word, bit;

    if (__builtin_expect(slab->first_partial == slab->chunk_count, 0) && hslab__grow(slab) != 0)
        return NULL;
    chunk = slab->chunks[slab->first_partial];
    word = (uint32_t)__builtin_ctzll(chunk->summary);
    bit = (uint32_t)__builtin_ctzll(chunk->free_slots[word]);
    *index = slab->first_partial << HSLAB_CHUNK_BITS | word << 6 | bit;
    chunk->free_slots[word] &= chunk->free_slots[word] - 1;
    slab->used++;
    if (__builtin_expect(chunk->free_slots[word] == 0, 0)) {
        chunk->summary &= chunk->summary - 1;
        if (chunk->summary == 0)
            hslab__chunk_full(slab, slab->first_partial);
    }
    return (char *)(chunk + 1) + (word << 6 | bit) * slab->object_size;
}

/* Gives a slot of a chunk back. It must be alive. */
static inline void hslab_free_slot(hslab_chunk_t *chunk, uint32_t slot)
{
    hslab_t *slab = chunk->slab;
    uint32_t word = slot >> 6;
    uint64_t mask = 1ULL << (slot & 63);

    assert(!(chunk->free_slots[word] & mask));
    if (__builtin_expect(chunk->summary == 0, 0))
        hslab__chunk_partial(slab, chunk->number);
    chunk->free_slots[word] |= mask;
    chunk->summary |= 1ULL << word;
    slab->used--;
}

/* The same by index. */
static inline void hslab_free(hslab_t *slab, uint32_t index)
{
    assert(index >> HSLAB_CHUNK_BITS < slab->chunk_count);
    hslab_free_slot(slab->chunks[index >> HSLAB_CHUNK_BITS], index & (HSLAB_CHUNK_SLOTS - 1));
}

#endif
