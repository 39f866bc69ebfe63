/* Both ends of a stream that goes through a relay: bench_stream prints the port that the relay is
 * to connect to; then for each line "PORT PID MIB" it sends so much to the relay at PORT, receives
 * it again, and prints the CPU ns of process PID and the wall ns. */
#include "bench.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE ((size_t)256 * 1024)
#define WAIT_MS 60000

typedef struct sink_s {
    int listener;
    size_t received;
} sink_t;

static char out[PIECE], in[PIECE];

static void *receive(void *arg)
{
    sink_t *sink = arg;
    struct pollfd pfd = {.fd = sink->listener, .events = POLLIN};
    ssize_t n;
    int fd;

    if (poll(&pfd, 1, WAIT_MS) != 1 || (fd = accept(sink->listener, NULL, NULL)) < 0)
        bench_fail("no connection came from the relay");
    while ((n = recv(fd, in, sizeof(in), 0)) > 0)
        sink->received += (size_t)n;
    if (n < 0)
        bench_fail("recv");
    close(fd);
    return NULL;
}

static int dial(unsigned port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr = {htonl(INADDR_LOOPBACK)},
                               .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        bench_fail("connect");
    return fd;
}

static void transfer(sink_t *sink, unsigned port, size_t size)
{
    pthread_t thread;
    size_t sent = 0;
    int fd;

    sink->received = 0;
    if (pthread_create(&thread, NULL, receive, sink) != 0)
        bench_fail("thread");
    fd = dial(port);
    while (sent < size) {
        size_t rest = size - sent;
        ssize_t n = send(fd, out, rest < PIECE ? rest : PIECE, 0);

        if (n < 0)
            bench_fail("send");
        sent += (size_t)n;
    }
    shutdown(fd, SHUT_WR);
    pthread_join(thread, NULL);
    close(fd);
    if (sink->received != size)
        bench_fail("bytes were lost");
}

int main(void)
{
    sink_t sink = {.listener = bench_listen()};
    char line[64];

    memset(out, 'x', sizeof(out));
    while (fgets(line, sizeof(line), stdin)) {
        char *rest = line;
        unsigned port = (unsigned)strtoul(rest, &rest, 10);
        pid_t pid = (pid_t)strtol(rest, &rest, 10);
        size_t mib = strtoul(rest, &rest, 10);
        uint64_t cpu, wall;

        cpu = bench_cpu_ns(pid);
        wall = bench_now_ns();
        transfer(&sink, port, mib << 20);
        wall = bench_now_ns() - wall;
        printf("%llu %llu\n", (unsigned long long)(bench_cpu_ns(pid) - cpu),
               (unsigned long long)wall);
        fflush(stdout);
    }
    return 0;
}
