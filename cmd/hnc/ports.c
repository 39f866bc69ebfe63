#include "ports.h"

#include "base/hmem.h"

#include <sys/random.h>

int ports_add(ports_t *ports, const options_t *o, const char *text)
{
    uint16_t first, last;
    uint16_t *items = NULL;
    size_t count;

    if (hnc_port(o, text, false, &first, &last) != 0)
        return HNC_USAGE;
    count = ports->count + (size_t)(last - first) + 1;
    if (count <= PORTS_MAX)
        items = hmem_realloc(ports->items, count * sizeof(*items));
    if (!items) {
        hnc_say("%s: \"%s\"", count > PORTS_MAX ? "too many ports" : herr_str(-ENOMEM), text);
        return count > PORTS_MAX ? HNC_USAGE : HNC_FAILED;
    }
    ports->items = items;
    for (uint32_t port = first; port <= last; port++)
        items[ports->count++] = (uint16_t)port;
    return 0;
}

void ports_shuffle(ports_t *ports)
{
    for (size_t i = ports->count; i > 1; i--) {
        uint32_t number = 0;
        uint16_t port = ports->items[i - 1];
        size_t other;

        if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
            return;
        other = number % i;
        ports->items[i - 1] = ports->items[other];
        ports->items[other] = port;
    }
}

void ports_deinit(ports_t *ports)
{
    hmem_free(ports->items);
}
