#include "url.h"

#include <string.h>
#include <strings.h>

#include "base/herr.h"
#include "base/hmem.h"
#include "input.h"

#define DATA_FILE_MAX ((size_t)100 << 20) /* bytes of NAME@FILE: three times that is kept */

/* ---- items ----------------------------------------------------------------------------------- */

static int push(url_options_t *o, url_item_t **item)
{
    if (o->count == URL_ITEMS_MAX)
        return -ENOBUFS;
    if (o->count == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 4;
        url_item_t *more = hmem_realloc(o->items, cap * sizeof(*more));

        if (!more)
            return -ENOMEM;
        o->items = more;
        o->cap = cap;
    }
    *item = &o->items[o->count++];
    memset(*item, 0, sizeof(**item));
    (*item)->remote_name = o->remote_name_all;
    return 0;
}

/* The first item from *next on in which the member at this offset is not yet set, or a new one. */
static int find(url_options_t *o, size_t *next, size_t offset, url_item_t **item)
{
    for (; *next < o->count; (*next)++) {
        *item = &o->items[*next];
        if (!*(const bool *)((const char *)*item + offset))
            return 0;
    }
    return push(o, item);
}

static int add(url_options_t *o, const char *url, bool from_file)
{
    url_item_t *item = NULL;
    int err = find(o, &o->next_url, offsetof(url_item_t, has_url), &item);

    if (err < 0)
        return err;
    item->url = url;
    item->has_url = true;
    if (from_file)
        item->remote_name = item->no_glob = true;
    o->urls++;
    return 0;
}

static int refuse(hbytes_t *why, const char *text)
{
    int err = hbytes_append_str(why, text);

    return err < 0 ? err : HERR_SYNTAX;
}

/* ---- options --------------------------------------------------------------------------------- */

/* A line that is no comment, and not blank. */
static int add_line(url_options_t *o, const char *text, size_t len)
{
    size_t blanks = strspn(text, " \t");
    char *line;
    int err;

    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (blanks >= len || text[blanks] == '#')
        return 0;
    line = hmem_strndup(text, len);
    if (!line)
        return -ENOMEM;
    err = hopt_list_add(&o->lines, line);
    if (err < 0) {
        hmem_free(line);
        return err;
    }
    return add(o, line, true);
}

static int add_file(url_options_t *o, const char *name, hbytes_t *why)
{
    hbytes_t text = {0};
    int err = input_read(name, URL_FILE_MAX, INPUT_TEXT, &text, why);

    for (size_t at = 0; err == 0 && at < text.len;) {
        const char *line = text.data + at;
        const char *end = memchr(line, '\n', text.len - at);
        size_t len = end ? (size_t)(end - line) : text.len - at;

        at += len + 1;
        err = add_line(o, line, len);
        if (err == -ENOBUFS)
            hbytes_printf(why, "'%s' has more than %zu URLs", name, URL_ITEMS_MAX);
    }
    hbytes_deinit(&text);
    return err;
}

int url_add(url_options_t *options, const char *url, hbytes_t *why)
{
    if (url[0] == '@')
        return add_file(options, url + 1, why);
    return *url ? add(options, url, false) : refuse(why, "the URL is empty");
}

static int on_url(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    return url_add(opts, arg, why);
}

static int next_output(url_options_t *o, url_item_t **item)
{
    int err = find(o, &o->next_output, offsetof(url_item_t, has_output), item);

    if (err < 0)
        return err;
    (*item)->has_output = true;
    (*item)->output = NULL;
    (*item)->remote_name = (*item)->out_null = false;
    return 0;
}

static int on_output(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    url_item_t *item;
    int err;

    (void)option;
    if (!*arg)
        return refuse(why, "the name is empty");
    err = next_output(opts, &item);
    if (err == 0)
        item->output = arg;
    return err;
}

static int on_out_null(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    url_item_t *item;
    int err = next_output(opts, &item);

    (void)option;
    (void)arg;
    (void)why;
    if (err == 0)
        item->out_null = true;
    return err;
}

static int on_remote_name(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    url_options_t *o = opts;
    bool on = arg == NULL;
    url_item_t *item;
    int err;

    (void)option;
    (void)why;
    if (!on && !o->remote_name_all)
        return 0;
    err = next_output(o, &item);
    if (err == 0)
        item->remote_name = on;
    return err;
}

static int on_upload(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    url_options_t *o = opts;
    url_item_t *item;
    int err = find(o, &o->next_upload, offsetof(url_item_t, has_upload), &item);

    (void)option;
    (void)why;
    if (err < 0)
        return err;
    item->has_upload = true;
    item->upload = *arg ? arg : NULL;
    return 0;
}

static void spaces_to_plus(hbytes_t *out, size_t start)
{
    size_t n = start;

    for (size_t i = start; i < out->len; i++) {
        bool space = out->len - i >= 3 && memcmp(out->data + i, "%20", 3) == 0;

        out->data[n++] = space ? '+' : out->data[i];
        i += space ? 2 : 0;
    }
    if (out->data)
        out->data[n] = '\0';
    out->len = n;
}

int url_encode_pair(const char *text, hbytes_t *out, hbytes_t *why)
{
    size_t file_max =
        out->size_max && out->size_max < DATA_FILE_MAX ? out->size_max : DATA_FILE_MAX;
    const char *mark = strchr(text, '='), *content;
    hbytes_t file = {0};
    size_t len, start;
    bool named;
    int err = 0;

    if (!mark)
        mark = strchr(text, '@');
    content = mark ? mark + 1 : text;
    len = strlen(content);
    if (mark && *mark == '@') {
        err = input_read(content, file_max, INPUT_BYTES, &file, why);
        content = file.data ? file.data : "";
        len = file.len;
    }
    named = mark > text && (*mark == '=' || len > 0); /* an empty file has no name, either */
    if (err == 0 && named)
        err = hbytes_append(out, text, (size_t)(mark - text));
    if (err == 0 && named)
        err = hbytes_append_char(out, '=');
    start = out->len;
    if (err == 0)
        err = hurl_encode(out, content, len);
    hbytes_deinit(&file);
    if (err == 0)
        spaces_to_plus(out, start);
    return err;
}

static int on_query(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    url_options_t *o = opts;
    int err = 0;

    (void)option;
    o->query.size_max = URL_QUERY_MAX;
    if (o->has_query)
        err = hbytes_append_char(&o->query, '&');
    o->has_query = true;
    if (err == 0)
        err = arg[0] == '+' ? hbytes_append_str(&o->query, arg + 1)
                            : url_encode_pair(arg, &o->query, why);
    if (err == -ENOBUFS)
        hbytes_printf(why, "the query is longer than %d bytes", URL_QUERY_MAX);
    return err;
}

static int on_proto_default(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    url_options_t *o = opts;

    (void)option;
    if (strcasecmp(arg, "http") != 0 && strcasecmp(arg, "https") != 0) {
        hbytes_printf(why, "the protocol \"%s\" is not supported", arg);
        return HERR_PROTOCOL;
    }
    o->proto_default = arg;
    return 0;
}

const hopt_t url_rows[] = {
    HOPT_GROUP("URLs"),
    HOPT_CALL(0, "url", on_url, "work on URL; @FILE: on those in its lines, as with -O",
              .arg_name = "URL"),
    HOPT_CALL('o', "output", on_output,
              "write the body to FILE; #1 is what the first glob stands at", .arg_name = "FILE"),
    HOPT_CALL('O', "remote-name", on_remote_name,
              "write the body to a file named as the URL's last part", .negatable = true),
    HOPT_FLAG(0, "remote-name-all", url_options_t, remote_name_all, "as -O for every URL",
              .negatable = true),
    HOPT_CALL(0, "out-null", on_out_null, "drop the body"),
    HOPT_CALL('T', "upload-file", on_upload, "send FILE with PUT; - is standard input",
              .arg_name = "FILE"),
    HOPT_FLAG('g', "globoff", url_options_t, globoff, "take {} and [] in URLs as they are",
              .negatable = true),
    HOPT_FLAG('G', "get", url_options_t, get, "put the data of -d into the query, and ask with GET",
              .negatable = true),
    HOPT_CALL(0, "url-query", on_query,
              "add DATA to the query, encoded as --data-urlencode does; +DATA: as it is",
              .arg_name = "DATA"),
    HOPT_FLAG(0, "path-as-is", url_options_t, path_as_is, "leave /../ and /./ in the path",
              .negatable = true),
    HOPT_CALL(0, "proto-default", on_proto_default, "the protocol of URLs that name none",
              .arg_name = "PROTOCOL", .filled = true),
    HOPT_END,
};

void url_options_deinit(url_options_t *options)
{
    for (size_t i = 0; i < options->lines.count; i++)
        hmem_free((char *)(uintptr_t)options->lines.items[i]);
    hopt_list_deinit(&options->lines);
    hbytes_deinit(&options->query);
    hmem_free(options->items);
    options->items = NULL;
    options->count = options->cap = options->urls = 0;
}
