#include "hkeep.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "hmem.h"

/* A piece; the first of them is what its user has, and has no data. */
struct hkeep_s {
    hkeep_t *next; /* an older one; of the first: the newest */
    void *object;
    void (*release)(void *object); /* NULL: there is none */
    max_align_t data[];
};

hkeep_t *hkeep_new(void)
{
    return hmem_zalloc(sizeof(hkeep_t));
}

void hkeep_free(hkeep_t *keep)
{
    while (keep) {
        hkeep_t *next = keep->next;

        if (keep->release)
            keep->release(keep->object);
        hmem_free(keep);
        keep = next;
    }
}

void *hkeep_alloc(hkeep_t *keep, size_t size)
{
    hkeep_t *piece = size <= SIZE_MAX - sizeof(*piece) ? hmem_zalloc(sizeof(*piece) + size) : NULL;

    if (!piece)
        return NULL;
    piece->next = keep->next;
    keep->next = piece;
    return piece->data;
}

char *hkeep_text(hkeep_t *keep, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? hkeep_alloc(keep, len + 1) : NULL;

    if (copy && len > 0)
        memcpy(copy, text, len);
    return copy;
}

int hkeep_object(hkeep_t *keep, void *object, void (*release)(void *object))
{
    if (!hkeep_alloc(keep, 0)) {
        release(object);
        return -ENOMEM;
    }
    keep->next->object = object;
    keep->next->release = release;
    return 0;
}
