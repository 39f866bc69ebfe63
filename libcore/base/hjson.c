#include "hjson.h"

#include <errno.h>
#include <string.h>

static void put(hjson_t *j, const void *data, size_t len)
{
    if (j->error == 0)
        j->error = hbytes_append(j->out, data, len);
}

static bool in_object(const hjson_t *j)
{
    return j->depth > 0 && (j->objects >> (j->depth - 1) & 1) != 0;
}

/* Before each value: a comma where one is due; no value without its key, no second one at the
 * top. */
static bool begin_value(hjson_t *j)
{
    bool misplaced = in_object(j) ? !j->has_key : j->depth == 0 && j->needs_comma;

    if (j->error == 0 && misplaced)
        j->error = -EINVAL;
    if (j->needs_comma && !j->has_key)
        put(j, ",", 1);
    j->has_key = false;
    j->needs_comma = true;
    return j->error == 0;
}

/* The length of the UTF-8 sequence at s (RFC 3629: shortest form, no surrogates); if it is none, 0
 * and in *bad how many bytes stand for one replacement character. */
static size_t sequence(const unsigned char *s, size_t len, size_t *bad)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t want = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    *bad = 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < want; i++) {
        if (i >= len || s[i] < low || s[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
        *bad = i + 1;
    }
    return want;
}

static void put_control(hjson_t *j, unsigned char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = c != '\0' ? strchr(plain, c) : NULL;
    char escape[7] = {'\\', 'u', '0', '0', '0', '0', '\0'};

    if (found != NULL) {
        escape[1] = letters[found - plain];
        put(j, escape, 2);
        return;
    }
    escape[4] = "01"[c >> 4];
    escape[5] = "0123456789abcdef"[c & 15];
    put(j, escape, 6);
}

static void put_quoted(hjson_t *j, const unsigned char *s, size_t len)
{
    size_t start = 0, i = 0;

    put(j, "\"", 1);
    while (i < len) {
        bool plain = s[i] >= 0x20 && s[i] < 0x80 && s[i] != '"' && s[i] != '\\';
        size_t bad = 1;
        size_t good = plain ? 1 : s[i] < 0x80 ? 0 : sequence(s + i, len - i, &bad);

        if (good > 0) {
            i += good;
            continue;
        }
        put(j, s + start, i - start);
        if (s[i] < 0x80)
            put_control(j, s[i]);
        else
            put(j, "\\ufffd", 6);
        i += bad;
        start = i;
    }
    put(j, s + start, len - start);
    put(j, "\"", 1);
}

static void open_level(hjson_t *j, bool object)
{
    if (j->depth == HJSON_DEPTH_MAX && j->error == 0)
        j->error = -EINVAL;
    if (!begin_value(j))
        return;
    put(j, object ? "{" : "[", 1);
    j->objects &= ~((uint64_t)1 << j->depth);
    j->objects |= (uint64_t)object << j->depth;
    j->depth++;
    j->needs_comma = false;
}

void hjson_init(hjson_t *j, hbytes_t *out)
{
    memset(j, 0, sizeof(*j));
    j->out = out;
}

int hjson_finish(hjson_t *j)
{
    if (j->error == 0 && (j->depth > 0 || !j->needs_comma))
        j->error = -EINVAL;
    return j->error;
}

void hjson_open_object(hjson_t *j)
{
    open_level(j, true);
}

void hjson_open_array(hjson_t *j)
{
    open_level(j, false);
}

void hjson_close(hjson_t *j)
{
    if (j->error == 0 && (j->depth == 0 || j->has_key))
        j->error = -EINVAL;
    if (j->error != 0)
        return;
    put(j, in_object(j) ? "}" : "]", 1);
    j->depth--;
    j->needs_comma = true;
}

void hjson_key(hjson_t *j, const char *key)
{
    if (j->error == 0 && (!in_object(j) || j->has_key))
        j->error = -EINVAL;
    if (j->needs_comma)
        put(j, ",", 1);
    put_quoted(j, (const unsigned char *)key, strlen(key));
    put(j, ":", 1);
    j->has_key = true;
}

void hjson_string(hjson_t *j, const char *text)
{
    if (text == NULL)
        hjson_null(j);
    else
        hjson_bytes(j, text, strlen(text));
}

void hjson_bytes(hjson_t *j, const void *data, size_t len)
{
    if (begin_value(j))
        put_quoted(j, data, len);
}

void hjson_int(hjson_t *j, int64_t value)
{
    if (begin_value(j))
        j->error = hbytes_printf(j->out, "%lld", (long long)value);
}

void hjson_uint(hjson_t *j, uint64_t value)
{
    if (begin_value(j))
        j->error = hbytes_printf(j->out, "%llu", (unsigned long long)value);
}

void hjson_bool(hjson_t *j, bool value)
{
    if (begin_value(j))
        put(j, value ? "true" : "false", value ? 4 : 5);
}

void hjson_null(hjson_t *j)
{
    if (begin_value(j))
        put(j, "null", 4);
}

void hjson_fixed(hjson_t *j, int64_t value, unsigned decimals)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t unit = 1;

    if (j->error == 0 && decimals > 18)
        j->error = -EINVAL;
    if (!begin_value(j))
        return;
    for (unsigned i = 0; i < decimals; i++)
        unit *= 10;
    j->error =
        hbytes_printf(j->out, "%s%llu", value < 0 ? "-" : "", (unsigned long long)(size / unit));
    if (j->error == 0 && decimals > 0)
        j->error =
            hbytes_printf(j->out, ".%0*llu", (int)decimals, (unsigned long long)(size % unit));
}

/* ---- members --------------------------------------------------------------------------------- */

void hjson_add_string(hjson_t *j, const char *key, const char *text)
{
    hjson_key(j, key);
    hjson_string(j, text);
}

void hjson_add_uint(hjson_t *j, const char *key, uint64_t value)
{
    hjson_key(j, key);
    hjson_uint(j, value);
}

void hjson_add_bool(hjson_t *j, const char *key, bool value)
{
    hjson_key(j, key);
    hjson_bool(j, value);
}
