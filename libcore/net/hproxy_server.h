/* hproxy_server: the server side of a proxy: HTTP (CONNECT, and requests with a whole http:// URL),
 * SOCKS4, SOCKS4a and SOCKS5 (CONNECT, UDP ASSOCIATE). It takes an accepted connection, hears what
 * is wanted within a time limit, asks who it is, rules and a policy, dials, answers, and joins the
 * two (hrelay).
 *
 *     negotiate -> (log in) -> policy, rules -> dial -> answer -> relay
 *                                            -> UDP ASSOCIATE: datagrams, until the client closes
 *
 * Whatever fails, the client gets the answer that its protocol has for it, and the connection is
 * closed. Bytes behind a CONNECT go to the other side; a request with a whole URL is the last one
 * of its connection, so that nothing behind it can be taken for another's.
 *
 * A UDP association (RFC 1928 section 7) takes whole datagrams from the address that its client
 * came from, and from one port of it; passes on to it what comes back from those that it has sent
 * to; and drops all else. */
#ifndef HNET_NET_HPROXY_SERVER_H
#define HNET_NET_HPROXY_SERVER_H

#include "hdestination.h"
#include "hdial.h"
#include "husers.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HPROXY_SERVER_TIMEOUT_MS 10000 /* from accept to the whole request */
#define HPROXY_SERVER_CLIENTS_MAX 65536
#define HPROXY_SERVER_ERROR_SIZE HDIAL_ERROR_SIZE
#define HPROXY_SERVER_USER_SIZE 256
#define HPROXY_SERVER_TRIES_MAX 8 /* requests without right credentials on one connection */
#define HPROXY_UDP_IDLE_MS 120000 /* without a datagram either way an association ends */
#define HPROXY_UDP_PEERS_MAX 256  /* that answers may come from: those that were sent to last */
#define HPROXY_UDP_NAMES_MAX 16   /* datagrams that wait for a name to be resolved */

typedef struct hproxy_server_s hproxy_server_t;

/* What is spoken; they can be told apart by the first byte, so one port may serve all. */
#define HPROXY_SERVE_HTTP 1
#define HPROXY_SERVE_SOCKS4 2 /* and 4a */
#define HPROXY_SERVE_SOCKS5 4
#define HPROXY_SERVE_ALL 7
#define HPROXY_SERVE_UDP 8 /* and SOCKS5's UDP ASSOCIATE */

/* How far a session has come. */
typedef enum {
    HPROXY_STAGE_REQUEST, /* it is not known what is wanted */
    HPROXY_STAGE_LOGIN,   /* who it is, does not count */
    HPROXY_STAGE_RULES,   /* it may not go there */
    HPROXY_STAGE_DIAL,    /* nothing stands there */
    HPROXY_STAGE_RELAY
} hproxy_stage_e;

/* One client, as the callbacks see it. */
typedef struct hproxy_session_s {
    hproxy_server_t *server;
    hio_t *io;            /* the client's connection */
    const char *protocol; /* "http", "socks4", "socks4a", "socks5" */
    const char *user;     /* who has logged in; "": nobody */
    const char *method;   /* HTTP: "CONNECT", "GET" ...; SOCKS: "CONNECT" */
    hproxy_stage_e stage;
    const char *why;         /* at the end: the last words of text, about this session's end */
    bool has_left;           /* at the end: the client has closed, or its connection broke */
    haddr_t client;          /* its address; len 0: a UNIX socket */
    hendpoint_t to;          /* its host in the plain spelling (hhost.h); policy may change it */
    uint64_t udp_sent_bytes; /* of an association: the data of datagrams from the client */
    uint64_t udp_received_bytes;
} hproxy_session_t;

/* Whether the client may go there: 0, or a negative error, -EACCES for most: the client is told
 * that it is forbidden. It must not close the connection. */
typedef int (*hproxy_policy_cb)(hproxy_session_t *session, void *arg);

/* Once for each session, which is valid during the call. err 0: the relay has begun, upstream is
 * the other side; the close callbacks and user data of both are the program's, also the read
 * callbacks of a tunnel (hrelay). err 0 and no upstream: an association is over. Else: the session
 * came to nothing, its connection is in its close callback, as it is for an association. text is
 * one line in all cases: "socks5 CONNECT from 127.0.0.1:4711 to example.com:80: connection
 * refused". */
typedef void (*hproxy_session_cb)(const hproxy_session_t *session, hio_t *upstream, int err,
                                  const char *text, void *arg);

/* All zero: everything is served, to everyone, everywhere but back to itself. Strings are copied,
 * dial's own pointers, users and destinations are borrowed and live as long as the server. */
typedef struct hproxy_server_options_s {
    int serve;             /* HPROXY_SERVE_*; 0: HPROXY_SERVE_ALL */
    const husers_t *users; /* NULL: user alone. Where there are users SOCKS4, which has no
                              passwords, is refused */
    const char *user;      /* NULL: no log-in */
    const char *password;  /* NULL: "" */
    const char *realm;     /* NULL: "hnet" */
    bool no_basic;         /* HTTP: Digest alone; not with hashes among users */
    int timeout_ms;        /* 0: HPROXY_SERVER_TIMEOUT_MS, negative: none */
    int udp_idle_ms;       /* 0: HPROXY_UDP_IDLE_MS, negative: none */
    hdial_options_t dial;  /* for every connection; its dns NULL: one for all. With proxies there is
                              no UDP ASSOCIATE */
    const hdestination_t *destinations; /* NULL: everywhere. Rules for addresses see those of a name
                                           unless a proxy of dial resolves it */
    hproxy_policy_cb policy;            /* before the rules */
    hproxy_session_cb session;
    void *arg; /* of both */
} hproxy_server_options_t;

/* A server on this loop. 0 and *server; -EINVAL (a user with a colon, too long; no_basic with
 * hashes), -ENOMEM. */
int hproxy_server_new(hloop_t *loop, const hproxy_server_options_t *options,
                      hproxy_server_t **server);

/* Takes an accepted hio (TLS or plain): its callbacks and context are the server's until the
 * session callback; user data stays the program's. 0; or -ENOMEM, -EMFILE
 * (HPROXY_SERVER_CLIENTS_MAX), HERR_CLOSED, and then io is the caller's. */
int hproxy_server_accept(hproxy_server_t *server, hio_t *io);

/* Likewise, for a client whose address is another than the connection's (a PROXY header). */
int hproxy_server_accept_from(hproxy_server_t *server, hio_t *io, const haddr_t *client);

/* Sessions that are not relays, associations among them, are closed, without their callback; relays
 * go on. NULL is legal. Not in its callbacks. */
void hproxy_server_free(hproxy_server_t *server);

/* Sessions that negotiate or dial, and associations. */
size_t hproxy_server_pending(const hproxy_server_t *server);

#ifdef __cplusplus
}
#endif

#endif
