/* Fields from the command line and from files. A field is one block: the name, a NUL, the value. */
#include "request.h"

#include "base/hmem.h"
#include "input.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t trim_front(const char **text, size_t len)
{
    while (len > 0 && is_blank((*text)[0])) {
        (*text)++;
        len--;
    }
    return len;
}

static size_t trim(const char **text, size_t len)
{
    len = trim_front(text, len);
    while (len > 0 && (is_blank((*text)[len - 1]) || (*text)[len - 1] == '\r'))
        len--;
    return len;
}

static int grow(request_fields_t *fields)
{
    size_t cap = fields->cap ? 2 * fields->cap : 8;
    http_extra_t *items;

    if (fields->count >= REQUEST_FIELDS_MAX)
        return -ENOBUFS;
    if (fields->count < fields->cap)
        return 0;
    items = hmem_realloc(fields->items, cap * sizeof(*items));
    if (!items)
        return -ENOMEM;
    fields->items = items;
    fields->cap = cap;
    return 0;
}

/* value NULL: the client's own is not to be sent. */
static int add(request_fields_t *fields, const char *name, size_t name_len, const char *value,
               size_t value_len)
{
    int err = grow(fields);
    char *block = err ? NULL : hmem_alloc(name_len + value_len + 2);
    char *behind;

    if (!block)
        return err ? err : -ENOMEM;
    memcpy(block, name, name_len);
    block[name_len] = '\0';
    behind = block + name_len + 1;
    if (value)
        memcpy(behind, value, value_len);
    behind[value_len] = '\0';
    fields->items[fields->count++] = (http_extra_t){block, value ? behind : NULL};
    return 0;
}

/* "Name;" and nothing behind it. */
static bool is_empty_field(const char *line, size_t len, size_t semicolon)
{
    return semicolon + 1 == len && !memchr(line, ':', semicolon);
}

static int add_line(request_fields_t *fields, const char *line, size_t len)
{
    const char *end = memchr(line, ';', len), *value;
    size_t name_len, value_len;
    int err;

    if (end && is_empty_field(line, len, (size_t)(end - line))) {
        name_len = trim(&line, (size_t)(end - line));
        return name_len ? add(fields, line, name_len, "", 0) : 0;
    }
    end = memchr(line, ':', len);
    if (!end)
        return 0;
    value = end + 1;
    value_len = trim_front(&value, len - (size_t)(value - line)); /* what is behind it is sent */
    name_len = trim(&line, (size_t)(end - line));
    err = name_len ? add(fields, line, name_len, value_len ? value : NULL, value_len) : 0;
    return err;
}

static int add_file(request_fields_t *fields, const char *name, hbytes_t *why)
{
    hbytes_t text = {0};
    int err = input_read(name, REQUEST_FIELD_FILE_MAX, INPUT_TEXT, &text, why);
    const char *at = text.data;
    size_t left = text.len;

    while (!err && left > 0) {
        const char *end = memchr(at, '\n', left);
        size_t len = end ? (size_t)(end - at) : left;
        const char *line = at;
        size_t line_len = trim(&line, len);

        if (line_len > 0 && line[0] != '#')
            err = add_line(fields, line, line_len);
        at += len + (end != NULL);
        left -= len + (end != NULL);
    }
    hbytes_deinit(&text);
    return err;
}

int request_fields_add(request_fields_t *fields, const char *text, hbytes_t *why)
{
    int err;

    if (text[0] == '@')
        err = add_file(fields, text + 1, why);
    else if (!strpbrk(text, ":;"))
        err = hbytes_printf(why, "'%s' does not look like a header", text);
    else
        err = add_line(fields, text, strlen(text));
    if (err == -ENOBUFS)
        hbytes_printf(why, "there are more than %d headers", REQUEST_FIELDS_MAX);
    return err;
}

void request_fields_deinit(request_fields_t *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        hmem_free((char *)fields->items[i].name);
    hmem_free(fields->items);
    *fields = (request_fields_t){NULL, 0, 0};
}
