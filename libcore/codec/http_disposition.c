#include "http_disposition.h"

#include "../base/herr.h"
#include "../base/hstr.h"
#include "../base/hurl.h"
#include "http_text_int.h"

#include <string.h>

static bool has_controls(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return true;
    }
    return false;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Into dst of HTTP_DISPOSITION_NAME_SIZE; text may not lie in it. */
static int put_latin1(const char *text, size_t len, char *dst)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (n + 3 > HTTP_DISPOSITION_NAME_SIZE)
            return HERR_FRAME_SIZE;
        if (c >= 0x80)
            dst[n++] = (char)(0xc0 | c >> 6);
        dst[n++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    dst[n] = '\0';
    return 0;
}

static int put_name(const char *text, size_t len, bool latin1, char *dst)
{
    if (has_controls(text, len))
        return HERR_SYNTAX;
    if (latin1 || !hstr_is_utf8(text, len))
        return put_latin1(text, len, dst);
    if (len >= HTTP_DISPOSITION_NAME_SIZE)
        return HERR_FRAME_SIZE;
    memcpy(dst, text, len);
    dst[len] = '\0';
    return 0;
}

static int read_plain(http_span_t value, char *dst)
{
    char text[HTTP_DISPOSITION_NAME_SIZE];

    if (value.len >= 2 * sizeof(text))
        return HERR_FRAME_SIZE;
    if (!http_text__unescape(value, text, sizeof(text)))
        return has_controls(value.data, value.len) ? HERR_SYNTAX : HERR_FRAME_SIZE;
    return put_name(text, strlen(text), false, dst);
}

/* UTF-8'en'%c3%a4 (RFC 8187 section 3.2). What cannot be read is as absent. */
static bool read_extended(http_span_t value, char *dst)
{
    char text[HTTP_DISPOSITION_NAME_SIZE];
    const char *first = value.len ? memchr(value.data, '\'', value.len) : NULL;
    size_t charset_len = first ? (size_t)(first - value.data) : 0;
    const char *second = first ? memchr(first + 1, '\'', value.len - charset_len - 1) : NULL;
    http_span_t charset = {value.data, charset_len};
    bool latin1 = http_span_ieq(charset, "ISO-8859-1");
    ssize_t len;

    if (!second || (!latin1 && !http_span_ieq(charset, "UTF-8")))
        return false;
    len = hurl_decode(text, sizeof(text), second + 1, (size_t)(value.data + value.len - second) - 1,
                      false);
    if (len < 0 || (!latin1 && !hstr_is_utf8(text, (size_t)len)))
        return false;
    return put_name(text, (size_t)len, latin1, dst) == 0;
}

int http_disposition_parse(http_span_t value, http_disposition_t *disposition)
{
    http_disposition_t *d = disposition;
    bool extended = false;
    http_param_t param;
    int err = 0;

    memset(d, 0, sizeof(*d));
    http_text__spaces(&value);
    if (!http_text__token(&value, &d->type))
        return HERR_SYNTAX;
    for (int i = 0; err == 0 && http_text__char(&value, ';'); i++) {
        if (value.len == 0 || value.data[0] == ';')
            continue;
        if (http_text__param(&value, &param) <= 0)
            return HERR_SYNTAX;
        if (i == HTTP_DISPOSITION_PARAMS_MAX)
            return HERR_FRAME_SIZE;
        if (http_span_ieq(param.name, "name") && !d->has_name) {
            err = read_plain(param.value, d->name);
            d->has_name = err == 0;
        } else if (http_span_ieq(param.name, "filename") && !d->has_filename) {
            err = read_plain(param.value, d->filename);
            d->has_filename = err == 0;
        } else if (http_span_ieq(param.name, "filename*") && !extended) {
            char name[HTTP_DISPOSITION_NAME_SIZE];

            extended = read_extended(param.value, name);
            if (extended)
                memcpy(d->filename, name, strlen(name) + 1);
            d->has_filename |= extended;
        }
    }
    return err == 0 && value.len > 0 ? HERR_SYNTAX : err;
}

ssize_t http_safe_filename(const char *filename, char *buf)
{
    size_t len, n = 0;

    for (const char *p = filename; *p; p++) {
        if (*p == '/' || *p == '\\')
            filename = p + 1;
    }
    len = strlen(filename);
    for (size_t i = 0, char_len; i < len; i += char_len) {
        const char *at = filename + i;
        bool valid = (char_len = hstr_utf8_len(at, len - i)) > 0 && !has_controls(at, char_len) &&
                     *at != ':' && !(i == 0 && (*at == '.' || *at == '-'));

        char_len = char_len > 0 ? char_len : 1;
        if (n + (valid ? char_len : 1) >= HTTP_FILENAME_SIZE)
            break;
        memcpy(buf + n, valid ? at : "_", valid ? char_len : 1);
        n += valid ? char_len : 1;
    }
    buf[n] = '\0';
    while (n > 0 && (buf[n - 1] == '.' || buf[n - 1] == ' '))
        buf[--n] = '\0';
    return n > 0 && strcmp(filename, ".") != 0 && strcmp(filename, "..") != 0 ? (ssize_t)n
                                                                              : HERR_SYNTAX;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* As HTML has it for forms: no backslashes, three characters as %XX. */
static void put_form_value(http_writer_t *w, const char *text)
{
    http_text__put(w, "\"");
    for (; *text; text++) {
        if (*text == '"')
            http_text__put(w, "%22");
        else if (*text == '\r')
            http_text__put(w, "%0D");
        else if (*text == '\n')
            http_text__put(w, "%0A");
        else
            http_text__put_bytes(w, text, 1);
    }
    http_text__put(w, "\"");
}

/* For those that do not know filename*: a "%" would be decoded by some, a backslash by others. */
static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && !strchr("%\"\\", c);
}

static int put_filename(http_writer_t *w, const char *filename)
{
    hbytes_t encoded = {0};
    bool plain = true;
    int err = 0;

    http_text__put(w, "; filename=\"");
    for (const char *p = filename; *p; p++) {
        bool good = is_plain(*p);

        plain &= good;
        if (((unsigned char)*p & 0xc0) != 0x80) /* one for each character */
            http_text__put_bytes(w, good ? p : "_", 1);
    }
    http_text__put(w, "\"");
    if (plain)
        return 0;
    err = hurl_encode(&encoded, filename, strlen(filename));
    http_text__put(w, "; filename*=UTF-8''");
    if (err == 0)
        http_text__put_bytes(w, encoded.data, encoded.len);
    hbytes_deinit(&encoded);
    return err;
}

ssize_t http_disposition_write(const char *type, const char *name, const char *filename, char *buf,
                               size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};
    int err = 0;

    if (!http_is_token(http_span(type)) || (name && !hstr_is_utf8(name, strlen(name))) ||
        (filename && !hstr_is_utf8(filename, strlen(filename))) ||
        (filename && !name && has_controls(filename, strlen(filename))))
        return -EINVAL;
    http_text__put(&w, type);
    if (name) {
        http_text__put(&w, "; name=");
        put_form_value(&w, name);
    }
    if (name && filename) {
        http_text__put(&w, "; filename=");
        put_form_value(&w, filename);
    } else if (filename) {
        err = put_filename(&w, filename);
    }
    return err < 0 ? err : http_text__written(&w);
}
