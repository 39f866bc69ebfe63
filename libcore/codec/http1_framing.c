/* Where a message ends is what attacks on HTTP/1 play with: RFC 9112 section 6, and what it leaves
 * to choose is refused. */
#include "http1_int.h"

#include "../base/herr.h"

#define LONG_DIGITS 19 /* of a length that may be past INT64_MAX */

/* What the fields say of the framing. */
typedef struct facts_s {
    int64_t length;
    unsigned hosts;
    int length_error, coding_error;
    bool endless;         /* a length past all numbers */
    bool coding, chunked; /* a Transfer-Encoding; which is right */
    bool bad_host;
    bool close, keep_alive, upgrade; /* in Connection */
} facts_t;

static void read_connection(facts_t *f, http_span_t value)
{
    http_span_t element;

    while (http_list_next(&value, &element)) {
        f->close |= http_span_ieq(element, "close");
        f->keep_alive |= http_span_ieq(element, "keep-alive");
        f->upgrade |= http_span_ieq(element, "upgrade");
    }
}

/* Transfer-Encoding where the program undoes what it knows; "identity" in front is nothing. */
static int add_any_coding(http_span_t value, facts_t *f)
{
    http_span_t element;

    while (http_list_next(&value, &element)) {
        if (!f->coding && http_span_ieq(element, "identity"))
            continue;
        if (f->chunked && !http_span_ieq(element, "chunked"))
            return HERR_UNSUPPORTED;
        f->chunked = http_span_ieq(element, "chunked");
        f->coding = true;
    }
    return 0;
}

static int add_coding(http_span_t value, facts_t *f)
{
    f->coding = true;
    return http_coding_add(value, &f->chunked);
}

/* Content-Length of a lenient response: a number beyond all bounds is one that is not known. */
static int add_length(const http1_parser_t *p, http_span_t value, facts_t *f)
{
    int err = http_length_add(value, &f->length);
    int64_t length = 0;

    if (err == 0 || !http1__is_lenient_response(p) || value.len < LONG_DIGITS)
        return err;
    for (size_t i = 0; i < value.len; i++) {
        int digit = value.data[i] - '0';

        if (digit < 0 || digit > 9)
            return err;
        f->endless |= length > (INT64_MAX - digit) / 10;
        length = f->endless ? INT64_MAX : 10 * length + digit;
    }
    f->length = length;
    return 0;
}

static void read_facts(const http1_parser_t *p, facts_t *f, http1_message_t *m)
{
    bool any = p->kind == HTTP1_RESPONSES && p->options->any_coding;

    for (size_t i = 0; i < m->field_count; i++) {
        http_span_t value = m->fields[i].value;

        switch (m->fields[i].id) {
        case HTTP_FIELD_HOST:
            f->hosts++;
            f->bad_host |= !http_is_authority(value, false);
            break;
        case HTTP_FIELD_CONTENT_LENGTH:
            if (f->length_error == 0)
                f->length_error = add_length(p, value, f);
            break;
        case HTTP_FIELD_TRANSFER_ENCODING:
            if (f->coding_error == 0)
                f->coding_error = any ? add_any_coding(value, f) : add_coding(value, f);
            break;
        case HTTP_FIELD_CONNECTION:
            read_connection(f, value);
            break;
        case HTTP_FIELD_EXPECT:
            m->expect_continue |= m->minor > 0 && http_span_ieq(value, "100-continue");
            break;
        default:
            break;
        }
    }
}

static int refuse(http1_parser_t *p, const char *reason)
{
    return http1__fail(p, HERR_PROTOCOL, 400, reason);
}

/* Both a length and a coding, or a coding where there are none. */
static int check_both(http1_parser_t *p, const http1_message_t *m, const facts_t *f)
{
    if (f->coding && m->minor == 0)
        return refuse(p, "Transfer-Encoding in HTTP/1.0");
    if (f->coding && http1_field(m, HTTP_FIELD_CONTENT_LENGTH))
        return refuse(p, "both Content-Length and Transfer-Encoding");
    return 0;
}

static int check_values(http1_parser_t *p, const facts_t *f)
{
    if (f->length_error != 0)
        return refuse(p, "Content-Length is not one number");
    if (f->coding_error == HERR_UNSUPPORTED)
        return http1__fail(p, HERR_UNSUPPORTED, 501, "an unknown transfer coding");
    return f->coding_error != 0 ? refuse(p, "chunked is not the last transfer coding") : 0;
}

static int frame_request(http1_parser_t *p, http1_message_t *m, const facts_t *f)
{
    int err;

    if (f->hosts > 1)
        return refuse(p, "more than one Host");
    if (f->hosts == 0 && m->minor > 0 && m->major > 0)
        return refuse(p, "no Host");
    if (f->bad_host)
        return refuse(p, "Host is malformed");
    if ((err = check_both(p, m, f)) < 0 || (err = check_values(p, f)) < 0)
        return err;
    if (m->method == HTTP_METHOD_CONNECT && (f->coding || f->length > 0))
        return refuse(p, "a body of CONNECT");
    m->framing = f->chunked ? HTTP1_CHUNKED : f->length > 0 ? HTTP1_LENGTH : HTTP1_NO_BODY;
    m->keep_alive = m->major > 0 && !f->close && (m->minor > 0 || f->keep_alive);
    return 0;
}

/* Behind which the connection is no longer HTTP/1. */
static bool is_tunnel(const http1_parser_t *p, const http1_message_t *m)
{
    return m->status == 101 || (p->answer_to == HTTP_METHOD_CONNECT && m->status / 100 == 2);
}

/* RFC 9112 section 6.3, 1 and 2: whatever the fields say. */
static bool has_no_body(const http1_parser_t *p, const http1_message_t *m)
{
    return m->status < 200 || m->status == 204 || m->status == 304 ||
           p->answer_to == HTTP_METHOD_HEAD || is_tunnel(p, m);
}

static int frame_response(http1_parser_t *p, http1_message_t *m, facts_t *f)
{
    bool any = p->options->any_coding && !f->chunked;
    bool faulty = f->coding && !any && (m->minor == 0 || http1_field(m, HTTP_FIELD_CONTENT_LENGTH));
    int err;

    m->framing = HTTP1_NO_BODY;
    m->keep_alive = m->status < 200 || (!f->close && (m->minor > 0 || f->keep_alive));
    m->keep_alive &= !is_tunnel(p, m);
    if (has_no_body(p, m))
        return 0;
    if (p->options->ignore_length || f->endless || (p->options->lenient && faulty)) {
        m->keep_alive &= !faulty;
        m->content_length = f->endless ? INT64_MAX : -1;
        f->length = -1;
        f->length_error = 0;
    } else if (!any && (err = check_both(p, m, f)) < 0) {
        return err;
    }
    if ((err = check_values(p, f)) < 0)
        return err;
    if (f->chunked || f->length >= 0)
        m->framing = f->chunked ? HTTP1_CHUNKED : f->length > 0 ? HTTP1_LENGTH : HTTP1_NO_BODY;
    else
        m->framing = HTTP1_TO_CLOSE;
    m->keep_alive &= m->framing != HTTP1_TO_CLOSE;
    return 0;
}

int http1__frame(http1_parser_t *p, http1_message_t *m)
{
    facts_t facts = {.length = -1};

    m->expect_continue = false;
    read_facts(p, &facts, m);
    m->content_length = facts.length_error == 0 ? facts.length : -1;
    m->upgrade = facts.upgrade && m->minor > 0 && http1_field(m, HTTP_FIELD_UPGRADE);
    return p->kind == HTTP1_REQUESTS ? frame_request(p, m, &facts) : frame_response(p, m, &facts);
}
