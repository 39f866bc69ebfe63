# One thread.
"""hnc beside OpenBSD's nc, for the options of a connection: proxies (-x, -X), descriptors (-F),
limits (-W), what is asked of the kernel (-M, -m, -T, -I, -O, -b) and telnet (-t). Both are given
the same arguments and the same peer; the peer must not be able to tell which of the two it was."""

import array
import base64
import fcntl
import ipaddress
import os
import random
import re
import socket
import termios
import threading

import pytest
from conftest import TIMEOUT, open_terminal, wait_until

HOST = "127.0.0.1"
NC = "nc.openbsd"
BOTH = [NC, "hnc"]


def on_both(lab, function):
    """The same for nc and hnc, which have to give the same; returns it."""
    theirs, ours = [function(name) for name in BOTH]
    assert ours == theirs
    return ours


# ---- what is wrong on the command line -----------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        "-x 127.0.0.1:1 -l 0",
        "-x 127.0.0.1:1 -U path",
        "-x 127.0.0.1:1 -u 127.0.0.1 1",
        "-x 127.0.0.1:1 127.0.0.1 1",
        "-x 127.0.0.1:1 -z 127.0.0.1 1",
        "-x 127.0.0.1:nonsense 127.0.0.1 1",
        "-x 127.0.0.1:1 127.0.0.1 70000",
        "-X 6 -x 127.0.0.1:1 127.0.0.1 1",
        "-X 5 127.0.0.1 1",
        "-P user 127.0.0.1 1",
        "-F 127.0.0.1 1",
        "-W 0 127.0.0.1 1",
        "-W -1 127.0.0.1 1",
        "-W x 127.0.0.1 1",
        "-W 3 127.0.0.1 1",
        "-M 0 127.0.0.1 1",
        "-M 256 127.0.0.1 1",
        "-M x 127.0.0.1 1",
        "-M 3 127.0.0.1 1",
        "-M 3 -U path",
        "-T fast 127.0.0.1 1",
        "-T 256 127.0.0.1 1",
        "-T 0x100 127.0.0.1 1",
        "-T -1 127.0.0.1 1",
        "-T 0x10 127.0.0.1 1",
        "-T lowdelay 127.0.0.1 1",
        "-T lowdelay -U path",
        "-T af11 ::1 1",
        "-I 0 127.0.0.1 1",
        "-O 0 127.0.0.1 1",
        "-t 127.0.0.1 1",
        "-b 127.0.0.1 1",
        "-4 -6 127.0.0.1 1",
        "-6 -4 127.0.0.1 1",
        "-l -p 1 127.0.0.1 1",
        "-k 0",
        "-l -z 0",
        "-l",
        "-lk",
        "-U",
        "-d",
        "-y",
    ],
)
def test_status_when_nothing_can_be_done(lab, args):
    """nc says 1 to all; hnc tells what is wrong on the command line from what failed, as ncat does."""

    def run(name):
        process = lab.run(name, *args.split())
        return process.wait() in ((1,) if name == NC else (1, 2)), process.out()

    assert on_both(lab, run) == (True, b"")


# ---- proxies -------------------------------------------------------------------------------------


class Proxy:
    """A proxy that takes one client, remembers where it wants to go, and answers. Once it has
    agreed it is the other end itself: it sends a greeting and hears all that comes."""

    def __init__(self, agrees, address=(HOST, 0)):
        self.agrees = agrees
        self.wanted = self.heard = None
        self.server = socket.create_server(address)
        self.address = "%s:%d" % self.server.getsockname()
        self.server.settimeout(TIMEOUT)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        peer, _ = self.server.accept()
        peer.settimeout(TIMEOUT)
        with peer, peer.makefile("rb") as stream:
            first = stream.peek(1)[:1]
            handler = {b"\4": self.socks4, b"\5": self.socks5, b"C": self.connect}[first]
            handler(peer, stream)
            if self.agrees:
                peer.sendall(b"greeting")
                self.heard = stream.read()

    def socks4(self, peer, stream):
        version, command = stream.read(2)
        port = int.from_bytes(stream.read(2), "big")
        address = str(ipaddress.IPv4Address(stream.read(4)))
        while stream.read(1) != b"\0":
            pass  # the user's name
        self.wanted = (version, command, address, port)
        peer.sendall(bytes([0, 90 if self.agrees else 91]) + bytes(6))

    def socks5(self, peer, stream):
        methods = stream.read(stream.read(2)[1])
        assert 0 in methods
        peer.sendall(b"\5\0")
        version, command, _, kind = stream.read(4)
        if kind == 3:
            host = stream.read(stream.read(1)[0]).decode()
        else:
            host = str(ipaddress.ip_address(stream.read(4 if kind == 1 else 16)))
        port = int.from_bytes(stream.read(2), "big")
        self.wanted = (version, command, kind, host, port)
        peer.sendall(bytes([5, 0 if self.agrees else 5, 0, 1]) + bytes(6))

    def connect(self, peer, stream):
        method, target, _ = stream.readline().split()
        while stream.readline().strip():
            pass
        self.wanted = (method, target)
        peer.sendall(b"HTTP/1.0 %s\r\n\r\n" % (b"200 OK" if self.agrees else b"403 Forbidden"))

    def close(self):
        self.thread.join(TIMEOUT)
        self.server.close()


def through_proxy(lab, name, options, target, agrees, address=(HOST, 0)):
    """Status, stdout, and what the proxy saw."""
    proxy = Proxy(agrees, address)
    named = proxy.address if address[1] == 0 else address[0]
    process = lab.run(name, "-N", "-x", named, *options, *target, data=b"request")
    proxy.close()
    return process.wait(), process.out(), proxy.wanted, proxy.heard


TARGETS = [("192.0.2.7", "80"), ("127.0.0.1", "65535"), ("localhost", "4711")]
FAR = [("host.invalid", "80"), ("2001:db8::7", "443")]


@pytest.mark.parametrize("agrees", [True, False], ids=["agrees", "refuses"])
@pytest.mark.parametrize(
    "options, target",
    [
        (options, target)
        for options in ([], ["-X", "5"], ["-X", "4"], ["-X", "connect"])
        for target in TARGETS + (FAR if options != ["-X", "4"] else [])
    ],
    ids=lambda value: " ".join(value) or "default",
)
def test_a_proxy_is_asked_for_the_same(lab, options, target, agrees):
    if options == ["-X", "4"] and target[0] == "localhost":
        target = ["-4", *target]  # ::1 is nothing that SOCKS4 could be asked for
    status, out, wanted, heard = on_both(
        lab, lambda name: through_proxy(lab, name, options, target, agrees)
    )
    assert (status, out) == ((0, b"greeting") if agrees else (1, b""))
    assert heard == (b"request" if agrees else None)
    assert wanted


@pytest.mark.parametrize("options, port", [([], 1080), (["-X", "4"], 1080), (["-X", "connect"], 3128)])
def test_the_port_of_a_proxy_without_one(lab, options, port):
    # Another run of this test may have the same port elsewhere.
    address = (f"127.7.{random.randrange(256)}.{random.randrange(1, 255)}", port)
    got = on_both(lab, lambda name: through_proxy(lab, name, options, TARGETS[0], True, address))
    assert got[0] == 0


@pytest.mark.parametrize("options", [["-X", "5"], ["-X", "4"], ["-X", "connect"]], ids=" ".join)
def test_a_proxy_that_hangs_up(lab, options):
    def run(name):
        with socket.create_server((HOST, 0)) as server:
            server.settimeout(TIMEOUT)
            address = "%s:%d" % server.getsockname()
            process = lab.spawn(name, *options, "-x", address, "192.0.2.7", "80")
            server.accept()[0].close()
            return process.wait(), process.out()

    assert on_both(lab, run) == (1, b"")


def type_at_prompt(master, text):
    shown = b""
    while b"assword" not in shown or not shown.endswith(b": "):
        shown += os.read(master, 100)
    os.write(master, text.encode() + b"\n")


def let_in_with_a_login(server):
    """An HTTP proxy that lets one client through once it logs in; returns what it said for it."""
    while True:
        peer, _ = server.accept()
        peer.settimeout(TIMEOUT)
        with peer, peer.makefile("rb") as stream:
            head = b"".join(iter(stream.readline, b"\r\n"))
            login = re.search(rb"^Proxy-Authorization: (.*)\r\n", head, re.M)
            if login:
                peer.sendall(b"HTTP/1.0 200 OK\r\n\r\ngreeting")
                return login[1]
            peer.sendall(b'HTTP/1.0 407 No\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n')


@pytest.mark.parametrize("password", ["secret", ""])
def test_a_user_is_asked_for_the_password(lab, password):
    """-P, on the terminal that controls the program, for nothing else need be one."""

    def run(name):
        master, slave = open_terminal()

        def control():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        with socket.create_server((HOST, 0)) as server:
            server.settimeout(TIMEOUT)
            address = "%s:%d" % server.getsockname()
            args = ["-X", "connect", "-P", "user", "-x", address, *TARGETS[0]]
            process = lab.spawn(name, *args, preexec_fn=control)
            answer = threading.Thread(target=type_at_prompt, args=(master, password))
            answer.start()
            login = let_in_with_a_login(server)
        answer.join(TIMEOUT)
        status = process.wait()
        os.close(master)
        os.close(slave)
        return status, process.out(), login

    status, out, login = on_both(lab, run)
    assert (status, out) == (0, b"greeting")
    assert login == b"Basic " + base64.b64encode(b"user:" + password.encode())


# ---- descriptors ---------------------------------------------------------------------------------


def passed(lab, name, *args):
    """Status, the bytes, and the sockets that the program passes on over stdout."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with mine, its:
        process = lab.run(name, "-F", *args, stdout=its)
        its.close()
        mine.settimeout(TIMEOUT)
        data, control, _, _ = mine.recvmsg(100, socket.CMSG_SPACE(64))
    sockets = []
    for _, _, content in control:
        numbers = array.array("i")
        numbers.frombytes(content)
        sockets += [socket.socket(fileno=number) for number in numbers]
    return process.wait(), data, sockets


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "udp"])
def test_what_is_passed_on(lab, kind):
    family = socket.AF_INET6 if kind == "tcp6" else socket.AF_INET

    def run(name):
        with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as s:
            s.bind(("::1" if kind == "tcp6" else HOST, 0))
            if kind != "udp":
                s.listen()
            options = ["-u"] if kind == "udp" else []
            status, data, sockets = passed(lab, name, *options, *s.getsockname()[:2])
            with sockets[0] as got:
                seen = status, data, len(sockets), got.family, got.type, got.getblocking()
                return (*seen, got.getpeername() == s.getsockname())

    assert on_both(lab, run)[-1]


def test_a_connection_through_a_proxy_is_passed_on(lab):
    """As ssh wants it with ProxyUseFdpass."""

    def run(name):
        proxy = Proxy(True)
        status, data, sockets = passed(lab, name, "-x", proxy.address, *TARGETS[0])
        with sockets[0] as got:
            got.settimeout(TIMEOUT)
            got.sendall(b"request")
            greeting = got.recv(8, socket.MSG_WAITALL)
        proxy.close()
        return status, data, greeting, proxy.heard

    status, _, greeting, heard = on_both(lab, run)
    assert (status, greeting, heard) == (0, b"greeting", b"request")


# ---- what is asked of the kernel -----------------------------------------------------------------

TOS = "lowdelay throughput reliability lowcost critical inetcontrol netcontrol ef".split()
TOS += [f"af{i}{j}" for i in "1234" for j in "123"] + [f"cs{i}" for i in range(8)]
TOS += ["0", "16", "255", "0x10", "0xfc", "010"]
ASKED = {
    HOST: {
        "-M": (socket.IPPROTO_IP, socket.IP_TTL),
        "-m": (socket.IPPROTO_IP, getattr(socket, "IP_MINTTL", 21)),
        "-T": (socket.IPPROTO_IP, socket.IP_TOS),
        "-I": (socket.SOL_SOCKET, socket.SO_RCVBUF),
        "-O": (socket.SOL_SOCKET, socket.SO_SNDBUF),
    },
    "::1": {
        "-M": (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
        "-m": (socket.IPPROTO_IPV6, getattr(socket, "IPV6_MINHOPCOUNT", 73)),
        "-T": (socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
    },
}
OURS = {"-m": "--min-ttl"}  # hnc's -m is ncat's


@pytest.mark.parametrize("host", [HOST, "::1"])
@pytest.mark.parametrize(
    "option, value",
    [("-T", keyword) for keyword in TOS]
    + [("-M", value) for value in ("1", "64", "255")]
    + [("-m", value) for value in ("1", "64")]
    + [("-I", "20000"), ("-O", "30000")],
)
def test_the_kernel_is_asked_for_the_same(lab, option, value, host):
    """Seen on the socket that -F passes on."""
    if option not in ASKED[host]:
        pytest.skip("buffers have nothing to do with the family")

    def run(name):
        family = socket.AF_INET6 if host == "::1" else socket.AF_INET
        with socket.create_server((host, 0), family=family) as server:
            own = OURS.get(option, option) if name == "hnc" else option
            port = str(server.getsockname()[1])
            status, _, sockets = passed(lab, name, own, value, host, port)
            with sockets[0] as got:
                return status, got.getsockopt(*ASKED[host][option])

    assert on_both(lab, run)[0] == 0


@pytest.mark.parametrize("options, status", [(["-u"], 1), (["-u", "-b"], 0)])
def test_broadcast(lab, options, status):
    """The broadcast address of the loopback interface: refused to whoever has not asked."""
    port = str(lab.port(kind=socket.SOCK_DGRAM))

    def run(name):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.255.255.255", int(port)))
            server.settimeout(TIMEOUT)
            args = [*options, "-w", "1", "127.255.255.255", port]
            process = lab.run(name, *args, data=b"to all")
            return process.wait(), server.recv(100) if status == 0 else b""

    assert on_both(lab, run) == (status, b"to all" if status == 0 else b"")


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("role", ["connects", "listens"])
def test_so_many_datagrams(lab, role, limit):
    def run(name):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(TIMEOUT)
            if role == "connects":
                peer.bind((HOST, 0))
                args = ["-u", "-W", str(limit), HOST, peer.getsockname()[1]]
                process = lab.spawn(name, *args, stdin=lab.file(b"hello"))
                peer.connect(peer.recvfrom(10)[1])
            else:
                port = lab.port(kind=socket.SOCK_DGRAM)
                process = lab.spawn(name, "-d", "-lu", "-W", str(limit), HOST, port)
                lab.wait_bound(port, "udp")
                peer.connect((HOST, port))
            for i in range(limit):
                assert process.running()
                peer.send(b"%d" % i)
                wait_until(lambda: b"%d" % i in process.out() or not process.running(), "output")
            return process.wait(), process.out()

    assert on_both(lab, run) == (0, b"".join(b"%d" % i for i in range(limit)))


def test_so_many_pieces_of_a_stream(lab):
    def run(name):
        with socket.create_server((HOST, 0)) as server:
            server.settimeout(TIMEOUT)
            process = lab.spawn(name, "-d", "-W", "2", HOST, server.getsockname()[1])
            peer, _ = server.accept()
            with peer:
                for piece in (b"one", b"two"):
                    peer.sendall(piece)
                    process.wait_out(piece)
                return process.wait(), process.out()

    assert on_both(lab, run) == (0, b"onetwo")


# ---- telnet --------------------------------------------------------------------------------------

IAC, DONT, DO, WONT, WILL = b"\xff", b"\xfe", b"\xfd", b"\xfc", b"\xfb"


@pytest.mark.parametrize(
    "asked, answer",
    [
        (IAC + DO + b"\x18", IAC + WONT + b"\x18"),
        (IAC + WILL + b"\x01", IAC + DONT + b"\x01"),
        (
            IAC + DO + b"\x18" + IAC + WILL + b"\x03" + IAC + DO + b"\x1f",
            IAC + WONT + b"\x18" + IAC + DONT + b"\x03" + IAC + WONT + b"\x1f",
        ),
    ],
    ids=["DO", "WILL", "three"],
)
def test_telnet_is_refused_alike(lab, asked, answer):
    """The answers; nc leaves the commands in what it writes to stdout, hnc does not."""

    def run(name):
        with socket.create_server((HOST, 0)) as server:
            server.settimeout(TIMEOUT)
            process = lab.spawn(name, "-t", "-d", HOST, server.getsockname()[1])
            peer, _ = server.accept()
            peer.settimeout(TIMEOUT)
            with peer:
                peer.sendall(asked)
                answered = b""
                while len(answered) < len(answer):
                    answered += peer.recv(100)
            return process.wait(), answered

    assert on_both(lab, run) == (0, answer)
