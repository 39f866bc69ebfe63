/* The yardstick of re-arming: a connection's deadline is stored and nothing else. */
#include "timers.h"

#include <stdlib.h>

typedef struct connection_s {
    volatile uint64_t deadline_ns;
    uint64_t timeout_ns;
    uint64_t padding[6]; /* a cache line each, as a timer is */
} connection_t;

static void store_in_turn(connection_t **connections, const char *name, uint32_t n)
{
    volatile uint64_t cached_now_ns = bench_work_ns();
    uint64_t start_ns = cached_now_ns;

    for (uint32_t i = 0, at = 0; i < TIMERS_RESETS; i++) {
        connections[at]->deadline_ns = cached_now_ns + connections[at]->timeout_ns;
        at = at + 1 < n ? at + 1 : 0;
    }
    bench_timers_report_reset(name, bench_work_ns() - start_ns);
}

int main(void)
{
    connection_t *memory = calloc(TIMERS_RESET_N, sizeof(*memory));
    connection_t **connections = calloc(TIMERS_RESET_N, sizeof(*connections));

    if (!memory || !connections)
        bench_fail("calloc");
    for (uint32_t i = 0; i < TIMERS_RESET_N; i++) {
        connections[i] = &memory[i];
        memory[i].timeout_ns = TIMERS_RESET_MS * 1000000ull;
    }
    store_in_turn(connections, "1", 1);
    store_in_turn(connections, "10k", TIMERS_RESET_N);
    free(connections);
    free(memory);
    return 0;
}
