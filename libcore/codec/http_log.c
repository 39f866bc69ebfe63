#include "http_log.h"

#include "../base/herr.h"
#include "../base/hjson.h"
#include "../base/hstr.h"
#include "../base/htime.h"
#include "http_date.h"

#include <string.h>

static const char *const names[] = {
    [HTTP_LOG_COMMON] = "common", [HTTP_LOG_COMBINED] = "combined", [HTTP_LOG_JSON] = "json"};

int http_log_find(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return (int)i;
    }
    return -ENOENT;
}

static http_span_t cut(http_span_t span)
{
    return (http_span_t){span.data, span.len < HTTP_LOG_FIELD_MAX ? span.len : HTTP_LOG_FIELD_MAX};
}

/* ---- text ------------------------------------------------------------------------------------ */

/* What may stand there as it is; first: a space, or one behind it. */
static bool is_plain(char c, char first)
{
    return c >= first && c <= '~' && c != '"' && c != '\\';
}

static int put_escaped(hbytes_t *out, http_span_t span, char first)
{
    static const char digits[] = "0123456789ABCDEF";
    int err = 0;

    span = cut(span);
    for (size_t i = 0, start; err == 0 && i < span.len; i++) {
        for (start = i; i < span.len && is_plain(span.data[i], first); i++)
            ;
        err = hbytes_append(out, span.data + start, i - start);
        if (err == 0 && i < span.len) {
            unsigned char c = (unsigned char)span.data[i];
            char escape[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};

            err = hbytes_append(out, escape, sizeof(escape));
        }
    }
    return err;
}

static int put_column(hbytes_t *out, http_span_t span)
{
    return span.len > 0 ? put_escaped(out, span, ' ' + 1) : hbytes_append_char(out, '-');
}

static int put_quoted(hbytes_t *out, http_span_t span)
{
    int err = hbytes_append_str(out, " \"");

    if (err == 0)
        err = span.len > 0 ? put_escaped(out, span, ' ') : hbytes_append_char(out, '-');
    return err < 0 ? err : hbytes_append_char(out, '"');
}

static int put_request(hbytes_t *out, const http_log_t *entry)
{
    const http_span_t parts[] = {entry->method, entry->target, entry->version};
    int err = hbytes_append_str(out, "] \"");
    bool any = false;

    for (size_t i = 0; err == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].len > 0 && any)
            err = hbytes_append_char(out, ' ');
        if (err == 0)
            err = put_escaped(out, parts[i], ' ');
        any |= parts[i].len > 0;
    }
    if (err == 0 && !any)
        err = hbytes_append_char(out, '-');
    return err;
}

static int write_text(const http_log_t *entry, bool combined, hbytes_t *out)
{
    char date[HTTP_DATE_LOG_SIZE];
    int64_t time_s = entry->time_ms / 1000 - (entry->time_ms % 1000 < 0);
    int err = put_column(out, entry->client);

    if (err == 0)
        err = hbytes_append_str(out, " - ");
    if (err == 0)
        err = put_column(out, entry->user);
    if (err == 0)
        err = hbytes_append_str(out, " [");
    if (err == 0)
        err = hbytes_append_str(out, http_date_format_log(time_s, entry->zone_min, date));
    if (err == 0)
        err = put_request(out, entry);
    if (err == 0)
        err = hbytes_printf(out, "\" %03d %llu", entry->status, (unsigned long long)entry->bytes);
    if (err == 0 && combined)
        err = put_quoted(out, entry->referer);
    if (err == 0 && combined)
        err = put_quoted(out, entry->user_agent);
    return err;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_member(hjson_t *j, const char *key, http_span_t span)
{
    if (span.len == 0)
        return;
    span = cut(span);
    hjson_key(j, key);
    hjson_bytes(j, span.data, span.len);
}

static int write_json(const http_log_t *entry, hbytes_t *out)
{
    char date[HTIME_ISO_SIZE];
    uint64_t time_ms = entry->time_ms > 0 ? (uint64_t)entry->time_ms : 0;
    hjson_t j;

    hjson_init(&j, out);
    hjson_open_object(&j);
    hjson_add_string(&j, "time", htime_iso_utc(time_ms, date, sizeof(date)));
    put_member(&j, "client", entry->client);
    put_member(&j, "user", entry->user);
    put_member(&j, "method", entry->method);
    put_member(&j, "host", entry->host);
    put_member(&j, "target", entry->target);
    put_member(&j, "version", entry->version);
    hjson_key(&j, "status");
    hjson_int(&j, entry->status);
    hjson_add_uint(&j, "bytes", entry->bytes);
    hjson_key(&j, "duration"); /* in seconds */
    hjson_fixed(&j, (int64_t)(entry->duration_us & INT64_MAX), 6);
    put_member(&j, "referer", entry->referer);
    put_member(&j, "user_agent", entry->user_agent);
    put_member(&j, "request_id", entry->request_id);
    put_member(&j, "upstream", entry->upstream);
    hjson_close(&j);
    return hjson_finish(&j);
}

int http_log_write(http_log_e format, const http_log_t *entry, hbytes_t *out)
{
    size_t before = out->len;
    int err = format == HTTP_LOG_JSON ? write_json(entry, out)
                                      : write_text(entry, format == HTTP_LOG_COMBINED, out);

    if (err == 0)
        err = hbytes_append_char(out, '\n');
    if (err < 0 && out->len > before) {
        out->len = before;
        out->data[before] = '\0';
    }
    return err;
}
