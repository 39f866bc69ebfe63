/* Requests signed for Amazon's services and their likes. */
#include "http_client_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../codec/aws_sigv4.h"

#include <time.h>

/* The program's fields that are sent: all of them are signed. */
static size_t list_fields(const http_transfer_t *t, http_field_t *fields)
{
    size_t count = 0;

    for (size_t i = 0; i < t->options.field_count; i++) {
        const http_extra_t *extra = &t->options.fields[i];
        http_span_t name = http_span(extra->name);

        if (extra->value)
            fields[count++] = (http_field_t){name, http_span(extra->value), http_field_of(name)};
    }
    return count;
}

static void set_payload(const http_transfer_t *t, aws_sigv4_t *request)
{
    if (!t->options.body || t->body_dropped)
        return;
    request->payload_unknown = !http_source_bytes(t->options.body, &request->payload);
}

static http_fault_e fault_of(int err)
{
    if (err == -ENOMEM)
        return HTTP_FAULT_MEMORY;
    return err == HERR_RANGE ? HTTP_FAULT_URL : HTTP_FAULT_USAGE; /* the host names no service */
}

int http_transfer__sign(http_transfer_t *t, http_span_t host, hbytes_t *lines)
{
    http_auth_hasher_t hasher = hdigest_hasher();
    http_field_t *fields = hmem_array(t->options.field_count + 1, sizeof(*fields));
    const hurl_t *url = t->url;
    const char *why = NULL;
    aws_sigv4_t request = {
        .scheme = t->options.sigv4,
        .user = t->login.user ? t->login.user : "",
        .password = t->login.password ? t->login.password : "",
        .method = http_span(t->method),
        .host = {url->host.data, url->host.len},
        .path = {url->path.data, url->path.len},
        .query = {url->query.data, url->query.len},
        .host_field = host,
        .fields = fields,
        .now_s = time(NULL),
    };
    int err;

    if (!fields)
        return -ENOMEM;
    request.field_count = list_fields(t, fields);
    set_payload(t, &request);
    err = aws_sigv4_sign(&request, &hasher, lines, &why);
    if (err < 0)
        http_transfer__fail(t, fault_of(err), "the request cannot be signed: %s",
                            why ? why : herr_str(err));
    hmem_free(fields);
    return err;
}
