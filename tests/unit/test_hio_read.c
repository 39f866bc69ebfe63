/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"

static void reading_stops_and_starts(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer;
    hio_t *io = observed_tcp(loop, &seen, &peer);
    char *data = new_pattern(6);

    (void)state;
    assert_int_equal(write(peer, data, 3), 3);
    settle(loop);
    assert_int_equal(seen.got, 0); /* not asked for */
    hio_read(io);
    hio_read(io);
    RUN_UNTIL(loop, seen.got == 3);
    hio_read_stop(io);
    assert_int_equal(write(peer, data + 3, 3), 3);
    settle(loop);
    assert_int_equal(seen.got, 3);
    hio_read_start(io);
    RUN_UNTIL(loop, seen.got == 6);
    assert_false(seen.mangled);
    hloop_free(&loop);
    close(peer);
    free(data);
}

static void read_once_reads_once(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer;
    hio_t *io = observed_tcp(loop, &seen, &peer);

    (void)state;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(hio_read_once(io), 0);
        assert_int_equal(write(peer, "x", 1), 1);
        RUN_UNTIL(loop, seen.reads == i);
        assert_int_equal(write(peer, "y", 1), 1);
        settle(loop);
        assert_int_equal(seen.reads, i);
    }
    hloop_free(&loop);
    close(peer);
}

static void read_once_before_the_connect_reads_once(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    int listener = bound_socket(SOCK_STREAM, &addr), fd;
    seen_t seen;
    hio_t *io = observed_client(loop, &seen, &addr, sizeof(addr));

    (void)state;
    assert_int_equal(hio_connect(io), 0);
    assert_int_equal(hio_read_once(io), 0);
    RUN_UNTIL(loop, seen.connects == 1);
    fd = accept(listener, NULL, NULL);
    assert_int_equal(write(fd, "x", 1), 1);
    RUN_UNTIL(loop, seen.reads == 1);
    assert_int_equal(write(fd, "y", 1), 1);
    settle(loop);
    assert_int_equal(seen.reads, 1);
    hloop_free(&loop);
    close(fd);
    close(listener);
}

static void a_buffer_of_the_programs_own_is_filled(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    char own[8];
    int peer;
    hio_t *io = observed_tcp(loop, &seen, &peer);
    char *data = new_pattern(100);

    (void)state;
    assert_int_equal(hio_set_readbuf(io, own, 0), -EINVAL);
    assert_int_equal(hio_set_readbuf(io, own, sizeof(own)), 0);
    hio_read(io);
    assert_int_equal(write(peer, data, 100), 100);
    RUN_UNTIL(loop, seen.got == 100);
    assert_false(seen.mangled);
    assert_true(seen.reads >= 100 / 8);
    assert_int_equal(own[3], data[99]); /* 96..99 came last */
    hloop_free(&loop);
    close(peer);
    free(data);
}

/* One after the other goes, each time another one; those that stay are still told apart. */
static void descriptors_go_in_any_order(void **state)
{
    enum { N = 12 };
    static const int order[N] = {0, 11, 5, 1, 10, 6, 2, 9, 3, 8, 4, 7};
    hloop_t *loop = new_loop();
    seen_t seen[N];
    hio_t *ios[N];
    int peers[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        ios[i] = observed_tcp(loop, &seen[i], &peers[i]);
        hio_read(ios[i]);
    }
    settle(loop);
    for (int gone = 0; gone < N; gone++) {
        int again = order[gone + gone % (N - gone)];

        hio_read_stop(ios[again]);
        settle(loop);
        hio_read(ios[again]);
        for (int i = gone; i < N; i++) {
            assert_int_equal(write(peers[order[i]], "x", 1), 1);
            RUN_UNTIL(loop, seen[order[i]].reads == gone + 1);
        }
        hio_close(ios[order[gone]]);
        RUN_UNTIL(loop, seen[order[gone]].closes == 1);
        close(peers[order[gone]]);
    }
    hloop_free(&loop);
}

#define TEST(f) cmocka_unit_test_setup(f, loop_test_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reading_stops_and_starts),
        TEST(read_once_reads_once),
        TEST(read_once_before_the_connect_reads_once),
        TEST(a_buffer_of_the_programs_own_is_filled),
        TEST(descriptors_go_in_any_order),
    };

    return run_on_each_poller("reading an hio", tests, ARRAY_LENGTH(tests));
}
