#include "hdial_int.h"

#include "../base/hstr.h"

#include <stdio.h>
#include <string.h>

int hdial__proxy_hop(const hproxy_t *proxy, hendpoint_t *hop)
{
    if (strncmp(proxy->host, "unix:", 5) == 0)
        return hendpoint_set(hop, HENDPOINT_UNIX, proxy->host + 5, 0);
    return hendpoint_set(hop, HENDPOINT_TCP, proxy->host, proxy->port);
}

void hdial__proxy_start(hdial_t *dial)
{
    hdial__fail(dial, HERR_UNSUPPORTED);
}

void hdial__proxy_timed_out(hdial_t *dial)
{
    hdial__fail(dial, -ETIMEDOUT);
}

void hdial__proxy_deinit(hdial_t *dial)
{
    (void)dial;
}
