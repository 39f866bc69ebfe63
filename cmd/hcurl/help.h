/* help: what hcurl says about itself. */
#ifndef HCURL_HELP_H
#define HCURL_HELP_H

#include "app/hopt.h"

/* Zero-initialised is nothing. */
typedef struct help_options_s {
    const char *topic; /* --help WHAT: "all", "category", a category, an option; NULL: the usual */
} help_options_t;

extern const hopt_t help_rows[];

/* status: what the parse of a word gave. If it was --help without a value, the next word (NULL:
 * none) says what about. */
void help_topic(help_options_t *options, int status, const char *next);

/* Prints the page that a parse asked for by its positive result. The exit status. */
int help_print(const help_options_t *options, int page);

#endif
