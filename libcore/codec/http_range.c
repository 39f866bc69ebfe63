#include "http_range.h"

#include "../base/herr.h"
#include "http_text_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_SIZE 24
#define POSITION_MAX INT64_C(1000000000000000000)

/* Digits of any number: what is past POSITION_MAX lies behind the end of everything. */
static bool take_position(http_span_t *rest, int64_t *position)
{
    size_t n = 0;

    for (*position = 0; n < rest->len && rest->data[n] >= '0' && rest->data[n] <= '9'; n++) {
        *position =
            *position < POSITION_MAX / 10 ? *position * 10 + (rest->data[n] - '0') : POSITION_MAX;
    }
    http_text__advance(rest, n);
    return n > 0;
}

static bool take_char(http_span_t *rest, char c)
{
    if (rest->len == 0 || rest->data[0] != c)
        return false;
    http_text__advance(rest, 1);
    return true;
}

/* The unit in front of Range and Content-Range, and the character behind it. */
static int take_unit(http_span_t *rest, char end)
{
    http_span_t unit;

    if (!http_text__token(rest, &unit) || !take_char(rest, end))
        return HERR_SYNTAX;
    return http_span_ieq(unit, "bytes") ? 0 : HERR_UNSUPPORTED;
}

static bool read_spec(http_span_t text, http_range_spec_t *spec)
{
    bool has_first = take_position(&text, &spec->first), has_last;

    if (!take_char(&text, '-'))
        return false;
    has_last = take_position(&text, &spec->last);
    if (!has_first)
        spec->first = -1;
    if (!has_last)
        spec->last = -1;
    return text.len == 0 && (has_first || has_last) &&
           (!has_first || !has_last || spec->first <= spec->last);
}

int http_range_parse(http_span_t value, http_range_spec_t *specs)
{
    int count = 0, err = take_unit(&value, '=');
    http_span_t element;

    if (err < 0)
        return err;
    while (http_list_next(&value, &element)) {
        if (count == HTTP_RANGES_MAX)
            return HERR_FRAME_SIZE;
        if (!read_spec(element, &specs[count]))
            return HERR_SYNTAX;
        count++;
    }
    return count > 0 ? count : HERR_SYNTAX;
}

/* False if it cannot be satisfied. */
static bool resolve(const http_range_spec_t *spec, int64_t size, http_range_t *range)
{
    int64_t last = spec->last;

    if (spec->first < 0) {
        *range = (http_range_t){last < size ? size - last : 0, size - 1};
        return last > 0;
    }
    *range = (http_range_t){spec->first, last < 0 || last >= size ? size - 1 : last};
    return spec->first < size;
}

static bool are_near(const http_range_t *a, const http_range_t *b)
{
    return a->first - HTTP_RANGE_GAP <= b->last && b->first - HTTP_RANGE_GAP <= a->last;
}

static void join(http_range_t *a, const http_range_t *b)
{
    a->first = b->first < a->first ? b->first : a->first;
    a->last = b->last > a->last ? b->last : a->last;
}

/* Adds a range to those that are far from each other. What is near to two that are joined is near
 * to one of them: one pass finds all. */
static int add(http_range_t *ranges, int count, http_range_t range)
{
    int place = count;

    for (int i = 0; i < count;) {
        if (!are_near(&ranges[i], &range)) {
            i++;
            continue;
        }
        join(&range, &ranges[i]);
        place = i < place ? i : place;
        count--;
        memmove(ranges + i, ranges + i + 1, (size_t)(count - i) * sizeof(*ranges));
    }
    memmove(ranges + place + 1, ranges + place, (size_t)(count - place) * sizeof(*ranges));
    ranges[place] = range;
    return count + 1;
}

int http_range_resolve(const http_range_spec_t *specs, size_t count, int64_t size,
                       http_range_t *ranges)
{
    int n = 0;

    for (size_t i = 0; i < count; i++) {
        http_range_t range;

        if (resolve(&specs[i], size, &range)) {
            if (size == 0) /* its last 5 bytes: that is nothing, and has no Content-Range */
                return 0;
            n = add(ranges, n, range);
        }
    }
    if (n == 0)
        return HERR_RANGE;
    return n == 1 && ranges[0].first == 0 && ranges[0].last == size - 1 ? 0 : n;
}

int http_range_decide(http_span_t range, const http_conditions_t *conditions,
                      const http_validators_t *validators, int64_t size, int64_t now_s,
                      http_ranges_t *ranges)
{
    int n;

    ranges->count = 0;
    if (!range.data || !http_if_range(conditions, validators, now_s))
        return 200;
    n = http_range_parse(range, ranges->list);
    if (n < 0)
        return 200;
    n = http_range_resolve(ranges->list, (size_t)n, size, ranges->list);
    if (n < 0)
        return 416;
    ranges->count = (size_t)n;
    return n > 0 ? 206 : 200;
}

static void put_number(http_writer_t *w, int64_t number)
{
    char text[NUMBER_SIZE];

    snprintf(text, sizeof(text), "%" PRId64, number);
    http_text__put(w, text);
}

ssize_t http_range_write(const http_range_spec_t *specs, size_t count, char *buf, size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};

    http_text__put(&w, "bytes=");
    for (size_t i = 0; i < count; i++) {
        int64_t first = specs[i].first, last = specs[i].last;

        if (first < -1 || last < -1 || (first < 0 && last < 0) || (last >= 0 && first > last))
            return -EINVAL;
        if (i > 0)
            http_text__put(&w, ",");
        if (first >= 0)
            put_number(&w, first);
        http_text__put(&w, "-");
        if (last >= 0)
            put_number(&w, last);
    }
    return count == 0 || count > HTTP_RANGES_MAX ? -EINVAL : http_text__written(&w);
}

static bool is_valid(const http_content_range_t *r)
{
    if (r->first < 0)
        return r->first == -1 && r->size >= 0;
    return r->last >= r->first && r->size >= -1 && (r->size < 0 || r->last < r->size);
}

int http_content_range_parse(http_span_t value, http_content_range_t *range)
{
    int err = take_unit(&value, ' ');

    if (err < 0)
        return err;
    *range = (http_content_range_t){-1, -1, -1};
    if (!take_char(&value, '*')) {
        if (http_text__number(&value, &range->first) <= 0 || !take_char(&value, '-') ||
            http_text__number(&value, &range->last) <= 0)
            return HERR_SYNTAX;
    }
    if (!take_char(&value, '/'))
        return HERR_SYNTAX;
    if (!take_char(&value, '*') && http_text__number(&value, &range->size) <= 0)
        return HERR_SYNTAX;
    return value.len == 0 && is_valid(range) ? 0 : HERR_SYNTAX;
}

ssize_t http_content_range_write(const http_content_range_t *range, char *buf, size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};

    if (!is_valid(range))
        return -EINVAL;
    http_text__put(&w, "bytes ");
    if (range->first < 0) {
        http_text__put(&w, "*");
    } else {
        put_number(&w, range->first);
        http_text__put(&w, "-");
        put_number(&w, range->last);
    }
    http_text__put(&w, "/");
    if (range->size < 0)
        http_text__put(&w, "*");
    else
        put_number(&w, range->size);
    return http_text__written(&w);
}
