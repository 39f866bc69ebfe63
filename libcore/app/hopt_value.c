/* hopt_value: from the text of one option (or of one line of a config file) to the bound member. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../base/htime.h"
#include "hopt_int.h"
#include "hsuggest.h"

#define QUOTE_MAX 80
#define WRONG_SIZE 512

void hopt__quote(hbytes_t *to, const char *text, size_t len)
{
    char safe[4 * QUOTE_MAX + 1];
    size_t shown = len > QUOTE_MAX ? QUOTE_MAX : len;

    hstr_escape(safe, sizeof(safe), text, shown);
    hbytes_printf(to, "'%s%s'", safe, shown < len ? "..." : "");
}

int hopt_wrong(hbytes_t *why, const char *fmt, ...)
{
    char text[WRONG_SIZE], safe[WRONG_SIZE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    hstr_escape(safe, sizeof(safe), text, strlen(text));
    return hbytes_append_str(why, safe) < 0 ? -ENOMEM : HERR_SYNTAX;
}

static int complain(hbytes_t *why, int error, const char *text, const char *fault)
{
    hopt__quote(why, text, strlen(text));
    hbytes_append_str(why, fault);
    return error;
}

static uint64_t unsigned_max(size_t width)
{
    return width >= sizeof(uint64_t) ? UINT64_MAX : ((uint64_t)1 << (width * 8)) - 1;
}

static void put_integer(const hopt_t *row, void *base, uint64_t value)
{
    void *member = (char *)base + row->offset;
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;

    if (row->width == sizeof(u8))
        memcpy(member, &u8, sizeof(u8));
    else if (row->width == sizeof(u16))
        memcpy(member, &u16, sizeof(u16));
    else if (row->width == sizeof(u32))
        memcpy(member, &u32, sizeof(u32));
    else
        memcpy(member, &value, sizeof(value));
}

static int store_uint(const hopt_t *row, void *base, const char *text, hbytes_t *why)
{
    uint64_t limit = unsigned_max(row->width);
    uint64_t max = row->max < limit ? row->max : limit;
    uint64_t value;
    int status = hstr_parse_u64(text, row->min, max, &value);

    if (status == 0) {
        put_integer(row, base, value);
        return 0;
    }
    complain(why, status, text, " is not a number");
    if (max == UINT64_MAX)
        hbytes_printf(why, " of at least %llu", (unsigned long long)row->min);
    else
        hbytes_printf(why, " from %llu to %llu", (unsigned long long)row->min,
                      (unsigned long long)max);
    return status;
}

static int store_int(const hopt_t *row, void *base, const char *text, hbytes_t *why)
{
    int64_t limit = (int64_t)(unsigned_max(row->width) >> 1);
    int64_t min = (int64_t)row->min < -limit - 1 ? -limit - 1 : (int64_t)row->min;
    int64_t max = (int64_t)row->max > limit ? limit : (int64_t)row->max;
    int64_t value;
    int status = hstr_parse_i64(text, min, max, &value);

    if (status == 0) {
        put_integer(row, base, (uint64_t)value);
        return 0;
    }
    complain(why, status, text, " is not a number");
    hbytes_printf(why, " from %lld to %lld", (long long)min, (long long)max);
    return status;
}

static int store_size(const hopt_t *row, void *base, const char *text, hbytes_t *why)
{
    uint64_t limit = unsigned_max(row->width);
    uint64_t max = row->max < limit ? row->max : limit;
    char shown[HSTR_SIZE_MAX];
    uint64_t value;
    int status = hstr_parse_size(text, max, &value);

    if (status == 0 && value < row->min) {
        complain(why, HERR_RANGE, text, " is less than ");
        hbytes_append_str(why, hstr_format_size(row->min, shown, sizeof(shown)));
        return HERR_RANGE;
    }
    if (status == 0) {
        put_integer(row, base, value);
        return 0;
    }
    if (status != HERR_RANGE)
        return complain(why, status, text, " is not a size (try 512, 64k, 10M)");
    complain(why, status, text, " is more than ");
    hbytes_append_str(why, hstr_format_size(max, shown, sizeof(shown)));
    return status;
}

static int store_span(const hopt_t *row, void *base, const char *text, hbytes_t *why)
{
    uint32_t ms;
    int status = htime_parse_span_ms(text, &ms);

    if (row->max > 0 && (status == HERR_RANGE || (status == 0 && ms > row->max))) {
        ms = (uint32_t)row->max;
        status = 0;
    }
    if (status == 0 && ms < row->min)
        return complain(why, HERR_RANGE, text, " is too short a time");
    if (status == 0) {
        put_integer(row, base, ms);
        return 0;
    }
    return complain(why, status, text,
                    status == HERR_RANGE ? " is too long a time"
                                         : " is not a time (try 500ms, 3s, 2m)");
}

static int store_enum(const hopt_t *row, void *base, const char *text, hbytes_t *why)
{
    hsuggest_t near;

    hsuggest_init(&near, text, strlen(text));
    for (uint64_t i = 0; row->names[i] != NULL; i++) {
        if (strcmp(row->names[i], text) == 0) {
            put_integer(row, base, i);
            return 0;
        }
        hsuggest_offer(&near, row->names[i]);
    }
    complain(why, HERR_SYNTAX, text, " is not one of ");
    for (size_t i = 0; row->names[i] != NULL; i++)
        hbytes_printf(why, "%s%s", i > 0 ? ", " : "", row->names[i]);
    if (near.best != NULL)
        hbytes_printf(why, " (did you mean %s?)", near.best);
    return HERR_SYNTAX;
}

static int store_flag(const hopt_t *row, void *base, const char *text, hbytes_t *why)
{
    bool *member = (bool *)((char *)base + row->offset);

    if (text == NULL) {
        *member = true;
        return 0;
    }
    if (hstr_parse_bool(text, member) == 0)
        return 0;
    return complain(why, HERR_SYNTAX, text, " is neither yes nor no");
}

static int store_count(const hopt_t *row, void *base, const char *text, hbytes_t *why)
{
    int *member = (int *)(void *)((char *)base + row->offset);
    uint64_t value;

    if (text == NULL) {
        *member += *member < INT_MAX;
        return 0;
    }
    if (hstr_parse_u64(text, 0, INT_MAX, &value) != 0)
        return complain(why, HERR_SYNTAX, text, " is not a number");
    *member = (int)value;
    return 0;
}

static int store_list(const hopt_t *row, void *base, const char *text, hbytes_t *why)
{
    int status = hopt_list_add((hopt_list_t *)(void *)((char *)base + row->offset), text);

    if (status == -ENOBUFS)
        hbytes_printf(why, "given more than %zu times", HOPT_LIST_MAX);
    return status;
}

bool hopt__takes_value(const hopt_t *row)
{
    switch (row->type) {
    case HOPT_TYPE_STRING:
    case HOPT_TYPE_UINT:
    case HOPT_TYPE_INT:
    case HOPT_TYPE_SIZE:
    case HOPT_TYPE_SPAN:
    case HOPT_TYPE_LIST:
    case HOPT_TYPE_ENUM:
        return true;
    case HOPT_TYPE_CALL:
    case HOPT_TYPE_REFUSED:
        return row->arg_name != NULL;
    default:
        return false;
    }
}

int hopt__store_secret(const hopt_t *row, void *base, const char *text)
{
    char *copy = text != NULL ? hmem_strdup(text) : NULL, *before;

    if (text != NULL && copy == NULL)
        return -ENOMEM;
    memcpy(&before, (char *)base + row->offset, sizeof(before));
    if (before != NULL)
        explicit_bzero(before, strlen(before));
    hmem_free(before);
    memcpy((char *)base + row->offset, &copy, sizeof(copy));
    return 0;
}

int hopt__store(const hopt_t *row, void *base, const char *text, hbytes_t *why)
{
    switch (row->type) {
    case HOPT_TYPE_FLAG:
        return store_flag(row, base, text, why);
    case HOPT_TYPE_COUNT:
        return store_count(row, base, text, why);
    case HOPT_TYPE_SET:
        put_integer(row, base, row->min);
        return 0;
    case HOPT_TYPE_STRING:
        if (row->secret)
            return hopt__store_secret(row, base, text);
        memcpy((char *)base + row->offset, &text, sizeof(text));
        return 0;
    case HOPT_TYPE_UINT:
        return store_uint(row, base, text, why);
    case HOPT_TYPE_INT:
        return store_int(row, base, text, why);
    case HOPT_TYPE_SIZE:
        return store_size(row, base, text, why);
    case HOPT_TYPE_SPAN:
        return store_span(row, base, text, why);
    case HOPT_TYPE_LIST:
        return store_list(row, base, text, why);
    case HOPT_TYPE_ENUM:
        return store_enum(row, base, text, why);
    case HOPT_TYPE_CALL:
        return row->call(row, text, base, why);
    default:
        return HERR_UNSUPPORTED;
    }
}
