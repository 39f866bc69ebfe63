/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hpacket_fixture.h"
#include "oom.h"

#include <sys/wait.h>

static void closed_in_its_callback(void **state)
{
    (void)state;
    for (int no_ring = 0; no_ring < 2; no_ring++) {
        watched_t w;

        open_either(&w, no_ring);
        w.closes = true;
        for (int i = 0; i < 5; i++)
            send_echo(&w, AF_INET);
        RUN_UNTIL(w.loop, hloop_nios(w.loop) == 0);
        assert_int_equal(w.frames, 1);
        w.packet = NULL;
        end(&w);
    }
}

static void interface_goes_down(void **state)
{
    watched_t w;
    hpacket_options_t options;
    hpacket_t *other;

    (void)state;
    begin(&w, "hnet0");
    options = options_of(&w);
    open_with(&w, &options);
    run("ip link set hnet0 down");
    RUN_UNTIL(w.loop, w.error != 0);
    assert_int_equal(w.error, -ENETDOWN);
    assert_int_equal(hpacket_send(w.packet, w.data, 60), -ENETDOWN);
    assert_int_equal(hpacket_open(&other, w.loop, &w.link, &options), -ENETDOWN);
    assert_null(other);
    run("ip link set hnet0 up");
    await_host(netns.ours, "10.77.0.2");
    send_echo(&w, AF_INET);
    RUN_UNTIL(w.loop, w.by_kind[PACKET_ICMP] > 0);
    w.error = 0;
    w.closes_at_error = true; /* a late frame does not count */
    run("ip link del hnet0");
    RUN_UNTIL(w.loop, w.error != 0);
    assert_int_equal(w.error, -ENODEV);
    w.packet = NULL; /* closed by itself */
    assert_int_equal(hpacket_open(&other, w.loop, &w.link, &options), -ENODEV);
    end(&w);
}

static void only_sending(void **state)
{
    watched_t w, receiver;
    hpacket_options_t options;
    uint8_t big[FRAME_MAX] = {0};

    (void)state;
    begin(&w, "hnet0");
    receiver = w;
    options = options_of(&receiver);
    open_with(&receiver, &options);
    options.on_frame = NULL;
    options.bypass_qdisc = true;
    open_with(&w, &options);
    ASK(&receiver, send_echo(&w, AF_INET));
    assert_int_equal(receiver.last.icmp.type, 0);
    assert_int_equal(hpacket_send(w.packet, big, sizeof(big)), -EMSGSIZE);
    hpacket_close(receiver.packet);
    end(&w);
}

/* A row of echo requests, of which one is too long. */
static void check_many(const char *name)
{
    enum { MANY = 150, BAD = 100 };
    static uint8_t frames[MANY][FRAME_MAX];
    static const uint8_t big[PACKET_WRITE_MAX * 1024];
    struct iovec iov[MANY];
    watched_t w;
    hpacket_options_t options;
    hpacket_stats_t stats;
    packet_envelope_t e;

    begin(&w, name);
    options = options_of(&w);
    open_with(&w, &options);
    e = to_them(&w, AF_INET);
    for (uint16_t i = 0; i < MANY; i++) {
        packet_icmp_out_t echo = {.id = 1, .seq = i};
        ssize_t len = packet_write_icmp(frames[i], FRAME_MAX, &e, &echo);

        iov[i] = (struct iovec){frames[i], (size_t)len};
    }
    assert_int_equal(hpacket_send_many(w.packet, iov, 0), 0);
    assert_int_equal(hpacket_send_many(w.packet, iov, MANY), MANY);
    RUN_UNTIL(w.loop, w.frames == MANY);
    assert_int_equal(w.last.icmp.seq, MANY - 1);
    iov[BAD].iov_base = (void *)big;
    iov[BAD].iov_len = sizeof(big);
    assert_int_equal(hpacket_send_many(w.packet, iov, MANY), BAD);
    assert_true(hpacket_send_many(w.packet, iov + BAD, MANY - BAD) < 0);
    RUN_UNTIL(w.loop, w.frames == MANY + BAD);
    hpacket_stats(w.packet, &stats);
    assert_int_equal(stats.sent, MANY + BAD);
    end(&w);
}

static void many_at_once(void **state)
{
    (void)state;
    check_many("hnet0");
    check_many("lo");
}

static void bad_options(void **state)
{
    watched_t w;
    hpacket_options_t options;
    hpacket_t *packet;

    (void)state;
    begin(&w, "hnet0");
    options = options_of(&w);
    options.ring_size = HPACKET_RING_MAX + 1;
    assert_int_equal(hpacket_open(&packet, w.loop, &w.link, &options), -EINVAL);
    options = options_of(&w);
    options.filter = (hpacket_filter_t){.address_count = 0};
    assert_int_equal(hpacket_open(&packet, w.loop, &w.link, &options), -EINVAL);
    assert_null(packet);
    hpacket_close(NULL);
    end(&w);
}

static void no_privilege(void **state)
{
    watched_t w;
    hpacket_options_t options;
    int status;
    pid_t pid;

    (void)state;
    begin(&w, "hnet0");
    options = options_of(&w);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int rc = setuid(65534) < 0 ? 0 : hpacket_open(&w.packet, w.loop, &w.link, &options);

        _exit(rc == -EPERM || rc == -EACCES ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    end(&w);
}

static int scenario(void *arg)
{
    watched_t *w = arg;
    hpacket_options_t options = options_of(w);
    hloop_options_t loop_options = {.poller = test_poller};
    hloop_t *loop = hloop_new_with(&loop_options);
    hpacket_t *packet = NULL;
    int err = loop ? 0 : -ENOMEM;

    options.no_ring = w->closes; /* any flag will do */
    if (!err)
        err = hpacket_open(&packet, loop, &w->link, &options);
    hpacket_close(packet);
    hloop_free(&loop);
    return err;
}

static void out_of_memory(void **state)
{
    watched_t w;

    (void)state;
    begin(&w, "hnet0");
    oom_run(scenario, &w);
    w.closes = true;
    oom_run(scenario, &w);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_in_its_callback),
        cmocka_unit_test(interface_goes_down),
        cmocka_unit_test(only_sending),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(no_privilege),
        cmocka_unit_test(out_of_memory),
    };

    return run_on_each_poller("hpacket_life", tests, ARRAY_LENGTH(tests));
}
