#include "hdaemon.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/herr.h"

static int null_to(int first_fd, int last_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int status = null < 0 ? -errno : 0;

    for (int fd = first_fd; status == 0 && fd <= last_fd; fd++) {
        if (dup2(null, fd) < 0)
            status = -errno;
    }
    if (null > STDERR_FILENO)
        close(null);
    return status;
}

/* The invoking process: the daemon's word, or its end without one. */
static int await(int fd, pid_t child)
{
    uint8_t status = 1;
    ssize_t n;

    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    do {
        n = read(fd, &status, sizeof(status));
    } while (n < 0 && errno == EINTR);
    close(fd);
    return n == 1 ? status : 1;
}

static void tell(hdaemon_t *daemon, uint8_t status)
{
    ssize_t n;

    if (daemon->ready_fd < 0)
        return;
    do {
        n = write(daemon->ready_fd, &status, sizeof(status));
    } while (n < 0 && errno == EINTR);
    close(daemon->ready_fd);
    daemon->ready_fd = -1;
}

int hdaemon_start(hdaemon_t *daemon)
{
    int fds[2];
    pid_t pid;

    daemon->ready_fd = -1;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        int status = -errno;

        close(fds[0]);
        close(fds[1]);
        return status;
    }
    if (pid > 0) {
        close(fds[1]);
        return await(fds[0], pid);
    }
    close(fds[0]);
    daemon->ready_fd = fds[1];
    setsid();
    /* The second fork: a session's leader could get a controlling terminal by opening one. */
    pid = fork();
    if (pid != 0) {
        if (pid < 0)
            tell(daemon, 1);
        _exit(0);
    }
    if (null_to(STDIN_FILENO, STDIN_FILENO) < 0) {
        tell(daemon, 1);
        _exit(1);
    }
    return HDAEMON_CHILD;
}

int hdaemon_ready(hdaemon_t *daemon)
{
    int status;

    fflush(NULL);
    status = null_to(STDOUT_FILENO, STDERR_FILENO);
    if (status == 0)
        tell(daemon, 0);
    return status;
}

void hdaemon_fail(hdaemon_t *daemon, int status)
{
    tell(daemon, status < 1 || status > 255 ? 1 : (uint8_t)status);
}
