/* http1: reads a stream of HTTP/1 requests or responses (RFC 9110, RFC 9112). No I/O, no clock.
 *
 *     http1_parser_t parser;                     of a connection
 *     http_field_t fields[HTTP1_FIELDS_MAX];    scratch; one is enough for a thread
 *     http1_message_t message;
 *
 *     http1_message_init(&message, fields, HTTP1_FIELDS_MAX);
 *     while ((event = http1_parse(&parser, &rest, &message)) > 0)
 *         ...
 *
 * A head that is whole in what was read is not copied: its spans point there. One that comes in
 * pieces is collected in memory that the parser takes for it, at most head_max bytes, and gives
 * back at the call after it: a connection between two messages, or within a body, owns none.
 *
 * Which events come, and which error, depends on the bytes alone and never on how they were cut;
 * only BODY spans are cut as the bytes are. An error is final.
 *
 * What cannot be told apart for sure is refused, for that is how requests are smuggled past a
 * proxy: Content-Length beside Transfer-Encoding, lengths that differ or are no numbers, a coding
 * behind chunked, Transfer-Encoding in HTTP/1.0, folded lines, NUL and other control characters, a
 * CR alone, a space before a colon, LF alone in chunked framing, a request of HTTP/1.1 without
 * Host, any with two or an impossible one. LF alone ends a line of a head, as RFC 9112 section 2.2
 * permits.
 *
 * A request target has visible ASCII but for " < > and #: browsers send \ ^ ` { | } in it. */
#ifndef HNET_CODEC_HTTP1_H
#define HNET_CODEC_HTTP1_H

#include "../base/hbuf.h"
#include "http_head.h"
#include "http_names.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP1_LINE_MAX 8192
#define HTTP1_HEAD_MAX 32768
#define HTTP1_FIELDS_MAX 100
#define HTTP1_BODY_MAX 1048576
#define HTTP1_TRAILERS_MAX 8192
#define HTTP1_CHUNK_EXTENSIONS_MAX 4096
#define HTTP1_EMPTY_LINES_MAX 4 /* in front of a request; RFC 9112 section 2.2 */
#define HTTP1_UNLIMITED UINT64_MAX

/* 0 everywhere is the default; sizes are bytes, at most UINT32_MAX but for body_max. */
typedef struct http1_options_s {
    size_t line_max;     /* one line, its end included: 414 for a request line, 431 for others */
    size_t head_max;     /* 431 */
    uint64_t body_max;   /* 413; the default is HTTP1_BODY_MAX for requests, none for responses */
    size_t trailers_max; /* 431 */

    /* Of chunk extensions beyond the data that comes with them: each byte of data earns one of
     * extension, up to this. 400. */
    size_t chunk_extensions_max;

    /* For peers that need it. Requests: any bytes but spaces and control characters in the target.
     * Responses: folded lines (they become spaces), spaces before a colon (dropped), names of any
     * characters, empty lines in front; Transfer-Encoding beats Content-Length and counts in
     * HTTP/1.0, and the connection closes after it; in chunked framing LF alone, and spaces behind
     * the size. */
    bool lenient;

    /* Responses: codings before chunked, or without it (the body then goes on to the close), are
     * the program's to undo. Otherwise they are HERR_UNSUPPORTED. */
    bool any_coding;

    /* Responses: Content-Length is not believed: what is not in chunks goes on to the close. */
    bool ignore_length;

    /* "GET /path" and the end of the line is a request; a response that does not begin with "HTTP/"
     * is nothing but a body. */
    bool http09;
} http1_options_t;

typedef enum http1_kind_e { HTTP1_REQUESTS, HTTP1_RESPONSES } http1_kind_e;

/* Embedded by value; its members are private. */
typedef struct http1_parser_s {
    const http1_options_t *options;
    const char *reason;
    http_find_cb find;  /* this processor's */
    hbytes_t head;      /* what has come of a head or trailers that are not whole */
    uint64_t body_left; /* of the body, or of the chunk */
    uint64_t body_len;  /* so far, of a chunked one */
    uint64_t body_max;
    uint32_t line_max;
    uint32_t lines_max;   /* of the head, or of the trailers */
    uint32_t line;        /* where in the head the line begins that is not whole */
    uint32_t field_count; /* before that line */
    uint32_t extensions_left;
    int error;
    uint16_t status;
    uint8_t kind;        /* http1_kind_e */
    uint8_t state;       /* http1_state_e */
    uint8_t answer_to;   /* http_method_e */
    uint8_t digits;      /* of the chunk size */
    uint8_t empty_lines; /* in front of the head */
    bool started;        /* the first line is whole */
    bool full;           /* head_max was not enough */
    bool last;           /* no message follows on this connection */
} http1_parser_t;

typedef enum http1_event_e {
    HTTP1_MORE = 0, /* all bytes are used up: call again when there are more */
    HTTP1_HEAD,     /* the message but for body and trailers; a status 1xx ends at once, and the
                     * response it announces follows */
    HTTP1_BODY,     /* message->body */
    HTTP1_TRAILERS, /* message->fields; only if there are any */
    HTTP1_END,      /* of this message */
    HTTP1_DONE      /* no message follows: after END of one that is not kept alive, and after 101 or
                     * a 2xx to CONNECT, when what is left belongs to another protocol */
} http1_event_e;

typedef enum http1_target_e {
    HTTP1_TARGET_ORIGIN,    /* "/path?query" */
    HTTP1_TARGET_ABSOLUTE,  /* "http://host/path": its host goes before Host */
    HTTP1_TARGET_AUTHORITY, /* "host:port", of CONNECT */
    HTTP1_TARGET_ASTERISK   /* "*", of OPTIONS */
} http1_target_e;

typedef enum http1_framing_e {
    HTTP1_NO_BODY,
    HTTP1_LENGTH,  /* content_length bytes */
    HTTP1_CHUNKED, /* up to the last chunk */
    HTTP1_TO_CLOSE /* a response, up to the end of the connection */
} http1_framing_e;

/* Spans, of head and body, are valid until the next call with the parser, and as long as what was
 * given to this call. */
typedef struct http1_message_s {
    http_field_t *fields; /* field_count of them */
    size_t field_count;
    size_t fields_max;
    uint64_t present;                 /* a bit for each http_field_e; see http1_field */
    uint16_t known[HTTP_FIELD_COUNT]; /* where those are */
    http_span_t head;                 /* all of it, with the empty line */
    http_span_t body;

    http_method_e method; /* requests */
    http_span_t method_name;
    http_span_t target;
    http1_target_e target_form;

    int status; /* responses; 200 in HTTP/0.9 */
    http_span_t reason;

    int major, minor; /* 1 and 0..9; 0 and 9 */
    http1_framing_e framing;
    int64_t content_length; /* what the field says, also where there is no body; -1: no field */
    bool keep_alive;        /* another message may follow on this connection */
    bool upgrade;           /* there is an Upgrade, and Connection names it */
    bool expect_continue;   /* the client waits for 100 before it sends the body */
} http1_message_t;

/* Gives a message its scratch; more than fields_max (at most UINT16_MAX) fields are a 431. */
void http1_message_init(http1_message_t *message, http_field_t *fields, size_t fields_max);

/* options is borrowed while the parser lives, and may serve many of them; NULL: the defaults. */
void http1_init(http1_parser_t *parser, http1_kind_e kind, const http1_options_t *options);

/* Frees what a head in pieces has taken. The parser must be initialised again to be used. */
void http1_deinit(http1_parser_t *parser);

/* Reads on: takes what it uses off the front of *rest. Returns the next event, which may come
 * without bytes too (END); or an error: HERR_PROTOCOL, HERR_FRAME_SIZE (past a maximum),
 * HERR_UNSUPPORTED (a version or a coding), -ENOMEM. Of the message only what the event names is
 * set; it must be the same one, or one with as large a scratch, throughout a head. */
int http1_parse(http1_parser_t *parser, http_span_t *rest, http1_message_t *message);

/* The peer will send no more. 0 where a message may end: between two, or a body that goes on to the
 * close (whose END comes now, as that of no other body does, from the next http1_parse);
 * HERR_TRUNCATED elsewhere; or the error that there was. */
int http1_eof(http1_parser_t *parser);

/* Responses: says, before its head is read, to which method the next final one belongs: there is
 * no body for HEAD and none for a 2xx to CONNECT. GET if nothing is said. */
void http1_answer_to(http1_parser_t *parser, http_method_e method);

/* Another maximum for the body whose HEAD has just come; what is too long is refused by the next
 * call. */
void http1_set_body_max(http1_parser_t *parser, uint64_t body_max);

/* Whether bytes of a message have come, but not all of it: a time limit runs, EOF is an error. */
bool http1_in_message(const http1_parser_t *parser);

/* After an error: the status to answer with before the connection is closed (400, 413, 414, 431,
 * 500, 501, 505; for responses 502, what a proxy says), and one line that says why. 0 and ""
 * without an error. Static storage. */
int http1_status(const http1_parser_t *parser);
const char *http1_reason(const http1_parser_t *parser);

/* What has been collected of a head that came in pieces, until it is whole; also after an error in
 * it. Empty if it came at once. */
http_span_t http1_collected(const http1_parser_t *parser);

/* After HERR_FRAME_SIZE in a head: it was head_max, not one line or the number of fields. */
bool http1_head_is_full(const http1_parser_t *parser);

/* The first field of this name that is known; NULL if there is none. Valid after HEAD, and after
 * TRAILERS for these. */
const http_field_t *http1_field(const http1_message_t *message, http_field_e field);

/* The first field of this name, whatever it is (in any case), behind another one; NULL to begin. */
const http_field_t *http1_field_find(const http1_message_t *message, const http_field_t *behind,
                                     const char *name);

/* Copies a head, for one who needs it longer than its bytes are there: message->head.len bytes to
 * buf, to which all spans then point. fields (field_count of them) takes the place of the scratch,
 * unless it is NULL. */
void http1_message_move(http1_message_t *message, char *buf, http_field_t *fields);

#ifdef __cplusplus
}
#endif

#endif
