/* ping: echoes without privileges, by a socket that may send nothing else (SOCK_DGRAM with
 * IPPROTO_ICMP or IPPROTO_ICMPV6, Linux): the system lets the groups have one that
 * net.ipv4.ping_group_range names, for IPv6 too. The kernel makes the id, looks at checksums and
 * hands over answers to this id alone; which host and try they belong to is told by a number in
 * the payload that nobody else can guess. */
#ifndef HNMAP_PING_H
#define HNMAP_PING_H

#include "event/hloop.h"
#include "net/haddr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PING_NONCE_SIZE 8
#define PING_READS_MAX 1024 /* answers and errors in one turn of the loop, of one socket */
#define PING_SOCKETS_MAX 16

typedef struct ping_s ping_t;

typedef struct ping_answer_s {
    haddr_t host; /* whom it is about, port 0; link-local: with its interface */
    unsigned try;
    bool is_error; /* an ICMP error: something on the way, this machine or the host says that the
                      echo did not get there */
    bool is_from_host; /* the host itself sent it */
    uint8_t error_type, error_code;
    uint8_t ttl; /* of an echo reply; 0: not known */
    uint64_t time_us;
} ping_answer_t;

typedef void (*ping_cb)(void *context, const ping_answer_t *answer);

typedef struct ping_options_s {
    sa_family_t family;
    const haddr_t *source; /* address to send from, its port is left alone; NULL: the kernel's */
    const char *interface; /* NULL: as the routes say */
    uint8_t ttl;           /* 0: the usual one */
    const uint8_t *data;   /* behind the number; may be NULL with 0; not copied */
    size_t data_len;
    uint64_t seed;
} ping_options_t;

/* Whether the system lets this process have such a socket. */
bool ping_is_allowed(sa_family_t family);

/* 0; -EACCES (not allowed), what binding says, -ENOMEM. options are copied, but not
 * what they point to. */
int ping_new(hloop_t *loop, const ping_options_t *options, ping_cb cb, void *context,
             ping_t **ping);
void ping_free(ping_t *ping); /* no callbacks; NULL is legal */

/* Sends an echo. 0; -EAGAIN: no room now; another -errno: it cannot be sent there. */
int ping_send(ping_t *ping, const struct sockaddr *addr, unsigned try);

/* ---- for tests: what is in an echo ----------------------------------------------------------- */

/* The number of the echo to a host. */
uint64_t ping__nonce(uint64_t secret, const struct sockaddr *host, unsigned try);

/* Reads what the socket gives: an ICMP header (the reply's; of an error, that of the request) and
 * what follows it. is_error: the number may be cut off, which is believed then. False: it is none
 * of ours. *try is set. */
bool ping__read(uint64_t secret, const struct sockaddr *host, bool is_error, const uint8_t *data,
                size_t len, unsigned *try);

#endif
