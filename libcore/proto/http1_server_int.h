/* The inside of an HTTP/1 connection of the server. */
#ifndef HNET_PROTO_HTTP1_SERVER_INT_H
#define HNET_PROTO_HTTP1_SERVER_INT_H

#include "http_server_int.h"

#define HTTP1_HELD_MAX 65536   /* bytes read ahead of a stream that takes its time */
#define HTTP1_QUEUED_MAX 65536 /* of responses, before the next request is looked at */
#define HTTP1_COPY_MAX 16384   /* borrowed bytes that are copied rather than queued as they are */

typedef struct http1_conn_s {
    http_conn_t base;
    uint64_t left;         /* bytes that the kernel has taken; counted while it is watched */
    http_stream_t *stream; /* NULL: between two requests */
    hbytes_t *held;        /* NULL: nothing */
    http1_parser_t parser;
    bool busy;    /* requests are being read: what changes is seen there */
    bool corked;  /* by that */
    bool watched; /* the callbacks for EOF and drained are set */
    bool eof;
    bool closing;
    bool chunked; /* the response */
} http1_conn_t;

static inline http1_conn_t *http1_conn_of(const http_stream_t *stream)
{
    return (http1_conn_t *)stream->conn;
}

/* ---- http1_server_send.c --------------------------------------------------------------------- */

/* http_wire_t.send, interim and give_up. */
int http1_server__send(http_stream_t *stream, const http_out_t *out);
int http1_server__interim(http_stream_t *stream, int status);
bool http1_server__is_full(const http_stream_t *stream);
void http1_server__go_on_later(http_stream_t *stream);

/* The hwrite_cb of a connection that is watched: counts what has left. */
void http1_server__on_written(hio_t *io, const void *buf, int len);

/* At the end: what was queued and did not leave any more was not sent. */
void http1_server__correct_counts(http1_conn_t *c);
void http1_server__give_up(http_stream_t *stream, int err);

/* ---- http1_server_request.c ------------------------------------------------------------------ */

/* Makes the stream's request of the head that was read; its spans lie there and in the server's
 * scratch. 0, or the status to refuse it with. */
int http1_server__request(http1_conn_t *c, http_stream_t *stream);

/* Copies what the spans point at. 0 or -ENOMEM. */
int http1_server__keep(http1_conn_t *c, http_stream_t *stream);

/* ---- http1_server.c -------------------------------------------------------------------------- */

/* Has the loop look whether the connection can go on, unless that is being done already. */
void http1_server__resume_later(http1_conn_t *c);

/* From now on EOF and room to write are told. 0 or -ENOMEM. */
int http1_server__watch(http1_conn_t *c);

#endif
