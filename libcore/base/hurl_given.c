/* URLs as curl reads them (HURL_AS_GIVEN): little is normalised, much is refused. A reference is
 * first joined with its base as text, so that all of it goes through one parser. */
#include "hurl_int.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#include "herr.h"
#include "hstr.h"

#define SLASHES_MAX 3
#define SCHEME_MAX 40
#define ZONE_MAX 15
#define PORT_MAX 65535
#define IPV4_PARTS_MAX 4
#define NOT_IN_HOST " \r\n\t/:#?!@{}[]\\$'\"^`*<>=;,+&()%|"

typedef struct reader_s {
    hurl_writer_t w;
    hurl_t *url;
    unsigned flags;
    char ascii[HURL_HOST_MAX + 1]; /* of a name that is shown in another script */
    size_t ascii_len;
    hbytes_t path; /* as it is asked for */
} reader_t;

static int refuse(reader_t *r, const char *fault)
{
    r->url->fault = fault;
    return HERR_SYNTAX;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool eq(hurl_part_t part, const char *text)
{
    return part.len == strlen(text) && strncasecmp(part.data, text, part.len) == 0;
}

static bool starts(hurl_part_t part, const char *text)
{
    return part.len >= strlen(text) && strncasecmp(part.data, text, strlen(text)) == 0;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static int put_hex(hbytes_t *out, char c)
{
    return hbytes_printf(out, "%%%02X", (unsigned char)c);
}

/* Digits of %xx become upper case, and bytes that no request line may have %XX. */
static int put_path(hbytes_t *out, hurl_part_t text)
{
    int err = 0;

    while (text.len > 0 && err == 0) {
        char c = text.data[0];
        bool coded = c == '%' && text.len >= 3 && hurl__hex(text.data[1]) >= 0 &&
                     hurl__hex(text.data[2]) >= 0;

        if (coded)
            err = put_hex(out, (char)(hurl__hex(text.data[1]) * 16 + hurl__hex(text.data[2])));
        else if (c == ' ' || is_control(c) || (unsigned char)c >= 0x80)
            err = put_hex(out, c);
        else
            err = hbytes_append_char(out, c);
        hurl__cut(&text, coded ? 3 : 1);
    }
    return err;
}

static int put_raw(hbytes_t *out, hurl_part_t text)
{
    return hbytes_append(out, text.data, text.len);
}

/* What is taken as it is: all of it, unless it came in a Location. */
static int put_as_is(const reader_t *r, hbytes_t *out, hurl_part_t text, bool plus)
{
    hbytes_t spaced = {0};
    int err = 0;

    if (!(r->flags & HURL_LOCATION))
        return hbytes_append(out, text.data, text.len);
    for (size_t i = 0; err == 0 && i < text.len; i++)
        err = hbytes_append_char(&spaced, (char)(plus && text.data[i] == ' ' ? '+' : text.data[i]));
    if (err == 0)
        err = put_path(out, (hurl_part_t){spaced.data, spaced.len});
    hbytes_deinit(&spaced);
    return err;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

/* A number as C writes it, at the front. -1: there is none. */
static int64_t read_number(hurl_part_t *text)
{
    unsigned radix = 10;
    uint64_t value = 0;
    size_t n = 0;

    if (text->len >= 2 && text->data[0] == '0' && (text->data[1] | 0x20) == 'x') {
        radix = 16;
        hurl__cut(text, 2);
    } else if (text->len > 0 && text->data[0] == '0') {
        radix = 8;
    }
    while (n < text->len && hurl__hex(text->data[n]) >= 0 &&
           (unsigned)hurl__hex(text->data[n]) < radix && value <= UINT32_MAX)
        value = value * radix + (unsigned)hurl__hex(text->data[n++]);
    hurl__cut(text, n);
    return n > 0 && value <= UINT32_MAX ? (int64_t)value : -1;
}

/* The forms of inet_aton, with a point behind them or without. False: it is a name. */
static bool read_ipv4(hurl_part_t host, uint32_t *address)
{
    uint64_t parts[IPV4_PARTS_MAX], result = 0;
    unsigned count = 0;

    do {
        int64_t value = read_number(&host);

        if (value < 0)
            return false;
        parts[count++] = (uint64_t)value;
        if (host.len > 0 && hurl__cut(&host, 1).data[0] != '.')
            return false;
    } while (host.len > 0 && count < IPV4_PARTS_MAX);
    if (host.len > 0 || parts[count - 1] >> (8 * (IPV4_PARTS_MAX - count + 1)))
        return false;
    for (unsigned i = 0; i + 1 < count; i++) {
        if (parts[i] > 255)
            return false;
        result |= parts[i] << (24 - 8 * i);
    }
    *address = (uint32_t)(result | parts[count - 1]);
    return true;
}

static bool is_zone(hurl_part_t zone)
{
    for (size_t i = 0; i < zone.len; i++) {
        char c = zone.data[i];

        if (!is_digit(c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !strchr("-._~", c))
            return false;
    }
    return zone.len > 0 && zone.len <= ZONE_MAX;
}

/* Without its brackets. */
static int put_ipv6(reader_t *r, hurl_part_t text)
{
    static const char bad[] = "a bad IPv6 address";
    char address[INET6_ADDRSTRLEN];
    struct in6_addr in6;
    hurl_part_t number = hurl__cut(&text, hurl__until(text, "%"));
    size_t start = r->w.out.len;
    int err;

    if (number.len >= sizeof(address))
        return refuse(r, bad);
    memcpy(address, number.data, number.len);
    address[number.len] = '\0';
    if (strlen(address) != number.len || inet_pton(AF_INET6, address, &in6) != 1)
        return refuse(r, bad);
    if (text.len > 0 && !is_zone((hurl_part_t){text.data + 1, text.len - 1}))
        return refuse(r, "a bad zone of an IPv6 address");
    inet_ntop(AF_INET6, &in6, address, sizeof(address));
    err = hbytes_printf(&r->w.out, "[%s", address);
    r->w.host = hurl__mark(&r->w, start);
    r->w.host.len++; /* the bracket, which hurl__finish takes off, or what stands in its place */
    if (err == 0 && text.len > 0)
        err = hbytes_append_str(&r->w.out, "%25");
    start = r->w.out.len;
    if (err == 0 && text.len > 0)
        err = hbytes_append(&r->w.out, text.data + 1, text.len - 1);
    if (text.len > 0)
        r->w.zone = hurl__mark(&r->w, start);
    r->url->host_kind = HURL_HOST_IPV6;
    return err == 0 ? hbytes_append_char(&r->w.out, ']') : err;
}

static bool is_name(hurl_part_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (is_control(name.data[i]) || strchr(NOT_IN_HOST, name.data[i]))
            return false;
    }
    return !eq(name, ".") && (name.len < 2 || memcmp(name.data + name.len - 2, "..", 2) != 0);
}

/* shown: as it was given. */
static int put_name(reader_t *r, hurl_part_t name, hurl_part_t shown)
{
    size_t start = r->w.out.len;
    uint32_t address;
    int err;

    if (read_ipv4(name, &address)) {
        r->url->host_kind = HURL_HOST_IPV4;
        err = hbytes_printf(&r->w.out, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                            address >> 8 & 255, address & 255);
    } else {
        if (!is_name(name) || !is_name(shown))
            return refuse(r, "a bad host name");
        if (name.len > HURL_HOST_MAX) {
            r->url->fault = "the host name is too long";
            return HERR_RANGE;
        }
        r->url->host_kind = HURL_HOST_NAME;
        if (name.data != shown.data)
            r->ascii_len = hstr_copy(r->ascii, sizeof(r->ascii), name.data);
        err = hbytes_append(&r->w.out, shown.data, shown.len);
    }
    r->w.host = hurl__mark(&r->w, start);
    return err;
}

/* %XX is decoded; what is not ASCII stays so in the text alone. */
static int put_host(reader_t *r, hurl_part_t host)
{
    char raw[HURL_IDN_SIZE], name[HURL_IDN_SIZE];
    hurl_part_t text = {raw, 0};
    bool ascii = true;
    int err;

    if (host.len >= sizeof(raw)) {
        r->url->fault = "the host name is too long";
        return HERR_RANGE;
    }
    while (host.len > 0) {
        bool coded = host.data[0] == '%' && host.len >= 3 && hurl__hex(host.data[1]) >= 0 &&
                     hurl__hex(host.data[2]) >= 0;
        char c =
            coded ? (char)(hurl__hex(host.data[1]) * 16 + hurl__hex(host.data[2])) : host.data[0];

        if (is_control(c))
            return refuse(r, "a bad host name");
        ascii &= (unsigned char)c < 0x80;
        raw[text.len++] = c;
        hurl__cut(&host, coded ? 3 : 1);
    }
    if (text.len >= 2 && raw[0] == '[' && raw[text.len - 1] == ']')
        return put_ipv6(r, (hurl_part_t){raw + 1, text.len - 2});
    if (ascii)
        return put_name(r, text, text);
    raw[text.len] = '\0';
    err = hurl__idn(raw, name, sizeof(name));
    r->url->fault = err < 0 ? "a bad host name" : NULL;
    return err < 0 ? err : put_name(r, (hurl_part_t){name, strlen(name)}, text);
}

/* ---- what stands between the slashes and the path -------------------------------------------- */

static int put_user(reader_t *r, hurl_part_t info)
{
    hurl_part_t user = hurl__cut(&info, hurl__until(info, ":"));
    size_t start = r->w.out.len;
    int err = put_as_is(r, &r->w.out, user, false);

    r->w.user = hurl__mark(&r->w, start);
    if (err == 0 && info.len > 0) {
        err = hbytes_append_char(&r->w.out, ':');
        start = r->w.out.len;
        if (err == 0)
            err = put_as_is(r, &r->w.out, (hurl_part_t){info.data + 1, info.len - 1}, false);
        r->w.password = hurl__mark(&r->w, start);
    }
    return err == 0 ? hbytes_append_char(&r->w.out, '@') : err;
}

/* Cuts the port off. -1: there is none; -2: a colon with nothing behind it; -3: it is no port. */
static int cut_port(hurl_part_t *host)
{
    size_t n = host->len > 0 && host->data[0] == '[' ? hurl__until(*host, "]") : 0;
    int port = 0;

    if (host->len > n && host->data[n] == ']')
        n++;
    else
        n = hurl__until(*host, ":");
    if (n == host->len)
        return -1;
    if (host->data[n] != ':')
        return -3;
    for (size_t i = n + 1; i < host->len && port >= 0; i++) {
        port = is_digit(host->data[i]) ? port * 10 + host->data[i] - '0' : -3;
        port = port > PORT_MAX ? -3 : port;
    }
    if (n + 1 == host->len)
        port = -2;
    host->len = n;
    return port;
}

static const char *guess(hurl_part_t host)
{
    static const char *const schemes[] = {"ftp", "dict", "ldap", "imap", "smtp", "pop3"};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);

        if (starts(host, schemes[i]) && host.len > len && host.data[len] == '.')
            return schemes[i];
    }
    return "http";
}

/* scheme empty: it is guessed. */
static int put_authority(reader_t *r, hurl_part_t scheme, hurl_part_t host)
{
    bool guessed = scheme.len == 0;
    size_t at = hurl__until(host, "@");
    hurl_part_t info = {NULL, 0};
    int err, port;

    if (at < host.len) {
        info = hurl__cut(&host, at);
        hurl__cut(&host, 1);
    }
    port = cut_port(&host);
    if (host.len == 0)
        return refuse(r, "no host");
    if (port == -3 || (port == -2 && guessed))
        return refuse(r, "the port is no number from 0 to 65535");
    if (guessed)
        scheme = (hurl_part_t){guess(host), strlen(guess(host))};
    err = hurl__put_scheme(&r->w.out, scheme);
    r->w.scheme = hurl__mark(&r->w, 0);
    r->url->port = port >= 0 ? port : hurl_default_port(scheme.data, scheme.len);
    if (err == 0)
        err = hbytes_append_str(&r->w.out, "://");
    if (err == 0 && info.data)
        err = put_user(r, info);
    if (err == 0)
        err = put_host(r, host);
    return err == 0 && port >= 0 ? hbytes_printf(&r->w.out, ":%d", port) : err;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* What is behind the authority: path, query, fragment. */
static int put_rest(reader_t *r, hurl_part_t rest)
{
    hurl_part_t before = hurl__cut(&rest, hurl__until(rest, "#"));
    hurl_part_t path = hurl__cut(&before, hurl__until(before, "?"));
    size_t start = r->w.out.len;
    int (*put)(hbytes_t *, hurl_part_t) = r->flags & HURL_LOCATION ? put_path : put_raw;
    int err;

    if (r->flags & HURL_PATH_AS_IS)
        err = path.len > 0 ? put(&r->w.out, path) : hbytes_append_char(&r->w.out, '/');
    else
        err = hurl__put_segments(&r->w.out, path, "/", put);
    r->w.path = hurl__mark(&r->w, start);
    if (err == 0)
        err = put_path(&r->path, (hurl_part_t){r->w.out.data + start, r->w.path.len});
    if (err == 0 && before.len > 0) {
        err = hbytes_append_char(&r->w.out, '?');
        start = r->w.out.len;
        if (err == 0)
            err = put_as_is(r, &r->w.out, (hurl_part_t){before.data + 1, before.len - 1}, true);
        r->w.query = hurl__mark(&r->w, start);
    }
    if (err == 0 && rest.len > 0) {
        err = hbytes_append_char(&r->w.out, '#');
        start = r->w.out.len;
        if (err == 0)
            err = put_as_is(r, &r->w.out, (hurl_part_t){rest.data + 1, rest.len - 1}, false);
        r->w.fragment = hurl__mark(&r->w, start);
    }
    return err;
}

/* A scheme of its own kind, as "mailto:" in a redirect: only to be refused by its name. */
static int put_local(reader_t *r, hurl_part_t scheme, hurl_part_t rest)
{
    int err = hurl__put_scheme(&r->w.out, scheme);
    size_t start;

    r->w.scheme = hurl__mark(&r->w, 0);
    if (err == 0)
        err = hbytes_append_char(&r->w.out, ':');
    start = r->w.out.len;
    if (err == 0)
        err = put_as_is(r, &r->w.out, rest, false);
    r->w.path = hurl__mark(&r->w, start);
    r->url->local = true;
    return err;
}

/* file:///path, file:/path and file://localhost/path. */
static int put_file(reader_t *r, hurl_part_t rest)
{
    int err;

    if (rest.len < 2)
        return refuse(r, "a bad file URL");
    if (starts(rest, "//")) {
        hurl_part_t host;

        hurl__cut(&rest, 2);
        host = hurl__cut(&rest, hurl__until(rest, "/"));
        if (host.len > 0 && !eq(host, "localhost") && !eq(host, "127.0.0.1"))
            return refuse(r, "a file of another host");
    }
    if (rest.len == 0 || rest.data[0] != '/')
        return refuse(r, "a bad file URL");
    err = hbytes_append_str(&r->w.out, "file://");
    r->w.scheme = (hurl_mark_t){0, 4, true};
    r->w.host = hurl__mark(&r->w, r->w.out.len);
    return err == 0 ? put_rest(r, rest) : err;
}

static int read_text(reader_t *r, hurl_part_t text)
{
    hurl_part_t scheme = {text.data, hurl__scheme_len(text)};
    bool location = r->flags & HURL_LOCATION, guessing = r->flags & HURL_GUESS;
    int err, slashes = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (is_control(text.data[i]) || (text.data[i] == ' ' && !location))
            return refuse(r, text.data[i] == ' ' ? "a space in it" : "a control character in it");
    }
    if (scheme.len > SCHEME_MAX ||
        (guessing && (text.len < scheme.len + 2 || text.data[scheme.len + 1] != '/')))
        scheme.len = 0;
    if (scheme.len == 0 && !guessing)
        return refuse(r, "no scheme");
    if (scheme.len > 0)
        hurl__cut(&text, scheme.len + 1);
    if (eq(scheme, "file"))
        return put_file(r, text);
    if (scheme.len > 0 && (text.len == 0 || text.data[0] != '/') && !guessing &&
        hurl_default_port(scheme.data, scheme.len) == 0)
        return put_local(r, scheme, text);
    for (; scheme.len > 0 && text.len > 0 && text.data[0] == '/'; slashes++)
        hurl__cut(&text, 1);
    if (scheme.len > 0 && (slashes == 0 || slashes > SLASHES_MAX))
        return refuse(r, "not one to three slashes behind the scheme");
    scheme.data = scheme.len > 0 ? scheme.data : "";
    err = put_authority(r, scheme, hurl__cut(&text, hurl__until(text, "/?#")));
    return err == 0 ? put_rest(r, text) : err;
}

hurl_part_t hurl_shown_path(const hurl_t *url)
{
    const char *start, *end = url->text + url->len;

    if (url->local || !url->host.data)
        return url->path;
    if (url->query.data)
        end = url->query.data - 1;
    else if (url->fragment.data)
        end = url->fragment.data - 1;
    start = memchr(url->text + url->scheme.len + 3, '/', url->len - url->scheme.len - 3);
    start = start && start < end ? start : end;
    return (hurl_part_t){start, (size_t)(end - start)};
}

/* Joins a reference with its base. */
static int join(hbytes_t *out, const hurl_t *base, hurl_part_t text, unsigned flags)
{
    hurl_part_t keep = {base->text, base->len}, path = hurl_shown_path(base);
    bool plus = false; /* behind a "?" */
    int err;

    if (text.len == 0 || text.data[0] == '#')
        keep.len =
            (base->fragment.data ? (size_t)(base->fragment.data - base->text) - 1 : base->len);
    else if (starts(text, "//"))
        keep.len = base->scheme.len + 1;
    else if (text.data[0] == '/')
        keep.len = (size_t)(path.data - base->text);
    else
        keep.len = (size_t)(path.data - base->text) + path.len;
    if (text.len > 0 && !strchr("/?#", text.data[0])) {
        while (keep.len > 0 && keep.data[keep.len - 1] != '/')
            keep.len--;
    }
    err = hbytes_append(out, keep.data, keep.len);
    for (size_t i = 0; err == 0 && i < text.len; i++) {
        plus |= text.data[i] == '?';
        if ((flags & HURL_LOCATION) && text.data[i] == ' ')
            err = hbytes_append_str(out, plus ? "+" : "%20");
        else if ((flags & HURL_LOCATION) && is_control(text.data[i]))
            err = put_hex(out, text.data[i]);
        else
            err = hbytes_append_char(out, text.data[i]);
    }
    return err;
}

/* Puts a part behind the end of the text. */
static int hide(hurl_writer_t *w, hurl_mark_t *mark, const char *data, size_t len)
{
    int err = hbytes_append_char(&w->out, '\0');
    size_t start = w->out.len;

    if (err == 0)
        err = hbytes_append(&w->out, data, len);
    *mark = hurl__mark(w, start);
    return err;
}

/* Those that are asked for otherwise than they are shown. */
static int hide_parts(reader_t *r)
{
    hurl_writer_t *w = &r->w;
    bool same = !w->path.there || r->path.len == 0 ||
                (r->path.len == w->path.len &&
                 memcmp(r->path.data, w->out.data + w->path.at, r->path.len) == 0);
    int err = 0;

    if (r->ascii_len > 0)
        err = hide(w, &w->host, r->ascii, r->ascii_len);
    if (err == 0 && !same)
        err = hide(w, &w->path, r->path.data, r->path.len);
    return err;
}

int hurl__parse_given(hurl_t *url, hurl_part_t text, const hurl_t *base, unsigned flags)
{
    const char *fault;
    reader_t r = {.url = url, .flags = flags};
    hbytes_t joined = {0};
    size_t len = 0;
    int err = 0;

    memset(url, 0, sizeof(*url));
    if (text.len > HURL_LEN_MAX) {
        url->fault = "too long";
        return HERR_RANGE;
    }
    if (base && !hurl__scheme_len(text)) {
        err = base->local ? refuse(&r, "no scheme") : join(&joined, base, text, flags);
        text = (hurl_part_t){joined.data, joined.len};
        r.flags &= ~(unsigned)HURL_PATH_AS_IS;
    } else if (text.len == 0) {
        err = refuse(&r, "it is empty");
    }
    if (err == 0)
        err = read_text(&r, text);
    len = r.w.out.len;
    if (err == 0)
        err = hide_parts(&r);
    fault = url->fault;
    if (err == 0)
        hurl__finish(&r.w, url);
    else
        memset(url, 0, sizeof(*url));
    url->len = err == 0 ? len : 0;
    url->fault = err < 0 && err != -ENOMEM ? fault : NULL;
    hbytes_deinit(&r.w.out);
    hbytes_deinit(&r.path);
    hbytes_deinit(&joined);
    return err;
}
