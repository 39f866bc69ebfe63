/* proxy_server: -l --proxy-type: clients tell where they want to go, and are joined to it. Nothing
 * of that touches stdin and stdout. */
#ifndef HNC_PROXY_SERVER_H
#define HNC_PROXY_SERVER_H

#include "hnc.h"

typedef struct proxy_server_s proxy_server_t;

/* 0 and *proxy, or an exit status once a message is printed. */
int proxy_server_new(hnc_t *hnc, proxy_server_t **proxy);

/* Takes over a connected hio. On an error it is closed. */
void proxy_server_add(proxy_server_t *proxy, hio_t *io);

/* How many clients there are. */
size_t proxy_server_count(const proxy_server_t *proxy);

/* Before hloop_free, unlike the others. NULL is legal. */
void proxy_server_free(proxy_server_t *proxy);

#endif
