#include "hchat.h"

int server_main(const hchat_options_t *options, const hopt_list_t *endpoints)
{
    (void)options;
    (void)endpoints;
    return 1;
}
