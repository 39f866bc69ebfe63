# One thread.
"""hnc --broker and --chat: what one client sends reaches the others, everybody in order, and nobody
holds up the rest. The same exchanges are made with ncat where it is installed."""

import os
import re
import socket
import subprocess

import pytest
from conftest import TIMEOUT, wait_until

HOST = "127.0.0.1"
MIB = 1 << 20
PATIENT = "all of it, unless this machine keeps the reader from reading for a second"
BROKERS = ["hnc", "ncat"]  # lab skips what is not installed


class Room:
    """A broker and its clients."""

    def __init__(self, lab, *args, program="hnc", **options):
        self.port = lab.port()
        self.process = lab.spawn(program, "-l", *args, HOST, self.port, **options)
        lab.wait_bound(self.port)

    def connect(self, size=None):
        s = socket.socket()
        if size:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        s.settimeout(TIMEOUT)
        s.connect((HOST, self.port))
        return s

    def join(self, *others):
        """A client of --broker that is there, and so is who came before it: each of the others,
        of which there has to be one, gets a byte of it."""
        s = self.connect()
        s.sendall(b"!")
        for other in others:
            assert other.recv(1) == b"!"
        return s


def receive(s, size):
    data = b""
    while len(data) < size:
        data += s.recv(size - len(data)) or pytest.fail(f"end after {data!r}")
    return data


def receive_until_dropped(room, s, size):
    """So many bytes, or as many as came before the broker lost its patience."""
    data = bytearray()
    while len(data) < size and (piece := s.recv(MIB)):
        data += piece
    if len(data) < size:
        room.process.wait_err("does not read")
    return bytes(data)


def receive_line(s):
    data = b""
    while not data.endswith(b"\n"):
        data += s.recv(1) or pytest.fail(f"end after {data!r}")
    return data.decode()


def arrive(room, *others):
    """A client of --chat: its socket and number; everybody has heard of it."""
    s = room.connect()
    first, second = receive_line(s), receive_line(s)
    number = re.fullmatch(r"<announce> 127\.0\.0\.1 is connected as <user(\d+)>\.\n", first)[1]
    assert second.startswith("<announce> already connected: ")
    for other in others:
        assert receive_line(other) == first
        assert receive_line(other) == second
    return s, int(number), second


# ---- --broker ------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", BROKERS)
def test_what_one_sends_reaches_all_the_others_and_not_itself(lab, program):
    room = Room(lab, "--broker", program=program)
    first = room.connect()
    second = room.join(first)
    third = room.join(first, second)
    first.sendall(b"from the first")
    for s in (second, third):
        assert receive(s, 14) == b"from the first"
    third.sendall(b"\x00\xff binary\r\n")
    for s in (first, second):
        assert receive(s, 11) == b"\x00\xff binary\r\n"
    assert room.process.out() == b""


@pytest.mark.parametrize("program", BROKERS)
def test_stdin_goes_to_everybody_and_its_end_ends_nothing(lab, program):
    room = Room(lab, "--broker", program=program, stdin=subprocess.PIPE)
    first = room.connect()
    second = room.join(first)
    room.process.send(b"to all")
    for s in (first, second):
        assert receive(s, 6) == b"to all"
    room.process.end_input()
    first.sendall(b"still here")
    assert receive(second, 10) == b"still here"


@pytest.mark.parametrize("program", BROKERS)
def test_who_ends_sending_is_let_go_and_the_others_stay(lab, program):
    room = Room(lab, "--broker", program=program)
    first = room.connect()
    second = room.join(first)
    first.sendall(b"last words")
    first.shutdown(socket.SHUT_WR)
    assert receive(second, 10) == b"last words"
    assert first.recv(1) == b""
    third = room.join(second)
    second.sendall(b"hello")
    assert receive(third, 5) == b"hello"


def test_broker_needs_no_l_and_no_k(lab):
    port = lab.port()
    hnc = lab.spawn("hnc", "--broker", HOST, port)
    lab.wait_bound(port)
    for _ in range(2):
        with socket.create_connection((HOST, port)) as s:
            s.shutdown(socket.SHUT_WR)
            assert s.recv(1) == b""
    assert hnc.running()


def test_send_only_passes_stdin_alone(lab):
    room = Room(lab, "--broker", "--send-only", stdin=subprocess.PIPE)
    first, second = room.connect(), room.connect()
    room.process.send(b"1")
    assert receive(first, 1) == b"1"
    first.sendall(b"ignored")
    first.shutdown(socket.SHUT_WR)
    assert first.recv(1) == b""
    room.process.send(b"2")
    wait_until(lambda: second.recv(1, socket.MSG_PEEK), "data")
    assert b"ignored" not in receive(second, 1) + room.process.out()


def test_recv_only_passes_nothing_and_reads_no_stdin(lab):
    dump = lab.path("dump")
    room = Room(lab, "--broker", "--recv-only", "-o", dump, stdin=subprocess.PIPE)
    room.process.send(b"unread")
    first, second = room.connect(), room.connect()
    first.sendall(b"kept here")
    # It is made once the port is open.
    wait_until(lambda: os.path.exists(dump) and open(dump, "rb").read() == b"kept here", "the dump")
    first.shutdown(socket.SHUT_WR)
    assert first.recv(1) == b""
    second.shutdown(socket.SHUT_WR)
    assert second.recv(1) == b""


def test_bulk_goes_at_the_pace_of_its_reader_and_is_whole(lab):
    data = bytes(range(256)) * (32 * MIB // 256)

    def whole():
        room = Room(lab, "--broker")
        reader = room.connect()
        room.join(reader).close()
        hnc = lab.spawn("hnc", "-N", HOST, room.port, stdin=lab.file(data))
        got = receive_until_dropped(room, reader, len(data))
        assert data.startswith(got) and (len(got) < len(data) or hnc.wait() == 0)
        return len(got) == len(data)

    wait_until(whole, PATIENT)


def test_a_client_that_does_not_read_is_dropped_with_a_word_and_the_others_go_on(lab):
    data = b"x" * 16 * MIB

    def others_go_on():
        room = Room(lab, "--broker")
        reader = room.connect()
        sender = room.join(reader)
        stalled = room.connect(size=4096)
        stalled.sendall(b"?")
        assert receive(reader, 1) == receive(sender, 1) == b"?"
        sender.close()
        hnc = lab.spawn("hnc", "-N", HOST, room.port, stdin=lab.file(data))
        got = receive_until_dropped(room, reader, len(data))
        room.process.wait_err("does not read")
        stalled.close()
        if len(got) < len(data):
            return False
        assert hnc.wait() == 0 and room.process.err().count("\n") == 1
        return True

    wait_until(others_go_on, PATIENT)


def test_the_limit_of_m_counts_the_clients_of_a_broker(lab):
    room = Room(lab, "--broker", "-m", "2", "-v")
    first = room.connect()
    second = room.join(first)
    third = room.connect()
    assert third.recv(1) == b""
    room.process.wait_err("New connection denied: connection limit reached (2)")
    second.close()

    def comes_in():
        with room.connect() as s:
            s.settimeout(0.2)
            try:
                return s.recv(1) != b""
            except TimeoutError:
                return True

    wait_until(comes_in, "there is room again")


def test_an_idle_client_is_let_go(lab):
    room = Room(lab, "--broker", "--idle-timeout", "100ms")
    with room.connect() as s:
        assert s.recv(1) == b""
    assert room.process.running()


# ---- --chat --------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", BROKERS)
def test_who_comes_speaks_and_goes_is_announced_as_ncat_does(lab, program):
    room = Room(lab, "--chat", program=program, stdin=subprocess.PIPE)
    first, a, others = arrive(room)
    assert others == "<announce> already connected: nobody.\n"
    second, b, others = arrive(room, first)
    assert others == f"<announce> already connected: 127.0.0.1 as <user{a}>.\n"
    assert a != b
    first.sendall(b"hello\n")
    assert receive_line(second) == f"<user{a}> hello\n"
    room.process.send(b"from the server\n")
    for s in (first, second):
        assert receive_line(s) == "<user0> from the server\n"
    first.close()
    assert receive_line(second) == f"<announce> <user{a}> is disconnected.\n"


def test_three_are_listed_in_the_order_they_came(lab):
    room = Room(lab, "--chat")
    first, a, _ = arrive(room)
    second, b, _ = arrive(room, first)
    _, _, others = arrive(room, first, second)
    assert others == (
        f"<announce> already connected: 127.0.0.1 as <user{a}>, 127.0.0.1 as <user{b}>.\n"
    )


def test_a_number_is_not_given_twice(lab):
    room = Room(lab, "--chat")
    first, a, _ = arrive(room)
    first.close()
    wait_until(lambda: arrive(room)[2].endswith("nobody.\n"), "the first is gone")
    _, b, _ = arrive(room)
    assert b > a


def test_lines_are_passed_on_whole_and_each_has_its_speaker(lab):
    room = Room(lab, "--chat")
    first, a, _ = arrive(room)
    second, b, _ = arrive(room, first)
    first.sendall(b"in two ")
    second.sendall(b"between\n")
    assert receive_line(first) == f"<user{b}> between\n"
    first.sendall(b"pieces\nand <user7> me\r\n")
    assert receive_line(second) == f"<user{a}> in two pieces\n"
    assert receive_line(second) == f"<user{a}> and <user7> me\n"
    first.sendall(b"cut off")
    first.close()
    assert receive_line(second) == f"<user{a}> cut off\n"


def test_control_characters_are_escaped_and_letters_are_not(lab):
    room = Room(lab, "--chat")
    first, a, _ = arrive(room)
    second, _, _ = arrive(room, first)
    first.sendall("\x1b[2J\ttab \x00 \x9b ä €\n".encode("utf-8", "surrogateescape"))
    line = receive_line(second)
    assert line == f"<user{a}> \\x1b[2J\ttab \\x00 \\xc2\\x9b ä €\n"


def test_a_line_without_end_is_cut_and_every_part_has_its_speaker(lab):
    room = Room(lab, "--chat")
    first, a, _ = arrive(room)
    second, _, _ = arrive(room, first)
    first.sendall(b"a" * 10000 + b"\n")
    text, parts = "", 0
    while len(text) < 10000:
        line = receive_line(second)
        prefix = f"<user{a}> "
        assert line.startswith(prefix) and len(line) < 5000
        text += line[len(prefix) : -1]
        parts += 1
    assert text == "a" * 10000 and parts > 1
