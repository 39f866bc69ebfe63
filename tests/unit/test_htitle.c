/* One thread. */
#include "app/htitle.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "oom.h"

static int the_argc;
static char **the_argv;

/* What ps would show, up to the first NUL. */
static void shown_title(char *text, size_t size)
{
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t n = read(fd, text, size - 1);

    close(fd);
    assert_true(n >= 0);
    text[n] = '\0';
}

static void ps_shows_the_title_and_arguments_stay_readable(void **state)
{
    char **argv = the_argv;
    char text[512], name[256];
    htitle_t *title;

    (void)state;
    snprintf(name, sizeof(name), "%s", argv[0]);
    setenv("HTITLE_TEST", "still here", 1);
    title = htitle_init(the_argc, &argv);
    assert_non_null(title);
    assert_ptr_not_equal(argv, the_argv);
    htitle_set(title, "hecho: %s process", "worker");
    shown_title(text, sizeof(text));
    assert_string_equal(text, "hecho: worker process");
    assert_string_equal(argv[0], name);
    assert_null(argv[the_argc]);
    assert_string_equal(getenv("HTITLE_TEST"), "still here");
    htitle_set(title, "short");
    shown_title(text, sizeof(text));
    assert_string_equal(text, "short");
    htitle_free(title, &argv);
    assert_ptr_equal(argv, the_argv);
    assert_string_equal(argv[0], name);
    assert_string_equal(getenv("HTITLE_TEST"), "still here");
    shown_title(text, sizeof(text));
    assert_string_equal(text, name);
}

static void a_long_title_is_cut_to_the_room_there_is(void **state)
{
    char **argv = the_argv;
    char text[8192], longer[4096];
    htitle_t *title = htitle_init(the_argc, &argv);

    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    htitle_set(title, "%s", longer);
    shown_title(text, sizeof(text));
    assert_true(strspn(text, "x") == strlen(text) && strlen(text) > 10);
    htitle_free(title, &argv);
}

static void no_title_is_legal(void **state)
{
    char **argv = the_argv;

    (void)state;
    htitle_set(NULL, "nothing");
    htitle_free(NULL, &argv);
    assert_ptr_equal(argv, the_argv);
}

static int init_and_free(void *arg)
{
    char **argv = the_argv;
    htitle_t *title = htitle_init(the_argc, &argv);

    (void)arg;
    if (title == NULL)
        return argv == the_argv ? -ENOMEM : -EINVAL;
    htitle_free(title, &argv);
    return 0;
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    (void)state;
    oom_run(init_and_free, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ps_shows_the_title_and_arguments_stay_readable),
        cmocka_unit_test(a_long_title_is_cut_to_the_room_there_is),
        cmocka_unit_test(no_title_is_legal),
        cmocka_unit_test(out_of_memory_is_an_error_at_every_allocation),
    };

    the_argc = argc;
    the_argv = argv;
    return cmocka_run_group_tests_name("htitle", tests, NULL, NULL);
}
