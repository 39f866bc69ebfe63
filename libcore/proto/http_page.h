/* http_page: the look that all pages of the server's own share (listings, errors): one style sheet,
 * light and dark, without a script of its own or anything to load; and text made safe for HTML.
 *
 * Style and scripts stand in the page and are constant, so that a Content-Security-Policy can name
 * them by their hashes: http_page_csp. What varies is in attributes that the scripts read. */
#ifndef HNET_PROTO_HTTP_PAGE_H
#define HNET_PROTO_HTTP_PAGE_H

#include "../base/hbuf.h"
#include "../codec/http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Scripts that a page may have; a set. */
typedef enum {
    HTTP_PAGE_UPLOAD_SCRIPT = 1, /* drag and drop, progress */
    HTTP_PAGE_RELOAD_SCRIPT = 2  /* live reload */
} http_page_script_e;

/* The value of the Content-Security-Policy field for a page with these scripts: nothing but its own
 * style and scripts, nothing loaded from anywhere, forms and connections to the same origin only.
 * Static storage. */
const char *http_page_csp(unsigned scripts);

typedef enum { HTTP_PAGE_HTML, HTTP_PAGE_JSON, HTTP_PAGE_TEXT } http_page_type_e;

/* What a client with this Accept field (data NULL: none) gets of them; HTML if it does not care or
 * takes none of them (RFC 9110 section 12.5.1 allows to disregard it). Vary: Accept is due. */
http_page_type_e http_page_choose(http_span_t accept);

/* "text/html; charset=utf-8" and the like. Static storage. */
const char *http_page_content_type(http_page_type_e type);

typedef struct http_page_error_s {
    int status;         /* 404 */
    const char *reason; /* "Not Found" */
    const char *detail; /* a sentence for people, any bytes; NULL: none */
    const char *server; /* at the foot: "hhttpd 0.4"; NULL: nothing */
} http_page_error_t;

/* Appends the body of an error's answer. JSON is {"status":404,"error":"Not Found","detail":"..."},
 * without detail if there is none. 0, -ENOMEM or -ENOBUFS; out then has a part of it. */
int http_page_error(http_page_type_e type, const http_page_error_t *error, hbytes_t *out);

/* ---- for modules that write pages ------------------------------------------------------------ */

/* Appends from the doctype to the opening of <body>; title is any bytes. The errors are those of
 * hbytes_append here and below. */
int http_page_begin(hbytes_t *out, const char *title);

/* The same; head is HTML that is put at the end of the page's head as it is: what a page of another
 * program adds to the style (tokens such as --card and --dim are there for it). */
int http_page_begin_with(hbytes_t *out, const char *title, const char *head);

/* Appends the foot and the end of the page; server may be NULL. */
int http_page_end(hbytes_t *out, const char *server);

/* Appends bytes as HTML text, also for an attribute's value in quotes: & < > " ' are escaped. What
 * a person could not see, or would be misled by, is shown: a control character as its picture
 * (U+2400 and following), what is not UTF-8 or turns the direction of text as U+FFFD. */
int http_page_text(hbytes_t *out, const void *text, size_t len);

/* Appends the script that loads the page anew when the server-sent events at this URL (any text; it
 * is escaped) have one called "reload", or begin again after they were lost. It may be put at the
 * end of any HTML; its hash is in http_page_csp(HTTP_PAGE_RELOAD_SCRIPT). */
int http_page_reload_script(hbytes_t *out, const char *events_url);

/* Appends the script of the upload form (http_listing). */
int http_page_upload_script(hbytes_t *out);

#ifdef __cplusplus
}
#endif

#endif
