/* haddr: socket addresses as values: IPv4, IPv6, UNIX names and VM sockets, parsed, printed and
 * compared. Nothing here asks a name server or the kernel (but for IPv6 zone names and service
 * names). */
#ifndef HNET_NET_HADDR_H
#define HNET_NET_HADDR_H

#include "../base/herr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Any address; sa.sa_family tells which member counts. */
typedef union sockaddr_u {
    struct sockaddr sa;
    struct sockaddr_in sin;
    struct sockaddr_in6 sin6;
    struct sockaddr_un sun;
    struct sockaddr_storage storage;
} sockaddr_u;

/* An address with its exact length, which abstract UNIX names need. All zero: no address. */
typedef struct haddr_s {
    sockaddr_u u;
    socklen_t len;
} haddr_t;

/* Enough for every formatted address with its NUL. */
#define HADDR_FORMAT_SIZE 128

/* "127.0.0.1", "::1", "fe80::1%eth0" (numbers only, no brackets) and a port, 0..65535. 0,
 * HERR_SYNTAX, HERR_RANGE (port), -ENODEV (no such zone). */
int haddr_parse(haddr_t *addr, const char *ip, int port);

/* "/path", "relative" or "@abstract". 0, -EINVAL (no name), -ENAMETOOLONG (past 107 bytes). */
int haddr_unix(haddr_t *addr, const char *path);

/* AF_VSOCK: a virtual machine or its host by number; HADDR_VSOCK_ANY listens to all of them. */
#define HADDR_VSOCK_ANY UINT32_MAX
void haddr_vsock(haddr_t *addr, uint32_t cid, uint16_t port);

/* Every address (0.0.0.0 or ::) or the loopback of a family, AF_INET or AF_INET6. */
void haddr_any(haddr_t *addr, int family, uint16_t port);
void haddr_loopback(haddr_t *addr, int family, uint16_t port);

/* Copies what the kernel gave. 0, or -EINVAL when len is more than sockaddr_u holds. */
int haddr_set(haddr_t *addr, const struct sockaddr *sa, socklen_t len);

/* "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "unix:/path", "unix:@name", "unix:" for a UNIX
 * socket without a name, "vsock:2:80", "-" for no address. len may be 0: haddr_len is asked.
 * Control characters in a path become '?'. Returns buf, cut to size and NUL-terminated. */
const char *haddr_format(const struct sockaddr *sa, socklen_t len, char *buf, size_t size);

/* The host part alone: "127.0.0.1", "::1", the path, a number ("*" for any) of AF_VSOCK; "" for no
 * address. Returns buf. */
const char *haddr_ip(const struct sockaddr *sa, char *buf, size_t size);

/* The port in host order; 0 where there is none. */
int haddr_port(const struct sockaddr *sa);
void haddr_set_port(struct sockaddr *sa, uint16_t port);

/* The length that belongs to the family; 0 for an unknown one. A path ends at its NUL; an abstract
 * name, whose length is not stored, at the first NUL behind its first byte. */
socklen_t haddr_len(const struct sockaddr *sa);

/* Orders by family, host, port, zone: negative, 0 or positive. */
int haddr_compare(const struct sockaddr *a, const struct sockaddr *b);
bool haddr_equal(const struct sockaddr *a, const struct sockaddr *b);

bool haddr_is_any(const struct sockaddr *sa);

/* 127.0.0.0/8 or ::1: never leaves the machine. */
bool haddr_is_loopback(const struct sockaddr *sa);

/* Makes an IPv4 address that comes mapped in an IPv6 one (::ffff:192.0.2.1, RFC 4291 section
 * 2.5.5.2), as a socket for both families has them, IPv4; leaves any other as it is. */
void haddr_unmap(haddr_t *addr);

/* A port or a range: "80", "80-90", "http", "ftp-data" (service names by the system's table, read
 * only for what is not a number); proto is "tcp", "udp" or NULL for any. Ports are 0..65535. 0,
 * HERR_SYNTAX (empty, no such service) or HERR_RANGE (past 65535, or a range upside down); then
 * error (may be NULL) says what is wrong and names the text. */
int haddr_port_parse(const char *text, const char *proto, uint16_t *first, uint16_t *last,
                     char *error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
