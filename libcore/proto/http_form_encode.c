/* The encodings of a part (RFC 2045 section 6): base64 and quoted-printable in lines of
 * HTTP_FORM_LINE_MAX, and 7bit, which only looks. */
#include "http_form.h"

#include <string.h>

#include "../base/hbase64.h"
#include "http_source_filter.h"

typedef struct state_s {
    size_t column;
} state_t;

static ssize_t check_7bit(void *state, const char *in, size_t *len, bool end, char *out)
{
    (void)state;
    (void)end;
    for (size_t i = 0; i < *len; i++) {
        if ((unsigned char)in[i] >= 0x80)
            return HERR_SYNTAX;
    }
    memcpy(out, in, *len);
    return (ssize_t)*len;
}

/* ---- base64 ---------------------------------------------------------------------------------- */

static ssize_t put_base64(void *state, const char *in, size_t *len, bool end, char *out)
{
    state_t *s = state;
    size_t n = 0, whole = end ? *len : *len - *len % 3;

    for (size_t i = 0; i < whole; i += 3) {
        char group[HBASE64_ENCODED_SIZE(3)];

        if (s->column == HTTP_FORM_LINE_MAX) {
            out[n++] = '\r';
            out[n++] = '\n';
            s->column = 0;
        }
        hbase64_encode(HBASE64_STANDARD, in + i, whole - i < 3 ? whole - i : 3, group,
                       sizeof(group));
        memcpy(out + n, group, 4);
        n += 4;
        s->column += 4;
    }
    *len = whole;
    return (ssize_t)n;
}

static int64_t base64_length(int64_t len)
{
    int64_t text = (len + 2) / 3 * 4;

    if (len <= 0 || len > INT64_MAX / 2)
        return len <= 0 ? len : HTTP_BODY_UNKNOWN;
    return text + (text - 1) / HTTP_FORM_LINE_MAX * 2;
}

/* ---- quoted-printable ------------------------------------------------------------------------ */

/* Whether a line ends at i: 1, 0, or -1: what follows has to be seen. */
static int ends_line(const char *in, size_t len, bool end, size_t i)
{
    if (i >= len && end)
        return 1;
    if (i + 2 > len)
        return end ? 0 : -1;
    return in[i] == '\r' && in[i + 1] == '\n';
}

static bool is_plain(char c)
{
    return c >= '!' && c <= '~' && c != '=';
}

/* Writes the byte at i, or the line end: how much in *used. Its length; 0: more has to be seen. */
static size_t quote(const char *in, size_t len, bool end, size_t i, char text[3], size_t *used)
{
    static const char digits[] = "0123456789ABCDEF";
    int eol = 0;

    *used = 1;
    text[0] = in[i];
    if (is_plain(in[i]))
        return 1;
    if (in[i] == ' ' || in[i] == '\t')
        eol = ends_line(in, len, end, i + 1);
    else if (in[i] == '\r')
        eol = ends_line(in, len, end, i);
    if (eol < 0)
        return 0;
    if (in[i] == '\r' && eol == 1) {
        text[1] = '\n';
        *used = 2;
        return 2;
    }
    if ((in[i] == ' ' || in[i] == '\t') && eol == 0)
        return 1;
    text[0] = '=';
    text[1] = digits[(unsigned char)in[i] >> 4];
    text[2] = digits[in[i] & 15];
    return 3;
}

/* Whether a line has to be broken in front of so many characters. 1, 0; -1: as ends_line. */
static int is_full(size_t column, size_t n, int eol)
{
    if (column + n < HTTP_FORM_LINE_MAX)
        return 0;
    if (column + n > HTTP_FORM_LINE_MAX)
        return 1;
    return eol < 0 ? -1 : !eol;
}

static ssize_t put_quoted(void *state, const char *in, size_t *len, bool end, char *out)
{
    state_t *s = state;
    size_t written = 0, i = 0;

    while (i < *len) {
        char text[3];
        size_t used, n = quote(in, *len, end, i, text, &used);
        int full = 0;

        if (n > 0 && used == 1)
            full = is_full(s->column, n, ends_line(in, *len, end, i + 1));
        if (n == 0 || full < 0)
            break;
        if (full) {
            memcpy(out + written, "=\r\n", 3);
            written += 3;
            s->column = 0;
            continue;
        }
        memcpy(out + written, text, n);
        written += n;
        s->column = used == 2 ? 0 : s->column + n;
        i += used;
    }
    *len = i;
    return (ssize_t)written;
}

int http_form_encode(http_form_encoding_e encoding, http_source_t *inner, http_source_t **source)
{
    static const http_filter_t seven_bit = {check_7bit}, base64 = {put_base64},
                               quoted = {put_quoted};
    int64_t len = http_source_length(inner);

    switch (encoding) {
    case HTTP_FORM_7BIT:
        return http_source_filter(inner, &seven_bit, len, source);
    case HTTP_FORM_BASE64:
        return http_source_filter(inner, &base64, base64_length(len), source);
    case HTTP_FORM_QUOTED_PRINTABLE:
        return http_source_filter(inner, &quoted, len == 0 ? 0 : HTTP_BODY_UNKNOWN, source);
    default:
        *source = inner;
        return 0;
    }
}
