/* Log files that were moved away are opened anew while workers write to them. The workers cannot
 * open files any more: the new ones lie in a socket of their generation, where each looks at them
 * and none takes them away, and a signal says so. They get the numbers of the old ones, so that
 * nobody who writes has to know. */
#include "hmaster_int.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROTATE_MS 60000

typedef union rights_s {
    struct cmsghdr head;
    char space[CMSG_SPACE(HMASTER__FILES_MAX * sizeof(int))];
} rights_t;

/* Always in the same order: what is no file never becomes one. */
static size_t files_of(const hmaster_plan_t *plan, hlogfile_t *files[HMASTER__FILES_MAX])
{
    hlogfile_t *const logs[HMASTER__FILES_MAX] = {plan->log, plan->access};
    size_t n = 0;

    for (size_t i = 0; i < HMASTER__FILES_MAX; i++) {
        if (logs[i] && hlogfile_is_file(logs[i]))
            files[n++] = logs[i];
    }
    return n;
}

/* ---- in a worker ----------------------------------------------------------------------------- */

/* A worker that is out of descriptors gives every one that comes free to a client. */
static void hold_spares(hmaster_t *master, hlogfile_t *const *files, size_t n)
{
    while (master->spare_count < n) {
        int fd = fcntl(files[master->spare_count]->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

        if (fd < 0)
            return;
        master->spares[master->spare_count++] = fd;
    }
}

static void release_spares(hmaster_t *master)
{
    while (master->spare_count > 0)
        close(master->spares[--master->spare_count]);
}

static void take(int shelf, hlogfile_t *const *files, size_t n)
{
    rights_t rights;
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &rights,
                             .msg_controllen = sizeof(rights.space)};
    const struct cmsghdr *head;
    int fds[HMASTER__FILES_MAX];
    size_t came;

    if (recvmsg(shelf, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
        return;
    head = CMSG_FIRSTHDR(&message);
    if (!head)
        return;
    came = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int); /* fewer where descriptors are wanting */
    memcpy(fds, CMSG_DATA(head), came * sizeof(int));
    for (size_t i = 0; i < came; i++) {
        if (came == n)
            dup3(fds[i], files[i]->fd, O_CLOEXEC);
        close(fds[i]);
    }
}

void hmaster__take_logs(hmaster_t *master)
{
    hlogfile_t *files[HMASTER__FILES_MAX];
    size_t n = files_of(&master->own->plan, files);

    release_spares(master);
    take(master->own->shelf[1], files, n);
    hold_spares(master, files, n);
}

/* ---- in the master --------------------------------------------------------------------------- */

/* In the place of what was there before. */
static void show(const generation_t *g, hlogfile_t *const *files, size_t n)
{
    rights_t rights = {.space = {0}};
    char byte = '\0';
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &rights,
                             .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (size_t i = 0; i < n; i++)
        memcpy(CMSG_DATA(head) + i * sizeof(int), &files[i]->fd, sizeof(int));
    while (recv(g->shelf[1], &byte, 1, MSG_DONTWAIT) >= 0)
        continue;
    if (sendmsg(g->shelf[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        hlogfile_say(g->plan.log, HLOG_ERROR, "workers keep their old log files: %s",
                     herr_str(-errno));
    hworkers_signal(g->workers, SIGUSR1);
}

void hmaster__reopen_logs(hmaster_t *master)
{
    const hlogfile_t *log = hmaster__log(master);
    hlogfile_t *files[HMASTER__FILES_MAX];
    size_t all = 0;

    for (const generation_t *g = master->current; g; g = g->next) {
        size_t n = files_of(&g->plan, files);

        for (size_t i = 0; i < n; i++) {
            int err = hlogfile_reopen(files[i]);

            if (err)
                hlogfile_say(log, HLOG_ERROR, "cannot open %s: %s", files[i]->options.path,
                             herr_str(err));
        }
        if (n > 0)
            show(g, files, n);
        all += n;
    }
    if (all > 0)
        hlogfile_say(log, HLOG_INFO, "log files opened anew");
}

static void on_rotate_timer(htimer_t *timer)
{
    hmaster_t *master = hevent_userdata(timer);
    const hmaster_plan_t *plan = &master->current->plan;
    hlogfile_t *files[HMASTER__FILES_MAX];
    size_t n = files_of(plan, files);
    bool moved = false;

    for (size_t i = 0; i < n; i++)
        moved = hlogfile_rotate(files[i], plan->log) || moved;
    if (moved)
        hmaster__reopen_logs(master);
}

void hmaster__watch_logs(hmaster_t *master)
{
    const hmaster_plan_t *plan = &master->current->plan;

    if (!hlogfile_rotates(plan->log) && (!plan->access || !hlogfile_rotates(plan->access))) {
        htimer_del(master->rotate_timer);
        master->rotate_timer = NULL;
    } else if (!master->rotate_timer) {
        master->rotate_timer = htimer_add(master->loop, on_rotate_timer, ROTATE_MS, INFINITE);
        if (master->rotate_timer)
            hevent_set_userdata(master->rotate_timer, master);
    }
}
