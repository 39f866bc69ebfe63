#include "posts.h"

#include <event2/event.h>
#include <event2/thread.h>

static posts_t posts;
static struct event_base *base;
static struct event *event;

static void on_active(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
    if (posts_take(&posts))
        event_base_loopbreak(base);
}

static void *produce(void *arg)
{
    for (uint32_t i = 0; i < POSTS_N; i++) {
        if (posts_put(&posts, i))
            event_active(event, EV_READ, 1);
    }
    return arg;
}

int main(int argc, char **argv)
{
    evthread_use_pthreads();
    base = event_base_new();
    event = event_new(base, -1, EV_PERSIST | EV_READ, on_active, NULL);
    if (!base || !event)
        bench_fail("start");
    event_add(event, NULL);
    posts_start(&posts, argc, argv, produce);
    event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
    posts_report(&posts);
    return 0;
}
