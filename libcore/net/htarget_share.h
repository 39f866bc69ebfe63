/* htarget_share: what several worker processes know together of their targets: health, ejection,
 * counters, and how many connections each worker has. A fixed piece of memory that is made before
 * the fork; each worker writes its own counters there and sums up those of all when it asks.
 *
 * A target is found by the names of its group, of itself, and its address: a new configuration with
 * the same ones goes on with their counters and their health. The place of one that no worker has
 * any more is given to another when there is no free one. A worker that is killed keeps nothing
 * locked. */
#ifndef HNET_NET_HTARGET_SHARE_H
#define HNET_NET_HTARGET_SHARE_H

#ifdef __cplusplus
extern "C" {
#endif

#define HTARGET_SHARE_TARGETS_MAX 4096 /* in all groups; those past it are each worker's alone */
#define HTARGET_SHARE_WORKERS_MAX 128

typedef struct htarget_share_s htarget_share_t;

/* Memory for workers 0..workers-1 (before they are forked). Pages that are not used cost nothing. 0
 * and *share; -EINVAL (0, or past HTARGET_SHARE_WORKERS_MAX) or -ENOMEM. */
int htarget_share_new(unsigned workers, htarget_share_t **share);

/* Unmaps it in this process; after the groups that use it. NULL is legal. */
void htarget_share_free(htarget_share_t *share);

/* A worker has ended: it has no connections and holds no target any more. What it counted stays.
 * Its successor may have the same number, once this was called. */
void htarget_share_forget(htarget_share_t *share, unsigned worker);

#ifdef __cplusplus
}
#endif

#endif
