/* Members of a chat: bench_chat_load PORT PID MEMBERS LINES_A_SECOND LINES. They connect one after
 * the other, and once it is quiet they speak in turns, at this rate; every line has the time at
 * which it was sent. Prints for each line that was delivered the CPU ns of the process PID, the
 * median and the 99th percentile of how long that took (us), and the part of all deliveries that
 * came (1: each member got each line of the others). */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 512
#define MARK '@'
#define STAMP_LEN 20
#define LINE_LEN 64
#define QUIET_MS 500
#define GIVE_UP_MS 20000 /* without anything that comes */
#define WITNESSES 10     /* members whose lines' times are looked at */
#define SAMPLES_MAX (1 << 22)
#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL

static int epoll_fd;
static int *fds;
static char buf[1 << 20];
static uint64_t delivered, sample_count;
static uint32_t *samples; /* us */

static int join(uint16_t port, int index)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        bench_fail("connect");
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        bench_fail("epoll_ctl");
    return fd;
}

/* The times of the lines that a witness has got. */
static void look(const char *data, size_t len, uint64_t now_ns)
{
    const char *end = data + len;

    while ((data = memchr(data, MARK, (size_t)(end - data))) != NULL && end - data > STAMP_LEN) {
        uint64_t sent_ns = strtoull(data + 1, NULL, 10);

        if (sample_count < SAMPLES_MAX)
            samples[sample_count++] = (uint32_t)((now_ns - sent_ns) / 1000);
        data++;
    }
}

static void take(int index, size_t len, uint64_t now_ns)
{
    const char *mark = buf;

    if (index < WITNESSES)
        look(buf, len, now_ns); /* a stamp that is cut in two is not missed among so many */
    while ((mark = memchr(mark, MARK, (size_t)(buf + len - mark))) != NULL) {
        delivered++;
        mark++;
    }
}

/* Reads what there is; whether anything came. */
static bool read_all(int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(epoll_fd, events, EVENTS_MAX, timeout_ms);
    uint64_t now_ns = bench_now_ns();

    for (int i = 0; i < n; i++) {
        int index = (int)events[i].data.u32;
        ssize_t len = recv(fds[index], buf, sizeof(buf) - 1, MSG_DONTWAIT);

        if (len == 0 || (len < 0 && errno != EAGAIN)) {
            fprintf(stderr, "bench_chat_load: member %d was dropped\n", index);
            exit(1);
        }
        if (len > 0) {
            buf[len] = '\0';
            take(index, (size_t)len, now_ns);
        }
    }
    return n > 0;
}

static void wait_quiet(void)
{
    while (read_all(QUIET_MS))
        ;
}

static void speak(int fd)
{
    char line[LINE_LEN + 1];
    int len = snprintf(line, sizeof(line), "%c%0*" PRIu64 " %s\n", MARK, STAMP_LEN, bench_now_ns(),
                       "the quick brown fox jumps over the lazy");

    if (send(fd, line, (size_t)len, MSG_NOSIGNAL) != len)
        bench_fail("send");
}

static void talk(uint64_t members, uint64_t rate, uint64_t lines)
{
    uint64_t begin_ns = bench_now_ns(), last_ns = begin_ns, said = 0;
    uint64_t wanted = lines * (members - 1);

    while (delivered < wanted) {
        uint64_t now_ns = bench_now_ns();

        for (; said < lines && begin_ns + said * NS_PER_S / rate <= now_ns; said++)
            speak(fds[said % members]);
        if (read_all(1))
            last_ns = bench_now_ns();
        else if (bench_now_ns() - last_ns > GIVE_UP_MS * NS_PER_MS)
            return;
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    uint64_t members, lines, cpu_ns;
    pid_t pid;

    if (argc != 6)
        return 2;
    bench_raise_files();
    pid = (pid_t)strtol(argv[2], NULL, 10);
    members = strtoull(argv[3], NULL, 10);
    lines = strtoull(argv[5], NULL, 10);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fds = calloc(members, sizeof(*fds));
    samples = malloc(SAMPLES_MAX * sizeof(*samples));
    if (epoll_fd < 0 || !fds || !samples)
        bench_fail("memory");
    for (uint64_t i = 0; i < members; i++) {
        fds[i] = join((uint16_t)strtoul(argv[1], NULL, 10), (int)i);
        while (read_all(0))
            ;
    }
    wait_quiet();
    cpu_ns = bench_cpu_ns(pid);
    talk(members, strtoull(argv[4], NULL, 10), lines);
    cpu_ns = bench_cpu_ns(pid) - cpu_ns;
    qsort(samples, sample_count, sizeof(*samples), by_size);
    printf("%.1f %u %u %.6f\n", (double)cpu_ns / (double)delivered, samples[sample_count / 2],
           samples[sample_count * 99 / 100], (double)delivered / (double)(lines * (members - 1)));
    return 0;
}
