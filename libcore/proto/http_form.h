/* http_form: multipart/form-data (RFC 7578) as the body of a request, from parts that are memory,
 * files or pipes; forms may lie in forms (multipart/mixed). Nothing is put together in memory: the
 * source that it makes reads its parts' sources one after another.
 *
 * The fields of a part are, in this order and if there is something to say: Content-Disposition,
 * Content-Type, Content-Transfer-Encoding, and its own. */
#ifndef HNET_PROTO_HTTP_FORM_H
#define HNET_PROTO_HTTP_FORM_H

#include "../base/hbuf.h"
#include "http_source.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_FORM_PARTS_MAX 100000
#define HTTP_FORM_DEPTH_MAX 32
#define HTTP_FORM_BOUNDARY_DASHES 24
#define HTTP_FORM_BOUNDARY_RANDOM 22 /* letters and digits behind them */
#define HTTP_FORM_BOUNDARY_LEN (HTTP_FORM_BOUNDARY_DASHES + HTTP_FORM_BOUNDARY_RANDOM)
#define HTTP_FORM_LINE_MAX 76 /* of base64 and quoted-printable, without CR LF */

typedef struct http_form_s http_form_t;

typedef enum http_form_encoding_e {
    HTTP_FORM_PLAIN, /* and nothing is said of it */
    HTTP_FORM_BINARY,
    HTTP_FORM_8BIT,
    HTTP_FORM_7BIT, /* a byte past 127 is HERR_SYNTAX */
    HTTP_FORM_BASE64,
    HTTP_FORM_QUOTED_PRINTABLE /* its length is not known before */
} http_form_encoding_e;

/* All but what is needed may be 0. Copied. */
typedef struct http_form_part_s {
    const char *name;
    const char *filename;
    const char *type;          /* NULL: none, of a form: multipart/mixed */
    const char *const *fields; /* "Name: value", without CR LF; they may replace those above */
    size_t field_count;
    http_form_encoding_e encoding;
} http_form_part_t;

#define HTTP_FORM_ESCAPE                                                                           \
    1                     /* a quote or backslash in a name is written \\" and \\\\; else a quote is
                              %22, and line ends are %0D and %0A, as browsers do */
#define HTTP_FORM_MIXED 2 /* its parts are attachments (multipart/mixed), not of a form */

/* flags: HTTP_FORM_. 0, -ENOMEM, or that of getrandom. */
int http_form_new(unsigned flags, http_form_t **form);
void http_form_free(http_form_t *form);

/* Adds a part; its body is owned from here on if it returns 0. 0; -EINVAL: a line end in what
 * becomes a field; -ENOBUFS, -ENOMEM. */
int http_form_add(http_form_t *form, const http_form_part_t *part, http_source_t *body);

/* Adds a form as a part; it is owned in any case, and freed if that fails. */
int http_form_add_form(http_form_t *form, const http_form_part_t *part, http_form_t *inner);

const char *http_form_boundary(const http_form_t *form);

/* The body of all. The form is the source's from here on if it returns 0, and no more is added.
 * Its length is known if those of all parts are; it can be rewound if they can. Wants no more
 * memory while it is read. 0, -ENOMEM. */
int http_form_source(http_form_t *form, http_source_t **source);

/* A part's body with an encoding, by itself: owns inner if it returns 0. 0, -ENOMEM. */
int http_form_encode(http_form_encoding_e encoding, http_source_t *inner, http_source_t **source);

/* The type by the end of a name, among the few that curl knows (".txt": text/plain); NULL: none. */
const char *http_form_type(const char *filename);

#ifdef __cplusplus
}
#endif

#endif
