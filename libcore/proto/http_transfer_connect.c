/* A tunnel through an HTTP proxy, as the transfer sees it: hdial makes it; the heads that go to and
 * fro are told as those of any other hop. */
#include "http_client_int.h"

#include "http_exchange_int.h"

static unsigned logins_of(const http_login_t *login)
{
    unsigned schemes = login->schemes ? login->schemes : HTTP_LOGIN_BASIC;

    if (schemes == HTTP_LOGIN_BASIC)
        return HDIAL_PROXY_BASIC_UNASKED;
    return (schemes & HTTP_LOGIN_BASIC ? HDIAL_PROXY_BASIC : 0U) |
           (schemes & HTTP_LOGIN_DIGEST ? HDIAL_PROXY_DIGEST : 0U);
}

/* A tunnel has no length: RFC 9110 section 9.3.6. */
static void tell_ignored(http_transfer_t *t, const http_exchange_response_t *response)
{
    for (size_t i = 0; response->status / 100 == 2 && i < response->field_count; i++) {
        http_field_e id = response->fields[i].id;

        if (id == HTTP_FIELD_CONTENT_LENGTH || id == HTTP_FIELD_TRANSFER_ENCODING)
            http_transfer__info(t, "Ignoring %s in CONNECT %d response",
                                id == HTTP_FIELD_CONTENT_LENGTH ? "Content-Length"
                                                                : "Transfer-Encoding",
                                response->status);
    }
}

static void tell_answer(http_transfer_t *t, http_span_t head)
{
    http1_options_t options = {.lenient = true, .line_max = head.len, .head_max = head.len};
    http_field_t fields[HTTP1_FIELDS_MAX];
    http1_message_t message;
    http1_parser_t parser;
    http_exchange_response_t response;
    http_span_t rest = head;

    http1_message_init(&message, fields, HTTP1_FIELDS_MAX);
    http1_init(&parser, HTTP1_RESPONSES, &options);
    http1_answer_to(&parser, HTTP_METHOD_CONNECT);
    if (http1_parse(&parser, &rest, &message) == HTTP1_HEAD) {
        response = http1_client__response(&message);
        t->info.connect_status = response.status;
        tell_ignored(t, &response);
        if (t->callbacks->on_head)
            t->callbacks->on_head(t, HTTP_HOP_CONNECT, &response, t->userdata);
    }
    http1_deinit(&parser);
}

void http_transfer__attempt(hdial_t *dial, const haddr_t *addr, int err, void *arg)
{
    char text[HADDR_FORMAT_SIZE];

    (void)dial;
    haddr_format(&addr->u.sa, addr->len, text, sizeof(text));
    if (err == 0)
        http_transfer__info(http_exchange_userdata(arg), "  Trying %s...", text);
    else
        http_transfer__info(http_exchange_userdata(arg), "connect to %s failed: %s", text,
                            herr_str(err));
}

/* Up to the first space. */
static http_span_t word_of(http_span_t text)
{
    size_t len = 0;

    while (len < text.len && text.data[len] != ' ')
        len++;
    return (http_span_t){text.data, len};
}

/* "CONNECT host:port HTTP/1.1" for people, and as whom. */
static void tell_request(http_transfer_t *t, http_span_t head)
{
    static const char method[] = "CONNECT ";
    http_span_t rest = {head.data + sizeof(method) - 1, head.len - (sizeof(method) - 1)};
    http_span_t where = word_of(rest), line, value;

    http_transfer__info(t, "Establish HTTP proxy tunnel to %.*s", (int)where.len, where.data);
    if (!http_line_next(&rest, &line) || !t->proxy_login.user ||
        !http_field_find(rest, "Proxy-Authorization", &value))
        return;
    value = word_of(value);
    http_transfer__info(t, "Proxy auth using %.*s with user '%s'", (int)value.len, value.data,
                        t->proxy_login.user);
}

static void on_proxy_head(hdial_t *dial, size_t proxy, http_span_t head, int status, void *arg)
{
    http_transfer_t *t = http_exchange_userdata(arg);

    (void)dial;
    (void)proxy;
    if (status == 0) {
        t->info.request_bytes += head.len;
        tell_request(t, head);
        http_transfer__trace(t, HTTP_TRACE_HEAD_OUT, head.data, head.len);
        return;
    }
    t->info.head_bytes += head.len;
    t->info.connect_status = status;
    http_transfer__trace(t, HTTP_TRACE_HEAD_IN, head.data, head.len);
    tell_answer(t, head);
    if (status / 100 == 2)
        http_transfer__info(t, "CONNECT tunnel established, response %d", status);
}

const hdial_connect_options_t *http_transfer__connect(http_transfer_t *t)
{
    const http_transfer_options_t *o = &t->options;

    t->connect = (hdial_connect_options_t){
        .http10 = t->client->options.proxy_http10,
        .keep_alive = true,
        .user_agent = o->user_agent,
        .fields = o->proxy_fields,
        .field_count = o->proxy_field_count,
        .user = t->proxy_login.user,
        .password = t->proxy_login.password,
        .logins = logins_of(&t->proxy_login),
        .head_cb = on_proxy_head,
    };
    return &t->connect;
}
