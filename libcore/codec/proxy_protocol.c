/* Version 1 is a line of text, version 2 a binary head with a length, addresses and TLVs; see
 * haproxy's doc/proxy-protocol.txt sections 2.1 and 2.2. */
#include "proxy_protocol.h"

#include "../base/hcrc.h"
#include "../base/herr.h"
#include "../base/hstr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define SIGNATURE_LEN 12
#define V1_START "PROXY "
#define V1_START_LEN 6
#define V1_MIN 15   /* "PROXY UNKNOWN\r\n" */
#define V1_FIELDS 5 /* family, two addresses, two ports */
#define V1_FIELD_SIZE 40
#define TLV_HEAD_LEN 3
#define CRC_LEN 4
#define SSL_HEAD_LEN 5
#define UNIX_PATH_LEN 108
#define COMMAND_LOCAL 0
#define COMMAND_PROXY 1
#define PORT_DIGITS_MAX 5

static const uint8_t signature[SIGNATURE_LEN] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* Where a parse stands: the error is said in words, too. */
typedef struct report_s {
    char *text;
    size_t size;
} report_t;

static int broken(const report_t *report, const char *text)
{
    if (report->text)
        hstr_copy(report->text, report->size, text);
    return HERR_PROTOCOL;
}

static unsigned get_u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void put_u16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

int proxy_detect(const void *data, size_t len)
{
    size_t text_len = len < V1_START_LEN ? len : V1_START_LEN;
    size_t binary_len = len < SIGNATURE_LEN ? len : SIGNATURE_LEN;

    if (len == 0)
        return 0;
    if (memcmp(data, V1_START, text_len) == 0)
        return text_len == V1_START_LEN ? 1 : 0;
    if (memcmp(data, signature, binary_len) == 0)
        return binary_len == SIGNATURE_LEN ? 2 : 0;
    return HERR_PROTOCOL;
}

/* ---- version 1 ------------------------------------------------------------------------------- */

/* Cuts a line at single spaces. The number of fields, or -1: too many, or one too long. */
static int split(const char *text, size_t len, char fields[V1_FIELDS][V1_FIELD_SIZE])
{
    int count = 0;

    for (;;) {
        const char *space = memchr(text, ' ', len);
        size_t n = space ? (size_t)(space - text) : len;

        if (count == V1_FIELDS || n >= V1_FIELD_SIZE)
            return -1;
        memcpy(fields[count], text, n);
        fields[count++][n] = '\0';
        if (!space)
            return count;
        text += n + 1;
        len -= n + 1;
    }
}

/* Digits without a zero in front, as the specification has them. */
static bool parse_port(const char *text, in_port_t *port)
{
    uint64_t n;

    if (strlen(text) > PORT_DIGITS_MAX || (text[0] == '0' && text[1]) ||
        hstr_parse_u64(text, 0, UINT16_MAX, &n) != 0)
        return false;
    *port = htons((uint16_t)n);
    return true;
}

static bool parse_address(int family, const char *ip, const char *port,
                          struct sockaddr_storage *addr)
{
    struct sockaddr_in *sin = (struct sockaddr_in *)addr;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)addr;

    memset(addr, 0, sizeof(*addr));
    addr->ss_family = (sa_family_t)family;
    if (family == AF_INET)
        return inet_pton(AF_INET, ip, &sin->sin_addr) == 1 && parse_port(port, &sin->sin_port);
    return inet_pton(AF_INET6, ip, &sin6->sin6_addr) == 1 && parse_port(port, &sin6->sin6_port);
}

static ssize_t parse_v1_line(proxy_header_t *header, const char *line, size_t len,
                             const report_t *report)
{
    char fields[V1_FIELDS][V1_FIELD_SIZE];
    const char *text = line + V1_START_LEN;
    size_t text_len = len - V1_START_LEN - 2;
    int family, count;

    /* What follows UNKNOWN must be ignored. */
    if (text_len >= 7 && memcmp(text, "UNKNOWN", 7) == 0 && (text_len == 7 || text[7] == ' '))
        return (ssize_t)len;
    if (memchr(text, '\0', text_len))
        return broken(report, "PROXY line with a NUL");
    count = split(text, text_len, fields);
    if (count < 1 || (strcmp(fields[0], "TCP4") != 0 && strcmp(fields[0], "TCP6") != 0))
        return broken(report, "PROXY line with an unknown family");
    if (count != V1_FIELDS)
        return broken(report, "PROXY line without two addresses and two ports");
    family = fields[0][3] == '4' ? AF_INET : AF_INET6;
    if (!parse_address(family, fields[1], fields[3], &header->source) ||
        !parse_address(family, fields[2], fields[4], &header->destination))
        return broken(report, "PROXY line with a broken address or port");
    return (ssize_t)len;
}

static ssize_t parse_v1(proxy_header_t *header, const char *data, size_t len,
                        const report_t *report)
{
    size_t seen = len < PROXY_V1_MAX ? len : PROXY_V1_MAX;
    const char *end = memchr(data, '\n', seen);
    const char *cr = memchr(data, '\r', end ? (size_t)(end - data) : seen);

    if (!end && seen == PROXY_V1_MAX) {
        broken(report, "PROXY line longer than 107 bytes");
        return HERR_FRAME_SIZE;
    }
    if (end ? cr != end - 1 : cr && cr != data + seen - 1)
        return broken(report, "PROXY line without CR LF");
    return end ? parse_v1_line(header, data, (size_t)(end - data) + 1, report) : 0;
}

/* ---- version 2 ------------------------------------------------------------------------------- */

/* Over the whole header, its own value at `at` counting as zeroes. */
static uint32_t checksum(const uint8_t *header, size_t len, size_t at)
{
    static const uint8_t zeroes[CRC_LEN];
    uint32_t crc = hcrc32c(0, header, at);

    crc = hcrc32c(crc, zeroes, CRC_LEN);
    return hcrc32c(crc, header + at + CRC_LEN, len - at - CRC_LEN);
}

/* The length of the pair of addresses of this family, 0 for AF_UNSPEC; -1: unknown. */
static int addresses_len(int family)
{
    switch (family) {
    case AF_UNSPEC:
        return 0;
    case AF_INET:
        return 12;
    case AF_INET6:
        return 36;
    case AF_UNIX:
        return PROXY_V2_UNIX_LEN;
    default:
        return -1;
    }
}

/* Byte 13: family above, transport below. A value that is not known means UNSPEC. */
static int get_family(uint8_t byte, bool *datagram)
{
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
    unsigned family = byte >> 4, transport = byte & 15;

    *datagram = transport == 2;
    if (family > 3 || transport > 2 || (family == 0) != (transport == 0))
        return -1;
    return families[family];
}

static void get_addresses(proxy_header_t *header, int family, const uint8_t *p)
{
    struct sockaddr_storage *both[2] = {&header->source, &header->destination};

    for (int i = 0; i < 2; i++) {
        struct sockaddr_in *sin = (struct sockaddr_in *)both[i];
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)both[i];

        both[i]->ss_family = (sa_family_t)family;
        if (family == AF_INET) {
            memcpy(&sin->sin_addr, p + 4 * (size_t)i, 4);
            memcpy(&sin->sin_port, p + 8 + 2 * (size_t)i, 2);
        } else if (family == AF_INET6) {
            memcpy(&sin6->sin6_addr, p + 16 * (size_t)i, 16);
            memcpy(&sin6->sin6_port, p + 32 + 2 * (size_t)i, 2);
        } else if (family == AF_UNIX) {
            memcpy(((struct sockaddr_un *)both[i])->sun_path, p + UNIX_PATH_LEN * (size_t)i,
                   UNIX_PATH_LEN);
        }
    }
}

static int check_tlvs(const uint8_t *header, size_t len, size_t begin, const report_t *report)
{
    size_t at = 0, tlvs_len = len - begin;
    proxy_tlv_t tlv;
    int checksums = 0;

    while (proxy_tlv_next(header + begin, tlvs_len, &at, &tlv)) {
        const uint8_t *value = tlv.value;

        if (tlv.type == PROXY_TLV_UNIQUE_ID && tlv.len > PROXY_UNIQUE_ID_MAX)
            return broken(report, "PROXY header with a unique id longer than 128 bytes");
        if (tlv.type != PROXY_TLV_CRC32C)
            continue;
        if (tlv.len != CRC_LEN || checksums++ > 0 ||
            (get_u16(value) << 16 | get_u16(value + 2)) !=
                checksum(header, len, (size_t)(value - header)))
            return broken(report, "PROXY header with a wrong checksum");
    }
    return at == tlvs_len ? 0 : broken(report, "PROXY header with a TLV that does not fit");
}

static ssize_t parse_v2(proxy_header_t *header, const uint8_t *data, size_t len,
                        const report_t *report)
{
    size_t total, addresses = 0;
    int family;

    if (len > SIGNATURE_LEN && (data[12] >> 4 != 2 || (data[12] & 15) > COMMAND_PROXY))
        return broken(report, "PROXY header with an unknown version or command");
    if (len < PROXY_V2_HEAD_LEN)
        return 0;
    total = PROXY_V2_HEAD_LEN + get_u16(data + 14);
    if (total > PROXY_HEADER_MAX) {
        broken(report, "PROXY header too long");
        return HERR_FRAME_SIZE;
    }
    if (len < total)
        return 0;
    header->local = (data[12] & 15) == COMMAND_LOCAL;
    family = get_family(data[13], &header->datagram);
    /* A health check of the proxy, or something that we do not know: the rest has no meaning. */
    if (header->local || family < 0) {
        header->datagram = false;
        return (ssize_t)total;
    }
    addresses = (size_t)addresses_len(family);
    if (total < PROXY_V2_HEAD_LEN + addresses)
        return broken(report, "PROXY header too short for its addresses");
    get_addresses(header, family, data + PROXY_V2_HEAD_LEN);
    header->tlvs = data + PROXY_V2_HEAD_LEN + addresses;
    header->tlvs_len = total - PROXY_V2_HEAD_LEN - addresses;
    if (header->tlvs_len > PROXY_TLVS_MAX) {
        broken(report, "PROXY header with too many TLVs");
        return HERR_FRAME_SIZE;
    }
    if (check_tlvs(data, total, PROXY_V2_HEAD_LEN + addresses, report) < 0)
        return HERR_PROTOCOL;
    return (ssize_t)total;
}

/* ---- both ------------------------------------------------------------------------------------ */

ssize_t proxy_parse(proxy_header_t *header, const void *data, size_t len, char *error,
                    size_t error_size)
{
    const report_t report = {error, error_size};

    memset(header, 0, sizeof(*header));
    header->version = proxy_detect(data, len);
    if (header->version < 0)
        return broken(&report, "no PROXY header");
    if (header->version == 0)
        return 0;
    return header->version == 1 ? parse_v1(header, data, len, &report)
                                : parse_v2(header, data, len, &report);
}

/* Version 1: what is the least that can still come? */
static size_t need_v1(const char *data, size_t len)
{
    if (len < V1_MIN)
        return V1_MIN - len;
    return data[len - 1] == '\r' ? 1 : 2;
}

size_t proxy_need(const void *data, size_t len)
{
    const uint8_t *p = data;

    if (len > 0 && p[0] == signature[0]) {
        if (len < PROXY_V2_HEAD_LEN)
            return PROXY_V2_HEAD_LEN - len;
        return PROXY_V2_HEAD_LEN + get_u16(p + 14) - len;
    }
    return need_v1(data, len);
}

/* Whether both addresses are of one family that this version can tell. */
static int family_of(const proxy_header_t *header)
{
    int family = header->source.ss_family;

    if (header->destination.ss_family != family || addresses_len(family) < 0)
        return -EINVAL;
    return header->local ? AF_UNSPEC : family;
}

static ssize_t compose_v1(const proxy_header_t *header, int family, char *buf, size_t size)
{
    const struct sockaddr_in *sin[2] = {(const struct sockaddr_in *)&header->source,
                                        (const struct sockaddr_in *)&header->destination};
    const struct sockaddr_in6 *sin6[2] = {(const struct sockaddr_in6 *)&header->source,
                                          (const struct sockaddr_in6 *)&header->destination};
    char ip[2][INET6_ADDRSTRLEN], line[PROXY_V1_MAX + 1];
    int len;

    if ((family != AF_INET && family != AF_INET6) || header->datagram) {
        len = snprintf(line, sizeof(line), V1_START "UNKNOWN\r\n");
    } else {
        for (int i = 0; i < 2; i++)
            inet_ntop(family,
                      family == AF_INET ? (const void *)&sin[i]->sin_addr
                                        : (const void *)&sin6[i]->sin6_addr,
                      ip[i], sizeof(ip[i]));
        /* The port is at the same place in both. */
        len = snprintf(line, sizeof(line), V1_START "TCP%c %s %s %u %u\r\n",
                       family == AF_INET ? '4' : '6', ip[0], ip[1], ntohs(sin[0]->sin_port),
                       ntohs(sin[1]->sin_port));
    }
    if ((size_t)len > size)
        return -ENOBUFS;
    memcpy(buf, line, (size_t)len);
    return len;
}

static void put_addresses(const proxy_header_t *header, int family, uint8_t *p)
{
    const struct sockaddr_storage *both[2] = {&header->source, &header->destination};

    for (int i = 0; i < 2; i++) {
        const struct sockaddr_in *sin = (const struct sockaddr_in *)both[i];
        const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)both[i];

        if (family == AF_INET) {
            memcpy(p + 4 * (size_t)i, &sin->sin_addr, 4);
            memcpy(p + 8 + 2 * (size_t)i, &sin->sin_port, 2);
        } else if (family == AF_INET6) {
            memcpy(p + 16 * (size_t)i, &sin6->sin6_addr, 16);
            memcpy(p + 32 + 2 * (size_t)i, &sin6->sin6_port, 2);
        } else if (family == AF_UNIX) {
            memcpy(p + UNIX_PATH_LEN * (size_t)i, ((const struct sockaddr_un *)both[i])->sun_path,
                   UNIX_PATH_LEN);
        }
    }
}

static uint8_t family_byte(int family, bool datagram)
{
    int number = family == AF_INET ? 1 : family == AF_INET6 ? 2 : 3;

    return family == AF_UNSPEC ? 0 : (uint8_t)(number << 4 | (datagram ? 2 : 1));
}

static ssize_t compose_v2(const proxy_header_t *header, int family, bool with_checksum,
                          uint8_t *buf, size_t size)
{
    size_t addresses = (size_t)addresses_len(family);
    size_t tlvs_len = header->tlvs_len + (with_checksum ? TLV_HEAD_LEN + CRC_LEN : 0);
    size_t total = PROXY_V2_HEAD_LEN + addresses + tlvs_len;
    uint32_t crc;

    if (header->tlvs_len > PROXY_TLVS_MAX || tlvs_len > PROXY_TLVS_MAX)
        return HERR_FRAME_SIZE;
    if (total > size)
        return -ENOBUFS;
    memcpy(buf, signature, SIGNATURE_LEN);
    buf[12] = 2 << 4 | (header->local ? COMMAND_LOCAL : COMMAND_PROXY);
    buf[13] = family_byte(family, header->datagram);
    put_u16(buf + 14, (unsigned)(addresses + tlvs_len));
    put_addresses(header, family, buf + PROXY_V2_HEAD_LEN);
    if (header->tlvs_len > 0)
        memcpy(buf + PROXY_V2_HEAD_LEN + addresses, header->tlvs, header->tlvs_len);
    if (with_checksum) {
        uint8_t *at = buf + total - CRC_LEN;

        at[-TLV_HEAD_LEN] = PROXY_TLV_CRC32C;
        put_u16(at - 2, CRC_LEN);
        crc = checksum(buf, total, total - CRC_LEN);
        put_u16(at, crc >> 16);
        put_u16(at + 2, crc & 0xffff);
    }
    return (ssize_t)total;
}

ssize_t proxy_compose(const proxy_header_t *header, bool with_checksum, void *buf, size_t size)
{
    int family = family_of(header);

    if (family < 0)
        return family;
    if (header->version == 1)
        return compose_v1(header, family, buf, size);
    return header->version == 2 ? compose_v2(header, family, with_checksum, buf, size) : -EINVAL;
}

/* ---- TLVs ------------------------------------------------------------------------------------ */

bool proxy_tlv_next(const void *tlvs, size_t len, size_t *at, proxy_tlv_t *tlv)
{
    const uint8_t *p = tlvs;
    size_t value_len;

    if (len - *at < TLV_HEAD_LEN)
        return false;
    p += *at;
    value_len = get_u16(p + 1);
    if (value_len > len - *at - TLV_HEAD_LEN)
        return false;
    *tlv = (proxy_tlv_t){p[0], p + TLV_HEAD_LEN, value_len};
    *at += TLV_HEAD_LEN + value_len;
    return true;
}

bool proxy_tlv_find(const proxy_header_t *header, int type, proxy_tlv_t *tlv)
{
    size_t at = 0;

    while (proxy_tlv_next(header->tlvs, header->tlvs_len, &at, tlv)) {
        if (tlv->type == type)
            return true;
    }
    return false;
}

int proxy_tlv_append(void *tlvs, size_t size, size_t *len, int type, const void *value,
                     size_t value_len)
{
    uint8_t *p = (uint8_t *)tlvs + *len;

    if (value_len > PROXY_TLVS_MAX || *len + TLV_HEAD_LEN + value_len > PROXY_TLVS_MAX)
        return HERR_FRAME_SIZE;
    if (TLV_HEAD_LEN + value_len > size - *len)
        return -ENOBUFS;
    p[0] = (uint8_t)type;
    put_u16(p + 1, (unsigned)value_len);
    if (value_len > 0)
        memcpy(p + TLV_HEAD_LEN, value, value_len);
    *len += TLV_HEAD_LEN + value_len;
    return 0;
}

int proxy_ssl_parse(const proxy_tlv_t *tlv, proxy_ssl_t *ssl)
{
    const uint8_t *p = tlv->value;
    size_t at = 0;
    proxy_tlv_t inner;

    if (tlv->type != PROXY_TLV_SSL || tlv->len < SSL_HEAD_LEN)
        return HERR_PROTOCOL;
    ssl->client = p[0];
    ssl->verify = get_u16(p + 1) << 16 | get_u16(p + 3);
    ssl->tlvs = p + SSL_HEAD_LEN;
    ssl->tlvs_len = tlv->len - SSL_HEAD_LEN;
    while (proxy_tlv_next(ssl->tlvs, ssl->tlvs_len, &at, &inner))
        ;
    return at == ssl->tlvs_len ? 0 : HERR_PROTOCOL;
}
