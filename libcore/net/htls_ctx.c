/* A context: the options, and the set of SSL_CTX made of them. A reload makes a new set from the
 * files and puts it in the place of the old one, which lives as long as a connection uses it. */
#include "htls_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- sets ------------------------------------------------------------------------------------ */

void htls__set_free(htls_set_t *set)
{
    if (!set || __atomic_sub_fetch(&set->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < set->count; i++)
        OSSL.SSL_CTX_free(set->ctxs[i]);
    hmem_free(set);
}

htls_set_t *htls__set_get(htls_ctx_t *ctx)
{
    htls_set_t *set;

    pthread_mutex_lock(&ctx->lock);
    set = ctx->set;
    __atomic_add_fetch(&set->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&ctx->lock);
    return set;
}

static int make_set(htls_ctx_t *ctx, htls_set_t **out, const htls_report_t *report)
{
    const htls_cert_files_t own = {(char *)ctx->options.cert_file, (char *)ctx->options.key_file};
    size_t count = 1 + ctx->cert_count;
    htls_set_t *set = hmem_zalloc(sizeof(*set) + count * sizeof(SSL_CTX *));
    int rc;

    if (!set)
        return htls__report(report, -ENOMEM, "out of memory");
    set->refs = 1;
    rc = htls__part(report, HTLS_PART_PIN,
                    htls__pins_parse(&set->pins, ctx->options.pinned_key, report));
    while (rc == 0 && set->count < count) {
        rc = htls__make(ctx, set->count ? &ctx->certs[set->count - 1] : &own,
                        &set->ctxs[set->count], report);
        set->count += rc == 0;
    }
    if (rc < 0) {
        htls__set_free(set);
        return rc;
    }
    *out = set;
    return 0;
}

/* Tickets that were given out stay good over a reload; not where a client's certificate counts,
 * which the new files may no longer accept. */
static void keep_ticket_keys(const htls_ctx_t *ctx, SSL_CTX *to, SSL_CTX *from)
{
    unsigned char keys[128];
    long size = OSSL.SSL_CTX_ctrl(from, SSL_CTRL_GET_TLSEXT_TICKET_KEYS, 0, NULL);

    if (!ctx->options.server || ctx->options.client_cert != HTLS_CLIENT_CERT_NONE || size <= 0 ||
        (size_t)size > sizeof(keys))
        return;
    if (OSSL.SSL_CTX_ctrl(from, SSL_CTRL_GET_TLSEXT_TICKET_KEYS, size, keys) == 1)
        OSSL.SSL_CTX_ctrl(to, SSL_CTRL_SET_TLSEXT_TICKET_KEYS, size, keys);
    OSSL.OPENSSL_cleanse(keys, sizeof(keys));
}

int htls_ctx_reload(htls_ctx_t *ctx, char *error, size_t error_size)
{
    const htls_report_t report = {error, error_size, ctx->options.failed};
    htls_set_t *set = NULL, *old;
    int rc = make_set(ctx, &set, &report);

    if (rc < 0)
        return rc;
    assert(set != NULL);
    pthread_mutex_lock(&ctx->lock);
    old = ctx->set;
    if (old)
        keep_ticket_keys(ctx, set->ctxs[0], old->ctxs[0]);
    ctx->set = set;
    htls__sessions_clear(ctx);
    pthread_mutex_unlock(&ctx->lock);
    htls__set_free(old);
    return 0;
}

/* ---- options --------------------------------------------------------------------------------- */

static const size_t strings[] = {
    offsetof(htls_options_t, ca_file),          offsetof(htls_options_t, ca_dir),
    offsetof(htls_options_t, crl_file),         offsetof(htls_options_t, pinned_key),
    offsetof(htls_options_t, cert_file),        offsetof(htls_options_t, key_file),
    offsetof(htls_options_t, self_signed_name), offsetof(htls_options_t, ciphers),
    offsetof(htls_options_t, groups),           offsetof(htls_options_t, alpn),
    offsetof(htls_options_t, keylog_file),
};
#define STRING_COUNT (sizeof(strings) / sizeof(strings[0]))

static char **string_of(htls_options_t *options, size_t i)
{
    return (char **)((char *)options + strings[i]);
}

static int copy_options(htls_options_t *to, const htls_options_t *from)
{
    *to = *from;
    for (size_t i = 0; i < STRING_COUNT; i++)
        *string_of(to, i) = NULL;
    for (size_t i = 0; i < STRING_COUNT; i++) {
        const char *text = *string_of((htls_options_t *)from, i);

        if (!text)
            continue;
        *string_of(to, i) = hmem_strdup(text);
        if (!*string_of(to, i))
            return -ENOMEM;
    }
    return 0;
}

/* "h2,http/1.1" as it is sent: each with its length in front, RFC 7301 section 3.1. */
static int set_alpn(htls_ctx_t *ctx, const htls_report_t *report)
{
    const char *p = ctx->options.alpn;

    while (p && *p) {
        size_t len = strcspn(p, ",");

        if (len == 0 || len > 255 || ctx->alpn_len + 1 + len > sizeof(ctx->alpn))
            return htls__report(report, HERR_SYNTAX,
                                "ALPN \"%s\": not names with commas between, or too long",
                                ctx->options.alpn);
        ctx->alpn[ctx->alpn_len++] = (unsigned char)len;
        memcpy(ctx->alpn + ctx->alpn_len, p, len);
        ctx->alpn_len += (unsigned)len;
        p += len + (p[len] == ',');
    }
    return 0;
}

static int open_keylog(htls_ctx_t *ctx, const htls_report_t *report)
{
    const char *file = ctx->options.keylog_file;
    int rc;

    if (!file)
        return 0;
    ctx->keylog_fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    rc = ctx->keylog_fd < 0 ? -errno : 0;
    return rc < 0 ? htls__report(report, rc, "%s: %s", file, herr_str(rc)) : 0;
}

static int check_options(const htls_options_t *options, const htls_report_t *report)
{
    if (options->server && !options->cert_file && !options->self_signed)
        return htls__report(report, HERR_CERTIFICATE, "a TLS server needs a certificate");
    if (!options->cert_file && options->key_file)
        return htls__part(report, HTLS_PART_CERTIFICATE,
                          htls__report(report, HERR_CERTIFICATE,
                                       "%s: a key without its certificate", options->key_file));
    return 0;
}

static int set_up(htls_ctx_t *ctx, const htls_options_t *options, const htls_report_t *report)
{
    int rc = check_options(options, report);

    if (rc == 0 && copy_options(&ctx->options, options) < 0)
        rc = htls__report(report, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = set_alpn(ctx, report);
    if (rc == 0 && options->server && !options->cert_file)
        rc = htls__self_signed(options->self_signed_name, &ctx->own_cert, &ctx->own_key, report);
    if (rc == 0)
        rc = open_keylog(ctx, report);
    if (rc < 0)
        return rc;
    ctx->bio_method = htls__bio_method();
    if (!ctx->bio_method)
        return htls__report(report, -ENOMEM, "out of memory");
    return htls_ctx_reload(ctx, report->text, report->size);
}

/* ---- life ------------------------------------------------------------------------------------ */

int htls_ctx_new(const htls_options_t *options, htls_ctx_t **out, char *error, size_t error_size)
{
    const htls_report_t report = {error, error_size, options->failed};
    htls_ctx_t *ctx;
    int rc = htls__load(error, error_size);

    htls__part(&report, HTLS_PART_OTHER, -1);
    if (rc < 0)
        return rc;
    ctx = hmem_zalloc(sizeof(*ctx));
    if (!ctx)
        return htls__report(&report, -ENOMEM, "out of memory");
    ctx->refs = 1;
    ctx->keylog_fd = -1;
    hlist_init(&ctx->sessions);
    pthread_mutex_init(&ctx->lock, NULL);
    rc = set_up(ctx, options, &report);
    ctx->options.failed = NULL;
    if (rc < 0)
        htls_ctx_free(ctx);
    else
        *out = ctx;
    return rc;
}

htls_ctx_t *htls_ctx_ref(htls_ctx_t *ctx)
{
    __atomic_add_fetch(&ctx->refs, 1, __ATOMIC_RELAXED);
    return ctx;
}

void htls_ctx_free(htls_ctx_t *ctx)
{
    if (!ctx || __atomic_sub_fetch(&ctx->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    htls__sessions_clear(ctx);
    htls__set_free(ctx->set);
    OSSL.X509_free(ctx->own_cert);
    OSSL.EVP_PKEY_free(ctx->own_key);
    OSSL.BIO_meth_free(ctx->bio_method);
    if (ctx->keylog_fd >= 0)
        close(ctx->keylog_fd);
    for (size_t i = 0; i < STRING_COUNT; i++)
        hmem_free(*string_of(&ctx->options, i));
    for (size_t i = 0; i < ctx->cert_count; i++) {
        hmem_free(ctx->certs[i].cert);
        hmem_free(ctx->certs[i].key);
    }
    hmem_free(ctx->certs);
    pthread_mutex_destroy(&ctx->lock);
    hmem_free(ctx);
}

/* ---- more certificates ----------------------------------------------------------------------- */

static int append_files(htls_ctx_t *ctx, const char *cert_file, const char *key_file)
{
    htls_cert_files_t *certs =
        hmem_realloc(ctx->certs, (ctx->cert_count + 1) * sizeof(*ctx->certs));
    htls_cert_files_t files = {hmem_strdup(cert_file), key_file ? hmem_strdup(key_file) : NULL};

    if (certs)
        ctx->certs = certs;
    if (!certs || !files.cert || (key_file && !files.key)) {
        hmem_free(files.cert);
        hmem_free(files.key);
        return -ENOMEM;
    }
    ctx->certs[ctx->cert_count++] = files;
    return 0;
}

int htls_ctx_add_cert(htls_ctx_t *ctx, const char *cert_file, const char *key_file, char *error,
                      size_t error_size)
{
    const htls_report_t report = {error, error_size, NULL};
    int rc;

    if (!ctx->options.server || ctx->cert_count == HTLS_CERTS_MAX)
        return htls__report(&report, -EINVAL, "%s: %s", cert_file,
                            ctx->options.server ? "too many certificates" : "not a server");
    rc = append_files(ctx, cert_file, key_file);
    if (rc < 0)
        return htls__report(&report, rc, "out of memory");
    rc = htls_ctx_reload(ctx, error, error_size);
    if (rc < 0) {
        ctx->cert_count--;
        hmem_free(ctx->certs[ctx->cert_count].cert);
        hmem_free(ctx->certs[ctx->cert_count].key);
    }
    return rc;
}

typedef const char *(*cert_text_cb)(const X509 *cert, char *buf, size_t size);
static const char *own_cert_text(const htls_ctx_t *ctx, cert_text_cb text, char *buf, size_t size)
{
    htls_set_t *set = htls__set_get((htls_ctx_t *)ctx);
    const X509 *cert = OSSL.SSL_CTX_get0_certificate(set->ctxs[0]);

    hstr_copy(buf, size, "");
    if (cert)
        text(cert, buf, size);
    htls__set_free(set);
    return buf;
}

const char *htls_ctx_fingerprint(const htls_ctx_t *ctx, char *buf, size_t size)
{
    return own_cert_text(ctx, htls__fingerprint, buf, size);
}

const char *htls_ctx_pin(const htls_ctx_t *ctx, char *buf, size_t size)
{
    return own_cert_text(ctx, htls__pin_text, buf, size);
}
