/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/connect.h"
#include "base/herr.h"
#include "event/htimer.h"
#include "oom.h"

#include <sys/resource.h>
#include <unistd.h>

#define LIMIT_MS 100000
#define PROBES 300

typedef struct test_s {
    hloop_t *loop;
    connect_t *connects;
    int answers, last_err;
    uint32_t last_probe;
    int wanted; /* answers that end the loop */
    uint32_t number, fresh;
    haddr_t silent;
} test_t;

static void on_limit(htimer_t *timer)
{
    (void)timer;
    fail_msg("nothing came for %d ms", LIMIT_MS);
}

static void on_answer(void *context, void *host, uint32_t probe, int err)
{
    test_t *t = context;

    assert_ptr_equal(host, t);
    t->answers++;
    t->last_probe = probe;
    t->last_err = err;
}

static void on_ready(void *context)
{
    test_t *t = context;

    if (t->answers >= t->wanted)
        hloop_stop(t->loop);
}

static void begin(test_t *t, const connect_options_t *options)
{
    *t = (test_t){.loop = hloop_new(0), .wanted = 1};
    assert_non_null(t->loop);
    assert_int_equal(connect_new(t->loop, options, on_answer, on_ready, t, &t->connects), 0);
}

static void end(test_t *t)
{
    connect_free(t->connects);
    hloop_free(&t->loop);
}

static void run(test_t *t)
{
    htimer_t *limit = htimer_add(t->loop, on_limit, LIMIT_MS, 1);

    hloop_run(t->loop);
    htimer_del(limit);
}

/* A socket of loopback that listens, or is only bound. */
static int bound(haddr_t *addr, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(addr->u);

    haddr_loopback(addr, AF_INET, 0);
    assert_int_equal(bind(fd, &addr->u.sa, addr->len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, &addr->u.sa, &len), 0);
    return fd;
}

/* A port that neither accepts nor refuses: its backlog is full, so that the kernel drops what asks
 * for it. */
typedef struct silent_s {
    int listener, clients[8];
} silent_t;

static void make_silent(silent_t *silent, haddr_t *addr)
{
    silent->listener = bound(addr, 0);
    for (int i = 0; i < 8; i++) {
        silent->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(silent->clients[i], &addr->u.sa, addr->len);
    }
    usleep(20000);
}

static void free_silent(silent_t *silent)
{
    for (int i = 0; i < 8; i++)
        close(silent->clients[i]);
    close(silent->listener);
}

/* What a probe ends with, whether it is known at once or later. */
static int ask(test_t *t, const haddr_t *addr)
{
    uint32_t number = CONNECT_NONE;
    int err = 1;
    int status = connect_start(t->connects, &addr->u.sa, t, 7, &number, &err);

    if (status > 0)
        return err;
    assert_int_equal(status, 0);
    assert_int_not_equal(number, CONNECT_NONE);
    t->answers = 0;
    run(t);
    assert_int_equal(t->last_probe, 7);
    return t->last_err;
}

/* Answers that do not come at once are waited for, and no longer asked for. */
static void make_slow(connect_t *connects, const haddr_t *silent)
{
    uint32_t number;
    int err;

    for (int i = 0; i < 8; i++) {
        assert_int_equal(connect_start(connects, &silent->u.sa, NULL, 1, &number, &err), 0);
        connect_cancel(connects, number);
    }
}

static void open_and_closed_ports_are_told_apart(void **state)
{
    test_t t;
    silent_t silent;
    haddr_t open_port, closed_port, silent_port;
    int listener = bound(&open_port, 5), other = bound(&closed_port, -1);

    (void)state;
    make_silent(&silent, &silent_port);
    begin(&t, &(connect_options_t){0});
    for (int slow = 0; slow < 2; slow++) {
        if (slow)
            make_slow(t.connects, &silent_port);
        for (int i = 0; i < 3; i++) { /* one that was refused is used again */
            assert_int_equal(ask(&t, &open_port), 0);
            assert_int_equal(ask(&t, &closed_port), -ECONNREFUSED);
            assert_int_equal(ask(&t, &closed_port), -ECONNREFUSED);
        }
    }
    end(&t);
    close(listener);
    close(other);
    free_silent(&silent);
}

/* Some links of this machine answer before connect is back. */
static void what_is_refused_at_once_is_known_at_once(void **state)
{
    uint32_t number = CONNECT_NONE;
    haddr_t addr;
    int other = bound(&addr, -1), err = 0;
    test_t t;

    (void)state;
    begin(&t, &(connect_options_t){0});
    for (int i = 0; i < 5; i++) {
        assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 7, &number, &err), 2);
        assert_int_equal(err, -ECONNREFUSED);
        assert_false(connect_has_ended(t.connects, number, &err));
    }
    end(&t);
    close(other);
}

/* As the loop would have told, had it had its turn. */
static void what_has_ended_can_be_asked_for(void **state)
{
    uint32_t number = CONNECT_NONE, waiting = CONNECT_NONE;
    haddr_t addr, silent_port;
    int other = bound(&addr, -1), err = 0;
    bool has_ended = false;
    silent_t silent;
    test_t t;

    (void)state;
    make_silent(&silent, &silent_port);
    begin(&t, &(connect_options_t){0});
    make_slow(t.connects, &silent_port);
    assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 7, &number, &err), 0);
    assert_int_equal(connect_start(t.connects, &silent_port.u.sa, &t, 8, &waiting, &err), 0);
    for (int i = 0; i < LIMIT_MS && !has_ended; i++) {
        usleep(1000);
        has_ended = connect_has_ended(t.connects, number, &err);
    }
    assert_true(has_ended);
    assert_int_equal(err, -ECONNREFUSED);
    assert_false(connect_has_ended(t.connects, waiting, &err));
    connect_cancel(t.connects, number);
    connect_cancel(t.connects, waiting);
    end(&t);
    close(other);
    free_silent(&silent);
}

/* Who is slow to look finds that it has ended: what never stood would have been refused. */
static void a_connection_that_was_accepted_and_reset_shows_an_open_port(void **state)
{
    const struct linger at_once = {.l_onoff = 1};
    uint32_t number = CONNECT_NONE;
    haddr_t addr, silent_port;
    int listener = bound(&addr, 5), err = 0, peer;
    silent_t silent;
    test_t t;

    (void)state;
    make_silent(&silent, &silent_port);
    for (int ended = 0; ended < 2; ended++) { /* with and without an end before it */
        begin(&t, &(connect_options_t){0});
        make_slow(t.connects, &silent_port);
        assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 7, &number, &err), 0);
        peer = accept(listener, NULL, NULL);
        assert_true(peer >= 0);
        if (ended)
            assert_int_equal(shutdown(peer, SHUT_WR), 0);
        assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
        close(peer);
        run(&t);
        assert_int_equal(t.last_err, 0);
        end(&t);
    }
    close(listener);
    free_silent(&silent);
}

/* Without the look at who answers, a scan of this machine would now and then find an open port
 * where nobody listens. */
static void a_port_that_connects_to_itself_is_closed(void **state)
{
    test_t t;
    haddr_t addr;

    (void)state;
    close(bound(&addr, -1));
    begin(&t, &(connect_options_t){.source = &addr});
    assert_int_equal(ask(&t, &addr), -ECONNREFUSED);
    end(&t);
}

static void answers_come_from_the_address_that_is_asked_for(void **state)
{
    test_t t;
    haddr_t source, addr, peer = {.len = sizeof(peer.u)};
    int listener = bound(&addr, 5), fd;
    char text[HADDR_FORMAT_SIZE];

    (void)state;
    assert_int_equal(haddr_parse(&source, "127.0.0.9", 0), 0);
    begin(&t, &(connect_options_t){.source = &source});
    assert_int_equal(ask(&t, &addr), 0);
    fd = accept(listener, &peer.u.sa, &peer.len);
    assert_true(fd >= 0);
    assert_string_equal(haddr_ip(&peer.u.sa, text, sizeof(text)), "127.0.0.9");
    close(fd);
    end(&t);
    close(listener);
}

static void there_is_no_room_for_more_than_were_wanted(void **state)
{
    test_t t;
    silent_t silent;
    haddr_t addr;
    uint32_t numbers[3];
    int err;

    (void)state;
    make_silent(&silent, &addr);
    begin(&t, &(connect_options_t){.sockets_max = 2});
    assert_int_equal(connect_room(t.connects), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 1, &numbers[i], &err), 0);
    assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 1, &numbers[2], &err), -EAGAIN);
    connect_cancel(t.connects, numbers[0]);
    assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 1, &numbers[2], &err), 0);
    connect_cancel(t.connects, CONNECT_NONE);
    end(&t);
    free_silent(&silent);
}

static void what_nobody_waits_for_makes_room(void **state)
{
    uint32_t numbers[3];
    silent_t silent;
    haddr_t addr;
    int err;
    test_t t;

    (void)state;
    make_silent(&silent, &addr);
    begin(&t, &(connect_options_t){.sockets_max = 2});
    for (int i = 0; i < 2; i++)
        assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 1, &numbers[i], &err), 0);
    assert_false(connect_make_room(t.connects, 60000000));
    assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 1, &numbers[2], &err), -EAGAIN);
    usleep(2000);
    assert_true(connect_make_room(t.connects, 1000));
    assert_int_equal(t.answers, 2);
    assert_int_equal(t.last_err, -ETIMEDOUT);
    assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 1, &numbers[2], &err), 0);
    end(&t);
    free_silent(&silent);
}

/* In the callback of one probe the other one, whose answer came with it, is cancelled, and its
 * place taken by one that nobody answers: that one must not get the answer. */
static void on_first(void *context, void *host, uint32_t probe, int err)
{
    test_t *t = context;
    int ignored;

    (void)host;
    (void)probe;
    assert_int_equal(err, 0);
    if (++t->answers > 1)
        return;
    connect_cancel(t->connects, probe == 1 ? t->fresh : t->number);
    assert_int_equal(connect_start(t->connects, &t->silent.u.sa, t, 3, &t->number, &ignored), 0);
}

static void an_answer_never_reaches_who_came_later(void **state)
{
    test_t t = {.loop = hloop_new(0), .wanted = 1};
    silent_t silent;
    haddr_t addr;
    int listener = bound(&addr, 5), err;

    (void)state;
    make_silent(&silent, &t.silent);
    assert_int_equal(
        connect_new(t.loop, &(connect_options_t){0}, on_first, on_ready, &t, &t.connects), 0);
    make_slow(t.connects, &t.silent);
    assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 1, &t.number, &err), 0);
    assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 2, &t.fresh, &err), 0);
    usleep(10000); /* both are answered when the loop looks */
    run(&t);
    assert_int_equal(t.answers, 1);
    end(&t);
    close(listener);
    free_silent(&silent);
}

static void a_low_limit_of_descriptors_is_lived_with(void **state)
{
    struct rlimit before, low = {.rlim_cur = 100, .rlim_max = 100};
    test_t t;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    begin(&t, &(connect_options_t){.sockets_max = 200});
    assert_true(connect_room(t.connects) >= 36 && connect_room(t.connects) <= 200);
    end(&t);
    setrlimit(RLIMIT_NOFILE, &before);
}

/* With no socket of ours open, nothing tells when there is room: it would be waited for for ever.
 * */
static void a_shortage_that_we_cannot_end_is_an_answer(void **state)
{
    struct rlimit before, none;
    haddr_t source, addr;
    uint32_t number;
    test_t t;
    int listener = bound(&addr, 5), err;

    (void)state;
    assert_int_equal(haddr_parse(&source, "192.0.2.77", 0), 0);
    begin(&t, &(connect_options_t){.source = &source});
    assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 1, &number, &err), 1);
    assert_int_equal(err, -EADDRNOTAVAIL);
    end(&t);
    begin(&t, &(connect_options_t){0});
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect_start(t.connects, &addr.u.sa, &t, 1, &number, &err), 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err, -EMFILE);
    end(&t);
    close(listener);
}

static int many(void *arg)
{
    const haddr_t *addr = arg;
    test_t t = {.loop = hloop_new(0)};
    int err = t.loop == NULL ? -ENOMEM : 0;

    if (err == 0)
        err = connect_new(t.loop, &(connect_options_t){0}, on_answer, on_ready, &t, &t.connects);
    for (uint32_t i = 0; i < PROBES && err == 0; i++) {
        uint32_t number;
        int ignored;

        if (connect_start(t.connects, &addr->u.sa, &t, i, &number, &ignored) == -EAGAIN)
            err = -ENOMEM;
    }
    if (err == 0 || t.connects)
        connect_free(t.connects);
    if (t.loop)
        hloop_free(&t.loop);
    return err;
}

static void memory_that_is_out_means_no_room(void **state)
{
    silent_t silent;
    haddr_t addr;

    (void)state;
    make_silent(&silent, &addr);
    oom_run(many, &addr);
    free_silent(&silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_and_closed_ports_are_told_apart),
        cmocka_unit_test(what_is_refused_at_once_is_known_at_once),
        cmocka_unit_test(what_has_ended_can_be_asked_for),
        cmocka_unit_test(a_connection_that_was_accepted_and_reset_shows_an_open_port),
        cmocka_unit_test(a_port_that_connects_to_itself_is_closed),
        cmocka_unit_test(answers_come_from_the_address_that_is_asked_for),
        cmocka_unit_test(there_is_no_room_for_more_than_were_wanted),
        cmocka_unit_test(what_nobody_waits_for_makes_room),
        cmocka_unit_test(an_answer_never_reaches_who_came_later),
        cmocka_unit_test(a_low_limit_of_descriptors_is_lived_with),
        cmocka_unit_test(a_shortage_that_we_cannot_end_is_an_answer),
        cmocka_unit_test(memory_that_is_out_means_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
