/* glob: URLs that stand for many: http://host/{one,two}/[001-100:10]?[a-z]. curl's grammar:
 *
 *     {a,b,c}               one text after another
 *     [1-100] [001-100]     numbers, padded as the first one is
 *     [0-100:10] [a-z:2]    every tenth, every second
 *     {<name>a,b} [<name>1-9]   one that has a name
 *     \{ \} \[ \]           the characters themselves; in braces a backslash goes before any
 *     [::1], []             an address, and nothing: as they are
 *
 * The last one counts fastest. Texts are made when they are asked for: what is kept is the pattern
 * alone, however many URLs it stands for. No I/O. */
#ifndef HCURL_GLOB_H
#define HCURL_GLOB_H

#include "base/hbuf.h"

#include <stdbool.h>
#include <stdint.h>

#define GLOB_PARTS_MAX 255       /* patterns, and the texts between them */
#define GLOB_WORDS_MAX 100000    /* in braces */
#define GLOB_NAME_MAX 64         /* bytes */
#define GLOB_TEXT_MAX (16 << 20) /* of a pattern, and of a text that is made */
#define GLOB_EXPLAIN_MAX 511     /* of what glob_explain says; the rest is cut off, as curl does */

typedef struct glob_set_s glob_set_t;

/* What is wrong with a pattern: "bad range", and in which position, counted from 1; 0: in none. */
typedef struct glob_fault_s {
    const char *text;
    size_t position;
} glob_fault_t;

/* Reads a pattern, which is copied. 0; HERR_SYNTAX, and *fault; -ENOMEM. */
int glob_new(const char *pattern, glob_set_t **glob, glob_fault_t *fault);
void glob_free(glob_set_t *glob);

/* How many texts it stands for: 1 without a pattern. */
uint64_t glob_count(const glob_set_t *glob);

/* Appends the next text. 1; 0 behind the last one; -ENOMEM, -ENOBUFS past GLOB_TEXT_MAX. */
int glob_next(glob_set_t *glob, hbytes_t *text);

/* Appends a name with each #1 or #<name> replaced by what this pattern stands at (that of the last
 * glob_next); a number that there is not stays. Names are looked for in other, too, if that is not
 * NULL; glob NULL: numbers stay. 0; HERR_SYNTAX (a name that there is not), and *fault; -ENOMEM,
 * -ENOBUFS. */
int glob_expand(const glob_set_t *glob, const glob_set_t *other, const char *name, hbytes_t *out,
                glob_fault_t *fault);

/* Two lines more than the fault: "bad range in position 9:", the pattern, and a caret below the
 * position. 0, -ENOMEM. */
int glob_explain(const glob_fault_t *fault, const char *pattern, hbytes_t *out);

#endif
