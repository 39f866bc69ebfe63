/* Options to an SSL_CTX: protocol and callbacks. */
#include "htls_int.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Forward secret and authenticated, nothing else: for TLS 1.2 as 1.3 has it by itself. AES-128
 * first, it is as good as 256 and faster where that matters. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"
#define GROUPS_HYBRID "X25519MLKEM768:" GROUPS /* from OpenSSL 3.5 on */
#define CIPHERS_SIZE 1024
#define SECURITY_LEVEL 2 /* 112 bits: RSA 2048, EC 224 */

static int bad(const htls_report_t *report, const char *what, const char *value)
{
    return htls__report(report, HERR_SYNTAX, "%s: \"%s\" is not understood", what, value);
}

/* ---- ciphers --------------------------------------------------------------------------------- */

static int append(char *list, const char *item, size_t len)
{
    size_t used = strlen(list);

    if (used + len + 2 > CIPHERS_SIZE)
        return HERR_SYNTAX;
    if (used > 0)
        list[used++] = ':';
    memcpy(list + used, item, len);
    list[used + len] = '\0';
    return 0;
}

/* OpenSSL has a list for 1.2 and one for 1.3, people have one. */
static int set_ciphers(SSL_CTX *ssl_ctx, const char *ciphers, const htls_report_t *report)
{
    char old[CIPHERS_SIZE] = "", suites[CIPHERS_SIZE] = "";
    int rc = 0;

    for (const char *p = ciphers ? ciphers : ""; rc == 0 && *p;) {
        size_t len = strcspn(p, ":, ");

        if (len > 0)
            rc = append(strncmp(p, "TLS_", 4) == 0 ? suites : old, p, len);
        p += len + (p[len] != '\0');
    }
    if (rc == 0 && OSSL.SSL_CTX_set_ciphersuites(ssl_ctx, suites[0] ? suites : CIPHERS_13) == 1 &&
        OSSL.SSL_CTX_set_cipher_list(ssl_ctx, old[0] ? old : CIPHERS) == 1)
        return 0;
    return bad(report, "ciphers", ciphers ? ciphers : CIPHERS);
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    const htls_ctx_t *ctx = ((htls_t *)OSSL.SSL_get_ex_data(ssl, 0))->ctx;

    (void)arg;
    if (OSSL.SSL_select_next_proto((unsigned char **)out, out_len, ctx->alpn, ctx->alpn_len, in,
                                   in_len) == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return ctx->options.alpn_required ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    const htls_set_t *set = ((htls_t *)OSSL.SSL_get_ex_data(ssl, 0))->set;
    const char *name = OSSL.SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    (void)arg;
    for (size_t i = 1; name && i < set->count; i++) {
        X509 *cert = OSSL.SSL_CTX_get0_certificate(set->ctxs[i]);

        if (cert &&
            OSSL.X509_check_host(cert, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1) {
            OSSL.SSL_set_SSL_CTX(ssl, set->ctxs[i]);
            break;
        }
    }
    return SSL_TLSEXT_ERR_OK;
}

/* Lines of many connections end up in one file: each is one write. */
static void on_keylog(const SSL *ssl, const char *line)
{
    const htls_ctx_t *ctx = ((htls_t *)OSSL.SSL_get_ex_data(ssl, 0))->ctx;
    char text[1024];
    int len = snprintf(text, sizeof(text), "%s\n", line);

    if (len > 0 && (size_t)len < sizeof(text) && write(ctx->keylog_fd, text, (size_t)len) < 0)
        return; /* a disk that is full must not end connections */
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void set_server(SSL_CTX *ssl_ctx, htls_ctx_t *ctx)
{
    static const int modes[] = {
        [HTLS_CLIENT_CERT_NONE] = SSL_VERIFY_NONE,
        [HTLS_CLIENT_CERT_OPTIONAL] = SSL_VERIFY_PEER,
        [HTLS_CLIENT_CERT_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    };
    static const unsigned char id[] = "hnet";

    OSSL.SSL_CTX_set_verify(ssl_ctx, modes[ctx->options.client_cert], NULL);
    OSSL.SSL_CTX_ctrl(ssl_ctx, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    OSSL.SSL_CTX_set_session_id_context(ssl_ctx, id, sizeof(id) - 1);
    OSSL.SSL_CTX_callback_ctrl(ssl_ctx, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                               (void (*)(void))on_server_name);
    if (ctx->alpn_len)
        OSSL.SSL_CTX_set_alpn_select_cb(ssl_ctx, on_alpn, NULL);
    if (ctx->options.no_tickets)
        OSSL.SSL_CTX_set_num_tickets(ssl_ctx, 0);
}

static void set_client(SSL_CTX *ssl_ctx, htls_ctx_t *ctx)
{
    int cache = SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL;

    if (ctx->options.no_tickets)
        cache = SSL_SESS_CACHE_OFF;
    /* Also when anything goes: htls__verify looks at the pin, and keeps what was refused. */
    OSSL.SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
    OSSL.SSL_CTX_ctrl(ssl_ctx, SSL_CTRL_SET_SESS_CACHE_MODE, cache, NULL);
    OSSL.SSL_CTX_sess_set_new_cb(ssl_ctx, htls__session_new);
    if (ctx->alpn_len)
        OSSL.SSL_CTX_set_alpn_protos(ssl_ctx, ctx->alpn, ctx->alpn_len);
}

static void set_flags(SSL_CTX *ssl_ctx, const htls_options_t *options)
{
    uint64_t flags = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_PRIORITIZE_CHACHA |
                     SSL_OP_CIPHER_SERVER_PREFERENCE;
    long mode = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                SSL_MODE_RELEASE_BUFFERS;

    flags |= options->no_tickets ? SSL_OP_NO_TICKET : 0;
    flags |= options->no_ktls ? 0 : SSL_OP_ENABLE_KTLS;
    OSSL.SSL_CTX_set_options(ssl_ctx, flags);
    OSSL.SSL_CTX_ctrl(ssl_ctx, SSL_CTRL_MODE, mode, NULL);
    OSSL.SSL_CTX_set_security_level(ssl_ctx, SECURITY_LEVEL);
}

static bool set_groups(SSL_CTX *ssl_ctx, const char *groups)
{
    const char *lists[] = {groups ? groups : GROUPS_HYBRID, groups ? NULL : GROUPS};
    bool set = false;

    for (size_t i = 0; !set && i < 2 && lists[i]; i++)
        set = OSSL.SSL_CTX_ctrl(ssl_ctx, SSL_CTRL_SET_GROUPS_LIST, 0, (void *)lists[i]) == 1;
    return set;
}

static int set_protocol(SSL_CTX *ssl_ctx, htls_ctx_t *ctx, const htls_report_t *report)
{
    const htls_options_t *options = &ctx->options;
    int min = options->version_min ? (int)options->version_min : HTLS_VERSION_1_2;
    int max = options->version_max ? (int)options->version_max : HTLS_VERSION_1_3;

    set_flags(ssl_ctx, options);
    if (min > max || OSSL.SSL_CTX_ctrl(ssl_ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, min, NULL) != 1 ||
        OSSL.SSL_CTX_ctrl(ssl_ctx, SSL_CTRL_SET_MAX_PROTO_VERSION, max, NULL) != 1)
        return htls__report(report, HERR_SYNTAX, "no such range of TLS versions");
    if (!set_groups(ssl_ctx, options->groups))
        return bad(report, "groups", options->groups ? options->groups : GROUPS);
    return htls__part(report, HTLS_PART_CIPHERS, set_ciphers(ssl_ctx, options->ciphers, report));
}

int htls__make(htls_ctx_t *ctx, const htls_cert_files_t *files, SSL_CTX **out,
               const htls_report_t *report)
{
    const htls_options_t *options = &ctx->options;
    SSL_CTX *ssl_ctx =
        OSSL.SSL_CTX_new(options->server ? OSSL.TLS_server_method() : OSSL.TLS_client_method());
    int rc;

    if (!ssl_ctx)
        return htls__report(report, -ENOMEM, "out of memory");
    rc = set_protocol(ssl_ctx, ctx, report);
    if (rc == 0)
        rc = htls__part(report, HTLS_PART_CERTIFICATE, htls__own(ssl_ctx, ctx, files, report));
    if (rc == 0)
        rc = htls__trust(ssl_ctx, options, report);
    if (rc < 0) {
        OSSL.SSL_CTX_free(ssl_ctx);
        OSSL.ERR_clear_error();
        return rc;
    }
    OSSL.SSL_CTX_set_cert_verify_callback(ssl_ctx, htls__verify, NULL);
    if (ctx->keylog_fd >= 0)
        OSSL.SSL_CTX_set_keylog_callback(ssl_ctx, on_keylog);
    if (options->server)
        set_server(ssl_ctx, ctx);
    else
        set_client(ssl_ctx, ctx);
    *out = ssl_ctx;
    return 0;
}
