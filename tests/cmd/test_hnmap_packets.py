# One thread, but for --system-dns: see test_hdns_system.c.
"""What hnmap tells of its packets and what they carry, and how hosts and names are asked otherwise
than usually; beside nmap on the LAN where the behaviour is nmap's."""

import contextlib
import re
import shutil
import socket
import subprocess
import xml.etree.ElementTree

import pytest

import hnmap_lan
from hnmap_lab import ARP, IPV4, faults, lan, run, scan  # noqa: F401

HOST, STATES, FAR, IPV6 = "10.77.0.10", "10.77.0.40", hnmap_lan.FAR, "fd77::10"
LINE = re.compile(r"(SENT|RCVD|CONN) \(\d+\.\d{4}s\) (.*)")


def beside_nmap(lan, *args):
    if not shutil.which("nmap"):
        pytest.skip("nmap is not installed")
    with lan.scanner.inside():
        return subprocess.run(["nmap", "-n", *args], check=False, timeout=100,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()


def said(lab, lan, *args, status=0):
    process = run(lab, lan, *args)
    assert process.popen.returncode == status, process
    return process.out().decode()


def packets(text):
    """The lines of --packet-trace, without what differs from one packet to the next."""
    found = set()
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        # nmap tells advertisements in two ways; a connection may be refused so fast that it never
        # was in progress.
        if match and not re.search("type=136|in progress", match[2]):
            words = re.sub(r"\b(ttl|id|iplen|seq|win|hopl|flow|payloadlen|recv|trans)=[0-9a-f]+",
                           r"\1=", match[2])
            words = re.sub(r"<.*>", "", words)
            found.add((match[1], re.sub(r"(10\.77\.0\.1|fd77::1):\d+ ", r"\1:US ",
                                        words + " ").rstrip()))
    return found


# ---- --packet-trace ------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [
    ["-p22,23", HOST], ["-p22,23,100", FAR, "-PE", "--max-retries=1"],
    ["-p40,60,110,160", STATES], ["-p150", "-Pn", STATES],
    ["-sn", "-PE", "--disable-arp-ping", HOST], ["-sn", "-PP", "--disable-arp-ping", HOST],
    ["-sn", "-PO4", FAR], ["-sn", "-PS443", FAR], ["-sn", "-PA443", FAR], ["-sn", "-PU53", "--data-string=hello", FAR],
    ["-sF", "-p23", HOST], ["-sX", "-p23", HOST], ["-sN", "-p23", HOST], ["-sM", "-p23", HOST],
    ["-sS", "-p23", "--scanflags=PSHSYNECE", HOST],
    ["-6", "-p22,23", IPV6], ["-6", "-sn", "-PE", "--disable-arp-ping", IPV6],
    ["-sT", "-Pn", "-p22,23", HOST], ["-6", "-sT", "-Pn", "-p22,23", IPV6]])
def test_trace_as_nmap(lab, lan, args):
    ours = packets(said(lab, lan, "--packet-trace", *args))
    assert ours
    assert ours == packets(beside_nmap(lan, "--packet-trace", *args))


def test_trace_of_udp(lab, lan):
    ours = packets(said(lab, lan, "--packet-trace", "-sU", "-Pn", "-p53", HOST))
    assert ours == packets(beside_nmap(lan, "--packet-trace", "-sU", "-Pn", "-p53", HOST))


def test_trace_is_part_of_the_report_for_people(lab, lan, tmp_path):
    def lines(text):
        return len(packets(text))

    file = tmp_path / "report"
    args = ["--packet-trace", "--max-retries=0", "-p22", HOST]
    assert lines(said(lab, lan, *args, "-oN", str(file))) == 4
    assert lines(file.read_text()) == 4
    assert lines(said(lab, lan, *args, "-oN", "-")) == 4
    assert lines(said(lab, lan, "-p22", HOST)) == 0
    for option in ("-oX", "-oG", "--json", "--csv", "--html"):
        assert "SENT" not in said(lab, lan, *args, option, "-"), option
    xml.etree.ElementTree.fromstring(said(lab, lan, *args, "-oX", "-"))


def test_trace_of_connects(lab):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = lab.run("hnmap", "-n", "-Pn", "--unprivileged", "--packet-trace",
                          f"-p{port}", "127.0.0.1")
    told = [line.split(") ", 1)[1] for line in process.out().decode().splitlines()
            if line.startswith("CONN")]
    assert told[-1] in (f"TCP localhost > 127.0.0.1:{port} => Connected",)


# ---- what packets carry --------------------------------------------------------------------------


def sent(lab, lan, *args):
    with lan.capture(IPV4) as captured:
        text = said(lab, lan, *args)
    return [packet for _, packet in captured], text


@pytest.mark.parametrize("option, data", [("--data=0xCAFE", b"\xca\xfe"),
                                          ("--data=cafe09", b"\xca\xfe\x09"),
                                          (r"--data=\xCA\xfe", b"\xca\xfe"),
                                          ("--data-string=hello", b"hello")])
def test_data_and_ttl(lab, lan, option, data):
    args = ["-PE", "-PP", "-PM", "-PS22", "-PA80", "-PU9", "-PO4", "-sSU", "-pT:22,23,U:53"]
    found, _ = sent(lab, lan, option, "--ttl=9", *args, FAR)
    kinds = {packet[9] for packet in found}
    assert {1, 4, 6, 17} <= kinds
    for packet in found:
        if packet[9] == 6 and packet[33] & 4:
            continue  # the kernel's reset behind a SYN/ACK
        assert packet[8] == 9
        assert packet[:int.from_bytes(packet[2:4], "big")].endswith(data)


def test_data_length(lab, lan):
    found, _ = sent(lab, lan, "--data-length=25", "-p23", "-Pn", FAR)
    assert {int.from_bytes(packet[2:4], "big") for packet in found} == {20 + 40 + 25}
    found, _ = sent(lab, lan, "--data-length=0", "-sU", "-p53", "-Pn", FAR)
    assert {int.from_bytes(packet[2:4], "big") for packet in found} == {20 + 8}


@pytest.mark.parametrize("args", [["--data-length=8"], ["--data-length=64", "-g4711"],
                                  ["--data-string=hello", "--ttl=2"], ["--data=00", "--send-ip"],
                                  ["--data-length=1000", "-T4"]])
def test_answers_are_understood(lab, lan, args):
    hosts = [hnmap_lan.BY_ADDRESS[a] for a in (HOST, "10.77.0.30", STATES)]
    report = scan(lab, lan, "-p1-250", *args, *[host.address for host in hosts])
    for host in hosts:
        assert not faults(report[host.address], host, range(1, 251))


def test_probes_of_systems_are_as_ever(lab, lan):
    found, text = sent(lab, lan, "--data=0xCAFE", "--ttl=9", "-O", "-p22,23", "-Pn", FAR)
    assert "Network Distance: 2 hops" in text
    bare = [packet for packet in found if packet[8] == 64 and not (packet[9] == 6 and packet[33] & 4)]
    assert {packet[9] for packet in bare} == {1, 6}
    assert not any(packet.endswith(b"\xca\xfe") for packet in bare)


def test_way_with_data(lab, lan):
    text = said(lab, lan, "--traceroute", "--data-length=8", "-g4711", "-p23", FAR)
    assert re.findall(r"^(\d+) .* (\S+)$", text[text.index("HOP"):], re.M) == [
        ("1", HOST), ("2", FAR)]


def test_a_packet_is_no_longer_than_the_network_takes(lab, lan):
    with lan.capture(IPV4) as captured:
        process = run(lab, lan, "--data-length=1500", "-p22", HOST)
    assert "longer than its network takes" in process.err()
    assert "1400" in process.err()
    assert captured == []


@pytest.mark.parametrize("args, why", [
    (["--data=xyz"], "--data"), (["--data=0xabc"], "--data"), (["--data="], "--data"),
    ([r"--data=\xab\xc"], "--data"), (["--data=ab cd"], "--data"),
    (["--data=ab", "--data-string=x"], "only one"), (["--data=ab", "--data-length=2"], "only one"),
    (["--data-length=65436"], "65435"), (["--data-length=-1"], "65435"),
    (["--ttl=0"], "1 to 255"), (["--ttl=256"], "1 to 255"), (["--ttl=x"], "1 to 255"),
    (["--min-hostgroup=5", "--max-hostgroup=2"], "--max-hostgroup"), (["--max-hostgroup=0"], "1"),
    (["--send-eth", "--disable-arp-ping"], "ARP"),
    (["-sA", "--defeat-rst-ratelimit"], "-sS"), (["-sU", "--defeat-rst-ratelimit"], "-sS"),
    (["-sS", "--defeat-icmp-ratelimit"], "-sU")])
def test_bad_values(lab, args, why):
    process = lab.run("hnmap", "-n", *args, "127.0.0.1")
    assert process.popen.returncode == 2
    assert why in process.err()


def test_connect_scans_carry_nothing(lab, lan):
    for args in (["-sT", "--data=00"], ["--unprivileged", "--ttl=9"], ["-sT", "--ttl=9"]):
        process = run(lab, lan, *args, "-p22", HOST)
        assert "not those of a scan by connect" in process.err()
        assert "22/tcp open" in process.out().decode()
    assert run(lab, lan, "-sT", "-p22", HOST).err() == ""


# ---- how hosts are asked -------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--disable-arp-ping", "--send-ip"])
def test_neighbours_are_asked_as_others_are(lab, lan, option):
    report = scan(lab, lan, "-sn", "-PE", option, "10.77.0.10-21")
    there = {host.address for host in hnmap_lan.HOSTS[:3] if not host.drops_icmp}
    assert {address for address, host in report.items()
            if host.state == "up" and host.reason == "echo-reply"} == there
    host = hnmap_lan.BY_ADDRESS[STATES]
    found = scan(lab, lan, option, "-p1-300", STATES)[STATES]
    assert not faults(found, host, range(1, 301))
    assert found.element.find("address[@addrtype='mac']") is None


def test_send_eth_is_what_is_done_anyway(lab, lan):
    for args in ([], ["--send-eth"], ["--send-ip", "--send-eth"]):
        assert scan(lab, lan, *args, "-sn", HOST)[HOST].reason == "arp-response"


@pytest.mark.parametrize("args", [["-PS81"], ["-PS22"], ["-PA81"], ["-PS81", "--unprivileged"],
                                  ["-PS22", "--unprivileged"], ["-PE"]])
def test_discovery_ignore_rst(lab, lan, args):
    args = ["-sn", "--max-retries=0", "--discovery-ignore-rst", *args, FAR]
    ours = scan(lab, lan, *args)
    if not {"-PS81", "--unprivileged"} <= set(args):  # there nmap takes a refusal for an answer
        assert (" 1 host up" in beside_nmap(lan, *args).replace("(", " ")) == bool(ours)
    assert bool(ours) == ("-PS22" in args or "-PE" in args)


def names_of(text):
    return re.findall(r"scan report for (\S+)", text)


@pytest.mark.parametrize("targets", [[HOST, HOST, "10.77.0.10/31"],
                                     ["10.77.0.8/29", "10.77.0.10-16", "10.77.0.15"],
                                     ["10.77.0.10,15,20", "10.77.0.0/27"]])
def test_unique(lab, lan, targets):
    args = ["-sL", "--unique", *targets]
    ours = names_of(said(lab, lan, *args))
    assert len(ours) == len(set(ours))
    assert ours == names_of(beside_nmap(lan, *args))
    parts = [names_of(said(lab, lan, *args, "--shard", f"{i}/3")) for i in (1, 2, 3)]
    assert sorted(sum(parts, [])) == sorted(ours)
    assert sorted(names_of(said(lab, lan, *args, "--randomize-hosts"))) == sorted(ours)


def test_groups(lab, lan):
    """The ports of one host after the other's; a host that waits is begun when its turn comes."""
    targets = ["10.77.0.55", "10.77.0.65", "10.77.0.70", "10.77.0.75"]
    with lan.capture(IPV4) as captured:
        said(lab, lan, "-p100-130", "--max-hostgroup=1", *targets)
    order = [packet[19] for _, packet in captured if packet[9] == 6]
    assert [last for i, last in enumerate(order) if i == 0 or order[i - 1] != last] == [
        55, 65, 70, 75]
    with lan.capture(IPV4) as captured:
        said(lab, lan, "-p100-130", "--min-hostgroup=4", *targets)
    order = [packet[19] for _, packet in captured if packet[9] == 6]
    assert set(order[:len(order) // 2]) == {55, 65, 70, 75}


@contextlib.contextmanager
def silent_udp(lan):
    lan.hosts.nft(f"table ip silent {{ chain c {{ type filter hook input priority 0;\n"
                  f"ip daddr {HOST} udp dport 9 drop\n}}\n}}\n")
    try:
        yield
    finally:
        lan.hosts.nft("delete table ip silent")


def test_defeat_icmp_ratelimit(lab, lan):
    args = ["-sU", "-p9,53", "--max-retries=1", HOST]
    with silent_udp(lan):
        assert scan(lab, lan, *args)[HOST].ports[9][0] == "open|filtered"
        found = scan(lab, lan, "--defeat-icmp-ratelimit", *args)[HOST]
        assert (found.ports[9][0], found.ports[53][0]) == ("closed|filtered", "closed")
        nmap = hnmap_lan.read_report(beside_nmap(lan, "--defeat-icmp-ratelimit", "-oX", "-", *args))
        assert nmap[HOST].ports[9][0] == "closed|filtered"


def test_defeat_rst_ratelimit(lab, lan):
    host = hnmap_lan.BY_ADDRESS["10.77.0.45"]
    found = scan(lab, lan, "--defeat-rst-ratelimit", "-p1-500", host.address)[host.address]
    assert found.of("open") == host.open


# ---- the rest ------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["--stylesheet", "style.xsl"], ["--stylesheet", 'a"b<&>.xsl'],
                                  ["--no-stylesheet"], ["--stylesheet", "x", "--no-stylesheet"]])
def test_stylesheet(lab, lan, args):
    args = ["-sn", *args, "-oX", "-", HOST]
    ours, nmaps = said(lab, lan, *args), beside_nmap(lan, *args)
    assert ours.splitlines()[:2] == nmaps.splitlines()[:2]
    assert (ours.splitlines()[2].startswith("<?xml-stylesheet") ==
            nmaps.splitlines()[2].startswith("<?xml-stylesheet"))
    if "--no-stylesheet" not in args:
        assert ours.splitlines()[2] == nmaps.splitlines()[2]
    xml.etree.ElementTree.fromstring(ours)


def test_no_stylesheet_by_itself(lab, lan):
    assert "xml-stylesheet" not in said(lab, lan, "-sn", "-oX", "-", HOST)


def test_system_dns(lab):
    """The system's hosts file has the name; the server that is named is not asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        process = lab.run("hnmap", "-sL", "--system-dns", "--dns-servers",
                          f"127.0.0.1:{server.getsockname()[1]}", "127.0.0.1", "localhost")
        assert process.popen.returncode == 0, process
        with pytest.raises(BlockingIOError):
            server.recv(1)
    named = socket.getnameinfo(("127.0.0.1", 0), 0)[0]
    assert f"scan report for {named} (127.0.0.1)" in process.out().decode()
    assert process.out().decode().count("scan report for") == 2
