"""hhttpd in front of other servers, and as a forward proxy: with nginx behind it, curl and ab before
it, and a server of the test that shows what it was asked."""

import contextlib
import http.server
import json
import os
import socket
import subprocess
import threading

import pytest

from conftest import TIMEOUT
from hhttpd_lab import hhttpd, www  # noqa: F401

SIZE = 20_000_000


class Shows(http.server.BaseHTTPRequestHandler):
    """Answers with the request, as JSON."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = {"method": self.command, "path": self.path, "body": len(body), "headers": dict(self.headers.items())}
        text = json.dumps(asked).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Back", "1")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(handler):
    """Its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def back():
    """The port of a server that shows what it is asked."""
    with serving(Shows) as port:
        yield port


@pytest.fixture
def nginx(lab, www):
    """The port of an nginx that serves the same folder, with a large file in it."""
    (www / "large").write_bytes(os.urandom(SIZE))
    port = lab.port()
    folder = lab.folder / "nginx"
    folder.mkdir()
    conf = folder / "nginx.conf"
    temporary = "".join(f"{name}_temp_path {folder}/t;" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}; root {www};\n"
        f"}} }}\n"
    )
    lab.spawn("nginx", "-p", folder, "-e", folder / "error.log", "-c", conf)
    lab.wait_bound(port)
    return port


def curl(*args):
    return subprocess.run(
        ["curl", "-sS", "--max-time", str(TIMEOUT), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


class Redirects(http.server.BaseHTTPRequestHandler):
    """Leads to what the query says; AT is its own address."""

    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", self.path.partition("?")[2].replace("AT", "%s:%d" % self.server.server_address))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def redirector():
    with serving(Redirects) as port:
        yield port


@pytest.mark.parametrize(
    "rule,location,expected",
    [
        ("/app/ => http://127.0.0.1:PORT/", "http://AT/a/?q", "/app/a/?q"),
        ("/app/ => http://127.0.0.1:PORT/", "HTTP://AT", "/app/"),
        ("/app/ => http://127.0.0.1:PORT/", "http://AT?q", "/app/?q"),
        ("/app/ => http://127.0.0.1:PORT/", "http://AT1/a", None),
        ("/app/ => http://127.0.0.1:PORT/", "https://AT/a", None),
        ("/app/ => http://127.0.0.1:PORT/", "/a", None),
        ("/app/ => http://127.0.0.1:PORT/", "//AT/a", None),
        ("/app/ => http://127.0.0.1:PORT/v1/", "http://AT/v1/a", "/app/a"),
        ("/app/ => http://127.0.0.1:PORT/v1/", "http://AT/v2/a", None),
        ("/app/ => http://127.0.0.1:PORT/v1/", "http://AT/v1", None),
        ("/app/ => http://127.0.0.1:PORT", "http://AT/app/a", "/app/a"),
        ("/app/ => http://127.0.0.1:PORT", "http://AT", "/"),
        ("/ => http://127.0.0.1:PORT/", "http://AT/a", "/a"),
        ("/ => http://127.0.0.1:PORT/", "http://AT//example.com/", None),
        ("/app/ => http://127.0.0.1:PORT", "http://AT/\\\\example.com/", None),
        ("/app/ => http://127.0.0.1:PORT/", "http://AT//example.com/", "/app//example.com/"),
    ],
)
def test_a_redirect_to_the_server_behind_leads_here(hhttpd, www, redirector, rule, location, expected):
    server = hhttpd("-p", "127.0.0.1:0", "--proxy", rule.replace("PORT", str(redirector)), www)
    done = curl("-o", os.devnull, "-w", "%header{location}", f"http://127.0.0.1:{server.port}/app/?{location}")
    assert done.stdout.decode() == (expected or location.replace("AT", f"127.0.0.1:{redirector}"))


def test_the_path_of_the_rule_gives_way_to_that_of_the_target(hhttpd, www, back):
    server = hhttpd("-p", "127.0.0.1:0", "--proxy", f"/app/ => http://127.0.0.1:{back}/v1/", www)
    asked = json.loads(server.get("/app/a%20b?x=%31", X_A="1").text)
    assert asked["path"] == "/v1/a%20b?x=%31"
    assert asked["headers"]["Host"] == f"127.0.0.1:{back}"
    assert asked["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert asked["headers"]["X-A"] == "1"
    assert "hhttpd" in asked["headers"]["Via"]
    assert server.get("/a.txt").text == "some text\n"


def test_the_longest_path_wins_and_bodies_go_through(hhttpd, www, back, nginx):
    server = hhttpd(
        "-p", "127.0.0.1:0", "--proxy", f"/ => http://127.0.0.1:{nginx}", "--proxy", f"/api/ => http://127.0.0.1:{back}/", www
    )
    assert json.loads(server.request("POST", "/api/x", body=b"y" * 100000).text)["body"] == 100000
    answer = server.get("/large")
    assert answer.body == (www / "large").read_bytes()
    assert answer["Server"].startswith("nginx")
    part = server.get("/large", Range="bytes=1000-1999")
    assert part.status == 206 and part.body == (www / "large").read_bytes()[1000:2000]
    unchanged = server.get("/large", If_None_Match=answer["ETag"])
    assert unchanged.status == 304 and unchanged.body == b""


def test_many_requests_share_a_few_connections(hhttpd, www, nginx):
    server = hhttpd("-p", "127.0.0.1:0", "--proxy", f"http://127.0.0.1:{nginx}", www)
    url = f"http://127.0.0.1:{server.port}/a.txt"
    done = subprocess.run(["ab", "-q", "-k", "-c", "8", "-n", "2000", url], stdout=subprocess.PIPE, timeout=TIMEOUT)
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "Complete requests:      2000" in text and "Failed requests:        0" in text and "Non-2xx" not in text


def test_nobody_behind_it_is_a_bad_gateway_and_is_logged(lab, hhttpd, www):
    server = hhttpd("-p", "127.0.0.1:0", "--proxy", f"http://127.0.0.1:{lab.port()}", www)
    assert server.get("/").status == 502
    server.process.wait_err("Connection refused")


def test_one_of_two_that_is_down_is_left_out(lab, hhttpd, www, back):
    server = hhttpd(
        "-p", "127.0.0.1:0", "--proxy", f"/ => http://127.0.0.1:{lab.port()}", "--proxy", f"/ => http://127.0.0.1:{back}", www
    )
    for _ in range(6):
        assert server.get("/x").status == 200


def test_a_unix_socket_behind_it(lab, hhttpd, www):
    path = lab.path("back.sock")
    hhttpd(f"unix:{path}", www)
    server = hhttpd("-p", "127.0.0.1:0", "--proxy", f"/ => unix:{path}", www)
    assert server.get("/sub/b.txt").text == "below\n"


def test_a_tunnel_for_a_protocol_of_its_own(lab, hhttpd, www):
    """An Upgrade, as WebSocket has it: from then on bytes go both ways."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        server = hhttpd("-p", "127.0.0.1:0", "--proxy", f"http://127.0.0.1:{listener.getsockname()[1]}", www)
        with server.connect() as client:
            client.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            far = listener.accept()[0]
            with far:
                far.settimeout(TIMEOUT)
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    request += far.recv(4096)
                assert b"Upgrade: echo\r\n" in request
                far.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
                heard = b""
                while not heard.endswith(b"hello"):
                    heard += client.recv(4096)
                assert heard.startswith(b"HTTP/1.1 101 ")
                client.sendall(b"and back")
                assert far.recv(100) == b"and back"


# ---- the forward proxy ----


@pytest.fixture
def forward(lab, hhttpd, www):
    """forward(settings): a forward proxy; its URL."""

    def start(settings=""):
        conf = lab.folder / "forward.conf"
        conf.write_text(f"listen = 127.0.0.1:0\ndocument_root = {www}\n[proxy]\nforward_proxy = yes\n{settings}")
        return f"http://127.0.0.1:{hhttpd('-c', conf).port}"

    return start


def test_curl_goes_through_the_forward_proxy(hhttpd, www, forward, nginx):
    proxy = forward()
    for how in (["-x", proxy], ["-p", "-x", proxy]):
        done = curl(*how, f"http://127.0.0.1:{nginx}/large")
        assert done.returncode == 0 and done.stdout == (www / "large").read_bytes()
    secure = hhttpd("tls://127.0.0.1:0", "--tls-self-signed", www)
    done = curl("-k", "-x", proxy, f"https://127.0.0.1:{secure.port}/a.txt")
    assert done.returncode == 0 and done.stdout == b"some text\n"


def test_the_forward_proxy_does_not_tell_who_asks(back, forward):
    asked = json.loads(curl("-x", forward(), f"http://127.0.0.1:{back}/x?y").stdout)
    assert asked["path"] == "/x?y"
    assert not [name for name in asked["headers"] if name.lower().startswith("x-forwarded")]
    assert "Proxy-Connection" not in asked["headers"]


@pytest.mark.parametrize(
    "settings,status",
    [
        ("no_proxies = 127.0.0.1\n", 403),
        ("no_proxies = *example.com;*127.0.0.1\n", 403),
        ("no_proxies = 10.*, 127.*\n", 403),
        ("no_proxies = 27.*;*.127.0.0.1\n", 200),
        ("trust_proxies = example.com\n", 403),
        ("trust_proxies = *example.com;*example.org\n", 403),
        ("trust_proxies = *example.com;*127.0.0.1\n", 200),
        ("trust_proxies = *example.*;*.0.0.*\n", 200),
        ("trust_proxies = *27.*;*1*8*\n", 200),
        ("trust_proxies = 127.*.2;27.*\n", 403),
    ],
)
def test_the_forward_proxy_goes_only_where_it_may(back, forward, settings, status):
    proxy = forward(settings)
    done = curl("-o", os.devnull, "-w", "%{http_code}", "-x", proxy, f"http://127.0.0.1:{back}/")
    assert done.stdout == str(status).encode()
    done = curl("-o", os.devnull, "-w", "%{http_connect}", "-p", "-x", proxy, f"http://127.0.0.1:{back}/")
    assert done.stdout == str(status).encode()


def test_the_forward_proxy_says_that_a_server_is_not_there(lab, forward):
    proxy = forward()
    port = lab.port()
    assert curl("-o", os.devnull, "-w", "%{http_code}", "-x", proxy, f"http://127.0.0.1:{port}/").stdout == b"502"
    assert curl("-o", os.devnull, "-w", "%{http_connect}", "-p", "-x", proxy, f"http://127.0.0.1:{port}/").stdout == b"502"


def test_without_forward_proxy_nobody_is_asked(hhttpd, www, back):
    server = hhttpd("-p", "127.0.0.1:0", www)
    assert server.raw(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % back).split()[1] in (
        b"404",
        b"405",
        b"501",
    )
    answer = server.raw(b"GET http://127.0.0.1:%d/a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % back)
    assert b"X-Back" not in answer
