#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hmem.h"
#include "net/hserver.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 100000
#define BLOCK_SIZE_MIN 8192 /* a smaller allocation is no room for posts */

/* What the allocator and the callbacks tell each other. */
static atomic_bool refusing; /* room for posts */
static atomic_bool full;     /* the worker's posts have taken what room there was */
static atomic_bool refused;  /* the acceptor's */
static atomic_int accepted;
static _Atomic(pthread_t) worker;

static void pause_1ms(void)
{
    const struct timespec pause_time = {0, 1000000};

    nanosleep(&pause_time, NULL);
}

/* The acceptor learns that there is no memory only when the worker has gone on. */
static void *scarce_alloc(size_t size, void *ctx)
{
    (void)ctx;
    if (size < BLOCK_SIZE_MIN || !atomic_load(&refusing))
        return malloc(size);
    if (!pthread_equal(pthread_self(), atomic_load(&worker))) {
        atomic_store(&refusing, false);
        atomic_store(&refused, true);
        for (int i = 0; i < WAIT_MS && atomic_load(&accepted) < 2; i++)
            pause_1ms();
    }
    return NULL;
}

static void *scarce_realloc(void *ptr, size_t size, void *ctx)
{
    (void)ctx;
    return realloc(ptr, size);
}

static void scarce_free(void *ptr, void *ctx)
{
    (void)ctx;
    free(ptr);
}

static void on_nothing(hevent_t *ev)
{
    (void)ev;
}

static void on_read(hio_t *io, void *buf, int len)
{
    hio_write(io, buf, (size_t)len);
}

/* At the first connection: leaves no room for posts, and waits for the acceptor's to fail. */
static void on_accept(hio_t *io)
{
    const hevent_t ev = {.cb = on_nothing};

    hio_setcb_read(io, on_read);
    hio_read(io);
    if (atomic_fetch_add(&accepted, 1) > 0)
        return;
    atomic_store(&worker, pthread_self());
    atomic_store(&refusing, true);
    while (hloop_post_event(hevent_loop(io), &ev) == 0)
        continue;
    atomic_store(&full, true);
    for (int i = 0; i < WAIT_MS && !atomic_load(&refused); i++)
        pause_1ms();
}

static void *run_in_thread(void *server)
{
    return (void *)(intptr_t)hserver_run(server);
}

static int connect_to(const haddr_t *addr)
{
    int fd = hsocket_connect(addr, SOCK_STREAM, NULL, WAIT_MS);

    assert_true(fd >= 0);
    return fd;
}

static void assert_echo(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    char byte = 'x';

    assert_int_equal(send(fd, &byte, 1, MSG_NOSIGNAL), 1);
    assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
}

static void a_post_that_fails_takes_no_connection_back_from_its_worker(void **state)
{
    const hmem_allocator_t allocator = {scarce_alloc, scarce_realloc, scarce_free, NULL};
    hserver_options_t options = {.mode = HSERVER_ACCEPTOR, .workers = 1, .on_accept = on_accept};
    hserver_t *server;
    pthread_t thread;
    int first, second;
    void *result;

    (void)state;
    assert_int_equal(hendpoint_parse(&options.listen.endpoint, "0", NULL, 0), 0);
    hmem_set_allocator(&allocator);
    assert_int_equal(hserver_new(&options, &server), 0);
    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, server), 0);
    first = connect_to(hserver_addr(server));
    for (int i = 0; i < WAIT_MS && !atomic_load(&full); i++)
        pause_1ms();
    second = connect_to(hserver_addr(server));
    assert_echo(second);
    assert_echo(first);
    assert_true(atomic_load(&refused));
    hserver_stop(server);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, 0);
    hserver_free(server);
    hmem_set_allocator(NULL);
    close(first);
    close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_that_fails_takes_no_connection_back_from_its_worker),
    };

    return cmocka_run_group_tests_name("hserver_handover", tests, NULL, NULL);
}
