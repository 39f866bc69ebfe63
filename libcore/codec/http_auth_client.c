#include "http_auth_int.h"

#include "../base/hbase64.h"
#include "../base/herr.h"
#include "../base/hmem.h"

#include <stdio.h>
#include <string.h>

/* Whether a qop list ("auth,auth-int") has auth. */
static bool offers_auth(const char *list)
{
    while (*list) {
        size_t len = strcspn(list, ", \t");

        if (http_span_ieq((http_span_t){list, len}, "auth"))
            return true;
        list += len + strspn(list + len, ", \t");
    }
    return false;
}

static void take_param(http_challenge_t *c, const http_param_t *param)
{
    char text[HTTP_AUTH_TEXT_SIZE];

    if (!http_text__unescape(param->value, text, sizeof(text)))
        c->unusable = true;
    else if (http_span_ieq(param->name, "realm"))
        memcpy(c->realm, text, sizeof(text));
    else if (http_span_ieq(param->name, "nonce"))
        memcpy(c->nonce, text, sizeof(text));
    else if (http_span_ieq(param->name, "opaque"))
        memcpy(c->opaque, text, sizeof(text));
    else if (http_span_ieq(param->name, "stale"))
        c->stale = http_span_ieq(http_span(text), "true");
    else if (http_span_ieq(param->name, "userhash"))
        c->user_hash = http_span_ieq(http_span(text), "true");
    else if (http_span_ieq(param->name, "algorithm")) {
        c->named = true;
        c->unusable |= !http_auth__algorithm(http_span(text), &c->hash, &c->session);
    } else if (http_span_ieq(param->name, "qop")) {
        c->qop = offers_auth(text);
        c->unusable |= !c->qop;
    }
}

/* "Negotiate YII..==": something that is no parameter, up to the comma. */
static void skip_token68(http_span_t *rest)
{
    const char *comma = rest->len ? memchr(rest->data, ',', rest->len) : NULL;
    size_t len = comma ? (size_t)(comma - rest->data) : rest->len;

    rest->data += len;
    rest->len -= len;
}

/* Whether a scheme stands here, and not what belongs to the one before: a token that a space, a
 * comma or the end follows. */
static bool at_scheme(http_span_t rest)
{
    http_span_t token;

    http_auth__skip(&rest);
    return rest.len == 0 ||
           (http_text__token(&rest, &token) && (rest.len == 0 || strchr(" \t,", rest.data[0])));
}

int http_challenge_next(http_span_t *value, http_challenge_t *challenge)
{
    http_span_t scheme;
    http_param_t param;
    int got;

    memset(challenge, 0, sizeof(*challenge));
    http_auth__skip(value);
    if (value->len == 0)
        return 0;
    if (!http_text__token(value, &scheme))
        return HERR_SYNTAX;
    if (http_span_ieq(scheme, "Basic"))
        challenge->scheme = HTTP_AUTH_BASIC;
    else if (http_span_ieq(scheme, "Digest"))
        challenge->scheme = HTTP_AUTH_DIGEST;
    if (value->len > 0 && !strchr(" \t,", value->data[0]))
        return HERR_SYNTAX;
    while ((got = http_auth__param(value, &param)) > 0)
        take_param(challenge, &param);
    if (challenge->scheme == HTTP_AUTH_UNKNOWN && !at_scheme(*value)) {
        skip_token68(value);
        got = 0;
    }
    challenge->unusable |= challenge->scheme == HTTP_AUTH_DIGEST && challenge->nonce[0] == '\0';
    return got < 0 ? got : 1;
}

static int strength(const http_challenge_t *c)
{
    if (c->unusable || c->scheme == HTTP_AUTH_UNKNOWN)
        return 0;
    if (c->scheme == HTTP_AUTH_BASIC)
        return 1;
    return c->hash == HTTP_AUTH_MD5 ? 2 : 3;
}

int http_auth_choose(http_span_t fields, const char *name, unsigned schemes,
                     http_challenge_t *challenge)
{
    http_span_t found, value;
    http_challenge_t next;
    int best = 0, count = 0;

    while (http_field_next(&fields, &found, &value) > 0) {
        if (!http_span_ieq(found, name))
            continue;
        while (count++ < HTTP_AUTH_CHALLENGES_MAX && http_challenge_next(&value, &next) > 0) {
            if (strength(&next) <= best || !(schemes & (1U << next.scheme)))
                continue;
            best = strength(&next);
            *challenge = next;
        }
    }
    return best > 0 ? 0 : -ENOENT;
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static bool is_clean(const char *text)
{
    for (; *text; text++) {
        if (is_control(*text))
            return false;
    }
    return true;
}

/* Base64 takes any byte, and what the server makes of a colon in the user is its affair. */
static ssize_t answer_basic(const http_auth_t *auth, char *buf, size_t size)
{
    size_t user_len = strlen(auth->user), len = user_len + 1 + strlen(auth->password);
    http_writer_t w = {.buf = buf, .size = size};
    char *pair = hmem_alloc(len + 1 + HBASE64_ENCODED_SIZE(len));

    if (!pair)
        return -ENOMEM;
    memcpy(pair, auth->user, user_len);
    pair[user_len] = ':';
    memcpy(pair + user_len + 1, auth->password, len - user_len);
    hbase64_encode(HBASE64_STANDARD, pair, len, pair + len + 1, HBASE64_ENCODED_SIZE(len));
    http_text__put(&w, "Basic ");
    http_text__put(&w, pair + len + 1);
    explicit_bzero(pair, len + 1 + HBASE64_ENCODED_SIZE(len));
    hmem_free(pair);
    return http_text__written(&w);
}

static void put_param(http_writer_t *w, const char *name, const char *value)
{
    http_text__put(w, name);
    http_text__put_quoted(w, value, strlen(value));
}

/* Control characters would break the line: they are percent-encoded. */
static void put_user(http_writer_t *w, const char *user)
{
    char text[4];

    http_text__put(w, "Digest username=\"");
    for (; *user; user++) {
        if (*user == '"' || *user == '\\')
            http_text__put(w, "\\");
        snprintf(text, sizeof(text), is_control(*user) ? "%%%02X" : "%c", (unsigned char)*user);
        http_text__put(w, text);
    }
    http_text__put(w, "\"");
}

/* RFC 7616 section 3.4.4. */
static int put_user_hash(http_writer_t *w, const http_digest_t *digest,
                         const http_auth_hasher_t *hasher)
{
    const http_span_t parts[] = {digest->user, HTTP_SPAN(":"), digest->realm};
    char hex[HTTP_AUTH_HEX_SIZE];
    int len = http_auth__hex(hasher, digest->hash, parts, 3, hex);

    if (len < 0)
        return len;
    hex[len] = '\0';
    put_param(w, "Digest username=", hex);
    return 0;
}

static ssize_t answer_digest(const http_challenge_t *c, const http_auth_t *auth,
                             const http_auth_hasher_t *hasher, char *buf, size_t size)
{
    const http_digest_t digest = {c->hash,
                                  c->session,
                                  c->qop,
                                  http_span(auth->user),
                                  http_span(c->realm),
                                  http_span(auth->password),
                                  auth->method,
                                  auth->uri,
                                  http_span(c->nonce),
                                  http_span(auth->cnonce),
                                  auth->count};
    http_writer_t w = {.buf = buf, .size = size};
    char hex[HTTP_AUTH_HEX_SIZE], tail[32];
    int len = http_auth__response(hasher, &digest, hex);

    if (len < 0)
        return len;
    len = 0;
    if (c->user_hash)
        len = put_user_hash(&w, &digest, hasher);
    else
        put_user(&w, auth->user);
    if (len < 0)
        return len;
    put_param(&w, ", realm=", c->realm);
    put_param(&w, ", nonce=", c->nonce);
    http_text__put(&w, ", uri=");
    http_text__put_quoted(&w, auth->uri.data, auth->uri.len);
    if (c->qop || c->session)
        put_param(&w, ", cnonce=", auth->cnonce);
    if (c->qop) {
        snprintf(tail, sizeof(tail), ", nc=%08x, qop=auth", auth->count);
        http_text__put(&w, tail);
    }
    put_param(&w, ", response=", hex);
    if (c->opaque[0])
        put_param(&w, ", opaque=", c->opaque);
    if (c->named || c->hash != HTTP_AUTH_MD5 || c->session) {
        http_text__put(&w, ", algorithm=");
        http_text__put(&w, http_auth__algorithm_name(c->hash, c->session));
    }
    if (c->user_hash)
        http_text__put(&w, ", userhash=true");
    return http_text__written(&w);
}

ssize_t http_auth_answer(const http_challenge_t *challenge, const http_auth_t *auth,
                         const http_auth_hasher_t *hasher, char *buf, size_t size)
{
    if (!challenge || challenge->scheme == HTTP_AUTH_BASIC)
        return answer_basic(auth, buf, size);
    if (challenge->scheme != HTTP_AUTH_DIGEST || challenge->unusable || !hasher)
        return -EINVAL;
    if (!auth->cnonce || !auth->cnonce[0] || !is_clean(auth->cnonce))
        return -EINVAL;
    return answer_digest(challenge, auth, hasher, buf, size);
}
