/* Both sides of SOCKS do the same however their input is cut, take nothing behind its end, and
 * never need more than comes. The first byte: side, version, log-in and UDP; the second: where to
 * cut. And the head of a datagram that was read is written as it was. */
#include "base/herr.h"
#include "codec/socks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAX 4096

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* What a side did in all. */
typedef struct run_s {
    uint8_t out[OUTPUT_MAX];
    size_t out_len, taken;
    int state, failed;
} run_t;

static void put(run_t *run, const void *data, size_t len)
{
    check(len <= sizeof(run->out) - run->out_len);
    if (len > 0)
        memcpy(run->out + run->out_len, data, len);
    run->out_len += len;
}

static void feed_server(socks_server_t *server, run_t *run, const uint8_t *data, size_t len)
{
    const void *out;
    size_t out_len;

    while (!run->failed && socks_server_need(server) > 0 && len > 0) {
        ssize_t taken = socks_server_feed(server, data, len);

        run->failed = taken < 0;
        if (taken > 0) {
            check((size_t)taken <= len);
            data += taken;
            len -= (size_t)taken;
            run->taken += (size_t)taken;
        }
        if (server->state == SOCKS_SERVER_LOGIN)
            socks_server_login(server, strlen(server->user) < 4);
        if (server->state == SOCKS_SERVER_REQUEST) {
            check(server->host[0] && strlen(server->host) < SOCKS_HOST_SIZE);
            socks_server_reply(server, server->port % 9, "::1", 1);
        }
        out_len = socks_server_output(server, &out);
        put(run, out, out_len);
    }
    run->state = server->state;
}

static void feed_client(socks_client_t *client, run_t *run, const uint8_t *data, size_t len)
{
    const void *out;
    size_t out_len;
    ssize_t taken;

    if (run->failed || socks_client_need(client) == 0)
        return;
    taken = socks_client_feed(client, data, len);
    run->failed = taken < 0;
    if (taken > 0)
        run->taken += (size_t)taken;
    check(taken <= (ssize_t)len && (taken == (ssize_t)len || client->state > SOCKS_CLIENT_REPLY));
    check((taken < 0) == (socks_client_error(client)[0] != '\0'));
    out_len = socks_client_output(client, &out);
    put(run, out, out_len);
    run->state = client->state;
}

static run_t run(uint8_t what, const uint8_t *data, size_t len, size_t cut)
{
    static const socks_version_e versions[] = {SOCKS_VERSION_4, SOCKS_VERSION_4A, SOCKS_VERSION_5};
    run_t result = {.out_len = 0};
    socks_server_t server;
    socks_client_t client;

    if (what & 1) {
        socks_server_init(&server,
                          ((what >> 1 & 3) ? what >> 1 & 3 : 3) |
                              (what & 16 ? SOCKS_SERVER_ALLOW_UDP : 0),
                          what & 8);
        feed_server(&server, &result, data, cut);
        feed_server(&server, &result, data + cut, len - cut);
    } else {
        check(socks_client_init(&client, versions[(what >> 1) % 3], "127.0.0.1", 80,
                                what & 8 ? "user" : NULL, "secret") == 0);
        feed_client(&client, &result, data, cut);
        feed_client(&client, &result, data + cut, len - cut);
    }
    return result;
}

static void read_datagram(const uint8_t *data, size_t len)
{
    uint8_t head[SOCKS_DATAGRAM_HEAD_MAX];
    socks_datagram_t datagram, again;
    ssize_t n = socks_datagram_parse(&datagram, data, len), made;

    if (n < 0)
        return;
    check((size_t)n <= len && datagram.host[0] && strlen(datagram.host) < SOCKS_HOST_SIZE);
    made = (ssize_t)socks_datagram_compose(datagram.host, datagram.port, head);
    check(socks_datagram_parse(&again, head, (size_t)made) == made && again.fragment == 0 &&
          again.port == datagram.port && strcmp(again.host, datagram.host) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_t whole, pieces;
    size_t cut;

    if (size < 2)
        return 0;
    read_datagram(data + 2, size - 2);
    cut = data[1] < size - 2 ? data[1] : size - 2;
    whole = run(data[0], data + 2, size - 2, 0);
    pieces = run(data[0], data + 2, size - 2, cut);
    check(whole.state == pieces.state && whole.failed == pieces.failed);
    if (!whole.failed) {
        check(whole.taken == pieces.taken && whole.out_len == pieces.out_len);
        check(memcmp(whole.out, pieces.out, whole.out_len) == 0);
    }
    return 0;
}
