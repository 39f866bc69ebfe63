#include "hsecret.h"

#include "../base/hstr.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- kept elsewhere -------------------------------------------------------------------------- */

#define FROM_FILE "file:"
#define FROM_ENV "env:"

bool hsecret_is_source(const char *source)
{
    return (hstr_starts(source, FROM_FILE) && source[strlen(FROM_FILE)]) ||
           (hstr_starts(source, FROM_ENV) && source[strlen(FROM_ENV)]);
}

/* The first line is whole once its end is there, or that of the file. */
static int read_line(int fd, char *buf, size_t size)
{
    size_t len = 0;
    const char *lf = NULL;

    while (!lf && len < size) {
        ssize_t n = read(fd, buf + len, size - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        lf = memchr(buf + len, '\n', (size_t)n);
        len += (size_t)n;
    }
    if (lf)
        len = (size_t)(lf - buf);
    else if (len == size)
        return -EMSGSIZE;
    return (int)(lf && len > 0 && buf[len - 1] == '\r' ? len - 1 : len);
}

static int from_file(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc;

    if (fd < 0)
        return -errno;
    rc = read_line(fd, buf, size);
    close(fd);
    return rc;
}

static int from_env(const char *name, char *buf, size_t size)
{
    const char *value = getenv(name);
    size_t len = value ? strlen(value) : 0;

    if (!value)
        return -ENOENT;
    if (len >= size)
        return -EMSGSIZE;
    memcpy(buf, value, len);
    return (int)len;
}

int hsecret_from(const char *source, char *buf, size_t size, char *why, size_t why_size)
{
    bool file = hstr_starts(source, FROM_FILE);
    int rc = HERR_SYNTAX;

    if (hsecret_is_source(source))
        rc = file ? from_file(source + strlen(FROM_FILE), buf, size)
                  : from_env(source + strlen(FROM_ENV), buf, size);
    if (rc == 0)
        rc = -ENODATA;
    if (rc > 0) {
        explicit_bzero(buf + rc, size - (size_t)rc);
        return rc;
    }
    explicit_bzero(buf, size);
    if (rc == HERR_SYNTAX) /* what was given instead may be the password */
        snprintf(why, why_size, "neither file:PATH nor env:NAME");
    else
        snprintf(why, why_size, "%s: %s", source,
                 rc == -ENODATA           ? "no password in it"
                 : rc == -EMSGSIZE        ? "the password is too long"
                 : rc == -ENOENT && !file ? "there is no such variable"
                                          : herr_str(rc));
    return rc;
}
