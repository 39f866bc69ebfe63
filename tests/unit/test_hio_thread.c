#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"

#include <stdatomic.h>

#define WRITERS 4
#define WRITES_EACH 2000
#define RECORD 16

static hloop_t *loop;
static seen_t seen;
static hio_t *io;
static int peer;

static int setup(void **state)
{
    loop_test_setup(state);
    loop = new_loop_with(0);
    io = observed_tcp(loop, &seen, &peer);
    hio_read(io);
    return 0;
}

static void finish(void)
{
    hloop_free(&loop);
    close(peer);
}

/* ---- a loop in a thread of its own ----------------------------------------------------------- */

static pthread_t runner;
static atomic_int running;

static void on_running(hevent_t *ev)
{
    (void)ev;
    atomic_store(&running, 1);
}

static void *run_loop(void *arg)
{
    hevent_t ev = {.cb = on_running};

    hloop_post_event(arg, &ev);
    hloop_run(arg);
    return NULL;
}

static void start_runner(void)
{
    atomic_store(&running, 0);
    assert_int_equal(pthread_create(&runner, NULL, run_loop, loop), 0);
    while (!atomic_load(&running))
        sched_yield();
}

static void stop_runner(void)
{
    hloop_stop(loop);
    pthread_join(runner, NULL);
}

/* ---- writing and closing from elsewhere ------------------------------------------------------ */

static void *write_records(void *arg)
{
    char record[RECORD];

    for (int i = 0; i < WRITES_EACH; i++) {
        snprintf(record, sizeof(record), "%2d %10d", (int)(intptr_t)arg, i);
        if (hio_write(io, record, RECORD) != RECORD)
            return (void *)-1;
    }
    return NULL;
}

/* Whole records, those of each thread in order. */
static void no_races_in_thread_safe_writes(void **state)
{
    pthread_t writers[WRITERS];
    int next[WRITERS] = {0};
    void *failed;

    (void)state;
    start_runner();
    for (intptr_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_records, (void *)i), 0);
    for (int n = 0; n < WRITERS * WRITES_EACH; n++) {
        char record[RECORD];
        int writer, number;

        assert_int_equal(plain_receive(peer, record, RECORD), RECORD);
        assert_int_equal(sscanf(record, "%d %d", &writer, &number), 2);
        assert_int_equal(number, next[writer]++);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i], &failed);
        assert_null(failed);
    }
    stop_runner();
    finish();
}

static void a_close_from_another_thread_sends_what_was_written_before(void **state)
{
    char buf[16];

    (void)state;
    start_runner();
    assert_int_equal(hio_write(io, "farewell", 8), 8);
    assert_int_equal(hio_close(io), 0);
    assert_int_equal(recv(peer, buf, sizeof(buf), MSG_WAITALL), 8);
    stop_runner();
    assert_int_equal(seen.closes, 1);
    assert_int_equal(seen.error, 0);
    finish();
}

static void spans_from_another_thread_arrive(void **state)
{
    char text[] = "onetwo";
    hbuf_t spans[] = {{text, 3}, {NULL, 0}, {text + 3, 3}};
    char buf[6];

    (void)state;
    start_runner();
    assert_int_equal(hio_writev(io, spans, 3), 6);
    assert_int_equal(recv(peer, buf, 6, MSG_WAITALL), 6);
    assert_memory_equal(buf, "onetwo", 6);
    stop_runner();
    finish();
}

/* ---- handles --------------------------------------------------------------------------------- */

static atomic_int done_n, done_err;

static void on_done(hloop_t *done_loop, int err, void *arg)
{
    assert_ptr_equal(done_loop, loop);
    assert_ptr_equal(arg, &done_n);
    atomic_store(&done_err, err);
    atomic_fetch_add(&done_n, 1);
}

static void wait_done(int n)
{
    while (atomic_load(&done_n) < n)
        sched_yield();
}

static void a_handle_reaches_a_connection_that_lives(void **state)
{
    hio_handle_t handle = hio_handle(io);
    char buf[5];

    (void)state;
    assert_ptr_equal(hio_from_handle(handle), io);
    atomic_store(&done_n, 0);
    start_runner();
    assert_int_equal(hio_handle_write(handle, "hello", 5, on_done, &done_n), 0);
    assert_int_equal(recv(peer, buf, 5, MSG_WAITALL), 5);
    wait_done(1);
    assert_int_equal(atomic_load(&done_err), 0);
    assert_int_equal(hio_handle_close(handle, on_done, &done_n), 0);
    wait_done(2);
    assert_int_equal(atomic_load(&done_err), 0);
    assert_int_equal(recv(peer, buf, 5, 0), 0);
    stop_runner();
    assert_int_equal(seen.closes, 1);
    finish();
}

static void on_stop(hevent_t *ev)
{
    hloop_stop(ev->loop);
}

/* Runs the loop here until what is due now is done. */
static void run_briefly(void)
{
    for (int i = 0; i < 3; i++) {
        hevent_t ev = {.cb = on_stop};

        assert_int_equal(hloop_post_event(loop, &ev), 0);
        assert_int_equal(hloop_run(loop), 0);
    }
}

/* The old one is closed; a new one may have its memory, its slot and its descriptor. */
static void a_stale_handle_never_means_another_connection(void **state)
{
    hio_handle_t handle = hio_handle(io), none = {0};
    hloop_stats_t stats;
    seen_t fresh_seen;
    int fresh_peer;
    char byte;

    (void)state;
    atomic_store(&done_n, 0);
    hio_abort(io, 0);
    run_briefly();
    assert_int_equal(seen.closes, 1);
    assert_null(hio_from_handle(handle));
    hio_read(observed_tcp(loop, &fresh_seen, &fresh_peer));
    assert_null(hio_from_handle(handle));
    start_runner();
    assert_int_equal(hio_handle_write(handle, "x", 1, on_done, &done_n), 0);
    wait_done(1);
    assert_int_equal(atomic_load(&done_err), HERR_STALE);
    assert_int_equal(hio_handle_close(handle, on_done, &done_n), 0);
    assert_int_equal(hio_handle_close(handle, NULL, NULL), 0);
    wait_done(2);
    assert_int_equal(atomic_load(&done_err), HERR_STALE);
    stop_runner();
    run_briefly();
    hloop_stats(loop, &stats);
    assert_int_equal(stats.posts_dropped, 3);
    assert_int_equal(recv(fresh_peer, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(fresh_seen.closes, 0);
    assert_null(hio_from_handle(none));
    assert_int_equal(hio_handle_write(none, "x", 1, NULL, NULL), HERR_STALE);
    assert_int_equal(hio_handle_close(none, NULL, NULL), HERR_STALE);
    close(fresh_peer);
    finish();
}

static void *hammer(void *arg)
{
    hio_handle_t *handle = arg;

    for (int i = 0; i < 5000; i++) {
        if (hio_handle_write(*handle, "x", 1, on_done, &done_n) < 0)
            return (void *)-1;
    }
    return NULL;
}

/* Each message is answered once: while the connection lives, while it closes, and after. */
static void every_message_is_answered(void **state)
{
    hio_handle_t handle = hio_handle(io);
    pthread_t threads[2];
    char buf[4096];

    (void)state;
    atomic_store(&done_n, 0);
    start_runner();
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, hammer, &handle);
    assert_true(recv(peer, buf, sizeof(buf), 0) > 0);
    assert_int_equal(hio_handle_close(handle, NULL, NULL), 0);
    while (recv(peer, buf, sizeof(buf), 0) > 0)
        ;
    shutdown(peer, SHUT_WR); /* nothing is left for the closing one to wait for */
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    wait_done(10000);
    while (hloop_nios(loop) > 0)
        sched_yield();
    stop_runner();
    assert_int_equal(atomic_load(&done_n), 10000);
    assert_int_equal(seen.closes, 1);
    finish();
}

static void messages_that_never_ran_are_answered_by_the_free(void **state)
{
    hio_handle_t handle = hio_handle(io);
    hloop_t *freed = loop;

    (void)state;
    atomic_store(&done_n, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(hio_handle_write(handle, "x", 1, on_done, &done_n), 0);
    hloop_free(&freed); /* loop stays: on_done compares with it */
    assert_int_equal(atomic_load(&done_n), 3);
    assert_int_equal(atomic_load(&done_err), HERR_STALE);
    close(peer);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static hloop_t *other;

static void on_attach(hevent_t *ev)
{
    assert_int_equal(hio_attach(ev->loop, ev->userdata), 0);
    assert_int_equal(hio_read(ev->userdata), 0);
}

static void on_moved_read(hio_t *self, void *buf, int len)
{
    assert_ptr_equal(hevent_loop(self), other);
    hio_write(self, buf, (size_t)len);
}

static void *run_other(void *arg)
{
    hloop_run(arg);
    return NULL;
}

static void an_hio_moves_to_another_loop_with_what_is_queued(void **state)
{
    enum { SIZE = 2 << 20 };
    char *data = new_pattern(SIZE), *got = malloc(SIZE);
    hevent_t ev = {.cb = on_attach, .userdata = io};
    pthread_t thread;

    (void)state;
    other = new_loop_with(0);
    assert_int_equal(pthread_create(&thread, NULL, run_other, other), 0);
    hio_setcb_read(io, on_moved_read);
    hio_set_keepalive_timeout(io, 60000);
    assert_int_equal(hio_write(io, data, SIZE), SIZE);
    assert_int_equal(write(peer, "ping", 4), 4);
    assert_int_equal(hio_detach(io), 0);
    assert_int_equal(hloop_nios(loop), 0);
    assert_int_equal(hloop_ntimers(loop), 0);
    assert_int_equal(hloop_post_event(other, &ev), 0);
    assert_int_equal(plain_receive(peer, got, SIZE), SIZE);
    assert_memory_equal(got, data, SIZE);
    assert_int_equal(plain_receive(peer, got, 4), 4);
    assert_memory_equal(got, "ping", 4);
    run_briefly(); /* the old loop hears nothing of it */
    hloop_stop(other);
    pthread_join(thread, NULL);
    hloop_free(&other);
    assert_int_equal(seen.closes, 1);
    free(data);
    free(got);
    finish();
}

static void a_detached_hio_is_closed_without_a_callback(void **state)
{
    char byte;

    (void)state;
    assert_int_equal(hio_detach(io), 0);
    assert_int_equal(hio_close(io), 0);
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
    run_briefly();
    assert_int_equal(seen.closes, 0);
    finish();
}

static int detach_result;

static void on_read_detach(hio_t *self, void *buf, int len)
{
    seen_on_read(self, buf, len);
    detach_result = hio_detach(self);
    hloop_stop(hevent_loop(self));
}

static void an_hio_does_not_leave_from_its_own_callback(void **state)
{
    (void)state;
    hio_setcb_read(io, on_read_detach);
    assert_int_equal(write(peer, "x", 1), 1);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(detach_result, -EBUSY);
    assert_int_equal(hio_attach(loop, io), -EINVAL);
    hio_close(io);
    assert_int_equal(hio_detach(io), HERR_CLOSED);
    run_briefly();
    assert_int_equal(seen.closes, 1);
    finish();
}

static hio_t *pair[2];

static void on_read_take_other(hio_t *self, void *buf, int len)
{
    hio_t *taken = pair[self == pair[0]];

    seen_on_read(self, buf, len);
    assert_int_equal(hio_detach(taken), 0);
    assert_int_equal(hio_close(taken), 0); /* freed at once */
    hloop_stop(hevent_loop(self));
}

/* Both are ready in one iteration; the first takes the other off the loop. */
static void an_hio_taken_off_while_ready_is_not_touched(void **state)
{
    seen_t seen_other;
    int peer_other;

    (void)state;
    pair[0] = io;
    pair[1] = observed_tcp(loop, &seen_other, &peer_other);
    for (int i = 0; i < 2; i++) {
        hio_setcb_read(pair[i], on_read_take_other);
        hio_read(pair[i]);
    }
    run_briefly();
    assert_int_equal(write(peer, "x", 1), 1);
    assert_int_equal(write(peer_other, "x", 1), 1);
    assert_int_equal(hloop_run(loop), 0);
    run_briefly();
    assert_int_equal(seen.reads + seen_other.reads, 1);
    assert_int_equal(seen.closes + seen_other.closes, 0);
    close(peer_other);
    finish();
}

static void on_accept_detach(hio_t *accepted)
{
    *(hio_t **)hevent_userdata(accepted) = accepted;
    assert_int_equal(hio_detach(accepted), 0);
    hloop_stop(loop);
}

static void an_acceptor_hands_connections_over(void **state)
{
    struct sockaddr_in addr;
    hio_t *listener =
        haccept(loop, bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr), on_accept_detach);
    hio_t *accepted = NULL;
    hevent_t ev = {.cb = on_attach};
    int fd = plain_connect(&addr);
    pthread_t thread;
    char byte;

    (void)state;
    hevent_set_userdata(listener, &accepted);
    assert_int_equal(hloop_run(loop), 0);
    assert_non_null(accepted);
    other = new_loop_with(0);
    hio_setcb_read(accepted, on_moved_read);
    ev.userdata = accepted;
    assert_int_equal(pthread_create(&thread, NULL, run_other, other), 0);
    assert_int_equal(hloop_post_event(other, &ev), 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    hloop_stop(other);
    pthread_join(thread, NULL);
    hloop_free(&other);
    close(fd);
    finish();
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_races_in_thread_safe_writes),
        TEST(a_close_from_another_thread_sends_what_was_written_before),
        TEST(spans_from_another_thread_arrive),
        TEST(a_handle_reaches_a_connection_that_lives),
        TEST(a_stale_handle_never_means_another_connection),
        TEST(every_message_is_answered),
        TEST(messages_that_never_ran_are_answered_by_the_free),
        TEST(an_hio_moves_to_another_loop_with_what_is_queued),
        TEST(a_detached_hio_is_closed_without_a_callback),
        TEST(an_hio_does_not_leave_from_its_own_callback),
        TEST(an_hio_taken_off_while_ready_is_not_touched),
        TEST(an_acceptor_hands_connections_over),
    };

    return run_on_each_poller("hio and threads", tests, ARRAY_LENGTH(tests));
}
