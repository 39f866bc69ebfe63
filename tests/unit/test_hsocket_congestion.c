/* The congestion control of sockets that are to connect or to listen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/hsocket.h"

#include <netinet/tcp.h>
#include <unistd.h>

/* The congestion control that new sockets are said to have; NULL: the true one. */
static const char *usual_congestion;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    if (!usual_congestion || level != IPPROTO_TCP || name != TCP_CONGESTION)
        return __real_getsockopt(fd, level, name, value, len);
    snprintf(value, *len, "%s", usual_congestion);
    return 0;
}

/* Of a socket that is to connect or listen, by its true name; closes it. */
static const char *congestion_of(int fd)
{
    static char name[16];
    socklen_t len = sizeof(name);

    assert_true(fd >= 0);
    assert_int_equal(__real_getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    close(fd);
    return name;
}

static void a_congestion_control_is_taken_by_name(void **state)
{
    hsocket_options_t options = {.congestion = "reno", .carries_much = true};
    haddr_t addr;

    (void)state;
    haddr_loopback(&addr, AF_INET, 0);
    assert_string_equal(congestion_of(hsocket_client(&addr, SOCK_STREAM, &options)), "reno");
    assert_string_equal(congestion_of(hsocket_listen(&addr, SOCK_STREAM, &options)), "reno");
    options.congestion = "nonsense";
    assert_int_equal(hsocket_client(&addr, SOCK_STREAM, &options), -ENOENT);
    assert_int_equal(hsocket_listen(&addr, SOCK_STREAM, &options), -ENOENT);
    close(hsocket_client(&addr, SOCK_DGRAM, &options)); /* TCP's alone */
}

static void much_is_carried_without_bbr_within_the_machine(void **state)
{
    static const struct {
        const char *ip, *usual;
        bool carries_much, is_reno;
    } cases[] = {
        {"127.0.0.1", "bbr", true, true},        {"127.0.0.9", "bbr2", true, true},
        {"::ffff:127.0.0.1", "bbr", true, true}, {"::1", "bbr", true, true},
        {"127.0.0.1", "cubic", true, false},     {"127.0.0.1", "bbr", false, false},
        {"0.0.0.0", "bbr", true, false},         {"192.0.2.1", "bbr", true, false},
    };
    const char *usual = congestion_of(hsocket_open(AF_INET, SOCK_STREAM, NULL));
    char before[16];
    haddr_t addr;

    (void)state;
    snprintf(before, sizeof(before), "%s", usual);
    if (strcmp(before, "reno") == 0)
        skip(); /* nothing to tell apart */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hsocket_options_t options = {.carries_much = cases[i].carries_much};
        const char *expected = cases[i].is_reno ? "reno" : before;

        usual_congestion = cases[i].usual;
        assert_int_equal(haddr_parse(&addr, cases[i].ip, 0), 0);
        assert_string_equal(congestion_of(hsocket_client(&addr, SOCK_STREAM, &options)), expected);
        if (strcmp(cases[i].ip, "192.0.2.1") != 0 && !strchr(cases[i].ip, ':'))
            assert_string_equal(congestion_of(hsocket_listen(&addr, SOCK_STREAM, &options)),
                                expected);
    }
    usual_congestion = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_congestion_control_is_taken_by_name),
        cmocka_unit_test(much_is_carried_without_bbr_within_the_machine),
    };

    return cmocka_run_group_tests_name("hsocket: congestion control", tests, NULL, NULL);
}
