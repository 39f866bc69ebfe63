#include "trace.h"

#include <string.h>

#define ASCII_WIDTH 64
#define HEX_WIDTH 16

static bool is_data(http_trace_e kind)
{
    return kind == HTTP_TRACE_DATA_OUT || kind == HTTP_TRACE_DATA_IN;
}

/* ---- -v ---- */

static int begin_line(const trace_t *trace, const char *prefix, char sign, hbytes_t *out)
{
    if (trace->line_open)
        return 0;
    return hbytes_printf(out, "%s%c ", prefix, sign);
}

static int put_lines(trace_t *trace, const char *prefix, char sign, http_span_t data, hbytes_t *out)
{
    int status = 0;

    while (data.len > 0 && status == 0) {
        const char *end = memchr(data.data, '\n', data.len);
        size_t len = end != NULL ? (size_t)(end - data.data) + 1 : data.len;

        status = begin_line(trace, prefix, sign, out);
        if (status == 0)
            status = hbytes_append(out, data.data, len);
        trace->line_open = end == NULL;
        data = (http_span_t){data.data + len, data.len - len};
    }
    trace->data_told = false;
    return status;
}

static int put_info(trace_t *trace, const char *prefix, http_span_t text, hbytes_t *out)
{
    int status = begin_line(trace, prefix, '*', out);

    trace->line_open = false;
    trace->data_told = false;
    if (status == 0)
        status = hbytes_append(out, text.data, text.len);
    return status == 0 ? hbytes_append_char(out, '\n') : status;
}

/* Said once for all that follows each other. */
static int announce(trace_t *trace, const char *prefix, char sign, size_t len, hbytes_t *out)
{
    int status;

    if (trace->data_told || trace->hide_data)
        return 0;
    status = begin_line(trace, prefix, sign, out);
    trace->line_open = false;
    trace->data_told = true;
    return status == 0 ? hbytes_printf(out, "[%zu bytes data]\n", len) : status;
}

static int format_lines(trace_t *trace, const char *prefix, http_trace_e kind, http_span_t data,
                        hbytes_t *out)
{
    switch (kind) {
    case HTTP_TRACE_HEAD_OUT:
        return put_lines(trace, prefix, '>', data, out);
    case HTTP_TRACE_HEAD_IN:
        return put_lines(trace, prefix, '<', data, out);
    case HTTP_TRACE_DATA_OUT:
        return announce(trace, prefix, '}', data.len, out);
    case HTTP_TRACE_DATA_IN:
        return announce(trace, prefix, '{', data.len, out);
    case HTTP_TRACE_INFO:
        break;
    }
    return put_info(trace, prefix, data, out);
}

/* ---- --trace and --trace-ascii ---- */

static char printable(char c)
{
    return c >= ' ' && c < '\177' ? c : '.';
}

static int put_printable(http_span_t data, hbytes_t *out)
{
    char line[ASCII_WIDTH + 1];
    size_t len = 0;

    for (size_t i = 0; i < data.len; i++)
        line[len++] = printable(data.data[i]);
    line[len++] = '\n';
    return hbytes_append(out, line, len);
}

static int dump_hex_line(http_span_t data, hbytes_t *out)
{
    static const char digits[] = "0123456789abcdef";
    char line[HEX_WIDTH * 3];
    int status;

    memset(line, ' ', sizeof(line));
    for (size_t i = 0; i < data.len; i++) {
        unsigned char c = (unsigned char)data.data[i];

        line[i * 3] = digits[c >> 4];
        line[i * 3 + 1] = digits[c & 15];
    }
    status = hbytes_append(out, line, sizeof(line));
    return status == 0 ? put_printable(data, out) : status;
}

static bool is_line_end(http_span_t data, size_t at)
{
    return at + 1 < data.len && data.data[at] == '\r' && data.data[at + 1] == '\n';
}

/* A line of the text is a line of the dump, if it is not too long for one. */
static size_t ascii_line(http_span_t rest)
{
    size_t len = 0;

    while (len < ASCII_WIDTH && len < rest.len && !is_line_end(rest, len))
        len++;
    return len;
}

static int dump(bool hex, http_span_t data, hbytes_t *out)
{
    size_t at = 0;
    int status = 0;

    while (at < data.len && status == 0) {
        http_span_t rest = {data.data + at, data.len - at};
        size_t hex_len = rest.len < HEX_WIDTH ? rest.len : HEX_WIDTH;
        http_span_t line = {rest.data, hex ? hex_len : ascii_line(rest)};

        status = hbytes_printf(out, "%04zx: ", at);
        if (status == 0)
            status = hex ? dump_hex_line(line, out) : put_printable(line, out);
        at += line.len + (!hex && is_line_end(rest, line.len) ? 2 : 0);
    }
    return status;
}

static int dump_one(const trace_t *trace, const char *title, http_span_t data, hbytes_t *out)
{
    int status = hbytes_printf(out, "%s, %zu bytes (0x%zx)\n", title, data.len, data.len);

    return status == 0 ? dump(trace->style == REPORT_TRACE_HEX, data, out) : status;
}

/* A head that comes in is dumped line by line, one that goes out as a whole. */
static int dump_lines(const trace_t *trace, const char *prefix, http_span_t data, hbytes_t *out)
{
    int status = 0;

    while (data.len > 0 && status == 0) {
        const char *end = memchr(data.data, '\n', data.len);
        size_t len = end != NULL ? (size_t)(end - data.data) + 1 : data.len;

        status = hbytes_append_str(out, prefix);
        if (status == 0)
            status = dump_one(trace, "<= Recv header", (http_span_t){data.data, len}, out);
        data = (http_span_t){data.data + len, data.len - len};
    }
    return status;
}

static int format_dump(const trace_t *trace, const char *prefix, http_trace_e kind,
                       http_span_t data, hbytes_t *out)
{
    static const char *const titles[] = {
        [HTTP_TRACE_HEAD_OUT] = "=> Send header",
        [HTTP_TRACE_DATA_OUT] = "=> Send data",
        [HTTP_TRACE_DATA_IN] = "<= Recv data",
    };
    int status;

    if (kind == HTTP_TRACE_INFO)
        return hbytes_printf(out, "%s* %.*s\n", prefix, (int)data.len, data.data);
    if (kind == HTTP_TRACE_HEAD_IN)
        return dump_lines(trace, prefix, data, out);
    status = hbytes_append_str(out, prefix);
    return status == 0 ? dump_one(trace, titles[kind], data, out) : status;
}

int trace_format(trace_t *trace, const char *prefix, http_trace_e kind, http_span_t data,
                 hbytes_t *out)
{
    if (data.len == 0 && is_data(kind))
        return 0;
    if (trace->style == REPORT_TRACE_LINES)
        return format_lines(trace, prefix, kind, data, out);
    return format_dump(trace, prefix, kind, data, out);
}
