/* clients: one http_client_t for each distinct way of making connections, so that operations that
 * ask for the same share the connections that are kept. */
#ifndef HCURL_CLIENTS_H
#define HCURL_CLIENTS_H

#include "options.h"

#define CLIENTS_MAX 1024

typedef struct clients_s clients_t;

/* conns_max: connections to one server; 0: any number. 0 and *clients, or -ENOMEM. */
int clients_new(hloop_t *loop, uint32_t conns_max, clients_t **clients);

/* Behind the last transfer. NULL is legal. */
void clients_free(clients_t *clients);

/* The client for an operation, and what it was made with (NULL: not asked for); both live as long
 * as clients and operation. 0; or an exit status and one line. */
int clients_get(clients_t *clients, const operation_t *operation, http_client_t **client,
                const http_client_options_t **options, hbytes_t *error);

#endif
