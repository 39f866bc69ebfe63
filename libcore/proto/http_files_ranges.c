/* The bytes of a file: all, one range, or several as multipart/byteranges (RFC 9110 section 14.6).
 * Each part that is on its way holds the file. */
#include "http_files_int.h"

#include "../base/htime.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define BOUNDARY_SIZE 24
#define PART_HEAD_SIZE 512
#define COPIED_MAX 4096 /* bytes of a part that are not worth a place of their own in the queue */

static void put_file(void *file)
{
    http_files__put(file);
}

/* These bytes, with a reference. */
static http_file_part_t part_of(http_file_t *file, http_range_t range)
{
    file->refs++;
    return (http_file_part_t){
        .fd = file->fd,
        .offset = range.first,
        .len = range.last - range.first + 1,
        .release = put_file,
        .arg = file,
    };
}

/* Reads it now, to stand in one piece with the text around it: many parts of a few bytes would cost
 * more memory than what is in them. */
static int write_copied(http_stream_t *stream, const http_file_t *file, http_range_t range)
{
    char buf[COPIED_MAX];
    size_t len = (size_t)(range.last - range.first + 1);
    ssize_t n = pread(file->fd, buf, len, range.first);

    if (n == (ssize_t)len)
        return http_response_write(stream, buf, len);
    http_stream_abort(stream, n < 0 ? -errno : HERR_TRUNCATED); /* the file became shorter */
    return HERR_TRUNCATED;
}

/* A file that is sent from memory is not open. */
static int write_part(http_stream_t *stream, http_file_t *file, http_range_t range)
{
    http_file_part_t part;

    if (!file->content && range.last - range.first < COPIED_MAX)
        return write_copied(stream, file, range);
    part = part_of(file, range);
    if (file->content)
        return http_response_write_nocopy(stream, file->content + range.first, (size_t)part.len,
                                          http_files__put_content, file);
    return http_response_write_file(stream, &part);
}

void http_files__send_part(http_stream_t *stream, http_file_t *file, http_range_t range)
{
    http_file_part_t part = part_of(file, range);

    if (file->content)
        http_response_send_nocopy(stream, file->content + range.first, (size_t)part.len,
                                  http_files__put_content, file);
    else
        http_response_send_file(stream, &part);
    http_files__put(file);
}

static void send_one(http_stream_t *stream, http_file_t *file, http_range_t range)
{
    char value[HTTP_CONTENT_RANGE_SIZE];
    http_content_range_t content = {range.first, range.last, file->size};
    ssize_t len = http_content_range_write(&content, value, sizeof(value));

    http_response_set(stream, HTTP_SPAN("Content-Range"), (http_span_t){value, (size_t)len});
    http_files__send_part(stream, file, range);
}

/* What stands in front of a part; the line break before the first one's boundary is left out. */
static http_span_t part_head(char *buf, const char *boundary, http_span_t type,
                             const http_content_range_t *content, bool first)
{
    char value[HTTP_CONTENT_RANGE_SIZE];
    int len;

    http_content_range_write(content, value, sizeof(value));
    len = snprintf(buf, PART_HEAD_SIZE, "%s--%s\r\nContent-Type: %.*s\r\nContent-Range: %s\r\n\r\n",
                   first ? "" : "\r\n", boundary, (int)type.len, type.data, value);
    return (http_span_t){buf, (size_t)len};
}

static http_span_t parts_end(char *buf, const char *boundary)
{
    return (http_span_t){buf, (size_t)snprintf(buf, PART_HEAD_SIZE, "\r\n--%s--\r\n", boundary)};
}

static int64_t length_of_parts(const http_file_t *file, const char *boundary, http_span_t type,
                               const http_ranges_t *ranges)
{
    char buf[PART_HEAD_SIZE];
    int64_t length = (int64_t)parts_end(buf, boundary).len;

    for (size_t i = 0; i < ranges->count; i++) {
        http_range_t range = ranges->list[i];
        http_content_range_t content = {range.first, range.last, file->size};

        length += (int64_t)part_head(buf, boundary, type, &content, i == 0).len;
        length += range.last - range.first + 1;
    }
    return length;
}

static void send_parts(http_stream_t *stream, http_file_t *file, const char *boundary,
                       http_span_t type, const http_ranges_t *ranges)
{
    char buf[PART_HEAD_SIZE];
    http_span_t text;
    int err = http_response_start(stream, length_of_parts(file, boundary, type, ranges));

    for (size_t i = 0; err == 0 && i < ranges->count; i++) {
        http_range_t range = ranges->list[i];
        http_content_range_t content = {range.first, range.last, file->size};

        text = part_head(buf, boundary, type, &content, i == 0);
        err = http_response_write(stream, text.data, text.len);
        if (err == 0)
            err = write_part(stream, file, range);
    }
    text = parts_end(buf, boundary);
    if (err == 0)
        err = http_response_write(stream, text.data, text.len);
    if (err == 0)
        http_response_end(stream);
}

void http_files__send_ranges(http_files_t *files, http_stream_t *stream, http_file_t *file,
                             http_span_t type, const http_ranges_t *ranges)
{
    char boundary[BOUNDARY_SIZE];
    uint64_t mixed;

    http_response_status(stream, 206);
    if (ranges->count == 1) {
        send_one(stream, file, ranges->list[0]);
        return;
    }
    /* Another one each time: content that has one of yesterday in it is no trap. */
    mixed = (htime_monotonic_ns() ^ ++files->boundaries << 40) * UINT64_C(0x9e3779b97f4a7c15);
    snprintf(boundary, sizeof(boundary), "part%016llx", (unsigned long long)mixed);
    http_response_printf(stream, "Content-Type", "multipart/byteranges; boundary=%s", boundary);
    send_parts(stream, file, boundary, type, ranges);
    http_files__put(file);
}
