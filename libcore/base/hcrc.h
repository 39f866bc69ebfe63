/* hcrc: a checksum that finds what has changed by accident; not what was changed on purpose. */
#ifndef HNET_BASE_HCRC_H
#define HNET_BASE_HCRC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CRC-32C (RFC 3720 appendix B.4) of what came before and of len bytes more; 0 begins. */
uint32_t hcrc32c(uint32_t crc, const void *data, size_t len);

#ifdef __cplusplus
}
#endif

#endif
