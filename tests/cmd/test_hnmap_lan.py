# One thread.
"""What hnmap reports of a LAN beside the written truth about it (hnmap_lan.HOSTS): no host and no
port missed, none invented, and each for the reason that is so."""

import contextlib
import os
import socket
import threading

import pytest

from conftest import IPV6
from hnmap_lab import (IPV4, SYN_PORTS, become_nobody, connect_faults, faults,  # noqa: F401
                       lan, public_hnmap, scan)
from hnmap_lan import (ADDRESSES, BY_ADDRESS, FAR, FAR_HOST, HOSTS, IPV6_HOSTS, NETWORK, PORT_MAX,
                       SCANNER, Host)

PORTS = range(1, PORT_MAX + 1)
RUNS = 1 if os.environ.get("SAN") else 3  # sanitizers look at code, not at chance
LIMITED = next(h for h in HOSTS if h.rst_rate)
# Connecting to 80 and 443 finds them; nmap, too, takes an error of the way for no answer.
UNPRIVILEGED_UP = {h.address for h in HOSTS
                   if {h.connect_state(80), h.connect_state(443)} & {"open", "closed"}}


def assert_true(found, hosts, ports, look=faults):
    for host in hosts:
        assert host.address in found, f"{host.address} was missed"
        wrong = look(found[host.address], host, ports)
        assert not wrong, f"{host.address}: {wrong[:5]} and {len(wrong)} in all"


# ---- hosts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("_", range(RUNS))
def test_hosts_by_arp(lab, lan, _):
    found = scan(lab, lan, "-sn", NETWORK)
    assert set(found) == {SCANNER, *ADDRESSES}
    assert {found[a].reason for a in ADDRESSES} == {"arp-response"}
    assert found[SCANNER].reason == "localhost-response"


def test_hosts_have_their_link_address(lab, lan):
    found = scan(lab, lan, "-sn", ADDRESSES[3])[ADDRESSES[3]]
    addresses = {a.get("addrtype"): a.get("addr") for a in found.element.iterfind("address")}
    assert addresses["mac"].lower() == lan.mac()


@pytest.mark.parametrize("_", range(RUNS))
def test_hosts_without_privileges(lab, lan, _):
    found = scan(lab, lan, "-sn", "--unprivileged", NETWORK)
    assert set(found) - {SCANNER} == UNPRIVILEGED_UP


def test_hosts_as_another_user(lab, lan, public_hnmap):
    found = scan(lab, lan, "-sn", NETWORK, name=public_hnmap, preexec_fn=become_nobody)
    assert set(found) - {SCANNER} == UNPRIVILEGED_UP


@pytest.mark.parametrize("ping, reason", [("-PE", "echo-reply"), ("-PP", "timestamp-reply"),
                                          ("-PS22", "syn-ack"), ("-PS9", "reset"),
                                          ("-PA80", "reset")])
def test_host_behind_a_router(lab, lan, ping, reason):
    found = scan(lab, lan, "-sn", ping, FAR)
    assert (found[FAR].state, found[FAR].reason) == ("up", reason)


def test_hosts_that_are_not_there(lab, lan):
    found = scan(lab, lan, "-sn", "-v", "10.77.0.11", "10.78.0.3")
    assert {a: f.state for a, f in found.items()} == {"10.77.0.11": "down", "10.78.0.3": "down"}


def test_a_host_that_is_silent_is_scanned_when_asked_to(lab, lan):
    """Behind the router, where ARP tells nothing: all of it is filtered."""
    found = scan(lab, lan, "-Pn", "-p", "100-120", FAR)[FAR]
    assert found.reason == "user-set"
    assert found.of("filtered") == set(range(100, 121))


# ---- ports ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("_", range(RUNS))
def test_ports_by_syn(lab, lan, _):
    others = [h for h in HOSTS if h is not LIMITED]
    found = scan(lab, lan, "-sS", SYN_PORTS, FAR, *[h.address for h in others])
    assert_true(found, [*others, FAR_HOST], PORTS)


@pytest.mark.parametrize("_", range(RUNS))
def test_ports_by_connect(lab, lan, _):
    others = [h for h in HOSTS if h is not LIMITED]
    found = scan(lab, lan, "-sT", "-Pn", "-p1-200", *[h.address for h in others])
    assert_true(found, others, range(1, 201), connect_faults)


def test_hosts_for_connect_are_found_by_arp(lab, lan):
    found = scan(lab, lan, "-sT", "-p22", NETWORK)
    assert set(found) == {SCANNER, *ADDRESSES}


def test_ports_as_another_user(lab, lan, public_hnmap):
    hosts = [h for h in HOSTS[:7] if h is not LIMITED]
    found = scan(lab, lan, "-Pn", "-p1-200", *[h.address for h in hosts], name=public_hnmap,
                 preexec_fn=become_nobody)
    assert_true(found, hosts, range(1, 201), connect_faults)


def test_a_limit_of_resets(lab, lan):
    """Nothing that answers late is taken for filtered, and nothing that is open is missed."""
    found = scan(lab, lan, "-sS", "-p1-300", LIMITED.address)[LIMITED.address]
    assert found.of("open") == {p for p in LIMITED.open if p <= 300}


@pytest.mark.parametrize("letter, at_open, at_closed, at_silence", [
    ("A", ("unfiltered", "reset"), ("unfiltered", "reset"), ("filtered", "no-response")),
    ("F", ("open|filtered", "no-response"), ("closed", "reset"), ("open|filtered", "no-response")),
    ("N", ("open|filtered", "no-response"), ("closed", "reset"), ("open|filtered", "no-response")),
    ("X", ("open|filtered", "no-response"), ("closed", "reset"), ("open|filtered", "no-response")),
    ("M", ("closed", "reset"), ("closed", "reset"), ("open|filtered", "no-response")),
])
def test_ports_by_other_flags(lab, lan, letter, at_open, at_closed, at_silence):
    host = BY_ADDRESS["10.77.0.30"]
    ports = [21, 22, 80, 99, 100, 110, 199, 200, 443]
    found = scan(lab, lan, "-s" + letter, "-p", ",".join(map(str, ports)), host.address)
    wanted = {p: {"open": at_open, "closed": at_closed, "filtered": at_silence}[host.state(p)]
              for p in ports}
    # Linux answers neither FIN nor what has no ACK at a port that listens; a FIN ACK it resets.
    assert found[host.address].ports == wanted


def test_all_ports_of_a_host(lab, lan):
    host = HOSTS[0]
    found = scan(lab, lan, "-p-", host.address)[host.address]
    assert found.of("open") == host.open
    assert found.hidden == {"closed": 65535 - len(host.open)}


@pytest.mark.skipif(not IPV6, reason="no IPv6 here")
@pytest.mark.parametrize("args", [["-sS"], ["-sT"], ["--unprivileged"]])
def test_ipv6(lab, lan, args):
    hosts = [Host(a, p) for a, p in IPV6_HOSTS.items()]
    found = scan(lab, lan, "-6", *args, "-p1-500", *[h.address for h in hosts])
    assert_true(found, hosts, PORTS, faults if "-sS" in args else connect_faults)


@pytest.mark.skipif(not IPV6, reason="no IPv6 here")
def test_ipv6_neighbours(lab, lan):
    found = scan(lab, lan, "-6", "-sn", "fd77::/122", "fd77::40")
    assert set(found) == {"fd77::1", *IPV6_HOSTS}
    assert {found[a].reason for a in IPV6_HOSTS} == {"nd-response"}


# ---- the same again ------------------------------------------------------------------------------


def test_seed_repeats_the_order(lab, lan):
    """Of the first tries: when others follow depends on when answers come."""

    def order(seed):
        with lan.capture(IPV4) as packets:
            scan(lab, lan, "-sS", "-p1-100", "--seed", seed, "-g", "40000", HOSTS[0].address)
        return list(dict.fromkeys(p[22:24] for _, p in packets if p[9] == 6 and p[33] == 2))

    first = order("7")
    assert len(set(first)) == 100
    assert order("7") == first
    assert order("8") != first


# ---- UDP -----------------------------------------------------------------------------------------


def answer(sock, over):
    """Whatever comes, as often as it comes."""
    while not over.is_set():
        with contextlib.suppress(TimeoutError):
            _, peer = sock.recvfrom(2000)
            sock.sendto(b"here", peer)


@pytest.mark.parametrize("port", [53, 5353, 7777])
def test_udp(lab, lan, port):
    """One port answers whatever it gets, one is bound and silent, the others are unreachable."""
    address = ADDRESSES[0]
    with lan.hosts.inside():
        open_one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with open_one, silent:
        open_one.bind((address, port))
        silent.bind((address, 1000))
        open_one.settimeout(0.1)
        over = threading.Event()
        thread = threading.Thread(target=answer, args=(open_one, over))
        thread.start()
        try:
            found = scan(lab, lan, "-sU", "-p", f"1000,2000-2010,{port}", address)[address]
        finally:
            over.set()
            thread.join()
    assert found.ports[port] == ("open", "udp-response")
    assert found.ports[1000] == ("open|filtered", "no-response")
    assert {found.ports[p] for p in range(2000, 2011)} == {("closed", "port-unreach")}
