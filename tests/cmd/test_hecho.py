"""hecho answers: every mode, over every kind of socket, to every client."""

import hashlib
import os
import random
import re
import socket
import subprocess
import threading

import pytest

from conftest import TIMEOUT, wait_until
from hecho_lab import exchange, hecho, read_all, read_exactly  # noqa: F401

PATTERN_LINE = 74


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def stream_endpoint(kind, tmp_path):
    return {
        "tcp": "127.0.0.1:0",
        "tcp6": "[::1]:0",
        "unix": f"unix:{tmp_path}/echo.sock",
        "abstract": f"unix:@hecho-test-{random.getrandbits(64)}",
    }[kind]


STREAMS = ["tcp", "tcp6", "unix", "abstract"]


@pytest.mark.parametrize("kind", STREAMS)
def test_echoes_and_ends_after_the_client_does(hecho, tmp_path, kind):
    server = hecho(stream_endpoint(kind, tmp_path))
    for size in (0, 1, 65536, 3_000_000):
        data = noise(size)
        with server.connect() as sock:
            received = []
            reader = threading.Thread(target=lambda: received.append(read_all(sock)))
            reader.start()
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            reader.join(TIMEOUT)
            assert received == [data]


def test_a_bare_port_is_on_loopback_alone(hecho):
    assert re.fullmatch(r"127\.0\.0\.1:\d+", hecho("0").urls[0])


def test_every_address_takes_both_families(hecho):
    server = hecho(":0")
    port = server.port
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_connection((host, port), TIMEOUT) as sock:
            assert sock.family == family
            assert exchange(sock, b"hello") == b"hello"


CLIENTS = {
    "nc": ["nc", "-N", "127.0.0.1", "PORT"],
    "ncat": ["ncat", "127.0.0.1", "PORT"],
    "socat": ["socat", "-t60", "-", "TCP:127.0.0.1:PORT"],
    "nc -U": ["nc", "-N", "-U", "PATH"],
    "ncat -U": ["ncat", "-U", "PATH"],
    "socat UNIX": ["socat", "-t60", "-", "UNIX-CONNECT:PATH"],
}


@pytest.mark.parametrize("client", CLIENTS)
def test_gives_64_mib_back_to_every_client(hecho, lab, client):
    path = lab.path("echo.sock")
    server = hecho("0", f"unix:{path}", listeners=2)
    argv = [a.replace("PORT", str(server.port)).replace("PATH", path) for a in CLIENTS[client]]
    data = noise(64 << 20)
    result = lab.run(*argv, data=data)
    assert hashlib.sha256(result.out()).hexdigest() == hashlib.sha256(data).hexdigest()
    assert server.stop()["bytes_out"] == len(data)


def test_200_clients_at_once_get_each_their_own(hecho):
    server = hecho("0")
    socks = [server.connect() for _ in range(200)]
    for round_ in range(3):
        for i, sock in enumerate(socks):
            sock.sendall(noise(1000 + i, seed=i + round_))
        for i, sock in enumerate(socks):
            assert read_exactly(sock, 1000 + i) == noise(1000 + i, seed=i + round_)
    assert server.ask_summary()["open"] == 200
    for sock in socks:
        sock.close()
    assert server.stop()["connections"] == 200


def test_serves_several_end_points_at_once(hecho, tmp_path):
    server = hecho("0", "udp://0", f"unix:{tmp_path}/s", f"unixgram:{tmp_path}/d", listeners=4)
    for i in (0, 2):
        with server.connect(i) as sock:
            assert exchange(sock, b"stream") == b"stream"
    for i in (1, 3):
        with datagram_client(server, tmp_path, i) as sock:
            sock.send(b"datagram")
            assert sock.recv(100) == b"datagram"


# ---- other ways to answer ----


def test_discard_answers_nothing(hecho):
    server = hecho("--discard", "0")
    with server.connect() as sock:
        assert exchange(sock, noise(1_000_000)) == b""
    summary = server.stop()
    assert (summary["bytes_in"], summary["bytes_out"]) == (1_000_000, 0)


def test_rot13_turns_letters_and_nothing_else(hecho):
    server = hecho("--rot13", "0")
    every = bytes(range(256))
    turned = bytes(
        (b - 65 + 13) % 26 + 65 if 65 <= b <= 90 else (b - 97 + 13) % 26 + 97 if 97 <= b <= 122 else b for b in every
    )
    with server.connect() as sock:
        assert exchange(sock, every) == turned


def chargen_pattern(size):
    printable = bytes(range(32, 127))
    lines = [(printable * 2)[i : i + 72] + b"\r\n" for i in range(95)]
    period = b"".join(lines)
    return (period * (size // len(period) + 1))[:size]


def test_chargen_sends_the_pattern_of_rfc_864(hecho):
    server = hecho("--chargen", "0")
    with server.connect() as sock:
        assert read_exactly(sock, 4_000_000) == chargen_pattern(4_000_000)


def test_chargen_goes_on_after_the_client_has_ended_its_side(hecho):
    server = hecho("--chargen", "0")
    with server.connect() as sock:
        sock.sendall(b"ignored")
        sock.shutdown(socket.SHUT_WR)
        assert read_exactly(sock, 8_000_000) == chargen_pattern(8_000_000)
    wait_until(lambda: server.ask_summary()["open"] == 0, "the connection ends when the client is gone")


def test_a_line_is_answered_with_its_prefix(hecho):
    server = hecho("--prefix", "You said ", "0")
    with server.connect() as sock:
        for line in (b"hello\n", b"\n", b"with \0 and \xff\r\n"):
            sock.sendall(line)
            assert read_exactly(sock, len(line) + 9) == b"You said " + line
        assert exchange(sock, b"no end of line") == b"You said no end of line"


def test_lines_are_found_however_they_are_cut(hecho):
    server = hecho("--prefix", "> ", "0")
    text = b"one\n\ntwo three\nfour"
    wanted = b"> one\n> \n> two three\n> four"
    for cut in range(1, len(text)):
        with server.connect() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(text[:cut])
            complete = text[: text.rfind(b"\n", 0, cut) + 1]
            expected = b"".join(b"> " + line for line in complete.splitlines(True))
            assert read_exactly(sock, len(expected)) == expected
            assert expected + exchange(sock, text[cut:]) == wanted


def test_a_line_of_64_kib_is_answered_and_a_longer_one_told_and_closed(hecho):
    server = hecho("-v", "--prefix", "> ", "0")
    longest = b"x" * 65536
    with server.connect() as sock:
        assert exchange(sock, longest + b"\n" + longest) == b"> " + longest + b"\n> " + longest
    for data in (longest + b"x\n", longest + b"x", b"x" * 3_000_000):
        with server.connect() as sock:
            sock.sendall(data)
            assert read_all(sock) == b"hecho: line too long\n"
    wait_until(lambda: server.process.err().count("closed: line too long") == 3, "the cause in the log")


def test_a_line_without_end_does_not_keep_the_connection_open(hecho):
    server = hecho("--prefix", "> ", "0")
    with server.connect() as sock:
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(10_000):
                sock.sendall(b"x" * 65536)


def test_many_lines_to_a_client_that_reads_late(hecho):
    """Each newline costs 1,000 bytes of answer: the server has to stop in the middle of what it read."""
    prefix = "p" * 999 + " "
    server = hecho("--prefix", prefix, "0")
    count = 40_000
    with server.connect() as sock:
        sender = threading.Thread(target=lambda: (sock.sendall(b"\n" * count), sock.shutdown(socket.SHUT_WR)))
        sender.start()
        wait_until(lambda: server.ask_summary()["bytes_out"] > 0, "the first answers")
        answer = read_all(sock)
        sender.join(TIMEOUT)
    line = prefix.encode() + b"\n"
    assert len(answer) == count * len(line)
    assert answer == line * count


# ---- datagrams ----


def datagram_client(server, tmp_path, index=0, named=True):
    family, address = server.address(index)
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(TIMEOUT)
    if family == socket.AF_UNIX and named:
        sock.bind(f"{tmp_path}/client{random.getrandbits(40)}")
    sock.connect(address)
    return sock


DATAGRAMS = ["udp://0", "udp://[::1]:0", "unixgram:PATH", "unixgram:@NAME"]


def datagram_endpoint(kind, tmp_path):
    return kind.replace("PATH", f"{tmp_path}/d").replace("NAME", f"hecho-test-{random.getrandbits(64)}")


@pytest.mark.parametrize("kind", DATAGRAMS)
def test_datagrams_of_any_size_come_back_to_their_senders(hecho, tmp_path, kind):
    server = hecho(datagram_endpoint(kind, tmp_path))
    with datagram_client(server, tmp_path) as a, datagram_client(server, tmp_path) as b:
        for size in (1, 1500, 9000, 60_000):
            a.send(noise(size, 1))
            b.send(noise(size, 2))
            assert a.recv(70_000) == noise(size, 1)
            assert b.recv(70_000) == noise(size, 2)
        a.send(b"")
        assert a.recv(70_000) == b""
    assert server.stop()["datagrams"] == 9


def test_a_burst_of_datagrams_is_answered_in_order(hecho, tmp_path):
    server = hecho("udp://0")
    with datagram_client(server, tmp_path) as sock:
        for start in range(0, 1000, 50):
            wanted = [f"datagram {i}".encode() for i in range(start, start + 50)]
            for data in wanted:
                sock.send(data)
            assert [sock.recv(100) for _ in wanted] == wanted


def test_nc_and_socat_get_their_datagrams_back(hecho, lab):
    server = hecho("udp://0", f"unixgram:{lab.path('d')}", listeners=2)
    port = str(server.port)
    nc = lab.spawn("nc", "-u", "127.0.0.1", port, stdin=subprocess.PIPE)
    nc.send(b"over udp\n")
    nc.wait_out(b"over udp\n")
    for target in (f"UDP:127.0.0.1:{port}", f"UNIX-SENDTO:{lab.path('d')},bind={lab.path('c')}"):
        socat = lab.spawn("socat", "-", target, stdin=subprocess.PIPE)
        socat.send(b"from socat\n")
        socat.wait_out(b"from socat\n")


def test_the_other_modes_answer_datagrams_too(hecho, tmp_path):
    for args, data, wanted in (
        (["--rot13"], b"Hello", b"Uryyb"),
        (["--prefix", "You said "], b"hi", b"You said hi"),
        (["--chargen"], b"x" * 100, chargen_pattern(100)),
        (["--chargen"], b"x" * 9000, chargen_pattern(512)),
    ):
        server = hecho(*args, "udp://0")
        with datagram_client(server, tmp_path) as sock:
            sock.send(data)
            assert sock.recv(70_000) == wanted
        server.stop()


def test_discard_takes_datagrams_and_counts_them(hecho, tmp_path):
    server = hecho("--discard", "udp://0")
    with datagram_client(server, tmp_path) as sock:
        for _ in range(3):
            sock.send(b"12345")
        wait_until(lambda: server.ask_summary()["datagrams"] == 3, "three datagrams")
    summary = server.stop()
    assert (summary["bytes_in"], summary["bytes_out"], summary["dropped"]) == (15, 0, 0)


def test_an_answer_that_is_too_long_for_a_datagram_is_dropped_and_counted(hecho, tmp_path):
    server = hecho("--prefix", "p" * 1000, "udp://0")
    with datagram_client(server, tmp_path) as sock:
        sock.send(b"x" * 64_508)
        sock.send(b"x" * 64_507)
        assert sock.recv(70_000) == b"p" * 1000 + b"x" * 64_507
    summary = server.stop()
    assert (summary["datagrams"], summary["dropped"], summary["bytes_out"]) == (2, 1, 65_507)


def test_a_unix_datagram_without_a_sender_is_dropped_and_counted(hecho, tmp_path):
    server = hecho(f"unixgram:{tmp_path}/d")
    with datagram_client(server, tmp_path, named=False) as nameless, datagram_client(server, tmp_path) as named:
        nameless.send(b"nobody")
        named.send(b"somebody")
        assert named.recv(100) == b"somebody"
    assert server.stop()["dropped"] == 1


def test_two_echo_services_do_not_talk_for_ever(hecho):
    """A datagram that claims to come from an echo service (port 7) is not answered."""
    server = hecho("udp://0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        try:
            service.bind(("127.0.0.1", 7))
        except OSError as error:
            pytest.skip(f"port 7: {error}")
        service.sendto(b"ping", server.address()[1])
        wait_until(lambda: server.ask_summary()["dropped"] == 1, "the datagram is dropped")
        service.setblocking(False)
        with pytest.raises(BlockingIOError):
            service.recv(100)


def test_a_unix_datagram_client_that_does_not_read_stops_nobody(hecho, tmp_path):
    server = hecho(f"unixgram:{tmp_path}/d")
    address = server.address()[1]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf, datagram_client(server, tmp_path) as other:
        deaf.bind(f"{tmp_path}/deaf")
        for _ in range(100):
            deaf.sendto(b"x", address)  # not connected: its queue is limited
        other.send(b"hello")
        assert other.recv(100) == b"hello"
