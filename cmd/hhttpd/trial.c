/* trial: whether workers can live by settings. They see the world as another user, in another root:
 * so a process that has become what they become tries it out, and tells what is wrong. */
#include "hhttpd.h"
#include "site.h"

#include "event/hsignal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERRORS_MAX ((size_t)16 * 1024)

/* The process: its exit status. */
static int try_inside(const generation_t *g, pid_t parent, int fd)
{
    hbytes_t errors = {0};
    int err = seal_process(g, parent, &errors);

    if (err)
        hbytes_printf(&errors, "%s\n", errors.len > 0 ? "" : herr_str(err));
    else
        err = site_test(g->settings, false, &errors);
    hlogfile_write(fd, errors.data, errors.len);
    hbytes_deinit(&errors);
    return err ? 1 : 0;
}

static int read_all(int fd, hbytes_t *errors)
{
    char text[1024];

    for (;;) {
        ssize_t n = read(fd, text, sizeof(text));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        if (errors->len < ERRORS_MAX && hbytes_append(errors, text, (size_t)n) < 0)
            return -ENOMEM;
    }
}

static int await(pid_t child, int fd, hbytes_t *errors)
{
    int err = read_all(fd, errors), status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (err || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return err;
    if (WIFSIGNALED(status))
        hbytes_printf(errors, "the trial was killed by signal %d\n", WTERMSIG(status));
    return HERR_SYNTAX;
}

/* Signals wait meanwhile: one that came too early would be handled as the master's. */
static pid_t fork_child(const generation_t *g, const int *fds)
{
    pid_t parent = getpid(), child;
    sigset_t all, mask;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask);
    child = fork();
    if (child == 0) {
        hsignal_after_fork();
        sigprocmask(SIG_SETMASK, &mask, NULL);
        close(fds[0]);
        _exit(try_inside(g, parent, fds[1]));
    }
    if (child < 0)
        child = -errno;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return child;
}

static int try_in_process(const generation_t *g, hbytes_t *errors)
{
    int fds[2], err;
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    child = fork_child(g, fds);
    close(fds[1]);
    err = child < 0 ? (int)child : await(child, fds[0], errors);
    close(fds[0]);
    return err;
}

int trial_run(const generation_t *g, hbytes_t *errors)
{
    const settings_t *s = g->settings;

    if (s->base.main.user || s->base.main.group || s->chroot_path)
        return try_in_process(g, errors);
    return site_test(s, true, errors);
}
