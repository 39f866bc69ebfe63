# One thread.
"""Who hcurl says it is: Basic, Digest, tokens, netrc files and signatures, beside Debian's curl: the same requests,
the same bytes out, the same exit statuses."""

import os
import re
import signal
import socket
import subprocess

import pytest

from hcurl_lab import Web, response
from terminal import CTRL_C, Terminal

CURL = "/usr/bin/curl"
TIMEOUT = 100


def any_of(web, request, rest):
    """Both ways to log in, the weaker one first."""
    given = request.field("Authorization") or ""
    if given.startswith(rest[0]):
        return response(200, b"welcome\n")
    return response(401, b"who?\n", 'WWW-Authenticate: Basic realm="lab"',
                    'WWW-Authenticate: Digest realm="lab", nonce="n1"', reason="No")


def stale(web, request, rest):
    """The first nonce is too old at once."""
    given, nonce = request.field("Authorization") or "", 'nonce="n2"'
    if nonce in given:
        return response(200, b"welcome\n")
    more = ', nonce="n2", stale=true' if 'nonce="n1"' in given else ', nonce="n1"'
    return response(401, b"who?\n", f'WWW-Authenticate: Digest realm="lab"{more}', reason="No")


@pytest.fixture(scope="module")
def web():
    web = Web({"any": any_of, "stale": stale})
    yield web
    web.close()


def run(program, args, web, folder, stdin=None, env=None):
    web.forget()
    words = [str(a).replace("@PORT", str(web.port)).replace("@FOLDER", str(folder)) for a in args]
    done = subprocess.run([program, "-q", "-sS", "-A", "x", *words], capture_output=True, timeout=TIMEOUT, cwd=folder,
                          stdin=stdin or subprocess.DEVNULL, start_new_session=True,
                          env={**os.environ, "HOME": str(folder), **(env or {})})  # fmt: skip
    return done.returncode, done.stdout, steady(web.wire())


def steady(wire):
    """Without what is random: a client's nonce, and what depends on it."""
    lines = []
    for line in wire.split(b"\r\n"):
        if b"cnonce=" in line:
            line = re.sub(rb'(cnonce|response)="[^"]*"', rb"\1=?", line)
        lines.append(line)
    return b"\r\n".join(lines)


def same(lab, web, args, **options):
    if not os.path.exists(CURL):
        pytest.skip("curl is not installed")
    theirs = run(CURL, args, web, lab.folder, **options)
    ours = run(lab.program("hcurl"), args, web, lab.folder, **options)
    assert ours == theirs
    return ours


URL = "http://127.0.0.1:@PORT"

CASES = [
    ["-u", "u:p", f"{URL}/basic"],
    ["-u", "u:wrong", f"{URL}/basic"],
    ["-u", "u:p:q", f"{URL}/echo"],
    ["-u", ":p", f"{URL}/echo"],
    ["-u", "u:", f"{URL}/echo"],
    ["-u", "u:p", "-f", f"{URL}/status/401"],
    ["--basic", "-u", "u:p", f"{URL}/basic", f"{URL}/echo"],
    ["--digest", "-u", "u:p", f"{URL}/digest"],
    ["--digest", "-u", "u:p", f"{URL}/digest/SHA-256"],
    ["--digest", "-u", "u:wrong", f"{URL}/digest"],
    ["--digest", "-u", "u:p", "-d", "a=b", f"{URL}/digest"],
    ["--digest", "-u", "u:p", "-I", f"{URL}/digest"],
    ["--digest", "-u", "u:p", f"{URL}/echo"],
    ["--digest", "-u", "u:p", f"{URL}/stale"],
    ["--digest", "-u", "u:p", f"{URL}/basic"],
    ["--digest", "-u", "u:p", f"{URL}/digest?a=b", f"{URL}/digest?c=d"],
    ["--anyauth", "-u", "u:p", f"{URL}/any/Digest"],
    ["--anyauth", "-u", "u:p", f"{URL}/basic"],
    ["--anyauth", "-u", "u:p", f"{URL}/digest"],
    ["--anyauth", "-u", "u:p", "-d", "a=b", f"{URL}/digest"],
    ["--anyauth", "-u", "u:p", f"{URL}/echo"],
    ["http://u:p@127.0.0.1:@PORT/basic"],
    ["--digest", "http://u:p@127.0.0.1:@PORT/digest"],
    ["http://u%20v:p%40@127.0.0.1:@PORT/echo"],
    ["-u", "u:p", "http://a:b@127.0.0.1:@PORT/echo"],
    ["--oauth2-bearer", "TOKEN", f"{URL}/echo"],
    ["-u", "u:p", "-L", f"{URL}/redirect/302/echo"],
    ["-u", "u:p", "-L", f"{URL}/elsewhere/echo"],
    ["-u", "u:p", "--location-trusted", f"{URL}/elsewhere/echo"],
    ["-H", "Authorization: mine", "-H", "Cookie: mine=1", "-L", f"{URL}/elsewhere/echo"],
    ["-H", "Authorization: mine", "-u", "u:p", f"{URL}/echo"],
    ["-H", "Authorization:", "-u", "u:p", f"{URL}/echo"],
    ["--digest", "-u", "u:p", "-L", f"{URL}/redirect/302/digest"],
]


@pytest.mark.parametrize("args", CASES, ids=lambda args: " ".join(args).replace(URL, ""))
def test_it_says_what_curl_says(lab, web, args):
    same(lab, web, args)


# ---- netrc ---------------------------------------------------------------------------------------

NETRC = """
machine localhost login there password elsewhere
machine 127.0.0.1 login ann password one
machine 127.0.0.1 login "bob" password "t\\"wo"
default login any password thing
"""

NETRC_CASES = [
    ["-n", f"{URL}/echo"],
    ["--netrc", "http://bob@127.0.0.1:@PORT/echo"],
    ["--netrc-optional", "http://eve:own@127.0.0.1:@PORT/echo"],
    ["--netrc-optional", f"{URL}/echo"],
    ["-n", "-u", "u:p", f"{URL}/echo"],
    ["--netrc-file", "other", f"{URL}/echo"],
    ["-n", "-L", f"{URL}/elsewhere/echo"],
    ["-n", "--digest", f"{URL}/digest"],
]


@pytest.mark.parametrize("args", NETRC_CASES, ids=lambda args: " ".join(args).replace(URL, ""))
def test_a_netrc_file_is_asked_as_curl_does(lab, web, args):
    (lab.folder / ".netrc").write_text(NETRC)
    (lab.folder / "other").write_text("machine 127.0.0.1\nlogin other\npassword file\n")
    same(lab, web, args)


def test_the_environment_names_a_netrc_file(lab, web):
    (lab.folder / "elsewhere").write_text("machine 127.0.0.1 login me password it\n")
    status, out, wire = run(lab.program("hcurl"), ["-n", f"{URL}/echo"], web, lab.folder,
                            env={"NETRC": str(lab.folder / "elsewhere")})  # fmt: skip
    assert status == 0 and b"Authorization: Basic bWU6aXQ=\r\n" in wire


def test_a_netrc_file_that_is_wanted_has_to_be_there(lab, web):
    hcurl = lab.program("hcurl")
    assert run(hcurl, ["-n", f"{URL}/echo"], web, lab.folder)[0] == 26
    assert run(hcurl, ["--netrc-optional", f"{URL}/echo"], web, lab.folder)[0] == 0
    assert run(hcurl, ["--netrc-file", "nowhere", f"{URL}/echo"], web, lab.folder)[0] == 2


# ---- signatures ----------------------------------------------------------------------------------

DATE = "X-Amz-Date: 20260101T000000Z"

SIGNED = [
    ["--aws-sigv4", "aws:amz:us-east-1:es", f"{URL}/echo"],
    ["--aws-sigv4", "aws:amz:us-east-1:es", f"{URL}/echo?a=1&b=2"],
    ["--aws-sigv4", "aws:amz:us-east-1:es", "-d", "a=b", f"{URL}/echo"],
    ["--aws-sigv4", "aws:amz:us-east-1:es", "-X", "DELETE", f"{URL}/echo/x"],
]


@pytest.mark.parametrize("args", SIGNED, ids=lambda args: " ".join(args[2:]).replace(URL, ""))
def test_requests_are_signed_as_curl_signs_them(lab, web, args):
    """Debian's curl sends the date twice; the newest sends it once, as it is signed."""
    signed = []
    for program in (CURL, lab.program("hcurl")):
        status, _, _ = run(program, ["-u", "key:secret", "-H", DATE, *args], web, lab.folder)
        signed.append((status, web.requests[0].field("Authorization")))
    assert signed[0] == signed[1] and signed[1][1].startswith("AWS4-HMAC-SHA256 Credential=key/20260101/")


def test_what_cannot_be_signed(lab, web):
    hcurl, login = lab.program("hcurl"), ["-u", "key:secret", "--aws-sigv4"]
    assert run(hcurl, [*login, "aws:amz:us-east-1:es", "--path-as-is", f"{URL}/echo"], web, lab.folder)[0] == 43
    assert run(hcurl, [*login, ":amz", f"{URL}/echo"], web, lab.folder)[0] == 43
    assert run(hcurl, [*login, "aws", "http://localhost:@PORT/echo"], web, lab.folder)[0] == 3


# ---- passwords -----------------------------------------------------------------------------------


def test_a_password_is_read_from_stdin_where_there_is_no_terminal(lab, web):
    with lab.file(b"p\nnot this\n") as stdin:
        status, out, wire = run(lab.program("hcurl"), ["-u", "u", f"{URL}/basic"], web, lab.folder, stdin=stdin)
    assert (status, out) == (0, b"welcome\n")


def test_who_is_asked_for_a_password_sees_it(lab, web):
    """On stderr, as curl does it: a program that waits for stdin would seem to do nothing."""
    words = ["-q", "-s", "-u", "u", f"{web.url}/basic"]
    ours, theirs = (
        lab.run(name, *words, data=b"p\n", start_new_session=True) for name in ("hcurl", "curl")
    )
    assert ours.err() == "Enter host password for user 'u':\n" == theirs.err()
    assert ours.out() == b"welcome\n" == theirs.out()


def test_ctrl_c_at_the_question_ends_it_as_a_signal_would(lab, web):
    web.forget()
    terminal = Terminal([lab.program("hcurl"), "-q", "-s", "-u", "u", f"{web.url}/basic"])
    terminal.wait(lambda: "Enter host password for user 'u':" in terminal.last(), "the question")
    terminal.type("p" + CTRL_C)
    assert terminal.wait_exit() == -signal.SIGINT
    assert terminal.is_restored() and web.requests == []
    terminal.close()


def test_nobody_sees_a_password_in_the_list_of_processes(lab):
    secrets = ["hidden1", "hidden2", "hidden3"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hcurl = lab.spawn("hcurl", "-q", "-u", f"u:{secrets[0]}", "-U", f"u:{secrets[1]}", "--oauth2-bearer", secrets[2],
                          f"http://127.0.0.1:{silent.getsockname()[1]}/")  # fmt: skip
        peer, _ = silent.accept()
        with open(f"/proc/{hcurl.pid}/cmdline", "rb") as f:
            line = f.read()
        peer.close()
        hcurl.wait()
    assert b"127.0.0.1" in line and not any(s.encode() in line for s in secrets)


def test_a_login_does_not_leave_for_another_port(lab, web):
    """Another port of the same host is another server."""
    other = Web()
    try:
        moved = Web({"away": lambda *_: response(302, b"", f"Location: http://127.0.0.1:{other.port}/echo")})
        args = ["-q", "-s", "-L", "-u", "u:p", "-H", "Authorization: x", f"{moved.url}/away"]
        subprocess.run([lab.program("hcurl"), *args], check=True, capture_output=True, timeout=TIMEOUT)
        assert moved.requests[0].field("Authorization") == "x"
        assert other.requests[0].field("Authorization") is None
        moved.close()
    finally:
        other.close()
