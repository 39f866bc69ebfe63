/* hsuggest: "did you mean ...?" for a mistyped name. */
#ifndef HNET_APP_HSUGGEST_H
#define HNET_APP_HSUGGEST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HSUGGEST_WORD_MAX 40 /* longer words get no suggestion */

typedef struct hsuggest_s {
    const char *word;
    size_t len;
    const char *best; /* the nearest candidate that was offered, or NULL: none is near enough */
    unsigned distance;
} hsuggest_t;

/* Starts with a word of len bytes; both it and the candidates are borrowed. */
void hsuggest_init(hsuggest_t *s, const char *word, size_t len);

/* Offers a candidate. The first of the nearest ones wins: an insertion, a deletion, a replacement
 * and a swap of neighbours count one each, as does a candidate that the word only begins. */
void hsuggest_offer(hsuggest_t *s, const char *candidate);

#ifdef __cplusplus
}
#endif

#endif
