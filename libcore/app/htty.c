#include "htty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Ends of a process that leave no time for anything else. */
static const int fatal_signals[] = {SIGHUP,  SIGINT, SIGQUIT, SIGILL,  SIGTRAP, SIGABRT,
                                    SIGBUS,  SIGFPE, SIGSEGV, SIGTERM, SIGALRM, SIGXCPU,
                                    SIGXFSZ, SIGSYS, SIGUSR1, SIGUSR2, SIGPIPE};
#define FATAL_COUNT (sizeof(fatal_signals) / sizeof(fatal_signals[0]))

static struct {
    volatile sig_atomic_t entered;
    int fd; /* of our own: the program may close its one first */
    struct termios saved;
    const char *farewell;
    bool handled[FATAL_COUNT];
    bool at_exit;
} terminal;

bool htty_is_foreground(int fd)
{
    pid_t group = tcgetpgrp(fd);

    return group < 0 || group == getpgrp();
}

/* Only what a signal handler may call. */
static void restore(void)
{
    if (!terminal.entered)
        return;
    terminal.entered = 0;
    if (!htty_is_foreground(terminal.fd))
        return;
    if (terminal.farewell && write(terminal.fd, terminal.farewell, strlen(terminal.farewell)) < 0)
        errno = 0; /* the terminal is gone */
    tcsetattr(terminal.fd, TCSANOW, &terminal.saved);
}

/* The handler is off by now (SA_RESETHAND): the process ends as it would have without it. */
static void on_fatal(int signo)
{
    restore();
    raise(signo);
}

/* Those that somebody else handles or ignores are theirs. */
static void watch(void)
{
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = SA_RESETHAND | SA_NODEFER};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FATAL_COUNT; i++) {
        struct sigaction old;

        terminal.handled[i] = sigaction(fatal_signals[i], NULL, &old) == 0 &&
                              !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL &&
                              sigaction(fatal_signals[i], &action, NULL) == 0;
    }
}

static void unwatch(void)
{
    for (size_t i = 0; i < FATAL_COUNT; i++) {
        struct sigaction now;

        if (terminal.handled[i] && sigaction(fatal_signals[i], NULL, &now) == 0 &&
            now.sa_handler == on_fatal)
            signal(fatal_signals[i], SIG_DFL);
        terminal.handled[i] = false;
    }
}

static int give_keys(void)
{
    struct termios now = terminal.saved;

    now.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN);
    now.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | ISTRIP);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    return tcsetattr(terminal.fd, TCSANOW, &now) < 0 ? -errno : 0;
}

/* The terminal is found by restore() from here on. */
static int take(int fd, const char *farewell)
{
    struct termios saved;

    if (terminal.entered)
        return -EBUSY;
    if (tcgetattr(fd, &saved) < 0)
        return -errno;
    if (!htty_is_foreground(fd))
        return -EAGAIN;
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -errno;
    terminal.fd = fd;
    terminal.saved = saved;
    terminal.farewell = farewell;
    if (!terminal.at_exit)
        terminal.at_exit = atexit(restore) == 0;
    watch();
    terminal.entered = 1;
    return 0;
}

static int leave_if(int err)
{
    if (err < 0)
        htty_leave();
    return err;
}

int htty_enter(int fd, const char *hello, const char *farewell)
{
    int err = take(fd, farewell);

    if (err < 0)
        return err;
    err = give_keys();
    if (err == 0 && hello && write(fd, hello, strlen(hello)) < 0)
        err = -errno;
    return leave_if(err);
}

int htty_hide(int fd)
{
    struct termios now;
    int err = take(fd, NULL);

    if (err < 0)
        return err;
    now = terminal.saved;
    now.c_lflag &= ~(tcflag_t)ECHO;
    now.c_lflag |= ECHONL;
    return leave_if(tcsetattr(fd, TCSAFLUSH, &now) < 0 ? -errno : 0);
}

void htty_leave(void)
{
    if (!terminal.entered)
        return;
    restore();
    unwatch();
    close(terminal.fd);
}
