# One thread.
"""hproxy --access-log: a line for each session, as text and as JSON, with the cause of its end."""

import json
import re
import socket
import struct

import pytest

from conftest import TIMEOUT, wait_until
from hproxy_lab import conf, hproxy, target  # noqa: F401

COLUMNS = ("time listener protocol client peer user target address destination connect_ms duration_ms sent_bytes "
           "received_bytes end").split()
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
def log(lab):
    """The log: log.json or log.text are the options, log.wait(count) its lines."""

    class Log:
        path = lab.folder / "access.log"
        json = (f"--access-log={path}", "--log-format=json")
        text = (f"--access-log={path}",)

        def wait(self, count=1):
            return wait_until(lambda: self.path.exists() and len(self.path.read_bytes().splitlines()) >= count and
                              self.path.read_text().splitlines(), f"{count} lines")

        def entry(self):
            """The only line, of JSON."""
            line, = self.wait()
            return json.loads(line)

    return Log()


def columns(line):
    """A line of text, by the names of its columns."""
    match = re.fullmatch(r'((?:\S+ ){14})"([^"]*)"', line)
    assert match, line
    return {**dict(zip(COLUMNS, match[1].split(), strict=True)), "why": match[2]}


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_line_of_text(hproxy, target, log):
    server = target()
    proxy = hproxy("0", server.address, *log.text)
    with proxy.connect() as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"target:hello"
        own = "%s:%d" % client.getsockname()
    entry = columns(log.wait()[0])
    assert re.fullmatch(TIME, entry["time"])
    assert re.fullmatch(r"\d+\.\d{3}", entry["connect_ms"]) and re.fullmatch(r"\d+\.\d{3}", entry["duration_ms"])
    assert float(entry["connect_ms"]) <= float(entry["duration_ms"])
    del entry["time"], entry["connect_ms"], entry["duration_ms"]
    assert entry == {"listener": "0", "protocol": "tcp", "client": own, "peer": "-", "user": "-",
                     "target": server.address, "address": server.address, "destination": "-", "sent_bytes": "5",
                     "received_bytes": "12", "end": "done", "why": ""}


def test_a_line_of_json(hproxy, target, log):
    server = target()
    proxy = hproxy("0", server.address, *log.json)
    with proxy.connect() as client:
        client.sendall(b"hello")
        client.recv(100)
        own = "%s:%d" % client.getsockname()
    entry = log.entry()
    assert re.fullmatch(TIME, entry.pop("time"))
    assert 0 < entry.pop("connect_ms") <= entry.pop("duration_ms")
    assert entry == {"listener": "0", "protocol": "tcp", "client": own, "target": server.address,
                     "address": server.address, "sent_bytes": 5, "received_bytes": 12, "end": "done"}


def test_who_it_really_is(hproxy, target, log):
    proxy = hproxy("0", target().address, "--accept-proxy", *log.json)
    with proxy.connect() as client:
        client.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 80\r\nhello")
        client.recv(100)
        own = "%s:%d" % client.getsockname()
    entry = log.entry()
    assert entry["client"] == "192.0.2.1:1111" and entry["peer"] == own


# ---- the causes ----------------------------------------------------------------------------------------------------


def test_nobody_there(hproxy, target, log):
    server = target()
    server.close()
    proxy = hproxy("0", server.address, *log.json)
    assert proxy.ask() == b""
    entry = log.entry()
    assert entry["end"] == "connect_failed" and "Connection refused" in entry["why"]
    assert entry["address"] == server.address and "connect_ms" not in entry


def test_a_name_that_is_none(hproxy, log):
    proxy = hproxy("0", "nothing.invalid:80", *log.json)
    assert proxy.ask() == b""
    entry = log.entry()
    assert entry["end"] == "no_target" and "nothing.invalid" in entry["why"]


def test_a_client_that_may_not_come(hproxy, target, log):
    proxy = hproxy("0", target().address, "--deny=127.0.0.1", *log.json)
    assert proxy.ask() == b""
    assert log.entry()["end"] == "denied"


def test_too_many(hproxy, target, log):
    proxy = hproxy("0", target().address, "--max-conns=1", *log.json)
    with proxy.connect() as client:
        client.sendall(b"x")
        client.recv(100)
        assert proxy.ask() == b""
        entry = log.entry()
    assert entry["end"] == "limited" and entry["why"]


def test_a_client_that_resets(hproxy, target, log):
    proxy = hproxy("0", target().address, *log.json)
    client = proxy.connect()
    client.sendall(b"x")
    client.recv(100)
    reset(client)
    entry = log.entry()
    assert entry["end"] == "client_error" and "Connection reset by peer" in entry["why"]


@pytest.mark.parametrize("listen,option,words", [("0", "--accept-proxy", "PROXY header: Connection reset by peer"),
                                                 ("tls://0", "--tls-self-signed", "TLS handshake: Connection reset by peer")])
def test_a_client_that_resets_before_it_has_begun(hproxy, target, log, listen, option, words):
    proxy = hproxy(listen, target().address, option, *log.json)
    client = proxy.connect(proxy.serving[0].removeprefix("tls://"))
    client.sendall(b"\x16\3" if listen != "0" else b"PRO")
    reset(client)
    entry = log.entry()
    assert entry["end"] == "client_error" and entry["why"].startswith(words), entry


def test_a_target_that_resets(hproxy, target, log):
    server = target()
    proxy = hproxy("0", server.address, *log.json)
    with proxy.connect() as client:
        client.sendall(b"x")
        client.recv(100)
        server.close()
        entry = log.entry()
    assert entry["end"] == "target_error" and "Connection reset by peer" in entry["why"]


def test_nobody_says_anything(hproxy, target, log):
    proxy = hproxy("0", target().address, "--idle-timeout=100ms", *log.json)
    with proxy.connect() as client:
        assert client.recv(1) == b""
    entry = log.entry()
    assert entry["end"] == "idle" and entry["duration_ms"] >= 100


def test_it_has_lasted_too_long(hproxy, target, log):
    proxy = hproxy("0", target().address, "--lifetime=100ms", *log.json)
    with proxy.connect():
        entry = log.entry()
    assert entry["end"] == "expired" and entry["duration_ms"] >= 100


def test_a_header_that_does_not_come(hproxy, target, log):
    proxy = hproxy("0", target().address, "--accept-proxy", "--handshake-timeout=100ms", *log.json)
    with proxy.connect() as client:
        assert client.recv(1) == b""
    assert log.entry()["end"] == "slow"


def test_a_header_that_is_none(hproxy, target, log):
    proxy = hproxy("0", target().address, "--accept-proxy", *log.json)
    assert proxy.ask(b"GET / HTTP/1.0\r\n\r\n") == b""
    assert log.entry()["end"] == "bad_request"


def test_the_proxy_is_stopped(hproxy, target, log):
    proxy = hproxy("0", target().address, "--stop-time=100ms", *log.json)
    with proxy.connect() as client:
        client.sendall(b"x")
        client.recv(100)
        proxy.stop()
    assert log.entry()["end"] == "stopped"


# ---- what clients choose -------------------------------------------------------------------------------------------

NASTY = b'a b"\x1b[31m\r\n\x00\xff\xe2\x80\xae.invalid'


def ask_socks(proxy, user, host):
    """A SOCKS 5 request with a login; any bytes."""
    with proxy.connect() as client:
        client.settimeout(TIMEOUT)
        client.sendall(b"\5\1\2")
        assert client.recv(2) == b"\5\2"
        client.sendall(b"\1" + bytes([len(user)]) + user + b"\1x")
        if client.recv(2) == b"\1\0":
            client.sendall(b"\5\1\0\3" + bytes([len(host)]) + host + b"\0\x50")
        client.recv(100)


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_name_with_everything_is_one_column(hproxy, log, kind):
    name = 'a b"\t\u00e4\u202e'
    proxy = hproxy("0", "--socks", f"--auth={name}:x", *getattr(log, kind))
    ask_socks(proxy, name.encode(), b"x.invalid")
    line, = log.wait()
    if kind == "text":
        assert columns(line)["user"] == r"a\x20b\x22\t\xc3\xa4\xe2\x80\xae"
    else:
        assert json.loads(line)["user"] == 'a b"\\t\u00e4\\xe2\\x80\\xae'


@pytest.mark.parametrize("kind", ["text", "json"])
def test_what_a_client_says_is_one_safe_line(hproxy, log, kind):
    """A destination with everything that could spoil a log, a terminal, or a column."""
    proxy = hproxy("0", "--socks", "--auth=me:x", *getattr(log, kind))
    ask_socks(proxy, b"me", NASTY)
    ask_socks(proxy, NASTY.replace(b"\0", b""), b"x.invalid")
    ask_socks(proxy, b"me", b"x.invalid")
    lines = log.wait(3)
    raw = log.path.read_bytes()
    assert len(lines) == 3 and len(raw.split(b"\n")) == 4
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]", raw.replace(b"\n", b""))
    entries = [columns(line) if kind == "text" else json.loads(line) for line in lines]
    assert "unauthorized" in [entry["end"] for entry in entries]
    last = entries[-1]
    assert last["user"] == "me" and last["destination"] == "x.invalid:80" and last["protocol"] == "socks5"
