"""What the tests of hecho share: a server that is started on ports the kernel chooses, and sockets
to talk to it."""

import json
import os
import re
import shutil
import signal
import socket
import tempfile

import pytest

from conftest import BIN, TIMEOUT, wait_until

SANITIZED = "address" in str(BIN) or "thread" in str(BIN)

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can stop being it")


def become_nobody():
    os.setgid(65534)
    os.setuid(65534)


@pytest.fixture
def public_folder():
    """One that everybody can enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield folder


@pytest.fixture
def public_hecho(lab, public_folder):
    """A copy of the program that everybody can run, wherever it was built."""
    return shutil.copy(lab.program("hecho"), public_folder)


class Server:
    """hecho with these arguments; `urls` are the addresses that it says it listens on."""

    def __init__(self, lab, *args, listeners=1, spawn="hecho", **options):
        self.process = lab.spawn(spawn, *args, **options)
        self.pid = self.process.pid
        self.listeners = listeners
        wait_until(lambda: len(self.urls) == listeners or not self.process.running(), f"listening: {self.process}")
        assert len(self.urls) == listeners, self.process

    @property
    def urls(self):
        return re.findall(r"^hecho: listening on (\S+)$", self.process.err(), re.M)

    def address(self, index=0):
        """(family, address) for a socket."""
        url = self.urls[index]
        unix = re.match(r"(?:unix|unixgram):(.*)", url)
        if unix:
            return socket.AF_UNIX, re.sub("^@", "\0", unix[1])
        host, port = re.fullmatch(r"(?:udp://)?\[?(.*?)\]?:(\d+)", url).groups()
        return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))

    @property
    def port(self):
        return self.address()[1][1]

    def connect(self, index=0):
        family, address = self.address(index)
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(TIMEOUT)
        sock.connect(address)
        return sock

    def refuses(self):
        """Whether nobody listens any more."""
        try:
            self.connect().close()
        except (ConnectionRefusedError, ConnectionResetError):
            return True
        return False

    def summary(self):
        """The last summary, as numbers."""
        lines = [line for line in self.process.err().splitlines() if " connections (" in line]
        words = re.findall(r"(\d+) (connections|open|refused|shed|datagrams|dropped|bytes in|bytes out)", lines[-1])
        return {name.replace(" ", "_"): int(number) for number, name in words}

    def ask_summary(self):
        """SIGUSR1, and what it gives."""
        count = self.process.err().count(" connections (")
        self.process.signal(signal.SIGUSR1)
        wait_until(lambda: self.process.err().count(" connections (") > count, "a summary on SIGUSR1")
        return self.summary()

    def stop(self, number=signal.SIGTERM):
        """Ends it gracefully and returns the summary."""
        self.process.signal(number)
        assert self.process.wait() == 0, self.process
        return self.summary()

    def rss_kib(self, pid=None):
        with open(f"/proc/{pid or self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def json_lines(text):
    """Every line has to be an object."""
    return [json.loads(line) for line in text.splitlines()]


def read_all(sock):
    """Everything until the peer ends its side."""
    pieces = []
    while True:
        piece = sock.recv(1 << 20)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, f"end of data after {len(data)} of {size} bytes"
        data += piece
    return data


def exchange(sock, data):
    """Sends, ends the sending side, and returns all answers."""
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    return read_all(sock)


def fill(sock, limit):
    """Sends without reading until the server takes no more (or the limit is reached): the bytes."""
    sent = 0
    sock.settimeout(1)
    try:
        while sent < limit:
            sent += sock.send(b"x" * 65536)
    except socket.timeout:
        pass
    sock.settimeout(TIMEOUT)
    return sent


@pytest.fixture
def hecho(lab):
    """Starts servers: hecho(arguments, listeners=how many end points)."""
    return lambda *args, **options: Server(lab, *args, **options)
