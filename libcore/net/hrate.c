/* A bucket of tokens (bytes) and the list of those who found it empty, in the order in which they
 * came. When there are tokens again, those in front get a turn: some bytes that they may pass
 * before they stand behind the others again. Only bytes that really passed are taken out of the
 * bucket, so a turn that is not used costs nobody anything.
 *
 * The timer exists while there are members, so that waiting needs no memory; it sleeps for REST_MS
 * while nobody waits. Invariants: armed exactly while waiters is not empty; tokens is at most
 * burst, and below 0 only after a datagram that was larger than what was left. */
#include "hrate.h"

#include "../base/hlist.h"
#include "../base/hmem.h"
#include "../base/htime.h"
#include "../event/hio_ops.h"
#include "../event/htimer.h"

#define OPENING_MAX (64 * 1024) /* bytes at once while nobody waits */
#define TURN_MIN 4096           /* bytes; less only where the rate is that low */
#define SERVES_PER_S 50         /* how often waiters are served at a steady rate */
#define BURST_MIN 1500
#define REST_MS (INFINITE - 1)

struct hrate_s {
    hloop_t *loop;
    htimer_t *timer; /* while there are members */
    bool armed;
    uint32_t refs;
    uint64_t bytes_per_s;
    uint64_t filled_ns;
    int64_t burst;
    int64_t tokens;
    int64_t chunk; /* tokens that are worth a wake-up */
    hlist_t waiters;
    hrate_stats_t stats;
};

typedef struct member_s {
    hlist_t node; /* on waiters, or on the list of those being served */
    hrate_t *rate;
    hio_t *io;
    int direction;
    int64_t turn; /* bytes it may still pass before its next wait */
} member_t;

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Adds what came since filled_ns, and moves that on by no less than the time that these tokens
 * take: rounding never gives a byte too many. */
static void refill(hrate_t *rate)
{
    uint64_t now_ns = htime_monotonic_ns();
    uint64_t room = (uint64_t)(rate->burst - rate->tokens);
    unsigned __int128 whole = rate->bytes_per_s;

    whole = whole * (now_ns - rate->filled_ns) / HTIME_NS_PER_S;
    if (whole >= room) {
        rate->tokens = rate->burst;
        rate->filled_ns = now_ns;
        return;
    }
    rate->tokens += (int64_t)whole;
    whole = (whole * HTIME_NS_PER_S + rate->bytes_per_s - 1) / rate->bytes_per_s;
    rate->filled_ns += (uint64_t)whole;
}

/* Wakes up when a chunk is there. */
static void arm(hrate_t *rate)
{
    uint64_t missing = (uint64_t)max_i64(rate->chunk - rate->tokens, 1);
    uint64_t wait_ms = missing * 1000 / rate->bytes_per_s + 1;

    htimer_reset(rate->timer, wait_ms < REST_MS ? (uint32_t)wait_ms : REST_MS);
    rate->armed = true;
}

static void unref(hrate_t *rate)
{
    if (--rate->refs == 0)
        hmem_free(rate);
}

/* Gives those in front a turn each, as many as the tokens are worth. */
static void serve(hrate_t *rate)
{
    int64_t turns = max_i64(rate->tokens / min_i64(rate->chunk, TURN_MIN), 0);
    int64_t turn = 0;
    hlist_t served, *node;

    turns = min_i64(turns, rate->stats.waiting);
    if (turns > 0)
        turn = rate->tokens / turns;
    hlist_init(&served);
    for (; turns > 0; turns--)
        hlist_push_back(&served, hlist_pop_front(&rate->waiters));
    while ((node = hlist_pop_front(&served)) != NULL) {
        member_t *member = HLIST_ENTRY(node, member_t, node);

        rate->stats.waiting--;
        member->turn = turn;
        hio_gate_open(member->io, member->direction);
    }
}

static void on_timer(htimer_t *timer)
{
    hrate_t *rate = hevent_userdata(timer);

    rate->refs++; /* what an open gate lets happen may drop the last member */
    rate->armed = false;
    refill(rate);
    serve(rate);
    if (rate->timer && !rate->armed) {
        if (hlist_empty(&rate->waiters))
            htimer_reset(rate->timer, REST_MS);
        else
            arm(rate);
    }
    unref(rate);
}

static size_t wait_for_turn(member_t *member)
{
    hrate_t *rate = member->rate;

    member->turn = 0;
    hlist_push_back(&rate->waiters, &member->node);
    rate->stats.waiting++;
    if (!rate->armed)
        arm(rate);
    return 0;
}

static size_t gate_allow(hio_t *io, void *ctx, size_t want)
{
    member_t *member = ctx;
    hrate_t *rate = member->rate;
    int64_t limit = member->turn > 0 ? member->turn : OPENING_MAX;

    (void)io;
    if (hlist_linked(&member->node))
        return 0;
    if (member->turn <= 0 && !hlist_empty(&rate->waiters))
        return wait_for_turn(member);
    refill(rate);
    if (want < (size_t)limit)
        limit = (int64_t)want;
    if (rate->tokens < min_i64(limit, rate->chunk))
        return wait_for_turn(member);
    return (size_t)min_i64(limit, rate->tokens);
}

static void gate_passed(hio_t *io, void *ctx, size_t n)
{
    member_t *member = ctx;

    (void)io;
    member->rate->tokens -= (int64_t)n;
    member->rate->stats.passed_bytes += n;
    member->turn = max_i64(member->turn - (int64_t)n, 0);
}

static void gate_free(hio_t *io, void *ctx)
{
    member_t *member = ctx;
    hrate_t *rate = member->rate;

    (void)io;
    if (hlist_linked(&member->node)) {
        hlist_remove(&member->node);
        rate->stats.waiting--;
    }
    if (--rate->stats.members == 0) {
        htimer_del(rate->timer);
        rate->timer = NULL;
        rate->armed = false;
    }
    hmem_free(member);
    unref(rate);
}

static const hio_gate_t gate = {gate_allow, gate_passed, gate_free};

static int join(hrate_t *rate)
{
    if (!rate->timer) {
        rate->timer = htimer_add(rate->loop, on_timer, REST_MS, INFINITE);
        if (!rate->timer)
            return -ENOMEM;
        hevent_set_userdata(rate->timer, rate);
    }
    rate->stats.members++;
    rate->refs++;
    return 0;
}

static int set_rate(hio_t *io, hrate_t *rate, int direction)
{
    member_t *member;
    int err;

    if (!rate)
        return hio_set_gate(io, direction, NULL, NULL);
    if (hevent_loop(io) != rate->loop)
        return -EINVAL;
    member = hmem_zalloc(sizeof(*member));
    if (!member)
        return -ENOMEM;
    *member = (member_t){.rate = rate, .io = io, .direction = direction};
    err = join(rate);
    if (err != 0) {
        hmem_free(member);
        return err;
    }
    err = hio_set_gate(io, direction, &gate, member);
    if (err != 0)
        gate_free(io, member);
    else
        hio_gate_open(io, direction); /* the gate before may have been shut */
    return err;
}

int hrate_set(hrate_t *rate, uint64_t bytes_per_s, uint64_t burst)
{
    if (burst == 0)
        burst = bytes_per_s / 10 > BURST_MIN ? bytes_per_s / 10 : BURST_MIN;
    if (bytes_per_s == 0 || bytes_per_s > HRATE_MAX || burst > HRATE_MAX)
        return -EINVAL;
    refill(rate);
    rate->bytes_per_s = bytes_per_s;
    rate->burst = (int64_t)burst;
    rate->tokens = min_i64(rate->tokens, rate->burst);
    rate->chunk = max_i64(min_i64((int64_t)(bytes_per_s / SERVES_PER_S), rate->burst), 1);
    if (rate->armed)
        arm(rate);
    return 0;
}

hrate_t *hrate_new(hloop_t *loop, uint64_t bytes_per_s, uint64_t burst)
{
    hrate_t *rate = hmem_zalloc(sizeof(*rate));
    int err;

    if (!rate) {
        errno = ENOMEM;
        return NULL;
    }
    rate->loop = loop;
    rate->refs = 1;
    rate->filled_ns = htime_monotonic_ns();
    rate->bytes_per_s = 1;
    hlist_init(&rate->waiters);
    err = hrate_set(rate, bytes_per_s, burst);
    if (err != 0) {
        hmem_free(rate);
        errno = -err;
        return NULL;
    }
    rate->tokens = rate->burst;
    return rate;
}

void hrate_free(hrate_t *rate)
{
    if (rate)
        unref(rate);
}

int hio_set_read_rate(hio_t *io, hrate_t *rate)
{
    return set_rate(io, rate, HV_READ);
}

int hio_set_write_rate(hio_t *io, hrate_t *rate)
{
    return set_rate(io, rate, HV_WRITE);
}

void hrate_stats(const hrate_t *rate, hrate_stats_t *stats)
{
    *stats = rate->stats;
}
