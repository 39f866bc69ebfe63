"""hhttpd as somebody meets it who has read its manual, and no more."""

import json
import os
import re
import signal
import socket
import struct

import pytest

from conftest import wait_until
from hhttpd_lab import hhttpd, www  # noqa: F401


def test_an_access_log_that_was_moved_is_opened_anew(lab, hhttpd, www):
    """SIGHUP stops only a server that has no file at all to open again."""
    log, moved = lab.folder / "access", lab.folder / "access.1"
    server = hhttpd(f"--access-log={log}", www, "0")
    assert server.get("/a.txt").status == 200
    wait_until(lambda: "/a.txt" in log.read_text(), "the first line")
    log.rename(moved)
    before = set(server.workers())
    assert "generation 2" in server.reload()
    wait_until(lambda: not before & set(server.workers()), "the end of the old worker, which may accept until then")
    assert server.get("/sub/b.txt").status == 200
    wait_until(lambda: "/sub/b.txt" in log.read_text(), "a line in the new file")
    assert "/sub/b.txt" not in moved.read_text()
    server.stop()


def test_without_any_file_the_end_of_the_terminal_is_the_end(hhttpd, www):
    server = hhttpd("-v", www, "0")
    server.stop(signal.SIGHUP)


def test_the_log_knows_who_has_hung_up(lab, hhttpd, www):
    """A connection that was reset has no address any more when its line is written."""
    log = lab.folder / "access"
    with open(www / "large", "wb") as file:
        file.truncate(1 << 30)
    server = hhttpd(f"--access-log={log}", "--log-format", "json", www, "0")
    with server.connect() as sock:
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: "/large" in log.read_text(), "the line")
    assert json.loads(log.read_text())["client"] == "127.0.0.1"
    server.stop()


def test_a_redirect_is_no_error(hhttpd, www):
    (www / "oops.html").write_text("oops")
    server = hhttpd("--error-page=oops.html", "--redirect=/old=/a.txt", www, "0")
    answer = server.get("/old")
    assert (answer.status, answer["Location"]) == (301, "/a.txt") and "oops" not in answer.text
    assert "oops" not in server.get("/sub").text
    answer = server.get("/none")
    assert (answer.status, answer.text) == (404, "oops")
    server.stop()


@pytest.mark.parametrize("args, why", [
    (["--tls-ca"], "clients' certificates need TLS, and that a certificate"),
    (["--redirect=old"], "option --redirect: it takes FROM=TO, with a path as FROM"),
    (["--rewrite=/old"], "option --rewrite: it takes FROM=TO, with a path as FROM"),
])  # fmt: skip
def test_mistakes_are_told(lab, www, args, why):
    """A CA without TLS would ask nobody for a certificate, and serve everybody."""
    if args == ["--tls-ca"]:
        args = ["--tls-ca", www / "a.txt"]
    process = lab.run("hhttpd", *args, "-t", www)
    assert process.wait() == 2 and why in process.err()


def test_no_index_at_all(hhttpd, www):
    """An empty --index means none, and not index.html."""
    server = hhttpd("--index=", www, "0")
    answer = server.get("/", Accept="text/html")
    assert answer.status == 200 and "a.txt" in answer.text and "index.html" in answer.text
    server.stop()


def test_a_self_signed_certificate_is_told_as_curl_takes_it(lab, hhttpd, www):
    server = hhttpd("--tls-self-signed", www, "0")
    pin = re.search(r"sha256//[A-Za-z0-9+/]{43}=", server.process.err())
    assert pin, server.process.err()
    for key, status in ((pin[0], 0), ("sha256//" + "A" * 43 + "=", 90)):
        curl = lab.run("curl", "-sk", "--noproxy", "*", "--pinnedpubkey", key, server.urls[0] + "a.txt")
        assert curl.wait() == status and curl.out() == (b"" if status else b"some text\n")
    server.stop()


def test_the_page_is_looked_for_in_the_folder_of_before_the_new_root(lab, hhttpd, www):
    if os.getuid() != 0:
        pytest.skip("only root can change the root")
    (www / "oops.html").write_text("oops")
    server = hhttpd("--chroot", www.parent, "--error-page=oops.html", www, "0")
    assert server.get("/none").text == "oops"
    server.stop()
    process = lab.run("hhttpd", "-t", "--chroot", www.parent, "--error-page=none.html", www)
    assert process.wait() == 2 and f"error_page: {www}/none.html: No such" in process.err()
