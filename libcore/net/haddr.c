#include "haddr.h"

#include "../base/hstr.h"

#include <arpa/inet.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535
#define QUOTED_SIZE 80
#define SUN_PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

/* The members are reached by casts, not through sockaddr_u: what the caller points at may be
 * aligned for its own family only. */
static const struct sockaddr_in *as_in(const struct sockaddr *sa)
{
    return (const struct sockaddr_in *)(const void *)sa;
}

static const struct sockaddr_in6 *as_in6(const struct sockaddr *sa)
{
    return (const struct sockaddr_in6 *)(const void *)sa;
}

static const struct sockaddr_un *as_un(const struct sockaddr *sa)
{
    return (const struct sockaddr_un *)(const void *)sa;
}

static const struct sockaddr_vm *as_vm(const struct sockaddr *sa)
{
    return (const struct sockaddr_vm *)(const void *)sa;
}

/* ---- making ---------------------------------------------------------------------------------- */

static int parse_zone(const char *zone, uint32_t *scope_id)
{
    uint64_t number;

    if (zone[0] == '\0')
        return HERR_SYNTAX;
    *scope_id = if_nametoindex(zone);
    if (*scope_id != 0)
        return 0;
    if (hstr_parse_u64(zone, 1, UINT32_MAX, &number) != 0)
        return -ENODEV;
    *scope_id = (uint32_t)number;
    return 0;
}

static int parse_v6(struct sockaddr_in6 *sin6, const char *ip)
{
    const char *zone = strchr(ip, '%');
    size_t len = zone ? (size_t)(zone - ip) : strlen(ip);
    char host[INET6_ADDRSTRLEN];

    if (len >= sizeof(host))
        return HERR_SYNTAX;
    memcpy(host, ip, len);
    host[len] = '\0';
    if (inet_pton(AF_INET6, host, &sin6->sin6_addr) != 1)
        return HERR_SYNTAX;
    return zone ? parse_zone(zone + 1, &sin6->sin6_scope_id) : 0;
}

int haddr_parse(haddr_t *addr, const char *ip, int port)
{
    int err;

    memset(addr, 0, sizeof(*addr));
    if (port < 0 || port > PORT_MAX)
        return HERR_RANGE;
    if (inet_pton(AF_INET, ip, &addr->u.sin.sin_addr) == 1) {
        addr->u.sin.sin_family = AF_INET;
        addr->u.sin.sin_port = htons((uint16_t)port);
        addr->len = sizeof(addr->u.sin);
        return 0;
    }
    err = parse_v6(&addr->u.sin6, ip);
    if (err) {
        memset(addr, 0, sizeof(*addr));
        return err;
    }
    addr->u.sin6.sin6_family = AF_INET6;
    addr->u.sin6.sin6_port = htons((uint16_t)port);
    addr->len = sizeof(addr->u.sin6);
    return 0;
}

int haddr_unix(haddr_t *addr, const char *path)
{
    size_t len = strlen(path);

    memset(addr, 0, sizeof(*addr));
    if (len == 0 || (len == 1 && path[0] == '@'))
        return -EINVAL;
    if (len >= sizeof(addr->u.sun.sun_path))
        return -ENAMETOOLONG;
    addr->u.sun.sun_family = AF_UNIX;
    memcpy(addr->u.sun.sun_path, path, len);
    if (path[0] == '@') {
        addr->u.sun.sun_path[0] = '\0';
        addr->len = (socklen_t)(SUN_PATH_OFFSET + len);
    } else {
        addr->len = (socklen_t)(SUN_PATH_OFFSET + len + 1);
    }
    return 0;
}

static void set_host(haddr_t *addr, int family, uint16_t port, bool loopback)
{
    memset(addr, 0, sizeof(*addr));
    if (family == AF_INET6) {
        addr->u.sin6.sin6_family = AF_INET6;
        addr->u.sin6.sin6_port = htons(port);
        addr->u.sin6.sin6_addr = loopback ? in6addr_loopback : in6addr_any;
        addr->len = sizeof(addr->u.sin6);
    } else {
        addr->u.sin.sin_family = AF_INET;
        addr->u.sin.sin_port = htons(port);
        addr->u.sin.sin_addr.s_addr = htonl(loopback ? INADDR_LOOPBACK : INADDR_ANY);
        addr->len = sizeof(addr->u.sin);
    }
}

void haddr_vsock(haddr_t *addr, uint32_t cid, uint16_t port)
{
    struct sockaddr_vm *vm = (struct sockaddr_vm *)(void *)&addr->u;

    memset(addr, 0, sizeof(*addr));
    vm->svm_family = AF_VSOCK;
    vm->svm_cid = cid;
    vm->svm_port = port;
    addr->len = sizeof(*vm);
}

void haddr_any(haddr_t *addr, int family, uint16_t port)
{
    set_host(addr, family, port, false);
}

void haddr_loopback(haddr_t *addr, int family, uint16_t port)
{
    set_host(addr, family, port, true);
}

int haddr_set(haddr_t *addr, const struct sockaddr *sa, socklen_t len)
{
    memset(addr, 0, sizeof(*addr));
    if (len > sizeof(addr->u))
        return -EINVAL;
    memcpy(&addr->u, sa, len);
    addr->len = len;
    return 0;
}

/* ---- printing -------------------------------------------------------------------------------- */

/* "::1" or "fe80::1%eth0". */
static void print_v6(const struct sockaddr_in6 *sin6, char *buf, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    char zone[IF_NAMESIZE];

    inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof(host));
    if (sin6->sin6_scope_id == 0)
        snprintf(buf, size, "%s", host);
    else if (if_indextoname(sin6->sin6_scope_id, zone))
        snprintf(buf, size, "%s%%%s", host, zone);
    else
        snprintf(buf, size, "%s%%%u", host, (unsigned)sin6->sin6_scope_id);
}

/* "/path", "@name" or nothing. A NUL inside an abstract name is shown as '@' too. */
static void print_un(const struct sockaddr_un *sun, socklen_t len, char *buf, size_t size)
{
    size_t n = len > SUN_PATH_OFFSET ? len - SUN_PATH_OFFSET : 0;
    size_t i;

    if (n > sizeof(sun->sun_path))
        n = sizeof(sun->sun_path);
    if (n > 0 && sun->sun_path[0] != '\0')
        n = strnlen(sun->sun_path, n);
    for (i = 0; i < n && i + 1 < size; i++) {
        unsigned char c = (unsigned char)sun->sun_path[i];

        buf[i] = c == '\0' ? '@' : c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    if (size > 0)
        buf[i] = '\0';
}

static void print_vm(const struct sockaddr_vm *vm, char *buf, size_t size)
{
    if (vm->svm_cid == VMADDR_CID_ANY)
        snprintf(buf, size, "*");
    else
        snprintf(buf, size, "%u", vm->svm_cid);
}

static const char *print_host(const struct sockaddr *sa, socklen_t len, char *buf, size_t size)
{
    if (size > 0)
        buf[0] = '\0';
    if (!sa)
        return buf;
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &as_in(sa)->sin_addr, buf, (socklen_t)size);
    else if (sa->sa_family == AF_INET6)
        print_v6(as_in6(sa), buf, size);
    else if (sa->sa_family == AF_UNIX)
        print_un(as_un(sa), len ? len : haddr_len(sa), buf, size);
    else if (sa->sa_family == AF_VSOCK)
        print_vm(as_vm(sa), buf, size);
    return buf;
}

const char *haddr_ip(const struct sockaddr *sa, char *buf, size_t size)
{
    return print_host(sa, 0, buf, size);
}

const char *haddr_format(const struct sockaddr *sa, socklen_t len, char *buf, size_t size)
{
    char host[HADDR_FORMAT_SIZE];

    print_host(sa, len, host, sizeof(host));
    switch (sa ? sa->sa_family : AF_UNSPEC) {
    case AF_INET:
        snprintf(buf, size, "%s:%d", host, haddr_port(sa));
        break;
    case AF_INET6:
        snprintf(buf, size, "[%s]:%d", host, haddr_port(sa));
        break;
    case AF_UNIX:
        snprintf(buf, size, "unix:%s", host);
        break;
    case AF_VSOCK:
        snprintf(buf, size, "vsock:%s:%d", host, haddr_port(sa));
        break;
    default:
        snprintf(buf, size, "-");
        break;
    }
    return buf;
}

/* ---- asking ---------------------------------------------------------------------------------- */

int haddr_port(const struct sockaddr *sa)
{
    if (sa && sa->sa_family == AF_INET)
        return ntohs(as_in(sa)->sin_port);
    if (sa && sa->sa_family == AF_INET6)
        return ntohs(as_in6(sa)->sin6_port);
    if (sa && sa->sa_family == AF_VSOCK)
        return (int)as_vm(sa)
            ->svm_port; /* of 32 bits: some of the kernel's choosing are negative */
    return 0;
}

void haddr_set_port(struct sockaddr *sa, uint16_t port)
{
    if (sa->sa_family == AF_INET)
        ((struct sockaddr_in *)(void *)sa)->sin_port = htons(port);
    else if (sa->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)sa)->sin6_port = htons(port);
    else if (sa->sa_family == AF_VSOCK)
        ((struct sockaddr_vm *)(void *)sa)->svm_port = port;
}

static socklen_t un_len(const struct sockaddr_un *sun)
{
    size_t size = sizeof(sun->sun_path);
    size_t n;

    if (sun->sun_path[0] == '\0') {
        n = strnlen(sun->sun_path + 1, size - 1);
        return (socklen_t)(n == 0 ? SUN_PATH_OFFSET : SUN_PATH_OFFSET + 1 + n);
    }
    n = strnlen(sun->sun_path, size);
    return (socklen_t)(SUN_PATH_OFFSET + (n < size ? n + 1 : n));
}

socklen_t haddr_len(const struct sockaddr *sa)
{
    switch (sa->sa_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    case AF_UNIX:
        return un_len(as_un(sa));
    case AF_VSOCK:
        return sizeof(struct sockaddr_vm);
    default:
        return 0;
    }
}

static int order(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_v6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    int diff = memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr));

    if (diff == 0)
        diff = order(ntohs(a->sin6_port), ntohs(b->sin6_port));
    return diff ? diff : order(a->sin6_scope_id, b->sin6_scope_id);
}

static int compare_un(const struct sockaddr_un *a, const struct sockaddr_un *b)
{
    size_t len_a = un_len(a) - SUN_PATH_OFFSET;
    size_t len_b = un_len(b) - SUN_PATH_OFFSET;
    int diff = memcmp(a->sun_path, b->sun_path, len_a < len_b ? len_a : len_b);

    return diff ? diff : order(len_a, len_b);
}

int haddr_compare(const struct sockaddr *a, const struct sockaddr *b)
{
    int diff;

    if (a->sa_family != b->sa_family)
        return order(a->sa_family, b->sa_family);
    switch (a->sa_family) {
    case AF_INET:
        diff = order(ntohl(as_in(a)->sin_addr.s_addr), ntohl(as_in(b)->sin_addr.s_addr));
        return diff ? diff : order(ntohs(as_in(a)->sin_port), ntohs(as_in(b)->sin_port));
    case AF_INET6:
        return compare_v6(as_in6(a), as_in6(b));
    case AF_UNIX:
        return compare_un(as_un(a), as_un(b));
    case AF_VSOCK:
        diff = order(as_vm(a)->svm_cid, as_vm(b)->svm_cid);
        return diff ? diff : order(as_vm(a)->svm_port, as_vm(b)->svm_port);
    default:
        return 0;
    }
}

bool haddr_equal(const struct sockaddr *a, const struct sockaddr *b)
{
    return haddr_compare(a, b) == 0;
}

bool haddr_is_any(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return as_in(sa)->sin_addr.s_addr == htonl(INADDR_ANY);
    return sa->sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&as_in6(sa)->sin6_addr);
}

bool haddr_is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohl(as_in(sa)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return sa->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&as_in6(sa)->sin6_addr);
}

void haddr_unmap(haddr_t *addr)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};

    if (addr->u.sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&addr->u.sin6.sin6_addr))
        return;
    sin.sin_port = addr->u.sin6.sin6_port;
    memcpy(&sin.sin_addr, addr->u.sin6.sin6_addr.s6_addr + 12, sizeof(sin.sin_addr));
    addr->u.sin = sin;
    addr->len = sizeof(sin);
}

/* ---- ports ----------------------------------------------------------------------------------- */

static int port_error(int err, const char *what, const char *text, char *error, size_t size)
{
    char quoted[QUOTED_SIZE];

    hstr_escape(quoted, sizeof(quoted), text, strlen(text));
    if (error && size > 0)
        snprintf(error, size, "%s: \"%s\"", what, quoted);
    return err;
}

/* HERR_SYNTAX: not "N" or "N-N". */
static int parse_range(const char *text, uint64_t *first, uint64_t *last)
{
    const char *dash = strchr(text, '-');
    char low[24];
    int err, err_last;

    if (!dash) {
        err = hstr_parse_u64(text, 0, PORT_MAX, first);
        *last = *first;
        return err;
    }
    if ((size_t)(dash - text) >= sizeof(low))
        return HERR_SYNTAX;
    memcpy(low, text, (size_t)(dash - text));
    low[dash - text] = '\0';
    err = hstr_parse_u64(low, 0, PORT_MAX, first);
    err_last = hstr_parse_u64(dash + 1, 0, PORT_MAX, last);
    return err == HERR_SYNTAX || err_last == HERR_SYNTAX ? HERR_SYNTAX : err ? err : err_last;
}

static int find_service(const char *name, const char *proto, uint16_t *port)
{
    struct servent entry, *found = NULL;
    char buf[2048];

    if (getservbyname_r(name, proto, &entry, buf, sizeof(buf), &found) != 0 || !found)
        return HERR_SYNTAX;
    *port = ntohs((uint16_t)found->s_port);
    return 0;
}

int haddr_port_parse(const char *text, const char *proto, uint16_t *first, uint16_t *last,
                     char *error, size_t error_size)
{
    uint64_t low = 0, high = 0;
    int err;

    if (text[0] == '\0')
        return port_error(HERR_SYNTAX, "empty port", text, error, error_size);
    err = parse_range(text, &low, &high);
    if (err == HERR_RANGE)
        return port_error(err, "port out of range", text, error, error_size);
    if (err == HERR_SYNTAX) {
        if (find_service(text, proto, first) != 0)
            return port_error(err, "no such port or service", text, error, error_size);
        *last = *first;
        return 0;
    }
    if (low > high)
        return port_error(HERR_RANGE, "port range upside down", text, error, error_size);
    *first = (uint16_t)low;
    *last = (uint16_t)high;
    return 0;
}
