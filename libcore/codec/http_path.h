/* http_path: the path of a request target as a server means it: decoded, without dot segments. */
#ifndef HNET_CODEC_HTTP_PATH_H
#define HNET_CODEC_HTTP_PATH_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Decodes the percent-encoding, then resolves "." and ".." segments and makes one slash of several,
 * so that no way of writing a path leads to another file than its plain form. "%2F" is a slash like
 * any other; a "+" stays. path is without the query. Writes the path and a NUL to dst, which may be
 * path itself if it is writable; size must be more than path.len. Returns the length;
 * HERR_SYNTAX: it does not begin with a slash, or a "%" without two digits, or a NUL; HERR_RANGE:
 * ".." leads out of the root; -ENOBUFS. */
ssize_t http_path_decode(char *dst, size_t size, http_span_t path);

/* Cuts "path?query" at the first "?"; a "#" and what follows is dropped. query->data is NULL
 * without one. */
void http_path_split(http_span_t target, http_span_t *path, http_span_t *query);

/* Appends data to out with all encoded that may not stand in a path: what is left is A-Z a-z 0-9
 * - . _ ~ ! $ & ' ( ) * + , ; = : @ and /. The length, or -ENOBUFS. A NUL is added. */
ssize_t http_path_encode(char *dst, size_t size, http_span_t path);

/* Whether a segment begins with a dot: "/.git/config", "/a/.hidden". */
bool http_path_is_hidden(http_span_t path);

#ifdef __cplusplus
}
#endif

#endif
