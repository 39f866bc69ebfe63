/* session: one client's way through a service, whatever kind it is: who it is, where it leads, what
 * went through, and how it ended. The kinds (stream, datagram, forward) embed it. */
#ifndef HPROXY_SESSION_H
#define HPROXY_SESSION_H

#include "service.h"

/* Whoever sends datagrams, under any name, makes sessions: of those that nobody has answered so
 * many are told within that time, for each service; the rest is counted, and told in one line. */
#define SESSION_UNANSWERED_MAX 20
#define SESSION_UNANSWERED_MS 10000

/* How it ended: a row of the access log, a label of the metrics. */
typedef enum session_end_e {
    SESSION_DONE = 0,       /* both sides said all that they had */
    SESSION_DENIED,         /* a list, or a rule of destinations, says no */
    SESSION_LIMITED,        /* too many at once, or too fast */
    SESSION_BAD_REQUEST,    /* PROXY header, TLS handshake, SOCKS or HTTP request */
    SESSION_UNAUTHORIZED,   /* no right password */
    SESSION_SLOW,           /* the same, not in time */
    SESSION_NO_TARGET,      /* none is up, or the name does not resolve */
    SESSION_CONNECT_FAILED, /* each that was tried refused, or did not answer */
    SESSION_CLIENT_ERROR,   /* the client's connection broke: reset */
    SESSION_TARGET_ERROR,   /* the target's did */
    SESSION_IDLE,           /* nobody said anything */
    SESSION_EXPIRED,        /* it lasted too long */
    SESSION_STOPPED,        /* the proxy was stopped, or drained too long */
    SESSION_NO_RESOURCES,   /* descriptors or memory of our own */
    SESSION_ENDS
} session_end_e;

/* "done", "denied" ...: for logs and labels. */
const char *session_end_name(session_end_e end);

/* That of a PROXY header, handshake, log-in or request that the error ended before it was whole. */
session_end_e session_end_of_request(int err);

typedef struct session_s {
    hlist_t link; /* in the service */
    service_t *service;
    haddr_t client;          /* who it is: of the PROXY header, or of the socket */
    haddr_t peer;            /* the socket's, where these differ; len 0: they do not */
    htarget_t *target;       /* picked and not yet released; NULL: none */
    const char *protocol;    /* "tcp", "tls", "unix", "udp", "unixgram", "socks5", "http" ... */
    char *user;              /* who logged in; NULL: nobody. Owned */
    char *destination;       /* forward proxy: what was asked for; NULL: the target tells. Owned */
    uint64_t start_us;       /* hloop_now_us when it came */
    uint64_t connected_us;   /* when its target stood; 0: it never did */
    uint64_t sent_bytes;     /* client to target */
    uint64_t received_bytes; /* target to client */
    uint64_t told_sent_bytes, told_received_bytes; /* what of them is counted already */
    /* Sets the bytes as they are now; NULL: they are set when it ends. */
    void (*measure)(struct session_s *session);
    bool datagrams;      /* one of the client makes it: SESSION_UNANSWERED_MAX */
    bool expects_header; /* who it is comes with a PROXY header: session_admit */
    bool entered;        /* the limits in all count it; identified: those of its client, too */
    bool identified;
} session_t;

/* Begins a zeroed one, whose client and protocol are set: counts it, links it into its service. The
 * lists (allow, deny) and the limits are asked for its client; if it expects a header only the
 * limits in all, and the rest by session_admit, once client is who the header says. 0, or a
 * negative error: it may not come, and is over (told and counted), but for its memory. */
int session_begin(session_t *session, service_t *service);
int session_admit(session_t *session);

/* Counts the bytes that sessions under way have moved: /metrics has them before they end. */
void session_publish(service_t *service);

/* Tells of those that were not told, as far as there are any. */
void session_tell_unanswered(service_t *service);

/* Ends it, once: logs (why: a line of words, or ""; control characters are escaped), counts,
 * releases target and limits, frees what it owns, not itself. May let the lane be drained, later
 * and not from inside. */
void session_end(session_t *session, session_end_e end, const char *why);

#endif
