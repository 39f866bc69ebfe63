/* http_mime: the media type of a file by its name: what was added, then the system's table, then
 * one that is built in. The system's table is read when it is first needed. */
#ifndef HNET_PROTO_HTTP_MIME_H
#define HNET_PROTO_HTTP_MIME_H

#include "../codec/http_head.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_MIME_SYSTEM "/etc/mime.types"
#define HTTP_MIME_UNKNOWN "application/octet-stream"

#define HTTP_MIME_EXTENSION_MAX 32       /* bytes */
#define HTTP_MIME_TYPE_MAX 127           /* bytes, parameters included */
#define HTTP_MIME_FILE_MAX (1024 * 1024) /* of the system's table */
#define HTTP_MIME_ENTRIES_MAX 16384

typedef struct http_mime_s http_mime_t;

/* path: a file in the format of mime.types ("type ext ext ..." on a line), usually
 * HTTP_MIME_SYSTEM, copied; NULL: what is built in only. Does not open it. NULL when out of memory.
 * Belongs to one thread at a time. */
http_mime_t *http_mime_new(const char *path);
void http_mime_free(http_mime_t *mime);

/* Reads the file now if it was not yet, as one has to before a chroot. 0, or why it cannot be read:
 * the errors of hfile_read; http_mime_find then does without it.
 * Lines and extensions that cannot be used are left out. */
int http_mime_load(http_mime_t *mime);

/* From now on files with this extension ("md", no dot, in any case) are of this type, whatever a
 * table says; "text/plain" gets a charset as all do, a type with parameters stays as it is. Both
 * are copied. 0, HERR_SYNTAX, HERR_RANGE (too long, or too many), -ENOMEM. */
int http_mime_add(http_mime_t *mime, const char *extension, const char *type);

/* A whole Content-Type: "text/html; charset=utf-8", "image/png"; HTTP_MIME_UNKNOWN if nobody knows.
 * name is a path or a file's name, and its extension what stands behind the last dot; a dot in
 * front makes none. Text gets charset=utf-8, and so do JSON and JavaScript; XML says by itself
 * what it is in. Never NULL; valid until mime is added to or freed. Allocates only while it reads
 * the system's table. */
const char *http_mime_find(http_mime_t *mime, http_span_t name);

/* Whether it is worth compressing: text, JSON, XML, fonts that are not yet compressed ... type may
 * have parameters. */
bool http_mime_is_compressible(http_span_t type);

#ifdef __cplusplus
}
#endif

#endif
