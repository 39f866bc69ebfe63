/* A server of three workers that tells who it is and then echoes, its client, and what the tests of
 * threads and of processes share. Include it after cmocka.h. */
#ifndef HNET_TESTS_HSERVER_FIXTURE_H
#define HNET_TESTS_HSERVER_FIXTURE_H

#include "event/hsignal.h"
#include "event/htimer.h"
#include "net/hserver.h"
#include "oom.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 100000
#define WORKERS 3

/* Shared with the worker processes. */
typedef struct shared_s {
    atomic_int started[WORKERS];
    atomic_int stopped[WORKERS];
    atomic_int main_started;
    atomic_int main_stopped;
    atomic_int busy;
    atomic_int all_accepted;
    haddr_t addr;
    int fail_index; /* on_start of this one fails; WORKERS: none */
    int status[WORKERS];
    bool forgotten; /* the kernel does not kill workers with their parent */
    int stop_timeout_ms;
} shared_t;

static shared_t *shared;

static inline int make_shared(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

static inline int reset_shared(void **state)
{
    (void)state;
    memset(shared, 0, sizeof(*shared));
    shared->fail_index = WORKERS;
    shared->stop_timeout_ms = WAIT_MS;
    return 0;
}

/* ---- the server: tells who it is, then echoes ------------------------------------------------ */

static inline int on_start(hserver_t *server, hloop_t *loop, int index)
{
    (void)server;
    hloop_set_userdata(loop, (void *)(intptr_t)index);
    if (index == HSERVER_MAIN)
        atomic_fetch_add(&shared->main_started, 1);
    else
        atomic_fetch_add(&shared->started[index], 1);
    return index == shared->fail_index ? -EPERM : 0;
}

static inline void on_stop(hserver_t *server, hloop_t *loop, int index)
{
    (void)loop;
    if (index != HSERVER_MAIN) {
        atomic_fetch_add(&shared->stopped[index], 1);
        return;
    }
    atomic_fetch_add(&shared->main_stopped, 1);
    for (int i = 0; i < WORKERS; i++)
        shared->status[i] = hserver_worker_status(server, i);
}

static hserver_t *the_server; /* of this process: what a command or a signal stops */

/* 'S' stops the server, 'X' ends the process, 'B' blocks for good. */
static inline void on_read(hio_t *io, void *buf, int len)
{
    switch (*(char *)buf) {
    case 'S':
        hserver_stop(the_server);
        break;
    case 'X':
        _exit(3);
    case 'B':
        atomic_store(&shared->busy, 1);
        for (;;)
            pause();
    default:
        hio_write(io, buf, (size_t)len);
    }
}

static inline void on_accept(hio_t *io)
{
    long who[3];

    who[0] = (long)(intptr_t)hloop_userdata(hevent_loop(io));
    who[1] = getpid();
    who[2] = syscall(SYS_gettid);
    hio_setcb_read(io, on_read);
    hio_read(io);
    hio_write(io, who, sizeof(who));
}

static inline hserver_options_t options_for(hserver_mode_e mode, const char *endpoint)
{
    hserver_options_t options = {.mode = mode,
                                 .workers = WORKERS,
                                 .on_start = on_start,
                                 .on_stop = on_stop,
                                 .on_accept = on_accept};

    assert_int_equal(hendpoint_parse(&options.listen.endpoint, endpoint, NULL, 0), 0);
    return options;
}

static inline hserver_t *new_server(const hserver_options_t *options)
{
    hserver_t *server = NULL;

    assert_int_equal(hserver_new(options, &server), 0);
    return server;
}

/* ---- the client ------------------------------------------------------------------------------ */

typedef struct client_s {
    int fd;
    int index;
    pid_t pid;
    long tid;
} client_t;

/* False: the connection was reset or has ended. */
static inline bool try_receive(int fd, void *buf, size_t len)
{
    size_t got = 0;

    while (got < len) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        ssize_t n;

        assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
        n = recv(fd, (char *)buf + got, len - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static inline void wait_for(atomic_int *flag)
{
    time_t limit = time(NULL) + WAIT_MS / 1000;

    while (atomic_load(flag) == 0) {
        assert_true(time(NULL) <= limit);
        sched_yield();
    }
}

static inline void receive(int fd, void *buf, size_t len)
{
    assert_true(try_receive(fd, buf, len));
}

static inline client_t connect_to(const haddr_t *addr)
{
    client_t client;
    long who[3];

    client.fd = hsocket_connect(addr, SOCK_STREAM, NULL, WAIT_MS);
    assert_true(client.fd >= 0);
    receive(client.fd, who, sizeof(who));
    client.index = (int)who[0];
    client.pid = (pid_t)who[1];
    client.tid = who[2];
    return client;
}

static inline void assert_echo(const client_t *client)
{
    char buf[4];

    assert_int_equal(send(client->fd, "ping", 4, MSG_NOSIGNAL), 4);
    receive(client->fd, buf, 4);
    assert_memory_equal(buf, "ping", 4);
}

static inline void wait_closed(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    char byte;

    assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
}

#endif
