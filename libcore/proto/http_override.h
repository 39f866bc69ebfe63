/* http_override: where connections go in the place of what a URL names: curl's --resolve and
 * --connect-to. A table of the program's; pure. */
#ifndef HNET_PROTO_HTTP_OVERRIDE_H
#define HNET_PROTO_HTTP_OVERRIDE_H

#include "../base/hbuf.h"
#include "../net/haddr.h"
#include "http_client.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_OVERRIDE_MAX 10000     /* entries of each kind */
#define HTTP_OVERRIDE_ADDRS_MAX 64  /* of one entry */
#define HTTP_OVERRIDE_HOST_SIZE 256 /* with a NUL */

/* 0 and *overrides, empty; -ENOMEM. */
int http_override_new(http_override_t **overrides);

/* NULL is legal. */
void http_override_free(http_override_t *overrides);

/* "HOST:PORT:ADDR[,ADDR...]": connections to HOST:PORT go to these addresses, in this order, and no
 * name is looked up. HOST may be "*", which stands for all that have no entry of their own, or an
 * IPv6 address in brackets; so may ADDR. A "+" in front is taken (the entry would not stay for
 * ever). "-HOST:PORT" takes an entry away; a later one of the same HOST:PORT replaces it. 0;
 * HERR_SYNTAX, HERR_RANGE (port), -ENOBUFS (too many), -ENOMEM, and `why` (may be NULL) gets one
 * line. */
int http_override_resolve(http_override_t *overrides, const char *text, hbytes_t *why);

/* "HOST1:PORT1:HOST2:PORT2": a request to HOST1:PORT1 goes over a connection to HOST2:PORT2. An
 * empty HOST1 or PORT1 is any, an empty HOST2 or PORT2 the request's own. Where more than one entry
 * fits the first counts. Errors as above. */
int http_override_connect(http_override_t *overrides, const char *text, hbytes_t *why);

/* Where a request to host:port goes (--connect-to). 1: *to_host (of HTTP_OVERRIDE_HOST_SIZE bytes)
 * and *to_port are written; 0: to where it says. A NULL table has nothing. */
int http_override_target(const http_override_t *overrides, const char *host, uint16_t port,
                         char *to_host, uint16_t *to_port);

/* The addresses of host:port (--resolve), with that port; they live until the table changes. How
 * many, 0: none are given. A NULL table has nothing. Host names are compared without case. */
size_t http_override_addrs(const http_override_t *overrides, const char *host, uint16_t port,
                           const haddr_t **addrs);

#ifdef __cplusplus
}
#endif

#endif
