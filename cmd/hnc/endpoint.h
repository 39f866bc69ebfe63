/* endpoint: one operand that says it all, "tls://example.com:443" or "unix:/run/app.sock", beside
 * nc's HOST PORT. The grammar is that of net/hendpoint; only a bare port with -l is nc's. */
#ifndef HNC_ENDPOINT_H
#define HNC_ENDPOINT_H

#include "hnc.h"

/* If the operands are an end point: what it means as options, and its host and port. They are left
 * alone if not. 0, or HNC_USAGE once a message is printed. */
int endpoint_take(options_t *o, const hopt_list_t *operands);

/* The options that the scheme of the end point stands for, or NULL. */
const char *endpoint_means(const options_t *o);

#endif
