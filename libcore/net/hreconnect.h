/* hreconnect: how long to wait before the next try (reconn_setting_t, libhv's), and a client
 * connection that comes back by itself (hreconnect_t). */
#ifndef HNET_NET_HRECONNECT_H
#define HNET_NET_HRECONNECT_H

#include "../event/hio.h"
#include "../event/htimer.h"
#include "hdial.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DEFAULT_RECONNECT_MIN_DELAY 1000
#define DEFAULT_RECONNECT_MAX_DELAY 60000
#define DEFAULT_RECONNECT_DELAY_POLICY 2
#define DEFAULT_RECONNECT_MAX_RETRY_CNT INFINITE

typedef struct reconn_setting_s {
    uint32_t min_delay; /* ms, as are the next two */
    uint32_t max_delay;
    uint32_t cur_delay;
    uint32_t
        delay_policy; /* 0: always min_delay; 1: min_delay more each time; n: n times as long */
    uint32_t max_retry_cnt; /* INFINITE: no end */
    uint32_t cur_retry_cnt;
} reconn_setting_t;

/* The defaults: 1, 2, 4 ... 60, 60 seconds without end. */
void reconn_setting_init(reconn_setting_t *reconn);

/* As after a success: the next delay is the first one again. */
void reconn_setting_reset(reconn_setting_t *reconn);

/* Counts one retry and tells whether it is still within max_retry_cnt. */
bool reconn_setting_can_retry(reconn_setting_t *reconn);

/* The next delay in ms, between min_delay and max_delay (max_delay wins); never overflows. */
uint32_t reconn_setting_calc_delay(reconn_setting_t *reconn);

typedef struct hreconnect_s hreconnect_t;

/* Connected: set the callbacks of io (but close) and read. The hio lives until on_gone. */
typedef void (*hreconnect_connect_cb)(hreconnect_t *rc, hio_t *io);

/* A try failed or the connection has ended: err as hio_error tells. The next try starts in
 * next_delay_ms; -1: there is none, the retries are used up. */
typedef void (*hreconnect_gone_cb)(hreconnect_t *rc, int err, int64_t next_delay_ms);

typedef struct hreconnect_options_s {
    reconn_setting_t setting; /* all zero: reconn_setting_init */
    unsigned jitter_percent;  /* 0..100: each delay is shorter by a random part up to this */
    bool settled_by_program;  /* the delays begin anew when hreconnect_settled says so, not at each
                                 connect: for a server that may end a connection at once */
    int connect_timeout_ms;   /* 0: the default */
    hreconnect_connect_cb on_connect;
    hreconnect_gone_cb on_gone; /* may be NULL */
    void *userdata;
} hreconnect_options_t;

/* A connection to this stream address (IPv4, IPv6, UNIX) that is made again whenever it ends.
 * Nothing happens before hreconnect_start. NULL: out of memory, or bad arguments (errno tells). */
hreconnect_t *hreconnect_new(hloop_t *loop, const struct sockaddr *addr, socklen_t len,
                             const hreconnect_options_t *options);

/* The same by hdial: the name is looked up at each try, and proxies, TLS and time limits are as
 * dial says (NULL: defaults; connect_timeout_ms, if given, stands for its timeout_ms). What dial
 * points at lives as long as the hreconnect, its TLS contexts may be given back at once; its
 * attempt_cb and trying_cb get the hreconnect as arg. */
hreconnect_t *hreconnect_new_dial(hloop_t *loop, const hendpoint_t *to, const hdial_options_t *dial,
                                  const hreconnect_options_t *options);

/* In on_gone: why, in one line (hdial_error of a try that failed). Never NULL. */
const char *hreconnect_error(const hreconnect_t *rc);

/* Stops and frees. Legal in its own callbacks; before hloop_free. NULL is legal. */
void hreconnect_free(hreconnect_t *rc);

/* Starts to try, from the loop; the delays begin anew. Started twice is legal. 0 or -ENOMEM. */
int hreconnect_start(hreconnect_t *rc);

/* No more tries; a connection that stands is closed as hio_close does. No callback runs any more
 * until the next start. Legal in its callbacks. */
void hreconnect_stop(hreconnect_t *rc);

/* The connection has proved to be good: the delays begin anew. */
void hreconnect_settled(hreconnect_t *rc);

/* The connection, NULL when there is none or it is not made yet. Its context (hio_context) belongs
 * to the hreconnect; to end it alone and try again, hio_close it. */
hio_t *hreconnect_io(const hreconnect_t *rc);
void *hreconnect_userdata(const hreconnect_t *rc);

#ifdef __cplusplus
}
#endif

#endif
