/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/socks.h"

static const struct {
    const char *head, *host;
    size_t len;
} heads[] = {
    {"\0\0\0\1\x7f\0\0\1\0\x35", "127.0.0.1", 10},
    {"\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x35", "::1", 22},
    {"\0\0\0\3\4host\0\x35", "host", 11},
};

static void each_kind_of_address_is_read_and_written(void **state)
{
    uint8_t made[SOCKS_DATAGRAM_HEAD_MAX];
    socks_datagram_t d;
    char whole[64];

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        memcpy(whole, heads[i].head, heads[i].len);
        memcpy(whole + heads[i].len, "data", 4);
        assert_int_equal(socks_datagram_parse(&d, whole, heads[i].len + 4), heads[i].len);
        assert_string_equal(d.host, heads[i].host);
        assert_int_equal(d.port, 53);
        assert_int_equal(d.fragment, 0);
        assert_int_equal(socks_datagram_compose(d.host, d.port, made), heads[i].len);
        assert_memory_equal(made, heads[i].head, heads[i].len);
        for (size_t len = 0; len < heads[i].len; len++) {
            char *exact = malloc(len ? len : 1); /* whoever reads behind it is told */

            assert_non_null(exact);
            memcpy(exact, whole, len);
            assert_int_equal(socks_datagram_parse(&d, exact, len), HERR_PROTOCOL);
            free(exact);
        }
    }
}

static void the_longest_name_has_room(void **state)
{
    uint8_t made[SOCKS_DATAGRAM_HEAD_MAX];
    char name[SOCKS_HOST_SIZE];
    socks_datagram_t d;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(socks_datagram_compose(name, 1, made), sizeof(made));
    assert_int_equal(socks_datagram_parse(&d, made, sizeof(made)), sizeof(made));
    assert_string_equal(d.host, name);
}

static void what_is_none_is_refused(void **state)
{
    socks_datagram_t d;

    (void)state;
    assert_int_equal(socks_datagram_parse(&d, "\0\1\0\1\x7f\0\0\1\0\x35", 10), HERR_PROTOCOL);
    assert_int_equal(socks_datagram_parse(&d, "\0\0\0\2\x7f\0\0\1\0\x35", 10), HERR_UNSUPPORTED);
    assert_int_equal(socks_datagram_parse(&d, "\0\0\0\3\1 \0\x35", 8), HERR_PROTOCOL);
    assert_int_equal(socks_datagram_parse(&d, "\0\0\0\3\0\0\x35", 7), HERR_PROTOCOL);
    assert_int_equal(socks_datagram_parse(&d, "\0\0\5\1\x7f\0\0\1\0\x35", 10), 10);
    assert_int_equal(d.fragment, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_address_is_read_and_written),
        cmocka_unit_test(the_longest_name_has_room),
        cmocka_unit_test(what_is_none_is_refused),
    };

    return cmocka_run_group_tests_name("socks_datagram", tests, NULL, NULL);
}
