/* hrate: a limit in bytes a second, for one connection or shared by a group. Tokens come at the
 * rate and pile up to the burst; a direction of an hio that finds none waits. Those that wait share
 * what comes in turns, so that no member of a group starves another. Over any span of time at most
 * rate * span + burst bytes pass (for datagrams: and one datagram). Costs no wake-up unless
 * somebody waits. All calls belong to the loop's thread. */
#ifndef HNET_NET_HRATE_H
#define HNET_NET_HRATE_H

#include "../event/hio.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hrate_s hrate_t;

#define HRATE_MAX ((uint64_t)1 << 50) /* bytes a second, and bytes of burst */

/* A limit that starts with a full bucket. burst 0 means a tenth of a second's worth, 1,500 bytes at
 * least. NULL: out of memory, or a number out of range (1..HRATE_MAX): errno tells. */
hrate_t *hrate_new(hloop_t *loop, uint64_t bytes_per_s, uint64_t burst);

/* Gives up the caller's reference; the limit holds on for the hio that use it. Legal before and
 * after hloop_free. NULL is legal. */
void hrate_free(hrate_t *rate);

/* Other numbers from now on, for all members. 0 or -EINVAL. */
int hrate_set(hrate_t *rate, uint64_t bytes_per_s, uint64_t burst);

/* Limits what io reads or writes; NULL takes the limit away. One hrate may serve any number of hio
 * of its loop, in both directions. 0, -EINVAL (another loop), -ENOMEM. */
int hio_set_read_rate(hio_t *io, hrate_t *rate);
int hio_set_write_rate(hio_t *io, hrate_t *rate);

typedef struct hrate_stats_s {
    uint64_t passed_bytes;
    uint32_t members; /* directions of hio that are limited */
    uint32_t waiting; /* of these, now out of tokens */
} hrate_stats_t;

void hrate_stats(const hrate_t *rate, hrate_stats_t *stats);

#ifdef __cplusplus
}
#endif

#endif
