/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_client_fixture.h"

#include "proto/http_coding.h"

#include "base/herr.h"
#include "proto/http_hsts.h"
#include "proto/http_source.h"

#include <time.h>

#define PART_SIZE 50000 /* of a source that gives it over and over */
#define PARTS 200

/* ---- aborts ---------------------------------------------------------------------------------- */

static void abort_at_head(http_transfer_t *transfer, http_hop_e hop,
                          const http_exchange_response_t *response, void *userdata)
{
    on_head(transfer, hop, response, userdata);
    http_transfer_abort(transfer, HTTP_FAULT_WRITE, "no room");
}

/* At the first head, and so at the request of CONNECT, that leaves. */
static void abort_at_request(http_transfer_t *transfer, http_trace_e kind, http_span_t data,
                             void *userdata)
{
    (void)data;
    (void)userdata;
    if (kind == HTTP_TRACE_HEAD_OUT)
        http_transfer_abort(transfer, HTTP_FAULT_WRITE, "no room");
}

static void abort_at_text(http_transfer_t *transfer, http_trace_e kind, http_span_t data,
                          void *userdata)
{
    (void)userdata;
    if (kind == HTTP_TRACE_INFO && memmem(data.data, data.len, "Issue another", 13))
        http_transfer_abort(transfer, HTTP_FAULT_WRITE, "no room");
}

static void begin(lab_t *lab, const char *text, const http_transfer_callbacks_t *with,
                  http_transfer_options_t options)
{
    hurl_deinit(&lab->url);
    assert_int_equal(hurl_parse(&lab->url, text, strlen(text), NULL, HURL_AS_GIVEN), 0);
    options.url = &lab->url;
    lab->closes = 0;
    assert_int_equal(http_transfer_start(lab->client, &options, with, lab, &lab->transfer), 0);
}

/* A lab whose transfer has been heard. */
static void ask(lab_t *lab, const http_transfer_callbacks_t *with, http_transfer_options_t options)
{
    char heard[HEARD_SIZE], text[64];

    lab_open(lab, (http_client_options_t){0});
    snprintf(text, sizeof(text), "http://127.0.0.1:%d/", ntohs(lab->addr.sin_port));
    begin(lab, text, with, options);
    accept_one(lab);
    hear(lab, "\r\n\r\n", heard);
}

static void open_proxied(lab_t *lab)
{
    hproxy_t proxy = {.type = HPROXY_HTTP, .host = "127.0.0.1"};
    lab_t first;

    lab_open(&first, (http_client_options_t){0});
    http_client_free(first.client);
    *lab = first;
    proxy.port = ntohs(lab->addr.sin_port);
    assert_int_equal(
        http_client_new(lab->loop, &(http_client_options_t){.proxy = &proxy, .proxy_tunnel = true},
                        &lab->client),
        0);
}

static void an_abort_at_the_answer_of_a_proxy_ends_it(void **state)
{
    static const http_transfer_callbacks_t with = {.on_head = abort_at_head, .on_close = on_close};
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    open_proxied(&lab);
    begin(&lab, "http://test.example/", &with, (http_transfer_options_t){0});
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    says(&lab, "HTTP/1.1 200 OK\r\n\r\n");
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_WRITE);
    assert_string_equal(lab.error, "no room");
    lab_close(&lab);
}

static void an_abort_at_the_request_to_a_proxy_ends_it(void **state)
{
    static const http_transfer_callbacks_t with = {.on_trace = abort_at_request,
                                                   .on_close = on_close};
    lab_t lab;

    (void)state;
    open_proxied(&lab);
    begin(&lab, "http://test.example/", &with, (http_transfer_options_t){0});
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_WRITE);
    lab_close(&lab);
}

static void an_abort_between_two_hops_ends_it(void **state)
{
    static const http_transfer_callbacks_t with = {.on_trace = abort_at_text, .on_close = on_close};
    lab_t lab;

    (void)state;
    ask(&lab, &with, (http_transfer_options_t){.follow = true});
    says(&lab, "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_WRITE);
    lab_close(&lab);
}

/* ---- pauses ---------------------------------------------------------------------------------- */

static void pause_at_redirect(http_transfer_t *transfer, http_hop_e hop,
                              const http_exchange_response_t *response, void *userdata)
{
    on_head(transfer, hop, response, userdata);
    if (hop == HTTP_HOP_REDIRECT)
        http_transfer_pause(transfer);
}

#define ZEROS 1000000

typedef struct sips_s {
    lab_t lab; /* first: it is the userdata of on_close, too */
    size_t pieces, len;
} sips_t;

static int take_a_sip(http_transfer_t *transfer, http_span_t data, void *userdata)
{
    sips_t *sips = userdata;

    sips->pieces++;
    sips->len += data.len;
    http_transfer_pause(transfer);
    return 0;
}

static void say_zeros(const lab_t *lab)
{
    static char zeros[ZEROS], packed[ZEROS / 100], head[256];
    http_span_t in = {zeros, sizeof(zeros)};
    hbuf_t out = {packed, sizeof(packed)};
    http_coding_t *encoder;

    assert_int_equal(http_encoder_new(HTTP_CODING_GZIP, 9, ZEROS, &encoder), 0);
    assert_int_equal(http_coding_step(encoder, &in, &out, HTTP_CODING_FINISH), HTTP_CODING_END);
    http_coding_free(encoder);
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
             sizeof(packed) - out.len);
    says(lab, head);
    assert_int_equal(send(lab->fd, packed, sizeof(packed) - out.len, MSG_NOSIGNAL),
                     (ssize_t)(sizeof(packed) - out.len));
}

/* A few bytes may become very many: they come no faster than they are taken. */
static void a_pause_holds_within_what_is_decoded(void **state)
{
    static const http_transfer_callbacks_t with = {.on_body = take_a_sip, .on_close = on_close};
    sips_t sips = {.pieces = 0};

    (void)state;
    if (!(http_coding_available(HTTP_CODING_ALL) & HTTP_CODING_BIT(HTTP_CODING_GZIP)))
        skip();
    ask(&sips.lab, &with, (http_transfer_options_t){.accept_encoding = "gzip"});
    say_zeros(&sips.lab);
    for (size_t pieces = 1; sips.len < ZEROS; pieces++) {
        RUN_UNTIL(sips.lab.loop, sips.pieces >= pieces);
        settle(sips.lab.loop);
        assert_int_equal(sips.pieces, pieces);
        assert_int_equal(sips.lab.closes, 0);
        http_transfer_resume(sips.lab.transfer);
    }
    assert_true(sips.pieces > 1);
    ends(&sips.lab);
    assert_int_equal(sips.lab.fault, HTTP_FAULT_NONE);
    lab_close(&sips.lab);
}

static void pause_at_data(http_transfer_t *transfer, http_trace_e kind, http_span_t data,
                          void *userdata)
{
    (void)data;
    (void)userdata;
    if (kind == HTTP_TRACE_DATA_IN)
        http_transfer_pause(transfer);
}

static void a_pause_holds_what_is_being_traced(void **state)
{
    static const http_transfer_callbacks_t with = {
        .on_trace = pause_at_data, .on_body = on_body, .on_close = on_close};
    lab_t lab;

    (void)state;
    ask(&lab, &with, (http_transfer_options_t){0});
    says(&lab, OK("2\r\n\r\nok"));
    settle(lab.loop);
    assert_int_equal(lab.body_len, 0);
    http_transfer_resume(lab.transfer);
    ends(&lab);
    assert_string_equal(lab.body, "ok");
    lab_close(&lab);
}

static void a_pause_lasts_over_a_redirect(void **state)
{
    static const http_transfer_callbacks_t with = {
        .on_head = pause_at_redirect, .on_body = on_body, .on_close = on_close};
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    ask(&lab, &with, (http_transfer_options_t){.follow = true});
    says(&lab, "HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\n\r\n");
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    says(&lab, OK("2\r\n\r\nok"));
    for (int i = 0; i < 50; i++) {
        hloop_wakeup(lab.loop);
        assert_int_equal(hloop_run(lab.loop), 0);
    }
    assert_int_equal(lab.body_len, 0);
    assert_int_equal(lab.closes, 0);
    http_transfer_resume(lab.transfer);
    ends(&lab);
    assert_string_equal(lab.body, "ok");
    lab_close(&lab);
}

/* ---- requests that are not seen to their end ------------------------------------------------- */

/* What came says that the server has the request: it must not have it twice. */
static void a_request_that_was_begun_to_be_answered_is_not_repeated(void **state)
{
    http_source_t *body = NULL;
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    assert_int_equal(http_source_memory("hello", 5, &body), 0);
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){0});
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    says(&lab, OK("2\r\n\r\nok"));
    ends(&lab);
    start(&lab, "/", (http_transfer_options_t){.body = body});
    hear(&lab, "hello", heard);
    says(&lab, "HTTP/1.1 100 Continue\r\n\r\n");
    shutdown(lab.fd, SHUT_RDWR);
    ends(&lab);
    assert_int_not_equal(lab.fault, HTTP_FAULT_NONE);
    http_source_free(body);
    lab_close(&lab);
}

static void swallow(lab_t *lab, size_t *len)
{
    static char piece[65536];
    ssize_t n = recv(lab->fd, piece, sizeof(piece), MSG_DONTWAIT);

    *len += n > 0 ? (size_t)n : 0;
}

static void a_body_is_sent_whole_though_the_answer_came_early(void **state)
{
    size_t size = (size_t)PART_SIZE * PARTS, len = 0;
    char *text = calloc(1, size);
    http_source_t *body = NULL;
    lab_t lab;

    (void)state;
    assert_non_null(text);
    assert_int_equal(http_source_memory(text, size, &body), 0);
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){.body = body, .expect = -1});
    accept_one(&lab);
    says(&lab, OK("2\r\n\r\nok"));
    while (lab.closes == 0 || len <= size) { /* what is sent takes its time; with the head */
        swallow(&lab, &len);
        hloop_wakeup(lab.loop);
        assert_int_equal(hloop_run(lab.loop), 0);
    }
    assert_int_equal(lab.fault, HTTP_FAULT_NONE);
    assert_int_equal(lab.info.uploaded, size);
    assert_string_equal(lab.body, "ok");
    http_source_free(body);
    free(text);
    lab_close(&lab);
}

/* As if it had not changed: -z of a server that knows no conditions. */
static void a_body_that_is_not_wanted_is_not_waited_for(void **state)
{
    static char piece[65536];
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(
        &lab, "/",
        (http_transfer_options_t){.condition = HTTP_IF_MODIFIED_SINCE, .condition_s = 1577836800});
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    says(&lab, "HTTP/1.1 200 OK\r\nLast-Modified: Mon, 01 Jan 2001 00:00:00 GMT\r\n"
               "Content-Length: 100000000000\r\n\r\n");
    for (int i = 0; i < 10000 && lab.closes == 0; i++) {
        (void)send(lab.fd, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT);
        hloop_wakeup(lab.loop);
        assert_int_equal(hloop_run(lab.loop), 0);
    }
    assert_int_equal(lab.closes, 1);
    assert_int_equal(lab.fault, HTTP_FAULT_NONE);
    assert_int_equal(lab.info.status, 304);
    assert_int_equal(lab.body_len, 0);
    lab_close(&lab);
}

static void a_method_that_is_too_long_is_not_cut(void **state)
{
    char method[129];
    lab_t lab;

    (void)state;
    memset(method, 'A', sizeof(method) - 1);
    method[128] = '\0';
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){.method = method});
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_USAGE);
    lab_close(&lab);
}

/* RFC 6797 section 8.3. */
static void the_port_of_http_becomes_that_of_https(void **state)
{
    http_hsts_t *hsts = NULL;
    lab_t lab;

    (void)state;
    assert_int_equal(http_hsts_new(&hsts), 0);
    assert_int_equal(http_hsts_set(hsts, "h.test", http_span("max-age=1000"), time(NULL)), 0);
    lab_open(&lab, (http_client_options_t){.dial = {.numeric = true}});
    start(&lab, "http://h.test:80/a", (http_transfer_options_t){.hsts = hsts});
    ends(&lab);
    assert_string_equal(lab.url_text, "https://h.test/a");
    start(&lab, "http://h.test:8080/a", (http_transfer_options_t){.hsts = hsts});
    ends(&lab);
    assert_string_equal(lab.url_text, "https://h.test:8080/a");
    lab_close(&lab);
    http_hsts_free(hsts);
}

/* ---- credentials ----------------------------------------------------------------------------- */

static void credentials_of_the_url_stay_with_its_server(void **state)
{
    char heard[HEARD_SIZE], text[64];
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    snprintf(text, sizeof(text), "http://joe:pw@127.0.0.1:%d/", ntohs(lab.addr.sin_port));
    start(&lab, text,
          (http_transfer_options_t){.follow = true, .login = {.schemes = HTTP_LOGIN_DIGEST}});
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    says(&lab, "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n"
               "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\r\n");
    hear(&lab, "\r\n\r\n", heard);
    assert_non_null(strstr(heard, "\r\nAuthorization: Digest username=\"joe\""));
    snprintf(text, sizeof(text), "http://127.0.0.1:%d/b", ntohs(lab.addr.sin_port));
    says(&lab, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ");
    says(&lab, text);
    says(&lab, "\r\n\r\n");
    hear(&lab, "\r\n\r\n", heard);
    assert_non_null(strstr(heard, "\r\nAuthorization: Digest username=\"joe\""));
    snprintf(text, sizeof(text), "http://localhost:%d/c", ntohs(lab.addr.sin_port));
    says(&lab, "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: ");
    says(&lab, text);
    says(&lab, "\r\n\r\n");
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    assert_null(strstr(heard, "Authorization"));
    says(&lab, OK("2\r\n\r\nok"));
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_NONE);
    lab_close(&lab);
}

/* ---- servers --------------------------------------------------------------------------------- */

typedef struct crowd_s {
    lab_t *lab;
    char url[64];
    hurl_t parsed;
    http_transfer_t *transfer;
} crowd_t;

static void on_other_close(http_transfer_t *transfer, http_fault_e fault, void *userdata)
{
    int *closes = userdata;

    (void)transfer;
    (void)fault;
    (*closes)++;
}

/* More servers than are remembered; the end of the first one's transfer begins another one, for
 * which the first one is forgotten. */
static void on_first_close(http_transfer_t *transfer, http_fault_e fault, void *userdata)
{
    static const http_transfer_callbacks_t other = {.on_close = on_other_close};
    crowd_t *crowd = userdata;
    http_transfer_options_t options = {.url = &crowd->parsed};

    on_close(transfer, fault, crowd->lab);
    assert_int_equal(hurl_parse(&crowd->parsed, "http://127.1.2.3:1/", 19, NULL, HURL_AS_GIVEN), 0);
    assert_int_equal(http_transfer_start(crowd->lab->client, &options, &other, &crowd->lab->heads,
                                         &crowd->transfer),
                     0);
}

static void a_server_is_not_forgotten_while_it_is_at_work(void **state)
{
    static const http_transfer_callbacks_t first = {.on_close = on_first_close};
    static const http_transfer_callbacks_t other = {.on_close = on_other_close};
    http_transfer_options_t options = {0};
    char text[64], heard[HEARD_SIZE];
    crowd_t crowd = {0};
    int closes = 0;
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    crowd.lab = &lab;
    snprintf(text, sizeof(text), "http://127.0.0.1:%d/", ntohs(lab.addr.sin_port));
    assert_int_equal(hurl_parse(&lab.url, text, strlen(text), NULL, HURL_AS_GIVEN), 0);
    options.url = &lab.url;
    assert_int_equal(http_transfer_start(lab.client, &options, &first, &crowd, &lab.transfer), 0);
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    for (int i = 1; i < 256; i++) {
        hurl_t url = {0};
        http_transfer_t *transfer;

        snprintf(text, sizeof(text), "http://127.0.1.%d:1/", i);
        assert_int_equal(hurl_parse(&url, text, strlen(text), NULL, HURL_AS_GIVEN), 0);
        options.url = &url;
        assert_int_equal(http_transfer_start(lab.client, &options, &other, &closes, &transfer), 0);
        RUN_UNTIL(lab.loop, closes == i);
        hurl_deinit(&url);
    }
    says(&lab, "x");
    shutdown(lab.fd, SHUT_RDWR);
    RUN_UNTIL(lab.loop, lab.closes == 1 && lab.heads == 1);
    hurl_deinit(&crowd.parsed);
    lab_close(&lab);
}

/* ---- a client that goes ---------------------------------------------------------------------- */

static int restarts, last_start;

static void start_again(http_transfer_t *transfer, http_fault_e fault, void *userdata)
{
    static const http_transfer_callbacks_t with = {.on_close = start_again};
    lab_t *lab = userdata;
    http_transfer_options_t options = {.url = &lab->url};

    (void)transfer;
    assert_int_equal(fault, HTTP_FAULT_CANCELLED);
    if (++restarts < 10)
        last_start = http_transfer_start(lab->client, &options, &with, lab, &lab->transfer);
}

static void nothing_begins_with_a_client_that_goes(void **state)
{
    static const http_transfer_callbacks_t with = {.on_close = start_again};
    lab_t lab;

    (void)state;
    restarts = last_start = 0;
    lab_open(&lab, (http_client_options_t){0});
    begin(&lab, "http://127.0.0.1:1/", &with, (http_transfer_options_t){0});
    http_client_free(lab.client);
    lab.client = NULL;
    assert_int_equal(restarts, 1);
    assert_int_equal(last_start, HERR_CLOSED);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abort_at_the_answer_of_a_proxy_ends_it),
        cmocka_unit_test(an_abort_at_the_request_to_a_proxy_ends_it),
        cmocka_unit_test(an_abort_between_two_hops_ends_it),
        cmocka_unit_test(a_pause_lasts_over_a_redirect),
        cmocka_unit_test(a_pause_holds_within_what_is_decoded),
        cmocka_unit_test(a_pause_holds_what_is_being_traced),
        cmocka_unit_test(a_request_that_was_begun_to_be_answered_is_not_repeated),
        cmocka_unit_test(a_body_is_sent_whole_though_the_answer_came_early),
        cmocka_unit_test(a_body_that_is_not_wanted_is_not_waited_for),
        cmocka_unit_test(a_method_that_is_too_long_is_not_cut),
        cmocka_unit_test(the_port_of_http_becomes_that_of_https),
        cmocka_unit_test(credentials_of_the_url_stay_with_its_server),
        cmocka_unit_test(a_server_is_not_forgotten_while_it_is_at_work),
        cmocka_unit_test(nothing_begins_with_a_client_that_goes),
    };

    return run_on_each_poller("http_transfer_end", tests, ARRAY_LENGTH(tests));
}
