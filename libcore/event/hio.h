/* hio: a descriptor on the loop: TCP, UDP and UNIX sockets, pipes, terminals and plain files, one
 * way to read, write and close for all of them.
 *
 * States:  (connecting ->) open -> closing (what is sent arrives) -> closed -> freed.
 * Exactly one close callback ends every hio, never from inside hio_close; hio_error then tells the
 * cause (0: end of file or closed by the program). The pointer stays readable until that callback
 * returns. After it the memory is reused for another hio but never unmapped before the loop is
 * freed: a stale pointer is a bug that reads a wrong connection; hold a hio_handle_t if in doubt.
 *
 * All calls belong to the loop's thread, except where "any thread" is said. */
#ifndef HNET_EVENT_HIO_H
#define HNET_EVENT_HIO_H

#include "../base/hbuf.h"
#include "hloop.h"

#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hio_s hio_t;

#define HV_READ 0x0001
#define HV_WRITE 0x0004
#define HV_RDWR (HV_READ | HV_WRITE)

typedef enum {
    HIO_TYPE_UNKNOWN = 0,
    HIO_TYPE_STDIN = 0x00000001,
    HIO_TYPE_STDOUT = 0x00000002,
    HIO_TYPE_STDERR = 0x00000004,
    HIO_TYPE_STDIO = 0x0000000F, /* a terminal */
    HIO_TYPE_FILE = 0x00000010,  /* never blocks for long, cannot be polled */
    HIO_TYPE_PIPE = 0x00000020,
    HIO_TYPE_NOTIFY = 0x00000040, /* eventfd, pidfd and such: reported readable, never read */
    HIO_TYPE_UDP = 0x00001000,
    HIO_TYPE_UNIX_DGRAM = 0x00002000,
    HIO_TYPE_SOCK_DGRAM = 0x0000F000,
    HIO_TYPE_TCP = 0x00100000,
    HIO_TYPE_UNIX_STREAM = 0x00200000,
    HIO_TYPE_SOCK_STREAM = 0x00F00000,
    HIO_TYPE_SOCKET = 0x00FFF000
} hio_type_e;

typedef enum { HIO_SERVER_SIDE = 0, HIO_CLIENT_SIDE = 1 } hio_side_e;

typedef void (*haccept_cb)(hio_t *io);
typedef void (*hconnect_cb)(hio_t *io);
/* buf holds len bytes during the callback only; the byte behind them may be written. len is 0 only
 * for an empty datagram. */
typedef void (*hread_cb)(hio_t *io, void *buf, int len);
/* len bytes were handed to the kernel since the last call; buf is NULL. */
typedef void (*hwrite_cb)(hio_t *io, const void *buf, int len);
typedef void (*hclose_cb)(hio_t *io);
typedef void (*hio_event_cb)(hio_t *io);
typedef void (*hio_free_cb)(void *buf, void *arg);

/* ---- making and asking ----------------------------------------------------------------------- */

/* The hio of this descriptor on this loop, made if there is none. The hio owns the descriptor and
 * closes it. Sockets are used without changing their file flags; a pipe or terminal that others
 * share is reopened so that their flags stay as they are. NULL: out of memory or bad descriptor. */
hio_t *hio_get(hloop_t *loop, int fd);

int hio_fd(const hio_t *io);
hio_type_e hio_type(const hio_t *io);
bool hio_is_opened(const hio_t *io);
bool hio_is_closed(const hio_t *io);

/* Why it was closed: 0 or a negative HERR_* / -errno. */
int hio_error(const hio_t *io);

/* The addresses, looked up at the first call and kept. For a datagram socket hio_peeraddr in
 * a read callback is the sender. family is AF_UNSPEC where there is none; never NULL unless
 * out of memory. */
struct sockaddr *hio_localaddr(hio_t *io);
struct sockaddr *hio_peeraddr(hio_t *io);
socklen_t hio_peeraddr_len(hio_t *io);

/* Where to connect or to send datagrams to. 0, -EINVAL (longer than sockaddr_storage), -ENOMEM. */
int hio_set_peeraddr(hio_t *io, const struct sockaddr *addr, int len);

void *hio_context(hio_t *io); /* a second user pointer, for the layer below the program's */
int hio_set_context(hio_t *io, void *context);

/* ---- callbacks ------------------------------------------------------------------------------- */

void hio_setcb_accept(hio_t *io, haccept_cb cb);
void hio_setcb_connect(hio_t *io, hconnect_cb cb);
void hio_setcb_read(hio_t *io, hread_cb cb);
hread_cb hio_getcb_read(const hio_t *io);
void hio_setcb_write(hio_t *io, hwrite_cb cb);
void hio_setcb_close(hio_t *io, hclose_cb cb);

/* Half-close: with an EOF callback the peer's end of data is told by it, reading stops and
 * the sending side stays open until hio_close. Without one the hio closes after sending
 * what is queued. */
int hio_setcb_eof(hio_t *io, hio_event_cb cb);

/* Runs when a queue that was above the high watermark has fallen to the low one. */
int hio_setcb_drained(hio_t *io, hio_event_cb cb);

/* ---- reading --------------------------------------------------------------------------------- */

/* Starts (again) to call the read callback. 0 or HERR_CLOSED. */
int hio_read(hio_t *io);

/* Pauses. Bytes wait in the kernel, and the peer in the end; what it had sent before it went is
 * still there when reading goes on, for at most the close timeout. 0 or HERR_CLOSED. */
int hio_read_stop(hio_t *io);
#define hio_read_start(io) hio_read(io)

/* As hio_read, and stops again after one callback. */
int hio_read_once(hio_t *io);

/* Reads into this buffer instead of the loop's; len bytes may be filled, so keep one spare if the
 * program writes behind the data. The buffer is the caller's and lives as long as the hio. */
int hio_set_readbuf(hio_t *io, void *buf, size_t len);

/* For a fast writer of small pieces, at the other end of a pipe above all: while reads that bring
 * 4 KiB at least follow each other within wait_us, one that brings less than `enough` bytes is
 * followed by a wait of that time. Fewer, larger reads; nobody waits longer. 0 or -ENOMEM. */
int hio_set_read_gather(hio_t *io, size_t enough, uint32_t wait_us);

/* libhv's way to say which: hio_add starts, hio_del stops HV_READ and/or HV_WRITE. */
int hio_add(hio_t *io, hevent_cb cb, int events);
int hio_del(hio_t *io, int events);

/* Makes a datagram socket give up to count (1..64) datagrams a system call; default 16. */
int hio_set_datagram_batch(hio_t *io, unsigned count);

/* ---- writing --------------------------------------------------------------------------------- */

/* Sends at once what the kernel takes and queues a copy of the rest. Returns len, or a negative
 * error: HERR_CLOSED, HERR_QUEUE_FULL or -EMSGSIZE, and then nothing was sent or queued and the hio
 * is as before; or what broke the connection (-ENOMEM too, if a part had been sent), and then the
 * close callback follows. Any thread: from a foreign one it is a post (the hio must be alive at the
 * call) and returns len or -ENOMEM. */
int hio_write(hio_t *io, const void *buf, size_t len);

/* The same for n spans in one system call. */
int hio_writev(hio_t *io, const hbuf_t *bufs, int n);

/* Without copying: buf belongs to the hio until free_cb(buf, arg) runs, exactly once also on errors
 * (possibly before this call returns), unless this call itself fails. free_cb may be NULL for
 * static data. The loop's thread only. */
int hio_write_nocopy(hio_t *io, const void *buf, size_t len, hio_free_cb free_cb, void *arg);

/* len bytes of a plain file from offset on, in their turn with what else is written: sent by the
 * kernel to a plain stream socket that is non-blocking, else read (64 KiB at a time or more, into
 * a buffer of the loop's) and written. They count as queued for the watermarks, not for the hard
 * limit; at most 1,024 such pieces wait. fd stays open, and the hio's to read from, until
 * release(arg) runs (may be NULL), exactly once also on errors (possibly before this call
 * returns), unless this call itself fails. The file's own position is neither used nor moved. A
 * file that has become shorter closes the hio with HERR_TRUNCATED, one that cannot be read with
 * what reading it says, once all before it was sent. SIGPIPE has to be ignored. 0; -EINVAL (a
 * negative number); -ENOTSUP (datagrams); HERR_CLOSED, HERR_QUEUE_FULL, -ENOMEM. The loop's thread
 * only. */
int hio_write_file(hio_t *io, int fd, int64_t offset, int64_t len, void (*release)(void *arg),
                   void *arg);

/* A datagram to an address; hio_write sends to the peer address (in a read callback: the sender,
 * and from the address that it has asked where the socket is bound to every one).
 * Datagrams written inside a read callback leave together (sendmmsg). One that cannot be sent fails
 * alone: a direct send tells its error, a queued one is dropped as the network drops them. At most
 * 16,384 are queued, however small: HERR_QUEUE_FULL then, as for too many bytes. */
int hio_sendto(hio_t *io, const void *buf, size_t len, const struct sockaddr *addr,
               socklen_t addrlen);

/* The address of ours that a datagram came to, where the socket is bound to every one; len 0: the
 * kernel chooses. Its bytes may be compared. */
typedef struct hio_source_s {
    size_t len;
    char control[40]; /* as sendmsg takes it */
} hio_source_t;

/* That of the datagram in the read callback, for an answer that leaves later. */
void hio_source(const hio_t *io, hio_source_t *source);

/* As hio_sendto, from that address; when it can answer no more, from one that the kernel chooses.
 * source may be NULL. */
int hio_answer(hio_t *io, const void *buf, size_t len, const struct sockaddr *addr,
               socklen_t addrlen, const hio_source_t *source);

/* Between cork and uncork writes are only queued; uncork sends them with one system call. A corked
 * hio is uncorked by itself at the end of the iteration. */
void hio_cork(hio_t *io);
void hio_uncork(hio_t *io);

/* Bytes queued and not yet taken by the kernel, those of files among them. */
size_t hio_write_bufsize(const hio_t *io);
#define hio_write_is_complete(io) (hio_write_bufsize(io) == 0)

/* Queue limits in bytes: the drained callback runs at low after the queue was above high; a write
 * that would pass max (bytes of files left out) is refused. Defaults 256 KiB, 1 MiB, 16 MiB. 0,
 * -EINVAL (not low <= high <= max), -ENOMEM. hio_write_above_high tells that a writer should
 * pause. */
int hio_set_watermarks(hio_t *io, size_t low, size_t high, size_t max);
int hio_set_max_write_bufsize(hio_t *io, uint32_t size);
bool hio_write_above_high(const hio_t *io);

/* Ends the sending side once all is sent; reading goes on. Twice is legal. 0 or HERR_CLOSED. */
int hio_shutdown(hio_t *io);

/* ---- closing --------------------------------------------------------------------------------- */

/* Sends what is queued (for at most the close timeout), then closes; one that is still connecting
 * is given up at once. Idempotent, never calls back from inside. Any thread (a post). 0.
 *
 * A TCP connection that has sent something, and has input unread or output that the peer has not
 * acknowledged, lingers, for a reset would destroy what is under way (RFC 1122, 4.2.2.13): it ends
 * its sending side and drops what comes, until the peer ends as well, or has acknowledged all and
 * sent nothing for 50 ms; for 2 s without an acknowledgement and 60 s (the close timeout) at most.
 * The close callback comes after that. hio_abort closes at once; it is also the way to give up what
 * another process goes on to use (a descriptor that was passed or inherited), which a close that
 * lingers would shut down. */
int hio_close(hio_t *io);
#define hio_close_async(io) hio_close(io)

/* A word for a peer that does not read: when the close timeout ends before all is sent, the rest of
 * the queue is dropped, and the word follows what the kernel has, whose buffer is made larger for
 * it; it may come in the middle of a message. For plain stream sockets whose send buffer was set,
 * to less than half of what the system lets one set (net.core.wmem_max): one that the kernel has
 * made large by itself takes nothing more. word is borrowed until the close callback; NULL: none.
 * 0, HERR_CLOSED, -ENOMEM. */
int hio_set_last_word(hio_t *io, const char *word);

/* Closes without sending what is queued and without lingering; err (0 or negative) is the cause
 * that hio_error tells. hio_reset also makes a TCP peer see a reset. */
int hio_abort(hio_t *io, int err);
int hio_reset(hio_t *io);

/* ---- connecting and accepting ---------------------------------------------------------------- */

/* Starts to connect to the peer address; the connect callback, or the close callback with the
 * cause, follows later. Writes before that are queued. A UNIX listener whose backlog is full is
 * tried again until the connect timeout. 0 or a negative error, and then the hio is as before. */
int hio_connect(hio_t *io);

/* Accepts connections of a listening socket: each new hio goes to the accept callback. Descriptor
 * shortage sheds connections and never spins. Where the socket waits for a connection's first bytes
 * (TCP_DEFER_ACCEPT, set before), these are read without asking the poller. 0 or a negative
 * error. */
int hio_accept(hio_t *io);

/* Accepts, now, those that wait already, at most HIO_ACCEPT_WAITING_MAX. Before a listener is
 * closed: for their peers these connections stand, and would be reset. */
void hio_accept_waiting(hio_t *io);
#define HIO_ACCEPT_WAITING_MAX 4096

/* ---- time limits, ms; 0: none ---------------------------------------------------------------- */

void hio_set_connect_timeout(hio_t *io, int timeout_ms); /* default 10,000 */
void hio_set_close_timeout(hio_t *io, int timeout_ms);   /* to send the rest; default 60,000 */
void hio_set_read_timeout(hio_t *io, int timeout_ms);    /* nothing read while reading */
void hio_set_write_timeout(hio_t *io, int timeout_ms); /* nothing sent while something is queued */
void hio_set_keepalive_timeout(hio_t *io, int timeout_ms); /* neither read nor written */

typedef void (*hio_send_heartbeat_fn)(hio_t *io);
/* Calls fn every interval_ms; when nothing was read for three intervals the hio closes with
 * HERR_HEARTBEAT. interval_ms 0 ends it. */
void hio_set_heartbeat(hio_t *io, int interval_ms, hio_send_heartbeat_fn fn);

/* ---- moving between loops and threads -------------------------------------------------------- */

/* Takes an open hio off its loop: no callback until hio_attach puts it on a loop, in that loop's
 * thread. What is queued, time limits, callbacks and user data move along. A detached hio that is
 * closed is freed at once, without a callback. hio_detach: 0, HERR_CLOSED, -EBUSY from one of the
 * hio's own callbacks (but the accept callback is its listener's). hio_attach: 0, or -ENOMEM and it
 * is still detached. */
int hio_detach(hio_t *io);
int hio_attach(hloop_t *loop, hio_t *io);

/* A name for a connection that any thread may keep: it never comes to mean another one. */
typedef struct hio_handle_s {
    hloop_t *loop;
    uint64_t id;
} hio_handle_t;

hio_handle_t hio_handle(const hio_t *io);

/* The hio of a handle, NULL when it is gone. The loop's thread only. */
hio_t *hio_from_handle(hio_handle_t handle);

/* Any thread: done (may be NULL) runs in the loop with 0, or HERR_STALE when the connection was
 * gone and the message dropped (counted in posts_dropped). 0 or -ENOMEM. */
typedef void (*hio_done_cb)(hloop_t *loop, int err, void *arg);
int hio_handle_write(hio_handle_t handle, const void *buf, size_t len, hio_done_cb done, void *arg);
int hio_handle_close(hio_handle_t handle, hio_done_cb done, void *arg);

/* ---- libhv's shorthands ---------------------------------------------------------------------- */

hio_t *hread(hloop_t *loop, int fd, void *buf, size_t len, hread_cb cb);
hio_t *hwrite(hloop_t *loop, int fd, const void *buf, size_t len, hwrite_cb cb);
hio_t *hclose(hloop_t *loop, int fd, hclose_cb cb);
hio_t *haccept(hloop_t *loop, int listenfd, haccept_cb cb);
hio_t *hconnect(hloop_t *loop, int connfd, hconnect_cb cb);

/* A pipe as two hio: [0] reads, [1] writes. 0 or a negative error. */
int hio_create_pipe(hloop_t *loop, hio_t *pipeio[2]);

#ifdef __cplusplus
}
#endif

#endif
