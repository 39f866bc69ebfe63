/* From a request to the file, and which of its forms: whole or parts, coded or not, or that nothing
 * has changed. What is said often lies ready with the file (http_files_cache): an answer from
 * memory makes no system call but the send. */
#include "http_files_int.h"

#include "../base/herr.h"
#include "../base/hmem.h"
#include "../base/htime.h"
#include "../codec/http_accept.h"
#include "../codec/http_path.h"
#include "http_compress.h"
#include "http_mime.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define COMPRESS_MIN 1024
#define RECHECK_MS 1000
#define OPEN_MAX_DEFAULT 512
#define MEMORY_MAX ((uint64_t)32 << 20)

/* ---- what the request asks for --------------------------------------------------------------- */

static void read_wish(const http_request_t *request, http_files_wish_t *wish)
{
    memset(wish, 0, sizeof(*wish));
    for (size_t i = 0; i < request->field_count; i++) {
        const http_field_t *field = &request->fields[i];

        switch (field->id) {
        case HTTP_FIELD_IF_MATCH:
        case HTTP_FIELD_IF_NONE_MATCH:
        case HTTP_FIELD_IF_MODIFIED_SINCE:
        case HTTP_FIELD_IF_UNMODIFIED_SINCE:
        case HTTP_FIELD_IF_RANGE:
            wish->conditional |= http_conditions_add(&wish->conditions, field->name, field->value);
            break;
        case HTTP_FIELD_RANGE:
            if (request->method == HTTP_METHOD_GET) /* RFC 9110 section 14.2 */
                wish->range = field->value;
            break;
        case HTTP_FIELD_ACCEPT_ENCODING:
            wish->accept_encoding = field->value;
            break;
        default:
            break;
        }
    }
}

static int64_t now_s(void)
{
    return (int64_t)(htime_real_ns() / HTIME_NS_PER_S);
}

/* ---- answering with a file ------------------------------------------------------------------- */

static void set_fields(http_files_t *files, http_stream_t *stream, const http_file_t *file,
                       const http_files_form_t *form)
{
    http_response__add_lines(stream, file->type_line, UINT64_C(1) << HTTP_FIELD_CONTENT_TYPE);
    http_response__add_lines(stream, form->file->lines, form->file->present);
    if (form->coding != HTTP_CODING_IDENTITY)
        http_response_set(stream, HTTP_SPAN("Content-Encoding"),
                          http_span(http_coding_name(form->coding)));
    if (form->varies)
        http_response_add(stream, HTTP_SPAN("Vary"), HTTP_SPAN("Accept-Encoding"));
    if (form->compress)
        http_compress(stream, &files->compress);
}

/* As the status says, which is 200, 206 or an error page's. */
static void send_form(http_files_t *files, http_stream_t *stream, http_file_t *form,
                      const http_files_wish_t *wish, http_span_t type)
{
    int64_t size = form->size;
    http_ranges_t ranges;
    int status = 200;

    if (wish->range.data)
        status = http_range_decide(wish->range, &wish->conditions, &form->validators, size, now_s(),
                                   &ranges);
    if (status == 200) {
        http_files__send_part(stream, form, (http_range_t){0, size - 1});
    } else if (status == 206) {
        http_files__send_ranges(files, stream, form, type, &ranges);
    } else {
        http_response_printf(stream, "Content-Range", "bytes */%lld", (long long)size);
        http_response_error(stream, status, NULL);
        http_files__put(form);
    }
}

static int check_conditions(const http_file_t *form, const http_files_wish_t *wish)
{
    return wish->conditional
               ? http_conditions_check(&wish->conditions, &form->validators, true, now_s())
               : 0;
}

/* The type is of the content that is not sent. */
static void send_unchanged(http_stream_t *stream)
{
    http_response_remove(stream, HTTP_SPAN("Content-Type"));
    http_response_remove(stream, HTTP_SPAN("Content-Encoding"));
    http_response_status(stream, 304);
    http_response_send(stream, NULL, 0);
}

void http_files__respond(http_files_t *files, http_stream_t *stream, http_file_t *file, int status)
{
    int condition = 0;
    http_files_wish_t wish;
    http_files_form_t form;

    read_wish(&stream->request, &wish);
    if (status != 200)
        wish.range.data = NULL;
    form = http_files__choose_form(files, stream, file, &wish);
    if (status == 200)
        condition = check_conditions(form.file, &wish);
    http_response_status(stream, status);
    set_fields(files, stream, file, &form);
    if (condition == 0) {
        send_form(files, stream, form.file, &wish, file->type);
    } else {
        if (condition == 304)
            send_unchanged(stream);
        else
            http_response_error(stream, condition, NULL);
        http_files__put(form.file);
    }
    http_files__put(file);
}

int http_files_send(http_files_t *files, http_stream_t *stream, http_span_t path, int status)
{
    http_file_t *file;
    int err = http_files__get(files, path, stream->started_us, &file);

    if (err < 0)
        return err;
    if (file->folder) {
        http_files__put(file);
        return -EISDIR;
    }
    http_files__respond(files, stream, file, status ? status : 200);
    return 0;
}

/* ---- what is not there ----------------------------------------------------------------------- */

/* One who navigates says that HTML is wanted; tools take everything, and mean pages when the name
 * has no extension. */
static bool wants_page(const http_stream_t *stream, http_span_t path)
{
    http_span_t accept = http_request_field(stream, HTTP_FIELD_ACCEPT);
    const char *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;

    if (http_accept_quality(HTTP_ACCEPT_TYPE, accept, "text/html") == 0)
        return false;
    if (accept.data && memmem(accept.data, accept.len, "text/html", 9))
        return true;
    return !slash || !memchr(slash, '.', (size_t)(path.data + path.len - slash));
}

static int status_of(int err)
{
    switch (err) {
    case -EACCES:
    case -EPERM:
        return 403;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -EAGAIN:
        return 503;
    case -EIO:
        return 500;
    default:
        return 404;
    }
}

void http_files__missing(http_files_t *files, http_stream_t *stream, http_span_t path, int err)
{
    int status = status_of(err);

    if (status == 404 && files->options.spa && wants_page(stream, path) &&
        http_files_send(files, stream, http_span(files->options.spa), 200) == 0)
        return;
    http_response_error(stream, status, NULL);
}

/* RFC 8615: "/.well-known/" is there to be found. */
bool http_files__is_hidden(const http_files_t *files, http_span_t path)
{
    static const char known[] = "/.well-known";
    size_t len = sizeof(known) - 1;

    if (files->options.hidden)
        return false;
    if (path.len >= len && memcmp(path.data, known, len) == 0 &&
        (path.len == len || path.data[len] == '/'))
        path = (http_span_t){path.data + len, path.len - len};
    return http_path_is_hidden(path);
}

/* Whether it is a method for files; if not it has been answered. */
static bool check_method(http_stream_t *stream)
{
    http_method_e method = stream->request.method;

    if (method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD)
        return true;
    http_response_set(stream, HTTP_SPAN("Allow"), HTTP_SPAN("GET, HEAD, OPTIONS"));
    if (method == HTTP_METHOD_OPTIONS) {
        http_response_status(stream, 204);
        http_response_send(stream, NULL, 0);
    } else {
        http_response_error(stream, 405, NULL);
    }
    return false;
}

void http_files_serve(http_files_t *files, http_stream_t *stream, http_span_t path)
{
    http_file_t *file;
    int err = -ENOENT;

    if (!check_method(stream))
        return;
    if (path.len > 0 && path.data[0] == '/' && !http_files__is_hidden(files, path))
        err = http_files__get(files, path, stream->started_us, &file);
    if (err < 0)
        http_files__missing(files, stream, path, err);
    else if (file->folder)
        http_files__respond_folder(files, stream, file);
    else
        http_files__respond(files, stream, file, 200);
}

void http_files_handle(http_stream_t *stream, void *files)
{
    http_files_serve(files, stream, stream->request.path);
}

int http_files_open_folder(http_files_t *files, http_span_t path)
{
    int err = http_files__check_root(files, htime_monotonic_us());

    if (err < 0)
        return err;
    if (http_files__is_hidden(files, path))
        return -ENOENT;
    return http_files__open(files, path, O_RDONLY | O_DIRECTORY);
}

int http_files_precondition(http_files_t *files, const http_stream_t *stream, http_span_t path)
{
    http_validators_t validators = {0};
    http_file_t *file = NULL;
    http_files_wish_t wish;
    int status;

    read_wish(&stream->request, &wish);
    if (!wish.conditional)
        return 0;
    http_files_forget(files, path);
    if (http_files__get(files, path, stream->started_us, &file) == 0)
        validators = file->validators;
    validators.exists = file != NULL;
    status = http_conditions_check(&wish.conditions, &validators, false, now_s());
    if (file)
        http_files__put(file);
    return status;
}

/* ---- making ---------------------------------------------------------------------------------- */

static bool copy(const char **text, const char *fallback)
{
    const char *from = *text ? *text : fallback;

    *text = from ? hmem_strdup(from) : NULL;
    return *text || !from;
}

static int copy_index(http_files_t *files, const char *const *names)
{
    static const char *const usual[] = {"index.html", NULL};

    if (!names)
        names = usual;
    for (size_t i = 0; names[i]; i++) {
        if (i == HTTP_FILES_INDEX_MAX)
            return -EINVAL;
        files->index[i] = hmem_strdup(names[i]);
        if (!files->index[i])
            return -ENOMEM;
    }
    return 0;
}

/* With a slash in front: a path as those of requests are. */
static int copy_spa(http_files_t *files, const char *name)
{
    hbytes_t path = {0};
    int err;

    if (!name)
        return 0;
    err = hbytes_printf(&path, "%s%s", name[0] == '/' ? "" : "/", name);
    files->options.spa = path.data;
    return err < 0 ? err : 0;
}

static int copy_options(http_files_t *files, const http_files_options_t *options)
{
    http_files_options_t *own = &files->options;
    bool copied;

    *own = *options;
    own->index = NULL;
    own->root = NULL;
    own->spa = NULL;
    copied = copy(&own->default_type, HTTP_MIME_UNKNOWN);
    copied &= copy(&own->cache_control, NULL);
    copied &= copy(&own->server, NULL);
    copied &= copy(&own->events_url, NULL);
    copied &= copy(&own->flags_at, NULL);
    if (!own->compress_min)
        own->compress_min = COMPRESS_MIN;
    files->compress.length_min = own->compress_min;
    if (!own->recheck_ms)
        own->recheck_ms = RECHECK_MS;
    if (!own->open_max)
        own->open_max = OPEN_MAX_DEFAULT;
    if (!own->memory_max)
        own->memory_max = MEMORY_MAX;
    return copied ? copy_spa(files, options->spa) : -ENOMEM;
}

static int make_mime(http_files_t *files, http_mime_t *mime)
{
    files->mime = mime;
    if (mime)
        return 0;
    files->own_mime = files->mime = http_mime_new(HTTP_MIME_SYSTEM);
    return files->mime ? 0 : -ENOMEM;
}

int http_files_new(hloop_t *loop, const http_files_options_t *options, http_files_t **result)
{
    http_files_t *files = hmem_zalloc(sizeof(*files));
    int err;

    if (!files)
        return -ENOMEM;
    files->loop = loop;
    files->root = -1;
    http_files__cache_init(&files->cache);
    err = copy_options(files, options);
    if (err == 0)
        err = options->root ? http_files__open_root(files, options->root) : -EINVAL;
    if (err == 0)
        err = copy_index(files, options->index);
    if (err == 0)
        err = make_mime(files, options->mime);
    if (err < 0) {
        http_files_free(files);
        return err;
    }
    *result = files;
    return 0;
}

void http_files_free(http_files_t *files)
{
    if (!files)
        return;
    http_files__cache_deinit(files);
    http_mime_free(files->own_mime);
    for (size_t i = 0; i < HTTP_FILES_INDEX_MAX; i++)
        hmem_free(files->index[i]);
    hmem_free((char *)files->options.default_type);
    hmem_free((char *)files->options.cache_control);
    hmem_free((char *)files->options.server);
    hmem_free((char *)files->options.events_url);
    hmem_free((char *)files->options.flags_at);
    hmem_free((char *)files->options.spa);
    hmem_free((char *)files->options.root);
    hmem_free(files->real_root);
    if (files->root >= 0)
        close(files->root);
    hmem_free(files);
}
