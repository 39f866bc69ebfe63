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


class Crowd:
    """At the gates of a server. Each sends first, then drip, one byte at a time, and reads sip bytes at a
    time; with a sip of 1 it soon stops to."""

    def __init__(self, first=b"", drip=b"", sip=65536, receive_buffer=None, count=CROWD, server=None):
        self.first, self.drip, self.sip, self.count = first, drip, sip, count
        self.receive_buffer, self.server, self.all = receive_buffer, server, []

    def come(self, server):
        address = (self.server or server).address()[1]
        self.all = [Attacker(address, self.first, self.receive_buffer) for _ in range(self.count)]

    def step(self, number):
        drip = self.drip[number : number + 1] if number < DRIPS else b""
        for one in self.all:
            if not one.gone:
                one.send(drip)
                if self.sip > 1 or number < DRIPS:
                    one.receive(self.sip)
                else:
                    one.look()

    @property
    def left(self):
        return sum(not one.gone for one in self.all)


class Siege:
    """Of a server, by crowds; `check` is another client's request."""

    def __init__(self, server, *crowds, check=None):
        self.server, self.crowds = server, crowds
        self.check = check or self.serves
        self.check()
        self.before = memory(server)
        for crowd in crowds:
            crowd.come(server)

    def serves(self):
        answer = self.server.get("/a.txt", Connection="close")
        assert answer.status == 200 and answer.text == "some text\n"

    def step(self, number):
        for crowd in self.crowds:
            crowd.step(number)
        self.check()
        assert SANITIZED or memory(self.server) - self.before < GROWTH_MAX

    def hold_out(self):
        """Until all have been cut off."""
        deadline, number = time.monotonic() + TIMEOUT, 0
        while any(crowd.left for crowd in self.crowds):
            assert time.monotonic() < deadline, f"{[crowd.left for crowd in self.crowds]} are still there"
            self.step(number)
            number += 1


POST = b"POST /a.txt" + HOST


def test_heads_that_drip(besieged):
    server = besieged()
    crowd = Crowd(b"GET /a.txt" + HOST, b"X-A: bbbbbbbbbbbbbbbbbbbbbbb")
    Siege(server, crowd).hold_out()
    assert all(one.got.startswith(b"HTTP/1.1 408 ") for one in crowd.all)
    server.stop()


def test_other_ways_to_send_too_little(besieged, hhttpd, www):
    behind = hhttpd(www, "0")
    server = besieged(f"[proxy]\n/back/ => http://127.0.0.1:{behind.port}/\n")
    count = CROWD // 4
    lines = Crowd(drip=b"\r\n\r\nGET / HTTP/1.1\r\n", count=count)  # empty ones do not count as a head
    silent = Crowd(count=count)
    idle = Crowd(b"GET /a.txt" + HOST + b"\r\n", count=count)
    bodies = Crowd(POST + b"Content-Length: 100000\r\n\r\n", b"x" * 100, count=count)
    chunks = Crowd(b"POST /back/a.txt" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 9, count=count)
    Siege(server, lines, silent, idle, bodies, chunks).hold_out()
    assert all(one.got.startswith(b"HTTP/1.1 408 ") or one.got == b"" for one in lines.all)
    assert all(one.got == b"" for one in silent.all)
    assert all(one.got.startswith(b"HTTP/1.1 200 ") for one in idle.all)
    assert all(one.got.startswith(b"HTTP/1.1 40") for one in bodies.all + chunks.all)
    server.stop()
    behind.stop()


def test_readers_that_sip(besieged, hhttpd, www):
    behind = hhttpd(www, "0")
    server = besieged(f"[proxy]\n/back/ => http://127.0.0.1:{behind.port}/\n")
    # Not more: the kernel takes up to 2 MB for what each has not read yet, and other tests want some, too.
    near = Crowd(b"GET /big" + HOST + b"\r\n", sip=1, receive_buffer=4096, count=CROWD // 4)
    far = Crowd(b"GET /back/big" + HOST + b"\r\n", sip=1, receive_buffer=4096, count=CROWD // 8)
    Siege(server, near, far).hold_out()
    for one in near.all + far.all:  # as much of it as there was time to sip
        assert one.got[:13] == b"HTTP/1.1 200 "[: len(one.got)] and one.size < BIG
    server.stop()
    behind.stop()


def test_readers_of_what_is_made_for_them(besieged, www):
    """Ranges, listings, archives and what is compressed on the fly."""
    for i in range(300):
        (www / f"{'name' * 20}-{i}").touch()
    (www / "text.txt").write_text("words and words\n" * 10000)
    server = besieged("index_of = /\nhome_page = none\narchive = yes\n")
    ranges = b"Range: bytes=" + b",".join(b"%d-%d" % (i * 100, i * 100 + 5) for i in range(60)) + b"\r\n"
    requests = [
        b"GET /big" + HOST + ranges + b"\r\n",
        b"GET /" + HOST + b"\r\n",
        b"GET /text.txt" + HOST + b"Accept-Encoding: gzip, br, zstd\r\n\r\n",
        b"GET /?archive=tar" + HOST + b"\r\n",
    ]
    crowds = [Crowd(request * 20, sip=200, receive_buffer=4096, count=25) for request in requests]
    siege = Siege(server, *crowds)
    wait_until(lambda: siege.step(0) or all(one.got for crowd in crowds for one in crowd.all), "the first bytes")
    for _ in range(10):
        siege.step(0)
    for crowd in crowds:
        for one in crowd.all:
            assert one.got.startswith(b"HTTP/1.1 20")
            one.sock.close()
    server.stop()


def test_requests_without_end_that_nobody_reads_the_answers_of(besieged, www):
    (www / "100k").write_bytes(b"x" * 100000)
    server = besieged()
    blast = (b"GET /100k" + HOST + b"\r\n") * 1000
    crowd = Crowd(blast, sip=1, receive_buffer=4096, count=100)
    siege = Siege(server, crowd)
    for _ in range(20):
        for one in crowd.all:
            one.send(blast)
        siege.step(DRIPS)
    siege.hold_out()
    server.stop()


def test_handshakes_that_never_end(besieged):
    server = besieged("tls_self_signed = yes\n")
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    Siege(server, Crowd(hello, b"x" * 100, count=CROWD // 4)).hold_out()
    server.stop()


def test_proxy_headers_that_never_end(besieged):
    server = besieged("proxy_protocol = yes\n")
    request = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /a.txt HTTP/1.0\r\n\r\n"

    def serves():
        assert server.raw(request).endswith(b"some text\n")

    crowd = Crowd(b"PROXY TCP4 ", b"1" * 100, count=CROWD // 8)
    Siege(server, crowd, check=serves).hold_out()
    assert all(one.got == b"" for one in crowd.all)
    server.stop()


def served(connection):
    """With what needs no descriptor; a file does, a second after it was looked at last."""
    connection.request("GET", "/ping")
    return connection.getresponse().read() == b"pong"


def test_more_connections_than_files(hhttpd, www):
    """Those that there is no descriptor for are closed; who was there is served, and later all are again."""
    limit = 64
    server = hhttpd("--demo", www, "0", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    first = server.connection()
    assert served(first)
    crowd = [server.connect() for _ in range(4 * limit)]
    poll = select.poll()
    for one in crowd:
        one.sendall(b"G")  # the silent ones are accepted a second later
        poll.register(one, select.POLLIN)
    wait_until(lambda: len(poll.poll(0)) >= 3 * limit, "those beyond the limit are closed")
    assert served(first)
    for one in crowd:
        one.close()

    def again():
        try:
            return server.get("/a.txt").status == 200
        except OSError:
            return False

    wait_until(again, "service for others")
    assert served(first)
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
