/* hnc: reads and writes network connections, as nc and ncat do. */
#include "hnc.h"

#include "dump.h"
#include "terminal.h"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/hstart.h"
#include "base/hstr.h"
#include "event/hsignal.h"
#include "net/hresolve.h"

#define MESSAGE_SIZE 4608              /* a path and some words; what is longer is cut */
#define PIPE_SIZE (1024 * 1024)        /* the most that anybody may ask for */
#define READ_SIZE ((size_t)256 * 1024) /* shared by the clients of -k; others have larger ones */

static void print_line(const char *prefix, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Names of hosts and files are other people's: none of them may command the terminal or begin a
 * line of its own. */
static void print_line(const char *prefix, const char *fmt, va_list ap)
{
    char text[MESSAGE_SIZE];
    char line[4 * MESSAGE_SIZE + 16]; /* an escape is \xNN */
    size_t len = hstr_copy(line, sizeof(line), prefix);

    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        return;
    len += hstr_escape(line + len, sizeof(line) - len - 1, text, strlen(text));
    line[len++] = '\n';
    if (!terminal_show(line, len))
        fwrite(line, 1, len, stderr);
}

void hnc_say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    print_line("hnc: ", fmt, ap);
    va_end(ap);
}

int hnc_usage(const char *fmt, ...)
{
    char text[MESSAGE_SIZE] = "";
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    hnc_say("%s; see hnc --help", text);
    return HNC_USAGE;
}

void hnc_note(const hnc_t *hnc, const char *fmt, ...)
{
    va_list ap;

    if (!hnc->options.verbose)
        return;
    va_start(ap, fmt);
    print_line("", fmt, ap);
    va_end(ap);
}

const char *hnc_proto(const options_t *o)
{
    return o->udp ? "udp" : "tcp";
}

int hnc_port(const options_t *o, const char *text, bool zero_ok, uint16_t *first, uint16_t *last)
{
    char why[128];
    int err = haddr_port_parse(text, hnc_proto(o), first, last, why, sizeof(why));

    if (err) {
        hnc_say("%s", why);
        return HNC_USAGE;
    }
    if (*first == 0 && !zero_ok) {
        hnc_say("port out of range: \"%s\"", text);
        return HNC_USAGE;
    }
    return 0;
}

/* The local address of a client: -s, or every address of the family that the other side has. */
static int source_address(const options_t *o, haddr_t *source)
{
    hresolve_hints_t hints = {.family = o->family, .numeric = o->numeric, .passive = true};
    uint16_t port = 0, last;
    hresolve_t found;
    int err;

    if (o->unix_path) {
        err = haddr_unix(source, o->source_addr);
        if (err)
            hnc_say("%s: %s", o->source_addr, herr_str(err));
        return err ? HNC_FAILED : 0;
    }
    if (o->source_port && hnc_port(o, o->source_port, true, &port, &last) != 0)
        return HNC_USAGE;
    if (o->source_port && port != last) {
        hnc_say("not a single port: \"%s\"", o->source_port);
        return HNC_USAGE;
    }
    if (!o->source_addr) { /* the family is known once the peer's address is */
        haddr_any(source, o->family ? o->family : AF_INET, port);
        return 0;
    }
    err = hresolve(o->source_addr, port, &hints, &found);
    if (err) {
        hnc_say("source address %s: %s", o->source_addr, hresolve_error(&found, err));
        return HNC_FAILED;
    }
    *source = found.addrs[0];
    hresolve_free(&found);
    return 0;
}

int hnc_socket_options(const options_t *o, hsocket_options_t *so, haddr_t *source)
{
    memset(so, 0, sizeof(*so));
    so->recv_buffer = (int)o->receive_buffer;
    so->send_buffer = (int)o->send_buffer;
    so->ttl = o->ttl;
    so->min_ttl = o->min_ttl;
    so->tos = o->tos;
    so->broadcast = o->broadcast;
    so->congestion = o->congestion;
    so->carries_much = true;
    if (o->listen || (!o->source_addr && !o->source_port))
        return 0;
    so->source = source;
    return source_address(o, source);
}

const char *hnc_name(const options_t *o, const struct sockaddr *addr, char *buf, size_t size)
{
    haddr_t own;

    if (o->endpoint_text && haddr_set(&own, addr, haddr_len(addr)) == 0) {
        haddr_unmap(&own); /* nc shows the address as it is */
        addr = &own.u.sa;
    }
    if (addr->sa_family != AF_UNIX && !o->numeric && !haddr_is_any(addr) &&
        getnameinfo(addr, haddr_len(addr), buf, (socklen_t)size, NULL, 0, NI_NAMEREQD) == 0)
        return buf;
    return haddr_ip(addr, buf, size);
}

size_t hnc_widen_pipe(int fd)
{
    int size = fcntl(fd, F_GETPIPE_SZ);

    if (size >= 0 && size < PIPE_SIZE && fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE) >= 0)
        size = PIPE_SIZE;
    return size > 0 ? (size_t)size : 0;
}

/* A descriptor missing from 0..2 would be taken by the first socket and then be read as stdin. */
static int open_standard_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return 1;
    }
    return 0;
}

static void on_signal(hsignal_t *sig)
{
    hnc_t *hnc = hevent_userdata(sig);

    hnc->signo = hsignal_signo(sig);
    hloop_stop(hnc->loop);
}

void hnc_watch_signals(hnc_t *hnc)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        hsignal_t *sig;

        if (signals[i] == SIGHUP && hnc->options.ssl && options_serve_many(&hnc->options))
            continue; /* asks for the certificates to be read again */
        sig = hsignal_add(hnc->loop, on_signal, signals[i]);
        if (sig)
            hevent_set_userdata(sig, hnc);
    }
}

static void on_log(hlog_level_e level, const char *text, size_t len, void *userdata)
{
    (void)level;
    (void)len;
    (void)userdata;
    hnc_say("%s", text);
}

/* The loop's warnings are for the user: connections that are turned away for want of
 * descriptors. */
static hloop_t *new_loop(hlog_t **log, char why[HSTART_WHY_SIZE])
{
    hloop_options_t options = {0};

    *log = hlog_new(HLOG_WARN, on_log, NULL);
    options.log = *log;
    options.read_size = READ_SIZE;
    return hstart_loop(&options, why, HSTART_WHY_SIZE);
}

static int run(hnc_t *hnc, const hopt_list_t *operands)
{
    options_t *o = &hnc->options;
    char why[HSTART_WHY_SIZE];
    hlog_t *log;
    int status;

    if (open_standard_fds() != 0)
        return HNC_FAILED;
    status = options_check(o, operands);
    if (status != 0)
        return status;
    signal(SIGPIPE, SIG_IGN);
    hnc->loop = new_loop(&log, why);
    if (!hnc->loop) {
        hnc_say("cannot open the event loop: %s", why);
        hlog_free(log);
        return HNC_FAILED;
    }
    status = o->listen ? listen_run(hnc) : dial_run(hnc);
    hlog_free(log);
    if (dump_close(hnc->dump) != 0 && status == 0)
        status = HNC_FAILED;
    return status;
}

int main(int argc, char **argv)
{
    hnc_t hnc = {0};
    hopt_list_t operands = {0};
    int status;

    options_init(&hnc.options);
    status = hopt_main_parse(&options_doc, argc, argv, &hnc.options, &operands);
    if (status == HOPT_RUN)
        status = run(&hnc, &operands);
    hopt_main_free(&options_doc, &hnc.options, &operands);
    if (hnc.signo != 0) {
        signal(hnc.signo, SIG_DFL);
        raise(hnc.signo);
    }
    return status;
}
