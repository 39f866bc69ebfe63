/* hdial: from an end point to a connection that is ready to use:
 *
 *     resolve -> connect (Happy Eyeballs, RFC 8305) -> proxies, one after another -> PROXY header
 *             -> TLS handshake -> done
 *
 * The error tells which step failed, and why for every address that was tried. */
#ifndef HNET_NET_HDIAL_H
#define HNET_NET_HDIAL_H

#include "../codec/http_names.h"
#include "../event/hio.h"
#include "hdns.h"
#include "hendpoint.h"
#include "hproxy.h"
#include "hsocket.h"
#include "htls.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HDIAL_ERROR_SIZE 1024
#define HDIAL_TIMEOUT_MS 30000         /* the whole attempt */
#define HDIAL_ADDRESS_TIMEOUT_MS 10000 /* connecting to one address */
#define HDIAL_PROXY_TIMEOUT_MS 10000   /* the talk with one proxy */
#define HDIAL_ATTEMPT_DELAY_MS 250     /* Connection Attempt Delay, RFC 8305 section 5 */
#define HDIAL_RESOLUTION_DELAY_MS 50   /* section 3 */

typedef struct hdial_s hdial_t;

typedef enum {
    HDIAL_STEP_RESOLVE,
    HDIAL_STEP_CONNECT,
    HDIAL_STEP_PROXY,
    HDIAL_STEP_TLS,
    HDIAL_STEP_DONE
} hdial_step_e;

/* An address is tried (err 0), or did not answer; others may still be tried. For programs that tell
 * each of them. */
typedef void (*hdial_attempt_cb)(hdial_t *dial, const haddr_t *addr, int err, void *arg);

/* Whether this address may be connected to. False: it counts as one that failed with -EACCES. */
typedef bool (*hdial_addr_cb)(hdial_t *dial, const haddr_t *addr, void *arg);

/* The head of a CONNECT as it is sent (status 0), or of each of a proxy's answers to it, the 1xx
 * too: whole, with its empty line, valid during the call. proxy counts in the chain from 0 on. */
typedef void (*hdial_proxy_head_cb)(hdial_t *dial, size_t proxy, http_span_t head, int status,
                                    void *arg);

/* Credentials of http proxies: a set. */
typedef enum {
    HDIAL_PROXY_BASIC_UNASKED = 1, /* with the first request */
    HDIAL_PROXY_BASIC = 2,         /* for a 407 that wants it */
    HDIAL_PROXY_DIGEST = 4
} hdial_proxy_login_e;

/* How http proxies are asked; all zero is the default. */
typedef struct hdial_connect_options_s {
    bool http10;
    bool keep_alive;        /* "Proxy-Connection: Keep-Alive" */
    const char *user_agent; /* NULL: none */
    const http_extra_t *fields;
    size_t field_count;
    const char *user, *password; /* user NULL: what each proxy has */
    unsigned logins;             /* set of hdial_proxy_login_e; 0: what the proxy asks for */
    hdial_proxy_head_cb head_cb; /* NULL: none; its arg is that of hdial_start */
} hdial_connect_options_t;

/* All zero is the default. What it points at lives until the dial is over; the tls contexts may be
 * given back at once. */
typedef struct hdial_options_s {
    hdns_t *dns;              /* NULL: one for this dial */
    int family;               /* AF_INET, AF_INET6; 0: both */
    bool numeric;             /* names are an error: no resolver */
    int timeout_ms;           /* 0: HDIAL_TIMEOUT_MS, negative: none */
    int address_timeout_ms;   /* 0: HDIAL_ADDRESS_TIMEOUT_MS */
    int attempt_delay_ms;     /* 0: HDIAL_ATTEMPT_DELAY_MS; negative: one after another */
    hsocket_options_t socket; /* source address and port, interface, buffers ... */
    uint16_t port_last;       /* the source's port up to this one: the first that is free for the
                                 address; 0: only the source's */
    const haddr_t *addrs;     /* given: these are tried instead of resolving */
    size_t addr_count;
    const hproxy_t *proxies; /* the first is connected to, each reaches the next */
    size_t proxy_count;
    const hdial_connect_options_t *connect; /* NULL: the default */
    int talk_timeout_ms; /* with one proxy, and of each TLS handshake; 0: HDIAL_PROXY_TIMEOUT_MS and
                            HTLS_HANDSHAKE_TIMEOUT_MS, negative: as long as timeout_ms allows */
    int proxy_protocol;  /* 1 or 2: a PROXY protocol header of this version goes first (behind the
                           proxies, before TLS); 0: none */
    bool proxy_local;    /* ... that speaks for this program, not for a client: LOCAL,
                                    in version 1 UNKNOWN */
    const haddr_t *proxy_source; /* ... with these addresses; NULL: the connection's own; port 0:
                                    its own */
    const haddr_t *proxy_destination;
    htls_ctx_t *proxy_tls;       /* for https proxies; NULL: one with htls's defaults */
    htls_ctx_t *tls;             /* NULL: plain; a tls:// end point without one gives -EINVAL */
    const char *tls_name;        /* NULL: the host of the end point, localhost if it has none, and
                                    for a UNIX path none; "": no SNI, no name check */
    hdial_attempt_cb attempt_cb; /* did not answer; NULL: none */
    hdial_attempt_cb trying_cb;  /* is tried; NULL: none */
    hdial_addr_cb addr_cb;       /* asked for each address of `to`, not for those of a proxy; NULL:
                                    every one may be tried */
} hdial_options_t;

/* Once, from the loop and never inside hdial_start, unless cancelled: err 0 and a connected hio
 * that is not reading and has no callbacks; or io NULL, err, and hdial_error. Not a byte behind a
 * proxy's answer has been read. The dial is freed when the callback returns. */
typedef void (*hdial_cb)(hdial_t *dial, hio_t *io, int err, void *arg);

/* Starts. A datagram end point (udp, unixgram) is resolved and connected to the first address that
 * takes it. 0 and *dial (may be NULL), or -EINVAL, -ENOMEM. */
int hdial_start(hloop_t *loop, const hendpoint_t *to, const hdial_options_t *options, hdial_cb cb,
                void *arg, hdial_t **dial);

/* Gives up without a callback. Not in its callbacks. NULL is legal. */
void hdial_cancel(hdial_t *dial);

/* In the callback. One line without a program's name, for people: "connect to example.com port 443:
 * Connection refused (192.0.2.1), No route to host (2001:db8::1)", "proxy 127.0.0.1:3128: 407 Proxy
 * Authentication Required". */
const char *hdial_error(const hdial_t *dial);
hdial_step_e hdial_step(const hdial_t *dial); /* the one that failed, or HDIAL_STEP_DONE */

/* The status that the last http proxy has answered CONNECT with; 0: none has. */
int hdial_proxy_status(const hdial_t *dial);

/* The address that the connection goes to (the first proxy's, if there is one). */
const haddr_t *hdial_addr(const hdial_t *dial);

/* Microseconds since the start at which each step was done; 0: it was not needed. For the
 * program's statistics. */
typedef struct hdial_times_s {
    uint64_t resolved_us, connected_us, proxied_us, tls_us;
} hdial_times_t;
void hdial_times(const hdial_t *dial, hdial_times_t *times);

#ifdef __cplusplus
}
#endif

#endif
