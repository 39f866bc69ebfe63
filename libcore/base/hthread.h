/* hthread: a thread beside a loop's, for what blocks. */
#ifndef HNET_BASE_HTHREAD_H
#define HNET_BASE_HTHREAD_H

#ifdef __cplusplus
extern "C" {
#endif

/* Starts one that nobody waits for. No signal comes to it: they are for those that were there. 0,
 * -ENOMEM or -errno. */
int hthread_detach(void *(*run)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif
