/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/hsocket.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 100000
#define PORTS_TRIED 20

static char folder[64];

/* Stretches the moments between looking and deleting, and between binding and listening. */
static useconds_t stretch_us;

int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

int __wrap_listen(int fd, int backlog)
{
    usleep(stretch_us);
    return __real_listen(fd, backlog);
}

int __wrap_unlink(const char *path)
{
    usleep(stretch_us);
    return __real_unlink(path);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/hsocket-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static haddr_t in_folder(const char *name)
{
    char path[108];
    haddr_t addr;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(haddr_unix(&addr, path), 0);
    return addr;
}

static haddr_t loopback(int family)
{
    haddr_t addr;

    haddr_loopback(&addr, family, 0);
    return addr;
}

static int listen_on(haddr_t *addr, int type, const hsocket_options_t *options)
{
    int fd = hsocket_listen(addr, type, options);

    assert_true(fd >= 0);
    assert_int_equal(hsocket_local(fd, addr), 0);
    return fd;
}

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

static void sockets_are_nonblocking_and_close_on_exec(void **state)
{
    haddr_t addr = loopback(AF_INET);
    int listener = listen_on(&addr, SOCK_STREAM, NULL);
    int fd = hsocket_connect(&addr, SOCK_STREAM, NULL, WAIT_MS);

    (void)state;
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_of(listener, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(option_of(listener, SOL_SOCKET, SO_REUSEPORT), 0);
    assert_int_equal(option_of(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
    close(fd);
    close(listener);
}

static void options_reach_the_socket(void **state)
{
    hsocket_options_t o = {.delay = true,
                           .reuse_port = true,
                           .keepalive_s = 77,
                           .recv_buffer = 32768,
                           .send_buffer = 16384,
                           .tos = 0x10,
                           .ttl = 9,
                           .min_ttl = 3};
    int fd = hsocket_open(AF_INET, SOCK_STREAM, &o);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEPORT), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 77);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_RCVBUF), 2 * 32768);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_SNDBUF), 2 * 16384);
    assert_int_equal(option_of(fd, IPPROTO_IP, IP_TOS), 0x10);
    assert_int_equal(option_of(fd, IPPROTO_IP, IP_TTL), 9);
    assert_int_equal(option_of(fd, IPPROTO_IP, IP_MINTTL), 3);
    close(fd);
    fd = hsocket_open(AF_INET6, SOCK_DGRAM, &o);
    assert_true(fd >= 0);
    assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_TCLASS), 0x10);
    assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 9);
    close(fd);
}

static void an_unknown_interface_is_told_and_nothing_is_left_open(void **state)
{
    hsocket_options_t o = {.interface = "no-such-if"};
    int before = dup(0);
    int after;

    (void)state;
    close(before);
    assert_int_equal(hsocket_open(AF_INET, SOCK_STREAM, &o), -ENODEV);
    after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

static void a_port_in_use_is_told(void **state)
{
    hsocket_options_t shared = {.reuse_port = true};
    haddr_t addr = loopback(AF_INET), udp = loopback(AF_INET), many = loopback(AF_INET);
    int fd = listen_on(&addr, SOCK_STREAM, NULL);
    int udp_fd = listen_on(&udp, SOCK_DGRAM, NULL);
    int first = listen_on(&many, SOCK_STREAM, &shared);
    int second = listen_on(&many, SOCK_STREAM, &shared);

    (void)state;
    assert_int_equal(hsocket_listen(&addr, SOCK_STREAM, NULL), -EADDRINUSE);
    assert_int_equal(hsocket_listen(&udp, SOCK_DGRAM, NULL), -EADDRINUSE);
    close(fd);
    close(udp_fd);
    close(first);
    close(second);
}

/* Listens on one port of every IPv6 address, and then of every IPv4 address; how the latter went.
 * Some other program may have that port for IPv4. */
static int listen_on_both(void)
{
    haddr_t any, v4;
    int fd, other;

    haddr_any(&any, AF_INET6, 0);
    fd = hsocket_listen(&any, SOCK_STREAM, NULL);
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
        skip();
    assert_true(fd >= 0);
    assert_int_equal(hsocket_local(fd, &any), 0);
    haddr_any(&v4, AF_INET, (uint16_t)haddr_port(&any.u.sa));
    other = hsocket_listen(&v4, SOCK_STREAM, NULL);
    close(fd);
    if (other >= 0)
        close(other);
    return other < 0 ? other : 0;
}

static void ipv6_takes_ipv4_only_when_asked(void **state)
{
    hsocket_options_t dual = {.dual_stack = true};
    haddr_t any, v4;
    int fd, other, err = -EADDRINUSE;

    (void)state;
    for (int i = 0; i < PORTS_TRIED && err == -EADDRINUSE; i++)
        err = listen_on_both();
    assert_int_equal(err, 0);
    haddr_any(&any, AF_INET6, 0);
    fd = listen_on(&any, SOCK_STREAM, &dual);
    haddr_loopback(&v4, AF_INET, (uint16_t)haddr_port(&any.u.sa));
    other = hsocket_connect(&v4, SOCK_STREAM, NULL, WAIT_MS);
    assert_true(other >= 0);
    close(other);
    close(fd);
}

static void a_client_binds_to_its_source_first(void **state)
{
    haddr_t addr = loopback(AF_INET), source, local, peer;
    int listener = listen_on(&addr, SOCK_STREAM, NULL);
    hsocket_options_t o = {.source = &source};
    int fd;

    (void)state;
    assert_int_equal(haddr_parse(&source, "127.0.0.9", 0), 0);
    fd = hsocket_connect(&addr, SOCK_STREAM, &o, WAIT_MS);
    assert_true(fd >= 0);
    assert_int_equal(hsocket_local(fd, &local), 0);
    assert_int_equal(hsocket_peer(fd, &peer), 0);
    haddr_set_port(&local.u.sa, 0);
    assert_true(haddr_equal(&local.u.sa, &source.u.sa));
    assert_true(haddr_equal(&peer.u.sa, &addr.u.sa));
    close(fd);
    assert_int_equal(haddr_parse(&source, "192.0.2.1", 0), 0);
    assert_int_equal(hsocket_connect(&addr, SOCK_STREAM, &o, WAIT_MS), -EADDRNOTAVAIL);
    close(listener);
}

static void a_refused_connection_is_refused_not_unconnected(void **state)
{
    haddr_t addr = loopback(AF_INET), peer;
    int fd = listen_on(&addr, SOCK_STREAM, NULL);

    (void)state;
    assert_int_equal(hsocket_peer(fd, &peer), -ENOTCONN);
    assert_int_equal(peer.len, 0);
    close(fd);
    assert_int_equal(hsocket_connect(&addr, SOCK_STREAM, NULL, WAIT_MS), -ECONNREFUSED);
}

static void a_listener_may_wait_for_first_bytes(void **state)
{
    hsocket_options_t o = {.defer_accept_s = 1};
    haddr_t addr = loopback(AF_INET);
    int fd = listen_on(&addr, SOCK_STREAM, &o);

    (void)state;
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 1);
    close(fd);
}

/* The kernel would answer the handshake at once, otherwise. */
static void who_speaks_first_holds_the_end_of_the_handshake_back(void **state)
{
    hsocket_options_t o = {.speaks_first = true};
    haddr_t addr = loopback(AF_INET);
    int listener = listen_on(&addr, SOCK_STREAM, NULL);
    int silent = hsocket_client(&addr, SOCK_STREAM, NULL);
    int speaker = hsocket_client(&addr, SOCK_STREAM, &o);

    (void)state;
    assert_int_equal(option_of(silent, IPPROTO_TCP, TCP_QUICKACK), 1);
    assert_int_equal(option_of(speaker, IPPROTO_TCP, TCP_QUICKACK), 0);
    close(silent);
    close(speaker);
    close(listener);
}

static void what_waits_to_be_read_is_told(void **state)
{
    int fds[2];
    char byte;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_false(hsocket_has_input(fds[0]));
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_true(hsocket_has_input(fds[0]));
    assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[1]);
    assert_false(hsocket_has_input(fds[0])); /* an end is no input */
    close(fds[0]);
    assert_false(hsocket_has_input(-1));
}

static void a_connection_that_is_not_taken_times_out(void **state)
{
    hsocket_options_t o = {.backlog = 1};
    haddr_t addr;
    int listener, fds[8];
    int n = 0, err = 0;
    char name[128];

    (void)state;
    snprintf(name, sizeof(name), "@%s", folder); /* nobody else's */
    assert_int_equal(haddr_unix(&addr, name), 0);
    listener = hsocket_listen(&addr, SOCK_STREAM, &o);
    assert_true(listener >= 0);
    while (n < 8) {
        err = hsocket_connect(&addr, SOCK_STREAM, NULL, 30);
        if (err < 0)
            break;
        fds[n++] = err;
    }
    assert_int_equal(err, -ETIMEDOUT);
    assert_true(n >= 1);
    while (n > 0)
        close(fds[--n]);
    close(listener);
}

static void a_live_unix_path_is_in_use_and_stays(void **state)
{
    haddr_t addr = in_folder("live"), datagram = in_folder("datagram");
    int fd = hsocket_listen(&addr, SOCK_STREAM, NULL);
    int dgram = hsocket_listen(&datagram, SOCK_DGRAM, NULL);
    int client;

    (void)state;
    assert_true(fd >= 0 && dgram >= 0);
    assert_int_equal(hsocket_listen(&addr, SOCK_STREAM, NULL), -EADDRINUSE);
    assert_int_equal(hsocket_listen(&addr, SOCK_DGRAM, NULL), -EADDRINUSE);
    assert_int_equal(hsocket_listen(&datagram, SOCK_DGRAM, NULL), -EADDRINUSE);
    client = hsocket_connect(&addr, SOCK_STREAM, NULL, WAIT_MS);
    assert_true(client >= 0);
    close(client);
    close(fd);
    close(dgram);
    assert_int_equal(unlink(addr.u.sun.sun_path), 0);
    assert_int_equal(unlink(datagram.u.sun.sun_path), 0);
}

static void a_stale_unix_path_is_replaced(void **state)
{
    haddr_t addr = in_folder("stale");

    (void)state;
    for (int i = 0; i < 3; i++) {
        int type = i == 2 ? SOCK_DGRAM : SOCK_STREAM;
        int fd = hsocket_listen(&addr, type, NULL);

        assert_true(fd >= 0);
        close(fd);
        if (i == 1)
            assert_int_equal(unlink(addr.u.sun.sun_path), 0);
    }
    assert_int_equal(unlink(addr.u.sun.sun_path), 0);
}

static void a_file_that_is_no_socket_is_never_deleted(void **state)
{
    haddr_t addr = in_folder("file"), link = in_folder("link");
    int fd = open(addr.u.sun.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    struct stat st;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(symlink(addr.u.sun.sun_path, link.u.sun.sun_path), 0);
    assert_int_equal(hsocket_listen(&addr, SOCK_STREAM, NULL), -EADDRINUSE);
    assert_int_equal(hsocket_listen(&link, SOCK_STREAM, NULL), -EADDRINUSE);
    assert_int_equal(stat(addr.u.sun.sun_path, &st), 0);
    assert_int_equal(st.st_size, 1);
    assert_int_equal(unlink(link.u.sun.sun_path), 0);
    assert_int_equal(unlink(addr.u.sun.sun_path), 0);
}

static void a_folder_that_is_missing_is_told(void **state)
{
    haddr_t addr = in_folder("none/x");

    (void)state;
    assert_int_equal(hsocket_listen(&addr, SOCK_STREAM, NULL), -ENOENT);
}

static void the_mode_of_a_unix_path_is_as_asked(void **state)
{
    static const mode_t modes[] = {0600, 0666, 0770};
    haddr_t addr = in_folder("mode");

    (void)state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        hsocket_options_t o = {.unix_mode = modes[i]};
        mode_t mask = umask(0077);
        int fd = hsocket_listen(&addr, SOCK_STREAM, &o);
        struct stat st;

        umask(mask);
        assert_true(fd >= 0);
        assert_int_equal(stat(addr.u.sun.sun_path, &st), 0);
        assert_int_equal(st.st_mode & 0777, modes[i]);
        close(fd);
        assert_int_equal(unlink(addr.u.sun.sun_path), 0);
    }
}

static void only_the_path_that_was_bound_is_removed(void **state)
{
    haddr_t addr = in_folder("mine");
    hsocket_path_t saved;
    int fd = hsocket_listen(&addr, SOCK_STREAM, NULL);
    int other;

    (void)state;
    hsocket_path_remember(&saved, &addr);
    assert_int_equal(unlink(addr.u.sun.sun_path), 0);
    other = open(addr.u.sun.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(other >= 0);
    assert_int_equal(hsocket_path_chmod(&saved, 0666), -ENOENT);
    hsocket_path_remove(&saved);
    assert_int_equal(access(addr.u.sun.sun_path, F_OK), 0);
    assert_int_equal(unlink(addr.u.sun.sun_path), 0);
    close(other);
    close(fd);
    fd = hsocket_listen(&addr, SOCK_STREAM, NULL);
    hsocket_path_remember(&saved, &addr);
    hsocket_path_remove(&saved);
    assert_int_not_equal(access(addr.u.sun.sun_path, F_OK), 0);
    hsocket_path_remove(&saved);
    close(fd);
}

static void a_relative_path_is_removed_from_another_folder(void **state)
{
    char before[1024];
    hsocket_path_t saved;
    haddr_t addr;
    int fd;

    (void)state;
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(haddr_unix(&addr, "relative"), 0);
    fd = hsocket_listen(&addr, SOCK_STREAM, NULL);
    assert_true(fd >= 0);
    hsocket_path_remember(&saved, &addr);
    assert_int_equal(chdir(before), 0);
    hsocket_path_remove(&saved);
    close(fd);
}

#define STARTERS 4

static void start_and_report(const haddr_t *addr, int go, int ready)
{
    char byte;
    int fd;

    stretch_us = 1000;
    if (read(go, &byte, 1) != 0)
        _exit(1);
    fd = hsocket_listen(addr, SOCK_STREAM, NULL);
    if (write(ready, fd >= 0 ? "1" : "0", 1) != 1)
        _exit(1);
    pause();
    _exit(0);
}

static int count_winners(const haddr_t *addr, pid_t pids[STARTERS])
{
    int ready[2], go[2], winners = 0;
    char byte = 0;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    for (int i = 0; i < STARTERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            close(go[1]);
            start_and_report(addr, go[0], ready[1]);
        }
    }
    close(go[0]);
    close(go[1]);
    close(ready[1]);
    for (int i = 0; i < STARTERS; i++) {
        assert_int_equal(read(ready[0], &byte, 1), 1);
        winners += byte == '1';
    }
    close(ready[0]);
    return winners;
}

/* Again and again: exactly one wins, and the path leads to it. */
static void servers_that_start_at_once_over_a_stale_path_leave_one(void **state)
{
    haddr_t addr = in_folder("race");

    (void)state;
    for (int round = 0; round < 10; round++) {
        int stale = hsocket_listen(&addr, SOCK_STREAM, NULL);
        pid_t pids[STARTERS];
        int winners, client;

        assert_true(stale >= 0);
        close(stale);
        winners = count_winners(&addr, pids);
        client = hsocket_connect(&addr, SOCK_STREAM, NULL, WAIT_MS);
        for (int i = 0; i < STARTERS; i++) {
            kill(pids[i], SIGKILL);
            assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
        }
        assert_int_equal(winners, 1);
        assert_true(client >= 0);
        close(client);
    }
    assert_int_equal(unlink(addr.u.sun.sun_path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_are_nonblocking_and_close_on_exec),
        cmocka_unit_test(options_reach_the_socket),
        cmocka_unit_test(an_unknown_interface_is_told_and_nothing_is_left_open),
        cmocka_unit_test(a_port_in_use_is_told),
        cmocka_unit_test(ipv6_takes_ipv4_only_when_asked),
        cmocka_unit_test(a_client_binds_to_its_source_first),
        cmocka_unit_test(a_refused_connection_is_refused_not_unconnected),
        cmocka_unit_test(a_listener_may_wait_for_first_bytes),
        cmocka_unit_test(who_speaks_first_holds_the_end_of_the_handshake_back),
        cmocka_unit_test(what_waits_to_be_read_is_told),
        cmocka_unit_test(a_connection_that_is_not_taken_times_out),
        cmocka_unit_test(a_live_unix_path_is_in_use_and_stays),
        cmocka_unit_test(a_stale_unix_path_is_replaced),
        cmocka_unit_test(a_file_that_is_no_socket_is_never_deleted),
        cmocka_unit_test(a_folder_that_is_missing_is_told),
        cmocka_unit_test(the_mode_of_a_unix_path_is_as_asked),
        cmocka_unit_test(only_the_path_that_was_bound_is_removed),
        cmocka_unit_test(a_relative_path_is_removed_from_another_folder),
        cmocka_unit_test(servers_that_start_at_once_over_a_stale_path_leave_one),
    };

    return cmocka_run_group_tests_name("hsocket", tests, make_folder, remove_folder);
}
