/* htargets: a group of targets, and which of them a connection goes to: balancing, health (active
 * checks and failures of connections), names that are followed as their DNS records change.
 *
 *     htargets_pick(group, client, &tried, &target)       0: a target with one more connection
 *     ... connect to htarget_addr(target) ...
 *     htarget_connected(target)   or   htarget_failed(target, err); htarget_release(target, 0, 0);
 *                                      and htargets_pick again with the same tried
 *     htarget_release(target, to, from)                   when the connection has ended
 *
 * A spec is an end point (a number, a name, a UNIX path) or the name of a service (SRV). Each
 * address of a name is a target. It is asked for again when its TTL runs out: new addresses are
 * added; those that are gone get no new connections, and their old ones go on. When it cannot be
 * resolved the last addresses stay.
 *
 * A group belongs to one loop. Groups of the same name in several processes share health, ejection,
 * counters and the number of connections through an htarget_share_t; one of the processes checks.
 * What a name's answer was is shared, too: the group of a new configuration, or of a new process,
 * begins with it, and does not depend on the name servers. */
#ifndef HNET_NET_HTARGETS_H
#define HNET_NET_HTARGETS_H

#include "../base/hlist.h"
#include "hbalance.h"
#include "hcheck.h"
#include "hdns.h"
#include "hendpoint.h"
#include "htarget_share.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTARGETS_SPECS_MAX 1024    /* of a group */
#define HTARGETS_MAX 1024          /* targets of a group: further addresses are left out */
#define HTARGETS_TRIES_MAX 16      /* targets that one connection tries */
#define HTARGETS_NAME_SIZE 64      /* of a group, with its NUL */
#define HTARGETS_DNS_MIN_MS 1000   /* a name is asked for again after its TTL, but not before */
#define HTARGETS_DNS_MAX_MS 300000 /* ... nor after this */
#define HTARGETS_DNS_RETRY_MS 5000 /* after a failure, at the latest */
#define HTARGETS_KNOWN_MS 7200000  /* so long an answer may be begun with */
#define HTARGETS_EJECT_FAILURES 3  /* in a row */
#define HTARGETS_EJECT_MS 10000
#define HTARGETS_EJECT_MAX_MS 60000
#define HTARGETS_WHY_SIZE 512
#define HTARGET_NAME_SIZE HENDPOINT_FORMAT_SIZE
#define HTARGET_WHY_SIZE 128

typedef struct htargets_s htargets_t; /* a group */
typedef struct htarget_s htarget_t;   /* one address in it */

typedef struct htarget_spec_s {
    hendpoint_t endpoint; /* srv: host is "_service._proto.name", the port does not count */
    bool srv;             /* RFC 2782: port, weight and order (priority) come from the records */
    bool backup;          /* only when no other target can be used */
    uint16_t weight;      /* 0: 1; not for srv */
} htarget_spec_t;

/* "END POINT[,weight=N][,backup]" with the end points of hendpoint, or the name of a service,
 * "[udp://|tls://]_service._proto.name". 0, or the errors of hendpoint_parse with one line in error
 * (may be NULL). */
int htarget_spec_parse(htarget_spec_t *spec, const char *text, char *error, size_t error_size);

/* The text that parses to the same spec. Returns buf; HTARGET_NAME_SIZE + 32 bytes are enough. */
const char *htarget_spec_format(const htarget_spec_t *spec, char *buf, size_t size);

typedef enum htargets_event_e {
    HTARGETS_UP,          /* active checks: it is well again, or at all */
    HTARGETS_DOWN,        /* active checks: it is not */
    HTARGETS_EJECTED,     /* too many connections failed in a row */
    HTARGETS_RETURNED,    /* a connection succeeded after that */
    HTARGETS_ADDED,       /* an address that a name has now */
    HTARGETS_REMOVED,     /* an address that it has no more */
    HTARGETS_NAME_FAILED, /* a name cannot be resolved (any more); the addresses it had stay */
    HTARGETS_NAME_BACK    /* it can again */
} htargets_event_e;

typedef struct htargets_change_s {
    htargets_event_e event;
    const htargets_t *group;
    const htarget_t *target; /* NULL: the event is about a name */
    const char *name;        /* of the target, or the name as it was given */
    const char *address;     /* of the target; "" for a name */
    const char *why;         /* "" or the cause, in words */
    size_t left;             /* targets of the group that are neither down nor ejected */
} htargets_change_t;

/* From the loop, and within htarget_failed and htarget_connected; what it points at is valid during
 * the call. The group must not be freed in it. */
typedef void (*htargets_change_cb)(const htargets_change_t *change, void *arg);

/* All zero but name and specs is the default. Strings, specs and the numbers of check are copied;
 * what check points at and dns are borrowed while the group lives, share until its last target is
 * released. */
typedef struct htargets_options_s {
    const char *name; /* of the group, the same in all processes */
    const htarget_spec_t *specs;
    size_t spec_count; /* 1..HTARGETS_SPECS_MAX */
    hbalance_e method;
    hdns_t *dns;                   /* NULL: names are an error */
    int family;                    /* AF_INET, AF_INET6; 0: both */
    uint32_t dns_min_ms;           /* 0: HTARGETS_DNS_MIN_MS */
    uint32_t dns_max_ms;           /* 0: HTARGETS_DNS_MAX_MS */
    int eject_failures;            /* 0: HTARGETS_EJECT_FAILURES; negative: none is ejected */
    uint32_t eject_ms;             /* 0: HTARGETS_EJECT_MS */
    uint32_t eject_max_ms;         /* 0: HTARGETS_EJECT_MAX_MS */
    const hcheck_options_t *check; /* NULL, or of kind 0: no active checks. Its tls is for targets
                                      that speak TLS (HCHECK_TLS: for all); tls_name and
                                      http_host NULL: the host of each */
    bool runs_checks;              /* this process checks, and tells of names. A program of one
                                      process: true */
    htarget_share_t *share;        /* NULL: the group is this process's alone */
    unsigned worker;               /* its number in share */
    htargets_change_cb on_change;  /* NULL: nobody asks */
    void *arg;
} htargets_options_t;

/* 0 and *group. -EINVAL (a name or a number outside its range, no specs, a name to be resolved
 * without dns; for share: its worker), -ENAMETOOLONG, -ENOMEM. Asking for names and checking begin
 * at once, from the loop. */
int htargets_new(hloop_t *loop, const htargets_options_t *options, htargets_t **group);

/* This process checks no more, and tells no more of names, for another does: a group that goes on
 * until its connections have ended. */
void htargets_stop_checks(htargets_t *group);

/* Ends names, checks and the group; those who wait are called with -ECANCELED, from inside. Targets
 * that connections have live until these release them. NULL is legal. */
void htargets_free(htargets_t *group);

/* ---- picking --------------------------------------------------------------------------------- */

/* What one connection has tried; all zero at first. */
typedef struct htarget_tried_s {
    uint16_t ids[HTARGETS_TRIES_MAX];
    uint16_t count;
} htarget_tried_t;

/* A target for the connection of a client (NULL, or one without an IP address, has no source hash).
 * 0 and *target, which has one connection more until htarget_release and is noted in tried (NULL: a
 * single try). -EAGAIN: names are asked for the first time (htargets_wait); HERR_RESOLVE: there are
 * no addresses; -EHOSTUNREACH: all targets are down, or tried, or it were HTARGETS_TRIES_MAX. */
int htargets_pick(htargets_t *group, const haddr_t *client, htarget_tried_t *tried,
                  htarget_t **target);

/* Why there is no target now, in one line for people: "all 2 targets are down: 127.0.0.1:80
 * (Connection refused), ..." Returns buf; HTARGETS_WHY_SIZE bytes are enough. */
const char *htargets_why(const htargets_t *group, char *buf, size_t size);

/* One who waits; the caller's memory. Its members are private. */
typedef struct htargets_wait_s htargets_wait_t;
typedef void (*htargets_wait_cb)(htargets_wait_t *wait, int err, void *arg);
struct htargets_wait_s {
    hlist_t link;
    htargets_wait_cb cb;
    void *arg;
};

/* After -EAGAIN: cb runs once, from the loop, when more is known (err 0: pick again, which may say
 * -EAGAIN again), or from inside htargets_free (-ECANCELED). *wait lives until then. The group may
 * be freed in cb. */
void htargets_wait(htargets_t *group, htargets_wait_t *wait, htargets_wait_cb cb, void *arg);

/* Waits no more; legal when it does not, also for one that is all zero. */
void htargets_wait_cancel(htargets_wait_t *wait);

/* ---- one target, from htargets_pick to htarget_release --------------------------------------- */

/* The connection stands: failures are forgotten, and one that was ejected is in again. */
void htarget_connected(htarget_t *target);

/* The connection could not be made, or ended in a way that is the target's fault: one failure. err
 * is the cause. The target is still to be released. */
void htarget_failed(htarget_t *target, int err);

/* Bytes that went to the target and came from it since the last call: for long connections. */
void htarget_count(htarget_t *target, uint64_t to_bytes, uint64_t from_bytes);

/* The end of one connection, with the bytes that were not counted yet. Once for each pick; the
 * target may be gone after it. Also after htargets_free. */
void htarget_release(htarget_t *target, uint64_t to_bytes, uint64_t from_bytes);

const haddr_t *htarget_addr(const htarget_t *target);         /* where to connect to */
const hendpoint_t *htarget_endpoint(const htarget_t *target); /* as it was given (of SRV: as the
                                                                 record says), for hdial_start with
                                                                 addrs */
const char *htarget_tls_name(const htarget_t *target); /* the host as it was given: for SNI and
                                                          verification; NULL: none (UNIX) */
const char *htarget_name(const htarget_t *target);     /* "example.com:80" */
const char *htarget_address(const htarget_t *target);  /* "192.0.2.1:80" */

/* ---- for /status, /metrics and the log ------------------------------------------------------- */

typedef enum htarget_state_e {
    HTARGET_UP,
    HTARGET_DOWN,    /* by its checks */
    HTARGET_EJECTED, /* by its failures; until a connection has succeeded again */
    HTARGET_DRAINING /* its name does not have it any more; connections go on */
} htarget_state_e;

/* "up", "down", "ejected", "draining". */
const char *htarget_state_name(htarget_state_e state);

/* Numbers are those of all processes since the share was made. */
typedef struct htarget_info_s {
    const char *name;    /* as given; of SRV: host and port of the record */
    const char *address; /* a number and a port, or a path */
    uint32_t weight;
    bool backup;
    uint32_t order; /* 0: first; of SRV: its priority above the best one's */
    htarget_state_e state;
    bool checked;      /* there was a result of an active check */
    uint64_t since_ms; /* ms since the epoch: in this state (draining: in the one before) */
    uint32_t active;
    uint64_t connections; /* picked */
    uint64_t failures;    /* htarget_failed */
    uint64_t ejections;
    uint64_t to_bytes, from_bytes;
    uint64_t checks, check_failures;
    int error; /* of the last failure, of a connection or a check; 0: there was none */
    char why[HTARGET_WHY_SIZE]; /* the same in words, "" */
} htarget_info_t;

/* Calls cb for each target, in the order of the specs; strings are valid during the call. Nothing
 * of the group may be changed in it. */
typedef void (*htargets_each_cb)(const htarget_info_t *info, void *arg);
void htargets_each(const htargets_t *group, htargets_each_cb cb, void *arg);

void htarget_info(const htarget_t *target, htarget_info_t *info);

typedef struct htargets_name_info_s {
    const char *name; /* as it was given */
    bool srv;
    size_t addresses; /* that it has now */
    int err;          /* of the last answer; 0: good, -EAGAIN: there was none yet */
    const char *why;  /* in words, "" */
    uint64_t next_ms; /* until it is asked again */
} htargets_name_info_t;

/* The same for each name that is followed. */
typedef void (*htargets_each_name_cb)(const htargets_name_info_t *info, void *arg);
void htargets_each_name(const htargets_t *group, htargets_each_name_cb cb, void *arg);

const char *htargets_name(const htargets_t *group);
size_t htargets_usable(const htargets_t *group); /* targets that are up, or ejected but tried */

#ifdef __cplusplus
}
#endif

#endif
