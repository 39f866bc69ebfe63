/* The memory is a head, and so many places: a slot and a cell for each worker. A place that is in
 * use has its key in the head, where all are looked through without touching their pages.
 *
 * The lock is for finding and giving places only, and robust: who dies with it leaves at worst a
 * place that is not in use. A cell that is held keeps its place. */
#include "htarget_int.h"

#include "../base/hmem.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

struct htarget_share_s {
    pthread_mutex_t lock;
    size_t size;
    unsigned workers;
    _Atomic unsigned used; /* the highest number of a worker that ever held something, and one */
    uint64_t keys[HTARGET_SHARE_TARGETS_MAX]; /* 0: not in use */
};

static size_t round_up(size_t size)
{
    return (size + HTARGET_CELL_SIZE - 1) / HTARGET_CELL_SIZE * HTARGET_CELL_SIZE;
}

static size_t place_size(unsigned workers)
{
    return round_up(sizeof(htarget_slot_t)) + workers * sizeof(htarget_cell_t);
}

static htarget_slot_t *slot_at(htarget_share_t *share, size_t i)
{
    char *places = (char *)share + round_up(sizeof(*share));

    return (htarget_slot_t *)(void *)(places + i * place_size(share->workers));
}

static htarget_cell_t *cells_of(htarget_slot_t *slot)
{
    return (htarget_cell_t *)(void *)((char *)slot + round_up(sizeof(*slot)));
}

static bool is_of(const htarget_share_t *share, const htarget_slot_t *slot)
{
    const char *begin = (const char *)share, *at = (const char *)slot;

    return share && at >= begin && at < begin + share->size;
}

/* ---- places ---------------------------------------------------------------------------------- */

static void lock(htarget_share_t *share)
{
    if (pthread_mutex_lock(&share->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&share->lock);
}

static uint64_t key_of(const htarget_slot_t *slot)
{
    uint64_t parts[] = {hbalance_hash(slot->group, strlen(slot->group)),
                        hbalance_hash(slot->service, strlen(slot->service)),
                        hbalance_hash(slot->name, strlen(slot->name)),
                        hbalance_hash(slot->address, strlen(slot->address))};

    return hbalance_hash(parts, sizeof(parts));
}

static bool is_same(const htarget_slot_t *a, const htarget_slot_t *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->service, b->service) == 0 &&
           strcmp(a->name, b->name) == 0 && strcmp(a->address, b->address) == 0;
}

static bool is_held(const htarget_share_t *share, htarget_slot_t *slot)
{
    for (unsigned i = 0; i < share->workers; i++) {
        if (atomic_load(&cells_of(slot)[i].n.holds) > 0)
            return true;
    }
    return false;
}

/* One that is not in use; or one that nobody holds. NULL: there is none. */
static htarget_slot_t *find_room(htarget_share_t *share, uint64_t **key)
{
    for (size_t i = 0; i < HTARGET_SHARE_TARGETS_MAX; i++) {
        *key = &share->keys[i];
        if (**key == 0)
            return slot_at(share, i);
    }
    for (size_t i = 0; i < HTARGET_SHARE_TARGETS_MAX; i++) {
        *key = &share->keys[i];
        if (!is_held(share, slot_at(share, i)))
            return slot_at(share, i);
    }
    return NULL;
}

static htarget_slot_t *find(htarget_share_t *share, const htarget_slot_t *like, uint64_t key)
{
    for (size_t i = 0; i < HTARGET_SHARE_TARGETS_MAX; i++) {
        if (share->keys[i] == key && is_same(slot_at(share, i), like))
            return slot_at(share, i);
    }
    return NULL;
}

static void fill(htarget_slot_t *slot, unsigned workers, const htarget_slot_t *like,
                 uint64_t now_ms)
{
    memset((void *)slot, 0, place_size(workers));
    slot->addr = like->addr;
    memcpy(slot->group, like->group, sizeof(slot->group));
    memcpy(slot->service, like->service, sizeof(slot->service));
    memcpy(slot->name, like->name, sizeof(slot->name));
    memcpy(slot->address, like->address, sizeof(slot->address));
    slot->changed_ms = now_ms;
}

static htarget_slot_t *hold_shared(htarget_share_t *share, unsigned worker,
                                   const htarget_slot_t *like, uint64_t now_ms)
{
    uint64_t key = key_of(like), *room;
    htarget_slot_t *slot;

    lock(share);
    slot = find(share, like, key);
    if (!slot) {
        slot = find_room(share, &room);
        if (slot) {
            *room = 0;
            fill(slot, share->workers, like, now_ms);
            *room = key;
        }
    }
    if (slot)
        cells_of(slot)[worker].n.holds++;
    if (share->used <= worker)
        share->used = worker + 1;
    pthread_mutex_unlock(&share->lock);
    return slot;
}

htarget_slot_t *htarget__hold(htarget_share_t *share, unsigned worker, const htarget_slot_t *like,
                              uint64_t now_ms)
{
    htarget_slot_t *slot = share ? hold_shared(share, worker, like, now_ms) : NULL;

    if (slot)
        return slot;
    slot = hmem_alloc(place_size(1));
    if (slot)
        fill(slot, 1, like, now_ms);
    return slot;
}

void htarget__unhold(htarget_share_t *share, unsigned worker, htarget_slot_t *slot)
{
    if (is_of(share, slot))
        cells_of(slot)[worker].n.holds--;
    else
        hmem_free(slot);
}

static bool is_known(const htarget_slot_t *slot, const htarget_slot_t *like, uint64_t since_ms)
{
    return slot->known_ms > 0 && slot->known_ms >= since_ms &&
           strcmp(slot->group, like->group) == 0 && strcmp(slot->service, like->service) == 0 &&
           (like->name[0] == '\0' || strcmp(slot->name, like->name) == 0);
}

bool htarget__next_known(htarget_share_t *share, const htarget_slot_t *like, uint64_t since_ms,
                         size_t *at, htarget_slot_t *found)
{
    bool is_there = false;

    lock(share);
    for (; *at < HTARGET_SHARE_TARGETS_MAX && !is_there; ++*at) {
        const htarget_slot_t *slot = slot_at(share, *at);

        is_there = share->keys[*at] != 0 && is_known(slot, like, since_ms);
        if (is_there)
            memcpy((void *)found, (const void *)slot, sizeof(*found));
    }
    pthread_mutex_unlock(&share->lock);
    return is_there;
}

htarget_cell_t *htarget__cell(const htarget_share_t *share, htarget_slot_t *slot, unsigned worker)
{
    return &cells_of(slot)[is_of(share, slot) ? worker : 0];
}

htarget_cell_t *htarget__cells(const htarget_share_t *share, htarget_slot_t *slot, size_t *count)
{
    *count = is_of(share, slot) ? share->used : 1;
    return cells_of(slot);
}

bool htarget__is_worker(const htarget_share_t *share, unsigned worker)
{
    return worker < share->workers;
}

/* ---- the memory ------------------------------------------------------------------------------ */

static int init_lock(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    int err = pthread_mutexattr_init(&attributes);

    if (err)
        return -err;
    err = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (!err)
        err = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (!err)
        err = pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return -err;
}

int htarget_share_new(unsigned workers, htarget_share_t **out)
{
    size_t size = round_up(sizeof(htarget_share_t));
    htarget_share_t *share;
    void *memory;
    int err;

    if (workers == 0 || workers > HTARGET_SHARE_WORKERS_MAX)
        return -EINVAL;
    size += HTARGET_SHARE_TARGETS_MAX * place_size(workers);
    memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    share = memory;
    share->size = size;
    share->workers = workers;
    err = init_lock(&share->lock);
    if (err) {
        munmap(memory, size);
        return err;
    }
    *out = share;
    return 0;
}

/* The lock is not destroyed: other processes may use it. */
void htarget_share_free(htarget_share_t *share)
{
    if (share)
        munmap(share, share->size);
}

void htarget_share_forget(htarget_share_t *share, unsigned worker)
{
    if (worker >= share->workers)
        return;
    lock(share);
    for (size_t i = 0; i < HTARGET_SHARE_TARGETS_MAX; i++) {
        if (share->keys[i] != 0) {
            cells_of(slot_at(share, i))[worker].n.active = 0;
            cells_of(slot_at(share, i))[worker].n.holds = 0;
        }
    }
    pthread_mutex_unlock(&share->lock);
}
