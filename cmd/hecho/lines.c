/* `held` has at most one line and one read: while it could grow further, nothing is read. */
#include "lines.h"

#include "base/hmem.h"

#include <string.h>

#define IGNORED_MAX ((size_t)4 * 1024 * 1024) /* bytes behind a line that is too long */
#define IGNORED_MS 2000

struct lines_s {
    hbytes_t held; /* not answered yet */
    size_t ignored;
    bool at_eof;
};

static lines_t *lines_of(hio_t *io)
{
    return client_of(io)->lines;
}

/* What was sent before the client can know: to close on it would reset the connection, and the
 * client might never read why. */
static void on_rest_read(hio_t *io, void *buf, int len)
{
    lines_t *lines = lines_of(io);

    (void)buf;
    client_took(io, len);
    lines->ignored += (size_t)len;
    if (lines->ignored > IGNORED_MAX)
        hio_close(io);
}

static void close_too_long(hio_t *io)
{
    static const char text[] = "hecho: line too long\n";
    hbuf_t span = {(char *)text, sizeof(text) - 1};

    client_of(io)->cause = CLIENT_CAUSE_LINE;
    client_answer(io, &span, 1);
    hbytes_deinit(&lines_of(io)->held);
    hio_shutdown(io);
    hio_set_read_timeout(io, IGNORED_MS);
    hio_setcb_read(io, on_rest_read);
    hio_read(io);
}

/* Prefix, what is held and this; nothing is held afterwards. */
static void answer_line(hio_t *io, const char *data, size_t len)
{
    const server_t *server = client_server(io);
    hbytes_t *held = &lines_of(io)->held;
    hbuf_t spans[] = {
        {(char *)server->options->prefix, server->prefix_len},
        {held->data, held->len},
        {(char *)data, len},
    };

    client_answer(io, spans, 3);
    hbytes_clear(held);
}

/* Answers whole lines until the queue is full; returns how many bytes were used. */
static size_t answer_batch(hio_t *io, const char *data, size_t len)
{
    const lines_t *lines = lines_of(io);
    size_t used = 0;

    hio_cork(io);
    while (used < len && hio_is_opened(io) && !hio_write_above_high(io)) {
        const char *end = memchr(data + used, '\n', len - used);
        size_t line_len = (end ? (size_t)(end - data) : len) - used;

        if (lines->held.len + line_len > LINES_SIZE_MAX) {
            close_too_long(io);
            return len;
        }
        if (!end)
            break;
        answer_line(io, data + used, line_len + 1);
        used += line_len + 1;
    }
    hio_uncork(io);
    return used;
}

static void answer_lines(hio_t *io, const char *data, size_t len)
{
    size_t used, total = 0;
    int err;

    do {
        used = answer_batch(io, data + total, len - total);
        total += used;
    } while (used > 0 && total < len && !hio_write_above_high(io));
    err = hbytes_append(&lines_of(io)->held, data + total, len - total);
    if (err)
        hio_abort(io, err);
    else if (hio_write_above_high(io))
        hio_read_stop(io);
}

/* A last line without its end is answered too. */
static void finish_lines(hio_t *io)
{
    if (lines_of(io)->held.len > 0 && !client_server(io)->stopping)
        answer_line(io, NULL, 0);
    hio_close(io);
}

void lines_on_read(hio_t *io, void *buf, int len)
{
    hbytes_t *held = &lines_of(io)->held;

    client_took(io, len);
    answer_lines(io, buf, (size_t)len);
    if (held->len == 0)
        hbytes_deinit(held); /* an idle client holds no memory */
}

void lines_on_drained(hio_t *io)
{
    lines_t *lines = lines_of(io);
    hbytes_t held = lines->held;

    if (client_server(io)->stopping)
        return;
    memset(&lines->held, 0, sizeof(lines->held));
    if (held.len > 0)
        answer_lines(io, held.data, held.len);
    hbytes_deinit(&held);
    if (hio_write_above_high(io))
        return;
    if (lines->at_eof)
        finish_lines(io);
    else
        hio_read(io);
}

void lines_on_eof(hio_t *io)
{
    lines_of(io)->at_eof = true;
    if (!hio_write_above_high(io))
        finish_lines(io);
}

lines_t *lines_new(void)
{
    return hmem_zalloc(sizeof(lines_t));
}

void lines_free(lines_t *lines)
{
    if (!lines)
        return;
    hbytes_deinit(&lines->held);
    hmem_free(lines);
}
