/* hbalance: which of several candidates a connection goes to, and what failures and checks make of
 * one. Pure: no I/O, no clock, no memory; times are given, in ms of any clock that never goes back.
 *
 *     state machine of failures (heject_t), "in" at first:
 *         in --[failures in a row]--> out --[its time is over]--> a trial --[success]--> in
 *                                      ^                             |
 *                                      +------[failure: longer]------+
 *     of active checks (hhealth_t): unknown --[first result]--> up <--[rise, fall]--> down
 *
 * Both are values of a machine word, so that processes that share memory can exchange them
 * atomically. */
#ifndef HNET_NET_HBALANCE_H
#define HNET_NET_HBALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HBALANCE_WEIGHT_MAX 65535

typedef enum hbalance_e {
    HBALANCE_ROUND_ROBIN = 0,   /* by weight, and smoothly: A A B A, not A A A B */
    HBALANCE_LEAST_CONNECTIONS, /* active for its weight; among equals round robin */
    HBALANCE_SOURCE_HASH /* the same source, the same candidate (rendezvous hashing, weighted):
                                   when one goes only its sources move, to come back with it */
} hbalance_e;

typedef enum hbalance_state_e {
    HBALANCE_IN = 0,
    HBALANCE_EJECTED, /* failed lately: when none is in, it is tried all the same */
    HBALANCE_OUT      /* known to be down, or going: never */
} hbalance_state_e;

/* Zeroed at first, then the caller's but for current. */
typedef struct hbalance_candidate_s {
    hbalance_state_e state;
    bool tried;      /* for this connection, and failed */
    uint32_t level;  /* those of the lowest that has one left count: 0 primaries, others backups */
    uint32_t weight; /* 1..HBALANCE_WEIGHT_MAX */
    uint32_t active; /* connections */
    uint64_t hash;   /* of its name: hbalance_hash */
    int64_t current; /* the module's */
} hbalance_candidate_t;

/* The index of the one to take, or -ENOENT: all are out or tried. source: hash of the client, for
 * HBALANCE_SOURCE_HASH; 0: it has none, and gets its turn as by HBALANCE_ROUND_ROBIN. */
int hbalance_pick(hbalance_e method, uint64_t source, hbalance_candidate_t *candidates,
                  size_t count);

/* A hash (never 0) of bytes, the same in every process and on every machine. */
uint64_t hbalance_hash(const void *data, size_t len);

/* ---- failures of connections ----------------------------------------------------------------- */

#define HEJECT_FAILURES_MAX 32767

typedef struct heject_options_s {
    unsigned failures;   /* in a row that eject it; 0: never */
    uint32_t out_ms;     /* the first time; 2, 3, 4 ... times as long while trials fail */
    uint32_t out_max_ms; /* but no longer */
} heject_options_t;

/* All zero: in, and nothing has failed. */
typedef struct heject_s {
    uint64_t until_ms : 40;
    uint64_t failures : 15;
    uint64_t trial : 1;
    uint64_t times : 8; /* it was ejected; 0: it is in */
} heject_t;

/* A connection could not be made, or was worth nothing. True: it is ejected by this. One that is
 * out already is left alone. */
bool heject_failed(heject_t *state, const heject_options_t *options, uint64_t now_ms);

/* A connection was made. True: it was ejected, and is in again. */
bool heject_succeeded(heject_t *state);

/* Whether a connection may go there: it is in, or its time is over and nobody makes the trial. */
bool heject_is_open(const heject_t *state, uint64_t now_ms);

/* Called for a connection that goes there: makes it the trial, if there is to be one. Until it has
 * succeeded or failed, or out_ms has passed, there is no other. True: *state has changed. */
bool heject_try(heject_t *state, const heject_options_t *options, uint64_t now_ms);

/* ---- active checks --------------------------------------------------------------------------- */

#define HHEALTH_RUN_MAX 65535

typedef enum hhealth_state_e {
    HHEALTH_UNKNOWN = 0, /* not checked yet: counts as up */
    HHEALTH_UP,
    HHEALTH_DOWN
} hhealth_state_e;

/* All zero: unknown. */
typedef struct hhealth_s {
    uint16_t state; /* hhealth_state_e */
    uint16_t run;   /* results in a row that speak against it */
} hhealth_t;

/* The result of a check. True: the state has changed by it. rise: successes in a row that bring one
 * up which is down; fall: failures that bring one down (0 is 1 in both). The first result counts at
 * once. */
bool hhealth_result(hhealth_t *health, bool ok, unsigned rise, unsigned fall);

#ifdef __cplusplus
}
#endif

#endif
