/* herr: one error convention for the whole library.
 *
 * A function that can fail returns 0 or a count on success and a negative code on failure. A system
 * error is its errno negated (-ECONNREFUSED); what errno has no word for is one of HERR_* below.
 * Errors are returned, never stored globally and never printed. */
#ifndef HNET_BASE_HERR_H
#define HNET_BASE_HERR_H

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Own codes lie below every negated errno (Linux keeps errno under 4096). */
typedef enum herr_e {
    HERR_OK = 0,
    HERR_CLOSED = -5001,      /* the connection is closed or closing */
    HERR_STALE = -5002,       /* the handle names an object that no longer lives */
    HERR_QUEUE_FULL = -5003,  /* the write queue is past its hard limit; nothing was queued */
    HERR_FRAME_SIZE = -5004,  /* a frame is longer than the maximum that was set */
    HERR_FRAME = -5005,       /* a frame that cannot be one (negative or overflowing length) */
    HERR_HEARTBEAT = -5006,   /* the peer stopped answering heartbeats */
    HERR_RESOLVE = -5007,     /* a name did not resolve */
    HERR_SYNTAX = -5008,      /* text that does not follow its grammar */
    HERR_RANGE = -5009,       /* a number outside its range */
    HERR_UNSUPPORTED = -5010, /* built without it, its library is missing, or the kernel refuses */
    HERR_TLS = -5011,         /* the TLS handshake or a record failed; htls_error tells more */
    HERR_CERTIFICATE = -5012, /* the peer's certificate was not accepted; htls_error tells why */
    HERR_TRUNCATED = -5013,   /* the connection ended without the protocol's own end */
    HERR_PROXY = -5014,       /* the proxy refused, or its answer is no answer */
    HERR_PROTOCOL = -5015,    /* the peer does not speak the protocol that was expected */
    HERR_PIN = -5016          /* the peer's key is none of those that were pinned */
} herr_e;

/* The text of an error code ("Connection refused"); never NULL, static storage, thread-safe.
 * A code that is unknown gives "Unknown error". 0 gives "Success". */
const char *herr_str(int err);

/* The symbolic name ("ECONNREFUSED", "HERR_STALE"), for logs and JSON; "UNKNOWN" if
 * there is none. */
const char *herr_name(int err);

#ifdef __cplusplus
}
#endif

#endif
