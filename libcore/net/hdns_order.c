/* The order in which records are tried: RFC 2782 for SRV and MX, RFC 6724 for addresses. */
#include "hdns_int.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- priority and weight --------------------------------------------------------------------- */

/* The running sum of RFC 2782: each record is next with the probability of its weight. */
static size_t pick(const hdns_record_t *records, size_t n)
{
    uint32_t sum = 0, random = 0;

    for (size_t i = 0; i < n; i++)
        sum += records[i].weight;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        return 0;
    random %= sum + 1;
    for (size_t i = 0; i < n; i++) {
        if (random <= records[i].weight)
            return i;
        random -= records[i].weight;
    }
    return 0;
}

static void swap(hdns_record_t *a, hdns_record_t *b)
{
    hdns_record_t copy = *a;

    *a = *b;
    *b = copy;
}

/* By priority; SRV of one priority in the random order of RFC 2782, where those without a weight
 * are looked at first. */
void hdns__order_records(hdns_record_t *records, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t k = i; k > 0; k--) {
            const hdns_record_t *a = &records[k - 1], *b = &records[k];

            if (a->priority < b->priority ||
                (a->priority == b->priority && (a->weight == 0 || b->weight != 0)))
                break;
            swap(&records[k - 1], &records[k]);
        }
    }
    for (size_t i = 0; i < n && records[i].type == HDNS_SRV; i++) {
        size_t same = i + 1, chosen;

        while (same < n && records[same].priority == records[i].priority)
            same++;
        chosen = i + pick(records + i, same - i);
        for (; chosen > i; chosen--)
            swap(&records[chosen], &records[chosen - 1]);
    }
}

/* ---- IPv6 addresses -------------------------------------------------------------------------- */

typedef struct policy_s {
    unsigned char prefix[16];
    unsigned bits;
    int precedence, label;
} policy_t;

/* RFC 6724 section 2.1; the last one has them all. */
static const policy_t policies[] = {
    {{[15] = 1}, 128, 50, 0},  {{[10] = 0xff, [11] = 0xff}, 96, 35, 4},
    {{0x20, 0x02}, 16, 30, 2}, {{0x20, 0x01}, 32, 5, 5},
    {{0xfc}, 7, 3, 13},        {{[15] = 0}, 96, 1, 3},
    {{0xfe, 0xc0}, 10, 1, 11}, {{0x3f, 0xfe}, 16, 1, 12},
    {{0}, 0, 40, 1},
};

/* What the rules look at. */
typedef struct rank_s {
    bool usable; /* there is a route to it */
    int scope_differs, label_differs, precedence, scope;
    unsigned common; /* leading bits that it shares with our own address */
} rank_t;

static unsigned common_bits(const unsigned char *a, const unsigned char *b)
{
    unsigned bits = 0;

    while (bits < 128 && !((a[bits / 8] ^ b[bits / 8]) & (0x80 >> bits % 8)))
        bits++;
    return bits;
}

static const policy_t *policy_of(const unsigned char *addr)
{
    const policy_t *policy = policies;

    while (common_bits(policy->prefix, addr) < policy->bits)
        policy++;
    return policy;
}

/* Section 3.1: link-local is 2, site-local 5, global 14; a group says its own. */
static int scope_of(const unsigned char *addr)
{
    static const unsigned char loopback[16] = {[15] = 1};

    if (addr[0] == 0xff)
        return addr[1] & 0x0f;
    if ((addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80) || memcmp(addr, loopback, 16) == 0)
        return 2;
    return addr[0] == 0xfe && (addr[1] & 0xc0) == 0xc0 ? 5 : 14;
}

/* The address that the kernel would connect from: a datagram socket asks it without a packet. */
static bool find_source(const unsigned char *addr, struct sockaddr_in6 *source)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    socklen_t len = sizeof(*source);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool found;

    if (fd < 0)
        return false;
    memcpy(&to.sin6_addr, addr, 16);
    found = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
            getsockname(fd, (struct sockaddr *)source, &len) == 0;
    close(fd);
    return found;
}

static rank_t rank_of(const unsigned char *addr)
{
    const policy_t *policy = policy_of(addr);
    rank_t rank = {.precedence = policy->precedence, .scope = scope_of(addr)};
    struct sockaddr_in6 source = {0};
    const unsigned char *own = source.sin6_addr.s6_addr;

    rank.usable = find_source(addr, &source);
    if (!rank.usable)
        return rank;
    rank.scope_differs = scope_of(own) != rank.scope;
    rank.label_differs = policy_of(own)->label != policy->label;
    rank.common = common_bits(own, addr);
    return rank;
}

/* Section 6, the rules that do not need to know about homes, tunnels and deprecation. */
static bool is_better(const rank_t *a, const rank_t *b)
{
    if (a->usable != b->usable)
        return a->usable;
    if (a->scope_differs != b->scope_differs)
        return b->scope_differs;
    if (a->label_differs != b->label_differs)
        return b->label_differs;
    if (a->precedence != b->precedence)
        return a->precedence > b->precedence;
    if (a->scope != b->scope)
        return a->scope < b->scope;
    return a->common > b->common;
}

/* Stable: what the rules do not tell apart stays in the server's order, which may be meant to
 * spread the load. */
void hdns__order_ipv6(hdns_record_t *records, size_t n)
{
    rank_t ranks[HDNS_RECORDS_MAX];

    for (size_t i = 0; i < n; i++) {
        hdns_record_t record = records[i];
        rank_t rank = rank_of((const unsigned char *)record.text);
        size_t k = i;

        for (; k > 0 && is_better(&rank, &ranks[k - 1]); k--) {
            ranks[k] = ranks[k - 1];
            records[k] = records[k - 1];
        }
        ranks[k] = rank;
        records[k] = record;
    }
}
