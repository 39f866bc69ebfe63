# One thread.
"""hnmap -sV --probes FILE: probes and patterns of the user's, beside hnmap's own; --allports, --version-trace."""

import contextlib
import os
import re
import socket
import threading

import pytest

from hnmap_services import answers, is_tls, read, says, scan, serve, service, tls, tls_files  # noqa: F401

PROBES = r"""# ours
Exclude T:9100-9107
Probe TCP NULL q||
totalwaitms 6000
match gate m|^GATE (\d+)\.(\d+) ready\r\n| p/Gate keeper/ v/$1.$2/ i/$P(1)/ o/Plan 9/ cpe:/a:acme:gate:$1.$2/
match ssh m|^SSH-2\.0-(\S+)| p/The user's own name/ v/$SUBST(1,"_",".")/
softmatch vault m|^VAULT\r\n|
Probe TCP Hello q|HELLO\r\n|
rarity 3
ports 1
match hall m|^HALL:(....)|s p/Hall/ v/$I(1,">")/
match vault m|^VAULT\r\nVAULT (\w+)| p/Vault/ v/$1/
Probe TCP Rare q|RARE\n|
rarity 9
fallback Hello
Probe UDP Ask q|\x01ask\0|
rarity 4
match udpthing m|^\x02(.*)$| p/Thing/ v/$1/
"""


@pytest.fixture
def probes(lab):
    def write(text):
        with open(lab.path("probes"), "w", encoding="latin-1") as file:
            file.write(text)
        return lab.path("probes")

    if "PCRE2" in lab.run("hnmap", "-sV", "--probes", write(PROBES), "-sT", "-Pn", "-n", "-p1", "127.0.0.1").err():
        pytest.skip("built without PCRE2")
    return write


def test_what_the_file_knows(lab, serve, probes, tls):  # noqa: F811
    def vault(server, sock):
        sock.sendall(b"VAULT\r\n")
        if sock.recv(100) == b"HELLO\r\n":
            sock.sendall(b"VAULT two\r\n")
            sock.recv(1)

    gate, ssh = serve(says(b"GATE 3.14 ready\r\n")), serve(says(b"SSH-2.0-OpenSSH_9.6\r\n"))
    hall, hall_tls = (serve(answers(b"HELLO\r\n", b"HALL:\0\0\1\x02"), tls=t) for t in (None, tls))
    web = serve(answers(b"GET /", b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\r\n"))
    keeper = serve(vault)
    found = scan(lab, [gate, ssh, hall, hall_tls, web, keeper], "--probes", probes(PROBES))
    assert service(found[gate.port]) == ("gate", "Gate keeper", "3.14", "3")
    assert [c.text for c in found[gate.port].iter("cpe")] == ["cpe:/a:acme:gate:3.14"]
    assert service(found[ssh.port])[:3] == ("ssh", "The user's own name", "OpenSSH.9.6")  # the file goes before
    assert service(found[hall.port])[:3] == ("hall", "Hall", "258")
    assert service(found[hall_tls.port])[:3] == ("hall", "Hall", "258") and is_tls(found[hall_tls.port])
    assert service(found[web.port])[:3] == ("http", "nginx", "1.22.1")  # what it does not know is found as ever
    assert service(found[keeper.port])[:3] == ("vault", "Vault", "two")  # a softmatch, then who can tell more
    assert not any(h.startswith(b"RARE") for h in web.heard)


def test_rarity_and_ports(lab, serve, probes):  # noqa: F811
    talk = answers(b"HELLO\r\n", b"HALL:\0\0\1\x02")
    light, full = serve(talk), serve(talk)
    assert service(scan(lab, [light], "--version-light", "--probes", probes(PROBES))[light.port])[0] != "hall"
    assert not any(h.startswith(b"HELLO") for h in light.heard)
    text = PROBES.replace("ports 1\n", f"ports {full.port}\n")
    assert service(scan(lab, [full], "--version-light", "--probes", probes(text))[full.port])[0] == "hall"


@pytest.mark.skipif(os.geteuid() != 0, reason="-sU needs packets of its own")
def test_udp(lab, probes):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def talk():
        while True:
            data, peer = sock.recvfrom(4096)
            if data == b"\x01ask\0":
                sock.sendto(b"\x02seven", peer)

    threading.Thread(target=talk, daemon=True).start()
    port = sock.getsockname()[1]
    out = lab.run("hnmap", "-Pn", "-n", "-sUV", f"-p{port}", "--probes", probes(PROBES), "-oX", "-", "127.0.0.1").out()
    assert service(read(out)[port])[:3] == ("udpthing", "Thing", "seven")


@pytest.mark.parametrize("text,error", [
    ("Probe TCP NULL q||\nmatch a m|(|\n", ":2: missing closing parenthesis"),
    ("Probe TCP NULL q||\nmatch a m|b| p/c\n", ":2: a field without its end"),
    ("hello\n", ":1: 'hello' begins no line of such a file"),
    ("", ":1: no Probe in the file"),
])
def test_bad_files(lab, probes, text, error):
    process = lab.run("hnmap", "-sV", "-sT", "-Pn", "-p1", "--probes", probes(text), "127.0.0.1")
    assert process.popen.returncode == 2
    assert f"hnmap: {lab.path('probes')}{error}" in process.err()
    assert process.out() == b""


def test_no_file(lab):
    process = lab.run("hnmap", "-sV", "-sT", "-Pn", "-p1", "--probes", "nowhere", "127.0.0.1")
    assert process.popen.returncode in (1, 2)
    assert "hnmap: nowhere: " in process.err()
    process = lab.run("hnmap", "-sT", "-Pn", "-p1", "--probes", "nowhere", "127.0.0.1")
    assert process.popen.returncode == 2
    assert "it goes with -sV" in process.err()


def test_a_hostile_answer_to_a_slow_pattern(lab, serve, probes):  # noqa: F811
    server = serve(lambda s, sock: (sock.sendall(b"a" * 8000 + b"!"), sock.recv(1)))
    text = "Probe TCP NULL q||\n" + "match bad m|^(a+)+(a+)+$|\n" * 500
    found = scan(lab, [server], "--version-light", "--probes", probes(text))
    assert service(found[server.port])[0] != "bad"


# ---- printers, and what goes on ------------------------------------------------------------------


def printer(serve):  # noqa: F811
    for port in range(9100, 9108):
        with contextlib.suppress(OSError):
            return serve(says(b"SSH-2.0-OpenSSH_9.6\r\n"), port=port)
    pytest.skip("all ports of printers are taken")
    return None


def test_allports(lab, serve, probes):  # noqa: F811
    server = printer(serve)
    assert service(scan(lab, [server])[server.port])[1] is None
    assert service(scan(lab, [server], "--allports")[server.port])[1] == "OpenSSH"


def test_exclude_of_a_file(lab, serve, probes):  # noqa: F811
    server = serve(says(b"SSH-2.0-OpenSSH_9.6\r\n"))
    file = probes(f"Exclude {server.port}\nProbe TCP NULL q||\nmatch x m|^x|\n")
    assert service(scan(lab, [server], "--probes", file)[server.port])[1] is None
    assert service(scan(lab, [server], "--probes", file, "--allports")[server.port])[1] == "OpenSSH"


def test_version_trace(lab, serve):  # noqa: F811
    server = serve(says(b"SSH-2.0-OpenSSH_9.6\x1b[2J\r\n"))
    process = lab.run("hnmap", "-Pn", "-n", "-sT", "-sV", "--version-trace", f"-p{server.port}", "-oX", "-",
                      "127.0.0.1")
    begin = re.escape(f"hnmap: 127.0.0.1 {server.port}/tcp ") + r"[\w /]+: "  # each conversation hears it
    told = process.err()
    assert re.search(begin + r"hears 25 bytes: SSH-2\.0-OpenSSH_9\.6\\x1b\[2J\\r\\n\n", told)
    assert re.search(begin + r"is ssh OpenSSH 9\.6\n", told)
    assert service(read(process.out())[server.port])[1] == "OpenSSH"  # the report is not disturbed
