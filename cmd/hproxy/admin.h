/* admin: the listener for those who look after the proxy: GET /metrics (Prometheus text format),
 * /status (JSON, or a page for a browser), /healthz. */
#ifndef HPROXY_ADMIN_H
#define HPROXY_ADMIN_H

#include "lane.h"

typedef struct admin_s admin_t;

/* 0 and *admin, or a negative error and words. */
int admin_new(lane_t *lane, admin_t **admin, hbytes_t *why);

/* Serves this socket, which is taken in any case. 0 or a negative error. */
int admin_listen(admin_t *admin, int fd);

/* Accepts nobody any more and ends those that wait. */
void admin_stop(admin_t *admin);
void admin_free(admin_t *admin); /* NULL is legal */

#endif
