#include "live.h"

#include "event/hwatch.h"
#include "proto/http_sse.h"

#include <stdio.h>
#include <string.h>

#define EVENTS_PATH "/.hhttpd/events"
#define RETRY_MS 500 /* after which a page looks whether the server is back */

typedef struct live_s {
    site_host_t *host;
    http_sse_group_t *pages;
    hwatch_t *watch; /* NULL until the first page listens */
} live_t;

static void on_change(hwatch_t *watch)
{
    const live_t *live = hevent_userdata(watch);

    http_sse_group_send(live->pages, &(sse_event_t){.name = "reload", .data = HTTP_SPAN("")});
}

/* 0 or a negative error. A folder costs the system a watch for each that is below it: not before
 * somebody wants it, and then for good. */
static int watch_root(live_t *live)
{
    const site_settings_t *s = live->host->settings;
    const hwatch_options_t options = {.hidden = s->hidden};
    hwatch_stats_t stats;

    if (live->watch)
        return 0;
    live->watch = hwatch_add(live->host->site->loop, s->root_path, &options, on_change, live);
    if (!live->watch) {
        int err = errno > 0 ? -errno : -ENOMEM;

        hlogfile_say(live->host->site->env.log, HLOG_WARN, "live reload: cannot watch %s: %s",
                     s->root_path, herr_str(err));
        return err;
    }
    hwatch_stats(live->watch, &stats);
    if (stats.partial)
        hlogfile_say(live->host->site->env.log, HLOG_WARN,
                     "live reload: %s has more folders than can be watched: %u are", s->root_path,
                     stats.folders);
    return 0;
}

static void on_events(http_stream_t *stream, void *userdata)
{
    live_t *live = userdata;
    http_sse_t *page;

    if (watch_root(live) != 0)
        http_response_error(stream, 503, "The folder cannot be watched.");
    else if (http_sse_start(stream, NULL, &page) != 0)
        return;
    else if (http_sse_group_add(live->pages, page) != 0)
        http_sse_close(page);
    else
        http_sse_send(page, &(sse_event_t){.retry_ms = RETRY_MS});
}

static void on_drain(void *object)
{
    const live_t *live = object;

    http_sse_group_close(live->pages);
}

static void free_live(void *object)
{
    live_t *live = object;

    hwatch_del(live->watch);
    http_sse_group_free(live->pages);
}

const char *live_url(site_host_t *host)
{
    const char *base = host->settings->base_url;
    size_t size = host->base_len + sizeof(EVENTS_PATH);
    char *url = host->settings->live_reload ? site_keep(host->site, size) : NULL;

    if (url)
        snprintf(url, size, "%s%s", base ? base : "", EVENTS_PATH);
    return url;
}

int live_install(site_host_t *host)
{
    live_t *live;
    int err;

    if (!host->settings->live_reload)
        return 0;
    live = site_keep(host->site, sizeof(*live));
    if (!live)
        return -ENOMEM;
    live->host = host;
    live->pages = http_sse_group_new();
    err = live->pages ? site_on_free(host->site, free_live, live) : -ENOMEM;
    if (!err)
        err = site_on_drain(host->site, on_drain, live);
    return err ? err : site_route(host, "GET", EVENTS_PATH, on_events, live);
}
