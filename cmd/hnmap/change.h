/* change: one thing that is not as it was at an earlier scan. */
#ifndef HNMAP_CHANGE_H
#define HNMAP_CHANGE_H

#include "result.h"

typedef enum change_e {
    CHANGE_HOST,   /* it is up or down */
    CHANGE_PORTS,  /* in another state */
    CHANGE_SERVICE /* another one on a port */
} change_e;

typedef struct change_s {
    change_e what;
    const host_result_t *host;
    uint8_t protocol;  /* of ports */
    const char *ports; /* "80,443"; NULL with CHANGE_HOST */
    const char *now, *was;
    time_t time; /* 0: not said */
} change_t;

typedef void (*change_cb)(void *context, const change_t *change);

/* "192.0.2.1: 80,443/tcp open, was closed", without a newline; whatever a service said of itself is
 * made harmless. 0, -ENOMEM, -ENOBUFS. */
int change_write(hbytes_t *out, const change_t *change);

#endif
