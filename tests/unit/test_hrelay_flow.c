/* One thread. */
/* What a relay moves: both ways at once, in large buffers, and nothing while it is idle.
 * RELAY_MIB=1024 makes the first test as long as it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hrelay_fixture.h"
#include "oom.h"

static size_t size_each_way(void)
{
    const char *mib = getenv("RELAY_MIB");

    return (mib ? strtoul(mib, NULL, 10) : 24) << 20;
}

static void both_ways_at_once_each_byte_arrives(void **state)
{
    size_t size = size_each_way();
    pump_t out[2], in[2];
    time_t limit = time(NULL) + 10 * FIXTURE_LIMIT_S;
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    for (int i = 0; i < 2; i++) {
        out[i] = (pump_t){.fd = w.peer[i], .size = size, .at_once = CHUNK, .end = true};
        in[i] = (pump_t){.fd = w.peer[i], .size = size, .at_once = CHUNK, .end = true};
    }
    while (!in[0].ended || !in[1].ended) {
        for (int i = 0; i < 2; i++) {
            pump_out(&out[i]);
            if (!in[i].ended)
                pump_in(&in[i]);
            assert_int_equal(in[i].error + out[i].error, 0);
        }
        assert_int_equal(hloop_run(w.loop), 0);
        assert_true(time(NULL) < limit);
    }
    fixture_run(w.loop, both_closed, &w);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(in[i].done, size);
        assert_int_equal(w.error[i], 0);
        assert_int_equal(w.stats[i].sent_bytes, size);
        assert_int_equal(w.stats[i].received_bytes, size);
        assert_int_equal(w.stats[i].dropped, 0);
    }
    end(&w);
}

/* Fills the relay from peer `from` until the other side takes no more. */
static void block(world_t *w, int from, pump_t *out)
{
    time_t limit = time(NULL) + FIXTURE_LIMIT_S;

    *out = (pump_t){.fd = w->peer[from], .size = SIZE_MAX, .at_once = CHUNK};
    while (!hio_write_above_high(w->io[1 - from])) {
        pump_out(out);
        assert_int_equal(hloop_run(w->loop), 0);
        assert_true(time(NULL) < limit);
    }
}

static void an_idle_relay_holds_no_buffer_and_a_blocked_one_holds_one(void **state)
{
    pump_t out, in;
    oom_t count;
    long idle;
    world_t w;

    (void)state;
    oom_begin(&count, 0, false);
    begin(&w);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    send_through(&w, 0, 1000, false);
    send_through(&w, 1, 1000, false);
    fixture_settle(w.loop);
    idle = count.live;
    for (int from = 0; from < 2; from++) {
        block(&w, from, &out);
        fixture_settle(w.loop);
        assert_int_equal(count.live, idle + 2); /* the buffer, and its place in the queue */
        in = (pump_t){.fd = w.peer[1 - from], .size = out.done, .at_once = CHUNK};
        out.size = out.done;
        run_pumps(&w, &out, &in);
        fixture_settle(w.loop);
        assert_int_equal(count.live, idle);
    }
    end(&w);
    oom_end();
}

static void a_reset_while_the_other_side_is_full_reaches_it(void **state)
{
    pump_t out;
    world_t w;

    (void)state;
    for (int who = 0; who < 2; who++) {
        begin(&w);
        assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
        block(&w, 0, &out);
        fixture_reset(w.peer[who]);
        w.peer[who] = -1;
        if (who == 0) /* it is not read while the other side is full: that has to go on first */
            while (w.closes[1] == 0) {
                char buf[CHUNK];

                (void)!recv(w.peer[1], buf, sizeof(buf), MSG_DONTWAIT);
                assert_int_equal(hloop_run(w.loop), 0);
            }
        fixture_run(w.loop, both_closed, &w);
        assert_true(w.error[who] == -ECONNRESET || w.error[who] == -EPIPE);
        assert_int_equal(w.stats[0].dropped, 0);
        end(&w);
    }
}

static void a_reset_before_the_first_byte_resets_the_other_side(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    fixture_reset(w.peer[0]);
    w.peer[0] = -1;
    fixture_run(w.loop, both_closed, &w);
    assert_int_equal(w.error[0], -ECONNRESET);
    assert_true(is_reset(w.peer[1]));
    end(&w);
}

static void upper_case(hio_t *io, void *buf, int len)
{
    for (int i = 0; i < len; i++)
        ((char *)buf)[i] &= (char)~0x20;
    hio_write_upstream(io, buf, len);
}

static bool has_come(void *arg)
{
    char buf[8];

    return recv(*(int *)arg, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK) == 3 &&
           memcmp(buf, "ABC", 3) == 0;
}

static void a_read_callback_of_the_program_sees_the_bytes(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    hio_setcb_read(w.io[0], upper_case);
    fixture_send(w.peer[0], "abc", 3);
    fixture_run(w.loop, has_come, &w.peer[1]);
    end(&w);
    assert_int_equal(w.stats[0].sent_bytes, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_at_once_each_byte_arrives),
        cmocka_unit_test(an_idle_relay_holds_no_buffer_and_a_blocked_one_holds_one),
        cmocka_unit_test(a_reset_while_the_other_side_is_full_reaches_it),
        cmocka_unit_test(a_reset_before_the_first_byte_resets_the_other_side),
        cmocka_unit_test(a_read_callback_of_the_program_sees_the_bytes),
    };

    return cmocka_run_group_tests_name("hrelay_flow", tests, NULL, NULL);
}
