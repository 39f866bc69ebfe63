/* http_auth: WWW-/Proxy-Authenticate and the answers to it: Basic (RFC 7617) and Digest (RFC 7616),
 * client and server side. Pure: hashes come as a function, random bytes and the time as arguments.
 */
#ifndef HNET_CODEC_HTTP_AUTH_H
#define HNET_CODEC_HTTP_AUTH_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_AUTH_TEXT_SIZE 512 /* realm, nonce, opaque with their NUL */
#define HTTP_AUTH_USER_SIZE 256 /* of a user name and a password that a server takes */
#define HTTP_AUTH_VALUE_SIZE                                                                       \
    4096                        /* enough for every value that is composed for a target of 1 KiB */
#define HTTP_AUTH_DIGEST_MAX 32 /* bytes of a hash */
#define HTTP_AUTH_CHALLENGES_MAX 16

typedef enum {
    HTTP_AUTH_UNKNOWN, /* Negotiate and others that are not ours */
    HTTP_AUTH_BASIC,
    HTTP_AUTH_DIGEST
} http_auth_scheme_e;

typedef enum { HTTP_AUTH_MD5, HTTP_AUTH_SHA256, HTTP_AUTH_SHA512_256 } http_auth_hash_e;

/* Hashes the parts one after another; digest has HTTP_AUTH_DIGEST_MAX bytes. 0 or an error, which
 * the callers below pass on (HERR_UNSUPPORTED: there is no such hash here). net/hdigest.h is one.
 */
typedef int (*http_auth_hash_cb)(http_auth_hash_e hash, const http_span_t *parts, size_t count,
                                 uint8_t *digest, void *arg);

typedef struct http_auth_hasher_s {
    http_auth_hash_cb hash;
    void *arg;
} http_auth_hasher_t;

typedef struct http_challenge_s {
    http_auth_scheme_e scheme;
    http_auth_hash_e hash;
    bool session;   /* "-sess" */
    bool stale;     /* the password may be right, the nonce is too old */
    bool qop;       /* qop=auth is offered; without any qop it is the way of RFC 2069 */
    bool named;     /* the hash is, by the challenge */
    bool user_hash; /* the user's name is to be sent as a hash */
    bool unusable;  /* Digest with a hash or a qop that is not ours, or without a nonce */
    char realm[HTTP_AUTH_TEXT_SIZE]; /* unescaped */
    char nonce[HTTP_AUTH_TEXT_SIZE];
    char opaque[HTTP_AUTH_TEXT_SIZE]; /* "": none */
} http_challenge_t;

/* ---- client ---------------------------------------------------------------------------------- */

/* Cuts the next challenge off the front of a field's value. 1, 0 at the end, HERR_SYNTAX. */
int http_challenge_next(http_span_t *value, http_challenge_t *challenge);

#define HTTP_AUTH_ANY ((1U << HTTP_AUTH_BASIC) | (1U << HTTP_AUTH_DIGEST))

/* The strongest usable challenge of all fields of this name ("Proxy-Authenticate"): Digest before
 * Basic, SHA-256 (or SHA-512-256) before MD5; of a scheme that is in the set of (1U <<
 * http_auth_scheme_e). Fields that are broken count as absent. 0, or -ENOENT if there is none. */
int http_auth_choose(http_span_t fields, const char *name, unsigned schemes,
                     http_challenge_t *challenge);

typedef struct http_auth_s {
    const char *user, *password;
    http_span_t method; /* "CONNECT" */
    http_span_t uri;    /* the request target as it is sent */
    const char *cnonce; /* Digest: random text of the client's, no quotes in it */
    uint32_t count;     /* how often this nonce was used, 1 the first time */
} http_auth_t;

/* Writes the value of (Proxy-)Authorization and a NUL. challenge NULL: Basic unasked. Returns its
 * length, -ENOBUFS, -ENOMEM, -EINVAL (no cnonce for Digest), or what the hasher said. hasher may be
 * NULL for Basic. Control characters in a user of Digest are percent-encoded. */
ssize_t http_auth_answer(const http_challenge_t *challenge, const http_auth_t *auth,
                         const http_auth_hasher_t *hasher, char *buf, size_t size);

/* ---- server ---------------------------------------------------------------------------------- */

#define HTTP_AUTH_NONCE_SIZE 96   /* with a NUL */
#define HTTP_AUTH_NONCE_AGE_S 300 /* then it is stale */

/* A nonce that proves itself: the time and a hash over it and the secret, so that no list of them
 * is kept. now_s is any clock that does not go back. Returns the length or an error of the hasher.
 */
ssize_t http_auth_nonce(http_span_t secret, uint64_t now_s, const http_auth_hasher_t *hasher,
                        char *buf, size_t size);

/* Writes the value of (Proxy-)Authenticate for scheme, hash, realm, nonce, stale and qop of the
 * challenge. Returns its length, -ENOBUFS or -EINVAL. */
ssize_t http_challenge_compose(const http_challenge_t *challenge, char *buf, size_t size);

typedef struct http_credentials_s {
    http_auth_scheme_e scheme;
    http_auth_hash_e hash;
    bool session, qop;
    uint32_t count; /* nc */
    char user[HTTP_AUTH_USER_SIZE];
    char password[HTTP_AUTH_USER_SIZE]; /* Basic */
    char realm[HTTP_AUTH_TEXT_SIZE];
    char nonce[HTTP_AUTH_TEXT_SIZE];
    char cnonce[HTTP_AUTH_TEXT_SIZE];
    http_span_t uri;                            /* points into the value */
    uint8_t response[2 * HTTP_AUTH_DIGEST_MAX]; /* hexadecimal digits */
    size_t response_len;
} http_credentials_t;

/* Parses the value of (Proxy-)Authorization. 0, HERR_SYNTAX, HERR_UNSUPPORTED (a scheme or hash
 * that is not ours). */
int http_credentials_parse(http_credentials_t *credentials, http_span_t value);

typedef enum {
    HTTP_AUTH_ACCEPTED,
    HTTP_AUTH_STALE, /* right, but the nonce is old: challenge again with stale */
    HTTP_AUTH_REFUSED
} http_auth_verdict_e;

typedef struct http_auth_server_s {
    http_auth_hasher_t hasher;
    http_span_t secret; /* of http_auth_nonce */
    const char *realm;
    bool basic; /* Basic is accepted */
} http_auth_server_t;

/* Checks credentials against the user and password that are right (HTTP_AUTH_*), in a time that
 * does not depend on where they differ. method and target are the request's. Negative: the hasher
 * failed. */
int http_auth_verify(const http_auth_server_t *server, const http_credentials_t *credentials,
                     const http_auth_t *right, uint64_t now_s);

#ifdef __cplusplus
}
#endif

#endif
