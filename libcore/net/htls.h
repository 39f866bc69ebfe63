/* htls: TLS 1.2 and 1.3 (OpenSSL 3, loaded at the first htls_ctx_new) as the transport of an hio:
 * everything that works on a plain connection works on this one. Renegotiation and compression are
 * off; clients verify the certificate and the host name unless told not to.
 *
 * A context (htls_ctx_t) holds trust, certificates and settings; it is made once and shared by many
 * connections, loops and threads. htls_client and htls_server put an hio on it.
 *
 * The end: hio_shutdown and hio_close send close_notify. A peer that ends without one may have been
 * cut off: to reading that is an end of data like any other (so a peer that only half-closes its
 * socket, as ncat does, gets its reply), but hio_error is HERR_TRUNCATED from the EOF callback on,
 * and at the close. */
#ifndef HNET_NET_HTLS_H
#define HNET_NET_HTLS_H

#include "../event/hio.h"

#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HTLS_ERROR_SIZE 512
#define HTLS_HANDSHAKE_TIMEOUT_MS 10000

typedef struct htls_ctx_s htls_ctx_t;

typedef enum {
    HTLS_VERSION_DEFAULT = 0, /* min: 1.2, max: 1.3 */
    HTLS_VERSION_1_2 = 0x0303,
    HTLS_VERSION_1_3 = 0x0304
} htls_version_e;

typedef enum {
    HTLS_CLIENT_CERT_NONE = 0, /* not asked for */
    HTLS_CLIENT_CERT_OPTIONAL, /* asked for; one that is sent must be good */
    HTLS_CLIENT_CERT_REQUIRED
} htls_client_cert_e;

/* What a file holds. */
typedef enum {
    HTLS_FORMAT_PEM = 0,
    HTLS_FORMAT_DER,
    HTLS_FORMAT_PKCS12 /* a certificate, its key and its chain in one file */
} htls_format_e;

/* Asks for the password of a key file: writes it with its NUL and returns its length; or writes why
 * there is none ("": nothing is known), one line, and returns -1. */
typedef int (*htls_password_cb)(const char *file, char *buf, size_t size, void *arg);

/* What of the options cannot be used. */
typedef enum {
    HTLS_PART_OTHER = 0,
    HTLS_PART_CIPHERS,
    HTLS_PART_CERTIFICATE, /* the own one, or its key */
    HTLS_PART_TRUST,       /* ca_file, ca_dir */
    HTLS_PART_CRL,
    HTLS_PART_PIN
} htls_part_e;

/* All zero is a client with the system's trust. Strings are copied. */
typedef struct htls_options_s {
    bool server;

    /* Trust. */
    bool insecure;          /* client: any certificate, any name */
    bool verify_anyway;     /* with that: verified all the same, for htls_verify_result */
    const char *ca_file;    /* PEM, instead of the system's store */
    const char *ca_dir;     /* hashed directory, likewise */
    const char *crl_file;   /* PEM; certificates are checked against it */
    const char *pinned_key; /* "sha256//BASE64[;sha256//...]" or a PEM/DER public key file: the
                               peer's key must be one of them, also with insecure */
    htls_client_cert_e client_cert; /* server */

    /* The own certificate. */
    const char *cert_file; /* a chain, of DER one; a server needs one, or self_signed */
    const char *key_file;  /* NULL: in cert_file */
    htls_format_e cert_format, key_format;
    htls_password_cb password_cb; /* at a reload too; NULL: a key with a password is an error */
    void *password_arg;
    bool self_signed; /* server: made now, ECDSA P-256, kept in memory, for localhost, the loopback
                         addresses, the host name and self_signed_name */
    const char *self_signed_name; /* NULL: none more */

    /* Protocol. */
    htls_version_e version_min, version_max;
    const char *ciphers;     /* OpenSSL's list, TLS 1.2; a TLS 1.3 suite in it counts there */
    const char *groups;      /* "X25519:P-256" */
    const char *alpn;        /* "h2,http/1.1", the best first; NULL: none */
    const char *keylog_file; /* secrets for Wireshark are appended here */
    bool alpn_required;      /* server: no common protocol ends the handshake */
    bool no_tickets;         /* server: no session tickets; client: no resumption */
    bool no_ktls;

    htls_part_e *failed; /* written when htls_ctx_new fails; NULL: nobody asks */
} htls_options_t;

/* A context. 0 and *ctx, to be given back with htls_ctx_free; or an error, and then error (of
 * error_size bytes) is one line that names the file or setting and the reason: HERR_UNSUPPORTED (no
 * OpenSSL), HERR_SYNTAX (a bad list or pin), HERR_CERTIFICATE (unusable certificate or key), -errno
 * of a file, -ENOMEM. */
int htls_ctx_new(const htls_options_t *options, htls_ctx_t **ctx, char *error, size_t error_size);

/* One more owner; returns ctx. Any thread. */
htls_ctx_t *htls_ctx_ref(htls_ctx_t *ctx);

/* One owner less; connections keep what they need. NULL is legal. Any thread. */
void htls_ctx_free(htls_ctx_t *ctx);

/* Server: one more certificate, used for the names that it is made for (SNI, wildcards too); the
 * one of the options answers every other name. Before connections are made. Errors as above, and
 * -EINVAL past 256 of them or for a client. */
int htls_ctx_add_cert(htls_ctx_t *ctx, const char *cert_file, const char *key_file, char *error,
                      size_t error_size);

/* Reads all files again: new connections use what they hold now, those that stand are not touched.
 * On an error everything stays as it was. Any thread. */
int htls_ctx_reload(htls_ctx_t *ctx, char *error, size_t error_size);

/* "SHA256:AB:CD..." of the own (first) certificate; "" if there is none. Returns buf. */
const char *htls_ctx_fingerprint(const htls_ctx_t *ctx, char *buf, size_t size);

/* "sha256//..." of its key, as pinned_key takes it; "" if there is none. Returns buf. */
const char *htls_ctx_pin(const htls_ctx_t *ctx, char *buf, size_t size);

/* Makes io a TLS client; before hio_connect, or on a connected hio before reading (STARTTLS, behind
 * a proxy): the handshake then starts from the loop, and the connect callback follows it. name is
 * sent as SNI (unless it is an address) and must be in the certificate; NULL: no SNI, and only the
 * chain is verified. A session of the same context and name is resumed. The hio's connect timeout
 * covers the handshake. Where the hio speaks TLS already, the new one goes through it. 0, -EINVAL
 * (no stream socket, a server's context, a name that is too long), HERR_CLOSED or -ENOMEM. */
int htls_client(hio_t *io, htls_ctx_t *ctx, const char *name);

/* Makes an accepted hio a TLS server; before hio_read. The handshake starts from the loop; the
 * connect callback, if there is one, follows it; reading and writing wait for it. It may take
 * HTLS_HANDSHAKE_TIMEOUT_MS, or what hio_set_connect_timeout said before. Errors as above. */
int htls_server(hio_t *io, htls_ctx_t *ctx);

bool htls_is_tls(const hio_t *io);

/* One line about why the handshake or the connection failed, "" if it did not: "certificate has
 * expired on 2024-01-01 (CN=example.com)", "the peer does not speak TLS", "no protocol version in
 * common". Until the close callback has returned. Returns buf. */
const char *htls_error(const hio_t *io, char *buf, size_t size);

typedef struct htls_info_s {
    const char *version; /* "TLSv1.3" */
    const char *cipher;
    const char *group;       /* of the key exchange; "" if unknown */
    const char *alpn;        /* "" : none */
    const char *server_name; /* SNI; "": none */
    bool resumed;
    bool verified;
    bool ktls_send, ktls_receive;
} htls_info_t;

/* What was agreed on; strings live as long as the connection. 0, HERR_CLOSED (no TLS, or the
 * handshake is not done). */
int htls_info(const hio_t *io, htls_info_t *info);

/* What verifying the peer's certificate came to, as OpenSSL's X509_V_OK (0), X509_V_ERR_... say it;
 * 0 also where it was not verified, or there is no TLS. */
long htls_verify_result(const hio_t *io);

typedef struct htls_cert_s {
    char subject[256], issuer[256]; /* "CN=example.com, O=Example" */
    char names[512];                /* subject alternative names, ", " between */
    char key[48];                   /* "RSA 2048", "EC P-256" */
    char signature[48];             /* "ecdsa-with-SHA256" */
    char fingerprint[104];          /* "SHA256:AB:CD..." of the certificate */
    char pin[64];                   /* "sha256//..." of the key, as pinned_key takes it */
    time_t not_before, not_after;
} htls_cert_t;

#define HTLS_CHAIN_MAX 16

/* Certificate index (0: the peer's own) of the chain that the peer sent, at most HTLS_CHAIN_MAX. 0,
 * or -ENOENT behind the last. Also after a handshake that failed on it. */
int htls_peer_cert(const hio_t *io, int index, htls_cert_t *cert);

/* The same one in PEM (RFC 7468), appended. 0, -ENOENT; -ENOMEM, -ENOBUFS: a part may be there. */
int htls_peer_cert_pem(const hio_t *io, int index, hbytes_t *pem);

/* All that it says, a "Name:value" a line (what an extension says may take more of them): names,
 * version, serial number, algorithms, extensions, dates, the numbers of its key, signature. Ends in
 * a newline; a control character is a dot. Errors as above, and then nothing was appended. */
int htls_peer_cert_text(const hio_t *io, int index, hbytes_t *text);

#ifdef __cplusplus
}
#endif

#endif
