#include "flood.h"

#define US_PER_S 1000000ULL

flood_e flood_take(flood_t *flood, uint64_t now_us, uint32_t rate, uint32_t burst)
{
    uint64_t line_us;

    if (rate == 0)
        return FLOOD_PASS;
    line_us = US_PER_S / rate;
    if (flood->full_us <= now_us) {
        flood->full_us = now_us;
        flood->dropped = 0;
    }
    if (flood->full_us - now_us + line_us <= line_us * burst) {
        flood->full_us += line_us;
        return FLOOD_PASS;
    }
    flood->dropped++;
    if (flood->dropped == 1)
        return FLOOD_WARN;
    return flood->dropped < FLOOD_DROPPED_MAX ? FLOOD_DROP : FLOOD_OUT;
}

uint64_t flood_wait_us(const flood_t *flood, uint64_t now_us, uint32_t rate, uint32_t burst)
{
    uint64_t line_us = rate ? US_PER_S / rate : 0, owed_us;

    if (rate == 0 || flood->full_us <= now_us)
        return 0;
    owed_us = flood->full_us - now_us + line_us;
    return owed_us > line_us * burst ? owed_us - line_us * burst : 0;
}
