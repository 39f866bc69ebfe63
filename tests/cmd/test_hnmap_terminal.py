# One thread.
"""hnmap at a terminal: the line of progress, keys, and the terminal given back in time."""

import os
import re
import signal

import pytest

from conftest import TIMEOUT
from terminal import CTRL_C, CTRL_Z, Terminal

SLOW = ["--unprivileged", "-n", "-Pn", "-p1-2000", "--max-rate", "20", "127.0.0.1"]  # 100 s
SHORT = ["--unprivileged", "-n", "-Pn", "-p1", "127.0.0.1"]


@pytest.fixture
def terminal(lab):
    terminals = []

    def start(*args, argv=None):
        terminals.append(Terminal(argv or [lab.program("hnmap"), *args], columns=100))
        return terminals[-1]

    yield start
    for t in terminals:
        t.close()


def end(t):
    """Ctrl-C: the report is there and the terminal as it was."""
    t.type(CTRL_C)
    assert t.wait_exit() == 130
    assert t.is_restored()
    assert b"hnmap scan report for 127.0.0.1" in t.raw
    assert "(interrupted)" in t.last()


def wait_progress(t):
    t.wait(lambda: re.match(r"Connect Scan \d+%  \d+/s  1 up  0 open", t.last()), "a line of progress")


def test_progress_and_keys(terminal):
    t = terminal(*SLOW)
    t.wait_editing()
    wait_progress(t)
    t.type("s")
    t.wait_raw(b"Stats: 0:00:0")
    t.wait_raw(b"Connect Scan Timing: About ")
    t.type("v")
    t.wait_raw(b"Verbosity increased to 1.")
    t.type("V")
    t.wait_raw(b"Verbosity decreased to 0.")
    t.type("dD?")
    t.wait_raw(b"Debugging increased to 1.")
    t.wait_raw(b"Debugging decreased to 0.")
    t.wait_raw(b"Keys: ")
    wait_progress(t)
    end(t)
    assert not any(line.startswith("Connect Scan ") and "%" in line and "Timing" not in line
                   for line in t.lines()), t.lines()


def test_a_terminal_is_left_alone_if_that_is_wanted(terminal):
    t = terminal("--noninteractive", *SHORT)
    assert t.wait_exit() == 0
    assert b"%" not in t.raw and not t.is_editing()


def test_status_every_so_often(terminal):
    t = terminal("--noninteractive", "--stats-every", "50ms", *SLOW)
    t.wait(lambda: t.read() or t.raw.count(b"Stats: ") >= 3, "three statuses")
    assert not t.is_editing()
    end(t)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ends(terminal, number):
    t = terminal(*SLOW)
    t.wait_editing()
    os.kill(t.pid, number)
    assert t.wait_exit() == 128 + number
    assert t.is_restored()
    assert "(interrupted)" in t.last()


def test_stopped_and_continued(terminal):
    t = terminal(*SLOW)
    t.wait_editing()
    wait_progress(t)
    for _ in range(2):
        t.type(CTRL_Z)
        t.wait(lambda: t.state() == "T", "it is stopped")
        assert t.is_restored()
        os.kill(t.pid, signal.SIGCONT)
        t.wait_editing()
    t.type("s")
    t.wait_raw(b"Stats: ")
    end(t)


def order(t, command):
    """To the shell, which is asked nothing else before its next prompt: it would get lost."""
    t.read()
    before = len(t.raw)
    t.type(command + "\r")
    t.wait(lambda: t.read() or t.raw.find(b"> ", before + len(command)) >= 0, "a prompt")


def test_in_the_background(terminal, lab):
    """The shell keeps the terminal and what is typed; brought to the front, the scan has them."""
    t = terminal(argv=["bash", "--norc", "--noediting", "-i"])
    t.wait_raw(b"# " if os.geteuid() == 0 else b"$ ")
    order(t, "PS1='> '")
    order(t, " ".join([str(lab.program("hnmap")), *SLOW]) + " & echo job $!.")
    pid = int(re.search(rb"job (\d+)\.\r", t.raw).group(1))
    t.wait_raw(b"Starting hnmap")
    for word in ("one", "two", "three"):
        order(t, f"echo {word[::-1]} | rev")
        t.wait_raw(b"\n" + word.encode())
    with open(f"/proc/{pid}/stat") as stat:
        assert stat.read().rpartition(")")[2].split()[0] != "T"
    assert b"% " not in t.raw and not t.is_editing()
    t.type("fg\r")
    t.wait_editing()
    t.type("s")
    t.wait_raw(b"Stats: ")
    t.type(CTRL_Z)
    t.wait(lambda: t.read() or re.search(rb"Stopped[^>]*\n> $", t.raw), "a prompt")
    assert b"Stopped" in t.raw and not t.is_editing()
    order(t, "bg")
    order(t, "echo ruof | rev")
    t.wait_raw(b"\nfour")
    assert not t.is_editing()
    t.type("kill -TERM %1; wait; exit\r")
    t.wait_exit()
    assert b"(interrupted)" in t.raw


def test_the_terminal_goes_away(terminal, lab):
    """With nohup the scan goes on; without, its end is reported to the file."""
    for trap in ("trap '' HUP; ", ""):
        report = lab.path("report")
        command = " ".join([str(lab.program("hnmap")), "-oN", report, *SLOW, ">/dev/null 2>&1"])
        t = Terminal(["sh", "-c", trap + "exec " + command])
        t.wait_editing()
        os.close(t.master)
        if trap:
            t.popen.terminate()
        t.popen.wait(TIMEOUT)
        os.close(t.slave)
        assert t.popen.returncode == 128 + (signal.SIGTERM if trap else signal.SIGHUP)
        with open(report) as file:
            assert "(interrupted)" in file.read()
