/* What the stores read, out of a response or a file, they write so that it is read again as the
 * same. The first byte says which of them it is. */
#include "proto/http_altsvc.h"
#include "proto/http_cookie_jar.h"
#include "proto/http_hsts.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1700000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_same(const hbytes_t *a, const hbytes_t *b)
{
    check(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

/* The newest comes first in the file, and is then the oldest: twice is as before. */
static void check_jar(http_cookie_jar_t *jar)
{
    http_cookie_jar_t *again, *twice;
    hbytes_t first = {0}, second = {0}, third = {0};

    check(http_cookie_jar_new(&again) == 0 && http_cookie_jar_new(&twice) == 0);
    check(http_cookie_jar_write(jar, NOW, &first) == 0);
    check(http_cookie_jar_read(again, (http_span_t){first.data, first.len}, 0, NOW) >= 0);
    check(http_cookie_jar_write(again, NOW, &second) == 0);
    check(http_cookie_jar_read(twice, (http_span_t){second.data, second.len}, 0, NOW) >= 0);
    check(http_cookie_jar_write(twice, NOW, &third) == 0);
    check_same(&first, &third);
    check(http_cookie_jar_count(again) <= http_cookie_jar_count(jar));
    http_cookie_jar_free(again);
    http_cookie_jar_free(twice);
    hbytes_deinit(&first);
    hbytes_deinit(&second);
    hbytes_deinit(&third);
}

static void cookies(http_span_t text, bool file)
{
    const http_cookie_site_t site = {"www.ex.org", false, true, HTTP_SPAN("/a/b")};
    http_span_t line;
    http_cookie_jar_t *jar;
    hbytes_t value = {0};

    check(http_cookie_jar_new(&jar) == 0);
    if (file)
        check(http_cookie_jar_read(jar, text, 0, NOW) >= 0);
    while (!file && http_line_next(&text, &line))
        http_cookie_jar_set(jar, line, &site, NOW);
    check(http_cookie_jar_get(jar, &site, NOW, &value) >= 0);
    check(value.len + sizeof("Cookie: ") <= HTTP_COOKIE_JAR_HEADER_MAX);
    for (size_t i = 0; i < value.len; i++)
        check((unsigned char)value.data[i] >= ' ' && value.data[i] != 0x7f);
    check_jar(jar);
    hbytes_deinit(&value);
    http_cookie_jar_free(jar);
}

static void hosts(http_span_t text, bool file)
{
    hbytes_t first = {0}, second = {0};
    http_hsts_t *hsts, *again;

    check(http_hsts_new(&hsts) == 0 && http_hsts_new(&again) == 0);
    if (file)
        check(http_hsts_read(hsts, text, NOW) >= 0);
    else if (http_hsts_set(hsts, "ex.org", text, NOW) == 0)
        check(http_hsts_match(hsts, "ex.org", NOW) == (http_hsts_count(hsts) == 1));
    check(http_hsts_write(hsts, NOW, &first) == 0);
    check(http_hsts_read(again, (http_span_t){first.data, first.len}, NOW) >= 0);
    check(http_hsts_write(again, NOW, &second) == 0);
    check_same(&first, &second);
    http_hsts_free(hsts);
    http_hsts_free(again);
    hbytes_deinit(&first);
    hbytes_deinit(&second);
}

static void alternatives(http_span_t text, bool file)
{
    hbytes_t first = {0}, second = {0};
    http_altsvc_t *altsvc, *again;

    check(http_altsvc_new(&altsvc) == 0 && http_altsvc_new(&again) == 0);
    if (file)
        check(http_altsvc_read(altsvc, text, NOW) >= 0);
    else
        check(http_altsvc_set(altsvc, HTTP_ALPN_H1, "ex.org", 443, text, NOW) >= 0);
    check(http_altsvc_write(altsvc, NOW, &first) == 0);
    check(http_altsvc_read(again, (http_span_t){first.data, first.len}, NOW) >= 0);
    check(http_altsvc_write(again, NOW, &second) == 0);
    check_same(&first, &second);
    http_altsvc_free(altsvc);
    http_altsvc_free(again);
    hbytes_deinit(&first);
    hbytes_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    http_span_t text;
    char *copy;

    if (size == 0)
        return 0;
    copy = malloc(size);
    check(copy != NULL);
    memcpy(copy, data, size);
    text = (http_span_t){copy + 1, size - 1};
    switch (data[0] % 6) {
    case 0:
    case 1:
        cookies(text, data[0] % 2);
        break;
    case 2:
    case 3:
        hosts(text, data[0] % 2);
        break;
    default:
        alternatives(text, data[0] % 2);
        break;
    }
    free(copy);
    return 0;
}
