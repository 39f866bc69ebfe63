/* A certificate for now: ECDSA P-256, signed by itself, for this machine's names; neither it nor
 * its key is ever written to a file. */
#include "htls_int.h"

#include "../base/hstr.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMES_SIZE 1024
#define NAME_MAX_LEN 253 /* RFC 1035 section 2.3.4 */
#define VALID_S (365L * 24 * 3600)
#define SLACK_S 3600L /* for clocks that are behind */
#define SERIAL_BITS 127

/* Nothing that the syntax of the extension could take for its own. */
static bool is_name(const char *name)
{
    size_t len = strlen(name);

    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr(".-_*:", *p))
            return false;
    }
    return len > 0 && len <= NAME_MAX_LEN;
}

static bool is_address(const char *name)
{
    ASN1_OCTET_STRING *ip = OSSL.a2i_IPADDRESS(name);

    OSSL.ASN1_OCTET_STRING_free(ip);
    OSSL.ERR_clear_error();
    return ip != NULL;
}

static void list_names(const char *host, const char *name, char *buf, size_t size)
{
    size_t used = hstr_copy(buf, size, "DNS:localhost,IP:127.0.0.1,IP:::1");

    if (is_name(host) && strcmp(host, "localhost") != 0)
        used += (size_t)snprintf(buf + used, size - used, ",%s:%s", is_address(host) ? "IP" : "DNS",
                                 host);
    if (name)
        snprintf(buf + used, size - used, ",%s:%s", is_address(name) ? "IP" : "DNS", name);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    bool added;

    OSSL.X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    extension = OSSL.X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    added = extension && OSSL.X509_add_ext(cert, extension, -1) == 1;
    OSSL.X509_EXTENSION_free(extension);
    return added;
}

static bool add_extensions(X509 *cert, const char *names)
{
    return add_extension(cert, NID_subject_alt_name, names) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, NID_subject_key_identifier, "hash");
}

static bool set_serial(X509 *cert)
{
    BIGNUM *number = OSSL.BN_new();
    bool set = number && OSSL.BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
               OSSL.BN_to_ASN1_INTEGER(number, OSSL.X509_get_serialNumber(cert)) != NULL;

    OSSL.BN_free(number);
    return set;
}

static bool fill_in(X509 *cert, EVP_PKEY *key, const char *subject, const char *names)
{
    X509_NAME *name = OSSL.X509_get_subject_name(cert);

    return OSSL.X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
           OSSL.X509_gmtime_adj(OSSL.X509_getm_notBefore(cert), -SLACK_S) &&
           OSSL.X509_gmtime_adj(OSSL.X509_getm_notAfter(cert), VALID_S) &&
           OSSL.X509_set_pubkey(cert, key) &&
           OSSL.X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                           (const unsigned char *)subject, -1, -1, 0) &&
           OSSL.X509_set_issuer_name(cert, name) && add_extensions(cert, names) &&
           OSSL.X509_sign(cert, key, OSSL.EVP_sha256()) > 0;
}

/* A subject has at most 64 characters (RFC 5280, ub-common-name); the names count, not this. */
static const char *pick_subject(const char *host, const char *name)
{
    enum { SUBJECT_MAX = 64 };

    if (name && strlen(name) <= SUBJECT_MAX)
        return name;
    return is_name(host) && strlen(host) <= SUBJECT_MAX ? host : "localhost";
}

int htls__self_signed(const char *name, X509 **cert, EVP_PKEY **key, const htls_report_t *report)
{
    char host[NAME_MAX_LEN + 1] = "", names[NAMES_SIZE];

    if (name && !is_name(name))
        return htls__report(report, HERR_SYNTAX, "self-signed certificate: bad name \"%s\"", name);
    if (gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0';
    list_names(host, name, names, sizeof(names));
    *cert = OSSL.X509_new();
    *key = OSSL.EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    if (*cert && *key && fill_in(*cert, *key, pick_subject(host, name), names))
        return 0;
    htls__report(report, HERR_CERTIFICATE, "self-signed certificate: %s", htls__reason());
    OSSL.X509_free(*cert);
    OSSL.EVP_PKEY_free(*key);
    *cert = NULL;
    *key = NULL;
    return HERR_CERTIFICATE;
}
