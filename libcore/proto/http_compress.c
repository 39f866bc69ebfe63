#include "http_compress.h"

#include "http_mime.h"
#include "http_stream_int.h"

#include <string.h>

#define LENGTH_MIN 1024
#define USUAL                                                                                      \
    (HTTP_CODING_BIT(HTTP_CODING_BR) | HTTP_CODING_BIT(HTTP_CODING_ZSTD) |                         \
     HTTP_CODING_BIT(HTTP_CODING_GZIP))

static const http_compress_options_t usual = {0};

/* Whether a list has this element. */
static bool has(http_span_t list, const char *name)
{
    http_span_t element;

    while (http_list_next(&list, &element)) {
        if (http_span_ieq(element, name))
            return true;
    }
    return false;
}

/* Whether such a response is coded for those who take it. */
static bool is_worth_it(const http_stream_t *stream, const http_compress_options_t *options)
{
    int64_t length_min = options->length_min ? options->length_min : LENGTH_MIN;
    http_span_t type = http_response_get(stream, "Content-Type");

    if (stream->status < 200 || stream->status == 204 || stream->status == 206 ||
        stream->status == 304)
        return false;
    if (!type.data || !http_mime_is_compressible(type) ||
        (stream->length >= 0 && stream->length < length_min))
        return false;
    return !http_response_get(stream, "Content-Encoding").data &&
           !http_response_get(stream, "Content-Range").data &&
           !has(http_response_get(stream, "Cache-Control"), "no-transform");
}

static void add_vary(http_stream_t *stream)
{
    http_span_t vary = http_response_get(stream, "Vary");

    if (!has(vary, "Accept-Encoding") && !has(vary, "*"))
        http_response_add(stream, HTTP_SPAN("Vary"), HTTP_SPAN("Accept-Encoding"));
}

/* The strong tag stands for the bytes as they are. */
static void weaken_etag(http_stream_t *stream)
{
    http_span_t etag = http_response_get(stream, "ETag");

    if (etag.len > 0 && etag.data[0] == '"')
        http_response_printf(stream, "ETag", "W/%.*s", (int)etag.len, etag.data);
}

static void on_head(http_stream_t *stream, void *arg)
{
    const http_compress_options_t *options = arg;
    unsigned codings = options->codings ? options->codings : USUAL;
    http_span_t accept = http_request_field(stream, HTTP_FIELD_ACCEPT_ENCODING);
    uint64_t size = stream->length < 0 ? HTTP_CODING_SIZE_UNKNOWN : (uint64_t)stream->length;
    http_coding_t *coding = NULL;
    int chosen;

    if (!is_worth_it(stream, options))
        return;
    add_vary(stream);
    if (!accept.data)
        return;
    chosen = http_coding_choose(accept, http_coding_available(codings) |
                                            HTTP_CODING_BIT(HTTP_CODING_IDENTITY));
    if (chosen <= HTTP_CODING_IDENTITY)
        return;
    if (stream->request.method == HTTP_METHOD_HEAD)
        stream->length = -1;
    else if (http_encoder_new((http_coding_e)chosen,
                              options->level ? options->level : HTTP_CODING_LEVEL_DEFAULT, size,
                              &coding) < 0)
        return;
    if (coding)
        http_response__set_coding(stream, coding);
    weaken_etag(stream);
    http_response_remove(stream, HTTP_SPAN("Accept-Ranges"));
    http_response_set(stream, HTTP_SPAN("Content-Encoding"),
                      http_span(http_coding_name((http_coding_e)chosen)));
}

int http_compress(http_stream_t *stream, const http_compress_options_t *options)
{
    return http_stream_add_hook(stream, on_head, (void *)(options ? options : &usual));
}
