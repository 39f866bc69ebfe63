#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "loop_test.h"
#include "oom.h"

#include "../../cmd/hcurl/load.h"

#include <pthread.h>

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A server in a thread, for one connection after another: each request is answered with the next
 * piece of the script, its last one again and again. */
typedef struct site_s {
    pthread_t thread;
    int listener;
    struct sockaddr_in addr;
    const char *script[4]; /* up to a NULL; "" closes the connection */
    int said;
} site_t;

static const char *next_piece(site_t *site)
{
    const char *piece = site->script[site->said];

    if (site->said < 3 && site->script[site->said + 1])
        site->said++;
    return piece;
}

static void talk(site_t *site, int fd)
{
    char heard[4096];
    size_t len = 0;

    for (;;) {
        const char *piece;
        ssize_t n = recv(fd, heard + len, sizeof(heard) - 1 - len, 0);

        if (n <= 0)
            return;
        len += (size_t)n;
        heard[len] = '\0';
        if (!strstr(heard, "\r\n\r\n"))
            continue;
        len = 0;
        piece = next_piece(site);
        if (!*piece || send(fd, piece, strlen(piece), MSG_NOSIGNAL) < 0)
            return;
    }
}

static void *serve(void *arg)
{
    site_t *site = arg;
    int fd;

    while ((fd = accept(site->listener, NULL, NULL)) >= 0) {
        talk(site, fd);
        close(fd);
    }
    return NULL;
}

static void site_open(site_t *site, const char *first, const char *second)
{
    memset(site, 0, sizeof(*site));
    site->script[0] = first;
    site->script[1] = second;
    site->listener = bound_socket(SOCK_STREAM, &site->addr);
    assert_int_equal(listen(site->listener, 64), 0);
    assert_int_equal(pthread_create(&site->thread, NULL, serve, site), 0);
}

static void site_close(site_t *site)
{
    shutdown(site->listener, SHUT_RDWR); /* accept returns */
    pthread_join(site->thread, NULL);
    close(site->listener);
}

static load_options_t options_for(const site_t *site)
{
    load_options_t options = {.request = HTTP_SPAN(REQUEST),
                              .method = HTTP_METHOD_GET,
                              .count = 10,
                              .concurrency = 1,
                              .threads = 1,
                              .timeout_ms = 60000};
    char to[64];

    snprintf(to, sizeof(to), "127.0.0.1:%d", ntohs(site->addr.sin_port));
    assert_int_equal(hendpoint_parse(&options.to, to, NULL, 0), 0);
    return options;
}

static void on_done(hevent_t *ev)
{
    hloop_stop(hevent_loop(ev));
}

/* 0 and *result, or an error. */
static int run(const load_options_t *options, load_result_t *result)
{
    hloop_t *loop = hloop_new(0);
    load_t *load = NULL;
    int err;

    if (!loop)
        return -ENOMEM;
    err = load_new(options, &load);
    if (err == 0)
        err = load_start(load, loop, on_done, NULL);
    if (err == 0)
        err = hloop_run(loop);
    if (err == 0)
        *result = *load_result(load);
    load_free(load);
    hloop_free(&loop);
    return err;
}

static uint64_t all_faults(const load_result_t *result)
{
    uint64_t sum = 0;

    for (int i = 0; i < LOAD_FAULT_COUNT; i++)
        sum += result->faults[i];
    return sum;
}

static void the_count_is_reached_exactly(void **state)
{
    site_t site;

    (void)state;
    site_open(&site, RESPONSE, NULL);
    for (uint32_t connections = 1; connections <= 12; connections += 11) {
        for (uint32_t threads = 1; threads <= 4; threads++) {
            load_options_t options = options_for(&site);
            load_result_t result;

            options.concurrency = connections;
            options.threads = threads;
            assert_int_equal(run(&options, &result), 0);
            assert_int_equal(result.responses, 10);
            assert_int_equal(result.statuses[200], 10);
            assert_int_equal(result.latency.count, 10);
            assert_int_equal(all_faults(&result), 0);
            assert_int_equal(result.bytes_in, 10 * strlen(RESPONSE));
            assert_int_equal(result.bytes_out, 10 * strlen(REQUEST));
            assert_int_equal(result.connects, connections < 10 ? connections : 10);
        }
    }
    site_close(&site);
}

static void what_cannot_run_is_refused(void **state)
{
    load_options_t options = {.concurrency = 1, .threads = 1, .timeout_ms = 1};
    load_t *load;

    (void)state;
    assert_int_equal(load_new(&options, &load), -EINVAL); /* no request */
    options.request = HTTP_SPAN(REQUEST);
    options.concurrency = 0;
    assert_int_equal(load_new(&options, &load), -EINVAL);
    options.concurrency = 1;
    options.timeout_ms = 0;
    assert_int_equal(load_new(&options, &load), -EINVAL);
}

/* The first response, then the others. */
static load_result_t result_of(const char *first, const char *second)
{
    load_options_t options;
    load_result_t result;
    site_t site;

    site_open(&site, first, second);
    options = options_for(&site);
    assert_int_equal(run(&options, &result), 0);
    site_close(&site);
    return result;
}

static void each_failure_is_of_a_kind(void **state)
{
    load_result_t result;

    (void)state;
    result = result_of("", NULL);
    assert_int_equal(result.faults[LOAD_FAULT_EMPTY], 10);
    result = result_of("what?\r\n\r\n", NULL);
    assert_int_equal(result.faults[LOAD_FAULT_REPLY], 10);
    result = result_of(RESPONSE "more", NULL); /* a connection for each */
    assert_int_equal(result.responses, 10);
    assert_int_equal(result.connects, 10);
    result = result_of(RESPONSE, ""); /* closed behind a response: asked once more, then empty */
    assert_int_equal(result.responses, 1);
    assert_int_equal(result.faults[LOAD_FAULT_EMPTY], 9);
}

static void a_response_that_does_not_end_costs_the_time_limit(void **state)
{
    load_options_t options;
    load_result_t result;
    site_t site;

    (void)state;
    site_open(&site, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno", NULL);
    options = options_for(&site);
    options.count = 2;
    options.timeout_ms = 1;
    assert_int_equal(run(&options, &result), 0);
    assert_int_equal(result.faults[LOAD_FAULT_TIMEOUT], 2);
    site_close(&site);
}

static void many_failures_end_it(void **state)
{
    load_options_t options;
    load_result_t result;
    site_t site;

    (void)state;
    site_open(&site, "", NULL);
    options = options_for(&site);
    options.count = 0;
    assert_int_equal(run(&options, &result), 0);
    assert_int_equal(result.faults[LOAD_FAULT_EMPTY], LOAD_FAILURES_MAX);
    site_close(&site);
}

typedef struct stopped_s {
    load_t *load;
    int done;
} stopped_t;

static void on_stopped(hevent_t *ev)
{
    stopped_t *stopped = hevent_userdata(ev);

    stopped->done++;
    hloop_stop(hevent_loop(ev));
}

static void it_can_be_stopped(void **state)
{
    hloop_t *loop = hloop_new(0);
    stopped_t stopped = {0};
    load_options_t options;
    site_t site;

    (void)state;
    site_open(&site, RESPONSE, NULL);
    options = options_for(&site);
    options.count = 0;
    options.threads = options.concurrency = 3;
    assert_int_equal(load_new(&options, &stopped.load), 0);
    assert_int_equal(load_start(stopped.load, loop, on_stopped, &stopped), 0);
    load_stop(stopped.load);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(stopped.done, 1);
    assert_int_equal(all_faults(load_result(stopped.load)), 0);
    load_free(stopped.load);
    hloop_free(&loop);
    site_close(&site);
}

static void it_can_be_freed_while_it_runs(void **state)
{
    hloop_t *loop = hloop_new(0);
    load_options_t options;
    load_t *load;
    site_t site;

    (void)state;
    site_open(&site, RESPONSE, NULL);
    options = options_for(&site);
    options.count = 0;
    options.threads = options.concurrency = 3;
    assert_int_equal(load_new(&options, &load), 0);
    load_free(load);
    assert_int_equal(load_new(&options, &load), 0);
    assert_int_equal(load_start(load, loop, on_done, NULL), 0);
    load_free(load);
    load_free(NULL);
    hloop_free(&loop);
    site_close(&site);
}

static int scenario(void *arg)
{
    load_options_t options = options_for(arg);
    load_result_t result = {0};
    int err;

    options.count = 1;
    err = run(&options, &result);
    if (err == 0 && result.responses != 1)
        return result.faults[LOAD_FAULT_OTHER] == 1 ? -ENOMEM : -EIO;
    return err;
}

static void memory_runs_out(void **state)
{
    site_t site;

    (void)state;
    site_open(&site, RESPONSE, NULL);
    oom_run(scenario, &site);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_count_is_reached_exactly),
        cmocka_unit_test(what_cannot_run_is_refused),
        cmocka_unit_test(each_failure_is_of_a_kind),
        cmocka_unit_test(a_response_that_does_not_end_costs_the_time_limit),
        cmocka_unit_test(many_failures_end_it),
        cmocka_unit_test(it_can_be_stopped),
        cmocka_unit_test(it_can_be_freed_while_it_runs),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
