/* What both sides need; http_auth_client.c and http_auth_server.c are the sides. */
#include "http_auth_int.h"

#include "../base/herr.h"

#include <stdio.h>
#include <string.h>

#define COUNT_DIGITS_SIZE 9 /* nc: 8 digits and a NUL */

void http_auth__skip(http_span_t *rest)
{
    while (rest->len > 0 && http_text__char(rest, ','))
        ;
}

int http_auth__param(http_span_t *rest, http_param_t *param)
{
    http_span_t at = *rest;
    int got;

    http_auth__skip(&at);
    got = http_text__param(&at, param);
    if (got <= 0)
        return got;
    http_text__spaces(&at);
    if (at.len > 0 && at.data[0] != ',')
        return HERR_SYNTAX;
    *rest = at;
    return 1;
}

typedef struct algorithm_s {
    const char *name;
    http_auth_hash_e hash;
    bool session;
} algorithm_t;

static const algorithm_t algorithms[] = {
    {"MD5", HTTP_AUTH_MD5, false},
    {"MD5-sess", HTTP_AUTH_MD5, true},
    {"SHA-256", HTTP_AUTH_SHA256, false},
    {"SHA-256-sess", HTTP_AUTH_SHA256, true},
    {"SHA-512-256", HTTP_AUTH_SHA512_256, false},
    {"SHA-512-256-sess", HTTP_AUTH_SHA512_256, true},
};

#define ALGORITHM_COUNT (sizeof(algorithms) / sizeof(algorithms[0]))

bool http_auth__algorithm(http_span_t text, http_auth_hash_e *hash, bool *session)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (http_span_ieq(text, algorithms[i].name)) {
            *hash = algorithms[i].hash;
            *session = algorithms[i].session;
            return true;
        }
    }
    return false;
}

const char *http_auth__algorithm_name(http_auth_hash_e hash, bool session)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (algorithms[i].hash == hash && algorithms[i].session == session)
            return algorithms[i].name;
    }
    return "";
}

int http_auth__hex(const http_auth_hasher_t *hasher, http_auth_hash_e hash,
                   const http_span_t *parts, size_t count, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[HTTP_AUTH_DIGEST_MAX];
    int len = hash == HTTP_AUTH_MD5 ? 16 : 32;
    int err = hasher->hash(hash, parts, count, digest, hasher->arg);

    if (err < 0)
        return err;
    for (int i = 0; i < len; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * len] = '\0';
    return 2 * len;
}

/* H(user:realm:password), for a session H(that:nonce:cnonce). */
static int hash_secret(const http_auth_hasher_t *hasher, const http_digest_t *d, char *hex)
{
    const http_span_t colon = HTTP_SPAN(":");
    const http_span_t plain[] = {d->user, colon, d->realm, colon, d->password};
    int len = http_auth__hex(hasher, d->hash, plain, 5, hex);

    if (len > 0 && d->session) {
        char inner[HTTP_AUTH_HEX_SIZE];
        const http_span_t parts[] = {{inner, (size_t)len}, colon, d->nonce, colon, d->cnonce};

        memcpy(inner, hex, (size_t)len);
        len = http_auth__hex(hasher, d->hash, parts, 5, hex);
    }
    return len;
}

int http_auth__response(const http_auth_hasher_t *hasher, const http_digest_t *d, char *hex)
{
    const http_span_t colon = HTTP_SPAN(":");
    const http_span_t request[] = {d->method, colon, d->uri};
    char secret[HTTP_AUTH_HEX_SIZE], what[HTTP_AUTH_HEX_SIZE], nc[COUNT_DIGITS_SIZE];
    int len = hash_secret(hasher, d, secret);

    if (len > 0)
        len = http_auth__hex(hasher, d->hash, request, 3, what);
    if (len < 0)
        return len;
    snprintf(nc, sizeof(nc), "%08x", d->count);
    if (d->qop) {
        const http_span_t parts[] = {{secret, (size_t)len}, colon, d->nonce,           colon,
                                     http_span(nc),         colon, d->cnonce,          colon,
                                     HTTP_SPAN("auth"),     colon, {what, (size_t)len}};

        return http_auth__hex(hasher, d->hash, parts, sizeof(parts) / sizeof(parts[0]), hex);
    }
    return http_auth__hex(
        hasher, d->hash,
        (const http_span_t[]){{secret, (size_t)len}, colon, d->nonce, colon, {what, (size_t)len}},
        5, hex);
}
