/* hlogin: passwords checked on a loop without holding it up. A hash is slow by intent, so one
 * thread, which starts when the first is needed, works on them, one after another; guessing thus
 * takes one processor at most. What was right is remembered, as a digest with a key that nobody
 * knows: each password is hashed once. */
#ifndef HNET_NET_HLOGIN_H
#define HNET_NET_HLOGIN_H

#include "../event/hloop.h"
#include "husers.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HLOGIN_WAITING_MAX 64      /* passwords to be hashed */
#define HLOGIN_REMEMBERED_MAX 1024 /* passwords that were right */

typedef struct hlogin_s hlogin_t;
typedef struct hlogin_job_s hlogin_job_t;

typedef enum {
    HLOGIN_REFUSED, /* no such user, or another password: both take as long where all
                       passwords are of one kind */
    HLOGIN_GRANTED,
    HLOGIN_BUSY, /* too many wait, or there is no memory */
    HLOGIN_LATER /* the callback will tell */
} hlogin_verdict_e;

/* The verdict, from the loop; not HLOGIN_LATER. The job is gone. */
typedef void (*hlogin_cb)(hlogin_verdict_e verdict, void *arg);

/* users are borrowed and not changed any more. 0 or -ENOMEM. */
int hlogin_new(hloop_t *loop, const husers_t *users, hlogin_t **login);

/* What waits is given up, without callbacks; nothing waits for the thread. NULL is legal. */
void hlogin_free(hlogin_t *login);

/* Checks; with HLOGIN_LATER *job is set. */
hlogin_verdict_e hlogin_check(hlogin_t *login, const char *name, const char *password, hlogin_cb cb,
                              void *arg, hlogin_job_t **job);

/* Without a callback. NULL is legal. */
void hlogin_cancel(hlogin_job_t *job);

#ifdef __cplusplus
}
#endif

#endif
