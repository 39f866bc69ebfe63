/* The event loop as libhv's programs see it: the library's own headers, and three calls
 * that differ. */
#ifndef HV_HLOOP_H
#define HV_HLOOP_H

#include "../../event/hidle.h"
#include "../../event/hio.h"
#include "../../event/hloop.h"
#include "../../event/hsignal.h"
#include "../../event/htimer.h"
#include "../../net/hframe.h"
#include "../../net/hlisten.h"
#include "../../net/hreconnect.h"
#include "../../net/hrelay.h"
#include "hdef.h"
#include "hexport.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HLOOP_FLAG_NONE 0

/* Positive errno numbers. */
int hv_io_error(const hio_t *io);
#define hio_error(io) hv_io_error(io)

/* A connection that fails at once closes, and the close callback tells. */
int hv_io_connect(hio_t *io);
#define hio_connect(io) hv_io_connect(io)

/* The close callback may be left out. */
hio_t *hv_create_tcp_client(hloop_t *loop, const char *host, int port, const hclose_cb cbs[2]);

#ifdef __cplusplus
}

static inline hio_t *hv_create_tcp_client_or(hloop_t *loop, const char *host, int port,
                                             hconnect_cb connect_cb, hclose_cb close_cb = nullptr)
{
    const hclose_cb cbs[2] = {connect_cb, close_cb};

    return hv_create_tcp_client(loop, host, port, cbs);
}
#define hloop_create_tcp_client hv_create_tcp_client_or
#else
#define hloop_create_tcp_client(loop, host, port, ...)                                             \
    hv_create_tcp_client(loop, host, port, (const hclose_cb[2]){__VA_ARGS__})
#endif

#endif
