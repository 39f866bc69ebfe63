"""hhttpd driven by the clients that people have: curl, wget, ab, wrk, h2load, urllib. What they get is compared
with the files, and what is answered to ranges and conditions with what nginx answers, on the same folder."""

import gzip
import hashlib
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from conftest import Lab
from hhttpd_lab import Server

SIZE = 300007
LAST_MODIFIED = 1700000000
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
BEFORE, BEHIND = "Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def www(lab):
    folder = lab.folder / "www"
    (folder / "sub" / "below").mkdir(parents=True)
    (folder / "in").mkdir()
    files = {
        "data.bin": os.urandom(SIZE),
        "empty.bin": b"",
        "text.txt": b"some words, and more words\n" * 4000,
        "sub/page.html": b'<a href="../data.bin">data</a> <a href="below/leaf.txt">leaf</a>\n',
        "sub/below/leaf.txt": b"leaf\n",
        "sub/a b&c=d;#?%.txt": b"odd\n",
        "sub/\u00fcmlaut.txt": b"umlaut\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, (LAST_MODIFIED, LAST_MODIFIED))
    return folder


@pytest.fixture(scope="module")
def server(lab, www):
    server = Server(lab, www, "0", "--keepalive-timeout", "20s", "--upload=/in")
    yield server
    server.stop()


@pytest.fixture
def url(server):
    return server.urls[0]


@pytest.fixture
def work(tmp_path):
    return tmp_path


def run(lab, name, *args, status=0, **options):
    process = lab.run(name, *args, **options)
    assert process.wait() == status, process
    return process


def curl(lab, *args, **options):
    return run(lab, "curl", "-sS", "--max-time", "100", *args, **options)


# ---- curl ----


@pytest.mark.parametrize("name", ["data.bin", "empty.bin", "text.txt", "sub/below/leaf.txt", "sub/%C3%BCmlaut.txt",
                                  "sub/a%20b%26c%3Dd%3B%23%3F%25.txt"])
def test_curl_gets_what_is_there(lab, www, url, name):
    want = (www / urllib.request.unquote(name)).read_bytes()
    assert curl(lab, url + name).out() == want
    assert curl(lab, "--http1.0", url + name).out() == want
    assert curl(lab, "--compressed", url + name).out() == want


def test_curl_head_says_what_get_says(lab, url):
    def fields(process):
        head = process.out().split(b"\r\n\r\n")[0].split(b"\r\n")
        return [line for line in head if not line.startswith(b"Date")]

    for name in ("data.bin", "empty.bin", "text.txt", "nosuch", "sub/"):
        assert fields(curl(lab, "-I", url + name)) == fields(curl(lab, "-i", url + name)), name


@pytest.mark.parametrize("given", ["0-0", "0-99", "100-", "-100", f"{SIZE - 1}-", "1000-1000000000"])
def test_curl_ranges(lab, www, url, given):
    first, last = given.split("-")
    data = (www / "data.bin").read_bytes()
    want = data[int(first) : int(last) + 1 if last else None] if first else data[-int(last) :]
    process = curl(lab, "-r", given, "-w", "%{stderr}%{http_code}", url + "data.bin")
    assert process.out() == want and process.err() == "206"


def test_curl_many_ranges(lab, www, url):
    data = (www / "data.bin").read_bytes()
    out = curl(lab, "-i", "-r", "0-9,1000-1999,-5", url + "data.bin").out()
    head, _, body = out.partition(b"\r\n\r\n")
    boundary = re.search(rb"(?i)content-type: multipart/byteranges; ?boundary=\"?([^\"\r]+)", head)[1]
    parts = body.split(b"--" + boundary)
    assert parts[-1].strip() == b"--" and len(parts) == 5
    assert int(re.search(rb"(?i)content-length: (\d+)", head)[1]) == len(body)
    for part, (first, last) in zip(parts[1:], [(0, 9), (1000, 1999), (SIZE - 5, SIZE - 1)]):
        part_head, _, content = part.partition(b"\r\n\r\n")
        assert f"bytes {first}-{last}/{SIZE}".encode() in part_head
        assert content == data[first : last + 1] + b"\r\n"


def test_curl_resumes(lab, www, url, work):
    data = (www / "data.bin").read_bytes()
    path = work / "part"
    for have in (1, SIZE // 2, SIZE - 1):
        path.write_bytes(data[:have])
        curl(lab, "-C", "-", "-o", path, url + "data.bin")
        assert path.read_bytes() == data


def test_curl_conditions(lab, url, work):
    curl(lab, "--etag-save", work / "etag", "-o", work / "x", "-R", url + "data.bin")
    code = ("-o", os.devnull, "-w", "%{http_code}")
    assert curl(lab, "--etag-compare", work / "etag", *code, url + "data.bin").out() == b"304"
    assert curl(lab, "-z", work / "x", *code, url + "data.bin").out() == b"304"
    assert curl(lab, "-z", "Tue, 14 Nov 2000 22:13:20 GMT", *code, url + "data.bin").out() == b"200"
    assert int(os.stat(work / "x").st_mtime) == LAST_MODIFIED


def test_curl_keeps_its_connection(lab, www, url):
    names = ["data.bin", "empty.bin", "nosuch", "text.txt", "sub/page.html"] * 4
    args = [arg for name in names for arg in ("-o", os.devnull, url + name)]
    counts = curl(lab, "-w", "%{num_connects}\n", *args).out().split()
    assert [int(n) for n in counts] == [1] + [0] * (len(names) - 1)


def test_curl_expects_and_is_told(lab, url, work):
    """A body that nobody wants is not sent; whatever was sent, the connection is of use or closed."""
    (work / "body").write_bytes(b"x" * 2000000)
    for args in (["-H", "Expect: 100-continue"], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"]):
        process = curl(lab, *args, "--data-binary", f"@{work / 'body'}", "-o", os.devnull, "-w",
                       "%{http_code} ", url + "data.bin", "--next", "-sS", "-o", os.devnull, "-w", "%{http_code}",
                       url + "empty.bin")
        assert process.out() in (b"405 200", b"413 200")


def test_curl_uploads(lab, www, url, work):
    (www / "in").mkdir(exist_ok=True)
    data = os.urandom(1500000)
    (work / "up").write_bytes(data)
    for args in ([], ["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"]):
        process = curl(lab, "-T", work / "up", *args, "-o", os.devnull, "-w", "%{http_code}", url + "in/put.bin")
        assert process.out() in (b"201", b"200", b"204")
        assert (www / "in" / "put.bin").read_bytes() == data
        (www / "in" / "put.bin").unlink()


def test_curl_parallel(lab, www, url, work):
    curl(lab, "-Z", "--parallel-max", "20", "--create-dirs", "-o", f"{work}/#1-#2",
         f"{url}{{data.bin,text.txt}}?[1-40]")
    for name in ("data.bin", "text.txt"):
        want = hashlib.sha256((www / name).read_bytes()).digest()
        for i in range(1, 41):
            assert hashlib.sha256((work / f"{name}-{i}").read_bytes()).digest() == want


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "gzip;q=0.5, br;q=0", "identity", "*", "*;q=0",
                                    "identity;q=0, gzip"])
def test_curl_codings(lab, www, url, coding):
    out = curl(lab, "-i", "-H", f"Accept-Encoding: {coding}", url + "text.txt").out()
    head, _, body = out.partition(b"\r\n\r\n")
    used = re.search(rb"(?i)content-encoding: (\w+)", head)
    used = used[1].decode() if used else "identity"
    assert re.search(rb"(?i)\r\nvary: .*accept-encoding", head + b"\r\n") or head.startswith(b"HTTP/1.1 406")
    if used == "gzip":
        body = gzip.decompress(body)
    elif used in ("br", "zstd"):
        tool = {"br": "brotli", "zstd": "zstd"}[used]
        if shutil.which(tool):
            body = subprocess.run([tool, "-d", "-c"], input=body, stdout=subprocess.PIPE, check=True).stdout
        else:
            body = curl(lab, "--compressed", url + "text.txt").out()
    if head.startswith(b"HTTP/1.1 200"):
        assert body == (www / "text.txt").read_bytes()
    if coding in ("gzip", "br", "zstd"):
        assert used == coding
    if coding in ("identity", "*;q=0"):
        assert used == "identity"


# ---- wget ----


def wget(lab, work, *args, status=0):
    return run(lab, "wget", "--no-config", "-nv", "--tries=2", *args, status=status, cwd=work)


def test_wget_mirrors(lab, www, url, work):
    """All that the listings lead to, and nothing else."""
    wget(lab, work, "-r", "-np", "-nH", "--reject-regex", r"[?]", url)
    got = {p.relative_to(work) for p in work.rglob("*") if p.is_file() and p.name != "index.html"
           and p.suffix not in (".out", ".err")}
    want = {p.relative_to(www) for p in www.rglob("*") if p.is_file()}
    assert {p for p in want if p.parts[0] != "in"} <= got
    for path in want & got:
        assert (work / path).read_bytes() == (www / path).read_bytes(), path


def test_wget_continues(lab, www, url, work):
    data = (www / "data.bin").read_bytes()
    (work / "data.bin").write_bytes(data[:1234])
    wget(lab, work, "-c", url + "data.bin")
    assert (work / "data.bin").read_bytes() == data
    wget(lab, work, "-c", url + "data.bin")  # nothing is left to do: a 416
    assert (work / "data.bin").read_bytes() == data


def test_wget_asks_whether_it_is_newer(lab, www, url, work):
    wget(lab, work, "-N", url + "data.bin")
    first = os.stat(work / "data.bin")
    assert int(first.st_mtime) == LAST_MODIFIED
    wget(lab, work, "-N", url + "data.bin")
    again = os.stat(work / "data.bin")
    assert (first.st_ino, first.st_mtime_ns, first.st_ctime_ns) == (again.st_ino, again.st_mtime_ns, again.st_ctime_ns)


def test_wget_is_told_what_is_not_there(lab, url, work):
    wget(lab, work, url + "nosuch", status=8)


# ---- urllib, and the load generators ----


def test_urllib(www, url):
    for name in ("data.bin", "empty.bin", "sub/page.html"):
        with urllib.request.urlopen(url + name) as answer:
            assert answer.read() == (www / name).read_bytes()
            assert answer.headers["Last-Modified"] == DATE
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url + "nosuch")
    assert error.value.code == 404


@pytest.mark.parametrize("options", [[], ["-k"], ["-k", "-i"], ["-H", "Accept-Encoding: gzip"]])
def test_ab(lab, url, options):
    out = run(lab, "ab", "-n", "500", "-c", "10", *options, url + "text.txt").out().decode()
    assert re.search(r"Complete requests: +500\n", out) and re.search(r"Failed requests: +0\n", out)
    assert "Non-2xx" not in out


def test_h2load(lab, url):
    out = run(lab, "h2load", "--h1", "-n", "500", "-c", "10", url + "text.txt").out().decode()
    assert "500 succeeded, 0 failed, 0 errored, 0 timeout" in out and "status codes: 500 2xx" in out


def test_wrk_pipelines(lab, url, work):
    script = work / "pipeline.lua"
    script.write_text('init = function() local r = {}\n for i = 1, 16 do r[i] = wrk.format("GET", "/data.bin") end\n'
                      ' req = table.concat(r) end\nrequest = function() return req end\n')
    out = run(lab, "wrk", "-t1", "-c4", "-d1", "--timeout", "60s", "-s", script, url).out().decode()
    assert "Socket errors" not in out and "Non-2xx" not in out and int(re.search(r"(\d+) requests in", out)[1]) > 0


# ---- beside nginx ----


@pytest.fixture(scope="module")
def nginx(lab, www):
    port, folder = lab.port(), lab.folder / "nginx"
    folder.mkdir()
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n"
                    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "conf").write_text(f"""daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{ }}
http {{ {paths} access_log off; if_modified_since before;
server {{ listen 127.0.0.1:{port}; root {www}; }} }}
""")
    lab.spawn("nginx", "-p", folder, "-c", folder / "conf")
    lab.wait_bound(port)
    return port


def ask(port, name, fields, method="GET"):
    """(status, fields, body)"""
    with socket.create_connection(("127.0.0.1", port), 100) as sock:
        lines = "".join(f"{key}: {value}\r\n" for key, value in fields)
        sock.sendall(f"{method} /{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode())
        data = b""
        while piece := sock.recv(1 << 16):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}, body


RANGES = ["bytes=0-0", "bytes=5-9", "bytes=-1", f"bytes=-{SIZE - 1}", f"bytes={SIZE - 1}-", f"bytes={SIZE}-",
          "bytes=1-999999999", "bytes=999999999-", "bytes=-0", "items=0-1", "BYTES=0-1", "bytes=0-0,-1",
          f"bytes=0-0,{SIZE}-", "bytes=0-0, 500-600", "bytes=500-600,0-0"]
CONDITIONS = [
    [("If-None-Match", "{etag}")], [("If-None-Match", "W/{etag}")], [("If-None-Match", '"x"')],
    [("If-None-Match", "*")], [("If-None-Match", '"x", {etag}, "y"')], [("If-None-Match", '"x"'), ("If-Modified-Since", DATE)],
    [("If-Modified-Since", DATE)], [("If-Modified-Since", BEFORE)], [("If-Modified-Since", BEHIND)],
    [("If-Modified-Since", "yesterday")],
    [("If-Match", "{etag}")], [("If-Match", '"x"')], [("If-Match", "*")], [("If-Match", '"x", {etag}')],
    [("If-Match", "W/{etag}")],
    [("If-Unmodified-Since", DATE)], [("If-Unmodified-Since", BEFORE)], [("If-Unmodified-Since", BEHIND)],
    [("If-Match", "{etag}"), ("If-None-Match", "{etag}")],
    [("Range", "bytes=0-4"), ("If-Range", "{etag}")], [("Range", "bytes=0-4"), ("If-Range", '"x"')],
    [("Range", "bytes=0-4"), ("If-Range", "W/{etag}")],
    [("Range", "bytes=0-4"), ("If-Range", DATE)], [("Range", "bytes=0-4"), ("If-Range", BEFORE)],
    [("Range", "bytes=0-4"), ("If-None-Match", "{etag}")], [("Range", "bytes=0-4"), ("If-Match", '"x"')],
    [("Range", "bytes=999999999-"), ("If-None-Match", "{etag}")],
]


def compare(server, nginx, name, fields, method="GET"):
    """Both answer the same; each is asked with its own ETag. Returns our answer."""
    answers = []
    for port in (server.port, nginx):
        etag = ask(port, name, [])[1].get("etag", '"none"')
        answers.append(ask(port, name, [(k, v.replace("{etag}", etag)) for k, v in fields], method))
    ours, theirs = answers
    assert ours[0] == theirs[0], (ours[:2], theirs[:2])
    multipart = "multipart" in theirs[1].get("content-type", "")
    if ours[0] < 400:
        for key in ("last-modified", *(() if multipart else ("content-length",))):
            assert ours[1].get(key) == theirs[1].get(key), key
        assert ("etag" in ours[1]) == ("etag" in theirs[1])
        assert ours[2] == theirs[2] or multipart
    assert ours[1].get("content-range") == theirs[1].get("content-range")
    return ours


@pytest.mark.parametrize("given", RANGES)
def test_ranges_beside_nginx(server, nginx, given):
    compare(server, nginx, "data.bin", [("Range", given)])


@pytest.mark.parametrize("method,fields", [
    *(("GET", fields) for fields in CONDITIONS),
    *(("HEAD", fields) for fields in CONDITIONS if fields[0][0] != "Range"),
], ids=str)
def test_conditions_beside_nginx(server, nginx, method, fields):
    compare(server, nginx, "data.bin", fields, method)


@pytest.mark.parametrize("fields,status,content_range", [
    # A range of all is no part (RFC 9110 section 14.2 leaves the choice); nginx answers 206.
    ([("Range", "bytes=0-")], 200, None),
    ([("Range", f"bytes=-{SIZE}")], 200, None),
    ([("Range", "bytes=0-18446744073709551615")], 200, None),
    # Parts that are close to each other are one (section 15.3.7.2).
    ([("Range", "bytes=0-0, 5-6")], 206, f"bytes 0-6/{SIZE}"),
    # Section 13.1.3: beside If-None-Match the date does not count; nginx wants both.
    ([("If-None-Match", "{etag}"), ("If-Modified-Since", BEFORE)], 304, None),
    # Section 14.2: of GET only.
    ([("Range", "bytes=0-4"), ("HEAD", "")], 200, None),
])
def test_where_nginx_is_not_followed(server, fields, status, content_range):
    method = "HEAD" if fields[-1][0] == "HEAD" else "GET"
    etag = ask(server.port, "data.bin", [])[1]["etag"]
    fields = [(key, value.replace("{etag}", etag)) for key, value in fields if key != "HEAD"]
    answer = ask(server.port, "data.bin", fields, method)
    assert (answer[0], answer[1].get("content-range")) == (status, content_range)


@pytest.mark.parametrize("name", ["data.bin", "empty.bin", "sub", "nosuch", "sub/nosuch/", "data.bin/", "a%00b",
                                  "%zz", "sub/../data.bin", "./data.bin", "sub//below///leaf.txt", "../x",
                                  "sub/%2e%2e/data.bin", "data.bin?x=y", "%64ata.bin"])
def test_paths_beside_nginx(server, nginx, name):
    ours, theirs = ask(server.port, name, []), ask(nginx, name, [])
    assert ours[0] == theirs[0], (ours[:2], theirs[:2])
    if ours[0] == 200:
        assert ours[2] == theirs[2]
    if ours[0] in (301, 302):
        assert ours[1]["location"].endswith("/sub/") and theirs[1]["location"].endswith("/sub/")
