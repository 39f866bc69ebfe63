/* live: pages load themselves anew when a file of theirs changes (--live-reload). */
#ifndef HNET_HHTTPD_LIVE_H
#define HNET_HHTTPD_LIVE_H

#include "site.h"

#define LIVE_RECHECK_MS 1 /* of open files: a page that comes back shall not see the old ones */

/* Where the host's pages listen, below base_url; NULL: they do not, or there is no memory. */
const char *live_url(site_host_t *host);

int live_install(site_host_t *host);

#endif
