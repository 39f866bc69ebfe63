/* client_words: what the Tab key knows: the commands, and the names that were seen last. Pure. */
#ifndef HNET_HCHAT_CLIENT_WORDS_H
#define HNET_HCHAT_CLIENT_WORDS_H

#include "name.h"

#define WORDS_NAMES_MAX 64

/* Zeroed at first. */
typedef struct words_s {
    char names[WORDS_NAMES_MAX][NAME_SIZE]; /* the last one that was seen first; "": none */
    char command[NAME_SIZE];
} words_t;

/* Learns the names in a line of the server's: who says something, joins, or has a new name. */
void words_learn(words_t *words, const char *line, size_t len);

/* The n-th word that begins with text (a name in either case), NULL past the last. Valid until the
 * next call of either. */
const char *words_find(words_t *words, const char *text, size_t n);

#endif
