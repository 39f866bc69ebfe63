#include "posts.h"

#include <ev.h>

static posts_t posts;
static struct ev_loop *loop;
static ev_async async;

static void on_async(struct ev_loop *in, ev_async *watcher, int events)
{
    (void)watcher;
    (void)events;
    if (posts_take(&posts))
        ev_break(in, EVBREAK_ALL);
}

static void *produce(void *arg)
{
    for (uint32_t i = 0; i < POSTS_N; i++) {
        if (posts_put(&posts, i))
            ev_async_send(loop, &async);
    }
    return arg;
}

int main(int argc, char **argv)
{
    loop = ev_default_loop(EVBACKEND_EPOLL);
    if (!loop)
        bench_fail("ev_default_loop");
    ev_async_init(&async, on_async);
    ev_async_start(loop, &async);
    posts_start(&posts, argc, argv, produce);
    ev_run(loop, 0);
    posts_report(&posts);
    return 0;
}
