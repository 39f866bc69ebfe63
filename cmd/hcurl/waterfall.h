/* waterfall: where the time of a transfer went, a bar for each request of it. Pure. */
#ifndef HCURL_WATERFALL_H
#define HCURL_WATERFALL_H

#include "base/hbuf.h"
#include "proto/http_client.h"

/* Appends lines of at most width columns. 0, or the errors of hbytes_append. */
int waterfall_format(const http_hop_times_t *hops, size_t count, size_t width, bool color,
                     hbytes_t *out);

#endif
