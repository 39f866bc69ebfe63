#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hserver_fixture.h"

typedef struct run_s {
    hserver_t *server;
    pthread_t thread;
    int result;
} run_t;

/* ---- threads --------------------------------------------------------------------------------- */

static void *run_in_thread(void *arg)
{
    run_t *run = arg;

    run->result = hserver_run(run->server);
    return NULL;
}

static run_t start(const hserver_options_t *options)
{
    run_t run = {.server = new_server(options)};

    return run;
}

static void begin(run_t *run)
{
    assert_int_equal(pthread_create(&run->thread, NULL, run_in_thread, run), 0);
}

static void finish(run_t *run)
{
    hserver_stop(run->server);
    pthread_join(run->thread, NULL);
    assert_int_equal(run->result, 0);
    assert_int_equal(shared->main_started, 1);
    assert_int_equal(shared->main_stopped, 1);
    for (unsigned i = 0; i < hserver_workers(run->server); i++) {
        assert_int_equal(shared->started[i], 1);
        assert_int_equal(shared->stopped[i], 1);
    }
    hserver_free(run->server);
}

static void one_thread_serves_alone(void **state)
{
    hserver_options_t options = options_for(HSERVER_SINGLE, "0");
    run_t run = start(&options);
    client_t client;

    (void)state;
    assert_int_equal(hserver_workers(run.server), 1);
    begin(&run);
    client = connect_to(hserver_addr(run.server));
    assert_echo(&client);
    assert_int_equal(client.index, 0);
    finish(&run);
    wait_closed(client.fd);
    close(client.fd);
}

static void serve_with_threads(bool shared_listener)
{
    hserver_options_t options = options_for(HSERVER_THREADS, "0");
    client_t clients[60];
    int seen[WORKERS] = {0};
    run_t run;

    options.shared_listener = shared_listener;
    run = start(&options);
    begin(&run);
    for (size_t i = 0; i < 60; i++) {
        clients[i] = connect_to(hserver_addr(run.server));
        assert_echo(&clients[i]);
        assert_in_range(clients[i].index, 0, WORKERS - 1);
        seen[clients[i].index]++;
    }
    if (!shared_listener) { /* the kernel's hash reaches each of three with all but certainty */
        for (int i = 0; i < WORKERS; i++)
            assert_true(seen[i] > 0);
    }
    finish(&run);
    for (size_t i = 0; i < 60; i++) {
        wait_closed(clients[i].fd);
        close(clients[i].fd);
    }
}

static void threads_accept_with_a_socket_each(void **state)
{
    (void)state;
    serve_with_threads(false);
}

static void threads_accept_from_one_shared_socket(void **state)
{
    (void)state;
    serve_with_threads(true);
}

static void an_acceptor_hands_connections_to_workers_in_turn(void **state)
{
    hserver_options_t options = options_for(HSERVER_ACCEPTOR, "0");
    client_t clients[4 * WORKERS];
    run_t run = start(&options);

    (void)state;
    begin(&run);
    for (int i = 0; i < 4 * WORKERS; i++) {
        clients[i] = connect_to(hserver_addr(run.server));
        assert_echo(&clients[i]);
        assert_int_equal(clients[i].index, i % WORKERS);
    }
    assert_int_equal(clients[0].tid, clients[WORKERS].tid);
    assert_int_not_equal(clients[0].tid, clients[1].tid);
    finish(&run);
    for (int i = 0; i < 4 * WORKERS; i++)
        close(clients[i].fd);
}

static _Atomic(hloop_t *) worker_loops[WORKERS];

static int on_start_known(hserver_t *server, hloop_t *loop, int index)
{
    if (index != HSERVER_MAIN)
        atomic_store(&worker_loops[index], loop);
    return on_start(server, loop, index);
}

/* A client may see the end a moment before its worker has one connection less. */
static void wait_load(int index, uint32_t load)
{
    time_t limit = time(NULL) + WAIT_MS / 1000;

    while (hloop_nios(atomic_load(&worker_loops[index])) != load) {
        assert_true(time(NULL) <= limit);
        sched_yield();
    }
}

static void end_connections(client_t *clients, int n, int index, int count)
{
    uint32_t left = hloop_nios(atomic_load(&worker_loops[index])) - (uint32_t)count;

    for (int i = 0; i < n && count > 0; i++) {
        if (clients[i].index != index)
            continue;
        shutdown(clients[i].fd, SHUT_WR);
        wait_closed(clients[i].fd);
        clients[i].index = -1;
        count--;
    }
    assert_int_equal(count, 0);
    wait_load(index, left);
}

/* Worker 0 has three, worker 1 two, worker 2 one. */
static void an_acceptor_finds_the_worker_with_the_fewest_connections(void **state)
{
    hserver_options_t options = options_for(HSERVER_ACCEPTOR, "0");
    client_t clients[3 * WORKERS + 3];
    int n = 3 * WORKERS;
    run_t run;

    (void)state;
    options.balance = HSERVER_LEAST_CONNECTIONS;
    options.on_start = on_start_known;
    run = start(&options);
    begin(&run);
    for (int i = 0; i < n; i++)
        clients[i] = connect_to(hserver_addr(run.server));
    end_connections(clients, n, 1, 1);
    end_connections(clients, n, 2, 2);
    for (int i = n; i < n + 3; i++)
        clients[i] = connect_to(hserver_addr(run.server));
    assert_int_equal(clients[n].index, 2);
    assert_int_equal(clients[n + 1].index + clients[n + 2].index, 3);
    assert_int_not_equal(clients[n + 1].index, 0);
    assert_int_not_equal(clients[n + 2].index, 0);
    finish(&run);
    for (int i = 0; i < n + 3; i++)
        close(clients[i].fd);
}

#define ON_THE_WAY 5

static void on_tick(htimer_t *timer)
{
    hloop_stats_t stats;

    hloop_stats(hevent_loop(timer), &stats);
    if (stats.accepts == 1 + ON_THE_WAY)
        atomic_store(&shared->all_accepted, 1);
}

static int on_start_ticking(hserver_t *server, hloop_t *loop, int index)
{
    if (hserver_userdata(server) != shared)
        return -EINVAL;
    if (index == HSERVER_MAIN && !htimer_add(loop, on_tick, 1, INFINITE))
        return -ENOMEM;
    return on_start(server, loop, index);
}

/* The worker is busy until the acceptor has handed over the rest, and then stops. */
static void on_read_and_stop(hio_t *io, void *buf, int len)
{
    (void)buf;
    (void)len;
    atomic_store(&shared->busy, 1);
    while (!atomic_load(&shared->all_accepted))
        sched_yield();
    hloop_stop(hevent_loop(io));
}

static void on_accept_and_stop(hio_t *io)
{
    on_accept(io);
    hio_setcb_read(io, on_read_and_stop);
}

static void connections_that_a_stopping_worker_has_not_taken_are_closed(void **state)
{
    hserver_options_t options = options_for(HSERVER_ACCEPTOR, "0");
    int fds[ON_THE_WAY];
    client_t busy;
    run_t run;

    (void)state;
    options.workers = 1;
    options.on_start = on_start_ticking;
    options.userdata = shared;
    options.on_accept = on_accept_and_stop;
    run = start(&options);
    begin(&run);
    busy = connect_to(hserver_addr(run.server));
    assert_int_equal(send(busy.fd, "x", 1, MSG_NOSIGNAL), 1);
    wait_for(&shared->busy);
    for (int i = 0; i < ON_THE_WAY; i++)
        fds[i] = hsocket_connect(hserver_addr(run.server), SOCK_STREAM, NULL, WAIT_MS);
    pthread_join(run.thread, NULL); /* its only worker has ended */
    assert_int_equal(run.result, 0);
    hserver_free(run.server);
    for (int i = 0; i < ON_THE_WAY; i++) {
        wait_closed(fds[i]);
        close(fds[i]);
    }
    close(busy.fd);
}

static void connections_on_their_way_are_not_lost_or_leaked_when_the_server_stops(void **state)
{
    hserver_options_t options = options_for(HSERVER_ACCEPTOR, "0");

    (void)state;
    for (int round = 0; round < 10; round++) {
        int fds[30];
        run_t run = start(&options);

        begin(&run);
        for (int i = 0; i < 30; i++) {
            fds[i] = hsocket_connect(hserver_addr(run.server), SOCK_STREAM, NULL, WAIT_MS);
            assert_true(fds[i] >= 0);
        }
        hserver_stop(run.server); /* it may not even have begun */
        pthread_join(run.thread, NULL);
        assert_int_equal(run.result, 0);
        hserver_free(run.server);
        for (int i = 0; i < 30; i++)
            close(fds[i]);
    }
}

static void a_stop_before_the_run_is_not_lost(void **state)
{
    static const hserver_mode_e modes[] = {HSERVER_SINGLE, HSERVER_PROCESSES, HSERVER_THREADS,
                                           HSERVER_ACCEPTOR};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        hserver_options_t options = options_for(modes[i], "0");
        hserver_t *server = new_server(&options);

        hserver_stop(server);
        assert_int_equal(hserver_run(server), 0);
        hserver_free(server);
    }
}

static void a_start_that_fails_ends_the_server_with_its_error(void **state)
{
    static const hserver_mode_e modes[] = {HSERVER_SINGLE, HSERVER_THREADS, HSERVER_ACCEPTOR};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (int which = HSERVER_MAIN; which <= 0; which++) {
            hserver_options_t options = options_for(modes[i], "0");
            hserver_t *server = new_server(&options);

            reset_shared(NULL);
            shared->fail_index = which;
            assert_int_equal(hserver_run(server), -EPERM);
            hserver_free(server);
        }
    }
}

static void a_unix_path_is_shared_and_removed_at_the_end(void **state)
{
    char path[] = "/tmp/hserver-XXXXXX", endpoint[64];
    hserver_options_t options;
    client_t client;
    run_t run;

    (void)state;
    assert_non_null(mkdtemp(path));
    snprintf(endpoint, sizeof(endpoint), "unix:%s/s", path);
    options = options_for(HSERVER_THREADS, endpoint);
    run = start(&options);
    begin(&run);
    client = connect_to(hserver_addr(run.server));
    assert_echo(&client);
    close(client.fd);
    finish(&run);
    assert_int_equal(rmdir(path), 0);
}

/* ---- datagrams ------------------------------------------------------------------------------- */

static void on_datagram(hio_t *io, void *buf, int len)
{
    hio_write(io, buf, (size_t)len);
}

static void on_datagram_socket(hio_t *io)
{
    hio_setcb_read(io, on_datagram);
    hio_read(io);
}

static void datagram_workers_get_the_socket_once(void **state)
{
    hserver_options_t options = options_for(HSERVER_THREADS, "udp://0");
    run_t run;

    (void)state;
    options.on_accept = on_datagram_socket;
    options.listen.datagram_batch = 8;
    run = start(&options);
    begin(&run);
    for (int i = 0; i < 20; i++) {
        int fd = hsocket_connect(hserver_addr(run.server), SOCK_DGRAM, NULL, WAIT_MS);
        client_t client = {.fd = fd};

        assert_echo(&client);
        close(fd);
    }
    finish(&run);
}

/* ---- making ---------------------------------------------------------------------------------- */

static void a_port_in_use_is_told_before_anything_runs(void **state)
{
    hserver_options_t options = options_for(HSERVER_THREADS, "0");
    hserver_t *server = new_server(&options), *second = NULL;

    (void)state;
    options.listen.endpoint.port = (uint16_t)haddr_port(&hserver_addr(server)->u.sa);
    assert_int_equal(hserver_new(&options, &second), -EADDRINUSE);
    assert_null(second);
    hserver_free(server);
    hserver_free(NULL);
}

static void options_that_cannot_be_are_refused(void **state)
{
    hserver_options_t options = options_for(HSERVER_ACCEPTOR, "udp://0");
    hserver_t *server = NULL;

    (void)state;
    assert_int_equal(hserver_new(&options, &server), -EINVAL);
    options = options_for(HSERVER_THREADS, "0");
    options.workers = HSERVER_WORKERS_MAX + 1;
    assert_int_equal(hserver_new(&options, &server), -EINVAL);
    options.workers = 1;
    options.on_accept = NULL;
    assert_int_equal(hserver_new(&options, &server), -EINVAL);
}

static int on_start_stopping(hserver_t *server, hloop_t *loop, int index)
{
    (void)loop;
    if (index == HSERVER_MAIN)
        hserver_stop(server);
    return 0;
}

static int build_run_and_free(void *arg)
{
    hserver_options_t options = options_for(*(hserver_mode_e *)arg, "0");
    hserver_t *server = NULL;
    int err;

    options.on_start = on_start_stopping;
    options.workers = 2;
    err = hserver_new(&options, &server);
    if (!err)
        err = hserver_run(server);
    hserver_free(server);
    return err;
}

static void out_of_memory_is_an_error(void **state)
{
    hserver_mode_e modes[] = {HSERVER_SINGLE, HSERVER_THREADS, HSERVER_ACCEPTOR};

    (void)state;
    for (int i = 0; i < 3; i++)
        oom_run(build_run_and_free, &modes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_thread_serves_alone, reset_shared),
        cmocka_unit_test_setup(threads_accept_with_a_socket_each, reset_shared),
        cmocka_unit_test_setup(threads_accept_from_one_shared_socket, reset_shared),
        cmocka_unit_test_setup(an_acceptor_hands_connections_to_workers_in_turn, reset_shared),
        cmocka_unit_test_setup(an_acceptor_finds_the_worker_with_the_fewest_connections,
                               reset_shared),
        cmocka_unit_test_setup(
            connections_on_their_way_are_not_lost_or_leaked_when_the_server_stops, reset_shared),
        cmocka_unit_test_setup(connections_that_a_stopping_worker_has_not_taken_are_closed,
                               reset_shared),
        cmocka_unit_test_setup(a_stop_before_the_run_is_not_lost, reset_shared),
        cmocka_unit_test_setup(a_start_that_fails_ends_the_server_with_its_error, reset_shared),
        cmocka_unit_test_setup(a_unix_path_is_shared_and_removed_at_the_end, reset_shared),
        cmocka_unit_test_setup(datagram_workers_get_the_socket_once, reset_shared),
        cmocka_unit_test_setup(a_port_in_use_is_told_before_anything_runs, reset_shared),
        cmocka_unit_test_setup(options_that_cannot_be_are_refused, reset_shared),
        cmocka_unit_test_setup(out_of_memory_is_an_error, reset_shared),
    };

    return cmocka_run_group_tests_name("hserver", tests, make_shared, NULL);
}
