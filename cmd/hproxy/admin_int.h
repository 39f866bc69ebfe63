/* What /metrics and /status say, for admin.c. */
#ifndef HPROXY_ADMIN_INT_H
#define HPROXY_ADMIN_INT_H

#include "lane.h"

/* metrics.c: appends the page of Prometheus. 0, -ENOMEM or -ENOBUFS. */
int metrics_write(lane_t *lane, hbytes_t *out);

/* status.c: the same for people's programs, and for people. 0, -ENOMEM or -ENOBUFS. */
int status_write_json(lane_t *lane, hbytes_t *out);
int status_write_html(lane_t *lane, hbytes_t *out);

#endif
