/* A form is a row of pieces: what stands before each body, the bodies, and the end. Its length is
 * their sum. */
#include "http_form.h"

#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "../base/hmem.h"
#include "../codec/multipart.h"

#define HEAD_MAX (1 << 24) /* of a part: names may be long */

typedef struct part_s {
    hbytes_t head;
    http_source_t *body;
} part_t;

struct http_form_s {
    unsigned flags;
    unsigned depth; /* of forms in it */
    part_t *parts;
    size_t count, cap;
    char boundary[HTTP_FORM_BOUNDARY_LEN + 1];
    char end[HTTP_FORM_BOUNDARY_LEN + 16];
    size_t end_len;
    /* While it is read: */
    size_t at;     /* the part; count: the end */
    size_t offset; /* in its head, or in the end */
    http_source_t *source;
    http_source_ready_cb ready;
    void *ready_arg;
};

/* ---- making one ------------------------------------------------------------------------------ */

static http_span_t boundary_of(const http_form_t *form)
{
    return (http_span_t){form->boundary, HTTP_FORM_BOUNDARY_LEN};
}

static int make_boundary(http_form_t *form)
{
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned char random[HTTP_FORM_BOUNDARY_RANDOM];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    memset(form->boundary, '-', HTTP_FORM_BOUNDARY_DASHES);
    for (size_t i = 0; i < sizeof(random); i++)
        form->boundary[HTTP_FORM_BOUNDARY_DASHES + i] =
            alphabet[random[i] % (sizeof(alphabet) - 1)];
    return 0;
}

int http_form_new(unsigned flags, http_form_t **form)
{
    http_form_t *made = hmem_zalloc(sizeof(*made));
    int err;

    if (!made)
        return -ENOMEM;
    made->flags = flags;
    err = make_boundary(made);
    if (err < 0) {
        hmem_free(made);
        return err;
    }
    made->end_len = (size_t)multipart_write_end(boundary_of(made), made->end, sizeof(made->end));
    *form = made;
    return 0;
}

void http_form_free(http_form_t *form)
{
    if (!form)
        return;
    for (size_t i = 0; i < form->count; i++) {
        hbytes_deinit(&form->parts[i].head);
        http_source_free(form->parts[i].body);
    }
    hmem_free(form->parts);
    hmem_free(form);
}

const char *http_form_boundary(const http_form_t *form)
{
    return form->boundary;
}

/* ---- the head of a part ---------------------------------------------------------------------- */

static bool has_line_end(const char *text)
{
    return text && text[strcspn(text, "\r\n")];
}

/* The value of a field that is given; NULL: there is none. */
static const char *given(const http_form_part_t *part, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < part->field_count; i++) {
        const char *field = part->fields[i];

        if (strncasecmp(field, name, len) == 0 && field[len] == ':')
            return field + len + 1 + strspn(field + len + 1, " \t");
    }
    return NULL;
}

static int put_quoted(hbytes_t *out, const char *text, bool escape)
{
    int err = hbytes_append_char(out, '"');

    for (; err == 0 && *text; text++) {
        if (escape && (*text == '"' || *text == '\\'))
            err = hbytes_printf(out, "\\%c", *text);
        else if (!escape && strchr("\"\r\n", *text))
            err = hbytes_printf(out, "%%%02X", (unsigned char)*text);
        else
            err = hbytes_append_char(out, *text);
    }
    return err == 0 ? hbytes_append_char(out, '"') : err;
}

static int put_disposition(const http_form_t *form, const http_form_part_t *part, hbytes_t *out)
{
    bool escape = form->flags & HTTP_FORM_ESCAPE, mixed = form->flags & HTTP_FORM_MIXED;
    int err;

    if (escape && (has_line_end(part->name) || has_line_end(part->filename)))
        return -EINVAL;
    if (given(part, "Content-Disposition") || (mixed && !part->name && !part->filename))
        return 0;
    err = hbytes_printf(out, "Content-Disposition: %s", mixed ? "attachment" : "form-data");
    if (err == 0 && part->name)
        err = hbytes_append_str(out, "; name=");
    if (err == 0 && part->name)
        err = put_quoted(out, part->name, escape);
    if (err == 0 && part->filename)
        err = hbytes_append_str(out, "; filename=");
    if (err == 0 && part->filename)
        err = put_quoted(out, part->filename, escape);
    return err == 0 ? hbytes_append_str(out, "\r\n") : err;
}

static const char *encoding_name(http_form_encoding_e encoding)
{
    static const char *const names[] = {NULL,   "binary", "8bit",
                                        "7bit", "base64", "quoted-printable"};

    return names[encoding];
}

/* boundary: of a form in it; NULL: it is none. */
static int put_fields(const http_form_t *form, const http_form_part_t *part, const char *boundary,
                      hbytes_t *out)
{
    const char *type = part->type ? part->type : given(part, "Content-Type");
    const char *encoding = encoding_name(part->encoding);
    int err = put_disposition(form, part, out);

    if (!type && boundary)
        type = "multipart/mixed";
    if (has_line_end(type))
        return -EINVAL;
    if (err == 0 && type)
        err = hbytes_printf(out, "Content-Type: %s%s%s\r\n", type, boundary ? "; boundary=" : "",
                            boundary ? boundary : "");
    if (err == 0 && encoding && !given(part, "Content-Transfer-Encoding"))
        err = hbytes_printf(out, "Content-Transfer-Encoding: %s\r\n", encoding);
    for (size_t i = 0; err == 0 && i < part->field_count; i++) {
        if (has_line_end(part->fields[i]))
            return -EINVAL;
        if (strncasecmp(part->fields[i], "Content-Type:", 13) != 0)
            err = hbytes_printf(out, "%s\r\n", part->fields[i]);
    }
    return err;
}

static int put_head(const http_form_t *form, const http_form_part_t *part, const char *boundary,
                    hbytes_t *head)
{
    size_t room = HTTP_FORM_BOUNDARY_LEN + 16;
    hbytes_t fields = {0};
    int err;

    hbytes_init(&fields, HEAD_MAX);
    err = put_fields(form, part, boundary, &fields);
    if (err == 0)
        err = hbytes_reserve(head, fields.len + room);
    if (err == 0)
        head->len =
            (size_t)multipart_write_head(boundary_of(form), form->count == 0,
                                         (http_span_t){fields.data ? fields.data : "", fields.len},
                                         head->data, fields.len + room);
    hbytes_deinit(&fields);
    return err;
}

static int grow(http_form_t *form)
{
    size_t cap = form->cap ? form->cap * 2 : 8;
    part_t *parts;

    if (form->count == HTTP_FORM_PARTS_MAX || form->source)
        return -ENOBUFS;
    if (form->count < form->cap)
        return 0;
    parts = hmem_realloc(form->parts, cap * sizeof(*parts));
    if (!parts)
        return -ENOMEM;
    form->parts = parts;
    form->cap = cap;
    return 0;
}

static int add(http_form_t *form, const http_form_part_t *part, const char *boundary,
               http_source_t *body)
{
    part_t made = {.body = NULL};
    int err = grow(form);

    if (err == 0)
        err = put_head(form, part, boundary, &made.head);
    if (err == 0)
        err = http_form_encode(boundary ? HTTP_FORM_PLAIN : part->encoding, body, &made.body);
    if (err == 0)
        form->parts[form->count++] = made;
    else
        hbytes_deinit(&made.head);
    return err;
}

int http_form_add(http_form_t *form, const http_form_part_t *part, http_source_t *body)
{
    return add(form, part, NULL, body);
}

/* ---- reading it ------------------------------------------------------------------------------ */

/* What is left of a text. */
static size_t copy(http_form_t *form, const char *text, size_t len, char *buf, size_t size)
{
    if (size > len - form->offset)
        size = len - form->offset;
    memcpy(buf, text + form->offset, size);
    form->offset += size;
    return size;
}

static void on_ready(http_source_t *body, void *arg)
{
    http_form_t *form = arg;

    (void)body;
    if (form->ready)
        form->ready(form->source, form->ready_arg);
}

/* Small parts go together: as much as fits. */
static ssize_t form_read(void *arg, void *buf, size_t size)
{
    http_form_t *form = arg;
    char *out = buf;
    size_t got = 0;

    while (got < size && form->at < form->count) {
        part_t *part = &form->parts[form->at];
        ssize_t n;

        if (form->offset < part->head.len) {
            got += copy(form, part->head.data, part->head.len, out + got, size - got);
            continue;
        }
        n = http_source_read(part->body, out + got, size - got);
        if (n < 0)
            return got > 0 && n == -EAGAIN ? (ssize_t)got : n;
        got += (size_t)n;
        if (n == 0) {
            form->at++;
            form->offset = 0;
        }
    }
    if (form->at == form->count)
        got += copy(form, form->end, form->end_len, out + got, size - got);
    return (ssize_t)got;
}

static int form_rewind(void *arg)
{
    http_form_t *form = arg;
    int err = 0;

    for (size_t i = 0; err == 0 && i < form->count; i++)
        err = http_source_rewind(form->parts[i].body);
    if (err == 0)
        form->at = form->offset = 0;
    return err;
}

static void form_free(void *arg)
{
    http_form_free(arg);
}

static void form_set_ready(void *arg, http_source_ready_cb ready, http_source_t *source,
                           void *ready_arg)
{
    http_form_t *form = arg;

    form->source = source;
    form->ready = ready;
    form->ready_arg = ready_arg;
    for (size_t i = 0; i < form->count; i++)
        http_source_set_ready(form->parts[i].body, on_ready, form);
}

static int64_t length_of(const http_form_t *form)
{
    int64_t length = (int64_t)form->end_len;

    for (size_t i = 0; i < form->count; i++) {
        int64_t body = http_source_length(form->parts[i].body);

        if (body < 0 || body > INT64_MAX / 2 - length)
            return HTTP_BODY_UNKNOWN;
        length += body + (int64_t)form->parts[i].head.len;
    }
    return length;
}

int http_form_source(http_form_t *form, http_source_t **source)
{
    static const http_source_calls_t calls = {
        .read = form_read, .rewind = form_rewind, .free = form_free, .set_ready = form_set_ready};
    int err;

    if (form->count == 0 && form->end[0] == '\r') { /* no part in front of it: no line to end */
        form->end_len -= 2;
        memmove(form->end, form->end + 2, form->end_len);
    }
    err = http_source_call(&calls, form, length_of(form), source);
    if (err == 0)
        form->source = *source;
    return err;
}

int http_form_add_form(http_form_t *form, const http_form_part_t *part, http_form_t *inner)
{
    http_source_t *source = NULL;
    int err;

    if (inner->depth + 1 >= HTTP_FORM_DEPTH_MAX)
        err = -ENOBUFS;
    else
        err = http_form_source(inner, &source);
    if (err < 0) {
        http_form_free(inner);
        return err;
    }
    err = add(form, part, inner->boundary, source);
    if (err < 0)
        http_source_free(source);
    else if (inner->depth + 1 > form->depth)
        form->depth = inner->depth + 1;
    return err;
}

/* ---- types ----------------------------------------------------------------------------------- */

const char *http_form_type(const char *filename)
{
    static const char *const types[][2] = {
        {".gif", "image/gif"},       {".jpg", "image/jpeg"},    {".jpeg", "image/jpeg"},
        {".png", "image/png"},       {".svg", "image/svg+xml"}, {".txt", "text/plain"},
        {".htm", "text/html"},       {".html", "text/html"},    {".pdf", "application/pdf"},
        {".xml", "application/xml"},
    };
    size_t len = filename ? strlen(filename) : 0;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t end = strlen(types[i][0]);

        if (len >= end && strcasecmp(filename + len - end, types[i][0]) == 0)
            return types[i][1];
    }
    return NULL;
}
