/* pending: stands in for the files of hproxy that are not there yet, so that the command links
 * while they are written: whatever is defined elsewhere takes its place. It goes with the last of
 * them. */
#include "admin.h"

#include <unistd.h>

#define PENDING __attribute__((weak))

PENDING int admin_new(lane_t *lane, admin_t **admin, hbytes_t *why)
{
    (void)lane;
    (void)why;
    *admin = NULL;
    return 0;
}

PENDING int admin_listen(admin_t *admin, int fd)
{
    (void)admin;
    close(fd);
    return 0;
}

PENDING void admin_stop(admin_t *admin)
{
    (void)admin;
}

PENDING void admin_free(admin_t *admin)
{
    (void)admin;
}
