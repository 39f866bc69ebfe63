/* A connection: OpenSSL between an hio and its socket.
 *
 * States:  handshake -> established -> failed. After a failure OpenSSL is not called again.
 * Invariant: each call of the hio begins with an empty error queue of OpenSSL, so what is there
 * after a failure is its cause. A TLS below leaves the queue alone: it runs within such a call. */
#include "htls_int.h"

#include "../base/hmem.h"

#include <string.h>

static int keep_alpn(htls_t *tls)
{
    const unsigned char *name;
    unsigned len;

    OSSL.SSL_get0_alpn_selected(tls->ssl, &name, &len);
    if (len == 0)
        return !tls->ctx->options.alpn_required
                   ? 0
                   : htls__fail(tls, HERR_TLS, "the peer asks for no application protocol (ALPN)");
    tls->alpn = hmem_strndup((const char *)name, len);
    return tls->alpn ? 0 : -ENOMEM;
}

static int handshake(hio_t *io, void *ctx)
{
    htls_t *tls = ctx;
    int rc;

    (void)io;
    tls->begun = true;
    tls->drained = tls->full = false;
    OSSL.ERR_clear_error();
    rc = OSSL.SSL_do_handshake(tls->ssl);
    if (rc != 1) {
        rc = htls__result(tls, rc, 0);
        return rc == 0 ? htls__fail(tls, HERR_TRUNCATED, HTLS_CLOSED_EARLY) : rc;
    }
    rc = keep_alpn(tls);
    if (rc < 0)
        return rc;
    tls->established = true;
    tls->readable = OSSL.SSL_has_pending(tls->ssl) == 1;
    tls->ktls_send = OSSL.BIO_ctrl(tls->bio, BIO_CTRL_GET_KTLS_SEND, 0, NULL) > 0;
    tls->ktls_receive = OSSL.BIO_ctrl(tls->bio, BIO_CTRL_GET_KTLS_RECV, 0, NULL) > 0;
    return 0;
}

/* The socket has been emptied, and so has all that was read of it: asking OpenSSL once more, only
 * to be told so, costs a twentieth of a small request. */
static bool is_emptied(htls_t *tls)
{
    if (!tls->drained || tls->received_len > 0 || OSSL.SSL_has_pending(tls->ssl) == 1)
        return false;
    tls->readable = false;
    return true;
}

static ssize_t read_records(htls_t *tls, void *buf, size_t size)
{
    size_t total = 0, n;
    int rc;

    tls->drained = tls->full = false;
    tls->readable = true;
    while (total < size) {
        tls->asked = size - total;
        rc = OSSL.SSL_read_ex(tls->ssl, (char *)buf + total, size - total, &n);
        if (rc == 1) {
            total += n;
            if (is_emptied(tls))
                return (ssize_t)total;
            continue;
        }
        rc = htls__result(tls, rc, HV_READ);
        tls->read_ended = rc != -EAGAIN;
        tls->read_end = rc;
        tls->readable = tls->read_ended; /* the end is told after the data */
        return total > 0 ? (ssize_t)total : rc;
    }
    return (ssize_t)total;
}

/* As many records as there are, or fit: they share one system call and one read callback. */
ssize_t htls__read(htls_t *tls, void *buf, size_t size)
{
    ssize_t rc;

    if (tls->read_ended)
        return tls->read_end;
    rc = read_records(tls, buf, size);
    htls__trim(tls);
    return rc;
}

static bool pending(hio_t *io, void *ctx)
{
    const htls_t *tls = ctx;

    return tls->readable || (tls->below && pending(io, tls->below));
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A place in spans of which left bytes are still to be sent. */
typedef struct cursor_s {
    const struct iovec *iov;
    size_t offset; /* in the first of them */
    size_t left;
} cursor_t;

static void advance(cursor_t *at, size_t n)
{
    if (n > at->left)
        n = at->left;
    at->left -= n;
    while (n > 0) {
        size_t rest = at->iov->iov_len - at->offset;

        if (n < rest) {
            at->offset += n;
            return;
        }
        n -= rest;
        at->iov++;
        at->offset = 0;
    }
}

/* The plaintext of the next record: where it lies, if it lies in one piece, else gathered. */
static const char *next_record(const cursor_t *at, char *scratch, size_t len)
{
    const struct iovec *iov = at->iov;
    size_t offset = at->offset, n = 0;

    if (iov->iov_len - offset >= len)
        return (const char *)iov->iov_base + offset;
    while (n < len) {
        size_t part = iov->iov_len - offset;

        if (part > len - n)
            part = len - n;
        memcpy(scratch + n, (const char *)iov->iov_base + offset, part);
        n += part;
        iov++;
        offset = 0;
    }
    return scratch;
}

/* The kernel makes the records. */
static ssize_t write_plain(htls_t *tls, const struct iovec *iov, int n)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
    ssize_t rc = sendmsg(tls->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (rc >= 0)
        return rc;
    return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* What SSL_write gets: a record that was begun is finished with the length that it had then, even
 * if more is there now or less may pass (a rate limit). Its bytes are in OpenSSL already, which
 * does not look at data again, and in the hio's queue still. */
static const char *record_to_write(const htls_t *tls, const cursor_t *at, char *scratch,
                                   size_t *len)
{
    *len = at->left < HTLS_RECORD_MAX ? at->left : HTLS_RECORD_MAX;
    if (tls->write_pending > 0)
        *len = tls->write_pending;
    return *len > at->left ? scratch : next_record(at, scratch, *len);
}

static ssize_t write_records(htls_t *tls, const struct iovec *iov, int n)
{
    char scratch[HTLS_RECORD_MAX];
    cursor_t at = {iov, 0, 0};
    size_t total = 0, done;

    for (int i = 0; i < n; i++)
        at.left += iov[i].iov_len;
    tls->asked = at.left;
    tls->drained = tls->full = false;
    while (at.left > 0) {
        size_t len;
        const char *data = record_to_write(tls, &at, scratch, &len);
        int rc;

        tls->more = at.left > len;
        rc = OSSL.SSL_write_ex(tls->ssl, data, len, &done);
        tls->more = false;
        if (rc != 1) {
            rc = htls__result(tls, rc, HV_WRITE);
            /* In a handshake message (a new key) no record was begun yet. */
            if (rc != -EAGAIN)
                tls->write_pending = 0;
            else if (!OSSL.SSL_in_init(tls->ssl))
                tls->write_pending = len;
            if (rc == 0)
                rc = -EPIPE;
            return total > 0 ? (ssize_t)total : rc;
        }
        tls->write_pending = 0;
        total += done;
        advance(&at, done);
    }
    return (ssize_t)total;
}

ssize_t htls__write(htls_t *tls, const struct iovec *iov, int n)
{
    ssize_t rc;

    if (tls->ktls_send)
        return write_plain(tls, iov, n);
    rc = write_records(tls, iov, n);
    htls__trim(tls);
    return rc;
}

/* ---- the end --------------------------------------------------------------------------------- */

static int send_close_notify(hio_t *io, void *ctx)
{
    htls_t *tls = ctx;

    if (tls->established && !tls->failed && !tls->notified) {
        int rc;

        tls->drained = tls->full = false;
        OSSL.ERR_clear_error();
        rc = OSSL.SSL_shutdown(tls->ssl);
        if (rc < 0 && htls__result(tls, rc, HV_WRITE) == -EAGAIN)
            return -EAGAIN;
        tls->notified = true; /* for good or ill: it ends */
    }
    return tls->below ? send_close_notify(io, tls->below) : 0;
}

static void free_tls(htls_t *tls)
{
    OSSL.SSL_free(tls->ssl);
    if (tls->below)
        free_tls(tls->below);
    htls__chain_free(tls->refused);
    htls__set_free(tls->set);
    htls_ctx_free(tls->ctx);
    hmem_free(tls->gathered);
    hmem_free(tls->received);
    hmem_free(tls->name);
    hmem_free(tls->alpn);
    hmem_free(tls->error);
    hmem_free(tls);
}

/* Clearing goes through the whole queue, and it is nearly always empty. */
static void clear_errors(void)
{
    if (OSSL.ERR_peek_error() != 0)
        OSSL.ERR_clear_error();
}

static ssize_t on_read(hio_t *io, void *ctx, void *buf, size_t size)
{
    (void)io;
    clear_errors();
    return htls__read(ctx, buf, size);
}

static ssize_t on_write(hio_t *io, void *ctx, const struct iovec *iov, int n)
{
    (void)io;
    clear_errors();
    return htls__write(ctx, iov, n);
}

static void on_free(hio_t *io, void *ctx)
{
    (void)io;
    free_tls(ctx);
}

const hio_transport_t htls__transport = {
    .name = "tls",
    .handshake = handshake,
    .read = on_read,
    .write = on_write,
    .pending = pending,
    .shutdown = send_close_notify,
    .free = on_free,
};

/* ---- making one ------------------------------------------------------------------------------ */

static htls_t *new_tls(hio_t *io, htls_ctx_t *ctx)
{
    htls_t *tls = hmem_zalloc(sizeof(*tls));

    if (!tls)
        return NULL;
    tls->ctx = htls_ctx_ref(ctx);
    tls->set = htls__set_get(ctx);
    tls->io = io;
    tls->fd = hio_fd(io);
    tls->ssl = OSSL.SSL_new(tls->set->ctxs[0]);
    tls->bio = tls->ssl ? htls__bio_new(tls) : NULL;
    if (!tls->bio || OSSL.SSL_set_ex_data(tls->ssl, 0, tls) != 1) {
        OSSL.BIO_free(tls->bio);
        free_tls(tls);
        return NULL;
    }
    OSSL.SSL_set_bio(tls->ssl, tls->bio, tls->bio);
    return tls;
}

/* The name as certificates and SNI have it: no zone of an address, no dot at the end. */
static char *clean_name(const char *name)
{
    char *copy = hmem_strdup(name);
    size_t len = copy ? strlen(copy) : 0;

    if (len > 1 && copy[len - 1] == '.')
        copy[len - 1] = '\0';
    if (copy && strchr(copy, ':') && strchr(copy, '%'))
        *strchr(copy, '%') = '\0';
    return copy;
}

static int set_name(htls_t *tls, const char *name)
{
    X509_VERIFY_PARAM *param = OSSL.SSL_get0_param(tls->ssl);

    if (!name || !*name)
        return 0;
    tls->name = clean_name(name);
    if (!tls->name)
        return -ENOMEM;
    if (OSSL.X509_VERIFY_PARAM_set1_ip_asc(param, tls->name) == 1)
        return 0;
    OSSL.X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (OSSL.X509_VERIFY_PARAM_set1_host(param, tls->name, 0) != 1 ||
        OSSL.SSL_ctrl(tls->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                      tls->name) != 1)
        return -EINVAL; /* longer than a name can be */
    return 0;
}

htls_t *htls__of(const hio_t *io)
{
    return hio_transport(io) == &htls__transport ? hio_transport_ctx(io) : NULL;
}

/* Through the TLS that is there already: a proxy speaks it, and the server behind it does. */
static int install(hio_t *io, htls_t *tls)
{
    htls_t *below = htls__of(io);
    int rc;

    if (below)
        OSSL.SSL_clear_options(tls->ssl, SSL_OP_ENABLE_KTLS); /* the socket's is the one below */
    rc = below ? hio_wrap_transport(io, &htls__transport, tls)
               : hio_set_transport(io, &htls__transport, tls);
    if (rc < 0)
        free_tls(tls);
    else
        tls->below = below;
    return rc;
}

int htls_client(hio_t *io, htls_ctx_t *ctx, const char *name)
{
    htls_t *tls;
    int rc;

    if (!(hio_type(io) & HIO_TYPE_SOCK_STREAM) || ctx->options.server)
        return -EINVAL;
    tls = new_tls(io, ctx);
    if (!tls)
        return -ENOMEM;
    rc = set_name(tls, name);
    if (rc < 0) {
        free_tls(tls);
        return rc;
    }
    htls__session_use(tls);
    OSSL.SSL_set_connect_state(tls->ssl);
    return install(io, tls);
}

int htls_server(hio_t *io, htls_ctx_t *ctx)
{
    htls_t *tls;

    if (!(hio_type(io) & HIO_TYPE_SOCK_STREAM) || !ctx->options.server)
        return -EINVAL;
    tls = new_tls(io, ctx);
    if (!tls)
        return -ENOMEM;
    tls->server = true;
    OSSL.SSL_set_accept_state(tls->ssl);
    return install(io, tls);
}

/* ---- asking ---------------------------------------------------------------------------------- */

bool htls_is_tls(const hio_t *io)
{
    return htls__of(io) != NULL;
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

long htls_verify_result(const hio_t *io)
{
    const htls_t *tls = htls__of(io);

    return tls ? OSSL.SSL_get_verify_result(tls->ssl) : 0;
}

int htls_info(const hio_t *io, htls_info_t *info)
{
    htls_t *tls = htls__of(io);
    const char *group = NULL;
    long nid;

    memset(info, 0, sizeof(*info));
    if (!tls || !tls->established)
        return HERR_CLOSED;
    nid = OSSL.SSL_ctrl(tls->ssl, SSL_CTRL_GET_NEGOTIATED_GROUP, 0, NULL);
    if (nid > 0)
        group = OSSL.SSL_group_to_name(tls->ssl, (int)nid);
    info->version = OSSL.SSL_get_version(tls->ssl);
    info->cipher = OSSL.SSL_CIPHER_get_name(OSSL.SSL_get_current_cipher(tls->ssl));
    info->group = text_or_empty(group);
    info->alpn = text_or_empty(tls->alpn);
    info->server_name = text_or_empty(OSSL.SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name));
    info->resumed = OSSL.SSL_session_reused(tls->ssl) == 1;
    info->verified = tls->server ? OSSL.SSL_get0_peer_certificate(tls->ssl) != NULL
                                 : !tls->ctx->options.insecure;
    info->ktls_send = tls->ktls_send;
    info->ktls_receive = tls->ktls_receive;
    return 0;
}
