# One thread.
"""hnc -e and -c where more is between the program and its peer: TLS, a PROXY header, many clients."""

import os
import re
import socket
import ssl
import subprocess

import pytest
from conftest import TIMEOUT, wait_until
from pki import Pki

HOST = "127.0.0.1"
MIB = 1 << 20


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def cert(pki):
    return pki.issue("server")


def server(lab, cert, *args, **options):
    port = lab.port()
    tls = ["--ssl-cert", cert[0], "--ssl-key", cert[1]]
    hnc = lab.spawn("hnc", "-l", *tls, *args, HOST, port, **options)
    lab.wait_bound(port)
    return hnc, port


def connect(pki, port):
    ctx = ssl.create_default_context(cafile=pki.ca)
    s = socket.create_connection((HOST, port), TIMEOUT)
    return ctx.wrap_socket(s, server_hostname="localhost", suppress_ragged_eofs=False)


def receive(s, size):
    data = b""
    while len(data) < size:
        data += s.recv(size - len(data)) or pytest.fail(f"end after {len(data)} bytes")
    return data


@pytest.mark.parametrize("keep_open", [[], ["-k"]], ids=["one", "k"])
def test_a_program_talks_over_tls(lab, cert, keep_open):
    hnc, port = server(lab, cert, *keep_open, "-c", "tr a-z A-Z")
    peer = lab.run("hnc", "-N", "--insecure", HOST, port, data=b"hello")
    assert peer.out() == b"HELLO"
    if keep_open:
        assert hnc.running()
    else:
        assert hnc.wait() == 0


@pytest.mark.parametrize("client", ["ncat --ssl --recv-only", "hnc -N --insecure"])
def test_what_a_program_says_over_tls_arrives_whole(lab, cert, client, tmp_path):
    data = os.urandom(2 * MIB)
    (tmp_path / "data").write_bytes(data)
    hnc, port = server(lab, cert, "-c", f"cat {tmp_path}/data")
    peer = lab.spawn(*client.split(), HOST, port, stdin=lab.file(b""))
    assert hnc.wait() == 0
    assert hnc.err() == ""
    peer.wait()
    assert peer.out() == data


def test_a_program_hears_the_end_of_its_peer_and_answers(lab, cert):
    data = os.urandom(MIB)
    hnc, port = server(lab, cert, "-c", "sha256sum")
    peer = lab.run("hnc", "-N", "--insecure", HOST, port, data=data)
    assert peer.wait() == 0
    assert re.fullmatch(rb"[0-9a-f]{64}  -\n", peer.out())
    assert hnc.wait() == 0


@pytest.mark.parametrize("status", [0, 1, 42])
def test_the_status_of_the_program_is_hncs_own(lab, pki, cert, status):
    hnc, port = server(lab, cert, "-c", f"read line; exit {status}")
    with connect(pki, port) as s:
        s.sendall(b"line\n")
        assert s.recv(1) == b""
        s.unwrap()
    assert hnc.wait() == status


def test_a_program_that_does_not_exist_ends_its_connection_only(lab, pki, cert):
    hnc, port = server(lab, cert, "-k", "-e", "/nonexistent/program")
    for _ in range(2):
        with connect(pki, port) as s:
            assert s.recv(1) == b""
    hnc.wait_err("/nonexistent/program")
    assert hnc.running()


def test_programs_of_many_clients_over_tls(lab, pki, cert):
    hnc, port = server(lab, cert, "-k", "-c", "cat")
    clients = [connect(pki, port) for _ in range(10)]
    for i, s in enumerate(clients):
        s.sendall(b"client %d" % i)
    for i, s in enumerate(clients):
        assert receive(s, 8) == b"client %d" % i
        s.close()
    path = f"/proc/{hnc.pid}/task/{hnc.pid}/children"
    wait_until(lambda: open(path).read() == "", "the programs are gone")


@pytest.mark.parametrize("role", ["connects", "listens", "listens for many", "listens with TLS"])
def test_what_a_program_says_gets_its_line_ends(lab, cert, role):
    """-C; what it hears stays as it is."""
    args = ["-C", "-c", r"printf 'a\nb\r\n\nc\r'; sleep 0.1; printf '\n'; exec cat -A"]
    if role == "connects":
        with socket.create_server((HOST, 0)) as listener:
            listener.settimeout(TIMEOUT)
            hnc = lab.spawn("hnc", *args, HOST, listener.getsockname()[1])
            peer, _ = listener.accept()
        with peer:
            peer.settimeout(TIMEOUT)
            peer.sendall(b"x\n\ry\n")
            peer.shutdown(socket.SHUT_WR)
            said = b"".join(iter(lambda: peer.recv(100), b""))
    else:
        tls = ["--ssl-cert", cert[0], "--ssl-key", cert[1]] if role.endswith("TLS") else []
        port = lab.port()
        many = ["-k"] if role.endswith("many") else []
        hnc = lab.spawn("hnc", "-l", *many, *tls, *args, HOST, port)
        lab.wait_bound(port)
        insecure = ["--insecure"] if tls else []
        said = lab.run("hnc", "-N", *insecure, HOST, port, data=b"x\n\ry\n").out()
    assert said == b"a\r\nb\r\n\r\nc\r\nx$\r\n^My$\r\n"
    if not role.endswith("many"):
        assert hnc.wait() == 0


@pytest.mark.parametrize("use", ["-c", "-F"])
def test_behind_a_proxy_that_is_spoken_to_in_tls(lab, pki, cert, use):
    """The connection to the host is plain, the one to the proxy is not: hnc has to stay."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*cert)
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(TIMEOUT)
        proxy = f"https://localhost:{listener.getsockname()[1]}"
        command = ["-c", "read word; echo $word $word"] if use == "-c" else ["-F"]
        args = ["-x", proxy, *command, "host.invalid", "80"]
        hnc = lab.spawn("hnc", "-4", *args, env={**os.environ, "SSL_CERT_FILE": pki.ca})
        peer, _ = listener.accept()
        with context.wrap_socket(peer, server_side=True) as s, s.makefile("rb") as stream:
            while stream.readline().strip():
                pass
            s.sendall(b"HTTP/1.1 200 OK\r\n\r\nhi\n")
            assert stream.readline() == (b"hi hi\n" if use == "-c" else b"")
    assert hnc.wait() == (0 if use == "-c" else 1)
    assert ("inside the TLS" in hnc.err()) == (use == "-F")


def test_many_lines_of_a_program_are_whole(lab):
    port = lab.port()
    lab.spawn("hnc", "-l", "-C", "-c", "seq 300000", HOST, port)
    lab.wait_bound(port)
    expected = b"".join(b"%d\r\n" % (i + 1) for i in range(300000))
    assert lab.run("hnc", "-d", HOST, port).out() == expected


def test_the_addresses_told_are_those_of_the_connection(lab, pki, cert):
    program = "echo $NCAT_REMOTE_ADDR $NCAT_REMOTE_PORT $NCAT_LOCAL_PORT $NCAT_PROTO"
    _, port = server(lab, cert, "-c", program)
    with connect(pki, port) as s:
        mine = s.getsockname()[1]
        assert s.makefile("rb").readline() == f"127.0.0.1 {mine} {port} TCP\n".encode()


def test_a_program_inherits_no_signal_setting(lab):
    """What hnc does about its children and broken pipes is its own affair."""
    port = lab.port()
    lab.spawn("hnc", "-lk", "-c", "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status", HOST, port)
    lab.wait_bound(port)
    with socket.create_connection((HOST, port), TIMEOUT) as s:
        told = dict(line.split() for line in s.makefile("r"))
    inherited = lab.run("grep", "-E", "Sig(Blk|Ign|Cgt)", "/proc/self/status").out().decode()
    before = dict(line.split() for line in inherited.splitlines())
    for name in ("SigBlk:", "SigIgn:"):
        assert told[name] == before[name], told


# ---- -F ------------------------------------------------------------------------------------------


def take(stdout):
    message, fds, _, _ = socket.recv_fds(stdout, 10, 4)
    assert len(fds) == 1, (message, fds)
    return socket.socket(fileno=fds[0])


def test_the_connection_that_came_is_passed_over_stdout(lab):
    mine, its = socket.socketpair()
    mine.settimeout(TIMEOUT)
    port = lab.port()
    hnc = lab.spawn("hnc", "-l", "-F", HOST, port, stdout=its)
    its.close()
    lab.wait_bound(port)
    with socket.create_connection((HOST, port), TIMEOUT) as peer:
        passed = take(mine)
        assert hnc.wait() == 0
        passed.sendall(b"by somebody else")
        assert receive(peer, 16) == b"by somebody else"
        assert passed.getblocking() and os.get_blocking(passed.fileno())


def test_the_connection_that_was_made_is_passed_over_stdout(lab):
    mine, its = socket.socketpair()
    mine.settimeout(TIMEOUT)
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(TIMEOUT)
        hnc = lab.spawn("hnc", "-F", HOST, listener.getsockname()[1], stdout=its)
        its.close()
        peer, _ = listener.accept()
    with peer:
        passed = take(mine)
        assert hnc.wait() == 0
        peer.sendall(b"for somebody else")
        assert receive(passed, 17) == b"for somebody else"


def test_what_was_passed_stays_open_when_the_peer_has_spoken_already(lab):
    """The proxy was written to and its peer's first bytes are unread: hnc's own end of the
    connection must neither shut it down nor read them."""
    mine, its = socket.socketpair()
    mine.settimeout(TIMEOUT)
    with socket.create_server((HOST, 0)) as proxy:
        proxy.settimeout(TIMEOUT)
        hnc = lab.spawn("hnc", "-F", "-X", "connect", "-x", f"{HOST}:{proxy.getsockname()[1]}",
                        HOST, "9", stdout=its)
        its.close()
        peer, _ = proxy.accept()
    with peer:
        peer.settimeout(TIMEOUT)
        while not peer.recv(4096).endswith(b"\r\n\r\n"):
            pass
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-first")
        passed = take(mine)
        assert hnc.wait() == 0
        assert receive(passed, 13) == b"SSH-2.0-first"
        passed.sendall(b"SSH-2.0-second")
        assert receive(peer, 14) == b"SSH-2.0-second"


def test_ssh_style_use_of_the_passed_connection_with_nc_as_the_peer(lab):
    mine, its = socket.socketpair()
    mine.settimeout(TIMEOUT)
    port = lab.port()
    nc = lab.spawn("nc", "-l", HOST, port, stdin=subprocess.PIPE)
    lab.wait_bound(port)
    hnc = lab.spawn("hnc", "-F", HOST, port, stdout=its)
    its.close()
    with take(mine) as passed:
        assert hnc.wait() == 0
        passed.sendall(b"hello")
        nc.wait_out(b"hello")


def test_passing_needs_a_unix_socket(lab):
    port = lab.port()
    hnc = lab.spawn("hnc", "-l", "-F", HOST, port)
    lab.wait_bound(port)
    with socket.create_connection((HOST, port), TIMEOUT) as s:
        assert s.recv(1) == b""
    assert hnc.wait() == 1
    assert hnc.err() == "hnc: cannot use -F: stdout is not a UNIX socket\n"
