/* client: hchat HOST PORT: a chat server at the other end, and the terminal, or a pipe, here.
 *
 *     stdin -> client_input (lines) -> client -> client_session -> the server
 *     the server -> client_session -> client_view (harmless, coloured) -> stdout
 */
#ifndef HNET_HCHAT_CLIENT_H
#define HNET_HCHAT_CLIENT_H

#include "app/hopt.h"
#include "net/hendpoint.h"

#define CLIENT_LINE_MAX ((size_t)64 * 1024) /* what is longer is not shown, nor sent */
#define CLIENT_NAME_MAX 256                 /* bytes of a name or a room that is told again */

typedef struct client_options_s {
    const char *connect;     /* an end point; NULL: what the operands say */
    const char *nick, *join; /* NULL: none */
    bool reconnect;
    bool tls, insecure;
    const char *tls_ca, *tls_name;
    int color; /* hterm_color_e */
    bool no_history;
    /* From options that the server has, too. */
    bool timestamps;
    const char *password; /* where it is kept */
    uint32_t rate, burst; /* of what is piped in */
} client_options_t;

/* Rows for HOPT_INCLUDE(client_rows, hchat_options_t, client, client_options_t). */
extern const hopt_t client_rows[];

/* Talks until one side ends; the exit status. */
int client_main(const client_options_t *options, const hendpoint_t *endpoint);

#endif
