#include "change.h"

#include "output_text.h"

#include "base/hstr.h"

#include <string.h>

#define TEXT_SIZE 1024 /* of what a service said */

static void make_safe(char *safe, const char *text)
{
    hstr_escape(safe, TEXT_SIZE, text, strlen(text));
}

int change_write(hbytes_t *out, const change_t *change)
{
    char ip[HADDR_FORMAT_SIZE], now[TEXT_SIZE], was[TEXT_SIZE];

    output_ip(change->host, ip);
    make_safe(now, change->now);
    make_safe(was, change->was);
    if (change->what == CHANGE_HOST)
        return hbytes_printf(out, "%s: host is %s, was %s", ip, now, was);
    return hbytes_printf(out, "%s: %s/%s %s%s, was %s", ip, change->ports,
                         protocol_name(change->protocol),
                         change->what == CHANGE_SERVICE ? "is " : "", now, was);
}
