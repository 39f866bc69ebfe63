/* htitle: what ps shows for this process. The title is written over the memory that holds argv and
 * the environment, which are moved elsewhere first: call htitle_init first of all in main, and use
 * the argv that it gives. A process has one title: at most one htitle_t at a time. */
#ifndef HNET_APP_HTITLE_H
#define HNET_APP_HTITLE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct htitle_s htitle_t;

/* Moves argv and environ; *argv becomes the moved one, with argc the same. NULL when out of memory:
 * nothing has changed then, and htitle_set(NULL, ...) is legal and does nothing. */
htitle_t *htitle_init(int argc, char ***argv);

/* Shows "hecho: worker process" and the like; cut at the room that argv and environ had. */
void htitle_set(htitle_t *title, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts everything back and frees, so that strings taken from the moved argv die here. If the
 * environment was changed meanwhile, that cannot be undone and its memory stays. NULL is legal. */
void htitle_free(htitle_t *title, char ***argv);

#ifdef __cplusplus
}
#endif

#endif
