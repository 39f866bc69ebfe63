/* redis_pubsub: messages to and from channels of a Redis server, on the loop. It keeps two
 * connections (RESP2: one that subscribes does nothing else), makes each again when it ends, asks
 * for the same channels again, and keeps for a while what could not be published meanwhile.
 *
 *     redis_pubsub_new -> LOST (why) ... CONNECTED -> messages -> LOST (why) -> CONNECTED ...
 *
 * A message arrives at most once: what is published into a connection that ends is lost, as Redis
 * itself drops what nobody is subscribed to. */
#ifndef HNET_PROTO_REDIS_PUBSUB_H
#define HNET_PROTO_REDIS_PUBSUB_H

#include "../net/hdial.h"
#include "redis_reply.h"
#include "redis_url.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REDIS_PUBSUB_TIMEOUT_MS 10000 /* of a try: connecting, and then until it is answered */
#define REDIS_PUBSUB_PING_MS 5000     /* a server that is silent for three of these is given up */
#define REDIS_PUBSUB_DELAY_MIN_MS 500 /* before the second try, doubled at each */
#define REDIS_PUBSUB_DELAY_MAX_MS 30000
#define REDIS_PUBSUB_KEEP_MS 10000  /* what waits longer to be published is dropped */
#define REDIS_PUBSUB_QUEUE_MAX 1024 /* messages that wait; then the oldest is dropped */
#define REDIS_PUBSUB_QUEUE_BYTES_MAX ((size_t)1 << 20)
#define REDIS_PUBSUB_MESSAGE_MAX ((size_t)512 * 1024) /* of one that is published */
#define REDIS_PUBSUB_CHANNEL_MAX 256                  /* bytes of a channel's name or pattern */
#define REDIS_PUBSUB_CHANNELS_MAX 1024
#define REDIS_PUBSUB_WHY_SIZE (HDIAL_ERROR_SIZE + REDIS_URL_FORMAT_SIZE)

typedef struct redis_pubsub_s redis_pubsub_t;

typedef enum {
    REDIS_PUBSUB_LOST,
    REDIS_PUBSUB_CONNECTED /* every channel is subscribed to, and publishing works */
} redis_pubsub_state_e;

/* Both are valid during the call, and may hold any bytes. */
typedef void (*redis_pubsub_message_cb)(redis_pubsub_t *ps, hbuf_t channel, hbuf_t message,
                                        void *arg);

/* LOST comes when the connection ends, or the first try fails, and again when a later try fails for
 * another reason; why is one line without a program's name and never holds the password:
 * "redis://db:6379: connect to db port 6379: Connection refused (192.0.2.1)". CONNECTED: why is "".
 */
typedef void (*redis_pubsub_state_cb)(redis_pubsub_t *ps, redis_pubsub_state_e state,
                                      const char *why, void *arg);

/* All zero but url and message_cb is the default. */
typedef struct redis_pubsub_options_s {
    const redis_url_t *url; /* copied */
    htls_ctx_t *tls;        /* for rediss://; may be given back at once; NULL: htls's defaults */
    hdns_t *dns;            /* NULL: one for each try; else it outlives the redis_pubsub_t */
    int timeout_ms, ping_ms, delay_min_ms, delay_max_ms, keep_ms; /* 0: as above */
    size_t queue_max, queue_bytes_max;                            /* likewise */
    redis_pubsub_message_cb message_cb;
    redis_pubsub_state_cb state_cb; /* NULL: nobody wants to know */
    void *arg;
} redis_pubsub_options_t;

/* Begins to connect; callbacks run from the loop only. 0 and *ps; -EINVAL, -ENOMEM,
 * HERR_UNSUPPORTED (no hiredis), or what htls_ctx_new says: then error is one line. */
int redis_pubsub_new(hloop_t *loop, const redis_pubsub_options_t *options, redis_pubsub_t **ps,
                     char *error, size_t error_size);

/* Before the loop is freed, and not in its callbacks. NULL is legal. */
void redis_pubsub_free(redis_pubsub_t *ps);

/* Listens to a channel, or to all whose names match a pattern ("chat.*", PSUBSCRIBE). Twice is
 * legal. 0, -EINVAL (length), -ENOBUFS (too many), -ENOMEM. */
int redis_pubsub_subscribe(redis_pubsub_t *ps, const char *channel);
int redis_pubsub_psubscribe(redis_pubsub_t *ps, const char *pattern);

/* Sends the message, or keeps it until it can be sent. 0, -EINVAL (channel), -EMSGSIZE, -ENOMEM. */
int redis_pubsub_publish(redis_pubsub_t *ps, const char *channel, const void *data, size_t len);

bool redis_pubsub_is_connected(const redis_pubsub_t *ps);

/* How many published messages were dropped so far, or were under way when the connection ended. */
uint64_t redis_pubsub_lost(const redis_pubsub_t *ps);

#ifdef __cplusplus
}
#endif

#endif
