#include "hchild.h"

#include "../base/hmem.h"
#include "hio_int.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct hchild_s {
    HEVENT_FIELDS
    hlist_t link; /* loop->children */
    hio_t *io;    /* of the pidfd */
    pid_t pid;
    int status;
};

static void free_child(hchild_t *child)
{
    hlist_remove(&child->link);
    hmem_free(child);
}

static int reap(hchild_t *child)
{
    pid_t pid;

    do {
        pid = waitpid(child->pid, &child->status, WNOHANG);
    } while (pid < 0 && errno == EINTR);
    return pid < 0 ? -errno : (int)pid;
}

static void on_readable(hio_t *io, void *buf, int len)
{
    hchild_t *child = hevent_userdata(io);
    hloop_t *loop = child->loop;
    int rc = reap(child);

    (void)buf;
    (void)len;
    if (rc == 0)
        return;
    if (rc < 0)
        child->status = -1; /* somebody else reaped it: it has ended, how is not known */
    hio_close(io);
    child->io = NULL;
    hloop__enter(loop);
    child->cb((hevent_t *)child);
    free_child(child);
}

/* A pidfd can be had of any process. */
static int check_is_child(int fd)
{
    siginfo_t info;

    return waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? -errno : 0;
}

static int watch(hchild_t *child)
{
    int fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    int rc;

    if (fd < 0)
        return -errno;
    rc = check_is_child(fd);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    child->io = hio__new(child->loop, fd, HIO_TYPE_NOTIFY);
    if (!child->io) {
        close(fd);
        return -ENOMEM;
    }
    hevent_set_userdata(child->io, child);
    hio_setcb_read(child->io, on_readable);
    return hio_read(child->io);
}

hchild_t *hchild_add(hloop_t *loop, pid_t pid, hchild_cb cb, void *userdata)
{
    hchild_t *child = hmem_zalloc(sizeof(*child));
    int rc = -ENOMEM;

    if (child) {
        child->loop = loop;
        child->event_type = HEVENT_TYPE_CHILD;
        child->event_id = ++loop->event_count;
        child->cb = (hevent_cb)cb;
        child->userdata = userdata;
        child->pid = pid;
        rc = watch(child);
    }
    if (rc < 0) {
        hmem_free(child);
        errno = -rc;
        return NULL;
    }
    hlist_push_back(&loop->children, &child->link);
    return child;
}

/* In its own callback there is nothing left to stop: the caller frees it. */
void hchild_del(hchild_t *child)
{
    if (!child || !child->io)
        return;
    hio_abort(child->io, 0);
    free_child(child);
}

pid_t hchild_pid(const hchild_t *child)
{
    return child->pid;
}

int hchild_status(const hchild_t *child)
{
    return child->status;
}

int hchild_kill(const hchild_t *child, int signo)
{
    if (!child->io)
        return -ESRCH;
    if (syscall(SYS_pidfd_send_signal, hio_fd(child->io), signo, NULL, 0) < 0)
        return -errno;
    return 0;
}

void hchild__loop_deinit(hloop_t *loop)
{
    hlist_t *node;

    while ((node = hlist_pop_front(&loop->children)) != NULL)
        hmem_free(HLIST_ENTRY(node, hchild_t, link));
}
