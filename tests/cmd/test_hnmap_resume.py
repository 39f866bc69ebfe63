# One thread.
"""hnmap --resume: a scan that is ended at any moment goes on, asks nothing twice that it knows, and ends
with the reports of one that was never interrupted. Which files it does not take."""

import collections
import contextlib
import os
import random
import re
import resource
import signal
import socket
import struct
import threading
import time

import pytest

from conftest import Lab, wait_until
from hnmap_lab import IPV4, lan  # noqa: F401

MAGIC = b"hnmap scan 1\n"
UP, PROBES, DONE, TOLD = 2, 3, 4, 5
REPORTS = [("-oX", "xml"), ("-oG", "gnmap"), ("-oN", "nmap"), ("--json", "json"), ("--csv", "csv")]
LOCAL = ["-sT", "-p1-1500", "127.0.0.2-5"]
OPEN = [("127.0.0.2", 22), ("127.0.0.3", 80), ("127.0.0.3", 443), ("127.0.0.5", 1500)]

# What may differ between two scans of the same hosts: times, and what is measured.
TIMES = [r' (rtt|start|startstr|starttime|end|endtime|time|timestr|elapsed|summary|args)="[^"]*"',
         r"<!-- .* -->", r"<(times|finished) [^>]*>", r"(?m)^# hnmap.*$", r"(?m)^hnmap .*$", r"(?m)^Nmap .*$",
         r" \([0-9.e-]+s latency\)", r" in [0-9.]+ seconds",
         r'"(start|end|elapsed|time|srtt|rttvar|timeout|rtt|args|started|ended|latency)[a-z_]*":'
         r'("[^"]*"|[0-9.e+-]+)',
         r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?"]


def normal(text):
    for times in TIMES:
        text = re.sub(times, "", text)
    return text


# ---- the file ------------------------------------------------------------------------------------


def number(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def records(data):
    """(kind, body behind it) of each whole record."""
    at = len(MAGIC)
    while at + 12 <= len(data):
        length = struct.unpack_from("<I", data, at)[0]
        if at + 12 + length > len(data):
            return
        yield data[at + 12], data[at + 13:at + 12 + length]
        at += 12 + length


def known(path):
    """What the file says: {position of a host: indices of its TCP ports}, hosts that are done."""
    ports, done = collections.defaultdict(set), set()
    with open(path, "rb") as file:
        data = file.read()
    assert data.startswith(MAGIC)
    for kind, body in records(data):
        position, at = number(body, 0) if kind in (UP, PROBES, DONE, TOLD) else (None, 0)
        if kind == DONE:
            done.add(position)
        if kind != PROBES or body[at]:
            continue
        at += 2
        for _ in range(3):
            _, at = number(body, at)
        while at < len(body):
            first, at = number(body, at)
            count, at = number(body, at)
            ports[position].update(range(first, first + count))
            at += 3
    return ports, done


def is_any_told(path):
    with open(path, "rb") as file:
        return TOLD in [kind for kind, _ in records(file.read())]


def size(path):
    return os.stat(path).st_size if os.path.exists(path) else 0


# ---- scans ---------------------------------------------------------------------------------------


class Place:
    """A network in which nothing changes, and scans in it."""

    def __init__(self, lab, lan):
        self.lab, self.lan, self.count = lab, lan, 0
        self.file = lab.path("scan")

    def spawn(self, *args, **options):
        with self.lan.scanner.inside():
            return self.lab.spawn("hnmap", *args, **options)

    def run(self, *args, status=0, **options):
        process = self.spawn(*args, **options)
        assert process.wait() == status, process
        return process

    def reports(self, name):
        return [word for option, kind in REPORTS for word in (option, self.lab.path(f"{name}.{kind}"))]

    def read(self, name, kinds=[kind for _, kind in REPORTS]):
        def text(kind):
            with open(self.lab.path(f"{name}.{kind}"), encoding="utf-8") as file:
                return normal(file.read())
        return {kind: text(kind) for kind in kinds}

    def break_off(self, process, grown, number):
        """Ends it by a signal once its file has grown by so many bytes; false: it was faster."""
        before = size(self.file)
        wait_until(lambda: not process.running() or size(self.file) >= before + grown,
                   f"{self.file} grows: {process}")
        process.signal(number)
        process.wait()
        return os.path.exists(self.file)

    def scan_in_pieces(self, args, number, alone=True, grown=1000, pieces=3):
        """Runs a scan, and breaks it off again and again at a random moment; true when that was possible."""
        broken = 0
        process = self.spawn("--resume", self.file, *args)
        while broken < pieces and self.break_off(process, random.randint(1, grown), number):
            broken += 1
            process = self.spawn("--resume", self.file, *([] if alone else args))
        assert process.wait() == 0, process
        assert not os.path.exists(self.file)
        return broken > 0

    def scan_until(self, done, number, *args, **options):
        """A scan that was broken off when its file shows, by done(), that it has got so far; it is begun anew
        where this machine was slower to see that than the scan to end."""
        def broken_off():
            process = self.spawn("--resume", self.file, *args, **options)
            wait_until(lambda: not process.running() or done(), f"it gets so far: {process}")
            process.signal(number)
            process.wait()
            return os.path.exists(self.file) and process

        return wait_until(broken_off, "a scan that is broken off")


@pytest.fixture
def place(lab, lan):
    with contextlib.ExitStack() as stack:
        for address in OPEN:
            stack.enter_context(lan.scanner.listen(*address))
        yield Place(lab, lan)


@pytest.mark.parametrize("number, alone", [(signal.SIGKILL, True), (signal.SIGINT, False)])
def test_a_scan_in_pieces_is_a_whole_one(place, number, alone):
    place.run("-n", *LOCAL, *place.reports("whole"))
    args = ["-n", *LOCAL, "--max-rate", "5000", *place.reports("pieces")]
    wait_until(lambda: place.scan_in_pieces(args, number, alone), "a scan in pieces")
    assert place.read("pieces") == place.read("whole")


def test_a_part_in_random_order(place):
    args = ["-n", "--seed", "7", "--randomize-hosts", "--shard", "2/3", "-sT", "-p1-600", "127.0.0.0/28"]
    place.run(*args, *place.reports("whole"))
    args += ["--max-rate", "2000", *place.reports("pieces")]
    wait_until(lambda: place.scan_in_pieces(args, signal.SIGKILL, grown=600), "a scan in pieces")
    assert place.read("pieces") == place.read("whole")


def test_the_seed_is_that_of_the_file(place):
    args = ["-n", "--randomize-hosts", "-sT", "-p1-300", "--max-rate", "4000", "-oG", place.lab.path("g"),
            "127.0.0.0/28"]
    place.scan_until(lambda: size(place.file) > 1000, signal.SIGINT, *args)
    with open(place.lab.path("g"), encoding="ascii") as file:
        begun = re.findall(r"Host: (\S+)", file.read())
    refused = place.run("--resume", place.file, *args, "--seed", "12345", status=1)
    assert "another --seed" in refused.err()
    place.run("--resume", place.file)
    with open(place.lab.path("g"), encoding="ascii") as file:
        hosts = list(dict.fromkeys(re.findall(r"Host: (\S+)", file.read())))
    assert hosts[:len(dict.fromkeys(begun)) - 1] == list(dict.fromkeys(begun))[:-1]
    assert len(hosts) == 16


# ---- packets of our own --------------------------------------------------------------------------


def asked(packets):
    """[(host, port)] of TCP packets over IPv4."""
    return [(".".join(map(str, data[16:20])), int.from_bytes(data[22:24], "big"))
            for _, data in packets if len(data) > 23 and data[9] == 6]


SYN = ["-n", "-sS", "-p1-250", "10.77.0.10-40"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_is_known_is_not_asked_again(place, number):
    """Neither ports that have answered nor hosts that were told, however it was ended."""
    def count():
        return sum(map(len, known(place.file)[0].values())) if size(place.file) > 500 else 0

    place.scan_until(lambda: count() > 100, number, "--max-rate", "1000", *SYN)
    ports, done = known(place.file)
    with place.lan.capture(IPV4) as packets:
        place.run("--resume", place.file)
    again = [(host, port) for host, port in asked(packets)
             if port - 1 in ports[int(host.split(".")[3]) - 10]
             or int(host.split(".")[3]) - 10 in done]
    assert packets and not again


def test_syn_scan_in_pieces(place):
    """With filters and silent hosts; states, reasons and TTLs are those of a whole one."""
    args = [*SYN, "-v", "--reason"]
    place.run(*args, *place.reports("whole"))
    args += ["--max-rate", "2500", *place.reports("pieces")]
    wait_until(lambda: place.scan_in_pieces(args, signal.SIGKILL), "a scan in pieces")
    kinds = ["xml", "gnmap", "json", "csv"]
    assert place.read("pieces", kinds) == place.read("whole", kinds)


def test_both_protocols(place):
    args = ["-n", "-sSU", "-p", "T:1-150,U:1-40", "10.77.0.10", "10.77.0.25", "10.77.0.55"]
    place.run(*args, *place.reports("whole"))
    args += ["--max-rate", "300", *place.reports("pieces")]
    wait_until(lambda: place.scan_in_pieces(args, signal.SIGKILL, grown=600), "a scan in pieces")
    assert place.read("pieces") == place.read("whole")


def test_ways_and_systems(place):
    args = ["-n", "-sS", "-O", "--traceroute", "-PE", "-p1-300", "10.78.0.2", "10.77.0.10", "10.77.0.25-30"]
    place.run(*args, *place.reports("whole"))
    args += ["--max-rate", "1200", *place.reports("pieces")]
    wait_until(lambda: place.scan_in_pieces(args, signal.SIGKILL, grown=500), "a scan in pieces")
    kinds = ["xml", "gnmap", "json", "csv"]
    assert place.read("pieces", kinds) == place.read("whole", kinds)
    assert '<hop ttl="2"' in place.read("pieces")["xml"]


# ---- services ------------------------------------------------------------------------------------


class Servers:
    """Say what they are to everybody who comes."""

    def __init__(self, lan, addresses):
        self.servers = [lan.scanner.listen(*address) for address in addresses]
        self.threads = [threading.Thread(target=self.serve, args=(s,)) for s in self.servers]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def serve(server):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = server.accept()
                with contextlib.suppress(OSError), peer:
                    peer.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")

    def close(self):
        for server in self.servers:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
        for thread in self.threads:
            thread.join()


def test_services_in_pieces(lab, lan):
    place = Place(lab, lan)
    servers = Servers(lan, [(f"127.0.1.{i}", 22) for i in range(1, 9)])
    try:
        args = ["-n", "-sT", "-sV", "-p1-400", "127.0.1.1-8"]
        place.run(*args, *place.reports("whole"))
        args += ["--max-rate", "2000", *place.reports("pieces")]
        wait_until(lambda: place.scan_in_pieces(args, signal.SIGKILL, grown=800), "a scan in pieces")
    finally:
        servers.close()
    assert place.read("pieces") == place.read("whole")
    assert place.read("whole")["xml"].count('product="OpenSSH"') == 8


# ---- how it ends ---------------------------------------------------------------------------------


def test_changes_and_exit_status(place):
    with place.lan.scanner.listen("127.0.0.4", 99):
        place.run("-n", *LOCAL, "-oX", place.lab.path("old.xml"))
    whole = place.run("-n", *LOCAL, "--open", "--diff", place.lab.path("old.xml"), status=1)
    args = ["-n", *LOCAL, "--open", "--diff", place.lab.path("old.xml")]
    process = place.scan_until(lambda: size(place.file) > 1500, signal.SIGINT, "--max-rate", "5000", *args)
    assert process.wait() == 130
    assert f"to go on with this scan: hnmap --resume {place.file}" in process.err()
    process = place.run("--resume", place.file, status=1)
    assert normal(process.out().decode()) == normal(whole.out().decode())
    assert "127.0.0.4: 99/tcp" in process.out().decode()
    assert not os.path.exists(place.file)


def test_what_is_told_before_is_not_handed_to_a_command(place):
    told = place.lab.path("told")
    args = ["-n", "-sT", "-p1-1500", "--max-rate", "3000", "--max-hostgroup", "1", "--then",
            f"echo {{ip}} >>{told}", "127.0.0.2-5"]
    def is_told():
        return size(told) and is_any_told(place.file)

    def broken_off():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(told)
        process = place.spawn("--resume", place.file, *args)
        wait_until(lambda: not process.running() or is_told(), "a host is told")
        process.signal(signal.SIGKILL)
        process.wait()
        return os.path.exists(place.file)

    wait_until(broken_off, "a scan that is broken off")
    place.run("--resume", place.file)
    with open(told, encoding="ascii") as file:
        assert sorted(file.read().split()) == ["127.0.0.2", "127.0.0.3", "127.0.0.5"]


def test_a_full_disk_does_not_end_the_scan(place):
    """Here it is the file that may not grow; the system says nearly the same."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    place.run("-n", *LOCAL, *place.reports("whole"))
    args = ["-n", *LOCAL, "--max-rate", "5000", "-oG", place.lab.path("pieces.gnmap")]

    def is_told():
        return "File too large: nothing more is kept in it, and the scan goes on" in place.lab.processes[-1].err()

    process = place.scan_until(is_told, signal.SIGINT, *args, preexec_fn=limit)
    assert process.wait() == 130
    assert size(place.file) <= 4000
    place.run("--resume", place.file)
    kinds = ["gnmap"]
    assert place.read("pieces", kinds) == place.read("whole", kinds)
    process = place.run("--resume", place.file, *args, preexec_fn=limit)
    assert process.err().count("nothing more is kept") == 1
    assert place.read("pieces", kinds) == place.read("whole", kinds)


# ---- files that are not taken --------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken_scan(lan, tmp_path_factory):
    """A scan that was broken off: its arguments, and what was left of it."""
    lab = Lab(tmp_path_factory.mktemp("broken"))
    place = Place(lab, lan)
    args = ["-n", "-sT", "-p1-1000", "--max-rate", "2000", "127.0.0.2-3"]
    place.scan_until(lambda: size(place.file) > 600, signal.SIGINT, *args)
    lab.close()
    with open(place.file, "rb") as file:
        return args, file.read()


@pytest.fixture
def broken(place, broken_scan):
    """Its arguments; its file is there."""
    args, data = broken_scan
    with open(os.open(place.file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(data)
    return list(args)


@pytest.mark.parametrize("args, what", [
    (["-p1-1001"], "ports"), (["127.0.0.4"], "targets"), (["--exclude", "127.0.0.3"], "targets"),
    (["--shard", "1/2"], "part or order"), (["--randomize-hosts"], "part or order"),
    (["-sV"], "way to scan"), (["-Pn"], "way to find hosts"), (["-e", "lo"], "source"),
    (["-g", "5000"], "source"), (["-R"], "way to ask for names"), (["--open"], "choice of ports"),
    (["--ttl", "9"], "packets"), (["--banner"], "way to look at services"),
])
def test_the_file_of_another_scan_is_refused(place, broken, args, what):
    with open(place.file, "rb") as file:
        before = file.read()
    process = place.run("--resume", place.file, *broken, *args, status=1)
    assert f"it is of another scan: not the same {what}" in process.err()
    assert process.out() == b""
    with open(place.file, "rb") as file:
        assert file.read() == before


def test_timing_and_reports_may_be_others(place, broken):
    broken[broken.index("--max-rate") + 1] = "9000"
    place.run("--resume", place.file, *broken, "-T4", "-v", "-oX", place.lab.path("x"))
    assert not os.path.exists(place.file)


def test_damage_is_told_and_nothing_is_written(place, broken):
    with open(place.file, "r+b") as file:
        data = file.read()
        at = len(MAGIC) + 12 + struct.unpack_from("<I", data, len(MAGIC))[0]
        file.seek(at + 14)
        file.write(bytes([data[at + 14] ^ 1]))
    report = place.lab.path("report")
    with open(report, "w", encoding="ascii") as file:
        file.write("as it was")
    process = place.run("--resume", place.file, *broken, "-oX", report, status=1)
    assert f"it is damaged at byte {at}" in process.err()
    assert open(report, encoding="ascii").read() == "as it was"
    with open(place.file, "rb") as file:
        assert len(file.read()) == len(data)


def test_a_torn_end_is_passed_over(place, broken):
    os.truncate(place.file, size(place.file) - 3)
    place.run("--resume", place.file)
    assert not os.path.exists(place.file)


def test_one_scan_at_a_time(place):
    first = place.spawn("--resume", place.file, "-n", *LOCAL, "--max-rate", "500")
    wait_until(lambda: size(place.file) > 500, "the first one keeps something")
    second = place.run("--resume", place.file, status=1)
    assert "another scan has it" in second.err()
    first.signal(signal.SIGINT)
    assert first.wait() == 130
    assert os.path.exists(place.file)


def test_what_is_no_scan_is_left_alone(place):
    target = ["-n", "-sT", "-p1", "127.0.0.2"]
    with open(place.file, "w", encoding="ascii") as file:
        file.write("10.0.0.1\n")
    for args in ([], target):
        process = place.run("--resume", place.file, *args, status=1)
        assert "it is no file that this version of hnmap keeps a scan in" in process.err()
    with open(place.file, encoding="ascii") as file:
        assert file.read() == "10.0.0.1\n"
    os.symlink(place.file, place.lab.path("link"))
    os.mkfifo(place.lab.path("fifo"))
    os.mkdir(place.lab.path("folder"))
    for name, why in [("link", "symbolic link"), ("fifo", "no plain file"), ("folder", "no plain file"),
                      ("none/at/all", "No such file")]:
        for args in ([], target):
            process = place.run("--resume", place.lab.path(name), *args, status=1)
            assert why in process.err(), process
    process = place.run("--resume", "/dev/null", *target, status=1)
    assert "no plain file" in process.err()
    assert not os.path.exists(place.lab.path("none"))


def test_the_file_of_another_user_is_refused(place, broken):
    os.chown(place.file, 65534, 65534)
    assert "belongs to another user" in place.run("--resume", place.file, status=1).err()
    os.chown(place.file, 0, 0)
    os.chmod(place.file, 0o666)
    assert "others may write to it" in place.run("--resume", place.file, status=1).err()


def test_nothing_is_left_of_a_scan_that_could_not_begin(place):
    process = place.run("--resume", place.file, "-n", "127.0.0.300", status=2)
    assert "127.0.0.300" in process.err()
    assert not os.path.exists(place.file)
    place.run("--resume", place.file, "-sT", "127.0.0.1", "-oX", place.lab.path("no/folder"), status=1)
    assert not os.path.exists(place.file)
    process = place.run("--resume", place.file, status=1)
    assert "No such file" in process.err()
    assert not os.path.exists(place.file)


def test_a_report_in_its_place_is_refused(place, broken):
    process = place.run("--resume", place.file, *broken, "-oX", place.file, status=1)
    assert "a report goes to the same file" in process.err()
    assert size(place.file) > 500


@pytest.mark.parametrize("name, args", [
    ("all.xml", ["-oA", "all"]), ("all.nmap", ["-oA", "all"]), ("year-%Y", ["-oG", "year-%Y"]),
])
def test_a_report_with_another_name_in_its_place_is_refused(place, name, args):
    """The path as it is in the end, with the ending of -oA and the date, is what counts."""
    path = place.lab.path(time.strftime(name))
    process = place.run("--resume", path, "-sT", "-p", "1", "127.0.0.1", args[0], place.lab.path(args[1]), status=1)
    assert "a report goes to the same file" in process.err()


@pytest.mark.parametrize("args, why", [
    (["-sL", "127.0.0.1"], "-sL send"), (["--iflist"], "--iflist"), (["-iL", "-"], "standard input"),
    (["--excludefile", "-", "127.0.0.1"], "standard input"), (["--watch", "1s", "127.0.0.1"], "--watch"),
    (["-v"], "it goes with no other"),
])
def test_what_it_does_not_go_with(place, args, why):
    process = place.run("--resume", place.file, *args, status=2)
    assert why in process.err()
    assert not os.path.exists(place.file)


def test_a_word_beside_a_file_in_one_word_is_refused_too(place):
    process = place.run(f"--resume={place.file}", "-v", status=2)
    assert "it goes with no other" in process.err()
