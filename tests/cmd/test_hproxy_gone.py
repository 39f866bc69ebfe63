# One thread.
"""Clients of hproxy that are gone before there is anything to relay."""

import contextlib
import json
import socket
import struct
import time

import pytest

from conftest import wait_until
from hproxy_lab import *

LONG = "--connect-timeout=10s"


@pytest.fixture
def entry(lab):
    """The only line of the access log that entry.option makes."""

    class Entry:
        option = (f"--access-log={lab.folder}/access.log", "--log-format=json")

        def __call__(self):
            line, = wait_until((lab.folder / "access.log").read_text, "a line").splitlines()
            return json.loads(line)

    return Entry()


@pytest.fixture
def full():
    """A target that listens and whose queue is full, so that the kernel answers nobody until full.accept()."""

    class Full:
        def __init__(self):
            self.server = socket.create_server(("127.0.0.1", 0), backlog=0)
            self.address = "%s:%d" % self.server.getsockname()
            self.waiting = [socket.socket() for _ in range(4)]
            for sock in self.waiting:
                sock.setblocking(False)
                sock.connect_ex(self.server.getsockname())

        def accept(self):
            """The first one that says something, and what it says."""
            for sock in self.waiting:
                sock.close()
            while True:
                sock, _ = self.server.accept()
                data = sock.recv(100)
                if data:
                    return sock, data
                sock.close()

    full = Full()
    with full.server:
        yield full
        for sock in full.waiting:
            sock.close()


def leave(sock):
    """With a reset, where there is one."""
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
def test_the_session_ends_with_its_client(lab, hproxy, full, entry, kind):
    """... and the target is not blamed for it."""
    listen = {"tcp": "0", "tls": "tls://0", "unix": f"unix:{lab.folder}/sock"}[kind]
    tls = ["--tls-self-signed"] if kind == "tls" else []
    proxy = hproxy("-v", listen, full.address, LONG, "--eject-failures=1", *tls, *entry.option)
    leave(proxy.connect())
    line = entry()
    assert line["end"] == "client_error" and line["target"] == full.address
    reasons = {"tcp": ["Connection reset by peer"], "unix": ["Broken pipe"]}  # TLS may have met it while it wrote
    assert line["why"].removeprefix("the client's connection: ") in reasons.get(kind, sum(reasons.values(), []))
    assert "connect_ms" not in line and "ejected" not in proxy.process.err()


@pytest.mark.parametrize("target_name", ["full", "name"])
def test_a_client_of_a_forward_proxy_likewise(hproxy, full, entry, target_name):
    quiet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with quiet:
        quiet.bind(("127.0.0.1", 0))  # a name server that answers nothing
        proxy = hproxy("0", "--http", LONG, "--dns=127.0.0.1:%d" % quiet.getsockname()[1], *entry.option)
        to = full.address if target_name == "full" else "somewhere.example:80"
        with proxy.connect() as client:
            client.sendall(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode())
            client.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                client.recv(1)
            leave(client)
        line = entry()
    assert line["end"] == "client_error" and line["destination"] == to and line["why"] == "Connection reset by peer"


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_what_a_client_has_said_before_its_end_gets_there(lab, hproxy, full, entry, kind):
    """An end of data is not the end; nor is that of a UNIX socket that is closed, and has left data."""
    listen = "0" if kind == "tcp" else f"unix:{lab.folder}/sock"
    proxy = hproxy(listen, full.address, *entry.option)
    client = proxy.connect()
    client.sendall(b"hello")
    client.shutdown(socket.SHUT_WR) if kind == "tcp" else client.close()
    time.sleep(0.1)  # what must not happen has its chance
    sock, data = full.accept()
    with sock:
        assert data == b"hello" and sock.recv(100) == b""
    assert entry()["end"] == "done"
    client.close()
