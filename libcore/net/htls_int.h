/* The inside of htls, for net/htls*.c only: the table of OpenSSL's functions, and what the files
 * share. */
#ifndef HNET_NET_HTLS_INT_H
#define HNET_NET_HTLS_INT_H

#include "../base/hlib.h"
#include "../base/hlist.h"
#include "../event/hio_ops.h"
#include "htls.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* ---- OpenSSL's functions, loaded when the first context is made ------------------------------ */

/* Called as OSSL.SSL_new(...). Many names of the manual are macros over these (the _ctrl ones). */
#define HTLS_FUNCTIONS(X)                                                                          \
    X(ASN1_OCTET_STRING_free)                                                                      \
    X(ASN1_STRING_get0_data)                                                                       \
    X(ASN1_STRING_length)                                                                          \
    X(ASN1_STRING_print)                                                                           \
    X(ASN1_STRING_type)                                                                            \
    X(ASN1_TIME_print)                                                                             \
    X(ASN1_TIME_to_tm)                                                                             \
    X(BIO_clear_flags)                                                                             \
    X(BIO_ctrl)                                                                                    \
    X(BIO_free)                                                                                    \
    X(BIO_get_callback_arg)                                                                        \
    X(BIO_int_ctrl)                                                                                \
    X(BIO_meth_free)                                                                               \
    X(BIO_meth_get_create)                                                                         \
    X(BIO_meth_get_ctrl)                                                                           \
    X(BIO_meth_get_destroy)                                                                        \
    X(BIO_meth_get_read)                                                                           \
    X(BIO_meth_get_write)                                                                          \
    X(BIO_meth_new)                                                                                \
    X(BIO_meth_set_create)                                                                         \
    X(BIO_meth_set_ctrl)                                                                           \
    X(BIO_meth_set_destroy)                                                                        \
    X(BIO_meth_set_read)                                                                           \
    X(BIO_meth_set_write)                                                                          \
    X(BIO_new)                                                                                     \
    X(BIO_new_file)                                                                                \
    X(BIO_printf)                                                                                  \
    X(BIO_puts)                                                                                    \
    X(BIO_read)                                                                                    \
    X(BIO_s_mem)                                                                                   \
    X(BIO_s_socket)                                                                                \
    X(BIO_set_callback_arg)                                                                        \
    X(BIO_set_flags)                                                                               \
    X(BN_free)                                                                                     \
    X(BN_new)                                                                                      \
    X(BN_print)                                                                                    \
    X(BN_rand)                                                                                     \
    X(BN_to_ASN1_INTEGER)                                                                          \
    X(CRYPTO_free)                                                                                 \
    X(EC_curve_nid2nist)                                                                           \
    X(ERR_clear_error)                                                                             \
    X(ERR_peek_error)                                                                              \
    X(ERR_peek_last_error)                                                                         \
    X(ERR_reason_error_string)                                                                     \
    X(EVP_Digest)                                                                                  \
    X(EVP_PKEY_Q_keygen)                                                                           \
    X(EVP_PKEY_free)                                                                               \
    X(EVP_PKEY_get0_type_name)                                                                     \
    X(EVP_PKEY_get_bits)                                                                           \
    X(EVP_PKEY_get_bn_param)                                                                       \
    X(EVP_PKEY_get_group_name)                                                                     \
    X(EVP_sha256)                                                                                  \
    X(GENERAL_NAMES_free)                                                                          \
    X(OBJ_nid2ln)                                                                                  \
    X(OBJ_txt2nid)                                                                                 \
    X(OPENSSL_cleanse)                                                                             \
    X(OPENSSL_sk_num)                                                                              \
    X(OPENSSL_sk_pop_free)                                                                         \
    X(OPENSSL_sk_value)                                                                            \
    X(PEM_read_bio_PUBKEY)                                                                         \
    X(PKCS12_free)                                                                                 \
    X(PKCS12_parse)                                                                                \
    X(PKCS12_verify_mac)                                                                           \
    X(SSL_CIPHER_get_name)                                                                         \
    X(SSL_CTX_callback_ctrl)                                                                       \
    X(SSL_CTX_check_private_key)                                                                   \
    X(SSL_CTX_ctrl)                                                                                \
    X(SSL_CTX_free)                                                                                \
    X(SSL_CTX_get0_certificate)                                                                    \
    X(SSL_CTX_get_cert_store)                                                                      \
    X(SSL_CTX_load_verify_locations)                                                               \
    X(SSL_CTX_new)                                                                                 \
    X(SSL_CTX_sess_set_new_cb)                                                                     \
    X(SSL_CTX_set_alpn_protos)                                                                     \
    X(SSL_CTX_set_alpn_select_cb)                                                                  \
    X(SSL_CTX_set_cert_verify_callback)                                                            \
    X(SSL_CTX_set_cipher_list)                                                                     \
    X(SSL_CTX_set_ciphersuites)                                                                    \
    X(SSL_CTX_set_client_CA_list)                                                                  \
    X(SSL_CTX_set_default_passwd_cb)                                                               \
    X(SSL_CTX_set_default_passwd_cb_userdata)                                                      \
    X(SSL_CTX_set_default_verify_dir)                                                              \
    X(SSL_CTX_set_default_verify_paths)                                                            \
    X(SSL_CTX_set_keylog_callback)                                                                 \
    X(SSL_CTX_set_num_tickets)                                                                     \
    X(SSL_CTX_set_options)                                                                         \
    X(SSL_CTX_set_security_level)                                                                  \
    X(SSL_CTX_set_session_id_context)                                                              \
    X(SSL_CTX_set_verify)                                                                          \
    X(SSL_CTX_use_PrivateKey)                                                                      \
    X(SSL_CTX_use_PrivateKey_file)                                                                 \
    X(SSL_CTX_use_certificate)                                                                     \
    X(SSL_CTX_use_certificate_chain_file)                                                          \
    X(SSL_CTX_use_certificate_file)                                                                \
    X(SSL_SESSION_free)                                                                            \
    X(SSL_SESSION_get_protocol_version)                                                            \
    X(SSL_ctrl)                                                                                    \
    X(SSL_do_handshake)                                                                            \
    X(SSL_clear_options)                                                                           \
    X(SSL_free)                                                                                    \
    X(SSL_get0_alpn_selected)                                                                      \
    X(SSL_get0_param)                                                                              \
    X(SSL_get0_peer_certificate)                                                                   \
    X(SSL_get_current_cipher)                                                                      \
    X(SSL_get_error)                                                                               \
    X(SSL_get_ex_data)                                                                             \
    X(SSL_get_ex_data_X509_STORE_CTX_idx)                                                          \
    X(SSL_get_peer_cert_chain)                                                                     \
    X(SSL_get_servername)                                                                          \
    X(SSL_get_verify_result)                                                                       \
    X(SSL_get_version)                                                                             \
    X(SSL_group_to_name)                                                                           \
    X(SSL_has_pending)                                                                             \
    X(SSL_in_init)                                                                                 \
    X(SSL_load_client_CA_file)                                                                     \
    X(SSL_new)                                                                                     \
    X(SSL_read_ex)                                                                                 \
    X(SSL_select_next_proto)                                                                       \
    X(SSL_session_reused)                                                                          \
    X(SSL_set_SSL_CTX)                                                                             \
    X(SSL_set_accept_state)                                                                        \
    X(SSL_set_bio)                                                                                 \
    X(SSL_set_connect_state)                                                                       \
    X(SSL_set_ex_data)                                                                             \
    X(SSL_set_session)                                                                             \
    X(SSL_shutdown)                                                                                \
    X(SSL_write_ex)                                                                                \
    X(TLS_client_method)                                                                           \
    X(TLS_server_method)                                                                           \
    X(X509V3_EXT_conf_nid)                                                                         \
    X(X509V3_EXT_print)                                                                            \
    X(X509V3_set_ctx)                                                                              \
    X(X509_EXTENSION_free)                                                                         \
    X(X509_EXTENSION_get_data)                                                                     \
    X(X509_EXTENSION_get_object)                                                                   \
    X(X509_LOOKUP_file)                                                                            \
    X(X509_NAME_add_entry_by_txt)                                                                  \
    X(X509_NAME_print_ex)                                                                          \
    X(X509_PUBKEY_get0_param)                                                                      \
    X(X509_STORE_CTX_get0_cert)                                                                    \
    X(X509_STORE_CTX_get0_untrusted)                                                               \
    X(X509_STORE_CTX_get_current_cert)                                                             \
    X(X509_STORE_CTX_get_error)                                                                    \
    X(X509_STORE_CTX_get_error_depth)                                                              \
    X(X509_STORE_CTX_get_ex_data)                                                                  \
    X(X509_STORE_CTX_set_error)                                                                    \
    X(X509_STORE_add_lookup)                                                                       \
    X(X509_STORE_set_flags)                                                                        \
    X(X509_STORE_set_verify_cb)                                                                    \
    X(X509_VERIFY_PARAM_set1_host)                                                                 \
    X(X509_VERIFY_PARAM_set1_ip_asc)                                                               \
    X(X509_VERIFY_PARAM_set_hostflags)                                                             \
    X(X509_add_ext)                                                                                \
    X(X509_chain_up_ref)                                                                           \
    X(X509_check_host)                                                                             \
    X(X509_digest)                                                                                 \
    X(X509_free)                                                                                   \
    X(X509_get0_notAfter)                                                                          \
    X(X509_get0_notBefore)                                                                         \
    X(X509_get0_pubkey)                                                                            \
    X(X509_get0_signature)                                                                         \
    X(X509_get_X509_PUBKEY)                                                                        \
    X(X509_get_default_cert_dir)                                                                   \
    X(X509_get_default_cert_dir_env)                                                               \
    X(X509_get_default_cert_file_env)                                                              \
    X(X509_get_ext)                                                                                \
    X(X509_get_ext_count)                                                                          \
    X(X509_get_ext_d2i)                                                                            \
    X(X509_get_issuer_name)                                                                        \
    X(X509_get_serialNumber)                                                                       \
    X(X509_get_signature_nid)                                                                      \
    X(X509_get_subject_name)                                                                       \
    X(X509_get_version)                                                                            \
    X(X509_getm_notAfter)                                                                          \
    X(X509_getm_notBefore)                                                                         \
    X(X509_gmtime_adj)                                                                             \
    X(X509_load_crl_file)                                                                          \
    X(X509_new)                                                                                    \
    X(X509_set_issuer_name)                                                                        \
    X(X509_set_pubkey)                                                                             \
    X(X509_set_version)                                                                            \
    X(X509_sign)                                                                                   \
    X(X509_verify_cert)                                                                            \
    X(X509_verify_cert_error_string)                                                               \
    X(a2i_IPADDRESS)                                                                               \
    X(d2i_PKCS12_bio)                                                                              \
    X(d2i_PUBKEY_bio)                                                                              \
    X(i2a_ASN1_OBJECT)                                                                             \
    X(i2d_PUBKEY)                                                                                  \
    X(i2d_X509)

#define HTLS_MEMBER(name) HLIB_FUNCTION(name);

typedef struct htls_ossl_s {
    HTLS_FUNCTIONS(HTLS_MEMBER)
} htls_ossl_t;

extern htls_ossl_t htls__ossl; /* written once, by htls__load */
#define OSSL htls__ossl

int htls__load(char *error, size_t error_size);

/* ---- contexts -------------------------------------------------------------------------------- */

#define HTLS_CERTS_MAX 256    /* of one server, chosen by SNI */
#define HTLS_PINS_MAX 16      /* keys in pinned_key */
#define HTLS_SESSIONS_MAX 128 /* names with a session to resume, of one client context */
#define HTLS_ALPN_SIZE 256    /* the list as it is sent */
#define HTLS_PIN_SIZE 32      /* SHA-256 */

typedef struct htls_pins_s {
    size_t count;
    unsigned char pins[HTLS_PINS_MAX][HTLS_PIN_SIZE];
} htls_pins_t;

/* One state of the files. Never changed once connections use it: a reload makes a new one. */
typedef struct htls_set_s {
    int refs;
    htls_pins_t pins;
    size_t count;
    SSL_CTX *ctxs[]; /* the first is the one of the options, the others are chosen by SNI */
} htls_set_t;

typedef struct htls_cert_files_s {
    char *cert;
    char *key; /* NULL: in cert */
} htls_cert_files_t;

struct htls_ctx_s {
    int refs;
    pthread_mutex_t lock;   /* for set, the sessions and a reload */
    htls_options_t options; /* the strings are copies */
    htls_set_t *set;
    BIO_METHOD *bio_method;
    size_t cert_count;
    htls_cert_files_t *certs; /* for SNI */
    X509 *own_cert;           /* self-signed */
    EVP_PKEY *own_key;
    unsigned char alpn[HTLS_ALPN_SIZE];
    unsigned alpn_len;
    int keylog_fd; /* -1: none */
    hlist_t sessions;
    size_t session_count;
};

/* Where a function puts the one line about its error. */
typedef struct htls_report_s {
    char *text;
    size_t size;
    htls_part_e *part; /* NULL: nobody asks */
} htls_report_t;

/* Writes the line and returns err. */
int htls__report(const htls_report_t *report, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* If rc is an error it is of this part; returns rc. */
int htls__part(const htls_report_t *report, htls_part_e part, int rc);

/* ---- a connection ---------------------------------------------------------------------------- */

typedef struct htls_s {
    SSL *ssl;
    htls_ctx_t *ctx;
    htls_set_t *set;
    BIO *bio; /* the ssl's */
    hio_t *io;
    struct htls_s *below;     /* TLS within TLS: what this one goes through; NULL: the socket */
    char *name;               /* client: of the peer; NULL: none */
    char *alpn;               /* what was agreed on; NULL: nothing */
    char *error;              /* why it failed; NULL: it did not, or there was no memory */
    STACK_OF(X509) * refused; /* the chain that was not accepted */
    char *gathered;           /* records that wait for the last one of a write; NULL: none */
    size_t gathered_len, gathered_size;
    char *received; /* records that OpenSSL has not asked for yet; NULL: none */
    size_t received_at, received_len, received_size;
    size_t asked;         /* in this call: so much plaintext is to be read, or written */
    size_t write_pending; /* length of the record that waits for the socket; 0: none does */
    int fd;
    int io_error; /* of the socket, or of the TLS below; not -EAGAIN; 0: none */
    int read_end; /* what the next read returns, if read_ended */
    unsigned char first_len;
    char first[32]; /* that the peer sent, to tell what it speaks */
    bool server, begun, established, failed, read_ended, notified;
    bool not_pinned; /* the certificate is good, its key is another */
    bool readable;   /* ssl may hold data that no poller knows of */
    bool drained;    /* in this call: the socket holds no more */
    bool full;       /* in this call: the socket takes no more */
    bool more;       /* more records follow at once */
    bool ktls_send, ktls_receive;
} htls_t;

#define HTLS_RECORD_MAX 16384 /* plaintext: RFC 8446 section 5.1 */
#define HTLS_CLOSED_EARLY "the peer closed the connection during the TLS handshake"

extern const hio_transport_t htls__transport;

/* The tls of a connection, NULL if it is none. */
htls_t *htls__of(const hio_t *io);

/* htls.c: reading and writing, for the TLS within. */
ssize_t htls__read(htls_t *tls, void *buf, size_t size);
ssize_t htls__write(htls_t *tls, const struct iovec *iov, int n);

/* htls_bio.c: the socket as OpenSSL sees it. NULL: out of memory. */
BIO_METHOD *htls__bio_method(void);
BIO *htls__bio_new(htls_t *tls);

/* When the first bytes are not TLS: some more of them. */
void htls__receive_first(htls_t *tls);

/* After each call: an idle connection holds no buffer. */
void htls__trim(htls_t *tls);

/* ---- htls_ctx.c, htls_self_signed.c, htls_session.c ------------------------------------------ */

htls_set_t *htls__set_get(htls_ctx_t *ctx); /* one more owner of what counts now */
void htls__set_free(htls_set_t *set);
int htls__self_signed(const char *name, X509 **cert, EVP_PKEY **key, const htls_report_t *report);

/* htls_settings.c: an SSL_CTX with these files (none if files->cert is NULL). */
int htls__make(htls_ctx_t *ctx, const htls_cert_files_t *files, SSL_CTX **out,
               const htls_report_t *report);

/* htls_own.c: the own certificate: from these files, or the self-signed one. */
int htls__own(SSL_CTX *ssl_ctx, htls_ctx_t *ctx, const htls_cert_files_t *files,
              const htls_report_t *report);
/* 0, or the error, told. A file is then neither a folder nor too large to be one of ours. */
int htls__readable(const char *path, bool is_file, const htls_report_t *report);

int htls__session_new(SSL *ssl, SSL_SESSION *session); /* OpenSSL's callback */
void htls__session_use(htls_t *tls);                   /* resume, if there is one for this name */
void htls__sessions_clear(htls_ctx_t *ctx);

/* ---- htls_verify.c --------------------------------------------------------------------------- */

int htls__pins_parse(htls_pins_t *pins, const char *text, const htls_report_t *report);
int htls__trust(SSL_CTX *ssl_ctx, const htls_options_t *options, const htls_report_t *report);
int htls__verify(X509_STORE_CTX *store, void *arg); /* OpenSSL's callback, instead of its own */

/* ---- htls_error.c ---------------------------------------------------------------------------- */

/* What a call of OpenSSL that returned rc means: 0 (end of data), -EAGAIN (hio_transport_want was
 * called for a readiness that is not the usual one), or the error, whose text is kept. */
int htls__result(htls_t *tls, int rc, int usual);
int htls__fail(htls_t *tls, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *htls__reason(void); /* of OpenSSL's first error, in short */

/* ---- htls_cert.c ----------------------------------------------------------------------------- */

const char *htls__name_text(const X509_NAME *name, char *buf, size_t size);
const char *htls__cert_names(X509 *cert, char *buf, size_t size);
const char *htls__cert_key(X509 *cert, char *buf, size_t size);
const char *htls__fingerprint(const X509 *cert, char *buf, size_t size);
const char *htls__pin_text(const X509 *cert, char *buf, size_t size); /* "sha256//..." */
void htls__chain_free(STACK_OF(X509) * chain);                        /* NULL is legal */
time_t htls__time(const ASN1_TIME *time);
int htls__pin_of(EVP_PKEY *key, unsigned char *pin);
X509 *htls__peer_cert(const hio_t *io, int index); /* borrowed; NULL: there is none */

#endif
