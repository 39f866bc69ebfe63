/* Signals belong to the process, so their bookkeeping does too: a fixed table of ports, one for
 * each loop that watches signals. The handler sets a bit in each port that wants the signal and
 * wakes that loop; nothing else happens in it. */
#include "hsignal.h"

#include "../base/hmem.h"
#include "hloop_int.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PORTS_MAX 256
#define SIGNALS_MAX 64

enum { SIGNAL_ACTIVE, SIGNAL_DELETED };

typedef struct watcher_s {
    hevent_t event; /* detail: the signal; first, because a watcher is handed out as its event */
    hlist_t link;   /* loop->signals */
    bool pending;
} watcher_t;

typedef struct port_s {
    atomic_bool used;
    _Atomic uint64_t wanted;
    _Atomic uint64_t pending;
    _Atomic int wake_fd;
    _Atomic int busy; /* handlers that are looking at this port */
} port_t;

static port_t ports[PORTS_MAX];
static unsigned watchers_of[SIGNALS_MAX + 1];
static struct sigaction saved[SIGNALS_MAX + 1];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t bit_of(int signo)
{
    return 1ULL << (signo - 1);
}

static void handler(int signo)
{
    int saved_errno = errno;
    uint64_t one = 1;

    for (int i = 0; i < PORTS_MAX; i++) {
        port_t *port = &ports[i];

        if (!atomic_load(&port->used))
            continue;
        atomic_fetch_add(&port->busy, 1);
        if (atomic_load(&port->wanted) & bit_of(signo)) {
            atomic_fetch_or(&port->pending, bit_of(signo));
            if (write(atomic_load(&port->wake_fd), &one, sizeof(one)) < 0)
                errno = 0; /* the eventfd is full: the loop wakes anyway */
        }
        atomic_fetch_sub(&port->busy, 1);
    }
    errno = saved_errno;
}

static int open_port(hloop_t *loop)
{
    for (int i = 0; i < PORTS_MAX; i++) {
        bool unused = false;

        if (!atomic_compare_exchange_strong(&ports[i].used, &unused, true))
            continue;
        atomic_store(&ports[i].wanted, 0);
        atomic_store(&ports[i].pending, 0);
        atomic_store(&ports[i].wake_fd, loop->wake_fd);
        loop->signal_port = i;
        return 0;
    }
    return -ENOSPC;
}

/* The thread sanitizer of gcc 12 gets its memory for a thread's signals at the thread's first call
 * that may wait, and loses a signal that interrupts it there: so this is that call, for the thread
 * that watches. */
static void prepare_sanitizer(void)
{
#ifdef __SANITIZE_THREAD__
    poll(NULL, 0, 0);
#endif
}

static int install(int signo)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    if (watchers_of[signo] == 0) {
        sigfillset(&action.sa_mask);
        if (sigaction(signo, &action, &saved[signo]) < 0)
            return -errno;
    }
    watchers_of[signo]++;
    return 0;
}

static void uninstall(int signo)
{
    if (--watchers_of[signo] == 0)
        sigaction(signo, &saved[signo], NULL);
}

static bool is_watched(hloop_t *loop, int signo)
{
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &loop->signals) {
        watcher_t *watcher = HLIST_ENTRY(pos, watcher_t, link);

        if (watcher->event.detail == signo && watcher->event.state == SIGNAL_ACTIVE)
            return true;
    }
    return false;
}

static int start_watching(hloop_t *loop, int signo)
{
    int rc = 0;

    if (signo < 1 || signo > SIGNALS_MAX)
        return -EINVAL;
    if (loop->closing_down)
        return -ECANCELED;
    prepare_sanitizer();
    pthread_mutex_lock(&lock);
    if (loop->signal_port < 0)
        rc = open_port(loop);
    if (rc == 0) {
        /* Before the handler: one that came between the two would be nobody's. */
        atomic_fetch_or(&ports[loop->signal_port].wanted, bit_of(signo));
        rc = install(signo);
        if (rc < 0 && !is_watched(loop, signo))
            atomic_fetch_and(&ports[loop->signal_port].wanted, ~bit_of(signo));
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

hsignal_t *hsignal_add(hloop_t *loop, hsignal_cb cb, int signo)
{
    watcher_t *watcher = hmem_zalloc(sizeof(*watcher));
    int rc = watcher ? start_watching(loop, signo) : -ENOMEM;

    if (rc < 0) {
        hmem_free(watcher);
        errno = -rc;
        return NULL;
    }
    watcher->event.loop = loop;
    watcher->event.event_type = HEVENT_TYPE_SIGNAL;
    watcher->event.event_id = ++loop->event_count;
    watcher->event.cb = cb;
    watcher->event.detail = (uint16_t)signo;
    hlist_push_back(&loop->signals, &watcher->link);
    return &watcher->event;
}

/* Within a round of callbacks the memory goes at its end, in free_deleted. */
void hsignal_del(hsignal_t *sig)
{
    hloop_t *loop;

    if (!sig || sig->state == SIGNAL_DELETED)
        return;
    loop = sig->loop;
    sig->state = SIGNAL_DELETED;
    pthread_mutex_lock(&lock);
    uninstall(sig->detail);
    if (!is_watched(loop, sig->detail))
        atomic_fetch_and(&ports[loop->signal_port].wanted, ~bit_of(sig->detail));
    pthread_mutex_unlock(&lock);
    if (!loop->signals_running) {
        hlist_remove(&((watcher_t *)sig)->link);
        hmem_free(sig);
    }
}

int hsignal_signo(const hsignal_t *sig)
{
    return sig->detail;
}

void hsignal_after_fork(void)
{
    for (int signo = 1; signo <= SIGNALS_MAX; signo++) {
        if (watchers_of[signo] > 0)
            sigaction(signo, &saved[signo], NULL);
        watchers_of[signo] = 0;
    }
    for (int i = 0; i < PORTS_MAX; i++) {
        atomic_store(&ports[i].wanted, 0);
        atomic_store(&ports[i].busy, 0);
        atomic_store(&ports[i].used, false);
    }
    pthread_mutex_init(&lock, NULL); /* another thread of the parent may have held it */
}

static void free_deleted(hloop_t *loop)
{
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &loop->signals) {
        watcher_t *watcher = HLIST_ENTRY(pos, watcher_t, link);

        if (watcher->event.state != SIGNAL_DELETED)
            continue;
        hlist_remove(&watcher->link);
        hmem_free(watcher);
    }
}

bool hsignal__is_port_pending(int port)
{
    return atomic_load(&ports[port].pending) != 0;
}

/* Turns the port's bits into marks on the watchers, once an iteration. */
static void collect(hloop_t *loop)
{
    uint64_t pending = atomic_exchange(&ports[loop->signal_port].pending, 0);
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &loop->signals) {
        watcher_t *watcher = HLIST_ENTRY(pos, watcher_t, link);

        if (pending & bit_of(watcher->event.detail))
            watcher->pending = true;
    }
}

void hsignal__run_watchers(hloop_t *loop, int priority)
{
    hlist_t *pos, *tmp;

    if (hsignal__is_port_pending(loop->signal_port))
        collect(loop);
    loop->signals_running = true;
    HLIST_FOREACH (pos, tmp, &loop->signals) {
        watcher_t *watcher = HLIST_ENTRY(pos, watcher_t, link);

        if (!watcher->pending || watcher->event.priority != priority)
            continue;
        watcher->pending = false;
        if (watcher->event.state != SIGNAL_ACTIVE)
            continue;
        loop->stats.events++;
        hloop__enter(loop);
        watcher->event.cb(&watcher->event);
        hloop__leave(loop);
    }
    loop->signals_running = false;
    free_deleted(loop);
}

/* A callback gave one a priority whose turn had passed: it runs in the next iteration. */
void hsignal__put_back(hloop_t *loop)
{
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &loop->signals) {
        watcher_t *watcher = HLIST_ENTRY(pos, watcher_t, link);

        if (watcher->pending && watcher->event.state == SIGNAL_ACTIVE) {
            hloop_wakeup(loop);
            return;
        }
    }
}

void hsignal__loop_deinit(hloop_t *loop)
{
    hlist_t *pos, *tmp;
    port_t *port;

    if (loop->signal_port < 0)
        return;
    HLIST_FOREACH (pos, tmp, &loop->signals) {
        watcher_t *watcher = HLIST_ENTRY(pos, watcher_t, link);

        if (watcher->event.state == SIGNAL_ACTIVE) {
            pthread_mutex_lock(&lock);
            uninstall(watcher->event.detail);
            pthread_mutex_unlock(&lock);
        }
        hlist_remove(&watcher->link);
        hmem_free(watcher);
    }
    port = &ports[loop->signal_port];
    atomic_store(&port->wanted, 0);
    while (atomic_load(&port->busy) > 0)
        ; /* a handler in another thread is about to leave */
    atomic_store(&port->used, false);
    loop->signal_port = -1;
}
