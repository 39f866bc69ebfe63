#include "vsock.h"

#include "base/hstr.h"

#include <unistd.h>

static int check_kernel(void)
{
    int fd = hsocket_open(AF_VSOCK, SOCK_STREAM, NULL);

    if (fd < 0) {
        hnc_say("--vsock: this kernel has no such sockets: %s", herr_str(fd));
        return HNC_FAILED;
    }
    close(fd);
    return 0;
}

int vsock_address(const char *host, uint16_t port, haddr_t *addr)
{
    uint64_t number = HADDR_VSOCK_ANY;

    if (host && hstr_parse_u64(host, 0, UINT32_MAX, &number) != 0) {
        hnc_say("--vsock: not the number of a machine: \"%s\"", host);
        return HNC_USAGE;
    }
    haddr_vsock(addr, (uint32_t)number, port);
    return check_kernel();
}
