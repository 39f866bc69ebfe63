/* upload: what its files share.
 *
 *     upload.c          which request wants what; folders made, things deleted
 *     upload_receive.c  files that come: a form's, or PUT
 *     upload_store.c    one of them on its way to the disk */
#ifndef HNET_HHTTPD_UPLOAD_H
#define HNET_HHTTPD_UPLOAD_H

#include "site.h"

#define UPLOAD_FILES_MAX 256 /* of a form */
#define UPLOAD_OPEN_MAX 1024 /* of all requests of a host and thread */

/* Of a host. */
typedef struct upload_s {
    site_host_t *host;
    size_t open_count; /* files that are being received */
} upload_t;

/* A path's folder and the name in it; a slash at its end does not count. */
typedef struct upload_place_s {
    http_span_t folder; /* with its slash */
    http_span_t name;   /* empty: it is the root */
} upload_place_t;
upload_place_t upload_place(http_span_t path);

/* Whether a client may have a file of this name. */
bool upload_is_name(const upload_t *upload, http_span_t name);

/* Answers with what a system call's error means for the client. subject may be NULL. */
void upload_refuse(http_stream_t *stream, int err, const char *subject);

/* Says where to go on: a page by 303, others by a status. to is a decoded path. */
void upload_see_other(http_stream_t *stream, http_span_t to);

bool upload_wants_json(const http_stream_t *stream);

/* Something at this path (behind base_url) is not any more what it was. */
void upload_changed(const upload_t *upload, http_span_t path);

/* Whether a page of another origin has sent the request. */
bool upload_is_cross_site(const http_stream_t *stream);

/* upload_receive.c: what is stored in the folder of this path, or at this path. Both answer. */
void upload_receive_form(upload_t *upload, http_stream_t *stream, http_span_t path);
void upload_receive_put(upload_t *upload, http_stream_t *stream, http_span_t path);

#endif
