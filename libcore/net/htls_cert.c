/* What a certificate says, as text. Everything in it comes from the peer: it is escaped. */
#include "htls_int.h"

#include "../base/hbase64.h"
#include "../base/hstr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NAME_FLAGS                                                                                 \
    ((ASN1_STRFLGS_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_DN_REV |     \
     XN_FLAG_FN_SN)
#define RAW_MAX 1024 /* of a name; the rest is cut off */
#define PEM_LINE_BYTES 48

const char *htls__name_text(const X509_NAME *name, char *buf, size_t size)
{
    BIO *bio = OSSL.BIO_new(OSSL.BIO_s_mem());
    char raw[RAW_MAX];
    int len = 0;

    if (bio && name && OSSL.X509_NAME_print_ex(bio, name, 0, NAME_FLAGS) >= 0)
        len = OSSL.BIO_read(bio, raw, sizeof(raw));
    hstr_escape(buf, size, raw, len > 0 ? (size_t)len : 0);
    OSSL.BIO_free(bio);
    return buf;
}

/* One name of the list as text; its length, 0 for a kind that nobody connects to. */
static size_t alt_name(const GENERAL_NAME *name, char *buf, size_t size)
{
    const ASN1_STRING *text = name->type == GEN_IPADD ? name->d.iPAddress : name->d.dNSName;
    const unsigned char *data;
    size_t len;

    if (name->type != GEN_DNS && name->type != GEN_IPADD)
        return 0;
    data = OSSL.ASN1_STRING_get0_data(text);
    len = (size_t)OSSL.ASN1_STRING_length(text);
    if (name->type == GEN_DNS)
        return hstr_escape(buf, size, data, len);
    if ((len != 4 && len != 16) ||
        !inet_ntop(len == 4 ? AF_INET : AF_INET6, data, buf, (socklen_t)size))
        return 0;
    return strlen(buf);
}

const char *htls__cert_names(X509 *cert, char *buf, size_t size)
{
    GENERAL_NAMES *names = OSSL.X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int count = names ? OSSL.OPENSSL_sk_num((const OPENSSL_STACK *)names) : 0;
    size_t used = 0;

    hstr_copy(buf, size, "");
    for (int i = 0; i < count; i++) {
        char one[300];
        size_t len =
            alt_name(OSSL.OPENSSL_sk_value((const OPENSSL_STACK *)names, i), one, sizeof(one));

        if (len == 0)
            continue;
        if (used + len + sizeof(", ...") + 1 >= size) {
            hstr_copy(buf + used, size - used, used ? ", ..." : "...");
            break;
        }
        used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "", one);
    }
    OSSL.GENERAL_NAMES_free(names);
    return buf;
}

/* "P-256" where NIST has a name for it. */
static const char *curve_name(const char *name)
{
    const char *nist = OSSL.EC_curve_nid2nist(OSSL.OBJ_txt2nid(name));

    return nist ? nist : name;
}

const char *htls__cert_key(X509 *cert, char *buf, size_t size)
{
    EVP_PKEY *key = OSSL.X509_get0_pubkey(cert);
    const char *type = key ? OSSL.EVP_PKEY_get0_type_name(key) : NULL;
    char group[40];
    size_t len;

    if (!type)
        hstr_copy(buf, size, "unknown");
    else if (strcmp(type, "EC") == 0 &&
             OSSL.EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1)
        snprintf(buf, size, "EC %s", curve_name(group));
    else if (strncmp(type, "ED", 2) == 0)
        hstr_copy(buf, size, type);
    else
        snprintf(buf, size, "%s %d", type, OSSL.EVP_PKEY_get_bits(key));
    return buf;
}

const char *htls__fingerprint(const X509 *cert, char *buf, size_t size)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    size_t used = hstr_copy(buf, size, "SHA256:");

    if (OSSL.X509_digest(cert, OSSL.EVP_sha256(), digest, &len) != 1)
        len = 0;
    for (unsigned i = 0; i < len && used + 4 <= size; i++)
        used += (size_t)snprintf(buf + used, size - used, "%s%02X", i ? ":" : "", digest[i]);
    return buf;
}

time_t htls__time(const ASN1_TIME *time)
{
    struct tm tm = {0};

    return time && OSSL.ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

int htls__pin_of(EVP_PKEY *key, unsigned char *pin)
{
    unsigned char *der = NULL;
    int len = key ? OSSL.i2d_PUBKEY(key, &der) : -1;
    int rc;

    if (len <= 0)
        return HERR_CERTIFICATE;
    rc = OSSL.EVP_Digest(der, (size_t)len, pin, NULL, OSSL.EVP_sha256(), NULL);
    OSSL.CRYPTO_free(der, __FILE__, __LINE__);
    return rc == 1 ? 0 : -ENOMEM;
}

void htls__chain_free(STACK_OF(X509) * chain)
{
    OSSL.OPENSSL_sk_pop_free((OPENSSL_STACK *)chain, (OPENSSL_sk_freefunc)OSSL.X509_free);
}

/* ---- the peer's chain ------------------------------------------------------------------------ */

/* Certificate index, borrowed. What a server's peer sent does not count its own certificate. */
const char *htls__pin_text(const X509 *cert, char *buf, size_t size)
{
    unsigned char pin[HTLS_PIN_SIZE];
    char base64[HBASE64_ENCODED_SIZE(HTLS_PIN_SIZE)];

    hstr_copy(buf, size, "");
    if (htls__pin_of(OSSL.X509_get0_pubkey(cert), pin) == 0) {
        hbase64_encode(HBASE64_STANDARD, pin, sizeof(pin), base64, sizeof(base64));
        snprintf(buf, size, "sha256//%s", base64);
    }
    return buf;
}

static X509 *chain_cert(const htls_t *tls, int index)
{
    STACK_OF(X509) *chain = tls->refused;

    if (!chain && index == 0)
        return OSSL.SSL_get0_peer_certificate(tls->ssl);
    if (!chain) {
        chain = OSSL.SSL_get_peer_cert_chain(tls->ssl);
        index -= tls->server ? 1 : 0;
    }
    if (index >= OSSL.OPENSSL_sk_num((const OPENSSL_STACK *)chain))
        return NULL;
    return OSSL.OPENSSL_sk_value((const OPENSSL_STACK *)chain, index);
}

static void describe(X509 *x509, htls_cert_t *cert)
{
    const char *signature = OSSL.OBJ_nid2ln(OSSL.X509_get_signature_nid(x509));

    htls__name_text(OSSL.X509_get_subject_name(x509), cert->subject, sizeof(cert->subject));
    htls__name_text(OSSL.X509_get_issuer_name(x509), cert->issuer, sizeof(cert->issuer));
    htls__cert_names(x509, cert->names, sizeof(cert->names));
    htls__cert_key(x509, cert->key, sizeof(cert->key));
    hstr_copy(cert->signature, sizeof(cert->signature), signature ? signature : "unknown");
    htls__fingerprint(x509, cert->fingerprint, sizeof(cert->fingerprint));
    htls__pin_text(x509, cert->pin, sizeof(cert->pin));
    cert->not_before = htls__time(OSSL.X509_get0_notBefore(x509));
    cert->not_after = htls__time(OSSL.X509_get0_notAfter(x509));
}

X509 *htls__peer_cert(const hio_t *io, int index)
{
    const htls_t *tls = htls__of(io);

    return tls && index >= 0 && index < HTLS_CHAIN_MAX ? chain_cert(tls, index) : NULL;
}

int htls_peer_cert(const hio_t *io, int index, htls_cert_t *cert)
{
    X509 *x509 = htls__peer_cert(io, index);

    memset(cert, 0, sizeof(*cert));
    if (!x509)
        return -ENOENT;
    describe(x509, cert);
    OSSL.ERR_clear_error();
    return 0;
}

int htls_peer_cert_pem(const hio_t *io, int index, hbytes_t *pem)
{
    X509 *x509 = htls__peer_cert(io, index);
    unsigned char *der = NULL;
    int len = x509 ? OSSL.i2d_X509(x509, &der) : 0, err;

    if (!x509)
        return -ENOENT;
    if (len <= 0)
        return -ENOMEM;
    err = hbytes_append_str(pem, "-----BEGIN CERTIFICATE-----\n");
    for (int at = 0; err == 0 && at < len; at += PEM_LINE_BYTES) {
        char line[HBASE64_ENCODED_SIZE(PEM_LINE_BYTES)];
        size_t n = (size_t)(len - at < PEM_LINE_BYTES ? len - at : PEM_LINE_BYTES);

        hbase64_encode(HBASE64_STANDARD, der + at, n, line, sizeof(line));
        err = hbytes_printf(pem, "%s\n", line);
    }
    OSSL.CRYPTO_free(der, __FILE__, __LINE__);
    return err ? err : hbytes_append_str(pem, "-----END CERTIFICATE-----\n");
}
