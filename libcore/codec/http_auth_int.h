/* What the client and the server side of http_auth share: parameters as they are written in fields,
 * and the arithmetic of Digest. */
#ifndef HNET_CODEC_HTTP_AUTH_INT_H
#define HNET_CODEC_HTTP_AUTH_INT_H

#include "http_auth.h"

#define HTTP_AUTH_HEX_SIZE (2 * HTTP_AUTH_DIGEST_MAX + 1)

/* name=value or name="value". */
typedef struct http_param_s {
    http_span_t name;
    http_span_t value; /* without quotes, still with backslashes, which a token never has */
} http_param_t;

/* Takes spaces and commas off the front. */
void http_auth__skip(http_span_t *rest);

/* Takes a token off the front; false if there is none. */
bool http_auth__token(http_span_t *rest, http_span_t *token);

/* Takes a parameter off the front. 1; 0 if something else is there, and *rest is as it was;
 * HERR_SYNTAX. */
int http_auth__param(http_span_t *rest, http_param_t *param);

/* The value without its backslashes, and a NUL. False if it has no room or has a control
 * character. */
bool http_auth__unescape(const http_param_t *param, char *text, size_t size);

/* "SHA-256-sess" and the like, in any case. */
bool http_auth__algorithm(http_span_t text, http_auth_hash_e *hash, bool *session);
const char *http_auth__algorithm_name(http_auth_hash_e hash, bool session);

/* All that the response is made of; qop false is the way of RFC 2069. */
typedef struct http_digest_s {
    http_auth_hash_e hash;
    bool session, qop;
    http_span_t user, realm, password, method, uri, nonce, cnonce;
    uint32_t count;
} http_digest_t;

/* Hexadecimal digits of the hash of the parts. Their number, or an error of the hasher. */
int http_auth__hex(const http_auth_hasher_t *hasher, http_auth_hash_e hash,
                   const http_span_t *parts, size_t count, char *hex);

/* RFC 7616 section 3.4.1. Writes the digits and a NUL; their number, or an error of the hasher. */
int http_auth__response(const http_auth_hasher_t *hasher, const http_digest_t *digest, char *hex);

/* Text into a buffer that may turn out to be too small. */
typedef struct http_writer_s {
    char *buf;
    size_t size, len;
    bool full;
} http_writer_t;

void http_auth__put(http_writer_t *w, const char *text);
void http_auth__put_quoted(http_writer_t *w, const char *text, size_t len);

/* The length, or -ENOBUFS. */
ssize_t http_auth__written(const http_writer_t *w);

#endif
