/* watch: clients that are not read while something else is done for them. That such a connection
 * breaks is noticed; it closes then, with its cause (hio_watch_hangup). */
#ifndef HPROXY_WATCH_H
#define HPROXY_WATCH_H

#include "service.h"

/* Embedded, all zero in the beginning. */
typedef struct watched_s {
    hlist_t link;
    hio_t *io;
} watched_t;

/* Until watch_end, or until io is read, which costs nothing if it is soon. */
void watch_begin(service_t *service, watched_t *watched, hio_t *io);
void watch_end(watched_t *watched);

#endif
