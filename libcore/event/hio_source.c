/* A datagram socket that is bound to every address: the answer to a datagram leaves from the one
 * that it came to. The kernel would choose one by the route, and a client that asked another one
 * would not take the answer for its own. */
#include "hio_int.h"

#include <string.h>

typedef union address_u {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_storage storage;
} address_t;

static bool is_bound_to_every(const address_t *addr)
{
    if (addr->sa.sa_family == AF_INET)
        return addr->in.sin_port != 0 && addr->in.sin_addr.s_addr == htonl(INADDR_ANY);
    return addr->sa.sa_family == AF_INET6 && addr->in6.sin6_port != 0 &&
           IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

void hio__source_ask(hio_t *io)
{
    address_t addr = {.storage = {0}};
    socklen_t len = sizeof(addr);
    hio_ext_t *ext;
    int yes = 1, rc;

    if (io->type != HIO_TYPE_UDP || hio__is(io, HIO_FLAG_CONNECTED) ||
        (io->ext && io->ext->source_known))
        return;
    ext = hio__ext(io);
    if (!ext)
        return; /* the kernel chooses: better than no answers */
    ext->source_known = true;
    if (getsockname(io->fd, &addr.sa, &len) < 0 || !is_bound_to_every(&addr))
        return;
    if (addr.sa.sa_family == AF_INET)
        rc = setsockopt(io->fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes));
    else
        rc = setsockopt(io->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes));
    ext->source_asked = rc == 0;
}

/* What sendmsg takes; no interface, since the route to the sender need not be the way back. */
static void make_control(hio_source_t *source, int level, const void *info, size_t len)
{
    struct cmsghdr *header = (struct cmsghdr *)source->control;

    header->cmsg_level = level;
    header->cmsg_type = level == IPPROTO_IP ? IP_PKTINFO : IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(header), info, len);
    source->len = CMSG_SPACE(len);
}

static void take_v4(const struct cmsghdr *header, hio_source_t *source)
{
    struct in_pktinfo info;

    memcpy(&info, CMSG_DATA(header), sizeof(info));
    info.ipi_ifindex = 0;
    if (info.ipi_spec_dst.s_addr != htonl(INADDR_ANY)) /* never a group's or a broadcast address */
        make_control(source, IPPROTO_IP, &info, sizeof(info));
}

/* The peer of a link-local address names the interface by itself. */
static void take_v6(const struct cmsghdr *header, hio_source_t *source)
{
    struct in6_pktinfo info;

    memcpy(&info, CMSG_DATA(header), sizeof(info));
    info.ipi6_ifindex = 0;
    if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
        make_control(source, IPPROTO_IPV6, &info, sizeof(info));
}

void hio__source_take(struct msghdr *msg, hio_source_t *source)
{
    source->len = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(msg); header; header = CMSG_NXTHDR(msg, header)) {
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO)
            take_v4(header, source);
        else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO)
            take_v6(header, source);
    }
}
