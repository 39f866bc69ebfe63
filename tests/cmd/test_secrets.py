# One thread.
"""Passwords of the command line are not in the list of processes while the commands run."""

import pytest

from conftest import wait_until
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
