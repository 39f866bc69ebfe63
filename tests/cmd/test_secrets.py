# One thread.
"""What the commands leave where others may look, and nobody asked for it: passwords of the command line are not in
the list of processes, and there are no files in the folder that they were started in."""

import contextlib
import os
import signal
import socket

import pytest

from conftest import TIMEOUT, wait_until
from hcurl_lab import Web
from hhttpd_lab import children, www  # noqa: F401

SECRET = "hidden7"
COMMANDS = {
    "hchat": (["--broker", f"redis://:{SECRET}@127.0.0.1:1/", "0"], "listening on"),
    "hhttpd": ([".", "0", "--auth", f"me:{SECRET}"], "serving"),
    "hnc": (["-lv", "--proxy-type", "http", "--proxy-auth", f"me:{SECRET}", "127.0.0.1", "0"], "istening on"),
    "hproxy": (["0", "--socks", "--auth", f"me:{SECRET}"], "serving"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_sees_a_password(lab, command):
    args, ready = COMMANDS[command]
    process = lab.spawn(command, *args, cwd=lab.folder)
    wait_until(lambda: ready in process.err() or ready in process.out().decode(), "the server")
    for pid in [process.pid, *children(process.pid)]:

        def is_named():  # a worker that has just begun may be about to change it
            with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: B023
                line = file.read().decode()
            assert SECRET not in line
            return command in line

        wait_until(is_named, "its name")


def serve_once(lab, port, command, *args, **options):
    """The exit status of a server that has had one client. Each of them makes something of this request."""
    request = b"GET / HTTP/1.0\r\n\r\n"
    process = lab.spawn(command, *args, **options)
    wait_until(lambda: lab.is_bound(port) or not process.running(), f"it listens: {process}")
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as sock:
        sock.sendall(request)
        if command == "hnc":
            process.wait_out(request)
        else:
            assert sock.recv(100)
    process.signal(signal.SIGTERM)
    return process.wait()


@pytest.mark.parametrize("command", ["hecho", "hhttpd", "hproxy", "hchat", "hnc", "hcurl", "hnmap"])
def test_no_command_leaves_a_file_in_the_working_directory(lab, www, command):  # noqa: F811
    """No log, above all, nor a process number or a core: no option asks for one."""
    folder, port = lab.folder / "empty", lab.port()
    folder.mkdir()
    with contextlib.closing(Web()) as web:
        servers = {
            "hecho": [port],
            "hhttpd": [www, port],
            "hproxy": [port, f"127.0.0.1:{web.port}"],
            "hchat": [port],
            "hnc": ["-lk", "127.0.0.1", port],
        }
        if command in servers:
            status = serve_once(lab, port, command, *servers[command], cwd=folder)
            assert status == (-signal.SIGTERM if command == "hnc" else 0)
        elif command == "hcurl":
            assert lab.run("hcurl", "-qs", f"{web.url}/hello", cwd=folder).out() == b"hello\n"
        else:
            assert b" open " in lab.run("hnmap", "-n", "-p", web.port, "127.0.0.1", cwd=folder).out()
    assert os.listdir(folder) == []
