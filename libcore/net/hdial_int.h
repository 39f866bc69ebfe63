/* The inside of hdial, for its own files:
 *   hdial.c          start and end, the order of the steps, PROXY header, TLS, errors
 *   hdial_connect.c  resolve and connect: Happy Eyeballs
 *   hdial_proxy.c    the talk with one proxy */
#ifndef HNET_NET_HDIAL_INT_H
#define HNET_NET_HDIAL_INT_H

#include "../base/hlist.h"
#include "../event/htimer.h"
#include "hdial.h"

/* The addresses of one family, or those that were given. */
typedef struct hdial_family_s {
    haddr_t *addrs;
    size_t count, next;
    bool open; /* the name server is being asked */
    int err;
    hdns_query_t *query;
    char why[96];
} hdial_family_t;

typedef struct hdial_talk_s hdial_talk_t;
typedef struct hdial_login_s hdial_login_t;

/* What dial->timer is for. */
typedef enum {
    HDIAL_TIMER_REST,
    HDIAL_TIMER_BEGIN,
    HDIAL_TIMER_NAMES,   /* IPv4 addresses are there, a little more time for IPv6 */
    HDIAL_TIMER_ATTEMPT, /* the next address is tried beside the ones before */
    HDIAL_TIMER_PROXY,
    HDIAL_TIMER_TLS
} hdial_timer_e;

struct hdial_s {
    hloop_t *loop;
    hendpoint_t to;
    hdial_options_t options;
    hdial_cb cb;
    void *arg;
    hdns_t *dns;
    bool own_dns;
    bool done;
    uint64_t start_us;
    hdial_times_t times;
    htimer_t *total; /* NULL: no limit */
    htimer_t *timer; /* NULL: it was begun at once */
    hdial_timer_e timer_for;
    hdial_step_e step;

    /* The first hop: the end point, or the first proxy. */
    hendpoint_t hop;
    hdial_family_t families[2]; /* IPv6 and IPv4; or all that were given, in the first */
    int last_family;            /* of the attempt before */
    hlist_t attempts;
    haddr_t addr;
    hio_t *io; /* connected */

    size_t proxy;   /* this one is talked to; proxy_count: they are behind us */
    size_t secured; /* TLS was begun with so many of them */
    hdial_talk_t *talk;
    hdial_login_t *logins[HPROXY_CHAIN_MAX]; /* what proxies asked for */
    int proxy_status;
    htls_ctx_t *own_tls; /* for an https proxy, without options.proxy_tls */
    bool header_sent, tls_done;
    const char *tls_with; /* whose handshake it is, for messages */

    int err;
    size_t error_len, untold; /* reasons that found no room */
    char error[HDIAL_ERROR_SIZE];
};

/* hdial.c */
void hdial__set_timer(hdial_t *dial, hdial_timer_e what, int timeout_ms);
/* What the options say of talks and handshakes, or the usual one. */
int hdial__talk_timeout(const hdial_t *dial, int usual_ms);
/* Appends to the error line; false when there is no room, and then nothing was. */
bool hdial__say(hdial_t *dial, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The end: the callback runs and the dial is freed. */
void hdial__fail(hdial_t *dial, int err);
/* The next step on a connection that is ready for it. */
void hdial__proceed(hdial_t *dial);
/* dial->hop or another host's name for messages: "example.com port 443", "unix:/path". */
const char *hdial__name(const hendpoint_t *ep, char *buf, size_t size);
#define HDIAL_NAME_SIZE 300
/* dial->dns, made if need be. 0 or -ENOMEM. */
int hdial__need_dns(hdial_t *dial);
/* Starts TLS on dial->io; name NULL: no SNI. hdial__proceed or the end follows. */
void hdial__tls(hdial_t *dial, htls_ctx_t *ctx, const char *name, const char *with);
uint64_t hdial__elapsed_us(const hdial_t *dial); /* since the start, at least 1 */

/* hdial_connect.c */
void hdial__connect(hdial_t *dial); /* the beginning */
/* In its place, inside hdial_start, if that is possible: whether it has begun. */
bool hdial__connect_at_once(hdial_t *dial);
void hdial__connect_again(hdial_t *dial); /* to the address that has connected before */
void hdial__connect_timer(hdial_t *dial);
void hdial__connect_timed_out(hdial_t *dial); /* says which addresses have not answered */
void hdial__connect_deinit(hdial_t *dial);
int hdial__family(const hdial_t *dial); /* the one that may be used; 0: both */

/* hdial_proxy.c */
int hdial__proxy_hop(const hproxy_t *proxy, hendpoint_t *hop); /* 0 or an error */
void hdial__proxy_start(hdial_t *dial);
void hdial__proxy_timed_out(hdial_t *dial);
void hdial__proxy_deinit(hdial_t *dial);

#endif
