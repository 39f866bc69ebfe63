#include "watch.h"

#include "event/hio_ops.h"

#define WATCH_MS 20 /* most dials are done by then, and the poller was told nothing */

static void on_timer(htimer_t *timer)
{
    service_t *service = hevent_userdata(timer);
    hlist_t *node;

    service->watcher = NULL; /* frees itself */
    while ((node = hlist_pop_front(&service->unwatched)) != NULL)
        hio_watch_hangup(HLIST_ENTRY(node, watched_t, link)->io);
}

/* Without memory it is noticed when io is read. */
void watch_begin(service_t *service, watched_t *watched, hio_t *io)
{
    watched->io = io;
    hlist_push_back(&service->unwatched, &watched->link);
    if (service->watcher)
        return;
    service->watcher = htimer_add(service->lane->loop, on_timer, WATCH_MS, 1);
    if (service->watcher)
        hevent_set_userdata(service->watcher, service);
}

void watch_end(watched_t *watched)
{
    hlist_remove(&watched->link);
}
