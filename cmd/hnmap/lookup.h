/* lookup: names of targets to addresses before the scan, and addresses to names during it, which
 * never holds it up. */
#ifndef HNMAP_LOOKUP_H
#define HNMAP_LOOKUP_H

#include "net/hdns.h"
#include "options.h"
#include "targets.h"

/* Whether --dns-servers is a list of addresses. 0, or 2 after a message. */
int lookup_check(const options_t *options);

/* Gives every name of the targets its addresses; runs the loop for it. A name that is not found is
 * told on stderr and left out. 0; 1 after a message: out of memory, or a name that is
 * to be left out of the scan is not known: nothing may be sent to it. */
int lookup_targets(hloop_t *loop, targets_t *targets, const options_t *options);

/* A resolver as the options want it. 0 or a negative error. */
int lookup_new(hloop_t *loop, const options_t *options, hdns_t **dns);

#endif
