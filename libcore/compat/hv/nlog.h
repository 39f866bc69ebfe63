/* A log over the network: whoever connects reads along. */
#ifndef HV_NLOG_H
#define HV_NLOG_H

#include "hloop.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DEFAULT_LOG_PORT 10514
#define NLOG_READERS_MAX 64 /* more are turned away */

/* Takes readers on this port of loopback: libhv's takes them on every address, which tells anybody
 * what is logged. port 0: the kernel chooses (hio_localaddr). The listener, which belongs to the
 * loop; NULL: not possible (errno). */
hio_t *nlog_listen(hloop_t *loop, int port);

/* A logger_handler: sends the line to every reader. Any thread. One who reads too slowly misses
 * lines (hio_set_watermarks tells how much waits for him). */
void network_logger(int loglevel, const char *buf, int len);

#ifdef __cplusplus
}
#endif

#endif
