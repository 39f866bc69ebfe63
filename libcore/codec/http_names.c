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

static uint64_t eight(const char *text)
{
    uint64_t value;

    memcpy(&value, text, sizeof(value));
    return value;
}

/* One bit tells the cases of a letter apart. No other byte of a line differs by it from a letter or
 * a hyphen, and known names have nothing else. */
static bool same_name(const char *a, const char *b, size_t len)
{
    const uint64_t mask = ~(CASE_BIT * (UINT64_MAX / UINT8_MAX));
    size_t at = 0;

    for (; at + sizeof(uint64_t) <= len; at += sizeof(uint64_t)) {
        if ((eight(a + at) ^ eight(b + at)) & mask)
            return false;
    }
    if (len >= sizeof(uint64_t)) /* what is left, and some of it once more */
        return ((eight(a + len - sizeof(uint64_t)) ^ eight(b + len - sizeof(uint64_t))) & mask) ==
               0;
    for (; at < len; at++) {
        if ((a[at] ^ b[at]) & ~CASE_BIT)
            return false;
    }
    return true;
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

http_span_t http_method_name(http_method_e method)
{
    return methods[method < HTTP_METHOD_COUNT ? method : HTTP_METHOD_OTHER];
}

http_span_t http_field_name(http_field_e field)
{
    return fields[field < HTTP_FIELD_COUNT ? field : HTTP_FIELD_OTHER];
}
