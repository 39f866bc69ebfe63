#include "hslab.h"

#include "hmem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 64
#define OBJECT_SIZE_MIN 32
#define OBJECT_SIZE_MAX (SIZE_MAX / HSLAB_CHUNK_SLOTS / 8)
#define CHUNKS_MAX (HSLAB_SLOTS_MAX / HSLAB_CHUNK_SLOTS)
#define CHUNK_CAP_MIN 8

_Static_assert(sizeof(hslab_chunk_t) % ALIGNMENT == 0, "objects follow the header, aligned");

static uint32_t words_of(uint32_t chunks)
{
    return (chunks + 63) / 64;
}

/* Bit c of the bitmap behind the pointers: chunk c has a free slot. */
static uint64_t *partial_map(const hslab_t *slab)
{
    return (uint64_t *)(slab->chunks + slab->chunk_cap);
}

/* The first chunk with room, searched from a chunk below which there is none. */
static uint32_t next_partial(const hslab_t *slab, uint32_t from)
{
    const uint64_t *map = partial_map(slab);

    for (uint32_t w = from / 64; w < words_of(slab->chunk_count); w++) {
        if (map[w])
            return w * 64 + (uint32_t)__builtin_ctzll(map[w]);
    }
    return slab->chunk_count;
}

/* Doubles the directory. It grows only when no chunk has room: the new bitmap starts empty too. */
static int grow_directory(hslab_t *slab)
{
    uint32_t cap = slab->chunk_cap ? slab->chunk_cap * 2 : CHUNK_CAP_MIN;
    size_t size = cap * sizeof(slab->chunks[0]) + words_of(cap) * sizeof(uint64_t);
    hslab_chunk_t **chunks = hmem_zalloc(size);

    if (!chunks)
        return -ENOMEM;
    if (slab->chunks) {
        memcpy(chunks, slab->chunks, slab->chunk_count * sizeof(chunks[0]));
        hmem_free(slab->chunks);
    }
    slab->chunks = chunks;
    slab->chunk_cap = cap;
    return 0;
}

/* A hint: a kernel that has none to give takes small ones. */
static void ask_for_huge_pages(void *objects, size_t size)
{
#ifdef MADV_HUGEPAGE
    int err = errno;

    (void)madvise(objects, size, MADV_HUGEPAGE);
    errno = err;
#endif
}

/* The heads of a block's chunks: the objects' pages stay untouched, so they cost nothing until
 * used. Twice the size is asked for to have the objects aligned; that costs addresses, not
 * memory. */
static hslab_chunk_t *block_new(const hslab_t *slab)
{
    size_t heads = slab->block_chunks * sizeof(hslab_chunk_t);
    size_t size = slab->block_chunks * HSLAB_CHUNK_SLOTS * slab->object_size;
    hslab_chunk_t *first;
    uintptr_t address;
    char *memory;

    memory = hmem_alloc(heads + size - 1 + size);
    if (!memory)
        return NULL;
    address = (uintptr_t)memory + heads;
    first = (hslab_chunk_t *)(memory + (-address & (size - 1)));
    first->memory = memory;
    if (slab->chunk_count * slab->object_size >= HSLAB_HUGE_FROM / HSLAB_CHUNK_SLOTS)
        ask_for_huge_pages(first + slab->block_chunks, size);
    return first;
}

/* Writes the head only. */
static hslab_chunk_t *chunk_new(hslab_t *slab)
{
    hslab_chunk_t *chunk;

    if (slab->object_size > OBJECT_SIZE_MAX)
        return NULL;
    if (slab->chunk_count % slab->block_chunks == 0) {
        chunk = block_new(slab);
        if (!chunk)
            return NULL;
    } else {
        chunk = slab->chunks[slab->chunk_count - 1] + 1;
        chunk->memory = NULL;
    }
    chunk->slab = slab;
    chunk->number = slab->chunk_count;
    chunk->summary = UINT64_MAX;
    chunk->marked_words = 0;
    chunk->marked_link = (hlist_t){0};
    memset(chunk->free_slots, 0xff, sizeof(chunk->free_slots));
    memset(chunk->marks, 0, sizeof(chunk->marks));
    memset(chunk->notes, 0, sizeof(chunk->notes));
    return chunk;
}

static hslab_word_t word_of(const hslab_t *slab, const hslab_chunk_t *chunk, uint32_t word,
                            uint64_t slots)
{
    uint32_t first = chunk->number << HSLAB_CHUNK_BITS | word * HSLAB_WORD_SLOTS;

    return (hslab_word_t){slots, first, hslab_get(slab, first)};
}

/* Adds a chunk and makes it the first with room. 0 or -ENOMEM. */
static int grow(hslab_t *slab)
{
    uint32_t chunk = slab->chunk_count;
    hslab_chunk_t *fresh;

    if (chunk == CHUNKS_MAX)
        return -ENOMEM;
    if (chunk == slab->chunk_cap && grow_directory(slab) != 0)
        return -ENOMEM;
    fresh = chunk_new(slab);
    if (!fresh)
        return -ENOMEM;
    slab->chunks[chunk] = fresh;
    slab->chunk_count++;
    slab->first_partial = chunk;
    partial_map(slab)[chunk / 64] |= 1ULL << (chunk % 64);
    return 0;
}

void hslab_init(hslab_t *slab, size_t object_size)
{
    memset(slab, 0, sizeof(*slab));
    hlist_init(&slab->marked);
    slab->object_size = OBJECT_SIZE_MIN;
    while (slab->object_size < object_size && slab->object_size <= OBJECT_SIZE_MAX)
        slab->object_size *= 2; /* past the maximum every alloc fails */
    slab->block_chunks = hslab_block_chunks(slab->object_size);
}

void hslab_deinit(hslab_t *slab)
{
    for (uint32_t i = 0; i < slab->chunk_count; i += slab->block_chunks)
        hmem_free(slab->chunks[i]->memory);
    hmem_free(slab->chunks);
    hslab_init(slab, slab->object_size);
}

uint32_t hslab_used(const hslab_t *slab)
{
    return slab->taken - (uint32_t)__builtin_popcountll(slab->run.slots);
}

static void mark(hslab_chunk_t *chunk, uint32_t word, uint64_t slots)
{
    if (!chunk->marked_words)
        hlist_push_back(&chunk->slab->marked, &chunk->marked_link);
    chunk->marked_words |= 1ULL << word;
    chunk->marks[word] |= slots;
}

void hslab_mark(hslab_chunk_t *chunk, uint32_t slot)
{
    mark(chunk, slot / HSLAB_WORD_SLOTS, 1ULL << slot % HSLAB_WORD_SLOTS);
}

static void clear_notes(hslab_chunk_t *chunk, uint32_t word, uint64_t slots)
{
    for (; slots; slots &= slots - 1)
        chunk->notes[word * HSLAB_WORD_SLOTS + (uint32_t)__builtin_ctzll(slots)] = 0;
}

int hslab_refill(hslab_t *slab)
{
    hslab_chunk_t *chunk;
    uint32_t word;

    if (slab->first_partial == slab->chunk_count && grow(slab) != 0)
        return -ENOMEM;
    chunk = slab->chunks[slab->first_partial];
    word = (uint32_t)__builtin_ctzll(chunk->summary);
    slab->run = word_of(slab, chunk, word, chunk->free_slots[word]);
    /* The next run is likely the next word, and on the next page: finding where that is takes the
     * processor longer than getting the memory, so it begins with that now. */
    __builtin_prefetch(slab->run.objects + HSLAB_WORD_SLOTS * slab->object_size, 1);
    slab->taken += (uint32_t)__builtin_popcountll(slab->run.slots);
    mark(chunk, word, slab->run.slots);
    if (slab->has_notes)
        clear_notes(chunk, word, slab->run.slots);
    chunk->free_slots[word] = 0;
    chunk->summary &= chunk->summary - 1;
    if (chunk->summary == 0) {
        partial_map(slab)[chunk->number / 64] &= ~(1ULL << (chunk->number % 64));
        slab->first_partial = next_partial(slab, chunk->number);
    }
    return 0;
}

static uint32_t count_marked(const hslab_chunk_t *chunk)
{
    uint32_t n = 0;

    for (uint64_t words = chunk->marked_words; words; words &= words - 1)
        n += (uint32_t)__builtin_popcountll(chunk->marks[__builtin_ctzll(words)]);
    return n;
}

uint32_t hslab_marked(const hslab_t *slab)
{
    uint32_t n = 0;
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &slab->marked)
        n += count_marked(HLIST_ENTRY(pos, hslab_chunk_t, marked_link));
    return n - (uint32_t)__builtin_popcountll(slab->run.slots);
}

/* What was not handed out is free again, and so has no mark. */
static void end_run(hslab_t *slab)
{
    const hslab_word_t *run = &slab->run;
    uint32_t word = run->first % HSLAB_CHUNK_SLOTS / HSLAB_WORD_SLOTS;

    if (!run->slots)
        return;
    hslab__give_back(slab->chunks[run->first >> HSLAB_CHUNK_BITS], word, run->slots,
                     (uint32_t)__builtin_popcountll(run->slots));
    slab->run.slots = 0;
}

bool hslab_take_marked(hslab_t *slab, hslab_word_t *word)
{
    end_run(slab);
    while (!hlist_empty(&slab->marked)) {
        hslab_chunk_t *chunk = HLIST_ENTRY(slab->marked.next, hslab_chunk_t, marked_link);
        uint32_t w = (uint32_t)__builtin_ctzll(chunk->marked_words);

        *word = word_of(slab, chunk, w, chunk->marks[w]);
        chunk->marks[w] = 0;
        chunk->marked_words &= chunk->marked_words - 1;
        if (chunk->marked_words == 0)
            hlist_remove(&chunk->marked_link);
        if (word->slots)
            return true;
    }
    return false;
}

void hslab__chunk_partial(hslab_t *slab, uint32_t chunk)
{
    partial_map(slab)[chunk / 64] |= 1ULL << (chunk % 64);
    if (chunk < slab->first_partial)
        slab->first_partial = chunk;
}
