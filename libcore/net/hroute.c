/* One netlink socket, one question at a time, of a fixed size; its answer is read into one buffer,
 * message by message, until the one that has it, an error or, for a dump, the end. Whatever was
 * sent by anybody but the kernel, or belongs to an older question, is left out. */
#include "hroute.h"

#include "../base/hmem.h"
#include "../base/htime.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_SIZE 32768 /* as much as the kernel puts into one datagram of a dump */
#define QUESTION_SIZE 256
#define LOOPBACK_INDEX 1 /* in every network namespace */

struct hroute_s {
    int fd;
    uint32_t seq;
    char answer[ANSWER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

typedef struct question_s {
    struct nlmsghdr header;
    char body[QUESTION_SIZE];
} question_t;

/* Called for each message of the answer: 0 to go on, anything else ends it. */
typedef int (*message_cb)(const struct nlmsghdr *message, void *arg);

/* The attributes of a message by type; those past the last are left out. */
#define ATTRIBUTES_MAX 64
typedef struct attributes_s {
    const struct rtattr *at[ATTRIBUTES_MAX];
} attributes_t;

/* ---- questions ------------------------------------------------------------------------------- */

static void *begin_question(question_t *q, uint16_t type, uint16_t flags, size_t size)
{
    memset(q, 0, sizeof(*q));
    q->header.nlmsg_type = type;
    q->header.nlmsg_flags = NLM_F_REQUEST | flags;
    q->header.nlmsg_len = NLMSG_LENGTH(size);
    return NLMSG_DATA(&q->header);
}

/* All that is ever asked fits. */
static void put_attribute(question_t *q, uint16_t type, const void *data, size_t len)
{
    struct rtattr *attribute = (void *)((char *)q + NLMSG_ALIGN(q->header.nlmsg_len));

    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(len);
    memcpy(RTA_DATA(attribute), data, len);
    q->header.nlmsg_len = NLMSG_ALIGN(q->header.nlmsg_len) + (uint32_t)RTA_SPACE(len);
}

static size_t addr_size(const packet_addr_t *addr)
{
    return addr->family == AF_INET ? sizeof(addr->v4) : sizeof(addr->v6);
}

static int send_question(hroute_t *route, question_t *q)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n;

    q->header.nlmsg_seq = ++route->seq;
    do {
        n = sendto(route->fd, q, q->header.nlmsg_len, 0, (const struct sockaddr *)&kernel,
                   sizeof(kernel));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The next datagram of the kernel's; its length or a negative error. */
static int receive(hroute_t *route, uint64_t deadline_ms)
{
    for (;;) {
        struct sockaddr_nl from = {.nl_family = AF_UNSPEC};
        struct iovec iov = {route->answer, sizeof(route->answer)};
        struct msghdr msg = {
            .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n = recvmsg(route->fd, &msg, MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = route->fd, .events = POLLIN};
            uint64_t now_ms = htime_monotonic_ns() / HTIME_NS_PER_MS;

            if (now_ms >= deadline_ms)
                return -ETIMEDOUT;
            poll(&pfd, 1, (int)(deadline_ms - now_ms));
        } else if (n < 0 && errno != EINTR) {
            return -errno;
        } else if (n >= 0 && (msg.msg_flags & MSG_TRUNC)) {
            return -E2BIG;
        } else if (n > 0 && from.nl_family == AF_NETLINK && from.nl_pid == 0) {
            return (int)n;
        }
    }
}

/* What came of a question. A dump that its reader gave up is read to its end all the same, since
 * the kernel begins no other on this socket before. */
typedef struct asked_s {
    message_cb each;
    void *arg;
    int items;
    int result; /* of the first callback that did not return 0 */
} asked_t;

/* True: this was the last message, and *rc is what it says. */
static bool take_message(asked_t *asked, const struct nlmsghdr *message, int *rc)
{
    const struct nlmsgerr *error = NLMSG_DATA(message);

    *rc = 0;
    switch (message->nlmsg_type) {
    case NLMSG_DONE:
        return true;
    case NLMSG_ERROR:
        *rc = HERR_PROTOCOL;
        if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(*error)) && error->error <= 0)
            *rc = error->error;
        return true;
    case NLMSG_NOOP:
        return false;
    default:
        if (asked->result == 0)
            asked->result =
                ++asked->items > HROUTE_ITEMS_MAX ? -E2BIG : asked->each(message, asked->arg);
        return !(message->nlmsg_flags & NLM_F_MULTI);
    }
}

/* Asks, and hands each message of the answer on. 0, what the callback returned, or a
 * negative error. */
static int ask(hroute_t *route, question_t *q, message_cb each, void *arg)
{
    uint64_t deadline_ms = htime_monotonic_ns() / HTIME_NS_PER_MS + HROUTE_TIMEOUT_MS;
    asked_t asked = {.each = each, .arg = arg};
    int rc = send_question(route, q);

    if (rc < 0)
        return rc;
    for (;;) {
        int left = receive(route, deadline_ms);

        if (left < 0)
            return left;
        for (const struct nlmsghdr *message = (const void *)route->answer; NLMSG_OK(message, left);
             message = NLMSG_NEXT(message, left)) {
            if (message->nlmsg_seq == route->seq && take_message(&asked, message, &rc))
                return asked.result ? asked.result : rc;
        }
    }
}

/* The attributes behind a message's head of this size. False: it is too short for that. */
static bool read_attributes(attributes_t *attributes, const struct nlmsghdr *message, size_t size)
{
    const char *at = (const char *)NLMSG_DATA(message) + NLMSG_ALIGN(size);
    int left;

    memset(attributes, 0, sizeof(*attributes));
    if (message->nlmsg_len < NLMSG_LENGTH(size))
        return false;
    if (message->nlmsg_len < NLMSG_SPACE(size))
        return true;
    left = (int)(message->nlmsg_len - NLMSG_SPACE(size));
    for (const struct rtattr *a = (const void *)at; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        unsigned type = a->rta_type & NLA_TYPE_MASK;

        if (type < ATTRIBUTES_MAX)
            attributes->at[type] = a;
    }
    return true;
}

/* Copies what an attribute holds, if it is there and of this size. */
static bool get_attribute(const attributes_t *attributes, unsigned type, void *data, size_t len)
{
    const struct rtattr *a = attributes->at[type];

    if (!a || RTA_PAYLOAD(a) != len)
        return false;
    memcpy(data, RTA_DATA(a), len);
    return true;
}

static bool get_addr(const attributes_t *attributes, unsigned type, sa_family_t family,
                     packet_addr_t *addr)
{
    addr->family = family;
    if (get_attribute(attributes, type, &addr->v6, addr_size(addr)))
        return true;
    memset(addr, 0, sizeof(*addr));
    return false;
}

/* ---- links ----------------------------------------------------------------------------------- */

static hroute_kind_e kind_of(const struct ifinfomsg *info)
{
    if (info->ifi_flags & IFF_LOOPBACK)
        return HROUTE_LOOPBACK;
    return info->ifi_type == ARPHRD_ETHER ? HROUTE_ETHERNET : HROUTE_TUNNEL;
}

/* False: this is no link. */
static bool read_link(const struct nlmsghdr *message, hroute_link_t *link)
{
    const struct ifinfomsg *info = NLMSG_DATA(message);
    attributes_t attributes;
    const struct rtattr *name;

    memset(link, 0, sizeof(*link));
    if (message->nlmsg_type != RTM_NEWLINK || !read_attributes(&attributes, message, sizeof(*info)))
        return false;
    link->index = (unsigned)info->ifi_index;
    link->kind = kind_of(info);
    link->is_up = info->ifi_flags & IFF_UP;
    link->is_running = (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_RUNNING);
    link->has_no_arp = info->ifi_flags & (IFF_NOARP | IFF_LOOPBACK);
    link->is_point_to_point = info->ifi_flags & IFF_POINTOPOINT;
    get_attribute(&attributes, IFLA_MTU, &link->mtu, sizeof(link->mtu));
    get_attribute(&attributes, IFLA_ADDRESS, link->mac, sizeof(link->mac));
    name = attributes.at[IFLA_IFNAME];
    if (name && RTA_PAYLOAD(name) <= sizeof(link->name))
        memcpy(link->name, RTA_DATA(name), RTA_PAYLOAD(name));
    link->name[sizeof(link->name) - 1] = '\0';
    return true;
}

static int take_link(const struct nlmsghdr *message, void *arg)
{
    return read_link(message, arg) ? 0 : HERR_PROTOCOL;
}

static int ask_link(hroute_t *route, question_t *q, hroute_link_t *link)
{
    int rc = ask(route, q, take_link, link);

    if (!rc && link->index == 0)
        rc = HERR_PROTOCOL;
    if (rc < 0)
        memset(link, 0, sizeof(*link));
    return rc;
}

int hroute_link(hroute_t *route, unsigned ifindex, hroute_link_t *link)
{
    question_t q;
    struct ifinfomsg *info = begin_question(&q, RTM_GETLINK, 0, sizeof(*info));

    memset(link, 0, sizeof(*link));
    if (ifindex == 0 || ifindex > INT32_MAX)
        return -ENODEV;
    info->ifi_index = (int)ifindex;
    return ask_link(route, &q, link);
}

int hroute_link_named(hroute_t *route, const char *name, hroute_link_t *link)
{
    size_t len = strnlen(name, IF_NAMESIZE);
    question_t q;

    memset(link, 0, sizeof(*link));
    if (len == 0 || len == IF_NAMESIZE)
        return -EINVAL;
    begin_question(&q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    put_attribute(&q, IFLA_IFNAME, name, len + 1);
    return ask_link(route, &q, link);
}

typedef struct each_s {
    hroute_link_cb link;
    hroute_address_cb address;
    hroute_route_cb route;
    void *arg;
} each_t;

static int tell_link(const struct nlmsghdr *message, void *arg)
{
    const each_t *each = arg;
    hroute_link_t link;

    return read_link(message, &link) ? each->link(&link, each->arg) : 0;
}

int hroute_each_link(hroute_t *route, hroute_link_cb each, void *arg)
{
    each_t told = {.link = each, .arg = arg};
    question_t q;

    begin_question(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
    return ask(route, &q, tell_link, &told);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static int tell_address(const struct nlmsghdr *message, void *arg)
{
    const struct ifaddrmsg *info = NLMSG_DATA(message);
    const each_t *each = arg;
    hroute_address_t address = {.index = 0};
    attributes_t attributes;
    uint32_t flags;

    if (message->nlmsg_type != RTM_NEWADDR || !read_attributes(&attributes, message, sizeof(*info)))
        return 0;
    /* With a peer IFA_ADDRESS is the peer's, and IFA_LOCAL ours; IPv6 often has the former only. */
    if ((info->ifa_family != AF_INET && info->ifa_family != AF_INET6) ||
        (!get_addr(&attributes, IFA_LOCAL, info->ifa_family, &address.addr) &&
         !get_addr(&attributes, IFA_ADDRESS, info->ifa_family, &address.addr)))
        return 0;
    flags = info->ifa_flags;
    get_attribute(&attributes, IFA_FLAGS, &flags, sizeof(flags));
    address.index = info->ifa_index;
    address.prefix_len = info->ifa_prefixlen;
    address.is_link_local = info->ifa_scope == RT_SCOPE_LINK;
    address.is_usable = !(flags & (IFA_F_DADFAILED | IFA_F_DEPRECATED)) &&
                        (!(flags & IFA_F_TENTATIVE) || (flags & IFA_F_OPTIMISTIC));
    return each->address(&address, each->arg);
}

int hroute_each_address(hroute_t *route, hroute_address_cb each, void *arg)
{
    each_t told = {.address = each, .arg = arg};
    question_t q;

    begin_question(&q, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
    return ask(route, &q, tell_address, &told);
}

/* ---- routes ---------------------------------------------------------------------------------- */

/* What a route that leads nowhere says. */
static int refusal_of(unsigned type)
{
    switch (type) {
    case RTN_UNREACHABLE:
        return -EHOSTUNREACH;
    case RTN_PROHIBIT:
        return -EACCES;
    case RTN_BLACKHOLE:
    case RTN_THROW:
        return -ENETUNREACH;
    default:
        return 0;
    }
}

static hroute_type_e type_of(unsigned type)
{
    switch (type) {
    case RTN_LOCAL:
        return HROUTE_LOCAL;
    case RTN_BROADCAST:
        return HROUTE_BROADCAST;
    case RTN_MULTICAST:
        return HROUTE_MULTICAST;
    default:
        return HROUTE_UNICAST;
    }
}

/* RTA_VIA is a next hop of another family. */
static void take_gateway(const attributes_t *attributes, sa_family_t family,
                         hroute_answer_t *answer)
{
    const struct rtattr *via = attributes->at[RTA_VIA];
    sa_family_t via_family;

    answer->has_gateway = get_addr(attributes, RTA_GATEWAY, family, &answer->gateway);
    if (answer->has_gateway || !via ||
        RTA_PAYLOAD(via) != sizeof(via_family) + sizeof(struct in6_addr))
        return;
    memcpy(&via_family, RTA_DATA(via), sizeof(via_family));
    if (via_family != AF_INET6)
        return;
    answer->has_gateway = true;
    answer->gateway.family = AF_INET6;
    memcpy(&answer->gateway.v6, (const char *)RTA_DATA(via) + sizeof(via_family),
           sizeof(struct in6_addr));
}

static void take_mtu(const attributes_t *attributes, hroute_answer_t *answer)
{
    const struct rtattr *metrics = attributes->at[RTA_METRICS];
    int left = metrics ? (int)RTA_PAYLOAD(metrics) : 0;

    for (const struct rtattr *a = metrics ? RTA_DATA(metrics) : NULL; a && RTA_OK(a, left);
         a = RTA_NEXT(a, left)) {
        if (a->rta_type == RTAX_MTU && RTA_PAYLOAD(a) == sizeof(answer->mtu))
            memcpy(&answer->mtu, RTA_DATA(a), sizeof(answer->mtu));
    }
}

static int take_route(const struct nlmsghdr *message, void *arg)
{
    const struct rtmsg *info = NLMSG_DATA(message);
    hroute_answer_t *answer = arg;
    attributes_t attributes;
    uint32_t index = 0;

    if (message->nlmsg_type != RTM_NEWROUTE ||
        !read_attributes(&attributes, message, sizeof(*info)))
        return HERR_PROTOCOL;
    if (refusal_of(info->rtm_type))
        return refusal_of(info->rtm_type);
    answer->type = type_of(info->rtm_type);
    get_attribute(&attributes, RTA_OIF, &index, sizeof(index));
    answer->link.index = answer->type == HROUTE_LOCAL ? LOOPBACK_INDEX : index;
    get_addr(&attributes, RTA_PREFSRC, info->rtm_family, &answer->source);
    take_gateway(&attributes, info->rtm_family, answer);
    take_mtu(&attributes, answer);
    return 0;
}

static int tell_route(const struct nlmsghdr *message, void *arg)
{
    const struct rtmsg *info = NLMSG_DATA(message);
    const each_t *each = arg;
    attributes_t attributes;
    hroute_answer_t read = {.type = HROUTE_UNICAST};
    hroute_route_t entry = {.prefix_len = info->rtm_dst_len};

    if (take_route(message, &read) || read.type != HROUTE_UNICAST ||
        info->rtm_table != RT_TABLE_MAIN || info->rtm_flags & RTM_F_CLONED)
        return 0;
    read_attributes(&attributes, message, sizeof(*info)); /* as take_route could */
    get_addr(&attributes, RTA_DST, info->rtm_family, &entry.destination);
    entry.destination.family = info->rtm_family;
    entry.index = read.link.index;
    get_attribute(&attributes, RTA_PRIORITY, &entry.metric, sizeof(entry.metric));
    entry.has_gateway = read.has_gateway;
    entry.gateway = read.gateway;
    return each->route(&entry, each->arg);
}

int hroute_each_route(hroute_t *route, hroute_route_cb each, void *arg)
{
    each_t told = {.route = each, .arg = arg};
    question_t q;

    begin_question(&q, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));
    return ask(route, &q, tell_route, &told);
}

static int ask_route(hroute_t *route, const packet_addr_t *dst, unsigned ifindex,
                     const packet_addr_t *source, hroute_answer_t *answer)
{
    uint8_t bits = (uint8_t)(addr_size(dst) * 8);
    question_t q;
    struct rtmsg *info = begin_question(&q, RTM_GETROUTE, 0, sizeof(*info));
    uint32_t index = ifindex;

    memset(answer, 0, sizeof(*answer));
    info->rtm_family = (unsigned char)dst->family;
    info->rtm_dst_len = bits;
    put_attribute(&q, RTA_DST, &dst->v6, addr_size(dst));
    if (source) {
        info->rtm_src_len = bits;
        put_attribute(&q, RTA_SRC, &source->v6, addr_size(source));
    }
    if (index > 0)
        put_attribute(&q, RTA_OIF, &index, sizeof(index));
    return ask(route, &q, take_route, answer);
}

/* What is wrong with the question itself; the link, if one is named, is looked at first, as the
 * kernel has but one error for all that. */
static int check_lookup(hroute_t *route, const packet_addr_t *dst, unsigned ifindex,
                        const packet_addr_t *source, hroute_link_t *link)
{
    int err = 0;

    if ((dst->family != AF_INET && dst->family != AF_INET6) ||
        (source && source->family != dst->family))
        return -EINVAL;
    if (ifindex == 0 && dst->family == AF_INET6 &&
        (IN6_IS_ADDR_LINKLOCAL(&dst->v6) || IN6_IS_ADDR_MC_LINKLOCAL(&dst->v6)))
        return -EINVAL;
    if (ifindex > 0)
        err = hroute_link(route, ifindex, link);
    return !err && ifindex > 0 && !link->is_up ? -ENETDOWN : err;
}

static int lookup(hroute_t *route, const packet_addr_t *dst, unsigned ifindex,
                  const packet_addr_t *source, hroute_answer_t *answer)
{
    hroute_link_t link = {.index = 0};
    int err = check_lookup(route, dst, ifindex, source, &link);

    if (err)
        return err;
    err = ask_route(route, dst, ifindex, source, answer);
    /* A source that is not ours is refused; then it has no say in where the packet goes. */
    if (err && err != -ETIMEDOUT && source)
        err = ask_route(route, dst, ifindex, NULL, answer);
    if (err)
        return err == -EINVAL ? -ENETUNREACH : err; /* what IPv4 says of a black hole */
    if (source)
        answer->source = *source;
    if (answer->link.index != link.index)
        err = hroute_link(route, answer->link.index, &link);
    if (err)
        return err;
    answer->link = link;
    if (answer->mtu == 0)
        answer->mtu = link.mtu;
    if (!link.is_up)
        return -ENETDOWN;
    return answer->source.family ? 0 : -EADDRNOTAVAIL;
}

int hroute_lookup(hroute_t *route, const packet_addr_t *dst, unsigned ifindex,
                  const packet_addr_t *source, hroute_answer_t *answer)
{
    int err = lookup(route, dst, ifindex, source, answer);

    if (err)
        memset(answer, 0, sizeof(*answer));
    return err;
}

/* ---- neighbours ------------------------------------------------------------------------------ */

static int take_neighbour(const struct nlmsghdr *message, void *arg)
{
    const unsigned has_address =
        NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
    const struct ndmsg *info = NLMSG_DATA(message);
    attributes_t attributes;

    if (message->nlmsg_type != RTM_NEWNEIGH ||
        !read_attributes(&attributes, message, sizeof(*info)))
        return HERR_PROTOCOL;
    if (!(info->ndm_state & has_address) ||
        !get_attribute(&attributes, NDA_LLADDR, arg, PACKET_MAC_SIZE))
        return -ENOENT;
    return 0;
}

int hroute_neighbour(hroute_t *route, unsigned ifindex, const packet_addr_t *addr,
                     uint8_t mac[PACKET_MAC_SIZE])
{
    question_t q;
    struct ndmsg *info = begin_question(&q, RTM_GETNEIGH, 0, sizeof(*info));
    int rc;

    if (ifindex == 0 || ifindex > INT32_MAX ||
        (addr->family != AF_INET && addr->family != AF_INET6))
        return -EINVAL;
    info->ndm_family = (unsigned char)addr->family;
    info->ndm_ifindex = (int)ifindex;
    put_attribute(&q, NDA_DST, &addr->v6, addr_size(addr));
    rc = ask(route, &q, take_neighbour, mac);
    return rc == -EOPNOTSUPP ? HERR_UNSUPPORTED : rc;
}

/* ---- life ------------------------------------------------------------------------------------ */

int hroute_new(hroute_t **route)
{
    struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
    hroute_t *made = hmem_alloc(sizeof(*made));
    int err = made ? 0 : -ENOMEM;

    *route = NULL;
    if (err)
        return err;
    made->seq = 0;
    made->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (made->fd < 0)
        err = errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT ? HERR_UNSUPPORTED : -errno;
    else if (bind(made->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        err = -errno;
    if (err)
        hroute_free(made);
    else
        *route = made;
    return err;
}

void hroute_free(hroute_t *route)
{
    if (!route)
        return;
    if (route->fd >= 0)
        close(route->fd);
    hmem_free(route);
}
