/* The input is fields, one a line, of -F or (with a tab in front) of --form-string. A form that is
 * made of them is as long as it says, and the parser finds its parts. Files are left out. */
#include "../../cmd/hcurl/form.h"
#include "base/herr.h"
#include "codec/multipart.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 30

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static int count_part(http_span_t fields, void *arg)
{
    (void)fields;
    ++*(size_t *)arg;
    return 0;
}

static void check_parts(const char *boundary, const hbytes_t *body)
{
    static const multipart_callbacks_t callbacks = {.part = count_part};
    multipart_t parser;
    size_t parts = 0;

    check(multipart_init(&parser, (http_span_t){boundary, strlen(boundary)}, &callbacks, &parts) ==
          0);
    if (multipart_feed(&parser, body->data, body->len) == 0)
        check(multipart_finish(&parser) == 0);
    multipart_deinit(&parser);
}

static void check_body(http_form_t *form)
{
    char boundary[HTTP_FORM_BOUNDARY_LEN + 1], buf[1000];
    hbytes_t body = {0};
    http_source_t *source;
    ssize_t n;

    memcpy(boundary, http_form_boundary(form), sizeof(boundary));
    check(http_form_source(form, &source) == 0);
    while ((n = http_source_read(source, buf, sizeof(buf))) > 0)
        check(hbytes_append(&body, buf, (size_t)n) == 0);
    check(n == 0 || n == HERR_SYNTAX);
    if (n == 0 && http_source_length(source) >= 0)
        check(http_source_length(source) == (int64_t)body.len);
    if (n == 0)
        check_parts(boundary, &body);
    check(http_source_rewind(source) == 0);
    http_source_free(source);
    hbytes_deinit(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *line = text, *next;
    hbytes_t why = {0};
    http_form_t *made;
    form_t form = {0};
    int count = 0;

    memcpy(text, data, size);
    text[size] = '\0';
    for (; line && *line && count < FIELDS_MAX; line = next, count++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (*line == '\t')
            form_add(&form, line + 1, true, &why);
        else if (!strpbrk(line, "@<"))
            form_add(&form, line, false, &why);
    }
    if (form.root && form_build(&form, NULL, (form_how_t){.escape = size % 2}, &made, &why) == 0)
        check_body(made);
    form_deinit(&form);
    hbytes_deinit(&why);
    free(text);
    return 0;
}
