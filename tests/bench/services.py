"""Servers that only say their lines, on any ports, for hnmap -sV beside nmap -sV."""

import contextlib
import socket
import threading

MYSQL = (b"\x5b\0\0\0\x0a8.0.36\0" + b"\x01\0\0\0saltsalt\0\xff\xf7\xff\x02\0\xff\xc7\x15" + b"\0" * 10
         + b"moresaltmore\0mysql_native\0")
REDIS = b"# Server\r\nredis_version:7.0.15\r\nos:Linux 6.1.0 x86_64\r\n"

# The name of the service, what it says first, and what to whom that says this.
SERVICES = [
    ("ssh", b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", {}),
    ("smtp", b"220 mx.example ESMTP Postfix (Debian/GNU)\r\n", {}),
    ("ftp", b"220 (vsFTPd 3.0.3)\r\n", {}),
    ("mysql", MYSQL, {}),
    ("http", b"", {b"GET ": b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Length: 0\r\n\r\n"}),
    ("redis", b"", {b"INFO": b"$%d\r\n%b\r\n" % (len(REDIS), REDIS), b"PING": b"+PONG\r\n",
                    b"*1": b"$%d\r\n%b\r\n" % (len(REDIS), REDIS)}),
    ("mqtt", b"", {b"\x10": b"\x20\2\0\0"}),
    ("postgresql", b"", {b"\0\0\0": b"E\0\0\0\x5bSFATAL\0C0A000\0Munsupported frontend protocol\0"
                                    b"Fpostmaster.c\0L2195\0RProcessStartupPacket\0\0"}),
]


class Server:
    """One of them, on a port of the namespace that it is made in."""

    def __init__(self, name, greeting, answers):
        self.name, self.greeting, self.answers = name, greeting, answers
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.talk, args=(self.listener.accept()[0],), daemon=True).start()

    def talk(self, sock):
        with contextlib.suppress(OSError), sock:
            sock.settimeout(30)
            sock.sendall(self.greeting)
            while data := sock.recv(4096):
                answer = [a for question, a in self.answers.items() if data.startswith(question)]
                if not answer:
                    return  # as most do with who does not speak their language
                sock.sendall(answer[0])

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def start():
    return [Server(*service) for service in SERVICES]


def are_named(servers, found):
    """Whether a report ({address: Found}) names all of them rightly."""
    names = {}
    for host in found.values():
        for port in host.element.iterfind("ports/port"):
            service = port.find("service")
            if service is not None and service.get("method") == "probed":
                names[int(port.get("portid"))] = service.get("name")
    return all(names.get(server.port) == server.name for server in servers)
