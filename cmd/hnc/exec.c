#include "exec.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 255
#define SHELL "/bin/sh"

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

static void set_address(const char *host_name, const char *port_name, const haddr_t *addr)
{
    char host[HADDR_FORMAT_SIZE];
    char port[8];

    snprintf(port, sizeof(port), "%d", haddr_port(&addr->u.sa));
    setenv(host_name, haddr_ip(&addr->u.sa, host, sizeof(host)), 1);
    setenv(port_name, port, 1);
}

static void set_environment(const options_t *o, int fd)
{
    haddr_t addr;

    if (hsocket_peer(fd, &addr) == 0)
        set_address("NCAT_REMOTE_ADDR", "NCAT_REMOTE_PORT", &addr);
    if (hsocket_local(fd, &addr) == 0)
        set_address("NCAT_LOCAL_ADDR", "NCAT_LOCAL_PORT", &addr);
    setenv("NCAT_PROTO", o->unix_path ? "UNIX" : o->udp ? "UDP" : "TCP", 1);
}

int exec_replace(hnc_t *hnc, int fd)
{
    const options_t *o = &hnc->options;
    char *argv[ARGS_MAX + 1] = {NULL};
    char *command = NULL;
    int err = hsocket_set_nonblocking(fd, false);

    if (err == 0 && (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0))
        err = -errno;
    if (err) {
        hnc_say("exec: %s", herr_str(err));
        return 1;
    }
    set_environment(o, fd);
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

void exec_forget_children(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};

    sigaction(SIGCHLD, &action, NULL);
}

int exec_beside(hnc_t *hnc, int fd)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(exec_replace(hnc, fd));
    if (pid < 0) {
        hnc_say("fork: %s", strerror(errno));
        return 1;
    }
    return 0;
}
