#include "demo.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "event/htimer.h"
#include "proto/http_sse.h"

#include <stdio.h>

#define WAIT_MS 1000 /* unless ?t= says otherwise */
#define WAIT_MS_MAX 60000
#define TICK_MS_MIN 10
#define TICKS_MAX 1000000
#define RETRY_MS 3000

/* ---- answers that wait ----------------------------------------------------------------------- */

typedef struct wait_s {
    http_stream_t *stream;
    htimer_t *timer;
    uint64_t start_ms;
    void (*answer)(struct wait_s *wait);
} wait_t;

static void on_wait_close(http_stream_t *stream, int err, void *userdata)
{
    wait_t *wait = userdata;

    (void)stream;
    (void)err;
    htimer_del(wait->timer);
    hmem_free(wait);
}

/* The timer frees itself behind its one call. */
static void on_wait_timer(htimer_t *timer)
{
    wait_t *wait = hevent_userdata(timer);

    wait->timer = NULL;
    wait->answer(wait);
}

static void answer_later(http_stream_t *stream, uint64_t ms, void (*answer)(wait_t *wait))
{
    static const http_stream_callbacks_t callbacks = {.on_close = on_wait_close};
    wait_t *wait = hmem_alloc(sizeof(*wait));

    if (!wait) {
        http_response_error(stream, 503, NULL);
        return;
    }
    *wait = (wait_t){.stream = stream, .start_ms = htime_real_ms(), .answer = answer};
    http_stream_set_callbacks(stream, &callbacks, wait);
    wait->timer = htimer_add(http_stream_loop(stream), on_wait_timer, (uint32_t)ms, 1);
    if (wait->timer)
        hevent_set_userdata(wait->timer, wait);
    else
        http_response_error(stream, 503, NULL);
}

static void answer_times(wait_t *wait)
{
    uint64_t end_ms = htime_real_ms();
    demo_reply_t reply;

    demo_reply_begin(&reply);
    hjson_key(&reply.json, "start_ms");
    hjson_uint(&reply.json, wait->start_ms);
    hjson_key(&reply.json, "end_ms");
    hjson_uint(&reply.json, end_ms);
    hjson_key(&reply.json, "cost_ms");
    hjson_int(&reply.json, (int64_t)(end_ms - wait->start_ms));
    demo_reply_code(&reply, 0, "OK");
    demo_reply_send(&reply, wait->stream, 200);
}

/* The clock of the day may be set back meanwhile, the timer's is not. */
static void on_sleep(http_stream_t *stream, void *userdata)
{
    uint64_t ms = WAIT_MS;

    (void)userdata;
    if (!demo_number(stream, "t", 0, WAIT_MS_MAX, &ms))
        return;
    answer_later(stream, ms, answer_times);
}

static void answer_text(wait_t *wait)
{
    http_response_set(wait->stream, HTTP_SPAN("Content-Type"), HTTP_SPAN("text/plain"));
    http_response_send(wait->stream, "answered after the handler had returned\n", 40);
}

static void on_async(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    answer_later(stream, 1, answer_text);
}

/* ---- server-sent events ---------------------------------------------------------------------- */

typedef struct ticks_s {
    http_sse_t *sse;
    htimer_t *timer;
    uint64_t number;         /* of the last event */
    uint64_t last;           /* 0: there is no last one */
    http_sse_group_t *group; /* of all of this site, to be closed when it drains */
} ticks_t;

static void on_ticks_close(http_sse_t *sse, int err, void *userdata)
{
    ticks_t *ticks = userdata;

    (void)sse;
    (void)err;
    htimer_del(ticks->timer);
    hmem_free(ticks);
}

static void on_tick(htimer_t *timer)
{
    ticks_t *ticks = hevent_userdata(timer);
    char id[24], text[HTIME_ISO_SIZE];

    snprintf(id, sizeof(id), "%llu", (unsigned long long)++ticks->number);
    htime_iso_utc(htime_real_ms(), text, sizeof(text));
    http_sse_send(ticks->sse, &(sse_event_t){.id = id, .data = http_span(text)});
    if (ticks->number != ticks->last)
        return;
    htimer_del(timer);
    ticks->timer = NULL;
    http_sse_close(ticks->sse);
}

/* A client that comes back goes on behind the event that it had last. */
static uint64_t last_number(const http_stream_t *stream)
{
    http_span_t id = http_sse_last_id(stream);
    uint64_t number = 0;
    char text[24];

    if (id.data && id.len < sizeof(text)) {
        snprintf(text, sizeof(text), "%.*s", (int)id.len, id.data);
        hstr_parse_u64(text, 0, TICKS_MAX, &number);
    }
    return number;
}

static void start_ticks(http_stream_t *stream, ticks_t *ticks, uint64_t ms)
{
    const http_sse_options_t options = {.on_close = on_ticks_close, .userdata = ticks};

    if (http_sse_start(stream, &options, &ticks->sse) != 0) {
        hmem_free(ticks);
        return;
    }
    ticks->timer = htimer_add(http_stream_loop(stream), on_tick, (uint32_t)ms, INFINITE);
    if (ticks->timer)
        hevent_set_userdata(ticks->timer, ticks);
    if (!ticks->timer || http_sse_group_add(ticks->group, ticks->sse) != 0)
        http_sse_close(ticks->sse);
    else
        http_sse_send(ticks->sse, &(sse_event_t){.retry_ms = RETRY_MS});
}

/* "/sse?n=5&t=200": so many events, so many ms apart; without n there is no end. */
static void on_sse(http_stream_t *stream, void *userdata)
{
    uint64_t ms = WAIT_MS, last = 0, number = last_number(stream);
    ticks_t *ticks;

    if (!demo_number(stream, "t", TICK_MS_MIN, WAIT_MS_MAX, &ms) ||
        !demo_number(stream, "n", 1, TICKS_MAX, &last))
        return;
    if (last > 0 && number >= last) {
        http_sse_refuse(stream); /* it has had them all */
        return;
    }
    ticks = hmem_alloc(sizeof(*ticks));
    if (!ticks) {
        http_response_error(stream, 503, NULL);
        return;
    }
    *ticks = (ticks_t){.number = number, .last = last, .group = userdata};
    start_ticks(stream, ticks, ms);
}

/* ---- routes ---------------------------------------------------------------------------------- */

static void free_group(void *group)
{
    http_sse_group_free(group);
}

static void close_group(void *group)
{
    http_sse_group_close(group);
}

int demo_time_install(site_host_t *host)
{
    http_sse_group_t *group = http_sse_group_new();
    int err = group ? site_on_free(host->site, free_group, group) : -ENOMEM;

    if (!err)
        err = site_on_drain(host->site, close_group, group);
    if (!err)
        err = site_route(host, "GET", "/async", on_async, NULL);
    if (!err)
        err = site_route(host, "GET", "/sleep", on_sleep, NULL);
    if (!err)
        err = site_route(host, "GET", "/setTimeout", on_sleep, NULL);
    return err ? err : site_route(host, "GET", "/sse", on_sse, group);
}
