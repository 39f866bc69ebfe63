/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/htimer.h"
#include "net/hlisten.h"
#include "net/hresolve.h"
#include "oom.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 100000

/* One echo: a server and a client on one loop, which ends when the client was closed. */
typedef struct echo_s {
    hloop_t *loop;
    hio_t *listener;
    char got[64];
    size_t got_len;
    int accepted;
    int connected;
    int closed;
    int error;
    int nodelay;
} echo_t;

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/hlisten-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static const char *in_folder(const char *name)
{
    static char path[108];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void on_limit(htimer_t *timer)
{
    hloop_stop(hevent_loop(timer));
}

static echo_t *new_echo(void)
{
    echo_t *echo = calloc(1, sizeof(*echo));

    assert_non_null(echo);
    echo->loop = hloop_new(0);
    assert_non_null(echo->loop);
    hloop_set_userdata(echo->loop, echo);
    assert_non_null(htimer_add(echo->loop, on_limit, WAIT_MS, 1));
    return echo;
}

static void free_echo(echo_t *echo)
{
    hloop_free(&echo->loop);
    free(echo);
}

static echo_t *echo_of(hio_t *io)
{
    return hloop_userdata(hevent_loop(io));
}

static void on_server_read(hio_t *io, void *buf, int len)
{
    assert_int_equal(hio_write(io, buf, (size_t)len), len);
}

static void on_accept(hio_t *io)
{
    socklen_t len = sizeof(int);

    echo_of(io)->accepted++;
    getsockopt(hio_fd(io), IPPROTO_TCP, TCP_NODELAY, &echo_of(io)->nodelay, &len);
    hio_setcb_read(io, on_server_read);
    hio_read(io);
}

static void on_client_read(hio_t *io, void *buf, int len)
{
    echo_t *echo = echo_of(io);

    assert_true(echo->got_len + (size_t)len <= sizeof(echo->got));
    memcpy(echo->got + echo->got_len, buf, (size_t)len);
    echo->got_len += (size_t)len;
    if (echo->got_len >= 4)
        hio_close(io);
}

static void on_client_close(hio_t *io)
{
    echo_of(io)->closed++;
    echo_of(io)->error = hio_error(io);
    hloop_stop(hevent_loop(io));
}

static void on_connect(hio_t *io)
{
    echo_of(io)->connected++;
    hio_setcb_read(io, on_client_read);
    hio_read(io);
    assert_int_equal(hio_write(io, "ping", 4), 4);
}

static void assert_echoes(echo_t *echo)
{
    assert_int_equal(hloop_run(echo->loop), 0);
    assert_int_equal(echo->closed, 1);
    assert_int_equal(echo->error, 0);
    assert_int_equal(echo->got_len, 4);
    assert_memory_equal(echo->got, "ping", 4);
}

/* ---- libhv's names --------------------------------------------------------------------------- */

static void a_tcp_server_and_a_client_echo(void **state)
{
    echo_t *echo = new_echo();
    hio_t *listener = hloop_create_tcp_server(echo->loop, "127.0.0.1", 0, on_accept);
    int port;

    (void)state;
    assert_non_null(listener);
    port = haddr_port(hio_localaddr(listener));
    assert_true(port > 0);
    assert_non_null(
        hloop_create_tcp_client(echo->loop, "localhost", port, on_connect, on_client_close));
    assert_echoes(echo);
    assert_int_equal(echo->accepted, 1);
    assert_int_equal(echo->connected, 1);
    assert_int_equal(echo->nodelay, 1);
    free_echo(echo);
}

static void a_negative_port_means_a_unix_path_which_is_removed_at_the_end(void **state)
{
    echo_t *echo = new_echo();
    const char *path = in_folder("sock");
    hio_t *listener = hloop_create_tcp_server(echo->loop, path, -1, on_accept);

    (void)state;
    assert_non_null(listener);
    assert_int_equal(access(path, F_OK), 0);
    assert_non_null(hloop_create_tcp_client(echo->loop, path, -1, on_connect, on_client_close));
    assert_echoes(echo);
    free_echo(echo);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_path_that_another_took_over_is_not_removed(void **state)
{
    echo_t *echo = new_echo();
    const char *path = in_folder("taken");
    struct stat st;

    (void)state;
    assert_non_null(hloop_create_tcp_server(echo->loop, path, -1, on_accept));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    free_echo(echo);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(rmdir(path), 0);
}

static void a_connection_that_fails_at_once_is_told_by_the_close_callback(void **state)
{
    echo_t *echo = new_echo();

    (void)state;
    assert_non_null(
        hloop_create_tcp_client(echo->loop, in_folder("none"), -1, on_connect, on_client_close));
    assert_int_equal(echo->closed, 0); /* not from inside the call */
    assert_int_equal(hloop_run(echo->loop), 0);
    assert_int_equal(echo->closed, 1);
    assert_int_equal(echo->connected, 0);
    assert_int_equal(echo->error, -ENOENT);
    free_echo(echo);
}

static void a_refused_connection_is_told_by_its_cause(void **state)
{
    echo_t *echo = new_echo();
    hio_t *listener = hloop_create_tcp_server(echo->loop, "127.0.0.1", 0, on_accept);
    int port;

    (void)state;
    assert_non_null(listener);
    port = haddr_port(hio_localaddr(listener));
    hio_setcb_close(listener, on_client_close);
    hio_close(listener);
    assert_int_equal(hloop_run(echo->loop), 0);
    assert_non_null(
        hloop_create_tcp_client(echo->loop, "127.0.0.1", port, on_connect, on_client_close));
    assert_int_equal(hloop_run(echo->loop), 0);
    assert_int_equal(echo->error, -ECONNREFUSED);
    assert_int_equal(echo->connected, 0);
    free_echo(echo);
}

static void errors_are_told_by_errno(void **state)
{
    echo_t *echo = new_echo();
    hio_t *listener = hloop_create_tcp_server(echo->loop, "127.0.0.1", 0, on_accept);
    int port = haddr_port(hio_localaddr(listener));

    (void)state;
    assert_null(hloop_create_tcp_server(echo->loop, "127.0.0.1", port, on_accept));
    assert_int_equal(errno, EADDRINUSE);
    assert_null(hloop_create_tcp_server(echo->loop, "192.0.2.1", 0, on_accept));
    assert_int_equal(errno, EADDRNOTAVAIL);
    assert_null(hloop_create_tcp_server(echo->loop, "no such name", 0, on_accept));
    assert_int_equal(errno, EADDRNOTAVAIL);
    assert_null(hloop_create_tcp_server(echo->loop, "127.0.0.1", 65536, on_accept));
    assert_int_equal(errno, EINVAL);
    assert_null(hloop_create_udp_server(echo->loop, in_folder("no/folder"), -1));
    assert_int_equal(errno, ENOENT);
    assert_null(hloop_create_tcp_client(echo->loop, "127.0.0.1", 65536, NULL, NULL));
    assert_int_equal(errno, EINVAL);
    free_echo(echo);
}

static void a_server_socket_accepts_only_when_told(void **state)
{
    echo_t *echo = new_echo();
    hio_t *io = hio_create_socket(echo->loop, "127.0.0.1", 0, HIO_TYPE_TCP, HIO_SERVER_SIDE);
    int port;

    (void)state;
    assert_non_null(io);
    hio_setcb_accept(io, on_accept);
    port = haddr_port(hio_localaddr(io));
    assert_non_null(
        hloop_create_tcp_client(echo->loop, "127.0.0.1", port, on_connect, on_client_close));
    assert_int_equal(hio_accept(io), 0);
    assert_echoes(echo);
    free_echo(echo);
}

/* ---- datagrams ------------------------------------------------------------------------------- */

static void assert_datagrams_echo(const char *host, int port)
{
    echo_t *echo = new_echo();
    hio_t *server = hloop_create_udp_server(echo->loop, host, port);
    hio_t *client;

    assert_non_null(server);
    hio_setcb_read(server, on_server_read);
    hio_read(server);
    client = hloop_create_udp_client(echo->loop, host, haddr_port(hio_localaddr(server)));
    assert_non_null(client);
    hio_setcb_read(client, on_client_read);
    hio_setcb_close(client, on_client_close);
    hio_read(client);
    assert_int_equal(hio_write(client, "ping", 4), 4);
    assert_echoes(echo);
    free_echo(echo);
}

static void datagrams_echo(void **state)
{
    (void)state;
    assert_datagrams_echo("127.0.0.1", 0);
}

static void a_unix_datagram_server_gets_what_is_sent_and_removes_its_path(void **state)
{
    echo_t *echo = new_echo();
    char path[108];
    hio_t *server, *client;

    (void)state;
    snprintf(path, sizeof(path), "%s", in_folder("dgram"));
    server = hloop_create_udp_server(echo->loop, path, -1);
    assert_non_null(server);
    hio_setcb_read(server, on_client_read);
    hio_setcb_close(server, on_client_close);
    hio_read(server);
    client = hloop_create_udp_client(echo->loop, path, -1);
    assert_non_null(client);
    assert_int_equal(hio_write(client, "ping", 4), 4);
    assert_echoes(echo);
    free_echo(echo);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_datagram_client_takes_no_answer_from_a_stranger(void **state)
{
    echo_t *echo = new_echo();
    hio_t *server = hloop_create_udp_server(echo->loop, "127.0.0.1", 0);
    hio_t *client;
    haddr_t to;
    int stranger;

    (void)state;
    hio_setcb_read(server, on_server_read);
    hio_read(server);
    client = hloop_create_udp_client(echo->loop, "127.0.0.1", haddr_port(hio_localaddr(server)));
    hio_setcb_read(client, on_client_read);
    hio_setcb_close(client, on_client_close);
    hio_read(client);
    assert_int_equal(haddr_set(&to, hio_localaddr(client), sizeof(struct sockaddr_in)), 0);
    stranger = hsocket_open(AF_INET, SOCK_DGRAM, NULL);
    assert_int_equal(sendto(stranger, "evil", 4, 0, &to.u.sa, to.len), 4);
    assert_int_equal(hio_write(client, "ping", 4), 4);
    assert_echoes(echo);
    close(stranger);
    free_echo(echo);
}

static void a_datagram_client_outlives_that_nobody_listens(void **state)
{
    echo_t *echo = new_echo();
    hio_t *server = hloop_create_udp_server(echo->loop, "127.0.0.1", 0);
    int port = haddr_port(hio_localaddr(server));
    hio_t *client;

    (void)state;
    hio_setcb_close(server, on_client_close);
    hio_close(server);
    assert_int_equal(hloop_run(echo->loop), 0);
    echo->closed = 0;
    client = hloop_create_udp_client(echo->loop, "127.0.0.1", port);
    hio_setcb_read(client, on_client_read);
    hio_setcb_close(client, on_client_close);
    hio_read(client);
    assert_int_equal(hio_write(client, "lost", 4), 4);
    server = hloop_create_udp_server(echo->loop, "127.0.0.1", port);
    assert_non_null(server);
    hio_setcb_read(server, on_server_read);
    hio_read(server);
    if (hio_write(client, "ping", 4) != 4) /* tells of the first one, once */
        assert_int_equal(hio_write(client, "ping", 4), 4);
    assert_echoes(echo);
    free_echo(echo);
}

/* ---- with options ---------------------------------------------------------------------------- */

static hlisten_options_t options_for(const char *text)
{
    hlisten_options_t options = {0};

    assert_int_equal(hendpoint_parse(&options.endpoint, text, NULL, 0), 0);
    return options;
}

static void every_address_is_one_socket_for_both_families(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    haddr_t any;
    int probe;

    (void)state;
    haddr_any(&any, AF_INET6, 0);
    probe = hsocket_listen(&any, SOCK_STREAM, NULL);
    if (probe < 0)
        skip();
    close(probe);
    for (int i = 0; i < 2; i++) {
        hlisten_options_t options = options_for(":0");
        echo_t *echo = new_echo();
        hio_t *listener = NULL;

        assert_int_equal(hlisten_open(echo->loop, &options, on_accept, &listener), 0);
        assert_non_null(hloop_create_tcp_client(echo->loop, hosts[i],
                                                haddr_port(hio_localaddr(listener)), on_connect,
                                                on_client_close));
        assert_echoes(echo);
        free_echo(echo);
    }
}

static void options_reach_the_listener(void **state)
{
    hlisten_options_t options;
    echo_t *echo = new_echo();
    hio_t *first = NULL, *second = NULL;
    struct stat st;
    char name[128];

    (void)state;
    snprintf(name, sizeof(name), "unix:@%s", folder); /* nobody else's */
    options = options_for(name);
    assert_int_equal(hlisten_open(echo->loop, &options, on_accept, &first), 0);
    assert_int_equal(hlisten_open(echo->loop, &options, on_accept, &second), -EADDRINUSE);
    assert_null(second);
    assert_int_equal(hendpoint_set(&options.endpoint, HENDPOINT_UNIX, in_folder("mode"), 0), 0);
    options.socket.unix_mode = 0600;
    assert_int_equal(hlisten_open(echo->loop, &options, on_accept, &first), 0);
    assert_int_equal(stat(options.endpoint.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    options = options_for("udp://0");
    options.datagram_batch = 65;
    assert_int_equal(hlisten_open(echo->loop, &options, NULL, &second), -EINVAL);
    options.datagram_batch = 64;
    assert_int_equal(hlisten_open(echo->loop, &options, NULL, &second), 0);
    free_echo(echo);
}

static void sockets_of_one_port_share_it_when_asked(void **state)
{
    hlisten_options_t options = options_for("0");
    echo_t *echo = new_echo();
    hio_t *first = NULL, *second = NULL;

    (void)state;
    options.socket.reuse_port = true;
    assert_int_equal(hlisten_open(echo->loop, &options, on_accept, &first), 0);
    options.endpoint.port = (uint16_t)haddr_port(hio_localaddr(first));
    assert_int_equal(hlisten_open(echo->loop, &options, on_accept, &second), 0);
    options.socket.reuse_port = false;
    assert_int_equal(hlisten_open(echo->loop, &options, on_accept, &second), -EADDRINUSE);
    free_echo(echo);
}

static void a_name_that_does_not_resolve_is_told(void **state)
{
    hlisten_options_t options = options_for("0");
    echo_t *echo = new_echo();
    hio_t *io = NULL;

    (void)state;
    options.family = AF_INET6;
    assert_int_equal(hlisten_open(echo->loop, &options, on_accept, &io), HERR_RESOLVE);
    free_echo(echo);
}

static int listen_and_connect(void *arg)
{
    hlisten_options_t options = {0};
    hio_t *listener = NULL, *client = NULL;
    hloop_t *loop = hloop_new(0);
    haddr_t addr;
    int err;

    (void)arg;
    if (!loop)
        return -errno;
    assert_int_equal(hendpoint_set(&options.endpoint, HENDPOINT_UNIX, in_folder("oom"), 0), 0);
    err = hlisten_open(loop, &options, on_accept, &listener);
    if (!err) {
        assert_int_equal(haddr_unix(&addr, options.endpoint.path), 0);
        err = hlisten_client(loop, &addr, SOCK_STREAM, NULL, &client);
    }
    hloop_free(&loop);
    assert_int_not_equal(access(options.endpoint.path, F_OK), 0);
    return err;
}

static void out_of_memory_is_an_error_and_leaves_no_path(void **state)
{
    (void)state;
    oom_run(listen_and_connect, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tcp_server_and_a_client_echo),
        cmocka_unit_test(a_negative_port_means_a_unix_path_which_is_removed_at_the_end),
        cmocka_unit_test(a_path_that_another_took_over_is_not_removed),
        cmocka_unit_test(a_connection_that_fails_at_once_is_told_by_the_close_callback),
        cmocka_unit_test(a_refused_connection_is_told_by_its_cause),
        cmocka_unit_test(errors_are_told_by_errno),
        cmocka_unit_test(a_server_socket_accepts_only_when_told),
        cmocka_unit_test(datagrams_echo),
        cmocka_unit_test(a_unix_datagram_server_gets_what_is_sent_and_removes_its_path),
        cmocka_unit_test(a_datagram_client_takes_no_answer_from_a_stranger),
        cmocka_unit_test(a_datagram_client_outlives_that_nobody_listens),
        cmocka_unit_test(every_address_is_one_socket_for_both_families),
        cmocka_unit_test(options_reach_the_listener),
        cmocka_unit_test(sockets_of_one_port_share_it_when_asked),
        cmocka_unit_test(a_name_that_does_not_resolve_is_told),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaves_no_path),
    };

    return cmocka_run_group_tests_name("hlisten", tests, make_folder, remove_folder);
}
