/* The inside of a target: what is known of it, in memory that processes may share. For the files of
 * htargets and htarget_share alone. */
#ifndef HNET_NET_HTARGET_INT_H
#define HNET_NET_HTARGET_INT_H

#include "htarget_share.h"
#include "htargets.h"

#include <stdatomic.h>

#define HTARGET_CELL_SIZE 64 /* a cache line: workers do not get in each other's way */

/* What one worker alone writes (and htarget_share_forget, when it is gone). */
typedef union htarget_cell_u {
    struct {
        _Atomic uint64_t connections, failures, to_bytes, from_bytes;
        _Atomic uint32_t active;
        _Atomic uint32_t holds; /* its groups that have the target: one, two at a reload */
    } n;
    char line[HTARGET_CELL_SIZE];
} htarget_cell_t;

/* What all write. Who it is, the texts and addr, never changes while somebody holds it. */
typedef struct htarget_slot_s {
    _Atomic uint64_t ejection;   /* a heject_t */
    _Atomic uint32_t health;     /* an hhealth_t */
    _Atomic int error;           /* of the last failure */
    _Atomic int status;          /* of HTTP, that the last check got */
    _Atomic uint64_t changed_ms; /* its state, ms since the epoch */
    _Atomic uint64_t ejections, checks, check_failures;
    _Atomic uint64_t known_ms; /* ms since the epoch: an answer had it; 0: the last has not */
    _Atomic uint32_t order;    /* weight and, below it, priority */
    haddr_t addr;
    char group[HTARGETS_NAME_SIZE], service[HENDPOINT_HOST_SIZE]; /* "": it is of none */
    char name[HTARGET_NAME_SIZE], address[HADDR_FORMAT_SIZE];
} htarget_slot_t;

/* The place of a target in share, for this worker. Without a share, or when that is full, it is
 * memory of this process. NULL: out of memory. now_ms: of a new one's changed_ms. */
htarget_slot_t *htarget__hold(htarget_share_t *share, unsigned worker, const htarget_slot_t *like,
                              uint64_t now_ms);
/* Once for each htarget__hold. */
void htarget__unhold(htarget_share_t *share, unsigned worker, htarget_slot_t *slot);

/* The next place, from *at on, that an answer since since_ms has, of that group and service, and of
 * that name unless it is ""; copied to *found. False: there is none. */
bool htarget__next_known(htarget_share_t *share, const htarget_slot_t *like, uint64_t since_ms,
                         size_t *at, htarget_slot_t *found);

bool htarget__is_worker(const htarget_share_t *share, unsigned worker);

/* The cell of this worker, and how many there are in all, from 0 on. */
htarget_cell_t *htarget__cell(const htarget_share_t *share, htarget_slot_t *slot, unsigned worker);
htarget_cell_t *htarget__cells(const htarget_share_t *share, htarget_slot_t *slot, size_t *count);

/* Adds to a number of the own cell: nobody else writes it. */
static inline void htarget__add_to(_Atomic uint64_t *number, uint64_t n)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

#endif
