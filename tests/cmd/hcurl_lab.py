"""A web server for the tests of hcurl, which keeps what it was sent, byte by byte, and answers what
the path asks for."""

import gzip
import hashlib
import os
import re
import socket
import struct
import threading
import zlib

from terminal import Terminal

PLAIN = {**os.environ, "COLUMNS": "79", "LC_ALL": "C"}
RANGED = bytes(range(48, 123)) * 40  # 3,000 bytes
TAG = '"v1"'


class Request:
    def __init__(self, head, body):
        self.head, self.body = head, body
        line = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        self.method, self.target = line[0], line[1] if len(line) > 1 else ""

    def field(self, name):
        found = re.search(rb"(?im)^%s:[ \t]*(.*?)\r?$" % re.escape(name.encode()), self.head)
        return found.group(1).decode("latin-1") if found else None

    @property
    def bytes(self):
        return self.head + self.body


class Web:
    """Answers on 127.0.0.1; `requests` are those that came, `connections` how many carried them.

    routes: {first segment of the path: function(web, request, the other segments)}, in front of the
    usual ones below; it returns the bytes of the response, and None to close without one."""

    def __init__(self, routes=None):
        self.routes = {**ROUTES, **(routes or {})}
        self.lock = threading.Lock()
        self.requests, self.connections, self.counts = [], 0, {}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def forget(self):
        with self.lock:
            self.requests, self.connections, self.counts = [], 0, {}

    def wire(self):
        return b"".join(r.bytes for r in self.requests)

    def count(self, key):
        """How often this was called before with this key since forget()."""
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key] - 1

    def talk(self, connection):
        connection.settimeout(100)
        reader = connection.makefile("rb")
        try:
            while self.exchange(connection, reader):
                pass
        except OSError:
            pass
        finally:
            reader.close()
            try:
                connection.close()
            except OSError:
                pass

    def exchange(self, connection, reader):
        head = read_head(reader)
        if head is None:
            return False
        request = Request(head, b"")
        expects = (request.field("Expect") or "").lower() == "100-continue"
        if expects and "/nocontinue" not in request.target:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not (expects and "/refuse" in request.target):
            request.body = read_body(request, reader)
        with self.lock:
            self.requests.append(request)
        path = re.sub(r"^http://[^/]*", "", request.target).split("?")[0]
        parts = path.strip("/").split("/")
        answer = self.routes.get(parts[0], hello)(self, request, parts[1:])
        if answer is None:
            return False
        if answer is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if request.method == "HEAD":
            answer = answer[: answer.index(b"\r\n\r\n") + 4]
        connection.sendall(answer)
        head = answer.split(b"\r\n\r\n")[0].lower()
        if (request.field("Connection") or "").lower() == "close":
            return False
        return b"connection: close" not in head and head.startswith(b"http/1.1")

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # or accept() goes on, with what gets its number
        self.listener.close()


RESET = object()


def read_head(reader):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline()
        if not line:
            return None
        head += line
    return head


def read_body(request, reader):
    if "chunked" in (request.field("Transfer-Encoding") or ""):
        body = b""
        while True:
            line = reader.readline()
            size = int(line.split(b";")[0], 16)
            body += line + reader.read(size) + reader.readline()
            if size == 0:
                return body
    return reader.read(int(request.field("Content-Length") or 0))


def response(status, body=b"", *fields, reason="OK", length=True):
    head = [f"HTTP/1.1 {status} {reason}", "Server: lab", *fields]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


# ---- routes -------------------------------------------------------------------------------------


def hello(web, request, rest):
    return response(200, b"hello\n", "Content-Type: text/plain")


def echo(web, request, rest):
    return response(200, request.bytes, "Content-Type: application/octet-stream")


def status(web, request, rest):
    code = int(rest[0])
    if code in (204, 304):
        return response(code, length=False)
    return response(code, f"status {code}\n".encode(), reason="So")


def redirect(web, request, rest):
    return response(int(rest[0]), b"moved\n", "Location: /" + "/".join(rest[1:]), reason="Moved")


def elsewhere(web, request, rest):
    """To the same server by another name."""
    where = f"http://localhost:{web.port}/" + "/".join(rest)
    return response(302, b"moved\n", f"Location: {where}", reason="Moved")


def loop(web, request, rest):
    return response(302, b"", f"Location: /loop/{web.count('loop')}", reason="Moved")


def chunked(web, request, rest):
    chunks = b"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nX-Trailer: yes\r\n\r\n"
    return response(200, length=False) [:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + chunks


def until_close(web, request, rest):
    return response(200, b"to the end\n", "Connection: close", length=False)


def coded(web, request, rest):
    plain = b"plain text " * 100
    made = {
        "gzip": lambda: gzip.compress(plain, mtime=0),
        "deflate": lambda: zlib.compress(plain),
        "broken": lambda: gzip.compress(plain, mtime=0)[:-20] + b"x" * 20,
    }[rest[0]]()
    coding = "gzip" if rest[0] == "broken" else rest[0]
    return response(200, made, f"Content-Encoding: {coding}")


def cookie(web, request, rest):
    fields = ["Set-Cookie: a=1", "Set-Cookie: b=2; path=/", "Set-Cookie: c=3; domain=example.com"]
    if rest and rest[0] == "more":
        fields += ["Set-Cookie: a=; max-age=0; path=/cookie", "Set-Cookie: d=4; path=/; HttpOnly"]
    return response(200, (request.field("Cookie") or "none").encode() + b"\n", *fields)


def basic(web, request, rest):
    if request.field("Authorization") == "Basic dTpw":
        return response(200, b"welcome\n")
    return response(401, b"who?\n", 'WWW-Authenticate: Basic realm="lab"', reason="No")


def digest(web, request, rest):
    given = request.field("Authorization")
    if given and given.startswith("Digest ") and digest_is_right(request, given):
        return response(200, b"welcome\n")
    challenge = 'WWW-Authenticate: Digest realm="lab", nonce="n0", qop="auth", algorithm='
    return response(401, b"who?\n", challenge + (rest[0] if rest else "MD5"), reason="No")


def digest_is_right(request, given):
    p = {k: v or w for k, v, w in re.findall(r'(\w+)=(?:"([^"]*)"|([^ ,]*))', given)}
    kind = hashlib.sha256 if p.get("algorithm") == "SHA-256" else hashlib.md5

    def h(text):
        return kind(text.encode()).hexdigest()

    secret = ":".join([p["nonce"], p.get("nc", ""), p.get("cnonce", ""), p.get("qop", "")])
    a2 = h(f"{request.method}:{p['uri']}")
    return p["response"] == h(f"{h('u:lab:p')}:{secret}:{a2}")


def ranged(web, request, rest):
    wanted = re.match(r"bytes=(\d*)-(\d*)$", request.field("Range") or "")
    tag = f"ETag: {TAG}"
    if not wanted or request.field("If-Range") not in (None, TAG):
        return response(200, RANGED, "Accept-Ranges: bytes", tag)
    first, last = wanted.groups()
    start = int(first) if first else len(RANGED) - int(last)
    end = int(last) if first and last else len(RANGED) - 1
    if start >= len(RANGED):
        return response(416, b"no\n", f"Content-Range: bytes */{len(RANGED)}", reason="No")
    part = RANGED[start : end + 1]
    where = f"Content-Range: bytes {start}-{start + len(part) - 1}/{len(RANGED)}"
    return response(206, part, "Accept-Ranges: bytes", tag, where, reason="Part")


def etag(web, request, rest):
    if request.field("If-None-Match") == TAG:
        return response(304, b"", f"ETag: {TAG}", reason="Same", length=False)
    return response(200, b"tagged\n", f"ETag: {TAG}")


def dated(web, request, rest):
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    return response(200, b"dated\n", f"Last-Modified: {date}", "Date: Mon, 07 Nov 1994 08:49:37 GMT")


def named(web, request, rest):
    return response(200, b"named\n", f'Content-Disposition: attachment; filename="{rest[0]}"')


def short(web, request, rest):
    return response(200, b"x" * 100, "Connection: close")[:-50]


def short_chunks(web, request, rest):
    head = response(200, b"", "Transfer-Encoding: chunked", "Connection: close", length=False)
    return head + b"5\r\nhello\r\n"


def nothing(web, request, rest):
    return None


def reset(web, request, rest):
    return RESET


def garbage(web, request, rest):
    return b"this is no HTTP\r\n\r\nat all\n"


def folded(web, request, rest):
    return response(200, b"folded\n", "X-Long: one\r\n two")


def twice(web, request, rest):
    """Lengths that differ."""
    return response(200, b"12345", "Content-Length: 7", "Connection: close")


def big(web, request, rest):
    return response(200, b"b" * int(rest[0]))


def informed(web, request, rest):
    return b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response(200, b"after\n")


def refuse(web, request, rest):
    return response(417 if web.count("refuse") == 0 else 200, b"expected?\n", "Connection: close")


ROUTES = {
    "echo": echo, "status": status, "redirect": redirect, "elsewhere": elsewhere, "loop": loop,
    "chunked": chunked, "close": until_close, "coded": coded, "cookie": cookie, "basic": basic,
    "digest": digest, "ranged": ranged, "etag": etag, "dated": dated, "named": named,
    "short": short, "shortchunks": short_chunks, "nothing": nothing, "reset": reset,
    "garbage": garbage, "folded": folded, "twice": twice, "big": big, "informed": informed,
    "refuse": refuse,
}  # fmt: skip


def hcurl(lab, *args, **environment):
    return lab.run("hcurl", "-q", *args, env={**PLAIN, **environment})


def shown(lab, *args, columns=80):
    """What is on the screen of a terminal, and the bytes that drew it."""
    run = Terminal([lab.program("hcurl"), "-q", *args], columns=columns, COLUMNS=None)
    status, lines = run.wait_exit(), run.lines()
    run.close()
    assert status == 0, lines
    return lines, run.raw.replace(b"\r\n", b"\n")
