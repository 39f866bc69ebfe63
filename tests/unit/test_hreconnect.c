/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/htime.h"
#include "net/hreconnect.h"
#include "net_fixture.h"
#include "oom.h"

#define EVENTS_MAX 64

typedef struct world_s {
    hloop_t *loop;
    hreconnect_t *rc;
    int listener;
    struct sockaddr_in addr;
    hreconnect_options_t options;
    unsigned connects;
    unsigned gones;
    int errors[EVENTS_MAX];
    int64_t delays[EVENTS_MAX];
    uint64_t at_ns[EVENTS_MAX]; /* of each on_gone */
    unsigned wanted;            /* connects plus gones to wait for */
    void (*in_connect)(struct world_s *w, hio_t *io);
    void (*in_gone)(struct world_s *w);
} world_t;

static void on_connect(hreconnect_t *rc, hio_t *io)
{
    world_t *w = hreconnect_userdata(rc);

    w->connects++;
    assert_ptr_equal(hreconnect_io(rc), io);
    hio_read(io);
    if (w->in_connect)
        w->in_connect(w, io);
}

static void on_gone(hreconnect_t *rc, int err, int64_t next_delay_ms)
{
    world_t *w = hreconnect_userdata(rc);

    assert_true(w->gones < EVENTS_MAX);
    assert_null(hreconnect_io(rc));
    w->errors[w->gones] = err;
    w->delays[w->gones] = next_delay_ms;
    w->at_ns[w->gones++] = htime_monotonic_ns();
    if (w->in_gone)
        w->in_gone(w);
}

static void begin(world_t *w)
{
    memset(w, 0, sizeof(*w));
    w->loop = fixture_loop();
    assert_non_null(w->loop);
    w->listener = fixture_listen(&w->addr);
    fcntl(w->listener, F_SETFL, O_NONBLOCK);
    w->options = (hreconnect_options_t){
        .setting = {.min_delay = 3, .max_delay = 40, .delay_policy = 2, .max_retry_cnt = INFINITE},
        .on_connect = on_connect,
        .on_gone = on_gone,
        .userdata = w};
}

static void start(world_t *w)
{
    w->rc = hreconnect_new(w->loop, (struct sockaddr *)&w->addr, sizeof(w->addr), &w->options);
    assert_non_null(w->rc);
    assert_int_equal(hreconnect_start(w->rc), 0);
    assert_int_equal(hreconnect_start(w->rc), 0);
    assert_int_equal(w->connects + w->gones, 0); /* nothing comes from inside start */
}

/* The port stays ours, without anybody who listens. */
static void no_listener(world_t *w)
{
    int one = 1;

    close(w->listener);
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(w->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(w->listener, (struct sockaddr *)&w->addr, sizeof(w->addr)), 0);
}

static void end(world_t *w)
{
    hreconnect_free(w->rc);
    hloop_free(&w->loop);
    if (w->listener >= 0)
        close(w->listener);
}

static bool enough(void *arg)
{
    world_t *w = arg;

    return w->connects + w->gones >= w->wanted;
}

static void wait_for(world_t *w, unsigned connects_and_gones)
{
    w->wanted = connects_and_gones;
    fixture_run(w->loop, enough, w);
}

static int accept_one(world_t *w)
{
    int fd = accept(w->listener, NULL, NULL);

    assert_true(fd >= 0);
    return fd;
}

/* ---- delays ---------------------------------------------------------------------------------- */

static void expect_delays(reconn_setting_t setting, const uint32_t *delays, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(reconn_setting_calc_delay(&setting), delays[i]);
}

static void delays_are_those_of_the_model(void **state)
{
    static const uint32_t fixed[] = {3000, 3000, 3000};
    static const uint32_t linear[] = {3000, 6000, 9000, 10000, 10000};
    static const uint32_t twice[] = {3000, 6000, 12000, 24000, 48000, 60000, 60000};
    static const uint32_t thrice[] = {3000, 9000, 27000, 60000};
    static const uint32_t defaults[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    reconn_setting_t s;

    (void)state;
    reconn_setting_init(&s);
    assert_int_equal(s.max_retry_cnt, INFINITE);
    expect_delays(s, defaults, 8);
    s.min_delay = 3000;
    expect_delays(s, twice, 7);
    s.delay_policy = 3;
    expect_delays(s, thrice, 4);
    s.delay_policy = 0;
    expect_delays(s, fixed, 3);
    s.delay_policy = 1;
    s.max_delay = 10000;
    expect_delays(s, linear, 5);
    reconn_setting_calc_delay(&s);
    reconn_setting_calc_delay(&s);
    s.cur_retry_cnt = 7;
    reconn_setting_reset(&s);
    assert_int_equal(s.cur_retry_cnt, 0);
    expect_delays(s, linear, 5);
}

static void delays_never_overflow(void **state)
{
    reconn_setting_t s = {.min_delay = UINT32_MAX - 1, .max_delay = UINT32_MAX};

    (void)state;
    for (uint32_t policy = 1; policy < 4; policy++) {
        s.delay_policy = policy == 3 ? UINT32_MAX : policy;
        reconn_setting_reset(&s);
        assert_int_equal(reconn_setting_calc_delay(&s), UINT32_MAX - 1);
        for (int i = 0; i < 40; i++)
            assert_int_equal(reconn_setting_calc_delay(&s), UINT32_MAX);
    }
    s.max_delay = 5; /* below the minimum: the maximum wins */
    assert_int_equal(reconn_setting_calc_delay(&s), 5);
}

static void retries_are_counted_up_to_the_maximum(void **state)
{
    reconn_setting_t s;

    (void)state;
    reconn_setting_init(&s);
    for (int i = 0; i < 1000; i++)
        assert_true(reconn_setting_can_retry(&s));
    s.cur_retry_cnt = UINT32_MAX - 1;
    assert_true(reconn_setting_can_retry(&s));
    assert_true(reconn_setting_can_retry(&s));
    assert_int_equal(s.cur_retry_cnt, UINT32_MAX);
    reconn_setting_reset(&s);
    s.max_retry_cnt = 3;
    for (int i = 0; i < 3; i++)
        assert_true(reconn_setting_can_retry(&s));
    assert_false(reconn_setting_can_retry(&s));
    s.max_retry_cnt = 0;
    reconn_setting_reset(&s);
    assert_false(reconn_setting_can_retry(&s));
}

/* ---- the connection -------------------------------------------------------------------------- */

static void it_connects_and_comes_back_when_the_connection_ends(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    start(&w);
    for (unsigned i = 0; i < 3; i++) {
        wait_for(&w, 2 * i + 1);
        assert_int_equal(w.connects, i + 1);
        close(accept_one(&w));
        wait_for(&w, 2 * i + 2);
        assert_int_equal(w.gones, i + 1);
        assert_int_equal(w.errors[i], 0);
        assert_int_equal(w.delays[i], 3); /* each success resets the delay */
    }
    end(&w);
}

static void a_reset_is_told_as_the_cause(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    start(&w);
    wait_for(&w, 1);
    fixture_reset(accept_one(&w));
    wait_for(&w, 2);
    assert_int_equal(w.errors[0], -ECONNRESET);
    end(&w);
}

static void refused_it_tries_again_after_growing_delays_until_it_is_let_in(void **state)
{
    static const int64_t delays[] = {3, 6, 12, 24, 40, 40};
    world_t w;

    (void)state;
    begin(&w);
    no_listener(&w);
    start(&w);
    wait_for(&w, 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(w.errors[i], -ECONNREFUSED);
        assert_int_equal(w.delays[i], delays[i]);
        if (i > 0) /* never early */
            assert_true(w.at_ns[i] - w.at_ns[i - 1] >= (uint64_t)delays[i - 1] * HTIME_NS_PER_MS);
    }
    assert_int_equal(w.connects, 0);
    assert_int_equal(listen(w.listener, 4), 0);
    while (w.connects == 0)
        wait_for(&w, w.connects + w.gones + 1);
    close(accept_one(&w));
    wait_for(&w, w.connects + w.gones + 1);
    assert_int_equal(w.delays[w.gones - 1], 3);
    end(&w);
}

static void the_program_says_when_a_connection_is_good(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    w.options.settled_by_program = true;
    start(&w);
    for (unsigned i = 0; i < 3; i++) { /* taken, and dropped at once */
        wait_for(&w, 2 * i + 1);
        if (i == 2)
            hreconnect_settled(w.rc);
        close(accept_one(&w));
        wait_for(&w, 2 * i + 2);
    }
    assert_int_equal(w.delays[0], 3);
    assert_int_equal(w.delays[1], 6);
    assert_int_equal(w.delays[2], 3);
    end(&w);
}

static void it_gives_up_when_the_retries_are_used_up_and_can_be_started_anew(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    no_listener(&w);
    w.options.setting.max_retry_cnt = 2;
    start(&w);
    wait_for(&w, 3);
    assert_int_equal(w.delays[0], 3);
    assert_int_equal(w.delays[1], 6);
    assert_int_equal(w.delays[2], -1);
    assert_int_equal(hloop_ntimers(w.loop), 1); /* the fixture's tick */
    fixture_settle(w.loop);
    assert_int_equal(w.gones, 3);
    assert_int_equal(hreconnect_start(w.rc), 0);
    wait_for(&w, 6);
    assert_int_equal(w.delays[3], 3);
    assert_int_equal(w.delays[5], -1);
    end(&w);
}

static void jitter_only_shortens_the_delay_and_spreads_it(void **state)
{
    bool differs = false;
    world_t w;

    (void)state;
    begin(&w);
    no_listener(&w);
    w.options.setting =
        (reconn_setting_t){.min_delay = 20, .max_delay = 20, .max_retry_cnt = INFINITE};
    w.options.jitter_percent = 100;
    start(&w);
    wait_for(&w, 20);
    for (unsigned i = 0; i < 20; i++) {
        assert_in_range(w.delays[i], 0, 20);
        differs = differs || w.delays[i] != w.delays[0];
    }
    assert_true(differs);
    end(&w);
}

static void free_it(world_t *w)
{
    hreconnect_free(w->rc);
    w->rc = NULL;
}

static void free_it_connected(world_t *w, hio_t *io)
{
    (void)io;
    free_it(w);
}

static void stop_it(world_t *w)
{
    hreconnect_stop(w->rc);
}

static void stop_it_connected(world_t *w, hio_t *io)
{
    (void)io;
    stop_it(w);
}

static void callbacks_may_stop_and_free(void **state)
{
    world_t w;

    (void)state;
    for (int i = 0; i < 4; i++) {
        begin(&w);
        if (i == 0)
            w.in_connect = free_it_connected;
        else if (i == 1)
            w.in_connect = stop_it_connected;
        else
            w.in_gone = i == 2 ? free_it : stop_it;
        if (i >= 2)
            no_listener(&w);
        start(&w);
        wait_for(&w, 1);
        fixture_settle(w.loop);
        assert_int_equal(w.connects, i < 2);
        assert_int_equal(w.gones, i >= 2);
        assert_int_equal(hloop_nios(w.loop), 0);
        end(&w);
    }
}

static void stopped_it_calls_nothing_until_started_again(void **state)
{
    char byte;
    world_t w;
    int fd;

    (void)state;
    begin(&w);
    start(&w);
    hreconnect_stop(w.rc);
    fixture_settle(w.loop);
    assert_int_equal(w.connects, 0);
    assert_int_equal(hreconnect_start(w.rc), 0);
    wait_for(&w, 1);
    fd = accept_one(&w);
    assert_int_equal(hio_write(hreconnect_io(w.rc), "x", 1), 1);
    hreconnect_stop(w.rc);
    hreconnect_stop(w.rc);
    fixture_settle(w.loop);
    assert_int_equal(w.gones, 0);
    assert_int_equal(recv(fd, &byte, 1, 0), 1); /* what was written is sent before the close */
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    assert_int_equal(hreconnect_start(w.rc), 0);
    wait_for(&w, 2);
    assert_int_equal(w.connects, 2);
    close(accept_one(&w));
    end(&w);
}

static void bad_arguments_are_refused(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    errno = 0;
    assert_null(hreconnect_new(w.loop, (struct sockaddr *)&w.addr, sizeof(w.addr), NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(hreconnect_new(w.loop, (struct sockaddr *)&w.addr, 0, &w.options));
    assert_null(hreconnect_new(w.loop, (struct sockaddr *)&w.addr, 1000, &w.options));
    w.options.jitter_percent = 101;
    assert_null(hreconnect_new(w.loop, (struct sockaddr *)&w.addr, sizeof(w.addr), &w.options));
    w.options.jitter_percent = 0;
    w.options.on_connect = NULL;
    assert_null(hreconnect_new(w.loop, (struct sockaddr *)&w.addr, sizeof(w.addr), &w.options));
    hreconnect_free(NULL);
    end(&w);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int oom_scenario(void *arg)
{
    world_t *w = arg;
    int err = 0;

    w->connects = w->gones = 0;
    w->loop = fixture_loop();
    if (!w->loop)
        return -ENOMEM;
    w->rc = hreconnect_new(w->loop, (struct sockaddr *)&w->addr, sizeof(w->addr), &w->options);
    if (!w->rc)
        err = -errno;
    if (err == 0)
        err = hreconnect_start(w->rc);
    for (int i = 0; i < 40 && err == 0 && w->connects < 2; i++) {
        int fd = accept(w->listener, NULL, NULL);

        if (fd >= 0)
            close(fd);
        err = hloop_run(w->loop);
    }
    if (err == 0 && w->connects < 2)
        err = -ENOMEM; /* a loop without memory for what is ready does not get on */
    hreconnect_free(w->rc);
    hloop_free(&w->loop);
    return err;
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    hloop_free(&w.loop);
    oom_run(oom_scenario, &w);
    close(w.listener);
}

/* A try that fails for want of memory is a try like others: the next one comes. */
static void out_of_memory_does_not_end_the_tries(void **state)
{
    unsigned without_memory = 0;
    world_t w;

    (void)state;
    begin(&w);
    no_listener(&w);
    start(&w);
    for (long fail_at = 1; fail_at < 6; fail_at++) {
        oom_t oom;

        wait_for(&w, w.gones + 1);
        oom_begin(&oom, fail_at, false);
        wait_for(&w, w.gones + 2);
        oom_end();
    }
    for (unsigned i = 0; i < w.gones; i++)
        without_memory += w.errors[i] == -ENOMEM;
    assert_true(without_memory > 0);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_those_of_the_model),
        cmocka_unit_test(delays_never_overflow),
        cmocka_unit_test(retries_are_counted_up_to_the_maximum),
        cmocka_unit_test(it_connects_and_comes_back_when_the_connection_ends),
        cmocka_unit_test(a_reset_is_told_as_the_cause),
        cmocka_unit_test(refused_it_tries_again_after_growing_delays_until_it_is_let_in),
        cmocka_unit_test(the_program_says_when_a_connection_is_good),
        cmocka_unit_test(it_gives_up_when_the_retries_are_used_up_and_can_be_started_anew),
        cmocka_unit_test(jitter_only_shortens_the_delay_and_spreads_it),
        cmocka_unit_test(callbacks_may_stop_and_free),
        cmocka_unit_test(stopped_it_calls_nothing_until_started_again),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
        cmocka_unit_test(out_of_memory_does_not_end_the_tries),
    };

    return cmocka_run_group_tests_name("hreconnect", tests, NULL, NULL);
}
