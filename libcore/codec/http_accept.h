/* http_accept: what a client would rather have (RFC 9110 section 12): chooses among what the server
 * offers by an Accept, Accept-Encoding or Accept-Language field. */
#ifndef HNET_CODEC_HTTP_ACCEPT_H
#define HNET_CODEC_HTTP_ACCEPT_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_ACCEPT_ELEMENTS_MAX 64 /* of a field; what comes after them is not read */
#define HTTP_QUALITY_MAX 1000       /* q=1 */

typedef enum {
    HTTP_ACCEPT_TYPE,    /* "text/html", "text/html;level=1" */
    HTTP_ACCEPT_CODING,  /* "gzip", "identity"; x-gzip is gzip, x-compress is compress */
    HTTP_ACCEPT_LANGUAGE /* "en", "de-AT" */
} http_accept_e;

/* How much an offer is liked, 0 (not acceptable) to HTTP_QUALITY_MAX: that of the element that fits
 * it most closely. field is the value, several lines joined with commas; data NULL without. An
 * element that is malformed is as absent; an empty field is one without elements.
 *
 * A field that is absent likes all equally, but for codings: one who does not ask for any gets
 * identity. identity is liked least, unless the field names it or *.
 * "en" fits en-US and, where nothing else does, "en-US" fits en (RFC 4647 sections 3.3.1, 3.4). */
int http_accept_quality(http_accept_e what, http_span_t field, const char *offer);

/* The index of the offer that is liked most, the first one of equals; -ENOENT if none is
 * acceptable. */
int http_accept_choose(http_accept_e what, http_span_t field, const char *const *offers,
                       size_t count);

#ifdef __cplusplus
}
#endif

#endif
