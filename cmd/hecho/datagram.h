/* datagram: a datagram socket; each datagram is answered to its sender. */
#ifndef HNET_HECHO_DATAGRAM_H
#define HNET_HECHO_DATAGRAM_H

#include "server.h"

/* Starts to answer on a bound socket, whose user data becomes the server. 0 or a negative error. */
int datagram_serve(server_t *server, hio_t *io);

#endif
