/* Names: what an answer costs that needs no server, and how much longer than the name server's own
 * DELAY_MS a thousand names at once take. The server is a child process; it answers A and AAAA of
 * every name, each DELAY_MS after the question. Prints, a line each:
 *     number|hosts|cache NANOSECONDS        of one name, one family
 *     thousand MILLISECONDS                 past the delay, both families */
#include "bench.h"
#include "event/hio.h"
#include "net/hdns.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DELAY_MS 100
#define NAMES 1000
#define ROUNDS 200 /* of the cheap ones, NAMES each */
#define QUESTIONS_MAX 4096
#define MESSAGE_MAX 512

/* ---- the server ------------------------------------------------------------------------------ */

typedef struct question_s {
    uint64_t due_ns;
    struct sockaddr_in from;
    size_t len;
    unsigned char data[MESSAGE_MAX];
} question_t;

/* Turns the question into its answer: the pointer to its name, and an address of its family. */
static void answer(question_t *q)
{
    const unsigned char *name_end = memchr(q->data + 12, 0, q->len - 12);
    size_t end = name_end ? (size_t)(name_end - q->data) + 5 : q->len;
    bool v6 = name_end && name_end[2] == 28;
    const unsigned char head[] = {0xc0, 12, 0, v6 ? 28 : 1, 0, 1, 0, 0, 14, 16, 0, v6 ? 16 : 4};

    q->data[2] = 0x81;
    q->data[3] = 0x80;
    memset(q->data + 6, 0, 6);
    q->data[7] = 1;
    memcpy(q->data + end, head, sizeof(head));
    memset(q->data + end + sizeof(head), 1, 16);
    q->len = end + sizeof(head) + (v6 ? 16 : 4);
}

static void serve(int fd)
{
    static question_t questions[QUESTIONS_MAX]; /* a ring: the delay is the same for all */
    size_t first = 0, count = 0;

    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        struct timespec wait = {.tv_nsec = count ? 200000 : 100000000};
        ssize_t n = 0;

        ppoll(&pfd, 1, &wait, NULL);
        while (n >= 0 && count < QUESTIONS_MAX) {
            question_t *q = &questions[(first + count) % QUESTIONS_MAX];
            socklen_t len = sizeof(q->from);

            n = recvfrom(fd, q->data, MESSAGE_MAX - 64, MSG_DONTWAIT, (struct sockaddr *)&q->from,
                         &len);
            q->len = n > 17 ? (size_t)n : 0;
            q->due_ns = bench_now_ns() + DELAY_MS * 1000000ULL;
            count += q->len > 0;
        }
        for (; count > 0 && questions[first].due_ns <= bench_now_ns(); count--) {
            question_t *q = &questions[first];

            answer(q);
            sendto(fd, q->data, q->len, 0, (struct sockaddr *)&q->from, sizeof(q->from));
            first = (first + 1) % QUESTIONS_MAX;
        }
    }
}

static pid_t start_server(char *servers, size_t size)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 8 << 20;
    pid_t pid;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        bench_fail("the name server's socket");
    snprintf(servers, size, "127.0.0.1:%u", (unsigned)ntohs(addr.sin_port));
    pid = fork();
    if (pid == 0)
        serve(fd);
    close(fd);
    return pid;
}

/* ---- the client ------------------------------------------------------------------------------ */

static int open_count;

static void on_addrs(hdns_query_t *query, int err, const haddr_t *addrs, size_t count, void *arg)
{
    (void)query;
    (void)addrs;
    (void)count;
    if (err)
        bench_fail("a name did not resolve");
    if (--open_count == 0)
        hloop_stop(arg);
}

/* All at once; ns until the last has its answer. */
static uint64_t resolve(hloop_t *loop, hdns_t *dns, const char *format, int family)
{
    uint64_t start_ns = bench_now_ns();
    char name[64];

    open_count = NAMES;
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "%s%d", format, i % 250);
        if (family == 0)
            snprintf(name, sizeof(name), "%s%d", format, i);
        if (hdns_resolve(dns, name, family, on_addrs, loop, NULL) != 0)
            bench_fail("hdns_resolve");
    }
    hloop_run(loop);
    return bench_now_ns() - start_ns;
}

static void report(hloop_t *loop, hdns_t *dns, const char *what, const char *format)
{
    uint64_t total_ns = 0;

    resolve(loop, dns, format, AF_INET); /* files are read, answers are in the cache */
    for (int i = 0; i < ROUNDS; i++)
        total_ns += resolve(loop, dns, format, AF_INET);
    printf("%s %.1f\n", what, (double)total_ns / ROUNDS / NAMES);
}

static void write_hosts(char *path)
{
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (!file)
        bench_fail(path);
    for (int i = 0; i < 250; i++)
        fprintf(file, "127.0.0.%d here%d\n", i + 1, i);
    fclose(file);
}

int main(void)
{
    char servers[64], hosts[] = "/tmp/hnet-bench-XXXXXX";
    hdns_options_t options = {.servers = servers, .hosts_file = hosts, .no_search = true};
    pid_t server = start_server(servers, sizeof(servers));
    hloop_t *loop = hloop_new(0);
    hdns_t *dns;
    uint64_t ns;

    write_hosts(hosts);
    if (!loop || hdns_new(loop, &options, &dns) != 0)
        bench_fail("hdns_new");
    report(loop, dns, "number", "127.0.0.");
    report(loop, dns, "hosts", "here");
    report(loop, dns, "cache", "c.test");
    ns = resolve(loop, dns, "many.test", 0);
    printf("thousand %.1f\n", (double)ns / 1e6 - DELAY_MS);
    hdns_free(dns);
    hloop_free(&loop);
    unlink(hosts);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}
