/* The yardstick: an echo server on epoll with nothing between the program and the kernel. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256

/* What the kernel would not take, for the few connections where it happens. */
typedef struct rest_s {
    char *data;
    size_t len;
} rest_t;

static int epoll_fd;
static rest_t *rests; /* by descriptor */

static void control(int op, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    if (epoll_ctl(epoll_fd, op, fd, &event) < 0)
        bench_fail("epoll_ctl");
}

static void drop(int fd)
{
    free(rests[fd].data);
    rests[fd] = (rest_t){0};
    close(fd);
}

static void on_acceptable(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        control(EPOLL_CTL_ADD, fd, EPOLLIN);
}

/* Reading pauses until the rest is sent. */
static void keep(int fd, const char *data, size_t len)
{
    rests[fd].data = malloc(len);
    if (!rests[fd].data)
        bench_fail("malloc");
    memcpy(rests[fd].data, data, len);
    rests[fd].len = len;
    control(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void on_writable(int fd)
{
    rest_t *rest = &rests[fd];
    ssize_t n = send(fd, rest->data, rest->len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        drop(fd);
    } else if (n == (ssize_t)rest->len) {
        free(rest->data);
        *rest = (rest_t){0};
        control(EPOLL_CTL_MOD, fd, EPOLLIN);
    } else if (n > 0) {
        memmove(rest->data, rest->data + n, rest->len - (size_t)n);
        rest->len -= (size_t)n;
    }
}

static void on_readable(int fd)
{
    static char buf[BENCH_READ_SIZE];
    ssize_t sent, n = recv(fd, buf, sizeof(buf), 0);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(fd);
        return;
    }
    sent = send(fd, buf, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        drop(fd);
    else if (sent < n)
        keep(fd, buf + (sent > 0 ? sent : 0), (size_t)(n - (sent > 0 ? sent : 0)));
}

int main(void)
{
    struct epoll_event events[EVENTS_MAX];
    int listener = bench_listen();

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    rests = calloc((size_t)sysconf(_SC_OPEN_MAX), sizeof(*rests));
    if (epoll_fd < 0 || !rests)
        bench_fail("start");
    control(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd == listener)
                on_acceptable(listener);
            else if (events[i].events & EPOLLOUT)
                on_writable(fd);
            else
                on_readable(fd);
        }
    }
}
