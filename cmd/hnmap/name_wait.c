#include "name_wait.h"

void name_wait_asked(name_wait_t *wait, uint64_t now)
{
    if (wait->owes)
        return;
    wait->owes = true;
    wait->since_us = now;
}

void name_wait_answered(name_wait_t *wait, uint64_t asked_us, uint64_t now)
{
    if (wait->slowest_us < now - asked_us)
        wait->slowest_us = now - asked_us;
    wait->is_alive = true;
    wait->owes = false;
    wait->since_us = now;
}

uint64_t name_wait_until(const name_wait_t *wait)
{
    return wait->since_us +
           (wait->is_alive ? NAME_WAIT_ALIVE_US + 2 * wait->slowest_us : NAME_WAIT_DEAD_US);
}
