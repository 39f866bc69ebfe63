#include "hhttpd.h"

#include "base/hstr.h"

#include <stdio.h>
#include <string.h>

/* Of a certificate that was asked for and one that is sent all the same, the CA decides. */
static htls_client_cert_e client_cert(const settings_t *s)
{
    if (s->ssl_verify_client > 0)
        return (htls_client_cert_e)(s->ssl_verify_client - 1);
    return s->ssl_ca_certificate ? HTLS_CLIENT_CERT_REQUIRED : HTLS_CLIENT_CERT_NONE;
}

static int add_hosts(const settings_t *s, htls_ctx_t *ctx, char *error, size_t size)
{
    int err = 0;

    for (const site_settings_t *host = s->hosts; !err && host; host = host->next) {
        if (host->ssl_certificate)
            err = htls_ctx_add_cert(ctx, host->ssl_certificate, host->ssl_privatekey, error, size);
    }
    return err;
}

static bool is_about(const char *error, const char *file)
{
    return file && hstr_starts(error, file) && error[strlen(file)] == ':';
}

/* The file that the words begin with. */
static const char *culprit(const settings_t *s, const char *error)
{
    if (is_about(error, s->ssl_ca_certificate))
        return s->ssl_ca_certificate;
    for (const site_settings_t *site = &s->site; site;
         site = site == &s->site ? s->hosts : site->next) {
        if (is_about(error, site->ssl_privatekey))
            return site->ssl_privatekey;
        if (is_about(error, site->ssl_certificate))
            return site->ssl_certificate;
    }
    return NULL;
}

int tls_make(const settings_t *settings, htls_ctx_t **kept, htls_ctx_t **ctx, hbytes_t *errors)
{
    htls_options_t options = {
        .server = true,
        .ca_file = settings->ssl_ca_certificate,
        .client_cert = client_cert(settings),
        .cert_file = settings->site.ssl_certificate,
        .key_file = settings->site.ssl_privatekey,
        .self_signed = settings->tls_self_signed,
        .self_signed_name = settings->hosts ? settings->hosts->names[0] : NULL,
        .alpn = "http/1.1",
    };
    /* Who has accepted the self-signed certificate shall not be asked again. */
    bool keeps = settings->tls_self_signed && !settings->hosts && !settings->ssl_ca_certificate;
    char error[HTLS_ERROR_SIZE] = "";
    int err;

    *ctx = NULL;
    if (!settings->tls)
        return 0;
    if (keeps && *kept) {
        *ctx = htls_ctx_ref(*kept);
        return 0;
    }
    err = htls_ctx_new(&options, ctx, error, sizeof(error));
    if (!err)
        err = add_hosts(settings, *ctx, error, sizeof(error));
    if (err) {
        settings_where(settings, culprit(settings, error), errors);
        hbytes_printf(errors, "TLS: %s\n", error[0] ? error : herr_str(err));
        htls_ctx_free(*ctx);
        *ctx = NULL;
    } else if (keeps) {
        *kept = htls_ctx_ref(*ctx);
    }
    return err;
}
