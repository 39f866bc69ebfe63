#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hserver_fixture.h"

/* ---- processes ------------------------------------------------------------------------------- */

static void on_signal(hsignal_t *sig)
{
    (void)sig;
    hserver_stop(the_server);
}

static int on_start_with_signal(hserver_t *server, hloop_t *loop, int index)
{
    if (index == HSERVER_MAIN && !hsignal_add(loop, on_signal, SIGTERM))
        return -ENOMEM;
    if (index != HSERVER_MAIN && shared->forgotten)
        prctl(PR_SET_PDEATHSIG, 0);
    return on_start(server, loop, index);
}

static int serve(bool shared_listener, int ready)
{
    hserver_options_t options = options_for(HSERVER_PROCESSES, "0");
    int result;

    options.shared_listener = shared_listener;
    options.on_start = on_start_with_signal;
    options.stop_timeout_ms = shared->stop_timeout_ms;
    result = hserver_new(&options, &the_server);
    if (result == 0) {
        shared->addr = *hserver_addr(the_server);
        if (write(ready, "", 1) != 1)
            return -errno;
        close(ready);
        result = hserver_run(the_server);
    }
    hserver_free(the_server);
    return result;
}

/* The server in a process of its own, as programs have it: none but the server and its workers hold
 * its sockets. Returns when clients may connect. */
static pid_t fork_server(bool shared_listener)
{
    int ready[2], result;
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
        result = serve(shared_listener, ready[1]);
        _exit(result < 0 ? 100 - result : result);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static int wait_exit(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Before that the signal has its default action. */
static void wait_main_started(void)
{
    wait_for(&shared->main_started);
}

static void terminate(pid_t pid)
{
    wait_main_started();
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(wait_exit(pid), 0);
    assert_int_equal(shared->main_stopped, 1);
}

static void command(const client_t *client, const char *text)
{
    assert_int_equal(send(client->fd, text, 1, MSG_NOSIGNAL), 1);
}

static void serve_with_processes(bool shared_listener)
{
    client_t clients[30];
    pid_t pid = fork_server(shared_listener);

    for (int i = 0; i < 30; i++) {
        clients[i] = connect_to(&shared->addr);
        assert_echo(&clients[i]);
        assert_int_not_equal(clients[i].pid, pid);
    }
    terminate(pid);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(shared->started[i], 1);
        assert_int_equal(shared->stopped[i], 1);
        assert_int_equal(shared->status[i], 0);
    }
    for (int i = 0; i < 30; i++) {
        wait_closed(clients[i].fd);
        close(clients[i].fd);
    }
}

static void processes_accept_with_a_socket_each(void **state)
{
    (void)state;
    serve_with_processes(false);
}

static void processes_accept_from_one_shared_socket(void **state)
{
    (void)state;
    serve_with_processes(true);
}

static void the_rest_serve_on_when_a_worker_dies(void **state)
{
    time_t limit = time(NULL) + WAIT_MS / 1000;
    pid_t pid = fork_server(false);
    client_t victim;
    long who[3];
    int served = 0;

    (void)state;
    wait_main_started();
    victim = connect_to(&shared->addr);
    command(&victim, "X");
    wait_closed(victim.fd);
    close(victim.fd);
    while (served < 20) {
        int fd = hsocket_connect(&shared->addr, SOCK_STREAM, NULL, WAIT_MS);

        /* An io_uring outlives its process by a moment, and with it the socket: that resets. */
        if (fd >= 0 && try_receive(fd, who, sizeof(who))) {
            assert_int_not_equal(who[1], victim.pid);
            served++;
        }
        assert_true(time(NULL) <= limit);
        close(fd);
    }
    terminate(pid);
}

static void the_server_ends_with_its_last_worker(void **state)
{
    pid_t pid = fork_server(true);

    (void)state;
    wait_main_started();
    for (int i = 0; i < WORKERS; i++) {
        client_t client = connect_to(&shared->addr);

        command(&client, i == 0 ? "S" : "X");
        wait_closed(client.fd);
        close(client.fd);
    }
    assert_int_equal(wait_exit(pid), 0);
}

static void a_worker_that_does_not_stop_is_killed(void **state)
{
    client_t client;
    pid_t pid;

    (void)state;
    shared->stop_timeout_ms = 300;
    pid = fork_server(true);
    client = connect_to(&shared->addr);
    command(&client, "B");
    wait_for(&shared->busy);
    terminate(pid);
    assert_int_equal(WTERMSIG(shared->status[client.index]), SIGKILL);
    wait_closed(client.fd);
    close(client.fd);
}

static void a_terminated_worker_ends_as_by_a_stop(void **state)
{
    pid_t pid = fork_server(true);
    client_t client;

    (void)state;
    wait_main_started();
    client = connect_to(&shared->addr);
    assert_int_equal(kill(client.pid, SIGTERM), 0);
    wait_for(&shared->stopped[client.index]);
    wait_closed(client.fd);
    close(client.fd);
    terminate(pid);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(shared->status[i], 0);
}

static void workers_that_the_kernel_forgot_stop_without_their_parent(void **state)
{
    client_t client;
    pid_t pid;

    (void)state;
    shared->forgotten = true;
    pid = fork_server(true);
    wait_main_started();
    client = connect_to(&shared->addr);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(wait_exit(pid), -SIGKILL);
    wait_closed(client.fd);
    close(client.fd);
    for (int i = 0; i < WORKERS; i++)
        wait_for(&shared->stopped[i]);
}

static void workers_die_with_a_parent_that_was_killed(void **state)
{
    pid_t pid = fork_server(false);
    client_t idle = connect_to(&shared->addr), stuck = connect_to(&shared->addr);

    (void)state;
    command(&stuck, "B");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(wait_exit(pid), -SIGKILL);
    wait_closed(idle.fd);
    wait_closed(stuck.fd);
    close(idle.fd);
    close(stuck.fd);
}

static void a_process_that_cannot_start_ends_the_server_with_its_error(void **state)
{
    (void)state;
    shared->fail_index = 1;
    assert_int_equal(wait_exit(fork_server(false)), 100 + EPERM);
    assert_int_equal(shared->started[0], 1);
    assert_int_equal(shared->stopped[0], 1);
    assert_int_equal(shared->main_started, 0);
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
    hserver_options_t options = options_for(HSERVER_PROCESSES, "0");
    hserver_t *server = NULL;
    int err;

    (void)arg;
    options.on_start = on_start_stopping;
    err = hserver_new(&options, &server);
    if (!err)
        err = hserver_run(server);
    hserver_free(server);
    return err;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run_forking(build_run_and_free, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(processes_accept_with_a_socket_each, reset_shared),
        cmocka_unit_test_setup(processes_accept_from_one_shared_socket, reset_shared),
        cmocka_unit_test_setup(the_rest_serve_on_when_a_worker_dies, reset_shared),
        cmocka_unit_test_setup(the_server_ends_with_its_last_worker, reset_shared),
        cmocka_unit_test_setup(a_worker_that_does_not_stop_is_killed, reset_shared),
        cmocka_unit_test_setup(a_terminated_worker_ends_as_by_a_stop, reset_shared),
        cmocka_unit_test_setup(workers_that_the_kernel_forgot_stop_without_their_parent,
                               reset_shared),
        cmocka_unit_test_setup(workers_die_with_a_parent_that_was_killed, reset_shared),
        cmocka_unit_test_setup(a_process_that_cannot_start_ends_the_server_with_its_error,
                               reset_shared),
        cmocka_unit_test(out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("hserver_processes", tests, make_shared, NULL);
}
