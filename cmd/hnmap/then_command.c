/* Each command is the leader of a session of its own: whatever it starts ends with it, and it has
 * no terminal that it could wait for. */
#include "then_int.h"

#include "base/hfile.h"
#include "base/hmem.h"
#include "event/hchild.h"
#include "event/hio.h"
#include "event/hsignal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL "/bin/sh"
#define HELD_MAX ((size_t)1 << 16) /* bytes of output that wait for the end of their command */
#define PIECE 4096
#define DRAIN_MAX ((size_t)1 << 20) /* bytes that are still in a pipe: as many as it can have */
#define TOLD_MAX 10                 /* commands that failed, one by one */

typedef struct outlet_s {
    hio_t *io; /* NULL: it has ended */
    hbytes_t held;
    int to;
} outlet_t;

/* A command that runs. */
typedef struct command_s {
    hlist_t node;
    then_t *then;
    hchild_t *child;
    char ip[HADDR_FORMAT_SIZE];
    outlet_t outlets[2]; /* of its standard output and its standard error */
} command_t;

void then__failed(then_t *t, const char *ip, const char *what, int number)
{
    if (t->failed++ >= TOLD_MAX)
        return;
    t->options.before(t->options.context);
    fprintf(stderr, "hnmap: the command for %s: %s", ip, what);
    if (number >= 0)
        fprintf(stderr, " %d", number);
    fputc('\n', stderr);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void write_held(then_t *t, outlet_t *outlet, size_t len)
{
    int err;

    if (len == 0)
        return;
    t->options.before(t->options.context);
    err = hfile_write_all(outlet->to, outlet->held.data, len);
    if (err < 0 && !t->told_output) {
        t->told_output = true;
        t->failed++;
        fprintf(stderr, "hnmap: cannot write what commands say: %s\n", herr_str(err));
    }
    hbytes_consume(&outlet->held, len);
}

/* What is too much to be held goes out before its time, in whole lines if it has any. */
static void hold(then_t *t, outlet_t *outlet, const char *data, size_t len)
{
    const char *newline;

    if (hbytes_append(&outlet->held, data, len) < 0) {
        write_held(t, outlet, outlet->held.len);
        hfile_write_all(outlet->to, data, len);
        return;
    }
    if (outlet->held.len <= HELD_MAX)
        return;
    newline = memrchr(outlet->held.data, '\n', outlet->held.len);
    write_held(t, outlet, newline ? (size_t)(newline - outlet->held.data) + 1 : outlet->held.len);
}

static void on_output(hio_t *io, void *buf, int len)
{
    command_t *c = hevent_userdata(io);

    hold(c->then, &c->outlets[c->outlets[1].io == io], buf, (size_t)len);
}

static void on_output_end(hio_t *io)
{
    command_t *c = hevent_userdata(io);

    c->outlets[c->outlets[1].io == io].io = NULL;
}

/* The command has ended. What it started and left behind may have the pipe open for ever, so only
 * what is there now is read. */
static void drain(then_t *t, outlet_t *outlet)
{
    char piece[PIECE];

    for (size_t done = 0; outlet->io && done < DRAIN_MAX;) {
        struct pollfd ready = {.fd = hio_fd(outlet->io), .events = POLLIN};
        ssize_t n = poll(&ready, 1, 0) > 0 ? read(ready.fd, piece, sizeof(piece)) : 0;

        if (n <= 0)
            break;
        hold(t, outlet, piece, (size_t)n);
        done += (size_t)n;
    }
    write_held(t, outlet, outlet->held.len);
}

static void close_outlet(outlet_t *outlet)
{
    if (outlet->io) {
        hio_setcb_close(outlet->io, NULL);
        hio_abort(outlet->io, 0);
    }
    outlet->io = NULL;
    hbytes_deinit(&outlet->held);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void free_command(command_t *c)
{
    for (size_t i = 0; i < 2; i++)
        close_outlet(&c->outlets[i]);
    hmem_free(c);
}

static void on_ended(hchild_t *child)
{
    command_t *c = hevent_userdata(child);
    then_t *t = c->then;
    int status = hchild_status(child);

    for (size_t i = 0; i < 2; i++)
        drain(t, &c->outlets[i]);
    t->run++;
    if (WIFSIGNALED(status) && !t->is_stopped)
        then__failed(t, c->ip, "it was ended by signal", WTERMSIG(status));
    else if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && !t->is_stopped)
        then__failed(t, c->ip, "exit status", WEXITSTATUS(status));
    hlist_remove(&c->node);
    t->command_count--;
    free_command(c);
    then__go_on(t);
    t->options.changed(t->options.context);
}

/* In the child. */
static void become(const char *text, const int *ends)
{
    hsignal_after_fork();
    signal(SIGPIPE, SIG_DFL);
    setsid();
    if (dup2(ends[0], STDIN_FILENO) >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0 &&
        dup2(ends[2], STDERR_FILENO) >= 0) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execl(SHELL, "sh", "-c", text, (char *)NULL);
    }
    _exit(127);
}

static pid_t start(const char *text, const int *ends)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        become(text, ends);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* A pipe from the command; its end of it, or -errno. */
static int open_outlet(command_t *c, outlet_t *outlet, int to)
{
    int fds[2];

    outlet->to = to;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    outlet->io = hio_get(c->then->loop, fds[0]);
    if (outlet->io == NULL) {
        close(fds[0]);
        close(fds[1]);
        return -ENOMEM;
    }
    hevent_set_userdata(outlet->io, c);
    hio_setcb_read(outlet->io, on_output);
    hio_setcb_close(outlet->io, on_output_end);
    hio_read(outlet->io);
    return fds[1];
}

/* ends: its standard input, output and error. Those that are open are the caller's to close. */
static int open_ends(command_t *c, int *ends)
{
    ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (ends[0] < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        ends[1 + i] =
            open_outlet(c, &c->outlets[i], i == 0 ? c->then->options.output : STDERR_FILENO);
        if (ends[1 + i] < 0)
            return ends[1 + i];
    }
    return 0;
}

/* The descriptors that are closed before the child is watched leave room for that. */
static int run_command(command_t *c, const char *text)
{
    int ends[3] = {-1, -1, -1};
    int err = open_ends(c, ends);
    pid_t pid = -1;

    if (err == 0)
        pid = start(text, ends);
    if (err == 0 && pid < 0)
        err = -errno;
    for (size_t i = 0; i < 3; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    if (err < 0)
        return err;
    c->child = hchild_add(c->then->loop, pid, on_ended, c);
    if (c->child)
        return 0;
    err = -errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return err;
}

/* ---- from outside ---------------------------------------------------------------------------- */

int then__begin_command(then_t *t, const char *ip, const char *text)
{
    command_t *c = hmem_zalloc(sizeof(*c));
    int err;

    if (c == NULL)
        return -ENOMEM;
    c->then = t;
    snprintf(c->ip, sizeof(c->ip), "%s", ip);
    err = run_command(c, text);
    if (err < 0) {
        free_command(c);
        return err;
    }
    hlist_push_back(&t->commands, &c->node);
    t->command_count++;
    return 0;
}

void then__signal_commands(then_t *t, int signo)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &t->commands) {
        const command_t *c = HLIST_ENTRY(pos, command_t, node);

        if (kill(-hchild_pid(c->child), signo) < 0) /* it has no session yet */
            hchild_kill(c->child, signo);
    }
}

void then__drop_commands(then_t *t)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &t->commands) {
        command_t *c = HLIST_ENTRY(pos, command_t, node);

        hchild_del(c->child);
        free_command(c);
    }
}
