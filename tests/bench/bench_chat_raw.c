/* The yardstick: a chat on epoll with nothing between the program and the kernel: each line that is
 * read goes with a name in front of it to all the others, with a call for each. */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define MEMBERS_MAX 4096
#define LINE_MAX 4096

static int epoll_fd;
static int members[MEMBERS_MAX];
static size_t count;

static void on_acceptable(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

        if (count == MEMBERS_MAX || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
            bench_fail("epoll_ctl");
        members[count++] = fd;
    }
}

static void leave(int fd)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i] == fd)
            members[i--] = members[--count];
    }
    close(fd);
}

static void give(int from, const char *line, size_t len)
{
    char text[LINE_MAX + 32];
    size_t used = (size_t)snprintf(text, sizeof(text), "<user%d> ", from);

    memcpy(text + used, line, len);
    for (size_t i = 0; i < count; i++) {
        if (members[i] != from && send(members[i], text, used + len, MSG_NOSIGNAL) < 0)
            bench_fail("send"); /* nobody is slow here */
    }
}

static void on_readable(int fd)
{
    char data[LINE_MAX];
    ssize_t n = recv(fd, data, sizeof(data), 0);
    const char *line = data, *end;

    if (n <= 0) {
        leave(fd);
        return;
    }
    for (; (end = memchr(line, '\n', (size_t)(data + n - line))) != NULL; line = end + 1)
        give(fd, line, (size_t)(end + 1 - line));
}

int main(void)
{
    struct epoll_event events[EVENTS_MAX];
    struct epoll_event event = {.events = EPOLLIN};
    int listener = bench_listen();

    bench_raise_files();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = listener;
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) < 0)
        bench_fail("epoll");
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                on_acceptable(listener);
            else
                on_readable(events[i].data.fd);
        }
    }
}
