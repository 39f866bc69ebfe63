/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "compat/hv/nlog.h"

#include "compat/hv/hlog.h"
#include "loop_test.h"

static hloop_t *loop;
static struct sockaddr_in addr;
static int held; /* by the loop: the listener and the readers */

static int setup(void **state)
{
    hio_t *listener;

    loop_test_setup(state);
    loop = new_loop();
    listener = nlog_listen(loop, 0);
    assert_non_null(listener);
    addr = *(struct sockaddr_in *)hio_localaddr(listener);
    assert_int_equal(addr.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    held = 1;
    return 0;
}

static int new_reader(void)
{
    int fd = plain_connect(&addr);

    held++;
    RUN_UNTIL(loop, (int)hloop_nios(loop) == held);
    return fd;
}

static void assert_reads(int fd, const char *text)
{
    char buf[256];
    size_t len = strlen(text);

    assert_true(len < sizeof(buf));
    settle(loop);
    assert_int_equal(plain_receive(fd, buf, len), len);
    assert_memory_equal(buf, text, len);
}

static void every_reader_gets_every_line(void **state)
{
    int first = new_reader(), second = new_reader();

    (void)state;
    logger_set_format(hlog, "%L %s");
    hlog_set_handler(network_logger);
    hlog_set_level(LOG_LEVEL_INFO);
    logger_print(hlog, LOG_LEVEL_WARN, "line %d", 1);
    logger_print(hlog, LOG_LEVEL_DEBUG, "not wanted");
    assert_reads(first, "WARN line 1\n");
    assert_reads(second, "WARN line 1\n");
    assert_int_equal(send(first, "hello", 5, 0), 5); /* nobody listens to it */
    close(second);
    held--;
    RUN_UNTIL(loop, (int)hloop_nios(loop) == held);
    logger_print(hlog, LOG_LEVEL_INFO, "line %d", 2);
    assert_reads(first, "INFO line 2\n");
    hloop_free(&loop);
    logger_print(hlog, LOG_LEVEL_ERROR, "nobody is left");
    close(first);
    hlog_destory();
}

static void too_many_readers_are_turned_away(void **state)
{
    int fds[NLOG_READERS_MAX], more;
    char byte;

    (void)state;
    for (int i = 0; i < NLOG_READERS_MAX; i++)
        fds[i] = new_reader();
    more = plain_connect(&addr);
    settle(loop);
    assert_int_equal(recv(more, &byte, 1, 0), 0);
    network_logger(LOG_LEVEL_INFO, "x\n", 2);
    for (int i = 0; i < NLOG_READERS_MAX; i++) {
        assert_reads(fds[i], "x\n");
        close(fds[i]);
    }
    close(more);
    hloop_free(&loop);
}

static void a_port_in_use_is_an_error(void **state)
{
    (void)state;
    errno = 0;
    assert_null(nlog_listen(loop, ntohs(addr.sin_port)));
    assert_int_equal(errno, EADDRINUSE);
    hloop_free(&loop);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_reader_gets_every_line),
        TEST(too_many_readers_are_turned_away),
        TEST(a_port_in_use_is_an_error),
    };

    return run_on_each_poller("nlog", tests, ARRAY_LENGTH(tests));
}
