# One thread.
"""Servers that misbehave in every way, against hcurl: the right exit status, little memory, an end. The
statuses are those of the newest curl; where they are not, a comment says why."""

import gzip
import json
import os
import resource
import socket
import ssl
import struct
import subprocess
import threading
import time
import zlib

import pytest

from conftest import BIN, TIMEOUT
from pki import Pki

SANITIZED = BIN.parent.name != "build"
MEMORY = 64 << 20  # bytes of its own that it may have

RESET, HANG, READ = object(), object(), object()  # a reset; silence until the client goes; another request
SOME = object()  # waits for some bytes


class Endless(bytes):
    """Again and again, until the client goes."""


class Drip(bytes):
    """One byte after the other, slowly."""


class Bytes(bytes):
    """One byte in each packet."""


class Hostile:
    """Plays a script on each connection: bytes, and what to do besides. Of several scripts each connection
    gets the next; the last one then goes on."""

    def __init__(self, *scripts, reads=True, context=None):
        self.scripts, self.reads, self.context = scripts, reads, context
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            threading.Thread(target=self.talk, args=(sock, script), daemon=True).start()

    def talk(self, sock, script):
        sock.settimeout(TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            if not self.reads or read_head(sock):
                self.play(sock, script)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass
        except OSError:
            pass
        finally:
            sock.close()

    def play(self, sock, script):
        for act in script:
            if act is RESET:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise OSError
            if act is HANG:
                while sock.recv(1 << 16):
                    pass
            elif act is READ:
                read_head(sock)
            elif act is SOME:
                sock.recv(1)
            elif isinstance(act, (Drip, Bytes)):
                for i in range(len(act)):
                    sock.sendall(act[i : i + 1])
                    time.sleep(0.05 if isinstance(act, Drip) else 0)
            else:
                sock.sendall(act)
                while isinstance(act, Endless):
                    sock.sendall(act)

    def close(self):
        self.listener.close()


def read_head(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(1 << 16)
        if not piece:
            return b""
        head += piece
    return head


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def sized(body, *fields, status=b"200 OK", length=None):
    fields = [b"HTTP/1.1 " + status, b"Content-Length: %d" % (len(body) if length is None else length), *fields]
    return b"\r\n".join(fields) + b"\r\n\r\n" + body


def coded(body, coding=b"gzip"):
    return sized(body, b"Content-Encoding: " + coding)


def moved(to):
    return sized(b"", b"Location: " + to, status=b"302 Found")


def asks(challenge, kind=b"WWW-Authenticate", status=b"401 No"):
    return sized(b"no", kind + b": " + challenge, status=status)


def bomb():
    """1,000 MiB of nothing, in a megabyte of gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(1000)]) + packer.flush()


PLAIN = b"x" * 5000
PACKED = gzip.compress(PLAIN, mtime=0)
DIGEST = b'Digest realm="r", nonce="n"'

# name: (exit status, script, further arguments). What the name ends with is the argument's.
FRAMING = {
    "no http": (1, [b"this is no http\r\n"], []),
    "binary": (1, [bytes(range(256)) * 4], []),
    "http 0.9": (0, [b"this is no http\r\n"], ["--http0.9"]),
    "nothing": (52, [], []),
    "half a status line": (52, [b"HTTP/1.1 200 O"], []),
    "half a head": (18, [OK + b"Content-Le"], []),  # 0 in curl
    "no body": (0, [OK + b"\r\n"], []),
    "reset at once": (56, [RESET], []),
    "reset in the head": (56, [OK + b"A: b", RESET], []),
    "reset in the body": (56, [sized(b"abc", length=10), RESET], []),
    "reset in a chunk": (56, [CHUNKED + b"5\r\nab", RESET], []),
    "reset instead of an end": (56, [OK + b"\r\nabc", RESET], []),
    "a short body": (18, [sized(b"abc", length=10)], []),
    "a long body": (0, [sized(b"abcdef", length=3)], []),
    "a length below 0": (8, [OK + b"Content-Length: -5\r\n\r\nabc"], []),
    "a length that is none": (8, [OK + b"Content-Length: abc\r\n\r\nabc"], []),
    "an empty length": (8, [OK + b"Content-Length:\r\n\r\nabc"], []),
    "a length with a plus": (8, [OK + b"Content-Length: +3\r\n\r\nabc"], []),
    "a length past any number": (0, [OK + b"Content-Length: 99999999999999999999999\r\n\r\nabc"], []),
    "two lengths": (8, [OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"], []),
    "the same length twice": (0, [OK + b"Content-Length: 3\r\nContent-Length: 3, 3\r\n\r\nabc"], []),
    "a length and chunks": (0, [OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"], []),
    "an unknown coding": (61, [OK + b"Transfer-Encoding: zipped\r\n\r\nabc"], []),
    "gzip that is none in chunks": (61, [OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"], []),
    "a chunk cut": (18, [CHUNKED + b"5\r\nabc"], []),
    "no last chunk": (18, [CHUNKED + b"3\r\nabc\r\n"], []),
    "trailers cut": (18, [CHUNKED + b"3\r\nabc\r\n0\r\nA: b"], []),
    "a chunk's size that is none": (56, [CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n"], []),
    "a chunk without a size": (56, [CHUNKED + b"\r\nabc\r\n0\r\n\r\n"], []),
    "a chunk's size past any number": (56, [CHUNKED + b"FFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"], []),
    "a chunk's size below 0": (56, [CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n"], []),
    "a chunk without its end": (56, [CHUNKED + b"3\r\nabcXX0\r\n\r\n"], []),
    "an endless extension": (56, [CHUNKED + b"3;", Endless(b"x" * 1000)], []),
    "endless zeros": (56, [CHUNKED, Endless(b"0" * 1000)], []),
    "no http without an end": ((1, 100), [Endless(b"y" * 1000)], []),
    "an endless line": (100, [OK + b"X: ", Endless(b"y" * 1000)], []),
    "an endless status line": (100, [b"HTTP/1.1 200 ", Endless(b"y" * 1000)], []),
    "an endless head": (56, [OK, Endless(b"X-A: " + b"y" * 100 + b"\r\n")], []),
    "endless fields": (100, [OK, Endless(b"a:b\r\n" * 100)], []),
    "a line of 90 KB": (0, [OK + b"X: " + b"y" * 90000 + b"\r\nContent-Length: 2\r\n\r\nok"], []),
    "a line of 150 KB": (100, [OK + b"X: " + b"y" * 150000 + b"\r\nContent-Length: 2\r\n\r\nok"], []),
    "a head of 240 KB": (0, [sized(b"ok", *[b"X: " + b"y" * 1000] * 240)], []),
    "a head of 350 KB": (56, [sized(b"ok", *[b"X: " + b"y" * 1000] * 350)], []),
    "4,000 fields": (0, [sized(b"ok", *[b"a:b"] * 4000)], []),
    "6,000 fields": (100, [sized(b"ok", *[b"a:b"] * 6000)], []),
    "a NUL in the head": (8, [sized(b"ok", b"X: a\0b")], []),
    "a CR in the head": (8, [sized(b"ok", b"X: a\rb")], []),
    "no colon": (8, [sized(b"ok", b"nocolon")], []),
    "a status of three zeros": (1, [sized(b"ok", status=b"000 X")], []),
    "a status of letters": (1, [sized(b"ok", status=b"abc X")], []),
    "a status of 999": (0, [sized(b"ok", status=b"999 X")], []),
    "version 7.7": (1, [b"HTTP/7.7 200 OK\r\nContent-Length: 2\r\n\r\nok"], []),
    "endless 100": (None, [Endless(b"HTTP/1.1 100 Continue\r\n\r\n")], []),
    "endless 103": (None, [Endless(b"HTTP/1.1 103 E\r\nLink: <" + b"x" * 200 + b">\r\n\r\n")], []),
    "fifty 1xx": (0, [b"HTTP/1.1 199 X\r\n\r\n" * 50 + sized(b"ok")], []),
    "a body where none is": (0, [sized(b"abcde", status=b"204 No")], []),
    "an answer byte by byte": (0, [Bytes(CHUNKED + b"3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n")], []),
    "100,000 chunks": (0, [CHUNKED + b"1\r\na\r\n" * 100000 + b"0\r\n\r\n"], []),
}

BODIES = {
    "gzip that is none": (61, [coded(b"this is no gzip")], ["--compressed"]),
    "gzip cut": (61, [coded(PACKED[:-12])], ["--compressed"]),  # 0 in curl
    "gzip with a wrong sum": (61, [coded(PACKED[:-8] + b"12345678")], ["--compressed"]),
    "gzip of nothing": (0, [coded(b"")], ["--compressed"]),
    "br that is none": (61, [coded(b"this is no br", b"br")], ["--compressed"]),
    "zstd that is none": (61, [coded(b"this is no zstd", b"zstd")], ["--compressed"]),
    "deflate that is none": (61, [coded(b"\xff\xff\xff\xff", b"deflate")], ["--compressed"]),
    "an unknown coding": (61, [coded(b"abc", b"snappy")], ["--compressed"]),
    "an unknown coding, not asked": (0, [coded(b"abc", b"snappy")], []),
    "eleven codings": (61, [coded(b"abc", b"gzip, " * 10 + b"gzip")], ["--compressed"]),
    "a bomb": (0, [coded(bomb())], ["--compressed", "-o", "/dev/null"]),
    "a bomb with a limit": (63, [coded(bomb())], ["--compressed", "-o", "out", "--max-filesize", "2M"]),
    "too long, and says so": (63, [sized(PLAIN)], ["--max-filesize", "1000"]),
    "too long until the close": (63, [OK + b"\r\n" + PLAIN], ["--max-filesize", "1000"]),
    "too long in chunks": (63, [CHUNKED + b"1388\r\n" + PLAIN + b"\r\n0\r\n\r\n"], ["--max-filesize", "1000"]),
    "endless": (63, [OK + b"\r\n", Endless(PLAIN)], ["--max-filesize", "10M", "-o", "/dev/null"]),
    "no room for it": (23, [OK + b"\r\n", Endless(PLAIN)], ["-o", "/dev/full"]),
    "another range": (33, [sized(b"abcde", b"Content-Range: bytes 5-9/10", status=b"206 P")], ["-C", "3"]),
    "no range": (33, [sized(b"abcde", status=b"206 P")], ["-C", "3"]),
    "all instead of a range": (33, [sized(b"abcde")], ["-C", "3"]),
}

TIMES = {
    "silence": (28, [HANG], ["-m", "1"]),
    "silence in the head": (28, [OK + b"A:", HANG], ["-m", "1"]),
    "silence in the body": (28, [sized(b"abc", length=10), HANG], ["-m", "1"]),
    "a head that drips": (28, [Drip(OK * 100)], ["-m", "1"]),
    "a body that drips": (28, [sized(b"", length=1000), Drip(b"x" * 1000)], ["-m", "1"]),
    "too slow": (28, [sized(b"", length=1000), Drip(b"x" * 1000)], ["-Y", "1000", "-y", "1"]),
    "slow and then silent": (28, [sized(b"abc", length=10), HANG], ["-Y", "1000", "-y", "1"]),
    "endless for a second": (28, [OK + b"\r\n", Endless(PLAIN)], ["-m", "1", "-o", "/dev/null"]),
    "endless 100 for a second": (28, [Drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)], ["-m", "1"]),
    "an upload that nobody reads": (28, [HANG], ["-T", "big", "-m", "1"]),
}

MOVES = {
    "to itself": (47, [moved(b"/")] + [READ, moved(b"/")] * 60, ["-L"]),
    "to itself, each time anew": (47, [moved(b"/")], ["-L", "--max-redirs", "4"]),
    "far too long": (3, [moved(b"/" + b"x" * 80000)], ["-L"]),
    "to a file": (1, [moved(b"file:///etc/passwd")], ["-L"]),
    "to another protocol": (1, [moved(b"gopher://127.0.0.1/x")], ["-L"]),
    "to a script": (1, [moved(b"javascript:alert(1)")], ["-L"]),
    "to half an address": (3, [moved(b"http://[::1")], ["-L"]),
    "to no port": (3, [moved(b"http://127.0.0.1:99999/")], ["-L"]),
    "to a host with a space": (3, [moved(b"http://a b/")], ["-L"]),
    "to nothing": (0, [moved(b"")], ["-L"]),
    "to four slashes": (3, [moved(b"http://///path")], ["-L"]),
    "basic again and again": (0, [asks(b'Basic realm="r"')], ["-u", "a:b", "--anyauth"]),
    "digest again and again": (0, [asks(DIGEST)], ["-u", "a:b", "--digest"]),
    "digest that is always stale": (0, [asks(DIGEST + b", stale=true")], ["-u", "a:b", "--digest"]),
    "half a challenge": (0, [asks(b'Digest realm="r')], ["-u", "a:b", "--digest"]),
    "a huge challenge": (0, [asks(b'Digest realm="r", nonce="' + b"n" * 50000 + b'"')], ["-u", "a:b", "--digest"]),
    "an unknown algorithm": (0, [asks(DIGEST + b", algorithm=ROT13")], ["-u", "a:b", "--digest"]),
    "2,000 challenges": (0, [sized(b"no", *[b'WWW-Authenticate: Basic realm="r"'] * 2000, status=b"401 No")],
                         ["-u", "a:b", "--anyauth"]),
    "expectations that fail": (0, [sized(b"", status=b"417 No")], ["-T", "big", "-H", "Expect: 100-continue"]),
    "cookies without an end": (0, [sized(b"ok", *[b"Set-Cookie: c%d=v" % i for i in range(4500)])], ["-c", "jar"]),
    "a cookie that is too long": (0, [sized(b"ok", b"Set-Cookie: a=" + b"v" * 90000)], ["-c", "jar"]),
    "an upload refused": (0, [sized(b"no", b"Connection: close", status=b"413 No")], ["-T", "big"]),
    "an upload reset": (None, [RESET], ["-T", "big"]),
    "an upload and nothing": (None, [], ["-T", "big"]),
}  # fmt: skip

PROXIES = {
    "no http": (None, [b"garbage\r\n\r\n"], []),
    "nothing": (56, [], []),
    "a refusal": (7, [sized(b"no", status=b"403 No")], []),
    "a refusal without an end": (7, [b"HTTP/1.1 403 No\r\n\r\n", Endless(PLAIN)], ["-m", "20"]),
    "a head without an end": (None, [OK, Endless(b"a: b\r\n" * 100)], []),
    "the same challenge again": (None, [asks(b'Basic realm="r"', b"Proxy-Authenticate", b"407 P")],
                                 ["-U", "a:b", "--proxy-anyauth"]),
    "silence": (28, [HANG], ["-m", "1"]),
    "a reset": (56, [RESET], []),
}  # fmt: skip

HANDSHAKES = {
    "plain text": (35, [b"HTTP/1.1 400 plain\r\n\r\n"], []),
    "nothing": (35, [], []),
    "a reset": (35, [SOME, RESET], []),
    "a record of garbage": (35, [b"\x16\x03\x03\xff\xff" + b"x" * 70000], []),
    "endless garbage": (35, [Endless(b"\x16\x03\x03\x10\x00" + b"\xff" * 4096)], []),
    "silence": (28, [HANG], ["-m", "1"]),
    "silence while connecting": (28, [HANG], ["--connect-timeout", "1"]),
}


@pytest.fixture
def run(lab):
    """Runs hcurl with little memory; it has to end by itself."""

    def limit():
        if not SANITIZED:
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))

    def run(*args, stdout=subprocess.PIPE):
        folder = lab.folder / "work"
        folder.mkdir(exist_ok=True)
        (folder / "big").write_bytes(b"x" * 5_000_000)
        done = subprocess.run([lab.program("hcurl"), "-q", "-sS", *args], stdin=subprocess.DEVNULL, stdout=stdout,
                              stderr=subprocess.PIPE, timeout=TIMEOUT, cwd=folder, preexec_fn=limit,
                              env={"PATH": os.environ["PATH"], "HOME": str(folder)})  # fmt: skip
        assert b"Sanitizer" not in done.stderr and done.returncode >= 0, done.stderr
        assert len(done.stderr) < 2000
        return done

    return run


def is_right(done, expected):
    """One line that says why. expected: an exit status, several, or None: some error, whichever."""
    wanted = range(1, 256) if expected is None else expected if isinstance(expected, tuple) else (expected,)
    assert done.returncode in wanted and done.returncode != 27, done
    assert (done.returncode != 0) == (b"hcurl: (%d) " % done.returncode in done.stderr), done.stderr


def plays(run, case, *args, scheme="http", **options):
    expected, script, more = case
    server = Hostile(script, **options)
    done = run(*more, *args, f"{scheme}://127.0.0.1:{server.port}/")
    server.close()
    is_right(done, expected)
    assert server.connections <= 60


@pytest.mark.parametrize("name", FRAMING)
def test_responses_of_every_kind(run, name):
    plays(run, FRAMING[name])


@pytest.mark.parametrize("name", BODIES)
def test_bodies_of_every_kind(run, name):
    plays(run, BODIES[name])


@pytest.mark.parametrize("name", TIMES)
def test_time_is_limited_at_each_stage(run, name):
    plays(run, TIMES[name])


@pytest.mark.parametrize("name", MOVES)
def test_what_is_asked_again_and_again(run, name):
    plays(run, MOVES[name])


@pytest.mark.parametrize("name", PROXIES)
def test_proxies_of_every_kind(run, name):
    expected, script, more = PROXIES[name]
    server = Hostile(script)
    done = run(*more, "-p", "-x", f"http://127.0.0.1:{server.port}", "http://example.test/")
    server.close()
    is_right(done, expected)
    assert server.connections <= 4


@pytest.mark.parametrize("name", HANDSHAKES)
def test_handshakes_of_every_kind(run, name):
    plays(run, HANDSHAKES[name], "-k", scheme="https", reads=False)


# ---- what takes more than a status --------------------------------------------------------------


def test_what_stands_behind_a_response_is_not_the_next_one(run):
    server = Hostile([sized(b"one") + sized(b"evil"), READ, sized(b"late")], [sized(b"two")])
    done = run(f"http://127.0.0.1:{server.port}/1", f"http://127.0.0.1:{server.port}/2")
    assert (done.returncode, done.stdout) == (0, b"onetwo")


def test_a_server_that_closes_kept_connections_is_asked_once_more(run):
    """... and one that does so again and again is given up."""
    url = "http://127.0.0.1:%d/"
    server = Hostile([sized(b"one"), READ], [sized(b"two")])
    done = run(url % server.port, url % server.port)
    assert (done.returncode, done.stdout, server.connections) == (0, b"onetwo", 2)
    server = Hostile([sized(b"one"), READ], [])
    done = run(url % server.port, url % server.port)
    assert (done.returncode, done.stdout) == (52, b"one")
    assert server.connections <= 6


NAMES = ["../../evil", "/tmp/evil", "..", ".", "a/b\\c", "..\\..\\evil", "x" * 5000, "\x01\x1b[31mred", "%2e%2e%2fevil",
         "CON", "-rf", 'a\\"b', ".bashrc"]  # fmt: skip


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_no_name_leaves_the_folder(run, lab, number):
    field = f'Content-Disposition: attachment; filename="{NAMES[number]}"'.encode()
    server = Hostile([sized(b"harmless", field)])
    run("-OJ", f"http://127.0.0.1:{server.port}/given")
    made = {path for path in lab.folder.rglob("*") if path.is_file() and path.stat().st_size == 8}
    assert {path.parent for path in made} <= {lab.folder / "work"}
    assert not os.path.exists("/tmp/evil")
    assert all(path.read_bytes() == b"harmless" for path in made)


def test_fields_of_any_bytes_are_json(run):
    value = bytes(i for i in range(32, 256) if i != 127)
    server = Hostile([sized(b"", b"X-All: a\t" + value + b"b", b'"quote": "', b"Twice: 1", b"twice: 2", b"Empty:")])
    done = run("-w", "%{header_json}", f"http://127.0.0.1:{server.port}/")
    assert done.returncode == 0
    fields = json.loads(done.stdout.decode("utf-8", "surrogateescape"))
    assert (fields["twice"], fields["empty"]) == (["1", "2"], [""])
    assert fields["x-all"][0].startswith("a\t !\"#$%")


def test_others_do_not_suffer(run, lab):
    """All at once: bad ones and good ones."""
    scripts = [FRAMING["an endless head"][1], [RESET], [], [b"garbage\r\n\r\n"], [sized(b"abc", length=10)], [coded(b"bad")]]
    bad = [Hostile(script) for script in scripts]
    good = [Hostile([sized(b"good" * 10000)]) for _ in range(6)]
    args = []
    for number, (one, other) in enumerate(zip(bad, good)):
        args += ["-o", f"bad{number}", f"http://127.0.0.1:{one.port}/", "-o", f"good{number}", f"http://127.0.0.1:{other.port}/"]
    done = run("-Z", "--compressed", *args)
    assert done.returncode in (1, 18, 52, 56, 61, 100)
    for number in range(6):
        assert (lab.folder / "work" / f"good{number}").read_bytes() == b"good" * 10000


def test_a_reader_that_goes_ends_it(run):
    server = Hostile([OK + b"\r\n", Endless(PLAIN)])
    reader, writer = os.pipe()
    os.close(reader)
    done = run(f"http://127.0.0.1:{server.port}/", stdout=writer)
    os.close(writer)
    assert done.returncode == 23


WAITS = ["99999999999999999999", "-5", "", "Fri, 31 Dec 9999 23:59:59 GMT", "soon", "1e9"]


@pytest.mark.parametrize("wait", WAITS)
def test_a_server_does_not_decide_how_long_we_wait(run, wait):
    server = Hostile([sized(b"busy", b"Retry-After: " + wait.encode(), status=b"503 Busy")])
    done = run("-f", "--retry", "2", "--retry-delay", "1", "--retry-max-time", "3", f"http://127.0.0.1:{server.port}/")
    assert done.returncode == 22


TEXTS = {
    "nothing": b"",
    "random": bytes(range(256)) * 1000,
    "a line without an end": b"x" * 3_000_000,
    "tabs": b"\t" * 100000,
    "NULs": b"127.0.0.1\tFALSE\t/\tFALSE\t0\ta\0b\tc\n" * 10,
    "many lines": b"".join(b"h%d.test\tFALSE\t/\tFALSE\t0\tn\tv\n" % i for i in range(40000)),
    "heads": b"Set-Cookie: " + b"a=b; " * 2000 + b"\n" + b"Set-Cookie:\n" * 1000,
    "hosts": b'. "unlimited"\n.. "unlimited"\n127.0.0.1 "unlimited"\nx "99999999 99:99:99"\n' + b'"\n' * 1000,
    "services": b'h1 127.0.0.1 99999 h2 x 1 "20300101 00:00:00" 0 0\nh1 [::1 1 h2 [ 1 "20300101 00:00:00" 0 0\n',
}


@pytest.mark.parametrize("name", TEXTS)
def test_files_of_any_bytes_are_read(run, lab, name):
    server = Hostile([sized(b"good", b"Set-Cookie: a=b")])
    (lab.folder / "work").mkdir()
    for file in "cookies", "hsts", "services":
        (lab.folder / "work" / file).write_bytes(TEXTS[name])
    done = run("-b", "cookies", "-c", "jar", "--hsts", "hsts", "--alt-svc", "services", f"http://127.0.0.1:{server.port}/")
    assert (done.returncode, done.stdout) == (0, b"good")
    again = run("-b", "jar", "-c", "jar", "--hsts", "hsts", "--alt-svc", "services", f"http://127.0.0.1:{server.port}/")
    assert (again.returncode, again.stdout) == (0, b"good")
    assert b"127.0.0.1\tFALSE\t/\tFALSE\t0\ta\tb\n" in (lab.folder / "work" / "jar").read_bytes()


# ---- over TLS ------------------------------------------------------------------------------------


@pytest.fixture
def context(lab):
    cert, key = Pki(lab.folder).issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


ENDS = {
    "a body that breaks off": (None, [sized(b"abc", length=10)], []),
    "a chunk that breaks off": (None, [CHUNKED + b"5\r\nabc"], []),
    "no answer": (None, [], []),
    "a head without an end": (56, [OK, Endless(b"X-A: " + b"y" * 100 + b"\r\n")], []),
    "silence": (28, [HANG], ["-m", "1"]),
    "a body that drips": (28, [sized(b"", length=1000), Drip(b"x" * 1000)], ["-m", "1"]),
    "a bomb with a limit": (63, [coded(bomb())], ["--compressed", "--max-filesize", "2M", "-o", "out"]),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_same_over_tls(run, context, name):
    plays(run, ENDS[name], "-k", scheme="https", context=context)
