/* The inside of the client, for the dial*.c files. */
#ifndef HNC_DIAL_INT_H
#define HNC_DIAL_INT_H

#include "event/htimer.h"
#include "exec.h"
#include "hnc.h"
#include "net/hdial.h"
#include "ports.h"
#include "proxy.h"
#include "retry.h"
#include "session.h"

typedef struct dial_s {
    hnc_t *hnc;
    session_t *session;
    exec_t *exec; /* a program beside a TLS connection */
    ports_t ports;
    size_t port_index;
    hdns_t *dns;
    haddr_t *addrs; /* of the host; NULL: a proxy looks it up, or each dial does */
    size_t addr_count;
    proxy_chain_t proxies;
    char
        target[HADDR_FORMAT_SIZE]; /* the host's address for the last proxy; "": it gets the name */
    htls_ctx_t *tls, *proxy_tls;
    hdial_t *dial; /* under way */
    hsocket_options_t socket;
    haddr_t source;
    hsocket_path_t path; /* where a UNIX datagram client receives */
    haddr_t addr;        /* the one that answered */
    retry_t retry;
    bool unproven; /* success is still to be reported, once it is known */
    htimer_t *timer;
} dial_t;

/* dial.c: from one attempt to the next. */
void dial__go_on(dial_t *d); /* the attempt on the current port, or the end if there is none */
void dial__next_port(dial_t *d);
void dial__try_again(dial_t *d,
                     const char *why); /* this port, if the options say so; or the next */
void dial__finish(dial_t *d);

/* dial_use.c: does what a connection is for, and goes on afterwards. The session that it may need
 * is made before: 0, or an exit status once a message is printed. */
int dial__make_session(dial_t *d);
void dial__use(dial_t *d, hio_t *io);

/* dial_report.c: what is said about it. */
void dial__report_failure(const dial_t *d, const haddr_t *addr, int err);
void dial__report_success(const dial_t *d);
void dial__report_bound(const dial_t *d, hio_t *io);
void dial__report_unresolved(const dial_t *d, int err, const char *why);
void dial__report_source(const dial_t *d, int err);
bool dial__is_bind_error(const dial_t *d, int err);
bool dial__is_quiet(const dial_t *d, int err); /* failures that are expected are not told */
unsigned dial__port(const dial_t *d);

#endif
