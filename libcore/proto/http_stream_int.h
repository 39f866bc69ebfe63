/* The inside of a stream, for the files of the server and for what codes its body. */
#ifndef HNET_PROTO_HTTP_STREAM_INT_H
#define HNET_PROTO_HTTP_STREAM_INT_H

#include "../base/hlist.h"
#include "http_coding.h"
#include "http_server.h"

#define HTTP_USER_SIZE 64

typedef struct http_conn_s http_conn_t;

/* A part of a response, in this order: the head, bytes or a part of a file, the end. */
typedef struct http_out_s {
    bool head;
    bool end;
    const void *data;
    size_t len;
    hio_free_cb free_cb; /* the bytes are borrowed, unless it is NULL */
    void *free_arg;
    const http_file_part_t *file;
} http_out_t;

/* What a version of HTTP does for its streams. None of these calls back. */
typedef struct http_wire_s {
    /* 0 or an error, and then the stream is being closed. Borrowed bytes and files have been given
     * back or will be, in any case. */
    int (*send)(http_stream_t *stream, const http_out_t *out);
    int (*interim)(http_stream_t *stream, int status);
    /* Whether the body is wanted, and now, has changed. */
    void (*body_changed)(http_stream_t *stream);
    bool (*is_full)(const http_stream_t *stream);
    /* http_stream__drained follows soon, whether there is room or not. */
    void (*go_on_later)(http_stream_t *stream);
    void (*give_up)(http_stream_t *stream, int err);
} http_wire_t;

typedef struct http_hook_s {
    http_hook_cb cb;
    void *arg;
} http_hook_t;

/* A body that is collected in memory. */
typedef struct http_collect_s {
    hbytes_t body;
    http_body_cb cb;
    void *userdata;
} http_collect_t;

/* The body of the response on its way through a coder. */
typedef struct http_coded_s {
    http_coding_t *coding; /* NULL: as it is */
    http_file_part_t file; /* what is left of one, len 0: none */
    bool end;              /* behind it */
} http_coded_t;

struct http_stream_s {
    hlist_t link; /* the server's free ones */
    const http_wire_t *wire;
    http_server_t *server;
    http_conn_t *conn;
    http_request_t request;
    char *memory;     /* of the request, once it has to outlive the read: head, fields, path */
    size_t path_size; /* of request.path, in the server's scratch until then */

    const http_stream_callbacks_t *callbacks;
    void *userdata;

    /* The body of the request. */
    http_collect_t *collect;
    uint64_t body_max; /* 0: the server's */
    int64_t body_bytes;
    bool body_done; /* all of it has come */
    bool end_told;  /* on_body_end */
    bool paused;
    bool continued; /* 100 was sent, or is not needed */
    bool tunnel;    /* raw bytes both ways */

    /* The response. */
    hbytes_t fields;  /* "Name: value" CR LF ... */
    uint64_t present; /* a bit for each http_field_e in them */
    http_hook_t hooks[HTTP_HOOKS_MAX];
    uint8_t hook_count;
    bool started; /* the head has been made */
    bool ended;
    bool last;     /* the connection ends behind it */
    bool bodiless; /* HEAD, 204, 304: the body is not sent */
    bool in_error; /* http_response_error: no second page about it */
    bool in_handler;
    bool handled; /* the handler has had it */
    bool failed;  /* aborted: on_close will tell error */
    bool filling; /* somebody waits for on_drained */
    int status;
    int error;
    int64_t length;  /* announced; -1: unknown */
    int64_t written; /* by the program */
    int64_t sent;    /* of the body, as coded */
    http_coded_t coded;

    uint64_t started_us;
    char user[HTTP_USER_SIZE];
    haddr_t local;
};

/* ---- http_stream.c --------------------------------------------------------------------------- */

/* A stream with this wire, from the server's stock; NULL: out of memory. */
http_stream_t *http_stream__new(http_server_t *server, http_conn_t *conn, const http_wire_t *wire);

/* The stream is over: tells on_done and on_close, and takes it back. From the loop only. */
void http_stream__finish(http_stream_t *stream, int err);

/* Frees for good. */
void http_stream__free(http_stream_t *stream);

/* Hands the stream to the server's handler. */
void http_stream__handle(http_stream_t *stream);

bool http_stream__wants_body(const http_stream_t *stream);
/* For the wire: a piece of the body, and its end. */
void http_stream__body(http_stream_t *stream, http_span_t data);
void http_stream__body_end(http_stream_t *stream);
/* There is room for more of the response. */
void http_stream__drained(http_stream_t *stream);

/* ---- http_response.c ------------------------------------------------------------------------- */

/* Adds whole lines, correct ones, that were made before. present: a bit for each http_field_e in
 * them, none of which is OTHER; a field that the response has already stays as it is. 0 or the
 * errors of http_response_add. */
int http_response__add_lines(http_stream_t *stream, http_span_t lines, uint64_t present);

/* ---- http_response_coding.c ------------------------------------------------------------------ */

/* Puts a coder on the response, from a hook: the body goes through it, the length is not known any
 * more. The stream frees it. */
void http_response__set_coding(http_stream_t *stream, http_coding_t *coding);

/* What http_wire_t.send is for a response without a coder. Also takes what is borrowed. */
int http_response__send_coded(http_stream_t *stream, const http_out_t *out);

/* Goes on with a file; from http_stream__drained. */
int http_response__pump(http_stream_t *stream);

#endif
