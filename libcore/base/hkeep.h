/* hkeep: memory that lives as long as a whole, such as what settings point at: pieces that are
 * allocated one by one and freed together, and objects that are released with them. How much it is
 * its user bounds. One thread at a time. */
#ifndef HNET_BASE_HKEEP_H
#define HNET_BASE_HKEEP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hkeep_s hkeep_t;

/* NULL when out of memory. */
hkeep_t *hkeep_new(void);

/* Releases and frees all, the newest first. NULL is legal. */
void hkeep_free(hkeep_t *keep);

/* Zeroed memory, aligned for everything; NULL when there is none. */
void *hkeep_alloc(hkeep_t *keep, size_t size);

/* A copy with a NUL behind it; NULL when out of memory. */
char *hkeep_text(hkeep_t *keep, const char *text, size_t len);

/* release(object) is called by hkeep_free; at once on an error. 0 or -ENOMEM. */
int hkeep_object(hkeep_t *keep, void *object, void (*release)(void *object));

#ifdef __cplusplus
}
#endif

#endif
