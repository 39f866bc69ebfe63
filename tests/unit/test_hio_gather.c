/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"
#include "oom.h"

#define PIECE 4096
#define NEVER_US (60u * 1000 * 1000) /* a wait that a test does not live to see */

static hloop_t *loop;
static seen_t seen;
static hio_t *io;
static int writer;
static size_t written;

static hio_t *open_pipe(size_t enough, uint32_t wait_us)
{
    int fds[2];

    loop = new_loop();
    written = 0;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) > 0);
    writer = fds[1];
    io = observe(hio_get(loop, fds[0]), &seen);
    assert_int_equal(hio_set_read_gather(io, enough, wait_us), 0);
    hio_read(io);
    return io;
}

static void write_piece(size_t len)
{
    char data[65536];

    for (size_t i = 0; i < len; i++)
        data[i] = pattern(written + i);
    assert_int_equal(write(writer, data, len), len);
    written += len;
}

/* Pieces that are read one by one. */
static void pass_pieces(int n, size_t len)
{
    for (int i = 0; i < n; i++) {
        int before = seen.reads;

        write_piece(len);
        RUN_UNTIL(loop, seen.reads > before);
    }
}

/* So many that the next one has to wait. */
static void begin_to_wait(void)
{
    pass_pieces(9, PIECE); /* the first follows nothing */
    write_piece(PIECE);
    settle(loop);
    assert_int_equal(seen.reads, 9);
}

static void end(void)
{
    hloop_free(&loop);
    close(writer);
    assert_false(seen.mangled);
}

static void many_small_pieces_become_one_read(void **state)
{
    (void)state;
    open_pipe(1 << 20, 500000);
    begin_to_wait();
    for (int i = 0; i < 12; i++)
        write_piece(PIECE);
    RUN_UNTIL(loop, seen.reads > 9);
    assert_int_equal(seen.reads, 10);
    assert_int_equal(seen.got, 22 * PIECE);
    close(writer);
    writer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    end();
}

static void messages_and_large_pieces_never_wait(void **state)
{
    (void)state;
    open_pipe(65536, NEVER_US);
    pass_pieces(20, PIECE - 1);
    pass_pieces(20, 65536);
    end();
}

static void what_waits_can_be_closed(void **state)
{
    (void)state;
    open_pipe(1 << 20, NEVER_US);
    begin_to_wait();
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    end();
}

static void what_waits_is_read_at_once_on_another_loop(void **state)
{
    hloop_t *other = new_loop();

    (void)state;
    open_pipe(1 << 20, NEVER_US);
    begin_to_wait();
    assert_int_equal(hio_detach(io), 0);
    assert_int_equal(hio_attach(other, io), 0);
    RUN_UNTIL(other, seen.reads == 10);
    hloop_free(&other);
    end();
}

static int oom_scenario(void *arg)
{
    hloop_options_t options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    char data[PIECE] = "";
    hio_t *pipeio[2];
    int err = -ENOMEM;

    (void)arg;
    loop = hloop_new_with(&options);
    if (!loop)
        return -ENOMEM;
    if (hio_create_pipe(loop, pipeio) == 0) {
        err = hio_set_read_gather(pipeio[0], 1 << 20, NEVER_US);
        hio_read(pipeio[0]);
        for (int i = 0; i < 12 && err == 0; i++) {
            err = hio_write(pipeio[1], data, PIECE) == PIECE ? 0 : -ENOMEM;
            hloop_wakeup(loop);
            if (hloop_run(loop) < 0)
                err = -ENOMEM;
        }
    }
    hloop_free(&loop);
    return err;
}

static void without_memory_it_is_an_error_or_nothing_waits(void **state)
{
    (void)state;
    oom_run(oom_scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_small_pieces_become_one_read),
        cmocka_unit_test(messages_and_large_pieces_never_wait),
        cmocka_unit_test(what_waits_can_be_closed),
        cmocka_unit_test(what_waits_is_read_at_once_on_another_loop),
        cmocka_unit_test(without_memory_it_is_an_error_or_nothing_waits),
    };

    return run_on_each_poller("hio_gather", tests, ARRAY_LENGTH(tests));
}
