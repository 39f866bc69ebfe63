/* All of a certificate as lines of text, in the names and the order that curl has them in. */
#include "htls_int.h"

#include <openssl/core_names.h>
#include <string.h>

/* One number of a key; what the key does not have has an empty value. */
static void print_number(BIO *bio, const EVP_PKEY *key, const char *label, const char *param)
{
    BIGNUM *number = NULL;

    (void)OSSL.BIO_printf(bio, "%s:", label);
    if (OSSL.EVP_PKEY_get_bn_param(key, param, &number) == 1)
        (void)OSSL.BN_print(bio, number);
    (void)OSSL.BIO_puts(bio, "\n");
    OSSL.BN_free(number);
}

/* Those of the kinds that curl knows the numbers of: EC and Ed25519 are not among them. */
static void print_key(BIO *bio, X509 *cert)
{
    static const struct {
        const char *type, *label, *param;
    } rows[] = {
        {"RSA", "rsa(n)", OSSL_PKEY_PARAM_RSA_N}, {"RSA", "rsa(e)", OSSL_PKEY_PARAM_RSA_E},
        {"DSA", "dsa(p)", OSSL_PKEY_PARAM_FFC_P}, {"DSA", "dsa(q)", OSSL_PKEY_PARAM_FFC_Q},
        {"DSA", "dsa(g)", OSSL_PKEY_PARAM_FFC_G}, {"DSA", "dsa(pub_key)", OSSL_PKEY_PARAM_PUB_KEY},
        {"DH", "dh(p)", OSSL_PKEY_PARAM_FFC_P},   {"DH", "dh(q)", OSSL_PKEY_PARAM_FFC_Q},
        {"DH", "dh(g)", OSSL_PKEY_PARAM_FFC_G},   {"DH", "dh(pub_key)", OSSL_PKEY_PARAM_PUB_KEY},
    };
    const EVP_PKEY *key = OSSL.X509_get0_pubkey(cert);
    const char *type = key ? OSSL.EVP_PKEY_get0_type_name(key) : NULL;

    if (!type)
        return;
    if (strcmp(type, "RSA") == 0)
        (void)OSSL.BIO_printf(bio, "RSA Public Key:%d\n", OSSL.EVP_PKEY_get_bits(key));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(type, rows[i].type) == 0)
            print_number(bio, key, rows[i].label, rows[i].param);
    }
}

static void print_hex(BIO *bio, const ASN1_STRING *bytes, const char *between)
{
    const unsigned char *data = OSSL.ASN1_STRING_get0_data(bytes);

    for (int i = 0; i < OSSL.ASN1_STRING_length(bytes); i++)
        (void)OSSL.BIO_printf(bio, "%02x%s", data[i], between);
}

static void print_name(BIO *bio, const char *label, const X509_NAME *name)
{
    (void)OSSL.BIO_printf(bio, "%s:", label);
    (void)OSSL.X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE);
}

static void print_object(BIO *bio, const char *label, const ASN1_OBJECT *object)
{
    (void)OSSL.BIO_printf(bio, "\n%s:", label);
    (void)OSSL.i2a_ASN1_OBJECT(bio, object);
}

static void print_extensions(BIO *bio, const X509 *cert)
{
    for (int i = 0; i < OSSL.X509_get_ext_count(cert); i++) {
        X509_EXTENSION *extension = OSSL.X509_get_ext(cert, i);

        (void)OSSL.i2a_ASN1_OBJECT(bio, OSSL.X509_EXTENSION_get_object(extension));
        (void)OSSL.BIO_puts(bio, ":");
        if (OSSL.X509V3_EXT_print(bio, extension, 0, 0) != 1)
            (void)OSSL.ASN1_STRING_print(bio, OSSL.X509_EXTENSION_get_data(extension));
        (void)OSSL.BIO_puts(bio, "\n");
    }
}

static void print_cert(BIO *bio, X509 *cert)
{
    const ASN1_INTEGER *serial = OSSL.X509_get_serialNumber(cert);
    const ASN1_BIT_STRING *signature = NULL;
    const X509_ALGOR *algorithm = NULL;
    ASN1_OBJECT *key_algorithm = NULL;

    OSSL.X509_get0_signature(&signature, &algorithm, cert);
    (void)OSSL.X509_PUBKEY_get0_param(&key_algorithm, NULL, NULL, NULL,
                                      OSSL.X509_get_X509_PUBKEY(cert));
    print_name(bio, "Subject", OSSL.X509_get_subject_name(cert));
    print_name(bio, "\nIssuer", OSSL.X509_get_issuer_name(cert));
    (void)OSSL.BIO_printf(bio, "\nVersion:%lx\nSerial Number:%s", OSSL.X509_get_version(cert),
                          OSSL.ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER ? "-" : "");
    print_hex(bio, serial, "");
    print_object(bio, "Signature Algorithm", algorithm->algorithm);
    print_object(bio, "Public Key Algorithm", key_algorithm);
    (void)OSSL.BIO_puts(bio, "\n");
    print_extensions(bio, cert);
    (void)OSSL.BIO_puts(bio, "Start date:");
    (void)OSSL.ASN1_TIME_print(bio, OSSL.X509_get0_notBefore(cert));
    (void)OSSL.BIO_puts(bio, "\nExpire date:");
    (void)OSSL.ASN1_TIME_print(bio, OSSL.X509_get0_notAfter(cert));
    (void)OSSL.BIO_puts(bio, "\n");
    print_key(bio, cert);
    (void)OSSL.BIO_puts(bio, "Signature:");
    print_hex(bio, signature, ":");
    (void)OSSL.BIO_puts(bio, "\n");
}

/* The peer chose these bytes: none of them may move a terminal's cursor, or end the string. */
static void mask_controls(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)text[i] < ' ' && text[i] != '\n') || text[i] == 0x7f)
            text[i] = '.';
    }
}

int htls_peer_cert_text(const hio_t *io, int index, hbytes_t *text)
{
    X509 *cert = htls__peer_cert(io, index);
    BIO *bio = cert ? OSSL.BIO_new(OSSL.BIO_s_mem()) : NULL;
    char *data = NULL;
    long len;
    int err;

    if (!bio)
        return cert ? -ENOMEM : -ENOENT;
    print_cert(bio, cert);
    len = OSSL.BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
    mask_controls(data, (size_t)len);
    err = hbytes_append(text, data, (size_t)len);
    OSSL.BIO_free(bio);
    OSSL.ERR_clear_error();
    return err;
}
