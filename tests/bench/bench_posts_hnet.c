#include "event/hloop.h"
#include "posts.h"

static posts_t posts;
static hloop_t *loop;

static void on_post(hevent_t *ev)
{
    posts.sum += (uintptr_t)hevent_userdata(ev);
    if (++posts.seen == POSTS_N)
        hloop_stop(loop);
}

static void *produce(void *arg)
{
    for (uintptr_t i = 0; i < POSTS_N; i++) {
        hevent_t ev = {.cb = on_post, .userdata = (void *)i};

        if (hloop_post_event(loop, &ev) < 0)
            bench_fail("hloop_post_event");
    }
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
