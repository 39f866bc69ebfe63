/* exec: a program with the connection as its stdin and stdout (-e, -c). */
#ifndef HNC_EXEC_H
#define HNC_EXEC_H

#include "hnc.h"

/* Becomes the program. Returns only on an error: 1, and a message is printed. */
int exec_replace(hnc_t *hnc, int fd);

/* Starts the program beside; it is waited for by itself. 0, or 1 once a message is printed. */
int exec_beside(hnc_t *hnc, int fd);

#endif
