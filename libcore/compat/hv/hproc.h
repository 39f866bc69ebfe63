#ifndef HV_HPROC_H
#define HV_HPROC_H

#include "hplatform.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*procedure_t)(void *userdata);

typedef struct proc_ctx_s {
    pid_t pid; /* of the child, set by hproc_spawn */
    time_t start_time;
    int spawn_cnt; /* how often it was spawned */
    procedure_t init;
    void *init_userdata;
    procedure_t proc;
    void *proc_userdata;
    procedure_t exit;
    void *exit_userdata;
} proc_ctx_t;

/* Forks a process that runs init, proc and exit (each may be NULL) and ends with status 0. Returns
 * its id, or a negative errno. */
int hproc_spawn(proc_ctx_t *ctx);

#ifdef __cplusplus
}
#endif

#endif
