#include "client.h"

const hopt_t client_rows[] = {
    HOPT_GROUP("Client"),
    HOPT_STRING(0, "connect", client_options_t, connect, "be a client of the server at ENDPOINT",
                .arg_name = "ENDPOINT"),
    HOPT_END,
};

int client_main(const client_options_t *options, const hendpoint_t *endpoint)
{
    (void)options;
    (void)endpoint;
    return 1;
}
