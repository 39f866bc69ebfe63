/* lane: what one loop serves: the services of the settings, the resolver that they share, and the
 * status listener. */
#ifndef HPROXY_LANE_H
#define HPROXY_LANE_H

#include "hproxy.h"

typedef struct lane_s lane_t;

/* Makes all services, and reads the files that they need: a worker is not shut in before. Nothing
 * listens yet. Worker 0 of a generation runs the health checks. 0 and
 * *lane, or a negative error and lines in `why`. env is borrowed. */
int lane_new(hloop_t *loop, const env_t *env, lane_t **lane, hbytes_t *why);

/* Serves a socket that the master holds: of the end point `listen` of that service. tls: it speaks
 * TLS. The descriptor is closed with the lane (in this process), and on an error. 0 or a negative
 * error. */
int lane_listen(lane_t *lane, const service_settings_t *service, const listen_settings_t *listen,
                int fd);

/* The socket of /metrics and /status, likewise. */
int lane_listen_status(lane_t *lane, int fd);

/* Accepts nobody any more; sessions go on until they end by themselves or timeout_ms (0: no limit)
 * is over; then done(arg) runs, from the loop, once. A second call may make the time shorter. */
void lane_drain(lane_t *lane, uint32_t timeout_ms, void (*done)(void *arg), void *arg);

/* Sessions that are under way. */
size_t lane_active(const lane_t *lane);

/* Ends what is left (their lines are logged). Before the loop is freed. NULL is legal. */
void lane_free(lane_t *lane);

/* ---- for the files of the lane --------------------------------------------------------------- */

/* The bytes that its sessions have moved are counted now. Where others answer for /metrics, too,
 * that is done every LANE_PUBLISH_MS while there are sessions. */
#define LANE_PUBLISH_MS 2000
void lane_publish(lane_t *lane);

/* session.c: one is under way, or is over. */
void lane_count(lane_t *lane, int change);

struct lane_s {
    hloop_t *loop;
    const env_t *env;
    hloglines_t access;
    hdns_t *dns;
    struct service_s *services;
    struct admin_s *admin; /* NULL: none */
    size_t active;
    bool draining;
    void (*drained)(void *arg); /* NULL: it was called */
    void *drained_arg;
    struct htimer_s *drain_timer; /* the end of the time, or of the last session */
    struct htimer_s *idle_timer;
    struct htimer_s *publish_timer;
};

#endif
