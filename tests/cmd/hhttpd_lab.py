"""What the tests of hhttpd share: a server on ports that the kernel chooses, and requests to it."""

import contextlib
import http.client
import os
import re
import socket
import ssl

import pytest

from conftest import BIN, TIMEOUT
from master_lab import Master, children  # noqa: F401

SANITIZED = "address" in str(BIN) or "thread" in str(BIN)

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can stop being it")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.version = response.version
        self.body = response.read()

    def __getitem__(self, name):
        return self.headers[name]

    @property
    def text(self):
        return self.body.decode()


class Server(Master):
    """hhttpd with these arguments; `urls` are those that it says it serves."""

    def __init__(self, lab, *args, listeners=1, **options):
        super().__init__(lab, "hhttpd", *args, **options)
        self.serves(lambda: len(self.urls) == listeners)

    @property
    def urls(self):
        return re.findall(r"serving \S+ on (\S+)$", self.told(), re.M)

    def address(self, index=0):
        """(family, address) for a socket."""
        url = self.urls[index]
        if url.startswith("unix:"):
            return socket.AF_UNIX, re.sub("^@", "\0", url[5:])
        host, port = re.fullmatch(r"https?://\[?(.*?)\]?:(\d+)/.*", url).groups()
        return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))

    @property
    def port(self):
        return self.address()[1][1]

    def connect(self, index=0):
        """A plain socket, or one that speaks TLS and trusts everybody."""
        family, address = self.address(index)
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(TIMEOUT)
        sock.connect(address)
        if self.urls[index].startswith("https"):
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            sock = context.wrap_socket(sock)
        return sock

    def connection(self, index=0):
        """An http.client connection that is open."""
        connection = http.client.HTTPConnection("localhost", timeout=TIMEOUT)
        connection.sock = self.connect(index)
        return connection

    def request(self, method, path, body=None, headers=None, index=0):
        """One request on a connection of its own."""
        connection = self.connection(index)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # who refuses a body need not read it
                connection.request(method, path, body=body, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path="/", index=0, **headers):
        return self.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}, index=index)

    def raw(self, data, index=0):
        """Sends these bytes; what comes until the server closes."""
        with self.connect(index) as sock:
            try:
                sock.sendall(data)
            except (ConnectionResetError, BrokenPipeError):
                pass  # refused before all of it was there: the answer says why
            pieces = []
            while True:
                try:
                    piece = sock.recv(1 << 16)
                except ConnectionResetError:
                    break
                if not piece:
                    break
                pieces.append(piece)
            return b"".join(pieces)

    def first(self, data):
        """Sends these bytes; what comes first."""
        with self.connect() as sock:
            sock.sendall(data)
            return sock.recv(1 << 16)

    def refuses(self):
        """Whether nobody listens any more."""
        try:
            self.connect().close()
        except (ConnectionRefusedError, ConnectionResetError):
            return True
        return False


@pytest.fixture
def www(tmp_path):
    """A folder with a few files."""
    folder = tmp_path / "www"
    (folder / "sub").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>home</h1>\n")
    (folder / "a.txt").write_text("some text\n")
    (folder / "sub" / "b.txt").write_text("below\n")
    return folder


@pytest.fixture
def hhttpd(lab):
    """Starts servers: hhttpd(arguments, listeners=how many end points)."""
    return lambda *args, **options: Server(lab, *args, **options)
