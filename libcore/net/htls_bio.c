/* The socket (or the TLS below) as OpenSSL sees it: its own socket BIO, save that reading and
 * writing never raise SIGPIPE, never block whatever the descriptor's flags are, and ask the kernel
 * nothing that is known already (a short read has emptied the socket, a short write filled it). */
#include "htls_int.h"

#include "../base/hmem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define GATHER_SIZE ((size_t)7 * (5 + 16384 + 256)) /* records; below malloc's limit for mmap */

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
    ssize_t n;

    if (tls->below)
        return htls__write(tls->below, iov, count);
    n = sendmsg(tls->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL | (tls->more ? MSG_MORE : 0));
    return n < 0 ? -errno : n;
}

/* A record that others follow at once waits for them, so that they share a system call, which
 * costs more than the copy. The last one of a write never waits: what it cannot send keeps the
 * hio's queue from being empty, and is sent before all else when the hio writes again. */
static bool gather(htls_t *tls, const char *buf, size_t len)
{
    if (!tls->more || len > GATHER_SIZE - tls->gathered_len)
        return false;
    if (!tls->gathered)
        tls->gathered = hmem_alloc(GATHER_SIZE);
    if (!tls->gathered)
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

void htls__release_gathered(htls_t *tls)
{
    if (tls->gathered_len > 0)
        return;
    hmem_free(tls->gathered);
    tls->gathered = NULL;
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

static int on_read(BIO *bio, char *buf, int size)
{
    htls_t *tls = tls_of(bio);
    ssize_t n;

    OSSL.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (OSSL.BIO_ctrl(bio, BIO_CTRL_GET_KTLS_RECV, 0, NULL) > 0)
        return OSSL.BIO_meth_get_read(OSSL.BIO_s_socket())(bio, buf, size);
    if (tls->drained)
        return try_again(bio, BIO_FLAGS_READ);
    n = receive(tls, buf, (size_t)size);
    if (n < 0)
        return failed(tls, bio, (int)n, BIO_FLAGS_READ);
    tls->drained = n < size;
    if (!tls->established)
        keep_first(tls, buf, (size_t)n);
    return (int)n;
}

static int on_write(BIO *bio, const char *buf, int len)
{
    htls_t *tls = tls_of(bio);
    ssize_t n;

    OSSL.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (OSSL.BIO_ctrl(bio, BIO_CTRL_GET_KTLS_SEND, 0, NULL) > 0)
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
