/* The sockets hang on an epoll of their own, which hangs on the loop. A refusal that comes at once
 * (from this machine, or one that is simulated on it) costs two system calls, another one five and
 * its share of a wait: whether they come at once is tried as long as they do. */
#include "connect.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "event/hio.h"

#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define RESERVED 64 /* descriptors for everything else: files, names, services */
#define EVENTS 256
#define SLOW_MAX 4  /* then it is tried no more, */
#define SLOW_ASK 64 /* but for one of so many */

typedef struct slot_s {
    void *host;
    uint32_t probe;
    int fd; /* -1: free */
    uint64_t asked_us;
    uint32_t next; /* free ones: the next one, 0: none */
    uint32_t uses; /* tells an event of the one before from its own */
} slot_t;

struct connect_s {
    hloop_t *loop;
    connect_cb cb;
    connect_ready_cb ready;
    void *context;
    haddr_t source;
    char interface[IF_NAMESIZE];
    hio_t *io; /* of the epoll */
    int epoll;
    slot_t *slots; /* slot 0 is nobody's */
    uint32_t slot_count, slot_max;
    uint32_t free;
    uint32_t open; /* sockets */
    int spare;     /* a socket, -1: none */
    int spare_family;
    uint32_t slow; /* how many in turn were not answered at once */
};

/* ---- slots ----------------------------------------------------------------------------------- */

static uint32_t take_slot(connect_t *c)
{
    uint32_t number = c->free;

    if (number != 0) {
        c->free = c->slots[number].next;
        return number;
    }
    if (c->slot_count > c->slot_max)
        return 0;
    if ((c->slot_count & (c->slot_count - 1)) == 0) {
        slot_t *slots = hmem_realloc(c->slots, 2 * (size_t)c->slot_count * sizeof(*slots));

        if (slots == NULL)
            return 0;
        c->slots = slots;
    }
    c->slots[c->slot_count] = (slot_t){.fd = -1};
    return c->slot_count++;
}

static void free_slot(connect_t *c, uint32_t number)
{
    c->slots[number] = (slot_t){.fd = -1, .next = c->free, .uses = c->slots[number].uses + 1};
    c->free = number;
}

static uint64_t event_key(const connect_t *c, uint32_t number)
{
    return (uint64_t)c->slots[number].uses << 32 | number;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static int prepare(const connect_t *c, int fd)
{
    const int one = 1;

    if (c->interface[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->interface,
                                      (socklen_t)strlen(c->interface)) < 0)
        return -errno;
    if (c->source.len == 0)
        return 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, &c->source.u.sa, c->source.len) < 0)
        return -errno;
    return 0;
}

/* A port that accepts is left by a reset: nobody has to wait for the end of the connection, and its
 * numbers are free at once. */
static void leave(int fd, int err)
{
    const struct linger at_once = {.l_onoff = 1};

    if (err == 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

/* Asked from a free port to the same port of this machine, TCP connects to itself (RFC 9293 section
 * 3.5, both sides at once): nobody listens there. */
static bool is_itself(int fd)
{
    sockaddr_u local, peer;
    socklen_t local_len = sizeof(local), peer_len = sizeof(peer);

    return getsockname(fd, &local.sa, &local_len) == 0 &&
           getpeername(fd, &peer.sa, &peer_len) == 0 && haddr_equal(&local.sa, &peer.sa);
}

/* Of 0 or -errno. A connection that stood, and was reset before anybody looked, was accepted: what
 * never stood is refused. */
static int meaning_of(int fd, int err)
{
    if (err == -ECONNRESET || err == -EPIPE)
        return 0;
    return err == 0 && is_itself(fd) ? -ECONNREFUSED : err;
}

static int outcome_of(int fd)
{
    int err = 0;
    socklen_t len = sizeof(err);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    return meaning_of(fd, -err);
}

/* A new socket, or the one that was refused last: Linux lets it connect again. */
static int take_socket(connect_t *c, int family, int *fd)
{
    *fd = c->spare;
    c->spare = -1;
    if (*fd >= 0 && c->spare_family == family)
        return 0;
    if (*fd >= 0)
        close(*fd);
    *fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    return *fd < 0 ? -errno : prepare(c, *fd);
}

/* One that is bound is not kept: what it is bound to behind a refusal is not promised. */
static void keep_or_leave(connect_t *c, int family, int fd, bool is_refused)
{
    if (!is_refused || c->spare >= 0 || c->source.len > 0) {
        leave(fd, 0);
        return;
    }
    c->spare = fd;
    c->spare_family = family;
}

/* 0 or -errno; -EINPROGRESS: its event tells. Asked again, connect says what has become of the
 * first call, and is_answered that it has. */
static int ask(connect_t *c, int fd, const struct sockaddr *addr, bool *is_answered)
{
    int err = connect(fd, addr, haddr_len(addr)) == 0 ? 0 : -errno;

    if (err != -EINPROGRESS || (c->slow >= SLOW_MAX && ++c->slow % SLOW_ASK != 0))
        return err;
    err = connect(fd, addr, haddr_len(addr)) == 0 ? 0 : -errno;
    *is_answered = err != -EALREADY;
    c->slow = *is_answered ? 0 : c->slow + 1;
    return *is_answered ? err : -EINPROGRESS;
}

static bool is_shortage(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM ||
           err == EADDRNOTAVAIL || err == EAGAIN;
}

int connect_start(connect_t *c, const struct sockaddr *addr, void *host, uint32_t probe,
                  uint32_t *number, int *err)
{
    uint32_t slot = take_slot(c);
    struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT};
    bool is_answered = false, is_refused;
    int fd;

    *err = -ENOMEM;
    if (slot == 0)
        return c->open > 0 ? -EAGAIN : 1;
    event.data.u64 = event_key(c, slot);
    *err = take_socket(c, addr->sa_family, &fd);
    if (*err == 0)
        *err = ask(c, fd, addr, &is_answered);
    if (*err == -EINPROGRESS && epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) == 0) {
        c->slots[slot].fd = fd;
        c->slots[slot].host = host;
        c->slots[slot].probe = probe;
        c->slots[slot].asked_us = htime_monotonic_us();
        *number = slot;
        c->open++;
        return 0;
    }
    if (*err == -EINPROGRESS)
        *err = -errno;
    is_refused = is_answered && *err == -ECONNREFUSED;
    *err = meaning_of(fd, *err);
    if (fd >= 0)
        keep_or_leave(c, addr->sa_family, fd, is_refused);
    free_slot(c, slot);
    /* Of what is short we give nothing back if no socket is open: who would tell that there is
     * room? */
    return is_shortage(-*err) && c->open > 0 ? -EAGAIN : is_answered ? 2 : 1;
}

void connect_cancel(connect_t *c, uint32_t number)
{
    if (number == CONNECT_NONE)
        return;
    leave(c->slots[number].fd, 0); /* it may have been accepted meanwhile */
    c->open--;
    free_slot(c, number);
}

bool connect_make_room(connect_t *c, uint64_t age_us)
{
    uint64_t now = htime_monotonic_us();
    uint32_t before = c->open;

    for (uint32_t i = 1; i < c->slot_count; i++) {
        slot_t slot = c->slots[i];

        if (slot.fd < 0 || now - slot.asked_us <= age_us)
            continue;
        connect_cancel(c, i);
        c->cb(c->context, slot.host, slot.probe, -ETIMEDOUT);
    }
    return c->open < before;
}

bool connect_has_ended(const connect_t *c, uint32_t number, int *err)
{
    struct pollfd one = {.events = POLLOUT};

    if (number == CONNECT_NONE)
        return false;
    one.fd = c->slots[number].fd;
    if (poll(&one, 1, 0) <= 0)
        return false;
    *err = outcome_of(one.fd);
    return true;
}

static void finish(connect_t *c, uint64_t key)
{
    uint32_t number = (uint32_t)key;
    slot_t slot = c->slots[number];
    int err;

    if (key != event_key(c, number))
        return; /* cancelled in this turn */
    err = outcome_of(slot.fd);
    leave(slot.fd, err);
    c->open--;
    free_slot(c, number);
    c->cb(c->context, slot.host, slot.probe, err);
}

/* All that have ended, before others are begun: an answer that waits here looks like a long way. */
static void on_readable(hio_t *io, void *buf, int len)
{
    connect_t *c = hevent_userdata(io);
    struct epoll_event events[EVENTS];
    uint32_t left = c->open;
    int n;

    (void)buf;
    (void)len;
    do {
        n = epoll_wait(c->epoll, events, EVENTS, 0);
        for (int i = 0; i < n; i++)
            finish(c, events[i].data.u64);
        left -= n > 0 && left > (uint32_t)n ? (uint32_t)n : left;
    } while (n == EVENTS && left > 0);
    if (c->open < c->slot_max)
        c->ready(c->context);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* How many sockets may be open at once, of those wanted. */
static unsigned raise_limit(unsigned wanted)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)wanted + RESERVED;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return wanted;
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
            return wanted;
    }
    if (limit.rlim_cur >= needed)
        return wanted;
    return limit.rlim_cur > RESERVED ? (unsigned)(limit.rlim_cur - RESERVED)
                                     : (unsigned)limit.rlim_cur / 2;
}

int connect_new(hloop_t *loop, const connect_options_t *options, connect_cb cb,
                connect_ready_cb ready, void *context, connect_t **connects)
{
    connect_t *c = hmem_zalloc(sizeof(*c));

    if (c == NULL)
        return -ENOMEM;
    *c = (connect_t){
        .loop = loop, .cb = cb, .ready = ready, .context = context, .epoll = -1, .spare = -1};
    c->slot_max = raise_limit(options->sockets_max ? options->sockets_max : CONNECT_SOCKETS_MAX);
    c->slot_count = 1;
    c->slots = hmem_zalloc(sizeof(*c->slots));
    if (options->source)
        c->source = *options->source;
    if (options->interface)
        hstr_copy(c->interface, sizeof(c->interface), options->interface);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->io = c->epoll < 0 || c->slots == NULL ? NULL : hio_get(loop, c->epoll);
    if (c->io == NULL || c->slot_max == 0) {
        int err = c->epoll < 0 || c->slot_max == 0 ? -EMFILE : -ENOMEM;

        connect_free(c);
        return err;
    }
    hevent_set_userdata(c->io, c);
    hio_setcb_read(c->io, on_readable);
    hio_read(c->io);
    *connects = c;
    return 0;
}

void connect_free(connect_t *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 1; i < c->slot_count; i++)
        if (c->slots[i].fd >= 0)
            close(c->slots[i].fd);
    if (c->spare >= 0)
        close(c->spare);
    if (c->io)
        hio_abort(c->io, 0);
    else if (c->epoll >= 0)
        close(c->epoll);
    hmem_free(c->slots);
    hmem_free(c);
}

unsigned connect_room(const connect_t *connects)
{
    return connects->slot_max;
}
