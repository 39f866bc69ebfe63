#include "hloop_int.h"

#include "../base/hmem.h"
#include "hio_int.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READY_CAP_MIN 64

/* Only its address counts: each thread has its own. */
_Thread_local const char hloop__thread_mark;

/* ---- readiness ------------------------------------------------------------------------------- */

bool hloop__grow_ready(hloop_t *loop)
{
    uint32_t cap = loop->ready_cap ? loop->ready_cap * 2 : READY_CAP_MIN;
    hready_t *ready = hmem_realloc(loop->ready, cap * sizeof(*ready));

    if (!ready)
        return false;
    loop->ready = ready;
    loop->ready_cap = cap;
    return true;
}

/* What the kernel does for one connection pushes the next one out of the nearest caches: while it
 * does that, the next is brought back. */
static void prefetch_ready(const hloop_t *loop, uint32_t i)
{
    const char *io = i < loop->ready_n ? (const char *)loop->ready[i].io : NULL;

    for (size_t line = 0; io && line < sizeof(hio_t); line += HMEM_LINE)
        __builtin_prefetch(io + line, 1);
}

static void run_ready(hloop_t *loop, int priority, bool all)
{
    for (uint32_t i = 0; i < loop->ready_n; i++) {
        hio_t *io = loop->ready[i].io;

        prefetch_ready(loop, i + 1);
        if (io && (all || io->priority == priority)) {
            loop->stats.events++;
            hio__on_ready(io, loop->ready[i].events);
        }
    }
}

static void add_always_ready(hloop_t *loop)
{
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &loop->always) {
        hio_t *io = hio__of_always(pos);

        if (io->want)
            hloop__ready(loop, io, io->want);
    }
}

/* ---- work at the end of an iteration --------------------------------------------------------- */

void hloop__add_work(hloop_t *loop, hio_t *io, unsigned bits)
{
    if (!hlist_linked(&io->link))
        hlist_push_back(&loop->work, &io->link);
    io->work |= bits;
}

static void run_work_once(hloop_t *loop)
{
    hlist_t batch;
    hlist_t *node;

    hlist_init(&batch);
    hlist_splice(&batch, &loop->work);
    while ((node = hlist_pop_front(&batch)) != NULL)
        hio__do_work(HLIST_ENTRY(node, hio_t, link));
}

/* Work makes work (a connection that stands is read): the poller is not asked in between. What is
 * made after that waits, or events and timers might never have their turn. */
static void run_work(hloop_t *loop)
{
    for (int round = 0; round < 2 && !hlist_empty(&loop->work); round++)
        run_work_once(loop);
}

/* ---- posts ----------------------------------------------------------------------------------- */

int hloop_post_event(hloop_t *loop, const hevent_t *ev)
{
    hpost_kind_t kind = {ev->cb, ev->event_type, hevent__clamp(ev->priority)};
    int rc;

    if (kind.event_type == HEVENT_TYPE_NONE)
        kind.event_type = HEVENT_TYPE_CUSTOM;
    rc = hpost_push(&loop->posts, kind, ev->userdata);
    if (rc > 0)
        hloop_wakeup(loop);
    return rc < 0 ? rc : 0;
}

static void collect_posts(hloop_t *loop)
{
    const hpost_batch_t *batch = &loop->post_batch;

    if (batch->runs_n > 0)
        return;
    loop->post_batch = hpost_take(&loop->posts);
    for (uint32_t i = 0; i < batch->runs_n; i++)
        loop->priorities |= hloop__priority_bit(batch->runs[i].kind.priority);
}

static void run_post(hloop_t *loop, const hpost_kind_t *kind, void *userdata)
{
    hevent_t ev = {.loop = loop,
                   .event_type = kind->event_type,
                   .priority = kind->priority,
                   .event_id = ++loop->event_count,
                   .cb = kind->cb,
                   .userdata = userdata};

    loop->stats.posts++;
    loop->stats.events++;
    if (ev.cb) {
        hloop__enter(loop);
        ev.cb(&ev);
        hloop__leave(loop);
    }
}

static void run_posts(hloop_t *loop, int priority)
{
    const hpost_batch_t *batch = &loop->post_batch;
    uint32_t at = batch->start;

    for (uint32_t i = 0; i < batch->runs_n; i++) {
        const hpost_kind_t *kind = &batch->runs[i].kind;
        uint32_t end = hpost_run_end(batch, i);

        for (; kind->priority == priority && at < end; at++)
            run_post(loop, kind, batch->userdata[at]);
        at = end;
    }
}

/* The eventfd only ends the wait; what there is to do is found in the queues. */
static void on_wake(hio_t *io, void *buf, int len)
{
    uint64_t count;

    (void)buf;
    (void)len;
    if (read(io->fd, &count, sizeof(count)) < 0)
        return; /* EAGAIN: somebody's wake-up was already taken */
}

int hloop_wakeup(hloop_t *loop)
{
    uint64_t one = 1;

    if (!loop)
        return -EINVAL;
    if (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        return -errno;
    return 0;
}

/* ---- the iteration --------------------------------------------------------------------------- */

static void bring_up_to_date(hloop_t *loop)
{
    uint64_t now_ns = htime_monotonic_ns();

    if (now_ns > loop->now_ns)
        loop->now_ns = now_ns;
    loop->clock_due = false;
}

/* Nobody knows what happens between two uses when the loop does not run. */
void hloop__read_clock(hloop_t *loop)
{
    bool is_busy = loop->thread && loop->clock_reads >= HLOOP_CLOCK_READS;

    bring_up_to_date(loop);
    loop->clock_until = loop->now_ns + (is_busy ? HLOOP_CLOCK_USES : 1);
    loop->clock_reads++;
}

/* A signal that came between hsignal__run and the reading of the wake-ups has its wake-up read. */
static int64_t wait_ns(hloop_t *loop)
{
    if (atomic_load_explicit(&loop->stop, memory_order_relaxed) || !hlist_empty(&loop->work) ||
        !hlist_empty(&loop->idles) || loop->always_n > 0 || hsignal__is_pending(loop))
        return 0;
    return htimer__wait_ns(loop);
}

/* Posts are looked for once an iteration: before the wait unless the loop sleeps in it, else after
 * it, and then only if one came meanwhile. A wait that failed has left those that were found. */
static int wait_for_events(hloop_t *loop)
{
    int64_t timeout_ns = wait_ns(loop);
    bool sleeps = timeout_ns != 0 && loop->post_batch.runs_n == 0 && hpost_sleep(&loop->posts);
    int rc;

    if (!sleeps)
        collect_posts(loop);
    loop->ready_n = 0;
    rc = loop->poller->wait(loop, sleeps ? timeout_ns : 0);
    if (sleeps && hpost_awake(&loop->posts))
        collect_posts(loop);
    if (rc < 0)
        return rc;
    if (loop->always_n > 0)
        add_always_ready(loop);
    hloop__leave(loop);
    loop->clock_due = true;
    htimer__collect(loop);
    return 0;
}

static void run_priority(hloop_t *loop, int priority, bool all)
{
    htimer__run(loop, priority);
    hsignal__run(loop, priority);
    run_posts(loop, priority);
    run_ready(loop, priority, all);
}

static int iterate(hloop_t *loop)
{
    uint64_t events = loop->stats.events;
    int rc = wait_for_events(loop);

    if (rc < 0)
        return rc;
    loop->stats.iterations++;
    if (loop->priorities == hloop__priority_bit(HEVENT_NORMAL_PRIORITY)) {
        run_priority(loop, HEVENT_NORMAL_PRIORITY, true);
    } else {
        for (int p = HEVENT_HIGHEST_PRIORITY; p >= HEVENT_LOWEST_PRIORITY; p--) {
            if (loop->priorities & hloop__priority_bit(p))
                run_priority(loop, p, false);
        }
    }
    if (loop->priorities != hloop__priority_bit(HEVENT_NORMAL_PRIORITY)) {
        htimer__put_back(loop);
        hsignal__put_back(loop);
    }
    if (loop->post_batch.runs_n > 0 && loop->ready_n == 0)
        hpost_pause(&loop->post_batch);
    loop->post_batch.runs_n = 0;
    loop->ready_n = 0;
    if (loop->stats.events == events)
        hidle__run(loop);
    run_work(loop);
    return 0;
}

static bool nothing_left(const hloop_t *loop)
{
    return loop->stats.ios == loop->internal_ios && hslab_used(&loop->timers.slab) == 0 &&
           hlist_empty(&loop->idles) && hlist_empty(&loop->signals) && hlist_empty(&loop->work) &&
           loop->post_batch.runs_n == 0 && hpost_is_empty(&loop->posts);
}

/* What was asked for before the run is work, so that the first iteration does not wait. */
static int run_until_stopped(hloop_t *loop)
{
    for (;;) {
        int rc;

        if (atomic_load_explicit(&loop->stop, memory_order_relaxed) &&
            atomic_exchange(&loop->stop, false))
            return 0;
        if ((loop->flags & HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS) && nothing_left(loop))
            return 0;
        rc = iterate(loop);
        if (rc < 0)
            return rc;
        if (loop->flags & HLOOP_FLAG_RUN_ONCE)
            return 0;
    }
}

int hloop_run(hloop_t *loop)
{
    bool auto_free;
    int rc;

    if (!loop || loop->thread)
        return -EINVAL;
    auto_free = loop->flags & HLOOP_FLAG_AUTO_FREE;
    loop->tid = syscall(SYS_gettid);
    loop->thread = hloop__this_thread();
    rc = run_until_stopped(loop);
    loop->thread = 0;
    loop->clock_until = 0;
    if (auto_free)
        hloop_free(&loop);
    return rc;
}

int hloop_stop(hloop_t *loop)
{
    if (!loop)
        return -EINVAL;
    atomic_store(&loop->stop, true);
    return atomic_load(&loop->thread) == hloop__this_thread() ? 0 : hloop_wakeup(loop);
}

/* ---- making and freeing ---------------------------------------------------------------------- */

const char *hloop_poller_name(unsigned i)
{
    const hpoller_t *poller = hpoller_at(i);

    return poller ? poller->name : NULL;
}

static int try_poller(hloop_t *loop, const hpoller_t *poller)
{
    int rc = poller->init(loop);

    if (rc == 0) {
        loop->poller = poller;
        loop->stats.poller = poller->name;
    }
    return rc;
}

/* Asked for by name: that one, then the others in order. Only an unknown name is an error. */
static int init_poller(hloop_t *loop, const char *name)
{
    const hpoller_t *asked = NULL, *poller;
    int rc = -EINVAL, refused = 0;

    if (!name)
        name = getenv("HNET_POLLER");
    if (name && *name) {
        asked = hpoller_find(name);
        if (!asked)
            return -EINVAL;
        rc = refused = try_poller(loop, asked);
    }
    for (unsigned i = 0; rc != 0 && (poller = hpoller_at(i)) != NULL; i++) {
        if (poller != asked)
            rc = try_poller(loop, poller);
    }
    if (rc == 0 && refused != 0)
        hlog_write(loop->log, HLOG_WARN, "poller %s: %s; %s it is", asked->name, herr_str(refused),
                   loop->poller->name);
    return rc;
}

static int init_wake(hloop_t *loop)
{
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return -errno;
    loop->wake_io = hio__new(loop, loop->wake_fd, HIO_TYPE_NOTIFY);
    if (!loop->wake_io)
        return -ENOMEM;
    loop->internal_ios = 1;
    hio_setcb_read(loop->wake_io, on_wake);
    hio_read(loop->wake_io);
    run_work(loop); /* a poller that cannot watch it is found out now */
    return loop->wake_io->error;
}

static int init_parts(hloop_t *loop, const hloop_options_t *options)
{
    int rc = htimer__loop_init(loop);

    if (rc == 0 && !hloop__grow_ready(loop))
        rc = -ENOMEM;
    if (rc == 0)
        rc = init_poller(loop, options->poller);
    if (rc == 0)
        rc = init_wake(loop);
    return rc;
}

hloop_t *hloop_new_with(const hloop_options_t *options)
{
    static const hloop_options_t defaults = {0};
    hloop_t *loop = hmem_zalloc(sizeof(*loop));
    int rc;

    if (!loop || hpost_init(&loop->posts) < 0) {
        hmem_free(loop);
        errno = ENOMEM;
        return NULL;
    }
    if (!options)
        options = &defaults;
    loop->flags = options->flags;
    loop->log = options->log;
    loop->read_size = options->read_size ? options->read_size : HLOOP_READ_SIZE;
    if (loop->read_size > INT_MAX)
        loop->read_size = INT_MAX;
    loop->priorities = hloop__priority_bit(HEVENT_NORMAL_PRIORITY);
    loop->slots_free = UINT32_MAX;
    loop->wake_fd = -1;
    loop->spare_fd = -1;
    loop->signal_port = -1;
    hlist_init(&loop->work);
    hlist_init(&loop->free_ios);
    hlist_init(&loop->always);
    hlist_init(&loop->idles);
    hlist_init(&loop->signals);
    hlist_init(&loop->children);
    rc = init_parts(loop, options);
    if (rc < 0) {
        hloop_free(&loop);
        errno = -rc;
        return NULL;
    }
    return loop;
}

hloop_t *hloop_new(int flags)
{
    hloop_options_t options = {.flags = flags};

    return hloop_new_with(&options);
}

static void close_all_ios(hloop_t *loop)
{
    loop->closing_down = true;
    for (size_t fd = 0; fd < loop->fds_cap; fd++) {
        if (loop->fds[fd])
            hio_abort(loop->fds[fd], -ECANCELED);
    }
    while (!hlist_empty(&loop->work))
        run_work(loop);
}

/* Those included that were collected before the poller failed. */
static void drop_posts(hloop_t *loop)
{
    hpost_batch_t batch;

    collect_posts(loop);
    for (batch = loop->post_batch; batch.runs_n > 0; batch = hpost_take(&loop->posts)) {
        uint32_t at = batch.start;

        for (uint32_t i = 0; i < batch.runs_n; i++) {
            for (; at < hpost_run_end(&batch, i); at++)
                hio__post_dropped(loop, batch.runs[i].kind.cb, batch.userdata[at]);
        }
    }
    hpost_deinit(&loop->posts);
}

void hloop_free(hloop_t **pp)
{
    hloop_t *loop = pp ? *pp : NULL;

    if (!loop)
        return;
    *pp = NULL;
    close_all_ios(loop); /* the last callbacks: they may still stop watchers of all kinds */
    drop_posts(loop);
    hsignal__loop_deinit(loop);
    hchild__loop_deinit(loop);
    hidle__loop_deinit(loop);
    htimer__loop_deinit(loop);
    hio__loop_deinit(loop);
    if (loop->poller)
        loop->poller->deinit(loop);
    if (!loop->wake_io && loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->spare_fd >= 0)
        close(loop->spare_fd);
    hmem_free(loop->ready);
    hmem_free(loop->read_memory);
    hmem_free(loop->file_buf);
    hmem_free(loop);
}

/* ---- asking ---------------------------------------------------------------------------------- */

hloop_status_e hloop_status(const hloop_t *loop)
{
    return loop->thread ? HLOOP_STATUS_RUNNING : HLOOP_STATUS_STOP;
}

uint64_t hloop_now(const hloop_t *loop)
{
    return hloop_now_ms(loop) / 1000;
}

uint64_t hloop_now_ms(const hloop_t *loop)
{
    (void)loop;
    return htime_real_ms();
}

uint64_t hloop_now_us(const hloop_t *loop)
{
    if (!loop->thread)
        return htime_monotonic_ns() / 1000;
    if (loop->clock_due)
        bring_up_to_date((hloop_t *)loop);
    return loop->now_ns / 1000;
}

uint64_t hloop_now_hrtime(const hloop_t *loop)
{
    return hloop_now_us(loop);
}

void hloop_update_time(hloop_t *loop)
{
    bring_up_to_date(loop);
    loop->clock_until = 0; /* the next use may come long after */
}

void hloop_stats(const hloop_t *loop, hloop_stats_t *stats)
{
    *stats = loop->stats;
    stats->ios -= loop->internal_ios;
    stats->timers = hslab_used(&loop->timers.slab);
}

long hloop_pid(const hloop_t *loop)
{
    (void)loop;
    return getpid();
}

long hloop_tid(const hloop_t *loop)
{
    return loop->tid;
}

uint64_t hloop_count(const hloop_t *loop)
{
    return loop->stats.iterations;
}

uint32_t hloop_nios(const hloop_t *loop)
{
    return __atomic_load_n(&loop->stats.ios, __ATOMIC_RELAXED) - loop->internal_ios;
}

uint32_t hloop_ntimers(const hloop_t *loop)
{
    return hslab_used(&loop->timers.slab);
}

uint32_t hloop_nidles(const hloop_t *loop)
{
    return loop->stats.idles;
}

void hloop_set_userdata(hloop_t *loop, void *userdata)
{
    loop->userdata = userdata;
}

void *hloop_userdata(const hloop_t *loop)
{
    return loop->userdata;
}

hlog_t *hloop_log(const hloop_t *loop)
{
    return loop->log;
}
