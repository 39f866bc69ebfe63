/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/ping.h"
#include "base/herr.h"

#define SECRET 4711
#define SIZE 16

static const char *const hosts[] = {"192.0.2.1", "2001:db8::1"};

static haddr_t host_of(const char *text)
{
    haddr_t addr;

    assert_int_equal(haddr_parse(&addr, text, 0), 0);
    return addr;
}

/* What the socket gives of an echo: a reply, or the request that an error quotes. */
static void make(uint8_t *data, const haddr_t *host, unsigned try, bool is_request)
{
    uint64_t nonce = ping__nonce(SECRET, &host->u.sa, try);
    bool is_v6 = host->u.sa.sa_family == AF_INET6;

    memset(data, 0, SIZE);
    data[0] = is_v6 ? (is_request ? 128 : 129) : (is_request ? 8 : 0);
    data[6] = (uint8_t)(try >> 8);
    data[7] = (uint8_t)try;
    memcpy(data + 8, &nonce, sizeof(nonce));
}

static void test_answers(void **state)
{
    uint8_t data[SIZE];
    unsigned try = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        haddr_t host = host_of(hosts[i]);

        for (unsigned asked = 0; asked < 600; asked += 299) {
            make(data, &host, asked, false);
            assert_true(ping__read(SECRET, &host.u.sa, false, data, SIZE, &try));
            assert_int_equal(try, asked);
            assert_false(ping__read(SECRET, &host.u.sa, true, data, SIZE, &try));
        }
        for (size_t len = 0; len < SIZE; len++)
            assert_false(ping__read(SECRET, &host.u.sa, false, data, len, &try));
    }
}

/* Of the number every bit counts, and so do the try, the host and the secret. */
static void test_what_is_not_ours(void **state)
{
    uint8_t data[SIZE];
    unsigned try;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        haddr_t host = host_of(hosts[i]);
        haddr_t other = host_of(i == 0 ? "192.0.2.2" : "2001:db8::2");

        for (size_t bit = 0; bit < (size_t)8 * SIZE; bit++) {
            bool is_unused = bit >= 16 && bit < 48; /* checksum and id: the kernel's */

            make(data, &host, 3, false);
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(ping__read(SECRET, &host.u.sa, false, data, SIZE, &try), is_unused);
        }
        make(data, &host, 3, false);
        assert_false(ping__read(SECRET, &other.u.sa, false, data, SIZE, &try));
        assert_false(ping__read(SECRET + 1, &host.u.sa, false, data, SIZE, &try));
    }
}

/* A router may quote no more than eight bytes behind its IP header. */
static void test_errors(void **state)
{
    uint8_t data[SIZE];
    unsigned try = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        haddr_t host = host_of(hosts[i]);

        make(data, &host, 2, true);
        for (size_t len = 0; len <= SIZE; len++)
            assert_int_equal(ping__read(SECRET, &host.u.sa, true, data, len, &try), len >= 8);
        assert_int_equal(try, 2);
        data[15] ^= 1;
        assert_false(ping__read(SECRET, &host.u.sa, true, data, SIZE, &try));
        assert_false(ping__read(SECRET, &host.u.sa, false, data, SIZE, &try));
    }
}

static void nobody(void *context, const ping_answer_t *answer)
{
    (void)context;
    (void)answer;
}

/* Where it is not allowed, too, nothing is left open. */
static void test_open(void **state)
{
    static const sa_family_t families[] = {AF_INET, AF_INET6};
    hloop_t *loop = hloop_new(0);

    (void)state;
    assert_non_null(loop);
    for (size_t i = 0; i < 2; i++) {
        const ping_options_t how = {.family = families[i]};
        ping_t *ping = NULL;
        int err = ping_new(loop, &how, nobody, NULL, &ping);

        assert_int_equal(err == 0, ping_is_allowed(families[i]));
        assert_int_equal(err == 0, ping != NULL);
        ping_free(ping);
    }
    ping_free(NULL);
    hloop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_what_is_not_ours),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
