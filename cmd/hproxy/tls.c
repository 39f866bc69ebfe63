/* tls: the contexts of both sides, made by the master: it can read the keys, and all workers have
 * the same session tickets. */
#include "master.h"

#include "base/hstr.h"

#include <string.h>

static bool is_about(const char *error, const char *file)
{
    return file && hstr_starts(error, file) && error[strlen(file)] == ':';
}

static void say_why(const settings_t *s, const service_settings_t *service,
                    const tls_settings_t *tls, const char *error, hbytes_t *errors)
{
    const char *files[] = {tls->cert, tls->key, tls->ca};
    const char *culprit = service->name;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (is_about(error, files[i]))
            culprit = files[i];
    }
    if (hconf_line(s->base.conf, culprit) > 0)
        settings_where(s, culprit, errors);
    hbytes_printf(errors, "TLS: %s\n", error);
}

static int make(const settings_t *s, const service_settings_t *service, const tls_settings_t *tls,
                const htls_options_t *options, htls_ctx_t **ctx, hbytes_t *errors)
{
    char error[HTLS_ERROR_SIZE] = "";
    int err = htls_ctx_new(options, ctx, error, sizeof(error));

    if (err)
        say_why(s, service, tls, error[0] ? error : herr_str(err), errors);
    return err;
}

static int make_listening(const settings_t *s, service_settings_t *service,
                          htls_ctx_t **self_signed, hbytes_t *errors)
{
    const tls_settings_t *tls = &service->tls;
    const htls_options_t options = {.server = true,
                                    .ca_file = tls->ca,
                                    .client_cert =
                                        tls->ca ? HTLS_CLIENT_CERT_REQUIRED : HTLS_CLIENT_CERT_NONE,
                                    .cert_file = tls->cert,
                                    .key_file = tls->key,
                                    .self_signed = tls->self_signed,
                                    .alpn = tls->alpn};
    /* Who has accepted the self-signed certificate shall not be asked again. */
    bool keeps = tls->self_signed && !tls->ca && !tls->alpn;
    int err = 0;

    if (keeps && *self_signed) {
        service->tls_ctx = htls_ctx_ref(*self_signed);
        return 0;
    }
    err = make(s, service, tls, &options, &service->tls_ctx, errors);
    if (!err && keeps)
        *self_signed = htls_ctx_ref(service->tls_ctx);
    return err;
}

static int make_target(const settings_t *s, service_settings_t *service, hbytes_t *errors)
{
    const tls_settings_t *tls = &service->target_tls;
    const htls_options_t options = {.insecure = tls->insecure,
                                    .ca_file = tls->ca,
                                    .cert_file = tls->cert,
                                    .key_file = tls->key,
                                    .alpn = tls->alpn};

    return make(s, service, tls, &options, &service->target_tls_ctx, errors);
}

static bool listens_with_tls(const service_settings_t *service)
{
    const listen_settings_t *l = service->listens;

    while (l && l->endpoint.scheme != HENDPOINT_TLS)
        l = l->next;
    return l != NULL;
}

static bool leads_to_tls(const service_settings_t *service)
{
    const target_settings_t *t = service->targets;

    while (t && t->endpoint.scheme != HENDPOINT_TLS)
        t = t->next;
    return t || service->check.kind == HCHECK_TLS;
}

int tls_make(settings_t *settings, htls_ctx_t **self_signed, hbytes_t *errors)
{
    int err = 0;

    for (service_settings_t *s = settings->services; !err && s; s = s->next) {
        if (listens_with_tls(s))
            err = make_listening(settings, s, self_signed, errors);
        if (!err && leads_to_tls(s))
            err = make_target(settings, s, errors);
    }
    return err;
}
