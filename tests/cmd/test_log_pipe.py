# One thread
"""Logs into a pipe whose reader has stopped: nobody who serves waits for it, and what was lost is told."""

import contextlib
import fcntl
import os
import re
import signal
import socket

import pytest

from conftest import TIMEOUT, wait_until
from hhttpd_lab import hhttpd, www  # noqa: F401
from hproxy_lab import hproxy, target  # noqa: F401

COUNT = 200  # visits, each with a line or more: the pipe has room for some dozens


class Pipe:
    """A small pipe with a name, and a reader that reads only when it is asked to."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, 4096)

    def read(self):
        """What is there."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self.fd, 1 << 16):
                data += piece
        return data.decode()


@pytest.fixture
def pipe(lab):
    pipe = Pipe(lab.path("pipe"))
    yield pipe
    os.close(pipe.fd)


def lost_of(process):
    return sum(map(int, re.findall(r": (\d+) lines of the access log were lost$", process.err(), re.M)))


def test_access_log_of_hproxy(hproxy, target, pipe):
    proxy = hproxy(f"--access-log={pipe.path}", "127.0.0.1:0", target("A").address)
    for _ in range(COUNT):
        assert proxy.ask() == b"A:ping"
    proxy.stop()
    got = pipe.read()
    assert got.endswith("\n") and 0 < got.count("\n") < COUNT
    assert got.count("\n") + lost_of(proxy.process) == COUNT


def test_access_log_of_hhttpd(hhttpd, www, pipe):
    server = hhttpd(f"--access-log={pipe.path}", www, "0")
    for _ in range(COUNT):
        assert server.get("/a.txt").status == 200
    server.stop()
    got = pipe.read()
    assert got.endswith("\n") and 0 < got.count("\n") < COUNT
    assert got.count("\n") + lost_of(server.process) == COUNT


@pytest.mark.parametrize("program, args, lost", [
    ("hecho", ["-v"], r" (\d+) lines before this one were lost\n"),
    ("hecho", ["-v", "--json"], r'"event":"lost","lines":(\d+)}\n'),
    ("hchat", ["-vv"], r" (\d+) lines before this one were lost\n"),
    ("hproxy", ["-v"], r" WARN (\d+) lines before this one were lost\n"),
])
def test_events(lab, target, pipe, program, args, lost):
    path = lab.path("s")
    more = [target("A").address] if program == "hproxy" else []
    process = lab.spawn(program, *args, "--log-file", pipe.path, f"unix:{path}", *more)
    wait_until(lambda: re.search("listening|serving", pipe.read()), "it listens")

    def visit():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(TIMEOUT)
            sock.connect(path)
            sock.sendall(b"x\n")
            assert sock.recv(100)

    for _ in range(COUNT):
        visit()
    text = [pipe.read()]
    wait_until(lambda: visit() or text.append(pipe.read()) or re.search(lost, "".join(text)), "how many were lost")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
