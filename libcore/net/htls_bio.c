/* The socket (or the TLS below) as OpenSSL sees it: its own socket BIO, save that reading and
 * writing never raise SIGPIPE, never block whatever the descriptor's flags are, and ask the kernel
 * nothing that is known already (a short read has emptied the socket, a short write filled it). */
#include "htls_int.h"

#include "../base/hmem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define RECORDS_MAX 32                               /* share a system call */
#define RECORD_SIZE ((size_t)5 + 16384 + 256)        /* at most: RFC 8446 section 5.2 */
#define FULL_RECORD_LEN ((size_t)5 + 16384 + 1 + 16) /* of TLS 1.3 with AES-GCM */

static htls_t *tls_of(const BIO *bio)
{
    return (htls_t *)OSSL.BIO_get_callback_arg(bio);
}

static int try_again(BIO *bio, int flags)
{
    OSSL.BIO_set_flags(bio, flags | BIO_FLAGS_SHOULD_RETRY);
    return -1;
}

static int failed(htls_t *tls, BIO *bio, int err, int retry)
{
    if (err == -EINTR || err == -EAGAIN)
        return try_again(bio, retry);
    tls->io_error = err;
    return -1;
}

static ssize_t receive(const htls_t *tls, char *buf, size_t size)
{
    ssize_t n;

    if (tls->below)
        return htls__read(tls->below, buf, size);
    n = recv(tls->fd, buf, size, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

static ssize_t transmit(const htls_t *tls, const struct iovec *iov, int count)
{
    const struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (tls->more ? MSG_MORE : 0);
    ssize_t n;

    if (tls->below)
        return htls__write(tls->below, iov, count);
    n = count == 1 ? send(tls->fd, iov->iov_base, iov->iov_len, flags) /* the cheaper call */
                   : sendmsg(tls->fd, &msg, flags);
    return n < 0 ? -errno : n;
}

static size_t records_of(size_t len)
{
    size_t records = len > 0 ? (len - 1) / HTLS_RECORD_MAX + 1 : 1;

    return records < RECORDS_MAX ? records : RECORDS_MAX;
}

/* Room for the records of this write. */
static bool make_room(htls_t *tls)
{
    size_t size = records_of(tls->asked) * RECORD_SIZE;

    if (tls->gathered_len > 0 || tls->gathered_size >= size)
        return true;
    hmem_free(tls->gathered);
    tls->gathered = hmem_alloc(size);
    tls->gathered_size = tls->gathered ? size : 0;
    return tls->gathered != NULL;
}

/* A record that others follow at once waits for them, so that they share a system call, and wake
 * the peer once: that costs more than the copy. The last one of a write never waits: what it cannot
 * send keeps the hio's queue from being empty, and is sent before all else when the hio writes
 * again. */
static bool gather(htls_t *tls, const char *buf, size_t len)
{
    if (!tls->more || !make_room(tls) || len > tls->gathered_size - tls->gathered_len)
        return false;
    memcpy(tls->gathered + tls->gathered_len, buf, len);
    tls->gathered_len += len;
    return true;
}

/* What was gathered, and then buf. How many bytes of buf were sent, or negative. */
static ssize_t send_gathered(htls_t *tls, const char *buf, size_t len)
{
    const struct iovec iov[] = {{tls->gathered, tls->gathered_len}, {(char *)buf, len}};
    size_t gathered = tls->gathered_len, rest = 0;
    ssize_t n = gathered > 0 ? transmit(tls, iov, 2) : transmit(tls, iov + 1, 1);

    if (n < 0)
        return n;
    tls->full = (size_t)n < gathered + len;
    if ((size_t)n < gathered) {
        rest = gathered - (size_t)n;
        memmove(tls->gathered, tls->gathered + n, rest);
    }
    tls->gathered_len = rest;
    return (size_t)n > gathered ? n - (ssize_t)gathered : -EAGAIN;
}

/* What the socket did not take is kept without the room behind it. */
static void trim_gathered(htls_t *tls)
{
    char *rest = NULL;

    if (tls->gathered_len == 0)
        hmem_free(tls->gathered);
    else
        rest = hmem_realloc(tls->gathered, tls->gathered_len);
    if (!rest && tls->gathered_len > 0)
        return;
    tls->gathered = rest;
    tls->gathered_size = tls->gathered_len;
}

void htls__trim(htls_t *tls)
{
    if (tls->gathered_size > tls->gathered_len)
        trim_gathered(tls);
    if (tls->received_len == 0) {
        hmem_free(tls->received);
        tls->received = NULL;
    }
}

/* The beginning of what the peer says: if it is not TLS, people want to see it. */
static void keep_first(htls_t *tls, const char *buf, size_t len)
{
    size_t room = sizeof(tls->first) - tls->first_len;

    if (len > room)
        len = room;
    memcpy(tls->first + tls->first_len, buf, len);
    tls->first_len = (unsigned char)(tls->first_len + len);
}

void htls__receive_first(htls_t *tls)
{
    char buf[sizeof(tls->first)];
    ssize_t n = receive(tls, buf, sizeof(buf) - tls->first_len);

    if (n > 0)
        keep_first(tls, buf, (size_t)n);
}

/* As many records as the reader has room for: if they are full ones, none is cut in two. */
static ssize_t receive_ahead(htls_t *tls)
{
    size_t size = records_of(tls->asked) * FULL_RECORD_LEN;
    ssize_t n;

    if (!tls->received) {
        tls->received = hmem_alloc(size);
        tls->received_size = size;
    }
    if (!tls->received)
        return -ENOMEM;
    if (size > tls->received_size)
        size = tls->received_size;
    n = receive(tls, tls->received, size);
    if (n <= 0)
        return n;
    tls->drained = (size_t)n < size;
    tls->received_at = 0;
    tls->received_len = (size_t)n;
    return n;
}

/* OpenSSL asks for the head of a record, and then for the rest. (It can read ahead by itself, but
 * moves all that is left to the front of its buffer for each record.) */
static ssize_t take_received(htls_t *tls, char *buf, size_t size)
{
    ssize_t n = tls->received_len > 0 ? 0 : receive_ahead(tls);

    if (tls->received_len == 0)
        return n;
    if (size > tls->received_len)
        size = tls->received_len;
    memcpy(buf, tls->received + tls->received_at, size);
    tls->received_at += size;
    tls->received_len -= size;
    return (ssize_t)size;
}

/* Not a byte more than is asked for: after a handshake the kernel may take over. */
static ssize_t receive_handshake(htls_t *tls, char *buf, size_t size)
{
    ssize_t n = receive(tls, buf, size);

    if (n < 0)
        return n;
    tls->drained = (size_t)n < size;
    keep_first(tls, buf, (size_t)n);
    return n;
}

/* Whether the kernel has the keys: settled with the handshake, asked for until then. */
static bool kernel_receives(const htls_t *tls, BIO *bio)
{
    return tls->established ? tls->ktls_receive
                            : OSSL.BIO_ctrl(bio, BIO_CTRL_GET_KTLS_RECV, 0, NULL) > 0;
}

static bool kernel_sends(const htls_t *tls, BIO *bio)
{
    return tls->established ? tls->ktls_send
                            : OSSL.BIO_ctrl(bio, BIO_CTRL_GET_KTLS_SEND, 0, NULL) > 0;
}

static int on_read(BIO *bio, char *buf, int size)
{
    htls_t *tls = tls_of(bio);
    ssize_t n;

    OSSL.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (kernel_receives(tls, bio))
        return OSSL.BIO_meth_get_read(OSSL.BIO_s_socket())(bio, buf, size);
    if (tls->drained && tls->received_len == 0)
        return try_again(bio, BIO_FLAGS_READ);
    n = tls->established ? take_received(tls, buf, (size_t)size)
                         : receive_handshake(tls, buf, (size_t)size);
    return n < 0 ? failed(tls, bio, (int)n, BIO_FLAGS_READ) : (int)n;
}

static int on_write(BIO *bio, const char *buf, int len)
{
    htls_t *tls = tls_of(bio);
    ssize_t n;

    OSSL.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (kernel_sends(tls, bio))
        return OSSL.BIO_meth_get_write(OSSL.BIO_s_socket())(bio, buf, len);
    if (tls->full)
        return try_again(bio, BIO_FLAGS_WRITE);
    if (gather(tls, buf, (size_t)len))
        return len;
    n = send_gathered(tls, buf, (size_t)len);
    return n < 0 ? failed(tls, bio, (int)n, BIO_FLAGS_WRITE) : (int)n;
}

BIO_METHOD *htls__bio_method(void)
{
    const BIO_METHOD *socket = OSSL.BIO_s_socket();
    BIO_METHOD *method = OSSL.BIO_meth_new(BIO_TYPE_SOCKET, "hnet socket");

    if (!method)
        return NULL;
    OSSL.BIO_meth_set_create(method, OSSL.BIO_meth_get_create(socket));
    OSSL.BIO_meth_set_destroy(method, OSSL.BIO_meth_get_destroy(socket));
    OSSL.BIO_meth_set_ctrl(method, OSSL.BIO_meth_get_ctrl(socket)); /* kTLS is set up in it */
    OSSL.BIO_meth_set_read(method, on_read);
    OSSL.BIO_meth_set_write(method, on_write);
    return method;
}

BIO *htls__bio_new(htls_t *tls)
{
    BIO *bio = OSSL.BIO_new(tls->ctx->bio_method);

    if (!bio)
        return NULL;
    OSSL.BIO_int_ctrl(bio, BIO_C_SET_FD, BIO_NOCLOSE, tls->fd);
    OSSL.BIO_set_callback_arg(bio, (char *)tls);
    return bio;
}
