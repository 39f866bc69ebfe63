#include "tls.h"

#include "app/hsecret.h"
#include "base/hstr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Not when the certificates are read again: all connections would wait for somebody to look at the
 * terminal. */
static int ask_password(const hnc_t *hnc, const char *file, char *buf, size_t size)
{
    char prompt[512];
    int rc;

    if (hloop_status(hnc->loop) == HLOOP_STATUS_RUNNING) {
        snprintf(buf, size, "it is asked for at the start only, see --ssl-key-password");
        return -1;
    }
    snprintf(prompt, sizeof(prompt), "Password of %s: ", file);
    rc = hsecret_read(prompt, buf, size);
    if (rc == -ENXIO)
        snprintf(buf, size, "no terminal to ask for it, see --ssl-key-password");
    else if (rc < 0)
        snprintf(buf, size, "%s", herr_str(rc));
    return rc < 0 ? -1 : rc;
}

/* The password of a key. */
static int find_password(const char *file, char *buf, size_t size, void *arg)
{
    const hnc_t *hnc = arg;
    char why[256];
    int rc;

    if (!hnc->options.ssl_key_password)
        return ask_password(hnc, file, buf, size);
    rc = hsecret_from(hnc->options.ssl_key_password, buf, size, why, sizeof(why));
    if (rc < 0)
        snprintf(buf, size, "%s", why);
    return rc < 0 ? -1 : rc;
}

static htls_version_e version(int chosen)
{
    return chosen == HNC_TLS_1_2   ? HTLS_VERSION_1_2
           : chosen == HNC_TLS_1_3 ? HTLS_VERSION_1_3
                                   : HTLS_VERSION_DEFAULT;
}

static void fill_in(hnc_t *hnc, htls_options_t *t)
{
    const options_t *o = &hnc->options;
    const char *keylog_file = getenv("SSLKEYLOGFILE");

    memset(t, 0, sizeof(*t));
    t->server = o->listen;
    t->ca_file = o->ssl_trustfile;
    t->crl_file = o->ssl_crlfile;
    t->pinned_key = o->tls_pin;
    t->cert_file = o->ssl_cert;
    t->key_file = o->ssl_key;
    t->password_cb = find_password;
    t->password_arg = hnc;
    t->ciphers = o->ssl_ciphers;
    t->alpn = o->ssl_alpn;
    t->keylog_file = keylog_file && keylog_file[0] ? keylog_file : NULL;
    t->version_min = version(o->tls_min);
    t->version_max = version(o->tls_max);
    if (o->listen) {
        t->client_cert = o->ssl_verify == 1 ? HTLS_CLIENT_CERT_REQUIRED : HTLS_CLIENT_CERT_NONE;
        t->self_signed = !o->ssl_cert;
        t->self_signed_name = o->host;
    } else {
        t->insecure = o->ssl_verify == 0;
    }
}

static int make_context(const htls_options_t *options, htls_ctx_t **ctx)
{
    char error[HTLS_ERROR_SIZE];
    int err = htls_ctx_new(options, ctx, error, sizeof(error));

    if (err == 0)
        return 0;
    hnc_say("%s", error);
    return err == HERR_SYNTAX ? HNC_USAGE : HNC_FAILED;
}

int tls_proxy_context(const options_t *o, htls_ctx_t **ctx)
{
    const htls_options_t options = {.ca_file = o->proxy_trustfile};

    *ctx = NULL;
    return o->proxy_trustfile ? make_context(&options, ctx) : 0;
}

int tls_context(hnc_t *hnc, htls_ctx_t **ctx)
{
    char fingerprint[104];
    htls_options_t t;
    int status;

    *ctx = NULL;
    if (!hnc->options.ssl)
        return 0;
    fill_in(hnc, &t);
    status = make_context(&t, ctx);
    if (status == 0 && t.self_signed) /* without it nobody could know whom he talks to */
        hnc_say("self-signed certificate, %s",
                htls_ctx_fingerprint(*ctx, fingerprint, sizeof(fingerprint)));
    return status;
}

const char *tls_name(const options_t *o)
{
    if (o->ssl_servername)
        return o->ssl_servername;
    return o->unix_path ? NULL : o->host;
}

/* ---- what was agreed on ---------------------------------------------------------------------- */

/* Names of a certificate are the peer's: nothing in them commands the terminal. */
static void print(const char *label, const char *text)
{
    char safe[2048];

    hstr_escape(safe, sizeof(safe), text, strlen(text));
    fprintf(stderr, "  %-12s %s\n", label, safe);
}

static void print_time(const char *label, time_t when)
{
    struct tm tm;
    char text[32] = "?";

    if (gmtime_r(&when, &tm))
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
    print(label, text);
}

static void print_cert(int index, const htls_cert_t *cert)
{
    fprintf(stderr, "Certificate %d\n", index);
    print("subject", cert->subject);
    print("issuer", cert->issuer);
    if (cert->names[0])
        print("names", cert->names);
    print_time("not before", cert->not_before);
    print_time("not after", cert->not_after);
    print("key", cert->key);
    print("signature", cert->signature);
    print("fingerprint", cert->fingerprint);
    print("pin", cert->pin);
}

void tls_report_chain(const hnc_t *hnc, const hio_t *io)
{
    htls_cert_t cert;

    if (!hnc->options.tls_info)
        return;
    for (int i = 0; i < HTLS_CHAIN_MAX && htls_peer_cert(io, i, &cert) == 0; i++)
        print_cert(i, &cert);
}

static void print_info(const htls_info_t *info)
{
    fprintf(stderr, "TLS\n");
    print("version", info->version);
    print("cipher", info->cipher);
    if (info->group[0])
        print("group", info->group);
    if (info->alpn[0])
        print("alpn", info->alpn);
    if (info->server_name[0])
        print("server name", info->server_name);
    print("verified", info->verified ? "yes" : "no");
    print("resumed", info->resumed ? "yes" : "no");
    print("kernel TLS", info->ktls_send && info->ktls_receive ? "both ways"
                        : info->ktls_send                     ? "sending"
                        : info->ktls_receive                  ? "receiving"
                                                              : "no");
}

void tls_report(const hnc_t *hnc, const hio_t *io)
{
    htls_info_t info;
    htls_cert_t cert;

    if ((!hnc->options.verbose && !hnc->options.tls_info) || htls_info(io, &info) != 0)
        return;
    if (hnc->options.tls_info) {
        print_info(&info);
        tls_report_chain(hnc, io);
        return;
    }
    if (htls_peer_cert(io, 0, &cert) == 0)
        hnc_note(hnc, "%s, %s, %s%s", info.version, info.cipher, cert.subject,
                 info.verified ? "" : " (not verified)");
    else
        hnc_note(hnc, "%s, %s", info.version, info.cipher);
}
