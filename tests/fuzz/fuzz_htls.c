/* What a peer may say before TLS is agreed on, to a client or to a server; and the texts of a
 * context's settings. The first byte chooses. */
#include "net/htls.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ITERATIONS_MAX 50
#define TEXT_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAY_TO_CLIENT, SAY_TO_SERVER, PIN, ALPN, CIPHERS, GROUPS, CHOICES };

static htls_ctx_t *contexts[2]; /* client, server */

static void on_close(hio_t *io)
{
    char error[HTLS_ERROR_SIZE];

    htls_error(io, error, sizeof(error));
    for (const char *p = error; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            abort(); /* it is shown on a terminal */
    }
    if (hio_error(io) <= HERR_CLOSED && !error[0])
        abort();
    *(bool *)hevent_userdata(io) = true;
}

static void say(int role, const uint8_t *data, size_t size)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    bool closed = false;
    int fds[2];
    hio_t *io;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        abort();
    io = hio_get(loop, fds[0]);
    hevent_set_userdata(io, &closed);
    hio_setcb_close(io, on_close);
    if ((role ? htls_server(io, contexts[1]) : htls_client(io, contexts[0], "a.test")) < 0)
        abort();
    hio_read(io);
    if (send(fds[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && size > 0)
        abort();
    shutdown(fds[1], SHUT_WR);
    for (int i = 0; !closed && i < ITERATIONS_MAX; i++) {
        hloop_wakeup(loop);
        hloop_run(loop);
    }
    if (!closed)
        abort();
    hloop_free(&loop);
    close(fds[1]);
}

static void set(int choice, const uint8_t *data, size_t size)
{
    htls_options_t options = {.insecure = true};
    htls_ctx_t *ctx = NULL;
    char text[TEXT_MAX + 16] = "", error[HTLS_ERROR_SIZE] = "";
    size_t prefix = choice == PIN ? strlen("sha256//") : 0;

    memcpy(text, "sha256//", prefix);
    memcpy(text + prefix, data, size < TEXT_MAX ? size : TEXT_MAX);
    options.pinned_key = choice == PIN ? text : NULL;
    options.alpn = choice == ALPN ? text : NULL;
    options.ciphers = choice == CIPHERS ? text : NULL;
    options.groups = choice == GROUPS ? text : NULL;
    if (htls_ctx_new(&options, &ctx, error, sizeof(error)) < 0 && !error[0])
        abort();
    htls_ctx_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const htls_options_t client = {.insecure = true};
    const htls_options_t server = {.server = true, .self_signed = true, .alpn = "h2,x"};

    if (!contexts[0] && (htls_ctx_new(&client, &contexts[0], NULL, 0) < 0 ||
                         htls_ctx_new(&server, &contexts[1], NULL, 0) < 0))
        abort();
    if (size == 0)
        return 0;
    if (data[0] % CHOICES <= SAY_TO_SERVER)
        say(data[0] % CHOICES, data + 1, size - 1);
    else
        set(data[0] % CHOICES, data + 1, size - 1);
    return 0;
}
