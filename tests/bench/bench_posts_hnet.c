#include "event/hloop.h"
#include "posts.h"

static posts_t posts;
static hloop_t *loop;

static void on_post(hevent_t *ev)
{
    posts.sum += (uintptr_t)hevent_userdata(ev);
    if (++posts.seen == POSTS_N)
        hloop_stop(ev->loop);
}

static void on_counter(hevent_t *ev)
{
    if (posts_take(&posts))
        hloop_stop(ev->loop);
}

static void post(hloop_t *to, hevent_cb cb, uintptr_t number)
{
    hevent_t ev = {.cb = cb, .userdata = (void *)number};

    if (hloop_post_event(to, &ev) < 0)
        bench_fail("hloop_post_event");
}

static void *produce(void *arg)
{
    hloop_t *to = loop; /* the consumer's sum shares its cache line */

    if (posts.counts_only) {
        for (uint32_t i = 0; i < POSTS_N; i++) {
            if (posts_put(&posts, i))
                post(to, on_counter, 0);
        }
        return arg;
    }
    for (uint32_t i = 0; i < POSTS_N; i++)
        post(to, on_post, i);
    return arg;
}

int main(int argc, char **argv)
{
    loop = hloop_new(0);
    if (!loop)
        bench_fail("hloop_new");
    posts_start(&posts, argc, argv, produce);
    hloop_run(loop);
    posts_report(&posts);
    hloop_free(&loop);
    return 0;
}
