/* hworkers: one slot per index, which lives as long as the hworkers_t.
 *
 *     IDLE      no process, none wanted        (beyond count, stopped, or its one life is over)
 *     RUNNING   a process; hchild tells its end
 *     STOPPING  a process that got SIGTERM; the timer is its grace time
 *     WAITING   no process; the timer starts one
 *
 * A slot whose index is wanted again while it is STOPPING is started when the old process has
 * ended. Each slot has a timer from the beginning, which is only re-armed and sleeps for REST_MS
 * where it has nothing to do: neither a new start nor the end of a process needs memory of
 * ours. */
#include "hworkers.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "../base/hmem.h"
#include "../base/htime.h"
#include "../event/hchild.h"
#include "../event/hsignal.h"
#include "../event/htimer.h"

#define REST_MS (INFINITE - 1)

typedef enum slot_state_e { SLOT_IDLE = 0, SLOT_RUNNING, SLOT_STOPPING, SLOT_WAITING } slot_state_e;

typedef struct slot_s {
    struct hworkers_s *workers;
    int index;
    slot_state_e state;
    pid_t pid;
    hchild_t *child;
    htimer_t *timer;
    uint64_t started_ns;
    uint32_t delay_ms; /* before the next start, if this life is a short one */
} slot_t;

struct hworkers_s {
    hloop_t *loop;
    hworkers_options_t options;
    slot_t **slots; /* grows only; timers point at the slots */
    int slot_count;
    int count; /* wanted */
    int running;
    bool stopping;
    bool stopped;            /* and told so */
    htimer_t *stopped_timer; /* until then: tells HWORKERS_STOPPED from the loop */
};

static void start(slot_t *slot);

static void tell(hworkers_t *w, hworkers_info_t info)
{
    if (w->options.on_event != NULL)
        w->options.on_event(w, &info, w->options.userdata);
}

static bool is_wanted(const slot_t *slot)
{
    return !slot->workers->stopping && slot->index < slot->workers->count;
}

static htimer_t *add_timer(hloop_t *loop, htimer_cb cb, void *userdata)
{
    htimer_t *timer = htimer_add(loop, cb, REST_MS, INFINITE);

    if (timer != NULL)
        hevent_set_userdata(timer, userdata);
    return timer;
}

/* A loop that waits for timers has none of ours to wait for any more. */
static void delete_timers(hworkers_t *w)
{
    htimer_del(w->stopped_timer);
    w->stopped_timer = NULL;
    for (int i = 0; i < w->slot_count; i++) {
        htimer_del(w->slots[i]->timer);
        w->slots[i]->timer = NULL;
    }
}

static void on_stopped_timer(htimer_t *timer)
{
    hworkers_t *w = hevent_userdata(timer);

    if (!w->stopping || w->running > 0)
        return;
    w->stopped = true;
    delete_timers(w);
    tell(w, (hworkers_info_t){.event = HWORKERS_STOPPED});
}

/* Through a timer, so that it never comes from inside hworkers_stop. */
static void check_stopped(hworkers_t *w)
{
    if (w->stopping && !w->stopped && w->running == 0)
        htimer_reset(w->stopped_timer, 1);
}

/* ---- the worker process ---- */

__attribute__((noreturn)) static void be_worker(const slot_t *slot, pid_t master,
                                                const sigset_t *mask)
{
    const hworkers_options_t *options = &slot->workers->options;
    int status = 1;

    hsignal_after_fork();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* A master that had ended before the line above would never be noticed. */
    if (getppid() == master) {
        sigprocmask(SIG_SETMASK, mask, NULL);
        status = options->run(slot->index, options->userdata);
        fflush(NULL);
#ifdef __SANITIZE_ADDRESS__
        __lsan_do_leak_check(); /* which _exit does not */
#endif
    }
    _exit(status);
}

/* Signals are blocked meanwhile: one that came between the fork and the change of the handlers
 * would be handled as the master's. */
static pid_t fork_worker(const slot_t *slot)
{
    pid_t master = getpid(), pid;
    sigset_t all, mask;

    fflush(NULL);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask);
    pid = fork();
    if (pid == 0) {
        sigorset(&mask, &mask, &slot->workers->options.held);
        be_worker(slot, master, &mask);
    }
    if (pid < 0)
        pid = -errno;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return pid;
}

/* ---- slots ---- */

static uint32_t next_delay(const hworkers_t *w, uint32_t delay_ms)
{
    return delay_ms > w->options.delay_max_ms / 2 ? w->options.delay_max_ms : delay_ms * 2;
}

/* Starts the slot's next process after its delay. Returns the delay, or HWORKERS_NO_RESTART. */
static uint32_t schedule(slot_t *slot)
{
    hworkers_t *w = slot->workers;
    uint32_t delay_ms = slot->delay_ms;

    slot->state = SLOT_IDLE;
    if (w->options.once || !is_wanted(slot))
        return HWORKERS_NO_RESTART;
    htimer_reset(slot->timer, delay_ms);
    slot->state = SLOT_WAITING;
    slot->delay_ms = next_delay(w, delay_ms);
    return delay_ms;
}

static void on_end(hchild_t *child)
{
    slot_t *slot = hevent_userdata(child);
    hworkers_t *w = slot->workers;
    hworkers_info_t info = {HWORKERS_ENDED, slot->index, slot->pid, hchild_status(child), 0};
    uint64_t life_ms = (htime_monotonic_ns() - slot->started_ns) / HTIME_NS_PER_MS;

    htimer_reset(slot->timer, REST_MS);
    slot->child = NULL;
    slot->pid = 0;
    w->running--;
    if (life_ms >= w->options.healthy_ms)
        slot->delay_ms = w->options.delay_min_ms;
    info.delay_ms = schedule(slot);
    tell(w, info);
    check_stopped(w);
}

static void start_failed(slot_t *slot, int error)
{
    hworkers_info_t info = {HWORKERS_FAILED, slot->index, 0, error, 0};

    info.delay_ms = schedule(slot);
    tell(slot->workers, info);
}

static void start(slot_t *slot)
{
    hworkers_t *w = slot->workers;
    pid_t pid;

    if (!is_wanted(slot))
        return;
    if (w->options.on_start != NULL)
        w->options.on_start(slot->index, w->options.userdata);
    pid = fork_worker(slot);
    if (pid < 0) {
        start_failed(slot, pid);
        return;
    }
    slot->child = hchild_add(w->loop, pid, on_end, slot);
    if (slot->child == NULL) {
        int error = errno != 0 ? -errno : -ENOMEM;

        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        start_failed(slot, error);
        return;
    }
    slot->pid = pid;
    slot->state = SLOT_RUNNING;
    slot->started_ns = htime_monotonic_ns();
    w->running++;
    tell(w, (hworkers_info_t){.event = HWORKERS_STARTED, .index = slot->index, .pid = pid});
}

static void kill_stuck(const slot_t *slot)
{
    if (hchild_kill(slot->child, SIGKILL) == 0)
        tell(slot->workers,
             (hworkers_info_t){.event = HWORKERS_KILLED, .index = slot->index, .pid = slot->pid});
}

static void on_timer(htimer_t *timer)
{
    slot_t *slot = hevent_userdata(timer);

    htimer_reset(timer, REST_MS);
    switch (slot->state) {
    case SLOT_WAITING:
        slot->state = SLOT_IDLE;
        start(slot);
        break;
    case SLOT_STOPPING:
        if (slot->workers->options.grace_ms != HWORKERS_NO_LIMIT)
            kill_stuck(slot);
        break;
    case SLOT_IDLE:
    case SLOT_RUNNING:
        break;
    }
}

static void stop(slot_t *slot)
{
    hworkers_t *w = slot->workers;

    if (slot->state == SLOT_WAITING) {
        htimer_reset(slot->timer, REST_MS);
        slot->state = SLOT_IDLE;
    }
    if (slot->state != SLOT_RUNNING)
        return;
    slot->state = SLOT_STOPPING;
    slot->delay_ms = w->options.delay_min_ms;
    hchild_kill(slot->child, SIGTERM);
    htimer_reset(slot->timer, w->options.grace_ms < REST_MS ? w->options.grace_ms : REST_MS);
}

/* Makes the slots up to count; those that exist stay where they are. */
static int grow(hworkers_t *w, int count)
{
    slot_t **slots;

    if (count <= w->slot_count)
        return 0;
    slots = hmem_realloc(w->slots, (size_t)count * sizeof(slot_t *));
    if (slots == NULL)
        return -ENOMEM;
    w->slots = slots;
    while (w->slot_count < count) {
        slot_t *slot = hmem_zalloc(sizeof(*slot));

        if (slot == NULL)
            return -ENOMEM;
        slot->timer = add_timer(w->loop, on_timer, slot);
        if (slot->timer == NULL) {
            hmem_free(slot);
            return -ENOMEM;
        }
        slot->workers = w;
        slot->index = w->slot_count;
        slot->delay_ms = w->options.delay_min_ms;
        w->slots[w->slot_count++] = slot;
    }
    return 0;
}

static void set_defaults(hworkers_options_t *o)
{
    o->delay_min_ms = o->delay_min_ms == 0 ? 100 : o->delay_min_ms;
    o->delay_max_ms = o->delay_max_ms == 0 ? 10000 : o->delay_max_ms;
    o->healthy_ms = o->healthy_ms == 0 ? 10000 : o->healthy_ms;
    o->grace_ms = o->grace_ms == 0 ? 10000 : o->grace_ms;
}

/* ---- public ---- */

int hworkers_new(hloop_t *loop, const hworkers_options_t *options, hworkers_t **workers)
{
    hworkers_t *w = hmem_zalloc(sizeof(*w));
    int status;

    *workers = NULL;
    if (w == NULL)
        return -ENOMEM;
    w->loop = loop;
    w->options = *options;
    set_defaults(&w->options);
    w->stopped_timer = add_timer(loop, on_stopped_timer, w);
    status = w->stopped_timer != NULL ? hworkers_resize(w, options->count) : -ENOMEM;
    if (status < 0) {
        hworkers_free(w);
        return status;
    }
    *workers = w;
    return 0;
}

void hworkers_free(hworkers_t *workers)
{
    if (workers == NULL)
        return;
    delete_timers(workers);
    for (int i = 0; i < workers->slot_count; i++) {
        slot_t *slot = workers->slots[i];

        if (slot->child != NULL) {
            hchild_kill(slot->child, SIGKILL);
            hchild_del(slot->child);
            while (waitpid(slot->pid, NULL, 0) < 0 && errno == EINTR)
                continue;
        }
        hmem_free(slot);
    }
    hmem_free(workers->slots);
    hmem_free(workers);
}

void hworkers_stop(hworkers_t *workers)
{
    workers->stopping = true;
    for (int i = 0; i < workers->slot_count; i++)
        stop(workers->slots[i]);
    check_stopped(workers);
}

int hworkers_signal(hworkers_t *workers, int signo)
{
    int reached = 0;

    for (int i = 0; i < workers->slot_count; i++) {
        slot_t *slot = workers->slots[i];

        if (slot->child != NULL && hchild_kill(slot->child, signo) == 0)
            reached++;
    }
    return reached;
}

int hworkers_resize(hworkers_t *workers, int count)
{
    int status;

    if (count < 1 || count > HWORKERS_MAX)
        return -EINVAL;
    if (workers->stopping)
        return -ECANCELED;
    status = grow(workers, count);
    if (status < 0)
        return status;
    workers->count = count;
    for (int i = workers->slot_count - 1; i >= count; i--)
        stop(workers->slots[i]);
    for (int i = 0; i < count; i++) {
        if (workers->slots[i]->state == SLOT_IDLE)
            start(workers->slots[i]);
    }
    return 0;
}

int hworkers_count(const hworkers_t *workers)
{
    return workers->count;
}

int hworkers_running(const hworkers_t *workers)
{
    return workers->running;
}

pid_t hworkers_pid(const hworkers_t *workers, int index)
{
    return index < 0 || index >= workers->slot_count ? 0 : workers->slots[index]->pid;
}
