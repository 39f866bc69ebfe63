/* sse: writes server-sent events, the text of a stream of the type text/event-stream (WHATWG HTML,
 * section "Server-sent events", "Parsing an event stream"). */
#ifndef HNET_CODEC_SSE_H
#define HNET_CODEC_SSE_H

#include "../base/hbuf.h"
#include "http_head.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SSE_CONTENT_TYPE "text/event-stream"

/* All zeroed: not said. */
typedef struct sse_event_s {
    const char *name;  /* NULL: "message" */
    const char *id;    /* what a client that comes back says in Last-Event-ID; "" forgets it */
    http_span_t data;  /* UTF-8, any number of lines; data NULL: no event, only id and retry */
    uint32_t retry_ms; /* after which a client that has lost the stream comes back; 0: not said */
} sse_event_t;

/* Appends one event. Its data is cut at CR LF, CR and LF, which all become LF at the client. 0;
 * -EINVAL for a name with a line end, an id with a line end, or a name without data, which no
 * client would hear of; -ENOMEM, -ENOBUFS. On an error nothing is appended. */
int sse_write(hbytes_t *out, const sse_event_t *event);

/* Appends a comment, which clients drop: it keeps what is in between from closing a quiet stream.
 * One of several lines is several comments. 0, -ENOMEM, -ENOBUFS, and then nothing is appended. */
int sse_write_comment(hbytes_t *out, http_span_t text);

#ifdef __cplusplus
}
#endif

#endif
