# One thread.
"""hnc beside OpenBSD's nc: the same arguments give the same exit status and, with -v, the same
words on stderr but for the name."""

import re
import socket

import pytest
from conftest import TIMEOUT, wait_until

HOST = "127.0.0.1"
NC = "nc.openbsd"
BOTH_KINDS = pytest.mark.parametrize(
    "kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["stream", "datagram"]
)


def closed_ports(lab, count, kind=socket.SOCK_STREAM):
    """That many consecutive ports that nobody listens on."""

    def find():
        ports = range(lab.port(kind=kind), 65536)[:count]
        free = len(ports) == count and all(lab.hold(port, kind=kind) for port in ports[1:])
        return ports if free else None

    return wait_until(find, "free ports")


def words(process, name):
    """What it said, with its name and the ports that the kernel chose replaced. A line that comes
    again counts once: with ::1 for localhost in the hosts file, glibc has nc try 127.0.0.1 twice."""
    text = re.sub(rf"^{re.escape(name)}: ", "NAME: ", process.err(), flags=re.M)
    text = re.sub(r"(received on \S+) \d+$", r"\1 PORT", text, flags=re.M)
    return re.sub(r"^(.*\n)\1+", r"\1", text, flags=re.M)


def same(lab, *args):
    """Runs both; returns hnc's exit status."""
    theirs = lab.run(NC, *args)
    ours = lab.run("hnc", *args)
    assert (ours.wait(), words(ours, "hnc")) == (theirs.wait(), words(theirs, NC))
    assert ours.out() == theirs.out() == b""
    return ours.wait()


@pytest.mark.parametrize(
    "args",
    [
        "-v 127.0.0.1 A",
        "-zv 127.0.0.1 A",
        "-z 127.0.0.1 A",
        "-zv localhost A",
        "-zv4 localhost A",
        "-zv 127.1 A",
        "-zvn 127.0.0.1 A",
        "-zv -w 5 127.0.0.1 A",
        "-zv ::1 A",
        "-zv6 ::1 A",
        "-zv 127.0.0.1 A-C",
        "-zv 127.0.0.1 A C",
        "-zv 127.0.0.1 C A-B",
        "-v -s 127.0.0.1 127.0.0.1 A",
        "-v -4 ::1 A",
        "-v -6 127.0.0.1 A",
        "-v -n localhost A",
        "-zuv 127.0.0.1 U",
        "-zu 127.0.0.1 U",
    ],
)
def test_a_connection_that_fails(lab, args):
    a, b, c = closed_ports(lab, 3)
    ports = {"A": a, "B": b, "C": c, "U": closed_ports(lab, 1, socket.SOCK_DGRAM)[0]}
    status = same(lab, *re.sub(r"\b[ABCU]\b", lambda m: str(ports[m[0]]), args).split())
    assert status == (0 if args.startswith("-zu ") else 1)  # nc does not probe UDP without -v


@pytest.mark.parametrize("args", ["127.0.0.1 P", "-N 127.0.0.1 P", "localhost P"])
def test_a_refused_connection_is_not_status_0(lab, args):
    """Or a script would take what it sent for delivered. Without -v nc says nothing; hnc tells the reason all
    the same, in the words that both have with -v."""
    port = closed_ports(lab, 1)[0]
    argv = args.replace("P", str(port)).split()
    ours, theirs = (lab.run(name, *argv, data=b"lost\n") for name in ("hnc", NC))
    assert ours.wait() == theirs.wait() == 1
    assert ours.out() == theirs.out() == b""
    assert theirs.err() == ""
    told = words(lab.run(NC, "-v", *argv, data=b"lost\n"), NC)
    assert words(ours, "hnc") == told and "Connection refused\n" in told


@pytest.mark.parametrize("options", ["-U", "-vU", "-zU", "-zvU", "-uU", "-zuU"])
def test_a_path_that_is_not_there(lab, options):
    assert same(lab, options, lab.path("missing")) == 1


def test_a_path_nobody_listens_at(lab):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(lab.path("stale"))
    assert same(lab, "-zvU", lab.path("stale")) == 1


@pytest.mark.parametrize(
    "args", ["-zv HOST", "-z HOST", "-zvn HOST", "-zv localhost", "-zv 127.1", "-zvw2 HOST"]
)
def test_an_open_port(lab, args):
    with socket.create_server((HOST, 0)) as server:
        assert same(lab, *args.replace("HOST", HOST).split(), server.getsockname()[1]) == 0


def test_a_service_by_name(lab):
    """hnc looks the name up both ways, as nc does."""
    for port in range(1024, 65536):
        try:
            name = socket.getservbyport(port, "tcp")
            server = socket.create_server((HOST, port))
        except OSError:
            continue
        with server:
            assert same(lab, "-zv", HOST, name) == 0
            assert f"port [tcp/{name}] succeeded!" in lab.processes[-1].err()
            return
    pytest.skip("no free port has a name")


@pytest.mark.parametrize("order", ["open first", "open last"])
def test_one_open_port_among_others_is_success(lab, order):
    with socket.create_server((HOST, 0)) as server:
        ports = [server.getsockname()[1], *closed_ports(lab, 2)]
        if order == "open last":
            ports.reverse()
        assert same(lab, "-zv", HOST, *ports) == 0


def test_an_open_udp_port(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))
        assert same(lab, "-zuv", "-w", "1", HOST, server.getsockname()[1]) == 0


@pytest.mark.parametrize("options", [["-w", "1"], ["-w", "2"], []], ids=["-w 1", "-w 2", "none"])
def test_an_open_udp_port_is_probed_as_often_as_nc_does(lab, options):
    """And so for as long: a probe a second."""
    probes = []
    for name in (NC, "hnc"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((HOST, 0))
            server.setblocking(False)
            assert lab.run(name, "-zuv", *options, HOST, server.getsockname()[1]).wait() == 0
            count = 0
            try:
                while server.recv(10) == b"X":
                    count += 1
            except BlockingIOError:
                probes.append(count)
    assert probes[0] == probes[1]


@BOTH_KINDS
def test_an_open_path(lab, kind):
    with socket.socket(socket.AF_UNIX, kind) as server:
        server.bind(lab.path("s"))
        if kind == socket.SOCK_STREAM:
            server.listen()
        assert same(lab, "-zU" if kind == socket.SOCK_STREAM else "-zuU", lab.path("s")) == 0


def test_a_connection_that_times_out(lab):
    """A listener whose queue is full lets further clients wait."""
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen(0)
        address = server.getsockname()
        clients = []
        for _ in range(20):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(address)
            clients.append(s)
        assert same(lab, "-zv", "-w", "1", HOST, address[1]) == 1
        assert "timed out: Operation now in progress" in lab.processes[-1].err()
        for s in clients:
            s.close()


# ---- listening -----------------------------------------------------------------------------------


def listen_and_connect(lab, name, args, connect):
    """connect gives the socket of a client that has sent "data"."""
    listener = lab.spawn(name, *args)
    with connect():
        listener.wait_out(b"data")
    if "-u" in args:
        listener.stop()
    else:
        listener.wait()
    assert listener.out() == b"data"
    return listener


@pytest.mark.parametrize(
    "args",
    [
        "-l -v 127.0.0.1 P",
        "-l -v -n 127.0.0.1 P",
        "-l -v localhost P",
        "-l -v P",
        "-l -v -4 P",
        "-l -v -6 P",
        "-l -v -6 ::1 P",
        "-l -v -s 127.0.0.1 -p P",
        "-l -v -p P",
        "-l -u -v 127.0.0.1 P",
        "-l -u -v -n 127.0.0.1 P",
        "-l -u -v P",
    ],
)
def test_listening(lab, args):
    kind = socket.SOCK_DGRAM if "-u" in args else socket.SOCK_STREAM
    proto = "udp" if "-u" in args else "tcp"
    host = next((h for h in ("::1", "localhost") if h in args), HOST)
    port = lab.port(kind)

    def connect():
        lab.wait_bound(port, proto)
        if kind == socket.SOCK_STREAM:
            s = socket.create_connection((host, port), TIMEOUT)  # localhost may be ::1 first
        else:
            s = socket.socket(type=kind)
            s.connect((host, port))
        s.sendall(b"data")
        return s

    argv = args.replace("P", str(port)).split()
    theirs, ours = (listen_and_connect(lab, name, argv, connect) for name in (NC, "hnc"))
    assert words(ours, "hnc") == words(theirs, NC)
    if "-u" not in args:
        assert ours.wait() == theirs.wait() == 0


@BOTH_KINDS
def test_listening_at_a_path(lab, kind):
    path = lab.path("s")

    def connect():
        lab.wait_path(path)
        s = socket.socket(socket.AF_UNIX, kind)
        s.bind(lab.path(f"client{len(lab.processes)}"))
        s.connect(path)
        s.sendall(b"data")
        return s

    argv = ["-l", "-v", "-U", path] + (["-u"] if kind == socket.SOCK_DGRAM else [])
    theirs, ours = (listen_and_connect(lab, name, argv, connect) for name in (NC, "hnc"))
    assert words(ours, "hnc") == words(theirs, NC)


def test_a_listener_says_which_port_it_got(lab):
    hnc = lab.spawn("hnc", "-l", "-v", "-n", HOST, "0")
    hnc.wait_err("\n")
    port = int(re.fullmatch(r"Listening on 127\.0\.0\.1 (\d+)\n", hnc.err())[1])
    assert lab.is_bound(port)


@pytest.mark.parametrize("args", ["-v -N HOST", "-v -N -n HOST", "-v -N localhost"])
def test_a_conversation(lab, args):
    """What both say about a connection that is used, not only tried."""
    said = []
    for name in (NC, "hnc"):
        with socket.create_server((HOST, 0)) as server:
            server.settimeout(TIMEOUT)
            port = server.getsockname()[1]
            process = lab.spawn(name, *args.replace("HOST", HOST).split(), port)
            peer, _ = server.accept()
            peer.settimeout(TIMEOUT)
            with peer:
                assert peer.recv(1) == b""
            assert process.wait() == 0
            said.append(words(process, name).replace(str(port), "PORT"))
    assert said[0] == said[1] != ""
