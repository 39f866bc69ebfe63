/* service: one service in one loop: its listeners, who may come, where it leads, its sessions. */
#ifndef HPROXY_SERVICE_H
#define HPROXY_SERVICE_H

#include "lane.h"

#include "base/hlist.h"
#include "event/htimer.h"
#include "net/haccess.h"
#include "net/hlimit.h"
#include "net/hrate.h"

/* Of session.c: clients of datagrams that came to nothing. */
typedef struct unanswered_s {
    uint64_t since_us, untold;
    uint32_t told; /* since then */
} unanswered_t;

typedef struct service_s {
    struct service_s *next;
    lane_t *lane;
    const service_settings_t *settings;
    stats_t *stats;                /* its counters */
    htargets_t *targets;           /* NULL: a forward proxy */
    haccess_t *access;             /* NULL: everyone may come */
    haccess_t *trusted;            /* NULL: every PROXY header counts */
    haddr_t source;                /* that targets are connected from; len 0: any */
    hlimit_t *limit;               /* NULL: no limits of connections */
    hrate_t *rate_in, *rate_out;   /* of all together; NULL: none */
    htls_ctx_t *tls;               /* listening, of the settings; NULL: plain */
    htls_ctx_t *target_tls;        /* likewise; NULL: no target speaks it */
    struct forward_s *forward;     /* NULL: leads to its targets */
    struct datagrams_s *datagrams; /* NULL: no datagram listener */
    unanswered_t unanswered;
    hlist_t listeners;
    hlist_t sessions;
    hlist_t streams;   /* those of them that stream.c has */
    hlist_t unwatched; /* clients that are about to be watched: watch.h */
    htimer_t *watcher; /* NULL: there are none */
} service_t;

/* 0 and *service, or a negative error and a line in `why`. */
int service_new(lane_t *lane, const service_settings_t *settings, service_t **service,
                hbytes_t *why);

/* As lane_listen. */
int service_listen(service_t *service, const listen_settings_t *listen, int fd);

/* Accepts nobody any more. */
void service_stop(service_t *service);

/* Ends all sessions, without waiting. NULL is legal. */
void service_free(service_t *service);

#endif
