/* hidle: work for when the loop has nothing else to do. While an idle exists the loop
 * does not sleep. */
#ifndef HNET_EVENT_HIDLE_H
#define HNET_EVENT_HIDLE_H

#include "hloop.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hidle_s hidle_t;
typedef void (*hidle_cb)(hidle_t *idle);

/* Calls cb repeat times (UINT32_MAX: until deleted), once in each iteration in which nothing else
 * was ready; highest priority first. Freed by itself after the last call. NULL: out of memory. */
hidle_t *hidle_add(hloop_t *loop, hidle_cb cb, uint32_t repeat);

/* Legal in any callback, its own too; not twice. NULL is legal. */
void hidle_del(hidle_t *idle);

#ifdef __cplusplus
}
#endif

#endif
