# No sanitizer: the same code runs with them in test_hnmap_lan.py and test_hnmap_engine_network.c.
"""hnmap where packets are lost, limited or delayed: what it finds, and how many packets that takes.
Nothing here is decided by time."""

import pytest

from conftest import wait_until
from hnmap_lab import ARP, IPV4, SYN_PORTS, faults, lan, scan, wire  # noqa: F401
from hnmap_lan import ADDRESSES, BY_ADDRESS, HOSTS, NETWORK, SCANNER, Host, LongLan

RUNS = 5
PLAIN = [h for h in HOSTS if h.others == "accept" and not h.rst_rate and not h.filters]
TCP, SYN = 6, 2
IN_TIME = "packets no closer, unless this machine holds one back that is about to leave"


def tcp_packets(packets, address):
    """[(seconds, port)] of the SYNs to an address."""
    wanted = bytes(map(int, address.split(".")))
    return [(when, int.from_bytes(data[22:24], "big")) for when, data in packets
            if data[9] == TCP and data[33] == SYN and data[16:20] == wanted]


def per_100_ms(times):
    """The most within any 100 ms."""
    most = first = 0
    for last, when in enumerate(times):
        while when - times[first] >= 0.1:
            first += 1
        most = max(most, last - first + 1)
    return most


# ---- loss ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("_", range(RUNS))
def test_all_hosts_at_one_percent_loss(lab, lan, _):
    with lan.loss(1):
        found = scan(lab, lan, "-sn", NETWORK)
    assert set(found) == {SCANNER, *ADDRESSES}


@pytest.mark.parametrize("_", range(RUNS))
def test_all_open_ports_at_one_percent_loss(lab, lan, _):
    with lan.loss(1):
        found = scan(lab, lan, "-sS", SYN_PORTS, *[h.address for h in PLAIN])
    wrong = []
    for host in PLAIN:
        assert found[host.address].of("open") == host.open, host.address
        wrong += faults(found[host.address], host, range(1, 501))
    assert not wrong


@pytest.mark.parametrize("_", range(RUNS))
def test_all_ports_at_five_percent_loss(lab, lan, _):
    with lan.loss(5):
        found = scan(lab, lan, "-sS", SYN_PORTS, *[h.address for h in PLAIN])
    wrong = []
    for host in PLAIN:
        wrong += faults(found[host.address], host, range(1, 501))
    assert not wrong


@pytest.mark.parametrize("_", range(2))
def test_connect_at_one_percent_loss(lab, lan, _):
    hosts = PLAIN[:10]
    with lan.loss(1):
        found = scan(lab, lan, "-sT", "-Pn", "-p1-150,389,443", *[h.address for h in hosts])
    assert {h.address: found[h.address].of("open") for h in hosts} == {h.address: h.open for h in hosts}


@pytest.mark.parametrize("_", range(3))
def test_a_long_lossy_way(lab, lan, wire, _):
    host = Host(ADDRESSES[0], [22, 80, 443, 1000, 2222, 2999])
    long = LongLan(wire, ["-d", "20", "-l", "1"], [host])
    try:
        found = scan(lab, long, "-sS", "-p1-3000", host.address)[host.address]
    finally:
        long.close()
    assert found.of("open") == host.open
    assert found.hidden == {"closed": 3000 - len(host.open)}


def test_a_narrow_way(lab, lan, wire):
    """5,000 packets a second with a queue of 50: what does not fit is lost. Nothing is missed."""
    host = Host(ADDRESSES[0], [22, 80, 443, 1000, 2222, 2999])
    long = LongLan(wire, ["-d", "5", "-r", "5000", "-q", "50"], [host])
    try:
        found = scan(lab, long, "-sS", "-p1-3000", host.address)[host.address]
    finally:
        long.close()
    assert found.of("open") == host.open
    assert found.hidden == {"closed": 3000 - len(host.open)}


# ---- silence -------------------------------------------------------------------------------------


def test_a_host_that_drops_costs_two_packets_a_port(lab, lan):
    """For one of its ports has answered, and the way is short."""
    host = BY_ADDRESS["10.77.0.50"]
    with lan.capture(IPV4) as packets:
        found = scan(lab, lan, "-sS", "-p1-1000", host.address)[host.address]
    sent = tcp_packets(packets, host.address)
    assert found.of("open") == host.open
    assert found.hidden == {"filtered": 999}
    assert {port for _, port in sent} == set(range(1, 1001))
    assert 1000 + 999 <= len(sent) <= 1000 + 999 + 50


def test_sockets_of_silent_ports_are_used_again(lab, lan):
    """And not held until the kernel gives up, which takes it two minutes."""
    host = BY_ADDRESS["10.77.0.50"]
    found = scan(lab, lan, "-sT", "--max-parallelism", "4", "-p61-100", host.address)[host.address]
    assert found.of("open") == host.open
    assert found.hidden == {"filtered": 39}


def test_who_is_not_there_is_asked_little(lab, lan):
    """Of a /24: the 218 that do not answer ARP get no more than three questions each."""
    with lan.capture(ARP) as packets:
        scan(lab, lan, "-sn", NETWORK)
    assert len(packets) <= 37 * 2 + 218 * 3


def test_max_retries(lab, lan):
    host = BY_ADDRESS["10.77.0.50"]
    with lan.capture(IPV4) as packets:
        scan(lab, lan, "-sS", "-Pn", "-p100-199", "--max-retries", "0", host.address)
    assert len(tcp_packets(packets, host.address)) == 100


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("_", range(2))
def test_a_limit_of_resets_hides_nothing(lab, lan, _):
    """Which it does not wait for: of 1,000 closed ports 100 a second say so."""
    host = next(h for h in HOSTS if h.rst_rate)
    with lan.capture(IPV4) as packets:
        found = scan(lab, lan, "-sS", "-p1-1000", host.address)[host.address]
    assert found.of("open") == host.open
    assert found.of("closed") | found.of("filtered") == set(range(1, 1001)) - host.open
    assert len(tcp_packets(packets, host.address)) <= 11 * 1000


@pytest.mark.parametrize("rate", [100, 1000])
@pytest.mark.parametrize("address", ["10.77.0.10", "10.77.0.50"])
def test_max_rate_is_never_passed(lab, lan, rate, address):
    def times():
        with lan.capture(IPV4) as packets:
            scan(lab, lan, "-sS", f"-p1-{rate}", "--max-rate", str(rate), address)
        found = [when for when, _ in tcp_packets(packets, address)]
        assert len(found) >= rate
        return found

    wait_until(lambda: per_100_ms(times()) <= rate / 10, IN_TIME)


def test_max_rate_holds_for_arp_and_many_hosts(lab, lan):
    def times():
        with lan.capture(ARP) as packets:
            scan(lab, lan, "-sn", "--max-rate", "500", NETWORK)
        return [when for when, _ in packets]

    wait_until(lambda: per_100_ms(times()) <= 50, IN_TIME)


def test_scan_delay(lab, lan):
    """The least time between two probes of a host, by the kernel's clock as they leave."""

    def least():
        with lan.capture(IPV4) as packets:
            scan(lab, lan, "-sS", "-p1-20", "--scan-delay", "20ms", ADDRESSES[0])
        times = [when for when, _ in tcp_packets(packets, ADDRESSES[0])]
        assert len(times) >= 20
        return min(b - a for a, b in zip(times, times[1:]))

    wait_until(lambda: least() >= 0.019, IN_TIME)
