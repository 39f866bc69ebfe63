/* What the client and the server side of http_auth share: parameters of a challenge, and the
 * arithmetic of Digest. */
#ifndef HNET_CODEC_HTTP_AUTH_INT_H
#define HNET_CODEC_HTTP_AUTH_INT_H

#include "http_auth.h"
#include "http_text_int.h"

#define HTTP_AUTH_HEX_SIZE (2 * HTTP_AUTH_DIGEST_MAX + 1)

/* Takes spaces and commas off the front. */
void http_auth__skip(http_span_t *rest);

/* Takes a parameter off the front. 1; 0 if something else is there, and *rest is as it was;
 * HERR_SYNTAX. */
int http_auth__param(http_span_t *rest, http_param_t *param);

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

#endif
