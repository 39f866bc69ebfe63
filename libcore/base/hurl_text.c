/* Percent-encoding, and the way a form is cut. */
#include "hurl_int.h"

#include <string.h>

#include "herr.h"

static int put_encoded(hbytes_t *out, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char text[] = {'%', digits[c >> 4], digits[c & 15]};

    return hbytes_append(out, text, sizeof(text));
}

int hurl__hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hurl__put(hbytes_t *out, hurl_part_t text, const char *set)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < text.len; i++) {
        char c = text.data[i];

        if (c <= 0x1f || c == 0x7f || (unsigned char)c >= 0x80 || strchr(set, c))
            err = put_encoded(out, (unsigned char)c);
        else
            err = hbytes_append_char(out, c);
    }
    return err;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

int hurl_encode(hbytes_t *out, const void *data, size_t len)
{
    const char *text = data;
    int err = 0;

    for (size_t i = 0; err == 0 && i < len; i++)
        err = is_unreserved(text[i]) ? hbytes_append_char(out, text[i])
                                     : put_encoded(out, (unsigned char)text[i]);
    return err;
}

ssize_t hurl_decode(char *dst, size_t size, const char *text, size_t len, bool plus)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = plus && text[i] == '+' ? ' ' : text[i];

        if (c == '%') {
            int high = i + 2 < len ? hurl__hex(text[i + 1]) : -1;
            int low = i + 2 < len ? hurl__hex(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return HERR_SYNTAX;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (n == size)
            return -ENOBUFS;
        dst[n++] = c;
    }
    return (ssize_t)n;
}

bool hurl_query_next(hurl_part_t *rest, hurl_part_t *name, hurl_part_t *value)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->data, '&', rest->len);
        size_t len = end ? (size_t)(end - rest->data) : rest->len;
        const char *equals = len ? memchr(rest->data, '=', len) : NULL;

        *name = (hurl_part_t){rest->data, equals ? (size_t)(equals - rest->data) : len};
        *value = (hurl_part_t){equals ? equals + 1 : NULL, equals ? len - name->len - 1 : 0};
        rest->data += len + (end != NULL);
        rest->len -= len + (end != NULL);
        if (len > 0)
            return true;
    }
    return false;
}
