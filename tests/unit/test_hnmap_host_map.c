/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/host_map.h"
#include "oom.h"

#include <arpa/inet.h>

#define HOSTS 1000

static packet_addr_t v4(uint32_t number)
{
    packet_addr_t addr = {.family = AF_INET};

    addr.v4.s_addr = htonl(0x0a000000 + number);
    return addr;
}

/* Their first four bytes are those of v4(number). */
static packet_addr_t v6(uint32_t number)
{
    packet_addr_t addr = {.family = AF_INET6};
    uint32_t word = htonl(0x0a000000 + number);

    memcpy(&addr.v6, &word, sizeof(word));
    return addr;
}

static size_t count_of(const host_map_t *map, const packet_addr_t *addr)
{
    size_t count = 0;

    for (host_t *host = host_map_find(map, addr, NULL); host;
         host = host_map_find(map, addr, host)) {
        assert_true(packet_addr_equal(&host->path.destination, addr));
        count++;
    }
    return count;
}

/* Each address twice, of both families; then one of the two goes, then the other. */
static int scenario(void *arg)
{
    host_t *hosts = calloc(4 * (size_t)HOSTS, sizeof(*hosts));
    host_map_t *map = host_map_new();
    int err = map == NULL ? -ENOMEM : 0;

    (void)arg;
    assert_non_null(hosts);
    for (uint32_t i = 0; i < 4 * HOSTS && err == 0; i++) {
        hosts[i].path.destination = i % 2 ? v6(i / 4) : v4(i / 4);
        err = host_map_add(map, &hosts[i]);
    }
    for (uint32_t i = 0; i < 4 * HOSTS && err == 0; i += 4) {
        const packet_addr_t *four = &hosts[i].path.destination,
                            *six = &hosts[i + 1].path.destination;

        assert_int_equal(count_of(map, four), 2);
        assert_int_equal(count_of(map, six), 2);
        host_map_remove(map, &hosts[i + 2]);
        host_map_remove(map, &hosts[i + 2]); /* which is not there any more */
        assert_ptr_equal(host_map_find(map, four, NULL), &hosts[i]);
        assert_int_equal(count_of(map, four), 1);
        assert_int_equal(count_of(map, six), 2);
        host_map_remove(map, &hosts[i]);
        assert_null(host_map_find(map, four, NULL));
    }
    host_map_free(map);
    free(hosts);
    return err;
}

static void test_hosts_are_found_until_they_leave(void **state)
{
    (void)state;
    assert_int_equal(scenario(NULL), 0);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

static void test_who_was_never_there(void **state)
{
    host_map_t *map = host_map_new();
    packet_addr_t addr = v4(1);
    host_t host = {.path.destination = addr};

    (void)state;
    assert_non_null(map);
    assert_null(host_map_find(map, &addr, NULL));
    host_map_remove(map, &host);
    host_map_free(map);
    host_map_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_are_found_until_they_leave),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_who_was_never_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
