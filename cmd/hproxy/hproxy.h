/* hproxy: what its files share.
 *
 *     hproxy.c      main: documentation, what -t and -s do
 *     settings.*    what it was told to do; options.c conf.c values.c
 *     master.c      the process that was started: generations of workers (app/hmaster)
 *     worker.c      a worker process: shut in, one loop, one lane
 *     lane.*        what one loop serves: services, names, status
 *     service.*     one of them: listeners, who may come, targets, limits
 *     session.*     one client's way: from accept to the line in the access log
 *     reach.*       from a session to a target: picked, dialled, the next one
 *     stream.c      sessions of connections: PROXY header, TLS, target, dial, relay
 *     datagram.c    sessions of datagrams: net/hflow
 *     forward.c     sessions of a forward proxy: net/hproxy_server
 *     stats.*       counters in memory that all processes share
 *     admin.*       /metrics (metrics.c) and /status (status.c)
 *     access_log.*  a line for each session
 *
 * A session goes
 *
 *     accept -> admit (lists, limits) -> [PROXY header] -> [TLS] -> stream | datagram | forward
 *            -> target picked, dialled; another one if that fails -> relay -> session_end
 *
 * and whatever becomes of it, session_end is called once: counts, logs, lets the target go. */
#ifndef HPROXY_H
#define HPROXY_H

#include "app/hlogfile.h"
#include "settings.h"
#include "stats.h"

#include "net/hdns.h"
#include "net/htargets.h"

#define HPROXY_NAME "hproxy"

/* What a worker gets from its master; all of it lives longer than its lane. */
typedef struct env_s {
    const settings_t *settings;
    const hlogfile_t *log;        /* messages */
    int access_fd;                /* -1: no access log */
    stats_shared_t *stats;        /* of all processes; NULL: nobody serves, this is a test of the
                                     settings with a loop that never runs */
    htarget_share_t *targets;     /* likewise: health, load, counters */
    unsigned slot;                /* this worker's number among all that live */
    unsigned index, worker_count; /* ... among those of its generation */
    uint64_t generation;
} env_t;

#endif
