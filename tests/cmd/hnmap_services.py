"""Servers of a few lines for hnmap -sV, and what a report says of them."""

import contextlib
import socket
import ssl
import threading
import xml.etree.ElementTree

import pytest

from conftest import TIMEOUT
from pki import Pki


class Server:
    """A port whose connections a function talks to, each in a thread of its own, or one by one: so many
    of them have come (count) and are over (ended), and this was heard."""

    def __init__(self, talk, tls=None, one_by_one=False, host="127.0.0.1", port=0):
        self.talk, self.tls, self.one_by_one = talk, tls, one_by_one
        self.count, self.ended, self.heard = 0, 0, []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.bind((host, port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.ending = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.ending.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            if self.one_by_one:
                self.serve(sock)
            else:
                threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with contextlib.suppress(OSError), sock:
            sock.settimeout(TIMEOUT)
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            self.talk(self, sock)
            sock.close()
        self.ended += 1

    def close(self):
        self.ending.set()
        self.listener.close()


@pytest.fixture
def serve():
    servers = []

    def start(talk, **options):
        servers.append(Server(talk, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki")).issue("test.example", names="DNS:test.example,DNS:www.example")


@pytest.fixture(scope="module")
def tls(tls_files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls_files)
    return context


def says(*greeting):
    """Speaks first, and answers everything with the rest, a piece for each."""

    def talk(server, sock):
        pieces = list(greeting)
        while True:
            if pieces:
                sock.sendall(pieces.pop(0))
            data = sock.recv(4096)
            if not data:
                return
            server.heard.append(data)

    return talk


def answers(question, answer):
    """Says this to who begins with that, and ends the connection of everybody else."""

    def talk(server, sock):
        data = sock.recv(4096)
        server.heard.append(data)
        if data.startswith(question):
            sock.sendall(answer)
            sock.recv(4096)

    return talk


def scan(lab, servers, *args, host="127.0.0.1"):
    """{port: service element}, and the process."""
    ports = ",".join(str(s.port if hasattr(s, "port") else s) for s in servers)
    process = lab.run("hnmap", "-Pn", "-n", "-sT", "-sV", f"-p{ports}", *args, "-oX", "-", host)
    assert process.popen.returncode == 0, process
    return read(process.out())


def read(report):
    root = xml.etree.ElementTree.fromstring(report)
    return {int(p.get("portid")): p for p in root.iter("port")}


def service(port):
    """(name, product, version, extra)"""
    element = port.find("service")
    if element is None:
        return (None,) * 4
    return tuple(element.get(k) for k in ("name", "product", "version", "extrainfo"))


def is_tls(port):
    return port.find("service").get("tunnel") == "ssl"


def script(port, name):
    found = [s.get("output") for s in port.iter("script") if s.get("id") == name]
    return found[0] if found else None
