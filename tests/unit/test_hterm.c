/* One thread. */
#include "app/hterm.h"

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/hprogress.h"
#include "base/htime.h"

typedef struct terminal_s {
    int master;
    int fd;
} terminal_t;

static int open_terminal(void **state)
{
    static terminal_t t;
    struct winsize size = {24, 50, 0, 0};

    unsetenv("NO_COLOR");
    unsetenv("COLUMNS");
    setenv("TERM", "xterm", 1);
    *state = &t;
    t.master = -1;
    t.fd = -1;
    if (openpty(&t.master, &t.fd, NULL, NULL, &size) != 0)
        return 0; /* a bare chroot has none */
    return fcntl(t.master, F_SETFL, O_NONBLOCK);
}

static int close_terminal(void **state)
{
    terminal_t *t = *state;

    if (t->fd >= 0) {
        close(t->fd);
        close(t->master);
    }
    return 0;
}

static const terminal_t *terminal_or_skip(void **state)
{
    const terminal_t *t = *state;

    if (t->fd < 0)
        skip();
    return t;
}

static size_t shown(const terminal_t *t, char *text, size_t size)
{
    ssize_t n = read(t->master, text, size - 1);

    text[n < 0 ? 0 : n] = '\0';
    return n < 0 ? 0 : (size_t)n;
}

static void the_width_is_the_terminals(void **state)
{
    const terminal_t *t = terminal_or_skip(state);
    struct winsize size = {24, 0, 0, 0};

    assert_true(hterm_is_tty(t->fd));
    assert_int_equal(hterm_width(t->fd), 50);
    size.ws_col = 3;
    ioctl(t->fd, TIOCSWINSZ, &size);
    assert_int_equal(hterm_width(t->fd), 20);
    size.ws_col = 60000;
    ioctl(t->fd, TIOCSWINSZ, &size);
    assert_int_equal(hterm_width(t->fd), HTERM_WIDTH_MAX);
    size.ws_col = 0;
    ioctl(t->fd, TIOCSWINSZ, &size);
    assert_int_equal(hterm_width(t->fd), HTERM_WIDTH_DEFAULT);
}

static void without_a_terminal_columns_counts_and_else_80(void **state)
{
    int fd = open("/dev/null", O_WRONLY);

    (void)state;
    assert_false(hterm_is_tty(fd));
    assert_int_equal(hterm_width(fd), 80);
    setenv("COLUMNS", "132", 1);
    assert_int_equal(hterm_width(fd), 132);
    setenv("COLUMNS", "wide", 1);
    assert_int_equal(hterm_width(fd), 80);
    close(fd);
}

static void colour_only_on_a_terminal_that_takes_it(void **state)
{
    const terminal_t *t = terminal_or_skip(state);
    int fd = open("/dev/null", O_WRONLY);

    assert_true(hterm_use_color(t->fd, HTERM_COLOR_AUTO));
    assert_false(hterm_use_color(fd, HTERM_COLOR_AUTO));
    assert_true(hterm_use_color(fd, HTERM_COLOR_ALWAYS));
    assert_false(hterm_use_color(t->fd, HTERM_COLOR_NEVER));
    setenv("NO_COLOR", "", 1);
    assert_true(hterm_use_color(t->fd, HTERM_COLOR_AUTO));
    setenv("NO_COLOR", "1", 1);
    assert_false(hterm_use_color(t->fd, HTERM_COLOR_AUTO));
    assert_true(hterm_use_color(t->fd, HTERM_COLOR_ALWAYS));
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    assert_false(hterm_use_color(t->fd, HTERM_COLOR_AUTO));
    close(fd);
}

static void a_style_is_empty_without_colour(void **state)
{
    (void)state;
    assert_string_equal(hterm_style(false, HTERM_RED), "");
    assert_string_equal(hterm_style(true, HTERM_RED), "\033[31m");
    assert_string_equal(hterm_style(true, HTERM_PLAIN), "\033[0m");
}

static void progress_tells_percent_rate_and_time_left(void **state)
{
    const hprogress_t p = {
        .label = "file", .total = 10 << 20, .drawn_done = 5 << 20, .rate = 1 << 20};
    const hprogress_t open_end = {.label = "f\033[2Jx", .drawn_done = 512};
    const hprogress_t accents = {.label = "\u00e4\u00e4\u00e4\u00e4"};
    const hprogress_t slow = {.label = "f", .total = 1 << 20, .rate = 100};
    char text[200];

    (void)state;
    hprogress_format(text, sizeof(text), &p, 100);
    assert_string_equal(text, "file  50%  5.0 MiB of 10.0 MiB  1.0 MiB/s  0:05 left");
    assert_int_equal(hprogress_format(text, sizeof(text), &p, 10), 10);
    assert_string_equal(text, "file  50% ");
    assert_int_equal(hprogress_format(text, sizeof(text), &accents, 7), 6);
    assert_string_equal(text, "\u00e4\u00e4\u00e4");
    hprogress_format(text, sizeof(text), &open_end, 100);
    assert_string_equal(text, "f\\x1b[2Jx  512 B");
    hprogress_format(text, sizeof(text), &slow, 100);
    assert_string_equal(text, "f  0%  0 B of 1.0 MiB  100 B/s  2:54:45 left");
}

static void progress_redraws_ten_times_a_second_and_clears(void **state)
{
    const terminal_t *t = terminal_or_skip(state);
    const uint64_t step = HPROGRESS_INTERVAL_NS;
    hprogress_t p;
    char text[512];

    hprogress_init(&p, t->fd, "x", 1000, 7);
    hprogress_update(&p, 100, 1000, 7 + step - 1);
    assert_int_equal(shown(t, text, sizeof(text)), 0);
    hprogress_update(&p, 100, 1000, 7 + step);
    shown(t, text, sizeof(text));
    assert_string_equal(text, "\rx  10%  100 B of 1000 B  1000 B/s  0:00 left");
    hprogress_update(&p, 200, 1000, 7 + step + 1);
    assert_int_equal(shown(t, text, sizeof(text)), 0);
    hprogress_update(&p, 1000, 1000, 7 + 2 * step);
    assert_true(shown(t, text, sizeof(text)) > 0);
    hprogress_clear(&p);
    shown(t, text, sizeof(text));
    assert_int_equal(strspn(text + 1, " "), strlen(text) - 2);
    assert_int_equal(text[strlen(text) - 1], '\r');
    hprogress_clear(&p);
    assert_int_equal(shown(t, text, sizeof(text)), 0);
}

static void progress_may_begin_anew(void **state)
{
    const terminal_t *t = terminal_or_skip(state);
    const uint64_t step = HPROGRESS_INTERVAL_NS;
    hprogress_t p;
    char text[512];

    hprogress_init(&p, t->fd, "x", 1000, 7);
    hprogress_update(&p, 1000, 1000, 7 + step);
    shown(t, text, sizeof(text));
    hprogress_update(&p, 100, 1000, 7 + 2 * step);
    shown(t, text, sizeof(text));
    assert_non_null(strstr(text, "  1000 B/s  "));
    hprogress_clear(&p);
    shown(t, text, sizeof(text));
}

static void progress_is_silent_without_a_terminal(void **state)
{
    hprogress_t p;
    char text[16];
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    hprogress_init(&p, fds[1], "x", 10, 0);
    hprogress_update(&p, 5, 10, 10 * HTIME_NS_PER_S);
    hprogress_clear(&p);
    assert_int_equal(read(fds[0], text, sizeof(text)), -1);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_width_is_the_terminals, open_terminal, close_terminal),
        cmocka_unit_test_setup_teardown(without_a_terminal_columns_counts_and_else_80,
                                        open_terminal, close_terminal),
        cmocka_unit_test_setup_teardown(colour_only_on_a_terminal_that_takes_it, open_terminal,
                                        close_terminal),
        cmocka_unit_test(a_style_is_empty_without_colour),
        cmocka_unit_test(progress_tells_percent_rate_and_time_left),
        cmocka_unit_test_setup_teardown(progress_redraws_ten_times_a_second_and_clears,
                                        open_terminal, close_terminal),
        cmocka_unit_test_setup_teardown(progress_may_begin_anew, open_terminal, close_terminal),
        cmocka_unit_test(progress_is_silent_without_a_terminal),
    };

    return cmocka_run_group_tests_name("hterm", tests, NULL, NULL);
}
