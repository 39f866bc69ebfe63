# One thread.
"""hchat among people who mean no good, or whose machines do not: floods, lines without an end, people
who do not read, handshakes that never end, bytes that are no text, and too few descriptors."""

import re
import resource
import socket
import struct
import time

import pytest

from conftest import BIN, wait_until
from hchat_lab import hchat  # noqa: F401 (a fixture)
from test_hproxy_stream import cpu_s

SANITIZED = "address" in str(BIN) or "thread" in str(BIN)
LINGER_RESET = struct.pack("ii", 1, 0)


def test_who_floods_is_warned_then_dropped(hchat):
    server = hchat("0", "--rate", "1", "--burst", "5")
    bob, eve = server.join("bob"), server.join("eve")
    eve.say(*[f"spam {i}" for i in range(300)])
    heard = eve.hears_end().decode()
    assert heard.count("* you write too fast: that was not passed on\n") == 1
    assert heard.endswith("* you write too fast: good bye\n")
    heard = bob.hears("* eve has left lobby (writes too fast)\n").decode()
    assert heard.count("<eve>") <= 6
    assert server.stop()["dropped"] == 1


def test_a_flood_of_empty_lines_is_one_too(hchat):
    server = hchat("0", "--rate", "1", "--burst", "5")
    eve = server.join()
    eve.send(b"\n" * 1000)
    assert b"too fast: good bye" in eve.hears_end()


def test_without_a_limit_all_is_passed_on(hchat):
    server = hchat("0", "--rate", "0", "--history", "0")
    bob, eve = server.join("bob"), server.join("eve")
    eve.say(*[f"line {i}." for i in range(2000)])
    heard = bob.hears("line 1999.\n").decode()
    assert re.findall(r"line (\d+)\.", heard) == [str(i) for i in range(2000)]


def test_a_line_that_is_too_long_is_told_and_dropped(hchat):
    server = hchat("0", "--line-max", "100")
    bob, eve = server.join("bob"), server.join("eve")
    eve.send(b"x" * 100 + b"\n" + b"y" * 101 + b"\n" + b"z" * 5000 + b"\nend\n")
    assert bob.hears("end\n").split(b"<eve> ")[1:] == [b"x" * 100 + b"\n", b"end\n"]
    word = b"* that line has more than 100 bytes: it was not passed on\n"
    assert eve.hears(word, word)


def test_a_line_of_300_bytes_sends_no_other_memory(hchat):
    """As libhv's example does, to everybody. The longest line that is passed on by default comes first, so that the
    others come to where more bytes are than their own."""
    server = hchat("0")
    bob, eve = server.join("bob"), server.join("eve")
    bob.hears(" is now eve\n")
    for size, byte in zip([4096, 1024, 1023, 301, 300, 299, 257, 256, 255], b"abcdefghi"):
        line = bytes([byte]) * size
        eve.send(line + b"\n")
        assert bob.hears("\n") == b"<eve> " + line + b"\n"
    eve.say("end")  # behind all that might have come after the last of them
    assert bob.hears("\n") == b"<eve> end\n"
    assert bob.heard == b""


@pytest.mark.parametrize("byte", [b"x", b"\0", b"\xff\xf0", b"\xff\xfa\x18x"], ids=["x", "nul", "telnet", "sub"])
def test_a_megabyte_without_a_newline_is_cut_off_with_a_word(hchat, byte):
    server = hchat("0")
    bob, eve = server.join("bob"), server.join("eve")
    try:
        eve.send(byte * (1_000_000 // len(byte)))
    except OSError:
        pass  # it is cut off
    assert b"* a line without an end: good bye\n" in eve.hears_end()
    bob.hears("* eve has left lobby (a line without an end)\n")


def test_what_could_harm_a_terminal_arrives_as_text(hchat):
    server = hchat("0")
    bob, eve = server.join("bob"), server.join("eve")
    eve.send(b"a\x1b[2J\x07\tb\x00c\x7f\r\n\xc3\x28\xe2\x80\xae\xc2\x9b1m \xf0\x9f\x98\x80 gr\xc3\xbc\xc3\x9fe\n"
             b"/me \x1b]0;x\x07\n/topic \x1b[5m\n/quit \x1b[1m\n")
    heard = bob.hears("* eve has left", "\n").decode()
    assert heard.splitlines()[-5:] == [
        r"<eve> a\x1b[2J\x07 b\x00c\x7f",
        r"<eve> \xc3(\xe2\x80\xae\xc2\x9b1m 😀 grüße",
        r"<eve> *\x1b]0;x\x07*",
        r"* eve sets the topic: \x1b[5m",
        r"* eve has left lobby (\x1b[1m)",
    ]


def test_nobody_can_speak_as_the_server_or_as_another(hchat):
    server = hchat("0")
    bob, eve = server.join("bob"), server.join("eve")
    eve.send("* bob has left lobby\n<bob> I owe eve money\na\r<bob> b\n/me has left lobby\nend\n".encode())
    heard = bob.hears("<eve> end\n").decode().splitlines()
    assert all(line.startswith("<eve> ") for line in heard if "guest2" not in line), heard


def test_who_does_not_read_is_dropped_and_holds_up_nobody(hchat):
    """Everybody else gets every line while he is still there."""
    server = hchat("0", "-v", "--rate", "0", "--queue-max", "256k", "--history", "0")
    bob, alice = server.join("bob"), server.join("alice")
    lazy = server.connect()
    lazy.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    alice.hears("* guest3 has joined lobby\n")
    line, n = "x" * 1000, 0
    while "reads too slowly" not in server.process.err() and n < 5000:
        bob.say(*[f"{line} {n + i}." for i in range(10)])
        n += 10
        alice.hears(f" {n - 1}.\n")
    bob.hears("* guest3 has left lobby (reads too slowly)\n")
    bob.say("the end")
    alice.hears("<bob> the end\n")
    assert server.stop()["dropped"] == 1
    assert "closed: reads too slowly" in server.process.err()
    heard = lazy.hears_end()
    assert heard.startswith(b"* welcome") and heard.endswith(b"\n* you read too slowly: good bye\n"), heard[-200:]


def test_the_longest_line_and_the_longest_greeting_fit_into_the_smallest_queue(hchat, lab):
    """Each byte is shown as four; nobody is taken for slow before he could read."""
    (lab.folder / "motd").write_bytes(b"\x01" * 16384)
    server = hchat("0", "--rate", "0", "--queue-max", "256k", "--line-max", "16k", "--motd", lab.folder / "motd")
    bob, alice = server.join("bob"), server.join("alice")
    for _ in range(2):
        bob.send(b"\x01" * 16000 + b"\n" + b"\x01" * 16384 + b"\n")
        alice.hears("<bob> " + "\\x01" * 16000 + "\n", "<bob> " + "\\x01" * 16384 + "\n")
    carol = server.join("carol")
    carol.say("here")
    alice.hears("<carol> here\n")


def test_who_reads_again_in_time_finds_a_word(hchat):
    """His queue is above its mark for longer than he may take; what he was sent before comes first."""
    server = hchat("0", "--rate", "0", "--slow-timeout", "100ms", "--history", "0")
    bob, alice = server.join("bob"), server.join("alice")
    lazy = server.join("lazy")
    lazy.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    alice.hears("* guest3 is now lazy\n")
    for i in range(60):
        bob.say(*["y" * 4000] * 10)
        if b"lazy has left" in alice.hears(*["y" * 4000 + "\n"] * 10) + alice.heard:
            break
    bob.hears("* lazy has left lobby (reads too slowly)\n")
    assert lazy.hears_end().endswith(b"y\n* you read too slowly: good bye\n")


def test_memory_is_bounded_when_many_do_not_read(hchat):
    """What waits for them is there once, whoever it waits for."""
    server = hchat("0", "--rate", "0", "--slow-timeout", "1h", "--history", "0")
    bob, alice = server.join("bob"), server.join("alice")
    before = server.rss_kib()
    lazy = [server.connect() for _ in range(50)]
    for person in lazy:
        person.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    for person in lazy:
        person.hears("* you are guest")
    for i in range(300):
        bob.say(*["z" * 4000 + f"{i}"] * 2)
        alice.hears(f"z{i}\n", f"z{i}\n")
    assert server.rss_kib() - before < (30000 if SANITIZED else 8000)
    assert server.ask_summary()["open"] >= 2


def test_resets_are_told_to_the_room_and_logged(hchat):
    server = hchat("0", "-v")
    bob, eve = server.join("bob"), server.join("eve")
    bob.hears("is now eve\n")
    eve.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
    eve.close()
    bob.hears("* eve has left lobby (connection lost)\n")
    server.process.wait_err("(eve) closed: Connection reset by peer")


def test_a_handshake_that_does_not_come_is_given_up(hchat):
    """Half-open TLS: nobody has joined; garbage instead of a handshake ends at once."""
    server = hchat("tls://127.0.0.1:0", "0", "-v", "--tls-self-signed", "--max-clients", "3", listeners=2)
    bob = server.join("bob", index=1)
    silent, noisy = server.connect(), server.connect()
    noisy.send(b"/nick eve\n" * 10)
    noisy.hears_end()
    server.process.wait_err("the peer does not speak TLS")
    silent.send(b"\x16\x03\x01")
    bob.say("/who")
    assert b"(1): bob\n" in bob.hears("* in lobby ", "\n")
    wait_until(lambda: server.ask_summary()["open"] == 2, "bob and the silent one")


def test_silence_ends(hchat):
    server = hchat("0", "--idle-timeout", "300ms")
    assert server.connect().hears_end().endswith(b"* you have been silent for too long: good bye\n")


def test_reading_is_no_talking_but_talking_is(hchat):
    server = hchat("0", "--rate", "0", "--idle-timeout", "1s")

    def talker_outlives_lurker():
        lurker, bob = server.connect(), server.connect()
        try:
            while b"* you have been silent for too long" not in lurker.heard:
                bob.say("tick")
                lurker.heard += lurker.sock.recv(4096)
            return b"lobby (silent for too long)\n" in bob.hears(" has left ", "\n")
        except (OSError, AssertionError):
            return False  # unless we always are, we were slower than the limit

    wait_until(talker_outlives_lurker, "the silent one is sent away, the other is not")


def test_too_few_descriptors_shed_newcomers_and_it_recovers(hchat):
    server = hchat("0", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24)))
    bob = server.join("bob")
    crowd = [server.connect() for _ in range(40)]
    server.process.wait_err("Too many open files: connection shed")
    wait_until(lambda: server.ask_summary()["shed"] > 0, "one is shed")
    bob.say("/msg bob still here")
    bob.hears("still here\n")
    before = cpu_s([server.pid])
    time.sleep(0.5)  # nothing happens, and nothing should be done
    assert cpu_s([server.pid]) - before < 0.2
    for person in crowd:
        person.close()
    wait_until(lambda: server.ask_summary()["open"] == 1, "the crowd is gone")
    server.join("alice").say("hello")
    bob.hears("<alice> hello\n")


def test_a_password_is_not_waited_for_too_long_nor_guessed_in_a_flood(hchat, lab):
    (lab.folder / "secret").write_text("x\n")
    server = hchat("0", "--password", f"file:{lab.folder}/secret")
    eve = server.connect()
    eve.hears("password: ")
    eve.send(b"guess\n" * 100)
    assert eve.hears_end().count(b"wrong password") == 3
    eve = server.connect()
    eve.send(b"y" * 5000 + b"\n")
    eve.hears("password: ", "* that line has more than 4096 bytes")


def test_a_topic_is_short(hchat):
    server = hchat("0")
    eve = server.join("eve")
    eve.say("/topic " + "x" * 257, "/topic " + "y" * 256, "/rooms")
    eve.hears("* a topic has 256 bytes at most\n", "* eve sets the topic: " + "y" * 256, "* lobby: 1, yyy")


def test_rooms_do_not_grow_without_bound(hchat):
    server = hchat("0", "--rate", "0")
    eve = server.join("eve")
    for i in range(0, 400, 100):
        eve.say(*[f"/join room{k}\nx" for k in range(i, i + 100)])
    eve.hears("in room399, alone\n")
    assert server.ask_summary()["rooms"] <= 102
