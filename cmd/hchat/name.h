/* name: what people and rooms may be called: letters, digits, "-" and "_", of any script. A name
 * cannot look like what the server puts around it, and holds nothing that cannot be seen. Pure. */
#ifndef HNET_HCHAT_NAME_H
#define HNET_HCHAT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_CHARS_MAX 24
#define NAME_SIZE (4 * NAME_CHARS_MAX + 1)

/* Copies a name that may be one. NULL; or why it may not, one line without a full stop, which
 * follows 'that is no name: '. */
const char *name_take(char out[NAME_SIZE], const char *text, size_t len);

/* Whether two names are the same: case makes no difference in ASCII. */
bool name_same(const char *a, const char *b);

/* Whether one could be taken for the other: they are the same but for case, and for letters that
 * different scripts write alike (Latin, Greek, Cyrillic and some more). */
bool name_looks_same(const char *a, const char *b);

/* Equal for names that look the same. Legal for any text. */
uint32_t name_hash(const char *name);

#endif
