# One thread.
"""The PROXY headers that hproxy sends and takes, with haproxy and nginx before and behind it."""

import contextlib
import re
import socket

import pytest

from conftest import TIMEOUT, wait_until
from hproxy_lab import *
from test_hnc_proxy_protocol import HOST, expecting, haproxy, nginx, send, assert_told

V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4567 443\r\n"


def line(proxy, pattern):
    return wait_until(lambda: re.search(pattern, proxy.process.out().decode()), f"{pattern} in the access log of "
                      f"{proxy.process}")


@pytest.mark.parametrize("version", ["1", "2"])
def test_it_sends_the_header(lab, hproxy, version):
    hnc, port = expecting(lab)
    proxy = hproxy(f"--send-proxy={version}", "0", f"{HOST}:{port}")
    source = lab.port()
    send(lab, source, HOST, proxy.port)
    assert_told(hnc, source)


@pytest.mark.parametrize("peer,version", [(haproxy, "1"), (haproxy, "2"), (nginx, "1")])
def test_the_client_before_it_is_known_behind_it(lab, hproxy, peer, version):
    """peer -> hproxy -> hnc"""
    hnc, port = expecting(lab)
    proxy = hproxy("--access-log=-", "--accept-proxy", f"--send-proxy={version}", "0", f"{HOST}:{port}")
    if peer is haproxy:
        front = haproxy(lab, "", "send-proxy" if version == "1" else "send-proxy-v2", proxy.port)
    else:
        front = nginx(lab, "", "proxy_protocol on;", proxy.port)
    source = lab.port()
    send(lab, source, HOST, front)
    assert_told(hnc, source)
    line(proxy, rf" tcp {HOST}:{source} {HOST}:\d+ .* done ")


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("peer", [haproxy, nginx])
def test_those_behind_it_take_its_header(lab, hproxy, peer, version):
    """hproxy -> peer -> hnc"""
    hnc, port = expecting(lab)
    if peer is haproxy:
        behind = haproxy(lab, "accept-proxy", "send-proxy", port)
    else:
        module = "set_real_ip_from 127.0.0.0/8; proxy_protocol on;"
        behind = nginx(lab, "proxy_protocol", module, port)
    proxy = hproxy(f"--send-proxy={version}", "0", f"{HOST}:{behind}")
    source = lab.port()
    send(lab, source, HOST, proxy.port)
    assert_told(hnc, source)


def test_the_header_comes_before_tls_on_either_side(lab, hproxy, target):
    behind = hproxy("--access-log=-", "--accept-proxy", "--tls-self-signed", "tls://0", target().address)
    proxy = hproxy("--send-proxy", "--target-insecure", "0", f"tls://{HOST}:{behind.port}")
    with proxy.connect() as sock:
        source = sock.getsockname()[1]
        sock.sendall(b"ping")
        assert sock.recv(100) == b"target:ping"
    line(behind, rf" tls {HOST}:{source} {HOST}:\d+ .* done ")


def test_what_the_header_says_is_handed_on(lab, hproxy):
    with socket.create_server((HOST, 0)) as server:
        proxy = hproxy("--accept-proxy", "--send-proxy=1", "0", f"{HOST}:{server.getsockname()[1]}")
        with proxy.connect() as sock:
            sock.sendall(V1 + b"data")
            peer, _ = server.accept()
            with peer:
                peer.settimeout(TIMEOUT)
                assert peer.recv(len(V1), socket.MSG_WAITALL) == V1
                assert peer.recv(4, socket.MSG_WAITALL) == b"data"


def ask(proxy, header, source="127.0.0.1"):
    with socket.create_connection((HOST, proxy.port), TIMEOUT, source_address=(source, 0)) as sock:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(header + b"ping")
            return sock.recv(100)
    return b""


def test_only_the_trusted_may_say_who_they_are(hproxy, target):
    proxy = hproxy("--access-log=-", "--accept-proxy", "--accept-proxy-from=127.0.0.8/30", "0", target().address)
    assert ask(proxy, V1, "127.0.0.9") == b"target:ping"
    line(proxy, r" tcp 192\.0\.2\.7:4567 127\.0\.0\.9:\d+ ")
    assert ask(proxy, b"") == b"target:ping"
    assert ask(proxy, V1) == b"target:" + V1 + b"ping"  # it is not for us


def test_lists_and_limits_are_about_the_real_client(hproxy, target):
    proxy = hproxy("--access-log=-", "--accept-proxy", "--deny=192.0.2.7", "--max-conns-per-client=1", "0",
                   target().address)
    assert ask(proxy, V1) == b""
    line(proxy, r" tcp 192\.0\.2\.7:4567 127\.0\.0\.1:\d+ .* denied ")
    other = V1.replace(b"192.0.2.7", b"192.0.2.8")
    with socket.create_connection((HOST, proxy.port), TIMEOUT) as sock:
        sock.sendall(other + b"ping")
        assert sock.recv(100) == b"target:ping"
        assert ask(proxy, other) == b""
        assert ask(proxy, V1.replace(b"192.0.2.7", b"192.0.2.9")) == b"target:ping"
    line(proxy, ' limited "too many connections of this client"')


def test_a_proxy_that_speaks_for_itself_is_the_client(hproxy, target):
    proxy = hproxy("--access-log=-", "--accept-proxy", "0", target().address)
    local = b"\r\n\r\n\0\r\nQUIT\n" + b"\x20\x00\x00\x00"
    assert ask(proxy, local) == b"target:ping"
    assert ask(proxy, b"PROXY UNKNOWN\r\n") == b"target:ping"
    wait_until(lambda: len(re.findall(r" tcp 127\.0\.0\.1:\d+ - .* done ", proxy.process.out().decode())) == 2, "lines")
