#include "http_cookie.h"

#include "../base/herr.h"
#include "http_date.h"
#include "http_text_int.h"

#include <string.h>
#include <strings.h>

#define AT_ONCE INT64_MIN

static http_span_t trim(http_span_t text)
{
    http_text__spaces(&text);
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Takes what stands before c off the front, and c with it; all of it if there is none. */
static http_span_t take_until(http_span_t *rest, char c)
{
    const char *end = rest->len ? memchr(rest->data, c, rest->len) : NULL;
    http_span_t front = {rest->data, end ? (size_t)(end - rest->data) : rest->len};

    if (rest->len > 0)
        http_text__advance(rest, front.len + (end != NULL));
    return trim(front);
}

static bool starts(http_span_t text, const char *prefix)
{
    return text.len >= strlen(prefix) && strncasecmp(text.data, prefix, strlen(prefix)) == 0;
}

/* ---- Set-Cookie ------------------------------------------------------------------------------ */

static bool has_controls(http_span_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* "-1" and "0" are the past; nothing outlives HTTP_COOKIE_AGE_MAX_S. */
static bool read_age(http_span_t text, int64_t now_s, int64_t *expires_s)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    int64_t age = 0;

    if (text.len == 0)
        return false;
    for (size_t i = negative; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        if (age < HTTP_COOKIE_AGE_MAX_S)
            age = age * 10 + (text.data[i] - '0');
    }
    age = age < HTTP_COOKIE_AGE_MAX_S ? age : HTTP_COOKIE_AGE_MAX_S;
    *expires_s = negative || age == 0 ? AT_ONCE : now_s + age;
    return true;
}

/* A domain that has no room is nobody's. */
static void set_domain(http_cookie_t *cookie, http_span_t value)
{
    if (value.len > 0 && value.data[0] == '.')
        http_text__advance(&value, 1);
    if (value.len >= sizeof(cookie->domain))
        value = HTTP_SPAN(".");
    cookie->domain_said = value;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];

        cookie->domain[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    cookie->domain[value.len] = '\0';
}

/* Some servers write it in quotes, and mean what is in them. */
static http_span_t read_path(http_span_t value)
{
    if (value.len > 1 && value.data[0] == '"') {
        http_text__advance(&value, 1);
        value.len -= value.data[value.len - 1] == '"';
    }
    return value.len > 0 && value.data[0] == '/' ? value : HTTP_SPAN("");
}

static http_same_site_e same_site(http_span_t value)
{
    if (http_span_ieq(value, "None"))
        return HTTP_SAME_SITE_NONE;
    if (http_span_ieq(value, "Lax"))
        return HTTP_SAME_SITE_LAX;
    return http_span_ieq(value, "Strict") ? HTTP_SAME_SITE_STRICT : HTTP_SAME_SITE_DEFAULT;
}

typedef struct times_s {
    bool has_age, has_date;
    int64_t age_s, date_s; /* both when it ends */
} times_t;

static void read_attribute(http_cookie_t *cookie, http_span_t text, int64_t now_s, times_t *times)
{
    http_span_t value = text, name = take_until(&value, '=');

    value = trim(value);
    if (value.len > HTTP_COOKIE_ATTRIBUTE_MAX)
        return;
    if (http_span_ieq(name, "Expires"))
        times->has_date |=
            value.len <= HTTP_COOKIE_DATE_MAX && http_date_parse_cookie(value, &times->date_s) == 0;
    else if (http_span_ieq(name, "Max-Age"))
        times->has_age |= read_age(value, now_s, &times->age_s);
    else if (http_span_ieq(name, "Domain"))
        set_domain(cookie, value);
    else if (http_span_ieq(name, "Path"))
        cookie->path = read_path(value);
    else if (http_span_ieq(name, "Secure"))
        cookie->secure = true;
    else if (http_span_ieq(name, "HttpOnly"))
        cookie->http_only = true;
    else if (http_span_ieq(name, "SameSite"))
        cookie->same_site = same_site(value);
}

static bool read_pair(http_span_t text, http_span_t *name, http_span_t *value)
{
    bool has_name = text.len > 0 && memchr(text.data, '=', text.len);

    *value = text;
    *name = has_name ? take_until(value, '=') : HTTP_SPAN("");
    *value = trim(*value);
    return name->len > 0 || value->len > 0;
}

int http_set_cookie_parse(http_span_t text, int64_t now_s, http_cookie_t *cookie)
{
    times_t times = {0};

    memset(cookie, 0, sizeof(*cookie));
    cookie->path = HTTP_SPAN("");
    if (has_controls(text) || !read_pair(take_until(&text, ';'), &cookie->name, &cookie->value))
        return HERR_SYNTAX;
    if (cookie->name.len + cookie->value.len > HTTP_COOKIE_PAIR_MAX)
        return HERR_FRAME_SIZE;
    while (text.len > 0)
        read_attribute(cookie, take_until(&text, ';'), now_s, &times);
    if (times.date_s > now_s + HTTP_COOKIE_AGE_MAX_S)
        times.date_s = now_s + HTTP_COOKIE_AGE_MAX_S;
    cookie->persistent = times.has_age || times.has_date;
    cookie->expires_s = times.has_age ? times.age_s : times.date_s;
    return 0;
}

/* ---- who may set it, who gets it ------------------------------------------------------------- */

bool http_cookie_domain_match(const char *host, bool host_is_address, const char *domain)
{
    size_t host_len = strlen(host), len = strlen(domain);

    if (strcmp(host, domain) == 0)
        return true;
    return !host_is_address && len > 0 && host_len > len && host[host_len - len - 1] == '.' &&
           memcmp(host + host_len - len, domain, len) == 0;
}

bool http_cookie_path_match(http_span_t path, http_span_t cookie_path)
{
    size_t n = cookie_path.len;

    if (n == 0 || path.len < n || memcmp(path.data, cookie_path.data, n) != 0)
        return false;
    return path.len == n || cookie_path.data[n - 1] == '/' || path.data[n] == '/';
}

http_span_t http_cookie_default_path(http_span_t path)
{
    size_t n = path.len;

    while (n > 0 && path.data[n - 1] != '/')
        n--;
    if (n <= 1 || path.data[0] != '/')
        return HTTP_SPAN("/");
    return (http_span_t){path.data, n - 1};
}

/* A cookie without a name is sent as its value: that must not look like one with a prefix, either.
 * */
static bool prefix_obeyed(const http_cookie_t *cookie, bool root_path)
{
    http_span_t shown = cookie->name.len > 0 ? cookie->name : cookie->value;
    bool secure = starts(shown, "__Secure-"), host = starts(shown, "__Host-");

    if (cookie->name.len == 0)
        return !secure && !host;
    if ((secure || host) && !cookie->secure)
        return false;
    return !host || (cookie->host_only && root_path);
}

int http_cookie_accept(http_cookie_t *cookie, const http_cookie_site_t *site,
                       http_public_suffix_cb is_public, void *arg)
{
    bool root_path = cookie->path.len == 1;

    if (cookie->domain[0] && is_public && is_public(cookie->domain, arg)) {
        if (strcmp(cookie->domain, site->host) != 0)
            return -EACCES;
        cookie->domain[0] = '\0';
    }
    cookie->host_only = !cookie->domain[0];
    if (cookie->host_only) {
        if (strlen(site->host) >= sizeof(cookie->domain))
            return -EACCES;
        memcpy(cookie->domain, site->host, strlen(site->host) + 1);
    }
    if (!http_cookie_domain_match(site->host, site->host_is_address, cookie->domain))
        return -EACCES;
    if (cookie->path.len == 0)
        cookie->path = http_cookie_default_path(site->path);
    if ((cookie->secure && !site->secure) || !prefix_obeyed(cookie, root_path))
        return -EACCES;
    return 0;
}

bool http_cookie_matches(const http_cookie_t *cookie, const http_cookie_site_t *site, int64_t now_s)
{
    bool domain = cookie->host_only
                      ? strcmp(site->host, cookie->domain) == 0
                      : http_cookie_domain_match(site->host, site->host_is_address, cookie->domain);

    return domain && (!cookie->secure || site->secure) &&
           (!cookie->persistent || cookie->expires_s > now_s) &&
           http_cookie_path_match(site->path.len > 0 ? site->path : HTTP_SPAN("/"), cookie->path);
}

/* ---- Cookie, and what a server writes -------------------------------------------------------- */

bool http_cookie_next(http_span_t *rest, http_span_t *name, http_span_t *value)
{
    while (rest->len > 0) {
        if (read_pair(take_until(rest, ';'), name, value))
            return true;
    }
    return false;
}

static bool is_plain(http_span_t text, const char *forbidden)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(forbidden, text.data[i]))
            return false;
    }
    return !has_controls(text);
}

static void put_span(http_writer_t *w, const char *before, http_span_t text)
{
    http_text__put(w, before);
    http_text__put_bytes(w, text.data, text.len);
}

ssize_t http_cookie_write(const http_cookie_t *cookies, size_t count, char *buf, size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};

    if (size > 0)
        buf[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const http_cookie_t *c = &cookies[i];

        if (!is_plain(c->name, ";=") || !is_plain(c->value, ";"))
            return -EINVAL;
        put_span(&w, i > 0 ? "; " : "", c->name);
        put_span(&w, c->name.len > 0 ? "=" : "", c->value);
    }
    return http_text__written(&w);
}

static void put_expires(http_writer_t *w, int64_t expires_s)
{
    char date[HTTP_DATE_SIZE];

    http_text__put(w, "; Expires=");
    http_text__put(w, http_date_format(expires_s < 0 ? 0 : expires_s, date));
}

ssize_t http_set_cookie_write(const http_cookie_t *cookie, char *buf, size_t size)
{
    static const char *const sites[] = {NULL, "None", "Lax", "Strict"};
    const char *site = sites[cookie->same_site];
    http_writer_t w = {.buf = buf, .size = size};

    if (!http_is_token(cookie->name) || !is_plain(cookie->value, " \t\",;\\") ||
        !is_plain(cookie->path, ";") || !is_plain(http_span(cookie->domain), ";, "))
        return -EINVAL;
    put_span(&w, "", cookie->name);
    put_span(&w, "=", cookie->value);
    if (cookie->persistent)
        put_expires(&w, cookie->expires_s);
    if (cookie->domain[0] && !cookie->host_only)
        put_span(&w, "; Domain=", http_span(cookie->domain));
    if (cookie->path.len > 0)
        put_span(&w, "; Path=", cookie->path);
    http_text__put(&w, cookie->secure ? "; Secure" : "");
    http_text__put(&w, cookie->http_only ? "; HttpOnly" : "");
    if (site)
        put_span(&w, "; SameSite=", http_span(site));
    return http_text__written(&w);
}
