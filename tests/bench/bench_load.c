/* The client of the echo servers, on epoll.
 *
 *   bench_load echo  PORT PID CONNECTIONS SIZE MESSAGES   one message in flight on each connection
 *   bench_load latency PORT PID CONNECTIONS SIZE MESSAGES the same
 *   bench_load connect PORT PID CONNECTIONS SIZE MESSAGES the same, each on a connection of its own
 *   bench_load churn PORT PID CONNECTIONS                 connect, echo 64 bytes, close
 *   bench_load idle  PORT CONNECTIONS                     says "open", then after a line on stdin
 *                                                         echoes once on each and says "used"
 *
 * All but idle print the server's CPU ns and the wall ns for one message or connection; latency and
 * connect also the ns in which 99 % of the answers came. Every byte that comes back is compared
 * with what was sent. */
#include "base/hhistogram.h"
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHURN_BATCH 32
#define CHURN_SIZE 64
#define SOURCES 100 /* 127.0.0.2 ...: ports in TIME_WAIT do not run out */
#define EVENTS_MAX 256
#define PATTERN_SIZE (256 * 1024)
#define WARM_UP_MESSAGES 2000

typedef struct client_s {
    int fd;
    uint32_t sequence; /* of the message in flight */
    uint64_t start_ns;
    size_t sent, received;
} client_t;

typedef struct load_s {
    int epoll_fd;
    client_t *clients;
    size_t clients_n;
    size_t size;
    size_t to_send, to_receive; /* messages */
    unsigned port;
    bool anew;               /* a connection for each message */
    hhistogram_t *latencies; /* NULL: they are not asked for */
} load_t;

static char pattern[PATTERN_SIZE];

static int dial(unsigned port)
{
    static unsigned next;
    struct sockaddr_in addr = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0)
        bench_fail("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + next++ % SOURCES);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        bench_fail("bind");
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons((uint16_t)port);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        bench_fail("connect");
    return fd;
}

/* ---- echo ----------------------------------------------------------------------------------- */

/* Each message is another piece of the pattern. */
static const char *message_of(const load_t *load, const client_t *client)
{
    unsigned seed = client->sequence * 61u + (unsigned)(client - load->clients);

    return pattern + seed % (PATTERN_SIZE - load->size);
}

static void interest(load_t *load, client_t *client, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};

    if (epoll_ctl(load->epoll_fd, op, client->fd, &event) < 0)
        bench_fail("epoll_ctl");
}

static void send_some(load_t *load, client_t *client)
{
    size_t left = load->size - client->sent;
    ssize_t n = send(client->fd, message_of(load, client) + client->sent, left,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN)
        bench_fail("send");
    client->sent += n > 0 ? (size_t)n : 0;
    if (client->sent < load->size)
        interest(load, client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    else if ((size_t)(n > 0 ? n : 0) < load->size) /* it took more than one call */
        interest(load, client, EPOLL_CTL_MOD, EPOLLIN);
}

static void start_message(load_t *load, client_t *client)
{
    if (load->to_send == 0)
        return;
    load->to_send--;
    if (load->latencies)
        client->start_ns = bench_now_ns();
    if (load->anew && client->fd < 0) {
        client->fd = dial(load->port);
        interest(load, client, EPOLL_CTL_ADD, EPOLLIN);
    }
    client->sequence++;
    client->sent = client->received = 0;
    send_some(load, client);
}

static void receive_some(load_t *load, client_t *client)
{
    static char buf[BENCH_READ_SIZE];
    ssize_t n = recv(client->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        bench_fail("recv");
    if (client->received + (size_t)n > client->sent ||
        memcmp(buf, message_of(load, client) + client->received, (size_t)n) != 0) {
        fprintf(stderr, "what came back is not what was sent\n");
        exit(1);
    }
    client->received += (size_t)n;
    if (client->received < load->size)
        return;
    load->to_receive--;
    if (load->latencies)
        hhistogram_add(load->latencies, bench_now_ns() - client->start_ns);
    if (load->anew) {
        close(client->fd);
        client->fd = -1;
    }
    start_message(load, client);
}

static void exchange(load_t *load, size_t messages)
{
    struct epoll_event events[EVENTS_MAX];

    load->to_send = load->to_receive = messages;
    for (size_t i = 0; i < load->clients_n; i++)
        start_message(load, &load->clients[i]);
    while (load->to_receive > 0) {
        int n = epoll_wait(load->epoll_fd, events, EVENTS_MAX, 10000);

        if (n <= 0)
            bench_fail("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].events & EPOLLOUT)
                send_some(load, events[i].data.ptr);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                receive_some(load, events[i].data.ptr);
        }
    }
}

static void open_all(load_t *load, unsigned port, size_t n, size_t size)
{
    load->port = port;
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc(n, sizeof(*load->clients));
    load->clients_n = n;
    load->size = size;
    if (load->epoll_fd < 0 || !load->clients || size == 0 || size > PATTERN_SIZE / 2)
        bench_fail("start");
    for (size_t i = 0; i < n; i++) {
        load->clients[i].fd = dial(port);
        interest(load, &load->clients[i], EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void report(pid_t pid, uint64_t cpu_ns, uint64_t wall_ns, size_t n,
                   const hhistogram_t *latencies)
{
    wall_ns = bench_now_ns() - wall_ns;
    cpu_ns = bench_cpu_ns(pid) - cpu_ns;
    printf("%.1f %.1f", (double)cpu_ns / (double)n, (double)wall_ns / (double)n);
    if (latencies)
        printf(" %.1f", (double)hhistogram_percentile(latencies, 99));
    putchar('\n');
}

/* At least one message for each connection: then all are accepted. What a new process leaves to do
 * in the kernel keeps the server's processor from sleeping deeply for some 10 or 20 ms, and a
 * message costs less meanwhile: for how long is chance, so that has to be over too. */
static void warm_up(load_t *load, size_t messages)
{
    size_t least = load->anew ? 0 : WARM_UP_MESSAGES;

    messages /= 10;
    exchange(load, (messages > least ? messages : least) + load->clients_n);
}

/* numbers: port, process, connections, size, messages. */
static int run_echo(const size_t *numbers, bool with_latencies, bool anew)
{
    static hhistogram_t latencies;
    load_t load = {0};
    pid_t pid = (pid_t)numbers[1];
    uint64_t cpu_ns, wall_ns;

    open_all(&load, (unsigned)numbers[0], numbers[2], numbers[3]);
    load.anew = anew;
    warm_up(&load, numbers[4]);
    load.latencies = with_latencies ? &latencies : NULL;
    cpu_ns = bench_cpu_ns(pid);
    wall_ns = bench_now_ns();
    exchange(&load, numbers[4]);
    report(pid, cpu_ns, wall_ns, numbers[4], load.latencies);
    return 0;
}

/* ---- churn and idle ------------------------------------------------------------------------- */

static void echo_and_close(const int *fds, size_t n)
{
    char buf[CHURN_SIZE];

    for (size_t i = 0; i < n; i++) {
        if (send(fds[i], pattern + i, CHURN_SIZE, MSG_NOSIGNAL) != CHURN_SIZE)
            bench_fail("send");
    }
    for (size_t i = 0; i < n; i++) {
        if (recv(fds[i], buf, CHURN_SIZE, MSG_WAITALL) != CHURN_SIZE ||
            memcmp(buf, pattern + i, CHURN_SIZE) != 0)
            bench_fail("recv");
    }
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static void churn(unsigned port, size_t connections)
{
    int fds[CHURN_BATCH];

    for (size_t done = 0; done < connections; done += CHURN_BATCH) {
        for (size_t i = 0; i < CHURN_BATCH; i++)
            fds[i] = dial(port);
        echo_and_close(fds, CHURN_BATCH);
    }
}

static int run_churn(unsigned port, pid_t pid, size_t connections)
{
    uint64_t cpu_ns, wall_ns;

    connections = (connections + CHURN_BATCH - 1) / CHURN_BATCH * CHURN_BATCH;
    churn(port, CHURN_BATCH);
    cpu_ns = bench_cpu_ns(pid);
    wall_ns = bench_now_ns();
    churn(port, connections);
    report(pid, cpu_ns, wall_ns, connections, NULL);
    return 0;
}

static void say(const char *what)
{
    puts(what);
    fflush(stdout);
    while (getchar() != '\n' && !feof(stdin))
        ;
}

static int run_idle(unsigned port, size_t connections)
{
    load_t load = {0};
    int last;

    open_all(&load, port, connections, CHURN_SIZE);
    last = dial(port);
    echo_and_close(&last, 1); /* accepted in order: now all are */
    say("open");
    exchange(&load, connections);
    say("used");
    return 0;
}

int main(int argc, char **argv)
{
    size_t n[7] = {0};
    uint64_t seed = 1;

    bench_raise_files();
    for (size_t i = 0; i < PATTERN_SIZE; i++)
        pattern[i] = (char)bench_random(&seed);
    for (int i = 2; i < argc && i < 7; i++)
        n[i] = strtoul(argv[i], NULL, 10);
    if (argc == 7 && strcmp(argv[1], "echo") == 0)
        return run_echo(n + 2, false, false);
    if (argc == 7 && strcmp(argv[1], "latency") == 0)
        return run_echo(n + 2, true, false);
    if (argc == 7 && strcmp(argv[1], "connect") == 0)
        return run_echo(n + 2, true, true);
    if (argc == 5 && strcmp(argv[1], "churn") == 0)
        return run_churn((unsigned)n[2], (pid_t)n[3], n[4]);
    if (argc == 4 && strcmp(argv[1], "idle") == 0)
        return run_idle((unsigned)n[2], n[3]);
    fprintf(stderr, "usage: bench_load echo|latency|connect|churn|idle PORT ...\n");
    return 2;
}
