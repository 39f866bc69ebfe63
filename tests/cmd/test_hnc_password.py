# One thread.
"""A password that is typed: hnc -P USER asks for it on the terminal, and shows nothing of it."""

import base64
import signal
import subprocess

import pytest

from conftest import BIN, wait_until
from terminal import CTRL_C, Terminal
from test_hnc_proxy import HOST, Scripted


@pytest.fixture
def asked():
    """hnc -P joe at a terminal, waiting for the password, and its proxy."""
    proxy = Scripted(b'HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
    terminal = Terminal([BIN / "hnc", "-d", "-P", "joe", "-X", "connect", "-x", f"{HOST}:{proxy.port}", HOST, 9])
    terminal.wait(lambda: "Proxy password for joe@" in terminal.last(), "the question")
    yield terminal, proxy
    terminal.close()


def test_it_is_sent_and_not_shown(asked):
    terminal, proxy = asked
    terminal.type("wrong\x15secrex\x7ft\r")
    assert terminal.wait_exit() == 1  # this proxy is never content
    wait_until(lambda: base64.b64encode(b"joe:secret") in proxy.read, "the password")
    assert b"secret" not in terminal.raw and b"wrong" not in terminal.raw
    assert terminal.is_restored()


def test_ctrl_c_gives_up_and_restores_the_terminal(asked):
    terminal, proxy = asked
    terminal.type("se" + CTRL_C)
    assert terminal.wait_exit() == 1
    assert terminal.is_restored() and proxy.read == b""


def test_a_signal_ends_it_and_restores_the_terminal(asked):
    terminal, proxy = asked
    terminal.popen.send_signal(signal.SIGTERM)
    assert terminal.wait_exit() == -signal.SIGTERM
    assert terminal.is_restored() and proxy.read == b""


def test_without_a_terminal_it_is_refused():
    done = subprocess.run(
        [BIN / "hnc", "-P", "joe", "-x", f"{HOST}:9", HOST, "9"], stdin=subprocess.DEVNULL,
        capture_output=True, start_new_session=True, timeout=100, text=True,
    )
    assert done.returncode == 1 and "proxy password" in done.stderr
