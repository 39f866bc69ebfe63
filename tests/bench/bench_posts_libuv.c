#include "posts.h"

#include <uv.h>

static posts_t posts;
static uv_async_t async;

static void on_async(uv_async_t *handle)
{
    if (posts_take(&posts))
        uv_stop(handle->loop);
}

static void *produce(void *arg)
{
    for (uint32_t i = 0; i < POSTS_N; i++) {
        if (posts_put(&posts, i))
            uv_async_send(&async);
    }
    return arg;
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();

    if (uv_async_init(loop, &async, on_async) < 0)
        bench_fail("uv_async_init");
    posts_start(&posts, argc, argv, produce);
    uv_run(loop, UV_RUN_DEFAULT);
    posts_report(&posts);
    return 0;
}
