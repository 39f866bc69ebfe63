/* Bodies: the program's, from its source into the exchange; and the last response's, decoded, to
 * the program. */
#include "http_client_int.h"

#include "../base/hmem.h"

/* ---- sending --------------------------------------------------------------------------------- */

static void on_ready(http_source_t *source, void *arg)
{
    (void)source;
    http_transfer__pump(arg);
}

int http_transfer__rewind(http_transfer_t *t)
{
    int64_t length;
    int err;

    if (!t->options.body || t->body_dropped)
        return 0;
    length = http_source_length(t->options.body);
    err = http_source_rewind(t->options.body);
    if (err < 0) {
        http_transfer__fail(t, HTTP_FAULT_REWIND,
                            "the body has to be sent once more, but it cannot be read again: %s",
                            herr_str(err));
        return err;
    }
    if (!t->source_buf && !(t->source_buf = hmem_alloc(HTTP_CLIENT_BODY_SIZE)))
        return -ENOMEM;
    t->skip = t->options.put && t->options.resume_from > 0 ? t->options.resume_from : 0;
    if (t->skip > 0 && length != HTTP_BODY_UNKNOWN && t->skip >= length) {
        http_transfer__fail(t, HTTP_FAULT_PARTIAL, "the file is there already, all of it");
        return -EALREADY;
    }
    http_source_set_ready(t->options.body, on_ready, t);
    t->sending = true;
    return 0;
}

static void fail_sending(http_transfer_t *t, http_fault_e fault, const char *what, int err)
{
    if (err == -ENOMEM)
        fault = HTTP_FAULT_MEMORY;
    http_transfer__fail(t, fault, "%s: %s", what, herr_str(err));
    t->sending = false;
    http_exchange_abort(t->exchange, err);
}

/* What leaves with the head is traced behind it. Without memory it is not. */
static void trace_piece(http_transfer_t *t, size_t len)
{
    if (t->begun)
        http_transfer__trace(t, HTTP_TRACE_DATA_OUT, t->source_buf, len);
    else if (t->callbacks->on_trace)
        (void)hbytes_append(&t->early, t->source_buf, len);
}

/* As http_source_read, behind what is there already. */
static ssize_t read_piece(http_transfer_t *t)
{
    while (t->skip > 0) {
        size_t size = t->skip < HTTP_CLIENT_BODY_SIZE ? (size_t)t->skip : HTTP_CLIENT_BODY_SIZE;
        ssize_t n = http_source_read(t->options.body, t->source_buf, size);

        if (n <= 0)
            return n;
        t->skip -= n;
    }
    return http_source_read(t->options.body, t->source_buf, HTTP_CLIENT_BODY_SIZE);
}

static bool send_piece(http_transfer_t *t)
{
    ssize_t n = read_piece(t);
    int err;

    if (n == -EAGAIN)
        return false;
    if (n < 0) {
        fail_sending(t, HTTP_FAULT_READ, "the body cannot be read", (int)n);
        return false;
    }
    if (n > 0) {
        trace_piece(t, (size_t)n);
        t->info.uploaded += (uint64_t)n;
        t->info.request_bytes += (uint64_t)n;
        err = http_exchange_write(t->exchange, t->source_buf, (size_t)n);
    } else {
        t->sending = false;
        err = http_exchange_end(t->exchange);
    }
    if (err < 0 && err != HERR_CLOSED)
        fail_sending(t, err == -EPROTO ? HTTP_FAULT_READ : HTTP_FAULT_SEND, "sending the body",
                     err);
    return n > 0 && err == 0;
}

/* All that there is room for: what a response that has come already does not want is not read. */
void http_transfer__pump(http_transfer_t *t)
{
    if (!t->sending || !t->exchange || t->body_length == HTTP_BODY_NONE ||
        (t->body_length == 0 && !t->chunked))
        return;
    while (t->sending && t->fault == HTTP_FAULT_NONE && !http_exchange_is_full(t->exchange)) {
        if (!send_piece(t))
            break;
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void fail_receiving(http_transfer_t *t)
{
    http_exchange_abort(t->exchange, -ECANCELED);
}

static void fail_decoding(http_transfer_t *t, int err)
{
    http_transfer__fail(t, HTTP_FAULT_CODING, "%s",
                        err == HERR_UNSUPPORTED
                            ? "the body has a content encoding that is not known "
                              "here"
                        : err == HERR_RANGE ? "the body has too many content encodings, one over "
                                              "the other"
                        : err == HERR_TRUNCATED ? "the encoded body ends too early"
                        : err == -ENOMEM        ? "no memory to decode the body"
                                                : "the body is not encoded as it says");
    fail_receiving(t);
}

/* Chunks are undone already, and some servers say "none". */
static bool is_nothing(http_span_t coding)
{
    return http_span_ieq(coding, "chunked") || http_span_ieq(coding, "identity") ||
           http_span_ieq(coding, "none");
}

/* All values of a field. */
static int join_codings(const http_exchange_response_t *response, http_field_e id,
                        hbytes_t *codings)
{
    int err = 0;

    for (size_t i = 0; i < response->field_count && err == 0; i++) {
        http_span_t rest = response->fields[i].value, coding;

        while (response->fields[i].id == id && err == 0 && http_list_next(&rest, &coding)) {
            if (!is_nothing(coding))
                err = hbytes_printf(codings, "%s%.*s", codings->len > 0 ? "," : "", (int)coding.len,
                                    coding.data);
        }
    }
    return err;
}

/* A transfer coding lies over those of the content; one that was not asked for is an error. */
static int find_codings(http_transfer_t *t, const http_exchange_response_t *response,
                        hbytes_t *codings)
{
    hbytes_t transfer = {0};
    int err = t->options.accept_encoding
                  ? join_codings(response, HTTP_FIELD_CONTENT_ENCODING, codings)
                  : 0;

    if (err == 0)
        err = join_codings(response, HTTP_FIELD_TRANSFER_ENCODING, &transfer);
    if (err == 0 && transfer.len > 0 && !t->options.transfer_encoding)
        err = HERR_UNSUPPORTED;
    if (err == 0 && transfer.len > 0)
        err = hbytes_printf(codings, "%s%s", codings->len > 0 ? "," : "", transfer.data);
    hbytes_deinit(&transfer);
    return err;
}

void http_transfer__begin_body(http_transfer_t *t, const http_exchange_response_t *response)
{
    hbytes_t codings = {0};
    int err;

    http_coding_free(t->decoder);
    t->decoder = NULL;
    t->delivered = 0;
    if (t->options.raw || !response->has_body || t->ignore_body)
        return;
    err = find_codings(t, response, &codings);
    if (err == 0 && codings.len > 0)
        err = http_decoder_new((http_span_t){codings.data, codings.len}, &t->decoder);
    if (err == 0 && t->decoder && !t->decoded && !(t->decoded = hmem_alloc(HTTP_CLIENT_BODY_SIZE)))
        err = -ENOMEM;
    hbytes_deinit(&codings);
    if (err < 0)
        fail_decoding(t, err);
}

static void fail_size(http_transfer_t *t)
{
    http_transfer__fail(t, HTTP_FAULT_SIZE, "the body is longer than the %lld bytes allowed",
                        (long long)t->options.size_max);
    fail_receiving(t);
}

/* Up to the size that is allowed, which counts for what is decoded, too: a few bytes may become
 * very many. Of a decoded piece that goes beyond it nothing is delivered. */
static bool deliver(http_transfer_t *t, http_span_t data)
{
    uint64_t room =
        t->options.size_max > 0 ? (uint64_t)t->options.size_max - t->delivered : UINT64_MAX;
    bool over = data.len > room;
    int err = 0;

    if (over)
        data.len = t->decoder ? 0 : (size_t)room;
    t->delivered += data.len;
    if (data.len > 0 && t->callbacks->on_body)
        err = t->callbacks->on_body(t, data, t->userdata);
    if (err < 0) {
        http_transfer__fail(t, HTTP_FAULT_WRITE, "the body cannot be written: %s", herr_str(err));
        fail_receiving(t);
    } else if (over) {
        fail_size(t);
    }
    return t->fault == HTTP_FAULT_NONE;
}

/* Until http_transfer__take_kept. */
static void keep_piece(http_transfer_t *t, http_span_t data)
{
    t->keeps = true;
    if (hbytes_append(&t->kept, data.data, data.len) == 0)
        return;
    http_transfer__fail(t, HTTP_FAULT_MEMORY, "%s", herr_str(-ENOMEM));
    fail_receiving(t);
}

/* A paused one is given nothing but at its end, which comes when it is not paused. */
static void decode(http_transfer_t *t, http_span_t in, http_coding_op_e op)
{
    int state;

    do {
        hbuf_t out = {t->decoded, HTTP_CLIENT_BODY_SIZE};

        if (t->paused && op == HTTP_CODING_RUN) {
            keep_piece(t, in);
            return;
        }
        state = http_coding_step(t->decoder, &in, &out, op);
        if (!deliver(t, (http_span_t){t->decoded, HTTP_CLIENT_BODY_SIZE - out.len}))
            return;
    } while (state == HTTP_CODING_AGAIN);
    if (state < 0)
        fail_decoding(t, state);
}

/* A server that is faster than its client pays for waking it for every segment, and is slowed down
 * by that. So a long body that comes fast is waited for in larger pieces, but for its end. Not
 * where slowness has to be noticed, or the kernel's bytes are not the body's. */
static void set_lowat(http_transfer_t *t)
{
    const http_transfer_info_t *info = &t->info;
    int64_t left = info->download_total - (int64_t)info->downloaded;
    hio_t *io = http_exchange_io(t->exchange);
    uint64_t took_us = http_transfer__now_us(t) - info->first_byte_us;
    bool patient = left >= HTTP_CLIENT_LOWAT_LEFT && info->downloaded >= HTTP_CLIENT_LOWAT_AFTER &&
                   info->downloaded / HTTP_CLIENT_LOWAT_SPEED >= took_us;

    if (!t->patient && (!patient || t->options.low_speed > 0 || t->receive_rate ||
                        htls_is_tls(io) || t->client->options.silence_ms > 0))
        return;
    if (t->patient && left >= HTTP_CLIENT_LOWAT_LEFT)
        return;
    t->patient = patient;
    (void)hsocket_set_lowat(hio_fd(io), patient ? HTTP_CLIENT_LOWAT : 1);
}

static void take(http_transfer_t *t, http_span_t data)
{
    if (t->decoder)
        decode(t, data, HTTP_CODING_RUN);
    else if (t->paused)
        keep_piece(t, data);
    else
        deliver(t, data);
}

void http_transfer__take_body(http_transfer_t *t, http_span_t data)
{
    t->info.downloaded += data.len;
    set_lowat(t);
    if (t->ignore_body)
        return;
    if (t->decoder && t->options.size_max > 0 && t->info.downloaded > (uint64_t)t->options.size_max)
        fail_size(t);
    else
        take(t, data);
}

void http_transfer__take_kept(http_transfer_t *t)
{
    hbytes_t kept = t->kept;

    if (!t->keeps || t->fault != HTTP_FAULT_NONE)
        return;
    t->kept = (hbytes_t){0};
    t->keeps = false;
    take(t, (http_span_t){kept.data ? kept.data : "", kept.len});
    hbytes_deinit(&kept);
}

void http_transfer__end_body(http_transfer_t *t)
{
    http_span_t nothing = {"", 0};

    if (t->decoder && !t->ignore_body)
        decode(t, nothing, HTTP_CODING_FINISH);
}
