/* hproxy_header: reads the PROXY header (codec/proxy_protocol) that an accepted connection begins
 * with, and not a byte more: what follows, a TLS handshake perhaps, is for whoever comes next. */
#ifndef HNET_NET_HPROXY_HEADER_H
#define HNET_NET_HPROXY_HEADER_H

#include "../codec/proxy_protocol.h"
#include "../event/hio.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HPROXY_HEADER_TIMEOUT_MS 10000

/* Once, from the loop: header, valid during the call, and the hio is not reading and has the
 * callbacks and user data that the program gives it now; or NULL, why in one line, and the hio is
 * being closed (err tells the cause too). */
typedef void (*hproxy_header_cb)(hio_t *io, const proxy_header_t *header, const char *why,
                                 void *arg);

/* Starts on a stream socket that nothing was read from. timeout_ms: for all of it (-ETIMEDOUT); 0:
 * HPROXY_HEADER_TIMEOUT_MS. The hio's callbacks and its user data are taken over until cb. 0; or
 * -ENOMEM, and nothing has changed but them. */
int hproxy_header_read(hio_t *io, uint32_t timeout_ms, hproxy_header_cb cb, void *arg);

/* Gives up without a callback; closes the hio. Also for one whose header is being read when its
 * owner goes. */
void hproxy_header_cancel(hio_t *io);

#ifdef __cplusplus
}
#endif

#endif
