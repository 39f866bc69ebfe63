# One thread.
"""Guesses of systems (-O, -A): of this machine's own, as it is and with settings changed, and of
others that a program here imitates; every one is called a guess."""

import contextlib
import csv
import io
import json
import re
import shutil
import socket
import struct
import threading
import xml.etree.ElementTree

import pytest

import hnmap_lab
import hnmap_lan
from conftest import wait_until
from hnmap_lab import public_hnmap  # noqa: F401

LINUX, CLOSED, ONE_PORT, SILENT = (f"10.80.0.{i}" for i in (10, 11, 12, 13))
LINUX6 = "fd80::10"
PORTS = "-p20-30"
OPEN = 22

# ---- systems that are imitated -------------------------------------------------------------------

MSS, NOP, SACK = b"\x02\x04\x05\xb4", b"\x01", b"\x04\x02"
TIMES = b"\x08\x0a\x00\x01\x02\x03\x00\x00\x03\xe8"


def scale(shift):
    return bytes([3, 3, shift])


class System:
    """What its TCP says to a SYN with every option."""

    def __init__(self, name, ttl, window, options, dont_fragment=True, ids=lambda n: 0):
        self.name, self.ttl, self.window, self.options = name, ttl, window, options
        self.dont_fragment, self.ids = dont_fragment, ids


SYSTEMS = {
    "10.81.0.20": System("Microsoft Windows 10, 11 or Server 2016 - 2025", 128, 65535,
                         MSS + NOP + scale(8) + NOP + NOP + SACK, ids=lambda n: 4000 + n),
    "10.81.0.21": System("Microsoft Windows Vista - 8.1 or Server 2008 - 2012 R2", 128, 8192,
                         MSS + NOP + scale(8) + SACK + TIMES, ids=lambda n: 65534 + n),
    "10.81.0.22": System("FreeBSD 9.X - 14.X", 64, 65535, MSS + NOP + scale(6) + SACK + TIMES),
    "10.81.0.23": System("Cisco IOS 12.X - 15.X or IOS XE", 255, 4128, MSS, False,
                         lambda n: 20 + n),
    "10.81.0.24": System("OpenBSD 5.X - 7.X", 64, 16384, MSS + NOP + NOP + SACK + NOP + scale(6) +
                         NOP + NOP + TIMES, ids=lambda n: n * 40503),
    "10.81.0.25": System("Apple macOS 10.12 - 15 (Darwin 16 - 24)", 64, 65535,
                         MSS + NOP + scale(6) + NOP + NOP + TIMES + SACK + b"\x00\x00"),
    # behind two routers
    "10.82.0.20": System("Microsoft Windows 10, 11 or Server 2016 - 2025", 126, 65535,
                         MSS + NOP + scale(8) + NOP + NOP + SACK, ids=lambda n: 4000 + n),
}
ROUTER = "10.81.0.254"
PATIENT = [f"--{name}-rtt-timeout=3s" for name in ("min", "initial", "max")]  # for what this program answers


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


class Imitation:
    """Answers ARP, echoes and SYNs for all of SYSTEMS at the end of a cable."""

    def __init__(self, namespace, name):
        with namespace.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        self.sock.bind((name, 0))
        self.sock.settimeout(0.2)
        self.mac = self.sock.getsockname()[4]
        self.sent = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_over.is_set():
            with contextlib.suppress(TimeoutError):
                frame, sender = self.sock.recvfrom(2048)
                answer = None if sender[2] == 4 else self.answer(frame)
                if answer:
                    self.sock.send(frame[6:12] + self.mac + frame[12:14] + answer)

    def answer(self, frame):
        kind, packet = frame[12:14], frame[14:]
        if kind == b"\x08\x06":
            return self.answer_arp(packet)
        if kind != b"\x08\x00":
            return None
        to = socket.inet_ntoa(packet[16:20])
        rest = packet[(packet[0] & 15) * 4:]
        if to not in SYSTEMS:
            return None
        if packet[9] == 1 and rest[0] == 8:
            return self.echo(SYSTEMS[to], packet, rest)
        return self.tcp(SYSTEMS[to], packet, rest) if packet[9] == 6 else None

    def answer_arp(self, packet):
        target = socket.inet_ntoa(packet[24:28])
        if packet[7] != 1 or (target not in SYSTEMS and target != ROUTER):
            return None
        return (packet[:6] + b"\0\2" + self.mac + packet[24:28] + packet[8:14] + packet[14:18])

    def ip(self, system, packet, body, dont_fragment):
        self.sent += 1
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), system.ids(self.sent) & 0xffff,
                           0x4000 * dont_fragment, system.ttl, packet[9], 0)
        head += packet[16:20] + packet[12:16]
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body

    def echo(self, system, packet, rest):
        body = b"\0\0\0\0" + rest[4:struct.unpack("!H", packet[2:4])[0] - 20]
        return self.ip(system, packet, body[:2] + struct.pack("!H", checksum(body)) + body[4:],
                       False)

    def tcp(self, system, packet, rest):
        source, destination, seq = struct.unpack("!HHI", rest[:8])
        if rest[13] != 2:
            return None
        options = system.options if destination == OPEN else b""
        flags, window = (0x12, system.window) if destination == OPEN else (0x14, 0)
        segment = struct.pack("!HHIIBBHHH", destination, source, 77 if options else 0, seq + 1,
                              (20 + len(options)) // 4 << 4, flags, window, 0, 0) + options
        pseudo = packet[16:20] + packet[12:16] + struct.pack("!HH", 6, len(segment))
        segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
        return self.ip(system, packet, segment, system.dont_fragment)

    def close(self):
        self.is_over.set()
        self.thread.join()
        self.sock.close()


# ---- the LAN -------------------------------------------------------------------------------------


class Lan:
    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.scanner, self.hosts, self.others = (self.netns() for _ in range(3))
        hnmap_lan.connect(self.scanner, "os0", self.hosts, "os1")
        hnmap_lan.connect(self.scanner, "im0", self.others, "im1")
        self.scanner.ip("addr add 10.80.0.1/24 dev os0", "addr add fd80::1/64 dev os0 nodad",
                        "addr add 10.81.0.1/24 dev im0", f"route add 10.82.0.0/24 via {ROUTER}")
        self.hosts.ip(*[f"addr add {a}/24 dev os1" for a in (LINUX, CLOSED, ONE_PORT, SILENT)],
                      f"addr add {LINUX6}/64 dev os1 nodad")
        for address in (LINUX, ONE_PORT, LINUX6):
            self.stack.enter_context(self.hosts.listen(address, OPEN))
        self.stack.enter_context(self.scanner.listen("127.0.0.1", OPEN))
        self.hosts.nft("table ip os { chain c { type filter hook input priority 0;\n"
                       f"ip daddr {ONE_PORT} tcp dport != {OPEN} drop\n"
                       f"ip daddr {SILENT} meta l4proto {{ tcp, icmp }} drop\n}}\n}}\n")
        self.stack.callback(Imitation(self.others, "im1").close)

    def netns(self):
        made = hnmap_lan.Netns()
        self.stack.callback(made.close)
        made.sysctl(ipv4__icmp_ratelimit=0, ipv4__icmp_msgs_per_sec=1000000,
                    ipv4__icmp_msgs_burst=1000000, ipv4__ip_default_ttl=64)
        return made

    @contextlib.contextmanager
    def setting(self, **values):
        usual = {"ipv4__ip_default_ttl": 64, "ipv4__tcp_timestamps": 1, "ipv4__tcp_sack": 1,
                 "ipv4__tcp_window_scaling": 1}
        self.hosts.sysctl(**values)
        try:
            yield
        finally:
            self.hosts.sysctl(**usual)


@pytest.fixture(scope="module")
def lan():
    reason = hnmap_lan.missing()
    if reason:
        pytest.skip(reason)
    lan = Lan()
    yield lan
    lan.stack.close()


def text(lab, lan, *args, status=0):
    if not SYSTEMS.keys().isdisjoint(args):
        args = [*PATIENT, *args]
    process = hnmap_lab.run(lab, lan, *args)
    assert process.popen.returncode == status, process
    return process.out().decode()


class Guess:
    def __init__(self, host):
        self.os = host.find("os")
        self.names = [(match.get("name"), int(match.get("accuracy")))
                      for match in host.iterfind("os/osmatch")]
        self.used = {(port.get("state"), int(port.get("portid")))
                     for port in host.iterfind("os/portused")}
        distance = host.find("distance")
        self.distance = None if distance is None else int(distance.get("value"))


def guesses(lab, lan, *args):
    root = xml.etree.ElementTree.fromstring(text(lab, lan, PORTS, "-oX", "-", *args))
    return {host.find("address").get("addr"): Guess(host) for host in root.iterfind("host")}


def guess(lab, lan, *args):
    (found,) = guesses(lab, lan, *args).values()
    return found


# ---- guesses -------------------------------------------------------------------------------------


def is_linux(found):
    return bool(found.names) and found.names[0][0].startswith("Linux ")


@pytest.mark.parametrize("args", [["-O"], ["-O", "-sT"], ["-O", "-Pn"], ["-O", "-sF"],
                                  ["-O", "-g", "44321"], ["-O", "-T4"]])
def test_this_linux(lab, lan, args):
    found = guess(lab, lan, *args, LINUX)
    assert is_linux(found)
    assert 85 <= found.names[0][1] < 100
    assert found.distance == 1
    assert found.used == {("open", OPEN), ("closed", 20)}


def test_over_ipv6(lab, lan):
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    found = guess(lab, lan, "-6", "-O", LINUX6)
    assert is_linux(found) and found.distance == 1


def test_this_machine(lab, lan):
    found = guess(lab, lan, "-O", "127.0.0.1")
    assert is_linux(found) and found.distance == 0


@pytest.mark.parametrize("settings", [{"ipv4__tcp_timestamps": 0}, {"ipv4__tcp_sack": 0},
                                      {"ipv4__tcp_window_scaling": 0},
                                      {"ipv4__tcp_timestamps": 0, "ipv4__tcp_sack": 0}])
def test_linux_with_options_switched_off(lab, lan, settings):
    with lan.setting(**settings):
        assert is_linux(guess(lab, lan, "-O", LINUX)), settings


def test_what_answers_like_two_systems_is_not_guessed(lab, lan):
    """Linux's options with Windows's TTL."""
    with lan.setting(ipv4__ip_default_ttl=128, ipv4__tcp_timestamps=0):
        found = guess(lab, lan, "-O", LINUX)
        assert not found.names and found.used
        assert "No OS matches for host" in text(lab, lan, PORTS, "-O", LINUX)
        likely = guess(lab, lan, "-O", "--osscan-guess", LINUX)
        assert likely.names and all(60 <= accuracy < 85 for _, accuracy in likely.names)
        assert likely.names == guess(lab, lan, "-O", "--fuzzy", LINUX).names


def test_systems_that_are_imitated(lab, lan):
    found = guesses(lab, lan, "-O", *SYSTEMS)
    first = {address: found[address].names[0][0] for address in SYSTEMS}
    assert first == {address: system.name for address, system in SYSTEMS.items()}
    assert {a: found[a].distance for a in SYSTEMS} == {a: 3 if "10.82" in a else 1 for a in SYSTEMS}
    for other in found.values():
        accuracies = [accuracy for _, accuracy in other.names]
        assert accuracies == sorted(accuracies, reverse=True)
        assert all(85 <= accuracy < 100 for accuracy in accuracies)


def test_where_too_little_is_known(lab, lan):
    found = guesses(lab, lan, "-O", CLOSED, SILENT, ONE_PORT)
    assert not found[CLOSED].names and found[CLOSED].used == {("closed", 20)}
    assert not found[SILENT].names and not found[SILENT].used
    assert found[SILENT].distance == found[CLOSED].distance == 1
    assert is_linux(found[ONE_PORT]) and found[ONE_PORT].used == {("open", OPEN)}
    report = text(lab, lan, PORTS, "-O", CLOSED)
    assert "Too many fingerprints match this host to give specific OS details\n" in report
    report = text(lab, lan, PORTS, "-O", ONE_PORT)
    assert "Warning: OSScan results may be unreliable" in report
    weak = guess(lab, lan, "-O", "--osscan-guess", CLOSED)
    assert weak.names and all(accuracy <= 80 for _, accuracy in weak.names)


def test_where_the_scan_does_not_tell_what_is_open(lab, lan):
    found = guess(lab, lan, "-O", "-sA", LINUX)
    assert not found.names and found.used == {("closed", 20)} and found.distance == 1


def test_limit(lab, lan):
    found = guesses(lab, lan, "-O", "--osscan-limit", LINUX, CLOSED, ONE_PORT)
    assert is_linux(found[LINUX])
    assert found[CLOSED].os is None and found[ONE_PORT].os is None


def test_few_packets(lab, lan):
    """Five probes a host, and what the kernel sends to end connections."""
    def count(*args):
        with capture(lan) as packets:
            text(lab, lan, PORTS, *args, "10.81.0.20")
        return len(packets)

    without = min(count() for _ in range(2))
    wait_until(lambda: count("-O") - without <= 5 + 3, "no more, unless an answer takes this machine too long")


@contextlib.contextmanager
def capture(lan):
    packets = []
    with lan.scanner.inside():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    with sock:
        sock.bind(("im0", 3))
        sock.setblocking(False)
        yield packets
        with contextlib.suppress(BlockingIOError):
            while True:
                data, sender = sock.recvfrom(128)
                if sender[2] == 4 and sender[1] == 0x0800:
                    packets.append(data)


# ---- reports -------------------------------------------------------------------------------------


def test_report_for_people(lab, lan):
    report = text(lab, lan, PORTS, "-O", "10.81.0.20")
    part = report[report.index("MAC Address"):report.index("hnmap done")].splitlines()
    assert part[1:] == [
        "Device type: general purpose",
        part[2], part[3],
        f"Aggressive OS guesses: {SYSTEMS['10.81.0.20'].name} (98%)",
        "No exact OS matches for host (guessed from TTL, window and TCP options).",
        "Network Distance: 1 hop", ""]
    assert re.fullmatch(r"Running \(JUST GUESSING\): Microsoft Windows 10\|11\|2016\|2019\|2022 "
                        r"\(98%\)", part[2])
    assert part[3].startswith("OS CPE: cpe:/o:microsoft:windows_10 cpe:/o:microsoft:windows_11 ")


def test_order_in_xml(lab, lan):
    report = text(lab, lan, PORTS, "-O", "--traceroute", "-oX", "-", "10.82.0.20")
    host = xml.etree.ElementTree.fromstring(report).find("host")
    assert [child.tag for child in host] == ["status", "address", "hostnames", "ports", "os",
                                             "distance", "trace", "times"]
    classes = host.findall("os/osmatch/osclass")
    assert [c.get("osgen") for c in classes] == ["10", "11", "2016", "2019", "2022"]
    assert {tuple(c.get(k) for k in ("type", "vendor", "osfamily", "accuracy")) for c in classes} \
        == {("general purpose", "Microsoft", "Windows", "98")}
    assert classes[0].find("cpe").text == "cpe:/o:microsoft:windows_10"
    assert host.find("os/osmatch").get("line").isdigit()


def test_libnmap_reads_it(lab, lan):
    parser = pytest.importorskip("libnmap.parser")
    report = parser.NmapParser.parse(text(lab, lan, PORTS, "-O", "-oX", "-", "10.81.0.20"))
    (host,) = report.hosts
    assert host.distance == 1
    (match,) = host.os.osmatches
    assert match.name == SYSTEMS["10.81.0.20"].name and int(match.accuracy) == 98
    assert "cpe:/o:microsoft:windows_10" in host.os_match_probabilities()[0].get_cpe()


def test_other_formats(lab, lan, tmp_path):
    args = [PORTS, "-O", "10.81.0.23", CLOSED]
    name = SYSTEMS["10.81.0.23"].name
    lines = [line for line in text(lab, lan, *args, "-oG", "-").splitlines() if "Ports:" in line]
    assert lines[0].split("\t")[-1] == f"OS: {name} (guess, 97%)"
    assert "OS:" not in lines[1]
    hosts = [json.loads(line) for line in text(lab, lan, *args, "--json", "-").splitlines()][1:-1]
    (first,) = hosts[0]["os_guesses"]
    assert (first["name"], first["accuracy"], first["type"]) == (name, 97, "router")
    assert first["cpe"] == ["cpe:/o:cisco:ios:12", "cpe:/o:cisco:ios:15"]
    assert hosts[0]["distance"] == 1 and hosts[1]["os_guesses"] == []
    rows = list(csv.DictReader(io.StringIO(text(lab, lan, *args, "--csv", "-"))))
    assert {row["os_guess"] for row in rows if row["ip"] == "10.81.0.23"} == {name}
    assert {row["os_accuracy"] for row in rows if row["ip"] == CLOSED} == {""}
    assert f"OS, a guess: {name} (97%)" in text(lab, lan, *args, "--html", "-")


def test_two_reports_can_be_compared(lab, lan, tmp_path):
    for option, file in (("-oX", tmp_path / "x"), ("--json", tmp_path / "j")):
        text(lab, lan, PORTS, "-O", LINUX, option, str(file))
        text(lab, lan, PORTS, "-O", LINUX, "--diff", str(file))


def test_all(lab, lan):
    """-A is -sV -O --traceroute; here behind a router that does not say so."""
    report = text(lab, lan, "-p20-22", "-A", "10.81.0.23")
    kinds = ["PORT", "MAC Address", "Device type", "Running (JUST GUESSING)", "OS CPE",
             "Aggressive OS guesses", "No exact OS matches", "Network Distance", "TRACEROUTE",
             "HOP RTT"]
    places = [report.find("\n" + kind) for kind in kinds]
    assert -1 not in places and places == sorted(places), report
    assert "VERSION" in report


# ---- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["-O"], ["-A"]])
def test_without_privilege(lab, lan, public_hnmap, args):
    process = hnmap_lab.run(lab, lan, *args, LINUX, name=public_hnmap,
                            preexec_fn=hnmap_lab.become_nobody)
    assert process.popen.returncode == 2
    assert "CAP_NET_RAW; use -sV" in process.err() and process.out() == b""


@pytest.mark.parametrize("args", [["-O", "-sn"], ["-O", "-sL"], ["-A", "-sn"],
                                  ["-O", "--unprivileged"], ["-O", "--max-os-tries", "2"]])
def test_refused(lab, lan, args):
    process = hnmap_lab.run(lab, lan, *args, LINUX)
    assert process.popen.returncode == 2 and process.out() == b"", process


def test_an_option_without_use(lab, lan):
    process = hnmap_lab.run(lab, lan, "-p22", "--osscan-limit", LINUX)
    assert process.popen.returncode == 0
    assert "-O" in process.err() and "OS guesses" not in process.out().decode()


@pytest.mark.skipif(not shutil.which("nmap"), reason="no nmap")
def test_lines_are_in_the_order_of_nmap(lab, lan):
    """Of a host that nmap guesses, too."""
    args = ["-O", "--traceroute", "--osscan-guess", "--max-os-tries", "1", PORTS, ONE_PORT]
    nmap = hnmap_lab.run(lab, lan, *args, name="nmap").out().decode()
    hnmap = text(lab, lan, "-O", "--traceroute", "--osscan-guess", PORTS, ONE_PORT)
    kinds = [kind for kind in ("Not shown", "PORT", "MAC Address", "Warning: OSScan results",
                               "Device type: ", "Running (JUST GUESSING): ", "OS CPE: cpe:/",
                               "Aggressive OS guesses: ", "No exact OS matches for host",
                               "Network Distance: 1 hop\n", "\nTRACEROUTE\n", "HOP RTT")
             if "\n" + kind in nmap]
    assert len(kinds) >= 8, nmap
    for report in (nmap, hnmap):
        places = [report.find("\n" + kind) for kind in kinds]
        assert -1 not in places and places == sorted(places), report
