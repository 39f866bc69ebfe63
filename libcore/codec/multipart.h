/* multipart: bodies of several parts (RFC 2046 section 5.1): multipart/form-data (RFC 7578) and
 * multipart/byteranges (RFC 9110 section 14.6). The parser takes bytes as they come, in pieces of
 * any size, and hands on the bodies without keeping them; it holds one head at most. */
#ifndef HNET_CODEC_MULTIPART_H
#define HNET_CODEC_MULTIPART_H

#include "../base/hbuf.h"
#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MULTIPART_BOUNDARY_MAX 70   /* RFC 2046 */
#define MULTIPART_HEAD_MAX 16384    /* of a part, unless set */
#define MULTIPART_FIELDS_MAX 32     /* of a part */
#define MULTIPART_PARTS_MAX 1000    /* of a body, unless set */
#define MULTIPART_PREAMBLE_MAX 4096 /* before the first part */

/* The boundary of a Content-Type of multipart/anything, without quotes. 0, HERR_UNSUPPORTED
 * (another type), or HERR_SYNTAX (no boundary, or one that cannot be). boundary points into value.
 * */
int multipart_boundary(http_span_t value, http_span_t *boundary);

/* Called from within multipart_feed. Any of them may be NULL; one that returns a negative error
 * ends the parse with it. */
typedef struct multipart_callbacks_s {
    /* A part begins; its fields end with an empty line (http_field_find reads them) and are valid
     * during the call. */
    int (*part)(http_span_t fields, void *arg);
    int (*data)(const char *data, size_t len, void *arg); /* of its body, never 0 bytes */
    int (*end)(void *arg);                                /* the part is whole */
} multipart_callbacks_t;

typedef enum {
    MULTIPART_PREAMBLE, /* before the first boundary */
    MULTIPART_LINE,     /* behind a boundary, in its line */
    MULTIPART_HEAD,
    MULTIPART_BODY,
    MULTIPART_END /* behind the last boundary: all that comes is dropped */
} multipart_state_e;

typedef struct multipart_s {
    multipart_callbacks_t callbacks;
    void *arg;
    size_t head_max;  /* may be lowered or raised after multipart_init */
    size_t parts_max; /* the same */
    /* What follows is the parser's own. */
    multipart_state_e state;
    char mark[MULTIPART_BOUNDARY_MAX + 5]; /* CR LF "--" boundary */
    size_t mark_len, matched;              /* so much of it was seen, and is held back */
    size_t implied;                        /* of that is no data in any case */
    size_t dropped, parts;
    http_scan_t scan;
    hbytes_t head;
    char line[2]; /* what was seen of the boundary's line */
    size_t line_len;
    int err;
} multipart_t;

/* 0, or HERR_SYNTAX for a boundary that cannot be (empty, too long, controls). */
int multipart_init(multipart_t *m, http_span_t boundary, const multipart_callbacks_t *callbacks,
                   void *arg);
void multipart_deinit(multipart_t *m);

/* Parses the next bytes. 0; HERR_PROTOCOL; HERR_FRAME_SIZE past a maximum; -ENOMEM; or what a
 * callback said. An error stays: every later call gives it again. */
int multipart_feed(multipart_t *m, const void *data, size_t len);

/* At the end of the body: 0 if the last boundary was there, HERR_TRUNCATED, or the error from
 * before. */
int multipart_finish(const multipart_t *m);

/* ---- writing --------------------------------------------------------------------------------- */

/* What stands before a part's body: the boundary's line, the fields (lines with CR LF, without the
 * empty one) and the empty line. first: it is the first part. Written with a NUL. The length,
 * -ENOBUFS, or -EINVAL for a boundary that cannot be. The sum of these and of the bodies is the
 * Content-Length. */
ssize_t multipart_write_head(http_span_t boundary, bool first, http_span_t fields, char *buf,
                             size_t size);

/* What stands behind the last body. */
ssize_t multipart_write_end(http_span_t boundary, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
