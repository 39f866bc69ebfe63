# One thread.
"""hnc -l --ssl: other programs as its clients, certificates asked for, read again and made on the
spot, handshakes that fail, and connections that end in halves."""

import concurrent.futures
import hashlib
import os
import re
import signal
import socket
import ssl
import struct
import subprocess

import pytest
from conftest import TIMEOUT, wait_until
from pki import Pki

HOST = "127.0.0.1"
MIB = 1 << 20


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server_cert(pki):
    return pki.issue("server")


def listener(lab, cert, *args, **options):
    """hnc -l with this certificate: the Process and its port."""
    port = lab.port()
    files = ["--ssl-cert", cert[0], "--ssl-key", cert[1]] if cert else ["--ssl"]
    hnc = lab.spawn("hnc", "-l", *args, *files, HOST, port, **options)
    lab.wait_bound(port)
    return hnc, port


def context(pki, cert=None, **settings):
    c = ssl.create_default_context(cafile=pki.ca)
    if cert:
        c.load_cert_chain(*cert)
    for name, value in settings.items():
        setattr(c, name, value)
    return c


def connect(port, ctx, name="localhost"):
    s = socket.create_connection((HOST, port))
    s.settimeout(TIMEOUT)
    return ctx.wrap_socket(s, server_hostname=name, suppress_ragged_eofs=False)


def receive(s, size):
    data = bytearray()
    while len(data) < size:
        piece = s.recv(size - len(data))
        assert piece, f"end after {len(data)} bytes"
        data += piece
    return bytes(data)


def common_name(s):
    return dict(x[0] for x in s.getpeercert()["subject"])["commonName"]


# ---- other programs ------------------------------------------------------------------------------

CLIENTS = {
    "openssl": lambda port, ca: f"openssl s_client -quiet -no_ign_eof -CAfile {ca} "
    f"-verify_return_error -connect {HOST}:{port}",
    "ncat": lambda port, ca: f"ncat -4 --ssl-verify --ssl-trustfile {ca} localhost {port}",
    "socat": lambda port, ca: f"socat -t60 - OPENSSL:localhost:{port},pf=ip4,cafile={ca}",
    "hnc": lambda port, ca: f"hnc -4 -N --ssl-trustfile {ca} localhost {port}",
}


def some_data(size):
    """No letters that openssl takes for commands."""
    return os.urandom(size // 2).hex().encode()


@pytest.mark.parametrize("name", CLIENTS)
def test_what_a_client_sends_arrives(lab, pki, server_cert, name):
    data = some_data(2 * MIB)
    hnc, port = listener(lab, server_cert)
    client = CLIENTS[name](port, pki.ca).split()
    peer = lab.spawn(*client, stdin=lab.file(data))
    status = hnc.wait()
    assert hnc.out() == data
    if name == "ncat":  # it ends without close_notify
        assert (status, "close_notify" in hnc.err()) == (1, True)
    else:
        assert (status, hnc.err()) == (0, "")
    peer.wait()


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_sent_reaches_the_client(lab, pki, server_cert, name):
    data = some_data(2 * MIB)
    hnc, port = listener(lab, server_cert, "-N", stdin=lab.file(data))
    client = CLIENTS[name](port, pki.ca).split()
    peer = lab.spawn(*client, stdin=subprocess.PIPE)
    wait_until(lambda: len(peer.out()) == len(data), "all has arrived")
    peer.end_input()
    peer.wait()
    assert peer.out() == data
    hnc.wait()


def test_both_ways_at_the_same_time(lab, pki, server_cert):
    there, back = os.urandom(8 * MIB), os.urandom(8 * MIB)
    hnc, port = listener(lab, server_cert, "-N", stdin=lab.file(back))
    peer = lab.spawn(*CLIENTS["hnc"](port, pki.ca).split(), stdin=lab.file(there))
    assert (peer.wait(), hnc.wait()) == (0, 0), peer.err() + hnc.err()
    assert hnc.out() == there
    assert peer.out() == back


# ---- ends ----------------------------------------------------------------------------------------


def test_a_client_that_ends_its_side_still_gets_the_answer(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert, "-N", stdin=subprocess.PIPE)
    s = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(pki).wrap_bio(*s, server_hostname="localhost")
    with socket.create_connection((HOST, port)) as sock:
        sock.settimeout(TIMEOUT)

        def run(step):
            while True:
                try:
                    result = step()
                    sock.sendall(s[1].read())
                    return result
                except ssl.SSLWantReadError:
                    sock.sendall(s[1].read())
                    s[0].write(sock.recv(MIB))

        run(tls.do_handshake)
        run(lambda: tls.write(b"question"))
        hnc.wait_out(b"question")
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        hnc.pause()  # so that it sees the end and the answer at once
        sock.sendall(s[1].read())  # close_notify
        hnc.send(b"answer")
        hnc.end_input()
        hnc.resume()
        rest = b""
        while piece := sock.recv(MIB):
            rest += piece
        s[0].write(rest)
        assert len(rest) > len(b"answer")  # a record with it, and our close_notify
    assert hnc.wait() == 0, hnc.err()


def test_a_connection_cut_off_is_told_from_one_that_ended(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert)
    s = connect(port, context(pki))
    s.sendall(b"the first half")
    hnc.wait_out(b"the first half")
    socket.socket(fileno=s.detach()).close()
    assert hnc.wait() == 1
    assert re.fullmatch(r"hnc: TLS: .*\n", hnc.err())
    assert hnc.out() == b"the first half"


def test_the_end_of_a_connection_is_an_end(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert)
    with connect(port, context(pki)) as s:
        s.sendall(b"all of it")
        s.unwrap()
    assert hnc.wait() == 0
    assert (hnc.out(), hnc.err()) == (b"all of it", "")


@pytest.mark.parametrize("keep_open", [[], ["-kv"]], ids=["one", "k"])
def test_the_end_that_ncat_makes_can_be_taken_for_one(lab, pki, server_cert, keep_open):
    data = some_data(MIB)
    hnc, port = listener(lab, server_cert, "--tls-ignore-eof", *keep_open)
    lab.run(*CLIENTS["ncat"](port, pki.ca).split(), data=data)
    wait_until(lambda: hnc.out() == data, "all has arrived")
    assert "close_notify" not in hnc.err()
    assert keep_open or (hnc.wait(), hnc.err()) == (0, "")


def test_a_reset_is_no_end(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert, "--tls-ignore-eof")
    s = connect(port, context(pki))
    s.sendall(b"the first half")
    hnc.wait_out(b"the first half")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket(fileno=s.detach()).close()
    assert hnc.wait() == 1 and "reset" in hnc.err()


# ---- handshakes that fail ------------------------------------------------------------------------

NONSENSE = {
    "http": b"GET / HTTP/1.0\r\n\r\n",
    "zeros": b"\0" * 200,
    "a record too long": b"\x16\x03\x01\xff\xff" + b"x" * 200,
    "half a hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "nothing": b"",
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("keep_open", [[], ["-kv"]], ids=["one", "k"])
def test_who_speaks_no_tls_is_told_in_one_line_and_the_server_goes_on(
    lab, pki, server_cert, data, keep_open
):
    """With -k among the notes of -v; who waits for one connection hears of it in any case."""
    hnc, port = listener(lab, server_cert, *keep_open)
    with socket.create_connection((HOST, port)) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:  # it was enough to see
            pass
        hnc.wait_err("failed")
    prefix = "" if keep_open else "hnc: "
    assert len(re.findall(rf"^{prefix}TLS handshake with 127.0.0.1:\d+ failed: .+$", hnc.err(), re.M)) == 1
    with connect(port, context(pki)) as s:
        s.sendall(b"good")
        hnc.wait_out(b"good")


def test_without_v_nothing_is_said_of_it(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert, "-k")
    with socket.create_connection((HOST, port)) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while s.recv(100):
            pass
    with connect(port, context(pki)) as s:
        s.sendall(b"good")
        hnc.wait_out(b"good")
    assert hnc.err() == ""


def test_an_old_version_is_refused(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert, "-kv", "--tls-min", "1.3")
    with pytest.raises(ssl.SSLError):
        connect(port, context(pki, maximum_version=ssl.TLSVersion.TLSv1_2))
    hnc.wait_err("failed")
    with connect(port, context(pki)) as s:
        assert s.version() == "TLSv1.3"


def test_the_newest_version_can_be_limited(lab, pki, server_cert):
    cipher = "ECDHE-ECDSA-AES256-GCM-SHA384"
    _, port = listener(lab, server_cert, "-k", "--tls-max=1.2", "--ssl-ciphers", cipher)
    with connect(port, context(pki)) as s:
        assert s.version() == "TLSv1.2"
        assert s.cipher()[0] == cipher


def test_a_silent_client_does_not_hold_up_the_others(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert, "-k")
    with socket.create_connection((HOST, port)), connect(port, context(pki)) as s:
        s.sendall(b"good")
        hnc.wait_out(b"good")


def test_without_k_who_comes_first_is_served_and_the_next_one_waits_for_that(
    lab, pki, server_cert
):
    hnc, port = listener(lab, server_cert)
    with socket.create_connection((HOST, port)) as first, socket.socket() as second:
        second.settimeout(TIMEOUT)
        second.connect((HOST, port))
        out = ssl.MemoryBIO()
        hello = context(pki).wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            hello.do_handshake()
        second.sendall(out.read())
        first.settimeout(TIMEOUT)
        with context(pki).wrap_socket(first, server_hostname="localhost") as s:
            s.sendall(b"first")
            hnc.wait_out(b"first")
            try:
                assert second.recv(1) == b""
            except ConnectionError:
                pass
            s.unwrap()
    assert hnc.wait() == 0
    assert hnc.out() == b"first"


# ---- certificates --------------------------------------------------------------------------------


def test_alpn_is_agreed_on(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert, "-kv", "--tls-info", "--ssl-alpn", "h2,http/1.1")
    ctx = context(pki)
    ctx.set_alpn_protocols(["http/1.1", "h2"])
    with connect(port, ctx) as s:
        assert s.selected_alpn_protocol() == "h2"
        hnc.wait_err("alpn         h2\n")
        hnc.wait_err("server name  localhost\n")


def test_a_client_certificate_is_required_and_checked(lab, pki, server_cert, tmp_path):
    hnc, port = listener(
        lab, server_cert, "-kv", "--tls-info", "--ssl-verify", "--ssl-trustfile", pki.ca
    )
    stranger = Pki(tmp_path).issue("stranger")
    for cert in (None, stranger):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with connect(port, context(pki, cert)) as s:
                s.recv(1)
    wait_until(lambda: hnc.err().count("failed") == 2, "both are refused")
    with connect(port, context(pki, pki.issue("friend"))) as s:
        s.sendall(b"let in")
        hnc.wait_out(b"let in")
    assert re.search(r"^  subject +.*CN ?= ?friend", hnc.err(), re.M)
    assert hnc.out() == b"let in"


def test_a_pin_of_the_clients_key(lab, pki, server_cert):
    friend, other = pki.issue("pinned"), pki.issue("unpinned")
    public = subprocess.run(
        ["openssl", "x509", "-in", friend[0], "-noout", "-pubkey"], capture_output=True, check=True
    ).stdout
    with open(pki.path("pin.pem"), "wb") as f:
        f.write(public)
    hnc, port = listener(
        lab,
        server_cert,
        *["-kv", "--ssl-verify", "--ssl-trustfile", pki.ca, "--tls-pin", pki.path("pin.pem")],
    )
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with connect(port, context(pki, other)) as s:
            s.recv(1)
    hnc.wait_err("failed")
    with connect(port, context(pki, friend)) as s:
        s.sendall(b"let in")
        hnc.wait_out(b"let in")


@pytest.mark.parametrize("option", ["--ssl", "--tls-self-signed"])
def test_a_certificate_made_now_is_told_by_its_fingerprint(lab, option):
    port = lab.port()
    hnc = lab.spawn("hnc", "-lk", option, HOST, port)
    lab.wait_bound(port)
    hnc.wait_err("\n")
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    with connect(port, ctx) as s:
        digest = hashlib.sha256(s.getpeercert(True)).hexdigest().upper()
    told = re.fullmatch(r"hnc: self-signed certificate, SHA256:([0-9A-F:]+)\n", hnc.err())
    assert told[1].replace(":", "") == digest


def test_hangup_reads_the_certificates_again_and_drops_nobody(lab, pki):
    files = [pki.path(f"live.{x}") for x in ("pem", "key")]
    replace(files, pki.issue("old"))
    hnc, port = listener(lab, files, "-kv")
    with connect(port, context(pki)) as first:
        assert common_name(first) == "old"
        replace(files, pki.issue("new"))
        hnc.signal(signal.SIGHUP)
        hnc.wait_err("Certificates are read again")
        with connect(port, context(pki)) as second:
            assert common_name(second) == "new"
        first.sendall(b"still connected")
        hnc.wait_out(b"still connected")


def test_certificates_that_cannot_be_read_again_stay(lab, pki):
    files = [pki.path(f"broken.{x}") for x in ("pem", "key")]
    replace(files, pki.issue("kept"))
    hnc, port = listener(lab, files, "-kv")
    with open(files[0], "w") as f:
        f.write("no certificate")
    hnc.signal(signal.SIGHUP)
    hnc.wait_err("certificates are not read again")
    with connect(port, context(pki)) as s:
        assert common_name(s) == "kept"


def replace(files, cert):
    for to, source in zip(files, cert):
        with open(source, "rb") as f:
            data = f.read()
        with open(to + ".new", "wb") as f:
            f.write(data)
        os.rename(to + ".new", to)


@pytest.mark.parametrize(
    "files, named",
    [
        (["/nonexistent"], "/nonexistent"),
        (["server", "friend2"], "key"),
        (["ca.key"], "ca.key"),
    ],
)
def test_an_unusable_certificate_is_named(lab, pki, server_cert, files, named):
    friend = pki.issue("friend2")
    paths = {"server": server_cert[0], "friend2": friend[1], "ca.key": pki.path("ca.key")}
    names = [paths.get(f, f) for f in files]
    args = ["--ssl-cert", names[0]] + (["--ssl-key", names[1]] if len(names) > 1 else [])
    hnc = lab.run("hnc", "-l", *args, HOST, "0")
    assert hnc.wait() == 1
    assert hnc.err().count("\n") == 1 and named in hnc.err()


# ---- many ----------------------------------------------------------------------------------------


def test_a_broker_over_tls(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert, "--broker")
    with connect(port, context(pki)) as a, connect(port, context(pki)) as b:
        b.sendall(b"hello")
        assert receive(a, 5) == b"hello"
        a.sendall(b"and back")
        assert receive(b, 8) == b"and back"


def test_many_clients_over_tls_at_once(lab, pki, server_cert):
    hnc, port = listener(lab, server_cert, "-k", stdin=subprocess.PIPE)
    clients = [connect(port, context(pki)) for _ in range(20)]
    for i, s in enumerate(clients):
        s.sendall(b"[%d]" % i)
    for i in range(20):
        hnc.wait_out(b"[%d]" % i)
    hnc.send(b"to all")
    for s in clients:
        assert receive(s, 6) == b"to all"
        s.close()


def test_a_thousand_connections_while_certificates_are_read_again(lab, pki):
    files = [pki.path(f"busy.{x}") for x in ("pem", "key")]
    certs = [pki.issue("even"), pki.issue("odd")]
    replace(files, certs[0])
    hnc, port = listener(lab, files, "-k", "-c", "cat")
    ctx, seen = context(pki), set()

    def ask(i):
        with connect(port, ctx) as s:
            s.sendall(b"%d" % i)
            seen.add(common_name(s))
            return receive(s, len(b"%d" % i)) == b"%d" % i

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = []
        for i in range(1000):
            answers.append(pool.submit(ask, i))
            if i % 50 == 49:
                answers[i - 20].result()  # so that it happens among connections
                replace(files, certs[i // 50 % 2])
                hnc.signal(signal.SIGHUP)
        assert all(answer.result() for answer in answers)
    assert seen == {"even", "odd"}
