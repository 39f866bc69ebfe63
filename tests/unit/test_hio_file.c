/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MIB (1u << 20)

static hloop_t *loop;
static seen_t seen;
static hio_t *io;

static int setup(void **state)
{
    loop_test_setup(state);
    loop = new_loop();
    return 0;
}

static int temporary(void)
{
    char path[] = "/tmp/hio-file-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

static bool is_blocking(int fd)
{
    return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* ---- plain files ----------------------------------------------------------------------------- */

/* What made `nc < file` send nothing. */
static void a_plain_file_that_epoll_refuses_is_read_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, MIB};
    char *data = new_pattern(MIB);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        int fd = temporary();

        assert_int_equal(write(fd, data, sizes[i]), sizes[i]);
        lseek(fd, 0, SEEK_SET);
        io = observe(hio_get(loop, fd), &seen);
        assert_int_equal(hio_type(io), HIO_TYPE_FILE);
        hio_read(io);
        RUN_UNTIL(loop, seen.closes == 1);
        assert_int_equal(seen.got, sizes[i]);
        assert_false(seen.mangled);
        assert_int_equal(seen.error, 0);
        assert_true(seen.reads <= (int)(sizes[i] / 65536 + 1));
    }
    hloop_free(&loop);
    free(data);
}

static void a_file_that_is_not_read_keeps_no_loop_busy(void **state)
{
    int fd = temporary();

    (void)state;
    assert_int_equal(write(fd, "x", 1), 1);
    lseek(fd, 0, SEEK_SET);
    io = observe(hio_get(loop, fd), &seen);
    hio_read(io);
    hio_read_stop(io);
    settle(loop);
    assert_true(turns_within(loop, 20) <= 2);
    assert_int_equal(seen.reads, 0);
    hio_read(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.got, 1);
    hloop_free(&loop);
}

static void a_file_takes_everything_that_is_written(void **state)
{
    char *data = new_pattern(MIB), *back = malloc(MIB);
    int fd = temporary(), other = dup(fd);

    (void)state;
    io = observe(hio_get(loop, fd), &seen);
    assert_int_equal(hio_write(io, data, MIB), MIB);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(pread(other, back, MIB, 0), MIB);
    assert_memory_equal(data, back, MIB);
    hloop_free(&loop);
    close(other);
    free(data);
    free(back);
}

static void the_null_device_is_at_its_end(void **state)
{
    (void)state;
    io = observe(hio_get(loop, open("/dev/null", O_RDWR)), &seen);
    assert_int_equal(hio_setcb_eof(io, seen_on_eof), 0);
    hio_read(io);
    RUN_UNTIL(loop, seen.eofs == 1);
    assert_int_equal(seen.reads, 0);
    assert_int_equal(hio_write(io, "gone", 4), 4);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    hloop_free(&loop);
}

static void a_directory_is_an_error(void **state)
{
    (void)state;
    io = observe(hio_get(loop, open("/", O_RDONLY)), &seen);
    hio_read(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -EISDIR);
    hloop_free(&loop);
}

/* ---- pipes ----------------------------------------------------------------------------------- */

static void no_spin_of_zero_length_callbacks_at_the_end_of_a_pipe(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    io = observe(hio_get(loop, fds[0]), &seen);
    assert_int_equal(hio_type(io), HIO_TYPE_PIPE);
    assert_int_equal(hio_setcb_eof(io, seen_on_eof), 0);
    hio_read(io);
    assert_int_equal(write(fds[1], "abc", 3), 3);
    close(fds[1]);
    RUN_UNTIL(loop, seen.eofs == 1);
    assert_int_equal(seen.got, 3);
    assert_int_equal(seen.reads, 1);
    settle(loop);
    assert_true(turns_within(loop, 20) <= 2);
    assert_int_equal(seen.eofs, 1);
    assert_int_equal(seen.reads, 1);
    hloop_free(&loop);
}

static void a_pipe_whose_writer_has_gone_before_ends_at_once(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    close(fds[1]);
    io = observe(hio_get(loop, fds[0]), &seen);
    hio_read(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    assert_int_equal(seen.reads, 0);
    hloop_free(&loop);
}

static void a_named_pipe_whose_writer_has_gone_before_ends_at_once(void **state)
{
    char folder[] = "/tmp/hio-fifo-XXXXXX", path[64];
    int reader, writer;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK);
    writer = open(path, O_WRONLY);
    assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
    assert_int_equal(write(writer, "abc", 3), 3);
    close(writer);
    io = observe(hio_get(loop, reader), &seen);
    hio_read(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.got, 3);
    assert_int_equal(seen.reads, 1);
    hloop_free(&loop);
    unlink(path);
    rmdir(folder);
}

/* The other side, and whoever shares this one, still finds the descriptor as it was. */
static void a_shared_pipe_stays_blocking_for_the_others(void **state)
{
    int fds[2], shared[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    for (int i = 0; i < 2; i++) {
        shared[i] = dup(fds[i]);
        assert_non_null(hio_get(loop, fds[i]));
    }
    for (int i = 0; i < 2; i++)
        assert_true(is_blocking(shared[i]));
    io = observe(hio_get(loop, fds[0]), &seen);
    hio_read(io);
    assert_int_equal(write(shared[1], "x", 1), 1);
    RUN_UNTIL(loop, seen.reads == 1);
    settle(loop); /* nothing more to read: a read that blocks would hang here */
    for (int i = 0; i < 2; i++)
        assert_true(is_blocking(shared[i]));
    hloop_free(&loop);
    close(shared[0]);
    close(shared[1]);
}

static void a_full_pipe_queues(void **state)
{
    char *data = new_pattern(MIB), *back = malloc(MIB);
    size_t got = 0;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    io = observe(hio_get(loop, fds[1]), &seen);
    assert_int_equal(hio_write(io, data, MIB), MIB);
    assert_true(hio_write_bufsize(io) > 0);
    hio_close(io);
    while (got < MIB) {
        struct pollfd pfd = {.fd = fds[0], .events = POLLIN};

        if (poll(&pfd, 1, 0) > 0)
            got += (size_t)read(fds[0], back + got, MIB - got);
        hloop_wakeup(loop);
        assert_int_equal(hloop_run(loop), 0);
    }
    RUN_UNTIL(loop, seen.closes == 1);
    assert_memory_equal(data, back, MIB);
    hloop_free(&loop);
    close(fds[0]);
    free(data);
    free(back);
}

static void a_pipe_without_a_reader_is_an_error(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    io = observe(hio_get(loop, fds[1]), &seen);
    close(fds[0]);
    assert_int_equal(hio_write(io, "x", 1), -EPIPE);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -EPIPE);
    hloop_free(&loop);
}

static void a_reader_that_goes_while_we_write_is_an_error(void **state)
{
    char *data = new_pattern(MIB);
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    io = observe(hio_get(loop, fds[1]), &seen);
    assert_int_equal(hio_write(io, data, MIB), MIB);
    settle(loop);
    close(fds[0]);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -EPIPE);
    hloop_free(&loop);
    free(data);
}

static void a_pipe_of_our_own_carries_data(void **state)
{
    char *data = new_pattern(MIB);
    hio_t *ends[2];
    seen_t out;

    (void)state;
    assert_int_equal(hio_create_pipe(loop, ends), 0);
    observe(ends[0], &seen);
    observe(ends[1], &out);
    hio_read(ends[0]);
    assert_int_equal(hio_write(ends[1], data, MIB), MIB);
    hio_close(ends[1]);
    RUN_UNTIL(loop, seen.closes == 1 && out.closes == 1);
    assert_int_equal(seen.got, MIB);
    assert_false(seen.mangled);
    hloop_free(&loop);
    free(data);
}

/* ---- terminals ------------------------------------------------------------------------------- */

static void open_terminal(int *master, int *slave)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    if (*master < 0)
        skip(); /* a bare chroot has none */
    assert_int_equal(grantpt(*master), 0);
    assert_int_equal(unlockpt(*master), 0);
    *slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
    assert_true(*slave >= 0);
}

static void a_terminal_is_read_by_lines(void **state)
{
    int master, slave, shared;
    char buf[64];

    (void)state;
    open_terminal(&master, &slave);
    shared = dup(slave);
    io = observe(hio_get(loop, slave), &seen);
    assert_int_equal(hio_type(io), HIO_TYPE_STDIO);
    hio_read(io);
    assert_int_equal(write(master, "hello\n", 6), 6);
    RUN_UNTIL(loop, seen.got == 6);
    assert_string_equal(seen.first, "hello\n");
    assert_true(is_blocking(shared));
    assert_int_equal(hio_write(io, "out", 3), 3);
    assert_true(read(master, buf, sizeof(buf)) > 0);
    assert_int_equal(write(master, "\4", 1), 1); /* ^D */
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    hloop_free(&loop);
    close(master);
    close(shared);
}

/* Opening the master anew would make another terminal. */
static void the_master_of_a_terminal_stays_itself(void **state)
{
    int master, slave, shared;
    unsigned number, number_after;

    (void)state;
    open_terminal(&master, &slave);
    shared = dup(master);
    assert_int_equal(ioctl(master, TIOCGPTN, &number), 0);
    io = observe(hio_get(loop, master), &seen);
    hio_read(io);
    assert_int_equal(ioctl(master, TIOCGPTN, &number_after), 0);
    assert_int_equal(number, number_after);
    assert_true(is_blocking(shared));
    assert_int_equal(write(slave, "from the slave", 14), 14);
    RUN_UNTIL(loop, seen.got == 14);
    assert_int_equal(hio_write(io, "line\n", 5), 5);
    RUN_UNTIL(loop, hio_write_is_complete(io));
    RUN_UNTIL(loop, seen.got >= 14 + 6); /* its echo */
    close(slave);
    RUN_UNTIL(loop, seen.closes == 1); /* hung up */
    assert_int_equal(seen.error, 0);
    hloop_free(&loop);
    close(shared);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_file_that_epoll_refuses_is_read_whole),
        TEST(a_file_that_is_not_read_keeps_no_loop_busy),
        TEST(a_file_takes_everything_that_is_written),
        TEST(the_null_device_is_at_its_end),
        TEST(a_directory_is_an_error),
        TEST(no_spin_of_zero_length_callbacks_at_the_end_of_a_pipe),
        TEST(a_pipe_whose_writer_has_gone_before_ends_at_once),
        TEST(a_named_pipe_whose_writer_has_gone_before_ends_at_once),
        TEST(a_shared_pipe_stays_blocking_for_the_others),
        TEST(a_full_pipe_queues),
        TEST(a_pipe_without_a_reader_is_an_error),
        TEST(a_reader_that_goes_while_we_write_is_an_error),
        TEST(a_pipe_of_our_own_carries_data),
        TEST(a_terminal_is_read_by_lines),
        TEST(the_master_of_a_terminal_stays_itself),
    };

    return run_on_each_poller("hio over files", tests, ARRAY_LENGTH(tests));
}
