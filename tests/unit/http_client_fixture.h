/* http_client_fixture: transfers with a server that is a plain socket and follows a script. Include
 * it after cmocka.h. */
#ifndef HNET_TESTS_HTTP_CLIENT_FIXTURE_H
#define HNET_TESTS_HTTP_CLIENT_FIXTURE_H

#include "loop_test.h"

#include "proto/http_client.h"
#include "proto/http_source.h"

#define HEARD_SIZE 65536
#define OK(body) "HTTP/1.1 200 OK\r\nContent-Length: " body

typedef struct lab_s {
    hloop_t *loop;
    http_client_t *client;
    struct sockaddr_in addr;
    int listener;
    int fd; /* the connection that was accepted last */
    hurl_t url;
    http_transfer_t *transfer;
    int heads, hops[16], closes;
    int status;
    char body[HEARD_SIZE];
    size_t body_len;
    int refuse; /* what on_body returns */
    http_fault_e fault;
    http_transfer_info_t info;
    char error[HTTP_CLIENT_ERROR_SIZE], url_text[512], redirect_url[512];
} lab_t;

static inline void on_head(http_transfer_t *transfer, http_hop_e hop,
                           const http_exchange_response_t *response, void *userdata)
{
    lab_t *lab = userdata;

    (void)transfer;
    lab->status = response->status;
    lab->hops[lab->heads++ % 16] = (int)hop;
}

static inline int on_body(http_transfer_t *transfer, http_span_t data, void *userdata)
{
    lab_t *lab = userdata;

    (void)transfer;
    if (lab->refuse < 0)
        return lab->refuse;
    assert_true(lab->body_len + data.len < sizeof(lab->body));
    memcpy(lab->body + lab->body_len, data.data, data.len);
    lab->body_len += data.len;
    lab->body[lab->body_len] = '\0';
    return 0;
}

static inline void on_close(http_transfer_t *transfer, http_fault_e fault, void *userdata)
{
    lab_t *lab = userdata;

    lab->closes++;
    lab->fault = fault;
    lab->transfer = NULL;
    http_transfer_info(transfer, &lab->info);
    snprintf(lab->error, sizeof(lab->error), "%s", http_transfer_error(transfer));
    snprintf(lab->url_text, sizeof(lab->url_text), "%s", lab->info.url);
    snprintf(lab->redirect_url, sizeof(lab->redirect_url), "%s", lab->info.redirect_url);
}

static const http_transfer_callbacks_t callbacks = {
    .on_head = on_head, .on_body = on_body, .on_close = on_close};

static inline void lab_open(lab_t *lab, http_client_options_t options)
{
    memset(lab, 0, sizeof(*lab));
    lab->loop = new_loop();
    lab->fd = -1;
    lab->listener = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &lab->addr);
    assert_int_equal(http_client_new(lab->loop, &options, &lab->client), 0);
}

static inline void lab_close(lab_t *lab)
{
    http_client_free(lab->client);
    hloop_free(&lab->loop);
    hurl_deinit(&lab->url);
    if (lab->fd >= 0)
        close(lab->fd);
    close(lab->listener);
}

/* "http://127.0.0.1:PORT" and the rest, unless that is a whole URL. */
static inline void start(lab_t *lab, const char *rest, http_transfer_options_t options)
{
    char text[1024];

    snprintf(text, sizeof(text), "http://127.0.0.1:%d%s", ntohs(lab->addr.sin_port), rest);
    if (strstr(rest, "://"))
        snprintf(text, sizeof(text), "%s", rest);
    hurl_deinit(&lab->url);
    assert_int_equal(hurl_parse(&lab->url, text, strlen(text), NULL, HURL_AS_GIVEN), 0);
    options.url = &lab->url;
    lab->heads = lab->closes = lab->status = 0;
    lab->body_len = 0;
    lab->body[0] = '\0';
    assert_int_equal(http_transfer_start(lab->client, &options, &callbacks, lab, &lab->transfer),
                     0);
}

static inline void accept_one(lab_t *lab)
{
    if (lab->fd >= 0)
        close(lab->fd);
    while ((lab->fd = accept4(lab->listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        assert_int_equal(errno, EAGAIN);
        hloop_wakeup(lab->loop);
        assert_int_equal(hloop_run(lab->loop), 0);
    }
}

/* Reads until what came ends with `end`; into heard, of HEARD_SIZE bytes. */
static inline void hear(lab_t *lab, const char *end, char *heard)
{
    size_t len = 0, end_len = strlen(end);

    do {
        ssize_t n = recv(lab->fd, heard + len, HEARD_SIZE - 1 - len, MSG_DONTWAIT);

        assert_true(n > 0 || (n < 0 && errno == EAGAIN));
        len += n > 0 ? (size_t)n : 0;
        hloop_wakeup(lab->loop);
        assert_int_equal(hloop_run(lab->loop), 0);
    } while (len < end_len || memcmp(heard + len - end_len, end, end_len) != 0);
    heard[len] = '\0';
}

/* The whole head, and nothing behind it, is this; "PORT" in it is the server's. */
static inline void hears(lab_t *lab, const char *expected)
{
    static char heard[HEARD_SIZE];
    char text[4096], port[8];
    const char *at;

    hear(lab, "\r\n\r\n", heard);
    snprintf(port, sizeof(port), "%d", ntohs(lab->addr.sin_port));
    text[0] = '\0';
    while ((at = strstr(expected, "PORT"))) {
        size_t len = strlen(text);

        snprintf(text + len, sizeof(text) - len, "%.*s%s", (int)(at - expected), expected, port);
        expected = at + 4;
    }
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", expected);
    assert_string_equal(heard, text);
}

static inline void says(const lab_t *lab, const char *text)
{
    assert_int_equal(send(lab->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static inline void ends(lab_t *lab)
{
    RUN_UNTIL(lab->loop, lab->closes > 0);
    assert_int_equal(lab->closes, 1);
}

static inline http_source_t *source_of(const char *text)
{
    http_source_t *source;

    assert_int_equal(http_source_memory(text, strlen(text), &source), 0);
    return source;
}

#endif
