# One thread.
"""hnc's end points: one operand that names scheme, host and port, beside nc's HOST PORT, for who
connects and for who listens."""

import re
import socket

import pytest
from conftest import TIMEOUT, wait_until
from pki import Pki
from test_hnc_options import USAGE, fails

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def listening(lab, *args, **options):
    """hnc -lv with these arguments: the Process, and where it says that it listens."""
    hnc = lab.spawn("hnc", "-lvn", *args, **options)
    hnc.wait_err("Bound on" if "udp" in args[-1] else "Listening on")
    address, port = hnc.err().splitlines()[-1].split()[2:]
    return hnc, address, int(port)


# ---- connecting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["127.0.0.1:{}", "tcp://127.0.0.1:{}", "TCP://127.0.0.1:{}", "{}", "tcp://{}"])
def test_tcp(lab, text):
    with socket.create_server((HOST, 0)) as server:
        hnc = lab.spawn("hnc", "-N", text.format(server.getsockname()[1]), stdin=lab.file(b"there"))
        peer, _ = server.accept()
        with peer:
            peer.settimeout(TIMEOUT)
            assert peer.recv(9) == b"there"
            peer.sendall(b"back")
    assert hnc.wait() == 0 and hnc.out() == b"back" and hnc.err() == ""


def test_ipv6_has_brackets(lab):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert lab.run("hnc", "-z", f"[::1]:{server.getsockname()[1]}").wait() == 0


@pytest.mark.parametrize("args", [["udp://127.0.0.1:{}"], ["-u", "127.0.0.1:{}"], ["-u", "udp://localhost:{}"]])
def test_udp(lab, args):
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))
        server.settimeout(TIMEOUT)
        port = server.getsockname()[1]
        hnc = lab.spawn("hnc", "-4W1", *(a.format(port) for a in args), stdin=lab.file(b"there"))
        data, peer = server.recvfrom(9)
        server.sendto(b"back", peer)
    assert data == b"there" and hnc.wait() == 0 and hnc.out() == b"back"


def test_tls_checks_the_name_of_the_host(lab, pki):
    cert, key = pki.issue("server", names="DNS:localhost")
    port = lab.port()
    lab.spawn("openssl", "s_server", "-accept", port, "-cert", cert, "-key", key, "-quiet", "-rev")
    lab.wait_bound(port)
    trust = ["-4", "--ssl-trustfile", pki.ca]
    good = lab.run("hnc", "-N", *trust, f"tls://localhost:{port}", data=b"hello\n")
    assert (good.wait(), good.out(), good.err()) == (0, b"olleh\n", "")
    bad = lab.run("hnc", "-N", *trust, f"tls://127.0.0.1:{port}", data=b"hello\n")
    assert bad.wait() == 1 and "not for 127.0.0.1 but for localhost" in bad.err()


@pytest.mark.parametrize("name", ["s", "@"])
def test_a_unix_socket(lab, name):
    path = lab.path("s") if name == "s" else f"@hnc-{lab.folder}"[:90]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.replace("@", "\0", 1) if name == "@" else path)
        server.listen()
        hnc = lab.spawn("hnc", "-N", f"unix:{path}", stdin=lab.file(b"there"))
        peer, _ = server.accept()
        with peer:
            assert peer.recv(9) == b"there"
    assert hnc.wait() == 0


def test_unix_datagrams(lab):
    path = lab.path("s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        server.settimeout(TIMEOUT)
        hnc = lab.spawn("hnc", "-W1", f"unixgram:{path}", stdin=lab.file(b"there"))
        data, peer = server.recvfrom(9)
        server.sendto(b"back", peer)
    assert data == b"there" and hnc.wait() == 0 and hnc.out() == b"back"


def test_a_service_by_name_is_shown_by_name(lab):
    hnc = lab.run("hnc", "-zn", "nosuch:domain")
    assert 'host "nosuch" port domain' in hnc.err() and hnc.wait() == 1


def test_it_goes_through_a_proxy(lab):
    port = lab.port()
    lab.spawn("hnc", "-l", "--proxy-type", "socks5", f"tcp://{HOST}:{port}")
    lab.wait_bound(port)
    with socket.create_server((HOST, 0)) as server:
        assert lab.run("hnc", "-zx", f"{HOST}:{port}", f"{HOST}:{server.getsockname()[1]}").wait() == 0


# ---- listening -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, address",
    [
        ("127.0.0.1:0", HOST), ("tcp://0", HOST), ("[::1]:0", "::1"), ("tls://[::1]:0", "::1"),
        (":0", "::"), ("*:0", "::"), ("tcp://:0", "::"), ("tls://:0", "::"), ("udp://:0", "::"),
        ("udp://0", HOST), ("0", "0.0.0.0"),
    ],
)  # fmt: skip
def test_listens_where_it_says(lab, text, address):
    assert listening(lab, text)[1] == address


def test_every_address_is_those_of_ipv4_too(lab):
    hnc, _, port = listening(lab, "-k", ":0")
    for host in (HOST, "::1"):
        done = lab.run("nc.openbsd", "-N", host, port, data=host.encode())
        assert done.wait() == 0
        hnc.wait_out(host.encode())
    assert re.findall(r"received on (\S+) \d", hnc.err()) == [HOST, "::1"]
    only, address, port = listening(lab, "-4", ":0")
    assert address == "0.0.0.0" and only.running()


def test_listens_for_tls(lab):
    hnc, _, port = listening(lab, "tls://127.0.0.1:0")
    done = lab.run("ncat", "--ssl", HOST, port, data=b"secret")
    assert done.wait() == 0
    hnc.wait_out(b"secret")


def test_listens_for_udp(lab):
    hnc, _, port = listening(lab, "udp://127.0.0.1:0")
    lab.spawn("nc.openbsd", "-u", HOST, port, stdin=lab.file(b"there"))
    hnc.wait_out(b"there")


@pytest.mark.parametrize("scheme, options", [("unix", ["-NU"]), ("unixgram", ["-uU"])])
def test_listens_at_a_path_and_removes_it(lab, scheme, options):
    path = lab.folder / "s"
    hnc = lab.spawn("hnc", "-l", f"{scheme}:{path}")
    lab.wait_path(path)
    lab.spawn("nc.openbsd", *options, path, stdin=lab.file(b"there"))
    hnc.wait_out(b"there")
    if scheme == "unix":
        assert hnc.wait() == 0
        wait_until(lambda: not path.exists(), "the path is removed")


def test_a_program_behind_an_end_point(lab):
    hnc, _, port = listening(lab, "-k", "-c", "echo $NCAT_PROTO", "tcp://127.0.0.1:0")
    assert lab.run("nc.openbsd", "-d", HOST, port).out() == b"TCP\n" and hnc.running()


@pytest.mark.parametrize("options", [[], ["--tls-self-signed"]], ids=["plain", "tls"])
def test_a_program_sees_ipv4_addresses_as_they_are(lab, options):
    hnc, _, port = listening(lab, "-k", "-c", "echo $NCAT_REMOTE_ADDR $NCAT_LOCAL_ADDR", *options, ":0")
    client = ["ncat", "--ssl"] if options else ["nc.openbsd", "-d"]
    assert lab.run(*client, HOST, port).out() == f"{HOST} {HOST}\n".encode() and hnc.running()


# ---- what it is not ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args, named",
    [
        ("localhost", "missing port"),
        ("::1", "brackets"),
        (":80", "missing host"),
        ("*:80", "missing host"),
        ("tls://:443", "missing host"),
        ("tls://localhost", "no port"),
        ("http://localhost:80", "http"),
        ("localhost:70000", "70000"),
        ("localhost:0", '"0"'),
        ("localhost:x", '"x"'),
        ("localhost:1-2", "1-2"),
        ("unix:", "name"),
        ("unix:" + "x" * 200, "107"),
        ("x" * 999 + ":1", "too long"),
        ("localhost:1 2", "localhost:1"),
        ("tcp://localhost 1", "tcp://localhost"),
        ("-l localhost:1 2", "localhost:1"),
        ("-u tcp://localhost:1", "-u with tcp://"),
        ("-u tls://localhost:1", '"tls://localhost:1" is --ssl'),
        ("-u unix:/s", "unixgram:"),
        ("--ssl udp://localhost:1", '"udp://localhost:1" is -u'),
        ("--ssl unixgram:/s", '"unixgram:/s" is -uU'),
        ("-x localhost udp://localhost:1", '"udp://localhost:1" is -u'),
        ("-p 1 unix:/s", '"unix:/s" is -U'),
        ("--broker udp://:1", '"udp://:1" is -u'),
        ("-l -s 127.0.0.1 :1", "-s or -p"),
        ("-l -p 1 127.0.0.1:1", "-s or -p"),
        ("-U a:1 b", "-U"),
    ],
)
def test_what_makes_no_sense_is_refused(lab, args, named):
    fails(lab, args.split(), named, status=USAGE)


def test_with_u_the_operand_is_a_path(lab):
    fails(lab, ["-U", "unix:/nonexistent/s"], "hnc: unix:/nonexistent/s: No such file")
    fails(lab, ["-U", "127.0.0.1:1"], "hnc: 127.0.0.1:1: No such file")


@pytest.mark.parametrize("args", [["::1", "PORT"], ["0:0:0::1", "PORT"]])
def test_a_host_with_colons_before_a_port_is_one(lab, args):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = str(server.getsockname()[1])
        assert lab.run("hnc", "-z", *(a.replace("PORT", port) for a in args)).wait() == 0
