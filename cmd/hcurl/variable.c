#include "variable.h"

#include "base/hbase64.h"
#include "base/hjson.h"
#include "base/hmem.h"
#include "base/hurl.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 16384
#define DECODE_FAILED "[64dec-fail]"

/* Both ends included. */
typedef struct range_s {
    uint64_t first, last;
} range_t;

/* ---- the variables ---- */

static size_t name_length(const char *text)
{
    size_t len = 0;

    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return len;
}

static variable_t *find(const variables_t *variables, const char *name, size_t len)
{
    for (size_t i = 0; i < variables->count; i++) {
        variable_t *v = &variables->items[i];

        if (strncmp(v->name, name, len) == 0 && v->name[len] == '\0')
            return v;
    }
    return NULL;
}

static int grow(variables_t *variables)
{
    size_t cap = variables->cap == 0 ? 8 : variables->cap * 2;
    variable_t *items;

    if (variables->count < variables->cap)
        return 0;
    if (variables->count >= VARIABLES_MAX)
        return -ENOBUFS;
    items = hmem_realloc(variables->items, cap * sizeof(*items));
    if (items == NULL)
        return -ENOMEM;
    variables->items = items;
    variables->cap = cap;
    return 0;
}

/* Takes what is in content. */
static int store(variables_t *variables, const char *name, size_t name_len, hbytes_t *content)
{
    variable_t *v = find(variables, name, name_len);
    int status;

    if (v == NULL) {
        status = grow(variables);
        if (status < 0)
            return status;
        v = &variables->items[variables->count];
        v->name = hmem_strndup(name, name_len);
        if (v->name == NULL)
            return -ENOMEM;
        variables->count++;
    } else {
        hmem_free(v->content);
    }
    v->content = hbytes_take(content, &v->len);
    return 0;
}

void variables_deinit(variables_t *variables)
{
    for (size_t i = 0; i < variables->count; i++) {
        hmem_free(variables->items[i].name);
        hmem_free(variables->items[i].content);
    }
    hmem_free(variables->items);
    memset(variables, 0, sizeof(*variables));
}

/* ---- --variable ---- */

static bool read_number(const char **text, uint64_t *value)
{
    const char *at = *text;

    *value = 0;
    for (; isdigit((unsigned char)*at); at++) {
        if (*value > (UINT64_MAX - 9) / 10)
            return false;
        *value = *value * 10 + (uint64_t)(*at - '0');
    }
    if (at == *text)
        return false;
    *text = at;
    return true;
}

/* "[5-]", "[5-9]" behind a name, if there is one; *text is moved behind it. */
static int read_range(const char **text, range_t *range, hbytes_t *why)
{
    const char *at = *text + 1;

    *range = (range_t){0, UINT64_MAX};
    if (**text != '[' || !isdigit((unsigned char)*at))
        return 0;
    if (read_number(&at, &range->first) && *at++ == '-' &&
        (*at == ']' || read_number(&at, &range->last)) && *at == ']' &&
        range->first <= range->last) {
        *text = at + 1;
        return 0;
    }
    hbytes_append_str(why, "a range of bytes is [FIRST-LAST] or [FIRST-]");
    return HERR_SYNTAX;
}

static int read_part(int fd, const range_t *range, hbytes_t *content)
{
    uint64_t at = 0;

    while (at <= range->last) {
        char buf[READ_SIZE];
        uint64_t left = range->last - at;
        ssize_t n = read(fd, buf, left < sizeof(buf) ? (size_t)left + 1 : sizeof(buf));
        size_t skip;
        int status;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        skip = range->first <= at                ? 0
               : range->first - at < (uint64_t)n ? (size_t)(range->first - at)
                                                 : (size_t)n;
        status = hbytes_append(content, buf + skip, (size_t)n - skip);
        if (status < 0)
            return status == -ENOBUFS ? -EFBIG : status;
        at += (uint64_t)n;
    }
    return 0;
}

static int read_file(const char *name, const range_t *range, hbytes_t *content, hbytes_t *why)
{
    bool is_stdin = strcmp(name, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int status = fd < 0 ? -errno : read_part(fd, range, content);

    if (fd >= 0 && !is_stdin)
        close(fd);
    if (status < 0)
        hbytes_printf(why, "cannot read '%s': %s", is_stdin ? "<stdin>" : name, herr_str(status));
    return status;
}

static int cut_text(const char *text, const range_t *range, hbytes_t *content)
{
    uint64_t len = strlen(text);
    uint64_t end = range->last < len ? range->last + 1 : len;

    if (range->first >= end)
        return 0;
    return hbytes_append(content, text + range->first, (size_t)(end - range->first));
}

/* What stands behind the name; 1: nothing that counts. */
static int read_content(const char *text, hbytes_t *content, hbytes_t *why)
{
    range_t range;
    int status = read_range(&text, &range, why);

    if (status < 0)
        return status;
    if (*text == '=')
        return cut_text(text + 1, &range, content);
    if (*text == '@')
        return read_file(text + 1, &range, content, why);
    hbytes_append_str(why, "it is left out: NAME=TEXT, NAME@FILE or %NAME is needed");
    return 1;
}

static int import(const char *name, size_t len, const char *rest, hbytes_t *content, hbytes_t *why)
{
    char text[VARIABLE_NAME_MAX + 1];
    const char *value;

    memcpy(text, name, len);
    text[len] = '\0';
    value = getenv(text);
    if (value != NULL)
        return hbytes_append_str(content, value);
    if (*rest != '\0')
        return read_content(rest, content, why);
    hbytes_printf(why, "there is no %s in the environment", text);
    return HERR_SYNTAX;
}

int variable_set(variables_t *variables, const char *text, hbytes_t *why)
{
    bool from_env = *text == '%';
    const char *name = text + from_env;
    size_t len = name_length(name);
    hbytes_t content;
    int status;

    if (len == 0 || len > VARIABLE_NAME_MAX) {
        hbytes_printf(why, "it is left out: a name has 1 to %d letters, digits, '_'",
                      VARIABLE_NAME_MAX);
        return 0;
    }
    hbytes_init(&content, VARIABLE_CONTENT_MAX);
    status = from_env ? import(name, len, name + len, &content, why)
                      : read_content(name + len, &content, why);
    if (status == 0)
        status = store(variables, name, len, &content);
    hbytes_deinit(&content);
    return status > 0 ? 0 : status;
}

static int take_variable(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    return variable_set(opts, arg, why);
}

const hopt_t variable_rows[] = {
    HOPT_CALL(0, "variable", take_variable,
              "set a variable for --expand-OPTION, which takes the value of any --OPTION with "
              "{{NAME}} and {{NAME:FUNCTION}} in it; functions are trim, json, url, b64 and 64dec",
              .arg_name = "[%]NAME=TEXT|@FILE"),
    HOPT_END,
};

/* ---- --expand- ---- */

static int put_trimmed(const char *data, size_t len, hbytes_t *out)
{
    while (len > 0 && isspace((unsigned char)*data)) {
        data++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)data[len - 1]))
        len--;
    return hbytes_append(out, data, len);
}

static int put_json(const char *data, size_t len, hbytes_t *out)
{
    hbytes_t quoted = {0};
    hjson_t json;
    int status;

    hjson_init(&json, &quoted);
    hjson_bytes(&json, data, len);
    status = hjson_finish(&json);
    if (status == 0)
        status = hbytes_append(out, quoted.data + 1, quoted.len - 2);
    hbytes_deinit(&quoted);
    return status;
}

static int put_base64(const char *data, size_t len, hbytes_t *out)
{
    size_t size = HBASE64_ENCODED_SIZE(len);
    int status = hbytes_reserve(out, size);

    if (status == 0)
        out->len += (size_t)hbase64_encode(HBASE64_STANDARD, data, len, out->data + out->len, size);
    return status;
}

static int put_decoded(const char *data, size_t len, hbytes_t *out)
{
    size_t size = HBASE64_DECODED_SIZE(len);
    char *bytes = hmem_alloc(size);
    ssize_t n;
    int status;

    if (bytes == NULL)
        return -ENOMEM;
    n = hbase64_decode(HBASE64_STANDARD, data, len, bytes, size);
    status = n < 0 ? hbytes_append_str(out, DECODE_FAILED) : hbytes_append(out, bytes, (size_t)n);
    hmem_free(bytes);
    return status;
}

static int put_encoded(const char *data, size_t len, hbytes_t *out)
{
    return hurl_encode(out, data, len);
}

static const struct {
    const char *name;
    int (*call)(const char *data, size_t len, hbytes_t *out);
} functions[] = {
    {"trim", put_trimmed}, {"json", put_json},     {"url", put_encoded},
    {"b64", put_base64},   {"64dec", put_decoded},
};

static int call_function(const char *name, size_t len, hbytes_t *value, hbytes_t *why)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        hbytes_t result;
        int status = 0;

        if (strlen(functions[i].name) != len || strncmp(functions[i].name, name, len) != 0)
            continue;
        hbytes_init(&result, VARIABLE_CONTENT_MAX);
        if (value->len > 0)
            status = functions[i].call(value->data, value->len, &result);
        hbytes_deinit(value);
        *value = result;
        return status;
    }
    hbytes_printf(why, "unknown function '%.*s': there are trim, json, url, b64 and 64dec",
                  (int)(len < 40 ? len : 40), name);
    return HERR_SYNTAX;
}

/* Appends a variable's value; text: its name and ":FUNCTION..." up to end. */
static int put_value(const variables_t *variables, const char *text, const char *end, hbytes_t *out,
                     hbytes_t *why)
{
    size_t len = name_length(text);
    const variable_t *v = find(variables, text, len);
    hbytes_t value;
    int status = 0;

    hbytes_init(&value, VARIABLE_CONTENT_MAX);
    if (v != NULL && v->len > 0)
        status = hbytes_append(&value, v->content, v->len);
    for (text += len; text < end && status == 0; text += len) {
        text++; /* the colon */
        len = (size_t)(end - text);
        if (memchr(text, ':', len) != NULL)
            len = (size_t)((const char *)memchr(text, ':', len) - text);
        status = call_function(text, len, &value, why);
    }
    if (status == 0 && value.len > 0 && memchr(value.data, '\0', value.len) != NULL) {
        hbytes_append_str(why, "a variable's value has a NUL byte in it");
        status = HERR_SYNTAX;
    }
    if (status == 0)
        status = hbytes_append(out, value.data, value.len);
    hbytes_deinit(&value);
    return status;
}

/* What stands between "{{" and "}}" may be a variable. */
static bool is_name(const char *text, const char *end)
{
    size_t len = name_length(text);

    return len > 0 && len <= VARIABLE_NAME_MAX && (text + len == end || text[len] == ':');
}

int variable_expand(const variables_t *variables, const char *text, hbytes_t *out, hbytes_t *why)
{
    const char *open;
    int status = 0;

    while (status == 0 && (open = strstr(text, "{{")) != NULL) {
        bool escaped = open > text && open[-1] == '\\';
        const char *close = strstr(open, "}}");
        const char *next;

        if (close == NULL && !escaped) {
            hbytes_append_str(why, "a {{ without its }} stays as it is");
            break;
        }
        next = escaped ? open + 2 : close + 2;
        status = hbytes_append(out, text, (size_t)(open - text) - escaped);
        if (status == 0 && !escaped && is_name(open + 2, close)) {
            status = put_value(variables, open + 2, close, out, why);
        } else if (status == 0) {
            if (!escaped && why->len == 0)
                hbytes_append_str(why, "what is no variable's name stays as it is");
            status = hbytes_append(out, open, (size_t)(next - open));
        }
        text = next;
    }
    return status == 0 ? hbytes_append_str(out, text) : status;
}
