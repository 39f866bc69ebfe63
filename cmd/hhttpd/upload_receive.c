/* upload_receive: files that come, several in a form or one by PUT. They get their names when the
 * request is whole; until then all can be forgotten, and are if anything fails or the client goes
 * away. A piece is written as soon as it is there, so a slow disk slows its client down. */
#include "base/hjson.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "base/hurl.h"
#include "codec/http_path.h"
#include "codec/multipart.h"
#include "proto/http_page.h"
#include "upload.h"
#include "upload_store.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCATION_MAX (HTTP1_LINE_MAX * 3)
#define ANSWER_MAX ((size_t)1024 * 1024)

typedef struct receiving_s {
    upload_t *upload;
    http_stream_t *stream;
    int folder;
    char *path;             /* of it, or of a file in it, behind base_url */
    stored_t *files, **end; /* in their order */
    stored_t *current;      /* of the part that is being read; NULL: no file's */
    size_t count;
    bool is_form;
    multipart_t form;
    int status; /* what a part has to be refused with; 0: nothing */
    const char *detail;
    char name[HTTP_FILENAME_SIZE]; /* of the file that is being read */
} receiving_t;

/* ---- its life -------------------------------------------------------------------------------- */

static void drop_files(receiving_t *r)
{
    r->upload->open_count -= r->count;
    r->count = 0;
    r->current = NULL;
    while (r->files) {
        stored_t *stored = r->files;

        r->files = stored->next;
        stored_free(r->folder, stored);
    }
    r->end = &r->files;
}

static void on_close(http_stream_t *stream, int err, void *userdata)
{
    receiving_t *r = userdata;

    (void)stream;
    (void)err;
    drop_files(r);
    if (r->is_form)
        multipart_deinit(&r->form);
    close(r->folder);
    hmem_free(r->path);
    hmem_free(r);
}

static const http_stream_callbacks_t over = {.on_close = on_close};

/* The rest of the body is not wanted any more. */
static void finish(receiving_t *r)
{
    drop_files(r);
    http_stream_set_callbacks(r->stream, &over, r);
}

static void fail(receiving_t *r, int err)
{
    finish(r);
    upload_refuse(r->stream, err, r->name);
}

/* The one that is called r->name. */
static int add_file(receiving_t *r)
{
    bool replace = r->upload->host->settings->upload_replace;
    struct stat st;
    int err;

    if (r->upload->open_count >= UPLOAD_OPEN_MAX)
        return -EMFILE;
    if (fstatat(r->folder, r->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (!replace || S_ISDIR(st.st_mode)))
        return -EEXIST;
    err = stored_open(r->folder, r->name, &r->current);
    if (err)
        return err;
    *r->end = r->current;
    r->end = &r->current->next;
    r->count++;
    r->upload->open_count++;
    return 0;
}

/* All of them, or none as far as nothing was replaced. */
static int publish_all(receiving_t *r)
{
    bool replace = r->upload->host->settings->upload_replace;

    for (stored_t *stored = r->files; stored; stored = stored->next) {
        int err = stored_publish(r->folder, stored, replace);

        if (!err)
            continue;
        hstr_copy(r->name, sizeof(r->name), stored->name);
        for (stored_t *other = r->files; other != stored; other = other->next)
            stored_withdraw(r->folder, other);
        return err;
    }
    return 0;
}

/* NULL: it has been answered. The path names the folder, or the file in it. */
static receiving_t *new_receiving(upload_t *upload, http_stream_t *stream, http_span_t folder,
                                  http_span_t path)
{
    uint64_t size_max = upload->host->settings->upload_max;
    int fd = http_files_open_folder(upload->host->files, folder);
    receiving_t *r = fd >= 0 ? hmem_zalloc(sizeof(*r)) : NULL;
    char *copy = r ? hmem_strndup(path.data, path.len) : NULL;

    if (!copy) {
        upload_refuse(stream, fd < 0 ? fd : -ENOMEM, NULL);
        if (fd >= 0)
            close(fd);
        hmem_free(r);
        return NULL;
    }
    r->path = copy;
    r->upload = upload;
    r->stream = stream;
    r->folder = fd;
    r->end = &r->files;
    http_stream_set_body_max(stream, size_max > 0 ? size_max : HTTP1_UNLIMITED);
    return r;
}

/* ---- a form ---------------------------------------------------------------------------------- */

static int refuse_part(receiving_t *r, int status, const char *detail)
{
    r->detail = detail;
    r->status = status;
    return HERR_PROTOCOL;
}

/* A field without a file is passed over, and so is one whose file was not chosen. */
static int on_part(http_span_t fields, void *arg)
{
    receiving_t *r = arg;
    http_disposition_t disposition;
    http_span_t value;

    r->current = NULL;
    if (!http_field_find(fields, "Content-Disposition", &value) ||
        http_disposition_parse(value, &disposition) != 0)
        return refuse_part(r, 400, "A part of the form cannot be understood.");
    if (!disposition.has_filename || disposition.filename[0] == '\0')
        return 0;
    if (http_safe_filename(disposition.filename, r->name) < 0)
        return refuse_part(r, 400, "A file has a name that cannot be.");
    if (r->count == UPLOAD_FILES_MAX)
        return refuse_part(r, 413, "There are too many files in the form.");
    return add_file(r);
}

static int on_part_data(const char *data, size_t len, void *arg)
{
    receiving_t *r = arg;

    return r->current ? stored_write(r->current, data, len) : 0;
}

static int on_part_end(void *arg)
{
    receiving_t *r = arg;

    r->current = NULL;
    return 0;
}

static const multipart_callbacks_t form_callbacks = {
    .part = on_part, .data = on_part_data, .end = on_part_end};

static void fail_form(receiving_t *r, int err)
{
    /* Errors of ours are below those of the system: it is the form that is wrong. */
    bool is_form = err <= HERR_CLOSED;
    int status = r->status;

    if (!is_form) {
        fail(r, err);
        return;
    }
    finish(r);
    http_response_error(r->stream, status ? status : 400,
                        status ? r->detail : "This is not a whole form.");
}

static void on_form_body(http_stream_t *stream, http_span_t data, void *userdata)
{
    receiving_t *r = userdata;
    int err = multipart_feed(&r->form, data.data, data.len);

    (void)stream;
    if (err)
        fail_form(r, err);
}

/* Whether that path is the one that was asked for. */
static bool is_here(const receiving_t *r)
{
    http_span_t asked = site_path(r->upload->host, r->stream);

    return asked.len == strlen(r->path) && memcmp(asked.data, r->path, asked.len) == 0;
}

/* The path with base_url in front, and a slash behind it for a folder, decoded. */
static const char *whole_path(const receiving_t *r, char *buf, size_t size)
{
    const char *base = r->upload->host->settings->base_url;
    size_t len = strlen(r->path);
    bool slash = r->is_form && (len == 0 || r->path[len - 1] != '/');

    snprintf(buf, size, "%s%s%s", base ? base : "", r->path, slash ? "/" : "");
    return buf;
}

/* Where a file of the form is, seen from the URL that the form was sent to. */
static void append_href(const receiving_t *r, const char *name, hbytes_t *href)
{
    char folder[PATH_MAX], encoded[LOCATION_MAX];
    ssize_t len = is_here(r) ? 0
                             : http_path_encode(encoded, sizeof(encoded),
                                                http_span(whole_path(r, folder, sizeof(folder))));

    if (len > 0)
        hbytes_append(href, encoded, (size_t)len);
    else
        hbytes_append_str(href, "./");
    hurl_encode(href, name, strlen(name));
}

static void write_answer(const receiving_t *r, hbytes_t *out)
{
    hjson_t json;

    hjson_init(&json, out);
    hjson_open_object(&json);
    hjson_key(&json, "files");
    hjson_open_array(&json);
    for (const stored_t *stored = r->files; stored; stored = stored->next) {
        hbytes_t href = {0};

        hjson_open_object(&json);
        hjson_add_string(&json, "name", stored->name);
        hjson_add_uint(&json, "size", stored->size);
        append_href(r, stored->name, &href);
        hjson_key(&json, "href");
        hjson_bytes(&json, href.data, href.len);
        hbytes_deinit(&href);
        hjson_close(&json);
    }
    hjson_close(&json);
    hjson_close(&json);
    if (hjson_finish(&json) != 0)
        hbytes_clear(out); /* the status says it, too */
}

/* To the folder, whose URL ends with a slash. */
static void answer_page(const receiving_t *r)
{
    char folder[PATH_MAX];

    upload_see_other(r->stream, http_span(whole_path(r, folder, sizeof(folder))));
}

static void answer_form(receiving_t *r)
{
    hbytes_t body;

    hbytes_init(&body, ANSWER_MAX);
    if (!upload_wants_json(r->stream)) {
        finish(r);
        answer_page(r);
        return;
    }
    write_answer(r, &body);
    finish(r);
    http_response_status(r->stream, 201);
    http_response_set(r->stream, HTTP_SPAN("Content-Type"),
                      http_span(http_page_content_type(HTTP_PAGE_JSON)));
    http_response_send(r->stream, body.data, body.len);
    hbytes_deinit(&body);
}

/* ---- what is said about its files ------------------------------------------------------------ */

static void tell_changes(const receiving_t *r)
{
    http_span_t path = http_span(r->path);
    http_span_t folder = r->is_form ? path : upload_place(path).folder;
    bool slash = folder.len > 0 && folder.data[folder.len - 1] == '/';
    char text[PATH_MAX];

    for (const stored_t *stored = r->files; stored; stored = stored->next) {
        int len = snprintf(text, sizeof(text), "%.*s%s%s", (int)folder.len, folder.data,
                           slash ? "" : "/", stored->name);

        if (len > 0 && (size_t)len < sizeof(text))
            upload_changed(r->upload, (http_span_t){text, (size_t)len});
    }
}

static void on_form_end(http_stream_t *stream, void *userdata)
{
    receiving_t *r = userdata;
    int err = multipart_finish(&r->form);

    (void)stream;
    if (!err && !r->files)
        err = refuse_part(r, 400, "There is no file in the form.");
    if (err) {
        fail_form(r, err);
        return;
    }
    err = publish_all(r);
    if (err) {
        fail(r, err);
        return;
    }
    tell_changes(r);
    answer_form(r);
}

static const http_stream_callbacks_t on_form = {
    .on_body = on_form_body, .on_body_end = on_form_end, .on_close = on_close};

void upload_receive_form(upload_t *upload, http_stream_t *stream, http_span_t path)
{
    http_span_t boundary, type = http_request_field(stream, HTTP_FIELD_CONTENT_TYPE);
    receiving_t *r;
    int err = type.data ? multipart_boundary(type, &boundary) : HERR_UNSUPPORTED;

    if (err) {
        http_response_error(stream, err == HERR_UNSUPPORTED ? 415 : 400,
                            "It takes a form: multipart/form-data.");
        return;
    }
    r = new_receiving(upload, stream, path, path);
    if (!r)
        return;
    http_stream_set_callbacks(stream, &over, r);
    if (multipart_init(&r->form, boundary, &form_callbacks, r) != 0) {
        http_response_error(stream, 400, NULL);
        return;
    }
    r->is_form = true;
    http_stream_set_callbacks(stream, &on_form, r);
}

/* ---- PUT ------------------------------------------------------------------------------------- */

static void on_put_body(http_stream_t *stream, http_span_t data, void *userdata)
{
    receiving_t *r = userdata;
    int err = stored_write(r->current, data.data, data.len);

    (void)stream;
    if (err)
        fail(r, err);
}

static void on_put_end(http_stream_t *stream, void *userdata)
{
    receiving_t *r = userdata;
    char location[LOCATION_MAX], path[PATH_MAX];
    int err = publish_all(r);
    bool replaced;
    ssize_t len;

    if (err) {
        fail(r, err);
        return;
    }
    replaced = r->files->replaced;
    tell_changes(r);
    finish(r);
    http_response_status(stream, replaced ? 204 : 201);
    len =
        http_path_encode(location, sizeof(location), http_span(whole_path(r, path, sizeof(path))));
    if (!replaced && len > 0)
        http_response_set(stream, HTTP_SPAN("Location"), (http_span_t){location, (size_t)len});
    http_response_send(stream, NULL, 0);
}

static const http_stream_callbacks_t on_put = {
    .on_body = on_put_body, .on_body_end = on_put_end, .on_close = on_close};

/* What can be said about the request before its body. True when it may go on. */
static bool check_put(const upload_t *upload, http_stream_t *stream, http_span_t path)
{
    http_span_t name = upload_place(path).name;
    int status;

    if (!upload_is_name(upload, name) || path.data[path.len - 1] == '/') {
        http_response_error(stream, 400, "A file cannot have this name.");
        return false;
    }
    if (http_request_field(stream, HTTP_FIELD_CONTENT_RANGE).data) { /* RFC 9110 section 14.5 */
        http_response_error(stream, 400, "Files are stored whole: no Content-Range.");
        return false;
    }
    status = http_files_precondition(upload->host->files, stream, path);
    if (status)
        http_response_error(stream, status, NULL);
    return status == 0;
}

void upload_receive_put(upload_t *upload, http_stream_t *stream, http_span_t path)
{
    upload_place_t place = upload_place(path);
    receiving_t *r;
    int err;

    if (!check_put(upload, stream, path))
        return;
    r = new_receiving(upload, stream, place.folder, path);
    if (!r)
        return;
    snprintf(r->name, sizeof(r->name), "%.*s", (int)place.name.len, place.name.data);
    http_stream_set_callbacks(stream, &on_put, r);
    err = add_file(r);
    if (err)
        fail(r, err);
}
