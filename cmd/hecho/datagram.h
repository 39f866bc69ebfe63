/* datagram: a datagram socket; each datagram is answered to its sender. */
#ifndef HNET_HECHO_DATAGRAM_H
#define HNET_HECHO_DATAGRAM_H

#include "server.h"

/* Starts to answer on a bound socket; the user data of its loop is the server. 0 or a negative
 * error. */
int datagram_start(hio_t *io);

#endif
