/* http_cookie_file: a cookie as a line of a file in the format of Netscape, which curl, wget and
 * the tools of browsers read and write:
 *
 *     domain TAB tail TAB path TAB secure TAB expires TAB name TAB value
 *
 * tail: TRUE if it is for all hosts below the domain, too, which then has a dot in front. expires:
 * seconds since the epoch; 0: it ends with the session. "#HttpOnly_" in front of the line says
 * that, any other "#" makes it a comment. */
#ifndef HNET_CODEC_HTTP_COOKIE_FILE_H
#define HNET_CODEC_HTTP_COOKIE_FILE_H

#include "http_cookie.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a line without its end. An empty path is "/"; a line without one has TRUE or FALSE in its
 * place; the value may be missing with the TAB in front. Spans point into the line. 0; HERR_SYNTAX:
 * a comment, or no cookie. */
int http_cookie_line_parse(http_span_t line, http_cookie_t *cookie);

/* Writes an accepted cookie, without an end of line, and a NUL. The length, -ENOBUFS, or -EINVAL
 * for one that would not be read back (control characters, no name). */
ssize_t http_cookie_line_write(const http_cookie_t *cookie, char *buf, size_t size);

/* A path as cookies are stored with it: without quotes around it and slashes at its end; "/" for
 * what is no path. */
http_span_t http_cookie_plain_path(http_span_t path);

#ifdef __cplusplus
}
#endif

#endif
