#include "deadline.h"

#define US_PER_MS 1000ULL

static void on_timer(htimer_t *timer);

static void wait_for_first(deadlines_t *all)
{
    const deadline_t *first;
    uint64_t now_us = hloop_now_hrtime(all->loop);
    uint64_t wait_ms = 1;

    if (hlist_empty(&all->list) || all->timer)
        return;
    first = HLIST_ENTRY(all->list.next, deadline_t, link);
    if (first->at_us > now_us)
        wait_ms += (first->at_us - now_us) / US_PER_MS;
    all->timer = htimer_add(all->loop, on_timer, (uint32_t)wait_ms, 1);
    if (all->timer)
        hevent_set_userdata(all->timer, all);
}

static void on_timer(htimer_t *timer)
{
    deadlines_t *all = hevent_userdata(timer);
    uint64_t now_us = hloop_now_hrtime(all->loop);

    all->timer = NULL;
    while (!hlist_empty(&all->list)) {
        deadline_t *first = HLIST_ENTRY(all->list.next, deadline_t, link);

        if (first->at_us > now_us)
            break;
        deadline_clear(first);
        all->on_due(first);
    }
    wait_for_first(all);
}

void deadlines_init(deadlines_t *all, hloop_t *loop, uint32_t limit_ms, deadline_cb on_due)
{
    *all = (deadlines_t){.loop = loop, .limit_ms = limit_ms, .on_due = on_due};
    hlist_init(&all->list);
}

void deadlines_deinit(deadlines_t *all)
{
    htimer_del(all->timer);
    all->timer = NULL;
}

void deadline_set(deadlines_t *all, deadline_t *deadline)
{
    if (all->limit_ms == 0)
        return;
    hlist_remove(&deadline->link);
    deadline->at_us = hloop_now_hrtime(all->loop) + all->limit_ms * US_PER_MS;
    hlist_push_back(&all->list, &deadline->link);
    wait_for_first(all);
}

void deadline_clear(deadline_t *deadline)
{
    hlist_remove(&deadline->link);
}
