/* client: stream connections. What is read is answered; a client that does not take its answers is
 * not read any more until it does. */
#ifndef HNET_HECHO_CLIENT_H
#define HNET_HECHO_CLIENT_H

#include "server.h"

/* The longest line that --prefix answers, without its end. */
#define CLIENT_LINE_MAX ((size_t)64 * 1024)

/* The accept callback; the user data of the listener is the server. */
void client_accept(hio_t *io);

/* Every client is told that nothing more comes, and what it still sends is ignored. */
void client_stop_all(server_t *server);

/* Closes those that have got everything; with force, all. */
void client_close_all(server_t *server, bool force);

#endif
