/* service: finds out what answers on the open ports of hosts. A TCP port has several conversations
 * at the same time: one listens for what the server says by itself, others say what is likely to be
 * understood, one speaks TLS, and then what is within it; a protocol that can go over to TLS is
 * asked to. To a UDP port, also to one that has been silent so far, goes what could be answered; an
 * answer makes it open. What names the service best is kept. */
#ifndef HNMAP_SERVICE_H
#define HNMAP_SERVICE_H

#include "event/hloop.h"
#include "net/hsocket.h"
#include "result.h"
#include "service_file.h"

#define SERVICE_OPEN_MAX 256     /* conversations at the same time */
#define SERVICE_PORT_OPEN_MAX 32 /* of one port */
#define SERVICE_REPLY_MAX 8192   /* bytes of an answer that are looked at */
#define SERVICE_BANNER_MAX 256   /* of these in a report */
#define SERVICE_LISTEN_MS 500    /* for who speaks first, before others are asked; and 3 RTT */
#define SERVICE_NEXT_MS 700      /* for the likely probes, before all others go out; as above */
#define SERVICE_SPEAKER_MS 5000  /* on ports where servers are known to speak first */
#define SERVICE_ANSWER_MS 3000   /* for an answer, at most; and 4 RTT */
#define SERVICE_STARTTLS_MS 2000 /* for each answer on the way to TLS; as above */
#define SERVICE_REST_MS 600      /* for more of an answer that has begun */
#define SERVICE_UDP_TRIES 3      /* of a datagram that is not answered */
#define SERVICE_UDP_AGAIN_MS 500 /* between them; and 2 RTT */
#define SERVICE_UDP_LAST_MS 1000 /* for an answer to the last; and 4 RTT */

typedef struct service_run_s service_run_t;
typedef struct service_host_s service_host_t;

/* All ports of a host were looked at, its services are in the result. From the loop. */
typedef void (*service_done_cb)(void *context, void *user);

typedef struct service_options_s {
    bool versions;              /* ask; else only banners are listened for */
    bool banners;               /* keep what a service says first */
    bool all_ports;             /* printers, too */
    bool traces;                /* tell on standard error what is said and heard */
    unsigned intensity;         /* 0..9 */
    const service_file_t *file; /* further probes; borrowed, NULL: none */
    hsocket_options_t socket;   /* its strings and addresses are borrowed */
} service_options_t;

/* 0 and *run, or -ENOMEM. */
int service_run_new(hloop_t *loop, const service_options_t *options, service_done_cb done,
                    void *context, service_run_t **run);
/* No callbacks; hosts that are under way are given up. NULL is legal. */
void service_run_free(service_run_t *run);

/* Begins with a host. It writes to the services of its ports, which must stay where they are until
 * done, or service_cancel. 0 and *host, which is gone when done runs; or -ENOMEM. */
int service_run_add(service_run_t *run, host_result_t *result, void *user, service_host_t **host);

/* Gives the rest of a host up: what was found is in its result. No callback. NULL is legal. */
void service_cancel(service_host_t *host);

/* Whether there is something to look at. */
bool service_is_wanted(const service_run_t *run, const host_result_t *result);

#endif
