/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/hresolve.h"
#include "oom.h"

static const char *printed(const haddr_t *addr)
{
    static char buf[HADDR_FORMAT_SIZE];

    return haddr_format(&addr->u.sa, addr->len, buf, sizeof(buf));
}

static void numbers_need_no_resolver(void **state)
{
    hresolve_hints_t hints = {.numeric = true};
    hresolve_t result;

    (void)state;
    assert_int_equal(hresolve("::1", 80, NULL, &result), 0);
    assert_int_equal(result.count, 1);
    assert_string_equal(printed(&result.addrs[0]), "[::1]:80");
    hresolve_free(&result);
    assert_int_equal(hresolve("127.0.0.1", 80, &hints, &result), 0);
    hresolve_free(&result);
    hresolve_free(&result);
}

static void localhost_is_loopback(void **state)
{
    hresolve_hints_t hints = {.family = AF_INET};
    hresolve_t result;

    (void)state;
    assert_int_equal(hresolve("localhost", 80, &hints, &result), 0);
    assert_true(result.count > 0); /* glibc gives one for each line of /etc/hosts */
    for (size_t i = 0; i < result.count; i++)
        assert_string_equal(printed(&result.addrs[i]), "127.0.0.1:80");
    hresolve_free(&result);
}

static void a_name_is_refused_when_only_numbers_will_do(void **state)
{
    hresolve_hints_t hints = {.numeric = true};
    hresolve_t result;
    int err;

    (void)state;
    err = hresolve("localhost", 80, &hints, &result);
    assert_int_equal(err, HERR_RESOLVE);
    assert_string_equal(hresolve_error(&result, err), "Name or service not known");
    assert_null(result.addrs);
}

static void an_address_of_the_wrong_family_is_told(void **state)
{
    hresolve_hints_t hints = {.family = AF_INET6};
    hresolve_t result;
    int err;

    (void)state;
    err = hresolve("127.0.0.1", 80, &hints, &result);
    assert_int_equal(err, HERR_RESOLVE);
    assert_string_equal(hresolve_error(&result, err), "Address family for hostname not supported");
    assert_string_equal(hresolve_error(&result, -EMFILE), "Too many open files");
}

static void no_host_is_loopback_or_every_address(void **state)
{
    hresolve_hints_t hints = {.passive = true};
    hresolve_t result;

    (void)state;
    assert_int_equal(hresolve("", 80, &hints, &result), 0);
    assert_int_equal(result.count, 2);
    assert_string_equal(printed(&result.addrs[0]), "[::]:80");
    assert_string_equal(printed(&result.addrs[1]), "0.0.0.0:80");
    hresolve_free(&result);
    assert_int_equal(hresolve(NULL, 80, NULL, &result), 0);
    assert_int_equal(result.count, 2);
    assert_string_equal(printed(&result.addrs[0]), "127.0.0.1:80");
    hresolve_free(&result);
    hints.family = AF_INET;
    assert_int_equal(hresolve("", 80, &hints, &result), 0);
    assert_int_equal(result.count, 1);
    hresolve_free(&result);
    hints.family = AF_UNIX;
    assert_int_equal(hresolve("", 80, &hints, &result), HERR_RESOLVE);
}

static void end_points_have_addresses(void **state)
{
    hresolve_t result;
    hendpoint_t ep;

    (void)state;
    assert_int_equal(hendpoint_parse(&ep, "unix:@x", NULL, 0), 0);
    assert_int_equal(hresolve_endpoint(&ep, NULL, &result), 0);
    assert_string_equal(printed(&result.addrs[0]), "unix:@x");
    hresolve_free(&result);
    assert_int_equal(hendpoint_parse(&ep, "udp://[::1]:53", NULL, 0), 0);
    assert_int_equal(hresolve_endpoint(&ep, NULL, &result), 0);
    assert_string_equal(printed(&result.addrs[0]), "[::1]:53");
    hresolve_free(&result);
}

static int resolve_all(void *arg)
{
    hresolve_hints_t hints = {.family = AF_INET};
    hresolve_t result;
    int err;

    (void)arg;
    err = hresolve("", 80, NULL, &result);
    hresolve_free(&result);
    if (!err)
        err = hresolve("localhost", 80, &hints, &result);
    hresolve_free(&result);
    return err;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run(resolve_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_need_no_resolver),
        cmocka_unit_test(localhost_is_loopback),
        cmocka_unit_test(a_name_is_refused_when_only_numbers_will_do),
        cmocka_unit_test(an_address_of_the_wrong_family_is_told),
        cmocka_unit_test(no_host_is_loopback_or_every_address),
        cmocka_unit_test(end_points_have_addresses),
        cmocka_unit_test(out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("hresolve", tests, NULL, NULL);
}
