# One thread.
"""Globs, names of outputs and URLs. The same arguments to Debian's curl give the same requests and
files; where newer versions of curl do otherwise than Debian's, what they do is written here."""

import os
import subprocess

import pytest

from hcurl_lab import Web
from test_hcurl_like_curl import CURL, outcome

LINES = r"""
"@/{a,b,c}"
"@/[1-3]"
"@/[001-003]"
"@/[1-10:4]"
"@/[a-e:2]"
"@/[A-C]"
"@/{a,b}{c,d}[1-2]"
"@/{a}"
"@/\{a\}\[b\]" -g
"@/x[]y"
"@/{a,b}" -o "#1"
"@/{a,b}[01-02]" -o "x-#2-#1-#3.y"
"@/{a,b}" -o "same"
"@/{a,b}" -O
"@/{a,b}/f" "@/g" -O -O
"@/{a,b}" -o "#1/f" --create-dirs
"@/{a,b}" -o "#0#"
"@/[1-2]" "@/[3-4]" -o "one#1" -o "two#1"
-g "@/[1-2]"
-g "@/{a}" -o "#1"
"@/{a,b"
"@/a}"
"@/[1-"
"@/[1]"
"@/[a-1]"
"@/[5-1]"
"@/[1-5:0]"
"@/[1-99999999999999999999]"
"@/{}"
"@/{a{b}}"
"@/[1-2:3]"
"@/{a,b}" @/c -w "%{url} %{urlnum}\n"
-G -d x=y "@/{a,b}?z"
--path-as-is "@/{a,b}/../c"
"@/a?b|c{}[]" -g
"@/?a'b\"c<d>e\`f\\g^h"
@/;a=b;c
@/a/./b/../../c/.
@/../..
@/a//b//
@/?
@/a?#b
http:/127.0.0.1:@PORT/a
http:///127.0.0.1:@PORT/a
http:////127.0.0.1:@PORT/a
http://u:p@127.0.0.1:@PORT/echo
http://u:@127.0.0.1:@PORT/echo
http://:p@127.0.0.1:@PORT/echo
http://u%20%3a:p%40@127.0.0.1:@PORT/echo
http://u@127.0.0.1:@PORT/echo
http://u%zz:50%@127.0.0.1:@PORT/echo
http://u%00:p@127.0.0.1:@PORT/echo
http://u:p@127.0.0.1:@PORT/echo -u v:w
http://127.1:@PORT/echo
http://0x7f.1:@PORT/echo
http://2130706433:@PORT/echo
HTTP://127.0.0.1:@PORT/echo
http://LOCALHOST:@PORT/echo
http://127.0.0.1:/hello
http://127.0.0.1:x/hello
http://127.0.0.1:65536/hello
http://u@v@127.0.0.1/hello
http://[::1/hello
http://a%20b/
http://a^b/
http:/
://x
x://127.0.0.1/
file://elsewhere/x
mailto:x
-O @/a%2Fb
-O @/a;b=c
-L @/to/x%20y
-L "@/to/a?b%20c"
-L @/spaced
-L @/relative/deep/er
-L @/query?a
-L @/scheme
-L @/bad
-L @/other
-L @/userinfo
-w "%{redirect_url}\n" @/spaced
-w "%{url_effective}\n" -L @/spaced
-w "%{url_effective}\n" @/a/../b?c#d
-w "%{url}\n" @/a/../b?c#d
"""

LOCATIONS = {
    "spaced": "/hel lo?a b#c d",
    "dots": "a/./b/../c/%2e%2e/d",
    "relative": "../up?x#y",
    "query": "?z",
    "bad": "http://127.0.0.1:bad/",
    "other": "gopher://127.0.0.1/",
    "raw": "/hell\xc3\xb6?\xc3\xb6",
}


def location(text):
    def answer(web, request, rest):
        if "up" in request.target or "z" in request.target:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        where = text(web) if callable(text) else text
        return f"HTTP/1.1 302 Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode(
            "latin-1"
        )

    return answer


@pytest.fixture(scope="module")
def web():
    routes = {name: location(text) for name, text in LOCATIONS.items()}
    routes["to"] = location("/hello")
    routes["scheme"] = location(lambda web: f"//127.0.0.1:{web.port}/hello")
    routes["userinfo"] = location(lambda web: f"http://me:secret@127.0.0.1:{web.port}/hello")
    web = Web(routes)
    yield web
    web.close()


@pytest.mark.parametrize("line", LINES.strip().split("\n"))
def test_asks_for_what_curl_asks_for(lab, web, line):
    if not os.path.exists(CURL):
        pytest.skip("curl is not installed")
    line = line.replace("@PORT", str(web.port))
    expected = outcome(CURL, line, web, lab.folder / "curl")
    ours = outcome(lab.program("hcurl"), line, web, lab.folder / "hcurl")
    assert ours == expected


def run(lab, *arguments, stdin=b"", status=0):
    done = subprocess.run([lab.program("hcurl"), "-q", "-sS", *arguments], cwd=lab.folder,
                          input=stdin, capture_output=True, timeout=100)
    assert done.returncode == status, done.stderr
    return done.stderr.decode()


def targets(web):
    return [request.target for request in web.requests]


def test_globs_may_have_names(lab, web):
    web.forget()
    run(lab, f"{web.url}/{{<host>a,b}}/[<n>1-2]", "-o", "#<n>-#<host>")
    assert targets(web) == ["/a/1", "/a/2", "/b/1", "/b/2"]
    assert {"1-a", "2-a", "1-b", "2-b"} <= {path.name for path in lab.folder.iterdir()}


def test_a_mistake_is_pointed_at(lab, web):
    url = "http://h.invalid/[2-1]"
    said = run(lab, url, status=3)
    assert said.split("\n")[0] == "hcurl: (3) bad range in position 23:"
    assert said.split("\n")[1:3] == [url, " " * 22 + "^"]


def test_urls_come_from_a_file_or_stdin(lab, web):
    web.forget()
    lines = f"# two\n{web.url}/one\r\n\n{web.url}/{{two}}\n".encode()
    (lab.folder / "urls").write_bytes(lines)
    run(lab, "--url", "@urls")
    run(lab, "--url", "@-", stdin=lines)
    assert targets(web) == ["/one", "/{two}"] * 2
    assert (lab.folder / "one").read_bytes() == b"hello\n"


def test_a_url_without_a_name_is_stored_even_so(lab, web):
    run(lab, "-O", web.url)
    assert (lab.folder / "curl_response").read_bytes() == b"hello\n"


def test_bytes_past_ascii_are_encoded_in_the_path_alone(lab, web):
    web.forget()
    run(lab, f"{web.url}/\u00e4%c3%a4?\u00e4%c3")
    assert targets(web) == ["/%C3%A4%C3%A4?\xc3\xa4%c3"]


def test_paths_are_written_as_newer_versions_of_curl_do(lab, web):
    web.forget()
    for path in ("a%2fb%zz?%c3%zz", "a/%2e%2E/b", "a/b/%2e", "", "?a=b", "#a"):
        run(lab, f"{web.url}/{path}", "-o", "/dev/null")
    assert targets(web) == ["/a%2Fb%zz?%c3%zz", "/b", "/a/b/", "/", "/?a=b", "/"]


def test_redirects_are_written_as_newer_versions_of_curl_do(lab, web):
    web.forget()
    run(lab, "-L", f"{web.url}/dots", f"{web.url}/raw", "-L", "--path-as-is", f"{web.url}/dots")
    assert targets(web) == ["/dots", "/a/d", "/raw", "/hell%C3%B6?%C3%B6", "/dots", "/a/d"]


def test_a_folder_gives_its_name_to_a_file(lab, web):
    run(lab, "-O", f"{web.url}/a/b/")
    assert (lab.folder / "b").read_bytes() == b"hello\n"


def test_uploads_may_be_globs(lab, web):
    web.forget()
    for name in ("one", "two"):
        (lab.folder / name).write_text(name)
    run(lab, "-T", "{one,two}", f"{web.url}/[1-2]/", "-o", "#1.out")
    assert targets(web) == ["/1/one", "/2/one", "/1/two", "/2/two"]
    assert [request.body for request in web.requests] == [b"one"] * 2 + [b"two"] * 2


@pytest.mark.parametrize(
    "url, status",
    [("ftp://127.0.0.1/", 1), ("ftp.invalid", 1), ("dict.invalid", 1), ("x://h/", 1), ("", 2),
     ("http://h:x/", 3), ("http://a b/", 3), ("http:////h/", 3), ("@missing", 26)],
)
def test_what_cannot_be_asked_is_told(lab, url, status):
    assert run(lab, url, status=status).startswith("hcurl: ")


def test_ten_thousand_urls_need_no_list(lab, web):
    web.forget()
    run(lab, f"{web.url}/[1-1000000000000]", "-o", "/dev/null", "--max-filesize", "1",
        "--fail-early", status=63)
    assert targets(web) == ["/1"]
