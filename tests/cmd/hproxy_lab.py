"""What the tests of hproxy share: a proxy on ports that the kernel chooses, and targets behind it."""

import contextlib
import re
import selectors
import socket
import ssl
import threading

import pytest

from conftest import HELD_MAX, TIMEOUT, bound_to_all, ports_can_be_held, wait_until
from master_lab import Master, children  # noqa: F401

__all__ = ["Proxy", "Target", "children", "conf", "hproxy", "target"]


def address_of(endpoint):
    """(family, type, address) for a socket that connects to an end point as hproxy prints it."""
    kind = socket.SOCK_DGRAM if re.match("udp:|unixgram:", endpoint) else socket.SOCK_STREAM
    path = re.fullmatch("unix(?:gram)?:(.*)", endpoint)
    if path:
        return socket.AF_UNIX, kind, re.sub("^@", "\0", path[1])
    host, port = re.fullmatch(r"(?:\w+://)?\[?(.*?)\]?:(\d+)", endpoint).groups()
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), kind, (host, int(port))


class Proxy(Master):
    """hproxy with these arguments; `serving` has the end points that it says it serves, in their order."""

    def __init__(self, lab, *args, listeners=1, **options):
        super().__init__(lab, "hproxy", *args, **options)
        self.serves(lambda: len(self.serving) >= listeners)

    @property
    def serving(self):
        return re.findall(r"serving (\S+).*$", self.told(), re.M)

    def named(self, name):
        """The end point of [listen name]."""
        return re.search(rf"serving (\S+) as {re.escape(name)}\b", self.told())[1]

    @property
    def status(self):
        """host:port of --status."""
        return wait_until(lambda: re.search(r"status on http://(\S+)$", self.told(), re.M), "the status listener")[1]

    @property
    def port(self):
        return address_of(self.serving[0])[2][1]

    def connect(self, endpoint=None):
        """A socket to the proxy; with tls:// one that speaks it and trusts everybody."""
        endpoint = self.serving[0] if endpoint is None else endpoint
        family, kind, address = address_of(endpoint)
        sock = socket.socket(family, kind)
        sock.settimeout(TIMEOUT)
        sock.connect(address)
        if endpoint.startswith("tls:"):
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            sock = context.wrap_socket(sock)
        return sock

    def ask(self, data=b"ping", endpoint=None):
        """What comes back on a connection of its own; "" if it is closed."""
        with self.connect(endpoint) as sock:
            try:
                sock.sendall(data)
                return sock.recv(1 << 16)
            except (ConnectionResetError, BrokenPipeError):
                return b""


class Target:
    """A server that answers every piece that it gets with its name, a colon and the piece; at most some thousand
    connections. `accepted` counts them; `close` ends it and them, and `open` makes it listen at the same port again,
    which nobody gets meanwhile: a proxy may go on asking there."""

    held = []

    def __init__(self, name="target"):
        self.name = name.encode()
        self.port = 0
        if ports_can_be_held():
            Target.held = [*Target.held[1 - HELD_MAX :], bound_to_all(0, socket.SOCK_STREAM)]
            self.port = Target.held[-1].getsockname()[1]
        self.open()

    def open(self):
        self.accepted = 0
        self.sockets = set()
        self.server = socket.create_server(("127.0.0.1", self.port), backlog=4096)
        self.port = self.server.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.run, args=(self.server,), daemon=True)
        self.thread.start()

    def run(self, server):
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            selector.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is server:
                        sock, _ = server.accept()
                        self.accepted += 1
                        self.sockets.add(sock)
                        selector.register(sock, selectors.EVENT_READ)
                    else:
                        self.answer(selector, key.fileobj)

    def answer(self, selector, sock):
        try:
            data = sock.recv(1 << 16)
            if data:
                sock.sendall(self.name + b":" + data)
                return
        except OSError:
            pass
        selector.unregister(sock)
        self.sockets.discard(sock)
        sock.close()

    def close(self):
        """Nobody listens any more when this returns; connections are reset."""
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)  # wakes the thread: accept fails from here on
        self.thread.join(TIMEOUT)
        self.server.close()
        for sock in list(self.sockets):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
        self.sockets = set()


@pytest.fixture
def hproxy(lab):
    """Starts proxies: hproxy(arguments, listeners=how many end points)."""
    return lambda *args, **options: Proxy(lab, *args, **options)


@pytest.fixture
def target():
    """Starts targets: target(name)."""
    started = []

    def start(name="target"):
        started.append(Target(name))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def conf(lab):
    """conf(text) writes the configuration; its path is conf.path."""

    class Conf:
        path = lab.folder / "hproxy.conf"

        def __call__(self, text):
            self.path.write_text(text)
            return self.path

    return Conf()
