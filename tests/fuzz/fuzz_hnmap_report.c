/* A report of an earlier scan, XML or JSON as its first byte tells. What is read is within its
 * bounds, and every host is found again. */
#include "../../cmd/hnmap/earlier.h"
#include "base/herr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_host(const earlier_t *earlier, const earlier_host_t *host)
{
    static uint8_t states[UINT16_MAX + 1];

    check(host->has_addr && earlier_find(earlier, &host->addr) != NULL);
    check(host->state <= HOST_SKIPPED && host->port_count <= EARLIER_PORTS_MAX);
    for (size_t i = 0; i < host->port_count; i++)
        check(host->ports[i].state < PORT_STATES);
    for (size_t i = 0; i < host->group_count; i++) {
        check(host->groups[i].state < PORT_STATES);
        (void)earlier_ranges(states, host->groups[i].ports, host->groups[i].state);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1); /* of its very size: what is read behind it is found */
    hbytes_t why = {0};
    earlier_t earlier;

    if (size > 0)
        memcpy(text, data, size);
    if (earlier_parse(&earlier, text, size, &why) == 0)
        for (size_t i = 0; i < earlier.count; i++)
            check_host(&earlier, &earlier.hosts[i]);
    else
        check(why.len > 0 && earlier.count == 0 && earlier.hosts == NULL);
    earlier_free(&earlier);
    hbytes_deinit(&why);
    free(text);
    return 0;
}
