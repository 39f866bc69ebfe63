#include "hhost.h"

#include "../base/hurl.h"
#include "haddr.h"

#include <stdio.h>
#include <string.h>

/* What would be read as another part of a URL, or decoded. */
#define NOT_IN_NAMES "/?#@\\:%[]<>^|\""

static void put_address(haddr_t *addr, char buf[HHOST_SIZE])
{
    haddr_unmap(addr);
    if (haddr_is_any(&addr->u.sa))
        haddr_loopback(addr, addr->u.sa.sa_family, 0);
    haddr_ip(&addr->u.sa, buf, HHOST_SIZE);
}

/* The rules of URLs are those of browsers: what clients make of such a host is what it means. */
static int put_name(const char *host, char buf[HHOST_SIZE])
{
    char text[sizeof("http:///") + HHOST_SIZE];
    int len = snprintf(text, sizeof(text), "http://%s/", host);
    hurl_t url = {0};
    haddr_t addr;
    int err = hurl_parse(&url, text, (size_t)len, NULL, 0);

    if (err == 0 && (url.host.len == 0 || url.host.len >= HHOST_SIZE))
        err = HERR_RANGE;
    if (err == 0) {
        memcpy(buf, url.host.data, url.host.len);
        buf[url.host.len] = '\0';
        if (haddr_parse(&addr, buf, 0) == 0)
            put_address(&addr, buf);
    }
    hurl_deinit(&url);
    return err;
}

int hhost_plain(const char *host, char buf[HHOST_SIZE])
{
    haddr_t addr;

    if (strlen(host) >= HHOST_SIZE)
        return HERR_RANGE;
    if (haddr_parse(&addr, host, 0) == 0) {
        put_address(&addr, buf);
        return 0;
    }
    for (const char *c = host; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr(NOT_IN_NAMES, *c))
            return HERR_SYNTAX;
    }
    return put_name(host, buf);
}
