/* The inside of an hio, for the files of event/ only. */
#ifndef HNET_EVENT_HIO_INT_H
#define HNET_EVENT_HIO_INT_H

#include "hio_ops.h"
#include "hloop_int.h"

#include <netinet/in.h>

#define HIO_WRITE_LOW (256 * 1024)
#define HIO_WRITE_HIGH (1024 * 1024)
#define HIO_WRITE_MAX (16 * 1024 * 1024)
#define HIO_CONNECT_TIMEOUT_MS 10000
#define HIO_CONNECT_RETRY_MIN_MS 1
#define HIO_CONNECT_RETRY_MAX_MS 100
#define HIO_CLOSE_TIMEOUT_MS 60000
#define HIO_LINGER_MS 2000
#define HIO_LINGER_TICK_MS 50
#define HIO_LINGER_INPUT_MAX (16 * 1024 * 1024)
#define HIO_READS_PER_EVENT 4  /* callbacks of one connection in one iteration */
#define HIO_WRITES_PER_EVENT 4 /* system calls of one connection in one iteration */
#define HIO_ACCEPTS_PER_EVENT 64
#define HIO_IOV_MAX 64
#define HIO_FILES_QUEUED_MAX 1024
#define HIO_FILE_SEND_MAX (512 * 1024)    /* by the kernel, in one system call */
#define HIO_FILE_BUFFER_SIZE (128 * 1024) /* to read into, one for each loop */
#define HIO_DATAGRAM_MAX 65536
#define HIO_DATAGRAM_BATCH_MAX 64
#define HIO_DATAGRAMS_QUEUED_MAX 16384

/* hio_t.state */
typedef enum {
    HIO_STATE_OPEN,
    HIO_STATE_CONNECTING,
    HIO_STATE_HANDSHAKE,
    HIO_STATE_CLOSING,  /* sends what is queued */
    HIO_STATE_LINGER,   /* all is sent; waits until the peer has it */
    HIO_STATE_CLOSED,   /* the close callback is due */
    HIO_STATE_DETACHED, /* on no loop */
    HIO_STATE_FREE
} hio_state_e;

/* hio_t.want: besides HV_READ and HV_WRITE; the poller is asked for nothing but tells of it. */
#define HIO_WANT_HANGUP 0x08

/* hio_t.work: what hio__do_work does at the end of the iteration */
#define HIO_WORK_INTEREST 0x01 /* tell the poller what is wanted */
#define HIO_WORK_UNCORK 0x02
#define HIO_WORK_WRITTEN 0x04 /* the write callback is due */
#define HIO_WORK_DRAINED 0x08
#define HIO_WORK_RESUME 0x10 /* the filter may hold data back */
#define HIO_WORK_READ 0x20   /* no poller tells: data in the transport, a handshake to begin */
#define HIO_WORK_CONNECTED 0x40
#define HIO_WORK_CLOSE 0x80
#define HIO_WORK_DEFERRED 0x100

/* hio_t.flags */
#define HIO_FLAG_CORKED 0x0001
#define HIO_FLAG_ABOVE_HIGH 0x0002
#define HIO_FLAG_READ_ONCE 0x0004
#define HIO_FLAG_EOF 0x0008         /* the peer sends no more */
#define HIO_FLAG_SHUT_WANTED 0x0010 /* end the sending side once all is sent */
#define HIO_FLAG_SHUT_DONE 0x0020
#define HIO_FLAG_WRITE_BROKEN                                                                      \
    0x0040 /* sending failed: what has arrived is still read, then closed */
#define HIO_FLAG_LISTEN 0x0080
#define HIO_FLAG_ALWAYS 0x0100    /* cannot be polled: always ready */
#define HIO_FLAG_BATCHING 0x0200  /* datagrams written now leave together */
#define HIO_FLAG_CONNECTED 0x0400 /* a datagram socket with one peer */
#define HIO_FLAG_READING 0x0800   /* the program wants data (a gate may hold it back) */
#define HIO_FLAG_READ_GATED 0x1000
#define HIO_FLAG_WRITE_GATED 0x2000
#define HIO_FLAG_SERVER 0x4000
#define HIO_FLAG_BLOCKING 0x8000 /* a shared pipe whose flags could not be changed */

typedef enum {
    HIO_TIMEOUT_CONNECT,
    HIO_TIMEOUT_CONNECT_RETRY,
    HIO_TIMEOUT_CLOSE,
    HIO_TIMEOUT_READ,
    HIO_TIMEOUT_WRITE,
    HIO_TIMEOUT_KEEPALIVE,
    HIO_TIMEOUT_HEARTBEAT,
    HIO_TIMEOUT_ACCEPT_PAUSE,
    HIO_TIMEOUT_GATHER,
    HIO_TIMEOUT_LINGER,
    HIO_TIMEOUT_COUNT
} hio_timeout_e;

typedef struct hio_timeout_s {
    htimer_t *timer;
    int timeout_ms;
} hio_timeout_t;

typedef struct hio_gate_slot_s {
    const hio_gate_t *gate;
    void *ctx;
} hio_gate_slot_t;

_Static_assert(sizeof(((hio_source_t *)0)->control) >= CMSG_SPACE(sizeof(struct in6_pktinfo)) &&
                   offsetof(hio_source_t, control) % _Alignof(struct cmsghdr) == 0,
               "control holds a header");

/* Where a queued datagram goes, and from where. */
typedef struct hio_target_s {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    hio_source_t source;
} hio_target_t;

/* Since the lingering close began. */
typedef struct hio_linger_s {
    size_t input; /* bytes that were dropped */
    bool came;    /* some since the last tick */
    int unacknowledged;
    int idle_ms; /* without an acknowledgement */
} hio_linger_t;

typedef struct hio_gather_s {
    size_t enough; /* bytes of a read that needs no wait */
    uint64_t wait_ns;
    uint64_t read_ns; /* when it was read last, or could be */
    uint32_t pieces;  /* that followed each other closely */
} hio_gather_t;

/* What most connections never need. Made when first asked for. */
typedef struct hio_ext_s {
    hio_t *io;
    hlist_t always_link;
    const hio_filter_t *filter;
    void *filter_ctx;
    hio_gate_slot_t gates[2]; /* read, write */
    hio_event_cb eof_cb;
    hio_event_cb drained_cb;
    hio_event_cb deferred_cb;
    haccept_cb accept_cb;
    bool awaits_first_bytes; /* a listener's connections come with them */
    uint8_t accepts;         /* ... that are taken at once, and when some were taken last */
    uint64_t accepted_at;
    hconnect_cb connect_cb;
    hio_send_heartbeat_fn heartbeat_fn;
    int heartbeat_missed;
    void *context;
    void *read_buf;
    size_t read_size;
    hio_gather_t *gather; /* NULL: bytes are read as soon as they come */
    size_t write_low, write_high, write_max;
    struct sockaddr_storage *local;
    struct sockaddr_storage *peer;
    socklen_t peer_len;
    unsigned datagram_batch;
    unsigned datagrams_queued;
    bool source_known;   /* whether source_asked is right already */
    bool source_asked;   /* the kernel tells where datagrams came to */
    hio_source_t source; /* of the datagram in the read callback */
    hio_linger_t linger;
    const char *last_word; /* NULL: none */
    hio_timeout_t timeouts[HIO_TIMEOUT_COUNT];
} hio_ext_t;

/* Of a file: what of it is to be sent begins at offset. */
typedef struct hio_file_s {
    int fd;
    bool in_kernel; /* sendfile(2) can send it */
    off_t offset;
    void (*release)(void *arg);
    void *arg;
} hio_file_t;

/* A piece of the write queue; for datagrams one message, its address in front of the data. */
typedef struct hio_chunk_s {
    struct hio_chunk_s *next;
    hio_file_t *file; /* NULL: the bytes are in memory */
    void *base;       /* of a borrowed piece: what free_cb gets */
    char *data;       /* not yet sent */
    size_t len;
    size_t cap; /* of a copied piece: room to append; 0 for a borrowed one */
    hio_free_cb free_cb;
    void *free_arg;
    hio_target_t *target; /* NULL: the socket is connected */
} hio_chunk_t;

struct hio_s {
    HEVENT_FIELDS
    hlist_t link; /* loop->work, or loop->free_ios */
    const hio_transport_t *transport;
    void *transport_ctx;
    hio_ext_t *ext;
    hread_cb read_cb;
    hwrite_cb write_cb;
    hclose_cb close_cb;
    hio_chunk_t *queue_head;
    hio_chunk_t *queue_tail;
    size_t queued;       /* bytes */
    size_t queued_files; /* of them, bytes of files */
    size_t written;      /* bytes not yet told to the write callback */
    int fd;
    int error;
    hio_type_e type;
    uint16_t flags;
    uint16_t work;
    uint8_t want;   /* interest: HV_READ | HV_WRITE | HIO_WANT_HANGUP */
    uint8_t polled; /* interest that the poller knows */
    uint8_t transport_want;
    uint16_t file_n;         /* pieces in the queue that are of files */
    bool sendfile_known : 1; /* whether the kernel can send them: */
    bool sendfile : 1;
    bool first_bytes : 1; /* accepted with them, and not read yet */
    bool fresh : 1;       /* a socket of ours, non-blocking and without Nagle's delay */
    bool unshared : 1;    /* ... whose descriptor nobody else has */
    bool paused;          /* the program was reading, stopped, and may go on */
    bool has_sent;
    bool awaits_writable; /* somebody has bytes for it that are not queued here */
};

static inline bool hio__is(const hio_t *io, unsigned flags)
{
    return (io->flags & flags) != 0;
}

static inline bool hio__is_datagram(const hio_t *io)
{
    return (io->type & HIO_TYPE_SOCK_DGRAM) != 0;
}

/* Open, or on the way to its close. */
static inline bool hio__is_alive(const hio_t *io)
{
    return io->state <= HIO_STATE_LINGER;
}

static inline hio_t *hio__of_always(hlist_t *node)
{
    return HLIST_ENTRY(node, hio_ext_t, always_link)->io;
}

/* hio.c */
hio_t *hio__new(hloop_t *loop, int fd, hio_type_e type);
hio_ext_t *hio__ext(hio_t *io); /* made if needed; NULL: out of memory */
int hio__register(hloop_t *loop, hio_t *io);
void hio__unregister(hio_t *io);
void hio__want(hio_t *io, int on, int off);
void hio__on_ready(hio_t *io, int events);
void hio__do_work(hio_t *io);
void hio__loop_deinit(hloop_t *loop);

/* hio_open.c: the type of a descriptor that somebody else made, and its flags. */
void hio__set_nonblocking(int fd);
hio_type_e hio__detect_type(int fd);
bool hio__make_nonblocking(int fd, hio_type_e type);

/* hio_close.c */
void hio__finish(hio_t *io, int err); /* closed from now on; the callback comes later */
void hio__do_close(hio_t *io);
void hio__transport_failed(hio_t *io, int err);
void hio__sent_all(hio_t *io); /* the queue is empty: shut down or close if that waits for it */

/* hio_close.c: the close timeout has ended before all was sent. */
void hio__close_late(hio_t *io);

/* hio_linger.c */
bool hio__linger(hio_t *io); /* at the end of a close: whether that has to wait */
void hio__linger_ready(hio_t *io);
void hio__linger_tick(hio_t *io);

/* hio_read.c */
void hio__read_ready(hio_t *io);
void hio__resume(hio_t *io);
void hio__read_connected(hio_t *io);
void hio__eof(hio_t *io);
void hio__read_pending(hio_t *io); /* what the transport holds is read before the loop waits */

/* hio_hangup.c: the poller tells of a connection that is watched. False: it is not over. */
bool hio__hung_up(hio_t *io, int events);

/* hio_gather.c */
void hio__gather(hio_t *io, size_t n); /* after a read of n bytes */
void hio__gather_over(hio_t *io);
void hio__gather_detach(hio_t *io);

/* hio_write.c */
int hio__check_write(hio_t *io, size_t total); /* 0 or why nothing can be written */
size_t hio__may_send(hio_t *io, size_t total); /* at once, past the queue */
void hio__write_failed(hio_t *io, int err);
void hio__await_reading(hio_t *io); /* sending broke: at the latest the close timeout closes it */
void hio__want_write(hio_t *io);    /* something was queued */
/* Bytes, or -EAGAIN, or the cause of the close. flags are send(2)'s, for a plain socket only. */
ssize_t hio__write_some(hio_t *io, const struct iovec *iov, int n, int flags);
int hio__write_spans(hio_t *io, const struct iovec *iov, int n);
void hio__flush(hio_t *io);
void hio__drop_queue(hio_t *io);
void hio__do_written(hio_t *io);
void hio__do_drained(hio_t *io);
void hio__do_deferred(hio_t *io);
size_t hio__gate_allow_slow(hio_t *io, int direction, size_t want);
void hio__gate_passed_slow(hio_t *io, int direction, size_t n);

static inline bool hio__is_gated(const hio_t *io, int direction)
{
    return io->ext && io->ext->gates[direction == HV_WRITE].gate;
}

/* How many of the bytes may pass now; 0: none, until the gate opens. */
static inline size_t hio__gate_allow(hio_t *io, int direction, size_t want)
{
    return hio__is_gated(io, direction) ? hio__gate_allow_slow(io, direction, want) : want;
}

static inline void hio__gate_passed(hio_t *io, int direction, size_t n)
{
    if (hio__is_gated(io, direction))
        hio__gate_passed_slow(io, direction, n);
}

/* hio_send_from.c: advances *offset, or the file's own if it is NULL. How many, 0 at the end of the
 * file, -EAGAIN, -ENOTSUP for errors that are the file's, else the socket's. */
ssize_t hio__sendfile(int to, int from, off_t *offset, size_t max);
bool hio__is_nonblocking(int fd);

/* hio_write_file.c: the next bytes of a queue with a file in it, as hio__write_some; *tried: of how
 * many. */
ssize_t hio__send_with_files(hio_t *io, size_t max, size_t *tried);

/* hio_queue.c */
hio_chunk_t *hio__chunk_copy(const struct iovec *iov, int n, size_t skip, size_t cap_min);
void hio__queue_push(hio_t *io, hio_chunk_t *chunk);
int hio__queue_copy(hio_t *io, const struct iovec *iov, int n, size_t skip);
void hio__queue_fallen(hio_t *io); /* to its length now; it may have drained */
void hio__queue_pop(hio_t *io);    /* the first piece whole */
void hio__queue_consume(hio_t *io, size_t n);
int hio__queue_iov(const hio_t *io, struct iovec *iov, int max, size_t bytes_max);
void hio__chunk_free(hio_chunk_t *chunk);

/* Bytes that may still be queued. */
static inline size_t hio__write_room(const hio_t *io)
{
    size_t max = io->ext ? io->ext->write_max : HIO_WRITE_MAX;
    size_t memory = io->queued - io->queued_files;

    return memory < max ? max - memory : 0;
}

static inline int hio__queue_check(const hio_t *io, size_t len)
{
    return len > hio__write_room(io) ? HERR_QUEUE_FULL : 0;
}

/* hio_datagram.c */
void hio__datagram_read(hio_t *io);
int hio__datagram_write(hio_t *io, const struct iovec *iov, int n);
void hio__datagram_flush(hio_t *io);
void hio__datagram_loop_deinit(hloop_t *loop);

/* hio_source.c */
void hio__source_ask(hio_t *io); /* when reading starts */
void hio__source_take(struct msghdr *msg, hio_source_t *source);

/* hio_connect.c, hio_accept.c */
void hio__connect_ready(hio_t *io, int events);
void hio__connect_retry(hio_t *io);
void hio__handshake(hio_t *io);
void hio__do_connected(hio_t *io);
void hio__accept_ready(hio_t *io);

/* hio_timeout.c */
int hio__timeout_set(hio_t *io, hio_timeout_e which, int timeout_ms);
int hio__timeout_try(hio_t *io, hio_timeout_e which);    /* 0 or -ENOMEM */
void hio__timeout_start(hio_t *io, hio_timeout_e which); /* out of memory closes the hio */
void hio__timeout_stop(hio_t *io, hio_timeout_e which);
void hio__timeouts_stop(hio_t *io);
void hio__timeouts_start(hio_t *io);
void hio__touch_slow(hio_t *io, hio_timeout_e which);
void hio__timeout_restart(hio_t *io, hio_timeout_e which); /* no data has moved, but count anew */

/* Data moved: the matching time limits and the keep-alive start again. */
static inline void hio__touch(hio_t *io, hio_timeout_e which)
{
    if (io->ext)
        hio__touch_slow(io, which);
}

/* The kernel has taken n bytes. */
static inline void hio__sent(hio_t *io, size_t n)
{
    io->loop->stats.write_bytes += n;
    io->has_sent = true;
    hio__touch(io, HIO_TIMEOUT_WRITE);
    hio__gate_passed(io, HV_WRITE, n);
    if (io->write_cb) {
        io->written += n;
        hloop__add_work(io->loop, io, HIO_WORK_WRITTEN);
    }
}

/* hio_thread.c */
int hio__post_write(hio_t *io, const struct iovec *iov, int n);
int hio__post_close(hio_t *io);
void hio__post_dropped(hloop_t *loop, hevent_cb cb, void *userdata);

#endif
