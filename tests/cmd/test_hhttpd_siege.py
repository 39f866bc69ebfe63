"""hhttpd under attack: crowds that hold connections and send or read as little as they can. Meanwhile another
client is served, the server's memory stays bounded, and in the end each of them is cut off."""

import re
import resource
import select
import socket
import time

import pytest

from conftest import TIMEOUT, wait_until
from hhttpd_lab import SANITIZED, children, hhttpd, www  # noqa: F401

CROWD = 1000
DRIPS = 20  # of each attacker, so that they stay below the least rate however fast this machine is
LIMIT_MS = 3000
GROWTH_MAX = 64 << 20
BIG = 64 << 20

HOST = b" HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 10000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def besieged(hhttpd, lab, www):
    """Starts a server with short limits: besieged("further = keys")."""
    with open(www / "big", "wb") as file:
        file.truncate(BIG)

    def start(text="", listeners=1):
        path = lab.folder / "x.conf"
        limits = "".join(f"{name}_timeout = {LIMIT_MS}\n" for name in ("head", "body", "send", "keepalive"))
        path.write_text(f"document_root = {www}\n{limits}{text}")
        return hhttpd("-c", path, "127.0.0.1:0", listeners=listeners)

    return start


def memory(server):
    """Bytes that the workers have."""
    total = 0
    for pid in children(server.pid):
        with open(f"/proc/{pid}/status") as file:
            total += int(re.search(r"^VmRSS:\s+(\d+)", file.read(), re.M)[1]) << 10
    return total


class Attacker:
    def __init__(self, address, first, receive_buffer):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(address)
        self.sock.setblocking(False)
        self.got, self.size, self.gone = b"", 0, False
        self.send(first)

    def send(self, data):
        try:
            return self.sock.send(data) if data else 0
        except BlockingIOError:
            return 0
        except OSError:
            return 0  # what is there may still be read

    def look(self):
        """Whether it has been cut off, without reading what is there."""
        poll = select.poll()
        poll.register(self.sock, 0)
        self.gone = bool(poll.poll(0))  # a reset
        if self.gone:
            self.sock.close()

    def receive(self, size):
        try:
            data = self.sock.recv(size)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.size += len(data)
        self.got = (self.got + data)[:100]
        if not data:
            self.gone = True
            self.sock.close()


class Siege:
    """A crowd at the gates. Each sends first, then drip, one byte at a time, and reads sip bytes at a
    time; with a sip of 1 it soon stops to."""

    def __init__(self, server, count=CROWD, first=b"", drip=b"", sip=65536, receive_buffer=None, check=None):
        self.server, self.drip, self.sip = server, drip, sip
        self.check = check or self.serves
        self.check()
        self.before = memory(server)
        self.peak = 0
        address = server.address()[1]
        self.crowd = [Attacker(address, first, receive_buffer) for _ in range(count)]

    def serves(self):
        answer = self.server.get("/a.txt", Connection="close")
        assert answer.status == 200 and answer.text == "some text\n"

    def watch(self):
        self.check()
        self.peak = max(self.peak, memory(self.server) - self.before)
        if not SANITIZED:
            assert self.peak < GROWTH_MAX

    def step(self, number):
        drip = self.drip[number : number + 1] if number < DRIPS else b""
        for one in self.crowd:
            if not one.gone:
                one.send(drip)
                if self.sip > 1 or number < DRIPS:
                    one.receive(self.sip)
                else:
                    one.look()
        self.watch()

    def hold_out(self):
        """Until all have been cut off. Returns what each of them got."""
        deadline, number = time.monotonic() + TIMEOUT, 0
        while any(not one.gone for one in self.crowd):
            assert time.monotonic() < deadline, f"{sum(not one.gone for one in self.crowd)} are still there"
            self.step(number)
            number += 1
        return self.crowd


def test_heads_that_drip(besieged):
    server = besieged()
    siege = Siege(server, first=b"GET /a.txt" + HOST, drip=b"X-A: bbbbbbbbbbbbbbbbbbbbbbb")
    for one in siege.hold_out():
        assert one.got.startswith(b"HTTP/1.1 408 ")
    server.stop()


def test_heads_that_begin_anew(besieged):
    """Empty lines, which do not count as a head."""
    server = besieged()
    siege = Siege(server, drip=b"\r\n\r\nGET / HTTP/1.1\r\n")
    for one in siege.hold_out():
        assert one.got.startswith(b"HTTP/1.1 408 ") or one.got == b""
    server.stop()


def test_connections_that_say_nothing(besieged):
    server = besieged()
    siege = Siege(server)
    assert {one.got for one in siege.hold_out()} == {b""}
    server.stop()


def test_connections_that_have_nothing_more_to_say(besieged):
    server = besieged()
    siege = Siege(server, first=b"GET /a.txt" + HOST + b"\r\n")
    for one in siege.hold_out():
        assert one.got.startswith(b"HTTP/1.1 200 ")
    server.stop()


def test_bodies_that_drip(besieged):
    server = besieged()
    siege = Siege(server, first=b"POST /a.txt" + HOST + b"Content-Length: 100000\r\n\r\n", drip=b"x" * 1000)
    for one in siege.hold_out():
        assert one.got.startswith(b"HTTP/1.1 40")
    server.stop()


def test_chunks_that_drip_through_the_proxy(besieged, hhttpd, www):
    behind = hhttpd(www, "0")
    server = besieged(f"[proxy]\n/back/ => http://127.0.0.1:{behind.port}/\n")
    first = b"POST /back/a.txt" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    siege = Siege(server, count=CROWD // 4, first=first, drip=b"1\r\nx\r\n" * 100)
    for one in siege.hold_out():
        assert one.got.startswith(b"HTTP/1.1 40")
    server.stop()
    behind.stop()


def test_readers_that_sip(besieged):
    server = besieged()
    siege = Siege(server, first=b"GET /big" + HOST + b"\r\n", sip=1, receive_buffer=4096)
    for one in siege.hold_out():
        assert one.got.startswith(b"HTTP/1.1 200 ") and one.size < BIG
    server.stop()


def test_readers_that_sip_through_the_proxy(besieged, hhttpd, www):
    behind = hhttpd(www, "0")
    server = besieged(f"[proxy]\n/back/ => http://127.0.0.1:{behind.port}/\n")
    siege = Siege(server, count=CROWD // 4, first=b"GET /back/big" + HOST + b"\r\n", sip=1, receive_buffer=4096)
    for one in siege.hold_out():
        assert one.got.startswith(b"HTTP/1.1 200 ") and one.size < BIG
    server.stop()
    behind.stop()


def test_readers_of_what_is_made_for_them(besieged, www):
    """Ranges, listings, archives and what is compressed on the fly."""
    for i in range(300):
        (www / f"{'name' * 20}-{i}").touch()
    (www / "text.txt").write_text("words and words\n" * 10000)
    server = besieged("index_of = /\nhome_page = none\narchive = yes\n")
    ranges = b"Range: bytes=" + b",".join(b"%d-%d" % (i * 9, i * 9 + 5) for i in range(100)) + b"\r\n"
    for first in [
        b"GET /big" + HOST + ranges + b"\r\n",
        b"GET /" + HOST + b"\r\n",
        b"GET /text.txt" + HOST + b"Accept-Encoding: gzip, br, zstd\r\n\r\n",
        b"GET /?archive=tar" + HOST + b"\r\n",
    ]:
        siege = Siege(server, count=50, first=first * 20, sip=200, receive_buffer=4096)
        wait_until(lambda: siege.step(0) or all(one.got for one in siege.crowd), "the first bytes")
        for _ in range(10):
            siege.step(0)
        for one in siege.crowd:
            assert one.got.startswith(b"HTTP/1.1 ")
            one.sock.close()
    server.stop()


def test_requests_without_end_that_nobody_reads_the_answers_of(besieged, www):
    (www / "100k").write_bytes(b"x" * 100000)
    server = besieged()
    blast = (b"GET /100k" + HOST + b"\r\n") * 1000
    siege = Siege(server, count=100, first=blast, sip=1, receive_buffer=4096)
    for _ in range(20):
        for one in siege.crowd:
            one.send(blast)
        siege.step(DRIPS)
    for one in siege.hold_out():
        assert one.got.startswith(b"HTTP/1.1 200 ")
    server.stop()


def test_handshakes_that_never_end(besieged):
    server = besieged("tls_self_signed = yes\n")
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    siege = Siege(server, count=CROWD // 4, first=hello, drip=b"x" * 100)
    siege.hold_out()
    server.stop()


def test_proxy_headers_that_never_end(besieged):
    server = besieged("proxy_protocol = yes\n")
    first = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /a.txt HTTP/1.0\r\n\r\n"
    siege = Siege(server, count=CROWD // 4, first=b"PROXY TCP4 ", drip=b"1" * 100,
                  check=lambda: server.raw(first).endswith(b"some text\n"))
    assert {one.got for one in siege.hold_out()} == {b""}
    server.stop()


def test_more_connections_than_files(hhttpd, www):
    """The crowd waits in the kernel's queue, and when it goes the others have their turn."""
    limit = 64
    server = hhttpd(www, "0", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    crowd = [server.connect() for _ in range(4 * limit)]
    with server.connect() as sock:
        sock.sendall(b"GET /a.txt HTTP/1.0\r\n\r\n")
        for one in crowd:
            one.close()
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert server.get("/a.txt").status == 200
    server.stop()


def test_more_connections_than_are_wanted(besieged):
    server = besieged("worker_connections = 50\n")
    crowd = [server.connect() for _ in range(200)]
    for one in crowd:
        one.setblocking(False)

    def closed(one):
        try:
            return one.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    ended = set()

    def refused():
        ended.update(one for one in crowd if one not in ended and closed(one))
        return len(ended) >= 150

    wait_until(refused, "those beyond the limit are refused")
    for one in crowd:
        one.close()
    wait_until(lambda: server.raw(b"GET /a.txt HTTP/1.0\r\n\r\n").endswith(b"some text\n"), "service")
    server.stop()
