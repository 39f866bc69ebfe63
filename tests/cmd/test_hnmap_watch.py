# One thread.
"""hnmap --watch: rounds of a scan, and what has changed between them."""

import contextlib
import json
import os
import re
import signal
import socket
import struct
import threading
import xml.etree.ElementTree

import pytest

from conftest import BIN, TIMEOUT, wait_until
from hnmap_lab import lan  # noqa: F401
from hnmap_lan import ADDRESSES
from terminal import CTRL_C, Terminal

HOSTS = ["127.0.0.2", "127.0.0.3"]
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "


@pytest.fixture
def watch(lab):
    """Starts hnmap in rounds of 50 ms; ends it by SIGINT."""

    def start(*args, **options):
        process = lab.spawn("hnmap", "--watch", "50ms", "--noninteractive", *args, **options)
        processes.append(process)
        return process

    processes = []
    yield start
    for process in processes:
        if process.running():
            stop(process)


def stop(process):
    process.signal(signal.SIGINT)
    assert process.wait() == 130, process


def wait_line(process, pattern, what=None):
    def find():
        assert process.running(), process
        return re.search(pattern, process.out().decode(), re.MULTILINE)

    return wait_until(find, what or pattern)


def rounds(process):
    """How many are over; needs -v."""
    found = re.findall(r"^Round (\d+):", process.out().decode(), re.MULTILINE)
    return int(found[-1]) if found else 1


def wait_rounds(process, more=2):
    """Whole ones that begin from now on."""
    last = rounds(process) + 1 + more
    wait_until(lambda: rounds(process) >= last or not process.running(), f"round {last}")
    assert process.running(), process


# ---- what has changed ----


def test_changes_are_told_with_their_time(lab, watch):
    port = lab.port()
    process = watch("-n", "-sT", "-v", "-p", port, *HOSTS)
    wait_line(process, "^hnmap done: 2 IP addresses")
    wait_rounds(process)
    assert "127.0.0.3: " not in process.out().decode()
    with socket.create_server((HOSTS[1], port)):
        wait_line(process, rf"^{STAMP}127\.0\.0\.3: {port}/tcp open, was closed$")
        wait_rounds(process)
    wait_line(process, rf"^{STAMP}127\.0\.0\.3: {port}/tcp closed, was open$")
    wait_rounds(process)
    stop(process)
    out = process.out().decode()
    assert out.count("hnmap scan report for") == 2  # those of the first round
    assert out.count(", was ") == 2


def test_changes_as_json(lab, watch):
    port = lab.port()
    process = watch("-n", "-sT", "-p", port, "--json", "-", *HOSTS)
    wait_line(process, '"type":"done"')
    with socket.create_server((HOSTS[0], port)):
        wait_line(process, '"type":"change"')
    stop(process)
    lines = [json.loads(line) for line in process.out().decode().splitlines()]
    assert [line["type"] for line in lines][:5] == ["scan", "host", "host", "done", "change"]
    change = lines[4]
    assert change.pop("time") >= lines[0]["start"]
    assert change == {"type": "change", "ip": HOSTS[0], "what": "ports", "protocol": "tcp", "ports": str(port),
                      "state": "open", "was": "closed"}


def test_the_first_round_is_compared_with_a_report(lab, watch):
    port, old = lab.port(), lab.folder / "old"
    lab.run("hnmap", "-n", "-sT", "-p", port, HOSTS[0], "-oX", old)
    with socket.create_server((HOSTS[0], port)):
        process = watch("-n", "-sT", "-v", "-p", port, HOSTS[0], "--diff", old)
        wait_line(process, rf"^127\.0\.0\.2: {port}/tcp open, was closed\n1 change since {old}$")
        wait_rounds(process)
        assert process.out().decode().count(", was ") == 1


def test_only_hosts_that_have_changed_are_handed_on(lab, watch):
    port = lab.port()
    with socket.create_server((HOSTS[0], port)):
        process = watch("-n", "-sT", "-v", "-p", port, *HOSTS, "--then", "echo got {ip}")
        wait_line(process, "^got 127.0.0.2")
        wait_rounds(process)
        with socket.create_server((HOSTS[1], port)):
            wait_line(process, "^got 127.0.0.3")
            wait_rounds(process)
        wait_line(process, "3: .* closed, was open")
        stop(process)
    assert process.out().decode().count("got ") == 2
    assert process.out().endswith(b"hnmap: 2 commands run, 0 failed\n")


# ---- files ----


def test_files_are_the_whole_latest_round(lab, watch):
    xml_path, json_path = lab.folder / "xml", lab.folder / "json"
    process = watch("-n", "-sn", "-v", *HOSTS, "-oX", xml_path, "--json", json_path)
    files = set()
    wait_until(json_path.exists, "a first round")
    while rounds(process) < 40:
        assert process.running(), process
        with xml_path.open(encoding="utf-8") as file:
            text = file.read()
        files.add(xml_path.stat().st_ino)
        assert len(xml.etree.ElementTree.fromstring(text).findall("host")) == 2
        assert [json.loads(line)["type"] for line in json_path.read_text().splitlines()] == [
            "scan", "host", "host", "done"]
    assert len(files) > 1
    stop(process)
    assert sorted(path.name for path in lab.folder.iterdir() if "xml" in path.name or "json" in path.name) == [
        "json", "xml"]


def test_a_round_that_is_cut_off_replaces_nothing(lab, watch):
    targets, path = lab.folder / "targets", lab.folder / "xml"
    targets.write_text(HOSTS[0])
    process = watch("-n", "-sT", "-p1-10", "-Pn", "--max-rate", "20", "-iL", targets, "-oX", path,
                    "--stats-every", "20ms")
    wait_until(path.exists, "a first round")
    targets.write_text("127.1.0.0/16")
    wait_line(process, r"\((6[0-9]|[1-9]\d\d+) up\)|, \d\d+ undergoing Connect Scan", "a long round")
    stop(process)
    root = xml.etree.ElementTree.parse(path).getroot()
    assert [host.find("address").get("addr") for host in root.findall("host")] == [HOSTS[0]]


def test_a_first_round_that_is_cut_off_is_written(lab):
    path = lab.folder / "xml"
    process = lab.spawn("hnmap", "--watch", "1h", "-n", "-sT", "-Pn", "-p1-1000", "--max-rate", "10", HOSTS[0],
                        "-oX", path, "--stats-every", "20ms")
    wait_until(lambda: b"undergoing Connect Scan" in process.out(), "it scans")
    stop(process)
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.find("runstats/finished").get("exit") == "error"


def test_a_disk_that_is_full_is_told_once(lab, watch):
    process = watch("-n", "-sn", "-v", *HOSTS, "-oG", "/dev/full")
    wait_rounds(process, 5)
    stop(process)
    assert process.err().count("/dev/full") == 1


# ---- rounds that cannot be done ----


def test_names_are_asked_for_anew(lab, watch):
    with Resolver(HOSTS[0]) as resolver:
        process = watch("-sT", "-v", "-n", "-p1", "--dns-servers", resolver.address, "a.example")
        wait_line(process, r"^hnmap scan report for a\.example \(127\.0\.0\.2\)")
        resolver.answer = HOSTS[1]
        wait_line(process, rf"^{STAMP}127\.0\.0\.3: host is up, was down$")
        resolver.answer = None
        wait_until(lambda: "was not done to its end" in process.err(), "a round without targets")
        resolver.answer = HOSTS[1]
        wait_rounds(process)
        assert process.out().decode().count(", was ") == 1


class Resolver(threading.Thread):
    """Every name has the address `answer`; None: there is no such name."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(0.1)
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.stopped = False

    def run(self):
        while not self.stopped:
            with contextlib.suppress(TimeoutError):
                data, peer = self.sock.recvfrom(2000)
                end = data.index(b"\0", 12) + 5
                answer = self.answer
                head = struct.pack(">HHHHH", 0x8180 if answer else 0x8183, 1, 1 if answer else 0, 0, 0)
                body = struct.pack(">HHHIH", 0xc00c, 1, 1, 0, 4) + socket.inet_aton(answer) if answer else b""
                self.sock.sendto(data[:2] + head + data[12:end] + body, peer)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.join(TIMEOUT)
        self.sock.close()


@pytest.mark.parametrize("way", ["-sS", "-sT"])
def test_an_interface_that_is_down_is_no_change(lab, watch, lan, way):  # noqa: F811
    with lan.scanner.inside():
        process = watch("-n", "-v", way, "-p22,80", *ADDRESSES[:2])
    wait_rounds(process)
    try:
        lan.scanner.ip("link set lan0 down")
        wait_until(lambda: re.search(r"round \d+: 2 of 2 hosts could not be asked", process.err()), "it is said")
        wait_until(lambda: process.err().count("was not done to its end") > 3, "others are tried")
    finally:
        lan.scanner.ip("link set lan0 up", "addr replace fd77::1/64 dev lan0 nodad",
                       f"route replace 10.78.0.0/24 via {ADDRESSES[0]}")
    wait_rounds(process)
    stop(process)
    assert "or not all" not in process.err()  # which counts over all rounds
    assert ", was " not in process.out().decode(), process.out().decode()


def test_a_file_of_targets_that_is_gone_for_a_while(lab, watch):
    targets = lab.folder / "targets"
    targets.write_text(HOSTS[0])
    process = watch("-n", "-v", "-sn", "-iL", targets)
    wait_rounds(process)
    targets.rename(lab.folder / "away")
    wait_until(lambda: process.err().count("was not done to its end") > 2, "rounds fail")
    (lab.folder / "away").rename(targets)
    wait_rounds(process)
    assert ", was " not in process.out().decode()


# ---- a long time ----


@pytest.mark.skipif(BIN.parent.name != "build", reason="a sanitizer keeps what was freed")
def test_memory_does_not_grow(lab, watch):
    def memory():
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    process = watch("--watch", "1ms", "-n", "-v", "-sT", "-p1-5", "127.0.0.2-9", "--then", ":",
                    "-oX", lab.folder / "xml")
    wait_rounds(process, 30)
    before = memory()
    wait_rounds(process, 200)
    assert memory() < before + 1000  # KiB
    assert len(list((lab.folder).glob("*.tmp"))) <= 1


def test_a_terminal_is_told_of_the_next_round(lab):
    t = Terminal([lab.program("hnmap"), "--watch", "1h", "-n", "-sn", HOSTS[0]], columns=100)
    try:
        t.wait(lambda: re.match(r"Round 2 at \d\d:\d\d:\d\d, in \d+:\d\d", t.last()), "the next round")
        t.type("s")
        t.wait_raw(b"1 hosts completed (1 up)")
        t.type(CTRL_C)
        assert t.wait_exit() == 130
        assert t.is_restored()
    finally:
        t.close()


def test_a_scan_that_nobody_hears_of_ends(lab, watch):
    port = lab.port()
    reader, writer = os.pipe()
    process = watch("-n", "-sT", "-p", port, HOSTS[0], stdout=writer)
    os.close(writer)
    text = b""
    while b"hnmap done" not in text:
        text += os.read(reader, 10000)
    os.close(reader)
    with socket.create_server((HOSTS[0], port)):
        assert process.wait() == 1
    assert process.err().count("standard output") == 1


@pytest.mark.parametrize("args,what", [
    (["--watch", "0"], "--watch"),
    (["--watch", "soon"], "soon"),
    (["--watch", "1s", "-oX", "-"], "-oX"),
    (["--watch", "1s", "-oG", "-"], "-oG"),
    (["--watch", "1s", "--csv", "-"], "--csv"),
    (["--watch", "1s", "--html", "-"], "--html"),
    (["--watch", "1s", "--append-output", "-oN", "x"], "--append-output"),
    (["--watch", "1s", "-iL", "-"], "-iL"),
    (["--watch", "1s", "-sL"], "-sL"),
])
def test_bad_usage(lab, args, what):
    process = lab.run("hnmap", "-n", HOSTS[0], *args)
    assert process.popen.returncode == 2
    assert what in process.err(), process


def test_a_file_that_cannot_be_written_stops_the_scan_before_it_begins(lab):
    process = lab.run("hnmap", "-n", "-sn", HOSTS[0], "--watch", "1s", "-oX", "/proc/none/x")
    assert process.popen.returncode == 1
    assert b"report for" not in process.out() and "/proc/none/x" in process.err()
