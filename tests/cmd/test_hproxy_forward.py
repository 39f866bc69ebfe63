# One thread.
"""hproxy --socks --http: curl, ssh and raw clients through it, who may use it, and where it leads."""

import contextlib
import http.server
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading

import pytest

from conftest import IPV6, TIMEOUT, wait_until
from hproxy_lab import conf, hproxy  # noqa: F401 (fixtures)
from pki import Pki
from ssh_server import sshd

HOST = "127.0.0.1"
MIB = 1 << 20
SCHEMES = ["http", "socks4", "socks4a", "socks5", "socks5h"]
REPLIES = {"granted": 0, "failure": 1, "forbidden": 2, "host": 4, "refused": 5, "timeout": 6, "command": 7}


# ---- who is behind the proxy ---------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def chunks(self):
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def answer(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self.chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.heads.append(f"{self.requestline}\n{self.headers}")
        text = f"{self.command} {self.path} {len(body)}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_OPTIONS = do_TRACE = answer

    def log_message(self, *args):
        pass


class Web6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def serving(host=HOST, certificate=None):
    """An HTTP server; `heads` has what it was asked."""
    server = (Web6 if ":" in host else http.server.ThreadingHTTPServer)((host, 0), Handler)
    server.heads = []
    server.port = server.server_address[1]
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def web():
    with serving() as server:
        yield server


@pytest.fixture
def names():
    """A name server (host:port): what begins with "here" is 127.0.0.1, there is nothing else."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                query, client = sock.recvfrom(512)
                if not query:
                    return
                question = query[12:]
                here = question[1:5] == b"here"
                asks_ipv4 = question[question.index(0) + 1 :][:2] == b"\0\1"
                answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if here and asks_ipv4 else b""
                flags = b"\x81\x80" if here else b"\x81\x83"
                question = question[: question.index(0) + 5]
                counts = struct.pack("!HHHH", 1, 1 if answer else 0, 0, 0)
                sock.sendto(query[:2] + flags + counts + question + answer, client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield "%s:%d" % sock.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"", sock.getsockname())
    thread.join(TIMEOUT)
    sock.close()


def forward(hproxy, *args, **options):  # noqa: F811
    return hproxy("0", "--socks", "--http", "--access-log", *args, **options)


def curl(lab, proxy, url, *args, scheme="http", user="", **options):
    address = f"{scheme}://{user}{HOST}:{proxy.port}"
    return lab.run("curl", "-sS", "-m", str(TIMEOUT), "-x", address, url, *args, **options)


def line(proxy, text):
    """The line of the access log with this in it."""
    found = lambda: [one for one in proxy.process.out().decode().splitlines() if text in one]  # noqa: E731
    return wait_until(found, f"a line with {text!r}")[0]


# ---- raw clients ---------------------------------------------------------------------------------


def read_exactly(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        assert piece, f"the end behind {data!r}"
        data += piece
    return data


def socks5(sock, host, port, command=1):
    """Asks for it; the code of the reply and the address in it."""
    name = host.encode()
    sock.sendall(b"\5\1\0\5%c\0\3%c%s%s" % (command, len(name), name, struct.pack("!H", port)))
    assert read_exactly(sock, 2) == b"\5\0"
    _, code, _, kind = read_exactly(sock, 4)
    address = read_exactly(sock, 4 if kind == 1 else 16)
    bound = socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, address)
    return code, (bound, *struct.unpack("!H", read_exactly(sock, 2)))


def socks4(sock, host, port):
    sock.sendall(b"\4\1%s\0\0\0\1\0%s\0" % (struct.pack("!H", port), host.encode()))
    return read_exactly(sock, 8)[1]


def connect(sock, host, port):
    """The status that CONNECT gets."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    sock.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(1)
        assert piece, head
        head += piece
    return int(head.split()[1])


def codes(proxy, host, port):
    """What each protocol answers: SOCKS5, SOCKS4, HTTP."""
    with proxy.connect() as one, proxy.connect() as two, proxy.connect() as three:
        return socks5(one, host, port)[0], socks4(two, host, port), connect(three, host, port)


def heard(sock):
    """All that comes until the end, be that a reset."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(MIB):
            data += piece
    return data


# ---- clients that people have --------------------------------------------------------------------


def test_curl_goes_through_with_and_without_tls(lab, hproxy, web, tmp_path):  # noqa: F811
    proxy = forward(hproxy)
    pki = Pki(tmp_path)
    with serving(certificate=pki.issue("web")) as secure:
        for scheme in SCHEMES:
            done = curl(lab, proxy, f"http://{HOST}:{web.port}/{scheme}", "-d", "data", scheme=scheme)
            assert done.out() == f"POST /{scheme} 4".encode(), done
            done = curl(lab, proxy, f"https://localhost:{secure.port}/{scheme}", "--cacert", pki.ca, scheme=scheme)
            assert done.out() == f"GET /{scheme} 0".encode(), done
    # A request that was forwarded says so, and keeps to itself what was meant for the proxy.
    head = next(head for head in web.heads if head.startswith("POST /http "))
    assert "Via: 1.1 hnet" in head and "Proxy-" not in head and "Connection: close" in head
    row = line(proxy, f" localhost:{secure.port} ")
    assert " http " in row and " done " in row


def test_several_requests_for_several_servers(lab, hproxy, web):  # noqa: F811
    proxy = forward(hproxy)
    with serving() as other:
        urls = [f"http://{HOST}:{s.port}/{i}" for i in range(3) for s in (web, other)]
        done = curl(lab, proxy, urls[0], *urls[1:])
        assert done.out() == b"".join(b"GET /%d 0" % i for i in (0, 0, 1, 1, 2, 2)), done


def test_a_body_whose_length_nobody_knows(lab, hproxy, web):  # noqa: F811
    proxy = forward(hproxy)
    done = curl(lab, proxy, f"http://{HOST}:{web.port}/up", "-T", "-", "-H", "Expect:", data=b"x" * MIB)
    assert done.out() == b"PUT /up %d" % MIB, done
    assert "Transfer-Encoding: chunked" in web.heads[0]


def test_ssh_goes_through(lab, hproxy):  # noqa: F811
    lab.program("ssh")
    proxy = forward(hproxy, "--auth", "me:secret")
    port, options = sshd(lab)
    hnc = lab.program("hnc")
    for kind in ("-X 5", "-X connect"):
        command = f"{hnc} {kind} --proxy-auth me:secret -x {HOST}:{proxy.port} %h %p"
        done = lab.run("ssh", *options, "-o", f"ProxyCommand={command}", "-p", port, HOST, "cat", data=b"through\n")
        assert done.wait() == 0 and done.out() == b"through\n", done
    assert " me " in line(proxy, f":{port} ")


@pytest.mark.skipif(not IPV6, reason="no IPv6")
def test_ipv6_on_both_sides(lab, hproxy):  # noqa: F811
    proxy = hproxy("[::1]:0", "--socks", "--http")
    with serving("::1") as server:
        for scheme in ("http", "socks5", "socks5h"):
            url = f"http://[::1]:{server.port}/six"
            done = lab.run("curl", "-sS", "-p", "-x", f"{scheme}://[::1]:{proxy.port}", url)
            assert done.out() == b"GET /six 0", done


def test_a_proxy_over_tls(lab, hproxy, web, tmp_path):  # noqa: F811
    pki = Pki(tmp_path)
    cert, key = pki.issue("proxy")
    proxy = hproxy("tls://127.0.0.1:0", "--http", "--tls-cert", cert, "--tls-key", key)
    done = lab.run("curl", "-sS", "-p", "--proxy-cacert", pki.ca, "-x", f"https://localhost:{proxy.port}",
                   f"http://{HOST}:{web.port}/tls")
    assert done.out() == b"GET /tls 0", done


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks4"])
def test_one_proxy_after_the_other(lab, hproxy, web, scheme):  # noqa: F811
    last = forward(hproxy)
    middle = forward(hproxy)
    first = forward(hproxy, "--via", f"http://{HOST}:{middle.port}", "--via", f"{scheme}://{HOST}:{last.port}")
    done = curl(lab, first, f"http://{HOST}:{web.port}/far", scheme="socks5h")
    assert done.out() == b"GET /far 0", done
    assert " http " in line(middle, f" {HOST}:{last.port} ")
    assert f" {scheme} " in line(last, f" {HOST}:{web.port} ")


# ---- who may -------------------------------------------------------------------------------------


def test_each_user_has_a_password(lab, hproxy, web):  # noqa: F811
    made = subprocess.run(["openssl", "passwd", "-6", "hashed"], check=True, capture_output=True, text=True)
    (lab.folder / "users").write_text(f"# who\nbob:{made.stdout}cid:{{PLAIN}}plain\n")
    proxy = forward(hproxy, "--auth", "ann:s3cret", "--auth", "dan:d:d", "--auth-file", lab.path("users"))
    url = f"http://{HOST}:{web.port}/"
    for scheme in ("http", "socks5"):
        for user in ("ann:s3cret", "bob:hashed", "bob:hashed", "cid:plain", "dan:d:d"):
            done = curl(lab, proxy, url, "-f", "-U", user, scheme=scheme)
            assert done.wait() == 0, done
        before = len(web.heads)
        for user in ("ann:hashed", "bob:plain", "eve:s3cret", "ann:", None):
            done = curl(lab, proxy, url, "-f", *(["-U", user] if user else []), scheme=scheme)
            assert done.wait() != 0, (scheme, user)
        assert len(web.heads) == before
    assert curl(lab, proxy, url, scheme="socks4", user="ann@").wait() != 0
    wait_until(lambda: "SOCKS 4 has no password" in proxy.process.err(), "why there is no way by SOCKS 4")
    assert " bob " in line(proxy, " bob ") and line(proxy, " unauthorized ")


def test_who_goes_by_a_reset_has_not_logged_in_either(hproxy):
    """As a client does that gives up while more of the answer comes."""
    proxy = forward(hproxy, "--auth", "ann:s3cret")
    with proxy.connect() as sock:
        sock.sendall(b"CONNECT here.example:80 HTTP/1.1\r\nHost: here.example:80\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 407"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    row = line(proxy, " unauthorized ").replace("\\x20", " ")
    assert "the client has gone without logging in: Connection reset by peer" in row


def test_a_slow_hash_holds_up_nobody(lab, hproxy, web):  # noqa: F811
    """That of bob takes for ever: he is sent away, while ann goes on."""
    slow = "$6$rounds=999999999$saltsalt$" + "x" * 86
    (lab.folder / "users").write_text(f"bob:{slow}\nann:{{PLAIN}}secret\n")
    proxy = forward(hproxy, "--auth-file", lab.path("users"), "--handshake-timeout", "1s")

    def is_ann_answered():  # unless she is slower than the limit
        return curl(lab, proxy, f"http://{HOST}:{web.port}/", scheme="socks5", user="ann:secret@").out() == b"GET / 0"

    with proxy.connect() as bob:
        bob.sendall(b"\5\1\2\1\3bob\6secret")
        for _ in range(3):
            wait_until(is_ann_answered, "an answer for ann")
        assert heard(bob) == b"\5\2"
    assert line(proxy, " slow ")
    proxy.stop()


def test_a_reload_brings_other_users_and_ends_no_tunnel(lab, hproxy, conf, web):  # noqa: F811
    users = lab.folder / "users"
    users.write_text("ann:{PLAIN}old\n")
    conf(f"[listen clients]\nlisten = 0\nsocks = yes\nauth-file = {users}\n")
    proxy = hproxy("-c", str(conf.path))
    log_in = {password: b"\5\1\2\1\3ann\3" + password for password in (b"old", b"new")}
    request = b"\5\1\0\1\x7f\0\0\1" + struct.pack("!H", web.port)
    with proxy.connect() as tunnel:
        tunnel.sendall(log_in[b"old"] + request)
        assert read_exactly(tunnel, 14)[:6] == b"\5\2\1\0\5\0"
        users.write_text("ann:{PLAIN}new\n")
        assert "reloaded" in proxy.reload()
        for password, answer in ((b"old", b"\1\1"), (b"new", b"\1\0")):
            with proxy.connect() as sock:
                sock.sendall(log_in[password])
                assert read_exactly(sock, 4)[2:] == answer
        tunnel.sendall(b"GET /still HTTP/1.0\r\n\r\n")
        assert heard(tunnel).endswith(b"GET /still 0")
        users.write_text("ann:new\n")  # no hash: the reload is refused, and all stays
        assert "users:1: no hash" in proxy.reload()
        with proxy.connect() as sock:
            sock.sendall(log_in[b"new"])
            assert read_exactly(sock, 4)[2:] == b"\1\0"


def test_digest_where_all_passwords_are_known(lab, hproxy, web):  # noqa: F811
    proxy = forward(hproxy, "--auth", "ann:s3cret", "--auth", "bob:other")
    for user, status in (("ann:s3cret", 0), ("bob:other", 0), ("bob:s3cret", 22)):
        done = curl(lab, proxy, f"http://{HOST}:{web.port}/", "-f", "--proxy-digest", "-U", user)
        assert done.wait() == status, done


@pytest.mark.parametrize("args, words", [
    (["--auth", "nobody"], "auth: it takes NAME:PASSWORD"),
    (["--destination", "permit x"], "neither allow nor deny"),
    (["--destination", "allow 10.0.0.0/40"], "bits of the block out of range"),
    (["--via", "ftp://x"], "via: "),
    (["--auth-file", "/does/not/exist"], "/does/not/exist"),
])
def test_mistakes_are_usage(lab, args, words):
    done = lab.run("hproxy", "0", "--socks", *args)
    assert done.wait() == 2 and words in done.err() and len(done.err().splitlines()) == 1, done


# ---- where to ------------------------------------------------------------------------------------


def test_each_failure_has_its_code(hproxy, names, web):  # noqa: F811
    proxy = forward(hproxy, "--dns", names, "--destination", "deny forbidden.example 127.0.0.9")
    assert codes(proxy, "here.example", web.port) == (REPLIES["granted"], 90, 200)
    assert codes(proxy, "nowhere.example", web.port) == (REPLIES["host"], 91, 502)
    assert codes(proxy, "forbidden.example", web.port) == (REPLIES["forbidden"], 91, 403)
    assert codes(proxy, "127.0.0.9", web.port) == (REPLIES["forbidden"], 91, 403)
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        assert codes(proxy, HOST, closed.getsockname()[1]) == (REPLIES["refused"], 91, 502)
    with socket.socket() as full:  # who listens, and takes nobody any more
        full.bind((HOST, 0))
        full.listen(0)
        with contextlib.ExitStack() as waiting:
            for _ in range(3):
                sock = waiting.enter_context(socket.socket())
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
            hasty = forward(hproxy, "--connect-timeout", "200ms")
            assert codes(hasty, HOST, full.getsockname()[1]) == (REPLIES["timeout"], 91, 504)
    for row, end in (("nowhere.example", "no_target"), ("forbidden.example", "denied"), ("127.0.0.9", "denied")):
        assert f" {end} " in line(proxy, row)
    assert re.search(r"client 127\.0\.0\.1:\d+ to forbidden\.example:\d+: forbidden\n", proxy.process.err())
    with proxy.connect() as sock:
        assert socks5(sock, HOST, 1, command=2)[0] == REPLIES["command"]  # BIND
    with proxy.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert heard(sock).startswith(b"HTTP/1.1 400 ")


def test_a_name_does_not_lead_to_a_denied_address(hproxy, names, web):  # noqa: F811
    proxy = forward(hproxy, "--dns", names, "--destination", "allow *.example",
                    "--destination", "deny 127.0.0.0/8")
    assert codes(proxy, "here.example", web.port) == (REPLIES["forbidden"], 91, 403)
    assert codes(proxy, "0x7f000001", web.port) == (REPLIES["forbidden"], 91, 403)
    assert web.heads == []
    row = line(proxy, "here.example")
    assert " denied " in row and HOST in row


def test_what_is_allowed_is_all_that_is(hproxy, names, web):  # noqa: F811
    proxy = forward(hproxy, "--dns", names, "--destination", f"allow here.example:{web.port},1")
    assert codes(proxy, "HERE.example.", web.port)[2] == 200
    assert codes(proxy, HOST, web.port) == (REPLIES["forbidden"], 91, 403)
    assert codes(proxy, "here.example", web.port - 1)[2] == 403
    assert codes(proxy, "here2.example", web.port)[2] == 403


def test_strangers_do_not_get_at_this_machine(hproxy, web):  # noqa: F811
    proxy = forward(hproxy, "--accept-proxy")
    for client, status in (("192.0.2.7", 403), (HOST, 200)):
        with proxy.connect() as sock:
            sock.sendall(f"PROXY TCP4 {client} {HOST} 4711 80\r\n".encode())
            assert connect(sock, HOST, web.port) == status
    assert " denied " in line(proxy, "192.0.2.7:4711")
    with forward(hproxy).connect() as sock:
        assert connect(sock, "169.254.169.254", 80) == 403


def test_it_does_not_ask_itself(hproxy):  # noqa: F811
    proxy = forward(hproxy)
    assert codes(proxy, "localhost", proxy.port)[2] in (403, 502)  # ::1 may refuse last
    assert codes(proxy, "127.1", proxy.port) == (REPLIES["forbidden"], 91, 403)


# ---- clients that misbehave ----------------------------------------------------------------------


def test_slow_and_silent_clients_are_sent_away(hproxy):  # noqa: F811
    proxy = forward(hproxy, "--handshake-timeout", "300ms")
    said = {b"": b"", b"\5": b"", b"\5\1\0": b"\5\0", b"CONNECT x": b"HTTP/1.1 408 "}
    worker, = proxy.workers()
    os.kill(worker, signal.SIGSTOP)  # who is slow is the client: all is there when the time begins
    socks = [(proxy.connect(), data, answer) for data, answer in said.items()]
    for sock, data, _ in socks:
        sock.sendall(data)
    os.kill(worker, signal.SIGCONT)
    for sock, data, answer in socks:
        with sock:
            assert heard(sock)[: len(answer)] == answer, data
    wait_until(lambda: proxy.process.out().count(b" slow ") == len(socks), "a line for each")


@pytest.mark.parametrize("first", [b"GET http://", b"GET http://x/ HTTP/1.1\r\nX: ", b"\5\1\1"])
def test_a_megabyte_without_an_end_is_cut_off(hproxy, first):  # noqa: F811
    proxy = forward(hproxy)
    with proxy.connect() as sock:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(first + b"x" * MIB)
        data = heard(sock)
    assert not data or re.match(rb"HTTP/1.1 4(14|31) |\x05\xff", data)
    assert line(proxy, " bad_request ")


def test_a_request_behind_another_goes_nowhere(hproxy, web):  # noqa: F811
    """What is smuggled behind a body is not for the server that the first request was for."""
    proxy = forward(hproxy)
    with proxy.connect() as sock:
        url = f"http://{HOST}:{web.port}"
        sock.sendall(f"POST {url}/one HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                     f"GET {url}/two HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert heard(sock).count(b"HTTP/1.1 200") == 1
    assert [head.split()[1] for head in web.heads] == ["/one"]
    for head in ("Content-Length: 3\r\nTransfer-Encoding: chunked", "Content-Length: 3\r\nContent-Length: 4"):
        with proxy.connect() as sock:
            sock.sendall(f"POST {url}/ HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\nabc".encode())
            assert heard(sock).startswith(b"HTTP/1.1 4")


def test_who_asks_no_further_gets_an_answer_of_the_proxy(hproxy, web):  # noqa: F811
    """RFC 9110 section 7.6.2."""
    proxy = forward(hproxy)
    for method, left, answer in [("OPTIONS", 0, "204 No Content"), ("TRACE", 0, "405 Method Not Allowed"), ("OPTIONS", 2, "200")]:
        with proxy.connect() as sock:
            sock.sendall(f"{method} http://{HOST}:{web.port}/{method}{left} HTTP/1.1\r\nHost: x\r\n"
                         f"Max-Forwards: {left}\r\n\r\n".encode())
            got = heard(sock).decode()
            assert got.startswith(f"HTTP/1.1 {answer}") and (left or "\r\nAllow: " in got), got
    head, = web.heads
    assert head.startswith("OPTIONS /OPTIONS2 ") and "\nMax-Forwards: 1\n" in head


# ---- datagrams -----------------------------------------------------------------------------------


@contextlib.contextmanager
def echo(host=HOST):
    """Sends datagrams back to where they came from."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))

    def serve():
        while True:
            data, client = sock.recvfrom(1 << 16)
            if data == b"end":
                return
            sock.sendto(data, client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield sock.getsockname()[1]
    with socket.socket(sock.family, socket.SOCK_DGRAM) as end:
        end.sendto(b"end", sock.getsockname())
    thread.join(TIMEOUT)
    sock.close()


def head_of(host, port):
    name = host.encode()
    return b"\0\0\0\3%c%s%s" % (len(name), name, struct.pack("!H", port))


def test_datagrams_of_many_clients(hproxy, names):  # noqa: F811
    proxy = forward(hproxy, "--dns", names, "--destination", "allow here.example", "--destination", "allow 127.0.0.1")
    with echo() as port, contextlib.ExitStack() as stack:
        clients = []
        for _ in range(20):
            control = stack.enter_context(proxy.connect())
            code, bound = socks5(control, "0.0.0.0", 0, command=3)
            assert code == REPLIES["granted"]
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.settimeout(TIMEOUT)
            clients.append((control, sock, bound))
        source = b"\0\0\0\1\x7f\0\0\1" + struct.pack("!H", port)
        for size in (0, 1, 1400):  # all at once
            for i, (_, sock, bound) in enumerate(clients):
                sock.sendto(head_of("here.example" if i % 2 else HOST, port) + bytes([i]) * size, bound)
            for i, (_, sock, _) in enumerate(clients):
                assert sock.recv(1 << 16) == source + bytes([i]) * size
        for i, (_, sock, bound) in enumerate(clients):  # more of these at once the kernel would drop
            sock.sendto(head_of(HOST, port) + bytes([i]) * 60000, bound)
            assert sock.recv(1 << 16) == source + bytes([i]) * 60000
        control, sock, bound = clients[0]
        sock.sendto(head_of("127.0.0.2", port) + b"denied", bound)
        sock.sendto(head_of(HOST, port) + b"allowed", bound)
        assert sock.recv(1 << 16) == source + b"allowed"
        control.close()  # and the socket goes with it
        lab_port = bound[1]
        wait_until(lambda: f":{lab_port:04X} " not in open("/proc/net/udp").read(), "the end of the association")
    row = line(proxy, " udp ")
    assert " socks5 " in row and " done " in row and " 61408 61408 " in row, row


@pytest.mark.skipif(not IPV6, reason="no IPv6")
def test_datagrams_of_either_family(hproxy):  # noqa: F811
    """Whatever the client's own is."""
    proxy = hproxy("[::1]:0", "--socks")
    with echo("::1") as six, echo() as four, proxy.connect() as control:
        code, bound = socks5(control, "::", 0, command=3)
        assert code == REPLIES["granted"] and bound[0] == "::1"
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.settimeout(TIMEOUT)
            for host, port in (("::1", six), (HOST, four)):
                sock.sendto(head_of(host, port) + host.encode(), bound)
                assert sock.recv(1 << 16).endswith(struct.pack("!H", port) + host.encode())


def test_an_idle_association_ends(hproxy):  # noqa: F811
    proxy = forward(hproxy, "--idle-timeout", "200ms")
    with proxy.connect() as sock:
        assert socks5(sock, "0.0.0.0", 0, command=3)[0] == REPLIES["granted"]
        assert heard(sock) == b""
    assert line(proxy, " idle ")


def test_no_datagrams_past_another_proxy(hproxy):  # noqa: F811
    proxy = forward(hproxy, "--via", f"socks5://{HOST}:9")
    with proxy.connect() as sock:
        assert socks5(sock, "0.0.0.0", 0, command=3)[0] == REPLIES["command"]


def test_what_is_under_way_ends_with_the_proxy(hproxy, web):  # noqa: F811
    """A tunnel, an association, one who has not asked yet: all of them are told and logged."""
    proxy = forward(hproxy, "--stop-time", "1ms")
    with proxy.connect() as tunnel, proxy.connect() as association, proxy.connect() as silent:
        assert connect(tunnel, HOST, web.port) == 200
        assert socks5(association, "0.0.0.0", 0, command=3)[0] == 0
        silent.sendall(b"\5")
        proxy.stop()
        assert (heard(tunnel), heard(association), heard(silent)) == (b"", b"", b"")
    assert proxy.process.out().count(b" stopped ") == 3
