#include "size.h"

#include <netinet/in.h>
#include <string.h>

/* A silent probe is sent at least so often (see engine.h); more where some are lost. */
#define TRIES 2
#define US_PER_S 1e6

/* ---- how many, how long ---------------------------------------------------------------------- */

/* How often a probe may be sent. Where answers are limited, tries that the limit swallowed do not
 * count. */
static double tries_max(const engine_options_t *pace)
{
    return pace->wait_for_limited ? ENGINE_TRIES_MAX : pace->tries;
}

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

/* Probes a second towards hosts that are silent. */
static double rate_of(const size_probes_t *probes, uint64_t addresses)
{
    const engine_options_t *pace = probes->pace;
    double hosts = lesser((double)addresses, (double)probes->hosts_max);
    double rate = engine_silent_rate(pace, hosts);

    if (pace->delay_us > 0)
        rate = lesser(rate, hosts / (double)pace->delay_us * US_PER_S);
    if (pace->window_max > 0)
        rate = lesser(rate, pace->window_max / (double)pace->rtt_initial_us * US_PER_S);
    if (rate < pace->rate_min)
        rate = pace->rate_min;
    return pace->rate_max > 0 ? lesser(rate, pace->rate_max) : rate;
}

/* The last try is waited for, too. */
static double seconds_of(const size_probes_t *probes, uint64_t addresses)
{
    double tries;

    if (probes->count == 0 || addresses == 0)
        return 0;
    tries = probes->pace->tries < TRIES ? probes->pace->tries : TRIES;
    return (double)addresses * (double)probes->count * tries / rate_of(probes, addresses) +
           tries * (double)probes->pace->rtt_initial_us / US_PER_S;
}

static double probes_of(const size_probes_t *probes, uint64_t addresses)
{
    if (probes->count == 0)
        return 0;
    return (double)addresses * (double)probes->count * tries_max(probes->pace);
}

void size_estimate(const size_question_t *q, size_answer_t *answer)
{
    double pings_s = seconds_of(&q->pings, q->addresses);
    double ports_s = seconds_of(&q->tcp, q->addresses) + seconds_of(&q->udp, q->addresses);

    answer->probes = probes_of(&q->pings, q->addresses) + probes_of(&q->tcp, q->addresses) +
                     probes_of(&q->udp, q->addresses);
    answer->fewest_s = q->pings.count > 0 ? pings_s : ports_s;
    answer->most_s = pings_s + ports_s;
}

/* ---- in words -------------------------------------------------------------------------------- */

/* "16,777,216" */
static int write_count(hbytes_t *out, uint64_t n)
{
    uint64_t unit = 1;
    int err;

    while (n / unit >= 1000)
        unit *= 1000;
    err = hbytes_printf(out, "%llu", (unsigned long long)(n / unit));
    for (; unit > 1 && err == 0; unit /= 1000)
        err = hbytes_printf(out, ",%03llu", (unsigned long long)(n % unit / (unit / 1000)));
    return err;
}

/* "412,000", "2.7 million"; rounded up, for it is a limit. */
static int write_limit(hbytes_t *out, double n)
{
    static const struct {
        double value;
        const char *name;
    } units[] = {{1e18, "quintillion"},
                 {1e15, "quadrillion"},
                 {1e12, "trillion"},
                 {1e9, "billion"},
                 {1e6, "million"}};

    if (n >= 1e21)
        return hbytes_printf(out, "%.0e", n * 1.5);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (n >= units[i].value)
            return hbytes_printf(out, "%.1f %s", n / units[i].value + 0.05, units[i].name);
    return write_count(out, (uint64_t)n);
}

#define YEAR_S (365.25 * 86400)
#define LONG_S (1000 * YEAR_S)

/* "about 40 s", "about 9 days", "more than 1,000 years" */
static int write_time(hbytes_t *out, double seconds)
{
    static const struct {
        double s, next;
        const char *name;
    } units[] = {{1, 100, "s"}, {60, 100, "min"}, {3600, 48, "h"}, {86400, 700, "days"}};

    if (seconds >= LONG_S)
        return hbytes_append_str(out, "more than 1,000 years");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (seconds < units[i].s * units[i].next)
            return hbytes_printf(out, "about %.0f %s", seconds < 1 ? 1 : seconds / units[i].s,
                                 units[i].name);
    return hbytes_printf(out, "about %.0f years", seconds / YEAR_S);
}

static int write_times(hbytes_t *out, const size_question_t *q, const size_answer_t *answer)
{
    bool is_open =
        q->pings.count > 0 && q->tcp.count + q->udp.count > 0 && answer->fewest_s < LONG_S;
    int err = write_time(out, answer->fewest_s);

    if (err == 0 && is_open)
        err = hbytes_append_str(out, " if no host is up, ");
    if (err == 0 && is_open)
        err = write_time(out, answer->most_s);
    if (err == 0 && is_open)
        err = hbytes_append_str(out, " if all are");
    return err;
}

int size_write(hbytes_t *out, const size_question_t *q)
{
    size_answer_t answer;
    int err = write_count(out, q->addresses);

    size_estimate(q, &answer);
    if (err == 0)
        err = hbytes_printf(out, " address%s%s: at most ", q->addresses == 1 ? "" : "es",
                            q->is_private ? "" : ", not all of private networks");
    if (err == 0)
        err = write_limit(out, answer.probes);
    if (err == 0)
        err = hbytes_printf(out, " %s, ", q->what);
    return err == 0 ? write_times(out, q, &answer) : err;
}

/* ---- whose addresses ------------------------------------------------------------------------- */

typedef struct network_s {
    uint8_t bytes[4];
    unsigned bits;
} network_t;

static bool is_within(const uint8_t *address, const network_t *networks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const network_t *n = &networks[i];
        size_t whole = n->bits / 8;
        unsigned rest = 8 - n->bits % 8;

        if (memcmp(address, n->bytes, whole) == 0 &&
            (rest == 8 || address[whole] >> rest == n->bytes[whole] >> rest))
            return true;
    }
    return false;
}

static bool is_private_v4(const uint8_t *address)
{
    static const network_t networks[] = {
        {{10}, 8},           {{127}, 8},      {{100, 64}, 10},
        {{169, 254}, 16},    {{172, 16}, 12}, {{192, 168}, 16},
        {{192, 0, 2}, 24},   {{198, 18}, 15}, {{198, 51, 100}, 24},
        {{203, 0, 113}, 24},
    };

    return is_within(address, networks, sizeof(networks) / sizeof(networks[0]));
}

bool size_is_private(const struct sockaddr *address)
{
    static const network_t networks[] = {
        {{0xfc}, 7}, {{0xfe, 0x80}, 10}, {{0x20, 0x01, 0x0d, 0xb8}, 32}, {{0x3f, 0xff, 0x00}, 20}};
    const sockaddr_u *u = (const sockaddr_u *)address;
    const struct in6_addr *v6 = &u->sin6.sin6_addr;

    if (address->sa_family == AF_INET)
        return is_private_v4((const uint8_t *)&u->sin.sin_addr);
    if (IN6_IS_ADDR_V4MAPPED(v6))
        return is_private_v4(v6->s6_addr + 12);
    return IN6_IS_ADDR_LOOPBACK(v6) ||
           is_within(v6->s6_addr, networks, sizeof(networks) / sizeof(networks[0]));
}

uint64_t size_of_walk(const targets_cursor_t *cursor, bool *is_private)
{
    targets_cursor_t walk = *cursor;
    uint64_t count = 0;
    target_t target;

    *is_private = true;
    if (walk.count - walk.position > SIZE_QUIET_MAX)
        return walk.count - walk.position;
    for (; targets_next(&walk, &target); count++)
        *is_private = *is_private && size_is_private(&target.address.u.sa);
    return count;
}
