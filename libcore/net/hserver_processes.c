/* HSERVER_PROCESSES. Two pipes: each worker reports over the first one how its start went; the
 * parent holds the only writing end of the second, the lifeline, so that its end of file tells the
 * workers to stop when the parent asks for it. A worker that is stuck is killed by the parent after
 * the stop time-out. When the parent dies the kernel kills the workers at once (PR_SET_PDEATHSIG):
 * so it does when the thread ends that called hserver_run, but not once a worker has changed its
 * user, which makes the kernel forget; then the lifeline is what tells it. */
#include "hserver_int.h"

#include "../event/hchild.h"
#include "../event/hsignal.h"
#include "../event/htimer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_TIMEOUT_MS 5000

typedef struct pipes_s {
    int report[2];
    int lifeline[2];
} pipes_t;

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_pipes(pipes_t *pipes)
{
    for (int i = 0; i < 2; i++) {
        close_end(&pipes->report[i]);
        close_end(&pipes->lifeline[i]);
    }
}

static int open_pipes(pipes_t *pipes)
{
    *pipes = (pipes_t){{-1, -1}, {-1, -1}};
    if (pipe2(pipes->report, O_CLOEXEC) == 0 && pipe2(pipes->lifeline, O_CLOEXEC | O_NONBLOCK) == 0)
        return 0;
    close_pipes(pipes);
    return -errno;
}

/* ---- the worker ------------------------------------------------------------------------------ */

static void on_lifeline_end(hio_t *io)
{
    hloop_stop(hevent_loop(io));
}

static int watch_lifeline(hloop_t *loop, pipes_t *pipes)
{
    hio_t *io = hio_get(loop, pipes->lifeline[0]);

    if (!io)
        return -ENOMEM;
    pipes->lifeline[0] = -1; /* the hio's now */
    hio_setcb_close(io, on_lifeline_end);
    return hio_read(io);
}

static void report(pipes_t *pipes, int err)
{
    ssize_t n;

    do {
        n = write(pipes->report[1], &err, sizeof(err));
    } while (n < 0 && errno == EINTR);
    close_end(&pipes->report[1]);
}

static int start_in_process(server_worker_t *worker, hloop_t *loop, pipes_t *pipes)
{
    int err = watch_lifeline(loop, pipes);

    return err < 0 ? err : hserver__start_worker(worker, loop);
}

static int run_worker(server_worker_t *worker, pipes_t *pipes)
{
    hserver_t *server = worker->server;
    hloop_t *loop;
    int err = hserver__make_loop(server, &loop);

    if (!err && !loop)
        err = -ECANCELED;
    if (err) {
        report(pipes, err);
        return err;
    }
    err = start_in_process(worker, loop, pipes);
    report(pipes, err < 0 ? err : 0);
    if (err >= 0) {
        hserver__close_sockets(server);
        err = hloop_run(loop);
        hserver__call_stop(server, loop, worker->index);
    }
    hserver__free_loop(server, loop);
    return err;
}

static int be_worker(server_worker_t *worker, pipes_t *pipes, pid_t parent)
{
    hserver_t *server = worker->server;
    int err;

    server->in_worker = true;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_end(&pipes->report[0]);
    close_end(&pipes->lifeline[1]);
    if (getppid() != parent) /* it died before the kernel was asked */
        err = -ECANCELED;
    else
        err = run_worker(worker, pipes);
    close_pipes(pipes);
    return err < 0 ? err : 1;
}

/* ---- the parent ------------------------------------------------------------------------------ */

/* Without a loop yet, or without the means to watch them. */
static void kill_workers(hserver_t *server)
{
    for (unsigned i = 0; i < server->count; i++) {
        server_worker_t *worker = &server->workers[i];

        if (worker->pid <= 0)
            continue;
        kill(worker->pid, SIGKILL);
        while (waitpid(worker->pid, &worker->status, 0) < 0 && errno == EINTR)
            ;
        worker->pid = 0;
    }
}

/* A worker does not keep the watches of loops that the program had before. Signals wait meanwhile:
 * one that came between would be handled as the parent's. */
static pid_t fork_one(void)
{
    sigset_t all, mask;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pid = fork();
    if (pid == 0)
        hsignal_after_fork();
    else if (pid < 0)
        pid = -errno;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return pid;
}

/* 1 in a worker, and *result is what hserver_run returns there. */
static int fork_workers(hserver_t *server, pipes_t *pipes, int *result)
{
    pid_t parent = getpid();

    fflush(NULL); /* what is in the buffers would be written once by each process */
    for (unsigned i = 0; i < server->count; i++) {
        pid_t pid = fork_one();

        if (pid == 0) {
            *result = be_worker(&server->workers[i], pipes, parent);
            return 1;
        }
        if (pid < 0)
            return pid;
        server->workers[i].pid = pid;
    }
    return 0;
}

/* Waits for one report of each worker; the first error. A worker that died gave none. */
static int collect_reports(const hserver_t *server, int fd)
{
    unsigned n = 0;
    int err = 0, first = 0;

    while (n < server->count) {
        ssize_t len = read(fd, &err, sizeof(err));

        if (len < 0 && errno == EINTR)
            continue;
        if (len != (ssize_t)sizeof(err))
            return first ? first : -ECHILD;
        n++;
        if (err < 0 && first == 0)
            first = err;
    }
    return first;
}

static void on_worker_end(hchild_t *child)
{
    server_worker_t *worker = hevent_userdata(child);
    hserver_t *server = worker->server;

    hlog_write(server->options.loop.log, HLOG_INFO, "worker %d (process %ld) has ended",
               worker->index, (long)worker->pid);
    worker->status = hchild_status(child);
    worker->pid = 0;
    if (--server->alive == 0)
        hserver_stop(server);
}

static int watch_workers(hserver_t *server, hloop_t *loop)
{
    for (unsigned i = 0; i < server->count; i++) {
        server_worker_t *worker = &server->workers[i];

        if (!hchild_add(loop, worker->pid, on_worker_end, worker))
            return errno ? -errno : -ENOMEM;
        server->alive++;
    }
    return 0;
}

static void on_stop_timeout(htimer_t *timer)
{
    const hserver_t *server = hevent_userdata(timer);

    for (unsigned i = 0; i < server->count; i++) {
        if (server->workers[i].pid > 0)
            kill(server->workers[i].pid, SIGKILL); /* not reaped yet: the number is still its own */
    }
}

/* Closes the lifeline and runs on until the last worker has ended. */
static void end_workers(hserver_t *server, hloop_t *loop, pipes_t *pipes)
{
    int limit = server->options.stop_timeout_ms;
    htimer_t *timer;

    close_end(&pipes->lifeline[1]);
    if (server->alive == 0)
        return;
    timer = htimer_add(loop, on_stop_timeout, limit > 0 ? (uint32_t)limit : STOP_TIMEOUT_MS, 1);
    if (timer)
        hevent_set_userdata(timer, server);
    while (timer && server->alive > 0) {
        if (hloop_run(loop) < 0)
            return;
    }
}

static int run_main_loop(hserver_t *server, hloop_t *loop, pipes_t *pipes)
{
    int err = hserver__call_start(server, loop, HSERVER_MAIN);

    if (err < 0)
        return err;
    err = hloop_run(loop);
    end_workers(server, loop, pipes);
    hserver__call_stop(server, loop, HSERVER_MAIN);
    return err;
}

/* err: why the server ends already, or 0. */
static int supervise(hserver_t *server, pipes_t *pipes, int err)
{
    hloop_t *loop;
    int loop_err = hserver__make_loop(server, &loop);

    if (loop_err || !loop)
        return err ? err : loop_err;
    loop_err = watch_workers(server, loop);
    if (!err)
        err = loop_err ? loop_err : run_main_loop(server, loop, pipes);
    end_workers(server, loop, pipes);
    hserver__free_loop(server, loop);
    return err < 0 ? err : 0;
}

int hserver__run_processes(hserver_t *server)
{
    pipes_t pipes;
    int result = 0;
    int err = open_pipes(&pipes);

    if (err)
        return err;
    err = fork_workers(server, &pipes, &result);
    if (err == 1)
        return result;
    close_end(&pipes.report[1]);
    close_end(&pipes.lifeline[0]);
    hserver__close_sockets(server); /* or connections would wait at the socket of a dead worker */
    if (!err) {
        err = collect_reports(server, pipes.report[0]);
        err = supervise(server, &pipes, err);
    }
    close_pipes(&pipes);
    kill_workers(server);
    return err;
}
