/* What both sides need; http_auth_client.c and http_auth_server.c are the sides. */
#include "http_auth_int.h"

#include "../base/herr.h"

#include <stdio.h>
#include <string.h>

#define COUNT_DIGITS_SIZE 9 /* nc: 8 digits and a NUL */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void advance(http_span_t *rest, size_t n)
{
    rest->data += n;
    rest->len -= n;
}

static void skip_spaces(http_span_t *rest)
{
    while (rest->len > 0 && is_space(rest->data[0]))
        advance(rest, 1);
}

void http_auth__skip(http_span_t *rest)
{
    while (rest->len > 0 && (is_space(rest->data[0]) || rest->data[0] == ','))
        advance(rest, 1);
}

bool http_auth__token(http_span_t *rest, http_span_t *token)
{
    size_t n = 0;

    while (n < rest->len && http_is_token((http_span_t){rest->data + n, 1}))
        n++;
    *token = (http_span_t){rest->data, n};
    advance(rest, n);
    return n > 0;
}

/* Behind the opening quote, up to the closing one. */
static bool take_quoted(http_span_t *rest, http_span_t *value)
{
    size_t n = 0;

    while (n < rest->len && rest->data[n] != '"')
        n += rest->data[n] == '\\' ? 2 : 1;
    if (n >= rest->len)
        return false;
    *value = (http_span_t){rest->data, n};
    advance(rest, n + 1);
    return true;
}

int http_auth__param(http_span_t *rest, http_param_t *param)
{
    http_span_t at = *rest;

    http_auth__skip(&at);
    if (!http_auth__token(&at, &param->name))
        return 0;
    skip_spaces(&at);
    if (at.len == 0 || at.data[0] != '=')
        return 0;
    advance(&at, 1);
    skip_spaces(&at);
    if (at.len > 0 && at.data[0] == '"') {
        advance(&at, 1);
        if (!take_quoted(&at, &param->value))
            return HERR_SYNTAX;
    } else if (!http_auth__token(&at, &param->value)) {
        return HERR_SYNTAX;
    }
    skip_spaces(&at);
    if (at.len > 0 && at.data[0] != ',')
        return HERR_SYNTAX;
    *rest = at;
    return 1;
}

bool http_auth__unescape(const http_param_t *param, char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < param->value.len; i++) {
        char c = param->value.data[i];

        if (c == '\\' && i + 1 < param->value.len)
            c = param->value.data[++i];
        if (n + 1 >= size || (unsigned char)c < ' ' || c == 0x7f)
            return false;
        text[n++] = c;
    }
    text[n] = '\0';
    return true;
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

static void put_bytes(http_writer_t *w, const char *data, size_t len)
{
    if (w->full || len >= w->size - w->len) {
        w->full = true;
        return;
    }
    memcpy(w->buf + w->len, data, len);
    w->len += len;
    w->buf[w->len] = '\0';
}

void http_auth__put(http_writer_t *w, const char *text)
{
    put_bytes(w, text, strlen(text));
}

void http_auth__put_quoted(http_writer_t *w, const char *text, size_t len)
{
    put_bytes(w, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            put_bytes(w, "\\", 1);
        put_bytes(w, text + i, 1);
    }
    put_bytes(w, "\"", 1);
}

ssize_t http_auth__written(const http_writer_t *w)
{
    return w->full || w->size == 0 ? -ENOBUFS : (ssize_t)w->len;
}
