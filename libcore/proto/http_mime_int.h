/* http_mime_int: the table that is built in. */
#ifndef HNET_PROTO_HTTP_MIME_INT_H
#define HNET_PROTO_HTTP_MIME_INT_H

#include "http_mime.h"

typedef struct http_mime_row_s {
    const char *extension; /* lower case */
    const char *type;      /* with its charset */
} http_mime_row_t;

/* Sorted by extension. */
extern const http_mime_row_t http_mime__types[];
extern const size_t http_mime__type_count;

#endif
