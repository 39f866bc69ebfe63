#include "port_set.h"

static uint64_t bit(unsigned port)
{
    return UINT64_C(1) << (port % 64);
}

/* Counts anew: sets change seldom, and are asked for each probe. */
static void count_ports(port_set_t *set)
{
    set->count = 0;
    for (unsigned i = 0; i < PORT_SET_WORDS; i++) {
        set->before[i] = (uint16_t)set->count;
        set->count += (unsigned)__builtin_popcountll(set->words[i]);
    }
}

bool port_set_add(port_set_t *set, uint16_t first, uint16_t last)
{
    bool is_new = true;

    for (unsigned port = first; port <= last; port++) {
        is_new = is_new && !port_set_has(set, (uint16_t)port);
        set->words[port / 64] |= bit(port);
    }
    count_ports(set);
    return is_new;
}

void port_set_remove(port_set_t *set, const port_set_t *other)
{
    for (unsigned i = 0; i < PORT_SET_WORDS; i++)
        set->words[i] &= ~other->words[i];
    count_ports(set);
}

void port_set_join(port_set_t *set, const port_set_t *other)
{
    for (unsigned i = 0; i < PORT_SET_WORDS; i++)
        set->words[i] |= other->words[i];
    count_ports(set);
}

bool port_set_has(const port_set_t *set, uint16_t port)
{
    return (set->words[port / 64] & bit(port)) != 0;
}

int port_set_next(const port_set_t *set, int from)
{
    unsigned word = (unsigned)from / 64;
    uint64_t rest;

    if (from >= PORT_COUNT)
        return -1;
    rest = set->words[word] & ~(bit((unsigned)from) - 1);
    while (rest == 0) {
        if (++word == PORT_SET_WORDS)
            return -1;
        rest = set->words[word];
    }
    return (int)(word * 64 + (unsigned)__builtin_ctzll(rest));
}

uint16_t port_set_at(const port_set_t *set, uint32_t index)
{
    unsigned word = 0;
    uint64_t rest;

    /* the last word with at most index ports in front of it */
    for (unsigned step = PORT_SET_WORDS / 2; step > 0; step /= 2)
        if (set->before[word + step] <= index)
            word += step;
    rest = set->words[word];
    for (uint32_t i = set->before[word]; i < index; i++)
        rest &= rest - 1;
    return (uint16_t)(word * 64 + (unsigned)__builtin_ctzll(rest));
}

int port_set_format(const port_set_t *set, hbytes_t *out)
{
    const char *comma = "";
    int first = port_set_next(set, 0), err = 0;

    while (first >= 0 && err == 0) {
        int last = first, next;

        while ((next = port_set_next(set, last + 1)) == last + 1)
            last = next;
        err = last > first ? hbytes_printf(out, "%s%d-%d", comma, first, last)
                           : hbytes_printf(out, "%s%d", comma, first);
        comma = ",";
        first = next;
    }
    return err;
}
