#include "hsecret.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define CTRL_C 0x03
#define CTRL_D 0x04
#define DONE 1

/* Ctrl-C comes as a byte; what ends or stops the program from outside waits until the terminal is
 * as it was. */
typedef struct secret_s {
    int tty;
    int signals;
    struct termios saved;
    sigset_t mask;
} secret_t;

static void say(const secret_t *secret, const char *text)
{
    if (write(secret->tty, text, strlen(text)) < 0)
        return; /* the terminal is gone: the read tells */
}

static int begin(secret_t *secret)
{
    struct termios quiet;
    sigset_t held;

    secret->signals = -1;
    secret->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (secret->tty < 0)
        return -ENXIO;
    if (tcgetattr(secret->tty, &secret->saved) < 0) {
        close(secret->tty);
        return -ENXIO;
    }
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGQUIT);
    sigaddset(&held, SIGTSTP);
    pthread_sigmask(SIG_BLOCK, &held, &secret->mask);
    secret->signals = signalfd(-1, &held, SFD_CLOEXEC);
    quiet = secret->saved;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG | ICANON);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    tcsetattr(secret->tty, TCSAFLUSH, &quiet);
    return 0;
}

static void end(secret_t *secret)
{
    tcsetattr(secret->tty, TCSAFLUSH, &secret->saved);
    say(secret, "\n");
    if (secret->signals >= 0)
        close(secret->signals);
    close(secret->tty);
    pthread_sigmask(SIG_SETMASK, &secret->mask, NULL);
}

/* One byte, or the error; a signal is one, too. */
static int read_byte(const secret_t *secret, unsigned char *byte)
{
    struct pollfd fds[2] = {{.fd = secret->tty, .events = POLLIN},
                            {.fd = secret->signals, .events = POLLIN}};
    ssize_t n;

    if (poll(fds, 2, -1) < 0)
        return errno == EINTR ? 0 : -errno;
    if (fds[1].revents)
        return -ECANCELED;
    n = read(secret->tty, byte, 1);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n == 0 ? -ECANCELED : 1;
}

/* What a byte does to the line: 0, DONE, or an error. */
static int take(const secret_t *secret, unsigned char byte, char *buf, size_t size, size_t *len)
{
    if (byte == '\n' || byte == '\r')
        return DONE;
    if (byte == CTRL_C || byte == CTRL_D)
        return -ECANCELED;
    if (byte == secret->saved.c_cc[VERASE] || byte == '\b') {
        *len -= *len > 0 ? 1 : 0;
        return 0;
    }
    if (byte == secret->saved.c_cc[VKILL]) {
        *len = 0;
        return 0;
    }
    if (*len + 1 >= size)
        return -EMSGSIZE;
    buf[(*len)++] = (char)byte;
    return 0;
}

int hsecret_read(const char *prompt, char *buf, size_t size)
{
    secret_t secret;
    size_t len = 0;
    int rc = begin(&secret);

    if (rc < 0)
        return rc;
    say(&secret, prompt);
    while (rc == 0) {
        unsigned char byte = 0;

        rc = read_byte(&secret, &byte);
        if (rc > 0)
            rc = take(&secret, byte, buf, size, &len);
    }
    end(&secret);
    if (rc < 0) {
        explicit_bzero(buf, size);
        return rc;
    }
    buf[len] = '\0';
    return (int)len;
}
