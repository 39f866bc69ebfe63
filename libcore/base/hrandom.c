#include "hrandom.h"

#include "htime.h"

#include <sys/random.h>

uint64_t hrandom_seed(void)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
        seed = htime_monotonic_ns();
    return seed;
}
