# One thread.
"""How a run of hnmap goes: parts of a scan, lists from stdin, an end by Ctrl-C, faults of the input and
of the machine, files."""

import itertools
import os
import re
import signal
import socket
import xml.etree.ElementTree

import pytest

from conftest import BIN, TIMEOUT
from hnmap_lab import ARP, IPV4, become_nobody, lan, public_hnmap, run, scan  # noqa: F401
from hnmap_lan import ADDRESSES, HOSTS, NETWORK, SCANNER, Lan, read_report

EVERYBODY = {SCANNER, *ADDRESSES}


def status_of(process):
    return process.popen.returncode


@pytest.mark.usefixtures("lan")  # where there are namespaces
def test_a_machine_without_free_ports_of_its_own(lab):
    """As after very many connections: the ports that the kernel gives are taken, here one in each
    eight of the few that there are."""
    taken = f"""
import os, socket
open("/proc/sys/net/ipv4/ip_local_port_range", "w").write("32768 32799")
held = [socket.socket(socket.AF_INET6) for _ in range(4)]
for i, s in enumerate(held):
    s.bind(("::", 32768 + 9 * i))
os.system("ip link set lo up")
os.spawnl(os.P_WAIT, {str(BIN / "hnmap")!r}, "hnmap", "-n", "-p7", "127.0.0.1")
"""
    # Root needs no namespace of users, and has none to make within a chroot.
    rights = [] if os.geteuid() == 0 else ["-r"]
    process = lab.run("unshare", *rights, "-n", "python3", "-c", taken)
    assert b"7/tcp closed" in process.out(), process


# ---- parts, lists --------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_shards_are_the_whole_and_share_nothing(lab, lan, parts):
    found = [set(scan(lab, lan, "-sn", "--shard", f"{i + 1}/{parts}", NETWORK)) for i in range(parts)]
    assert set().union(*found) == EVERYBODY
    assert sum(map(len, found)) == len(EVERYBODY)


def test_shards_in_random_order(lab, lan):
    found = [list(scan(lab, lan, "-sn", "--shard", f"{i + 1}/3", "--randomize-hosts", "--seed", "5", NETWORK))
             for i in range(3)]
    assert set(itertools.chain(*found)) == EVERYBODY
    assert sum(map(len, found)) == len(EVERYBODY)


def test_random_hosts_of_a_seed(lab, lan):
    def order(seed):
        return list(scan(lab, lan, "-sn", "--randomize-hosts", "--seed", seed, NETWORK))

    assert order("1") == order("1") != order("2")
    assert set(order("1")) == EVERYBODY


def test_list_from_stdin(lab, lan):
    found = scan(lab, lan, "-sn", "-iL", "-", data=b"10.77.0.10 10.77.0.15 # 10.77.0.20\n\n10.77.0.25\n")
    assert set(found) == {"10.77.0.10", "10.77.0.15", "10.77.0.25"}


def test_excluded_hosts_are_not_asked(lab, lan):
    with lan.capture(ARP) as packets:
        found = scan(lab, lan, "-sn", "--exclude", "10.77.0.10-99,10.77.0.128/25", NETWORK)
    assert set(found) == {a for a in EVERYBODY if not 10 <= int(a.split(".")[3]) <= 99
                          and int(a.split(".")[3]) < 128}
    asked = {data[27] for _, data in packets}
    assert not asked & {*range(10, 100), *range(128, 256)}


# ---- Ctrl-C --------------------------------------------------------------------------------------


def begun(lab, lan, kind, *args):
    """A run that has sent a packet of this Ethernet type."""
    with lan.scanner.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sniffer:
        sniffer.settimeout(TIMEOUT)
        sniffer.bind(("lan0", 3))  # ETH_P_ALL: only it sees what is sent
        process = lab.spawn("hnmap", "-n", *args)
        while sniffer.recvfrom(99)[1][1] != kind:
            pass
    return process


def interrupted(lab, lan, number, *args):
    """A scan of a /24 that would take minutes, ended when it has sent something to ports."""
    files = [lab.path(name) for name in ("r.nmap", "r.xml", "r.gnmap")]
    process = begun(lab, lan, IPV4, "-p1-60000", "--max-rate", "2000", *args, "-oA", lab.path("r"),
                    NETWORK)
    process.signal(number)
    assert process.wait() == 128 + number
    return process, [open(file, encoding="utf-8").read() for file in files]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_in_the_middle(lab, lan, number):
    process, (normal, in_xml, grepable) = interrupted(lab, lan, number)
    root = xml.etree.ElementTree.fromstring(in_xml)
    assert [e.tag for e in root][-1] == "runstats"
    assert root.find("runstats/finished").get("exit") == "error"
    assert normal.splitlines()[-1].startswith("# hnmap done at")
    assert grepable.splitlines()[-1].startswith("# hnmap done at")
    assert b"scanned in" in process.out()
    hosts = read_report(in_xml)
    assert int(root.find("runstats/hosts").get("up")) == len(hosts)
    assert set(re.findall(r"^Host: (\S+) .*Up", grepable, re.M)) == set(hosts)
    for address, found in hosts.items():
        assert address in EVERYBODY
        host = next((h for h in HOSTS if h.address == address), None)
        assert not host or found.of("open") <= host.open


def test_signal_before_anything_was_found(lab, lan):
    """All that is known then is that nothing is."""
    process = begun(lab, lan, ARP, "-sn", "--max-rate", "1", "-oX", "-", "10.77.0.200-250")
    process.signal(signal.SIGINT)
    assert process.wait() == 130
    assert read_report(process.out()) == {}


# ---- what cannot be ------------------------------------------------------------------------------


def test_no_route(lab, lan):
    process = run(lab, lan, "-sn", "192.168.9.9", ADDRESSES[0])
    assert "cannot send to 192.168.9.9: there is no route to it" in process.err()
    assert ADDRESSES[0].encode() in process.out()
    assert status_of(process) == 0


@pytest.mark.parametrize("args", [["-sS"], ["-sT"]])
def test_interface_that_is_down(lab, lan, args):
    own = Lan(HOSTS[:1], far=False)
    try:
        own.scanner.ip("link set lan0 down")
        process = run(lab, own, *args, "-p22", ADDRESSES[0])
    finally:
        own.close()
    assert re.search(r"(unreachable|down)", process.err()), process
    assert b"0 hosts up" in process.out()


def test_interface_that_is_not_there(lab, lan):
    process = run(lab, lan, "-e", "nosuch0", ADDRESSES[0])
    assert status_of(process) == 1
    assert "nosuch0" in process.err()
    assert process.out() == b""


def test_source_that_is_not_ours(lab, lan):
    process = run(lab, lan, "-S", "9.9.9.9", "-p22", ADDRESSES[0])
    assert status_of(process) == 1
    assert "9.9.9.9" in process.err()


def test_source_of_ours_and_source_port(lab, lan):
    lan.scanner.ip("addr add 10.77.0.2/24 dev lan0")
    try:
        with lan.capture(IPV4) as packets:
            found = scan(lab, lan, "-S", "10.77.0.2", "-g", "4053", "-p22,80,81", ADDRESSES[0])
    finally:
        lan.scanner.ip("addr del 10.77.0.2/24 dev lan0")
    assert found[ADDRESSES[0]].of("open") == {22, 80}
    probes = [data for _, data in packets if data[9] == 6]
    assert {data[12:16] for data in probes} == {bytes([10, 77, 0, 2])}
    assert {data[20:22] for data in probes} == {(4053).to_bytes(2, "big")}


def test_raw_scan_without_privilege_is_refused(lab, lan, public_hnmap):
    process = run(lab, lan, "-sS", ADDRESSES[0], name=public_hnmap, preexec_fn=become_nobody)
    assert status_of(process) == 2
    assert "-sT" in process.err()
    assert process.out() == b""


def few_descriptors():
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    become_nobody()


def test_few_descriptors(lab, lan, public_hnmap):
    """Fewer than it wants, and it may not raise the limit: it goes slower and misses nothing."""
    host = HOSTS[0]
    found = scan(lab, lan, "-Pn", "-p1-500", host.address, name=public_hnmap,
                 preexec_fn=few_descriptors)[host.address]
    assert found.of("open") == host.open
    assert found.hidden == {"closed": 500 - len(host.open)}


# ---- files ---------------------------------------------------------------------------------------


def test_no_file_is_touched_when_one_cannot_be_written(lab, lan):
    base = lab.path("r")
    with open(base + ".nmap", "w", encoding="ascii") as file:
        file.write("old")
    os.mkdir(base + ".gnmap")
    process = run(lab, lan, "-sn", "-oA", base, ADDRESSES[0])
    assert status_of(process) == 1
    assert "r.gnmap" in process.err()
    assert open(base + ".nmap", encoding="ascii").read() == "old"
    assert process.out() == b""


def test_append_output(lab, lan):
    base = lab.path("r")
    for address in ADDRESSES[:2]:
        assert status_of(run(lab, lan, "-sn", "--append-output", "-oA", base, address)) == 0
    grepable = open(base + ".gnmap", encoding="ascii").read()
    assert re.findall(r"^Host: (\S+)", grepable, re.M) == ADDRESSES[:2]
    normal = open(base + ".nmap", encoding="ascii").read()
    assert normal.count("scan initiated") == normal.count("# hnmap done at") == 2
    assert status_of(run(lab, lan, "-sn", "-oA", base, ADDRESSES[2])) == 0
    assert re.findall(r"^Host: (\S+)", open(base + ".gnmap", encoding="ascii").read(), re.M) == [ADDRESSES[2]]


@pytest.mark.parametrize("option", ["-oN", "-oX", "-oG"])
def test_a_report_alone_on_stdout(lab, lan, option):
    process = run(lab, lan, "-sn", option, "-", ADDRESSES[0])
    text = process.out().decode()
    assert ADDRESSES[0] in text
    assert "Starting" not in text
    if option == "-oX":
        assert set(read_report(text)) == {ADDRESSES[0]}


def test_a_full_disk_is_told(lab, lan):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    process = run(lab, lan, "-sn", "-oG", "/dev/full", ADDRESSES[0])
    assert status_of(process) == 1
    assert "/dev/full" in process.err()
