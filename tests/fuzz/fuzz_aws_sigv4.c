/* Scheme, host, path and query, one a line, with a hash that is none: what comes out are fields. */
#include "base/herr.h"
#include "codec/aws_sigv4.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int weak_hash(http_auth_hash_e hash, const http_span_t *parts, size_t count, uint8_t *digest,
                     void *arg)
{
    uint8_t sum = (uint8_t)hash;

    (void)arg;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < parts[i].len; j++)
            sum = (uint8_t)(31 * sum + (uint8_t)parts[i].data[j]);
    }
    memset(digest, sum, HTTP_AUTH_DIGEST_MAX);
    return 0;
}

static http_span_t next_line(http_span_t *rest)
{
    const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    http_span_t line = {rest->data, end ? (size_t)(end - rest->data) : rest->len};

    rest->data += line.len + (end != NULL);
    rest->len -= line.len + (end != NULL);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const http_auth_hasher_t hasher = {weak_hash, NULL};
    http_span_t rest = {(const char *)data, size}, scheme = next_line(&rest);
    aws_sigv4_t r = {.user = "u", .password = "p", .method = HTTP_SPAN("GET")};
    hbytes_t text = {0}, out = {0};
    const char *why;
    int err;

    if (hbytes_append(&text, scheme.data, scheme.len) != 0 || hbytes_append_char(&text, '\0') != 0)
        abort();
    r.scheme = text.data;
    r.host = r.host_field = next_line(&rest);
    r.path = next_line(&rest);
    r.query = next_line(&rest);
    err = aws_sigv4_sign(&r, &hasher, &out, &why);
    if ((err != 0) != (why != NULL) || (err != 0) != (out.len == 0))
        abort();
    if (!err && memcmp(out.data + out.len - 2, "\r\n", 2) != 0)
        abort();
    hbytes_deinit(&text);
    hbytes_deinit(&out);
    return 0;
}
