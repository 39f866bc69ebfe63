/* hlisteners: the sockets that a server with workers listens on. Its master opens them once and
 * holds them; the workers of every generation share them, so that a reload or a crash loses
 * nothing: what one worker has not accepted, or read of a datagram socket, the next one does.
 *
 * For several loops (lanes) a TCP or UDP port has as many sockets (SO_REUSEPORT), among which the
 * kernel spreads connections and clients evenly; a UNIX path has one.
 *
 *     first start, reload   hlisteners_open, then hlisteners_commit or hlisteners_undo
 *     a worker              hlisteners_keep_only, copies of what hlisteners_is_for its lane,
 *                           hlisteners_keep_only(all, NULL) */
#ifndef HNET_APP_HLISTENERS_H
#define HNET_APP_HLISTENERS_H

#include "../base/hbuf.h"
#include "../net/hendpoint.h"
#include "../net/hsocket.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HLISTENERS_MAX 512        /* end points of one generation */
#define HLISTENERS_SOCKETS_MAX 64 /* of one end point */
#define HLISTENERS_NAME_SIZE 64

/* One end point that a configuration names. */
typedef struct hlisteners_want_s {
    hendpoint_t endpoint;     /* TLS listens as TCP; UDP and UNIXGRAM are bound */
    const char *where;        /* stands before a message: "hproxy.conf:12: "; NULL: nothing */
    int tag;                  /* the program's own: the item of the set has it */
    hsocket_options_t socket; /* reuse_port is decided here. Of an end point that is open already
                                 the first ones stay in force */
} hlisteners_want_t;

typedef struct hlisteners_request_s {
    const hlisteners_want_t *wanted; /* borrowed during the call */
    size_t count;
    uint64_t lanes;          /* loops of all workers together, from 1 */
    const char *port_option; /* that messages advise: "-p"; NULL: none */
} hlisteners_request_t;

/* What one generation uses: an item for each end point, in the order of the request. */
typedef struct hlisteners_item_s {
    int fds[HLISTENERS_SOCKETS_MAX]; /* hlisteners_t owns them */
    int fd_count;
    int tag; /* that of the request; 0 when handed over */
    bool datagram;
    bool handed_over;                /* by systemd, in the place of what was asked for; then */
    char name[HLISTENERS_NAME_SIZE]; /* its FileDescriptorName; "" otherwise */
    const bool *gone;                /* see hlisteners_is_gone */
} hlisteners_item_t;

/* Zeroed is none. */
typedef struct hlisteners_set_s {
    hlisteners_item_t *items;
    size_t count;
} hlisteners_set_t;

void hlisteners_set_deinit(hlisteners_set_t *set);

/* Whether a lane (from 0) serves the n-th socket of an item: each has its own, shares one, or has
 * several. A datagram socket is for one lane alone, so that a client stays with it: there may be
 * lanes without one. */
bool hlisteners_is_for(const hlisteners_item_t *item, int n, int lane, int lane_count);

/* Whether no later generation listens there. A worker that stops listening accepts those that wait
 * at such a socket (hio_accept_waiting): nobody else will, and for their clients they stand. */
bool hlisteners_is_gone(const hlisteners_item_t *item);

typedef struct hlisteners_s hlisteners_t;

/* NULL: out of memory. */
hlisteners_t *hlisteners_new(void);

/* Closes all in this process, and frees; UNIX paths are removed by the process that made them. NULL
 * is legal. */
void hlisteners_free(hlisteners_t *all);

/* Takes the sockets that systemd has opened (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES), which then
 * stand in the place of every request, and removes these from the environment. 0, or a negative
 * error and a line in errors: one is no socket that listens or is bound. Before anything forks. */
int hlisteners_take_over(hlisteners_t *all, hbytes_t *errors);

/* Opens what is asked for and is not open yet, and more sockets of a port for more lanes; names are
 * looked up, which blocks. 0 and *set, to be freed by hlisteners_set_deinit; or a negative error
 * and a line in errors ("cannot listen on 127.0.0.1:80: Permission denied; ..."), and all is as
 * before: -EADDRINUSE, -EACCES, -ENOBUFS past a maximum, -ENOMEM, HERR_RESOLVE. After 0 comes
 * hlisteners_commit or _undo, before the next. */
int hlisteners_open(hlisteners_t *all, const hlisteners_request_t *request, hlisteners_set_t *set,
                    hbytes_t *errors);

/* The last request is in force: closes what it does not name, and removes such UNIX paths;
 * those that stay get the rights that it names. */
void hlisteners_commit(hlisteners_t *all);

/* The last request is not: closes what was opened for it. */
void hlisteners_undo(hlisteners_t *all);

/* Closes, in this process, those that are not in the set (NULL: all of them). For workers: a port
 * is free once the last copy of its socket is closed. */
void hlisteners_keep_only(hlisteners_t *all, const hlisteners_set_t *set);

/* The server is stopping: closes all of them, so that nobody waits in a queue for nothing. */
void hlisteners_close(hlisteners_t *all);

#ifdef __cplusplus
}
#endif

#endif
