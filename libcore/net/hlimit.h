/* hlimit: how many connections may come: so many at once and so many new ones a second, in all and
 * of one client. A client is an IPv4 address, or the first 64 bits of an IPv6 one, as whoever has
 * one of these has them all; an IPv4 address that comes mapped in an IPv6 one counts as IPv4. UNIX
 * sockets and those without an address are no client's: only the limits in all count for them.
 *
 * New connections are counted by token buckets: up to a second's worth at once, then one each time
 * a token has come. Rounding never lets in one too many. What is refused takes no token.
 *
 * Clients are remembered while they have connections, and after that until their bucket is full
 * again (a second at most). No more of them than clients_max: when the table is full the one that
 * has been without connections for longest is forgotten, and with it the tokens that it owes; where
 * all have connections a new client is refused. Nothing of it is shared between processes.
 *
 * Times are microseconds of any clock that never goes back: hloop_now_us. */
#ifndef HNET_NET_HLIMIT_H
#define HNET_NET_HLIMIT_H

#include "haddr.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HLIMIT_CLIENTS_MAX 262144 /* about 64 bytes each, when they are there */

/* Zero: no limit. */
typedef struct hlimit_options_s {
    uint32_t connections;            /* at once */
    uint32_t connections_per_client; /* of one client at once */
    uint32_t rate;                   /* new ones a second */
    uint32_t rate_per_client;
    uint32_t clients_max; /* 0: HLIMIT_CLIENTS_MAX, which is the most */
} hlimit_options_t;

typedef struct hlimit_s hlimit_t;

/* Which limit says no. */
typedef enum hlimit_e {
    HLIMIT_NONE = 0, /* it may come */
    HLIMIT_CONNECTIONS,
    HLIMIT_CONNECTIONS_PER_CLIENT,
    HLIMIT_RATE,
    HLIMIT_RATE_PER_CLIENT,
    HLIMIT_CLIENTS /* the table is full */
} hlimit_e;

/* 0 and *limit; -EINVAL (clients_max), -ENOMEM. */
int hlimit_new(const hlimit_options_t *options, hlimit_t **limit);
void hlimit_free(hlimit_t *limit); /* NULL is legal */

/* A connection comes, of a client that is known (client) or will be later (NULL): the limits in all
 * count, and those of the client if it is given. HLIMIT_NONE: it is counted until hlimit_leave with
 * the same client; or the limit that refuses it; or -ENOMEM. */
int hlimit_enter(hlimit_t *limit, const struct sockaddr *client, uint64_t now_us);

/* The client of a connection that entered without one: its limits count. As hlimit_enter; if it is
 * refused, the connection is still there, without a client. */
int hlimit_identify(hlimit_t *limit, const struct sockaddr *client, uint64_t now_us);

/* A connection that entered is over; client as it was told, NULL if never. */
void hlimit_leave(hlimit_t *limit, const struct sockaddr *client, uint64_t now_us);

/* A few words: "too many connections of this client". For what hlimit_enter says. */
const char *hlimit_text(int refused);

/* Now. */
uint32_t hlimit_connections(const hlimit_t *limit);
uint32_t hlimit_clients(const hlimit_t *limit); /* remembered */

#ifdef __cplusplus
}
#endif

#endif
