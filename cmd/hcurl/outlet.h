/* outlet: stdout, of all transfers. A reader that is slow (a pipe, a terminal, a socket) holds up
 * the transfers that write, never the loop. Nothing is kept that can be written. */
#ifndef HCURL_OUTLET_H
#define HCURL_OUTLET_H

#include "base/hlist.h"
#include "proto/http_client.h"

#define OUTLET_QUEUE_HIGH ((size_t)256 << 10) /* waiting for the reader: transfers pause */
#define OUTLET_QUEUE_MAX ((size_t)16 << 20)   /* what paused ones may still bring, then all wait */

typedef struct outlet_s outlet_t;

/* A transfer that waits; zeroed at first. */
typedef struct outlet_wait_s {
    hlist_t node;
    http_transfer_t *transfer;
} outlet_wait_t;

/* fd (1) stays the caller's. SIGPIPE has to be ignored. 0, -ENOMEM. */
int outlet_new(hloop_t *loop, int fd, outlet_t **outlet);

/* Before hloop_free; what has not been flushed is lost. NULL is legal. */
void outlet_free(outlet_t *outlet);

bool outlet_is_terminal(const outlet_t *outlet);

/* Writes, and keeps what the reader does not take yet. 0, or why it was not written (-EPIPE,
 * -ENOSPC): this, and all that comes behind. */
int outlet_write(outlet_t *outlet, const void *data, size_t len);

/* Pauses the transfer if too much waits for the reader, until that has become less. */
void outlet_hold(outlet_t *outlet, outlet_wait_t *wait, http_transfer_t *transfer);

/* The transfer ends: it is not to be resumed. */
void outlet_forget(outlet_wait_t *wait);

/* Waits until the reader has taken all, or a signal comes. 0, or why it has not. */
int outlet_flush(outlet_t *outlet);

#endif
