# One thread.
"""hnc --ssl-key-password and --ssl-crlfile: keys with a password from a file, a variable or the
terminal, and certificates that were revoked; for who connects and for who listens."""

import signal
import subprocess

import pytest
from conftest import BIN, TIMEOUT
from pki import Pki
from terminal import CTRL_C, Terminal
from test_hnc_listen_tls import common_name, connect, context, listener, replace
from test_hnc_tls import fails, s_server

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def cert(pki):
    return pki.issue("server")


@pytest.fixture(scope="module")
def locked(pki):
    """A certificate whose key has the password "sesame"."""
    cert, key = pki.issue("locked")
    return cert, pki.lock(key, "sesame")


@pytest.fixture
def source(lab, monkeypatch):
    """Puts the password where a word says, and gives --ssl-key-password's value."""

    def keep(kind, password="sesame"):
        if kind == "env":
            monkeypatch.setenv("HNC_TEST_SECRET", password)
            return "env:HNC_TEST_SECRET"
        path = lab.path("secret")
        with open(path, "w") as f:
            f.write(f"{password}\nnot this\n")
        return f"file:{path}"

    return keep


BOTH = pytest.mark.parametrize("kind", ["file", "env"])

# ---- the password of a key -----------------------------------------------------------------------


@BOTH
def test_a_server_has_it_from_there(lab, pki, locked, source, kind):
    hnc, port = listener(lab, locked, "-k", "--ssl-key-password", source(kind))
    with connect(port, context(pki)) as s:
        assert common_name(s) == "locked"
    assert hnc.err() == ""


@BOTH
def test_a_client_has_it_from_there(lab, pki, cert, locked, source, kind):
    port = s_server(lab, cert, "-Verify", "1", "-verify_return_error", "-CAfile", pki.ca)
    done = lab.run("hnc", "-4N", "--ssl-trustfile", pki.ca, "--ssl-cert", locked[0], "--ssl-key", locked[1],
                   "--ssl-key-password", source(kind), f"localhost:{port}", data=b"abc\n")
    assert (done.wait(), done.out(), done.err()) == (0, b"cba\n", "")


def test_it_is_read_again_with_the_certificates(lab, pki, source):
    """Both keys have a password, and not the same one."""
    old, new = pki.issue("old"), pki.issue("new")
    files = [pki.path(f"used.{x}") for x in ("pem", "key")]
    replace(files, (old[0], pki.lock(old[1], "sesame")))
    hnc, port = listener(lab, files, "-kv", "--ssl-key-password", source("file"))
    replace(files, (new[0], pki.lock(new[1], "other")))
    hnc.signal(signal.SIGHUP)
    hnc.wait_err("certificates are not read again: ")
    assert f"{files[1]}: wrong password" in hnc.err()
    with connect(port, context(pki)) as s:
        assert common_name(s) == "old"
    source("file", "other")
    hnc.signal(signal.SIGHUP)
    hnc.wait_err("Certificates are read again")
    with connect(port, context(pki)) as s:
        assert common_name(s) == "new"


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize(
    "value, named",
    [
        ("file:/nonexistent/secret", "the key has a password: file:/nonexistent/secret: No such file or directory"),
        ("env:HNC_NO_SUCH", "the key has a password: env:HNC_NO_SUCH: there is no such variable"),
        ("file:/dev/null", "file:/dev/null: no password in it"),
        ("wrong", "locked.key.locked: wrong password"),
    ],
)
def test_where_it_is_not_is_named(lab, locked, source, value, named, listens):
    if value == "wrong":
        value = source("file", "guess")
    args = ["--ssl-cert", locked[0], "--ssl-key", locked[1], "--ssl-key-password", value, HOST, "0" if listens else "9"]
    line = fails(lab, *(["-l"] if listens else []), *args)
    assert line.startswith(f"hnc: {locked[1]}: ") and named in line


@pytest.mark.parametrize("value", ["pass:sesame", "sesame", "file:", "env:", ""])
def test_a_command_line_is_no_place_for_it(lab, locked, value):
    line = fails(lab, "--ssl-cert", locked[0], "--ssl-key-password", value, HOST, "9", status=2)
    assert "--ssl-key-password" in line and "env:NAME" in line and "sesame" not in line


def test_without_a_certificate_it_is_of_no_use(lab):
    assert "--ssl-cert" in fails(lab, "--ssl-key-password", "env:X", HOST, "9", status=2)


def ask(locked, *args):
    terminal = Terminal([BIN / "hnc", *args, "--ssl-cert", locked[0], "--ssl-key", locked[1]], columns=300)
    terminal.wait(lambda: f"Password of {locked[1]}:" in terminal.last(), "the question")
    return terminal


@pytest.fixture
def typed(lab, locked):
    """hnc -lk at a terminal, waiting for the password of its key, and its port."""
    port = lab.port()
    terminal = ask(locked, "-lkd", "--no-editing", HOST, port)
    yield terminal, port
    terminal.popen.kill()
    terminal.popen.wait()


def test_without_a_place_it_is_typed_at_the_terminal(lab, pki, typed):
    terminal, port = typed
    terminal.type("sesame\r")
    lab.wait_bound(port)
    with connect(port, context(pki)) as s:
        assert common_name(s) == "locked"
    assert b"sesame" not in terminal.raw and terminal.is_restored()


def test_what_was_typed_is_not_asked_for_again(lab, pki, typed):
    terminal, port = typed
    terminal.type("sesame\r")
    lab.wait_bound(port)
    terminal.popen.send_signal(signal.SIGHUP)
    terminal.wait(lambda: "asked for at the start only, see --ssl-key-password" in terminal.last(), "the reason")
    with connect(port, context(pki)) as s:
        assert common_name(s) == "locked"


@pytest.mark.parametrize("text, named", [("guess\r", "wrong password"), (CTRL_C, "canceled")])
def test_what_is_typed_wrong_is_said(typed, text, named):
    terminal, _ = typed
    terminal.type(text)
    assert terminal.wait_exit() == 1 and named in terminal.last() and terminal.is_restored()


def test_without_a_terminal_it_cannot_be_typed(locked):
    done = subprocess.run(
        [BIN / "hnc", "-l", "--ssl-cert", locked[0], "--ssl-key", locked[1], HOST, "0"], stdin=subprocess.DEVNULL,
        capture_output=True, start_new_session=True, timeout=TIMEOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "no terminal to ask for it, see --ssl-key-password" in done.stderr


# ---- revoked certificates ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def revoked(pki):
    return pki.issue("revoked")


@pytest.fixture(scope="module")
def crl(pki, revoked):
    return pki.revoke(revoked[0])


def test_a_revoked_server_is_told_from_others(lab, pki, cert, revoked, crl):
    trust = ["-4", "--ssl-trustfile", pki.ca]
    good, bad = s_server(lab, cert), s_server(lab, revoked)
    assert lab.run("hnc", "-z", *trust, "--ssl-crlfile", crl, f"localhost:{good}").wait() == 0
    line = fails(lab, *trust, "--ssl-crlfile", crl, f"localhost:{bad}")
    assert line == "hnc: TLS with localhost: certificate is revoked (CN=revoked)"
    assert lab.run("hnc", "-z", *trust, f"localhost:{bad}").wait() == 0  # nobody looked


def test_the_issuer_of_a_server_needs_a_list(lab, pki, cert, tmp_path_factory):
    other = Pki(tmp_path_factory.mktemp("other"), "Other-CA")
    line = fails(lab, "-4", "--ssl-trustfile", pki.ca, "--ssl-crlfile", other.revoke(), f"localhost:{s_server(lab, cert)}")
    assert "CRL" in line and "CN=server" in line


def test_a_revoked_client_is_refused_and_the_server_goes_on(lab, pki, cert, revoked, crl):
    good = pki.issue("friend")
    hnc, port = listener(lab, cert, "-kv", "--ssl-verify", "--ssl-trustfile", pki.ca, "--ssl-crlfile", crl)
    trust = ["-4N", "--ssl-trustfile", pki.ca]
    bad = lab.run("hnc", *trust, "--ssl-cert", revoked[0], "--ssl-key", revoked[1], f"localhost:{port}", data=b"bad")
    assert bad.wait() == 1 and "certificate revoked" in bad.err()
    hnc.wait_err("failed: certificate is revoked (CN=revoked)")
    done = lab.spawn("openssl", "s_client", "-quiet", "-connect", f"{HOST}:{port}", "-cert", good[0], "-key", good[1],
                     stdin=lab.file(b"good"))
    hnc.wait_out(b"good")
    done.stop()
    assert hnc.out() == b"good"


def test_the_list_is_read_again_with_the_certificates(lab, pki, cert, crl):
    friend = pki.issue("former")
    files = [lab.path("crl.pem")]
    replace(files, [crl])
    hnc, port = listener(lab, cert, "-kv", "--ssl-verify", "--ssl-trustfile", pki.ca, "--ssl-crlfile", files[0])
    client = ["-4N", "--ssl-trustfile", pki.ca, "--ssl-cert", friend[0], "--ssl-key", friend[1], f"localhost:{port}"]
    lab.spawn("hnc", *client, stdin=lab.file(b"before"))
    hnc.wait_out(b"before")
    replace(files, [pki.revoke(friend[0])])
    hnc.signal(signal.SIGHUP)
    hnc.wait_err("Certificates are read again")
    assert lab.run("hnc", *client, data=b"after").wait() == 1
    hnc.wait_err("failed: certificate is revoked (CN=former)")
    assert hnc.out() == b"before"


@pytest.mark.parametrize(
    "args, status, named",
    [
        ("--ssl-crlfile /nonexistent/crl 127.0.0.1 9", 1, "/nonexistent/crl: No such file"),
        ("--ssl-crlfile CA 127.0.0.1 9", 1, "not a revocation list"),
        ("--insecure --ssl-crlfile CRL 127.0.0.1 9", 2, "--insecure and --ssl-crlfile"),
        ("-l --ssl-crlfile CRL 127.0.0.1 0", 2, "--ssl-verify"),
    ],
)
def test_a_list_that_is_of_no_use_is_named(lab, pki, crl, args, status, named):
    args = args.replace("CRL", crl).replace(" CA", f" {pki.ca}").split()
    assert named in fails(lab, *args, status=status)
