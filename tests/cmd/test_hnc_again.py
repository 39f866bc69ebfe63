# One thread.
"""hnc tries again: --wait until a port answers, --reconnect after a connection was lost."""

import socket
import subprocess
import time

HOST = "127.0.0.1"


class Peer:
    """A listener whose connections are taken by hand."""

    def __init__(self, port=0):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((HOST, port))
        self.listener.listen()
        self.listener.settimeout(100)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        peer, _ = self.listener.accept()
        peer.settimeout(100)
        return peer


def test_wait_returns_once_the_port_answers(lab):
    port = lab.port()
    waiting = lab.spawn("hnc", "-zv", "--wait", "60", HOST, port)
    waiting.wait_err("refused")
    peer = Peer(port)
    assert waiting.wait() == 0
    assert "succeeded" in waiting.err()
    peer.listener.close()


def test_wait_gives_up_with_status_1_and_a_word(lab):
    port = lab.port()
    done = lab.run("hnc", "--wait", "200ms", HOST, port)
    assert done.wait() == 1
    assert str(port) in done.err() and "0.2 s" in done.err() and len(done.err().splitlines()) == 1


def test_wait_for_a_name_that_is_not_there_says_one_word(lab):
    done = lab.run("hnc", "--wait", "200ms", "nosuchhost.invalid", 80)
    assert done.wait() == 1
    assert "nosuchhost.invalid" in done.err() and "0.2 s" in done.err()
    assert len(done.err().splitlines()) == 1


def test_wait_then_talks_as_usual(lab):
    port = lab.port()
    waiting = lab.spawn("hnc", "-v", "-N", "--wait", "1m", HOST, port, stdin=lab.file(b"late\n"))
    waiting.wait_err("refused")
    peer = Peer(port).accept()
    assert peer.makefile("rb").read() == b"late\n"
    peer.close()
    assert waiting.wait() == 0


def test_reconnect_replays_the_preamble_and_goes_on(lab):
    listener = Peer()
    hnc = lab.spawn(
        "hnc", "--reconnect=fixed:10ms", "--preamble", "login\\n", HOST, listener.port,
        stdin=subprocess.PIPE,
    )
    for turn in (b"one\n", b"two\n", b"three\n"):
        peer = listener.accept()
        assert peer.recv(6, socket.MSG_WAITALL) == b"login\n"
        hnc.send(turn)
        assert peer.recv(len(turn), socket.MSG_WAITALL) == turn
        peer.sendall(b"got " + turn)
        hnc.wait_out(b"got " + turn)
        peer.close()
    peer = listener.accept()
    hnc.end_input()
    peer.close()
    assert hnc.wait() == 0
    assert hnc.out() == b"got one\ngot two\ngot three\n"


def test_reconnect_survives_a_server_that_is_away(lab):
    listener = Peer(lab.port())
    hnc = lab.spawn("hnc", "-v", "--reconnect=10ms:20ms", HOST, listener.port, stdin=subprocess.PIPE)
    listener.accept().close()
    listener.listener.close()
    hnc.wait_err("refused")
    assert hnc.running()
    again = Peer(listener.port)
    peer = again.accept()
    peer.sendall(b"back\n")
    hnc.wait_out(b"back\n")


def test_a_bad_delay_is_refused(lab):
    for text in ("fast", "1s:", "1s:2s:3s", "2s:1s", "fixed:x", ":"):
        done = lab.run("hnc", f"--reconnect={text}", HOST, 9)
        assert done.wait() == 2 and text in done.err(), text


def test_rate_limits_what_is_sent(lab):
    start = time.monotonic()
    listener = Peer()
    hnc = lab.spawn("hnc", "--rate", "20k", "-N", HOST, listener.port, stdin=lab.file(b"x" * 10000))
    peer = listener.accept()
    data = b""
    while len(data) < 10000:
        data += peer.recv(65536)
    assert time.monotonic() - start >= (10000 - 4096) / 20480, "4 KiB at once, the rest at its rate"
    peer.close()
    assert hnc.wait() == 0
