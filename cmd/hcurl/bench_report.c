#include "bench_report.h"

#include "base/hjson.h"
#include "base/hstr.h"

#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 32
#define BARS 32
#define BAR_WIDTH 40
#define US_PER_MS 1000
#define US_PER_S 1000000

static const double percents[] = {50, 75, 90, 99, 99.9};
static const char *const percent_names[] = {"p50", "p75", "p90", "p99", "p99.9"};

#define PERCENTS (sizeof(percents) / sizeof(*percents))

static const struct {
    const char *key, *text;
} faults[LOAD_FAULT_COUNT] = {
    [LOAD_FAULT_CONNECT] = {"connect", "no connection"},
    [LOAD_FAULT_TLS] = {"tls", "TLS"},
    [LOAD_FAULT_EMPTY] = {"empty", "closed without a response"},
    [LOAD_FAULT_PARTIAL] = {"partial", "ended too early"},
    [LOAD_FAULT_RESET] = {"reset", "reset"},
    [LOAD_FAULT_TIMEOUT] = {"timeout", "time limit"},
    [LOAD_FAULT_REPLY] = {"reply", "not HTTP"},
    [LOAD_FAULT_OTHER] = {"other", "memory or descriptors"},
};

static double per_second(const load_result_t *result, uint64_t n)
{
    return result->duration_us ? (double)n * US_PER_S / (double)result->duration_us : 0;
}

/* ---- numbers for people ---------------------------------------------------------------------- */

/* "1,234,567". Returns buf. */
static const char *count_text(uint64_t n, char buf[TEXT_SIZE])
{
    char digits[TEXT_SIZE];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), out = 0;

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf[out++] = ',';
        buf[out++] = digits[i];
    }
    buf[out] = '\0';
    return buf;
}

/* "780 us", "1.23 ms", "2.10 s". Returns buf. */
static const char *time_text(double us, char buf[TEXT_SIZE])
{
    if (us < US_PER_MS)
        snprintf(buf, TEXT_SIZE, "%.0f us", us);
    else if (us < US_PER_S)
        snprintf(buf, TEXT_SIZE, "%.2f ms", us / US_PER_MS);
    else
        snprintf(buf, TEXT_SIZE, "%.2f s", us / US_PER_S);
    return buf;
}

/* ---- the parts of the text ------------------------------------------------------------------- */

static void write_volume(hbytes_t *out, const char *what, const load_result_t *result, uint64_t n)
{
    char total[TEXT_SIZE], rate[TEXT_SIZE];

    hbytes_printf(out, "  %-12s %14s   %s/s\n", what, hstr_format_size(n, total, sizeof(total)),
                  hstr_format_size((uint64_t)per_second(result, n), rate, sizeof(rate)));
}

static void write_rates(hbytes_t *out, const load_result_t *result)
{
    char a[TEXT_SIZE], b[TEXT_SIZE];

    hbytes_printf(out, "  %-12s %14s   %s/s\n", "Responses", count_text(result->responses, a),
                  count_text((uint64_t)per_second(result, result->responses), b));
    write_volume(out, "Received", result, result->bytes_in);
    write_volume(out, "Sent", result, result->bytes_out);
    hbytes_printf(out, "  %-12s %14s   %s each\n", "Connections", count_text(result->connects, a),
                  time_text(hhistogram_mean(&result->connect), b));
    if (result->body_min != result->body_max)
        hbytes_printf(out, "  %-12s %14s   to %s bytes\n", "Bodies",
                      count_text(result->body_min, a), count_text(result->body_max, b));
}

static void write_statuses(hbytes_t *out, const load_result_t *result)
{
    const char *label = "Statuses";
    char text[TEXT_SIZE];

    for (size_t i = 0; i < sizeof(result->statuses) / sizeof(*result->statuses); i++) {
        if (result->statuses[i] == 0)
            continue;
        hbytes_printf(out, "  %-12s %14s   %zu\n", label, count_text(result->statuses[i], text), i);
        label = "";
    }
}

static void write_faults(hbytes_t *out, const load_result_t *result)
{
    const char *label = "Errors";
    char text[TEXT_SIZE];

    for (int i = 0; i < LOAD_FAULT_COUNT; i++) {
        if (result->faults[i] == 0)
            continue;
        hbytes_printf(out, "  %-12s %14s   %s\n", label, count_text(result->faults[i], text),
                      faults[i].text);
        label = "";
    }
}

static void write_latencies(hbytes_t *out, const hhistogram_t *h)
{
    char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE];

    hbytes_printf(out, "\n  Latency      min %s   mean %s   max %s\n", time_text((double)h->min, a),
                  time_text(hhistogram_mean(h), b), time_text((double)h->max, c));
    for (size_t i = 0; i < PERCENTS; i++)
        hbytes_printf(out, "  %11g%% %14s\n", percents[i],
                      time_text((double)hhistogram_percentile(h, percents[i]), a));
}

/* ---- bars ------------------------------------------------------------------------------------ */

/* The next limit above `us`: 1, 1.5, 2, 3, 5 or 7 times a power of ten. What spreads over decades
 * is still told apart where most of it is. */
static uint64_t next_limit(uint64_t us)
{
    static const uint64_t tenths[] = {10, 15, 20, 30, 50, 70, 100};
    uint64_t power = 1;
    size_t i = 0;

    while (us >= power * 10)
        power *= 10;
    while (tenths[i] * power / 10 <= us)
        i++;
    return tenths[i] * power / 10;
}

static void write_bar(hbytes_t *out, const char *label, uint64_t n, uint64_t most, uint64_t all)
{
    static const char blocks[] = "########################################";
    size_t width = n < most ? (size_t)((double)n * BAR_WIDTH / (double)most) : BAR_WIDTH;

    _Static_assert(sizeof(blocks) == BAR_WIDTH + 1, "a whole bar");
    if (width == 0 && n > 0)
        width = 1;
    hbytes_printf(out, "  %12s |%-*.*s %5.1f%%\n", label, BAR_WIDTH, (int)width, blocks,
                  100 * (double)n / (double)all);
}

/* From the fastest to where 99.9 % are; one more for all that took longer. */
static void write_bars(hbytes_t *out, const hhistogram_t *h)
{
    uint64_t high = hhistogram_percentile(h, 99.9), limits[BARS], counts[BARS];
    uint64_t most = 0, before = 0, limit = h->min;
    char label[TEXT_SIZE + 8], text[TEXT_SIZE];
    size_t n = 0;

    while (n < BARS && (n == 0 || limit <= high)) {
        limit = next_limit(limit);
        limits[n] = limit;
        counts[n] = hhistogram_up_to(h, limit - 1) - before;
        before += counts[n];
        most = counts[n] > most ? counts[n] : most;
        n++;
    }
    hbytes_append_str(out, "\n");
    for (size_t i = 0; i < n; i++) {
        snprintf(label, sizeof(label), "< %s", time_text((double)limits[i], text));
        write_bar(out, label, counts[i], most, h->count);
    }
    if (h->count > before)
        write_bar(out, "longer", h->count - before, most, h->count);
}

void bench_report_text(const bench_facts_t *facts, hbytes_t *out)
{
    const load_result_t *result = facts->result;
    char text[TEXT_SIZE];

    hbytes_printf(out, "%s %s\n", facts->method, facts->url);
    hbytes_printf(out, "%u connection%s, %u thread%s, %s\n\n", facts->concurrency,
                  facts->concurrency == 1 ? "" : "s", facts->threads,
                  facts->threads == 1 ? "" : "s", time_text((double)result->duration_us, text));
    write_rates(out, result);
    write_statuses(out, result);
    write_faults(out, result);
    if (result->responses > 0) {
        write_latencies(out, &result->latency);
        write_bars(out, &result->latency);
    }
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void json_spread(hjson_t *j, const char *key, const hhistogram_t *h)
{
    hjson_key(j, key);
    hjson_open_object(j);
    hjson_add_uint(j, "min", h->min);
    hjson_key(j, "mean");
    hjson_fixed(j, (int64_t)(hhistogram_mean(h) * 10 + 0.5), 1);
    for (size_t i = 0; i < PERCENTS; i++)
        hjson_add_uint(j, percent_names[i], hhistogram_percentile(h, percents[i]));
    hjson_add_uint(j, "max", h->max);
    hjson_close(j);
}

static void json_number(hjson_t *j, const char *key, uint64_t value)
{
    hjson_add_uint(j, key, value);
}

static void json_rate(hjson_t *j, const char *key, double value)
{
    hjson_key(j, key);
    hjson_fixed(j, (int64_t)(value * 100 + 0.5), 2);
}

static void json_rates(hjson_t *j, const load_result_t *result)
{
    hjson_key(j, "duration_s");
    hjson_fixed(j, (int64_t)result->duration_us, 6);
    json_number(j, "requests", result->responses);
    json_rate(j, "requests_per_s", per_second(result, result->responses));
    json_number(j, "bytes_received", result->bytes_in);
    json_number(j, "bytes_sent", result->bytes_out);
    json_rate(j, "bytes_received_per_s", per_second(result, result->bytes_in));
    json_number(j, "connects", result->connects);
    hjson_key(j, "body_bytes");
    hjson_open_object(j);
    json_number(j, "min", result->body_min);
    json_number(j, "max", result->body_max);
    hjson_close(j);
}

static void json_counts(hjson_t *j, const load_result_t *result)
{
    char status[TEXT_SIZE];

    hjson_key(j, "statuses");
    hjson_open_object(j);
    for (size_t i = 0; i < sizeof(result->statuses) / sizeof(*result->statuses); i++) {
        snprintf(status, sizeof(status), "%zu", i);
        if (result->statuses[i] > 0)
            json_number(j, status, result->statuses[i]);
    }
    hjson_close(j);
    hjson_key(j, "errors");
    hjson_open_object(j);
    for (int i = 0; i < LOAD_FAULT_COUNT; i++)
        json_number(j, faults[i].key, result->faults[i]);
    hjson_close(j);
}

int bench_report_json(const bench_facts_t *facts, hbytes_t *out)
{
    hjson_t j;
    int err;

    hjson_init(&j, out);
    hjson_open_object(&j);
    hjson_add_string(&j, "method", facts->method);
    hjson_add_string(&j, "url", facts->url);
    json_number(&j, "connections", facts->concurrency);
    json_number(&j, "threads", facts->threads);
    json_rates(&j, facts->result);
    json_counts(&j, facts->result);
    json_spread(&j, "latency_us", &facts->result->latency);
    json_spread(&j, "connect_us", &facts->result->connect);
    hjson_close(&j);
    err = hjson_finish(&j);
    return err < 0 ? err : hbytes_append_char(out, '\n');
}
