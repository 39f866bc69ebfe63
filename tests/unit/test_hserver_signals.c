#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/hsignal.h"
#include "event/htimer.h"
#include "net/hserver.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS 100000 /* a worker that lives on fails the test after this */

static void on_signal(hsignal_t *sig)
{
    (void)sig;
}

static void on_accept(hio_t *io)
{
    hio_close(io);
}

static void on_limit(htimer_t *timer)
{
    hserver_stop(hevent_userdata(timer));
}

static int on_start(hserver_t *server, hloop_t *loop, int index)
{
    htimer_t *limit;

    if (index != HSERVER_MAIN)
        return 0;
    limit = htimer_add(loop, on_limit, LIMIT_MS, 1);
    assert_non_null(limit);
    hevent_set_userdata(limit, server);
    assert_int_equal(kill(hserver_worker_pid(server, 0), SIGUSR1), 0);
    return 0;
}

static void a_worker_keeps_no_watches_of_its_parent(void **state)
{
    hserver_options_t options = {
        .mode = HSERVER_PROCESSES, .workers = 1, .on_accept = on_accept, .on_start = on_start};
    hloop_t *loop = hloop_new(0);
    hserver_t *server;
    int status;

    (void)state;
    assert_non_null(loop);
    assert_non_null(hsignal_add(loop, on_signal, SIGUSR1));
    assert_int_equal(hendpoint_parse(&options.listen.endpoint, "0", NULL, 0), 0);
    assert_int_equal(hserver_new(&options, &server), 0);
    assert_int_equal(hserver_run(server), 0);
    status = hserver_worker_status(server, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    hserver_free(server);
    hloop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_keeps_no_watches_of_its_parent),
    };

    return cmocka_run_group_tests_name("hserver_signals", tests, NULL, NULL);
}
