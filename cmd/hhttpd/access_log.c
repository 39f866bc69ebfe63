#include "base/hmem.h"
#include "base/htime.h"
#include "event/htimer.h"
#include "site.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEPT_MAX ((size_t)256 * 1024)
#define KEPT_ENOUGH ((size_t)32 * 1024) /* then they are written */
#define KEPT_MS 200
#define ZONE_MS 60000 /* how long a time zone is believed */

struct access_log_s {
    site_t *site;
    http_log_e format;
    hloglines_t out;
    bool at_once; /* a person is watching */
    hbytes_t lines;
    htimer_t *timer; /* NULL: there are none */
    int zone_min;
    int64_t zone_known_ms;
};

static void flush(access_log_t *log)
{
    hloglines_write(&log->out, log->lines.data, log->lines.len);
    hbytes_clear(&log->lines);
    htimer_del(log->timer);
    log->timer = NULL;
}

static void on_timer(htimer_t *timer)
{
    access_log_t *log = hevent_userdata(timer);

    log->timer = NULL; /* it was its last call */
    flush(log);
}

static void wait_for_more(access_log_t *log)
{
    if (log->timer)
        return;
    log->timer = htimer_add(log->site->loop, on_timer, KEPT_MS, 1);
    if (log->timer)
        hevent_set_userdata(log->timer, log);
    else
        flush(log);
}

static int zone_of(access_log_t *log, int64_t now_ms)
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm;

    if (log->zone_known_ms == 0 || now_ms - log->zone_known_ms > ZONE_MS) {
        log->zone_min = localtime_r(&now, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
        log->zone_known_ms = now_ms;
    }
    return log->zone_min;
}

static http_span_t version_of(const http_request_t *request)
{
    switch (request->version) {
    case 9:
        return HTTP_SPAN("HTTP/0.9");
    case 10:
        return HTTP_SPAN("HTTP/1.0");
    case 11:
        return HTTP_SPAN("HTTP/1.1");
    default:
        return HTTP_SPAN("HTTP/2.0");
    }
}

void access_log_add(access_log_t *log, http_stream_t *stream)
{
    const http_request_t *request = http_stream_request(stream);
    int64_t now_ms = (int64_t)hloop_now_ms(log->site->loop);
    char client[HADDR_FORMAT_SIZE];
    http_stream_stats_t stats;
    http_log_t entry;

    http_stream_stats(stream, &stats);
    haddr_ip(&http_stream_peer(stream)->u.sa, client, sizeof(client));
    entry = (http_log_t){
        .client = http_span(client),
        .user = http_span(http_stream_user(stream)),
        .method = request->method_name,
        .target = request->target,
        .version = request->method_name.len > 0 ? version_of(request) : (http_span_t){0},
        .host = request->authority,
        .referer = http_request_field(stream, HTTP_FIELD_REFERER),
        .user_agent = http_request_field(stream, HTTP_FIELD_USER_AGENT),
        .request_id = http_request_find(stream, "X-Request-ID"),
        .time_ms = now_ms - (int64_t)(stats.duration_us / 1000),
        .zone_min = zone_of(log, now_ms),
        .duration_us = stats.duration_us,
        .bytes = (uint64_t)stats.bytes_sent,
        .status = stats.status,
    };
    if (http_log_write(log->format, &entry, &log->lines) != 0)
        flush(log); /* this line is lost, but not the next ones */
    if (log->at_once || log->lines.len >= KEPT_ENOUGH)
        flush(log);
    else if (log->lines.len > 0)
        wait_for_more(log);
}

int access_log_new(site_t *site, access_log_t **out)
{
    access_log_t *log;

    *out = NULL;
    if (site->env.access_fd < 0)
        return 0;
    log = hmem_zalloc(sizeof(*log));
    if (!log)
        return -ENOMEM;
    *log = (access_log_t){.site = site,
                          .format = (http_log_e)site->settings->access_format,
                          .out = {.fd = site->env.access_fd, .report = site->env.log},
                          .at_once = isatty(site->env.access_fd)};
    hbytes_init(&log->lines, KEPT_MAX);
    *out = log;
    return 0;
}

void access_log_free(access_log_t *log)
{
    if (!log)
        return;
    flush(log);
    hloglines_finish(&log->out);
    hbytes_deinit(&log->lines);
    hmem_free(log);
}
