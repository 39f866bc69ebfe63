#include "headers.h"

#include "base/hjson.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* Where in the text a field is: offsets, since the text moves as it grows. */
typedef struct mark_s {
    uint32_t name, value, request;
    uint32_t kind;
} mark_t;

static const mark_t *mark_at(const headers_t *headers, size_t index)
{
    return (const mark_t *)(const void *)headers->marks.data + index;
}

static int add_text(hbytes_t *text, http_span_t span)
{
    int err = hbytes_append(text, span.data, span.len);

    return err ? err : hbytes_append(text, "", 1);
}

static int add_field(headers_t *headers, const http_field_t *field, headers_kind_e kind)
{
    mark_t mark = {.request = headers->requests, .kind = kind};
    int err;

    if (headers->count >= HEADERS_COUNT_MAX)
        return -ENOBUFS;
    headers->text.size_max = HEADERS_SIZE_MAX;
    mark.name = (uint32_t)headers->text.len;
    err = add_text(&headers->text, field->name);
    mark.value = (uint32_t)headers->text.len;
    err = err ? err : add_text(&headers->text, field->value);
    err = err ? err : hbytes_append(&headers->marks, &mark, sizeof(mark));
    if (err == 0)
        headers->count++;
    return err;
}

static int add_all(headers_t *headers, const http_field_t *fields, size_t count,
                   headers_kind_e kind)
{
    size_t before = headers->count, text = headers->text.len, marks = headers->marks.len;
    int err = 0;

    for (size_t i = 0; err == 0 && i < count; i++)
        err = add_field(headers, &fields[i], kind);
    headers->last_head = count;
    if (err == 0)
        return 0;
    headers->count = before;
    headers->text.len = text;
    headers->marks.len = marks;
    return err;
}

int headers_add(headers_t *headers, http_hop_e hop, const http_field_t *fields, size_t count)
{
    headers_kind_e kind = hop == HTTP_HOP_INTERIM   ? HEADERS_INTERIM
                          : hop == HTTP_HOP_CONNECT ? HEADERS_CONNECT
                                                    : HEADERS_RESPONSE;
    int err = add_all(headers, fields, count, kind);

    if (err == 0 && kind == HEADERS_RESPONSE)
        headers->requests++;
    if (err == 0 && kind == HEADERS_RESPONSE && hop != HTTP_HOP_FINAL)
        headers->followed++;
    return err;
}

int headers_add_trailers(headers_t *headers, const http_field_t *fields, size_t count)
{
    return add_all(headers, fields, count, HEADERS_TRAILER);
}

void headers_clear(headers_t *headers)
{
    hbytes_clear(&headers->text);
    hbytes_clear(&headers->marks);
    headers->count = 0;
    headers->last_head = 0;
    headers->requests = 0;
    headers->followed = 0;
}

void headers_deinit(headers_t *headers)
{
    hbytes_deinit(&headers->text);
    hbytes_deinit(&headers->marks);
    *headers = (headers_t){0};
}

bool headers_at(const headers_t *headers, size_t index, header_t *header)
{
    const mark_t *mark;

    if (index >= headers->count)
        return false;
    mark = mark_at(headers, index);
    *header = (header_t){
        .name = headers->text.data + mark->name,
        .value = headers->text.data + mark->value,
        .request = mark->request,
        .kind = (headers_kind_e)mark->kind,
    };
    return true;
}

static bool is_last(const headers_t *headers, const header_t *header)
{
    return header->kind == HEADERS_RESPONSE && header->request + 1 == headers->requests;
}

bool headers_find(const headers_t *headers, const char *name, bool any_request, size_t *index,
                  header_t *header)
{
    while (headers_at(headers, *index, header)) {
        ++*index;
        if (header->kind == HEADERS_RESPONSE && (any_request || is_last(headers, header)) &&
            strcasecmp(header->name, name) == 0)
            return true;
    }
    return false;
}

size_t headers_last_count(const headers_t *headers)
{
    return headers->last_head;
}

uint32_t headers_followed(const headers_t *headers)
{
    return headers->followed;
}

/* ---- %{header_json} -------------------------------------------------------------------------- */

static bool is_first_of_name(const headers_t *headers, const header_t *header, size_t index)
{
    size_t first = 0;
    header_t found;

    return headers_find(headers, header->name, false, &first, &found) && first == index + 1;
}

static int put_string(hbytes_t *out, const char *text)
{
    hjson_t json;

    hjson_init(&json, out);
    hjson_string(&json, text);
    return hjson_finish(&json);
}

static int put_name(hbytes_t *out, const char *name)
{
    size_t start = out->len;
    int err = put_string(out, name);

    for (size_t i = start; err == 0 && i < out->len; i++)
        out->data[i] = (char)tolower((unsigned char)out->data[i]);
    return err ? err : hbytes_append(out, ":[", 2);
}

static int put_values(const headers_t *headers, const char *name, hbytes_t *out)
{
    size_t next = 0;
    header_t header;
    int err = 0;

    for (bool first = true; err == 0 && headers_find(headers, name, false, &next, &header);
         first = false) {
        if (!first)
            err = hbytes_append_char(out, ',');
        err = err ? err : put_string(out, header.value);
    }
    return err ? err : hbytes_append_char(out, ']');
}

int headers_json(const headers_t *headers, hbytes_t *out)
{
    const char *before = "{";
    header_t header;
    int err = 0;

    for (size_t i = 0; err == 0 && headers_at(headers, i, &header); i++) {
        if (!is_last(headers, &header) || !is_first_of_name(headers, &header, i))
            continue;
        err = hbytes_append_str(out, before);
        err = err ? err : put_name(out, header.name);
        err = err ? err : put_values(headers, header.name, out);
        before = ",\n";
    }
    if (err == 0 && *before == '{')
        err = hbytes_append_char(out, '{');
    return err ? err : hbytes_append_str(out, "\n}");
}
