#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/hstart.h"
#include "oom.h"

static char why[HSTART_WHY_SIZE];

static int setup(void **state)
{
    (void)state;
    unsetenv("HNET_POLLER");
    memset(why, 'x', sizeof(why));
    return 0;
}

static void each_poller_that_is_named_is_taken(void **state)
{
    const char *name;
    hloop_stats_t stats;
    unsigned n = 0;

    (void)state;
    for (; (name = hloop_poller_name(n)) != NULL; n++) {
        hloop_t *loop;

        setenv("HNET_POLLER", name, 1);
        loop = hstart_loop(NULL, why, sizeof(why));
        assert_non_null(loop);
        hloop_stats(loop, &stats);
        if (strcmp(name, "io_uring") != 0) /* the kernel may refuse that one */
            assert_string_equal(stats.poller, name);
        hloop_free(&loop);
    }
    assert_true(n >= 2);
    assert_null(hloop_poller_name(n + 1));
}

static void an_unknown_poller_is_told_with_the_known_ones(void **state)
{
    const char *name;

    (void)state;
    setenv("HNET_POLLER", "telepathy", 1);
    assert_null(hstart_loop(NULL, why, sizeof(why)));
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(why, "HNET_POLLER=telepathy: "));
    for (unsigned i = 0; (name = hloop_poller_name(i)) != NULL; i++)
        assert_non_null(strstr(why, name));
}

static void a_value_without_end_leaves_room_for_the_names(void **state)
{
    char value[5000];

    (void)state;
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    setenv("HNET_POLLER", value, 1);
    assert_null(hstart_loop(NULL, why, sizeof(why)));
    assert_non_null(strstr(why, "select"));
    assert_true(strlen(why) < sizeof(why) - 1);
}

static void the_variable_is_not_to_blame_for_what_the_program_asks(void **state)
{
    const hloop_options_t options = {.poller = "telepathy"};

    (void)state;
    setenv("HNET_POLLER", "clairvoyance", 1);
    assert_null(hstart_loop(&options, why, sizeof(why)));
    assert_string_equal(why, herr_str(-EINVAL));
}

static void another_error_is_told_as_such(void **state)
{
    oom_t oom;

    (void)state;
    setenv("HNET_POLLER", "poll", 1);
    oom_begin(&oom, 1, true);
    assert_null(hstart_loop(NULL, why, sizeof(why)));
    oom_end();
    assert_int_equal(errno, ENOMEM);
    assert_string_equal(why, herr_str(-ENOMEM));
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_poller_that_is_named_is_taken),
        TEST(an_unknown_poller_is_told_with_the_known_ones),
        TEST(a_value_without_end_leaves_room_for_the_names),
        TEST(the_variable_is_not_to_blame_for_what_the_program_asks),
        TEST(another_error_is_told_as_such),
    };

    return cmocka_run_group_tests_name("hstart", tests, NULL, NULL);
}
