/* The inside of the forward proxy. */
#ifndef HNET_PROTO_HTTP_FORWARD_INT_H
#define HNET_PROTO_HTTP_FORWARD_INT_H

#include "../base/hlist.h"
#include "http_forward.h"

struct http_forward_s {
    hloop_t *loop;
    http_forward_options_t options;
    hlist_t origins; /* the one that was asked last first */
    size_t origin_count;
    hlist_t tunnels;
};

/* ---- http_tunnel.c --------------------------------------------------------------------------- */

/* Answers a CONNECT that is allowed. */
void http_tunnel__start(http_forward_t *forward, http_stream_t *stream, const hendpoint_t *to);

/* Ends all that are left. */
void http_tunnel__free_all(http_forward_t *forward);

#endif
