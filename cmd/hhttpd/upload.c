/* upload: clients change what is below a path, if the settings let them: store files, make folders,
 * delete. A page of another origin must not: a browser sends its forms with this client's address
 * and passwords (cross-site request forgery). */
#include "upload.h"

#include "base/hmem.h"
#include "base/hurl.h"
#include "codec/http_disposition.h"
#include "codec/http_path.h"
#include "proto/http_page.h"
#include "upload_store.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORM_MAX 4096    /* of mkdir */
#define FOLDER_MODE 0777 /* less the umask */
#define ENCODED_MAX (HTTP1_LINE_MAX * 3)

/* ---- words and answers ----------------------------------------------------------------------- */

upload_place_t upload_place(http_span_t path)
{
    size_t len;

    while (path.len > 0 && path.data[path.len - 1] == '/')
        path.len--;
    len = path.len;
    while (len > 0 && path.data[len - 1] != '/')
        len--;
    return (upload_place_t){{path.data, len}, {path.data + len, path.len - len}};
}

bool upload_is_name(const upload_t *upload, http_span_t name)
{
    if (name.len == 0 || name.len >= HTTP_FILENAME_SIZE)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.data[i] < ' ' || name.data[i] == 0x7f)
            return false;
    }
    return name.data[0] != '.' || upload->host->settings->hidden;
}

static int status_of(int err)
{
    switch (err) {
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
        return 507;
    case -EEXIST:
    case -EISDIR:
    case -ENOTEMPTY:
    case -EBUSY:
        return 409;
    case -EACCES:
    case -EPERM:
    case -EROFS:
        return 403;
    case -ENOENT:
    case -ENOTDIR:
    case -ELOOP:
    case -EXDEV:
        return 404;
    case -ENAMETOOLONG:
    case -EINVAL:
        return 400;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        return 503;
    default:
        return 500;
    }
}

void upload_refuse(http_stream_t *stream, int err, const char *subject)
{
    char detail[HTTP_FILENAME_SIZE + 80];

    snprintf(detail, sizeof(detail), "%s%s%s.", subject ? subject : "", subject ? ": " : "",
             herr_str(err));
    http_response_error(stream, status_of(err), detail);
}

static void answer_empty(http_stream_t *stream, int status)
{
    http_response_status(stream, status);
    http_response_send(stream, NULL, 0);
}

void upload_see_other(http_stream_t *stream, http_span_t to)
{
    char encoded[ENCODED_MAX];
    ssize_t len = http_path_encode(encoded, sizeof(encoded), to);

    if (len < 0) {
        http_response_error(stream, 500, NULL);
        return;
    }
    http_response_set(stream, HTTP_SPAN("Location"), (http_span_t){encoded, (size_t)len});
    answer_empty(stream, 303);
}

bool upload_wants_json(const http_stream_t *stream)
{
    return http_page_choose(http_request_field(stream, HTTP_FIELD_ACCEPT)) == HTTP_PAGE_JSON;
}

void upload_changed(const upload_t *upload, http_span_t path)
{
    http_files_forget(upload->host->files, path);
    if (upload->host->unlisted)
        http_files_forget(upload->host->unlisted, path);
}

/* A folder's file, whose path is joined for a moment. */
static void changed_in(const upload_t *upload, http_span_t folder, const char *name)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%.*s%s", (int)folder.len, folder.data, name);

    if (len > 0 && (size_t)len < sizeof(path))
        upload_changed(upload, (http_span_t){path, (size_t)len});
}

/* ---- folders --------------------------------------------------------------------------------- */

/* The form's "name", made safe. */
static int read_name(http_span_t body, char name[HTTP_FILENAME_SIZE])
{
    hurl_part_t rest = {body.data, body.len}, key, value;
    char decoded[HTTP_DISPOSITION_NAME_SIZE];

    while (hurl_query_next(&rest, &key, &value)) {
        ssize_t len;

        if (key.len != 4 || memcmp(key.data, "name", 4) != 0 || !value.data)
            continue;
        len = hurl_decode(decoded, sizeof(decoded) - 1, value.data, value.len, true);
        if (len < 0 || memchr(decoded, '\0', (size_t)len))
            return -EINVAL;
        decoded[len] = '\0';
        return http_safe_filename(decoded, name) < 0 ? -EINVAL : 0;
    }
    return -EINVAL;
}

static void on_mkdir_form(http_stream_t *stream, http_span_t body, void *userdata)
{
    const upload_t *upload = userdata;
    http_span_t path = site_path(upload->host, stream);
    char name[HTTP_FILENAME_SIZE];
    int folder, err = read_name(body, name);

    if (err) {
        http_response_error(stream, 400, "A name for the folder is needed.");
        return;
    }
    folder = http_files_open_folder(upload->host->files, path);
    err = folder < 0 ? folder : mkdirat(folder, name, FOLDER_MODE) < 0 ? -errno : 0;
    if (folder >= 0)
        close(folder);
    if (err) {
        upload_refuse(stream, err, name);
        return;
    }
    changed_in(upload, path, name);
    if (upload_wants_json(stream))
        answer_empty(stream, 201);
    else
        upload_see_other(stream, http_stream_request(stream)->path);
}

/* ---- deleting -------------------------------------------------------------------------------- */

/* The folder that uploads go to stays. */
static bool is_top(const upload_t *upload, http_span_t path)
{
    size_t top = strlen(upload->host->settings->upload), len = path.len;

    while (top > 0 && upload->host->settings->upload[top - 1] == '/')
        top--;
    while (len > 0 && path.data[len - 1] == '/')
        len--;
    return len <= top;
}

static int delete_in(int folder, const char *name)
{
    struct stat st;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return -ENOENT; /* it is not served either */
    return unlinkat(folder, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
}

static void delete_at(const upload_t *upload, http_stream_t *stream, http_span_t path)
{
    const http_request_t *request = http_stream_request(stream);
    upload_place_t place = upload_place(path);
    char name[HTTP_FILENAME_SIZE];
    int folder, err = -ENOENT;

    if (!upload->host->settings->upload_delete || is_top(upload, path)) {
        http_response_error(stream, 403, NULL);
        return;
    }
    if (upload_is_name(upload, place.name)) {
        snprintf(name, sizeof(name), "%.*s", (int)place.name.len, place.name.data);
        folder = http_files_open_folder(upload->host->files, place.folder);
        err = folder < 0 ? folder : delete_in(folder, name);
        if (folder >= 0)
            close(folder);
    }
    if (err) {
        upload_refuse(stream, err, NULL);
        return;
    }
    upload_changed(upload, path);
    if (request->method == HTTP_METHOD_DELETE || upload_wants_json(stream))
        answer_empty(stream, 204);
    else
        upload_see_other(stream, upload_place(request->path).folder);
}

/* ---- the request ----------------------------------------------------------------------------- */

/* Browsers say where a request comes from, other clients do not. */
bool upload_is_cross_site(const http_stream_t *stream)
{
    http_span_t site = http_request_find(stream, "Sec-Fetch-Site");
    http_span_t origin = http_request_field(stream, HTTP_FIELD_ORIGIN);
    http_span_t authority = http_stream_request(stream)->authority;
    const char *host;

    if (site.data)
        return !http_span_ieq(site, "same-origin") && !http_span_ieq(site, "none");
    if (!origin.data)
        return false;
    host = memmem(origin.data, origin.len, "://", 3);
    if (!host)
        return true; /* "null" */
    host += 3;
    return (size_t)(origin.data + origin.len - host) != authority.len ||
           strncasecmp(host, authority.data, authority.len) != 0;
}

static bool query_is(const http_request_t *request, const char *text)
{
    return request->query.data && request->query.len == strlen(text) &&
           memcmp(request->query.data, text, request->query.len) == 0;
}

typedef enum { NOT_OURS, FORM, MAKE_FOLDER, DELETE, PUT, METHODS } wish_e;

static wish_e wish_of(const http_request_t *request)
{
    switch (request->method) {
    case HTTP_METHOD_POST:
        if (query_is(request, "upload"))
            return FORM;
        if (query_is(request, "mkdir"))
            return MAKE_FOLDER;
        return query_is(request, "delete") ? DELETE : NOT_OURS;
    case HTTP_METHOD_PUT:
        return PUT;
    case HTTP_METHOD_DELETE:
        return DELETE;
    case HTTP_METHOD_OPTIONS:
        return METHODS;
    default:
        return NOT_OURS;
    }
}

static void answer_methods(const upload_t *upload, http_stream_t *stream)
{
    http_response_set(stream, HTTP_SPAN("Allow"),
                      upload->host->settings->upload_delete
                          ? HTTP_SPAN("GET, HEAD, POST, PUT, DELETE, OPTIONS")
                          : HTTP_SPAN("GET, HEAD, POST, PUT, OPTIONS"));
    answer_empty(stream, 204);
}

static bool on_request(http_stream_t *stream, void *userdata)
{
    upload_t *upload = userdata;
    wish_e wish = wish_of(http_stream_request(stream));
    http_span_t path = site_path(upload->host, stream);

    if (wish == NOT_OURS || !path.data)
        return false;
    if (wish != METHODS && upload_is_cross_site(stream)) {
        http_response_error(stream, 403, "This came from a page of another origin.");
        return true;
    }
    switch (wish) {
    case FORM:
        upload_receive_form(upload, stream, path);
        break;
    case PUT:
        upload_receive_put(upload, stream, path);
        break;
    case MAKE_FOLDER:
        if (http_stream_collect(stream, FORM_MAX, on_mkdir_form, upload) < 0)
            http_response_error(stream, 503, NULL);
        break;
    case DELETE:
        delete_at(upload, stream, path);
        break;
    default:
        answer_methods(upload, stream);
    }
    return true;
}

/* ---- the feature ----------------------------------------------------------------------------- */

/* Before anybody serves. */
static int check_folder(const site_host_t *host)
{
    const site_settings_t *s = host->settings;
    int err, fd;

    if (host->site->env.metrics || !host->files)
        return 0;
    fd = http_files_open_folder(host->files, http_span(s->upload));
    err = fd < 0 ? fd : 0;
    if (!err && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        err = -errno;
    if (fd >= 0)
        close(fd);
    return err ? site_fail(host->site, err, s->upload, "upload: %s in %s: %s", s->upload,
                           s->root_shown, herr_str(err))
               : 0;
}

int upload_install(site_host_t *host)
{
    upload_t *upload;
    int err;

    if (!host->settings->upload)
        return 0;
    upload = site_keep(host->site, sizeof(*upload));
    err = upload ? check_folder(host) : -ENOMEM;
    if (err)
        return err;
    upload->host = host;
    host->upload = upload;
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like any other */
    return site_use(host, host->settings->upload, on_request, upload);
}
