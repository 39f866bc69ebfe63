/* Who asks: credentials of the URL, the program or its netrc; and the answers to challenges. What
 * can be said unasked is; Digest needs a nonce first, and a body is not sent for nothing: a request
 * without it finds out (the probe). */
#include "http_client_int.h"

#include "../base/hmem.h"

#define NONE 0U

/* ---- whose ----------------------------------------------------------------------------------- */

/* A "%" that begins no %XX is itself: "50%" is a password that people have. */
static int decode_part(hurl_part_t part, char **text)
{
    size_t len = 0;

    hmem_free(*text);
    *text = NULL;
    if (!part.data)
        return 0;
    *text = hmem_alloc(part.len + 1);
    if (!*text)
        return -ENOMEM;
    for (size_t i = 0; i < part.len; i++, len++) {
        if (part.len - i >= 3 && hurl_decode(*text + len, 1, part.data + i, 3, false) == 1)
            i += 2;
        else
            (*text)[len] = part.data[i];
    }
    if (memchr(*text, '\0', len))
        return HERR_SYNTAX;
    (*text)[len] = '\0';
    return 0;
}

/* A redirect that names none stays with those of the hop before, if it stays at the server. */
static int take_url(http_transfer_t *t)
{
    int err;

    if (!t->url->user.data && !t->url->password.data)
        return 0;
    err = decode_part(t->url->user, &t->user);

    if (err == 0)
        err = decode_part(t->url->password, &t->password);
    if (err == HERR_SYNTAX)
        http_transfer__fail(t, HTTP_FAULT_URL, "the credentials in the URL are wrongly encoded");
    else if (err < 0)
        http_transfer__fail(t, HTTP_FAULT_MEMORY, "%s", herr_str(err));
    return err;
}

static int ask_program(http_transfer_t *t)
{
    char host[HENDPOINT_HOST_SIZE];
    const hurl_part_t *part = &t->url->host;
    int err;

    if (!t->options.login_cb || part->len >= sizeof(host))
        return 0;
    memcpy(host, part->data, part->len);
    host[part->len] = '\0';
    err = t->options.login_cb(host, &t->login, t->options.login_arg);
    if (err < 0)
        http_transfer__fail(t, HTTP_FAULT_READ, "credentials for %s: %s", host, herr_str(err));
    return err;
}

int http_transfer__find_login(http_transfer_t *t)
{
    const http_login_t *usual = &t->options.login;
    int err = take_url(t);

    if (err < 0)
        return err;
    t->login = (http_login_t){.schemes = usual->schemes};
    if (http_transfer__is_trusted(t)) {
        t->login = *usual;
        if (usual->bearer && !usual->schemes)
            t->login.schemes = HTTP_LOGIN_BEARER;
    }
    if (!t->login.user && ((t->user && t->user[0]) || (t->password && t->password[0]))) {
        t->login.user = t->user ? t->user : "";
        t->login.password = t->password; /* NULL: none was said */
    }
    return ask_program(t);
}

static unsigned schemes_of(const http_login_t *login)
{
    unsigned schemes = login->schemes ? login->schemes : HTTP_LOGIN_BASIC;

    if (!login->bearer)
        schemes &= ~(unsigned)HTTP_LOGIN_BEARER;
    if (!login->user)
        schemes &= HTTP_LOGIN_BEARER;
    return schemes;
}

static bool is_one(unsigned schemes)
{
    return schemes != NONE && (schemes & (schemes - 1)) == 0;
}

static unsigned picked_of(const http_login_state_t *state, const http_login_t *login)
{
    unsigned schemes = schemes_of(login);

    if (state->picked & schemes)
        return state->picked;
    return is_one(schemes) ? schemes : NONE;
}

static const http_login_t *login_of(const http_transfer_t *t, bool proxy)
{
    return proxy ? &t->proxy_login : &t->login;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Basic and Digest. */
static int write_answer(http_transfer_t *t, const http_challenge_t *challenge,
                        const http_auth_t *auth, hbytes_t *value)
{
    http_auth_hasher_t hasher = hdigest_hasher();
    size_t size = HTTP_AUTH_VALUE_SIZE + 2 * (strlen(auth->user) + strlen(auth->password)) +
                  2 * auth->uri.len;
    ssize_t len;
    int err = hbytes_reserve(value, size);

    if (err < 0)
        return err;
    len = http_auth_answer(challenge, auth, &hasher, value->data + value->len, size);
    if (len < 0) {
        http_transfer__fail(t, len == -ENOMEM ? HTTP_FAULT_MEMORY : HTTP_FAULT_LOGIN,
                            "the credentials cannot be sent: %s", herr_str((int)len));
        return (int)len;
    }
    value->len += (size_t)len;
    return 0;
}

static int write_credentials(http_transfer_t *t, http_login_state_t *state, bool proxy,
                             const char *target, hbytes_t *value)
{
    const http_login_t *login = login_of(t, proxy);
    bool digest = picked_of(state, login) == HTTP_LOGIN_DIGEST;
    http_auth_t auth = {
        .user = login->user,
        .password = login->password ? login->password : "",
        .method = http_span(t->method),
        .uri = http_span(target),
        .cnonce = state->cnonce,
        .count = ++state->count,
    };
    int err = digest ? hdigest_cnonce(state->cnonce) : 0;

    return err < 0 ? err : write_answer(t, digest ? &state->challenge : NULL, &auth, value);
}

int http_transfer__authorize(http_transfer_t *t, bool proxy, const char *target, hbytes_t *value)
{
    http_login_state_t *state = proxy ? &t->proxy : &t->host;
    const http_login_t *login = login_of(t, proxy);
    int err = 0;

    state->answered = false;
    switch (picked_of(state, login)) {
    case HTTP_LOGIN_BASIC:
        state->answered = true;
        err = write_credentials(t, state, proxy, target, value);
        break;
    case HTTP_LOGIN_BEARER:
        state->answered = true;
        err = hbytes_printf(value, "Bearer %s", login->bearer);
        break;
    case HTTP_LOGIN_DIGEST:
        if (!state->has_nonce)
            break;
        state->answered = true;
        err = write_credentials(t, state, proxy, target, value);
        break;
    default:
        break;
    }
    if (state->answered && err == 0)
        http_transfer__info(t, "%s auth using %.*s with user '%s'", proxy ? "Proxy" : "Server",
                            (int)strcspn(value->data, " "), value->data,
                            login->user ? login->user : "");
    return err;
}

static bool wants_nonce(const http_login_state_t *state, const http_login_t *login)
{
    return picked_of(state, login) == HTTP_LOGIN_DIGEST && !state->has_nonce && !state->failed;
}

bool http_transfer__needs_probe(const http_transfer_t *t)
{
    if (t->settled || t->kind == HTTP_KIND_GET || t->kind == HTTP_KIND_HEAD)
        return false;
    return wants_nonce(&t->host, &t->login) ||
           (t->origin->route.forward && wants_nonce(&t->proxy, &t->proxy_login));
}

/* ---- challenges ------------------------------------------------------------------------------ */

/* The order in which a client that may do all of them prefers them. */
static unsigned scheme_of(const http_challenge_t *challenge)
{
    if (challenge->unusable)
        return NONE;
    if (challenge->scheme == HTTP_AUTH_DIGEST)
        return HTTP_LOGIN_DIGEST;
    return challenge->scheme == HTTP_AUTH_BASIC ? HTTP_LOGIN_BASIC : NONE;
}

static bool is_better(const http_challenge_t *challenge, unsigned scheme,
                      const http_challenge_t *best, unsigned picked)
{
    if (scheme == NONE)
        return false;
    if (picked == NONE || scheme > picked)
        return true;
    return scheme == picked && challenge->hash > best->hash;
}

/* The best challenge of a response that the login can answer: its scheme, or NONE. */
static unsigned choose(const http_exchange_response_t *response, bool proxy, unsigned schemes,
                       http_challenge_t *best)
{
    http_field_e field = proxy ? HTTP_FIELD_PROXY_AUTHENTICATE : HTTP_FIELD_WWW_AUTHENTICATE;
    unsigned picked = NONE;

    for (size_t i = 0; i < response->field_count; i++) {
        http_span_t rest = response->fields[i].value;
        http_challenge_t challenge;

        if (response->fields[i].id != field)
            continue;
        while (http_challenge_next(&rest, &challenge) > 0) {
            unsigned scheme = scheme_of(&challenge) & schemes;

            if (is_better(&challenge, scheme, best, picked)) {
                *best = challenge;
                picked = scheme;
            }
        }
    }
    return picked;
}

static bool take_challenge(http_transfer_t *t, bool proxy, const http_exchange_response_t *response)
{
    http_login_state_t *state = proxy ? &t->proxy : &t->host;
    unsigned schemes = schemes_of(login_of(t, proxy)), picked;
    http_challenge_t challenge;

    if (schemes == NONE || state->failed || state->challenges++ == HTTP_CLIENT_CHALLENGES_MAX)
        return false;
    picked = choose(response, proxy, schemes, &challenge);
    state->failed =
        picked == NONE || (state->answered && !(picked == HTTP_LOGIN_DIGEST && challenge.stale) &&
                           (state->picked == picked || is_one(schemes)));
    if (state->failed) {
        http_transfer__info(t, "Authentication problem. Ignoring this.");
        return false;
    }
    state->picked = picked;
    if (picked == HTTP_LOGIN_DIGEST) {
        state->challenge = challenge;
        state->has_nonce = true;
        state->count = 0;
    }
    return true;
}

bool http_transfer__challenge(http_transfer_t *t, const http_exchange_response_t *response)
{
    if (response->status == 401)
        return take_challenge(t, false, response);
    return t->origin->route.forward && take_challenge(t, true, response);
}
