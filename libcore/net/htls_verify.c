/* Whether the peer's certificate is accepted: the trust that a context has, pinned keys, and the
 * line that tells why not. */
#include "htls_int.h"

#include "../base/hbase64.h"
#include "../base/hstr.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBJECT_SIZE 200
#define NAMES_SIZE 200

/* ---- pinned keys ----------------------------------------------------------------------------- */

#define PIN_PREFIX "sha256//"

static int add_base64(htls_pins_t *pins, const char *text, size_t len)
{
    if (pins->count == HTLS_PINS_MAX ||
        hbase64_decode(HBASE64_STANDARD, text, len, pins->pins[pins->count], HTLS_PIN_SIZE) !=
            HTLS_PIN_SIZE)
        return HERR_SYNTAX;
    pins->count++;
    return 0;
}

static int parse_list(htls_pins_t *pins, const char *text)
{
    int rc = 0;

    while (rc == 0 && *text) {
        size_t len = strcspn(text, ";");

        if (!hstr_starts(text, PIN_PREFIX) || len < strlen(PIN_PREFIX))
            return HERR_SYNTAX;
        rc = add_base64(pins, text + strlen(PIN_PREFIX), len - strlen(PIN_PREFIX));
        text += len + (text[len] == ';');
    }
    return rc;
}

static int read_key(htls_pins_t *pins, const char *file, const htls_report_t *report)
{
    int rc = htls__readable(file, true, report);
    EVP_PKEY *key;
    BIO *bio;

    if (rc < 0)
        return rc;
    bio = OSSL.BIO_new_file(file, "r");
    if (!bio)
        return htls__report(report, -ENOMEM, "%s: out of memory", file);
    key = OSSL.PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (!key && OSSL.BIO_ctrl(bio, BIO_CTRL_RESET, 0, NULL) == 0)
        key = OSSL.d2i_PUBKEY_bio(bio, NULL);
    rc = htls__pin_of(key, pins->pins[0]);
    if (rc < 0)
        htls__report(report, rc, "%s: not a public key", file);
    pins->count = 1;
    OSSL.EVP_PKEY_free(key);
    OSSL.BIO_free(bio);
    return rc;
}

int htls__pins_parse(htls_pins_t *pins, const char *text, const htls_report_t *report)
{
    pins->count = 0;
    if (!text)
        return 0;
    if (!hstr_starts(text, PIN_PREFIX))
        return read_key(pins, text, report);
    if (parse_list(pins, text) < 0)
        return htls__report(report, HERR_SYNTAX,
                            "pinned key: not sha256//BASE64, at most %d of them with ; between",
                            HTLS_PINS_MAX);
    return 0;
}

static bool is_pinned(const htls_pins_t *pins, X509 *cert)
{
    unsigned char pin[HTLS_PIN_SIZE];

    if (!cert || htls__pin_of(OSSL.X509_get0_pubkey(cert), pin) < 0)
        return false;
    for (size_t i = 0; i < pins->count; i++) {
        if (memcmp(pins->pins[i], pin, sizeof(pin)) == 0)
            return true;
    }
    return false;
}

/* ---- trust ----------------------------------------------------------------------------------- */

/* Whether a directory holds certificates under their hashes ("002c0b4f.0"). */
static bool is_hashed(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool found = false;

    while (dir && !found && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);

        found = len > 2 && strcmp(entry->d_name + len - 2, ".0") == 0;
    }
    if (dir)
        closedir(dir);
    return found;
}

/* The system's store: where it has a hashed directory, only the one issuer that a chain needs is
 * read from it, when it is needed; the bundle in one file takes 20 ms, which is too long where
 * anything goes. */
static int trust_system(SSL_CTX *ssl_ctx, bool anything_goes)
{
    const char *dir = getenv(OSSL.X509_get_default_cert_dir_env());

    if (!dir)
        dir = OSSL.X509_get_default_cert_dir();
    if ((anything_goes || !getenv(OSSL.X509_get_default_cert_file_env())) && is_hashed(dir))
        return OSSL.SSL_CTX_set_default_verify_dir(ssl_ctx);
    return OSSL.SSL_CTX_set_default_verify_paths(ssl_ctx);
}

/* A revocation list for the issuer of the certificate itself is needed, for those above it not. */
static int tolerate(int ok, X509_STORE_CTX *store)
{
    if (ok || OSSL.X509_STORE_CTX_get_error(store) != X509_V_ERR_UNABLE_TO_GET_CRL ||
        OSSL.X509_STORE_CTX_get_error_depth(store) == 0)
        return ok;
    OSSL.X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static int add_crl(SSL_CTX *ssl_ctx, const char *file, const htls_report_t *report)
{
    X509_STORE *store = OSSL.SSL_CTX_get_cert_store(ssl_ctx);
    X509_LOOKUP *lookup = OSSL.X509_STORE_add_lookup(store, OSSL.X509_LOOKUP_file());
    int rc = htls__readable(file, true, report);

    if (rc < 0)
        return rc;
    if (!lookup || OSSL.X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) <= 0)
        return htls__report(report, HERR_CERTIFICATE, "%s: not a revocation list in PEM (%s)", file,
                            htls__reason());
    OSSL.X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    OSSL.X509_STORE_set_verify_cb(store, tolerate);
    return 0;
}

static int trust_files(SSL_CTX *ssl_ctx, const htls_options_t *options, const htls_report_t *report)
{
    const char *file = options->ca_file, *dir = options->ca_dir;
    int rc = 0;

    if (file)
        rc = htls__readable(file, true, report);
    if (rc == 0 && dir)
        rc = htls__readable(dir, false, report);
    if (rc < 0)
        return rc;
    if (OSSL.SSL_CTX_load_verify_locations(ssl_ctx, file, dir) != 1)
        return htls__report(report, HERR_CERTIFICATE, "%s: no certificates in PEM (%s)",
                            file ? file : dir, htls__reason());
    return 0;
}

/* The names that a client's certificate may be issued by are told to it. */
static int name_issuers(SSL_CTX *ssl_ctx, const htls_options_t *options,
                        const htls_report_t *report)
{
    STACK_OF(X509_NAME) * names;

    if (!options->server || !options->ca_file)
        return 0;
    names = OSSL.SSL_load_client_CA_file(options->ca_file);
    if (!names)
        return htls__report(report, HERR_CERTIFICATE, "%s: names of issuers: %s", options->ca_file,
                            htls__reason());
    OSSL.SSL_CTX_set_client_CA_list(ssl_ctx, names);
    return 0;
}

static int load_trust(SSL_CTX *ssl_ctx, const htls_options_t *options, const htls_report_t *report)
{
    int rc = 0;

    if (options->ca_file || options->ca_dir)
        rc = htls__part(report, HTLS_PART_TRUST, trust_files(ssl_ctx, options, report));
    else if (trust_system(ssl_ctx, options->insecure) != 1)
        rc = htls__report(report, HERR_CERTIFICATE, "the system's trusted certificates: %s",
                          htls__reason());
    if (rc == 0)
        rc = name_issuers(ssl_ctx, options, report);
    if (rc == 0 && options->crl_file)
        rc = htls__part(report, HTLS_PART_CRL, add_crl(ssl_ctx, options->crl_file, report));
    /* What is in the store is trusted, be it a root or not. */
    OSSL.X509_STORE_set_flags(OSSL.SSL_CTX_get_cert_store(ssl_ctx), X509_V_FLAG_PARTIAL_CHAIN);
    return rc;
}

int htls__trust(SSL_CTX *ssl_ctx, const htls_options_t *options, const htls_report_t *report)
{
    static const htls_report_t nobody = {0};

    if (options->server)
        return options->client_cert != HTLS_CLIENT_CERT_NONE ? load_trust(ssl_ctx, options, report)
                                                             : 0;
    if (!options->insecure)
        return load_trust(ssl_ctx, options, report);
    if (options->verify_anyway) { /* without what cannot be read */
        (void)load_trust(ssl_ctx, options, &nobody);
        OSSL.ERR_clear_error();
    }
    return 0;
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static void date_of(const ASN1_TIME *time, char *buf, size_t size)
{
    time_t when = htls__time(time);
    struct tm tm;

    if (!gmtime_r(&when, &tm) || strftime(buf, size, "%Y-%m-%d", &tm) == 0)
        hstr_copy(buf, size, "?");
}

static int wrong_name(htls_t *tls, X509 *cert, const char *subject)
{
    char names[NAMES_SIZE];

    htls__cert_names(cert, names, sizeof(names));
    return htls__fail(tls, HERR_CERTIFICATE, "certificate is not for %s but for %s",
                      tls->name ? tls->name : "?", names[0] ? names : subject);
}

static int unknown_issuer(htls_t *tls, X509 *cert, const char *subject)
{
    char issuer[SUBJECT_SIZE];

    htls__name_text(OSSL.X509_get_issuer_name(cert), issuer, sizeof(issuer));
    return htls__fail(tls, HERR_CERTIFICATE, "certificate's issuer is not trusted: %s (of %s)",
                      issuer, subject);
}

static int weak(htls_t *tls, X509 *cert, const char *subject)
{
    char key[48];

    return htls__fail(tls, HERR_CERTIFICATE, "certificate's key is too weak: %s (%s)",
                      htls__cert_key(cert, key, sizeof(key)), subject);
}

static int weak_signature(htls_t *tls, X509 *cert, const char *subject)
{
    const char *name = OSSL.OBJ_nid2ln(OSSL.X509_get_signature_nid(cert));

    return htls__fail(tls, HERR_CERTIFICATE, "certificate's signature is too weak: %s (%s)",
                      name ? name : "unknown", subject);
}

static int explain(htls_t *tls, int err, X509 *cert)
{
    char subject[SUBJECT_SIZE], date[16];

    htls__name_text(OSSL.X509_get_subject_name(cert), subject, sizeof(subject));
    switch (err) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        date_of(OSSL.X509_get0_notAfter(cert), date, sizeof(date));
        return htls__fail(tls, HERR_CERTIFICATE, "certificate has expired on %s (%s)", date,
                          subject);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        date_of(OSSL.X509_get0_notBefore(cert), date, sizeof(date));
        return htls__fail(tls, HERR_CERTIFICATE, "certificate is not valid before %s (%s)", date,
                          subject);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return htls__fail(tls, HERR_CERTIFICATE, "certificate is self-signed (%s)", subject);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return unknown_issuer(tls, cert, subject);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return wrong_name(tls, cert, subject);
    case X509_V_ERR_CERT_REVOKED:
        return htls__fail(tls, HERR_CERTIFICATE, "certificate is revoked (%s)", subject);
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        return weak(tls, cert, subject);
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return weak_signature(tls, cert, subject);
    default:
        return htls__fail(tls, HERR_CERTIFICATE, "certificate is not accepted: %s (%s)",
                          OSSL.X509_verify_cert_error_string(err), subject);
    }
}

int htls__verify(X509_STORE_CTX *store, void *arg)
{
    const SSL *ssl =
        OSSL.X509_STORE_CTX_get_ex_data(store, OSSL.SSL_get_ex_data_X509_STORE_CTX_idx());
    htls_t *tls = OSSL.SSL_get_ex_data(ssl, 0);
    const htls_pins_t *pins = &tls->set->pins;
    X509 *leaf = OSSL.X509_STORE_CTX_get0_cert(store);
    bool insecure = !tls->server && tls->ctx->options.insecure;
    bool trusted = insecure && !tls->ctx->options.verify_anyway;
    char subject[SUBJECT_SIZE];

    (void)arg;
    trusted = trusted || OSSL.X509_verify_cert(store) == 1 || insecure;
    if (!trusted) {
        X509 *cert = OSSL.X509_STORE_CTX_get_current_cert(store);

        explain(tls, OSSL.X509_STORE_CTX_get_error(store), cert ? cert : leaf);
    } else if (pins->count > 0 && !is_pinned(pins, leaf)) {
        OSSL.X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        htls__name_text(OSSL.X509_get_subject_name(leaf), subject, sizeof(subject));
        htls__fail(tls, HERR_PIN, "certificate's key is not the pinned one (%s)", subject);
        tls->not_pinned = true;
        trusted = false;
    }
    if (!trusted)
        tls->refused = OSSL.X509_chain_up_ref(OSSL.X509_STORE_CTX_get0_untrusted(store));
    return trusted;
}
