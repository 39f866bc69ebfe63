# One thread.
"""hnc -l: who may come (--allow, --deny, -m), and who it is behind a proxy (--proxy-protocol)."""

import socket
import struct
import subprocess

import pytest
from conftest import TIMEOUT, wait_until

HOST = "127.0.0.1"


class Listener:
    def __init__(self, lab, *args, program="hnc", **options):
        self.port = lab.port()
        self.process = lab.spawn(program, "-l", *args, HOST, self.port, **options)
        lab.wait_bound(self.port)

    def connect(self, source=HOST):
        return socket.create_connection((HOST, self.port), TIMEOUT, (source, 0))

    def is_welcome(self, source=HOST):
        """Whether what such a client says is heard."""
        word = f"[{source}]".encode()
        before = self.process.out().count(word)
        with self.connect(source) as s:
            try:
                s.sendall(word)
                s.shutdown(socket.SHUT_WR)
                while s.recv(100):
                    pass
            except OSError:  # turned away already
                pass
        return self.process.out().count(word) > before


# ---- --allow and --deny --------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["hnc", "ncat"])
@pytest.mark.parametrize(
    "args, welcome, refused",
    [
        (["--allow", "127.0.0.2"], ["127.0.0.2"], ["127.0.0.1", "127.0.0.3"]),
        (["--allow", "127.0.0.2,127.0.1.0/24"], ["127.0.0.2", "127.0.1.9"], ["127.0.0.1"]),
        (["--deny", "127.0.0.2"], ["127.0.0.1"], ["127.0.0.2"]),
        (["--allow", "127.0.0.0/8", "--deny", "127.0.0.2"], ["127.0.0.1"], ["127.0.0.2"]),
        (["--allow", "localhost"], ["127.0.0.1"], ["127.0.0.2"]),
        (["--allow", "127.0.0.2-4"], ["127.0.0.2", "127.0.0.4"], ["127.0.0.5"]),
        (["--allow", "127.0.0.2", "--allow", "127.0.0.3"], ["127.0.0.2", "127.0.0.3"], [HOST]),
    ],
)
def test_only_who_is_allowed_is_heard(lab, program, args, welcome, refused):
    l = Listener(lab, "-kv", *args, program=program)
    for source in refused:
        assert not l.is_welcome(source), source
    l.process.wait_err("New connection denied: not allowed\n")
    for source in welcome:
        wait_until(lambda: l.is_welcome(source), f"{source} is heard")


@pytest.mark.parametrize("program", [[], ["-c", "exec cat"]], ids=["stdout", "program"])
def test_a_datagram_of_who_is_not_allowed_is_not_taken(lab, program):
    port = lab.port(kind=socket.SOCK_DGRAM)
    hnc = lab.spawn("hnc", "-luv", "--allow", "127.0.0.3", *program, HOST, port)
    lab.wait_bound(port, "udp")
    for source in ("127.0.0.2", "127.0.0.3"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(TIMEOUT)
            s.bind((source, 0))
            s.connect((HOST, port))
            s.send(source.encode())
            if source == "127.0.0.2":
                hnc.wait_err("New connection denied: not allowed\n")
            elif program:
                assert s.recv(100) == b"127.0.0.3"
            else:
                hnc.wait_out(b"127.0.0.3")
    assert hnc.out() == (b"" if program else b"127.0.0.3")


def test_lists_in_files(lab):
    for name, text in (("allow", "127.0.0.0/8 # all of us\n"), ("deny", "127.0.0.2\n127.0.0.3\n")):
        with open(lab.path(name), "w") as f:
            f.write(text)
    l = Listener(lab, "-kv", "--allowfile", lab.path("allow"), "--denyfile", lab.path("deny"))
    assert not l.is_welcome("127.0.0.3")
    wait_until(lambda: l.is_welcome("127.0.0.4"), "another is heard")


def test_without_k_the_first_who_is_allowed_is_served(lab):
    l = Listener(lab, "-v", "--deny", "127.0.0.2")
    with l.connect("127.0.0.2") as s:
        assert s.recv(1) == b""
    with l.connect() as s:
        s.sendall(b"served")
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
    assert l.process.wait() == 0
    assert l.process.out() == b"served"


# ---- -m ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["hnc", "ncat"])
def test_who_comes_when_all_places_are_taken_is_turned_away(lab, program):
    l = Listener(lab, "-kv", "-m", "2", program=program, stdin=subprocess.PIPE)
    first, second = l.connect(), l.connect()
    with l.connect() as third:
        assert third.recv(1) == b""
    l.process.wait_err("New connection denied: connection limit reached (2)\n")
    for s in (first, second):
        s.sendall(b"served ")
    wait_until(lambda: l.process.out().count(b"served ") == 2, "both are served")
    first.close()
    wait_until(l.is_welcome, "a place is free again")


def test_nobody_is_served_with_no_place(lab):
    l = Listener(lab, "-kv", "-m", "0")
    with l.connect() as s:
        assert s.recv(1) == b""
    assert l.process.running()


def test_programs_are_counted_until_they_end(lab):
    l = Listener(lab, "-kv", "-m", "2", "-c", "echo started; cat")
    clients = [l.connect() for _ in range(2)]
    for s in clients:
        assert s.recv(8) == b"started\n"
    with l.connect() as third:
        assert third.recv(1) == b""
    clients[0].shutdown(socket.SHUT_WR)
    assert clients[0].recv(1) == b""

    def started():
        with l.connect() as s:
            return s.recv(8) == b"started\n"

    wait_until(started, "a place is free again")


def test_a_hundred_programs_and_no_more_without_m(lab):
    l = Listener(lab, "-kv", "-c", "echo started; exec cat")
    clients = [l.connect() for _ in range(100)]
    for s in clients:
        assert s.recv(8) == b"started\n"
    with l.connect() as s:
        assert s.recv(1) == b""
    l.process.wait_err("connection limit reached (100)")
    for s in clients:
        s.close()


# ---- --proxy-protocol ----------------------------------------------------------------------------

V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n"
V2 = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
    + socket.inet_aton("192.0.2.1")
    + socket.inet_aton("192.0.2.2")
    + struct.pack(">HH", 1234, 80)
)
V2_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0"


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "byte by byte"])
def test_the_header_tells_who_comes_and_is_no_data(lab, header, pieces):
    l = Listener(lab, "-v", "--proxy-protocol")
    with l.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(header)) if pieces else []:
            s.sendall(header[i : i + 1])
        s.sendall(b"data" if pieces else header + b"data")
        l.process.wait_out(b"data")
    assert l.process.wait() == 0
    assert l.process.out() == b"data"
    version = 1 if header == V1 else 2
    assert f"version {version}, 192.0.2.1:1234 to 192.0.2.2:80\n" in l.process.err()


def test_behind_the_header_a_client_of_k_is_as_any_other(lab):
    l = Listener(lab, "-k", "--proxy-protocol", stdin=subprocess.PIPE)
    data = b"0123456789abcdef" * 10000
    with l.connect() as s:
        s.sendall(V2 + data)
        wait_until(lambda: l.process.out() == data, "all of it")
        l.process.send(b"answer")
        assert s.recv(6) == b"answer"
        s.shutdown(socket.SHUT_WR)
    with l.connect() as s:
        s.sendall(V1 + b"next")
        wait_until(lambda: l.process.out() == data + b"next", "the next one")


def test_behind_the_header_a_client_of_a_broker_comes_and_goes(lab):
    l = Listener(lab, "--broker", "--proxy-protocol")
    with l.connect() as first, l.connect() as second:
        first.sendall(V1)
        second.sendall(V2)
        for s, other in ((first, second), (second, first)):
            wait_until(lambda: says(s, other), "they hear each other")
        first.shutdown(socket.SHUT_WR)
        while first.recv(100):
            pass
    assert l.process.running()


def says(s, other):
    s.sendall(b"x")
    other.settimeout(0.1)
    try:
        return other.recv(100).strip(b"x") == b""
    except TimeoutError:
        return False
    finally:
        other.settimeout(TIMEOUT)


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", V2_LOCAL], ids=["unknown", "local"])
def test_a_header_without_addresses_is_one(lab, header):
    l = Listener(lab, "-v", "--proxy-protocol")
    with l.connect() as s:
        s.sendall(header + b"data")
        l.process.wait_out(b"data")
    assert "no addresses" in l.process.err()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"PROXY TCP4 192.0.2.1\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        V1[:-10],
        V2[:14] + b"\xff\xff",
        V2[:14] + b"\x00\x04" + b"xxxx",
        b"",
    ],
    ids=["no header", "missing", "too long", "half", "a lie", "too short", "nothing"],
)
def test_a_header_that_is_none_ends_the_connection_in_one_line(lab, data):
    l = Listener(lab, "-v", "--proxy-protocol")
    with l.connect() as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:  # it was enough to see
            pass
        l.process.wait_err("PROXY header from ")
    with l.connect() as s:
        s.sendall(V1 + b"good")
        l.process.wait_out(b"good")
    assert l.process.wait() == 0
    assert l.process.err().count("PROXY header from ") == 2
    assert l.process.out() == b"good"


def test_programs_are_told_the_address_of_the_header(lab):
    l = Listener(lab, "-k", "--proxy-protocol", "-c", "echo $NCAT_REMOTE_ADDR $NCAT_REMOTE_PORT")
    with l.connect() as s:
        s.sendall(V1)
        assert s.makefile("rb").read() == b"192.0.2.1 1234\n"


def test_the_address_of_the_header_has_to_be_allowed_too(lab):
    l = Listener(lab, "-kv", "--proxy-protocol", "--deny", "192.0.2.0/24")
    with l.connect() as s:
        s.sendall(V1 + b"bad")
        l.process.wait_err("PROXY header from 192.0.2.1:1234: not allowed\n")
    with l.connect() as s:
        s.sendall(V1.replace(b"192.0.2.1 ", b"192.0.3.1 ") + b"good")
        l.process.wait_out(b"good")
    assert l.process.out() == b"good"


def test_hncs_own_header_is_understood(lab):
    for version in "12":
        l = Listener(lab, "-v", "--proxy-protocol")
        peer = lab.spawn(
            "hnc", "-N", f"--proxy-protocol={version}", HOST, l.port, stdin=lab.file(b"data")
        )
        assert l.process.wait() == 0
        assert peer.wait() == 0
        assert l.process.out() == b"data"
        assert f"version {version}, 127.0.0.1:" in l.process.err()
