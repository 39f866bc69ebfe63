#include "demo.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "base/hurl.h"

#include <stdio.h>
#include <string.h>

/* ---- pairs ----------------------------------------------------------------------------------- */

/* A name with a NUL would be another one in JSON. */
int demo_pairs_add(demo_pairs_t *pairs, http_span_t name, http_span_t value, demo_pair_t **out)
{
    demo_pair_t *pair;
    int err;

    if (name.len > 0 && memchr(name.data, '\0', name.len))
        return HERR_SYNTAX;
    if (!pairs->list)
        pairs->list = hmem_array(DEMO_PAIRS_MAX, sizeof(*pairs->list));
    if (!pairs->list)
        return -ENOMEM;
    if (pairs->count == DEMO_PAIRS_MAX)
        return HERR_FRAME_SIZE;
    pair = &pairs->list[pairs->count++];
    err = hbytes_append(&pair->name, name.data ? name.data : "", name.len);
    if (!err)
        err = hbytes_append(&pair->value, value.data ? value.data : "", value.len);
    if (out)
        *out = pair;
    return err;
}

static int add_encoded(demo_pairs_t *pairs, hurl_part_t name, hurl_part_t value)
{
    size_t size = name.len + value.len + 1;
    char *text = hmem_alloc(size);
    ssize_t n = text ? hurl_decode(text, size, name.data, name.len, true) : -ENOMEM;
    ssize_t m = n < 0 ? n : hurl_decode(text + n, size - (size_t)n, value.data, value.len, true);
    int err = m < 0 ? (int)m : 0;

    if (!err)
        err = demo_pairs_add(pairs, (http_span_t){text, (size_t)n},
                             (http_span_t){text + n, (size_t)m}, NULL);
    hmem_free(text);
    return err;
}

int demo_pairs_add_urlencoded(demo_pairs_t *pairs, http_span_t text)
{
    hurl_part_t rest = {text.data, text.len}, name, value;
    int err = 0;

    while (!err && rest.data && hurl_query_next(&rest, &name, &value))
        err = add_encoded(pairs, name, value);
    return err;
}

void demo_pairs_free(demo_pairs_t *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        hbytes_deinit(&pairs->list[i].name);
        hbytes_deinit(&pairs->list[i].value);
        hbytes_deinit(&pairs->list[i].filename);
        hbytes_deinit(&pairs->list[i].type);
    }
    hmem_free(pairs->list);
    *pairs = (demo_pairs_t){0};
}

static const char *text_of(const hbytes_t *bytes)
{
    return bytes->data ? bytes->data : "";
}

/* The first of this name from here on. */
static size_t find(const demo_pairs_t *pairs, size_t from, const char *name)
{
    while (from < pairs->count && strcmp(text_of(&pairs->list[from].name), name) != 0)
        from++;
    return from;
}

const char *demo_pairs_get(const demo_pairs_t *pairs, const char *name)
{
    size_t i = find(pairs, 0, name);

    return i < pairs->count ? text_of(&pairs->list[i].value) : "";
}

bool demo_pairs_has(const demo_pairs_t *pairs, const char *name)
{
    return find(pairs, 0, name) < pairs->count;
}

static void write_pair(const demo_pair_t *pair, hjson_t *json)
{
    if (!pair->is_file) {
        hjson_bytes(json, text_of(&pair->value), pair->value.len);
        return;
    }
    hjson_open_object(json);
    hjson_key(json, "filename");
    hjson_bytes(json, text_of(&pair->filename), pair->filename.len);
    hjson_key(json, "type");
    hjson_bytes(json, text_of(&pair->type), pair->type.len);
    hjson_add_uint(json, "size", pair->size);
    hjson_close(json);
}

void demo_pairs_write(const demo_pairs_t *pairs, hjson_t *json)
{
    hjson_open_object(json);
    for (size_t i = 0; i < pairs->count; i++) {
        const char *name = text_of(&pairs->list[i].name);
        size_t next = find(pairs, i + 1, name);
        bool repeated = next < pairs->count;

        if (find(pairs, 0, name) < i)
            continue;
        hjson_key(json, name);
        if (repeated)
            hjson_open_array(json);
        write_pair(&pairs->list[i], json);
        for (; next < pairs->count; next = find(pairs, next + 1, name))
            write_pair(&pairs->list[next], json);
        if (repeated)
            hjson_close(json);
    }
    hjson_close(json);
}

/* ---- answers --------------------------------------------------------------------------------- */

void demo_reply_begin(demo_reply_t *reply)
{
    *reply = (demo_reply_t){0};
    hjson_init(&reply->json, &reply->body);
    hjson_open_object(&reply->json);
}

void demo_reply_code(demo_reply_t *reply, int code, const char *message)
{
    hjson_key(&reply->json, "code");
    hjson_int(&reply->json, code);
    hjson_add_string(&reply->json, "message", message);
}

void demo_reply_send(demo_reply_t *reply, http_stream_t *stream, int status)
{
    int err;

    hjson_close(&reply->json);
    err = hjson_finish(&reply->json);
    if (!err)
        err = hbytes_append_char(&reply->body, '\n');
    if (err) {
        http_response_error(stream, 503, NULL);
    } else {
        http_response_status(stream, status);
        http_response_set(stream, HTTP_SPAN("Content-Type"), HTTP_SPAN("application/json"));
        http_response_set(stream, HTTP_SPAN("X-Content-Type-Options"), HTTP_SPAN("nosniff"));
        http_response_send(stream, reply->body.data, reply->body.len);
    }
    hbytes_deinit(&reply->body);
}

void demo_refuse(http_stream_t *stream, int err, const char *words)
{
    switch (err) {
    case -ENOMEM:
        http_response_error(stream, 503, NULL);
        break;
    case HERR_UNSUPPORTED:
        http_response_error(stream, 501, "This server has no libjansson to read JSON with.");
        break;
    case HERR_FRAME_SIZE:
    case -ENOBUFS:
        http_response_error(stream, 413, "There are too many fields, or too long ones.");
        break;
    default:
        http_response_error(stream, 400, words);
        break;
    }
}

bool demo_number(http_stream_t *stream, const char *name, uint64_t min, uint64_t max,
                 uint64_t *value)
{
    char text[32], words[160];
    ssize_t len = http_request_query(stream, name, text, sizeof(text));

    if (len == -ENOENT)
        return true;
    if (len >= 0 && strlen(text) == (size_t)len && hstr_parse_u64(text, min, max, value) == 0)
        return true;
    snprintf(words, sizeof(words), "\"%s\" has to be a number from %llu to %llu.", name,
             (unsigned long long)min, (unsigned long long)max);
    http_response_error(stream, 400, words);
    return false;
}

bool demo_has_type(const http_stream_t *stream, const char *type)
{
    http_span_t value = http_request_field(stream, HTTP_FIELD_CONTENT_TYPE);
    const char *end = value.data ? memchr(value.data, ';', value.len) : NULL;

    if (end)
        value.len = (size_t)(end - value.data);
    return value.data && http_span_ieq(http_trim(value), type);
}
