# One thread.
"""hchat as a client: at a terminal, in a pipe, over TLS, and when the connection is lost."""

import contextlib
import re
import signal
import socket
import subprocess
import termios
import time

import pytest

from conftest import TIMEOUT, wait_until
from pki import Pki
from terminal import CTRL_A, CTRL_C, CTRL_D, UP, Terminal

HOST = "127.0.0.1"
GREETING = "* welcome to hchat: /help tells what there is\n* you are guest1 in lobby, alone\n"


class Room:
    """The test as a chat server, and the terminals of the test."""

    def __init__(self, lab):
        self.lab = lab
        self.terminals = []
        self.listener = socket.create_server((HOST, 0))
        self.listener.settimeout(TIMEOUT)
        self.port = self.listener.getsockname()[1]
        self.socket = None

    def terminal(self, *args, wait=True, **options):
        options.setdefault("XDG_STATE_HOME", self.lab.path("state"))
        t = Terminal([self.lab.program("hchat"), *args, HOST, self.port], **options)
        self.terminals.append(t)
        self.accept()
        if wait and b"readline" in self.lab.run("hchat", "--version").out():
            t.wait_editing()
        return t

    def greeted(self, *args):
        """A terminal that has heard the server, and so knows that its connection is there: what is typed before it
        does is not sent."""
        t = self.terminal(*args)
        self.send(GREETING)
        t.wait(lambda: "alone" in t.last(), "it is connected")
        return t

    def pipe(self, *args, **options):
        """In a pipe, connected."""
        hchat = self.lab.spawn("hchat", *args, HOST, self.port, stdin=subprocess.PIPE, **options)
        self.accept()
        return hchat

    def accept(self):
        if self.socket:
            self.socket.close()
        self.socket, _ = self.listener.accept()
        self.socket.settimeout(TIMEOUT)

    def send(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def expect(self, text):
        wanted, got = text.encode(), b""
        while len(got) < len(wanted):
            data = self.socket.recv(len(wanted) - len(got))
            assert data, got
            got += data
        assert got == wanted

    def expect_end(self):
        assert self.socket.recv(1) == b""

    def close(self):
        for terminal in self.terminals:
            terminal.close()
        self.listener.close()
        if self.socket:
            self.socket.close()


@pytest.fixture
def room(lab):
    room = Room(lab)
    yield room
    room.close()


def edited(room):
    if b"readline" not in room.lab.run("hchat", "--version").out():
        pytest.skip("hchat is built without readline")


# ---- at a terminal -------------------------------------------------------------------------------


def test_what_is_typed_stays_whole_under_what_others_say(room):
    edited(room)
    t = room.terminal()
    room.send(GREETING)
    t.type("good mor")
    t.wait(lambda: t.last() == "good mor", "it is typed")
    room.send("<bob> hello\n")
    t.wait(lambda: t.lines()[-2:] == ["<bob> hello", "good mor"], "bob is heard above")
    t.type("ning\r")
    room.expect("good morning\n")
    t.type(UP + "!\r")
    room.expect("good morning!\n")
    t.type(CTRL_D)
    room.expect("/quit\n")
    room.expect_end()
    room.send("* good bye\n")
    room.socket.close()
    assert t.wait_exit() == 0
    assert "* good bye" in t.lines()
    assert t.is_restored()


def test_tab_completes_commands_and_names(room):
    edited(room)
    t = room.terminal()
    room.send("* barbara has joined lobby\n* x is now bob\n[12:00] <basil> hello\n* you are in\n")
    t.wait(lambda: "* you are in" in t.lines(), "all is heard")
    for typed, completed in (("/ni\t", "/nick"), ("hello Bar\t", "hello barbara"), ("b\t", "basil"),
                             ("b\t\t", "bob"), ("b\t\t\t", "barbara"), ("zz\t", "zz")):
        t.type(typed)
        t.wait(lambda: t.last() == completed, f"{typed!r}: {completed}")
        t.type(CTRL_A + "\x0b")
        t.wait(lambda: t.last() == "* you are in", "an empty line")


def test_names_have_colours_at_a_terminal_unless_no_color(room):
    t = room.terminal(NO_COLOR=None)
    room.send("<bob> hello <eve>\n")
    t.wait(lambda: "<bob> hello <eve>" in t.lines(), "bob is heard")
    assert re.search(rb"<\033\[[0-9;]+mbob\033\[0m> hello <eve>", t.raw)
    for args, environment in ((), {"NO_COLOR": "1"}), (("--color=never",), {}):
        t = room.terminal(*args, **environment)
        room.send("<bob> hello\n")
        t.wait_raw(b"<bob> hello")


def test_a_hostile_server_commands_no_terminal(room):
    t = room.terminal("--color=never")
    room.send(b"\033[2J\033]0;title\007<eve>\xff\xc2\x9b \xe2\x80\xae x\tx\r\n")
    t.wait(lambda: any("x x" in line for line in t.lines()), "it is shown")
    assert b"\033[2J\033]0;" not in t.raw
    assert r"\x1b[2J\x1b]0;title\x07<eve>\xff\xc2\x9b \xe2\x80\xae x x" in "".join(t.lines())


def test_a_long_line_is_told_and_an_endless_one_ends_it(room):
    hchat = room.pipe()
    room.send(b"x" * 70000 + b"\nafter\n")
    hchat.wait_out(b"after\n")
    assert "hchat: a line of more than 64 KiB is not shown" in hchat.err()
    assert hchat.out() == b"after\n"
    try:
        for _ in range(64):
            room.send(b"x" * 65536)
    except OSError:
        pass
    assert hchat.wait() == 1
    assert hchat.err().count("\n") == 3, hchat.err()


def test_a_pipe_without_an_end_of_line_is_left(room):
    hchat = room.pipe()
    with contextlib.suppress(BrokenPipeError):
        hchat.popen.stdin.write(b"x" * 1010000)
        hchat.popen.stdin.flush()
    room.expect("/quit\n")
    room.expect_end()
    room.send("* good bye\n")
    room.socket.close()
    assert hchat.wait() == 0
    assert "hchat: a line of more than 64 KiB is not sent" in hchat.err()


def test_ctrl_c_says_good_bye(room):
    t = room.greeted()
    t.type(CTRL_C)
    room.expect("/quit\n")
    room.socket.close()
    assert t.wait_exit() == -signal.SIGINT
    assert t.is_restored()


def test_a_server_that_does_not_let_go_is_left(room):
    t = room.greeted()
    t.type(CTRL_D)
    room.expect("/quit\n")
    assert t.wait_exit() == 1
    assert "hchat: the server does not close the connection" in t.lines()


def test_with_no_history_nothing_is_kept(room, tmp_path):
    for args, kept in (("--no-history",), False), ((), True):
        t = room.greeted(*args)
        t.type("secret\r")
        room.expect("secret\n")
        t.type(CTRL_D)
        room.expect("/quit\n")
        room.socket.close()
        assert t.wait_exit() == 0
        assert (tmp_path / "state" / "hchat" / "history").exists() == kept or not kept


@pytest.mark.parametrize("args, environment", [
    ((), {}), (("--no-history",), {}), ((), {"TERM": "dumb"}),
])
def test_a_password_that_is_typed_is_neither_shown_nor_kept(room, tmp_path, args, environment):
    t = room.terminal("--color=never", *args, wait=not environment, **environment)
    room.send("password: ")
    t.wait(lambda: t.last() == "password:", "the question")
    t.wait(lambda: t.is_editing() or not t.mode()[3] & termios.ECHO, "it is hidden")
    t.type("sesamx\x7fe\r")
    room.expect("sesame\n")
    room.send(GREETING)
    t.wait(lambda: t.last() == GREETING.splitlines()[-1], "the greeting")
    t.type("hello")
    t.wait(lambda: t.last() == "hello", "what follows is shown")
    t.type("\r")
    room.expect("hello\n")
    t.type(CTRL_D)
    room.expect("/quit\n")
    room.socket.close()
    assert t.wait_exit() == 0
    assert t.is_restored()
    assert b"s" not in re.sub(rb"\* .*|[Pp]assword", b"", t.raw), t.raw
    history = tmp_path / "state" / "hchat" / "history"
    assert (history.read_text().splitlines() if history.exists() else []) == (
        ["hello"] if not args and not environment else [])


def test_half_a_password_is_dropped_when_nobody_asks_any_more(room):
    edited(room)
    t = room.terminal("--color=never")
    t.type("half a message")
    t.wait(lambda: t.last() == "half a message", "it is typed")
    room.send("The Password: ")
    t.wait(lambda: t.last() == "The Password:", "the question, alone")
    before = t.has_read()
    t.type("ses")
    t.wait(lambda: t.has_read() == before + 3, "hchat has it")
    room.send("too late\n* another line\n")
    t.wait(lambda: t.last() == "* another line", "the question is over")
    t.type("hello\r")
    room.expect("hello\n")
    assert b"ses" not in t.raw


def test_a_terminal_that_is_nearly_too_narrow_for_a_letter(room):
    """Readline divided by the width that it had left."""
    t = room.terminal(columns=3, TERM="nosuch")
    t.type("hello\r")
    room.expect("hello\n")


# ---- in a pipe -----------------------------------------------------------------------------------


def test_a_pipe_is_said_and_its_end_is_a_good_bye(room):
    hchat = room.pipe()
    hchat.send(b"one\r\n\ntwo\nthree")
    hchat.end_input()
    room.expect("one\ntwo\nthree\n/quit\n")
    room.expect_end()
    room.send("<bob> late answer\nunended")
    room.socket.close()
    assert hchat.wait() == 0
    assert hchat.out() == b"<bob> late answer\nunended\n"
    assert hchat.err() == ""


@pytest.mark.parametrize("args", [(), ("--reconnect",)])
def test_who_says_quit_has_left_and_was_not_cut_off(room, args):
    hchat = room.pipe(*args)
    room.send(GREETING)
    hchat.send(b"/quit off\nno more\n")
    room.expect("/quit off\n")
    room.socket.close()
    assert hchat.wait() == 0 and hchat.err() == ""


def test_name_and_room_are_told_when_the_server_has_greeted(room):
    hchat = room.pipe("--nick", "bob", "--join", "cats")
    hchat.send(b"hello\n")
    room.send(GREETING)
    room.expect("/nick bob\n/join cats\nhello\n")
    hchat.end_input()
    room.expect("/quit\n")
    room.socket.close()
    assert hchat.wait() == 0


def test_without_a_greeting_they_are_told_after_a_while(room):
    hchat = room.pipe("--nick", "bob")
    hchat.send(b"hello\n")
    room.expect("/nick bob\nhello\n")


def test_the_password_comes_first(room, tmp_path):
    (tmp_path / "secret").write_text("open sesame\n")
    hchat = room.pipe("--password", f"file:{tmp_path}/secret", "--nick", "bob")
    room.send("password: ")
    hchat.send(b"hello\n")
    room.expect("open sesame\n")
    room.send(GREETING)
    room.expect("/nick bob\nhello\n")
    assert "sesame" not in hchat.err()


def test_a_pipe_that_was_not_let_in_has_failed(room):
    hchat = room.pipe()
    room.send("password: ")
    hchat.send(b"hello\n")
    room.expect("hello\n")
    room.send("* wrong password\npassword: ")
    hchat.end_input()
    room.expect("/quit\n")
    room.expect_end()
    room.socket.close()
    assert hchat.wait() == 1
    assert hchat.err() == "hchat: the server wants a password (--password), and has not let us in\n"


def test_a_server_without_a_word_has_heard_nothing(room):
    hchat = room.pipe()
    hchat.send(b"hello\n")
    hchat.end_input()
    room.expect("hello\n/quit\n")
    room.socket.close()
    assert hchat.wait() == 1
    assert hchat.err() == "hchat: the server has closed the connection without a word\n"


def test_a_pipe_that_was_too_fast_has_failed(room):
    hchat = room.pipe()
    room.send(GREETING)
    hchat.send(b"hello\n")
    hchat.end_input()
    room.expect("hello\n/quit\n")
    room.send("* you write too fast: that was not passed on\n")
    room.socket.close()
    assert hchat.wait() == 1
    assert hchat.err() == "hchat: the server has not passed on all lines: they came too fast " \
        "(--rate, --burst)\n"


def test_a_pipe_is_said_at_the_servers_pace(room):
    hchat = room.pipe("--rate", "10", "--burst", "2")
    room.send(GREETING)
    begin = time.monotonic()
    hchat.send(b"1\n2\n3\n4\n5\n6\n7\n8\n\n\n/quit")
    hchat.end_input()
    room.expect("1\n2\n3\n4\n5\n6\n7\n8\n/quit\n")
    assert time.monotonic() - begin > 0.7  # slowness makes it longer only
    room.socket.close()
    assert hchat.wait() == 0 and hchat.err() == ""


def test_a_pipe_that_waits_loses_nothing(room):
    hchat = room.pipe("--rate", "1000000")
    lines = [b"%d " % i + b"x" * 100 + b"\n" for i in range(2000)]
    room.send(GREETING)
    hchat.send(b"".join(lines) + b"unended")
    hchat.end_input()
    room.expect(b"".join(lines).decode() + "unended\n/quit\n")


def test_a_question_without_an_end_is_shown(room):
    hchat = room.pipe()
    room.send("password: ")
    hchat.wait_out(b"password: ")
    room.send("(really) \n")
    hchat.wait_out(b"password: (really) \n")


def test_timestamps(room):
    hchat = room.pipe("--timestamps")
    room.send("<bob> hello\n")
    hchat.wait_out(b"hello\n")
    assert re.fullmatch(rb"\[\d\d:\d\d\] <bob> hello\n", hchat.out())


def test_a_reader_that_goes_away_ends_it(room):
    hchat = room.pipe(stdout=subprocess.PIPE)
    hchat.popen.stdout.close()
    room.send("<bob> hello\n")
    assert hchat.wait() == 1


def test_a_slow_reader_stops_the_server(room):
    hchat = room.pipe(stdout=subprocess.PIPE)
    room.socket.settimeout(1)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 1 << 26:
            sent += room.socket.send(b"<bob> " + b"x" * 1000 + b"\n")
    with open(f"/proc/{hchat.pid}/statm") as statm:
        assert int(statm.read().split()[1]) * 4096 < 1 << 26


# ---- the connection ------------------------------------------------------------------------------


def test_a_lost_connection_is_told(room):
    hchat = room.pipe()
    room.socket.close()
    assert hchat.wait() == 1
    assert hchat.err() == "hchat: the server has closed the connection\n"
    room.listener.close()
    hchat = room.lab.run("hchat", HOST, room.port)
    assert hchat.wait() == 1
    assert f"hchat: connect to {HOST} port {room.port}: Connection refused" in hchat.err()


def test_reconnect_goes_back_under_the_last_name(room):
    hchat = room.pipe("--reconnect", "--nick", "bob")
    room.send(GREETING)
    room.expect("/nick bob\n")
    hchat.send(b"/nick bobby\n/join cats\n")
    room.expect("/nick bobby\n/join cats\n")
    room.accept()
    hchat.wait_err("hchat: the server has closed the connection; again in ")
    room.send(GREETING)
    room.expect("/nick bobby\n/join cats\n")
    hchat.send(b"here again\n")
    room.expect("here again\n")
    hchat.end_input()
    room.expect("/quit\n")
    room.socket.close()
    assert hchat.wait() == 0


def test_reconnect_goes_back_to_no_room_that_was_left(room):
    hchat = room.pipe("--reconnect", "--join", "cats")
    room.send(GREETING)
    room.expect("/join cats\n")
    hchat.send(b"/Nick  bob\n/leave\n")
    room.expect("/Nick  bob\n/leave\n")
    room.accept()
    room.send(GREETING)
    hchat.send(b"here again\n")
    room.expect("/nick bob\nhere again\n")


@pytest.mark.parametrize("args, status, words", [
    (["--tls-ca", "x", "127.0.0.1", "1"], 2, "need --tls"),
    (["--connect", "udp://127.0.0.1:1"], 2, "datagrams"),
    (["--connect", "127.0.0.1:x:y"], 2, ""),
    (["--connect", ""], 2, "--connect"),
    (["--nick", "a\nb", "127.0.0.1", "1"], 2, "one line"),
    (["--nick", "x" * 300, "127.0.0.1", "1"], 2, "too long"),
    (["--password", "pass:x", "127.0.0.1", "1"], 2, "--password"),
    (["--password", "env:NOT_THERE", "127.0.0.1", "1"], 1, "--password"),
    (["--tls", "--tls-ca", "/nonexistent", "127.0.0.1", "1"], 1, "/nonexistent"),
    (["--connect", "unix:/nonexistent/x"], 1, "No such file"),
])
def test_what_cannot_be_is_told(lab, args, status, words):
    hchat = lab.run("hchat", *args)
    assert hchat.wait() == status, hchat
    assert words in hchat.err() and hchat.err().startswith("hchat: ")
    assert hchat.err().count("\n") == 1, hchat.err()


def test_a_whole_talk_over_tls(lab, tmp_path):
    pki = Pki(tmp_path)
    cert, key = pki.issue("localhost")
    server = lab.spawn("hchat", "--tls-cert", cert, "--tls-key", key, f"tls://{HOST}:0")
    port = wait_until(lambda: re.search(r"listening on .*:(\d+)$", server.err(), re.M), f"{server}")[1]
    bob = lab.spawn("hchat", "--tls", "--tls-ca", pki.ca, "--nick", "bob", HOST, port,
                    stdin=subprocess.PIPE)
    bob.wait_out(b"is now bob\n")
    eve = lab.spawn("hchat", "--tls-ca", pki.ca, "--nick", "eve", "--connect", f"tls://{HOST}:{port}",
                    stdin=subprocess.PIPE)
    eve.send(b"hello\n")
    bob.wait_out(b"<eve> hello\n")
    for client in bob, eve:
        client.end_input()
        assert client.wait() == 0, client
    insecure = lab.run("hchat", "--tls", "--insecure", HOST, port, data=b"")
    assert insecure.wait() == 0
    untrusted = lab.run("hchat", "--tls", HOST, port, data=b"")
    assert untrusted.wait() == 1
    assert "certificate" in untrusted.err()
    other = lab.run("hchat", "--tls", "--tls-ca", pki.ca, "--tls-name", "other.test", HOST, port)
    assert other.wait() == 1
    assert "certificate" in other.err()
