# One thread.
"""hnc --ssl as a client: openssl, ncat and socat as its servers, and certificates that it must not
accept."""

import os
import re
import socket
import subprocess
import threading

import pytest

from conftest import wait_until
from pki import Pki

HOST = "127.0.0.1"
PAST = ("20200101000000Z", "20210101000000Z")
FUTURE = ("20900101000000Z", "20910101000000Z")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def cert(pki):
    return pki.issue("server")


def s_server(lab, cert, *args, mode="-rev"):
    """openssl's server; with -rev it sends each line back in reverse."""
    port = lab.port()
    lab.spawn("openssl", "s_server", "-accept", f"{HOST}:{port}", "-cert", cert[0], "-key", cert[1],
              "-quiet", mode, *args)
    lab.wait_bound(port)
    return port


def fails(lab, *args, status=1):
    """The one line that hnc says, with this status."""
    done = lab.run("hnc", *args, data=b"hello\n")
    lines = done.err().splitlines()
    assert done.wait() == status and len(lines) == 1, done
    return lines[0]


@pytest.mark.parametrize("options", [[], ["-tls1_2"], ["-tls1_3"]])
def test_talks_to_openssl(lab, pki, cert, options):
    port = s_server(lab, cert, *options)
    done = lab.run("hnc", "-N", "--ssl", "--ssl-trustfile", pki.ca, "-4", "localhost", port, data=b"hello\n")
    assert done.wait() == 0 and done.out() == b"olleh\n" and done.err() == ""


def test_the_secrets_go_where_the_environment_says(lab, pki, cert):
    theirs, ours = lab.path("theirs"), lab.path("ours")
    port = s_server(lab, cert, "-keylogfile", theirs)
    done = lab.run("hnc", "-N", "--ssl-trustfile", pki.ca, "-4", "localhost", port, data=b"hello\n",
                   env={**os.environ, "SSLKEYLOGFILE": ours})
    assert done.wait() == 0 and done.out() == b"olleh\n"
    with open(theirs) as a, open(ours) as b:
        wanted = {line for line in a if not line.startswith("#")}
        assert wanted and set(b) == wanted
    assert os.stat(ours).st_mode & 0o777 == 0o600


def test_talks_to_ncat_and_to_socat(lab, pki, cert):
    port = lab.port()
    lab.spawn("ncat", "-l", "--ssl", "--ssl-cert", cert[0], "--ssl-key", cert[1], "-c", "cat", HOST, port)
    lab.wait_bound(port)
    trust = ["--ssl", "--ssl-trustfile", pki.ca]
    hnc = lab.spawn("hnc", *trust, "-4", "localhost", port, stdin=subprocess.PIPE)
    hnc.send(b"to ncat\n")
    hnc.wait_out(b"to ncat\n")
    hnc.end_input()
    hnc.stop()  # ncat knows no half-close
    port = lab.port()
    lab.spawn("socat", f"OPENSSL-LISTEN:{port},bind={HOST},reuseaddr,cert={cert[0]},key={cert[1]},verify=0", "EXEC:cat")
    lab.wait_bound(port)
    done = lab.run("hnc", "-N", *trust, "-4", "localhost", port, data=b"to socat\n")
    assert done.wait() == 0 and done.out() == b"to socat\n"


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 5 << 20])
def test_a_transfer_is_whole_both_ways(lab, pki, cert, size):
    data = os.urandom(size)
    port = lab.port()
    server = lab.spawn("hnc", "-l", "--ssl", "--ssl-cert", cert[0], "--ssl-key", cert[1], "-N", HOST, port,
                       stdin=lab.file(data))
    lab.wait_bound(port)
    client = lab.run("hnc", "-N", "--ssl", "--ssl-trustfile", pki.ca, "-4", "localhost", port, data=data)
    assert client.wait() == 0 and server.wait() == 0
    assert client.out() == data and server.out() == data


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda p: p.issue("expired", dates=PAST), "expired"),
        (lambda p: p.issue("early", dates=FUTURE), "not valid before"),
        (lambda p: p.issue("elsewhere", names="DNS:example.com"), "example.com"),
        (lambda p: p.self_signed(), "self-signed"),
        (lambda p: p.issue("weak", kind="rsa:1024"), "weak"),
    ],
    ids=["expired", "not yet valid", "wrong host", "self-signed", "weak key"],
)
def test_a_bad_certificate_is_told_apart(lab, pki, make, words):
    port = s_server(lab, make(pki), "-cipher", "ALL:@SECLEVEL=0")
    line = fails(lab, "--ssl", "--ssl-trustfile", pki.ca, "-4", "localhost", port)
    assert words in line


def test_an_unknown_authority_is_told(lab, pki, cert, tmp_path):
    port = s_server(lab, cert)
    other = Pki(tmp_path, "Other-CA")
    assert "issuer" in fails(lab, "--ssl", "--ssl-trustfile", other.ca, "-4", "localhost", port)
    assert "issuer" in fails(lab, "--ssl", "-4", "localhost", port)


def test_a_pin_is_checked_even_without_verification(lab, pki, cert):
    port = s_server(lab, cert)
    wrong = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert "pin" in fails(lab, "--no-ssl-verify", "--tls-pin", wrong, "-4", "localhost", port)
    info = lab.run("hnc", "-N", "--no-ssl-verify", "--tls-info", "-4", "localhost", port, data=b"x\n")
    pin = re.search(r"pin +(sha256//\S+)", info.err())[1]
    good = lab.run("hnc", "-N", "--no-ssl-verify", "--tls-pin", pin, "-4", "localhost", port, data=b"abc\n")
    assert good.wait() == 0 and good.out() == b"cba\n"


def test_verification_can_be_turned_off(lab, pki):
    port = s_server(lab, pki.self_signed("somebody"))
    done = lab.run("hnc", "-N", "--ssl", "--no-ssl-verify", "-4", "localhost", port, data=b"abc\n")
    assert done.wait() == 0 and done.out() == b"cba\n"


def test_a_path_is_no_name_for_a_certificate(lab, pki, cert):
    path = lab.path("tls.sock")
    lab.spawn("hnc", "-lU", "--ssl-cert", cert[0], "--ssl-key", cert[1], "-c", "cat", path)
    lab.wait_path(path)
    done = lab.run("hnc", "-NU", "--ssl-trustfile", pki.ca, path, data=b"hello\n")
    assert done.wait() == 0 and done.out() == b"hello\n", done


def test_the_name_can_be_another_than_the_host(lab, pki):
    port = s_server(lab, pki.issue("other", names="DNS:other.example"))
    args = ["-N", "--ssl", "--ssl-trustfile", pki.ca, "--ssl-servername", "other.example", HOST, port]
    done = lab.run("hnc", *args, data=b"abc\n")
    assert done.wait() == 0 and done.out() == b"cba\n"


def test_an_old_protocol_is_refused(lab, pki, cert):
    port = s_server(lab, cert, "-tls1", "-cipher", "ALL:@SECLEVEL=0")
    assert "version" in fails(lab, "--ssl", "--ssl-trustfile", pki.ca, "-4", "localhost", port)


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"HTTP/1.1 400 Bad\r\n\r\n", b"\x16\x03\x01\xff\xff" * 9, b""])
def test_a_peer_that_does_not_speak_tls_is_told(lab, answer):
    listener = socket.create_server((HOST, 0))

    def serve():
        peer, _ = listener.accept()
        peer.recv(65536)
        peer.sendall(answer)
        peer.close()

    threading.Thread(target=serve, daemon=True).start()
    line = fails(lab, "--ssl", HOST, listener.getsockname()[1])
    assert "TLS" in line


def test_an_end_without_close_notify_is_an_error(lab, pki, cert):
    """Whoever cuts the connection must not pass for the peer's end of data."""
    port = s_server(lab, cert, mode="-rev")
    gate = socket.create_server((HOST, 0))

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass  # the other side has gone first

    def relay():
        client, _ = gate.accept()
        server = socket.create_connection((HOST, port))
        for pair in ((client, server), (server, client)):
            threading.Thread(target=pump, args=pair, daemon=True).start()
        hnc.wait_out(b"olleh\n")
        client.shutdown(socket.SHUT_WR)

    hnc = lab.spawn("hnc", "--ssl", "--ssl-trustfile", pki.ca, "-v", "-4", "localhost", gate.getsockname()[1],
                    stdin=subprocess.PIPE)
    threading.Thread(target=relay, daemon=True).start()
    hnc.send(b"hello\n")
    assert hnc.wait() == 1
    assert "close_notify" in hnc.err()


def test_alpn_is_agreed_on_and_shown(lab, pki, cert):
    port = s_server(lab, cert, "-alpn", "h2,echo")
    args = ["-N", "--ssl-trustfile", pki.ca, "--ssl-alpn", "echo,h2", "--tls-info", "-4", "localhost", port]
    done = lab.run("hnc", *args, data=b"abc\n")
    assert done.wait() == 0 and re.search(r"alpn +h2", done.err())


def test_a_client_certificate_is_sent(lab, pki, cert):
    client = pki.issue("client")
    port = s_server(lab, cert, "-Verify", "1", "-verify_return_error", "-CAfile", pki.ca)
    trust = ["--ssl-trustfile", pki.ca]
    good = lab.run("hnc", "-N", *trust, "--ssl-cert", client[0], "--ssl-key", client[1], "-4", "localhost", port,
                   data=b"abc\n")
    assert good.wait() == 0 and good.out() == b"cba\n"
    bad = lab.run("hnc", "-N", *trust, "-4", "localhost", port, data=b"abc\n")
    assert bad.wait() == 1 and "certificate" in bad.err()


@pytest.mark.parametrize(
    "args, named, status",
    [
        (["--ssl-trustfile", "/nonexistent/ca"], "/nonexistent/ca", 1),
        (["--ssl-cert", "/nonexistent/c"], "/nonexistent/c", 1),
        (["--ssl-ciphers", "NONSENSE"], "NONSENSE", 2),
        (["--tls-pin", "sha256//short"], "pinned key", 2),
        (["--ssl-alpn", "x" * 300], "ALPN", 2),
    ],
)
def test_bad_settings_are_named_before_anything_is_sent(lab, args, named, status):
    assert named in fails(lab, *args, HOST, 9, status=status)


def test_no_tls_library_is_loaded_without_tls(lab):
    listener = socket.create_server((HOST, 0))
    hnc = lab.spawn("hnc", HOST, listener.getsockname()[1], stdin=subprocess.PIPE)
    peer, _ = listener.accept()
    peer.sendall(b"x")
    hnc.wait_out(b"x")
    maps = open(f"/proc/{hnc.pid}/maps").read()
    assert "libc.so" in maps
    assert not re.search("libssl|libcrypto|libcares|libreadline", maps)
    peer.close()
