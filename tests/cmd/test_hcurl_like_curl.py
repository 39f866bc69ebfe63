# One thread.
"""The same arguments to Debian's curl and to hcurl: the same bytes out, the same files, the same exit
status, the same requests on the wire.

What may differ: the programs' names and versions (User-Agent), what is drawn by chance (boundaries,
cnonces), the words behind "curl: (7)". URLs are written as @/path. What curl itself does otherwise
since version 7.88 is not here: hcurl does as the newest."""

import os
import re
import shlex
import subprocess

import pytest

from hcurl_lab import Web

CURL = "/usr/bin/curl"

LINES = r"""
@/hello
-i @/hello
-I @/hello
-I -X GET @/hello @/echo
-I -X GET --compressed @/coded/gzip
-I -X GET @/chunked
-I -L -X GET @/redirect/302/hello
--head @/hello
-s -o out @/hello
-O @/hello
-O @/dir/name.txt?query=1
-o out1 @/hello -o out2 @/echo
-O @/one -O @/two
--remote-name-all @/one @/two
-J -O @/named/x.txt
-OJ @/hello
--output-dir sub --create-dirs -O @/hello
--create-dirs -o a/b/c @/hello
--no-clobber -o data.txt @/hello
-D heads @/hello
-D - @/hello
-D heads -o out @/redirect/302/hello -L
-C 10 @/redirect/302/hello
-f @/status/404
-f @/status/500
--fail-with-body @/status/404
-f @/hello
@/status/404
@/status/204
@/status/304
-i @/status/204
-L @/redirect/301/echo
-L -d a=b @/redirect/301/echo
-L -d a=b @/redirect/302/echo
-L -d a=b @/redirect/303/echo
-L -d a=b @/redirect/307/echo
-L -d a=b @/redirect/308/echo
-L --post301 -d a=b @/redirect/301/echo
-L --post302 -d a=b @/redirect/302/echo
-L --post303 -d a=b @/redirect/303/echo
-L -X PUT -d a=b @/redirect/302/echo
-L -X DELETE @/redirect/302/echo
-L --max-redirs 2 @/redirect/302/redirect/302/redirect/302/hello
-L --max-redirs 3 @/redirect/302/redirect/302/redirect/302/hello
-L @/loop
-L -i @/redirect/302/hello
-L -e ;auto @/redirect/302/echo
-L -u u:p @/elsewhere/echo
-L --location-trusted -u u:p @/elsewhere/echo
-L -H "Authorization: x" @/elsewhere/echo
-L -H "X-Mine: x" @/elsewhere/echo
@/redirect/302/hello
-d a=b @/echo
-d a=b -d c=d @/echo
-d @data.txt @/echo
-d @lines.txt @/echo
--data-ascii @lines.txt @/echo
--data-binary @lines.txt @/echo
--data-raw @data.txt @/echo
--data-urlencode "a=b c&d" @/echo
--data-urlencode "=b c" @/echo
--data-urlencode "b c" @/echo
--data-urlencode a@lines.txt @/echo
--data-urlencode @lines.txt @/echo
-d "" @/echo
--json '{"a":1}' @/echo
--json '{"a":1' --json ',"b":2}' @/echo
--json @data.txt -H "Accept: x/y" @/echo
-G -d a=b @/echo
-G -d a=b -d c=d @/echo?x=y
-G --data-urlencode "a=b c" @/echo
-I -G -d a=b @/hello
--url-query a=b @/echo
--url-query "a=b c" -d x=y @/echo?z
-X PUT @/echo
-X PUT -d a=b @/echo
-X DELETE @/echo
-X PATCH -d x @/echo
-X OPTIONS --request-target "*" @/echo
--request-target /echo/other @/echo
-H Expect: -T data.txt @/echo/name
-H Expect: -T data.txt @/echo/
-T - @/echo/name
-H Expect: -T data.txt -T lines.txt @/echo/a @/echo/b
-H Expect: -T "{data,lines}.txt" @/echo/
-H Expect: -T data.txt -X POST @/echo/name
-T big.txt @/echo/name
-T big.txt -H "Expect:" @/hello
-T missing.txt @/echo/name
-F a=b @/echo
-F a=b -F c=d @/echo
-F a=@data.txt @/echo
-F "a=@data.txt;type=x/y" @/echo
-F "a=@data.txt;filename=other" @/echo
-F "a=<data.txt" @/echo
-F "a=b;type=x/y" @/echo
-F "a=@data.txt,lines.txt" @/echo
-F "a=@pic.png" -F "b=@page.html" @/echo
--form-string "a=@b;type=c" @/echo
-F 'a="x;y"' @/echo
-F "a=b" -H "Content-Type: multipart/other" @/echo
-F a @/echo
-H "X-A: b" @/echo
-H "X-A;" @/echo
-H "Accept:" @/echo
-H "Host: other" @/echo
-H "User-Agent:" @/echo
-H "Accept: a" -H "Accept: b" @/echo
-H @fields.txt @/echo
-H "Content-Type: x/y" -d a @/echo
-H "Content-Length: 3" -d abc @/echo
-H "Transfer-Encoding: chunked" -d abc @/echo
-H "Host:" @/echo
-H "Connection: close" @/echo
-H "Cookie: x=y" -b a=b @/echo
-A me @/echo
-A "" @/echo
-e http://here/ @/echo
-u u:p @/echo
-u u: @/echo
-u u:p @/basic
-u u:wrong @/basic
--basic -u u:p @/basic
--anyauth -u u:p @/basic
--anyauth -u u:p @/echo
--digest -u u:p @/digest
--digest -u u:p @/digest/SHA-256
--digest -u u:p -d a=b @/digest
--anyauth -u u:p @/digest
--digest -u u:wrong @/digest
--digest -u u:p @/digest @/digest
--oauth2-bearer token @/echo
-n @/echo
--netrc-file mynetrc @/echo
--netrc-file mynetrc -u other: @/echo
-b a=b @/echo
-b jar @/echo
-c - @/cookie
-c saved @/cookie/more
-b none -c saved @/cookie @/cookie
-b jar -c saved @/cookie
-j -b jar @/echo
-c saved -L @/redirect/302/cookie
--compressed @/coded/gzip
--compressed @/coded/deflate
@/coded/gzip
--compressed -i @/coded/gzip
--compressed @/echo
--raw @/chunked
@/chunked
-i @/chunked
--ignore-content-length @/close
@/close
-r 0-9 @/ranged
-r 10- @/ranged
-r -10 @/ranged
-r 0-1,5-6 @/echo
-C 10 @/ranged
-C - -o part @/ranged
-C - -o whole @/ranged
-C 5 -o data.txt @/hello
-C 99999 @/ranged
-z "2001-01-01 00:00:00" @/echo
-z "-2001-01-01 00:00:00" @/echo
-z data.txt @/echo
--etag-save tag @/etag
--etag-compare oldtag @/etag
--etag-compare oldtag --etag-save oldtag @/etag
-R -o out @/dated
--max-filesize 5 @/big/100
--max-filesize 100 @/big/100
@/short
@/shortchunks
@/nothing
@/reset
@/garbage
--http0.9 @/garbage
@/folded
@/informed
-i @/informed
-m 5 @/hello
http://127.0.0.1:1/
http://no-such-host.invalid/
-4 http://[::1]:@PORT/
-6 @/hello
ftp-like://127.0.0.1/
http://127.0.0.1:99999/
http://
"http://127.0.0.1/a b"
gopherr://x
-o /dev/full @/hello
-o no/such/dir/x @/hello
@/hello -o out @/hello
"@/{one,two}/[1-3]"
"@/[a-c]" -o "#1.txt"
"@/{x,y}[01-03]" -o "#1-#2"
-g "@/{x}"
"@/[1-9:4]"
"@/[3-1]"
"@/{x"
@/a/../b/./c
--path-as-is @/a/../b/./c
@/a#fragment
@/a?b#c
@//a//b
--http1.0 @/echo
--http1.1 @/echo
--http1.0 -d a=b @/echo
-w "%{http_code}\n" @/hello
-w "%{response_code} %{size_download} %{size_header} %{num_headers}\n" -A x @/hello
-w "%{url} %{url_effective} %{num_redirects} %{redirect_url}\n" -L @/redirect/302/hello
-w "%{redirect_url}\n" @/redirect/302/hello
-w "%{content_type}|%{filename_effective}|%{method}|%{http_version}\n" -o out @/hello
-w "%{size_upload} %{size_request}\n" -A x -d abc @/echo
-w "%{header_json}\n" @/hello
-w "%{exitcode} %{urlnum} %{num_connects}\n" @/hello @/hello
-w "%header{server} %%{x} %{unknown}\t|\n" @/hello
-w "%{stderr}to stderr%{stdout}to stdout\n" @/hello
-w @format @/hello
-w "%{remote_ip} %{local_ip} %{ssl_verify_result} %{proxy_ssl_verify_result}\n" @/hello
-w "%{onerror}bad %{exitcode}\n" @/nothing
-w "%{onerror}bad\n" @/hello
-K config
-K - @/hello
-x @ http://elsewhere.invalid/echo
-x foo://127.0.0.1 http://elsewhere.invalid/echo
-x http://no-such-host.invalid http://elsewhere.invalid/echo
-x @ -U u:p http://elsewhere.invalid/echo
-x @ --proxy-header "X-P: y" http://elsewhere.invalid/echo
-x @ -p http://elsewhere.invalid/echo
-x @ --noproxy elsewhere.invalid http://elsewhere.invalid/echo
--resolve name.invalid:80:127.0.0.1 --connect-to name.invalid:80:127.0.0.1:@PORT http://name.invalid/echo
--connect-to ::127.0.0.1:@PORT http://name.invalid/echo
--interface 127.0.0.1 @/hello
-4 @/hello
--limit-rate 1M @/big/1000
--retry 0 @/status/503
-s @/nothing
-S @/nothing
--proto =https @/hello
--proto -all,http @/hello
--proto-redir =https -L @/redirect/302/hello
--no-such-option @/hello
-o
--data-binary @big.txt @/echo
-d @big.txt --expect100-timeout 1 @/hello
-d a -T data.txt @/echo
-d a -F b=c @/echo
-I -d a @/hello
--fail-early @/nothing @/hello
@/nothing @/hello
@/hello @/nothing
-Z @/hello @/hello
--remove-on-error -o out @/short
--remove-on-error -o out @/hello
"""


def arguments(line, web):
    out = []
    for word in shlex.split(line):
        word = re.sub(r"@PORT$", str(web.port), word)
        word = re.sub(r"^@$", f"127.0.0.1:{web.port}", word)
        out.append(re.sub(r"^@/", f"{web.url}/", word))
    return out


def furnish(folder, web):
    """What the lines find in their working directory."""
    lines = "first\r\nsecond\nthird\n"
    host = "127.0.0.1"
    files = {
        "data.txt": "some data", "lines.txt": lines, "big.txt": "0123456789" * 150000,
        "fields.txt": "X-One: 1\nX-Two: 2\n", "pic.png": "png", "page.html": "<p>",
        "mynetrc": f"machine {host} login me password secret\n",
        ".netrc": f"machine {host} login home password sweet\n",
        "jar": f"# Netscape HTTP Cookie File\n\n{host}\tFALSE\t/\tFALSE\t0\ts\t1\n"
               f"{host}\tFALSE\t/\tFALSE\t4000000000\tk\t2\n{host}\tFALSE\t/no\tFALSE\t0\tx\t3\n",
        "format": "%{http_code} %{num_redirects}\\n", "oldtag": '"v1"\n',
        "config": f'# settings\nurl = "{web.url}/echo"\n-d "a=b\\tc"\nheader: X-Y: z\n',
        "input": f"data = from-stdin\n",
        "part": "0123456789", "whole": "x" * 3000,
    }  # fmt: skip
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, newline="")
        os.utime(folder / name, (1e9, 1e9))
    return set(files)


def blur(data):
    """Without what has to differ."""
    data = re.sub(rb"(?m)^User-Agent: h?curl/[^\r\n]*", b"User-Agent: curl", data)
    data = re.sub(rb"-{20,}[0-9A-Za-z_-]{8,}", b"BOUNDARY", data)
    data = re.sub(rb'cnonce="[^"]*"', b'cnonce=""', data)
    data = re.sub(rb'(response=")[0-9a-f]*', rb"\1", data)
    return re.sub(rb"(?m)^(Content-Length: )\d+(?=\r\n(?:.*\r\n)*?.*BOUNDARY)", rb"\1N", data)


def outcome(program, line, web, folder):
    furnish(folder, web)
    web.forget()
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C", "TZ": "UTC"}
    with open(folder / "input", "rb") as stdin:
        run = subprocess.run([program, "-q", "-s", *arguments(line, web)],
                             cwd=folder, env=env, stdin=stdin, capture_output=True, timeout=100)
    files = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                files[os.path.relpath(path, folder)] = blur(file.read())
            if name == "out" and "-R" in line:
                files["time"] = int(os.stat(path).st_mtime)
    requests = [blur(r.bytes) for r in web.requests]
    if " -Z" in f" {line}":
        requests.sort()
    saved = files.get("saved")
    if saved:
        files["saved"] = re.sub(rb"# .*\n", b"", saved)
    return {
        "status": run.returncode,
        "wire": requests,
        "out": re.sub(rb"(?m)^# .*\n", b"", blur(run.stdout)),
        "files": files,
    }


@pytest.fixture(scope="module")
def web():
    web = Web()
    yield web
    web.close()


@pytest.mark.parametrize("line", [line for line in LINES.strip().split("\n")])
def test_does_what_curl_does(lab, web, line):
    if not os.path.exists(CURL):
        pytest.skip("curl is not installed")
    expected = outcome(CURL, line, web, lab.folder / "curl")
    ours = outcome(lab.program("hcurl"), line, web, lab.folder / "hcurl")
    assert ours == expected
