/* host: one host while it is scanned. */
#ifndef HNMAP_HOST_H
#define HNMAP_HOST_H

#include "base/hlist.h"
#include "engine.h"
#include "event/htimer.h"
#include "net/hdns.h"
#include "raw.h"
#include "result.h"
#include "service.h"
#include "targets.h"

typedef enum host_stage_e {
    STAGE_PING,  /* is it there? */
    STAGE_WAIT,  /* for a place among those whose ports are scanned */
    STAGE_PORTS, /* TCP */
    STAGE_UDP,
    STAGE_SERVICE,    /* what answers on the open ones */
    STAGE_OS,         /* which system it is */
    STAGE_TRACE_WAIT, /* for the way to one of its neighbours */
    STAGE_TRACE,      /* the way to it */
    STAGE_DONE        /* to be reported in its turn */
} host_stage_e;

/* What is known of a probe of the stage that runs. */
typedef struct probe_s {
    uint32_t number;            /* of what is under way for it, CONNECT_NONE: nothing */
    uint8_t state, reason, ttl; /* port_state_e (PORT_UNKNOWN: no answer), reason_e */
    bool is_kept;               /* in the file of --resume */
} probe_t;

typedef struct host_s {
    hlist_t node;      /* in the order of the targets */
    hlist_t wait;      /* in STAGE_WAIT */
    uint64_t position; /* in the walk over them */
    bool is_up_kept;   /* the file of --resume says that it is up */
    host_result_t result;
    host_stage_e stage;
    engine_host_t *engine; /* NULL: in no engine */
    probe_t *probes;
    uint32_t probe_count;
    port_result_t *outcomes; /* of the stages that are over, of ports in any order */
    size_t outcome_count;
    hdns_query_t *query;       /* for its name; NULL: none is under way */
    uint64_t asked_us;         /* when a name server was asked; 0: it was not */
    service_host_t *services;  /* NULL: not in STAGE_SERVICE */
    htimer_t *deadline;        /* of that stage, with --host-timeout */
    uint64_t begin_us;         /* when it was begun; later by what it waited in STAGE_WAIT */
    uint64_t wait_us, done_us; /* when it became STAGE_WAIT, STAGE_DONE */
    char *asked;               /* owns result.asked */
    void *scan;                /* whose it is, for callbacks */
    raw_probe_t ping;          /* the probe that it first answered */
    bool is_traced, is_looked_at;
    struct look_s *look;        /* STAGE_OS: what is known of its system; owned */
    struct walk_s *walk;        /* STAGE_TRACE: the way to it, as far as it is known; owned */
    raw_path_t path;            /* raw scans: the way to it */
    struct host_s *next_in_map; /* see host_map */
} host_t;

/* A host of a target; its copy of the name is its own. NULL when out of memory. */
host_t *host_new(const target_t *target);
void host_free(host_t *host); /* cancels its query; NULL is legal */

/* Gives it count probes without answers, in place of those it had. 0 or -ENOMEM. */
int host_set_probes(host_t *host, uint32_t count);

/* What the answer of a connect call means: a state and a reason; PORT_UNKNOWN for what says nothing
 * about the port. */
void host_take_connect(probe_t *probe, int err);

/* Whether an address is this machine's own. */
typedef struct local_s local_t;
local_t *local_new(void); /* as the interfaces are now; NULL when out of memory */
void local_free(local_t *local);
bool local_has(const local_t *local, const struct sockaddr *addr);

#endif
