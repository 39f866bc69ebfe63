/* The inside of hproxy_server, for its own files:
 *   hproxy_server.c         sessions: reading, time limits, policy, dialling, the relay, the end
 *   hproxy_server_http.c    HTTP
 *   hproxy_server_socks.c   SOCKS4, 4a and 5
 *   hproxy_server_udp.c     associations of SOCKS5 */
#ifndef HNET_NET_HPROXY_SERVER_INT_H
#define HNET_NET_HPROXY_SERVER_INT_H

#include "../base/hbuf.h"
#include "../base/hlist.h"
#include "../codec/http_auth.h"
#include "../codec/http_connect.h"
#include "../codec/socks.h"
#include "../event/htimer.h"
#include "hlogin.h"
#include "hproxy_server.h"

#define HPROXY_METHOD_SIZE 32
#define HPROXY_NONCE_SECRET_SIZE 33

typedef struct hproxy__session_s hproxy__session_t;
typedef struct hproxy__udp_s hproxy__udp_t;

/* What is spoken to the client. */
typedef struct hproxy__dialect_s {
    /* More bytes are in s->in: ends in hproxy__request or hproxy__end, or waits. */
    void (*input)(hproxy__session_t *s);
    /* What became of hproxy__login. */
    void (*login)(hproxy__session_t *s, hlogin_verdict_e verdict);
    /* Writes the answer for this error. early: there was no request yet. */
    void (*refuse)(hproxy__session_t *s, int err, bool early);
    /* Tells the client and joins both. 0 or an error; s->in holds what came behind the request. */
    int (*join)(hproxy__session_t *s, hio_t *upstream);
    /* Tells the client where datagrams go to. 0 or an error. */
    int (*associated)(hproxy__session_t *s, const haddr_t *bound);
} hproxy__dialect_t;

extern const hproxy__dialect_t hproxy__http;
extern const hproxy__dialect_t hproxy__socks;

typedef enum {
    HPROXY_NEGOTIATE,
    HPROXY_LOGIN, /* a password is being looked at */
    HPROXY_DIAL,
    HPROXY_UDP,
    HPROXY_ENDED /* the close callback will come */
} hproxy__state_e;

struct hproxy__session_s {
    hproxy_session_t pub;
    hlist_t node;
    hproxy__state_e state;
    const hproxy__dialect_t *dialect; /* NULL: nothing has come */
    hlogin_job_t *job;
    hdial_t *dial;
    bool refused_address; /* the rules did */
    hproxy__udp_t *udp;
    htimer_t *timer;
    hbytes_t in;
    http_scan_t scan;
    size_t head_len; /* HTTP: of the request, in `in` */
    unsigned tries;
    socks_server_t socks;
    int err;
    char peer[HADDR_FORMAT_SIZE];
    char method[HPROXY_METHOD_SIZE];
    char user[HPROXY_SERVER_USER_SIZE];
    char text[HPROXY_SERVER_ERROR_SIZE];
};

struct hproxy_server_s {
    hloop_t *loop;
    hproxy_server_options_t options;
    hdns_t *dns; /* NULL: the options have one, or none was needed yet */
    hlist_t sessions;
    size_t count;
    husers_t *own_users;
    hlogin_t *login; /* NULL: nobody needs one */
    char *realm;
    char secret[HPROXY_NONCE_SECRET_SIZE];
};

/* The request is known, in pub.to (host and port as text come from the client): policy, then the
 * dial. method is cut to HPROXY_METHOD_SIZE. */
void hproxy__request(hproxy__session_t *s, const char *host, uint16_t port, http_span_t method);

/* Likewise, for datagrams; host and port are where the client says that it sends from. */
void hproxy__associate(hproxy__session_t *s, const char *host, uint16_t port);

/* Looks at name and password; the dialect's login tells, now or later. */
void hproxy__login(hproxy__session_t *s, const char *user, const char *password);

/* Names, for server->options.dial and others. 0, or -ENOMEM. */
int hproxy__need_dns(hproxy_server_t *server, hdns_t **dns);

/* Whether the rules let the client go to this address, which it knows as host. */
bool hproxy__may_go(const hproxy__session_t *s, const char *host, const haddr_t *addr);

/* hproxy_server_udp.c: makes s->udp. 0 and the address that the client sends to, or an error. */
int hproxy__udp_start(hproxy__session_t *s, haddr_t *bound);
void hproxy__udp_free(hproxy__udp_t *udp);

/* The session comes to nothing. What was written is sent, then the connection ends. */
void hproxy__end(hproxy__session_t *s, int err, const char *why);

/* Answers with what the dialect has for err, and ends. */
void hproxy__refuse(hproxy__session_t *s, int err, const char *why);

#endif
