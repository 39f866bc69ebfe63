# One thread.
"""Several targets behind hproxy: how connections are spread over them, what happens when one dies or comes back,
and names that are followed."""

import collections
import contextlib
import http.server
import json
import os
import re
import signal
import socket
import ssl
import struct
import threading
import urllib.request

import pytest

from conftest import TIMEOUT, wait_until
from hproxy_lab import *
from pki import Pki

HOST = "127.0.0.1"
QUICK = ["--check-interval", "50ms", "--check-rise", "1", "--check-fall", "1"]


@pytest.fixture
def targets(target):
    """Three of them: a, b and c."""
    return [target(name) for name in "abc"]


def addresses(targets):
    return [one.address for one in targets]


def who(proxy, times=1):
    """The names of the targets that answer so many connections, one after the other; "" for one that is closed."""
    return "".join(proxy.ask().decode().partition(":")[0] or "-" for _ in range(times))


def said(proxy, pattern, behind=0):
    """Waits until a message matches, behind so many characters of them; where it ends."""
    found = lambda: re.compile(pattern).search(proxy.process.err(), behind)  # noqa: E731
    return wait_until(found, f"{pattern} in: {proxy.process}").end()


# ---- balance -------------------------------------------------------------------------------------


def test_connections_go_round(hproxy, targets):
    proxy = hproxy("0", *addresses(targets))
    assert who(proxy, 9) == "abcabcabc"
    proxy = hproxy("0", targets[0].address + ",weight=4", *addresses(targets)[1:])
    assert collections.Counter(who(proxy, 12)) == {"a": 8, "b": 2, "c": 2}


def test_the_least_busy_gets_the_next(hproxy, targets):
    proxy = hproxy("0", "-b", "least-connections", *addresses(targets))
    with contextlib.ExitStack() as stack:
        socks = {}
        for _ in range(3):
            sock = stack.enter_context(proxy.connect())
            sock.sendall(b"x")
            socks[sock.recv(100)] = sock
        assert sorted(socks) == [b"a:x", b"b:x", b"c:x"]
        more = [stack.enter_context(proxy.connect()) for _ in range(3)]
        for sock in more:
            sock.sendall(b"x")
        names = [sock.recv(100) for sock in more]
        assert sorted(names) == sorted(socks)
        for sock in (socks[b"b:x"], more[names.index(b"b:x")]):  # b has none now
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(100) == b""
        assert who(proxy, 5) == "bbbbb"


def test_a_client_stays_with_its_target(hproxy, targets):
    proxy = hproxy("0", "-b", "source-hash", "--accept-proxy", *addresses(targets))

    def of(client, port):
        header = f"PROXY TCP4 {client} 127.0.0.1 {port} 80\r\n".encode()
        return proxy.ask(header + b"x").decode().partition(":")[0]

    clients = [f"10.0.{n}.7" for n in range(40)]
    home = {client: of(client, 1000) for client in clients}
    assert set(home.values()) == set("abc")
    assert {client: of(client, 2000) for client in clients} == home
    targets[1].close()
    moved = {client: of(client, 3000) for client in clients}
    assert all(moved[client] == home[client] for client in clients if home[client] != "b")
    assert set(moved.values()) == set("ac")
    targets[1].open()
    proxy = hproxy("0", "-b", "source-hash", "--accept-proxy", *addresses(targets))
    assert {client: of(client, 4000) for client in clients} == home, "another process hashes alike"


def test_a_backup_comes_last(hproxy, targets):
    proxy = hproxy("0", *addresses(targets)[:2], targets[2].address + ",backup")
    assert who(proxy, 4) == "abab"
    targets[0].close()
    targets[1].close()
    assert who(proxy, 4) == "cccc"


# ---- a target dies and returns -------------------------------------------------------------------


def test_a_target_that_refuses_is_ejected_and_tried_again(hproxy, targets):
    proxy = hproxy("0", *addresses(targets)[:2], "--eject-failures", "2", "--eject-time", "1h")
    targets[0].close()
    assert who(proxy, 8) == "bbbbbbbb", "each connection finds the target that is there"
    refused = f"target {targets[0].address} failed too often: Connection refused"
    assert said(proxy, refused)
    assert proxy.process.err().count("the next target is") == 2, "and from then on it is not asked any more"
    proxy = hproxy("0", *addresses(targets)[:2], "--eject-failures", "2", "--eject-time", "100ms")
    wait_until(lambda: who(proxy, 2) == "bb" and refused in proxy.process.err(), "the ejection")
    targets[0].open()
    wait_until(lambda: who(proxy) == "a", "the trial")
    assert said(proxy, rf"target {targets[0].address} is back")
    assert sorted(who(proxy, 4)) == list("aabb")


def test_checks_find_out_before_clients_do(hproxy, targets):
    proxy = hproxy("0", *addresses(targets), "--check", "connect", *QUICK)
    said(proxy, f"target {targets[1].address} is up")
    targets[1].close()
    down = said(proxy, rf"target {targets[1].address} is down: .*Connection refused.* \(2 left\)")
    before = proxy.process.err().count("the next target is")
    assert sorted(who(proxy, 6)) == list("aaaccc")
    assert proxy.process.err().count("the next target is") == before
    targets[1].open()
    said(proxy, rf"target {targets[1].address} is up \(3 left\)", down)
    assert sorted(who(proxy, 6)) == list("aabbcc")


def test_when_all_are_down_the_client_is_closed_at_once(hproxy, targets):
    proxy = hproxy("0", *addresses(targets)[:2], "--access-log", "--check", "connect", *QUICK)
    for one in targets[:2]:
        one.close()
    said(proxy, r"\(0 left\)")
    assert who(proxy) == "-"
    line = wait_until(lambda: proxy.process.out().decode(), "the line")
    for one in targets[:2]:
        assert f"{one.address}\\x20is\\x20down" in line or f"{one.address} is down" in line, line
    assert "Connection refused" in line or "Connection\\x20refused" in line
    targets[1].open()
    said(proxy, r"is up \(1 left\)")
    assert who(proxy, 2) == "bb"


def test_when_all_refuse_the_client_is_closed_at_once(hproxy, targets):
    proxy = hproxy("0", *addresses(targets)[:2], "--access-log", "--eject-failures", "1")
    for one in targets[:2]:
        one.close()
    assert who(proxy, 3) == "---"
    assert len(wait_until(lambda: proxy.process.out().decode().splitlines(), "lines")) >= 1
    assert "connect to 127.0.0.1 port" in proxy.process.out().decode().replace("\\x20", " ")
    targets[0].open()
    assert who(proxy, 2) == "aa", "when all are ejected all are tried"


@pytest.mark.parametrize("scheme, back_args, front_args", [("", [], []), ("tls://", ["--tls-self-signed"], ["--target-insecure"])])
def test_a_target_sees_the_source(hproxy, target, scheme, back_args, front_args):
    back = hproxy(scheme + "127.0.0.1:0", target().address, "-v", *back_args)
    front = hproxy("127.0.0.1:0", back.serving[0], "--source", "127.0.0.9", *front_args)
    assert front.ask() == b"target:ping", front.process
    wait_until(lambda: re.search(r" 127\.0\.0\.9:\d+ - ", back.process.err()), f"its address in the log: {back.process}")
    front.stop()


def test_a_dying_target_loses_no_new_connection(hproxy, targets):
    """While targets die and return one after another, each new connection is answered by one that lives."""
    proxy = hproxy("0", *addresses(targets), "--eject-time", "100ms", "-w", "2")
    for one in targets:
        one.close()
        assert "-" not in who(proxy, 20)
        one.open()


@contextlib.contextmanager
def web(answers, tls=None):
    """An HTTP server (TLS: certificate and key) whose statuses are those of the dict, by path; `hosts` is what was asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.hosts.append(self.headers["Host"])
            self.send_response(answers.get(self.path, 404))
            self.end_headers()
            self.wfile.write(b"web")

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
    server.hosts = []
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_http_checks_look_at_the_status(hproxy):
    answers = {"/health": 503}
    with web(answers) as server:
        port = server.server_address[1]
        proxy = hproxy("0", f"{HOST}:{port}", "--check", "http", "--check-path", "/health", *QUICK)
        said(proxy, rf"target {HOST}:{port} is down: HTTP status 503 \(0 left\)")
        assert proxy.ask(b"GET /health HTTP/1.0\r\n\r\n") == b""
        answers["/health"] = 200
        said(proxy, rf"target {HOST}:{port} is up \(1 left\)")
        assert proxy.ask(b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 ")
        assert set(server.hosts) == {f"{HOST}:{port}", None}


def test_checks_speak_tls_where_targets_do(hproxy, targets, tmp_path):
    pki = Pki(tmp_path)
    with web({"/": 200}, pki.issue("app.test", "DNS:app.test")) as server:
        port = server.server_address[1]
        both = [f"tls://localhost:{port}", targets[0].address]
        proxy = hproxy("0", *both, "--target-ca", pki.ca, "--check", "http", *QUICK)
        said(proxy, rf"target tls://localhost:{port} .*is down: TLS with localhost.*app.test|is down: .*certificate")
        said(proxy, rf"target {targets[0].address} is down: ")  # which is no web server
        proxy = hproxy("0", *both, "--target-ca", pki.ca, "--target-name", "app.test", "--check", "http", *QUICK)
        said(proxy, rf"target tls://localhost:{port} .*is up")
        assert set(server.hosts) == {f"localhost:{port}"}


def test_checks_that_talk(hproxy, target):
    one = target("smtp")  # answers smtp: and what it was sent
    args = ["--check", "talk", "--check-send", r"PING\r\n", *QUICK]
    proxy = hproxy("0", one.address, *args, "--check-expect", r"smtp:PING\r\n")
    said(proxy, f"target {one.address} is up")
    proxy = hproxy("0", one.address, *args, "--check-expect", "PONG", "--check-timeout", "500ms")
    said(proxy, rf"target {one.address} is down: no reply within 0.5 s")


# ---- workers -------------------------------------------------------------------------------------


def test_workers_know_together(hproxy, targets):
    """What one worker finds out the others know, and those that come after them."""
    proxy = hproxy("0", *addresses(targets)[:2], "-w", "3", "--eject-failures", "1", "--eject-time", "1h")
    targets[0].close()
    assert "-" not in who(proxy, 30)
    assert proxy.process.err().count("the next target is") == 1, "an ejection counts for all"
    old = proxy.workers(3)
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(proxy.workers(3)) & set(old), "other workers")
    assert "-" not in who(proxy, 10)
    assert proxy.process.err().count("the next target is") == 1, "it is out still"


def test_workers_balance_and_count_together(hproxy, targets):
    """Least connections are those of all workers, and a killed one takes its own with it."""
    proxy = hproxy("0", *addresses(targets)[:2], "-w", "3", "-b", "least-connections", "--status", "0")

    def told():
        with urllib.request.urlopen(f"http://{proxy.status}/status", timeout=TIMEOUT) as reply:
            return json.load(reply)["listeners"][0]["targets"]

    def are_open():
        return [one["connections_open"] for one in told()]

    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(proxy.connect()) for _ in range(20)]
        for sock in socks:
            sock.sendall(b"x")
            assert sock.recv(100) in (b"a:x", b"b:x")
        assert sum(are_open()) == 20
        assert max(are_open()) - min(are_open()) <= 4, "workers that pick at the same moment may take the same one"
        old = proxy.workers(3)
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(proxy.workers(3)) & set(old), "other workers")
        wait_until(lambda: sum(are_open()) == 0, "the connections are forgotten")
    assert sum(one["connections_total"] for one in told()) == 20, "what was counted stays"


# ---- names ---------------------------------------------------------------------------------------


class Names:
    """A name server: `hosts` has the addresses of each name, `services` the records (priority, weight, port, host)
    of each service; the TTL of all is 0 seconds. `broken`: it says SERVFAIL."""

    def __init__(self):
        self.hosts, self.services = {}, {}
        self.broken = False
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((HOST, 0))
        self.server = "%s:%d" % self.sock.getsockname()
        threading.Thread(target=self.run, daemon=True).start()

    @staticmethod
    def labels(name):
        return b"".join(b"%c%s" % (len(label), label.encode()) for label in name.split(".") if label) + b"\0"

    def records(self, name, kind):
        if kind == 1:
            return [socket.inet_aton(ip) for ip in self.hosts.get(name, [])]
        if kind == 33:
            return [struct.pack("!HHH", *row[:3]) + self.labels(row[3]) for row in self.services.get(name, [])]
        return []

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                query, client = self.sock.recvfrom(4096)
                if not query:
                    return  # the end
                end = query.index(b"\0", 12)
                name, at = [], 12
                while query[at]:
                    name.append(query[at + 1 : at + 1 + query[at]].decode())
                    at += 1 + query[at]
                name = ".".join(name).lower()
                kind = struct.unpack("!H", query[end + 1 : end + 3])[0]
                rows = [] if self.broken else self.records(name, kind)
                code = 2 if self.broken else 0 if name in self.hosts or name in self.services else 3
                head = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(rows), 0, 0)
                body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(row)) + row for row in rows)
                self.sock.sendto(head + query[12 : end + 5] + body, client)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@pytest.fixture
def names():
    names = Names()
    yield names
    names.close()


@pytest.fixture
def everywhere():
    """Servers on one port of 127.0.0.1, .2 and .3, which answer 1, 2 or 3; (the port, them)."""
    servers = []
    port = 0
    for n in (1, 2, 3):
        while True:
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                server.bind((f"127.0.0.{n}", port))
                break
            except OSError:  # somebody has this port there: all anew
                pytest.skip("the port is not free on each address")
        port = server.getsockname()[1]
        server.listen()
        servers.append(server)

    def serve(server, n):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = server.accept()
                threading.Thread(target=answer, args=(sock, n), daemon=True).start()

    def answer(sock, n):
        with contextlib.suppress(OSError), sock:
            while data := sock.recv(100):
                sock.sendall(b"%d:" % n + data)

    for n, server in enumerate(servers, 1):
        threading.Thread(target=serve, args=(server, n), daemon=True).start()
    yield port
    for server in servers:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()


def test_a_name_is_followed(hproxy, names, everywhere):
    names.hosts["www.test"] = ["127.0.0.1", "127.0.0.2"]
    proxy = hproxy("0", f"www.test:{everywhere}", "--dns", names.server, "--dns-min", "20ms", "--dns-max", "100ms")
    assert sorted(who(proxy, 4)) == list("1122"), "the first client waits for the name"
    with proxy.connect() as sock:
        sock.sendall(b"x")
        home = sock.recv(100)[:1].decode()
        names.hosts["www.test"] = ["127.0.0.3"]
        said(proxy, rf"target www.test:{everywhere} at 127.0.0.3:{everywhere} was added")
        said(proxy, rf"target www.test:{everywhere} at 127.0.0.{home}:{everywhere} was removed")
        assert who(proxy, 3) == "333"
        sock.sendall(b"y")
        assert sock.recv(100) == f"{home}:y".encode(), "the old connection goes on"
    names.broken = True
    said(proxy, rf"target www.test:{everywhere} cannot be resolved: .* \(1 left\)")
    assert who(proxy, 3) == "333", "the last good address stays"
    names.broken = False
    said(proxy, rf"target www.test:{everywhere} can be resolved again")


def test_a_reload_needs_no_name_server(hproxy, conf, names, everywhere):
    names.hosts["www.test"] = ["127.0.0.2"]
    names.hosts["h3.test"] = ["127.0.0.3"]
    names.services["_web._tcp.test"] = [(10, 1, everywhere, "h3.test")]
    path = conf(f"dns = {names.server}\ndns-max = 1s\n[listen www]\nlisten = 0\ntarget = www.test:{everywhere}\ntarget = _web._tcp.test\n")
    proxy = hproxy("-c", path)
    wait_until(lambda: sorted(who(proxy, 4)) == list("2233"), "both")
    names.broken = True
    old = proxy.workers(1)
    assert "reloaded" in proxy.reload()
    assert sorted(who(proxy, 4)) == list("2233"), "what the old worker knew"
    wait_until(lambda: proxy.workers(1) != old, "the old one has gone")
    os.kill(proxy.workers(1)[0], signal.SIGKILL)
    assert sorted(who(proxy, 4)) == list("2233"), "or one that was killed"


def test_a_name_without_an_address(hproxy, names):
    proxy = hproxy("0", "gone.test:80", "--dns", names.server, "--access-log")
    assert who(proxy) == "-"
    line = wait_until(lambda: proxy.process.out().decode(), "the line").replace("\\x20", " ")
    assert "gone.test: no such name" in line


def test_a_service_is_followed(hproxy, names, everywhere):
    for n in (1, 2, 3):
        names.hosts[f"h{n}.test"] = [f"127.0.0.{n}"]
    names.services["_web._tcp.test"] = [(10, 3, everywhere, "h1.test"), (10, 1, everywhere, "h2.test"), (20, 1, everywhere, "h3.test")]
    proxy = hproxy("0", "_web._tcp.test", "--dns", names.server, "--dns-min", "20ms", "--dns-max", "100ms")
    for n in (1, 2, 3):
        said(proxy, f"target h{n}.test.* was added")
    assert collections.Counter(who(proxy, 8)) == {"1": 6, "2": 2}, "weights"
    names.services["_web._tcp.test"] = [(30, 1, everywhere, "h1.test"), (20, 1, everywhere, "h3.test")]
    said(proxy, "target h2.test.* was removed")
    wait_until(lambda: who(proxy, 3) == "333", "the order")
    names.hosts["h3.test"] = ["127.0.0.2"]
    said(proxy, rf"target h3.test:{everywhere} at 127.0.0.2:{everywhere} was added")
    wait_until(lambda: who(proxy, 3) == "222", "hosts are followed, too")
