"""What the command tests share: one fixture, `lab`, that starts programs, waits for things to
happen (never for time to pass) and ends what it started, by pid.

HNET_BIN names the folder of the commands under test; build/bin is the default.
"""

import functools
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HNET_BIN") or ROOT / "build" / "bin")
TIMEOUT = 100  # of any wait: long enough for a slow machine with sanitizers

HELD_MAX = 200  # ports of one test
IPV6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6")

STREAM, LISTENING = "0001", 0x10000  # the columns "Type" and "Flags" of /proc/net/unix


def wait_until(condition, what, timeout=TIMEOUT):
    """Returns the first true value of condition(); fails, naming `what`, when none comes."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s: {what}")
        time.sleep(0.005)


def stays_in_use(exchange, done, idle_s):
    """Repeats exchange(), which tells whether it was answered, until done(). False when it was not,
    which is right only where one of them took so long that the connection was idle for idle_s: that
    is the machine's fault, and says nothing."""
    slowest, last = 0, time.monotonic()
    while not done():
        try:
            answered = exchange()
        except OSError:
            answered = False
        slowest, last = max(slowest, time.monotonic() - last), time.monotonic()
        if not answered:
            assert slowest >= idle_s / 2, "given up although it was in use"
            return False
    return True


def bound_to_all(port, kind):
    """A socket that is bound to the port at every address, of IPv6 too where the machine has it."""
    family, host = (socket.AF_INET6, "::") if IPV6 else (socket.AF_INET, "0.0.0.0")
    s = socket.socket(family, kind)
    try:
        if IPV6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, port))
    except OSError:
        s.close()
        raise
    return s


@functools.lru_cache(None)
def ports_can_be_held():
    """Whether the kernel lets a program listen on a port that another socket is bound to, when both
    ask for SO_REUSEADDR and the other one does not listen; Linux does."""
    with bound_to_all(0, socket.SOCK_STREAM) as first, socket.socket() as second:
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            second.bind(("127.0.0.1", first.getsockname()[1]))
            second.listen()
        except OSError:
            return False
    return True


def open_terminal():
    """The two ends of a pseudo-terminal; a machine without any (a bare chroot) skips the test."""
    try:
        return pty.openpty()
    except OSError as error:
        pytest.skip(f"no pseudo-terminals: {error}")


class Process:
    """A program whose stdout and stderr go to files, unless stdout is given."""

    def __init__(self, argv, folder, number, stdin=subprocess.DEVNULL, stdout=None, **options):
        self.argv = [str(a) for a in argv]
        self.stdout_path = folder / f"{number}.out"
        self.stderr_path = folder / f"{number}.err"
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.popen = subprocess.Popen(
                self.argv,
                stdin=stdin,
                stdout=out if stdout is None else stdout,
                stderr=err,
                **options,
            )
        self.pid = self.popen.pid

    def __str__(self):
        return f"{' '.join(self.argv)} (stderr: {self.err()!r})"

    def out(self):
        return self.stdout_path.read_bytes()

    def err(self):
        return self.stderr_path.read_text(errors="replace")

    def send(self, data):
        """Writes to stdin, which has to be a pipe."""
        try:
            self.popen.stdin.write(data)
            self.popen.stdin.flush()
        except BrokenPipeError as error:
            raise BrokenPipeError(f"{error}: {self}") from None

    def accepted_by(self, server):
        """The other end of the connection that it makes to this listening socket of the test."""
        deadline = time.monotonic() + TIMEOUT
        while not select.select([server], [], [], 0.05)[0]:
            ended = not self.running() and not select.select([server], [], [], 0)[0]
            if ended or time.monotonic() > deadline:
                pytest.fail(f"did not connect: {self}")
        peer, _ = server.accept()
        peer.settimeout(TIMEOUT)
        return peer

    def end_input(self):
        self.popen.stdin.close()

    def running(self):
        return self.popen.poll() is None

    def wait(self, timeout=TIMEOUT):
        """The exit status; negative for a signal."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return pytest.fail(f"did not end: {self}")

    def wait_out(self, data):
        """Waits until stdout holds these bytes."""
        wait_until(lambda: data in self.out(), f"{data[:80]!r} on stdout of {self}")

    def wait_err(self, text):
        wait_until(lambda: text in self.err(), f"{text!r} on stderr of {self}")

    def hears(self, sock, data):
        """Sends this: whether it gets to stdout. False when the connection ends instead."""
        try:
            sock.sendall(data)
        except OSError:
            return False
        wait_until(lambda: data in self.out() or select.select([sock], [], [], 0)[0],
                   f"{data[:80]!r} is heard, or refused, by {self}")
        return data in self.out()

    def signal(self, number):
        if BIN.parent.name == "thread":
            self.rest()
        self.popen.send_signal(number)

    def rest(self):
        """Until it waits for something, or for a moment. The thread sanitizer puts off a signal that comes
        just before a system call that waits, and may never come back to it."""
        deadline = time.monotonic() + 2
        while self.running() and self.state() != "S" and time.monotonic() < deadline:
            time.sleep(0.005)

    def state(self):
        """The letter of ps: S sleeps, T is stopped."""
        with open(f"/proc/{self.pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]

    def pause(self):
        """It does nothing from here on until resume()."""
        self.signal(signal.SIGSTOP)
        wait_until(lambda: self.state() == "T", f"stopped: {self}")

    def resume(self):
        self.signal(signal.SIGCONT)

    def stop(self):
        if self.running():
            self.popen.kill()
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


class Lab:
    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.held = []

    def path(self, name):
        return str(self.folder / name)

    def program(self, name):
        """One of ours from BIN, another from the PATH; the test is skipped where there is none."""
        own = BIN / name
        if own.exists():
            return str(own)
        found = shutil.which(name)
        if not found:
            pytest.skip(f"{name} is not installed")
        return found

    def spawn(self, name, *args, **options):
        """Starts a program. Options are those of Process, and of subprocess.Popen."""
        argv = [self.program(name), *args]
        process = Process(argv, self.folder, len(self.processes), **options)
        self.processes.append(process)
        return process

    def run(self, name, *args, data=None, **options):
        """Runs a program to its end, with `data` on stdin; returns the Process."""
        if data is not None:
            options["stdin"] = self.file(data)
        process = self.spawn(name, *args, **options)
        process.wait()
        return process

    def file(self, data):
        """An open file with this content, to be somebody's stdin."""
        path = self.folder / f"input{len(list(self.folder.iterdir()))}"
        path.write_bytes(data)
        return open(path, "rb")

    def port(self, kind=socket.SOCK_STREAM):
        """A port that nobody uses at any address, held until the test ends."""
        return self.hold(0, kind)

    def hold(self, port, kind=socket.SOCK_STREAM):
        """The port, or None if it is taken. One for streams stays free for who asks for it and for
        SO_REUSEADDR, as servers do: it is held by a socket that does not listen, and the kernel
        chooses it for nobody. At every address: a program that asks for 0.0.0.0 or for localhost
        would else meet another test at 127.0.0.2 or ::1. One for datagrams is only known to be free now."""
        try:
            s = bound_to_all(port, kind)
        except OSError:
            return None
        port = s.getsockname()[1]
        if kind == socket.SOCK_STREAM and ports_can_be_held():
            self.held = [*self.held[1 - HELD_MAX :], s]
        else:
            s.close()
        return port

    @staticmethod
    def is_bound(port, proto="tcp"):
        """Whether somebody listens on (udp: is bound to) this port; without connecting to it."""
        wanted = f":{int(port):04X}"
        for table in (f"/proc/net/{proto}", f"/proc/net/{proto}6"):
            try:
                lines = open(table).readlines()[1:]
            except FileNotFoundError:
                continue
            for line in lines:
                fields = line.split()
                if fields[1].endswith(wanted) and (proto == "udp" or fields[3] == "0A"):
                    return True
        return False

    def wait_bound(self, port, proto="tcp"):
        wait_until(lambda: self.is_bound(port, proto), f"somebody listens on {proto} port {port}")

    @staticmethod
    def wait_path(path):
        """Until a UNIX socket is bound to the path; for a stream: listens."""

        def ready():
            for line in open("/proc/net/unix").readlines()[1:]:
                fields = line.split()
                if fields[-1] == str(path):
                    return fields[4] != STREAM or int(fields[3], 16) & LISTENING
            return False

        wait_until(ready, f"somebody listens at {path}")

    def close(self):
        for process in self.processes:
            process.stop()
        for s in self.held:
            s.close()


def served(lab, *args, **options):
    """hnc as a client of a socket of the test: the Process and the other end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        hnc = lab.spawn("hnc", *args, *server.getsockname(), **options)
        return hnc, hnc.accepted_by(server)


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.close()
