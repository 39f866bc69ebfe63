/* hslab: fixed-size objects, addressed by pointer or by a 32-bit index. Free slots are found by a
 * bitmap of chunks over a bitmap of words over a bitmap of slots, the lowest word first, and all
 * free slots of a word are taken out at once as the "run" that is handed out next: O(1), and
 * neighbours in time are neighbours in memory. Memory is type-stable: it goes back only with
 * hslab_deinit, so an index that was ever handed out can be looked up for as long as the slab
 * lives. A chunk costs real memory only where its objects were touched, and an object's address
 * alone tells its chunk and slot, without a look at the object's own memory. Not thread-safe.
 *
 * Chunks of small objects share an allocation, a block: the heads of all, then the objects of all,
 * 2 MiB, aligned to their size. A slab that has grown large asks the kernel for huge pages there:
 * a page fault for 512 KiB of objects each and a translation for each 4 KiB of them cost more than
 * the objects.
 *
 * An object is marked when it is handed out; hslab_take_marked finds the marked ones, a word at a
 * time. So a caller gets to know its new objects without a list of them.
 *
 * Invariants: chunks[first_partial] has a free slot and no chunk below it has one; first_partial is
 * chunk_count when all slots are taken. A chunk is on the list of marked ones while marked_words,
 * in which bit w stands for marks[w], is not 0. Slots of the run are marked and in no bitmap of
 * free ones. */
#ifndef HNET_BASE_HSLAB_H
#define HNET_BASE_HSLAB_H

#include "hlist.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HSLAB_CHUNK_BITS 12
#define HSLAB_CHUNK_SLOTS (1u << HSLAB_CHUNK_BITS) /* 64 words of 64 bits under one summary word */
#define HSLAB_WORD_SLOTS 64u
#define HSLAB_BLOCK_SIZE ((size_t)2 << 20) /* of objects, unless a single chunk has more */
#define HSLAB_HUGE_FROM ((size_t)16 << 20) /* of objects: from there on a huge page wastes little */
#define HSLAB_SLOTS_MAX (1u << 30)
#define HSLAB_PREFETCH_AHEAD 2048 /* bytes; a hint, so nothing has to be there */

/* Stands with the heads of its block in front of their objects. Here only for the inline
 * functions. */
typedef struct hslab_chunk_s {
    uint64_t summary;      /* bit w: free_slots[w] is not 0 */
    uint64_t marked_words; /* bit w: marks[w] may be not 0 */
    struct hslab_s *slab;
    void *memory; /* the block's allocation, before alignment; NULL but in its first chunk */
    hlist_t marked_link;
    uint32_t number;
    uint32_t unused[3]; /* to a cache line */
    uint64_t free_slots[64];
    uint64_t marks[64];
    uint32_t tags[HSLAB_CHUNK_SLOTS];
    uint16_t notes[HSLAB_CHUNK_SLOTS];
    uint64_t numbers[HSLAB_CHUNK_SLOTS];
} hslab_chunk_t;

/* Some slots of a word: bit b is the one of index first + b, at objects + b * object_size. */
typedef struct hslab_word_s {
    uint64_t slots;
    uint32_t first;
    char *objects;
} hslab_word_t;

/* Not to be moved once it is set up. */
typedef struct hslab_s {
    struct hslab_chunk_s **chunks; /* chunk_cap pointers, then a bitmap of the chunks with room */
    hslab_word_t run;              /* handed out next */
    uint32_t chunk_count;
    uint32_t chunk_cap;
    uint32_t first_partial; /* no chunk below this one has a free slot */
    uint32_t taken;         /* objects alive, and the run's */
    bool has_notes;         /* a note was set */
    uint32_t block_chunks;  /* see hslab_block_chunks */
    hlist_t marked;         /* chunks */
    size_t object_size;     /* rounded up to a power of two, at least 32 */
} hslab_t;

void hslab_init(hslab_t *slab, size_t object_size);

/* Frees all memory, alive objects too. */
void hslab_deinit(hslab_t *slab);

/* Objects alive. */
uint32_t hslab_used(const hslab_t *slab);

/* Makes a run of at least one slot. 0 or -ENOMEM. */
int hslab_refill(hslab_t *slab);

/* Objects marked. Looks at each word that has got marks. */
uint32_t hslab_marked(const hslab_t *slab);

/* Takes the marks off one word's objects and tells which they are. The words come in the order in
 * which their chunks got marks, and by address within a chunk. False: nothing is marked. */
bool hslab_take_marked(hslab_t *slab, hslab_word_t *word);

void hslab_mark(hslab_chunk_t *chunk, uint32_t slot);

/* The rare way, for the inline functions only: the chunk has room again. */
void hslab__chunk_partial(hslab_t *slab, uint32_t chunk);

/* How many chunks share a block, a power of two; object_size as in the slab, rounded up. */
static inline uint32_t hslab_block_chunks(size_t object_size)
{
    size_t size = object_size * HSLAB_CHUNK_SLOTS;

    return size < HSLAB_BLOCK_SIZE ? (uint32_t)(HSLAB_BLOCK_SIZE / size) : 1;
}

/* The object of an index that was handed out once; it may be free by now. */
static inline void *hslab_get(const hslab_t *slab, uint32_t index)
{
    uint32_t slots = slab->block_chunks * HSLAB_CHUNK_SLOTS;
    hslab_chunk_t *first = slab->chunks[(index & ~(slots - 1)) >> HSLAB_CHUNK_BITS];

    return (char *)(first + slab->block_chunks) + (index & (slots - 1)) * slab->object_size;
}

/* The chunk of an object and its slot there; object_size as in the slab, rounded up. */
static inline hslab_chunk_t *hslab_chunk_of(const void *object, size_t object_size)
{
    uint32_t chunks = hslab_block_chunks(object_size);
    uintptr_t size = (uintptr_t)object_size * HSLAB_CHUNK_SLOTS;
    uintptr_t offset = (uintptr_t)object & (chunks * size - 1);

    return (hslab_chunk_t *)((uintptr_t)object - offset) - chunks + offset / size;
}

static inline uint32_t hslab_slot_of(const void *object, size_t object_size)
{
    return (uint32_t)((uintptr_t)object / object_size) & (HSLAB_CHUNK_SLOTS - 1);
}

/* What stands beside each object is found without touching the object, and neighbours share cache
 * lines; all of it is the caller's to use. hslab_alloc does not set the tag and the number. */
static inline uint32_t *hslab_tag(const hslab_t *slab, uint32_t index)
{
    return &slab->chunks[index >> HSLAB_CHUNK_BITS]->tags[index & (HSLAB_CHUNK_SLOTS - 1)];
}

static inline uint64_t *hslab_number(hslab_chunk_t *chunk, uint32_t slot)
{
    return &chunk->numbers[slot];
}

/* The note is 0 when an object is handed out. Only a slab that has had notes clears them then. */
static inline uint16_t hslab_note(const hslab_chunk_t *chunk, uint32_t slot)
{
    return chunk->slab->has_notes ? chunk->notes[slot] : 0;
}

static inline void hslab_set_note(hslab_chunk_t *chunk, uint32_t slot, uint16_t note)
{
    chunk->slab->has_notes = true;
    chunk->notes[slot] = note;
}

/* An object of the run, which must not be empty; object_size as in the slab, rounded up. The caller
 * is about to write to it: the memory of a later one is asked for meanwhile. */
static inline void *hslab_take(hslab_t *slab, size_t object_size)
{
    uint32_t bit = (uint32_t)__builtin_ctzll(slab->run.slots);
    char *object = slab->run.objects + bit * object_size;

    __builtin_prefetch(object + HSLAB_PREFETCH_AHEAD, 1);
    slab->run.slots &= slab->run.slots - 1;
    return object;
}

/* An object, not zeroed, aligned to its rounded size up to 64 bytes, marked, and its index; NULL
 * when out of memory. */
static inline void *hslab_alloc(hslab_t *slab, uint32_t *index)
{
    if (__builtin_expect(!slab->run.slots, 0) && hslab_refill(slab) < 0)
        return NULL;
    *index = slab->run.first + (uint32_t)__builtin_ctzll(slab->run.slots);
    return hslab_take(slab, slab->object_size);
}

/* Of an object that is alive. */
static inline bool hslab_is_marked(const hslab_chunk_t *chunk, uint32_t slot)
{
    return chunk->marks[slot / HSLAB_WORD_SLOTS] >> slot % HSLAB_WORD_SLOTS & 1;
}

/* For the inline functions only: n slots of a word that are not free become so, without marks. */
static inline void hslab__give_back(hslab_chunk_t *chunk, uint32_t word, uint64_t slots, uint32_t n)
{
    assert(!(chunk->free_slots[word] & slots));
    if (__builtin_expect(chunk->summary == 0, 0))
        hslab__chunk_partial(chunk->slab, chunk->number);
    chunk->free_slots[word] |= slots;
    chunk->summary |= 1ULL << word;
    chunk->marks[word] &= ~slots;
    chunk->slab->taken -= n;
}

/* Gives a slot of a chunk back, and its mark. It must be alive. */
static inline void hslab_free_slot(hslab_chunk_t *chunk, uint32_t slot)
{
    hslab__give_back(chunk, slot / HSLAB_WORD_SLOTS, 1ULL << slot % HSLAB_WORD_SLOTS, 1);
}

/* The same by index. */
static inline void hslab_free(hslab_t *slab, uint32_t index)
{
    assert(index >> HSLAB_CHUNK_BITS < slab->chunk_count);
    hslab_free_slot(slab->chunks[index >> HSLAB_CHUNK_BITS], index & (HSLAB_CHUNK_SLOTS - 1));
}

#ifdef __cplusplus
}
#endif

#endif
