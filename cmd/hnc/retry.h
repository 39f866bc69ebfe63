/* retry: when a client tries again: until the port answers (--wait), and after the connection was
 * lost (--reconnect). */
#ifndef HNC_RETRY_H
#define HNC_RETRY_H

#include "net/hreconnect.h"
#include "options.h"

typedef struct retry_s {
    reconn_setting_t backoff;
    bool reconnect;
    uint64_t deadline_ns; /* --wait: no attempt begins later; 0: none was asked for */
} retry_t;

/* Reads --reconnect. 0, or HNC_USAGE once a message is printed. */
int retry_init(retry_t *retry, const options_t *o);

/* How many ms to wait before the next attempt, -1: there is none. */
int64_t retry_delay_ms(retry_t *retry);

/* Whether the time of --wait has run out. */
bool retry_is_over(const retry_t *retry);

/* A connection stands: the delays begin anew, and --wait has got what it wanted. */
void retry_connected(retry_t *retry);

/* What is left for this attempt by --wait, ms; INT32_MAX: no limit. */
int retry_time_left_ms(const retry_t *retry);

#endif
