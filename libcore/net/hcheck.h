/* hcheck: asks one address again and again whether it is well. What a check does, in this order, as
 * far as it is wanted:
 *
 *     connect -> PROXY header (LOCAL) -> TLS handshake -> send, expect | HTTP GET, status
 *
 * A datagram socket sends (an empty datagram, if there is nothing to send) and is well when what is
 * expected comes; if nothing is expected, when no "port unreachable" comes within the time
 * limit. */
#ifndef HNET_NET_HCHECK_H
#define HNET_NET_HCHECK_H

#include "../event/hloop.h"
#include "haddr.h"
#include "htls.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HCHECK_INTERVAL_MS 5000
#define HCHECK_TIMEOUT_MS 3000
#define HCHECK_DATAGRAM_MS 500 /* that silence of a datagram socket is waited for, at most */
#define HCHECK_JITTER_PERCENT 10
#define HCHECK_RISE 2
#define HCHECK_FALL 3
#define HCHECK_REPLY_MAX 4096 /* what is expected comes within so many bytes */
#define HCHECK_HEAD_MAX 16384 /* the head of an HTTP response */
#define HCHECK_SEND_MAX 4096
#define HCHECK_WHY_SIZE 256

typedef enum hcheck_kind_e {
    HCHECK_NONE = 0, /* for programs whose checks are optional */
    HCHECK_CONNECT,
    HCHECK_TLS, /* the handshake alone */
    HCHECK_TALK,
    HCHECK_HTTP
} hcheck_kind_e;

/* All but kind may be zero. send, expect and tls_name are borrowed for as long as the check lives,
 * the rest until hcheck_new returns. */
typedef struct hcheck_options_s {
    hcheck_kind_e kind;
    bool datagram;           /* the address is that of a datagram socket */
    uint32_t interval_ms;    /* from one to the next; 0: HCHECK_INTERVAL_MS */
    uint32_t timeout_ms;     /* of all of it; 0: HCHECK_TIMEOUT_MS */
    unsigned jitter_percent; /* 0: HCHECK_JITTER_PERCENT: an interval is up to this longer or
                                shorter; 1..50 */
    unsigned rise, fall;     /* for hhealth_result; 0: HCHECK_RISE, HCHECK_FALL */
    uint16_t port;           /* 0: that of the address */
    const void *send;        /* HCHECK_TALK; NULL: nothing */
    size_t send_len;         /* at most HCHECK_SEND_MAX */
    const void *expect;      /* somewhere in the first HCHECK_REPLY_MAX bytes; NULL: nothing */
    size_t expect_len;
    const char *http_path;     /* HCHECK_HTTP: GET of it; NULL: "/" */
    const char *http_host;     /* Host; NULL: tls_name, or the address */
    int http_first, http_last; /* statuses that are well; 0: 200 to 399 */
    htls_ctx_t *tls;           /* NULL: plain (HCHECK_TLS needs it); may be given back at once */
    const char *tls_name;      /* SNI and the name in the certificate; NULL or "": neither */
    int proxy_protocol; /* 1 or 2: with a header of this version that says that the proxy itself
                               asks; 0: without */
} hcheck_options_t;

typedef struct hcheck_s hcheck_t;

typedef struct hcheck_result_s {
    int err;             /* 0: it is well; else what failed */
    int status;          /* of HTTP; 0: none came */
    uint64_t elapsed_us; /* the check took */
    const char *why;     /* "" or one line: "connect to 127.0.0.1 port 80: Connection refused",
                            "HTTP status 503", "no reply within 3 s"; valid during the call */
} hcheck_result_t;

/* After each check, from the loop. hcheck_free is legal in it. */
typedef void (*hcheck_cb)(hcheck_t *check, const hcheck_result_t *result, void *arg);

/* Starts: the first check comes at once, from the loop. A check begins when the one before is done.
 * 0 and *check; -EINVAL (a number outside its range, a path or a host that cannot stand in a
 * request, an address that cannot be connected to, TLS, HTTP or a PROXY header over datagrams) or
 * -ENOMEM. */
int hcheck_new(hloop_t *loop, const haddr_t *addr, const hcheck_options_t *options, hcheck_cb cb,
               void *arg, hcheck_t **check);

/* Whether hcheck_new will take them, whatever the address. */
bool hcheck_is_valid(const hcheck_options_t *options);

/* Ends it, without a callback. NULL is legal. */
void hcheck_free(hcheck_t *check);

/* "200", "2xx", "200-399" as http_first and http_last. 0, HERR_SYNTAX or HERR_RANGE (not within
 * 100..999, or upside down). */
int hcheck_parse_status(const char *text, int *first, int *last);

#ifdef __cplusplus
}
#endif

#endif
