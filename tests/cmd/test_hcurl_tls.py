# One thread.
"""Certificates good and bad, keys, pins, versions and ciphers: hcurl's exit statuses are those of Debian's curl."""

import os
import socket
import ssl
import subprocess
import threading

import pytest

from conftest import Lab
from hcurl_lab import Web
from hhttpd_lab import hhttpd, www  # noqa: F401
from pki import Pki

CURL = "/usr/bin/curl"
TIMEOUT = 100
PAST = ("20200101000000Z", "20200201000000Z")
FUTURE = ("20400101000000Z", "20410101000000Z")
VARIABLES = ["CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"]


class SecureWeb(Web):
    """A web server that speaks TLS; set_up gets its context."""

    def __init__(self, cert, key, set_up=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        if set_up:
            set_up(self.context)
        super().__init__()

    def talk(self, connection):
        try:
            super().talk(self.context.wrap_socket(connection, server_side=True))
        except OSError:
            connection.close()


def only_1_2(context):
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def only_1_3(context):
    context.minimum_version = ssl.TLSVersion.TLSv1_3


class Place:
    def __init__(self, lab):
        self.lab = lab
        self.pki = Pki(lab.folder)
        (lab.folder / "other").mkdir()
        self.other = Pki(lab.folder / "other", "Other-CA")
        self.good = self.pki.issue("good")
        asks = self.asks_for_certificates
        self.servers = {
            "good": SecureWeb(*self.good),
            "expired": SecureWeb(*self.pki.issue("expired", dates=PAST)),
            "future": SecureWeb(*self.pki.issue("future", dates=FUTURE)),
            "name": SecureWeb(*self.pki.issue("name", names="DNS:example.com")),
            "self": SecureWeb(*self.pki.self_signed()),
            "revoked": SecureWeb(*self.pki.issue("revoked")),
            "asks": SecureWeb(*self.good, asks),
            "asks12": SecureWeb(*self.good, lambda c: (asks(c), only_1_2(c))),
            "1.2": SecureWeb(*self.good, only_1_2),
            "1.3": SecureWeb(*self.good, only_1_3),
            "plain": Web(),
        }
        self.crl = self.pki.revoke(self.pki.path("revoked.pem"))
        self.client, self.client_key = self.pki.issue("client")
        self.locked = self.pki.lock(self.client_key, "secret")
        self.both = str(lab.folder / "both.pem")
        with open(self.both, "w") as f:
            f.write(open(self.client).read() + open(self.client_key).read())
        self.pin = self.pin_of(self.good[0])
        self.garbage = str(lab.folder / "garbage.pem")
        with open(self.garbage, "w") as f:
            f.write("this is no certificate\n")

    def asks_for_certificates(self, context):
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.pki.ca)

    @staticmethod
    def pin_of(cert):
        script = (f"openssl x509 -in {cert} -pubkey -noout | openssl pkey -pubin -outform DER | "
                  "openssl dgst -sha256 -binary | openssl base64")  # fmt: skip
        return "sha256//" + subprocess.run(script, shell=True, check=True, capture_output=True, text=True).stdout.strip()

    def url(self, server, host="localhost"):
        return f"https://{host}:{self.servers[server].port}/hello"

    def close(self):
        for server in self.servers.values():
            server.close()
        self.lab.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Place(Lab(tmp_path_factory.mktemp("place")))
    yield place
    place.close()


def run(program, args, env=None):
    clean = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    done = subprocess.run([program, "-q", "-sS", "-4", *args], capture_output=True, timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL, env={**clean, **(env or {})})  # fmt: skip
    return done.returncode, done.stdout, done.stderr.decode()


def check(place, args, status, says="", env=None, beside=True):
    ours = run(place.lab.program("hcurl"), args, env)
    assert ours[0] == status, ours
    assert ours[1] == (b"hello\n" if status == 0 else b"") and says in ours[2], ours
    if beside and os.path.exists(CURL):
        assert run(CURL, args, env)[:2] == ours[:2]


# ---- the server's certificate --------------------------------------------------------------------


@pytest.mark.parametrize(
    "server, says",
    [
        ("expired", "expired"),
        ("future", "2040"),
        ("name", "localhost"),
        ("self", "self-signed"),
    ],
)
def test_a_bad_certificate_is_60_and_says_why(place, server, says):
    check(place, ["--cacert", place.pki.ca, place.url(server)], 60, says)
    check(place, ["-k", place.url(server)], 0)


def test_who_is_trusted(place):
    url = place.url("good")
    check(place, ["--cacert", place.pki.ca, url], 0)
    check(place, ["--cacert", place.pki.ca, place.url("good", "127.0.0.1")], 0)
    check(place, ["--cacert", place.other.ca, url], 60, "Test-CA")
    check(place, [url], 60)
    check(place, ["-k", url], 0)
    check(place, ["--cacert", place.garbage, url], 77, "garbage.pem")
    check(place, ["--cacert", "/nowhere/ca.pem", url], 2, "/nowhere/ca.pem", beside=False)


def test_a_folder_of_trusted_certificates(place, tmp_path):
    digest = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", place.pki.ca], check=True,
                            capture_output=True, text=True).stdout.strip()  # fmt: skip
    os.symlink(place.pki.ca, tmp_path / f"{digest}.0")
    check(place, ["--capath", str(tmp_path), place.url("good")], 0)


def test_the_environment_names_who_is_trusted(place):
    url = place.url("good")
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        check(place, [url], 0, env={name: place.pki.ca})
        check(place, [url], 60, env={name: place.other.ca})
    check(place, ["--cacert", place.pki.ca, url], 0, env={"CURL_CA_BUNDLE": place.other.ca})
    check(place, [url], 77, env={"CURL_CA_BUNDLE": "/nowhere/ca.pem"})


def test_revoked_certificates(place):
    args = ["--cacert", place.pki.ca, "--crlfile"]
    check(place, [*args, place.crl, place.url("good")], 0)
    check(place, [*args, place.crl, place.url("revoked")], 60, "revoked")
    check(place, [*args, place.garbage, place.url("good")], 82, "garbage.pem")


def test_a_pinned_key(place):
    url, args = place.url("good"), ["--cacert", place.pki.ca, "--pinnedpubkey"]
    other = place.pin_of(place.pki.ca)
    check(place, [*args, place.pin, url], 0)
    check(place, [*args, f"{other};{place.pin}", url], 0)
    check(place, [*args, other, url], 90, "pinned")
    check(place, ["-k", "--pinnedpubkey", other, url], 90)
    check(place, ["-k", "--pinnedpubkey", place.pin, url], 0)


# ---- the client's certificate --------------------------------------------------------------------


@pytest.mark.parametrize("server", ["asks", "asks12"])
def test_who_we_are(place, server):
    url, args = place.url(server), ["--cacert", place.pki.ca]
    check(place, [*args, "--cert", place.client, "--key", place.client_key, url], 0)
    check(place, [*args, "-E", place.both, url], 0)
    check(place, [*args, "--cert", place.client, "--key", place.locked, "--pass", "secret", url], 0)
    check(place, [*args, "--cert", f"{place.client}:secret", "--key", place.locked, url], 0)


def test_a_certificate_that_is_missing_or_unknown_ends_it(place):
    """In TLS 1.3 the client is done before the server says no: then it is the reading that fails, or the writing."""
    hcurl, args = place.lab.program("hcurl"), ["--cacert", place.pki.ca]
    stranger, key = place.other.issue("stranger")
    for server, statuses in (("asks12", [35, 56]), ("asks", [55, 56])):
        for more in ([], ["--cert", stranger, "--key", key]):
            status, out, err = run(hcurl, [*args, *more, place.url(server)])
            assert status in statuses and out == b"", err


def test_a_server_that_wants_a_certificate_is_quoted(place, hhttpd, www):
    cert, key = place.good
    server = hhttpd("tls://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--tls-ca", place.pki.ca, www)
    status, out, err = run(place.lab.program("hcurl"), ["--cacert", place.pki.ca, f"https://localhost:{server.port}/"])
    assert (status, out) == (56, b"")
    assert "the connection ended without a response: the peer's alert: certificate required (116)" in err


def test_own_files_that_cannot_be_used_are_58(place):
    url, args = place.url("asks"), ["--cacert", place.pki.ca]
    check(place, [*args, "--cert", "/nowhere/c.pem", url], 58, "/nowhere/c.pem")
    check(place, [*args, "--cert", place.garbage, url], 58, "garbage.pem")
    check(place, [*args, "--cert", place.client, "--key", place.good[1], url], 58, "key")
    check(place, [*args, "--cert", place.client, "--key", place.locked, "--pass", "wrong", url], 58, "password")
    check(place, [*args, "--cert", place.client, "--key", place.client_key, "--cert-type", "XXX", url], 58, beside=False)


def test_certificates_of_other_formats(place):
    def made(name, command):
        file = place.pki.path(name)
        Pki.openssl(f"{command} -out {file}")
        return file

    url, args = place.url("asks"), ["--cacert", place.pki.ca]
    cert = made("client.der", f"x509 -in {place.client} -outform DER")
    key = made("client.kder", f"pkey -in {place.client_key} -outform DER")
    p12 = f"pkcs12 -export -in {place.client} -inkey {place.client_key} -certfile {place.pki.ca} -passout pass:"
    locked, free = made("locked.p12", p12 + "secret"), made("free.p12", p12)
    der = ["--cert-type", "DER", "--key-type", "DER"]
    check(place, [*args, "--cert", cert, "--key", key, *der, url], 0)
    check(place, [*args, "--cert", f"{locked}:secret", "--cert-type", "P12", url], 0)
    check(place, [*args, "--cert", f"{locked}:wrong", "--cert-type", "P12", url], 58, "password")
    check(place, [*args, "--cert", locked, "--cert-type", "p12", url], 58, "password", beside=False)
    check(place, [*args, "--cert", free, "--cert-type", "p12", url], 0, beside=False)
    check(place, [*args, "--cert", place.garbage, "--cert-type", "P12", url], 58)
    check(place, [*args, "--cert", place.client, "--key", place.client_key, *der, url], 58)


def test_a_backslash_takes_a_colon_into_the_name(place):
    named = str(place.lab.folder / "a:b.pem")
    with open(named, "w") as f:
        f.write(open(place.both).read())
    url = place.url("asks")
    check(place, ["--cacert", place.pki.ca, "--cert", named.replace(":", "\\:"), url], 0)


# ---- what is spoken ------------------------------------------------------------------------------


def test_versions(place):
    args = ["--cacert", place.pki.ca]
    for options, server, status in [
        (["--tlsv1.2"], "1.2", 0),
        (["--tlsv1.3"], "1.3", 0),
        (["--tlsv1.3"], "1.2", 35),
        (["--tls-max", "1.2"], "1.3", 35),
        (["--tls-max", "1.2"], "1.2", 0),
        (["--tlsv1"], "1.3", 0),
        (["--tlsv1.2", "--tls-max", "1.3"], "1.3", 0),
    ]:
        check(place, [*args, *options, place.url(server)], status)
    check(place, ["--tlsv1.3", "--tls-max", "1.2", place.url("1.2")], 2, "lowest", beside=False)
    check(place, ["--tls-max", "1.4", place.url("1.2")], 2, "1.4")


def test_ciphers_and_groups(place):
    args = ["--cacert", place.pki.ca]
    check(place, [*args, "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384", place.url("1.2")], 0)
    check(place, [*args, "--ciphers", "NO-SUCH-CIPHER", place.url("1.2")], 59, "NO-SUCH-CIPHER")
    check(place, [*args, "--tls13-ciphers", "TLS_AES_256_GCM_SHA384", place.url("1.3")], 0)
    check(place, [*args, "--tls13-ciphers", "TLS_NO_SUCH", place.url("1.3")], 59)
    check(place, [*args, "--curves", "P-256", place.url("good")], 0)


def test_a_server_without_tls(place):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=say_something, args=(listener,), daemon=True).start()
        check(place, [f"https://localhost:{listener.getsockname()[1]}/"], 35, "does not speak TLS")


def say_something(listener):
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            peer.sendall(b"220 ready when you are\r\n")
            peer.recv(65536)


def test_keys_for_those_who_listen_in(place, tmp_path):
    log = tmp_path / "keys"
    check(place, ["--cacert", place.pki.ca, place.url("1.3")], 0, env={"SSLKEYLOGFILE": str(log)})
    assert "CLIENT_TRAFFIC_SECRET_0" in log.read_text()


def test_a_redirect_from_http_is_verified_too(place):
    moved = Web({"moved": lambda web, *_: b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n"
                 % place.url("good").encode()})  # fmt: skip
    try:
        check(place, ["-L", f"{moved.url}/moved"], 60)
        check(place, ["-L", "--cacert", place.pki.ca, f"{moved.url}/moved"], 0)
        check(place, ["-L", "--proto-redir", "=http", "--cacert", place.pki.ca, f"{moved.url}/moved"], 1)
    finally:
        moved.close()


def test_tls_is_not_loaded_for_http(place):
    """It takes longer than all the rest of a small request."""
    url = f"http://localhost:{place.servers['plain'].port}/hello"
    done = place.lab.run("strace", "-f", "-e", "trace=openat", place.lab.program("hcurl"), "-q", "-s", url)
    if "libssl" not in done.err() and done.out() != b"hello\n":
        pytest.skip("nothing can be traced here")
    assert done.out() == b"hello\n" and "libssl" not in done.err()
