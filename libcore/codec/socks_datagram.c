/* RSV (2 bytes), FRAG, ATYP, address, port: ATYP stands where it does in a message of SOCKS5. */
#include "socks_int.h"

#include "../base/herr.h"

#include <string.h>

ssize_t socks_datagram_parse(socks_datagram_t *datagram, const void *data, size_t len)
{
    const uint8_t *head = data;
    socks_buffers_t b = {0};
    int got;

    if (len < SOCKS5_HEAD_LEN || head[0] != 0 || head[1] != 0)
        return HERR_PROTOCOL;
    b.in_len = len < sizeof(b.in) ? len : sizeof(b.in);
    memcpy(b.in, head, b.in_len);
    got = socks__get_address(&b, datagram->host, &datagram->port);
    if (got <= 0)
        return got < 0 ? got : HERR_PROTOCOL;
    if (head[3] == SOCKS_ATYP_NAME && !socks__is_host(head + SOCKS5_HEAD_LEN, head[4]))
        return HERR_PROTOCOL;
    datagram->fragment = head[2];
    return (ssize_t)b.in_need;
}

size_t socks_datagram_compose(const char *host, uint16_t port,
                              uint8_t head[SOCKS_DATAGRAM_HEAD_MAX])
{
    static const uint8_t begin[3] = {0};
    socks_buffers_t b = {0};

    socks__put(&b, begin, sizeof(begin));
    socks__put_address(&b, host, port);
    memcpy(head, b.out, b.out_len);
    return b.out_len;
}
