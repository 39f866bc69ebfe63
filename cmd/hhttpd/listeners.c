#include "listeners.h"

#include "base/hstr.h"
#include "net/hlisten.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANDED_OVER_FIRST 3 /* SD_LISTEN_FDS_START */

/* ---- what systemd has opened ----------------------------------------------------------------- */

static bool env_number(const char *name, uint64_t max, uint64_t *value)
{
    const char *text = getenv(name);

    return text && hstr_parse_u64(text, 1, max, value) == 0;
}

/* The name of the i-th socket, in "a:b:c". */
static bool name_has_tls(const char *names, size_t i)
{
    char name[64];
    size_t len;

    for (; names && i > 0; i--) {
        names = strchr(names, ':');
        names = names ? names + 1 : NULL;
    }
    if (!names)
        return false;
    len = strcspn(names, ":");
    snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1), names);
    return strstr(name, "tls") || strstr(name, "https");
}

static int take_descriptor(listeners_t *all, int fd, bool tls, hbytes_t *errors)
{
    int on = 0;
    socklen_t len = sizeof(on);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0 || !on) {
        hbytes_printf(errors, "LISTEN_FDS: descriptor %d does not listen\n", fd);
        return -EINVAL;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    hsocket_set_nonblocking(fd, true);
    all->items[all->count++] =
        (listener_t){.fds = {fd}, .fd_count = 1, .tls = tls, .is_handed_over = true};
    return 0;
}

int listeners_take_over(listeners_t *all, hbytes_t *errors)
{
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t pid, n;
    int err = 0;

    if (!env_number("LISTEN_PID", INT32_MAX, &pid) || pid != (uint64_t)getpid() ||
        !env_number("LISTEN_FDS", SETTINGS_LISTENS_MAX, &n))
        return 0;
    for (size_t i = 0; !err && i < n; i++)
        err = take_descriptor(all, HANDED_OVER_FIRST + (int)i, name_has_tls(names, i), errors);
    all->handed_over = true;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return err;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void say_why(const listen_t *wanted, int err, hbytes_t *errors)
{
    char text[HENDPOINT_FORMAT_SIZE];
    const hendpoint_t *ep = &wanted->endpoint;

    hendpoint_format(ep, text, sizeof(text));
    hbytes_printf(errors, "cannot listen on %s: %s", text, herr_str(err));
    if (err == -EADDRINUSE && hendpoint_is_unix(ep))
        hbytes_append_str(errors, "; choose another path, or end the server that listens there");
    else if (err == -EADDRINUSE)
        hbytes_printf(errors,
                      "; choose another port with -p %u, or see who has it: ss -ltnp 'sport = :%u'",
                      ep->port < 65535 ? ep->port + 1U : 8081U, ep->port);
    else if (err == -EACCES && !hendpoint_is_unix(ep) && ep->port < 1024)
        hbytes_append_str(errors, "; ports below 1024 are for root: choose one above with -p");
    else if (err == -EADDRNOTAVAIL)
        hbytes_append_str(errors, "; no network interface has this address");
    hbytes_append_char(errors, '\n');
}

static bool same_endpoint(const hendpoint_t *a, const hendpoint_t *b)
{
    return hendpoint_is_unix(a) == hendpoint_is_unix(b) && a->port == b->port &&
           strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}

static listener_t *find_open(listeners_t *all, const hendpoint_t *endpoint)
{
    for (size_t i = 0; i < all->count; i++) {
        listener_t *l = &all->items[i];

        if (l->fd_count > 0 && !l->is_wanted && !l->is_handed_over &&
            same_endpoint(&l->endpoint, endpoint))
            return l;
    }
    return NULL;
}

static listener_t *find_free(listeners_t *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].fd_count == 0)
            return &all->items[i];
    }
    return all->count < LISTENERS_MAX ? &all->items[all->count++] : NULL;
}

static void close_one(listener_t *l)
{
    for (int i = 0; i < l->fd_count; i++)
        close(l->fds[i]);
    hsocket_path_remove(&l->path);
    *l = (listener_t){0};
}

/* Clients of HTTP and of TLS speak first: one wake-up for the connection and its first request. */
static hlisten_options_t options_for(const hendpoint_t *endpoint)
{
    return (hlisten_options_t){.endpoint = *endpoint, .socket.defer_accept_s = 1};
}

static int open_socket(listener_t *l, const hlisten_options_t *options)
{
    int fd = hlisten_socket(options, &l->path);

    if (fd < 0)
        return fd;
    l->fds[l->fd_count++] = fd;
    return 0;
}

/* Somebody else's socket that may be shared (a second hhttpd of the same user) would not be seen as
 * a port in use: so one that shares nothing is tried first. */
static int probe(const hlisten_options_t *options)
{
    int fd = options->endpoint.port > 0 ? hlisten_socket(options, NULL) : -1;

    if (fd < 0)
        return options->endpoint.port > 0 ? fd : 0;
    close(fd);
    return 0;
}

static int open_several(listener_t *l, int count)
{
    hlisten_options_t options = options_for(&l->endpoint);
    haddr_t addr;
    int err = probe(&options);

    options.socket.reuse_port = true;
    if (!err)
        err = open_socket(l, &options);
    if (!err)
        err = hsocket_local(l->fds[0], &addr);
    if (!err)
        options.endpoint.port = (uint16_t)haddr_port(&addr.u.sa);
    while (!err && l->fd_count < count)
        err = open_socket(l, &options);
    return err;
}

static int open_one(listeners_t *all, const listen_t *wanted, uint64_t lanes, listener_t **opened)
{
    hlisten_options_t options = options_for(&wanted->endpoint);
    listener_t *l = find_free(all);
    int err;

    if (!l)
        return -ENOBUFS;
    *l = (listener_t){.endpoint = wanted->endpoint, .is_new = true};
    if (lanes == 1 || hendpoint_is_unix(&wanted->endpoint))
        err = open_socket(l, &options);
    else
        err = open_several(l, lanes < LISTENER_SOCKETS_MAX ? (int)lanes : LISTENER_SOCKETS_MAX);
    if (err)
        close_one(l);
    else
        *opened = l;
    return err;
}

static void add_to_set(listen_set_t *set, listener_t *l, bool tls)
{
    l->is_wanted = true;
    l->tls = tls;
    memcpy(set->items[set->count].fds, l->fds, sizeof(l->fds));
    set->items[set->count].fd_count = l->fd_count;
    set->items[set->count++].tls = tls;
}

static int open_all(listeners_t *all, const settings_t *settings, listen_set_t *set,
                    hbytes_t *errors)
{
    uint64_t lanes = (uint64_t)settings->worker_processes * settings->worker_threads;

    for (const listen_t *wanted = settings->listens; wanted; wanted = wanted->next) {
        listener_t *l = find_open(all, &wanted->endpoint);
        int err = l ? 0 : open_one(all, wanted, lanes, &l);

        if (err) {
            say_why(wanted, err, errors);
            return err;
        }
        add_to_set(set, l, wanted->kind == LISTEN_TLS);
    }
    return 0;
}

/* The old settings stay in force: the sockets are as they were. */
static void undo(listeners_t *all, const bool *wanted_before)
{
    for (size_t i = 0; i < all->count; i++) {
        listener_t *l = &all->items[i];

        if (l->is_new)
            close_one(l);
        else
            l->is_wanted = wanted_before[i];
    }
}

int listeners_open(listeners_t *all, const settings_t *settings, listen_set_t *set,
                   hbytes_t *errors)
{
    bool wanted_before[LISTENERS_MAX] = {false};
    int err = 0;

    *set = (listen_set_t){0};
    for (size_t i = 0; i < all->count; i++) {
        listener_t *l = &all->items[i];

        wanted_before[i] = l->is_wanted;
        l->is_wanted = false;
        l->is_new = false;
        if (l->is_handed_over)
            add_to_set(set, l, l->tls);
    }
    if (!all->handed_over)
        err = open_all(all, settings, set, errors);
    if (err)
        undo(all, wanted_before);
    return err;
}

/* ---- closing --------------------------------------------------------------------------------- */

void listeners_close_unused(listeners_t *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (!all->items[i].is_wanted)
            close_one(&all->items[i]);
        all->items[i].is_new = false;
    }
}

static bool is_in(const listen_set_t *set, int fd)
{
    for (size_t i = 0; i < set->count; i++) {
        for (int n = 0; n < set->items[i].fd_count; n++) {
            if (set->items[i].fds[n] == fd)
                return true;
        }
    }
    return false;
}

void listeners_keep_only(listeners_t *all, const listen_set_t *set)
{
    for (size_t i = 0; i < all->count; i++) {
        listener_t *l = &all->items[i];

        if (l->fd_count == 0 || is_in(set, l->fds[0]))
            continue;
        for (int n = 0; n < l->fd_count; n++)
            close(l->fds[n]);
        l->fd_count = 0;
    }
}

void listeners_close(listeners_t *all)
{
    for (size_t i = 0; i < all->count; i++)
        close_one(&all->items[i]);
    all->count = 0;
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* Whether others can be told to come here; link-local addresses need a zone. */
static bool is_reachable(const struct ifaddrs *entry, int family)
{
    const struct sockaddr *sa = entry->ifa_addr;

    if (!sa || sa->sa_family != family || !(entry->ifa_flags & IFF_UP) ||
        (entry->ifa_flags & IFF_LOOPBACK))
        return false;
    return family == AF_INET ||
           !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

/* An address of this computer in the place of "every address": IPv4 if there is one. */
static void choose_address(haddr_t *addr)
{
    static const int families[] = {AF_INET, AF_INET6};
    uint16_t port = (uint16_t)haddr_port(&addr->u.sa);
    struct ifaddrs *list = NULL;
    bool found = false;

    if (getifaddrs(&list) < 0)
        list = NULL;
    for (int i = 0; i < 2 && !found; i++) {
        for (const struct ifaddrs *entry = list; entry && !found; entry = entry->ifa_next) {
            found = is_reachable(entry, families[i]) &&
                    haddr_set(addr, entry->ifa_addr, haddr_len(entry->ifa_addr)) == 0;
        }
    }
    if (list)
        freeifaddrs(list);
    if (!found)
        haddr_loopback(addr, AF_INET, port);
    haddr_set_port(&addr->u.sa, port);
}

const char *listener_url(int fd, bool tls, const char *base_url, char *buf, size_t size)
{
    char text[HADDR_FORMAT_SIZE];
    haddr_t addr = {0};

    hsocket_local(fd, &addr);
    if (addr.u.sa.sa_family != AF_UNIX && haddr_is_any(&addr.u.sa))
        choose_address(&addr);
    haddr_format(&addr.u.sa, addr.len, text, sizeof(text));
    if (addr.u.sa.sa_family == AF_UNIX)
        snprintf(buf, size, "%s", text);
    else
        snprintf(buf, size, "%s://%s%s/", tls ? "https" : "http", text, base_url ? base_url : "");
    return buf;
}
