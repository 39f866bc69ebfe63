/* http_listing: the content of a folder, as a page and as JSON.
 *
 *     http_listing_t listing;
 *     http_listing_order_t order = http_listing_order(query, len);
 *     err = http_listing_read(&listing, dirfd, NULL);
 *     http_listing_sort(&listing, order);
 *     page = (http_listing_page_t){.listing = &listing, .order = order, .path = "/music/"};
 *     while ((err = http_listing_html(&page, &next, &out)) > 0)
 *         ... send what is in out, hbytes_clear it ...
 *     http_listing_deinit(&listing);
 *
 * All links are relative to the folder ("./name", "../"), so its URL has to end with a slash, and
 * the page works under any prefix of a reverse proxy. */
#ifndef HNET_PROTO_HTTP_LISTING_H
#define HNET_PROTO_HTTP_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../base/hbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_LISTING_ENTRIES_MAX 100000
#define HTTP_LISTING_PART 65536 /* bytes after which http_listing_html and _json make a pause */

typedef struct http_listing_entry_s {
    const char *name; /* the bytes of the file system */
    uint64_t size;    /* bytes; 0 for a folder */
    int64_t mtime_s;  /* since the epoch */
    bool is_dir;
    bool is_link; /* symbolic; the other members tell of what it leads to */
} http_listing_entry_t;

typedef struct http_listing_s {
    http_listing_entry_t *entries;
    size_t count;
    bool truncated; /* there were more than the maximum */
    char *names;    /* the memory behind the names; NULL: they are somebody else's */
} http_listing_t;

/* ---- reading --------------------------------------------------------------------------------- */

/* Tells what the symbolic link in the folder leads to: 0 and *st filled in; anything else leaves it
 * out of the listing. */
typedef int (*http_listing_link_cb)(int dirfd, const char *name, struct stat *st, void *arg);

typedef struct http_listing_options_s {
    bool hidden;               /* list names with a dot in front, too */
    http_listing_link_cb link; /* NULL: links are followed wherever they lead */
    void *arg;
    size_t entries_max; /* 0 or more than it: HTTP_LISTING_ENTRIES_MAX */
} http_listing_options_t;

/* Reads the folder, in no order, from its beginning; blocks while the file system does. dirfd stays
 * the caller's, and where its reading stands does not count. Only folders and plain files are
 * listed, and links that lead to them. options NULL: all 0. 0, -ENOTDIR, -EACCES (and what else
 * opening or reading it gives), -ENOMEM; listing is freed by http_listing_deinit in any case. */
int http_listing_read(http_listing_t *listing, int dirfd, const http_listing_options_t *options);

/* Frees what is in it; legal on a zeroed one, and twice. */
void http_listing_deinit(http_listing_t *listing);

/* ---- order ----------------------------------------------------------------------------------- */

typedef enum { HTTP_LISTING_NAME, HTTP_LISTING_SIZE, HTTP_LISTING_TIME } http_listing_key_e;

typedef struct http_listing_order_s {
    http_listing_key_e key;
    bool descending;
} http_listing_order_t;

/* What the query of the URL asks for, without the "?": sort=name, size or time, and order=asc or
 * desc. By name upwards, by size and by time downwards if it does not say; what it says otherwise
 * is disregarded. query may be NULL. */
http_listing_order_t http_listing_order(const char *query, size_t len);

/* Folders come first in any order. Names are compared as people do: runs of digits by their value
 * ("a9" < "a10"), ASCII letters without regard to case, other bytes by value. Equal sizes and times
 * are in the order of names. */
void http_listing_sort(http_listing_t *listing, http_listing_order_t order);

/* < 0, 0 or > 0: the order of names that http_listing_sort uses; 0 for the same bytes only. */
int http_listing_compare(const char *a, const char *b);

/* ---- writing --------------------------------------------------------------------------------- */

/* What the page offers; the server decides what it allows. All of it is POST to the folder or to an
 * entry, and a server has to refuse such a request from a page of another origin (Sec-Fetch-Site,
 * Origin). */
typedef enum {
    HTTP_LISTING_UPLOAD = 1, /* multipart/form-data to "./?upload", each file a part named "file" */
    HTTP_LISTING_MKDIR = 2,  /* x-www-form-urlencoded to "./?mkdir": name= */
    HTTP_LISTING_DELETE =
        4, /* x-www-form-urlencoded, empty, to "./name?delete", "./folder/?delete" */
    HTTP_LISTING_ARCHIVE = 8 /* a link to "./?archive=tar" */
} http_listing_flags_e;

typedef struct http_listing_page_s {
    const http_listing_t *listing;
    http_listing_order_t order; /* that the listing is in */
    unsigned flags;
    const char *path;       /* of the folder, decoded, any bytes: "/", "/music/live/" */
    const char *root;       /* what "/" is called in the page; NULL: "Home" */
    const char *title;      /* NULL: made from the path */
    const char *server;     /* at the foot: "hhttpd 0.4"; NULL: nothing */
    const char *events_url; /* http_page_reload_script; NULL: no live reload */
} http_listing_page_t;

/* The scripts that http_listing_html puts in, for http_page_csp. */
unsigned http_listing_scripts(const http_listing_page_t *page);

/* Appends the next part of the page, some 64 KiB (HTTP_LISTING_PART). *next is 0 at first and
 * belongs to these functions then; the page and the listing must stay as they are. 1: there is more
 * to come; 0: that was the end; -ENOMEM or -ENOBUFS, and out is of no use then. */
int http_listing_html(const http_listing_page_t *page, size_t *next, hbytes_t *out);

/* The same as JSON on one line:
 *
 *     {"path":"/music/","entries":[
 *      {"name":"live","type":"directory","modified":"2026-11-20T16:45:01Z","href":"./live/"},
 *      {"name":"a.ogg","type":"file","size":1234,"modified":"...","href":"./a.ogg","link":true}]}
 *
 * link is there for symbolic links only, "truncated":true behind the path if entries are missing.
 * Bytes of a name that are not UTF-8 are U+FFFD in name; href always is exact. */
int http_listing_json(const http_listing_page_t *page, size_t *next, hbytes_t *out);

#ifdef __cplusplus
}
#endif

#endif
