/* hendpoint: the one grammar of end points:
 *
 *     PORT              loopback (127.0.0.1)
 *     :PORT  *:PORT     every address
 *     HOST:PORT         a name or an IPv4 address
 *     [v6]:PORT         an IPv6 address, with %zone where it needs one
 *     unix:/path        a UNIX stream socket; unix:@name an abstract one
 *     unixgram:/path    a UNIX datagram socket
 *
 * with tcp:// (the default), udp:// or tls:// in front of the first four. PORT is 0..65535 or,
 * behind a host, a service name. */
#ifndef HNET_NET_HENDPOINT_H
#define HNET_NET_HENDPOINT_H

#include "haddr.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    HENDPOINT_TCP = 0,
    HENDPOINT_UDP,
    HENDPOINT_TLS,
    HENDPOINT_UNIX,
    HENDPOINT_UNIXGRAM
} hendpoint_scheme_e;

#define HENDPOINT_HOST_SIZE 256
#define HENDPOINT_PATH_SIZE 108 /* as sun_path */
#define HENDPOINT_FORMAT_SIZE 288

typedef struct hendpoint_s {
    hendpoint_scheme_e scheme;
    uint16_t port;
    char host[HENDPOINT_HOST_SIZE]; /* without brackets; "": every address */
    char path[HENDPOINT_PATH_SIZE]; /* UNIX schemes only: "/path" or "@name" */
} hendpoint_t;

/* Parses text. 0, HERR_SYNTAX, HERR_RANGE (port) or -ENAMETOOLONG; then error (may be NULL) is one
 * line that quotes what is wrong, such as: port out of range: "70000". */
int hendpoint_parse(hendpoint_t *ep, const char *text, char *error, size_t error_size);

/* From parts that were given apart. With a UNIX scheme host is the path and port is ignored. 0,
 * HERR_RANGE, -EINVAL (empty path), -ENAMETOOLONG. */
int hendpoint_set(hendpoint_t *ep, hendpoint_scheme_e scheme, const char *host, int port);

/* The text that parses to the same end point, the scheme only where it is not tcp. Returns buf. */
const char *hendpoint_format(const hendpoint_t *ep, char *buf, size_t size);

bool hendpoint_is_unix(const hendpoint_t *ep);

/* SOCK_STREAM or SOCK_DGRAM. */
int hendpoint_socktype(const hendpoint_t *ep);

#ifdef __cplusplus
}
#endif

#endif
