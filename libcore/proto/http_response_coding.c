/* The body of a response on its way through a coder. What is written is coded at once and copied
 * by the connection; a file is read as fast as the client takes it. */
#include "http_server_int.h"

#include <string.h>
#include <unistd.h>

#define OUTPUT_SIZE 16384
#define FILE_READ_SIZE 16384
#define FILE_READS_PER_TURN 4

void http_response__set_coding(http_stream_t *stream, http_coding_t *coding)
{
    http_coded_t *coded = &stream->coded;

    if (coded->file.len > 0 && coded->file.release)
        coded->file.release(coded->file.arg);
    http_coding_free(coded->coding);
    *coded = (http_coded_t){.coding = coding};
    if (coding)
        stream->length = -1;
}

/* Codes data and sends what comes of it, the first time with the head in front. */
static int code(http_stream_t *stream, http_span_t data, bool *head, http_coding_op_e op)
{
    bool end = op == HTTP_CODING_FINISH;
    char buf[OUTPUT_SIZE];
    int state, err = 0;

    do {
        hbuf_t room = {buf, sizeof(buf)};
        http_out_t out;

        state = http_coding_step(stream->coded.coding, &data, &room, op);
        if (state < 0)
            return state;
        out = (http_out_t){.head = *head,
                           .data = buf,
                           .len = sizeof(buf) - room.len,
                           .end = end && state == HTTP_CODING_END};
        *head = false;
        if (out.head || out.end || out.len > 0)
            err = stream->wire->send(stream, &out);
    } while (err == 0 && state == HTTP_CODING_AGAIN);
    return err;
}

static int failed(http_stream_t *stream, int err)
{
    http_stream_abort(stream, err);
    return err;
}

/* What is flushed can be shown by the client, and is coded less well. */
static http_coding_op_e pump_op(const http_coded_t *coded)
{
    if (coded->file.len > 0)
        return HTTP_CODING_RUN;
    return coded->end ? HTTP_CODING_FINISH : HTTP_CODING_FLUSH;
}

/* Coding takes time: after so much of one file it is the others' turn. */
int http_response__pump(http_stream_t *stream)
{
    http_coded_t *coded = &stream->coded;
    char buf[FILE_READ_SIZE];
    bool head = false;

    for (int i = 0; coded->file.len > 0 && !stream->wire->is_full(stream); i++) {
        http_file_part_t *file = &coded->file;
        size_t want = file->len < (int64_t)sizeof(buf) ? (size_t)file->len : sizeof(buf);
        ssize_t n;
        int err;

        if (i == FILE_READS_PER_TURN) {
            stream->wire->go_on_later(stream);
            break;
        }
        n = pread(file->fd, buf, want, file->offset);
        if (n <= 0)
            return failed(stream, n == 0 ? HERR_TRUNCATED : -errno);
        file->offset += n;
        file->len -= n;
        if (file->len == 0 && file->release)
            file->release(file->arg);
        err = code(stream, (http_span_t){buf, (size_t)n}, &head, pump_op(coded));
        if (err < 0)
            return failed(stream, err);
    }
    return 0;
}

static int begin_file(http_stream_t *stream, const http_out_t *out)
{
    stream->coded.file = *out->file;
    return http_response__pump(stream);
}

int http_response__send_coded(http_stream_t *stream, const http_out_t *out)
{
    bool head = out->head;
    http_span_t data = {out->data ? out->data : "", out->len};
    int err;

    if (stream->bodiless)
        return stream->wire->send(stream, out);
    if (stream->coded.file.len > 0) { /* the end, or more, behind a file that is under way */
        stream->coded.end = out->end;
        if (out->len == 0 && !out->file)
            return 0;
        if (out->free_cb)
            out->free_cb((void *)out->data, out->free_arg);
        if (out->file && out->file->release)
            out->file->release(out->file->arg);
        return failed(stream, -EBUSY);
    }
    if (out->file)
        return begin_file(stream, out);
    if (out->len == 0 && !out->end) /* the head alone: nothing to flush */
        return stream->wire->send(stream, out);
    err = code(stream, data, &head, out->end ? HTTP_CODING_FINISH : HTTP_CODING_FLUSH);
    if (out->free_cb)
        out->free_cb((void *)out->data, out->free_arg);
    return err < 0 ? failed(stream, err) : 0;
}
