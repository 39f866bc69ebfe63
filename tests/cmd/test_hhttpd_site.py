"""hhttpd: what is served, by which rules: hosts, redirects, rewrites, error pages, TLS, PROXY headers."""

import hashlib
import json
import re
import socket
import ssl
import subprocess
import time

import pytest

from conftest import TIMEOUT, wait_until
from hhttpd_lab import hhttpd, www  # noqa: F401


@pytest.fixture
def conf(lab, www):
    """conf(text): the path of a configuration that listens on a free port."""

    def write(text, port="listen = 127.0.0.1:0\n"):
        path = lab.folder / "x.conf"
        path.write_text(port + text.replace("WWW", str(www)))
        return path

    return write


# ---- virtual hosts ----


def test_a_name_chooses_its_host(hhttpd, www, conf):
    for name in ("one", "two", "wild", "deep"):
        (www / name).mkdir()
        (www / name / "x").write_text(name)
    (www / "x").write_text("default")
    server = hhttpd("-c", conf("""
document_root = WWW
[host one.example, uno.example]
document_root = WWW/one
[host two.example]
document_root = WWW/two
[host *.example]
document_root = WWW/wild
[host *.deep.example]
document_root = WWW/deep
"""))
    for host, content in [
        ("one.example", "one"),
        ("UNO.Example:8080", "one"),
        ("one.example.", "one"),
        ("two.example", "two"),
        ("three.example", "wild"),
        ("a.deep.example", "deep"),
        ("example", "default"),
        ("127.0.0.1", "default"),
        ("[::1]:80", "default"),
    ]:
        assert server.get("/x", Host=host).text == content, host
    assert server.raw(b"GET /x HTTP/1.0\r\n\r\n").endswith(b"default")
    server.stop()


def test_a_host_inherits_nothing(hhttpd, www, conf):
    server = hhttpd("-c", conf("""
document_root = WWW
index_of = /
hidden = yes
[host other]
document_root = WWW/sub
"""))
    (www / ".x").write_text("x")
    (www / "sub" / ".x").write_text("x")
    assert server.get("/.x").status == 200
    assert server.get("/.x", Host="other").status == 404
    assert server.get("/", Host="other").status == 403
    server.stop()


# ---- rules ----


def location(answer):
    return answer.status, answer["Location"]


def test_redirects(hhttpd, www, conf):
    server = hhttpd("-c", conf("""
document_root = WWW
[redirect]
/exact => /a.txt
/old/ => /new/
/gone/ => 302 /a.txt
/out/ => 308 https://example.com/base/
/query => /to?x=y
[host other]
document_root = WWW
[redirect other]
/ => https://other.example/
"""))
    assert location(server.get("/exact")) == (301, "/a.txt")
    assert server.get("/exact/x").status == 404
    assert location(server.get("/old/a/b%20c?q=1")) == (301, "/new/a/b%20c?q=1")
    assert location(server.get("/old//evil.example/%2F/..%2f")) == (301, "/new/")
    assert server.get("/old").status == 404
    assert location(server.get("/gone/x")) == (302, "/a.txt")
    assert location(server.get("/out/a%0d%0ab")) == (308, "https://example.com/base/a%0D%0Ab")
    assert location(server.get("/query?a=b")) == (301, "/to?x=y")
    assert server.get("/a.txt").status == 200
    assert location(server.get("/x", Host="other")) == (301, "https://other.example/x")
    server.stop()


def test_rewrites(hhttpd, www):
    server = hhttpd("--rewrite", "/v1/=/sub/", "--rewrite", "/short=/a.txt", www, "0")
    assert server.get("/v1/b.txt").text == "below\n"
    assert server.get("/short").text == "some text\n"
    assert server.get("/v1/%2e%2e/a.txt").text == "some text\n"  # it was "/a.txt" before any rule saw it
    assert server.get("/short/x").status == 404
    server.stop()


def test_base_url(hhttpd, www):
    server = hhttpd("--base-url", "/files/", "--redirect", "/x=/y", www, "0")
    assert server.urls[0].endswith("/files/")
    assert server.get("/files/a.txt").text == "some text\n"
    assert server.get("/files/").text == "<h1>home</h1>\n"
    assert location(server.get("/files")) == (302, "/files/")
    assert location(server.get("/")) == (302, "/files/")
    assert [server.get(path).status for path in ("/a.txt", "/filesa.txt", "/file", "/files/nosuch")] == [404] * 4
    assert location(server.get("/files/x")) == (301, "/y")
    server.stop()


def test_listings_below_a_path_only(hhttpd, www):
    server = hhttpd("--index-of", "/sub", www, "0")
    (www / "other").mkdir()
    assert server.get("/other/").status == 403
    assert "b.txt" in server.get("/sub/").text
    assert server.get("/subother/").status == 404
    server.stop()


def test_no_listing(hhttpd, www):
    server = hhttpd("--no-listing", www, "0")
    assert server.get("/sub/").status == 403 and server.get("/").status == 200
    server.stop()


def test_a_single_page_application(hhttpd, www):
    server = hhttpd("--spa", www, "0")
    assert (server.get("/some/page", Accept="text/html").status, server.get("/a.txt").text) == (200, "some text\n")
    assert server.get("/some/page", Accept="text/html").text == "<h1>home</h1>\n"
    assert server.get("/some/data.json", Accept="application/json").status == 404
    server.stop()


# ---- error pages ----


def test_the_form_of_an_error_is_the_client_s_choice(hhttpd, www):
    server = hhttpd(www, "0")
    page = server.get("/nosuch", Accept="text/html")
    assert page.status == 404 and page["Content-Type"] == "text/html; charset=utf-8" and "Not Found" in page.text
    assert "default-src 'none'" in page["Content-Security-Policy"]
    data = server.get("/nosuch", Accept="application/json")
    assert json.loads(data.text) == {"status": 404, "error": "Not Found"}
    assert server.get("/nosuch", Accept="text/plain")["Content-Type"].startswith("text/plain")
    assert "Accept" in data["Vary"]
    head = server.request("HEAD", "/nosuch")
    assert head.status == 404 and head.body == b"" and int(head["Content-Length"]) > 0
    server.stop()


def test_error_pages_of_the_folder(hhttpd, www, conf):
    (www / "error.html").write_text("<h1>it failed</h1>")
    (www / "404.html").write_text("<h1>where?</h1>")
    server = hhttpd("-c", conf("document_root = WWW\nerror_page = error.html\n[error_page]\n404 => /404.html\n"))
    assert (server.get("/nosuch").status, server.get("/nosuch").text) == (404, "<h1>where?</h1>")
    assert (server.get("/sub/").status, server.get("/sub/").text) == (403, "<h1>it failed</h1>")
    answer = server.request("POST", "/a.txt")
    assert (answer.status, answer.text, "GET" in answer["Allow"]) == (405, "<h1>it failed</h1>", True)
    assert server.raw(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    (www / "404.html").unlink()
    wait_until(lambda: "Not Found" in server.get("/nosuch").text, "our own page when theirs is missing")
    server.stop()


# ---- the connection ----


def test_a_slow_line(hhttpd, www):
    with open(www / "big", "wb") as file:
        file.truncate(300 << 10)
    server = hhttpd("--limit-rate", "100", www, "0")
    begin = time.monotonic()
    assert len(server.get("/big").body) == 300 << 10
    assert time.monotonic() - begin > 1
    server.stop()


def trusting(lab, cert):
    context = ssl.create_default_context(cafile=cert)
    return context


def make_cert(lab, name):
    cert, key = lab.path(f"{name}.pem"), lab.path(f"{name}.key")
    lab.run(
        *"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", cert),
    )
    return cert, key


def served_cert(server, name="localhost"):
    """The SHA-256 of the certificate that a client gets who asks for the name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(server.address()[1], TIMEOUT) as sock:
        with context.wrap_socket(sock, server_hostname=name) as tls:
            return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()


def file_cert(path):
    with open(path) as file:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()


def test_a_self_signed_certificate(hhttpd, www):
    server = hhttpd("--tls-self-signed", www, "0")
    assert server.urls[0].startswith("https://")
    assert server.get("/a.txt").text == "some text\n"
    server.process.wait_err("self-signed certificate, SHA256:")
    print_said = re.search(r"SHA256:([0-9A-F:]+)", server.process.err())[1]
    assert served_cert(server) == print_said.replace(":", "").lower()
    server.stop()


def test_plain_http_to_a_tls_port_is_closed(hhttpd, www):
    server = hhttpd("--tls-self-signed", www, "0")
    with socket.create_connection(server.address()[1], TIMEOUT) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        try:
            assert b"some text" not in sock.recv(1000)
        except ConnectionResetError:
            pass
    assert server.get("/a.txt").status == 200
    server.stop()


def test_certificates_of_files_and_their_reload(hhttpd, lab, www, conf):
    (first, first_key), (second, second_key) = make_cert(lab, "localhost"), make_cert(lab, "two.example")
    text = f"""
listen = tls://127.0.0.1:0 127.0.0.1:0
document_root = WWW
ssl_certificate = {first}
ssl_privatekey = {first_key}
[host two.example]
document_root = WWW/sub
ssl_certificate = {second}
ssl_privatekey = {second_key}
"""
    path = conf(text, port="")
    server = hhttpd("-c", path, listeners=2)
    assert [url.split(":")[0] for url in server.urls] == ["https", "http"]
    assert served_cert(server) == file_cert(first)
    assert served_cert(server, "two.example") == file_cert(second)
    context = ssl.create_default_context(cafile=first)
    with socket.create_connection(server.address()[1], TIMEOUT) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(b"GET /b.txt HTTP/1.0\r\nHost: two.example\r\n\r\n")
            assert tls.recv(1000).startswith(b"HTTP/1.1 200")
    assert server.get("/a.txt", index=1).status == 200
    old = file_cert(first)
    make_cert(lab, "localhost")
    assert file_cert(first) != old and served_cert(server) == old
    server.reload()
    wait_until(lambda: served_cert(server) == file_cert(first), "the new certificate")
    with open(first, "w") as file:
        file.write("nonsense")
    assert "the old one stays" in server.reload()
    assert served_cert(server) != old
    server.stop()


def test_clients_need_a_certificate(hhttpd, lab, www):
    cert, key = make_cert(lab, "client")
    server = hhttpd("--tls-self-signed", "--tls-ca", cert, www, "0")
    command = ["curl", "-sk", "-m", "20", server.urls[0] + "a.txt"]
    assert lab.run(*command).wait() != 0
    assert lab.run(*command, "--cert", cert, "--key", key).out() == b"some text\n"
    server.stop()


def test_the_address_of_a_proxy_header(hhttpd, lab, www):
    server = hhttpd("--proxy-protocol", "--access-log", "--log-format", "json", www, "0")
    answer = server.raw(b"PROXY TCP4 192.0.2.7 192.0.2.8 1000 80\r\nGET /a.txt HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"some text\n")
    server.process.wait_out(b"192.0.2.7")
    assert b"some text" not in server.raw(b"GET /a.txt HTTP/1.0\r\n\r\n")
    server.stop()


def test_the_address_as_a_qr_code(hhttpd, www):
    server = hhttpd("--qr", www, "0")
    wait_until(lambda: "\u2588" in server.process.err() or "no QR code" in server.process.err(), "a code")
    assert "no QR code: " not in server.process.err() or "libqrencode" in server.process.err()
    server.stop()


# ---- the sandbox ----


def test_a_worker_is_shut_in(hhttpd, www):
    server = hhttpd(www, "0")
    assert server.get("/a.txt").status == 200
    (worker,) = server.workers()
    with open(f"/proc/{worker}/status") as file:
        status = file.read()
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert re.search(r"^Seccomp:\s+2$", status, re.M)
    server.stop()


def test_links_out_of_the_folder(hhttpd, lab, www):
    (lab.folder / "outside").write_text("out\n")
    (www / "link").symlink_to("../outside")
    server = hhttpd(www, "0")
    assert server.get("/link").status == 404
    server.stop()
    server = hhttpd("--follow-links", www, "0")
    assert server.get("/link").text == "out\n"
    server.stop()


def test_compression_works_inside(hhttpd, www):
    (www / "long.txt").write_text("hello " * 10000)
    server = hhttpd(www, "0")
    for coding in ("gzip", "br", "zstd"):
        answer = server.get("/long.txt", Accept_Encoding=coding)
        assert answer["Content-Encoding"] == coding and len(answer.body) < 5000
    server.stop()
