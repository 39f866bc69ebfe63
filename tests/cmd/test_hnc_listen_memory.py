# One thread.
"""hnc -l when memory runs out: from the n-th allocation on all fail, for every n that starting and
one client get to. It says so in one line and ends with 1, or goes on; it never crashes or hangs."""

import socket
import ssl

import pytest
from conftest import TIMEOUT, wait_until
from hecho_lab import SANITIZED
from pki import Pki
from test_memory import failing, shim  # noqa: F401

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizer has an allocator of its own")

HOST = "127.0.0.1"
N_MAX = 400


@pytest.fixture(scope="module")
def cert(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki")).issue("server")


def serves(port, send, tls):
    """Whether the client got as far as it would with enough memory."""
    try:
        with socket.create_connection((HOST, port), TIMEOUT) as s:
            if tls:
                ctx = ssl.create_default_context()
                ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
                s = ctx.wrap_socket(s)
            s.sendall(send)
            s.shutdown(socket.SHUT_WR)
            data = b""
            while piece := s.recv(1000):
                data += piece
            return data
    except (OSError, ssl.SSLError):
        return None


@pytest.mark.parametrize(
    "args, send, answer",
    [
        (["--broker"], b"x", b""),
        (["--chat"], b"hello\n", b"nobody.\n"),
        (["-k", "-c", "cat"], b"hello", b"hello"),
        (["-k", "--proxy-protocol"], b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nx", b""),
        (["-k", "--allow", "127.0.0.0/8"], b"x", b""),
        (["-k", "-t", "--idle-timeout", "1h"], b"\xff\xfd\x01", b"\xff\xfc\x01"),
        (["--proxy-type", "http"], b"bad\r\n\r\n", b"HTTP/1.1 400"),
        (["-k", "--ssl"], b"x", b""),
    ],
    ids=lambda v: v[-1] if isinstance(v, list) else "",
)
def test_a_server_serves_or_says_why_not(lab, shim, cert, args, send, answer):  # noqa: F811
    tls = "--ssl" in args
    if tls:
        args = ["-k", "--ssl-cert", cert[0], "--ssl-key", cert[1]]
    enough = 0
    for n in range(1, N_MAX):
        port = lab.port()
        hnc = lab.spawn("hnc", "-l", *args, HOST, port, env=failing(shim, n))
        wait_until(lambda: not hnc.running() or lab.is_bound(port), "it listens or ends")
        got = serves(port, send, tls) if hnc.running() else None
        if not hnc.running():
            assert hnc.wait() == 1, (n, hnc)
            lines = hnc.err().splitlines()
            assert lines and all(line.startswith("hnc: ") for line in lines), (n, hnc)
        hnc.stop()
        enough = enough + 1 if got is not None and answer in got else 0
        if enough == 5:
            return
    pytest.fail("it never had enough")
