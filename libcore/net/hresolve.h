/* hresolve blocks: it asks the system's resolver for the addresses of a name, so it is for use
 * before the loop runs. */
#ifndef HNET_NET_HRESOLVE_H
#define HNET_NET_HRESOLVE_H

#include "haddr.h"
#include "hendpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HRESOLVE_ADDRS_MAX 64

typedef struct hresolve_hints_s {
    int family;   /* AF_INET, AF_INET6; 0: both */
    int socktype; /* SOCK_STREAM, SOCK_DGRAM; 0: SOCK_STREAM */
    bool numeric; /* only addresses in numbers, no name server */
    bool passive; /* an empty host means every address, not loopback */
} hresolve_hints_t;

typedef struct hresolve_s {
    haddr_t *addrs; /* in the order of preference of the system */
    size_t count;
    int gai_error; /* what getaddrinfo said, when the result was HERR_RESOLVE */
} hresolve_t;

/* The addresses of host ("" or NULL: see passive) with this port, at most HRESOLVE_ADDRS_MAX. hints
 * may be NULL. 0 and at least one address, to be freed; HERR_RESOLVE (hresolve_error tells),
 * -ENOMEM, or the -errno of the system. */
int hresolve(const char *host, uint16_t port, const hresolve_hints_t *hints, hresolve_t *result);

/* The same for an end point, UNIX names too; the socket type is the end point's. With every address
 * and family 0 the result is :: and then 0.0.0.0. */
int hresolve_endpoint(const hendpoint_t *ep, const hresolve_hints_t *hints, hresolve_t *result);

/* The resolver's words for what err (the result of the call) means; never NULL, static storage. */
const char *hresolve_error(const hresolve_t *result, int err);

/* Frees the addresses; legal on a result that failed or is zeroed. */
void hresolve_free(hresolve_t *result);

#ifdef __cplusplus
}
#endif

#endif
