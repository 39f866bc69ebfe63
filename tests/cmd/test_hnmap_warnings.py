# One thread.
"""What hnmap says beside its results, and that it says it once: how large a scan is, that something
answers for others, that packets were lost on this machine, that sockets are few, that there is no way."""

import contextlib
import os
import re
import resource
import select
import signal
import socket
import struct
import threading

import pytest

import hnmap_lan
from conftest import wait_until
from hnmap_lab import become_nobody, public_hnmap, run  # noqa: F401
from hnmap_lan import SCANNER, Lan, read_report

SYN, RST_ACK, SYN_ACK = 0x02, 0x14, 0x12
PORT = 40000  # that a scan with -g sends from
PATIENT = [f"--{name}-rtt-timeout=2s" for name in ("min", "initial", "max")]  # for the answers of somebody
JUNK = 15000  # packets: more than the 4 MiB for what is not looked at yet have room for


@pytest.fixture(scope="module")
def lan():
    reason = hnmap_lan.missing()
    if reason:
        pytest.skip(reason)
    lan = Lan(hosts=[], far=False)
    yield lan
    lan.close()


# ---- somebody who answers for others -------------------------------------------------------------


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def segment(source, destination, ports, seq, ack, flags):
    """An IPv4 packet with a TCP segment without data."""
    tcp = struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 1024, 0, 0)
    sums = checksum(source + destination + struct.pack(">HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack(">H", sums) + tcp[18:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + source + destination
    return ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + tcp


class Somebody(threading.Thread):
    """Answers ARP for all addresses from 10.77.0.100 on, and a SYN with `flags`; while `holds` is
    set it keeps the answers to SYNs in `held`."""

    def __init__(self, lan, flags=SYN_ACK, holds=False):
        super().__init__(daemon=True)
        self.flags, self.holds, self.held = flags, holds, []
        self.lock = threading.Lock()
        with lan.hosts.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.bind(("lan1", hnmap_lan.ETH_P_ALL))
        self.mac = self.sock.getsockname()[4]
        self.ended, self.end = os.pipe()

    def run(self):
        while True:
            ready, _, _ = select.select([self.sock, self.ended], [], [])
            if self.ended in ready:
                return
            frame, sender = self.sock.recvfrom(2000)
            if sender[2] != hnmap_lan.PACKET_OUTGOING:
                self.take(frame)

    def take(self, frame):
        kind = frame[12:14]
        if kind == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[41] >= 100:
            self.send(frame[6:12], kind, frame[14:20] + b"\0\2" + self.mac + frame[38:42] + frame[22:32])
        elif kind == b"\x08\0" and frame[23] == socket.IPPROTO_TCP and frame[47] == SYN:
            self.answer(frame)

    def answer(self, frame):
        source, destination, seq = *struct.unpack(">HH", frame[34:38]), *struct.unpack(">I", frame[38:42])
        packet = segment(frame[30:34], frame[26:30], (destination, source), 7, seq + 1 & 0xFFFFFFFF, self.flags)
        with self.lock:
            if self.holds:
                self.held.append((frame[6:12], b"\x08\0", packet))
                return
        self.send(frame[6:12], b"\x08\0", packet)

    def send(self, to, kind, packet):
        self.sock.send(to + self.mac + kind + packet)

    def let_go(self):
        """All that was held, and from now on at once."""
        with self.lock:
            self.holds = False
        for answer in self.held:
            self.send(*answer)

    def close(self):
        os.close(self.end)
        self.join()
        os.close(self.ended)
        self.sock.close()


@contextlib.contextmanager
def somebody(lan, **options):
    thread = Somebody(lan, **options)
    thread.start()
    try:
        yield thread
    finally:
        thread.close()


def warnings(process):
    assert process.popen.returncode == 0, process
    return process.err().splitlines()


def wait_warnings(lab, lan, are_right, *args):
    """Until a run warns so: somebody whose answers this machine holds back is not there for it."""
    wait_until(lambda: are_right(warnings(run(lab, lan, *args))), f"what is said of {args}")


# ---- how large -----------------------------------------------------------------------------------


@pytest.mark.parametrize("args, said", [
    (["-sn", "8.8.8.8"], "hnmap: 1 address, not all of private networks: at most 24 packets, about 2 s"),
    (["-sn", "10.0.0.0/24", "8.8.8.8"],
     "hnmap: 257 addresses, not all of private networks: at most 6,168 packets, about 2 s"),
    (["-Pn", "-p1-10", "--max-rate", "100", "--max-retries", "0", "10.0.0.0/15"],
     "hnmap: 131,072 addresses: at most 1.4 million packets, about 4 h"),
    (["-sn", "10.0.0.0/15", "--exclude", "10.1.0.0/24"], "hnmap: 130,816 addresses: "),
])
def test_the_size_is_told_before_anything_else(lab, lan, args, said):
    """There is no way to these addresses: nothing is sent to them."""
    lines = warnings(run(lab, lan, *args))
    assert lines[0].startswith(said), lines
    assert sum("at most" in line for line in lines) == 1


@pytest.mark.parametrize("args", [
    ["-sn", "10.0.0.0/16"],
    ["-sn", "10.0.0.0/15", "--exclude", "10.1.0.0/16"],
    ["-sn", "10.0.0.0/14", "--shard", "2/4"],
    ["-sn", "192.0.2.1", "127.0.0.1", "100.64.0.1"],
    ["-sL", "8.8.8.8"],
])
def test_a_small_scan_of_a_private_network_says_nothing_of_its_size(lab, lan, args):
    assert "at most" not in run(lab, lan, *args).err()


# ---- too good to be true -------------------------------------------------------------------------


def test_hosts_all_of_whose_ports_are_open(lab, lan):
    first = r"hnmap: every port of 10\.77\.0\.10[0-2] seems open \(all of 100\): a firewall or tarpit answers for it"
    last = "hnmap: every port of 2 further hosts seems open, too"
    with somebody(lan):  # whichever was done first
        wait_warnings(lab, lan, lambda lines: re.fullmatch(f"{first}\n{last}", "\n".join(lines)),
                      "-p1-100", "10.77.0.100-102")


def test_hosts_all_of_whose_ports_are_closed_are_nothing_special(lab, lan):
    with somebody(lan, flags=RST_ACK):
        assert warnings(run(lab, lan, "-p1-100", "10.77.0.100-102")) == []


def test_a_network_that_has_one_link_address(lab, lan):
    told = ["hnmap: 64 addresses in a row (10.77.0.100 to 10.77.0.163) are up and have one link address, "
            f"{lan.mac().upper()}: it answers for all of them"]
    with somebody(lan):
        wait_warnings(lab, lan, lambda lines: lines == told, "-sn", "10.77.0.0/24")


def test_a_network_that_a_router_answers_for(lab, lan):
    lan.scanner.ip("route add 10.79.0.0/16 via 10.77.0.200")
    told = ["hnmap: 256 addresses in a row (10.79.0.0 to 10.79.0.255) are up and answer alike (reset): the "
            "router 10.77.0.200, or what is behind it, answers for all of them"]
    try:
        with somebody(lan, flags=RST_ACK):
            wait_warnings(lab, lan, lambda lines: lines == told, "-sn", "-PS80", "10.79.0.0/23")
    finally:
        lan.scanner.ip("route del 10.79.0.0/16")


# ---- lost here -----------------------------------------------------------------------------------


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "T"


def test_what_the_kernel_dropped_is_asked_again(lab, lan):
    """While hnmap stands still others fill its queue, and the answers find no room. Each port is
    asked once, and again for that alone."""
    junk = segment(bytes([10, 77, 0, 100]), socket.inet_aton(SCANNER), (1, PORT), 1, 1, RST_ACK)
    with somebody(lan, flags=RST_ACK, holds=True) as other:
        with lan.scanner.inside():
            process = lab.spawn("hnmap", "-n", "-Pn", "-sS", "-p1-100", "-g", str(PORT), "--max-retries",
                                "0", *PATIENT, "-oX", "-", "10.77.0.100")
        wait_until(lambda: len(other.held) >= 50, "probes in flight")
        os.kill(process.popen.pid, signal.SIGSTOP)
        wait_until(lambda: is_stopped(process.popen.pid), "a process that stands still")
        for _ in range(JUNK):
            other.send(other.held[0][0], b"\x08\0", junk)
        other.let_go()
        os.kill(process.popen.pid, signal.SIGCONT)
        assert process.wait() == 0
    found = read_report(process.out())["10.77.0.100"]
    assert found.hidden == {"closed": 100}
    [line] = process.err().splitlines()
    dropped = re.fullmatch(r"hnmap: ([0-9]+) packets came faster than they could be looked at.*--max-rate.*",
                           line)
    assert dropped and int(dropped[1]) >= 50


# ---- sockets, rights, ways -----------------------------------------------------------------------


def limit_files(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_fewer_sockets_than_wanted(lab, lan):
    """96 are left of 160."""
    with somebody(lan, flags=RST_ACK):
        process = run(lab, lan, "--unprivileged", "-Pn", "-p1-200", *PATIENT, "10.77.0.100",
                      preexec_fn=limit_files(100, 160))
    assert warnings(process) == ["hnmap: only 96 sockets may be open at once (limit of open files; see "
                                 "ulimit -n): it takes longer, and misses nothing"]
    assert b"200 closed tcp ports" in process.out()


def test_the_limit_of_files_is_raised_as_far_as_it_may_be(lab, lan):
    with somebody(lan, flags=RST_ACK):
        process = run(lab, lan, "--unprivileged", "-Pn", "-p1-200", *PATIENT, "10.77.0.100",
                      preexec_fn=limit_files(100, 600))
    assert warnings(process) == []
    assert b"200 closed tcp ports" in process.out()


def test_without_the_right_to_send_packets(lab, lan, public_hnmap):
    process = run(lab, lan, "-sn", SCANNER, name=public_hnmap, preexec_fn=become_nobody)
    assert warnings(process) == ["hnmap: without CAP_NET_RAW: scanning by connect, which does not see a "
                                 "host that drops what it does not serve (sysctl "
                                 "net.ipv4.ping_group_range allows no ping sockets, which would see "
                                 "those that answer echoes)"]
    process = run(lab, lan, "-Pn", "-p1", SCANNER, name=public_hnmap, preexec_fn=become_nobody)
    assert warnings(process) == ["hnmap: without CAP_NET_RAW: scanning by connect, which does not see a "
                                 "host that drops what it does not serve"]


@pytest.mark.parametrize("how", [[], ["-sT"], ["--unprivileged"], ["-Pn"]])
def test_no_route(lab, lan, how):
    lines = warnings(run(lab, lan, *how, "-p1", "10.1.2.0/30"))
    assert lines[0].startswith("hnmap: cannot send to 10.1.2.0: there is no route to it"), lines
    assert lines[1:] == ["hnmap: 4 hosts could not be asked, or not all that was to be"]


def test_an_interface_that_is_down(lab, lan):
    lan.scanner.ip("link add down0 type veth peer name down1", "addr add 10.99.0.1/24 dev down0")
    lines = warnings(run(lab, lan, "-e", "down0", "-p1", "10.99.0.2"))
    assert lines == ["hnmap: cannot send to 10.99.0.2: the interface that leads there is down; not told "
                     "again"]
