/* refused: options of the original that hnmap does not have, or not yet: refused by name. */
#ifndef HNMAP_REFUSED_H
#define HNMAP_REFUSED_H

#include "app/hopt.h"

extern const hopt_t refused_rows[];

/* A letter of -s, a value of -P: says why into `why`. HERR_UNSUPPORTED, or HERR_SYNTAX for what the
 * original does not have, either. */
int refuse_scan(char letter, hbytes_t *why);
int refuse_ping(const char *type, hbytes_t *why);

#endif
