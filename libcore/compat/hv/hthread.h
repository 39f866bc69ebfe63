/* Threads under libhv's names. */
#ifndef HV_HTHREAD_H
#define HV_HTHREAD_H

#include "hplatform.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef pthread_t hthread_t;
typedef void *(*hthread_routine)(void *);
#define HTHREAD_RETTYPE void *
#define HTHREAD_ROUTINE(fname) void *fname(void *userdata)

long hv_process_id(void);
long hv_thread_id(void);
#define hv_getpid() hv_process_id()
#define hv_gettid() hv_thread_id()

/* A joinable thread; 0 when there is none. */
static inline hthread_t hthread_create(hthread_routine fn, void *userdata)
{
    hthread_t thread;

    return pthread_create(&thread, NULL, fn, userdata) == 0 ? thread : 0;
}

static inline int hthread_join(hthread_t thread)
{
    return pthread_join(thread, NULL);
}

#ifdef __cplusplus
}
#endif

#endif
