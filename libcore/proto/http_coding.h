/* http_coding: the content codings gzip, deflate, br and zstd (RFC 9110 section 8.4.1, RFC 1950 to
 * 1952, 7932, 8878, 9659), streamed in both directions, without I/O. zlib, brotli and zstd are
 * loaded when a coding is first used; without its library a coding is not available.
 *
 *     while ((state = http_coding_step(c, &in, &out, HTTP_CODING_RUN)) == HTTP_CODING_AGAIN)
 *         ... send what is in the output, give a new one
 *
 * A call never makes more than the output holds, so a bomb costs its sender as much time as its
 * receiver is willing to give. An object belongs to one thread at a time. */
#ifndef HNET_PROTO_HTTP_CODING_H
#define HNET_PROTO_HTTP_CODING_H

#include "../base/hbuf.h"
#include "../codec/http_head.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum http_coding_e {
    HTTP_CODING_IDENTITY,
    HTTP_CODING_GZIP,
    HTTP_CODING_DEFLATE, /* zlib's format; one that is sent without its wrapper is read, too */
    HTTP_CODING_BR,
    HTTP_CODING_ZSTD
} http_coding_e;
#define HTTP_CODING_COUNT 5

/* Sets of codings. */
#define HTTP_CODING_BIT(coding) (1U << (coding))
#define HTTP_CODING_ALL ((1U << HTTP_CODING_COUNT) - 1)

#define HTTP_CODING_STACK_MAX 5            /* codings one over the other in an answer */
#define HTTP_CODING_ZSTD_WINDOW_LOG_MAX 23 /* 8 MiB, RFC 9659 */
#define HTTP_CODING_LEVEL_DEFAULT (-1)     /* gzip, deflate: 6; br: 5; zstd: 3 */
#define HTTP_CODING_SIZE_UNKNOWN UINT64_MAX

/* ---- names ----------------------------------------------------------------------------------- */

/* "gzip"; static. */
const char *http_coding_name(http_coding_e coding);

/* What a file is called that holds it: ".gz", ".br", ".zst"; NULL if there is no such habit. */
const char *http_coding_suffix(http_coding_e coding);

/* The coding of a name, in any case, "x-gzip" as gzip; -ENOENT. */
int http_coding_find(http_span_t name);

/* The codings of the set that this process can use: loads their libraries, any thread. identity
 * always is one. */
unsigned http_coding_available(unsigned codings);

/* The coding of the set that the value of an Accept-Encoding field likes most (data NULL: there was
 * none); of equals the one that is smallest: br, zstd, gzip, deflate, identity in this order.
 * -ENOENT if none is acceptable. Knows nothing of libraries: a file that lies there encoded needs
 * none. */
int http_coding_choose(http_span_t accept_encoding, unsigned offers);

/* The same for what is encoded while it is sent: of equals the one that costs least time, zstd
 * (with about as much to send as gzip, in a sixth of the time), br, gzip, deflate, identity. */
int http_coding_choose_live(http_span_t accept_encoding, unsigned offers);

/* ---- streams --------------------------------------------------------------------------------- */

typedef struct http_coding_s http_coding_t;

/* level: 1-9 gzip and deflate, 0-11 br, 1-19 zstd; beyond these the nearest one. size: of what will
 * be encoded, if it is known: small texts then cost little memory; it need not be true. At most, at
 * the default level, gzip and deflate need 270 KiB, zstd 2 MiB, br 5 MiB. 0;
 * HERR_UNSUPPORTED (no library, or identity), -ENOMEM. Freed by http_coding_free. */
int http_encoder_new(http_coding_e coding, int level, uint64_t size, http_coding_t **encoder);

/* content_encoding: the value of the field, several lines joined with commas: codings in the order
 * in which they were applied. Without one but identity it copies. 0; HERR_UNSUPPORTED (a coding
 * that is unknown, or its library is missing); HERR_SYNTAX; HERR_RANGE (more than
 * HTTP_CODING_STACK_MAX), -ENOMEM. Freed by http_coding_free.
 *
 * Memory, at most, for each: gzip, deflate 64 KiB; zstd 9 MiB; br 17 MiB. */
int http_decoder_new(http_span_t content_encoding, http_coding_t **decoder);

void http_coding_free(http_coding_t *coding);

typedef enum http_coding_op_e {
    HTTP_CODING_RUN,   /* more input comes later */
    HTTP_CODING_FLUSH, /* encoder: all that was given can be decoded by the receiver afterwards */
    HTTP_CODING_FINISH /* the input ends here */
} http_coding_op_e;

typedef enum http_coding_state_e {
    HTTP_CODING_MORE,  /* all input is used, and all output that it gave is out */
    HTTP_CODING_AGAIN, /* call again with the same op, and room in the output */
    HTTP_CODING_END    /* encoder: the last byte is out; decoder: so is the content's */
} http_coding_state_e;

/* Takes input off the front of *in, and puts output to the front of *out; both move past what was
 * used. An http_coding_state_e; or an error, that is then given again: HERR_PROTOCOL (it is not
 * encoded so), HERR_TRUNCATED (HTTP_CODING_FINISH in the middle), HERR_UNSUPPORTED (a zstd window
 * above the maximum, a dictionary), -ENOMEM. What was made before the error is in the output.
 *
 * A decoder reads gzip members and zstd frames one behind the other, and tells the end of them at
 * HTTP_CODING_FINISH or at bytes that begin no other one; deflate and br at their own end. It
 * leaves what is behind the end in *in. No input at all is an empty content. AGAIN also limits how
 * long one call may work without any output (codings in codings). */
int http_coding_step(http_coding_t *coding, http_span_t *in, hbuf_t *out, http_coding_op_e op);

/* Whether a decoder was given bytes behind the end of what is encoded. Browsers ignore these. */
bool http_coding_trailing(const http_coding_t *coding);

#ifdef __cplusplus
}
#endif

#endif
