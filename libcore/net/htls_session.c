/* The sessions that a client may resume: the latest of each name, in the context, the oldest
 * forgotten first. A TLS 1.3 ticket is used once (RFC 8446 appendix C.4). */
#include "htls_int.h"

#include "../base/hmem.h"

#include <string.h>

typedef struct entry_s {
    hlist_t link;
    SSL_SESSION *session;
    char name[];
} entry_t;

static entry_t *find(htls_ctx_t *ctx, const char *name)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &ctx->sessions) {
        entry_t *entry = HLIST_ENTRY(node, entry_t, link);

        if (strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

static void forget(htls_ctx_t *ctx, entry_t *entry)
{
    hlist_remove(&entry->link);
    ctx->session_count--;
    OSSL.SSL_SESSION_free(entry->session);
    hmem_free(entry);
}

static void remember(htls_ctx_t *ctx, entry_t *entry)
{
    entry_t *old = find(ctx, entry->name);

    if (old)
        forget(ctx, old);
    else if (ctx->session_count == HTLS_SESSIONS_MAX)
        forget(ctx, HLIST_ENTRY(ctx->sessions.next, entry_t, link));
    hlist_push_back(&ctx->sessions, &entry->link);
    ctx->session_count++;
}

/* Returns 1 if the session is kept: it is ours then. */
int htls__session_new(SSL *ssl, SSL_SESSION *session)
{
    htls_t *tls = OSSL.SSL_get_ex_data(ssl, 0);
    size_t size = tls->name ? strlen(tls->name) + 1 : 0;
    entry_t *entry = size ? hmem_alloc(sizeof(*entry) + size) : NULL;

    if (!entry)
        return 0;
    memset(entry, 0, sizeof(*entry));
    entry->session = session;
    memcpy(entry->name, tls->name, size);
    pthread_mutex_lock(&tls->ctx->lock);
    if (tls->set == tls->ctx->set) {
        remember(tls->ctx, entry);
        entry = NULL;
    }
    pthread_mutex_unlock(&tls->ctx->lock);
    if (entry) /* of before a reload */
        hmem_free(entry);
    return entry == NULL;
}

void htls__session_use(htls_t *tls)
{
    entry_t *entry;

    if (!tls->name)
        return;
    pthread_mutex_lock(&tls->ctx->lock);
    entry = find(tls->ctx, tls->name);
    if (entry && tls->set == tls->ctx->set) {
        OSSL.SSL_set_session(tls->ssl, entry->session);
        if (OSSL.SSL_SESSION_get_protocol_version(entry->session) >= TLS1_3_VERSION)
            forget(tls->ctx, entry);
    }
    pthread_mutex_unlock(&tls->ctx->lock);
}

void htls__sessions_clear(htls_ctx_t *ctx)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &ctx->sessions)
        forget(ctx, HLIST_ENTRY(node, entry_t, link));
}
