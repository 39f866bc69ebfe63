/* client: hchat HOST PORT: a chat server at the other end, and the terminal, or a pipe, here. */
#ifndef HNET_HCHAT_CLIENT_H
#define HNET_HCHAT_CLIENT_H

#include "app/hopt.h"
#include "net/hendpoint.h"

typedef struct client_options_s {
    const char *connect; /* an end point; NULL: what the operands say */
} client_options_t;

/* Rows for HOPT_INCLUDE(client_rows, hchat_options_t, client, client_options_t). */
extern const hopt_t client_rows[];

/* Talks until one side ends; the exit status. */
int client_main(const client_options_t *options, const hendpoint_t *endpoint);

#endif
