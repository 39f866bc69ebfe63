#include "port_set.h"

#include <string.h>

static uint64_t bit(unsigned port)
{
    return UINT64_C(1) << (port % 64);
}

static void count_ports(port_set_t *set)
{
    memset(set->in_block, 0, sizeof(set->in_block));
    set->count = 0;
    for (unsigned i = 0; i < PORT_SET_WORDS; i++) {
        unsigned count = (unsigned)__builtin_popcountll(set->words[i]);

        set->in_block[i * 64 / PORT_SET_BLOCK] += (uint16_t)count;
        set->count += count;
    }
}

bool port_set_add(port_set_t *set, uint16_t first, uint16_t last)
{
    bool is_new = true;

    for (unsigned port = first; port <= last; port++) {
        if (port_set_has(set, (uint16_t)port)) {
            is_new = false;
            continue;
        }
        set->words[port / 64] |= bit(port);
        set->in_block[port / PORT_SET_BLOCK]++;
        set->count++;
    }
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
    unsigned block = 0, word, count;
    uint64_t rest;

    for (; index >= set->in_block[block]; block++)
        index -= set->in_block[block];
    word = block * (PORT_SET_BLOCK / 64);
    for (; index >= (count = (unsigned)__builtin_popcountll(set->words[word])); word++)
        index -= count;
    for (rest = set->words[word]; index > 0; index--)
        rest &= rest - 1;
    return (uint16_t)(word * 64 + (unsigned)__builtin_ctzll(rest));
}

int port_set_index(const port_set_t *set, uint16_t port)
{
    unsigned word = port / 64, block = port / PORT_SET_BLOCK;
    int index = 0;

    if (!port_set_has(set, port))
        return -1;
    for (unsigned i = 0; i < block; i++)
        index += (int)set->in_block[i];
    for (unsigned i = block * (PORT_SET_BLOCK / 64); i < word; i++)
        index += __builtin_popcountll(set->words[i]);
    return index + __builtin_popcountll(set->words[word] & (bit(port) - 1));
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
