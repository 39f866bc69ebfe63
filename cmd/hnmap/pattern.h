/* pattern: Perl's regular expressions over the bytes that a server sent, by PCRE2, which is loaded
 * when the first one is made. A build without it (WITH_PCRE2=no) has none of them. What a match may
 * cost is limited, for both the pattern and the bytes come from others. */
#ifndef HNMAP_PATTERN_H
#define HNMAP_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_GROUPS 10 /* 0: all that matched; 1 to 9: of the parentheses */
#define PATTERN_STEPS_MAX 100000
#define PATTERN_DEPTH_MAX 2000
#define PATTERN_HEAP_KIB_MAX 512

#define PATTERN_NO_CASE 1u /* capitals and small letters are the same */
#define PATTERN_DOT_ALL 2u /* a dot matches the end of a line, too */

typedef struct pattern_s pattern_t;
typedef struct patterns_s patterns_t; /* what all patterns of one owner share */

/* What a group matched; data NULL: it took no part. */
typedef struct pattern_group_s {
    const uint8_t *data;
    size_t len;
} pattern_group_t;

/* 0 and *patterns; HERR_UNSUPPORTED: there is no PCRE2; -ENOMEM. */
int patterns_new(patterns_t **patterns);
/* After its patterns. NULL is legal. */
void patterns_free(patterns_t *patterns);

/* 0 and *pattern; HERR_SYNTAX, and error says what is wrong where; -ENOMEM. flags is a set. */
int pattern_new(patterns_t *patterns, const char *text, unsigned flags, pattern_t **pattern,
                char *error, size_t error_size);
void pattern_free(pattern_t *pattern); /* NULL is legal */

/* 1: it matches, groups point into data; 0: it does not; HERR_RANGE: it was given up. */
int pattern_match(patterns_t *patterns, const pattern_t *pattern, const uint8_t *data, size_t len,
                  pattern_group_t groups[PATTERN_GROUPS]);

#endif
