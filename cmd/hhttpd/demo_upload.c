#include "demo.h"

#include "base/hmem.h"
#include "codec/http_disposition.h"
#include "upload.h"

#include <stdio.h>
#include <string.h>

/* A file whose content nobody keeps. */
typedef struct sink_s {
    uint64_t size;
    char filename[HTTP_FILENAME_SIZE];
} sink_t;

static void reply_not_stored(demo_reply_t *reply, http_stream_t *stream)
{
    hjson_add_bool(&reply->json, "stored", false);
    demo_reply_code(reply, 0, "received, and dropped: files are stored with --upload");
    demo_reply_send(reply, stream, 200);
}

static void on_sink_body(http_stream_t *stream, http_span_t data, void *userdata)
{
    sink_t *sink = userdata;

    (void)stream;
    sink->size += data.len;
}

static void on_sink_end(http_stream_t *stream, void *userdata)
{
    const sink_t *sink = userdata;
    demo_reply_t reply;

    demo_reply_begin(&reply);
    hjson_key(&reply.json, "filename");
    hjson_string(&reply.json, sink->filename);
    hjson_key(&reply.json, "size");
    hjson_uint(&reply.json, sink->size);
    reply_not_stored(&reply, stream);
}

static void on_sink_close(http_stream_t *stream, int err, void *userdata)
{
    (void)stream;
    (void)err;
    hmem_free(userdata);
}

/* Of the route, or ?filename=. False: it has been answered. */
static bool read_filename(http_stream_t *stream, char *name)
{
    http_span_t param = http_request_param(stream, "filename");
    char text[HTTP_DISPOSITION_NAME_SIZE] = "file";
    ssize_t len = 0;

    if (param.data)
        len = snprintf(text, sizeof(text), "%.*s", (int)param.len, param.data);
    else
        len = http_request_query(stream, "filename", text, sizeof(text));
    if (len == -ENOENT || (len > 0 && (size_t)len < sizeof(text))) {
        len = http_safe_filename(text, name);
        if (len > 0)
            return true;
    }
    http_response_error(stream, 400, "That is not the name of a file.");
    return false;
}

static void sink_body(http_stream_t *stream, const char *filename)
{
    static const http_stream_callbacks_t callbacks = {
        .on_body = on_sink_body, .on_body_end = on_sink_end, .on_close = on_sink_close};
    sink_t *sink = hmem_zalloc(sizeof(*sink));

    if (!sink) {
        http_response_error(stream, 503, NULL);
        return;
    }
    snprintf(sink->filename, sizeof(sink->filename), "%s", filename);
    http_stream_set_callbacks(stream, &callbacks, sink);
}

static void on_form_body(http_stream_t *stream, http_span_t body, void *userdata)
{
    http_span_t type = http_request_field(stream, HTTP_FIELD_CONTENT_TYPE);
    demo_pairs_t pairs = {0};
    demo_reply_t reply;
    int err = demo_pairs_add_form(&pairs, type, body);

    (void)userdata;
    if (err) {
        demo_refuse(stream, err, "The body is not what its Content-Type says.");
    } else {
        demo_reply_begin(&reply);
        hjson_key(&reply.json, "form");
        demo_pairs_write(&pairs, &reply.json);
        reply_not_stored(&reply, stream);
    }
    demo_pairs_free(&pairs);
}

/* With --upload: into its folder, by the rules for what is sent there. */
static void store(site_host_t *host, http_stream_t *stream)
{
    const char *folder = host->settings->upload;
    char path[HTTP1_LINE_MAX], name[HTTP_FILENAME_SIZE];
    size_t len = strlen(folder);

    if (upload_is_cross_site(stream)) {
        http_response_error(stream, 403, "This came from a page of another origin.");
        return;
    }
    if (auth_refuses(host, stream, http_span(folder)))
        return;
    if (demo_has_type(stream, "multipart/form-data")) {
        upload_receive_form(host->upload, stream, http_span(folder));
    } else if (read_filename(stream, name)) {
        snprintf(path, sizeof(path), "%s%s%s", folder, folder[len - 1] == '/' ? "" : "/", name);
        upload_receive_put(host->upload, stream, http_span(path));
    }
}

/* A form, or with ?filename= or a name in the path the bytes of one file. */
static void on_upload(http_stream_t *stream, void *userdata)
{
    site_host_t *host = userdata;
    char name[HTTP_FILENAME_SIZE];

    if (host->upload) {
        store(host, stream);
    } else if (demo_has_type(stream, "multipart/form-data")) {
        if (http_stream_collect(stream, 0, on_form_body, NULL) != 0)
            http_response_error(stream, 503, NULL);
    } else if (read_filename(stream, name)) {
        sink_body(stream, name);
    }
}

int demo_upload_install(site_host_t *host)
{
    int err = site_route(host, "POST", "/upload", on_upload, host);

    return err ? err : site_route(host, "POST", "/upload/:filename", on_upload, host);
}
