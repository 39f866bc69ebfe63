#include "retry.h"

#include "codec/http_date.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const hopt_t retry_rows[] = {
    HOPT_GROUP("Trying again"),
    HOPT_UINT(0, "retry", retry_options_t, count, 0, UINT32_MAX,
              "try up to N times more when an error may pass by itself", .arg_name = "N"),
    HOPT_SPAN(0, "retry-delay", retry_options_t, delay_ms,
              "wait TIME before each retry instead of 1 s, 2 s, 4 s ...", .max = INT32_MAX),
    HOPT_SPAN(0, "retry-max-time", retry_options_t, time_max_ms,
              "begin no retry later than TIME after the first try", .max = INT32_MAX),
    HOPT_FLAG(0, "retry-connrefused", retry_options_t, connrefused,
              "a refused connection is a reason to retry", .negatable = true),
    HOPT_FLAG(0, "retry-all-errors", retry_options_t, all_errors, "any error is a reason to retry",
              .negatable = true),
    HOPT_FLAG(0, "robust", retry_options_t, robust,
              "settings for bad links: 10 retries of any error, 10 s to connect, stalled transfers "
              "time out after 30 s, files are replaced only when they are whole",
              .negatable = true),
    HOPT_FLAG(0, "skip-existing", retry_options_t, skip_existing,
              "do not download what exists as a file already", .negatable = true),
    HOPT_END,
};

typedef enum reason_e {
    REASON_NONE,
    REASON_ANY,
    REASON_TIMEOUT,
    REASON_REFUSED,
    REASON_HTTP
} reason_e;

static const char *const reasons[] = {
    [REASON_ANY] = "it failed",
    [REASON_TIMEOUT] = "a timeout",
    [REASON_REFUSED] = "connection refused",
    [REASON_HTTP] = "the server is busy",
};

void retry_preset(retry_options_t *options)
{
    if (!options->robust)
        return;
    if (options->count == 0)
        options->count = RETRY_ROBUST_COUNT;
    options->connrefused = options->all_errors = true;
}

void retry_init(retry_t *retry, const retry_options_t *options, uint64_t now_us)
{
    *retry = (retry_t){.options = options, .left = options->count, .started_us = now_us};
}

/* Statuses that say "not now" rather than "no". */
static bool is_transient(int http_status)
{
    switch (http_status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
    case 522:
    case 524:
        return true;
    default:
        return false;
    }
}

static reason_e find_reason(const retry_options_t *options, const retry_end_t *end)
{
    switch (end->status) {
    case STATUS_TIMEOUT:
    case STATUS_RESOLVE:
    case STATUS_RESOLVE_PROXY:
        return REASON_TIMEOUT;
    case STATUS_CONNECT:
        if (options->connrefused && end->refused)
            return REASON_REFUSED;
        break;
    case STATUS_OK:
    case STATUS_HTTP:
        if (is_transient(end->http_status))
            return REASON_HTTP;
        break;
    default:
        break;
    }
    return end->status != STATUS_OK && options->all_errors ? REASON_ANY : REASON_NONE;
}

static uint64_t since_first_ms(const retry_t *retry, uint64_t now_us)
{
    return (now_us - retry->started_us) / 1000;
}

static uint32_t next_delay(retry_t *retry)
{
    if (retry->options->delay_ms > 0)
        return retry->options->delay_ms;
    if (retry->delay_ms == 0)
        retry->delay_ms = RETRY_DELAY_MS;
    else if (retry->delay_ms <= RETRY_DELAY_MAX_MS / 2)
        retry->delay_ms *= 2;
    else
        retry->delay_ms = RETRY_DELAY_MAX_MS;
    return retry->delay_ms;
}

/* What the server asks for. False: that is too long to wait. */
static bool take_wish(const retry_t *retry, int64_t seconds, uint64_t now_us, uint32_t *delay_ms,
                      hbytes_t *text)
{
    uint32_t limit_ms = retry->options->time_max_ms;
    int64_t wish_ms;

    if (seconds > RETRY_AFTER_MAX_MS / 1000) {
        hbytes_printf(text,
                      "the server's Retry-After of %" PRId64 " seconds is too long: no further try",
                      seconds);
        return false;
    }
    wish_ms = seconds * 1000;
    if (limit_ms > 0 && since_first_ms(retry, now_us) + (uint64_t)wish_ms > limit_ms) {
        hbytes_printf(text,
                      "the server's Retry-After of %" PRId64
                      " seconds goes beyond --retry-max-time: no further try",
                      seconds);
        return false;
    }
    *delay_ms = (uint32_t)wish_ms;
    return true;
}

static void tell(const retry_t *retry, const char *reason, uint32_t delay_ms, hbytes_t *text)
{
    char fraction[8] = "";

    if (delay_ms % 1000 > 0)
        snprintf(fraction, sizeof(fraction), ".%03" PRIu32, delay_ms % 1000);
    hbytes_printf(text, "next try in %" PRIu32 "%s second%s, %" PRIu32 " retr%s left: %s",
                  delay_ms / 1000, fraction, delay_ms == 1000 ? "" : "s", retry->left,
                  retry->left > 1 ? "ies" : "y", reason);
}

bool retry_again(retry_t *retry, const retry_end_t *end, uint64_t now_us, uint32_t *delay_ms,
                 hbytes_t *text)
{
    const retry_options_t *options = retry->options;
    reason_e reason = find_reason(options, end);
    bool has_words = end->status != STATUS_OK && end->error != NULL && end->error[0] != '\0';

    if (reason == REASON_NONE || end->final || retry->left == 0)
        return false;
    if (options->time_max_ms > 0 && since_first_ms(retry, now_us) >= options->time_max_ms)
        return false;
    if (reason == REASON_HTTP && end->retry_after_s > 0) {
        if (!take_wish(retry, end->retry_after_s, now_us, delay_ms, text))
            return false;
    } else {
        *delay_ms = next_delay(retry);
    }
    tell(retry, has_words ? end->error : reasons[reason], *delay_ms, text);
    retry->left--;
    retry->done++;
    return true;
}

int64_t retry_after_parse(http_span_t value, int64_t now_s)
{
    int64_t seconds = 0;

    if (value.len == 0)
        return -1;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            if (http_date_parse(value, now_s, &seconds))
                return -1;
            return seconds > now_s ? seconds - now_s : 0;
        }
        if (seconds < INT32_MAX)
            seconds = seconds * 10 + (value.data[i] - '0');
    }
    return seconds;
}
