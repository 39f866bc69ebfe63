/* auth: paths that want a name and a password (RFC 7617). The rule with the longest path counts,
 * for that path and all below it.
 *
 * A hash is slow by intent: what was right is remembered as a digest with a key of this process, so
 * that it is paid for once; and all hashes together get a part of the loop's time only, so that
 * guessing does not stop service to others. A wrong guess is answered late. */
#include "base/hmem.h"
#include "codec/http_auth.h"
#include "event/htimer.h"
#include "net/hdigest.h"
#include "net/husers.h"
#include "proto/http_forward.h"
#include "site.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define KNOWN_SLOTS 1024 /* a power of 2 */
#define LATE_MS 1000
#define LATE_MAX 65536        /* answers that wait at a time: each has a connection */
#define HASHING_SHARE 4       /* a fourth of the time, at most ... */
#define HASHING_BURST_MS 8000 /* ... but for so much of it in advance */

typedef struct auth_s {
    site_host_t *host;
    bool remembers;
    uint8_t key[HTTP_AUTH_DIGEST_MAX];
    uint8_t known[KNOWN_SLOTS][HTTP_AUTH_DIGEST_MAX]; /* all 0: nothing */
    uint64_t hashed_until_us; /* when the hashing that was done is paid for */
    size_t late_count;
} auth_t;

typedef enum { GRANTED, REFUSED, TOO_BUSY } verdict_e;

/* ---- which rule ------------------------------------------------------------------------------ */

/* "/a" and "/a/" are both for "/a" and all below it. */
static size_t rule_len(const rule_t *rule)
{
    size_t len = strlen(rule->from);

    while (len > 0 && rule->from[len - 1] == '/')
        len--;
    return len;
}

static bool is_below(http_span_t path, http_span_t top)
{
    return path.len >= top.len && memcmp(path.data, top.data, top.len) == 0 &&
           (path.len == top.len || path.data[top.len] == '/');
}

static const rule_t *find_rule(const rule_t *rules, http_span_t path)
{
    const rule_t *found = NULL;
    size_t best = 0;

    for (const rule_t *rule = rules; rule; rule = rule->next) {
        size_t len = rule_len(rule);

        if ((!found || len > best) && is_below(path, (http_span_t){rule->from, len})) {
            found = rule;
            best = len;
        }
    }
    return found;
}

/* An archive of a folder has all that is below, whoever may see it. */
static bool reaches_below(const auth_t *auth, const http_stream_t *stream, http_span_t path,
                          const rule_t *found)
{
    char form[8];

    if (!auth->host->settings->archive ||
        http_request_query(stream, "archive", form, sizeof(form)) < 0)
        return false;
    while (path.len > 0 && path.data[path.len - 1] == '/')
        path.len--;
    for (const rule_t *rule = auth->host->settings->auths; rule; rule = rule->next) {
        if (rule != found && is_below((http_span_t){rule->from, rule_len(rule)}, path))
            return true;
    }
    return false;
}

/* ---- what is remembered ---------------------------------------------------------------------- */

/* The digest of a user's right password; NULL: nothing can be remembered. */
static uint8_t *slot_of(auth_t *auth, const husers_user_t *user, const char *password,
                        uint8_t digest[HTTP_AUTH_DIGEST_MAX])
{
    /* With the NULs: no other two texts make the same one. */
    const http_span_t parts[] = {{(const char *)auth->key, sizeof(auth->key)},
                                 {user->secret, strlen(user->secret) + 1},
                                 {user->name, strlen(user->name) + 1},
                                 {password, strlen(password) + 1}};

    if (!auth->remembers ||
        hdigest_hash(HTTP_AUTH_SHA256, parts, sizeof(parts) / sizeof(parts[0]), digest, NULL) != 0)
        return NULL;
    return auth->known[(digest[0] | (size_t)digest[1] << 8) & (KNOWN_SLOTS - 1)];
}

/* Whether there is time for a hash; then it is begun. */
static bool may_hash(const auth_t *auth, uint64_t now_us)
{
    return auth->hashed_until_us <= now_us + (uint64_t)HASHING_BURST_MS * 1000;
}

static bool hash_verify(auth_t *auth, const husers_user_t *user, const char *password)
{
    hloop_t *loop = auth->host->site->loop;
    uint64_t begin_us = hloop_now_hrtime(loop);
    bool right = husers_verify(user, password);

    hloop_update_time(loop);
    if (auth->hashed_until_us < begin_us)
        auth->hashed_until_us = begin_us;
    auth->hashed_until_us += (hloop_now_hrtime(loop) - begin_us) * HASHING_SHARE;
    return right;
}

static verdict_e check_hash(auth_t *auth, const husers_user_t *user, const char *password)
{
    uint8_t digest[HTTP_AUTH_DIGEST_MAX];
    uint8_t *slot = slot_of(auth, user, password, digest);

    /* What a comparison's time could tell is about digests with a key that nobody knows. */
    if (slot && memcmp(slot, digest, sizeof(digest)) == 0)
        return GRANTED;
    if (!may_hash(auth, hloop_now_hrtime(auth->host->site->loop)))
        return TOO_BUSY;
    if (!hash_verify(auth, user, password))
        return REFUSED;
    if (slot)
        memcpy(slot, digest, sizeof(digest));
    return GRANTED;
}

/* A name that is not there takes as long as one that is. */
static verdict_e check(auth_t *auth, const rule_t *rule, const http_credentials_t *credentials)
{
    const husers_user_t *user = husers_find(rule->users, credentials->user);
    const husers_user_t *asked = user ? user : husers_first(rule->users);
    verdict_e verdict;

    if (asked->kind == HUSERS_PLAIN)
        verdict = husers_verify(asked, credentials->password) ? GRANTED : REFUSED;
    else
        verdict = check_hash(auth, asked, credentials->password);
    return user || verdict == TOO_BUSY ? verdict : REFUSED;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void challenge(http_stream_t *stream, const rule_t *rule, bool proxy)
{
    http_challenge_t basic = {.scheme = HTTP_AUTH_BASIC};
    char value[2 * HTTP_AUTH_TEXT_SIZE];
    ssize_t len;

    snprintf(basic.realm, sizeof(basic.realm), "%s%.*s", HHTTPD_SERVER,
             (int)(rule_len(rule) < 256 ? rule_len(rule) : 256), rule->from);
    len = http_challenge_compose(&basic, value, sizeof(value));
    if (len < 0) {
        http_response_error(stream, 500, NULL);
        return;
    }
    http_response_add(stream,
                      proxy ? HTTP_SPAN("Proxy-Authenticate") : HTTP_SPAN("WWW-Authenticate"),
                      (http_span_t){value, (size_t)len});
    http_response_error(stream, proxy ? 407 : 401, NULL);
}

static void answer_busy(http_stream_t *stream)
{
    http_response_set(stream, HTTP_SPAN("Retry-After"), HTTP_SPAN("2"));
    http_response_error(stream, 503, "Too many passwords are being tried.");
}

/* An answer that waits. */
typedef struct late_s {
    auth_t *auth;
    const rule_t *rule;
    http_stream_t *stream;
    htimer_t *timer; /* NULL: it has been sent */
    bool proxy;
} late_t;

static void on_late_timer(htimer_t *timer)
{
    late_t *late = hevent_userdata(timer);

    late->timer = NULL; /* it was its last call */
    http_stream_resume(late->stream);
    challenge(late->stream, late->rule, late->proxy);
}

static void on_late_close(http_stream_t *stream, int err, void *userdata)
{
    late_t *late = userdata;

    (void)stream;
    (void)err;
    htimer_del(late->timer);
    late->auth->late_count--;
    hmem_free(late);
}

static const http_stream_callbacks_t late_callbacks = {.on_close = on_late_close};

static void answer_late(auth_t *auth, http_stream_t *stream, const rule_t *rule, bool proxy)
{
    late_t *late = auth->late_count < LATE_MAX ? hmem_zalloc(sizeof(*late)) : NULL;

    if (!late) {
        answer_busy(stream);
        return;
    }
    *late = (late_t){.auth = auth, .rule = rule, .stream = stream, .proxy = proxy};
    auth->late_count++;
    http_stream_set_callbacks(stream, &late_callbacks, late);
    http_stream_pause(stream); /* the body can wait for what comes of it */
    late->timer = htimer_add(auth->host->site->loop, on_late_timer, LATE_MS, 1);
    if (late->timer)
        hevent_set_userdata(late->timer, late);
    else
        http_stream_abort(stream, -ENOMEM);
}

/* ---- the request ----------------------------------------------------------------------------- */

static bool refuse(auth_t *auth, http_stream_t *stream, const rule_t *rule, bool proxy)
{
    http_span_t value = http_request_field(stream, proxy ? HTTP_FIELD_PROXY_AUTHORIZATION
                                                         : HTTP_FIELD_AUTHORIZATION);
    http_credentials_t credentials;
    verdict_e verdict;

    if (!value.data || http_credentials_parse(&credentials, value) != 0 ||
        credentials.scheme != HTTP_AUTH_BASIC) {
        challenge(stream, rule, proxy);
        return true;
    }
    verdict = check(auth, rule, &credentials);
    if (verdict == GRANTED)
        http_stream_set_user(stream, http_span(credentials.user));
    else if (verdict == TOO_BUSY)
        answer_busy(stream);
    else
        answer_late(auth, stream, rule, proxy);
    explicit_bzero(&credentials, sizeof(credentials));
    return verdict != GRANTED;
}

bool auth_refuses(site_host_t *host, http_stream_t *stream, http_span_t path)
{
    const rule_t *rule;

    if (!host->auth)
        return false;
    rule = find_rule(host->settings->auths, path);
    if (rule && refuse(host->auth, stream, rule, false))
        return true;
    if (!reaches_below(host->auth, stream, path, rule))
        return false;
    http_response_error(stream, 403, "A folder in it has a password of its own.");
    return true;
}

static bool on_request(http_stream_t *stream, void *userdata)
{
    site_host_t *host = userdata;
    const rule_t *everything;
    http_span_t path;

    if (host->settings->forward_proxy && http_forward_wants(stream)) {
        everything = find_rule(host->settings->auths, HTTP_SPAN("/"));
        return everything && refuse(host->auth, stream, everything, true);
    }
    path = site_path(host, stream);
    return path.data && auth_refuses(host, stream, path);
}

int auth_install(site_host_t *host)
{
    auth_t *auth;

    if (!host->settings->auths)
        return 0;
    auth = site_keep(host->site, sizeof(*auth));
    if (!auth)
        return -ENOMEM;
    auth->host = host;
    auth->remembers =
        getrandom(auth->key, sizeof(auth->key), GRND_NONBLOCK) == (ssize_t)sizeof(auth->key);
    host->auth = auth;
    return site_use(host, "/", on_request, host);
}

/* ---- a word of warning ----------------------------------------------------------------------- */

static bool is_open(const hlisteners_set_t *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        haddr_t local = {.len = sizeof(local.u)};

        if (!listen_is_tls(&listeners->items[i]) &&
            getsockname(listeners->items[i].fds[0], &local.u.sa, &local.len) == 0 &&
            local.u.sa.sa_family != AF_UNIX && !haddr_is_loopback(&local.u.sa))
            return true;
    }
    return false;
}

void auth_warn(const generation_t *g, const hlisteners_set_t *listeners)
{
    bool has_auth = g->settings->site.auths != NULL;

    for (const site_settings_t *s = g->settings->hosts; s && !has_auth; s = s->next)
        has_auth = s->auths != NULL;
    if (has_auth && is_open(listeners))
        hlogfile_say(&g->logs.messages, HLOG_WARN,
                     "passwords can be read by everybody on the way: there is no TLS");
}
