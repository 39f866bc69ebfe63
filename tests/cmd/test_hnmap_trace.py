# One thread.
"""The way to a host, in a chain of routers that the test makes: a scanner, two routers in a row, and
behind the second one hosts; and what hnmap says of this machine's own interfaces and routes."""

import contextlib
import json
import shutil
import socket
import subprocess
import xml.etree.ElementTree

import pytest

import hnmap_lan

SCANNER, FIRST, SECOND = "10.79.0.1", "10.79.0.2", "10.79.1.2"
TARGET, NEIGHBOUR, MUTE = "10.79.2.10", "10.79.2.11", "10.79.2.12"
SCANNER6, FIRST6, SECOND6, TARGET6 = "fd79::1", "fd79::2", "fd79:1::2", "fd79:2::10"
OPEN = 80


class Chain:
    """Routers do not limit what they say; .first and .second are where rules can be put."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.scanner, self.first, self.second, self.hosts = (self.netns() for _ in range(4))
        hnmap_lan.connect(self.scanner, "c0", self.first, "c1")
        hnmap_lan.connect(self.first, "d0", self.second, "d1")
        hnmap_lan.connect(self.second, "e0", self.hosts, "e1")
        self.scanner.ip(f"addr add {SCANNER}/24 dev c0", f"addr add {SCANNER6}/64 dev c0 nodad",
                        f"route add 10.79.0.0/16 via {FIRST}",
                        f"route add fd79::/16 via {FIRST6}")
        self.first.ip(f"addr add {FIRST}/24 dev c1", f"addr add {FIRST6}/64 dev c1 nodad",
                      "addr add 10.79.1.1/24 dev d0", "addr add fd79:1::1/64 dev d0 nodad",
                      f"route add 10.79.2.0/24 via {SECOND}",
                      f"route add fd79:2::/64 via {SECOND6}")
        self.second.ip(f"addr add {SECOND}/24 dev d1", f"addr add {SECOND6}/64 dev d1 nodad",
                       "addr add 10.79.2.1/24 dev e0", "addr add fd79:2::1/64 dev e0 nodad",
                       "route add default via 10.79.1.1", "route add default via fd79:1::1")
        self.hosts.ip(*[f"addr add {a}/24 dev e1" for a in (TARGET, NEIGHBOUR, MUTE)],
                      f"addr add {TARGET6}/64 dev e1 nodad",
                      "route add default via 10.79.2.1", "route add default via fd79:2::1")
        for address in (TARGET, NEIGHBOUR, TARGET6):
            self.stack.enter_context(self.hosts.listen(address, OPEN))
        # A host that answers nothing but an echo.
        self.hosts.nft("table ip mute { chain c { type filter hook input priority 0;\n"
                       f"ip daddr {MUTE} icmp type != echo-request drop\n"
                       f"ip daddr {MUTE} ip protocol != icmp drop\n}}\n}}\n")

    def netns(self):
        made = hnmap_lan.Netns()
        self.stack.callback(made.close)
        made.sysctl(ipv4__icmp_ratelimit=0, ipv4__icmp_msgs_per_sec=1000000,
                    ipv4__icmp_msgs_burst=1000000, ipv6__icmp__ratelimit=0,
                    ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        return made

    @contextlib.contextmanager
    def silent(self, router):
        """A router that tells nobody that a packet ended there."""
        router.nft("table inet silent { chain c { type filter hook output priority 0;\n"
                   "icmp type time-exceeded drop\nicmpv6 type time-exceeded drop\n}\n}\n")
        try:
            yield
        finally:
            router.nft("delete table inet silent")

    def close(self):
        self.stack.close()


@pytest.fixture(scope="module")
def chain():
    reason = hnmap_lan.missing()
    if reason:
        pytest.skip(reason)
    chain = Chain()
    yield chain
    chain.close()


def run(lab, chain, *args, status=0):
    """What it writes to standard output."""
    with chain.scanner.inside():
        process = lab.run("hnmap", "-n", *args)
    assert process.popen.returncode == status, process
    return process.out().decode()


def ways(text):
    """{address: (the attributes of its <trace>, {ttl: router})} of -oX."""
    found = {}
    for host in xml.etree.ElementTree.fromstring(text).iterfind("host"):
        trace = host.find("trace")
        assert trace is not None, text
        hops = {int(hop.get("ttl")): hop.get("ipaddr") for hop in trace.iterfind("hop")}
        assert all(float(hop.get("rtt")) < 5000 for hop in trace.iterfind("hop"))
        found[host.find("address").get("addr")] = (dict(trace.attrib), hops)
    return found


def way(lab, chain, *args):
    (found,) = ways(run(lab, chain, "--traceroute", "-oX", "-", *args)).values()
    return found


def sent(chain, function):
    """How many packets with a TTL that does not lead to a host leave meanwhile; one that is asked
    again, because this machine is slow, counts once."""
    with capture(chain) as packets:
        result = function()
    return result, len({(packet[16:20], packet[8]) for packet in packets if packet[8] < 3})


@contextlib.contextmanager
def capture(chain):
    """IPv4 packets that the scanner sends, as they are in front of the first router."""
    packets = []
    with chain.scanner.inside():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    with sock:
        sock.bind(("c0", hnmap_lan.ETH_P_ALL))
        yield packets
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                data, sender = sock.recvfrom(128)
                if sender[2] == hnmap_lan.PACKET_OUTGOING and sender[1] == 0x0800:
                    packets.append(data)


WAY = {1: FIRST, 2: SECOND, 3: TARGET}
TCP = {"proto": "tcp", "port": str(OPEN)}
CLOSED = {"proto": "tcp", "port": "81"}
ICMP = {"proto": "icmp"}


# ---- ways ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("args, probe", [(["-p80"], TCP), (["-p80,81"], CLOSED), (["-p1-200"], None),
                                         (["-sT", "-p80"], TCP), (["-sA", "-p81"], CLOSED),
                                         (["-sF", "-p81"], CLOSED), (["-sn", "-PE"], ICMP),
                                         (["-sn", "-PS80"], TCP), (["-sU", "-p9"], None),
                                         (["-g4711", "-p80"], TCP), (["-g4711", "-p81"], CLOSED)])
def test_way(lab, chain, args, probe):
    attributes, hops = way(lab, chain, *args, TARGET)
    assert hops == WAY
    assert probe is None or attributes == probe


def test_way_ipv6(lab, chain):
    attributes, hops = way(lab, chain, "-6", "-p80", TARGET6)
    assert (attributes, hops) == (TCP, {1: FIRST6, 2: SECOND6, 3: TARGET6})
    assert way(lab, chain, "-6", "-sn", "-PE", TARGET6)[1] == {1: FIRST6, 2: SECOND6, 3: TARGET6}


def test_host_that_answers_only_echoes(lab, chain):
    assert way(lab, chain, "-p80", MUTE) == (ICMP, {**WAY, 3: MUTE})


def test_neighbour_and_ourselves(lab, chain):
    assert way(lab, chain, "-sn", FIRST) == ({}, {1: FIRST})
    assert "<trace" not in run(lab, chain, "--traceroute", "-sn", "-oX", "-", SCANNER)


def test_silent_routers_are_gaps(lab, chain):
    with chain.silent(chain.second):
        assert way(lab, chain, "-p80", TARGET)[1] == {1: FIRST, 3: TARGET}
        assert "\n2   ...\n3   " in run(lab, chain, "--traceroute", "-p80", TARGET)
        with chain.silent(chain.first):
            assert "\n1   ... 2\n3   " in run(lab, chain, "--traceroute", "-p80", TARGET)


def test_host_that_says_nothing(lab, chain):
    """What is behind the last router is silent: the way ends somewhere."""
    text = run(lab, chain, "--traceroute", "-Pn", "-p80", "10.79.2.99", "-oX", "-")
    (_, hops), = ways(text).values()
    assert {ttl: hops[ttl] for ttl in (1, 2)} == {1: FIRST, 2: SECOND}


def test_hosts_share_a_way(lab, chain):
    def follow(*targets):
        return ways(run(lab, chain, "--traceroute", "-p80", "-oX", "-", *targets))

    alone, single = sent(chain, lambda: follow(TARGET))
    found, both = sent(chain, lambda: follow(TARGET, NEIGHBOUR))
    assert alone[TARGET][1] == WAY
    assert found[TARGET][1] == WAY
    assert found[NEIGHBOUR][1] == {**WAY, 3: NEIGHBOUR}
    assert single == 2
    assert both == 3, "of the second host only its own router is asked for"


def test_as_nmap(lab, chain):
    if not shutil.which("nmap"):
        pytest.skip("nmap is not installed")
    for args in (["-p80", TARGET], ["-p81", TARGET], ["-sn", "-PE", TARGET], ["-p80", MUTE],
                 ["-sn", FIRST]):
        with chain.scanner.inside():
            nmap = subprocess.run(["nmap", "-n", "--traceroute", "-oX", "-", *args], check=True,
                                  timeout=100, stdout=subprocess.PIPE, text=True).stdout
        ours = run(lab, chain, "--traceroute", "-oX", "-", *args)
        assert ways(ours) == ways(nmap), args


def test_table(lab, chain):
    lines = run(lab, chain, "--traceroute", "-p80", TARGET).splitlines()
    at = lines.index("TRACEROUTE (using port 80/tcp)")
    assert lines[at - 1] == "" and lines[at + 1].split() == ["HOP", "RTT", "ADDRESS"]
    rows = [line.split() for line in lines[at + 2:at + 5]]
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("1", "ms", FIRST), ("2", "ms", SECOND), ("3", "ms", TARGET)]


def test_json(lab, chain):
    host = next(entry for entry in map(json.loads, run(
        lab, chain, "--traceroute", "-p80", "--json", "-", TARGET).splitlines())
        if entry["type"] == "host")
    assert {hop["hop"]: hop["ip"] for hop in host["trace"]} == WAY


def test_needs_privileges(lab):
    process = lab.run("hnmap", "-n", "--unprivileged", "--traceroute", "127.0.0.1")
    assert process.popen.returncode == 2
    assert "--traceroute" in process.err()


# ---- discovery -----------------------------------------------------------------------------------


@pytest.mark.parametrize("args, reason", [(["-PU"], "port-unreach"), (["-PU53,9"], "port-unreach"),
                                          (["-PO4"], "proto-unreach"), (["-PO6"], "reset"),
                                          (["-PO1"], "echo-reply"), (["-PO17"], "port-unreach"),
                                          (["-6", "-PU"], "port-unreach"),
                                          (["-6", "-PO4"], "proto-unreach")])
def test_discovery(lab, chain, args, reason):
    target = TARGET6 if "-6" in args else TARGET
    text = run(lab, chain, "-sn", "-oX", "-", *args, target)
    status = xml.etree.ElementTree.fromstring(text).find("host/status")
    assert (status.get("state"), status.get("reason")) == ("up", reason)


def test_discovery_finds_nobody(lab, chain):
    for args in (["-PU", "-PO200"],):
        assert "(0 hosts up)" in run(lab, chain, "-sn", *args, "10.79.2.99")


@pytest.mark.parametrize("arg, why", [("-PO256", "255"), ("-PUx", "-PU"), ("-POx", "-PO")])
def test_discovery_grammar(lab, chain, arg, why):
    with chain.scanner.inside():
        process = lab.run("hnmap", "-n", "-sn", arg, TARGET)
    assert process.popen.returncode == 2
    assert why in process.err()


# ---- what there is here --------------------------------------------------------------------------


def test_interfaces_and_routes(lab, chain):
    lines = [line.split() for line in run(lab, chain, "--iflist").splitlines()]
    assert ["c0", "(c0)", f"{SCANNER}/24", "ethernet", "up", "1500"] in [line[:6] for line in lines]
    assert ["lo", "(lo)", "127.0.0.1/8", "loopback", "up", "65536"] in lines
    assert ["10.79.0.0/16", "c0", "0", FIRST] in lines
    assert ["10.79.0.0/24", "c0", "0"] in lines
    assert ["fd79::/16", "c0", "1024", FIRST6] in lines
