#include "hlisteners.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../net/hlisten.h"

#define HANDED_OVER_FIRST 3                   /* SD_LISTEN_FDS_START */
#define OPEN_MAX ((size_t)2 * HLISTENERS_MAX) /* old and new ones during a reload */
#define PLACES (2 * OPEN_MAX)                 /* for what draining workers have to know */

typedef struct listener_s {
    hendpoint_t endpoint;
    hsocket_path_t path;
    hlisteners_item_t item;
    bool *gone;          /* in shared memory */
    mode_t mode;         /* of a path, as the last request wants it; 0: as it is */
    int fd_count_before; /* the last request has opened those behind them */
    bool is_wanted;      /* the last request names it */
    bool is_new;         /* opened for that, which is not in force yet */
} listener_t;

struct hlisteners_s {
    listener_t **open;
    size_t count;
    bool *gone;       /* PLACES, that all processes see; atomic */
    size_t next_gone; /* the place that was free for longest */
    bool handed_over;
};

/* ---- one end point --------------------------------------------------------------------------- */

static void close_sockets(listener_t *l)
{
    for (int i = 0; i < l->item.fd_count; i++)
        close(l->item.fds[i]);
    l->item.fd_count = 0;
}

static void free_listener(listener_t *l)
{
    __atomic_store_n(l->gone, true,
                     __ATOMIC_SEQ_CST); /* before the workers are told to stop listening */
    close_sockets(l);
    hsocket_path_remove(&l->path);
    hmem_free(l);
}

/* Frees those that is_over says; the others move up. */
static void sweep(hlisteners_t *all, bool (*is_over)(const listener_t *l))
{
    size_t kept = 0;

    for (size_t i = 0; i < all->count; i++) {
        if (is_over(all->open[i]))
            free_listener(all->open[i]);
        else
            all->open[kept++] = all->open[i];
    }
    all->count = kept;
}

static bool is_used(const hlisteners_t *all, const bool *place)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->open[i]->gone == place)
            return true;
    }
    return false;
}

/* Not the one that has just become free: a worker that drains may not have looked there yet. */
static bool *free_place(hlisteners_t *all)
{
    do {
        all->next_gone = (all->next_gone + 1) % PLACES;
    } while (is_used(all, &all->gone[all->next_gone]));
    return &all->gone[all->next_gone];
}

/* A new one at the end of the list, or NULL. */
static listener_t *add(hlisteners_t *all)
{
    listener_t **list = hmem_realloc(all->open, (all->count + 1) * sizeof(listener_t *)), *l;

    if (!list)
        return NULL;
    all->open = list;
    l = hmem_zalloc(sizeof(*l));
    if (!l)
        return NULL;
    list[all->count++] = l;
    l->gone = free_place(all);
    __atomic_store_n(l->gone, false, __ATOMIC_SEQ_CST);
    return l;
}

/* ---- what systemd has opened ----------------------------------------------------------------- */

static bool env_number(const char *name, uint64_t max, uint64_t *value)
{
    const char *text = getenv(name);

    return text && hstr_parse_u64(text, 1, max, value) == 0;
}

/* The i-th name in "a:b:c". */
static void copy_name(char *name, const char *names, size_t i)
{
    for (; names && i > 0; i--) {
        names = strchr(names, ':');
        names = names ? names + 1 : NULL;
    }
    if (names)
        snprintf(name, HLISTENERS_NAME_SIZE, "%.*s", (int)strcspn(names, ":"), names);
}

static int socket_number(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

static int take_descriptor(hlisteners_t *all, int fd, const char *names, size_t i, hbytes_t *errors)
{
    bool datagram = socket_number(fd, SO_TYPE) == SOCK_DGRAM;
    listener_t *l;

    if (!datagram && socket_number(fd, SO_ACCEPTCONN) <= 0) {
        hbytes_printf(errors, "LISTEN_FDS: descriptor %d does not listen\n", fd);
        return -EINVAL;
    }
    l = add(all);
    if (!l)
        return -ENOMEM;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    hsocket_set_nonblocking(fd, true);
    l->item =
        (hlisteners_item_t){.fds = {fd}, .fd_count = 1, .datagram = datagram, .handed_over = true};
    l->is_wanted = true;
    copy_name(l->item.name, names, i);
    return 0;
}

int hlisteners_take_over(hlisteners_t *all, hbytes_t *errors)
{
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t pid, n;
    int err = 0;

    if (!env_number("LISTEN_PID", INT32_MAX, &pid) || pid != (uint64_t)getpid() ||
        !env_number("LISTEN_FDS", HLISTENERS_MAX, &n))
        return 0;
    for (size_t i = 0; !err && i < n; i++)
        err = take_descriptor(all, HANDED_OVER_FIRST + (int)i, names, i, errors);
    all->handed_over = true;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return err;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void advise(const hendpoint_t *ep, int err, const char *port_option, hbytes_t *errors)
{
    bool udp = hendpoint_socktype(ep) == SOCK_DGRAM;

    if (err == -EADDRINUSE && hendpoint_is_unix(ep))
        hbytes_append_str(errors, "; choose another path, or end the server that listens there");
    else if (err == -EADDRINUSE && port_option)
        hbytes_printf(errors, "; choose another port with %s %u, or see who has it: ", port_option,
                      ep->port < 65535 ? ep->port + 1U : 8081U);
    else if (err == -EADDRINUSE)
        hbytes_append_str(errors, "; choose another port, or see who has it: ");
    else if (err == -EACCES && !hendpoint_is_unix(ep) && ep->port < 1024)
        hbytes_printf(errors, "; ports below 1024 are for root: choose one above%s%s",
                      port_option ? " with " : "", port_option ? port_option : "");
    else if (err == -EADDRNOTAVAIL)
        hbytes_append_str(errors, "; no network interface has this address");
    if (err == -EADDRINUSE && !hendpoint_is_unix(ep))
        hbytes_printf(errors, "ss -%snp 'sport = :%u'", udp ? "lu" : "lt", ep->port);
}

static void say_why(const hlisteners_want_t *want, int err, const char *port_option,
                    hbytes_t *errors)
{
    char text[HENDPOINT_FORMAT_SIZE];

    hbytes_printf(errors, "%scannot listen on %s: %s", want->where ? want->where : "",
                  hendpoint_format(&want->endpoint, text, sizeof(text)), herr_str(err));
    advise(&want->endpoint, err, port_option, errors);
    hbytes_append_char(errors, '\n');
}

static bool same_endpoint(const hendpoint_t *a, const hendpoint_t *b)
{
    return hendpoint_is_unix(a) == hendpoint_is_unix(b) &&
           hendpoint_socktype(a) == hendpoint_socktype(b) && a->port == b->port &&
           strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}

static listener_t *find_open(const hlisteners_t *all, const hendpoint_t *endpoint)
{
    for (size_t i = 0; i < all->count; i++) {
        listener_t *l = all->open[i];

        if (!l->is_wanted && same_endpoint(&l->endpoint, endpoint))
            return l;
    }
    return NULL;
}

static int open_socket(listener_t *l, const hlisten_options_t *options)
{
    int fd = hlisten_socket(options, l->item.fd_count == 0 ? &l->path : NULL);

    if (fd < 0)
        return fd;
    l->item.fds[l->item.fd_count++] = fd;
    return 0;
}

/* Somebody else's socket that may be shared (a second server of the same user) would not be seen as
 * a port in use: so one that shares nothing is tried first. */
static int probe(const hlisten_options_t *options)
{
    int fd = options->endpoint.port > 0 ? hlisten_socket(options, NULL) : -1;

    if (fd < 0)
        return options->endpoint.port > 0 ? fd : 0;
    close(fd);
    return 0;
}

/* Sockets of one port, until there are so many. */
static int open_several(listener_t *l, const hlisteners_want_t *want, uint64_t lanes)
{
    int count = lanes < HLISTENERS_SOCKETS_MAX ? (int)lanes : HLISTENERS_SOCKETS_MAX, err = 0;
    hlisten_options_t options = {.endpoint = want->endpoint, .socket = want->socket};
    haddr_t addr;

    options.socket.reuse_port = false;
    if (l->item.fd_count == 0)
        err = probe(&options);
    options.socket.reuse_port = true;
    if (!err && l->item.fd_count == 0)
        err = open_socket(l, &options);
    if (!err)
        err = hsocket_local(l->item.fds[0], &addr);
    if (!err)
        options.endpoint.port = (uint16_t)haddr_port(&addr.u.sa);
    while (!err && l->item.fd_count < count)
        err = open_socket(l, &options);
    return err;
}

static int open_path(listener_t *l, const hlisteners_want_t *want)
{
    hlisten_options_t options = {.endpoint = want->endpoint, .socket = want->socket};

    options.socket.reuse_port = false;
    return l->item.fd_count > 0 ? 0 : open_socket(l, &options);
}

/* One that is open already may need more sockets. What was added is taken back by the caller after
 * an error. */
static int open_one(hlisteners_t *all, const hlisteners_want_t *want, uint64_t lanes,
                    listener_t **opened)
{
    listener_t *l = find_open(all, &want->endpoint);

    if (!l && all->count == OPEN_MAX)
        return -ENOBUFS;
    if (!l) {
        l = add(all);
        if (!l)
            return -ENOMEM;
        l->is_new = true;
        l->endpoint = want->endpoint;
        l->item.gone = l->gone;
        l->item.datagram = hendpoint_socktype(&want->endpoint) == SOCK_DGRAM;
    }
    l->mode = want->socket.unix_mode;
    *opened = l;
    return hendpoint_is_unix(&want->endpoint) ? open_path(l, want) : open_several(l, want, lanes);
}

static int open_all(hlisteners_t *all, const hlisteners_request_t *request, hlisteners_set_t *set,
                    hbytes_t *errors)
{
    for (size_t i = 0; i < request->count; i++) {
        const hlisteners_want_t *want = &request->wanted[i];
        listener_t *l;
        int err = open_one(all, want, request->lanes, &l);

        if (err) {
            say_why(want, err, request->port_option, errors);
            return err;
        }
        l->is_wanted = true;
        set->items[set->count] = l->item;
        set->items[set->count++].tag = want->tag;
    }
    return 0;
}

static void add_handed_over(const hlisteners_t *all, hlisteners_set_t *set)
{
    for (size_t i = 0; i < all->count; i++)
        set->items[set->count++] = all->open[i]->item;
}

int hlisteners_open(hlisteners_t *all, const hlisteners_request_t *request, hlisteners_set_t *set,
                    hbytes_t *errors)
{
    size_t count = all->handed_over ? all->count : request->count;
    int err = 0;

    *set = (hlisteners_set_t){0};
    if (count > HLISTENERS_MAX) {
        hbytes_printf(errors, "more than %d end points to listen on\n", HLISTENERS_MAX);
        return -ENOBUFS;
    }
    set->items = hmem_array(count > 0 ? count : 1, sizeof(*set->items));
    if (!set->items)
        return -ENOMEM;
    for (size_t i = 0; i < all->count; i++) {
        all->open[i]->is_wanted = all->handed_over;
        all->open[i]->fd_count_before = all->open[i]->item.fd_count;
    }
    if (all->handed_over)
        add_handed_over(all, set);
    else
        err = open_all(all, request, set, errors);
    if (err) {
        hlisteners_undo(all);
        hlisteners_set_deinit(set);
    }
    return err;
}

/* ---- after it -------------------------------------------------------------------------------- */

static bool is_unwanted(const listener_t *l)
{
    return !l->is_wanted;
}

static bool is_new(const listener_t *l)
{
    return l->is_new;
}

void hlisteners_commit(hlisteners_t *all)
{
    sweep(all, is_unwanted);
    for (size_t i = 0; i < all->count; i++) {
        listener_t *l = all->open[i];

        if (!l->is_new && l->mode)
            hsocket_path_chmod(&l->path, l->mode);
        l->is_new = false;
    }
}

void hlisteners_undo(hlisteners_t *all)
{
    sweep(all, is_new);
    for (size_t i = 0; i < all->count; i++) {
        listener_t *l = all->open[i];

        while (l->item.fd_count > l->fd_count_before)
            close(l->item.fds[--l->item.fd_count]);
        l->is_wanted = true;
    }
}

static bool is_in(const hlisteners_set_t *set, int fd)
{
    for (size_t i = 0; set && i < set->count; i++) {
        if (set->items[i].fd_count > 0 && set->items[i].fds[0] == fd)
            return true;
    }
    return false;
}

void hlisteners_keep_only(hlisteners_t *all, const hlisteners_set_t *set)
{
    for (size_t i = 0; i < all->count; i++) {
        listener_t *l = all->open[i];

        if (l->item.fd_count > 0 && !is_in(set, l->item.fds[0]))
            close_sockets(l);
    }
}

static bool is_any(const listener_t *l)
{
    return l != NULL;
}

void hlisteners_close(hlisteners_t *all)
{
    sweep(all, is_any);
}

/* ---- the rest -------------------------------------------------------------------------------- */

bool hlisteners_is_for(const hlisteners_item_t *item, int n, int lane, int lane_count)
{
    if (item->fd_count >= lane_count)
        return n % lane_count == lane;
    return item->datagram ? n == lane : lane % item->fd_count == n;
}

void hlisteners_set_deinit(hlisteners_set_t *set)
{
    hmem_free(set->items);
    *set = (hlisteners_set_t){0};
}

bool hlisteners_is_gone(const hlisteners_item_t *item)
{
    return __atomic_load_n(item->gone, __ATOMIC_SEQ_CST);
}

hlisteners_t *hlisteners_new(void)
{
    void *memory = mmap(NULL, PLACES * sizeof(bool), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    hlisteners_t *all = memory != MAP_FAILED ? hmem_zalloc(sizeof(*all)) : NULL;

    if (all)
        all->gone = memory;
    else if (memory != MAP_FAILED)
        munmap(memory, PLACES * sizeof(bool));
    return all;
}

void hlisteners_free(hlisteners_t *all)
{
    if (!all)
        return;
    hlisteners_close(all);
    munmap(all->gone, PLACES * sizeof(bool));
    hmem_free(all->open);
    hmem_free(all);
}
