/* cors: pages of any other origin may read what is served (the Fetch standard, "CORS protocol").
 * No cookies and no passwords that the browser knows: those a page has to have itself. */
#include "codec/http_chars.h"
#include "site.h"

#define MAX_AGE "86400"

/* Lists of tokens as the client sent them can be sent back. */
static bool is_list(http_span_t value)
{
    http_span_t element;

    while (http_list_next(&value, &element)) {
        if (!http_is_token(element))
            return false;
    }
    return true;
}

/* What comes from a server behind this one knows better. */
static void on_head(http_stream_t *stream, void *arg)
{
    (void)arg;
    if (http_response_get(stream, "Access-Control-Allow-Origin").data)
        return;
    http_response_set(stream, HTTP_SPAN("Access-Control-Allow-Origin"), HTTP_SPAN("*"));
    http_response_set(stream, HTTP_SPAN("Access-Control-Expose-Headers"), HTTP_SPAN("*"));
}

static void answer_preflight(http_stream_t *stream)
{
    http_span_t fields = http_request_find(stream, "Access-Control-Request-Headers");

    http_response_status(stream, 204);
    http_response_set(stream, HTTP_SPAN("Access-Control-Allow-Methods"),
                      HTTP_SPAN("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    /* By name: "*" does not mean Authorization. */
    if (fields.data && is_list(fields))
        http_response_set(stream, HTTP_SPAN("Access-Control-Allow-Headers"), fields);
    http_response_set(stream, HTTP_SPAN("Access-Control-Max-Age"), HTTP_SPAN(MAX_AGE));
    if (http_span_ieq(http_request_find(stream, "Access-Control-Request-Private-Network"), "true"))
        http_response_set(stream, HTTP_SPAN("Access-Control-Allow-Private-Network"),
                          HTTP_SPAN("true"));
    http_response_add(stream, HTTP_SPAN("Vary"),
                      HTTP_SPAN("Access-Control-Request-Headers, "
                                "Access-Control-Request-Private-Network"));
    http_response_send(stream, NULL, 0);
}

static bool on_request(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    http_stream_add_hook(stream, on_head, NULL);
    if (http_stream_request(stream)->method != HTTP_METHOD_OPTIONS ||
        !http_request_field(stream, HTTP_FIELD_ORIGIN).data ||
        !http_request_find(stream, "Access-Control-Request-Method").data)
        return false;
    answer_preflight(stream);
    return true;
}

int cors_install(site_host_t *host)
{
    return host->settings->cors ? site_use(host, "/", on_request, host) : 0;
}
