/* What both sides of SOCKS share: messages as they are collected and written. */
#ifndef HNET_CODEC_SOCKS_INT_H
#define HNET_CODEC_SOCKS_INT_H

#include "socks.h"

#define SOCKS_ATYP_IPV4 1
#define SOCKS_ATYP_NAME 3
#define SOCKS_ATYP_IPV6 4
#define SOCKS_IPV4_LEN 4
#define SOCKS_IPV6_LEN 16

#define SOCKS_METHOD_NONE 0x00   /* no log-in */
#define SOCKS_METHOD_SECRET 0x02 /* RFC 1929 */
#define SOCKS_METHOD_REFUSED 0xff
#define SOCKS_SECRET_VERSION 1

#define SOCKS4_GRANTED 90
#define SOCKS4_REFUSED 91
#define SOCKS4_NO_IDENTD 92
#define SOCKS4_OTHER_USER 93
#define SOCKS4_HEAD_LEN 8 /* version, command or code, port, address */

/* VER, CMD or REP, RSV, ATYP and the first byte of the address: no message has less. */
#define SOCKS5_HEAD_LEN 5

/* Moves up to in_need - in_len bytes from *data, and counts them off. */
void socks__collect(socks_buffers_t *b, const uint8_t **data, size_t *len);

/* The message is done with; the next one has at least need bytes. */
void socks__next_message(socks_buffers_t *b, size_t need);

size_t socks__output(socks_buffers_t *b, const void **data);
void socks__put(socks_buffers_t *b, const void *data, size_t len);
void socks__put_u8(socks_buffers_t *b, unsigned value);
void socks__put_u16(socks_buffers_t *b, unsigned value);

/* A length and the text. */
void socks__put_text(socks_buffers_t *b, const char *text);

/* ATYP, address and port of SOCKS5. */
void socks__put_address(socks_buffers_t *b, const char *host, uint16_t port);

/* The address of SOCKS5 that begins with the ATYP in in[3]: 1 when it is whole and in host and
 * port; 0, having raised in_need; HERR_UNSUPPORTED for another type. Call it with in_len >= 5. */
int socks__get_address(socks_buffers_t *b, char *host, uint16_t *port);

/* False for a host that no resolver would take: it has control characters, a space or a NUL, which
 * would also cut it. */
bool socks__is_host(const uint8_t *host, size_t len);

/* SOCKS4: the address in in[4..7] and the port in in[2..3]. */
void socks__get_ipv4(const socks_buffers_t *b, char *host, uint16_t *port);

#endif
