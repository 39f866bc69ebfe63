/* A wheel of times, ENGINE_WHEEL_TICK_US a tick: a host is moved for the price of two list
 * operations, and is never due early. Who wants to sleep past the horizon is woken there, finds
 * nothing to do and sleeps again. */
#include "engine_int.h"

#define MASK (ENGINE_WHEEL_TICKS - 1)

void engine__wheel_init(engine_t *engine, uint64_t now)
{
    engine->tick = now / ENGINE_WHEEL_TICK_US;
    for (size_t i = 0; i < ENGINE_WHEEL_TICKS; i++)
        hlist_init(&engine->wheel[i]);
}

void engine__sleep(engine_t *engine, engine_host_t *host, uint64_t at_us)
{
    uint64_t tick = at_us / ENGINE_WHEEL_TICK_US + (at_us % ENGINE_WHEEL_TICK_US != 0);
    size_t slot;

    if (at_us == UINT64_MAX) {
        hlist_remove(&host->sleep);
        return;
    }
    if (tick <= engine->tick)
        tick = engine->tick + 1;
    if (tick > engine->tick + MASK)
        tick = engine->tick + MASK;
    if (hlist_linked(&host->sleep) && tick == host->wake_tick)
        return;
    hlist_remove(&host->sleep);
    host->wake_tick = tick;
    slot = tick & MASK;
    hlist_push_back(&engine->wheel[slot], &host->sleep);
    engine->used[slot / 64] |= (uint64_t)1 << slot % 64;
}

void engine__wake(engine_t *engine, hlist_t *due)
{
    uint64_t tick = engine->now_us / ENGINE_WHEEL_TICK_US;
    uint64_t first = engine->tick + 1;

    if (tick < first)
        return;
    if (tick - first >= ENGINE_WHEEL_TICKS)
        first = tick - MASK;
    for (uint64_t t = first; t <= tick; t++) {
        size_t slot = t & MASK;

        if (!(engine->used[slot / 64] >> slot % 64 & 1))
            continue;
        hlist_splice(due, &engine->wheel[slot]);
        engine->used[slot / 64] &= ~((uint64_t)1 << slot % 64);
    }
    engine->tick = tick;
}

/* How many slots from start on are empty, at most up to the end of its word. */
static unsigned empty_slots(const engine_t *engine, size_t start)
{
    uint64_t word = engine->used[start / 64] >> start % 64;

    return word ? (unsigned)__builtin_ctzll(word) : 64 - (unsigned)(start % 64);
}

/* A slot that hosts have left is still marked as used: it may wake us for nothing, once. */
uint64_t engine__wheel_next(const engine_t *engine)
{
    for (uint64_t t = engine->tick + 1; t <= engine->tick + ENGINE_WHEEL_TICKS;) {
        size_t slot = t & MASK;
        unsigned empty = empty_slots(engine, slot);

        if (empty == 0 && !hlist_empty(&engine->wheel[slot]))
            return t * ENGINE_WHEEL_TICK_US;
        t += empty ? empty : 1;
    }
    return UINT64_MAX;
}
