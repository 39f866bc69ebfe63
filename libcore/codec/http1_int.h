/* What the files of http1 share: http1.c has the states and the bodies, http1_head.c the lines of
 * heads and trailers, http1_framing.c what a head means. */
#ifndef HNET_CODEC_HTTP1_INT_H
#define HNET_CODEC_HTTP1_INT_H

#include "http1.h"

typedef enum http1_state_e {
    HTTP1_IN_HEAD,
    HTTP1_IN_LENGTH, /* a body of body_left bytes */
    HTTP1_IN_OLD,    /* the start of an HTTP/0.9 response, which was collected as a head */
    HTTP1_IN_CLOSE,  /* a body up to the close */
    HTTP1_IN_SIZE,   /* the digits of a chunk's size */
    HTTP1_IN_SPACE,  /* behind them, before the semicolon */
    HTTP1_IN_EXTENSION,
    HTTP1_IN_SIZE_LF, /* behind the CR of that line */
    HTTP1_IN_CHUNK,
    HTTP1_IN_CHUNK_CR, /* behind the data */
    HTTP1_IN_CHUNK_LF,
    HTTP1_IN_TRAILERS,
    HTTP1_AT_END,
    HTTP1_AT_DONE,
    HTTP1_FAILED
} http1_state_e;

/* Results of the functions below besides events and errors. */
#define HTTP1__AGAIN 100  /* go on in the state that was set */
#define HTTP1__WHOLE 101  /* *end is where the lines end */
#define HTTP1__EMPTY 102  /* an empty line in front of a head, which *end is behind */
#define HTTP1__FOLDED 103 /* cannot go on without the right to write */
#define HTTP1__OLD 104    /* a response of HTTP/0.9 */

/* Makes the error final. Returns it. */
int http1__fail(http1_parser_t *p, int error, int status, const char *reason);

bool http1__is_lenient_response(const http1_parser_t *p);

/* Reads on in the lines that begin at text, from p->line on. 0: they are not whole. own: they lie
 * in the parser's own memory, and may be changed. */
int http1__read_lines(http1_parser_t *p, http1_message_t *m, http_span_t text, bool own,
                      size_t *end);

/* Begins with the first line again. */
void http1__rewind(http1_parser_t *p);

/* What the fields of a whole head say of its message: sets framing, keep_alive and so on. */
int http1__frame(http1_parser_t *p, http1_message_t *m);

#endif
