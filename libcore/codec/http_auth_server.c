#include "http_auth_int.h"

#include "../base/hbase64.h"
#include "../base/herr.h"
#include "../base/hstr.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIME_DIGITS 16  /* of a nonce */
#define PROOF_DIGITS 32 /* behind them */
#define COUNT_DIGITS 8  /* of nc */

static ssize_t make_nonce(http_span_t secret, const char *time, const http_auth_hasher_t *hasher,
                          char *buf, size_t size)
{
    const http_span_t parts[] = {{time, TIME_DIGITS}, HTTP_SPAN(":"), secret};
    char hex[HTTP_AUTH_HEX_SIZE];
    int len = http_auth__hex(hasher, HTTP_AUTH_SHA256, parts, 3, hex);

    if (len < 0)
        return len;
    len = snprintf(buf, size, "%.*s%.*s", TIME_DIGITS, time, PROOF_DIGITS, hex);
    return (size_t)len < size ? len : -ENOBUFS;
}

ssize_t http_auth_nonce(http_span_t secret, uint64_t now_s, const http_auth_hasher_t *hasher,
                        char *buf, size_t size)
{
    char time[TIME_DIGITS + 1];

    snprintf(time, sizeof(time), "%016" PRIx64, now_s);
    return make_nonce(secret, time, hasher, buf, size);
}

ssize_t http_challenge_compose(const http_challenge_t *challenge, char *buf, size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};

    if (challenge->scheme == HTTP_AUTH_UNKNOWN || strpbrk(challenge->realm, "\r\n"))
        return -EINVAL;
    http_text__put(&w, challenge->scheme == HTTP_AUTH_BASIC ? "Basic realm=" : "Digest realm=");
    http_text__put_quoted(&w, challenge->realm, strlen(challenge->realm));
    http_text__put(&w, ", charset=\"UTF-8\"");
    if (challenge->scheme == HTTP_AUTH_BASIC)
        return http_text__written(&w);
    http_text__put(&w, ", nonce=");
    http_text__put_quoted(&w, challenge->nonce, strlen(challenge->nonce));
    http_text__put(&w, ", algorithm=");
    http_text__put(&w, http_auth__algorithm_name(challenge->hash, challenge->session));
    if (challenge->qop)
        http_text__put(&w, ", qop=\"auth\"");
    if (challenge->stale)
        http_text__put(&w, ", stale=true");
    return http_text__written(&w);
}

/* "user:password"; a NUL in it would make more than one text right. */
static int parse_basic(http_credentials_t *c, http_span_t value)
{
    char pair[2 * HTTP_AUTH_USER_SIZE];
    const char *colon;
    ssize_t len;

    while (value.len > 0 && value.data[0] == ' ') {
        value.data++;
        value.len--;
    }
    len = hbase64_decode(HBASE64_STANDARD, value.data, value.len, pair, sizeof(pair));
    if (len <= 0 || memchr(pair, '\0', (size_t)len))
        return HERR_SYNTAX;
    colon = memchr(pair, ':', (size_t)len);
    if (!colon || (size_t)(colon - pair) >= sizeof(c->user) ||
        (size_t)(pair + len - colon - 1) >= sizeof(c->password))
        return HERR_SYNTAX;
    memcpy(c->user, pair, (size_t)(colon - pair));
    memcpy(c->password, colon + 1, (size_t)(pair + len - colon - 1));
    return 0;
}

static bool parse_count(http_span_t text, uint32_t *count)
{
    *count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = hstr_hex_digit(text.data[i]);

        if (digit < 0)
            return false;
        *count = *count << 4 | (uint32_t)digit;
    }
    return text.len == COUNT_DIGITS;
}

static bool take_response(http_credentials_t *c, const http_param_t *param)
{
    if (param->value.len > sizeof(c->response))
        return false;
    memcpy(c->response, param->value.data, param->value.len);
    c->response_len = param->value.len;
    return true;
}

/* False for a value that cannot be. */
static bool take_param(http_credentials_t *c, const http_param_t *param)
{
    if (http_span_ieq(param->name, "username"))
        return http_text__unescape(param->value, c->user, sizeof(c->user));
    if (http_span_ieq(param->name, "realm"))
        return http_text__unescape(param->value, c->realm, sizeof(c->realm));
    if (http_span_ieq(param->name, "nonce"))
        return http_text__unescape(param->value, c->nonce, sizeof(c->nonce));
    if (http_span_ieq(param->name, "cnonce"))
        return http_text__unescape(param->value, c->cnonce, sizeof(c->cnonce));
    if (http_span_ieq(param->name, "response"))
        return take_response(c, param);
    if (http_span_ieq(param->name, "nc"))
        return parse_count(param->value, &c->count);
    if (http_span_ieq(param->name, "uri"))
        c->uri = param->value;
    if (http_span_ieq(param->name, "qop")) {
        c->qop = true;
        return http_span_ieq(param->value, "auth");
    }
    return true;
}

static int parse_digest(http_credentials_t *c, http_span_t value)
{
    http_param_t param;
    int got;

    while ((got = http_auth__param(&value, &param)) > 0) {
        if (http_span_ieq(param.name, "algorithm") &&
            !http_auth__algorithm(param.value, &c->hash, &c->session))
            return HERR_UNSUPPORTED;
        if (!take_param(c, &param))
            return HERR_SYNTAX;
    }
    http_auth__skip(&value);
    if (got < 0 || value.len > 0 || c->nonce[0] == '\0' || c->response_len == 0 || !c->uri.data)
        return HERR_SYNTAX;
    return c->qop && (c->count == 0 || c->cnonce[0] == '\0') ? HERR_SYNTAX : 0;
}

int http_credentials_parse(http_credentials_t *credentials, http_span_t value)
{
    http_span_t scheme;

    memset(credentials, 0, sizeof(*credentials));
    if (!http_text__token(&value, &scheme) || value.len == 0 || value.data[0] != ' ')
        return HERR_SYNTAX;
    if (http_span_ieq(scheme, "Basic")) {
        credentials->scheme = HTTP_AUTH_BASIC;
        return parse_basic(credentials, value);
    }
    if (!http_span_ieq(scheme, "Digest"))
        return HERR_UNSUPPORTED;
    credentials->scheme = HTTP_AUTH_DIGEST;
    return parse_digest(credentials, value);
}

/* Takes as long wherever they differ. */
static bool same_bytes(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *p = a, *q = b;
    unsigned differ = 0;

    for (size_t i = 0; i < len; i++)
        differ |= p[i] ^ q[i];
    return differ == 0;
}

/* The uri is the target; there are clients that tell a proxy the path alone. */
static bool same_target(http_span_t uri, http_span_t target)
{
    if (uri.len == 0 || uri.len > target.len || (uri.len < target.len && uri.data[0] != '/'))
        return false;
    return memcmp(uri.data, target.data + target.len - uri.len, uri.len) == 0;
}

/* Whether the nonce is one of ours, and when it was made. 1, 0 or an error of the hasher. */
static int check_nonce(const http_auth_server_t *server, const char *nonce, uint64_t *made_s)
{
    char right[HTTP_AUTH_NONCE_SIZE];
    ssize_t len;

    *made_s = 0;
    if (strlen(nonce) != TIME_DIGITS + PROOF_DIGITS)
        return 0;
    len = make_nonce(server->secret, nonce, &server->hasher, right, sizeof(right));
    if (len < 0)
        return (int)len;
    if (!same_bytes(nonce, right, (size_t)len))
        return 0;
    for (int i = 0; i < TIME_DIGITS; i++) {
        char c = nonce[i];

        *made_s = *made_s << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return 1;
}

static int verify_digest(const http_auth_server_t *server, const http_credentials_t *c,
                         const http_auth_t *right, uint64_t now_s)
{
    const http_digest_t digest = {c->hash,
                                  c->session,
                                  c->qop,
                                  http_span(right->user),
                                  http_span(server->realm),
                                  http_span(right->password),
                                  right->method,
                                  c->uri,
                                  http_span(c->nonce),
                                  http_span(c->cnonce),
                                  c->count};
    char hex[HTTP_AUTH_HEX_SIZE];
    uint64_t made_s;
    int ours = check_nonce(server, c->nonce, &made_s);
    int len = http_auth__response(&server->hasher, &digest, hex);

    if (ours < 0 || len < 0)
        return ours < 0 ? ours : len;
    if (!hstr_same_secret(c->user, right->user) || strcmp(c->realm, server->realm) != 0 ||
        !same_target(c->uri, right->uri))
        return HTTP_AUTH_REFUSED;
    if (c->response_len != (size_t)len || !same_bytes(c->response, hex, c->response_len))
        return HTTP_AUTH_REFUSED;
    if (!ours || now_s < made_s || now_s - made_s > HTTP_AUTH_NONCE_AGE_S)
        return HTTP_AUTH_STALE;
    return HTTP_AUTH_ACCEPTED;
}

int http_auth_verify(const http_auth_server_t *server, const http_credentials_t *credentials,
                     const http_auth_t *right, uint64_t now_s)
{
    bool user, password;

    if (credentials->scheme == HTTP_AUTH_DIGEST)
        return verify_digest(server, credentials, right, now_s);
    if (credentials->scheme != HTTP_AUTH_BASIC || !server->basic)
        return HTTP_AUTH_REFUSED;
    user = hstr_same_secret(credentials->user, right->user);
    password = hstr_same_secret(credentials->password, right->password);
    return user && password ? HTTP_AUTH_ACCEPTED : HTTP_AUTH_REFUSED;
}
