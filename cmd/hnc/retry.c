#include "retry.h"

#include "base/hstr.h"
#include "base/htime.h"
#include "hnc.h"

#include <string.h>

#define WAIT_MIN_MS 50 /* between looks whether a port answers */
#define WAIT_MAX_MS 1000
#define PART_SIZE 32

/* A time that ends at a colon or the end of the text, and moves text there. */
static int take_time(const char **text, uint32_t *ms)
{
    size_t len = strcspn(*text, ":");
    char part[PART_SIZE];

    if (len >= PART_SIZE)
        return HERR_SYNTAX;
    memcpy(part, *text, len);
    part[len] = '\0';
    *text += len;
    return htime_parse_span_ms(part, ms);
}

/* "fixed", "linear", "exponential" or nothing, in front of the times. */
static void take_policy(reconn_setting_t *backoff, const char **text)
{
    static const struct {
        const char *name;
        uint32_t policy;
    } policies[] = {{"fixed", 0}, {"linear", 1}, {"exponential", 2}};

    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        size_t len = strlen(policies[i].name);

        if (strncmp(*text, policies[i].name, len) == 0 &&
            ((*text)[len] == '\0' || ((*text)[len] == ':' && (*text)[len + 1] != '\0'))) {
            backoff->delay_policy = policies[i].policy;
            *text += len + ((*text)[len] == ':' ? 1 : 0);
            return;
        }
    }
}

/* Nothing, FIRST or FIRST:MAX. */
static int take_times(reconn_setting_t *backoff, const char *text)
{
    int err;

    if (*text == '\0')
        return 0;
    err = take_time(&text, &backoff->min_delay);
    if (err == 0 && *text == ':') {
        text++;
        err = take_time(&text, &backoff->max_delay);
    } else if (backoff->max_delay < backoff->min_delay) {
        backoff->max_delay = backoff->min_delay;
    }
    if (err == 0 && *text != '\0')
        err = HERR_SYNTAX;
    return err == 0 && backoff->max_delay < backoff->min_delay ? HERR_RANGE : err;
}

int retry_init(retry_t *retry, const options_t *o)
{
    const char *text = o->reconnect;
    int err = 0;

    memset(retry, 0, sizeof(*retry));
    reconn_setting_init(&retry->backoff);
    retry->reconnect = text != NULL;
    if (text) {
        take_policy(&retry->backoff, &text);
        err = take_times(&retry->backoff, text);
    } else if (o->port_wait_ms != HNC_NO_TIME) {
        retry->backoff.min_delay = WAIT_MIN_MS;
        retry->backoff.max_delay = WAIT_MAX_MS;
    }
    if (o->port_wait_ms != HNC_NO_TIME)
        retry->deadline_ns = htime_monotonic_ns() + (uint64_t)o->port_wait_ms * HTIME_NS_PER_MS;
    if (err)
        hnc_say("--reconnect: not [fixed|linear|exponential:]TIME[:TIME]: \"%s\"", o->reconnect);
    return err ? HNC_USAGE : 0;
}

int retry_time_left_ms(const retry_t *retry)
{
    uint64_t now_ns = htime_monotonic_ns();
    uint64_t left_ms;

    if (retry->deadline_ns == 0)
        return INT32_MAX;
    if (now_ns >= retry->deadline_ns)
        return 0;
    left_ms = (retry->deadline_ns - now_ns) / HTIME_NS_PER_MS;
    return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

bool retry_is_over(const retry_t *retry)
{
    return retry_time_left_ms(retry) == 0;
}

int64_t retry_delay_ms(retry_t *retry)
{
    int left_ms = retry_time_left_ms(retry);
    uint32_t delay_ms;

    if (left_ms == 0 || (!retry->reconnect && retry->deadline_ns == 0))
        return -1;
    delay_ms = reconn_setting_calc_delay(&retry->backoff);
    return delay_ms < (uint32_t)left_ms ? (int64_t)delay_ms : left_ms;
}

void retry_connected(retry_t *retry)
{
    reconn_setting_reset(&retry->backoff);
    retry->deadline_ns = 0;
}
