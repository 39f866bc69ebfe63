/* http_cookie_jar: the cookies that a client keeps, and those that a request gets (RFC 6265bis
 * sections 5.7 and 5.8). What a cookie is, who may set it and who gets it is codec/http_cookie's;
 * here are the store, the list of public suffixes and the files: the Netscape format, and heads of
 * responses with Set-Cookie lines.
 *
 * The clock is the caller's: now_s are seconds since the epoch. An object belongs to one thread. */
#ifndef HNET_PROTO_HTTP_COOKIE_JAR_H
#define HNET_PROTO_HTTP_COOKIE_JAR_H

#include "../base/hbuf.h"
#include "../codec/http_cookie.h"
#include "../codec/http_names.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The oldest cookie makes room for one too many. */
#define HTTP_COOKIE_JAR_MAX 16384
#define HTTP_COOKIE_JAR_DOMAIN_MAX 1024 /* of one domain */

#define HTTP_COOKIE_JAR_LINE_MAX 5000         /* a Set-Cookie, or a line of a file */
#define HTTP_COOKIE_JAR_SET_MAX 50            /* taken from one response */
#define HTTP_COOKIE_JAR_SEND_MAX 150          /* cookies in a request ... */
#define HTTP_COOKIE_JAR_HEADER_MAX 8190       /* ... and the bytes of its whole Cookie line */
#define HTTP_COOKIE_JAR_FILE_MAX (64UL << 20) /* bytes of a file that is loaded */

typedef struct http_cookie_jar_s http_cookie_jar_t;

/* 0 and *jar, or -ENOMEM. */
int http_cookie_jar_new(http_cookie_jar_t **jar);
void http_cookie_jar_free(http_cookie_jar_t *jar); /* NULL is legal */

size_t http_cookie_jar_count(const http_cookie_jar_t *jar); /* expired ones may be among them */

/* Counts what has changed, so that a file is written only when there is news. */
uint64_t http_cookie_jar_changes(const http_cookie_jar_t *jar);

/* ---- responses and requests ------------------------------------------------------------------ */

/* Takes the value of one Set-Cookie. site is who sent it: its host in lower case, and https in
 * secure; localhost, 127.0.0.1 and ::1 count as secure, too (here and in http_cookie_jar_get). 1:
 * it has replaced an older one, 0: it is new (or gone, if it has expired); else it was ignored:
 * HERR_SYNTAX, HERR_FRAME_SIZE (too long), -EACCES (not this site's to set, or it would hide a
 * secure one), -ENOMEM. */
int http_cookie_jar_set(http_cookie_jar_t *jar, http_span_t value, const http_cookie_site_t *site,
                        int64_t now_s);

/* The same for all Set-Cookie among the fields of a response, HTTP_COOKIE_JAR_SET_MAX of them at
 * most; what has to be ignored is. 0 or -ENOMEM. */
int http_cookie_jar_take(http_cookie_jar_t *jar, const http_field_t *fields, size_t count,
                         const http_cookie_site_t *site, int64_t now_s);

/* Appends the value of the Cookie field for a request: "a=b; c=d", or nothing. Longer paths come
 * first, then longer domains, longer names, newer cookies. 0; 1: there are more than there is room
 * for in a header, so the caller appends none of its own either; -ENOMEM or -ENOBUFS, and nothing
 * was appended. */
int http_cookie_jar_get(http_cookie_jar_t *jar, const http_cookie_site_t *site, int64_t now_s,
                        hbytes_t *value);

/* ---- files ----------------------------------------------------------------------------------- */

#define HTTP_COOKIE_JAR_NO_SESSION 1 /* flag: cookies that end with the session stay out */

/* Takes the cookies of a text in the format of Netscape ("host TAB tail TAB path TAB secure TAB
 * expires TAB name TAB value"), or out of its Set-Cookie lines; lines that are neither are ignored.
 * A cookie that came with a response is not replaced. What has no domain belongs to the host that
 * the first request goes to, and is never written. How many were taken, or -ENOMEM. */
ssize_t http_cookie_jar_read(http_cookie_jar_t *jar, http_span_t text, unsigned flags,
                             int64_t now_s);

/* Appends them all, newest first, in the format of Netscape. 0, -ENOMEM, -ENOBUFS. */
int http_cookie_jar_write(http_cookie_jar_t *jar, int64_t now_s, hbytes_t *text);

/* The same with a file: "-" is the standard input. What is no plain file (a pipe) is read to its
 * end. How many were taken, -errno, -EFBIG. */
ssize_t http_cookie_jar_load(http_cookie_jar_t *jar, const char *path, unsigned flags,
                             int64_t now_s);

/* Replaces the file as a whole (hfile_replace). 0, -errno, -ENOMEM. */
int http_cookie_jar_save(http_cookie_jar_t *jar, const char *path, int64_t now_s);

#ifdef __cplusplus
}
#endif

#endif
