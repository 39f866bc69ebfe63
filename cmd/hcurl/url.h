/* url: the URLs of an operation in their order, each with its -o or -O and its -T by position (the
 * second -o belongs to the second URL, wherever both stand), and what becomes of them: globs, the
 * query of -G and --url-query, the name of an upload behind a slash. */
#ifndef HCURL_URL_H
#define HCURL_URL_H

#include "app/hopt.h"
#include "base/hurl.h"

#include "glob.h"

#include <stdbool.h>
#include <stdint.h>

#define URL_ITEMS_MAX ((size_t)1 << 20) /* of an operation */
#define URL_FILE_MAX (64 << 20)         /* bytes of --url @FILE */
#define URL_QUERY_MAX 100000
#define URL_NO_NAME "curl_response" /* what -O takes where the URL has no name */

/* Strings are borrowed from the command line. */
typedef struct url_item_s {
    const char *url;    /* NULL: more -o or -T than URLs */
    const char *output; /* -o */
    const char *upload; /* -T; NULL: none, or -T "" */
    bool remote_name;   /* -O */
    bool out_null;      /* --out-null */
    bool no_glob;       /* of --url @FILE */
    bool has_url, has_output, has_upload;
} url_item_t;

/* All zero is the default. */
typedef struct url_options_s {
    url_item_t *items;
    size_t count, cap;
    size_t next_url, next_output, next_upload; /* items before these have one */
    size_t urls;  /* of the items: those with a URL; fewer: "Got more output options than URLs" */
    bool globoff; /* -g */
    bool get;     /* -G: the data is the query */
    bool path_as_is;
    bool remote_name_all;
    const char *proto_default; /* "https"; NULL: guessed, mostly http */
    hbytes_t query;            /* of all --url-query */
    bool has_query;
    hopt_list_t lines; /* of --url @FILE, owned */
} url_options_t;

extern const hopt_t url_rows[];

/* An operand, or @FILE of them. 0; HERR_SYNTAX: it is empty; -errno, -ENOMEM, -ENOBUFS; why has one
 * line for what is the fault of url. */
int url_add(url_options_t *options, const char *url, hbytes_t *why);

/* Frees what the rows have collected. */
void url_options_deinit(url_options_t *options);

/* ---- one after another ----------------------------------------------------------------------- */

/* What a transfer is made of. A URL that cannot be one is a transfer, too, which fails with
 * `status` and `why` before anything is sent; the ones behind it go on. */
typedef struct url_target_s {
    char *text;       /* %{url}: behind globbing, with the query and an upload's name */
    hurl_t url;       /* of it, as http_client takes it; empty if status is not 0 */
    int status;       /* 0, STATUS_URL, STATUS_SCHEME */
    hbytes_t why;     /* one line: "URL rejected: no host" */
    char *output;     /* NULL: standard output ("-", too); else a name without --output-dir */
    bool remote_name; /* output is made of the URL (-O), so that -J may change it */
    bool to_stdout;   /* -o - was said: binary on a terminal is meant */
    bool out_null;    /* the body is dropped */
    char *upload;     /* NULL: none; "-" and ".": standard input */
    uint32_t number;  /* %{urlnum}: of the item, within the operation from 0 on */
} url_target_t;

typedef struct url_iter_s {
    const url_options_t *options;
    const char *query; /* borrowed: what -G makes of the data; NULL: that of --url-query */
    size_t item;
    glob_set_t *globs, *uploads; /* of the item; NULL: none */
    char *upload;                /* the one that all URLs of the glob get */
    bool begun;                  /* the item gave a target */
} url_iter_t;

/* query: what -G makes of the data (body_query), borrowed; NULL: none. */
void url_iter_init(url_iter_t *iter, const url_options_t *options, const char *query);
void url_iter_deinit(url_iter_t *iter);

/* The next one, in curl's order: all uploads of an item, for each all its URLs. 1 and *target
 * (freed by url_target_deinit); 0: there are no more; or -(exit status), which ends the operation,
 * and *error has the text behind "hcurl: (3) ": of several lines for a glob. */
int url_next(url_iter_t *iter, url_target_t *target, hbytes_t *error);

/* Legal on a zeroed one. */
void url_target_deinit(url_target_t *target);

/* Parses a URL as given on the command line, with --proto-default and --path-as-is. 0; the exit
 * status, and why. */
int url_read(const url_options_t *options, const char *text, hurl_t *url, hbytes_t *why);

/* ---- data that is encoded: --url-query and --data-urlencode ---------------------------------- */

/* Appends "content", "=content", "name=content", "@file" or "name@file" with the content encoded (a
 * space as "+"). 0, -errno of the file, -ENOMEM, -ENOBUFS; why is then filled. */
int url_encode_pair(const char *text, hbytes_t *out, hbytes_t *why);

#endif
