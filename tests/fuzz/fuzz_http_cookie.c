/* A cookie that is accepted reaches the one who set it, and what a server writes is read again. */
#include "codec/http_cookie.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static bool same(http_span_t a, http_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void check_set(http_span_t text)
{
    const http_cookie_site_t site = {"www.ex.org", false, true, HTTP_SPAN("/a/b")};
    http_cookie_t cookie, again;
    char written[16384];
    ssize_t len;

    if (http_set_cookie_parse(text, 1000, &cookie) < 0)
        return;
    len = http_set_cookie_write(&cookie, written, sizeof(written));
    if (len > 0) {
        check(http_set_cookie_parse((http_span_t){written, (size_t)len}, 1000, &again) == 0);
        check(same(cookie.name, again.name) && same(cookie.value, again.value));
        check(same(cookie.path, again.path) && cookie.secure == again.secure);
    }
    if (http_cookie_accept(&cookie, &site, NULL, NULL) == 0 && !cookie.persistent &&
        cookie.path.len <= 1)
        check(http_cookie_matches(&cookie, &site, 1000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    http_span_t rest = {copy, size}, name, value;

    memcpy(copy, data, size);
    check_set(rest);
    while (http_cookie_next(&rest, &name, &value)) {
        check(name.len > 0 || value.len > 0);
        check(rest.data <= copy + size);
    }
    free(copy);
    return 0;
}
