#include "targets_int.h"

#include "base/hcrc.h"

static uint32_t add_number(uint32_t sum, uint64_t number)
{
    return hcrc32c(sum, &number, sizeof(number));
}

static uint32_t add_place(uint32_t sum, const targets_t *targets, uint32_t i)
{
    const place_t *place = &((const place_t *)targets->places.items)[i];

    sum = add_number(sum, place->ip.high);
    sum = add_number(sum, place->ip.low);
    return add_number(sum, place->zone);
}

/* Where its addresses are depends on which name server was faster. */
static uint32_t add_name(uint32_t sum, const targets_t *targets, uint32_t i)
{
    const name_t *name = &((const name_t *)targets->names.items)[i];

    sum = add_number(sum, name->bits);
    for (uint32_t j = 0; j < name->count; j++)
        sum = add_place(sum, targets, name->first + j);
    return sum;
}

static uint32_t add_word(uint32_t sum, const targets_t *targets, const word_t *word)
{
    sum = add_number(sum, word->kind);
    sum = add_number(sum, word->start);
    if (word->kind == WORD_NAME)
        return add_name(sum, targets, word->value);
    if (word->kind == WORD_RANGE && targets->family == AF_INET6)
        return add_place(sum, targets, word->value);
    return add_number(sum, word->value);
}

static uint32_t add_sets(uint32_t sum, const list_t *sets)
{
    return hcrc32c(sum, sets->items, sets->count * sizeof(octets_t));
}

uint32_t targets_sum(const targets_t *targets)
{
    uint32_t sum = add_number(0, (uint64_t)targets->family);

    for (uint32_t i = 0; i < targets->words.count; i++)
        sum = add_word(sum, targets, &((const word_t *)targets->words.items)[i]);
    sum = hcrc32c(sum, targets->texts.data, targets->texts.len);
    sum = add_sets(sum, &targets->sets);
    sum = add_sets(sum, &targets->excluded_sets);
    return add_number(sum, targets->count);
}
