# One thread.
"""What hcurl sends: data, forms, uploads. The same arguments to Debian's curl give the same requests,
byte by byte, but for User-Agent and boundaries; where newer versions of curl do otherwise than
Debian's, what they do is written here."""

import contextlib
import os
import re
import subprocess
import threading

import pytest

from hcurl_lab import Web, response
from test_hcurl_like_curl import CURL, blur, outcome

LINES = r"""
-F "a=@data.txt,pic.png;type=x/y" @/echo
-F "a=@data.txt;type=x/y;filename=f,pic.png" @/echo
-F 'a=@"data.txt"' @/echo
-F 'a=@"data.txt","pic.png"' @/echo
-F 'a=@data.txt;filename="q\"u\\o;te.html"' @/echo
-F 'a=b;type=text/html;charset=utf-8' @/echo
-F 'a=b; type=text/html; charset=utf-8; filename=x' @/echo
-F 'a= b ' @/echo
-F 'a=" b "' @/echo
-F 'a="b' @/echo
-F 'a=' @/echo
-F '=a' @/echo
-F 'a=b=c' @/echo
-F 'a=b;headers="X-A: b"' @/echo
-F 'a=b;headers="X-A: b";headers=X-C:d' @/echo
-F 'a=b;headers=@fields.txt' @/echo
-F 'a=b;headers="Content-Type: x/y"' @/echo
-F 'a=b;encoder=base64' @/echo
-F 'a=@lines.txt;encoder=base64' @/echo
-F 'a=b;encoder=8bit' @/echo
-F 'a=b;encoder=7bit' @/echo
-F 'a=b;encoder=binary' @/echo
-F 'a=@big.txt;encoder=base64' @/echo
-F 'a=<page.html' @/echo
-F 'a=<data.txt;type=x/y' @/echo
-F 'a=@-' @/echo
-F 'a=@-;filename=x.txt' @/echo
-F 'a=<-' @/echo
-F 'a=@data.txt' -F 'a=@page.html' -F 'a=@x.svg' @/echo
-F 'x=(' -F 'a=b' -F '=c;type=x/y' -F '=@data.txt' -F '=)' -F 'd=e' @/echo
-F '=(;type=multipart/alternative' -F '=a' -F '=b;type=text/html' -F '=)' @/echo
-F 'x=(;type=multipart/form-data' -F 'a=b' -F '=)' @/echo
-F 'x=(' -F 'y=(' -F '=a;filename=n' -F '=)' -F '=)' @/echo
-F 'a"b=c;filename=d"e' @/echo
--form-escape -F 'a"b\=c;filename=d"e' @/echo
--form-string 'a=<b' --form-string '=x' --form-string 'b=c;type=d' @/echo
-F a=b -H "X-A: b" @/echo
-F a=b -X PUT @/echo
-F a=b -L @/redirect/307/echo
-F a=@data.txt -L @/redirect/302/echo
-F a=@data.txt --digest -u u:p @/digest
-F a=@missing.txt @/echo
-F a=b -T data.txt @/echo
-F a=b -I @/hello
-F a=b -G @/echo
-d @- @/echo
--data-binary @- @/echo
--data-urlencode a@- @/echo
--json @- @/echo
-d a --data-binary @lines.txt --data-raw @x --data-urlencode "=&" @/echo
-d a --json b -d c @/echo
--json a -H "Content-Type: x/y" -H "accept: z/z" @/echo
--json a -H "X-A: b" @/echo
--json a -H "Accept:" @/echo
-d "&" -d "&" @/echo
--data-urlencode "a b=c d" @/echo
--data-urlencode "a@b=c" @/echo
--data-urlencode "\"%+~-._ä" @/echo
-d a -H "Content-Type:" @/echo
-d a -H "Content-Type;" @/echo
-d a -H "Transfer-Encoding: chunked" @/echo
-d a -X GET @/echo
-G -d "a b" @/echo
-G -d "a" -d "" @/echo
-G @/echo
-G -d a=b "@/{x,y}"
-G -d a=b @/echo?
-G -d a=b @/echo?x&
-G -d a=b @/echo#f
-G -I -d a @/echo
-T data.txt @/echo/x/
-T data.txt @
-T data.txt @/echo?q
-T "{data.txt,pic.png}" "@/echo/[1-2]/"
-T "{data.txt,pic.png}" -g @/echo/
-T "" @/echo
-T . @/echo
-T - @/echo/
-T data.txt -H "Content-Length: 4" @/echo/x
-T data.txt -H "Transfer-Encoding: chunked" @/echo/x
-T data.txt --http1.0 @/echo/x
-T data.txt -L @/redirect/307/echo
-T data.txt --digest -u u:p @/digest
-T big.txt --digest -u u:p @/digest
-T big.txt -H "Expect: 100-continue" @/echo/x
-T data.txt -H "Expect: 100-continue" @/echo/x
-T /dev/null @/echo/x
-T . -T data.txt @/echo @/echo
-T . @/echo @/echo
-d @/dev/null @/echo
-d b --data-urlencode a@/dev/null @/echo
--url-query a@/dev/null @/echo
--crlf -d "" @/echo
-G -d "" @/echo?q
--data-binary @/dev/null @/echo
"""


def same(lab, web, line):
    if not os.path.exists(CURL):
        pytest.skip("curl is not installed")
    expected = outcome(CURL, line, web, lab.folder / "curl")
    ours = outcome(lab.program("hcurl"), line, web, lab.folder / "hcurl")
    assert without_expect(ours) == without_expect(expected)


def without_expect(result):
    """Since version 8.7 curl waits for 100 only with bodies past 1 MiB."""
    for key, value in result.items():
        if isinstance(value, bytes):
            result[key] = re.sub(rb"Expect: [^\r]*\r\n", b"", value)
        if isinstance(value, list):
            result[key] = [re.sub(rb"Expect: [^\r]*\r\n", b"", data) for data in value]
    return result


@pytest.fixture(scope="module")
def web():
    web = Web()
    yield web
    web.close()


@pytest.mark.parametrize("line", LINES.strip().split("\n"))
def test_sends_what_curl_sends(lab, web, line):
    same(lab, web, line)


def sent(lab, web, *arguments, status=0, stdin=b""):
    web.forget()
    run = subprocess.run([lab.program("hcurl"), "-q", "-sS", *arguments], cwd=lab.folder,
                         input=stdin, capture_output=True, timeout=100)
    assert run.returncode == status, run.stderr
    return web.requests[0] if web.requests else run.stderr.decode()


def test_a_form_is_as_long_as_it_says(lab, web):
    (lab.folder / "f.bin").write_bytes(bytes(range(256)) * 1000)
    request = sent(lab, web, "-F", "a=b", "-F", "f=@f.bin", f"{web.url}/hello")
    boundary = re.search(r"boundary=(-{24}[0-9A-Za-z]{22})$", request.field("Content-Type"))[1]
    part = f'--{boundary}\r\nContent-Disposition: form-data; name='
    assert request.body == (
        f'{part}"a"\r\n\r\nb\r\n{part}"f"; filename="f.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode() + bytes(range(256)) * 1000 + f"\r\n--{boundary}--\r\n".encode()
    assert int(request.field("Content-Length")) == len(request.body)


@pytest.mark.parametrize("output", [["-o", "answer"], []], ids=["file", "stdout"])
def test_a_binary_body_is_not_corrupted(lab, output):
    """Every byte that there is, and more of them than a buffer holds: no NUL ends it, no line end is made another."""
    data = bytes(range(256)) * 1000
    (lab.folder / "body").write_bytes(data)
    with contextlib.closing(Web({"mirror": lambda web, request, rest: response(200, request.body)})) as web:
        process = lab.run("hcurl", "-q", "-sS", "--data-binary", "@body", *output, f"{web.url}/mirror", cwd=lab.folder)
    assert process.wait() == 0, process
    assert [request.body for request in web.requests] == [data]
    answer = (lab.folder / "answer").read_bytes() if output else b""
    assert (answer, process.out()) == ((data, b"") if output else (b"", data))


def test_a_pipe_in_a_form_is_sent_as_it_comes(lab, web):
    os.mkfifo(lab.folder / "pipe")

    def feed():
        with open(lab.folder / "pipe", "wb") as pipe:
            for _ in range(100):
                pipe.write(b"x" * 1000)
                pipe.flush()

    feeder = threading.Thread(target=feed)
    feeder.start()
    request = sent(lab, web, "-F", "a=@pipe", f"{web.url}/hello")
    feeder.join(100)
    assert request.field("Transfer-Encoding") == "chunked"
    body = re.sub(rb"-{24}\w+", b"", request.body)  # boundaries may have an x in them
    assert body.count(b"x") == 100000


def test_a_file_in_a_form_that_cannot_be_read_is_told(lab, web):
    said = sent(lab, web, "-F", "a=@none", f"{web.url}/hello", status=26)
    assert said.startswith("hcurl: (26) ") and "none" in said


def test_a_byte_too_many_for_7bit_is_told(lab, web):
    (lab.folder / "latin").write_bytes(b"\xe4")
    sent(lab, web, "-F", "a=@latin;encoder=7bit", f"{web.url}/hello", status=26)


def test_a_field_that_is_none_is_a_mistake_in_the_usage(lab, web):
    for field in ("a", "=)"):
        assert "-F" in sent(lab, web, "-F", field, f"{web.url}/hello", status=2)


def test_methods_exclude_each_other(lab, web):
    (lab.folder / "x").write_bytes(b"x")
    for options in (["-d", "a", "-F", "b=c"], ["-d", "a", "-T", "x"], ["-F", "a=b", "-I"]):
        said = sent(lab, web, *options, f"{web.url}/hello", status=2)
        assert "one HTTP request" in said


def test_stdin_goes_out_as_it_comes(lab, web):
    data = os.urandom(300000)
    request = sent(lab, web, "-T", "-", f"{web.url}/hello", stdin=data)
    assert request.field("Transfer-Encoding") == "chunked"
    chunks, body = request.body, b""
    while not chunks.startswith(b"0\r\n"):
        size, _, rest = chunks.partition(b"\r\n")
        body += rest[: int(size, 16)]
        chunks = rest[int(size, 16) + 2 :]
    assert body == data


def test_small_bodies_do_not_wait_for_100(lab, web):
    (lab.folder / "small").write_bytes(b"x" * (1 << 20))
    (lab.folder / "large").write_bytes(b"x" * ((1 << 20) + 1))
    assert sent(lab, web, "-T", "small", f"{web.url}/hello").field("Expect") is None
    assert sent(lab, web, "-T", "large", f"{web.url}/hello").field("Expect") == "100-continue"


def test_line_ends_are_sent_as_crlf(lab, web):
    (lab.folder / "lines").write_bytes(b"a\nb\r\nc")
    request = sent(lab, web, "--crlf", "-T", "lines", f"{web.url}/hello")
    assert request.body == b"7\r\na\r\nb\r\nc\r\n0\r\n\r\n"
    assert request.field("Expect") is None


def test_an_encoder_that_there_is_not_is_told(lab, web):
    said = sent(lab, web, "-F", "a=b;encoder=none", f"{web.url}/hello", status=43)
    assert said.startswith("hcurl: (43) ") and "none" in said


def test_empty_data_needs_no_ampersand(lab, web):
    assert sent(lab, web, "-d", "", "-d", "a", f"{web.url}/hello").body == b"a"


def test_what_blur_leaves_is_worth_comparing():
    assert blur(b"Content-Length: 5\r\n\r\nhello") == b"Content-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("skipped, body", [("3", b"e1\nline2\n"), ("11", b"\n")])
def test_an_upload_goes_on_behind_what_is_there(lab, web, skipped, body):
    (lab.folder / "data").write_text("line1\nline2\n")
    request = sent(lab, web, "-T", "data", "-C", skipped, f"{web.url}/hello")
    assert request.body == body
    assert request.field("Content-Range") == f"bytes {skipped}-11/12"


def test_an_upload_of_which_all_is_there_is_none(lab, web):
    (lab.folder / "data").write_text("line1\nline2\n")
    said = sent(lab, web, "-T", "data", "-C", "12", f"{web.url}/hello", status=18)
    assert "all of it" in said


def test_an_upload_from_a_pipe_goes_on_behind_what_is_there(lab, web):
    request = sent(lab, web, "-T", "-", "-C", "5", f"{web.url}/hello", stdin=b"12345678")
    assert b"678" in request.body and b"5" not in request.body
