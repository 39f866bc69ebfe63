/* plan: what the options come down to: which addresses, which ports, how fast. */
#ifndef HNMAP_PLAN_H
#define HNMAP_PLAN_H

#include "engine.h"
#include "event/hloop.h"
#include "options.h"
#include "ports.h"
#include "raw.h"
#include "result.h"
#include "targets.h"

/* A way to scan TCP ports. */
typedef struct scan_kind_s {
    scan_type_e type;
    const char *name;             /* in reports */
    uint8_t flags;                /* packet_tcp_flag_e of a probe */
    uint8_t at_reset, at_silence; /* port_state_e */
} scan_kind_t;

#define PLAN_PINGS_MAX 64
#define PLAN_DATA_MAX 65435
#define PLAN_TRACE_TRIES 3 /* of each hop at most */

/* What is sent at a pace of its own. */
typedef enum plan_pace_e {
    PACE_NEIGHBOURS, /* who is there on the local link */
    PACE_PINGS,      /* and elsewhere */
    PACE_TCP,
    PACE_UDP,
    PACE_OS,    /* which system they have */
    PACE_TRACE, /* the way to hosts */
    PLAN_PACES
} plan_pace_e;

typedef struct plan_s {
    const options_t *options;
    targets_t *targets;
    targets_cursor_t cursor;
    names_t *names;
    ports_t ports;
    unsigned protocols;      /* PORTS_TCP, PORTS_UDP: that are scanned */
    bool is_raw;             /* packets of our own can be sent: hosts are found by them */
    bool by_ping;            /* hosts are found by echoes of a ping socket, beside connect */
    bool by_connect;         /* TCP ports are asked by connect */
    const scan_kind_t *scan; /* points to scan_kind */
    scan_kind_t scan_kind;
    port_set_t ping_ports;             /* by connect */
    raw_probe_t pings[PLAN_PINGS_MAX]; /* raw, but for neighbours */
    size_t ping_count;
    uint64_t seed;
    engine_options_t paces[PLAN_PACES];
    haddr_t source; /* len 0: the kernel's choice */
    bool has_data;  /* packets of our own carry data, if it is empty no payload */
    hbytes_t data;
    run_t run;
    hbytes_t args, tcp_ports, udp_ports; /* the texts that run points to */
} plan_t;

/* Reads every option, file and name; asks name servers in the loop, which it runs. 0; or the exit
 * status after a message. plan_free in every case. */
int plan_make(plan_t *plan, const options_t *options, hloop_t *loop);
/* Reads the targets of a plan again, and asks for their names again. 0 or an exit status after a
 * message. */
int plan_targets(plan_t *plan, hloop_t *loop);
void plan_free(plan_t *plan);

/* What -T says of the options that were not given. */
engine_options_t plan_pace(const options_t *options, plan_pace_e what);

#endif
