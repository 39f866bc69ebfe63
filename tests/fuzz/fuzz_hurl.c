/* A URL that was parsed is parsed again as itself, alone and against any base; its parts lie in its
 * text, in their order. The input is a base, a line feed, and a reference. */
#include "base/hmem.h"
#include "base/hurl.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* What is not as it is shown. */
static bool is_hidden(const hurl_t *url, hurl_part_t part)
{
    return part.data > url->text + url->len &&
           (part.data == url->host.data || part.data == url->path.data);
}

static void check_parts(const hurl_t *url)
{
    const hurl_part_t parts[] = {url->scheme, url->user, url->password, url->host,
                                 url->zone,   url->path, url->query,    url->fragment};
    const hurl_part_t shown = hurl_shown_path(url);
    const char *at = url->text;

    check(shown.data >= at && shown.data + shown.len <= at + url->len);
    check(url->scheme.data && url->path.data && strlen(url->text) == url->len);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!parts[i].data || is_hidden(url, parts[i]))
            continue;
        check(parts[i].data >= at && parts[i].data + parts[i].len <= url->text + url->len);
        at = parts[i].data + parts[i].len;
    }
}

static void check_again(const hurl_t *url, const hurl_t *base, unsigned flags)
{
    hurl_t again;

    flags &= HURL_AS_GIVEN | HURL_PATH_AS_IS;
    check(hurl_parse(&again, url->text, url->len, base, flags) == 0);
    check(strcmp(again.text, url->text) == 0 && again.port == url->port &&
          again.host_kind == url->host_kind && again.local == url->local);
    hurl_deinit(&again);
}

static void check_one(const char *text, size_t len, const hurl_t *base, unsigned flags)
{
    hurl_t url;

    if (hurl_parse(&url, text, len, base, flags) == 0) {
        check_parts(&url);
        check_again(&url, NULL, flags);
        if (base)
            check_again(&url, base, flags);
    } else {
        check(!url.text && (url.fault || !(flags & HURL_AS_GIVEN)));
    }
    hurl_deinit(&url);
}

static void check_decode(char *text, size_t len)
{
    char *out = malloc(len ? len : 1);
    ssize_t n = hurl_decode(out, len, text, len, false);
    hbytes_t encoded = {0};

    check(n >= -5100 && n <= (ssize_t)len);
    check(hurl_encode(&encoded, text, len) == 0);
    if (encoded.len > 0) {
        n = hurl_decode(encoded.data, encoded.len, encoded.data, encoded.len, true);
        check(n == (ssize_t)len && memcmp(encoded.data, text, len) == 0);
    }
    hbytes_deinit(&encoded);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
    size_t base_len = cut ? (size_t)(cut - data) : 0, len = size - base_len - (cut != NULL);
    char *text = malloc(len ? len : 1);
    hurl_t base;

    memcpy(text, data + size - len, len);
    for (unsigned flags = 0; flags < 32; flags++)
        check_one(text, len, NULL, flags);
    for (unsigned given = 0; given <= HURL_AS_GIVEN; given += HURL_AS_GIVEN) {
        if (hurl_parse(&base, (const char *)data, base_len, NULL, given) == 0) {
            check_one(text, len, &base, given);
            check_one(text, len, &base, given | HURL_LOCATION);
        }
        hurl_deinit(&base);
    }
    check_decode(text, len);
    free(text);
    return 0;
}
