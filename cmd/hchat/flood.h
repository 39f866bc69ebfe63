/* flood: how fast somebody may write: so many lines a second, and so many at once after a pause.
 * What is too fast is dropped; who goes on with it is dropped himself. Pure: it is told the
 * time. */
#ifndef HNET_HCHAT_FLOOD_H
#define HNET_HCHAT_FLOOD_H

#include <stdint.h>

/* So many lines that are too fast, and he is out. They are forgotten once he has paused for as long
 * as a whole burst takes to come back. */
#define FLOOD_DROPPED_MAX 100

typedef enum flood_e {
    FLOOD_PASS = 0,
    FLOOD_WARN, /* the first that is dropped: he is to be told */
    FLOOD_DROP,
    FLOOD_OUT
} flood_e;

/* Zeroed at first. */
typedef struct flood_s {
    uint64_t full_us; /* when the bucket is full again */
    uint32_t dropped;
} flood_t;

/* One line at this time (us, of a clock that does not go back). rate 0: no limit. */
flood_e flood_take(flood_t *flood, uint64_t now_us, uint32_t rate, uint32_t burst);

/* The time until a line would pass, us; 0: it would now. */
uint64_t flood_wait_us(const flood_t *flood, uint64_t now_us, uint32_t rate, uint32_t burst);

#endif
