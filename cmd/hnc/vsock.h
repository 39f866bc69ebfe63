/* vsock: --vsock: a host and its virtual machines, by number. */
#ifndef HNC_VSOCK_H
#define HNC_VSOCK_H

#include "hnc.h"

/* The address of a host operand, NULL: any. 0, or an exit status once a message is printed: it is
 * no number, or the kernel knows no such sockets. */
int vsock_address(const char *host, uint16_t port, haddr_t *addr);

#endif
