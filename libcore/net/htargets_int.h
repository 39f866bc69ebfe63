/* The inside of htargets, for its own files:
 *   htargets.c        the group: making, picking, waiting, telling
 *   htargets_names.c  sources: numbers, and names that are followed
 *   htargets_target.c one target: connections, failures, checks
 *   htargets_spec.c   specs as text
 *   htarget_share.c   what processes know together (htarget_int.h)
 *
 * A group has sources, a source has targets. A spec is a source; one of SRV brings a source for
 * each record. A target that its source has no more drains: it has no source, and goes with its
 * last connection. */
#ifndef HNET_NET_HTARGETS_INT_H
#define HNET_NET_HTARGETS_INT_H

#include "../event/htimer.h"
#include "htarget_int.h"
#include "htargets.h"

#define HTARGET_BACKUP_ORDER 65536 /* behind every priority of SRV */

typedef struct htarget_source_s {
    htargets_t *group;
    hlist_t link;                     /* group->sources, those of a service behind it */
    hlist_t targets;                  /* in the order of the answers */
    struct htarget_source_s *service; /* the SRV source that brought it; NULL: a spec did */
    hendpoint_t endpoint;
    bool srv, backup;
    bool named;      /* asked for by DNS */
    bool seen;       /* in the answer that is being read */
    uint16_t weight; /* of its targets */
    uint16_t priority;
    int err; /* of the last answer; -EAGAIN: there was none yet */
    char why[128];
    hdns_query_t *query; /* NULL: none is open */
    htimer_t *timer;     /* named: until it is asked again */
    uint64_t next_us;
} htarget_source_t;

struct htarget_s {
    htargets_t *group;        /* NULL: it is gone, connections go on */
    htarget_source_t *source; /* NULL: draining */
    hlist_t link;             /* source->targets, or group->draining */
    htarget_share_t *share;
    unsigned worker;
    htarget_slot_t *slot;
    htarget_cell_t *cell;
    hcheck_t *check; /* NULL: none */
    uint16_t id;     /* in this group; not 0, and not soon used again */
    unsigned refs;   /* connections of this process */
    bool seen;
    bool backup;
    uint16_t weight, priority;
    haddr_t addr;
    hendpoint_t endpoint;
};

struct htargets_s {
    hloop_t *loop;
    char name[HTARGETS_NAME_SIZE];
    htargets_options_t options; /* its pointers but dns and share are not used */
    heject_options_t eject;
    hcheck_options_t check; /* kind 0: none */
    hlist_t sources;
    hlist_t draining;
    hlist_t waiters;
    htarget_t **targets; /* those that may be picked; candidates in parallel */
    hbalance_candidate_t *candidates;
    size_t count, cap;
    uint16_t last_id;
    unsigned busy;  /* calls that go on when the group is freed in them */
    bool beginning; /* within htargets_new */
    bool closed;
};

/* htargets.c */
/* The next free id, and room for it among the candidates. 0 or -ENOMEM, -ENOBUFS. */
int htargets__enlist(htargets_t *group, htarget_t *target);
void htargets__delist(htargets_t *group, const htarget_t *target);
/* The weight or order of a target is another one. */
void htargets__update(htargets_t *group, const htarget_t *target);
/* Something is known: calls those who wait. The group may be gone after it. */
void htargets__wake(htargets_t *group);
void htargets__tell(htargets_t *group, const htargets_change_t *change);

/* htargets_names.c */
/* A source of this spec at the end; its targets, or the question for them, follow at once. 0 or
 * -EINVAL, -ENAMETOOLONG, -ENOMEM ... */
int htargets__add_source(htargets_t *group, const htarget_spec_t *spec);
void htargets__free_sources(htargets_t *group);
bool htargets__is_pending(const htargets_t *group); /* a first answer is missing */

/* htargets_target.c */
/* A target of the source at this address; one that drains comes back. 0 (there may be one already),
 * -ENOMEM, -ENOBUFS. */
int htarget__add(htarget_source_t *source, const haddr_t *addr, htarget_t **target);
void htarget__remove(htarget_t *target); /* from its source: it drains */
void htarget__orphan(htarget_t *target); /* its group goes */
/* The options of the check of a target at this end point. */
hcheck_options_t htarget__check_options(const hcheck_options_t *check, const hendpoint_t *endpoint);
void htarget__set_known(htarget_t *target, bool known); /* by an answer that has just come */
void htarget__set_order(htarget_t *target, uint16_t weight, uint16_t priority);
uint32_t htarget__order(const htarget_t *target);
hbalance_state_e htarget__balance_state(const htarget_t *target, uint64_t now_ms);
uint32_t htarget__active(const htarget_t *target);
/* One more connection. False: it would have been the trial of an ejected one, but another process
 * makes it. */
bool htarget__take(htarget_t *target, uint64_t now_ms);
/* In words, why it is not up: "" if nothing has failed. Returns buf. */
const char *htarget__why(const htarget_t *target, char *buf, size_t size);

#endif
