/* packet_checksum: the Internet checksum (RFC 1071), in pieces. A sum is kept unfolded in 64 bits
 * and in the machine's own order of bytes, so what it gives is stored as it is; 2^32 words fit. */
#ifndef HNET_CODEC_PACKET_CHECKSUM_H
#define HNET_CODEC_PACKET_CHECKSUM_H

#include "packet.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Adds bytes to a sum, 0 to begin with. An odd length counts as if a 0 followed, so only the last
 * piece may be odd. */
uint64_t packet_sum(uint64_t sum, const void *data, size_t len);

/* Adds the pseudo header of an IPv4 or IPv6 packet (RFC 9293, 3.1; RFC 8200, 8.1): addresses of one
 * family, the protocol, and the length of transport header and payload. */
uint64_t packet_sum_pseudo(uint64_t sum, const packet_addr_t *source,
                           const packet_addr_t *destination, uint8_t protocol, size_t len);

/* Folds it to 16 bits; packet_checksum is its complement: what is stored in the packet. Over data
 * with its checksum in place packet_checksum gives 0. */
static inline uint16_t packet_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static inline uint16_t packet_checksum(uint64_t sum)
{
    return (uint16_t)~packet_fold(sum);
}

#ifdef __cplusplus
}
#endif

#endif
