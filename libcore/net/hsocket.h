/* hsocket: sockets ready for the loop: close-on-exec and non-blocking from the first moment, TCP
 * without Nagle's delay. Everything returns a descriptor or 0, or a negative errno; on an error
 * nothing is left open. */
#ifndef HNET_NET_HSOCKET_H
#define HNET_NET_HSOCKET_H

#include "haddr.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero is the default. */
typedef struct hsocket_options_s {
    bool reuse_port;    /* SO_REUSEPORT: several sockets share one port */
    bool no_reuse_addr; /* without SO_REUSEADDR, which listening sockets have by default */
    bool delay;         /* with Nagle's delay: TCP_NODELAY off */
    bool broadcast;     /* SO_BROADCAST */
    bool dual_stack;    /* an IPv6 socket takes IPv4 too; by default it does not */
    bool fast_open;     /* connecting: data goes with the first packet (RFC 7413), where it may */
    bool speaks_first;  /* connecting: bytes follow at once, and the handshake's end with them */
    int keepalive_s;    /* TCP keep-alive after so many idle seconds; 0: none */
    int keepalive_every_s; /* between its probes; 0: the system's */
    int keepalive_count;   /* so many without an answer are the end; 0: the system's */
    int recv_buffer;       /* bytes; 0: the system's */
    int send_buffer;
    int tos;            /* IP_TOS or IPV6_TCLASS, 0..255; 0: the system's */
    int ttl;            /* unicast hop limit; 0: the system's */
    int min_ttl;        /* drop what arrives with less; 0: none */
    int backlog;        /* for listening; 0: SOMAXCONN */
    int defer_accept_s; /* accept TCP with its first bytes, after so long without; 0: at once */
    mode_t unix_mode;   /* permissions of a UNIX socket's path; 0: as the umask says */
    /* Bulk data over TCP: to and on a loopback address Reno in place of BBR, as nothing is to be
     * found out about a path there, and BBR's pacing, with a timer a packet, costs several times
     * what carrying the bytes does. */
    bool carries_much;
    const char *congestion; /* TCP's congestion control by its name; NULL: the system's */
    const char *interface;  /* bind to this network interface; NULL: any */
    const haddr_t *source;  /* connecting: bind to this address first; NULL: any */
} hsocket_options_t;

/* A socket with these options (may be NULL) applied; type is SOCK_STREAM or SOCK_DGRAM. */
int hsocket_open(int family, int type, const hsocket_options_t *options);

/* Gives a TCP socket a congestion control. -ENOENT: the system has none of that name, -EPERM: it is
 * for privileged users. */
int hsocket_set_congestion(int fd, const char *name);

/* Whether the congestion control of a TCP socket is BBR, of any version. */
bool hsocket_is_bbr(int fd);

/* Binds. A UNIX path that is in the way is replaced only if it is a socket nobody listens on; a
 * live one, or any other file, gives -EADDRINUSE and is left alone. */
int hsocket_bind(int fd, const haddr_t *addr, const hsocket_options_t *options);

/* Open, bind and, for a stream, listen. */
int hsocket_listen(const haddr_t *addr, int type, const hsocket_options_t *options);

/* Open and, if asked for, bind to the source, but do not connect: for hio_connect. Without a source
 * the kernel gives a UNIX datagram socket an abstract name: nobody could answer it otherwise. */
int hsocket_client(const haddr_t *addr, int type, const hsocket_options_t *options);

/* Starts to connect: 0 when connected, -EINPROGRESS, or the error. */
int hsocket_connect_start(int fd, const haddr_t *addr);

/* Blocks until connected, for at most timeout_ms (-1: the system's limit); returns the descriptor,
 * still non-blocking, or -ETIMEDOUT ... For use outside the loop. */
int hsocket_connect(const haddr_t *addr, int type, const hsocket_options_t *options,
                    int timeout_ms);

int hsocket_local(int fd, haddr_t *addr);
int hsocket_peer(int fd, haddr_t *addr);

int hsocket_set_nonblocking(int fd, bool on);
int hsocket_set_nodelay(int fd, bool on);

/* Whether bytes that have come wait to be read. */
bool hsocket_has_input(int fd);

/* SO_RCVLOWAT: nobody is woken for fewer bytes than these; 1 is the usual. */
int hsocket_set_lowat(int fd, int bytes);

/* The identity of a bound UNIX path, to remove exactly this file later. device 0: none. */
typedef struct hsocket_path_s {
    dev_t device;
    ino_t inode;
    pid_t owner;     /* a process forked from the owner does not remove it */
    char path[1024]; /* absolute */
} hsocket_path_t;

/* Remembers the path that addr was just bound to; nothing for an abstract name or
 * another family. */
void hsocket_path_remember(hsocket_path_t *saved, const haddr_t *addr);

/* Gives the path this mode if it is still that file. 0, or -errno: -ENOENT if it is not. */
int hsocket_path_chmod(const hsocket_path_t *saved, mode_t mode);

/* Removes the path if it is still that file and this process remembered it; forgets it. */
void hsocket_path_remove(hsocket_path_t *saved);

#ifdef __cplusplus
}
#endif

#endif
