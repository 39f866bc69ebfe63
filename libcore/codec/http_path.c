#include "http_path.h"

#include "../base/herr.h"
#include "../base/hurl.h"

#include <errno.h>
#include <string.h>

/* Takes the last segment off the n bytes of a path: how many are left; HERR_RANGE at the root. */
static ssize_t parent(const char *path, size_t n)
{
    if (n == 0)
        return HERR_RANGE;
    do {
        n--;
    } while (path[n] != '/');
    return (ssize_t)n;
}

/* In place: what is written is never ahead of what is read. The path so far ends without a slash;
 * one whose last segment names a folder (empty, or dots) gets it at the end. */
static ssize_t resolve(char *path, size_t len)
{
    size_t n = 0;
    bool folder = true;

    for (size_t at = 1; at <= len;) {
        const char *slash = memchr(path + at, '/', len - at);
        size_t size = slash ? (size_t)(slash - path) - at : len - at;
        bool up = size == 2 && memcmp(path + at, "..", 2) == 0;
        ssize_t left = up ? parent(path, n) : 0;

        if (left < 0)
            return left;
        folder = up || size == 0 || (size == 1 && path[at] == '.');
        if (up) {
            n = (size_t)left;
        } else if (!folder) {
            memmove(path + n + 1, path + at, size);
            path[n] = '/';
            n += size + 1;
        }
        at += size + 1;
    }
    if (folder)
        path[n++] = '/';
    path[n] = '\0';
    return (ssize_t)n;
}

ssize_t http_path_decode(char *dst, size_t size, http_span_t path)
{
    ssize_t n = (ssize_t)path.len;

    if (size <= path.len)
        return -ENOBUFS;
    if (path.len == 0 || path.data[0] != '/')
        return HERR_SYNTAX;
    if (memchr(path.data, '%', path.len))
        n = hurl_decode(dst, size, path.data, path.len, false);
    else
        memmove(dst, path.data, path.len);
    if (n < 0)
        return n;
    if (memchr(dst, '\0', (size_t)n))
        return HERR_SYNTAX;
    return resolve(dst, (size_t)n);
}

void http_path_split(http_span_t target, http_span_t *path, http_span_t *query)
{
    const char *hash = target.len ? memchr(target.data, '#', target.len) : NULL;
    const char *mark;

    if (hash)
        target.len = (size_t)(hash - target.data);
    mark = target.len ? memchr(target.data, '?', target.len) : NULL;
    *path = target;
    *query = (http_span_t){NULL, 0};
    if (!mark)
        return;
    path->len = (size_t)(mark - target.data);
    *query = (http_span_t){mark + 1, target.len - path->len - 1};
}

/* RFC 3986 section 3.3: pchar without the escapes, and the slash. */
static bool stays(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '@' && c <= 'Z') || (c >= '0' && c <= ':') ||
           (c && strchr("-._~!$&'()*+,;=/", c));
}

ssize_t http_path_encode(char *dst, size_t size, http_span_t path)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.data[i];
        bool plain = stays(path.data[i]);

        if (size - n < (plain ? 2u : 4u))
            return -ENOBUFS;
        if (plain) {
            dst[n++] = path.data[i];
        } else {
            dst[n++] = '%';
            dst[n++] = digits[c >> 4];
            dst[n++] = digits[c & 15];
        }
    }
    if (n >= size)
        return -ENOBUFS;
    dst[n] = '\0';
    return (ssize_t)n;
}

bool http_path_is_hidden(http_span_t path)
{
    for (size_t i = 1; i < path.len; i++) {
        if (path.data[i] == '.' && path.data[i - 1] == '/')
            return true;
    }
    return false;
}
