/* Folders: their index, the slash at the end that links in it need, their listing. */
#include "http_files_int.h"

#include "../base/hmem.h"
#include "../codec/http_path.h"
#include "http_listing.h"
#include "http_page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* ---- the slash ------------------------------------------------------------------------------- */

/* To the path that the client asked for, which need not be the one below the root. */
static void redirect(http_stream_t *stream)
{
    const http_request_t *request = &stream->request;
    size_t size = 3 * request->path.len + 1 + request->query.len + 2;
    char *location = hmem_alloc(size);
    ssize_t len = -ENOMEM;
    size_t n;

    if (location)
        len = http_path_encode(location, size, request->path);
    if (len < 0) {
        http_response_error(stream, 503, NULL);
        hmem_free(location);
        return;
    }
    n = (size_t)len;
    location[n++] = '/';
    if (request->query.data) {
        location[n++] = '?';
        memcpy(location + n, request->query.data, request->query.len);
        n += request->query.len;
    }
    http_response_redirect(stream, 301, (http_span_t){location, n});
    hmem_free(location);
}

/* ---- the listing ----------------------------------------------------------------------------- */

typedef struct sending_s {
    http_listing_t listing;
    http_listing_page_t page;
    size_t next;
    bool json;
    bool done;
    hbytes_t out;
    char path[]; /* of the page */
} sending_t;

static void free_sending(sending_t *sending)
{
    http_listing_deinit(&sending->listing);
    hbytes_deinit(&sending->out);
    hmem_free(sending);
}

static int make_part(sending_t *sending)
{
    int more;

    hbytes_clear(&sending->out);
    more = sending->json ? http_listing_json(&sending->page, &sending->next, &sending->out)
                         : http_listing_html(&sending->page, &sending->next, &sending->out);
    sending->done = more == 0;
    return more < 0 ? more : 0;
}

/* One part after the other, as fast as the client takes them. */
static void go_on(http_stream_t *stream, void *userdata)
{
    sending_t *sending = userdata;

    while (!sending->done && !http_response_is_full(stream)) {
        int err = make_part(sending);

        if (err == 0)
            err = http_response_write(stream, sending->out.data, sending->out.len);
        if (err < 0) {
            http_stream_abort(stream, err);
            return;
        }
        if (sending->done)
            http_response_end(stream);
    }
}

static void on_close(http_stream_t *stream, int err, void *userdata)
{
    (void)stream;
    (void)err;
    free_sending(userdata);
}

static const http_stream_callbacks_t callbacks = {.on_drained = go_on, .on_close = on_close};

/* A listing of one part, as most are, is sent whole and at once. */
static void send_listing(http_stream_t *stream, sending_t *sending)
{
    int err = make_part(sending);

    if (err < 0) {
        http_response_error(stream, 503, NULL);
        free_sending(sending);
        return;
    }
    if (sending->done) {
        http_response_send(stream, sending->out.data, sending->out.len);
        free_sending(sending);
        return;
    }
    http_stream_set_callbacks(stream, &callbacks, sending);
    if (http_response_start(stream, -1) < 0)
        return; /* on_close follows */
    if (stream->request.method == HTTP_METHOD_HEAD) {
        http_response_end(stream);
        return;
    }
    if (http_response_write(stream, sending->out.data, sending->out.len) == 0)
        go_on(stream, sending);
}

typedef struct linker_s {
    http_files_t *files;
    http_span_t folder;
} linker_t;

/* A link is listed if it can be had. */
static int look_at_link(int dirfd, const char *name, struct stat *st, void *arg)
{
    const linker_t *linker = arg;
    char path[PATH_MAX];
    int fd, rc;

    (void)dirfd;
    if (linker->folder.len + strlen(name) >= sizeof(path))
        return -ENAMETOOLONG;
    memcpy(path, linker->folder.data, linker->folder.len);
    memcpy(path + linker->folder.len, name, strlen(name) + 1);
    fd = http_files__open(linker->files, http_span(path), O_PATH);
    if (fd < 0)
        return fd;
    rc = fstat(fd, st) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

static int read_listing(http_files_t *files, http_span_t path, http_listing_t *listing)
{
    linker_t linker = {files, path};
    http_listing_options_t options = {
        .hidden = files->options.hidden, .link = look_at_link, .arg = &linker};
    int err, fd = http_files__open(files, path, O_RDONLY | O_DIRECTORY);

    if (fd < 0)
        return fd;
    err = http_listing_read(listing, fd, &options);
    close(fd);
    return err;
}

/* What it may offer at this path. */
static unsigned find_flags(const http_files_t *files, http_span_t path)
{
    const char *below = files->options.flags_at;
    size_t len = below ? strlen(below) : 0;

    while (len > 0 && below[len - 1] == '/')
        len--;
    if (len > 0 && (path.len < len || memcmp(path.data, below, len) != 0 ||
                    (path.len > len && path.data[len] != '/')))
        return 0;
    return files->options.listing_flags;
}

static sending_t *new_sending(const http_files_t *files, const http_stream_t *stream,
                              http_span_t path)
{
    const http_request_t *request = &stream->request;
    sending_t *sending = hmem_zalloc(sizeof(*sending) + request->path.len + 1);

    if (!sending)
        return NULL;
    memcpy(sending->path, request->path.data, request->path.len);
    sending->json =
        http_page_choose(http_request_field(stream, HTTP_FIELD_ACCEPT)) == HTTP_PAGE_JSON;
    sending->page = (http_listing_page_t){
        .listing = &sending->listing,
        .order = http_listing_order(request->query.data, request->query.len),
        .flags = find_flags(files, path),
        .path = sending->path,
        .server = files->options.server,
        .events_url = files->options.events_url,
    };
    if (files->options.archives)
        sending->page.flags |= HTTP_LISTING_ARCHIVE;
    return sending;
}

static void list(http_files_t *files, http_stream_t *stream, http_span_t path)
{
    sending_t *sending = new_sending(files, stream, path);
    int err = sending ? read_listing(files, path, &sending->listing) : -ENOMEM;

    if (err < 0) {
        if (sending)
            free_sending(sending);
        http_files__missing(files, stream, path, err);
        return;
    }
    http_listing_sort(&sending->listing, sending->page.order);
    http_response_set(
        stream, HTTP_SPAN("Content-Type"),
        http_span(http_page_content_type(sending->json ? HTTP_PAGE_JSON : HTTP_PAGE_HTML)));
    if (!sending->json)
        http_response_set(stream, HTTP_SPAN("Content-Security-Policy"),
                          http_span(http_page_csp(http_listing_scripts(&sending->page))));
    http_response_set(stream, HTTP_SPAN("X-Content-Type-Options"), HTTP_SPAN("nosniff"));
    http_response_set(stream, HTTP_SPAN("Cache-Control"), HTTP_SPAN("no-cache"));
    http_response_add(stream, HTTP_SPAN("Vary"), HTTP_SPAN("Accept"));
    if (files->options.compress)
        http_compress(stream, &files->compress);
    send_listing(stream, sending);
}

/* ---- which of them --------------------------------------------------------------------------- */

/* True when there was one. */
static bool respond_index(http_files_t *files, http_stream_t *stream, const http_file_t *folder)
{
    char path[PATH_MAX];
    http_file_t *file;

    for (size_t i = 0; files->index[i]; i++) {
        size_t len = strlen(files->index[i]);

        if (folder->path_len + len >= sizeof(path))
            continue;
        memcpy(path, folder->path, folder->path_len);
        memcpy(path + folder->path_len, files->index[i], len);
        if (http_files__get(files, (http_span_t){path, folder->path_len + len}, stream->started_us,
                            &file) < 0)
            continue;
        if (!file->folder) {
            http_files__respond(files, stream, file, 200);
            return true;
        }
        http_files__put(file);
    }
    return false;
}

void http_files__respond_folder(http_files_t *files, http_stream_t *stream, http_file_t *folder)
{
    http_span_t path = {folder->path, folder->path_len};

    if (path.data[path.len - 1] != '/')
        redirect(stream);
    else if (files->options.archives && http_files__wants_archive(stream))
        http_files__send_archive(files, stream, path);
    else if (!respond_index(files, stream, folder)) {
        if (files->options.listing)
            list(files, stream, path);
        else
            http_files__missing(files, stream, path, files->options.spa ? -ENOENT : -EACCES);
    }
    http_files__put(folder);
}
