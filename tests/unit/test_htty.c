/* One thread. */
#include "app/htty.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
/* cmocka wants setjmp, stdarg, stddef and stdint before it */
#include <cmocka.h>

typedef struct terminal_s {
    int master;
    int fd;
    struct termios before;
} terminal_t;

static int open_terminal(void **state)
{
    static terminal_t t;

    *state = &t;
    t.master = -1;
    t.fd = -1;
    if (openpty(&t.master, &t.fd, NULL, NULL, NULL) != 0)
        return 0; /* a bare chroot has none */
    tcgetattr(t.fd, &t.before);
    return fcntl(t.master, F_SETFL, O_NONBLOCK);
}

static int close_terminal(void **state)
{
    const terminal_t *t = *state;

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

static bool is_as_before(const terminal_t *t)
{
    struct termios now;

    assert_int_equal(tcgetattr(t->fd, &now), 0);
    return now.c_lflag == t->before.c_lflag && now.c_iflag == t->before.c_iflag &&
           memcmp(now.c_cc, t->before.c_cc, sizeof(now.c_cc)) == 0;
}

static const char *shown(const terminal_t *t)
{
    static char text[256];
    ssize_t n = read(t->master, text, sizeof(text) - 1);

    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void keys_come_at_once_and_silently_until_it_is_left(void **state)
{
    const terminal_t *t = terminal_or_skip(state);
    char key;

    assert_int_equal(htty_enter(t->fd, "hello", "bye"), 0);
    assert_false(is_as_before(t));
    assert_int_equal(write(t->master, "\r", 1), 1);
    assert_int_equal(read(t->fd, &key, 1), 1);
    assert_int_equal(key, '\r');
    assert_string_equal(shown(t), "hello");
    htty_leave();
    assert_true(is_as_before(t));
    assert_string_equal(shown(t), "bye");
    htty_leave();
    assert_string_equal(shown(t), "");
}

static void one_terminal_at_a_time_and_no_other_file(void **state)
{
    const terminal_t *t = terminal_or_skip(state);
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(htty_enter(fds[0], NULL, NULL), -ENOTTY);
    assert_int_equal(htty_enter(-1, NULL, NULL), -EBADF);
    assert_int_equal(htty_enter(t->fd, NULL, NULL), 0);
    assert_int_equal(htty_enter(t->fd, NULL, NULL), -EBUSY);
    htty_leave();
    close(fds[0]);
    close(fds[1]);
}

/* A process that switches the terminal and then ends in some way; its wait status. */
static int end_by(const terminal_t *t, int signo)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        signal(signo > 0 ? signo : SIGUSR1, SIG_DFL);
        if (htty_enter(t->fd, NULL, "bye") != 0 || is_as_before(t))
            _exit(99);
        if (signo == 0)
            exit(3);
        raise(signo);
        _exit(98);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void it_is_restored_when_the_process_ends(void **state)
{
    static const int signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTRAP, SIGABRT,
                                  SIGTERM, SIGALRM, SIGUSR1, SIGPIPE};
    const terminal_t *t = terminal_or_skip(state);
    int status = end_by(t, 0);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_true(is_as_before(t));
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        shown(t);
        status = end_by(t, signals[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i]);
        assert_true(is_as_before(t));
        assert_string_equal(shown(t), "bye");
    }
}

static void on_signal(int signo)
{
    (void)signo;
}

static void signals_that_have_a_handler_keep_it(void **state)
{
    const terminal_t *t = terminal_or_skip(state);
    struct sigaction now;

    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, SIG_IGN);
    assert_int_equal(htty_enter(t->fd, NULL, NULL), 0);
    sigaction(SIGUSR1, NULL, &now);
    assert_true(now.sa_handler == on_signal);
    sigaction(SIGUSR2, NULL, &now);
    assert_true(now.sa_handler == SIG_IGN);
    sigaction(SIGTERM, NULL, &now);
    assert_false(now.sa_handler == SIG_DFL);
    htty_leave();
    sigaction(SIGTERM, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

/* In a session that the terminal controls: the child is in its background. */
static int from_the_background(const terminal_t *t)
{
    int status = 0;
    pid_t pid;

    if (setsid() < 0 || ioctl(t->fd, TIOCSCTTY, 0) < 0)
        return 97;
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        _exit(htty_is_foreground(t->fd) ? 1 : htty_enter(t->fd, NULL, NULL) != -EAGAIN ? 2 : 0);
    }
    if (waitpid(pid, &status, 0) != pid || !htty_is_foreground(t->fd))
        return 96;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 95;
}

static void in_the_background_it_is_not_touched(void **state)
{
    const terminal_t *t = terminal_or_skip(state);
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(from_the_background(t));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(is_as_before(t));
}

#define ON_TERMINAL(test) cmocka_unit_test_setup_teardown(test, open_terminal, close_terminal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TERMINAL(keys_come_at_once_and_silently_until_it_is_left),
        ON_TERMINAL(one_terminal_at_a_time_and_no_other_file),
        ON_TERMINAL(it_is_restored_when_the_process_ends),
        ON_TERMINAL(signals_that_have_a_handler_keep_it),
        ON_TERMINAL(in_the_background_it_is_not_touched),
    };

    return cmocka_run_group_tests_name("htty", tests, NULL, NULL);
}
