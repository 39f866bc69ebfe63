/* http_sse: server-sent events (WHATWG HTML, section "Server-sent events") as the response of a
 * stream.
 *
 *     if (http_sse_start(stream, NULL, &sse) == 0)
 *         http_sse_send(sse, &(sse_event_t){.name = "tick", .data = HTTP_SPAN("1")});
 *
 * A client that reads slower than events come has up to queue_max bytes of them waiting, beside
 * what the connection queues anyhow; one that is further behind is cut off. A client hears of every
 * event in its order, or loses the connection, and then browsers come back by themselves and say
 * which event was the last (http_sse_last_id): nothing is missing without anybody's notice. */
#ifndef HNET_PROTO_HTTP_SSE_H
#define HNET_PROTO_HTTP_SSE_H

#include "../codec/sse.h"
#include "http_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_SSE_HEARTBEAT_MS 15000
#define HTTP_SSE_QUEUE_MAX 65536
#define HTTP_SSE_GROUP_MAX 100000 /* clients */

typedef struct http_sse_s http_sse_t;
typedef struct http_sse_group_s http_sse_group_t;

/* 0 in a number: the value given here. */
typedef struct http_sse_options_s {
    uint32_t heartbeat_ms; /* HTTP_SSE_HEARTBEAT_MS without an event: a comment is sent */
    size_t queue_max;      /* HTTP_SSE_QUEUE_MAX bytes */
    /* The client has gone, which is noticed when something is sent, a heartbeat at the latest; or
     * has been cut off (HERR_QUEUE_FULL); 0 after http_sse_close. Comes exactly once, never from
     * inside a call; sse is dead behind it. May be NULL. */
    void (*on_close)(http_sse_t *sse, int err, void *userdata);
    void *userdata;
} http_sse_options_t;

/* Begins the response: 200, text/event-stream, not to be stored, nor to be held back by a proxy;
 * fields that were set before stay. The stream's callbacks are its own from here on. options (NULL:
 * all 0) is copied. 0 and *sse, which lives until on_close; or an error, and then the stream has
 * been answered all the same and on_close does not come: HERR_CLOSED (the request was a HEAD, or
 * the client has gone), -ENOMEM. */
int http_sse_start(http_stream_t *stream, const http_sse_options_t *options, http_sse_t **sse);

/* Sends an event. 0; -EINVAL (sse_write); HERR_QUEUE_FULL or -ENOMEM, and then the client is being
 * cut off; HERR_CLOSED: it has been, or has gone. */
int http_sse_send(http_sse_t *sse, const sse_event_t *event);

/* Ends the response behind what was sent; on_close follows. A browser comes back after it. */
void http_sse_close(http_sse_t *sse);

/* What on_close gets as userdata. */
void *http_sse_userdata(const http_sse_t *sse);

/* Which event a client that comes back had last; data NULL: it does not say. */
http_span_t http_sse_last_id(const http_stream_t *stream);

/* A browser that gets 204 does not come back. */
void http_sse_refuse(http_stream_t *stream);

/* ---- the same events for many ---------------------------------------------------------------- */

/* NULL: out of memory. */
http_sse_group_t *http_sse_group_new(void);

/* Lets go of its clients, without closing them. NULL is legal. */
void http_sse_group_free(http_sse_group_t *group);

/* The client belongs to the group until it closes; to one group at most. 0, -EEXIST, or -ENOBUFS
 * past HTTP_SSE_GROUP_MAX. */
int http_sse_group_add(http_sse_group_t *group, http_sse_t *sse);

/* Sends an event to all of them, made once; who cannot take it is cut off. 0; -EINVAL, -ENOMEM: no
 * one has got it. */
int http_sse_group_send(http_sse_group_t *group, const sse_event_t *event);

/* http_sse_close for all of them. */
void http_sse_group_close(http_sse_group_t *group);

size_t http_sse_group_count(const http_sse_group_t *group);

#ifdef __cplusplus
}
#endif

#endif
