# One thread.
"""hnmap -sU -sV: what answers a datagram, by servers of a few lines; what was silent and then answers is open."""

import os
import socket
import threading

import pytest

from hnmap_services import read, service

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="-sU needs packets of its own")

NETBIOS = (b"hn\x84\0\0\0\0\1\0\0\0\0\x20" + b"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" + b"\0\0\x21\0\1\0\0\0\0\0\x37\2"
           + b"BOX            \0\x04\0" + b"HOME           \0\x84\0" + b"\0" * 6)
SNMP = (b"\x30\x36\2\1\0\4\6public\xa2\x29\2\1\1\2\1\0\2\1\0\x30\x1e\x30\x1c\6\x08\x2b\6\1\2\1\1\1\0\4\x10"
        b"Linux box 6.1.0 ")
QUIC = b"\xc0\0\0\0\0\x08hnmapask\x08hnmapask\0\0\0\1\x1a\x2a\x3a\x4a\xff\0\0\x1d"
SSDP = b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nSERVER: Linux/5.4 UPnP/1.1 MiniUPnPd/2.1\r\n\r\n"
SIP = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP invalid\r\nServer: Asterisk PBX 18.10\r\nContent-Length: 0\r\n\r\n"


def version_bind(text):
    def answer(question):
        return b"hn\x85\0\0\1\0\1\0\0\0\0" + question[12:] + b"\xc0\x0c\0\x10\0\3\0\0\0\0\0%c%c%b" % (
            len(text) + 1, len(text), text)

    return answer


# What the question begins with, the answer, and what is said of it: name, product, version, extra.
SERVERS = [
    (b"hn\1\0\0\1", version_bind(b"dnsmasq-2.89"), ("domain", "dnsmasq", "2.89", None)),
    (b"\x23", b"\x24\2\6\xec" + b"\0" * 44, ("ntp", "NTP", "v4", "secondary server")),
    (b"\x30\x26\2\1\0\4\6public", SNMP, ("snmp", "SNMPv1 server", None, "Linux box 6.1.0")),
    (b"hn\0\0\0\1\0\0\0\0\0\0\x20CKA", NETBIOS, ("netbios-ns", "Samba nmbd netbios-ns", None, "workgroup: HOME")),
    (b"M-SEARCH", SSDP, ("upnp", "MiniUPnPd", "2.1", "Linux/5.4 UPnP/1.1 MiniUPnPd/2.1")),
    (b"OPTIONS sip:", SIP, ("sip", "Asterisk PBX", "18.10", None)),
    (b"\0\1hnmap", b"\0\5\0\1File not found\0", ("tftp", None, None, "File not found")),
    (b"\xc0", QUIC, ("quic", None, None, "v1, draft 29")),
    (b"hn\0\0\0\1\0\0version", b"hn\0\0\0\1\0\0VERSION 1.6.18\r\n", ("memcached", "Memcached", "1.6.18", None)),
    (b"\0\1\0\0\x21\x12\xa4\x42", b"\1\1\0\x0c\x21\x12\xa4\x42hnmap-asks-u\x80\x22\0\x06coturn\0\0",
     ("stun", "coturn", None, None)),
    (b"hnmapask", b"hnmapaskyourname\0\x20\x22\x20\0\0\0\0\0\0\0\x1c", ("isakmp", None, None, "IKEv2.0")),
]


class Datagrams:
    def __init__(self, question, answer, lost=0):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.question, self.answer, self.lost = question, answer, lost
        self.heard = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, peer = self.sock.recvfrom(65536)
            self.heard.append(data)
            if self.question is None or not data.startswith(self.question):
                continue
            self.lost -= 1
            if self.lost < 0:
                self.sock.sendto(self.answer(data) if callable(self.answer) else self.answer, peer)


def scan(lab, servers, *args):
    ports = ",".join(str(s.port) for s in servers)
    process = lab.run("hnmap", "-Pn", "-n", "-sU", "-sV", f"-p{ports}", *args, "-oX", "-", "127.0.0.1")
    assert process.popen.returncode == 0, process
    return read(process.out())


def state(port):
    return port.find("state").get("state"), port.find("state").get("reason")


def test_services(lab):
    servers = [Datagrams(question, answer) for question, answer, _ in SERVERS]
    silent, strange = Datagrams(None, b""), Datagrams(b"\x23", b"what?")
    lossy = Datagrams(b"hn\1\0\0\1", version_bind(b"9.18.24"), lost=2)
    found = scan(lab, [*servers, silent, strange, lossy])
    for server, (_, _, expected) in zip(servers, SERVERS):
        assert service(found[server.port]) == expected
        assert state(found[server.port]) == ("open", "udp-response")
    assert state(found[silent.port]) == ("open|filtered", "no-response")
    assert service(found[silent.port])[1:] == (None, None, None)
    assert state(found[strange.port]) == ("open", "udp-response")
    assert service(found[strange.port])[1:] == (None, None, None)
    assert service(found[lossy.port])[:3] == ("domain", "ISC BIND", "9.18.24")


def test_many_silent_ports_are_one_line_again(lab):
    silent = [Datagrams(None, b"") for _ in range(30)]
    server = Datagrams(b"hn\1\0\0\1", version_bind(b"dnsmasq-2.89"))
    ports = ",".join(str(s.port) for s in [*silent, server])
    text = lab.run("hnmap", "-Pn", "-n", "-sUV", "--version-light", f"-p{ports}", "127.0.0.1").out().decode()
    assert "Not shown: 30 open|filtered udp ports (no-response)" in text
    assert f"{server.port}/udp open  domain  dnsmasq 2.89\n" in text
    assert sum(any(d.startswith(b"hn\1") for d in s.heard) for s in silent) == 30


def test_intensity(lab):
    server = Datagrams(b"\x23", b"\x24\2\6\xec" + b"\0" * 44)
    assert state(scan(lab, [server], "--version-intensity", "0")[server.port])[0] == "open|filtered"
    assert all(not d.startswith(b"\x23") for d in server.heard)
