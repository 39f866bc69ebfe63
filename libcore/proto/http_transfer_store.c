/* What outlives a transfer: cookies, hosts that want https, alternatives. */
#include "http_client_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "http_altsvc.h"
#include "http_cookie_jar.h"
#include "http_hsts.h"
#include "http_store_int.h"

#include <ctype.h>
#include <time.h>

#define HTTP_PORT 80

/* The host of the URL, or of the program's Host field: that is who the server thinks it is. */
static void find_host(const http_transfer_t *t, char *host, size_t size, bool by_field)
{
    const http_extra_t *extra = http_transfer__extra(t, "Host");
    http_span_t from = {t->url->host.data, t->url->host.len};

    if (by_field && extra && extra->value && http_transfer__is_trusted(t)) {
        from = http_span(extra->value);
        if (from.len > 0 && from.data[0] == '[') {
            from = (http_span_t){from.data + 1, strcspn(from.data + 1, "]")};
        } else {
            from.len = strcspn(from.data, ":");
        }
    }
    if (from.len >= size)
        from.len = size - 1;
    for (size_t i = 0; i < from.len; i++)
        host[i] = (char)tolower((unsigned char)from.data[i]);
    host[from.len] = '\0';
}

static http_cookie_site_t site_of(const http_transfer_t *t, char *host, size_t size)
{
    find_host(t, host, size, true);
    return (http_cookie_site_t){
        .host = host,
        .host_is_address = http_store__is_address(host),
        .secure = http_client__is_secure(t->url),
        .path = {t->url->path.data, t->url->path.len},
    };
}

int http_transfer__read_jar(const http_transfer_t *t, hbytes_t *value)
{
    char host[HENDPOINT_HOST_SIZE];
    http_cookie_site_t site = site_of(t, host, sizeof(host));

    return http_cookie_jar_get(t->options.jar, &site, time(NULL), value);
}

void http_transfer__keep(http_transfer_t *t, const http_exchange_response_t *response)
{
    char host[HENDPOINT_HOST_SIZE];
    http_cookie_site_t site = site_of(t, host, sizeof(host));
    int64_t now_s = time(NULL);

    if (t->options.jar)
        http_cookie_jar_take(t->options.jar, response->fields, response->field_count, &site, now_s);
    if (!http_client__is_secure(t->url) || (!t->options.hsts && !t->options.altsvc))
        return;
    find_host(t, host, sizeof(host), false);
    for (size_t i = 0; i < response->field_count; i++) {
        const http_field_t *field = &response->fields[i];

        if (t->options.hsts && http_span_ieq(field->name, "Strict-Transport-Security"))
            http_hsts_set(t->options.hsts, host, field->value, now_s);
        if (t->options.altsvc && http_span_ieq(field->name, "Alt-Svc"))
            http_altsvc_set(t->options.altsvc, HTTP_ALPN_H1, host, (uint16_t)t->url->port,
                            field->value, now_s);
    }
}

/* The same URL with https; a port that was said stays, but for 80 (RFC 6797 section 8.3). */
static int make_secure(http_transfer_t *t)
{
    hbytes_t text = {0};
    hurl_t moved = {0};
    const hurl_t *url = t->url;
    const char *start = url->text + url->scheme.len, *end = url->host.data + url->host.len;
    int err = hbytes_printf(&text, "https%.*s", (int)(end - start), start);

    if (url->port == HTTP_PORT && *end == ':')
        end += 1 + strspn(end + 1, "0123456789");
    if (err == 0)
        err = hbytes_append_str(&text, end);

    if (err == 0)
        err = hurl_parse(&moved, text.data, text.len, NULL, HTTP_CLIENT_URL_FLAGS);
    hbytes_deinit(&text);
    if (err < 0) {
        http_transfer__fail(t, HTTP_FAULT_URL, "https for %s: %s", url->text, herr_str(err));
        return err;
    }
    if (url == t->options.url) {
        t->home_port = moved.port;
        t->home_secure = true;
    }
    hurl_deinit(&t->moved);
    t->moved = moved;
    t->url = &t->moved;
    http_transfer__info(t, "Switched from HTTP to HTTPS due to HSTS => %s", t->moved.text);
    return 0;
}

int http_transfer__secure(http_transfer_t *t)
{
    char host[HENDPOINT_HOST_SIZE];

    if (!t->options.hsts || http_client__is_secure(t->url))
        return 0;
    find_host(t, host, sizeof(host), false);
    return http_hsts_match(t->options.hsts, host, time(NULL)) ? make_secure(t) : 0;
}
