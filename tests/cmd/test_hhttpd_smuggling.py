"""hhttpd against requests and responses that two readers could read differently (RFC 9112 section 11.2):
as a server, and as a proxy in front of a server that writes down what it gets."""

import re
import socket
import threading

import pytest

from conftest import Lab, wait_until
from hhttpd_lab import Server

IDLE = ("--keepalive-timeout", "5s")  # what is taken for right fails soon
TRAP = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def post(*fields, body=b"", version=b"1.1", host=b"Host: x"):
    lines = [b"POST /front HTTP/" + version, *([host] if host else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(*fields, target=b"/front", version=b"1.1", host=b"Host: x", method=b"GET"):
    lines = [method + b" " + target + b" HTTP/" + version, *([host] if host else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked"
ONE = b"0\r\n\r\n"


def chunked(body):
    return post(CHUNKED, body=body)


LENGTHS = [b"+5", b"-5", b"-0", b"0x5", b"1e1", b"5 5", b"5, 6", b"5;", b"5.0", b"", b"a", b"5_0", b"\xb2",
           b"18446744073709551616", b"9223372036854775808", b"99999999999999999999999", b"5, ", b",5", b"5\x005",
           b"5\x0b", b"'5'", b"5,,6"]
CODINGS = [b"xchunked", b"chunked, identity", b"chunked, chunked", b"chunked, gzip", b"identity", b"", b"chunked;q=1",
           b"chunked chunked", b"\x0bchunked", b"chunked\x0b", b"\"chunked\"", b"chun ked", b"gzip"]
CHUNKS = {
    "lf behind the size": b"5\nhello\r\n0\r\n\r\n",
    "lf behind the data": b"5\r\nhello\n0\r\n\r\n",
    "lf at the end": b"5\r\nhello\r\n0\r\n\n",
    "lf behind the last": b"5\r\nhello\r\n0\n\r\n",
    "cr alone behind the size": b"5\rhello\r\n0\r\n\r\n",
    "no crlf behind the data": b"5\r\nhello0\r\n\r\n",
    "data too long": b"5\r\nhello!\r\n0\r\n\r\n",
    "no digits": b"\r\nhello\r\n0\r\n\r\n",
    "sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "space before": b" 5\r\nhello\r\n0\r\n\r\n",
    "space behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "tab behind": b"5\t\r\nhello\r\n0\r\n\r\n",
    "overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "overflow to zero": b"100000000\x30\x30\x30\x30\x30\x30\x30\x30\r\n\r\n",
    "many digits": b"0" * 100 + b"5\r\nhello\r\n0\r\n\r\n",
    "not hexadecimal": b"g\r\nhello\r\n0\r\n\r\n",
    "lf in an extension": b"5;a=\nb\r\nhello\r\n0\r\n\r\n",
    "cr in an extension": b"5;a=\rb\r\nhello\r\n0\r\n\r\n",
    "nul in an extension": b"5;a=\0\r\nhello\r\n0\r\n\r\n",
    "extensions without end": b"5;" + b"a" * 20000 + b"\r\nhello\r\n0\r\n\r\n",
    "extensions on each byte": (b"1;" + b"x" * 64 + b"\r\na\r\n") * 400 + b"0\r\n\r\n",
    "trailer without a colon": b"0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "space before a trailer's colon": b"0\r\nA : b\r\n\r\n",
    "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
}

# name: (bytes, statuses that are right); each begins a connection, and the trap follows it
REFUSED = {
    "length and coding": (post(b"Content-Length: 5", CHUNKED, body=ONE), {400}),
    "coding and length": (post(CHUNKED, b"Content-Length: 5", body=ONE), {400}),
    "coding and no length": (post(CHUNKED, b"Content-Length: ", body=ONE), {400}),
    "lengths that differ": (post(b"Content-Length: 5", b"Content-Length: 0", body=b"hello"), {400}),
    "coding in http/1.0": (post(CHUNKED, body=ONE, version=b"1.0"), {400}),
    "chunked in two fields": (post(CHUNKED, CHUNKED, body=ONE), {400}),
    "chunked, then another": (post(CHUNKED, b"Transfer-Encoding: x", body=ONE), {400, 501}),
    "folded coding": (post(b"Transfer-Encoding:\r\n chunked", body=ONE), {400}),
    "folded first field": (get(b" A: b", host=None), {400}),
    "folded field": (get(b"A: b\r\n c"), {400}),
    "folded with a tab": (get(b"A: b\r\n\tc"), {400}),
    "space before the colon": (post(b"Content-Length : 5", body=b"hello"), {400}),
    "tab before the colon": (post(b"Transfer-Encoding\t: chunked", body=ONE), {400}),
    "space in a name": (get(b"A B: c"), {400}),
    "empty name": (get(b": b"), {400}),
    "no colon": (get(b"nocolon"), {400}),
    "nul in a name": (get(b"A\0: b"), {400}),
    "nul in a value": (get(b"A: \0b"), {400}),
    "nul in the target": (get(target=b"/\0"), {400}),
    "cr in a name": (get(b"A\rB: c"), {400}),
    "cr in a value": (get(b"A: b\rC: d"), {400}),
    "cr hides a length": (post(b"A: b\rContent-Length: 5", body=b"hello"), {400}),
    "cr in the target": (get(target=b"/\r"), {400}),
    "del in a value": (get(b"A: \x7f"), {400}),
    "8 bits in a name": (get(b"\xc4: b"), {400}),
    "no host": (get(host=None), {400}),
    "two hosts": (get(b"Host: x"), {400}),
    "two other hosts": (get(b"Host: y"), {400}),
    "host with a path": (get(host=b"Host: x/y"), {400}),
    "host with a user": (get(host=b"Host: a@x"), {400}),
    "host with a space": (get(host=b"Host: x y"), {400}),
    "host with two": (get(host=b"Host: x, y"), {400}),
    "host with a bad port": (get(host=b"Host: x:y"), {400}),
    "host with brackets": (get(host=b"Host: [::1"), {400}),
    "empty line in the head": (b"GET /front HTTP/1.1\r\n\r\nHost: x\r\n\r\n", {400}),
    "tab in the request line": (b"GET\t/front HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    "two spaces": (b"GET  /front HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    "space at the end": (b"GET /front HTTP/1.1 \r\nHost: x\r\n\r\n", {400}),
    "space in the target": (get(target=b"/a b"), {400}),
    "space in front": (b" GET /front HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    "empty lines in front": (b"\r\n" * 1000 + get(), {400}),
    "spaces in front": (b" " * 100000 + get(), {400, 414}),
    "cr in front": (b"\r" * 1000 + get(), {400}),
    "no version": (b"GET /front\r\nHost: x\r\n\r\n", {400}),
    "version 0.9": (get(version=b"0.9"), {400, 505}),
    "version 1.10": (get(version=b"1.10"), {400}),
    "version 1": (get(version=b"1"), {400}),
    "version 2.0": (get(version=b"2.0"), {505}),
    "small letters": (b"GET /front http/1.1\r\nHost: x\r\n\r\n", {400}),
    "method that is no token": (get(method=b"G(T"), {400}),
    "empty method": (b" /front HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    "method with a colon": (get(method=b"A:"), {400}),
    "relative target": (get(target=b"front"), {400}),
    "asterisk of get": (get(target=b"*"), {400}),
    "authority of get": (get(target=b"x:80"), {400}),
    "path of connect": (get(method=b"CONNECT"), {400}),
    "connect with a body": (get(CHUNKED, method=b"CONNECT", target=b"x:80"), {400}),
    "fragment": (get(target=b"/front#x"), {400}),
    "absolute without a host": (get(target=b"http:///front"), {400}),
    "absolute with a user": (get(target=b"http://a@x/front"), {400}),
    "preface of http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    "hello of tls": (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(100) + b"\r\n\r\n", {400}),
    "2,000 fields": (get(*[b"A%d: b" % i for i in range(2000)]), {431}),
    "a field of 9,000 bytes": (get(b"A: " + b"b" * 9000), {431}),
    "a head of 100,000 bytes": (get(*[b"A: " + b"b" * 4000] * 25), {431}),
    "a target of 9,000 bytes": (get(target=b"/" + b"a" * 9000), {414}),
    "a method of 9,000 bytes": (get(method=b"A" * 9000), {400, 414, 501}),
    "a body that is too long": (post(b"Content-Length: 1000000000", body=b"hello"), {405, 413}),
    **{f"length {v!r}": (post(b"Content-Length: " + v, body=b"hello"), {400}) for v in LENGTHS},
    **{f"coding {v!r}": (post(b"Transfer-Encoding: " + v, body=ONE), {400, 501}) for v in CODINGS},
    **{f"chunk, {k}": (chunked(v), {400, 405}) for k, v in CHUNKS.items()},
    "trailers without end": (chunked(b"0\r\n" + b"A: bbbbbbbbbbbbbb\r\n" * 1000), {405, 431}),
    "a trailer of 9,000 bytes": (chunked(b"0\r\nA: " + b"b" * 9000), {405, 431}),
}

BAD_PATHS = {
    "two slashes": (b"//etc/hostname", {404}),
    "many slashes": (b"/" * 2000 + b"etc/hostname", {404}),
    "encoded slash": (b"/..%2fetc/hostname", {400, 404}),
    "encoded dots": (b"/%2e%2e/etc/hostname", {400, 404}),
    "half-encoded dots": (b"/.%2e/%2e./etc/hostname", {400, 404}),
    "plain dots": (b"/../../../../etc/hostname", {400, 404}),
    "dots behind a folder": (b"/sub/../../etc/hostname", {400, 404}),
    "backslashes": (b"/..\\..\\etc\\hostname", {400, 404}),
    "encoded backslashes": (b"/..%5c..%5cetc%5chostname", {400, 404}),
    "twice encoded": (b"/%252e%252e/etc/hostname", {400, 404}),
    "overlong UTF-8": (b"/%c0%ae%c0%ae/etc/hostname", {400, 404}),
    "encoded NUL": (b"/a.txt%00.html", {400}),
    "half of an escape": (b"/a.txt%2", {400}),
    "no escape": (b"/%zz", {400}),
    "absolute form": (b"http://x/../etc/hostname", {400, 404}),
    "absolute form with slashes": (b"http://x//etc/hostname", {404}),
    "9,000 bytes": (b"/" + b"a" * 9000, {414}),
    "name of 4,000 bytes": (b"/" + b"a" * 4000, {404}),
    "4,000 folders": (b"/a" * 4000, {404, 414}),
    "beyond a file": (b"/a.txt/", {404}),
    "far beyond a file": (b"/a.txt/b", {404}),
}


def responses(data):
    """The statuses of what came."""
    return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


# ---- a server behind the proxy that writes down what it gets ----


def take_head(reader):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline(100000)
        if not line:
            return head
        head += line
    return head


def take_body(reader, head):
    """False when it breaks off."""
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in lower:
        while line := reader.readline():
            size = int(line, 16)
            data = reader.read(size + 2) if size else take_head_of_trailers(reader)
            if size == 0:
                return data
            if len(data) < size + 2:
                return False
        return False
    length = re.search(rb"\r\ncontent-length: (\d+)\r\n", lower)
    return not length or len(reader.read(int(length[1]))) == int(length[1])


def take_head_of_trailers(reader):
    while line := reader.readline():
        if line == b"\r\n":
            return True
    return False


class Backend:
    """Answers each request with `answers[target]`, bytes, or a short page; then the connection stays
    open unless the answer is in `ends`. requests: (connection, head, whole)."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.answers, self.ends, self.requests, self.sockets = {}, set(), [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(sock)
            threading.Thread(target=self.serve, args=[sock, len(self.sockets)], daemon=True).start()

    def serve(self, sock, number):
        with sock.makefile("rb") as reader:
            try:
                while head := take_head(reader):
                    entry = [number, head, False]
                    self.requests.append(entry)
                    entry[2] = take_body(reader, head)
                    target = head.split(b" ")[1]
                    sock.sendall(self.answers.get(target, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
                    if target in self.ends:
                        break
            except (OSError, ValueError):
                pass
        sock.close()

    def close(self):
        # shutdown() first: close() alone leaves accept() waiting
        for sock in [self.listener, *self.sockets]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def server(lab):
    folder = lab.folder / "www"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("some text\n")
    server = Server(lab, folder, "0", *IDLE)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def backend():
    backend = Backend()
    yield backend
    for name in REFUSED:  # once more: by now all has come
        check_arrived(backend, name)
    assert not [r for r in backend.requests if r[1].startswith(b"GET /smuggled ")]
    backend.close()


@pytest.fixture(scope="module")
def proxy(lab, backend):
    server = Server(lab, f"--proxy=/=http://127.0.0.1:{backend.port}", lab.folder, "0", *IDLE)
    yield server
    server.stop()


# ---- requests ----


@pytest.mark.parametrize("name", REFUSED)
def test_the_server_refuses(server, name):
    request, right = REFUSED[name]
    statuses = responses(server.raw(request + TRAP))
    assert len(statuses) == 1 and statuses[0] in right


def is_about_the_body(name):
    """Of these the head is right, and may have been passed on before the fault came."""
    return re.match("chunk, |extensions|trailers|a trailer|a body", name)


def arrived(backend, name):
    """What came of this request, which has its own target, by now."""
    return [r for r in backend.requests if r[1].split(b" ")[1] == own_target(name)]


def own_target(name):
    return b"/front-%d" % list(REFUSED).index(name)


def since(backend, first):
    """What has come behind the first so many requests, but for late ones of those that are refused."""
    return [r for r in backend.requests[first:] if not r[1].split(b" ")[1].startswith(b"/front-")]


def check_arrived(backend, name):
    """Nothing of it got through, or one request that never ended, and its connection with it."""
    got = arrived(backend, name)
    if not is_about_the_body(name):
        assert got == [], name
    for number, _, whole in got:
        assert len(got) == 1 and not whole, name
        assert [r for r in backend.requests if r[0] == number][-1] is got[0], name


@pytest.mark.parametrize("name", REFUSED)
def test_the_proxy_refuses(proxy, backend, name):
    request, right = REFUSED[name]
    statuses = responses(proxy.raw(request.replace(b"/front", own_target(name), 1) + TRAP))
    assert len(statuses) == 1 and statuses[0] in right
    assert proxy.get("/fence").body == b"ok"
    check_arrived(backend, name)


@pytest.mark.parametrize("name", BAD_PATHS)
def test_no_path_leads_out(server, name):
    target, right = BAD_PATHS[name]
    data = server.raw(get(b"Connection: close", target=target))
    assert len(responses(data)) == 1 and responses(data)[0] in right


def test_what_looks_like_it_but_is_right(proxy, backend):
    """Each of these is two requests, and both arrive."""
    for request in [
        post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
        post(b"Content-Length: 5, 5", body=b"hello"),
        post(b"Content-Length: 0005", body=b"hello"),
        post(b"Transfer-Encoding: Chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        chunked(b"5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n"),
        chunked(b"00005\r\nhello\r\n000\r\nA: b\r\nContent-Length: 7\r\n\r\n"),
        chunked(b"5\r\nhello\r\n0\r\nHost: y\r\n\r\n"),
        post(b"Content-Length:\t 5 \t", body=b"hello"),
        post(b"Content-Length: 42", body=TRAP + b"1234567"),
        get(b"Connection: Host, Content-Length, Via, X-Forwarded-For"),
        get(target=b"http://other/front"),
        b"\r\n\r\n" + get(),
    ]:
        first = len(backend.requests)
        data = proxy.raw(request + get(b"Connection: close", target=b"/second"))
        assert responses(data) == [200, 200], request
        one, two = since(backend, first)
        assert b" /front HTTP/1.1\r\n" in one[1] and one[2]
        assert two[1].startswith(b"GET /second ") and two[2]
        for head in (one[1], two[1]):
            lower = head.lower()
            assert lower.count(b"\r\nhost: ") == 1 and f"host: 127.0.0.1:{backend.port}\r\n".encode() in lower
            assert lower.count(b"\r\ncontent-length:") + lower.count(b"\r\ntransfer-encoding:") <= 1
            assert not re.search(rb"\r\n(connection|te|trailer|keep-alive): ", lower)


def test_the_host_of_the_target_counts(proxy, backend):
    first = len(backend.requests)
    proxy.raw(get(b"Connection: close", target=b"http://right.example/", host=b"Host: wrong.example"))
    head = since(backend, first)[0][1]
    assert b"X-Forwarded-Host: right.example\r\n" in head and b"wrong" not in head


@pytest.mark.parametrize("target,arrives", [
    (b"http://x?a=/smuggled", b"/?a=/smuggled"),
    (b"http://x", b"/"),
    (b"http://x?", b"/?"),
    (b"http://x/b?c://d/smuggled", b"/b?c://d/smuggled"),
    (b"/?http://x/smuggled", b"/?http://x/smuggled"),
])
def test_the_target_that_is_asked_for_is_the_one_that_was_checked(proxy, backend, target, arrives):
    first = len(backend.requests)
    assert responses(proxy.raw(get(b"Connection: close", target=target))) == [200]
    assert since(backend, first)[0][1].startswith(b"GET " + arrives + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE"])
def test_methods_that_are_not_passed_on(proxy, backend, method):
    first = len(backend.requests)
    target = b"x:80" if method == b"CONNECT" else b"/front"
    data = proxy.raw(get(b"Connection: close", method=method, target=target))
    assert responses(data) and responses(data)[0] >= 400
    assert since(backend, first) == []


# ---- a forward proxy ----


@pytest.fixture(scope="module")
def forward(lab):
    conf = lab.folder / "forward.conf"
    conf.write_text(f"document_root = {lab.folder}\n[proxy]\nforward_proxy = yes\nno_proxies = 127.0.0.1, ::1\n")
    server = Server(lab, "-c", conf, "127.0.0.1:0", *IDLE)
    yield server
    server.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "0X7F.1", "2130706433", "017700000001", "127.0.0.1.",
                                  "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]", "0", "0.0.0.0", "[::]", "[::1]", "[0::0:1]"])
def test_another_spelling_is_the_same_place(forward, backend, host):
    first = len(backend.requests)
    place = f"{host}:{backend.port}".encode()
    for request in (get(b"Connection: close", target=b"http://" + place + b"/"),
                    get(b"Connection: close", method=b"CONNECT", target=place)):
        assert responses(forward.raw(request)) == [403]
    assert since(backend, first) == []


def test_a_forward_proxy_says_the_host_of_the_target(lab, backend):
    conf = lab.folder / "open.conf"
    conf.write_text(f"document_root = {lab.folder}\n[proxy]\nforward_proxy = yes\n")
    server = Server(lab, "-c", conf, "127.0.0.1:0", *IDLE)
    place = f"127.0.0.1:{backend.port}".encode()
    first = len(backend.requests)
    assert responses(server.raw(get(b"Connection: close", target=b"http://" + place + b"/front"))) == [200]
    with server.connect() as sock:
        sock.sendall(get(method=b"CONNECT", target=b"LOCALHOST:%d" % backend.port))
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
        sock.sendall(get())
        assert sock.recv(1000).endswith(b"ok")
    one, two = since(backend, first)
    assert b"\r\nHost: " + place + b"\r\n" in one[1] and two[1] == get()
    server.stop()


# ---- responses ----

OK = b"HTTP/1.1 200 OK\r\n"
SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nSMUGGLED"

BAD_RESPONSES = {
    "length and coding": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "lengths that differ": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "length list": OK + b"Content-Length: 5, 6\r\n\r\nhello",
    "length with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "length too large": OK + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "no length": OK + b"Content-Length: \r\n\r\nhello",
    "unknown coding": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "coding in http/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "folded": OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "nul": OK + b"A: b\0\r\nContent-Length: 0\r\n\r\n",
    "cr alone": OK + b"A: b\rSet-Cookie: c\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    "status 99": b"HTTP/1.1 99 OK\r\nContent-Length: 0\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "http/2": b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
    "2,000 fields": OK + b"".join(b"A%d: b\r\n" % i for i in range(2000)) + b"Content-Length: 0\r\n\r\n",
    "a field of 100,000 bytes": OK + b"A: " + b"b" * 100000 + b"\r\nContent-Length: 0\r\n\r\n",
    "a head without end": OK + b"A: bbbbbbbbbbbbbbbbbbbb\r\n" * 20000,
    "an upgrade that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                                        b"Upgrade: x\r\n\r\n",
    "a storm of 1xx": b"HTTP/1.1 102 Processing\r\n\r\n" * 20000 + SECOND,
}
CUT_RESPONSES = {
    "chunk, lf": b"5\nhello\r\n0\r\n\r\n",
    "chunk, overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "chunk, no crlf": b"5\r\nhello0\r\n\r\n",
    "chunk, sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "trailers without end": b"0\r\n" + b"A: bbbbbbbbbbbbbbbbb\r\n" * 2000,
}


@pytest.mark.parametrize("name", BAD_RESPONSES)
def test_a_bad_response_is_a_502(proxy, backend, name):
    target = b"/" + name.encode().replace(b" ", b"-").replace(b",", b"")
    backend.answers[target] = BAD_RESPONSES[name]
    first = len(backend.requests)
    data = proxy.raw(get(b"Connection: close", target=target))
    assert responses(data)[-1] == 502 and b"SMUGGLED" not in data
    assert proxy.get("/fence").body == b"ok"
    got, fence = since(backend, first)
    assert got[0] != fence[0], "the connection was used again"


@pytest.mark.parametrize("name", CUT_RESPONSES)
def test_a_response_that_breaks_off_looks_like_it(proxy, backend, name):
    target = b"/cut-" + re.sub(rb"[ ,]", b"-", name.encode())
    backend.answers[target] = OK + b"Transfer-Encoding: chunked\r\n\r\n" + CUT_RESPONSES[name]
    first = len(backend.requests)
    data = proxy.raw(get(target=target))
    assert not data or responses(data) == [502] or not data.endswith(b"0\r\n\r\n")
    assert proxy.get("/fence").body == b"ok"
    got, fence = since(backend, first)
    assert got[0] != fence[0], "the connection was used again"


def test_bytes_behind_a_response_are_nobodys(proxy, backend):
    """On one connection of the client: the next request gets its own answer."""
    for name, answer in {
        "second": OK + b"Content-Length: 2\r\n\r\n1!" + SECOND,
        "longer": OK + b"Content-Length: 2\r\n\r\n1!" + b"x" * 100,
        "chunked": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n1!\r\n0\r\n\r\n" + SECOND,
        "204": b"HTTP/1.1 204 No\r\nContent-Length: 122\r\n\r\n" + SECOND,
        "304": b"HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n" + SECOND,
        "empty": OK + b"Content-Length: 0\r\n\r\n" + SECOND,
    }.items():
        backend.answers[b"/behind-" + name.encode()] = answer
        connection = proxy.connection()
        connection.request("GET", "/behind-" + name)
        assert connection.getresponse().read() in (b"1!", b"")
        for _ in range(2):
            connection.request("GET", "/fence")
            assert connection.getresponse().read() == b"ok", name
        connection.close()


def test_the_body_of_a_response_to_head_is_nobodys(proxy, backend):
    backend.answers[b"/head"] = OK + b"Content-Length: 63\r\n\r\n" + SECOND
    connection = proxy.connection()
    connection.request("HEAD", "/head")
    assert connection.getresponse().read() == b""
    connection.request("GET", "/fence")
    assert connection.getresponse().read() == b"ok"
    connection.close()


def test_a_few_1xx_are_passed_on(proxy, backend):
    backend.answers[b"/hints"] = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + SECOND
    data = proxy.raw(get(b"Connection: close", target=b"/hints"))
    assert responses(data) == [103, 103, 103, 200] and data.endswith(b"SMUGGLED")


def test_an_old_server_and_an_old_client(proxy, backend):
    """Each side has its own framing."""
    backend.answers[b"/old"] = b"HTTP/1.0 200 OK\r\n\r\nto the end"
    backend.ends.add(b"/old")
    backend.answers[b"/new"] = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert proxy.get("/old").body == b"to the end"
    data = proxy.raw(get(target=b"/new", version=b"1.0", host=None))
    assert data.endswith(b"\r\n\r\nhello") and b"chunked" not in data


@pytest.mark.parametrize("name", [b"h2c", b"websocket, H2C", b"HTTP/2.0"])
def test_http_in_a_tunnel_is_not_asked_for(proxy, backend, name):
    """Its requests would pass by all rules."""
    backend.answers[b"/h2c"] = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    first = len(backend.requests)
    data = proxy.raw(get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + name, b"HTTP2-Settings: AAMAAABk",
                         b"Connection: close", target=b"/h2c"))
    assert responses(data) == [502]
    assert not re.search(rb"\r\n(upgrade|http2-settings|connection):", since(backend, first)[0][1].lower())


def test_a_websocket_is(proxy, backend):
    backend.answers[b"/ws"] = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                               b"hello")
    with proxy.connect() as sock:
        sock.sendall(get(b"Connection: Upgrade", b"Upgrade: websocket", target=b"/ws"))
        data = b""
        while not data.endswith(b"hello"):
            piece = sock.recv(1000)
            assert piece, data
            data += piece
        assert responses(data) == [101]


def test_an_upgrade_that_was_refused_leaves_http(proxy, backend):
    """What follows is a request, and is read as one."""
    first = len(backend.requests)
    upgrade = get(b"Connection: Upgrade", b"Upgrade: websocket")
    data = proxy.raw(upgrade + get(b"Connection: close", target=b"/second"))
    assert responses(data) == [200, 200]
    assert [r[1].split(b" ")[1] for r in since(backend, first)] == [b"/front", b"/second"]


def test_an_early_answer_does_not_confuse(proxy, backend):
    """A server that answers before it has read the body, and a client that goes on sending."""
    with proxy.connect() as client:
        client.sendall(post(b"Content-Length: 100000", body=b"x" * 1000))
        wait_until(lambda: any(b"POST /front" in r[1] and b": 100000\r\n" in r[1] for r in backend.requests),
                   "the request")
        client.sendall(b"x" * 99000 + get(b"Connection: close", target=b"/second"))
        data = b""
        while piece := client.recv(65536):
            data += piece
    assert responses(data) == [200, 200]
