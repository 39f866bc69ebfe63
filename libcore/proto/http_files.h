/* http_files: answers GET and HEAD with the files below a folder.
 *
 * Conditions, single and multiple ranges, If-Range (RFC 9110 sections 13 and 14), ETag and Last-
 * Modified, index files, listings, precompressed siblings ("style.css.br", unless they are older
 * than the file) and coding on the fly. A path that leads out of the folder does not exist, and
 * neither does what is hidden (but for "/.well-known/", RFC 8615); openat2 with RESOLVE_BENEATH
 * makes the kernel hold to it. What is neither file nor folder (a FIFO, a device) does not exist
 * either. Fields that the response has already (Cache-Control ...) stay as they are.
 *
 * Open files are kept, small ones with their content, and are checked by stat at most every
 * recheck_ms; what is sent from a descriptor is looked at each time. A file that was changed within
 * the last second has a weak ETag. The folder is checked every recheck_ms too: another one under
 * its name (it was made again, a link leads elsewhere) takes its place. If that cannot be opened,
 * the former one is served for as long as it exists, and then the answer is 503. */
#ifndef HNET_PROTO_HTTP_FILES_H
#define HNET_PROTO_HTTP_FILES_H

#include "http_server.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct http_files_s http_files_t;
typedef struct http_mime_s http_mime_t;

typedef enum {
    HTTP_LINKS_INSIDE = 0, /* symbolic links are followed unless they leave the folder */
    HTTP_LINKS_ALL,        /* anywhere */
    HTTP_LINKS_NONE
} http_links_e;

/* 0 in a number: the value given here. Strings are copied. */
typedef struct http_files_options_s {
    const char *root;          /* the folder */
    const char *const *index;  /* NULL-terminated; NULL: index.html; an empty list: none */
    const char *spa;           /* answers with 200 where nothing is found and the client takes HTML;
                                   relative to root */
    const char *default_type;  /* application/octet-stream */
    const char *cache_control; /* of 200, 206 and 304; NULL: none */
    http_mime_t *mime;         /* borrowed; NULL: an own one */
    http_links_e links;
    bool hidden;            /* serve names that begin with a dot */
    bool listing;           /* a page for folders without index; else 403 */
    bool precompressed;     /* look for .br, .zst, .gz siblings */
    bool compress;          /* code on the fly what is compressible */
    bool archives;          /* "?archive=tar" on a folder */
    uint32_t compress_min;  /* 1,024 bytes and more */
    uint32_t recheck_ms;    /* 1,000 */
    uint32_t open_max;      /* 512 files are kept open */
    uint64_t memory_max;    /* 32 MiB of content are kept, of files up to 64 KiB */
    unsigned listing_flags; /* what a listing offers, http_listing_flags_e, */
    const char *flags_at;   /* at this path and below; NULL: everywhere */
    const char *server;     /* at the foot of listings; NULL: nothing */
    const char *events_url; /* live reload: put into listings, and at the end of HTML up to 1 MiB
                               (http_page_reload_script); NULL: none */
} http_files_options_t;

/* 0 and *files; -ENOENT, -ENOTDIR, -EACCES ... of the root; -EINVAL; -ENOMEM. For one loop's
 * thread. */
int http_files_new(hloop_t *loop, const http_files_options_t *options, http_files_t **files);

/* Files that are being sent stay open until they have been. NULL is legal. */
void http_files_free(http_files_t *files);

/* The http_handler_cb: userdata is the http_files_t. Answers every request: 405 with Allow for
 * other methods than GET, HEAD and OPTIONS. */
void http_files_handle(http_stream_t *stream, void *files);

/* The same with another path than the request's: what is left behind a prefix, or a rewritten one.
 * Decoded, with a leading slash. */
void http_files_serve(http_files_t *files, http_stream_t *stream, http_span_t path);

/* One file, for an error page or a single-page application; status instead of 200 (0: 200). 0, or
 * an error and nothing was answered. */
int http_files_send(http_files_t *files, http_stream_t *stream, http_span_t path, int status);

/* Opens the folder of a path below the root, for uploads: a descriptor that the caller closes, or
 * -ENOENT, -ENOTDIR, -EACCES. */
int http_files_open_folder(http_files_t *files, http_span_t path);

/* Whether a request that is to change the file of the path may do so, as its If-Match and the like
 * have it (RFC 9110 section 13): 0 or 412. */
int http_files_precondition(http_files_t *files, const http_stream_t *stream, http_span_t path);

/* The file of the path has been changed: what is kept of it is not good any more. */
void http_files_forget(http_files_t *files, http_span_t path);

#ifdef __cplusplus
}
#endif

#endif
