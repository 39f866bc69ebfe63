/* http1_trace: what http1 says of some bytes, as text, and how they were cut makes no difference to
 * it. Each piece lies in memory of its own that is no byte longer. For tests and fuzzers. */
#ifndef HNET_TESTS_HTTP1_TRACE_H
#define HNET_TESTS_HTTP1_TRACE_H

#include "base/hbuf.h"
#include "base/herr.h"
#include "codec/http1.h"

#include <stdlib.h>
#include <string.h>

#define HTTP1_TRACE_FIELDS 8

typedef struct http1_trace_s {
    http1_parser_t parser;
    http1_message_t message;
    http_field_t fields[HTTP1_TRACE_FIELDS];
    hbytes_t text, body;
    int event;
} http1_trace_t;

static inline void http1_trace_check(bool condition)
{
    if (!condition)
        abort();
}

static inline void http1_trace_init(http1_trace_t *t, http1_kind_e kind,
                                    const http1_options_t *options)
{
    memset(t, 0, sizeof(*t));
    http1_init(&t->parser, kind, options);
    http1_message_init(&t->message, t->fields, HTTP1_TRACE_FIELDS);
}

static inline void http1_trace_deinit(http1_trace_t *t)
{
    http1_deinit(&t->parser);
    hbytes_deinit(&t->text);
    hbytes_deinit(&t->body);
}

static inline void http1_trace_span(http1_trace_t *t, http_span_t span)
{
    http1_trace_check(hbytes_append(&t->text, span.data, span.len) == 0);
}

static inline void http1_trace_fields(http1_trace_t *t)
{
    const http1_message_t *m = &t->message;

    for (size_t i = 0; i < m->field_count; i++) {
        const http_field_t *known = http1_field(m, m->fields[i].id);

        http1_trace_check(!known || known <= &m->fields[i]);
        hbytes_append_char(&t->text, ' ');
        http1_trace_span(t, m->fields[i].name);
        hbytes_append_char(&t->text, '=');
        http1_trace_span(t, m->fields[i].value);
    }
}

static inline void http1_trace_head(http1_trace_t *t)
{
    static const char *const framing[] = {"none", "length", "chunked", "close"};
    const http1_message_t *m = &t->message;

    if (m->method != HTTP_METHOD_OTHER || m->target.len > 0) {
        http1_trace_span(t, m->method_name);
        hbytes_append_char(&t->text, ' ');
        http1_trace_span(t, m->target);
    } else {
        hbytes_printf(&t->text, "%d ", m->status);
        http1_trace_span(t, m->reason);
    }
    hbytes_printf(&t->text, " %d.%d %s %lld%s%s%s", m->major, m->minor, framing[m->framing],
                  (long long)m->content_length, m->keep_alive ? " keep" : "",
                  m->upgrade ? " upgrade" : "", m->expect_continue ? " expect" : "");
    http1_trace_fields(t);
    hbytes_append_str(&t->text, "\n");
}

static inline void http1_trace_event(http1_trace_t *t)
{
    if (t->event == HTTP1_BODY) {
        http1_trace_check(t->message.body.len > 0);
        http1_trace_check(hbytes_append(&t->body, t->message.body.data, t->message.body.len) == 0);
        return;
    }
    if (t->body.len > 0 && t->event != HTTP1_MORE) {
        hbytes_append_str(&t->text, "[");
        http1_trace_check(hbytes_append(&t->text, t->body.data, t->body.len) == 0);
        hbytes_append_str(&t->text, "]\n");
        hbytes_clear(&t->body);
    }
    if (t->event == HTTP1_HEAD)
        http1_trace_head(t);
    if (t->event == HTTP1_TRAILERS) {
        hbytes_append_str(&t->text, "trailers");
        http1_trace_fields(t);
        hbytes_append_str(&t->text, "\n");
    }
    if (t->event == HTTP1_END)
        hbytes_append_str(&t->text, "end\n");
    if (t->event == HTTP1_DONE)
        hbytes_append_str(&t->text, "done\n");
    if (t->event < 0)
        hbytes_printf(&t->text, "%s %d %s\n", herr_name(t->event), http1_status(&t->parser),
                      http1_reason(&t->parser));
}

/* One piece; false once nothing more is to be said. */
static inline bool http1_trace_piece(http1_trace_t *t, const void *data, size_t len)
{
    char *copy = malloc(len ? len : 1);
    http_span_t rest = {copy, len};

    http1_trace_check(copy != NULL);
    memcpy(copy, data, len);
    do {
        size_t before = rest.len;

        t->event = http1_parse(&t->parser, &rest, &t->message);
        http1_trace_check(rest.len <= before && rest.data + rest.len == copy + len);
        http1_trace_check(t->event != HTTP1_MORE || rest.len == 0);
        http1_trace_event(t);
    } while (t->event > 0 && t->event != HTTP1_DONE);
    free(copy);
    return t->event == HTTP1_MORE;
}

/* In pieces of this length, but the first of another one; then the end of the connection. The text
 * belongs to t. */
static inline const char *http1_trace_all(http1_trace_t *t, const char *data, size_t len,
                                          size_t first, size_t piece)
{
    size_t n = first < len ? first : len;

    for (size_t at = 0; http1_trace_piece(t, data + at, n) && at + n < len;) {
        at += n;
        n = len - at < piece ? len - at : piece;
    }
    if (t->event == HTTP1_MORE) {
        bool in_message = http1_in_message(&t->parser);
        int err = http1_eof(&t->parser);

        http1_trace_check(err == 0 || in_message);
        if (err == 0)
            http1_trace_piece(t, "", 0);
        else
            hbytes_printf(&t->text, "%s %d\n", herr_name(err), http1_status(&t->parser));
    }
    http1_trace_check(http1_parse(&t->parser, &(http_span_t){"x", 0}, &t->message) == t->event ||
                      t->event >= 0);
    return t->text.data ? t->text.data : "";
}

#endif
