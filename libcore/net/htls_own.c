/* Who we are to the peer: the own certificate and its key, from files or made before. */
#include "htls_int.h"

#include "../base/hstr.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHY_SIZE 256
#define SECRET_SIZE 1024
#define FILE_SIZE_MAX ((off_t)1 << 28) /* bytes of certificates, keys or revocation lists */

/* Not by opening it: who writes to a FIFO would take that for its reader, which then goes. */
static int access_of(const char *path, bool is_file)
{
    struct stat st;

    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0 || stat(path, &st) < 0)
        return -errno;
    if (is_file && S_ISDIR(st.st_mode))
        return -EISDIR;
    return is_file && S_ISREG(st.st_mode) && st.st_size > FILE_SIZE_MAX ? -EFBIG : 0;
}

int htls__readable(const char *path, bool is_file, const htls_report_t *report)
{
    int rc = access_of(path, is_file);

    return rc < 0 ? htls__report(report, rc, "%s: %s", path, herr_str(rc)) : 0;
}

typedef struct password_s {
    const htls_options_t *options;
    const char *file;
    bool wanted, given;
    char why[WHY_SIZE]; /* there is none */
} password_t;

/* OpenSSL tries a key in more than one way, and asks each time: no answer stays none. */
static int on_password(char *buf, int size, int writing, void *arg)
{
    password_t *password = arg;
    const htls_options_t *o = password->options;
    int len = -1;

    (void)writing;
    if (password->wanted && !password->given)
        return -1;
    buf[0] = '\0';
    if (o->password_cb)
        len = o->password_cb(password->file, buf, (size_t)size, o->password_arg);
    password->wanted = true;
    password->given = len >= 0;
    if (len < 0)
        hstr_copy(password->why, sizeof(password->why), buf);
    return len;
}

static int bad_file(const char *what, const char *file, const password_t *password,
                    const htls_report_t *report)
{
    unsigned long code = OSSL.ERR_peek_error();
    int reason = ERR_GET_REASON(code);

    if (password->wanted && !password->given)
        return htls__report(report, HERR_CERTIFICATE, "%s: the key has a password%s%s", file,
                            password->why[0] ? ": " : "", password->why);
    if (password->given)
        return htls__report(report, HERR_CERTIFICATE, "%s: wrong password", file);
    if (code == 0 || ERR_GET_LIB(code) == ERR_LIB_ASN1 || reason == ERR_R_ASN1_LIB ||
        reason == PEM_R_NO_START_LINE || reason == ERR_R_UNSUPPORTED)
        return htls__report(report, HERR_CERTIFICATE, "%s: no %s in it, or of another format", file,
                            what);
    return htls__report(report, HERR_CERTIFICATE, "%s: %s", file, htls__reason());
}

static int filetype(htls_format_e format)
{
    return format == HTLS_FORMAT_DER ? SSL_FILETYPE_ASN1 : SSL_FILETYPE_PEM;
}

/* A key of another kind than the certificate's is kept beside it, for a certificate to come. */
static int check_key(SSL_CTX *ssl_ctx, bool used, const char *file, password_t *password,
                     const htls_report_t *report)
{
    if (used && OSSL.SSL_CTX_check_private_key(ssl_ctx) == 1)
        return 0;
    if (used || ERR_GET_REASON(OSSL.ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
        ERR_GET_REASON(OSSL.ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH)
        return htls__report(report, HERR_CERTIFICATE, "%s: not the key of the certificate", file);
    return bad_file("key", file, password, report);
}

static int read_key(SSL_CTX *ssl_ctx, const char *file, password_t *password,
                    const htls_report_t *report)
{
    int rc = htls__readable(file, true, report);
    bool used;

    if (rc < 0)
        return rc;
    password->file = file;
    OSSL.ERR_clear_error();
    used = OSSL.SSL_CTX_use_PrivateKey_file(ssl_ctx, file,
                                            filetype(password->options->key_format)) == 1;
    return check_key(ssl_ctx, used, file, password, report);
}

/* ---- PKCS #12: a certificate, its key and its chain in one file ------------------------------ */

/* The file, and the password that opens it: none, an empty one, or the program's. */
static PKCS12 *open_pkcs12(const char *file, password_t *password, char *secret, int size)
{
    BIO *bio = OSSL.BIO_new_file(file, "rb");
    PKCS12 *p12 = bio ? OSSL.d2i_PKCS12_bio(bio, NULL) : NULL;

    OSSL.BIO_free(bio);
    secret[0] = '\0';
    if (!p12 || OSSL.PKCS12_verify_mac(p12, secret, 0) == 1 ||
        OSSL.PKCS12_verify_mac(p12, NULL, 0) == 1)
        return p12;
    if (on_password(secret, size, 0, password) < 0)
        secret[0] = '\0';
    return p12;
}

static bool use_pkcs12(SSL_CTX *ssl_ctx, PKCS12 *p12, const char *secret)
{
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    bool used = OSSL.PKCS12_parse(p12, secret, &key, &cert, &chain) == 1 &&
                OSSL.SSL_CTX_use_certificate(ssl_ctx, cert) == 1 &&
                OSSL.SSL_CTX_use_PrivateKey(ssl_ctx, key) == 1 &&
                (!chain || OSSL.SSL_CTX_ctrl(ssl_ctx, SSL_CTRL_CHAIN, 1, chain) == 1);

    OSSL.OPENSSL_sk_pop_free((OPENSSL_STACK *)chain, (OPENSSL_sk_freefunc)OSSL.X509_free);
    OSSL.X509_free(cert);
    OSSL.EVP_PKEY_free(key);
    return used;
}

static int read_pkcs12(SSL_CTX *ssl_ctx, const char *file, password_t *password,
                       const htls_report_t *report)
{
    char secret[SECRET_SIZE];
    PKCS12 *p12 = open_pkcs12(file, password, secret, sizeof(secret));
    bool used = p12 && use_pkcs12(ssl_ctx, p12, secret);

    OSSL.PKCS12_free(p12);
    OSSL.OPENSSL_cleanse(secret, sizeof(secret));
    return used ? 0 : bad_file("certificate with a key", file, password, report);
}

/* ---- files ----------------------------------------------------------------------------------- */

static int read_cert(SSL_CTX *ssl_ctx, const char *file, password_t *password,
                     const htls_report_t *report)
{
    bool der = password->options->cert_format == HTLS_FORMAT_DER;
    bool used = der ? OSSL.SSL_CTX_use_certificate_file(ssl_ctx, file, SSL_FILETYPE_ASN1) == 1
                    : OSSL.SSL_CTX_use_certificate_chain_file(ssl_ctx, file) == 1;

    return used ? 0 : bad_file("certificate", file, password, report);
}

static int use_files(SSL_CTX *ssl_ctx, const htls_options_t *options,
                     const htls_cert_files_t *files, const htls_report_t *report)
{
    password_t password = {.options = options, .file = files->cert};
    int rc = htls__readable(files->cert, true, report);

    if (rc < 0)
        return rc;
    OSSL.SSL_CTX_set_default_passwd_cb(ssl_ctx, on_password);
    OSSL.SSL_CTX_set_default_passwd_cb_userdata(ssl_ctx, &password);
    OSSL.ERR_clear_error();
    if (options->cert_format == HTLS_FORMAT_PKCS12)
        rc = read_pkcs12(ssl_ctx, files->cert, &password, report);
    else
        rc = read_cert(ssl_ctx, files->cert, &password, report);
    if (rc == 0 && options->cert_format != HTLS_FORMAT_PKCS12)
        rc = read_key(ssl_ctx, files->key ? files->key : files->cert, &password, report);
    OSSL.SSL_CTX_set_default_passwd_cb_userdata(ssl_ctx, NULL);
    return rc;
}

int htls__own(SSL_CTX *ssl_ctx, htls_ctx_t *ctx, const htls_cert_files_t *files,
              const htls_report_t *report)
{
    if (files->cert)
        return use_files(ssl_ctx, &ctx->options, files, report);
    if (!ctx->own_cert)
        return 0;
    if (OSSL.SSL_CTX_use_certificate(ssl_ctx, ctx->own_cert) != 1 ||
        OSSL.SSL_CTX_use_PrivateKey(ssl_ctx, ctx->own_key) != 1)
        return htls__report(report, HERR_CERTIFICATE, "self-signed certificate: %s",
                            htls__reason());
    return 0;
}
