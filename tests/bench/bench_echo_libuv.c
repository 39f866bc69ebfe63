/* The echo server on libuv: one read buffer for all connections, uv_try_write first (cheaper than
 * uv_write, which allocates a request), uv_write for what remains. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct rest_s {
    uv_write_t request;
    char data[];
} rest_t;

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_written(uv_write_t *request, int status)
{
    (void)status; /* an error ends the reading too */
    free(request);
}

static void give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char shared[BENCH_READ_SIZE];

    (void)handle;
    (void)size;
    *buf = uv_buf_init(shared, sizeof(shared));
}

static void write_rest(uv_stream_t *stream, const char *data, size_t len)
{
    rest_t *rest = malloc(sizeof(*rest) + len);
    uv_buf_t buf;

    if (!rest)
        bench_fail("malloc");
    memcpy(rest->data, data, len);
    buf = uv_buf_init(rest->data, (unsigned)len);
    if (uv_write(&rest->request, stream, &buf, 1, on_written) < 0)
        free(rest);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    uv_buf_t data;
    int sent;

    if (n < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    if (n == 0)
        return;
    data = uv_buf_init(buf->base, (unsigned)n);
    sent = uv_try_write(stream, &data, 1);
    if (sent < 0)
        sent = 0; /* EAGAIN; anything else comes again from uv_write or the reading */
    if (sent < n)
        write_rest(stream, buf->base + sent, (size_t)(n - sent));
}

static void on_connection(uv_stream_t *listener, int status)
{
    uv_tcp_t *tcp = malloc(sizeof(*tcp));

    if (!tcp || status < 0 || uv_tcp_init(listener->loop, tcp) < 0)
        bench_fail("connection");
    if (uv_accept(listener, (uv_stream_t *)tcp) < 0)
        bench_fail("uv_accept");
    uv_read_start((uv_stream_t *)tcp, give_buffer, on_read);
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;

    if (uv_tcp_init(loop, &listener) < 0 || uv_tcp_open(&listener, bench_listen()) < 0 ||
        uv_listen((uv_stream_t *)&listener, 4096, on_connection) < 0)
        bench_fail("start");
    return uv_run(loop, UV_RUN_DEFAULT);
}
