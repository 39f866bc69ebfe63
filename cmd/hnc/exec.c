#include "exec.h"

#include "base/hlist.h"
#include "base/hmem.h"
#include "crlf.h"
#include "event/hsignal.h"
#include "net/hrelay.h"
#include "net/htls.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 255
#define SHELL "/bin/sh"
#define PIECE 4096
#define LINGER_MS 5000 /* for a TLS peer that stays when the program is gone and nothing moves */

typedef struct program_s {
    hlist_t link;
    exec_t *exec;
    pid_t pid; /* 0: it has ended */
    hio_t *io; /* the connection, while it lives and hnc stays between */
    int status;
    bool after_cr; /* -C: the last byte that the program wrote was a CR */
} program_t;

struct exec_s {
    hnc_t *hnc;
    exec_ended_cb ended_cb;
    void *arg;
    hlist_t programs;
    size_t count;
};

/* Who talks to the program. */
typedef struct ends_s {
    haddr_t peer, local;
} ends_t;

/* Splits a command at its spaces; a backslash takes a character as it is, quotes keep spaces.
 * Writes into text. Returns the number of words, -1 for too many. */
static int split(char *text, char *argv[ARGS_MAX + 1])
{
    char *from = text, *to = text;
    char quote = '\0';
    int n = 0;

    while (*from != '\0') {
        while (*from == ' ' || *from == '\t')
            from++;
        if (*from == '\0')
            break;
        if (n == ARGS_MAX)
            return -1;
        argv[n++] = to;
        for (; *from != '\0' && (quote || (*from != ' ' && *from != '\t')); from++) {
            if (quote ? *from == quote : *from == '"' || *from == '\'')
                quote = quote ? '\0' : *from;
            else if (*from == '\\' && quote != '\'' && from[1] != '\0')
                *to++ = *++from;
            else
                *to++ = *from;
        }
        if (*from != '\0')
            from++;
        *to++ = '\0';
    }
    argv[n] = NULL;
    return n;
}

/* An address that is not known has no length. */
static void set_address(const char *host_name, const char *port_name, const haddr_t *addr)
{
    char host[HADDR_FORMAT_SIZE];
    char port[8];

    if (addr->len == 0)
        return;
    snprintf(port, sizeof(port), "%d", haddr_port(&addr->u.sa));
    setenv(host_name, haddr_ip(&addr->u.sa, host, sizeof(host)), 1);
    setenv(port_name, port, 1);
}

static void set_environment(const options_t *o, const ends_t *ends)
{
    set_address("NCAT_REMOTE_ADDR", "NCAT_REMOTE_PORT", &ends->peer);
    set_address("NCAT_LOCAL_ADDR", "NCAT_LOCAL_PORT", &ends->local);
    setenv("NCAT_PROTO", o->unix_path ? "UNIX" : o->udp ? "UDP" : "TCP", 1);
}

static void find_ends(int fd, ends_t *ends)
{
    memset(ends, 0, sizeof(*ends));
    if (hsocket_peer(fd, &ends->peer) != 0)
        ends->peer.len = 0;
    if (hsocket_local(fd, &ends->local) != 0)
        ends->local.len = 0;
    haddr_unmap(&ends->peer); /* ncat has a socket for each protocol */
    haddr_unmap(&ends->local);
}

static int become(const options_t *o, int fd, const ends_t *ends)
{
    char *argv[ARGS_MAX + 1] = {NULL};
    char *command = NULL;
    int err = hsocket_set_nonblocking(fd, false);

    if (err == 0 && (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0))
        err = -errno;
    if (err) {
        hnc_say("exec: %s", herr_str(err));
        return 1;
    }
    set_environment(o, ends);
    signal(SIGPIPE, SIG_DFL);
    if (o->shell_command) {
        execl(SHELL, "sh", "-c", o->shell_command, (char *)NULL);
        hnc_say("%s: %s", SHELL, strerror(errno));
        return 1;
    }
    command = strdup(o->exec_command);
    if (!command || split(command, argv) <= 0) {
        hnc_say("%s: not a command", o->exec_command);
    } else {
        execv(argv[0], argv);
        hnc_say("%s: %s", argv[0], strerror(errno));
    }
    free(command);
    return 1;
}

int exec_replace(hnc_t *hnc, int fd)
{
    ends_t ends;

    find_ends(fd, &ends);
    return become(&hnc->options, fd, &ends);
}

/* ---- beside ---------------------------------------------------------------------------------- */

static program_t *find(exec_t *exec, pid_t pid)
{
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &exec->programs) {
        program_t *program = HLIST_ENTRY(node, program_t, link);

        if (program->pid == pid)
            return program;
    }
    return NULL;
}

/* It is over once both the program and its connection are. */
static void settle(program_t *program)
{
    exec_t *exec = program->exec;
    int status = program->status;

    if (program->pid != 0 || program->io)
        return;
    hlist_remove(&program->link);
    exec->count--;
    hmem_free(program);
    if (exec->ended_cb)
        exec->ended_cb(exec, status, exec->arg);
}

static void on_closed(hio_t *io)
{
    program_t *program = hevent_userdata(io);

    if (hio_error(io) == -ECANCELED)
        return;
    program->io = NULL;
    settle(program);
}

/* What the program wrote is still on its way. A peer that has heard its end and stays nevertheless
 * would keep the connection for ever. */
static void on_child(hsignal_t *sig)
{
    exec_t *exec = hevent_userdata(sig);
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        program_t *program = find(exec, pid);

        if (!program)
            continue;
        program->pid = 0;
        program->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (program->io)
            hio_set_keepalive_timeout(program->io, LINGER_MS);
        settle(program);
    }
}

/* The loop may have other descriptors, but they close themselves. A signal that comes before the
 * program is there is the program's, not the loop's. */
static pid_t start(const exec_t *exec, int fd, const ends_t *ends)
{
    sigset_t all, mask;
    pid_t pid;
    int err;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask);
    pid = fork();
    err = errno;
    if (pid == 0)
        hsignal_after_fork();
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (pid == 0)
        _exit(become(&exec->hnc->options, fd, ends));
    if (pid < 0)
        hnc_say("fork: %s", strerror(err));
    return pid;
}

/* -C: what the program wrote. */
static void on_lines(hio_t *inner, void *buf, int len)
{
    program_t *program = hevent_userdata(inner);
    const char *data = buf;
    char lines[2 * PIECE];

    while (len > 0) {
        int n = len < PIECE ? len : PIECE;
        size_t size = crlf_copy(lines, data, (size_t)n, &program->after_cr);

        hio_write_upstream(inner, lines, (int)size);
        data += n;
        len -= n;
    }
}

static int relay_lines(program_t *program, hio_t *io, hio_t *inner)
{
    int err = hio_setup_upstream(io, inner);

    if (err)
        return err;
    hevent_set_userdata(inner, program);
    hio_setcb_read(inner, on_lines);
    hio_setcb_read(io, hio_write_upstream);
    hio_read_upstream(io);
    return 0;
}

/* The program gets one end of a pair, the other is relayed. */
static pid_t start_relayed(program_t *program, hio_t *io, const ends_t *ends)
{
    const exec_t *exec = program->exec;
    int fds[2];
    hio_t *inner;
    pid_t pid;
    int err;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        hnc_say("socketpair: %s", strerror(errno));
        return -1;
    }
    inner = hio_get(exec->hnc->loop, fds[0]);
    if (!inner)
        err = -ENOMEM;
    else if (exec->hnc->options.crlf)
        err = relay_lines(program, io, inner);
    else
        err = hio_relay(io, inner);
    pid = err ? -1 : start(exec, fds[1], ends);
    close(fds[1]);
    if (err)
        hnc_say("exec: %s", herr_str(err));
    if (!inner)
        close(fds[0]);
    else if (pid < 0)
        hio_abort(inner, 0);
    return pid;
}

bool exec_stays_between(const hnc_t *hnc, hio_t *io)
{
    return htls_is_tls(io) || hnc->options.crlf;
}

exec_t *exec_new(hnc_t *hnc, exec_ended_cb ended_cb, void *arg)
{
    exec_t *exec = hmem_zalloc(sizeof(*exec));
    hsignal_t *sig = exec ? hsignal_add(hnc->loop, on_child, SIGCHLD) : NULL;

    if (!sig) {
        hnc_say("%s", herr_str(-ENOMEM));
        hmem_free(exec);
        return NULL;
    }
    hevent_set_userdata(sig, exec);
    exec->hnc = hnc;
    exec->ended_cb = ended_cb;
    exec->arg = arg;
    hlist_init(&exec->programs);
    return exec;
}

/* In the list; io is given back on an error. */
static int run_program(exec_t *exec, program_t *program, hio_t *io, const haddr_t *peer)
{
    bool stays = exec_stays_between(exec->hnc, io);
    ends_t ends;

    find_ends(hio_fd(io), &ends);
    if (peer)
        ends.peer = *peer;
    program->exec = exec;
    program->pid = stays ? start_relayed(program, io, &ends) : start(exec, hio_fd(io), &ends);
    if (program->pid < 0)
        return 1;
    if (stays) {
        program->io = io;
        hevent_set_userdata(io, program);
        hio_setcb_close(io, on_closed);
    } else {
        hio_abort(io, 0); /* the connection is the program's now: no lingering on it */
    }
    hlist_push_back(&exec->programs, &program->link);
    exec->count++;
    return 0;
}

int exec_start(exec_t *exec, hio_t *io, const haddr_t *peer)
{
    program_t *program = hmem_zalloc(sizeof(*program));

    hio_setcb_connect(io, NULL);
    hio_setcb_close(io, NULL);
    if (!program)
        hnc_say("exec: %s", herr_str(-ENOMEM));
    else if (run_program(exec, program, io, peer) == 0)
        return 0;
    hmem_free(program);
    hio_close(io);
    return 1;
}

size_t exec_count(const exec_t *exec)
{
    return exec->count;
}

void exec_free(exec_t *exec)
{
    hlist_t *node;

    if (!exec)
        return;
    while ((node = hlist_pop_front(&exec->programs)) != NULL)
        hmem_free(HLIST_ENTRY(node, program_t, link));
    hmem_free(exec);
}
