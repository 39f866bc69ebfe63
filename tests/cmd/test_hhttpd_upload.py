"""hhttpd --upload: files that clients store, make folders for and delete; and that nothing else is left behind."""

import concurrent.futures
import json
import os
import resource
import shutil
import socket
import subprocess
import threading

import pytest

from conftest import TIMEOUT, wait_until
from hhttpd_lab import SANITIZED, Server, as_root, hhttpd, www  # noqa: F401


@pytest.fixture
def inbox(lab):
    """An empty folder to be served."""
    folder = lab.folder / "inbox"
    folder.mkdir()
    return folder


class Curl:
    def __init__(self, lab):
        self.lab = lab

    def __call__(self, *args):
        """(status, fields, body) of the last answer."""
        head, body = self.lab.folder / "curl.head", self.lab.folder / "curl.body"
        body.write_bytes(b"")
        process = self.lab.run("curl", "-sS", "--max-time", str(TIMEOUT), "-D", head, "-o", body, *args)
        assert process.wait() == 0, process
        last = head.read_text().strip().replace("\r", "").split("\n\n")[-1].splitlines()
        fields = dict(line.split(": ", 1) for line in last[1:] if ": " in line)
        return int(last[0].split()[1]), fields, body.read_bytes()


@pytest.fixture
def curl(lab):
    return Curl(lab)


def content(folder):
    """All that is below, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def form(*files, boundary="b"):
    """A body with these (name, content), and its field."""
    body = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n'
        % (boundary.encode(), name if isinstance(name, bytes) else name.encode(), data)
        for name, data in files
    )
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def post(server, path, *files, **fields):
    body, headers = form(*files)
    return server.request("POST", path, body, {**headers, **{k.replace("_", "-"): v for k, v in fields.items()}})


# ---- files that are stored ----


def test_a_form_with_several_files(hhttpd, curl, lab, inbox):
    big = os.urandom(3_000_000)
    (lab.folder / "big").write_bytes(big)
    (lab.folder / "empty").write_bytes(b"")
    (inbox / "sub").mkdir()
    server = hhttpd("--upload", inbox, "0")
    for folder in ("", "sub/"):
        status, fields, _ = curl(
            "-F", f"file=@{lab.folder}/big", "-F", f"file=@{lab.folder}/empty;filename=two words.txt", "-F", "other=1",
            server.urls[0] + folder + "?upload")
        assert (status, fields["Location"]) == (303, "/" + folder)
    names = {"big": big, "two words.txt": b""}
    assert content(inbox) == {**names, **{f"sub/{name}": data for name, data in names.items()}}
    assert server.get("/sub/big").body == big
    server.stop()


def test_the_answer_in_json(hhttpd, inbox):
    server = hhttpd("--upload", inbox, "0")
    answer = post(server, "/?upload", ("ü b.txt", b"12345"), ("c", b""), Accept="application/json")
    assert answer.status == 201
    assert json.loads(answer.body) == {"files": [
        {"name": "ü b.txt", "size": 5, "href": "./%C3%BC%20b.txt"}, {"name": "c", "size": 0, "href": "./c"}]}
    answer = post(server, "/?upload", ("c", b"new"), Accept="application/json")
    assert (answer.status, json.loads(answer.body)["detail"]) == (409, "c: File exists.")
    assert content(inbox) == {"ü b.txt": b"12345", "c": b""}
    server.stop()


def test_put(hhttpd, curl, lab, inbox):
    data = os.urandom(5_000_000)
    (lab.folder / "data").write_bytes(data)
    server = hhttpd("--upload", inbox, "0")
    status, fields, _ = curl("-T", lab.folder / "data", server.urls[0] + "a%20b")
    assert (status, fields["Location"]) == (201, "/a%20b")
    status, _, _ = curl("-T", lab.folder / "data", "-H", "Transfer-Encoding: chunked", server.urls[0])
    assert status == 201
    assert content(inbox) == {"a b": data, "data": data}
    assert server.request("PUT", "/empty", b"").status == 201
    assert server.request("PUT", "/data", b"other").status == 409
    assert server.request("PUT", "/no/such/folder", b"x").status == 404
    assert server.request("PUT", "/part", b"x", {"Content-Range": "bytes 0-0/5"}).status == 400
    assert content(inbox) == {"a b": data, "data": data, "empty": b""}
    server.stop()


def test_replacing(hhttpd, inbox):
    (inbox / "f").write_bytes(b"old")
    (inbox / "folder").mkdir()
    server = hhttpd("--upload", "--upload-replace", inbox, "0")
    assert server.get("/f").body == b"old"
    assert server.request("PUT", "/f", b"new").status == 204
    assert server.get("/f").body == b"new"  # not what the server remembers
    assert post(server, "/?upload", ("f", b"newer"), ("g", b"g")).status == 303
    assert server.get("/f").body == b"newer"
    assert server.request("PUT", "/folder", b"x").status == 409
    assert content(inbox) == {"f": b"newer", "g": b"g"}
    server.stop()


def test_conditions_of_put(hhttpd, inbox):
    (inbox / "f").write_bytes(b"old")
    os.utime(inbox / "f", (1_000_000_000, 1_000_000_000))
    server = hhttpd("--upload", "--upload-replace", inbox, "0")
    tag = server.get("/f")["ETag"]
    for name, headers, status in [
        ("f", {"If-None-Match": "*"}, 412),
        ("f", {"If-Match": '"other"'}, 412),
        ("f", {"If-Unmodified-Since": "Sun, 01 Jan 1995 00:00:00 GMT"}, 412),
        ("new", {"If-Match": "*"}, 412),
    ]:
        assert server.request("PUT", "/" + name, b"x", headers).status == status, headers
    assert content(inbox) == {"f": b"old"}
    assert server.request("PUT", "/f", b"new", {"If-Match": tag}).status == 204
    assert server.request("PUT", "/f", b"newer", {"If-Match": tag}).status == 412
    assert server.request("PUT", "/new", b"x", {"If-None-Match": "*"}).status == 201
    assert content(inbox) == {"f": b"new", "new": b"x"}
    server.stop()


def test_who_is_refused_need_not_send_the_body(hhttpd, inbox):
    (inbox / "f").write_bytes(b"old")
    server = hhttpd("--upload", inbox, "0")
    head = b"PUT /%s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    assert server.first(head % b"f").startswith(b"HTTP/1.1 409 ")
    with server.connect() as sock:
        sock.sendall(head % b"g")
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"body")
        assert sock.recv(1000).startswith(b"HTTP/1.1 201 ")
    assert content(inbox) == {"f": b"old", "g": b"body"}
    server.stop()


def test_one_of_many_gets_the_name(hhttpd, inbox):
    server = hhttpd("--upload", "--threads", "2", inbox, "0")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: server.request("PUT", "/f", b"%d" % i * 100_000).status, range(24)))
    assert sorted(answers) == [201] + [409] * 23
    winner = answers.index(201)
    assert content(inbox) == {"f": b"%d" % winner * 100_000}
    server.stop()


# ---- names and places ----


@pytest.mark.parametrize("sent, stored", [
    ("../../up", "up"), ("/etc/passwd", "passwd"), ("C:\\\\x\\\\y.txt", "y.txt"), (".bashrc", "_bashrc"), ("-rf", "_rf"),
    ("a\x01b", None), ("..", None), ("a/", None), ("x" * 400, "x" * 255), ("a:b", "a_b"), ("~", "~"),
])
def test_names_are_made_safe(hhttpd, inbox, sent, stored):
    server = hhttpd("--upload", inbox, "0")
    answer = post(server, "/?upload", (sent, b"data"))
    assert answer.status == (303 if stored else 400)
    assert content(inbox) == ({stored: b"data"} if stored else {})
    assert sorted(p.name for p in inbox.parent.iterdir() if p.name in ("up", "passwd")) == []
    server.stop()


@pytest.mark.parametrize("path", [
    "/.hidden", "/.hidden/x", "/a%0Ab", "/a%7f", "/" + "x" * 256, "/sub/", "/%2e%2e/x", "/sub/..%2f..%2fx", "/.", "/a%00b",
])
def test_paths_that_no_file_gets(hhttpd, inbox, path):
    (inbox / "sub").mkdir()
    (inbox / ".hidden").mkdir() if path == "/.hidden/x" else None
    server = hhttpd("--upload", inbox, "0")
    assert server.request("PUT", path, b"x").status in (400, 404)
    assert content(inbox) == {} and content(inbox.parent / "inbox") == {}
    assert not (inbox.parent / "x").exists()
    server.stop()


def test_only_below_the_path(hhttpd, www):
    before = content(www)
    server = hhttpd("--upload=/sub", "--upload-delete", www, "0")
    for path in ("/x", "/subx", "/a.txt"):
        assert server.request("PUT", path, b"x").status == 405, path
    assert post(server, "/?upload", ("x", b"x")).status == 405
    assert server.request("DELETE", "/a.txt").status == 405
    assert server.request("POST", "/sub/?delete").status == 403
    assert server.request("PUT", "/sub", b"x").status in (403, 404, 409)
    assert content(www) == before
    assert post(server, "/sub/?upload", ("x", b"x")).status == 303
    assert server.request("PUT", "/sub/y", b"y").status == 201
    assert content(www) == {**before, "sub/x": b"x", "sub/y": b"y"}
    server.stop()


def test_a_link_leads_nobody_out(hhttpd, lab, inbox):
    outside = lab.folder / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"old")
    (inbox / "out").symlink_to(outside)
    (inbox / "f").symlink_to(outside / "f")
    server = hhttpd("--upload", "--upload-replace", "--upload-delete", inbox, "0")
    assert server.request("PUT", "/out/x", b"x").status == 404
    assert post(server, "/out/?upload", ("x", b"x")).status == 404
    assert server.request("DELETE", "/out/f").status == 404
    assert server.request("PUT", "/f", b"new").status == 204  # the link has gone
    assert (inbox / "f").read_bytes() == b"new" and not (inbox / "f").is_symlink()
    assert content(outside) == {"f": b"old"}
    server.stop()


def test_without_upload_nothing_is_stored(hhttpd, www):
    before = content(www)
    server = hhttpd(www, "0")
    assert server.request("PUT", "/x", b"x").status == 405
    assert post(server, "/?upload", ("x", b"x")).status == 405
    assert server.request("POST", "/?mkdir", "name=x").status == 405
    assert server.request("DELETE", "/a.txt").status == 405
    assert content(www) == before
    server.stop()


def test_a_folder_that_is_not_there_is_told_at_the_start(lab, inbox):
    process = lab.run("hhttpd", "-t", "--upload=/missing", inbox)
    assert process.wait() != 0
    assert f"upload: /missing in {inbox}: No such file or directory" in process.err()


@as_root
def test_a_folder_that_the_workers_cannot_write_to_is_told_at_the_start(lab, hhttpd, inbox):
    for folder in (inbox, *inbox.parents):
        folder.chmod(folder.stat().st_mode | 0o055)
    process = lab.run("hhttpd", "--user", "nobody", "--upload", inbox, "0")
    assert process.wait() != 0
    assert f"upload: / in {inbox}: Permission denied" in process.err()
    inbox.chmod(0o777)
    server = hhttpd("--user", "nobody", "--upload", inbox, "0")
    assert server.request("PUT", "/f", b"f").status == 201
    assert post(server, "/?upload", ("g", b"g")).status == 303
    assert (inbox / "f").stat().st_uid == (inbox / "g").stat().st_uid != 0
    server.stop()


@as_root
def test_in_a_root_of_its_own(hhttpd, inbox):
    """There is no /proc, and nobody else's rights."""
    for folder in (inbox, *inbox.parents):
        folder.chmod(folder.stat().st_mode | 0o055)
    inbox.chmod(0o777)
    server = hhttpd("--user", "nobody", "--chroot", inbox, "--upload", "--upload-replace", inbox, "0")
    assert server.request("PUT", "/f", b"f").status == 201
    assert server.request("PUT", "/f", b"g").status == 204
    assert post(server, "/?upload", ("g", b"g")).status == 303
    with send_half(server, half_requests()["put"]):
        pass
    assert server.request("PUT", "/h", b"h").status == 201
    wait_until(lambda: content(inbox) == {"f": b"g", "g": b"g", "h": b"h"}, "only these")
    server.stop()


# ---- what cannot be stored ----


def test_forms_that_are_none(hhttpd, inbox):
    server = hhttpd("--upload", inbox, "0")
    body, headers = form(("f", b"data"))
    assert server.request("POST", "/?upload", body, {"Content-Type": "text/plain"}).status == 415
    assert server.request("POST", "/?upload", body).status == 415
    assert server.request("POST", "/?upload", body, {"Content-Type": "multipart/form-data"}).status == 400
    assert server.request("POST", "/?upload", b"", headers).status == 400
    for cut in range(1, len(body) - 4, 7):
        assert server.request("POST", "/?upload", body[:cut], headers).status == 400, cut
    no_file = b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--b--\r\n'
    assert server.request("POST", "/?upload", no_file, headers).status == 400
    assert post(server, "/?upload", *[(f"f{i}", b"") for i in range(257)]).status == 413
    assert content(inbox) == {} and os.listdir(inbox) == []
    server.stop()


def test_all_files_of_a_form_or_none(hhttpd, inbox):
    (inbox / "there").write_bytes(b"old")
    server = hhttpd("--upload", inbox, "0")
    assert post(server, "/?upload", ("a", b"a" * 100_000), ("there", b"new"), ("c", b"c")).status == 409
    assert post(server, "/?upload", ("a", b"a"), ("b", b"b"), ("a", b"again")).status == 409
    assert content(inbox) == {"there": b"old"}
    server.stop()


def test_the_largest_upload(hhttpd, inbox):
    server = hhttpd("--upload", "--upload-max", "2M", inbox, "0")
    assert server.request("PUT", "/a", b"x" * 2_000_000).status == 201  # more than --max-body has by itself
    assert server.request("PUT", "/b", b"x" * 2_100_000).status == 413
    with server.connect() as sock:
        sock.sendall(b"PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(40):
                sock.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            pass
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")
    assert list(content(inbox)) == ["a"] and os.listdir(inbox) == ["a"]
    server.stop()


def send_half(server, request):
    """The connection, on which all but the last bytes of the request were sent."""
    sock = server.connect()
    sock.sendall(request[:-10])
    return sock


def half_requests():
    body, headers = form(("whole", b"1" * 1000), ("half", b"2" * 100_000))
    put = b"PUT /half HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    post = (b"POST /?upload HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
            % (headers["Content-Type"].encode(), len(body)) + body)
    return {"put": put, "form": post}


def open_files(pid, folder):
    """How many descriptors lead to files in the folder that have no name, or one for the meantime."""
    found = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        found += target.startswith(f"{folder}/") and ("(deleted)" in target or "/.upload-" in target)
    return found


@pytest.mark.parametrize("kind", ["put", "form"])
def test_a_client_that_goes_away_leaves_nothing(hhttpd, inbox, kind):
    server = hhttpd("--upload", inbox, "0")
    (worker,) = server.workers()
    with send_half(server, half_requests()[kind]):
        wait_until(lambda: open_files(worker, inbox) == (1 if kind == "put" else 2), "the file is being written")
        assert os.listdir(inbox) == []  # nobody sees what is not whole
    wait_until(lambda: open_files(worker, inbox) == 0, "the file has gone")
    assert os.listdir(inbox) == []
    server.stop()


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
int openat(int at, const char *path, int flags, ...)
{
    int (*next)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat");
    va_list ap;
    va_start(ap, flags);
    int mode = va_arg(ap, int);
    va_end(ap);
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return next(at, path, flags, mode);
}
int openat64(int at, const char *path, int flags, ...) __attribute__((alias("openat")));
"""


@pytest.fixture
def no_tmpfile(lab):
    """The environment of a program whose file system has no files without a name."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if SANITIZED or not compiler:
        pytest.skip("no library can be put in front of the sanitizer's" if SANITIZED else "no compiler")
    source, library = lab.folder / "shim.c", lab.folder / "shim.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", library, source], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}


def test_where_no_file_is_without_a_name(hhttpd, inbox, no_tmpfile):
    server = hhttpd("--upload", inbox, "0", env=no_tmpfile)
    assert server.request("PUT", "/a", b"x").status == 201
    assert server.request("PUT", "/a", b"y").status == 409
    assert post(server, "/?upload", ("b", b"b"), ("c", b"c")).status == 303
    assert post(server, "/?upload", ("d", b"b"), ("a", b"c")).status == 409
    for request in half_requests().values():
        with send_half(server, request):
            wait_until(lambda: any(name.startswith(".upload-") for name in os.listdir(inbox)), "a file for the meantime")
        wait_until(lambda: sorted(os.listdir(inbox)) == ["a", "b", "c"], "it has gone")
    assert content(inbox) == {"a": b"x", "b": b"b", "c": b"c"}
    server.stop()
    server = hhttpd("--upload", "--upload-replace", inbox, "0", env=no_tmpfile)
    assert server.request("PUT", "/a", b"z").status == 204
    assert content(inbox) == {"a": b"z", "b": b"b", "c": b"c"}
    server.stop()


@pytest.fixture
def small_disk(lab, inbox):
    """A server in a namespace of its own, where the folder is a file system of 1 MiB."""
    probe = lab.run("unshare", "-rm", "mount", "-t", "tmpfs", "none", inbox)
    if probe.wait() != 0:
        pytest.skip(f"the kernel mounts nothing for us: {probe.err()}")
    script = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'

    class Namespaced(Server):
        def __init__(self, *args):
            spawn = lab.spawn
            lab.spawn = lambda name, *rest, **options: spawn(
                "unshare", "-rm", "sh", "-c", script, "sh", inbox, lab.program(name), *rest, **options)
            try:
                super().__init__(lab, *args)
            finally:
                lab.spawn = spawn

        def listdir(self):
            return sorted(os.listdir(f"/proc/{self.pid}/root{inbox}"))

    return Namespaced


def test_a_full_disk(small_disk, inbox):
    server = small_disk("--upload", "--upload-replace", inbox, "0")
    assert server.request("PUT", "/small", b"s" * 1000).status == 201
    for _ in range(3):  # what did not fit has been given back
        assert server.request("PUT", "/big", b"b" * 2_000_000).status == 507
        answer = post(server, "/?upload", ("one", b"1" * 500_000), ("two", b"2" * 700_000), Accept="application/json")
        assert (answer.status, json.loads(answer.body)["detail"]) == (507, "two: No space left on device.")
        assert server.request("PUT", "/small", b"b" * 2_000_000).status == 507
        assert server.listdir() == ["small"]
    assert server.get("/small").body == b"s" * 1000
    assert server.request("PUT", "/fits", b"f" * 900_000).status == 201
    assert server.listdir() == ["fits", "small"]
    server.stop()


def test_a_file_that_may_not_grow(hhttpd, inbox):
    server = hhttpd("--upload", inbox, "0",
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))
    (worker,) = server.workers()
    assert server.request("PUT", "/big", b"b" * 2_000_000).status == 507
    assert post(server, "/?upload", ("one", b"1"), ("two", b"2" * 2_000_000)).status == 507
    assert os.listdir(inbox) == []
    assert server.request("PUT", "/fits", b"f" * 500_000).status == 201
    assert server.workers() == [worker]
    server.stop()


def test_a_folder_that_may_not_be_written_to(hhttpd, small_disk, inbox):
    server = small_disk("--upload", inbox, "0")
    subprocess.run(["nsenter", "-t", str(server.pid), "-U", "-m", "--preserve-credentials",
                    "mount", "-o", "remount,ro", inbox], check=True)
    assert server.request("PUT", "/x", b"x").status == 403
    assert post(server, "/?upload", ("x", b"x")).status == 403
    assert server.request("POST", "/?mkdir", "name=x").status == 403
    assert server.listdir() == []
    server.stop()


def test_a_long_upload_does_not_hold_up_others(hhttpd, inbox):
    (inbox / "f").write_bytes(b"f")
    server = hhttpd("--upload", inbox, "0")
    with server.connect() as sock:
        sock.sendall(b"PUT /long HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(50):
            sock.sendall(b"x" * 900_000)
            assert server.get("/f").body == b"f"
        sock.sendall(b"x" * (50_000_000 - 50 * 900_000))
        assert sock.recv(100).startswith(b"HTTP/1.1 201 ")
    assert (inbox / "long").stat().st_size == 50_000_000
    server.stop()


# ---- pages of others ----


@pytest.mark.parametrize("headers, status", [
    ({}, 303),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 303),
    ({"Sec-Fetch-Site": "none"}, 303),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "http://localhost"}, 303),
    ({"Origin": "https://LOCALHOST"}, 303),
    ({"Origin": "http://localhost:81"}, 403),
    ({"Origin": "http://localhost.evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": ""}, 403),
])
def test_a_page_of_another_origin_changes_nothing(hhttpd, inbox, headers, status):
    (inbox / "old").write_bytes(b"old")
    server = hhttpd("--upload", "--upload-delete", "--cors", inbox, "0")
    body, type_field = form(("f", b"data"))
    headers = {"Host": "localhost", **headers}
    assert server.request("POST", "/?upload", body, {**type_field, **headers}).status == status
    assert server.request("POST", "/?mkdir", "name=new", headers).status == status
    assert server.request("POST", "/old?delete", b"", headers).status == status
    assert server.request("PUT", "/put", b"put", headers).status == (201 if status == 303 else 403)
    assert server.request("DELETE", "/put", None, headers).status == (204 if status == 303 else 403)
    assert sorted(os.listdir(inbox)) == (["f", "new"] if status == 303 else ["old"])
    server.stop()


# ---- folders, deleting, the page ----


def test_making_folders(hhttpd, curl, inbox):
    server = hhttpd("--upload", inbox, "0")
    status, fields, _ = curl("--data-urlencode", "name=a b/../ü", server.urls[0] + "?mkdir")
    assert (status, fields["Location"]) == (303, "/")
    assert server.request("POST", "/?mkdir", "x=1&name=json", {"Accept": "application/json"}).status == 201
    assert server.request("POST", "/%C3%BC/?mkdir", "name=below").status == 303
    assert server.request("POST", "/?mkdir", "name=json").status == 409
    assert server.request("POST", "/none/?mkdir", "name=x").status == 404
    for body in ("", "name=", "name", "name=%zz", "name=..", "name=a%00b", "other=x"):
        assert server.request("POST", "/?mkdir", body).status == 400, body
    assert server.request("POST", "/?mkdir", "name=" + "x" * 5000).status == 413
    assert sorted(os.listdir(inbox)) == ["json", "ü"] and os.listdir(inbox / "ü") == ["below"]
    server.stop()


def test_deleting(hhttpd, inbox):
    (inbox / "full").mkdir()
    (inbox / "empty").mkdir()
    for name in ("a", "b", "full/c", ".hidden", "read"):
        (inbox / name).write_bytes(b"x")
    (inbox / "link").symlink_to("full")
    os.mkfifo(inbox / "fifo")
    server = hhttpd("--upload", "--upload-delete", inbox, "0")
    assert server.get("/read").status == 200
    for path, status, location in [
        ("/a?delete", 303, "/"),
        ("/full/?delete", 409, None),
        ("/full/c?delete", 303, "/full/"),
        ("/empty/?delete", 303, "/"),
        ("/link?delete", 303, "/"),
        ("/read?delete", 303, "/"),
        ("/?delete", 403, None),
        ("/none?delete", 404, None),
        ("/.hidden?delete", 404, None),
        ("/fifo?delete", 404, None),
    ]:
        answer = server.request("POST", path)
        assert (answer.status, answer["Location"]) == (status, location), path
    assert server.get("/read").status == 404
    assert server.request("DELETE", "/b").status == 204
    assert server.request("DELETE", "/b").status == 404
    assert sorted(os.listdir(inbox)) == [".hidden", "fifo", "full"]
    server.stop()


def test_deleting_has_to_be_allowed(hhttpd, inbox):
    (inbox / "a").write_bytes(b"x")
    server = hhttpd("--upload", inbox, "0")
    assert server.request("DELETE", "/a").status == 403
    assert server.request("POST", "/a?delete").status == 403
    assert server.request("OPTIONS", "/a")["Allow"] == "GET, HEAD, POST, PUT, OPTIONS"
    assert content(inbox) == {"a": b"x"}
    server.stop()


@pytest.mark.parametrize("args, offered", [
    ([], {"/": "", "/sub/": ""}),
    (["--upload"], {"/": "upload mkdir", "/sub/": "upload mkdir"}),
    (["--upload=/sub"], {"/": "", "/sub/": "upload mkdir"}),
    (["--upload=/sub/", "--upload-delete"], {"/": "", "/sub/": "upload mkdir delete"}),
    (["--upload", "--upload-delete"], {"/": "upload mkdir delete", "/sub/": "upload mkdir delete"}),
])
def test_a_listing_offers_what_is_allowed(hhttpd, www, args, offered):
    (www / "index.html").unlink()
    server = hhttpd(*args, www, "0")
    for path, words in offered.items():
        text = server.get(path).text
        assert " ".join(w for w in ("upload", "mkdir", "delete") if f"?{w}\"" in text) == words, path
    server.stop()


def test_below_a_base_url(hhttpd, inbox):
    server = hhttpd("--upload", "--upload-delete", "--base-url", "/files", inbox, "0")
    answer = post(server, "/files/?upload", ("f", b"f"))
    assert (answer.status, answer["Location"]) == (303, "/files/")
    assert server.request("PUT", "/files/g", b"g")["Location"] == "/files/g"
    assert server.request("PUT", "/h", b"h").status == 404
    answer = server.request("POST", "/files/f?delete")
    assert (answer.status, answer["Location"]) == (303, "/files/")
    assert content(inbox) == {"g": b"g"}
    server.stop()
