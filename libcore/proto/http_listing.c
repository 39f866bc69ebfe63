#include "http_listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/hjson.h"
#include "../base/hurl.h"
#include "http_listing_int.h"

/* ---- order ----------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : (unsigned char)c;
}

/* Two runs of digits by their value; both are moved behind them. */
static int compare_numbers(const char **a, const char **b)
{
    size_t len_a = 0, len_b = 0;
    int order;

    *a += strspn(*a, "0");
    *b += strspn(*b, "0");
    while (is_digit((*a)[len_a]))
        len_a++;
    while (is_digit((*b)[len_b]))
        len_b++;
    order = len_a != len_b ? (len_a < len_b ? -1 : 1) : memcmp(*a, *b, len_a);
    *a += len_a;
    *b += len_b;
    return order;
}

/* What is equal to people is told apart by its bytes, so that the order is always the same. */
int http_listing_compare(const char *a, const char *b)
{
    const char *s = a, *t = b;

    while (*s && *t) {
        int order;

        if (is_digit(*s) && is_digit(*t)) {
            order = compare_numbers(&s, &t);
        } else {
            order = lower(*s) - lower(*t);
            s++;
            t++;
        }
        if (order)
            return order;
    }
    if (*s || *t)
        return *s ? 1 : -1;
    return strcmp(a, b);
}

static int three_way(bool less, bool greater)
{
    return greater - less;
}

static int compare(const void *left, const void *right, void *arg)
{
    const http_listing_entry_t *a = left, *b = right;
    const http_listing_order_t *order = arg;
    int result = 0;

    if (a->is_dir != b->is_dir)
        return a->is_dir ? -1 : 1;
    if (order->key == HTTP_LISTING_SIZE)
        result = three_way(a->size<b->size, a->size> b->size);
    else if (order->key == HTTP_LISTING_TIME)
        result = three_way(a->mtime_s<b->mtime_s, a->mtime_s> b->mtime_s);
    else
        result = http_listing_compare(a->name, b->name);
    if (result)
        return order->descending ? -result : result;
    return http_listing_compare(a->name, b->name);
}

void http_listing_sort(http_listing_t *listing, http_listing_order_t order)
{
    if (listing->count > 1)
        qsort_r(listing->entries, listing->count, sizeof(*listing->entries), compare, &order);
}

static bool is_text(hurl_part_t part, const char *text)
{
    return part.len == strlen(text) && memcmp(part.data, text, part.len) == 0;
}

http_listing_order_t http_listing_order(const char *query, size_t len)
{
    http_listing_order_t order = {HTTP_LISTING_NAME, false};
    hurl_part_t rest = {query, query ? len : 0}, name, value;
    int descending = -1;

    while (hurl_query_next(&rest, &name, &value)) {
        if (!value.data)
            continue;
        if (is_text(name, "sort") && is_text(value, "name"))
            order.key = HTTP_LISTING_NAME;
        else if (is_text(name, "sort") && is_text(value, "size"))
            order.key = HTTP_LISTING_SIZE;
        else if (is_text(name, "sort") && is_text(value, "time"))
            order.key = HTTP_LISTING_TIME;
        else if (is_text(name, "order") && (is_text(value, "asc") || is_text(value, "desc")))
            descending = is_text(value, "desc");
    }
    order.descending = descending < 0 ? order.key != HTTP_LISTING_NAME : descending;
    return order;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

int http_listing__put_reference(hbytes_t *out, const http_listing_entry_t *entry)
{
    int err = hbytes_append_str(out, "./");

    err = err ? err : hurl_encode(out, entry->name, strlen(entry->name));
    return err || !entry->is_dir ? err : hbytes_append_char(out, '/');
}

void http_listing__utc(int64_t time_s, char text[HTTP_LISTING_TIME_SIZE])
{
    time_t t = (time_t)time_s;
    struct tm tm;

    if (!gmtime_r(&t, &tm) ||
        strftime(text, HTTP_LISTING_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        text[0] = '\0';
}

static int entry_json(const http_listing_entry_t *entry, hbytes_t *scratch, hbytes_t *out)
{
    char time[HTTP_LISTING_TIME_SIZE];
    hjson_t j;
    int err;

    hbytes_clear(scratch);
    err = http_listing__put_reference(scratch, entry);
    if (err)
        return err;
    http_listing__utc(entry->mtime_s, time);
    hjson_init(&j, out);
    hjson_open_object(&j);
    hjson_add_string(&j, "name", entry->name);
    hjson_add_string(&j, "type", entry->is_dir ? "directory" : "file");
    if (!entry->is_dir)
        hjson_add_uint(&j, "size", entry->size);
    hjson_add_string(&j, "modified", time);
    hjson_add_string(&j, "href", scratch->data);
    if (entry->is_link)
        hjson_add_bool(&j, "link", true);
    hjson_close(&j);
    return hjson_finish(&j);
}

/* From the beginning to the opening of the entries: what hjson writes of an object, with its end
 * taken off. */
static int head_json(const http_listing_page_t *page, hbytes_t *out)
{
    hjson_t j;
    int err;

    hjson_init(&j, out);
    hjson_open_object(&j);
    hjson_add_string(&j, "path", page->path);
    if (page->listing->truncated)
        hjson_add_bool(&j, "truncated", true);
    hjson_close(&j);
    err = hjson_finish(&j);
    if (err)
        return err;
    out->data[--out->len] = '\0';
    return hbytes_append_str(out, ",\"entries\":[");
}

int http_listing_json(const http_listing_page_t *page, size_t *next, hbytes_t *out)
{
    const http_listing_t *listing = page->listing;
    size_t begin = out->len;
    hbytes_t scratch = {0};
    int err = 0;

    if (*next == 0)
        err = head_json(page, out);
    while (!err && *next < listing->count) {
        if (*next > 0)
            err = hbytes_append_char(out, ',');
        err = err ? err : entry_json(&listing->entries[(*next)++], &scratch, out);
        if (out->len - begin >= HTTP_LISTING_PART)
            break;
    }
    hbytes_deinit(&scratch);
    if (err || *next < listing->count)
        return err ? err : 1;
    return hbytes_append_str(out, "]}\n");
}
