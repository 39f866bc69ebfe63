/* A URL is split into raw parts, those that it does not have come from the base, and what results
 * is written, normalised, into one text. The parts of a base are normalised already: to normalise
 * them again changes nothing. */
#include "hurl.h"

#include <string.h>
#include <strings.h>

#include "herr.h"
#include "hmem.h"
#include "hurl_int.h"

#define PORT_MAX 65535
#define FILE_SCHEME "file"

/* The text as it was given, without spaces around it and line ends in it; then what of it is still
 * to be read. Parts have data NULL when they are not there. */
typedef struct raw_s {
    hurl_part_t scheme, authority, path, query, fragment;
    bool special; /* of the schemes that browsers have their own rules for */
    bool file;
} raw_t;

static bool eq(hurl_part_t part, const char *text)
{
    return part.len == strlen(text) && strncasecmp(part.data, text, part.len) == 0;
}

/* ---- what comes in --------------------------------------------------------------------------- */

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_rfc3986(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%' && (i + 2 >= len || hurl__hex(text[i + 1]) < 0 || hurl__hex(text[i + 2]) < 0))
            return false;
        if (!is_alpha(c) && !(c >= '0' && c <= '9') &&
            (!c || !strchr("-._~:/?#[]@!$&'()*+,;=%", c)))
            return false;
    }
    return true;
}

/* Browsers drop controls and spaces around a URL, and tabs and line ends in it. */
static int clean(hbytes_t *out, const char *text, size_t len, unsigned flags)
{
    hurl_part_t rest;
    int err;

    if (len > HURL_LEN_MAX)
        return HERR_RANGE;
    if ((flags & HURL_STRICT) && !is_rfc3986(text, len))
        return HERR_SYNTAX;
    while (len > 0 && (unsigned char)text[0] <= ' ') {
        text++;
        len--;
    }
    while (len > 0 && (unsigned char)text[len - 1] <= ' ')
        len--;
    rest = (hurl_part_t){text, len};
    err = hbytes_reserve(out, 1); /* parts of it are there, though empty */
    while (err == 0 && rest.len > 0) {
        hurl_part_t run = hurl__cut(&rest, hurl__until(rest, "\t\r\n"));

        err = hbytes_append(out, run.data, run.len);
        if (rest.len > 0)
            hurl__cut(&rest, 1);
    }
    return err;
}

static bool has_slashes(hurl_part_t text, const char *slashes)
{
    return text.len >= 2 && strchr(slashes, text.data[0]) && strchr(slashes, text.data[1]) &&
           text.data[0] && text.data[1];
}

int hurl_default_port(const char *scheme, size_t len)
{
    static const struct {
        const char *scheme;
        int port;
    } ports[] = {{"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}, {"ftp", 21}};

    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (eq((hurl_part_t){scheme, len}, ports[i].scheme))
            return ports[i].port;
    }
    return 0;
}

static void set_scheme(raw_t *raw, hurl_part_t scheme)
{
    raw->scheme = scheme;
    raw->file = eq(scheme, FILE_SCHEME);
    raw->special = raw->file || hurl_default_port(scheme.data, scheme.len) > 0;
}

/* Cuts the authority off the front if there is one. relative: no scheme, or the base's own, so that
 * only two slashes begin one; else a special scheme has one in any case. */
static void split_authority(raw_t *raw, hurl_part_t *rest, bool relative)
{
    const char *slashes = raw->special ? "/\\" : "/";

    if (raw->special && !raw->file && (!relative || has_slashes(*rest, slashes))) {
        while (rest->len > 0 && rest->data[0] && strchr(slashes, rest->data[0]))
            hurl__cut(rest, 1);
    } else if (has_slashes(*rest, slashes)) {
        hurl__cut(rest, 2);
    } else {
        return;
    }
    raw->authority = hurl__cut(rest, hurl__until(*rest, slashes));
}

static int split(raw_t *raw, hurl_part_t rest, const hurl_t *base, unsigned flags)
{
    size_t n = hurl__until(rest, "#");
    hurl_part_t before = hurl__cut(&rest, n);
    bool relative = true;

    if (rest.len > 0)
        raw->fragment = (hurl_part_t){rest.data + 1, rest.len - 1};
    rest = before;
    n = hurl__scheme_len(rest);
    if ((flags & HURL_GUESS) && !base &&
        (n == 0 || !has_slashes((hurl_part_t){rest.data + n + 1, rest.len - n - 1}, "/\\"))) {
        set_scheme(raw, (hurl_part_t){"http", 4});
        relative = false;
    } else if (n > 0) {
        set_scheme(raw, hurl__cut(&rest, n));
        hurl__cut(&rest, 1);
        relative = base && raw->special && raw->scheme.len == base->scheme.len &&
                   strncasecmp(raw->scheme.data, base->scheme.data, n) == 0;
    } else if (base && base->text) {
        set_scheme(raw, base->scheme);
    } else {
        return HERR_SYNTAX;
    }
    raw->path = hurl__cut(&rest, hurl__until(rest, "?"));
    if (rest.len > 0)
        raw->query = (hurl_part_t){rest.data + 1, rest.len - 1};
    split_authority(raw, &raw->path, relative);
    if (raw->file && !raw->authority.data && !relative)
        raw->authority = (hurl_part_t){"", 0};
    return relative ? 1 : 0;
}

/* ---- against a base -------------------------------------------------------------------------- */

/* What stands between "//" and the path. */
static hurl_part_t base_authority(const hurl_t *base)
{
    const char *start = base->host.data ? base->scheme.data + base->scheme.len + 3 : NULL;

    return (hurl_part_t){start, start ? (size_t)(base->path.data - start) : 0};
}

/* Takes from the base what is not there (RFC 3986 section 5.2.2). The path may have to be put
 * together, in merged. */
static int resolve(raw_t *raw, const hurl_t *base, hbytes_t *merged)
{
    const char *slashes = raw->special ? "/\\" : "/";
    bool rooted = raw->path.len > 0 && raw->path.data[0] && strchr(slashes, raw->path.data[0]);
    size_t folder = base->path.len;
    int err;

    if (base->local)
        return raw->path.len > 0 || raw->query.data || raw->authority.data ? HERR_SYNTAX : 1;
    if (raw->authority.data)
        return 0;
    raw->authority = base_authority(base);
    if (rooted)
        return 0;
    if (raw->path.len == 0) {
        raw->path = base->path;
        raw->query = raw->query.data ? raw->query : base->query;
        return 0;
    }
    while (folder > 0 && base->path.data[folder - 1] != '/')
        folder--;
    err = folder > 0 ? hbytes_append(merged, base->path.data, folder)
                     : hbytes_append_char(merged, '/');
    if (err == 0)
        err = hbytes_append(merged, raw->path.data, raw->path.len);
    raw->path = (hurl_part_t){merged->data, merged->len};
    return err;
}

/* ---- what goes out --------------------------------------------------------------------------- */

/* user:password@; both may be empty, and then nothing is written. */
static int put_user(hurl_writer_t *w, hurl_part_t info)
{
    hurl_part_t user = hurl__cut(&info, hurl__until(info, ":"));
    int err;

    if (user.len == 0 && info.len <= 1)
        return 0;
    err = hurl__put_part(w, &w->user, "", user, HURL_SET_USER);
    if (err == 0 && info.len > 1)
        err = hurl__put_part(w, &w->password, ":", (hurl_part_t){info.data + 1, info.len - 1},
                             HURL_SET_USER);
    return err == 0 ? hbytes_append_char(&w->out, '@') : err;
}

static int read_port(hurl_part_t digits, int *port)
{
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return HERR_SYNTAX;
        *port = *port * 10 + (digits.data[i] - '0');
        if (*port > PORT_MAX)
            return HERR_RANGE;
    }
    return 0;
}

/* The port, which an empty one behind the colon is not: 0. */
static int split_port(hurl_part_t *host, int *port)
{
    size_t n = host->len;

    while (n > 0 && host->data[n - 1] != ':' && host->data[n - 1] != ']')
        n--;
    if (n == 0 || host->data[n - 1] == ']')
        return 0;
    *port = 0;
    if (read_port((hurl_part_t){host->data + n, host->len - n}, port) < 0)
        return *port > PORT_MAX ? HERR_RANGE : HERR_SYNTAX;
    *port = n == host->len ? -1 : *port;
    host->len = n - 1;
    return 0;
}

/* An empty host has neither user nor port. */
static int put_authority(hurl_writer_t *w, const raw_t *raw, hurl_t *url)
{
    hurl_part_t host = raw->authority, info = {"", 0};
    size_t at = host.len, start;
    int own = hurl_default_port(raw->scheme.data, raw->scheme.len), port = -1, err;

    while (at > 0 && host.data[at - 1] != '@')
        at--;
    if (at > 0) {
        info = hurl__cut(&host, at);
        info.len--;
    }
    err = split_port(&host, &port);
    if (err == 0 && host.len == 0 && ((raw->special && !raw->file) || at > 0 || port >= 0))
        err = HERR_SYNTAX;
    if (err == 0 && raw->file && (at > 0 || port >= 0))
        err = HERR_SYNTAX;
    if (raw->file && eq(host, "localhost"))
        host.len = 0;
    if (err == 0)
        err = hbytes_append_str(&w->out, "//");
    if (err == 0)
        err = put_user(w, info);
    start = w->out.len;
    if (err == 0)
        err = hurl__put_host(&w->out, host, raw->special, &url->host_kind);
    w->host = hurl__mark(w, start);
    url->port = port >= 0 ? port : own;
    return err == 0 && port >= 0 && port != own ? hbytes_printf(&w->out, ":%d", port) : err;
}

static int put_segment(hbytes_t *out, hurl_part_t segment)
{
    return hurl__put(out, segment, HURL_SET_PATH);
}

/* A path that begins with two slashes, and has no host before it, would be read as one. */
static int put_path(hurl_writer_t *w, const raw_t *raw, hurl_t *url)
{
    const char *slashes = raw->special ? "/\\" : "/";
    size_t start = w->out.len;
    hbytes_t path = {0};
    int err = 0;

    url->local = !raw->authority.data && (raw->path.len == 0 || raw->path.data[0] != '/');
    if (url->local)
        return hurl__put_part(w, &w->path, "", raw->path, HURL_SET_NONE);
    if (raw->special || raw->path.len > 0)
        err = hurl__put_segments(&path, raw->path, slashes, put_segment);
    if (err == 0 && !raw->authority.data && path.len >= 2 && path.data[1] == '/') {
        err = hbytes_append_str(&w->out, "/.");
        start += 2;
    }
    if (err == 0)
        err = hbytes_append(&w->out, path.data ? path.data : "", path.len);
    hbytes_deinit(&path);
    w->path = hurl__mark(w, start);
    return err;
}

static int put_all(hurl_writer_t *w, const raw_t *raw, hurl_t *url)
{
    int err = hurl__put_scheme(&w->out, raw->scheme);

    w->scheme = hurl__mark(w, 0);
    if (err == 0)
        err = hbytes_append_char(&w->out, ':');
    if (err == 0 && raw->authority.data)
        err = put_authority(w, raw, url);
    if (err == 0)
        err = put_path(w, raw, url);
    if (err == 0 && raw->query.data)
        err = hurl__put_part(w, &w->query, "?", raw->query,
                             raw->special ? HURL_SET_QUERY_SPECIAL : HURL_SET_QUERY);
    if (err == 0 && raw->fragment.data)
        err = hurl__put_part(w, &w->fragment, "#", raw->fragment, HURL_SET_FRAGMENT);
    return err;
}

int hurl_parse(hurl_t *url, const char *text, size_t len, const hurl_t *base, unsigned flags)
{
    hbytes_t input = {0}, merged = {0};
    hurl_writer_t w = {0};
    raw_t raw = {0};
    int err;

    if (flags & HURL_AS_GIVEN)
        return hurl__parse_given(url, (hurl_part_t){text, len}, base, flags);
    memset(url, 0, sizeof(*url));
    err = clean(&input, text, len, flags);
    if (err == 0)
        err = split(&raw, (hurl_part_t){input.data, input.len}, base, flags);
    if (err == 1)
        err = resolve(&raw, base, &merged);
    if (err == 1) { /* a fragment for a base that is no hierarchy */
        raw.path = base->path;
        raw.query = base->query;
        err = 0;
    }
    if (err == 0)
        err = put_all(&w, &raw, url);
    if (err == 0)
        hurl__finish(&w, url);
    else
        memset(url, 0, sizeof(*url));
    hbytes_deinit(&w.out);
    hbytes_deinit(&merged);
    hbytes_deinit(&input);
    return err;
}

void hurl_deinit(hurl_t *url)
{
    hmem_free(url->text);
    memset(url, 0, sizeof(*url));
}
