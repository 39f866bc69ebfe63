#include "hloop_int.h"

/* Another thread may ask while the loop changes what a timer begins with. */
static bool is_timer(const hevent_t *ev)
{
    typedef uintptr_t __attribute__((may_alias)) head_t;

    return __atomic_load_n((const head_t *)ev, __ATOMIC_RELAXED) & 1;
}

hloop_t *hevent_loop_of(const hevent_t *ev)
{
    return is_timer(ev) ? htimer__loop((const htimer_t *)ev) : ev->loop;
}

hevent_type_e hevent_type_of(const hevent_t *ev)
{
    return is_timer(ev) ? htimer__type((const htimer_t *)ev) : ev->event_type;
}

uint64_t hevent_id_of(hevent_t *ev)
{
    return is_timer(ev) ? htimer__id((htimer_t *)ev) : ev->event_id;
}

int hevent_priority_of(const hevent_t *ev)
{
    return is_timer(ev) ? htimer__priority((const htimer_t *)ev) : ev->priority;
}

int8_t hevent__clamp(int priority)
{
    if (priority < HEVENT_LOWEST_PRIORITY)
        return HEVENT_LOWEST_PRIORITY;
    if (priority > HEVENT_HIGHEST_PRIORITY)
        return HEVENT_HIGHEST_PRIORITY;
    return (int8_t)priority;
}

void hevent_set_priority_of(hevent_t *ev, int priority)
{
    hloop_t *loop = hevent_loop_of(ev);
    int8_t clamped = hevent__clamp(priority);

    if (is_timer(ev))
        htimer__set_priority((htimer_t *)ev, clamped);
    else
        ev->priority = clamped;
    if (loop)
        loop->priorities |= hloop__priority_bit(clamped);
}
