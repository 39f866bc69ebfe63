#include "hidle.h"

#include "../base/hmem.h"
#include "hloop_int.h"

enum { IDLE_ACTIVE, IDLE_DELETED };

struct hidle_s {
    HEVENT_FIELDS
    hlist_t link; /* loop->idles */
    uint32_t repeat;
};

hidle_t *hidle_add(hloop_t *loop, hidle_cb cb, uint32_t repeat)
{
    hidle_t *idle = hmem_zalloc(sizeof(*idle));

    if (!idle)
        return NULL;
    idle->loop = loop;
    idle->event_type = HEVENT_TYPE_IDLE;
    idle->event_id = ++loop->event_count;
    idle->cb = (hevent_cb)cb;
    idle->repeat = repeat ? repeat : 1;
    idle->detail = loop->idles_running;
    hlist_push_back(&loop->idles, &idle->link);
    loop->stats.idles++;
    return idle;
}

/* Freed by hidle__run when that is what calls it. */
void hidle_del(hidle_t *idle)
{
    if (!idle || idle->state == IDLE_DELETED)
        return;
    idle->state = IDLE_DELETED;
    idle->loop->stats.idles--;
    if (idle->detail)
        return;
    hlist_remove(&idle->link);
    hmem_free(idle);
}

static void run_one(hidle_t *idle)
{
    if (idle->repeat != UINT32_MAX)
        idle->repeat--;
    hloop__enter(idle->loop);
    idle->cb((hevent_t *)idle);
    hloop__leave(idle->loop);
    if (idle->repeat == 0 && idle->state == IDLE_ACTIVE)
        hidle_del(idle);
}

static void run_priority(hloop_t *loop, int priority)
{
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &loop->idles) {
        hidle_t *idle = HLIST_ENTRY(pos, hidle_t, link);

        if (idle->state == IDLE_ACTIVE && idle->priority == priority)
            run_one(idle);
    }
}

/* detail marks the round: an idle deleted meanwhile stays on the list until it is over. */
bool hidle__run(hloop_t *loop)
{
    hlist_t *pos, *tmp;

    if (hlist_empty(&loop->idles))
        return false;
    HLIST_FOREACH (pos, tmp, &loop->idles)
        HLIST_ENTRY(pos, hidle_t, link)->detail = 1;
    loop->idles_running = true;
    for (int p = HEVENT_HIGHEST_PRIORITY; p >= HEVENT_LOWEST_PRIORITY; p--) {
        if (loop->priorities & hloop__priority_bit(p))
            run_priority(loop, p);
    }
    loop->idles_running = false;
    HLIST_FOREACH (pos, tmp, &loop->idles) {
        hidle_t *idle = HLIST_ENTRY(pos, hidle_t, link);

        idle->detail = 0;
        if (idle->state != IDLE_DELETED)
            continue;
        hlist_remove(&idle->link);
        hmem_free(idle);
    }
    return true;
}

void hidle__loop_deinit(hloop_t *loop)
{
    hlist_t *node;

    while ((node = hlist_pop_front(&loop->idles)) != NULL)
        hmem_free(HLIST_ENTRY(node, hidle_t, link));
}
