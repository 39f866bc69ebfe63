/* hmem: every allocation of the library goes through here, so that a program can bring its own
 * allocator and a test can make any single allocation fail. */
#ifndef HNET_BASE_HMEM_H
#define HNET_BASE_HMEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hmem_allocator_s {
    void *(*alloc)(size_t size, void *ctx);
    void *(*realloc)(void *ptr, size_t size, void *ctx);
    void (*free)(void *ptr, void *ctx);
    void *ctx;
} hmem_allocator_t;

/* Replaces malloc, realloc and free for the whole process; NULL restores them. Not thread-safe:
 * call it before the first use of the library. This is the library's only process-wide setting:
 * memory allocated by one allocator must never be freed by another. */
void hmem_set_allocator(const hmem_allocator_t *allocator);

/* As malloc, calloc, realloc and free. NULL when out of memory; hmem_free(NULL) is legal. */
void *hmem_alloc(size_t size);
void *hmem_zalloc(size_t size);
void *hmem_realloc(void *ptr, size_t size);
void hmem_free(void *ptr);

/* For buffers that the kernel copies much to and from: at the start of a cache line it is up to
 * 10 % faster than elsewhere. The first such place within an allocation that is HMEM_LINE - 1
 * larger than the buffer; what is freed is the allocation. */
#define HMEM_LINE 64
static inline char *hmem_at_line(void *memory)
{
    return (char *)memory + (-(uintptr_t)memory & (HMEM_LINE - 1));
}

/* An array of n elements, zeroed; NULL on overflow of n * size or out of memory. */
void *hmem_array(size_t n, size_t size);

/* A copy of a string; NULL when out of memory. Freed by hmem_free. */
char *hmem_strdup(const char *s);

/* The same of the len bytes at data, with a NUL behind them; data may be NULL without any. */
char *hmem_strndup(const char *data, size_t len);

#ifdef __cplusplus
}
#endif

#endif
