# One thread.
"""Connections through hproxy: every byte of them, their ends, and what is done about those that go wrong."""

import contextlib
import hashlib
import os
import re
import resource
import select
import socket
import ssl
import struct
import threading
import time

import pytest

from conftest import BIN, TIMEOUT, stays_in_use, wait_until
from hproxy_lab import *
from pki import Pki

SANITIZED = BIN.parent.name != "build"
KINDS = ["tcp", "tls", "unix"]
BULK = (64 if SANITIZED else 1024) << 20  # bytes each way
PERIOD = (1 << 20) - 3


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    pki = Pki(tmp_path_factory.mktemp("pki"))
    pki.cert, pki.chain_key = pki.issue("localhost")
    return pki


class Peers:
    """A target of one kind; each connection that comes is served by `serve(sock)` in a thread."""

    def __init__(self, lab, pki, kind, serve):
        self.context = None
        self.errors = []
        self.serve = serve
        if kind == "unix":
            self.endpoint = f"unix:{lab.path('target.sock')}"
            self.server = socket.socket(socket.AF_UNIX)
            self.server.bind(lab.path("target.sock"))
            self.server.listen()
        else:
            self.server = socket.create_server(("127.0.0.1", 0))
            port = self.server.getsockname()[1]
            self.endpoint = f"tls://localhost:{port}" if kind == "tls" else f"127.0.0.1:{port}"
        if kind == "tls":
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pki.cert, pki.chain_key)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.server.accept()
                threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def one(self, sock):
        try:
            sock.settimeout(TIMEOUT)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
            with sock:
                self.serve(sock)
        except OSError as error:
            self.errors.append(error)


@pytest.fixture
def peers(lab, pki):
    started = []

    def start(kind, serve):
        started.append(Peers(lab, pki, kind, serve))
        return started[-1]

    yield start
    for one in started:
        one.server.shutdown(socket.SHUT_RDWR)
        one.server.close()


def listener(lab, kind):
    """(the argument, options)"""
    if kind == "unix":
        return f"unix:{lab.path('listen.sock')}", []
    return ("tls://0", ["--tls-self-signed"]) if kind == "tls" else ("0", [])


def start(lab, hproxy, pki, kind, target, *options):
    where, more = listener(lab, kind)
    if target.startswith("tls:"):
        more = [*more, "--target-ca", pki.ca]
    return hproxy("--access-log=-", *more, *options, where, target)


def line(proxy, pattern):
    """Waits for a line of the access log."""
    return wait_until(lambda: re.search(pattern, proxy.process.out().decode()), f"{pattern} in the access log of "
                      f"{proxy.process}")


def read_all(sock):
    pieces = []
    while True:
        piece = sock.recv(1 << 16)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def echo(sock):
    while True:
        data = sock.recv(1 << 16)
        if not data:
            return
        sock.sendall(data)


def digest_at_end(sock):
    """Hears all of it, and only then answers, at length."""
    sock.sendall(hashlib.sha256(read_all(sock)).hexdigest().encode() * 10000)


def is_closed(sock):
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def echoed(sock, data):
    """Sends all of it while as much is heard. By one thread: that two use a socket with TLS Python does not bear."""
    sent, back = 0, bytearray()
    later = BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError
    sock.setblocking(False)
    while len(back) < len(data):
        with contextlib.suppress(*later):
            sent += sock.send(data[sent : sent + (1 << 16)]) if sent < len(data) else 0
        try:
            back += (piece := sock.recv(1 << 18))
            assert piece, f"it ended after {len(back)} of {sent} bytes"
        except later:
            assert any(select.select([sock], [sock] if sent < len(data) else [], [], TIMEOUT))
    return back


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_goes_both_ways(lab, hproxy, pki, peers, kind, target):
    data = os.urandom(3 << 20)
    proxy = start(lab, hproxy, pki, kind, peers(target, echo).endpoint)
    with proxy.connect() as sock:
        assert echoed(sock, data) == data
    line(proxy, rf" {kind} .* {len(data)} {len(data)} done ")


@pytest.mark.parametrize("target", ["tcp", "tls"])
@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_client_that_half_closes_gets_its_whole_reply(lab, hproxy, pki, peers, kind, target):
    data = os.urandom(1 << 20)
    backend = peers(target, digest_at_end)
    proxy = start(lab, hproxy, pki, kind, backend.endpoint)
    done = lab.run("hnc", "-N", *(["--ssl", "--insecure"] if kind == "tls" else []), "localhost", proxy.port,
                   data=data)
    assert done.wait() == 0, done
    assert done.out().decode() == hashlib.sha256(data).hexdigest() * 10000
    line(proxy, f" {len(data)} 640000 done ")
    assert backend.errors == []


@pytest.mark.parametrize("target", ["tcp", "tls"])
@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_target_that_half_closes_hears_the_rest(lab, hproxy, pki, kind, target):
    greeting, data = os.urandom(1 << 20), os.urandom(1 << 20)
    port = lab.port()
    tls = ["--ssl", "--ssl-cert", pki.cert, "--ssl-key", pki.chain_key] if target == "tls" else []
    hnc = lab.spawn("hnc", "-lN", *tls, "127.0.0.1", port, stdin=lab.file(greeting))
    lab.wait_bound(port)
    proxy = start(lab, hproxy, pki, kind, f"{'tls://localhost' if target == 'tls' else '127.0.0.1'}:{port}")
    with proxy.connect() as sock:
        assert read_all(sock) == greeting
        sock.sendall(data)
    assert hnc.wait() == 0, hnc
    assert hnc.out() == data
    line(proxy, f" {len(data)} {len(greeting)} done ")


PATTERN = os.urandom(PERIOD)
TWICE = PATTERN * 2


def pump(sock):
    left = BULK
    while left:
        left -= sock.send(memoryview(PATTERN)[(BULK - left) % PERIOD:][:left])
    sock.shutdown(socket.SHUT_WR)


def compare(sock):
    """How many bytes came before one that is wrong."""
    done, buffer = 0, memoryview(bytearray(1 << 20))
    while True:
        n = sock.recv_into(buffer)
        at = done % PERIOD
        if n == 0 or buffer[:n] != memoryview(TWICE)[at : at + n]:
            return done
        done += n


def test_a_gigabyte_each_way_at_the_same_time(lab, hproxy, pki, peers):
    came = []

    def both(sock):
        sender = threading.Thread(target=pump, args=(sock,))
        sender.start()
        came.append(compare(sock))
        sender.join(TIMEOUT)

    proxy = start(lab, hproxy, pki, "tcp", peers("tcp", both).endpoint)
    with proxy.connect() as sock:
        both(sock)
    wait_until(lambda: len(came) == 2, "both ends")
    assert came == [BULK, BULK]
    line(proxy, f" {BULK} {BULK} done ")


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_reset_is_handed_on_and_told_with_its_side(lab, hproxy, pki, peers):
    accepted, ends = [], []

    def serve(sock):
        accepted.append(sock)
        sock.sendall(sock.recv(100))
        with contextlib.suppress(ValueError):
            while sock.fileno() >= 0 and len(ends) < 1:
                try:
                    if not sock.recv(1):
                        ends.append("end")
                except ConnectionResetError:
                    ends.append("reset")

    proxy = start(lab, hproxy, pki, "tcp", peers("tcp", serve).endpoint)
    sock = proxy.connect()
    sock.sendall(b"ping")
    assert sock.recv(100) == b"ping"
    reset(sock)
    line(proxy, r' 4 4 client_error "the client\'s connection: Connection reset by peer"')
    wait_until(lambda: ends, "the end of the target's connection")
    assert ends == ["reset"]
    assert "Connection reset by peer" in proxy.process.err()


def test_a_targets_reset_is_handed_on_and_told_with_its_side(lab, hproxy, pki, peers):
    def serve(sock):
        sock.sendall(sock.recv(100))
        sock.recv(100)
        reset(sock)

    target = peers("tcp", serve)
    proxy = start(lab, hproxy, pki, "tcp", target.endpoint)
    with proxy.connect() as sock:
        sock.sendall(b"ping")
        assert sock.recv(100) == b"ping"
        sock.sendall(b"pong")
        with pytest.raises(ConnectionResetError):
            sock.recv(100)
    line(proxy, rf' 8 4 target_error "the connection to {target.endpoint}: Connection reset by peer"')


def test_a_target_that_refuses_closes_the_client_at_once(lab, hproxy):
    port = lab.port()
    proxy = hproxy("--access-log=-", "0", f"127.0.0.1:{port}")
    with proxy.connect() as sock, contextlib.suppress(OSError):
        sock.sendall(b"something")
    with proxy.connect() as sock:
        assert is_closed(sock)
    line(proxy, r'connect_failed "connect to 127.0.0.1 port \d+: Connection refused')
    assert "Connection refused" in proxy.process.err()


def test_the_next_target_is_tried(lab, hproxy, target):
    port, good = lab.port(), target()
    proxy = hproxy("--access-log=-", "0", f"127.0.0.1:{port}", good.address)
    for _ in range(4):
        assert proxy.ask() == b"target:ping"
    strict = hproxy("--access-log=-", "--retries=0", "--eject-failures=0", "0", f"127.0.0.1:{port}", good.address)
    assert sorted(strict.ask() for _ in range(4)) == [b"", b"", b"target:ping", b"target:ping"]


def test_a_target_that_says_nothing_meets_the_time_limit(lab, hproxy):
    with socket.socket() as deaf, contextlib.ExitStack() as stack:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # the queue is full then, and the kernel answers nobody
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        proxy = hproxy("--access-log=-", "--connect-timeout=200ms", "0", f"127.0.0.1:{deaf.getsockname()[1]}")
        with proxy.connect() as sock:
            assert is_closed(sock)
        line(proxy, r'connect_failed "connect to .*: Connection timed out')


def test_a_name_that_does_not_exist_closes_the_client_with_the_cause(lab, hproxy):
    nobody = lab.port(socket.SOCK_DGRAM)
    proxy = hproxy("--access-log=-", f"--dns=127.0.0.1:{nobody}", "0", "nobody.invalid:80")
    with proxy.connect() as sock:
        assert is_closed(sock)
    line(proxy, r'no_target ".*nobody\.invalid')


def test_who_says_nothing_in_the_handshake_is_sent_away(hproxy, target):
    proxy = hproxy("--access-log=-", "--handshake-timeout=100ms", "--tls-self-signed", "tls://0", target().address)
    with socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT) as sock:
        assert is_closed(sock)
    line(proxy, ' slow "TLS handshake: ')


def test_who_does_not_speak_tls_is_told_from_who_is_slow(hproxy, target):
    proxy = hproxy("--access-log=-", "--tls-self-signed", "tls://0", target().address)
    with socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        read_all(sock)
    line(proxy, ' bad_request "TLS handshake: the peer does not speak TLS')


def test_who_says_no_proxy_header_is_sent_away(hproxy, target):
    proxy = hproxy("--access-log=-", "--handshake-timeout=100ms", "--accept-proxy", "0", target().address)
    with proxy.connect() as sock:
        sock.sendall(b"PROXY TCP4 ")
        assert is_closed(sock)
    line(proxy, ' slow "PROXY header: it did not come in time"')


def test_who_begins_with_something_else_is_sent_away(hproxy, target):
    proxy = hproxy("--access-log=-", "--accept-proxy", "0", target().address)
    with proxy.connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert is_closed(sock)
    line(proxy, ' bad_request "PROXY header: ')


def test_an_idle_connection_ends_and_a_busy_one_does_not(hproxy, target):
    proxy = hproxy("--access-log=-", "--idle-timeout=300ms", "0", target().address)

    def is_told():
        return ' 1 8 idle "nobody has said anything for 300 ms"' in proxy.process.out().decode()

    def busy_outlives_idle():
        with proxy.connect() as idle, proxy.connect() as busy:
            idle.sendall(b"a")
            if idle.recv(100) != b"target:a":
                return False  # we were slower than the limit

            def exchange():
                busy.sendall(b"b")
                return busy.recv(100) == b"target:b"

            return stays_in_use(exchange, is_told, 0.3) and is_closed(idle)

    wait_until(busy_outlives_idle, "the idle one is closed, the other is not")


def test_a_connection_has_a_lifetime(hproxy, target):
    proxy = hproxy("--access-log=-", "--lifetime=200ms", "0", target().address)
    with proxy.connect() as sock, contextlib.suppress(OSError):
        while True:
            sock.sendall(b"b")
            if not sock.recv(100):
                break
    line(proxy, ' expired "it has lasted 200 ms"')


def test_so_many_connections_at_once(hproxy, target):
    proxy = hproxy("--access-log=-", "--max-conns=2", "0", target().address)
    with proxy.connect() as first:
        with proxy.connect() as second:
            for sock in (first, second):
                sock.sendall(b"ping")
                assert sock.recv(100) == b"target:ping"
            with proxy.connect() as third:
                assert is_closed(third)
            line(proxy, ' limited "too many connections"')
        line(proxy, " done ")
        assert proxy.ask() == b"target:ping"


def test_so_many_connections_of_a_client(hproxy, target):
    proxy = hproxy("--access-log=-", "--max-conns-per-client=1", "0", target().address)
    with proxy.connect() as first:
        first.sendall(b"ping")
        assert first.recv(100) == b"target:ping"
        assert proxy.ask() == b""
        line(proxy, ' limited "too many connections of this client"')
        other = socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT, source_address=("127.0.0.9", 0))
        with other:
            other.sendall(b"ping")
            assert other.recv(100) == b"target:ping"


def test_so_many_new_connections_of_a_client(hproxy, target):
    proxy = hproxy("--access-log=-", "--max-new-per-client=1", "0", target().address)
    assert proxy.ask() == b"target:ping"
    wait_until(lambda: proxy.ask() == b"", "two within a second")
    line(proxy, ' limited "too many new connections a second of this client"')


def test_who_may_come(hproxy, target):
    proxy = hproxy("--access-log=-", "--deny=127.0.0.8/30", "0", target().address)
    assert proxy.ask() == b"target:ping"
    with socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT, source_address=("127.0.0.9", 0)) as sock:
        assert is_closed(sock)
    line(proxy, r" tcp 127\.0\.0\.9:\d+ .* denied ")
    proxy = hproxy("--allow=192.0.2.1", "0", target().address)
    assert proxy.ask() == b""


@pytest.mark.parametrize("options", [["--limit-rate=200k"], ["--limit-rate-total=200k"],
                                     ["--limit-rate=200k", "--limit-rate-total=10M"]])
def test_bytes_a_second(lab, hproxy, pki, peers, options):
    proxy = start(lab, hproxy, pki, "tcp", peers("tcp", echo).endpoint, *options)
    data = os.urandom(120000)
    began = time.monotonic()
    with proxy.connect() as sock:
        sock.sendall(data)
        back = b""
        while len(back) < len(data):
            back += sock.recv(1 << 16)
    assert back == data
    assert time.monotonic() - began > 0.4  # 20 KB of burst, then 200 KiB a second


def cpu_s(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_it_sheds_and_recovers(hproxy, target):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    proxy, start = hproxy("--access-log=-", "0", target().address, preexec_fn=few), time.monotonic()
    workers = proxy.workers()
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(proxy.connect()) for _ in range(100)]
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.sendall(b"ping")
        answered = 0
        for sock in socks:
            with contextlib.suppress(ConnectionResetError):
                answered += sock.recv(100) == b"target:ping"
        assert 10 <= answered < 40  # two descriptors each
        before, began = cpu_s(workers), time.monotonic()
        while time.monotonic() < began + 0.5:
            with proxy.connect() as more:  # always one more that comes
                is_closed(more)
            time.sleep(0.01)
        assert cpu_s(workers) - before < (0.4 if SANITIZED else 0.2)
    wait_until(lambda: len(re.findall(" done ", proxy.process.out().decode())) == answered, "the ends of all")
    assert proxy.ask() == b"target:ping"
    assert proxy.workers() == workers
    said = re.findall(r"Too many open files.*: connection shed.*", proxy.process.err())
    assert 1 <= len(said) <= 1 + time.monotonic() - start  # one a second at most


def test_what_is_under_way_is_told_when_it_is_stopped(hproxy, target):
    proxy = hproxy("--access-log=-", "--stop-time=100ms", "0", target().address)
    with proxy.connect() as sock:
        sock.sendall(b"ping")
        assert sock.recv(100) == b"target:ping"
        proxy.stop()
        assert is_closed(sock)
    line(proxy, " 4 11 stopped ")

