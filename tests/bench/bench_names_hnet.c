/* Names: what an answer costs that needs no server, what a connection by name costs, and how much
 * longer than the name server's own DELAY_MS a thousand names at once take. The name server and the
 * listener are child processes; the one answers A and AAAA of every name, each DELAY_MS after the
 * question. Prints, for a number, a name of the hosts file and one of the cache:
 *     resolve NS NS NS       of one name, one family
 *     dial US US US          CPU time of one connection, from the dial to its close
 *     thousand MS            past the delay, both families */
#include "bench.h"
#include "event/hio.h"
#include "net/hdial.h"
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
#define DIFFERENT 250 /* of the cheap ones */
#define KINDS 3
#define ROUNDS 100 /* of the cheap ones, NAMES each */
#define DIAL_ROUNDS 10
#define DIALS 500
#define QUESTIONS_MAX 4096
#define MESSAGE_MAX 512

/* ---- the server ------------------------------------------------------------------------------ */

typedef struct question_s {
    uint64_t due_ns;
    struct sockaddr_in from;
    size_t len;
    unsigned char data[MESSAGE_MAX];
} question_t;

/* Turns the question into its answer: the pointer to its name, and the loopback address. */
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
    memset(q->data + end + sizeof(head), 0, 16);
    q->data[end + sizeof(head)] = v6 ? 0 : 127;
    q->data[end + sizeof(head) + (v6 ? 15 : 3)] = 1;
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

static pid_t start_name_server(char *servers, size_t size)
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
    if (pid == 0) {
        bench_pin(0);
        serve(fd);
    }
    close(fd);
    return pid;
}

static void on_accept(hio_t *io)
{
    hio_abort(io, 0); /* no port is left in TIME_WAIT */
}

/* Prints nothing, unlike bench_listen. */
static pid_t start_listener(int *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    hloop_t *loop;
    pid_t pid;

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        bench_fail("the listener");
    *port = ntohs(addr.sin_port);
    pid = fork();
    if (pid == 0) {
        bench_pin(0);
        loop = hloop_new(0);
        if (!loop || !haccept(loop, fd, on_accept))
            bench_fail("accept");
        exit(hloop_run(loop) < 0);
    }
    close(fd);
    return pid;
}

/* ---- the client ------------------------------------------------------------------------------ */

typedef struct bench_s {
    hloop_t *loop;
    hdns_t *dns;
    hdial_options_t options;
    hendpoint_t to;
    int open; /* answers, or connections, that are still to come */
} bench_t;

static const char *const PREFIXES[KINDS] = {"127.0.0.", "here", "cached.test"};

static void on_addrs(hdns_query_t *query, int err, const haddr_t *addrs, size_t count, void *arg)
{
    bench_t *b = arg;

    (void)query;
    (void)addrs;
    (void)count;
    if (err)
        bench_fail("a name did not resolve");
    if (--b->open == 0)
        hloop_stop(b->loop);
}

/* NAMES at once, of which `different` are not the same; ns until the last has its answer. */
static uint64_t resolve(bench_t *b, const char *prefix, int different, int family)
{
    uint64_t start_ns = bench_now_ns();
    char name[64];

    b->open = NAMES;
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "%s%d", prefix, 1 + i % different);
        if (hdns_resolve(b->dns, name, family, on_addrs, b, NULL) != 0)
            bench_fail("hdns_resolve");
    }
    hloop_run(b->loop);
    return bench_now_ns() - start_ns;
}

static void dial(bench_t *b);

static void on_dialled(hdial_t *dialled, hio_t *io, int err, void *arg)
{
    bench_t *b = arg;

    if (err) {
        fprintf(stderr, "%s\n", hdial_error(dialled));
        exit(1);
    }
    hio_abort(io, 0);
    if (--b->open == 0)
        hloop_stop(b->loop);
    else
        dial(b);
}

static void dial(bench_t *b)
{
    if (hdial_start(b->loop, &b->to, &b->options, on_dialled, b, NULL) != 0)
        bench_fail("hdial_start");
}

/* CPU ns of DIALS connections, one after another. */
static uint64_t dial_all(bench_t *b, const char *prefix)
{
    uint64_t start_ns = bench_cpu_ns(getpid());

    snprintf(b->to.host, sizeof(b->to.host), "%s1", prefix);
    b->open = DIALS;
    dial(b);
    hloop_run(b->loop);
    return bench_cpu_ns(getpid()) - start_ns;
}

static void measure(bench_t *b)
{
    uint64_t resolve_ns[KINDS] = {0}, dial_ns[KINDS] = {0};

    for (int kind = 0; kind < KINDS; kind++) { /* files are read, answers are in the cache */
        resolve(b, PREFIXES[kind], DIFFERENT, AF_INET);
        resolve(b, PREFIXES[kind], 1, 0);
        dial_all(b, PREFIXES[kind]);
    }
    for (int i = 0; i < ROUNDS * KINDS; i++)
        resolve_ns[i % KINDS] += resolve(b, PREFIXES[i % KINDS], DIFFERENT, AF_INET);
    for (int i = 0; i < DIAL_ROUNDS * KINDS; i++)
        dial_ns[i % KINDS] += dial_all(b, PREFIXES[i % KINDS]);
    printf("resolve");
    for (int kind = 0; kind < KINDS; kind++)
        printf(" %.1f", (double)resolve_ns[kind] / ROUNDS / NAMES);
    printf("\ndial");
    for (int kind = 0; kind < KINDS; kind++)
        printf(" %.3f", (double)dial_ns[kind] / 1e3 / DIAL_ROUNDS / DIALS);
    printf("\nthousand %.1f\n", (double)resolve(b, "many.test", NAMES, 0) / 1e6 - DELAY_MS);
}

static void write_hosts(char *path)
{
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (!file)
        bench_fail(path);
    for (int i = 1; i <= DIFFERENT; i++)
        fprintf(file, "127.0.0.%d here%d\n", i, i);
    fclose(file);
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(void)
{
    char servers[64], hosts[] = "/tmp/hnet-bench-XXXXXX";
    hdns_options_t options = {.servers = servers, .hosts_file = hosts, .no_search = true};
    pid_t name_server = start_name_server(servers, sizeof(servers)), listener;
    bench_t b = {.loop = hloop_new(0)};
    int port;

    listener = start_listener(&port);
    bench_pin(1);
    write_hosts(hosts);
    if (!b.loop || hdns_new(b.loop, &options, &b.dns) != 0 ||
        hendpoint_set(&b.to, HENDPOINT_TCP, "x", port) != 0)
        bench_fail("start");
    b.options.dns = b.dns;
    b.options.family = AF_INET;
    measure(&b);
    hdns_free(b.dns);
    hloop_free(&b.loop);
    unlink(hosts);
    end(name_server);
    end(listener);
    return 0;
}
