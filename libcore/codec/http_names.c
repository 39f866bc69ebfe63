#include "http_names.h"

#include "../base/herr.h"

#include <string.h>

#define SLOTS 128
#define CASE_BIT 0x20

/* Two names in one slot are an error of the compiler (an initializer that is overridden): choose
 * other factors then. */
#define SLOT(len, first, last) (((len) + FACTOR_FIRST * (first) + FACTOR_LAST * (last)) % SLOTS)
#define FACTOR_FIRST 5
#define FACTOR_LAST 116

#define NAME(member, name, first, last) [HTTP_FIELD_##member] = HTTP_SPAN_INIT(name),
#define SLOT_OF(member, name, first, last)                                                         \
    [SLOT(sizeof(name) - 1, first, last)] = HTTP_FIELD_##member,
#define HTTP_SPAN_INIT(name)                                                                       \
    {                                                                                              \
        (name), sizeof(name) - 1                                                                   \
    }

static const http_span_t fields[HTTP_FIELD_COUNT] = {{"", 0}, HTTP_FIELDS(NAME)};

#pragma GCC diagnostic error "-Woverride-init"
static const uint8_t slots[SLOTS] = {HTTP_FIELDS(SLOT_OF)};

static const http_span_t methods[HTTP_METHOD_COUNT] = {
    [HTTP_METHOD_OTHER] = {"", 0},
    [HTTP_METHOD_GET] = HTTP_SPAN_INIT("GET"),
    [HTTP_METHOD_HEAD] = HTTP_SPAN_INIT("HEAD"),
    [HTTP_METHOD_POST] = HTTP_SPAN_INIT("POST"),
    [HTTP_METHOD_PUT] = HTTP_SPAN_INIT("PUT"),
    [HTTP_METHOD_DELETE] = HTTP_SPAN_INIT("DELETE"),
    [HTTP_METHOD_CONNECT] = HTTP_SPAN_INIT("CONNECT"),
    [HTTP_METHOD_OPTIONS] = HTTP_SPAN_INIT("OPTIONS"),
    [HTTP_METHOD_TRACE] = HTTP_SPAN_INIT("TRACE"),
    [HTTP_METHOD_PATCH] = HTTP_SPAN_INIT("PATCH"),
};

http_method_e http_method_of(http_span_t name)
{
    for (int i = HTTP_METHOD_GET; i < HTTP_METHOD_COUNT; i++) {
        if (name.len == methods[i].len && memcmp(name.data, methods[i].data, name.len) == 0)
            return (http_method_e)i;
    }
    return HTTP_METHOD_OTHER;
}

static unsigned char lower(char c)
{
    return (unsigned char)c | CASE_BIT;
}

/* Of the bits that tell names apart: all but the one that tells the cases of a letter apart. No
 * other byte of a line differs by that one from a letter or a hyphen, and known names have nothing
 * else. */
#define NAME_BITS (~(CASE_BIT * (UINT64_MAX / UINT8_MAX)))

static uint64_t differ_in_8(const char *a, const char *b)
{
    uint64_t left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left ^ right) & NAME_BITS;
}

static uint32_t differ_in_4(const char *a, const char *b)
{
    uint32_t left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left ^ right) & (uint32_t)NAME_BITS;
}

/* The last step ends with the name, and looks at some bytes once more. */
static bool same_name(const char *a, const char *b, size_t len)
{
    size_t at = 0;

    if (len >= 8) {
        for (; at + 8 < len; at += 8) {
            if (differ_in_8(a + at, b + at))
                return false;
        }
        return differ_in_8(a + len - 8, b + len - 8) == 0;
    }
    if (len >= 4)
        return (differ_in_4(a, b) | differ_in_4(a + len - 4, b + len - 4)) == 0;
    while (at < len && ((a[at] ^ b[at]) & ~CASE_BIT) == 0)
        at++;
    return at == len;
}

http_field_e http_field_of(http_span_t name)
{
    http_field_e field;

    if (name.len == 0)
        return HTTP_FIELD_OTHER;
    field = slots[SLOT(name.len, lower(name.data[0]), lower(name.data[name.len - 1]))];
    if (fields[field].len != name.len || !same_name(name.data, fields[field].data, name.len))
        return HTTP_FIELD_OTHER;
    return field;
}

/* A known name is a token. */
int http_field_cut(http_span_t line, http_span_t *name, http_span_t *value, http_field_e *field)
{
    const char *colon = memchr(line.data, ':', line.len);

    if (!colon)
        return HERR_PROTOCOL;
    *name = (http_span_t){line.data, (size_t)(colon - line.data)};
    *field = http_field_of(*name);
    if (*field == HTTP_FIELD_OTHER && !http_is_token(*name))
        return HERR_PROTOCOL;
    *value = http_trim((http_span_t){colon + 1, line.len - name->len - 1});
    return 0;
}

http_span_t http_field_value(const http_field_t *list, size_t count, http_field_e field)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].id == field)
            return list[i].value;
    }
    return (http_span_t){NULL, 0};
}

http_span_t http_field_named(const http_field_t *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (http_span_ieq(list[i].name, name))
            return list[i].value;
    }
    return (http_span_t){NULL, 0};
}

http_span_t http_method_name(http_method_e method)
{
    return methods[method < HTTP_METHOD_COUNT ? method : HTTP_METHOD_OTHER];
}

http_span_t http_field_name(http_field_e field)
{
    return fields[field < HTTP_FIELD_COUNT ? field : HTTP_FIELD_OTHER];
}
