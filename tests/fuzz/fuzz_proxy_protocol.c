/* A header that is accepted is composed to one that says the same; no truncation of it is accepted
 * or refused; and what is behind it plays no part. */
#include "base/herr.h"
#include "codec/proxy_protocol.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static ssize_t parse_copy(proxy_header_t *header, const uint8_t *data, size_t len)
{
    char error[PROXY_ERROR_SIZE] = "";
    uint8_t *copy = malloc(len ? len : 1);
    ssize_t got;

    memcpy(copy, data, len);
    got = proxy_parse(header, copy, len, error, sizeof(error));
    check((got < 0) == (error[0] != '\0'));
    if (got == 0)
        check(proxy_need(copy, len) > 0 && proxy_need(copy, len) <= PROXY_HEADER_MAX);
    free(copy);
    return got;
}

static void check_tlvs(const proxy_header_t *header)
{
    proxy_tlv_t tlv;
    proxy_ssl_t ssl;
    size_t at = 0;

    while (proxy_tlv_next(header->tlvs, header->tlvs_len, &at, &tlv))
        proxy_ssl_parse(&tlv, &ssl);
    check(at == header->tlvs_len);
}

static void check_round_trip(const proxy_header_t *header)
{
    static uint8_t buf[PROXY_HEADER_MAX];
    proxy_header_t again;
    ssize_t len = proxy_compose(header, false, buf, sizeof(buf));

    check(len > 0);
    check(proxy_parse(&again, buf, (size_t)len, NULL, 0) == len);
    check(again.version == header->version && again.local == header->local);
    check(again.datagram == header->datagram && again.tlvs_len == header->tlvs_len);
    check(memcmp(&again.source, &header->source, sizeof(again.source)) == 0);
    check(memcmp(&again.destination, &header->destination, sizeof(again.destination)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    proxy_header_t header;
    ssize_t len = proxy_parse(&header, data, size, NULL, 0);
    proxy_tlv_t crc;

    parse_copy(&header, data, size);
    if (len <= 0)
        return 0;
    check((size_t)len <= size && len <= PROXY_HEADER_MAX);
    check(parse_copy(&header, data, (size_t)len) == len);
    for (size_t cut = 0; cut < (size_t)len; cut += 1 + (size_t)len / 64)
        check(parse_copy(&header, data, cut) == 0);
    check(proxy_parse(&header, data, size, NULL, 0) == len);
    check_tlvs(&header);
    /* A checksum is over the bytes as they were. */
    if (!proxy_tlv_find(&header, PROXY_TLV_CRC32C, &crc))
        check_round_trip(&header);
    return 0;
}
