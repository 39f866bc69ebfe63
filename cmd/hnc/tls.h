/* tls: what client and server share of --ssl: the context that the options ask for, the host name
 * that is checked, and what is told about a handshake. */
#ifndef HNC_TLS_H
#define HNC_TLS_H

#include "hnc.h"
#include "net/htls.h"

/* The context for this run: a server's with -l. *ctx is NULL without --ssl, else for htls_ctx_free.
 * A certificate that was made now is told on stderr. 0, or an exit status once a message is
 * printed. */
int tls_context(hnc_t *hnc, htls_ctx_t **ctx);

/* The same for the https proxies of a client; *ctx is NULL where htls's defaults are right. */
int tls_proxy_context(const options_t *o, htls_ctx_t **ctx);

/* The name that a client sends and checks: --ssl-servername, or the host; NULL for a path, which no
 * certificate is for. */
const char *tls_name(const options_t *o);

/* After a handshake: with -v one line; with --tls-info version, cipher and chain. On stderr. */
void tls_report(const hnc_t *hnc, const hio_t *io);

/* With --tls-info: the chain of a handshake that failed, for it may be the reason. */
void tls_report_chain(const hnc_t *hnc, const hio_t *io);

#endif
