# One thread.
"""hnc's options about one connection, as a server and as a client: telnet, idle connections, how
much is received, what the packets look like."""

import os
import random
import socket
import struct
import subprocess
import time

import pytest
from conftest import TIMEOUT, served, stays_in_use, wait_until

HOST = "127.0.0.1"
IP_RECVTTL = 12  # Linux; not in the module
IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240


def listener(lab, *args, **options):
    port = lab.port()
    hnc = lab.spawn("hnc", "-l", *args, HOST, port, **options)
    lab.wait_bound(port)
    s = socket.create_connection((HOST, port), TIMEOUT)
    return hnc, s


BOTH = pytest.mark.parametrize("start", [listener, served], ids=["listener", "client"])


def receive(s, size):
    data = b""
    while len(data) < size:
        data += s.recv(size - len(data)) or pytest.fail(f"end after {data!r}")
    return data


# ---- -t ------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "byte by byte"])
def test_telnet_is_refused_politely_and_taken_out_of_the_data(lab, start, pieces):
    hnc, peer = start(lab, "-t")
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent = bytes(
        [*b"log", IAC, DO, 24, *b"in", IAC, WILL, 1, IAC, SB, 24, 1, IAC, SE, *b": ", IAC, IAC]
    )
    for piece in [sent[i : i + 1] for i in range(len(sent))] if pieces else [sent]:
        peer.sendall(piece)
    assert receive(peer, 6) == bytes([IAC, WONT, 24, IAC, DONT, 1])
    hnc.wait_out(b"login: \xff")
    peer.close()
    assert hnc.wait() == 0
    assert hnc.out() == b"login: \xff"


ALL_BYTES = bytes(range(256)) + b"\n\xff\xff\r\n\xff"


@pytest.mark.parametrize(
    "options, data",
    [("-t", ALL_BYTES.replace(b"\xff", b"\xff\xff")),
     ("-tC", ALL_BYTES.replace(b"\xff", b"\xff\xff").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))],
)  # fmt: skip
@BOTH
def test_with_telnet_a_byte_of_255_is_sent_as_data(lab, start, options, data):
    hnc, peer = start(lab, options + "N", stdin=lab.file(ALL_BYTES))
    assert receive(peer, len(data)) == data
    peer.close()
    assert hnc.wait() == 0


def test_what_one_telnet_sends_the_other_receives(lab):
    """From a file and from a pipe, and more than what is read at once."""
    data = random.Random(854).randbytes(3 << 20).replace(b"a", b"\xff")
    for stdin in (lab.file(data), subprocess.PIPE):
        port = lab.port()
        server = lab.spawn("hnc", "-lt", HOST, port)
        lab.wait_bound(port)
        client = lab.spawn("hnc", "-tN", HOST, port, stdin=stdin)
        if stdin == subprocess.PIPE:
            client.send(data)
            client.end_input()
        assert client.wait() == 0 and server.wait() == 0
        assert server.out() == data


def test_telnet_with_many_clients_keeps_their_states_apart(lab):
    hnc, first = listener(lab, "-tk")
    with socket.create_connection(first.getpeername(), TIMEOUT) as second:
        first.sendall(bytes([IAC]))
        second.sendall(b"plain")
        hnc.wait_out(b"plain")
        first.sendall(bytes([DO, 1]))
        assert receive(first, 3) == bytes([IAC, WONT, 1])


def test_without_t_everything_is_data(lab):
    hnc, peer = listener(lab)
    sent = bytes([IAC, DO, 24])
    peer.sendall(sent)
    peer.close()
    assert hnc.wait() == 0
    assert hnc.out() == sent


# ---- --idle-timeout, -W --------------------------------------------------------------------------


@BOTH
def test_an_idle_connection_is_given_up_with_a_message(lab, start):
    hnc, peer = start(lab, "--idle-timeout", "100ms", stdin=subprocess.PIPE)
    assert peer.recv(1) == b""
    assert hnc.wait() == 1
    assert hnc.err() == "hnc: idle timeout: expired (100 ms)\n"


def test_with_k_only_the_idle_connection_is_given_up(lab):
    hnc, peer = listener(lab, "-kv", "--idle-timeout", "100ms")
    assert peer.recv(1) == b""
    hnc.wait_err("idle timeout: expired (100 ms)\n")

    def late():
        with socket.create_connection(peer.getpeername(), TIMEOUT) as s:
            return hnc.hears(s, b"late")

    wait_until(late, "the next one is heard, unless this machine lets it idle")


def test_data_either_way_keeps_a_connection_from_being_idle(lab):
    def kept():
        hnc, peer = listener(lab, "--idle-timeout", "1s", stdin=subprocess.PIPE)
        start = time.monotonic()

        def exchange():
            hnc.send(b"x")
            return peer.recv(1) == b"x"

        done = lambda: time.monotonic() - start > 1.3  # noqa: E731, the condition is that time passes
        return stays_in_use(exchange, done, 1) and hnc.running()

    wait_until(kept, "a connection outlives its limit")


@BOTH
def test_hnc_leaves_when_enough_has_been_received(lab, start):
    hnc, peer = start(lab, "-W", "2", stdin=subprocess.PIPE)
    peer.sendall(b"one")
    hnc.wait_out(b"one")
    assert hnc.running()
    peer.sendall(b"two")
    assert hnc.wait() == 0
    assert hnc.out() == b"onetwo"


def test_datagrams_are_counted_one_by_one(lab):
    port = lab.port(kind=socket.SOCK_DGRAM)
    hnc = lab.spawn("hnc", "-lu", "-W", "3", HOST, port)
    lab.wait_bound(port, "udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((HOST, port))
        for data in (b"1", b"2", b"3"):
            s.send(data)
            wait_until(lambda: data in hnc.out(), "the datagram")
    assert hnc.wait() == 0
    assert hnc.out() == b"123"


# ---- -q and --no-shutdown ------------------------------------------------------------------------


def test_no_shutdown_leaves_the_sending_side_open_with_q(lab):
    hnc, peer = served(lab, "-q", "3600", "--no-shutdown", stdin=lab.file(b"data"))
    assert receive(peer, 4) == b"data"
    peer.settimeout(0.1)
    with pytest.raises(TimeoutError):
        peer.recv(1)
    peer.close()
    assert hnc.wait() == 0


def test_no_shutdown_leaves_in_the_time_of_q(lab):
    hnc, peer = served(lab, "-q", "1", "--no-shutdown", stdin=lab.file(b"data"))
    assert receive(peer, 4) == b"data"
    assert hnc.wait() == 0


# ---- -T, -M, --min-ttl ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word, value",
    [("lowdelay", 0x10), ("throughput", 8), ("EF", 0xB8), ("af21", 0x48), ("cs7", 0xE0), ("7", 7)]
    + [("0x2c", 0x2C), ("critical", 0xA0)],
)
def test_the_type_of_service_is_sent(lab, word, value):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((HOST, 0))
        s.settimeout(TIMEOUT)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        hnc = lab.run("hnc", "-u", "-q0", "-T", word, HOST, s.getsockname()[1], data=b"x")
        _, control, _, _ = s.recvmsg(10, 64)
    assert hnc.wait() == 0
    assert [c[2][0] for c in control if c[1] == socket.IP_TOS] == [value]


def test_the_number_of_hops_is_sent(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((HOST, 0))
        s.settimeout(TIMEOUT)
        s.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        lab.run("hnc", "-u", "-q0", "-M", "7", HOST, s.getsockname()[1], data=b"x")
        _, control, _, _ = s.recvmsg(10, 64)
    assert [struct.unpack("i", c[2])[0] for c in control if c[1] == socket.IP_TTL] == [7]


def test_what_comes_from_too_far_is_not_heard(lab):
    port = lab.port()
    hnc = lab.spawn("hnc", "-l", "--min-ttl", "200", HOST, port)
    lab.wait_bound(port)
    with socket.socket() as far, socket.socket() as near:
        far.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 199)
        far.settimeout(0.1)
        with pytest.raises(TimeoutError):
            far.connect((HOST, port))
        near.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 200)
        near.settimeout(TIMEOUT)
        near.connect((HOST, port))
        near.sendall(b"near")
        hnc.wait_out(b"near")


# ---- --congestion --------------------------------------------------------------------------------


def allowed_congestion_controls():
    with open("/proc/sys/net/ipv4/tcp_allowed_congestion_control", encoding="ascii") as f:
        return f.read().split()


@pytest.mark.parametrize("name", [None, *allowed_congestion_controls()])
def test_a_connection_has_the_congestion_control_that_was_asked_for(lab, name):
    """Both ends, by what the kernel says of them. Over loopback bbr is used only if asked for."""
    asked = ("--congestion", name) if name else ()
    port = lab.port()
    server = lab.spawn("hnc", "-l", *asked, HOST, port)
    lab.wait_bound(port)
    client = lab.spawn("hnc", *asked, HOST, port, stdin=subprocess.PIPE)
    client.send(b"x")
    server.wait_out(b"x")
    listed = subprocess.run(["ss", "-tinH", "( sport = %d or dport = %d )" % (port, port)],
                            stdout=subprocess.PIPE, check=True, text=True).stdout
    words = [line.split()[0] for line in listed.splitlines() if line.startswith((" ", "\t"))]
    assert len(words) == 2
    assert words == [name, name] if name else "bbr" not in words


# ---- --vsock -------------------------------------------------------------------------------------


def test_virtual_machines_or_a_word_that_there_are_none(lab):
    """Few machines have both ends; what the kernel says is told in any case."""
    port = lab.port()
    hnc = lab.spawn("hnc", "-lv", "--vsock", "-n", port)
    wait_until(lambda: hnc.err(), "a word")
    try:
        socket.socket(socket.AF_VSOCK).close()
    except OSError:
        assert hnc.wait() == 1 and "this kernel has no such sockets" in hnc.err()
        return
    assert hnc.err() == f"Listening on * {port}\n"
    client = lab.run("hnc", "--vsock", "-w", "200ms", "1", port, data=b"data")
    if client.wait() == 0:
        assert hnc.wait() == 0 and hnc.out() == b"data"
    else:
        assert client.err().startswith("hnc: connect to 1 port ")


# ---- --test --------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [[], ["-u"], ["-k"], ["--broker"]])
def test_ncats_tests_are_told_when_it_listens(lab, args):
    port = lab.port()
    hnc = lab.spawn("hnc", "--test", "-l", *args, HOST, port)
    hnc.wait_err("NCAT TEST: LISTEN\n")
    assert lab.is_bound(port, "udp" if args == ["-u"] else "tcp")


def test_ncats_tests_are_told_of_a_path_too(lab):
    path = lab.path("socket")
    hnc = lab.spawn("hnc", "--test", "-lU", path)
    hnc.wait_err("NCAT TEST: LISTEN\n")
    assert os.path.exists(path)
