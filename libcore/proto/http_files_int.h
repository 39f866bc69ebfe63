/* The inside of http_files, for its files only. */
#ifndef HNET_PROTO_HTTP_FILES_INT_H
#define HNET_PROTO_HTTP_FILES_INT_H

#include "../base/hlist.h"
#include "../codec/http_range.h"
#include "http_coding.h"
#include "http_compress.h"
#include "http_files.h"
#include "http_stream_int.h"

#include <sys/stat.h>

#define HTTP_FILES_CONTENT_MAX (64 * 1024)    /* of a file that is kept in memory */
#define HTTP_FILES_RELOADED_MAX (1024 * 1024) /* of a page with a script for live reload */
#define HTTP_FILES_ETAG_SIZE 64
#define HTTP_FILES_INDEX_MAX 16 /* names */

/* What tells one state of a file from another. */
typedef struct http_file_state_s {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime, ctime;
} http_file_state_t;

/* A file or folder that was found. Several hold it: the cache, responses that send it. */
typedef struct http_file_s {
    hlist_t lru; /* linked while it is in the cache */
    struct http_file_s *next;
    uint32_t refs;
    uint32_t hash;
    bool folder;
    bool fresh;  /* changed so shortly before it was opened that a later change may look alike */
    bool looked; /* for siblings */
    bool compressible;
    unsigned codings; /* of siblings, HTTP_CODING_BIT */
    int fd;           /* -1: the content is in memory, or it is a folder */
    char *content;    /* NULL: not in memory */
    http_file_state_t state;
    int64_t size; /* of what is sent: the file's, or a bit more (live reload) */
    uint64_t checked_us;
    http_validators_t validators;
    char *text;            /* what the spans and the tag lie in */
    http_span_t type;      /* Content-Type, its value */
    http_span_t type_line; /* and the whole */
    http_span_t lines;     /* the other fields of a response */
    uint64_t present;      /* http_response__add_lines for these */
    size_t cost;           /* bytes of memory */
    size_t path_len;
    char path[];
} http_file_t;

typedef struct http_files_cache_s {
    http_file_t **buckets;
    size_t bucket_count, count;
    hlist_t in_memory, opened; /* the one that was used longest ago first */
    size_t open_count, memory;
} http_files_cache_t;

struct http_files_s {
    hloop_t *loop;
    http_files_options_t options; /* strings are own; root is absolute, or NULL: not to be found */
    char *index[HTTP_FILES_INDEX_MAX + 1];
    char *real_root; /* NULL: its name cannot be found out */
    size_t real_root_len;
    int root;
    int root_err; /* why nothing can be had below it, as it was when it was checked */
    uint64_t root_checked_us;
    bool walks; /* the kernel has no openat2 */
    http_mime_t *mime;
    http_mime_t *own_mime;
    http_files_cache_t cache;
    uint64_t boundaries; /* so many were made */
    http_compress_options_t compress;
};

/* ---- http_files_open.c ----------------------------------------------------------------------- */

/* 0 or a negative errno. */
int http_files__open_root(http_files_t *files, const char *path);

/* At most every recheck_ms: when another folder bears the root's name it is opened, and nothing of
 * the former one is kept. 0; -ENOENT ...: the root has been removed; -EAGAIN: and the one that was
 * made in its place cannot be opened. What is still there but under no name or another's is held
 * on to. */
int http_files__check_root(http_files_t *files, uint64_t now_us);

/* Opens what path ("/a/b", decoded) names below the root, as the links option permits. flags are
 * open(2)'s. A descriptor or a negative errno. */
int http_files__open(http_files_t *files, http_span_t path, int flags);

/* What the name says now, without opening it: only to be compared with a state. */
bool http_files__is_same(const http_files_t *files, const http_file_t *file);

http_file_state_t http_files__state(const struct stat *st);
bool http_files__same_state(const http_file_state_t *a, const http_file_state_t *b);

/* ---- http_files_cache.c ---------------------------------------------------------------------- */

/* The plain file or folder of a path; *file is given back by http_files__put. 0 or a negative
 * errno. */
int http_files__get(http_files_t *files, http_span_t path, uint64_t now_us, http_file_t **file);
void http_files__put(http_file_t *file);

/* For what is made of a file and kept under a key that no path is. */
http_file_t *http_files__find(const http_files_t *files, http_span_t key); /* borrowed, or NULL */
void http_files__drop(http_files_t *files, http_file_t *file);
void http_files__keep(http_files_t *files, http_file_t *file); /* takes a reference of its own */

/* An empty one with this key and state; NULL: out of memory. */
http_file_t *http_files__new(http_span_t key, const http_file_state_t *state);

/* What is said of it: a tag is a strong one only if no change leaves it as it is. */
typedef enum {
    HTTP_FILES_STRONG,
    HTTP_FILES_WEAK,
    HTTP_FILES_CODED /* weak, and no ranges */
} http_files_tag_e;

/* Makes type and lines. 0 or -ENOMEM. */
int http_files__describe(const http_files_t *files, http_file_t *file, const char *type,
                         http_files_tag_e tag);

void http_files__drop_all(http_files_t *files);
void http_files__cache_init(http_files_cache_t *cache);
void http_files__cache_deinit(http_files_t *files);

/* For http_response_send_nocopy, arg being the file. */
void http_files__put_content(void *content, void *arg);

/* ---- http_files.c ---------------------------------------------------------------------------- */

/* Answers with a plain file, whose reference it takes. */
void http_files__respond(http_files_t *files, http_stream_t *stream, http_file_t *file, int status);

/* Nothing was found, or err says otherwise. */
void http_files__missing(http_files_t *files, http_stream_t *stream, http_span_t path, int err);

/* ---- http_files_form.c ----------------------------------------------------------------------- */

/* What a request asks for. */
typedef struct http_files_wish_s {
    http_conditions_t conditions;
    bool conditional;
    http_span_t range;           /* data NULL: none */
    http_span_t accept_encoding; /* data NULL: none */
} http_files_wish_t;

typedef struct http_files_form_s {
    http_file_t *file; /* with a reference */
    http_coding_e coding;
    bool varies;   /* with Accept-Encoding */
    bool compress; /* while it is sent */
} http_files_form_t;

http_files_form_t http_files__choose_form(http_files_t *files, const http_stream_t *stream,
                                          http_file_t *file, const http_files_wish_t *wish);

/* ---- http_files_ranges.c --------------------------------------------------------------------- */

/* Sends these bytes of the file, the whole of it or a part. Takes the reference. */
void http_files__send_part(http_stream_t *stream, http_file_t *file, http_range_t range);

/* 206. Takes the reference. */
void http_files__send_ranges(http_files_t *files, http_stream_t *stream, http_file_t *file,
                             http_span_t type, const http_ranges_t *ranges);

/* ---- http_files_folder.c --------------------------------------------------------------------- */

/* Answers for a folder, whose reference it takes: the index, a redirect, a listing, an archive. */
void http_files__respond_folder(http_files_t *files, http_stream_t *stream, http_file_t *folder);

/* ---- http_files_archive.c -------------------------------------------------------------------- */

/* Whether the query is "archive=tar". */
bool http_files__wants_archive(const http_stream_t *stream);

/* Sends all below a folder, whose path ends with a slash, as a tar stream. */
void http_files__send_archive(http_files_t *files, http_stream_t *stream, http_span_t path);

/* Whether a path is one that is not served. */
bool http_files__is_hidden(const http_files_t *files, http_span_t path);

#endif
