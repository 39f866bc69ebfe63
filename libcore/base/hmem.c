#include "hmem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Below, glibc before 2.41 is faster at malloc: its calloc takes nothing from a thread's cache. */
#define CALLOC_FROM 1024

static void *libc_alloc(size_t size, void *ctx)
{
    (void)ctx;
    return malloc(size);
}

static void *libc_realloc(void *ptr, size_t size, void *ctx)
{
    (void)ctx;
    return realloc(ptr, size);
}

static void libc_free(void *ptr, void *ctx)
{
    (void)ctx;
    free(ptr);
}

static const hmem_allocator_t libc_allocator = {libc_alloc, libc_realloc, libc_free, NULL};

/* The one setting of the whole process; see hmem_set_allocator. */
static hmem_allocator_t current = {libc_alloc, libc_realloc, libc_free, NULL};

void hmem_set_allocator(const hmem_allocator_t *allocator)
{
    current = allocator ? *allocator : libc_allocator;
}

/* A size of 0 asks for 1 byte: NULL then always means out of memory, whatever the allocator. */
void *hmem_alloc(size_t size)
{
    return current.alloc(size ? size : 1, current.ctx);
}

void *hmem_zalloc(size_t size)
{
    void *ptr;

    /* calloc knows that fresh pages are zero and does not touch them. */
    if (size > CALLOC_FROM && current.alloc == libc_alloc)
        return calloc(1, size);
    ptr = hmem_alloc(size);
    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

void *hmem_realloc(void *ptr, size_t size)
{
    if (!ptr)
        return hmem_alloc(size);
    return current.realloc(ptr, size ? size : 1, current.ctx);
}

void hmem_free(void *ptr)
{
    if (ptr)
        current.free(ptr, current.ctx);
}

void *hmem_array(size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        return NULL;
    return hmem_zalloc(n * size);
}

char *hmem_strdup(const char *s)
{
    return hmem_strndup(s, strlen(s));
}

char *hmem_strndup(const char *data, size_t len)
{
    char *copy = hmem_alloc(len + 1);

    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}
