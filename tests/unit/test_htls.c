#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "htls_fixture.h"

/* ---- data ------------------------------------------------------------------------------------ */

static void echo_of_every_size_is_whole(void **state)
{
    static const size_t sizes[] = {0,     1,     2,     100,   16383,  16384,
                                   16385, 32768, 65535, 65536, 200000, 1 << 20};
    char *data = new_pattern(1 << 20);

    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        hio_t *io = tls_connect();

        TLS_UNTIL(tls.client.seen.connects == 1);
        assert_int_equal(hio_write(io, data, sizes[i]), sizes[i]);
        assert_int_equal(hio_shutdown(io), 0);
        TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
        assert_int_equal(tls.client.seen.got, sizes[i]);
        assert_int_equal(tls.client.seen.wrote, sizes[i]);
        assert_false(tls.client.seen.mangled);
        assert_int_equal(tls.client.seen.error, 0);
        assert_int_equal(tls.server.seen.error, 0);
        assert_string_equal(tls.client.error, "");
    }
    tls_end();
    free(data);
}

static void what_was_agreed_on_is_told(void **state)
{
    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    tls_connect();
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    assert_true(tls.client.secure && tls.server.secure);
    assert_string_equal(tls.client.version, "TLSv1.3");
    assert_true(tls.client.info.verified);
    assert_false(tls.client.info.resumed);
    assert_false(tls.server.info.verified);
    assert_string_equal(tls.server.server_name, "a.test");
    assert_string_equal(tls.client.alpn, "");
    assert_string_not_equal(tls.client.group, "");
    tls_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_of_every_size_is_whole),
        cmocka_unit_test(what_was_agreed_on_is_told),
    };

    return run_with_certificates("htls", tests, ARRAY_LENGTH(tests));
}
