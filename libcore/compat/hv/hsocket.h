/* Sockets and their addresses under libhv's names. */
#ifndef HV_HSOCKET_H
#define HV_HSOCKET_H

#include "../../net/haddr.h"
#include "../../net/hsocket.h"
#include "hdef.h"
#include "hexport.h"

#ifdef __cplusplus
extern "C" {
#endif

#define INVALID_SOCKET (-1)
#define closesocket(fd) close(fd)
#define DEFAULT_CONNECT_TIMEOUT 10000 /* ms */

#define SOCKADDR_STRLEN 64
#define SOCKADDR_LEN(addr) sockaddr_len((sockaddr_u *)(addr))
#define SOCKADDR_STR(addr, buf) sockaddr_str((sockaddr_u *)(addr), (buf), sizeof(buf))

static inline int socket_errno(void)
{
    return errno;
}

/* The text of a negative or positive errno. */
const char *socket_strerror(int err);

/* "127.0.0.1:80", "[::1]:80" or a path into buf; the host alone. They return buf. */
const char *sockaddr_str(sockaddr_u *addr, char *buf, int len);
const char *sockaddr_ip(sockaddr_u *addr, char *ip, int len);

uint16_t sockaddr_port(sockaddr_u *addr);
socklen_t sockaddr_len(sockaddr_u *addr);
void sockaddr_set_port(sockaddr_u *addr, int port);

/* Fill in the host (a name is looked up, which blocks; NULL or "": every address) and the port;
 * with port < 0 host is a UNIX path. 0 or a negative error. */
int sockaddr_set_ip(sockaddr_u *addr, const char *host);
int sockaddr_set_ipport(sockaddr_u *addr, const char *host, int port);

/* The address of a host without a port. 0 or a negative error. */
int ResolveAddr(const char *host, sockaddr_u *addr);

/* A blocking socket, bound, or bound and listening, or connected; port < 0: a UNIX path. type is
 * SOCK_STREAM or SOCK_DGRAM. A descriptor or a negative error. */
int Bind(int port, const char *host, int type);
int Listen(int port, const char *host);
int Connect(const char *host, int port, int nonblock);
int ConnectNonblock(const char *host, int port);
int ConnectTimeout(const char *host, int port, int ms);

static inline int blocking(int sockfd)
{
    return hsocket_set_nonblocking(sockfd, false);
}

static inline int nonblocking(int sockfd)
{
    return hsocket_set_nonblocking(sockfd, true);
}

static inline int tcp_nodelay(int sockfd, int on)
{
    return hsocket_set_nodelay(sockfd, on != 0);
}

#ifdef __cplusplus
}
#endif

#endif
