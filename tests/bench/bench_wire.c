/* A long cable: carries packets between two interfaces, each way with a delay, a loss and a limit
 * of its rate. It is built alone as well, by tests: nothing of hnet is needed.
 * usage: bench_wire [-d MS] [-l PERCENT] [-r PACKETS_A_SECOND] [-q PACKETS] [-t SECONDS] IF1 IF2
 * It says "ready" when it carries, and ends after the seconds (60), or with its parent. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000u
#define RING_SIZE (32u << 20) /* bytes on their way, in one direction; what does not fit is lost */
#define FRAME_MAX 70000u      /* with offloads, and the header that tells of them */
#define BURST 64              /* packets taken before those that are due are sent */

typedef struct record_s {
    uint64_t due_ns;
    uint32_t size; /* of the frame that follows; 0: the ring begins anew */
} record_t;

typedef struct way_s {
    int in, out;
    uint8_t *ring;
    size_t head, tail; /* head: the next to be sent. Equal: nothing is on its way */
    uint64_t free_ns;  /* when the cable has sent all it was given; only with a rate */
} way_t;

typedef struct cable_s {
    uint64_t delay_ns, gap_ns; /* gap: of two packets, by the rate; 0: no limit */
    uint64_t queue_ns;         /* what may wait for it */
    uint64_t loss;             /* of 2^32 */
    uint64_t random;
} cable_t;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static bool is_lost(cable_t *cable)
{
    cable->random ^= cable->random << 13;
    cable->random ^= cable->random >> 7;
    cable->random ^= cable->random << 17;
    return (cable->random >> 32) < cable->loss;
}

/* Room for a frame of any size, without a gap; NULL: there is none. */
static uint8_t *room(way_t *way)
{
    size_t need = sizeof(record_t) + FRAME_MAX + sizeof(record_t);

    if (way->head == way->tail)
        way->head = way->tail = 0;
    if (way->tail >= way->head && way->tail + need > RING_SIZE) {
        if (way->head == 0)
            return NULL;
        memset(way->ring + way->tail, 0, sizeof(record_t));
        way->tail = 0;
    }
    if (way->tail < way->head && way->tail + need >= way->head)
        return NULL;
    return way->ring + way->tail + sizeof(record_t);
}

static void keep(way_t *way, cable_t *cable, uint64_t now, size_t size)
{
    record_t record = {.due_ns = now, .size = (uint32_t)size};

    if (is_lost(cable))
        return;
    if (cable->gap_ns > 0) {
        if (way->free_ns > now + cable->queue_ns)
            return;
        way->free_ns = (way->free_ns > now ? way->free_ns : now) + cable->gap_ns;
        record.due_ns = way->free_ns;
    }
    record.due_ns += cable->delay_ns;
    memcpy(way->ring + way->tail, &record, sizeof(record));
    way->tail += (sizeof(record) + size + 7) & ~(size_t)7;
}

/* False: there was nothing. */
static bool take(way_t *way, cable_t *cable)
{
    uint64_t now = now_ns();

    for (int i = 0; i < BURST; i++) {
        static uint8_t dropped[FRAME_MAX];
        uint8_t *data = room(way);
        ssize_t n = recv(way->in, data ? data : dropped, FRAME_MAX, MSG_DONTWAIT);

        if (n <= 0)
            return i > 0;
        if (data)
            keep(way, cable, now, (size_t)n);
    }
    return true;
}

/* When the next is due; UINT64_MAX: there is none. */
static uint64_t deliver(way_t *way)
{
    uint64_t now = now_ns();

    while (way->head != way->tail) {
        record_t record;

        memcpy(&record, way->ring + way->head, sizeof(record));
        if (record.size == 0) {
            way->head = 0;
            continue;
        }
        if (record.due_ns > now)
            return record.due_ns;
        if (send(way->out, way->ring + way->head + sizeof(record), record.size, 0) < 0 &&
            errno == ENOBUFS)
            return now; /* the next of its turns */
        way->head += (sizeof(record) + record.size + 7) & ~(size_t)7;
    }
    return UINT64_MAX;
}

/* Checksums that the kernel leaves to the hardware stay left to it: the header says so. */
static int open_link(const char *name)
{
    int one = 1, bytes = 16 << 20;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll addr = {.sll_family = AF_PACKET,
                               .sll_protocol = htons(ETH_P_ALL),
                               .sll_ifindex = (int)if_nametoindex(name)};

    if (fd < 0 || addr.sll_ifindex == 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        fprintf(stderr, "bench_wire: %s: %s\n", name, strerror(errno));
        exit(1);
    }
    return fd;
}

static void carry(way_t ways[2], cable_t *cable, uint64_t end)
{
    struct pollfd polls[2] = {{.fd = ways[0].in, .events = POLLIN},
                              {.fd = ways[1].in, .events = POLLIN}};

    while (now_ns() < end) {
        bool is_busy = take(&ways[0], cable) | take(&ways[1], cable);
        uint64_t a = deliver(&ways[0]), b = deliver(&ways[1]), now = now_ns();
        uint64_t next = a < b ? a : b, wait = 0;
        struct timespec timeout;

        if (next > end)
            next = end;
        wait = next > now ? next - now : 0;
        timeout = (struct timespec){(time_t)(wait / NS), (long)(wait % NS)};
        if (!is_busy && wait > 0)
            ppoll(polls, 2, &timeout, NULL);
    }
}

static int usage(void)
{
    fputs("usage: bench_wire [-d MS] [-l PERCENT] [-r PACKETS_A_SECOND] [-q PACKETS] "
          "[-t SECONDS] IF1 IF2\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    cable_t cable = {.random = 0x9e3779b97f4a7c15u ^ now_ns()};
    way_t ways[2] = {{0}};
    double seconds = 60, queue = 1000;

    for (int c; (c = getopt(argc, argv, "d:l:r:q:t:")) >= 0;) {
        double value = c == '?' ? 0 : strtod(optarg, NULL);

        switch (c) {
        case 'd':
            cable.delay_ns = (uint64_t)(value * 1e6);
            break;
        case 'l':
            cable.loss = (uint64_t)(value / 100 * 4294967296.0);
            break;
        case 'r':
            cable.gap_ns = (uint64_t)(1e9 / value);
            break;
        case 'q':
            queue = value;
            break;
        case 't':
            seconds = value;
            break;
        default:
            return usage();
        }
    }
    if (argc - optind != 2)
        return usage();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cable.queue_ns = (uint64_t)(queue * (double)cable.gap_ns);
    for (int i = 0; i < 2; i++) {
        ways[i].in = ways[!i].out = open_link(argv[optind + i]);
        ways[i].ring = malloc(RING_SIZE);
        if (ways[i].ring == NULL)
            return 1;
    }
    puts("ready");
    fflush(stdout);
    carry(ways, &cable, now_ns() + (uint64_t)(seconds * 1e9));
    return 0;
}
