#include "hdns.h"

#include "../base/hstr.h"

#include <string.h>

/* "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353". */
static bool is_server(const char *text, size_t len)
{
    char copy[HADDR_FORMAT_SIZE], *host = copy, *end, *port = NULL;
    uint64_t number;
    haddr_t addr;

    if (len == 0 || len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    end = strchr(copy, ':');
    if (*copy == '[') {
        host++;
        end = strchr(host, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return false;
        port = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
    } else if (end && strchr(end + 1, ':') == NULL) {
        port = end + 1;
        *end = '\0';
    }
    return haddr_parse(&addr, host, 0) == 0 &&
           (port == NULL || hstr_parse_u64(port, 1, 65535, &number) == 0);
}

const char *hdns_wrong_server(const char *servers, size_t *len)
{
    for (;;) {
        *len = strcspn(servers, ",");
        if (!is_server(servers, *len))
            return servers;
        if (servers[*len] == '\0')
            return NULL;
        servers += *len + 1;
    }
}
