/* What both sides share; socks_client.c and socks_server.c are the two machines. */
#include "socks_int.h"

#include "../base/herr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

const char *socks_reply_text(int reply)
{
    static const char *const texts[] = {
        [SOCKS_REPLY_GRANTED] = "granted",
        [SOCKS_REPLY_FAILURE] = "general failure",
        [SOCKS_REPLY_NOT_ALLOWED] = "not allowed by the proxy's rules",
        [SOCKS_REPLY_NET_UNREACHABLE] = "network unreachable",
        [SOCKS_REPLY_HOST_UNREACHABLE] = "host unreachable",
        [SOCKS_REPLY_REFUSED] = "connection refused",
        [SOCKS_REPLY_TTL_EXPIRED] = "TTL expired",
        [SOCKS_REPLY_COMMAND] = "command not supported",
        [SOCKS_REPLY_ADDRESS] = "address type not supported",
    };

    return reply >= 0 && (size_t)reply < sizeof(texts) / sizeof(texts[0]) ? texts[reply]
                                                                          : "unknown reply";
}

void socks__collect(socks_buffers_t *b, const uint8_t **data, size_t *len)
{
    size_t n = b->in_need - b->in_len;

    assert(b->in_need <= sizeof(b->in));
    if (n > *len)
        n = *len;
    if (n > 0)
        memcpy(b->in + b->in_len, *data, n);
    b->in_len += n;
    *data += n;
    *len -= n;
}

void socks__next_message(socks_buffers_t *b, size_t need)
{
    b->in_len = 0;
    b->in_need = need;
}

size_t socks__output(socks_buffers_t *b, const void **data)
{
    size_t len = b->out_len;

    *data = b->out;
    b->out_len = 0;
    return len;
}

void socks__put(socks_buffers_t *b, const void *data, size_t len)
{
    assert(len <= sizeof(b->out) - b->out_len);
    if (len > 0)
        memcpy(b->out + b->out_len, data, len);
    b->out_len += len;
}

void socks__put_u8(socks_buffers_t *b, unsigned value)
{
    socks__put(b, &(uint8_t){(uint8_t)value}, 1);
}

void socks__put_u16(socks_buffers_t *b, unsigned value)
{
    socks__put_u8(b, value >> 8);
    socks__put_u8(b, value & 0xff);
}

void socks__put_text(socks_buffers_t *b, const char *text)
{
    socks__put_u8(b, (unsigned)strlen(text));
    socks__put(b, text, strlen(text));
}

void socks__put_address(socks_buffers_t *b, const char *host, uint16_t port)
{
    uint8_t ip[SOCKS_IPV6_LEN];

    if (inet_pton(AF_INET, host, ip) == 1) {
        socks__put_u8(b, SOCKS_ATYP_IPV4);
        socks__put(b, ip, SOCKS_IPV4_LEN);
    } else if (inet_pton(AF_INET6, host, ip) == 1) {
        socks__put_u8(b, SOCKS_ATYP_IPV6);
        socks__put(b, ip, SOCKS_IPV6_LEN);
    } else {
        socks__put_u8(b, SOCKS_ATYP_NAME);
        socks__put_text(b, host);
    }
    socks__put_u16(b, port);
}

static void get_name(const uint8_t *name, size_t len, char *host)
{
    memcpy(host, name, len);
    host[len] = '\0';
}

int socks__get_address(socks_buffers_t *b, char *host, uint16_t *port)
{
    const uint8_t *at = b->in + SOCKS5_HEAD_LEN - 1;
    size_t len;

    switch (b->in[3]) {
    case SOCKS_ATYP_IPV4:
        len = SOCKS_IPV4_LEN;
        break;
    case SOCKS_ATYP_IPV6:
        len = SOCKS_IPV6_LEN;
        break;
    case SOCKS_ATYP_NAME:
        len = *at++;
        break;
    default:
        return HERR_UNSUPPORTED;
    }
    b->in_need = (size_t)(at - b->in) + len + 2;
    if (b->in_len < b->in_need)
        return 0;
    if (b->in[3] == SOCKS_ATYP_NAME)
        get_name(at, len, host);
    else
        inet_ntop(b->in[3] == SOCKS_ATYP_IPV4 ? AF_INET : AF_INET6, at, host, SOCKS_HOST_SIZE);
    *port = (uint16_t)(at[len] << 8 | at[len + 1]);
    return 1;
}

void socks__get_ipv4(const socks_buffers_t *b, char *host, uint16_t *port)
{
    inet_ntop(AF_INET, b->in + 4, host, SOCKS_HOST_SIZE);
    *port = (uint16_t)(b->in[2] << 8 | b->in[3]);
}
