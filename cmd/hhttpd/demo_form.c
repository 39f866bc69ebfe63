#include "demo.h"

#include "base/hmem.h"
#include "codec/http_disposition.h"
#include "codec/multipart.h"

#include <string.h>

typedef struct form_s {
    demo_pairs_t *pairs;
    demo_pair_t *pair; /* the one whose body comes */
} form_t;

static int begin_file(demo_pair_t *pair, http_span_t fields, const char *filename)
{
    http_span_t type;

    pair->is_file = true;
    if (!http_field_find(fields, "Content-Type", &type))
        type = HTTP_SPAN("application/octet-stream");
    if (hbytes_append_str(&pair->filename, filename) != 0)
        return -ENOMEM;
    return hbytes_append(&pair->type, type.data, type.len);
}

static int on_part(http_span_t fields, void *arg)
{
    form_t *form = arg;
    http_disposition_t *disposition = hmem_alloc(sizeof(*disposition));
    http_span_t value;
    int err = disposition ? HERR_SYNTAX : -ENOMEM;

    if (disposition && http_field_find(fields, "Content-Disposition", &value))
        err = http_disposition_parse(value, disposition);
    if (!err && !disposition->has_name)
        err = HERR_SYNTAX;
    if (!err)
        err = demo_pairs_add(form->pairs, http_span(disposition->name), (http_span_t){0},
                             &form->pair);
    if (!err && disposition->has_filename)
        err = begin_file(form->pair, fields, disposition->filename);
    hmem_free(disposition);
    return err;
}

static int on_data(const char *data, size_t len, void *arg)
{
    const form_t *form = arg;

    form->pair->size += len;
    return form->pair->is_file ? 0 : hbytes_append(&form->pair->value, data, len);
}

int demo_pairs_add_form(demo_pairs_t *pairs, http_span_t content_type, http_span_t body)
{
    static const multipart_callbacks_t callbacks = {.part = on_part, .data = on_data};
    form_t form = {.pairs = pairs};
    multipart_t parser;
    http_span_t boundary;
    int err = multipart_boundary(content_type, &boundary);

    if (!err)
        err = multipart_init(&parser, boundary, &callbacks, &form);
    if (err)
        return HERR_SYNTAX;
    err = multipart_feed(&parser, body.data, body.len);
    if (!err)
        err = multipart_finish(&parser);
    multipart_deinit(&parser);
    return err;
}
