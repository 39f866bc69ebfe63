/* The sockets hang on an epoll of their own, which hangs on the loop: what comes is read here, with
 * its TTL and with the errors that the system keeps apart. An echo to a neighbour that is not there
 * takes room of its socket for the 3 s that the kernel asks for its link address: a socket that is
 * full is followed by another one. */
#include "ping.h"

#include "base/hmem.h"
#include "base/htime.h"
#include "codec/packet_write.h"
#include "event/hio.h"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ICMP_HEADER 8
#define READ_SIZE 64 /* header and number; the rest is not looked at */
#define CONTROL_SIZE 512
#define SEND_TRIES 4 /* a send may be told of errors of those before it */

struct ping_s {
    ping_cb cb;
    void *context;
    hio_t *io; /* of the epoll */
    int epoll;
    int fds[PING_SOCKETS_MAX];
    unsigned count, at; /* the one that had room last */
    ping_options_t how;
    uint64_t secret;
    uint8_t *packet; /* where one is made */
    size_t packet_size;
};

/* ---- what is in an echo ---------------------------------------------------------------------- */

/* SplitMix64's finisher. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

uint64_t ping__nonce(uint64_t secret, const struct sockaddr *host, unsigned try)
{
    packet_addr_t addr = packet_addr(host);
    uint64_t words[2] = {0, 0};

    memcpy(words, &addr.v6, addr.family == AF_INET6 ? 16 : 4);
    return mix(mix(mix(secret ^ words[0]) ^ words[1]) + try);
}

bool ping__read(uint64_t secret, const struct sockaddr *host, bool is_error, const uint8_t *data,
                size_t len, unsigned *try)
{
    bool is_v6 = host->sa_family == AF_INET6;
    uint8_t request = is_v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    uint8_t reply = is_v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
    uint64_t nonce;

    if (len < ICMP_HEADER || data[0] != (is_error ? request : reply) || data[1] != 0)
        return false;
    *try = (unsigned)data[6] << 8 | data[7];
    if (len < ICMP_HEADER + PING_NONCE_SIZE)
        return is_error;
    nonce = ping__nonce(secret, host, *try);
    return memcmp(data + ICMP_HEADER, &nonce, PING_NONCE_SIZE) == 0;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static int open_socket(sa_family_t family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    family == AF_INET6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);

    return fd < 0 ? -errno : fd;
}

bool ping_is_allowed(sa_family_t family)
{
    int fd = open_socket(family);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int set_number(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int prepare(int fd, const ping_options_t *o)
{
    bool is_v6 = o->family == AF_INET6;
    int level = is_v6 ? (int)IPPROTO_IPV6 : (int)IPPROTO_IP;
    haddr_t source;
    int err = set_number(fd, level, is_v6 ? IPV6_RECVERR : IP_RECVERR, 1);

    if (err == 0)
        err = set_number(fd, level, is_v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, 1);
    if (err == 0 && o->ttl > 0)
        err = set_number(fd, level, is_v6 ? IPV6_UNICAST_HOPS : IP_TTL, o->ttl);
    if (err == 0 && o->interface &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->interface, (socklen_t)strlen(o->interface)) <
            0)
        err = -errno;
    if (err < 0 || o->source == NULL)
        return err;
    source = *o->source;
    haddr_set_port(&source.u.sa, 0); /* it would be the id */
    return bind(fd, &source.u.sa, source.len) < 0 ? -errno : 0;
}

/* 0; -EMFILE: there are enough; what opening says. */
static int add_socket(ping_t *ping)
{
    struct epoll_event event = {.events = EPOLLIN};
    int err, fd = ping->count < PING_SOCKETS_MAX ? open_socket(ping->how.family) : -EMFILE;

    if (fd < 0)
        return fd;
    err = prepare(fd, &ping->how);
    if (err == 0 && epoll_ctl(ping->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        err = -errno;
    if (err < 0)
        close(fd);
    else
        ping->fds[ping->count++] = fd;
    return err;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* The system makes the IP header, id and checksum. */
static ssize_t make_echo(ping_t *ping, const struct sockaddr *addr, unsigned try,
                         const uint8_t **echo)
{
    uint64_t nonce = ping__nonce(ping->secret, addr, try);
    size_t header = ping->how.family == AF_INET6 ? sizeof(struct ip6_hdr) : sizeof(struct ip);
    uint8_t *payload = ping->packet + ping->packet_size - PING_NONCE_SIZE - ping->how.data_len;
    const packet_envelope_t envelope = {
        .source = {.family = ping->how.family},
        .destination = packet_addr(addr),
    };
    const packet_icmp_out_t icmp = {
        .ask = PACKET_ASK_ECHO,
        .seq = (uint16_t)try,
        .payload = payload,
        .payload_len = PING_NONCE_SIZE + ping->how.data_len,
    };
    ssize_t len;

    memcpy(payload, &nonce, PING_NONCE_SIZE);
    if (ping->how.data_len > 0)
        memcpy(payload + PING_NONCE_SIZE, ping->how.data, ping->how.data_len);
    len = packet_write_icmp(ping->packet, ping->packet_size - icmp.payload_len, &envelope, &icmp);
    *echo = ping->packet + header;
    return len < 0 ? len : len - (ssize_t)header;
}

/* What an error of an earlier echo left behind: the next call would tell it as its own. */
static void forget_error(int fd)
{
    int err;
    socklen_t len = sizeof(err);

    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
}

static int send_by(int fd, const uint8_t *echo, size_t len, const sockaddr_u *to)
{
    int err = 0;

    for (int i = 0; i < SEND_TRIES; i++) {
        if (sendto(fd, echo, len, MSG_DONTWAIT | MSG_NOSIGNAL, &to->sa, haddr_len(&to->sa)) >= 0)
            return 0;
        err = -errno;
        if (err == -EAGAIN || err == -ENOBUFS)
            return -EAGAIN;
        forget_error(fd);
    }
    return err;
}

int ping_send(ping_t *ping, const struct sockaddr *addr, unsigned try)
{
    const uint8_t *echo;
    sockaddr_u to = {0};
    ssize_t len = make_echo(ping, addr, try, &echo);
    int err;

    if (len < 0)
        return (int)len;
    memcpy(&to, addr, haddr_len(addr));
    haddr_set_port(&to.sa, 0);
    for (unsigned i = 0; i < ping->count; i++) {
        err = send_by(ping->fds[ping->at], echo, (size_t)len, &to);
        if (err != -EAGAIN)
            return err;
        ping->at = (ping->at + 1) % ping->count;
    }
    if (add_socket(ping) < 0)
        return -EAGAIN;
    ping->at = ping->count - 1;
    return send_by(ping->fds[ping->at], echo, (size_t)len, &to);
}

/* ---- what comes ------------------------------------------------------------------------------ */

static uint8_t ttl_of(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        int ttl;

        if ((c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_TTL) &&
            (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_HOPLIMIT))
            continue;
        memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
        return (uint8_t)ttl;
    }
    return 0;
}

/* Who says what of an echo. False: it was no ICMP error. */
static bool read_error(struct msghdr *message, const packet_addr_t *host, ping_answer_t *answer)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        struct {
            struct sock_extended_err err;
            sockaddr_u offender;
        } said = {0};
        size_t len = c->cmsg_len - CMSG_LEN(0);
        packet_addr_t from;

        if ((c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR) &&
            (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_RECVERR))
            continue;
        memcpy(&said, CMSG_DATA(c), len < sizeof(said) ? len : sizeof(said));
        from = packet_addr(&said.offender.sa);
        answer->is_from_host = packet_addr_equal(&from, host);
        answer->error_type = said.err.ee_type;
        answer->error_code = said.err.ee_code;
        return said.err.ee_origin == SO_EE_ORIGIN_ICMP || said.err.ee_origin == SO_EE_ORIGIN_ICMP6;
    }
    return false;
}

/* One answer, or one error. False: there is none. */
static bool read_one(ping_t *ping, int fd, bool is_error)
{
    uint8_t data[READ_SIZE];
    char control[CONTROL_SIZE] __attribute__((aligned(8)));
    sockaddr_u from = {0};
    struct iovec part = {data, sizeof(data)};
    struct msghdr message = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    ssize_t len = recvmsg(fd, &message, MSG_DONTWAIT | (is_error ? MSG_ERRQUEUE : 0));
    ping_answer_t answer = {.is_error = is_error, .is_from_host = !is_error};
    packet_addr_t host;

    if (len < 0) /* it may be an error that read_error will tell of */
        return errno != EAGAIN && !is_error;
    if (from.sa.sa_family != ping->how.family ||
        !ping__read(ping->secret, &from.sa, is_error, data, (size_t)len, &answer.try))
        return true;
    host = packet_addr(&from.sa);
    if (is_error && !read_error(&message, &host, &answer))
        return true;
    haddr_set_port(&from.sa, 0);
    answer.host = (haddr_t){.u = from, .len = haddr_len(&from.sa)};
    answer.ttl = is_error ? 0 : ttl_of(&message);
    answer.time_us = htime_monotonic_us();
    ping->cb(ping->context, &answer);
    return true;
}

static void on_readable(hio_t *io, void *buf, int len)
{
    ping_t *ping = hevent_userdata(io);

    (void)buf;
    (void)len;
    for (unsigned i = 0; i < ping->count; i++) {
        int left = PING_READS_MAX;

        while (left > 0 && read_one(ping, ping->fds[i], false))
            left--;
        while (left > 0 && read_one(ping, ping->fds[i], true))
            left--;
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_all(ping_t *ping, hloop_t *loop)
{
    int err;

    ping->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (ping->epoll < 0)
        return -errno;
    err = add_socket(ping);
    if (err < 0)
        return err;
    ping->packet = hmem_alloc(ping->packet_size);
    ping->io = ping->packet ? hio_get(loop, ping->epoll) : NULL;
    if (ping->io == NULL)
        return -ENOMEM;
    hevent_set_userdata(ping->io, ping);
    hio_setcb_read(ping->io, on_readable);
    return hio_read(ping->io);
}

int ping_new(hloop_t *loop, const ping_options_t *options, ping_cb cb, void *context, ping_t **out)
{
    ping_t *ping = hmem_zalloc(sizeof(*ping));
    int err;

    if (ping == NULL)
        return -ENOMEM;
    *ping = (ping_t){
        .cb = cb,
        .context = context,
        .epoll = -1,
        .how = *options,
        .secret = mix(options->seed),
        .packet_size = PACKET_WRITE_MAX + 2 * (PING_NONCE_SIZE + options->data_len),
    };
    err = open_all(ping, loop);
    if (err < 0)
        ping_free(ping);
    else
        *out = ping;
    return err;
}

void ping_free(ping_t *ping)
{
    if (ping == NULL)
        return;
    if (ping->io)
        hio_abort(ping->io, 0);
    else if (ping->epoll >= 0)
        close(ping->epoll);
    for (unsigned i = 0; i < ping->count; i++)
        close(ping->fds[i]);
    hmem_free(ping->packet);
    hmem_free(ping);
}
