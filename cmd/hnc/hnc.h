/* hnc: what its files share. A run is: options -> dial (client) or listen (server) -> for every
 * connection a session (stdin and stdout), an exec, or nothing (-z). */
#ifndef HNC_HNC_H
#define HNC_HNC_H

#include "net/haddr.h"
#include "net/hsocket.h"
#include "options.h"

#include "event/hio.h"

typedef struct dump_s dump_t;
typedef struct hline_s hline_t;

typedef struct hnc_s {
    options_t options;
    hloop_t *loop;
    dump_t *dump;  /* NULL: none */
    hline_t *line; /* where the user types; NULL: stdin or stdout is no terminal */
    int status;    /* the exit status so far */
    int signo;     /* the signal that ended the run, 0: none */
} hnc_t;

/* The exit status of a run that went wrong. A mistake on the command line, which no second try
 * mends, is told from all that may go better next time. A function that says so below returns 0, or
 * one of them once a message is printed. */
typedef enum { HNC_FAILED = 1, HNC_USAGE = 2 } hnc_status_e;

/* One line on stderr: "hnc: ...", with control characters escaped. */
void hnc_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same about the command line, with where to look. Returns HNC_USAGE. */
int hnc_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* hnc_say without the name in front, and only with -v. */
void hnc_note(const hnc_t *hnc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "tcp" or "udp". */
const char *hnc_proto(const options_t *o);

/* What -I, -O, -s and -p ask for; source is where *so keeps the address that it points at. 0, or an
 * exit status once a message is printed. */
int hnc_socket_options(const options_t *o, hsocket_options_t *so, haddr_t *source);

/* One port from text, 0 only if zero_ok; 0, or HNC_USAGE once a message is printed. */
int hnc_port(const options_t *o, const char *text, bool zero_ok, uint16_t *first, uint16_t *last);

/* Lets a pipe hold more: fewer turns between the two programs at its ends. Bytes that it then
 * holds; 0: this is no pipe. */
size_t hnc_widen_pipe(int fd);

/* SIGINT, SIGTERM and SIGHUP stop the loop: for a run that has to remove the path of a socket. The
 * process still ends by the signal, once everything is cleaned up. */
void hnc_watch_signals(hnc_t *hnc);

/* The name of an address for people: resolved backwards unless -n; UNIX: the path. Returns buf. */
#define HNC_NAME_SIZE 1025
const char *hnc_name(const options_t *o, const struct sockaddr *addr, char *buf, size_t size);

/* dial.c and listen.c: all of the run. Both free the loop and return the exit status. */
int dial_run(hnc_t *hnc);
int listen_run(hnc_t *hnc);

#endif
