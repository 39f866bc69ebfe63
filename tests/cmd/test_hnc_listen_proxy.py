# One thread.
"""hnc -l --proxy-type: a proxy for curl, ncat, nc and hnc itself, for those who may use it."""

import re
import socket
import threading

import pytest
from conftest import TIMEOUT, wait_until
from pki import Pki

HOST = "127.0.0.1"
MIB = 1 << 20


def proxy(lab, kind, *args, **options):
    port = lab.port()
    hnc = lab.spawn("hnc", "-l", "--proxy-type", kind, *args, HOST, port, **options)
    lab.wait_bound(port)
    return hnc, port


class Web:
    """An HTTP server that answers each request with its first line, and then closes."""

    def __init__(self):
        self.socket = socket.create_server((HOST, 0))
        self.port = self.socket.getsockname()[1]
        self.requests = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            with s:
                data = b""
                while b"\r\n\r\n" not in data and (piece := s.recv(MIB)):
                    data += piece
                self.requests.append(data)
                line = data.split(b"\r\n")[0]
                s.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(line), line))


@pytest.fixture
def web():
    web = Web()
    yield web
    web.socket.close()


def ask(port, request):
    """The whole answer to a request in bytes."""
    with socket.create_connection((HOST, port), TIMEOUT) as s:
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        data = b""
        while piece := s.recv(MIB):
            data += piece
        return data


# ---- clients -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, scheme",
    [("http", "http"), ("socks4", "socks4"), ("socks4", "socks4a"), ("socks5", "socks5")]
    + [("socks5", "socks5h")],
)
def test_curl_goes_through(lab, web, kind, scheme):
    _, port = proxy(lab, kind)
    for path in ("/one", "/two"):
        url = f"http://{HOST}:{web.port}{path}"
        done = lab.run("curl", "-sS", "-x", f"{scheme}://{HOST}:{port}", url)
        assert done.out() == f"GET {path} HTTP/1.1".encode(), done.err()


def test_curl_tunnels_through(lab, web):
    _, port = proxy(lab, "http")
    done = lab.run("curl", "-sSp", "-x", f"http://{HOST}:{port}", f"http://localhost:{web.port}/x")
    assert done.out() == b"GET /x HTTP/1.1", done.err()


@pytest.mark.parametrize(
    "kind, client",
    [
        ("http", "ncat --proxy-type http --proxy"),
        ("socks4", "ncat --proxy-type socks4 --proxy"),
        ("socks5", "ncat --proxy-type socks5 --proxy"),
        ("http", "nc -N -X connect -x"),
        ("socks5", "nc -N -X 5 -x"),
        ("socks4", "nc -N -X 4 -x"),
        ("http", "hnc -N --proxy"),
        ("socks5", "hnc -N -x"),
    ],
)
def test_bulk_goes_both_ways_and_a_half_closing_client_gets_its_answer(lab, kind, client):
    data = b"0123456789abcdef" * (MIB // 16)
    _, port = proxy(lab, kind)
    server = lab.port()
    lab.spawn("hnc", "-l", "-c", "cat", HOST, server)
    lab.wait_bound(server)
    done = lab.run(*client.split(), f"{HOST}:{port}", HOST, server, data=data)
    assert done.wait() == 0, done.err()
    assert done.out() == data


def test_a_proxy_over_tls(lab, web, tmp_path):
    pki = Pki(tmp_path)
    cert = pki.issue("proxy")
    hnc, port = proxy(lab, "http", "--ssl-cert", cert[0], "--ssl-key", cert[1])
    done = lab.run(
        *["curl", "-sSp", "--proxy-cacert", pki.ca, "-x", f"https://localhost:{port}"],
        f"http://{HOST}:{web.port}/tls",
    )
    assert done.out() == b"GET /tls HTTP/1.1", done.err()


def test_the_request_may_bring_the_first_data_along(lab, web):
    _, port = proxy(lab, "http")
    connect = f"CONNECT {HOST}:{web.port} HTTP/1.0\r\n\r\n".encode()
    answer = ask(port, connect + b"GET /at-once HTTP/1.0\r\n\r\n")
    assert re.match(rb"HTTP/1.[01] 200 .*\r\n\r\nHTTP/1.0 200 OK.*GET /at-once", answer, re.S)


# ---- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, scheme", [("http", "http"), ("socks5", "socks5")])
def test_only_who_knows_the_password_may_use_it(lab, web, kind, scheme):
    _, port = proxy(lab, kind, "--proxy-auth", "user:secret")
    url = f"http://{HOST}:{web.port}/"
    for user in ("", "user:wrong@", "other:secret@"):
        done = lab.run("curl", "-sSfp", "-x", f"{scheme}://{user}{HOST}:{port}", url)
        assert done.wait() != 0, user
    assert web.requests == []
    done = lab.run("curl", "-sSfp", "-x", f"{scheme}://user:secret@{HOST}:{port}", url)
    assert done.out() == b"GET / HTTP/1.1", done.err()


def test_digest_is_understood(lab, web):
    _, port = proxy(lab, "http", "--proxy-auth", "user:secret")
    done = lab.run(
        *["curl", "-sSf", "--proxy-digest", "-x", f"http://user:secret@{HOST}:{port}"],
        f"http://{HOST}:{web.port}/digest",
    )
    assert done.out() == b"GET /digest HTTP/1.1", done.err()


def test_ncat_logs_in_and_the_password_may_come_from_the_environment(lab, web):
    _, port = proxy(lab, "http", env={"NCAT_PROXY_AUTH": "user:secret", "PATH": "/bin:/usr/bin"})
    request = lab.file(b"GET /ncat HTTP/1.0\r\n\r\n")
    done = lab.run(
        *["ncat", "--proxy", f"{HOST}:{port}", "--proxy-type", "http"],
        *["--proxy-auth", "user:secret", HOST, web.port],
        stdin=request,
    )
    assert b"GET /ncat" in done.out(), done.err()
    assert ask(port, f"CONNECT {HOST}:{web.port} HTTP/1.0\r\n\r\n".encode()).split()[1] == b"407"


def test_allow_and_m_hold_for_a_proxy(lab, web):
    hnc, port = proxy(lab, "http", "-v", "-m", "1")
    with socket.create_connection((HOST, port), TIMEOUT):
        with socket.create_connection((HOST, port), TIMEOUT) as s:
            assert s.recv(1) == b""
    hnc.wait_err("connection limit reached (1)")


# ---- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_line, status",
    [
        (b"bad", 400),
        (b"CONNECT 127.0.0.1 HTTP/1.0", 400),
        (b"CONNECT 127.0.0.1: HTTP/1.0", 400),
        (b"GET / HTTP/1.0", 400),
        (b"CONNECT " + b"A" * 40000 + b":80 HTTP/1.0", 414),
        (b"GET " + HOST.encode() + b" HTTP/1.0", 400),
    ],
    ids=["none", "no port", "empty port", "no host", "too long", "no URL"],
)
def test_a_bad_request_gets_its_answer_and_the_server_goes_on(lab, web, request_line, status):
    hnc, port = proxy(lab, "http", "-v")
    answer = ask(port, request_line + b"\r\n\r\n")
    assert int(answer.split()[1]) == status
    hnc.wait_err("\n")
    connect = f"CONNECT {HOST}:{web.port} HTTP/1.0\r\n\r\n\r\n\r\n".encode()
    assert ask(port, connect).split()[1] == b"200"


@pytest.mark.parametrize("form", ["CONNECT {0}:{1} HTTP/1.0", "GET http://{0}:{1}/ HTTP/1.0"])
@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_a_request_for_the_proxy_itself_is_forbidden(lab, form, host):
    _, port = proxy(lab, "http")
    assert ask(port, form.format(host, port).encode() + b"\r\n\r\n").split()[1] == b"403"


@pytest.mark.parametrize("host", [HOST, "localhost", "[::ffff:127.0.0.1]"])
def test_so_is_one_that_comes_over_a_socket_for_both_families(lab, host):
    port = lab.port()
    lab.spawn("hnc", "-l", "--proxy-type", "http", "-s", "::", "-p", port)
    lab.wait_bound(port)
    assert ask(port, f"CONNECT {host}:{port} HTTP/1.0\r\n\r\n".encode()).split()[1] == b"403"


def test_a_port_where_nobody_listens_is_told_on_both_sides(lab):
    hnc, port = proxy(lab, "http", "-v")
    closed = lab.port()
    answer = ask(port, f"CONNECT {HOST}:{closed} HTTP/1.0\r\n\r\n".encode())
    assert answer.split()[1] in (b"502", b"503", b"504")
    hnc.wait_err("Connection refused")


def test_family_4_goes_to_ipv4_alone(lab):
    _, port = proxy(lab, "http", "-4")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        v6 = server.getsockname()[1]
        answer = ask(port, f"CONNECT [::1]:{v6} HTTP/1.0\r\n\r\n".encode())
    assert answer.split()[1] in (b"502", b"504")


@pytest.mark.parametrize(
    "data",
    [b"\x05\x01\x00\x05\x02\x00\x01", b"GET / HTTP/1.0\r\n\r\n", b"\x04"],
    ids=["bind", "http", "socks4"],
)
def test_nonsense_for_a_socks_server_is_told_in_one_line(lab, web, data):
    hnc, port = proxy(lab, "socks5", "-v")
    ask(port, data)
    hnc.wait_err("socks")
    done = lab.run("curl", "-sS", "-x", f"socks5://{HOST}:{port}", f"http://{HOST}:{web.port}/")
    assert done.wait() == 0


def test_an_idle_tunnel_is_closed(lab):
    _, port = proxy(lab, "http", "--idle-timeout", "200ms")
    with socket.create_server((HOST, 0)) as server:

        def stood_and_is_closed():
            with socket.create_connection((HOST, port), TIMEOUT) as s:
                data = b""
                try:
                    s.sendall(f"CONNECT {HOST}:{server.getsockname()[1]} HTTP/1.0\r\n\r\n".encode())
                    while piece := s.recv(1000):
                        data += piece
                except ConnectionError:
                    pass  # closed before it was asked for
                return b" 200 " in data

        wait_until(stood_and_is_closed, "a tunnel, unless this machine takes longer to ask for it")


def test_stopping_while_tunnels_are_open(lab):
    hnc, port = proxy(lab, "http")
    with socket.create_server((HOST, 0)) as server:
        with socket.create_connection((HOST, port), TIMEOUT) as s:
            s.sendall(f"CONNECT {HOST}:{server.getsockname()[1]} HTTP/1.0\r\n\r\n".encode())
            assert b"200" in s.recv(1000)
            hnc.popen.terminate()
            assert hnc.wait() == -15
