/* From the fields of -F to multipart/form-data. */
#include "form_int.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/herr.h"
#include "base/hmem.h"
#include "status.h"

#define FORM_TYPE "multipart/form-data"
#define FILE_TYPE "application/octet-stream"

typedef struct builder_s {
    hloop_t *loop;
    unsigned flags;
    hbytes_t *why;
} builder_t;

static int fail(builder_t *b, int err)
{
    if (err == -ENOMEM)
        return STATUS_MEMORY;
    hbytes_append_str(b->why, err == -EINVAL
                                  ? "a line end in the name, file name, type or a header "
                                    "of a form field"
                                  : herr_str(err));
    return STATUS_ARGUMENT;
}

static int encoding_of(const char *name)
{
    static const char *const names[] = {"binary", "8bit", "7bit", "base64", "quoted-printable"};

    if (!name)
        return HTTP_FORM_PLAIN;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(name, names[i]) == 0)
            return (int)(HTTP_FORM_BINARY + i);
    }
    return -1;
}

static const char *header_of(const form_field_t *field, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < field->headers.count; i++) {
        if (strncasecmp(field->headers.items[i], name, len) == 0 &&
            field->headers.items[i][len] == ':')
            return field->headers.items[i] + len + 1;
    }
    return NULL;
}

/* What is not said: by the names' ends; but plain text goes without saying unless it is a file. */
static const char *type_of(const form_field_t *field, const char *filename)
{
    const char *type = http_form_type(filename);

    if (field->type || field->kind == FIELD_FORM || header_of(field, "Content-Type"))
        return field->type;
    if (!type && field->kind == FIELD_FILE)
        type = http_form_type(field->data);
    if (!type && field->kind == FIELD_FILE && filename)
        type = FILE_TYPE;
    return type && !filename && strcmp(type, "text/plain") == 0 ? NULL : type;
}

static const char *filename_of(const form_field_t *field)
{
    const char *slash;

    if (field->filename || !field->told)
        return field->filename;
    if (field->kind != FIELD_FILE)
        return "-";
    slash = strrchr(field->data, '/');
    return slash ? slash + 1 : field->data;
}

static int open_stdin(http_source_t **source)
{
    int err, fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    err = http_source_file(fd, -1, source);
    if (err < 0)
        close(fd);
    return err;
}

static int open_field(builder_t *b, const form_field_t *field, http_source_t **source)
{
    const char *name = field->kind == FIELD_FILE ? field->data : "-";
    int err;

    if (field->kind == FIELD_DATA)
        return http_source_memory(field->data, field->len, source) < 0 ? STATUS_MEMORY : 0;
    err = field->kind == FIELD_STDIN ? open_stdin(source)
                                     : http_source_path(b->loop, field->data, source);
    if (err == 0)
        return 0;
    if (err == -ENOMEM)
        return STATUS_MEMORY;
    hbytes_printf(b->why, "Failed to open/read local data from file/application: %s: %s", name,
                  herr_str(err));
    return STATUS_READ;
}

static int build(builder_t *b, const form_field_t *fields, bool mixed, http_form_t **out);

/* Recursion ends with FORM_DEPTH_MAX. */
static int add_form(builder_t *b, const form_field_t *field, const http_form_part_t *part,
                    http_form_t *form)
{
    const char *type = field->type ? field->type : header_of(field, "Content-Type");
    bool mixed = true;
    http_form_t *inner = NULL;
    int err, status;

    if (type) {
        type += strspn(type, " ");
        mixed = strncasecmp(type, FORM_TYPE, strlen(FORM_TYPE)) != 0;
    }
    status = build(b, field->first, mixed, &inner);
    if (status != 0)
        return status;
    err = http_form_add_form(form, part, inner);
    return err < 0 ? fail(b, err) : 0;
}

static int add_field(builder_t *b, const form_field_t *field, http_form_t *form)
{
    int encoding = encoding_of(field->encoder), err, status;
    http_form_part_t part = {
        .name = field->name,
        .filename = filename_of(field),
        .fields = field->headers.items,
        .field_count = field->headers.count,
    };
    http_source_t *source = NULL;

    part.type = type_of(field, part.filename);
    if (field->kind == FIELD_FORM)
        return add_form(b, field, &part, form);
    status = open_field(b, field, &source);
    if (status != 0)
        return status;
    if (encoding < 0) {
        http_source_free(source);
        hbytes_printf(b->why, "there is no encoder %s", field->encoder);
        return STATUS_ARGUMENT;
    }
    part.encoding = (http_form_encoding_e)encoding;
    err = http_form_add(form, &part, source);
    if (err < 0)
        http_source_free(source);
    return err < 0 ? fail(b, err) : 0;
}

static int build(builder_t *b, const form_field_t *fields, bool mixed, http_form_t **out)
{
    http_form_t *form;
    int err = http_form_new(b->flags | (mixed ? HTTP_FORM_MIXED : 0), &form), status = 0;

    if (err < 0)
        return fail(b, err);
    for (; fields && status == 0; fields = fields->next)
        status = add_field(b, fields, form);
    if (status == 0)
        *out = form;
    else
        http_form_free(form);
    return status;
}

int form_build(const form_t *form, hloop_t *loop, form_how_t how, http_form_t **out, hbytes_t *why)
{
    builder_t b = {.loop = loop, .flags = how.escape ? HTTP_FORM_ESCAPE : 0, .why = why};

    return build(&b, form->root->first, how.mixed, out);
}
