/* hhost: the one plain spelling of a host, for rules about hosts: what has many spellings must not
 * get past them in another. */
#ifndef HNET_NET_HHOST_H
#define HNET_NET_HHOST_H

#include "../base/herr.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HHOST_SIZE 256

/* Writes the plain spelling of a host (no brackets, no port) and a NUL: names in lower case and
 * ASCII (through libidn2 where need be), a point at their end stays; addresses as inet_ntop has
 * them, IPv4 also for "127.1", "0x7f000001", "017700000001" and "::ffff:127.0.0.1", and the
 * loopback for those that are unspecified ("0.0.0.0", "::"), which lead there. 0, HERR_SYNTAX (no
 * host: empty, spaces, a URL's punctuation, a number that is no address), HERR_RANGE (too long),
 * HERR_UNSUPPORTED (a name that needs libidn2, which is missing), -ENOMEM. buf may be host. */
int hhost_plain(const char *host, char buf[HHOST_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
