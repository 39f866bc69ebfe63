# One thread.
"""hnc against itself, OpenBSD's nc, ncat and socat in both roles: every byte arrives, in order."""

import hashlib
import os
import socket
import subprocess
import threading

import pytest
import examples
from conftest import wait_until

MIB = 1 << 20
PEERS = ["hnc", "nc.openbsd", "ncat", "socat"]
PAIRS = [("hnc", peer) for peer in PEERS] + [(peer, "hnc") for peer in PEERS[1:]]
SIZES = [0, 1, 4096, 65537, 3 * MIB + 1]


class Tcp4:
    name = "tcp4"

    def __init__(self, lab):
        self.port = lab.port()
        self.nc = ["127.0.0.1", self.port]
        self.socat_listen = f"TCP-LISTEN:{self.port},bind=127.0.0.1,reuseaddr"
        self.socat_connect = f"TCP:127.0.0.1:{self.port}"

    def wait(self, lab):
        lab.wait_bound(self.port)


class Tcp6(Tcp4):
    name = "tcp6"

    def __init__(self, lab):
        self.port = lab.port()
        self.nc = ["-6", "::1", self.port]
        self.socat_listen = f"TCP6-LISTEN:{self.port},bind=[::1],reuseaddr"
        self.socat_connect = f"TCP6:[::1]:{self.port}"


class UnixStream:
    name = "unix"

    def __init__(self, lab):
        self.path = lab.path("s")
        self.nc = ["-U", self.path]
        self.socat_listen = f"UNIX-LISTEN:{self.path}"
        self.socat_connect = f"UNIX-CONNECT:{self.path}"

    def wait(self, lab):
        lab.wait_path(self.path)


def listener(kind, address, shut="-N"):
    """The command line of a program that serves one connection and ends sending after stdin."""
    return {
        "hnc": ["hnc", shut, "-l", *address.nc],
        "nc.openbsd": ["nc.openbsd", "-N", "-l", *address.nc],
        "ncat": ["ncat", "-l", *address.nc],
        "socat": ["socat", "-t", "60", "-", getattr(address, "socat_listen", "")],
    }[kind]


def client(kind, address, shut="-N"):
    return {
        "hnc": ["hnc", shut, *address.nc],
        "nc.openbsd": ["nc.openbsd", "-N", *address.nc],
        "ncat": ["ncat", *address.nc],
        "socat": ["socat", "-t", "60", "-", getattr(address, "socat_connect", "")],
    }[kind]


LOSES = {("listens", "nc.openbsd"), ("connects", "nc.openbsd"), ("listens", "ncat")}


def exchange(lab, server_kind, client_kind, address, from_server, from_client):
    """Both send a file; returns what each of them wrote to stdout. An hnc with nothing to send
    leaves its sending side open (-q -1 changes nothing) for a peer that ends in the middle of its
    file when the other's end of data comes first."""
    gentle = not LOSES.isdisjoint({("listens", server_kind), ("connects", client_kind)})
    server_shut = "-q-1" if gentle and not from_server else "-N"
    client_shut = "-q-1" if gentle and not from_client else "-N"
    server = lab.spawn(*listener(server_kind, address, server_shut), stdin=lab.file(from_server))
    address.wait(lab)
    other = lab.spawn(*client(client_kind, address, client_shut), stdin=lab.file(from_client))
    other.wait()
    server.wait()
    return server.out(), other.out()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transport", [Tcp4, Tcp6, UnixStream], ids=lambda t: t.name)
@pytest.mark.parametrize("server_kind, client_kind", PAIRS)
def test_client_sends_a_file(lab, server_kind, client_kind, transport, size):
    data = os.urandom(size)
    at_server, at_client = exchange(lab, server_kind, client_kind, transport(lab), b"", data)
    assert at_server == data
    assert at_client == b""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transport", [Tcp4, UnixStream], ids=lambda t: t.name)
@pytest.mark.parametrize("server_kind, client_kind", PAIRS)
def test_server_sends_a_file(lab, server_kind, client_kind, transport, size):
    data = os.urandom(size)
    at_server, at_client = exchange(lab, server_kind, client_kind, transport(lab), data, b"")
    assert at_client == data
    assert at_server == b""


@pytest.mark.parametrize(
    "server_kind, client_kind",
    [("hnc", "hnc"), ("hnc", "ncat"), ("hnc", "socat"), ("socat", "hnc")],
)
@pytest.mark.parametrize("transport", [Tcp4, UnixStream], ids=lambda t: t.name)
def test_both_send_at_once(lab, server_kind, client_kind, transport):
    to_client, to_server = os.urandom(9 * MIB + 7), os.urandom(5 * MIB + 3)
    got = exchange(lab, server_kind, client_kind, transport(lab), to_client, to_server)
    assert got == (to_server, to_client)


@pytest.mark.parametrize("server_kind, client_kind", PAIRS)
def test_64_mib_over_tcp(lab, server_kind, client_kind):
    data = os.urandom(64 * MIB)
    at_server, _ = exchange(lab, server_kind, client_kind, Tcp4(lab), b"", data)
    assert hashlib.sha1(at_server).digest() == hashlib.sha1(data).digest()


def sent_from(lab, file):
    address = Tcp4(lab)
    receiver = lab.spawn(*listener("hnc", address))
    address.wait(lab)
    sender = lab.spawn(*client("hnc", address), stdin=file)
    assert sender.wait() == 0
    assert receiver.wait() == 0
    return receiver.out()


def test_a_file_is_sent_from_where_it_stands(lab):
    data = os.urandom(3 * MIB)
    file = lab.file(data)
    os.lseek(file.fileno(), 12345, os.SEEK_SET)
    assert sent_from(lab, file) == data[12345:]


def test_a_file_that_tells_no_size_is_sent_whole(lab):
    with open("/proc/filesystems", "rb") as file:
        assert sent_from(lab, open("/proc/filesystems", "rb")) == file.read() != b""


def test_a_peer_that_goes_in_the_middle_of_a_file_ends_it(lab):
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = lab.file(os.urandom(64 * MIB))
        sender = lab.spawn("hnc", "-N", "127.0.0.1", str(server.getsockname()[1]), stdin=file)
        peer, _ = server.accept()
        assert peer.recv(1000)
        peer.close()
        assert sender.wait() in (0, 1)  # not by a signal
        assert sender.err() == ""


def hash_pipe(pipe, digest):
    while block := pipe.read(MIB):
        digest.update(block)


@pytest.mark.parametrize("transport", [Tcp4, UnixStream], ids=lambda t: t.name)
def test_1_gib_through_pipes(lab, transport):
    """Not in memory and not on disk: both ends are hashed as they go by."""
    address = transport(lab)
    # The receiver leaves its side open: behind its end the sender would not wait long for stdin.
    receiver = lab.spawn(*listener("hnc", address, "-q-1"), stdout=subprocess.PIPE)
    address.wait(lab)
    sender = lab.spawn(*client("hnc", address), stdin=subprocess.PIPE)
    sent, got = hashlib.sha1(), hashlib.sha1()
    thread = threading.Thread(target=hash_pipe, args=(receiver.popen.stdout, got))
    thread.start()
    block = os.urandom(MIB)
    for i in range(1024):
        piece = i.to_bytes(8, "big") + block[8:]
        sent.update(piece)
        sender.send(piece)
    sender.end_input()
    assert sender.wait() == 0
    assert receiver.wait() == 0
    thread.join()
    assert got.digest() == sent.digest()


# The system's default, which TCP has here, may be BBR: pipes are sent to it in another way.
PIPES_OVER_CUBIC = """
sysctl -qw net.ipv4.tcp_congestion_control=cubic || exit 9
hnc -l --recv-only 127.0.0.1 1234 >received & receiver=$!
(printf first; head -c 100000000 /dev/urandom | tee sent; printf last) | hnc --wait=60 -N 127.0.0.1 1234 || exit 1
wait $receiver || exit 2
(printf first; cat sent; printf last) | cmp - received
"""


def test_much_and_little_through_a_pipe_where_tcp_is_not_paced(lab):
    script = examples.script(lab, PIPES_OVER_CUBIC)
    assert script.wait() == 0, script


# ---- datagrams -----------------------------------------------------------------------------------


class Udp4:
    name = "udp4"

    def __init__(self, lab):
        self.port = lab.port(kind=socket.SOCK_DGRAM)
        self.nc = ["-u", "127.0.0.1", self.port]
        self.socat_listen = f"UDP-LISTEN:{self.port},bind=127.0.0.1"
        self.socat_connect = f"UDP:127.0.0.1:{self.port}"
        self.largest = 65507

    def wait(self, lab):
        lab.wait_bound(self.port, "udp")

    def client(self, lab):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect(("127.0.0.1", self.port))
        return s

    def server(self, lab):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", self.port))
        return s


class UnixDatagram:
    name = "unixgram"

    def __init__(self, lab):
        self.path = lab.path("d")
        self.nc = ["-u", "-U", self.path]
        self.largest = 65536

    def wait(self, lab):
        lab.wait_path(self.path)

    def client(self, lab):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(lab.path("python"))
        s.connect(self.path)
        return s

    def server(self, lab):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(self.path)
        return s


@pytest.mark.parametrize("server_kind, client_kind", PAIRS)
def test_udp_request_and_reply(lab, server_kind, client_kind):
    address = Udp4(lab)
    server = lab.spawn(*listener(server_kind, address), stdin=subprocess.PIPE)
    address.wait(lab)
    other = lab.spawn(*client(client_kind, address), stdin=subprocess.PIPE)
    request, reply = os.urandom(1400), os.urandom(1300)
    other.send(request)
    server.wait_out(request)
    server.send(reply)
    other.wait_out(reply)
    assert (server.out(), other.out()) == (request, reply)


@pytest.mark.parametrize(
    "server_kind, client_kind", [("hnc", "hnc"), ("hnc", "nc.openbsd"), ("nc.openbsd", "hnc")]
)
def test_unix_datagram_request_and_reply(lab, server_kind, client_kind):
    address = UnixDatagram(lab)
    server = lab.spawn(*listener(server_kind, address), stdin=subprocess.PIPE)
    address.wait(lab)
    other = lab.spawn(*client(client_kind, address), stdin=subprocess.PIPE)
    other.send(b"request")
    server.wait_out(b"request")
    server.send(b"reply")
    other.wait_out(b"reply")
    assert (server.out(), other.out()) == (b"request", b"reply")


@pytest.mark.parametrize("transport", [Udp4, UnixDatagram], ids=lambda t: t.name)
def test_datagrams_arrive_whole_up_to_the_largest(lab, transport):
    address = transport(lab)
    server = lab.spawn("hnc", "-l", *address.nc)
    address.wait(lab)
    sent = b""
    with address.client(lab) as s:
        for size in [1, 1472, 16385, 32769, address.largest]:
            data = os.urandom(size)
            s.send(data)
            sent += data
            wait_until(lambda: len(server.out()) >= len(sent), f"{size} bytes in one datagram")
    assert server.out() == sent


@pytest.mark.parametrize("transport", [Udp4, UnixDatagram], ids=lambda t: t.name)
def test_a_read_becomes_one_datagram(lab, transport):
    address = transport(lab)
    with address.server(lab) as s:
        s.settimeout(100)
        for size in [1, 9000, address.largest]:
            data = os.urandom(size)
            lab.spawn("hnc", *address.nc, stdin=lab.file(data))
            assert s.recv(70000) == data


def test_an_empty_datagram_is_not_the_end(lab):
    address = Udp4(lab)
    server = lab.spawn("hnc", "-l", *address.nc)
    address.wait(lab)
    with address.client(lab) as s:
        for data in [b"", b"first", b"", b"second"]:
            s.send(data)
        server.wait_out(b"firstsecond")


def test_the_first_datagram_fixes_the_peer(lab):
    address = Udp4(lab)
    server = lab.spawn("hnc", "-l", *address.nc)
    address.wait(lab)
    with address.client(lab) as first, address.client(lab) as second:
        first.send(b"one ")
        server.wait_out(b"one ")
        with pytest.raises(ConnectionRefusedError):
            for _ in range(1000):  # no socket takes it: the kernel says so at the next call
                second.send(b"stranger")
        first.send(b"two")
        server.wait_out(b"one two")
    assert server.out() == b"one two"


def test_with_k_datagrams_of_all_senders_arrive_and_the_last_one_is_answered(lab):
    address = Udp4(lab)
    server = lab.spawn("hnc", "-lk", *address.nc, stdin=subprocess.PIPE)
    address.wait(lab)
    with address.client(lab) as first, address.client(lab) as second:
        for i, s in enumerate([first, second, first, second]):
            s.settimeout(100)
            s.send(b"%d" % i)
            server.wait_out(b"%d" % i)
            server.send(b"to %d" % i)
            assert s.recv(100) == b"to %d" % i
    assert server.out() == b"0123"
