/* proxy_protocol: haproxy's PROXY protocol, versions 1 and 2: a header in front of a connection
 * that tells whose connection it really is. Composed and parsed; a pure codec without allocation.
 */
#ifndef HNET_CODEC_PROXY_PROTOCOL_H
#define HNET_CODEC_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROXY_V1_MAX 107      /* with CR LF */
#define PROXY_V2_HEAD_LEN 16  /* signature, version and command, family, length */
#define PROXY_V2_UNIX_LEN 216 /* the longest pair of addresses */
#define PROXY_TLVS_MAX 4096   /* bytes of TLVs that are accepted and composed */
#define PROXY_HEADER_MAX (PROXY_V2_HEAD_LEN + PROXY_V2_UNIX_LEN + PROXY_TLVS_MAX)
#define PROXY_ERROR_SIZE 128
#define PROXY_UNIQUE_ID_MAX 128

typedef enum {
    PROXY_TLV_ALPN = 0x01,
    PROXY_TLV_AUTHORITY = 0x02, /* the host name that the client asked for, such as SNI */
    PROXY_TLV_CRC32C = 0x03,
    PROXY_TLV_NOOP = 0x04,
    PROXY_TLV_UNIQUE_ID = 0x05,
    PROXY_TLV_SSL = 0x20, /* proxy_ssl_parse */
    PROXY_TLV_SSL_VERSION = 0x21,
    PROXY_TLV_SSL_CN = 0x22,
    PROXY_TLV_SSL_CIPHER = 0x23,
    PROXY_TLV_SSL_SIG_ALG = 0x24,
    PROXY_TLV_SSL_KEY_ALG = 0x25,
    PROXY_TLV_NETNS = 0x30
} proxy_tlv_e;

/* local: the proxy speaks for itself (a health check); the addresses of the socket count. Without
 * addresses (UNKNOWN, UNSPEC) both families are AF_UNSPEC. */
typedef struct proxy_header_s {
    int version; /* 1 or 2 */
    bool local;
    bool datagram;                       /* version 2: UDP, or a UNIX datagram socket */
    struct sockaddr_storage source;      /* AF_INET, AF_INET6, AF_UNIX (version 2), AF_UNSPEC */
    struct sockaddr_storage destination; /* the same family */
    const void *tlvs;                    /* version 2; parsed ones lie in the input */
    size_t tlvs_len;
} proxy_header_t;

/* Does a header begin here? 1 or 2: one of that version does; 0: too few bytes to tell; or
 * HERR_PROTOCOL: no. At most 12 bytes are looked at, and as soon as one is wrong it says so. */
int proxy_detect(const void *data, size_t len);

/* Parses the header at data. Returns its length once it is whole; 0 when more bytes are needed;
 * HERR_PROTOCOL (no header, or a broken one: bad addresses, a length that is too short for them,
 * TLVs that do not fit, a wrong checksum), HERR_FRAME_SIZE (longer than allowed). error (may be
 * NULL) then is one line. The answer never depends on bytes behind the header. */
ssize_t proxy_parse(proxy_header_t *header, const void *data, size_t len, char *error,
                    size_t error_size);

/* How many bytes may be read, after len bytes made proxy_parse give 0, without reading behind the
 * header. At least 1. */
size_t proxy_need(const void *data, size_t len);

/* Writes the header. Version 1 has neither TLVs nor UNIX addresses (they become UNKNOWN) nor
 * datagrams. with_checksum (version 2): a CRC32C is added behind the TLVs. Returns its length, or
 * -EINVAL (version, two families), -ENOBUFS, HERR_FRAME_SIZE (too many TLVs). */
ssize_t proxy_compose(const proxy_header_t *header, bool with_checksum, void *buf, size_t size);

typedef struct proxy_tlv_s {
    int type; /* proxy_tlv_e, or another number 0..255 */
    const void *value;
    size_t len;
} proxy_tlv_t;

/* Iterates: *at starts as 0. False behind the last one, and at one that does not fit. */
bool proxy_tlv_next(const void *tlvs, size_t len, size_t *at, proxy_tlv_t *tlv);

/* The first of this type; false if there is none. */
bool proxy_tlv_find(const proxy_header_t *header, int type, proxy_tlv_t *tlv);

/* Appends one at *len. 0, or -ENOBUFS (nothing is written), HERR_FRAME_SIZE. */
int proxy_tlv_append(void *tlvs, size_t size, size_t *len, int type, const void *value,
                     size_t value_len);

#define PROXY_SSL_CLIENT 0x01    /* the client came over TLS */
#define PROXY_SSL_CERT_CONN 0x02 /* with a certificate, in this connection */
#define PROXY_SSL_CERT_SESS 0x04 /* or in its session */

typedef struct proxy_ssl_s {
    uint8_t client;   /* PROXY_SSL_* */
    uint32_t verify;  /* 0: the certificate was good */
    const void *tlvs; /* PROXY_TLV_SSL_*, for proxy_tlv_next */
    size_t tlvs_len;
} proxy_ssl_t;

/* The inside of a PROXY_TLV_SSL. 0 or HERR_PROTOCOL. */
int proxy_ssl_parse(const proxy_tlv_t *tlv, proxy_ssl_t *ssl);

#ifdef __cplusplus
}
#endif

#endif
