/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/htime.h"
#include "net/hrate.h"
#include "net_fixture.h"
#include "oom.h"

#define MEMBERS 4
#define QUEUE (4 << 20) /* more than any test lets through */

/* Some connections; their peers are plain sockets. */
typedef struct world_s {
    hloop_t *loop;
    hrate_t *rate;
    uint64_t bytes_per_s;
    uint64_t burst;
    uint64_t since_ns; /* before the limit was made */
    hio_t *io[MEMBERS];
    int peer[MEMBERS];
    uint64_t got[MEMBERS]; /* bytes that came out at the other end */
    unsigned closes;
} world_t;

static char block[QUEUE];

static void on_read(hio_t *io, void *buf, int len)
{
    uint64_t *got = hevent_userdata(io);

    (void)buf;
    *got += (uint64_t)len;
}

static void on_close(hio_t *io)
{
    world_t *w = hloop_userdata(hevent_loop(io));

    w->closes++;
    for (int i = 0; i < MEMBERS; i++) {
        if (w->io[i] == io)
            w->io[i] = NULL;
    }
}

static void begin(world_t *w, int members, uint64_t bytes_per_s, uint64_t burst)
{
    memset(w, 0, sizeof(*w));
    w->loop = fixture_loop();
    assert_non_null(w->loop);
    hloop_set_userdata(w->loop, w);
    for (int i = 0; i < members; i++) {
        int fds[2];

        fixture_tcp_pair(fds);
        w->peer[i] = fds[1];
        w->io[i] = hio_get(w->loop, fds[0]);
        assert_non_null(w->io[i]);
        hevent_set_userdata(w->io[i], &w->got[i]);
        hio_setcb_read(w->io[i], on_read);
        hio_setcb_close(w->io[i], on_close);
    }
    w->bytes_per_s = bytes_per_s;
    w->burst = burst;
    w->since_ns = htime_monotonic_ns();
    w->rate = hrate_new(w->loop, bytes_per_s, burst);
    assert_non_null(w->rate);
}

static void end(world_t *w)
{
    hloop_free(&w->loop);
    hrate_free(w->rate);
    for (int i = 0; i < MEMBERS; i++) {
        if (w->peer[i] > 0)
            close(w->peer[i]);
    }
}

/* This one has more to send than the limit lets through. */
static void fill_limited(const world_t *w, int i)
{
    assert_int_equal(hio_set_write_rate(w->io[i], w->rate), 0);
    assert_int_equal(hio_write(w->io[i], block, QUEUE), QUEUE);
}

static uint64_t total(const world_t *w)
{
    uint64_t sum = 0;

    for (int i = 0; i < MEMBERS; i++)
        sum += w->got[i];
    return sum;
}

/* What may have passed by now at most. */
static void check_bound(const world_t *w, uint64_t extra)
{
    uint64_t elapsed_ns = htime_monotonic_ns() - w->since_ns;
    double most = (double)w->bytes_per_s * (double)elapsed_ns / 1e9 + (double)(w->burst + extra);

    assert_true((double)total(w) <= most);
}

static void drain_peers(world_t *w)
{
    static char buf[256 * 1024];

    for (int i = 0; i < MEMBERS; i++) {
        ssize_t n = w->peer[i] > 0 ? recv(w->peer[i], buf, sizeof(buf), MSG_DONTWAIT) : 0;

        if (n > 0)
            w->got[i] += (uint64_t)n;
    }
}

static void fill_peers(world_t *w)
{
    for (int i = 0; i < MEMBERS; i++) {
        if (w->peer[i] > 0)
            send(w->peer[i], block, 256 * 1024, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

/* One iteration in which every member could send and receive. */
static void step(world_t *w)
{
    assert_int_equal(hloop_run(w->loop), 0);
    drain_peers(w);
    check_bound(w, 0);
}

static void run_to(world_t *w, uint64_t bytes, bool reading)
{
    time_t limit = time(NULL) + FIXTURE_LIMIT_S;

    while (total(w) < bytes) {
        if (reading)
            fill_peers(w);
        step(w);
        if (time(NULL) > limit)
            fail_msg("%llu of %llu bytes passed", (unsigned long long)total(w),
                     (unsigned long long)bytes);
    }
}

static hrate_stats_t stats_of(const world_t *w)
{
    hrate_stats_t stats;

    hrate_stats(w->rate, &stats);
    return stats;
}

/* ---- the limit ------------------------------------------------------------------------------- */

static void no_more_is_written_than_the_limit_allows(void **state)
{
    world_t w;

    (void)state;
    begin(&w, 1, 4000000, 20000);
    fill_limited(&w, 0);
    run_to(&w, 500000, false);
    assert_true(stats_of(&w).passed_bytes >= 500000);
    end(&w);
}

static void no_more_is_read_than_the_limit_allows(void **state)
{
    world_t w;

    (void)state;
    begin(&w, 1, 4000000, 20000);
    assert_int_equal(hio_set_read_rate(w.io[0], w.rate), 0);
    hio_read(w.io[0]);
    run_to(&w, 500000, true);
    end(&w);
}

static void a_burst_passes_at_once_and_the_limit_holds_for_what_follows(void **state)
{
    world_t w;

    (void)state;
    begin(&w, 1, 1, 50000); /* after the burst a byte a second */
    fill_limited(&w, 0);
    run_to(&w, 50000, false);
    fixture_settle(w.loop);
    step(&w);
    assert_int_equal(stats_of(&w).waiting, 1);
    end(&w);
}

static void a_group_shares_one_limit(void **state)
{
    world_t w;

    (void)state;
    begin(&w, MEMBERS, 4000000, 20000);
    for (int i = 0; i < MEMBERS; i += 2) {
        assert_int_equal(hio_set_read_rate(w.io[i], w.rate), 0);
        hio_read(w.io[i]);
        assert_int_equal(hio_set_write_rate(w.io[i + 1], w.rate), 0);
        assert_int_equal(hio_write(w.io[i + 1], block, QUEUE), QUEUE);
    }
    assert_int_equal(stats_of(&w).members, MEMBERS);
    run_to(&w, 500000, true);
    end(&w);
}

static void members_that_wait_are_served_in_turns(void **state)
{
    /* What comes between two servings is worth many turns, or just one. */
    static const uint64_t rates[][3] = {{4000000, 20000, 1000000}, {200000, 4000, 64000}};
    world_t w;

    (void)state;
    for (int r = 0; r < 2; r++) {
        begin(&w, MEMBERS, rates[r][0], rates[r][1]);
        for (int i = 0; i < MEMBERS; i++) {
            fill_limited(&w, i);
        }
        run_to(&w, rates[r][2], false);
        for (int i = 0; i < MEMBERS; i++)
            assert_true(w.got[i] >= rates[r][2] / MEMBERS / 2);
        end(&w);
    }
}

static void small_writes_do_not_overtake_those_that_wait(void **state)
{
    world_t w;

    (void)state;
    begin(&w, 2, 200000, 4000);
    for (int i = 0; i < 2; i++)
        assert_int_equal(hio_set_write_rate(w.io[i], w.rate), 0);
    assert_int_equal(hio_write(w.io[0], block, QUEUE), QUEUE);
    while (total(&w) < 60000) {
        if (hio_write_bufsize(w.io[1]) < 1000)
            assert_int_equal(hio_write(w.io[1], block, 100), 100);
        step(&w);
    }
    assert_true(w.got[0] >= 15000);
    end(&w);
}

static void a_late_comer_does_not_wait_for_a_busy_member_to_end(void **state)
{
    uint64_t before;
    world_t w;

    (void)state;
    begin(&w, 2, 1000000, 20000);
    for (int i = 0; i < 2; i++)
        assert_int_equal(hio_set_write_rate(w.io[i], w.rate), 0);
    assert_int_equal(hio_write(w.io[0], block, QUEUE), QUEUE);
    run_to(&w, 100000, false);
    before = w.got[0];
    assert_int_equal(hio_write(w.io[1], block, 5000), 5000);
    while (w.got[1] < 5000)
        step(&w);
    assert_true(w.got[0] - before < 200000);
    end(&w);
}

static void datagrams_pass_whole_and_are_limited(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    const uint64_t size = 1400;
    char buf[2000];
    hio_t *io;
    world_t w;

    (void)state;
    begin(&w, 0, 100000, 3000);
    w.peer[0] = socket(AF_INET, SOCK_DGRAM, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(w.peer[0], (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(w.peer[0], (struct sockaddr *)&addr, &len), 0);
    io = hio_get(w.loop, socket(AF_INET, SOCK_DGRAM, 0));
    assert_int_equal(hio_set_write_rate(io, w.rate), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(hio_sendto(io, block, size, (struct sockaddr *)&addr, len), size);
    while (w.got[0] < 20 * size) {
        ssize_t n = recv(w.peer[0], buf, sizeof(buf), MSG_DONTWAIT);

        if (n >= 0) {
            assert_int_equal(n, size);
            w.got[0] += (uint64_t)n;
        } else {
            assert_int_equal(hloop_run(w.loop), 0);
        }
        check_bound(&w, size);
    }
    end(&w);
}

/* ---- changes --------------------------------------------------------------------------------- */

static void a_limit_that_is_taken_away_lets_the_rest_pass(void **state)
{
    world_t w;

    (void)state;
    begin(&w, 1, 1, 1000);
    fill_limited(&w, 0);
    run_to(&w, 1000, false);
    fixture_settle(w.loop);
    assert_int_equal(stats_of(&w).waiting, 1);
    assert_int_equal(hio_set_write_rate(w.io[0], NULL), 0);
    assert_int_equal(stats_of(&w).waiting, 0);
    assert_int_equal(stats_of(&w).members, 0);
    w.burst = QUEUE;
    run_to(&w, QUEUE, false);
    end(&w);
}

static void another_limit_takes_the_place_of_one_that_is_waited_for(void **state)
{
    hrate_t *slow;
    world_t w;

    (void)state;
    begin(&w, 1, 4000000, 20000);
    slow = hrate_new(w.loop, 1, 1000);
    assert_int_equal(hio_set_write_rate(w.io[0], slow), 0);
    hrate_free(slow); /* the connection holds on to it */
    assert_int_equal(hio_write(w.io[0], block, QUEUE), QUEUE);
    run_to(&w, 1000, false);
    fixture_settle(w.loop);
    assert_int_equal(hio_set_write_rate(w.io[0], w.rate), 0);
    w.burst += 1000;
    run_to(&w, 200000, false);
    end(&w);
}

static void numbers_may_change_while_somebody_waits(void **state)
{
    world_t w;

    (void)state;
    begin(&w, 1, 1, 1000);
    fill_limited(&w, 0);
    run_to(&w, 1000, false);
    fixture_settle(w.loop);
    assert_int_equal(hrate_set(w.rate, 4000000, 30000), 0);
    w.bytes_per_s = 4000000;
    run_to(&w, 300000, false);
    assert_int_equal(hrate_set(w.rate, 0, 1), -EINVAL);
    assert_int_equal(hrate_set(w.rate, 1, HRATE_MAX + 1), -EINVAL);
    run_to(&w, 400000, false);
    end(&w);
}

static void members_may_close_while_they_wait(void **state)
{
    world_t w;

    (void)state;
    begin(&w, MEMBERS, 1000000, 1000);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(hio_set_write_rate(w.io[i], w.rate), 0);
        assert_int_equal(hio_set_read_rate(w.io[i], w.rate), 0);
        hio_read(w.io[i]);
        assert_int_equal(hio_write(w.io[i], block, 100000), 100000);
    }
    run_to(&w, 20000, true);
    hio_abort(w.io[0], 0);
    hio_close(w.io[1]); /* sends what is queued, at the limit */
    hio_reset(w.io[2]);
    while (w.closes < 3)
        step(&w);
    assert_true(w.got[1] >= 100000);
    assert_int_equal(stats_of(&w).members, 2);
    end(&w);
}

static void closed_and_freed_in_any_order_nothing_is_left(void **state)
{
    world_t w;
    oom_t oom;

    (void)state;
    for (int order = 0; order < 3; order++) {
        oom_begin(&oom, 0, false);
        begin(&w, 2, 1000, 1000);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(hio_set_write_rate(w.io[i], w.rate), 0);
            assert_int_equal(hio_write(w.io[i], block, 100000), 100000);
        }
        fixture_settle(w.loop);
        if (order == 0) {
            hrate_free(w.rate);
            w.rate = NULL;
        } else if (order == 1) {
            hio_abort(w.io[0], 0);
            hio_abort(w.io[1], 0);
            fixture_settle(w.loop);
        }
        end(&w);
        oom_end();
        assert_int_equal(oom.live, 0);
    }
}

/* ---- cost ------------------------------------------------------------------------------------ */

static void on_over(htimer_t *timer)
{
    *(bool *)hevent_userdata(timer) = true;
}

static void a_limit_that_nobody_waits_for_costs_no_wakeup(void **state)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    bool over = false;
    int fds[2], runs = 0;
    htimer_t *timer;
    hrate_t *rate;
    hio_t *io;

    (void)state;
    fixture_tcp_pair(fds);
    io = hio_get(loop, fds[0]);
    rate = hrate_new(loop, 1000000, 1000);
    assert_int_equal(hio_set_write_rate(io, rate), 0);
    assert_int_equal(hio_set_read_rate(io, rate), 0);
    hio_read(io);
    assert_int_equal(hio_write(io, block, 5000), 5000);
    while (hio_write_bufsize(io) > 0)
        assert_int_equal(hloop_run(loop), 0);
    timer = htimer_add(loop, on_over, 100, 1);
    hevent_set_userdata(timer, &over);
    while (!over) {
        assert_int_equal(hloop_run(loop), 0);
        runs++;
    }
    assert_in_range(runs, 1, 2);
    hloop_free(&loop);
    hrate_free(rate);
    close(fds[1]);
}

static void bad_arguments_are_refused(void **state)
{
    world_t w, other;

    (void)state;
    begin(&w, 1, 1000, 0);
    begin(&other, 1, 1000, 1000);
    errno = 0;
    assert_null(hrate_new(w.loop, 0, 100));
    assert_int_equal(errno, EINVAL);
    assert_null(hrate_new(w.loop, HRATE_MAX + 1, 100));
    assert_int_equal(hio_set_read_rate(w.io[0], other.rate), -EINVAL);
    assert_int_equal(hio_set_read_rate(w.io[0], NULL), 0);
    hrate_free(NULL);
    end(&other);
    end(&w);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int oom_drive(hloop_t *loop, hrate_t *rate, hio_t *io, int peer)
{
    size_t got = 0;
    char buf[4096];
    int err = hio_set_write_rate(io, rate);

    if (err == 0)
        err = hio_set_read_rate(io, rate);
    if (err == 0)
        err = hio_write(io, block, 3000);
    for (int i = 0; i < 100 && err >= 0 && got < 3000; i++) {
        ssize_t n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT);

        got += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            err = hloop_run(loop);
    }
    if (err >= 0 && got < 3000)
        err = -ENOMEM; /* a loop without memory for what is ready does not get on */
    return err < 0 ? err : 0;
}

static int oom_scenario(void *arg)
{
    hloop_t *loop = fixture_loop();
    hrate_t *rate = NULL;
    int fds[2], err = -ENOMEM;
    hio_t *io;

    (void)arg;
    if (!loop)
        return -ENOMEM;
    fixture_tcp_pair(fds);
    io = hio_get(loop, fds[0]);
    if (io) {
        rate = hrate_new(loop, 1000000, 1000);
        err = rate ? oom_drive(loop, rate, io, fds[1]) : -errno;
    } else {
        close(fds[0]);
    }
    hloop_free(&loop);
    hrate_free(rate);
    close(fds[1]);
    return err;
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    oom_run(oom_scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_is_written_than_the_limit_allows),
        cmocka_unit_test(no_more_is_read_than_the_limit_allows),
        cmocka_unit_test(a_burst_passes_at_once_and_the_limit_holds_for_what_follows),
        cmocka_unit_test(a_group_shares_one_limit),
        cmocka_unit_test(members_that_wait_are_served_in_turns),
        cmocka_unit_test(small_writes_do_not_overtake_those_that_wait),
        cmocka_unit_test(a_late_comer_does_not_wait_for_a_busy_member_to_end),
        cmocka_unit_test(datagrams_pass_whole_and_are_limited),
        cmocka_unit_test(a_limit_that_is_taken_away_lets_the_rest_pass),
        cmocka_unit_test(another_limit_takes_the_place_of_one_that_is_waited_for),
        cmocka_unit_test(numbers_may_change_while_somebody_waits),
        cmocka_unit_test(members_may_close_while_they_wait),
        cmocka_unit_test(closed_and_freed_in_any_order_nothing_is_left),
        cmocka_unit_test(a_limit_that_nobody_waits_for_costs_no_wakeup),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests_name("hrate", tests, NULL, NULL);
}
