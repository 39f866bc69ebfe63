#include "chunk.h"

#include "base/hmem.h"

chunk_t *chunk_new(size_t cap)
{
    chunk_t *chunk = hmem_alloc(sizeof(*chunk) + cap);

    if (chunk)
        *chunk = (chunk_t){.cap = cap, .refs = 1};
    return chunk;
}

chunk_t *chunk_fit(chunk_t *chunk)
{
    chunk_t *fit = hmem_realloc(chunk, sizeof(*chunk) + chunk->len);

    if (!fit)
        return chunk;
    fit->cap = fit->len;
    return fit;
}

chunk_t *chunk_ref(chunk_t *chunk)
{
    chunk->refs++;
    return chunk;
}

void chunk_unref(chunk_t *chunk)
{
    if (chunk && --chunk->refs == 0)
        hmem_free(chunk);
}

void chunk_release(void *data, void *chunk)
{
    (void)data;
    chunk_unref(chunk);
}
