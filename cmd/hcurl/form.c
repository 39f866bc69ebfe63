/* The text of -F is read as curl reads it: a value, quoted or not, and what follows after
 * semicolons. */
#include "form.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/herr.h"
#include "base/hmem.h"
#include "form_int.h"
#include "input.h"

#define HEADERS_FILE_MAX (1 << 20)
#define HEADER_MAX 100000 /* of several lines */
#define TYPE_ENDS "()<>@,;:\\\"[]?=\r\n "

typedef struct parser_s {
    const char *at;
    char end; /* of a part: ',' between files, else NUL */
    hbytes_t *why;
} parser_t;

/* ---- fields ---------------------------------------------------------------------------------- */

static void attach(form_field_t *parent, form_field_t *field)
{
    field->parent = parent;
    field->depth = parent->depth + 1;
    if (parent->last)
        parent->last->next = field;
    else
        parent->first = field;
    parent->last = field;
}

/* parent NULL: it has none yet. */
static form_field_t *new_field(form_field_t *parent, field_e kind)
{
    form_field_t *field = hmem_zalloc(sizeof(*field));

    if (field)
        field->kind = kind;
    if (field && parent)
        attach(parent, field);
    return field;
}

/* And those behind it. Recursion ends with FORM_DEPTH_MAX. */
static void free_field(form_field_t *field)
{
    while (field) {
        form_field_t *next = field->next;

        free_field(field->first);
        for (size_t i = 0; i < field->headers.count; i++)
            hmem_free((char *)(uintptr_t)field->headers.items[i]);
        hopt_list_deinit(&field->headers);
        hmem_free(field->name);
        hmem_free(field->filename);
        hmem_free(field->type);
        hmem_free(field->encoder);
        hmem_free(field->data);
        hmem_free(field);
        field = next;
    }
}

void form_deinit(form_t *form)
{
    free_field(form->root);
    form->root = form->open = NULL;
}

/* ---- the text of a field --------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool ends(const parser_t *p, char c)
{
    return c == '\0' || c == ';' || c == p->end;
}

static void skip_blanks(parser_t *p)
{
    while (is_blank(*p->at))
        p->at++;
}

/* "Text with \" and \\ in it". False: the quote is not closed, and nothing was taken. */
static bool read_quoted(parser_t *p, hbytes_t *word, int *err)
{
    const char *c = p->at + 1;
    bool more = false;

    for (; *c && *c != '"' && *err == 0; c++) {
        if (c[0] == '\\' && (c[1] == '\\' || c[1] == '"'))
            c++;
        *err = hbytes_append_char(word, *c);
    }
    if (*c != '"') {
        hbytes_clear(word);
        return false;
    }
    for (c++; !ends(p, *c); c++)
        more |= !strchr(" \t\r\n\v\f", *c);
    if (more)
        hbytes_append_str(p->why, "something stands behind a quoted text");
    p->at = c;
    return true;
}

/* A word, up to what ends it; freed by the caller, as all before it. */
static int read_word(parser_t *p, char **text)
{
    hbytes_t word = {0};
    size_t len;
    int err = 0;

    skip_blanks(p);
    if (*p->at != '"' || !read_quoted(p, &word, &err)) {
        for (len = 0; !ends(p, p->at[len]); len++)
            continue;
        if (err == 0)
            err = hbytes_append(&word, p->at, len);
        p->at += len;
        while (word.len > 0 && is_blank(word.data[word.len - 1]))
            word.data[--word.len] = '\0';
    }
    hmem_free(*text);
    *text = NULL;
    if (err == 0)
        *text = word.len > 0 ? hbytes_take(&word, NULL) : hmem_strdup("");
    hbytes_deinit(&word);
    return *text ? 0 : -ENOMEM;
}

/* ---- headers= -------------------------------------------------------------------------------- */

static int add_header(form_field_t *field, const char *text, size_t len)
{
    char *copy = hmem_strndup(text, len);
    int err;

    if (!copy)
        return -ENOMEM;
    err = hopt_list_add(&field->headers, copy);
    if (err < 0)
        hmem_free(copy);
    return err;
}

/* A line that begins with a space goes on with the one before it. */
static int fold_header(form_field_t *field, const char *text, size_t len)
{
    char *last = (char *)(uintptr_t)field->headers.items[field->headers.count - 1];
    hbytes_t joined = {.size_max = HEADER_MAX};
    int err = hbytes_append_str(&joined, last);

    if (err == 0)
        err = hbytes_append(&joined, text, len);
    if (err == 0) {
        field->headers.items[field->headers.count - 1] = hbytes_take(&joined, NULL);
        hmem_free(last);
    }
    hbytes_deinit(&joined);
    return err;
}

static int read_header_file(form_field_t *field, const char *name, hbytes_t *why)
{
    hbytes_t text = {0};
    int err = input_read(name, HEADERS_FILE_MAX, INPUT_TEXT, &text, why);

    if (err == -ENOENT || err == -EACCES) /* curl goes on without */
        err = 0;
    for (size_t at = 0; err == 0 && at < text.len;) {
        const char *line = text.data + at;
        size_t len = strcspn(line, "\n");

        at += len + 1;
        while (len > 0 && strchr(" \t\r", line[len - 1]))
            len--;
        if (len == 0 || line[strspn(line, " \t")] == '#')
            continue;
        err = line[0] == ' ' && field->headers.count > 0 ? fold_header(field, line, len)
                                                         : add_header(field, line, len);
        if (err == -ENOBUFS)
            hbytes_printf(why, "a header in '%s' is longer than %d bytes", name, HEADER_MAX);
    }
    hbytes_deinit(&text);
    return err;
}

static int read_headers(parser_t *p, form_field_t *field)
{
    bool file = *p->at == '@' || *p->at == '<';
    char *word = NULL;
    int err;

    p->at += file;
    err = read_word(p, &word);
    if (err == 0)
        err = file ? read_header_file(field, word, p->why) : add_header(field, word, strlen(word));
    hmem_free(word);
    return err;
}

/* ---- what follows a value -------------------------------------------------------------------- */

static bool takes(parser_t *p, const char *name)
{
    size_t len = strlen(name);

    if (strncasecmp(p->at, name, len) != 0)
        return false;
    p->at += len;
    return true;
}

static int set_type(form_field_t *field, const char *type, const char *end)
{
    hmem_free(field->type);
    field->type = hmem_alloc((size_t)(end - type) + 1);
    if (!field->type)
        return -ENOMEM;
    memcpy(field->type, type, (size_t)(end - type));
    field->type[end - type] = '\0';
    return 0;
}

/* What is unknown behind a type is a parameter of it. */
static int read_type_parameter(parser_t *p, form_field_t *field, const char *type)
{
    const char *end = p->at;

    for (; !ends(p, *p->at); p->at++) {
        if (!is_blank(*p->at))
            end = p->at + 1;
    }
    return set_type(field, type, end);
}

static int skip_unknown(parser_t *p)
{
    char *word = NULL;
    int err = read_word(p, &word);

    if (err == 0 && *word)
        hbytes_printf(p->why, "unknown, and skipped: %s", word);
    hmem_free(word);
    return err;
}

/* "value;type=...;filename=...": the value goes to field->data. */
static int read_part(parser_t *p, form_field_t *field)
{
    const char *type = NULL; /* begins here, and may go on */
    int err = read_word(p, &field->data);

    while (err == 0 && *p->at == ';') {
        p->at++;
        skip_blanks(p);
        if (!type && takes(p, "type=")) {
            skip_blanks(p);
            type = p->at;
            p->at += strcspn(p->at, TYPE_ENDS);
            err = set_type(field, type, p->at);
        } else if (takes(p, "filename=")) {
            type = NULL;
            err = read_word(p, &field->filename);
        } else if (takes(p, "headers=")) {
            type = NULL;
            err = read_headers(p, field);
        } else if (takes(p, "encoder=")) {
            type = NULL;
            err = read_word(p, &field->encoder);
        } else {
            err = type ? read_type_parameter(p, field, type) : skip_unknown(p);
        }
    }
    return err;
}

static void forbid(parser_t *p, char **text, const char *what)
{
    if (*text)
        hbytes_printf(p->why, "no %s is allowed here: %s", what, *text);
    hmem_free(*text);
    *text = NULL;
}

static void tell_garbage(parser_t *p)
{
    if (*p->at)
        hbytes_printf(p->why, "something stands behind the field: %s", p->at);
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* "-": a file is read when it is sent, anything else now. */
static int settle_stdin(form_field_t *field, hbytes_t *why)
{
    hbytes_t text = {0};
    struct stat st;
    int err;

    if (strcmp(field->data, "-") != 0)
        return 0;
    field->kind = FIELD_STDIN;
    if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode))
        return 0;
    err = input_read("-", FORM_STDIN_MAX, INPUT_BYTES, &text, why);
    hmem_free(field->data);
    field->len = text.len;
    field->data = text.len > 0 ? hbytes_take(&text, NULL) : hmem_strdup("");
    field->kind = FIELD_DATA;
    field->of_stdin = true;
    hbytes_deinit(&text);
    return err == 0 && !field->data ? -ENOMEM : err;
}

static int read_files(parser_t *p, form_field_t *files)
{
    p->end = ',';
    do {
        form_field_t *file = new_field(files, FIELD_FILE);
        int err;

        p->at++;
        if (!file)
            return -ENOMEM;
        file->told = true;
        err = read_part(p, file);
        if (err == 0)
            err = settle_stdin(file, p->why);
        if (err < 0)
            return err;
    } while (*p->at == ',');
    return 0;
}

/* Several files of one name make a form of their own. */
static int add_files(parser_t *p, form_field_t *parent, form_field_t **named)
{
    form_field_t *files = new_field(NULL, FIELD_FORM), *only;
    int err = files ? read_files(p, files) : -ENOMEM;

    if (err < 0) {
        free_field(files);
        return err;
    }
    only = files->first;
    *named = only->next ? files : only;
    if (!only->next) {
        files->first = NULL;
        free_field(files);
    }
    attach(parent, *named);
    return 0;
}

static int add_content(parser_t *p, form_field_t *parent, bool literal, form_field_t **named)
{
    bool file = *p->at == '<' && !literal;
    form_field_t *field = new_field(parent, file ? FIELD_FILE : FIELD_DATA);
    int err = 0;

    *named = field;
    if (!field)
        return -ENOMEM;
    p->at += file;
    if (literal) {
        field->data = hmem_strdup(p->at);
        field->len = strlen(p->at);
        return field->data ? 0 : -ENOMEM;
    }
    err = read_part(p, field);
    if (err < 0)
        return err;
    field->len = strlen(field->data);
    if (file) {
        forbid(p, &field->filename, "filename");
        err = settle_stdin(field, p->why);
    }
    tell_garbage(p);
    return err;
}

static int open_form(parser_t *p, form_t *form, form_field_t **named)
{
    form_field_t *field;
    int err;

    if (form->open->depth >= FORM_DEPTH_MAX)
        return -ENOBUFS;
    *named = field = new_field(form->open, FIELD_FORM);
    if (!field)
        return -ENOMEM;
    err = read_part(p, field);
    if (err < 0)
        return err;
    forbid(p, &field->filename, "filename");
    forbid(p, &field->encoder, "encoder");
    form->open = field;
    return 0;
}

static int close_form(form_t *form, hbytes_t *why)
{
    if (!form->open->parent) {
        hbytes_append_str(why, "no multipart is open");
        return HERR_SYNTAX;
    }
    form->open = form->open->parent;
    return 0;
}

int form_add(form_t *form, const char *text, bool literal, hbytes_t *why)
{
    const char *equals = strchr(text, '=');
    parser_t p = {.at = equals ? equals + 1 : text, .why = why};
    form_field_t *field = NULL;
    int err;

    if (!equals) {
        hbytes_append_str(why, "it is not NAME=CONTENT");
        return HERR_SYNTAX;
    }
    if (!form->root)
        form->root = form->open = new_field(NULL, FIELD_FORM);
    if (!form->root)
        return -ENOMEM;
    if (form->count == FORM_FIELDS_MAX)
        return -ENOBUFS;
    form->count++;
    if (!literal && equals == text && strcmp(p.at, ")") == 0)
        return close_form(form, why);
    if (!literal && *p.at == '(')
        err = open_form(&p, form, &field);
    else if (!literal && *p.at == '@')
        err = add_files(&p, form->open, &field);
    else
        err = add_content(&p, form->open, literal, &field);
    if (err < 0 || equals == text)
        return err;
    field->name = hmem_alloc((size_t)(equals - text) + 1);
    if (!field->name)
        return -ENOMEM;
    memcpy(field->name, text, (size_t)(equals - text));
    field->name[equals - text] = '\0';
    return 0;
}
