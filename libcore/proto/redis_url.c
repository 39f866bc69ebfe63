#include "redis_url.h"

#include "../base/herr.h"
#include "../base/hstr.h"
#include "../base/hurl.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

typedef struct fault_s {
    char *text;
    size_t size;
} fault_t;

static int fail(const fault_t *fault, int err, const char *text)
{
    hstr_copy(fault->text, fault->size, text);
    return err;
}

static bool is(hurl_part_t part, const char *text)
{
    return part.len == strlen(text) && memcmp(part.data, text, part.len) == 0;
}

/* A user, a password or a path: decoded, without NULs. */
static int decode(char *to, size_t size, hurl_part_t part)
{
    ssize_t n = hurl_decode(to, size - 1, part.data ? part.data : "", part.len, false);

    if (n < 0)
        return (int)n;
    to[n] = '\0';
    return strlen(to) == (size_t)n ? 0 : HERR_SYNTAX;
}

/* "redis://secret@host" has no user. */
static int take_secrets(redis_url_t *url, const hurl_t *parts, const fault_t *fault)
{
    bool alone = !parts->password.data;
    hurl_part_t none = {"", 0};
    int err = decode(url->user, sizeof(url->user), alone ? none : parts->user);

    if (err == 0)
        err = decode(url->password, sizeof(url->password), alone ? parts->user : parts->password);
    if (err < 0)
        return fail(fault, err, "the user or the password cannot be used");
    if (url->user[0] && !url->password[0])
        return fail(fault, HERR_SYNTAX, "a user without a password");
    return 0;
}

static int take_database(redis_url_t *url, hurl_part_t path, const fault_t *fault)
{
    char text[16];
    uint64_t number = 0;
    int err = HERR_SYNTAX;

    if (path.len <= 1)
        return 0;
    if (path.len < sizeof(text)) {
        memcpy(text, path.data + 1, path.len - 1);
        text[path.len - 1] = '\0';
        err = hstr_parse_u64(text, 0, REDIS_DATABASE_MAX, &number);
    }
    url->database = (unsigned)number;
    return err == 0 ? 0 : fail(fault, err, "the path is not the number of a database");
}

static int take_host(redis_url_t *url, const hurl_t *parts, const fault_t *fault)
{
    hendpoint_scheme_e scheme = is(parts->scheme, "rediss") ? HENDPOINT_TLS : HENDPOINT_TCP;
    char host[HENDPOINT_HOST_SIZE];
    int err = parts->host.len > 0 ? decode(host, sizeof(host), parts->host) : HERR_SYNTAX;

    if (err < 0)
        return fail(fault, err, "there is no host in it");
    err = hendpoint_set(&url->endpoint, scheme, host, parts->port > 0 ? parts->port : REDIS_PORT);
    if (err < 0)
        return fail(fault, err, "the host cannot be used");
    return take_database(url, parts->path, fault);
}

static int take_path(redis_url_t *url, const hurl_t *parts, const fault_t *fault)
{
    char path[HENDPOINT_PATH_SIZE];
    bool is_here = parts->host.len == 0 || is(parts->host, "localhost");
    int err = is_here ? decode(path, sizeof(path), parts->path) : HERR_SYNTAX;

    if (err == 0)
        err = hendpoint_set(&url->endpoint, HENDPOINT_UNIX, path, 0);
    return err < 0 ? fail(fault, err, "the path is not one of a UNIX socket") : 0;
}

static int take(redis_url_t *url, const hurl_t *parts, const fault_t *fault)
{
    bool unix_socket = is(parts->scheme, "redis+unix");
    int err;

    if (!unix_socket && !is(parts->scheme, "redis") && !is(parts->scheme, "rediss"))
        return fail(fault, HERR_SYNTAX,
                    "it begins with none of redis://, rediss://, redis+unix:// and unix:");
    if (parts->query.data || parts->fragment.data)
        return fail(fault, HERR_SYNTAX, "\"?\" and \"#\" have no meaning in it");
    err = take_secrets(url, parts, fault);
    if (err == 0)
        err = unix_socket ? take_path(url, parts, fault) : take_host(url, parts, fault);
    return err;
}

int redis_url_parse(redis_url_t *url, const char *text, char *error, size_t error_size)
{
    fault_t fault = {error, error_size};
    hurl_t parts;
    int err;

    memset(url, 0, sizeof(*url));
    if (hstr_starts(text, "unix:"))
        return hendpoint_parse(&url->endpoint, text, error, error_size);
    err = hurl_parse(&parts, text, strlen(text), NULL, HURL_STRICT);
    if (err < 0)
        fail(&fault, err, err == HERR_RANGE ? "the port is out of range" : "it is not a URL");
    else
        err = take(url, &parts, &fault);
    hurl_deinit(&parts);
    return err;
}

const char *redis_url_format(const redis_url_t *url, char *buf, size_t size)
{
    hendpoint_t plain = url->endpoint;
    char text[HENDPOINT_FORMAT_SIZE];
    bool is_tls = plain.scheme == HENDPOINT_TLS;

    if (is_tls)
        plain.scheme = HENDPOINT_TCP;
    hendpoint_format(&plain, text, sizeof(text));
    snprintf(buf, size, "%s%s",
             hendpoint_is_unix(&plain) ? ""
             : is_tls                  ? "rediss://"
                                       : "redis://",
             text);
    return buf;
}
