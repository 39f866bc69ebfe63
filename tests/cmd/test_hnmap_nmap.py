# No sanitizer.
"""hnmap beside Debian's nmap on one LAN: hosts, states, reasons, the formats of the reports, exit
statuses. Services are compared on ports that both have the same names for."""

import re
import shutil
import subprocess

import pytest

from conftest import IPV6
from hnmap_lab import become_nobody, lan, public_hnmap, run  # noqa: F401
from hnmap_lan import ADDRESSES, BY_ADDRESS, FAR, IPV6_HOSTS, NETWORK, read_report

NAMES = "21,22,23,25,53,79,80,110,119,389,443,993,995"  # the same in both
FEW = [a for a in ADDRESSES[:8] if not BY_ADDRESS[a].rst_rate]
RUNS = {
    "arp": ["-sn", NETWORK],
    "router": ["-sn", "-PE", FAR],
    "syn": ["-sS", "-p", NAMES, *FEW],
    "syn, many": ["-sS", "-p1-500", *FEW[:4]],
    "syn, two states": ["-sS", "-p1-500", "10.77.0.30"],
    "syn, open": ["-sS", "--open", "-p", NAMES, *FEW],
    "syn, no ping": ["-sS", "-Pn", "-p", NAMES, FAR],
    "syn, in order": ["-sS", "-r", "-p", NAMES, FEW[0]],
    "connect, no ping": ["-sT", "-Pn", "-p", NAMES, *FEW],
    "unprivileged": ["--unprivileged", "-p", NAMES, FEW[0], FEW[3]],
    "ack": ["-sA", "-p", NAMES, *FEW[:5]],
    "fin": ["-sF", "-p", NAMES, *FEW[:5]],
    "null": ["-sN", "-p", NAMES, *FEW[:5]],
    "xmas": ["-sX", "-p", NAMES, *FEW[:5]],
    "maimon": ["-sM", "-p", NAMES, *FEW[:5]],
    "flags": ["-sS", "--scanflags", "SYNURG", "-p", NAMES, FEW[0]],
    "list": ["-sL", "10.77.0.0/29"],
    "one that is down": ["-p22", "10.77.0.11"],
    "exclude": ["-sn", "--exclude", "10.77.0.10-100", NETWORK],
}
BOTH = ("nmap", "hnmap")


def beside(lab, lan, args):
    """What each says: (nmap's, hnmap's) Process and base of -oA."""
    runs = []
    for name in BOTH:
        base = lab.path("by-" + name)
        runs.append((run(lab, lan, *args, "-oA", base, name=name), base))
    assert runs[0][0].popen.returncode == runs[1][0].popen.returncode == 0, runs[1][0]
    return [base for _, base in runs]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.fixture(params=RUNS)
def reports(request, lab, lan):
    return beside(lab, lan, RUNS[request.param])


def plain(report):
    """What a report says, without times and distances."""
    hosts = {}
    for address, found in read_report(report).items():
        addresses = [(a.get("addr"), a.get("addrtype")) for a in found.element.iterfind("address")]
        hosts[address] = (found.state, found.reason, found.ports, found.hidden, addresses)
    return hosts


def without_times(text):
    """A report's lines but what differs by nature: nmap has an order of its own, too, and who was asked
    twice, for the machine was slow, has no latency."""
    text = re.sub(r"\bH?nmap( \d[\d.]*)?", "hnmap", text, flags=re.I)
    text = re.sub(r" \(\S+s latency\)", "", text)
    text = re.sub(r"(initiated|done at) .*? (as:|--)", r"\1 DATE \2", text)
    text = re.sub(r"in [\d.]+ seconds", "in TIME", text)
    return sorted(line for line in text.splitlines()
                  if "initiated" not in line and "--defeat-rst-ratelimit" not in line)


def test_same_in_all_reports(reports):
    """One scan for three comparisons: XML as parsed, -oG and -oN line by line, ndiff."""
    nmap, hnmap = reports
    assert plain(read(hnmap + ".xml")) == plain(read(nmap + ".xml"))
    assert without_times(read(hnmap + ".gnmap")) == without_times(read(nmap + ".gnmap"))
    assert without_times(read(hnmap + ".nmap")) == without_times(read(nmap + ".nmap"))
    if shutil.which("ndiff"):
        done = subprocess.run(["ndiff", nmap + ".xml", hnmap + ".xml"], stdout=subprocess.PIPE,
                              check=False, timeout=100)
        assert done.returncode == 0, done.stdout.decode()


def test_same_about_hosts_that_are_down(lab, lan):
    """Which -v shows."""
    nmap, hnmap = beside(lab, lan, ["-sn", "-v", "10.77.0.0/28"])
    assert plain(read(hnmap + ".xml")) == plain(read(nmap + ".xml"))
    assert without_times(read(hnmap + ".gnmap")) == without_times(read(nmap + ".gnmap"))


@pytest.mark.skipif(not IPV6, reason="no IPv6 here")
def test_same_over_ipv6(lab, lan):
    nmap, hnmap = beside(lab, lan, ["-6", "-p", NAMES, *IPV6_HOSTS])
    assert plain(read(hnmap + ".xml")) == plain(read(nmap + ".xml"))
    assert without_times(read(hnmap + ".gnmap")) == without_times(read(nmap + ".gnmap"))


def test_same_as_another_user(lab, lan, public_hnmap):
    texts = [run(lab, lan, "-p", NAMES, FEW[0], FEW[2], FEW[3], "-oG", "-", name=name,
                 preexec_fn=become_nobody).out().decode() for name in ("nmap", public_hnmap)]
    assert without_times(texts[1]) == without_times(texts[0])


def test_libnmap_reads_it(lab, lan):
    parser = pytest.importorskip("libnmap.parser")
    bases = beside(lab, lan, RUNS["syn"])
    reports = [parser.NmapParser.parse(read(base + ".xml")) for base in bases]
    for of_nmap, of_hnmap in zip(*[sorted(r.hosts, key=lambda h: h.address) for r in reports]):
        assert of_hnmap.address == of_nmap.address
        assert of_hnmap.mac == of_nmap.mac
        assert of_hnmap.get_ports() == of_nmap.get_ports()
        assert of_hnmap.get_open_ports() == of_nmap.get_open_ports()
        assert [s.service for s in of_hnmap.services] == [s.service for s in of_nmap.services]
        assert of_hnmap.diff(of_nmap).changed() == set()
    assert reports[1].hosts_up == reports[0].hosts_up == len(FEW)


@pytest.mark.parametrize("args", [
    ["-e", "nosuch0", "10.77.0.10"],
    ["-oX", "/nonexistent/x", "-sn", "10.77.0.10"],
    ["-iL", "/nonexistent"],
    ["--shark", "10.77.0.10"],
    ["-p", "0-99999", "10.77.0.10"],
    ["-p", "", "10.77.0.10"],
    ["-sS", "-sT", "10.77.0.10"],
    ["--max-rate", "0", "10.77.0.10"],
])
def test_both_refuse(lab, lan, args):
    for name in BOTH:
        process = run(lab, lan, *args, name=name)
        assert process.popen.returncode != 0, process
        assert process.err() or name == "nmap"


@pytest.mark.parametrize("args", [
    ["-sn", "192.168.9.9"],
    ["-sn", "10.77.0.11"],
    ["-sL", "10.77.0.11"],
    ["-p22", "-Pn", "10.77.0.60"],
    ["--version"],
])
def test_both_succeed(lab, lan, args):
    for name in BOTH:
        assert run(lab, lan, *args, name=name).popen.returncode == 0
