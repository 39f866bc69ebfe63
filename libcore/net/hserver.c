/* hserver: sockets are opened by hserver_new; hserver_run makes the loops, in HSERVER_PROCESSES
 * after the fork, because a loop cannot be shared by two processes.
 *
 * HSERVER_ACCEPTOR: a connection on its way is on the arriving list of its worker, so that
 * none is lost when the server stops; only the first one that arrives at an empty list posts
 * to the worker. */
#include "hserver_int.h"

#include "../base/hmem.h"
#include "../event/hloop_pool.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct handover_s {
    hlist_t link;
    hio_t *io;
} handover_t;

/* ---- parts that all modes share -------------------------------------------------------------- */

int hserver__call_start(hserver_t *server, hloop_t *loop, int index)
{
    return server->options.on_start ? server->options.on_start(server, loop, index) : 0;
}

void hserver__call_stop(hserver_t *server, hloop_t *loop, int index)
{
    if (server->options.on_stop)
        server->options.on_stop(server, loop, index);
}

int hserver__make_loop(hserver_t *server, hloop_t **out)
{
    hloop_options_t options = server->options.loop;
    hloop_t *loop;

    *out = NULL;
    options.flags = 0;
    loop = hloop_new_with(&options);
    if (!loop)
        return errno ? -errno : -ENOMEM;
    pthread_mutex_lock(&server->lock);
    if (!server->stop)
        *out = server->loop = loop;
    pthread_mutex_unlock(&server->lock);
    if (!*out)
        hloop_free(&loop);
    return 0;
}

void hserver__free_loop(hserver_t *server, hloop_t *loop)
{
    pthread_mutex_lock(&server->lock);
    server->loop = NULL;
    pthread_mutex_unlock(&server->lock);
    hloop_free(&loop);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void hserver__close_sockets(hserver_t *server)
{
    for (unsigned i = 0; i < server->count; i++)
        close_fd(&server->workers[i].fd);
    close_fd(&server->shared_fd);
}

/* A hio owns its descriptor: the shared socket is given away as a duplicate. */
static int take_socket(server_worker_t *worker)
{
    int fd = worker->fd;

    if (fd >= 0) {
        worker->fd = -1;
        return fd;
    }
    fd = fcntl(worker->server->shared_fd, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

static int start_listening(hserver_t *server, hloop_t *loop, int fd, haccept_cb accept_cb,
                           void *userdata)
{
    unsigned batch = server->options.listen.datagram_batch;
    hio_t *io = NULL;
    int err = hlisten_attach(loop, fd, accept_cb, &io);

    if (err)
        return err;
    hevent_set_userdata(io, userdata);
    if (hio_type(io) & HIO_TYPE_SOCK_STREAM)
        return 0;
    if (batch > 0)
        err = hio_set_datagram_batch(io, batch);
    if (!err)
        server->options.on_accept(io);
    return err;
}

int hserver__start_worker(server_worker_t *worker, hloop_t *loop)
{
    hserver_t *server = worker->server;
    int err = hserver__call_start(server, loop, worker->index);
    int fd;

    if (err < 0)
        return err;
    fd = take_socket(worker);
    err = fd < 0 ? fd
                 : start_listening(server, loop, fd, server->options.on_accept,
                                   server->options.userdata);
    if (err < 0)
        hserver__call_stop(server, loop, worker->index);
    return err;
}

/* ---- one thread ------------------------------------------------------------------------------ */

static int serve_single(hserver_t *server, hloop_t *loop)
{
    int err = hserver__start_worker(&server->workers[0], loop);

    if (err < 0)
        return err;
    err = hloop_run(loop);
    hserver__call_stop(server, loop, 0);
    return err;
}

static int run_single(hserver_t *server)
{
    hloop_t *loop;
    int err = hserver__make_loop(server, &loop);

    if (err || !loop)
        return err;
    err = hserver__call_start(server, loop, HSERVER_MAIN);
    if (err >= 0) {
        err = serve_single(server, loop);
        hserver__call_stop(server, loop, HSERVER_MAIN);
    }
    hserver__free_loop(server, loop);
    return err;
}

/* ---- threads --------------------------------------------------------------------------------- */

static int on_thread_start(hloop_t *loop, unsigned index, void *userdata)
{
    hserver_t *server = userdata;
    int err;

    if (server->options.mode == HSERVER_ACCEPTOR)
        err = hserver__call_start(server, loop, (int)index);
    else
        err = hserver__start_worker(&server->workers[index], loop);
    return err < 0 ? err : 0;
}

static void on_thread_stop(hloop_t *loop, unsigned index, void *userdata)
{
    hserver_t *server = userdata;

    hserver__call_stop(server, loop, (int)index);
    if (atomic_fetch_sub(&server->running, 1) == 1)
        hserver_stop(server); /* nobody is left to serve */
}

/* ---- one acceptor ---------------------------------------------------------------------------- */

static handover_t *take_first(server_worker_t *worker)
{
    hlist_t *node;

    pthread_mutex_lock(&worker->lock);
    node = hlist_pop_front(&worker->arriving);
    pthread_mutex_unlock(&worker->lock);
    if (!node)
        return NULL;
    atomic_fetch_sub_explicit(&worker->arriving_n, 1, memory_order_relaxed);
    return HLIST_ENTRY(node, handover_t, link);
}

/* In the worker. */
static void on_arrival(hevent_t *ev)
{
    server_worker_t *worker = hevent_userdata(ev);
    const hserver_options_t *options = &worker->server->options;
    handover_t *arrived;

    while ((arrived = take_first(worker)) != NULL) {
        hio_t *io = arrived->io;

        hmem_free(arrived);
        if (hio_attach(ev->loop, io) < 0) {
            hlog_write(options->loop.log, HLOG_ERROR, "connection lost: out of memory");
            hio_close(io);
            continue;
        }
        options->on_accept(io);
    }
}

static uint32_t load_of(const server_worker_t *worker)
{
    return hloop_nios(worker->loop) +
           atomic_load_explicit(&worker->arriving_n, memory_order_relaxed);
}

static server_worker_t *choose_worker(hserver_t *server)
{
    server_worker_t *best = &server->workers[server->turn++ % server->count];
    uint32_t best_load;

    if (server->options.balance == HSERVER_ROUND_ROBIN)
        return best;
    best_load = load_of(best);
    for (unsigned i = 0; i + 1 < server->count; i++) {
        server_worker_t *worker = &server->workers[(server->turn + i) % server->count];
        uint32_t load = load_of(worker);

        if (load < best_load) {
            best = worker;
            best_load = load;
        }
    }
    return best;
}

static int hand_over(server_worker_t *worker, handover_t *handover)
{
    hevent_t ev = {.cb = on_arrival, .userdata = worker};
    bool first;
    int err;

    pthread_mutex_lock(&worker->lock);
    first = hlist_empty(&worker->arriving);
    hlist_push_back(&worker->arriving, &handover->link);
    pthread_mutex_unlock(&worker->lock);
    atomic_fetch_add_explicit(&worker->arriving_n, 1, memory_order_relaxed);
    if (!first)
        return 0;
    err = hloop_post_event(worker->loop, &ev);
    /* Only this thread adds: what is there is this one. If nothing is, the worker was still at an
     * earlier arrival and has taken it. */
    if (err && !take_first(worker))
        err = 0;
    return err;
}

/* In the acceptor. */
static void on_connection(hio_t *io)
{
    hserver_t *server = hevent_userdata(io);
    handover_t *handover = hmem_zalloc(sizeof(*handover));
    int err = -ENOMEM;

    if (handover) {
        hevent_set_userdata(io, server->options.userdata);
        hio_detach(io);
        handover->io = io;
        err = hand_over(choose_worker(server), handover);
    }
    if (err) {
        hlog_write(server->options.loop.log, HLOG_ERROR, "connection lost: %s", herr_str(err));
        hmem_free(handover);
        hio_close(io);
    }
}

static int start_acceptor(hserver_t *server, hloop_t *loop, const hloop_pool_t *pool)
{
    int fd = server->shared_fd;

    for (unsigned i = 0; i < server->count; i++)
        server->workers[i].loop = hloop_pool_loop(pool, i);
    server->shared_fd = -1;
    return start_listening(server, loop, fd, on_connection, server);
}

static void drop_arriving(hserver_t *server)
{
    for (unsigned i = 0; i < server->count; i++) {
        handover_t *left;

        while ((left = take_first(&server->workers[i])) != NULL) {
            hio_close(left->io);
            hmem_free(left);
        }
    }
}

/* ---- threads of both kinds ------------------------------------------------------------------- */

static int run_main_loop(hserver_t *server, hloop_t *loop, hloop_pool_t *pool)
{
    int err = hserver__call_start(server, loop, HSERVER_MAIN);

    if (err < 0)
        return err;
    atomic_store(&server->running, server->count);
    err = hloop_pool_start(pool);
    if (!err && server->options.mode == HSERVER_ACCEPTOR)
        err = start_acceptor(server, loop, pool);
    if (!err) {
        hserver__close_sockets(server);
        err = hloop_run(loop);
    }
    hloop_pool_stop(pool);
    hloop_pool_join(pool);
    drop_arriving(server);
    hserver__call_stop(server, loop, HSERVER_MAIN);
    return err;
}

static int run_threads(hserver_t *server)
{
    hloop_pool_options_t options = {.threads = server->count,
                                    .loop = server->options.loop,
                                    .name = "worker",
                                    .on_start = on_thread_start,
                                    .on_stop = on_thread_stop,
                                    .userdata = server};
    hloop_pool_t *pool;
    hloop_t *loop;
    int err = hserver__make_loop(server, &loop);

    if (err || !loop)
        return err;
    pool = hloop_pool_new(&options);
    err = pool ? run_main_loop(server, loop, pool) : errno ? -errno : -ENOMEM;
    hserver__free_loop(server, loop);
    hloop_pool_free(&pool);
    return err;
}

/* ---- making and freeing ---------------------------------------------------------------------- */

/* The other sockets of one port: where the first one is, that may have been given its port by the
 * kernel. The first binds without SO_REUSEPORT: a port that another program has is in use. */
static int open_group(hserver_t *server, int first)
{
    hlisten_options_t listen = server->options.listen;
    int one = 1, only = 1;
    socklen_t len = sizeof(only);

    if (setsockopt(first, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0)
        return -errno;
    if (server->addr.u.sa.sa_family == AF_INET6 &&
        getsockopt(first, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0)
        listen.socket.dual_stack = !only;
    listen.addr = &server->addr;
    listen.socket.reuse_port = true;
    for (unsigned i = 1; i < server->count; i++) {
        int fd = hlisten_socket(&listen, NULL);

        if (fd < 0)
            return fd;
        server->workers[i].fd = fd;
    }
    return 0;
}

static int open_sockets(hserver_t *server)
{
    const hserver_options_t *options = &server->options;
    bool shared =
        options->shared_listener || options->mode == HSERVER_ACCEPTOR || server->count == 1;
    int fd = hlisten_socket(&options->listen, &server->path);
    int err;

    if (fd < 0)
        return fd;
    err = hsocket_local(fd, &server->addr);
    if (shared || server->addr.u.sa.sa_family == AF_UNIX) {
        server->shared_fd = fd;
        return err;
    }
    server->workers[0].fd = fd;
    return err ? err : open_group(server, fd);
}

static bool is_valid(const hserver_options_t *options)
{
    if (!options->on_accept || options->workers > HSERVER_WORKERS_MAX)
        return false;
    if ((unsigned)options->mode > HSERVER_ACCEPTOR)
        return false;
    return options->mode != HSERVER_ACCEPTOR ||
           hendpoint_socktype(&options->listen.endpoint) == SOCK_STREAM;
}

static unsigned worker_count(const hserver_options_t *options)
{
    unsigned n = options->workers ? options->workers : hloop_pool_cpu_count();

    if (options->mode == HSERVER_SINGLE)
        return 1;
    return n < HSERVER_WORKERS_MAX ? n : HSERVER_WORKERS_MAX;
}

static hserver_t *alloc_server(const hserver_options_t *options)
{
    hserver_t *server = hmem_zalloc(sizeof(*server));

    if (!server)
        return NULL;
    server->options = *options;
    server->shared_fd = -1;
    server->workers = hmem_array(worker_count(options), sizeof(*server->workers));
    if (!server->workers) {
        hmem_free(server);
        return NULL;
    }
    server->count = worker_count(options);
    pthread_mutex_init(&server->lock, NULL);
    for (unsigned i = 0; i < server->count; i++) {
        server_worker_t *worker = &server->workers[i];

        worker->server = server;
        worker->index = (int)i;
        worker->fd = -1;
        hlist_init(&worker->arriving);
        pthread_mutex_init(&worker->lock, NULL);
    }
    return server;
}

int hserver_new(const hserver_options_t *options, hserver_t **out)
{
    hserver_t *server;
    int err;

    *out = NULL;
    if (!is_valid(options))
        return -EINVAL;
    server = alloc_server(options);
    if (!server)
        return -ENOMEM;
    err = open_sockets(server);
    if (err) {
        hserver_free(server);
        return err;
    }
    *out = server;
    return 0;
}

void hserver_free(hserver_t *server)
{
    if (!server)
        return;
    hserver__close_sockets(server);
    hsocket_path_remove(&server->path);
    for (unsigned i = 0; i < server->count; i++)
        pthread_mutex_destroy(&server->workers[i].lock);
    pthread_mutex_destroy(&server->lock);
    hmem_free(server->workers);
    hmem_free(server);
}

/* ---- running and asking ---------------------------------------------------------------------- */

static bool is_stopped(hserver_t *server)
{
    bool stop;

    pthread_mutex_lock(&server->lock);
    stop = server->stop;
    pthread_mutex_unlock(&server->lock);
    return stop;
}

int hserver_run(hserver_t *server)
{
    int err;

    if (is_stopped(server))
        return 0;
    switch (server->options.mode) {
    case HSERVER_PROCESSES:
        err = hserver__run_processes(server);
        break;
    case HSERVER_THREADS:
    case HSERVER_ACCEPTOR:
        err = run_threads(server);
        break;
    case HSERVER_SINGLE:
    default:
        err = run_single(server);
        break;
    }
    hserver__close_sockets(server);
    return err;
}

void hserver_stop(hserver_t *server)
{
    pthread_mutex_lock(&server->lock);
    server->stop = true;
    if (server->loop)
        hloop_stop(server->loop);
    pthread_mutex_unlock(&server->lock);
}

void *hserver_userdata(const hserver_t *server)
{
    return server->options.userdata;
}

unsigned hserver_workers(const hserver_t *server)
{
    return server->count;
}

const haddr_t *hserver_addr(const hserver_t *server)
{
    return &server->addr;
}

pid_t hserver_worker_pid(const hserver_t *server, int index)
{
    return index >= 0 && (unsigned)index < server->count ? server->workers[index].pid : 0;
}

int hserver_worker_status(const hserver_t *server, int index)
{
    return index >= 0 && (unsigned)index < server->count ? server->workers[index].status : 0;
}
