/* service_starttls: the words with which a protocol that has begun in the open goes over to TLS.
 * Pure: bytes in, what to do next out. RFC 3207 (SMTP), 9051 (IMAP), 2595 (POP3), 4217 (FTP), 4511
 * section 4.14 (LDAP), 6120 section 5 (XMPP); PostgreSQL and MySQL as their manuals have it. */
#ifndef HNMAP_SERVICE_STARTTLS_H
#define HNMAP_SERVICE_STARTTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum starttls_do_e {
    STARTTLS_WAIT,   /* for more of the answer */
    STARTTLS_SAY,    /* words, then the answer to them is the next step */
    STARTTLS_BEGIN,  /* the handshake */
    STARTTLS_REFUSED /* there is no TLS */
} starttls_do_e;

/* Whether a service of this name (as in the result) has such a way. */
bool service_has_starttls(const char *name);

/* What the answer so far (len bytes, since the last words) calls for at a step; steps count from 0
 * and go up with each STARTTLS_SAY. len may be 0: some speak first themselves. */
starttls_do_e service_starttls(const char *name, unsigned step, const uint8_t *data, size_t len,
                               const char **words, size_t *words_len);

#endif
