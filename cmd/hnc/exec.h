/* exec: a program with the connection as its stdin and stdout (-e, -c). A plain connection becomes
 * the program's; one with TLS, or with -C, stays here, and a pair of sockets joins the two. */
#ifndef HNC_EXEC_H
#define HNC_EXEC_H

#include "hnc.h"

/* Becomes the program. Returns only on an error: 1, and a message is printed. */
int exec_replace(hnc_t *hnc, int fd);

/* The programs that run beside. */
typedef struct exec_s exec_t;

/* A program has ended: its exit status, as a shell gives it. */
typedef void (*exec_ended_cb)(exec_t *exec, int status, void *arg);

/* NULL once a message is printed. ended_cb may be NULL. All programs share one watch: one each
 * would take a descriptor each, and there may be none left. */
exec_t *exec_new(hnc_t *hnc, exec_ended_cb ended_cb, void *arg);

/* Whether hnc stays between the program and this connection. */
bool exec_stays_between(const hnc_t *hnc, hio_t *io);

/* Starts the program for a connected hio, which is closed on an error and, unless hnc stays, here.
 * peer (NULL: the hio's own) is what the program is told. 0, or 1 once a message is printed. */
int exec_start(exec_t *exec, hio_t *io, const haddr_t *peer);

/* How many run. */
size_t exec_count(const exec_t *exec);

/* After hloop_free. NULL is legal. */
void exec_free(exec_t *exec);

#endif
