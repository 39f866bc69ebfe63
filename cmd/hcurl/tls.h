/* tls: who is trusted, who we are, and what is spoken, to servers and to https proxies. */
#ifndef HCURL_TLS_H
#define HCURL_TLS_H

#include "app/hopt.h"
#include "proto/http_client.h"

typedef struct tls_side_options_s {
    bool insecure;
    const char *ca_file, *ca_dir, *crl_file;
    char *cert, *password; /* owned: --cert FILE[:PASSWORD], --pass */
    const char *key;
    const char *cert_type, *key_type; /* NULL: PEM */
    const char *pinned;
    const char *ciphers, *ciphers_13;
    int version_min, version_max; /* 10 to 13 for 1.0 to 1.3; 0: not given */
} tls_side_options_t;

typedef struct tls_options_s {
    tls_side_options_t server, proxy;
    const char *curves;
    bool no_alpn, no_sessions;
} tls_options_t;

extern const hopt_t tls_rows[]; /* bound to a tls_options_t */
void tls_options_deinit(tls_options_t *options);

/* What the options come to. Zero-initialised is nothing. */
typedef struct tls_s {
    htls_options_t server, proxy;
    char *server_ciphers, *proxy_ciphers; /* both lists in one */
    htls_ctx_t *server_ctx, *proxy_ctx;   /* made when the first connection needs them */
} tls_t;

/* Fills what of a client is said here, and what the environment says of certificates. No file is
 * read yet, no library loaded. What the client then points at are the tls_t and the options, until
 * it is gone; then tls_free. 0, or an exit status (status.h) and one line. */
int tls_apply(const tls_options_t *options, tls_t *tls, http_client_options_t *client,
              hbytes_t *error);
void tls_free(tls_t *tls);

#endif
