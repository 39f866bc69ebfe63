/* From the items of the command line to transfers: an odometer of items, uploads and URLs. */
#include "url.h"

#include <string.h>
#include <strings.h>

#include "base/herr.h"
#include "base/hmem.h"
#include "status.h"

static int status_of(int err)
{
    return err == -ENOMEM ? STATUS_MEMORY : STATUS_URL;
}

/* ---- one URL --------------------------------------------------------------------------------- */

static unsigned flags_of(const url_options_t *o)
{
    return HURL_AS_GIVEN | HURL_GUESS | (o->path_as_is ? HURL_PATH_AS_IS : 0);
}

/* Whether a text begins with "scheme:/". */
static bool has_scheme(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    return n > 0 && text[n] == ':' && text[n + 1] == '/';
}

static int parse(const url_options_t *o, const char *text, hurl_t *url, hbytes_t *why)
{
    hbytes_t whole = {0};
    int err = 0;

    memset(url, 0, sizeof(*url));
    if (o->proto_default && !has_scheme(text))
        err = hbytes_printf(&whole, "%s://", o->proto_default);
    if (err == 0)
        err = hbytes_append_str(&whole, text);
    if (err == 0)
        err = hurl_parse(url, whole.data, whole.len, NULL, flags_of(o));
    hbytes_deinit(&whole);
    if (err == 0)
        return 0;
    hbytes_printf(why, "URL rejected: %s", url->fault ? url->fault : herr_str(err));
    return status_of(err);
}

int url_read(const url_options_t *options, const char *text, hurl_t *url, hbytes_t *why)
{
    int status = parse(options, text, url, why);
    hurl_part_t scheme = url->scheme;

    if (status != 0 || (scheme.len == 4 && memcmp(scheme.data, "http", 4) == 0) ||
        (scheme.len == 5 && memcmp(scheme.data, "https", 5) == 0))
        return status;
    hbytes_printf(why, "Protocol \"%.*s\" not supported", (int)scheme.len, scheme.data);
    hurl_deinit(url);
    return STATUS_SCHEME;
}

/* ---- what is added to it --------------------------------------------------------------------- */

/* Replaces *text by what is in made. */
static int replace(char **text, hbytes_t *made)
{
    char *taken = made->len > 0 ? hbytes_take(made, NULL) : hmem_strdup("");

    if (!taken)
        return STATUS_MEMORY;
    hmem_free(*text);
    *text = taken;
    return 0;
}

/* A path that ends with a slash goes on with the name of the file. */
static int add_upload_name(const url_options_t *o, char **text, const char *file, hbytes_t *why)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    hbytes_t made = {0};
    hurl_part_t path;
    hurl_t url;
    int err, status = parse(o, *text, &url, why);

    if (status != 0)
        return status;
    name = strrchr(name, '\\') ? strrchr(name, '\\') + 1 : name;
    if (url.query.len > 0 || url.path.len == 0 || url.path.data[url.path.len - 1] != '/') {
        hurl_deinit(&url);
        return 0;
    }
    path = hurl_shown_path(&url);
    err = hbytes_append(&made, url.text, (size_t)(path.data - url.text) + path.len);
    if (err == 0)
        err = hurl_encode(&made, name, strlen(name));
    if (err == 0 && url.fragment.data)
        err = hbytes_printf(&made, "#%.*s", (int)url.fragment.len, url.fragment.data);
    status = err == 0 ? replace(text, &made) : status_of(err);
    hbytes_deinit(&made);
    hurl_deinit(&url);
    return status;
}

/* Digits of %xx become upper case, as curl has it in what it adds. */
static void raise_digits(char *text)
{
    for (; *text; text++) {
        for (int i = 1; text[0] == '%' && i < 3 && strspn(text + 1, "0123456789abcdefABCDEF") >= 2;
             i++)
            text[i] = (char)(text[i] >= 'a' ? text[i] - 'a' + 'A' : text[i]);
    }
}

static int add_query(const url_options_t *o, char **text, const char *query, hbytes_t *why)
{
    hbytes_t made = {0};
    hurl_part_t path;
    hurl_t url;
    size_t start, skip;
    int err, status = parse(o, *text, &url, why);

    if (status != 0)
        return status;
    path = hurl_shown_path(&url);
    skip = has_scheme(*text) || o->proto_default ? 0 : url.scheme.len + 3;
    err = hbytes_append(&made, url.text + skip, (size_t)(path.data - url.text) + path.len - skip);
    if (err == 0 && (url.query.len > 0 || *query))
        err = hbytes_append_char(&made, '?');
    if (err == 0 && url.query.len > 0)
        err = hbytes_append(&made, url.query.data, url.query.len);
    if (err == 0 && url.query.len > 0 && url.query.data[url.query.len - 1] != '&')
        err = hbytes_append_char(&made, '&');
    start = made.len;
    if (err == 0)
        err = hbytes_append_str(&made, query);
    if (err == 0)
        raise_digits(made.data + start);
    if (err == 0 && url.fragment.len > 0)
        err = hbytes_printf(&made, "#%.*s", (int)url.fragment.len, url.fragment.data);
    status = err == 0 ? replace(text, &made) : status_of(err);
    hbytes_deinit(&made);
    hurl_deinit(&url);
    return status;
}

/* ---- names of outputs ------------------------------------------------------------------------ */

/* The last part of a path that has something in it, between slashes, forward ones or not. */
static hurl_part_t last_segment(hurl_part_t path)
{
    size_t start;

    while (path.len > 0 && (path.data[path.len - 1] == '/' || path.data[path.len - 1] == '\\'))
        path.len--;
    start = path.len;
    while (start > 0 && path.data[start - 1] != '/' && path.data[start - 1] != '\\')
        start--;
    return (hurl_part_t){path.data + start, path.len - start};
}

/* The path as it was typed. */
static hurl_part_t typed_path(const char *text)
{
    size_t n = has_scheme(text) ? strcspn(text, "/") : 0;

    n += strspn(text + n, "/");
    n += strcspn(text + n, "/?#");
    return (hurl_part_t){text + n, strcspn(text + n, "?#")};
}

/* As it was typed, unless that are dots, which the URL has resolved. */
static int name_of_url(const url_options_t *o, const char *text, char **name, hbytes_t *why)
{
    hurl_part_t last = last_segment(typed_path(text));
    hbytes_t made = {0};
    hurl_t url;
    int err, status = url_read(o, text, &url, why);

    if (status != 0)
        return status;
    if (last.len == 0 || (last.len <= 6 && (last.data[0] == '.' || last.data[0] == '%')))
        last = last_segment(url.path);
    if (last.len == 0 || (last.len <= 2 && memcmp(last.data, "..", last.len) == 0))
        last = (hurl_part_t){URL_NO_NAME, strlen(URL_NO_NAME)};
    err = hbytes_append(&made, last.data, last.len);
    status = err == 0 ? replace(name, &made) : status_of(err);
    hurl_deinit(&url);
    return status;
}

static int name_by_globs(const url_iter_t *iter, const char *pattern, char **name, hbytes_t *why)
{
    glob_fault_t fault;
    hbytes_t made = {0};
    int status, err = glob_expand(iter->globs, iter->uploads, pattern, &made, &fault);

    if (err == HERR_SYNTAX) {
        glob_explain(&fault, pattern, why);
        status = STATUS_ARGUMENT;
    } else if (err == 0 && made.len == 0) {
        hbytes_append_str(why, "the name of the output is empty");
        status = STATUS_WRITE;
    } else {
        status = err == 0 ? replace(name, &made) : STATUS_MEMORY;
    }
    hbytes_deinit(&made);
    return status;
}

static int name_output(const url_iter_t *iter, const url_item_t *item, url_target_t *target,
                       hbytes_t *why)
{
    target->out_null = item->out_null;
    target->remote_name = item->remote_name && !item->output;
    target->to_stdout = item->output && strcmp(item->output, "-") == 0;
    if (item->out_null || target->to_stdout || (!item->output && !item->remote_name))
        return 0;
    if (!item->output)
        return name_of_url(iter->options, target->text, &target->output, why);
    if (!iter->options->globoff && !item->no_glob)
        return name_by_globs(iter, item->output, &target->output, why);
    target->output = hmem_strdup(item->output);
    return target->output ? 0 : STATUS_MEMORY;
}

/* ---- one after another ----------------------------------------------------------------------- */

void url_iter_init(url_iter_t *iter, const url_options_t *options, const char *query)
{
    memset(iter, 0, sizeof(*iter));
    iter->options = options;
    iter->query = query;
    if (!query && options->has_query)
        iter->query = options->query.data ? options->query.data : "";
}

static void drop_globs(url_iter_t *iter)
{
    glob_free(iter->globs);
    glob_free(iter->uploads);
    hmem_free(iter->upload);
    iter->globs = iter->uploads = NULL;
    iter->upload = NULL;
    iter->begun = false;
}

void url_iter_deinit(url_iter_t *iter)
{
    drop_globs(iter);
}

/* *glob stays NULL where there is nothing to count. */
static int read_glob(const url_options_t *o, const char *pattern, glob_set_t **glob, hbytes_t *why)
{
    glob_fault_t fault;
    int err;

    if (o->globoff || !strpbrk(pattern, "{}[]\\"))
        return 0;
    err = glob_new(pattern, glob, &fault);
    if (err != HERR_SYNTAX)
        return err < 0 ? STATUS_MEMORY : 0;
    glob_explain(&fault, pattern, why);
    return STATUS_URL;
}

/* The next text of a pattern: 1; 0: no more; or -(exit status). A pattern that is none, glob NULL,
 * has one. */
static int next_text(glob_set_t *glob, const char *pattern, bool first, char **text)
{
    hbytes_t made = {0};
    int found = 1;

    if (!glob && !first)
        return 0;
    if (glob)
        found = glob_next(glob, &made);
    else
        found = hbytes_append_str(&made, pattern) < 0 ? -ENOMEM : 1;
    if (found == 1 && replace(text, &made) != 0)
        found = -ENOMEM;
    hbytes_deinit(&made);
    return found < 0 ? -STATUS_MEMORY : found;
}

/* Begins with an item: its uploads, and the first of these. 0, or the exit status. */
static int begin_item(url_iter_t *iter, const url_item_t *item, hbytes_t *why)
{
    int status = item->upload ? read_glob(iter->options, item->upload, &iter->uploads, why) : 0;

    if (status == 0 && item->upload)
        status =
            next_text(iter->uploads, item->upload, true, &iter->upload) < 0 ? STATUS_MEMORY : 0;
    if (status == 0 && !item->no_glob)
        status = read_glob(iter->options, item->url, &iter->globs, why);
    return status;
}

/* The next URL of an item into target->text; as next_text. */
static int next_of_item(url_iter_t *iter, const url_item_t *item, url_target_t *target,
                        hbytes_t *why)
{
    bool first = !iter->begun;
    int found, status = first ? begin_item(iter, item, why) : 0;

    if (status != 0)
        return -status;
    iter->begun = true;
    found = next_text(iter->globs, item->url, first, &target->text);
    if (found != 0 || !iter->uploads)
        return found;
    found = next_text(iter->uploads, item->upload, false, &iter->upload);
    if (found != 1)
        return found;
    glob_free(iter->globs);
    iter->globs = NULL;
    status = item->no_glob ? 0 : read_glob(iter->options, item->url, &iter->globs, why);
    return status != 0 ? -status : next_text(iter->globs, item->url, true, &target->text);
}

static int complete(const url_iter_t *iter, const url_item_t *item, url_target_t *target,
                    hbytes_t *why)
{
    const url_options_t *o = iter->options;
    int status = name_output(iter, item, target, why);

    if (status == 0 && iter->upload) {
        target->upload = hmem_strdup(iter->upload);
        status = target->upload ? 0 : STATUS_MEMORY;
    }
    if (status == 0 && iter->upload && strcmp(iter->upload, "-") != 0 &&
        strcmp(iter->upload, ".") != 0)
        status = add_upload_name(o, &target->text, iter->upload, why);
    if (status == 0 && iter->query)
        status = add_query(o, &target->text, iter->query, why);
    if (status != 0)
        return status;
    target->number = (uint32_t)iter->item;
    target->status = url_read(o, target->text, &target->url, &target->why);
    return 0;
}

int url_next(url_iter_t *iter, url_target_t *target, hbytes_t *error)
{
    int found = 0, status;

    memset(target, 0, sizeof(*target));
    for (; iter->item < iter->options->count; iter->item++) {
        const url_item_t *item = &iter->options->items[iter->item];

        if (!item->url)
            break;
        found = next_of_item(iter, item, target, error);
        if (found != 0)
            break;
        drop_globs(iter);
    }
    if (found == 1 && (status = complete(iter, &iter->options->items[iter->item], target, error)))
        found = -status;
    if (found != 1)
        url_target_deinit(target);
    return found;
}

void url_target_deinit(url_target_t *target)
{
    hmem_free(target->text);
    hmem_free(target->output);
    hmem_free(target->upload);
    hurl_deinit(&target->url);
    hbytes_deinit(&target->why);
    memset(target, 0, sizeof(*target));
}
