/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"
#include "oom.h"

static hloop_t *loop;
static struct sockaddr_in addr;
static seen_t seen, served;

static void on_echo(hio_t *io, void *buf, int len)
{
    hio_write(io, buf, (size_t)len); /* the close callback tells if that fails */
}

static void on_accept(hio_t *io)
{
    observe(io, &served);
    hio_setcb_read(io, on_echo);
    hio_read(io);
}

static int posted, ticked;

static void on_post(hevent_t *ev)
{
    (void)ev;
    posted++;
}

static void on_tick(htimer_t *timer)
{
    (void)timer;
    ticked++;
}

static void on_free(void *buf, void *arg)
{
    (void)buf;
    ++*(int *)arg;
}

static char big[600000];

static int start_everything(hio_t *io, int *frees)
{
    hevent_t ev = {.cb = on_post};
    int rc = hio_set_peeraddr(io, (struct sockaddr *)&addr, sizeof(addr));

    if (rc == 0)
        rc = hio_setcb_drained(io, seen_on_drained);
    if (rc == 0)
        rc = hio_connect(io);
    if (rc == 0)
        rc = hio_read(io);
    if (rc == 0)
        rc = hio_write(io, big, 1000);
    if (rc > 0)
        rc = hio_write_nocopy(io, big + 1000, sizeof(big) - 1000, on_free, frees);
    if (rc < 0)
        *frees = 1; /* it never was the hio's */
    if (rc > 0)
        rc = hloop_post_event(loop, &ev);
    if (rc == 0 && !htimer_add(loop, on_tick, 0, 1))
        rc = -ENOMEM;
    hio_set_keepalive_timeout(io, 60000);
    return rc;
}

/* Listens, connects, echoes with much in the queue, posts, ticks, closes. */
static int everything(void *arg)
{
    int frees = 0, listen_fd = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), rc = -ENOMEM;
    hio_t *io = NULL;

    (void)arg;
    posted = ticked = 0;
    memset(&seen, 0, sizeof(seen));
    loop = hloop_new_with(&(hloop_options_t){HLOOP_FLAG_RUN_ONCE, test_poller, 0, NULL});
    if (!loop || !hio_get(loop, listen_fd)) {
        close(listen_fd);
    } else if (haccept(loop, listen_fd, on_accept)) {
        io = hio_get(loop, fd);
    }
    if (io)
        rc = start_everything(observe(io, &seen), &frees);
    else
        close(fd);
    for (int i = 0; rc == 0 && i < 20000 && !seen.closes && seen.got < sizeof(big); i++) {
        hloop_wakeup(loop);
        rc = hloop_run(loop);
    }
    if (rc == 0 && (seen.got < sizeof(big) || !posted || !ticked))
        rc = -ENOMEM;
    hloop_free(&loop);
    assert_int_equal(seen.closes, io ? 1 : 0);
    if (io)
        assert_int_equal(frees, 1);
    return rc;
}

static void out_of_memory_anywhere_is_an_error_and_no_leak(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = pattern(i);
    oom_run(everything, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory_anywhere_is_an_error_and_no_leak),
    };

    return run_on_each_poller("hio without memory", tests, ARRAY_LENGTH(tests));
}
