/* writeout_int: what the files of writeout share. */
#ifndef HCURL_WRITEOUT_INT_H
#define HCURL_WRITEOUT_INT_H

#include "base/hjson.h"
#include "writeout.h"

/* facts->info and ->headers are not NULL below. */

/* Appends the variable of this name: 0, -ENOENT if there is none, or the errors of
 * hbytes_append. */
int writeout__variable(const writeout_facts_t *facts, const char *name, size_t len, hbytes_t *out);

/* Appends %{json}: all of them, sorted by their names. */
int writeout__json(const writeout_facts_t *facts, hbytes_t *out);

#endif
