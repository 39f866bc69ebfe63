/* What there is to see of a head that was wrong. */
#include "http_exchange_int.h"

/* Whether a line of a head, not the first one, is what it should be after those before it. */
static bool is_good_line(http_span_t line, int64_t *length, bool *chunked)
{
    http_span_t name, value;
    http_field_e id;

    if (line.len > 0 && http_field_cut(line, &name, &value, &id) < 0)
        return line.data[0] == ' ' || line.data[0] == '\t';
    if (line.len > 0 && id == HTTP_FIELD_CONTENT_LENGTH)
        return http_length_add(value, length) == 0;
    if (line.len > 0 && id == HTTP_FIELD_TRANSFER_ENCODING)
        return http_coding_add(value, chunked) == 0;
    return true;
}

static bool is_status_line(http_span_t line)
{
    http_span_t reason;
    int minor, status;

    return http_status_line(line, &minor, &status, &reason) == 0;
}

void http1_client__keep_lines(http_link_t *conn, http_span_t came)
{
    http_exchange_t *exchange = conn->exchange;
    hbytes_t text = {.size_max = HTTP_EXCHANGE_HEAD_MAX};
    http_span_t rest, line;
    http_span_t collected = http1_collected(&conn->parser);
    int64_t length = -1;
    bool chunked = false;
    size_t good = 0;

    came = collected.len > 0 ? collected : came;
    rest = came;
    exchange->is_full = http1_head_is_full(&conn->parser);
    exchange->is_http = http_line_next(&rest, &line) && is_status_line(line);
    if (exchange->is_http)
        hbytes_append(&text, came.data, came.len);
    rest = (http_span_t){text.data, text.len};
    while (text.len > 0 && http_line_next(&rest, &line) &&
           (good == 0 || is_good_line(line, &length, &chunked)))
        good = (size_t)(rest.data - text.data);
    text.len = good;
    hbytes_deinit(&exchange->broken);
    exchange->broken = text;
}
