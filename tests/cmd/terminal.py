"""A program on a pseudo-terminal of its own, with a small emulation behind it: what a user would see
is asked for, not the bytes that draw it. The program leads a session, so that Ctrl-C and Ctrl-Z are
signals, and the terminal is the one that controls it."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import time

import pytest

import conftest

pyte = pytest.importorskip("pyte", reason="python3-pyte is not installed")

PASTE_BEGIN, PASTE_END = "\033[200~", "\033[201~"
CTRL_A, CTRL_C, CTRL_D, CTRL_R, CTRL_U, CTRL_Z = "\x01", "\x03", "\x04", "\x12", "\x15", "\x1a"
UP = "\033[A"


class Terminal:
    def __init__(self, argv, rows=24, columns=80, **environment):
        self.master, self.slave = conftest.open_terminal()
        os.set_blocking(self.master, False)
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._size(rows, columns)
        self.before = self.mode()
        environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null",
                       **environment}
        self.popen = subprocess.Popen(
            [str(a) for a in argv], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env={k: v for k, v in environment.items() if v is not None}, preexec_fn=self._control)
        self.pid = self.popen.pid

    def _control(self):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def _size(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.read()
        self.screen.resize(rows, columns)
        self._size(rows, columns)

    def mode(self):
        """What stty -a shows."""
        return termios.tcgetattr(self.slave)

    def is_editing(self):
        return not self.mode()[3] & termios.ICANON

    def is_restored(self):
        return self.mode() == self.before

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.raw += data
            self.stream.feed(data)

    def type(self, text):
        data = text.encode() if isinstance(text, str) else text
        while data:
            self.read()  # who does not read cannot write much
            try:
                data = data[os.write(self.master, data):]
            except BlockingIOError:
                time.sleep(0.001)

    def lines(self):
        """What is on the screen, without the empty lines at its end."""
        self.read()
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def last(self):
        """The last line that is not empty."""
        return (self.lines() or [""])[-1]

    def cursor(self):
        self.read()
        return self.screen.cursor.y, self.screen.cursor.x

    def wait(self, condition, what):
        try:
            return conftest.wait_until(condition, what)
        except pytest.fail.Exception as error:
            pytest.fail(f"{error}; the screen: {self.lines()}")

    def wait_lines(self, *lines):
        self.wait(lambda: self.lines() == list(lines), f"a screen of {lines}")

    def wait_cursor(self, y, x):
        """What is drawn comes in pieces, the cursor's way back last."""
        self.wait(lambda: self.cursor() == (y, x), f"the cursor at {y}, {x}")

    def wait_raw(self, data):
        self.wait(lambda: self.read() or data in self.raw, f"{data} is written")

    def wait_editing(self):
        self.wait(lambda: self.read() or self.is_editing(), "the terminal is switched for editing")

    def wait_exit(self):
        """The exit status; what the program writes last is read."""
        self.wait(lambda: self.read() or self.popen.poll() is not None, "the program ends")
        self.read()
        return self.popen.returncode

    def has_read(self):
        """How many bytes the program has read, wherever from. (What is typed and not yet in the terminal's queue cannot
        be told from what was read, by that queue.)"""
        with open(f"/proc/{self.pid}/io") as io:
            return int(io.readline().split()[1])

    def state(self):
        """The letter of ps: S sleeps, T is stopped."""
        with open(f"/proc/{self.pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]

    def maps(self):
        with open(f"/proc/{self.pid}/maps") as maps:
            return maps.read()

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        os.close(self.master)
        os.close(self.slave)
