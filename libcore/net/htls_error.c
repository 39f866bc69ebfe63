/* Why a connection failed, in one line: OpenSSL's reasons in the words of somebody who wants to
 * know what to do about it. */
#include "htls_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int htls__report(const htls_report_t *report, int err, const char *fmt, ...)
{
    va_list ap;

    if (!report->text || report->size == 0)
        return err;
    va_start(ap, fmt);
    vsnprintf(report->text, report->size, fmt, ap);
    va_end(ap);
    return err;
}

int htls__part(const htls_report_t *report, htls_part_e part, int rc)
{
    if (rc < 0 && report->part)
        *report->part = part;
    return rc;
}

/* The first failure is the cause, what comes after it a consequence. */
int htls__fail(htls_t *tls, int err, const char *fmt, ...)
{
    va_list ap;

    tls->failed = true;
    if (tls->error)
        return err;
    tls->error = hmem_alloc(HTLS_ERROR_SIZE);
    if (!tls->error)
        return err;
    va_start(ap, fmt);
    vsnprintf(tls->error, HTLS_ERROR_SIZE, fmt, ap);
    va_end(ap);
    return err;
}

const char *htls__reason(void)
{
    unsigned long code = OSSL.ERR_peek_error();
    const char *reason = code ? OSSL.ERR_reason_error_string(code) : NULL;

    return reason ? reason : "no reason given";
}

/* ---- what the peer's alert says: RFC 8446 section 6.2, RFC 5246 section 7.2.2 ---------------- */

static const char *alert_text(int alert)
{
    static const struct {
        int alert;
        const char *text;
    } alerts[] = {
        {SSL_AD_UNEXPECTED_MESSAGE, "unexpected message"},
        {SSL_AD_BAD_RECORD_MAC, "bad record MAC"},
        {SSL_AD_RECORD_OVERFLOW, "record overflow"},
        {SSL_AD_HANDSHAKE_FAILURE, "handshake failure (no cipher or parameter in common?)"},
        {SSL_AD_BAD_CERTIFICATE, "bad certificate"},
        {SSL_AD_UNSUPPORTED_CERTIFICATE, "unsupported certificate"},
        {SSL_AD_CERTIFICATE_REVOKED, "certificate revoked"},
        {SSL_AD_CERTIFICATE_EXPIRED, "certificate expired"},
        {SSL_AD_CERTIFICATE_UNKNOWN, "certificate unknown"},
        {SSL_AD_ILLEGAL_PARAMETER, "illegal parameter"},
        {SSL_AD_UNKNOWN_CA, "unknown CA"},
        {SSL_AD_ACCESS_DENIED, "access denied"},
        {SSL_AD_DECODE_ERROR, "decode error"},
        {SSL_AD_DECRYPT_ERROR, "decrypt error"},
        {SSL_AD_PROTOCOL_VERSION, "protocol version (none in common)"},
        {SSL_AD_INSUFFICIENT_SECURITY, "insufficient security"},
        {SSL_AD_INTERNAL_ERROR, "internal error"},
        {SSL_AD_USER_CANCELLED, "user cancelled"},
        {SSL_AD_NO_RENEGOTIATION, "no renegotiation"},
        {SSL_AD_UNSUPPORTED_EXTENSION, "unsupported extension"},
        {SSL_AD_UNRECOGNIZED_NAME, "unrecognized name"},
        {SSL_AD_CERTIFICATE_REQUIRED, "certificate required"},
        {SSL_AD_NO_APPLICATION_PROTOCOL, "no application protocol in common"},
    };

    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
        if (alerts[i].alert == alert)
            return alerts[i].text;
    }
    return "unknown alert";
}

/* ---- OpenSSL's reasons ----------------------------------------------------------------------- */

static int no_tls(htls_t *tls)
{
    char said[4 * sizeof(tls->first) + 1];
    size_t len = 0;

    htls__receive_first(tls);
    while (len < tls->first_len && tls->first[len] != '\r' && tls->first[len] != '\n')
        len++;
    hstr_escape(said, sizeof(said), tls->first, len);
    return htls__fail(tls, HERR_TLS, "the peer does not speak TLS: it sent \"%s\"%s", said,
                      len == sizeof(tls->first) ? "..." : "");
}

/* Whether the first byte is the type of a record: RFC 8446 section 5.1. */
static bool spoke_tls(const htls_t *tls)
{
    return tls->first_len == 0 || (tls->first[0] >= 20 && tls->first[0] <= 24);
}

static int handshake_reason(htls_t *tls, int reason)
{
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
        return htls__fail(tls, HERR_TLS, "no protocol version in common");
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_UNKNOWN_CIPHER_RETURNED:
    case SSL_R_WRONG_CIPHER_RETURNED:
        return htls__fail(tls, HERR_TLS, "no cipher in common");
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SHARED_GROUPS:
        return htls__fail(tls, HERR_TLS, "no key exchange group in common");
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
        return htls__fail(tls, HERR_TLS, "no signature algorithm in common");
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return htls__fail(tls, HERR_TLS, "no application protocol (ALPN) in common");
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return htls__fail(tls, HERR_CERTIFICATE, "the peer has sent no certificate");
    case SSL_R_CERTIFICATE_VERIFY_FAILED: /* htls__verify has told why */
        return htls__fail(tls, tls->not_pinned ? HERR_PIN : HERR_CERTIFICATE,
                          "the peer's certificate was not accepted");
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_CA_KEY_TOO_SMALL:
    case SSL_R_DH_KEY_TOO_SMALL:
        return htls__fail(tls, HERR_CERTIFICATE, "the peer's key is too weak");
    default:
        return htls__fail(tls, HERR_TLS, "the TLS handshake failed: %s", htls__reason());
    }
}

static int protocol_error(htls_t *tls)
{
    unsigned long code = OSSL.ERR_peek_error();
    int reason = ERR_GET_REASON(code);

    if (code == 0)
        return htls__fail(tls, HERR_TLS, "the TLS connection failed");
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
        return htls__fail(tls, HERR_TLS, "the peer's alert: %s (%d)",
                          alert_text(reason - SSL_AD_REASON_OFFSET), reason - SSL_AD_REASON_OFFSET);
    if (ERR_GET_LIB(code) != ERR_LIB_SSL && reason == ERR_R_MALLOC_FAILURE)
        return htls__fail(tls, -ENOMEM, "out of memory");
    if (!spoke_tls(tls))
        return no_tls(tls);
    if (!tls->established)
        return handshake_reason(tls, reason);
    if (reason == SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)
        return htls__fail(tls, HERR_TLS, "a TLS record was damaged on the way (bad record MAC)");
    return htls__fail(tls, HERR_TLS, "a TLS record is not one: %s", htls__reason());
}

/* The sending side is not touched by this: there are peers that end theirs in no other way. */
static int truncated(htls_t *tls)
{
    htls__fail(tls, HERR_TRUNCATED,
               "the peer ended the connection without the end of TLS (close_notify): data may be "
               "missing");
    tls->failed = false;
    return HERR_TRUNCATED;
}

static int socket_error(htls_t *tls)
{
    bool handshake = !tls->established;

    if (tls->below && tls->below->error)
        return htls__fail(tls, tls->io_error ? tls->io_error : HERR_TRUNCATED, "%s",
                          tls->below->error);
    if (tls->io_error == 0)
        return handshake ? htls__fail(tls, HERR_TRUNCATED, HTLS_CLOSED_EARLY) : truncated(tls);
    return htls__fail(tls, tls->io_error, "%s%s", herr_str(tls->io_error),
                      handshake ? " during the TLS handshake" : "");
}

static int wait_for(hio_t *io, int events, int usual)
{
    if (events != usual)
        hio_transport_want(io, events);
    return -EAGAIN;
}

int htls__result(htls_t *tls, int rc, int usual)
{
    switch (OSSL.SSL_get_error(tls->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(tls->io, HV_READ, usual);
    case SSL_ERROR_WANT_WRITE:
        return wait_for(tls->io, HV_WRITE, usual);
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        if (usual == HV_WRITE) /* the peer's alert, not yet read, may tell more */
            return tls->io_error ? tls->io_error : -EPIPE;
        return socket_error(tls);
    default:
        return protocol_error(tls);
    }
}

const char *htls_error(const hio_t *io, char *buf, size_t size)
{
    const htls_t *tls = htls__of(io);

    hstr_copy(buf, size, "");
    if (!tls)
        return buf;
    if (tls->error)
        hstr_copy(buf, size, tls->error);
    else if (tls->begun && !tls->established && hio_error(io) == -ETIMEDOUT)
        hstr_copy(buf, size, "the TLS handshake was not finished in time");
    else if (tls->failed)
        hstr_copy(buf, size, herr_str(hio_error(io)));
    return buf;
}
