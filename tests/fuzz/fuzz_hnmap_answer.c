/* The first byte says how frames begin, whether our port is one alone and how much data probes
 * carry, the rest is a frame. What is taken for an answer names a probe that there can be, and says
 * the same read again. */
#include "../../cmd/hnmap/raw_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_answer(const raw_answer_t *answer, bool is_ethernet)
{
    check(answer->host.family == AF_INET || answer->host.family == AF_INET6);
    check(answer->try >= -1 && answer->try < RAW_TRIES);
    check(answer->reason != REASON_UNKNOWN && answer->reason < REASONS);
    check(answer->probe.kind <= RAW_UDP);
    check((answer->probe.flags & ~PACKET_ACK) == 0);
    check(answer->is_from_host || answer->is_error);
    check((answer->probe.kind == RAW_NEIGHBOUR) == (answer->mac != NULL));
    check(is_ethernet || answer->reason != REASON_ARP_RESPONSE);
    check(answer->tcp_flags == 0 || answer->probe.kind == RAW_TCP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    raw_t raw = {.secret = 1, .port = 40000, .port_count = RAW_PORTS, .id = 0x4711};
    hpacket_frame_t frame = {.wire_len = size};
    raw_answer_t answer, again;
    packet_link_e link;
    uint8_t *copy;

    if (size == 0)
        return 0;
    link = data[0] & 1 ? PACKET_LINK_ETHERNET : PACKET_LINK_IP;
    if (data[0] & 2)
        raw.port_count = 1;
    raw.data_len = data[0] >> 2;
    copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    frame.data = copy;
    frame.len = size - 1;
    if (raw__read(&raw, link, &frame, &answer)) {
        check_answer(&answer, link == PACKET_LINK_ETHERNET);
        check(raw__read(&raw, link, &frame, &again));
        check(answer.try == again.try && answer.reason == again.reason);
    }
    free(copy);
    return 0;
}
