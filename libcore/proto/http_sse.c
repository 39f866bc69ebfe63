#include "http_sse.h"

#include "../base/herr.h"
#include "../base/hlist.h"
#include "../base/hmem.h"
#include "../event/htimer.h"

struct http_sse_s {
    http_stream_t *stream;
    http_sse_options_t options;
    http_sse_group_t *group; /* NULL: none */
    hlist_t link;            /* its clients */
    htimer_t *heartbeat;
    hbytes_t queue; /* what the connection does not take yet */
    bool closing;   /* ended, or cut off */
};

struct http_sse_group_s {
    hlist_t clients;
    size_t count;
};

/* ---- sending --------------------------------------------------------------------------------- */

static void cut_off(http_sse_t *sse, int err)
{
    sse->closing = true;
    http_stream_abort(sse->stream, err);
}

static int enqueue(http_sse_t *sse, http_span_t text)
{
    int err = hbytes_append(&sse->queue, text.data, text.len);

    if (err == -ENOBUFS)
        err = HERR_QUEUE_FULL;
    if (err)
        cut_off(sse, err);
    return err;
}

static int put(http_sse_t *sse, http_span_t text)
{
    if (sse->closing)
        return HERR_CLOSED;
    if (sse->queue.len > 0 || http_response_is_full(sse->stream))
        return enqueue(sse, text);
    htimer_reset(sse->heartbeat, 0);
    return http_response_write(sse->stream, text.data, text.len);
}

static void flush(http_sse_t *sse)
{
    if (sse->queue.len > 0)
        http_response_write(sse->stream, sse->queue.data, sse->queue.len);
    hbytes_deinit(&sse->queue);
}

static void on_drained(http_stream_t *stream, void *userdata)
{
    http_sse_t *sse = userdata;

    (void)stream;
    if (!sse->closing)
        flush(sse);
}

/* A client that is behind gets no comment: it has enough to read. */
static void on_heartbeat(htimer_t *timer)
{
    http_sse_t *sse = hevent_userdata(timer);

    if (!sse->closing && sse->queue.len == 0 && !http_response_is_full(sse->stream))
        put(sse, HTTP_SPAN(":\n\n"));
}

/* ---- from the first byte to the last --------------------------------------------------------- */

static void leave_group(http_sse_t *sse)
{
    if (!sse->group)
        return;
    hlist_remove(&sse->link);
    sse->group->count--;
    sse->group = NULL;
}

static void free_sse(http_sse_t *sse)
{
    leave_group(sse);
    htimer_del(sse->heartbeat);
    hbytes_deinit(&sse->queue);
    hmem_free(sse);
}

static void on_close(http_stream_t *stream, int err, void *userdata)
{
    http_sse_t *sse = userdata;

    (void)stream;
    leave_group(sse);
    if (sse->options.on_close)
        sse->options.on_close(sse, err, sse->options.userdata);
    free_sse(sse);
}

static const http_stream_callbacks_t callbacks = {.on_drained = on_drained, .on_close = on_close};

static http_sse_t *make(http_stream_t *stream, const http_sse_options_t *options)
{
    http_sse_t *sse = hmem_zalloc(sizeof(*sse));

    if (!sse)
        return NULL;
    sse->stream = stream;
    sse->options = options ? *options : (http_sse_options_t){0};
    if (sse->options.heartbeat_ms == 0)
        sse->options.heartbeat_ms = HTTP_SSE_HEARTBEAT_MS;
    hbytes_init(&sse->queue,
                sse->options.queue_max > 0 ? sse->options.queue_max : HTTP_SSE_QUEUE_MAX);
    sse->heartbeat =
        htimer_add(http_stream_loop(stream), on_heartbeat, sse->options.heartbeat_ms, INFINITE);
    if (!sse->heartbeat) {
        hmem_free(sse);
        return NULL;
    }
    hevent_set_userdata(sse->heartbeat, sse);
    return sse;
}

/* X-Accel-Buffering: nginx collects what it passes on unless it is told not to. */
static int begin(http_stream_t *stream)
{
    int err = http_response_set(stream, HTTP_SPAN("Content-Type"), HTTP_SPAN(SSE_CONTENT_TYPE));

    if (!err)
        err = http_response_set(stream, HTTP_SPAN("Cache-Control"), HTTP_SPAN("no-store"));
    if (!err)
        err = http_response_set(stream, HTTP_SPAN("X-Accel-Buffering"), HTTP_SPAN("no"));
    if (err && err != HERR_CLOSED)
        http_response_error(stream, 503, NULL);
    return err ? err : http_response_start(stream, -1);
}

int http_sse_start(http_stream_t *stream, const http_sse_options_t *options, http_sse_t **out)
{
    http_sse_t *sse;
    int err;

    *out = NULL;
    if (http_stream_request(stream)->method == HTTP_METHOD_HEAD) {
        if (begin(stream) == 0)
            http_response_end(stream);
        return HERR_CLOSED;
    }
    sse = make(stream, options);
    if (!sse) {
        http_response_error(stream, 503, NULL);
        return -ENOMEM;
    }
    err = begin(stream);
    if (err) {
        free_sse(sse);
        return err;
    }
    http_stream_set_callbacks(stream, &callbacks, sse);
    *out = sse;
    return 0;
}

int http_sse_send(http_sse_t *sse, const sse_event_t *event)
{
    hbytes_t text = {0};
    int err = sse->closing ? HERR_CLOSED : sse_write(&text, event);

    if (!err)
        err = put(sse, (http_span_t){text.data, text.len});
    else if (err == -ENOMEM)
        cut_off(sse, err);
    hbytes_deinit(&text);
    return err;
}

void http_sse_close(http_sse_t *sse)
{
    if (sse->closing)
        return;
    sse->closing = true;
    flush(sse);
    http_response_end(sse->stream);
}

void *http_sse_userdata(const http_sse_t *sse)
{
    return sse->options.userdata;
}

http_span_t http_sse_last_id(const http_stream_t *stream)
{
    return http_request_find(stream, "Last-Event-ID");
}

void http_sse_refuse(http_stream_t *stream)
{
    http_response_status(stream, 204);
    http_response_send(stream, NULL, 0);
}

/* ---- groups ---------------------------------------------------------------------------------- */

http_sse_group_t *http_sse_group_new(void)
{
    http_sse_group_t *group = hmem_zalloc(sizeof(*group));

    if (group)
        hlist_init(&group->clients);
    return group;
}

void http_sse_group_free(http_sse_group_t *group)
{
    if (!group)
        return;
    while (!hlist_empty(&group->clients))
        leave_group(HLIST_ENTRY(group->clients.next, http_sse_t, link));
    hmem_free(group);
}

int http_sse_group_add(http_sse_group_t *group, http_sse_t *sse)
{
    if (sse->group)
        return -EEXIST;
    if (group->count >= HTTP_SSE_GROUP_MAX)
        return -ENOBUFS;
    sse->group = group;
    hlist_push_back(&group->clients, &sse->link);
    group->count++;
    return 0;
}

int http_sse_group_send(http_sse_group_t *group, const sse_event_t *event)
{
    hbytes_t text = {0};
    hlist_t *node, *next;
    int err = sse_write(&text, event);

    HLIST_FOREACH (node, next, &group->clients) {
        if (err)
            break;
        put(HLIST_ENTRY(node, http_sse_t, link), (http_span_t){text.data, text.len});
    }
    hbytes_deinit(&text);
    return err;
}

void http_sse_group_close(http_sse_group_t *group)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &group->clients)
        http_sse_close(HLIST_ENTRY(node, http_sse_t, link));
}

size_t http_sse_group_count(const http_sse_group_t *group)
{
    return group->count;
}
