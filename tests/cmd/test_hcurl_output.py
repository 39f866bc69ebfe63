# One thread.
"""Where hcurl puts what it receives: stdout, files, their names, and what is left after an error.
Where curl knows the option, it is asked the same, and the bytes, files and exit statuses compared."""

import hashlib
import os
import pathlib
import re
import resource
import select
import signal

import pytest
from conftest import open_terminal, wait_until
from hcurl_lab import RANGED, TAG, Web, response


def with_name(web, request, rest):
    """Content-Disposition as it stands in the query."""
    value = bytes.fromhex(request.target.split("?")[1]).decode("latin-1")
    return response(200, b"named\n", f"Content-Disposition: {value}")


def empty(web, request, rest):
    return response(200, b"")


def binary(web, request, rest):
    return response(200, b"text\0binary\n")


def partial_then_whole(web, request, rest):
    """The first response breaks off; the second sends what is asked for."""
    count, first, wanted = web.count("partial"), RANGED[:1000], request.field("Range")
    fields = ["Accept-Ranges: bytes", f"ETag: {rest[0]}"] if rest else ["Accept-Ranges: bytes"]
    if count == 0:
        return response(200, RANGED, *fields, "Connection: close")[: -len(RANGED)] + first
    if not wanted or request.field("If-Range") == "changed":
        return response(200, RANGED, *fields)
    start = int(re.match(r"bytes=(\d+)-$", wanted)[1])
    where = f"Content-Range: bytes {start}-{len(RANGED) - 1}/{len(RANGED)}"
    return response(206, RANGED[start:], where, *fields, reason="Part")


def changing(web, request, rest):
    """Another file from the second request on."""
    old, new = b"o" * 2000, b"n" * 1500
    if web.count("changing") == 0:
        fields = ["Accept-Ranges: bytes", 'ETag: "old"', "Connection: close"]
        return response(200, old, *fields)[:-1000]
    return response(200, new, "Accept-Ranges: bytes", 'ETag: "new"')


def slow_named(web, request, rest):
    return response(302, b"", f"Location: /named/{rest[0]}", reason="Moved")


ROUTES = {"with_name": with_name, "empty": empty, "binary": binary, "partial": partial_then_whole,
          "changing": changing,
          "to_named": slow_named}  # fmt: skip


@pytest.fixture
def web():
    web = Web(ROUTES)
    yield web
    web.close()


def contents(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        mode = oct(path.lstat().st_mode)
        found[name] = (mode, path.read_bytes() if path.is_file() else None)
    return found


class Run:
    """One run in a folder of its own."""

    def __init__(self, lab, name, web, *args, before=None, **options):
        self.folder = lab.folder / f"{name}{len(lab.processes)}"
        self.folder.mkdir()
        for path, data in (before or {}).items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(data)
        web.forget()
        argv = [a.replace("@", web.url + "/") for a in args]
        process = lab.run(name, "-q", "-sS", *argv, cwd=self.folder, **options)
        self.status, self.out, self.err = process.popen.returncode, process.out(), process.err()
        self.files = contents(self.folder)
        self.requests = list(web.requests)

    def same(self):
        return self.status, self.out, self.files

    def file(self, name):
        return (self.folder / name).read_bytes()


def both(lab, web, *args, before=None):
    theirs = Run(lab, "curl", web, *args, before=before)
    ours = Run(lab, "hcurl", web, *args, before=before)
    assert ours.same() == theirs.same(), ours.err
    return ours


# ---- as curl does -------------------------------------------------------------------------------

AS_CURL = [
    "@hello", "@hello -i", "@hello -I", "@hello -I -o head", "@empty", "@empty -o file",
    "@empty -i -o file", "@hello -o file", "@hello -o file -i", "@hello -O", "@a/b/hello -O",
    "@hello -o -", "@hello -o /dev/null", "@hello -o folder/file", "@hello -o /dev/full",
    "@hello -o folder/file --create-dirs", "@hello -O --output-dir folder",
    "@hello -O --output-dir folder --create-dirs", "@hello -o a/b/c/file --create-dirs",
    "@hello -o a//b///file --create-dirs", "@hello -D heads", "@hello -D -", "@hello -D heads -i",
    "@hello -D - -i", "@hello @status/404 -D heads",
    "@hello -D heads --next @status/404 -D heads", "@hello @empty -D - -o one -o two",
    "@hello -o file @hello -o file2", "@redirect/302/hello -i", "@redirect/302/hello -iL",
    "@redirect/302/hello -iL -o file", "@redirect/302/hello -L -D heads -o file", "@informed -i",
    "@informed -D - -o file", "@chunked", "@chunked -i", "@chunked -D heads -i -o file",
    "@close", "@close -o file", "@nothing -o file", "@short -o file", "@short",
    "@short -o file --remove-on-error", "@status/404 -f", "@status/404 -f -o file",
    "@status/404 -f -i", "@status/404 -f -i -o file", "@status/404 --fail-with-body",
    "@status/404 --fail-with-body -o file", 
    "@status/404 --fail-with-body --remove-on-error -o f",
    "@status/404 -f --remove-on-error -o file", "@status/204 -o file", "@status/304 -o file",
    "@hello -N", "@hello --no-buffer -o file", "@hello -o file --no-clobber",
    "@named/name -OJ", "@named/name -O", "@named/name -J", 
    "@named/name -OJ --output-dir folder --create-dirs", "@named/name -OJ -D -", "@hello -OJ",
    "@to_named/name -L -OJ", "@etag --etag-save tag",
    "@hello --etag-save tag", "@etag --etag-save tag -o file", "@status/404 --etag-save tag",
    "@etag --etag-save folder/tag", "@dated -R -o file", "@hello -R -o file", "@dated -RO",
    "@ranged -C - -o new", "@ranged -C 2990", "@ranged -C 2990 -o new", "@ranged -C 0 -o new",
    "@ranged -C 3000", "@ranged -C 4000 -o file", "@hello --max-filesize 3 -o file",
    "@coded/gzip --compressed -o file", "@coded/gzip -o file",
    "@basic -u u:p --anyauth -i", "@digest -u u:p --digest -i", "@digest -u u:p --digest -D heads",
    "@digest -u u:bad --digest -i -o file", "@hello @hello -i", "@hello -o file -o more",
    "@hello -T /dev/null -o file", "@hello -d x -i -o file", "@hello --create-file-mode 644",
    "@hello --create-file-mode 999", "@hello --create-file-mode x",
]  # fmt: skip


@pytest.mark.parametrize("line", AS_CURL)
def test_as_curl_does(lab, web, line):
    both(lab, web, *line.split())


EXISTING = [
    "@hello -o old", "@hello -o old -i", "@hello -o old --no-clobber", "@hello -o old --clobber",
    "@empty -o old", "@status/404 -f -o old", "@nothing -o old", "@status/304 -o old",
    "@short -o old", "@named/old -OJ", "@named/old -OJ --clobber", "@named/old -OJ --no-clobber",
    "@hello -o old -D old.1", "@etag --etag-save old",
    "@etag --etag-compare tag", "@etag --etag-compare tag -o old", 
    "@etag --etag-compare nil -o new", "@etag --etag-compare old --etag-save old",
    "@etag --etag-compare tag --etag-save tag -i", "@ranged -C - -o part", "@ranged -C - -o whole",
    "@ranged -C - -o whole -i", "@ranged -C - -o longer",
    "@ranged -C 2000 -o part", "@hello -C - -o old", 
    "@ranged -C - -OJ", "@hello -o folder",
    "@hello -o folder/old", "@hello -O --output-dir folder", "@dated -z old -R -o old",
    "@hello -o old --no-clobber --create-dirs",
]  # fmt: skip

FILES = {
    "old": b"what was there before, and is longer\n", "tag": TAG.encode() + b"\n", "nil": b"",
    "part": RANGED[:1234], "whole": RANGED, "longer": RANGED + b"x", "folder/old": b"old\n",
}  # fmt: skip


@pytest.mark.parametrize("line", EXISTING)
def test_as_curl_does_with_files_that_exist(lab, web, line):
    both(lab, web, *line.split(), before=FILES)


@pytest.mark.parametrize("taken", [1, 98, 99])
def test_names_are_counted_up(lab, web, taken):
    before = {"file": b"0", **{f"file.{i}": b"x" for i in range(1, taken + 1)}}
    run = Run(lab, "hcurl", web, "@hello", "-o", "file", "--no-clobber", before=before)
    assert run.status == 0 and run.file(f"file.{taken + 1}") == b"hello\n"


def test_a_hundred_names_are_enough(lab, web):
    before = {"file": b"0", **{f"file.{i}": b"x" for i in range(1, 101)}}
    run = Run(lab, "hcurl", web, "@hello", "-o", "file", "--no-clobber", before=before)
    assert run.status == 23 and len(run.files) == 101


def test_the_umask_counts(lab, web):
    for mask in (0o077, 0):
        theirs = Run(lab, "curl", web, "@hello", "-o", "a/file", "--create-dirs", umask=mask)
        ours = Run(lab, "hcurl", web, "@hello", "-o", "a/file", "--create-dirs", umask=mask)
        assert ours.files == theirs.files


def test_a_mode_for_new_files(lab, web):
    run = Run(lab, "hcurl", web, "@hello", "-o", "file", "--create-file-mode", "600")
    assert (run.folder / "file").stat().st_mode & 0o777 == 0o600


# ---- as the newest curl does, and Debian's does not ----------------------------------------------


def test_the_last_way_to_fail_counts(lab, web):
    for order, files in (("-f --fail-with-body", ["file"]), ("--fail-with-body -f", [])):
        run = Run(lab, "hcurl", web, "@status/404", *order.split(), "-o", "file")
        assert run.status == 22 and list(run.files) == files, run.err


def test_a_name_of_the_server_and_the_heads(lab, web):
    run = Run(lab, "hcurl", web, "@named/name", "-OJi", "-D", "heads")
    assert run.status == 0 and run.file("name") == run.file("heads") + b"named\n"
    run = Run(lab, "hcurl", web, "@to_named/name", "-LOJi")
    assert run.status == 0 and run.file("name").count(b"HTTP/1.1") == 2


def test_where_a_redirect_leads_is_a_name(lab, web):
    run = Run(lab, "hcurl", web, "@redirect/302/hello/last?a=b", "-LOJ")
    assert run.status == 0 and run.file("last") == b"hello\n"


def test_a_saved_tag_stays_when_none_comes(lab, web):
    run = Run(lab, "hcurl", web, "@hello", "--etag-save", "tag", before=FILES)
    assert run.status == 0 and run.file("tag") == FILES["tag"]
    run = Run(lab, "hcurl", web, "@hello", "--etag-save", "a/b/tag", "--create-dirs")
    assert run.status == 0 and run.file("a/b/tag") == b""


def test_a_tag_that_is_missing_is_an_empty_one(lab, web):
    run = Run(lab, "hcurl", web, "@etag", "--etag-compare", "missing")
    assert run.status == 0 and run.requests[0].field("If-None-Match") == '""'


def test_a_whole_file_is_no_failure(lab, web):
    run = Run(lab, "hcurl", web, "@ranged", "-C", "-", "-o", "whole", "-f", before=FILES)
    assert run.status == 0 and run.file("whole") == RANGED, run.err


@pytest.mark.parametrize("other", [["--no-clobber"], ["--remove-on-error"], ["-OJ"]])
def test_what_excludes_resuming(lab, web, other):
    run = Run(lab, "hcurl", web, "@ranged", "-C", "-", *other, before=FILES)
    assert run.status == 2 and run.requests == [] and "--continue-at" in run.err


# ---- names that servers give --------------------------------------------------------------------

NAMES = [
    ("attachment; filename=plain.txt", "plain.txt"),
    ('attachment; filename="with space.txt"', "with space.txt"),
    ('inline; filename="semi;colon"', "semi;colon"),
    ("inline; filename='single", "single"),
    ("filename=bare; charset=x", "bare"),
    ('attachment; filename="../../up"', "up"),
    ('attachment; filename="/etc/passwd"', "passwd"),
    ('attachment; filename="c:\\\\dir\\\\file"', "file"),
    ('attachment; filename=".bashrc"', "_bashrc"),
    ('attachment; filename="-rf"', "_rf"),
    ("attachment; filename=\"x\"; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
    ('attachment; filename=""', "with_name"),
    ('attachment; filename="folder/"', "with_name"),
    ("attachment", "with_name"),
    ('attachment; filename=".."', "with_name"),
]


@pytest.mark.parametrize("value,name", NAMES)
def test_a_name_that_the_server_gives(lab, web, value, name):
    run = Run(lab, "hcurl", web, f"@with_name?{value.encode().hex()}", "-OJ", "-w",
              "%{filename_effective}")
    if name == "with_name" or run.status == 0:
        names = [n for n in run.files]
        assert len(names) == 1 and "/" not in names[0]
    assert list(run.files) == [name] or name == "with_name", run.err
    assert run.out.decode() == list(run.files)[0]


def test_a_file_that_a_server_names_is_never_overwritten(lab, web):
    run = Run(lab, "hcurl", web, "@named/old", "-OJ", before={"old": b"mine"})
    assert run.status == 23 and run.file("old") == b"mine" and "old" in run.err


# ---- what is left after an error ----------------------------------------------------------------


@pytest.mark.parametrize("how", [["--remove-on-error"], ["--robust", "--retry", "1",
                                                              "--retry-delay", "0.01"]])
@pytest.mark.parametrize("path,status", [("short", 18), ("shortchunks", 18), ("status/500", 22)])
def test_a_good_file_stays_until_the_new_one_is_whole(lab, web, how, path, status):
    run = Run(lab, "hcurl", web, f"@{path}", "--fail-with-body", "-o", "good", *how,
              before={"good": b"good"})
    assert run.status == status, run.err
    assert run.files == {"good": (run.files["good"][0], b"good")}


def test_robust_leaves_no_part_of_a_new_file(lab, web):
    for args in (["-o", "new"], ["-OJ"], ["-o", "new", "--no-clobber"]):
        run = Run(lab, "hcurl", web, "@short", "--robust", "--retry", "1", "--retry-delay", "0.01",
                  *args)  # fmt: skip
        assert run.status == 18 and run.files == {}, run.err
    run = Run(lab, "hcurl", web, "@short", "--robust", "--retry", "1", "--retry-delay", "0.01", "-C",
              "-", "-o", "new", before={"new": b"x"})  # fmt: skip
    assert run.file("new")[:1] == b"x"


@pytest.mark.parametrize("how", ["--remove-on-error", "--robust"])
def test_it_is_replaced_by_a_whole_one(lab, web, how):
    folder = lab.folder / "here"
    folder.mkdir()
    (folder / "real").write_bytes(b"old")
    (folder / "real").chmod(0o4604)
    (folder / "link").symlink_to("real")
    process = lab.run("hcurl", "-sS", how, web.url + "/hello", "-o", "link", cwd=folder)
    assert process.popen.returncode == 0, process.err()
    assert sorted(os.listdir(folder)) == ["link", "real"] and (folder / "link").is_symlink()
    assert (folder / "real").read_bytes() == b"hello\n"
    assert (folder / "real").stat().st_mode & 0o7777 == 0o604


@pytest.mark.parametrize("how", ["--remove-on-error", "--robust"])
def test_what_is_no_plain_file_is_written_to(lab, web, how):
    folder = lab.folder / "here"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    reader = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    process = lab.run("hcurl", "-sS", how, web.url + "/hello", "-o", "pipe", cwd=folder)
    assert process.popen.returncode == 0 and os.read(reader, 100) == b"hello\n"
    os.close(reader)
    run = Run(lab, "hcurl", web, how, "--retry", "1", "--retry-delay", "0.01", "@short", "-o",
              "/dev/null")  # fmt: skip
    assert run.status == 18, run.err


def endless(web, request, rest):
    return response(200, b"x" * 100000, "Content-Length: 9999999", length=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_half_done(lab, number):
    web = Web({"endless": endless})
    folder = lab.folder / "here"
    folder.mkdir()
    (folder / "good").write_bytes(b"good")
    process = lab.spawn("hcurl", "-sS", "--remove-on-error", web.url + "/endless", "-o", "good",
                        cwd=folder)  # fmt: skip
    wait_until(lambda: len(os.listdir(folder)) == 2, "it has begun to write")
    process.signal(number)
    assert process.wait() == -number
    assert os.listdir(folder) == ["good"] and (folder / "good").read_bytes() == b"good"
    web.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(lab, web):
    folder = lab.folder / "closed"
    folder.mkdir()
    (folder / "file").write_bytes(b"old")
    folder.chmod(0o500)
    for name, status in (("new", 23), ("file", 0)):
        run = Run(lab, "hcurl", web, "--remove-on-error", "@hello", "-o", str(folder / name))
        assert run.status == status, run.err
    folder.chmod(0o700)
    assert (folder / "file").read_bytes() == b"hello\n"


@pytest.mark.parametrize("args,name", [
    (["-o", "/dev/full"], "/dev/full"),
    (["-o", "missing/file"], "missing/file"),
    (["-o", "folder"], "folder"),
    (["-D", "/dev/full"], "/dev/full"),
    (["-D", "missing/heads"], "missing/heads"),
    (["-D", "folder"], "folder"),
    (["-o", "old/file", "--create-dirs"], "old"),
    (["-o", "x" * 300], "x" * 300),
    (["--etag-save", "/dev/full"], "/dev/full"),
])  # fmt: skip
def test_an_error_of_writing_names_the_file(lab, web, args, name):
    run = Run(lab, "hcurl", web, "@etag", *args, before={"old": b"", "folder/x": b""})
    assert run.status == 23 and name in run.err and run.err.startswith("hcurl: (23) "), run.err


def test_robust_does_not_try_again_what_cannot_be_written(lab, web):
    run = Run(lab, "hcurl", web, "@hello", "-o", "missing/file", "--robust")
    assert run.status == 23 and len(run.requests) == 1
    assert run.err == "hcurl: (23) cannot open missing/file: No such file or directory\n"


def test_stdout_that_is_full(lab, web):
    with open("/dev/full", "wb") as full:
        process = lab.run("hcurl", "-sS", web.url + "/hello", stdout=full)
    assert process.popen.returncode == 23
    assert process.err() == "hcurl: (23) cannot write to the standard output: No space left on device\n"


def test_stdout_that_nobody_reads(lab, web):
    reader, writer = os.pipe()
    os.close(reader)
    process = lab.run("hcurl", "-sS", web.url + "/big/100000", stdout=writer)
    os.close(writer)
    assert process.popen.returncode == 23 and "standard output: Broken pipe" in process.err()


def test_a_file_that_grows_too_large(lab, web):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    process = lab.run("hcurl", "-sS", web.url + "/big/100000", "-o", lab.path("big"),
                      preexec_fn=limit, start_new_session=True)  # fmt: skip
    assert process.popen.returncode in (23, -25), process.err()


# ---- a slow reader ------------------------------------------------------------------------------


def test_a_slow_reader_gets_all(lab, web):
    reader, writer = os.pipe()
    process = lab.spawn("hcurl", "-sS", web.url + "/big/3000000", "-w", "the end", stdout=writer)
    os.close(writer)
    got = b""
    while piece := os.read(reader, 50000):
        got += piece
    os.close(reader)
    assert process.wait() == 0 and got == b"b" * 3000000 + b"the end"


def test_a_time_limit_counts_although_nobody_reads(lab, web):
    """The loop is not held up by a write that waits."""
    reader, writer = os.pipe()
    process = lab.spawn("hcurl", "-v", "-m", "1", web.url + "/big/30000000", stdout=writer)
    os.close(writer)
    process.wait_err("(28)")
    while os.read(reader, 1000000):
        pass
    os.close(reader)
    assert process.wait() == 28


@pytest.mark.parametrize("size", [100000, 300000, 30000000])
def test_a_signal_ends_it_although_nobody_reads(lab, web, size):
    reader, writer = os.pipe()
    process = lab.spawn("hcurl", "-sS", f"{web.url}/big/{size}", stdout=writer)
    os.close(writer)
    wait_until(lambda: process.state() == "S" and select.select([reader], [], [], 0)[0],
               "it waits for the reader")  # fmt: skip
    process.signal(signal.SIGTERM)
    assert process.wait() in (-signal.SIGTERM, 23)
    os.close(reader)


def test_the_pipe_stays_as_it_was(lab, web):
    """Others that share it do not find it non-blocking."""
    reader, writer = os.pipe()
    process = lab.spawn("hcurl", "-sS", web.url + "/big/300000", stdout=writer)
    got = 0
    while got < 300000:
        got += len(os.read(reader, 100000))
    assert process.wait() == 0 and os.get_blocking(writer)
    os.close(reader)
    os.close(writer)


# ---- terminals ----------------------------------------------------------------------------------


def on_terminal(lab, web, *args):
    master, slave = open_terminal()
    argv = [a.replace("@", web.url + "/") for a in args]
    process = lab.spawn("hcurl", "-q", *argv, stdout=slave)
    status = process.wait()
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 65536):
            shown += piece
    except OSError:
        pass
    os.close(master)
    return status, shown.replace(b"\r\n", b"\n"), process.err()


def test_binary_is_not_for_a_terminal(lab, web):
    status, shown, err = on_terminal(lab, web, "@binary")
    assert status == 23 and shown == b"" and "--output" in err
    status, shown, err = on_terminal(lab, web, "@binary", "-o", "-")
    assert status == 0 and shown == b"text\0binary\n"


def test_text_is(lab, web):
    assert on_terminal(lab, web, "@hello", "--no-pretty")[:2] == (0, b"hello\n")


# ---- resuming -----------------------------------------------------------------------------------


def test_a_retry_goes_on_where_the_first_try_broke_off(lab, web):
    run = Run(lab, "hcurl", web, '@partial/"v1"', "-o", "file", "--retry", "1",
              "--retry-all-errors", "--retry-delay", "0.01")  # fmt: skip
    assert run.status == 0 and run.file("file") == RANGED, run.err
    assert [r.field("Range") for r in run.requests] == [None, "bytes=1000-"]
    assert run.requests[1].field("If-Range") == '"v1"'


@pytest.mark.parametrize("tag", ['W/"weak"', None])
def test_but_not_when_the_file_may_have_changed(lab, web, tag):
    path = f"@partial/{tag.replace('/', '')}" if tag else "@partial"
    run = Run(lab, "hcurl", web, path, "-o", "file", "--retry", "1", "--retry-all-errors",
              "--retry-delay", "0.01")  # fmt: skip
    assert run.status == 0 and run.file("file") == RANGED, run.err
    assert [r.field("Range") for r in run.requests] == [None, None]


@pytest.mark.parametrize("how", [[], ["--remove-on-error"], ["--robust"]])
def test_a_file_that_changes_meanwhile_comes_from_its_start(lab, web, how):
    digest = hashlib.sha256(b"n" * 1500).hexdigest()
    run = Run(lab, "hcurl", web, "@changing", "-o", "file", "--retry", "1", "--retry-all-errors",
              "--retry-delay", "0.01", "--checksum", f"sha256={digest}", *how)  # fmt: skip
    assert run.status == 0 and run.file("file") == b"n" * 1500, run.err
    assert [r.field("If-Range") for r in run.requests] == [None, '"old"', None]


def test_a_url_without_a_name(lab, web):
    process = lab.run("hcurl", "--no-progress-meter", "-O", web.url, cwd=lab.folder)
    assert (lab.folder / "curl_response").read_bytes() == b"hello\n"
    assert "curl_response" in process.err()


def test_with_a_dash_every_part_is_kept(lab, web):
    run = Run(lab, "hcurl", web, "@partial", "-C", "-", "-o", "file", "--retry", "1",
              "--retry-all-errors", "--retry-delay", "0.01")  # fmt: skip
    assert run.status == 0 and run.file("file") == RANGED, run.err
    assert run.requests[1].field("Range") == "bytes=1000-"


# ---- what curl has not --------------------------------------------------------------------------

HELLO = b"hello\n"


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha384", "sha512", "SHA-256"])
def test_a_checksum(lab, web, name):
    digest = hashlib.new(name.replace("-", "").lower(), HELLO).hexdigest()
    run = Run(lab, "hcurl", web, "@hello", "-o", "file", "--checksum", f"{name}={digest}")
    assert run.status == 0 and run.file("file") == HELLO, run.err


def test_a_checksum_of_stdout(lab, web):
    digest = hashlib.sha256(HELLO).hexdigest().upper()
    run = Run(lab, "hcurl", web, "@hello", "--checksum", f"sha256={digest}")
    assert (run.status, run.out) == (0, HELLO)
    run = Run(lab, "hcurl", web, "@hello", "--checksum", "sha256=" + "0" * 64)
    assert (run.status, run.out) == (120, HELLO)


def test_another_checksum(lab, web):
    found = hashlib.sha256(HELLO).hexdigest()
    for before in ({}, {"file": b"good"}):
        run = Run(lab, "hcurl", web, "@hello", "-o", "file", "--checksum", "sha256=" + "ab" * 32,
                  before=before)
        assert run.status == 120 and found in run.err and "ab" * 32 in run.err
        assert {n: data for n, (_, data) in run.files.items()} == before


def test_a_checksum_of_what_was_resumed(lab, web):
    digest = hashlib.sha512(RANGED).hexdigest()
    run = Run(lab, "hcurl", web, "@ranged", "-C", "-", "-o", "part", "--checksum",
              f"sha512={digest}", before=FILES)  # fmt: skip
    assert run.status == 0 and run.file("part") == RANGED, run.err
    run = Run(lab, "hcurl", web, '@partial/"v1"', "-o", "file", "--retry", "1",
              "--retry-all-errors", "--retry-delay", "0.01", "--checksum", f"sha512={digest}")
    assert run.status == 0 and run.file("file") == RANGED, run.err


def test_a_checksum_of_nothing(lab, web):
    digest = hashlib.md5(b"").hexdigest()
    run = Run(lab, "hcurl", web, "@empty", "-o", "file", "--checksum", f"md5={digest}")
    assert run.status == 0 and run.file("file") == b"", run.err


@pytest.mark.parametrize("value", ["sha256", "sha256=", "sha256=12", "crc32=00000000", "=00",
                                   "md5=" + "g" * 32])  # fmt: skip
def test_a_checksum_that_is_none(lab, web, value):
    run = Run(lab, "hcurl", web, "@hello", "--checksum", value)
    assert run.status == 2 and "--checksum" in run.err and run.requests == []


@pytest.mark.parametrize("accepted,status,expected", [
    ("200", 200, 0), ("404", 404, 0), ("200,3xx", 404, 22), ("200,3xx", 301, 0), ("4XX", 404, 0),
    ("200-204,500", 204, 0), ("200-204,500", 205, 22), ("404", 200, 22), ("100-599", 503, 0),
])  # fmt: skip
def test_the_status_that_is_expected(lab, web, accepted, status, expected):
    run = Run(lab, "hcurl", web, f"@status/{status}", "--expect-status", accepted)
    assert run.status == expected
    assert expected == 0 or str(status) in run.err


@pytest.mark.parametrize("value", ["", "2", "xx", "20x", "99", "1000", "200,", ",200", "300-200",
                                   "200-", "2xx-3xx", ",".join(["200"] * 33)])  # fmt: skip
def test_a_list_of_statuses_that_is_none(lab, web, value):
    run = Run(lab, "hcurl", web, "@hello", "--expect-status", value)
    assert run.status == 2 and "--expect-status" in run.err


def test_attributes_of_the_file(lab, web):
    folder = pathlib.Path(os.environ.get("XDG_RUNTIME_DIR") or lab.folder)
    target = folder / f"hcurl-xattr-{os.getpid()}"
    try:
        target.write_bytes(b"")
        os.setxattr(target, "user.try", b"1")
    except OSError:
        pytest.skip("no attributes in this file system")
    finally:
        target.unlink(missing_ok=True)
    url = web.url.replace("//", "//user:secret@")
    process = lab.run("hcurl", "-sS", "--xattr", "-e", "http://from/", "-o", target, url + "/hello")
    got = {n: os.getxattr(target, n).decode() for n in os.listxattr(target)}
    target.unlink()
    assert process.popen.returncode == 0, process.err()
    assert got["user.xdg.origin.url"] == web.url + "/hello"
    assert got["user.xdg.referrer.url"] == "http://from/" and got["user.mime_type"] == "text/plain"


def test_stderr_takes_the_heads(lab, web):
    run = Run(lab, "hcurl", web, "@hello", "-D", "%", "-o", "file")
    assert run.err.startswith("HTTP/1.1 200 OK") and run.out == b""


def test_a_tag_for_stdout(lab, web):
    both(lab, web, "@etag", "--etag-save", "-", "-o", "file")
