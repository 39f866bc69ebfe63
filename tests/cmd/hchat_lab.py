"""What the tests of hchat share: a server on ports that the kernel chooses, and people who talk."""

import re
import signal
import socket

import pytest

from conftest import TIMEOUT, wait_until


class Person:
    """Somebody behind a plain socket."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(TIMEOUT)
        self.heard = b""

    def send(self, data):
        self.sock.sendall(data)

    def say(self, *lines):
        self.send("".join(line + "\n" for line in lines).encode())

    def hears(self, *texts):
        """Reads until all of these, in this order; returns what came in front of the last one's end."""
        begin = 0
        for text in texts:
            wanted = text if isinstance(text, bytes) else text.encode()
            while wanted not in self.heard[begin:]:
                data = self.sock.recv(65536)
                assert data, f"closed before {wanted!r}: {self.heard[-2000:]!r}"
                self.heard += data
            begin = self.heard.index(wanted, begin) + len(wanted)
        part, self.heard = self.heard[:begin], self.heard[begin:]
        return part

    def hears_end(self):
        """All the rest, until the connection ends; a reset is an end, too."""
        try:
            while True:
                data = self.sock.recv(65536)
                if not data:
                    break
                self.heard += data
        except ConnectionResetError:
            pass
        self.sock.close()
        return self.heard

    def close(self):
        self.sock.close()


class Server:
    """hchat with these arguments; `urls` are the addresses that it says it listens on."""

    def __init__(self, lab, *args, listeners=1, **options):
        self.process = lab.spawn("hchat", *args, **options)
        self.pid = self.process.pid
        wait_until(lambda: len(self.urls) == listeners or not self.process.running(), f"listening: {self.process}")
        assert len(self.urls) == listeners, self.process
        self.people = []

    @property
    def urls(self):
        return re.findall(r"^hchat: listening on (?:tls://)?(\S+)$", self.process.err(), re.M)

    @property
    def port(self):
        return int(self.urls[0].rpartition(":")[2])

    def connect(self, index=0):
        """A connection that has not been greeted yet."""
        url = self.urls[index]
        unix = re.match(r"unix:(.*)", url)
        if unix:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(re.sub("^@", "\0", unix[1]))
        else:
            sock = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), TIMEOUT)
        person = Person(sock)
        self.people.append(person)
        return person

    def join(self, name=None, index=0):
        """Somebody who is in the first room, and called so."""
        person = self.connect(index)
        person.hears("* you are guest", "\n")
        if name:
            person.say(f"/nick {name}")
            person.hears(f" is now {name}\n")
        return person

    def summary(self):
        lines = [line for line in self.process.err().splitlines() if " connections (" in line]
        words = re.findall(r"(\d+) (connections|open|refused|dropped|shed|rooms|lines)", lines[-1])
        return {name: int(number) for number, name in words}

    def ask_summary(self):
        count = self.process.err().count(" connections (")
        self.process.signal(signal.SIGUSR1)
        wait_until(lambda: self.process.err().count(" connections (") > count, "a summary on SIGUSR1")
        return self.summary()

    def stop(self):
        self.process.signal(signal.SIGTERM)
        assert self.process.wait() == 0, self.process
        return self.summary()

    def rss_kib(self):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])

    def close(self):
        for person in self.people:
            person.close()


@pytest.fixture
def hchat(lab):
    servers = []

    def start(*args, **options):
        servers.append(Server(lab, *args, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
