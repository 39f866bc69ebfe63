/* variable: --variable, and the text of an --expand- option. */
#ifndef HCURL_VARIABLE_H
#define HCURL_VARIABLE_H

#include "app/hopt.h"

#define VARIABLE_NAME_MAX 127                       /* bytes */
#define VARIABLE_CONTENT_MAX ((size_t)10 * 1000000) /* of one, and of a text that is expanded */
#define VARIABLES_MAX 10000

typedef struct variable_s {
    char *name;
    char *content; /* may hold NULs */
    size_t len;
} variable_t;

typedef struct variables_s {
    variable_t *items;
    size_t count;
    size_t cap;
} variables_t;

extern const hopt_t variable_rows[]; /* bound to a variables_t */

/* Sets a variable as --variable says it: NAME=CONTENT, NAME@FILE ("-": stdin), %NAME (from the
 * environment, where it has to be), %NAME=CONTENT and %NAME@FILE (if it is not there); a NAME may
 * be followed by [FIRST-LAST] or [FIRST-], the bytes of CONTENT or FILE that count. Given again, a
 * variable is overwritten. 0; HERR_SYNTAX, HERR_RANGE, -errno of a file, -ENOMEM, and why. A name
 * that is none is 0 with `why`: the variable is not set. */
int variable_set(variables_t *variables, const char *text, hbytes_t *why);

/* Appends text with each {{NAME}} and {{NAME:FUNCTION:...}} replaced by the variable's content,
 * after it went through the functions from left to right: trim, json, url, b64, 64dec. One that is
 * not set is empty; "\{{" is "{{"; what is no name stays, and `why` warns of it. 0; HERR_SYNTAX
 * for a function that there is not or a NUL in a value, -ENOMEM, -ENOBUFS, and why. */
int variable_expand(const variables_t *variables, const char *text, hbytes_t *out, hbytes_t *why);

void variables_deinit(variables_t *variables);

#endif
