/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "net/hroute.h"
#include "netns_fixture.h"
#include "oom.h"
#include "packet_fixture.h"

static const uint8_t zero_mac[PACKET_MAC_SIZE];

static hroute_t *route;

static int open_route(void **state)
{
    (void)state;
    return hroute_new(&route);
}

static int close_route(void **state)
{
    (void)state;
    hroute_free(route);
    route = NULL;
    netns_leave();
    return 0;
}

/* In a namespace of its own; the socket belongs to it. */
static void enter(void)
{
    if (!netns_enter())
        skip();
    hroute_free(route);
    assert_int_equal(hroute_new(&route), 0);
}

static int look_up(const char *dst, unsigned ifindex, const char *source, hroute_answer_t *answer)
{
    packet_addr_t to = address(dst), from = {.family = 0};

    if (source)
        from = address(source);
    return hroute_lookup(route, &to, ifindex, source ? &from : NULL, answer);
}

/* The answer to a question that has one. */
static hroute_answer_t found(const char *dst, unsigned ifindex, const char *source)
{
    hroute_answer_t answer;

    assert_int_equal(look_up(dst, ifindex, source, &answer), 0);
    return answer;
}

/* A question that has none leaves nothing behind. */
static int refused(const char *dst, unsigned ifindex, const char *source)
{
    static const hroute_answer_t nothing;
    hroute_answer_t answer;
    int err = look_up(dst, ifindex, source, &answer);

    assert_memory_equal(&answer, &nothing, sizeof(answer));
    return err;
}

static void assert_addr(const packet_addr_t *addr, const char *text)
{
    packet_addr_t expected = address(text);

    assert_true(packet_addr_equal(addr, &expected));
}

static unsigned index_of(const char *name)
{
    hroute_link_t link;

    assert_int_equal(hroute_link_named(route, name, &link), 0);
    assert_string_equal(link.name, name);
    return link.index;
}

/* ---- without privileges ---------------------------------------------------------------------- */

static void ourselves(void **state)
{
    hroute_answer_t answer = found("127.0.0.1", 0, NULL);

    (void)state;
    assert_int_equal(answer.type, HROUTE_LOCAL);
    assert_int_equal(answer.link.kind, HROUTE_LOOPBACK);
    assert_string_equal(answer.link.name, "lo");
    assert_true(answer.link.is_up);
    assert_addr(&answer.source, "127.0.0.1");
    assert_false(answer.has_gateway);
    assert_true(answer.mtu >= 1500);
    assert_memory_equal(answer.link.mac, zero_mac, sizeof(zero_mac));
}

static void bad_questions(void **state)
{
    hroute_answer_t answer;
    hroute_link_t link;
    packet_addr_t nothing = {.family = 0}, v4 = address("127.0.0.1");
    uint8_t mac[PACKET_MAC_SIZE];

    (void)state;
    assert_int_equal(hroute_lookup(route, &nothing, 0, NULL, &answer), -EINVAL);
    assert_int_equal(refused("127.0.0.1", 0, "::1"), -EINVAL);
    assert_int_equal(refused("fe80::1", 0, NULL), -EINVAL);
    assert_int_equal(refused("127.0.0.1", 0x7fffffff, NULL), -ENODEV);
    assert_int_equal(refused("127.0.0.1", UINT32_MAX, NULL), -ENODEV);
    assert_int_equal(hroute_link(route, 0, &link), -ENODEV);
    assert_int_equal(hroute_link_named(route, "hnet-none", &link), -ENODEV);
    assert_int_equal(hroute_link_named(route, "", &link), -EINVAL);
    assert_int_equal(hroute_link_named(route, "a-name-of-16-let", &link), -EINVAL);
    assert_int_equal(hroute_neighbour(route, 1, &nothing, mac), -EINVAL);
    assert_int_equal(hroute_neighbour(route, 0, &v4, mac), -EINVAL);
}

static int find_lo(const hroute_link_t *link, void *arg)
{
    *(bool *)arg |= link->kind == HROUTE_LOOPBACK && strcmp(link->name, "lo") == 0;
    return 0;
}

static int find_localhost(const hroute_address_t *addr, void *arg)
{
    packet_addr_t localhost = address("127.0.0.1");

    if (!packet_addr_equal(&addr->addr, &localhost))
        return 0;
    assert_int_equal(addr->prefix_len, 8);
    assert_true(addr->is_usable);
    *(bool *)arg = true;
    return 0;
}

static int give_up(const hroute_link_t *link, void *arg)
{
    (void)link;
    ++*(int *)arg;
    return 42;
}

/* Also after a list that was left in the middle. */
static void lists(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        bool has_lo = false, has_localhost = false;
        int calls = 0;

        assert_int_equal(hroute_each_link(route, find_lo, &has_lo), 0);
        assert_int_equal(hroute_each_link(route, give_up, &calls), 42);
        assert_int_equal(hroute_each_address(route, find_localhost, &has_localhost), 0);
        assert_true(has_lo && has_localhost);
        assert_int_equal(calls, 1);
    }
}

/* ---- in a namespace -------------------------------------------------------------------------- */

static void neighbours_on_the_link(void **state)
{
    static const uint8_t mac[] = {2, 0, 0, 0, 0, 1};
    hroute_answer_t answer;

    (void)state;
    enter();
    answer = found("10.77.0.2", 0, NULL);
    assert_int_equal(answer.type, HROUTE_UNICAST);
    assert_string_equal(answer.link.name, "hnet0");
    assert_int_equal(answer.link.kind, HROUTE_ETHERNET);
    assert_memory_equal(answer.link.mac, mac, sizeof(mac));
    assert_false(answer.link.has_no_arp);
    assert_int_equal(answer.mtu, 1500);
    assert_false(answer.has_gateway);
    assert_addr(&answer.source, "10.77.0.1");
    answer = found("fd77::2", 0, NULL);
    assert_string_equal(answer.link.name, "hnet0");
    assert_addr(&answer.source, "fd77::1");
    assert_false(answer.has_gateway);
    assert_int_equal(found("10.77.0.255", 0, NULL).type, HROUTE_BROADCAST);
    /* our own addresses are at the loopback, whatever interface has them */
    assert_int_equal(found("10.77.0.1", 0, NULL).link.kind, HROUTE_LOOPBACK);
    assert_int_equal(found("fd77::1", 0, NULL).link.kind, HROUTE_LOOPBACK);
    assert_int_equal(found("fd77::1", 0, NULL).type, HROUTE_LOCAL);
}

static void through_a_gateway(void **state)
{
    hroute_answer_t answer;

    (void)state;
    enter();
    assert_int_equal(refused("192.0.2.1", 0, NULL), -ENETUNREACH);
    assert_int_equal(refused("2001:db8::1", 0, NULL), -ENETUNREACH);
    run("ip route add default via 10.77.0.2 mtu 1400 && ip -6 route add default via fd77::2");
    answer = found("192.0.2.1", 0, NULL);
    assert_true(answer.has_gateway);
    assert_addr(&answer.gateway, "10.77.0.2");
    assert_addr(&answer.source, "10.77.0.1");
    assert_int_equal(answer.mtu, 1400);
    assert_int_equal(answer.link.mtu, 1500);
    answer = found("2001:db8::1", 0, NULL);
    assert_true(answer.has_gateway);
    assert_addr(&answer.gateway, "fd77::2");
    run("ip route add 198.51.100.0/24 via inet6 fd77::2 dev hnet0");
    answer = found("198.51.100.1", 0, NULL);
    assert_true(answer.has_gateway);
    assert_addr(&answer.gateway, "fd77::2");
    assert_addr(&answer.source, "10.77.0.1");
}

static void routes_that_refuse(void **state)
{
    (void)state;
    enter();
    run("ip route add unreachable 192.0.2.0/24 && ip route add prohibit 198.51.100.0/24 && "
        "ip route add blackhole 203.0.113.0/24");
    run("ip -6 route add unreachable 2001:db8:1::/48 && ip -6 route add prohibit 2001:db8:2::/48 "
        "&& ip -6 route add blackhole 2001:db8:3::/48");
    assert_int_equal(refused("192.0.2.1", 0, NULL), -EHOSTUNREACH);
    assert_int_equal(refused("198.51.100.1", 0, NULL), -EACCES);
    assert_int_equal(refused("203.0.113.1", 0, NULL), -ENETUNREACH);
    assert_int_equal(refused("2001:db8:1::1", 0, NULL), -EHOSTUNREACH);
    assert_int_equal(refused("2001:db8:2::1", 0, NULL), -EACCES);
    assert_int_equal(refused("2001:db8:3::1", 0, NULL), -ENETUNREACH);
}

static void by_another_interface(void **state)
{
    hroute_answer_t answer;
    unsigned dummy;

    (void)state;
    enter();
    run("ip link add hnet2 type veth peer name hnet3 && ip addr add 10.78.0.1/24 dev hnet2 && "
        "ip link set hnet2 arp off up && ip link set hnet3 up");
    dummy = index_of("hnet2");
    answer = found("10.77.0.2", dummy, NULL);
    assert_string_equal(answer.link.name, "hnet2");
    assert_addr(&answer.source, "10.78.0.1");
    assert_true(answer.link.has_no_arp);
    run("ip link set hnet2 down");
    assert_int_equal(refused("10.78.0.2", dummy, NULL), -ENETDOWN);
    run("ip link del hnet2");
    assert_int_equal(refused("10.78.0.2", dummy, NULL), -ENODEV);
}

static void from_another_source(void **state)
{
    hroute_answer_t answer;

    (void)state;
    enter();
    run("ip addr add 10.77.0.9/24 dev hnet0");
    answer = found("10.77.0.2", 0, "10.77.0.9");
    assert_addr(&answer.source, "10.77.0.9");
    answer = found("10.77.0.2", 0, "192.0.2.200"); /* nobody's */
    assert_addr(&answer.source, "192.0.2.200");
    assert_string_equal(answer.link.name, "hnet0");
    answer = found("fd77::2", 0, "2001:db8::200");
    assert_addr(&answer.source, "2001:db8::200");
    assert_int_equal(refused("192.0.2.1", 0, "192.0.2.200"), -ENETUNREACH);
}

static void link_local(void **state)
{
    hroute_answer_t answer;

    (void)state;
    enter();
    run("ip addr add fe80::77:1/64 dev hnet0 nodad");
    answer = found("fe80::77:2", index_of("hnet0"), NULL);
    assert_string_equal(answer.link.name, "hnet0");
    assert_addr(&answer.source, "fe80::77:1");
    assert_int_equal(refused("fe80::77:2", 0, NULL), -EINVAL);
}

static void nothing_to_send_from(void **state)
{
    (void)state;
    enter();
    run("ip addr flush dev hnet0 && ip route add 192.0.2.0/24 dev hnet0");
    assert_int_equal(refused("192.0.2.1", 0, NULL), -EADDRNOTAVAIL);
    assert_int_equal(look_up("192.0.2.1", 0, "192.0.2.200", &(hroute_answer_t){0}), 0);
}

/* Its peer's address is none of ours. */
static int find_end(const hroute_address_t *addr, void *arg)
{
    packet_addr_t end = address("10.79.0.1"), peer = address("10.79.0.2");

    assert_false(packet_addr_equal(&addr->addr, &peer));
    *(bool *)arg |= packet_addr_equal(&addr->addr, &end);
    return 0;
}

static void a_tunnel(void **state)
{
    bool has_end = false;
    hroute_link_t link;
    hroute_answer_t answer;

    (void)state;
    enter();
    run("ip tuntap add dev hnet3 mode tun && ip addr add 10.79.0.1 peer 10.79.0.2 dev hnet3 && "
        "ip link set hnet3 up");
    assert_int_equal(hroute_link_named(route, "hnet3", &link), 0);
    assert_int_equal(link.kind, HROUTE_TUNNEL);
    assert_true(link.is_point_to_point);
    assert_true(link.is_up);
    assert_false(link.is_running); /* nobody holds its other end */
    answer = found("10.79.0.2", 0, NULL);
    assert_int_equal(answer.link.index, link.index);
    assert_addr(&answer.source, "10.79.0.1");
    assert_int_equal(hroute_each_address(route, find_end, &has_end), 0);
    assert_true(has_end);
}

typedef struct routes_s {
    unsigned index;
    bool has_link, has_gateway;
} routes_t;

static int note_route(const hroute_route_t *entry, void *arg)
{
    const packet_addr_t on_link = address("10.77.0.0"), far = address("10.99.0.0"),
                        gateway = address("10.77.0.9");
    routes_t *routes = arg;

    if (entry->index != routes->index)
        return 0;
    if (packet_addr_equal(&entry->destination, &on_link))
        routes->has_link = entry->prefix_len == 24 && !entry->has_gateway;
    if (packet_addr_equal(&entry->destination, &far))
        routes->has_gateway = entry->prefix_len == 16 && entry->metric == 7 && entry->has_gateway &&
                              packet_addr_equal(&entry->gateway, &gateway);
    return 0;
}

static void all_routes(void **state)
{
    routes_t routes = {.index = 0};

    (void)state;
    enter();
    routes.index = index_of("hnet0");
    run("ip route add 10.99.0.0/16 via 10.77.0.9 metric 7");
    assert_int_equal(hroute_each_route(route, note_route, &routes), 0);
    assert_true(routes.has_link);
    assert_true(routes.has_gateway);
}

static void neighbour_cache(void **state)
{
    static const uint8_t expected[] = {2, 0, 0, 0, 0, 0x33};
    uint8_t mac[PACKET_MAC_SIZE];
    unsigned index;
    packet_addr_t v4 = address("10.77.0.33"), v6 = address("fd77::33"),
                  none = address("10.77.0.34");

    (void)state;
    enter();
    index = index_of("hnet0");
    run("ip neigh add 10.77.0.33 lladdr 02:00:00:00:00:33 dev hnet0 && "
        "ip neigh add fd77::33 lladdr 02:00:00:00:00:33 dev hnet0 && "
        "ip neigh add 10.77.0.34 dev hnet0 nud failed");
    assert_int_equal(hroute_neighbour(route, index, &v4, mac), 0);
    assert_memory_equal(mac, expected, sizeof(expected));
    memset(mac, 0, sizeof(mac));
    assert_int_equal(hroute_neighbour(route, index, &v6, mac), 0);
    assert_memory_equal(mac, expected, sizeof(expected));
    assert_int_equal(hroute_neighbour(route, index, &none, mac), -ENOENT);
    v4 = address("10.77.0.99");
    assert_int_equal(hroute_neighbour(route, index, &v4, mac), -ENOENT);
    assert_int_equal(hroute_neighbour(route, 9999, &v4, mac), -ENODEV);
}

static int count_link(const hroute_link_t *link, void *arg)
{
    assert_int_equal(link->kind, strcmp(link->name, "lo") == 0 ? HROUTE_LOOPBACK : HROUTE_ETHERNET);
    ++*(int *)arg;
    return 0;
}

static int count_address(const hroute_address_t *addr, void *arg)
{
    (void)addr;
    ++*(int *)arg;
    return 0;
}

/* More than one datagram of the kernel's. */
static void long_lists(void **state)
{
    int links = 0, addresses = 0, calls = 0;

    (void)state;
    enter();
    run("(for i in $(seq 64); do echo link add many$i type veth peer name more$i; "
        "echo addr add 10.80.0.$i/32 dev many$i; done) | ip -batch -");
    assert_int_equal(hroute_each_link(route, give_up, &calls), 42);
    assert_int_equal(calls, 1);
    assert_int_equal(hroute_each_link(route, count_link, &links), 0);
    assert_int_equal(hroute_each_address(route, count_address, &addresses), 0);
    assert_int_equal(links, 2 * 64 + 2);
    assert_int_equal(addresses, 64 + 2 + 2);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static int scenario(void *arg)
{
    hroute_t *own;
    hroute_answer_t answer;
    packet_addr_t dst = address("127.0.0.1");
    int err = hroute_new(&own);

    (void)arg;
    if (!err)
        err = hroute_lookup(own, &dst, 0, NULL, &answer);
    hroute_free(own);
    return err;
}

static void out_of_memory(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
    hroute_free(NULL);
}

#define IN_TURN(test) cmocka_unit_test_setup_teardown(test, open_route, close_route)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TURN(ourselves),
        IN_TURN(bad_questions),
        IN_TURN(lists),
        IN_TURN(neighbours_on_the_link),
        IN_TURN(through_a_gateway),
        IN_TURN(routes_that_refuse),
        IN_TURN(by_another_interface),
        IN_TURN(from_another_source),
        IN_TURN(link_local),
        IN_TURN(nothing_to_send_from),
        IN_TURN(a_tunnel),
        IN_TURN(all_routes),
        IN_TURN(neighbour_cache),
        IN_TURN(long_lists),
        IN_TURN(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
