/* A URL's text and its parts, while it is written. */
#include "hurl_int.h"

#include <string.h>
#include <strings.h>

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

size_t hurl__scheme_len(hurl_part_t text)
{
    size_t n = 0;

    if (text.len == 0 || !is_alpha(text.data[0]))
        return 0;
    while (n < text.len &&
           (is_alpha(text.data[n]) || (text.data[n] >= '0' && text.data[n] <= '9') ||
            text.data[n] == '+' || text.data[n] == '-' || text.data[n] == '.'))
        n++;
    return n < text.len && text.data[n] == ':' ? n : 0;
}

int hurl__put_scheme(hbytes_t *out, hurl_part_t scheme)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < scheme.len; i++)
        err = hbytes_append_char(
            out, (char)(is_alpha(scheme.data[i]) ? scheme.data[i] | 0x20 : scheme.data[i]));
    return err;
}

hurl_mark_t hurl__mark(const hurl_writer_t *w, size_t start)
{
    return (hurl_mark_t){start, w->out.len - start, true};
}

int hurl__put_part(hurl_writer_t *w, hurl_mark_t *mark, const char *before, hurl_part_t text,
                   const char *set)
{
    size_t start = w->out.len + strlen(before);
    int err = hbytes_append_str(&w->out, before);

    if (err == 0)
        err = hurl__put(&w->out, text, set);
    *mark = hurl__mark(w, start);
    return err;
}

static hurl_part_t part_of(const hurl_t *url, hurl_mark_t m)
{
    return (hurl_part_t){m.there ? url->text + m.at : NULL, m.len};
}

void hurl__finish(hurl_writer_t *w, hurl_t *url)
{
    url->text = hbytes_take(&w->out, &url->len);
    url->scheme = part_of(url, w->scheme);
    url->user = part_of(url, w->user);
    url->password = part_of(url, w->password);
    url->host = part_of(url, w->host);
    url->zone = part_of(url, w->zone);
    if (url->host_kind == HURL_HOST_IPV6)
        url->host = (hurl_part_t){url->host.data + 1, url->host.len - 2};
    url->path = part_of(url, w->path);
    url->query = part_of(url, w->query);
    url->fragment = part_of(url, w->fragment);
}

/* "." (1) or ".." (2), each point also as %2e; 0 for any other segment. */
static int count_dots(hurl_part_t segment)
{
    int dots = 0;

    while (segment.len > 0) {
        bool point = segment.data[0] == '.';

        if (!point && (segment.len < 3 || strncasecmp(segment.data, "%2e", 3) != 0))
            return 0;
        hurl__cut(&segment, point ? 1 : 3);
        if (++dots > 2)
            return 0;
    }
    return dots;
}

int hurl__put_segments(hbytes_t *out, hurl_part_t path, const char *slashes,
                       int (*put)(hbytes_t *out, hurl_part_t segment))
{
    size_t start = out->len;
    int err = 0;

    if (path.len > 0 && path.data[0] && strchr(slashes, path.data[0]))
        hurl__cut(&path, 1);
    for (bool more = true; more && err == 0;) {
        hurl_part_t segment = hurl__cut(&path, hurl__until(path, slashes));
        int dots = count_dots(segment);

        more = path.len > 0;
        if (more)
            hurl__cut(&path, 1);
        while (dots == 2 && out->len > start && out->data[out->len - 1] != '/')
            out->len--;
        if (dots == 2 && out->len > start)
            out->len--;
        if (dots == 0 || !more)
            err = hbytes_append_char(out, '/');
        if (dots == 0 && err == 0)
            err = put(out, segment);
    }
    return err;
}
