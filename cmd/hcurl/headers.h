/* headers: the fields of all responses that a transfer received: what %{header_json}, -J and the
 * ETag files are made of. */
#ifndef HCURL_HEADERS_H
#define HCURL_HEADERS_H

#include "base/hbuf.h"
#include "proto/http_client.h"

#define HEADERS_SIZE_MAX ((size_t)4 << 20) /* bytes of all names and values */
#define HEADERS_COUNT_MAX 20000

typedef enum headers_kind_e {
    HEADERS_RESPONSE, /* of a server, also of redirects and challenges */
    HEADERS_INTERIM,
    HEADERS_CONNECT,
    HEADERS_TRAILER
} headers_kind_e;

/* Strings are NUL-terminated, and valid until the next head comes. */
typedef struct header_s {
    const char *name;
    const char *value;
    uint32_t request; /* the how-manieth response of a server it is in, from 0 on */
    headers_kind_e kind;
} header_t;

/* Zero-initialised is empty; its members are private. */
typedef struct headers_s {
    hbytes_t text;
    hbytes_t marks;
    size_t count;
    size_t last_head; /* so many fields had the head that came last */
    uint32_t requests;
    uint32_t followed;
} headers_t;

/* Keeps the fields of a head, of trailers. 0; -ENOBUFS past a maximum, -ENOMEM: nothing of it is
 * kept then. */
int headers_add(headers_t *headers, http_hop_e hop, const http_field_t *fields, size_t count);
int headers_add_trailers(headers_t *headers, const http_field_t *fields, size_t count);

/* Forgets all, for another try. */
void headers_clear(headers_t *headers);
void headers_deinit(headers_t *headers);

/* The one at index (from 0 on, in the order they came). */
bool headers_at(const headers_t *headers, size_t index, header_t *header);

/* The first response field of this name (in any case) of the last response, or of all with
 * `any_request`; at *index or behind it, and *index is then that of the next. */
bool headers_find(const headers_t *headers, const char *name, bool any_request, size_t *index,
                  header_t *header);

/* Fields of the head that came last: %{num_headers}. */
size_t headers_last_count(const headers_t *headers);

/* Responses that another request followed upon: redirects, and challenges, which curl counts as
 * such: %{num_redirects}. */
uint32_t headers_followed(const headers_t *headers);

/* Appends the last response as %{header_json} shows it. 0 or the errors of hbytes_append. */
int headers_json(const headers_t *headers, hbytes_t *out);

#endif
