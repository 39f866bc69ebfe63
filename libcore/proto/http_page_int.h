/* What the files of http_page and http_listing share. */
#ifndef HNET_PROTO_HTTP_PAGE_INT_H
#define HNET_PROTO_HTTP_PAGE_INT_H

#include "http_page.h"

#include <string.h>

/* http_page_style.c: what is between the tags, and its hash for the policy. test_http_page computes
 * the hashes anew and tells the right ones when a text was changed. */
extern const char http_page__style[];
extern const char http_page__upload[];
extern const char http_page__reload[];

#define HTTP_PAGE_STYLE_HASH "'sha256-N8FXMigdNpKXdWCK/IVNiTeCaueW9MEw61hEC9R2imQ='"
#define HTTP_PAGE_UPLOAD_HASH "'sha256-iI5M6E9i3tTZ+JVpJyI++08q9y0JToV8y36/vOlx5Bg='"
#define HTTP_PAGE_RELOAD_HASH "'sha256-lB6fanw0VNCA/GsNaq/tUCTYCEaCJFMK1P0LgikaTJ4='"

/* Appends until the first error, which it keeps. */
typedef struct http_page_writer_s {
    hbytes_t *out;
    int err;
} http_page_writer_t;

static inline void http_page__put(http_page_writer_t *w, const char *html)
{
    if (!w->err)
        w->err = hbytes_append_str(w->out, html);
}

static inline void http_page__put_text(http_page_writer_t *w, const char *text)
{
    if (!w->err)
        w->err = http_page_text(w->out, text, strlen(text));
}

static inline void http_page__put_bytes(http_page_writer_t *w, const char *text, size_t len)
{
    if (!w->err)
        w->err = http_page_text(w->out, text, len);
}

#endif
