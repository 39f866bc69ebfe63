# One thread.
"""Without privileges: echoes by ping sockets where net.ipv4.ping_group_range allows them, in a LAN
of its own."""

import contextlib

import pytest

import hnmap_lan
from conftest import TIMEOUT
from hnmap_lab import become_nobody, lan, public_hnmap, run  # noqa: F401
from hnmap_lan import FAR, SCANNER

SILENT_V4, SILENT_V6 = "10.77.0.55", "fd77::20"  # nothing of them comes but echoes
NOBODY = "10.77.0.60"  # and of this one nothing at all
ALL, NONE = "0 2147483647", "1 0"
IPV6 = pytest.param(SILENT_V6, ["-6"])


@contextlib.contextmanager
def pings(lan, groups):
    """With who may have ping sockets, and hosts that drop TCP."""
    lan.scanner.sysctl(ipv4__ping_group_range=groups)
    lan.hosts.nft("table inet silent { chain c { type filter hook input priority 0;\n"
                  f"ip daddr {SILENT_V4} meta l4proto tcp drop\n"
                  f"ip6 daddr {SILENT_V6} meta l4proto tcp drop\n"
                  "}\n}\n")
    try:
        yield
    finally:
        lan.hosts.nft("delete table inet silent")
        lan.scanner.sysctl(ipv4__ping_group_range=NONE)


def scan(lab, lan, program, *args):
    process = run(lab, lan, "-v", *args, "-oX", "-", name=program, preexec_fn=become_nobody)
    assert process.popen.returncode == 0, process
    found = hnmap_lan.read_report(process.out())
    return found, [line for line in process.err().splitlines() if "CAP_NET_RAW" in line]


def ttl_of(found):
    return int(found.element.find("status").get("reason_ttl"))


@pytest.mark.parametrize("address, args", [(SILENT_V4, []), IPV6])
@pytest.mark.parametrize("ping", [[], ["-PE"], ["-PE", "-PS80"]])
def test_a_host_that_drops_tcp(lab, lan, public_hnmap, address, args, ping):
    with pings(lan, ALL):
        found, said = scan(lab, lan, public_hnmap, *args, "-sn", *ping, address)
    assert (found[address].state, found[address].reason) == ("up", "echo-reply")
    assert ttl_of(found[address]) == 64
    srtt_us = int(found[address].element.find("times").get("srtt"))
    assert 0 < srtt_us < TIMEOUT * 1000000
    assert len(said) == 1 and "echoes of a ping socket and by connect" in said[0]


@pytest.mark.parametrize("address, args", [(SILENT_V4, []), IPV6])
def test_without_the_right_to_ping_sockets(lab, lan, public_hnmap, address, args):
    with pings(lan, NONE):
        found, said = scan(lab, lan, public_hnmap, *args, "-sn", address)
        assert found[address].state == "down"
        assert len(said) == 1
        assert "scanning by connect" in said[0] and "net.ipv4.ping_group_range" in said[0]
        refused = run(lab, lan, *args, "-sn", "-PE", address, name=public_hnmap,
                      preexec_fn=become_nobody)
    assert refused.popen.returncode == 2 and refused.out() == b""
    assert "-PE" in refused.err() and "net.ipv4.ping_group_range" in refused.err()
    assert "-PS" in refused.err() and len(refused.err().splitlines()) == 1


def test_as_many_as_with_privileges(lab, lan, public_hnmap):
    """On the link, too, but for what shows itself by ARP alone."""
    with pings(lan, ALL):
        found, _ = scan(lab, lan, public_hnmap, "-sn", hnmap_lan.NETWORK, FAR)
        raw = hnmap_lan.read_report(run(lab, lan, "-sn", "-v", "--disable-arp-ping", "-oX", "-",
                                        hnmap_lan.NETWORK, FAR).out())
    up = {a for a, f in found.items() if f.state == "up"}
    assert up == {a for a, f in raw.items() if f.state == "up"}
    assert up == {SCANNER, FAR, *hnmap_lan.ADDRESSES} - {NOBODY}


def test_ports_behind_an_echo(lab, lan, public_hnmap):
    with pings(lan, ALL):
        found, _ = scan(lab, lan, public_hnmap, "-p20-30", "10.77.0.35")
        only, _ = scan(lab, lan, public_hnmap, "-PE", "-p20-30", "10.77.0.35")
    for report in (found, only):
        assert report["10.77.0.35"].reason == "echo-reply"
        assert report["10.77.0.35"].of("open") == {22}


@pytest.mark.parametrize("ttl, state", [(1, "down"), (9, "up")])
def test_options_of_packets(lab, lan, public_hnmap, ttl, state):
    """They reach a host behind a router, or not; the router says so, which is no answer."""
    with pings(lan, ALL), lan.capture(0x0800) as captured:
        found, _ = scan(lab, lan, public_hnmap, "-sn", "-PE", f"--ttl={ttl}", "--data=cafe", "-S",
                        SCANNER, "-e", "lan0", FAR)
    assert found[FAR].state == state
    echoes = [packet for _, packet in captured if packet[9] == 1]
    assert echoes and all(p[8] == ttl and p[28 + 8:] == b"\xca\xfe" for p in echoes)


def test_an_error_of_the_host_itself(lab, lan, public_hnmap):
    lan.hosts.nft("table ip refuse { chain c { type filter hook input priority 0;\n"
                  f"ip daddr {SILENT_V4} icmp type echo-request reject with icmp admin-prohibited\n"
                  "}\n}\n")
    try:
        with pings(lan, ALL):
            found, _ = scan(lab, lan, public_hnmap, "-sn", SILENT_V4)
    finally:
        lan.hosts.nft("delete table ip refuse")
    assert (found[SILENT_V4].state, found[SILENT_V4].reason) == ("up", "admin-prohibited")


def test_nobody_there(lab, lan, public_hnmap):
    """Errors of some are not told of others."""
    with pings(lan, ALL):
        found, _ = scan(lab, lan, public_hnmap, "-sn", "--initial-rtt-timeout=4s",
                        "--max-rtt-timeout=4s", "--max-retries=1", "-PE", "10.77.0.200-209",
                        SILENT_V4)
    assert {a for a, f in found.items() if f.state == "up"} == {SILENT_V4}


def test_packets_are_told(lab, lan, public_hnmap):
    with pings(lan, ALL):
        process = run(lab, lan, "-sn", "-PE", "--packet-trace", SILENT_V4, name=public_hnmap,
                      preexec_fn=become_nobody)
    lines = process.out().decode().splitlines()
    assert any(line.startswith("SENT (") and
               line.endswith(f"ICMP [localhost > {SILENT_V4} Echo request] seq=0") for line in lines)
    assert any(line.startswith("RCVD (") and
               line.endswith(f"ICMP [{SILENT_V4} > localhost Echo reply] seq=0") for line in lines)
