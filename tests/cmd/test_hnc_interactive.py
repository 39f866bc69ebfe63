# One thread.
"""hnc at a terminal: lines are edited, and nothing breaks the one that is being typed."""

import os
import signal
import socket
import stat

import pytest

from conftest import TIMEOUT
from pki import Pki
from terminal import (CTRL_A, CTRL_C, CTRL_D, CTRL_R, CTRL_U, CTRL_Z, PASTE_BEGIN, PASTE_END, UP,
                      Terminal)

HOST = "127.0.0.1"


class Peer:
    """A listener for one hnc, and the terminals of the test."""

    def __init__(self, lab):
        self.lab = lab
        self.terminals = []
        self.listener = socket.create_server((HOST, 0))
        self.listener.settimeout(TIMEOUT)
        self.port = self.listener.getsockname()[1]
        self.socket = None

    def terminal(self, *args, **options):
        options.setdefault("XDG_STATE_HOME", self.lab.path("state"))
        terminal = Terminal(args, **options)
        self.terminals.append(terminal)
        return terminal

    def hnc(self, *args, wait=True, **options):
        """hnc, connected, and ready for keys."""
        terminal = self.terminal(self.lab.program("hnc"), *args, HOST, self.port, **options)
        self.accept()
        if wait:
            terminal.wait_editing()
        return terminal

    def accept(self):
        if self.socket:
            self.socket.close()
        self.socket, _ = self.listener.accept()
        self.socket.settimeout(TIMEOUT)

    def send(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def expect(self, text):
        """The next bytes are these."""
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
def peer(lab, request):
    """Without readline in it, hnc has to pass the tests where nothing is edited."""
    edits = b"readline" in lab.run("hnc", "--version").out()
    if not edits and not request.node.name.startswith(("test_never", "test_without", "test_a_dumb")):
        pytest.skip("hnc is built without readline")
    peer = Peer(lab)
    yield peer
    peer.close()


def history(peer):
    return os.path.join(peer.lab.path("state"), "hnc", "history")


def leave(peer, terminal):
    """The peer closes, hnc ends; the terminal is as before."""
    peer.socket.close()
    assert terminal.wait_exit() == 0
    assert terminal.is_restored()


# ---- what arrives and what is typed --------------------------------------------------------------


def test_typed_text_survives_incoming_lines(peer):
    t = peer.hnc()
    t.type("hello wor")
    t.wait_lines("hello wor")
    peer.send("one\ntwo\n")
    t.wait_lines("one", "two", "hello wor")
    t.wait_cursor(2, 9)
    t.type("ld" + CTRL_A + ">")
    t.wait_lines("one", "two", ">hello world")
    peer.send("three\n")
    t.wait_lines("one", "two", "three", ">hello world")
    t.wait_cursor(3, 1)
    t.type("\r")
    peer.expect(">hello world\n")
    t.wait_lines("one", "two", "three", ">hello world")
    peer.send("four\n")
    t.wait_lines("one", "two", "three", ">hello world", "four")


def test_an_unfinished_line_stands_in_front_and_is_continued(peer):
    t = peer.hnc()
    peer.send("login: ")
    t.wait_lines("login:")
    t.type("bob")
    t.wait_lines("login: bob")
    peer.send("(or ")
    t.wait_lines("login: (or bob")
    peer.send("mail)\nPassword: ")
    t.wait_lines("login: (or mail)", "Password: bob")
    t.type("\r")
    peer.expect("bob\n")
    peer.send("welcome\n")
    t.wait_lines("login: (or mail)", "Password: bob", "welcome")


def test_progress_that_is_drawn_over_itself(peer):
    t = peer.hnc()
    t.type("x")
    for percent in (10, 20, 30):
        peer.send(f"\r{percent}% ")
        t.wait_lines(f"{percent}% x")
    peer.send("\n")
    t.wait_lines("30%", "x")


def test_colours_of_an_unfinished_line_have_no_width(peer):
    t = peer.hnc()
    t.type("x" * 70)
    peer.send("\033[31mred\033[0m$ ")
    t.wait_lines("red$ " + "x" * 70)
    t.type("y" * 10)
    t.wait_lines("red$ " + "x" * 70 + "y" * 5, "y" * 5)
    assert t.screen.buffer[0][0].fg == "red"
    t.wait_cursor(1, 5)


def test_a_flood_of_lines_leaves_the_typed_text(peer):
    t = peer.hnc()
    t.type("typed")
    t.wait_lines("typed")
    peer.socket.setblocking(False)
    data = b"".join(b"line %06d\n" % i for i in range(50000))
    while data:
        try:
            data = data[peer.socket.send(data):]
        except BlockingIOError:
            pass
        t.read()
    t.wait(lambda: t.lines()[-2:] == ["line 049999", "typed"], "the last line, and the typed text")
    peer.socket.settimeout(TIMEOUT)
    t.type("\r")
    peer.expect("typed\n")


def test_messages_leave_the_typed_text(peer):
    port = peer.lab.port()
    t = peer.terminal(peer.lab.program("hnc"), "-lkvn", HOST, port)
    t.wait(lambda: "Listening on" in "".join(t.lines()), "hnc listens")
    with socket.create_connection((HOST, port)) as first:
        t.wait_editing()
        t.type("typed")
        t.wait(lambda: t.last() == "typed", "the typed text")
        with socket.create_connection((HOST, port)):
            t.wait(lambda: len(t.lines()) == 4 and t.last() == "typed", "a second message")
        lines = t.lines()
        assert lines[2].startswith("Connection received on 127.0.0.1")
        assert lines[3] == "typed"
        t.type("\r")
        assert first.recv(100) == b"typed\n"


def test_escapes_of_the_peer_are_passed_on(peer):
    t = peer.hnc()
    t.type("typed")
    peer.send("junk\n")
    t.wait_lines("junk", "typed")
    peer.send("\033[2J\033[Hclean\n")
    t.wait_lines("clean", "typed")


def test_text_that_was_not_sent_stays_on_the_screen(peer):
    t = peer.hnc()
    t.type("not sent")
    t.wait_lines("not sent")
    leave(peer, t)
    assert t.lines() == ["not sent"]
    t.wait_cursor(1, 0)


# ---- editing -------------------------------------------------------------------------------------


def test_tab_is_a_tab(peer):
    t = peer.hnc()
    t.type("a\tb\r")
    peer.expect("a\tb\n")


def test_a_paste_of_lines_is_one_edit(peer):
    t = peer.hnc()
    t.wait_raw(b"\033[?2004h")
    t.type(PASTE_BEGIN + "one\rtwo\r\tthree" + PASTE_END)
    t.wait_lines("one", "two", "        three")
    peer.send("incoming\n")
    t.wait_lines("incoming", "one", "two", "        three")
    t.type("!\r")
    peer.expect("one\ntwo\n\tthree!\n")
    t.type(UP)
    t.wait_lines("incoming", "one", "two", "        three!", "one", "two", "        three!")
    leave(peer, t)
    assert "\033[?2004l" in t.raw.decode()
    with open(history(peer)) as file:
        assert file.read() == "one\\ntwo\\n\tthree!\n"


def test_a_paste_that_comes_in_pieces_is_one_edit(peer):
    t = peer.hnc()
    for piece in (PASTE_BEGIN[:3], PASTE_BEGIN[3:] + "on", "e\r\033[", "201", "~\r"):
        t.type(piece)
    peer.expect("one\n\n")
    text = "x" * 100000
    t.type(PASTE_BEGIN + text + PASTE_END + "\r")
    t.wait(lambda: len(peer.socket.recv(len(text), socket.MSG_PEEK)) == len(text), "the paste")
    peer.expect(text + "\n")


def test_crlf_is_sent_for_each_line(peer):
    t = peer.hnc("-C")
    t.type("one\r" + PASTE_BEGIN + "two\rthree" + PASTE_END + "\r")
    peer.expect("one\r\ntwo\r\nthree\r\n")


def test_wide_characters(peer):
    t = peer.hnc()
    t.type("日本語é")
    t.wait(lambda: t.cursor() == (0, 7), "the cursor behind seven columns")
    peer.send("größe\n")
    t.wait(lambda: t.cursor() == (1, 7), "the cursor a line below")
    assert t.lines()[0] == "größe"
    t.type("\x7f\x7f\x7f!\r")
    peer.expect("日!\n")


def test_lines_longer_than_the_terminal(peer):
    t = peer.hnc(rows=10, columns=20)
    text = "".join(chr(ord("a") + i % 26) for i in range(50))
    t.type(text)
    t.wait_lines(text[:20], text[20:40], text[40:])
    peer.send("in\n")
    t.wait_lines("in", text[:20], text[20:40], text[40:])
    t.type("\r")
    peer.expect(text + "\n")
    t.type("x" * 5000)
    peer.send("more\n")
    t.type("\r")
    peer.expect("x" * 5000 + "\n")


def test_the_size_of_the_terminal_may_change(peer):
    t = peer.hnc(columns=40)
    text = "x" * 60
    t.type(text)
    t.wait_lines(text[:40], text[40:])
    t.resize(24, 100)
    t.type("y")
    t.wait(lambda: t.last() == text + "y", "one line")
    peer.send("in\n")
    t.wait(lambda: t.lines()[-2:] == ["in", text + "y"], "a line, and the typed one below")


def test_searching_the_history_is_not_disturbed(peer):
    t = peer.hnc()
    t.type("first\rsecond\r")
    peer.expect("first\nsecond\n")
    t.type(CTRL_R + "fir")
    t.wait(lambda: "(reverse-i-search)`fir': first" in t.last(), "the search")
    peer.send("incoming\nlogin: ")
    t.wait(lambda: t.lines()[-2:] == ["incoming", "(reverse-i-search)`fir': first"], "both")
    t.type("\033")
    t.wait(lambda: t.lines()[-2:] == ["incoming", "login: first"], "the prompt in its place")
    t.type("\r")
    peer.expect("first\n")


def test_each_line_is_a_datagram(peer):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))
        server.settimeout(TIMEOUT)
        t = peer.terminal(peer.lab.program("hnc"), "-u", HOST, server.getsockname()[1])
        t.wait_editing()
        t.type("one\rtwo\r")
        assert [server.recv(100), server.recv(100)] == [b"one\n", b"two\n"]


def test_lines_wait_until_there_is_a_client(peer):
    port = peer.lab.port()
    t = peer.terminal(peer.lab.program("hnc"), "-lkn", HOST, port)
    peer.lab.wait_bound(port)
    with socket.create_connection((HOST, port)) as first:
        t.wait_editing()
        t.type("one\r")
        assert first.recv(100) == b"one\n"
        first.shutdown(socket.SHUT_WR)
        assert first.recv(100) == b""
    t.type("two\r")
    t.wait(lambda: t.last() == "two", "the second line")
    with socket.create_connection((HOST, port)) as second:
        second.settimeout(TIMEOUT)
        assert second.recv(100) == b"two\n"


# ---- history -------------------------------------------------------------------------------------


def test_the_history_is_kept_in_a_private_file(peer):
    t = peer.hnc()
    t.type("one\r secret\rtwo\rtwo\r\r")
    peer.expect("one\n secret\ntwo\ntwo\n\n")
    t.type(UP)
    t.wait(lambda: t.last() == "two", "the last line")
    leave(peer, t)
    path = history(peer)
    with open(path) as file:
        assert file.read() == "one\ntwo\n"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    t = peer.hnc()
    t.type(UP + UP + "!\r")
    peer.expect("one!\n")


def test_the_history_is_where_the_home_is(peer):
    home = peer.lab.path("home")
    t = peer.hnc(HOME=home, XDG_STATE_HOME=None)
    t.type("one\r")
    peer.expect("one\n")
    leave(peer, t)
    assert os.path.exists(os.path.join(home, ".local/state/hnc/history"))


def test_the_history_is_bounded(peer):
    path = history(peer)
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as file:
        file.writelines(f"line {i}\n" for i in range(1500))
    t = peer.hnc()
    t.type("new\r")
    peer.expect("new\n")
    leave(peer, t)
    with open(path) as file:
        lines = file.read().splitlines()
    assert len(lines) == 1000
    assert (lines[0], lines[-2], lines[-1]) == ("line 501", "line 1499", "new")


@pytest.mark.parametrize("end", [CTRL_C, CTRL_D])
def test_the_history_is_saved_when_the_user_leaves(peer, end):
    t = peer.hnc()
    t.type("one\r")
    peer.expect("one\n")
    t.type(end)
    peer.expect_end()
    peer.socket.close()
    t.wait_exit()
    with open(history(peer)) as file:
        assert file.read() == "one\n"


def test_no_history(peer):
    t = peer.hnc("--no-history")
    t.type("one\r")
    peer.expect("one\n")
    t.type(UP)
    t.wait_lines("one", "one")
    leave(peer, t)
    assert not os.path.exists(peer.lab.path("state"))


def test_a_broken_history_is_said_once_and_left_as_it_is(peer):
    path = history(peer)
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as file:
        file.write(b"a\0b\n")
    t = peer.hnc()
    t.type("one\r")
    peer.expect("one\n")
    leave(peer, t)
    assert t.raw.count(b"history is off: ") == 1
    assert b"history is not saved" not in t.raw
    with open(path, "rb") as file:
        assert file.read() == b"a\0b\n"


# ---- the ends ------------------------------------------------------------------------------------


def test_ctrl_d_ends_the_sending_side_and_receiving_goes_on(peer):
    t = peer.hnc()
    t.type("last\r")
    peer.expect("last\n")
    t.type("x" + CTRL_D)  # deletes nothing at the end of a line that is not empty
    t.wait(lambda: t.last() == "x", "the typed text")
    t.type(CTRL_U + CTRL_D)
    peer.expect_end()
    t.wait(t.is_restored, "the terminal is as it was")
    peer.send("still\nheard")
    t.wait(lambda: t.lines()[-2:] == ["still", "heard"], "what came after the end")
    leave(peer, t)


def test_ctrl_d_with_no_shutdown_leaves_the_sending_side_open(peer):
    t = peer.hnc("--no-shutdown")
    t.type(CTRL_D)
    t.wait(t.is_restored, "the terminal is as it was")
    peer.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.socket.recv(1)


def ends_by(key_or_signal):
    def end(peer, t):
        if isinstance(key_or_signal, str):
            t.type(key_or_signal)
            number = {CTRL_C: signal.SIGINT, "\x1c": signal.SIGQUIT}[key_or_signal]
        else:
            number = key_or_signal
            os.kill(t.pid, number)
        assert t.wait_exit() == -number

    return end


def ends_by_the_peer(peer, t):
    peer.socket.close()
    assert t.wait_exit() == 0


def ends_by_a_reset(peer, t):
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.socket.close()
    t.wait_exit()


ENDS = {
    "ctrl-c": ends_by(CTRL_C),
    "ctrl-backslash": ends_by("\x1c"),
    "sigterm": ends_by(signal.SIGTERM),
    "sighup": ends_by(signal.SIGHUP),
    "sigabrt": ends_by(signal.SIGABRT),
    "sigtrap": ends_by(signal.SIGTRAP),
    "sigalrm": ends_by(signal.SIGALRM),
    "peer": ends_by_the_peer,
    "reset": ends_by_a_reset,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_the_terminal_is_restored_on_every_way_out(peer, end):
    t = peer.hnc()
    t.type("typed")
    t.wait_lines("typed")
    end(peer, t)
    assert t.is_restored()
    assert t.raw.rfind(b"\033[?2004l") > t.raw.rfind(b"\033[?2004h")


def test_the_terminal_is_restored_after_the_idle_timeout(peer):
    t = peer.hnc("--idle-timeout", "100ms", wait=False)
    assert t.wait_exit() == 1
    assert t.is_restored()
    assert t.last().startswith("hnc: idle timeout")


# ---- job control ---------------------------------------------------------------------------------


@pytest.fixture
def shell(peer):
    """bash, for its job control; hnc runs in it, connected and ready."""
    t = peer.terminal(peer.lab.program("bash"), "--norc", "--noediting", "-i", PS1="$ ",
                      BASH_SILENCE_DEPRECATION_WARNING="1")
    t.wait(lambda: t.last().endswith("$"), "the prompt")
    t.before = t.mode()
    t.type(f"{peer.lab.program('hnc')} {HOST} {peer.port}\r")
    peer.accept()
    t.wait_editing()
    return t


def wait_prompt(t):
    t.wait(lambda: t.last() == "$", "the prompt of the shell")


def test_stopped_and_continued(peer, shell):
    t = shell
    t.type("typed")
    t.wait(lambda: t.last() == "typed", "the typed text")
    t.type(CTRL_Z)
    wait_prompt(t)
    assert t.is_restored()
    assert any("Stopped" in line for line in t.lines())
    peer.send("meanwhile\n")
    t.type("fg\r")
    t.wait(lambda: t.lines()[-2:] == ["meanwhile", "typed"], "what came, and the typed text")
    assert t.is_editing()
    t.type("!\r")
    peer.expect("typed!\n")
    t.type(CTRL_C)
    wait_prompt(t)
    assert t.is_restored()


def test_stopped_from_outside_and_continued(peer, shell):
    t = shell
    children = f"/proc/{t.pid}/task/{t.pid}/children"
    with open(children) as file:
        hnc = int(file.read().split()[0])
    t.type("typed")
    t.wait(lambda: t.last() == "typed", "the typed text")
    os.kill(hnc, signal.SIGSTOP)
    wait_prompt(t)
    assert any("Stopped" in line for line in t.lines())
    t.wait(t.is_restored, "the shell has the terminal")
    t.type("fg\r")
    t.wait(lambda: t.last() == "typed" and t.is_editing(), "the typed text again")
    t.type("!\r")
    peer.expect("typed!\n")


def test_in_the_background_it_goes_on_receiving(peer, shell):
    t = shell
    t.type(CTRL_Z)
    wait_prompt(t)
    t.type("bg\r")
    t.wait(lambda: any(line.startswith("[1]+ ") and line.endswith("&") for line in t.lines()), "bg")
    peer.send("received\n")
    t.wait(lambda: any(line.endswith("received") for line in t.lines()), "what was received")
    assert t.is_restored()
    t.type("echo $((6 * 7))\r")
    t.wait(lambda: "42" in t.lines(), "the shell gets what is typed")
    wait_prompt(t)
    t.type("fg\r")
    t.wait_editing()
    t.type("typed\r")
    peer.expect("typed\n")


# ---- where nothing is edited ---------------------------------------------------------------------


def libreadline(pid):
    with open(f"/proc/{pid}/maps") as maps:
        return "libreadline" in maps.read()


def test_readline_is_there_at_a_terminal(peer):
    assert libreadline(peer.hnc().pid)


@pytest.mark.parametrize("end", ["stdin", "stdout"])
def test_never_readline_on_a_pipe(peer, end):
    """One end is a terminal, the other a pipe."""
    t = peer.terminal("sleep", "1000")
    other, mine = os.pipe()
    stdin, stdout = (other, t.slave) if end == "stdin" else (t.slave, mine)
    hnc = peer.lab.spawn("hnc", HOST, peer.port, stdin=stdin, stdout=stdout)
    peer.accept()
    if end == "stdin":
        os.write(mine, b"through\n")
    else:
        t.type("through\n")
    peer.expect("through\n")
    peer.send("back\n")
    if end == "stdin":
        t.wait(lambda: "back" in t.lines(), "the answer on the terminal")
    else:
        assert os.read(other, 100) == b"back\n"
    assert not libreadline(hnc.pid)
    assert t.is_restored()
    os.close(other)
    os.close(mine)


@pytest.mark.parametrize("option", ["-d", "--recv-only", "--no-editing"])
def test_never_readline_when_nothing_is_edited(peer, option):
    t = peer.hnc(option, wait=False)
    peer.send("received\n")
    t.wait(lambda: "received" in t.lines(), "what was received")
    assert not libreadline(t.pid)
    assert t.is_restored()


def test_without_editing_the_terminal_does_it(peer):
    t = peer.hnc("--no-editing", wait=False)
    peer.send("x\n")
    t.wait(lambda: t.lines() == ["x"], "hnc is connected")
    t.type("abd\x7fc\r")
    peer.expect("abc\n")
    assert t.is_restored()


def test_a_dumb_terminal_does_it_itself(peer):
    t = peer.hnc(wait=False, TERM="dumb")
    peer.send("x\n")
    t.wait(lambda: t.lines() == ["x"], "hnc is connected")
    assert not libreadline(t.pid)
    t.type("one\rtwo\r")
    peer.expect("one\ntwo\n")
    t.type(CTRL_D)
    peer.send("heard\n")
    t.wait(lambda: t.last() == "heard", "what comes after the end")


def test_never_asked_for_a_password_while_connections_are_served(peer):
    pki = Pki(peer.lab.folder)
    cert, key = pki.issue("locked")
    locked, port = pki.path("locked.enc"), peer.lab.port()
    pki.openssl(f"pkey -in {key} -aes128 -passout pass:secret -out {locked}")
    t = peer.terminal(peer.lab.program("hnc"), "-lkv", "--no-editing", "--ssl-cert", cert,
                      "--ssl-key", locked, HOST, port, columns=500)
    t.wait(lambda: t.last() == f"Password of {locked}:", "the question")
    t.type("secret\r")
    t.wait(lambda: t.last().startswith("Listening on"), "hnc listens")
    os.kill(t.pid, signal.SIGHUP)
    t.wait(lambda: "the key has a password: " in t.last(), "what became of it")
    done = peer.lab.run("hnc", "--send-only", "--ssl-trustfile", pki.ca, HOST, port,
                        data=b"served\n")
    assert done.wait() == 0, done
    t.wait(lambda: "served" in t.lines(), "what the client sent")
    assert "secret" not in t.raw.decode()
