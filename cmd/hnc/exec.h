/* exec: a program with the connection as its stdin and stdout (-e, -c). */
#ifndef HNC_EXEC_H
#define HNC_EXEC_H

#include "hnc.h"

/* Becomes the program. Returns only on an error: 1, and a message is printed. */
int exec_replace(hnc_t *hnc, int fd);

/* Before exec_beside: the kernel drops this process's children as they end. Watching each of them
 * would take a descriptor, and there may be none left. The programs do not inherit this. */
void exec_forget_children(void);

/* Starts the program beside. 0, or 1 once a message is printed. */
int exec_beside(hnc_t *hnc, int fd);

#endif
