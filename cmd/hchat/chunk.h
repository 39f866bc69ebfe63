/* chunk: bytes that many connections send, each without a copy of its own. It is freed with its
 * last reference. One thread. */
#ifndef HNET_HCHAT_CHUNK_H
#define HNET_HCHAT_CHUNK_H

#include <stddef.h>
#include <stdint.h>

typedef struct chunk_s {
    size_t len, cap;
    uint32_t refs;
    char data[];
} chunk_t;

/* An empty one with room for cap bytes and one reference; NULL: out of memory. */
chunk_t *chunk_new(size_t cap);

/* Gives back the room that is not used. Only while nobody else refers to it; it may move. */
chunk_t *chunk_fit(chunk_t *chunk);

chunk_t *chunk_ref(chunk_t *chunk);
void chunk_unref(chunk_t *chunk); /* NULL is legal */

/* chunk_unref, as the free callback of hio_write_nocopy. */
void chunk_release(void *data, void *chunk);

#endif
