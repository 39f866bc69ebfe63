/* One thread. */
/* What is told of networks that answer everything. */
#include "../../cmd/hnmap/strange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "oom.h"

#include <netinet/in.h>
#include <string.h>

static haddr_t address(const char *text)
{
    haddr_t addr;

    assert_int_equal(haddr_parse(&addr, text, 0), 0);
    return addr;
}

/* ---- ports ----------------------------------------------------------------------------------- */

#define PORTS 60
#define TEXT_SIZE 300

static void make_ports(port_result_t *ports, size_t count, uint8_t state)
{
    for (size_t i = 0; i < count; i++)
        ports[i] = (port_result_t){.number = (uint16_t)(i + 1),
                                   .protocol = IPPROTO_TCP,
                                   .state = state,
                                   .reason = REASON_SYN_ACK,
                                   .ttl = 64};
}

/* What is told of them; NULL: nothing. */
static const char *told_of(strange_t *strange, const port_result_t *ports, size_t count)
{
    static char text[TEXT_SIZE];
    haddr_t addr = address("10.0.0.7");
    hbytes_t out = {0};
    int n = strange_ports(strange, &addr, ports, count, &out);

    assert_in_range(n, 0, 1);
    snprintf(text, sizeof(text), "%s", n ? out.data : "");
    hbytes_deinit(&out);
    return n ? text : NULL;
}

static void every_port_open_is_told_once(void **state)
{
    port_result_t ports[PORTS];
    strange_t strange = {0};
    hbytes_t out = {0};

    (void)state;
    make_ports(ports, PORTS, PORT_OPEN);
    assert_string_equal(told_of(&strange, ports, PORTS),
                        "every port of 10.0.0.7 seems open (all of 60): a firewall or tarpit "
                        "answers for it");
    assert_int_equal(strange_end(&strange, &out), 0);
    assert_null(told_of(&strange, ports, PORTS));
    assert_int_equal(strange_end(&strange, &out), 1);
    assert_string_equal(out.data, "every port of 1 further host seems open, too");
    assert_null(told_of(&strange, ports, PORTS));
    hbytes_clear(&out);
    assert_int_equal(strange_end(&strange, &out), 1);
    assert_string_equal(out.data, "every port of 2 further hosts seems open, too");
    hbytes_deinit(&out);
}

static void a_few_ports_or_different_ones_are_not_strange(void **state)
{
    port_result_t ports[PORTS];
    strange_t strange = {0};

    (void)state;
    make_ports(ports, PORTS, PORT_OPEN);
    assert_null(told_of(&strange, ports, STRANGE_PORTS - 1));
    ports[30].state = PORT_CLOSED;
    assert_null(told_of(&strange, ports, PORTS));
    ports[30].state = PORT_OPEN;
    ports[30].ttl = 63; /* it does answer itself */
    assert_null(told_of(&strange, ports, PORTS));
    make_ports(ports, PORTS, PORT_UNFILTERED);
    assert_null(told_of(&strange, ports, PORTS));
    assert_null(told_of(&strange, NULL, 0));
}

static void protocols_are_looked_at_by_themselves(void **state)
{
    port_result_t ports[2 * PORTS];
    strange_t strange = {0};

    (void)state;
    make_ports(ports, 2 * PORTS, PORT_OPEN);
    for (size_t i = 0; i < 2 * PORTS; i += 2)
        ports[i] = (port_result_t){
            .number = (uint16_t)i, .protocol = IPPROTO_UDP, .state = PORT_OPEN_FILTERED};
    assert_non_null(told_of(&strange, ports, 2 * PORTS));
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static host_result_t up(unsigned number, uint8_t mac)
{
    char text[32];
    host_result_t host = {.state = HOST_UP, .reason = REASON_ECHO_REPLY, .ttl = 63};

    snprintf(text, sizeof(text), "10.1.%u.%u", number / 256, number % 256);
    host.addr = address(text);
    if (mac) {
        host.has_mac = true;
        host.mac[5] = mac;
        host.reason = REASON_ARP_RESPONSE;
    }
    return host;
}

static int tell(strange_t *strange, const host_result_t *host, const haddr_t *router, char *text)
{
    hbytes_t out = {0};
    int n = strange_host(strange, host, router, &out);

    if (n == 1)
        snprintf(text, TEXT_SIZE, "%s", out.data);
    hbytes_deinit(&out);
    return n;
}

/* How many of count hosts in a row had to come until it was told; 0: never. */
static unsigned row(unsigned count, uint8_t mac, const haddr_t *router, char *text)
{
    strange_t strange = {0};
    unsigned at = 0;

    for (unsigned i = 0; i < count; i++) {
        host_result_t host = up(i, mac);

        if (tell(&strange, &host, router, text) == 1) {
            assert_int_equal(at, 0);
            at = i + 1;
        }
    }
    return at;
}

static void who_answers_for_a_network_is_told_once(void **state)
{
    haddr_t router = address("10.0.0.1");
    char text[TEXT_SIZE];

    (void)state;
    assert_int_equal(row(600, 7, NULL, text), STRANGE_NEIGHBOURS);
    assert_string_equal(text, "64 addresses in a row (10.1.0.0 to 10.1.0.63) are up and have one "
                              "link address, 00:00:00:00:00:07: it answers for all of them");
    assert_int_equal(row(600, 0, &router, text), STRANGE_HOSTS);
    assert_string_equal(text,
                        "256 addresses in a row (10.1.0.0 to 10.1.0.255) are up and answer alike "
                        "(echo-reply): the router 10.0.0.1, or what is behind it, answers for all "
                        "of them");
    assert_int_equal(row(600, 0, NULL, text), STRANGE_HOSTS);
    assert_non_null(strstr(text, "something on the way"));
    assert_int_equal(row(STRANGE_HOSTS - 1, 0, NULL, text), 0);
}

/* Changes every 50th host; at the end nothing may have been told. */
static bool is_told_with(void (*change)(host_result_t *host))
{
    strange_t strange = {0};
    bool is_told = false;
    char text[TEXT_SIZE];

    for (unsigned i = 0; i < 600; i++) {
        host_result_t host = up(i, 7);

        if (i % 50 == 0)
            change(&host);
        is_told = tell(&strange, &host, NULL, text) == 1 || is_told;
    }
    return is_told;
}

static void is_down(host_result_t *host)
{
    host->state = HOST_DOWN;
}

static void is_another(host_result_t *host)
{
    host->mac[0] = 9;
}

static void is_from_elsewhere(host_result_t *host)
{
    host->has_mac = false;
}

static void is_this_machine(host_result_t *host)
{
    host->reason = REASON_LOCALHOST;
    host->has_mac = false;
}

static void a_host_of_its_own_ends_the_row(void **state)
{
    (void)state;
    assert_false(is_told_with(is_down));
    assert_false(is_told_with(is_another));
    assert_false(is_told_with(is_from_elsewhere));
    assert_true(is_told_with(is_this_machine));
}

static void what_was_not_asked_is_not_strange(void **state)
{
    strange_t strange = {0};
    char text[TEXT_SIZE];

    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        host_result_t host = up(i, 0), here = up(i, 0);

        host.reason = REASON_USER_SET;
        assert_int_equal(tell(&strange, &host, NULL, text), 0);
        ((uint8_t *)&here.addr.u.sin.sin_addr)[0] = 127;
        assert_int_equal(tell(&strange, &here, NULL, text), 0);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int tell_all(void *arg)
{
    port_result_t ports[PORTS];
    haddr_t addr = address("10.0.0.7");
    strange_t strange = {.open_hosts = 1};
    hbytes_t out = {0};
    int err;

    (void)arg;
    make_ports(ports, PORTS, PORT_OPEN);
    err = strange_ports(&strange, &addr, ports, PORTS, &out);
    if (err >= 0)
        err = strange_end(&strange, &out);
    hbytes_deinit(&out);
    return err < 0 ? err : 0;
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    oom_run(tell_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_open_is_told_once),
        cmocka_unit_test(a_few_ports_or_different_ones_are_not_strange),
        cmocka_unit_test(protocols_are_looked_at_by_themselves),
        cmocka_unit_test(who_answers_for_a_network_is_told_once),
        cmocka_unit_test(a_host_of_its_own_ends_the_row),
        cmocka_unit_test(what_was_not_asked_is_not_strange),
        cmocka_unit_test(out_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
