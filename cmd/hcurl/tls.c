/* A context is made when the first connection needs one: a GET of http loads no TLS. */
#include "tls.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OpenSSL asks for the password of a key: that of the options. */
static int on_key_password(const char *file, char *buf, size_t size, void *arg)
{
    const tls_side_options_t *side = arg;

    (void)file;
    if (!side->password) {
        hstr_copy(buf, size, "");
        return -1;
    }
    if (hstr_copy(buf, size, side->password) < size)
        return (int)strlen(side->password);
    hstr_copy(buf, size, "it is too long");
    return -1;
}

/* Both lists in one, as htls takes them. */
static int join_ciphers(const tls_side_options_t *side, char **joined, htls_options_t *to)
{
    size_t size;

    to->ciphers = side->ciphers ? side->ciphers : side->ciphers_13;
    if (!side->ciphers || !side->ciphers_13)
        return STATUS_OK;
    size = strlen(side->ciphers) + strlen(side->ciphers_13) + 2;
    *joined = hmem_alloc(size);
    if (!*joined)
        return STATUS_MEMORY;
    snprintf(*joined, size, "%s:%s", side->ciphers, side->ciphers_13);
    to->ciphers = *joined;
    return STATUS_OK;
}

/* Whether there is such a type. */
static bool set_format(const char *type, htls_format_e *format)
{
    static const struct {
        const char *name;
        htls_format_e format;
    } formats[] = {{"PEM", HTLS_FORMAT_PEM}, {"DER", HTLS_FORMAT_DER}, {"P12", HTLS_FORMAT_PKCS12}};

    for (size_t i = 0; type && i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (hstr_ieq(type, formats[i].name)) {
            *format = formats[i].format;
            return true;
        }
    }
    return !type;
}

static int apply_side(const tls_side_options_t *side, char **ciphers, htls_options_t *to,
                      hbytes_t *error)
{
    if (!set_format(side->cert_type, &to->cert_format) ||
        !set_format(side->key_type, &to->key_format)) {
        hbytes_append_str(error, "certificates and keys are of the types PEM, DER and P12");
        return STATUS_CLIENT_CERTIFICATE;
    }
    if (side->version_max && side->version_max < 12) {
        hbytes_append_str(error, "TLS 1.0 and 1.1 are not spoken any more");
        return STATUS_TLS;
    }
    to->insecure = to->verify_anyway = side->insecure; /* for %{ssl_verify_result} */
    to->ca_file = side->ca_file;
    to->ca_dir = side->ca_dir;
    to->crl_file = side->crl_file;
    to->pinned_key = side->pinned;
    to->cert_file = side->cert;
    to->key_file = side->key;
    to->password_cb = on_key_password;
    to->password_arg = (void *)side;
    to->version_min = side->version_min == 13 ? HTLS_VERSION_1_3 : HTLS_VERSION_DEFAULT;
    to->version_max = side->version_max == 12 ? HTLS_VERSION_1_2 : HTLS_VERSION_DEFAULT;
    return join_ciphers(side, ciphers, to);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

/* What the environment says where the command line does not. */
static void apply_environment(htls_options_t *server)
{
    server->keylog_file = variable("SSLKEYLOGFILE");
    if (server->insecure || server->ca_file || server->ca_dir)
        return;
    server->ca_file = variable("CURL_CA_BUNDLE");
    if (server->ca_file)
        return;
    server->ca_dir = variable("SSL_CERT_DIR");
    server->ca_file = variable("SSL_CERT_FILE");
}

/* ---- contexts -------------------------------------------------------------------------------- */

static http_fault_e fault_of(htls_part_e part)
{
    switch (part) {
    case HTLS_PART_CIPHERS:
        return HTTP_FAULT_CIPHERS;
    case HTLS_PART_CERTIFICATE:
        return HTTP_FAULT_CLIENT_CERT;
    case HTLS_PART_TRUST:
        return HTTP_FAULT_CA_FILE;
    case HTLS_PART_CRL:
        return HTTP_FAULT_CRL;
    case HTLS_PART_PIN:
        return HTTP_FAULT_PIN;
    case HTLS_PART_OTHER:
        break;
    }
    return HTTP_FAULT_TLS;
}

static int on_tls(bool proxy, htls_ctx_t **ctx, http_fault_e *fault, char *error, size_t error_size,
                  void *arg)
{
    tls_t *tls = arg;
    htls_ctx_t **own = proxy ? &tls->proxy_ctx : &tls->server_ctx;
    htls_options_t options = proxy ? tls->proxy : tls->server;
    htls_part_e part = HTLS_PART_OTHER;
    int err = 0;

    options.failed = &part;
    if (!*own)
        err = htls_ctx_new(&options, own, error, error_size);
    if (err)
        *fault = fault_of(part);
    else
        *ctx = htls_ctx_ref(*own);
    return err;
}

int tls_apply(const tls_options_t *options, tls_t *tls, http_client_options_t *client,
              hbytes_t *error)
{
    const tls_side_options_t *server = &options->server;
    int status = apply_side(server, &tls->server_ciphers, &tls->server, error);

    if (!status)
        status = apply_side(&options->proxy, &tls->proxy_ciphers, &tls->proxy, error);
    apply_environment(&tls->server);
    tls->server.groups = tls->proxy.groups = options->curves;
    tls->server.alpn = options->no_alpn ? NULL : "http/1.1";
    tls->server.no_tickets = tls->proxy.no_tickets = options->no_sessions;
    if (!tls->proxy.ca_dir)
        tls->proxy.ca_dir = server->ca_dir;
    if (!tls->proxy.crl_file)
        tls->proxy.crl_file = server->crl_file;
    client->tls_cb = on_tls;
    client->tls_arg = tls;
    return status;
}

void tls_free(tls_t *tls)
{
    htls_ctx_free(tls->server_ctx);
    htls_ctx_free(tls->proxy_ctx);
    hmem_free(tls->server_ciphers);
    hmem_free(tls->proxy_ciphers);
    *tls = (tls_t){.server_ctx = NULL};
}
