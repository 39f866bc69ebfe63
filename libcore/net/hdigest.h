/* hdigest: MD5, SHA-256 and SHA-512/256 for HTTP Digest, by OpenSSL, which is loaded at the first
 * use (base/hlib); and random text for nonces. */
#ifndef HNET_NET_HDIGEST_H
#define HNET_NET_HDIGEST_H

#include "../codec/http_auth.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For codec/http_auth.h: hash is hdigest_hash, arg is not used. 0; HERR_UNSUPPORTED: there is no
 * OpenSSL, or it refuses this hash (MD5 in FIPS mode). Any thread. */
int hdigest_hash(http_auth_hash_e hash, const http_span_t *parts, size_t count, uint8_t *digest,
                 void *arg);

/* The same as a ready-made hasher. */
http_auth_hasher_t hdigest_hasher(void);

#define HDIGEST_NONCE_SIZE 33 /* 128 random bits in hexadecimal digits and a NUL */

/* A client's nonce from the system's random numbers. 0 or -EIO. */
int hdigest_cnonce(char text[HDIGEST_NONCE_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
