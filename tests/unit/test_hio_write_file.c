/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "htls_fixture.h"

#include "hio_fixture.h" /* behind it: its names are short */
#include "net/hrate.h"
#include "oom.h"

#include <sys/sendfile.h>

/* ---- the system calls that can be made to fail (test_hio_write_file.wrap) -------------------- */

static struct {
    int sendfile_err; /* of every second call, or of each */
    bool always;
    size_t at_most; /* bytes that a call moves; 0: as asked */
    int pread_err;
    int sendfiles, preads, n;
    int more; /* sends with MSG_MORE */
} fault;

ssize_t __real_sendfile(int to, int from, off_t *offset, size_t len);
ssize_t __wrap_sendfile(int to, int from, off_t *offset, size_t len);
ssize_t __real_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);

static size_t cut(size_t len)
{
    return fault.at_most && len > fault.at_most ? fault.at_most : len;
}

ssize_t __wrap_sendfile(int to, int from, off_t *offset, size_t len)
{
    fault.sendfiles++;
    if (fault.sendfile_err && (fault.always || fault.sendfiles % 2)) {
        errno = fault.sendfile_err;
        return -1;
    }
    return __real_sendfile(to, from, offset, cut(len));
}

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset)
{
    fault.preads++;
    if (fault.pread_err && (fault.always || fault.preads % 2)) {
        errno = fault.pread_err;
        return -1;
    }
    return __real_pread(fd, buf, cut(len), offset);
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
    fault.more += (flags & MSG_MORE) != 0;
    return __real_send(fd, buf, cut(len), flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    fault.more += (flags & MSG_MORE) != 0;
    if (fault.at_most)
        return __real_send(fd, msg->msg_iov[0].iov_base, cut(msg->msg_iov[0].iov_len), flags);
    return __real_sendmsg(fd, msg, flags);
}

/* ---- a file of the pattern ------------------------------------------------------------------- */

static int file;
static int released;

static int make_file(size_t size)
{
    char path[] = "/tmp/hio-write-file-XXXXXX";
    char *bytes = new_pattern(size);
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, bytes, size), size);
    free(bytes);
    return fd;
}

static int setup(void **state)
{
    hio_setup(state);
    memset(&fault, 0, sizeof(fault));
    released = 0;
    fcntl(hio_fd(io), F_SETFL, O_RDWR | O_NONBLOCK); /* as sockets of the library are */
    file = make_file(BIG);
    return 0;
}

static void finish(void)
{
    hio_finish();
    close(file);
}

static void on_release(void *arg)
{
    (*(int *)arg)++;
}

static int write_part(size_t offset, size_t len)
{
    return hio_write_file(io, file, (int64_t)offset, (int64_t)len, on_release, &released);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void what_the_kernel_takes_is_sent_at_once(void **state)
{
    (void)state;
    assert_int_equal(write_part(0, 100), 0);
    assert_int_equal(released, 1);
    assert_int_equal(hio_write_bufsize(io), 0);
    assert_int_equal(write_part(100, 0), 0);
    assert_int_equal(released, 2);
    RUN_UNTIL_PEER_HAS(100);
    RUN_UNTIL(loop, seen.wrote == 100);
    assert_int_equal(fault.sendfiles, 1);
    finish();
}

/* Memory and files in turn, of sizes that meet every boundary. */
static void write_mixture(size_t total)
{
    for (size_t at = 0, len = 1, i = 0; at < total; at += len, i++, len = len * 7 % 300007 + 1) {
        if (len > total - at)
            len = total - at;
        if (i % 2)
            assert_int_equal(write_part(at, len), 0);
        else
            assert_int_equal(hio_write(io, data + at, len), len);
    }
}

static void pieces_of_files_keep_their_place(void **state)
{
    (void)state;
    write_mixture(BIG);
    assert_true(hio_write_bufsize(io) > 0);
    RUN_UNTIL_PEER_HAS(BIG);
    RUN_UNTIL(loop, seen.wrote == BIG);
    assert_int_equal(hio_write_bufsize(io), 0);
    assert_true(released > 10);
    assert_int_equal(fault.preads, 0);
    finish();
}

static void short_and_refused_calls_lose_nothing(void **state)
{
    static const int errors[] = {EAGAIN, EINTR, EINVAL, EOVERFLOW};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
        fault.at_most = 10007;
        fault.sendfile_err = errors[i];
        fault.pread_err = EINTR;
        write_mixture(MIB);
        RUN_UNTIL_PEER_HAS(MIB);
        RUN_UNTIL(loop, seen.wrote == MIB * (i + 1));
    }
    assert_true(fault.preads > 10);
    assert_int_equal(seen.closes, 0);
    finish();
}

static void the_head_waits_for_the_file(void **state)
{
    (void)state;
    hio_cork(io);
    assert_int_equal(hio_write(io, data, 200), 200);
    assert_int_equal(write_part(200, 1000), 0);
    assert_int_equal(fault.sendfiles, 0);
    hio_uncork(io);
    assert_int_equal(fault.more, 1);
    assert_int_equal(fault.sendfiles, 1);
    assert_int_equal(released, 1);
    assert_int_equal(hio_write(io, data + 1200, 10), 10);
    assert_int_equal(fault.more, 1);
    RUN_UNTIL_PEER_HAS(1210);
    finish();
}

static void a_blocking_socket_gets_it_without_the_kernels_help(void **state)
{
    (void)state;
    fcntl(hio_fd(io), F_SETFL, O_RDWR);
    write_mixture(BIG);
    RUN_UNTIL_PEER_HAS(BIG);
    assert_int_equal(fault.sendfiles, 0);
    assert_true(fault.preads > 0);
    finish();
}

static void a_pipe_gets_it_too(void **state)
{
    static char buf[65536];
    size_t got = 0;
    hio_t *pipeio[2];
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    pipeio[1] = observe(hio_get(loop, fds[1]), &seen);
    assert_int_equal(hio_write_file(pipeio[1], file, 0, BIG, on_release, &released), 0);
    while (got < BIG) {
        ssize_t n = read(fds[0], buf, sizeof(buf));

        assert_true(n > 0 || errno == EAGAIN);
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(buf[i], pattern(got++));
        run_once();
    }
    assert_int_equal(released, 1);
    close(fds[0]);
    finish();
}

static void before_the_connection_is_there_it_waits(void **state)
{
    struct sockaddr_in addr;
    int listener = bound_socket(SOCK_STREAM, &addr), fd;
    seen_t later;
    hio_t *client = observed_client(loop, &later, &addr, sizeof(addr));

    (void)state;
    assert_int_equal(hio_connect(client), 0);
    assert_int_equal(hio_write_file(client, file, 0, 5000, on_release, &released), 0);
    assert_int_equal(released, 0);
    RUN_UNTIL(loop, released == 1);
    fd = accept(listener, NULL, NULL);
    assert_int_equal(plain_receive(fd, data, 5000), 5000);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(data[i], pattern(i));
    close(fd);
    close(listener);
    finish();
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void files_count_for_the_watermarks_not_for_the_limit(void **state)
{
    (void)state;
    assert_int_equal(hio_setcb_drained(io, seen_on_drained), 0);
    assert_int_equal(hio_set_watermarks(io, 10000, 100000, 200000), 0);
    assert_int_equal(write_part(0, BIG - 1000), 0);
    assert_true(hio_write_bufsize(io) > 200000);
    assert_true(hio_write_above_high(io));
    assert_int_equal(hio_write(io, data + BIG - 1000, 1000), 1000);
    assert_int_equal(hio_write(io, data, 199001), HERR_QUEUE_FULL);
    RUN_UNTIL_PEER_HAS(BIG);
    assert_int_equal(seen.drained, 1);
    assert_false(hio_write_above_high(io));
    finish();
}

static void only_so_many_pieces_wait(void **state)
{
    (void)state;
    hio_cork(io);
    for (size_t i = 0; i < 1024; i++)
        assert_int_equal(write_part(i, 1), 0);
    assert_int_equal(write_part(1024, 1), HERR_QUEUE_FULL);
    hio_uncork(io);
    RUN_UNTIL(loop, released == 1024);
    RUN_UNTIL_PEER_HAS(1024);
    assert_int_equal(write_part(0, 1), 0);
    finish();
}

static void what_is_refused_is_not_released(void **state)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    hio_t *datagrams = hio_get(loop, fd);

    (void)state;
    assert_int_equal(hio_write_file(io, -1, 0, 1, on_release, &released), -EINVAL);
    assert_int_equal(hio_write_file(io, file, -1, 1, on_release, &released), -EINVAL);
    assert_int_equal(hio_write_file(io, file, 0, -1, on_release, &released), -EINVAL);
    assert_int_equal(hio_write_file(io, file, 2, INT64_MAX - 1, on_release, &released), -EINVAL);
    assert_int_equal(hio_write_file(datagrams, file, 0, 1, on_release, &released), -ENOTSUP);
    hio_close(io);
    assert_int_equal(write_part(0, 1), HERR_CLOSED);
    assert_int_equal(released, 0);
    finish();
}

static void a_rate_limit_holds_for_files(void **state)
{
    hrate_t *rate = hrate_new(loop, 10u * MIB, 10000);
    hrate_stats_t stats;

    (void)state;
    assert_non_null(rate);
    assert_int_equal(hio_set_write_rate(io, rate), 0);
    write_mixture(MIB);
    RUN_UNTIL_PEER_HAS(MIB);
    hrate_stats(rate, &stats);
    assert_true(stats.passed_bytes == MIB);
    hrate_free(rate);
    finish();
}

static void a_peer_that_takes_nothing_is_given_up(void **state)
{
    (void)state;
    hio_set_write_timeout(io, 50);
    assert_int_equal(write_part(0, BIG), 0);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ETIMEDOUT);
    assert_int_equal(released, 1);
    finish();
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void a_close_sends_it_first(void **state)
{
    (void)state;
    assert_int_equal(write_part(0, BIG), 0);
    hio_close(io);
    assert_int_equal(peer_takes_all(), BIG);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    assert_int_equal(released, 1);
    finish();
}

static void a_shutdown_comes_behind_it(void **state)
{
    (void)state;
    assert_int_equal(write_part(0, BIG), 0);
    assert_int_equal(hio_shutdown(io), 0);
    assert_int_equal(peer_takes_all(), BIG);
    assert_int_equal(seen.closes, 0);
    finish();
}

static void an_abort_releases_it(void **state)
{
    (void)state;
    assert_int_equal(write_part(0, BIG), 0);
    assert_int_equal(write_part(0, BIG), 0);
    assert_int_equal(released, 0);
    hio_abort(io, -ECANCELED);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(released, 2);
    finish();
}

static void the_end_of_the_loop_releases_it(void **state)
{
    (void)state;
    assert_int_equal(write_part(0, BIG), 0);
    finish();
    assert_int_equal(released, 1);
}

static void a_peer_that_is_gone_releases_it(void **state)
{
    (void)state;
    assert_int_equal(write_part(0, BIG), 0);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_true(seen.error == -ECONNRESET || seen.error == -EPIPE);
    assert_int_equal(released, 1);
    finish();
}

static void it_moves_with_the_connection(void **state)
{
    hloop_t *other = new_loop(), *first = loop;

    (void)state;
    fault.sendfile_err = EINVAL; /* so that the loop's buffer is used */
    fault.always = true;
    assert_int_equal(write_part(0, BIG), 0);
    assert_int_equal(hio_detach(io), 0);
    assert_int_equal(hio_attach(other, io), 0);
    loop = other;
    RUN_UNTIL_PEER_HAS(BIG);
    assert_int_equal(released, 1);
    hloop_free(&first);
    finish();
}

/* What came before is sent; then the cause. by_reading: the kernel does not send such a file. */
static void expect_truncation(bool by_reading)
{
    fault.sendfile_err = by_reading ? EINVAL : 0;
    fault.always = true;
    assert_int_equal(hio_write(io, data, BIG / 2), BIG / 2);
    assert_int_equal(write_part(BIG / 2, BIG / 2), 0);
    assert_int_equal(hio_write(io, data, 100), 100);
    assert_int_equal(ftruncate(file, BIG - 100000), 0);
    assert_int_equal(peer_takes_all(), BIG - 100000);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, HERR_TRUNCATED);
    assert_int_equal(released, 1);
}

static void a_file_that_became_shorter_ends_the_connection(void **state)
{
    (void)state;
    expect_truncation(false);
    finish();
}

static void read_or_sent(void **state)
{
    (void)state;
    expect_truncation(true);
    finish();
}

static void a_file_that_cannot_be_read_ends_the_connection(void **state)
{
    (void)state;
    fault.sendfile_err = EIO;
    fault.pread_err = EIO;
    fault.always = true;
    hio_cork(io);
    assert_int_equal(hio_write(io, data, 1000), 1000);
    assert_int_equal(write_part(1000, 1000), 0);
    hio_uncork(io);
    assert_int_equal(peer_takes_all(), 1000);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -EIO);
    assert_int_equal(released, 1);
    finish();
}

static int send_without_memory(void *arg)
{
    int fds[2], err = -ENOMEM;
    hloop_t *own = hloop_new_with(&(hloop_options_t){.flags = HLOOP_FLAG_RUN_ONCE});
    hio_t *to = NULL;
    int refused = 0;

    (void)arg;
    tcp_pair(fds);
    released = 0;
    if (own)
        to = hio_get(own, fds[0]); /* blocking: the buffer is needed */
    else
        close(fds[0]);
    if (own && !to)
        close(fds[0]);
    if (to) {
        err = hio_write_file(to, file, 0, 1000, on_release, &released);
        refused = err < 0;
        if (err == 0 && !hio_is_opened(to))
            err = hio_error(to);
    }
    if (own)
        hloop_free(&own);
    assert_int_equal(released, to && !refused);
    close(fds[1]);
    return err;
}

static void memory_that_is_missing_is_an_error(void **state)
{
    (void)state;
    oom_run(send_without_memory, NULL);
    finish();
}

/* ---- TLS ------------------------------------------------------------------------------------- */

/* The client sends the mixture; the server compares. */
static void over_tls(size_t at_most)
{
    io = NULL;
    hloop_free(&loop);
    tls_open(server_ctx("good"), client_ctx());
    tls.server.echo = false;
    io = tls_connect();
    TLS_UNTIL(tls.client.secure);
    fault.at_most = at_most;
    write_mixture(BIG);
    hio_close(io);
    TLS_UNTIL(tls.server.seen.closes == 1);
    assert_int_equal(tls.server.seen.error, 0);
    assert_int_equal(tls.server.seen.got, BIG);
    assert_false(tls.server.seen.mangled);
    assert_int_equal(fault.sendfiles, 0);
    assert_true(released > 10);
    tls_end();
    loop = new_loop();
    finish();
}

static void tls_carries_it(void **state)
{
    (void)state;
    over_tls(0);
}

static void tls_carries_it_in_short_writes(void **state)
{
    (void)state;
    over_tls(10007);
}

#define FILE_TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(what_the_kernel_takes_is_sent_at_once),
        FILE_TEST(pieces_of_files_keep_their_place),
        FILE_TEST(short_and_refused_calls_lose_nothing),
        FILE_TEST(the_head_waits_for_the_file),
        FILE_TEST(a_blocking_socket_gets_it_without_the_kernels_help),
        FILE_TEST(a_pipe_gets_it_too),
        FILE_TEST(before_the_connection_is_there_it_waits),
        FILE_TEST(files_count_for_the_watermarks_not_for_the_limit),
        FILE_TEST(only_so_many_pieces_wait),
        FILE_TEST(what_is_refused_is_not_released),
        FILE_TEST(a_rate_limit_holds_for_files),
        FILE_TEST(a_peer_that_takes_nothing_is_given_up),
        FILE_TEST(a_close_sends_it_first),
        FILE_TEST(a_shutdown_comes_behind_it),
        FILE_TEST(an_abort_releases_it),
        FILE_TEST(the_end_of_the_loop_releases_it),
        FILE_TEST(a_peer_that_is_gone_releases_it),
        FILE_TEST(it_moves_with_the_connection),
        FILE_TEST(a_file_that_became_shorter_ends_the_connection),
        FILE_TEST(read_or_sent),
        FILE_TEST(a_file_that_cannot_be_read_ends_the_connection),
        FILE_TEST(memory_that_is_missing_is_an_error),
        FILE_TEST(tls_carries_it),
        FILE_TEST(tls_carries_it_in_short_writes),
    };

    return run_with_certificates("hio_write_file", tests, ARRAY_LENGTH(tests));
}
