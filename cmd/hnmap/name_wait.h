/* name_wait: how long reports wait for the names of hosts. A name server that answers is waited for
 * as long as it needs; one that never does costs NAME_WAIT_DEAD_US in all. Pure. */
#ifndef HNMAP_NAME_WAIT_H
#define HNMAP_NAME_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#define NAME_WAIT_DEAD_US 900000
/* Behind the last answer, of a server that is there: a question that was lost twice on the way is
 * asked for the third time after that (see lookup.c), and then takes as long as others have. */
#define NAME_WAIT_ALIVE_US 1100000

/* All zero: nothing was asked. */
typedef struct name_wait_s {
    bool is_alive;       /* a server has answered */
    bool owes;           /* since it was last asked, none has */
    uint64_t since_us;   /* when it began to owe, or answered last */
    uint64_t slowest_us; /* of the answers so far */
} name_wait_t;

/* A server is asked. */
void name_wait_asked(name_wait_t *wait, uint64_t now);
/* It has answered, if only that there is no such name. */
void name_wait_answered(name_wait_t *wait, uint64_t asked_us, uint64_t now);
/* Until when a name that was asked for is waited for. */
uint64_t name_wait_until(const name_wait_t *wait);

#endif
