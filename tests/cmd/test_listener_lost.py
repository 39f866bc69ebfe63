# One thread.
"""A socket that listens no more, as one that somebody else has shut down: it is told, and the server can be stopped."""

import ctypes
import errno
import os
import re
import signal
import socket

import pytest

from conftest import wait_until
from hproxy_lab import hproxy, target  # noqa: F401

PIDFD_GETFD = 438
libc = ctypes.CDLL(None, use_errno=True)


def listeners(pid):
    """The listening sockets of a process, as ours."""
    process = os.pidfd_open(pid)
    try:
        for fd in map(int, os.listdir(f"/proc/{pid}/fd")):
            copy = libc.syscall(PIDFD_GETFD, process, fd, 0)
            if copy < 0 and ctypes.get_errno() == errno.EBADF:  # it was closed just now
                continue
            if copy < 0:
                pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
            try:
                sock = socket.socket(fileno=copy)
            except OSError:  # no socket
                os.close(copy)
                continue
            with sock:
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    yield sock
    finally:
        os.close(process)


def shut_down(pid):
    """A worker that has just begun gives its sockets other numbers: one look may miss them."""

    def found():
        count = 0
        for sock in listeners(pid):
            sock.shutdown(socket.SHUT_RD)
            count += 1
        return count

    wait_until(found, f"{pid} has a listening socket")


def test_hchat(lab):
    server = lab.spawn("hchat", "0")
    wait_until(lambda: "listening on" in server.err(), f"it listens: {server}")
    shut_down(server.pid)
    wait_until(lambda: re.search(r"listening on \S+ failed: Invalid argument$", server.err(), re.M), f"it is told: {server}")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0, server


def test_hproxy(hproxy, target):  # noqa: F811
    proxy = hproxy("0", target().address)
    shut_down(proxy.workers()[0])
    wait_until(lambda: "0: listening failed: Invalid argument" in proxy.process.err(), f"it is told: {proxy.process}")
    proxy.stop()
